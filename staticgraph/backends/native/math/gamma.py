"""The logarithm of the gamma function, and its derivatives.

From 8.5 on the logarithm is Stirling's series, whose tail is a minimax polynomial of ``1 / x**2``.
Below, ``gamma(x + 1) = x * gamma(x)`` leads to a number around 2, where the logarithm is a
polynomial times what makes it 0 at 1 and 2: so it is accurate relative to itself there. Reflection
leads from a negative number to its size; of the zeros of the function there only the absolute error
is small. (NIST Digital Library of Mathematical Functions, 5.5, 5.11 and 5.15.)

float32 is computed in float64, with shorter polynomials.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from staticgraph.backends.native.math.logarithm import log, log1p, log_in_two_parts
from staticgraph.backends.native.math.trigonometric import half_turn
from staticgraph.backends.native.math.values import (
    Value,
    at_least,
    at_most,
    fma,
    horner,
    polynomial,
    two_product,
    where,
)
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

# Of lgamma(2 + u) / (u * (1 + u)) for u from -1/2 to 1/2; errors are below 2.1e-10 and 1.6e-17.
_NEAR: dict[DType, tuple[float, ...]] = {
    dtypes.float32: (
        0.4227843351833799, -0.10031730188938213, 0.03296498374580959, -0.012384175012358938,
        0.004999176116682425, -0.002108513395935357, 0.0009094772341247887,
        -0.00040225615880729206, 0.0002087146200472321, -9.648839864510662e-05,
    ),
    dtypes.float64: (
        0.42278433509846713, -0.10031730167435393, 0.03296500062115587, -0.012384192193367411,
        0.004998641164691811, -0.0021081308342266163, 0.0009153769225310764,
        -0.0004057073888957277, 0.00018255263187299094, -8.309527438180253e-05,
        3.816899574525203e-05, -1.7660185305872504e-05, 8.221235158668613e-06,
        -3.85635194035979e-06, 1.813374162533231e-06, -8.208093203246736e-07, 3.86313287764107e-07,
        -2.526343821543409e-07, 1.221832860220937e-07,
    ),
}  # fmt: skip
# Of x times what Stirling's formula lacks, in 1 / x**2 from 8.5 on; below 5.8e-10 and 5.6e-17.
_FAR: dict[DType, tuple[float, ...]] = {
    dtypes.float32: (
        0.08333333328575353, -0.002777715557380452, 0.0007815667274045459,
    ),
    dtypes.float64: (
        0.08333333333333333, -0.0027777777777759287, 0.0007936507914900301, -0.000595237146078353,
        0.0008415512851330041, -0.0018957506380574258, 0.005198094190579116,
    ),
}  # fmt: skip
_STIRLING = 0.4189385332046727  # log(2 * pi) / 2 - 1 / 2
_LARGE = 8.5
# Of digamma(1.5 + v) / (1.5 + v - root) for v from -1/2 to 1/2; below 6.5e-10 and 4.8e-17.
_SLOPE: dict[DType, tuple[float, ...]] = {
    dtypes.float32: (
        0.9510558754221029, -0.4236274193696553, 0.24054265783392026, -0.14840515929632742,
        0.09498072945172971, -0.06191410447875679, 0.04089454683335689, -0.02708960702667996,
        0.016910701564852162, -0.011145225883974562, 0.011230420615195564, -0.007625450575345723,
    ),
    dtypes.float64: (
        0.9510558760318328, -0.4236274212814606, 0.24054248424078722, -0.14840492305388023,
        0.0949887244528533, -0.06192213327554844, 0.040760833943184485, -0.026975796657344505,
        0.0179072482417851, -0.01190822016030183, 0.007927023218694996, -0.005279936531056655,
        0.0035180898918846914, -0.0023455007776357656, 0.0015634950765140048,
        -0.0010364267767945167, 0.0006903196676451443, -0.0004860522803104716,
        0.00032577553506944214, -0.0001446234519440484, 9.346207335209158e-05,
        -0.00017835951759062341, 0.00012105870561932086,
    ),
}  # fmt: skip
# Where digamma is 0, in two parts, of which the first has few bits.
_ROOT = (1.4616321449683622, 9.549995429965697e-17)
# Of (log(x) - 1 / (2 x) - digamma(x)) * x**2 in 1 / x**2 from 8 on; below 3.9e-11 and 5.6e-17.
_SLOPE_FAR: dict[DType, tuple[float, ...]] = {
    dtypes.float32: (
        0.08333333333015158, -0.00833332675152068, 0.003966121908313369, -0.003943657053790779,
    ),
    dtypes.float64: (
        0.08333333333333333, -0.008333333333331732, 0.003968253966069149, -0.004166665528099611,
        0.007575464769342621, -0.02105151517265079, 0.08004448439741416, -0.29981085063286156,
    ),
}  # fmt: skip


def lgamma(x: Value) -> Value:
    """The logarithm of the size of the gamma function; infinite at 0 and the negative integers."""
    wide = x.cast(dtypes.float64)
    size = abs(wide)
    result = _logarithm(size, x.dtype)
    # gamma(-x) * gamma(x) = -pi / (x * sin(pi * x))
    sine, _ = half_turn(size - size.rint())
    mirrored = -log(size * abs(sine) * (1 / math.pi)) - result
    mirrored = where(sine.equals(0.0), np.inf, mirrored)
    # Of a tiny number the sign does not matter, and its square would underflow.
    result = where((wide < 0.0) & (size > 2.0**-60), mirrored, result)
    result = where(size.equals(0.0), np.inf, result)
    return where(size.equals(np.inf), wide, result).cast(x.dtype)


def _logarithm(x: Value, wanted: DType) -> Value:
    """lgamma of a positive number."""
    large = x >= _LARGE
    moved = at_most(x, _LARGE)
    factor, factor_low = x.of(1.0), x.of(0.0)
    for _ in range(6):
        down = moved > 2.5
        less = moved - 1.0
        factor = where(down, factor * less, factor)
        moved = where(down, less, moved)
    # Up from 0 by two, whose sum with u is not needed, or by one.
    tiny, small = moved <= 0.5, moved <= 1.5
    next, next_low = moved + 1.0, moved - ((moved + 1.0) - 1.0)
    product, product_low = two_product(moved, next)
    factor = where(small, where(tiny, product, moved), factor)
    factor_low = where(tiny, fma(moved, next_low, product_low), factor_low)
    u = where(tiny, moved, where(small, moved - 1.0, moved - 2.0))
    argument = where(large, x, factor)
    if wanted == dtypes.float32:
        high, low = log(argument), x.of(0.0)
    else:
        high, low = log_in_two_parts(argument)
        low = low + where(large, 0.0, factor_low / factor)
    near = fma(fma(u, u, u), horner(u, _NEAR[wanted]), where(small, -high, high))
    near = near + where(small, -low, low)
    return where(large, _stirling(x, high, low, wanted), near)


def _stirling(x: Value, high: Value, low: Value, wanted: DType) -> Value:
    """lgamma of a large number whose logarithm is a sum of two."""
    tail = stirling_tail(at_least(x, _LARGE), wanted)
    half, steep = x - 0.5, high - 1.0
    product = half * steep
    if wanted == dtypes.float32:
        return product + (tail + _STIRLING)
    bounded = at_most(x, 2.0**500)
    _, product_low = two_product(at_most(half, 2.0**500), steep)
    rest = fma(bounded, low, product_low) + (tail + _STIRLING)
    return product + where(x < 2.0**500, rest, 0.0)


def lgamma_from_one(x: Value) -> Value:
    """``lgamma(1 + x)`` of a float64 from 0 to 1/2."""
    return fma(x, x, x) * horner(x, _NEAR[x.dtype]) - log1p(x)


def stirling_tail(x: Value, wanted: DType = dtypes.float64) -> Value:
    """What Stirling's formula lacks at an x from 8.5 on."""
    inverse = 1.0 / x
    return inverse * polynomial(inverse * inverse, _FAR[wanted])


def digamma(x: Value) -> Value:
    """The slope of lgamma; infinite at 0 with the other sign, NaN at the negative integers."""
    wide = x.cast(dtypes.float64)
    size = abs(wide)
    behind = wide < 0.0
    large = size > 8.0
    moved = at_most(size, 8.0)
    # A sum of 1 / k, as a fraction.
    above, below = wide.of(0.0), wide.of(1.0)
    for _ in range(6):
        down = moved > 2.0
        less = moved - 1.0
        above = where(down, fma(above, less, below), above)
        below = where(down, below * less, below)
        moved = where(down, less, moved)
    small = moved < 1.0
    above, below = where(small, wide.of(-1.0), above), where(small, size, below)
    # digamma(-x) = digamma(x) + 1 / x + pi / tan(pi * x), where 1 / x may cancel what is there.
    high, low = _ROOT
    from_root = where(small, (moved - (high - 1.0)) - low, (moved - high) - low)
    middle = where(small, moved - 0.5, moved - 1.5)
    near = from_root * horner(middle, _SLOPE[x.dtype])
    near = near + where(behind & small, 0.0, above / below)
    inverse = 1.0 / at_least(size, 8.0)
    square = inverse * inverse
    tail = fma(square, polynomial(square, _SLOPE_FAR[x.dtype]), inverse * 0.5)
    result = where(large, log(size) - tail, near)
    sine, cosine = half_turn(size - size.rint())
    turned = cosine * math.pi / sine + where(small, 0.0, 1.0 / size)
    result = where(behind, result + turned, result)
    result = where(behind & sine.equals(0.0), np.nan, result)
    infinite = wide.of(-np.inf).with_sign_of(-wide)
    return where(size.equals(0.0), infinite, result).cast(x.dtype)


# How far a number is moved before the series, and how many terms of that are taken.
_MOVED, _TERMS = 8, 10


def polygamma(x: Value, order: int) -> Value:
    """The derivative of digamma of an order from 1 on.

    ``(-1)**(n + 1) * n!`` times the sum of ``(x + k)**-(n + 1)``, whose far end is the
    Euler-Maclaurin series; the reflection for negative numbers differentiates ``pi / tan(pi x)``.
    """
    wide = x.cast(dtypes.float64)
    behind = wide < 0.0
    positive = where(behind, 1.0 - wide, abs(wide))
    total = _hurwitz(positive, order + 1) * math.factorial(order)
    sine, cosine = half_turn(wide - wide.rint())
    turned = polynomial(cosine / sine, _cotangent(order)) * math.pi ** (order + 1)
    sign = 1.0 if order % 2 else -1.0
    result = where(behind, -total - turned, total * sign)
    pole = sine.equals(0.0) | wide.equals(-np.inf)
    return where(behind & pole, sign * np.inf, result).cast(x.dtype)


def _hurwitz(x: Value, power: int) -> Value:
    """The sum of ``(x + k)**-power`` over all k from 0 on, for an x that is not negative."""
    steps = _MOVED + power
    inverse = 1.0 / (x + float(steps))
    tail = fma(inverse, polynomial(inverse * inverse, _euler_maclaurin(power)), 0.5)
    end = _raised(inverse, power - 1) * fma(inverse, tail, 1.0 / (power - 1))
    # What may be largest comes last, so that few roundings count.
    total = 1.0 / _raised(x + float(steps - 1), power)
    for k in range(steps - 2, 0, -1):
        total = total + 1.0 / _raised(x + float(k), power)
    return (total + end) + 1.0 / _raised(x, power)


def _raised(x: Value, power: int) -> Value:
    """x to a small power from 1 on."""
    result = x
    for bit in bin(power)[3:]:
        result = result * result
        if bit == "1":
            result = result * x
    return result


def _euler_maclaurin(power: int) -> list[float]:
    """``B(2j) / (2j)! * s * (s + 1) * ... * (s + 2j - 2)`` for j from 1 on, where s is `power`."""
    found, rising = [], Fraction(power)
    for j, number in enumerate(_bernoulli(2 * _TERMS)[2::2], start=1):
        found.append(float(number * rising / math.factorial(2 * j)))
        rising *= (power + 2 * j - 1) * (power + 2 * j)
    return found


def _bernoulli(count: int) -> list[Fraction]:
    """The Bernoulli numbers from 0 to `count`, each from the sum with those before it."""
    numbers: list[Fraction] = []
    for n in range(count + 1):
        known = sum(math.comb(n + 1, k) * number for k, number in enumerate(numbers))
        numbers.append(-Fraction(known) / (n + 1) if n else Fraction(1))
    return numbers


def _cotangent(order: int) -> list[float]:
    """The derivative of ``cot(t)`` of an order, as a polynomial of ``cot(t)``, by coefficients."""
    found = [0, 1]
    for _ in range(order):
        slope = [k * number for k, number in enumerate(found)][1:]
        found = [-a - b for a, b in zip([*slope, 0, 0], [0, 0, *slope], strict=True)]
    return [float(number) for number in found]
