"""What becomes of a run whose words nobody reads, whose files may not grow, and that a shell or a scheduler ends."""

import itertools
import json
import os
import resource
import signal
import subprocess
import time
import unittest

from apo_train import BINARY, ApoTrainTest, deterministic, patience

LONG = ("--set", "train.epochs=100000", "--set", "train.evaluate_every=100", "--set", "train.checkpoint_every=1000")
SEEDS = ("--set", "grid={seed: [1, 2]}")
ENDED = ("summary.json", "trace.json", "model.safetensors")
SIGNALS = (signal.SIGHUP, signal.SIGXCPU, signal.SIGUSR2, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class OutputsTest(ApoTrainTest):
    def shell(self, words, *arguments, config="smoke.yaml", **options):
        """The program with redirections of the shell's behind it."""
        command = ["bash", "-c", f'"$@" {words}', "bash", *self.command(*arguments, config=config)]
        return subprocess.run(command, cwd=self.folder, env=self.environment(), capture_output=True, text=True,
                              timeout=patience(120), **options)

    def begin(self, *arguments, command=None, **options):
        """A run in the background."""
        process = subprocess.Popen(command or self.command(*arguments), cwd=self.folder, env=self.environment(),
                                   **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_for_lines(self, process, folder="smoke"):
        trace = self.folder / "runs" / folder / "trace.jsonl"
        deadline = time.monotonic() + patience(60)
        while not (trace.exists() and trace.read_text().count("\n") > 20):
            self.assertIsNone(process.poll(), "ended by itself")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def assert_whole(self, *folder, status="interrupted"):
        for name in ENDED:
            self.assertTrue(self.folder.joinpath("runs", *folder, name).exists(), name)
        for line in self.folder.joinpath("runs", *folder, "trace.jsonl").read_text().splitlines():
            json.loads(line)
        self.assertEqual(self.json(*folder, "summary.json")["status"], status)


class Words(OutputsTest):
    def test_an_error_that_nobody_hears_keeps_its_exit_code(self):
        for words in ("2>/dev/full", "2>&-", "2> >(exit)", "<&- >&- 2>&-", ">/dev/full 2>&1"):
            with self.subTest(words):
                self.assertEqual(self.shell(words, "--set", "bogus=1").returncode, 2)
        self.assertEqual(self.shell("2>&-", "--set", "dataset={name: mnist, root: nowhere}").returncode, 3)

    def test_a_run_trains_the_same_whichever_descriptors_are_closed(self):
        self.run_ok("--set", "name=whole")
        closed = [" ".join(words) for count in range(1, 4)
                  for words in itertools.combinations(("<&-", ">&-", "2>&-"), count)]
        for words in (*closed, ">/dev/full 2>&1", "2>/dev/full", "2> >(exit)"):
            with self.subTest(words):
                result = self.shell(words, "--overwrite", "--progress", "on")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assert_whole("smoke", status="finished")
                self.assertEqual(deterministic(self.trace("smoke")), deterministic(self.trace("whole")))
                self.assertEqual((self.folder / "runs/smoke/.lock").read_bytes(), b"")

    def test_a_grid_goes_on_though_nobody_reads(self):
        for words, jobs in (("2>/dev/full", "1"), (">/dev/full 2>&1", "2"), ("<&- >&- 2>&-", "1"), ("2> >(exit)", "2")):
            with self.subTest(words, jobs=jobs):
                result = self.shell(words, *SEEDS, "--jobs", jobs, "--overwrite")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual([run["status"] for run in self.json("smoke", "grid.json")["runs"]], ["finished"] * 2)

    def test_a_population_goes_on_though_nobody_reads(self):
        pbt = ("--set", "train.population={members: 2, interval: 4}")
        for words in (">/dev/full 2>&1", "<&- >&- 2>&-"):
            with self.subTest(words):
                self.assertEqual(self.shell(words, *pbt, "--overwrite").returncode, 0)
                self.assertEqual(len(self.json("smoke", "population.json")["runs"]), 2)

    def test_a_reader_that_leaves_in_the_middle_does_not_end_the_run(self):
        self.run_ok("--set", "train.epochs=30", "--set", "name=whole")
        for arguments in ((), SEEDS):
            with self.subTest(arguments):
                result = self.shell("2>&1 | head -1; exit ${PIPESTATUS[0]}", "--set", "train.epochs=30", "--set",
                                    f"name=smoke{len(arguments)}", *arguments)
                self.assertEqual(result.returncode, 0)
        self.assertEqual(deterministic(self.trace("smoke0")), deterministic(self.trace("whole")))
        self.assertEqual(len(self.json("smoke2", "grid.json")["runs"]), 2)

    def test_what_was_asked_for_and_not_delivered_is_no_success(self):
        self.run_ok("--set", "name=a")
        questions = (["--print-config"], ["--list-runs"], ["--dry-run"], ["--help"], ["--version"], ["--list"],
                     ["--list-markdown"], ["--man"], ["--completion", "bash"], ["--init", "smoke.yaml"], ["--report", "runs/x.html", "runs/a"])
        for question in questions:
            with self.subTest(question):
                result = self.shell(">/dev/full", *question)
                self.assertEqual(result.returncode, 1)
                self.assertEqual(result.stderr.splitlines()[-1],
                                 "apo-train: error: stdout: cannot be written: No space left on device")
        for words in (">&-", ">/dev/full 2>&1"):
            self.assertEqual(self.shell(words, "--version").returncode, 1)

    def test_a_reader_of_an_answer_that_has_left_is_no_noise(self):
        result = self.shell("| (exec <&-; sleep 0.5); exit ${PIPESTATUS[0]}", "--list-markdown", config=None)
        self.assertEqual((result.returncode, result.stderr), (1, ""))

    def test_the_study_says_the_same(self):
        study = str(BINARY.with_name("apo-study"))
        for words, code in (("--help >/dev/full", 1), ("--output no/such/file theorems 2>/dev/full", 1), ("--help", 0)):
            with self.subTest(words):
                self.assertEqual(subprocess.run(["bash", "-c", f"{study} {words}"], capture_output=True).returncode, code)


class Signals(OutputsTest):
    def test_each_saves_and_tells_its_number(self):
        for number in SIGNALS:
            with self.subTest(number):
                (self.folder / "runs/smoke/trace.jsonl").unlink(missing_ok=True)
                process = self.begin("--overwrite", "--progress", "off", *LONG)
                self.wait_for_lines(process)
                process.send_signal(number)
                self.assertEqual(process.wait(timeout=patience(60)), 128 + number)
                self.assert_whole("smoke")

    def test_a_grid_passes_each_on(self):
        for number in (signal.SIGHUP, signal.SIGXFSZ):
            with self.subTest(number):
                process = self.begin("--set", f"name=n{number:d}", "--jobs", "2", *SEEDS, *LONG)
                for seed in "12":
                    self.wait_for_lines(process, f"n{number:d}/seed={seed}")
                process.send_signal(number)
                self.assertEqual(process.wait(timeout=patience(60)), 128 + number)
                self.assertEqual([run["exit_code"] for run in self.json(f"n{number:d}", "grid.json")["runs"]],
                                 [128 + number] * 2)

    def test_what_was_ignored_at_the_start_stays_so(self):
        for number, arguments in itertools.product((signal.SIGHUP, signal.SIGINT), ((), SEEDS)):
            with self.subTest(number, grid=bool(arguments)):
                name = f"n{number:d}{len(arguments)}"
                process = self.begin("--set", f"name={name}", *LONG, *arguments,
                                     preexec_fn=lambda number=number: signal.signal(number, signal.SIG_IGN))
                folder = f"{name}/seed=1" if arguments else name
                self.wait_for_lines(process, folder)
                process.send_signal(number)
                time.sleep(0.3)
                self.assertIsNone(process.poll())
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(timeout=patience(60)), 128 + signal.SIGTERM)
                self.assert_whole(folder)

    def test_ctrl_c_in_a_pipeline_saves_though_the_reader_dies_first(self):
        for arguments, folder in (((), "smoke"), ((*SEEDS, "--set", "name=g"), "g/seed=1")):
            with self.subTest(folder):
                command = ["bash", "-c", '"$@" 2>&1 | tee log; echo ${PIPESTATUS[0]} > code', "bash",
                           *self.command(*LONG, *arguments)]
                pipeline = self.begin(command=command, start_new_session=True)
                self.wait_for_lines(pipeline, folder)
                os.killpg(pipeline.pid, signal.SIGINT)
                # Bash ends by the signal itself, or writes the code of the run.
                deadline = time.monotonic() + patience(60)
                while not (self.folder / "runs" / folder / "report.html").exists():
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.05)
                self.assert_whole(folder)

    def test_a_signal_ends_a_run_whose_reader_has_stopped_reading(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        process = self.begin("--set", "train.epochs=100000", "--progress", "on", stderr=writer)
        os.close(writer)
        self.wait_for_lines(process)
        time.sleep(3)  # more lines than the pipe holds
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=patience(60)), 128 + signal.SIGTERM)
        self.assert_whole("smoke")

    def test_the_end_of_the_processor_time_saves(self):
        process = self.begin(*LONG, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (3, 60)))
        self.assertEqual(process.wait(timeout=patience(100)), 128 + signal.SIGXCPU)
        self.assert_whole("smoke")


class FileSizes(OutputsTest):
    def test_a_limit_gives_the_line_of_a_full_disk(self):
        for kibibytes, arguments in ((4, ()), (4, ("--set", "model.hidden=[64]")), (1, ()), (12, ("--set", "train.epochs=100"))):
            with self.subTest(kibibytes=kibibytes, arguments=arguments):
                result = self.shell("", "--set", "train.epochs=30", "--overwrite", *arguments,
                                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (kibibytes << 10,) * 2))
                self.assertEqual(result.returncode, 1, result.stderr)
                errors = [line for line in result.stderr.splitlines() if "error:" in line]
                self.assertEqual(len(errors), 1, result.stderr)
                self.assertIn("cannot be written: File too large", errors[0])

    def test_a_limit_on_an_answer_is_said(self):
        result = self.shell("> answer", "--list-markdown", config=None,
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)))
        self.assertEqual(result.returncode, 1)
        self.assertIn("stdout: cannot be written: File too large", result.stderr)


class Folders(OutputsTest):
    PBT = ("--set", "train.population={members: 2, interval: 4}")

    def contents(self):
        files = sorted(path for path in (self.folder / "runs").rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in files}

    def test_a_grid_takes_no_folder_of_another_kind_nor_another_takes_a_grids(self):
        kinds = {"single": (), "population": self.PBT, "grid": SEEDS, "grid of populations": (*SEEDS, *self.PBT),
                 "run of a grid": (*SEEDS, "--run-index", "0")}
        is_grid = {name: "grid" in name for name in kinds}
        for first in ("single", "population", "grid"):
            self.run_ok("--set", f"name={first}", *kinds[first])
            before = self.contents()
            for second, way in itertools.product(kinds, ((), ("--resume",), ("--overwrite",))):
                if is_grid[first] == is_grid[second]:
                    continue
                with self.subTest(first=first, second=second, way=way):
                    self.assert_fails(2, "--set", f"name={first}", *kinds[second], *way, says=[first, "accepted" if is_grid[second] else "--output"])
                    self.assertEqual(self.contents(), before)

    def test_a_grid_takes_no_folder_that_holds_other_things(self):
        self.write("runs/smoke/report.html", "mine")
        self.assert_fails(2, *SEEDS, "--overwrite", says=["runs/smoke", "report.html"])
        self.write("runs/file", "mine")
        self.assert_fails(2, *SEEDS, "--set", "name=file", says=["runs/file", "is not a folder"])

    def test_a_grid_that_was_cut_short_goes_on(self):
        self.run_ok(*SEEDS, "--run-index", "0")
        self.write("runs/smoke/grid.json.tmp", "{")
        self.run_ok(*SEEDS, "--resume")
        self.assertEqual(len(self.json("smoke", "grid.json")["runs"]), 2)


class Reports(OutputsTest):
    def test_files_without_a_trace_are_said(self):
        header = '{"type": "header", "name": "x"}\n'
        texts = {"trace.jsonl": ("", header, "garbage\n", "\0\1\2", '{"type": 5}\n', "[]\n"),
                 "trace.json": ("", "{}", "[]", "garbage", '{"steps": {"step": []}}', '{"steps": 5}'),
                 "grid.json": ("", '{"runs": [1]}', '{"runs": [{"label": 5}]}', '{"runs": [{"label": "itself"}]}'),
                 "population.json": ("garbage", '{"runs": 7}')}
        for number, (name, text) in enumerate((name, text) for name in texts for text in texts[name]):
            with self.subTest(name, text=text):
                self.write(f"r{number}/{name}", text)
                result = self.start("--report", "x.html", f"r{number}", config=None)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
                self.assertIn(f"r{number}", result.stderr)
                self.assertFalse((self.folder / "x.html").exists())

    def test_a_summary_of_other_types_is_named(self):
        self.run_ok()
        whole = self.json("smoke", "summary.json")
        for key, value in (("status", 5), ("message", ["x"]), ("status", None), ("wall_seconds", "long"), ("learning_rate", {}),
                           ("final", {"train": {"loss": "small"}}), ("best", {"test_accuracy": True})):
            with self.subTest(key, value=value):
                self.write("runs/smoke/summary.json", json.dumps(whole | {key: value}))
                result = self.assert_fails(3, "--report", "x.html", "runs/smoke", config=None, says=["runs/smoke/summary.json: " + key, "accepted"])
                self.assertEqual(len(result.stderr.splitlines()), 1)
                self.assertFalse((self.folder / "x.html").exists())
        self.run_ok("--resume")  # which writes it anew
        self.assertEqual(self.json("smoke", "summary.json")["status"], "finished")

    def test_one_without_a_trace_among_others_is_named(self):
        self.run_ok()
        self.write("empty/trace.jsonl", "")
        self.assert_fails(2, "--report", "x.html", "runs/smoke", "E=empty", config=None, says=["empty", "no trace"])


class CommandLine(OutputsTest):
    def value(self, key, *arguments):
        lines = self.run_ok("--print-config", *arguments).stdout.splitlines()
        return next(line.split()[1] for line in lines if line.startswith(key + ":"))

    def test_the_last_word_on_a_key_counts_however_it_is_said(self):
        for key, one, other in (("threads", "1", "2"), ("seed", "3", "4"), ("device", "cpu", "auto")):
            self.assertEqual(self.value(key, f"--{key}", one, "--set", f"{key}={other}"), other)
            self.assertEqual(self.value(key, "--set", f"{key}={other}", f"--{key}", one), one)
            self.assertEqual(self.value(key, f"--{key}={one}", "--set", f"{key}={other}", f"--{key}={one}"), one)

    def test_more_threads_than_cores_are_warned_about_once(self):
        cores = len(os.sched_getaffinity(0))
        for arguments in (("--dry-run",), ("--overwrite",), (*SEEDS, "--set", "name=g"), (*SEEDS, "--set", "name=h", "--jobs", "2")):
            said = self.run_ok("--set", "train.epochs=1", *arguments, "--threads", str(cores + 1)).stderr
            self.assertEqual(said.count("warning: threads ="), 1, said)
        self.assertNotIn("threads =", self.run_ok("--dry-run", "--threads", "1").stderr)


if __name__ == "__main__":
    unittest.main()
