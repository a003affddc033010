"""What wants one number for all tasks: λ of the paper's APO before, the budget of the default after. On the calibration half, with one seed.

A value's regret on a task is its training loss ÷ that of the best value that was tried there: what it costs to have one number for all.
"""

import statistics
from typing import NamedTuple

from default import cells, judge, tasks as all_tasks
from default.arms import ARMS, BUDGETS, LAMBDAS, OWN_BUDGET
from default.page import shown
from paper.tables import table

NEAR = 1.1  # times the best: as good, for all that a searcher sees


class Knob(NamedTuple):
    title: str
    default: str  # the value that the program has; None: there is none that anybody would leave
    places: dict  # {value: (name of an arm for each rule, its setting)}, from the smallest


BUDGET = Knob("`tuner.budget`", OWN_BUDGET, {value: ("{}_ours" if value == OWN_BUDGET else f"{{}}_try_movement_{value}", "") for value in BUDGETS})
LAMBDA = Knob("λ", None, {value: ("{}_paper", f"λ {value}") for value in reversed(LAMBDAS)})


def losses(records, knob, rule):
    """{task: {value: training loss, of what diverged infinite}}; tasks on which every value has been tried."""
    found = {}
    for task in all_tasks.tasks("calibration"):
        of_value = {value: cells.recorded(records, cells.Cell(task, ARMS[arm.format(rule)], setting, cells.SEARCH_SEED)) for value, (arm, setting) in knob.places.items()}
        if all(of_value.values()):
            found[task] = {value: cells.loss_of(record) for value, record in of_value.items()}
    return found


def quotients(records, knob, rule, against):
    """{value: {task's name: training loss ÷ against(task, the losses there)}}"""
    found = {task: (of_value, max(against(task, of_value.values()), judge.SMALLEST)) for task, of_value in losses(records, knob, rule).items()}
    return {value: {task.name: of_value[value] / base for task, (of_value, base) in found.items()} for value in knob.places}


def ratios(records, knob, rule):
    return quotients(records, knob, rule, lambda task, _: judge.reference_loss(records, task, rule))


def regrets(records, knob, rule):
    return quotients(records, knob, rule, lambda _, tried: min(tried))


def near(of_value):
    """From the first to the last value whose regret is within NEAR; between them there may be a worse one."""
    good = [value for value, regret in of_value.items() if regret <= NEAR]
    return good[0] if len(good) == 1 else f"{good[0]} to {good[-1]}"


def surface(records, rules):
    """As one would search: the best value of each task, and the range of those that are as good."""
    names, rows = [task.name for task in all_tasks.tasks("calibration")], []
    for rule in rules:
        for knob in (LAMBDA, BUDGET):
            found = regrets(records, knob, rule)
            row = []
            for task in names:
                of_value = {value: of_task[task] for value, of_task in found.items() if task in of_task}
                row.append(f"{min(of_value, key=of_value.get)} [{near(of_value)}]" if of_value else "–")
            rows.append([rule, knob.title, *row])
    return table(["", "", *names], rows)


def of_one_value(records, knob, rule):
    """(value, its regrets): the program's own, else the one that costs least over all tasks, which nobody knows before."""
    found = regrets(records, knob, rule)
    value = knob.default or min(found, key=lambda each: judge.geometric_mean(found[each].values()))
    return value, list(found[value].values())


def constants(records, rules):
    """What one value for all tasks costs."""
    rows = []
    for rule in rules:
        for knob in (LAMBDA, BUDGET):
            value, found = of_one_value(records, knob, rule)
            rows.append([rule, f"{knob.title} = {value}", shown(judge.geometric_mean(found)), shown(max(found)), f"{sum(each <= NEAR for each in found)} of {len(found)}"])
    return table(["", "one value for all tasks", "loss ÷ that of each task's best value, geometric mean", "worst task", "within a tenth on"], rows)


def values(records, knob, rules):
    rows = []
    for rule in rules:
        for value, found in ratios(records, knob, rule).items():
            name, worst = max(found.items(), key=lambda item: item[1])
            rows.append([rule, value, shown(judge.geometric_mean(found.values())), shown(statistics.median(found.values())), f"{shown(worst)} ({name})",
                         "{} of {}".format(*judge.ruined_among(found.values()))])
    return table(["rule", knob.title, "loss ÷ reference, geometric mean", "median task", "worst task", "above twice the reference"], rows)
