"""A run that takes its hyperparameters from another's trace: exact, stretched, resumed, refused."""

import json
import unittest

from apo_train import ApoTrainTest, deterministic

AUTO = ("--set", "optimizer.learning_rate=auto")
REPLAY = ("--set", "tuner={name: replay, trace: runs/first}", *AUTO)
LAYERS = ("--set", "tuner.scope=per_layer", "--set", "tuner.tune=[learning_rate, epsilon]", "--set",
          "optimizer={name: rmsprop, learning_rate: 0.001}")


class Replay(ApoTrainTest):
    def first(self, *arguments):
        self.run_ok("--set", "name=first", *arguments)
        return self.trace("first")

    def replay(self, *arguments, name="again"):
        self.run_ok(*REPLAY, "--set", f"name={name}", *arguments)
        return self.trace(name)

    def assert_the_same_training(self, first, again):
        self.assertEqual(again["steps"]["loss"], first["steps"]["loss"])
        self.assertEqual(again["steps"]["learning_rate"], first["steps"]["learning_rate"])
        self.assertEqual(again["epochs"]["test_loss"], first["epochs"]["test_loss"])

    def test_equals_the_run_that_learned_without_a_meta_step(self):
        first = self.first()
        again = self.replay()
        self.assertGreater(len(set(first["steps"]["learning_rate"])), 2)
        self.assert_the_same_training(first, again)
        self.assertEqual((again["meta"]["step"], again["hyperparameters"]), ([], {}))

    def test_of_the_default_replays_the_rates_that_its_schedule_made(self):
        default = ("--set", "tuner={name: movement}", *AUTO, "--set", "optimizer.schedule={name: linear}")
        first = self.first(*default)
        self.assertNotEqual(first["steps"]["learning_rate"], first["steps"]["learned_rate"])
        self.assert_fails(2, *REPLAY, "--set", "name=again", says=["optimizer.clip_outliers = 0", "accepted: 2"])
        again = self.replay("--set", "optimizer.clip_outliers=2")
        self.assertEqual(again["steps"]["learning_rate"], first["steps"]["learning_rate"])
        self.assertEqual(again["steps"]["loss"], first["steps"]["loss"])
        self.assertNotIn("learned_rate", again["steps"])

    def test_has_every_layers_rate_and_what_else_was_tuned(self):
        first = self.first(*LAYERS)
        self.assertIn("epsilon/fc1", first["hyperparameters"])
        self.assert_the_same_training(first, self.replay("--set", "optimizer={name: rmsprop, learning_rate: auto}"))

    def test_of_layers_with_a_schedule_is_the_same_up_to_rounding(self):
        first = self.first(*LAYERS, "--set", "optimizer.schedule={name: cosine}", "--set", "precision=float64")
        again = self.replay("--set", "optimizer={name: rmsprop, learning_rate: auto}", "--set", "precision=float64")
        for key in ("loss", "learning_rate"):
            for a, b in zip(first["steps"][key], again["steps"][key]):
                self.assertAlmostEqual(a, b, delta=1e-10 * abs(a))

    def test_stretched_to_another_length_keeps_its_ends(self):
        first = self.first()["steps"]["learning_rate"]
        stretch = ("--set", "tuner.stretch=true")
        for epochs in (6, 2):
            rates = self.replay(*stretch, "--set", f"train.epochs={epochs}", name=f"of_{epochs}")["steps"]["learning_rate"]
            self.assertEqual(len(rates), 4 * epochs)
            self.assertEqual(rates[0], first[0])
            self.assertAlmostEqual(rates[-1], first[-1], delta=1e-12)
            place = 5 * (len(first) - 1) / (len(rates) - 1)
            low, share = int(place), place % 1
            self.assertAlmostEqual(rates[5], first[low] ** (1 - share) * first[low + 1] ** share, delta=1e-12)
        self.assertEqual(self.replay(*stretch, name="same")["steps"]["learning_rate"], first)

    def test_goes_on_exactly_with_the_same_file_and_with_no_other(self):
        self.first()
        whole = self.replay(name="whole")
        self.replay("--set", "train.epochs=1")
        self.run_ok(*REPLAY, "--set", "name=again", "--resume")
        self.assertEqual(deterministic(self.trace("again")), deterministic(whole))
        trace = self.folder / "runs/first/trace.json"
        moved = self.write("moved.json", trace.read_text())
        trace.unlink()
        self.replay("--set", "train.epochs=1", "--set", "tuner.trace=moved.json", name="elsewhere")
        self.run_ok(*REPLAY, "--set", "tuner.trace=moved.json", "--set", "name=elsewhere", "--resume")
        self.assertEqual(deterministic(self.trace("elsewhere")), deterministic(whole))
        self.replay("--set", "train.epochs=1", "--set", "tuner.trace=moved.json", name="changed")
        moved.write_text(moved.read_text() + " ")
        self.assert_fails(3, *REPLAY, "--set", "tuner.trace=moved.json", "--set", "name=changed", "--resume", says=["tuner.trace", "CRC-32"])

    def test_a_rollback_lowers_what_is_replayed(self):
        trace = self.first("--set", "tuner={name: constant}")
        trace["steps"]["learning_rate"][8:] = [1e30] * 4
        self.write("wild.json", json.dumps(trace))
        result = self.start(*REPLAY, "--set", "tuner.trace=wild.json", "--set", "train.on_divergence=rollback", "--set",
                            "train.rollback_factor=1e31", "--set", "name=back")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertAlmostEqual(self.trace("back")["steps"]["learning_rate"][-1], 0.1)

    def test_what_cannot_be_replayed_is_one_line(self):
        self.first(*LAYERS)
        self.run_ok("--set", "name=global")
        replay = ("--set", "name=no", *AUTO)
        of_layers = ("--set", "tuner={name: replay, trace: runs/first}")
        of_one = ("--set", "tuner={name: replay, trace: runs/global}")
        for code, words, says in (
            (3, ["--set", "tuner={name: replay, trace: nowhere}"], ["nowhere"]),
            (3, ["--set", "tuner={name: replay, trace: smoke.yaml}"], ["smoke.yaml", "no trace.json", "accepted"]),
            (2, ["--set", "tuner={name: replay}"], ["tuner.trace", "must be given"]),
            (2, [*of_one, "--set", "train.epochs=4"], ["tuner.trace", "12 steps", "16", "tuner.stretch"]),
            (2, [*of_one, "--set", "optimizer.learning_rate=0.1"], ["optimizer.learning_rate", "auto"]),
            (2, [*of_one, "--set", "optimizer.schedule={name: linear}"], ["optimizer.schedule.name", "accepted: none"]),
            (2, [*of_one, "--set", "train.population.members=2"], ["train.population.members", "replay"]),
            (2, [*of_one, "--set", "optimizer={name: smd, learning_rate: auto}"], ["smd", "accepted: constant"]),
            (2, of_layers, ["epsilon", "optimizer", "rmsprop"]),
            (2, [*of_layers, "--set", "optimizer={name: rmsprop, learning_rate: auto}", "--set", "model.hidden=[16, 16]"], ["layers", "fc3"]),
        ):
            with self.subTest(says=says):
                self.assert_fails(code, *replay, *words, says=says)
                self.assertFalse((self.folder / "runs/no").exists())

    def test_a_dry_run_needs_no_meta_steps_and_leaves_nothing(self):
        self.first()
        result = self.run_ok(*REPLAY, "--set", "name=dry", "--dry-run")
        self.assertNotIn("meta step", result.stdout)
        self.assertFalse((self.folder / "runs/dry").exists())


if __name__ == "__main__":
    unittest.main()
