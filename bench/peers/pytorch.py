"""PyTorch's side of peers.mjs: the protocol of worker.mjs, in `mode` fp32, tf32 or amp (channels_last) on a CUDA GPU, or
fp32 on a CPU with PyTorch's default threads. The inputs lie on the device beforehand.
"""

import contextlib
import json
import os
import sys
import time

import torch
import torchvision

config = json.loads(sys.argv[1])
mode, batch, size = config["mode"], config["batchSize"], config["imageSize"]
device = torch.device("cpu" if mode == "cpu" else "cuda")
amp = mode == "amp"
layout = torch.channels_last if amp else torch.contiguous_format
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = mode != "fp32"
torch.backends.cudnn.benchmark = True


def path(name):
    return os.path.join(config["folder"], name)


def load_network():
    with open(path("weights.safetensors"), "rb") as file:
        data = bytearray(file.read())
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    dtypes = {"F32": torch.float32, "I64": torch.int64}
    state = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        part = data[start + begin : start + end]
        state[name] = torch.frombuffer(part, dtype=dtypes[entry["dtype"]]).reshape(entry["shape"])
    network = getattr(torchvision.models, config["model"])(num_classes=1)
    network.load_state_dict(state, strict=True)
    return network.to(device, memory_format=layout)


with open(path("images.f32"), "rb") as file:
    images = torch.frombuffer(bytearray(file.read()), dtype=torch.float32).reshape(batch, 3, size, size)
images = images.to(device, memory_format=layout)
labels = torch.tensor(config["labels"], dtype=torch.float32, device=device)[:, None]


def precision():
    return torch.autocast("cuda", torch.float16) if amp else contextlib.nullcontext()


def inference():
    network = load_network().eval()

    def step():
        with torch.inference_mode(), precision():
            return network(images)

    return step


def training():
    network = load_network().train()
    adam = torch.optim.Adam(network.parameters(), lr=config["learningRate"])
    scaler = torch.cuda.amp.GradScaler(enabled=amp)

    def step():
        adam.zero_grad(set_to_none=True)
        with precision():
            logits = network(images)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), labels)
        scaler.scale(loss).backward()
        scaler.step(adam)
        scaler.update()
        return loss.detach()

    return step


def say(message):
    print("@" + json.dumps(message), flush=True)


kinds = {"inference": inference, "training": training}
parameters = sum(p.numel() for p in load_network().parameters())
where = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} threads"
say({"version": torch.__version__, "toggles": f"{mode}, {where}", "parameters": parameters, "kinds": list(kinds)})
ready = {}
while line := sys.stdin.readline():
    request = json.loads(line)
    start = time.perf_counter()
    if request["kind"] not in ready:
        ready[request["kind"]] = kinds[request["kind"]]()
    for _ in range(request["steps"]):
        result = ready[request["kind"]]()
    values = result.float().flatten().tolist()
    say({"seconds": time.perf_counter() - start, "result": values})
