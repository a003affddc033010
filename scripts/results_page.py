#!/usr/bin/env python3
"""Writes docs/results.md from the runs of scripts/results.sh: scripts/results_page.py FOLDER > docs/results.md"""

import json
import pathlib
import sys

import usage


class Runs:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def trace(self, name):
        return json.loads((self.folder / name / "trace.json").read_text())

    def summary(self, name):
        return json.loads((self.folder / name / "summary.json").read_text())

    def at_epoch(self, name, epoch, column="train_loss"):
        return self.trace(name)["epochs"][column][epoch - 1]


def number(value):
    return f"{value:.2g}" if value < 1e-3 else f"{value:.4f}".rstrip("0")


def verdict(holds):
    return "yes" if holds else "**no**"


def mnist(runs):
    """Rows: claim, measured, whether it holds."""
    apo = runs.at_epoch("mnist_rmsprop_apo", 25)
    accuracy = runs.at_epoch("mnist_rmsprop_apo", 25, "test_accuracy")
    fixed = runs.at_epoch("mnist_rmsprop_fixed", 15)
    sgd, sgd_fixed = runs.at_epoch("mnist_sgd_apo", 6), runs.at_epoch("mnist_sgd_fixed", 6)
    return [
        ("RMSprop-APO λ 1e-5 from η 1e-4, 25 epochs: training loss below 1e-4", number(apo), apo < 1e-4),
        ("the same: test accuracy at least 98.4 %", f"{100 * accuracy:.2f} %", accuracy >= 0.984),
        ("RMSprop fixed at 1e-4, 15 epochs: training loss still above 1e-3", number(fixed), fixed > 1e-3),
        ("SGD-APO λ 1e-3 from η 0.1, 6 epochs: training loss below 0.012", number(sgd), sgd < 0.012),
        ("SGD fixed at 0.1, 6 epochs, for comparison", number(sgd_fixed), sgd < sgd_fixed),
    ]


def narrow(runs):
    for dataset in ("cifar10", "cifar100", "svhn"):
        fit = runs.trace(f"narrow_{dataset}_fit")["epochs"]
        first = next((e for e, loss in zip(fit["epoch"], fit["train_loss"]) if loss < 0.1), None)
        fell = f"epoch {first}" if first else "not in " + str(fit["epoch"][-1])
        losses = {way: runs.trace(f"narrow_{dataset}_{way}")["epochs"]["train_loss"] for way in ("apo", "fixed")}
        rises = {way: sum(b > a for a, b in zip(column, column[1:])) for way, column in losses.items()}
        yield (dataset, fell, number(fit["train_loss"][-1]),
               *(f"{number(losses[way][0])} → {number(losses[way][-1])}, {rises[way]}" for way in ("apo", "fixed")))


def main():
    runs = Runs(*usage.words(__doc__, 1, 1))
    environment = runs.trace("mnist_rmsprop_apo")["environment"]
    timing = runs.summary("mnist_rmsprop_apo")
    print("# Results\n")
    print("Written by `scripts/results.sh`, which trains every run named here. APO in the paper's form (`tuner.form: paper`); for the robust default see [ablations.md](ablations.md). Training losses are means over an epoch's steps.\n")
    print(f"Machine: {environment['device']}, {environment['threads']} threads, LibTorch {environment['libtorch']}.\n")
    print("## MNIST, MLP 784-1000-1000-10, batch 100\n")
    print("| claim | measured | holds |\n|---|---|---|")
    for claim, measured, holds in mnist(runs):
        print(f"| {claim} | {measured} | {verdict(holds)} |")
    print(f"\nMeta steps took {100 * timing['meta_share']:.0f} % of the RMSprop-APO run's training time "
          f"({timing['steps_per_second']:.0f} steps a second in all).\n")
    print("## Narrow ResNets (width 8), without augmentation\n")
    print("ResNet-34 with SGD from η 0.1 on CIFAR, ResNet-18 with RMSprop from η 1e-4 on SVHN; λ 0.001, for CIFAR-100 0.01 (at 0.001 its rate runs away). *Fitted*: when the training loss on "
          "500 examples falls below 0.1. *Falls*: the training loss of the first → the tenth epoch on 4,000 examples (SVHN: at most as many "
          "as the copy at hand holds), and how often it rose from one epoch to the next.\n")
    print("| data set | fitted at | loss at the end | falls with APO | falls with the fixed rate |\n|---|---|---|---|---|")
    for row in narrow(runs):
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
