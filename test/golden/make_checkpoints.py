"""Makes checkpoint_*.pth and checkpoints.json: small checkpoints of torch.save and what they hold.

Made with Debian 12's python3-torch 1.13.1: /usr/bin/python3 make_checkpoints.py
"""

import json
import os
from collections import OrderedDict

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(1)
facts = {"note": f"made by make_checkpoints.py, torch {torch.__version__}", "files": {}}


def save(name, value, tensors, **options):
    torch.save(value, os.path.join(HERE, name), **options)
    facts["files"][name] = {
        key: {"dtype": str(t.dtype), "shape": list(t.shape), "values": t.detach().to(torch.float64).flatten().tolist()}
        for key, t in tensors.items()
    }


def each_dtype():
    floats = torch.tensor([[0.1, -2.5, 65504.0], [1e-7, 0.0, 3.0]])
    dtypes = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
    tensors = {str(d): floats.to(d) for d in dtypes}
    for dtype in [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]:
        tensors[str(dtype)] = torch.tensor([0, 1, 100]).to(dtype)
    return tensors


def strided():
    base = torch.arange(24.0)
    return {
        "every_third": base[1::3],
        "transposed": base.view(2, 3, 4).permute(2, 0, 1),
        "expanded": base[5:7].view(2, 1).expand(2, 3),
        "one": base[7:8].view(1, 1).t(),
        "scalar": base[9],
        "empty": base[:0].view(0, 5),
        "channels_last": base.view(1, 2, 3, 4).to(memory_format=torch.channels_last),
    }


for suffix, options in [("zip", {}), ("legacy", {"_use_new_zipfile_serialization": False})]:
    save(f"checkpoint_dtypes_{suffix}.pth", each_dtype(), each_dtype(), **options)
    save(f"checkpoint_strided_{suffix}.pth", strided(), strided(), **options)

# A training script's checkpoint of a DataParallel model, with an optimiser and a count; protocol 4.
net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, bias=False), torch.nn.BatchNorm2d(2))
optimizer = torch.optim.Adam(net.parameters())
net(torch.rand(2, 1, 4, 4)).square().sum().backward()
optimizer.step()
wrapped = OrderedDict((f"module.{key}", value) for key, value in net.state_dict().items())
checkpoint = {"epoch": 3, "arch": "tiny", "best": 0.25, "big": 2**70, "flags": [True, None, (1, -2)], "optimizer": optimizer.state_dict(), "state_dict": wrapped}
save("checkpoint_wrapped.pth", checkpoint, net.state_dict(), pickle_protocol=4)

# Parameters, and the names of torchvision's DenseNet files.
old = {
    "features.denseblock1.denselayer1.norm.1.weight": torch.nn.Parameter(torch.rand(2)),
    "features.denseblock1.denselayer1.conv.2.weight": torch.nn.Parameter(torch.rand(1, 2, 1, 1)),
    "features.norm5.weight": torch.nn.Parameter(torch.rand(3)),
}
new = {key.replace("norm.1", "norm1").replace("conv.2", "conv2"): value for key, value in old.items()}
save("checkpoint_densenet.pth", old, new)

# Not tensors alone: refused by name.
torch.save(net, os.path.join(HERE, "checkpoint_module.pth"))

with open(os.path.join(HERE, "checkpoints.json"), "w") as out:
    json.dump(facts, out)
    out.write("\n")
