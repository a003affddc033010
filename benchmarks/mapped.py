#!/usr/bin/env python3
"""What it costs that a data set stays in its file: mapped.py OUTPUT.json; called by scripts/benchmark.sh.

Steps with a mapped set beside steps with the same set in memory, in turns: it fits, so the disk has no part in it. And the memory that a run has for
itself alone with a mapped set of 2 GiB, from the first byte to the last evaluation; the pages of the file, which the system may take back, are not counted.
"""

import argparse
import array
import json
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import compare  # which finds paper
from paper import machine

ROUNDS = 5
COUNT = 20000
BIG = 2 << 30  # bytes
OPTIONS = argparse.Namespace(device="cpu", precision="float32", threads=len(os.sched_getaffinity(0)))
NUMBERS, GREY, COLOUR = ("F32", [784]), ("U8", [1, 28, 28]), ("U8", [3, 32, 32])
# Type and shape of an example, batch size, steps of half a run, what else is set.
CASES = {
    "mlp, numbers": (NUMBERS, 100, 200, ["model={name: mlp, hidden: [1000, 1000]}", *compare.DEFAULT]),
    "mlp, pictures": (GREY, 100, 200, ["model={name: mlp, hidden: [1000, 1000]}", *compare.DEFAULT]),
    "mlp of 32 units, batches of 10": (GREY, 10, 2000, ["model={name: mlp, hidden: [32]}", *compare.CONSTANT]),
    "cnn, augmented, APO, K = 1": (GREY, 100, 40, ["model={name: cnn}", "dataset.augmentation=crop_flip", *compare.apo(1)]),
    "resnet18, augmented": (COLOUR, 128, 2, ["model={name: resnet18}", "dataset.augmentation=crop_flip", *compare.CONSTANT]),
}


def write(path, kind, shape, count, values=None):
    """A safetensors file; without values a sparse one, whose inputs are zeros."""
    width = {"F32": 4, "U8": 1}[kind]
    for size in shape:
        width *= size
    header = {"train_inputs": {"dtype": kind, "shape": [count, *shape], "data_offsets": [0, count * width]},
              "train_targets": {"dtype": "U8", "shape": [count], "data_offsets": [count * width, count * (width + 1)]}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        if values is None:
            file.seek(count * width, os.SEEK_CUR)
        else:
            file.write(values)
        file.write(bytes(i % 10 for i in range(count)))


def write_random(path, kind, shape):
    count = COUNT
    for size in shape:
        count *= size
    values = os.urandom(count)
    write(path, kind, shape, COUNT, array.array("f", (value / 255 for value in values)).tobytes() if kind == "F32" else values)


def settings(path, batch, half, more, mapped):
    dataset = f"dataset={{name: tensors, path: {path}, batch_size: {batch}, train_examples: {batch * half}, test_examples: 0, mapped: {mapped}}}"
    return [dataset, *more, "name=timed", "train.epochs=2", "train.checkpoint_every=0"]


def rate(folder, form, batch, half, more):
    """Milliseconds a step, in memory and mapped, one of each for a round; the median of their ratios; the commit."""
    path = pathlib.Path(folder) / "set.safetensors"
    write_random(path, *form)
    found = {"never": [], "always": []}
    for _ in range(ROUNDS):
        for mapped, times in found.items():
            milliseconds, _, commit = compare.timed(settings(path, batch, half, more, mapped), OPTIONS)
            times.append(round(milliseconds, 4))
    ratio = statistics.median(a / b for a, b in zip(found["always"], found["never"]))
    return {"in_memory": found["never"], "mapped": found["always"], "ratio": round(ratio, 4)}, commit


def config_hash():
    """Of all cases."""
    told = [word for form, *case in CASES.values() for word in (str(form), *settings("FILE", *case, mapped="always"))]
    return compare.config_hash(compare.timed, told)


def peak_of(folder):
    """The most bytes of anonymous memory of a run on a set of BIG bytes."""
    path = pathlib.Path(folder) / "big.safetensors"
    write(path, *GREY, BIG // 784)
    command = [compare.PROGRAM, "--config", str(compare.ROOT / compare.CONFIG), "--output", folder, "--progress", "off", "--log-level", "warn",
               *(f"--set={s}" for s in (f"dataset={{name: tensors, path: {path}, mapped: always, test_examples: 0, validation_share: 0.1}}", "model={name: mlp, hidden: [4]}",
                                        "name=big", "train.epochs=1", "train.train_metrics=full"))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        most = max([most, *(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon"))])
        time.sleep(0.02)
    if process.returncode != 0:
        sys.exit(f"the run on {BIG} bytes ended with {process.returncode}")
    return most


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    compare.forget_how_threads_wait()
    found = {"processor": machine.device_name(), "threads": OPTIONS.threads, "config": config_hash(), "cases": {}}
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        for name, case in CASES.items():
            measured, found["commit"] = rate(folder, *case)
            found["cases"][name] = measured
            print(f"{name:32} {statistics.median(measured['in_memory']):8.3f} ms a step in memory, mapped {statistics.median(measured['mapped']):8.3f}, "
                  f"ratio {measured['ratio']:.3f}", flush=True)
        found["big_bytes"], found["peak_bytes"] = BIG, peak_of(folder)
    print(f"a set of {BIG / 2**20:.0f} MiB takes {found['peak_bytes'] / 2**20:.0f} MiB of memory", flush=True)
    pathlib.Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
