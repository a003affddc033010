"""docs/images/default.svg: what each arm's training loss is beside the reference, a panel for each rule, a row for each task."""

import math

from default import tasks as all_tasks
from default.arms import OF_RULE, ours, reference
from default.page import TITLES, half_to_show, standings
from paper.plots import COLOURS, pyplot, save

MOST = 4  # of a ratio; what is above stands at the edge
MARKS = "os^vDPX<>*dph8"  # one for each arm


def draw(output, records):
    half = half_to_show(records)
    if half is None:
        return
    tasks = all_tasks.tasks(half)
    found = {rule: standings(records, tasks, rule) for rule in OF_RULE}
    found = {rule: of_rule for rule, of_rule in found.items() if of_rule}
    titles = list(dict.fromkeys(arm.title for of_rule in found.values() for arm, _ in of_rule))
    figure, panels = pyplot().subplots(1, len(found), figsize=(1.5 + 3.2 * len(found), 4), constrained_layout=True, squeeze=False, sharey=True)
    for axes, (rule, of_rule) in zip(panels[0], found.items()):
        for arm, standing in of_rule:
            if arm is reference(rule):
                continue
            nth = titles.index(arm.title)
            rows = [(row, standing.ratios[task.name]) for row, task in enumerate(tasks) if task.name in standing.ratios] + [(len(tasks), standing.mean)]
            own = arm is ours(rule)
            axes.plot([min(ratio, MOST) if math.isfinite(ratio) else MOST for _, ratio in rows], [row for row, _ in rows], linestyle="none",
                      marker=MARKS[nth], markersize=8 if own else 4, color=COLOURS[1] if own else COLOURS[(0, 2, 3, 4, 5)[nth % 5]],
                      alpha=1 if own else 0.6, label=arm.title, zorder=3 if own else 2)
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_xscale("log")
        axes.set_xticks([0.5, 1, 2, MOST], ["½", "1", "2", f"≥ {MOST}"])
        axes.minorticks_off()
        axes.set_title(rule)
        axes.set_xlabel("training loss ÷ best of grid with decay")
        axes.set_yticks(range(len(tasks) + 1), [*(task.name for task in tasks), "geometric mean"])
        axes.axhline(len(tasks) - 0.5, color="grey", linewidth=0.5)
        axes.grid(alpha=0.25)
    panels[0][0].invert_yaxis()
    figure.suptitle(f"{TITLES[half]}: the nearer to the left the better", fontsize=9)
    handles = {label: handle for axes in panels[0] for handle, label in zip(*axes.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="upper center", bbox_to_anchor=(0.5, 0), ncol=4, frameon=False, fontsize=7)
    save(figure, output, bbox_inches="tight")
