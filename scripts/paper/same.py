"""Whether folders hold the same runs to the bit, seconds aside."""

import json
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


def ranking(folder):
    """What a grid.json says but for seconds; of a folder without one nothing."""
    file = folder / "grid.json"
    grid = json.loads(file.read_text()) if file.exists() else {"runs": []}
    for row in grid["runs"]:
        del row["wall_seconds"]
    return grid


def compare_collected(root, other):
    """Two grids, the second of which may still go on: whether the runs that it ranks are those of the first, and all others are left."""
    root, other = pathlib.Path(root), pathlib.Path(other)
    whole, part = ranking(root), ranking(other)
    rows = {row["label"]: {**row, "rank": 0} for row in whole["runs"]}
    for row in part["runs"]:
        if {**row, "rank": 0} != rows[row["label"]]:
            sys.exit(f"{root} and {other} differ: grid.json: {row['label']}")
    if sorted(rows) != sorted([row["label"] for row in part["runs"]] + part["left"]):
        sys.exit(f"{root} and {other} do not hold the same runs")


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
    if ranking(root) != ranking(other):
        sys.exit(f"{root} and {other} differ: grid.json")
