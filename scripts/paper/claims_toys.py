"""The claims on toys and studies, held against results."""

import math
import statistics

from paper.findings import Finding, apart, final_losses, verdict
from paper.runs import by_configuration, final_loss
from paper.tables import table


def by_seed(result):
    """Median, least and most over the seeds of each configuration, of the mean loss of the last 1,000 steps: fixed rates oscillate."""
    losses = {name: [run["epochs"]["train_loss"][-1] for run in runs] for name, runs in by_configuration(result["runs"]).items()}
    return {name: (statistics.median(of_seeds), min(of_seeds), max(of_seeds)) for name, of_seeds in losses.items()}


def rosenbrock(result):
    losses = final_losses(result)
    apo, fixed = losses["rmsprop_apo"], [loss for name, loss in losses.items() if name != "rmsprop_apo"]
    return Finding(f"APO {apo:.1e}, the best fixed rate {min(fixed):.1e} after 40,000 steps", verdict(apo < 1e-9 and min(fixed) > 1e-6))


def rosenbrock_starts(result):
    losses = list(final_losses(result).values())
    holds = max(losses) < 1e-9 and max(losses) < 100 * min(losses)
    return Finding(f"objectives after 40,000 steps from {min(losses):.1e} to {max(losses):.1e}", verdict(holds, max(losses) < 1e-6),
                   "" if holds else "the spread, or the largest, is above the goal of a factor 100 and 1e-9")


def regression(result):
    medians = by_seed(result)
    paper, robust = medians.pop("rmsprop_apo"), medians.pop("rmsprop_apo_robust")
    name, best = min(medians.items(), key=lambda item: item[1][0])
    shown = [f"{label} {middle:.1e} ({least:.1e} to {most:.1e})" for label, (middle, least, most) in
             (("APO", robust), ("in the paper's form", paper), (f"the best fixed rate ({name})", best))]
    ratio = best[0] / robust[0]
    seeds = sorted({int(name.split("seed=")[1]) for name in result["runs"]})
    ends = {name: statistics.median(map(final_loss, runs)) for name, runs in by_configuration(result["runs"]).items()}
    fixed_end = min(loss for name, loss in ends.items() if "apo" not in name)
    shown.append(f"at the very last step, where fixed rates oscillate: {ends['rmsprop_apo_robust']:.1e}, {ends['rmsprop_apo']:.1e} and {fixed_end:.1e}")
    holds = min(ratio, fixed_end / ends["rmsprop_apo_robust"]) >= 10
    return Finding(f"median over the seeds {seeds[0]} to {seeds[-1]} of the mean loss of the last 1,000 steps, APO in its default form, which was chosen among eleven on "
                   f"the seeds 0 to 4: {', '.join(shown)}; {ratio:.0f} times below, in the paper's form {best[0] / paper[0]:.1f} times",
                   verdict(holds, ratio > 1),
                   "" if holds else "at the last step alone that does not hold, for a fixed rate that oscillates is at times lower than its mean, and the paper's form "
                   "falls short of ten times by either measure")


PAPER_TABLE_2 = {"sgd": {"optimal": 3.3, "exponential": 4.6, "linear": 12.5, "fixed": 81.9},
                 "apo": {"optimal": 4.69, "exponential": 6.73, "linear": 15.6, "fixed": 80.8}}


def within_twice(ratios):
    """Table 2's rule: each schedule of λ at most twice SGD's loss; partly with one that is not."""
    return verdict(max(ratios.values()) <= 2, sum(ratio <= 2 for ratio in ratios.values()) >= len(ratios) - 1)


def table_2(result):
    """APO in two rows: λ of any sign, with which the paper's linear schedule is met, and λ ≥ 0, of which APO speaks."""
    study = result["study"]
    losses = {method: {name: family["loss"][-1] for name, family in study[method].items()} for method in ("sgd", "apo")}
    names, sgd, free = list(PAPER_TABLE_2["sgd"]), losses["sgd"], losses["apo"]
    bounded = {**free, "linear": free["linear_positive"]}
    rows = [[label, *(f"{values[name]:.3g}" for name in names)] for label, values in (
        ("SGD, paper", PAPER_TABLE_2["sgd"]), ("SGD, here", sgd), ("SGD + APO, paper", PAPER_TABLE_2["apo"]), ("SGD + APO, here", free),
        ("SGD + APO, here, λ ≥ 0", bounded))]
    ratios, at_least_0 = ({name: values[name] / sgd[name] for name in names} for values in (free, bounded))
    worst, worst_at_least_0 = max(ratios, key=ratios.get), max(at_least_0, key=at_least_0.get)
    line, largest = study["apo"]["linear"]["lambda"], {method: max(study[method]["optimal"]["learning_rate"]) for method in ("sgd", "apo")}
    return Finding(f"f = ½ xᵀHx in expectation, every search run to its end; SGD + APO at most {ratios[worst]:.2f} times SGD ({worst}), with λ ≥ 0 "
                   f"{at_least_0[worst_at_least_0]:.2f} times ({worst_at_least_0}); the rates that minimise each next loss, which is what hypergradient "
                   f"descent aims at: {study['greedy']['loss'][-1]:.3g}\n\n\n"
                   f"{table(['', *names], rows)}\n\n"
                   f"With f = xᵀHx, as printed, every number doubles. The paper bounds λ only in its optimal schedule, and its linear one is met by a line "
                   f"of any sign, here from {line[0]:.3f} to {line[-1]:.3g}; with λ ≥ 0 it is a line whose ends are both 0 or more, and one cut at 0, "
                   f"which is no line, would end at {free['linear_cut']:.3g}. Where the paper's SGD is above ours, its search stopped short: 10,000 Adam "
                   f"steps of 0.001 move a rate by 10 at most, and the optimal ones begin at {largest['sgd']:.0f}, with which the expected loss "
                   f"rises to {max(study['sgd']['optimal']['loss']):.0e} before it falls. Where its numbers are below ours, which are optima in expectation, "
                   "presumably the schedules were fitted to noise drawn once.\n",
                   apart({"with the paper's line of λ": within_twice(ratios), "with λ ≥ 0": within_twice(at_least_0)}),
                   f"reproduced is at most twice SGD's loss in all schedules, partly in all but one; with λ ≥ 0 it is in "
                   f"{sum(ratio <= 2 for ratio in at_least_0.values())} of {len(names)}. "
                   f"λ ≥ 0 keeps η below the inverse of the curvature along the gradient, {largest['apo']:.1f} at most, and with it from SGD's optimum")


def short_horizon(result):
    """The best of each method's grid, by the median over the seeds; and what becomes of hypergradient descent as it follows its aim faster."""
    losses, rates = {}, {}
    for name, runs in by_configuration(result["runs"]).items():
        method, label = name.split("/")
        value = float(label.split("=")[1])
        losses.setdefault(method, {})[value] = statistics.median(map(final_loss, runs))
        rates[method, value] = statistics.median(run["steps"]["learning_rate"][-1] for run in runs)
    best = {method: min(of_method, key=of_method.get) for method, of_method in losses.items()}
    apo, hypergradient, fixed = (losses[method][best[method]] for method in ("apo", "hypergradient", "sgd"))
    fastest = max(losses["hypergradient"])
    seeds = min(len(runs) for runs in by_configuration(result["runs"]).values())
    return Finding(f"median over {seeds} seeds, the best of {len(losses['apo'])} each: APO {apo:.3g} (λ = {best['apo']:g}), hypergradient descent {hypergradient:.3g} "
                   f"(β = {best['hypergradient']:g}), fixed rates {fixed:.3g} ({best['sgd']:g})",
                   verdict(hypergradient > 2 * apo, hypergradient > apo),
                   "" if hypergradient > apo else
                   f"APO has no such bias, its rates do not fall: with one λ for the whole run they settle, at {rates['apo', best['apo']]:.2g} for λ = {best['apo']:g}, and "
                   "it ends as such a fixed rate does. The annealing that this problem rewards would take a schedule of λ, as in Table 2. Hypergradient descent has the "
                   f"bias: the faster it follows its aim, the lower its rate falls, and from β = {best['hypergradient']:g} to {fastest:g} its loss rises from "
                   f"{hypergradient:.3g} to {losses['hypergradient'][fastest]:.3g}, its last rate being {rates['hypergradient', best['hypergradient']]:.2g} and "
                   f"{rates['hypergradient', fastest]:.2g}. But in a slow one the fall is just such an annealing, and it ends below both")


def theorems(result):
    study = result["study"]
    first, second = study["theorem_1"], study["theorem_2"]
    smallest, slack = math.inf, math.inf
    for t, bound in enumerate(first["bound"], 1):
        smallest = min(smallest, first["effective_gradient"][t - 1])
        slack = min(slack, bound / max(smallest ** 2, 1e-300))
    errors = [d for d in second["distance"] if d > 1e-9]
    ratio = max(b / a ** 2 for a, b in zip(errors, errors[1:]))
    last = min(d for d in second["distance"] if d > 0)
    end = f"{last:.0e}, then to 0, to the last bit" if min(second["distance"]) == 0 else f"{last:.0e}"
    return Finding(f"the bound of Eq. 15 is at least {slack:.0f} times the smallest squared effective gradient; ‖Zₖ₊₁ − Z*‖ / ‖Zₖ − Z*‖² stays below "
                   f"{ratio:.3f} (bound {second['ratio_bound']:.3f}) while the error falls to {end}",
                   verdict(slack >= 1 and ratio <= second["ratio_bound"] and min(second["distance"]) < 1e-10))
