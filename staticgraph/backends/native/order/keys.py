"""Keys: integers that are ordered as the elements of a dtype are, and the way back.

NaN has the largest key. Of keys turned upside down the ascending order is the descending one. A
radix sort takes unsigned keys, a network signed ones, which more processors compare.
"""

from __future__ import annotations

from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType


def key_dtype(dtype: DType) -> DType:
    """The dtype of the keys of elements of `dtype`."""
    return dtypes.uint64 if dtype.itemsize == 8 else dtypes.uint32


def key_of(s: Scalars, x: Register, descending: bool, one_zero: bool) -> Register:
    """The key of an element; with `one_zero` both zeros have the same."""
    dtype, key = x.dtype, key_dtype(x.dtype)
    if dtype in dtypes.FLOATING:
        nan = s.isnan(x)
        if one_zero:
            # A negative zero becomes a positive one.
            x = s.instruction("fadd", x, s.constant(0, dtype))
        bits = s.bits(x)
        whole = bits.dtype
        sign = s.shift_right(bits, 8 * whole.itemsize - 1)
        lowest = s.constant(-(1 << (8 * whole.itemsize - 1)), whole)
        turned = s.bitwise_xor(bits, s.bitwise_or(sign, lowest))
        turned = s.where(nan, s.constant(-1, whole), turned)
        result = s.cast(s.cast(turned, dtypes.as_dtype(f"uint{8 * whole.itemsize}")), key)
    elif dtype == dtypes.bool_:
        result = s.cast(x, key)
    else:
        bits_of_element = 8 * dtype.itemsize
        result = s.cast(s.cast(x, dtypes.as_dtype(f"uint{bits_of_element}")), key)
        if dtype in dtypes.SIGNED:
            result = s.bitwise_xor(result, s.constant(1 << (bits_of_element - 1), key))
    return s.bitwise_invert(result) if descending else result


def element_of(s: Scalars, key: Register, dtype: DType, descending: bool) -> Register:
    """The element that has a key."""
    if descending:
        key = s.bitwise_invert(key)
    if dtype == dtypes.bool_:
        return s.not_equal(key, s.constant(0, key.dtype))
    bits = 8 * dtype.itemsize
    if dtype in dtypes.FLOATING:
        whole = dtypes.as_dtype(f"int{bits}")
        turned = s.cast(key, whole)
        negative = s.less(turned, s.constant(0, whole))
        # The sign of the key is set where that of the number is not.
        number = s.where(
            negative,
            s.bitwise_xor(turned, s.constant(-(1 << (bits - 1)), whole)),
            s.bitwise_invert(turned),
        )
        return s.from_bits(number, dtype)
    if dtype in dtypes.SIGNED:
        key = s.bitwise_xor(key, s.constant(1 << (bits - 1), key.dtype))
    return s.cast(key, dtype)


def signed_key_dtype(dtype: DType) -> DType:
    """The dtype of the signed keys of elements of `dtype`."""
    return dtypes.int64 if dtype.itemsize == 8 else dtypes.int32


def signed_key_of(s: Scalars, x: Register, descending: bool, one_zero: bool = False) -> Register:
    """The signed key of an element; with `one_zero` both zeros have the same."""
    dtype, key = x.dtype, signed_key_dtype(x.dtype)
    if dtype in dtypes.FLOATING:
        if one_zero:
            # A negative zero becomes a positive one.
            x = s.instruction("fadd", x, s.constant(0, dtype))
        result = s.where(s.isnan(x), s.constant(_greatest(key), key), _turned(s, s.bits(x)))
    elif dtype.itemsize == key.itemsize and dtype in dtypes.UNSIGNED:
        result = s.bitwise_xor(s.cast(x, key), s.constant(-_greatest(key) - 1, key))
    else:
        result = s.cast(x, key)
    return s.bitwise_invert(result) if descending else result


def element_of_signed(s: Scalars, key: Register, dtype: DType, descending: bool) -> Register:
    """The element that has a signed key."""
    if descending:
        key = s.bitwise_invert(key)
    if dtype in dtypes.FLOATING:
        return s.from_bits(_turned(s, key), dtype)
    if dtype == dtypes.bool_:
        return s.not_equal(key, s.constant(0, key.dtype))
    if dtype.itemsize == key.dtype.itemsize and dtype in dtypes.UNSIGNED:
        key = s.bitwise_xor(key, s.constant(-_greatest(key.dtype) - 1, key.dtype))
    return s.cast(key, dtype)


def _greatest(key: DType) -> int:
    return (1 << (8 * key.itemsize - 1)) - 1


def _turned(s: Scalars, bits: Register) -> Register:
    """The bits of a float as a number that is ordered as the float, and such a number as bits."""
    sign = s.shift_right(bits, 8 * bits.dtype.itemsize - 1)
    return s.bitwise_xor(bits, s.bitwise_and(sign, s.constant(_greatest(bits.dtype), bits.dtype)))
