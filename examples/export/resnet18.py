#!/usr/bin/env python3
"""torchvision's ResNet-18, with the stem for pictures of 32 x 32, as TorchScript: resnet18.py resnet18.pt

    model: {name: torchscript, path: resnet18.pt}

Scripted, not traced: BatchNorm does other things in training than in evaluation. Needs torch and torchvision.
"""

import sys

import torch
import torchvision


def make(classes=10, channels=3):
    model = torchvision.models.resnet18(num_classes=classes)
    model.conv1 = torch.nn.Conv2d(channels, 64, kernel_size=3, padding=1, bias=False)
    model.maxpool = torch.nn.Identity()
    return model


if __name__ == "__main__":
    torch.manual_seed(0)  # of the initial weights, which the file holds
    torch.jit.script(make()).save(sys.argv[1])
