"""docs/default.md below its protocol: the tables of each half; what misses a goal is bold."""

import math

from default import judge, records as recorded, tasks as all_tasks
from default.arms import FREE, OF_RULE, ours, reference
from paper import DOCS
from paper.tables import number, table

PAGE = DOCS / "default.md"
MARK = "<!-- What follows is written by `python3 scripts/default judge`; nothing of it is typed by hand. -->\n"
TITLES = {"held_out": "The held-out half", "fourth": "The fourth held-out half", "third": "The third held-out half", "second": "The second held-out half", "confirmation": "The tasks of the confirmation", "added": "The tasks that were added", "calibration": "The calibration half"}


def shown(value, form="{:.2f}"):
    return "–" if value is None or math.isnan(value) else "∞" if math.isinf(value) else form.format(value)


def bold(text, missed):
    return f"**{text}**" if missed else text


def between(values, form="{:.2f}"):
    return f" ({shown(min(values), form)} to {shown(max(values), form)})" if len(values) > 1 else ""


def standings(records, tasks, rule):
    """[(arm, standing)] of those that have been trained."""
    found = [(arm, judge.standing(records, tasks, arm, rule)) for arm in (*OF_RULE[rule], *FREE)]
    return [(arm, standing) for arm, standing in found if standing]


def goals_table(records, tasks):
    found = {rule: judge.goals(records, tasks, rule) for rule in OF_RULE}
    rows = [[rule, goal.what, goal.wanted, bold(goal.found, not goal.met)] for rule, goals in found.items() for goal in goals]
    return table(["rule", "goal", "wanted", "found"], rows)


def standings_table(found):
    rows = []
    for arm, standing in found:
        name, worst = standing.worst
        unsearched = standing.unsearched if len(arm.settings) > 1 else None
        gain = None if standing.accuracy is None else 100 * standing.accuracy
        rows.append([arm.title, shown(standing.mean, "{:.3f}") + between(standing.by_seed), shown(standing.median), f"{shown(worst)} ({name})", shown(unsearched),
                     f"{standing.ruined} of {standing.runs}", shown(gain, "{:+.2f}"), shown(standing.cost), str(len(standing.tasks))])
    return table(["", "loss ÷ reference, geometric mean (seeds)", "median task", "worst task", "without its search", "ruined runs", "test accuracy − NadamW's, points", "cost",
                  "tasks"], rows)


def tasks_table(records, tasks, rule, found):
    """The reference's loss, then each arm's ratio with its seeds."""
    rows = []
    for task in tasks:
        loss = judge.reference_loss(records, task, rule)
        if loss is None:
            continue
        edge = " †" if judge.at_the_edge(task, reference(rule), records) else ""
        row = [task.name, number(loss) + edge]
        for arm, standing in found:
            if arm is not reference(rule):
                spread = between(list(judge.ratios(records, task, arm, rule).values())) if arm is ours(rule) else ""
                row.append(shown(standing.ratios.get(task.name)) + spread)
        rows.append(row)
    return table(["task", "reference's loss", *(arm.title for arm, _ in found if arm is not reference(rule))], rows)


def half_section(records, half):
    tasks = all_tasks.tasks(half)
    sections = []
    for rule in OF_RULE:
        found = standings(records, tasks, rule)
        if found:
            sections += [f"### {TITLES[half]}: {rule}\n", standings_table(found) + "\n", tasks_table(records, tasks, rule, found) + "\n"]
    if not sections:
        return f"## {TITLES[half]}\n\nNot run yet.\n"
    lost, runs = judge.ruined_references(records, tasks)
    chance = [f"Of the references' best rates, once they are found, {lost} of {runs} runs are ruined, counted alike.\n"] if runs else []
    return "\n".join([f"## {TITLES[half]}\n", goals_table(records, tasks) + "\n", *chance, *sections])


def half_to_show(records):
    """Which the picture shows: the held-out one, if it has been run; None where ours has not."""
    return next((half for half in reversed(all_tasks.HALVES)
                 if any(judge.standing(records, all_tasks.tasks(half), ours(rule), rule) for rule in OF_RULE)), None)


def results(records):
    """All of the page that follows the protocol."""
    if not records:
        return "## Results\n\nNot run yet.\n"
    ruined, ours_runs = judge.ruined_of_ours(records, all_tasks.all_tasks())
    commits = sorted({record["commit"] for record in records.values()})
    image = ["![Training loss beside the best of a grid with decay](images/default.svg)\n"] if half_to_show(records) else []
    return "\n".join(["## Results\n", *image,
                      "*Without its search*: the middle setting of each search, what one run of the grid gives. *Cost*: all settings of a search, "
                      f"in runs with a constant rate. †: the best rate is at the edge of its grid. Of ours {ruined} of {ours_runs} runs were "
                      "ruined, all tasks and all rules together. "
                      f"{len(records)} runs, commit {', '.join(commits)}.\n",
                      *(half_section(records, half) for half in TITLES)])


def protocol():
    return PAGE.read_text().split(MARK)[0]


def page(records):
    return protocol() + MARK + "\n" + results(records)


def write():
    from default import picture
    records = recorded.read()
    PAGE.write_text(page(records))
    picture.draw(DOCS / "images/default.svg", records)
