"""Other programs search with this one: Optuna, W&B."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import unittest

from apo_train import BINARY, ROOT, ApoTrainTest, patience

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
        environment = {**self.environment(), "APO_TRAIN": str(BINARY)}
        environment["PYTHONPATH"] = os.pathsep.join([str(self.folder), *filter(None, [environment.get("PYTHONPATH")])])
        result = subprocess.run([sys.executable, str(ROOT / "examples" / script), *words], cwd=self.folder, timeout=patience(120), env=environment,
                                capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout


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
