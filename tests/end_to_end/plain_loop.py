"""PyTorch's side of the tests: the loop that anybody would write, on the program's batches and random numbers. Needs torch."""

import json
import re
import struct

import torch
from apo_train import ROOT
from torch.nn import functional as F

# Streams by their place.
RANDOM_STREAM = re.search(r"enum class RandomStream .*?\{(.*?)\};", (ROOT / "lib/apo/base/random.h").read_text(), re.S)[1]
STREAMS = re.findall(r"^ *(\w+),", RANDOM_STREAM, re.M)
torch.set_num_threads(1)


def mix(z):
    """Of lib/apo/base/random.cpp."""
    z = (z + 0x9e3779b97f4a7c15) % 2**64
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9 % 2**64
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb % 2**64
    return z ^ (z >> 31)


def seed_of(seed, stream, part=0):
    return mix(mix(mix(seed) ^ STREAMS.index(stream)) ^ part)


def generator(stream, part=0, seed=0):
    return torch.Generator().manual_seed(seed_of(seed, stream, part))


def synthetic(examples, classes, *shape):
    """The training pictures of dataset.name: synthetic, and their labels."""
    prototypes = torch.rand(classes, *shape, generator=generator("synthetic_data", 0)) * 255
    labels = torch.arange(examples) % classes
    noise = torch.randn(examples, *shape, generator=generator("synthetic_data", 1)) * 40
    return (prototypes[labels] + noise).round().clamp(0, 255), labels


def cifar10(path, examples):
    """The first training pictures of dataset.name: cifar10, from its first file, and their labels."""
    records = torch.frombuffer(bytearray(path.read_bytes()[:3073 * examples]), dtype=torch.uint8).view(examples, 3073)
    return records[:, 1:].reshape(examples, 3, 32, 32), records[:, 0].long()


def text(path, length, examples):
    """The first training examples of dataset.name: text, and for each of their bytes the next."""
    content = torch.tensor(list(path.read_bytes()[:examples * length + 1]))
    return content[:-1].view(examples, length), content[1:].view(examples, length)


def table(rows, test_share=0.2):
    """The training rows of dataset.name: csv, whose last column is a real target: inputs and targets, both standardised."""
    rows = torch.tensor(rows, dtype=torch.float64)
    order = torch.randperm(len(rows), generator=generator("validation_split", 1))  # part 1 is the test set's
    training = torch.ones(len(rows), dtype=torch.bool)
    training[order[:round(test_share * len(rows))]] = False
    rows = rows[training]
    scaled = ((rows - rows.mean(0)) / rows.std(0, correction=0)).float()  # which the program keeps in single precision
    return scaled[:, :-1], scaled[:, -1:]


def cross_entropy(z, y):
    return F.cross_entropy(z.flatten(0, -2), y.flatten())


def squared_error(z, y):
    return (z - y).square().sum(-1).mean()


def losses(model, x, y, batch_size, epochs, rate, loss_of=cross_entropy):
    """Of each step, by SGD. The same batches, and dropout from the same seeds."""
    sgd = torch.optim.SGD(model.parameters(), lr=rate)
    losses = []
    for epoch in range(epochs):
        for chosen in torch.randperm(len(x), generator=generator("training_batches", epoch)).split(batch_size):
            torch.manual_seed(seed_of(0, "network", len(losses)))
            loss = loss_of(model(x[chosen]), y[chosen])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            losses.append(loss.item())
    return losses


def read_safetensors(path):
    """The tensors by name, and the metadata."""
    content = path.read_bytes()
    end = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:end])
    about = header.pop("__metadata__")
    kinds = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64}
    tensors = {}
    for name, entry in header.items():
        begin, stop = (end + offset for offset in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(content[begin:stop]), dtype=kinds[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors, about


def normalised(pixels, about):
    """As the program's network sees them, by the metadata of its parameters."""
    statistics = json.loads(about["normalisation"])
    mean, std = (torch.tensor(statistics[key], dtype=torch.float64).view(-1, 1, 1) for key in ("mean", "std"))
    return (pixels.double() / 255 - mean) / std


def assert_same(test, ours, plain, tensors, model, weights_to):
    """The program's losses are the loop's to 1e-8; its weights `tensors` have the names of the model that the loop has trained, and its values."""
    test.assertEqual(len(ours), len(plain))
    difference = max(abs(own - other) for own, other in zip(ours, plain))
    print(f"{len(plain)} steps, losses {plain[0]:.4f} to {plain[-1]:.4f}, greatest difference {difference:.1e}", end=" ", flush=True)
    test.assertLess(difference, 1e-8)
    trained = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(tensors)  # every name, and no other
    for name, tensor in model.state_dict().items():
        test.assertLess((tensor - trained[name]).abs().max().item(), weights_to, name)
