"""One run of a W&B sweep: trains with the keys that the agent suggests and logs the epochs.

Usage: train.py CONFIG [--KEY=VALUE ...]
APO_TRAIN names the program where it is not in PATH. Needs: pip install wandb
"""

import json
import os
import pathlib
import subprocess
import sys

import wandb

with wandb.init() as run:
    subprocess.run([os.environ.get("APO_TRAIN", "apo-train"), "--config", sys.argv[1], "--name", run.id, *sys.argv[2:]], check=True)
    epochs = json.loads(pathlib.Path("runs", run.id, "trace.json").read_text())["epochs"]
    for number, loss in zip(epochs["epoch"], epochs["train_loss"]):
        run.log({"epoch": number, "train_loss": loss})
