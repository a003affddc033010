"""docs/average.md: what averaged weights add, from the runs of scripts/benchmark.sh average."""

import json
import math
import statistics
import sys

from paper import DOCS, RESULTS, origin, runs
from paper.tables import number, table

TASKS = {"mlp": "Fashion-MNIST (12,000 examples, 5 epochs), MLP 256-256, b100, SGDm", "cnn": "Fashion-MNIST (6,000, 5 epochs), CNN, b100, Adam",
         "resnet": "CIFAR-10 (2,000, 6 epochs), ResNet-18 of width 8 with BatchNorm, b32, SGDm"}
RATES = {"fixed": "fixed", "apo": "APO, exact"}
DECAYS = ("none", "linear")
HALF_LIFE = 0.1  # where others were tried, too
STANDSTILL = 1e-9  # a learned rate below it has collapsed


def settings(grid, schedule, half_life):
    """Of each rate the means over the seeds: {rate: {"final": {…}, "average": {…}}}; a learned one is None. Without rates that diverged and runs that
    stand still."""
    found = {}
    for run in grid["runs"]:
        values = run["values"]
        if (values["optimizer.schedule.name"], values["train.average.half_life"]) == (schedule, half_life) and run["rate"] > STANDSTILL:
            found.setdefault(values.get("optimizer.learning_rate"), []).append(run)
    return {rate: {part: {key: statistics.mean(run[part][key] for run in seeds) for key in ("train_loss", "test_accuracy")}
                   for part in ("final", "average")}
            for rate, seeds in found.items() if all(run["status"] == "finished" for run in seeds)}


def best(means, part):
    """The rate with the smallest training loss of the weights, or of their average, and what it reaches."""
    rate = min(means, key=lambda rate: means[rate][part]["train_loss"])
    return rate, means[rate][part]


def cell(means, part):
    rate, reached = best(means, part)
    return f"{number(reached['train_loss'])}, {100 * reached['test_accuracy']:.1f} %" + (f" (η {rate:g})" if rate else "")


def rows(results):
    for task, told in TASKS.items():
        for kind, rate in RATES.items():
            for schedule in DECAYS:
                yield told, rate, schedule, settings(results[f"{task}_{kind}"], schedule, HALF_LIFE)


def effect(results, schedule, rate):
    """The geometric mean of averaged ÷ raw training loss, each the best of its grid; and the mean of what test accuracy gains, in points."""
    pairs = [[best(means, part)[1] for part in ("average", "final")] for _, of, decay, means in rows(results) if (of, decay) == (rate, schedule)]
    ratio = math.exp(statistics.mean(math.log(average["train_loss"] / raw["train_loss"]) for average, raw in pairs))
    return f"{ratio:.2f}", f"{100 * statistics.mean(average['test_accuracy'] - raw['test_accuracy'] for average, raw in pairs):+.1f}"


def half_lives(results):
    lives = sorted({run["values"]["train.average.half_life"] for run in results["mlp_fixed"]["runs"]})
    for kind, rate in RATES.items():
        for schedule in DECAYS:
            yield [rate, schedule, *(cell(settings(results[f"mlp_{kind}"], schedule, life), "average") for life in lives)]


def page(results):
    seeds = ", ".join(f"{len({run['values']['seed'] for run in results[f'{task}_fixed']['runs']})} ({task})" for task in TASKS)
    lives = sorted({run["values"]["train.average.half_life"] for run in results["mlp_fixed"]["runs"]})
    lost = sum(run["rate"] <= STANDSTILL for task in TASKS for run in results[f"{task}_apo"]["runs"])
    effects = {(schedule, rate): effect(results, schedule, rate) for schedule in DECAYS for rate in RATES.values()}
    return "\n".join([
        "# Averaged weights, measured\n",
        "Written by `scripts/benchmark.sh average` from the runs of `configs/average/`: three fixed rates, or APO's exact "
        f"solver, for which nothing is chosen. Training loss over the training set and test accuracy at the end, means over {seeds} seeds; of the weights, "
        f"and of their average with `train.average.half_life: {HALF_LIFE}` ([method.md](method.md#averaged-weights)). Each is the best of its few settings by training loss, which is named: what is "
        "averaged may be the better for a larger rate." + (f" Left out: {lost} runs of APO whose rate collapsed below {STANDSTILL:g}." if lost else "") + "\n",
        table(["task", "rate", "decay", "weights", "their average"],
              [[told, rate, decay, cell(means, "final"), cell(means, "average")] for told, rate, decay, means in rows(results)]) + "\n",
        "In short, the average beside the weights, geometric mean of the training losses' ratio and mean gain in test accuracy over the tasks:\n",
        table(["rate", *(f"decay: {schedule}" for schedule in DECAYS)], [[rate, *(f"{ratio} ×, {points} points" for ratio, points in (effects[schedule, rate] for schedule in DECAYS))]
                                       for rate in RATES.values()]) + "\n",
        "## How long a half-life\n",
        "The MLP: training loss and test accuracy of the average.\n",
        table(["rate", "decay", *(f"h = {life:g}" for life in lives)], half_lives(results)) + "\n"])


def results():
    return runs.read(RESULTS / "average.json")


def complaints(grids):
    found = {f"average/{name}": origin.complaint(grid, origin.config_hash(f"average/{name}")) for name, grid in grids.items()}
    return [f"{name}: {why}" for name, why in found.items() if why]


def kept(of_grid, run):
    """What is kept of a run of a grid."""
    summary = of_grid.summary(run["folder"])
    parts = {"final": summary["final"], "average": summary["average"]}
    return {"values": run["values"], "status": run["status"], "rate": summary.get("learned_rate", summary["learning_rate"]),
            **{part: runs.rounded({"train_loss": (of["train"] or {}).get("loss"), "test_loss": (of["test"] or {}).get("loss"),
                                   "test_accuracy": (of["test"] or {}).get("accuracy")}) for part, of in parts.items()}}


def collect(*folders):
    """Grids of configs/average/ into results/average.json and docs/average.md. Beside each GRID stands GRID.config."""
    found = {}
    for folder in folders:
        of_grid = runs.Runs(folder)
        grid = runs.read(of_grid.folder / "grid.json")
        members = sorted(grid["runs"], key=lambda run: run["label"])
        found[grid["name"]] = {"runs": [kept(of_grid, run) for run in members], "commit": of_grid.trace(members[0]["folder"])["environment"]["commit"],
                               "config": origin.begun(of_grid.folder)}
    for why in complaints(found):
        sys.exit(f"{why}; remove its folder to run it again")
    (RESULTS / "average.json").write_text(json.dumps(found, separators=(",", ":")).replace('{"values"', '\n{"values"') + "\n")
    (DOCS / "average.md").write_text(page(found))
