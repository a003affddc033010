#!/usr/bin/env python3
"""How the cost of a step grows with the network and with the batch: scaling.py OUTPUT.json; called by scripts/benchmark.sh.

An MLP of two hidden layers with SGD, a rate that is constant or tuned by APO at K = 10.
"""

import argparse
import json
import os
import pathlib
import sys

import compare

SIZES = [10, 32, 100, 316, 1000, 3162, 10000]
USUAL = {"width": 1000, "batch": 100}


def steps(width, batch):
    """Of half a run: tens, some seconds of them at most."""
    flop = 6 * batch * (784 * width + width * width)
    return 10 * max(1, min(30, int(2e10 / flop)))


def row(axis, size, options):
    width, batch = (size, USUAL["batch"]) if axis == "width" else (USUAL["width"], size)
    times = {name: compare.timed(f"{{name: mlp, hidden: [{width}, {width}]}}", batch, "", steps(width, batch), settings, options)[0]
             for name, settings in (("constant", compare.CONSTANT), ("APO", compare.apo(10)))}
    print(f"{axis} {size}: " + ", ".join(f"{name} {time:.3g} ms" for name, time in times.items()), flush=True)
    return {"size": size, "parameters": 784 * width + width * width + 10 * width, **times}


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    compare.forget_how_threads_wait()
    options = argparse.Namespace(device="cpu", precision="float32", threads=len(os.sched_getaffinity(0)))
    found = {axis: [row(axis, size, options) for size in SIZES] for axis in USUAL}
    pathlib.Path(sys.argv[1]).write_text(json.dumps({"processor": compare.device_name("cpu"), "threads": options.threads, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
