"""Options, configuration errors and exit codes."""

import gzip
import re
import unittest

from apo_train import ROOT, ApoTrainTest


def seconds_of(what, said):
    """An estimate of --dry-run."""
    number, unit = re.search(rf"^ +{what} +about ([\d.]+) (s|min|h)\b", said, re.MULTILINE).groups()
    return float(number) * {"s": 1, "min": 60, "h": 3600}[unit]


class CommandLine(ApoTrainTest):
    def test_help_and_version_answer(self):
        self.assertIn("--config", self.run_ok("--help", config=None).stdout)
        self.assertIn("LibTorch", self.run_ok("--version", config=None).stdout)

    def test_list_names_every_family(self):
        listing = self.run_ok("--list", config=None).stdout
        for name in ("fashion_mnist", "cifar100", "svhn", "synthetic", "resnet34", "rmsprop", "adam",
                     "step_decay", "hypergradient", "smd", "population", "squared_euclidean", "momentum", "lambda"):
            self.assertIn(name, listing)

    def test_lists_of_values_are_told_where_keys_are_looked_for(self):
        for question in ("--list", "--list-markdown"):
            self.assertIn("grid: {optimizer.name: [sgd, adam], seed: [0, 1, 2]}",
                          self.run_ok(question, config=None).stdout)
        self.assertEqual(len(self.run_ok("--list-runs", "--set", "grid={optimizer.name: [sgd, adam], seed: [0, 1, 2]}")
                             .stdout.splitlines()), 6)

    def test_the_configuration_reference_is_what_the_program_accepts(self):
        self.assertEqual((ROOT / "docs/config.md").read_text(), self.run_ok("--list-markdown", config=None).stdout)

    def test_every_configuration_of_the_project_is_valid(self):
        configs = list((ROOT / "configs").rglob("*.yaml"))
        self.assertGreater(len(configs), 8)
        for config in configs:
            self.run_ok("--list-runs", config=str(config))

    def test_the_printed_configuration_reads_back_as_itself(self):
        printed = self.run_ok("--print-config").stdout
        self.write("again.yaml", printed)
        self.assertEqual(self.run_ok("--print-config", config="again.yaml").stdout, printed)

    def test_dry_run_says_what_a_run_needs_and_writes_nothing(self):
        before = sorted(self.folder.rglob("*"))
        said = self.run_ok("--dry-run").stdout
        for word in ("parameters", "memory", "meta step", "training"):
            self.assertIn(word, said)
        self.assertEqual(sorted(self.folder.rglob("*")), before)

    def test_dry_run_counts_the_meta_steps_that_a_run_takes(self):
        for tuner in ("{name: movement}", "{name: movement, interval: 7, freeze_after: 0.6}", "{name: apo, interval: 4}", "{name: apo, solver: exact}"):
            settings = ("--set", f"tuner={tuner}", "--set", "train={steps: 230}", "--overwrite")
            said = self.run_ok("--dry-run", *settings[:-1]).stdout
            self.run_ok(*settings)
            self.assertEqual(int(re.search(r"meta step .*, (\d+) times", said)[1]), len(self.json("smoke", "trace.json")["meta"]["step"]), tuner)

    def test_dry_run_estimates_the_time_of_training(self):
        for interval in (2, 1000):
            settings = ("--set", "optimizer.learning_rate=auto", "--set", f"tuner.interval={interval}",
                        "--set", "train={epochs: 500, evaluate_every: 100}")
            estimated = seconds_of("training", self.run_ok("--dry-run", *settings).stdout)
            self.run_ok("--overwrite", *settings)
            took = self.json("smoke", "summary.json")["wall_seconds"]
            self.assertLess(max(estimated / took, took / estimated), 3, (estimated, took))

    def test_dry_run_of_a_grid_tells_all_runs_in_rounds_of_jobs(self):
        for jobs, rounds in ((1, 3), (2, 2)):
            said = self.run_ok("--dry-run", "--set", "grid={seed: [1, 2, 3]}", "--jobs", str(jobs),
                               "--set", "train={epochs: 2000}").stdout
            one = seconds_of("training", said) + seconds_of("evaluation", said)
            self.assertAlmostEqual(seconds_of("grid", said) / (rounds * one), 1, delta=0.1)

    def test_dry_run_counts_the_memory_of_every_member(self):
        def memory(members):
            said = self.run_ok("--dry-run", "--set", f"train.population.members={members}",
                               "--set", "model={name: mlp, hidden: [1000, 1000]}").stdout
            return int(re.search(r"memory +(\d+) MiB", said)[1])
        parameters = 4 * (64 * 1000 + 1000 * 1000 + 1000 * 10) / 2**20  # in MiB
        self.assertGreater(memory(22) - memory(2), 15 * parameters)

    def test_a_bare_name_is_found_in_the_projects_configs(self):
        result = self.run_ok("--print-config", config="cifar10_resnet34_sgd_apo.yaml")
        self.assertIn("resnet34", result.stdout)
        self.assertIn("configs/cifar10_resnet34_sgd_apo.yaml", result.stderr)

    def test_a_report_shows_any_runs(self):
        self.run_ok("--set", "name=a")
        self.run_ok("--set", "name=b", "--set", "tuner.lambda=[0.1, 0.001]")
        said = self.run_ok("--report", "runs/report.html", "A=runs/a", "runs/b", config=None).stdout
        self.assertIn("3 runs", said)
        self.assertEqual({run["label"] for run in self.report()["runs"]},
                         {"A", "b/tuner.lambda=0.1", "b/tuner.lambda=0.001"})
        self.assert_fails(2, "--report", "runs/report.html", "runs", config=None, says=["runs", "no folder of a run"])

    def test_a_run_folder_is_not_replaced_without_overwrite(self):
        self.run_ok()
        self.assert_fails(2, says=["runs/smoke", "--overwrite"])
        self.run_ok("--overwrite")

    def test_a_failing_configuration_leaves_the_old_run(self):
        self.run_ok()
        self.assert_fails(2, "--overwrite", "--set", "train.epochs=-1")
        self.assertEqual(self.json("smoke", "summary.json")["status"], "finished")


class Errors(ApoTrainTest):
    def test_wrong_usage(self):
        self.assert_fails(2, "--outptu", "x", says=["--outptu", "did you mean", "--output"])
        self.assert_fails(2, config=None, says=["--config"])
        self.assert_fails(2, "--run-index", "7", says=["--run-index"])
        self.assert_fails(2, "--progress", "maybe", says=["auto", "on", "off"])

    def test_a_missing_configuration(self):
        self.assert_fails(2, config="nothing.yaml", says=["nothing.yaml"])

    def test_an_unknown_key_is_named_with_its_place_and_its_neighbour(self):
        self.write("typo.yaml", "name: x\noptimzer: {name: sgd}\n")
        self.assert_fails(2, config="typo.yaml",
                          says=["typo.yaml:2:1: unknown key 'optimzer'; did you mean 'optimizer'?"])

    def test_values_are_checked_alike_in_the_file_and_on_the_command_line(self):
        self.write("bad.yaml", "tuner:\n  name: apo\n  lambda: -0.1\n")
        self.assert_fails(2, config="bad.yaml", says=["bad.yaml:3:11: tuner.lambda = -0.1: must be >= 0"])
        self.assert_fails(2, "--set", "tuner.lambda=-0.1", says=["tuner.lambda = -0.1: must be >= 0"])
        self.assert_fails(2, "--set", "model.name=resnet5", says=["did you mean 'resnet18'?"])
        self.assert_fails(2, "--threads", "many", says=["threads"])
        self.assert_fails(2, "--device", "tpu", says=["device", "auto"])

    def test_a_name_cannot_leave_the_output_folder(self):
        for name in ("../x", "/tmp/x", "..", "a/b"):
            self.assert_fails(2, "--set", f"name={name}", says=["name"])

    def test_auto_needs_apo(self):
        self.assert_fails(2, "--set", "optimizer.learning_rate=auto", "--set", "tuner={name: constant}",
                          says=["optimizer.learning_rate", "apo"])

    def test_only_what_the_optimizer_has_can_be_tuned(self):
        self.assert_fails(2, "--set", "tuner.tune=[learning_rate, power]",
                          says=["tuner.tune", "sgd has no 'power'; accepted: learning_rate"])
        self.assert_fails(2, "--set", "tuner.tune=[learning_rat]", says=["did you mean 'learning_rate'?"])

    def test_bounds_must_hold_the_first_value_of_something_tuned(self):
        self.assert_fails(2, "--set", "tuner.bounds={learning_rate: [1e-8, 1e-6]}",
                          says=["tuner.bounds", "lies outside of [1e-08, 1e-06]"])
        self.assert_fails(2, "--set", "tuner.bounds={damping: [1, 2]}",
                          says=["tuner.bounds", "'damping' is not tuned; accepted: learning_rate"])

    def test_a_meta_optimizer_is_no_kfac(self):
        self.assert_fails(2, "--set", "tuner.meta_optimizer.name=kfac", says=["accepted: sgd, sgdm, rmsprop, adam"])

    def test_steps_and_epochs_exclude_each_other(self):
        self.write("both.yaml", "train: {epochs: 3, steps: 5}\n")
        self.assert_fails(2, config="both.yaml", says=["train", "either"])

    def test_a_member_chosen_on_the_command_line_leaves_out_the_files_keys_of_the_old_one(self):
        result = self.run_ok("--print-config", "--set", "tuner.name=constant", "--set", "train.steps=5")
        self.assertIn("tuner:\n  name: constant\n", result.stdout)
        self.assertIn("epochs: 0\n  steps: 5\n", result.stdout)
        self.assertIn("tuner.lambda, tuner.interval", result.stderr)
        self.assertIn("train.epochs", result.stderr)
        toy = self.run_ok("--print-config", "--set", "problem.name=rosenbrock", "--set", "train.steps=5")
        self.assertNotIn("dataset", toy.stdout)
        smoothed = ("--set", "problem.name=noisy_quadratic", "--set", "train.steps=5")
        self.write("smooth.yaml", "loss: {label_smoothing: 0.1}\ntrain: {epochs: 1}\n")
        self.assertIn("loss", self.run_ok("--print-config", *smoothed, config="smooth.yaml").stderr)

    def test_the_decoupled_weight_decay_of_older_configurations_is_a_form(self):
        for old, form in (("true", "decoupled"), ("false", "coupled")):
            self.write("old.yaml", "optimizer: {name: adam, weight_decay: 0.1, decoupled_weight_decay: %s}\ntrain: {epochs: 1}\n" % old)
            said = self.run_ok("--print-config", config="old.yaml")
            self.assertIn(f"weight_decay_form: {form}\n", said.stdout)
            self.assertNotIn("decoupled_weight_decay", said.stdout)
            self.assertIn(f"optimizer.decoupled_weight_decay = {old} has moved", said.stderr)
            self.assertIn(f"optimizer.weight_decay_form = {form}", said.stderr)
        self.write("both.yaml", "optimizer: {name: adam, decoupled_weight_decay: true, weight_decay_form: coupled}\ntrain: {epochs: 1}\n")
        self.assert_fails(2, config="both.yaml", says=["optimizer.weight_decay_form = 'coupled'", "accepted: decoupled"])

    def test_what_is_said_at_once_or_for_the_new_member_stays_an_error(self):
        self.assert_fails(2, "--set", "tuner.name=constant", "--set", "tuner.lambda=1", says=["unknown key 'lambda'"])
        self.write("wrong.yaml", "tuner: {name: constant, lambda: 1}\n")
        self.assert_fails(2, config="wrong.yaml", says=["wrong.yaml:1:25: unknown key 'lambda'"])
        self.write("typo.yaml", "tuner: {name: apo, lamda: 1}\ntrain: {epochs: 1}\n")
        self.assert_fails(2, "--set", "tuner.name=constant", config="typo.yaml", says=["unknown key 'lamda'"])

    def test_a_grid_over_members_leaves_out_keys_where_they_do_not_fit(self):
        self.write("grid.yaml", "optimizer: {name: sgdm, momentum: 0.8}\ntrain: {epochs: 1}\n"
                                "grid: {optimizer.name: [sgdm, sgd]}\n")
        first = self.run_ok("--print-config", "--run-index", "0", config="grid.yaml").stdout
        self.assertIn("momentum: 0.8", first)
        self.assertNotIn("momentum", self.run_ok("--print-config", "--run-index", "1", config="grid.yaml")
                         .stdout.split("optimizer:")[1].split("train:")[0])

    def test_a_list_for_one_value_is_told_the_grids_key(self):
        self.assert_fails(2, "--set", "optimizer.learning_rate=[0.1, 0.01]",
                          says=["for a grid: grid.optimizer.learning_rate=[…]"])

    def test_what_cannot_be_seen_in_a_file_is_named(self):
        self.write("tab.yaml", "optimizer:\n\tlearning_rate: 0.2\n")
        self.assert_fails(2, config="tab.yaml", says=["tab.yaml:2:1: a tab in the indentation"])
        self.write("space.yaml", "seed:\u00a03\n")
        self.assert_fails(2, config="space.yaml", says=["space.yaml:1:1: a no-break space (U+00A0)"])

    def test_numbers_that_are_none_are_told_so(self):
        self.assert_fails(2, "--set", "optimizer.learning_rate=inf", says=["must be a finite number > 0"])
        self.assert_fails(2, "--set", "tuner.lambda=nan", says=["must be a finite number >= 0"])
        self.run_ok("--list-runs", "--set", "optimizer.learning_rate=!!float 1e-3")

    def test_a_name_taken_from_the_file_says_so(self):
        self.write("my run.yaml", "train: {epochs: 1}\n")
        self.assert_fails(2, config="my run.yaml", says=["my run.yaml, whose name is the run's", "--set name="])

    def test_a_near_configuration_is_found_in_subfolders_and_for_other_extensions(self):
        self.write("configs/deep/er/mnist_special.yaml", "")
        self.assert_fails(2, config="MNIST_Special.yml", says=["did you mean 'configs/deep/er/mnist_special.yaml'?"])

    def test_a_matlab_7_3_file_is_named_with_the_way_out(self):
        header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + b"\0" * 384 + b"\x89HDF\r\n\x1a\n"
        for content in (header, header[:60], header[-8:] + b"\0" * 300):
            for part in ("train", "test"):
                self.write(f"svhn/{part}_32x32.mat", "").write_bytes(content)
            self.assert_fails(3, "--set", "dataset={name: svhn, root: .}", says=["MATLAB 7.3 (HDF5)", "-v7", "savemat"])

    def test_missing_data_says_where_it_looked_and_how_to_get_it(self):
        self.assert_fails(3, "--set", "dataset={name: mnist, root: nowhere}",
                          says=["train-images-idx3-ubyte", "nowhere", "download_data.sh"])

    def test_damaged_data_names_file_and_place(self):
        self.write("data/train-images-idx3-ubyte", "\0\0\x08\x01 and so on")
        for name in ("train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
            self.write(f"data/{name}", "")
        self.assert_fails(3, "--set", "dataset={name: mnist}", says=["train-images-idx3-ubyte", "magic"])
        (self.folder / "data/train-images-idx3-ubyte").unlink()
        (self.folder / "data/train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0" * 100)[:-12])
        self.assert_fails(3, "--set", "dataset={name: mnist}", says=["train-images-idx3-ubyte.gz"])

    def test_more_examples_than_there_are(self):
        self.assert_fails(3, "--set", "dataset={name: fashion_mnist, root: /usr/share/datasets, train_examples: 60001}",
                          says=["60001", "60000"])

    def test_an_unwritable_output(self):
        self.write("file", "")
        self.assert_fails(1, "--output", "file/runs", says=["file/runs"])


if __name__ == "__main__":
    unittest.main()
