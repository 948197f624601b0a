"""Reductions: sums, products, extremes and means of the elements along some axes.

`where` leaves elements out, `initial` is combined with the result: both are made of other ops
around the record of the reduction (record.py). An element that is left out has no part in
the result, so neither has a NaN there, and its derivative is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch, OpDef
from staticgraph.core.types import format_shape
from staticgraph.errors import DTypeError
from staticgraph.ops import elementwise as ew
from staticgraph.ops import shaping
from staticgraph.ops.axes import one_axis, refuse, several_axes
from staticgraph.ops.convert import as_tensor, cast, in_one_graph, scalar
from staticgraph.ops.creation import full, full_like
from staticgraph.ops.cumulative import accumulator
from staticgraph.ops.filling import in_dtype_of
from staticgraph.ops.joining import concat
from staticgraph.ops.reduction.record import (
    ALL,
    ANY,
    ARGMAX,
    ARGMIN,
    LOGSUMEXP,
    MAX,
    MEAN,
    MIN,
    NORM,
    PROD,
    SUM,
    count_like,
    element_count,
    reduced_shape,
)
from staticgraph.ops.sizes import as_bool, dim_of, shape, size_or_dim

__all__ = [
    "NORM",
    "SUM",
    "Axis",
    "all",
    "any",
    "argmax",
    "argmin",
    "averaging",
    "count_like",
    "count_nonzero",
    "element_count",
    "element_mask",
    "logsumexp",
    "masked_sum",
    "max",
    "mean",
    "min",
    "norm",
    "prod",
    "reduced_shape",
    "sum",
]

Axis = int | Sequence[int] | None

# -- public functions -------------------------------------------------------------------------


def _reduce(
    op: OpDef,
    x: Any,
    axis: Axis,
    keepdims: bool,
    name: str | None,
    convert: Callable[[Tensor], Tensor] | None = None,
    *,
    what: str = "",
    where: Any = None,
    nothing: float | bool = 0,
) -> Tensor:
    """The reduction of the elements that `where` leaves; `nothing` stands for the others."""
    tensor = as_tensor(x)
    # Axes are checked before the operand is converted, so that a message shows the user's tensor.
    axes = several_axes(what or op, tensor, axis)
    attrs = {"axis": axes, "keepdims": as_bool(what or op.called, "keepdims", keepdims)}
    mask = element_mask(what or op.called, tensor, where)
    if convert is not None:
        tensor = convert(tensor)
    if mask is not None:
        tensor = ew.where(mask, tensor, scalar(tensor.graph, nothing, tensor.dtype))
    return tensor.graph.add(op, (tensor,), attrs, name).out


# -- elements that are left out, and a value to begin with ------------------------------------


def element_mask(what: str, x: Tensor, where: Any) -> Tensor | None:
    """What tells which elements of `x` count, of a shape that broadcasts to that of `x`."""
    if where is None or where is True:
        return None
    mask = as_tensor(where, x.graph)
    labels = ("x", "where")
    if mask.dtype != dtypes.bool_:
        refuse(what, (x, mask), Mismatch(
            f"where is {dtypes.name(mask.dtype)}", "give bools, as a comparison makes them",
            error=DTypeError,
        ), labels)  # fmt: skip
    have, want = mask.type.shape, x.type.shape
    if have is None or want is None:
        return shaping.broadcast_like(mask, x)
    pairs = list(zip(reversed(have), reversed(want), strict=False))
    misfit = [pair for pair in pairs if isinstance(pair[0], int) and isinstance(pair[1], int)
              and pair[0] not in (1, pair[1])]  # fmt: skip
    if misfit or len(have) > len(want):
        refuse(what, (x, mask), Mismatch(
            f"where of shape {format_shape(have)} does not broadcast to {format_shape(want)}",
            "give one bool per element, or a shape that broadcasts to that of x",
        ), labels)  # fmt: skip
    if [pair for pair in pairs if pair[0] != 1 and (pair[0] is None or pair[0] != pair[1])]:
        # A size that only the run knows might make the result larger than x is.
        return shaping.broadcast_like(mask, x)
    return mask


def _initial(what: str, x: Tensor, initial: Any, dtype: DType) -> Tensor:
    """The scalar that a reduction begins with, in the dtype of its result."""
    value = as_tensor(initial, x.graph)
    if value.type.ndim not in (0, None):
        refuse(what, (x, value), Mismatch(
            f"initial has shape {format_shape(value.type.shape)}", "give one number"
        ), ("x", "initial"))  # fmt: skip
    return in_dtype_of(what, "initial", initial, x, dtype)


def _extreme(
    op: OpDef, x: Any, axis: Axis, keepdims: bool, initial: Any, where: Any, name: str | None
) -> Tensor:
    """The largest or smallest element of what `where` leaves, and of `initial`."""
    tensor = as_tensor(x)
    axes = several_axes(op, tensor, axis)
    keepdims = as_bool(op.called, "keepdims", keepdims)
    mask = element_mask(op.called, tensor, where)
    if initial is None:
        if mask is not None:
            refuse(op, (tensor,), Mismatch(
                f"with where= there may be no element left, which has no {op.called}",
                "give initial=..., the result of no elements",
            ))  # fmt: skip
        return tensor.graph.add(op, (tensor,), {"axis": axes, "keepdims": keepdims}, name).out
    first = _initial(op.called, tensor, initial, tensor.dtype)
    if mask is not None:
        tensor = ew.where(mask, tensor, first)
    if tensor.dtype == dtypes.bool_:
        larger = ew.logical_or if op is MAX else ew.logical_and
    else:
        larger = ew.maximum if op is MAX else ew.minimum
    if axes is None:
        flat = _one_more(shaping.reshape(tensor, (-1,)), 0, first)
        result = flat.graph.add(op, (flat,), {"axis": (0,), "keepdims": False}, name).out
        ones = full_like(shape(tensor), 1) if keepdims else None
        return result if ones is None else shaping.reshape(result, ones, name=name)
    sizes = [(dim_of(tensor, number), number) for number in axes]
    attrs = {"axis": axes, "keepdims": keepdims}
    if not [dim for dim, _ in sizes if dim is None or isinstance(dim, str) or dim == 0]:
        # Not empty: one more comparison per result is all.
        return larger(tensor.graph.add(op, (tensor,), attrs).out, first, name=name)
    for _, number in sizes:
        tensor = _one_more(tensor, number, first)
    return tensor.graph.add(op, (tensor,), attrs, name).out


def _one_more(x: Tensor, axis: int, value: Tensor) -> Tensor:
    """`x` with one entry of a value in front of an axis, which is not empty then."""
    with x.graph.as_default():
        sizes = [size_or_dim(x, number) for number in range(x.type.ndim or 0)]
        sizes[axis] = 1
        return concat([full(sizes, value), x], axis)


def _accumulating(x: Tensor) -> Tensor:
    return cast(x, accumulator(x.dtype))


def averaging(x: Tensor) -> Tensor:
    """The operand of a mean: NumPy averages integers in float64."""
    return x if x.dtype in dtypes.DIFFERENTIABLE else cast(x, dtypes.float64)


def _floating(x: Tensor) -> Tensor:
    return cast(x, dtypes.to_floating(x.dtype))


def _truth(x: Tensor) -> Tensor:
    return x if x.dtype == dtypes.bool_ else ew.not_equal(x, 0)


@in_one_graph
def sum(
    x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None,
    *, initial: Any = None, where: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The sum of the elements of `x` along `axis`.

    axis      None for all axes, an int, or several ints; negative ones count from the end
    keepdims  keep the summed axes, with size 1
    dtype     the dtype to which elements are converted first, and of the result
    initial   a number, or a scalar tensor, that is added to the sum
    where     bools that broadcast to the shape of `x`: False leaves an element out, whatever it is

    By default the dtype is that of `x`; bool and narrow integers add up in int64 or uint64, as in
    NumPy. The sum of no elements is 0. Raises ShapeError for an axis that `x` does not have, for an
    `initial` that is no scalar and a `where` that does not fit, DTypeError for a `where` of no
    bools.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.sum(sg.constant([[1.0, 2.0], [3.0, 4.0]]), axis=0))
    array([4., 6.], dtype=float32)
    """
    return _total(SUM, x, axis, keepdims, dtype, initial, where, name)


def _total(
    op: OpDef, x: Any, axis: Axis, keepdims: bool, dtype: Any, initial: Any, where: Any,
    name: str | None,
) -> Tensor:  # fmt: skip
    """A sum or product; in a narrow dtype it is a wide one that is cut, which is the same."""
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    narrow = wanted is not None and accumulator(wanted) != wanted

    def convert(tensor: Tensor) -> Tensor:
        return _accumulating(tensor if wanted is None else cast(tensor, wanted))

    last = None if narrow or initial is not None else name
    nothing = 0 if op is SUM else 1
    total = _reduce(op, x, axis, keepdims, last, convert, where=where, nothing=nothing)
    if initial is not None:
        first = _initial(op.called, total, initial, total.dtype)
        combine = ew.add if op is SUM else ew.multiply
        total = combine(total, first, name=None if narrow else name)
    return total if wanted is None or not narrow else cast(total, wanted, name)


@in_one_graph
def mean(
    x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None,
    *, where: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The arithmetic mean of the elements of `x` along `axis`; NaN for no elements.

    dtype     the inexact dtype to average in; by default that of `x`, or float64 for integers and
              bools
    where     bools that broadcast to the shape of `x`: False leaves an element out, of the sum and
              of the number

    For the rest see `sum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.mean(sg.constant([1.0, 2.0, 6.0])))
    np.float32(3.0)
    """
    wanted = None if dtype is None else dtypes.as_dtype(dtype)

    def convert(tensor: Tensor) -> Tensor:
        return averaging(tensor) if wanted is None else cast(tensor, wanted)

    if where is None or where is True:
        return _reduce(MEAN, x, axis, keepdims, name, convert)
    total, count, dtype = masked_sum("mean", x, axis, keepdims, where, convert)
    return cast(total / count, dtype, name)


def masked_sum(
    what: str, x: Any, axis: Axis, keepdims: bool, where: Any, convert: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, DType]:
    """The sum of the elements that `where` leaves, their number, and the dtype of a mean.

    Half precision is left before the sum: it holds no large number of elements.
    """
    tensor = as_tensor(x)
    several_axes(what, tensor, axis)
    mask = element_mask(what, tensor, where)
    assert mask is not None
    converted = convert(tensor)
    wide = dtypes.float32 if converted.dtype in dtypes.HALF else converted.dtype
    values = ew.where(mask, cast(converted, wide), scalar(tensor.graph, 0, wide))
    # The mask is spread first: what it repeats counts as often.
    count = count_nonzero(shaping.broadcast_like(mask, tensor), axis, keepdims)
    return sum(values, axis, keepdims), cast(count, dtypes.part_of(wide)), converted.dtype


@in_one_graph
def prod(
    x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None,
    *, initial: Any = None, where: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The product of the elements of `x` along `axis`; 1 for no elements.

    Its derivative is right where elements are 0, since it multiplies the others instead of
    dividing by one. `initial` is multiplied with the product. For axes, dtypes, `where` and errors
    see `sum`.

    >>> import staticgraph as sg
    >>> x = sg.constant([2.0, 0.0, 5.0])
    >>> sg.Session().run(sg.gradients(sg.prod(x), x))
    [array([ 0., 10.,  0.], dtype=float32)]
    """
    return _total(PROD, x, axis, keepdims, dtype, initial, where, name)


@in_one_graph
def max(
    x: Any, axis: Axis = None, keepdims: bool = False,
    *, initial: Any = None, where: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The largest element of `x` along `axis`; NaN where there is one.

    initial   a number, or a scalar tensor, that counts as one more element
    where     bools that broadcast to the shape of `x`: False leaves an element out; `initial` has
              to be given with it

    Elements that tie share the adjoint equally. No elements and no `initial` have no largest one:
    that is a ShapeError, when the graph is built if the shape is known, else in the run. For axes
    and errors see `sum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.max(sg.constant([[1.0, 5.0], [4.0, 3.0]]), axis=1))
    array([5., 4.], dtype=float32)
    """
    return _extreme(MAX, x, axis, keepdims, initial, where, name)


@in_one_graph
def min(
    x: Any, axis: Axis = None, keepdims: bool = False,
    *, initial: Any = None, where: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The smallest element of `x` along `axis`; otherwise as `max`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.min(sg.constant([[1.0, 5.0], [4.0, 3.0]]), axis=1))
    array([1., 3.], dtype=float32)
    """
    return _extreme(MIN, x, axis, keepdims, initial, where, name)


def _reduce_index(
    op: OpDef, x: Tensor, axis: int | None, keepdims: bool, name: str | None
) -> Tensor:
    axes = several_axes(op, x, None) if axis is None else (one_axis(op, x, axis),)
    attrs = {"axis": axes, "keepdims": as_bool(op.called, "keepdims", keepdims)}
    return x.graph.add(op, (x,), attrs, name).out


def argmax(
    x: Any, axis: int | None = None, keepdims: bool = False, *, name: str | None = None
) -> Tensor:
    """The index of the largest element of `x` along one axis, int64; the first of several.

    axis      an int, or None for the index among all elements in row-major order
    keepdims  keep the searched axes, with size 1

    The first NaN counts as largest, as in NumPy. No derivative passes. Raises ShapeError for an
    axis that `x` does not have, and for no elements.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.argmax(sg.constant([[1.0, 5.0], [4.0, 3.0]]), axis=1))
    array([1, 0])
    """
    return _reduce_index(ARGMAX, as_tensor(x), axis, keepdims, name)


def argmin(
    x: Any, axis: int | None = None, keepdims: bool = False, *, name: str | None = None
) -> Tensor:
    """The index of the smallest element of `x` along one axis; otherwise as `argmax`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.argmin(sg.constant([3.0, 1.0, 2.0])))
    np.int64(1)
    """
    return _reduce_index(ARGMIN, as_tensor(x), axis, keepdims, name)


@in_one_graph
def any(
    x: Any, axis: Axis = None, keepdims: bool = False,
    *, where: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Whether some element of `x` along `axis` holds (is not 0); False for no elements.

    where     bools that broadcast to the shape of `x`: False leaves an element out

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.any(sg.constant([1.0, -1.0]) > 0))
    np.True_
    """
    return _reduce(ANY, x, axis, keepdims, name, _truth, where=where, nothing=False)


@in_one_graph
def all(
    x: Any, axis: Axis = None, keepdims: bool = False,
    *, where: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Whether all elements of `x` along `axis` hold (are not 0); True for no elements.

    where     bools that broadcast to the shape of `x`: False leaves an element out

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.all(sg.constant([1.0, -1.0]) > 0))
    np.False_
    """
    return _reduce(ALL, x, axis, keepdims, name, _truth, where=where, nothing=True)


def count_nonzero(
    x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None
) -> Tensor:
    """How many elements of `x` along `axis` are not 0, int64.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.count_nonzero(sg.constant([1.0, 0.0, 2.0])))
    np.int64(2)
    """
    return _reduce(
        SUM, x, axis, keepdims, name, lambda tensor: _accumulating(_truth(tensor)),
        what="count_nonzero",
    )  # fmt: skip


def logsumexp(
    x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None
) -> Tensor:
    """``log(sum(exp(x)))`` along `axis`, without overflow; -inf for no elements.

    Integers are computed in floating point. An element of -inf has no share in the result, and its
    derivative is 0, even where all elements are -inf. For axes and errors see `sum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.logsumexp(sg.constant([1000.0, 1000.0])))
    np.float32(1000.6932)
    """
    return _reduce(LOGSUMEXP, x, axis, keepdims, name, _floating)


def norm(x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None) -> Tensor:
    """The 2-norm ``sqrt(sum(x * x))`` of `x` along `axis` (public as ``sg.linalg.norm``).

    The norm has a kink at 0, where every vector of length up to 1 is a subgradient. Its derivative
    there is taken to be 0, the shortest of them and the one that symmetry asks for, and all
    higher derivatives are 0 with it: a difference that vanishes pulls nowhere. A square of the norm
    is smooth at 0; write it ``sum(square(x))``, so that its second derivative is. For axes and
    errors see `sum`.

    >>> import staticgraph as sg
    >>> x = sg.constant([3.0, 4.0])
    >>> sg.Session().run(sg.linalg.norm(x))
    np.float32(5.0)
    """
    return _reduce(NORM, x, axis, keepdims, name, _floating)
