"""How the study ends: everything is held against the best of a grid of fixed rates with linear decay of the same rule.

L(a, t, s): the training loss of an arm on a task with a seed, of the setting that won the arm's search. L(t): the geometric mean of the
reference's over its seeds. A ratio is L(a, t, s) / L(t); over seeds and over tasks ratios have geometric means.
"""

import math
import statistics
from typing import NamedTuple

from default import cells
from default.arms import CALIBRATED, OF_RULE, ours, reference

RUINED = 2  # times the reference
SMALLEST = 1e-12  # of a loss, whose logarithm is taken

MEAN_GOAL, WORST_GOAL, RUINED_GOAL, COST_GOAL = 1.03, 1.15, 0, 1.08


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(max(value, SMALLEST)) for value in values))


def seeds_of(records, task, arm):
    """{seed: record} of the setting that won the search; {} while it is not over."""
    setting = cells.winner(records, task, arm)
    found = {seed: cells.recorded(records, cells.Cell(task, arm, setting, seed)) for seed in cells.SEEDS} if setting is not None else {}
    return {seed: record for seed, record in found.items() if record}


def reference_loss(records, task, rule):
    """Over the seeds that did not diverge, or nothing would end above it. None where there is none."""
    finished = [loss for loss in map(cells.loss_of, seeds_of(records, task, reference(rule)).values()) if loss < math.inf]
    return geometric_mean(finished) if finished else None


def ratios(records, task, arm, rule):
    """{seed: training loss ÷ the reference's}; {} where either is missing."""
    against = reference_loss(records, task, rule)
    return {seed: cells.loss_of(record) / max(against, SMALLEST) for seed, record in seeds_of(records, task, arm).items()} if against is not None else {}


def at_the_edge(task, arm, records):
    """Whether the best setting is the first or the last of a grid, so that a wider one might hold a better."""
    settings = list(arm.settings)
    return len(settings) > 1 and cells.winner(records, task, arm) in (settings[0], settings[-1])


class Standing(NamedTuple):
    """Of an arm, over the tasks on which it and the reference have been trained."""
    tasks: list
    ratios: dict      # {task's name: geometric mean over the seeds}
    mean: float       # geometric mean over the tasks
    by_seed: list     # the same of each seed that all tasks have
    unsearched: float  # of the middle setting of each task's search: what one run would have given
    ruined: int       # of the runs, those of a search with them: diverged, or above RUINED times the reference
    runs: int
    accuracy: float   # at the end, on the test set, less the calibrated NadamW's, mean over tasks and seeds; None without either
    cost: float       # in gradient evaluations ÷ those of a run with a constant rate

    @property
    def median(self):
        """Of the tasks' ratios: a mean of logarithms follows one small loss, this does not."""
        return statistics.median(self.ratios.values())

    @property
    def worst(self):
        """(task's name, ratio)"""
        return max(self.ratios.items(), key=lambda item: item[1])


def all_records(records, task, arm):
    """Of each setting and seed of an arm on a task."""
    found = (cells.recorded(records, cells.Cell(task, arm, setting, seed)) for setting in arm.settings for seed in cells.SEEDS)
    return [record for record in found if record]


def ruined(record, against):
    return not cells.loss_of(record) <= RUINED * against


def unsearched(records, task, arm, against):
    losses = [cells.loss_of(record) for record in cells.searched(records, task, arm).values()]
    return statistics.median(losses) / max(against, SMALLEST) if losses else math.nan


def accuracy_gain(records, task, arm):
    """In shares of 1; None where the calibrated NadamW or the arm has none."""
    means = [statistics.fmean(found) if found else None for found in
             ([record["accuracy"] for record in seeds_of(records, task, which).values() if record["accuracy"] is not None] for which in (arm, CALIBRATED))]
    return None if None in means else means[0] - means[1]


def ruined_of_ours(records, tasks):
    """(ruined, all) runs of ours, with whatever rule."""
    found = [standing(records, tasks, ours(rule), rule) for rule in OF_RULE]
    return tuple(sum(counts) for counts in zip((0, 0), *((of_rule.ruined, of_rule.runs) for of_rule in found if of_rule)))


def ruined_among(ratios):
    """(ruined, all) of runs, by their ratios."""
    return sum(not ratio <= RUINED for ratio in ratios), len(ratios)


def ruined_references(records, tasks):
    """(ruined, all) runs of the rates that won the references' searches, of all rules, where they have several seeds: what is left to chance when the best
    rate is known."""
    of_task = [list(ratios(records, task, reference(rule), rule).values()) for rule in OF_RULE for task in tasks]
    return ruined_among([ratio for seeds in of_task if len(seeds) > 1 for ratio in seeds])


def cost(records, tasks, arm):
    """A meta step's cost is its share in the time of training."""
    shares = [record.get("meta_share") or 0 for task in tasks for record in all_records(records, task, arm)]
    return len(arm.settings) * arm.runs / (1 - statistics.fmean(shares))


def standing(records, tasks, arm, rule):
    """None where nothing can be said yet."""
    of_task = {task: ratios(records, task, arm, rule) for task in tasks}
    done = [task for task, found in of_task.items() if found]
    if not done:
        return None
    against = {task: reference_loss(records, task, rule) for task in done}
    seeds = sorted(set.intersection(*(set(of_task[task]) for task in done)))
    runs = [(record, against[task]) for task in done for record in all_records(records, task, arm)]
    gains = [gain for gain in (accuracy_gain(records, task, arm) for task in done) if gain is not None]
    means = {task.name: geometric_mean(of_task[task].values()) for task in done}
    return Standing(done, means, geometric_mean(means.values()), [geometric_mean(of_task[task][seed] for task in done) for seed in seeds],
                    geometric_mean(unsearched(records, task, arm, against[task]) for task in done), sum(ruined(*run) for run in runs), len(runs),
                    statistics.fmean(gains) if gains else None, cost(records, done, arm))


class Goal(NamedTuple):
    what: str
    wanted: str
    found: str
    met: bool


def goals(records, tasks, rule):
    """Of ours; [] where nothing can be said yet."""
    found = standing(records, tasks, ours(rule), rule)
    if found is None:
        return []
    worst, ratio = found.worst
    made = [Goal("training loss ÷ reference, geometric mean", f"≤ {MEAN_GOAL}", f"{found.mean:.3f}", found.mean <= MEAN_GOAL),
            Goal("the same, worst task", f"≤ {WORST_GOAL}", f"{ratio:.3f} ({worst})", ratio <= WORST_GOAL),
            Goal("ruined runs", str(RUINED_GOAL), f"{found.ruined} of {found.runs}", found.ruined <= RUINED_GOAL),
            Goal("run ÷ run with a constant rate, by the meta steps' share", f"≤ {COST_GOAL}", f"{found.cost:.3f}", found.cost <= COST_GOAL)]
    if found.accuracy is not None:
        made.insert(2, Goal("test accuracy − calibrated NadamW's, points", "≥ 0", f"{100 * found.accuracy:+.2f}", found.accuracy >= 0))
    return made
