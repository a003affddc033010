#!/usr/bin/env python3
"""apo-train against PyTorch, in turns (A B A B …), so that whatever else the machine does falls on both.

    compare.py [--models mlp,cnn,…] [--rounds N] [--threads N] [--device cpu|cuda] [--json FILE]
    compare.py --merge FILE --json FILE           only takes over the numbers that another machine has measured

Times are of a step, from the second half of each run: no start-up, no first allocations. Ratios are taken within a round;
their median counts. Called by scripts/benchmark.sh. Environment: APO_TRAIN, the program; PEER_PYTHON, a Python with torch,
without which apo-train is measured alone.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
from paper import machine, origin, runs  # noqa: E402

CONFIG = "configs/smoke/mlp.yaml"
PROGRAM = os.environ.get("APO_TRAIN", str(ROOT / "build/default/bin/apo-train"))
PEER = os.environ.get("PEER_PYTHON")

SGD = "optimizer={name: sgd, learning_rate: 0.01}"
KFAC = "optimizer={name: kfac, learning_rate: 1e-3}"
CONSTANT = [SGD, "tuner={name: constant}"]


def apo(interval, more=""):
    return [SGD, f"tuner={{name: apo, form: paper, lambda: 1e-3, interval: {interval}{more}}}"]


DEFAULT = ["optimizer={name: sgd}", "tuner={name: movement}"]
EVERY = {"constant": CONSTANT, "APO, K = 1": apo(1), "movement, K = 1": [DEFAULT[0], "tuner={name: movement, interval: 1}"]}
LAYERS = {"APO, K = 1, per layer": apo(1, ", scope: per_layer")}
TENTH = {"default": DEFAULT, "APO": apo(10), "APO, lean": apo(10, ", lean: true"), "APO, per layer": apo(10, ", scope: per_layer")}
CURVATURE = {"K-FAC": [KFAC, "tuner={name: constant}"],
             "K-FAC, APO": [KFAC, "tuner={name: apo, lambda: 0.1, interval: 10, tune: [learning_rate, damping]}"]}
# Steps 3 and 4 of a run, one of which takes new eigenvectors, as later every 200th does: too long on a CPU to wait for more.
COLD_KFAC = "optimizer={name: kfac, learning_rate: 1e-3, warmup_batches: 0}"
FIRST = {"K-FAC, steps 3 and 4": [COLD_KFAC, "tuner={name: constant}"],
         "K-FAC, APO, K = 1, steps 3 and 4": [COLD_KFAC, "tuner={name: apo, lambda: 0.1, interval: 1, tune: [learning_rate, damping]}"]}
# Each runs right behind the one of ours that it is held against.
PEERS = {"constant": ("constant", ["--work", "constant"]), "with a DataLoader": ("constant", ["--work", "loader"]),
         "APO, K = 1": ("APO, K = 1", ["--work", "apo", "--interval", "1"]), "APO": ("APO", ["--work", "apo", "--interval", "10"]),
         "compiled": ("constant", ["--work", "constant", "--compile"]),
         "compiled, APO": ("APO", ["--work", "apo", "--interval", "10", "--compile"])}

# Of each model: batch size, picture, steps of half a run on a CPU and on a GPU, what is run.
MODELS = {
    "mlp": (100, "", (100, 500), {**EVERY, **TENTH, **CURVATURE}),
    "cnn": (100, "", (60, 300), {**EVERY, **TENTH, **CURVATURE}),
    "resnet18": (128, ", channels: 3, height: 32, width: 32", (2, 100), {**EVERY, **LAYERS, **FIRST}),
    "resnet34": (128, ", channels: 3, height: 32, width: 32", (2, 100), {**EVERY, **LAYERS, **FIRST}),
}


def settings_of(model, device):
    """What is run of a model: on a GPU ten steps are no matter even for the largest."""
    if device == "cpu":
        return MODELS[model][3]
    return {name: setting for name, setting in {**MODELS[model][3], **TENTH}.items() if name not in FIRST}


def words(model, batch, picture, half, settings, options):
    """What a run of two epochs of `half` steps sets."""
    dataset = f"dataset={{name: synthetic, batch_size: {batch}, train_examples: {batch * half}, test_examples: {batch}{picture}}}"
    return [dataset, f"model={model}", *settings, "name=timed", "train.epochs=2", "train.checkpoint_every=0", f"precision={options.precision}"]


def timed(settings, options):
    """Milliseconds a step of apo-train in the second epoch, the process's peak memory, the program's commit."""
    with tempfile.TemporaryDirectory() as folder:
        command = [PROGRAM, "--config", str(ROOT / CONFIG), "--output", folder, "--progress", "off", "--log-level", "warn",
                   "--device", options.device, "--threads", str(options.threads), *(f"--set={s}" for s in settings)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        of_run = runs.Runs(folder)
        trace, summary = of_run.trace("timed"), of_run.summary("timed")
    (first, second), steps = trace["epochs"]["wall_seconds"], trace["epochs"]["step"]
    return 1000 * (second - first) / (steps[1] - steps[0]), summary["peak_memory_bytes"], trace["environment"]["commit"]


def peer(arguments, options):
    command = [PEER, str(ROOT / "benchmarks/pytorch_peer.py"), "--threads", str(options.threads), "--device", options.device, *arguments]
    if options.precision in ("bfloat16", "tf32"):
        command += [f"--{options.precision}", "--channels-last"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def theirs(arguments, options):
    told = peer(arguments, options)
    return told["milliseconds"], told["peak_memory_bytes"], None


def planned(model, options):
    """{name: (what runs it, what it is told)}, the peers' names prefixed, each right behind the one of ours that it is held against."""
    batch, picture, halves, _ = MODELS[model]
    half = halves[options.device != "cpu"]
    plan = {}
    for name, settings in settings_of(model, options.device).items():
        plan[name] = timed, words(f"{{name: {model}}}", batch, picture, half, settings, options)
        for peer_name, (beside, work) in PEERS.items():
            if beside == name and (half % 10 == 0 or peer_name != "with a DataLoader"):
                told = ["--model", model, "--batch-size", str(batch), "--steps", str(2 * half), *work]
                plan[f"PyTorch, {peer_name}"] = theirs, told
    return plan


def config_hash(run, told):
    return origin.hash_of(origin.here(CONFIG) if run is timed else "", told)


def complaints(numbers):
    """A line for each of the numbers that was measured with other settings than these, and does not say so."""
    for key, entry in numbers.items():
        options = argparse.Namespace(device=entry["device"], precision=key.rsplit(", ", 2)[1])
        for model, of_model in entry["models"].items():
            plan = planned(model, options)
            for name, found in of_model.items():
                why = origin.complaint(found, config_hash(*plan[name]))
                if why:
                    yield f"{key}, {model}, {name}: {why}"


def rounds_of(name, rounds):
    """K-FAC's runs are long, and nothing is asked of them: two rounds are enough, of the ResNets one."""
    if name in FIRST:
        return 1
    return min(rounds, 2) if name in CURVATURE else rounds


def measure(model, options, keep):
    """{name: {"milliseconds": one for each round, "peak_memory_bytes": the most, "commit", "config"}}, which is kept as it comes in;
    what fails is left out. Returns whether nothing did."""
    plan = {name: of_plan for name, of_plan in planned(model, options).items()
            if re.search(options.runs, name) and (PEER or of_plan[0] is timed)}
    found = {name: {"milliseconds": [], "peak_memory_bytes": 0, "config": config_hash(*of_plan)} for name, of_plan in plan.items()}
    for turn in range(options.rounds):
        for name, (run, told) in plan.items():
            if name not in found or turn >= rounds_of(name, options.rounds):
                continue
            try:
                milliseconds, memory, commit = run(told, options)
            except subprocess.CalledProcessError as error:  # which has said why
                print(f"{model:9} {name:28} left out: exit code {error.returncode}", flush=True)
                del found[name]
                continue
            found[name]["milliseconds"].append(round(milliseconds, 3))
            found[name] |= {"peak_memory_bytes": max(memory, found[name]["peak_memory_bytes"]), "commit": commit}
            keep({name: numbers for name, numbers in found.items() if numbers["milliseconds"]})
    for name, numbers in found.items():
        times = numbers["milliseconds"]
        print(f"{model:9} {name:28} {statistics.median(times):9.2f} ms a step ({min(times):.2f} to {max(times):.2f}), "
              f"{numbers['peak_memory_bytes'] / 2**20:.0f} MiB", flush=True)
    return len(found) == len(plan)


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
    options = parser.parse_args()
    if options.merge:
        merge(json.loads(pathlib.Path(options.merge).read_text()), pathlib.Path(options.json))
        return
    forget_how_threads_wait()
    key = f"{machine.device_name(options.device)}, {options.precision}, {options.threads} thread(s)"
    file = pathlib.Path(options.json) if options.json else None
    known = json.loads(file.read_text()).get(key, {}) if file and file.exists() and options.runs else {}
    rates = known.get("machine") or (peer(["--work", "machine"], options) if PEER else None)
    whole = True
    for model in options.models.split(","):
        def keep(found, model=model):
            if file:
                merge({key: {"device": options.device, "machine": rates, "models": {model: found}}}, file)

        whole = measure(model, options, keep) and whole
    if not whole:
        sys.exit(1)


if __name__ == "__main__":
    main()
