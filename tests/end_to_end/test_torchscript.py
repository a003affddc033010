"""A network that PyTorch exported: trained from the command line, and beside a plain PyTorch loop."""

import csv
import importlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import unittest

from apo_train import ROOT, ApoTrainTest, deterministic

try:
    import plain_loop
    import torch
except ImportError:
    torch = None
OF_TODAY = torch is not None and int(torch.__version__.split(".")[0]) >= 2
try:
    import torchvision
except ImportError:
    torchvision = None
try:
    import sklearn.datasets as sklearn_datasets
except ImportError:
    sklearn_datasets = None

# Linear, BatchNorm, ReLU, dropout, linear, for the pictures of the smoke test.
CLASSIFIER = ROOT / "fuzz/corpus/torchscript/classifier"
MODEL = ("--set", "model={name: torchscript, path: model.pt}")
CIFAR10 = pathlib.Path(os.environ.get("APO_DATA_ROOT", "")) / "cifar-10-batches-bin/data_batch_1.bin"
# A text that every Debian has.
LICENCE = pathlib.Path("/usr/share/common-licenses/GPL-3")


class Torchscript(ApoTrainTest):
    def setUp(self):
        super().setUp()
        shutil.copy(CLASSIFIER, self.folder / "model.pt")

    def test_trains_with_buffers_and_dropout_and_the_same_seed_gives_the_same_run(self):
        self.run_ok(*MODEL, "--set", "train.epochs=10", "--output", "runs/a")
        self.run_ok(*MODEL, "--set", "train.epochs=10", "--output", "runs/b")
        first, again = (self.trace(run, "smoke") for run in "ab")
        self.assertEqual(deterministic(first), deterministic(again))
        losses = first["epochs"]["train_loss"]
        self.assertLess(losses[-1], 0.8 * losses[0])
        with open(self.folder / "runs/a/smoke/model.safetensors", "rb") as file:
            names = set(json.loads(file.read(struct.unpack("<Q", file.read(8))[0])))
        self.assertEqual(names, {"__metadata__", "1.weight", "1.bias", "2.weight", "2.bias", "2.running_mean",
                                 "2.running_var", "2.num_batches_tracked", "5.weight", "5.bias"})

    def test_goes_on_exactly_with_the_same_file_wherever_it_is_and_with_no_other(self):
        self.run_ok(*MODEL, "--output", "runs/whole")
        self.run_ok(*MODEL, "--set", "train.epochs=1")
        moved = ("--set", "model={name: torchscript, path: moved.pt}")
        shutil.move(self.folder / "model.pt", self.folder / "moved.pt")
        self.run_ok(*moved, "--resume")
        self.assertEqual(deterministic(self.trace("whole", "smoke")), deterministic(self.trace("smoke")))
        content = bytearray((self.folder / "moved.pt").read_bytes())
        content[100] ^= 1  # padding or a weight: either way another file
        (self.folder / "moved.pt").write_bytes(content)
        self.assert_fails(3, *moved, "--resume", "--set", "train.epochs=4", says=["model.path", "CRC-32", "another"])

    def test_is_trained_by_stochastic_meta_descent(self):
        self.run_ok(*MODEL, "--set", "optimizer={name: smd, learning_rate: 0.01}", "--set", "tuner={name: constant}")
        losses = self.trace("smoke")["epochs"]["train_loss"]
        self.assertLess(losses[-1], losses[0])

    def test_says_in_a_line_what_does_not_fit(self):
        self.assert_fails(2, "--set", "model={name: torchscript}", says=["model.path", "must be given"])
        self.assert_fails(2, *MODEL, "--set", "optimizer.name=kfac", says=["kfac", "script"])
        self.assert_fails(2, *MODEL, "--set", "dataset.classes=3", says=["its outputs for an example are [10]", "want [3]"])
        self.assert_fails(2, *MODEL, "--set", "dataset.width=5", says=["takes no inputs", "float32 [1, 8, 5]", "mat1 and mat2"])
        self.assert_fails(2, *MODEL, "--set", "dataset.width=5", says=["model.path = model.pt: "])
        (self.folder / "model.pt").write_text("weights")
        self.assert_fails(3, *MODEL, says=["model.pt", "cannot be read"])
        shutil.copy(CLASSIFIER.with_name("tensors"), self.folder / "model.pt")
        self.assert_fails(3, *MODEL, says=["model.pt", "holds tensors", "torch.jit.save"])
        (self.folder / "model.pt").unlink()
        self.assert_fails(3, *MODEL, says=["model.pt"])
        self.assertFalse((self.folder / "runs").exists())


@unittest.skipIf(torch is None, "this Python has no torch")
class BesidePyTorch(ApoTrainTest):
    def export(self, name, *arguments):
        example = ROOT / "examples/export" / f"{name}.py"
        subprocess.run([sys.executable, example, "model.pt", *arguments], cwd=self.folder, check=True)
        return torch.jit.load(self.folder / "model.pt")

    def example(self, name):
        """The module of Python that an example exports."""
        sys.path.insert(0, str(ROOT / "examples/export"))
        self.addCleanup(sys.path.remove, sys.path[0])
        return importlib.import_module(name)

    def exported(self, name, module, *arguments):
        """`module` with the parameters that an example has exported to model.pt."""
        module.load_state_dict(self.export(name, *arguments).state_dict())
        return module

    def compare(self, model, data, dataset, loss_of="cross_entropy", rate=0.05, epochs=2):
        """`model`, whose script is model.pt, trained by both, here on what `data` makes of the metadata that the program leaves;
        then the program's weights in `model`."""
        self.run_ok(*MODEL, "--set", f"dataset={{{dataset}, batch_size: 20}}", "--set", f"loss.name={loss_of}",
                    "--set", "precision=float64", "--set", "tuner={name: constant}",
                    "--set", f"optimizer={{name: sgd, learning_rate: {rate}}}", "--set", f"train.epochs={epochs}")
        tensors, about = plain_loop.read_safetensors(self.folder / "runs/smoke/model.safetensors")
        x, y = data(about)
        plain = plain_loop.losses(model.double().train(), x, y, 20, epochs, rate, getattr(plain_loop, loss_of))
        ours = self.trace("smoke")["steps"]["loss"]
        plain_loop.assert_same(self, ours, plain, tensors, model, weights_to=1e-6)

    def compare_on_pictures(self, model, channels, side):
        pixels, labels = plain_loop.synthetic(50, 10, channels, side, side)
        self.compare(model, lambda about: (plain_loop.normalised(pixels, about), labels),
                     f"name: synthetic, train_examples: 50, test_examples: 20, channels: {channels}, height: {side}, width: {side}")

    def test_dropout_and_batch_statistics_give_the_losses_of_a_plain_loop(self):
        shutil.copy(CLASSIFIER, self.folder / "model.pt")
        self.compare_on_pictures(torch.jit.load(self.folder / "model.pt"), 1, 8)

    @unittest.skipIf(torchvision is None, "this Python has no torchvision")
    def test_torchvisions_resnet18_gives_the_losses_of_a_plain_loop(self):
        self.compare_on_pictures(self.exported("resnet18", self.example("resnet18").make()), 3, 8)

    @unittest.skipIf(torchvision is None, "this Python has no torchvision")
    @unittest.skipUnless(CIFAR10.exists(), "APO_DATA_ROOT has no CIFAR-10")
    def test_torchvisions_resnet18_gives_the_losses_of_a_plain_loop_on_cifar10(self):
        pixels, labels = plain_loop.cifar10(CIFAR10, 40)
        self.compare(self.exported("resnet18", self.example("resnet18").make()),
                     lambda about: (plain_loop.normalised(pixels, about), labels),
                     f"name: cifar10, root: {CIFAR10.parents[1]}, train_examples: 40, test_examples: 20", rate=0.01)

    @unittest.skipUnless(LICENCE.exists(), f"there is no {LICENCE}")
    def test_a_transformer_gives_the_losses_of_a_plain_loop_on_a_real_text(self):
        dropout = 0.1 if OF_TODAY else 0.0  # before, attention drew other masks
        model = self.exported("language_model", self.example("language_model").LanguageModel(dropout=dropout), str(dropout))
        self.compare(model, lambda _: plain_loop.text(LICENCE, 32, 400),
                     f"name: text, path: {LICENCE}, length: 32, train_examples: 400, test_examples: 20", rate=0.2, epochs=3)

    @unittest.skipIf(sklearn_datasets is None, "this Python has no scikit-learn")
    def test_a_regression_gives_the_losses_of_a_plain_loop_on_a_table_of_scikit_learn(self):
        diabetes = sklearn_datasets.load_diabetes(scaled=False)
        rows = [[*inputs, target] for inputs, target in zip(diabetes.data.tolist(), diabetes.target.tolist())]
        with open(self.folder / "diabetes.csv", "w", newline="") as file:
            csv.writer(file).writerows([[*diabetes.feature_names, "progression"], *rows])
        features = len(diabetes.feature_names)
        model = self.exported("regression", self.example("regression").make(features), str(features))
        self.compare(model, lambda _: [part.double() for part in plain_loop.table(rows)],
                     "name: csv, path: diabetes.csv", loss_of="squared_error", epochs=20)

    def test_a_language_model_is_no_classifier_of_pictures(self):
        model = self.export("language_model")
        self.assertEqual(model(torch.zeros(2, 7, dtype=torch.long)).shape, (2, 7, 256))
        self.assert_fails(2, *MODEL, says=["takes no inputs"])

    def test_a_trace_is_read_too(self):
        model = self.export("regression", "8")
        self.assertEqual(model(torch.zeros(2, 8)).shape, (2, 1))
        self.assert_fails(2, *MODEL, says=["are [1, 8, 1]"])

    @unittest.skipUnless(OF_TODAY, "this torch is older than torch.export")
    def test_a_program_of_torch_export_is_named(self):
        program = torch.export.export(torch.nn.Linear(2, 1), (torch.zeros(1, 2),))
        torch.export.save(program, self.folder / "model.pt2")
        self.assert_fails(3, "--set", "model={name: torchscript, path: model.pt2}", says=["torch.export", "torch.jit.save"])


if __name__ == "__main__":
    unittest.main()
