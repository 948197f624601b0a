"""The regularised incomplete gamma functions.

Where x is below a + 1 the lower one is a power series, beyond it the upper one is a continued
fraction, by W. J. Lentz's method as I. J. Thompson and A. R. Barnett changed it (1986). Both take
about six times the root of a steps where x is close to a, and few elsewhere; an a from 10**7 on
takes the first terms of N. M. Temme's expansion instead, which are enough there. The factor
before them is Stirling's for large a, in which what is large cancels before it is rounded; its
logarithm, down to -745, is carried in two parts, as the exponential makes an error of it one of the
whole result. (NIST Digital Library of Mathematical Functions, 8.7 and 8.9.) float32 is computed in
float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from staticgraph.backends.native.math.error import erfc
from staticgraph.backends.native.math.exponential import exp, expm1, reduced, scaled
from staticgraph.backends.native.math.gamma import lgamma, lgamma_from_one, stirling_tail
from staticgraph.backends.native.math.logarithm import bent, log1p, log_in_two_parts
from staticgraph.backends.native.math.values import (
    Value,
    any_lane,
    at_least,
    at_most,
    fma,
    polynomial,
    two_product,
    two_sum,
    where,
)
from staticgraph.core import dtypes

_LARGE = 8.5
_HUGE = 1e7
# More than it takes below that.
_STEPS = 100_000
# Of Temme's expansion what does not depend on a and what is divided by a, in powers of eta, which
# is small where anything is left (DLMF 8.12.10).
_TEMME = (-1 / 3, 1 / 12, -2 / 135, 1 / 864, 1 / 2835)
_TEMME_NEXT = (-1 / 540, -1 / 288)
_EXACT = 2.0**-54
_TINY = 1e-300
# Of an a below the huge ones nothing is left beyond this, up to which products are finite.
_BEYOND = 1e100
# Closer to 1 than this what is left of a logarithm needs no second part: a is not so large.
_CLOSE = 2.0**-7
# Between these the exponential is neither 0 nor infinite.
_LOWEST, _HIGHEST = -746.0, 709.79


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
    small = inner_a < 0.5
    tiny_a = where(small, inner_a, 0.5)
    factor, begin, whole = _before(inner_a, inner_x, small)
    # Of a tiny a almost all is below x, and rounding must not make it more.
    lower = at_most(begin * _series(inner_a, where(near, inner_x, 0.0)), 1.0)
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


def _before(a: Value, x: Value, small: Value) -> tuple[Value, Value, Value]:
    """What stands before the fraction and before the series, and a logarithm.

    ``x**a * exp(-x) / gamma(a)``, ``x**a * exp(-x) / gamma(a + 1)``, and of a small a the logarithm
    of ``x**a / gamma(a + 1)``, which is small.
    """
    x = at_most(x, _BEYOND)
    high, low = log_in_two_parts(x)
    power, power_low = two_product(a, high)
    power_low = fma(a, low, power_low)
    # A small a is a divisor of its gamma function, whose logarithm would be large.
    gamma = where(small, lgamma_from_one(where(small, a, 0.5)), lgamma(a))
    whole, whole_low = _exact_sum(power, -gamma)
    plain, plain_low = _exact_sum(whole, -x)
    plain_low = plain_low + whole_low + power_low

    large, far = a > _LARGE, at_least(a, _LARGE)
    high, low = _fallen_in_parts(far, x)
    steep, steep_low = two_product(far, high)
    stirling, stirling_low = _exact_sum(steep, -stirling_tail(far))
    stirling_low = stirling_low + fma(far, low, steep_low)

    result = _exp_in_parts(
        where(large, stirling, plain), where(large, stirling_low, plain_low)
    ) * where(large, (far * (1.0 / (2.0 * np.pi))).root(), 1.0)
    return where(small, result * a, result), where(small, result, result / a), whole


def _exp_in_parts(high: Value, low: Value) -> Value:
    """``exp(high + low)``."""
    # Where the result is 0 the second part is of no use, and can be large.
    low = where(abs(high) < 1000.0, low, 0.0)
    return scaled(reduced(at_least(at_most(high, _HIGHEST), _LOWEST), low))


def _exact_sum(x: Value, y: Value) -> tuple[Value, Value]:
    """``x + y`` and its rounding error, whichever is the larger one."""
    swapped = abs(x) < abs(y)
    return two_sum(where(swapped, y, x), where(swapped, x, y))


def _fallen_in_parts(a: Value, x: Value) -> tuple[Value, Value]:
    """``log(x / a) - x / a + 1`` as the sum of two, for an a that is not huge."""
    quotient = x / a
    product, product_low = two_product(quotient, a)
    rest = (x - product) - product_low
    high, low = log_in_two_parts(quotient)
    off, off_low = _exact_sum(quotient, x.of(-1.0))
    fallen, fallen_low = _exact_sum(high, -off)
    # What the quotient lacks, in the logarithm and in itself.
    fallen_low = fallen_low + (low - off_low) + (rest / x - rest / a)
    off = (x - a) / a
    close = abs(off) < _CLOSE
    near = bent(where(close, off, 0.0))
    return where(close, near, fallen), where(close, 0.0, fallen_low)


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
    eta = at_most(at_least(eta, -1.0), 1.0)
    rest = density * (polynomial(eta, _TEMME) + polynomial(eta, _TEMME_NEXT) / a)
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
    """What `step` makes of the state, again and again while a lane needs more.

    A lane that needs no more keeps its state: what an element is does not depend on its neighbours,
    and thousands of steps more would let roundings add up.
    """
    # Whether a lane still goes on, as 1 or 0.
    state = [*state, state[0].of(1.0)]
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
    going = carried[-1] > 0.5
    changed, more = step(carried[:-1])
    more = going & more
    results = [where(going, new, old) for new, old in zip(changed, carried[:-1], strict=True)]
    results.append(where(more, carried[-1], 0.0))
    for phi, value in zip(phis, results, strict=True):
        phi.add(value.register.text, code.block)
    following = code.let(f"add i64 {count.name}, 1")
    count.add(following, code.block)
    left = code.let(f"icmp ult i64 {following}, {_STEPS}")
    code.branch(code.let(f"and i1 {any_lane(more)}, {left}"), loop, after)
    code.begin(after)
    return results[:-1]
