"""The claims on networks, held against results."""

import statistics

from paper.findings import Finding, apart, final_losses, verdict
from paper.runs import by_configuration, final_loss
from paper.tables import table


def rate_at_epoch(run, epoch):
    steps, rates = run["steps"]["step"], run["steps"]["learning_rate"]
    last = epoch * run["epochs"]["step"][0] / run["epochs"]["epoch"][0]
    return [rate for step, rate in zip(steps, rates) if step <= last][-1]


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


# The λ that the paper searches (section 5.2; for Adam Appendix G); for K-FAC the one that it names.
PAPERS_GRIDS = {"SGD": (0.1, 0.01, 0.001), "SGDm": (0.1, 0.01, 0.001), "RMSprop": (0.1, 0.01, 0.001, 1e-4, 1e-5, 0), "Adam": (1, 0.1, 0.01), "K-FAC": (0.01,)}


def reduced(result):
    steps = {"cpu": "some 600 steps of a narrow network in batches of 32", "gpu": "some 600 steps on a sixth of the pictures"}
    scale = result["scale"]
    seeds = min(map(len, by_configuration(result["runs"]).values()))
    of_seeds = "one run each" if seeds == 1 else f"the median of {seeds} seeds each"
    return f"at this scale: {steps[scale]}, {of_seeds} (`configs/paper/{scale}.args`)" if scale in steps else ""


def lambda_of(name):
    """Of a run of a grid; None where its configuration has one λ, the paper's."""
    return float(name.split("tuner.lambda=")[1]) if "tuner.lambda=" in name else None


def rivals_of(losses, base):
    """{kind: run}: the lowest of the fixed rates and of the schedules of an optimizer."""
    names = [name for name in sorted(losses, key=losses.get) if name.split("_")[0] == base and "_apo" not in name]
    schedules = [name for name in names if name.endswith(("_decay", "_schedule"))]
    kinds = {"the best fixed rate": [name for name in names if name not in schedules], "the schedule": schedules}
    return {kind: of_kind[0] for kind, of_kind in kinds.items() if of_kind}


def against_rivals(losses, method, optimizer):
    """Numbers and verdict of a method against the runs of its own optimizer: with the paper's grid of λ, then with all that were tried."""
    ours = {lambda_of(name): loss for name, loss in losses.items() if name.split("/")[0] == method}
    rivals = rivals_of(losses, method.split("_")[0])

    def held(value):
        below = [ours[value] <= losses[name] for name in rivals.values()]
        return verdict(all(below), any(below))

    best = min((value for value in ours if value is None or value in PAPERS_GRIDS[optimizer]), key=ours.get)
    widest = min(ours, key=ours.get)
    numbers, word = f"{optimizer}-APO {ours[best]:.3g}" + (f" (λ = {best:g})" if best is not None else " (one λ was tried)"), held(best)
    if widest != best:
        numbers += f", with λ = {widest:g}, which the paper does not name, {ours[widest]:.3g}"
        word += f" (with λ = {widest:g}, which the paper does not name: {held(widest)})"
    return ", ".join([numbers, *(f"{kind} {losses[name]:.3g} ({name})" for kind, name in rivals.items())]), word


def lowest(**optimizers):
    """Each optimizer={its name in the paper} apart: with APO it ends below its best fixed rate and its schedule."""
    def judge(result):
        losses = final_losses(result)
        found = {optimizer: against_rivals(losses, f"{base}_apo", optimizer) for base, optimizer in optimizers.items()}
        return Finding("; ".join(numbers for numbers, _ in found.values()), apart({optimizer: word for optimizer, (_, word) in found.items()}),
                       reduced(result))
    return judge


def damping(result):
    """The rate alone against fixed rate and schedule; the damping beside it against the rate alone, at each λ: loss and accuracy are to be better."""
    losses, alone, both = final_losses(result), "kfac_apo_rate", "kfac_apo_rate_damping"
    numbers, of_rate = against_rivals(losses, alone, "K-FAC")
    accuracies = {name: run["epochs"]["test_accuracy"][-1] for name, run in result["runs"].items()}
    pairs = [(name, name.replace(both, alone)) for name in losses if name.split("/")[0] == both]
    lower = [losses[name] < losses[rate] for name, rate in pairs]
    higher = [accuracies[name] > accuracies[rate] for name, rate in pairs]
    shown = [("" if lambda_of(name) is None else f"λ = {lambda_of(name):g}: ") + f"{losses[name]:.3g} against {losses[rate]:.3g}, "
             f"test accuracy {100 * accuracies[name]:.1f} % against {100 * accuracies[rate]:.1f} %" for name, rate in pairs]
    return Finding(f"{numbers}; with the damping against the rate alone, {'; '.join(shown)}",
                   apart({"the rate": of_rate, "the damping": verdict(all(lower + higher), any(lower))}),
                   f"the damping lowers the training loss at {sum(lower)} of {len(pairs)} λ and raises the test accuracy at {sum(higher)}; "
                   f"{reduced(result)}".removesuffix("; "))


def rises(run):
    """How often the training loss of an epoch is above the one before, and the largest ratio of the two."""
    losses = run["epochs"]["train_loss"]
    ratios = [after / before for before, after in zip(losses, losses[1:])]
    return sum(ratio > 1 for ratio in ratios), max(ratios)


def hyperparameters_together(result):
    """Stable is a training loss that rises less often, and by less."""
    found, losses = {name: rises(run) for name, run in result["runs"].items()}, final_losses(result)
    count, largest = found["rate"]
    more = ("rate_power", "rate_power_epsilon")
    steadier = [name for name in more if found[name][0] < count and found[name][1] < largest]
    shown = [f"{name} {times} times, at most by a factor {ratio:.2f} (at the end {losses[name]:.2e})" for name, (times, ratio) in found.items()]
    return Finding(f"the training loss rises from one epoch to the next: {'; '.join(shown)}", verdict(len(steadier) == len(more), bool(steadier)),
                   f"by stability: less often and by less than with the rate alone it rises in {' and '.join(steadier) or 'neither'}; one run each, which "
                   "tells little where rises are so few")


def layers(result):
    """By the lowest epoch of each curve, for the last may be in a spike. The goal is twice the loss with one rate."""
    lowest, last = {name: min(run["epochs"]["train_loss"]) for name, run in result["runs"].items()}, final_losses(result)
    ratios = {base: lowest[f"{base}_per_layer"] / lowest[f"{base}_global"] for base in ("sgd", "rmsprop")}
    spikes = {name: rises(run)[1] for name, run in result["runs"].items() if last[name] >= 10 * lowest[name]}
    because = [f"{name} ends in a spike, which is no measure of the other: its loss rises by a factor {factor:.0f} from one epoch to the next and ends at "
               f"{last[name] / lowest[name]:.0f} times its lowest" for name, factor in spikes.items()]
    if max(ratios.values()) > 2:
        because.append("with the paper's meta learning rate of 0.001 a rate that begins near its best hardly moves, so that it does not anneal; the default "
                       "of `tuner.form: robust` is 0.03 (docs/ablations.md)")
    shown = [f"{base} per layer {lowest[f'{base}_per_layer']:.2e}, global {lowest[f'{base}_global']:.2e}, {ratio:.3g} times" for base, ratio in ratios.items()]
    return Finding(f"the lowest training loss of an epoch: {'; '.join(shown)}", verdict(max(ratios.values()) <= 2, min(ratios.values()) <= 2),
                   "; ".join(because))


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


def papers_form(_, holds):
    return "" if holds else ("from large rates the first steps do damage, and the large first meta-gradients stay in the meta-optimizer's statistic; "
                             "`tuner.form: robust` starts alike from all of them (docs/ablations.md)")


def robust_form(result, _):
    """Most of the runs are the same run."""
    curves = [tuple(run["epochs"]["train_loss"]) for run in result["runs"].values()]
    return ("the first rate is discarded here: the line search of `tuner.form: robust` replaces one that is not near what it finds, and "
            f"{max(map(curves.count, curves))} of {len(curves)} runs have the same losses to the last digit kept; how the tuner moves a rate that is far "
            "off is not tested")


def initial_rates(because):
    """Runs from other first rates end alike; because(result, whether they do) says more."""
    def judge(result):
        losses = final_losses(result)
        rates = {name: rate_at_epoch(run, 2) for name, run in result["runs"].items()}
        spread, rate_spread = max(losses.values()) / min(losses.values()), max(rates.values()) / min(rates.values())
        holds = spread <= 10 and rate_spread <= 2
        ordinary = [name for name in losses if not name.endswith("1e-2")]
        rest = max(losses[n] for n in ordinary) / min(losses[n] for n in ordinary)
        rest_rate = max(rates[n] for n in ordinary) / min(rates[n] for n in ordinary)
        return Finding(f"final losses within a factor {spread:.3g}, learning rates after 2 epochs within {rate_spread:.3g}; without 1e-2: {rest:.3g} and "
                       f"{rest_rate:.3g}", verdict(holds, rest <= 10 and rest_rate <= 2), because(result, holds))
    return judge


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
            rows.append([data, base, f"{ours:.3g}", *cells])
    head = ["data", "optimizer", "APO, defaults", "best fixed rate", *titles]
    return Finding(f"APO with its defaults ends below {beaten} of {compared} rivals, below the best fixed rate of three in {below['best']} of {len(rows)} cases, below the "
                   f"middle one in {below['median']}, within twice the loss of the best of all rivals in {within}\n\n\n{table(head, rows)}\n\n**Bold**: APO loses.\n",
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
                   verdict(ours <= theirs / 10, ours <= theirs),
                   "" if ours <= theirs / 10 else "an order of magnitude is not reached at this scale, where APO's λ is the best of Fig. 2d's search")
