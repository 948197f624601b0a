"""exp and what is made of it: exp2, expm1, tanh, sigmoid, softplus, logaddexp.

``x = n * ln 2 + r`` with an integer n and ``abs(r) <= ln 2 / 2``; then ``exp(r) - 1`` is a minimax
polynomial, and two to the n goes into the exponent. ln 2 is subtracted in two parts, of which the
first has so few bits that n times it is exact.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from staticgraph.backends.native.math.logarithm import log1p_of_fraction
from staticgraph.backends.native.math.values import (
    BIAS,
    FRACTION,
    Value,
    at_least,
    at_most,
    fma,
    nearest_integer,
    polynomial,
    power_of_two,
    times_power_of_two,
    where,
)
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

_LOG2_E = 1.4426950408889634
# About below this, tanh is computed as a correction of its operand.
_SMALL = 0.3


class _Exponential(NamedTuple):
    """What depends on the dtype.

    ln2           in two parts
    coefficients  of ``(exp(r) - 1 - r) / r**2``; times r**2, errors are below 4.4e-9 and 8.9e-18
    lowest        where exp is 0 from here down
    highest       where exp is infinite from here up
    minus_one     where expm1 is -1 from here down
    sigmoid_one   where sigmoid is 1 from here up
    flat          where tanh is 1 from here up
    doubled       coefficients of ``(exp(2 * r) - 1 - 2 * r) / r**2`` for r up to 0.3, from there
                  less half of ln 2; times r**2, errors are below 6.6e-9 and 7e-18
    """

    ln2: tuple[float, float]
    coefficients: tuple[float, ...]
    lowest: float
    highest: float
    minus_one: float
    sigmoid_one: float
    flat: float
    doubled: tuple[float, ...]


_TABLE: dict[DType, _Exponential] = {
    dtypes.float32: _Exponential(
        ln2=(0.693145751953125, 1.4286068203094173e-6),
        coefficients=(
            0.500000009567554736, 0.166665183085881573, 0.0416662042309780665,
            0.00836895332269253511, 0.00139505963810633288,
        ),
        lowest=-104.0, highest=88.75, minus_one=-18.0, sigmoid_one=20.0, flat=9.25,
        doubled=(
            1.999998250289283164, 1.333317132618078992, 0.667507050445042744,
            0.259309570755808164, 0.1131169769359571956,
        ),
    ),
    dtypes.float64: _Exponential(
        ln2=(0.6931471805598903, 5.497923018708371e-14),
        coefficients=(
            0.500000000000001286, 0.166666666666666993, 0.0416666666665143204,
            0.00833333333330702889, 0.00138888889473319761, 0.000198412699177705935,
            0.0000248014895897545915, 2.75572159482543732e-6, 2.76314140841496974e-7,
            2.51179748869908363e-8,
        ),
        lowest=-746.0, highest=709.79, minus_one=-38.0, sigmoid_one=40.0, flat=20.0,
        doubled=(
            1.999999999999988476, 1.33333333333331904, 0.666666666679421254,
            0.266666666518701702, 0.0888888865501792652, 0.0253968914623960948,
            0.00634856372004374928, 0.001414253053438850672, 0.000272541714875226948,
            0.0000660291364612525156,
        ),
    ),
}  # fmt: skip


class Reduced(NamedTuple):
    """``exp(x)`` as two to the n times ``exp(r)``.

    n         an integer, as a float
    exponent  an integer whose low bits are those of n
    bend      ``(exp(r) - 1 - r) / r**2``
    """

    n: Value
    exponent: Value
    r: Value
    bend: Value

    def growth(self) -> Value:
        """``exp(r) - 1``."""
        return fma(self.r * self.r, self.bend, self.r)

    def power(self) -> Value:
        """``exp(r)``."""
        return fma(fma(self.bend, self.r, 1.0), self.r, 1.0)


def reduced(x: Value, addend: Value | None = None) -> Reduced:
    """The parts of ``exp(x + addend)`` for an x of moderate size and a tiny addend."""
    table = _TABLE[x.dtype]
    n, exponent = nearest_integer(x, _LOG2_E)
    high, low = table.ln2
    r = fma(n, -low, fma(n, -high, x))
    if addend is not None:
        r = r + addend
    return Reduced(n, exponent, r, polynomial(r, table.coefficients))


def scaled(parts: Reduced) -> Value:
    """What `reduced` took apart; the result may be subnormal, 0 or infinite."""
    return raised(parts.power(), parts.n, parts.exponent)


def raised(x: Value, n: Value, exponent: Value) -> Value:
    """``x * 2**n`` for n and `exponent` as in `Reduced`; it may be subnormal, 0 or infinite."""
    if x.s.scales:
        return times_power_of_two(x, n)
    # Two to the n need not be a normal number where the result is none: half of n each time.
    fraction = FRACTION[x.dtype]
    whole = exponent << fraction
    half = (whole >> 1) & -(1 << fraction)
    one = BIAS[x.dtype] << fraction
    return x * (half + one).as_float() * ((whole - half) + one).as_float()


def exp(x: Value) -> Value:
    """e to the x."""
    table = _TABLE[x.dtype]
    return scaled(reduced(at_least(at_most(x, table.highest), table.lowest)))


def exp_halved(x: Value) -> Value:
    """Half of e to an x that is not negative, which is finite for somewhat larger x."""
    parts = reduced(at_most(x, _TABLE[x.dtype].highest + 1.0))
    return raised(parts.power(), parts.n - 1.0, parts.exponent - 1)


def exp2(x: Value) -> Value:
    """Two to the x; exact for integers."""
    limit = BIAS[x.dtype] + FRACTION[x.dtype] + 5.0
    x = at_least(at_most(x, limit), -limit)
    n, exponent = nearest_integer(x, 1.0)
    r = (x - n) * (1.0 / _LOG2_E)
    return scaled(Reduced(n, exponent, r, polynomial(r, _TABLE[x.dtype].coefficients)))


def exp_of_negative(x: Value) -> Value:
    """e to an x that is not positive."""
    return scaled(reduced(at_least(x, _TABLE[x.dtype].lowest)))


def exp_of_moderate(x: Value) -> Value:
    """e to an x for which the result is a normal number."""
    parts = reduced(x)
    return parts.power() * power_of_two(parts.exponent, x.dtype)


# Of (exp(r) - 1 - r) / r**2 in float64, good for float32: times r**2, errors are below 4.9e-11.
_SHORT = (
    0.500000007832577921, 0.166666668616514692, 0.0416662685074960207, 0.00833326412589825239,
    0.00139461766932568589, 0.000199185146388635781,
)  # fmt: skip


def exp_for_float32(x: Value) -> Value:
    """e to a float64, for a result that becomes a float32."""
    x = at_least(at_most(x, 100.0), -110.0)
    n, exponent = nearest_integer(x, _LOG2_E)
    r = fma(n, -sum(_TABLE[x.dtype].ln2), x)
    factor = power_of_two(exponent, x.dtype)
    return fma(fma(r * r, polynomial(r, _SHORT), r), factor, factor)


def expm1(x: Value) -> Value:
    """``exp(x) - 1``."""
    table = _TABLE[x.dtype]
    parts = reduced(at_least(at_most(x, table.highest), table.minus_one))
    # Half of the result, since two to the n alone can be too large; what is straight in it comes
    # first, so that the rest is small where things cancel.
    factor = power_of_two(parts.exponent - 1, x.dtype)
    straight = fma(factor, parts.r, factor - 0.5)
    result = fma(factor, parts.r * parts.r * parts.bend, straight) * 2.0
    # Half of the result would lose bits of a subnormal number, and its sign.
    return where(abs(x) < 2.0**-60, x, result)


def tanh(x: Value) -> Value:
    """The hyperbolic tangent, ``e / (e + 2)`` with ``e = expm1(2 * size)``.

    For small sizes, where each rounding of that would count, it is the size plus a small quotient:
    ``size + (bent - size * e) / (e + 2)``, where ``bent = e - 2 * size`` is what bends the
    exponential. The reduction, ``size = n * ln 2 / 2 + r``, is moved so that all of these have
    n = 0. What it rounds hardly shows in the result, so ln 2 is one number here.
    """
    table = _TABLE[x.dtype]
    size = at_most(abs(x), table.flat)
    n, exponent = nearest_integer(size, 2.0 * _LOG2_E, 0.5 - 2.0 * _SMALL * _LOG2_E)
    r = fma(n, -0.5 / _LOG2_E, size)
    bent = r * r * polynomial(r, table.doubled)
    factor = power_of_two(exponent, x.dtype)
    e = fma(factor, fma(r, 2.0, bent), factor - 1.0)
    small = n.equals(0.0)
    quotient = where(small, fma(-size, e, bent), e) / (e + 2.0)
    return where(small, size + quotient, quotient).with_sign_of(x)


def sigmoid(x: Value) -> Value:
    """``1 / (1 + exp(-x))``.

    1 and two to the n are added first, which is exact, and the rest of the exponential then: so the
    sum is rounded but once. Both are made smaller before, and the result after, by a power of two
    that keeps all of them normal.
    """
    table = _TABLE[x.dtype]
    parts = reduced(-at_least(at_most(x, table.sigmoid_one), table.lowest))
    bits = BIAS[x.dtype] // 2
    factor = power_of_two(parts.exponent - bits, x.dtype)
    one = 2.0**-bits
    whole = factor + one
    # Nothing, or a half of the last place when two to the n is that much larger than 1.
    lost = one - (whole - factor)
    below = fma(factor, parts.growth(), lost) + whole
    return 1.0 / below * one


def logaddexp(x: Value, y: Value) -> Value:
    """``log(exp(x) + exp(y))``, as the larger one plus ``log1p(exp(-abs(x - y)))``."""
    larger = where(x > y, x, y)
    result = larger + log1p_of_fraction(exp_of_negative(-abs(x - y)))
    # Two infinities of one sign have no difference.
    return where(x.equals(y), x + math.log(2.0), result)


def softplus(x: Value) -> Value:
    """``log(1 + exp(x))``, as ``max(x, 0) + log1p(exp(-abs(x)))``."""
    return where(x < 0.0, 0.0, x) + log1p_of_fraction(exp_of_negative(-abs(x)))
