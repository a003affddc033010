"""What results belong to: the commit of the program that made them, and a hash of their configuration.

The hash is of what a configuration says, without comments and blank lines, and of the --set arguments that its scale adds.
Configurations are named by their paths in configs/; paper/FIGURE/study has the arguments of apo-study.
"""

import hashlib
import json
import re
import subprocess

from paper import RESULTS, ROOT

FIGURES = ROOT / "configs/paper"


def here(path):
    """A file of this tree; empty where there is none."""
    return (ROOT / path).read_text() if (ROOT / path).exists() else ""


def git(*words):
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True).stdout


def said(text):
    """The lines that say something."""
    lines = [re.sub(r"(^|\s)#.*", "", line).rstrip() for line in text.splitlines()]
    return [line for line in lines if line]


def matches(pattern, name):
    """A pattern of bash: * is anything, @(one|another) either of them."""
    pattern = re.sub(r"@\\\((.*?)\\\)", lambda either: "(" + either[1].replace(r"\|", "|") + ")", re.escape(pattern))
    return re.fullmatch(pattern.replace(r"\*", ".*"), name)


def settings(config, scale, read=here):
    """The arguments of --set: of a few steps, or those of configs/paper/cpu.args."""
    if scale == "smoke":
        return ["train.epochs=0", "train.steps=12"]
    rows = [line.split(maxsplit=1) for line in said(read("configs/paper/cpu.args"))] if scale == "cpu" else []
    return [argument for pattern, argument in rows if matches(pattern, config.removeprefix("paper/"))]


def hash_of(text, more=()):
    return hashlib.sha256("\n".join([*said(text), *more]).encode()).hexdigest()[:12]


def file_of(config):
    return f"configs/{config}" + ("" if config.endswith("/study") else ".yaml")


def config_hash(config, scale="full", read=here):
    return hash_of(read(file_of(config)), settings(config, scale, read))


def begun(folder):
    """The hash that a run was begun with, which stands beside its folder."""
    note = folder.with_name(folder.name + ".config")
    return note.read_text().strip() if note.exists() else None


def parts(result):
    """(configuration, what was made with it) of a figure's result: its runs, which may be many of one grid, and its study."""
    found = [(f"paper/{result['figure']}/{name.split('/')[0]}", run) for name, run in result["runs"].items()]
    return found + ([(f"paper/{result['figure']}/study", result["study"])] if "study" in result else [])


def complaints(result, read=here):
    """A line for each part that does not belong to its configuration and does not say so, and for each configuration without a run."""
    figure, scale, found = result["figure"], result["scale"], parts(result)
    there = {f"paper/{figure}/{file.stem}" for file in (FIGURES / figure).iterdir() if file.suffix == ".yaml" or file.name == "study"}
    for config in sorted(there - {config for config, _ in found}):
        yield f"{config}: nothing was made with it"
    for config, part in found:
        if not (part.get("commit") or part.get("added")):
            yield f"{config}: no commit is named"
        now = config_hash(config, scale, read)
        if (part.get("config") == now) == ("outdated" in part):
            yield (f"{config}: made with {part.get('config')}, which the configuration of scale {scale} is again; drop 'outdated'" if "outdated" in part
                   else f"{config}: made with {part.get('config')}, the configuration of scale {scale} has {now} now; run scripts/reproduce.sh {figure}")


def at(commit):
    """Reads files as they were. Each figure had a cpu.args of its own once, for all its runs."""
    def read(path):
        text = git("show", f"{commit}:{path}")
        return text or "".join(f"{own.split('/')[2]}/* {line}\n" for own in git("ls-tree", "-r", "--name-only", commit, "configs/paper").split()
                               if path.endswith("/cpu.args") and own.endswith("/cpu.args") for line in said(git("show", f"{commit}:{own}")))
    return read


def date():
    """Results from before there were hashes are taken to be made with the configurations of the commit that added them; what has
    changed these since is noted."""
    for file in sorted(RESULTS.glob("*.json")):
        result = json.loads(file.read_text())
        if "figure" not in result or all("config" in part for _, part in parts(result)):
            continue
        added = git("log", "-1", "--format=%h", "--", str(file)).strip()
        for config, part in parts(result):
            part |= {"added": added, "config": config_hash(config, result["scale"], at(added))}
            if part["config"] != config_hash(config, result["scale"]):
                part["outdated"] = git("log", "--reverse", "--format=%h %s", f"{added}..", "--", file_of(config)).strip().replace("\n", "; ")
        file.write_text(json.dumps(result, separators=(",", ":")) + "\n")
