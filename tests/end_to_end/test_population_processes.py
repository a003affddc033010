"""Members of a population as processes of their own: as in one process, whatever becomes of some of them."""

import json
import os
import random
import signal
import subprocess
import time
import unittest

import jsonschema

from apo_train import ROOT, ApoTrainTest, deterministic, patience

POPULATION = """
name: pop
dataset: {name: synthetic, train_examples: 200, test_examples: 50, batch_size: 50, height: 8, width: 8}
model: {name: mlp, hidden: [16]}
optimizer: {name: rmsprop, learning_rate: 0.001}
tuner: {name: constant}
train: {epochs: 60, evaluate_every: 20, average: {half_life: 0.1}, population: {members: 4, interval: 25}}
threads: 1
"""
MEMBERS = 4
LOST = 6
# Kills at random moments; more by hand.
KILLS = int(os.environ.get("APO_MEMBER_KILLS", 6))


class Members(ApoTrainTest):
    def setUp(self):
        super().setUp()
        self.write("pop.yaml", POPULATION)

    def words(self, member, *words):
        return self.command("--member", str(member), "--progress", "off", *words, config="pop.yaml")

    def begin(self, member, *words):
        process = subprocess.Popen(self.words(member, *words), cwd=self.folder, env=self.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def ended(self, processes):
        """Their exit codes and what they said."""
        said = [process.communicate(timeout=patience(60)) for process in processes]
        return [process.returncode for process in processes], said

    def all_end(self, *words, members=range(MEMBERS)):
        codes, said = self.ended([self.begin(m, *words) for m in members])
        self.assertEqual(set(codes), {0}, said)
        return said

    def whole(self, *words):
        """The same in one process."""
        return self.run_ok("--set", "name=whole", *words, config="pop.yaml")

    def assert_same(self, run="pop", other="whole", members=range(MEMBERS)):
        for m in members:
            traces = [deterministic(self.trace(name, f"member={m}")) for name in (run, other)]
            self.assertEqual(*traces)
            for file in ("model.safetensors", "model_average.safetensors"):
                self.assertEqual(*((self.folder / "runs" / name / f"member={m}" / file).read_bytes() for name in (run, other)))
        self.assertEqual(*(without_clock(self.json(name, "population.json")) for name in (run, other)))
        self.assertEqual(*(without_clock(self.json(name, "summary.json")) for name in (run, other)))

    def wait_for(self, path, process):
        end = time.monotonic() + patience(60)
        while not (self.folder / "runs" / path).exists():
            self.assertIsNone(process.poll(), "has ended")
            self.assertLess(time.monotonic(), end, f"no {path}")
            time.sleep(0.01)


def without_clock(content):
    """Of a population.json or a summary.json."""
    if isinstance(content, dict):
        clock = ("wall_seconds", "steps_per_second", "peak_memory_bytes", "meta_share", "name")
        return {key: without_clock(value) for key, value in content.items() if key not in clock}
    return [without_clock(value) for value in content] if isinstance(content, list) else content


class Alike(Members):
    def test_nobody_lost_they_end_as_in_one_process(self):
        said = self.all_end()
        self.whole()
        self.assert_same()
        population = self.json("pop", "population.json")
        jsonschema.validate(population, json.loads((ROOT / "docs/schema/population.schema.json").read_text()))
        self.assertGreater(len(population["events"]), 4)
        self.assertEqual(sum("best by" in out for out, _ in said), 1)  # the last to end
        self.assertEqual(len(self.report("pop")["runs"]), MEMBERS)
        # Who is through says so; the table can be had again.
        self.assertIn("finished already", self.run_ok("--member", "2", "--resume", config="pop.yaml").stderr)
        self.assertIn("best by", self.run_ok("--collect", config="pop.yaml").stdout)
        self.assert_same()

    def test_killed_at_random_moments_and_started_again_they_end_the_same(self):
        draw = random.Random(3)
        processes = [self.begin(m) for m in range(MEMBERS)]
        begun = self.folder / "runs/pop/turns/0"
        for kill in range(KILLS):
            time.sleep(draw.uniform(0, 0.6) if begun.exists() else 0.3)
            m = draw.randrange(MEMBERS)
            processes[m].kill()
            processes[m].communicate()
            processes[m] = self.begin(m, "--resume")
        codes, said = self.ended(processes)
        self.assertEqual(set(codes), {0}, said)
        self.whole()
        self.assert_same()

    def test_a_signal_saves_while_a_member_waits_for_others_and_it_goes_on(self):
        waiting = self.begin(1)
        self.wait_for("pop/turns/0/member=1.json", waiting)
        waiting.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        (code,), _ = self.ended([waiting])
        self.assertEqual(code, 128 + signal.SIGTERM)
        self.assertLess(time.monotonic() - begin, patience(5))
        self.assertEqual(self.json("pop", "member=1", "summary.json")["status"], "interrupted")
        self.all_end("--resume")
        self.whole()
        self.assert_same()

    def test_states_that_nobody_needs_any_more_go(self):
        self.all_end("--set", "train.keep_checkpoints=1")
        for m in range(MEMBERS):
            states = list((self.folder / f"runs/pop/member={m}/checkpoints").glob("step-*.safetensors"))
            self.assertLessEqual(len(states), 3)  # the end, and the last two turns


class Lost(Members):
    def test_one_that_never_starts_is_left_out_after_a_while_and_the_end_says_so(self):
        processes = [self.begin(m, "--set", "train.population.patience=1") for m in (0, 1, 3)]
        codes, said = self.ended(processes)
        self.assertEqual(codes, [0, 0, 0], said)
        for _, err in said:
            self.assertIn("turn 0: member=2 is lost", err)
        population = self.json("pop", "population.json")
        jsonschema.validate(population, json.loads((ROOT / "docs/schema/population.schema.json").read_text()))
        self.assertEqual(population["lost"], [{"member": 2, "turn": 0}])
        self.assertEqual({run["values"]["member"] for run in population["runs"]}, {0, 1, 3})
        self.assertFalse(any(2 in (event["member"], event["from"]) for event in population["events"]))
        self.assertEqual(len(population["events"]), 9)  # at the ends of turns but the last
        collected = self.start("--collect", config="pop.yaml")
        self.assertEqual(collected.returncode, 5)
        self.assertIn("lost: 1 of 4 members\n   2  member=2  since turn 0", collected.stdout)
        late = self.assert_late(2)
        self.assertIn("from turn 0 on", late)
        self.assertFalse((self.folder / "runs/pop/member=2").exists())

    def assert_late(self, member):
        (code,), ((_, err),) = self.ended([self.begin(member, "--resume")])
        self.assertEqual(code, LOST, err)
        self.assertEqual(len(err.splitlines()), 1)
        return err

    def test_one_that_stops_on_the_way_is_left_out_by_all_from_the_same_turn_on(self):
        words = ("--set", "train.population.patience=1.5")
        processes = [self.begin(m, *words) for m in range(MEMBERS)]
        self.wait_for("pop/turns/2/member=3.json", processes[3])
        processes[3].send_signal(signal.SIGSTOP)
        codes, said = self.ended(processes[:3])
        self.assertEqual(codes, [0, 0, 0], said)
        (lost,) = self.json("pop", "population.json")["lost"]
        self.assertEqual(lost["member"], 3)
        self.assertGreaterEqual(lost["turn"], 2)
        for _, err in said:
            self.assertIn(f"turn {lost['turn']}: member=3 is lost", err)
        newest = max((self.folder / "runs/pop/member=3/checkpoints").glob("step-*.json"))
        processes[3].send_signal(signal.SIGCONT)
        (code,), ((_, err),) = self.ended(processes[3:])
        self.assertEqual(code, LOST, err)
        self.assertIn("gone on without it", err)
        self.assertTrue(newest.exists())
        self.assert_late(3)

    def test_what_is_missing_is_listed(self):
        self.assert_fails(3, "--collect", config="pop.yaml", says=["runs/pop", "no member"])
        one = self.begin(0, "--set", "train={epochs: 5, population: {members: 4, interval: 25}}")
        (code,), said = self.ended([one])  # one turn: it need not wait
        self.assertEqual(code, 0, said)
        result = self.start("--collect", "--set", "train={epochs: 5, population: {members: 4, interval: 25}}", config="pop.yaml")
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertIn("missing: 3 of 4 members\n   1  member=1  not started\n", result.stdout)
        self.assertFalse((self.folder / "runs/pop/summary.json").exists())


class Refused(Members):
    def test_members_of_another_configuration_or_other_data(self):
        waiting = self.begin(0)
        self.wait_for("pop/turns/0/member=0.json", waiting)
        for words, says in ((("--set", "seed=1"), "seed = 1"), (("--set", "train.epochs=70"), "train.epochs = 70"),
                            (("--set", "train.population.interval=30"), "train.population.interval = 30")):
            self.assert_fails(2, "--member", "1", *words, config="pop.yaml", says=[says, "runs/pop", "was begun with"])
        self.assertFalse((self.folder / "runs/pop/member=1").exists())
        begun = self.folder / "runs/pop/turns/begun_with.json"
        content = json.loads(begun.read_text())
        for key, value, code, says in (("program", "0.0.9 abc", 2, "0.0.9 abc"), ("data", {**content["data"], "train_checksum": 7}, 3, "dataset")):
            begun.write_text(json.dumps({**content, key: value}))
            self.assert_fails(code, "--member", "1", config="pop.yaml", says=[says])
        self.assertFalse((self.folder / "runs/pop/member=1").exists())
        begun.write_text(json.dumps(content))
        self.assertIsNone(waiting.poll())

    def test_two_processes_of_one_member_and_a_population_in_one_process_beside_it(self):
        waiting = self.begin(0)
        self.wait_for("pop/turns/0/member=0.json", waiting)
        another = "another apo-train trains into it"
        self.assert_fails(2, "--member", "0", "--resume", config="pop.yaml", says=["runs/pop/member=0", another])
        self.assert_fails(2, "--member", "0", config="pop.yaml", says=["runs/pop/member=0", "--resume"])
        self.assert_fails(2, "--overwrite", config="pop.yaml", says=["runs/pop", another])
        self.assert_fails(2, "--resume", config="pop.yaml", says=["runs/pop"])
        waiting.kill()
        waiting.communicate()
        self.assert_fails(2, "--resume", config="pop.yaml", says=["runs/pop", "--member"])
        self.run_ok("--overwrite", "--set", "train.epochs=2", config="pop.yaml")
        self.assertFalse((self.folder / "runs/pop/turns").exists())
        self.assert_fails(2, "--member", "0", "--resume", config="pop.yaml", says=["runs/pop", "in one process"])

    def test_members_that_there_are_not(self):
        self.assert_fails(2, "--member", "4", config="pop.yaml", says=["--member 4", "< 4"])
        self.assert_fails(2, "--member", "0", says=["--member 0", "no population"])
        self.assert_fails(2, "--member", "0", "--set", "grid.seed=[0, 1]", config="pop.yaml", says=["--member", "--run-index"])
        self.assert_fails(2, "--member", "0", "--overwrite", config="pop.yaml", says=["--member", "--overwrite"])
        self.assertFalse((self.folder / "runs").exists())

    def test_a_population_of_a_grid_is_named_by_its_number(self):
        words = ("--set", "grid.seed=[0, 1]", "--set", "train.epochs=10", "--run-index", "1")
        self.all_end(*words)
        self.run_ok("--set", "grid.seed=[0, 1]", "--set", "train.epochs=10", "--run-index", "0", config="pop.yaml")
        self.run_ok("--set", "grid.seed=[0, 1]", "--set", "train.epochs=10", "--collect", config="pop.yaml")
        self.assertEqual([run["exit_code"] for run in self.json("pop", "grid.json")["runs"]], [0, 0])


if __name__ == "__main__":
    unittest.main()
