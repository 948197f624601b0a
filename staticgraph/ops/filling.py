"""Values that are put into a tensor, which takes its dtype to them: of insert, pad and piecewise.

Such a value takes no part in promotion: it is converted as an assignment to an element of a NumPy
array converts it, floats toward zero on the way to ints. A Python number is rounded only once, from
itself to that dtype, and refused where the dtype does not hold it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.errors import DTypeError
from staticgraph.ops.convert import as_tensor, cast, constant, is_tensor_like, scalar
from staticgraph.ops.sizes import refusal


def is_row(value: Any) -> bool:
    """Whether a value is a list, or an array with an axis."""
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def in_dtype_of(what: str, label: str, value: Any, x: Tensor, dtype: Any = None) -> Tensor:
    """A value as a tensor in the dtype of `x`, or in another `dtype`.

    what, label   the function that was called, and what it calls the value
    value         a tensor or an array, which is cast; or a Python number or a list of them

    Raises DTypeError for Python numbers that the dtype does not hold.

    >>> import staticgraph as sg
    >>> from staticgraph.ops.filling import in_dtype_of
    >>> x = sg.constant([1, 2], "int8")
    >>> sg.Session().run(in_dtype_of("insert", "values", 3.5, x))
    np.int8(3)
    """
    wanted = x.dtype if dtype is None else dtype
    if is_tensor_like(value) or isinstance(value, np.ndarray | np.generic):
        return cast(as_tensor(value, x.graph), wanted)
    try:
        array = np.asarray(value)
    except Exception:
        # What is no array of numbers is refused in the words of constant: a list that holds
        # tensors, one of rows of different lengths.
        return cast(as_tensor(value, x.graph), wanted)
    huge = array.dtype == object and all(type(item) is int for item in array.flat)
    if not huge and array.dtype.kind not in "biufc":
        return cast(as_tensor(value, x.graph), wanted)
    lost = array.dtype.kind == "c" and wanted not in dtypes.COMPLEX
    if lost or huge or not _held(array, wanted):
        raise refusal(
            what, f"{label}={value!r} does not fit {dtypes.name(wanted)}",
            "give other numbers, or a wider x: sg.cast(x, dtype) converts", error=DTypeError,
        )  # fmt: skip
    with np.errstate(all="ignore"):
        converted = array.astype(wanted)
    if array.ndim == 0:
        return scalar(x.graph, converted.item(), wanted)
    with x.graph.as_default():
        return constant(converted)


def _held(array: np.ndarray[Any, Any], dtype: dtypes.DType) -> bool:
    """Whether numbers are inside the range of an integer dtype; any other dtype takes them."""
    if dtype not in dtypes.INTEGER:
        return True
    limits = np.iinfo(dtype)
    return all(
        np.isfinite(number) and limits.min <= int(number) <= limits.max
        for number in array.reshape(-1).tolist()
    )
