"""The data of the tasks that were added afterwards, into data/default/: a table of scikit-learn's, pictures as targets, Debian's licences,
and a Transformer with its first weights. Needs scikit-learn, PyTorch and safetensors (tests/requirements.txt)."""

import csv
import os
import pathlib
import sys

from paper import ROOT

FOLDER = ROOT / "data/default"
LICENCES = pathlib.Path("/usr/share/common-licenses")
AUTOENCODER_EXAMPLES = (6144, 2000)


def diabetes(file):
    from sklearn.datasets import load_diabetes
    table = load_diabetes(scaled=False)
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*table.feature_names, "progression"])
        writer.writerows([*map(float, row), float(target)] for row, target in zip(table.data, table.target))


def autoencoder(file):
    """Pictures from 0 to 1, as inputs and as targets."""
    import numpy
    from safetensors.numpy import save_file
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from rivals_peer import splits
    parts = zip(("train", "test"), splits("mnist", pathlib.Path(os.environ.get("APO_DATA_ROOT") or ROOT / "data")), AUTOENCODER_EXAMPLES)
    pictures = {part: (pixels[:count].reshape(count, -1) / 255).astype(numpy.float32) for part, (pixels, _), count in parts}
    save_file({f"{part}_{role}": pixels for part, pixels in pictures.items() for role in ("inputs", "targets")}, file)


def licences(file):
    """Each once, in the order of their names."""
    file.write_bytes(b"\n".join(text.read_bytes() for text in sorted(LICENCES.iterdir()) if not text.is_symlink()))


def language_model(file):
    import torch
    torch.manual_seed(0)
    sys.path.insert(0, str(ROOT / "examples/export"))
    from language_model import LanguageModel
    torch.jit.script(LanguageModel(length=64, width=64)).save(str(file))


FILES = {"diabetes.csv": diabetes, "mnist_autoencoder.safetensors": autoencoder, "licences.txt": licences, "language_model.pt": language_model}


def write():
    """What is there already stays."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in FILES.items():
        if not (FOLDER / name).exists():
            part = FOLDER / f"{name}.part"
            make(part)
            part.replace(FOLDER / name)
        print(FOLDER / name)
