"""scripts/trace_to_csv prints what trace.json has."""

import csv
import io
import subprocess
import unittest

from apo_train import ROOT, ApoTrainTest, patience


class TraceToCsv(ApoTrainTest):
    def script(self, *words):
        return subprocess.run([ROOT / "scripts/trace_to_csv", *words], cwd=self.folder, capture_output=True, text=True, timeout=patience(20))

    def columns(self, *words):
        """Numbers by column; empty cells are None."""
        result = self.script("runs/smoke", *words)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        number = {"": None, "True": True, "False": False}
        return {key: [number[cell[key]] if cell[key] in number else float(cell[key]) for cell in rows] for key in rows[0]}

    def test_every_part_is_that_of_the_trace(self):
        self.run_ok("--set", "tuner.scope=per_layer", "--set", "train.evaluate_every=2")
        trace = self.trace("smoke")
        self.assertEqual(self.columns(), trace["steps"])
        self.assertEqual(self.columns("--part", "steps"), trace["steps"])
        self.assertEqual(self.columns("--part", "epochs"), trace["epochs"])
        self.assertIn(None, trace["epochs"]["test_loss"])
        meta = self.columns("--part", "meta")
        self.assertEqual(sum(meta.pop("skipped")), trace["meta"].pop("skipped"))
        gradient = {f"gradient.{name}": column for name, column in trace["meta"].pop("gradient").items()}
        self.assertGreater(len(gradient), 1)
        self.assertEqual(meta, trace["meta"] | gradient)
        tuned = {name: column["value"] for name, column in trace["hyperparameters"].items()}
        self.assertEqual(self.columns("--part", "hyperparameters"), {"step": trace["meta"]["step"], **tuned})

    def test_a_trace_that_ends_within_a_line_is_read_to_there(self):
        self.write("runs/smoke/trace.jsonl", '{"type":"header"}\n{"type":"step","step":0,"loss":null,"learning_rate":0.1}\n{"type":"step","st')
        self.assertEqual(self.columns(), {"step": [0], "loss": [None], "learning_rate": [0.1]})

    def test_warnings_of_a_run_without_any_are_a_table_without_rows(self):
        self.run_ok("--set", "tuner={name: constant}")
        result = self.script("runs/smoke", "--part", "warnings")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "step,kind,message\n", ""))

    def test_what_it_cannot_do_is_one_line(self):
        self.run_ok("--set", "tuner={name: constant}")
        for words, says in ((["runs/nowhere"], "runs/nowhere/trace.jsonl: cannot be read"), (["runs/smoke", "--part", "losses"], "accepted: steps, epochs"),
                            (["runs/smoke", "--part"], "accepted: steps"), (["runs/smoke", "--part", "meta"], "no records of 'meta'")):
            with self.subTest(words):
                result = self.script(*words)
                self.assertEqual((result.returncode, result.stdout, len(result.stderr.splitlines())), (1, "", 1))
                self.assertIn(says, result.stderr)


if __name__ == "__main__":
    unittest.main()
