"""Continuous distributions that are functions of a uniform or a normal number.

All of these are compositions: derivatives of every order flow to the parameters, while the number
that they were made of is held fixed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from staticgraph.config import LazyModule
from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.ops.elementwise import abs as absolute
from staticgraph.ops.elementwise import (
    add,
    exp,
    less,
    log,
    log1p,
    multiply,
    negative,
    sign,
    sqrt,
    subtract,
    tan,
    where,
)
from staticgraph.ops.random.arguments import names_told
from staticgraph.ops.random.parameters import Draw, draw_of, known_parameter, limited
from staticgraph.ops.random.words import standard_normal, unit
from staticgraph.ops.sizes import refusal

# Importing SciPy's functions takes longer than the rest of the package.
special = LazyModule("scipy.special")

# What parameters are called, and the domains that they lie in.
_SCALE = (("scale", "weight"),)
_PLACED = (None, ("scale", "weight"))
_STDDEV = (None, ("stddev", "weight"))
_POWER = (("concentration", "positive"), ("scale", "weight"))


def _is(value: Any, number: float) -> bool:
    """Whether a user gave just this Python number."""
    return type(value) in (int, float) and value == number


@names_told
def uniform(
    shape: Any = None,
    low: Any = 0.0,
    high: Any = 1.0,
    dtype: Any = None,
    *,
    name: str | None = None,
) -> Tensor:
    """Numbers that lie anywhere from `low` up to, not including, `high` with equal probability.

    shape       an int, a sequence of ints and scalar int tensors, or an int64 vector tensor; the
                shape to which `low` and `high` broadcast when not given
    low, high   numbers or tensors that broadcast to `shape`; derivatives flow to them
    dtype       float32 or float64; that of `low` and `high`, float32 for Python numbers

    The result is ``low + (high - low) * u``, where u is a multiple of 2**-24 (float32) or 2**-53
    (float64) in [0, 1); where that rounds to `high` it is `low` instead. Raises ShapeError where
    `low` or `high` do not broadcast to `shape`, or are known numbers that are infinite or in the
    wrong order; RunError in a run.

    >>> import staticgraph as sg
    >>> draw = sg.random.uniform((1000,), -1.0, 1.0)
    >>> bool(abs(sg.Session(seed=1).run(sg.mean(draw))) < 0.1)
    True
    """
    draw = draw_of("uniform", shape, (low, high), dtype)
    start, stop = draw.parameters
    if _is(low, 0) and _is(high, 1):
        return unit(draw.graph, draw.target, draw.dtype, name or "uniform")
    width = subtract(stop, start)
    if not _refuse_bounds(draw, low, high):
        width = limited("uniform", "high - low", width, "weight")
    fraction = unit(draw.graph, draw.target, draw.dtype)
    drawn = add(start, multiply(width, fraction))
    return where(less(drawn, stop), drawn, start, name=name or "uniform")


def _refuse_bounds(draw: Draw, low: Any, high: Any) -> bool:
    """Refuses known bounds between which there is no uniform number; whether both are known."""
    bounds = [known_parameter(bound) for bound in draw.parameters]
    for name, given, bound in zip(("low", "high"), (low, high), bounds, strict=True):
        if bound is not None and not np.all(np.isfinite(bound)):
            raise refusal("uniform", f"{name} {given} is not finite", "give finite bounds")
    least, most = bounds
    if least is None or most is None:
        return False
    if np.any(least > most):
        raise refusal("uniform", f"low {low} is above high {high}", "give low <= high")
    with np.errstate(over="ignore"):
        width = np.subtract(most.astype(draw.dtype), least.astype(draw.dtype))
    if not np.all(np.isfinite(width)):
        raise refusal(
            "uniform",
            f"from low {low} to high {high} is further than {dtypes.name(draw.dtype)} goes",
            "give bounds that are nearer to each other",
        )
    return True


@names_told
def normal(
    shape: Any = None,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = None,
    *,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers of the given mean and standard deviation.

    shape          an int, a sequence of ints and scalar int tensors, or an int64 vector tensor; the
                   shape to which `mean` and `stddev` broadcast when not given
    mean, stddev   numbers or tensors that broadcast to `shape`; derivatives flow to them
    dtype          float32 or float64; that of `mean` and `stddev`, float32 for Python numbers

    Standard deviates come in pairs ``sqrt(-2 log(u)) * cos(2 pi v)`` and ``... * sin(2 pi v)`` of
    two independent uniform numbers (G. E. P. Box and M. E. Muller, "A note on the generation of
    random normal deviates", Annals of Mathematical Statistics 29, 1958). No float32 is further than
    6.7 standard deviations from the mean, no float64 further than 9.5. Raises ShapeError for a
    `stddev` that is known to be below 0 or not finite, RunError in a run.

    >>> import staticgraph as sg
    >>> draw = sg.random.normal((1000,), mean=5.0)
    >>> bool(abs(sg.Session(seed=1).run(sg.mean(draw)) - 5.0) < 0.1)
    True
    """
    return _normal("normal", shape, mean, stddev, dtype, name or "normal")


def _normal(
    what: str, shape: Any, mean: Any, stddev: Any, dtype: Any, name: str = "normal"
) -> Tensor:
    draw = draw_of(what, shape, (mean, stddev), dtype, _STDDEV)
    plain = _is(mean, 0) and _is(stddev, 1)
    deviate = standard_normal(draw.graph, draw.target, draw.dtype, name if plain else None)
    return deviate if plain else _scaled(draw, deviate, name)


def _scaled(draw: Draw, standard: Tensor, name: str) -> Tensor:
    """``location + scale * standard``."""
    location, scale = draw.parameters
    return add(location, multiply(scale, standard), name=name)


@names_told
def lognormal(
    shape: Any = None,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = None,
    *,
    name: str | None = None,
) -> Tensor:
    """Numbers whose logarithm is normal, of the given mean and standard deviation of it.

    Arguments and errors are those of `normal`; derivatives flow to `mean` and `stddev`.

    >>> import staticgraph as sg
    >>> bool(sg.Session(seed=1).run(sg.random.lognormal()) > 0)
    True
    """
    return exp(_normal("lognormal", shape, mean, stddev, dtype), name=name or "lognormal")


# -- quantiles of other distributions -------------------------------------------------------------


@names_told
def exponential(
    shape: Any = None, scale: Any = 1.0, dtype: Any = None, *, name: str | None = None
) -> Tensor:
    """Exponentially distributed numbers of the mean `scale`.

    shape   an int, a sequence of ints and scalar int tensors, or an int64 vector tensor; that of
            `scale` when not given
    scale   a number or a tensor that broadcasts to `shape`; derivatives flow to it
    dtype   float32 or float64; that of `scale`, float32 for Python numbers

    The result is ``-scale * log(1 - u)`` with u uniform in [0, 1). Raises ShapeError for a scale
    that is known to be below 0 or not finite, RunError in a run.

    >>> import staticgraph as sg
    >>> bool(sg.Session(seed=1).run(sg.random.exponential()) >= 0)
    True
    """
    draw = draw_of("exponential", shape, (scale,), dtype, _SCALE)
    standard = log1p(negative(unit(draw.graph, draw.target, draw.dtype)))
    return multiply(negative(draw.parameters[0]), standard, name=name or "exponential")


@names_told
def laplace(
    shape: Any = None, loc: Any = 0.0, scale: Any = 1.0, dtype: Any = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Numbers whose distance from `loc`, to either side, is exponential with the mean `scale`.

    Arguments and errors are those of `normal`; derivatives flow to `loc` and `scale`. The result is
    ``loc - scale * sign(v) * log(1 - 2 abs(v))`` with v uniform in (-1/2, 1/2).

    >>> import staticgraph as sg
    >>> sg.random.laplace((2, 3)).shape
    (2, 3)
    """
    draw = draw_of("laplace", shape, (loc, scale), dtype, _PLACED)
    away = subtract(unit(draw.graph, draw.target, draw.dtype, inner=True), 0.5)
    distance = negative(log1p(multiply(absolute(away), -2.0)))
    return _scaled(draw, multiply(sign(away), distance), name or "laplace")


@names_told
def gumbel(
    shape: Any = None, loc: Any = 0.0, scale: Any = 1.0, dtype: Any = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Numbers of Gumbel's distribution of largest values: ``loc - scale * log(-log(u))``.

    Arguments and errors are those of `normal`; derivatives flow to `loc` and `scale`.

    >>> import staticgraph as sg
    >>> sg.random.gumbel((2, 3)).shape
    (2, 3)
    """
    draw = draw_of("gumbel", shape, (loc, scale), dtype, _PLACED)
    standard = negative(log(unit(draw.graph, draw.target, draw.dtype, inner=True)))
    return _scaled(draw, negative(log(standard)), name or "gumbel")


@names_told
def logistic(
    shape: Any = None, loc: Any = 0.0, scale: Any = 1.0, dtype: Any = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Numbers of the logistic distribution: ``loc + scale * log(u / (1 - u))``.

    Arguments and errors are those of `normal`; derivatives flow to `loc` and `scale`.

    >>> import staticgraph as sg
    >>> sg.random.logistic((2, 3)).shape
    (2, 3)
    """
    draw = draw_of("logistic", shape, (loc, scale), dtype, _PLACED)
    fraction = unit(draw.graph, draw.target, draw.dtype, inner=True)
    standard = subtract(log(fraction), log1p(negative(fraction)))
    return _scaled(draw, standard, name or "logistic")


@names_told
def cauchy(
    shape: Any = None, loc: Any = 0.0, scale: Any = 1.0, dtype: Any = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Numbers of Cauchy's distribution: ``loc + scale * tan(pi v)``, v uniform in (-1/2, 1/2).

    Arguments and errors are those of `normal`; derivatives flow to `loc` and `scale`.

    >>> import staticgraph as sg
    >>> sg.random.cauchy((2, 3)).shape
    (2, 3)
    """
    draw = draw_of("cauchy", shape, (loc, scale), dtype, _PLACED)
    away = subtract(unit(draw.graph, draw.target, draw.dtype, inner=True), 0.5)
    return _scaled(draw, tan(multiply(math.pi, away)), name or "cauchy")


@names_told
def rayleigh(
    shape: Any = None, scale: Any = 1.0, dtype: Any = None, *, name: str | None = None
) -> Tensor:
    """Lengths of vectors of two normal numbers of standard deviation `scale`.

    Arguments and errors are those of `exponential`; derivatives flow to `scale`. The result is
    ``scale * sqrt(-2 log(u))`` with u uniform in (0, 1).

    >>> import staticgraph as sg
    >>> sg.random.rayleigh((2, 3)).shape
    (2, 3)
    """
    draw = draw_of("rayleigh", shape, (scale,), dtype, _SCALE)
    fraction = unit(draw.graph, draw.target, draw.dtype, inner=True)
    standard = sqrt(multiply(-2.0, log(fraction)))
    return multiply(draw.parameters[0], standard, name=name or "rayleigh")


@names_told
def weibull(
    concentration: Any, scale: Any = 1.0, shape: Any = None, dtype: Any = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Numbers of Weibull's distribution: ``scale * (-log(u)) ** (1 / concentration)``.

    concentration, scale   numbers or tensors that broadcast to `shape`; derivatives flow to them
    shape                  an int, a sequence of ints and scalar int tensors, or an int64 vector
                           tensor; that to which the parameters broadcast when not given
    dtype                  float32 or float64; that of the parameters, float32 for Python numbers

    Raises ShapeError for parameters that are known to be wrong, a concentration that is not above 0
    or a scale below 0, RunError in a run.

    >>> import staticgraph as sg
    >>> bool(sg.Session(seed=1).run(sg.random.weibull(1.5)) > 0)
    True
    """
    draw = draw_of("weibull", shape, (concentration, scale), dtype, _POWER)
    power, width = draw.parameters
    standard = negative(log(unit(draw.graph, draw.target, draw.dtype, inner=True)))
    return multiply(width, exp(log(standard) / power), name=name or "weibull")


@names_told
def pareto(
    concentration: Any, scale: Any = 1.0, shape: Any = None, dtype: Any = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Numbers from `scale` on of Pareto's distribution: ``scale * u ** (-1 / concentration)``.

    Arguments and errors are those of `weibull`; derivatives flow to `concentration` and `scale`.
    (`numpy.random.pareto` draws what lies above 1 only: this less 1.)

    >>> import staticgraph as sg
    >>> bool(sg.Session(seed=1).run(sg.random.pareto(3.0)) >= 1)
    True
    """
    draw = draw_of("pareto", shape, (concentration, scale), dtype, _POWER)
    power, least = draw.parameters
    standard = negative(log(unit(draw.graph, draw.target, draw.dtype, inner=True)))
    return multiply(least, exp(standard / power), name=name or "pareto")
