"""The tuners that APO is compared with, from the command line to their files."""

import json
import signal
import subprocess
import time
import unittest

import jsonschema

from apo_train import ROOT, ApoTrainTest, deterministic, patience

PBT = ("--set", "tuner.name=constant", "--set", "train.population={members: 4, interval: 2}")

SMD = ("--set", "tuner.name=constant", "--set", "optimizer.name=smd")


def schema(name):
    return json.loads((ROOT / "docs/schema" / f"{name}.schema.json").read_text())


def without_clock(population):
    runs = [{key: value for key, value in run.items() if key != "wall_seconds"} for run in population["runs"]]
    return {**population, "runs": runs}


class Gradients(ApoTrainTest):
    def test_hypergradient_moves_the_rate_of_every_optimizer_and_matches_the_schemas(self):
        for optimizer in ("sgd", "sgdm", "rmsprop", "adam"):
            for form in ("additive", "multiplicative"):
                name = f"{optimizer}_{form}"
                self.run_ok("--set", f"optimizer.name={optimizer}", "--set", "optimizer.learning_rate=0.001",
                            "--set", f"tuner={{name: hypergradient, form: {form}, rate: 1e-5}}",
                            "--set", f"name={name}")
                trace = self.trace(name)
                jsonschema.validate(trace, schema("trace"))
                rates = trace["steps"]["learning_rate"]
                self.assertEqual(rates[0], 0.001)
                self.assertEqual(len(set(rates)), len(rates))

    def test_the_default_rate_of_hypergradient_depends_on_its_form(self):
        for form, rate in (("additive", "0.001"), ("multiplicative", "0.02")):
            printed = self.run_ok("--print-config", "--set", f"tuner={{name: hypergradient, form: {form}}}").stdout
            self.assertIn(f"  rate: {rate}", printed)

    def test_smd_adapts_gains_and_matches_the_schemas(self):
        self.run_ok(*SMD)
        trace = self.trace("smoke")
        jsonschema.validate(trace, schema("trace"))
        self.assertGreater(len(set(trace["steps"]["learning_rate"])), 10)

    def test_smd_leaves_batch_statistics_alone(self):
        resnet = ("--set", "dataset={name: synthetic, channels: 3, height: 8, width: 8, train_examples: 60, "
                  "test_examples: 40, batch_size: 20}", "--set", "model={name: resnet18, width: 2}",
                  "--set", "optimizer.learning_rate=0.0625")  # a float32 as it stands
        self.run_ok("--output", "runs/s", *resnet, *SMD, "--set", "optimizer.meta_rate=0")
        self.run_ok("--output", "runs/c", *resnet, "--set", "tuner.name=constant")
        self.assertEqual(self.trace("s", "smoke")["epochs"]["test_loss"],
                         self.trace("c", "smoke")["epochs"]["test_loss"])

    def test_the_tuner_smd_of_older_configurations_is_the_optimizer(self):
        said = self.run_ok("--print-config", "--set", "tuner={name: smd, meta_rate: 5, decay: 0.5}")
        optimizer = (*SMD, "--set", "optimizer.meta_rate=5", "--set", "optimizer.decay=0.5")
        self.assertEqual(said.stdout, self.run_ok("--print-config", *optimizer).stdout)
        for word in ("tuner.name = smd has moved", "optimizer.name = smd", "optimizer.meta_rate for tuner.meta_rate"):
            self.assertIn(word, said.stderr)
        for optimizer in ("sgdm", "adam", "kfac"):
            self.assert_fails(2, "--set", "tuner={name: smd}", "--set", f"optimizer.name={optimizer}",
                              says=[f"optimizer.name = '{optimizer}'", "smd", "accepted: sgd"])

    def test_options_are_checked(self):
        self.assert_fails(2, "--set", "tuner={name: hypergradient, form: fast}", says=["additive", "multiplicative"])
        self.assert_fails(2, "--set", "optimizer.name=smd", says=["tuner.name = 'apo'", "smd", "accepted: constant"])
        self.assert_fails(2, *SMD, "--set", "train.population.members=2", says=["train.population.members = 2", "smd"])
        self.assert_fails(2, *SMD, "--set", "optimizer.floor=1", says=["optimizer.floor = 1", "< 1"])
        self.assert_fails(2, *SMD, "--set", "optimizer.decay=1.5", says=["optimizer.decay = 1.5", "<= 1"])


class Population(ApoTrainTest):
    def population(self, *parts):
        return self.json(*parts, "population.json")

    def test_writes_a_run_for_each_member_and_what_happened_between_them(self):
        said = self.run_ok(*PBT).stdout
        population = self.population("smoke")
        jsonschema.validate(population, schema("population"))
        jsonschema.validate(self.json("smoke", "summary.json"), schema("summary"))
        self.assertEqual([event["step"] for event in population["events"]], [2, 4, 6, 8, 10])
        losses = [run["train_loss"] for run in population["runs"]]
        self.assertEqual(losses, sorted(losses))
        for run in population["runs"]:
            trace = self.trace("smoke", run["folder"])
            jsonschema.validate(trace, schema("trace"))
            jsonschema.validate(self.json("smoke", run["folder"], "summary.json"), schema("summary"))
            self.assertEqual(trace["steps"]["step"], list(range(12)))
            self.assertEqual(trace["steps"]["learning_rate"][0], run["values"]["initial_learning_rate"])
            self.assertTrue((self.folder / "runs/smoke" / run["folder"] / "log.txt").read_text())
        self.assertIn("best by final training loss: " + population["runs"][0]["label"], said)
        self.assertIn("population.json", said)

    def test_the_folders_summary_is_its_best_members_with_everyones_time(self):
        self.run_ok(*PBT)
        summary, population = self.json("smoke", "summary.json"), self.population("smoke")
        self.assertEqual(summary["final"]["train"]["loss"], population["runs"][0]["train_loss"])
        self.assertAlmostEqual(summary["wall_seconds"], sum(run["wall_seconds"] for run in population["runs"]))

    def test_events_are_in_the_traces(self):
        self.run_ok(*PBT)
        for event in self.population("smoke")["events"]:
            rates = self.trace("smoke", f"member={event['member']}")["steps"]["learning_rate"]
            source = self.trace("smoke", f"member={event['from']}")["steps"]["learning_rate"]
            self.assertEqual(rates[event["step"] - 1], event["old_learning_rate"])
            self.assertEqual(rates[event["step"]], event["new_learning_rate"])
            factor = event["new_learning_rate"] / source[event["step"] - 1]
            self.assertLess(min(abs(factor - 0.8), abs(factor - 1.2)), 1e-12)

    def test_members_that_train_at_a_time_end_as_in_turns(self):
        self.run_ok(*PBT, "--output", "runs/a")
        self.run_ok(*PBT, "--output", "runs/b", "--jobs", "3")
        self.assertEqual(without_clock(self.population("a", "smoke")), without_clock(self.population("b", "smoke")))

    def test_the_same_seed_repeats_it_and_the_members_differ(self):
        self.run_ok(*PBT, "--output", "runs/a")
        self.run_ok("--output", "runs/b", config="runs/a/smoke/config.yaml")
        self.assertEqual(without_clock(self.population("a", "smoke")), without_clock(self.population("b", "smoke")))
        traces = [deterministic(self.trace(run, "smoke", "member=1")) for run in "ab"]
        self.assertEqual(traces[0], traces[1])
        first_losses = {self.trace("a", "smoke", f"member={m}")["steps"]["loss"][0] for m in range(4)}
        self.assertEqual(len(first_losses), 4)

    def test_a_member_that_diverges_late_is_a_failure_of_one(self):
        result = self.start("--set", "tuner.name=constant",
                            "--set", "train.population={members: 2, interval: 12, initial_range: [1e30, 1e30]}")
        self.assertEqual(result.returncode, 5, result.stderr)
        runs = self.population("smoke")["runs"]
        self.assertEqual([run["status"] for run in runs], ["diverged"] * 2)
        self.assertEqual([run["exit_code"] for run in runs], [4, 4])

    def test_an_existing_population_is_replaced_only_by_overwrite_and_wholly(self):
        self.run_ok(*PBT)
        self.assert_fails(2, *PBT, says=["runs/smoke", "--overwrite"])
        self.run_ok(*PBT, "--set", "train.population.members=3", "--overwrite")
        self.assertFalse((self.folder / "runs/smoke/member=3").exists())
        self.assertEqual(len(self.population("smoke")["runs"]), 3)

    def test_a_single_run_in_its_place_leaves_no_members(self):
        self.run_ok(*PBT)
        self.write("runs/smoke/member=1/notes.txt", "mine")
        self.run_ok("--overwrite")
        left = [path.relative_to(self.folder / "runs/smoke") for path in (self.folder / "runs/smoke").glob("member=*/**/*")]
        self.assertEqual([str(path) for path in left], ["member=1/notes.txt"])
        self.assertFalse((self.folder / "runs/smoke/population.json").exists())
        self.assertEqual(self.json("smoke", "summary.json")["status"], "finished")

    def test_a_grid_of_populations_is_ranked_by_their_best_members(self):
        self.run_ok(*PBT, "--set", "grid={seed: [0, 1]}")
        for run in self.json("smoke", "grid.json")["runs"]:
            best = self.population("smoke", run["folder"])["runs"][0]
            self.assertEqual(run["train_loss"], best["train_loss"])

    def test_a_signal_ends_all_members_with_whole_traces(self):
        process = subprocess.Popen(
            self.command("--set", *PBT[1:], "--set", "train.population.interval=50", "--set", "train.epochs=100000"),
            cwd=self.folder, env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lines = self.folder / "runs/smoke/member=3/trace.jsonl"
        deadline = time.monotonic() + patience(60)
        while not (lines.exists() and lines.read_text().count("\n") > 200):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=patience(60)), 128 + signal.SIGTERM)
        self.assertEqual({run["status"] for run in self.population("smoke")["runs"]}, {"interrupted"})
        jsonschema.validate(self.population("smoke"), schema("population"))

    def test_the_tuner_pbt_of_older_configurations_is_a_population(self):
        said = self.run_ok("--print-config", "--set", "tuner={name: pbt, interval: 2}")
        self.assertEqual(said.stdout, self.run_ok("--print-config", *PBT).stdout)
        for word in ("tuner.name = pbt has moved", "train.population.interval for tuner.interval"):
            self.assertIn(word, said.stderr)
        self.run_ok("--set", "tuner={name: pbt, interval: 2}", "--set", "grid={tuner.population: [1, 2]}")
        runs = self.json("smoke", "grid.json")["runs"]
        self.assertEqual({run["values"]["train.population.members"] for run in runs}, {1, 2})

    def test_the_members_may_be_tuned(self):
        self.run_ok("--set", "train.population={members: 3, interval: 4}")
        for event in self.population("smoke")["events"]:
            trace = self.trace("smoke", f"member={event['member']}")
            self.assertNotEqual(trace["steps"]["learning_rate"][event["step"]], event["new_learning_rate"])  # a meta step

    def test_dry_run_counts_the_members(self):
        self.assertIn("population   4 runs", self.run_ok("--dry-run", *PBT).stdout)

    def test_options_are_checked(self):
        self.assert_fails(2, "--set", "train.population.members=0", says=["train.population.members = 0", ">= 1"])
        self.assert_fails(2, "--set", "train.population.initial_range=[1, 0.1]", says=["lower <= upper"])
        self.assert_fails(2, "--set", "train.population.factors=0.8", says=["[lower, upper]"])
        self.assert_fails(2, *PBT, "--set", "train.on_divergence=rollback", says=["train.on_divergence", "population"])
        self.assert_fails(2, *PBT, "--set", "optimizer.learning_rate=auto", says=["optimizer.learning_rate"])


if __name__ == "__main__":
    unittest.main()
