"""What docs/ says of runs: read (runs), told apart (origin), held against the paper (claims), written (a module for each page).

The command line is __main__: `python3 scripts/paper --help`.
"""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RESULTS = ROOT / "results"
