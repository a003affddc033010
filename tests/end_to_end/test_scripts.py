"""The smoke configurations and the scripts that users call."""

import subprocess
import unittest

from apo_train import BINARY, ROOT, ApoTrainTest, patience


class Scripts(ApoTrainTest):
    def script(self, *words):
        environment = {**self.environment(), "APO_TRAIN": str(BINARY)}
        return subprocess.run([ROOT / "scripts" / words[0], *words[1:]], cwd=self.folder, env=environment,
                              capture_output=True, text=True, timeout=patience(120))

    def test_every_smoke_configuration_trains(self):
        configs = sorted((ROOT / "configs/smoke").glob("*.yaml"))
        self.assertGreater(len(configs), 2)
        for config in configs:
            self.run_ok("--threads", "1", config=str(config))
            self.assertTrue(list((self.folder / "runs" / config.stem).rglob("summary.json")))

    def test_the_sweep_runs_every_lambda_and_compares_them(self):
        result = self.script("sweep_lambda.sh", "smoke.yaml", "0.1", "1e-3")
        self.assertEqual(result.returncode, 0, result.stderr)
        for value in ("0.1", "1e-3"):
            config = self.trace(f"smoke_lambda_{value}")["config"]
            self.assertEqual(config["tuner"]["lambda"], float(value))
            loss = self.json(f"smoke_lambda_{value}", "summary.json")["final"]["train"]["loss"]
            self.assertIn(format(loss, ".5g"), result.stdout)

    def test_a_sweep_goes_on_behind_a_failing_run(self):
        result = self.script("sweep_lambda.sh", "smoke.yaml", "-1", "1e-3")
        self.assertEqual(result.returncode, 5)
        self.assertEqual(self.json("smoke_lambda_1e-3", "summary.json")["status"], "finished")

    def test_a_figure_of_the_paper_is_reproduced_in_smoke_scale(self):
        self.assertIn("fig1ab", self.script("reproduce.sh", "list").stdout.split())
        runs = self.folder / "paper"
        result = self.script("reproduce.sh", "fig1ab", "--scale", "smoke", "--runs", str(runs), "--jobs", "2")
        self.assertEqual(result.returncode, 0, result.stderr)
        ended = {file.parent.name for file in runs.rglob("summary.json")}
        self.assertEqual(ended, {config.stem for config in (ROOT / "configs/paper/fig1ab").glob("*.yaml")})
        noted = {file.stem for file in runs.rglob("*.config")}  # with which configuration each was begun
        self.assertEqual(noted, ended)
        again = self.script("reproduce.sh", "fig1ab", "--scale", "smoke", "--runs", str(runs))
        self.assertEqual(again.stdout.count("kept"), len(ended))

    def test_a_grid_of_which_a_part_was_collected_has_not_ended(self):
        words = ("--set", "grid.seed=[0, 1]", "--progress", "off")
        ended = f'source {ROOT}/scripts/common.sh && ended runs/smoke'
        for index, code in (("0", 5), ("1", 0)):
            self.run_ok(*words, "--run-index", index)
            self.assertEqual(self.start(*words, "--collect").returncode, code)
            self.assertEqual(subprocess.run(["bash", "-c", ended], cwd=self.folder).returncode == 0, code == 0)

    def test_an_unknown_figure_is_an_error_that_names_the_known_ones(self):
        result = self.script("reproduce.sh", "fig99")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("fig2ab", result.stderr)

    def test_limits_of_nested_control_groups_are_seen(self):
        for line, base, name in (("0::/slurm/job_7", "", "memory.max"),
                                 ("4:cpu,memory:/slurm/job_7", "memory/", "memory.limit_in_bytes")):
            root = self.folder / name
            self.write(f"{name}/proc/self/cgroup", "1:name=systemd:/elsewhere\n" + line + "\n")
            for group, limit in (("", "max"), ("slurm/", "1"), ("slurm/job_7/", "2"), ("slurm/job_8/", "3")):
                self.write(f"{name}/sys/fs/cgroup/{base}{group}{name}", limit + "\n")
            limits = subprocess.run(
                ["bash", "-euc", 'source "$0"; group_limits memory memory.limit_in_bytes memory.max "$1"',
                 ROOT / "scripts/common.sh", root], capture_output=True, text=True)
            self.assertEqual(limits.stdout.split(), ["2", "1", "max"], limits.stderr)


if __name__ == "__main__":
    unittest.main()
