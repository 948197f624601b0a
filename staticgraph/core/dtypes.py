"""The element types of tensors and how they promote.

A dtype is a NumPy dtype object of native byte order; there is no second class for it. Promotion
is NumPy 2's: arrays promote by `numpy.result_type`, Python scalars are weak and take the
dtype of what they meet. A complex element stands in memory as its real part, then its imaginary
part, each a float.

The half-precision floats, float16 and ml_dtypes' bfloat16, are for storage: they are moved, chosen
and converted as they are, and computed with in float32, each result rounded back.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import ml_dtypes
import numpy as np

from staticgraph.core.location import capture
from staticgraph.errors import DTypeError

DType = np.dtype[Any]

bool_: DType = np.dtype(np.bool_)
int8: DType = np.dtype(np.int8)
int16: DType = np.dtype(np.int16)
int32: DType = np.dtype(np.int32)
int64: DType = np.dtype(np.int64)
uint8: DType = np.dtype(np.uint8)
uint16: DType = np.dtype(np.uint16)
uint32: DType = np.dtype(np.uint32)
uint64: DType = np.dtype(np.uint64)
float16: DType = np.dtype(np.float16)
bfloat16: DType = np.dtype(ml_dtypes.bfloat16)
float32: DType = np.dtype(np.float32)
float64: DType = np.dtype(np.float64)
complex64: DType = np.dtype(np.complex64)
complex128: DType = np.dtype(np.complex128)

BOOL = frozenset({bool_})
SIGNED = frozenset({int8, int16, int32, int64})
UNSIGNED = frozenset({uint8, uint16, uint32, uint64})
INTEGER = SIGNED | UNSIGNED
FLOATING = frozenset({float32, float64})
# Stored in two bytes, computed in float32.
HALF = frozenset({float16, bfloat16})
# The real numbers; complex ones have sums and products as well, but no order.
NUMERIC = INTEGER | FLOATING
COMPLEX = frozenset({complex64, complex128})
# What is computed with rounding: it has NaN and infinities.
INEXACT = FLOATING | COMPLEX
# Real floats of every width.
REAL_FLOATING = FLOATING | HALF
# What has derivatives.
DIFFERENTIABLE = INEXACT | HALF
# What can be added and multiplied.
ARITHMETIC = NUMERIC | COMPLEX
# What can be ordered.
REAL = BOOL | NUMERIC
# What machine code and NumPy compute in.
COMPUTED = REAL | COMPLEX
ANY = COMPUTED | HALF

# Listed once, narrow to wide, so that messages and tables have one order.
ALL: tuple[DType, ...] = (
    bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, bfloat16, float32,
    float64, complex64, complex128,
)  # fmt: skip

_NAMES = {dtype: dtype.name for dtype in ALL}


def name(dtype: DType) -> str:
    """The name of a dtype, such as ``float32``."""
    return _NAMES.get(dtype) or dtype.name


def names(dtypes: frozenset[DType]) -> str:
    """The names of a set of dtypes in the one order, for messages."""
    return ", ".join(_NAMES[dtype] for dtype in ALL if dtype in dtypes)


def as_dtype(value: Any) -> DType:
    """The dtype that a user means by a NumPy dtype, a scalar type, a Python type or a name.

    Raises DTypeError for what is no dtype, and for dtypes that staticgraph does not compute in.

    >>> as_dtype("float32")
    dtype('float32')
    >>> as_dtype(float)
    dtype('float64')
    """
    try:
        dtype: DType = np.dtype(value)
    except TypeError:
        raise DTypeError(
            f"{value!r} is no dtype\n"
            f"  give one of {names(ANY)}, as a name or a NumPy dtype\n"
            f"  at {capture()}"
        ) from None
    if not dtype.isnative:
        dtype = dtype.newbyteorder("=")
    if dtype not in ANY:
        raise DTypeError(
            f"dtype {dtype.name} is not supported\n"
            f"  staticgraph computes in {names(ANY)}\n"
            f"  at {capture()}"
        )
    return dtype


@cache  # bounded by the square of the dtypes
def promote(first: DType, second: DType) -> DType:
    """The dtype of a result of two strongly typed operands (`numpy.result_type`).

    bfloat16 promotes as float16 does, and with it to float32.
    """
    if bfloat16 not in (first, second) or first == second:
        return np.result_type(first, second)
    if {first, second} == HALF:
        return float32
    promoted: DType = np.result_type(*[float16 if d == bfloat16 else d for d in (first, second)])
    return bfloat16 if promoted == float16 else promoted


@cache  # bounded by the dtypes times three Python types
def promote_weak(dtype: DType, python_type: type) -> DType:
    """The dtype that a weak Python scalar of `python_type` takes beside `dtype`.

    >>> promote_weak(float32, float)
    dtype('float32')
    >>> promote_weak(int32, float)
    dtype('float64')
    """
    if python_type is bool:
        return promote(dtype, bool_)
    if dtype in HALF:
        return complex64 if python_type is complex else dtype
    weak: complex = {complex: 1j, float: 1.0}.get(python_type, 1)
    result: DType = np.result_type(dtype, weak)
    return result


@cache  # bounded by the dtypes
def to_floating(dtype: DType) -> DType:
    """The dtype in which a function of integers is computed; floats and complex keep theirs.

    NumPy would use float16 for 8-bit integers and bool; staticgraph starts at float32.
    """
    if dtype in DIFFERENTIABLE:
        return dtype
    return float32 if dtype.itemsize <= 2 else float64


def limits(dtype: DType) -> Any:
    """`numpy.finfo` of a floating or complex dtype, bfloat16 among them."""
    of: Any = ml_dtypes.finfo if dtype == bfloat16 else np.finfo
    return of(dtype)


_PARTS = {complex64: float32, complex128: float64}
_WHOLES = {float32: complex64, float64: complex128}


def part_of(dtype: DType) -> DType:
    """The dtype of the real part: that of the floats which a complex dtype is made of, or `dtype`.

    >>> part_of(complex64)
    dtype('float32')
    """
    return _PARTS.get(dtype, dtype)


@cache  # bounded by the dtypes
def to_complex(dtype: DType) -> DType:
    """The complex dtype whose parts hold `dtype` as `to_floating` has it.

    >>> to_complex(float32)
    dtype('complex64')
    """
    return dtype if dtype in COMPLEX else _WHOLES.get(to_floating(dtype), complex64)
