"""Event files: TensorBoard's own reader finds in them what the trace has, each step once, however the run was interrupted."""

import errno
import importlib.util
import math
import os
import shutil
import signal
import struct
import subprocess
import time
import unittest

from apo_train import BINARY, ApoTrainTest, patience

ON = ("--set", "trace.tensorboard=true")
# Some seconds, with few checkpoints.
LONG = (*ON, "--set", "train.epochs=300", "--set", "train.checkpoint_every=40", "--set", "train.evaluate_every=7")
RUNTIME = os.environ.get("APO_SANITIZER_RUNTIME", "")
FAULTS = BINARY.parents[1] / "tests" / "libapo-faults.so"
needs_tensorboard = unittest.skipUnless(importlib.util.find_spec("tensorboard"),
                                        "no Python package tensorboard: pip install -r tests/requirements.txt")


def single(value):
    """The number in single precision; what is not finite is null in a trace."""
    return float("nan") if value is None else struct.unpack("f", struct.pack("f", value))[0]


def series(steps, values):
    return [(step, single(value)) for step, value in zip(steps, values)]


def measured(steps, values):
    return series(*zip(*[(step, value) for step, value in zip(steps, values) if value is not None]))


def expected(trace):
    """Tag → [(step, value)]."""
    tags = {f"train/{key}": series(trace["steps"]["step"], trace["steps"][key])
            for key in ("loss", "learning_rate", "learned_rate") if key in trace["steps"]}
    for key in ("objective", "loss_term", "discrepancy"):
        tags[f"meta/{key}"] = series(trace["meta"]["step"], trace["meta"][key])
    tags["meta/movement"] = series(trace["meta"]["step"], [math.sqrt(value) for value in trace["meta"]["discrepancy"]])
    for name, column in trace["hyperparameters"].items():
        tags[f"hyperparameters/{name}"] = series(column["step"], column["value"])
    names = {"train_loss": "train/epoch_loss", "train_accuracy": "train/accuracy", "test_loss": "test/loss", "test_accuracy": "test/accuracy",
             "wall_seconds": "time/wall_seconds"}
    for key, column in trace["epochs"].items():
        tag = names.get(key, key.replace("average_", "average/") if key.startswith("average_") else None)
        if tag and any(value is not None for value in column):
            tags[tag] = measured(trace["epochs"]["step"], column)
    return tags


class Events(ApoTrainTest):
    def files(self, run="smoke"):
        return sorted((self.folder / "runs" / run).glob("events.out.tfevents.*"))

    def shown(self, run="smoke"):
        """What TensorBoard shows: tag → [(step, value)]."""
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        events = EventAccumulator(str(self.folder / "runs" / run), size_guidance={"scalars": 0})
        events.Reload()
        return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}

    def assert_shown(self, run="smoke"):
        shown, trace = self.shown(run), self.trace(run)
        for tag, wanted in expected(trace).items():
            with self.subTest(run=run, tag=tag):
                self.assertEqual(shown[tag], wanted)
        loss = dict(zip(trace["steps"]["step"], trace["steps"]["loss"]))
        for (step, gain), term in zip(shown.get("meta/gain", []), trace["meta"]["loss_term"]):
            self.assertAlmostEqual(gain, loss[step] - term, delta=1e-6 * abs(term))
        self.assertEqual(set(shown) - set(expected(trace)) - {"meta/gain"}, {"meta/share"})
        return shown


@needs_tensorboard
class Shown(Events):
    def test_all_numbers_of_the_trace_with_every_layer_its_own_curve(self):
        self.run_ok(*ON, "--set", "tuner.scope=per_layer", "--set", "train.average.half_life=0.2", "--set", "train.evaluate_every=2",
                    "--set", "optimizer.schedule.name=cosine")
        shown = self.assert_shown()
        self.assertEqual(len(shown["meta/gain"]), len(shown["meta/loss_term"]))
        self.assertIn("hyperparameters/learning_rate/fc1", shown)
        self.assertIn("train/learned_rate", shown)
        summary = self.json("smoke", "summary.json")
        step, share = shown["meta/share"][-1]
        self.assertEqual(step, summary["steps"])
        self.assertAlmostEqual(share, summary["meta_share"], delta=0.05 * summary["meta_share"])

    def test_the_default_tuner_and_a_thinned_trace(self):
        for name, more in (("movement", ["--set", "tuner={name: movement}"]), ("thinned", ["--set", "trace.every=3", "--set", "trace.meta_every=2"])):
            self.run_ok(*ON, "--set", f"name={name}", *more)
            shown = self.shown(name)
            for tag, wanted in expected(self.trace(name)).items():
                self.assertEqual(shown[tag], wanted)
            self.assertEqual("meta/gain" in shown, name == "thinned")

    def test_runs_of_grids_and_populations_beside_each_other(self):
        self.run_ok(*ON, "--set", "grid={seed: [1, 2]}", "--set", "name=grid")
        self.run_ok(*ON, "--set", "train.population={members: 2, interval: 4}", "--set", "name=pbt")
        for run in ("grid/seed=1", "grid/seed=2", "pbt/member=0", "pbt/member=1"):
            self.assertEqual(len(self.files(run)), 1)
            self.assert_shown(run)


@needs_tensorboard
class Resumed(Events):
    def interrupt(self, number, *arguments):
        process = subprocess.Popen(self.command(*arguments, "--progress", "off"), cwd=self.folder, env=self.environment(), stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        trace = self.folder / "runs/smoke/trace.jsonl"
        deadline = time.monotonic() + patience(60)
        while not (trace.exists() and trace.read_text().count('"step"') > 1000):
            self.assertIsNone(process.poll(), "ended before the signal")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)
        shown = self.shown()  # while it is written
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        self.assertIn(process.wait(timeout=patience(60)), (-number, 128 + number))
        return shown

    def test_a_run_that_was_stopped_and_one_that_was_killed_show_each_step_once(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number):
                shutil.rmtree(self.folder / "runs", ignore_errors=True)
                live = self.interrupt(number, *LONG)
                self.assertGreater(len(live["train/loss"]), 300)
                first = self.files()[-1]
                first.write_bytes(first.read_bytes() + first.read_bytes()[:20])  # as if it had been killed within a write
                self.run_ok(*LONG, "--resume")
                self.assertEqual(len(self.files()), 2)
                self.assertEqual([step for step, _ in self.assert_shown()["train/loss"]], list(range(1200)))

    def test_a_longer_run_forgets_the_epoch_that_was_cut_short(self):
        for steps in (6, 13):
            self.run_ok(*ON, "--set", f"train={{steps: {steps}}}", "--resume")
        self.assertEqual([step for step, _ in self.assert_shown()["train/epoch_loss"]], [4, 8, 12, 13])

    def test_a_run_whose_last_step_ended_an_epoch_keeps_it(self):
        for epochs in (2, 3, 5):
            self.run_ok(*ON, "--set", f"train.epochs={epochs}", "--resume")
        self.assertEqual([step for step, _ in self.shown()["test/loss"]], [4, 8, 12, 16, 20])

    def test_rollbacks_leave_nothing_of_what_diverged(self):
        self.run_ok(*ON, "--set", "optimizer.learning_rate=1e18", "--set", "tuner={name: constant}", "--set", "train.on_divergence=rollback",
                    "--set", "train.rollback_factor=1e20")
        self.assertGreater(len(self.files()), 1)
        trace = self.trace("smoke")
        self.assertEqual(self.shown()["train/loss"], series(trace["steps"]["step"], trace["steps"]["loss"]))

    def test_switched_on_for_a_run_that_goes_on_it_begins_there(self):
        self.run_ok()
        self.run_ok(*ON, "--resume", "--set", "train.epochs=5")
        self.assertEqual([step for step, _ in self.shown()["train/loss"]], list(range(12, 20)))
        self.assertEqual([step for step, _ in self.shown()["test/loss"]], [12, 16, 20])


class Files(Events):
    def test_there_is_none_where_none_is_asked_for_and_overwriting_takes_them_away(self):
        self.run_ok(*ON)
        self.assertEqual(len(self.files()), 1)
        self.run_ok("--overwrite")
        self.assertEqual(self.files(), [])

    def test_what_is_trained_does_not_depend_on_it(self):
        for name, more in (("smoke", ON), ("without", ())):
            self.run_ok("--set", f"name={name}", *more)
        self.assertEqual(*[(self.folder / "runs" / name / "model.safetensors").read_bytes() for name in ("smoke", "without")])

    def test_a_write_that_fails_is_one_line_and_the_run_can_be_gone_on_with(self):
        for call, error in (("write", errno.ENOSPC), ("fsync", errno.EIO)):
            with self.subTest(call):
                fault = {"LD_PRELOAD": f"{RUNTIME} {FAULTS}", "APO_FAULT_FOLDER": str(self.folder / "runs/smoke/events"), "APO_FAULT_CALL": call,
                         "APO_FAULT_AT": "1", "APO_FAULT_ERRNO": str(error)}
                short = (*ON, "--set", "train.checkpoint_every=1")
                result = subprocess.run(self.command(*short, "--overwrite"), cwd=self.folder, env=self.environment() | fault,
                                        capture_output=True, text=True, timeout=patience(60))
                self.assertEqual(result.returncode, 1, result.stderr)
                errors = [line for line in result.stderr.splitlines() if "error:" in line]
                self.assertEqual(len(errors), 1)
                self.assertRegex(errors[0], r"events\.out\.tfevents\.\d{10}\.apo-train: cannot be written: " + os.strerror(error))
                self.run_ok(*short, "--resume")


if __name__ == "__main__":
    unittest.main()
