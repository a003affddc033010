"""How long a run of the default takes beside one of the same rule with the best of the fixed rates and the same decay. Both are trained in turns,
one at a time on one thread, and the shortest of each counts. The machine must have nothing else to do."""

from default import cells, records
from default.arms import ours, reference
from paper.runs import rounded

ROUNDS = 3


def pair(known, task, rule):
    """The cells of both with the search's seed; None where one has not been trained."""
    both = [cells.Cell(task, arm, cells.winner(known, task, arm), cells.SEARCH_SEED) for arm in (ours(rule), reference(rule))]
    return both if all(cell.setting is not None and cells.recorded(known, cell) for cell in both) else None


def measure(programs, tasks, rules, say):
    """Into the records of ours, which forget it when they are trained anew."""
    for rule in rules:
        for task in tasks:
            both = pair(records.read(), task, rule)
            if not both:
                say(f"{task.name}, {rule}: left out, for ours or the reference has not been trained")
                continue
            turns = [[programs.train(cell)["seconds"] for cell in both] for _ in range(ROUNDS)]
            cost = min(of for of, _ in turns) / min(of for _, of in turns)
            with records.changed() as known:
                known[both[0].key]["timed"] = rounded({"cost": cost, "commit": programs.commit})
            say(f"{task.name}, {rule}: {cost:.3f}")
