"""The beta function and the regularised incomplete beta function.

The logarithm of the beta function is a sum of three of the gamma function; of large operands it is
Stirling's formula, in which what is large cancels before it is rounded. The incomplete function is
a continued fraction, by W. J. Lentz's method as I. J. Thompson and A. R. Barnett changed it (1986),
on the side of ``(a + 1) / (a + b + 2)`` where it ends soon: after some root of the larger operand
of steps at most. (NIST Digital Library of Mathematical Functions, 5.11, 5.12 and 8.17.) float32 is
computed in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from staticgraph.backends.native.math.error import erfc
from staticgraph.backends.native.math.exponential import exp
from staticgraph.backends.native.math.gamma import lgamma, stirling_tail
from staticgraph.backends.native.math.gamma_incomplete import not_zero, repeated
from staticgraph.backends.native.math.logarithm import bent, log, log1p
from staticgraph.backends.native.math.values import Value, at_least, at_most, fma, where
from staticgraph.core import dtypes

# From here on Stirling's formula is used.
_LARGE = 8.5
_HALF_LOG = 0.9189385332046728  # log(2 * pi) / 2
# From here on the first terms of an expansion are enough; below, the fraction takes some root.
_HUGE = 1e8
# So close to the middle the first term of the expansion is its limit.
_CLOSE = 1e-8
# Up to here the fraction ends soon enough on either side.
_NEAR_ONE = 0.99
_EXACT = 2.0**-54
_TINY, _SMALLEST, _AWAY = 1e-250, 1e-290, 1e20


def betaln(a: Value, b: Value) -> Value:
    """``lgamma(a) + lgamma(b) - lgamma(a + b)``; NaN where an operand is negative."""
    wanted = a.dtype
    a, b = a.cast(dtypes.float64), b.cast(dtypes.float64)
    usual = (a > 0.0) & (b > 0.0) & (a < np.inf) & (b < np.inf)
    result = _logarithm(where(usual, a, 1.0), where(usual, b, 1.0))
    valid = (a >= 0.0) & (b >= 0.0)
    zero = a.equals(0.0) | b.equals(0.0)
    endless = a.equals(np.inf) | b.equals(np.inf)
    result = where(usual, result, np.nan)
    result = where(valid & zero, np.inf, result)
    result = where(valid & endless, -np.inf, result)
    return where(valid & zero & endless, np.nan, result).cast(wanted)


def _logarithm(a: Value, b: Value) -> Value:
    """The logarithm of the beta function of positive numbers."""
    low, high = where(a < b, a, b), where(a < b, b, a)
    plain = (lgamma(low) + lgamma(high)) - lgamma(low + high)
    large = at_least(high, _LARGE)
    ratio = low / large
    # What Stirling's formula lacks of the larger one and of the sum.
    tails = stirling_tail(large) - stirling_tail(large + low)
    grown = log1p(ratio)
    one = lgamma(low) + (tails - fma(low, log(large), fma(large + (low - 0.5), grown, -low)))
    middle = at_least(low, _LARGE)
    constant = stirling_tail(middle) + tails + _HALF_LOG - log(large) * 0.5
    both = constant - fma(middle - 0.5, log1p(large / middle), large * grown)
    result = where(low < _LARGE, one, both)
    return where(high < _LARGE, plain, result)


def betainc(a: Value, b: Value, x: Value) -> Value:
    """The integral of ``t**(a - 1) * (1 - t)**(b - 1) / beta(a, b)`` from 0 to x."""
    wanted = a.dtype
    a, b, x = [operand.cast(dtypes.float64) for operand in (a, b, x)]
    usual = (a > 0.0) & (b > 0.0) & (a < np.inf) & (b < np.inf) & (x > 0.0) & (x < 1.0)
    huge = usual & (a >= _HUGE) & (b >= _HUGE)
    expanded = _expanded(where(huge, a, _HUGE), where(huge, b, _HUGE), where(huge, x, 0.5))
    # Of one huge concentration nothing is left so far from its end, where products overflow.
    all_below = usual & (a < _HUGE) & (b * x > _AWAY)
    none_below = usual & (b < _HUGE) & (a * (1.0 - x) > _AWAY)
    given, usual = usual, usual ^ (huge | all_below | none_below)
    # Others get operands for which the loop ends at once.
    tiny = usual & (a < _TINY) & (b < _TINY)
    # As 0 where it alone is tiny, but with quotients that do not underflow.
    first, second = where(usual, at_least(a, _SMALLEST), 1.0), where(usual, b, 1.0)
    place = where(usual, x, 0.5)
    rest = 1.0 - place
    total = first + second
    mirrored = place > (first + 1.0) / (total + 2.0)
    # Of a small b little is below x, which the difference from 1 would not show.
    mirrored = mirrored & ((second > 1.0) | (place > _NEAR_ONE))
    # By the shorter of both sides, so that what cancels is small.
    ahead = where(place < 0.5, fma(-total, place, first), fma(total, rest, -second))
    front = _front(first, second, place, rest, ahead)
    begin, end = where(mirrored, second, first), where(mirrored, first, second)
    ahead = where(mirrored, -ahead, ahead)
    part = front / _fraction(begin, end, where(mirrored, rest, place), ahead)
    # Rounding must not make it more than all, of which a tiny a leaves almost nothing out.
    part = at_most(part, 1.0)
    result = where(mirrored, 1.0 - part, part)
    result = where(huge, expanded, result)
    result = where(all_below, 1.0, where(none_below, 0.0, result))
    # All is at either end.
    result = where(tiny, 1.0 / (1.0 + a / b), result)
    return where(given, result, _at_the_ends(a, b, x)).cast(wanted)


def _expanded(a: Value, b: Value, x: Value) -> Value:
    """The function of two huge concentrations, almost a normal probability (DLMF 8.18.9)."""
    # By fractions of the larger one, whose sum stays finite.
    larger = where(a < b, b, a)
    first, second = a / larger, b / larger
    total = first + second
    rest = 1.0 - x
    ahead = where(x < 0.5, fma(-total, x, first), fma(total, rest, -second))
    fallen = fma(
        first, _bent(-ahead / first, total * x / first),
        second * _bent(ahead / second, total * rest / second),
    )  # fmt: skip
    sign = where(ahead > 0.0, x.of(-1.0), 1.0)
    eta = (fallen * -2.0 / total).root() * sign
    width = (first * second).root() / total
    close = abs(eta) < _CLOSE
    skew = (second - first) / total / (width * 3.0)
    off = where(close, 1.0, -ahead / total)
    term = where(close, skew, 1.0 / where(close, 1.0, eta) - width / off)
    size = larger.root()
    distance = (-fallen).root() * size * sign
    density = exp(fallen * larger) / (size * (total * (2.0 * math.pi)).root())
    return erfc(-distance) * 0.5 + density * term


def _at_the_ends(a: Value, b: Value, x: Value) -> Value:
    """All is at 0 where a is 0 or b infinite, at 1 where it is the other way round."""
    valid = (a >= 0.0) & (b >= 0.0) & (x >= 0.0) & (x <= 1.0)
    low = (a.equals(0.0) & (b > 0.0)) | (b.equals(np.inf) & (a < np.inf))
    high = (b.equals(0.0) & (a > 0.0)) | (a.equals(np.inf) & (b < np.inf))
    inside = (a > 0.0) & (b > 0.0) & (a < np.inf) & (b < np.inf)
    zero, one = x.equals(0.0), x.equals(1.0)
    result = where(valid & ((low & (x > 0.0)) | (inside & one) | (high & one)), 1.0, x.of(np.nan))
    none = (high & (x < 1.0)) | (inside & zero) | (low & zero)
    return where(valid & none, 0.0, result)


def _front(a: Value, b: Value, x: Value, rest: Value, ahead: Value) -> Value:
    """``x**a * (1 - x)**b / beta(a, b)``, where `ahead` is ``a - (a + b) * x``."""
    logarithm = where(x < 0.5, log1p(-x), log(rest))
    plain = exp(fma(a, log(x), fma(b, logarithm, -_logarithm(a, b))))
    # Of large operands everything but how far x is from the middle cancels.
    large_a, large_b = at_least(a, _LARGE), at_least(b, _LARGE)
    total = large_a + large_b
    bent_a = _bent(-ahead / large_a, total * x / large_a)
    bent_b = _bent(ahead / large_b, total * rest / large_b)
    exponent = fma(large_a, bent_a, large_b * bent_b)
    tails = stirling_tail(total) - (stirling_tail(large_a) + stirling_tail(large_b))
    root = (large_a / total * large_b / (2.0 * math.pi)).root()
    large = exp(exponent + tails) * root
    return where((a > _LARGE) & (b > _LARGE), large, plain)


def _bent(off: Value, ratio: Value) -> Value:
    """``log(ratio) - off``, which is not positive, where off is ``ratio - 1`` but more exact."""
    small = abs(off) < 0.25
    return where(small, bent(where(small, off, 0.0)), log(ratio) - off)


def _fraction(a: Value, b: Value, x: Value, ahead: Value) -> Value:
    """The continued fraction that the front is divided by, where `ahead` is ``a - (a + b) * x``.

    The even part of DLMF 8.17.22: on the side where it is used nothing in it cancels.
    """
    sum, pace = a + b, 2.0 - x

    def step(state: Sequence[Value]) -> tuple[list[Value], Value]:
        number, above, below, total = state
        number = number + 1.0
        before = a + (number - 1.0)
        share = number * ((b - number) * x) / (before + number)
        weight = before * ((sum + (number - 1.0)) * x) / (before + number) * share
        further = fma(number, pace, ahead + 1.0)
        middle = number + share + (a + number) * further / (before + number + 2.0)
        below = 1.0 / not_zero(fma(weight, below, middle))
        above = not_zero(middle + weight / above)
        change = above * below
        return [number, above, below, total * change], abs(change - 1.0) > _EXACT

    start = not_zero(a * (ahead + 1.0) / (a + 1.0))
    return repeated([a.of(0.0), start, a.of(0.0), start], step)[3]
