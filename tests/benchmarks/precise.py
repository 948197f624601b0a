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


# Where digamma is 0, as a float64 and what it lacks, and Taylor's coefficients there from the first
# on, computed to 60 digits.
_ROOT = ("1.4616321449683622457627052426687441766", "9.54999542996569771518e-17")
_AT_ROOT = (
    "0.9676722454476211704274448", "-0.4427631689835921060928653", "0.2584997609556510106244014",
    "-0.1639427054424065275042513", "0.1078240506912623657571829", "-0.07219956125645471092612178",
    "0.04880428816414310722509253", "-0.0331611264748473592922584",
)  # fmt: skip


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
    size = np.minimum(np.maximum(np.abs(x), 2), x.dtype.type(150))
    far = _exponential(size, -1) * _scaled(size)
    far = np.where(x < 0, 2 - far, far)
    return np.where(np.abs(x) < 2, near, np.where(np.isnan(x), x, far))


def _exponential(x: Array, factor: float) -> Array:
    """exp(factor * x**2); the square in two parts, each exact."""
    coarse = x.astype(np.float32).astype(x.dtype)
    power: Array = np.exp(factor * coarse * coarse)
    return power * np.exp(factor * (x - coarse) * (x + coarse))


def _scaled(size: Array) -> Array:
    """exp(x**2) * erfc(x) of numbers from 2 on, by a continued fraction."""
    fraction = np.zeros_like(size)
    for n in range(200, 0, -1):
        fraction = n / (2 * size * (1 + fraction)) / size
    result: Array = 1 / (size * np.sqrt(_pi(size)) * (1 + fraction))
    return result


def scaled_complement(x: Array) -> Array:
    """erfcx in the precision of x."""
    if x.dtype == np.float64:
        result: Array = special.erfcx(x)
        return result
    low = np.minimum(np.maximum(x, -30), 2)
    near = _exponential(low, 1) * complement(low)
    return np.where(x < 2, np.where(x < -27, np.inf, near), _scaled(np.maximum(x, 2)))


def normal(x: Array) -> Array:
    """ndtr in the precision of x."""
    if x.dtype == np.float64:
        result: Array = special.ndtr(x)
        return result
    size = np.minimum(np.abs(x), x.dtype.type(50))
    tail = _exponential(size, -0.5) * scaled_complement(size / np.sqrt(x.dtype.type(2))) / 2
    return np.where(x > 0, 1 - tail, np.where(np.isnan(x), x, tail))


def normal_logarithm(x: Array) -> Array:
    """log_ndtr in the precision of x."""
    if x.dtype == np.float64:
        result: Array = special.log_ndtr(x)
        return result
    low, high = np.minimum(x, -1), np.maximum(x, -1)
    far = np.log(scaled_complement(-low / np.sqrt(x.dtype.type(2))) / 2) - low * low / 2
    return np.where(x < -1, np.where(np.isinf(x), x, far), np.log1p(-normal(-high)))


def normal_inverse(p: Array) -> Array:
    """ndtri in the precision of p, by Newton's method from SciPy's result."""
    start = special.ndtri(p.astype(np.float64))
    if p.dtype == np.float64:
        return np.asarray(start)
    least = np.where(p < 0.5, p, 1 - p)
    size = np.where(np.isfinite(start), np.abs(start), 1).astype(p.dtype)
    for _ in range(3):
        # Far out by the logarithm, which is almost a parabola; close to 0 by what is below.
        scaled = scaled_complement(size / np.sqrt(p.dtype.type(2))) / 2
        density = 1 / np.sqrt(2 * _pi(p))
        far = (np.log(scaled) - size * size / 2 - np.log(least)) * scaled / density
        between = (0.5 - least) - error_function(size / np.sqrt(p.dtype.type(2))) / 2
        near = -between / density * np.exp(size * size / 2)
        size = size + np.where(least < 0.1, far, -near)
    return np.where(np.isfinite(start), np.copysign(size, start.astype(p.dtype)), start)


def logarithm_of_odds(p: Array) -> Array:
    """logit in the precision of p."""
    near = np.abs(2 * p - 1) < 0.5
    return np.where(near, 2 * np.arctanh(2 * p - 1), np.log(p / (1 - p)))


def modified_bessel(x: Array, order: int, scaled: bool) -> Array:
    """i0 and i1, i0e and i1e, in the precision of x."""
    if x.dtype == np.float64:
        functions = {(0, False): special.i0, (0, True): special.i0e}
        functions |= {(1, False): special.i1, (1, True): special.i1e}
        return np.where(np.isnan(x), x, functions[order, scaled](np.clip(x, -1e290, 1e290)))
    size = np.abs(x)
    low, high = np.minimum(size, 60), np.maximum(size, 60)
    quarter = low * low / 4
    term = np.ones_like(low) if order == 0 else low / 2
    total = term.copy()
    for k in range(1, 160):
        term = term * quarter / (k * (k + order))
        total += term
    # The asymptotic series, DLMF 10.40.1.
    part = np.ones_like(high)
    series = part.copy()
    for k in range(1, 40):
        part = -part * (4 * order - (2 * k - 1) ** 2) / (8 * k * high)
        series += part
    if scaled:
        result = np.where(size < 60, total * np.exp(-low), series / np.sqrt(2 * _pi(x) * high))
    else:
        grown = np.exp(high / 2) * (series / np.sqrt(2 * _pi(x) * high)) * np.exp(high / 2)
        result = np.where(size < 60, total, grown)
    result = np.where(np.isinf(x), 0 if scaled else np.inf, result)
    return np.where(np.isnan(x), x, np.copysign(result, x) if order else result)


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
    log = np.log(far) - 1 / (2 * far) - _series(far, lambda j: Fraction(1, 2 * j)) - sum
    # That cancels around the zero, where it is small.
    distance = x - np.longdouble(_ROOT[0]) - np.longdouble(_ROOT[1])
    near = np.zeros_like(x)
    for coefficient in reversed(_AT_ROOT):
        near = (near + np.longdouble(coefficient)) * distance
    return np.asarray(np.where(np.abs(distance) < 1e-2, near, log))


def trigamma(x: Array) -> Array:
    """The slope of digamma of positive numbers in the precision of x."""
    if x.dtype == np.float64:
        return np.asarray(special.polygamma(1, x))
    far, sum = _moved(x, lambda y: 1 / y / y)
    return np.asarray(
        1 / far + 1 / (2 * far) / far + _series(far, lambda j: Fraction(1)) / far + sum
    )
