#!/usr/bin/python3
"""Grad-CAM of VGG 11 with BN with the formula's weights, in float64: ../grad_cam_vgg11_bn.json.

    OMP_NUM_THREADS=1 /usr/bin/python3 make_grad_cam.py

weights: mean over the positions of the logit's gradient with respect to the maps after the last convolution's ReLU;
map: the sum of the maps by these weights.  noise: largest relative distance of float32 from float64 (l2 norms).
"""
import json
import os

import torch

from oraclelib import formula, zoo

HERE = os.path.dirname(os.path.abspath(__file__))
LABEL, SHAPE, LAST_RELU = "vgg11_bn", (2, 3, 64, 64), 27


def run(dtype):
    model = formula.fill_model(zoo.build(LABEL, 1), zoo.gain(LABEL)).to(dtype).eval()
    kept = {}
    model.features[LAST_RELU].register_forward_hook(lambda m, i, out: kept.update(maps=out))
    logits = model(torch.from_numpy(formula.input_tensor(SHAPE)).to(dtype))
    maps = kept["maps"]
    (gradient,) = torch.autograd.grad(logits.sum(), maps)
    weights = gradient.mean(dim=(2, 3))
    return logits.detach(), weights, (weights[:, :, None, None] * maps.detach()).sum(dim=1)


exact, single = run(torch.float64), run(torch.float32)
noise = [((s.double() - e).norm() / e.norm()).item() for s, e in zip(single, exact)]
logits, weights, maps = exact
result = {
    "model": LABEL, "gain": zoo.gain(LABEL), "input_shape": SHAPE, "torch": torch.__version__, "noise": noise,
    "logits": logits.flatten().tolist(), "weights": weights.tolist(), "map": maps.tolist(),
}
with open(os.path.join(HERE, "..", "grad_cam_vgg11_bn.json"), "w") as f:
    json.dump(result, f, separators=(",", ":"))
