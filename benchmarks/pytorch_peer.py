#!/usr/bin/env python3
"""What a PyTorch user would write instead: the same models, steps and meta steps, timed. Prints one line of JSON.

    pytorch_peer.py --model mlp|cnn|resnet18|resnet34 --work constant|apo|loader|machine [--compile] [--steps N] [--interval K] …

constant: SGD on a batch that lies ready. loader: the same, fed by a DataLoader of two workers with torchvision's transforms.
apo: every K steps a meta step in two passes, which is the fastest that eager PyTorch does. machine: no training, but what the
processor or the device can do at most: matrix products, and bytes copied. --compile: what a user would do for speed, outputs,
loss and J through torch.compile(mode="max-autotune"), which on a GPU records CUDA graphs, and the fused optimizer.
Times are of the second half of the steps.
Needs torch, and for `loader` numpy, torchvision and pillow (benchmarks/requirements.txt).
"""

import argparse
import json
import resource
import time

import torch
from torch import nn
from torch.nn import functional as F

SHAPES = {"mlp": (1, 28, 28), "cnn": (1, 28, 28), "resnet18": (3, 32, 32), "resnet34": (3, 32, 32)}
BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.main = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
                                  nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return F.relu(self.main(x) + self.shortcut(x))


def make_model(name, width):
    if name == "mlp":
        hidden = width or 1000
        return nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    if name == "cnn":
        return nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(),
                             nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 7 * 7, 10))
    inputs = width or 64
    layers = [nn.Conv2d(3, inputs, 3, 1, 1, bias=False), nn.BatchNorm2d(inputs), nn.ReLU()]
    for stage, count in enumerate(BLOCKS[name]):
        outputs = (width or 64) * 2 ** stage
        for block in range(count):
            layers.append(BasicBlock(inputs, outputs, 2 if stage > 0 and block == 0 else 1))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


class Training:
    def __init__(self, options):
        self.device = torch.device(options.device)
        self.network = make_model(options.model, options.width).to(self.device)
        if options.channels_last:
            self.network = self.network.to(memory_format=torch.channels_last)
        self.parameters = list(self.network.parameters())
        self.log_rate = torch.tensor(0.01, device=self.device).log().requires_grad_()
        self.sgd = torch.optim.SGD(self.parameters, lr=0.01, fused=options.compile or None)
        self.meta = torch.optim.RMSprop([self.log_rate], lr=0.1, alpha=0.99)
        self.cast = torch.autocast(self.device.type, torch.bfloat16, enabled=options.bfloat16)
        self.compiled = options.compile
        if self.compiled:
            # The candidates of a search are compiled by threads at once; by its processes, one after another.
            torch._inductor.config.compile_threads = 1 if self.device.type == "cuda" else None
            for name in ("output", "loss", "objective"):
                setattr(self, name, torch.compile(getattr(self, name), mode="max-autotune", dynamic=False))

    def output(self, x):
        with self.cast:
            return self.network(x).float()

    def loss(self, x, y):
        return F.cross_entropy(Training.output(self, x), y)

    def objective(self, x, y, x_tilde, before):
        after, after_tilde = Training.output(self, torch.cat([x, x_tilde])).split(len(x))
        return F.cross_entropy(after, y) + 1e-3 * (after_tilde - before).square().sum(1).mean()

    def kept(self, tensors):
        """Those that a compiled pass left: the next one writes over its graph's memory."""
        return [t.clone() for t in tensors] if self.compiled else tensors

    def base_step(self, x, y, x_tilde=None):
        """x_tilde: with a meta step on this batch. The rate is fetched after each, as an eager program does."""
        self.sgd.zero_grad()
        self.loss(x, y).backward()
        if x_tilde is not None:
            self.meta_step(x, y, x_tilde)
            self.sgd.param_groups[0]["lr"] = self.log_rate.exp().item()
        self.sgd.step()

    def meta_step(self, x, y, x_tilde):
        gradients, theta = self.kept([p.grad for p in self.parameters]), [p.detach().clone() for p in self.parameters]
        rate = self.log_rate.detach().exp()
        with torch.no_grad():
            before, = self.kept([self.output(x_tilde)])
            torch._foreach_sub_(self.parameters, [rate * g for g in gradients])
        v = torch.autograd.grad(self.objective(x, y, x_tilde, before), self.parameters)
        with torch.no_grad():
            self.log_rate.grad = -rate * sum((a * b).sum() for a, b in zip(v, gradients))
            torch._foreach_copy_(self.parameters, theta)
        for p, g in zip(self.parameters, gradients):
            p.grad = g
        self.meta.step()


def loader_batches(shape, batch_size, examples):
    import numpy
    from PIL import Image
    from torchvision import transforms

    class Pictures(torch.utils.data.Dataset):
        pixels = numpy.random.default_rng(0).integers(0, 256, (examples, *(shape[1:] if shape[0] == 1 else (32, 32, 3))), dtype=numpy.uint8)
        augmentation = [transforms.RandomCrop(32, 4), transforms.RandomHorizontalFlip()] if shape[0] == 3 else []
        transform = transforms.Compose([*augmentation, transforms.ToTensor(), transforms.Normalize([0.5] * shape[0], [0.5] * shape[0])])

        def __len__(self):
            return examples

        def __getitem__(self, i):
            return self.transform(Image.fromarray(self.pixels[i])), i % 10

    return iter(torch.utils.data.DataLoader(Pictures(), batch_size, shuffle=True, num_workers=2, drop_last=True))


def synchronise(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def best_seconds(work, device, rounds=10):
    work()
    seconds = []
    for _ in range(rounds):
        synchronise(device)
        start = time.perf_counter()
        work()
        synchronise(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def machine(device, bfloat16):
    """Operations of a large matrix product, and bytes read and written by a copy, in a second."""
    n = 8192 if device.type == "cuda" else 2048
    a = torch.randn(n, n, device=device, dtype=torch.bfloat16 if bfloat16 else torch.float32)
    source = torch.zeros(1 << (28 if device.type == "cuda" else 26), device=device)
    target = torch.zeros_like(source)
    return {"flops": 2 * n ** 3 / best_seconds(lambda: a @ a, device),
            "bytes": 8 * source.numel() / best_seconds(lambda: target.copy_(source), device)}


def peak_memory(device):
    """As apo-train counts it: of the process on the CPU, on a GPU what is reserved there."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", choices=SHAPES, default="mlp")
    parser.add_argument("--work", choices=["constant", "apo", "loader", "machine"], default="constant")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--width", type=int, default=0, help="hidden units, or filters of the first stage; 0: the usual")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--interval", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--tf32", action="store_true")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True  # as apo-train chooses algorithms
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = options.tf32  # and multiplies
    device = torch.device(options.device)
    if options.work == "machine":
        print(json.dumps(machine(device, options.bfloat16)))
        return

    training, shape, size = Training(options), SHAPES[options.model], options.batch_size
    x, x_tilde = (torch.randn(size, *shape, device=device) for _ in range(2))
    if options.channels_last:
        x, x_tilde = (t.to(memory_format=torch.channels_last) for t in (x, x_tilde))
    y = torch.randint(0, 10, (size,), device=device)
    batches = loader_batches(shape, size, size * options.steps) if options.work == "loader" else None

    half = max(1, options.steps // 2)
    for t in range(2 * half):
        if t == half:
            synchronise(device)
            start = time.perf_counter()
        if batches:
            x, y = (part.to(device) for part in next(batches))
        tuned = options.work == "apo" and t % options.interval == 0
        training.base_step(x, y, x_tilde if tuned else None)
    synchronise(device)
    milliseconds = 1000 * (time.perf_counter() - start) / half
    print(json.dumps({"milliseconds": milliseconds, "peak_memory_bytes": peak_memory(device)}))


if __name__ == "__main__":
    main()
