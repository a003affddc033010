"""docs/results.md and the README's picture, from the runs of scripts/results.sh."""

from paper import DOCS, plots
from paper.tables import number, table


def short(value):
    return number(value) if value < 1e-3 else number(value).rstrip("0")


def mnist(runs):
    """Rows: claim, measured, whether it holds."""
    apo = runs.column("mnist_rmsprop_apo")[24]
    accuracy = runs.column("mnist_rmsprop_apo", "test_accuracy")[24]
    fixed = runs.column("mnist_rmsprop_fixed")[14]
    sgd, sgd_fixed = runs.column("mnist_sgd_apo")[5], runs.column("mnist_sgd_fixed")[5]
    rows = [
        ("RMSprop-APO λ 1e-5 from η 1e-4, 25 epochs: training loss below 1e-4", short(apo), apo < 1e-4),
        ("the same: test accuracy at least 98.4 %", f"{100 * accuracy:.2f} %", accuracy >= 0.984),
        ("RMSprop fixed at 1e-4, 15 epochs: training loss still above 1e-3", short(fixed), fixed > 1e-3),
        ("SGD-APO λ 1e-3 from η 0.1, 6 epochs: training loss below 0.012", short(sgd), sgd < 0.012),
        ("SGD fixed at 0.1, 6 epochs, for comparison", short(sgd_fixed), sgd < sgd_fixed),
    ]
    return table(["claim", "measured", "holds"], [(claim, measured, "yes" if holds else "**no**") for claim, measured, holds in rows])


def narrow(runs):
    for dataset in ("cifar10", "cifar100", "svhn"):
        losses = runs.column(f"narrow_{dataset}_fit")
        first = next((epoch for epoch, loss in enumerate(losses, 1) if loss < 0.1), None)
        falls = {way: runs.column(f"narrow_{dataset}_{way}") for way in ("apo", "fixed")}
        rises = {way: sum(b > a for a, b in zip(column, column[1:])) for way, column in falls.items()}
        yield (dataset, f"epoch {first}" if first else f"not in {len(losses)}", short(losses[-1]),
               *(f"{short(falls[way][0])} → {short(falls[way][-1])}, {rises[way]}" for way in falls))


def page(runs):
    environment, timing = runs.trace("mnist_rmsprop_apo")["environment"], runs.summary("mnist_rmsprop_apo")
    return "\n".join([
        "# Results\n",
        "Written by `scripts/results.sh`, which trains every run named here. APO in the paper's form (`tuner.form: paper`); for the robust default see [ablations.md](ablations.md). Training losses are means over an epoch's steps.\n",
        f"Machine: {environment['device']}, {environment['threads']} threads, LibTorch {environment['libtorch']}.\n",
        "## MNIST, MLP 784-1000-1000-10, batch 100\n",
        mnist(runs),
        f"\nMeta steps took {100 * timing['meta_share']:.0f} % of the RMSprop-APO run's training time ({timing['steps_per_second']:.0f} steps a second in all).\n",
        "## Narrow ResNets (width 8), without augmentation\n",
        "ResNet-34 with SGD from η 0.1 on CIFAR, ResNet-18 with RMSprop from η 1e-4 on SVHN; λ 0.001, for CIFAR-100 0.01 (at 0.001 its rate runs away). *Fitted*: when the training loss on "
        "500 examples falls below 0.1. *Falls*: the training loss of the first → the tenth epoch on 4,000 examples (SVHN: at most as many "
        "as the copy at hand holds), and how often it rose from one epoch to the next.\n",
        table(["data set", "fitted at", "loss at the end", "falls with APO", "falls with the fixed rate"], narrow(runs)) + "\n"])


def write(runs):
    (DOCS / "results.md").write_text(page(runs))
    plots.curves(DOCS / "images/mnist_rmsprop.svg", [("fixed 1e-4", runs.trace("mnist_rmsprop_fixed")),
                                                     ("APO, λ = 1e-5", runs.trace("mnist_rmsprop_apo"))])
