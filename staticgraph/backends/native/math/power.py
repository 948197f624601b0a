"""pow: the exponential of ``exponent * log(base)``, more exactly than a float says.

An error of the logarithm is multiplied by up to 104 in float32 and 745 in float64. So float32
computes in float64, and float64 carries the logarithm and its product in two parts. The special
cases are those of C's `pow`, which NumPy has, too.
"""

from __future__ import annotations

import numpy as np

from staticgraph.backends.native.math.exponential import exp_for_float32, reduced, scaled
from staticgraph.backends.native.math.logarithm import log_for_float32, log_in_two_parts
from staticgraph.backends.native.math.values import (
    Value,
    at_least,
    at_most,
    fma,
    two_product,
    where,
)
from staticgraph.core import dtypes

# Between these the exponential of a float64 is neither 0 nor infinite.
_LOWEST, _HIGHEST = -746.0, 709.79
# So large an exponent gives 0 or infinity for every base but 1, and its products stay finite.
_STEEP = 2.0**70


def pow(base: Value, exponent: Value) -> Value:
    """``base ** exponent``."""
    size = abs(base)
    single = base.dtype == dtypes.float32
    steep = at_least(at_most(exponent, _STEEP), -_STEEP)
    result = _power_in_float64(size, steep) if single else _power_in_parts(size, steep)
    # Zero and infinity: which of them the result is depends on the sign of the exponent.
    ends = size.equals(0.0) | size.equals(np.inf)
    large = size.equals(np.inf) ^ (exponent < 0.0)
    result = where(ends, where(large, base.of(np.inf), 0.0), result)
    # A negative base: an odd exponent keeps the sign, one that is no integer is refused.
    whole = exponent.floor().equals(exponent)
    half = exponent * 0.5
    odd = whole & (half.floor().differs(half))
    result = where(odd, result.with_sign_of(base), result)
    wrong = (base < 0.0) & (base > -np.inf) & exponent.floor().differs(exponent)
    result = where(wrong | base.unordered(exponent), np.nan, result)
    return where(base.equals(1.0) | exponent.equals(0.0), 1.0, result)


def _power_in_float64(base: Value, exponent: Value) -> Value:
    power = exponent.cast(dtypes.float64) * log_for_float32(base.cast(dtypes.float64))
    return exp_for_float32(power).cast(dtypes.float32)


def _power_in_parts(base: Value, exponent: Value) -> Value:
    high, low = log_in_two_parts(base)
    power, power_low = two_product(exponent, high)
    power_low = fma(exponent, low, power_low)
    # Where the result is 0 or infinite the second part is of no use, and can be large.
    power_low = where(abs(power) < 1000.0, power_low, 0.0)
    return scaled(reduced(at_least(at_most(power, _HIGHEST), _LOWEST), power_low))
