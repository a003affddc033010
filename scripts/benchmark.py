#!/usr/bin/env python3
"""Times variants of training against each other: scripts/benchmark.py [--rounds N] [--steps N] [--json FILE]

Runs them in turns (A B A B …), so that whatever else the machine does falls on all of them, and prints the median time of
a step, its ratio to the first variant of its group, and the peak memory. Start-up and evaluation are not counted; the
factors' warm-up batches of K-FAC are. Needs Fashion-MNIST (Debian's dataset-fashion-mnist, or $FASHION_MNIST_ROOT).
Environment: APO_TRAIN, the program; default: build/default/bin/apo-train
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("APO_TRAIN", str(ROOT / "build/default/bin/apo-train"))
DATA = os.environ.get("FASHION_MNIST_ROOT", "/usr/share/datasets/fashion-mnist")
CONSTANT = "tuner={name: constant}"
MLP, CNN = "model={name: mlp}", "model={name: cnn}"

# Group: variants, each a name and its --set arguments. The first is what the others are compared with.
GROUPS = {
    "CNN, batch 100": [
        ("SGD", [CNN, CONSTANT, "optimizer={name: sgd, learning_rate: 0.01}"]),
        ("K-FAC", [CNN, CONSTANT, "optimizer={name: kfac, learning_rate: 1e-3, inverse_interval: 20}"]),
        ("K-FAC-APO, K = 10", [CNN, "tuner={name: apo, lambda: 0.1, tune: [learning_rate, damping]}",
                               "optimizer={name: kfac, learning_rate: 1e-3, inverse_interval: 20}"]),
        ("SGD-APO, K = 10", [CNN, "tuner={name: apo, lambda: 1e-3}", "optimizer={name: sgd, learning_rate: 0.01}"]),
    ],
    "MLP, batch 100, RMSprop-APO, K = 10": [
        ("global", [MLP, "tuner={name: apo, lambda: 1e-5, interval: 10}", "optimizer={name: rmsprop, learning_rate: 1e-4}"]),
        ("per layer", [MLP, "tuner={name: apo, lambda: 1e-5, interval: 10, scope: per_layer}",
                       "optimizer={name: rmsprop, learning_rate: 1e-4}"]),
        ("constant", [MLP, CONSTANT, "optimizer={name: rmsprop, learning_rate: 1e-4}"]),
    ],
}


def run(settings, steps, folder):
    arguments = [f"--set={s}" for s in (*settings, "name=timed", "train.epochs=0", f"train.steps={steps}", f"dataset.root={DATA}",
                                        "dataset.test_examples=100")]
    command = [PROGRAM, "--config", str(ROOT / "configs/fashionmnist_cnn_rmsprop_apo.yaml"), "--output", folder, "--overwrite",
               "--progress", "off", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    summary = json.loads((pathlib.Path(folder) / "timed/summary.json").read_text())
    return 1000 / summary["steps_per_second"], summary["peak_memory_bytes"] / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2400, help="K-FAC decomposes often in its first 200")
    parser.add_argument("--json", help="also write the numbers to this file")
    options = parser.parse_args()
    results = []
    print("| what | variant | ms a step (median; spread) | ratio | peak memory, MiB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for group, variants in GROUPS.items():
            measured = {name: [] for name, _ in variants}
            for _ in range(options.rounds):
                for name, settings in variants:
                    measured[name].append(run(settings, options.steps, folder))
            first = statistics.median(t for t, _ in measured[variants[0][0]])
            for name, _ in variants:
                times = [t for t, _ in measured[name]]
                median, memory = statistics.median(times), max(m for _, m in measured[name])
                results.append({"group": group, "variant": name, "milliseconds": times, "median": median,
                                "ratio": median / first, "peak_memory_mib": memory})
                print(f"| {group} | {name} | {median:.1f} ({min(times):.1f}–{max(times):.1f}) | {median / first:.2f} | {memory:.0f} |")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
