"""What the program says on terminals of any width, on those that cannot redraw, and where there is none."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unittest

from apo_train import ApoTrainTest

GRID = ("--set", "grid={optimizer.name: [sgd, adam], seed: [0, 1]}", "--set", "dataset.validation_share=0.2", "--set", "name=grid")
WIDE = ("--set", "dataset.validation_share=0.2", "--set", "train.average.half_life=0.3")
CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Terminal(ApoTrainTest):
    def seen(self, columns, *arguments, **environment):
        """What a terminal of that width gets, stdout and stderr."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen(self.command(*arguments), cwd=self.folder, env={**self.environment(), **environment},
                                   stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        text = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux: nobody holds the other side any more
                break
            if not part:
                break
            text += part
        os.close(ours)
        self.assertEqual(process.wait(), 0, text)
        return text.decode()

    def lines(self, text):
        """As they stand on the screen in the end: of a line that is drawn anew the last state."""
        return [CONTROL.sub("", line.rstrip("\r").split("\r")[-1]) for line in text.split("\n")]

    def test_no_line_is_wider_than_the_terminal_but_for_a_name_or_a_path(self):
        for columns in (40, 80, 200):
            for arguments in (WIDE, GRID):
                for line in self.lines(self.seen(columns, *arguments, "--overwrite")):
                    named = re.search(r"\S*[=/]\S*", line)
                    with self.subTest(columns=columns, line=line):
                        self.assertLessEqual(len(line[:named.start()] if named else line), columns)

    def test_a_wide_terminal_and_the_log_have_an_epoch_in_one_line(self):
        wide, narrow = self.seen(240, *WIDE), self.seen(60, *WIDE, "--overwrite")
        epoch = re.compile(r"^epoch +1 .*train loss .*validation loss .*of the average .*learning rate", re.M)
        self.assertRegex("\n".join(self.lines(wide)), epoch)
        self.assertNotRegex("\n".join(self.lines(narrow)), epoch)
        self.assertRegex((self.folder / "runs/smoke/log.txt").read_text().replace("info ", "info \n"), epoch)

    def test_a_grid_shows_what_it_is_ranked_by_and_the_more_the_wider(self):
        for columns, head in ((200, "rank  validation  train loss  test accuracy  learning rate  seconds    status  run"),
                              (40, "rank  validation  test accuracy  run")):
            self.assertIn(head, self.lines(self.seen(columns, *GRID, "--overwrite")))

    def test_nothing_is_drawn_where_lines_cannot_be_cleared(self):
        self.assertIn("\x1b[K", self.seen(80, TERM="xterm"))
        self.assertNotIn("\x1b", self.seen(80, "--overwrite", TERM="dumb"))
        self.assertIn("\x1b[K", self.seen(80, "--overwrite", "--progress", "on", TERM="dumb"))  # asked for
        piped = self.run_ok("--overwrite")
        self.assertNotIn("\x1b", piped.stdout + piped.stderr)

    def test_there_are_no_colours_with_no_color_and_none_without(self):
        colour = re.compile(r"\x1b\[[0-9;]*m")
        for environment in ({}, {"NO_COLOR": "1"}):
            self.assertNotRegex(self.seen(80, *GRID, "--overwrite", TERM="xterm-256color", **environment), colour)


if __name__ == "__main__":
    unittest.main()
