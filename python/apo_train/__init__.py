"""apo-train from Python: starts the program, and reads what its runs wrote.

    import apo_train
    run = apo_train.run("mnist_mlp_adam", train__epochs=2, optimizer__name="sgdm")
    run.summary["final"]["test"]["accuracy"]
    run.frame("steps").plot(x="step", y="learning_rate", logy=True)
    weights = run.weights()

The program is a process of its own, which uses the LibTorch of this Python's PyTorch. Keys of a configuration, and what the files of a
run hold, are in the program's docs/config.md and docs/trace.md.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

__all__ = ["ApoTrainError", "Run", "main", "program", "run"]


class ApoTrainError(RuntimeError):
    """The program refused or failed: the line that it said.

    exit_code: 2 wrong usage or configuration, 3 data or LibTorch missing, 4 diverged, 5 some runs of a grid failed, 128 + signal:
    interrupted, and saved. folder: of the run, where one was begun.
    """

    def __init__(self, message: str, exit_code: int, folder: pathlib.Path | None = None):
        super().__init__(message)
        self.exit_code = exit_code
        self.folder = folder


class Run:
    """The folder of a run, a population or a grid."""

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = pathlib.Path(folder)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def summary(self) -> dict[str, Any]:
        """summary.json: how the run ended; of a grid grid.json, its runs with the best first."""
        name = "grid.json" if (self.folder / "grid.json").exists() else "summary.json"
        return self._json(name)

    @property
    def trace(self) -> dict[str, Any]:
        """trace.json: lists, None where a value is not finite, under `steps`, `meta`, `epochs`, `hyperparameters`, and the header."""
        return self._json("trace.json")

    @property
    def runs(self) -> list[Run]:
        """The runs of a grid, the members of a population."""
        return [Run(path.parent) for path in sorted(self.folder.glob("*/summary.json"))]

    def frame(self, part: str = "epochs") -> Any:
        """A part of the trace as a pandas.DataFrame: `steps`, `meta` (with `gradient.NAME`), `epochs`, `rollbacks`, `freezes`
        or `warnings`; or `hyperparameters`, by base step, with a column for each."""
        import pandas

        trace = self.trace
        parts = [key for key in ("steps", "meta", "epochs", "rollbacks", "freezes", "warnings", "hyperparameters") if key in trace]
        if part not in parts:
            raise KeyError(f"{part}: not in the trace of {self.folder}; accepted: {', '.join(parts)}")
        if part == "hyperparameters":
            return pandas.DataFrame({name: pandas.Series(one["value"], one["step"]) for name, one in trace[part].items()})
        gradient = {f"gradient.{name}": column for name, column in trace[part].get("gradient", {}).items()}
        columns = {name: column for name, column in trace[part].items() if isinstance(column, list)}
        return pandas.DataFrame(columns | gradient)

    def schedule(self) -> dict[str, list[float]]:
        """What each base step used: a list for each tuned hyperparameter, `learning_rate` first, of layers `learning_rate/LAYER`, with a
        number for each step. The learning rate has its schedule in it. As tuner.name: replay takes it from the same trace; what
        `trace.every` left out is put between its neighbours, by their logarithms."""
        return _schedule(self.trace)

    def weights(self, framework: str = "numpy", average: bool = False) -> dict[str, Any]:
        """Parameters and buffers at the end, by PyTorch's names, as arrays of NumPy or tensors of PyTorch (framework="torch");
        average=True: the averaged ones, of a run with train.average.half_life. Needs the package safetensors."""
        if framework not in ("numpy", "torch"):
            raise ValueError(f"framework = {framework!r}; accepted: 'numpy', 'torch'")
        import safetensors

        file = self.folder / ("model_average.safetensors" if average else "model.safetensors")
        if not file.exists():
            raise FileNotFoundError(f"{file}: missing; it is written when the run ends")
        with safetensors.safe_open(file, "np" if framework == "numpy" else "pt") as content:
            return {name: content.get_tensor(name) for name in content.keys()}

    def _json(self, name: str) -> dict[str, Any]:
        try:
            return json.loads((self.folder / name).read_bytes())
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.folder / name}: missing; it is written when the run ends") from None


def _schedule(trace: Mapping[str, Any]) -> dict[str, list[float]]:
    steps, rates = trace["steps"]["step"], trace["steps"]["learning_rate"]
    length = max([steps[-1] + 1, *trace["epochs"]["step"][-1:]])
    tuned = trace["hyperparameters"]

    def between(values: list[float]) -> list[float]:
        found = []
        for a, b, start, end in zip(values, values[1:] + values[-1:], steps, [*steps[1:], length]):
            ratio = b / a if a > 0 and b > 0 else 0
            found += [a] + [a * ratio ** (i / (end - start)) if ratio else a + (b - a) * i / (end - start) for i in range(1, end - start)]
        return found

    def held(column: Mapping[str, list[Any]]) -> list[float]:
        return [value for value, start, end in zip(column["value"], column["step"], [*column["step"][1:], length]) for _ in range(start, end)]

    layers = [name for name in tuned if name.startswith("learning_rate/")]
    learned = {name: held(tuned[name]) for name in tuned}
    schedule = {} if layers else {"learning_rate": between(rates)}
    if layers:
        means = [math.exp(math.fsum(math.log(learned[name][step]) for name in layers) / len(layers)) for step in steps]
        factors = [1 if abs(rate / mean - 1) < 1e-9 else rate / mean for rate, mean in zip(rates, means)]
        schedule = {name: [value * factor for value, factor in zip(learned[name], between(factors))] for name in layers}
    return schedule | {name: values for name, values in learned.items() if name not in layers and name != "learning_rate"}


def run(config: str | os.PathLike[str] | Mapping[str, Any], *, output: str | os.PathLike[str] = "runs", resume: bool = False,
        overwrite: bool = False, quiet: bool = False, **overrides: Any) -> Run:
    """Trains, and returns when the run has ended; Ctrl-C lets it save first, and resume=True goes on with it.

    config: a YAML file, the name of one that comes with the program, or the configuration itself; it has a `name`, which becomes a folder
    in `output`. overrides: as the program's --set, with __ for the dot: seed=1, train__epochs=2, optimizer={"name": "adam"} for a
    whole section, grid={"seed": [0, 1]}. quiet: do not pass on to stderr what the program says.
    Raises ApoTrainError with the line that the program said.
    """
    with _as_file(config) as file:
        command = [program(), "--config", file, "--output", os.fspath(output)]
        for key, value in overrides.items():
            command += ["--set", f"{key.replace('__', '.')}={json.dumps(value, default=os.fspath)}"]
        resolved = subprocess.run([*command, "--print-config"], env=_environment(), capture_output=True, encoding="utf-8")
        _check(resolved.returncode, resolved.stderr.splitlines())
        name = re.search(r"^name: (['\"]?)(.*)\1$", resolved.stdout, re.M)
        folder = pathlib.Path(output) / (name[2] if name else "")
        command += ["--progress", "off", *(["--resume"] if resume else []), *(["--overwrite"] if overwrite else [])]
        _check(*_follow(command, quiet), folder)
    return Run(folder)


def program() -> str:
    """The program: $APO_TRAIN, or what this package carries."""
    path = os.environ.get("APO_TRAIN") or pathlib.Path(__file__).parent / "program/bin/apo-train"
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"{path}: no program; install the wheel apo-train, or name a program with APO_TRAIN")
    return os.fspath(path)


def main() -> NoReturn:
    """The command apo-train: this process becomes the program."""
    try:
        path = program()
    except FileNotFoundError as error:
        sys.exit(f"apo-train: error: {error}")
    os.execve(path, [path, *sys.argv[1:]], _environment())


def _environment() -> dict[str, str]:
    """The launcher looks for LibTorch in $PYTHON's PyTorch."""
    return {**os.environ, "PYTHON": sys.executable}


@contextlib.contextmanager
def _as_file(config: str | os.PathLike[str] | Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(config, Mapping):
        yield os.fspath(config)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "config.yaml")
        file.write_text(json.dumps(config, indent=1, default=os.fspath))  # which is YAML
        yield str(file)


def _follow(command: list[str], quiet: bool) -> tuple[int, list[str]]:
    """Runs it to its end: its exit code, and what it said."""
    said = []
    with subprocess.Popen(command, env=_environment(), encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            for line in process.stdout or ():
                said.append(line.rstrip("\n"))
                if not quiet:
                    print(line, end="", file=sys.stderr)
        except KeyboardInterrupt:
            process.wait()  # the program got the signal as well, and saves
            raise
    return process.returncode, said


def _check(exit_code: int, said: list[str], folder: pathlib.Path | None = None) -> None:
    if exit_code == 0:
        return
    said = [line for line in said if not line.startswith("traces: ")]
    errors = [line for line in said if "error: " in line]
    if exit_code == 5 and not errors:
        errors = ["some runs of the grid failed; grid.json says which"]
    line = (errors or said or [f"exit code {exit_code}"])[-1]
    raise ApoTrainError(line.removeprefix("apo-train: error: "), exit_code, folder)
