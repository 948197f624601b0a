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
