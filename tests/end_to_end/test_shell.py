"""The program in a shell: keys as other programs write them, stdin, starters, completion, its manual page, its version."""

import re
import shutil
import subprocess
import unittest

from apo_train import BINARY, ROOT, SMOKE, ApoTrainTest, deterministic, patience

EXAMPLES = sorted(path.stem for path in (ROOT / "configs").glob("*.yaml"))


class Keys(ApoTrainTest):
    def test_four_ways_to_set_a_key_and_the_last_counts(self):
        def size(*words):
            return int(re.search(r"batch_size: (\d+)", self.run_ok("--print-config", *words).stdout)[1])
        key = "dataset.batch_size"
        self.assertEqual(size("--set", f"{key}=10"), 10)
        self.assertEqual(size(f"--{key}", "20", "--set", f"{key}=10"), 10)
        self.assertEqual(size(f"{key}=30", f"--{key}", "20"), 20)
        self.assertEqual(size(f"--{key}", "20", f"{key}=30"), 30)
        self.assertEqual(size(f"{key}=30", f"--{key}=40"), 40)

    def test_a_mistake_is_named_as_it_was_typed(self):
        hint = ": unknown key 'lambd'; did you mean 'lambda'?"
        for words in (["--tuner.lambd", "0.1"], ["--tuner.lambd=0.1"], ["tuner.lambd=0.1"]):
            self.assert_fails(2, *words, says=[f"error: {' '.join(words)}{hint}"])
        self.assert_fails(2, "--tuner.lambda", "-1", says=["--tuner.lambda -1: tuner.lambda = -1: must be >= 0"])
        self.assert_fails(2, "tuner.lambda", says=["unexpected argument 'tuner.lambda'"])

    def test_a_grid_takes_its_lists_so(self):
        self.run_ok("--tuner.lambda", "[0.1, 0.001]", "train.epochs=1")
        self.assertEqual({run["label"] for run in self.json("smoke", "grid.json")["runs"]},
                         {"tuner.lambda=0.1", "tuner.lambda=0.001"})


class StandardInput(ApoTrainTest):
    def pipe(self, text, *arguments):
        return subprocess.run([str(BINARY), "--config", "-", *arguments], cwd=self.folder, env=self.bare_environment(), input=text,
                              capture_output=True, text=True, timeout=patience(120))

    def bare_environment(self):
        """As users have it: the program starts itself anew with its own settings of OpenMP."""
        return {key: value for key, value in self.environment().items() if key != "OMP_WAIT_POLICY"}

    def test_a_run_is_the_same_as_from_a_file_and_can_be_resumed(self):
        self.run_ok("--set", "name=file")
        self.assertEqual(self.pipe(SMOKE, "--set", "train.epochs=1").returncode, 0)
        result = self.pipe(SMOKE, "--resume")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(deterministic(self.trace("smoke"))["epochs"], deterministic(self.trace("file"))["epochs"])

    def test_each_run_of_a_grid_reads_all_of_it(self):
        for jobs in ("1", "2"):
            result = self.pipe(SMOKE, "--output", f"runs/{jobs}", "--jobs", jobs, "tuner.lambda=[0.1, 0.01, 0.001]")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(len(self.json(jobs, "smoke", "grid.json")["runs"]), 3)

    def test_mistakes_have_their_place(self):
        def error(text, *arguments):
            result = self.pipe(text, *arguments)
            self.assertEqual(result.returncode, 2, result.stderr)
            return result.stderr.strip()
        self.assertEqual(error("name: x\noptimzer: {}\n"),
                         "apo-train: error: <stdin>:2:1: unknown key 'optimzer'; did you mean 'optimizer'?")
        self.assertIn("<stdin>: no file to call the run by; give name: in it, or --set name=", error("train: {epochs: 1}\n"))
        self.assertIn("<stdin>: nothing came", error("", "name=x"))
        self.assertIn("<stdin>: more than 16 MiB", error("#" * (17 << 20), "name=x"))

    def test_the_command_line_names_a_run_without_a_name(self):
        result = self.pipe(SMOKE.replace("name: smoke", ""), "--print-config", "name=other")
        self.assertIn("name: other\n", result.stdout)


class Starters(ApoTrainTest):
    def settings(self, text):
        """The configuration with every default, but for its name."""
        self.write("my.yaml", text)
        return re.sub(r"^name: .*\n", "", self.run_ok("--print-config", config="my.yaml").stdout)

    def test_every_example_begins_one_that_says_the_same(self):
        for name in EXAMPLES:
            with self.subTest(name):
                original = re.sub(r"^name: .*\n", "", self.run_ok("--print-config", config=name).stdout)
                starter = self.run_ok("--init", name, config=None).stdout
                self.assertEqual(self.settings(starter), original)
                opened = re.sub(r"^( *)#(?=[a-z])", r"\1", starter, flags=re.MULTILINE)
                self.assertGreater(len(re.findall(r"^ *#[a-z]", starter, re.MULTILINE)), 15)
                self.assertEqual(self.settings(opened), original)

    def test_a_starter_runs_as_printed(self):
        starter = self.run_ok("--init", "quickstart_fashionmnist", config=None).stdout
        self.write("my.yaml", starter)
        self.run_ok("--dry-run", config="my.yaml")

    def test_what_the_command_line_sets_is_in_it(self):
        starter = self.run_ok("--init", "mnist_mlp_adam", "train.epochs=3", "--seed", "4", config=None).stdout
        self.assertRegex(starter, r"(?m)^seed: 4 ")
        self.assertRegex(starter, r"(?m)^  epochs: 3 ")
        self.assertRegex(starter, r"(?m)^  #steps: 0 ")

    def test_without_a_name_or_with_a_wrong_one_it_says_what_there_is(self):
        self.assert_fails(2, "--init", config=None, says=["--init: needs a name", *EXAMPLES])
        self.assert_fails(2, "--init", "mnist_mlp_adm", config=None,
                          says=["--init mnist_mlp_adm: no such configuration", "did you mean 'mnist_mlp_adam'?"])


class Completion(ApoTrainTest):
    def script(self, shell):
        return self.run_ok("--completion", shell, config=None).stdout

    def complete(self, *words):
        """What bash offers for the last of `words`, as readline cuts them."""
        program = 'source ./script; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _apo_train; printf "%s\\n" "${COMPREPLY[@]}"'
        self.write("script", self.script("bash"))
        result = subprocess.run(["bash", "-uc", program, "bash", "apo-train", *words], cwd=self.folder,
                                capture_output=True, text=True, timeout=patience(20))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return set(result.stdout.split())

    def test_bash_offers_what_is_accepted(self):
        self.write("own.yaml", SMOKE)
        for words, offered in (
            (["--dr"], {"--dry-run"}),
            (["--progress", "o"], {"on", "off"}),
            (["--progress", "="], {"auto", "on", "off"}),
            (["--log-level", "=", "w"], {"warn"}),
            (["--set", "tuner.lam"], {"tuner.lambda="}),
            (["tuner.lam"], {"tuner.lambda="}),
            (["--tuner.lam"], {"--tuner.lambda="}),
            (["--set", "optimizer.name", "=", "ad"], {"adam"}),
            (["optimizer.name", "=", "rm"], {"rmsprop"}),
            (["--optimizer.name", "rm"], {"rmsprop"}),
            (["--set", "tuner.lambda", "="], set()),
            (["--config", "own"], {"own.yaml"}),
            (["--config", "quickst"], {"quickstart_fashionmnist"}),
            (["--init", "mnist_mlp_a"], {"mnist_mlp_adam"}),
            (["--seed", ""], set()),
        ):
            with self.subTest(words):
                self.assertEqual(self.complete(*words), offered)
        self.assertLessEqual({"--config", "--set", "--help", "--completion"}, self.complete("--"))

    def test_every_option_of_the_help_is_offered(self):
        options = set(re.findall(r"^  (?:-h,)?(--[a-z-]+)", self.run_ok("--help", config=None).stdout, re.MULTILINE))
        self.assertGreater(len(options), 20)
        self.assertEqual(self.complete("--"), options)
        for shell in ("zsh", "fish"):
            for option in options:
                self.assertIn(option if shell == "zsh" else f"-l {option[2:]} ", self.script(shell))

    def test_scripts_are_of_their_shells_syntax(self):
        for shell, check in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "--no-execute"])):
            with self.subTest(shell):
                script = self.write("script", self.script(shell))
                if not shutil.which(shell):
                    self.skipTest(f"{shell} is not installed")
                result = subprocess.run([*check, str(script)], capture_output=True, text=True)
                self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_file_whose_name_is_a_command_is_not_offered(self):
        self.write("configs/$(touch hacked).yaml", "")
        self.assertNotIn("touch", self.script("bash") + self.script("zsh") + self.script("fish"))


class Manual(ApoTrainTest):
    def page(self):
        return self.run_ok("--man", config=None).stdout

    def test_it_has_what_the_help_has(self):
        text = self.page().replace("\\-", "-")
        for option in re.findall(r"^  (--[a-z-]+)", self.run_ok("--help", config=None).stdout, re.MULTILINE):
            self.assertIn(f"\\fB{option}\\fR", text)
        for section in ("NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES", '"EXIT STATUS"'):
            self.assertIn(f"\n.SH {section}\n", text)

    def test_groff_has_nothing_to_say_against_it(self):
        if not shutil.which("groff"):
            self.skipTest("groff is not installed")
        result = subprocess.run(["groff", "-k", "-man", "-ww", "-Tutf8", "-rLL=78n"], input=self.page(), capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("--run-index", re.sub(r"\x1b\[\d*m|.\x08", "", result.stdout).replace("‐", "-").replace("−", "-"))


class Version(ApoTrainTest):
    def test_it_names_all_that_the_program_is_made_of(self):
        said = self.run_ok("--version", config=None).stdout
        self.assertRegex(said, r"\Aapo-train \d+\.\d+\.\d+ \(LibTorch \d+\.\d+\.\d+, commit [\w.-]*\)\n")
        self.assertRegex(said, r"\nCUDA: +(none|\d+\.\d+)\n")
        self.assertRegex(said, r"\nCompiler: +(g\+\+|clang) \d+\.\d+")


if __name__ == "__main__":
    unittest.main()
