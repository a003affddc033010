"""Whether folders hold the same runs to the bit, seconds aside."""

import pathlib
import sys

from paper.runs import Runs

COLUMNS = ("steps", "meta", "epochs", "hyperparameters", "rollbacks")


def columns(folder):
    trace = Runs(folder).trace("")
    trace["epochs"].pop("wall_seconds")
    return {key: trace.get(key) for key in COLUMNS}


def difference(folder, other):
    """The first difference of two runs, or None."""
    for name in ("model.safetensors", "model_average.safetensors"):
        mine, theirs = (at / name for at in (folder, other))
        if mine.exists() != theirs.exists() or (mine.exists() and mine.read_bytes() != theirs.read_bytes()):
            return name
    mine, theirs = columns(folder), columns(other)
    return next((f"trace.json: {key}" for key in COLUMNS if mine[key] != theirs[key]), None)


def compare(root, other):
    """Two run folders, or two grids or populations of them; ends with a line about the first difference."""
    root, other = pathlib.Path(root), pathlib.Path(other)
    found = sorted(file.parent.relative_to(root) for file in root.rglob("model.safetensors"))
    if not found or found != sorted(file.parent.relative_to(other) for file in other.rglob("model.safetensors")):
        sys.exit(f"{root} and {other} do not hold the same runs")
    for run in found:
        what = difference(root / run, other / run)
        if what:
            sys.exit(f"{root / run} and {other / run} differ: {what}")
