"""Calls of the elementwise functions: each dtype that the standard names, at values that matter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGER = SIGNED + UNSIGNED
REAL_FLOATING = ("float32", "float64")
COMPLEX = ("complex64", "complex128")
FLOATING = REAL_FLOATING + COMPLEX
REAL = INTEGER + REAL_FLOATING
NUMERIC = REAL + COMPLEX
BOOL = ("bool",)
ANY = BOOL + NUMERIC

# Per function of one operand, the dtypes that it must take.
UNARY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("abs", "negative", "positive", "square", "sign", "round"), NUMERIC),
    **dict.fromkeys(("isfinite", "isinf", "isnan"), NUMERIC),
    **dict.fromkeys(
        ("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp", "expm1", "log",
         "log10", "log1p", "log2", "reciprocal", "sin", "sinh", "sqrt", "tan", "tanh"),
        FLOATING,
    ),
    **dict.fromkeys(("ceil", "floor", "trunc"), REAL),
    **dict.fromkeys(("conj", "real"), NUMERIC),
    "imag": COMPLEX,
    "signbit": REAL_FLOATING,
    "bitwise_invert": BOOL + INTEGER,
    "logical_not": BOOL,
}  # fmt: skip
# Per function of two operands, the dtypes that it must take.
BINARY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("add", "subtract", "multiply", "pow"), NUMERIC),
    "divide": FLOATING,
    **dict.fromkeys(("atan2", "copysign", "hypot", "logaddexp", "nextafter"), REAL_FLOATING),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), BOOL + INTEGER),
    **dict.fromkeys(("bitwise_left_shift", "bitwise_right_shift"), INTEGER),
    **dict.fromkeys(("equal", "not_equal"), ANY),
    **dict.fromkeys(("floor_divide", "remainder", "maximum", "minimum"), REAL),
    **dict.fromkeys(("greater", "greater_equal", "less", "less_equal"), REAL),
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor"), BOOL),
}
# A Python scalar beside an array takes the array's dtype.
SCALARS = {"bool": "True", "i": "2", "u": "2", "f": "2.5", "c": "2.5"}

_GRID = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, -2.75, 30.0])
_SMALL = np.array([0.3 + 0.4j, -1.5 + 0.25j, 2.0 - 3.0j, -0.5 - 0.75j, 1.0 + 0.0j, 4.0 + 1.0j])


def values_of(dtype: str) -> Array:
    """The values at which a function of this dtype is called."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return np.array([True, False])
    if kind == "f":
        return _GRID.astype(dtype)
    if kind == "c":
        # How complex functions treat infinities differs between C libraries, so between NumPys.
        complexes: Array = _SMALL.astype(dtype)
        return complexes
    limits = np.iinfo(dtype)
    inner = [0, 1, 2, 5, 100] + ([-1, -2, -7] if kind == "i" else [])
    whole: Array = np.array([limits.min, *inner, limits.max], dtype)
    return whole


def pairs_of(name: str, dtypes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The dtypes of two operands that the standard's table promotes."""
    for first in dtypes:
        for second in dtypes:
            kinds = {np.dtype(first).kind, np.dtype(second).kind}
            mixed = kinds in ({"i", "u"}, {"f", "c"}) or len(kinds) == 1
            if not mixed or ("uint64" in (first, second) and "i" in kinds):
                continue
            yield first, second


def second_values(name: str, dtype: str) -> Array:
    """The values of a second operand: those at which the function has a meaning."""
    values = values_of(dtype)
    if np.dtype(dtype).kind not in "iu":
        return values
    if name in ("floor_divide", "remainder"):
        values = values[values != 0]
    if name == "pow" or name.endswith("_shift"):
        values = np.array([0, 1, 2, 3], dtype)
    return values


def elementwise_calls() -> Iterator[tuple[str, str, dict[str, Array]]]:
    """The function, the call as text, and its operands."""
    for name, dtypes in UNARY.items():
        for dtype in dtypes:
            yield name, f"{name}(x)", {"x": values_of(dtype)}
        yield name, f"{name}(x)", {"x": np.ones((0, 2), dtypes[0])}
        yield name, f"{name}(x)", {"x": np.ones((), dtypes[0])}
    for name, dtypes in BINARY.items():
        for first, second in pairs_of(name, dtypes):
            x, y = values_of(first), second_values(name, second)
            if "complex" in first + second:
                x, y = x[np.isfinite(x)], y[np.isfinite(y)]
            yield name, f"{name}(x, y)", {"x": x[:, None], "y": y}
        for dtype in dtypes:
            kind = np.dtype(dtype).kind
            scalar = SCALARS["bool" if kind == "b" else kind]
            x = second_values(name, dtype)
            yield name, f"{name}(x, {scalar})", {"x": x}
            if not name.endswith("_shift") and name != "pow":
                yield name, f"{name}({scalar}, x)", {"x": x}
    for dtype in REAL:
        x = values_of(dtype)
        low, high = ("1", "5") if np.dtype(dtype).kind in "iu" else ("-0.75", "2.0")
        for text in (f"x, {low}, {high}", f"x, min={low}", f"x, max={high}", "x", "x, y, x"):
            yield "clip", f"clip({text})", {"x": x, "y": np.ones((), dtype)}
