"""The module apo_train: runs the program ($APO_TRAIN), reads its folders. Needs no PyTorch."""

import contextlib
import importlib.util
import io
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

import apo_train

BINARY = os.environ.get("APO_TRAIN", "")
SMOKE = {
    "name": "smoke",
    "dataset": {"name": "synthetic", "train_examples": 200, "test_examples": 50, "batch_size": 50, "height": 8, "width": 8},
    "model": {"name": "mlp", "hidden": [16]},
    "optimizer": {"name": "sgd", "learning_rate": 0.05},
    "tuner": {"name": "apo", "lambda": 1e-3, "interval": 2},
    "train": {"epochs": 3},
    "threads": 1,
}


def needs(package):
    return unittest.skipUnless(importlib.util.find_spec(package), f"this Python has no {package}")


class InFolder(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = pathlib.Path(made.name)
        self.output = self.folder / "runs"


@unittest.skipUnless(os.access(BINARY, os.X_OK), "APO_TRAIN names no program")
class Running(InFolder):
    def run_smoke(self, config=SMOKE, **words):
        return apo_train.run(config, **{"output": self.output, "quiet": True, **words})

    def assert_fails(self, code, *says, **words):
        with self.assertRaises(apo_train.ApoTrainError) as caught:
            self.run_smoke(**words)
        self.assertEqual(caught.exception.exit_code, code)
        self.assertNotIn("\n", str(caught.exception))
        for word in says:
            self.assertIn(word, str(caught.exception))

    def test_a_dict_trains_and_its_trace_has_every_step(self):
        run = self.run_smoke()
        self.assertEqual(run.folder, self.output / "smoke")
        self.assertEqual(run.trace["steps"]["step"], list(range(12)))  # 200 / 50 a pass
        self.assertEqual(run.trace["meta"]["step"], [0, 2, 4, 6, 8, 10])
        self.assertEqual(run.summary["status"], "finished")

    def test_a_file_and_overrides_with_underscores_for_the_dot(self):
        file = self.folder / "a.yaml"
        file.write_text(json.dumps(SMOKE))
        run = self.run_smoke(file, name="2", seed=7, train__epochs=1, model={"name": "mlp", "hidden": [4, 4]})
        self.assertEqual(run.folder, self.output / "2")
        config = run.trace["config"]
        self.assertEqual((config["seed"], config["train"]["epochs"], config["model"]["hidden"]), (7, 1, [4, 4]))

    def test_the_programs_configurations_are_found_by_name(self):
        run = self.run_smoke("mlp", name="by_name", train__epochs=1)
        self.assertEqual(run.trace["name"], "by_name")

    def test_a_grid_has_runs_and_a_table(self):
        run = self.run_smoke(name="grid", grid={"seed": [0, 1]})
        self.assertEqual(sorted(one.trace["config"]["seed"] for one in run.runs), [0, 1])
        self.assertEqual(len(run.summary["runs"]), 2)
        self.assert_fails(5, "grid.json", name="half", tuner={"name": "constant"}, grid={"optimizer.learning_rate": [0.1, 1e30]})

    def test_what_the_program_refuses_is_raised_with_its_line_and_code(self):
        self.assert_fails(2, "optimizer.name", "adam", optimizer__name="adm")
        self.assert_fails(3, "nowhere", dataset={"name": "mnist", "root": "/nowhere"})
        self.assert_fails(2, "no.yaml", config="no.yaml")
        self.assertFalse((self.output / "smoke").exists())

    def test_a_run_that_diverged_is_raised_and_can_be_read(self):
        with self.assertRaises(apo_train.ApoTrainError) as caught:
            self.run_smoke(tuner={"name": "constant"}, optimizer={"name": "sgd", "learning_rate": 1e30})
        self.assertEqual(caught.exception.exit_code, 4)
        self.assertIn("the loss became", str(caught.exception))
        self.assertEqual(apo_train.Run(caught.exception.folder).summary["status"], "diverged")

    def test_an_existing_folder_is_kept_replaced_or_continued(self):
        first = self.run_smoke().trace["steps"]["loss"]
        self.assert_fails(2, "smoke")
        self.assertEqual(self.run_smoke(overwrite=True).trace["steps"]["loss"], first)
        self.assertEqual(self.run_smoke(resume=True, train__epochs=4).trace["steps"]["step"], list(range(16)))

    def test_what_the_program_says_goes_to_stderr_unless_quiet(self):
        for quiet in (False, True):
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                self.run_smoke(name=f"quiet_{quiet}", quiet=quiet)
            self.assertEqual("synthetic" in said.getvalue(), not quiet)

    @needs("pandas")
    def test_every_part_of_the_trace_is_a_frame(self):
        run = self.run_smoke()
        self.assertEqual(list(run.frame("steps").columns), ["step", "loss", "learning_rate"])
        self.assertEqual(len(run.frame()), 3)
        meta = run.frame("meta")
        self.assertEqual(list(meta["gradient.learning_rate"]), run.trace["meta"]["gradient"]["learning_rate"])
        tuned = run.trace["hyperparameters"]["learning_rate"]
        self.assertEqual(run.frame("hyperparameters")["learning_rate"].to_dict(), dict(zip(tuned["step"], tuned["value"])))
        with self.assertRaisesRegex(KeyError, "accepted: steps, meta, epochs"):
            run.frame("nonsense")

    @needs("safetensors")
    @needs("numpy")
    def test_weights_are_those_of_the_file(self):
        run = self.run_smoke()
        weights = run.weights()
        content = (run.folder / "model.safetensors").read_bytes()
        end = 8 + struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8:end])
        header.pop("__metadata__")
        self.assertEqual(sorted(weights), sorted(header))
        for name, entry in header.items():
            begin, stop = entry["data_offsets"]
            self.assertEqual(list(weights[name].shape), entry["shape"])
            self.assertEqual(weights[name].tobytes(), content[end + begin : end + stop])
        with self.assertRaisesRegex(FileNotFoundError, "model_average"):
            run.weights(average=True)

    def test_the_command_is_the_program(self):
        code = "import apo_train; apo_train.main()"
        result = subprocess.run([sys.executable, "-c", code, "--config", "no.yaml"], env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
                                cwd=self.folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 2)
        self.assertTrue(result.stderr.startswith("apo-train: error: no.yaml"), result.stderr)


class Reading(InFolder):
    def test_a_run_that_has_not_ended_says_so(self):
        with self.assertRaisesRegex(FileNotFoundError, "summary.json: missing; it is written when the run ends"):
            _ = apo_train.Run(self.folder).summary

    @needs("pandas")
    def test_values_that_are_not_finite_are_nan_in_a_frame(self):
        (self.folder / "trace.json").write_text(json.dumps({"steps": {"step": [0, 1], "loss": [0.5, None]}}))
        losses = list(apo_train.Run(self.folder).frame("steps")["loss"])
        self.assertEqual(losses[0], 0.5)
        self.assertTrue(math.isnan(losses[1]))

    def test_a_schedule_has_what_each_step_used_of_a_trace_that_keeps_every_second(self):
        trace = {
            "steps": {"step": [0, 2, 4], "learning_rate": [0.2, 0.1, 0.025]},  # half of the layers' means, but for the first
            "epochs": {"step": [3, 6]},
            "hyperparameters": {
                "learning_rate/a": {"step": [0, 2], "value": [0.1, 0.1]},
                "learning_rate/b": {"step": [0, 2], "value": [0.4, 0.4]},
                "epsilon/a": {"step": [0, 4], "value": [1e-8, 1e-6]},
            },
        }
        (self.folder / "trace.json").write_text(json.dumps(trace))
        schedule = apo_train.Run(self.folder).schedule()
        self.assertEqual(list(schedule), ["learning_rate/a", "learning_rate/b", "epsilon/a"])
        self.assertEqual(schedule["epsilon/a"], [1e-8] * 4 + [1e-6] * 2)
        for found, wanted in zip(schedule["learning_rate/b"], [0.4, 0.4 * 0.5**0.5, 0.2, 0.1, 0.05, 0.05], strict=True):
            self.assertAlmostEqual(found, wanted, delta=1e-15)

    def test_without_a_program_there_is_one_line(self):
        with mock.patch.dict(os.environ, {"APO_TRAIN": ""}), mock.patch.object(sys, "argv", ["apo-train"]):
            with self.assertRaises(SystemExit) as ended:
                apo_train.main()
        self.assertRegex(str(ended.exception.code), "^apo-train: error: .*no program.*APO_TRAIN$")

    def test_an_unknown_framework_is_refused(self):
        with self.assertRaisesRegex(ValueError, "accepted: 'numpy', 'torch'"):
            apo_train.Run(self.folder).weights("jax")


if __name__ == "__main__":
    unittest.main()
