#!/usr/bin/env python3
"""Whether two run folders, or two grids or populations of them, hold the same run to the bit; seconds aside.

    scripts/same_run.py FOLDER OTHER

Exit code 1 and a line about the first difference where they do not.
"""

import json
import pathlib
import sys

import usage

COLUMNS = ("steps", "meta", "epochs", "hyperparameters", "rollbacks")


def columns(folder):
    trace = json.loads((folder / "trace.json").read_text())
    trace["epochs"].pop("wall_seconds")
    return {key: trace.get(key) for key in COLUMNS}


def difference(folder, other):
    """The first difference of two runs, or None."""
    if (folder / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes():
        return "model.safetensors"
    mine, theirs = columns(folder), columns(other)
    return next((f"trace.json: {key}" for key in COLUMNS if mine[key] != theirs[key]), None)


def main():
    root, other = map(pathlib.Path, usage.words(__doc__, 2, 2))
    runs = sorted(file.parent.relative_to(root) for file in root.rglob("model.safetensors"))
    if not runs or runs != sorted(file.parent.relative_to(other) for file in other.rglob("model.safetensors")):
        sys.exit(f"{root} and {other} do not hold the same runs")
    for run in runs:
        found = difference(root / run, other / run)
        if found:
            sys.exit(f"{root / run} and {other / run} differ: {found}")


if __name__ == "__main__":
    main()
