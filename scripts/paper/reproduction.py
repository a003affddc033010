"""The evidence beside the paper: results/FIGURE.json from runs; pictures and docs/reproduction.md from results/."""

import fnmatch
import json
import pathlib
import sys

from paper import DOCS, RESULTS, machine, origin, plots, runs, study_plots, tried
from paper.claims import CLAIMS
from paper.earlier import EARLIER
from paper.findings import final_losses
from paper.tables import number, spread, table


def name_of(result):
    """Of its file, picture and claim: what a GPU makes of a figure stands beside what two cores do."""
    return result["figure"] + ("_gpu" if result["scale"] == "gpu" else "")


def beside(result, only):
    """A figure's result with what has been collected before of configurations that the pattern does not match."""
    file = RESULTS / f"{name_of(result)}.json"
    known = runs.read(file) if only != "*" and file.exists() else {"runs": {}}
    others = {name: run for name, run in known["runs"].items() if not fnmatch.fnmatch(name.split("/")[0], only)}
    return {**known, **result, "runs": dict(sorted({**others, **result["runs"]}.items()))}


def collect(folder, scale, figure, only="*"):
    """The runs below a folder; beside each RUN stands RUN.config, the hash that it was begun with. only: of those configurations; the others' stay."""
    folder = pathlib.Path(folder)
    result = {"figure": figure, "scale": scale, "processor": "", "runs": {}}
    for of_run in runs.folders(folder):
        run = runs.kept(of_run)
        if run["status"] != "interrupted":
            run["commit"] = run["environment"].pop("commit")
            result["runs"][str(of_run.relative_to(folder))] = run
    on_gpu = any(run["environment"]["device"].startswith("cuda") for run in result["runs"].values())
    result["processor"] = machine.device_name("cuda" if on_gpu else "cpu")
    if (folder / "study.json").exists():
        result["study"] = runs.rounded(runs.read(folder / "study.json"))
        result["study"]["commit"] = (folder / "study.commit").read_text().strip()
    for config, part in origin.parts(result):
        part["config"] = origin.begun(folder / config.split("/")[-1])
    result = beside(result, only)
    for complaint in origin.complaints(result):
        sys.exit(f"{complaint}; remove its folder in {folder} to run it again")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name_of(result)}.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")


def results():
    """Those that are there, in the order of the claims."""
    return [runs.read(RESULTS / f"{name}.json") for name in CLAIMS if (RESULTS / f"{name}.json").exists()]


def runs_table(result):
    """A line for each run, or for the seeds of one configuration."""
    groups = runs.by_configuration(result["runs"])
    seeds = max(map(len, groups.values()))
    rows = []
    for name, group in groups.items():
        accuracies = [([a for a in run["epochs"]["test_accuracy"] if a is not None] or [None])[-1] for run in group]
        rates = [run["steps"]["learning_rate"][-1] for run in group if run["steps"]["learning_rate"]]
        rows.append([name, spread(map(runs.final_loss, group), lambda loss: number(loss, ".2e")), spread(accuracies, lambda a: f"{100 * a:.2f} %"),
                     spread(rates, "{:.4g}".format), ", ".join(sorted({run["status"] for run in group} - {"finished"}))])
    return table(["run" if seeds == 1 else f"run, median of {seeds} seeds (least to most)", "training loss at the end", "test accuracy",
                  "learning rate at the end", ""], rows)


def where(result):
    """The machine and the program."""
    environments = [run["environment"] for run in result["runs"].values()]
    words = [result["processor"]]
    if environments:
        threads = sorted({e["threads"] for e in environments})
        words += [environments[0]["device"], f"{'/'.join(map(str, threads))} thread(s)", f"LibTorch {environments[0]['libtorch']}"]
    commits = sorted({part["commit"] for _, part in origin.parts(result) if part.get("commit")})
    return ", ".join([*words, *(f"commit {commit}" for commit in commits)])


def section(result, claim, finding):
    figure, scale, name = result["figure"], result["scale"], name_of(result)
    parts = [f"## {claim.title}\n", f"**Paper:** {claim.paper}\n", f"**Measured** (scale {scale}): {finding.numbers}\n",
             f"**Verdict:** *{finding.verdict}*{', ' + finding.because if finding.because else ''}.\n",
             *([f"**Earlier:** {EARLIER[name]}\n"] if name in EARLIER else []),
             *([f"**Settings tried:** {tried.line(result)}.\n"] if tried.unequal(result) else []),
             f"![{claim.title}](images/{name}.svg)\n"]
    if result["runs"]:
        parts.append(runs_table(result) + "\n")
    outdated = {config: part["outdated"] for config, part in origin.parts(result) if "outdated" in part}
    parts += [f"`{origin.file_of(config)}` has changed since this was measured ({what}).\n" for config, what in outdated.items()]
    parts.append(f"`scripts/reproduce.sh {figure} --scale {scale}` · {where(result)}\n")
    return "\n".join(parts)


def verdicts(found):
    rows = [[claim.title, finding.numbers.split("\n")[0], finding.verdict] for claim, finding in found]
    return table(["what", "measured", "verdict"], rows)


def judged(all_results):
    claims = [CLAIMS[name_of(result)] for result in all_results]
    return [(claim, claim.judge(result)) for claim, result in zip(claims, all_results)]


def page(all_results):
    found = judged(all_results)
    lines = ["# The paper, reproduced\n",
             "Written by `scripts/paper reproduction` from the traces in `results/`, which `scripts/reproduce.sh` makes; no number and no verdict "
             "on them is typed by hand, only what earlier versions of this page said. Scale `full` is the paper's setting, `cpu` a smaller one that two cores "
             "finish, `gpu` one between them; where the data or the epochs are reduced, only the order of the methods is compared.\n",
             "In Fig. 2c, 2d, 3 to 6 and 14 *reproduced* is at most the loss of the best fixed rate and of the schedule of the same optimizer, "
             "*partly* of one of them; λ is the best of the paper's grid, and another that was tried stands beside it. "
             f"{tried.summary(all_results)} A setting counts as one, however it was found, as the default form for Fig. 1c,d on other "
             "seeds and λ for Fig. 15 in the search of Fig. 2d, and so does each member of a population.\n", verdicts(found) + "\n"]
    lines += [section(result, *of_it) for result, of_it in zip(all_results, found)]
    missing = sorted(set(CLAIMS) - set(map(name_of, all_results)), key=list(CLAIMS).index)
    if missing:
        lines.append("## Not run yet\n\nThe configs of these are in `configs/paper/`, ready for a GPU: " +
                     ", ".join(f"`{figure}`" for figure in missing) + ".\n")
    return "\n".join(lines)


def draw(result):
    image = DOCS / "images" / f"{name_of(result)}.svg"
    if "study" in result:
        study_plots.study(image, result["study"])
    elif result["figure"] == "sceptic":
        study_plots.final_losses(image, final_losses(result))
    else:
        plots.curves(image, [(runs.configuration(name), run) for name, run in result["runs"].items()])


def write():
    all_results = results()
    for result in all_results:
        draw(result)
    (DOCS / "reproduction.md").write_text(page(all_results))
