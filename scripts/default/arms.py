"""What is compared, one table. An arm is one way to train; of several settings the best counts, and all of them are charged.

A setting is a list of --set arguments of apo-train beside a task's configuration; of a peer, arguments of benchmarks/rivals_peer.py.
TURN in a setting is a twelfth of the task's steps: a population exchanges eleven times.
"""

from typing import NamedTuple

# Ours: what is set beside data set, model and the optimizer's name.
OURS = []
OWN_BUDGET = "24"  # the program's
BUDGETS = ("6", "12", OWN_BUDGET, "48", "96")
# What else ours might have been, by the calibration half alone: {name: what is set instead}. They stand in its tables, so that it is seen
# how many there were.
LINEAR_AUTO = ["optimizer.learning_rate=auto", "optimizer.schedule={name: linear}"]
CANDIDATES = {
    "gradient_linear": [*LINEAR_AUTO, "tuner={name: apo, solver: gradient}"],
    "exact_linear": [*LINEAR_AUTO, "tuner={name: apo, solver: exact}"],
    "exact_own_linear": [*LINEAR_AUTO, "tuner={name: apo, solver: exact, descent: own}"],
    **{f"movement_{budget}": [f"tuner={{name: movement, budget: {budget}}}"] for budget in BUDGETS if budget != OWN_BUDGET},
    "movement_5.5": ["tuner={name: movement, budget: 5.506}"],  # 24 ÷ √19: without momentum 24 meant this before momentum counted
    "movement_none": ["optimizer.schedule={name: none}", "tuner={name: movement}"],
    # Judged by the average: what it adds to the default, and to the default without its decay.
    "average": ["train.average={half_life: 0.1}"],
    "average_none": ["train.average={half_life: 0.1}", "optimizer.schedule={name: none}", "tuner={name: movement}"],
}

# Six fixed rates of each rule, half a decade apart.
RATES = {
    "sgdm": ("1e-3", "3e-3", "1e-2", "3e-2", "1e-1", "3e-1"),
    "adam": ("1e-4", "3e-4", "1e-3", "3e-3", "1e-2", "3e-2"),
    "rmsprop": ("3e-5", "1e-4", "3e-4", "1e-3", "3e-3", "1e-2"),
    "sgd": ("1e-2", "3e-2", "1e-1", "3e-1", "1", "3"),
}
LAMBDAS = ("1", "1e-1", "1e-2", "1e-3", "1e-4", "1e-5")
CONSTANT = ["tuner={name: constant}"]
LINEAR, NONE = ["optimizer.schedule={name: linear}"], ["optimizer.schedule={name: none}"]
NADAMW = ["optimizer.name=nadamw", "optimizer.beta1=0.9091", "optimizer.beta2=0.9989", "optimizer.weight_decay=0.0812",
          "optimizer.schedule={name: cosine, warmup: 0.1}", *CONSTANT]


class Arm(NamedTuple):
    """rule: whose table it stands in, None: in all. runs: gradient evaluations of a setting ÷ those of a constant rate. peer: trained by
    PyTorch. defaults: it sets little, so that what the program does by default is a part of what it is. half: on whose tasks alone it is
    trained."""
    name: str
    title: str
    settings: dict
    rule: str = None
    runs: int = 1
    peer: bool = False
    defaults: bool = False
    half: str = None

    @property
    def averaged(self):
        """Whether it asks for averaged weights, which it is judged by then."""
        return any(word.startswith("train.average") for words in self.settings.values() for word in words)


def rate(value):
    return f"optimizer.learning_rate={value}"


def of_rule(rule):
    """The arms whose base optimizer this is; the first two are ours and what it is held against."""
    base, rates = [f"optimizer.name={rule}"], RATES[rule]
    hyper = {f"{first}, β {beta}": [*base, rate(first), *NONE, f"tuner={{name: hypergradient, form: multiplicative, rate: {beta}}}"]
             for first in rates[1::2] for beta in ("0.02", "0.002")}
    population = [*base, rate(rates[3]), *NONE, *CONSTANT, "train.population.members=4", "train.population.interval=TURN",
                  f"train.population.initial_range=[{rates[0]}, {rates[-1]}]"]
    return [
        Arm(f"{rule}_ours", "ours", {"": [*base, *OURS]}, rule, defaults=True),
        Arm(f"{rule}_decay", "fixed rate with linear decay, best of 6", {value: [*base, rate(value), *LINEAR, *CONSTANT] for value in rates}, rule),
        Arm(f"{rule}_fixed", "fixed rate, best of 6", {value: [*base, rate(value), *NONE, *CONSTANT] for value in rates}, rule),
        Arm(f"{rule}_clipped", "fixed rate with linear decay, outliers clipped, best of 6",
            {value: [*base, rate(value), *LINEAR, *CONSTANT, "optimizer.clip_outliers=2"] for value in rates}, rule),
        Arm(f"{rule}_paper", "APO as in the paper, best of 6 λ",
            {f"λ {value}": [*base, rate("auto"), *NONE, f"tuner={{name: apo, form: paper, solver: gradient, lambda: {value}}}"] for value in LAMBDAS}, rule),
        Arm(f"{rule}_hypergradient", "hypergradient descent, best of 6", hyper, rule),
        Arm(f"{rule}_pbt", "population of 4", {"": population}, rule, runs=4),
        *(Arm(f"{rule}_try_{name}", f"candidate: {name}", {"": [*base, *words]}, rule, defaults=True, half="calibration") for name, words in CANDIDATES.items()),
    ]


FREE = [
    Arm("nadamw", "NadamW, calibrated", {"1.908e-3": [*NADAMW, rate("1.908e-3")]}),
    Arm("nadamw_searched", "NadamW, rate best of 6", {value: [*NADAMW, rate(value)] for value in RATES["adam"]}),
    Arm("schedule_free", "Schedule-Free AdamW v2", {"": ["schedule_free"]}, peer=True),
    Arm("prodigy", "Prodigy, cosine", {"": ["prodigy"]}, peer=True),
    Arm("d_adaptation", "D-Adaptation, cosine", {"": ["d_adaptation"]}, peer=True),
    Arm("smd", "SMD, best of 6", {f"{first}, μ {meta}": ["optimizer.name=smd", rate(first), f"optimizer.meta_rate={meta}", *NONE, *CONSTANT]
                                  for first in RATES["sgd"][1::2] for meta in ("10", "1")}),
]
OF_RULE = {rule: of_rule(rule) for rule in RATES}
ARMS = {arm.name: arm for arm in [*(arm for arms in OF_RULE.values() for arm in arms), *FREE]}
# What accuracy is held against.
CALIBRATED = ARMS["nadamw"]


def ours(rule):
    return ARMS[f"{rule}_ours"]


def reference(rule):
    """What training loss is held against."""
    return ARMS[f"{rule}_decay"]
