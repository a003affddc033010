"""scripts/paper: what the pages are made from, and whether results belong to their configurations. Needs no matplotlib."""

import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "benchmarks")]

import compare
import mapped
import scaling
from paper import DOCS, average, earlier, origin, performance, ranks, reproduction, runs, same, tables, tried
from paper.claims import CLAIMS


def paper(*words):
    return subprocess.run([sys.executable, ROOT / "scripts/paper", *words], capture_output=True, text=True, timeout=60)


class Folder(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = pathlib.Path(made.name)

    def run_folder(self, name, losses=(0.5, 0.25), status="finished", commit="abc"):
        folder = self.folder / name
        folder.mkdir(parents=True)
        epochs = list(range(1, len(losses) + 1))
        trace = {"environment": {"device": "cpu", "libtorch": "2.11.0", "threads": 1, "commit": commit},
                 "epochs": {"epoch": epochs, "step": [100 * e for e in epochs], "train_loss": list(losses), "test_loss": list(losses),
                            "test_accuracy": [0.9 for _ in epochs], "learning_rate": [0.1 for _ in epochs], "wall_seconds": epochs},
                 "steps": {"step": list(range(1000)), "loss": [1 / 3] * 1000, "learning_rate": [0.1] * 1000}, "hyperparameters": {}}
        (folder / "trace.json").write_text(json.dumps(trace))
        (folder / "summary.json").write_text(json.dumps({"status": status, "final": {"train": {"loss": losses[-1]}}, "learning_rate": 0.1}))
        (folder / "model.safetensors").write_bytes(b"weights")
        return folder


class CostOfRanks(unittest.TestCase):
    def test_the_fit_finds_what_sums_were_made_of(self):
        for engine in ranks.ENGINES:
            cost = ranks.Cost(3e-4, 0.8, engine)
            cases = [{"machines": machines, "megabits": megabits, "bytes": size, "messages": (4 << 20) // size}
                     for machines in range(2, 9) for megabits in (100, 400) for size in (1 << 16, 1 << 20)]
            for case in cases:
                case["seconds"] = cost.of(case)
            found = ranks.fit(cases, engine)
            self.assertAlmostEqual(found.latency, cost.latency)
            self.assertAlmostEqual(found.share, cost.share)

    def test_hops_and_bytes_are_those_of_the_algorithms(self):
        self.assertEqual(ranks.ring(4, 100), (6, 150))
        self.assertEqual(ranks.tree(8, 100), (6, 600))
        self.assertEqual(ranks.halves(8, 1 << 20), (6, 2 * 7 / 8 * (1 << 20)))
        self.assertEqual(ranks.halves(5, 1 << 20), (7, (2 * 3 / 4 + 2) * (1 << 20)))
        self.assertEqual(ranks.halves(8, 8), ranks.tree(8, 8))

    def test_one_gpu_waits_for_nobody_and_more_never_take_less(self):
        for cluster in ranks.CLUSTERS:
            steps = [cluster.step(gpus, 5e-3, 85e6, 25 << 20) for gpus in (1, 8, 64, 1024)]
            self.assertEqual(steps[0], 5e-3)
            self.assertEqual(steps, sorted(steps))


class Pages(unittest.TestCase):
    def test_the_pages_are_what_the_results_give(self):
        self.assertEqual((DOCS / "reproduction.md").read_text(), reproduction.page(reproduction.results()))
        self.assertEqual((DOCS / "performance.md").read_text(), performance.page(*performance.results()))
        self.assertEqual((DOCS / "scaling.md").read_text(), ranks.page((DOCS / "scaling.md").read_text()))
        self.assertEqual((DOCS / "average.md").read_text(), average.page(average.results()))

    def test_every_figure_has_a_claim_to_be_held_against(self):
        self.assertEqual(sorted({name.removesuffix("_gpu") for name in CLAIMS}), sorted(folder.name for folder in origin.FIGURES.iterdir() if folder.is_dir()))

    def test_a_table_of_numbers(self):
        self.assertEqual(tables.table(["", "loss"], [["a", tables.number(0.12345)]]), "| | loss |\n|---|---|\n| a | 0.1235 |")
        self.assertEqual([tables.number(value) for value in (None, 1.5e-7, 2e4)], ["–", "1.5e-07", "2e+04"])
        self.assertEqual(tables.spread([3, None, 1, 2], "{:g}".format), "2 (1 to 3)")
        self.assertEqual(tables.spread([2, 2], "{:g}".format), "2")


def figure(name, curves, accuracy=None, scale="cpu"):
    """A result: {run: training losses of its epochs}."""
    made = {run: {"status": "finished", "steps": {"step": [1], "learning_rate": [0.1]},
                  "epochs": {"epoch": [*range(1, len(losses) + 1)], "step": [*range(10, 10 * len(losses) + 1, 10)], "train_loss": list(losses),
                             "test_accuracy": [(accuracy or {}).get(run, 0.5)] * len(losses)}} for run, losses in curves.items()}
    return {"figure": name, "scale": scale, "runs": made}


def judge(name, curves, **how):
    return CLAIMS[name].judge(figure(name, {run: losses if isinstance(losses, tuple) else (losses,) for run, losses in curves.items()}, **how))


class Verdicts(unittest.TestCase):
    SGD = {"sgd_1e-1": 2, "sgd_1e-2": 3, "sgd_decay": 1}
    SGDM = {"sgdm_1e-2": 2, "sgdm_decay": 4, "sgdm_apo/tuner.lambda=0.1": 5}

    def test_optimizers_are_judged_apart_against_their_own_rivals(self):
        found = judge("fig2c", {**self.SGD, "sgd_apo/tuner.lambda=0.1": 1.5, **self.SGDM, "sgdm_apo/tuner.lambda=0.01": 1})
        self.assertEqual(found.verdict, "SGD: partly; SGDm: reproduced")  # 1 < 1.5 < 2, and 1 < 2 < 4
        self.assertIn("SGD-APO 1.5 (λ = 0.1), the best fixed rate 2 (sgd_1e-1), the schedule 1 (sgd_decay); SGDm-APO 1 (λ = 0.01)", found.numbers)

    def test_twice_the_best_loss_is_not_partly_where_the_order_counts(self):
        self.assertEqual(judge("fig6", {"sgd_apo": 1.4, "sgd_decayed_weights": 1.3, "sgd_decayed_weights_schedule": 1.35}).verdict, "not reproduced")

    def test_the_paper_s_grid_is_judged_first_and_another_value_beside_it(self):
        for name in ("fig2c", "fig4"):
            found = judge(name, {**self.SGD, "sgd_apo/tuner.lambda=0.1": 4, "sgd_apo/tuner.lambda=1": 5, **self.SGDM, "sgdm_apo/tuner.lambda=1": 1})
            self.assertEqual(found.verdict, "SGD: not reproduced; SGDm: not reproduced (with λ = 1, which the paper does not name: reproduced)")

    def test_at_full_scale_a_configuration_s_single_lambda_is_the_paper_s(self):
        found = judge("fig14", {"adam_1e-3": 2, "adam_decay": 1, "adam_apo": 0.5}, scale="full")
        self.assertEqual((found.verdict, found.because), ("reproduced", ""))

    def damping(self, losses, accuracies):
        names = [f"kfac_apo_{what}/tuner.lambda={value}" for value in (0.01, 0.1) for what in ("rate", "rate_damping")]
        return judge("fig3", {"kfac_1e-3": 3, "kfac_decay": 2, **dict(zip(names, losses))}, accuracy=dict(zip(names, accuracies)))

    def test_damping_is_judged_against_the_rate_alone_by_loss_and_accuracy(self):
        for losses, accuracies, verdict in (((1.5, 1, 2, 1.9), (0.3, 0.4, 0.3, 0.4), "reproduced"), ((1.5, 1, 2, 2.5), (0.3, 0.4, 0.3, 0.4), "partly"),
                                            ((1.5, 1, 2, 1.9), (0.3, 0.2, 0.3, 0.4), "partly"), ((1.5, 1.6, 2, 2.1), (0.3, 0.4, 0.3, 0.4), "not reproduced")):
            self.assertEqual(self.damping(losses, accuracies).verdict, f"the rate: reproduced; the damping: {verdict}")
        self.assertIn("damping: not reproduced", self.damping((2.5, 2.6, 1, 1.1), (0.3, 0.4, 0.3, 0.4)).verdict)
        self.assertIn("the rate: partly (with λ = 0.1, which the paper does not name: reproduced)", self.damping((2.5, 2.6, 1, 1.1), (0.3,) * 4).verdict)

    def test_hyperparameters_together_are_judged_by_how_the_loss_rises_and_not_by_its_end(self):
        rate, steady, often, far = (4, 2, 3, 1, 2, 0.1), (4, 3, 2, 1, 0.9, 0.5), (4, 5, 4, 5, 4, 0.01), (4, 3, 2, 1, 3, 0.01)
        for power, epsilon, verdict in ((steady, steady, "reproduced"), (often, steady, "partly"), (far, often, "not reproduced")):
            self.assertEqual(judge("fig7a", {"rate": rate, "rate_power": power, "rate_power_epsilon": epsilon}).verdict, verdict)
        found = judge("fig7a", {"rate": rate, "rate_power": far, "rate_power_epsilon": far})
        self.assertIn("rate 2 times, at most by a factor 2.00 (at the end 1.00e-01)", found.numbers)

    def test_a_rate_per_layer_is_not_held_against_a_spike(self):
        spike, calm = (1, 0.1, 20, 4), (1, 0.1, 0.09, 0.08)
        for sgd_global, per_layer, verdict in ((spike, (1, 0.5, 0.4, 0.3), "not reproduced"), (spike, (1, 0.5, 0.3, 0.2), "partly"),
                                               (calm, (1, 0.5, 0.3, 0.2), "not reproduced")):
            found = judge("fig7bc", {"sgd_global": sgd_global, "sgd_per_layer": per_layer, "rmsprop_global": calm, "rmsprop_per_layer": (1, 0.5, 0.4, 0.3)})
            self.assertEqual(found.verdict, verdict)  # 0.3 is 3 times 0.1, 0.2 is twice 0.1 and 2.5 times 0.08; for RMSprop 0.3 is 3.75 times 0.08
            told = "sgd_global ends in a spike.*: its loss rises by a factor 200 from one epoch to the next and ends at 40 times its lowest"
            self.assertEqual(bool(re.match(told, found.because)), sgd_global == spike)

    def test_runs_from_other_rates_in_the_default_form_say_that_the_first_rate_is_discarded(self):
        found = judge("fig11_robust", {f"mnist_from_1e-{power}": (2, 1) if power != 4 else (2, 1.5) for power in range(2, 8)})
        self.assertEqual(found.verdict, "reproduced")
        self.assertRegex(found.because, "the first rate is discarded here.* and 5 of 6 runs have the same losses")

    def test_the_table_of_schedules_is_judged_with_lambda_of_any_sign_and_without_negative_ones(self):
        def families(**ends):
            return {name: {"loss": [100, end], "learning_rate": [1], "lambda": [-1, 2]} for name, end in ends.items()}
        sgd = families(optimal=2, exponential=4, linear=10, fixed=80)
        for optimal, line, free, bounded in ((4, 20, "reproduced", "reproduced"), (4, 21, "reproduced", "partly"), (5, 20, "partly", "partly"),
                                             (5, 21, "partly", "not reproduced")):
            apo = families(optimal=optimal, exponential=8, linear=15, linear_positive=line, linear_cut=6, fixed=80)
            found = CLAIMS["table2"].judge({"study": {"sgd": sgd, "apo": apo, "greedy": {"loss": [220]}}})
            self.assertEqual(found.verdict, f"with the paper's line of λ: {free}; with λ ≥ 0: {bounded}")
            self.assertIn(f"| SGD + APO, here, λ ≥ 0 | {optimal} | 8 | {line} | 80 |", found.numbers)


class Settings(unittest.TestCase):
    def test_a_method_s_settings_are_its_rates_and_lambdas_without_seeds_and_data_sets(self):
        grid = ("sgd_apo/tuner.lambda=1,seed=0", "sgd_apo/tuner.lambda=1,seed=1", "sgd_apo/tuner.lambda=2,seed=0")
        curves = dict.fromkeys(("sgd_1e-1", "sgd_1e-2", "sgd_decay", *grid), (1,))
        self.assertEqual(tried.settings(figure("fig2c", curves)), {"sgd": 2, "sgd_decay": 1, "sgd_apo": 2})
        curves = dict.fromkeys((f"{data}_{run}" for data in ("mnist", "fashion") for run in ("sgd/rate=1", "sgd/rate=2", "apo_sgd")), (1,))
        self.assertEqual(tried.settings(figure("sceptic", curves)), {"sgd": 2, "apo_sgd": 1})

    def test_the_page_says_where_apo_had_more_settings_and_where_fewer(self):
        more = figure("fig2d", dict.fromkeys(("rmsprop_1e-3", "rmsprop_apo/tuner.lambda=1", "rmsprop_apo/tuner.lambda=2"), (1,)))
        fewer, same_number = figure("fig15", {"pbt": (1,), "rmsprop_apo": (1,)}), figure("fig14", {"adam_1e-3": (1,), "adam_apo": (1,)})
        fewer["runs"]["pbt"]["members"] = 4
        alone = figure("fig7a", {"rate": (1,), "rate_power": (1,)})
        self.assertEqual([tried.unequal(result) for result in (more, fewer, same_number, alone)], [True, True, False, False])
        self.assertEqual(tried.summary([more, fewer, same_number, alone]),
                         "APO was tried in more settings than each rival in `fig2d`, in fewer than one in `fig15`; the sections give the numbers.")
        self.assertEqual(tried.line(fewer), "rmsprop_apo 1; pbt 4")

    def test_they_are_those_of_the_configurations(self):
        def values(config, scale):
            """Of a grid: the product of the lists of a configuration, seeds and milestones left out; members of a population."""
            text = origin.here(f"configs/{config}.yaml") + "\n".join(origin.settings(config, scale)).replace("=", ": ")
            lists = {key: given for key, given in re.findall(r"(\w+): \[([^]]*)\]", text) if key in ("lambda", "learning_rate", "rate")}
            return math.prod(given.count(",") + 1 for given in lists.values()) * int((re.findall(r"members: (\d+)", text) or ["1"])[0])
        for result in filter(tried.unequal, reproduction.results()):
            configs = {config for config, part in origin.parts(result) if "outdated" not in part or "pbt" in config}
            for config in sorted(configs):
                name = config.rpartition("/")[2]
                runs_of = [run for run in result["runs"] if run.split("/")[0] == name]
                found = sum(tried.settings({**result, "runs": {run: result["runs"][run] for run in runs_of}}).values())
                self.assertEqual(found, values(config, result["scale"]), config)

    def test_earlier_verdicts_belong_to_figures(self):
        self.assertLessEqual(set(earlier.EARLIER), set(CLAIMS))


class Reading(Folder):
    def test_a_kept_curve_has_its_first_and_last_point_and_few_between(self):
        kept = runs.kept(self.run_folder("a"))["steps"]
        self.assertEqual((kept["step"][0], kept["step"][-1]), (0, 999))
        self.assertLessEqual(len(kept["step"]), runs.POINTS + 1)
        self.assertEqual(kept["loss"][0], 0.3333)

    def test_label_and_folder_may_both_hold_an_equals_sign(self):
        folder = self.run_folder("grid/optimizer.name=sgd,seed=1")
        for word, label in ((str(folder), folder.name), (f"SGD={folder}", "SGD"), (f"β = 0.9={folder}", "β = 0.9")):
            found, trace = runs.labelled(word)
            self.assertEqual((found, trace["epochs"]["train_loss"]), (label, [0.5, 0.25]))

    def test_a_diverged_run_ends_with_an_infinite_loss(self):
        self.run_folder("a", status="diverged")
        self.assertEqual(runs.Runs(self.folder).final("a"), float("inf"))

    def test_runs_that_ended_are_compared_and_a_missing_one_is_told(self):
        self.run_folder("lambda=0.1")
        result = paper("compare", str(self.folder / "lambda=0.1"), str(self.folder / "nowhere"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"lambda=0.1 +finished +0.25 +- +- +- +0.1\n")
        self.assertRegex(result.stdout, r"nowhere +no summary")

    def test_the_same_run_is_the_same_and_another_is_told_by_its_first_difference(self):
        whole, other = self.run_folder("whole"), self.run_folder("other", losses=(0.5, 0.2))
        same.compare(whole, whole)
        with self.assertRaisesRegex(SystemExit, "differ: trace.json: epochs"):
            same.compare(whole, other)


class Origin(Folder):
    def test_every_result_belongs_to_its_configuration(self):
        for result in reproduction.results():
            self.assertEqual(list(origin.complaints(result)), [])

    def test_measured_times_belong_to_the_settings_of_the_benchmark(self):
        times, lean, cost, kept_in_file, _ = performance.results()
        self.assertEqual(list(compare.complaints(times)), [])
        self.assertEqual(performance.lean_complaints(lean), [])
        self.assertEqual(average.complaints(average.results()), [])
        self.assertIsNone(origin.complaint(cost, scaling.config_hash()))
        if kept_in_file:
            self.assertIsNone(origin.complaint(kept_in_file, mapped.config_hash()))

    def test_times_of_other_settings_are_seen(self):
        with mock.patch.dict(compare.MODELS, mlp=(50, *compare.MODELS["mlp"][1:])):
            complaints = list(compare.complaints(performance.results()[0]))
        self.assertRegex(complaints[0], "mlp, constant: made with [0-9a-f]{12}, the configuration has ")
        self.assertFalse([complaint for complaint in complaints if "cnn" in complaint])

    def test_a_result_of_another_configuration_is_seen(self):
        result = next(result for result in reproduction.results() if result["figure"] == "fig1ab")
        changed = "\n".join(origin.complaints(result, lambda path: origin.here(path) + "seed: 1\n" * path.endswith("fig1ab/rmsprop_apo.yaml")))
        self.assertRegex(changed, "^paper/fig1ab/rmsprop_apo: made with [0-9a-f]{12}, the configuration has [0-9a-f]{12}$")
        del result["runs"]["rmsprop_apo"]
        self.assertEqual(list(origin.complaints(result)), ["paper/fig1ab/rmsprop_apo: nothing was made with it"])

    def test_a_result_says_that_its_configuration_has_changed_or_that_it_has_not(self):
        for part, why in (({"added": "abc", "config": "a"}, None), ({"commit": "abc", "config": "a"}, None), ({"config": "a"}, "names no commit"),
                          ({"added": "abc", "config": "b"}, "made with b, the configuration has a"), ({"added": "abc"}, "made with an unknown one, the configuration has a"),
                          ({"added": "abc", "config": "b", "outdated": "why"}, None),
                          ({"added": "abc", "config": "a", "outdated": "why"}, "called outdated, but the configuration is as it was")):
            self.assertEqual(origin.complaint(part, "a"), why)

    def test_comments_do_not_count_and_settings_do(self):
        said = origin.hash_of("# why\na: 1\n\nb: [2]  # unit\n")
        self.assertEqual(said, origin.hash_of("a: 1\nb: [2]\n"))
        self.assertNotEqual(said, origin.hash_of("a: 1\nb: [3]\n"))
        self.assertNotEqual(said, origin.hash_of("a: 1\nb: [2]\n", ["train.epochs=2"]))

    def test_the_patterns_of_a_scale_are_those_of_bash(self):
        for pattern, name in (("fig5/*", "fig5/sgd"), ("@(fig7*|fig11)/*", "fig7d/kfac"), ("fig3/*_apo*", "fig3/kfac_apo_rate"),
                              ("@(fig15)/*@(apo|from)*", "fig15/rmsprop_apo")):
            self.assertTrue(origin.matches(pattern, name), pattern)
            self.assertFalse(origin.matches(pattern, "fig1ab/" + name), pattern)
        self.assertEqual(paper("settings", "paper/fig7d/rmsprop_apo", "cpu").stdout, "train.epochs=20\ntuner.lambda=[0.1, 0.01, 0.001]\n")
        self.assertEqual(paper("settings", "paper/fig7d/rmsprop_apo", "full").stdout, "")

    def collect(self, *only, runs="runs", figure="fig7a"):
        results = self.folder / "results"
        with mock.patch.object(reproduction, "RESULTS", results):
            reproduction.collect(self.folder / runs, "cpu", figure, *only)
        return json.loads((results / f"{figure}.json").read_text())

    def test_what_is_collected_names_commit_and_configuration(self):
        self.begun("runs", "rate", "rate_power", "rate_power_epsilon", commit="0123abc")
        result = self.collect()
        self.assertEqual({run["commit"] for run in result["runs"].values()}, {"0123abc"})
        self.assertEqual(list(origin.complaints(result)), [])
        self.assertIn("commit 0123abc", reproduction.where(result))

    def begun(self, folder, *names, commit):
        for name in names:
            self.run_folder(f"{folder}/{name}", commit=commit)
            (self.folder / f"{folder}/{name}.config").write_text(paper("hash", f"paper/fig7a/{name}", "cpu").stdout)

    def test_of_a_figure_some_configurations_are_collected_again_beside_the_others(self):
        self.begun("runs", "rate", "rate_power", "rate_power_epsilon", commit="0123abc")
        self.collect()
        self.begun("again", "rate", commit="4567def")
        result = self.collect("rate", runs="again")
        self.assertEqual([(name, run["commit"]) for name, run in result["runs"].items()],
                         [("rate", "4567def"), ("rate_power", "0123abc"), ("rate_power_epsilon", "0123abc")])

    def test_a_run_that_was_begun_with_another_configuration_is_not_collected(self):
        for name in ("rate", "rate_power", "rate_power_epsilon"):
            self.run_folder(f"runs/{name}")
            (self.folder / f"runs/{name}.config").write_text("0123456789ab\n")
        with self.assertRaisesRegex(SystemExit, "paper/fig7a/rate: made with 0123456789ab"):
            self.collect()
        self.assertFalse((self.folder / "results").exists())


if __name__ == "__main__":
    unittest.main()
