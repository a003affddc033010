"""Options, configuration errors and exit codes."""

import gzip
import unittest

from apo_train import ROOT, ApoTrainTest


class CommandLine(ApoTrainTest):
    def test_help_and_version_answer(self):
        self.assertIn("--config", self.run_ok("--help", config=None).stdout)
        self.assertIn("LibTorch", self.run_ok("--version", config=None).stdout)

    def test_list_names_every_family(self):
        listing = self.run_ok("--list", config=None).stdout
        for name in ("fashion_mnist", "cifar100", "svhn", "synthetic", "resnet34", "rmsprop", "adam",
                     "step_decay", "hypergradient", "smd", "pbt", "squared_euclidean", "momentum", "lambda"):
            self.assertIn(name, listing)

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
        self.assert_fails(2, "--set", "tuner.meta_optimizer.name=kfac", says=["accepted: rmsprop, sgd, sgdm, adam"])

    def test_steps_and_epochs_exclude_each_other(self):
        self.assert_fails(2, "--set", "train.steps=5", says=["train", "either"])

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
