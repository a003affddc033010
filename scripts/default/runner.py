"""Trains the cells that are not recorded, several at a time, on one thread each."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

from default import cells, records
from paper import ROOT, runs

PEER = ROOT / "benchmarks/rivals_peer.py"
OTHERWISE = ("name:", "seed:", "threads:", "  root:")  # lines of a resolved configuration that do not change what is learned


class Refused(Exception):
    """A program's own words why it does not train a cell."""


def call(command, text=""):
    """At the root, which paths of data in configurations are relative to. text: what it reads from its standard input."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    if environment.get("APO_DATA_ROOT"):
        environment["APO_DATA_ROOT"] = os.path.abspath(environment["APO_DATA_ROOT"])
    command = [os.path.abspath(command[0]) if "/" in command[0] else command[0], *command[1:]]
    try:
        return subprocess.run(command, input=text, capture_output=True, text=True, env=environment, cwd=ROOT)
    except FileNotFoundError:
        sys.exit(f"{command[0]}: no such program; accepted: the paths in APO_TRAIN and PEER_PYTHON")


def words_of(result):
    """The line in which a program says what is wrong."""
    return (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]


class Programs:
    """apo-train, and a Python with PyTorch and the rivals' packages."""

    def __init__(self):
        self.ours = os.environ.get("APO_TRAIN", str(ROOT / "build/default/bin/apo-train"))
        self.peer = os.environ.get("PEER_PYTHON")
        version = call([self.ours, "--version"]).stdout.partition("\n")[0]
        self.commit = version.rsplit("commit ", 1)[-1].strip(" )") if "commit " in version else "unknown"
        self.known = {}

    def configuration(self, task, words=()):
        """With every default, as the program prints it."""
        key = (task.path, *words)
        if key not in self.known:
            result = call([self.ours, "--config", str(task.path), *(f"--set={word}" for word in words), "--print-config"])
            if result.returncode:
                raise Refused(words_of(result))
            self.known[key] = result.stdout
        return self.known[key]

    def resolved(self, cell):
        """A hash of it for those arms that are what the program does by default."""
        if not cell.arm.defaults:
            return None
        lines = [line for line in self.configuration(cell.task, cell.words).splitlines() if not line.startswith(OTHERWISE)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]

    def train(self, cell):
        """What is recorded of a cell."""
        record = self.train_peer(cell) if cell.arm.peer else self.train_ours(cell)
        return record | {"config": cell.config} | ({"resolved": self.resolved(cell)} if cell.arm.defaults else {})

    def train_ours(self, cell):
        with tempfile.TemporaryDirectory() as folder:
            result = call([self.ours, "--config", str(cell.task.path), *(f"--set={word}" for word in cell.words), "--set=name=cell",
                           "--set=trace.every=1000000", "--seed", str(cell.seed), "--threads", "1", "--device", "cpu", "--output", folder,
                           "--progress", "off", "--log-level", "warn"])
            if result.returncode not in (0, 4, 5):  # 4: diverged; 5: so did some of a population
                raise Refused(words_of(result))
            summary = runs.read(pathlib.Path(folder) / "cell/summary.json")
        return outcome(summary, cell.arm.averaged) | {"commit": self.commit}

    def train_peer(self, cell):
        result = call([self.peer, str(PEER), *cell.words, "--seed", str(cell.seed)], text=self.configuration(cell.task))
        if result.returncode:
            raise Refused(words_of(result))
        return runs.rounded(json.loads(result.stdout.splitlines()[-1])) | {"commit": self.commit}


def outcome(summary, averaged=False):
    """What is kept of a summary; averaged: of the averaged weights, with the loss of those that were trained beside it."""
    weights = averaged and summary.get("average") or summary["final"]  # a run that diverged has no average
    train, test = (weights[part] or {} for part in ("train", "test"))
    kept = {"status": summary["status"], "loss": train.get("loss"), "test_loss": test.get("loss"), "accuracy": test.get("accuracy"),
            "rate": summary["learning_rate"], "seconds": float(summary["wall_seconds"]), "meta_share": summary["meta_share"]}
    if averaged:
        kept["loss_not_averaged"] = (summary["final"]["train"] or {}).get("loss")
    return runs.rounded(kept)


class Study:
    """The cells of some tasks, arms and seeds, of which those are trained that are missing."""

    def __init__(self, programs, tasks, arms, seeds, say=print):
        self.programs, self.tasks, self.arms, self.seeds, self.say = programs, tasks, arms, seeds, say
        self.refused = {}
        self.trained = set()
        self.lock = threading.Lock()

    def missing(self):
        """In the order in which they are trained: the search first, for it decides about the others."""
        known = records.read()
        return [cell for seed in sorted(self.seeds, key=lambda seed: (seed != cells.SEARCH_SEED, seed)) for task in self.tasks for arm in self.arms
                for cell in cells.of(known, task, arm, seed) if self.wanted(known, cell)]

    def wanted(self, known, cell):
        if cell.key in self.trained or (cell.task.name, cell.arm.name) in self.refused or (cell.arm.peer and not self.programs.peer):
            return False
        try:
            return not cells.recorded(known, cell, self.programs.resolved(cell))
        except Refused as why:
            self.refuse(cell, why)
            return False

    def refuse(self, cell, why):
        with self.lock:
            if cell.arm.name not in {arm for _, arm in self.refused}:
                self.say(f"{cell.key}: left out, and so are others of {cell.arm.name}: {why}")
            self.refused[cell.task.name, cell.arm.name] = str(why)

    def train(self, cell):
        if (cell.task.name, cell.arm.name) in self.refused:
            return
        try:
            record = self.programs.train(cell)
        except Refused as why:
            self.refuse(cell, why)
            return
        with self.lock:
            records.add(cell, record)
            self.trained.add(cell.key)
        self.say(f"{cell.key}: {record['status']}, loss {record['loss']}, accuracy {record['accuracy']}, {record['seconds']} s")

    def run(self, jobs, minutes=None):
        """Until nothing is missing, or no cell may begin any more. The winners of a search follow when it is over."""
        end = time.monotonic() + 60 * minutes if minutes is not None else float("inf")
        while time.monotonic() < end:
            missing = self.missing()
            if not missing:
                break
            first = missing[0].seed
            todo = iter([cell for cell in missing if cell.seed == first])
            with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
                list(pool.map(lambda _: self.work(todo, end), range(jobs)))

    def work(self, todo, end):
        while time.monotonic() < end:
            with self.lock:
                cell = next(todo, None)
            if cell is None:
                return
            self.train(cell)
