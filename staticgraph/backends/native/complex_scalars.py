"""Complex numbers in registers: taken apart, put together, multiplied, divided, measured.

A register of complex elements is one vector of floats, real and imaginary parts in turn, as they
lie in memory. So loading, storing, choosing and adding are what they are for floats, and what mixes
the parts shuffles. What always holds: a result is finite where the number itself is, but for
numbers within a few bits of the largest; what infinities and NaN become is NumPy's: a product or a
quotient is its formula, so an infinite operand may give NaN in both parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from staticgraph.backends.native.ir import Code, element_type, vector
from staticgraph.backends.native.math.values import Value, where
from staticgraph.core import dtypes

if TYPE_CHECKING:
    from staticgraph.backends.native.scalars import Register, Scalars


class Scaling(NamedTuple):
    """Powers of two that keep squares of numbers in range.

    Above `large` numbers are multiplied by `down`, below `small` by `up`. Both have even exponents,
    so that the roots of scaled numbers are scaled by powers of two.
    """

    large: float
    down: float
    small: float
    up: float


SCALING = {
    dtypes.float32: Scaling(2.0**60, 2.0**-70, 2.0**-40, 2.0**90),
    dtypes.float64: Scaling(2.0**500, 2.0**-600, 2.0**-400, 2.0**600),
}


# -- between a register and its parts -------------------------------------------------------------


def mask(code: Code, text: str, lanes: int) -> tuple[str, str]:
    """The type and the text of an i1 per lane as one for each part."""
    kind = f"<{2 * lanes} x i1>"
    if text == "splat (i1 true)":
        return kind, text
    return kind, shuffled(
        code, "i1", lanes, text, [n for lane in range(lanes) for n in (lane,) * 2]
    )


def shuffled(
    code: Code, element: str, lanes: int, text: str, places: Sequence[int], other: str = "poison"
) -> str:
    """The lanes `places` of one vector, or of two that are counted through, as a vector."""
    type = f"<{lanes} x {element}>"
    listed = ", ".join([f"i32 {place}" for place in places])
    return code.let(
        f"shufflevector {type} {text}, {type} {other}, <{len(places)} x i32> <{listed}>"
    )


def _float(x: Register) -> str:
    return element_type(dtypes.part_of(x.dtype))


def _shuffle(s: Scalars, x: Register, places: Sequence[int], other: str = "poison") -> Register:
    return s.element(shuffled(s.code, _float(x), 2 * s.lanes, x.text, places, other), x.dtype)


def parts(s: Scalars, x: Register) -> tuple[Register, Register]:
    """The real and the imaginary part."""
    part, lanes = dtypes.part_of(x.dtype), s.lanes
    if lanes == 1:
        type = element_type(x.dtype)
        real, imag = [s.code.let(f"extractelement {type} {x.text}, i64 {n}") for n in (0, 1)]
    else:
        real, imag = [
            shuffled(s.code, _float(x), 2 * lanes, x.text, range(first, 2 * lanes, 2))
            for first in (0, 1)
        ]
    return s.element(real, part), s.element(imag, part)


def joined(s: Scalars, real: Register, imag: Register) -> Register:
    """The complex number of two parts."""
    dtype, element = dtypes.to_complex(real.dtype), element_type(real.dtype)
    if s.lanes == 1:
        type = element_type(dtype)
        text = s.code.let(f"insertelement {type} poison, {element} {real.text}, i64 0")
        text = s.code.let(f"insertelement {type} {text}, {element} {imag.text}, i64 1")
        return s.element(text, dtype)
    places = [place for lane in range(s.lanes) for place in (lane, s.lanes + lane)]
    return s.element(shuffled(s.code, element, s.lanes, real.text, places, imag.text), dtype)


def pair(s: Scalars, x: Register) -> tuple[Value, Value]:
    """The parts as values, for formulas."""
    real, imag = parts(s, x)
    return Value(s, real), Value(s, imag)


def of_pair(real: Value, imag: Value) -> Register:
    """The complex number of two values."""
    return joined(real.s, real.register, imag.register)


def by_parts(s: Scalars, rule: Callable[[Register], Register], x: Register) -> Register:
    """What a function of floats makes of each part."""
    real, imag = parts(s, x)
    return joined(s, rule(real), rule(imag))


def compared(
    s: Scalars, rule: Callable[..., Register], *operands: Register
) -> tuple[Register, Register]:
    """The bools that a function of floats makes of the real parts, and of the imaginary ones."""
    real, imag = zip(*[parts(s, x) for x in operands], strict=True)
    return rule(*real), rule(*imag)


# -- arithmetic -----------------------------------------------------------------------------------


def conjugate(s: Scalars, x: Register) -> Register:
    """The sign bit of the imaginary part flips."""
    lanes, bits = 2 * s.lanes, f"i{4 * x.dtype.itemsize}"
    type, whole = vector(element_type(x.dtype), s.lanes), f"<{lanes} x {bits}>"
    flip = ", ".join([f"{bits} 0, {bits} {-(2 ** (4 * x.dtype.itemsize - 1))}"] * s.lanes)
    text = s.code.let(f"bitcast {type} {x.text} to {whole}")
    text = s.code.let(f"xor {whole} {text}, <{flip}>")
    return s.element(s.code.let(f"bitcast {whole} {text} to {type}"), x.dtype)


def exchanged(s: Scalars, x: Register) -> Register:
    """Real and imaginary part change places."""
    return _shuffle(s, x, [n for lane in range(s.lanes) for n in (2 * lane + 1, 2 * lane)])


def multiply(s: Scalars, lhs: Register, rhs: Register) -> Register:
    """``(a + ib)(c + id) = ac - bd + i(bc + ad)``: lhs times c, and i lhs times d."""
    lanes = range(s.lanes)
    real = _shuffle(s, rhs, [n for lane in lanes for n in (2 * lane,) * 2])
    imag = _shuffle(s, rhs, [n for lane in lanes for n in (2 * lane + 1,) * 2])
    # i (a + ib) is -b + ia; a sign is exact, so it may be given before the product.
    turned = exchanged(s, conjugate(s, lhs))
    first = s.instruction(f"fmul {s.flags}".rstrip(), lhs, real)
    second = s.instruction(f"fmul {s.flags}".rstrip(), turned, imag)
    return s.instruction(f"fadd {s.flags}".rstrip(), first, second)


def divide(s: Scalars, lhs: Register, rhs: Register) -> Register:
    """The quotient by R. L. Smith's algorithm (1962), which scales by the larger part of rhs."""
    (a, b), (c, d) = pair(s, lhs), pair(s, rhs)
    larger = abs(c) >= abs(d)
    most, least = where(larger, c, d), where(larger, d, c)
    zero = most.equals(0)
    ratio = where(zero, 0, least / most)
    total = where(zero, abs(most), most + least * ratio)
    first, second = where(larger, a, b), where(larger, b, a)
    real = (first + second * ratio) / total
    imag = (second - first * ratio) / total
    return of_pair(real, where(larger, imag, -imag))


# -- size and direction ---------------------------------------------------------------------------


def scaled(x: Value, y: Value) -> tuple[Value, Value, Value, Value]:
    """x and y times a power of two that keeps squares in range, and where it is small or large."""
    by = SCALING[x.dtype]
    ax, ay = abs(x), abs(y)
    size = where(ax > ay, ax, ay)
    large, small = size > by.large, size < by.small
    scale = where(large, by.down, where(small, x.of(by.up), 1))
    return x * scale, y * scale, large, small


def unscaling(x: Value, large: Value, small: Value) -> Value:
    """What undoes the scale of `scaled`."""
    by = SCALING[x.dtype]
    return where(large, 1 / by.down, where(small, x.of(1 / by.up), 1))


def hypotenuse(x: Value, y: Value) -> Value:
    """``sqrt(x * x + y * y)`` without overflow; infinite where a part is, whatever the other."""
    (u, v, large, small) = scaled(x, y)
    length = Value(x.s, x.s.sqrt((u * u + v * v).register)) * unscaling(x, large, small)
    return where(infinite(x), np.inf, where(infinite(y), np.inf, length))


def infinite(x: Value) -> Value:
    """Whether a float is infinite."""
    return abs(x).equals(np.inf)


def magnitude(s: Scalars, x: Register) -> Register:
    """The absolute value, a float."""
    return hypotenuse(*pair(s, x)).register


def direction(s: Scalars, x: Register) -> Register:
    """``x / abs(x)``, and 0 at 0; where one part is infinite it alone counts."""
    real, imag = pair(s, x)
    u, v, _, _ = scaled(real, imag)
    far, high = infinite(real), infinite(imag)
    u = where(far, real.of(1).with_sign_of(real), where(high, 0, u))
    v = where(high, where(far, np.nan, imag.of(1).with_sign_of(imag)), where(far, 0, v))
    length = hypotenuse(u, v)
    nothing = length.equals(0)
    length = where(nothing, 1, length)
    return of_pair(where(nothing, 0, u / length), where(nothing, 0, v / length))
