"""Other programs search with this one: Optuna, W&B."""

import importlib.util
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

from apo_train import BINARY, ROOT, ApoTrainTest, deterministic, patience

# Stands in the place of W&B's package: what a run logs is a line of a file.
WANDB = """
import json
class Run:
    id = "suggested"
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def log(self, values):
        with open("logged", "a") as file:
            print(json.dumps(values), file=file)
def init():
    return Run()
"""


class Sweep(ApoTrainTest):
    def call(self, script, *words):
        environment = {**self.python_environment(), "APO_TRAIN": str(BINARY)}
        result = subprocess.run([sys.executable, str(ROOT / "examples" / script), *words], cwd=self.folder, timeout=patience(120), env=environment,
                                capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout


class Starters(ApoTrainTest):
    """Programs that start a grid's runs, each a command of its own; docs/sweeps.md has the same lines."""

    GRID = ("--set", "tuner.lambda=[0.1,0.001]", "--set", "grid.seed=[0,1]", "--progress", "off")
    LABELS = [f"seed={seed},tuner.lambda={value}" for seed in (0, 1) for value in ("0.1", "0.001")]

    def started_by(self, *starter):
        lines = self.run_ok(*self.GRID, "--list-runs").stdout.splitlines()
        self.write("numbers", "".join(line.split()[0] + "\n" for line in lines))
        words = [*starter, *self.command(*self.GRID, "--run-index", "{}", "--resume")]
        return subprocess.Popen(words, cwd=self.folder, env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def assert_gives_the_grid(self, *starter):
        process = self.started_by(*starter)
        self.assertEqual(process.wait(timeout=patience(120)), 0, process.communicate()[1])
        self.run_ok(*self.GRID, "--collect")
        self.run_ok(*self.GRID, "--output", "runs/whole")
        for label in self.LABELS:
            self.assertEqual(deterministic(self.trace("smoke", label)), deterministic(self.trace("whole/smoke", label)))

    def test_xargs_gives_what_the_grid_gives(self):
        self.assert_gives_the_grid("xargs", "-a", "numbers", "-P", "2", "-I", "{}")

    @unittest.skipUnless(shutil.which("parallel"), "GNU parallel is not installed; scripts/setup.sh --dev installs it")
    def test_gnu_parallel_gives_what_the_grid_gives_and_lets_runs_save_when_it_is_ended(self):
        parallel = ("parallel", "-q", "-a", "numbers", "--jobs", "2", "--termseq", "TERM,30000,KILL")
        short, self.GRID = self.GRID, (*self.GRID, "--set", "train={epochs: 100000, evaluate_every: 1000}")
        process = self.started_by(*parallel)
        traces = [self.folder / "runs/smoke" / label / "trace.jsonl" for label in self.LABELS[:2]]
        while not all(trace.exists() and trace.stat().st_size > 5000 for trace in traces):
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=patience(60))
        for label in self.LABELS[:2]:
            self.assertEqual(self.json("smoke", label, "summary.json")["status"], "interrupted")
        shutil.rmtree(self.folder / "runs")
        self.GRID = short
        self.assert_gives_the_grid(*parallel)


@unittest.skipUnless(importlib.util.find_spec("optuna"), "this Python has no optuna: pip install -r tests/requirements.txt")
class Optuna(Sweep):
    def study(self):
        import optuna
        return optuna.load_study(study_name="apo-train", storage=f"sqlite:///{self.folder}/runs/optuna/study.db")

    def test_it_is_told_what_each_run_ended_with_and_goes_on(self):
        self.call("optuna/search.py", "smoke.yaml", "3")
        said = self.call("optuna/search.py", "smoke.yaml", "2")
        trials = self.study().trials
        self.assertEqual(len(trials), 5)
        for trial in trials:
            folder = self.folder / f"runs/optuna/trial_{trial.number}"
            final = json.loads((folder / "summary.json").read_text())["final"]
            self.assertEqual(trial.value, final["train"]["loss"])
            config = (folder / "config.yaml").read_text()
            self.assertEqual(float(re.search(r"learning_rate: (\S+)", config)[1]), trial.params["optimizer.learning_rate"])
        self.assertIn(f"best: trial {min(trials, key=lambda trial: trial.value).number}", said)

    def test_a_diverged_run_is_worse_than_any(self):
        self.write("bad.yaml", (self.folder / "smoke.yaml").read_text() + "precision: float64\n")
        script = (ROOT / "examples/optuna/search.py").read_text()
        self.write("search.py", script.replace("1e-4, 1.0", "1e25, 1e30").replace('["sgdm", "adam"]', '["sgd"]'))
        result = subprocess.run([sys.executable, "search.py", "bad.yaml", "1"], cwd=self.folder, timeout=patience(120),
                                env={**self.environment(), "APO_TRAIN": str(BINARY)}, capture_output=True, text=True)
        self.assertEqual(self.study().trials[0].state.name, "PRUNED", result.stderr)


class WeightsAndBiases(Sweep):
    def test_the_agents_words_are_understood_and_the_losses_logged(self):
        self.write("wandb.py", WANDB)
        sweep = (ROOT / "examples/wandb/sweep.yaml").read_text()
        keys = re.findall(r"^  ([\w.]+): \{.*?(?:min|values|value): \[?([\w.]+)", sweep, re.MULTILINE)
        self.assertEqual([key for key, _ in keys], ["optimizer.learning_rate", "optimizer.name", "tuner.name"])
        self.call("wandb/train.py", "smoke.yaml", *(f"--{key}={value}" for key, value in keys))
        logged = [json.loads(line) for line in (self.folder / "logged").read_text().splitlines()]
        self.assertEqual([line["epoch"] for line in logged], [1, 2, 3])
        self.assertEqual(logged[-1]["train_loss"], self.json("suggested", "summary.json")["final"]["train"]["loss"])
        config = (self.folder / "runs/suggested/config.yaml").read_text()
        self.assertIn("learning_rate: 0.0001\n", config)
        self.assertIn("name: sgdm\n", config)


if __name__ == "__main__":
    unittest.main()
