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
    cast,
    constant_value,
    in_one_graph,
    is_tensor_like,
    promote,
    scalar,
)
from staticgraph.ops.creation import arange, zeros, zeros_like
from staticgraph.ops.cumulative import cumsum
from staticgraph.ops.elementwise import (
    clip,
    greater_equal,
    maximum,
    minimum,
    not_equal,
    remainder,
    where,
)
from staticgraph.ops.filling import in_dtype_of
from staticgraph.ops.indexing import FULL, SLICE, Range, gather
from staticgraph.ops.padding import STATISTICS, extended, pairs_of, ramped
from staticgraph.ops.reduction import any, max, min, sum
from staticgraph.ops.requiring import require
from staticgraph.ops.searching import searchsorted
from staticgraph.ops.shaping import (
    broadcast_to,
    expand_dims,
    flattened,
    permute_dims,
    reshape,
    reshape_like,
)
from staticgraph.ops.sizes import dim_of, is_int, read_sizes, refusal, size

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


@in_one_graph
def pad(
    x: Any,
    pad_width: Any,
    mode: str = "constant",
    constant_values: Any = None,
    *,
    end_values: Any = None,
    stat_length: Any = None,
    name: str | None = None,
) -> Tensor:
    """`x` with elements added at both ends of its axes.

    pad_width         ints: one for all ends, a pair (before, after) for all axes, or one pair per
                      axis
    mode              what the new elements are: ``"constant"``, one value; ``"edge"``, the nearest
                      element; ``"reflect"`` and ``"symmetric"``, those that a mirror on the last
                      element, or behind it, shows; ``"wrap"``, the axis over and over;
                      ``"linear_ramp"``, equal steps to an end value; ``"maximum"``, ``"minimum"``,
                      ``"mean"``, ``"median"`` of the elements at that end; ``"empty"``, zeros
    constant_values   the value of the new elements of ``"constant"``, 0 by default: a number or a
                      scalar tensor, to which derivatives flow; or a pair, or one pair per axis
    end_values        the outermost values of ``"linear_ramp"``, in the same manner
    stat_length       of how many elements at its end a statistic is: None for all, an int, a pair,
                      or one pair per axis

    Raises ShapeError for widths that are negative or do not fit the axes, for an argument of
    another mode, and for an empty axis of which other modes than ``"constant"`` have nothing to
    repeat. DTypeError for numbers that the dtype of `x` does not hold.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.pad(sg.constant([1, 2]), (1, 2)))
    array([0, 1, 2, 0, 0])
    """
    if mode not in _MODES:
        raise refusal("pad", f"mode={mode!r} is not there", f"give one of {_MODES}")
    _only_its_own(mode, constant_values, end_values, stat_length)
    constant_values = 0 if constant_values is None else constant_values
    end_values = 0 if end_values is None else end_values
    several = isinstance(constant_values, list | tuple | np.ndarray)
    if mode not in ("constant", "empty"):
        return _padded(as_tensor(x), pad_width, mode, end_values, stat_length, name or "pad")
    if several:
        return _with_values(as_tensor(x), pad_width, constant_values, name or "pad")
    if is_tensor_like(x) and not is_tensor_like(constant_values):
        tensor = as_tensor(x)
        with tensor.graph.as_default():
            value = in_dtype_of("pad", "constant_values", constant_values, tensor)
    else:
        tensor, value = promote((x, constant_values))
    width = _pad_width(tensor, pad_width)
    return tensor.graph.add(PAD, (tensor, value), {"width": width}, name).out


def _only_its_own(mode: str, constant_values: Any, end_values: Any, stat_length: Any) -> None:
    """Refuses arguments of which a mode of `pad` makes nothing."""
    for label, given, modes in (
        ("constant_values", constant_values, ("constant",)),
        ("end_values", end_values, ("linear_ramp",)),
        ("stat_length", stat_length, tuple(STATISTICS)),
    ):
        if given is not None and mode not in modes:
            raise refusal(
                "pad", f"mode={mode!r} takes no {label}",
                f"leave it away, or give mode={' or '.join(map(repr, modes))}",
            )  # fmt: skip


def _with_values(x: Tensor, pad_width: Any, values: Any, name: str) -> Tensor:
    """`x` with a value of its own at every end of every axis."""
    width = _pad_width(x, pad_width)
    pairs = pairs_of(x, "constant_values", values, "a number")
    for axis, (counts, given) in enumerate(zip(width, pairs, strict=True)):
        for after, (count, value) in enumerate(zip(counts, given, strict=True)):
            if count:
                one = [(0, 0)] * len(width)
                one[axis] = (0, count) if after else (count, 0)
                filler = in_dtype_of("pad", "constant_values", value, x)
                x = x.graph.add(PAD, (x, filler), {"width": tuple(one)}).out
    return identity(x, name=name)


# Where the element stands that is seen at a place before or behind an axis of some size.
_PLACES = {
    "edge": lambda place, count: clip(place, 0, count - 1),
    "wrap": lambda place, count: remainder(place, count),
    # Back and forth: the distance from the nearest turning point. An axis of one has none.
    "reflect": lambda place, count: _mirrored(place, maximum(2 * count - 2, 1), 0),
    "symmetric": lambda place, count: _mirrored(place, 2 * count, 1),
}


_MODES = ("constant", *_PLACES, "linear_ramp", *STATISTICS, "empty")


def _mirrored(place: Tensor, period: Tensor, gap: int) -> Tensor:
    within = remainder(place, period)
    return minimum(within, period - gap - within)


def _padded(
    x: Tensor, pad_width: Any, mode: str, end_values: Any, stat_length: Any, name: str
) -> Tensor:
    """`x` with elements of its own, or made of them, before and behind every axis."""
    width = _pad_width(x, pad_width)
    for axis, counts in enumerate(width):
        if counts != (0, 0) and dim_of(x, axis) == 0:
            refuse(PAD, (x,), Mismatch(
                f"axis {axis} is empty, so there is nothing to repeat",
                "mode='constant' needs nothing",
            ))  # fmt: skip
    with x.graph.as_default():
        if mode == "linear_ramp":
            return identity(ramped(x, width, end_values), name=name)
        if mode in STATISTICS:
            return identity(extended(x, width, mode, stat_length), name=name)
        for axis, (before, after) in enumerate(width):
            if not before and not after:
                continue
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
    ndim = known_rank("flip", tensor)
    axes = several_axes("flip", tensor, axis) or ()
    index = [(None, None, -1) if place in axes else FULL for place in range(ndim)]
    attrs = {"index": tuple(index), "shape": None}
    return tensor.graph.add(SLICE, (tensor,), attrs, name or "flip").out


def fliplr(x: Any, *, name: str | None = None) -> Tensor:
    """`x`, which has two axes or more, with the order of its columns (axis 1) reversed.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fliplr(sg.constant([[1, 2, 3]])))
    array([[3, 2, 1]])
    """
    tensor = as_tensor(x)
    _needs_axes("fliplr", tensor, 2)
    return flip(tensor, 1, name=name or "fliplr")


def flipud(x: Any, *, name: str | None = None) -> Tensor:
    """`x`, which has an axis or more, with the order of its rows (axis 0) reversed.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.flipud(sg.constant([[1, 2], [3, 4]])))
    array([[3, 4],
           [1, 2]])
    """
    tensor = as_tensor(x)
    _needs_axes("flipud", tensor, 1)
    return flip(tensor, 0, name=name or "flipud")


def rot90(x: Any, k: int = 1, axes: Any = (0, 1), *, name: str | None = None) -> Tensor:
    """`x` turned by 90 degrees `k` times, in the plane of two axes, from the first to the second.

    k      an int; a negative one turns the other way
    axes   two axes

    Raises ShapeError for axes that `x` does not have or that are not two.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.rot90(sg.constant([[1, 2], [3, 4]])))
    array([[2, 4],
           [1, 3]])
    """
    tensor = as_tensor(x)
    ndim, name = known_rank("rot90", tensor), name or "rot90"
    if not is_int(k):
        raise refusal("rot90", f"k={k!r} is no number of turns", "give an int")
    if not isinstance(axes, tuple | list) or len(axes) != 2:
        raise refusal("rot90", f"axes={axes!r} is no plane", "give two axes: axes=(0, 1)")
    first, second = [one_axis("rot90", tensor, axis) for axis in axes]
    if first == second:
        raise refusal("rot90", f"axes={axes!r} is no plane", "give two different axes")
    turns = int(k) % 4
    if turns == 0:
        return identity(tensor, name=name)
    if turns == 2:
        return flip(tensor, (first, second), name=name)
    order = list(range(ndim))
    order[first], order[second] = second, first
    if turns == 1:
        return permute_dims(flip(tensor, second), tuple(order), name=name)
    return flip(permute_dims(tensor, tuple(order)), second, name=name)


def _needs_axes(what: str, x: Tensor, wanted: int) -> None:
    ndim = known_rank(what, x)
    if ndim < wanted:
        refuse(what, (x,), Mismatch(
            f"'{x.name}' has {ndim} axes", f"it must have {wanted}; sg.flip names the axis"
        ))  # fmt: skip


@in_one_graph
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
    number = one_axis("roll", tensor, axis)
    with tensor.graph.as_default():
        count = size(tensor, number)
        places = remainder(arange(count) - cast(shift, dtypes.int64), count)
    return gather(tensor, places, number, name=name or "roll")


def _rolled(x: Tensor, shift: Any, axes: list[Any], name: str) -> Tensor:
    """`x` rolled along one axis after the other."""
    shifts = list(shift) if isinstance(shift, tuple | list) else [shift] * len(axes)
    if len(shifts) != len(axes):
        refuse("roll", (x,), Mismatch(
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
    _check_counts("tile", tensor, counts, repetitions)
    ndim = known_rank("tile", tensor)
    if len(counts) > ndim:
        tensor = expand_dims(tensor, tuple(range(len(counts) - ndim)))
        ndim = len(counts)
    counts = [1] * (ndim - len(counts)) + counts
    return _repeated(tensor, list(enumerate(counts)), before=True, name=name or "tile")


@in_one_graph
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
    number = one_axis("repeat", tensor, axis)
    if is_int(repeats):
        _check_counts("repeat", tensor, [repeats], repeats)
        return _repeated(tensor, [(number, int(repeats))], before=False, name=name or "repeat")
    if is_tensor_like(repeats):
        return _repeated_in_run(tensor, as_tensor(repeats), number, name or "repeat")
    counts = list(repeats)
    _check_counts("repeat", tensor, counts, repeats)
    if len(counts) != dim_of(tensor, number):
        refuse("repeat", (tensor,), Mismatch(
            f"there are {len(counts)} repeats for axis {number}",
            f"give an int, or one per entry of an axis whose size is known; "
            f"it is {format_dim(dim_of(tensor, number))}",
        ))  # fmt: skip
    places = np.repeat(np.arange(len(counts)), counts)
    return gather(tensor, places, number, name=name or "repeat")


def _repeated_in_run(x: Tensor, repeats: Tensor, axis: int, name: str) -> Tensor:
    """`x` with each entry of an axis as often as a tensor says."""
    if repeats.dtype not in dtypes.INTEGER or repeats.type.ndim not in (0, 1):
        refuse("repeat", (x, repeats), Mismatch(
            f"repeats is {repeats.type}", "give an int scalar or an int vector, one per entry",
            error=DTypeError,
        ), ("x", "repeats"))  # fmt: skip
    known = constant_value(repeats)
    if known is not None:
        _check_counts("repeat", x, list(known.ravel()), known.tolist())
    have, want = dim_of(repeats, 0) if repeats.type.ndim else 1, dim_of(x, axis)
    if have != 1 and isinstance(have, int) and isinstance(want, int) and have != want:
        refuse("repeat", (x, repeats), Mismatch(
            f"there are {have} repeats for axis {axis}", f"it has size {want}"
        ), ("x", "repeats"))  # fmt: skip
    with x.graph.as_default():
        if known is None:
            repeats = require(
                repeats, greater_equal(repeats, 0), "repeat", "a number of repetitions is negative",
                "give ints that are not negative", repeats=repeats,
            )  # fmt: skip
        counts = broadcast_to(cast(repeats, dtypes.int64), (size(x, axis),))
        ends = cumsum(counts, 0)
        # The entry that stands at a place is the first one that ends behind it.
        places = searchsorted(ends, arange(sum(counts)), "right")
        return gather(x, places, axis, name=name)


def _check_counts(what: str, x: Tensor, counts: list[Any], given: Any) -> None:
    if not all(is_int(count) and count >= 0 for count in counts):
        refuse(what, (x,), Mismatch(
            f"{given!r} are no numbers of repetitions", "give ints that are not negative"
        ))  # fmt: skip


def _repeated(x: Tensor, counts: list[tuple[int, int]], before: bool, name: str) -> Tensor:
    """`x` with axes repeated: as wholes if the new axis stands `before` the old, else entrywise."""
    ndim = known_rank("repeat", x)
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


def resize(x: Any, new_shape: Any, *, name: str | None = None) -> Tensor:
    """The elements of `x`, in row-major order and over and over, in another shape.

    new_shape   an int, a sequence of ints and scalar int tensors, or an int64 vector tensor

    Where `x` has no elements the result is zeros. Raises ShapeError for what is no shape.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.resize(sg.constant([1, 2, 3]), (2, 2)))
    array([[1, 2],
           [3, 1]])
    """
    tensor = as_tensor(x)
    name = name or "resize"
    read_sizes("resize", new_shape)
    with tensor.graph.as_default():
        whole = zeros(new_shape, tensor.dtype, name=name)
        if tensor.type.size == 0:
            return whole
        flat = flattened(tensor)
        places = remainder(arange(size(whole)), maximum(size(flat, 0), 1))
        if not isinstance(tensor.type.size, int):
            # An element more makes the place of the first one be there.
            flat = pad(flat, (0, 1))
        return reshape_like(gather(flat, places), whole)


def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None, *, name: str | None = None) -> Tensor:
    """`filt` without the zeros at its ends.

    trim   ``"f"``: in front; ``"b"``: at the back; ``"fb"``: both
    axis   one axis or several; None for all. Of several axes that part goes in which all is 0

    Only the run knows the size of the result. Derivatives flow to what is left. Raises ShapeError
    for another `trim`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.trim_zeros(sg.constant([0, 0, 1, 0, 2, 0])))
    array([1, 0, 2])
    """
    front, back = "f" in str(trim).lower(), "b" in str(trim).lower()
    if not isinstance(trim, str) or not 0 < len(trim) < 3 or set(trim.lower()) - {"f", "b"}:
        raise refusal("trim_zeros", f"trim={trim!r} names no ends", "give 'f', 'b' or 'fb'")
    tensor = as_tensor(filt)
    ndim = known_rank("trim_zeros", tensor)
    axes = several_axes("trim_zeros", tensor, axis) or ()
    there = not_equal(tensor, False if tensor.dtype == dtypes.bool_ else 0)
    index: list[Any] = [slice(None)] * ndim
    with tensor.graph.as_default():
        for number in axes:
            others = tuple([other for other in range(ndim) if other != number])
            row = any(there, others) if others else there
            count = size(row, 0)
            places = arange(count)
            start = min(where(row, places, count), initial=np.iinfo(np.int64).max)
            stop = max(where(row, places, -1), initial=-1) + 1
            begin = minimum(start, count) if front else None
            index[number] = slice(
                begin, maximum(stop, 0 if begin is None else begin) if back else None
            )
        return identity(tensor[tuple(index)] if axes else tensor, name=name or "trim_zeros")
