"""Pictures of what is no curve of training: apo-study's schedules (Table 2, Fig. 12 and 13) and theorems, final losses side by side, cost."""

import math

from paper.plots import COLOURS, pyplot, save


def study(output, found):
    save((table_2 if found["study"] == "table2" else theorems)(found), output)


def final_losses(output, losses):
    """losses: {DATA_METHOD: loss}, a panel for each DATA, lowest on top; those of APO in a colour of their own, the infinite at the edge."""
    sets = list(dict.fromkeys(name.split("_")[0] for name in losses))
    figure, panels = pyplot().subplots(1, len(sets), figsize=(4 * len(sets), 3.6), constrained_layout=True)
    for axes, data in zip(panels, sets):
        of_set = sorted(((name.removeprefix(data + "_").replace("/optimizer.learning_rate=", " "), loss) for name, loss in losses.items()
                         if name.startswith(data + "_")), key=lambda item: item[1], reverse=True)
        most = max(loss for _, loss in of_set if math.isfinite(loss))
        for row, (name, loss) in enumerate(of_set):
            axes.semilogx(min(loss, 2 * most), row, marker="o" if math.isfinite(loss) else ">",
                          color=COLOURS[1] if name.startswith("apo") else COLOURS[0])
        axes.set_yticks(range(len(of_set)), [name + ("" if math.isfinite(loss) else ", diverged") for name, loss in of_set], fontsize=7)
        axes.set_title(f"{data}: training loss at the end")
        axes.grid(alpha=0.25)
    save(figure, output)


def table_2(found):
    figure, panels = pyplot().subplots(2, 3, figsize=(10, 5.5), constrained_layout=True)
    colours = dict(zip(found["apo"], COLOURS))
    for row, method, label in zip(panels, ("sgd", "apo"), ("SGD", "SGD + APO")):
        for name, family in found[method].items():
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
    return figure


def theorems(found):
    figure, (first, second) = pyplot().subplots(1, 2, figsize=(10, 3), constrained_layout=True)
    blue, orange = COLOURS[:2]
    squares = [g ** 2 for g in found["theorem_1"]["effective_gradient"]]
    smallest = [min(squares[:t]) for t in range(1, len(squares))]
    steps = range(1, len(squares))
    first.loglog(steps, smallest, color=blue, label="smallest ‖effective gradient‖²")
    first.loglog(steps, found["theorem_1"]["bound"], color=orange, linestyle="--", label="16 λ (L(Z₀) − L*) / T, Eq. 15")
    first.set_title("Theorem 1: projected gradient descent")
    first.set_xlabel("T")
    errors = [d for d in found["theorem_2"]["distance"] if d > 0]
    second.semilogy(errors, color=blue, marker="o", label="‖Zₖ − Z*‖")
    bound = [found["theorem_2"]["ratio_bound"] * e ** 2 for e in errors[:-1]]
    second.semilogy(range(1, len(errors)), bound, color=orange, linestyle="--", marker="x", label="L_H / μ · ‖Zₖ₋₁ − Z*‖²")
    second.set_title("Theorem 2: proximal Newton, λ = ½")
    second.set_xlabel("k")
    for axes in (first, second):
        axes.legend(frameon=False, fontsize=7)
        axes.grid(alpha=0.25)
    return figure


def cost(output, scaling):
    """Milliseconds a step against parameters and against examples in a batch."""
    figure, panels = pyplot().subplots(1, 2, figsize=(8, 3), constrained_layout=True)
    for axes, axis, size, label in ((panels[0], "width", "parameters", "parameters"), (panels[1], "batch", "size", "examples in a batch")):
        sizes = [row[size] for row in scaling[axis]]
        for name, colour in (("constant", COLOURS[0]), ("APO", COLOURS[1])):
            axes.loglog(sizes, [row[name] for row in scaling[axis]], marker=".", color=colour, label=name if name == "constant" else "APO, K = 10")
        last = scaling[axis][-1]
        axes.loglog(sizes, [last["constant"] * s / sizes[-1] for s in sizes], color="grey", linestyle=":", label="in proportion")
        axes.set_xlabel(label)
        axes.set_title("ms a step")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
    save(figure, output)
