"""The study of the default: one configuration without a search beside calibrated and searched rivals, by the protocol of docs/default.md.

The tables: tasks (configs/default/), arms (what is compared). What is done: cells (what a study consists of), records (results/default.json),
runner (trains what is missing), judge (arithmetic), page and picture (docs/). The command line is __main__: `python3 scripts/default --help`.
"""
