#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets into fuzz/corpus: small sound files of each format, from which the fuzzer begins.
Usage: fuzz/make_corpus.py
Inputs that were findings lie beside them and are left alone; so do the seeds of torchscript where this Python has no torch."""
import base64
import gzip
import json
import pathlib
import struct
import tempfile
import zlib

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"

CONFIGS = {
    "every_kind": """name: x
seed: 1e3
loud: true
colour: green
tuner: {tune: [power, rate], rate: auto, lambda: 0.1}
tool: {name: hammer, weight: .5, sizes: [1, 2]}
limits: {low: -3, high: 10, span: [1e-8, 10]}
""",
    "grid": """tuner:
  lambda: [0.1, 1e-3]
grid:
  seed: [0, 1]
  tool: [{name: saw}, {name: hammer, weight: 2}]
  tool.sizes: [[1, 2], [3]]
""",
    "aliases": "name: &n 'x y'\ntuner: &t {tune: [rate]}\nother: [*n, *t, !!str 1]\n",
    "blocks": "# what\nname: |-\n  several\n  lines\ntool:\n  sizes:\n  - 1\n  - 2\n'colour': \"\\x72ed\"\n? seed\n: 7\n...\n",
    "directives": "%YAML 1.2\n%TAG ! tag:x,2000:\n---\nname: !a >\n  folded\n  text\nseed: ~\n",
    "list": "parts:\n- nail\n- {name: screw, length: 3}\n- name: kit\n  content: [{name: kit, content: [nail]}, screw]\n",
    "override": "tuner.lambda=[0.1, 0.2]",
    "override_section": "tool={name: hammer, sizes: [3]}",
}


def idx(magic, sizes, body):
    return struct.pack(f">I{len(sizes)}I", magic, *sizes) + body


def idx_pair(count, pack=bytes):
    """As fuzz/idx_fuzz.cpp takes its two files apart."""
    labels = pack(idx(0x801, [count], bytes(i % 10 for i in range(count))))
    images = pack(idx(0x803, [count, 28, 28], bytes(i * 7 % 251 for i in range(count * 784))))
    return struct.pack("<H", len(labels)) + labels + images


def cifar(labels):
    return b"".join(bytes(label) + bytes(i * 5 % 256 for i in range(3072)) for label in labels)


def part(kind, body):
    """A part of a MATLAB array, of up to four bytes within its tag."""
    if 1 <= len(body) <= 4:
        return struct.pack("<HH", kind, len(body)) + body.ljust(4, b"\0")
    return struct.pack("<II", kind, len(body)) + body + b"\0" * (-len(body) % 8)


def array(name, matlab_class, shape, kind, body):
    parts = part(6, struct.pack("<II", matlab_class, 0)) + part(5, struct.pack(f"<{len(shape)}i", *shape))
    return part(14, parts + part(1, name.encode()) + part(kind, body))


def compressed(element):
    data = zlib.compress(element)
    return struct.pack("<II", 15, len(data)) + data


def mat(*elements):
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(elements)


def mat_files():
    x = array("X", 9, [32, 32, 3, 2], 2, bytes(i % 256 for i in range(6144)))
    y = array("y", 9, [2, 1], 2, b"\x01\x0a")
    one = array("X", 9, [32, 32, 3], 2, bytes(3072))
    real = array("y", 6, [1, 1], 9, struct.pack("<d", 3))
    text = array("note", 4, [1, 5], 1, b"hello")
    return {
        "plain": mat(x, y),
        "compressed": mat(compressed(y), compressed(x)),
        "one_picture": mat(text, one, real),
        "integers": mat(compressed(one), array("y", 10, [1, 1], 3, struct.pack("<h", 9))),
        "version_4": struct.pack("<5I", 0, 1, 1, 0, 2) + b"y\0" + struct.pack("<d", 1),
        "version_7_3": b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" + bytes(64),
    }


def safetensors(tensors, metadata=None):
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    for name, (kind, shape, content) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def checkpoint(values, strides, tensors):
    """As fuzz/checkpoint_fuzz.cpp takes it apart, which makes the checksums."""
    body = {"step": 12, "best": True, "scheduled": True, "tensors": {}, "strides": strides, "values": values, "config": {"seed": 0}}
    text = json.dumps(body).encode()
    return struct.pack("<H", len(text)) + text + safetensors(tensors)


def checkpoints():
    matrix = ("F32", [2, 3], struct.pack("<6f", *range(6)))
    values = {"step": 12, "loss": 0.5, "bad": {"real": "nan"}, "word": "undefined"}
    return {
        "plain": checkpoint(values, {}, {"a/b": matrix, "n": ("I64", [], struct.pack("<q", 7))}),
        "strided": checkpoint({}, {"m": [1, 2]}, {"m": matrix, "e": ("F64", [0], b""), "f": ("BOOL", [1], b"\1")}),
        "channels_last": checkpoint({}, {"g": [4, 1, 2, 1]}, {"g": ("F32", [2, 1, 2, 2], struct.pack("<8f", *range(8)))}),
    }


def torchscript():
    try:
        import torch
        from torch import nn
    except ImportError:
        return {}
    torch.manual_seed(0)
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 10))
    files = {
        "classifier": lambda file: torch.jit.script(classifier).save(file),
        "traced": lambda file: torch.jit.trace(nn.Linear(2, 1), torch.zeros(1, 2)).save(file),
        "tensors": lambda file: torch.save({"weight": torch.zeros(2)}, file),
    }
    seeds = {}
    for name, save in files.items():
        with tempfile.TemporaryDirectory() as folder:  # an archive holds its file's name
            path = pathlib.Path(folder) / name
            save(str(path))
            seeds[name] = path.read_bytes()
    return seeds


def tensor_parts():
    inputs = {"train_inputs": ("F32", [3, 2], struct.pack("<6f", *range(6))), "test_inputs": ("F32", [1, 2], bytes(8))}
    classes = {"train_targets": ("U8", [3], b"\0\2\1"), "test_targets": ("U8", [1], b"\1")}
    weights = {"train_weights": ("F64", [3], struct.pack("<3d", 0, 1, 0.5))}
    text = ("U16", [2, 2], struct.pack("<4H", 0, 1, 2, 300))
    return {
        "classes": safetensors({**inputs, **classes, **weights}),
        "positions": safetensors({"train_inputs": text, "train_targets": text}),
        "numbers": safetensors({"train_inputs": inputs["train_inputs"], "train_targets": ("F16", [3], bytes(6))}),
    }


TABLES = {
    "classes": b"size,colour,kind\n1,red,a\n2,blue,b\n3.5,red,a\n4,blue,b\n",
    "numbers": b'\xef\xbb\xbf"a ""b""",y\r\n-1e3, .5\r\n\r\n"2",1.5\r\n',
    "lines": b'x,"y\nz"\n1,"a\nb"\n2,c',
    "gzip": gzip.compress(b"x,y\n1,2\n3,4\n5,6\n7,8\n9,0\n", mtime=0),
}


def png(width, height, kind, channels, *chunks, interlaced=0):
    """Of rows without a filter. kind: PNG's colour type."""
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = b"".join(b"\0" + bytes((x * 37 + y * 11) % 256 for x in range(width * channels)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, interlaced)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


# Grey, 8 x 8, as libjpeg-turbo writes it.
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYGBwkIBgcJBwYGCAsICQoKCgoKBggLDAsKDAkKCgr/"
    "wAALCAAIAAgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEI"
    "I0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ip"
    "qrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/AMn4Sf8ABu5/qv8AihvT/l2/+tX/2Q=="
)


def pictures():
    return {
        "grey": png(3, 2, 0, 1),
        "colour": png(2, 3, 2, 3),
        "transparent": png(2, 2, 6, 4),
        "palette": png(2, 2, 3, 1, (b"PLTE", bytes(768))),
        "jpeg": JPEG,
    }


def weights():
    plain = {"fc.weight": ("F32", [1, 2], struct.pack("<2f", 1, 2))}
    return {
        "bare": safetensors(plain),
        "model": safetensors(plain, {"config": "{}", "classes": "10"}),
        "odd_metadata": safetensors({"n": ("I64", [], struct.pack("<q", 7))}, {"config": 1}),
        "pickle": b"PK\3\4archive/data.pkl",
    }


def traces():
    """What a run replays: one rate; a rate for each of two layers, beside another hyperparameter."""
    trace = {"format": "apo-trace", "version": 1, "config": {"tuner": {"name": "apo", "tune": ["learning_rate"]}, "optimizer": {"name": "sgd"}},
             "steps": {"step": [0, 1, 2], "loss": [1, None, 0.5], "learning_rate": [0.1, 0.2, 0.05]}, "meta": {"step": [0]},
             "epochs": {"step": [2, 3], "train_loss": [1, 1]}, "hyperparameters": {}}
    tuned = {f"{name}/{layer}": {"step": [0, 2], "value": [value, 2 * value]}
             for name, value in (("epsilon", 1e-8), ("learning_rate", 0.1)) for layer in ("fc1", "fc2")}
    return {"one_rate": json.dumps(trace).encode(), "layers": json.dumps({**trace, "hyperparameters": tuned}).encode()}


def main():
    seeds = {
        "recorded": traces(),
        "checkpoint": checkpoints(),
        "config": {name: text.encode() for name, text in CONFIGS.items()},
        "idx": {"plain": idx_pair(2), "gzip": idx_pair(3, lambda data: gzip.compress(data, mtime=0))},
        "cifar": {
            "ten": cifar([[0], [9]]),
            "hundred": cifar([[19, 99], [0, 0]]),
            "gzip": gzip.compress(cifar([[3]] * 3), mtime=0),
        },
        "mat": mat_files(),
        "torchscript": torchscript(),
        "tensors": tensor_parts(),
        "csv": TABLES,
        "picture": pictures(),
        "text": {"plain": b"to be or not to be", "gzip": gzip.compress(b"\0\xff" * 20, mtime=0), "short": b"a"},
        "weights": weights(),
    }
    for target, files in seeds.items():
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (CORPUS / target / name).write_bytes(data)


if __name__ == "__main__":
    main()
