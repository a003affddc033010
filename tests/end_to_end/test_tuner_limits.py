"""Tuners that are frozen or held within bounds, and the warnings about those that behave oddly."""

import json
import unittest

from apo_train import ROOT, ApoTrainTest, deterministic

AUTO = ("--set", "optimizer.learning_rate=auto")
LEARNING = {
    "apo": (),
    "per_layer": ("--set", "tuner.scope=per_layer"),
    "exact": ("--set", "tuner.solver=exact"),
    "movement": ("--set", "tuner={name: movement, interval: 2}", *AUTO, "--set", "optimizer.schedule={name: none}"),
    "hypergradient": ("--set", "tuner={name: hypergradient, rate: 0.01}"),
}


class Freezing(ApoTrainTest):
    def test_every_tuner_that_learns_stops_after_its_share_and_is_resumed_exactly(self):
        for name, tuner in LEARNING.items():
            with self.subTest(name):
                words = (*tuner, "--set", "train.epochs=6", "--set", "tuner.freeze_after=0.4")
                whole = self.run_ok(*words, "--set", f"name={name}")
                trace = self.trace(name)
                rates = trace["steps"]["learning_rate"]  # 24 steps, of which round(9.6) = 10 learn
                self.assertEqual(len(set(rates[9:])), 1)
                self.assertGreater(len(set(rates[:10])), 2)
                self.assertEqual(trace["freezes"], {"step": [10]})
                self.assertTrue(all(step < 10 for step in trace["meta"]["step"]))
                self.assertIn("step 10: from here on the hyperparameters stay", whole.stderr)
                lines = [json.loads(line) for line in (self.folder / f"runs/{name}/trace.jsonl").read_text().splitlines()]
                self.assertEqual([line for line in lines if line["type"] == "freeze"], [{"type": "freeze", "step": 10}])
                for epochs in (1, 4):  # before and behind it
                    parts = (*words, "--set", f"name={name}_{epochs}")
                    self.interrupted_at(epochs, *parts)
                    self.assertEqual(deterministic(self.trace(f"{name}_{epochs}")), deterministic(trace))
                    self.assertEqual(self.trace(f"{name}_{epochs}")["freezes"], {"step": [10]})

    def interrupted_at(self, epochs, *words):
        """The run, begun, and gone on with from its checkpoint at the end of an epoch."""
        self.run_ok(*words, "--set", "train.keep_checkpoints=9")
        folder = self.folder / "runs" / words[-1].removeprefix("name=") / "checkpoints"
        for path in folder.iterdir():
            if not path.name.startswith("step-") or int(path.name[5:14]) > 4 * epochs:
                path.unlink()
        (folder.parent / "summary.json").unlink()
        self.run_ok(*words, "--set", "train.keep_checkpoints=9", "--resume")

    def test_a_share_of_one_is_never_and_others_are_refused(self):
        self.run_ok("--set", "tuner.freeze_after=1")
        self.assertNotIn("freezes", self.trace("smoke"))
        for share in ("0", "1.5"):
            self.assert_fails(2, "--set", f"tuner.freeze_after={share}", says=["tuner.freeze_after", "must be > 0 and <= 1"])

    def test_the_schedule_goes_on(self):
        self.run_ok(*LEARNING["movement"], "--set", "tuner.freeze_after=0.5", "--set", "optimizer.schedule={name: linear}")
        steps = self.trace("smoke")["steps"]
        self.assertEqual(len(set(steps["learned_rate"][5:])), 1)
        self.assertEqual(len(set(steps["learning_rate"][5:])), len(steps["learning_rate"][5:]))


class Bounds(ApoTrainTest):
    def test_every_tuner_that_changes_the_rate_stays_within_them(self):
        tuners = {**LEARNING, "step_decay": ("--set", "tuner={name: step_decay, every: 1, factor: 0.3}")}
        for name, tuner in tuners.items():
            with self.subTest(name):
                self.run_ok(*tuner, "--set", f"name={name}")
                rates = self.trace(name)["steps"]["learning_rate"]
                lower, upper = (max(rates) * min(rates)) ** 0.5 * 0.999, 2 * max(rates)
                low = ("--set", f"tuner.bounds.learning_rate=[{lower}, {upper}]")
                first = AUTO if name in ("movement",) else ("--set", f"optimizer.learning_rate={max(rates)}")
                self.run_ok(*tuner, *first, *low, "--set", f"name={name}_bounded")
                held = self.trace(f"{name}_bounded")["steps"]["learning_rate"]
                self.assertGreaterEqual(min(held), lower * (1 - 1e-9))
                self.assertLessEqual(max(held), upper * (1 + 1e-9))

    def test_a_rate_outside_of_them_is_refused(self):
        for tuner in ("{name: hypergradient}", "{name: step_decay, every: 1}"):
            self.assert_fails(2, "--set", f"tuner={tuner}", "--set", "tuner.bounds.learning_rate=[1, 2]",
                              says=["tuner.bounds", "0.05", "outside"])


BOUND = ("--set", "tuner.bounds.learning_rate=[0.04, 0.06]", "--set", "tuner.lambda=1e-9", "--set", "train.epochs=20")
STILL = ("--set", "tuner.meta_optimizer.learning_rate=0", "--set", "train.epochs=30")
DOMINATED = ("--set", "tuner={name: apo, form: paper, lambda: 1e6, interval: 2, meta_optimizer: {name: rmsprop, learning_rate: 1e-5}}",
             "--set", "train.epochs=12")
RUNNING = ("--set", "tuner={name: apo, form: paper, lambda: 0, interval: 2, meta_optimizer: {name: rmsprop, learning_rate: 0.2, epsilon: 1e-200}}",
           "--set", "optimizer.learning_rate=1e-60", "--set", "precision=float64", "--set", "train.epochs=30")
ODD = {"at_bound": BOUND, "unmoved": STILL, "discrepancy": DOMINATED, "runs_away": RUNNING}
SECTIONS = {"at_bound": "It sits at a bound", "unmoved": "It does not move", "discrepancy": "The discrepancy dominates", "runs_away": "It runs away"}


class Warnings(ApoTrainTest):
    def test_each_kind_is_said_once_and_kept_in_the_trace_and_on_the_page(self):
        page = (ROOT / "docs/troubleshooting.md").read_text()
        for kind, words in ODD.items():
            with self.subTest(kind):
                result = self.run_ok(*words, "--set", f"name={kind}", "--log-level", "warn")
                warnings = self.trace(kind)["warnings"]
                self.assertEqual(warnings["kind"], [kind])
                message = warnings["message"][0]
                said = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
                self.assertEqual(said, [f"warning: step {warnings['step'][0]}: {message}"])
                anchor = message.rsplit("docs/troubleshooting.md#", 1)[1]
                self.assertEqual(anchor, SECTIONS[kind].lower().replace(" ", "-"))
                self.assertIn(f"### {SECTIONS[kind]}\n", page)
                self.assertEqual(self.report(kind)["runs"][0]["warnings"], [f"step {warnings['step'][0]}: {message}"])

    def test_they_are_not_said_where_only_errors_are_wanted(self):
        result = self.run_ok(*STILL, "--log-level", "error")
        self.assertEqual(result.stderr, "")
        self.assertEqual(self.trace("smoke")["warnings"]["kind"], ["unmoved"])

    def test_a_run_that_goes_on_tells_the_same_ones_at_the_same_steps(self):
        for kind, words in ODD.items():
            with self.subTest(kind):
                self.run_ok(*words, "--set", f"name={kind}")
                whole = self.trace(kind)
                self.run_ok(*words, "--set", f"name={kind}_on", "--set", "train.epochs=3")
                self.run_ok(*words, "--set", f"name={kind}_on", "--resume")
                self.assertEqual(self.trace(f"{kind}_on")["warnings"], whole["warnings"])

    def test_a_healthy_run_says_nothing(self):
        healthy = {
            **LEARNING,
            "default": ("--set", "tuner={name: movement}", *AUTO, "--set", "optimizer.schedule={name: linear}"),
            "adam": ("--set", "tuner={name: movement}", "--set", "optimizer={name: adam, learning_rate: auto}"),
            "cosine": ("--set", "tuner={name: constant}", "--set", "optimizer.schedule={name: cosine}"),
            "step_decay": ("--set", "tuner={name: step_decay, every: 2, factor: 0.01}"),
        }
        for name, words in healthy.items():
            with self.subTest(name):
                self.run_ok(*words, "--set", "train.epochs=75", "--set", "train.evaluate_every=75", "--set", f"name={name}")
                self.assertNotIn("warnings", self.trace(name))


if __name__ == "__main__":
    unittest.main()
