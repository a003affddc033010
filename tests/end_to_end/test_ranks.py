"""Several ranks, started by mpirun, train one run: as one does, whatever becomes of some of them."""

import unittest

from ranks import Faults, OverMpi, RanksTest, Training


class TrainingOverMpi(OverMpi, Training, RanksTest):
    pass


class FaultsOverMpi(OverMpi, Faults, RanksTest):
    pass


if __name__ == "__main__":
    unittest.main()
