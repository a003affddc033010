#!/usr/bin/env python3
"""A network from some numbers to one, as TorchScript: regression.py regression.pt [FEATURES]

    model: {name: torchscript, path: regression.pt}
    loss: {name: squared_error}

Traced, which is enough where nothing depends on the mode or on sizes: no dropout, no BatchNorm, no branches. A trace also takes
modules that TorchScript's language does not know. Needs torch.
"""

import sys

import torch
from torch import nn


def make(features=8, hidden=64):
    return nn.Sequential(nn.Linear(features, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1))


if __name__ == "__main__":
    torch.manual_seed(0)  # of the initial weights, which the file holds
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    torch.jit.trace(make(count), torch.zeros(2, count)).save(sys.argv[1])
