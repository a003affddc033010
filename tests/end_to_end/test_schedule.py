"""What a run's steps used, for other programs: PyTorch trains with the same rates."""

import csv
import importlib.util
import io
import os
import re
import subprocess
import sys
import unittest
from unittest import mock

from apo_train import ROOT, ApoTrainTest, patience

AUTO = ("--set", "optimizer.learning_rate=auto")
REPLAY = ("--set", "tuner={name: replay, trace: runs/first}", *AUTO)
LAYERS = ("--set", "tuner.scope=per_layer", "--set", "tuner.tune=[learning_rate, epsilon]", "--set",
          "optimizer={name: rmsprop, learning_rate: 0.001}")


def python_module():
    """What a reader imports as apo_train; here that is the name of what tests share."""
    spec = importlib.util.spec_from_file_location("apo_train", ROOT / "python/apo_train/__init__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Schedule(ApoTrainTest):
    def exported(self, name):
        result = subprocess.run([ROOT / "scripts/trace_to_csv", f"runs/{name}", "--part", "schedule"], cwd=self.folder,
                                capture_output=True, text=True, timeout=patience(20))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        return {key: [float(row[key]) for row in rows] for key in rows[0]}

    def test_is_the_used_rate_of_each_step_and_of_layers_theirs(self):
        self.run_ok("--set", "name=one")
        trace = self.trace("one")
        self.assertEqual(self.exported("one"), {"step": trace["steps"]["step"], "learning_rate": trace["steps"]["learning_rate"]})

        self.run_ok("--set", "name=layers", *LAYERS, "--set", "optimizer.schedule={name: cosine}")
        trace, found = self.trace("layers"), self.exported("layers")
        self.assertEqual(set(found), {"step", *trace["hyperparameters"]})
        self.assertEqual(found["epsilon/fc2"][:4:2], trace["hyperparameters"]["epsilon/fc2"]["value"][:2])
        for step, rate in enumerate(trace["steps"]["learning_rate"]):
            self.assertAlmostEqual((found["learning_rate/fc1"][step] * found["learning_rate/fc2"][step]) ** 0.5, rate, delta=1e-12 * rate)

    def test_fills_what_trace_every_left_out_as_a_replay_does(self):
        self.run_ok("--set", "name=first", "--set", "trace.every=3")
        self.run_ok(*REPLAY, "--set", "name=again")
        rates = self.trace("again")["steps"]["learning_rate"]
        for a, b in zip(self.exported("first")["learning_rate"], rates, strict=True):
            self.assertAlmostEqual(a, b, delta=1e-12)

    def test_of_a_folder_without_a_trace_is_one_line(self):
        result = subprocess.run([ROOT / "scripts/trace_to_csv", "runs/none", "--part", "schedule"], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stdout, result.stderr.count("\n")), (1, "", 1))
        self.assertIn("runs/none/trace.json", result.stderr)

    @unittest.skipUnless(importlib.util.find_spec("torch"), "this Python has no torch")
    def test_the_lines_for_pytorch_use_the_rates_of_the_trace(self):
        import torch

        page = (ROOT / "docs/trace.md").read_text().split("## A schedule for PyTorch", 1)[1]
        one, layered = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)[:2]
        used = []
        step = torch.optim.SGD.step

        def noting(optimizer, *arguments, **words):
            used.append([group["lr"] for group in optimizer.param_groups])
            return step(optimizer, *arguments, **words)

        modules = mock.patch.dict(sys.modules, apo_train=python_module())
        modules.start()
        self.addCleanup(modules.stop)
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.folder)
        self.run_ok("--set", "name=my", "--set", "tuner={name: movement}", *AUTO, "--set", "optimizer.schedule={name: linear}")
        with mock.patch.object(torch.optim.SGD, "step", noting):
            exec(compile(one, "docs/trace.md", "exec"), {})
        self.assertEqual([rates for rates, in used], self.trace("my")["steps"]["learning_rate"])

        self.run_ok("--set", "name=my", "--overwrite", "--set", "tuner.scope=per_layer")
        trace, used[:] = self.trace("my"), []
        scope = {}
        model = "torch.nn.Sequential(__import__('collections').OrderedDict(fc1=torch.nn.Linear(64, 16), fc2=torch.nn.Linear(16, 10)))"
        with mock.patch.object(torch.optim.SGD, "step", noting):
            exec(compile(layered.replace("torch.nn.Sequential()", model), "docs/trace.md", "exec"), scope)
            for _ in trace["steps"]["step"][:-1]:
                scope["optimizer"].step()
                scope["scheduler"].step()
        for at, rates in enumerate(used):
            for rate, layer in zip(rates, ("fc1", "fc2"), strict=True):
                column = trace["hyperparameters"][f"learning_rate/{layer}"]
                self.assertEqual(rate, column["value"][at // 2])


if __name__ == "__main__":
    unittest.main()
