#!/usr/bin/env python3
"""Writes docs/ablations.md from the runs of scripts/ablations.sh: scripts/ablations_page.py FOLDER > docs/ablations.md"""

import json
import math
import pathlib
import statistics
import sys

import usage

RATES = ["auto", "1e-1", "1e-2", "1e-3", "1e-5", "1e-7"]
LAMBDAS = ["1e-2", "1e-3", "1e-4"]


class Runs:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def summary(self, name):
        path = self.folder / name / "summary.json"
        if not path.exists():
            sys.exit(f"{path} is missing: scripts/ablations.sh makes it")
        return json.loads(path.read_text())

    def epochs(self, name):
        self.summary(name)
        return json.loads((self.folder / name / "trace.json").read_text())["epochs"]

    def losses(self, name):
        """Training loss of each epoch."""
        return self.epochs(name)["train_loss"]

    def final(self, name):
        """The last epoch's training loss; infinite where the run diverged."""
        return math.inf if self.summary(name)["status"] == "diverged" else self.losses(name)[-1]


def number(value):
    if value is None:  # not part of the plan
        return "–"
    if math.isinf(value):
        return "diverged"
    return f"{value:.2g}" if value < 1e-3 else f"{value:.4f}"


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def robustness(runs):
    print("## From any initial learning rate\n")
    print("MNIST, MLP 784-1000-1000-10, 5 epochs, interval 10, squared Euclidean discrepancy; λ 1e-5 for RMSprop, 1e-3 for SGD and Adam, "
          "0.1 for SGDm. Training loss of the fifth epoch.\n")
    rows = []
    for optimizer in ("rmsprop", "sgd", "sgdm", "adam"):
        found = {rate: runs.final(f"robustness_robust_{optimizer}_{rate}") for rate in RATES}
        worst = max(found.values()) / min(found.values())
        rows.append([optimizer, "robust", *(number(found[rate]) for rate in RATES), f"{worst:.2f}"])
    paper = {rate: runs.final(f"robustness_paper_rmsprop_{rate}") for rate in ("1e-1", "1e-2", "1e-7")}
    rows.append(["rmsprop", "paper", *(number(paper.get(rate)) for rate in RATES), ""])
    table(["optimizer", "`tuner.form`", *(f"from {rate}" for rate in RATES), "worst / best"], rows)


def momentum(runs):
    print("## Momentum: ignored by the meta step, or looked through\n")
    print("MNIST MLP, 5 epochs, `tuner.through_momentum`; training loss of the fifth epoch, η at its end.\n")
    rows = []
    for optimizer, start, lambdas in (("sgdm", "0.01", ("1e-1",)), ("adam", "0.001", ("1e-3",))):
        for lam in lambdas:
            cells = []
            for way in ("false", "true"):
                name = f"momentum_{optimizer}_{way}_{lam}"
                cells.append(f"{number(runs.final(name))} (η {runs.epochs(name)['learning_rate'][-1]:.2g})")
            rows.append([f"{optimizer} from {start}", lam, *cells])
    table(["optimizer", "λ", "ignored", "looked through"], rows)


def hyperparameters(runs):
    print("## RMSprop: η alone, and {η, ρ, ε} together\n")
    rows = []
    for name, label in (("one", "η"), ("three", "η, ρ, ε")):
        seeds = [runs.losses(f"hyperparameters_{name}_{seed}") for seed in range(3)]
        by_epoch = list(zip(*seeds))
        spread = statistics.mean(statistics.stdev(losses) for losses in by_epoch)
        share = statistics.mean(statistics.stdev(losses) / statistics.mean(losses) for losses in by_epoch)
        rows.append([label, *(number(statistics.mean(losses)) for losses in by_epoch), f"{spread:.4f} ({100 * share:.1f} %)"])
    print("Mean training loss of each epoch over 3 seeds, RMSprop from 1e-4, λ 1e-5. Spread: standard deviation over the seeds (as a share "
          "of their mean), averaged over the epochs.\n")
    table(["tuned", *(f"epoch {e + 1}" for e in range(len(rows[0]) - 2)), "spread"], rows)


def layers(runs):
    print("## One rate, or one per layer\n")
    print("MNIST MLP, 5 epochs; training loss of the fifth, and its ratio to the global one. Per layer: interval 5.\n")
    rows = []
    for label, whole_name, parts_name in (
            ("sgd from 0.1, λ 1e-3", "layers_sgd_global", "layers_sgd_per_layer"),
            ("rmsprop from 1e-4, λ 1e-5", "layers_rmsprop_global", "layers_rmsprop_per_layer"),
            ("rmsprop from auto, λ 1e-5", "robustness_robust_rmsprop_auto", "layers_rmsprop_per_layer_auto")):
        whole = runs.final(whole_name)
        parts = (runs.final(parts_name), runs.final(parts_name + "_slow"))
        rows.append([label, number(whole), *(f"{number(loss)} ({loss / whole:.2f})" for loss in parts)])
    table(["optimizer", "global", "per layer, meta rate 0.03 (default)", "per layer, meta rate 0.001 (paper)"], rows)


def discrepancies(runs):
    print("## Discrepancies, and the λ that each of them needs\n")
    print("SGD from 0.1, 5 epochs; training loss of the fifth.\n")
    rows = []
    for name in ("squared_euclidean", "bregman", "kl"):
        losses = [runs.final(f"discrepancies_{name}_{lam}") for lam in LAMBDAS]
        best = LAMBDAS[losses.index(min(losses))]
        rows.append([name, *(number(loss) for loss in losses), best])
    table(["discrepancy", *(f"λ {lam}" for lam in LAMBDAS), "best λ"], rows)


KFAC_RUNS = {
    "apo_both_bounded": "K-FAC-APO on η and γ, λ 0.1, γ ≥ 5e-4",
    "fixed_1e-1": "K-FAC, η 0.1",
    "fixed_1e-2": "K-FAC, η 0.01",
    "fixed_1e-3": "K-FAC, η 0.001",
    "fixed_1e-4": "K-FAC, η 1e-4",
    "rmsprop_apo_1e-2": "RMSprop-APO, λ 0.01",
}


def kfac(runs):
    print("## K-FAC on Fashion-MNIST (paper, Fig. 7d)\n")
    print("CNN with 16 and 32 filters of size 5, batch 100, 10 epochs; damping γ from 1e-3. Training loss.\n")
    rows, finals = [], {}
    for name, label in KFAC_RUNS.items():
        losses = runs.losses(f"kfac_{name}")
        finals[name] = runs.final(f"kfac_{name}")
        accuracy = [a for a in runs.epochs(f"kfac_{name}")["test_accuracy"] if a is not None]
        rate = runs.epochs(f"kfac_{name}")["learning_rate"] or [None]
        cells = [number(losses[e - 1]) if len(losses) >= e else "–" for e in (1, 2, 5)]
        rows.append([label, *cells, number(finals[name]), f"{100 * max(accuracy):.1f} %" if accuracy else "–",
                     f"{rate[-1]:.2g}" if rate[-1] else "–"])
    table(["run", "epoch 1", "2", "5", "10", "best test accuracy", "η at the end"], rows)
    print("![Training loss, test accuracy and learning rate](images/kfac.svg)\n")
    best = min(loss for name, loss in finals.items() if name.startswith("fixed"))
    holds = finals["apo_both_bounded"] < best < finals["rmsprop_apo_1e-2"]
    print(f"The paper's order, K-FAC-APO below K-FAC with its best fixed rate below RMSprop-APO: {'holds' if holds else '**does not hold**'}.\n")


def main():
    runs = Runs(*usage.words(__doc__, 1, 1))
    print("# Variants of the method, measured\n")
    print("Written by `scripts/ablations.sh`, which trains every run named here. Losses are means over an epoch's steps.\n")
    for part in (robustness, kfac, momentum, hyperparameters, layers, discrepancies):
        part(runs)


if __name__ == "__main__":
    main()
