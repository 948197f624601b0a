"""Arithmetic as formulas: what the elementary functions are written with.

A `Value` is a register together with its builder, and has operators; numbers beside it become
constants of its dtype. What always holds: nothing here is contracted, whatever the session's mode,
so error-free transformations stay error-free; `fma` rounds once where the target has the
instruction, and functions must be accurate where it rounds twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

if TYPE_CHECKING:
    from staticgraph.backends.native.scalars import Register, Scalars

# Per floating dtype: bits of the fraction, and the bias of the exponent.
FRACTION = {dtypes.float32: 23, dtypes.float64: 52}
BIAS = {dtypes.float32: 127, dtypes.float64: 1023}


class Value:
    """An element (or one per lane), in formulas."""

    __slots__ = ("register", "s")

    def __init__(self, s: Scalars, register: Register) -> None:
        self.s = s
        self.register = register

    @property
    def dtype(self) -> DType:
        """The dtype of the element."""
        return self.register.dtype

    def like(self, other: Value | float) -> Register:
        """`other` as a register; a number becomes a constant of this dtype."""
        if isinstance(other, Value):
            return other.register
        return self.s.constant(other, self.dtype)

    def of(self, number: float) -> Value:
        """A number as a constant of this dtype."""
        return Value(self.s, self.s.constant(number, self.dtype))

    def _binary(self, floating: str, integer: str, lhs: Register, rhs: Register) -> Value:
        name = floating if self.dtype in dtypes.FLOATING else integer
        return Value(self.s, self.s.instruction(name, lhs, rhs))

    def __add__(self, other: Value | float) -> Value:
        return self._binary("fadd", "add", self.register, self.like(other))

    def __radd__(self, other: float) -> Value:
        return self._binary("fadd", "add", self.like(other), self.register)

    def __sub__(self, other: Value | float) -> Value:
        return self._binary("fsub", "sub", self.register, self.like(other))

    def __rsub__(self, other: float) -> Value:
        return self._binary("fsub", "sub", self.like(other), self.register)

    def __mul__(self, other: Value | float) -> Value:
        return self._binary("fmul", "mul", self.register, self.like(other))

    def __rmul__(self, other: float) -> Value:
        return self._binary("fmul", "mul", self.like(other), self.register)

    def __truediv__(self, other: Value | float) -> Value:
        return Value(self.s, self.s.divide(self.register, self.like(other)))

    def __rtruediv__(self, other: float) -> Value:
        return Value(self.s, self.s.divide(self.like(other), self.register))

    def __neg__(self) -> Value:
        return Value(self.s, self.s.negative(self.register))

    def __abs__(self) -> Value:
        return Value(self.s, self.s.abs(self.register))

    def __lt__(self, other: Value | float) -> Value:
        return Value(self.s, self.s.less(self.register, self.like(other)))

    def __le__(self, other: Value | float) -> Value:
        return Value(self.s, self.s.less_equal(self.register, self.like(other)))

    def __gt__(self, other: Value | float) -> Value:
        return Value(self.s, self.s.greater(self.register, self.like(other)))

    def __ge__(self, other: Value | float) -> Value:
        return Value(self.s, self.s.greater_equal(self.register, self.like(other)))

    def equals(self, other: Value | float) -> Value:
        """Whether both are equal, a bool."""
        return Value(self.s, self.s.equal(self.register, self.like(other)))

    def differs(self, other: Value | float) -> Value:
        """Whether both differ, or one is NaN, a bool."""
        return Value(self.s, self.s.not_equal(self.register, self.like(other)))

    def unordered(self, other: Value) -> Value:
        """Whether one of two floats is NaN, a bool."""
        return Value(self.s, self.s.compare("uno", self.register, other.register))

    def floor(self) -> Value:
        """The largest integer not above a float."""
        return Value(self.s, self.s.floor(self.register))

    def rint(self) -> Value:
        """The integer next to a float; halves go to the even one."""
        return Value(self.s, self.s.rint(self.register))

    def trunc(self) -> Value:
        """A float without its fraction."""
        return Value(self.s, self.s.trunc(self.register))

    def root(self) -> Value:
        """The square root of a float, rounded correctly."""
        return Value(self.s, self.s.sqrt(self.register))

    def __and__(self, other: Value | int) -> Value:
        return Value(self.s, self.s.bitwise_and(self.register, self.like(other)))

    def __or__(self, other: Value | int) -> Value:
        return Value(self.s, self.s.bitwise_or(self.register, self.like(other)))

    def __xor__(self, other: Value | int) -> Value:
        return Value(self.s, self.s.bitwise_xor(self.register, self.like(other)))

    def __lshift__(self, count: int) -> Value:
        return Value(self.s, self.s.shift_left(self.register, count))

    def __rshift__(self, count: int) -> Value:
        return Value(self.s, self.s.shift_right(self.register, count))

    def cast(self, dtype: DType) -> Value:
        """Converted to `dtype`."""
        return Value(self.s, self.s.cast(self.register, dtype))

    def bits(self) -> Value:
        """The bits of a float as a signed integer."""
        return Value(self.s, self.s.bits(self.register))

    def as_float(self) -> Value:
        """The float that has the bits of this integer."""
        dtype = dtypes.float32 if self.dtype == dtypes.int32 else dtypes.float64
        return Value(self.s, self.s.from_bits(self.register, dtype))

    def with_sign_of(self, other: Value) -> Value:
        """This magnitude with the sign bit of `other`."""
        return Value(self.s, self.s.copysign(self.register, other.register))


def where(condition: Value, x: Value | float, y: Value | float) -> Value:
    """x where the condition holds, else y; one of them is a Value."""
    like = x if isinstance(x, Value) else y
    assert isinstance(like, Value)
    s = condition.s
    return Value(s, s.where(condition.register, like.like(x), like.like(y)))


def fma(x: Value, y: Value | float, z: Value | float) -> Value:
    """``x * y + z``, rounded once where the target can."""
    return Value(x.s, x.s.fused_multiply_add(x.register, x.like(y), x.like(z)))


def any_lane(condition: Value) -> str:
    """Whether a bool holds in one lane at least, an i1 to branch on."""
    s = condition.s
    text = condition.register.text
    if s.lanes == 1:
        return text
    return s.code.intrinsic(f"vector.reduce.or.v{s.lanes}i1", "i1", [(s.type(dtypes.bool_), text)])


def at_most(x: Value, bound: float) -> Value:
    """The smaller of x and the bound; NaN stays NaN."""
    return where(x > bound, bound, x)


def at_least(x: Value, bound: float) -> Value:
    """The larger of x and the bound; NaN stays NaN."""
    return where(x < bound, bound, x)


def polynomial(x: Value, coefficients: Sequence[float]) -> Value:
    """The polynomial of x with these coefficients, the constant one first.

    All are minimax fits; tests/benchmarks/polynomials.py makes them and measures their errors.

    Long ones are evaluated as two interleaved polynomials of the square, which halves the chain of
    operations that wait for each other.
    """
    if len(coefficients) < 6:
        return horner(x, coefficients)
    square = x * x
    return fma(horner(square, coefficients[1::2]), x, horner(square, coefficients[0::2]))


def horner(x: Value, coefficients: Sequence[float]) -> Value:
    """`polynomial` in one chain, for where x times the rest is not smaller than the first number.

    So only the last step rounds in full.
    """
    *rest, last = coefficients
    result: Value | None = None
    for coefficient in reversed(rest):
        if result is None:
            result = fma(x, last, coefficient)
        else:
            result = fma(result, x, coefficient)
    assert result is not None
    return result


def two_sum(x: Value, y: Value) -> tuple[Value, Value]:
    """``x + y`` and its rounding error, exactly, where x is not smaller than y or is 0."""
    total = x + y
    return total, y - (total - x)


def next_float(x: Value, toward: Value) -> Value:
    """The float next to x in a direction; that itself where they are equal, NaN beside NaN."""
    bits = x.bits()
    away = (x < toward) ^ (x < 0.0)
    moved = where(away, bits + 1, bits - 1).as_float()
    smallest = bits.of(1).as_float().with_sign_of(toward)
    moved = where(x.equals(0.0), smallest, moved)
    moved = where(x.equals(toward), toward, moved)
    return where(x.unordered(toward), np.nan, moved)


def exact_sum(x: Value, y: Value) -> tuple[Value, Value]:
    """``x + y`` and its rounding error, exactly, whichever is larger (Knuth's two-sum)."""
    total = x + y
    back = total - x
    return total, (x - (total - back)) + (y - back)


def two_product(x: Value, y: Value) -> tuple[Value, Value]:
    """``x * y`` and its rounding error, exactly, far from overflow and underflow."""
    product = x * y
    if x.s.fused:
        return product, fma(x, y, -product)
    # Veltkamp's splitting and Dekker's product: halves multiply without rounding.
    (high, low), (other_high, other_low) = _halves(x), _halves(y)
    error = high * other_high - product
    error = error + high * other_low
    error = error + low * other_high
    return product, error + low * other_low


def _halves(x: Value) -> tuple[Value, Value]:
    splitter = 2.0 ** ((FRACTION[x.dtype] + 2) // 2) + 1.0
    scaled = x * splitter
    high = scaled - (scaled - x)
    return high, x - high


def nearest_integer(x: Value, factor: float, offset: float = 0.0) -> tuple[Value, Value]:
    """The integer next to ``x * factor + offset``, as a float, and an integer with its low bits.

    Adding a number so large that its last bit counts ones rounds, without an instruction that some
    targets lack; good for integers below a quarter of two to the bits of the fraction.
    """
    shift = 1.5 * 2.0 ** FRACTION[x.dtype]
    shifted = fma(x, factor, offset) + shift if offset else fma(x, factor, shift)
    return shifted - shift, shifted.bits()


def integer_to_float(x: Value, dtype: DType) -> Value:
    """A small integer as a float of its size, without an instruction that some targets lack."""
    shift = 1.5 * 2.0 ** FRACTION[dtype]
    bits = int(np.array(shift, dtype).view(f"i{dtype.itemsize}"))
    return (x + bits).as_float() - shift


def power_of_two(exponent: Value, dtype: DType) -> Value:
    """Two to the integer in the low bits of `exponent`, which must make a normal number."""
    one = int(np.array(1, dtype).view(f"i{dtype.itemsize}"))
    return ((exponent << FRACTION[dtype]) + one).as_float()


def times_power_of_two(x: Value, n: Value) -> Value:
    """``x * 2**n``, rounded once, for any integer n as a float; for targets that have it only."""
    return Value(x.s, x.s.scale(x.register, n.register))
