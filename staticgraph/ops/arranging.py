"""Arranging elements anew: pad, flip, roll, tile, repeat.

Only pad with a constant is an op of its own; the others are made of indexing, broadcasting and
reshaping.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import LINEAR, Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import TensorType, add_dims, format_dim
from staticgraph.errors import DTypeError
from staticgraph.ops.axes import known_rank, one_axis, refuse, several_axes
from staticgraph.ops.control import identity
from staticgraph.ops.convert import (
    as_tensor,
    cast_to,
    constant_value,
    is_tensor_like,
    promote,
    scalar,
)
from staticgraph.ops.creation import arange, zeros_like
from staticgraph.ops.cumulative import cumsum
from staticgraph.ops.elementwise import clip, less, maximum, minimum, remainder, where
from staticgraph.ops.indexing import FULL, GATHER, SLICE, Range, gather
from staticgraph.ops.reduction import sum
from staticgraph.ops.searching import searchsorted
from staticgraph.ops.shaping import (
    BROADCAST_TO,
    broadcast_to,
    expand_dims,
    reshape,
    reshape_like,
)
from staticgraph.ops.sizes import dim_of, is_int, refusal, size

# -- pad --------------------------------------------------------------------------------------


def _infer_pad(types: Types, attrs: Attrs) -> TensorType:
    x, value = types
    width = attrs["width"]
    if value.shape not in ((), None):
        raise Mismatch(f"constant_values is {value}", "give one number for all axes")
    if value.dtype != x.dtype:
        raise Mismatch("operands differ in dtype", "convert with sg.cast", error=DTypeError)
    if x.shape is None:
        return x
    dims = [
        add_dims((before, dim, after)) for dim, (before, after) in zip(x.shape, width, strict=True)
    ]
    return x.with_shape(tuple(dims))


def _reference_pad(x: Any, value: Any, *, width: tuple[tuple[int, int], ...]) -> Any:
    edges = list(zip(x.shape, width, strict=True))
    result = np.full([before + dim + after for dim, (before, after) in edges], value, x.dtype)
    result[tuple([slice(before, before + dim) for dim, (before, _) in edges])] = x
    return result


def _vjp_pad_x(node: Operation, adjoint: Tensor) -> Tensor:
    index: list[Range] = [
        (before or None, -after or None, 1) if before or after else FULL
        for before, after in node.attrs["width"]
    ]
    attrs = {"index": tuple(index), "shape": node.inputs[0].type.shape}
    return adjoint.graph.add(SLICE, (adjoint,), attrs).out


def _vjp_pad_value(node: Operation, adjoint: Tensor) -> Tensor:
    # A difference of sums would round; the sum of what lies outside does not.
    inside = zeros_like(node.inputs[0], dtypes.bool_)
    outside = scalar(adjoint.graph, True, dtypes.bool_)
    mask = adjoint.graph.add(PAD, (inside, outside), node.attrs).out
    return sum(where(mask, adjoint, 0))


PAD: OpDef = register(
    OpDef(
        "pad",
        operands=("x", "value"),
        infer=_infer_pad,
        reference=_reference_pad,
        attrs=("width",),
        vjp=(_vjp_pad_x, _vjp_pad_value),
        jvp=LINEAR,
        linear=True,
        selects=True,
        doc="The operand with a value added before and after it along every axis.",
    )
)


def pad(
    x: Any,
    pad_width: Any,
    mode: str = "constant",
    constant_values: Any = 0,
    *,
    name: str | None = None,
) -> Tensor:
    """`x` with elements added at both ends of its axes.

    pad_width         ints: one for all ends, a pair (before, after) for all axes, or one pair per
                      axis
    mode              what the new elements are: ``"constant"``, one value; ``"edge"``, the nearest
                      element; ``"reflect"`` and ``"symmetric"``, those that a mirror on the last
                      element, or behind it, shows; ``"wrap"``, the axis over and over
    constant_values   the value of the new elements of ``"constant"``: a number or a scalar tensor,
                      to which derivatives flow

    Raises ShapeError for widths that are negative or do not fit the axes, and for an empty axis of
    which other modes than ``"constant"`` have nothing to repeat.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.pad(sg.constant([1, 2]), (1, 2)))
    array([0, 1, 2, 0, 0])
    """
    if mode not in ("constant", *_PLACES):
        raise refusal(
            "pad",
            f"mode={mode!r} is not there",
            "give 'constant', 'edge', 'reflect', 'symmetric' or 'wrap'",
        )
    if mode != "constant":
        return _padded(as_tensor(x), pad_width, mode, name or "pad")
    if is_tensor_like(x) and not is_tensor_like(constant_values):
        tensor = as_tensor(x)
        with tensor.graph.as_default():
            value = cast_to(as_tensor(constant_values), tensor.dtype)
    else:
        tensor, value = promote((x, constant_values))
    width = _pad_width(tensor, pad_width)
    return tensor.graph.add(PAD, (tensor, value), {"width": width}, name).out


# Where the element stands that is seen at a place before or behind an axis of some size.
_PLACES = {
    "edge": lambda place, count: clip(place, 0, count - 1),
    "wrap": lambda place, count: remainder(place, count),
    # Back and forth: the distance from the nearest turning point. An axis of one has none.
    "reflect": lambda place, count: _mirrored(place, maximum(2 * count - 2, 1), 0),
    "symmetric": lambda place, count: _mirrored(place, 2 * count, 1),
}


def _mirrored(place: Tensor, period: Tensor, gap: int) -> Tensor:
    within = remainder(place, period)
    return minimum(within, period - gap - within)


def _padded(x: Tensor, pad_width: Any, mode: str, name: str) -> Tensor:
    """`x` with elements of its own before and behind every axis."""
    width = _pad_width(x, pad_width)
    with x.graph.as_default():
        for axis, (before, after) in enumerate(width):
            if not before and not after:
                continue
            if dim_of(x, axis) == 0:
                refuse(PAD, (x,), Mismatch(
                    f"axis {axis} is empty, so there is nothing to repeat",
                    "mode='constant' needs nothing",
                ))  # fmt: skip
            count = size(x, axis)
            dim = dim_of(x, axis)
            total = dim + before + after if isinstance(dim, int) else count + (before + after)
            places = _PLACES[mode](arange(total) - before, count)
            x = gather(x, places, axis)
        return identity(x, name=name)


def _pad_width(x: Tensor, pad_width: Any) -> tuple[tuple[int, int], ...]:
    """One pair of ints that are not negative per axis."""
    ndim = known_rank(PAD, x)
    try:
        given = np.asarray(pad_width)
        pairs = np.broadcast_to(given, (ndim, 2))
    except ValueError:
        given = pairs = np.zeros(0)
    if pairs.dtype.kind not in "iu":
        refuse(PAD, (x,), Mismatch(
            f"pad_width={pad_width!r} does not fit {ndim} axes",
            "give an int, a pair of ints, or one pair per axis",
        ))  # fmt: skip
    if given.size and given.min() < 0:
        refuse(PAD, (x,), Mismatch(
            f"pad_width={pad_width!r} is negative", "a slice takes elements away: x[1:-1]"
        ))  # fmt: skip
    return tuple([(int(before), int(after)) for before, after in pairs])


# -- order and repetition ---------------------------------------------------------------------


def flip(x: Any, axis: Any = None, *, name: str | None = None) -> Tensor:
    """`x` with the order of its entries reversed along `axis`: an int, a tuple, or None for all.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.flip(sg.constant([1, 2, 3])))
    array([3, 2, 1])
    """
    tensor = as_tensor(x)
    ndim = known_rank(SLICE, tensor)
    axes = several_axes(SLICE, tensor, axis) or ()
    index = [(None, None, -1) if place in axes else FULL for place in range(ndim)]
    attrs = {"index": tuple(index), "shape": None}
    return tensor.graph.add(SLICE, (tensor,), attrs, name or "flip").out


def roll(x: Any, shift: Any, axis: Any = None, *, name: str | None = None) -> Tensor:
    """`x` with its entries moved by `shift` places along `axis`; what leaves comes back in front.

    shift   an int or a scalar int tensor, or a tuple of them, one per axis
    axis    one axis, or a tuple of them; None moves the elements of `x` flattened

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.roll(sg.constant([1, 2, 3, 4]), 1))
    array([4, 1, 2, 3])
    """
    tensor = as_tensor(x)
    if axis is None:
        return reshape_like(roll(reshape(tensor, -1), shift, 0, name=name), tensor)
    if isinstance(axis, tuple | list):
        return _rolled(tensor, shift, list(axis), name or "roll")
    number = one_axis(SLICE, tensor, axis)
    with tensor.graph.as_default():
        count = size(tensor, number)
        places = remainder(arange(count) - cast_to(shift, dtypes.int64), count)
    return gather(tensor, places, number, name=name or "roll")


def _rolled(x: Tensor, shift: Any, axes: list[Any], name: str) -> Tensor:
    """`x` rolled along one axis after the other."""
    shifts = list(shift) if isinstance(shift, tuple | list) else [shift] * len(axes)
    if len(shifts) != len(axes):
        refuse(SLICE, (x,), Mismatch(
            f"there are {len(shifts)} shifts for {len(axes)} axes", "give one per axis, or one"
        ))  # fmt: skip
    for places, axis in zip(shifts, axes, strict=True):
        x = roll(x, places, axis)
    return identity(x, name=name)


def tile(x: Any, repetitions: Any, *, name: str | None = None) -> Tensor:
    """`x` laid out side by side, ``repetitions[i]`` times along axis i.

    repetitions   an int or a sequence of ints; where they are fewer than the axes, ones are put in
                  front of them; where they are more, `x` gets new axes in front

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.tile(sg.constant([1, 2]), 2))
    array([1, 2, 1, 2])
    """
    tensor = as_tensor(x)
    counts = [repetitions] if is_int(repetitions) else list(repetitions)
    _check_counts(tensor, counts, repetitions)
    ndim = known_rank(BROADCAST_TO, tensor)
    if len(counts) > ndim:
        tensor = expand_dims(tensor, tuple(range(len(counts) - ndim)))
        ndim = len(counts)
    counts = [1] * (ndim - len(counts)) + counts
    return _repeated(tensor, list(enumerate(counts)), before=True, name=name or "tile")


def repeat(x: Any, repeats: Any, axis: int | None = None, *, name: str | None = None) -> Tensor:
    """`x` with every entry along `axis` repeated.

    repeats   an int; one int per entry of the axis; or an int tensor, whose values only the run
              knows, and so the size of the result
    axis      one axis; None repeats the elements of `x` flattened

    Raises ShapeError for repeats that are known now to be negative, or that are not one per entry;
    negative ones that only the run knows are an error of the run.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.repeat(sg.constant([1, 2]), 2))
    array([1, 1, 2, 2])
    """
    tensor = as_tensor(x)
    if axis is None:
        tensor, axis = reshape(tensor, -1), 0
    number = one_axis(BROADCAST_TO, tensor, axis)
    if is_int(repeats):
        _check_counts(tensor, [repeats], repeats)
        return _repeated(tensor, [(number, int(repeats))], before=False, name=name or "repeat")
    if is_tensor_like(repeats):
        return _repeated_in_run(tensor, as_tensor(repeats), number, name or "repeat")
    counts = list(repeats)
    _check_counts(tensor, counts, repeats)
    if len(counts) != dim_of(tensor, number):
        refuse(GATHER, (tensor,), Mismatch(
            f"there are {len(counts)} repeats for axis {number}",
            f"give an int, or one per entry of an axis whose size is known; "
            f"it is {format_dim(dim_of(tensor, number))}",
        ))  # fmt: skip
    places = np.repeat(np.arange(len(counts)), counts)
    return gather(tensor, places, number, name=name or "repeat")


def _repeated_in_run(x: Tensor, repeats: Tensor, axis: int, name: str) -> Tensor:
    """`x` with each entry of an axis as often as a tensor says."""
    if repeats.dtype not in dtypes.INTEGER or repeats.type.ndim not in (0, 1):
        refuse(GATHER, (x, repeats), Mismatch(
            f"repeats is {repeats.type}", "give an int scalar or an int vector, one per entry",
            error=DTypeError,
        ))  # fmt: skip
    known = constant_value(repeats)
    if known is not None:
        _check_counts(x, list(known.ravel()), known.tolist())
    have, want = dim_of(repeats, 0) if repeats.type.ndim else 1, dim_of(x, axis)
    if have != 1 and isinstance(have, int) and isinstance(want, int) and have != want:
        refuse(GATHER, (x, repeats), Mismatch(
            f"there are {have} repeats for axis {axis}", f"it has size {want}"
        ))  # fmt: skip
    with x.graph.as_default():
        counts = broadcast_to(cast_to(repeats, dtypes.int64), (size(x, axis),))
        negative = sum(cast_to(less(counts, 0), dtypes.int64))
        counts = maximum(counts, 0)
        ends = cumsum(counts, 0)
        # The entry that stands at a place is the first one that ends behind it. For each negative
        # number there is a place that belongs to no entry, which is an error of the run.
        places = searchsorted(ends, arange(sum(counts) + negative), "right")
        return gather(x, places, axis, name=name)


def _check_counts(x: Tensor, counts: list[Any], given: Any) -> None:
    if not all(is_int(count) and count >= 0 for count in counts):
        refuse(BROADCAST_TO, (x,), Mismatch(
            f"{given!r} are no numbers of repetitions", "give ints that are not negative"
        ))  # fmt: skip


def _repeated(x: Tensor, counts: list[tuple[int, int]], before: bool, name: str) -> Tensor:
    """`x` with axes repeated: as wholes if the new axis stands `before` the old, else entrywise."""
    ndim = known_rank(BROADCAST_TO, x)
    times = dict(counts)
    wide: list[Any] = []
    merged: list[Any] = []
    new: list[int] = []
    with x.graph.as_default():
        for axis in range(ndim):
            length, count = size(x, axis), int(times.get(axis, 1))
            if count == 1:
                wide.append(length)
                merged.append(length)
                continue
            new.append(len(wide) if before else len(wide) + 1)
            wide += [count, length] if before else [length, count]
            dim = dim_of(x, axis)
            merged.append(dim * count if isinstance(dim, int) else length * count)
        if not new:
            return identity(x, name=name)
        return reshape(broadcast_to(expand_dims(x, tuple(new)), wide), merged, name=name)
