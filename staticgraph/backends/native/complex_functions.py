"""Elementary functions of complex numbers, from those of floats.

The formulas keep the digits of both parts, as far as the whole number's size asks for it, and the
branch cuts are C's and NumPy's: where a number lies on one, the sign of its zero tells the side.
What always holds: on the real axis, with an imaginary part of 0, the result is the real function's
wherever that is a number. Square roots and inverse functions are W. Kahan's, Branch Cuts for
Complex Elementary Functions (1987); infinities go where Annex G of C99 has them, but for those that
need a rotation which is unknown: there the sign of an infinity or of a 0 is left open.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from staticgraph.backends.native.complex_scalars import (
    SCALING,
    infinite,
    multiply,
    of_pair,
    pair,
    scaled,
)
from staticgraph.backends.native.math.hyperbolic import asinh as asinh_of_float
from staticgraph.backends.native.math.inverse import atan2
from staticgraph.backends.native.math.values import Value, where
from staticgraph.core import dtypes

if TYPE_CHECKING:
    from staticgraph.backends.native.scalars import Register, Scalars

# Above it exp overflows; a number this much smaller does not, for as much more.
_OVERFLOW = {dtypes.float32: 88.0, dtypes.float64: 709.0}
# From here on a hyperbolic tangent is 1 to the last bit.
_SATURATED = {dtypes.float32: 10.0, dtypes.float64: 22.0}


def _exp(x: Value) -> Value:
    return Value(x.s, x.s.exp(x.register))


def _expm1(x: Value) -> Value:
    return Value(x.s, x.s.expm1(x.register))


def _log(x: Value) -> Value:
    return Value(x.s, x.s.log(x.register))


def _log1p(x: Value) -> Value:
    return Value(x.s, x.s.log1p(x.register))


def _sqrt(x: Value) -> Value:
    return Value(x.s, x.s.sqrt(x.register))


def _sin(x: Value) -> Value:
    return Value(x.s, x.s.sin(x.register))


def _cos(x: Value) -> Value:
    return Value(x.s, x.s.cos(x.register))


def _angle(y: Value, x: Value) -> Value:
    return atan2(y, x)


def _times(x: Value, y: Value) -> Value:
    """``x * y``, and 0 where one is 0, whatever the other."""
    product = where(x.equals(0), x * x.of(1).with_sign_of(y), x * y)
    return where(y.equals(0), y * y.of(1).with_sign_of(x), product)


def _turned(size: Value, turn: Value) -> Value:
    """``size * turn``, and 0 where the turn is 0, however large the size."""
    return where(turn.equals(0), turn, size * turn)


def _where_nan(x: Value, then: Value | float, otherwise: Value) -> Value:
    return where(x.differs(x), then, otherwise)


def _where_no_angle(y: Value, then: Value | float, otherwise: Value) -> Value:
    """`then` where `y` is infinite or NaN, and no number is turned by it."""
    return where((y - y).equals(0), otherwise, then)


# -- roots, exponentials and logarithms -----------------------------------------------------------


def sqrt(s: Scalars, z: Register) -> Register:
    """The square root with a real part that is not negative."""
    x, y = pair(s, z)
    by = SCALING[x.dtype]
    u, v, large, small = scaled(x, y)
    t = _sqrt((abs(u) + _sqrt(u * u + v * v)) * 0.5)
    other = where(t.equals(0), v, v / (t + t))
    right = x >= 0
    undo = where(large, by.down**-0.5, where(small, x.of(by.up**-0.5), 1))
    real = where(right, t, abs(other)) * undo
    imag = where(right, other, t.with_sign_of(y)) * undo
    # Where an infinite part makes NaN of the formula.
    endless = infinite(x)
    real = where(endless, where(right, x, where(y.differs(y), y, 0)), real)
    imag = where(endless, where(right, where(y.differs(y), y, x.of(0).with_sign_of(y)),
                                x.of(np.inf).with_sign_of(y)), imag)  # fmt: skip
    return of_pair(where(infinite(y), np.inf, real), where(infinite(y), y, imag))


def _if_endless_alone(x: Value, y: Value, then: Value, otherwise: Value) -> Value:
    """`then` where `x` is infinite and `y` no angle."""
    return where(infinite(x), _where_no_angle(y, then, otherwise), otherwise)


def _grown(x: Value) -> tuple[Value, Value]:
    """``exp(x)`` as a product of two factors, of which only the product may overflow."""
    limit = _OVERFLOW[x.dtype]
    over = x > limit
    return _exp(where(over, x - limit, x)), where(over, math.exp(limit), x.of(1))


def exp(s: Scalars, z: Register) -> Register:
    """``exp(x) (cos y + i sin y)``."""
    x, y = pair(s, z)
    first, second = _grown(x)
    # The size is 0 or infinite whatever the angle, or the angle 0 whatever the size.
    real = _if_endless_alone(x, y, _exp(x), _turned(first, _cos(y)) * second)
    imag = where(x.equals(-np.inf), _where_no_angle(y, 0, _sin(y) * 0.0), _turned(first, _sin(y)))
    flat = y.equals(0)
    return of_pair(where(flat, first * second, real), where(flat, y, imag * second))


def expm1(s: Scalars, z: Register) -> Register:
    """``expm1(x) cos y - 2 sin(y / 2)**2 + i exp(x) sin y``; of both zeros it is 0."""
    x, y = pair(s, z)
    half = _sin(y * 0.5)
    grown, imag = pair(s, exp(s, z))
    real = where(x > _OVERFLOW[x.dtype] - 1, grown, _expm1(x) * _cos(y) - 2.0 * half * half)
    real = where(x.equals(-np.inf), -1, real)
    return of_pair(where(y.equals(0), _expm1(x) + 0.0, real), imag)


def _log_of_size(x: Value, y: Value) -> Value:
    """``log(hypot(x, y))``, with its digits where that is near 0."""
    by = SCALING[x.dtype]
    u, v, large, small = scaled(x, y)
    moved = where(large, -math.log(by.down), where(small, x.of(-math.log(by.up)), 0))
    far = _log(_sqrt(u * u + v * v)) + moved
    ax, ay = abs(x), abs(y)
    more, less = where(ax > ay, ax, ay), where(ax > ay, ay, ax)
    near = _log1p((more - 1.0) * (more + 1.0) + less * less) * 0.5
    close = where(more > 0.5, more, 4.0) < 1.5
    result = where(close, near, far)
    return where(infinite(x), np.inf, where(infinite(y), np.inf, result))


def log(s: Scalars, z: Register) -> Register:
    """``log(abs(z)) + i angle(z)``."""
    x, y = pair(s, z)
    return of_pair(_log_of_size(x, y), _angle(y, x))


def log1p(s: Scalars, z: Register) -> Register:
    """``log(1 + z)``, with the digits of a small z."""
    x, y = pair(s, z)
    more = x + 1.0
    near = _log1p(x * (x + 2.0) + y * y) * 0.5
    small = where(abs(x) > abs(y), abs(x), abs(y)) < 0.5
    return of_pair(where(small, near, _log_of_size(more, y)), _angle(y, more))


def pow(s: Scalars, base: Register, exponent: Register) -> Register:
    """``exp(exponent * log(base))``; of 0 it is 0 for powers with a positive real part.

    The exponential magnifies what its operand lost, so complex64 is computed in complex128.
    """
    if base.dtype == dtypes.complex64:
        wide = [s.cast(x, dtypes.complex128) for x in (base, exponent)]
        return s.cast(pow(s, *wide), dtypes.complex64)
    result = exp(s, multiply(s, exponent, log(s, base)))
    one, zero = s.constant(1, base.dtype), s.constant(0, base.dtype)
    positive = s.greater(s.real(exponent), s.constant(0, dtypes.part_of(base.dtype)))
    vanishes = s.logical_and(s.equal(base, zero), positive)
    result = s.where(vanishes, zero, result)
    return s.where(s.equal(exponent, zero), one, result)


# -- circular and hyperbolic functions ------------------------------------------------------------


def _hyperbolic(x: Value) -> tuple[Value, Value, Value]:
    """Two numbers whose product with a third are ``sinh(x)`` and ``cosh(x)``."""
    size = abs(x)
    grown = _expm1(size)
    over = size > _OVERFLOW[x.dtype]
    first, second = _grown(size)
    sinh = where(over, first * 0.5, (grown + grown / (grown + 1.0)) * 0.5)
    cosh = where(over, first * 0.5, 1.0 + grown * grown / ((grown + 1.0) * 2.0))
    return sinh.with_sign_of(x), cosh, second


def _sinh(x: Value, y: Value) -> tuple[Value, Value]:
    """``sinh x cos y + i cosh x sin y``."""
    sinh, cosh, more = _hyperbolic(x)
    real = _if_endless_alone(x, y, x, _times(sinh, _cos(y)) * more)
    return real, _turned(cosh, _sin(y)) * more


def _cosh(x: Value, y: Value) -> tuple[Value, Value]:
    """``cosh x cos y + i sinh x sin y``."""
    sinh, cosh, more = _hyperbolic(x)
    real = _if_endless_alone(x, y, abs(x), _turned(cosh, _cos(y)) * more)
    return real, _times(sinh, _sin(y)) * more


def _tanh(x: Value, y: Value) -> tuple[Value, Value]:
    """Kahan's: with t = tan y and s = sinh x, ``(1 + t²) s sqrt(1 + s²) + i t`` over a sum."""
    size = abs(x)
    far = size > _SATURATED[x.dtype]
    sinh = _hyperbolic(where(far, 1.0, x))[0]
    t = Value(x.s, x.s.tan(y.register))
    beta = t * t + 1.0
    total = beta * sinh * sinh + 1.0
    real = beta * _sqrt(sinh * sinh + 1.0) * sinh / total
    imag = t / total
    vanishing = _exp(where(far, size * -2.0, 0.0)) * 4.0 * _sin(y) * _cos(y)
    vanishing = where(infinite(size), x.of(0).with_sign_of(y), vanishing)
    one = x.of(1).with_sign_of(x)
    one = where(infinite(x), one, _where_no_angle(y, np.nan, one))
    real, imag = where(far, one, real), where(far, vanishing, imag)
    return where(x.equals(0), x, real), where(y.equals(0), y, imag)


def sinh(s: Scalars, z: Register) -> Register:
    """The hyperbolic sine."""
    return of_pair(*_sinh(*pair(s, z)))


def cosh(s: Scalars, z: Register) -> Register:
    """The hyperbolic cosine."""
    return of_pair(*_cosh(*pair(s, z)))


def tanh(s: Scalars, z: Register) -> Register:
    """The hyperbolic tangent."""
    return of_pair(*_tanh(*pair(s, z)))


def sin(s: Scalars, z: Register) -> Register:
    """``sin z = -i sinh(iz)``."""
    x, y = pair(s, z)
    real, imag = _sinh(-y, x)
    return of_pair(imag, -real)


def cos(s: Scalars, z: Register) -> Register:
    """``cos z = cosh(iz)``."""
    x, y = pair(s, z)
    return of_pair(*_cosh(-y, x))


def tan(s: Scalars, z: Register) -> Register:
    """``tan z = -i tanh(iz)``."""
    x, y = pair(s, z)
    real, imag = _tanh(-y, x)
    return of_pair(imag, -real)


# -- inverse functions: Kahan's ------------------------------------------------------------------


def _root(x: Value, y: Value) -> tuple[Value, Value]:
    return pair(x.s, sqrt(x.s, of_pair(x, y)))


def _if_endless(x: Value, y: Value, then: Value, otherwise: Value) -> Value:
    """`then` where a part is infinite, and the number a direction only."""
    return where(infinite(x), then, where(infinite(y), then, otherwise))


def _asin(x: Value, y: Value) -> tuple[Value, Value]:
    (a, b), (c, d) = _root(1.0 - x, -y), _root(1.0 + x, y)
    below = _if_endless(x, y, abs(y), a * c - b * d)
    # Where one part is NaN, the other may tell all the same.
    real = _where_nan(y, where(x.equals(0), x, np.nan), atan2(x, below))
    return real, _where_nan(y, where(infinite(x), x, np.nan), asinh_of_float(a * d - b * c))


def _atanh(x: Value, y: Value) -> tuple[Value, Value]:
    size = abs(x)
    by = SCALING[x.dtype]
    far = where(size > abs(y), size, abs(y)) > by.large**0.5
    apart = 1.0 - size
    real = _log1p(size * 4.0 / (apart * apart + y * y)) * 0.25
    imag = atan2(y + y, apart * (1.0 + size) - y * y) * 0.5
    # Of a large number the real part is that of its reciprocal.
    u, v, large, _ = scaled(size, y)
    distant = u / (u * u + v * v) * where(large, by.down, x.of(1))
    real = where(far, _if_endless(x, y, x.of(0), distant), real)
    # Where one part is NaN, the other may tell all the same.
    real = _where_nan(y, where(x.equals(0), 0, where(infinite(x), x.of(0), np.nan)), real)
    imag = where(far, x.of(math.pi / 2).with_sign_of(y), imag)
    return real.with_sign_of(x), _where_nan(x, where(infinite(y), imag, np.nan), imag)


def asin(s: Scalars, z: Register) -> Register:
    """The arc sine."""
    return of_pair(*_asin(*pair(s, z)))


def acos(s: Scalars, z: Register) -> Register:
    """The arc cosine."""
    x, y = pair(s, z)
    (a, b), (c, d) = _root(1.0 - x, -y), _root(1.0 + x, y)
    real = _if_endless(x, y, atan2(abs(y), x), atan2(a, c) * 2.0)
    real = _where_nan(y, where(x.equals(0), x.of(math.pi / 2), np.nan), real)
    return of_pair(
        real, _where_nan(y, where(infinite(x), abs(x), np.nan), asinh_of_float(c * b - d * a))
    )


def atan(s: Scalars, z: Register) -> Register:
    """``atan z = -i atanh(iz)``."""
    x, y = pair(s, z)
    real, imag = _atanh(-y, x)
    return of_pair(imag, -real)


def asinh(s: Scalars, z: Register) -> Register:
    """``asinh z = i asin(-iz)``."""
    x, y = pair(s, z)
    real, imag = _asin(y, -x)
    return of_pair(-imag, real)


def acosh(s: Scalars, z: Register) -> Register:
    """The inverse hyperbolic cosine with a real part that is not negative."""
    x, y = pair(s, z)
    (a, b), (c, d) = _root(x - 1.0, y), _root(x + 1.0, y)
    imag = _if_endless(x, y, atan2(y, x), atan2(b, c) * 2.0)
    imag = _where_nan(y, where(x.equals(0), x.of(math.pi / 2), np.nan), imag)
    return of_pair(
        _where_nan(y, where(infinite(x), abs(x), np.nan), asinh_of_float(a * c + b * d)), imag
    )


def atanh(s: Scalars, z: Register) -> Register:
    """The inverse hyperbolic tangent."""
    return of_pair(*_atanh(*pair(s, z)))


# -- other bases ----------------------------------------------------------------------------------


def log2(s: Scalars, z: Register) -> Register:
    """The logarithm to base 2."""
    x, y = pair(s, log(s, z))
    return of_pair(x * (1 / math.log(2)), y * (1 / math.log(2)))


def log10(s: Scalars, z: Register) -> Register:
    """The logarithm to base 10."""
    x, y = pair(s, log(s, z))
    return of_pair(x * (1 / math.log(10)), y * (1 / math.log(10)))
