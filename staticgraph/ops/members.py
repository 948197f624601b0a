"""The methods and properties of tensors and variables: those of NumPy's arrays and the standard's.

A method is the public function of its name, so ``x.std(0)`` builds what ``sg.std(x, 0)`` does. What
reads values or writes into memory has no meaning before a run: it is there to say the way out.
`operators` installs the members, together with Python's operators.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from staticgraph.core.graph import Tensor, describe
from staticgraph.core.location import capture
from staticgraph.errors import GraphError
from staticgraph.ops import (
    arranging,
    cumulative,
    grids,
    indexing,
    linalg,
    reduction,
    searching,
    shaping,
    sorting,
    variance,
)
from staticgraph.ops import complex as parts
from staticgraph.ops import elementwise as ew
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast
from staticgraph.ops.creation import check_device
from staticgraph.ops.elementwise import parts as elementwise_parts
from staticgraph.ops.sizes import as_bool, is_int, refusal

Method = Callable[..., Any]


def no_value(what: str, x: Any, problem: str, way_out: str) -> GraphError:
    """The error of asking a tensor for what it has only in a run."""
    return GraphError(
        f"{what}: {problem}\n  {describe(as_tensor(x))}\n  {way_out}\n  at {capture()}"
    )


# -- methods ----------------------------------------------------------------------------------


def astype(x: Any, dtype: Any, *, copy: bool = True) -> Tensor:
    """The elements converted to `dtype`; see `cast`. Nothing can be written to a copy or to `x`."""
    as_bool("astype", "copy", copy)
    return cast(x, dtype)


def reshape(x: Any, *shape: Any) -> Tensor:
    """The same elements in another shape, which is one argument or several; see `reshape`."""
    return shaping.reshape(x, shape[0] if len(shape) == 1 else shape)


def flatten(x: Any, order: str = "C") -> Tensor:
    """The elements along one axis, the last axis of the tensor counting fastest.

    With an `order` of "F" it is the first axis. Raises ShapeError for another order: a tensor has
    none in memory that "A" and "K" could keep.
    """
    if order not in ("C", "F"):
        raise refusal("flatten", f"order={order!r} is not there", "give 'C' or 'F'")
    return shaping.reshape(shaping.permute_dims(x) if order == "F" else x, -1)


def var(
    x: Any, axis: Any = None, correction: float = 0, keepdims: bool = False, dtype: Any = None,
    *, ddof: float | None = None, **options: Any,
) -> Tensor:  # fmt: skip
    """The variance; see `var`. NumPy calls the `correction` `ddof`, and either name will do."""
    return variance.var(x, axis, _correction("var", correction, ddof), keepdims, dtype, **options)


def std(
    x: Any, axis: Any = None, correction: float = 0, keepdims: bool = False, dtype: Any = None,
    *, ddof: float | None = None, **options: Any,
) -> Tensor:  # fmt: skip
    """The standard deviation; see `std`. `ddof` is NumPy's name of `correction`."""
    return variance.std(x, axis, _correction("std", correction, ddof), keepdims, dtype, **options)


def _correction(what: str, correction: float, ddof: float | None) -> float:
    if ddof is None:
        return correction
    if not (is_int(correction) and correction == 0):
        raise refusal(
            what, f"correction={correction!r} beside ddof={ddof!r}",
            "they are names of one number: give one of them",
        )  # fmt: skip
    return ddof


def transpose(x: Any, *axes: Any) -> Tensor:
    """The axes in another order, which is one argument or several; in reverse order by default."""
    order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return shaping.permute_dims(x, order or None)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonal of the first two axes by default, as NumPy's; see `linalg.diagonal`."""
    return linalg.diagonal(x, offset, axis1, axis2)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Tensor:
    """The sum along the diagonal of the first two axes by default; see `linalg.trace`."""
    return linalg.trace(x, offset, dtype, axis1, axis2)


def copy(x: Any) -> Tensor:
    """Another tensor of the same value; nothing can be written to either."""
    return identity(x)


def to_device(x: Any, device: Any) -> Tensor:
    """The tensor itself: there is one device, ``"cpu"``; raises ShapeError for another."""
    check_device("to_device", device)
    return as_tensor(x)


# -- properties -------------------------------------------------------------------------------


def _transposed(x: Any) -> Tensor:
    """The tensor with its axes in reverse order."""
    return shaping.permute_dims(x)


def _matrix_transposed(x: Any) -> Tensor:
    """The tensor with its last two axes exchanged; raises ShapeError where it has fewer."""
    return shaping.matrix_transpose(x)


def _adjoint_matrix(x: Any) -> Tensor:
    """The conjugate of `mT`; raises ShapeError where the tensor has fewer than two axes."""
    return parts.conj(shaping.matrix_transpose(x))


def _real_part(x: Any) -> Tensor:
    """The real part; see `real`."""
    return parts.real(x)


def _imaginary_part(x: Any) -> Tensor:
    """The imaginary part; raises DTypeError for a real tensor; see `imag`."""
    return parts.imag(x)


def _device(x: Any) -> str:
    """Where arrays are: ``"cpu"``."""
    return "cpu"


def _itemsize(x: Any) -> int:
    """Bytes of an element."""
    return as_tensor(x).dtype.itemsize


def _nbytes(x: Any) -> int | None:
    """Bytes of all elements, or None when their number is not known before the run."""
    tensor = as_tensor(x)
    return None if tensor.size is None else tensor.size * tensor.dtype.itemsize


# -- what needs a value, or memory ------------------------------------------------------------


def _refusing(what: str, problem: str, way_out: str) -> Method:
    def _method(self: Any, *arguments: Any, **options: Any) -> NoReturn:
        raise no_value(what, self, problem, way_out)

    _method.__name__ = what
    _method.__doc__ = f"Refuses with a GraphError: {problem}."
    return _method


_UNKNOWN = "a tensor has no value before a run"
_CONSTANT = "a tensor does not change"
_NOWHERE = "a tensor has no memory before a run"
_REFUSED: dict[str, tuple[str, str]] = {
    "item": (_UNKNOWN, "fetch it and ask the value: session.run(x).item()"),
    "tolist": (_UNKNOWN, "fetch it and ask the value: session.run(x).tolist()"),
    "tobytes": (_UNKNOWN, "fetch it and ask the value: session.run(x).tobytes()"),
    "tofile": (_UNKNOWN, "fetch it and write the value: session.run(x).tofile(file)"),
    "dump": (_UNKNOWN, "fetch it and write the value: session.run(x).dump(file)"),
    "numpy": (_UNKNOWN, "fetch it: session.run(x) is a NumPy array"),
    "eval": (_UNKNOWN, "a session evaluates: session.run(x, feed)"),
    "fill": (_CONSTANT, "make another: sg.full_like(x, value)"),
    "put": (
        _CONSTANT,
        "make another: sg.where(mask, value, x), or sg.scatter_add(x, indices, updates)",
    ),
    "resize": (_CONSTANT, "make another: sg.reshape, sg.pad or x[:n]"),
    "view": (_NOWHERE, "sg.cast(x, dtype) converts the numbers, sg.reshape(x, shape) the shape"),
    "byteswap": (_NOWHERE, "fetch it and swap the bytes of the value: session.run(x).byteswap()"),
    "setflags": (_NOWHERE, "the arrays that a run returns belong to you and may be written to"),
}

# -- the table --------------------------------------------------------------------------------

MEMBERS: dict[str, Any] = {
    "T": property(_transposed),
    "mT": property(_matrix_transposed),
    "H": property(_adjoint_matrix),
    "real": property(_real_part),
    "imag": property(_imaginary_part),
    "device": property(_device),
    "itemsize": property(_itemsize),
    "nbytes": property(_nbytes),
    "all": reduction.all,
    "any": reduction.any,
    "argmax": reduction.argmax,
    "argmin": reduction.argmin,
    "argsort": sorting.argsort,
    "astype": astype,
    "clip": ew.clip,
    "conj": parts.conj,
    "conjugate": parts.conj,
    "copy": copy,
    "cumprod": cumulative.cumprod,
    "cumsum": cumulative.cumsum,
    "diagonal": diagonal,
    "dot": linalg.dot,
    "flatten": flatten,
    "max": reduction.max,
    "mean": reduction.mean,
    "min": reduction.min,
    "nonzero": searching.nonzero,
    "prod": reduction.prod,
    "ravel": flatten,
    "repeat": arranging.repeat,
    "reshape": reshape,
    "round": elementwise_parts.round,
    "searchsorted": searching.searchsorted,
    "sort": sorting.sort,
    "squeeze": shaping.squeeze,
    "std": std,
    "sum": reduction.sum,
    "swapaxes": grids.swapaxes,
    "take": indexing.take,
    "to_device": to_device,
    "trace": trace,
    "transpose": transpose,
    "var": var,
    **{name: _refusing(name, *words) for name, words in _REFUSED.items()},
}
