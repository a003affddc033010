"""What sums over ranks cost: a model, fitted to what benchmarks/network_cost.py measured, held against whole steps and used for machines that nobody has
tried; and the part of docs/scaling.md that tells of it.
"""

import dataclasses
import math
import statistics

from paper import DOCS, RESULTS, runs
from paper.tables import spread, table

RING_BYTES = 64 << 10  # from here on, and from four ranks on, Open MPI sums in a ring; otherwise along a tree
BEGIN, END = "<!-- Written by scripts/paper ranks: -->\n", "<!-- to here. -->\n"


def hops(ranks, size):
    """Messages one after the other until a sum of `size` bytes is everywhere."""
    return 2 * (ranks - 1) if ranks >= 4 and size >= RING_BYTES else 2 * math.ceil(math.log2(ranks))


def sent(ranks, size):
    """Bytes through the card that has most to do, one way: in a ring each has one part of `ranks` in a hop, along a tree the whole."""
    return hops(ranks, size) * (size / ranks if ranks >= 4 and size >= RING_BYTES else size)


@dataclasses.dataclass
class Cost:
    """seconds = messages × hops × latency + bytes sent ÷ (share × speed of the card)."""

    latency: float  # seconds a hop
    share: float  # of the card's speed

    def seconds(self, ranks, size, messages, bytes_per_second):
        return messages * (hops(ranks, size) * self.latency + sent(ranks, size) / (self.share * bytes_per_second))


def fit(sums):
    """Least squares of what is measured ÷ what is predicted, which is linear in latency and 1 ÷ share."""
    rows = []
    for case in sums:
        size, speed = case["bytes"] or 8, 1e6 / 8 * case["megabits"]
        count = case["messages"] / case["seconds"]
        rows.append((count * hops(case["machines"], size), count * sent(case["machines"], size) / speed))
    a, b, c = (sum(row[i] * row[j] for row in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    x, y = (sum(row[i] for row in rows) for i in (0, 1))
    determinant = a * c - b * b
    return Cost((c * x - b * y) / determinant, determinant / (a * y - b * x))


def predicted(cost, case):
    return cost.seconds(case["machines"], case["bytes"] or 8, case["messages"], 1e6 / 8 * case["megabits"])


def best_bucket(cost, ranks, total, bytes_per_second):
    """Of powers of two, the bytes of a message for which a gradient of `total` bytes is summed soonest after its last part is there, when everything else
    could be sent before: one message of that size, and the latency of all."""
    def seconds(size):
        return cost.seconds(ranks, size, 1, bytes_per_second) + math.ceil(total / size) * hops(ranks, size) * cost.latency
    return min((1 << k for k in range(14, 28)), key=seconds)
