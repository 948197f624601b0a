"""The inverses of the trigonometric functions.

Of a tangent, smaller over larger is at most 1, and where it is above a half ``atan(a / b)`` becomes
``pi / 4 + atan((a - b) / (a + b))``, whose difference is exact; so the odd polynomial ends at a
half. The same holds for the arc sine, since ``asin(x) = pi / 2 - 2 * asin(sqrt((1 - x) / 2))``.
"""

from __future__ import annotations

import numpy as np

from staticgraph.backends.native.math.values import (
    Value,
    fma,
    polynomial,
    two_product,
    two_sum,
    where,
)
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

# Of (atan(t) / t - 1) / t**2 and (asin(t) / t - 1) / t**2 in t**2, for t up to a half; times t**2,
# errors are below 3.6e-9 and 9.1e-18, and 6.4e-9 and 1.8e-17.
_TANGENT: dict[DType, tuple[float, ...]] = {
    dtypes.float32: (
        -0.33333327078278935, 0.1999949838621097, -0.14272233614113344, 0.10942210461471935,
        -0.07988479220260324, 0.03878231942981092,
    ),
    dtypes.float64: (
        -0.33333333333332993, 0.19999999999905244, -0.14285714276555808, 0.11111110666374886,
        -0.09090896399931359, 0.07692076159579911, -0.06663831926735211, 0.058584332889006795,
        -0.051225641619991935, 0.041879732390335836, -0.027457119854608233, 0.010131471794960538,
    ),
}  # fmt: skip
_SINE: dict[DType, tuple[float, ...]] = {
    dtypes.float32: (
        0.16666754127590147, 0.07495232713003425, 0.04547834329147257, 0.02414097090850187,
        0.04223059777958648,
    ),
    dtypes.float64: (
        0.16666666666665375, 0.0750000000034476, 0.04464285682200825, 0.030381959394154834,
        0.02237175196957399, 0.017359795165199327, 0.013884355080149234, 0.012174912866219,
        0.0065036430170136855, 0.01959401691337528, -0.016326199831669344, 0.031981360811212556,
    ),
}  # fmt: skip
# pi / 4 and pi / 2 in two parts.
_EIGHTH = {
    dtypes.float32: (0.785398185253143310547, -2.18556941e-8),
    dtypes.float64: (0.7853981633974483, 3.061616997868383e-17),
}
_QUARTER = {dtype: (2.0 * high, 2.0 * low) for dtype, (high, low) in _EIGHTH.items()}


def atan(x: Value) -> Value:
    """The arc tangent, from -pi / 2 to pi / 2."""
    size = abs(x)
    steep = size > 1.0
    above, below = where(steep, 1.0, size), where(steep, size, 1.0)
    return _angle(above, below, steep, None).with_sign_of(x)


def atan2(y: Value, x: Value) -> Value:
    """The angle of the point (x, y), from -pi to pi; a zero's sign says on which side it is."""
    height, width = abs(y), abs(x)
    steep = height > width
    above, below = where(steep, width, height), where(steep, height, width)
    # Two infinities are as far as each other; large numbers are halved, so that sums are finite.
    level = above.equals(np.inf)
    above, below = where(level, 1.0, above), where(level, 1.0, below)
    scale = where(below > float(np.finfo(x.dtype).max) / 4, below.of(0.25), 1.0)
    above, below = above * scale, below * scale
    below = where(below.equals(0.0), 1.0, below)
    result = _angle(above, below, steep, x.bits() < 0).with_sign_of(y)
    return where(y.unordered(x), np.nan, result)


def _angle(above: Value, below: Value, steep: Value, behind: Value | None) -> Value:
    """The arc tangent of a quotient up to 1, mirrored at pi / 4 if steep, at pi / 2 if behind."""
    far = above > below * 0.5
    t = where(far, above - below, above) / where(far, above + below, below)
    square = t * t
    angle = fma(t * square, polynomial(square, _TANGENT[t.dtype]), t)
    eighths = where(far, t.of(1.0), 0.0)
    eighths = where(steep, 2.0 - eighths, eighths)
    angle = where(steep, -angle, angle)
    if behind is not None:
        eighths = where(behind, 4.0 - eighths, eighths)
        angle = where(behind, -angle, angle)
    high, low = _EIGHTH[t.dtype]
    return fma(eighths, high, fma(eighths, low, angle))


def asin(x: Value) -> Value:
    """The arc sine, from -pi / 2 to pi / 2; NaN beyond 1."""
    size = abs(x)
    far, root, rest = _arc(size)
    high, low = _QUARTER[x.dtype]
    total, lost = two_sum(x.of(high), root * -2.0)
    return where(far, total + (lost + (low - rest * 2.0)), size + rest).with_sign_of(x)


def acos(x: Value) -> Value:
    """The arc cosine, from 0 to pi; NaN beyond 1."""
    size = abs(x)
    far, root, rest = _arc(size)
    rest = where(far | (x > 0.0), rest, -rest)
    high, low = _QUARTER[x.dtype]
    behind = far & (x < 0.0)
    # pi / 2 - x, pi - 2 root, or 2 root, of which the last needs no constant.
    base = where(behind, x.of(2.0 * high), high)
    total, lost = two_sum(base, where(far, root * -2.0, -x))
    result = total + (lost + (where(behind, x.of(2.0 * low), low) - where(far, rest * 2.0, rest)))
    return where(far & (x > 0.0), (root + rest) * 2.0, result)


def _arc(size: Value) -> tuple[Value, Value, Value]:
    """Whether the size is above a half, and its arc sine, or else half its arc cosine, as a sum."""
    far = size > 0.5
    square = where(far, (1.0 - size) * 0.5, size * size)
    root = square.root()
    product, product_low = two_product(root, root)
    missing = where(root > 0.0, ((square - product) - product_low) / (root + root), 0.0)
    root = where(far, root, size)
    bent = root * square * polynomial(square, _SINE[size.dtype])
    return far, root, where(far, bent + missing, bent)
