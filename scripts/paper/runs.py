"""Runs, read from their folders; and what results/ keeps of them."""

import json
import math
import pathlib
import sys

POINTS = 120  # of a kept curve
KEPT = {
    "summary": ("status", "message", "steps", "wall_seconds", "final"),
    "environment": ("device", "libtorch", "threads", "commit"),
    "epochs": ("epoch", "step", "train_loss", "test_loss", "test_accuracy", "learning_rate", "wall_seconds"),
    "steps": ("step", "loss", "learning_rate"),
}


def read(path):
    """A file of JSON; ends the program in one line where there is none."""
    try:
        return json.loads(pathlib.Path(path).read_text())
    except FileNotFoundError:
        sys.exit(f"{path}: no such file; the folder of a finished run is accepted")
    except (OSError, ValueError) as error:
        sys.exit(f"{path}: cannot be read: {error}")


class Runs:
    """The finished runs of a folder, by their names."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def summary(self, name):
        return read(self.folder / name / "summary.json")

    def trace(self, name):
        return read(self.folder / name / "trace.json")

    def column(self, name, column="train_loss"):
        """Of each epoch."""
        return self.trace(name)["epochs"][column]

    def final(self, name):
        """The last epoch's training loss; infinite where the run diverged."""
        return math.inf if self.summary(name)["status"] == "diverged" else self.column(name)[-1]


def labelled(word):
    """(label, trace) of [LABEL=]RUN_FOLDER."""
    splits = [(word[:i], word[i + 1:]) for i, letter in enumerate(word) if letter == "="]
    label, folder = next((split for split in splits if pathlib.Path(split[1]).is_dir()), splits[0] if splits else ("", word))
    if not splits or pathlib.Path(word).is_dir():  # a grid's folders have '=' in their names
        folder, label = word, pathlib.Path(word).resolve().name
    return label, Runs(folder).trace("")


def at_most(values, points):
    """Every n-th, so that there are about that many."""
    return values[:: max(1, len(values) // points)]


def rounded(value):
    """Numbers to four digits, also in lists and dictionaries."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def thinned(columns):
    """At most POINTS rows and a last one."""
    length = len(next(iter(columns.values())))
    rows = sorted({*range(0, length, max(1, math.ceil(length / POINTS))), *([length - 1] if length else [])})
    return {key: rounded([values[i] for i in rows]) for key, values in columns.items()}


def folders(root):
    """Of runs; a population counts as one, not as its members."""
    found = [file.parent for file in sorted(pathlib.Path(root).rglob("summary.json"))]
    return [folder for folder in found if not (folder.parent / "population.json").exists()]


def kept(folder):
    """What is kept of a run. A population is told by its best member's trace, and its wall_seconds are those of all."""
    summary, traced, members = read(folder / "summary.json"), folder, None
    if (folder / "population.json").exists():
        members = read(folder / "population.json")["runs"]
        traced = folder / members[0]["folder"]
    trace = read(traced / "trace.json")
    run = {key: summary.get(key) for key in KEPT["summary"]}
    if members:
        run["members"] = len(members)
    run["environment"] = {key: trace["environment"].get(key) for key in KEPT["environment"]}
    for part in ("epochs", "steps"):
        run[part] = thinned({key: trace[part][key] for key in KEPT[part]})
    run["hyperparameters"] = {name: thinned(columns) for name, columns in trace["hyperparameters"].items() if name != "learning_rate"}
    return run


def final_loss(run):
    """Of a kept run: the exact objective of a toy, else the mean loss of the last epoch's steps; infinite where it diverged."""
    epochs = run["epochs"]
    if run["status"] == "diverged" or not epochs["step"]:
        return math.inf
    supervised = any(a is not None for a in epochs["test_accuracy"])
    loss = epochs["train_loss" if supervised else "test_loss"][-1]
    return math.inf if loss is None else loss


def configuration(name):
    """The name of a run without its seed."""
    config, _, label = name.partition("/")
    rest = ",".join(part for part in label.split(",") if not part.startswith("seed="))
    return f"{config}/{rest}" if rest else config


def by_configuration(runs):
    """The runs of each configuration, which differ in their seeds."""
    groups = {}
    for name, run in runs.items():
        groups.setdefault(configuration(name), []).append(run)
    return groups
