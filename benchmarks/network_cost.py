#!/usr/bin/env python3
"""What sums over ranks cost on networks of limited speed: network_cost.py OUTPUT.json; called by scripts/benchmark.sh network, as root.

Machines are network namespaces with cards of 100 to 400 Mbit/s, one rank on each, over MPI and over Gloo. Measured are sums alone (apo-all-reduce), and
the steps of a run with a fixed rate whose gradients are summed. scripts/paper fits the model of docs/scaling.md to the first and holds it against the second.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile

import compare  # noqa: F401, which finds paper
import network
import ranks
from paper import machine

ENGINES = ("MPI", "Gloo")
TOTAL = 4 << 20  # bytes, as four buckets of 1 MB
MESSAGES = (0, 64 << 10, 256 << 10, 1 << 20, 4 << 20)
MEGABITS = (100, 200, 400)
ROUNDS = 3
STEPS = 10


def sums(engine, machines, megabits):
    with network.Network(machines, megabits) as net:
        said = json.loads(net.run([os.environ["APO_ALL_REDUCE"], ROUNDS, TOTAL, *MESSAGES], engine).splitlines()[-1])
    return [{"engine": engine, "machines": machines, "megabits": megabits, "bytes": case["bytes"], "messages": case["messages"],
             "seconds": statistics.median(case["seconds"])} for case in said["cases"]]


def steps(folder, engine, machines, megabits):
    """Seconds a step of the MLP of benchmarks/ranks.py, and of these what the first rank waited; one rank's where there is one machine."""
    command = ranks.command(folder, STEPS, 1)
    with network.Network(machines, megabits) as net:
        net.run(command, engine)
    summary = json.loads((folder / "runs/ranks/summary.json").read_text())
    waiting = summary.get("ranks", {}).get("waiting_seconds", 0) / STEPS
    return {"engine": engine, "machines": machines, "megabits": megabits, "seconds": 1 / summary["steps_per_second"], "waiting": waiting}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=pathlib.Path)
    output = parser.parse_args().output
    result = {"processor": machine.device_name(), "cores": len(os.sched_getaffinity(0)), "total": TOTAL, "sums": [], "steps": []}
    for engine in ENGINES:
        for megabits in MEGABITS:
            for machines in range(2, 9):
                result["sums"] += sums(engine, machines, megabits)
                print(f"{engine}, {megabits} Mbit/s, {machines} machines:",
                      *(f"{case['bytes']}: {case['seconds']:.3f} s" for case in result["sums"][-len(MESSAGES):]), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ranks.write_config(folder)
        for engine in ENGINES:
            for megabits, counts in ((0, (1, 2, 4, 8)), *((speed, (2, 4, 8)) for speed in MEGABITS)):
                for machines in counts:
                    step = steps(folder, engine, machines, megabits)
                    result["steps"].append(step)
                    print(f"{engine}, {megabits} Mbit/s, {machines} machines: {step['seconds']:.3f} s a step, {step['waiting']:.3f} s of it waiting", flush=True)
    output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
