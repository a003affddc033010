"""How a result stands to a claim of the paper."""

import dataclasses

from paper.runs import final_loss


@dataclasses.dataclass
class Finding:
    numbers: str
    verdict: str  # reproduced, partly, not
    because: str = ""


def verdict(holds, partly=False):
    return "reproduced" if holds else "partly" if partly else "not"


def final_losses(result):
    return {name: final_loss(run) for name, run in result["runs"].items()}
