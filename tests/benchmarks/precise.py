"""Special functions in `numpy.longdouble`, for those that NumPy lacks; in float64 they are SciPy's.

Formulas are those of the NIST Digital Library of Mathematical Functions, chapters 5 and 7, summed
until the 64 bits of extended precision do not change. They hold for the operands that
tests/benchmarks/accuracy.py measures: positive ones, of the gamma function.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from scipy import special

Array = np.ndarray[Any, Any]

# Bernoulli's numbers B(2), B(4), ...
_BERNOULLI = (
    (1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510),
    (43867, 798), (-174611, 330), (854513, 138), (-236364091, 2730),
)  # fmt: skip
# From here on asymptotic series of so many terms are exact enough.
_FAR = 14


def _pi(x: Array) -> Any:
    return 4 * np.arctan(x.dtype.type(1))


def error_function(x: Array) -> Array:
    """erf in the precision of x."""
    if x.dtype == np.float64:
        result: Array = special.erf(x)
        return result
    # erf(x) = 2 / sqrt(pi) * exp(-x**2) * sum of x * (2 x**2)**n / (1 * 3 * ... * (2 n + 1)), whose
    # terms have one sign, so nothing cancels.
    size = np.minimum(np.abs(x), x.dtype.type(7))
    term = size.copy()
    total = size.copy()
    for n in range(1, 200):
        term *= 2 * size * size / (2 * n + 1)
        total += term
    series: Array = 2 / np.sqrt(_pi(x)) * np.exp(-size * size) * total
    return np.copysign(series, x)


def complement(x: Array) -> Array:
    """erfc in the precision of x."""
    if x.dtype == np.float64:
        result: Array = special.erfc(x)
        return result
    near = 1 - error_function(x)
    # exp(-x**2) / (x * sqrt(pi)) over a continued fraction; the square in two parts, each exact.
    size = np.minimum(np.maximum(np.abs(x), 2), x.dtype.type(150))
    fraction = np.zeros_like(size)
    for n in range(200, 0, -1):
        fraction = n / (2 * size * (1 + fraction)) / size
    coarse = size.astype(np.float32).astype(size.dtype)
    power = np.exp(-coarse * coarse) * np.exp(-(size - coarse) * (size + coarse))
    far = power / (size * np.sqrt(_pi(x)) * (1 + fraction))
    far = np.where(x < 0, 2 - far, far)
    return np.where(np.abs(x) < 2, near, np.where(np.isnan(x), x, far))


def inverse_error(y: Array) -> Array:
    """erfinv in the precision of y, by Newton's method from SciPy's result."""
    start = special.erfinv(y.astype(np.float64))
    if y.dtype == np.float64:
        return np.asarray(start)
    x = np.where(np.isfinite(start), start, 0).astype(y.dtype)
    for _ in range(2):
        # Where the function is close to 1 its complement has the digits.
        size = np.abs(x)
        far = (1 - np.abs(y)) - complement(size)
        excess = np.where(size > 0.5, far, error_function(size) - np.abs(y))
        x = np.copysign(size - excess / (2 / np.sqrt(_pi(y)) * np.exp(-size * size)), y)
    return np.where(np.isfinite(start), x, start)


def _moved(x: Array, value: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Numbers that are large enough, and the sum of `value` over those that lead there."""
    total = np.zeros_like(x)
    for _ in range(_FAR):
        low = x < _FAR
        total = total + np.where(low, value(x), 0)
        x = np.where(low, x + 1, x)
    return x, total


def gamma_logarithm(x: Array) -> Array:
    """lgamma of positive numbers in the precision of x."""
    if x.dtype == np.float64:
        result: Array = special.gammaln(x)
        return result
    near = np.abs(x - np.rint(x)) < 0.25
    first, second = near & (np.rint(x) == 1), near & (np.rint(x) == 2)
    product = np.ones_like(x)
    for k in range(_FAR):
        product = product * np.where(x + k < _FAR, x + k, 1)
    steps = np.clip(np.ceil(_FAR - x), 0, _FAR)
    far = x + steps
    tail = _series(far, lambda j: Fraction(1, 2 * j * (2 * j - 1))) * far
    far_value = (far - 0.5) * np.log(far) - far + np.log(2 * _pi(x)) / 2 + tail
    result = far_value - np.log(product)
    # At 1 and 2 the function is 0, and its own digits count.
    off = np.where(first, x - 1, np.where(second, x - 2, 0))
    result = np.where(first, _around_one(off), result)
    return np.where(second, np.log1p(off) + _around_one(off), result)


def _around_one(off: Array) -> Array:
    """lgamma(1 + off) for a small number, by Taylor's series with coefficients zeta(k) / k."""
    total = np.zeros_like(off)
    for k in range(40, 1, -1):
        far = off.dtype.type(_FAR)
        rest = far / (k - 1) + 0.5 + _zeta_tail(far, k)
        zeta = sum(off.dtype.type(n) ** -k for n in range(_FAR - 1, 0, -1)) + rest * far**-k
        total = off * (zeta / k - total)
    return off * (total - np.longdouble("0.57721566490153286060651209008240243"))


def _zeta_tail(far: Any, power: int) -> Any:
    """The Euler-Maclaurin terms of the zeta function, over a power of where they begin."""
    total, rising = 0.0 * far, Fraction(power)
    factor = Fraction(1, 2)
    for j, (above, below) in enumerate(_BERNOULLI, start=1):
        number = Fraction(above, below) * factor * rising
        total += (
            far.dtype.type(number.numerator)
            / far.dtype.type(number.denominator)
            / far ** (2 * j - 1)
        )
        rising *= (power + 2 * j - 1) * (power + 2 * j)
        factor /= (2 * j + 1) * (2 * j + 2)
    return total


def _series(x: Array, weight: Callable[[int], Fraction]) -> Array:
    """The sum of ``B(2 j) * weight(j) / x**(2 j)``."""
    total = np.zeros_like(x)
    for j, (above, below) in reversed(list(enumerate(_BERNOULLI, start=1))):
        number = Fraction(above, below) * weight(j)
        total = total / x / x + x.dtype.type(number.numerator) / x.dtype.type(number.denominator)
    return np.asarray(total / x / x)


def digamma(x: Array) -> Array:
    """digamma of positive numbers in the precision of x."""
    if x.dtype == np.float64:
        result: Array = special.digamma(x)
        return result
    far, sum = _moved(x, lambda y: 1 / y)
    return np.asarray(
        np.log(far) - 1 / (2 * far) - _series(far, lambda j: Fraction(1, 2 * j)) - sum
    )


def trigamma(x: Array) -> Array:
    """The slope of digamma of positive numbers in the precision of x."""
    if x.dtype == np.float64:
        return np.asarray(special.polygamma(1, x))
    far, sum = _moved(x, lambda y: 1 / y / y)
    return np.asarray(
        1 / far + 1 / (2 * far) / far + _series(far, lambda j: Fraction(1)) / far + sum
    )
