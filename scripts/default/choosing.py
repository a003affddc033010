"""README.md, docs/choosing.md and docs/alternatives.md: pictures, and tables between marks, from results/. What stands around them is written by hand."""

import re
import statistics

from default import cells, judge, knobs, records as recorded, tasks as all_tasks
from default.arms import ARMS, ours, reference
from default.page import shown, standings
from paper import DOCS, ROOT, average
from paper.plots import COLOURS, pyplot, save
from paper.tables import number, table

RULES = ("adam", "sgdm", "rmsprop", "sgd")
HELD_OUT_SEEDS = 5
MOST = 10  # of a ratio in a picture; what is above stands at the edge


def accuracies(records, task, rule):
    """Of the default, in per cent, of each seed."""
    return [100 * record["accuracy"] for record in judge.seeds_of(records, task, ours(rule)).values()]


def optimizers(records):
    rows = []
    for task in all_tasks.tasks("held_out"):
        row = [task.name]
        for rule in RULES:
            found = accuracies(records, task, rule)
            losses = [cells.loss_of(record) for record in judge.seeds_of(records, task, ours(rule)).values()]
            row += [f"{statistics.fmean(found):.1f} ± {statistics.stdev(found):.1f}", number(judge.geometric_mean(losses))]
        rows.append(row)
    return table(["task", *(f"{rule}: {what}" for rule in RULES for what in ("test accuracy, %", "training loss"))], rows)


def is_over(standing, tasks):
    """Means over some of the tasks say nothing beside means over all of them."""
    return standing is not None and len(standing.tasks) == len(tasks)


def rivals(records):
    """Of each arm, by every rule's reference: who has a rule of his own has that one."""
    tasks, found = all_tasks.tasks("held_out"), {}
    for rule in RULES:
        for arm, standing in standings(records, tasks, rule):
            if arm is not reference(rule) and is_over(standing, tasks):
                found.setdefault(arm.title, {})[rule] = standing
    rows = []
    for title, of_rule in found.items():
        some = next(iter(of_rule.values()))
        gains = " / ".join(dict.fromkeys(shown(100 * standing.accuracy, "{:+.1f}") for standing in of_rule.values()))
        beside = [f"{shown(of_rule[rule].mean)} ({shown(of_rule[rule].worst[1])})" if rule in of_rule else "–" for rule in RULES]
        rows.append([f"**{title}**" if title == ours(RULES[0]).title else title, shown(some.cost, "{:.1f}"), *beside, gains])
    return table(["", "runs", *(f"beside {rule} (worst task)" for rule in RULES), "test accuracy − NadamW's, points"], rows)


CLAIMED = {"{}_ours": "**nothing chosen**", "schedule_free": "Schedule-Free AdamW as calibrated by its authors", "prodigy": "Prodigy", "nadamw": "NadamW as others have calibrated it",
           "{}_pbt": "a population of four", "nadamw_searched": "NadamW, its rate searched"}
NAMES = dict(zip(RULES, ("Adam", "SGD with momentum", "RMSprop", "SGD")))
GROUPS = {all_tasks.FOURTH: "eight, held out from this form", all_tasks.THIRD: "eight, held out from the fourth form", all_tasks.SECOND: "eight, held out from the third form", "held_out": "eight, held out from the first form",
          all_tasks.CONFIRMATION: "five, held out from the second form", all_tasks.ADDED: "three of other kinds: two regressions, a Transformer"}


def standing_of_ours(records, group):
    """{rule: standing}"""
    return {rule: judge.standing(records, all_tasks.tasks(group), ours(rule), rule) for rule in RULES}


def claims(records):
    """What the README says of the default: beside its rivals on the held-out half, and on every group of tasks."""
    tasks = all_tasks.tasks("held_out")
    rows, few, own = [], [], standing_of_ours(records, "held_out")
    for name, title in CLAIMED.items():
        found = [own[rule] if name == "{}_ours" else judge.standing(records, tasks, ARMS[name.format(rule)], rule) for rule in RULES]
        cost_form, mean_form = ("{:.2f}", "**{:.2f}**") if name == "{}_ours" else ("{:.0f}", "{:.2f}")
        cost = next(each.cost for each in found if is_over(each, tasks))
        rows.append([title, shown(cost, cost_form), *(f"{shown(each.mean, mean_form)} ({shown(each.median)})" if is_over(each, tasks) else "–" for each in found)])
        few += [title] if len(found[0].by_seed) < HELD_OUT_SEEDS else []
    lost, lots = judge.ruined_references(records, tasks)
    return "\n".join([table(["", "runs", *NAMES.values()], rows), "",
                      "(The rivals that are no SGD stand in all columns against each reference" + (f"; with fewer seeds: {', '.join(few)}" if few else "") + ".) Test accuracy less "
                      "that of the calibrated NadamW, in points: "
                      f"{', '.join(f'{100 * standing.accuracy:+.1f} with {NAMES[rule]}' for rule, standing in own.items())}; "
                      f"{100 * judge.standing(records, tasks, ARMS['nadamw_searched'], RULES[0]).accuracy:+.1f} with NadamW whose rate is searched.", "",
                      "Where it is not the best: of all the tasks the mean (the median, **the worst**), and how many runs end above twice the search's loss.", "",
                      everywhere(records), "",
                      f"(Of the held-out half's searches, too, {lost} of {lots} runs of the best rates that they found end there: so much is chance.)"])


def everywhere(records):
    """Of ours, on every group of tasks; of the held-out half, too, without the task that lowers its mean most."""
    rows = []
    for group, title in GROUPS.items():
        own = standing_of_ours(records, group).values()
        ruined = "{} of {}".format(*judge.ruined_of_ours(records, all_tasks.tasks(group)))
        rows.append([title, *(f"{standing.mean:.2f} ({standing.median:.2f}, **{standing.worst[1]:.2f}**)" if standing else "–" for standing in own), ruined])
        if group == "held_out":
            rows.append(["the same without the one on which it gains most", *(f"{judge.geometric_mean(sorted(standing.ratios.values())[1:]):.2f}" for standing in own), ""])
    return table(["tasks", *NAMES.values(), "ruined runs"], rows)


PAGES = {ROOT / "README.md": {"default": claims},
         DOCS / "choosing.md": {"optimizers": optimizers,
                                "budgets": lambda records: knobs.values(records, knobs.BUDGET, RULES),
                                "lambdas": lambda records: knobs.values(records, knobs.LAMBDA, RULES),
                                "constants": lambda records: knobs.constants(records, RULES),
                                "surface": lambda records: knobs.surface(records, RULES)},
         DOCS / "alternatives.md": {"rivals": rivals}}


def page(path, records):
    text = path.read_text()
    for name, make in PAGES[path].items():
        text, count = re.subn(rf"(<!-- {name}: .*? -->\n).*?(<!-- end -->)", lambda found: f"{found[1]}{make(records)}\n{found[2]}", text, flags=re.S)
        assert count == 1, name
    return text


def draw_optimizers(output, records):
    tasks = all_tasks.tasks("held_out")
    figure, axes = pyplot().subplots(figsize=(6, 1.2 + 0.5 * len(tasks)), constrained_layout=True)
    for nth, rule in enumerate(RULES):
        for row, task in enumerate(tasks):
            middle = statistics.fmean(value for other in RULES for value in accuracies(records, task, other))
            found = [value - middle for value in accuracies(records, task, rule)]
            axes.plot(found, [row + 0.2 * (nth - (len(RULES) - 1) / 2)] * len(found), "so^v"[nth], markersize=3.5, alpha=0.7, color=COLOURS[nth], label=None if row else rule)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(tasks)), [task.name for task in tasks])
    axes.invert_yaxis()
    axes.set_xlabel("test accuracy of the default, points from the task's mean; five seeds each")
    axes.grid(alpha=0.25)
    figure.legend(*axes.get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    save(figure, output, bbox_inches="tight")


def draw_ratios(output, of_rule, label):
    """of_rule: {rule: {setting: ratios}}; a point for each task, and a line through the median."""
    figure, panels = pyplot().subplots(1, len(of_rule), figsize=(1 + 2.2 * len(of_rule), 3), constrained_layout=True, sharey=True)
    for axes, (rule, found) in zip(panels, of_rule.items()):
        for x, ratios in enumerate(found.values()):
            axes.plot([x] * len(ratios), [min(ratio, MOST) for ratio in ratios], "o", markersize=4, alpha=0.6, color=COLOURS[0], label=None if x else "a task")
        axes.plot([min(statistics.median(ratios), MOST) for ratios in found.values()], color=COLOURS[1], label="median task")
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set_yscale("log")
        axes.set_yticks([0.1, 1, MOST], ["0.1", "1", f"{MOST}+"])
        axes.minorticks_off()
        axes.set_xticks(range(len(found)), map(str, found))
        axes.set_title(rule)
        axes.set_xlabel(label)
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("training loss ÷ reference")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    save(figure, output, bbox_inches="tight")


def draw_average(output):
    """Of the averages' study: the weights at the end, and their average, without a decay and with one."""
    figure, panels = pyplot().subplots(1, len(average.TASKS), figsize=(8, 2.8), constrained_layout=True)
    for axes, (task, told) in zip(panels, average.TASKS.items()):
        for nth, decay in enumerate(average.DECAYS):
            means = average.settings(average.results()[f"{task}_fixed"], decay, average.HALF_LIFE)
            pair = [100 * average.best(means, part)[1]["test_accuracy"] for part in ("final", "average")]
            axes.plot(["weights", "their average"], pair, "s-" if nth else "o-", color=COLOURS[nth], label=f"decay: {decay}")
        axes.set_title(told.split(" (")[0] + (", ResNet" if task == "resnet" else f", {task.upper()}"))
        axes.margins(x=0.2, y=0.2)
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("test accuracy, %")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    save(figure, output, bbox_inches="tight")


def write():
    records = recorded.read()
    for path in PAGES:
        path.write_text(page(path, records))
    images = DOCS / "images"
    draw_optimizers(images / "choosing_optimizers.svg", records)
    for name, knob in (("budgets", knobs.BUDGET), ("lambdas", knobs.LAMBDA)):
        draw_ratios(images / f"choosing_{name}.svg", {rule: {value: list(of_task.values()) for value, of_task in knobs.ratios(records, knob, rule).items()} for rule in RULES},
                    knob.title.strip("`"))
    draw_average(images / "choosing_average.svg")
