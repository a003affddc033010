"""The pages do what they say: their commands run, their links lead somewhere, the keys that they name exist."""

import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

from apo_train import BINARY, ROOT, SMOKE, ApoTrainTest, patience

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# Whose commands follow upon each other: test_tutorial runs them.
FOLLOWED = ROOT / "docs/tutorial.md"
ALL_PAGES = [ROOT / name for name in subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT,
                                                    capture_output=True, text=True).stdout.splitlines()] or PAGES
# Commands that are not run here, and why: they are parsed, the script must be there and its --help must name their options.
NOT_RUN = {
    "scripts/quickstart.sh": "installs, builds and trains for minutes",
    "scripts/test.sh": "builds and runs this test",
    "scripts/setup.sh": "installs packages",
    "scripts/build.sh": "builds",
    "scripts/download_data.sh": "needs the network; scripts.download_data tests it",
    "scripts/bundle.sh": "builds",
    "scripts/package.sh": "builds",
    "scripts/gpu_check.sh": "needs a GPU",
    "scripts/benchmark.sh": "an hour of measuring",
    "scripts/instructions.sh": "minutes under valgrind",
    "scripts/coverage.sh": "builds and runs all tests",
    "scripts/torture.sh": "minutes; scripts.torture runs it shortened",
    "scripts/torture_sweep.sh": "minutes; scripts.torture_sweep runs it shortened",
    "scripts/sweep_slurm.sh": "needs Slurm; end_to_end.slurm tests it",
    "scripts/fuzz.sh": "builds and fuzzes for an hour",
    "scripts/format.sh": "changes the sources",
    "scripts/verify_all.sh": "hours; test_script_help tries it with stubs",
    ".ci/run": "all of it",
}
# Programs that a reader may have: blocks that name one are run where it is here.
OF_THE_READER = {"parallel"}
COMMAND = re.compile(r"^(apo-train|scripts/\w|\.ci/|export |options=|time apo-train|[A-Z_]+=\S+ (apo-train|scripts/)|ulimit )", re.M)
# In the place of a page's configuration: a short run of whatever it names.
SHORT = ("dataset.train_examples=200", "dataset.test_examples=100", "train.epochs=2")
SHIM = """#!/bin/bash
case " $* " in
  *" --config "*) exec "$REAL_APO_TRAIN" "$@" --progress off {short} ;;
  *) exec "$REAL_APO_TRAIN" "$@" ;;
esac
""".format(short=" ".join(f"--set {setting}" for setting in SHORT))


def blocks(page):
    """(language, text) of the fenced blocks."""
    return [(found[1], found[2]) for found in re.finditer(r"^```(\w*)\n(.*?)^```", page.read_text(), re.M | re.S)]


def shell_blocks(page):
    return [text for language, text in blocks(page) if language in ("", "sh", "bash") and COMMAND.search(text)]


def script_of(line):
    """The script of NOT_RUN that a line calls, or nothing."""
    words = [word for word in shlex.split(line, comments=True) if not re.match(r"[A-Z_]+=", word)]
    return words[0] if words and words[0] in NOT_RUN else None


def split(block):
    """What is run here, as one script; and the lines that are not."""
    run, kept_back = [], []
    for line in block.replace("\\\n", " ").splitlines():
        (kept_back if script_of(line) else run).append(line)
    return "\n".join(run), kept_back


def anchors(text):
    """GitHub's: lower case, blanks to dashes, no punctuation; and explicit ones."""
    heads = re.findall(r"^#+ +(.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    made = {re.sub(r"[^\w\- ]", "", head.lower().replace("`", "")).replace(" ", "-") for head in heads}
    return made | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def write_idx_mnist(folder, train=300, test=150):
    folder.mkdir(parents=True)
    for prefix, count in (("train", train), ("t10k", test)):
        pixels = bytes((7 * i + i // 784) % 256 for i in range(count * 784))
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, count, 28, 28) + pixels)
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, count) + bytes(i % 10 for i in range(count)))


class CommandBlocks(ApoTrainTest):
    """In a folder that looks like the repository's root, with a program that shortens each run."""

    def setUp(self):
        super().setUp()
        for name in ("configs", "scripts", "docs"):
            (self.folder / name).symlink_to(ROOT / name)
        shim = self.write("build/default/bin/apo-train", SHIM)
        shim.chmod(0o755)
        write_idx_mnist(self.folder / "data/mnist")
        self.write("FILE", SMOKE)
        self.write("my.yaml", SMOKE)
        self.runs_of_the_reader()

    prepared = None  # made once for all tests of the class

    def runs_of_the_reader(self):
        """What the pages call the reader's own runs."""
        if CommandBlocks.prepared is not None:
            shutil.copytree(CommandBlocks.prepared.name, self.folder / "runs", dirs_exist_ok=True)
            return
        for settings in (["name=sgd"], ["name=rmsprop"], ["name=my_grid", "tuner.lambda=[0.1, 0.01]"], ["name=my"], ["name=quickstart"],
                         ["name=mnist_mlp", "dataset={name: mnist}"],
                         ["name=quickstart_fashionmnist"]):
            self.run_ok(*(word for setting in settings for word in ("--set", setting)), "--progress", "off")
        (self.folder / "runs/rmsprop").rename(self.folder / "runs/own_rmsprop")  # README trains one of that name
        CommandBlocks.prepared = tempfile.TemporaryDirectory()
        self.addClassCleanup(CommandBlocks.prepared.cleanup)
        shutil.copytree(self.folder / "runs", CommandBlocks.prepared.name, dirs_exist_ok=True)

    def environment(self):
        path = f"{self.folder}/build/default/bin:{os.environ['PATH']}"
        return {**super().environment(), "PATH": path, "REAL_APO_TRAIN": str(BINARY), "APO_DATA_ROOT": str(self.folder / "data")}

    def bash(self, text):
        return subprocess.run(["bash", "-euc", text], cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=patience(120))

    def check(self, block):
        """What is wrong with a block of shell commands, or nothing."""
        parsed = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        if parsed.returncode:
            return parsed.stderr
        run, kept_back = split(block)
        for line in kept_back:
            wrong = self.check_options(line)
            if wrong:
                return wrong
        result = self.bash(run)
        return "" if result.returncode == 0 else f"{run}\n{result.stderr[-800:]}"

    def check_options(self, line):
        script = ROOT / script_of(line)
        if not os.access(script, os.X_OK):
            return f"{script}: no such script"
        options = [word for word in shlex.split(line, comments=True)[1:] if word.startswith("--")]
        if not options:
            return ""
        known = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=patience(20)).stdout
        return next((f"{line}: --help does not name {option}" for option in options if option not in known), "")

    def test_every_command_block_runs(self):
        found = 0
        for page in (page for page in PAGES if page != FOLLOWED):
            for block in shell_blocks(page):
                found += 1
                if any(re.search(rf"(^|\|) *{name} ", block, re.M) and not shutil.which(name) for name in OF_THE_READER):
                    continue
                with self.subTest(page=page.name, block=block.splitlines()[0]):
                    if "runs/rmsprop" in block and "name=rmsprop" not in block and not (self.folder / "runs/rmsprop").exists():
                        (self.folder / "runs/own_rmsprop").rename(self.folder / "runs/rmsprop")
                    self.assertEqual(self.check(block), "")
        self.assertGreater(found, 6)

    def test_a_command_that_no_longer_works_is_seen(self):
        for broken in ("apo-train --config FILE --rezume\n", "apo-train --config FILE --set tuner.lamda=1 --dry-run\n",
                       "scripts/fuzz.sh --second 60\n", "apo-train --config no_such_file.yaml\n", "if apo-train\n",
                       "apo-train --report page.html A=runs/nowhere\n"):
            with self.subTest(block=broken):
                self.assertNotEqual(self.check(broken), "")
        self.assertEqual(self.check("apo-train --config FILE --dry-run  # what would this need?\n"), "")

    def test_every_python_block_runs(self):
        for page in (page for page in PAGES if page != FOLLOWED):
            for language, block in blocks(page):
                if language != "python":
                    continue
                with self.subTest(page=page.name, block=block.splitlines()[0]):
                    compile(block, str(page), "exec")
                    result = subprocess.run([sys.executable, "-c", block], cwd=self.folder, capture_output=True, text=True, timeout=patience(60))
                    # A library of the reader's, or one that it wants; what the block opens must be there all the same.
                    if re.search(r"^(ModuleNotFoundError:|ImportError: .* is required )", result.stderr, re.M):
                        for path in re.findall(r'"(runs/[^"]+)"', block):
                            self.assertTrue((self.folder / path).exists(), path)
                        continue
                    self.assertEqual(result.returncode, 0, result.stderr)


class Troubleshooting(ApoTrainTest):
    def test_its_page_has_the_words_of_the_program(self):
        page = (ROOT / "docs/troubleshooting.md").read_text()
        self.write("huge.yaml", SMOKE.replace("[16]", "[1000000, 1000000]").replace("smoke", "huge"))
        self.write("constant.yaml", SMOKE.replace("name: apo", "name: constant"))
        self.run_ok()
        for code, arguments, config, words in (
            (4, ["--set", "tuner={name: constant}", "--set", "optimizer.learning_rate=1e20", "--set", "name=nan"], "smoke.yaml",
             "; try a smaller optimizer.learning_rate or train.on_divergence=rollback"),
            (2, [], "smoke.yaml", "exists already; accepted: --resume to go on with it, --overwrite to replace it, or another --output or name"),
            (2, ["--resume", "--set", "seed=4"], "smoke.yaml",
             "seed = 4: the run that is there has 0 and cannot go on with another; accepted: that value, or another name"),
            (0, ["--resume"], "smoke.yaml", "finished already; a larger train.epochs goes on with it"),
            (3, ["--set", "dataset={name: mnist}", "--set", "name=other"], "smoke.yaml", "missing files of mnist: train-images-idx3-ubyte"),
            (1, [], "huge.yaml", "out of memory on the host: 4000000000000 bytes were asked for; smaller values help of dataset.batch_size"),
            (2, [], "mnist_mlp_sgd_ap", "did you mean 'mnist_mlp_sgd_apo'?"),
            (2, [], "constant.yaml", "unknown key 'lambda'; accepted here: name"),
        ):
            with self.subTest(words=words):
                self.assertIn(words, page)
                result = self.start(*arguments, config=config)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(words, result.stdout + result.stderr)


class Links(unittest.TestCase):
    def test_every_relative_link_and_anchor_exists(self):
        self.assertLessEqual(set(PAGES), set(ALL_PAGES))
        for page in ALL_PAGES:
            text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"[a-z]+:", target):
                    continue
                with self.subTest(page=page.name, target=target):
                    path, _, anchor = target.partition("#")
                    file = page.parent / path if path else page
                    self.assertTrue(file.exists(), target)
                    if anchor:
                        self.assertIn(anchor, anchors(file.read_text()))

    def test_every_page_is_in_the_index(self):
        index = (ROOT / "docs/README.md").read_text()
        for page in (ROOT / "docs").glob("*.md"):
            if page.name != "README.md":
                self.assertIn(f"]({page.name})", index)
        self.assertIn("](docs/README.md)", (ROOT / "README.md").read_text())


class Keys(unittest.TestCase):
    SECTIONS = "problem|dataset|model|optimizer|tuner|train|trace"

    def known(self):
        """`section.key` and `section.inner.key`, read off the reference that the program prints."""
        printed = subprocess.run([BINARY, "--list-markdown"], capture_output=True, text=True, timeout=patience(20),
                                 env={**os.environ, "OMP_WAIT_POLICY": "passive"}).stdout
        known, section = set(), ""
        for line in printed.splitlines():
            head = re.match(r"##+ `?([\w.]+)`?$", line)
            group = re.match(r"#### `([\w.]+)` with", line)  # options of an option: tuner.bounds
            if head:
                section = head[1]
                known.add(section)
            if group:
                known.add(group[1])
            row = re.match(r"\| `([\w.]+)` \|", line)
            if row:
                known |= {f"{section}.{row[1]}"}
        return known

    def test_every_key_named_in_a_page_exists(self):
        known = self.known()
        self.assertIn("train.epochs", known)
        leaves = {key.rsplit(".", 1)[-1] for key in known}
        for page in PAGES:
            for key in re.findall(rf"`((?:{self.SECTIONS})(?:\.[a-z_][a-z_0-9]*)+)", page.read_text()):
                if re.search(r"\.(h|cpp|md|py|sh|jsonl?|yaml|safetensors)$", key):
                    continue
                with self.subTest(page=page.name, key=key):
                    inner = key.count(".") > 1  # an option of a choice within the section
                    self.assertTrue(key in known or (inner and key.rsplit(".", 1)[1] in leaves), key)


if __name__ == "__main__":
    unittest.main()
