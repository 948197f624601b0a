"""Entries gathered into groups: segment sums, means, maxima, and counts of integers.

A group is what has the same number. The number of groups is given, so that every size is known
before the run; `bincount` alone may leave it to the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor, describe
from staticgraph.core.node import Node
from staticgraph.core.opdef import Mismatch, Numbered, OpDef, register
from staticgraph.core.types import compatible, format_shape
from staticgraph.errors import DTypeError, RunError
from staticgraph.ops import elementwise as ew
from staticgraph.ops.axes import known_rank, refuse
from staticgraph.ops.convert import (
    CAST,
    as_tensor,
    cast,
    constant_value,
    in_one_graph,
    is_tensor_like,
    real_floating,
    scalar,
)
from staticgraph.ops.creation import full, zeros
from staticgraph.ops.cumulative import accumulator
from staticgraph.ops.indexing import GATHER, SCATTER_ADD, as_index, infer_scatter
from staticgraph.ops.reduction import max as largest
from staticgraph.ops.shaping import expand_dims, sum_to
from staticgraph.ops.sizes import is_int, read_sizes, refusal, size_or_dim

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
    return kept, taken, _added(cast(kept, x.dtype), cast(taken, x.dtype), node)


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


class _Segments(NamedTuple):
    """What the entries of a tensor are gathered into.

    shape   of the result
    shown   the operands as the user gave them, for messages of a run
    """

    data: Tensor
    ids: Tensor
    shape: list[Any]
    shown: tuple[Tensor, Tensor]


def _segments(what: str, data: Tensor, segment_ids: Any, num_segments: Any) -> _Segments:
    """Reads the arguments of a function called `what`."""
    ndim = known_rank(what, data)
    if ndim == 0:
        refuse(what, (data,), Mismatch(
            "a scalar has no entries", "segments are made of the entries along axis 0"
        ), ("data",))  # fmt: skip
    if is_int(num_segments) and num_segments < 0:
        raise refusal(what, f"num_segments={num_segments} is negative", "give an int from 0")
    with data.graph.as_default():
        shape = [num_segments, *[size_or_dim(data, axis) for axis in range(1, ndim)]]
        # Refuses what is no size; the count itself is looked at beside the numbers.
        read_sizes(what, shape)
    ids = as_index(GATHER, data, segment_ids)
    if ids.type.ndim != 1 or not compatible(ids.type.shape, (data.type.shape or (None,))[:1]):
        refuse(what, (data, ids), Mismatch(
            f"segment_ids has shape {format_shape(ids.type.shape)}, "
            f"data {format_shape(data.type.shape)}",
            "give one number per entry along axis 0",
        ), _OPERANDS)  # fmt: skip
    known = constant_value(ids)
    if known is not None and is_int(num_segments):
        problem = _out_of_range(known, int(num_segments))
        if problem:
            refuse(what, (data, ids), Mismatch(*problem), _OPERANDS)
    return _Segments(data, ids, shape, (_before_cast(data), _before_cast(ids)))


def _before_cast(x: Tensor) -> Tensor:
    return x.node.inputs[0] if x.node.op is CAST else x


def _out_of_range(ids: Any, count: int) -> tuple[str, ...]:
    """What is said of the first number that is of no segment; nothing where there is none."""
    wrong = np.argwhere((ids < -count) | (ids >= count))
    if not len(wrong):
        return ()
    place = wrong[0].tolist()
    return (
        "an id is out of range",
        f"id {ids[tuple(place)]} of segment_ids at {place} is not in [0, {count})",
        "a negative id counts from the end" if count else "num_segments is 0",
    )


def _explain(
    what: str, shown: tuple[Tensor, Tensor], node: Node, operands: Sequence[Any], problem: Exception
) -> Mismatch | None:
    """A scatter that failed, in the words of the function that is made of it."""
    if len(operands) != 3 or np.ndim(operands[2]) != 1 or not np.ndim(operands[0]):
        return None
    spoken = (node.location.spoken(what), "", "", "")
    listed = [f"{label} {describe(x)}" for label, x in zip(_OPERANDS, shown, strict=True)]
    if isinstance(problem, IndexError):
        said = _out_of_range(np.asarray(operands[2]), len(operands[0]))
        return (
            Mismatch(said[0], *listed, *said[1:], error=RunError, spoken=spoken) if said else None
        )
    if isinstance(problem, ValueError):
        have, entries = np.shape(operands[2]), np.shape(operands[1])
        return Mismatch(
            "there is not one id per entry in this run",
            *listed,
            f"segment_ids has shape {format_shape(have)}, data {format_shape(entries)}",
            "give one number per entry along axis 0",
            spoken=spoken,
        )
    return None


_OPERANDS = ("data", "segment_ids")


def _scattered(what: str, op: OpDef, parts: _Segments, start: Tensor, name: str | None) -> Tensor:
    graph = parts.data.graph
    with graph.explaining(partial(_explain, what, parts.shown)):
        return graph.add(op, (start, parts.data, parts.ids), {"axes": (0,)}, name).out


def _summed(what: str, parts: _Segments, name: str | None = None) -> Tensor:
    with parts.data.graph.as_default():
        start = zeros(parts.shape, parts.data.dtype)
    return _scattered(what, SCATTER_ADD, parts, start, name)


@in_one_graph
def segment_sum(
    data: Any, segment_ids: Any, num_segments: Any, *, name: str | None = None
) -> Tensor:
    """For each segment the sum of the entries of `data` along axis 0 that belong to it.

    data           a tensor of at least one axis
    segment_ids    int vector, the segment of each entry, in any order; as an index, a negative one
                   counts from the end
    num_segments   an int, or a scalar int tensor

    The shape is ``(num_segments, *data.shape[1:])``; a segment without entries is 0. Bool and
    narrow integers add up in int64 or uint64, float16 and bfloat16 in float32. Entries add up in an
    order that depends on sizes alone. Raises ShapeError where there is not one number per entry or
    a known number is out of range, DTypeError for numbers that are no integers; RunError in a run.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.segment_sum(sg.constant([1.0, 2.0, 3.0]), [0, 2, 0], 3))
    array([4., 0., 2.], dtype=float32)
    """
    tensor = as_tensor(data)
    wide = cast(tensor, accumulator(tensor.dtype))
    parts = _segments("segment_sum", wide, segment_ids, num_segments)
    return _summed("segment_sum", parts, name or "segment_sum")


@in_one_graph
def segment_mean(
    data: Any, segment_ids: Any, num_segments: Any, *, name: str | None = None
) -> Tensor:
    """For each segment the mean of its entries; 0 for a segment without entries.

    Bool and integers are averaged in float64, float16 and bfloat16 in float32. Otherwise as
    `segment_sum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.segment_mean(sg.constant([1.0, 2.0, 3.0]), [0, 2, 0], 3))
    array([2., 0., 2.], dtype=float32)
    """
    what = "segment_mean"
    tensor = as_tensor(data)
    tensor = tensor if tensor.dtype in dtypes.COMPLEX else real_floating(tensor)
    if tensor.dtype in dtypes.HALF:
        # A sum may overflow where its mean does not, and no half counts far.
        mean = segment_mean(cast(tensor, dtypes.float32), segment_ids, num_segments)
        return cast(mean, tensor.dtype, name or what)
    parts = _segments(what, tensor, segment_ids, num_segments)
    total = _summed(what, parts)
    with tensor.graph.as_default():
        ones = full((size_or_dim(tensor, 0),), 1, dtypes.int64)
    counts = _summed(what, parts._replace(data=ones, shape=parts.shape[:1]))
    counts = cast(ew.maximum(counts, 1), tensor.dtype)
    inner = len(parts.shape) - 1
    if inner:
        counts = expand_dims(counts, tuple(range(1, 1 + inner)))
    return ew.divide(total, counts, name=name or what)


def _extreme(
    what: str, op: OpDef, data: Any, segment_ids: Any, num_segments: Any, name: str | None
) -> Tensor:
    tensor = as_tensor(data)
    if tensor.dtype in dtypes.COMPLEX:
        refuse(what, (tensor,), Mismatch(
            f"{dtypes.name(tensor.dtype)} has no order",
            "say which number is meant: sg.real(x), sg.imag(x) or sg.abs(x)", error=DTypeError,
        ), ("data",))  # fmt: skip
    if tensor.dtype not in dtypes.NUMERIC:
        # Each value of bool and of the half precisions is one of the wider dtype, in order.
        wide = cast(tensor, dtypes.float32 if tensor.dtype in dtypes.HALF else dtypes.int8)
        found = _extreme(what, op, wide, segment_ids, num_segments, None)
        if tensor.dtype == dtypes.bool_:
            found = ew.greater(found, 0)
        return cast(found, tensor.dtype, name or what)
    parts = _segments(what, tensor, segment_ids, num_segments)
    lowest = op is SCATTER_MAX
    if tensor.dtype in dtypes.FLOATING:
        fill: float | int = -np.inf if lowest else np.inf
    else:
        limits = np.iinfo(tensor.dtype)
        fill = int(limits.min if lowest else limits.max)
    with tensor.graph.as_default():
        start = full(parts.shape, fill, tensor.dtype)
    return _scattered(what, op, parts, start, name or what)


@in_one_graph
def segment_max(
    data: Any, segment_ids: Any, num_segments: Any, *, name: str | None = None
) -> Tensor:
    """For each segment the largest of its entries; NaN where there is one.

    A segment without entries is what changes no maximum: -inf, the least integer of the dtype, or
    False. Entries that tie share the adjoint equally. Raises DTypeError for complex numbers, which
    have no order. Otherwise as `segment_sum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.segment_max(sg.constant([1, 2, 3]), [0, 1, 0], 2))
    array([3, 2])
    """
    return _extreme("segment_max", SCATTER_MAX, data, segment_ids, num_segments, name)


@in_one_graph
def segment_min(
    data: Any, segment_ids: Any, num_segments: Any, *, name: str | None = None
) -> Tensor:
    """For each segment the smallest of its entries; otherwise as `segment_max`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.segment_min(sg.constant([1, 2, 3]), [0, 1, 0], 2))
    array([1, 2])
    """
    return _extreme("segment_min", SCATTER_MIN, data, segment_ids, num_segments, name)


# -- counts -----------------------------------------------------------------------------------


@in_one_graph
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
    what = "bincount"
    graph = as_tensor(weights).graph if is_tensor_like(weights) else None
    numbers = as_tensor(x, graph)
    if numbers.dtype not in dtypes.INTEGER:
        refuse(what, (numbers,), Mismatch(
            f"it counts integers, not {dtypes.name(numbers.dtype)}",
            "sg.cast(x, 'int64') converts, sg.histogram counts floats", error=DTypeError,
        ))  # fmt: skip
    if numbers.type.ndim != 1:
        refuse(what, (numbers,), Mismatch(
            f"x has shape {format_shape(numbers.type.shape)}",
            "it is a vector: sg.reshape(x, -1)",
        ))  # fmt: skip
    if not is_int(minlength) or minlength < 0:
        raise refusal(what, f"minlength={minlength!r} is no size", "give an int from 0")
    numbers = cast(numbers, dtypes.int64)
    with numbers.graph.as_default():
        if length is None:
            length = _length_of(numbers, int(minlength))
        if weights is None:
            # One number that all have in common is nothing to be read.
            given = scalar(numbers.graph, 1, dtypes.int64)
        else:
            given = as_tensor(weights)
            given = cast(given, accumulator(given.dtype))
        # An index would count from the end where it is negative; a number does not. What is put in
        # its place is no index, and tells which number it was.
        places = ew.where(numbers < 0, ew.maximum(numbers + _LARGEST, _TOLD), numbers)
        start = zeros((length,), given.dtype)
    with start.graph.explaining(partial(_explain_count, _before_cast(numbers))):
        operands = (start, given, places)
        return start.graph.add(SCATTER_ADD, operands, {"axes": (0,)}, name or what).out


def _length_of(numbers: Tensor, least: int) -> Tensor:
    """The largest number and one, or `least` where that is more or there is no number."""
    size = size_or_dim(numbers, 0)
    if isinstance(size, int) and size:
        return ew.maximum(largest(numbers) + 1, least)
    return largest(numbers, initial=least - 1) + 1


# A negative number n from _TOLD - _LARGEST on stands as _LARGEST + n.
_LARGEST, _TOLD = np.iinfo(np.int64).max, 2**62


def _explain_count(
    x: Tensor, node: Node, operands: Sequence[Any], problem: Exception
) -> Mismatch | None:
    """A scatter of counts that failed, in the words of `bincount`."""
    if len(operands) != 3 or np.ndim(operands[2]) != 1:
        return None
    spoken = (node.location.spoken("bincount"), "", "", "")
    places, length = np.asarray(operands[2]), len(operands[0])
    if isinstance(problem, ValueError):
        return Mismatch(
            "there is not one weight per number in this run",
            f"x {describe(x)}",
            f"x has shape {format_shape(places.shape)}, "
            f"weights {format_shape(np.shape(operands[1]))}",
            spoken=spoken,
        )
    wrong = np.flatnonzero(places >= length)
    if not isinstance(problem, IndexError) or not len(wrong):
        return None
    place = int(wrong[0])
    number = int(places[place])
    negative = number >= _TOLD
    number = number - _LARGEST if negative else number
    why = "is negative" if negative else f"is not below length {length}"
    return Mismatch(
        "a number is out of range", f"x {describe(x)}", f"number {number} at [{place}] {why}",
        error=RunError, spoken=spoken,
    )  # fmt: skip
