"""The look of all pictures; curves of training."""

import sys

from paper.runs import at_most

# Okabe and Ito's colours, told apart by colour-blind readers too; then again, dashed.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
STYLES = ["-", "--", ":", "-.", (0, (4, 1, 1, 1, 1, 1))]
LOOK = {"svg.hashsalt": "apo-train", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
POINTS = 1000  # of a curve
MOST_IN_PANEL = 6  # labels


def pyplot():
    """Of matplotlib, with our look; ends the program in one line where it is missing."""
    try:
        import matplotlib
    except ImportError:
        sys.exit("matplotlib is missing; install it with: apt-get install python3-matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plots
    plots.rcParams.update(LOOK)
    return plots


def save(figure, output, **how):
    """The same bytes at every time of day."""
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, metadata={"Date": None} if output.suffix == ".svg" else None, **how)
    pyplot().close(figure)


def styles(labels):
    """A colour for each label, then again with the next line style; the members of a family, FAMILY/MEMBER, have a line style of their own."""
    heads = [label.split("/")[0] for label in labels]
    families = {}
    for label, head in zip(labels, heads):
        families.setdefault(head if heads.count(head) > 1 else "", []).append(label)
    return {label: {"color": COLOURS[at % len(COLOURS)], "linewidth": 1.2,
                    "linestyle": STYLES[(nth if at < len(COLOURS) else len(families) - 1 + at // len(COLOURS)) % len(STYLES)]}
            for nth, members in enumerate(families.values()) for at, label in enumerate(members)}


def curves(output, runs):
    """runs: (label, trace) pairs, a trace as in trace.json. Runs of one label share its style: they differ in the seed.

    Toys, which have no accuracy, are drawn over steps, the others over epochs. The loss is an epoch's mean; of a run shorter than
    three epochs each step's; above twice the highest first one it is cut off.
    """
    supervised = any(a is not None for _, trace in runs for a in trace["epochs"]["test_accuracy"])
    figure, panels = pyplot().subplots(1, 3 if supervised else 2, figsize=(10, 3), constrained_layout=True)
    style_of = styles(list(dict.fromkeys(label for label, _ in runs)))
    drawn, first_losses = set(), []
    for label, trace in runs:
        style = style_of[label]
        epochs, steps = trace["epochs"], trace["steps"]
        if not epochs["step"]:
            continue  # diverged in its first epoch
        per_epoch = epochs["step"][0] / epochs["epoch"][0] if supervised else 1
        whole = (epochs["step"], epochs["train_loss"]) if len(epochs["step"]) > 2 else (steps["step"], steps["loss"])
        panels[0].semilogy([step / per_epoch for step in whole[0]], whole[1], label=None if label in drawn else label, **style)
        first_losses.append(whole[1][0])
        panels[-1].semilogy([step / per_epoch for step in at_most(steps["step"], POINTS)], at_most(steps["learning_rate"], POINTS), **style)
        if supervised:
            panels[1].plot([step / per_epoch for step in epochs["step"]],
                           [100 * a if a is not None else None for a in epochs["test_accuracy"]], **style)
        drawn.add(label)
    top = 2 * max((loss for loss in first_losses if loss is not None), default=1)
    if panels[0].get_ylim()[1] > top:  # a run that went astray would flatten the others
        panels[0].set_ylim(top=top)
    titles = ("training loss", "test accuracy, %", "learning rate") if supervised else ("training loss", "learning rate")
    for axes, title in zip(panels, titles):
        axes.set_title(title)
        axes.set_xlabel("epoch" if supervised else "step")
        axes.grid(alpha=0.25)
    if len(drawn) > MOST_IN_PANEL:  # below all panels, where it covers no curve
        figure.legend(*panels[0].get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.5, 0), ncol=4, frameon=False, fontsize=7)
    else:
        panels[0].legend(frameon=False, fontsize=7)
    save(figure, output, dpi=110, bbox_inches="tight")
