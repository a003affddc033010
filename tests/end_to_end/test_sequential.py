"""A network that the configuration writes down: trained from the command line, and beside torch.nn.Sequential."""

import json
import unittest

from apo_train import ROOT, ApoTrainTest, deterministic

try:
    import plain_loop
    import torch
    from torch import nn
except ImportError:
    torch = None

LAYERS = """
- {name: conv, channels: 4, kernel: 3, padding: 1, bias: false}
- batch_norm
- relu
- max_pool
- name: residual
  layers:
    - {name: conv, channels: 6, padding: 1}
    - {name: group_norm, groups: 3}
    - gelu
  shortcut:
    - {name: conv, channels: 6, kernel: 1}
- flatten
- {name: linear, outputs: 12}
- {name: leaky_relu, slope: 0.1}
- {name: dropout, probability: 0.3}
- linear
"""
CONFIG = """
name: layers
dataset: {name: synthetic, train_examples: 50, test_examples: 20, batch_size: 20, height: 8, width: 8}
model:
  name: sequential
  layers:
""" + "".join(f"    {line}\n" for line in LAYERS.strip().splitlines()) + """
optimizer: {name: sgd, learning_rate: 0.1}
tuner: {name: constant}
train: {epochs: 4}
precision: float64
threads: 1
"""


def layers(text):
    return ("--set", f"model={{name: sequential, layers: [{text}]}}")


class Sequential(ApoTrainTest):
    def setUp(self):
        super().setUp()
        self.write("layers.yaml", CONFIG)

    def test_trains_and_goes_on_exactly(self):
        settings = ("--set", "tuner={name: apo, lambda: 1e-3, interval: 2}")
        self.run_ok(*settings, "--output", "runs/whole", config="layers.yaml")
        self.run_ok(*settings, "--set", "train.epochs=2", config="layers.yaml")
        self.run_ok(*settings, "--resume", config="layers.yaml")
        whole = self.trace("whole", "layers")
        self.assertEqual(deterministic(whole), deterministic(self.trace("layers")))
        self.assertLess(whole["epochs"]["train_loss"][-1], 0.8 * whole["epochs"]["train_loss"][0])
        self.assert_fails(2, *settings, "--resume", *layers("flatten, linear"), config="layers.yaml", says=["model.layers", "cannot go on"])

    def test_the_cnn_written_down_gives_the_run_of_the_cnn_with_kfac_too(self):
        written = layers("{name: conv, channels: 4, padding: 1}, max_pool, relu, {name: conv, channels: 6, padding: 1}, max_pool, relu, flatten, linear")
        cnn = ("--set", "model={name: cnn, channels: [4, 6], kernel: 3}")
        for optimizer in ("kfac", "adam"):
            settings = ("--set", f"optimizer={{name: {optimizer}, learning_rate: 1e-3}}", "--set", "tuner={name: apo, lambda: 0.1, interval: 2}")
            self.run_ok(*settings, *written, "--set", "name=written", "--overwrite", config="layers.yaml")
            self.run_ok(*settings, *cnn, "--set", "name=cnn", "--overwrite", config="layers.yaml")
            self.assertEqual(deterministic(self.trace("written")), deterministic(self.trace("cnn")), optimizer)

    def test_kfac_trains_branches_and_parts_may_be_frozen(self):
        kfac = ("--set", "optimizer={name: kfac, learning_rate: 1e-3}", "--set", "train.epochs=8")
        said = self.run_ok(*kfac, "--set", "model.freeze=[0, 4.shortcut]", config="layers.yaml").stderr
        self.assertIn("frozen: 0.weight, 4.shortcut.0.weight, 4.shortcut.0.bias", said)
        losses = self.trace("layers")["epochs"]["train_loss"]
        self.assertLess(losses[-1], 0.8 * losses[0])

    def test_a_grid_may_be_of_networks(self):
        self.run_ok("--set", "grid={model.layers: [[flatten, linear], [flatten, {name: linear, outputs: 5}, relu, linear]]}", config="layers.yaml")
        self.assertEqual(len(list(self.folder.glob("runs/layers/*/trace.json"))), 2)

    def test_is_listed_with_its_layers_and_read_back_as_printed(self):
        listing = self.run_ok("--list", config=None).stdout
        for word in ("sequential", "residual", "nn.GroupNorm", "probability"):
            self.assertIn(word, listing)
        printed = self.run_ok("--print-config", config="layers.yaml").stdout
        self.write("again.yaml", printed)
        self.assertEqual(self.run_ok("--print-config", config="again.yaml").stdout, printed)
        started = self.run_ok("--init", str(ROOT / "configs/fashionmnist_sequential.yaml"), config=None).stdout
        self.write("started.yaml", started)
        self.assertIn("shortcut", self.run_ok("--print-config", config="started.yaml").stdout)

    def test_says_which_layer_does_not_fit_before_anything_is_trained(self):
        for text, words in (
                ("linear", ["model.layers[0] (linear)", "[1, 28, 28]", "flatten"]),
                ("flatten, batch_norm, {name: conv, channels: 3}", ["model.layers[2] (conv)", "[784]", "picture"]),
                ("flatten, {name: linear, outputs: 11}", ["model.layers[1] (linear)", "[11]", "wants 10"]),
                ("flatten, linear, relu, linear", ["model.layers[1].outputs", "must be given"]),
                ("{name: residual, layers: [max_pool]}, flatten, linear", ["model.layers[0] (residual)", "[1, 14, 14]", "[1, 28, 28]"]),
                ("{name: embedding, count: 4, width: 2}, flatten, linear", ["model.layers[0] (embedding): looks up whole numbers"]),
                ("{name: conv, channels: 1000000, kernel: 1}, global_pool, flatten, {name: linear, outputs: 1000000}, linear",
                 ["model.layers[3] (linear)", "[1000000, 1000000]", "smaller"]),
                ("flatten, lineal", ["model.layers[1].name = 'lineal'", "unknown layer", "did you mean 'linear'?"]),
                ("flatten, {name: linear, output: 10}", ["unknown key 'output'", "did you mean 'outputs'?"]),
                ("flatten, {name: dropout, probability: 1}, linear", ["model.layers[1].probability = 1", "< 1"]),
                ("flatten, {outputs: 10}", ["model.layers[1].name", "must be given"]),
                ("", ["model.layers", "1 to 1000"]),
                ("[linear]", ["model.layers[0]", "not a list"]),
                ("{name: residual, layers: [" * 40 + "relu" + "]}" * 40, ["nested deeper than 64 levels"]),
                ("{name: residual, layers: []}, flatten, linear", ["model.layers[0].layers", "one layer or more"])):
            with self.subTest(layers=text[:80]):
                self.assert_fails(2, *layers(text), "--set", "dataset.height=28", "--set", "dataset.width=28", config="layers.yaml", says=words)
        self.assertFalse((self.folder / "runs").exists())

    def test_learns_a_text_byte_by_byte(self):
        self.write("abc.txt", "abcdefghij" * 200)
        text = ("--set", "dataset={name: text, path: abc.txt, length: 20, batch_size: 10}", "--set", "optimizer={name: adam, learning_rate: 0.05}")
        self.run_ok(*layers("{name: embedding, count: 256, width: 8}, layer_norm, linear"), *text, config="layers.yaml")
        self.assertLess(self.trace("layers")["epochs"]["train_loss"][-1], 0.5)
        self.assert_fails(2, *layers("flatten, linear"), *text, "--overwrite", config="layers.yaml", says=["model.layers[1] (linear): takes real numbers", "an embedding before it"])
        few = layers("{name: embedding, count: 98, width: 8}, linear")  # no c, which is 99
        self.assert_fails(2, *few, *text, "--overwrite", config="layers.yaml", says=["model.layers[0].count = 98", "greatest"])


@unittest.skipIf(torch is None, "this Python has no torch")
class BesidePyTorch(ApoTrainTest):
    def network(self):
        class Residual(nn.Module):
            def __init__(self, layers, shortcut):
                super().__init__()
                self.layers, self.shortcut = layers, shortcut

            def forward(self, x):
                return self.layers(x) + self.shortcut(x)

        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
            Residual(nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.GroupNorm(3, 6), nn.GELU()), nn.Sequential(nn.Conv2d(4, 6, 1))),
            nn.Flatten(), nn.Linear(96, 12), nn.LeakyReLU(0.1), nn.Dropout(0.3), nn.Linear(12, 10))

    def test_begins_and_trains_as_torch_nn_sequential_of_the_same_seed(self):
        self.write("layers.yaml", CONFIG)
        self.run_ok(config="layers.yaml")
        tensors, about = plain_loop.read_safetensors(self.folder / "runs/layers/model.safetensors")
        torch.manual_seed(plain_loop.seed_of(0, "model"))
        model = self.network().double()
        pixels, labels = plain_loop.synthetic(50, 10, 1, 8, 8)
        plain = plain_loop.losses(model, plain_loop.normalised(pixels, about), labels, 20, 4, 0.1)
        ours = self.trace("layers")["steps"]["loss"]
        plain_loop.assert_same(self, ours, plain, tensors, model, weights_to=1e-8)

    def test_its_weights_give_the_same_logits_in_torch_nn_sequential(self):
        self.write("layers.yaml", CONFIG)
        self.run_ok("--set", "precision=float32", config="layers.yaml")
        lines = self.run_ok("--predict", "runs/layers", "--part", "train", "--json", config=None).stdout.splitlines()
        ours = torch.tensor([json.loads(line)["logits"] for line in lines])
        tensors, about = plain_loop.read_safetensors(self.folder / "runs/layers/model.safetensors")
        model = self.network()
        model.load_state_dict(tensors)
        pixels, _ = plain_loop.synthetic(50, 10, 1, 8, 8)
        with torch.no_grad():
            theirs = model.eval()(plain_loop.normalised(pixels, about).float())
        self.assertLess((ours - theirs).abs().max().item(), 1e-5)


if __name__ == "__main__":
    unittest.main()
