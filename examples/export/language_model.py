#!/usr/bin/env python3
"""A Transformer of two layers that predicts the next token, as TorchScript: language_model.py language_model.pt [DROPOUT]

    model: {name: torchscript, path: language_model.pt}

It takes tokens, int64 [B, T], to an output for each token that may follow each of them, [B, T, tokens]. Scripted, not traced: it has
dropout, and a trace would keep the length T that it has seen. Needs torch.
"""

import sys

import torch
from torch import nn


class LanguageModel(nn.Module):
    def __init__(self, tokens=256, length=128, width=128, heads=4, layers=2, dropout=0.1):
        super().__init__()
        self.token = nn.Embedding(tokens, width)
        self.position = nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, tokens)

    def forward(self, x):
        positions = torch.arange(x.size(1), device=x.device)
        unseen = torch.ones(x.size(1), x.size(1), dtype=torch.bool, device=x.device).triu(1)
        z = self.layers(self.token(x) + self.position(positions), mask=unseen)
        return self.head(self.norm(z))


if __name__ == "__main__":
    torch.manual_seed(0)  # of the initial weights, which the file holds
    torch.jit.script(LanguageModel(dropout=float(sys.argv[2]) if len(sys.argv) > 2 else 0.1)).save(sys.argv[1])
