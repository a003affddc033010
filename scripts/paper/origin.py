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


def said(text):
    """The lines that say something."""
    lines = [re.sub(r"(^|\s)#.*", "", line).rstrip() for line in text.splitlines()]
    return [line for line in lines if line]


def matches(pattern, name):
    """A pattern of bash: * is anything, @(one|another) either of them."""
    pattern = re.sub(r"@\\\((.*?)\\\)", lambda either: "(" + either[1].replace(r"\|", "|") + ")", re.escape(pattern))
    return re.fullmatch(pattern.replace(r"\*", ".*"), name)


def settings(config, scale, read=here):
    """The arguments of --set: of a few steps, or those of configs/paper/SCALE.args; none are the paper's."""
    if scale == "smoke":
        return ["train.epochs=0", "train.steps=12"]
    rows = [line.split(maxsplit=1) for line in said(read(args_of(scale)))]
    return [argument for pattern, argument in rows if matches(pattern, config.removeprefix("paper/"))]


def args_of(scale):
    return f"configs/paper/{scale}.args"


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


def complaint(part, now):
    """What is wrong with what a part of a result says of its configuration, the hash of which is `now`; or nothing."""
    made = part.get("config") or "an unknown one"
    if "commit" not in part and "added" not in part:
        return "names no commit"
    if made != now and "outdated" not in part:
        return f"made with {made}, the configuration has {now}"
    return "called outdated, but the configuration is as it was" if made == now and "outdated" in part else None


def complaints(result, read=here):
    """A line for each part that does not belong to its configuration and does not say so, and for each configuration without a run."""
    figure, found = result["figure"], parts(result)
    there = {f"paper/{figure}/{file.stem}" for file in (FIGURES / figure).iterdir() if file.suffix == ".yaml" or file.name == "study"}
    for config in sorted(there - {config for config, _ in found}):
        yield f"{config}: nothing was made with it"
    for config, part in found:
        why = complaint(part, config_hash(config, result["scale"], read))
        if why:
            yield f"{config}: {why}"


def note():
    """Notes in the results of figures which commits have changed their configurations since. Their pages say so then."""
    for file in RESULTS.glob("*.json"):
        result = json.loads(file.read_text())
        for config, part in parts(result) if "figure" in result else []:
            part.pop("outdated", None)
            if part["config"] == config_hash(config, result["scale"]):
                continue
            since = (part.get("commit") or part["added"]).removesuffix("-dirty") + ".."
            log = ["git", "-C", str(ROOT), "log", "--reverse", "--format=%h %s", since, "--"]
            for changed in (file_of(config), args_of(result["scale"])):
                commits = subprocess.run([*log, changed], check=True, capture_output=True, text=True).stdout.splitlines()
                if commits:
                    part["outdated"] = "; ".join(commits)
                    break
        if "figure" in result:
            file.write_text(json.dumps(result, separators=(",", ":")) + "\n")
