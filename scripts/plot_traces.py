#!/usr/bin/env python3
"""Draws training loss, test accuracy and learning rate of runs, from their trace.json, into one SVG or PNG.

    scripts/plot_traces.py OUTPUT.svg [LABEL=]RUN_FOLDER …

A run without a label is called as its folder. Needs python3-matplotlib.
"""

import pathlib

from paper import plots, runs, usage

if __name__ == "__main__":
    output, *folders = usage.words(__doc__, 2)
    plots.curves(pathlib.Path(output), [runs.labelled(word) for word in folders])
