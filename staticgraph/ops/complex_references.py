"""Elementary functions in NumPy where NumPy's own lose digits, or leave the standard, for complex
numbers: the oracle of the records in `elementwise`.

What always holds: real numbers get NumPy's function; the special values of complex numbers are
those of the Array API standard, which are Annex G's of C99 but for the signs that C99 turns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core.dtypes import COMPLEX


def log1p(x: Any) -> Any:
    """``log(1 + x)``, with the digits of a small `x`."""
    if x.dtype not in COMPLEX:
        return np.log1p(x)
    # |1 + x|² - 1 without the 1, which drops the digits of a small x, where it is small.
    near = np.abs(x) < 0.5
    real, imag = np.where(near, x.real, 0), np.where(near, x.imag, 0)
    grown = np.log1p(real * (2 + real) + imag * imag) / 2
    moved = np.array(x)
    moved.real += 1
    result = np.log(moved)
    return np.asarray(np.where(near, grown + 1j * result.imag, result), x.dtype)


def expm1(x: Any) -> Any:
    """``exp(x) - 1``, with the digits of a small `x`.

    NumPy's makes NaN of infinities that the exponential function takes.
    """
    result = np.asarray(np.expm1(x))
    if x.dtype not in COMPLEX:
        return result
    bounded = np.isfinite(x)
    far = np.exp(np.where(bounded, 0, x))
    result = np.where(bounded, result, 0)
    # -0.0 has no imaginary part to tell it from 0.0: both give 0.0.
    result.real = np.where(bounded, result.real + 0.0, far.real - 1)
    result.imag = np.where(bounded, result.imag, far.imag)
    return np.asarray(result, x.dtype)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent; at an infinite real part the imaginary one is 0, with its sign."""
    result = np.asarray(np.tanh(x))
    if x.dtype in COMPLEX:
        zero = np.where(np.isnan(x.imag), 0.0, np.copysign(0.0, x.imag))
        result.imag = np.where(np.isinf(x.real), zero, result.imag)
    return result
