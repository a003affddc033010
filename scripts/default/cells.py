"""What a study consists of: a cell is one run, of a task with one setting of an arm and a seed.

A search takes place with the seed SEARCH_SEED; with the other seeds only the setting that won it is trained.
"""

import functools
import math
from typing import NamedTuple

from default.arms import ARMS, Arm
from default.tasks import Task, all_tasks
from paper import origin

SEARCH_SEED = 0
SEEDS = range(10)  # that may be asked for

config_hash = functools.lru_cache(maxsize=None)(origin.hash_of)


class Cell(NamedTuple):
    task: Task
    arm: Arm
    setting: str
    seed: int

    @property
    def key(self):
        """Its name among the records."""
        return "/".join([self.task.name, self.arm.name, self.setting, str(self.seed)])

    @property
    def words(self):
        return [word.replace("TURN", str(self.task.turn)) for word in self.arm.settings[self.setting]]

    @property
    def config(self):
        """The hash of what its configuration and the table say."""
        return config_hash(self.task.text, tuple(self.words))


def loss_of(record):
    """The mean loss over the training set at the end; infinite where it diverged."""
    loss = record["loss"]
    return math.inf if record["status"] == "diverged" or loss is None else loss


def recorded(records, cell, resolved=None):
    """The record of a cell, unless it was made with another definition. resolved: the hash of the configuration with every default,
    which is asked only where the arm is what the program does by default."""
    record = records.get(cell.key)
    if not record or record["config"] != cell.config:
        return None
    return record if resolved is None or record.get("resolved") == resolved else None


def searched(records, task, arm):
    """{setting: record} of the search, in the table's order."""
    found = {setting: recorded(records, Cell(task, arm, setting, SEARCH_SEED)) for setting in arm.settings}
    return {setting: record for setting, record in found.items() if record}


def winner(records, task, arm):
    """The setting that won the search; None while it is not over."""
    if len(arm.settings) == 1:
        return next(iter(arm.settings))
    found = searched(records, task, arm)
    return min(found, key=lambda setting: loss_of(found[setting])) if len(found) == len(arm.settings) else None


def of(records, task, arm, seed):
    """The cells of an arm with a seed, as far as they are known."""
    if arm.half not in (None, task.half):
        return []
    if seed == SEARCH_SEED:
        return [Cell(task, arm, setting, seed) for setting in arm.settings]
    setting = winner(records, task, arm)
    return [] if setting is None else [Cell(task, arm, setting, seed)]


def stale(records):
    """The keys of records that belong to no cell of the tables as they are."""
    tasks = {task.name: task for task in all_tasks()}
    found = []
    for key in records:
        task, arm, setting, seed = key.split("/")
        known = task in tasks and arm in ARMS and setting in ARMS[arm].settings
        if not known or not recorded(records, Cell(tasks[task], ARMS[arm], setting, int(seed))):
            found.append(key)
    return found
