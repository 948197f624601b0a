"""Questions about dtypes, and arrays as tensors: the data type functions of the Array API."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.graph import Tensor
from staticgraph.errors import DTypeError
from staticgraph.ops.convert import as_tensor, cast, constant, is_tensor_like
from staticgraph.ops.creation import check_device
from staticgraph.ops.sizes import refusal

_KINDS: dict[str, frozenset[DType]] = {
    "bool": dtypes.BOOL,
    "signed integer": dtypes.SIGNED,
    "unsigned integer": dtypes.UNSIGNED,
    "integral": dtypes.INTEGER,
    "real floating": dtypes.FLOATING | dtypes.HALF,
    "complex floating": frozenset(dtype for dtype in dtypes.ANY if dtype.kind == "c"),
    "numeric": dtypes.ANY - dtypes.BOOL,
}


class FloatInfo(NamedTuple):
    """The limits of a floating dtype, as Python floats."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


class IntInfo(NamedTuple):
    """The limits of an integer dtype, as Python ints."""

    bits: int
    max: int
    min: int
    dtype: DType


def _dtype_of(value: Any) -> DType:
    return as_tensor(value).dtype if is_tensor_like(value) else dtypes.as_dtype(value)


def finfo(type: Any) -> FloatInfo:
    """The limits of a floating dtype, or of that of a tensor; of a complex one those of its parts.

    Raises DTypeError for dtypes that are not floating.

    >>> import staticgraph as sg
    >>> sg.finfo("float32").eps
    1.1920928955078125e-07
    """
    dtype = _dtype_of(type)
    if dtype.kind not in "fcV" or dtype in dtypes.INTEGER | dtypes.BOOL:
        raise refusal(
            "finfo", f"{dtypes.name(dtype)} is not floating", "sg.iinfo has the limits of integers",
            error=DTypeError,
        )  # fmt: skip
    limits = dtypes.limits(dtype)
    return FloatInfo(
        int(limits.bits), float(limits.eps), float(limits.max), float(limits.min),
        float(limits.smallest_normal), np.dtype(limits.dtype),
    )  # fmt: skip


def iinfo(type: Any) -> IntInfo:
    """The limits of an integer dtype, or of that of a tensor.

    Raises DTypeError for dtypes that are no integers.

    >>> import staticgraph as sg
    >>> sg.iinfo("int8").max
    127
    """
    dtype = _dtype_of(type)
    if dtype not in dtypes.INTEGER:
        raise refusal(
            "iinfo", f"{dtypes.name(dtype)} is no integer", "sg.finfo has the limits of floats",
            error=DTypeError,
        )  # fmt: skip
    limits = np.iinfo(dtype)
    return IntInfo(limits.bits, int(limits.max), int(limits.min), dtype)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is of a kind.

    kind   a dtype; one of ``"bool"``, ``"signed integer"``, ``"unsigned integer"``,
           ``"integral"``, ``"real floating"``, ``"complex floating"``, ``"numeric"``; or a tuple of
           these, of which one must hold

    Raises DTypeError for what is no kind.

    >>> import staticgraph as sg
    >>> sg.isdtype("int8", ("integral", sg.float32))
    True
    """
    given = dtypes.as_dtype(dtype)
    if isinstance(kind, tuple):
        return any(isdtype(given, item) for item in kind)
    if isinstance(kind, str) and kind in _KINDS:
        return given in _KINDS[kind]
    return given == dtypes.as_dtype(kind)


def iscomplexobj(x: Any) -> bool:
    """Whether the dtype is complex: a bool, since the graph knows it; see `iscomplex`.

    >>> import staticgraph as sg
    >>> sg.iscomplexobj(sg.constant([1j, 2.0])), sg.iscomplexobj(sg.constant([1.0]))
    (True, False)
    """
    return as_tensor(x).dtype in dtypes.COMPLEX


def isrealobj(x: Any) -> bool:
    """Whether the dtype is not complex: a bool, since the graph knows it; see `isreal`.

    >>> import staticgraph as sg
    >>> sg.isrealobj(sg.constant([1j, 2.0])), sg.isrealobj(sg.constant([1.0]))
    (False, True)
    """
    return not iscomplexobj(x)


def can_cast(from_: Any, to: Any) -> bool:
    """Whether every value of a dtype, or of that of a tensor, has a place in the dtype `to`.

    The rule is that of `numpy.can_cast`.

    >>> import staticgraph as sg
    >>> sg.can_cast("int16", "int32"), sg.can_cast("float64", "float32")
    (True, False)
    """
    return bool(np.can_cast(_dtype_of(from_), dtypes.as_dtype(to)))


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype of what an operation makes of these tensors, dtypes and Python numbers.

    Python numbers are weak: beside a tensor or dtype of their kind they do not count.

    >>> import staticgraph as sg
    >>> sg.result_type("int8", sg.uint8, 3)
    dtype('int16')
    """
    if not arrays_and_dtypes:
        raise refusal("result_type", "there is nothing to join", "give tensors, dtypes or numbers")
    strong: DType | None = None
    weak: list[type] = []
    for item in arrays_and_dtypes:
        if type(item) in (bool, int, float, complex):
            weak.append(type(item))
            continue
        dtype = item.dtype if isinstance(item, np.ndarray | np.generic) else _dtype_of(item)
        strong = dtype if strong is None else dtypes.promote(strong, dtype)
    if strong is None:
        return as_tensor(max(weak, key=(bool, int, float, complex).index)(0)).dtype
    for kind in weak:
        strong = dtypes.promote_weak(strong, kind)
    return strong


def astype(
    x: Any, dtype: Any, *, copy: bool = True, device: Any = None, name: str | None = None
) -> Tensor:
    """`x` with its elements converted to `dtype`, as `cast` does.

    copy     a tensor is a value, so whether it is copied cannot be seen
    device   None or ``"cpu"``

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.astype(sg.constant([1.7, -1.7]), "int32"))
    array([ 1, -1], dtype=int32)
    """
    check_device("astype", device)
    return cast(x, dtype, name)


def asarray(
    obj: Any,
    dtype: Any = None,
    *,
    device: Any = None,
    copy: bool | None = None,
    name: str | None = None,
) -> Tensor:
    """`obj` as a tensor: itself, the tensor it stands for, or a constant; in `dtype` if given.

    obj      a tensor, a variable, a number, a (nested) list of numbers, or an array
    device   None or ``"cpu"``
    copy     a tensor is a value, so whether it is copied cannot be seen; an array is copied

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.asarray([1, 2], "float32"))
    array([1., 2.], dtype=float32)
    """
    check_device("asarray", device)
    if is_tensor_like(obj):
        tensor = as_tensor(obj)
        return tensor if dtype is None else cast(tensor, dtype, name)
    return constant(obj, dtype, name)
