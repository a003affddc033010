"""Runs that are interrupted, killed, extended or diverge, and go on."""

import fcntl
import json
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import time
import unittest

import jsonschema

from apo_train import ROOT, ApoTrainTest, deterministic, patience

# Some seconds, so that a signal finds it training; few checkpoints, so that it is mostly between two.
LONG = ("--set", "train.epochs=600", "--set", "train.checkpoint_every=50", "--set", "train.evaluate_every=7")
PBT = ("--set", "optimizer.name=rmsprop", "--set", "tuner.name=constant",
       "--set", "train.population={members: 3, interval: 90}")
AVERAGE = ("--set", "train.average.half_life=0.1")
LAMBDAS = ("--set", "tuner.lambda=[0.1, 0.01, 1e-3]")


class Resume(ApoTrainTest):
    def interrupt(self, number, *arguments, times=1, folder="smoke"):
        """Starts a run, sends it a signal once its trace has some hundred lines, and returns its exit code."""
        process = subprocess.Popen(self.command(*arguments, "--progress", "off"), cwd=self.folder, env=self.environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        trace = self.folder / "runs" / folder / "trace.jsonl"
        deadline = time.monotonic() + patience(60)
        while not (trace.exists() and trace.read_text().count('"step"') > 300):
            self.assertIsNone(process.poll(), "ended before the signal")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        for _ in range(times):
            process.send_signal(number)
        process.communicate(timeout=patience(60))
        return process.returncode

    def assert_same_run(self, folder, other):
        self.assertEqual(deterministic(self.trace(folder)), deterministic(self.trace(other)))
        for file in ("model.safetensors", "model_average.safetensors"):
            paths = [self.folder.joinpath("runs", name, file) for name in (folder, other)]
            self.assertEqual(*(path.exists() and path.read_bytes() for path in paths))

    def whole(self, *arguments):
        self.run_ok(*arguments, "--set", "name=whole")

    def test_a_signal_saves_and_the_resumed_run_equals_the_whole_one(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            with self.subTest(number):
                shutil.rmtree(self.folder / "runs", ignore_errors=True)
                code = self.interrupt(number, *LONG, *AVERAGE)
                self.assertEqual(code, 128 + number)
                self.assertEqual(self.json("smoke", "summary.json")["status"], "interrupted")
                self.assertFalse((self.folder / "runs/smoke/model_average.safetensors").exists())
        self.whole(*LONG, *AVERAGE)
        result = self.run_ok(*LONG, *AVERAGE, "--resume")
        self.assertIn("goes on from the checkpoint at step", result.stderr)
        self.assert_same_run("smoke", "whole")

    def test_killed_it_goes_back_to_its_last_checkpoint(self):
        self.assertEqual(self.interrupt(signal.SIGKILL, *LONG), -signal.SIGKILL)
        self.run_ok(*LONG, "--resume")
        self.whole(*LONG)
        self.assert_same_run("smoke", "whole")

    def test_a_second_signal_ends_it_at_once_and_loses_no_more_than_a_kill(self):
        self.assertIn(self.interrupt(signal.SIGINT, *LONG, times=2), (-signal.SIGINT, 128 + signal.SIGINT))
        self.run_ok(*LONG, "--resume")
        self.whole(*LONG)
        self.assert_same_run("smoke", "whole")

    def test_kfac_goes_on_exactly(self):
        kfac = (*LONG, "--set", "train.epochs=150", "--set", "optimizer={name: kfac, learning_rate: 1e-3}")
        self.assertEqual(self.interrupt(signal.SIGTERM, *kfac), 128 + signal.SIGTERM)
        self.run_ok(*kfac, "--resume")
        self.whole(*kfac)
        self.assert_same_run("smoke", "whole")

    def test_a_population_goes_on_exactly(self):
        population = (*LONG, *PBT, *AVERAGE)
        self.assertEqual(self.interrupt(signal.SIGTERM, *population, folder="smoke/member=0"), 128 + signal.SIGTERM)
        self.run_ok(*population, "--resume")
        self.whole(*population)
        for member in range(3):
            self.assert_same_run(f"smoke/member={member}", f"whole/member={member}")
        self.assertEqual(self.json("smoke", "population.json")["events"], self.json("whole", "population.json")["events"])

    def test_a_grid_goes_on_with_what_is_left(self):
        code = self.interrupt(signal.SIGTERM, *LONG, *LAMBDAS, folder="smoke/tuner.lambda=0.01")
        self.assertEqual(code, 128 + signal.SIGTERM)
        grid = self.json("smoke", "grid.json")
        self.assertEqual(grid["left"], ["tuner.lambda=1e-3"])
        jsonschema.validate(grid, json.loads((ROOT / "docs/schema/grid.schema.json").read_text()))
        result = self.run_ok(*LONG, *LAMBDAS, "--resume")
        self.assertIn("tuner.lambda=0.1: finished already", result.stderr)
        self.assertEqual(self.json("smoke", "grid.json")["left"], [])
        self.whole(*LONG, *LAMBDAS)
        for value in ("0.1", "0.01", "1e-3"):
            self.assert_same_run(f"smoke/tuner.lambda={value}", f"whole/tuner.lambda={value}")

    def test_the_runs_of_a_killed_grid_save_and_end(self):
        self.interrupt(signal.SIGKILL, *LONG, *LAMBDAS, folder="smoke/tuner.lambda=0.1")
        deadline = time.monotonic() + patience(30)
        while not (self.folder / "runs/smoke/tuner.lambda=0.1/summary.json").exists():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.assertEqual(self.json("smoke", "tuner.lambda=0.1", "summary.json")["status"], "interrupted")
        with open(self.folder / "runs/smoke/tuner.lambda=0.1/.lock", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the run writes its report before it lets go

    def test_a_finished_run_is_left_alone_and_a_longer_one_extends_it(self):
        self.run_ok()
        before = (self.folder / "runs/smoke/summary.json").stat().st_mtime_ns
        self.assertIn("finished already", self.run_ok("--resume").stderr)
        self.assertEqual((self.folder / "runs/smoke/summary.json").stat().st_mtime_ns, before)
        self.run_ok("--resume", "--set", "train.epochs=5")
        self.whole("--set", "train.epochs=5")
        self.assert_same_run("smoke", "whole")
        self.assert_fails(2, "--resume", "--set", "train.epochs=2", says=["train.epochs", "20"])

    def test_what_the_state_cannot_follow_is_named(self):
        self.run_ok()
        for setting, words in (("model.hidden=[8]", ["model.hidden", "[16]", "[8]"]), ("optimizer.name=adam", ["optimizer.name"]),
                               ("dataset.train_examples=100", ["dataset.train_examples"]), ("seed=1", ["seed"])):
            with self.subTest(setting):
                self.assert_fails(2, "--resume", "--set", setting, "--set", "train.epochs=5", says=words)
        self.run_ok("--resume", "--threads", "2", "--set", "train.epochs=4", "--set", "train.keep_checkpoints=1")

    def test_without_a_run_to_resume_it_starts_anew(self):
        self.run_ok("--resume")
        self.assertEqual(len(self.trace("smoke")["steps"]["step"]), 12)

    def test_resume_and_overwrite_exclude_each_other(self):
        self.assert_fails(2, "--resume", "--overwrite", says=["--resume", "--overwrite"])

    def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_used(self):
        self.run_ok("--set", "train.epochs=4")
        newest = max((self.folder / "runs/smoke/checkpoints").glob("step-*.safetensors"))
        content = bytearray(newest.read_bytes())
        content[len(content) // 2] ^= 1
        newest.write_bytes(content)
        result = self.run_ok("--resume", "--set", "train.epochs=6")
        self.assertIn(newest.name, result.stderr)
        self.whole("--set", "train.epochs=6")
        self.assert_same_run("smoke", "whole")

    def test_checkpoints_match_their_schema_and_are_kept_few(self):
        self.run_ok("--set", "train.epochs=6")
        schema = json.loads((ROOT / "docs/schema/checkpoint.schema.json").read_text())
        files = sorted((self.folder / "runs/smoke/checkpoints").glob("step-*.json"))
        self.assertLessEqual(len(files), 3)  # the newest two and the best
        for file in files:
            jsonschema.validate(json.loads(file.read_text()), schema)

    def test_a_second_process_in_the_same_folder_is_refused(self):
        first = subprocess.Popen(self.command("--set", "train.epochs=100000", "--progress", "off"), cwd=self.folder,
                                 env=self.environment(), stderr=subprocess.DEVNULL)
        self.addCleanup(first.wait)
        self.addCleanup(first.kill)
        while not (self.folder / "runs/smoke/config.yaml").exists():
            time.sleep(0.01)
        for option in ("--resume", "--overwrite"):
            self.assert_fails(2, option, says=["runs/smoke", "another apo-train"])

    def test_a_rollback_goes_on_with_a_smaller_rate_and_is_recorded(self):
        diverging = ("--set", "optimizer.learning_rate=1e18", "--set", "tuner={name: constant}")
        result = self.start(*diverging)
        self.assertEqual(result.returncode, 4)
        self.assertIn("train.on_divergence=rollback", result.stderr)
        rolling = (*diverging, "--set", "train.on_divergence=rollback", "--set", "train.rollback_factor=1e20", *AVERAGE, "--overwrite")
        result = self.run_ok(*rolling)
        trace = self.trace("smoke")
        self.assertEqual(trace["rollbacks"]["to_step"], [0, 0][:len(trace["rollbacks"]["step"])])
        self.assertEqual(trace["steps"]["step"], list(range(12)))
        self.assertLess(trace["steps"]["learning_rate"][0], 1)
        self.assertNotIn(None, trace["epochs"]["average_test_loss"])  # nothing is left of what diverged
        jsonschema.validate(trace, json.loads((ROOT / "docs/schema/trace.schema.json").read_text()))
        undone = self.start(*rolling, "--set", "train.rollback_factor=1.01")
        self.assertEqual(undone.returncode, 4)
        self.assertIn("or a larger train.rollback_factor", undone.stderr)


class Changed(ApoTrainTest):
    """What changed between a checkpoint and its use."""

    def steps(self, number, *arguments):
        return ("--set", "train={steps: %d}" % number, *arguments)

    def rows(self, column):
        return self.trace("smoke")["epochs"][column]

    def test_other_data_under_the_same_root_are_refused_with_both_numbers(self):
        for examples in (200, 60):
            self.write_mnist(f"data{examples}", examples, seed=1)
        self.write_mnist("other200", 200, seed=2)
        mnist = ("--set", "dataset={name: mnist, batch_size: 10}", "--set", "model.hidden=[4]")
        self.run_ok(*mnist, *self.steps(15), "--set", "dataset.root=data200")
        trace = (self.folder / "runs/smoke/trace.jsonl").read_bytes()
        self.assert_fails(3, *mnist, *self.steps(40), "--set", "dataset.root=data60", "--resume", says=["60 examples", "200 examples"])
        self.assert_fails(3, *mnist, *self.steps(40), "--set", "dataset.root=other200", "--resume", says=["CRC-32", "other"])
        self.assertEqual((self.folder / "runs/smoke/trace.jsonl").read_bytes(), trace)
        (self.folder / "data200").rename(self.folder / "moved")
        self.run_ok(*mnist, *self.steps(40), "--set", "dataset.root=moved", "--resume")
        self.assertEqual(self.rows("step"), [20, 40])

    def write_mnist(self, root, examples, seed):
        source = random.Random(seed)
        for part, count in (("train", examples), ("t10k", 20)):
            head = self.folder / root / "mnist" / part
            head.parent.mkdir(parents=True, exist_ok=True)
            pictures = struct.pack(">IIII", 0x803, count, 28, 28) + source.randbytes(count * 784)
            pathlib.Path(f"{head}-images-idx3-ubyte").write_bytes(pictures)
            labels = struct.pack(">II", 0x801, count) + bytes(i % 10 for i in range(count))
            pathlib.Path(f"{head}-labels-idx1-ubyte").write_bytes(labels)

    def test_a_trace_that_was_changed_is_refused_and_nothing_is_touched(self):
        self.run_ok()
        path = self.folder / "runs/smoke/trace.jsonl"
        whole = path.read_bytes()
        longer = ("--resume", "--set", "train.epochs=5")
        for name, content in (("crlf", whole.replace(b"\n", b"\r\n")), ("prepended", b"{}\n" + whole), ("cut", whole[:200]), ("gone", None)):
            with self.subTest(name):
                path.unlink()
                if content is not None:
                    path.write_bytes(content)
                self.assert_fails(3, *longer, says=["trace.jsonl", "--overwrite"])
                self.assertEqual(path.read_bytes() if path.exists() else None, content)
                path.write_bytes(whole)
        self.run_ok(*longer)
        self.assertEqual(self.rows("epoch"), [1, 2, 3, 4, 5])

    def test_a_trace_removed_while_it_trains_is_whole_in_the_end(self):
        process = subprocess.Popen(self.command(*LONG, "--progress", "off"), cwd=self.folder, env=self.environment(),
                                   stderr=subprocess.PIPE, text=True)
        path = self.folder / "runs/smoke/trace.jsonl"
        while not (path.exists() and path.stat().st_size > 1000):
            time.sleep(0.01)
        path.unlink()
        _, errors = process.communicate(timeout=patience(100))
        self.assertEqual(process.returncode, 0, errors)
        self.assertIn("was removed by another program", errors)
        self.assertEqual(self.trace("smoke")["steps"]["step"], list(range(2400)))

    def test_a_run_that_ended_within_an_epoch_and_is_extended_equals_the_longer_one(self):
        self.run_ok(*self.steps(6), *AVERAGE)
        self.assertEqual(self.rows("step"), [4, 6])
        self.run_ok(*self.steps(13), *AVERAGE, "--resume")
        self.assertEqual(self.rows("step"), [4, 8, 12, 13])
        self.run_ok(*self.steps(13), *AVERAGE, "--set", "name=whole")
        self.assertEqual(deterministic(self.trace("smoke")), deterministic(self.trace("whole")))

    def test_a_refusal_for_room_leaves_the_run_that_was_to_be_replaced(self):
        self.run_ok()
        before = sorted(path.name for path in (self.folder / "runs/smoke").iterdir())
        self.assert_fails(1, "--overwrite", "--set", "train.keep_checkpoints=1000000000", says=["MB are free"])
        self.assertEqual(sorted(path.name for path in (self.folder / "runs/smoke").iterdir()), before)

    def test_the_best_checkpoint_is_one_that_was_evaluated_and_stays(self):
        self.run_ok("--set", "train.epochs=11", "--set", "train.evaluate_every=4", "--set", "train.keep_checkpoints=1",
                    "--set", "optimizer.learning_rate=0.01", "--set", "tuner={name: constant}")
        epochs = self.trace("smoke")["epochs"]
        measured = [(accuracy, -step) for accuracy, step in zip(epochs["test_accuracy"], epochs["step"]) if accuracy is not None]
        self.assertEqual([-step for _, step in measured], [16, 32, 44])
        best = json.loads((self.folder / "runs/smoke/checkpoints/best.json").read_text())["body"]
        self.assertEqual(best["step"], -max(measured)[1])


class Rollbacks(ApoTrainTest):
    # Three rates too large by far, the first of them at step 0; a checkpoint at the start and after each epoch.
    ROLLING = ("--set", "optimizer.learning_rate=1e35", "--set", "tuner={name: constant}", "--set", "train.on_divergence=rollback",
               "--set", "train.rollback_factor=1e12", "--set", "train.rollback_limit=10", "--set", "train.epochs=60")

    def test_every_rollback_stays_in_the_trace(self):
        self.run_ok(*self.ROLLING)
        rollbacks = self.trace("smoke")["rollbacks"]
        self.assertGreater(len(rollbacks["step"]), 2)
        self.assertEqual(rollbacks["learning_rate"], sorted(rollbacks["learning_rate"], reverse=True))

    def test_an_interruption_before_a_rollback_changes_nothing(self):
        """Interrupted within the epoch in which a later step diverges: it goes back to where the whole run goes."""
        late = ("--set", "optimizer={name: sgd, learning_rate: 0.05}", "--set", "tuner={name: step_decay, factor: 1e30, milestones: [21], unit: steps}",
                "--set", "train={steps: 40, on_divergence: rollback, rollback_factor: 1e31, checkpoint_every: 3, average: {half_life: 0.2}}")
        whole = self.start(*late, "--set", "name=whole")
        for stop in (13, 17, 20):
            with self.subTest(stop):
                short = [word.replace("steps: 40", f"steps: {stop}") for word in late]
                self.run_ok(*short, "--overwrite")  # ends between two scheduled checkpoints
                result = self.start(*late, "--resume")
                self.assertEqual(result.returncode, whole.returncode, result.stderr)
                self.assertEqual(self.trace("smoke")["rollbacks"], self.trace("whole")["rollbacks"])
                self.assertEqual(deterministic(self.trace("smoke")), deterministic(self.trace("whole")))


if __name__ == "__main__":
    unittest.main()
