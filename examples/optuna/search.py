"""Optuna asks for a run, apo-train trains it, Optuna is told how it ended.

Usage: python3 search.py CONFIG [TRIALS]
    CONFIG   a file, or a name in configs/; the keys below are set over it
    TRIALS   how many more runs (default: 20); the study is kept in runs/optuna/study.db and goes on
APO_TRAIN names the program where it is not in PATH. Needs: pip install optuna
"""

import json
import os
import pathlib
import subprocess
import sys

import optuna

RUNS = pathlib.Path("runs/optuna")


def suggest(trial):
    """The keys to search: any of docs/config.md, as they stand there."""
    return {
        "optimizer.name": trial.suggest_categorical("optimizer.name", ["sgdm", "adam"]),
        "optimizer.learning_rate": trial.suggest_float("optimizer.learning_rate", 1e-4, 1.0, log=True),
        "tuner.name": "constant",
    }


def train(trial, config):
    """The loss that a run with the suggested keys ends with; nothing where it diverged."""
    keys = [f"--{key}={value}" for key, value in suggest(trial).items()]
    program = os.environ.get("APO_TRAIN", "apo-train")
    words = [program, "--config", config, *keys, "--name", f"trial_{trial.number}", "--output", str(RUNS), "--progress", "off", "--overwrite"]
    code = subprocess.run(words).returncode
    if code == 4:  # diverged
        return None
    if code != 0:  # a mistake, or an interruption: apo-train has said which
        sys.exit(code)
    final = json.loads((RUNS / f"trial_{trial.number}" / "summary.json").read_text())["final"]
    return final.get("validation", final["train"])["loss"]


def main():
    RUNS.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(study_name="apo-train", storage=f"sqlite:///{RUNS}/study.db", load_if_exists=True,
                                sampler=optuna.samplers.TPESampler(seed=0))
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 20):
        trial = study.ask()
        loss = train(trial, sys.argv[1])
        # A pruned trial counts as worse than any loss; a failed one would be forgotten.
        study.tell(trial, loss, state=optuna.trial.TrialState.PRUNED if loss is None else None)
    print(f"best: trial {study.best_trial.number}, loss {study.best_value:.4g}, {study.best_params}")


if __name__ == "__main__":
    main()
