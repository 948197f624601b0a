"""The regularised incomplete gamma functions.

Where x is below a + 1 the lower one is a power series, beyond it the upper one is a continued
fraction, by W. J. Lentz's method as I. J. Thompson and A. R. Barnett changed it (1986). Both take
about six times the root of a steps where x is close to a, and few elsewhere; an a from 10**7 on
takes the first terms of N. M. Temme's expansion instead, which are enough there. The factor
before them is Stirling's for large a, in which what is large cancels before it is rounded. (NIST
Digital Library of Mathematical Functions, 8.7 and 8.9.) float32 is computed in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from staticgraph.backends.native.math.error import erfc
from staticgraph.backends.native.math.exponential import exp, expm1
from staticgraph.backends.native.math.gamma import lgamma, lgamma_from_one, stirling_tail
from staticgraph.backends.native.math.logarithm import bent, log, log1p
from staticgraph.backends.native.math.values import (
    Value,
    any_lane,
    at_least,
    at_most,
    fma,
    polynomial,
    where,
)
from staticgraph.core import dtypes

_LARGE = 8.5
_HUGE = 1e7
# More than it takes below that.
_STEPS = 100_000
# Of Temme's expansion what does not depend on a, in powers of eta (DLMF 8.12.10).
_TEMME = (-1 / 3, 1 / 12, -2 / 135, 1 / 864)
_EXACT = 2.0**-54
_TINY = 1e-300


def igamma(a: Value, x: Value, upper: bool) -> Value:
    """The integral of ``t**(a - 1) * exp(-t) / gamma(a)`` from 0 to x, or from x on."""
    wanted = a.dtype
    a, x = a.cast(dtypes.float64), x.cast(dtypes.float64)
    usual = (a > 0.0) & (a < np.inf) & (x > 0.0) & (x < np.inf)
    huge = usual & (a >= _HUGE)
    middle = usual & (a < _HUGE)
    # Others get operands for which either loop ends at once.
    inner_a, inner_x = where(middle, a, 1.0), where(middle, x, 1.0)
    near = inner_x < inner_a + 1.0
    factor = _factor(inner_a, inner_x)
    small = inner_a < 0.5
    tiny_a = where(small, inner_a, 0.5)
    # The logarithm of x**a / gamma(a + 1), which is small.
    whole = tiny_a * log(inner_x) - lgamma_from_one(tiny_a)
    begin = where(small, exp(whole - inner_x), factor / inner_a)
    lower = begin * _series(inner_a, where(near, inner_x, 0.0))
    higher = factor * _fraction(where(near, inner_a.of(1.0), inner_a), where(near, 9.0, inner_x))
    if upper:
        rest = _rest_of_small(tiny_a, where(near, inner_x, 1.0), whole)
        result = where(near, where(small, rest, 1.0 - lower), higher)
    else:
        result = where(near, lower, 1.0 - higher)
    result = where(huge, _expanded(where(huge, a, _HUGE), where(huge, x, _HUGE), upper), result)
    # All is to the left of infinity, and to the right of 0; of a = 0 all is at 0.
    result = where(usual, result, np.nan)
    past = (x.equals(np.inf) & (a < np.inf)) | (a.equals(0.0) & (x > 0.0))
    before = (x.equals(0.0) & (a > 0.0)) | (a.equals(np.inf) & (x < np.inf))
    valid = (a >= 0.0) & (x >= 0.0)
    result = where(valid & past, 0.0 if upper else 1.0, result)
    return where(valid & before, 1.0 if upper else 0.0, result).cast(wanted)


def _factor(a: Value, x: Value) -> Value:
    """``x**a * exp(-x) / gamma(a)``."""
    plain = a * log(x) - x - lgamma(a)
    far = at_least(a, _LARGE)
    large = fma(far, _fallen(far, x), -stirling_tail(far))
    root = (far * (1.0 / (2.0 * np.pi))).root()
    return where(a > _LARGE, exp(large) * root, exp(plain))


def _fallen(a: Value, x: Value) -> Value:
    """``log(x / a) - x / a + 1``, which is not positive."""
    off = (x - a) / a
    small = abs(off) < 0.25
    return where(small, bent(where(small, off, 0.0)), log1p(off) - off)


def _expanded(a: Value, x: Value, upper: bool) -> Value:
    """Either function of a huge a, almost a normal probability."""
    fallen = _fallen(a, x)
    sign = where(x < a, a.of(-1.0), 1.0)
    eta = (fallen * -2.0).root() * sign
    distance = (-fallen * a).root() * sign
    density = exp(fallen * a) / (a * (2.0 * np.pi)).root()
    rest = density * polynomial(at_most(at_least(eta, -1.0), 1.0), _TEMME)
    if upper:
        return erfc(distance) * 0.5 + rest
    return erfc(-distance) * 0.5 - rest


def _rest_of_small(a: Value, x: Value, whole: Value) -> Value:
    """The upper function of an a below 1/2 and an x below a + 1, where it may be close to 0.

    ``1 - x**a / gamma(a + 1)``, less ``x**a / gamma(a)`` times a series (DLMF 8.7.1).
    """

    def step(state: Sequence[Value]) -> tuple[list[Value], Value]:
        number, power, total = state
        number = number + 1.0
        power = power * (-x / number)
        change = power / (a + number)
        return [number, power, total + change], abs(change) > abs(total) * _EXACT

    zero = a.of(0.0)
    total = repeated([zero, a.of(1.0), zero], step)[2]
    return -expm1(whole) - a * exp(whole) * total


def _series(a: Value, x: Value) -> Value:
    """The sum of ``x**n / ((a + 1) * ... * (a + n))``."""

    def step(state: Sequence[Value]) -> tuple[list[Value], Value]:
        place, term, total = state
        place = place + 1.0
        term = term * (x / place)
        return [place, term, total + term], term > total * _EXACT

    one = a.of(1.0)
    return repeated([a, one, one], step)[2]


def _fraction(a: Value, x: Value) -> Value:
    """The continued fraction ``1 / (x + 1 - a - (1 - a) / (x + 3 - a - ...))``."""
    first = x + 1.0 - a

    def step(state: Sequence[Value]) -> tuple[list[Value], Value]:
        number, middle, above, below, total = state
        number = number + 1.0
        weight = number * (a - number)
        middle = middle + 2.0
        below = 1.0 / not_zero(fma(weight, below, middle))
        above = not_zero(middle + weight / above)
        change = above * below
        state = [number, middle, above, below, total * change]
        return state, abs(change - 1.0) > _EXACT

    start = 1.0 / first
    return repeated([a.of(0.0), first, a.of(1.0 / _TINY), start, start], step)[4]


def not_zero(x: Value) -> Value:
    """x, or a tiny number where it is smaller than that."""
    return where(abs(x) < _TINY, _TINY, x)


def repeated(
    state: list[Value], step: Callable[[Sequence[Value]], tuple[list[Value], Value]]
) -> list[Value]:
    """What `step` makes of the state, again and again while a lane needs more."""
    s, code = state[0].s, state[0].s.code
    before, loop, after = code.block, code.label(), code.label()
    code.jump(loop)
    code.begin(loop)
    count = code.phi("i64")
    count.add("0", before)
    phis = [code.phi(s.type(value.dtype)) for value in state]
    for phi, value in zip(phis, state, strict=True):
        phi.add(value.register.text, before)
    carried = [
        Value(s, value.register._replace(text=phi.name))
        for phi, value in zip(phis, state, strict=True)
    ]
    results, more = step(carried)
    for phi, value in zip(phis, results, strict=True):
        phi.add(value.register.text, code.block)
    following = code.let(f"add i64 {count.name}, 1")
    count.add(following, code.block)
    left = code.let(f"icmp ult i64 {following}, {_STEPS}")
    code.branch(code.let(f"and i1 {any_lane(more)}, {left}"), loop, after)
    code.begin(after)
    return results
