"""Grids: order, folders, ranking, processes."""

import json
import signal
import subprocess
import time
import unittest

import jsonschema

from apo_train import ROOT, ApoTrainTest, deterministic, patience

LAMBDAS = ("--set", "tuner.lambda=[0.1, 0.001]")


class Grid(ApoTrainTest):
    def labels(self, *arguments):
        lines = self.run_ok("--list-runs", *arguments).stdout.splitlines()
        return [line.split()[-1] for line in lines if "=" in line]

    def test_lists_the_cross_product(self):
        seeds = ("--set", "grid={seed: [0, 1], optimizer.name: [sgd, adam]}")
        self.assertEqual(self.labels(*LAMBDAS), ["tuner.lambda=0.1", "tuner.lambda=0.001"])
        self.assertEqual(len(self.labels(*LAMBDAS, *seeds)), 8)

    def test_every_run_has_its_folder_and_the_ranking_is_by_training_loss(self):
        said = self.run_ok(*LAMBDAS).stdout
        grid = self.json("smoke", "grid.json")
        jsonschema.validate(grid, json.loads((ROOT / "docs/schema/grid.schema.json").read_text()))
        losses = [run["train_loss"] for run in grid["runs"]]
        self.assertEqual(losses, sorted(losses))
        for run in grid["runs"]:
            summary = self.json("smoke", run["folder"], "summary.json")
            self.assertEqual(summary["final"]["train"]["loss"], run["train_loss"])
        self.assertIn("best by final training loss: " + grid["runs"][0]["label"], said)

    def test_jobs_and_single_runs_give_the_same_traces(self):
        self.run_ok(*LAMBDAS, "--output", "runs/one")
        self.run_ok(*LAMBDAS, "--output", "runs/two", "--jobs", "2")
        self.run_ok(*LAMBDAS, "--output", "runs/alone", "--run-index", "1")
        label = "tuner.lambda=0.001"
        traces = [deterministic(self.trace(way, "smoke", label)) for way in ("one", "two", "alone")]
        self.assertEqual(traces[0], traces[1])
        self.assertEqual(traces[0], traces[2])
        self.assertFalse((self.folder / "runs/alone/smoke/tuner.lambda=0.1").exists())

    def test_a_failing_run_leaves_the_others_alone(self):
        result = self.start("--set", "grid={optimizer.learning_rate: [1e30, 0.05]}",
                            "--set", "tuner={name: constant}", "--jobs", "2")
        self.assertEqual(result.returncode, 5)
        runs = self.json("smoke", "grid.json")["runs"]
        self.assertEqual([run["status"] for run in runs], ["finished", "diverged"])
        self.assertEqual([run["exit_code"] for run in runs], [0, 4])

    def test_one_report_shows_all_runs_best_first(self):
        result = self.start("--set", "grid={optimizer.learning_rate: [1e30, 0.05]}", "--set", "tuner={name: constant}")
        self.assertEqual(result.returncode, 5)
        runs = self.report("smoke")["runs"]
        self.assertEqual([run["label"] for run in runs],
                         ["optimizer.learning_rate=0.05", "optimizer.learning_rate=1e30"])
        self.assertEqual([run["status"] for run in runs], ["finished", "diverged"])
        self.assertEqual(len(runs[0]["loss"]["x"]), 12)
        for run in runs:
            self.assertEqual(len(self.report("smoke", run["label"])["runs"]), 1)

    def test_the_report_says_why_a_run_failed(self):
        self.start("--set", "grid={dataset.root: [nowhere, elsewhere]}", "--set", "dataset={name: mnist}", "--jobs", "2")
        for run in self.report("smoke")["runs"]:
            self.assertEqual(run["status"], "failed")
            self.assertIn("train-images-idx3-ubyte", run["message"])

    def test_all_runs_are_checked_before_the_first_starts(self):
        self.assert_fails(2, "--set", "tuner.lambda=[0.1, -1]", says=["tuner.lambda = -1"])
        self.assertFalse((self.folder / "runs").exists())

    def test_a_grid_interrupted_in_its_first_run_says_what_is_left(self):
        process = subprocess.Popen(
            self.command(*LAMBDAS, "--set", "train={epochs: 100000, evaluate_every: 1000}"), cwd=self.folder,
            env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not list(self.folder.glob("runs/smoke/*/trace.jsonl")):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=patience(60))[1]
        self.assertEqual(process.returncode, 128 + signal.SIGINT)
        self.assertRegex(said, r"interrupted: \d of \d runs not started .*--resume")

    def test_an_existing_grid_is_not_replaced_without_overwrite(self):
        self.run_ok(*LAMBDAS)
        self.assert_fails(2, *LAMBDAS, says=["--overwrite"])
        self.run_ok(*LAMBDAS, "--overwrite")


if __name__ == "__main__":
    unittest.main()
