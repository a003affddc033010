"""What has been learned stays learned, however long a run goes on with the program's defaults."""

import sys
import unittest

from apo_train import BINARY, ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from default import easy  # noqa: E402
from default.arms import OF_RULE  # noqa: E402


class EasyProblems(unittest.TestCase):
    def test_the_default_ruins_none_that_it_has_learned(self):
        found = easy.ruined(str(BINARY), list(OF_RULE), [0])
        self.assertEqual({of: count for of, count in found.items() if count}, {})
