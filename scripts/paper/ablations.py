"""docs/ablations.md and its picture, from the runs of scripts/ablations.sh."""

import math
import statistics

from paper import DOCS, plots
from paper.tables import number, table

RATES = ["auto", "1e-1", "1e-2", "1e-3", "1e-5", "1e-7"]
LAMBDAS = ["1e-2", "1e-3", "1e-4"]


def shown(loss):
    return "diverged" if loss == math.inf else number(loss)


def robustness(runs):
    yield "## From any initial learning rate\n"
    yield ("MNIST, MLP 784-1000-1000-10, 5 epochs, interval 10, squared Euclidean discrepancy; λ 1e-5 for RMSprop, 1e-3 for SGD and Adam, "
          "0.1 for SGDm. Training loss of the fifth epoch.\n")
    rows = []
    for optimizer in ("rmsprop", "sgd", "sgdm", "adam"):
        found = {rate: runs.final(f"robustness_robust_{optimizer}_{rate}") for rate in RATES}
        worst = max(found.values()) / min(found.values())
        rows.append([optimizer, "robust", *(shown(found[rate]) for rate in RATES), f"{worst:.2f}"])
    paper = {rate: runs.final(f"robustness_paper_rmsprop_{rate}") for rate in ("1e-1", "1e-2", "1e-7")}
    rows.append(["rmsprop", "paper", *(shown(paper.get(rate)) for rate in RATES), ""])
    yield table(["optimizer", "`tuner.form`", *(f"from {rate}" for rate in RATES), "worst / best"], rows) + "\n"


def momentum(runs):
    yield "## Momentum: ignored by the meta step, or looked through\n"
    yield "MNIST MLP, 5 epochs, `tuner.through_momentum`; training loss of the fifth epoch, η at its end.\n"
    rows = []
    for optimizer, start, lam in (("sgdm", "0.01", "1e-1"), ("adam", "0.001", "1e-3")):
        names = [f"momentum_{optimizer}_{way}_{lam}" for way in ("false", "true")]
        cells = [f"{shown(runs.final(name))} (η {runs.column(name, 'learning_rate')[-1]:.2g})" for name in names]
        rows.append([f"{optimizer} from {start}", lam, *cells])
    yield table(["optimizer", "λ", "ignored", "looked through"], rows) + "\n"


def hyperparameters(runs):
    yield "## RMSprop: η alone, and {η, ρ, ε} together\n"
    rows = []
    for name, label in (("one", "η"), ("three", "η, ρ, ε")):
        seeds = [runs.column(f"hyperparameters_{name}_{seed}") for seed in range(3)]
        by_epoch = list(zip(*seeds))
        spread = statistics.mean(statistics.stdev(losses) for losses in by_epoch)
        share = statistics.mean(statistics.stdev(losses) / statistics.mean(losses) for losses in by_epoch)
        rows.append([label, *(shown(statistics.mean(losses)) for losses in by_epoch), f"{spread:.4f} ({100 * share:.1f} %)"])
    yield ("Mean training loss of each epoch over 3 seeds, RMSprop from 1e-4, λ 1e-5. Spread: standard deviation over the seeds (as a share "
          "of their mean), averaged over the epochs.\n")
    yield table(["tuned", *(f"epoch {e + 1}" for e in range(len(rows[0]) - 2)), "spread"], rows) + "\n"


def layers(runs):
    yield "## One rate, or one per layer\n"
    yield "MNIST MLP, 5 epochs; training loss of the fifth, and its ratio to the global one. Per layer: interval 5.\n"
    rows = []
    for label, whole_name, parts_name in (
            ("sgd from 0.1, λ 1e-3", "layers_sgd_global", "layers_sgd_per_layer"),
            ("rmsprop from 1e-4, λ 1e-5", "layers_rmsprop_global", "layers_rmsprop_per_layer"),
            ("rmsprop from auto, λ 1e-5", "robustness_robust_rmsprop_auto", "layers_rmsprop_per_layer_auto")):
        whole = runs.final(whole_name)
        parts = (runs.final(parts_name), runs.final(parts_name + "_slow"))
        rows.append([label, shown(whole), *(f"{shown(loss)} ({loss / whole:.2f})" for loss in parts)])
    yield table(["optimizer", "global", "per layer, meta rate 0.03 (default)", "per layer, meta rate 0.001 (paper)"], rows) + "\n"


def discrepancies(runs):
    yield "## Discrepancies, and the λ that each of them needs\n"
    yield "SGD from 0.1, 5 epochs; training loss of the fifth.\n"
    rows = []
    for name in ("squared_euclidean", "bregman", "kl"):
        losses = [runs.final(f"discrepancies_{name}_{lam}") for lam in LAMBDAS]
        best = LAMBDAS[losses.index(min(losses))]
        rows.append([name, *(shown(loss) for loss in losses), best])
    yield table(["discrepancy", *(f"λ {lam}" for lam in LAMBDAS), "best λ"], rows) + "\n"


KFAC_RUNS = {
    "apo_both_bounded": "K-FAC-APO on η and γ, λ 0.1, γ ≥ 5e-4",
    "fixed_1e-1": "K-FAC, η 0.1",
    "fixed_1e-2": "K-FAC, η 0.01",
    "fixed_1e-3": "K-FAC, η 0.001",
    "fixed_1e-4": "K-FAC, η 1e-4",
    "rmsprop_apo_1e-2": "RMSprop-APO, λ 0.01",
}


def kfac(runs):
    yield "## K-FAC on Fashion-MNIST (paper, Fig. 7d)\n"
    yield "CNN with 16 and 32 filters of size 5, batch 100, 10 epochs; damping γ from 1e-3. Training loss.\n"
    rows, finals = [], {}
    for name, label in KFAC_RUNS.items():
        losses = runs.column(f"kfac_{name}")
        finals[name] = runs.final(f"kfac_{name}")
        accuracy = [a for a in runs.column(f"kfac_{name}", "test_accuracy") if a is not None]
        rate = runs.column(f"kfac_{name}", "learning_rate") or [None]
        cells = [shown(losses[e - 1]) if len(losses) >= e else "–" for e in (1, 2, 5)]
        rows.append([label, *cells, shown(finals[name]), f"{100 * max(accuracy):.1f} %" if accuracy else "–",
                     f"{rate[-1]:.2g}" if rate[-1] else "–"])
    yield table(["run", "epoch 1", "2", "5", "10", "best test accuracy", "η at the end"], rows) + "\n"
    yield "![Training loss, test accuracy and learning rate](images/kfac.svg)\n"
    best = min(loss for name, loss in finals.items() if name.startswith("fixed"))
    holds = finals["apo_both_bounded"] < best < finals["rmsprop_apo_1e-2"]
    yield f"The paper's order, K-FAC-APO below K-FAC with its best fixed rate below RMSprop-APO: {'holds' if holds else '**does not hold**'}.\n"


def page(runs):
    parts = (part for section in (robustness, kfac, momentum, hyperparameters, layers, discrepancies) for part in section(runs))
    return "\n".join([
        "# Variants of the method, measured\n",
        "Written by `scripts/ablations.sh`, which trains every run named here. Losses are means over an epoch's steps.\n", *parts]) + "\n"


def write(runs):
    (DOCS / "ablations.md").write_text(page(runs))
    plots.curves(DOCS / "images/kfac.svg", [(label, runs.trace(name)) for label, name in (
        ("K-FAC, 1e-3", "kfac_fixed_1e-3"), ("K-FAC-APO", "kfac_apo_both_bounded"), ("RMSprop-APO", "kfac_rmsprop_apo_1e-2"))])
