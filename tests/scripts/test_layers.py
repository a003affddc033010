"""The folders of lib/apo depend on each other as the map in CONTRIBUTING.md says."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIB = ROOT / "lib" / "apo"


def map_of_folders():
    """The folders under lib/apo/ on the map, in its order."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"^lib/apo/\n((?:  .*\n)+)", text, re.MULTILINE).group(1)
    return re.findall(r"^  (\w+)/", block, re.MULTILINE)


def sources():
    return sorted(path for path in LIB.rglob("*") if path.suffix in (".h", ".cpp"))


def lines_with(pattern, path):
    """Place and match of each line that has one."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = re.search(pattern, line)
        if match:
            yield f"{path.relative_to(ROOT)}:{number}", match


class Layers(unittest.TestCase):
    def test_the_map_names_every_folder_once(self):
        folders = [path.name for path in LIB.iterdir() if path.is_dir()]
        self.assertEqual(sorted(map_of_folders()), sorted(folders))

    def test_a_folder_includes_only_itself_and_those_above_it(self):
        rank = {folder: i for i, folder in enumerate(map_of_folders())}
        upward = []
        for path in sources():
            own = path.relative_to(LIB).parts[0]
            for place, match in lines_with(r'^#include "apo/(\w+)/', path):
                if rank[match.group(1)] > rank[own]:
                    upward.append(f"{place} includes {match.group(1)}/")
        self.assertEqual(upward, [])

    def test_reading_configurations_needs_base_alone(self):
        others = [
            place
            for path in (LIB / "config").iterdir()
            for place, match in lines_with(r'^#include "apo/(\w+)/', path)
            if match.group(1) not in ("base", "config")
        ]
        self.assertEqual(others, [])

    def test_what_all_of_a_process_shares_is_set_in_one_place(self):
        setters = r"set_num_threads|setAllowTF32|setBenchmarkCuDNN|setDeterministic"
        files = {path for path in sources() if any(lines_with(setters, path))}
        self.assertEqual(files, {LIB / "run" / "process.cpp"})

    def test_every_file_of_tests_in_python_is_run(self):
        listed = set(re.findall(r"\w+", (ROOT / "tests" / "CMakeLists.txt").read_text(encoding="utf-8")))
        files = [path for folder in ("end_to_end", "scripts") for path in (ROOT / "tests" / folder).glob("test_*.py")]
        self.assertEqual([path.name for path in files if path.stem.removeprefix("test_") not in listed], [])

    def test_the_program_is_small(self):
        files = [path for path in (ROOT / "apps" / "apo-train").iterdir() if path.is_file()]
        lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
        # Half of it speaks with shells and other programs: words that set keys, completion, the manual page, starters, stdin.
        self.assertLess(lines, 1800)


if __name__ == "__main__":
    unittest.main()
