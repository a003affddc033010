"""A network that PyTorch exported: trained from the command line, and beside a plain PyTorch loop."""

import json
import re
import shutil
import struct
import subprocess
import sys
import unittest

from apo_train import ROOT, ApoTrainTest, deterministic

try:
    import torch
    from torch.nn import functional as F
except ImportError:
    torch = None
try:
    import torchvision
except ImportError:
    torchvision = None

# Linear, BatchNorm, ReLU, dropout, linear, for the pictures of the smoke test.
CLASSIFIER = ROOT / "fuzz/corpus/torchscript/classifier"
MODEL = ("--set", "model={name: torchscript, path: model.pt}")
# Streams by their place.
RANDOM_STREAM = re.search(r"enum class RandomStream .*?\{(.*?)\};", (ROOT / "lib/apo/base/random.h").read_text(), re.S)[1]
STREAMS = re.findall(r"^ *(\w+),", RANDOM_STREAM, re.M)


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

    def test_says_in_a_line_what_does_not_fit(self):
        self.assert_fails(2, "--set", "model={name: torchscript}", says=["model.path", "must be given"])
        self.assert_fails(2, *MODEL, "--set", "optimizer.name=kfac", says=["kfac", "script"])
        self.assert_fails(2, *MODEL, "--set", "dataset.classes=3", says=["its outputs for an example are [10]", "want [3]"])
        self.assert_fails(2, *MODEL, "--set", "dataset.width=5", says=["takes no inputs", "float32 [1, 8, 5]", "mat1 and mat2"])
        (self.folder / "model.pt").write_text("weights")
        self.assert_fails(3, *MODEL, says=["model.pt", "cannot be read"])
        shutil.copy(CLASSIFIER.with_name("tensors"), self.folder / "model.pt")
        self.assert_fails(3, *MODEL, says=["model.pt", "holds tensors", "torch.jit.save"])
        (self.folder / "model.pt").unlink()
        self.assert_fails(3, *MODEL, says=["model.pt"])
        self.assertFalse((self.folder / "runs").exists())


def mix(z):
    """Of lib/apo/base/random.cpp."""
    z = (z + 0x9e3779b97f4a7c15) % 2**64
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9 % 2**64
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb % 2**64
    return z ^ (z >> 31)


def seed_of(seed, stream, part):
    return mix(mix(mix(seed) ^ STREAMS.index(stream)) ^ part)


def generator(stream, part, seed=0):
    return torch.Generator().manual_seed(seed_of(seed, stream, part))


def synthetic(examples, classes, *shape):
    """The training pictures of dataset.name: synthetic, and their labels."""
    prototypes = torch.rand(classes, *shape, generator=generator("synthetic_data", 0)) * 255
    labels = torch.arange(examples) % classes
    noise = torch.randn(examples, *shape, generator=generator("synthetic_data", 1)) * 40
    return (prototypes[labels] + noise).round().clamp(0, 255), labels


def plain_losses(model, x, y, batch_size, epochs, rate):
    """What anybody would write. The same batches, and dropout from the same seeds."""
    sgd = torch.optim.SGD(model.parameters(), lr=rate)
    losses = []
    for epoch in range(epochs):
        for chosen in torch.randperm(len(x), generator=generator("training_batches", epoch)).split(batch_size):
            torch.manual_seed(seed_of(0, "network", len(losses)))
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            losses.append(loss.item())
    return losses


def read_safetensors(path):
    content = path.read_bytes()
    end = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:end])
    about = header.pop("__metadata__")
    kinds = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64}
    tensors = {}
    for name, entry in header.items():
        begin, stop = (end + offset for offset in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(content[begin:stop]), dtype=kinds[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors, about


@unittest.skipIf(torch is None, "this Python has no torch")
class BesidePyTorch(ApoTrainTest):
    def export(self, name, *arguments):
        example = ROOT / "examples/export" / f"{name}.py"
        subprocess.run([sys.executable, example, "model.pt", *arguments], cwd=self.folder, check=True)
        return torch.jit.load(self.folder / "model.pt")

    def compare(self, model, channels, side, rate=0.05):
        """`model`, whose script is model.pt, trained by both; then the program's weights in `model`."""
        shape = f"channels: {channels}, height: {side}, width: {side}"
        self.run_ok(*MODEL, "--set", f"dataset={{name: synthetic, train_examples: 50, test_examples: 20, batch_size: 20, {shape}}}",
                    "--set", "precision=float64", "--set", "tuner={name: constant}",
                    "--set", f"optimizer={{name: sgd, learning_rate: {rate}}}", "--set", "train.epochs=2")
        tensors, about = read_safetensors(self.folder / "runs/smoke/model.safetensors")
        normalisation = json.loads(about["normalisation"])
        mean, std = (torch.tensor(normalisation[key], dtype=torch.float64).view(-1, 1, 1) for key in ("mean", "std"))
        pixels, labels = synthetic(50, 10, channels, side, side)
        torch.set_num_threads(1)
        losses = plain_losses(model.double().train(), (pixels.double() / 255 - mean) / std, labels, 20, 2, rate)
        ours = self.trace("smoke")["steps"]["loss"]
        self.assertEqual(len(ours), len(losses))
        for step, (own, plain) in enumerate(zip(ours, losses)):
            self.assertAlmostEqual(own, plain, delta=1e-8, msg=f"step {step}")
        trained = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        model.load_state_dict(tensors)  # every name, and no other
        for name, tensor in model.state_dict().items():
            self.assertLess((tensor - trained[name]).abs().max().item(), 1e-6, name)

    def test_dropout_and_batch_statistics_give_the_losses_of_a_plain_loop(self):
        shutil.copy(CLASSIFIER, self.folder / "model.pt")
        self.compare(torch.jit.load(self.folder / "model.pt"), 1, 8)

    @unittest.skipIf(torchvision is None, "this Python has no torchvision")
    def test_torchvisions_resnet18_gives_the_losses_of_a_plain_loop(self):
        self.export("resnet18")
        sys.path.insert(0, str(ROOT / "examples/export"))
        import resnet18
        model = resnet18.make()
        model.load_state_dict(torch.jit.load(self.folder / "model.pt").state_dict())
        self.compare(model, 3, 8)

    def test_a_language_model_is_no_classifier_of_pictures(self):
        model = self.export("language_model")
        self.assertEqual(model(torch.zeros(2, 7, dtype=torch.long)).shape, (2, 7, 256))
        self.assert_fails(2, *MODEL, says=["takes no inputs"])

    def test_a_trace_is_read_too(self):
        model = self.export("regression", "8")
        self.assertEqual(model(torch.zeros(2, 8)).shape, (2, 1))
        self.assert_fails(2, *MODEL, says=["are [1, 8, 1]"])

    def test_a_program_of_torch_export_is_named(self):
        program = torch.export.export(torch.nn.Linear(2, 1), (torch.zeros(1, 2),))
        torch.export.save(program, self.folder / "model.pt2")
        self.assert_fails(3, "--set", "model={name: torchscript, path: model.pt2}", says=["torch.export", "torch.jit.save"])


if __name__ == "__main__":
    unittest.main()
