#!/usr/bin/env python3
"""What sums over ranks cost on networks of limited speed: network_cost.py OUTPUT.json; called by scripts/benchmark.sh network, as root.

Machines are network namespaces with cards of 100 to 400 Mbit/s, one rank on each. Measured are sums alone (apo-all-reduce), and the steps of a run with a
fixed rate whose gradients are summed. scripts/paper fits the model of docs/scaling.md to the first and holds it against the second.
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

TOTAL = 4 << 20  # bytes, as four buckets of 1 MB
MESSAGES = (0, 64 << 10, 256 << 10, 1 << 20, 4 << 20)
MEGABITS = (100, 200, 400)
ROUNDS = 5
STEPS = 10


def sums(machines, megabits):
    with network.Network(machines, megabits) as net:
        said = json.loads(net.run([os.environ["APO_ALL_REDUCE"], ROUNDS, TOTAL, *MESSAGES], timeout=600).splitlines()[-1])
    return [{"machines": machines, "megabits": megabits, "bytes": case["bytes"], "messages": case["messages"],
             "seconds": statistics.median(case["seconds"])} for case in said["cases"]]


def steps(folder, machines, megabits):
    """Seconds a step of the MLP of benchmarks/ranks.py, and what the first rank has sent and waited for."""
    command = ranks.command(folder, STEPS, 1)
    with network.Network(machines, megabits) as net:
        net.run(command, timeout=600)
    summary = json.loads((folder / "runs/ranks/summary.json").read_text())
    waiting = summary["ranks"]["waiting_seconds"] / STEPS
    return {"machines": machines, "megabits": megabits, "seconds": 1 / summary["steps_per_second"], "waiting": waiting}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=pathlib.Path)
    output = parser.parse_args().output
    result = {"processor": machine.device_name(), "cores": len(os.sched_getaffinity(0)), "total": TOTAL, "sums": [], "steps": []}
    for megabits in MEGABITS:
        for machines in range(2, 9):
            result["sums"] += sums(machines, megabits)
            print(f"{megabits} Mbit/s, {machines} machines:", *(f"{case['bytes']}: {case['seconds']:.3f} s" for case in result["sums"][-len(MESSAGES):]), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ranks.write_config(folder)
        for megabits in (0, *MEGABITS):
            for machines in (2, 4, 8):
                result["steps"].append(steps(folder, machines, megabits))
                print(f"{megabits} Mbit/s, {machines} machines: {result['steps'][-1]['seconds']:.3f} s a step", flush=True)
    output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
