"""How long a run of the default takes beside one of the same rule with the best of the fixed rates and the same decay: both are trained in turns,
one at a time on one thread. What a default does in every step, such as clipping, no share of the meta steps tells. The machine must have nothing
else to do; how far the turns' ratios lie apart says whether it had.
"""

import statistics

from default import cells
from default.arms import ours, reference
from default.judge import geometric_mean

TURNS = 3


def pair(known, task, rule):
    """The cells of both with the search's seed; None where the reference's search is not over."""
    rate = cells.winner(known, task, reference(rule))
    return rate and [cells.Cell(task, ours(rule), "", cells.SEARCH_SEED), cells.Cell(task, reference(rule), rate, cells.SEARCH_SEED)]


def measure(programs, known, tasks, rules, say):
    """Says the middle one of the turns' ratios, with all of them, and of a rule the geometric mean over the tasks."""
    for rule in rules:
        middle = []
        for task in tasks:
            both = pair(known, task, rule)
            if not both:
                say(f"{rule}, {task.name}: left out, for the reference's search is not over")
                continue
            seconds = [[programs.train(cell)["seconds"] for cell in both] for _ in range(TURNS)]
            found = sorted(own / other for own, other in seconds)
            middle.append(statistics.median(found))
            say(f"{rule}, {task.name}: {middle[-1]:.3f}, of {' '.join(f'{ratio:.3f}' for ratio in found)}")
        if middle:
            say(f"{rule}: {geometric_mean(middle):.3f} over {len(middle)} tasks")
