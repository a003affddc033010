#!/usr/bin/env python3
"""The evidence beside the paper: results/FIGURE.json from runs, pictures and docs/reproduction.md from results/.

    scripts/reproduction.py collect RUNS_FOLDER SCALE FIGURE   runs → results/FIGURE.json, then the page
    scripts/reproduction.py page                               results/ → docs/images/*.svg and docs/reproduction.md

Called by scripts/reproduce.sh. Needs python3-matplotlib.
"""

import json
import math
import pathlib
import platform
import statistics
import sys

import usage

if __name__ == "__main__":
    usage.words(__doc__, 1, 4)  # --help needs no matplotlib
import claims
import plot_studies
import plot_traces

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"
POINTS = 120


def rounded(value):
    return float(f"{value:.4g}") if isinstance(value, float) else value


def thinned(columns):
    """At most POINTS rows and a last one, each number to four digits."""
    length = len(next(iter(columns.values())))
    rows = sorted({*range(0, length, max(1, math.ceil(length / POINTS))), *([length - 1] if length else [])})
    return {key: [rounded(values[i]) for i in rows] for key, values in columns.items()}


def run_folders(runs_folder):
    """Folders of runs; a population counts as one, not as its members."""
    folders = [file.parent for file in sorted(pathlib.Path(runs_folder).rglob("summary.json"))]
    return [folder for folder in folders if not (folder.parent / "population.json").exists()]


def read_run(folder):
    """What is kept of a run. A population is told by its best member's trace, and its wall_seconds are those of all."""
    summary = json.loads((folder / "summary.json").read_text())
    traced = folder
    if (folder / "population.json").exists():
        members = json.loads((folder / "population.json").read_text())["runs"]
        traced = folder / members[0]["folder"]
    trace = json.loads((traced / "trace.json").read_text())
    kept = ("epoch", "step", "train_loss", "test_loss", "test_accuracy", "learning_rate", "wall_seconds")
    run = {key: summary.get(key) for key in ("status", "message", "steps", "wall_seconds", "final")}
    if traced is not folder:
        run["members"] = len(members)
    run["environment"] = {key: trace["environment"].get(key) for key in ("device", "libtorch", "threads")}
    run["epochs"] = thinned({key: trace["epochs"][key] for key in kept})
    run["steps"] = thinned({key: trace["steps"][key] for key in ("step", "loss", "learning_rate")})
    run["hyperparameters"] = {name: thinned(columns) for name, columns in trace["hyperparameters"].items()
                              if name != "learning_rate"}
    return run


def processor():
    """The name of the machine's processor."""
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def collect(runs_folder, scale, figure):
    runs = {}
    for folder in run_folders(runs_folder):
        run = read_run(folder)
        if run["status"] != "interrupted":
            runs[str(folder.relative_to(runs_folder))] = run
    study = pathlib.Path(runs_folder) / "study.json"
    result = {"figure": figure, "scale": scale, "processor": processor(), "runs": runs}
    if study.exists():
        result["study"] = compact_study(json.loads(study.read_text()))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{figure}.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")


def compact_study(value):
    """Lists to four digits."""
    if isinstance(value, dict):
        return {key: compact_study(part) for key, part in value.items()}
    if isinstance(value, list):
        return [compact_study(part) for part in value]
    return rounded(value)


def number(value):
    if value is None:
        return "–"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1000 else f"{value:.2e}"


def middle(values, shown):
    """The median, and the range of values that differ."""
    values = sorted(value for value in values if value is not None)
    if not values:
        return "–"
    text = shown(statistics.median(values))
    return f"{text} ({shown(values[0])} to {shown(values[-1])})" if values[0] != values[-1] else text


def runs_table(runs):
    """A line for each run, or for the seeds of one configuration."""
    groups = claims.by_configuration(runs)
    seeds = max(map(len, groups.values()))
    lines = ["| run | training loss at the end | test accuracy | learning rate at the end | |", "|---|---|---|---|---|"]
    for name, group in groups.items():
        accuracies = [([a for a in run["epochs"]["test_accuracy"] if a is not None] or [None])[-1] for run in group]
        rates = [run["steps"]["learning_rate"][-1] for run in group if run["steps"]["learning_rate"]]
        statuses = sorted({run["status"] for run in group} - {"finished"})
        lines.append(f"| {name} | {middle(map(claims.final_loss, group), number)} | {middle(accuracies, lambda a: f'{100 * a:.2f} %')} | "
                     f"{middle(rates, '{:.4g}'.format)} | {', '.join(statuses)} |")
    if seeds > 1:
        lines[0] = lines[0].replace("| run |", f"| run, median of {seeds} seeds (least to most) |")
    return "\n".join(lines)


def section(result):
    figure = result["figure"]
    claim = claims.CLAIMS[figure]
    finding = claim.judge(result)
    environments = [run["environment"] for run in result["runs"].values()]
    where = result["processor"]
    if environments:
        threads = sorted({e["threads"] for e in environments})
        where += f", {environments[0]['device']}, {'/'.join(map(str, threads))} thread(s), LibTorch {environments[0]['libtorch']}"
    parts = [f"## {claim.title}\n", f"**Paper:** {claim.paper}\n", f"**Measured** (scale {result['scale']}): {finding.numbers}\n",
             f"**Verdict:** *{finding.verdict}*{', ' + finding.because if finding.because else ''}.\n"]
    image = ROOT / "docs/images" / f"{figure}.svg"
    if draw(image, result):
        parts.append(f"![{claim.title}](images/{figure}.svg)\n")
    if result["runs"]:
        parts.append(runs_table(result["runs"]) + "\n")
    parts.append(f"`scripts/reproduce.sh {figure} --scale {result['scale']}` · {where}\n")
    return "\n".join(parts), [claim.title, finding.numbers.split("\n")[0], finding.verdict]


def draw(image, result):
    image.parent.mkdir(exist_ok=True)
    if "study" in result:
        plot_studies.draw(image, result["study"])
        return True
    if result["figure"] == "sceptic":
        plot_studies.final_losses(image, claims.final_losses(result))
    elif result["runs"]:
        plot_traces.draw(image, [(claims.configuration(name), run) for name, run in result["runs"].items()])
    return bool(result["runs"])


def page():
    results = [json.loads((RESULTS / f"{figure}.json").read_text()) for figure in claims.CLAIMS
               if (RESULTS / f"{figure}.json").exists()]
    sections = [section(result) for result in results]
    missing = [figure for figure in claims.CLAIMS if not (RESULTS / f"{figure}.json").exists()]
    lines = ["# The paper, reproduced\n",
             "Written by `scripts/reproduction.py page` from the traces in `results/`, which `scripts/reproduce.sh` makes; nothing here is typed "
             "by hand. Scale `full` is the paper's setting, `cpu` a smaller one that two cores finish; where the data or the epochs are "
             "reduced, only the order of the methods is compared.\n",
             "| what | measured | verdict |\n|---|---|---|\n" + "\n".join("| " + " | ".join(row) + " |" for _, row in sections) + "\n"]
    lines += [text for text, _ in sections]
    if missing:
        lines.append("## Not run yet\n\nThe configs of these are in `configs/paper/`, ready for a GPU: " +
                     ", ".join(f"`{figure}`" for figure in missing) + ".\n")
    (ROOT / "docs/reproduction.md").write_text("\n".join(lines))


def main():
    task, *rest = usage.words(__doc__, 1, 4)
    if task == "collect" and len(rest) == 3:
        collect(*rest)
    elif task != "page" or rest:
        sys.exit(__doc__.strip())
    page()


if __name__ == "__main__":
    main()
