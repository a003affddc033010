"""Runs that are interrupted, killed, extended or diverge, and go on."""

import json
import shutil
import signal
import subprocess
import time
import unittest

import jsonschema

from apo_train import ROOT, ApoTrainTest, deterministic

# Some seconds, so that a signal finds it training; few checkpoints, so that it is mostly between two.
LONG = ("--set", "train.epochs=600", "--set", "train.checkpoint_every=50", "--set", "train.evaluate_every=7")
PBT = ("--set", "optimizer.name=rmsprop", "--set", "tuner={name: pbt, population: 3, interval: 90}")
LAMBDAS = ("--set", "tuner.lambda=[0.1, 0.01, 1e-3]")


class Resume(ApoTrainTest):
    def interrupt(self, number, *arguments, times=1, folder="smoke"):
        """Starts a run, sends it a signal once its trace has some hundred lines, and returns its exit code."""
        process = subprocess.Popen(self.command(*arguments, "--progress", "off"), cwd=self.folder, env=self.environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        trace = self.folder / "runs" / folder / "trace.jsonl"
        deadline = time.monotonic() + 60
        while not (trace.exists() and trace.read_text().count('"step"') > 300):
            self.assertIsNone(process.poll(), "ended before the signal")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        for _ in range(times):
            process.send_signal(number)
        process.communicate(timeout=60)
        return process.returncode

    def assert_same_run(self, folder, other):
        self.assertEqual(deterministic(self.trace(folder)), deterministic(self.trace(other)))
        weights = [self.folder.joinpath("runs", name, "model.safetensors").read_bytes() for name in (folder, other)]
        self.assertEqual(*weights)

    def whole(self, *arguments):
        self.run_ok(*arguments, "--set", "name=whole")

    def test_a_signal_saves_and_the_resumed_run_equals_the_whole_one(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            with self.subTest(number):
                shutil.rmtree(self.folder / "runs", ignore_errors=True)
                code = self.interrupt(number, *LONG)
                self.assertEqual(code, 128 + number)
                self.assertEqual(self.json("smoke", "summary.json")["status"], "interrupted")
        self.whole(*LONG)
        result = self.run_ok(*LONG, "--resume")
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
        self.assertEqual(self.interrupt(signal.SIGTERM, *LONG, *PBT, folder="smoke/member=0"), 128 + signal.SIGTERM)
        self.run_ok(*LONG, *PBT, "--resume")
        self.whole(*LONG, *PBT)
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
        deadline = time.monotonic() + 30
        while not (self.folder / "runs/smoke/tuner.lambda=0.1/summary.json").exists():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.assertEqual(self.json("smoke", "tuner.lambda=0.1", "summary.json")["status"], "interrupted")

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
        rolling = (*diverging, "--set", "train.on_divergence=rollback", "--set", "train.rollback_factor=1e20", "--overwrite")
        result = self.run_ok(*rolling)
        trace = self.trace("smoke")
        self.assertEqual(trace["rollbacks"]["to_step"], [0, 0][:len(trace["rollbacks"]["step"])])
        self.assertEqual(trace["steps"]["step"], list(range(12)))
        self.assertLess(trace["steps"]["learning_rate"][0], 1)
        jsonschema.validate(trace, json.loads((ROOT / "docs/schema/trace.schema.json").read_text()))
        self.assertEqual(self.start(*rolling, "--set", "train.rollback_factor=1.01").returncode, 4)


if __name__ == "__main__":
    unittest.main()
