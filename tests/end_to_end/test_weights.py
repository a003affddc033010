"""Weights that others wrote, the parts of a network that stay, and what is done with a trained model."""

import csv
import importlib.util
import io
import json
import re
import struct
import subprocess
import sys
import unittest

from apo_train import ROOT, ApoTrainTest

PAGE = ROOT / "docs/weights.md"
# Where the model does not move: what is measured is of the weights that it began with.
STILL = ("--set", "tuner={name: constant}", "--set", "optimizer.learning_rate=1e-30", "--set", "train.epochs=1")
CNN = ("--set", "model={name: cnn, channels: [3, 4], kernel: 3}")


def read_safetensors(path):
    """(tensors as (dtype, shape, bytes), metadata)."""
    content = path.read_bytes()
    end = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:end])
    metadata = header.pop("__metadata__", {})
    return {name: (about["dtype"], about["shape"], content[end + about["data_offsets"][0]:end + about["data_offsets"][1]])
            for name, about in header.items()}, metadata


def write_safetensors(path, tensors, metadata=None):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, (dtype, shape, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Weights(ApoTrainTest):
    def setUp(self):
        super().setUp()
        self.run_ok("--set", "name=first")
        self.model = self.folder / "runs/first/model.safetensors"

    def weights(self, path="runs/first/model.safetensors", **keys):
        return ("--set", "model={" + ", ".join(["name: mlp", "hidden: [16]", f"weights: {path}", *(f"{key}: {value}" for key, value in keys.items())]) + "}")

    def test_a_run_begins_with_the_weights_of_another(self):
        said = self.run_ok(*self.weights(), *STILL).stderr
        self.assertIn("weights: 4 tensors from runs/first/model.safetensors (CRC-32 ", said)
        self.assertIn("weights: 4 tensors", (self.folder / "runs/smoke/log.txt").read_text())
        first, still = (self.json(name, "summary.json")["final"]["test"] for name in ("first", "smoke"))
        self.assertEqual(first, still)
        self.assertEqual(read_safetensors(self.model)[0], read_safetensors(self.folder / "runs/smoke/model.safetensors")[0])

    def test_a_resumed_run_does_not_need_the_file(self):
        self.run_ok(*self.weights(), "--output", "whole")
        self.run_ok(*self.weights(), "--set", "train.epochs=2")
        self.model.unlink()
        self.run_ok(*self.weights(), "--resume")
        self.assertEqual(*[(self.folder / output / "smoke/model.safetensors").read_bytes() for output in ("whole", "runs")])
        self.assert_fails(2, *self.weights("other.safetensors"), "--resume", says=("model.weights",))
        self.assert_fails(3, *self.weights(), "--overwrite", says=("runs/first/model.safetensors",))

    def test_a_new_head_and_partial_weights_are_named(self):
        other = ("--set", "dataset.classes=7")
        self.assert_fails(3, *self.weights(), *other, says=("'fc2.bias'", "[10]", "[7]", "model.new_head"))
        self.assertIn("newly initialised: fc2.bias, fc2.weight", self.run_ok(*self.weights(new_head="true"), *other).stderr)
        tensors = read_safetensors(self.model)[0]
        tensors["head.bias"] = tensors.pop("fc2.bias")
        write_safetensors(self.folder / "part.safetensors", tensors)
        self.assert_fails(3, *self.weights("part.safetensors"), "--overwrite", says=("'fc2.bias'", "model.partial"))
        said = self.run_ok(*self.weights("part.safetensors", partial="true"), "--overwrite").stderr
        for line in ("taken: fc1.bias, fc1.weight, fc2.weight", "not in the file, newly initialised: fc2.bias", "left over: head.bias"):
            self.assertIn(line, said)

    def test_mistakes_are_one_line(self):
        self.assert_fails(3, *self.weights("nowhere.safetensors"), says=("nowhere.safetensors",))
        self.assert_fails(3, *self.weights("smoke.yaml"), says=("smoke.yaml",))
        self.assert_fails(2, "--set", "model.new_head=true", says=("model.new_head", "model.weights"))
        self.assert_fails(2, "--set", "model.freeze=[fc3]", says=("model.freeze", "'fc3'", "did you mean 'fc"))
        self.assert_fails(2, "--set", "model.freeze='*'", says=("model.freeze", "leaves no parameter"))
        self.assertEqual([path.name for path in (self.folder / "runs").iterdir()], ["first"])

    def test_frozen_parts_stay_through_resumes_and_are_in_the_model(self):
        frozen = self.weights(freeze="[fc1]")
        self.run_ok(*frozen, "--output", "whole")
        said = self.run_ok(*frozen, "--set", "train.epochs=2").stderr
        self.assertIn("frozen: fc1.weight, fc1.bias", said)
        self.run_ok(*frozen, "--resume")
        begun, ended = (read_safetensors(path)[0] for path in (self.model, self.folder / "runs/smoke/model.safetensors"))
        self.assertEqual([name for name in begun if begun[name] == ended[name]], ["fc1.bias", "fc1.weight"])
        self.assertEqual(*[(self.folder / output / "smoke/model.safetensors").read_bytes() for output in ("whole", "runs")])

    def test_every_member_of_a_population_begins_with_them(self):
        said = self.run_ok(*self.weights(freeze="fc1"), "--set", "train.population.members=2").stderr
        self.assertEqual(said.count("weights: 4 tensors"), 2)
        begun = read_safetensors(self.model)[0]
        for member in (0, 1):
            self.assertEqual(read_safetensors(self.folder / f"runs/smoke/member={member}/model.safetensors")[0]["fc1.weight"], begun["fc1.weight"])


class Use(ApoTrainTest):
    def setUp(self):
        super().setUp()
        self.run_ok()

    def use(self, *arguments):
        return self.run_ok(*arguments, config=None).stdout

    def test_evaluation_is_that_of_the_run(self):
        final = self.json("smoke", "summary.json")["final"]["test"]
        for model in ("runs/smoke", "runs/smoke/model.safetensors"):
            found = json.loads(self.use("--evaluate", model, "--json"))
            self.assertEqual({key: found[key] for key in ("loss", "accuracy")}, final)
            self.assertEqual((found["dataset"], found["part"], found["examples"]), ("synthetic", "test", 50))
            right = sum(row[i] for i, row in enumerate(found["confusion"]))
            self.assertEqual(sum(map(sum, found["confusion"])), 50)
            self.assertEqual(right / 50, final["accuracy"])
            for row, of_class in zip(found["confusion"], found["classes"], strict=True):
                self.assertEqual(sum(row), of_class["examples"])
                self.assertEqual(of_class["accuracy"], row[of_class["class"]] / sum(row) if sum(row) else None)
            text = self.use("--evaluate", model)
            self.assertIn(f"accuracy  {final['accuracy']:.6g}\n", text)
            self.assertEqual(len(text.splitlines()), 15)

    def test_parts_and_overrides_of_the_data(self):
        on_train = json.loads(self.use("--evaluate", "runs/smoke", "--part", "train", "--json", "--set", "dataset.train_examples=60"))
        self.assertEqual((on_train["part"], on_train["examples"]), ("train", 60))

    def test_predictions_are_those_that_are_evaluated(self):
        accuracy = self.json("smoke", "summary.json")["final"]["test"]["accuracy"]
        rows = list(csv.DictReader(io.StringIO(self.use("--predict", "runs/smoke"))))
        lines = [json.loads(line) for line in self.use("--predict", "runs/smoke", "--json").splitlines()]
        self.assertEqual(list(rows[0]), ["example", "target", "label", *(f"p{i}" for i in range(10))])
        self.assertEqual(sum(row["target"] == row["label"] for row in rows) / 50, accuracy)
        for number, (row, line) in enumerate(zip(rows, lines, strict=True)):
            probabilities = [float(row[f"p{i}"]) for i in range(10)]
            self.assertEqual((int(row["example"]), int(row["label"]), int(row["target"])), (line["example"], line["label"], line["target"]))
            self.assertEqual(probabilities, line["probabilities"])
            self.assertEqual((number, probabilities.index(max(probabilities))), (line["example"], line["label"]))
            self.assertAlmostEqual(sum(probabilities), 1, places=5)
            self.assertEqual(line["logits"].index(max(line["logits"])), line["label"])

    def write_inputs(self, dtype, values, shape):
        write_safetensors(self.folder / "in.safetensors", {"inputs": (dtype, shape, values)})

    def test_predicts_for_pixels_and_for_numbers_of_a_file(self):
        pixels = bytes(range(128))
        self.write_inputs("U8", pixels, [2, 1, 8, 8])
        of_pixels = [json.loads(line) for line in self.use("--predict", "runs/smoke", "--on", "in.safetensors", "--json").splitlines()]
        self.assertEqual([list(line) for line in of_pixels], [["example", "label", "probabilities", "logits"]] * 2)
        about = json.loads(read_safetensors(self.folder / "runs/smoke/model.safetensors")[1]["normalisation"])
        numbers = [(pixel / 255 - about["mean"][0]) / about["std"][0] for pixel in pixels]
        self.write_inputs("F32", struct.pack("<128f", *numbers), [2, 1, 8, 8])
        of_numbers = [json.loads(line) for line in self.use("--predict", "runs/smoke", "--on", "in.safetensors", "--json").splitlines()]
        for one, other in zip(of_pixels, of_numbers, strict=True):
            for a, b in zip(one["logits"], other["logits"], strict=True):
                self.assertAlmostEqual(a, b, places=5)

    def test_wrong_use_is_one_line(self):
        def fails(code, *arguments, says):
            self.assert_fails(code, *arguments, config=None, says=says)
        fails(2, "--evaluate", "runs/smoke", "--predict", "runs/smoke", says=("one of them",))
        fails(2, "--config", "smoke.yaml", "--evaluate", "runs/smoke", says=("--config", "--set"))
        fails(2, "--json", says=("--evaluate",))
        fails(2, "--evaluate", "runs/smoke", "--on", "x", says=("--predict",))
        fails(2, "--evaluate", "runs/smoke", "--part", "tset", says=("--part tset", "test"))
        fails(2, "--evaluate", "runs/smoke", "--part", "validation", says=("no such part",))
        fails(2, "--evaluate", "runs/smoke", "--set", "dataset.classes=4", says=("[1, 8, 8] with 4 classes", "[1, 8, 8] with 10 classes"))
        fails(2, "--evaluate", "runs/smoke", "--set", "dataset.rot=x", says=("dataset.rot",))
        fails(2, "--evaluate", "runs/smoke", "--set", "seed=[1, 2]", says=("grid",))
        fails(3, "--evaluate", "runs/smoke", "--set", "model.hidden=[17]", says=("'fc1.bias'", "[16]", "[17]"))
        fails(3, "--evaluate", "runs", says=("runs: holds no model.safetensors",))
        fails(3, "--evaluate", "nowhere", says=("nowhere",))
        tensors, metadata = read_safetensors(self.folder / "runs/smoke/model.safetensors")
        write_safetensors(self.folder / "bare.safetensors", tensors)
        fails(3, "--evaluate", "bare.safetensors", says=("its metadata have no 'config'",))
        for key, text in (("input_shape", "[0]"), ("input_shape", "[1e9, 1e9]"), ("classes", "-1"), ("normalisation", '{"mean": [1]}'), ("normalisation", '{"mean": [0], "std": [0]}'), ("normalisation", "[]")):
            write_safetensors(self.folder / "bad.safetensors", tensors, {**metadata, key: text})
            fails(3, "--evaluate", "bad.safetensors", says=("bad.safetensors: its metadata",))
        write_safetensors(self.folder / "bad.safetensors", tensors, {**metadata, "config": "[" * 100000})
        fails(2, "--evaluate", "bad.safetensors", says=("bad.safetensors",))
        self.write_inputs("U8", bytes(64), [1, 1, 64])
        fails(3, "--predict", "runs/smoke", "--on", "in.safetensors", says=("[1, 1, 64]", "[N, 1, 8, 8]"))
        self.write_inputs("I64", bytes(512), [1, 1, 8, 8])
        fails(3, "--predict", "runs/smoke", "--on", "in.safetensors", says=("integers",))
        self.write("toy.yaml", "{name: toy, problem: {name: rosenbrock}, train: {steps: 3}}")
        self.run_ok(config="toy.yaml")
        fails(2, "--evaluate", "runs/toy", says=("rosenbrock",))

    def test_a_reader_that_leaves_is_no_error_of_ours(self):
        process = subprocess.Popen(self.command("--predict", "runs/smoke", "--part", "train", "--set", "dataset.train_examples=100000", config=None),
                                   cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertTrue(process.stdout.readline().startswith(b"example,"))
        process.stdout.close()
        self.assertEqual((process.wait(), process.stderr.read()), (1, b""))
        process.stderr.close()


@unittest.skipUnless(importlib.util.find_spec("numpy"), "without numpy")
class WithNumpy(ApoTrainTest):
    """The network computed from model.safetensors by NumPy alone."""

    def logits_of(self, *settings):
        import numpy as np
        self.run_ok("--set", "train.epochs=6", *settings)
        tensors, metadata = read_safetensors(self.folder / "runs/smoke/model.safetensors")
        parameters = {name: np.frombuffer(values, np.float32).reshape(shape).astype(float) for name, (_, shape, values) in tensors.items()}
        pixels = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
        write_safetensors(self.folder / "in.safetensors", {"inputs": ("U8", [20, 1, 8, 8], pixels.tobytes())})
        lines = self.run_ok("--predict", "runs/smoke", "--on", "in.safetensors", "--json", config=None).stdout.splitlines()
        about = json.loads(metadata["normalisation"])
        x = (pixels / 255 - about["mean"][0]) / about["std"][0]
        return parameters, x, np.array([json.loads(line)["logits"] for line in lines])

    def test_gives_the_logits_of_an_mlp(self):
        import numpy as np
        parameters, x, logits = self.logits_of()
        hidden = np.maximum(x.reshape(20, -1) @ parameters["fc1.weight"].T + parameters["fc1.bias"], 0)
        np.testing.assert_allclose(hidden @ parameters["fc2.weight"].T + parameters["fc2.bias"], logits, atol=1e-5)
        self.assertGreater(np.abs(logits).max(), 0.1)

    def test_gives_the_logits_of_a_cnn(self):
        import numpy as np
        parameters, x, logits = self.logits_of(*CNN)
        for layer in ("conv1", "conv2"):
            windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (2, 3))
            x = np.einsum("ncijkl,ockl->noij", windows, parameters[f"{layer}.weight"]) + parameters[f"{layer}.bias"][:, None, None]
            x = np.maximum(x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).max((3, 5)), 0)
        np.testing.assert_allclose(x.reshape(20, -1) @ parameters["fc.weight"].T + parameters["fc.bias"], logits, atol=1e-5)


@unittest.skipUnless(all(importlib.util.find_spec(name) for name in ("torch", "torchvision", "safetensors")), "without torch, torchvision and safetensors")
class WithTorchvision(ApoTrainTest):
    """The lines of docs/weights.md, in a process of their own."""

    RESNET = ("--set", "dataset={name: synthetic, channels: 3, height: 32, width: 32, train_examples: 32, test_examples: 8, batch_size: 16}",
              "--set", "model={name: resnet18}", "--set", "tuner={name: constant}", "--set", "optimizer.learning_rate=0.01", "--set", "train={steps: 2}")

    def python(self, text):
        told = subprocess.run([sys.executable, "-W", "ignore", "-c", text], cwd=self.folder, capture_output=True, text=True, timeout=300)
        self.assertEqual(told.returncode, 0, told.stderr[-2000:])
        return told.stdout

    def blocks(self):
        return re.findall(r"^```py\n(.*?)^```", PAGE.read_text(), re.M | re.S)

    def inputs(self):
        """Numbers, which are taken as they are, in a file of both sides."""
        self.python("import torch\nx = torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))\nopen('x.bin', 'wb').write(x.numpy().tobytes())")
        write_safetensors(self.folder / "in.safetensors", {"inputs": ("F32", [6, 3, 32, 32], (self.folder / "x.bin").read_bytes())})

    def predicted(self, run):
        lines = self.run_ok("--predict", run, "--on", "in.safetensors", "--json", config=None).stdout.splitlines()
        return [logit for line in lines for logit in json.loads(line)["logits"]]

    def assert_same(self, logits, text):
        others = [float(word) for word in text.split()]
        self.assertEqual(len(logits), len(others))
        for one, other in zip(logits, others, strict=True):
            self.assertAlmostEqual(one, other, delta=1e-5 * max(1, max(map(abs, others))))

    def test_a_resnet_goes_there_and_back(self):
        self.inputs()
        self.run_ok(*self.RESNET, "--set", "name=my")
        load, save, script, *_ = self.blocks()
        show = "x = torch.frombuffer(bytearray(open('x.bin', 'rb').read()), dtype=torch.float32).view(6, 3, 32, 32)\nprint(*model(x).flatten().tolist())\n"
        self.assert_same(self.predicted("runs/my"), self.python(load + show))
        self.python(load + script)
        self.assert_same(self.predicted("runs/my"), self.python("import torch\nmodel = torch.jit.load('my.pt')\nwith torch.no_grad():\n  " + show.replace("\n", "\n  ")))
        # Back: of another initialisation and other statistics, moved by nothing before they are used.
        other = load.replace("model.load_state_dict(", "(").replace("model.eval()", "torch.manual_seed(1)\nmodel.train()(torch.randn(8, 3, 32, 32))\nmodel.eval()")
        theirs = self.python(other + "torch.manual_seed(2)\n[p.data.add_(0.01 * torch.randn_like(p)) for p in model.parameters()]\n" + save + show)
        self.run_ok(*self.RESNET, "--set", "model.weights=resnet18.safetensors", "--set", "model.freeze=[conv1, bn1, 'layer*']",
                    "--set", "optimizer.learning_rate=1e-30")
        self.assert_same(self.predicted("runs/smoke"), theirs)


if __name__ == "__main__":
    unittest.main()
