"""Random numbers, as a pure function of session seed, run number and node: the namespace.

words.py says where the numbers come from, search.py how those are found that need a
loop, and the other modules hold the distributions.
"""

from __future__ import annotations

from staticgraph.ops.random.composed import f, multivariate_normal, power, triangular, wald
from staticgraph.ops.random.continuous import (
    cauchy,
    exponential,
    gumbel,
    laplace,
    logistic,
    lognormal,
    normal,
    pareto,
    rayleigh,
    uniform,
    weibull,
)
from staticgraph.ops.random.counts import multinomial, negative_binomial
from staticgraph.ops.random.discrete import (
    bernoulli,
    binomial,
    categorical,
    geometric,
    integers,
    poisson,
)
from staticgraph.ops.random.order import choice, permutation, shuffle
from staticgraph.ops.random.positive import (
    beta,
    chi_square,
    dirichlet,
    gamma,
    loggamma,
    student_t,
)
from staticgraph.ops.random.truncated import truncated_normal

__all__ = [
    "bernoulli",
    "beta",
    "binomial",
    "categorical",
    "cauchy",
    "chi_square",
    "choice",
    "dirichlet",
    "exponential",
    "f",
    "gamma",
    "geometric",
    "gumbel",
    "integers",
    "laplace",
    "loggamma",
    "logistic",
    "lognormal",
    "multinomial",
    "multivariate_normal",
    "negative_binomial",
    "normal",
    "pareto",
    "permutation",
    "poisson",
    "power",
    "rayleigh",
    "shuffle",
    "student_t",
    "triangular",
    "truncated_normal",
    "uniform",
    "wald",
    "weibull",
]


def __dir__() -> list[str]:
    """What the namespace offers, without what it is made of."""
    return __all__
