"""The study of the default, by the protocol of docs/default.md. Called from any folder as `python3 scripts/default COMMAND [OPTION…]`:

    scripts/default data      writes the data of the tasks in configs/default/added/ into data/default/
    scripts/default run       trains the cells that are not in results/default.json yet; what is there already is kept
    scripts/default list      prints how many cells of each arm are recorded and missing
    scripts/default forget    takes the chosen cells out of results/default.json, so that they are run again
    scripts/default tidy      takes those out whose task or row of the table has changed since
    scripts/default show      prints the tables of the chosen half as they are
    scripts/default timing    times runs of the default beside the reference's, on a machine with nothing else to do
    scripts/default easy      trains small problems long after they are learned and prints how many runs are ruined
    scripts/default judge     writes docs/default.md below its protocol, and its picture
    scripts/default choosing  writes the tables in README.md, docs/choosing.md and docs/alternatives.md, and their pictures

    --half HALF       held_out, second, third, fourth, confirmation, added or calibration; default: all
    --tasks PATTERN   names of tasks as a shell matches them, some with commas between
    --arms PATTERN    names of arms, alike: '*_ours,*_decay,nadamw'
    --rules RULE      sgdm, adam, rmsprop, sgd, some with commas between; default: sgdm,adam
    --seeds SEEDS     0-4, or some with commas between; default: 0. A search takes place with seed 0, its winner has the others too
    --jobs N          cells at a time, on one thread each; default: 2
    --minutes M       after which no cell begins any more

Environment: APO_TRAIN, the program, default build/default/bin/apo-train; APO_DATA_ROOT, the data sets; PEER_PYTHON, a Python with what
benchmarks/rivals_requirements.txt names, without which the peers' arms are left out. Pictures need python3-matplotlib.
"""

import argparse
import fnmatch
import pathlib
import sys

if not __package__:  # a folder that is run has only itself on the path
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from default import cells, choosing, data, easy, page, records, runner, tasks as all_tasks, timing
from default.arms import ARMS, OF_RULE

COMMANDS = ("data", "run", "list", "forget", "tidy", "show", "timing", "easy", "judge", "choosing")


def matching(patterns, names, what):
    """The names that one of the patterns matches; each must match some."""
    found = []
    for pattern in patterns.split(","):
        of_pattern = fnmatch.filter(names, pattern)
        if not of_pattern:
            sys.exit(f"{what} '{pattern}' names none; accepted: {', '.join(names)}")
        found += of_pattern
    return [name for name in names if name in found]


def numbers(text):
    """0-2,4: [0, 1, 2, 4]"""
    parts = [part.split("-") for part in text.split(",")]
    try:
        found = [number for part in parts for number in range(int(part[0]), int(part[-1]) + 1)]
    except ValueError:
        found = [-1]
    if not set(found) <= set(cells.SEEDS):
        sys.exit(f"--seeds {text}: accepted: 0-4, or some with commas between, {cells.SEEDS[0]} to {cells.SEEDS[-1]}")
    return found


def chosen(options):
    """(tasks, arms)"""
    if options.half not in (None, *all_tasks.GROUPS):
        sys.exit(f"--half {options.half}: accepted: {', '.join(all_tasks.GROUPS)}")
    tasks = {task.name: task for task in (all_tasks.tasks(options.half) if options.half else all_tasks.all_tasks())}
    rules = matching(options.rules, list(OF_RULE), "--rules")
    arms = {name: arm for name, arm in ARMS.items() if arm.rule is None or arm.rule in rules}
    return [tasks[name] for name in matching(options.tasks, list(tasks), "--tasks")], [arms[name] for name in matching(options.arms, list(arms), "--arms")]


def run(options):
    tasks, arms = chosen(options)
    study = runner.Study(runner.Programs(), tasks, arms, numbers(options.seeds), lambda line: print(line, flush=True))
    study.run(options.jobs, options.minutes)


def list_cells(options):
    known = records.read()
    tasks, arms = chosen(options)
    for arm in arms:
        planned = [cell for task in tasks for seed in numbers(options.seeds) for cell in cells.of(known, task, arm, seed)]
        there = [found for found in (cells.recorded(known, cell) for cell in planned) if found]
        seconds = sum(record["seconds"] for record in there)
        print(f"{arm.name:24} {len(there):4} of {len(planned):4} recorded, {seconds:.0f} s")


def forget(options):
    tasks, arms = chosen(options)
    with records.changed() as known:
        gone = [key for key in known if any(key.startswith(f"{task.name}/{arm.name}/") for task in tasks for arm in arms)
                and int(key.rsplit("/", 1)[1]) in numbers(options.seeds)]
        for key in gone:
            del known[key]
    print(f"{len(gone)} cells forgotten")


def tidy(_):
    with records.changed() as known:
        gone = cells.stale(known)
        for key in gone:
            del known[key]
    print(f"{len(gone)} cells forgotten")


def time_runs(options):
    timing.measure(runner.Programs(), records.read(), chosen(options)[0], matching(options.rules, list(OF_RULE), "--rules"), lambda line: print(line, flush=True))


def show(options):
    chosen(options)
    for half in [options.half] if options.half else all_tasks.GROUPS:
        print(page.half_section(records.read(), half))


class Parser(argparse.ArgumentParser):
    def error(self, message):
        sys.exit(f"scripts/default: {message}; accepted: {', '.join(COMMANDS)} with --half, --tasks, --arms, --rules, --seeds, --jobs, --minutes; see --help")


def main():
    parser = Parser(prog="scripts/default", add_help=False, allow_abbrev=False)
    parser.add_argument("command", choices=COMMANDS)
    for name, default, kind in (("half", None, str), ("tasks", "*", str), ("arms", "*", str), ("rules", "sgdm,adam", str), ("seeds", "0", str),
                                ("jobs", 2, int), ("minutes", None, float)):
        parser.add_argument(f"--{name}", default=default, type=kind)
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__.strip())
        return
    options = parser.parse_args()
    {"data": lambda _: data.write(), "run": run, "list": list_cells, "forget": forget, "tidy": tidy, "show": show, "timing": time_runs,
     "easy": lambda of: easy.show(matching(of.rules, list(OF_RULE), "--rules"), of.jobs), "judge": lambda _: page.write(), "choosing": lambda _: choosing.write()}[options.command](options)


if __name__ == "__main__":
    main()
