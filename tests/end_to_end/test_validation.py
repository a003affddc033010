"""Runs with a validation set: what is best, when to stop and a grid's ranking are judged on it."""

import unittest

from apo_train import ApoTrainTest

HALF = ("--set", "dataset.validation_share=0.5")


class Validation(ApoTrainTest):
    def test_it_is_measured_beside_the_test_set_and_takes_nothing_from_it(self):
        self.run_ok(*HALF)
        trace, summary = self.trace("smoke"), self.json("smoke", "summary.json")
        epochs = trace["epochs"]
        self.assertEqual(epochs["step"], [2, 4, 6])  # 100 of 200 examples in batches of 50
        self.assertEqual(len(epochs["validation_loss"]), 3)
        self.assertEqual(summary["final"]["validation"], {"loss": epochs["validation_loss"][-1], "accuracy": epochs["validation_accuracy"][-1]})
        self.assertEqual(summary["best"]["validation"]["accuracy"], max(epochs["validation_accuracy"]))
        self.assertIn("100 training, 50 test examples", (self.folder / "runs/smoke/log.txt").read_text())
        self.assertIn("validation loss", (self.folder / "runs/smoke/log.txt").read_text())

    def test_epochs_without_an_evaluation_have_none(self):
        self.run_ok(*HALF, "--set", "train.evaluate_every=2")
        measured = [loss is not None for loss in self.trace("smoke")["epochs"]["validation_loss"]]
        self.assertEqual(measured, [False, True, True])

    def test_a_run_that_gets_no_better_ends_and_says_so(self):
        # At rate 0 nothing changes: no evaluation is better than the first.
        never = ("--set", "tuner={name: constant}", "--set", "optimizer.learning_rate=1e-30", "--set", "precision=float64")
        self.run_ok(*HALF, *never, "--set", "train.epochs=50", "--set", "train.patience=3")
        summary = self.json("smoke", "summary.json")
        self.assertEqual((summary["status"], summary["epochs"], summary["steps"]), ("finished", 4, 8))
        self.assertIn("ended at step 8 of 100: the last 3 evaluations were no better on the validation set", summary["message"])
        again = self.run_ok(*HALF, *never, "--set", "train.epochs=50", "--set", "train.patience=3", "--resume")
        self.assertIn("finished already; a larger train.epochs or train.patience goes on with it", again.stderr)
        self.run_ok(*HALF, *never, "--set", "train.epochs=50", "--set", "train.patience=5", "--resume")
        self.assertEqual(self.json("smoke", "summary.json")["epochs"], 6)

    def test_the_wait_goes_on_where_a_run_was_interrupted(self):
        never = ("--set", "tuner={name: constant}", "--set", "optimizer.learning_rate=1e-30", "--set", "precision=float64", "--set", "train.patience=4")
        self.run_ok(*HALF, *never, "--set", "train.epochs=3")
        self.run_ok(*HALF, *never, "--set", "train.epochs=50", "--resume")
        self.assertEqual(self.json("smoke", "summary.json")["epochs"], 5)

    def test_a_grid_is_ranked_by_it(self):
        # The rate that trains best ends lower on the validation set than one that does not train at all.
        self.run_ok(*HALF, "--set", "tuner={name: constant}", "--set", "grid.optimizer.learning_rate=[1e-9, 0.1]")
        grid = self.json("smoke", "grid.json")
        accuracies = [run["validation_accuracy"] for run in grid["runs"]]
        self.assertEqual(accuracies, sorted(accuracies, reverse=True))
        self.assertEqual(grid["runs"][0]["values"], {"optimizer.learning_rate": 0.1})

    def test_it_is_asked_for_before_it_is_waited_for(self):
        result = self.start("--set", "train.patience=3")
        self.assertEqual(result.returncode, 2)
        self.assertIn("train.patience = 3: there is no validation set", result.stderr)

    def test_a_share_that_leaves_nothing_is_refused_in_one_line(self):
        result = self.start("--set", "dataset.validation_share=0.001")
        self.assertEqual((result.returncode, result.stderr.count("\n")), (2, 1))
        self.assertIn("dataset.validation_share = 0.001", result.stderr)


if __name__ == "__main__":
    unittest.main()
