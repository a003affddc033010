#!/usr/bin/env python3
"""How the cost of a step grows with the network and with the batch: scaling.py OUTPUT.json; called by scripts/benchmark.sh.

An MLP of two hidden layers with SGD, a rate that is constant or tuned by APO at K = 10.
"""

import argparse
import json
import os
import pathlib
import sys

import compare  # which finds paper
from paper import machine

SIZES = [10, 32, 100, 316, 1000, 3162, 10000]
USUAL = {"width": 1000, "batch": 100}
OPTIONS = argparse.Namespace(device="cpu", precision="float32", threads=len(os.sched_getaffinity(0)))


def steps(width, batch):
    """Of half a run: tens, some seconds of them at most."""
    flop = 6 * batch * (784 * width + width * width)
    return 10 * max(1, min(30, int(2e10 / flop)))


def planned(axis, size):
    """{name: its settings}"""
    width, batch = (size, USUAL["batch"]) if axis == "width" else (USUAL["width"], size)
    return {name: compare.words(f"{{name: mlp, hidden: [{width}, {width}]}}", batch, "", steps(width, batch), settings, OPTIONS)
            for name, settings in (("constant", compare.CONSTANT), ("APO", compare.apo(10)))}


def row(axis, size):
    measured = {name: compare.timed(settings, OPTIONS) for name, settings in planned(axis, size).items()}
    times = {name: milliseconds for name, (milliseconds, _, _) in measured.items()}
    print(f"{axis} {size}: " + ", ".join(f"{name} {time:.3g} ms" for name, time in times.items()), flush=True)
    width = size if axis == "width" else USUAL["width"]
    return {"size": size, "parameters": 784 * width + width * width + 10 * width, **times}, measured["APO"][2]


def config_hash():
    """Of all rows."""
    settings = [word for axis in USUAL for size in SIZES for of_run in planned(axis, size).values() for word in of_run]
    return compare.config_hash(compare.timed, settings)


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    compare.forget_how_threads_wait()
    found = {"processor": machine.device_name(), "threads": OPTIONS.threads, "config": config_hash(), **{axis: [] for axis in USUAL}}
    for axis in USUAL:
        for size in SIZES:
            measured, found["commit"] = row(axis, size)
            found[axis].append(measured)
    pathlib.Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
