#!/usr/bin/python3
"""The train part of a fixture with rectifiers tipped: <label>_tipped.json beside this script's folder.

    OMP_NUM_THREADS=1 /usr/bin/python3 make_tipped.py [label ...]

A ReLU's input that lies within rounding of zero falls on either side in float32, and both gradients are right.
This finds the inputs within SIGMAS standard deviations of the float32 noise of their layer, and records what float64
gives for every non-empty subset of them on the other side in the first step.  For networks whose batch norms all feed
a ReLU (DenseNets).  Rows are a fixture's `train` rows without `head` and noise.
"""
import itertools
import json
import os
import sys

import torch
from torch import nn

from make_fixtures import LR, STEPS, array, loss_of, norm, short
from oraclelib import formula, zoo

HERE = os.path.dirname(os.path.abspath(__file__))
SIGMAS = 2
DIGITS = 9


def run(label, dtype, tipped=()):
    """Inputs of all ReLUs in the first step, and the rows, with the elements (layer, position) of `tipped` negated."""
    name, aux = zoo.split_label(label)
    model = formula.fill_model(zoo.build(name, 1, aux=aux), zoo.gain(name)).to(dtype).train()
    inputs = {}

    def hook_for(key):
        def hook(m, _, out):
            inputs[key] = out.detach().clone()
            factor = torch.ones_like(out)
            for layer, position in tipped:
                if layer == key:
                    factor.view(-1)[position] = -1
            return out * factor

        return hook

    hooks = [m.register_forward_hook(hook_for(k)) for k, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    x = torch.from_numpy(formula.input_tensor(zoo.fixture_shape(name, aux), zoo.input_key(label, "train"))).to(dtype)
    target = torch.tensor([[float(t)] for t in zoo.fixture_target(name, aux)], dtype=dtype)
    parameters = [(k, p, array(p).reshape(-1).copy()) for k, p in model.named_parameters()]
    picks = {k: formula.picks(k, start.size) for k, _, start in parameters}
    adam = torch.optim.Adam(model.parameters(), lr=LR)
    for step in range(STEPS):
        adam.zero_grad(set_to_none=True)
        loss_of(model(x), target).backward()
        adam.step()
        if step == 0:
            for hook in hooks:
                hook.remove()
            rows = [first(array(p.grad).reshape(-1), array(p).reshape(-1) - start, picks[k]) for k, p, start in parameters]
    for row, (k, p, start) in zip(rows, parameters):
        after = array(p).reshape(-1)
        row["adam3"] = {
            "l2": norm(after),
            "dot": formula.dot(after),
            "pick": after[picks[k]].tolist(),
            "delta_l2": norm(after - start),
        }
    return inputs, rows


def first(gradient, delta, at):
    """Row of a parameter after the first step."""
    adam1 = {"delta_l2": norm(delta), "delta_dot": formula.dot(delta), "delta_pick": delta[at].tolist()}
    return {"l2": norm(gradient), "dot": formula.dot(gradient), "pick": gradient[at].tolist(), "adam1": adam1}


def could_tip(exact, single):
    """(layer, position, value, standard deviation of the layer's noise) of the inputs nearest to zero."""
    found = []
    for key, v in exact.items():
        sigma = (single[key].double() - v).std().item()
        for at in torch.nonzero(v.abs().view(-1) < SIGMAS * sigma).view(-1).tolist():
            found.append((key, at, v.view(-1)[at].item(), sigma))
    return found


def main():
    torch.set_num_threads(1)
    for label in sys.argv[1:] or ["densenet121"]:
        exact, _ = run(label, torch.float64)
        single, _ = run(label, torch.float32)
        near = could_tip(exact, single)
        branches = []
        for size in range(1, len(near) + 1):
            for chosen in itertools.combinations(range(len(near)), size):
                _, rows = run(label, torch.float64, [near[i][:2] for i in chosen])
                branches.append({"tipped": list(chosen), "rows": short(rows, DIGITS)})
        elements = [dict(zip(("layer", "position", "value", "noise"), short(n))) for n in near]
        head = {"model": label, "torch": torch.__version__, "sigmas": SIGMAS, "elements": elements}
        text = json.dumps(head, indent=1)[:-2] + ',\n "branches": [\n  '
        text += ",\n  ".join(json.dumps(b, separators=(",", ":")) for b in branches) + "\n ]\n}\n"
        with open(os.path.join(HERE, "..", label + "_tipped.json"), "w") as f:
            f.write(text)
        print(label, elements, len(text))


if __name__ == "__main__":
    main()
