#!/usr/bin/env python3
"""Draws training loss, test accuracy and learning rate of runs, from their trace.json, into one SVG or PNG.

    scripts/plot_traces.py OUTPUT.svg LABEL=RUN_FOLDER …

Needs python3-matplotlib.
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

# Okabe and Ito's colours, told apart by colour-blind readers too.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]


def draw(output, runs):
    pyplot.rcParams.update({"svg.hashsalt": "apo-train", "font.size": 9, "axes.spines.top": False,
                            "axes.spines.right": False})
    figure, (loss, accuracy, rate) = pyplot.subplots(1, 3, figsize=(10, 3), constrained_layout=True)
    for colour, (label, folder) in zip(COLOURS, runs):
        trace = json.loads((pathlib.Path(folder) / "trace.json").read_text())
        epochs, steps = trace["epochs"], trace["steps"]
        per_epoch = epochs["step"][0]
        loss.semilogy(epochs["epoch"], epochs["train_loss"], color=colour, label=label)
        accuracy.plot(epochs["epoch"], [100 * a if a is not None else None for a in epochs["test_accuracy"]],
                      color=colour)
        thinned = range(0, len(steps["step"]), max(1, len(steps["step"]) // 1000))
        rate.semilogy([steps["step"][i] / per_epoch for i in thinned],
                      [steps["learning_rate"][i] for i in thinned], color=colour)
    for axes, title in ((loss, "training loss"), (accuracy, "test accuracy, %"), (rate, "learning rate")):
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.25)
    loss.legend(frameon=False)
    figure.savefig(output, metadata={"Date": None} if output.endswith(".svg") else None, dpi=110)


def main():
    if len(sys.argv) < 3 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__.strip())
    draw(sys.argv[1], [argument.rsplit("=", 1) for argument in sys.argv[2:]])


if __name__ == "__main__":
    main()
