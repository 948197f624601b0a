"""Histograms in one and several dimensions, and the bins that values lie in.

The number of a value's bin comes from a search in the edges, or from a division where bins have
equal width; the bins are counted, and weights add up in them with derivatives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import format_shape
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction as reduce
from staticgraph.ops.arranging import flip
from staticgraph.ops.axes import known_rank, refuse
from staticgraph.ops.control import identity
from staticgraph.ops.convert import (
    as_tensor,
    cast,
    in_one_graph,
    is_tensor_like,
    known_value,
    promote,
    real_floating,
)
from staticgraph.ops.creation import linspace
from staticgraph.ops.differences import diff, part
from staticgraph.ops.filling import in_dtype_of
from staticgraph.ops.indexing import gather
from staticgraph.ops.joining import unstack
from staticgraph.ops.requiring import require
from staticgraph.ops.searching import searchsorted
from staticgraph.ops.segments import bincount
from staticgraph.ops.shaping import expand_dims, flattened, permute_dims, reshape
from staticgraph.ops.sizes import as_bool, dim_of, is_int, refusal, size, size_or_dim

_SORTED = "sg.sort(bins) brings them into order"


def _rising(row: Tensor) -> Tensor:
    """Whether each element of a vector is at least the one before; NaN is never."""
    return ew.greater_equal(part(row, 0, 1, None), part(row, 0, None, -1))


# -- the bins of values -----------------------------------------------------------------------


def digitize(x: Any, bins: Any, right: bool = False, *, name: str | None = None) -> Tensor:
    """For each element of `x` the number of the bin it lies in, int64, as in NumPy.

    bins    a vector of edges in ascending or in descending order
    right   a bin holds its upper edge instead of its lower one

    Raises ShapeError for edges that are no vector, or that are known now to be in no order; those
    of the run are an error of the run.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.digitize(sg.constant([0.5, 1.0, 9.0]), [0.0, 1.0, 2.0]))
    array([1, 2, 3])
    """
    side = "left" if as_bool("digitize", "right", right) else "right"
    row, values = promote((bins, x))
    _check_vector("digitize", row)
    edges = known_value(row)
    problem = "the bins are in no order"
    if edges is not None:
        rises = not np.any(edges[1:] < edges[:-1])
        if rises:
            return searchsorted(row, values, side, name=name or "digitize")
        if np.any(edges[1:] > edges[:-1]):
            raise refusal("digitize", problem, _SORTED)
        below = searchsorted(flip(row, 0), values, side)
        return ew.subtract(len(edges), below, name=name or "digitize")
    with row.graph.as_default():
        turned = flip(row, 0)
        rising = reduce.all(_rising(row))
        ordered = ew.logical_or(rising, reduce.all(_rising(turned)))
        row = require(row, ordered, "digitize", problem, _SORTED, bins=row)
        place = searchsorted(ew.where(rising, row, turned), values, side)
        return ew.where(rising, place, size(row, 0) - place, name=name or "digitize")


def _check_vector(what: str, edges: Tensor) -> None:
    if edges.type.ndim != 1:
        refuse(what, (edges,), Mismatch(
            f"the edges have shape {format_shape(edges.type.shape)}", "give a vector"
        ), ("bins",))  # fmt: skip


# -- edges ------------------------------------------------------------------------------------


def _is_listed(value: Any) -> bool:
    """Whether it has entries: a list or a tuple, or an array with axes."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, list | tuple)


def _edges(what: str, values: Tensor, bins: Any, range: Any) -> tuple[Tensor, Any]:
    """The edges of the bins and how many bins there are."""
    if isinstance(bins, str):
        raise refusal(what, f"bins={bins!r} is not there", "give a number or the edges")
    if not is_int(bins):
        if not is_tensor_like(bins) and not _is_listed(bins):
            raise refusal(
                what, f"bins={bins!r} is no number of bins", "give an int from 1, or the edges"
            )
        return _given_edges(what, values, bins)
    if bins < 1:
        raise refusal(what, f"bins={bins} is no number of bins", "give an int from 1")
    if range is None:
        if dim_of(values, 0) == 0:
            refuse(what, (values,), Mismatch(
                "of no elements there is no smallest and no largest", "give range=(low, high)"
            ))  # fmt: skip
        if not isinstance(dim_of(values, 0), int):
            values = require(
                values, ew.greater(size(values, 0), 0), what,
                "of no elements there is no smallest and no largest", "give range=(low, high)",
            )  # fmt: skip
        low, high = reduce.min(values), reduce.max(values)
        finite = ew.logical_and(ew.isfinite(low), ew.isfinite(high))
        low = require(
            low, finite, what, "the elements are not all finite",
            "give range=(low, high) or the edges; what lies outside is not counted",
            smallest=low, largest=high,
        )  # fmt: skip
    else:
        low, high = _ends(what, values, range)
    same = ew.equal(low, high)
    low, high = ew.where(same, low - 0.5, low), ew.where(same, high + 0.5, high)
    return linspace(low, high, int(bins) + 1), int(bins)


def _given_edges(what: str, values: Tensor, bins: Any) -> tuple[Tensor, Any]:
    edges = promote((values, bins))[1]
    _check_vector(what, edges)
    known, problem = known_value(edges), "the edges do not ascend"
    if known is None:
        edges = require(edges, _rising(edges), what, problem, _SORTED, bins=edges)
    elif np.any(known[1:] < known[:-1]):
        raise refusal(what, problem, _SORTED)
    return edges, size_or_dim(edges, 0) - 1


def _ends(what: str, values: Tensor, range: Any) -> tuple[Tensor, Tensor]:
    """The lower and the upper end of a range that a user gives."""
    problem, way_out = f"range={range!r} is no range", "give the lower edge, then the upper"
    if not _is_listed(range) or len(range) != 2:
        raise refusal(what, problem, way_out)
    low, high = [in_dtype_of(what, "range", end, values) for end in range]
    bottom, top = known_value(low), known_value(high)
    infinite = f"is not finite in {dtypes.name(values.dtype)}"
    if bottom is None or top is None:
        fits = ew.less_equal(low, high)
        finite = ew.logical_and(ew.isfinite(low), ew.isfinite(high))
        problem = "the range ends before it begins"
        low = require(low, fits, what, problem, way_out, low=low, high=high)
        low = require(
            low, finite, what, f"the range {infinite}", "give finite ends", low=low, high=high
        )
        return low, high
    if not np.all(bottom <= top):
        raise refusal(what, problem, way_out)
    with np.errstate(over="ignore"):
        ends = [end.astype(values.dtype) for end in (bottom, top)]
    if not all(bool(np.all(np.isfinite(end.astype(np.float64)))) for end in ends):
        raise refusal(what, f"range={range!r} {infinite}", "give finite ends")
    return low, high


@in_one_graph
def histogram_bin_edges(
    x: Any, bins: Any = 10, range: tuple[Any, Any] | None = None, *, name: str | None = None
) -> Tensor:
    """The edges of the bins that `histogram` counts in; for the arguments and errors see there.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.histogram_bin_edges(sg.constant([0.0, 1.0, 4.0]), 2))
    array([0., 2., 4.], dtype=float32)
    """
    values = real_floating(flattened(as_tensor(x)))
    with values.graph.as_default():
        edges = _edges("histogram_bin_edges", values, bins, range)[0]
        return identity(edges, name=name or "histogram_bin_edges")


# -- counts -----------------------------------------------------------------------------------


@in_one_graph
def histogram(
    x: Any,
    bins: Any = 10,
    range: tuple[Any, Any] | None = None,
    density: bool | None = False,
    weights: Any = None,
    *,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """How many elements of `x` lie in each bin, and the edges of the bins.

    bins      an int, the number of bins of equal width; or a vector of edges that ascend
    range     the lower edge of the first bin and the upper one of the last: finite numbers or
              scalar tensors; by default the smallest and the largest element
    density   divide by the number of elements and the width, so that the integral is 1; of half
              precision in float32, rounded once; None is False
    weights   one per element: their sums instead of numbers; derivatives flow to them

    A bin holds its lower edge; the last one holds both. What lies outside, and NaN, is not counted.
    Gives ``(counts, edges)``; counts are int64, or of the dtype of the weights. Of no elements
    `range` must be given, and of elements that are not finite. Raises ShapeError for edges or a
    range that are known now to descend, or an infinite range; those of the run are errors of the
    run.

    >>> import staticgraph as sg
    >>> counts, edges = sg.histogram(sg.constant([0.5, 1.5, 1.75, 2.0]), 2, range=(0.0, 2.0))
    >>> sg.Session().run([counts, edges])
    [array([1, 3]), array([0., 1., 2.], dtype=float32)]
    """
    density = density is not None and as_bool("histogram", "density", density)
    values = real_floating(flattened(as_tensor(x)))
    with values.graph.as_default():
        edges, count = _edges("histogram", values, bins, range)
        number = _numbers(values, edges, bins, count)
        wide = _wide(edges.dtype)
        total = bincount(number, _given_weights(weights, density), length=count + 1)
        counts = part(total, 0, None, -1)
        if density:
            counts = cast(counts, wide)
            share = counts / (diff(cast(edges, wide)) * reduce.sum(counts))
            counts = cast(share, edges.dtype)
        return identity(counts, name=name or "histogram"), edges


def _wide(dtype: dtypes.DType) -> dtypes.DType:
    """The dtype in which a density is computed: half precision holds no large number of points."""
    return dtypes.float32 if dtype in dtypes.HALF else dtype


def _given_weights(weights: Any, density: bool) -> Tensor | None:
    """The weights in a row, of a dtype in which they can be added up for a density."""
    if weights is None:
        return None
    row = flattened(as_tensor(weights))
    return cast(row, _wide(row.dtype)) if density else row


def _numbers(values: Tensor, edges: Tensor, bins: Any, count: Any) -> Tensor:
    """The number of the bin in which each value lies; `count` where it is in none."""
    if is_int(bins):
        return _number_of_equal_bin(values, edges, int(bins))
    number = searchsorted(edges, values, "right") - 1
    number = ew.where(ew.equal(values, gather(edges, -1)), count - 1, number)
    # What is in no bin is counted in one more, behind the last.
    return ew.where(ew.less(number, 0), count, number)


def _number_of_equal_bin(values: Tensor, edges: Tensor, count: int) -> Tensor:
    """The number of the bin of equal width in which each value lies; `count` where it is in none.

    The quotient of distance and width may be off by one at an edge; the edges themselves decide.
    """
    low, high = gather(edges, 0), gather(edges, -1)
    inside = ew.logical_and(ew.greater_equal(values, low), ew.less_equal(values, high))
    share = ew.where(inside, (values - low) / (high - low), 0.0)
    number = ew.minimum(cast(share * count, dtypes.int64), count - 1)
    number = number - cast(ew.less(values, gather(edges, number)), dtypes.int64)
    number = ew.maximum(number, 0)
    beyond = ew.greater_equal(values, gather(edges, number + 1))
    number = ew.minimum(number + cast(beyond, dtypes.int64), count - 1)
    return ew.where(inside, number, count)


@in_one_graph
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: bool | None = False,
    weights: Any = None,
    *, name: str | None = None,
) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
    """How many points lie in each cell of a grid, and the edges of the grid's axes.

    sample    a matrix with a point per row, or a list with a vector per coordinate
    bins      an int for every axis of the grid, or a list with an int or a vector of edges for each
    range     None, or a list with a pair of ends, or None, for each axis of the grid
    density   divide by the number of points and the volume of the cell, so that the integral is 1
    weights   one per point: their sums instead of numbers; derivatives flow to them

    The counts have one axis per coordinate, are float64 as in NumPy, or of the dtype of the
    weights. What `histogram` says of bins, NaN and errors holds along each axis.

    >>> import staticgraph as sg
    >>> points = sg.constant([[0.5, 0.5], [1.5, 0.5], [1.5, 1.5]])
    >>> counts, _ = sg.histogramdd(points, 2, range=[(0.0, 2.0), (0.0, 2.0)])
    >>> sg.Session().run(counts)
    array([[1., 0.],
           [1., 1.]])
    """
    counts, edges = _grid("histogramdd", sample, bins, range, density, weights)
    return identity(counts, name=name or "histogramdd"), edges


@in_one_graph
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: bool | None = False,
    weights: Any = None,
    *, name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """How many points (x, y) lie in each cell of a grid, and the edges of both axes.

    bins    an int, a vector of edges for both axes, or a list with one of these for each axis

    For the rest see `histogramdd`.

    >>> import staticgraph as sg
    >>> counts, _, _ = sg.histogram2d(sg.constant([0.5, 1.5]), [0.5, 1.5], 2)
    >>> sg.Session().run(counts)
    array([[1., 0.],
           [0., 1.]])
    """
    if is_tensor_like(bins) or (_is_listed(bins) and len(bins) not in (1, 2)):
        bins = [bins, bins]
    counts, edges = _grid("histogram2d", [x, y], bins, range, density, weights)
    return identity(counts, name=name or "histogram2d"), edges[0], edges[1]


def _grid(
    what: str, sample: Any, bins: Any, range: Any, density: bool | None, weights: Any
) -> tuple[Tensor, list[Tensor]]:
    density = density is not None and as_bool(what, "density", density)
    coordinates = _coordinates(what, sample)
    count = len(coordinates)
    each = [bins] * count if is_int(bins) else bins
    ranges = [None] * count if range is None else range
    if not isinstance(each, list | tuple) or len(each) != count:
        raise refusal(
            what, f"bins={bins!r} is nothing for {count} axes", "give an int, or one per axis"
        )
    if not _is_listed(ranges) or len(ranges) != count:
        raise refusal(
            what, f"range={range!r} is nothing for {count} axes", "give a pair for each axis"
        )
    with coordinates[0].graph.as_default():
        edges: list[Tensor] = []
        lengths: list[Any] = []
        place: Any = 0
        inside: Any = True
        for values, wanted, ends in zip(coordinates, each, ranges, strict=True):
            row, length = _edges(what, values, wanted, ends)
            number = _numbers(values, row, wanted, length)
            inside = ew.logical_and(inside, ew.less(number, length))
            place = place * length + number
            edges.append(row)
            lengths.append(length)
        total: Any = 1
        for length in lengths:
            total = total * length
        given = _given_weights(weights, density)
        counted = bincount(ew.where(inside, place, total), given, length=total + 1)
        counts = reshape(part(counted, 0, None, -1), lengths)
        if given is None:
            counts = cast(counts, dtypes.float64)
        if density:
            counts = _density(counts, edges, given is not None)
    return counts, edges


def _density(counts: Tensor, edges: list[Tensor], weighted: bool) -> Tensor:
    """Counts divided by their sum and the volumes of the cells; of weights in the edges' dtype."""
    dtype = edges[0].dtype if weighted else counts.dtype
    wide = _wide(dtype)
    counts = cast(counts, wide)
    counts = counts / reduce.sum(counts)
    for axis, row in enumerate(edges):
        behind = tuple([other for other, _ in enumerate(edges) if other != axis])
        width = cast(diff(cast(row, _wide(row.dtype))), wide)
        counts = counts / (expand_dims(width, behind) if behind else width)
    return cast(counts, dtype)


def _coordinates(what: str, sample: Any) -> list[Tensor]:
    """A vector per coordinate of the points."""
    if isinstance(sample, list | tuple) and not sample:
        raise refusal(what, "the points have no coordinates", "give one vector at least")
    if isinstance(sample, list | tuple):
        vectors = [flattened(vector) for vector in promote(sample)]
    else:
        tensor = as_tensor(sample)
        if known_rank(what, tensor) == 1:
            vectors = [tensor]
        elif tensor.type.ndim != 2 or not isinstance(dim_of(tensor, 1), int):
            refuse(what, (tensor,), Mismatch(
                f"the sample has shape {format_shape(tensor.type.shape)}",
                "give a matrix with a point per row and a known number of columns",
            ), ("sample",))  # fmt: skip
        else:
            vectors = list(unstack(permute_dims(tensor, (1, 0))))
    if not vectors:
        raise refusal(what, "the points have no coordinates", "give one vector at least")
    return [real_floating(vector) for vector in vectors]
