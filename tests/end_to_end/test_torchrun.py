"""Several ranks over Gloo, started by PyTorch's variables or by torchrun: what those of mpirun do."""

import os
import signal
import subprocess
import sys
import time
import unittest

from apo_train import BINARY, patience
from ranks import Faults, OverGloo, RanksTest, Training

try:
    import torch
except ImportError:
    torch = None


class TrainingOverGloo(OverGloo, Training, RanksTest):
    pass


class FaultsOverGloo(OverGloo, Faults, RanksTest):
    def test_when_a_rank_is_killed_one_of_the_others_says_so_and_all_end(self):
        process, pids = self.begin(4, "--set", "train.epochs=4000")
        os.kill(pids[2], signal.SIGKILL)
        begun = time.monotonic()
        _, said = process.communicate(timeout=patience(60))
        self.assertLess(time.monotonic() - begun, patience(20))
        self.assertEqual(process.returncode, 1)
        (line,) = self.lines_of_ours(said)
        self.assertIn("has lost its connection to another, which is gone; the same command with --resume", line)
        self.assertNotIn("c10", said)

    def test_variables_that_do_not_fit_are_told(self):
        fitting = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
        for name, value, says in (("MASTER_ADDR", "", "MASTER_ADDR: not set"), ("RANK", "2", "RANK = 2: accepted: a number from 0 to 1"),
                                  ("LOCAL_WORLD_SIZE", "3", "from 1 to 2"), ("MASTER_PORT", "http", "MASTER_PORT = http")):
            self.variables = {**fitting, name: value}
            self.assert_fails(2, says=[says], config="ranks.yaml")

    def test_what_is_asked_of_one_does_not_wait_for_others(self):
        self.variables = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
        for words in (("--version",), ("--config", "ranks.yaml", "--print-config"), ("--config", "ranks.yaml", "--list-runs")):
            said = subprocess.run([BINARY, *words], cwd=self.folder, env=self.environment(), capture_output=True, text=True, timeout=patience(60))
            self.assertEqual(said.returncode, 0, said.stderr)
            self.assertTrue(said.stdout)

    variables = {}

    def environment(self):
        return {**super().environment(), **self.variables}


@unittest.skipUnless(torch and int(torch.__version__.split(".")[0]) >= 2,
                     "no PyTorch 2 is there, of which torchrun is a part; that of 1.13 does not start beside Python 3.11")
class Torchrun(OverGloo, RanksTest):
    def launch(self, ranks, *words):
        return [sys.executable, "-m", "torch.distributed.run", "--no_python", "--nproc_per_node", str(ranks), *words]

    def test_its_ranks_train_as_one_does(self):
        self.run_ok(config="ranks.yaml")
        self.on_ok(2, "--set", "name=of2")
        self.assert_same_run("of2", "ranks")

    def test_its_signal_saves_once_and_ends_all(self):
        process, _ = self.begin(2, "--set", "train.epochs=4000")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=patience(60))
        self.assertEqual(said.count("interrupted after step"), 1)
        self.assertEqual(self.json("ranks", "summary.json")["status"], "interrupted")

    def test_ranks_that_it_starts_again_go_on(self):
        self.run_ok("--set", "name=whole", config="ranks.yaml")
        again = [*self.launch(2, "--max_restarts", "1"), *self.command("--resume", "--set", "train.checkpoint_every=1", config="ranks.yaml")]
        process, pids = self.begin(2, command=again)
        os.kill(pids[1], signal.SIGKILL)
        process.communicate(timeout=patience(60))
        self.assertEqual(process.returncode, 0)
        self.assert_same_run("ranks", "whole")


if __name__ == "__main__":
    unittest.main()
