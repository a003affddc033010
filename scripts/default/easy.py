"""Easy problems trained long after all is learned: a default that ruins what it has learned fails here. Not a test of speed: nothing is compared."""

import concurrent.futures
import csv
import json
import pathlib
import random
import sys
import tempfile

from default.runner import Programs, call, words_of
from paper.tables import table

BASE = """
dataset: {name: synthetic, train_examples: 200, test_examples: 50, batch_size: 50, height: 8, width: 8}
model: {name: mlp, hidden: [16]}
threads: 1
"""
PROBLEMS = {
    "300 steps": ["train.epochs=75"],
    "300 steps, no decay": ["train.epochs=75", "optimizer.schedule={name: none}"],
    "160 steps": ["train.epochs=40"],
    "100 steps": ["train.epochs=25"],
    "200 steps, float64": ["train.epochs=40", "dataset.train_examples=230", "precision=float64"],
    "400 steps, batches of 10": ["train.epochs=20", "dataset.batch_size=10"],
    "240 steps, MLP 32-32-32": ["train.epochs=60", "model.hidden=[32, 32, 32]"],
    "160 steps, a table of 72 rows": ["train.epochs=40", "dataset={name: csv, path: table.csv, batch_size: 20}"],
}
SEEDS = range(4)
LEARNED = 0.1  # below it all is still classified rightly, and a loss may double


def write_table(path):
    """90 flowers of two kinds, told apart by a length and, two times of three, by a colour."""
    source = random.Random(0)
    with open(path, "wt", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["length", "colour", "kind"])
        for _ in range(90):
            kind = source.choice(("rose", "lily"))
            colour = source.choice(("red", "red", "white") if kind == "rose" else ("white", "white", "red"))
            rows.writerow([source.gauss(20 if kind == "rose" else -20, 10), colour, kind])


def is_ruined(trace):
    losses = trace["epochs"]["train_loss"]
    return losses[-1] is None or losses[-1] > max(2 * min(loss for loss in losses if loss is not None), LEARNED)


def train(program, folder, problem, rule, seed):
    """Whether it is ruined."""
    name = f"{problem}_{rule}_{seed}".replace(" ", "_").replace(",", "")
    words = [f"--set={word.replace('table.csv', f'{folder}/table.csv')}" for word in [f"name={name}", f"optimizer.name={rule}", *PROBLEMS[problem]]]
    result = call([program, "--config", f"{folder}/easy.yaml", *words, "--seed", str(seed), "--output", folder, "--progress", "off", "--log-level", "error"])
    if result.returncode not in (0, 4):  # 4: diverged
        sys.exit(words_of(result))
    return result.returncode == 4 or is_ruined(json.loads((pathlib.Path(folder) / name / "trace.json").read_text()))


def ruined(program, rules, seeds, jobs=2):
    """{(problem, rule): how many of the seeds}"""
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        (pathlib.Path(folder) / "easy.yaml").write_text(BASE)
        write_table(pathlib.Path(folder) / "table.csv")
        found = {(problem, rule): [pool.submit(train, program, folder, problem, rule, seed) for seed in seeds] for problem in PROBLEMS for rule in rules}
        return {of: sum(run.result() for run in runs) for of, runs in found.items()}


def show(rules, jobs):
    found = ruined(Programs().ours, rules, SEEDS, jobs)
    print(table([f"ruined of {len(SEEDS)}", *rules], [[problem, *(str(found[problem, rule]) for rule in rules)] for problem in PROBLEMS]))
