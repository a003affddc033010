"""How a result stands to a claim of the paper."""

import dataclasses
import statistics

from paper.runs import by_configuration, final_loss


@dataclasses.dataclass
class Finding:
    numbers: str
    verdict: str  # reproduced, partly, not reproduced; or one for each part of the claim
    because: str = ""


def verdict(holds, partly=False):
    return "reproduced" if holds else "partly" if partly else "not reproduced"


def apart(verdicts):
    """Those of the parts of a claim; of a single one the word alone."""
    return "; ".join(f"{part}: {word}" for part, word in verdicts.items()) if len(verdicts) > 1 else next(iter(verdicts.values()))


def final_losses(result):
    """Of each configuration the median over its seeds."""
    return {name: statistics.median(map(final_loss, of_seeds)) for name, of_seeds in by_configuration(result["runs"]).items()}
