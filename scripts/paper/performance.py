"""docs/performance.md from measured numbers, beside them their limits on the machine and the goals."""

import json
import statistics
import sys

from paper import DOCS, RESULTS, origin, runs, step_work, study_plots
from paper.tables import spread, table

FILES = ("performance", "lean", "scaling", "mapped")
WHOLE_RUN, LEAN_RUN = 1.21, 1.10  # with APO at K = 10 ÷ without
MAPPED = 1.10  # ÷ in memory


def ratio(runs, above, below):
    """The median of the ratios within a round; None where one was not measured."""
    if above not in runs or below not in runs:
        return None
    return statistics.median(a / b for a, b in zip(runs[above]["milliseconds"], runs[below]["milliseconds"]))


def meta_over_base(runs, prefix="", tuner="APO"):
    """A meta step alone: what one at every step costs more than none."""
    with_meta = ratio(runs, f"{prefix}{tuner}, K = 1", f"{prefix}constant")
    return None if with_meta is None else with_meta - 1


def memory_ratio(runs, tuner="APO"):
    peaks = [runs[name]["peak_memory_bytes"] for name in (f"{tuner}, K = 1", "constant") if name in runs]
    return peaks[0] / peaks[1] if len(peaks) == 2 else None


def whole_run(runs):
    """With APO at K = 10 against a constant rate; where ten steps take too long, from the meta step."""
    measured, meta_step = ratio(runs, "APO", "constant"), meta_over_base(runs)
    return 1 + meta_step / 10 if measured is None and meta_step is not None else measured


# What is asked of each model: {model: the most}, None where nothing is, and how it is read off.
GOALS = [
    ("base step, ours ÷ PyTorch", {"mlp": 0.90, "cnn": 0.65, "resnet18": 0.95}, lambda r: ratio(r, "constant", "PyTorch, constant")),
    ("base step, ours ÷ PyTorch with a DataLoader", {"mlp": 0.50, "cnn": 0.85}, lambda r: ratio(r, "constant", "PyTorch, with a DataLoader")),
    ("base step, ours ÷ PyTorch compiled", {}, lambda r: ratio(r, "constant", "PyTorch, compiled")),
    ("run with the default ÷ constant rate", {"mlp": 1.08, "cnn": 1.08}, lambda r: ratio(r, "default", "constant")),
    ("its meta step ÷ base step", {"mlp": 0.75, "cnn": 0.75}, lambda r: meta_over_base(r, tuner="movement")),
    ("its peak memory ÷ constant rate", {}, lambda r: memory_ratio(r, "movement")),
    ("APO's meta step ÷ base step", {"mlp": 2.3, "cnn": 2.0, "resnet18": 2.0, "resnet34": 2.0}, meta_over_base),
    ("the same in PyTorch", {}, lambda r: meta_over_base(r, "PyTorch, ")),
    ("run with APO ÷ constant rate, K = 10", dict.fromkeys(("mlp", "cnn", "resnet18", "resnet34"), WHOLE_RUN), whole_run),
    ("the same, lean", {"mlp": LEAN_RUN, "cnn": LEAN_RUN}, lambda r: ratio(r, "APO, lean", "constant")),
    ("step with APO, K = 10, ours ÷ PyTorch", {}, lambda r: ratio(r, "APO", "PyTorch, APO")),
    ("the same, ours ÷ PyTorch compiled", {}, lambda r: ratio(r, "APO", "PyTorch, compiled, APO")),
    ("rates per layer ÷ one rate", {"mlp": 1.05, "cnn": 1.05}, lambda r: ratio(r, "APO, per layer", "APO")),
    ("the same, K = 1", {"resnet18": 1.05, "resnet34": 1.05}, lambda r: ratio(r, "APO, K = 1, per layer", "APO, K = 1")),
    ("K-FAC with APO ÷ K-FAC, K = 10", {}, lambda r: ratio(r, "K-FAC, APO", "K-FAC")),
    ("peak memory, APO ÷ constant rate", dict.fromkeys(("mlp", "cnn", "resnet18", "resnet34"), 1.25), memory_ratio),
]
# On a GPU, where these differ.
GPU_GOALS = {
    "base step, ours ÷ PyTorch": {"mlp": 0.2, "resnet34": 0.67},
    "base step, ours ÷ PyTorch with a DataLoader": {},
    "base step, ours ÷ PyTorch compiled": {"resnet34": 1.0},
    "step with APO, K = 10, ours ÷ PyTorch": {"mlp": 0.2, "resnet34": 0.67},
    "the same, ours ÷ PyTorch compiled": {"resnet34": 1.0},
}


def goals_table(models, device):
    rows = []
    for name, goals, read in GOALS:
        if device != "cpu":
            goals = GPU_GOALS.get(name, goals)
        cells = []
        for model, of_model in models.items():
            value, goal = read(of_model), goals.get(model)
            missed = value is not None and goal is not None and value > goal
            shown = "–" if value is None else f"{value:.2f}"
            cells.append((f"**{shown}**" if missed else shown) + (f" (≤ {goal:.2f})" if goal and value is not None else ""))
        if any(cell != "–" for cell in cells):
            rows.append([name, *cells])
    return table(["", *models], rows)


def times_table(models):
    return table(["model", "what", "ms a step, median (least to most)", "peak memory, MiB"],
                 [[model, name + (f" ({numbers['outdated']})" if "outdated" in numbers else ""), spread(numbers["milliseconds"], "{:.4g}".format), f"{numbers['peak_memory_bytes'] / 2**20:.0f}"]
                  for model, of_model in models.items() for name, numbers in of_model.items()])


def limits(models, machine):
    """What the machine allows, and what a meta step must cost."""
    rows, shares = [], []
    for model, of_model in models.items():
        if "constant" not in of_model:
            continue
        flop, moved = step_work.base_step(model)
        compute, memory = 1000 * flop / machine["flops"], 1000 * moved / machine["bytes"]
        measured = statistics.median(of_model["constant"]["milliseconds"])
        shares.append(step_work.meta_step(model) / flop)
        rows.append([model, f"{flop / 1e9:.3g}", f"{compute:.3g} ms", f"{moved / 1e6:.3g}", f"{memory:.3g} ms", f"{measured:.4g} ms",
                     f"{measured / (compute + memory):.2f}", f"{shares[-1]:.2f}"])
    return "\n".join([
        f"The machine's own limits: {machine['flops'] / 1e9:.0f} GFLOP/s in a large matrix product, {machine['bytes'] / 1e9:.1f} GB/s in a copy.\n",
        table(["model", "a base step's GFLOP", "at the rate of a large product", "the update's MB", "at the rate of a copy", "measured",
               "times the limit", "operations of a meta step ÷ base step"], rows) + "\n",
        "A faithful meta step passes x̃ forward at θ and both batches forward and backward at θ′; hence the last column. Below it there is only a dearer "
        f"base step, or `tuner.lean`. By operations a run with APO at K = 10 takes {1 + min(shares) / 10:.2f} to {1 + max(shares) / 10:.2f} times as long as "
        "one without.\n"])


def lean_section(grids):
    """Whether the medians of lean and faithful runs differ by less than the seeds do."""
    rows = []
    for name, grid in grids.items():
        kinds = [grid["faithful"], grid["lean"]]
        faithful, lean = (numbers["train_loss"] for numbers in kinds)
        within = min(faithful) <= statistics.median(lean) <= max(faithful)
        rows.append([name, spread(faithful, "{:.4f}".format), spread(lean, "{:.4f}".format), f"{'within' if within else '**outside**'} the spread of the seeds",
                     *(f"{1 / (1 - statistics.median(numbers['meta_share'])):.3f}" for numbers in kinds)])
    return "\n".join([
        "## Lean meta steps, and what APO costs in whole runs\n",
        "`tuner.lean: true` looks at a quarter of x and of x̃ in a meta step. The runs of `configs/lean/`, an MLP with RMSprop-APO, K = 10: median of the seeds "
        "(least to most); the cost is 1 / (1 − the share of meta steps in the time of training); `scripts/benchmark.sh lean`.\n",
        table(["", "training loss, faithful", "lean", "", f"run ÷ without meta steps, faithful (≤ {WHOLE_RUN:.2f})", f"lean (≤ {LEAN_RUN:.2f})"], rows) + "\n"])


def scaling_section(scaling):
    return ("## Against size\n\n![Milliseconds a step against parameters and batch](images/scaling.svg)\n\n"
            f"An MLP with two hidden layers; batches of 100 on the left, 1,000 hidden units on the right; {scaling['processor']}, {scaling['threads']} "
            "thread(s); `scripts/benchmark.sh scaling`.\n")


def mapped_section(mapped):
    rows = []
    for name, case in mapped["cases"].items():
        ratio = f"{case['ratio']:.3f}"
        rows.append([name, *(f"{statistics.median(case[key]):.3f}" for key in ("in_memory", "mapped")), ratio if case["ratio"] <= MAPPED else f"**{ratio}**"])
    return "\n".join([
        "## Sets that stay in their file\n",
        "`dataset.mapped: always` against `never`, of a set that fits into memory, run in turns: milliseconds a step, medians. "
        f"{mapped['processor']}, {mapped['threads']} thread(s); `scripts/benchmark.sh mapped`. A set of {mapped['big_bytes'] / 2**20:.0f} MiB took "
        f"{mapped['peak_bytes'] / 2**20:.0f} MiB of memory, the program and LibTorch included.\n",
        table(["", "in memory", "mapped", f"ratio (≤ {MAPPED:.2f})"], rows) + "\n"])


def page(numbers, lean, scaling, mapped=None, gpu_check=""):
    parts = ["# Performance\n",
             "Written by `scripts/benchmark.sh` from `results/performance.json`. apo-train and PyTorch (`benchmarks/pytorch_peer.py`: the same "
             "models, batches and meta steps; eager, or compiled with `mode=\"max-autotune\"`) ran in turns on the same machine with the same number of threads, which wait as each program has them wait by "
             "default; times are of warm steps. Ratios are medians of ratios within a round. In brackets what we want at most; what is **bold** misses it. "
             "The second form of the default has been measured with the MLP on the CPU; elsewhere its rows are of the first form, whose meta steps made the same two passes.\n"]
    for machine, entry in numbers.items():
        parts += [f"## {machine}\n", goals_table(entry["models"], entry["device"]) + "\n"]
        if entry["machine"]:
            parts.append(limits(entry["models"], entry["machine"]))
        parts.append(times_table(entry["models"]) + "\n")
    if gpu_check:
        parts += ["## What `scripts/gpu_check.sh` said\n", gpu_check]
    if lean:
        parts.append(lean_section(lean))
    if scaling:
        parts.append(scaling_section(scaling))
    if mapped:
        parts.append(mapped_section(mapped))
    return "\n".join(parts)


def results():
    """What was measured, {} where nothing was; and the table of a GPU."""
    files = [RESULTS / f"{name}.json" for name in FILES]
    gpu_check = RESULTS / "gpu_check.md"
    return *(runs.read(file) if file.exists() else {} for file in files), gpu_check.read_text() if gpu_check.exists() else ""


def write():
    found = results()
    if found[2]:
        study_plots.cost(DOCS / "images/scaling.svg", found[2])
    (DOCS / "performance.md").write_text(page(*found))


def lean_complaints(grids):
    found = {f"lean/{name}": origin.complaint(grid, origin.config_hash(f"lean/{name}")) for name, grid in grids.items()}
    return [f"{name}: {why}" for name, why in found.items() if why]


def collect_lean(*folders):
    """Of grids over seeds and tuner.lean: {grid: {"faithful": {"train_loss": a number for each seed, "meta_share": …}, "lean": …,
    "commit", "config"}}. Beside each GRID stands GRID.config, the hash that it was begun with."""
    found = {}
    for folder in folders:
        of_grid = runs.Runs(folder)
        grid = runs.read(of_grid.folder / "grid.json")
        members = sorted(grid["runs"], key=lambda run: run["values"]["seed"])
        found[grid["name"]] = {name: {"train_loss": [run["train_loss"] for run in members if run["values"]["tuner.lean"] == lean],
                                      "meta_share": [of_grid.summary(run["folder"])["meta_share"] for run in members if run["values"]["tuner.lean"] == lean]}
                               for name, lean in (("faithful", False), ("lean", True))}
        found[grid["name"]] |= {"commit": of_grid.trace(members[0]["folder"])["environment"]["commit"], "config": origin.begun(of_grid.folder)}
    for why in lean_complaints(found):
        sys.exit(f"{why}; remove its folder to run it again")
    (RESULTS / "lean.json").write_text(json.dumps(found, indent=1) + "\n")
