"""A grid on a real Slurm of several virtual nodes: scripts/slurm_sandbox.sh, scripts/sweep_slurm.sh."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import unittest

from apo_train import BINARY, ROOT, ApoTrainTest, deterministic, patience

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")
MISSING = [name for name in DAEMONS if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")]
# Some seconds for each run, also on a fast machine: time to take it away in its middle, though a call of Slurm takes a second.
GRID = ("--set", "tuner.lambda=[0.1, 0.001]", "--set", "grid.seed=[0, 1]", "--set", "dataset.train_examples=5000", "--set", "train.epochs=200")
LABELS = [f"seed={seed},tuner.lambda={value}" for seed in (0, 1) for value in ("0.1", "0.001")]


@unittest.skipIf(MISSING, f"Slurm is not installed: {', '.join(MISSING)}; scripts/setup.sh --dev installs it")
class Slurm(ApoTrainTest):
    @classmethod
    def setUpClass(cls):
        """One Slurm for all tests, which lives until its command reads the end of its input."""
        cls.sandbox = subprocess.Popen([str(ROOT / "scripts/slurm_sandbox.sh"), "--nodes", "2", "bash", "-c", "echo $SLURM_CONF; cat; exit 7"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        cls.slurm_conf = cls.sandbox.stdout.readline().strip()

    @classmethod
    def tearDownClass(cls):
        if cls.sandbox.returncode is None:
            cls.sandbox.communicate(timeout=patience(60))

    def setUp(self):
        super().setUp()
        self.assertTrue(self.slurm_conf, "no Slurm: " + ("" if self.slurm_conf else self.sandbox.communicate()[1]))

    def environment(self):
        return {**super().environment(), "SLURM_CONF": self.slurm_conf, "APO_TRAIN": str(BINARY)}

    def call(self, *words):
        result = subprocess.run(words, cwd=self.folder, env=self.environment(), capture_output=True, text=True, timeout=patience(60))
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def submit(self, *words):
        return self.call(str(ROOT / "scripts/sweep_slurm.sh"), "smoke.yaml", *words, "--", *GRID)

    def queue(self, *words):
        return self.call("squeue", "--noheader", "--array", "--format=%K %T %r", *words).splitlines()

    def wait_for(self, what, condition):
        end = time.monotonic() + patience(90)
        while not condition():
            self.assertLess(time.monotonic(), end, f"{what}: {self.queue()}")
            time.sleep(0.05)

    def wait_until_it_trains(self, index):
        trace = self.folder / "runs/smoke" / LABELS[index] / "trace.jsonl"
        self.wait_for(f"run {index}", lambda: trace.exists() and trace.stat().st_size > 5000)

    def wait_for_all(self):
        self.wait_for("the queue's end", lambda: not self.queue())

    def logs(self):
        """What the tasks have said, all attempts of one in one text, by the number of the run."""
        texts = {}
        names = [(int(job), int(index), name) for name in os.listdir(self.folder / "runs/slurm") for job, index in re.findall(r"_(\d+)_(\d+)\.log$", name)]
        for _, index, name in sorted(names):
            texts[index] = texts.get(index, "") + (self.folder / "runs/slurm" / name).read_text()
        return texts

    def assert_goes_on(self, index, before):
        """What ended the task's first attempt is told, and then that the next one goes on."""
        text = self.logs()[index]
        self.assertTrue(re.search(f"(?s){before}.*goes on from the checkpoint", text), text[:2000])

    def test_tasks_that_are_requeued_cancelled_and_out_of_time_give_what_the_local_grid_gives(self):
        self.run_ok(*GRID, "--output", "local", "--jobs", "2", "--threads", "1", "--progress", "off")
        job = re.search(r"Submitted batch job (\d+)", self.submit("--time=60"))[1]
        disturbances = {0: ["scontrol", "requeue", f"{job}_0"],                      # as by preemption: SIGTERM, then the queue
                        1: ["scancel", f"{job}_1"],                                  # by the user: it stays out
                        2: ["scancel", "--signal=USR1", "--batch", f"{job}_2"]}      # as two minutes before the end of the time
        for index, words in disturbances.items():
            self.wait_until_it_trains(index)
            self.call(*words)
        self.wait_for_all()
        missing = self.start(*GRID, "--collect")
        self.assertEqual(missing.returncode, 5, missing.stderr)
        self.assertEqual(missing.stdout.split("missing: ")[1].split("\n", 1), ["1 of 4 runs", f"   1  {LABELS[1]}  interrupted\n"])
        logs = self.logs()
        for index in (0, 2):
            self.assert_goes_on(index, "interrupted after step")

        self.submit("--time=60")
        self.wait_for_all()
        self.assert_goes_on(1, "interrupted after step")
        again = self.logs()
        self.assertEqual([index for index in again if again[index] != logs[index]], [1])
        self.run_ok(*GRID, "--collect")
        whole, swept = (self.rows(way) for way in ("local", "runs"))
        self.assertEqual(swept, whole)
        for label in LABELS:
            folders = [self.folder / way / "smoke" / label for way in ("local", "runs")]
            self.assertEqual(*((folder / "model.safetensors").read_bytes() for folder in folders))
            self.assertEqual(deterministic(self.trace(label, way="local")), deterministic(self.trace(label)))
        self.assertIn("all runs have ended", self.submit())
        self.assertEqual(self.queue(), [])

    def test_a_member_of_a_population_that_is_requeued_is_waited_for(self):
        words = ("--set", "tuner={name: constant}", "--set", "train={epochs: 200, population: {members: 3, interval: 80}}")
        self.run_ok(*words, "--output", "local")
        submitted = self.call(str(ROOT / "scripts/sweep_slurm.sh"), "smoke.yaml", "--members", "--time=60", "--", *words)
        job = re.search(r"Submitted batch job (\d+)", submitted)[1]
        self.wait_for("a turn", (self.folder / "runs/smoke/turns/2/member=1.json").exists)
        self.call("scontrol", "requeue", f"{job}_1")
        self.wait_for_all()
        for m in range(3):
            traces = [deterministic(self.trace(f"member={m}", way=way)) for way in ("local", "runs")]
            self.assertEqual(*traces)
        events = [json.loads((self.folder / way / "smoke/population.json").read_text())["events"] for way in ("local", "runs")]
        self.assertEqual(*events)
        self.assertIn("all runs have ended", self.call(str(ROOT / "scripts/sweep_slurm.sh"), "smoke.yaml", "--members", "--", *words))

    def trace(self, label, way="runs"):
        return self.json("..", way, "smoke", label, "trace.json")

    def rows(self, way):
        rows = self.json("..", way, "smoke", "grid.json")["runs"]
        return [{key: value for key, value in row.items() if key != "wall_seconds"} for row in rows]

    def test_a_node_that_is_lost_gives_its_task_back(self):
        self.submit("--time=60", "--array=0")
        self.wait_until_it_trains(0)
        node = self.call("squeue", "--noheader", "--states=RUNNING", "--format=%N").strip()
        self.call("scontrol", "update", f"nodename={node}", "state=down", "reason=lost")
        self.wait_for_all()
        self.assert_goes_on(0, "DUE TO NODE FAILURE")
        self.assertEqual(self.json("smoke", LABELS[0], "summary.json")["status"], "finished")

    def test_a_task_that_is_preempted_goes_on_afterwards_also_where_preemption_cancels(self):
        for index, partition in ((0, "all"), (1, "cheap")):
            self.submit("--time=60", f"--partition={partition}", f"--array={index}")
            self.wait_until_it_trains(index)
            self.call("sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap", "sleep 1")
            self.wait_for_all()
            self.assert_goes_on(index, "interrupted after step")
            self.assertEqual(self.json("smoke", LABELS[index], "summary.json")["status"], "finished")

    def test_a_task_trains_with_the_threads_that_it_is_given_unless_told_how_many(self):
        smoke = self.folder / "smoke.yaml"
        self.submit("--cpus-per-task=2", "--jobs=1", "--array=0")
        self.wait_for_all()
        smoke.write_text(smoke.read_text().replace("threads: 1", "threads: 0"))
        self.submit("--cpus-per-task=2", "--array=3")
        self.wait_for_all()
        threads = [(self.folder / "runs/smoke" / LABELS[index] / "config.yaml").read_text() for index in (0, 3)]
        self.assertIn("\nthreads: 1\n", threads[0])
        self.assertIn("\nthreads: 2\n", threads[1])

    def test_the_sandbox_ends_whole_and_with_its_commands_exit_code(self):
        script = str(ROOT / "scripts/slurm_sandbox.sh")
        result = subprocess.run([script, "--nodes", "1", "bash", "-c", "sbatch --quiet --wrap 'sleep 1000'; echo $SLURM_CONF; sleep 1; exit 7"],
                                cwd=self.folder, capture_output=True, text=True, timeout=patience(60))
        self.assertEqual(result.returncode, 7, result.stderr)
        folder = pathlib.Path(result.stdout.strip()).parent
        self.assertFalse(folder.exists())
        left = subprocess.run(["pgrep", "--full", "--list-full", str(folder)], capture_output=True, text=True).stdout
        self.assertEqual(left, "")


if __name__ == "__main__":
    unittest.main()
