"""Every script says what it does when asked, and refuses what it does not know, before it does anything."""

import os
import shutil
import subprocess
import unittest

from apo_train import ROOT, ApoTrainTest, patience

SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if (path.is_file() and os.access(path, os.X_OK)) or (path / "__main__.py").exists())
# What they do not know themselves they hand to apo-train, which refuses it, but not before it was built or trained once.
HAND_ON = {"quickstart.sh", "torture.sh"}


class ScriptHelp(ApoTrainTest):
    def call(self, script, *words):
        command = [script] if script.is_file() else ["python3", script]
        return subprocess.run([*command, *words], cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=patience(20))

    def test_every_script_prints_its_usage_and_writes_nothing(self):
        self.assertGreater(len(SCRIPTS), 15)
        before = sorted(self.folder.rglob("*"))
        for script in SCRIPTS:
            for option in ("--help", "-h"):
                with self.subTest(script=script.name, option=option):
                    result = self.call(script, option)
                    self.assertEqual((result.returncode, result.stderr), (0, ""))
                    self.assertIn(f"scripts/{script.name}", result.stdout)
                    self.assertNotIn("set -euo", result.stdout)
        self.assertEqual(sorted(self.folder.rglob("*")), before)

    def test_every_script_refuses_an_unknown_option_and_names_those_it_knows(self):
        before = sorted(self.folder.rglob("*"))
        for script in SCRIPTS:
            if script.name in HAND_ON:
                continue
            with self.subTest(script=script.name):
                result = self.call(script, "--no-such-option")
                self.assertNotEqual(result.returncode, 0)
                self.assertIn("accepted", result.stderr)
                self.assertIn("--help", result.stderr)
        self.assertEqual(sorted(self.folder.rglob("*")), before)

    def test_an_unknown_part_of_the_ablations_is_refused_before_anything_is_trained(self):
        result = self.call(ROOT / "scripts/ablations.sh", str(self.folder / "runs"), "robustnes")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("robustness", result.stderr)
        self.assertFalse((self.folder / "runs").exists())


class VerifyAll(ApoTrainTest):
    """scripts/verify_all.sh with stubs in place of what takes hours."""

    def setUp(self):
        super().setUp()
        (self.folder / "scripts").mkdir()
        for name in ("verify_all.sh", "common.sh"):
            shutil.copy(ROOT / "scripts" / name, self.folder / "scripts")
        for name in ("test.sh", "build.sh", "fuzz.sh"):
            stub = self.write(f"scripts/{name}", '#!/bin/sh\necho "$0 $*" | tee -a calls\ncase "$*" in *"$FAILS") exit 3 ;; esac\n')
            stub.chmod(0o755)
        self.write(".clang-tidy", "")

    def verify(self, *words, fails="nothing"):
        return subprocess.run(["scripts/verify_all.sh", *words], cwd=self.folder, env={**self.environment(), "FAILS": fails},
                              capture_output=True, text=True, timeout=patience(20))

    def calls(self):
        return (self.folder / "calls").read_text().splitlines()

    def test_all_checks_run_in_order_and_each_has_a_line(self):
        result = self.verify("--fuzz-seconds", "7")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.calls(), ["scripts/test.sh --cpu --preset asan", "scripts/build.sh --cpu --preset tidy",
                                        "scripts/test.sh --cpu --preset tsan", "scripts/fuzz.sh 7"])
        table = [line.split()[:2] for line in result.stdout.splitlines()[-4:]]
        self.assertEqual(table, [[check, "passed"] for check in ("asan", "tidy", "tsan", "fuzz")])

    def test_a_failing_check_is_told_and_the_others_run(self):
        result = self.verify(fails="asan")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(self.calls()), 4)
        table = [line.split()[1] for line in result.stdout.splitlines()[-4:]]
        self.assertEqual(table, ["FAILED", "passed", "passed", "passed"])

    def test_chosen_checks_run_alone_and_unknown_ones_are_refused(self):
        self.assertEqual(self.verify("tsan", "tidy").returncode, 0)
        self.assertEqual([call.split()[-1] for call in self.calls()], ["tidy", "tsan"])
        result = self.verify("ubsan")
        self.assertEqual(result.returncode, 1)
        self.assertIn("asan tidy tsan fuzz", result.stderr)


if __name__ == "__main__":
    unittest.main()
