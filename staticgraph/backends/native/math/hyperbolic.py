"""Hyperbolic functions but tanh, which stands with the exponential, and their inverses.

The inverses are logarithms of 1 plus something that may be small. That something is kept in two
parts, since an error of it counts in full.
"""

from __future__ import annotations

import numpy as np

from staticgraph.backends.native.math.exponential import exp_halved
from staticgraph.backends.native.math.logarithm import log1p_of_sum
from staticgraph.backends.native.math.values import (
    Value,
    at_most,
    exact_sum,
    fma,
    polynomial,
    two_product,
    where,
)
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

# Of (sinh(x) / x - 1) / x**2 in x**2, for x up to 1; times x**2, errors are below 6.6e-9, 1.1e-17.
_SINE: dict[DType, tuple[float, ...]] = {
    dtypes.float32: (
        0.1666666648800064, 0.008333350650338415, 0.0001983605572993602, 2.8175021825799806e-06,
    ),
    dtypes.float64: (
        0.16666666666666669, 0.008333333333333137, 0.00019841269841438521, 2.755731915506187e-06,
        2.505212344365261e-08, 1.6057236727507085e-10, 7.759424775870749e-13,
    ),
}  # fmt: skip
# From here on ``x**2 + 1`` and ``x**2 - 1`` are ``x**2``, and roots of them x.
_LARGE: dict[DType, float] = {dtypes.float32: 2.0**14, dtypes.float64: 2.0**30}


def cosh(x: Value) -> Value:
    """The hyperbolic cosine: half an exponential, and a quarter of its reciprocal."""
    grown = exp_halved(abs(x))
    return grown + 0.25 / grown


def sinh(x: Value) -> Value:
    """The hyperbolic sine."""
    size = abs(x)
    near = at_most(size, 1.0)
    square = near * near
    small = fma(near * square, polynomial(square, _SINE[x.dtype]), near)
    grown = exp_halved(size)
    return where(size < 1.0, small, grown - 0.25 / grown).with_sign_of(x)


def asinh(x: Value) -> Value:
    """The inverse hyperbolic sine, ``log(x + sqrt(x**2 + 1))``."""
    size = abs(x)
    large = size >= _LARGE[x.dtype]
    moderate = where(large, 1.0, size)
    square, square_low = two_product(moderate, moderate)
    sum, sum_low = exact_sum(square, square.of(1.0))
    root, root_low = _root(sum, sum_low + square_low)
    grown, grown_low = exact_sum(moderate, root - 1.0)
    grown_low = grown_low + root_low
    result = log1p_of_sum(where(large, size - 1.0, grown), where(large, 0.0, grown_low), large)
    return where(size < np.inf, result, size).with_sign_of(x)


def acosh(x: Value) -> Value:
    """The inverse hyperbolic cosine, ``log(x + sqrt(x**2 - 1))``; NaN below 1."""
    large = x >= _LARGE[x.dtype]
    moderate = where(large, 1.0, x)
    less = moderate - 1.0
    more, more_low = exact_sum(moderate, x.of(1.0))
    product, product_low = two_product(less, more)
    root, root_low = _root(product, fma(less, more_low, product_low))
    grown, grown_low = exact_sum(less, root)
    grown_low = grown_low + root_low
    result = log1p_of_sum(where(large, x - 1.0, grown), where(large, 0.0, grown_low), large)
    result = where(x >= 1.0, result, np.nan)
    return where(x.equals(1.0), 0.0, where(x.equals(np.inf), x, result))


def atanh(x: Value) -> Value:
    """The inverse hyperbolic tangent, ``log1p(2 x / (1 - x)) / 2``; infinite at 1, NaN beyond."""
    size = abs(x)
    below, below_low = exact_sum(x.of(1.0), -size)
    twice = size + size
    quotient = twice / below
    product, product_low = two_product(quotient, below)
    missing = ((twice - product) - product_low) - quotient * below_low
    result = log1p_of_sum(quotient, missing / below) * 0.5
    result = where(size < 1.0, result, np.nan)
    result = where(size.equals(1.0), np.inf, result)
    # Doubled and halved again, half of the last place of a subnormal number would be lost.
    return where(size < 2.0**-60, size, result).with_sign_of(x)


def _root(x: Value, low: Value) -> tuple[Value, Value]:
    """The square root of a sum, and what it lacks."""
    root = x.root()
    product, product_low = two_product(root, root)
    missing = ((x - product) - product_low) + low
    return root, where(root > 0.0, missing / (root + root), 0.0)
