#!/usr/bin/python3
"""The train part of a fixture with rectifiers tipped: networks/<label>_tipped.json.gz beside this script's folder.

    OMP_NUM_THREADS=1 /usr/bin/python3 make_tipped.py [label[:sigmas] ...]
    OMP_NUM_THREADS=1 /usr/bin/python3 make_tipped.py eval:label:sigmas:layer

The second form records the gradients in evaluation mode, networks/<label>_tipped_eval.json.gz, for the inputs of one ReLU:
there are too many near zero in a large network for all their subsets, and few tip on an adapter.

A ReLU's input that lies within rounding of zero falls on either side in float32, and both gradients are right.
This finds the inputs within 2 (or `sigmas`) standard deviations of the float32 noise of their layer, and records what float64
gives for every non-empty subset of them on the other side in the first step (losses, logits after the last, rows).  Layers are counted in the order in which
they run.  Rows are a fixture's `train` rows without `head` and noise.
"""
import gzip
import itertools
import json
import os
import sys

import torch
from torch.nn import functional

from make_fixtures import LR, STEPS, array, logits_of, loss_of, norm, short
from oraclelib import formula, zoo

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = 9

relu = functional.relu


class Tipping:
    """Stands for functional.relu while a network runs: records every ReLU's input, with the elements (layer, position) of `tipped` negated."""

    def __init__(self, tipped):
        self.tipped = tipped
        self.inputs = []

    def __call__(self, x, inplace=False):
        to_other_side = torch.zeros_like(x)
        for layer, position in self.tipped:
            if layer == len(self.inputs):
                to_other_side.view(-1)[position] = -2 * x.detach().reshape(-1)[position]
        self.inputs.append(x.detach().clone())
        return relu(x + to_other_side)

    def __enter__(self):
        functional.relu = self
        return self

    def __exit__(self, *_):
        functional.relu = relu


def prepared(label, mode, dtype):
    """Model, images and labels of a fixture's part, `train` or `eval`."""
    name, aux = zoo.split_label(label)
    model = formula.fill_model(zoo.build(name, 1, aux=aux), zoo.gain(name)).to(dtype)
    x = torch.from_numpy(formula.input_tensor(zoo.fixture_shape(name, aux), zoo.input_key(label, mode))).to(dtype)
    target = torch.tensor([[float(t)] for t in zoo.fixture_target(name, aux)], dtype=dtype)
    return model, x, target


def run(label, dtype, tipped=()):
    """Inputs of all ReLUs in the first step, and what is recorded of the steps."""
    model, x, target = prepared(label, "train", dtype)
    zoo.dropout_off(model)
    model.train()
    parameters = [(k, p, array(p).reshape(-1).copy()) for k, p in model.named_parameters()]
    picks = {k: formula.picks(k, start.size) for k, _, start in parameters}
    adam = torch.optim.Adam(model.parameters(), lr=LR)
    losses = []

    def step():
        adam.zero_grad(set_to_none=True)
        loss = loss_of(model(x), target)
        loss.backward()
        losses.append(loss.item())
        adam.step()

    with Tipping(tipped) as tipping:
        step()
    rows = [first(array(p.grad).reshape(-1), array(p).reshape(-1) - start, picks[k]) for k, p, start in parameters]
    for _ in range(1, STEPS):
        step()
    for row, (k, p, start) in zip(rows, parameters):
        after = array(p).reshape(-1)
        row["adam3"] = {
            "l2": norm(after),
            "dot": formula.dot(after),
            "pick": after[picks[k]].tolist(),
            "delta_l2": norm(after - start),
        }
    losses.append(loss_of(model(x), target).item())
    logits = logits_of(model.eval()(x))["logits"]
    return tipping.inputs, {"losses": losses, "after_eval_logits": logits, "rows": short(rows, DIGITS)}


def run_eval(label, dtype, tipped=()):
    """Inputs of all ReLUs in evaluation mode, and the gradients' rows (None: not in the graph)."""
    model, x, target = prepared(label, "eval", dtype)
    model.eval()
    with Tipping(tipped) as tipping:
        loss_of(model(x), target).backward()
    rows = []
    for key, parameter in model.named_parameters():
        if parameter.grad is None:
            rows.append(None)
            continue
        gradient = array(parameter.grad).reshape(-1)
        rows.append(gradient_row(gradient, formula.picks(key, gradient.size)))
    return tipping.inputs, {"rows": short(rows, DIGITS)}


def gradient_row(gradient, at):
    return {"l2": norm(gradient), "dot": formula.dot(gradient), "pick": gradient[at].tolist()}


def first(gradient, delta, at):
    """Row of a parameter after the first step."""
    adam1 = {"delta_l2": norm(delta), "delta_dot": formula.dot(delta), "delta_pick": delta[at].tolist()}
    return {**gradient_row(gradient, at), "adam1": adam1}


def could_tip(exact, single, sigmas):
    """(layer, position, value, standard deviation of the layer's noise) of the inputs nearest to zero."""
    found = []
    for key, v in enumerate(exact):
        sigma = (single[key].double() - v).std().item()
        for at in torch.nonzero(v.abs().view(-1) < sigmas * sigma).view(-1).tolist():
            found.append((key, at, v.view(-1)[at].item(), sigma))
    return found


def write(runner, label, suffix, sigmas, layer=None):
    """Writes what `runner` gives for every subset of the inputs that could tip, of one layer or of all."""
    exact, _ = runner(label, torch.float64)
    single, _ = runner(label, torch.float32)
    near = [n for n in could_tip(exact, single, sigmas) if layer in (None, n[0])]
    branches = []
    for size in range(1, len(near) + 1):
        for chosen in itertools.combinations(range(len(near)), size):
            _, found = runner(label, torch.float64, [near[i][:2] for i in chosen])
            branches.append({"tipped": list(chosen), **found})
    elements = [dict(zip(("layer", "position", "value", "noise"), short(n))) for n in near]
    tipped = {"model": label, "torch": torch.__version__, "sigmas": sigmas, "elements": elements, "branches": branches}
    text = json.dumps(tipped, separators=(",", ":"))
    out = os.path.join(HERE, "..", "networks", label + suffix + ".json.gz")
    with open(out, "wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        packed.write(text.encode())
    print(label, elements, len(text))


def main():
    torch.set_num_threads(1)
    for argument in sys.argv[1:] or ["densenet121"]:
        if argument.startswith("eval:"):
            _, label, sigmas, layer = argument.split(":")
            write(run_eval, label, "_tipped_eval", float(sigmas), int(layer))
        else:
            label, _, given = argument.partition(":")
            write(run, label, "_tipped", float(given or 2))


if __name__ == "__main__":
    main()
