"""Everything that results and runs are made into. Called from any folder as `python3 scripts/paper COMMAND`:

    scripts/paper results RUNS                   docs/results.md, from the runs of scripts/results.sh
    scripts/paper ablations RUNS                 docs/ablations.md, from those of scripts/ablations.sh
    scripts/paper reproduction                   docs/reproduction.md and docs/images/, from results/
    scripts/paper performance                    docs/performance.md, from results/
    scripts/paper ranks                          what sums over ranks cost, in docs/scaling.md, from results/
    scripts/paper claims                         the paper's claims and what became of them, from results/
    scripts/paper collect RUNS SCALE FIGURE [ONLY]   runs of scripts/reproduce.sh into results/FIGURE.json, of scale gpu FIGURE_gpu.json;
                                                 with ONLY those of such configurations, beside what it has of others
    scripts/paper lean GRID…                     grids of scripts/benchmark.sh lean into results/lean.json
    scripts/paper average GRID…                  grids of scripts/benchmark.sh average into results/average.json and docs/average.md
    scripts/paper plots OUTPUT.svg [LABEL=]RUN…  training loss, test accuracy and learning rate, as SVG or PNG
    scripts/paper compare RUN…                   how runs ended, a line for each
    scripts/paper same RUN OTHER                 whether they are the same to the bit; else exit code 1 and the first difference
    scripts/paper same-so-far GRID OTHER         the same of the runs that the other's grid.json ranks so far
    scripts/paper settings CONFIG SCALE          what scale smoke, cpu, gpu or full sets beside configs/CONFIG.yaml, one a line
    scripts/paper hash CONFIG [SCALE]            of that configuration
    scripts/paper origin                         whether all results of runs belong to their configurations
    scripts/paper note                           notes in figures' results which commits have changed their configurations since

Pictures need python3-matplotlib.
"""

import pathlib
import sys

if not __package__:  # a folder that is run has only itself on the path
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from paper import ablations, average, origin, performance, plots, ranks, reproduction, results, runs, same, tables, usage


def draw(output, *words):
    plots.curves(pathlib.Path(output), [runs.labelled(word) for word in words])


def check_origin():
    found = [complaint for result in reproduction.results() for complaint in origin.complaints(result)]
    found += performance.lean_complaints(performance.results()[1]) + average.complaints(average.results())
    if found:
        sys.exit("\n".join(found) + "\nThey are run again by scripts/reproduce.sh and scripts/benchmark.sh lean and average, or noted by scripts/paper note.")


# name: (what does it, fewest and most words behind it)
COMMANDS = {
    "results": (lambda folder: results.write(runs.Runs(folder)), 1, 1),
    "ablations": (lambda folder: ablations.write(runs.Runs(folder)), 1, 1),
    "reproduction": (reproduction.write, 0, 0),
    "performance": (performance.write, 0, 0),
    "ranks": (ranks.write, 0, 0),
    "claims": (lambda: print(reproduction.verdicts(reproduction.judged(reproduction.results()))), 0, 0),
    "collect": (reproduction.collect, 3, 4),
    "lean": (performance.collect_lean, 1, None),
    "average": (average.collect, 1, None),
    "plots": (draw, 2, None),
    "compare": (lambda *folders: print(tables.compare(runs.Runs("."), folders)), 1, None),
    "same": (same.compare, 2, 2),
    "same-so-far": (same.compare_collected, 2, 2),
    "settings": (lambda *words: sys.stdout.writelines(f"{setting}\n" for setting in origin.settings(*words)), 2, 2),
    "hash": (lambda *words: print(origin.config_hash(*words)), 1, 2),
    "origin": (check_origin, 0, 0),
    "note": (origin.note, 0, 0),
}


def main():
    command, *rest = usage.words(__doc__, 1)
    if command not in COMMANDS:
        sys.exit(f"{sys.argv[0]}: unknown command '{command}'; accepted: {', '.join(COMMANDS)}, --help")
    run, least, most = COMMANDS[command]
    run(*usage.words(__doc__, least, most, rest))


if __name__ == "__main__":
    main()
