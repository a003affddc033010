"""results/default.json: what came out of each cell, a line for each."""

import contextlib
import fcntl
import json
import os

from paper import RESULTS, machine

FILE = RESULTS / "default.json"


def read():
    """{cell's key: record}"""
    return json.loads(FILE.read_text())["cells"] if FILE.exists() else {}


@contextlib.contextmanager
def changed():
    """The records, to be changed; written back whole. One program at a time, the others wait."""
    folder = os.open(FILE.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        records = read()
        yield records
        write(records)
    finally:
        os.close(folder)


def write(records):
    lines = [f"{json.dumps(key, ensure_ascii=False)}:{json.dumps(records[key], separators=(',', ':'))}" for key in sorted(records)]
    part = FILE.with_suffix(".part")
    part.write_text(f'{{"processor":{json.dumps(machine.device_name())},"cells":{{\n' + ",\n".join(lines) + "\n}}\n")
    part.replace(FILE)


def add(cell, record):
    with changed() as records:
        records[cell.key] = record
