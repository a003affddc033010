"""What figures were called when they were judged by another protocol, as older versions of docs/reproduction.md have it."""

LAST_EPOCH = "by the training losses of the last epoch, spikes and all"
PAPERS_LAMBDA = "with the single λ of the configuration, in the same setting"
BIG_BATCHES = "on the same part of the data in batches of 128, that is in a quarter of the steps"
BEST_OF_BOTH = "by the better of SGD-APO and SGDm-APO over all λ that were tried, against all runs without APO"

EARLIER = {
    "fig1cd": "on the seeds on which the default form had been chosen *reproduced* by the last 1,000 steps alone, then *partly* by these and the last step.",
    "table2": "*partly* with λ ≥ 0 in all schedules, the search stopping short; then *partly* by the paper's line of λ alone.",
    "short_horizon": "*reproduced* when hypergradient descent alone was held against the paper's optimal schedule; then *not reproduced* with one seed, one λ "
                     "and one β.",
    "fig7a": f"*reproduced* {LAST_EPOCH}.",
    "fig7bc": f"*partly* {LAST_EPOCH}.",
    "fig7d": "*reproduced* when any loss below K-FAC's counted as substantially below.",
    "fig2c": f"*partly* {PAPERS_LAMBDA}; then *reproduced* {BEST_OF_BOTH}.",
    "fig2d": f"*partly* {BIG_BATCHES}; then *not reproduced* {PAPERS_LAMBDA}.",
    "fig3": "*reproduced* by the lowest of all APO runs, so that damping was not judged.",
    "fig4": f"*partly* {PAPERS_LAMBDA}; then *reproduced* {BEST_OF_BOTH}.",
    "fig5": f"*not reproduced* {PAPERS_LAMBDA}, by an earlier version of the program: with the same λ, and runs without APO that are the same to the last "
            "digit kept. One run of APO tells little here.",
    "fig6": f"*reproduced* {BIG_BATCHES}; then *partly* {PAPERS_LAMBDA}, and *partly* with λ searched, for within twice the best other loss counted.",
    "fig14": f"*partly* {BIG_BATCHES}.",
    "fig15": f"*not reproduced* {PAPERS_LAMBDA}.",
}
