"""What the paper claims, figure by figure, and who holds a result against it."""

import dataclasses
from typing import Callable

from paper.claims_networks import (damping, hyperparameters_together, initial_rates, kfac, layers, lowest, mnist, papers_form, population,
                                   robust_form, sceptic)
from paper.claims_toys import regression, rosenbrock, rosenbrock_starts, short_horizon, table_2, theorems


@dataclasses.dataclass
class Claim:
    title: str
    paper: str
    judge: Callable


CIFAR = "APO ends with a training loss below the fixed rates'."
RATES = "Losses and rates are nearly identical from 1e-2 to 1e-7."
SHORT_HORIZON = "Hypergradient descent suffers from short-horizon bias, APO does not (section 4)."
CLAIMS = {
    "fig1ab": Claim("Rosenbrock (Fig. 1a,b)", "RMSprop-APO reaches a substantially lower objective than RMSprop with any fixed rate.", rosenbrock),
    "fig9": Claim("Rosenbrock from other points (Fig. 9)", "APO reaches a very low loss from every starting point.", rosenbrock_starts),
    "fig10": Claim("Rosenbrock from other rates (Fig. 10)", RATES, rosenbrock_starts),
    "fig1cd": Claim("Ill-conditioned regression (Fig. 1c,d)", "APO ends orders of magnitude below a hand-tuned fixed rate.", regression),
    "table2": Claim("Noisy quadratic (Table 2, Fig. 12, 13)", "SGD + APO comes close to SGD's best schedules: no short-horizon bias.", table_2),
    "short_horizon": Claim("Noisy quadratic, sampled, rate found online", SHORT_HORIZON, short_horizon),
    "short_horizon_long": Claim("Noisy quadratic, sampled, ten times as long", SHORT_HORIZON, short_horizon),
    "theorems": Claim("Theorems 1 and 2", "With an oracle: Eq. 15's rate to stationary points, and locally quadratic convergence for λ = ½.", theorems),
    "fig2ab": Claim("MNIST, MLP (Fig. 2a,b)", "APO improves SGD and SGDm; RMSprop-APO ends three orders of magnitude below RMSprop.", mnist),
    "fig7a": Claim("MNIST: η, ρ, ε together (Fig. 7a, 8)", "Tuning ρ and ε too can stabilise training.", hyperparameters_together),
    "fig7bc": Claim("MNIST: a rate per layer (Fig. 7b,c)", "Per-layer rates can be tuned, for SGD and RMSprop.", layers),
    "fig7d": Claim("Fashion-MNIST, CNN, K-FAC (Fig. 7d)", "K-FAC ends below RMSprop-APO, K-FAC-APO substantially below K-FAC.", kfac),
    "fig11": Claim("MNIST from other rates (Fig. 11, top)", RATES, initial_rates(papers_form)),
    "fig11_robust": Claim("MNIST from other rates, in the default form", RATES, initial_rates(robust_form)),
    "fig2c": Claim("CIFAR-10, ResNet-34, SGD (Fig. 2c)", "SGD-APO and SGDm-APO train faster than fixed rates and schedules.", lowest(sgd="SGD", sgdm="SGDm")),
    "fig2c_gpu": Claim("CIFAR-10, ResNet-34 at full width on a GPU, SGD (Fig. 2c)", "SGD-APO and SGDm-APO train faster than fixed rates and schedules.",
                       lowest(sgd="SGD", sgdm="SGDm")),
    "fig2d": Claim("CIFAR-10, ResNet-34, RMSprop (Fig. 2d)", CIFAR, lowest(rmsprop="RMSprop")),
    "fig3": Claim("CIFAR-10, ResNet-34, K-FAC (Fig. 3)", "K-FAC-APO competes with the manual schedule; with damping it is better.", damping),
    "fig4": Claim("CIFAR-100, ResNet-34 (Fig. 4)", "APO generally achieves a smaller training loss.", lowest(sgd="SGD", sgdm="SGDm")),
    "fig5": Claim("SVHN, ResNet-18 (Fig. 5)", "RMSprop-APO achieves a training loss similar to the schedule's.", lowest(rmsprop="RMSprop")),
    "fig6": Claim("Without weight decay (Fig. 6)", "SGD-APO without weight decay beats SGD with it at a fixed rate.", lowest(sgd="SGD")),
    "fig11_cifar": Claim("CIFAR-10 from other rates (Fig. 11, bottom)", RATES, initial_rates(papers_form)),
    "fig14": Claim("CIFAR-10, Adam (Fig. 14)", "Adam-APO ends below the fixed rate.", lowest(adam="Adam")),
    "fig15": Claim("Against population-based training (Fig. 15)", "APO ends an order of magnitude below PBT at equal time.", population),
    "sceptic": Claim("One default configuration, no search (the claim of section 5, as a sceptic would test it)",
                     "APO needs no tuning of the learning rate.", sceptic),
}
