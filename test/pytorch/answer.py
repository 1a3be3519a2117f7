"""Answers the tests from PyTorch: reads one JSON object a line, writes one a line.

{"job": "save", "model", "file"}
    fills torchvision's model with the formula's weights (test/golden/oracle/FORMULA.md), saves its state_dict with
    torch.save and answers with its logits
{"job": "load", "file"}
    loads a .safetensors file into that model with strict=True and answers with the keys whose values differ from what
    was saved, and with its logits
{"job": "predict", "model", "file", "images", "size"}
    loads a .safetensors file into a new model with strict=True and answers with the probability of each image file

Logits and probabilities are float64's in evaluation mode, with one output. Images are decoded and resized by Pillow.
"""
import json
import os
import sys

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "oracle"))
from oraclelib import formula, safetensors, zoo  # noqa: E402

BATCHES_TRACKED = 7
# ImageNet's, as torchvision's reference transforms have them.
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def read_state(file):
    tensors, _ = safetensors.load(file)
    return {key: torch.from_numpy(np.array(value)) for key, value in tensors.items()}


def forward(model, x, dtype=torch.float64):
    """Logits of a model in evaluation mode, computed in `dtype`; the model stays in float32."""
    with torch.no_grad():
        logits = model.to(dtype).eval()(x.to(dtype)).flatten()
    model.float()
    return logits


class Answers:
    """Holds one model and what was saved of it."""

    def save(self, model, file):
        self.name, self.model = model, formula.fill_model(zoo.build(model), zoo.gain(model))
        for key, value in self.model.state_dict().items():
            if key.endswith("num_batches_tracked"):
                value.fill_(BATCHES_TRACKED)
        self.saved = {key: value.clone() for key, value in self.model.state_dict().items()}
        torch.save(self.model.state_dict(), file)
        return {"logits": self.logits()}

    def load(self, file):
        for value in self.model.state_dict().values():
            value.fill_(-1)
        state = read_state(file)
        self.model.load_state_dict(state, strict=True)
        differing = [
            key
            for key, value in self.saved.items()
            if state[key].dtype != value.dtype or not torch.equal(state[key], value)
        ]
        return {"keys": len(state), "differing": differing, "logits": self.logits()}

    def logits(self):
        x = formula.input_tensor(zoo.fixture_shape(self.name), zoo.input_key(self.name, "eval"))
        return forward(self.model, torch.from_numpy(x)).tolist()

    def predict(self, model, file, images, size):
        """`noise`: the largest distance of float32's probabilities from float64's."""
        network = zoo.build(model)
        network.load_state_dict(read_state(file), strict=True)
        x = torch.stack([read_image(image, size) for image in images])
        exact, single = (torch.sigmoid(forward(network, x, dtype).double()) for dtype in (torch.float64, torch.float32))
        return {"probabilities": exact.tolist(), "noise": (single - exact).abs().max().item()}


def read_image(file, size):
    """[3, size, size], normalised in float64."""
    with Image.open(file) as image:
        pixels = np.asarray(image.resize((size, size), Image.BILINEAR).convert("RGB"), dtype=np.float64)
    return torch.from_numpy(((pixels / 255 - MEAN) / DEVIATION).transpose(2, 0, 1).copy())


def main():
    answers = Answers()
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(getattr(answers, job.pop("job"))(**job)), flush=True)


main()
