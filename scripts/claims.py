"""What the paper claims, figure by figure, and how a result is held against it."""

import dataclasses
import statistics
from typing import Callable


@dataclasses.dataclass
class Finding:
    numbers: str
    verdict: str  # reproduced, partly, not
    because: str = ""


@dataclasses.dataclass
class Claim:
    title: str
    paper: str
    judge: Callable


def final_loss(run):
    """The exact objective of a toy, else the mean loss of the last epoch's steps; infinite where the run diverged."""
    epochs = run["epochs"]
    if run["status"] == "diverged" or not epochs["step"]:
        return float("inf")
    supervised = any(a is not None for a in epochs["test_accuracy"])
    loss = epochs["train_loss" if supervised else "test_loss"][-1]
    return float("inf") if loss is None else loss


def final_losses(result):
    return {name: final_loss(run) for name, run in result["runs"].items()}


def configuration(name):
    """The name of a run without its seed."""
    config, _, label = name.partition("/")
    rest = ",".join(part for part in label.split(",") if not part.startswith("seed="))
    return f"{config}/{rest}" if rest else config


def by_configuration(runs):
    """The runs of each configuration, which differ in their seeds."""
    groups = {}
    for name, run in runs.items():
        groups.setdefault(configuration(name), []).append(run)
    return groups


def by_seed(result):
    """Median, least and most over the seeds of each configuration, of the mean loss of the last 1,000 steps: fixed rates oscillate."""
    losses = {name: [run["epochs"]["train_loss"][-1] for run in runs] for name, runs in by_configuration(result["runs"]).items()}
    return {name: (statistics.median(of_seeds), min(of_seeds), max(of_seeds)) for name, of_seeds in losses.items()}


def verdict(holds, partly=False):
    return "reproduced" if holds else "partly" if partly else "not"


def rate_at_epoch(run, epoch):
    steps, rates = run["steps"]["step"], run["steps"]["learning_rate"]
    last = epoch * run["epochs"]["step"][0] / run["epochs"]["epoch"][0]
    return [rate for step, rate in zip(steps, rates) if step <= last][-1]


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


def mnist(result):
    losses = final_losses(result)
    parts, holds = [], []
    if {"rmsprop_apo", "rmsprop_1e-4"} <= set(losses):
        ratio = losses["rmsprop_1e-4"] / losses["rmsprop_apo"]
        parts.append(f"RMSprop-APO {losses['rmsprop_apo']:.1e}, {ratio:.0f} times below RMSprop 1e-4")
        holds.append(ratio >= 1000)
    for base in ("sgd", "sgdm"):
        fixed = [loss for name, loss in losses.items() if name.startswith(base + "_1e")]
        if base + "_apo" in losses and fixed:
            parts.append(f"{base.replace('sgd', 'SGD')}-APO {losses[base + '_apo']:.1e}, the best fixed rate {min(fixed):.1e}")
            holds.append(losses[base + "_apo"] < min(fixed))
    return Finding("; ".join(parts), verdict(bool(holds) and all(holds) and len(holds) == 3, any(holds)),
                   "" if len(holds) == 3 else f"only {len(losses)} of the curves have been run")


def lowest_is(*names):
    """The method's runs, at the best λ of its grid, end below all others."""
    def judge(result):
        losses = final_losses(result)
        ours = {name: loss for name, loss in losses.items() if name.split("/")[0] in names}
        others = {name: loss for name, loss in losses.items() if name not in ours}
        best, rival = min(ours, key=ours.get), min(others, key=others.get)
        return Finding(f"{best} {ours[best]:.3g}, the best other run ({rival}) {others[rival]:.3g}",
                       verdict(ours[best] <= others[rival], ours[best] <= 2 * others[rival]),
                       "" if result["scale"] != "cpu" else "at this scale: some 600 steps of a narrow network in batches of 32, one run each, APO by the best λ "
                       "of its search (`configs/paper/cpu.args`)")
    return judge


def hyperparameters_together(result):
    losses = final_losses(result)
    holds = losses["rate_power_epsilon"] <= losses["rate"]
    return Finding(", ".join(f"{name} {loss:.2e}" for name, loss in losses.items()), verdict(holds, losses["rate_power_epsilon"] < 10 * losses["rate"]))


def layers(result):
    losses = final_losses(result)
    ratios = {base: losses[f"{base}_per_layer"] / losses[f"{base}_global"] for base in ("sgd", "rmsprop")}
    return Finding("; ".join(f"{base}: per layer {ratio:.2f} times the global loss" for base, ratio in ratios.items()),
                   verdict(max(ratios.values()) <= 2, min(ratios.values()) <= 2),
                   "" if max(ratios.values()) <= 2 else "with the paper's meta learning rate of 0.001 a rate that begins near its best hardly moves, so that "
                   "it does not anneal; the default of `tuner.form: robust` is 0.03 (docs/ablations.md)")


def kfac(result):
    """RMSprop-APO by the best λ of its grid. Substantially is by half."""
    losses = {}
    for name, loss in final_losses(result).items():
        method = name.split("/")[0]
        losses[method] = min(loss, losses.get(method, loss))
    order = sorted(losses, key=losses.get)
    ordered, epochs = losses["kfac_apo"] < losses["kfac"] < losses["rmsprop_apo"], result["runs"]["kfac"]["epochs"]["epoch"][-1]
    holds = ordered and losses["kfac_apo"] <= losses["kfac"] / 2
    return Finding("from the lowest: " + ", ".join(f"{name} {losses[name]:.2e}" for name in order), verdict(holds, ordered),
                   f"the order holds, but after {epochs} epochs of the paper's 100 K-FAC-APO is {100 * (1 - losses['kfac_apo'] / losses['kfac']):.0f} % "
                   "below K-FAC" if ordered and not holds else "")


PAPERS_FORM = ("from large rates the first steps do damage, and the large first meta-gradients stay in the meta-optimizer's statistic; `tuner.form: robust` "
               "starts alike from all of them (docs/ablations.md)")


def initial_rates(because=""):
    """Runs from other first rates end alike; else the reason."""
    def judge(result):
        losses = final_losses(result)
        rates = {name: rate_at_epoch(run, 2) for name, run in result["runs"].items()}
        spread, rate_spread = max(losses.values()) / min(losses.values()), max(rates.values()) / min(rates.values())
        holds = spread <= 10 and rate_spread <= 2
        ordinary = [name for name in losses if not name.endswith("1e-2")]
        rest = max(losses[n] for n in ordinary) / min(losses[n] for n in ordinary)
        rest_rate = max(rates[n] for n in ordinary) / min(rates[n] for n in ordinary)
        return Finding(f"final losses within a factor {spread:.3g}, learning rates after 2 epochs within {rate_spread:.3g}; without 1e-2: {rest:.3g} and "
                       f"{rest_rate:.3g}", verdict(holds, rest <= 10 and rest_rate <= 2),
                       "" if holds else because)
    return judge


PAPER_TABLE_2 = {"sgd": {"optimal": 3.3, "exponential": 4.6, "linear": 12.5, "fixed": 81.9},
                 "apo": {"optimal": 4.69, "exponential": 6.73, "linear": 15.6, "fixed": 80.8}}


def table_2(result):
    ours = {method: {name: family["loss"][-1] for name, family in result["study"][method].items()} for method in ("sgd", "apo")}
    names = list(PAPER_TABLE_2["sgd"])
    rows = ["", "", "| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for method, label in (("sgd", "SGD"), ("apo", "SGD + APO")):
        rows.append(f"| {label}, paper | " + " | ".join(f"{PAPER_TABLE_2[method][n]}" for n in names) + " |")
        rows.append(f"| {label}, here | " + " | ".join(f"{ours[method][n]:.3g}" for n in names) + " |")
    ratios = {n: ours["apo"][n] / ours["sgd"][n] for n in names}
    worst = max(ratios, key=ratios.get)
    line, largest = result["study"]["apo"]["linear"]["lambda"], {m: max(result["study"][m]["optimal"]["learning_rate"]) for m in ("sgd", "apo")}
    greedy = result["study"]["greedy"]["loss"][-1]
    return Finding(f"f = ½ xᵀHx in expectation, every search run to its end; SGD + APO at most {ratios[worst]:.2f} times SGD ({worst}); the rates that "
                   f"minimise each next loss, which is what hypergradient descent aims at: {greedy:.3g}\n" + "\n".join(rows) + "\n\n"
                   f"With f = xᵀHx, as printed, every number doubles. The paper bounds λ only in its optimal schedule, and its linear one is met by a line "
                   f"of any sign, here from {line[0]:.3f} to {line[-1]:.3g}; a line whose ends are both 0 or more ends at {ours['apo']['linear_positive']:.3g}, "
                   f"one cut at 0 at {ours['apo']['linear_cut']:.3g}. Where the paper's SGD is above ours, its search stopped short: 10,000 Adam steps of 0.001 move "
                   f"a rate by 10 at most, and the optimal ones begin at {largest['sgd']:.0f}, with which the expected loss "
                   f"rises to {max(result['study']['sgd']['optimal']['loss']):.0e} before it falls. Where its numbers are below ours, which are optima in expectation, "
                   "presumably the schedules were fitted to noise drawn once.\n",
                   verdict(ratios[worst] <= 2, sum(r <= 2 for r in ratios.values()) >= 3),
                   "" if ratios[worst] <= 2 else f"λ ≥ 0 keeps η below the inverse of the curvature along the gradient, {largest['apo']:.1f} at most, and with it from "
                   f"SGD's optimum; the other schedules are within {max(r for n, r in ratios.items() if n != worst):.2f} times SGD's")


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
    smallest, slack = float("inf"), float("inf")
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


SCEPTIC_RIVALS = {"sgd": ("sgd_decay", "hypergradient", "smd"), "rmsprop": ("rmsprop_decay", "pbt")}  # beside the fixed rates


def sceptic(result):
    """On each data set and base optimizer, the one default configuration against each rival of the same optimizer."""
    losses, rows, compared, beaten, within, won = final_losses(result), [], 0, 0, 0, 0
    below = {"best": 0, "median": 0}
    titles = ("step decay", "hypergradient", "SMD", "PBT")
    for data in dict.fromkeys(name.split("_")[0] for name in losses):
        for base, names in SCEPTIC_RIVALS.items():
            ours = losses[f"{data}_apo_{base}"]
            fixed = sorted(loss for name, loss in losses.items() if name.startswith(f"{data}_{base}/"))
            rivals = {"fixed": fixed[0], **{name: losses[f"{data}_{name}"] for name in names}}
            below["best"] += ours <= fixed[0]
            below["median"] += ours <= statistics.median(fixed)
            compared += len(rivals)
            beaten += sum(ours <= loss for loss in rivals.values())
            within += ours <= 2 * min(rivals.values())
            won += ours <= min(rivals.values())
            shown = {name: f"{loss:.3g}" if ours <= loss else f"**{loss:.3g}**" for name, loss in rivals.items()}
            cells = [f"{shown['fixed']} (others {', '.join(f'{loss:.3g}' for loss in fixed[1:])})"]
            cells += [shown.get(name, "–") for name in (f"{base}_decay", "hypergradient", "smd", "pbt")]
            rows.append(f"| {data} | {base} | {ours:.3g} | " + " | ".join(cells) + " |")
    table = ["", "", "| data | optimizer | APO, defaults | best fixed rate | " + " | ".join(titles) + " |", "|---" * 8 + "|", *rows]
    return Finding(f"APO with its defaults ends below {beaten} of {compared} rivals, below the best fixed rate of three in {below['best']} of {len(rows)} cases, below the "
                   f"middle one in {below['median']}, within twice the loss of the best of all rivals in {within}\n" + "\n".join(table) +
                   "\n\n**Bold**: APO loses.\n",
                   verdict(won == len(rows), won > 0 or within == len(rows)),
                   "" if won == len(rows) else f"it is the lowest of all in {won} of {len(rows)} cases; in the others a rate out of a search, or a schedule made for the length of the "
                   "run, ends lower than one configuration without a search")


def population(result):
    """The training loss of APO at its end, and of the population when all members together have trained for as long."""
    apo, pbt = result["runs"]["rmsprop_apo"], result["runs"]["pbt"]
    rows = zip(pbt["epochs"]["wall_seconds"], pbt["epochs"]["train_loss"])
    at_equal_time = [loss for seconds, loss in rows if seconds * pbt["members"] <= apo["wall_seconds"]]
    ours, theirs = final_loss(apo), at_equal_time[-1] if at_equal_time else pbt["epochs"]["train_loss"][0]
    return Finding(f"APO {ours:.3g}, the best member of the population after as many seconds {theirs:.3g}, and after as many epochs, which take "
                   f"{pbt['wall_seconds'] / apo['wall_seconds']:.1f} times the seconds, {final_loss(pbt):.3g}",
                   verdict(ours <= theirs / 10, ours <= theirs), "" if ours <= theirs / 10 else "an order of magnitude is not reached at this scale")


CIFAR = "APO ends with a training loss below the fixed rates'."
SHORT_HORIZON = "Hypergradient descent suffers from short-horizon bias, APO does not (section 4)."
CLAIMS = {
    "fig1ab": Claim("Rosenbrock (Fig. 1a,b)", "RMSprop-APO reaches a substantially lower objective than RMSprop with any fixed rate.", rosenbrock),
    "fig9": Claim("Rosenbrock from other points (Fig. 9)", "APO reaches a very low loss from every starting point.", rosenbrock_starts),
    "fig10": Claim("Rosenbrock from other rates (Fig. 10)", "Losses and rates are nearly identical from 1e-2 to 1e-7.", rosenbrock_starts),
    "fig1cd": Claim("Ill-conditioned regression (Fig. 1c,d)", "APO ends orders of magnitude below a hand-tuned fixed rate.", regression),
    "table2": Claim("Noisy quadratic (Table 2, Fig. 12, 13)", "SGD + APO comes close to SGD's best schedules: no short-horizon bias.", table_2),
    "short_horizon": Claim("Noisy quadratic, sampled, rate found online", SHORT_HORIZON, short_horizon),
    "short_horizon_long": Claim("Noisy quadratic, sampled, ten times as long", SHORT_HORIZON, short_horizon),
    "theorems": Claim("Theorems 1 and 2", "With an oracle: Eq. 15's rate to stationary points, and locally quadratic convergence for λ = ½.", theorems),
    "fig2ab": Claim("MNIST, MLP (Fig. 2a,b)", "APO improves SGD and SGDm; RMSprop-APO ends three orders of magnitude below RMSprop.", mnist),
    "fig7a": Claim("MNIST: η, ρ, ε together (Fig. 7a, 8)", "Tuning ρ and ε too can stabilise training.", hyperparameters_together),
    "fig7bc": Claim("MNIST: a rate per layer (Fig. 7b,c)", "Per-layer rates can be tuned, for SGD and RMSprop.", layers),
    "fig7d": Claim("Fashion-MNIST, CNN, K-FAC (Fig. 7d)", "K-FAC ends below RMSprop-APO, K-FAC-APO substantially below K-FAC.", kfac),
    "fig11": Claim("MNIST from other rates (Fig. 11, top)", "Losses and rates are nearly identical from 1e-2 to 1e-7.", initial_rates(PAPERS_FORM)),
    "fig11_robust": Claim("MNIST from other rates, in the default form", "Losses and rates are nearly identical from 1e-2 to 1e-7.", initial_rates()),
    "fig2c": Claim("CIFAR-10, ResNet-34, SGD (Fig. 2c)", "SGD-APO and SGDm-APO train faster than fixed rates and schedules.", lowest_is("sgd_apo", "sgdm_apo")),
    "fig2d": Claim("CIFAR-10, ResNet-34, RMSprop (Fig. 2d)", CIFAR, lowest_is("rmsprop_apo")),
    "fig3": Claim("CIFAR-10, ResNet-34, K-FAC (Fig. 3)", "K-FAC-APO competes with the manual schedule; with damping it is better.",
                  lowest_is("kfac_apo_rate", "kfac_apo_rate_damping")),
    "fig4": Claim("CIFAR-100, ResNet-34 (Fig. 4)", "APO generally achieves a smaller training loss.", lowest_is("sgd_apo", "sgdm_apo")),
    "fig5": Claim("SVHN, ResNet-18 (Fig. 5)", "RMSprop-APO achieves a training loss similar to the schedule's.", lowest_is("rmsprop_apo")),
    "fig6": Claim("Without weight decay (Fig. 6)", "SGD-APO without weight decay beats SGD with it at a fixed rate.", lowest_is("sgd_apo")),
    "fig11_cifar": Claim("CIFAR-10 from other rates (Fig. 11, bottom)", "Losses and rates are nearly identical from 1e-2 to 1e-7.", initial_rates(PAPERS_FORM)),
    "fig14": Claim("CIFAR-10, Adam (Fig. 14)", "Adam-APO ends below the fixed rate.", lowest_is("adam_apo")),
    "fig15": Claim("Against population-based training (Fig. 15)", "APO ends an order of magnitude below PBT at equal time.", population),
    "sceptic": Claim("One default configuration, no search (the claim of section 5, as a sceptic would test it)",
                     "APO needs no tuning of the learning rate.", sceptic),
}
