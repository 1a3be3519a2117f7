"""Part of bench/host.mjs: PyTorch's training step and inference of DenseNet-121 on a CUDA GPU, timed as steps.mjs times
ours: several runs one behind the other with one synchronisation at their end; a line of JSON a figure.

The step is the paper's: forward, binary cross-entropy with logits on one output, backward, Adam 1e-4. fp32 and tf32 with
NCHW maps, amp (f16 with loss scaling) with NHWC maps. The images lie on the GPU beforehand.
"""

import contextlib
import json
import os
import sys
import threading
import time

import torch
import torchvision

config = json.loads(sys.argv[1])
size = config["imageSize"]
LONG_ENOUGH, MOST_RUNS, TIMES, WARM = 0.5, 50, 5, 8
device = torch.device("cuda")
torch.backends.cudnn.benchmark = True


def watch(parent):
    """Ends this process when the one that started it has ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


threading.Thread(target=watch, args=(os.getppid(),), daemon=True).start()


def tell(row):
    print("@" + json.dumps(row), flush=True)


def timed(run, runs):
    start = time.perf_counter()
    for _ in range(runs):
        run()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / runs


def measure(run):
    first = timed(run, 1)
    estimate = timed(run, WARM)
    runs = min(MOST_RUNS, max(1, round(LONG_ENOUGH / estimate)))
    times = sorted(timed(run, runs) for _ in range(TIMES))
    return {"median_s": times[TIMES // 2], "least_s": times[0], "most_s": times[-1], "runs_per_time": runs, "first_s": first}


def figures(mode, batch):
    amp = mode == "amp"
    layout = torch.channels_last if amp else torch.contiguous_format
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = mode != "fp32"
    network = torchvision.models.densenet121(num_classes=1).to(device, memory_format=layout)
    adam = torch.optim.Adam(network.parameters(), lr=1e-4)
    scaler = torch.cuda.amp.GradScaler(enabled=amp)
    images = torch.randn(batch, 3, size, size, device=device).to(memory_format=layout)
    labels = (torch.arange(batch, device=device) % 2).float()[:, None]

    def precision():
        return torch.autocast("cuda", torch.float16) if amp else contextlib.nullcontext()

    def training():
        adam.zero_grad(set_to_none=True)
        with precision():
            logits = network(images)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), labels)
        scaler.scale(loss).backward()
        scaler.step(adam)
        scaler.update()

    def inference():
        with torch.inference_mode(), precision():
            network(images)

    for kind, run in (("training", training), ("inference", inference)):
        network.train(kind == "training")
        torch.cuda.reset_peak_memory_stats()
        row = {"kind": kind, "mode": mode, "batch_size": batch, "image_size": size, **measure(run)}
        tell({**row, "peak_bytes": torch.cuda.max_memory_allocated()})


tell({"version": torch.__version__, "gpu": torch.cuda.get_device_name()})
for batch in config["batches"]:
    for mode in ("fp32", "tf32", "amp"):
        print(f"{mode}, batch {batch}", file=sys.stderr, flush=True)
        try:
            figures(mode, batch)
        except torch.cuda.OutOfMemoryError:
            tell({"left_out": f"{mode}, batch {batch}", "reason": "out of memory"})
        torch.cuda.empty_cache()
