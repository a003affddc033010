"""Several ranks stay on the trajectory of one: with every optimizer there is, both solvers, per layer; with BatchNorm."""

import re
import subprocess
import unittest

from apo_train import BINARY
from ranks import OverMpi, RanksTest

# Batches of 14, and of 4 at the end of an epoch; of the exact solver of 7 and 4: most have unequal parts.
RANKS = """
name: one
dataset: {name: synthetic, train_examples: 46, test_examples: 12, batch_size: 14, height: 4, width: 4, classes: 3}
model: {name: mlp, hidden: [8]}
optimizer: {name: sgd, learning_rate: 0.01}
train: {steps: 200, evaluate_every: 40}
precision: float64
threads: 1
"""
GRADIENT = "lambda: 1e-2, interval: 3"
EXACT = "solver: exact, lambda: 1e-2, interval: 3"
TUNERS = {
    "constant": "{name: constant}",
    "gradient": "{name: apo, %s}" % GRADIENT,
    "gradient_per_layer": "{name: apo, scope: per_layer, %s}" % GRADIENT,
    "exact": "{name: apo, %s}" % EXACT,
    "exact_per_layer": "{name: apo, scope: per_layer, %s}" % EXACT,
}
# That 200 steps hold several of what K-FAC does now and then.
OWN = {"kfac": "inverse_interval: 8, basis_interval: 2, warmup_batches: 3"}
# Outputs hang on the whole batch. A bias before BatchNorm would have no gradient but rounding, of which Adam makes whole steps.
BATCH_NORM = """{name: sequential, batch_norm_sync: true, layers: [
  {name: conv, channels: 4, padding: 1, bias: false}, batch_norm, relu,
  {name: residual, layers: [{name: conv, channels: 4, padding: 1, bias: false}, batch_norm, tanh]}, flatten,
  {name: linear, outputs: 6, bias: false}, batch_norm, relu, linear]}"""
# Few examples have small variances, by which rounding grows.
NORMALISED = ("--set", "dataset.batch_size=23", "--set", "train.steps=60")


def optimizers():
    """As the program lists them."""
    said = subprocess.run([BINARY, "--list"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  (\w+)  ", said.split("\noptimizer: ")[1].split("\n\n")[0], re.MULTILINE)


class Trajectories(OverMpi, RanksTest):
    def setUp(self):
        super().setUp()
        self.write("ranks.yaml", RANKS)

    def takes(self, *arguments):
        return self.start(*arguments, "--print-config", config="ranks.yaml").returncode == 0

    def assert_as_one(self, ranks, *words):
        """Losses of all steps, the tuned rates and what the model reaches in the end."""
        self.run_ok(*words, "--overwrite", config="ranks.yaml")
        self.on_ok(ranks, *words, "--set", "name=many", "--overwrite")
        self.assert_same_run("many", "one")
        one, many = (self.trace(name) for name in ("one", "many"))
        for rate, expected in zip(many["steps"]["learning_rate"], one["steps"]["learning_rate"], strict=True):
            self.assertAlmostEqual(rate, expected, delta=1e-10 * max(1, expected))
        one, many = (self.json(name, "summary.json") for name in ("one", "many"))
        self.assertEqual(one["status"], "finished")
        self.assertAlmostEqual(one["final"]["test"]["loss"], many["final"]["test"]["loss"], delta=1e-9)

    def of(self, optimizer, tuner):
        own = f", {OWN[optimizer]}" if optimizer in OWN else ""
        return ("--set", f"optimizer={{name: {optimizer}, learning_rate: 0.01{own}}}", "--set", f"tuner={TUNERS[tuner]}")

    def test_two_ranks_with_every_optimizer_and_solver(self):
        names = optimizers()
        self.assertIn("kfac", names)
        for optimizer in names:
            for tuner in TUNERS:
                with self.subTest(optimizer=optimizer, tuner=tuner):
                    words = self.of(optimizer, tuner)
                    if tuner == "constant" or self.takes(*words):
                        self.assert_as_one(2, *words)

    def test_four_ranks_with_some(self):
        for optimizer, tuner in (("sgdm", "gradient_per_layer"), ("adam", "exact"), ("kfac", "exact_per_layer")):
            with self.subTest(optimizer=optimizer, tuner=tuner):
                self.assert_as_one(4, *self.of(optimizer, tuner))

    def test_batch_norm_that_sees_the_whole_batch(self):
        for ranks, optimizer, tuner in ((2, "sgdm", "gradient_per_layer"), (4, "kfac", "gradient"), (2, "kfac", "exact_per_layer"),
                                        (4, "adam", "exact"), (3, "sgdm", "exact"), (2, "smd", "constant")):
            with self.subTest(ranks=ranks, optimizer=optimizer, tuner=tuner):
                self.assert_as_one(ranks, *self.of(optimizer, tuner), "--set", f"model={BATCH_NORM}", *NORMALISED)

    def test_batch_norm_of_a_resnet(self):
        # A small budget: steps of the whole one learn the pictures by heart and jump, and rounding grows with them.
        picture = ("--set", "dataset.height=8", "--set", "dataset.width=8", *NORMALISED, "--set", "tuner={name: movement, budget: 6}",
                   "--set", "optimizer={name: sgdm}")
        self.assert_as_one(2, *picture, "--set", "model={name: resnet18, width: 2, batch_norm_sync: true}")
        # By its own part, which is what the key is there for, a rank normalises otherwise.
        self.on_ok(2, *picture, "--set", "model={name: resnet18, width: 2}", "--set", "name=parts")
        with self.assertRaises(AssertionError):
            self.assert_same_run("parts", "one")

    def test_batch_norm_of_one_example_is_refused_but_for_the_whole_batch(self):
        words = ("--set", "dataset.height=8", "--set", "dataset.width=8", "--set", "dataset.batch_size=2", "--set", "train.steps=2",
                 "--set", "tuner={name: constant}", "--set", "model.name=resnet18", "--set", "model.width=2")
        refused = self.on(2, *words)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        [line] = self.lines_of_ours(refused.stderr)
        self.assertIn("one rank's part of a batch, of 2, has but one", line)
        self.on_ok(2, *words, "--set", "model.batch_norm_sync=true")


if __name__ == "__main__":
    unittest.main()
