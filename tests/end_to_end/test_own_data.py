"""Data sets of the user's own: files that Python alone writes, trained on, and mistakes in them told in one line."""

import csv
import gzip
import io
import json
import os
import random
import struct
import subprocess
import time
import zlib

from apo_train import ROOT, ApoTrainTest, deterministic, patience

CODES = {"F32": "f", "F64": "d", "I64": "q", "U8": "B"}


def safetensors(**tensors):
    """A file's bytes. tensors: name=(type, shape, flat values)."""
    header, data = {}, b""
    for name, (kind, shape, values) in tensors.items():
        content = struct.pack(f"<{len(values)}{CODES[kind]}", *values)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def least_squares(rows, targets):
    """The least mean square of what a linear function with a constant leaves, by Gaussian elimination of the normal equations."""
    rows = [[*row, 1.0] for row in rows]
    size = len(rows[0])
    system = [[sum(row[i] * row[j] for row in rows) for j in range(size)] + [sum(row[i] * y for row, y in zip(rows, targets))]
              for i in range(size)]
    for i in range(size):
        system[i] = [value / system[i][i] for value in system[i]]
        for k in range(size):
            if k != i:
                system[k] = [a - system[k][i] * b for a, b in zip(system[k], system[i])]
    weights = [row[-1] for row in system]
    return sum((sum(w * x for w, x in zip(weights, row)) - y) ** 2 for row, y in zip(rows, targets)) / len(rows)


def linear_problem(count=40):
    source = random.Random(0)
    rows = [[source.gauss(0, 1), source.gauss(0, 1)] for _ in range(count)]
    return rows, [3 * a - 2 * b + 1 + source.gauss(0, 0.5) for a, b in rows]


REGRESSION = """
name: own
dataset: {name: tensors, path: my.safetensors, batch_size: 40}
model: {name: mlp, hidden: []}
loss: {name: squared_error}
optimizer: {name: sgd, learning_rate: 0.1}
tuner: {name: constant}
train: {epochs: 200, train_metrics: full}
precision: float64
threads: 1
"""
CLASSES = """
name: own
dataset: {name: tensors, path: my.safetensors, batch_size: 20}
model: {name: mlp, hidden: [16]}
train: {epochs: 30}
threads: 1
"""


class OwnData(ApoTrainTest):
    def write_bytes(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def predictions(self, *arguments, model="runs/own", without=()):
        """Rows of what --predict prints."""
        table = csv.DictReader(io.StringIO(self.run_ok("--predict", model, *arguments, config=None).stdout))
        return [[value for key, value in row.items() if key not in without] for row in table]

    def about(self):
        """The metadata of the parameters that the run left."""
        content = (self.folder / "runs/own/model.safetensors").read_bytes()
        return json.loads(content[8:8 + struct.unpack("<Q", content[:8])[0]])["__metadata__"]


class Tensors(OwnData):
    def write_regression(self, **more):
        rows, targets = linear_problem()
        self.write_bytes("my.safetensors", safetensors(
            train_inputs=("F64", [len(rows), 2], sum(rows, [])), train_targets=("F64", [len(rows)], targets), **more))
        self.write("own.yaml", REGRESSION)
        return least_squares(rows, targets)

    def write_classes(self, count=60):
        """Which of three numbers is the greatest."""
        source = random.Random(0)
        rows = [[source.random() for _ in range(3)] for _ in range(count)]
        classes = [row.index(max(row)) for row in rows]
        parts = {"train": slice(0, 40), "test": slice(40, count)}
        tensors = {}
        for part, which in parts.items():
            inputs, targets = rows[which], classes[which]
            tensors[f"{part}_inputs"] = ("F32", [len(inputs), 3], sum(inputs, []))
            tensors[f"{part}_targets"] = ("U8", [len(targets)], targets)
        self.write_bytes("my.safetensors", safetensors(**tensors))
        self.write("own.yaml", CLASSES)

    def test_a_regression_ends_at_the_least_squares(self):
        least = self.write_regression()
        self.run_ok(config="own.yaml")
        self.assertAlmostEqual(self.trace("own")["epochs"]["train_loss"][-1], least, delta=1e-9)

    def test_a_set_without_a_test_part_goes_through_all_that_a_run_is(self):
        self.write_regression()
        self.assertIn("step", self.run_ok("--dry-run", config="own.yaml").stdout)
        self.run_ok("--set", "tuner.name=movement", "--set", "train.average.half_life=0.2", "--set", "train.epochs=4", config="own.yaml")
        self.assertEqual(self.json("own", "summary.json")["final"]["test"], None)
        self.assertEqual(self.report("own")["runs"][0]["status"], "finished")
        self.run_ok("--set", "grid={seed: [1, 2]}", "--set", "name=several", "--set", "train.epochs=2", config="own.yaml")
        self.run_ok("--set", "train.population.members=2", "--set", "name=many", "--set", "train.epochs=4", config="own.yaml")

    def test_a_weight_of_zero_takes_an_example_out(self):
        rows, targets = linear_problem()
        spoilt = [1e3 if i % 4 == 0 else y for i, y in enumerate(targets)]
        kept = [i for i in range(len(rows)) if i % 4]
        least = least_squares([rows[i] for i in kept], [targets[i] for i in kept])
        self.write_bytes("my.safetensors", safetensors(
            train_inputs=("F64", [40, 2], sum(rows, [])), train_targets=("F64", [40, 1], spoilt),
            train_weights=("F32", [40], [float(i % 4 > 0) for i in range(40)])))
        self.write("own.yaml", REGRESSION)
        self.run_ok(config="own.yaml")
        self.assertAlmostEqual(self.trace("own")["epochs"]["train_loss"][-1], least, delta=1e-9)

    def test_classes_are_learned_with_nothing_chosen(self):
        self.write_classes()
        self.run_ok(config="own.yaml")
        self.assertGreater(self.json("own", "summary.json")["final"]["test"]["accuracy"], 0.8)
        self.assertEqual((self.about()["classes"], json.loads(self.about()["input_shape"])), ("3", [3]))

    def test_a_model_that_cannot_take_the_examples_says_so_in_one_line(self):
        tokens = ("I64", [4, 3], list(range(12)))
        self.write_bytes("my.safetensors", safetensors(train_inputs=tokens, train_targets=tokens))
        self.write("own.yaml", CLASSES)
        self.assert_fails(2, config="own.yaml", says=["model.name = mlp", "int64 [3]"])
        self.write_bytes("my.safetensors", safetensors(
            train_inputs=("F32", [4, 3], [0.5] * 12), train_targets=tokens))
        self.assert_fails(2, config="own.yaml", says=["outputs", "[12]", "[3, 12]"])
        self.assert_fails(2, "--set", "model.name=cnn", config="own.yaml", says=["cnn"])
        self.assert_fails(2, "--set", "dataset.augmentation=crop_flip", config="own.yaml", says=["dataset.augmentation"])

    def test_another_loss_than_the_targets_want_is_told(self):
        self.write_regression()
        self.assert_fails(2, "--set", "loss.name=cross_entropy", config="own.yaml", says=["loss.name", "squared_error"])

    def test_damage_is_one_line_with_the_place(self):
        self.write_classes()
        path = self.folder / "my.safetensors"
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        self.assert_fails(3, config="own.yaml", says=["my.safetensors", "misdescribes"])
        path.unlink()
        self.assert_fails(3, config="own.yaml", says=[str(path.resolve()), "no such file"])
        self.assert_fails(2, "--set", "dataset.path=", config="own.yaml", says=["dataset.path"])


MAPPED = """
name: mapped
dataset: {name: tensors, path: big.safetensors, batch_size: 100, validation_share: 0.2, mapped: always}
model: {name: mlp, hidden: [4]}
optimizer: {learning_rate: 1e-3}
train: {epochs: 2, train_metrics: full}
threads: 1
"""


class Mapped(OwnData):
    """Sets that stay in their file."""

    SIZE = 300 << 20  # bytes of the file's inputs

    def write_big(self):
        """Pictures that take no room on the disk: all of them are black."""
        count = self.SIZE // (28 * 28)
        targets = bytes(i % 2 for i in range(count))
        header = {"train_targets": {"dtype": "U8", "shape": [count], "data_offsets": [0, count]},
                  "train_inputs": {"dtype": "U8", "shape": [count, 1, 28, 28], "data_offsets": [count, count + count * 784]}}
        text = json.dumps(header).encode()
        path = self.folder / "big.safetensors"
        with path.open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + targets)
            file.truncate(8 + len(text) + count + count * 784)
        self.write("mapped.yaml", MAPPED)
        return path

    def peak(self, *arguments):
        """The most bytes of memory that the run had for itself alone: pages of files are not counted, which the system can take back."""
        process = subprocess.Popen(
            self.command(*arguments, config="mapped.yaml"), cwd=self.folder, env=self.environment(), stderr=subprocess.DEVNULL)
        most = 0
        while process.poll() is None:
            with open(f"/proc/{process.pid}/status") as status:
                most = max([most, *(1024 * int(line.split()[1]) for line in status if line.startswith("RssAnon"))])
            time.sleep(0.01)
        self.assertEqual(process.returncode, 0)
        return most

    def test_takes_less_memory_than_its_file_from_reading_to_evaluation(self):
        self.write_big()
        short = ("--set", "train.steps=50", "--set", "train.train_metrics=running")
        self.assertGreater(self.peak(*short, "--set", "dataset.mapped=never", "--set", "dataset.validation_share=0"), self.SIZE)
        self.assertLess(self.peak("--set", "name=whole"), self.SIZE / 2)

    def test_trains_as_in_memory_also_where_it_is_resumed(self):
        source = random.Random(0)
        count = 1000
        self.write_bytes("big.safetensors", safetensors(
            train_inputs=("U8", [count, 1, 6, 6], [source.randrange(256) for _ in range(36 * count)]),
            train_targets=("U8", [count], [source.randrange(3) for _ in range(count)])))
        self.write("mapped.yaml", MAPPED)
        tuned = ("--set", "dataset.augmentation=crop_flip", "--set", "tuner={name: apo, lambda: 1e-3, interval: 2}")
        self.run_ok(*tuned, config="mapped.yaml")
        self.run_ok(*tuned, "--set", "name=memory", "--set", "dataset.mapped=never", config="mapped.yaml")
        expected = deterministic(self.trace("memory"))
        self.assertEqual(deterministic(self.trace("mapped")), expected)
        self.run_ok(*tuned, "--set", "name=resumed", "--set", "train.epochs=1", config="mapped.yaml")
        self.run_ok(*tuned, "--set", "name=resumed", "--resume", "--set", "dataset.mapped=never", config="mapped.yaml")
        self.assertEqual(deterministic(self.trace("resumed")), expected)

    def test_the_dry_run_tells_which(self):
        self.write_big()
        self.assertIn("MiB mapped", self.run_ok("--dry-run", config="mapped.yaml").stdout)
        self.assertIn("MiB on the device", self.run_ok("--dry-run", "--set", "dataset.mapped=auto", config="mapped.yaml").stdout)

    def test_a_file_cut_while_it_is_mapped_is_one_line(self):
        path = self.write_big()
        process = subprocess.Popen(
            self.command("--set", "train.epochs=1000", "--progress", "off", config="mapped.yaml"),
            cwd=self.folder, env=self.environment(), stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + patience(60)
        while not list(self.folder.glob("runs/mapped/trace.jsonl")) and time.monotonic() < until:
            time.sleep(0.05)
        os.truncate(path, 1 << 20)
        told = process.communicate(timeout=patience(60))[1]
        self.assertEqual(process.returncode, 3, told)
        lines = [line for line in told.splitlines() if "error:" in line]
        self.assertEqual(len(lines), 1, told)
        self.assertRegex(lines[0], "big.safetensors: has (changed|become shorter)")


TABLE = """
name: own
dataset: {name: csv, path: table.csv, batch_size: 20}
model: {name: mlp, hidden: [16]}
train: {epochs: 40}
threads: 1
"""


class Tables(OwnData):
    def write_table(self, rows, name="table.csv", opened=open, **format):
        with opened(self.folder / name, "wt", newline="") as file:
            csv.writer(file, **format).writerows(rows)

    def flowers(self, count=90):
        """Of two kinds, told apart by a colour and a length; one in three is the other's colour."""
        source = random.Random(0)
        yield ["id", "length, mm", 'the "colour"', "kind"]
        for i in range(count):
            kind = source.choice(("rose", "lily"))
            colour = source.choice(("red", "red", "white") if kind == "rose" else ("white", "white", "red"))
            yield [f"n{i}", 3000 + source.gauss(20 if kind == "rose" else -20, 10), colour, kind]

    def test_words_and_numbers_of_a_table_are_learned_from(self):
        self.write_table(self.flowers(), lineterminator="\r\n")
        self.write("own.yaml", TABLE)
        self.run_ok("--set", "dataset.leave_out=[id]", config="own.yaml")
        self.assertGreater(self.json("own", "summary.json")["final"]["test"]["accuracy"], 0.9)
        about = self.about()
        self.assertEqual(json.loads(about["class_names"]), ["lily", "rose"])
        length, colour = json.loads(about["columns"])
        self.assertEqual((length["name"], colour), ("length, mm", {"name": 'the "colour"', "words": ["red", "white"]}))
        self.assertAlmostEqual(length["mean"], 3000, delta=20)
        self.assertEqual(json.loads(about["input_shape"]), [3])

    def test_a_regression_ends_at_the_least_squares_of_standardised_numbers(self):
        rows, targets = linear_problem()
        mean = sum(targets) / len(targets)
        variance = sum((y - mean) ** 2 for y in targets) / len(targets)
        self.write_table([["a", "b", "y"], *([*row, y] for row, y in zip(rows, targets))], "table.csv.gz", gzip.open, delimiter=";")
        self.write("own.yaml", REGRESSION.replace("tensors, path: my.safetensors", "csv, path: table.csv.gz, separator: semicolon, test_share: 0"))
        self.run_ok(config="own.yaml")
        # The inputs are in single precision: numbers of size 1 to 6e-8.
        self.assertAlmostEqual(self.trace("own")["epochs"]["train_loss"][-1], least_squares(rows, targets) / variance, delta=1e-6)

    def test_a_test_file_of_its_own_is_the_test_set(self):
        table = list(self.flowers())
        self.write_table(table[:61])
        self.write_table([table[0], *table[61:]], "test.csv")
        self.write("own.yaml", TABLE)
        said = self.run_ok("--set", "dataset.test_path=test.csv", "--set", "dataset.leave_out=[id]", config="own.yaml").stderr
        self.assertIn("60", said)
        self.assertIsNotNone(self.json("own", "summary.json")["final"]["test"])

    def test_new_rows_are_predicted_as_those_of_the_set(self):
        self.write_table(self.flowers())
        self.write("own.yaml", TABLE)
        self.run_ok("--set", "dataset.leave_out=[id]", config="own.yaml")
        known = sorted(row for part in ("train", "test") for row in self.predictions("--part", part, without=("example", "target")))
        # In another order of columns and rows, with more of the former, and none of the target.
        header, *rows = self.flowers()
        self.write_table([[header[2], "new", header[1]], *([row[2], i, row[1]] for i, row in enumerate(reversed(rows)))], "new.csv")
        for model in ("runs/own", "runs/own/model.safetensors"):
            found = self.predictions("--on", "new.csv", model=model, without=("example",))
            self.assertEqual(sorted(found), known)
        self.assertEqual({row[1] for row in found}, {"lily", "rose"})
        for name, table, says in (("word", [header[1:3], ["1", "blue"]], ("'blue'", "red, white")),
                                  ("column", [header[:2], ["a", "1"]], ("no column 'the \"colour\"'",)),
                                  ("number", [header[1:3], ["long", "red"]], ("'length, mm' has words",))):
            self.write_table(table, f"{name}.csv")
            self.assert_fails(3, "--predict", "runs/own", "--on", f"{name}.csv", config=None, says=[f"{name}.csv", *says])

    def test_a_regression_is_predicted_in_the_units_of_its_target(self):
        rows, targets = linear_problem()
        table = [["a", "b", "y"], *([*row, 1000 + 50 * y] for row, y in zip(rows, targets))]
        self.write_table(table)
        self.write("own.yaml", REGRESSION.replace("tensors, path: my.safetensors", "csv, path: table.csv, test_share: 0"))
        self.run_ok(config="own.yaml")
        predicted = [float(row[0]) for row in self.predictions("--on", "table.csv", without=("example",))]
        squared_error = sum((one - row[2]) ** 2 for one, row in zip(predicted, table[1:], strict=True)) / len(predicted)
        self.assertAlmostEqual(squared_error / 2500, least_squares(rows, targets), delta=1e-5)
        for row in self.predictions("--part", "train", without=("example",)):
            self.assertTrue(min(abs(float(row[0]) - one[2]) for one in table[1:]) < 1e-3 * float(row[0]))

    def test_mistakes_are_one_line_with_their_place(self):
        self.write("own.yaml", TABLE)
        self.assert_fails(3, config="own.yaml", says=[str((self.folder / "table.csv").resolve()), "no such file"])
        table = list(self.flowers())
        self.write_table(table)
        self.assert_fails(2, "--set", "dataset.target=king", config="own.yaml", says=["dataset.target", "did you mean 'kind'"])
        table[5][1] = ""
        self.write_table(table)
        self.assert_fails(3, "--set", "dataset.leave_out=[id]", config="own.yaml", says=["table.csv: line 6, column 2 ('length, mm')", "empty"])
        self.assert_fails(2, "--set", "dataset.test_share=1", config="own.yaml", says=["dataset.test_share"])
        self.write_bytes("table.csv", "a,colour\n1,red\n2,grün\n".encode("latin1"))
        self.assert_fails(3, "--set", "dataset.target=colour", config="own.yaml", says=["table.csv: line 3: 'gr\\xfcn' is not UTF-8"])

    def test_what_is_not_what_its_ending_says_is_one_line_with_the_endings(self):
        self.write_table(self.flowers())
        self.write("own.yaml", TABLE)
        self.run_ok("--set", "dataset.leave_out=[id]", config="own.yaml")
        (self.folder / "table.csv").rename(self.folder / "table.txt")
        self.assert_fails(3, "--predict", "runs/own", "--on", "table.txt", config=None, says=["table.txt", ".csv or .tsv", "safetensors"])


class Text(OwnData):
    def test_a_model_of_pictures_says_that_it_takes_no_bytes(self):
        self.write("corpus.txt", "to be or not to be, that is the question. " * 50)
        self.write("own.yaml", CLASSES.replace("tensors, path: my.safetensors", "text, path: corpus.txt, length: 16"))
        self.assert_fails(2, config="own.yaml", says=["model.name = mlp", "int64 [16]"])
        self.assert_fails(3, "--set", "dataset.length=5000", config="own.yaml", says=["corpus.txt", "2100 bytes", "dataset.length"])
        self.assert_fails(3, "--set", "dataset.path=no.txt", config="own.yaml", says=[str((self.folder / "no.txt").resolve())])


def png(rows):
    """Of rows of (red, green, blue)."""
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 2, 0, 0, 0)
    pixels = b"".join(b"\0" + bytes(sum(map(list, row), [])) for row in rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


class Folders(OwnData):
    def write_pictures(self, where, count):
        """Red and blue ones, of 6 x 5 pixels with noise."""
        source = random.Random(count)
        for name, tint in (("red", (90, 0, 0)), ("blue", (0, 0, 90))):
            for i in range(count):
                rows = [[tuple(source.randrange(160) + t for t in tint) for _ in range(5)] for _ in range(6)]
                self.write_bytes(f"{where}/{name}/{i}.png", png(rows))

    def config(self):
        return CLASSES.replace("tensors, path: my.safetensors", "folder, path: pictures")

    def test_classes_of_pictures_are_learned(self):
        self.write_pictures("pictures/train", 30)
        self.write_pictures("pictures/test", 10)
        self.write("own.yaml", self.config())
        self.run_ok(config="own.yaml")
        self.assertGreater(self.json("own", "summary.json")["final"]["test"]["accuracy"], 0.9)
        about = self.about()
        self.assertEqual(json.loads(about["class_names"]), ["blue", "red"])
        self.assertEqual(json.loads(about["input_shape"]), [3, 6, 5])
        # Pixels of red are 0 to 159, and 90 more in half of the pictures.
        self.assertAlmostEqual(json.loads(about["normalisation"])["mean"][0], (79.5 + 45) / 255, delta=0.02)

    def test_a_test_set_is_drawn_and_pictures_of_both_formats_are_resized(self):
        self.write_pictures("pictures", 20)
        self.write_bytes("pictures/red/of_another_size.JPG", (ROOT / "fuzz/corpus/picture/jpeg").read_bytes())
        self.write("own.yaml", self.config())
        self.assert_fails(3, config="own.yaml", says=["of_another_size.JPG", "8 x 8", "dataset.height"])
        self.run_ok("--set", "dataset.height=4", "--set", "dataset.width=4", "--set", "dataset.channels=1", config="own.yaml")
        self.assertEqual(json.loads(self.about()["input_shape"]), [1, 4, 4])
        self.assert_fails(2, "--set", "dataset.height=4", config="own.yaml", says=["dataset.height"])

    def test_new_pictures_are_predicted_as_those_of_the_set(self):
        self.write_pictures("pictures/train", 6)
        self.write_pictures("pictures/test", 3)
        self.write("own.yaml", self.config())
        self.run_ok(config="own.yaml")
        of_set = self.predictions("--part", "test", without=("example", "target"))
        found = self.predictions("--on", "pictures/test", without=("example",))
        self.assertEqual([row[0] for row in found], [f"pictures/test/{name}/{i}.png" for name in ("blue", "red") for i in range(3)])
        # The set has one of each class in turn.
        self.assertEqual([row[1:] for row in found], of_set[::2] + of_set[1::2])
        self.write_bytes("other.jpg", (ROOT / "fuzz/corpus/picture/jpeg").read_bytes())
        self.assertEqual(len(self.predictions("--on", "other.jpg")), 1)
        self.write_bytes("pictures/test/notes.txt", b"")
        self.assert_fails(3, "--predict", "runs/own", "--on", "pictures/test", config=None, says=["notes.txt"])
        self.assert_fails(2, "--predict", "runs/own", "--on", "table.csv", config=None, says=["--on", "no table"])

    def test_damage_is_one_line_with_the_file(self):
        self.write_pictures("pictures", 4)
        self.write("own.yaml", self.config())
        whole = (self.folder / "pictures/blue/2.png").read_bytes()
        self.write_bytes("pictures/blue/2.png", whole[:-40])
        self.assert_fails(3, config="own.yaml", says=["pictures/blue/2.png", "damaged PNG"])
        self.assert_fails(3, "--set", "dataset.path=nowhere", config="own.yaml", says=[str((self.folder / "nowhere").resolve()), "no such folder"])

    def test_a_named_pipe_is_one_line_whoever_would_read_it(self):
        self.write_pictures("pictures", 4)
        self.write("own.yaml", self.config())
        self.run_ok(config="own.yaml")
        for name in ("x.png", "x.safetensors", "x.csv", "x", "run/trace.jsonl", "pictures/blue/9.png"):
            (self.folder / name).parent.mkdir(exist_ok=True)
            os.mkfifo(self.folder / name)
        self.assert_fails(3, "--overwrite", config="own.yaml", says=["pictures/blue/9.png", "named pipe"])
        for name in ("x.png", "x.safetensors", "x", "pictures"):
            self.assert_fails(3, "--predict", "runs/own", "--on", name, config=None, says=["9.png" if name == "pictures" else name, "named pipe"])
        self.assert_fails(2, "--predict", "runs/own", "--on", "x.csv", config=None, says=["trained on no table"])
        self.assert_fails(3, "--evaluate", "x.safetensors", config=None, says=["x.safetensors", "named pipe"])
        self.assert_fails(3, "--report", "page.html", "run", config=None, says=["run/trace.jsonl", "named pipe"])
        (self.folder / "pictures/blue/9.png").unlink()
        self.assert_fails(3, "--overwrite", "--set", "model.weights=x", config="own.yaml", says=["x", "named pipe"])
        self.assert_fails(3, "--overwrite", "--set", "tuner={name: replay, trace: x}", config="own.yaml", says=["x", "named pipe"])
