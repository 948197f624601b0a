"""The cube root, and the length of a vector of two."""

from __future__ import annotations

import numpy as np

from staticgraph.backends.native.math.logarithm import parts
from staticgraph.backends.native.math.values import (
    FRACTION,
    Value,
    fma,
    integer_to_float,
    polynomial,
    power_of_two,
    where,
)
from staticgraph.core import dtypes

# Of the cube root from 1 to 2; errors are below 1.1e-5 of it.
_START = (
    0.507659022286262, 0.7162227189331752, -0.2985951991997004, 0.0851740830190736,
    -0.010450347214725708,
)  # fmt: skip
_ROOTS = (1.2599210498948732, 1.5874010519681994)


def cbrt(x: Value) -> Value:
    """The cube root, with the sign of x."""
    single = x.dtype == dtypes.float32
    wide = abs(x).cast(dtypes.float64)
    # A subnormal number is brought among the normal ones first, by a cube.
    subnormal = wide < float(np.finfo(np.float64).tiny)
    exponent, fraction = parts(where(subnormal, wide * 2.0**54, wide))
    k = integer_to_float(exponent, wide.dtype)
    third = fma(k, 1 / 3, 1 / 6).floor()
    left = fma(third, -3.0, k)
    start = polynomial(fraction, _START)
    one, two = left.equals(1.0), left.equals(2.0)
    start = start * where(two, wide.of(_ROOTS[1]), where(one, wide.of(_ROOTS[0]), 1.0))
    cube = fraction * where(two, wide.of(4.0), where(one, wide.of(2.0), 1.0))
    # Halley's step has the cube of the error before it.
    power = start * start * start
    root = start * ((power + (cube + cube)) / ((power + power) + cube))
    if not single:
        root = _mended(root, cube)
    shift = 1.5 * 2.0 ** FRACTION[wide.dtype]
    third = third - where(subnormal, wide.of(18.0), 0.0)
    root = root * power_of_two((third + shift).bits(), wide.dtype)
    root = root.cast(x.dtype)
    usual = (wide > 0.0) & (wide < np.inf)
    return where(usual, root.with_sign_of(x), x)


def _mended(root: Value, cube: Value) -> Value:
    """One more step, from a root of so few bits that its square is exact."""
    root = (root.bits() & -(1 << 27)).as_float()
    ratio = cube / (root * root)
    return fma(root, (ratio - root) / ((root + root) + ratio), root)


def hypot(x: Value, y: Value) -> Value:
    """``sqrt(x**2 + y**2)`` without overflow in between; infinite where one is, even beside NaN."""
    if x.dtype == dtypes.float32:
        # Squares of float32 are exact in float64, and do not overflow there.
        a, b = x.cast(dtypes.float64), y.cast(dtypes.float64)
        result = fma(a, a, b * b).root().cast(x.dtype)
    else:
        a, b = abs(x), abs(y)
        largest = where(a > b, a, b)
        huge, tiny = largest > 2.0**500, largest < 2.0**-450
        scale = where(huge, x.of(2.0**-600), where(tiny, x.of(2.0**600), 1.0))
        back = where(huge, x.of(2.0**600), where(tiny, x.of(2.0**-600), 1.0))
        a, b = a * scale, b * scale
        result = fma(a, a, b * b).root() * back
    infinite = abs(x).equals(np.inf) | abs(y).equals(np.inf)
    return where(infinite, np.inf, result)
