"""scripts/default: what a study consists of, what is run again, and its arithmetic against numbers computed by hand. Needs no matplotlib."""

import hashlib
import math
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from default import cells, choosing, easy, judge, knobs, page, picture, records, runner, tasks, timing
from default.arms import ARMS, FREE, OF_RULE, OURS, RATES, Arm, ours, reference

TASKS = [tasks.Task(name, "calibration", f"dataset: {{batch_size: 32, train_examples: 100}}\ntrain: {{epochs: {epochs}}}\n")
         for name, epochs in (("a", 3), ("b", 6))]
RULE = "sgdm"


def record(task, arm, setting, seed, loss, accuracy=0.5, **more):
    cell = cells.Cell(task, arm, setting, seed)
    return {cell.key: {"status": "finished", "loss": loss, "accuracy": accuracy, "seconds": 1.0, "meta_share": 0, "commit": "abc", "config": cell.config, **more}}


def search(task, arm, losses):
    """Of an arm's search: losses in the order of its settings."""
    return {key: value for setting, loss in zip(arm.settings, losses) for key, value in record(task, arm, setting, 0, loss).items()}


# Reference on a: best 0.2 at its third rate with seed 0, there 0.8 with seed 1: geometric mean 0.4. On b: 0.1 at its first, seed 0 alone.
REFERENCE, OWN = reference(RULE), ours(RULE)
KNOWN = {**search(TASKS[0], REFERENCE, (0.9, 0.5, 0.2, 0.3, None, 0.4)), **record(TASKS[0], REFERENCE, "1e-2", 1, 0.8),
         **search(TASKS[1], REFERENCE, (0.1, 0.2, 0.2, 0.2, 0.2, 0.2))}


class Tables(unittest.TestCase):
    def test_a_task_counts_its_steps_and_a_population_exchanges_eleven_times(self):
        self.assertEqual((TASKS[0].steps, TASKS[1].steps, TASKS[1].turn), (12, 24, 2))
        for task in tasks.all_tasks():
            self.assertGreaterEqual((task.steps - 1) // task.turn, 11, task.name)
        cell = cells.Cell(TASKS[1], ARMS["sgdm_pbt"], "", 0)
        self.assertIn("train.population.interval=2", cell.words)

    def test_the_halves_are_balanced_and_share_no_task(self):
        halves = {half: tasks.tasks(half) for half in tasks.HALVES}
        self.assertEqual([len(half) for half in halves.values()], [8, 8])
        for part in (lambda name: name.split("_")[0], lambda name: name.split("_")[2], lambda name: "resnet" in name):
            counts = [sorted(map(part, (task.name for task in half))) for half in halves.values()]
            self.assertEqual(*counts)
        self.assertEqual(len({task.name for task in tasks.all_tasks()}), 48)

    def test_the_page_names_every_task_with_its_batch_size(self):
        protocol = page.protocol()
        words = {"mnist": "MNIST", "fashion": "Fashion-MNIST", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "svhn": "SVHN", "mlp": "MLP", "cnn": "CNN", "resnet": "ResNet",
                 "bncnn": "CNN with BatchNorm", "resnet34": "ResNet-34",
                 "diabetes": "diabetes table", "autoencoder": "autoencoder", "licences": "licences", "transformer": "Transformer"}
        for task in tasks.all_tasks():
            data, model, batch = task.name.split("_")
            self.assertRegex(protocol, rf"\| {words[data]}, {words[model]}, {batch[1:]} \|", task.name)
            self.assertEqual(str(task.number("batch_size")), batch[1:])

    def test_ours_sets_the_name_and_what_the_table_says_and_every_grid_has_six_settings(self):
        self.assertEqual(OWN.settings, {"": ["optimizer.name=sgdm", *OURS]})
        for arm in (*(arm for arms in OF_RULE.values() for arm in arms), *FREE):
            self.assertIn(len(arm.settings), (1, 6), arm.name)
        self.assertEqual(list(REFERENCE.settings), list(RATES[RULE]))


class Cells(unittest.TestCase):
    def test_a_search_takes_place_with_one_seed_and_its_winner_has_the_others(self):
        self.assertEqual(len(cells.of({}, TASKS[0], REFERENCE, 0)), 6)
        self.assertEqual(cells.of({}, TASKS[0], REFERENCE, 1), [])
        self.assertEqual([cell.setting for cell in cells.of(KNOWN, TASKS[0], REFERENCE, 1)], ["1e-2"])
        self.assertEqual([cell.setting for cell in cells.of({}, TASKS[0], OWN, 3)], [""])

    def test_a_candidate_is_trained_on_the_calibration_half_alone(self):
        for arm in (arm for arm in ARMS.values() if "_try_" in arm.name):
            self.assertEqual([len(cells.of({}, tasks.tasks(group)[0], arm, 0)) for group in tasks.GROUPS], [group == "calibration" for group in tasks.GROUPS])

    def test_an_unfinished_search_has_no_winner_and_a_diverged_run_does_not_win(self):
        self.assertIsNone(cells.winner(search(TASKS[0], REFERENCE, (0.9, 0.5)), TASKS[0], REFERENCE))
        known = search(TASKS[0], REFERENCE, (0.9, 0.5, 0.2, 0.3, 0.4, 0.4))
        known["a/sgdm_decay/1e-2/0"]["status"] = "diverged"
        self.assertEqual(cells.winner(known, TASKS[0], REFERENCE), "3e-2")

    def test_a_record_counts_while_its_definition_is_what_it_was(self):
        cell = cells.Cell(TASKS[0], OWN, "", 0)
        known = record(TASKS[0], OWN, "", 0, 0.5, resolved="x")
        self.assertTrue(cells.recorded(known, cell, "x"))
        self.assertIsNone(cells.recorded(known, cell, "y"))
        changed = cell._replace(arm=OWN._replace(settings={"": [*OWN.settings[""], "tuner.lambda=1"]}))
        self.assertIsNone(cells.recorded(known, changed, "x"))
        longer = cell._replace(task=TASKS[0]._replace(text=TASKS[0].text.replace("3", "4")))
        self.assertIsNone(cells.recorded(known, longer, "x"))


class Arithmetic(unittest.TestCase):
    def test_geometric_means(self):
        self.assertAlmostEqual(judge.geometric_mean([1, 4, 16]), 4)
        self.assertEqual(judge.geometric_mean([1, math.inf]), math.inf)
        self.assertAlmostEqual(judge.reference_loss(KNOWN, TASKS[0], RULE), 0.4)

    def test_a_seed_of_the_reference_that_diverged_is_left_out_of_its_mean(self):
        known = KNOWN | record(TASKS[0], REFERENCE, "1e-2", 2, None, status="diverged")
        self.assertAlmostEqual(judge.reference_loss(known, TASKS[0], RULE), 0.4)
        alone = record(TASKS[0], REFERENCE, "1e-2", 0, None, status="diverged")
        self.assertIsNone(judge.reference_loss(alone, TASKS[0], RULE))

    def test_an_easy_problem_is_ruined_where_it_ends_far_above_its_best(self):
        for losses, is_ruined in (([1, 0.1, 0.3], True), ([1, 0.2, 0.39], False), ([1, 1e-6, 0.09], False), ([1, 0.1, None], True)):
            self.assertEqual(easy.is_ruined({"epochs": {"train_loss": losses}}), is_ruined)

    def test_ratios_are_those_of_the_searches_winner(self):
        found = judge.ratios(KNOWN, TASKS[0], REFERENCE, RULE)
        self.assertEqual(sorted(found), [0, 1])
        self.assertAlmostEqual(found[0], 0.5)
        self.assertAlmostEqual(found[1], 2)
        self.assertEqual(judge.ratios({}, TASKS[0], REFERENCE, RULE), {})

    def test_of_the_references_best_rates_ruined_runs_are_counted_where_there_are_several_seeds(self):
        self.assertEqual(judge.ruined_references(KNOWN, TASKS), (0, 2))  # 0.2 and 0.8 of 0.4
        known = KNOWN | record(TASKS[0], REFERENCE, "1e-2", 1, 1.0) | record(TASKS[0], REFERENCE, "1e-2", 2, 0.2)
        self.assertEqual(judge.ruined_references(known, TASKS), (1, 3))  # 1 of 0.342

    def test_a_best_rate_at_its_grids_edge_is_seen(self):
        self.assertEqual([judge.at_the_edge(task, REFERENCE, KNOWN) for task in TASKS], [False, True])

    def test_one_value_for_all_tasks_is_held_against_each_tasks_own_best(self):
        here = tasks.tasks("calibration")[:2]
        losses = {"1": (1.0, 2.0), "1e-1": (1.05, 0.5), "1e-2": (None, 0.65)}  # None: it diverged
        known = {}
        for value, of_task in losses.items():
            for task, loss in zip(here, of_task):
                known.update(record(task, ARMS["sgdm_paper"], f"λ {value}", 0, loss, status="finished" if loss else "diverged"))
        knob = knobs.LAMBDA._replace(places={value: knobs.LAMBDA.places[value] for value in losses})
        found = knobs.regrets(known, knob, "sgdm")
        self.assertEqual({value: tuple(of_task[task.name] for task in here) for value, of_task in found.items()},
                         {"1": (1.0, 4.0), "1e-1": (1.05, 1.0), "1e-2": (math.inf, 1.3)})
        self.assertEqual(knobs.of_one_value(known, knob, "sgdm"), ("1e-1", [1.05, 1.0]))
        self.assertEqual([knobs.near({value: found[value][task.name] for value in found}) for task in here], ["1 to 1e-1", "1e-1"])

    def test_a_standing_counted_by_hand(self):
        known = {**KNOWN, **record(TASKS[0], OWN, "", 0, 0.4, meta_share=0.1), **record(TASKS[0], OWN, "", 1, 0.9, meta_share=0.1),
                 **record(TASKS[1], OWN, "", 0, 0.4, meta_share=0.1)}
        found = judge.standing(known, TASKS, OWN, RULE)
        self.assertAlmostEqual(found.ratios["a"], 1.5)  # sqrt(1 · 2.25)
        self.assertAlmostEqual(found.ratios["b"], 4)
        self.assertAlmostEqual(found.mean, math.sqrt(6))
        self.assertEqual(found.worst, ("b", found.ratios["b"]))
        self.assertAlmostEqual(found.median, (found.ratios["a"] + found.ratios["b"]) / 2)
        self.assertEqual(len(found.by_seed), 1)  # only seed 0 is on both
        self.assertAlmostEqual(found.by_seed[0], 2)  # sqrt(1 · 4)
        self.assertEqual((found.ruined, found.runs), (2, 3))  # 2.25 and 4
        self.assertAlmostEqual(found.cost, 1 / 0.9)
        self.assertIsNone(found.accuracy)

    def test_a_search_is_charged_with_all_its_settings(self):
        found = judge.standing(KNOWN, TASKS, REFERENCE, RULE)
        self.assertEqual((found.cost, found.runs), (6, 13))
        self.assertAlmostEqual(found.mean, 1)
        self.assertEqual(found.ruined, 2)  # .9 is above twice .4, and one diverged
        self.assertAlmostEqual(found.unsearched, math.sqrt(0.45 / 0.4 * 0.2 / 0.1))  # the middle of 0.2 0.3 0.4 0.5 0.9 ∞, and of 0.1 0.2 …
        population = ARMS["sgdm_pbt"]
        self.assertEqual(judge.cost(record(TASKS[0], population, "", 0, 0.4), TASKS, population), 4)

    def test_accuracy_is_held_against_the_calibrated_nadamw(self):
        nadamw = ARMS["nadamw"]
        known = {**KNOWN, **record(TASKS[0], OWN, "", 0, 0.4, accuracy=0.75), **record(TASKS[0], nadamw, "1.908e-3", 0, 0.4, accuracy=0.5),
                 **record(TASKS[0], nadamw, "1.908e-3", 1, 0.4, accuracy=0.75)}
        self.assertAlmostEqual(judge.standing(known, TASKS, OWN, RULE).accuracy, 0.125)

    def test_a_missed_goal_is_bold_and_a_met_one_is_not(self):
        known = {**KNOWN, **record(TASKS[0], OWN, "", 0, 0.4), **record(TASKS[1], OWN, "", 0, 0.13)}
        found = {goal.what: goal for goal in judge.goals(known, TASKS, RULE)}
        self.assertEqual([goal.met for goal in found.values()], [False, False, True, True])  # sqrt(1.3), 1.3
        rows = page.goals_table(known, TASKS)
        self.assertIn("| ≤ 1.15 | **1.300 (b)** |", rows)
        self.assertIn("| 0 | 0 of 2 |", rows)

    def test_a_diverged_run_is_infinite_and_ruined(self):
        known = {**KNOWN, **record(TASKS[0], OWN, "", 0, None, status="diverged")}
        found = judge.standing(known, TASKS, OWN, RULE)
        self.assertEqual((found.mean, found.ruined), (math.inf, 1))
        self.assertIn("∞", page.standings_table([(OWN, found)]))


class Programs:
    """Trains nothing: a loss for each setting, and how often it was asked."""
    peer = None

    def __init__(self, refuses=()):
        self.calls, self.refuses = [], refuses

    def resolved(self, cell):
        return "x" if cell.arm.defaults else None

    def train(self, cell):
        if cell.arm.name in self.refuses:
            raise runner.Refused("unknown key")
        self.calls.append(cell.key)
        loss = 1 + list(cell.arm.settings).index(cell.setting)
        return record(cell.task, cell.arm, cell.setting, cell.seed, loss, resolved="x")[cell.key]


class Running(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        patch = mock.patch.object(records, "FILE", pathlib.Path(made.name) / "default.json")
        patch.start()
        self.addCleanup(patch.stop)
        self.said = []

    def run_study(self, programs, seeds=(0, 1), arms=(OWN, REFERENCE), minutes=None):
        runner.Study(programs, TASKS, list(arms), seeds, self.said.append).run(2, minutes)
        return programs.calls

    def test_what_is_recorded_is_not_run_again(self):
        calls = self.run_study(Programs())
        self.assertEqual(len(calls), 2 * (2 + 6 + 1))  # of each task: ours twice, six rates, the winner with the other seed
        self.assertIn("a/sgdm_decay/1e-3/1", calls)
        self.assertEqual(self.run_study(Programs()), [])
        self.assertEqual(sorted(self.run_study(Programs(), seeds=(0, 2))), ["a/sgdm_decay/1e-3/2", "a/sgdm_ours//2", "b/sgdm_decay/1e-3/2", "b/sgdm_ours//2"])

    def test_what_is_by_default_is_run_again_when_a_default_has_changed(self):
        self.run_study(Programs(), seeds=(0,))
        changed = Programs()
        changed.resolved = lambda cell: "y" if cell.arm.defaults else None
        self.assertEqual(sorted(self.run_study(changed, seeds=(0,))), ["a/sgdm_ours//0", "b/sgdm_ours//0"])

    def test_an_arm_that_the_program_refuses_is_left_out_with_its_words(self):
        calls = self.run_study(Programs(refuses=("sgdm_decay",)))
        self.assertEqual(sorted(calls), ["a/sgdm_ours//0", "a/sgdm_ours//1", "b/sgdm_ours//0", "b/sgdm_ours//1"])
        self.assertEqual(len([line for line in self.said if "unknown key" in line]), 1)

    def test_without_their_python_peers_are_left_out_and_no_cell_begins_when_time_is_up(self):
        self.assertEqual(self.run_study(Programs(), arms=(ARMS["prodigy"],)), [])
        self.assertEqual(self.run_study(Programs(), minutes=0), [])

    def test_the_middle_of_the_turns_is_told_where_the_reference_is_known(self):
        seconds = iter([2.2, 2.0, 9.0, 2.0, 1.0, 1.0])  # ours, the reference, ours, …
        programs = Programs()
        train = programs.train
        programs.train = lambda cell: {**train(cell), "seconds": next(seconds)}
        known = {key: value for key, value in KNOWN.items() if key.startswith("a/")}
        timing.measure(programs, known, TASKS, [RULE], self.said.append)
        self.assertEqual(programs.calls, 3 * ["a/sgdm_ours//0", "a/sgdm_decay/1e-2/0"])
        self.assertEqual(self.said, ["sgdm, a: 1.100, of 1.000 1.100 4.500", "sgdm, b: left out, for the reference's search is not over", "sgdm: 1.100 over 1 tasks"])

    def test_a_summary_is_kept_in_few_numbers(self):
        kept = runner.outcome({"status": "finished", "final": {"train": {"loss": 1 / 3, "accuracy": 1}, "test": None}, "learning_rate": 0.1, "wall_seconds": 2.34567, "meta_share": 0.0})
        self.assertEqual(kept, {"status": "finished", "loss": 0.3333, "test_loss": None, "accuracy": None, "rate": 0.1, "seconds": 2.346, "meta_share": 0.0})

    def test_who_asks_for_averaged_weights_is_judged_by_them(self):
        summary = {"status": "finished", "final": {"train": {"loss": 2.0}, "test": {"loss": 3.0, "accuracy": 0.1}}, "learning_rate": 0.1, "wall_seconds": 2, "meta_share": 0.0,
                   "average": {"train": {"loss": 0.5}, "test": {"loss": 0.75, "accuracy": 0.9}}}
        kept = runner.outcome(summary, Arm("", "", {"": ["train.average.half_life=0.1"]}).averaged)
        self.assertEqual((kept["loss"], kept["accuracy"], kept["loss_not_averaged"]), (0.5, 0.9, 2.0))
        self.assertEqual(runner.outcome(summary, REFERENCE.averaged)["loss"], 2.0)


FAKE = """#!/bin/sh
case "$*" in
  --version) echo "apo-train 0.1.0 (LibTorch 2.11.0, commit 0123abc)" ;;
  *learning_rate=3*) echo "apo-train: error: no such key" >&2; exit 2 ;;
  *--print-config*) printf "name: x\nseed: 0\ndataset:\n  root: here\n  name: mnist\n" ;;
  *prodigy*) grep -q "name: mnist" && echo '{"status": "finished", "loss": 0.25, "test_loss": 0.5, "accuracy": 0.75, "rate": 0.01, "seconds": 2.0}' ;;
  *) while [ "$1" != --output ]; do shift; done
     mkdir "$2/cell"
     echo '{"status": "diverged", "final": {"train": null, "test": null}, "learning_rate": 0.1, "wall_seconds": 1.5, "meta_share": 0.25}' >"$2/cell/summary.json"
     exit 4 ;;
esac
"""


class Calling(unittest.TestCase):
    """The programs are called as they want it; a shell script stands for both."""

    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        fake = pathlib.Path(made.name) / "fake"
        fake.write_text(FAKE)
        fake.chmod(0o755)
        with mock.patch.dict("os.environ", APO_TRAIN=str(fake), PEER_PYTHON=str(fake)):
            self.programs = runner.Programs()

    def test_a_run_that_diverged_is_recorded_with_commit_and_configuration(self):
        cell = cells.Cell(TASKS[0], OWN, "", 0)
        kept = self.programs.train(cell)
        self.assertEqual((kept["status"], kept["loss"], kept["meta_share"], kept["commit"], kept["config"]), ("diverged", None, 0.25, "0123abc", cell.config))
        self.assertEqual(kept["resolved"], hashlib.sha256(b"dataset:\n  name: mnist").hexdigest()[:12])  # names and places do not count

    def test_a_peer_is_told_the_configuration(self):
        kept = self.programs.train(cells.Cell(TASKS[0], ARMS["prodigy"], "", 0))
        self.assertEqual((kept["loss"], kept["accuracy"]), (0.25, 0.75))

    def test_what_a_program_refuses_is_told_in_its_words(self):
        with self.assertRaisesRegex(runner.Refused, "^apo-train: error: no such key$"):
            self.programs.train(cells.Cell(TASKS[0], REFERENCE, "3e-2", 0))


class Page(unittest.TestCase):
    def test_the_page_is_what_the_results_give(self):
        self.assertEqual(page.PAGE.read_text(), page.page(records.read()))

    def test_the_tables_in_other_pages_are_what_the_records_give(self):
        for path in choosing.PAGES:
            self.assertEqual(path.read_text(), choosing.page(path, records.read()))

    def test_every_result_belongs_to_the_table_as_it_is(self):
        self.assertEqual(cells.stale(records.read()), [])

    def test_each_arm_of_the_picture_has_a_mark_of_its_own(self):
        titles = {arm.title for arms in OF_RULE.values() for arm in arms if arm.half is None} | {arm.title for arm in FREE}
        self.assertGreaterEqual(len(set(picture.MARKS)), len(titles))

    def test_a_result_of_another_table_is_seen(self):
        task = tasks.tasks("held_out")[0]
        known = record(task, OWN, "", 0, 0.5)
        self.assertEqual(cells.stale(known), [])
        self.assertEqual(cells.stale({**known, "imagenet/sgdm_ours//0": known[f"{task.name}/sgdm_ours//0"]}), ["imagenet/sgdm_ours//0"])
        known[f"{task.name}/sgdm_ours//0"]["config"] = "0123456789ab"
        self.assertEqual(cells.stale(known), [f"{task.name}/sgdm_ours//0"])

    def test_words_that_name_nothing_are_refused_with_those_that_do(self):
        for words, told in ((["--tasks", "imagenet*"], "mnist_mlp_b128"), (["--rules", "lion"], "sgdm"), (["--half", "fifth"], "held_out"), (["--seeds", "x"], "0-4")):
            result = subprocess.run([sys.executable, ROOT / "scripts/default", "list", *words], capture_output=True, text=True, timeout=60)
            self.assertEqual(result.returncode, 1)
            self.assertIn(told, result.stderr)


if __name__ == "__main__":
    unittest.main()
