"""cmake/launcher.sh, the command that packages install: which LibTorch it takes. With a program that only tells what it was given."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = '#!/bin/sh\necho "libraries: $LD_LIBRARY_PATH"\nfor word in "$@"; do echo "word: $word"; done\n'


class Launcher(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = pathlib.Path(made.name).resolve()
        self.lib = self.folder / "strange place/lib/apo-train"
        self.lib.mkdir(parents=True)
        self.command = self.folder / "strange place/bin/apo-train"
        self.command.parent.mkdir()
        shutil.copy(ROOT / "cmake/launcher.sh", self.command)
        (self.lib / "apo-train").write_text(PROGRAM)
        (self.lib / "apo-train").chmod(0o755)
        (self.lib / "libtorch-version").write_text("2.11.0 libtorch_cpu.so\n")

    def torch(self, folder, version=(2, 11, 0), library="libtorch_cpu.so"):
        """A folder that looks like PyTorch's, and must not be imported."""
        torch = folder / "torch"
        (torch / "lib").mkdir(parents=True)
        (torch / "lib" / library).touch()
        (torch / "__init__.py").write_text("raise ImportError('imported')")
        header = torch / "include/torch/headeronly/version.h"
        header.parent.mkdir(parents=True)
        header.write_text("".join(f"#define TORCH_VERSION_{part} {number}\n" for part, number in zip(("MAJOR", "MINOR", "PATCH"), version)))
        return torch

    def call(self, *words, command=None, **variables):
        base = {name: value for name, value in os.environ.items() if name not in ("APO_TORCH_DIR", "PYTHONPATH", "LD_LIBRARY_PATH")}
        variables = {name: str(value) for name, value in variables.items()}
        return subprocess.run([command or self.command, *words], env={**base, "PYTHON": sys.executable, **variables}, cwd=self.folder,
                              capture_output=True, text=True, timeout=30)

    def libraries(self, *words, **variables):
        result = self.call(*words, **variables)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout.splitlines()[0].removeprefix("libraries: ")

    def assert_refuses(self, *says, **variables):
        result = self.call("--config", "a", **variables)
        self.assertEqual((result.returncode, result.stdout), (3, ""))
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("apo-train: error: "), result.stderr)
        for word in says:
            self.assertIn(str(word), result.stderr)

    def test_the_pytorch_of_the_python_is_found_and_not_imported(self):
        torch = self.torch(self.folder / "site packages")
        self.assertEqual(self.libraries(PYTHONPATH=torch.parent), f"{self.lib}:{torch}/lib")
        self.assertEqual(self.libraries(PYTHONPATH=torch.parent, LD_LIBRARY_PATH="/mine"), f"{self.lib}:{torch}/lib:/mine")

    def test_the_named_folder_goes_before_the_one_beside_and_that_before_the_pythons(self):
        mine, pythons = self.torch(self.folder / "mine"), self.torch(self.folder / "site")
        self.torch(self.lib)
        self.assertEqual(self.libraries(APO_TORCH_DIR=mine, PYTHONPATH=pythons.parent), f"{self.lib}:{mine}/lib")
        self.assertEqual(self.libraries(PYTHONPATH=pythons.parent), f"{self.lib}:{self.lib}/torch/lib")

    def test_words_arrive_as_they_were_given(self):
        words = ["--set", "name=a b", "", "*", "$HOME", "--output=ü"]
        result = self.call(*words, APO_TORCH_DIR=self.torch(self.folder))
        self.assertEqual(result.stdout.splitlines()[1:], [f"word: {word}" for word in words])

    def test_it_is_called_through_links_of_any_name(self):
        for name in ("apo-train", "train"):
            link = self.folder / name
            link.symlink_to(self.command)
            self.assertEqual(self.call(command=link, APO_TORCH_DIR=self.torch(self.folder / f"for {name}")).returncode, 0)

    def test_it_may_lie_beside_lib_too(self):
        beside = shutil.copy(self.command, self.folder / "strange place/apo-train")
        self.assertEqual(self.call(command=beside, APO_TORCH_DIR=self.torch(self.folder)).returncode, 0)

    def test_where_there_is_none_it_says_which_to_install(self):
        python = self.folder / "python"  # whose own packages may have a torch
        python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
        python.chmod(0o755)
        self.assert_refuses("PyTorch 2.11.0", python, "APO_TORCH_DIR", PYTHON=python)
        self.assert_refuses("PyTorch 2.11.0", "/no/python", PYTHON="/no/python")
        self.assert_refuses(self.folder, "libtorch_cpu.so", APO_TORCH_DIR=self.folder)

    def test_another_version_is_refused_with_both_numbers(self):
        for version in ((2, 12, 0), (2, 11, 1)):
            torch = self.torch(self.folder / str(version), version)
            self.assert_refuses(torch, ".".join(map(str, version)), "pip install torch==2.11.0", APO_TORCH_DIR=torch)

    def test_a_program_for_gpus_refuses_a_libtorch_for_cpus(self):
        (self.lib / "libtorch-version").write_text("2.11.0 libtorch_cuda.so\n")
        torch = self.torch(self.folder)
        self.assert_refuses(torch, "libtorch_cuda.so", APO_TORCH_DIR=torch)
        (torch / "lib/libtorch_cuda.so").touch()
        self.assertEqual(self.libraries(APO_TORCH_DIR=torch), f"{self.lib}:{torch}/lib")


if __name__ == "__main__":
    unittest.main()
