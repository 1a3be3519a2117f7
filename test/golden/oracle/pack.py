#!/usr/bin/python3
"""Packs what make_fixtures.py and make_models.py wrote for the tests.

    /usr/bin/python3 pack.py FIXTURES MODELS OUT

writes OUT/NAME.json.gz for each FIXTURES/NAME.json that holds a network, without the digests of its layers, and
OUT/../models.json.gz: of each MODELS/NAME.json the parameter counts, multiply-accumulates and the state_dict's keys and shapes.
"""
import gzip
import json
import os
import sys


def write(path, value):
    text = json.dumps(value, separators=(",", ":"))
    with open(path, "wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        packed.write(text.encode())


def read_folder(folder):
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json"):
            with open(os.path.join(folder, name)) as file:
                yield name, json.load(file)


fixtures, models, out = sys.argv[1:]
for name, fixture in read_folder(fixtures):
    if "parameters" in fixture and "eval" in fixture:
        kept = {key: value for key, value in fixture.items() if not key.startswith("activations")}
        write(os.path.join(out, name + ".gz"), kept)

facts = {}
for name, model in read_folder(models):
    facts[model["model"]] = {
        "parameters": model["num_classes_1000"]["parameters"],
        "parameters_one_output": model["num_classes_1"]["parameters"],
        "macs": model["macs"],
        "head": model["head"],
        "state_dict": [[entry["key"], entry["shape"]] for entry in model["state_dict"]],
        "state_dict_1000_differs_in": [[e["key"], e["shape"]] for e in model["state_dict_1000_differs_in"]],
        "without_aux": model.get("without_aux", {}).get("num_classes_1"),
    }
write(os.path.join(out, "..", "models.json.gz"), facts)
