#!/usr/bin/env python3
"""Rivals that come as PyTorch packages, on apo-train's own data, initial parameters and batches. Prints one line of JSON.

    apo-train --config TASK.yaml --print-config | rivals_peer.py RIVAL [--seed N] [--threads N]

RIVAL: schedule_free: AdamW v2 as on AlgoPerf (.0025, β .9 and .9955, weight decay .0812, warm-up). prodigy, d_adaptation: Adam's, rate 1,
no weight decay, a cosine to 0. sgd: plain, rate .1, which shall end where apo-train's does and shows that all else is the same.
Pictures, their order, normalisation, batches and initial parameters depend on the seed as in apo-train (lib/apo/base/random.cpp), to the bit.
Needs what benchmarks/rivals_requirements.txt names.
"""

import argparse
import gzip
import json
import math
import pathlib
import sys
import time

import numpy
import torch
import yaml
from torch import nn
from torch.nn import functional as F

MODEL, TRAINING_BATCHES = 0, 1  # of apo-train's random streams
FOLDERS = {"mnist": "mnist", "fashion_mnist": "fashion-mnist", "cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary", "svhn": "svhn"}
BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}


def mix(z):
    """The finaliser of SplitMix64."""
    mask = (1 << 64) - 1
    z = (z + 0x9e3779b97f4a7c15) & mask
    z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & mask
    z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & mask
    return z ^ (z >> 31)


def stream_seed(seed, stream, part=0):
    return mix(mix(mix(seed) ^ stream) ^ part)


def read_bytes(path):
    return path.read_bytes() if path.exists() else gzip.decompress(path.with_name(path.name + ".gz").read_bytes())


def idx(folder, prefix):
    pixels = numpy.frombuffer(read_bytes(folder / f"{prefix}-images-idx3-ubyte"), numpy.uint8, offset=16).reshape(-1, 1, 28, 28)
    return pixels, numpy.frombuffer(read_bytes(folder / f"{prefix}-labels-idx1-ubyte"), numpy.uint8, offset=8)


def cifar(folder, names, label_bytes):
    rows = numpy.concatenate([numpy.frombuffer((folder / name).read_bytes(), numpy.uint8).reshape(-1, label_bytes + 3072) for name in names])
    return rows[:, label_bytes:].reshape(-1, 3, 32, 32), rows[:, label_bytes - 1]


def svhn(file):
    from scipy.io import loadmat
    arrays = loadmat(file)
    return arrays["X"].transpose(3, 2, 0, 1), arrays["y"].ravel() % 10


def splits(name, root):
    """((pictures [N, C, H, W], labels), the same of the test set), as the files have them."""
    folder = root / FOLDERS[name]
    if not folder.exists() and name == "fashion_mnist":
        folder = pathlib.Path("/usr/share/datasets/fashion-mnist")
    if name in ("mnist", "fashion_mnist"):
        return idx(folder, "train"), idx(folder, "t10k")
    if name == "svhn":
        return svhn(folder / "train_32x32.mat"), svhn(folder / "test_32x32.mat")
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] if name == "cifar10" else ["train.bin"]
    return cifar(folder, names, 1 if name == "cifar10" else 2), cifar(folder, ["test_batch.bin" if name == "cifar10" else "test.bin"], 1 if name == "cifar10" else 2)


def tensors(dataset):
    """(x, y, x of the test set, its y): the first examples, normalised by the training pictures' channels."""
    (train, test) = splits(dataset["name"], pathlib.Path(dataset["root"]))
    parts = []
    for (pictures, labels), count in ((train, dataset["train_examples"]), (test, dataset["test_examples"])):
        count = count or len(labels)
        parts += [torch.tensor(pictures[:count].astype(numpy.float32)), torch.tensor(labels[:count].astype(numpy.int64))]
    pixels = parts[0].double().transpose(0, 1).flatten(1)
    mean, deviation = (statistic.view(-1, 1, 1) for statistic in (pixels.mean(1), pixels.std(1, unbiased=False)))
    scale, shift = (1 / deviation).float(), (-mean / deviation).float()
    return torch.addcmul(shift, parts[0], scale), parts[1], torch.addcmul(shift, parts[2], scale), parts[3]


def convolution(inputs, outputs, kernel, stride):
    made = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    return made


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.main = nn.Sequential(convolution(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs), nn.ReLU(),
                                  convolution(outputs, outputs, 3, 1), nn.BatchNorm2d(outputs))
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return F.relu(self.main(x) + self.shortcut(x))


def make_model(model, shape, classes):
    """Parameters are drawn in apo-train's order."""
    channels, side = shape[0], shape[1]
    if model["name"] == "mlp":
        sizes = [math.prod(shape), *model["hidden"], classes]
        layers = [part for inputs, outputs in zip(sizes, sizes[1:]) for part in (nn.Linear(inputs, outputs), nn.ReLU())]
        return nn.Sequential(nn.Flatten(), *layers[:-1])
    if model["name"] == "cnn":
        layers = []
        for outputs in model["channels"]:
            layers += [nn.Conv2d(channels, outputs, model["kernel"], padding=model["kernel"] // 2), nn.MaxPool2d(2), nn.ReLU()]
            channels, side = outputs, side // 2
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side * side, classes))
    inputs = model["width"]
    layers = [convolution(channels, inputs, 3, 1), nn.BatchNorm2d(inputs), nn.ReLU()]
    for stage, count in enumerate(BLOCKS[model["name"]]):
        outputs = model["width"] << stage
        for block in range(count):
            layers.append(BasicBlock(inputs, outputs, 2 if stage > 0 and block == 0 else 1))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


def cosine(optimizer, steps):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.5 * (1 + math.cos(math.pi * min(t, steps) / steps)))


def make_rival(name, parameters, steps):
    """(optimizer, its schedule or None)"""
    if name == "schedule_free":
        from schedulefree import AdamWScheduleFree
        return AdamWScheduleFree(parameters, lr=0.0025, betas=(0.9, 0.9955159689799007), weight_decay=0.08121616522670176,
                                 warmup_steps=int(0.02 * 0.75 * steps), r=0.75, weight_lr_power=2), None
    if name == "prodigy":
        from prodigyopt import Prodigy
        made = Prodigy(parameters, lr=1.0)
    elif name == "d_adaptation":
        from dadaptation import DAdaptAdam
        made = DAdaptAdam(parameters, lr=1.0)
    else:
        return torch.optim.SGD(parameters, lr=0.1), None
    return made, cosine(made, steps)


@torch.no_grad()
def score(network, x, y):
    """Mean loss and share of right answers."""
    losses, right = 0.0, 0
    for part, of_part in zip(x.split(1000), y.split(1000)):
        z = network(part)
        losses += F.cross_entropy(z, of_part, reduction="sum").item()
        right += (z.argmax(1) == of_part).sum().item()
    return losses / len(y), right / len(y)


def batches(x, y, size, seed, epoch):
    generator = torch.Generator().manual_seed(stream_seed(seed, TRAINING_BATCHES, epoch))
    for chosen in torch.randperm(len(y), generator=generator).split(size):
        yield x[chosen], y[chosen]


def train(network, optimizer, schedule, epochs):
    """epochs: iterables of batches. Whether the loss stayed finite."""
    if hasattr(optimizer, "train"):
        optimizer.train()
    for epoch in epochs:
        for x, y in epoch:
            loss = F.cross_entropy(network(x), y)
            if not math.isfinite(loss.item()):
                return False
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if schedule:
                schedule.step()
    return True


@torch.no_grad()
def statistics_anew(network, epoch):
    """BatchNorm's, of parameters other than those that were trained at: the mean over an epoch."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    for x, _ in epoch if norms else ():
        network(x)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rival", choices=["schedule_free", "prodigy", "d_adaptation", "sgd"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    experiment = yaml.safe_load(sys.stdin)
    if experiment["dataset"]["name"] not in FOLDERS:
        sys.exit(f"dataset.name: {experiment['dataset']['name']}: no such pictures; accepted: {', '.join(FOLDERS)}")
    x, y, test_x, test_y = tensors(experiment["dataset"])
    torch.manual_seed(stream_seed(options.seed, MODEL))
    network = make_model(experiment["model"], x.shape[1:], 100 if experiment["dataset"]["name"] == "cifar100" else 10)
    size, epochs = experiment["dataset"]["batch_size"], experiment["train"]["epochs"]
    optimizer, schedule = make_rival(options.rival, network.parameters(), epochs * -(-len(y) // size))
    start = time.perf_counter()
    finite = train(network, optimizer, schedule, (batches(x, y, size, options.seed, epoch) for epoch in range(epochs)))
    seconds = time.perf_counter() - start
    if hasattr(optimizer, "eval"):
        optimizer.eval()
        statistics_anew(network, batches(x, y, size, options.seed, epochs))
    network.eval()
    (loss, _), (test_loss, accuracy) = score(network, x, y), score(network, test_x, test_y)
    finite = finite and math.isfinite(loss)
    told = {"loss": loss, "test_loss": test_loss, "accuracy": accuracy} if finite else {"loss": None, "test_loss": None, "accuracy": None}
    group = optimizer.param_groups[0]  # d: what a rival has found, without the cosine
    print(json.dumps({"status": "finished" if finite else "diverged", **told, "rate": group.get("d", group["lr"]), "seconds": seconds, "meta_share": 0}))


if __name__ == "__main__":
    main()
