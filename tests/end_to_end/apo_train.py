"""What the end-to-end tests share: running the binary in a folder of its own and reading what it writes."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Where the tests run in a script's background it is ignored, and would be by what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
BINARY = pathlib.Path(os.environ.get("APO_TRAIN", ROOT / "build/dev/bin/apo-train")).resolve()

SMOKE = """
name: smoke
dataset: {name: synthetic, train_examples: 200, test_examples: 50, batch_size: 50, height: 8, width: 8}
model: {name: mlp, hidden: [16]}
optimizer: {name: sgd, learning_rate: 0.05}
tuner: {name: apo, lambda: 1e-3, interval: 2}
train: {epochs: 3}
threads: 1
"""


def patience(seconds):
    """So many seconds of waiting, more where a sanitizer slows what is waited for."""
    return seconds * float(os.environ.get("APO_PATIENCE", 1))


class ApoTrainTest(unittest.TestCase):
    """A test in an empty working folder, with `smoke.yaml` in it."""

    def setUp(self):
        # What a test has killed may have a child left that still writes.
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.write("smoke.yaml", SMOKE)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def command(self, *arguments, config="smoke.yaml"):
        return [str(BINARY), *(["--config", config] if config else []), *arguments]

    def environment(self):
        return {**os.environ, "APO_DATA_ROOT": "", "OMP_WAIT_POLICY": "passive"}

    def python_environment(self):
        """In which Python finds the modules that a test has written, before others."""
        path = [str(self.folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {**self.environment(), "PYTHONPATH": os.pathsep.join(path)}

    def start(self, *arguments, config="smoke.yaml"):
        return subprocess.run(
            self.command(*arguments, config=config),
            cwd=self.folder, env=self.environment(), capture_output=True, text=True, timeout=patience(120))

    def run_ok(self, *arguments, config="smoke.yaml"):
        result = self.start(*arguments, config=config)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def assert_fails(self, code, *arguments, config="smoke.yaml", says=()):
        """It ends with `code` and one line on stderr that holds every word of `says`."""
        result = self.start(*arguments, config=config)
        self.assertEqual(result.returncode, code, result.stderr)
        lines = [line for line in result.stderr.splitlines() if "error:" in line]
        self.assertEqual(len(lines), 1, result.stderr)
        for word in says:
            self.assertIn(word, lines[0])
        return result

    def json(self, *parts):
        return json.loads(self.folder.joinpath("runs", *parts).read_text())

    def trace(self, *parts):
        return self.json(*parts, "trace.json")

    def report(self, *parts):
        """The data of a report.html, as its scripts read them."""
        page = self.folder.joinpath("runs", *parts, "report.html").read_text()
        return json.loads(page.split('id="data">', 1)[1].split("</script", 1)[0])


def deterministic(trace):
    """The columns that a seed decides: all but the clock."""
    epochs = {key: column for key, column in trace["epochs"].items() if key != "wall_seconds"}
    return {"steps": trace["steps"], "meta": trace["meta"], "epochs": epochs,
            "hyperparameters": trace["hyperparameters"]}
