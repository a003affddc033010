"""Failing disks, hostile folders and long runs: a clear line, whole files, the last checkpoint as it was, no growth."""

import errno
import os
import pathlib
import signal
import subprocess
import time
import unittest

from apo_train import BINARY, ApoTrainTest, deterministic, patience

# Of the sanitizer that the program is built with, which must be loaded first.
RUNTIME = os.environ.get("APO_SANITIZER_RUNTIME", "")
FAULTS = BINARY.parents[1] / "tests" / "libapo-faults.so"
# How many of the places of each kind; all the places are spread over the run.
POSITIONS = int(os.environ.get("APO_FAULT_POSITIONS", "6"))
RUN = ("--set", "train.epochs=5", "--set", "train.keep_checkpoints=1", "--progress", "off")


class Faults(ApoTrainTest):
    def start_with_fault(self, *arguments, **fault):
        environment = {**self.environment(), "LD_PRELOAD": f"{RUNTIME} {FAULTS}",
                       "APO_FAULT_FOLDER": str(self.folder / "runs")}
        environment |= {"APO_FAULT_" + key.upper(): str(value) for key, value in fault.items()}
        # Through /proc/self/exe the program would start itself anew, and count twice.
        return subprocess.run(self.command(*arguments), cwd=self.folder, env=environment, capture_output=True, text=True, timeout=patience(120))

    def places(self, call):
        count = self.folder / "count"
        result = self.start_with_fault(*RUN, "--set", "name=whole", "--overwrite", call=call, count=count)
        self.assertEqual(result.returncode, 0, result.stderr)
        number = int(count.read_text())
        self.assertGreater(number, 10)
        return sorted({round(i * (number - 1) / (POSITIONS - 1)) for i in range(POSITIONS)})

    def check(self, call, error):
        whole = None
        for place in self.places(call):
            whole = whole or deterministic(self.trace("whole"))
            with self.subTest(call=call, place=place):
                result = self.start_with_fault(*RUN, "--overwrite", call=call, at=place, errno=error)
                self.assertEqual(result.returncode, 1 if "error:" in result.stderr else 0, result.stderr)
                self.assertTrue(os.strerror(error) in result.stderr, result.stderr)
                trace = self.folder / "runs/smoke/trace.jsonl"
                if trace.exists() and trace.stat().st_size:
                    self.assertEqual(trace.read_text()[-1], "\n")
                self.run_ok(*RUN, "--resume")
                self.assertEqual(deterministic(self.trace("smoke")), whole)
                self.assertEqual(*[self.folder.joinpath("runs", name, "model.safetensors").read_bytes() for name in ("smoke", "whole")])

    def test_a_full_disk_loses_nothing(self):
        self.check("write", errno.ENOSPC)

    def test_a_write_that_fails_loses_nothing(self):
        self.check("write", errno.EIO)

    def test_a_sync_that_fails_loses_nothing(self):
        self.check("fsync", errno.EIO)

    def test_a_rename_that_fails_loses_nothing(self):
        self.check("rename", errno.EIO)

    def test_an_output_that_cannot_be_made_is_one_line(self):
        self.write("file", "")
        self.assert_fails(1, "--output", "file/runs", says=["file/runs", "cannot be made"])

    def test_more_than_the_disk_holds_is_said_before_the_start(self):
        self.assert_fails(1, "--set", "train.keep_checkpoints=1000000000", says=["runs/smoke", "MB are free", "checkpoints"])

    def test_more_memory_than_there_is_names_the_keys_that_help(self):
        self.assert_fails(1, "--set", "model.hidden=[1000000, 1000000]", says=["out of memory", "were asked for", "dataset.batch_size"])

    @unittest.skipIf(RUNTIME, "a sanitizer keeps what is freed")
    def test_memory_does_not_grow_over_fifty_thousand_meta_steps(self):
        process = subprocess.Popen(
            self.command("--set", "train.epochs=12500", "--set", "tuner.interval=1", "--set", "train.evaluate_every=500",
                         "--set", "train.checkpoint_every=250", "--progress", "off"),
            cwd=self.folder, env=self.environment(), stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        early = self.resident_pages_at(process, 1000)
        late = self.resident_pages_at(process, 49000)
        process.send_signal(signal.SIGTERM)
        self.assertLess(late / early, 1.01, f"{early} pages at first, {late} at the end")

    def resident_pages_at(self, process, step):
        trace = self.folder / "runs/smoke/trace.jsonl"
        deadline = time.monotonic() + patience(250)
        while True:
            self.assertLess(time.monotonic(), deadline)
            self.assertIsNone(process.poll())
            if trace.exists() and last_step(trace) >= step:
                return int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            time.sleep(0.02)


def last_step(trace):
    """Of a trace that is being written."""
    with trace.open("rb") as file:
        file.seek(max(0, trace.stat().st_size - 2000))
        lines = [line for line in file.read().decode().splitlines() if line.startswith('{"type":"step","step":')]
    return int(lines[-1].split(":")[2].split(",")[0]) if lines else -1


if __name__ == "__main__":
    unittest.main()
