"""A single run, from the command line to its files."""

import contextlib
import fcntl
import json
import os
import pty
import random
import re
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest
import zlib

import jsonschema

from apo_train import ROOT, SMOKE, ApoTrainTest, deterministic, patience


def schema(name):
    return json.loads((ROOT / "docs/schema" / f"{name}.schema.json").read_text())


class Run(ApoTrainTest):
    def test_writes_files_that_match_their_schemas(self):
        self.run_ok()
        jsonschema.validate(self.trace("smoke"), schema("trace"))
        jsonschema.validate(self.json("smoke", "summary.json"), schema("summary"))
        lines = (self.folder / "runs/smoke/trace.jsonl").read_text().splitlines()
        for line in lines:
            jsonschema.validate(json.loads(line), schema("trace_line"))
        self.assertTrue((self.folder / "runs/smoke/log.txt").read_text())

    def test_the_lines_and_the_columns_are_the_same_trace(self):
        self.run_ok()
        trace = self.trace("smoke")
        lines = [json.loads(line) for line in (self.folder / "runs/smoke/trace.jsonl").read_text().splitlines()]
        for kind, columns in (("step", trace["steps"]), ("epoch", trace["epochs"])):
            for key, column in columns.items():
                self.assertEqual([line[key] for line in lines if line["type"] == kind], column)
        metas = [line for line in lines if line["type"] == "meta"]
        self.assertEqual([line["objective"] for line in metas], trace["meta"]["objective"])
        self.assertEqual([line["hyperparameters"]["learning_rate"] for line in metas],
                         trace["hyperparameters"]["learning_rate"]["value"])

    def test_counts_steps_epochs_and_meta_steps(self):
        self.run_ok()
        trace = self.trace("smoke")
        self.assertEqual(trace["steps"]["step"], list(range(12)))
        self.assertEqual(trace["meta"]["step"], list(range(0, 12, 2)))
        self.assertEqual(trace["epochs"]["step"], [4, 8, 12])
        self.assertEqual(self.json("smoke", "summary.json")["status"], "finished")

    def test_the_report_shows_the_trace(self):
        self.run_ok("--set", "optimizer={name: rmsprop, learning_rate: 1e-3}", "--set", "tuner.tune=[learning_rate, power]")
        [run] = self.report("smoke")["runs"]
        trace = self.trace("smoke")
        self.assertEqual((run["label"], run["status"]), ("smoke", "finished"))
        self.assertEqual(run["loss"]["x"], trace["steps"]["step"])
        self.assertEqual(run["hyperparameters"]["power"]["x"], trace["meta"]["step"])
        for shown, traced in zip(run["epoch_loss"]["y"], trace["epochs"]["train_loss"], strict=True):
            self.assertAlmostEqual(shown, traced, delta=1e-5 * traced)  # six digits

    def test_a_report_that_cannot_be_written_is_one_warning(self):
        self.run_ok()
        (self.folder / "runs/smoke/report.html.tmp").mkdir()
        said = self.run_ok("--overwrite").stderr
        self.assertEqual(len([line for line in said.splitlines() if "report" in line]), 1, said)
        self.assertFalse((self.folder / "runs/smoke/report.html").exists())
        self.assertEqual(self.json("smoke", "summary.json")["status"], "finished")

    def test_learns(self):
        self.run_ok("--set", "train.epochs=20")
        losses = self.trace("smoke")["epochs"]["train_loss"]
        self.assertLess(losses[-1], 0.5 * losses[0])

    def test_the_same_seed_gives_the_same_trace_and_another_does_not(self):
        self.run_ok("--output", "runs/a")
        self.run_ok("--output", "runs/b")
        self.run_ok("--output", "runs/c", "--seed", "1")
        first, again, other = (deterministic(self.trace(run, "smoke")) for run in "abc")
        self.assertEqual(json.dumps(first), json.dumps(again))
        self.assertNotEqual(first["steps"]["loss"], other["steps"]["loss"])

    def test_apo_with_meta_rate_zero_equals_a_constant_rate_bit_for_bit(self):
        for optimizer in ("sgd", "sgdm", "rmsprop", "adam"):
            which = ("--set", f"optimizer.name={optimizer}", "--set", "optimizer.learning_rate=0.003")
            self.run_ok("--output", f"runs/a{optimizer}", *which,
                        "--set", "tuner.meta_optimizer.learning_rate=0")
            self.run_ok("--output", f"runs/c{optimizer}", *which, "--set", "tuner={name: constant}")
            apo, constant = (self.trace(run + optimizer, "smoke") for run in "ac")
            self.assertEqual(apo["steps"], constant["steps"])
            self.assertEqual(len(apo["meta"]["step"]), 6)

    def test_a_resnets_batch_statistics_do_not_feel_the_meta_passes(self):
        # Test loss in evaluation mode depends on the running statistics.
        resnet = ("--set", "dataset={name: synthetic, channels: 3, height: 8, width: 8, train_examples: 60, "
                  "test_examples: 40, batch_size: 20, augmentation: crop_flip}",
                  "--set", "model={name: resnet18, width: 2}")
        self.run_ok("--output", "runs/a", *resnet, "--set", "tuner.meta_optimizer.learning_rate=0")
        self.run_ok("--output", "runs/c", *resnet, "--set", "tuner={name: constant}")
        self.assertEqual(self.trace("a", "smoke")["epochs"]["test_loss"],
                         self.trace("c", "smoke")["epochs"]["test_loss"])

    def test_the_resolved_configuration_repeats_the_run(self):
        self.run_ok("--set", "optimizer.name=adam", "--output", "runs/a")
        self.run_ok("--output", "runs/b", config="runs/a/smoke/config.yaml")
        self.assertEqual(deterministic(self.trace("a", "smoke")), deterministic(self.trace("b", "smoke")))

    def test_calibrated_baselines_have_what_they_need_with_every_tuner(self):
        calibrated = ("--set", "optimizer={name: nadamw, learning_rate: 0.0019, beta1: 0.909, weight_decay: 0.08, clip_norm: 0.5}",
                      "--set", "loss.label_smoothing=0.1")
        for tuner in ("constant", "apo"):
            self.run_ok("--output", f"runs/{tuner}", *calibrated, "--set", f"tuner={{name: {tuner}}}")
            jsonschema.validate(self.trace(tuner, "smoke"), schema("trace"))
        self.run_ok("--output", "runs/independent", *calibrated, "--set", "optimizer.weight_decay_form=independent",
                    "--set", "optimizer.weight_decay=1e-4")
        self.run_ok("--output", "runs/again", config="runs/independent/smoke/config.yaml")
        self.assertEqual(deterministic(self.trace("again", "smoke")), deterministic(self.trace("independent", "smoke")))

    def test_smoothed_labels_are_trained_on_and_not_measured(self):
        for name, smoothing in (("plain", 0), ("smooth", 0.3)):
            self.run_ok("--set", f"name={name}", "--set", f"loss.label_smoothing={smoothing}", "--set", "tuner.name=constant",
                        "--set", "optimizer.learning_rate=1e-30", "--set", "train.train_metrics=full")
        plain, smooth = (self.trace(name) for name in ("plain", "smooth"))
        self.assertNotEqual(plain["steps"]["loss"], smooth["steps"]["loss"])
        for measured in ("train_loss", "test_loss"):
            self.assertEqual(plain["epochs"][measured], smooth["epochs"][measured])

    def test_a_loss_for_other_targets_is_refused(self):
        result = self.start("--set", "loss.name=squared_error")
        self.assertEqual(result.returncode, 2)
        self.assertIn("loss.name = squared_error: the targets of the data set are classes; accepted: cross_entropy", result.stderr)

    def test_averaged_weights_stand_beside_the_others_and_change_nothing(self):
        common = ("--set", "dataset={name: synthetic, channels: 3, height: 8, width: 8, train_examples: 60, test_examples: 40, batch_size: 20, "
                  "augmentation: crop_flip}", "--set", "model={name: resnet18, width: 2}", "--set", "train={epochs: 3, train_metrics: full, evaluate_every: 2}")
        self.run_ok("--output", "runs/a", *common, "--set", "train.average.half_life=0.2")
        self.run_ok("--output", "runs/c", *common)
        averaged, plain = (self.trace(run, "smoke") for run in "ac")
        jsonschema.validate(averaged, schema("trace"))
        jsonschema.validate(self.json("a", "smoke", "summary.json"), schema("summary"))
        for line in (self.folder / "runs/a/smoke/trace.jsonl").read_text().splitlines():
            jsonschema.validate(json.loads(line), schema("trace_line"))
        measured = {key: averaged["epochs"].pop(key) for key in list(averaged["epochs"]) if key.startswith("average_")}
        self.assertEqual(deterministic(averaged), deterministic(plain))
        self.assertEqual([loss is None for loss in measured["average_train_loss"]], [False, False, False])
        self.assertEqual([loss is None for loss in measured["average_test_accuracy"]], [True, False, False])
        self.assertEqual(self.json("a", "smoke", "summary.json")["average"]["test"]["loss"], measured["average_test_loss"][-1])
        self.assertEqual(self.report("a", "smoke")["runs"][0]["average_test_loss"]["x"], [6, 9])
        self.assertNotIn("average", self.json("c", "smoke", "summary.json"))

        def content(*parts):
            return self.folder.joinpath("runs", *parts).read_bytes()
        self.assertEqual(content("a/smoke/model.safetensors"), content("c/smoke/model.safetensors"))
        self.assertFalse((self.folder / "runs/c/smoke/model_average.safetensors").exists())
        raw, average = (json.loads(file[8:8 + struct.unpack("<Q", file[:8])[0]])
                        for file in (content("a/smoke/model.safetensors"), content("a/smoke/model_average.safetensors")))
        self.assertEqual(average.keys(), raw.keys())
        self.assertEqual(json.loads(average["__metadata__"].pop("average")), {"half_life": 0.2})
        self.assertEqual(average["__metadata__"], raw["__metadata__"])

    def test_finds_a_learning_rate_itself(self):
        self.run_ok("--set", "optimizer.learning_rate=auto")
        self.assertEqual(self.trace("smoke")["config"]["optimizer"]["learning_rate"], "auto")

    def test_layers_and_several_hyperparameters_have_their_traces(self):
        self.run_ok("--set", "optimizer={name: rmsprop, learning_rate: 1e-3}", "--set", "tuner.scope=per_layer",
                    "--set", "tuner.tune=[learning_rate, power, epsilon]", "--set", "tuner.discrepancy=kl")
        trace = self.trace("smoke")
        jsonschema.validate(trace, schema("trace"))
        names = [f"{name}/{layer}" for name in ("learning_rate", "power", "epsilon") for layer in ("fc1", "fc2")]
        self.assertEqual(list(trace["hyperparameters"]), names)
        self.assertEqual(list(trace["meta"]["gradient"]), names)

    def test_a_sparse_trace_has_the_same_records_but_fewer(self):
        def records(run):
            return [json.loads(line) for line in self.folder.joinpath("runs", run, "smoke/trace.jsonl").read_text().splitlines()]

        def is_kept(record):  # of steps every fourth, of meta steps every tenth and those that were skipped
            return record["step"] % {"step": 4, "meta": 10}.get(record["type"], 1) == 0 or record.get("skipped", False)

        layers = ("--set", "tuner.scope=per_layer", "--set", "tuner.interval=1")
        sparse = ("--set", "trace={every: 4, meta_every: 10}")
        self.run_ok("--output", "runs/a", *layers, "--set", "train.epochs=10")
        self.run_ok("--output", "runs/b", *layers, "--set", "train.epochs=10", *sparse)
        self.run_ok("--output", "runs/c", *layers, "--set", "train.epochs=5", *sparse)
        self.run_ok("--output", "runs/c", *layers, "--set", "train.epochs=10", *sparse, "--resume")
        clock = ("wall_seconds", "steps_per_second", "meta_share", "peak_memory_bytes")
        whole, fewer, resumed = ([{key: value for key, value in record.items() if key not in clock}
                                  for record in records(run)[1:-1]] for run in "abc")
        self.assertEqual(fewer, [record for record in whole if is_kept(record)])
        self.assertEqual(fewer, resumed)
        metas = [record["step"] for record in fewer if record["type"] == "meta" and not record["skipped"]]
        self.assertEqual(metas, [0, 10, 20, 30])
        self.assertEqual(*[self.folder.joinpath("runs", run, "smoke/model.safetensors").read_bytes() for run in "ab"])

    def test_a_run_from_before_there_was_the_section_goes_on(self):
        self.run_ok("--set", "train.epochs=2")
        [*_, newest] = sorted((self.folder / "runs/smoke/checkpoints").glob("step-*.json"))
        checkpoint = json.loads(newest.read_text())
        del checkpoint["body"]["config"]["trace"]
        del checkpoint["body"]["config"]["train"]["average"]
        checkpoint["crc32"] = zlib.crc32(json.dumps(checkpoint["body"], separators=(",", ":"), ensure_ascii=False).encode())
        newest.write_text(json.dumps(checkpoint))
        self.assertIn("goes on", self.run_ok("--resume", "--set", "trace.every=2").stderr)
        self.assertEqual(self.trace("smoke")["steps"]["step"], [*range(8), 8, 10])

    def test_scope_and_form_have_meta_learning_rates_of_their_own(self):
        # Keys of one section take effect in any order, and what is given is kept.
        for settings, expected in (("scope: global", 0.1), ("scope: per_layer", 0.03), ("scope: per_layer, form: paper", 0.001),
                                   ("form: paper, scope: global", 0.1),
                                   ("meta_optimizer: {learning_rate: 0.5}, form: paper, scope: per_layer", 0.5)):
            printed = self.run_ok("--print-config", "--set", f"tuner={{name: apo, lambda: 0.1, {settings}}}").stdout
            found = re.search(r"meta_optimizer:.*?learning_rate: (\S+)", printed, re.DOTALL)
            self.assertEqual(float(found[1]), expected, settings)

    def test_kfac_finds_its_rate_and_tunes_rate_and_damping_of_each_layer(self):
        for model in ("{name: mlp, hidden: [8]}", "{name: cnn, channels: [2]}", "{name: resnet18, width: 2}"):
            self.run_ok("--overwrite", "--set", f"model={model}", "--set", "train.epochs=0", "--set", "train.steps=12",
                        "--set", "optimizer={name: kfac, learning_rate: auto, warmup_batches: 2, inverse_interval: 5}",
                        "--set", "tuner.tune=[learning_rate, damping]", "--set", "tuner.scope=per_layer",
                        "--set", "tuner.bounds={damping: [1e-6, 1]}")
            trace = self.trace("smoke")
            jsonschema.validate(trace, schema("trace"))
            self.assertIn("damping/fc" if "mlp" not in model else "damping/fc2", trace["hyperparameters"])
            self.assertEqual(self.json("smoke", "summary.json")["status"], "finished")

    def test_the_page_tells_how_to_use_the_model_without_the_program(self):
        draw = random.Random(0)
        folder = self.folder / "data/mnist"
        folder.mkdir(parents=True)
        for prefix, count in (("train", 300), ("t10k", 130)):
            labels = bytes(draw.randrange(10) for _ in range(count))
            pixels = b"".join(bytes(draw.randrange(160 if place // 79 == label else 100) for place in range(784)) for label in labels)
            (folder / f"{prefix}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, count, 28, 28) + pixels)
            (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, count) + labels)
        self.run_ok("--set", "name=mnist_mlp", "--set", "dataset={name: mnist, root: data, batch_size: 50}", "--set", "model.hidden=[12, 11]", "--set", "train.epochs=5")
        page = (ROOT / "docs/trace.md").read_text().split("## model.safetensors", 1)[1]
        block = page.split("```python\n", 1)[1].split("```", 1)[0]
        told = subprocess.run([sys.executable, "-c", block], cwd=self.folder, capture_output=True, text=True, timeout=patience(60))
        if "ModuleNotFoundError" in told.stderr:
            self.skipTest("without numpy")
        self.assertEqual(told.stderr, "")
        accuracy = self.json("mnist_mlp", "summary.json")["final"]["test"]["accuracy"]
        self.assertEqual(float(told.stdout), accuracy)
        self.assertGreater(accuracy, 0.2)  # not by chance
        self.assertLess(accuracy, 1)

    def test_what_tells_equal_runs_apart_is_not_in_the_model(self):
        self.write("elsewhere.yaml", SMOKE.replace("smoke", "other").replace("epochs: 3", "steps: 12, evaluate_every: 2"))
        self.run_ok()
        self.run_ok("--set", "trace.every=5", "--set", "dataset.root=elsewhere", config="elsewhere.yaml")
        first, other = ((self.folder / "runs" / name / "model.safetensors").read_bytes() for name in ("smoke", "other"))
        self.assertEqual(first, other)
        header = json.loads(first[8:8 + struct.unpack("<Q", first[:8])[0]])
        self.assertEqual(json.loads(header["__metadata__"]["input_shape"]), [1, 8, 8])
        self.assertEqual(json.loads(header["__metadata__"]["config"])["tuner"]["lambda"], 1e-3)

    def test_a_toy_has_its_configuration_with_it(self):
        self.write("toy.yaml", "{name: toy, problem: {name: rosenbrock}, train: {steps: 3}}")
        self.run_ok(config="toy.yaml")
        content = (self.folder / "runs/toy/model.safetensors").read_bytes()
        metadata = json.loads(content[8:8 + struct.unpack("<Q", content[:8])[0]])["__metadata__"]
        self.assertEqual(list(metadata), ["config"])
        self.assertEqual(json.loads(metadata["config"])["problem"]["name"], "rosenbrock")

    def test_divergence_is_a_result_with_a_whole_trace(self):
        result = self.start("--set", "optimizer.learning_rate=1e30", "--set", "tuner={name: constant}")
        self.assertEqual(result.returncode, 4)
        summary = self.json("smoke", "summary.json")
        self.assertEqual(summary["status"], "diverged")
        self.assertIn("try a smaller optimizer.learning_rate", summary["message"])
        self.assertIsNone(self.trace("smoke")["steps"]["loss"][-1])
        [run] = self.report("smoke")["runs"]
        self.assertEqual((run["status"], run["message"]), ("diverged", summary["message"]))
        self.assertIsNone(run["loss"]["y"][-1])
        jsonschema.validate(self.trace("smoke"), schema("trace"))

    def test_what_ruins_the_run_is_told_by_its_own_key(self):
        for tuner, optimizer, key in (("{name: hypergradient, rate: 1e6}", "sgd", "tuner.rate"),
                                      ("{name: constant}", "{name: smd, meta_rate: 1e9}", "optimizer.meta_rate")):
            name = "optimizer" if "{" in optimizer else "optimizer.name"
            self.start("--overwrite", "--set", f"tuner={tuner}", "--set", f"{name}={optimizer}",
                       "--set", "dataset.batch_size=10", "--set", "optimizer.learning_rate=10")
            message = self.json("smoke", "summary.json")["message"]
            self.assertIn("the loss became nan", message)
            self.assertNotIn("-nan", message)
            self.assertIn(f"a smaller {key}", message)

    def test_the_start_tells_what_is_trained_on_what_and_how_in_two_lines(self):
        def start(*settings):
            said = self.run_ok("--overwrite", *settings).stderr.splitlines()
            first = next(i for i, line in enumerate(said) if "smoke: " in line)
            lines = said[first:first + 2]
            self.assertLessEqual(max(map(len, lines)), 100)
            return " ".join(lines)
        for word in ("synthetic (200 training, 50 test examples)", "mlp", "1210 parameters", "sgd (rate 0.05)",
                     "apo (lambda 0.001)", "12 steps of 4 an epoch", "cpu, 1 thread"):
            self.assertIn(word, start())
        start("--set", "optimizer={name: rmsprop, learning_rate: auto}", "--set", "dataset.train_examples=12345")
        self.assertIn("constant, a population of 2, 12 steps", start("--set", "tuner.name=constant", "--set", "train.population.members=2"))
        self.assertIn("smoke: rosenbrock, 2 parameters", start(
            "--set", "problem.name=rosenbrock", "--set", "train.steps=5", "--set", "optimizer.learning_rate=1e-4"))

    def test_the_live_line_stays_within_the_terminal(self):
        for columns in (80, 40):
            master, slave = pty.openpty()
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            process = subprocess.Popen(
                self.command("--overwrite", "--set", "train={epochs: 1000}"), cwd=self.folder, env={**self.environment(), "TERM": "xterm"},
                stdout=subprocess.DEVNULL, stderr=slave)
            os.close(slave)
            said = b""
            with contextlib.suppress(OSError):  # EIO: nobody writes any more
                while part := os.read(master, 65536):
                    said += part
            os.close(master)
            self.assertEqual(process.wait(timeout=patience(60)), 0)
            # What is drawn is followed by a return to its beginning; what is logged, by a new line.
            drawn = [line for line in said.decode().split("\r\x1b[K") if line and "\n" not in line]
            self.assertGreater(len(drawn), 3)
            for line in drawn:
                self.assertIn("step ", line)
                self.assertLess(len(line), columns, line)

    def test_a_signal_ends_the_run_with_a_whole_trace(self):
        process = subprocess.Popen(self.command("--set", "train.epochs=100000"), cwd=self.folder,
                                   env=self.environment(), stderr=subprocess.DEVNULL)
        lines = self.folder / "runs/smoke/trace.jsonl"
        deadline = time.monotonic() + patience(60)
        while not (lines.exists() and lines.read_text().count("\n") > 20):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=patience(60)), 128 + signal.SIGTERM)
        trace = self.trace("smoke")
        self.assertEqual(self.json("smoke", "summary.json")["status"], "interrupted")
        self.assertEqual(self.report("smoke")["runs"][0]["status"], "interrupted")
        self.assertEqual(trace["steps"]["step"], list(range(len(trace["steps"]["step"]))))


if __name__ == "__main__":
    unittest.main()
