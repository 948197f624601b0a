"""The angle of a point in the plane, from -pi to pi.

The coefficients of the arcus tangent near 0 are those of S. L. Moshier's Cephes library (1989), a
polynomial for float32 and a quotient for float64; both are within a unit in the last place there.
"""

from __future__ import annotations

import math

from staticgraph.backends.native.math_values import Value, fma, polynomial, where
from staticgraph.core import dtypes

_FLOAT32 = (-3.33329491539e-1, 1.99777106478e-1, -1.38776856032e-1, 8.05374449538e-2)
_ABOVE = (
    -6.485021904942025371773e1, -1.228866684490136173410e2, -7.500855792314704667340e1,
    -1.615753718733365076637e1, -8.750608600031904122785e-1,
)  # fmt: skip
_BELOW = (
    1.945506571482613964425e2, 4.853903996359136964868e2, 4.328810604912902668951e2,
    1.650270098316988542046e2, 2.485846490142306297962e1, 1.0,
)  # fmt: skip
# What the double next to a number leaves of it.
_REST_OF_PI = {dtypes.float32: -8.742277657347586e-8, dtypes.float64: 1.2246467991473532e-16}


def _atan_of_unit(x: Value) -> Value:
    """The arcus tangent of a number from 0 to 1."""
    far = x > math.tan(math.pi / 8)
    moved = where(far, (x - 1.0) / (x + 1.0), x)
    square = moved * moved
    if x.dtype == dtypes.float32:
        bend = polynomial(square, _FLOAT32)
    else:
        bend = polynomial(square, _ABOVE) / polynomial(square, _BELOW)
    rest = where(far, x.of(_REST_OF_PI[x.dtype] / 4), 0)
    near = fma(bend * square, moved, rest) + moved
    return where(far, near + math.pi / 4, near)


def atan2(y: Value, x: Value) -> Value:
    """The angle of the point (x, y): signed zeros and infinities as in C."""
    up, along = abs(y), abs(x)
    steep = up > along
    more, less = where(steep, up, along), where(steep, along, up)
    ratio = less / more
    ratio = where(more.equals(0), 0, ratio)
    ratio = where(less.equals(math.inf), 1, ratio)
    # An infinite part decides, and a NaN shows in every comparison as false.
    ratio = where(y.unordered(x), y + x, ratio)
    angle = _atan_of_unit(ratio)
    rest = _REST_OF_PI[x.dtype]
    angle = where(steep, (math.pi / 2) - (angle - rest / 2), angle)
    left = x.of(1).with_sign_of(x) < 0
    angle = where(left, math.pi - (angle - rest), angle)
    return angle.with_sign_of(y)
