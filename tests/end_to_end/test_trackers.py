"""The recipes of docs/trace.md for MLflow, Weights & Biases and Trackio, as they stand there, beside a run that begins after them."""

import importlib.util
import json
import re
import subprocess
import sys
import unittest

from apo_train import ROOT, ApoTrainTest, patience

# Stands in the place of W&B's and Trackio's packages: their words are lines of a file.
WANDB = """
import json
def say(what, **words):
    with open("said", "a") as file:
        print(json.dumps([what, words]), file=file)
def init(**words):
    say("init", **words)
def log(numbers, step):
    say("log", numbers=numbers, step=step)
def finish():
    say("finish")
"""


class Recipe(ApoTrainTest):
    def follow(self, package, **variables):
        """Runs the block of Python that imports the package, and then what it follows, whose trace is given back."""
        page = (ROOT / "docs/trace.md").read_text()
        block, = (block for block in re.findall(r"^```python\n(.*?)^```$", page, flags=re.M | re.S) if re.search(rf"^import .*\b{package}\b", block))
        recipe = subprocess.Popen([sys.executable, "-c", block], cwd=self.folder, env={**self.python_environment(), **variables},
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(recipe.kill)
        self.run_ok("--set", "name=my", "--progress", "off")
        said = recipe.communicate(timeout=patience(60))[1]
        self.assertEqual(recipe.returncode, 0, said)
        return self.json("my", "trace.json")

    @unittest.skipUnless(importlib.util.find_spec("mlflow"), "no Python package mlflow: pip install -r tests/requirements.txt")
    def test_mlflow_keeps_each_step_and_each_epoch(self):
        trace = self.follow("mlflow", MLFLOW_TRACKING_URI=f"file:{self.folder}/mlruns", MLFLOW_ALLOW_FILE_STORE="true", GIT_PYTHON_REFRESH="quiet")
        metrics, = (self.folder / "mlruns").glob("*/*/metrics")
        for part, name in (("steps", "loss"), ("steps", "learning_rate"), ("epochs", "train_loss"), ("meta", "objective")):
            lines = [line.split() for line in (metrics / name).read_text().splitlines()]
            kept = {int(step): float(value) for _, value, step in lines}
            for step, value in zip(trace[part]["step"], trace[part][name]):
                if (part, name) != ("steps", "learning_rate") or step not in trace["epochs"]["step"]:  # an epoch has one, too
                    self.assertEqual(kept[step], value, (name, step))
        self.assertEqual(json.loads((metrics.parent / "artifacts/config.json").read_text()), trace["config"])

    def test_wandb_and_trackio_are_told_each_step_and_each_epoch(self):
        self.write("wandb.py", WANDB)
        trace = self.follow("wandb")
        said = [json.loads(line) for line in (self.folder / "said").read_text().splitlines()]
        self.assertEqual(said[0], ["init", {"project": "apo", "name": "my", "config": trace["config"]}])
        self.assertEqual(said[-1], ["finish", {}])
        logged = [(words["step"], words["numbers"]) for what, words in said if what == "log"]
        for part, name in (("steps", "loss"), ("epochs", "train_loss"), ("meta", "objective")):
            told = [(step, numbers[name]) for step, numbers in logged if name in numbers]
            self.assertEqual(told, list(zip(trace[part]["step"], trace[part][name])))


if __name__ == "__main__":
    unittest.main()
