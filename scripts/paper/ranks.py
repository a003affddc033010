"""What sums over ranks cost: a model, fitted to what benchmarks/network_cost.py measured, held against whole steps and used for machines that nobody has
tried; and the part of docs/scaling.md that tells of it.
"""

import dataclasses
import math
import statistics

from paper import DOCS, RESULTS, runs
from paper.tables import spread, table

BEGIN, END = "<!-- Written by scripts/paper ranks: -->\n", "<!-- to here. -->\n"

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


def by_engine(network, part):
    return {engine: [case for case in network[part] if case["engine"] == engine] for engine in ENGINES}


def errors(cost, sums):
    return [cost.of(case) / case["seconds"] for case in sums]


def fitted(network):
    """Of each engine the cost of a sum of messages; of lone numbers the latency alone counts, and that is noise here."""
    return {engine: fit([case for case in cases if case["bytes"]], engine) for engine, cases in by_engine(network, "sums").items()}


# The MLP 784-1000-1000-10 of benchmarks/ranks.py in float32, as whole_gradient.cpp has it in buckets: the last layers first.
BUCKETS = (4 * (10 + 10 * 1000 + 1000 + 1000 * 1000), 4 * (1000 + 784 * 1000))


def step_seconds(cost, network, case):
    """What one rank alone takes, divided by the cores, and the sums as the model has them; nothing of them hidden."""
    alone = min(other["seconds"] for other in network["steps"] if other["machines"] == 1)
    sums = sum(cost.seconds(case["machines"], size, 1, 1e6 / 8 * case["megabits"]) for size in BUCKETS)
    return alone / min(case["machines"], network["cores"]) + sums


@dataclasses.dataclass
class Cluster:
    """Machines of eight GPUs. What cards and links have on paper, and what of it sums are taken to see."""

    name: str
    link: float  # bytes a second between two GPUs of a machine, one way
    cards: float  # bytes a second of all cards of a machine, one way
    share: float = 0.75
    call: float = 20e-6  # seconds
    hop: float = 5e-6

    def message(self, gpus, size):
        speed = self.share * (self.link if gpus <= 8 else min(self.link, self.cards))
        return self.call + 2 * math.ceil(math.log2(gpus)) * self.hop + 2 * (gpus - 1) / gpus * size / speed

    def step(self, gpus, alone, gradient, bucket):
        """Seconds of a step that takes `alone` on one GPU, two thirds of it backward, in which all messages but the last are sent."""
        if gpus == 1:
            return alone
        count = math.ceil(gradient / bucket)
        messages = count * self.message(gpus, gradient / count)
        last = self.message(gpus, gradient / count)
        return alone + last + max(0, messages - last - alone * 2 / 3)


CLUSTERS = (Cluster("eight cards of 400 Gbit/s a machine", 450e9, 8 * 50e9), Cluster("one card of 100 Gbit/s a machine", 450e9, 12.5e9))
RESNET34 = 4 * 21_282_122  # bytes of its gradients in float32, with the stem for CIFAR-10
ALONE = 5.1e-3  # seconds of a step of it, docs/gpu.md: batch 128, bfloat16, an H200
MIB = 1 << 20


def ranks_section(ranks):
    rows, rounds = [], min(len(case["milliseconds"]) for case in ranks["cases"].values())
    for name, case in ranks["cases"].items():
        waiting = f"{100 * statistics.median(case['waiting']):.0f} %" if case["waiting"] and name.endswith("ranks") else ""
        rows.append([name, spread(case["milliseconds"], lambda value: f"{value:.1f}"), waiting])
    return [
        "### On one machine\n",
        f"Two ranks on two cores beside one rank with two threads, and PyTorch's DistributedDataParallel over Gloo on the same work, run in turns: milliseconds a step, the median and from the least to the most of "
        f"{rounds} rounds; MLP of two times 1,000 units, batch 512, Adam, APO at K = 10. (At most: what ranks have waited before the first step counts, too.) {ranks['processor']}; `scripts/benchmark.sh ranks`.\n",
        table(["", "ms a step", "of it at most in calls of the engine"], rows) + "\n"]


def sums_table(network, costs):
    rows = []
    for megabits in sorted({case["megabits"] for case in network["sums"]}):
        for machines in (2, 3, 4, 5, 8):
            row = [f"{megabits} Mbit/s", str(machines)]
            for engine, cases in by_engine(network, "sums").items():
                case = next(c for c in cases if (c["megabits"], c["machines"], c["bytes"]) == (megabits, machines, MIB))
                row += [f"{case['seconds']:.2f}", f"{costs[engine].of(case):.2f}"]
            rows.append(row)
    return table(["card", "machines", *(f"{engine}, {word}" for engine in ENGINES for word in ("s", "model"))], rows)


def steps_table(network, costs):
    steps = by_engine(network, "steps")
    rows = []
    for case in steps["MPI"]:
        if case["megabits"]:
            row = [f"{case['megabits']} Mbit/s", str(case["machines"])]
            for engine, cases in steps.items():
                own = next(c for c in cases if (c["megabits"], c["machines"]) == (case["megabits"], case["machines"]))
                row += [f"{own['seconds']:.2f}", f"{step_seconds(costs[engine], network, own):.2f}"]
            rows.append(row)
    return table(["card", "machines", *(f"{engine}, {word}" for engine in ENGINES for word in ("s a step", "model"))], rows)


def network_section(network):
    costs = fitted(network)
    found = [f"over {engine} a hop takes {1e6 * cost.latency:.0f} µs and sums see {100 * cost.share:.0f} % of the card's speed (predicted ÷ measured: "
             f"{spread(errors(cost, [c for c in by_engine(network, 'sums')[engine] if c['bytes']]), lambda e: f'{e:.2f}')})" for engine, cost in costs.items()]
    return [
        "### On a network\n",
        f"Two to eight machines that are network namespaces on a bridge, with cards of 100 to 400 Mbit/s (which let 128 KB pass at once, so that sums may see more than that), a rank on each; {network['processor']}, whose {network['cores']} cores all of them share; "
        "`scripts/benchmark.sh network`. A sum over n ranks is taken to cost\n",
        "    seconds = messages × (hops × latency + bytes sent ÷ (share × speed of the card))\n",
        table(["engine, message", "hops", "bytes sent, for each byte"], [
            ["MPI, below 64 KB or n < 4: along a tree and back", "2 ⌈log₂ n⌉", "2 ⌈log₂ n⌉"],
            ["MPI, n a power of two: by halves (Rabenseifner)", "2 log₂ n", "2 (n − 1) / n"],
            ["MPI, other n, with 2^k the next below", "2 k + 3", "2 (2^k − 1) / 2^k + 2"],
            ["Gloo: in a ring", "2 (n − 1)", "2 (n − 1) / n"]]) + "\n",
        f"Fitted to {len(network['sums'])} sums of {network['total'] / MIB:.0f} MB in messages of 64 KB to 4 MB: {'; '.join(found)}. Seconds for 4 MB in messages of 1 MB:\n",
        sums_table(network, costs) + "\n",
        "Steps of the MLP above (7.2 MB of gradients in two messages) with a fixed rate, held against what one rank alone takes, divided by the cores, and the model's sums. All but some 40 ms of them are waiting:\n",
        steps_table(network, costs) + "\n"]


def prediction_section():
    rows = []
    for gpus in (1, 8, 64, 1024):
        row = [str(gpus)]
        for cluster in CLUSTERS:
            for bucket in (1, 25):
                seconds = cluster.step(gpus, ALONE, RESNET34, bucket * MIB)
                row.append(f"{1e3 * seconds:.1f} ({100 * ALONE / seconds:.0f} %)")
        rows.append(row)
    first = CLUSTERS[0]
    return [
        "### For eight machines of eight GPUs: a prediction\n",
        f"Not measured. ResNet-34 for pictures of CIFAR-10's size, {RESNET34 / 1e6:.0f} MB of gradients, batch 128 a GPU, of which one alone takes {1e3 * ALONE:.1f} ms a step ([gpu.md](gpu.md)). Taken for granted: NVLink and cards give "
        f"{100 * first.share:.0f} % of what is on their paper (450 GB/s between GPUs), a call {1e6 * first.call:.0f} µs and a hop of NCCL's tree {1e6 * first.hop:.0f} µs, and all messages but the last are hidden behind the "
        "backward pass where that lasts. Milliseconds a step (share of the time in which one GPU alone would do its part), in messages of 1 MB and of NCCL's 25 MB:\n",
        table(["GPUs", *(f"{cluster.name}, {bucket} MB" for cluster in CLUSTERS for bucket in (1, 25))], rows) + "\n"]


def part(ranks, network):
    parts = []
    if ranks:
        parts += ranks_section(ranks)
    if network:
        parts += network_section(network)
    return BEGIN + "\n" + "\n".join([*parts, *prediction_section()]) + "\n" + END


def results():
    files = [RESULTS / f"{name}.json" for name in ("ranks", "network")]
    return [runs.read(file) if file.exists() else {} for file in files]


def page(text):
    """docs/scaling.md with the part that is written anew."""
    before, rest = text.split(BEGIN)
    return before + part(*results()) + rest.split(END)[1]


def write():
    file = DOCS / "scaling.md"
    file.write_text(page(file.read_text()))
