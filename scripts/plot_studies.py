"""Draws what is no curve of training: apo-study's schedules (Table 2, Fig. 12 and 13) and theorems, and final losses side by side."""

import math

import plot_traces
from matplotlib import pyplot


def draw(output, study):
    pyplot.rcParams.update(plot_traces.LOOK)
    (table_2 if study["study"] == "table2" else theorems)(study)
    pyplot.savefig(output, metadata={"Date": None})
    pyplot.close()


def final_losses(output, losses):
    """losses: {DATA_METHOD: loss}, a panel for each DATA, lowest on top; those of APO in a colour of their own, the infinite at the edge."""
    pyplot.rcParams.update(plot_traces.LOOK)
    sets = list(dict.fromkeys(name.split("_")[0] for name in losses))
    _, panels = pyplot.subplots(1, len(sets), figsize=(4 * len(sets), 3.6), constrained_layout=True)
    for axes, data in zip(panels, sets):
        of_set = sorted(((name.removeprefix(data + "_").replace("/optimizer.learning_rate=", " "), loss) for name, loss in losses.items()
                         if name.startswith(data + "_")), key=lambda item: item[1], reverse=True)
        most = max(loss for _, loss in of_set if math.isfinite(loss))
        for row, (name, loss) in enumerate(of_set):
            axes.semilogx(min(loss, 2 * most), row, marker="o" if math.isfinite(loss) else ">",
                          color=plot_traces.COLOURS[1] if name.startswith("apo") else plot_traces.COLOURS[0])
        axes.set_yticks(range(len(of_set)), [name + ("" if math.isfinite(loss) else ", diverged") for name, loss in of_set], fontsize=7)
        axes.set_title(f"{data}: training loss at the end")
        axes.grid(alpha=0.25)
    pyplot.savefig(output, metadata={"Date": None})
    pyplot.close()


def table_2(study):
    _, panels = pyplot.subplots(2, 3, figsize=(10, 5.5), constrained_layout=True)
    colours = dict(zip(study["apo"], plot_traces.COLOURS))
    for row, method, label in zip(panels, ("sgd", "apo"), ("SGD", "SGD + APO")):
        for name, family in study[method].items():
            colour = colours[name]
            row[0].semilogy(family["loss"], color=colour, label=f"{name}: {family['loss'][-1]:.3g}")
            row[1].semilogy(family["learning_rate"], color=colour)
            if "lambda" in family:
                row[2].plot(family["lambda"], color=colour)
        row[0].legend(frameon=False, fontsize=7)
        for axes, title in zip(row, (f"{label}: expected loss", "learning rate", "λ" if method == "apo" else "")):
            axes.set_title(title)
            axes.grid(alpha=0.25)
    panels[1][2].set_yscale("symlog", linthresh=0.1)  # some are 0, some below
    panels[0][2].axis("off")


def theorems(study):
    _, (first, second) = pyplot.subplots(1, 2, figsize=(10, 3), constrained_layout=True)
    blue, orange = plot_traces.COLOURS[:2]
    squares = [g ** 2 for g in study["theorem_1"]["effective_gradient"]]
    smallest = [min(squares[:t]) for t in range(1, len(squares))]
    steps = range(1, len(squares))
    first.loglog(steps, smallest, color=blue, label="smallest ‖effective gradient‖²")
    first.loglog(steps, study["theorem_1"]["bound"], color=orange, linestyle="--", label="16 λ (L(Z₀) − L*) / T, Eq. 15")
    first.set_title("Theorem 1: projected gradient descent")
    first.set_xlabel("T")
    errors = [d for d in study["theorem_2"]["distance"] if d > 0]
    second.semilogy(errors, color=blue, marker="o", label="‖Zₖ − Z*‖")
    bound = [study["theorem_2"]["ratio_bound"] * e ** 2 for e in errors[:-1]]
    second.semilogy(range(1, len(errors)), bound, color=orange, linestyle="--", marker="x", label="L_H / μ · ‖Zₖ₋₁ − Z*‖²")
    second.set_title("Theorem 2: proximal Newton, λ = ½")
    second.set_xlabel("k")
    for axes in (first, second):
        axes.legend(frameon=False, fontsize=7)
        axes.grid(alpha=0.25)
