"""How NumPy's arrays and scalars lie in memory, checked on live objects before it is relied upon.

The fields read here are read by inline functions of NumPy's public headers, so they stand in every
extension module that is compiled for the ABI of NumPy 2 and cannot move within it. All the same
nothing is trusted: `refusal` looks at arrays of several kinds and says in a sentence what does not
hold. Code that reads the fields must ask it first.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from functools import cache
from typing import Any

import numpy as np
from numpy._core import _multiarray_umath  # type: ignore[attr-defined]

from staticgraph.core import dtypes

Array = np.ndarray[Any, Any]

# A pointer to the type and a reference count stand before the fields of an object.
HEADER = object.__basicsize__
OBJECT_TYPE = HEADER - 8
ARRAY_DATA = HEADER
ARRAY_NDIM = HEADER + 8
ARRAY_DIMS = HEADER + 16
ARRAY_STRIDES = HEADER + 24
ARRAY_BASE = HEADER + 32
ARRAY_DTYPE = HEADER + 40
ARRAY_FLAGS = HEADER + 48
# The value of a NumPy scalar.
SCALAR_VALUE = HEADER

C_CONTIGUOUS = 0x1
ALIGNED = 0x100

_ABI = 2
# Places in NumPy's table of C functions, fixed within an ABI.
_ABI_VERSION, _ARRAY_TYPE, _NEW_FROM_DTYPE = 0, 2, 94
# Py_tp_alloc of CPython's typeslots.h.
_TYPE_ALLOC = 47


def pointer_at(address: int) -> int:
    """The pointer stored at an address."""
    return ctypes.c_void_p.from_address(address).value or 0


def _table() -> int:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(get(_multiarray_umath._ARRAY_API, None))


def new_array_function() -> int:
    """The address of ``PyArray_NewFromDescr``."""
    return pointer_at(_table() + 8 * _NEW_FROM_DTYPE)


def scalar_allocator(scalar: type[np.generic]) -> int:
    """The address of the function that makes an empty scalar of a type."""
    get = ctypes.pythonapi.PyType_GetSlot
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_int]
    return int(get(scalar, _TYPE_ALLOC) or 0)


@cache
def refusal() -> str | None:
    """Why machine code must not read arrays here, in words; None when all is as it should be."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return "it needs a 64-bit CPython"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "it relies on the global interpreter lock, which this build of Python lacks"
    version = ctypes.CFUNCTYPE(ctypes.c_uint)(pointer_at(_table() + 8 * _ABI_VERSION))() >> 24
    if version != _ABI:
        return f"it knows the memory layout of NumPy 2, this NumPy has that of version {version}"
    wrong = [f"{a.dtype}{list(a.shape)}" for a in _samples() if not _is_laid_out(a)]
    wrong += [str(dtype) for dtype in dtypes.ALL if not _scalar_is_laid_out(dtype)]
    if wrong:
        return f"NumPy {np.__version__} lays out {', '.join(wrong)} in memory in another way"
    return None


def _samples() -> list[Array]:
    block = np.zeros((7, 9, 5), np.float32)
    return [
        np.zeros((3, 4, 5), np.float32), block[1:4, ::2, 1:3], np.asfortranarray(block),
        np.array(1.5), np.zeros((0, 2), np.int8), np.zeros(3, ">i4"),
        np.zeros(9, np.uint8)[1:].view(np.float64),
    ]  # fmt: skip


def _is_laid_out(array: Array) -> bool:
    address = id(array)
    sizes = ctypes.c_int64 * array.ndim

    def ints(field: int) -> tuple[int, ...]:
        return tuple(sizes.from_address(pointer_at(address + field))) if array.ndim else ()

    flags = ctypes.c_int.from_address(address + ARRAY_FLAGS).value
    return (
        pointer_at(address + OBJECT_TYPE)
        == id(np.ndarray)
        == pointer_at(_table() + 8 * _ARRAY_TYPE)
        and ctypes.c_int.from_address(address + ARRAY_NDIM).value == array.ndim
        and pointer_at(address + ARRAY_DATA) == array.ctypes.data
        and pointer_at(address + ARRAY_DTYPE) == id(array.dtype)
        and pointer_at(address + ARRAY_BASE) == (0 if array.base is None else id(array.base))
        and bool(flags & C_CONTIGUOUS) == array.flags.c_contiguous
        and bool(flags & ALIGNED) == array.flags.aligned
        and ints(ARRAY_DIMS) == array.shape
        and ints(ARRAY_STRIDES) == array.strides
    )


def _scalar_is_laid_out(dtype: dtypes.DType) -> bool:
    scalar = dtype.type(1)
    value = ctypes.string_at(id(scalar) + SCALAR_VALUE, dtype.itemsize)
    return (
        pointer_at(id(scalar) + OBJECT_TYPE) == id(dtype.type)
        and value == np.ones((), dtype).tobytes()
        and scalar_allocator(dtype.type) != 0
    )
