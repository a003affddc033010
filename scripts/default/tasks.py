"""What is learned: the configurations of configs/default/, a folder for each half and for each group of what was added when both had been judged."""

import re
from typing import NamedTuple

from paper import ROOT

FOLDER = ROOT / "configs/default"
HALVES = ("calibration", "held_out")
CONFIRMATION = "confirmation"  # for the second form of the default: nothing was trained on them while it was chosen
SECOND = "second"  # a second held-out half, for the third form: nothing was trained on them while it was chosen
THIRD = "third"  # and a third, for the fourth form
FOURTH = "fourth"  # and a fourth, for the fifth
ADDED = "added"  # of other kinds; they stand apart
GROUPS = (*HALVES, FOURTH, THIRD, SECOND, CONFIRMATION, ADDED)


class Task(NamedTuple):
    name: str
    half: str  # or another group
    text: str

    @property
    def path(self):
        return FOLDER / self.half / f"{self.name}.yaml"

    def number(self, key):
        return int(re.search(rf"\b{key}: (\d+)", self.text)[1])

    @property
    def steps(self):
        return -(-self.number("train_examples") // self.number("batch_size")) * self.number("epochs")

    @property
    def turn(self):
        """Steps between the exchanges of a population, of which there are eleven or more."""
        return self.steps // 12


def tasks(half):
    return [Task(file.stem, half, file.read_text()) for file in sorted((FOLDER / half).glob("*.yaml"))]


def all_tasks():
    return [task for half in GROUPS for task in tasks(half)]
