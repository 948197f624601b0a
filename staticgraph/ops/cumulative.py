"""Ops that run along one axis: cumulative sums and products, linear recurrences, shifts.

They are closed under differentiation: the derivative of a cumulative product is a linear
recurrence, and that of a linear recurrence is a recurrence the other way. None of them divides, so
the derivatives are right where elements are 0, to every order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import LINEAR, Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import TensorType, compatible, format_shape, meet
from staticgraph.errors import DTypeError
from staticgraph.ops import elementwise as ew
from staticgraph.ops import shaping
from staticgraph.ops.axes import one_axis
from staticgraph.ops.convert import as_tensor, cast, promote

# The dtypes in which sums and products accumulate: narrower integers would overflow at once.
ACCUMULATED = frozenset({dtypes.int64, dtypes.uint64}) | dtypes.INEXACT


def accumulator(dtype: DType) -> DType:
    """The dtype in which NumPy adds and multiplies elements of `dtype`."""
    if dtype in ACCUMULATED | dtypes.HALF:
        return dtype
    return dtypes.uint64 if dtype in dtypes.UNSIGNED else dtypes.int64


def _check_axis(type: TensorType, axis: int) -> None:
    if type.shape is not None and not 0 <= axis < len(type.shape):
        raise Mismatch(f"{type} has no axis {axis}", f"it has {type.ndim} axes")


def _infer_same(types: Types, attrs: Attrs) -> TensorType:
    _check_axis(types[0], attrs["axis"])
    return types[0]


# -- shift ------------------------------------------------------------------------------------


def _reference_shift(x: Any, *, axis: int, by: int, fill: float) -> Any:
    result = np.full_like(x, fill)
    size = result.shape[axis]
    lead = (slice(None),) * axis
    if 0 <= by < size:
        result[(*lead, slice(by, size))] = x[(*lead, slice(0, size - by))]
    elif 0 < -by < size:
        result[(*lead, slice(0, size + by))] = x[(*lead, slice(-by, size))]
    return result


def _vjp_shift(node: Operation, adjoint: Tensor) -> Tensor:
    return _shifted(adjoint, node.attrs["axis"], -node.attrs["by"])


def _jvp_shift(node: Operation, tangents: Sequence[Tensor | None]) -> Tensor:
    tangent = tangents[0]
    assert tangent is not None
    # What is filled in does not move.
    return _shifted(tangent, node.attrs["axis"], node.attrs["by"])


SHIFT = register(
    OpDef(
        "shift",
        operands=("x",),
        infer=_infer_same,
        reference=_reference_shift,
        attrs=("axis", "by", "fill"),
        linear=True,
        selects=True,
        vjp=(_vjp_shift,),
        jvp=_jvp_shift,
        doc="The elements moved along an axis; what moves out is lost, a number fills the gap.",
    )
)


def _shifted(x: Tensor, axis: int, by: int, fill: float = 0) -> Tensor:
    return x.graph.add(SHIFT, (x,), {"axis": axis, "by": by, "fill": fill}).out


def shift(
    x: Any, by: int = 1, axis: int = -1, fill: float = 0, *, name: str | None = None
) -> Tensor:
    """`x` with its elements moved by `by` places along `axis`; the gap is filled with `fill`.

    by      places to move; a negative number moves toward the start
    fill    a Python number

    The result has the shape and dtype of `x`: what moves out is lost. Raises ShapeError for an
    axis that `x` does not have.

    >>> import staticgraph as sg
    >>> from staticgraph.ops.cumulative import shift
    >>> sg.Session().run(shift(sg.constant([1.0, 2.0, 3.0])))
    array([0., 1., 2.], dtype=float32)
    """
    tensor = as_tensor(x)
    attrs = {"axis": one_axis(SHIFT, tensor, axis), "by": int(by), "fill": fill}
    return tensor.graph.add(SHIFT, (tensor,), attrs, name).out


# -- cumulative sum ---------------------------------------------------------------------------


def _running(function: Callable[..., Any]) -> Callable[..., Any]:
    """The NumPy meaning of a cumulative op whose attribute `reverse` starts at the end."""

    def reference(x: Any, *, axis: int, reverse: bool) -> Any:
        if not reverse:
            return function(x, axis=axis)
        return np.flip(function(np.flip(x, axis), axis=axis), axis)

    return reference


def _vjp_cumsum(node: Operation, adjoint: Tensor) -> Tensor:
    return _cumsum(adjoint, node.attrs["axis"], not node.attrs["reverse"])


CUMSUM = register(
    OpDef(
        "cumsum",
        operands=("x",),
        infer=_infer_same,
        reference=_running(np.cumsum),
        dtypes=ACCUMULATED,
        attrs=("axis", "reverse"),
        linear=True,
        vjp=(_vjp_cumsum,),
        jvp=LINEAR,
        doc="Sums of the elements up to and including each, along an axis.",
    )
)


def _cumsum(x: Tensor, axis: int, reverse: bool) -> Tensor:
    return x.graph.add(CUMSUM, (x,), {"axis": axis, "reverse": reverse}).out


def cumsum(
    x: Any, axis: int | None = None, reverse: bool = False, dtype: Any = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Sums of the elements of `x` up to and including each, along `axis`.

    axis      an int; None flattens `x` first, as NumPy does
    reverse   start at the end of the axis
    dtype     the dtype to which elements are converted first, and of the result

    By default the dtype is that of `x`; bool and narrow integers add up in int64 or uint64. Raises
    ShapeError for an axis that `x` does not have.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.cumsum(sg.constant([1.0, 2.0, 3.0])))
    array([1., 3., 6.], dtype=float32)
    """
    return _cumulate(CUMSUM, x, axis, reverse, dtype, name)


def _cumulate(op: OpDef, x: Any, axis: Any, reverse: bool, dtype: Any, name: str | None) -> Tensor:
    tensor = as_tensor(x)
    if axis is not None:
        number = one_axis(op, tensor, axis)
    else:
        number = 0
        if tensor.type.ndim != 1:
            tensor = shaping.reshape(tensor, (-1,))
    attrs = {"axis": number, "reverse": bool(reverse)}
    if dtype is None:
        tensor = cast(tensor, accumulator(tensor.dtype))
        return tensor.graph.add(op, (tensor,), attrs, name).out
    # In a narrow dtype it is a wide one that is cut, which is the same.
    wanted = dtypes.as_dtype(dtype)
    tensor = cast(cast(tensor, wanted), accumulator(wanted))
    inner = name if tensor.dtype == wanted else None
    return cast(tensor.graph.add(op, (tensor,), attrs, inner).out, wanted, name)


# -- linear recurrence ------------------------------------------------------------------------


def _infer_recurrence(types: Types, attrs: Attrs) -> TensorType:
    factor, x = types
    if factor.dtype != x.dtype:
        raise Mismatch(
            "operands differ in dtype", "convert one of them with sg.cast", error=DTypeError
        )
    if not compatible(factor.shape, x.shape):
        raise Mismatch(
            f"factor has shape {format_shape(factor.shape)}, x {format_shape(x.shape)}",
            "give one factor per element",
        )
    _check_axis(x, attrs["axis"])
    return x.with_shape(meet(x.shape, factor.shape))


def _reference_recurrence(factor: Any, x: Any, *, axis: int, reverse: bool) -> Any:
    if np.shape(factor) != np.shape(x):
        raise ValueError("operands differ in shape")
    result = np.array(x)
    rows, factors = np.moveaxis(result, axis, 0), np.moveaxis(factor, axis, 0)
    if reverse:
        rows, factors = rows[::-1], factors[::-1]
    for i in range(1, len(rows)):
        rows[i] += factors[i] * rows[i - 1]
    return result


def _spread_running(node: Operation, adjoint: Tensor) -> Tensor:
    """Zero where no later element has an adjoint; absolute values cannot cancel."""
    return _cumsum(ew.abs(adjoint), node.attrs["axis"], not node.attrs["reverse"])


def _transposed(node: Operation, adjoint: Tensor) -> Tensor:
    """The recurrence the other way: an adjoint meets the factor of the element after it."""
    axis, reverse = node.attrs["axis"], node.attrs["reverse"]
    factor = node.inputs[0]
    # Where no adjoint has arrived yet, an infinite factor would make NaN of the 0. Finite factors
    # stay: an adjoint that happens to be 0 has derivatives of its own.
    waiting = ew.equal(_spread_running(node, adjoint), 0)
    harmful = ew.logical_and(waiting, ew.logical_not(ew.isfinite(factor)))
    factor = ew.where(harmful, ew.zero_of(factor), factor)
    return _recur(_shifted(factor, axis, 1 if reverse else -1), adjoint, axis, not reverse)


def _previous(node: Operation, fill: float = 0) -> Tensor:
    """The result at the element before each."""
    return _shifted(node.out, node.attrs["axis"], -1 if node.attrs["reverse"] else 1, fill)


def _jvp_recurrence(node: Operation, tangents: Sequence[Tensor | None]) -> Tensor:
    of_factor, of_x = tangents
    total = of_x
    if of_factor is not None:
        moved = of_factor * _previous(node)
        total = moved if total is None else total + moved
    assert total is not None
    return _recur(node.inputs[0], total, node.attrs["axis"], node.attrs["reverse"])


LINEAR_RECURRENCE = register(
    OpDef(
        "linear_recurrence",
        operands=("factor", "x"),
        infer=_infer_recurrence,
        reference=_reference_recurrence,
        dtypes=dtypes.INEXACT,
        attrs=("axis", "reverse"),
        vjp=(
            lambda node, adjoint: _transposed(node, adjoint) * _previous(node),
            _transposed,
        ),
        jvp=_jvp_recurrence,
        spread=_spread_running,
        doc="``y[i] = x[i] + factor[i] * y[i - 1]`` along an axis, with 0 before the first.",
    )
)


def _recur(factor: Tensor, x: Tensor, axis: int, reverse: bool) -> Tensor:
    attrs = {"axis": axis, "reverse": reverse}
    return x.graph.add(LINEAR_RECURRENCE, (factor, x), attrs).out


def linear_recurrence(
    factor: Any, x: Any, axis: int = -1, reverse: bool = False, *, name: str | None = None
) -> Tensor:
    """``y[i] = x[i] + factor[i] * y[i - 1]`` along `axis`, with 0 before the first element.

    factor    one factor per element of `x`, or a shape that broadcasts to that of `x`; the first
              one along the axis has nothing to multiply
    reverse   start at the end of the axis: ``y[i] = x[i] + factor[i] * y[i + 1]``

    The result has the shape of `x`. Exponential averages, discounted sums and first-order filters
    are linear recurrences. Raises ShapeError for an axis that `x` does not have.

    >>> import staticgraph as sg
    >>> from staticgraph.ops.cumulative import linear_recurrence
    >>> rewards = sg.constant([1.0, 1.0, 1.0])
    >>> sg.Session().run(linear_recurrence(0.5, rewards, reverse=True))
    array([1.75, 1.5 , 1.  ], dtype=float32)
    """
    first, second = promote((factor, x), floating=True)
    number = one_axis(LINEAR_RECURRENCE, second, axis, (first, second))
    if first.type.shape != second.type.shape:
        first = shaping.broadcast_like(first, second)
    attrs = {"axis": number, "reverse": bool(reverse)}
    return second.graph.add(LINEAR_RECURRENCE, (first, second), attrs, name).out


# -- cumulative product -----------------------------------------------------------------------


def _vjp_cumprod(node: Operation, adjoint: Tensor) -> Tensor:
    # With before[i] the product of the elements before i, the adjoint of x[i] is
    # before[i] * s[i], where s[i] = adjoint[i] + x[i + 1] * s[i + 1].
    return _previous(node, fill=1) * _transposed(node, adjoint)


def _jvp_cumprod(node: Operation, tangents: Sequence[Tensor | None]) -> Tensor:
    tangent = tangents[0]
    assert tangent is not None
    moved = tangent * _previous(node, fill=1)
    return _recur(node.inputs[0], moved, node.attrs["axis"], node.attrs["reverse"])


CUMPROD = register(
    OpDef(
        "cumprod",
        operands=("x",),
        infer=_infer_same,
        reference=_running(np.cumprod),
        dtypes=ACCUMULATED,
        attrs=("axis", "reverse"),
        vjp=(_vjp_cumprod,),
        jvp=_jvp_cumprod,
        spread=_spread_running,
        doc="Products of the elements up to and including each, along an axis.",
    )
)


def cumprod(
    x: Any, axis: int | None = None, reverse: bool = False, dtype: Any = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Products of the elements of `x` up to and including each, along `axis`.

    axis      an int; None flattens `x` first, as NumPy does
    reverse   start at the end of the axis
    dtype     the dtype to which elements are converted first, and of the result

    By default the dtype is that of `x`; bool and narrow integers multiply in int64 or uint64. The
    derivative is right where elements are 0. Raises ShapeError for an axis that `x` does not have.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.cumprod(sg.constant([1.0, 2.0, 3.0])))
    array([1., 2., 6.], dtype=float32)
    """
    return _cumulate(CUMPROD, x, axis, reverse, dtype, name)


def products_of_others(x: Tensor, axis: int) -> Tensor:
    """For each element the product of all others along `axis`; nothing is divided."""
    attrs = {"axis": axis, "reverse": False}
    before = x.graph.add(CUMPROD, (_shifted(x, axis, 1, 1),), attrs).out
    after = x.graph.add(CUMPROD, (_shifted(x, axis, -1, 1),), {**attrs, "reverse": True}).out
    return before * after
