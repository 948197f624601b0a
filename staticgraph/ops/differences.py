"""Neighbours along an axis: differences, running totals with a start, integrals, interpolation.

All of it is made of slices, cumulative ops and searches, so derivatives come with those.
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import format_shape
from staticgraph.errors import DTypeError
from staticgraph.ops import elementwise as ew
from staticgraph.ops.arranging import flip, pad
from staticgraph.ops.axes import known_rank, one_axis, refuse
from staticgraph.ops.complex import conjugated
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast, constant_value, in_one_graph, promote
from staticgraph.ops.creation import arange, zeros
from staticgraph.ops.cumulative import cumprod, cumsum
from staticgraph.ops.filling import in_dtype_of
from staticgraph.ops.indexing import FULL, GATHER, SLICE, Range
from staticgraph.ops.joining import concat
from staticgraph.ops.linalg import matmul
from staticgraph.ops.reduction import sum
from staticgraph.ops.requiring import require
from staticgraph.ops.searching import searchsorted
from staticgraph.ops.shaping import broadcast_to, expand_dims, reshape
from staticgraph.ops.sizes import as_bool, dim_of, is_int, refusal, size, size_or_dim
from staticgraph.ops.sorting import argsort


def part(x: Tensor, axis: int, start: int | None, stop: int | None) -> Tensor:
    """A range of one axis of `x`."""
    ndim = known_rank(SLICE, x)
    index: list[Range] = [(start, stop, 1) if a == axis else FULL for a in range(ndim)]
    return x.graph.add(SLICE, (x,), {"index": tuple(index), "shape": None}).out


# -- differences ------------------------------------------------------------------------------


@in_one_graph
def diff(
    x: Any,
    n: int = 1,
    axis: int = -1,
    prepend: Any = None,
    append: Any = None,
    *,
    name: str | None = None,
) -> Tensor:
    """Differences of neighbours along `axis`, ``x[i + 1] - x[i]``, taken `n` times.

    n                 how often, an int from 0
    prepend, append   what is put before and behind `x` first: of its shape but for `axis`, or a
                      scalar

    Of bools the difference is whether they differ. The axis is shorter by `n`, down to 0. Raises
    ShapeError for an axis that `x` does not have, and for a scalar.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.diff(sg.constant([1.0, 4.0, 9.0])))
    array([3., 5.], dtype=float32)
    """
    if not is_int(n) or n < 0:
        raise refusal("diff", f"n={n!r} is no number of times", "give an int from 0")
    ends = [end for end in (prepend, append) if end is not None]
    tensor, *given = promote((x, *ends))
    number = one_axis("diff", tensor, axis)
    extended = [_end(tensor, end, number) for end in given]
    if extended:
        before = extended[:1] if prepend is not None else []
        behind = extended[-1:] if append is not None else []
        tensor = concat([*before, tensor, *behind], number)
    for time in range(int(n)):
        later, earlier = part(tensor, number, 1, None), part(tensor, number, None, -1)
        function = ew.not_equal if tensor.dtype == dtypes.bool_ else ew.subtract
        tensor = function(later, earlier, name=(name or "diff") if time == n - 1 else None)
    return tensor


@in_one_graph
def ediff1d(x: Any, to_end: Any = None, to_begin: Any = None, *, name: str | None = None) -> Tensor:
    """Differences of neighbours among the elements of `x` flattened.

    to_end, to_begin   what is put behind and before them, in the dtype of `x`

    Raises DTypeError for ends of another kind than `x`, as floats beside ints are, and for numbers
    that its dtype does not hold.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.ediff1d(sg.constant([1.0, 4.0, 9.0]), to_begin=0.0))
    array([0., 3., 5.], dtype=float32)
    """
    given = as_tensor(x)
    row = diff(reshape(given, (-1,)))
    with row.graph.as_default():
        ends = [
            None if end is None else reshape(_of_kind(given, label, end), (-1,))
            for label, end in (("to_begin", to_begin), ("to_end", to_end))
        ]
        parts = [end for end in (ends[0], row, ends[1]) if end is not None]
        joined = concat(parts) if len(parts) > 1 else row
        return identity(joined, name=name or "ediff1d")


def _of_kind(x: Tensor, label: str, end: Any) -> Tensor:
    """What is put at an end of a row, in the dtype of `x`; it must be of a kind that fits it."""
    given = as_tensor(end, x.graph)
    if not np.can_cast(given.dtype, x.dtype, "same_kind"):
        refuse("ediff1d", (x, given), Mismatch(
            f"{label} is {dtypes.name(given.dtype)}, which does not become "
            f"{dtypes.name(x.dtype)} without loss",
            "convert one of them yourself: sg.cast(x, dtype)", error=DTypeError,
        ), ("x", label))  # fmt: skip
    return in_dtype_of("ediff1d", label, end, x)


def _end(x: Tensor, end: Tensor, axis: int) -> Tensor:
    """What is put at an end of an axis; a scalar is repeated along the others."""
    if end.type.ndim != 0:
        return end
    with x.graph.as_default():
        shape = [1 if a == axis else size_or_dim(x, a) for a in range(known_rank(SLICE, x))]
        return broadcast_to(end, shape)


# -- running totals ---------------------------------------------------------------------------


def cumulative_sum(
    x: Any,
    *,
    axis: int | None = None,
    dtype: Any = None,
    include_initial: bool = False,
    name: str | None = None,
) -> Tensor:
    """Sums of the elements of `x` up to and including each, along `axis`.

    axis              an int; it may be left out where `x` has one axis
    dtype             the dtype to add up in; by default that of `x`, or int64 (uint64) for narrower
                      integers
    include_initial   begin with the sum of nothing, 0; the axis is longer by one then

    Raises ShapeError for an axis that `x` does not have, or that is left out where there are
    several. `cumsum` has NumPy's manners.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.cumulative_sum(sg.constant([1.0, 2.0, 3.0]), include_initial=True))
    array([0., 1., 3., 6.], dtype=float32)
    """
    return _cumulative("cumulative_sum", x, axis, dtype, include_initial, name)


def cumulative_prod(
    x: Any,
    *,
    axis: int | None = None,
    dtype: Any = None,
    include_initial: bool = False,
    name: str | None = None,
) -> Tensor:
    """Products of the elements of `x` up to and including each, along `axis`.

    With `include_initial` they begin with the product of nothing, 1. The derivative is right where
    elements are 0. Otherwise as `cumulative_sum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.cumulative_prod(sg.constant([2.0, 3.0]), include_initial=True))
    array([1., 2., 6.], dtype=float32)
    """
    return _cumulative("cumulative_prod", x, axis, dtype, include_initial, name)


def _cumulative(
    what: str, x: Any, axis: int | None, dtype: Any, include_initial: bool, name: str | None
) -> Tensor:
    name = name or what
    tensor = as_tensor(x)
    ndim = known_rank(what, tensor)
    if axis is None and ndim != 1:
        refuse(what, (tensor,), Mismatch(
            f"x has {ndim} axes, and none is named",
            "give axis=...; sg.reshape(x, -1) flattens" if ndim else "sg.reshape(x, 1) adds one",
        ))  # fmt: skip
    number = one_axis(what, tensor, 0 if axis is None else axis)
    adds = what == "cumulative_sum"
    function = cumsum if adds else cumprod
    if not as_bool(what, "include_initial", include_initial):
        return function(tensor, number, dtype=dtype, name=name)
    result = function(tensor, number, dtype=dtype)
    width = [(1, 0) if a == number else (0, 0) for a in range(ndim)]
    return pad(result, width, constant_values=0 if adds else 1, name=name)


# -- integrals --------------------------------------------------------------------------------


@in_one_graph
def trapezoid(
    y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, *, name: str | None = None
) -> Tensor:
    """The integral of `y` along `axis` by the trapezoidal rule.

    x    the places of the samples: a vector, or of the shape of `y`; by default they are `dx` apart

    Raises ShapeError for an axis that `y` does not have.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.trapezoid(sg.constant([1.0, 2.0, 3.0])))
    np.float32(4.0)
    """
    if x is None:
        (values,) = promote((y,), floating=True)
        widths: Any = dx
        number = one_axis("trapezoid", values, axis)
    else:
        values, places = promote((y, x), floating=True)
        number = one_axis("trapezoid", values, axis)
        if places.type.ndim == 1:
            behind = known_rank(SLICE, values) - 1 - number
            widths = diff(places)
            widths = expand_dims(widths, tuple(range(1, 1 + behind))) if behind else widths
        else:
            widths = diff(places, axis=number)
    pairs = part(values, number, 1, None) + part(values, number, None, -1)
    return sum(pairs * widths * 0.5, number, name=name or "trapezoid")


# -- interpolation ----------------------------------------------------------------------------


@in_one_graph
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The values at `x` of the function that runs straight from each point (xp, fp) to the next.

    x             values of any shape
    xp, fp        vectors of one size; `xp` ascends
    left, right   the values before the first and behind the last point; those points' by default
    period        after so much the function repeats; `xp` may then stand in any order, and `left`
                  and `right` have no meaning

    Derivatives flow to `x`, `xp` and `fp`; at a point itself the slope is that of the piece behind
    it. NaN in `x` gives NaN. Raises ShapeError for points that are no vectors, or vectors
    that are known to differ in size, or an `xp` that is known to descend somewhere; one that only
    the run knows is an error of the run.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.interp(sg.constant([1.5, 9.0]), [1.0, 2.0, 3.0], [10.0, 20.0, 40.0]))
    array([15., 40.], dtype=float32)
    """
    at, places, values = promote((x, xp, fp), floating=True)
    for given, label in ((places, "xp"), (values, "fp")):
        if given.type.ndim != 1:
            refuse("interp", (given,), Mismatch(
                f"{label} has shape {format_shape(given.type.shape)}", "give vectors"
            ), (label,))  # fmt: skip
    have, want = dim_of(values, 0), dim_of(places, 0)
    if isinstance(have, int) and isinstance(want, int) and have != want:
        raise refusal(
            "interp", f"there are {want} places xp and {have} values fp", "give one value per place"
        )
    with at.graph.as_default():
        if period is not None:
            at, places, values = _within_period(at, places, values, period)
            left = right = None
        else:
            places = _ascending(places)
        last = size(places, 0) - 1
        behind = ew.clip(searchsorted(places, at, side="right"), 1, ew.maximum(last, 1))
        behind = ew.minimum(behind, last)
        before = ew.maximum(behind - 1, 0)
        x0, x1, y0, y1 = [_at(row, i) for row in (places, values) for i in (before, behind)]
        width = x1 - x0
        flat = ew.equal(width, 0)
        step = ew.where(flat, 0.0, (at - x0) / ew.where(flat, 1.0, width))
        result = y0 + step * (y1 - y0)
        first, end = _at(values, ew.multiply(last, 0)), _at(values, last)
        low = first if left is None else in_dtype_of("interp", "left", left, at)
        high = end if right is None else in_dtype_of("interp", "right", right, at)
        result = ew.where(at < _at(places, ew.multiply(last, 0)), low, result)
        # At the last point itself the value is its own, whatever lies behind.
        result = ew.where(ew.equal(at, _at(places, last)), end, result)
        return ew.where(at > _at(places, last), high, result, name=name or "interp")


def _within_period(
    at: Tensor, places: Tensor, values: Tensor, period: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """What is interpolated in one period, with a point of the next one at either end."""
    given = as_tensor(period, at.graph)
    if given.type.ndim != 0:
        refuse("interp", (given,), Mismatch(
            f"period has shape {format_shape(given.type.shape)}", "give one number"
        ), ("period",))  # fmt: skip
    length = ew.abs(in_dtype_of("interp", "period", period, at))
    nonzero = ew.not_equal(length, 0)
    length = require(length, nonzero, "interp", "period is 0", "give another number")
    at, places = ew.remainder(at, length), ew.remainder(places, length)
    order = argsort(places)
    places, values = _at(places, order), _at(values, order)
    places = concat([part(places, 0, -1, None) - length, places, part(places, 0, 0, 1) + length])
    return at, places, concat([part(values, 0, -1, None), values, part(values, 0, 0, 1)])


def _ascending(places: Tensor) -> Tensor:
    """The places of the points, which ascend."""
    problem, way_out = "xp does not ascend", "sort the points by xp: sg.argsort(xp) orders both"
    known = constant_value(places)
    if known is None:
        rises = ew.greater_equal(part(places, 0, 1, None), part(places, 0, None, -1))
        return require(places, rises, "interp", problem, way_out, xp=places)
    if not bool((known[1:] >= known[:-1]).all()):
        raise refusal("interp", problem, way_out)
    return places


def _at(row: Tensor, index: Tensor) -> Tensor:
    return row.graph.add(GATHER, (row, index), {"axes": (0,)}).out


# -- convolution ------------------------------------------------------------------------------


def convolve(a: Any, v: Any, mode: str = "full", *, name: str | None = None) -> Tensor:
    """The convolution of two vectors, ``sum_j a[j] * v[i - j]``.

    mode   ``"full"``: at every shift at which they meet; ``"same"``: as many as the longer one
           has, from the middle; ``"valid"``: where the shorter one lies within the longer

    The shorter one is slid over the other one: a product of windows with it, fine for filters; for
    two long ones multiply spectra. Where a vector ends, nothing is added, whatever the other one
    holds: an infinite element counts only where it meets one. Raises ShapeError for what is no
    vector, or is known to have no elements.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.convolve(sg.constant([1.0, 2.0, 3.0]), [1.0, 1.0]))
    array([1., 3., 5., 3.], dtype=float32)
    """
    if mode not in ("full", "same", "valid"):
        raise refusal("convolve", f"mode={mode!r} is not there", "give 'full', 'same' or 'valid'")
    long, short = promote((a, v))
    for given, label in ((long, "a"), (short, "v")):
        if given.type.ndim != 1 or dim_of(given, 0) == 0:
            refuse("convolve", (given,), Mismatch(
                f"{label} has shape {format_shape(given.type.shape)}",
                "give vectors with elements; sg.reshape(x, -1) flattens",
            ), (label,))  # fmt: skip
    lengths = [dim_of(long, 0), dim_of(short, 0)]
    if not (isinstance(lengths[0], int) and isinstance(lengths[1], int)):
        return _convolved_in_run(long, short, mode, name or "convolve")
    if lengths[1] > lengths[0]:
        long, short = short, long
    taps = dim_of(short, 0)
    assert isinstance(taps, int)
    edge = {"full": (taps - 1, taps - 1), "valid": (0, 0),
            "same": (taps // 2, (taps - 1) // 2)}[mode]  # fmt: skip
    padded = pad(long, [edge])
    total = dim_of(padded, 0)
    assert isinstance(total, int)
    count = builtins.max(total - (taps - 1), 0)
    shifted = [part(padded, 0, shift, shift + count) for shift in range(taps)]
    turned = flip(short, 0)
    windows = concat([expand_dims(row, 1) for row in shifted], 1)
    with long.graph.as_default():
        before, behind = (
            (edge[0], total - edge[1]) if long.dtype in dtypes.DIFFERENTIABLE else (0, total)
        )
        if (before, behind) == (0, total):
            return matmul(windows, turned, name=name or "convolve")
        starts = expand_dims(arange(count), 1)
        return _met(windows, turned, starts + arange(taps), before, behind, name or "convolve")


def _met(
    windows: Tensor, turned: Tensor, place: Tensor, begin: Any, end: Any, name: str | None
) -> Tensor:
    """The products of windows with a vector, of elements whose place is in a range alone.

    The zeros outside of it would make NaN of what is infinite.
    """
    dtype = windows.dtype
    if dtype in dtypes.HALF:
        windows, turned = cast(windows, dtypes.float32), cast(turned, dtypes.float32)
    inside = ew.logical_and(ew.greater_equal(place, begin), ew.less(place, end))
    total = sum(ew.where(inside, windows * turned, 0), 1)
    return cast(total, dtype, name) if total.dtype != dtype else identity(total, name=name)


def _convolved_in_run(a: Tensor, v: Tensor, mode: str, name: str) -> Tensor:
    """A convolution of vectors of which only the run knows which is longer."""
    with a.graph.as_default():
        first, second = size(a, 0), size(v, 0)
        edge = zeros((second - 1,), a.dtype)
        padded = concat([edge, a, edge])
        starts = expand_dims(arange(first + second - 1), 1)
        place = starts + arange(second)
        windows = padded.graph.add(GATHER, (padded, place), {"axes": (0,)}).out
        if a.dtype in dtypes.DIFFERENTIABLE:
            whole = _met(windows, flip(v, 0), place, second - 1, first + second - 1, None)
        else:
            whole = matmul(windows, flip(v, 0))
        if mode == "full":
            return identity(whole, name=name)
        shorter, longer = ew.minimum(first, second), ew.maximum(first, second)
        if mode == "same":
            begin = ew.floor_divide(shorter - 1, 2)
            return identity(whole[begin : begin + longer], name=name)
        return identity(whole[shorter - 1 : longer], name=name)


def correlate(a: Any, v: Any, mode: str = "valid", *, name: str | None = None) -> Tensor:
    """The correlation of two vectors, ``sum_n a[n + k] * conj(v[n])`` for every shift k.

    For the modes and errors see `convolve`; NumPy's default is another one here.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.correlate(sg.constant([1.0, 2.0, 3.0]), [0.0, 1.0, 0.5]))
    array([3.5], dtype=float32)
    """
    if mode not in ("full", "same", "valid"):
        raise refusal("correlate", f"mode={mode!r} is not there", "give 'full', 'same' or 'valid'")
    first, second = promote((a, v))
    for given, label in ((first, "a"), (second, "v")):
        if given.type.ndim != 1 or dim_of(given, 0) == 0:
            refuse("correlate", (given,), Mismatch(
                f"{label} has shape {format_shape(given.type.shape)}",
                "give vectors with elements; sg.reshape(x, -1) flattens",
            ), (label,))  # fmt: skip
    second = conjugated(second)
    lengths = (dim_of(first, 0), dim_of(second, 0))
    forth = convolve(first, flip(second, 0), mode)
    if mode == "same" and not (isinstance(lengths[0], int) and isinstance(lengths[1], int)):
        # The middle of a convolution is another one where the second vector is the longer one.
        back = flip(convolve(second, flip(first, 0), mode), 0)
        longer = ew.greater(size(second, 0), size(first, 0))
        return ew.where(longer, back, forth, name=name or "correlate")
    if mode == "same" and lengths[1] > lengths[0]:  # type: ignore[operator]
        forth = flip(convolve(second, flip(first, 0), mode), 0)
    return identity(forth, name=name or "correlate")
