"""log, log1p, log2, log10, and what pow needs of them.

``x = 2**k * m`` with m between the roots of 1/2 and 2, and ``log(x) = k * ln 2 + log(1 + f)`` with
``f = m - 1``, which is exact. In float32 the logarithm of 1 + f is a polynomial of f; in float64 it
is one of ``s = f / (2 + f)``, in which it converges fast: ``log(1 + f) = 2 * atanh(s)``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from staticgraph.backends.native.math.values import (
    BIAS,
    FRACTION,
    Value,
    fma,
    integer_to_float,
    polynomial,
    power_of_two,
    two_product,
    two_sum,
    where,
)
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType


class _Logarithm(NamedTuple):
    """What depends on the dtype: ln 2 in two parts, and the bits of the root of 1/2.

    coefficients  float32: of ``(log(1 + f) - f + f**2 / 2) / f**3``; errors times f**2 below 8e-10
                  float64: of ``(2 * atanh(s) - 2 * s) / s**3`` in s**2; errors are below 3.3e-16
    """

    ln2: tuple[float, float]
    root: int
    coefficients: tuple[float, ...]


_TABLE: dict[DType, _Logarithm] = {
    dtypes.float32: _Logarithm(
        ln2=(0.693145751953125, 1.4286068203094173e-6), root=0x3F3504F3,
        coefficients=(
            0.333333104467279745, -0.249999865754281521, 0.200022262283274192,
            -0.166692517733973017, 0.142186655170843, -0.123843372267233106,
            0.118729164041557181, -0.117898481738242579, 0.0691553971884607997,
        ),
    ),
    dtypes.float64: _Logarithm(
        ln2=(0.6931471805598903, 5.497923018708371e-14), root=0x3FE6A09E667F3BCD,
        coefficients=(
            0.666666666666666975, 0.399999999998978891, 0.285714286266509634,
            0.222222110318059915, 0.181828962039985641, 0.153314978805724397,
            0.14619095556025326,
        ),
    ),
}  # fmt: skip


def parts(x: Value) -> tuple[Value, Value]:
    """The exponent k, an integer, and m of a normal positive x."""
    bits = x.bits()
    exponent = (bits - _TABLE[x.dtype].root) >> FRACTION[x.dtype]
    return exponent, (bits - (exponent << FRACTION[x.dtype])).as_float()


def combined(k: Value, f: Value) -> Value:
    """``k * ln 2 + log(1 + f)``; k is an integer as a float."""
    table = _TABLE[f.dtype]
    high, low = table.ln2
    square = f * f
    if f.dtype == dtypes.float32:
        curved = square * f * polynomial(f, table.coefficients)
        rest = curved + fma(k, low, square * -0.5)
        return fma(k, high, rest + f)
    # 2 s = f - s f, which keeps f exact: log(1 + f) = f - (f**2 / 2 - s * (f**2 / 2 + R)).
    s = f / (f + 2.0)
    z = s * s
    half = square * 0.5
    rest = fma(s, half + z * polynomial(z, table.coefficients), k * low)
    return fma(k, high, f - (half - rest))


def _split(x: Value) -> tuple[Value, Value]:
    """k, as a float, and m of a positive x, which may be subnormal."""
    dtype = x.dtype
    # A subnormal number is brought among the normal ones first.
    subnormal = x < float(np.finfo(dtype).tiny)
    shift = FRACTION[dtype] + 1
    exponent, m = parts(where(subnormal, x * 2.0**shift, x))
    return integer_to_float(exponent - where(subnormal, exponent.of(shift), 0), dtype), m


def log(x: Value) -> Value:
    """The natural logarithm."""
    k, m = _split(x)
    return _at_the_ends(x, combined(k, m - 1.0))


def _at_the_ends(x: Value, result: Value) -> Value:
    """A logarithm of x that is right for finite positive numbers, made right for all."""
    result = where(x.equals(np.inf), x, result)
    result = where(x.equals(0.0), -np.inf, result)
    return where(x >= 0.0, result, np.nan)


def log1p_of_fraction(x: Value) -> Value:
    """``log(1 + x)`` of an x from 0 to 1, and of NaN."""
    return log1p_of_sum(x)


def log1p_of_sum(x: Value, low: Value | None = None, doubled: Value | None = None) -> Value:
    """``log(1 + x + low)`` for x above -1, plus ln 2 where `doubled`; a zero loses its sign."""
    u = x + 1.0
    # What rounding took from 1 + x; for large x it is wrong, and too small to matter.
    lost = x - (u - 1.0)
    if low is not None:
        lost = lost + low
    exponent, m = parts(u)
    bound = BIAS[x.dtype] - 1
    inverse = power_of_two(-where(exponent > bound, bound, exponent), x.dtype)
    f = fma(lost, inverse, m - 1.0)
    if doubled is not None:
        exponent = exponent + where(doubled, exponent.of(1), 0)
    return combined(integer_to_float(exponent, x.dtype), f)


def log1p(x: Value) -> Value:
    """``log(1 + x)``."""
    result = log1p_of_sum(x)
    result = where(x.equals(np.inf) | x.equals(0.0), x, result)
    result = where(x.equals(-1.0), -np.inf, result)
    return where(x >= -1.0, result, np.nan)


# -- other bases ------------------------------------------------------------------------------

# Per dtype in two parts: what a natural logarithm is multiplied with, for base 2 and base 10, and
# the logarithm of 2 to base 10, of whose first part multiples are exact.
_TO_BASE_2: dict[DType, tuple[float, float]] = {
    dtypes.float32: (1.44269502162933349609375, 1.925963033500946e-8),
    dtypes.float64: (1.4426950408889634, 2.0355273740931033e-17),
}
_TO_BASE_10: dict[DType, tuple[float, float]] = {
    dtypes.float32: (0.4342944920063018798828125, -1.0103050118726e-8),
    dtypes.float64: (0.4342944819032518, 1.098319650216765e-17),
}
_TWO_TO_BASE_10: dict[DType, tuple[float, float]] = {
    dtypes.float32: (0.301025390625, 4.605038981195214e-06),
    dtypes.float64: (0.30102999566395283, 2.8363394551044964e-14),
}


def bent(f: Value) -> Value:
    """``log(1 + f) - f`` for a 1 + f between the roots of 1/2 and 2."""
    table = _TABLE[f.dtype]
    square = f * f
    if f.dtype == dtypes.float32:
        return fma(square * f, polynomial(f, table.coefficients), square * -0.5)
    s = f / (f + 2.0)
    z = s * s
    half = square * 0.5
    return fma(s, half + z * polynomial(z, table.coefficients), -half)


def log2(x: Value) -> Value:
    """The logarithm to base 2; exact for powers of 2."""
    k, m = _split(x)
    f = m - 1.0
    high, low = _TO_BASE_2[x.dtype]
    return _at_the_ends(x, fma(f, high, k) + fma(bent(f), high, f * low))


def log10(x: Value) -> Value:
    """The logarithm to base 10; exact for powers of 10."""
    k, m = _split(x)
    f = m - 1.0
    high, low = _TO_BASE_10[x.dtype]
    two, two_low = _TWO_TO_BASE_10[x.dtype]
    product, product_low = two_product(f, f.of(high))
    total, lost = two_sum(k * two, product)
    rest = fma(bent(f), high, fma(f, low, fma(k, two_low, product_low + lost)))
    return _at_the_ends(x, total + rest)


# -- powers -----------------------------------------------------------------------------------

# Of 2 * atanh(s) in float64, good for float32: errors are below 1.2e-9 times s**3.
_SHORT = (0.666666665526073911, 0.400001230912124188, 0.2855069894616032, 0.233334187508363112)
# Of (atanh(s) / s - 1 - s**2 / 3) / s**4 in s**2: errors are below 1.2e-17, and count s**4 times.
_TAIL = (
    0.2, 0.142857142857142822, 0.111111111111142619, 0.0909090908981514057, 0.0769230788243527008,
    0.066666481279155274, 0.0588341236192173853, 0.0522803799875819174, 0.0538231613708026367,
)  # fmt: skip
_THIRD = (1 / 3, 1.850371707708594e-17)


def log_for_float32(x: Value) -> Value:
    """The logarithm of a float64 that was a positive float32, to 2**-36 of itself."""
    exponent, m = parts(x)
    f = m - 1.0
    s = f / (f + 2.0)
    z = s * s
    rest = fma(s * z, polynomial(z, _SHORT), s + s)
    return fma(integer_to_float(exponent, x.dtype), sum(_TABLE[x.dtype].ln2), rest)


def log_in_two_parts(x: Value) -> tuple[Value, Value]:
    """The logarithm of a positive float64 as the sum of two, to some 2**-64 of itself."""
    k, m = _split(x)
    f = m - 1.0
    # s in two parts: the second mends the first by what its product with the divisor lacks.
    divisor = f + 2.0
    divisor_low = f - (divisor - 2.0)
    inverse = 1.0 / divisor
    s = f * inverse
    product, product_low = two_product(s, divisor)
    s_low = (((f - product) - product_low) - s * divisor_low) * inverse
    # log(m) = 2 s + 2 s u with u = s**2 / 3 + s**4 * tail(s**2).
    z, z_low = two_product(s, s)
    z_low = fma(s + s, s_low, z_low)
    third, third_low = two_product(z, z.of(_THIRD[0]))
    third_low = third_low + fma(z, _THIRD[1], z_low * _THIRD[0])
    u, u_low = two_sum(third, z * z * polynomial(z, _TAIL))
    twice, twice_low = s + s, s_low + s_low
    bent, bent_low = two_product(twice, u)
    bent_low = bent_low + fma(twice, u_low + third_low, twice_low * u)
    straight, low = two_sum(twice, bent)
    high, table_low = _TABLE[x.dtype].ln2
    # k times the first part of ln 2 is exact, and larger than the logarithm of m or 0.
    total, error = two_sum(k * high, straight)
    return two_sum(total, error + (fma(k, table_low, low) + (bent_low + twice_low)))
