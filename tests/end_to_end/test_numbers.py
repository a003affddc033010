"""Runs whose numbers go wrong: ruined ones are told as diverged, searches say what they change, bad settings are refused."""

import signal
import subprocess
import time
import unittest

from apo_train import ApoTrainTest, deterministic, patience

CONSTANT = ("--set", "tuner={name: constant}")


class Ruin(ApoTrainTest):
    # Finite all the way, and far above the loss of the untrained network.
    RUINING = (*CONSTANT, "--set", "optimizer.learning_rate=1e5", "--set", "train.epochs=1")

    def test_a_ruined_run_has_diverged_though_it_is_finite(self):
        result = self.start(*self.RUINING)
        self.assertEqual(result.returncode, 4, result.stderr)
        summary = self.json("smoke", "summary.json")
        self.assertEqual(summary["status"], "diverged")
        for word in ("is ruined", "untrained", "epoch 1", "learning rate 100000"):
            self.assertIn(word, summary["message"])
        self.assertTrue(all(loss is not None for loss in self.trace("smoke")["steps"]["loss"]))

    def test_a_ruined_run_rolls_back_where_that_is_wanted(self):
        self.run_ok(*self.RUINING, "--set", "train={epochs: 2, on_divergence: rollback, rollback_factor: 1e7}")
        trace = self.trace("smoke")
        self.assertEqual(trace["rollbacks"]["to_step"], [0])
        self.assertLess(trace["epochs"]["train_loss"][-1], 5)

    def test_a_ruined_run_ends_alike_after_an_interruption(self):
        longer = (*self.RUINING[:4], "--set", "train={epochs: 4}")
        whole = self.start(*longer, "--set", "name=whole")
        self.assertEqual(self.start(*self.RUINING, "--set", "train={steps: 2}").returncode, whole.returncode)
        self.assertEqual(whole.returncode, 4)

    def test_kfac_at_tiny_batches_ends_well_or_as_diverged(self):
        for size in (1, 2):
            with self.subTest(size):
                code = self.start("--set", f"dataset.batch_size={size}", "--set", "optimizer={name: kfac, learning_rate: 0.1}", "--overwrite",
                                  "--set", "dataset.train_examples=100", "--set", "tuner={name: apo, lambda: 1e-3}").returncode
                rates = [rate for rate in self.trace("smoke")["steps"]["learning_rate"] if rate is not None]
                self.assertGreater(min(rates), 1e-30)
                if code == 0:
                    self.assertLess(self.json("smoke", "summary.json")["final"]["train"]["loss"], 23)
                else:
                    self.assertEqual(code, 4)


class Search(ApoTrainTest):
    def test_what_it_changes_is_said_once_with_both_rates_and_the_key(self):
        errors = self.run_ok("--set", "optimizer.learning_rate=1e-7").stderr
        self.assertEqual(errors.count("line search replaces the given learning rate 1e-07 by"), 1)
        self.assertIn("tuner.form=paper", errors)

    def test_one_example_does_not_decide_on_the_first_rate(self):
        self.run_ok("--set", "dataset.batch_size=1", "--set", "optimizer.learning_rate=0.1", "--set", "train={steps: 20}")
        self.assertGreater(self.trace("smoke")["steps"]["learning_rate"][0], 1e-4)

    def test_a_signal_during_the_search_for_the_first_rate_is_answered_and_nothing_is_lost(self):
        wide = ("--set", "model.hidden=[1500, 1500]", "--set", "dataset={name: synthetic, train_examples: 600, test_examples: 20, batch_size: 600}",
                "--set", "optimizer.learning_rate=auto", "--set", "train={steps: 1}", "--set", "tuner.interval=1", "--progress", "off")
        process = subprocess.Popen(self.command(*wide), cwd=self.folder, env=self.environment(), stderr=subprocess.DEVNULL)
        while not (self.folder / "runs/smoke/trace.jsonl").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=patience(60))
        self.assertEqual(process.returncode, 143)
        self.assertEqual(self.trace("smoke")["steps"]["step"], [])
        self.run_ok(*wide, "--resume")
        self.run_ok(*wide, "--set", "name=whole")
        self.assertEqual(deterministic(self.trace("smoke")), deterministic(self.trace("whole")))


class Settings(ApoTrainTest):
    def test_numbers_that_single_precision_does_not_hold_are_named(self):
        for setting, words in (("optimizer.weight_decay=1e39", ["optimizer.weight_decay = 1e39", "infinite", "float64"]),
                               ("optimizer={name: adam, epsilon: 1e-46}", ["optimizer.epsilon = 1e-46", "zero"]),
                               ("optimizer={name: kfac, damping: 1e-50}", ["optimizer.damping = 1e-50", "zero"]),
                               ("tuner.lambda=1e300", ["tuner.lambda = 1e300", "infinite"])):
            with self.subTest(setting):
                self.assert_fails(2, "--set", setting, says=words)
        self.run_ok("--set", "optimizer={name: adam, epsilon: 1e-46}", "--set", "precision=float64")

    def test_batch_normalisation_of_one_value_is_refused_before_the_run(self):
        resnet = ("--set", "model={name: resnet18, width: 2}")
        for settings, words in ((("dataset.train_examples=21", "dataset.batch_size=10"), ["dataset.batch_size = 10"]),
                                (("tuner.discrepancy_batch_size=1",), ["tuner.discrepancy_batch_size = 1"]),
                                (("tuner.lean=true", "dataset.batch_size=4", "dataset.train_examples=8"), ["tuner.lean = true"])):
            with self.subTest(settings):
                self.assert_fails(2, *resnet, *(word for setting in settings for word in ("--set", setting)), says=["BatchNorm", *words])
        self.assertFalse((self.folder / "runs").exists())

    def test_a_share_of_a_batch_leaves_batch_normalisation_more_than_one_value(self):
        """The default tuner looks at half a batch: of 61 examples in halves of 20 one would be alone, in halves of 2 each."""
        model = ("--set", "model={name: sequential, layers: [flatten, {name: linear, outputs: 8}, batch_norm, relu, linear]}", "--set", "tuner={name: movement}", "--overwrite")
        for batch, examples in ((40, 61), (2, 20)):
            self.run_ok(*model, "--set", f"dataset.batch_size={batch}", "--set", f"dataset.train_examples={examples}")

    def test_full_training_metrics_are_of_one_kind_whenever_the_test_set_is_looked_at(self):
        losses = []
        for every in (1, 2):
            self.run_ok("--overwrite", "--set", "train={epochs: 4, train_metrics: full, evaluate_every: %d}" % every)
            losses.append(self.trace("smoke")["epochs"]["train_loss"])
        self.assertEqual(*losses)

    def test_rates_of_layers_that_do_not_move_are_printed_as_they_were_given(self):
        self.run_ok("--set", "tuner={name: apo, scope: per_layer, meta_optimizer: {learning_rate: 0}}", "--set", "optimizer.learning_rate=0.1")
        self.assertEqual(set(self.trace("smoke")["steps"]["learning_rate"]), {0.1})

    def test_members_of_a_population_share_one_regression(self):
        self.write("toy.yaml", "problem: {name: ill_conditioned_regression, condition: 10}\noptimizer: {name: sgd, learning_rate: 0.01}\n"
                   "tuner: {name: constant}\ntrain: {steps: 12, population: {members: 2, interval: 5}}\nprecision: float64\n")
        self.run_ok(config="toy.yaml")
        events = self.json("toy", "population.json")["events"]
        event = events[-1]
        losses = [self.trace("toy", f"member={member}")["steps"]["loss"][event["step"]] for member in (event["member"], event["from"])]
        self.assertEqual(*losses)


if __name__ == "__main__":
    unittest.main()
