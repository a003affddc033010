"""What several ranks promise, whatever starts them: they train one run as one does, whatever becomes of some of them."""

import json
import os
import pathlib
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time

import jsonschema
from apo_train import BINARY, ROOT, ApoTrainTest, patience

RANKS = """
name: ranks
dataset: {name: synthetic, train_examples: 230, test_examples: 50, batch_size: 50, height: 8, width: 8}
model: {name: mlp, hidden: [16]}
optimizer: {name: adam}
train: {epochs: 40}
precision: float64
threads: 1
"""
# Rounds of the torture; 20 by hand.
KILLS = int(os.environ.get("APO_RANK_KILLS", 4))


def engine(name):
    """What the build has of it."""
    said = subprocess.run([BINARY, "--version"], capture_output=True, text=True).stdout
    return next(line.split(":")[1].strip() for line in said.splitlines() if line.startswith(name + ":"))


class OverMpi:
    def lacks(self):
        return shutil.which("mpirun") is None or engine("MPI") == "none"

    def launch(self, ranks):
        return ["mpirun", "--oversubscribe", "-n", str(ranks)]

    def environment(self):
        return {**super().environment(), "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                "OMPI_MCA_btl_vader_single_copy_mechanism": "none"}  # which containers forbid


class OverGloo:
    """By PyTorch's variables alone, without PyTorch."""

    def lacks(self):
        return engine("Gloo") == "none"

    def launch(self, ranks):
        return [sys.executable, str(ROOT / "tests/end_to_end/start_ranks.py"), str(ranks)]


class RanksTest(ApoTrainTest):
    def setUp(self):
        super().setUp()
        if self.lacks():
            self.skipTest("this build has no such engine, or what starts its ranks is not there")
        self.write("ranks.yaml", RANKS)

    def ranks(self, ranks, *arguments):
        return [*self.launch(ranks), *self.command(*arguments, config="ranks.yaml")]

    def with_another_one(self, *arguments):
        """The words for two ranks, of which the second has these arguments more."""
        one, other = self.command(config="ranks.yaml"), self.command(*arguments, config="ranks.yaml")
        script = f'if [ "${{RANK:-$OMPI_COMM_WORLD_RANK}}" = 1 ]; then exec {shlex.join(other)}; else exec {shlex.join(one)}; fi'
        return [*self.launch(2), "sh", "-c", script]

    def on(self, ranks, *arguments, command=None):
        return subprocess.run(command or self.ranks(ranks, *arguments), cwd=self.folder, env=self.environment(),
                              capture_output=True, text=True, timeout=patience(200))

    def on_ok(self, ranks, *arguments):
        result = self.on(ranks, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def begin(self, ranks, *arguments, command=None, name="ranks"):
        """Started, in its training; with the ranks' process numbers."""
        process = subprocess.Popen(command or self.ranks(ranks, *arguments), cwd=self.folder, env=self.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        end = time.monotonic() + patience(60)
        pids = []
        trace = self.folder / f"runs/{name}/trace.jsonl"
        while len(pids) < ranks or not trace.exists() or '"type":"epoch"' not in trace.read_text():  # of what breaks off the first step nothing is saved
            self.assertLess(time.monotonic(), end, "the ranks have not begun")
            self.assertIsNone(process.poll(), process.stderr.read() if process.poll() is not None else "")
            time.sleep(0.05)
            pids = [int(pid) for pid in subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()]
        return process, pids

    def lines_of_ours(self, said):
        return [line for line in said.splitlines() if line.startswith("apo-train:")]

    def assert_same_run(self, name, other):
        losses, others = (self.json(run, "trace.json")["steps"]["loss"] for run in (name, other))
        self.assertEqual(len(losses), len(others))
        for loss, expected in zip(losses, others, strict=True):
            self.assertAlmostEqual(loss, expected, delta=1e-10 * max(1, abs(expected)))


class Training:
    def test_two_and_four_ranks_train_as_one_does(self):
        self.run_ok(config="ranks.yaml")
        for ranks in (2, 4):
            said = self.on_ok(ranks, "--set", f"name=of{ranks}")
            self.assertEqual(said.stderr.count("epoch  40"), 1)  # one rank speaks
            self.assert_same_run(f"of{ranks}", "ranks")
            one, other = (self.json(name, "summary.json")["final"] for name in ("ranks", f"of{ranks}"))
            self.assertAlmostEqual(one["test"]["loss"], other["test"]["loss"], delta=1e-10)
            self.assertEqual(one["train"]["accuracy"], other["train"]["accuracy"])

    def test_ranks_meet_where_nobody_says_how_threads_wait(self):
        environment = {name: value for name, value in self.environment().items() if not name.startswith(("OMP_WAIT", "GOMP_"))}
        result = subprocess.run(self.ranks(2, "--set", "train.epochs=2"), cwd=self.folder, env=environment, capture_output=True, text=True, timeout=patience(60))
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_the_summary_tells_what_ranks_have_sent_and_how_long_they_have_waited(self):
        parameters = 8 * 8 * 16 + 16 + 16 * 10 + 10
        self.on_ok(2, "--set", "tuner={name: constant}", "--set", "optimizer.learning_rate=1e-3", "--set", "train={steps: 20, evaluate_every: 100}")
        summary = self.json("ranks", "summary.json")
        jsonschema.validate(summary, json.loads((ROOT / "docs/schema/summary.schema.json").read_text()))
        ranks = summary["ranks"]
        self.assertEqual(ranks["size"], 2)
        gradients = 20 * parameters * 8
        self.assertGreaterEqual(ranks["bytes"], gradients)
        self.assertLess(ranks["bytes"], 1.3 * gradients)
        self.assertGreaterEqual(ranks["messages"], 20)
        self.assertLess(0, ranks["waiting_seconds"])
        self.assertLess(ranks["waiting_seconds"], ranks["seconds"])

    def test_the_first_rank_hands_on_what_stands_on_stdin(self):
        command = [word if word != "ranks.yaml" else "-" for word in self.ranks(2, "--set", "train.epochs=2")]
        result = subprocess.run(command, cwd=self.folder, env=self.environment(), input=RANKS, capture_output=True, text=True, timeout=patience(60))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.json("ranks", "summary.json")["ranks"]["size"], 2)

    def test_a_run_goes_on_with_another_number_of_ranks(self):
        constant = ("--set", "optimizer.schedule={name: none}", "--set", "tuner={name: constant}", "--set", "optimizer.learning_rate=1e-3")
        self.run_ok(*constant, "--set", "name=whole", "--set", "train.epochs=20", config="ranks.yaml")
        shared = (*constant, "--set", "name=parts")
        self.on_ok(2, *shared, "--set", "train.epochs=7")
        self.on_ok(3, *shared, "--set", "train.epochs=12", "--resume")
        self.run_ok(*shared, "--set", "train.epochs=20", "--resume", config="ranks.yaml")
        self.assert_same_run("parts", "whole")


class Faults:
    def test_what_is_wrong_is_said_once_and_ends_all(self):
        for words, says in ((("--set", "optimizer.name=adm"), "adm"),
                            (("--set", "dataset.train_examples=201"), "for 2 ranks"),
                            (("--set", "train.population.members=2", "--set", "optimizer.learning_rate=0.1", "--set", "tuner={name: constant}"), "several ranks train one network"),
                            (("--set", "grid.seed=[0, 1]"), "--run-index"),
                            (("--dry-run",), "--dry-run tries a run of one rank")):
            result = self.on(2, *words)
            self.assertEqual(result.returncode, 2, result.stderr)
            (line,) = self.lines_of_ours(result.stderr)
            self.assertIn(says, line)
            self.assertFalse((self.folder / "runs/ranks").exists())

    def test_ranks_of_different_configurations_are_refused(self):
        result = self.on(2, command=self.with_another_one("--set", "seed=1"))
        self.assertEqual(result.returncode, 2, result.stderr)
        (line,) = self.lines_of_ours(result.stderr)
        self.assertIn("rank 1 has not the same configuration", line)

    def test_a_mistake_of_one_rank_ends_all(self):
        result = self.on(2, command=self.with_another_one("--set", "optimizer.name=adm"))
        self.assertEqual(result.returncode, 2, result.stderr)
        (line,) = self.lines_of_ours(result.stderr)
        self.assertIn("rank 1: ", line)

    def test_a_signal_to_any_rank_saves_once_and_ends_all(self):
        process, pids = self.begin(2, "--set", "train.epochs=4000", "--set", "optimizer.schedule={name: none}")
        os.kill(pids[1], signal.SIGUSR1)
        _, said = process.communicate(timeout=patience(60))
        self.assertIn("interrupted after step", said)
        self.assertEqual(said.count("interrupted after step"), 1)
        self.assertEqual(self.json("ranks", "summary.json")["status"], "interrupted")
        self.assertTrue(list((self.folder / "runs/ranks/checkpoints").glob("step-*.json")))

    def test_a_rank_that_stands_still_ends_all_after_the_patience(self):
        for stopped in (1, 0):
            with self.subTest(stopped=stopped):
                self.check_patience(stopped)

    def check_patience(self, stopped):
        process, pids = self.begin(2, "--set", "train.epochs=4000", "--set", "train.rank_patience=3", "--set", f"name=stopped{stopped}", name=f"stopped{stopped}")
        stopped = next(pid for pid in pids if self.rank_of(pid) == stopped)
        os.kill(stopped, signal.SIGSTOP)
        begun = time.monotonic()
        try:
            _, said = process.communicate(timeout=patience(60))
        finally:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.assertLess(time.monotonic() - begun, patience(30))
        self.assertNotEqual(process.returncode, 0)
        (line,) = self.lines_of_ours(said)
        self.assertRegex(line, "rank [01] of 2 has waited 3 seconds")

    def rank_of(self, pid):
        words = dict(word.split("=", 1) for word in pathlib.Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in word)
        return int(words.get("RANK", words.get("OMPI_COMM_WORLD_RANK")))

    def test_a_run_whose_ranks_are_killed_ends_as_if_they_had_not_been(self):
        self.run_ok("--set", "name=whole", config="ranks.yaml")
        draw = random.Random(0)
        for _ in range(KILLS):
            process, pids = self.begin(2, "--resume") if (self.folder / "runs/ranks").exists() else self.begin(2)
            time.sleep(draw.random() * 0.5)
            try:
                os.kill(draw.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.communicate(timeout=patience(60))
        self.on_ok(2, "--resume")
        self.assert_same_run("ranks", "whole")

