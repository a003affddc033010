#!/usr/bin/env python3
"""Two ranks on two cores beside one rank with two threads, and PyTorch's DistributedDataParallel (Gloo) beside both.

Usage: benchmarks/ranks.py OUTPUT.json [--rounds N] [--steps N]; called by scripts/benchmark.sh ranks
Environment: APO_TRAIN, the program, with MPI; PEER_PYTHON, a Python with PyTorch (without it its rows are left out).

An MLP 784-1000-1000-10 on pictures made up, batch 512, Adam at a fixed rate, float32. Steps per second are of the whole run but its start: those of
the trace of ours, those of a loop after ten steps of theirs. Rounds alternate.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import compare  # noqa: F401, which finds paper
from paper import machine

PEER = r'''
import os, sys, time, torch
import torch.distributed as dist
ranks, steps = int(os.environ.get("WORLD_SIZE", 1)), int(sys.argv[1])
torch.set_num_threads(2 // ranks)
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(784, 1000), torch.nn.ReLU(), torch.nn.Linear(1000, 1000), torch.nn.ReLU(), torch.nn.Linear(1000, 10))
if ranks > 1:
    dist.init_process_group("gloo")
    net = torch.nn.parallel.DistributedDataParallel(net)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
x, y = torch.randn(512 // ranks, 784), torch.randint(10, (512 // ranks,))
for step in range(steps + 10):
    if step == 10:
        begun = time.perf_counter()
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(x), y).backward()
    optimizer.step()
if int(os.environ.get("RANK", 0)) == 0:
    print(steps / (time.perf_counter() - begun))
'''


def write_config(folder):
    (folder / "ranks.yaml").write_text(
        "dataset: {name: synthetic, train_examples: 5120, test_examples: 100, batch_size: 512}\nmodel: {name: mlp}\n"
        "optimizer: {name: adam, learning_rate: 1e-3, schedule: {name: none}}\ntuner: {name: constant}\n"
        "train: {evaluate_every: 1000000, checkpoint_every: 0}\n")


def command(folder, steps, threads, *words):
    return [os.environ["APO_TRAIN"], "--set", "name=ranks", "--config", str(folder / "ranks.yaml"), "--output", str(folder / "runs"), "--overwrite",
            "--progress", "off", "--set", f"train.steps={steps}", "--set", f"threads={threads}", *words]


def ours(folder, ranks, steps, *words):
    """Milliseconds a step, and the share of the time that the first rank stood waiting for the others."""
    words = command(folder, steps, 2 // ranks, *words)
    if ranks > 1:
        words = ["mpirun", "--bind-to", "core", "-n", str(ranks), *words]
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    subprocess.run(words, check=True, env=environment, capture_output=True)
    summary = json.loads((folder / "runs/ranks/summary.json").read_text())
    return 1000 / summary["steps_per_second"], summary.get("ranks", {}).get("waiting_seconds", 0) / summary["wall_seconds"]


def theirs(folder, ranks, steps):
    (folder / "peer.py").write_text(PEER)
    python = os.environ["PEER_PYTHON"]
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", str(ranks)] if ranks > 1 else []
    said = subprocess.run([python, *launch, str(folder / "peer.py"), str(steps)], check=True, capture_output=True, text=True).stdout
    return 1000 / float(said.split()[-1]), None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    apo = ("--set", "tuner={name: apo}")
    cases = {"constant, 1 rank": lambda f: ours(f, 1, options.steps), "constant, 2 ranks": lambda f: ours(f, 2, options.steps),
             "APO, 1 rank": lambda f: ours(f, 1, options.steps, *apo), "APO, 2 ranks": lambda f: ours(f, 2, options.steps, *apo)}
    if os.environ.get("PEER_PYTHON"):
        cases |= {"PyTorch, 1 process": lambda f: theirs(f, 1, options.steps), "PyTorch DDP, 2 processes": lambda f: theirs(f, 2, options.steps)}
    measured = {name: {"milliseconds": [], "waiting": []} for name in cases}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_config(folder)
        for _ in range(options.rounds):
            for case, run in cases.items():
                milliseconds, waiting = run(folder)
                measured[case]["milliseconds"].append(milliseconds)
                if waiting is not None:
                    measured[case]["waiting"].append(waiting)
                print(f"{case:<26} {milliseconds:7.2f} ms a step", flush=True)
    result = {"processor": machine.device_name(), "steps": options.steps, "cases": measured}
    options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
