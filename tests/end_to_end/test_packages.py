"""The wheel of scripts/package.sh, in a virtual environment that has nothing else."""

import importlib.util
import pathlib
import subprocess
import sys
import unittest

from apo_train import BINARY, ROOT, ApoTrainTest, patience

BUILD = pathlib.Path(BINARY).resolve().parents[1]


def cached(name):
    """What CMake was told."""
    lines = (BUILD / "CMakeCache.txt").read_text().splitlines()
    return next((line.split("=", 1)[1] for line in lines if line.startswith(f"{name}:")), "")


@unittest.skipUnless(BUILD.parent == ROOT / "build" and (BUILD / "CPackConfig.cmake").exists(), "the program is not in a preset's build folder")
@unittest.skipUnless(importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"), "no venv: apt-get install python3-venv")
@unittest.skipUnless(importlib.util.find_spec("safetensors"), "packages of Python cannot be fetched here: pip wants setuptools to make a wheel")
class Wheel(ApoTrainTest):
    def run_in(self, *words, **variables):
        environment = {name: value for name, value in self.environment().items() if name not in ("PYTHONPATH", "APO_TRAIN")}
        result = subprocess.run(list(map(str, words)), cwd=self.folder, env={**environment, **variables}, capture_output=True, text=True, timeout=patience(240))
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_it_installs_the_program_and_the_module(self):
        flavour = "--cuda" if cached("APO_CUDA") == "ON" else "--cpu"  # with the other one it would build the program anew
        said = self.run_in(ROOT / "scripts/package.sh", "wheel", flavour, APO_PRESET=BUILD.name, APO_NO_PACKAGES="1")
        wheel = next(word.rstrip(":") for word in said.split() if ".whl" in word)
        self.run_in(sys.executable, "-m", "venv", "place")
        python, program = (self.folder / "place/bin" / name for name in ("python", "apo-train"))
        self.run_in(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel)
        torch = {"APO_TORCH_DIR": cached("APO_TORCH_DIR")}
        self.assertTrue(self.run_in(program, "--version", **torch).startswith("apo-train "))
        said = self.run_in(python, "-c", "import apo_train; print(apo_train.run('smoke.yaml').summary['status'])", **torch)
        self.assertEqual(said.split()[-1], "finished")


if __name__ == "__main__":
    unittest.main()
