"""--collect: the table of a grid whose runs others train, of what has ended so far."""

import json
import subprocess
import time
import unittest

import jsonschema

from apo_train import ROOT, ApoTrainTest, patience

GRID = ("--set", "tuner.lambda=[0.1, 0.001]", "--set", "grid.seed=[0, 1]", "--progress", "off")
LABELS = [f"seed={seed},tuner.lambda={value}" for seed in (0, 1) for value in ("0.1", "0.001")]
ENDLESS = ("--set", "train={epochs: 1000000, evaluate_every: 100000}")


class Collect(ApoTrainTest):
    def train(self, *indices):
        for index in indices:
            self.run_ok(*GRID, "--run-index", str(index))

    def collect(self, code, *words):
        result = self.start(*GRID, "--collect", *words)
        self.assertEqual(result.returncode, code, result.stderr)
        grid = self.json("smoke", "grid.json")
        jsonschema.validate(grid, json.loads((ROOT / "docs/schema/grid.schema.json").read_text()))
        return result.stdout, grid

    def missing(self, said):
        """Number, label and reason of each."""
        listed = said.split("missing: ", 1)[1].splitlines()[1:]
        return [(int(number), label, why) for number, label, why in (line.split(maxsplit=2) for line in listed)]

    def test_of_runs_that_were_trained_one_by_one_it_makes_what_the_grid_makes_of_its_own(self):
        self.run_ok(*GRID, "--output", "whole")
        self.train(3, 0, 2, 1)
        said, grid = self.collect(0)
        whole = json.loads((self.folder / "whole/smoke/grid.json").read_text())
        for row in grid["runs"] + whole["runs"]:
            del row["wall_seconds"]
        self.assertEqual(grid, whole)
        self.assertNotIn("missing", said)
        self.assertIn("best by final training loss: " + grid["runs"][0]["label"], said)
        self.assertEqual([run["label"] for run in self.report("smoke")["runs"]], [run["label"] for run in grid["runs"]])

    def test_what_is_missing_is_listed_with_its_number_and_why(self):
        self.train(0, 2)
        with self.begun(*GRID, "--run-index", "3", *ENDLESS):
            said, grid = self.collect(5)
            self.assertEqual(self.missing(said), [(1, LABELS[1], "not started"), (3, LABELS[3], "has train.epochs = 1000000, not 3")])
        self.assertEqual(grid["left"], [LABELS[1], LABELS[3]])
        self.assertEqual({run["label"] for run in grid["runs"]}, {LABELS[0], LABELS[2]})
        statuses = {run["label"]: run["status"] for run in self.report("smoke")["runs"]}
        self.assertEqual(statuses[LABELS[1]], "not started")
        self.train(1)
        self.run_ok(*GRID, "--run-index", "3", "--overwrite")
        self.collect(0)

    def test_a_run_counts_when_it_has_ended_and_not_before(self):
        self.train(0)
        with self.begun(*GRID, "--run-index", "1", *ENDLESS) as process:
            said, _ = self.collect_endless()
            self.assertEqual(self.missing(said)[0], (1, LABELS[1], "begun, not ended"))
            process.terminate()
            process.communicate(timeout=patience(60))
        said, _ = self.collect_endless()
        self.assertEqual(self.missing(said)[0], (1, LABELS[1], "interrupted"))

    def collect_endless(self):
        """Of the endless runs, of which one of three epochs is none; another has to have ended for there to be a table."""
        ended = self.folder / "runs/smoke" / LABELS[0] / "config.yaml"
        ended.write_text(ended.read_text().replace("epochs: 3", "epochs: 1000000").replace("evaluate_every: 1\n", "evaluate_every: 100000\n"))
        return self.collect(5, *ENDLESS)

    def test_a_run_that_goes_on_has_not_ended_any_more_though_it_was_killed(self):
        self.train(0, 1)
        with self.begun(*GRID, "--run-index", "1", "--resume", *ENDLESS) as process:
            process.kill()
        said, grid = self.collect_endless()
        self.assertEqual([run["label"] for run in grid["runs"]], [LABELS[0]])
        self.assertEqual(self.missing(said)[0], (1, LABELS[1], "begun, not ended"))

    def test_half_a_summary_is_none(self):
        self.train(0, 1)
        summary = self.folder / "runs/smoke" / LABELS[1] / "summary.json"
        summary.write_text(summary.read_text()[:100])
        said, _ = self.collect(5)
        self.assertEqual(self.missing(said)[0], (1, LABELS[1], "begun, not ended"))

    def test_where_and_with_how_many_threads_runs_were_trained_does_not_matter(self):
        self.train(1, 2, 3)
        self.run_ok(*GRID, "--run-index", "0", "--threads", "2", "--set", "train.keep_checkpoints=2")
        self.collect(0)

    def test_a_diverged_run_has_ended(self):
        words = ("--set", "grid={optimizer.learning_rate: [1e30, 0.05]}", "--set", "tuner={name: constant}", "--progress", "off")
        for index in ("0", "1"):
            self.start(*words, "--run-index", index)
        self.assertEqual(self.start(*words, "--collect").returncode, 5)
        grid = self.json("smoke", "grid.json")
        self.assertEqual([(run["status"], run["exit_code"]) for run in grid["runs"]], [("finished", 0), ("diverged", 4)])
        self.assertEqual(grid["left"], [])

    def test_the_members_of_a_population_are_no_runs_of_the_grid(self):
        words = ("--set", "grid.seed=[0, 1]", "--set", "train.population={members: 2, interval: 4}", "--set", "tuner={name: constant}", "--progress", "off")
        for index in ("0", "1"):
            self.run_ok(*words, "--run-index", index)
        self.run_ok(*words, "--collect")
        self.assertEqual([run["exit_code"] for run in self.json("smoke", "grid.json")["runs"]], [0, 0])

    def test_several_may_collect_at_once(self):
        self.train(0)
        commands = [subprocess.Popen(self.command(*GRID, "--collect"), cwd=self.folder, env=self.environment(), stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, text=True) for _ in range(8)]
        said = [command.communicate(timeout=patience(60))[1] for command in commands]
        self.assertEqual({(command.returncode, words) for command, words in zip(commands, said)}, {(5, "")})

    def test_where_nothing_has_ended_it_says_so_and_writes_nothing(self):
        self.assert_fails(3, *GRID, "--collect", says=["runs/smoke: none of the 4 runs", LABELS[0], "not started"])
        self.assertFalse((self.folder / "runs").exists())

    def test_a_single_run_and_a_single_number_are_refused(self):
        self.assert_fails(2, "--collect", says=["single run", "a grid"])
        self.assert_fails(2, *GRID, "--collect", "--run-index", "1", says=["--run-index and --collect"])

    def begun(self, *words):
        """A process that trains, at its first step or behind it."""
        index = int(words[words.index("--run-index") + 1])
        trace = self.folder / "runs/smoke" / LABELS[index] / "trace.jsonl"
        before = trace.stat().st_size if trace.exists() else 0
        process = Background(self.command(*words), cwd=self.folder, env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not trace.exists() or trace.stat().st_size <= before + 2000:
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        return process


class Background(subprocess.Popen):
    """Ends with the block that it is used in."""

    def __exit__(self, *words):
        self.kill()
        super().__exit__(*words)


if __name__ == "__main__":
    unittest.main()
