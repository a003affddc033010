"""What sums over ranks cost: a model, fitted to what benchmarks/network_cost.py measured, held against whole steps and used for machines that nobody has
tried; and the part of docs/scaling.md that tells of it.
"""

import dataclasses
import math
import statistics

from paper import DOCS, RESULTS, runs
from paper.tables import spread, table

LARGE = 64 << 10  # bytes from which, and from four ranks on, Open MPI sums by halves; otherwise along a tree


def tree(ranks, size):
    """Hops, one after the other, and bytes through the card that has most to do, one way."""
    hops = 2 * math.ceil(math.log2(ranks))
    return hops, hops * size


def halves(ranks, size):
    """Rabenseifner's, of a power of two; ranks above it hand theirs to another before, by halves, and get the whole after."""
    if ranks < 4 or size < LARGE:
        return tree(ranks, size)
    levels = int(math.log2(ranks))
    within, beyond = 1 << levels, ranks > 1 << levels
    return 2 * levels + 3 * beyond, (2 * (within - 1) / within + 2 * beyond) * size


def ring(ranks, size):
    return 2 * (ranks - 1), 2 * (ranks - 1) / ranks * size


ENGINES = {"MPI": halves, "Gloo": ring}


@dataclasses.dataclass
class Cost:
    """seconds = messages × (hops × latency + bytes ÷ (share × speed of the card))."""

    latency: float  # seconds a hop
    share: float  # of the card's speed
    engine: str

    def seconds(self, ranks, size, messages, bytes_per_second):
        hops, sent = ENGINES[self.engine](ranks, size)
        return messages * (hops * self.latency + sent / (self.share * bytes_per_second))

    def of(self, case):
        return self.seconds(case["machines"], case["bytes"] or 8, case["messages"], 1e6 / 8 * case["megabits"])


def fit(sums, engine):
    """Least squares of predicted ÷ measured, which is linear in latency and 1 ÷ share."""
    rows = []
    for case in sums:
        hops, sent = ENGINES[engine](case["machines"], case["bytes"] or 8)
        count = case["messages"] / case["seconds"]
        rows.append((count * hops, count * sent / (1e6 / 8 * case["megabits"])))
    a, b, c = (sum(row[i] * row[j] for row in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    x, y = (sum(row[i] for row in rows) for i in (0, 1))
    determinant = a * c - b * b
    return Cost((c * x - b * y) / determinant, determinant / (a * y - b * x), engine)
