"""Conversion between dtypes, for every value.

What C leaves undefined, a float that the integer dtype does not hold, is what NumPy makes of it on
x86-64 when it converts one number: the machine gives the least integer of 32 or 64 bits, and
narrower dtypes take the low bits of that. Other machines give the same results.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

if TYPE_CHECKING:
    from staticgraph.backends.native.scalars import Register, Scalars


def cast(s: Scalars, x: Register, dtype: DType) -> Register:
    """x converted to `dtype`."""
    source = x.dtype
    if source == dtype:
        return x
    if source in dtypes.HALF:
        return cast(s, _widened(s, x), dtype)
    if dtype in dtypes.HALF:
        return _narrowed(s, x, dtype)
    if dtype == dtypes.bool_:
        return s.not_equal(x, s.constant(0, source))
    if dtype in dtypes.COMPLEX and source not in dtypes.COMPLEX:
        real = cast(s, x, dtypes.part_of(dtype))
        return s.complex(real, s.constant(0, real.dtype))
    if source in dtypes.COMPLEX:
        wider = dtype == dtypes.complex128
        return s.converted("fpext" if wider else "fptrunc", x, dtype)
    if source in dtypes.FLOATING:
        if dtype in dtypes.FLOATING:
            return s.converted("fpext" if dtype == dtypes.float64 else "fptrunc", x, dtype)
        return _float_to_integer(s, x, dtype)
    if dtype in dtypes.FLOATING:
        return s.converted("sitofp" if source in dtypes.SIGNED else "uitofp", x, dtype)
    return _integer_to_integer(s, x, dtype)


def _integer_to_integer(s: Scalars, x: Register, dtype: DType) -> Register:
    source = x.dtype
    if source != dtypes.bool_ and source.itemsize == dtype.itemsize:
        # Signed and unsigned integers are the same bits.
        return x._replace(dtype=dtype)
    if source.itemsize > dtype.itemsize:
        return s.converted("trunc", x, dtype)
    return s.converted("sext" if source in dtypes.SIGNED else "zext", x, dtype)


def _float_to_integer(s: Scalars, x: Register, dtype: DType) -> Register:
    if dtype == dtypes.uint64:
        return _float_to_uint64(s, x)
    narrow = dtype == dtypes.int32 or dtype.itemsize < 4
    whole = dtypes.int32 if narrow else dtypes.int64
    return _integer_to_integer(s, _truncated(s, x, whole), dtype)


def _truncated(s: Scalars, x: Register, dtype: DType) -> Register:
    """x as int32 or int64; their least number where it does not fit, and for NaN."""
    least = -(2 ** (8 * dtype.itemsize - 1))
    # What lies between the least number and the float below it is cut to the least number.
    above = s.greater(x, s.constant(float(least), x.dtype))
    fits = s.logical_and(above, s.less(x, s.constant(-float(least), x.dtype)))
    number = s.converted("fptosi", s.where(fits, x, s.constant(0, x.dtype)), dtype)
    return s.where(fits, number, s.constant(least, dtype))


def _float_to_uint64(s: Scalars, x: Register) -> Register:
    half = s.constant(2.0**63, x.dtype)
    large = s.greater_equal(x, half)
    moved = s.where(large, s.instruction("fsub", x, half), x)
    number = _truncated(s, moved, dtypes.int64)
    top = s.where(large, s.constant(-(2**63), dtypes.int64), s.constant(0, dtypes.int64))
    return s.bitwise_xor(number, top)._replace(dtype=dtypes.uint64)


# -- half precision -------------------------------------------------------------------------------
# With integers, since what LLVM makes of its own half types differs from target to target, down to
# calls of functions that nobody has. The numbers below are those of the formats: float32 has a bias
# of 127 and 23 bits behind the point, float16 15 and 10, bfloat16 127 and 7.


def _widened(s: Scalars, x: Register) -> Register:
    """The float32 of the value of a half-precision x; nothing is rounded."""
    source = x.dtype
    bits = s.cast(x._replace(dtype=dtypes.uint16), dtypes.int32)
    if source == dtypes.bfloat16:
        return s.from_bits(s.shift_left(bits, 16), dtypes.float32)
    rest = s.bitwise_and(bits, s.constant(0x7FFF, dtypes.int32))
    sign = s.shift_left(s.bitwise_xor(bits, rest), 16)
    # The exponent's bias is mended by a product, which normalises subnormal numbers as well.
    moved = s.from_bits(s.shift_left(rest, 13), dtypes.float32)
    finite = s.bits(s.multiply(moved, s.constant(2.0**112, dtypes.float32)))
    other = s.bitwise_or(s.shift_left(rest, 13), s.constant(0x7F800000, dtypes.int32))
    unbounded = s.greater_equal(rest, s.constant(0x7C00, dtypes.int32))
    return s.from_bits(s.bitwise_or(s.where(unbounded, other, finite), sign), dtypes.float32)


def _narrowed(s: Scalars, x: Register, dtype: DType) -> Register:
    """x, which is not of half precision, rounded to the nearest number of `dtype`, ties to even."""
    if x.dtype == dtypes.float64 and dtype == dtypes.float16:
        x = _rounded_to_odd(s, x)
    single = cast(s, x, dtypes.float32)
    bits = s.bits(single)
    rest = s.bitwise_and(bits, s.constant(0x7FFFFFFF, dtypes.int32))
    sign = s.shift_right(s.bitwise_xor(bits, rest), 16)
    narrow = _to_bfloat16 if dtype == dtypes.bfloat16 else _to_float16
    kept = s.bitwise_or(narrow(s, rest), sign)
    return s.cast(kept, dtypes.uint16)._replace(dtype=dtype)


def _rounded_to_odd(s: Scalars, x: Register) -> Register:
    """The float32 next to a float64 x; where x lies between two, the one whose last bit is 1.

    Rounding such a number again gives what rounding x once would (S. Boldo and G. Melquiond,
    "When double rounding is odd", 2005).
    """
    near = cast(s, x, dtypes.float32)
    back = cast(s, near, dtypes.float64)
    one = s.constant(1, dtypes.int32)
    bits = s.bits(near)
    above = s.greater(s.abs(back), s.abs(x))
    toward_zero = s.where(above, s.subtract(bits, one), bits)
    odd = s.where(s.not_equal(back, x), s.bitwise_or(toward_zero, one), bits)
    return s.from_bits(odd, dtypes.float32)


def _nearest(s: Scalars, rest: Register, bits: int, bias: int) -> Register:
    """`rest` with a new bias, without its last `bits` bits, rounded to nearest, ties to even."""
    last = s.bitwise_and(s.shift_right(rest, bits), s.constant(1, dtypes.int32))
    half = s.constant(((bias - 127) << 23) + (1 << bits - 1) - 1, dtypes.int32)
    return s.shift_right(s.add(s.add(rest, half), last), bits)


def _to_bfloat16(s: Scalars, rest: Register) -> Register:
    infinity = s.constant(0x7F800000, dtypes.int32)
    rounded = _nearest(s, rest, 16, 127)
    return s.where(s.greater(rest, infinity), s.constant(0x7FC0, dtypes.int32), rounded)


def _to_float16(s: Scalars, rest: Register) -> Register:
    def number(value: int) -> Register:
        return s.constant(value, dtypes.int32)

    # A half behind the point stands where float16 has its last subnormal bit: adding it rounds.
    magic = s.constant(0.5, dtypes.float32)
    moved = s.add(s.from_bits(rest, dtypes.float32), magic)
    subnormal = s.subtract(s.bits(moved), number(0x3F000000))
    normal = _nearest(s, rest, 13, 15)
    finite = s.where(s.less(rest, number(113 << 23)), subnormal, normal)
    unbounded = s.where(s.greater(rest, number(255 << 23)), number(0x7E00), number(0x7C00))
    return s.where(s.less(rest, number(143 << 23)), finite, unbounded)
