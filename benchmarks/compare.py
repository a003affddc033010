#!/usr/bin/env python3
"""apo-train against PyTorch, in turns (A B A B …), so that whatever else the machine does falls on both.

    compare.py [--models mlp,cnn,…] [--rounds N] [--threads N] [--device cpu|cuda] [--json FILE]
    compare.py --merge FILE --json FILE           only takes over the numbers that another machine has measured
    compare.py --lean GRID.json… OUTPUT.json      only gathers what faithful and lean runs ended with

Times are of a step, from the second half of each run: no start-up, no first allocations. Ratios are taken within a round;
their median counts. Called by scripts/benchmark.sh. Environment: APO_TRAIN, the program; PEER_PYTHON, a Python with torch,
without which apo-train is measured alone.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("APO_TRAIN", str(ROOT / "build/default/bin/apo-train"))
PEER = os.environ.get("PEER_PYTHON")

SGD = "optimizer={name: sgd, learning_rate: 0.01}"
KFAC = "optimizer={name: kfac, learning_rate: 1e-3}"
CONSTANT = [SGD, "tuner={name: constant}"]


def apo(interval, more=""):
    return [SGD, f"tuner={{name: apo, form: paper, lambda: 1e-3, interval: {interval}{more}}}"]


EVERY = {"constant": CONSTANT, "APO, K = 1": apo(1)}
LAYERS = {"APO, K = 1, per layer": apo(1, ", scope: per_layer")}
TENTH = {"APO": apo(10), "APO, lean": apo(10, ", lean: true"), "APO, per layer": apo(10, ", scope: per_layer")}
CURVATURE = {"K-FAC": [KFAC, "tuner={name: constant}"],
             "K-FAC, APO": [KFAC, "tuner={name: apo, lambda: 0.1, interval: 10, tune: [learning_rate, damping]}"]}
# Steps 3 and 4 of a run, one of which takes new eigenvectors, as later every 200th does: too long on a CPU to wait for more.
COLD_KFAC = "optimizer={name: kfac, learning_rate: 1e-3, warmup_batches: 0}"
FIRST = {"K-FAC, steps 3 and 4": [COLD_KFAC, "tuner={name: constant}"],
         "K-FAC, APO, K = 1, steps 3 and 4": [COLD_KFAC, "tuner={name: apo, lambda: 0.1, interval: 1, tune: [learning_rate, damping]}"]}
# Each runs right behind the one of ours that it is held against.
PEERS = {"constant": ("constant", ["--work", "constant"]), "with a DataLoader": ("constant", ["--work", "loader"]),
         "APO, K = 1": ("APO, K = 1", ["--work", "apo", "--interval", "1"]), "APO": ("APO", ["--work", "apo", "--interval", "10"])}

# Of each model: batch size, picture, steps of half a run on a CPU and on a GPU, what is run.
MODELS = {
    "mlp": (100, "", (100, 500), {**EVERY, **TENTH, **CURVATURE}),
    "cnn": (100, "", (60, 300), {**EVERY, **TENTH, **CURVATURE}),
    "resnet18": (128, ", channels: 3, height: 32, width: 32", (2, 50), {**EVERY, **LAYERS, **FIRST}),
    "resnet34": (128, ", channels: 3, height: 32, width: 32", (2, 50), {**EVERY, **LAYERS, **FIRST}),
}


def settings_of(model, device):
    """What is run of a model: on a GPU ten steps are no matter even for the largest."""
    if device == "cpu":
        return MODELS[model][3]
    return {name: setting for name, setting in {**MODELS[model][3], **TENTH}.items() if name not in FIRST}


def steps_of(model, device):
    return MODELS[model][2][device != "cpu"]


def ours(model, settings, options):
    batch, picture, _, _ = MODELS[model]
    return timed(f"{{name: {model}}}", batch, picture, steps_of(model, options.device), settings, options)


def timed(model, batch, picture, half, settings, options):
    """Milliseconds a step of apo-train in the second of two epochs of `half` steps, and the process's peak memory."""
    dataset = f"dataset={{name: synthetic, batch_size: {batch}, train_examples: {batch * half}, test_examples: {batch}{picture}}}"
    settings = [dataset, f"model={model}", *settings, "name=timed", "train.epochs=2", "train.checkpoint_every=0", f"precision={options.precision}"]
    with tempfile.TemporaryDirectory() as folder:
        command = [PROGRAM, "--config", str(ROOT / "configs/smoke/mlp.yaml"), "--output", folder, "--progress", "off", "--log-level", "warn",
                   "--device", options.device, "--threads", str(options.threads), *(f"--set={s}" for s in settings)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        trace = json.loads((pathlib.Path(folder) / "timed/trace.json").read_text())
        summary = json.loads((pathlib.Path(folder) / "timed/summary.json").read_text())
    seconds = trace["epochs"]["wall_seconds"]
    return 1000 * (seconds[1] - seconds[0]) / half, summary["peak_memory_bytes"]


def peer(arguments, options):
    command = [PEER, str(ROOT / "benchmarks/pytorch_peer.py"), "--threads", str(options.threads), "--device", options.device, *arguments]
    if options.precision == "bfloat16":
        command += ["--bfloat16", "--channels-last"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def theirs(model, arguments, options):
    steps = str(2 * steps_of(model, options.device))
    told = peer(["--model", model, "--batch-size", str(MODELS[model][0]), "--steps", steps, *arguments], options)
    return told["milliseconds"], told["peak_memory_bytes"]


def rounds_of(name, rounds):
    """K-FAC's runs are long, and nothing is asked of them: two rounds are enough, of the ResNets one."""
    if name in FIRST:
        return 1
    return min(rounds, 2) if name in CURVATURE else rounds


def measure(model, options):
    """{name: {"milliseconds": one for each round, "peak_memory_bytes": the most}}, the peers' names prefixed; what fails is left
    out. And whether nothing did."""
    tenth = steps_of(model, options.device) % 10 == 0
    runs = {}
    for name, settings in settings_of(model, options.device).items():
        runs[name] = lambda s=settings: ours(model, s, options)
        if PEER:  # at once, while the machine is as it was
            runs |= {f"PyTorch, {peer_name}": lambda a=arguments: theirs(model, a, options)
                     for peer_name, (beside, arguments) in PEERS.items() if beside == name and (tenth or peer_name != "with a DataLoader")}
    runs = {name: run for name, run in runs.items() if re.search(options.runs, name)}
    found = {name: {"milliseconds": [], "peak_memory_bytes": 0} for name in runs}
    for turn in range(options.rounds):
        for name, run in runs.items():
            if name not in found or turn >= rounds_of(name, options.rounds):
                continue
            try:
                milliseconds, memory = run()
            except subprocess.CalledProcessError as error:  # which has said why
                print(f"{model:9} {name:28} left out: exit code {error.returncode}", flush=True)
                del found[name]
                continue
            found[name]["milliseconds"].append(round(milliseconds, 3))
            found[name]["peak_memory_bytes"] = max(memory, found[name]["peak_memory_bytes"])
    for name, numbers in found.items():
        times = numbers["milliseconds"]
        print(f"{model:9} {name:28} {statistics.median(times):9.2f} ms a step ({min(times):.2f} to {max(times):.2f}), "
              f"{numbers['peak_memory_bytes'] / 2**20:.0f} MiB", flush=True)
    return found, len(found) == len(runs)


def gather_lean(*files):
    """{name of the grid: {"faithful": {"train_loss": a number for each seed, "meta_share": …}, "lean": …}}"""
    found = {}
    for file in files[:-1]:
        grid = json.loads(file.read_text())
        runs = sorted(grid["runs"], key=lambda run: run["values"]["seed"])
        summaries = {run["label"]: json.loads((file.parent / run["folder"] / "summary.json").read_text()) for run in runs}
        found[grid["name"]] = {name: {"train_loss": [run["train_loss"] for run in of], "meta_share": [summaries[run["label"]]["meta_share"] for run in of]}
                               for name, of in ((name, [run for run in runs if run["values"]["tuner.lean"] == lean])
                                                for name, lean in (("faithful", False), ("lean", True)))}
    files[-1].write_text(json.dumps(found, indent=1) + "\n")


def merge(measured, file):
    """Takes {machine: {"device", "machine", "models"}} over into a file; what it has of other machines, models and runs stays."""
    numbers = json.loads(file.read_text()) if file.exists() else {}
    for key, entry in measured.items():
        known = numbers.setdefault(key, {**entry, "models": {}})
        known["machine"] = entry["machine"] or known["machine"]
        for model, runs in entry["models"].items():
            known["models"].setdefault(model, {}).update(runs)
    file.write_text(json.dumps(numbers, indent=1) + "\n")


def forget_how_threads_wait():
    """Each program has its own default, and is measured with that."""
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        os.environ.pop(name, None)


def device_name(device):
    if device == "cpu":
        names = [line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        return names[0] if names else platform.machine()
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", default="mlp,cnn")
    parser.add_argument("--runs", default="", metavar="REGEX", help="only runs whose names it matches; the numbers of others in the file stay")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--json", help="write the numbers there; those of other models in it stay")
    parser.add_argument("--merge", metavar="JSON", help="take over the numbers of this file, from another machine, into that of --json")
    parser.add_argument("--lean", nargs="+", metavar="JSON", help="the grids, and the file to write")
    options = parser.parse_args()
    if options.lean:
        gather_lean(*map(pathlib.Path, options.lean))
        return
    if options.merge:
        merge(json.loads(pathlib.Path(options.merge).read_text()), pathlib.Path(options.json))
        return
    forget_how_threads_wait()
    key = f"{device_name(options.device)}, {options.precision}, {options.threads} thread(s)"
    machine = peer(["--work", "machine"], options) if PEER else None
    file = pathlib.Path(options.json) if options.json else None
    whole = True
    for model in options.models.split(","):
        found, nothing_failed = measure(model, options)
        whole = whole and nothing_failed
        if file:
            merge({key: {"device": options.device, "machine": machine, "models": {model: found}}}, file)
    if not whole:
        sys.exit(1)


if __name__ == "__main__":
    main()
