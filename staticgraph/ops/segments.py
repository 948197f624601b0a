"""Entries gathered into groups: segment sums, means, maxima, and counts of integers.

A group is what has the same number. The number of groups is given, so that every size is known
before the run; `bincount` alone may leave it to the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import Mismatch, Numbered, OpDef, register
from staticgraph.core.types import compatible, format_shape
from staticgraph.errors import DTypeError
from staticgraph.ops import elementwise as ew
from staticgraph.ops.axes import known_rank, refuse
from staticgraph.ops.convert import as_tensor, cast_to, is_tensor_like, real_floating
from staticgraph.ops.creation import full, ones_like, zeros
from staticgraph.ops.cumulative import accumulator
from staticgraph.ops.indexing import GATHER, SCATTER_ADD, as_entry, infer_scatter
from staticgraph.ops.joining import concat
from staticgraph.ops.reduction import max as largest
from staticgraph.ops.shaping import expand_dims, sum_to
from staticgraph.ops.sizes import is_int, refusal, size_or_dim

# -- scatters that choose ---------------------------------------------------------------------


def _choosing(function: Any) -> Callable[..., Any]:
    def reference(x: Any, updates: Any, *indices: Any, axes: tuple[int, ...]) -> Any:
        result = np.array(x)
        key: list[Any] = [slice(None)] * result.ndim
        for axis, index in zip(axes, indices, strict=True):
            key[axis] = index
        function.at(result, tuple(key), updates)
        return result

    return reference


def _gathered(x: Tensor, node: Operation) -> Tensor:
    """The entries of something of the result's shape that the indices of a scatter name."""
    return x.graph.add(GATHER, (x, *node.inputs[2:]), node.attrs).out


def _added(x: Tensor, updates: Tensor, node: Operation) -> Tensor:
    return x.graph.add(SCATTER_ADD, (x, updates, *node.inputs[2:]), node.attrs).out


def _winners(node: Operation) -> tuple[Tensor, Tensor, Tensor]:
    """Where x and where an update is the chosen value, and how many of them are."""
    x, updates = node.inputs[:2]
    kept = ew.equal(x, node.out)
    taken = ew.equal(updates, _gathered(node.out, node))
    return kept, taken, _added(cast_to(kept, x.dtype), cast_to(taken, x.dtype), node)


def _vjp_choosing(node: Operation, adjoint: Tensor, number: int) -> Tensor | None:
    if number > 1:
        return None
    kept, taken, count = _winners(node)
    share = adjoint / count
    if number == 0:
        return ew.where(kept, share, ew.zero_of(share))
    share = _gathered(share, node)
    return sum_to(ew.where(taken, share, ew.zero_of(share)), node.inputs[1])


def _jvp_choosing(node: Operation, tangents: Sequence[Tensor | None]) -> Tensor:
    kept, taken, count = _winners(node)
    of_x, of_updates = tangents[:2]
    zero = ew.zero_of(node.out)
    total = ew.where(kept, zero if of_x is None else of_x, zero)
    if of_updates is not None:
        total = _added(total, ew.where(taken, of_updates, ew.zero_of(of_updates)), node)
    return total / count


def _scatter(name: str, function: Any, doc: str) -> OpDef:
    return register(
        OpDef(
            name,
            operands=("x", "updates", "indices*"),
            infer=infer_scatter,
            reference=_choosing(function),
            attrs=("axes",),
            dtypes=(dtypes.NUMERIC, dtypes.NUMERIC, frozenset({dtypes.int64})),
            vjp=Numbered(_vjp_choosing),
            jvp=_jvp_choosing,
            linear=True,
            selects=True,
            by_value=True,
            doc=doc,
        )
    )


SCATTER_MAX = _scatter(
    "scatter_max", np.maximum,
    "x, and where the indices name an entry the largest of it and the updates it is given; NaN "
    "where there is one. Those that tie share the adjoint equally.",
)  # fmt: skip
SCATTER_MIN = _scatter(
    "scatter_min", np.minimum,
    "x, and where the indices name an entry the smallest of it and the updates it is given; NaN "
    "where there is one. Those that tie share the adjoint equally.",
)  # fmt: skip


# -- segments ---------------------------------------------------------------------------------


def _segments(data: Any, segment_ids: Any, num_segments: Any) -> tuple[Tensor, Tensor, list[Any]]:
    """Data, the number of the segment of each entry, and the shape of the result."""
    tensor = as_tensor(data)
    ndim = known_rank(SCATTER_ADD, tensor)
    if ndim == 0:
        refuse(SCATTER_ADD, (tensor,), Mismatch(
            "a scalar has no entries", "segments are made of the entries along axis 0"
        ))  # fmt: skip
    if is_int(num_segments) and num_segments < 0:
        raise refusal("segments", f"num_segments={num_segments} is negative", "give an int from 0")
    with tensor.graph.as_default():
        shape = [num_segments, *[size_or_dim(tensor, axis) for axis in range(1, ndim)]]
        started = zeros(shape, tensor.dtype)
    ids = as_entry(started, 0, segment_ids)
    if ids.type.ndim != 1 or not compatible(ids.type.shape, (tensor.type.shape or (None,))[:1]):
        refuse(SCATTER_ADD, (tensor, ids), Mismatch(
            f"segment_ids has shape {format_shape(ids.type.shape)}, "
            f"data {format_shape(tensor.type.shape)}",
            "give one number per entry along axis 0",
        ))  # fmt: skip
    return tensor, ids, shape


def segment_sum(
    data: Any, segment_ids: Any, num_segments: Any, *, name: str | None = None
) -> Tensor:
    """For each segment the sum of the entries of `data` along axis 0 that belong to it.

    data           a tensor of at least one axis
    segment_ids    int vector, the segment of each entry, in any order; as an index, a negative one
                   counts from the end
    num_segments   an int, or a scalar int tensor

    The shape is ``(num_segments, *data.shape[1:])``; a segment without entries is 0. Bool and
    narrow integers add up in int64 or uint64. Entries add up in an order that depends on sizes
    alone. Raises ShapeError where there is not one number per entry, DTypeError for numbers that
    are no integers; a number out of range is an error of the run.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.segment_sum(sg.constant([1.0, 2.0, 3.0]), [0, 2, 0], 3))
    array([4., 0., 2.], dtype=float32)
    """
    tensor = as_tensor(data)
    values, ids, shape = _segments(
        cast_to(tensor, accumulator(tensor.dtype)), segment_ids, num_segments
    )
    with values.graph.as_default():
        start = zeros(shape, values.dtype)
    return values.graph.add(
        SCATTER_ADD, (start, values, ids), {"axes": (0,)}, name or "segment_sum"
    ).out


def segment_mean(
    data: Any, segment_ids: Any, num_segments: Any, *, name: str | None = None
) -> Tensor:
    """For each segment the mean of its entries; 0 for a segment without entries.

    Integers are averaged in float64. Otherwise as `segment_sum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.segment_mean(sg.constant([1.0, 2.0, 3.0]), [0, 2, 0], 3))
    array([2., 0., 2.], dtype=float32)
    """
    tensor = real_floating(as_tensor(data))
    total = segment_sum(tensor, segment_ids, num_segments)
    with tensor.graph.as_default():
        ones = full((size_or_dim(tensor, 0),), 1, dtypes.int64)
    counts = segment_sum(ones, segment_ids, num_segments)
    counts = cast_to(ew.maximum(counts, 1), tensor.dtype)
    inner = known_rank(SCATTER_ADD, tensor) - 1
    if inner:
        counts = expand_dims(counts, tuple(range(1, 1 + inner)))
    return ew.divide(total, counts, name=name or "segment_mean")


def _extreme(op: OpDef, data: Any, segment_ids: Any, num_segments: Any, name: str | None) -> Tensor:
    tensor = as_tensor(data)
    if tensor.dtype not in dtypes.NUMERIC:
        refuse(op, (tensor,), Mismatch(
            f"does not take {dtypes.name(tensor.dtype)}",
            "sg.cast(x, dtype) converts", error=DTypeError,
        ))  # fmt: skip
    values, ids, shape = _segments(tensor, segment_ids, num_segments)
    lowest = op is SCATTER_MAX
    if values.dtype in dtypes.FLOATING:
        fill: float | int = -np.inf if lowest else np.inf
    else:
        limits = np.iinfo(values.dtype)
        fill = int(limits.min if lowest else limits.max)
    with values.graph.as_default():
        start = full(shape, fill, values.dtype)
    return values.graph.add(op, (start, values, ids), {"axes": (0,)}, name).out


def segment_max(
    data: Any, segment_ids: Any, num_segments: Any, *, name: str | None = None
) -> Tensor:
    """For each segment the largest of its entries; NaN where there is one.

    A segment without entries is what changes no maximum: -inf, or the least integer of the dtype.
    Entries that tie share the adjoint equally. Otherwise as `segment_sum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.segment_max(sg.constant([1, 2, 3]), [0, 1, 0], 2))
    array([3, 2])
    """
    return _extreme(SCATTER_MAX, data, segment_ids, num_segments, name or "segment_max")


def segment_min(
    data: Any, segment_ids: Any, num_segments: Any, *, name: str | None = None
) -> Tensor:
    """For each segment the smallest of its entries; otherwise as `segment_max`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.segment_min(sg.constant([1, 2, 3]), [0, 1, 0], 2))
    array([1, 2])
    """
    return _extreme(SCATTER_MIN, data, segment_ids, num_segments, name or "segment_min")


# -- counts -----------------------------------------------------------------------------------


def bincount(
    x: Any,
    weights: Any = None,
    minlength: int = 0,
    *,
    length: Any = None,
    name: str | None = None,
) -> Tensor:
    """How often each number from 0 on stands in the int vector `x`; with `weights` their sums.

    weights     one per element of `x`; derivatives flow to them
    minlength   an int: the result has at least so many elements
    length      the result has exactly so many: an int or a scalar int tensor. A number that is not
                below it is then an error of the run. Without it the size is the largest number
                and one, which only the run knows.

    The dtype is int64, or that in which the weights add up. Raises ShapeError where `x` is no
    vector, DTypeError where it holds no integers; a negative number is an error of the run.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.bincount(sg.constant([0, 2, 2]), length=4))
    array([1, 0, 2, 0])
    """
    graph = as_tensor(weights).graph if is_tensor_like(weights) else None
    numbers = as_tensor(x, graph)
    if numbers.dtype not in dtypes.INTEGER:
        refuse(SCATTER_ADD, (numbers,), Mismatch(
            f"bincount counts integers, not {dtypes.name(numbers.dtype)}",
            "sg.cast(x, 'int64') converts, sg.histogram counts floats", error=DTypeError,
        ))  # fmt: skip
    if numbers.type.ndim != 1:
        refuse(SCATTER_ADD, (numbers,), Mismatch(
            f"x has shape {format_shape(numbers.type.shape)}",
            "bincount takes a vector: sg.reshape(x, -1)",
        ))  # fmt: skip
    if not is_int(minlength) or minlength < 0:
        raise refusal("bincount", f"minlength={minlength!r} is no size", "give an int from 0")
    numbers = cast_to(numbers, dtypes.int64)
    with numbers.graph.as_default():
        if length is None:
            # Beside the least length there is always a largest number.
            length = largest(concat([numbers, [int(minlength) - 1]])) + 1
        if weights is None:
            given = ones_like(numbers)
        else:
            given = as_tensor(weights)
            given = cast_to(given, accumulator(given.dtype))
        # An index would count from the end where it is negative; a number does not.
        places = ew.where(numbers < 0, np.iinfo(np.int64).max, numbers)
        start = zeros((length,), given.dtype)
    operands = (start, given, places)
    return start.graph.add(SCATTER_ADD, operands, {"axes": (0,)}, name or "bincount").out
