"""What is said of a run for which there is not enough memory: the same by either backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.location import capture
from staticgraph.core.types import format_shape
from staticgraph.errors import RunError

# How NumPy's ValueError begins where an array has more bytes than there are addresses.
_TOO_MANY = ("array is too big", "iterator is too large", "Maximum allowed", "maximum supported")


def no_memory(asked: str, limit: str = "the system has no more", way_out: str = "") -> RunError:
    """The error of a run that asked for memory and was given none.

    asked     what it asked for, see `bytes_of`
    limit     why there is no more
    way_out   what may help beside feeding less
    """
    lines = ["run: there is not enough memory", f"  it asked for {asked}", f"  {limit}"]
    lines.append(f"  {way_out}feed less at a time")
    return RunError("\n".join([*lines, "  no variable has changed", f"  at {capture()}"]))


def bytes_of(shape: Sequence[int], dtype: DType) -> str:
    """``24 bytes for float64[3]``."""
    size = dtype.itemsize
    for dim in shape:
        size *= dim
    return f"{size} bytes for {dtypes.name(dtype)}{format_shape(tuple(shape))}"


def out_of_memory(problem: BaseException) -> bool:
    """Whether NumPy could not make an array since it is too large."""
    if isinstance(problem, MemoryError):
        return True
    return isinstance(problem, ValueError) and str(problem).startswith(_TOO_MANY)


def refused_array(problem: BaseException, shape: Any = None, dtype: Any = None) -> RunError:
    """The error of a run in which NumPy could not make an array: see `out_of_memory`.

    shape, dtype   of the array, where NumPy does not say them or was making another
    """
    if shape is None:
        shape, dtype = getattr(problem, "shape", None), getattr(problem, "dtype", None)
    if shape is None or dtype is None:
        return no_memory("more bytes than there are addresses")
    return no_memory(bytes_of(shape, dtype))
