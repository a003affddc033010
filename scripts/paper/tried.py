"""In how many settings each method of a figure was tried: its runs, seeds apart, and the members of a population."""

import re

from paper.runs import by_configuration


def method_of(figure, configuration):
    """Without the fixed rate, the values of a grid and, for the sceptic, the data set."""
    method = re.sub(r"_\de-\d+$", "", configuration.split("/")[0])
    return method.partition("_")[2] if figure == "sceptic" else method


def settings(result):
    """{method: how many}; the same setting on another data set counts once."""
    found = {}
    for name, of_seeds in by_configuration(result["runs"]).items():
        method = method_of(result["figure"], name)
        setting = name.partition("/")[2] if result["figure"] == "sceptic" else name
        found.setdefault(method, {})[setting] = max(run.get("members", 1) for run in of_seeds)
    return {method: sum(of_method.values()) for method, of_method in found.items()}


def apo_and_rivals(result):
    """The numbers of both; one of them is empty where nothing is compared."""
    counts = settings(result)
    apo = {method: count for method, count in counts.items() if "apo" in method.split("_")}
    return apo, {method: count for method, count in counts.items() if method not in apo}


def unequal(result):
    """Whether APO was tried in more or in fewer settings than any of its rivals."""
    apo, rivals = apo_and_rivals(result)
    return bool(apo and rivals) and len({*apo.values(), *rivals.values()}) > 1


def line(result):
    """Of a figure's section."""
    return "; ".join(", ".join(f"{method} {count}" for method, count in counts.items()) for counts in apo_and_rivals(result))


def summary(results):
    """Of the page: the figures where the most settings of APO are more, or fewer, than the most of a rival."""
    most = {result["figure"]: [max(counts.values()) for counts in apo_and_rivals(result)] for result in results if unequal(result)}
    more = [f"`{figure}`" for figure, (apo, rival) in most.items() if apo > rival]
    fewer = [f"`{figure}`" for figure, (apo, rival) in most.items() if apo < rival]
    return f"APO was tried in more settings than each rival in {', '.join(more)}, in fewer than one in {', '.join(fewer)}; the sections give the numbers."
