"""docs/tutorial.md, followed to the letter: its files are written, its commands run in their order, what they print is what the page shows.

With APO_WRITE_TUTORIAL=1 the page is given what they printed; read it before it is kept.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
import urllib.request

from apo_train import BINARY, ROOT, ApoTrainTest, patience

PAGE = ROOT / "docs/tutorial.md"
# model.pt as model.py exports it with PyTorch 2.11: the initial weights, without which the numbers are others.
EXPORTED = ROOT / "tests/end_to_end/tutorial/model.pt"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
NUMBER = r"-?\d+\.\d+(?:e-?\d+)?"
ROW = re.compile(r"^ *\d+ +.* finished +(\S+)$")


def has(package):
    return importlib.util.find_spec(package) is not None


def pattern_of(line):
    """What may stand where the page has this line; its groups are the numbers to be compared."""
    if ROW.match(line):
        line = re.sub(r"^ *\d+ |\d+(?= +finished)", "<whole>", line)  # ranks and seconds
    line = re.sub(r"for \d+ \(\d+\)", "for <whole> (<whole>)", line)  # what a class is taken for
    line = re.sub(r"(best by .*: )\S+$", r"\1<word>", line)
    line = re.sub(rf"(?:{NUMBER}|\d+)(?= ?(?:s|ms|MiB)\b)", "<time>", line)  # and sizes
    parts = re.split(rf"({NUMBER}|<\w+>|…| +)", line.strip())
    known = {"<time>": r"\d[\d.]*", "<whole>": r" *\d+ *", "<word>": r"\S+", "…": ".*"}
    return re.compile(" *" + "".join(rf"({NUMBER}|\d+)" if re.fullmatch(NUMBER, part) else r" +" if part.isspace() else
                                     known.get(part, re.escape(part)) for part in parts) + " *$")


def same(line, printed):
    """Whether a line is as on the page, numbers with a point within three tenths or 0.03."""
    found = pattern_of(line).match(printed)
    if not found:
        return False
    wanted = [float(number) for number in re.findall(NUMBER, re.sub(rf"(?:{NUMBER}|\d+)(?= ?(?:s|ms|MiB)\b)", "", line))]
    return all(abs(float(number) - one) <= max(0.3 * abs(one), 0.03) for number, one in zip(found.groups(), wanted))


def difference(page, printed):
    """The first line of the page that was not printed, or "". A line "…" stands for any lines; rows of a table may come in another order."""
    lines, rest = [line for line in page.splitlines() if line.strip()], [line for line in printed.splitlines() if line.strip()]
    rows = {ROW.match(line)[1]: line for line in rest if ROW.match(line)}
    skipping = False
    for line in lines:
        if line.strip() == "…":
            skipping = True
            continue
        if ROW.match(line):
            if not same(line, rows.get(ROW.match(line)[1], "")):
                return line
            rest = [other for other in rest if other != rows[ROW.match(line)[1]]]
            continue
        while skipping and rest and not same(line, rest[0]):
            rest.pop(0)
        if not rest or not same(line, rest.pop(0)):
            return line
        skipping = False
    return "" if skipping or not rest else "the end"


class Compared(unittest.TestCase):
    def test_what_may_differ_and_what_may_not(self):
        page = "my: ready\nepoch  1  loss 0.25  2s\n…\nepoch  10  loss 0.1  20s\n"
        self.assertEqual(difference(page, "my: ready\nepoch   1  loss 0.26   3s\nepoch 2\nepoch  10  loss 0.11  9s\n"), "")
        for wrong in ("", "my: reedy", "my: ready\nepoch 2 loss 0.25 2s\nepoch 10 loss 0.1 20s", "my: ready\nepoch 1 loss 0.5 2s\nepoch 10 loss 0.1 20s",
                      "my: ready\nepoch 1 loss 0.25 2s\nepoch 9 loss 0.1 2s", "my: ready\nepoch 1 loss 0.25 2s\nepoch 10 loss 0.1 2s\nerror"):
            self.assertNotEqual(difference(page, wrong), "", wrong)
        table = "   1  0.25  2  finished  a\n   2  0.5  1  finished  b\nbest by x: a"
        self.assertEqual(difference(table, "   1  0.5  3  finished  b\n   2  0.25  1  finished  a\nbest by x: b"), "")
        self.assertNotEqual(difference(table, "   1  0.5  3  finished  b\n   2  0.25  1  finished  c\nbest by x: b"), "")


@unittest.skipUnless(has("numpy") and has("safetensors"), "no Python packages numpy and safetensors: pip install -r tests/requirements.txt")
class Tutorial(ApoTrainTest):
    def environment(self):
        python = self.folder / "bin/python3"
        if not python.exists():
            python.parent.mkdir()
            python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            python.chmod(0o755)
        return {**super().environment(), "PATH": f"{python.parent}:{BINARY.parent}:{os.environ['PATH']}", "PYTHONWARNINGS": "ignore"}

    def bash(self, command):
        result = subprocess.run(["bash", "-euc", command], cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=patience(120))
        self.assertEqual(result.returncode, 0, f"{command}\n{result.stdout}")
        return result.stdout

    def needs_torch(self, command):
        script = re.match(r"python3 (\S+\.py)", command)
        return script is not None and "import torch" in (self.folder / script[1]).read_text()

    def check_tensorboard(self):
        """Its own server lists the runs; without an address to open, which nobody could read off it here."""
        if not has("tensorboard"):
            self.skipTest("no Python package tensorboard: pip install -r tests/requirements.txt")
        port = 20000 + os.getpid() % 10000
        server = subprocess.Popen([sys.executable, "-m", "tensorboard.main", "--logdir", "runs", "--port", str(port)], cwd=self.folder,
                                  env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        end = time.monotonic() + patience(60)
        shown = {}
        while time.monotonic() < end and "my" not in shown:
            self.assertIsNone(server.poll(), "tensorboard has ended")
            try:
                with urllib.request.urlopen(f"http://localhost:{port}/data/plugin/scalars/tags") as answer:
                    shown = json.load(answer)
            except OSError:
                pass
            time.sleep(0.2)
        self.assertEqual(set(shown), {"my", *(f"compare/optimizer.name={name}" for name in ("adam", "sgdm", "nadamw"))})
        self.assertLessEqual({"train/loss", "validation/accuracy", "train/learning_rate"}, set(shown["my"]))

    def test_every_command_prints_what_the_page_shows(self):
        page, replaced = PAGE.read_text(), []
        blocks = [(found[1], found[2]) for found in BLOCK.finditer(page)]
        commands = 0
        for (language, text), (following, shown) in zip(blocks, [*blocks[1:], ("", "")]):
            if language in ("python", "yaml"):
                self.write(re.match(r"# (\S+)\n", text)[1], text)
            if language != "sh":
                continue
            commands += 1
            with self.subTest(command=text.strip()):
                if text.startswith("tensorboard "):
                    self.check_tensorboard()
                    continue
                if self.needs_torch(text) and not has("torch"):
                    if "model.py" in text:
                        shutil.copy(EXPORTED, self.folder / "model.pt")
                    self.skipTest(f"this Python has no torch, which '{text.strip()}' needs; what it exports is taken from tests/end_to_end/tutorial")
                printed = self.bash(text)
                self.assertEqual(following, "text", "a command without what it prints")
                replaced.append((f"```sh\n{text}```\n\n```text\n{shown}```", f"```sh\n{text}```\n\n```text\n{printed.strip()}\n```"))
                if not os.environ.get("APO_WRITE_TUTORIAL"):
                    self.assertEqual(difference(shown, printed), "", printed)
        self.assertGreater(commands, 6)
        if os.environ.get("APO_WRITE_TUTORIAL"):
            for old, new in replaced:
                page = page.replace(old, new)
            PAGE.write_text(page)

    @unittest.skipUnless(has("torch"), "this Python has no torch")
    def test_the_exported_model_that_stands_in_for_it_is_that_of_the_page(self):
        import torch
        text = next(text for _, text in BLOCK.findall(PAGE.read_text()) if text.startswith("# model.py"))
        self.write("model.py", text)
        self.bash("python3 model.py")
        made, kept = (torch.jit.load(path).state_dict() for path in (self.folder / "model.pt", EXPORTED))
        self.assertEqual(made.keys(), kept.keys())
        for name, tensor in made.items():
            self.assertTrue(torch.equal(tensor, kept[name]), name)


if __name__ == "__main__":
    unittest.main()
