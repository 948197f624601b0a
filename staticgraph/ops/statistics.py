"""Statistics beyond sums and means: quantiles, histograms, averages, correlations.

All of it is made of other ops: quantiles of a sort, histograms of a search and a count. Derivatives
are those of what they are made of, so a quantile passes its adjoint to the two elements between
which it lies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor, describe
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import format_shape
from staticgraph.errors import DTypeError
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction as reduce
from staticgraph.ops.arranging import flip
from staticgraph.ops.axes import known_rank, one_axis, refuse, several_axes
from staticgraph.ops.control import identity
from staticgraph.ops.convert import (
    CAST,
    as_tensor,
    cast_to,
    constant,
    constant_value,
    is_tensor_like,
    promote,
    real_floating,
)
from staticgraph.ops.creation import linspace
from staticgraph.ops.differences import diff, part
from staticgraph.ops.indexing import GATHER, SLICE, gather
from staticgraph.ops.linalg import matmul
from staticgraph.ops.reduction import Axis
from staticgraph.ops.searching import SEARCHSORTED, searchsorted
from staticgraph.ops.segments import bincount
from staticgraph.ops.shaping import (
    expand_dims,
    matrix_transpose,
    permute_dims,
    reshape,
)
from staticgraph.ops.sizes import is_int, refusal, size, size_or_dim
from staticgraph.ops.sorting import SORT, sort
from staticgraph.ops.variance import var

# -- quantiles --------------------------------------------------------------------------------

_METHODS = ("linear", "lower", "higher", "nearest", "midpoint")


def quantile(
    x: Any,
    q: Any,
    axis: Axis = None,
    method: str = "linear",
    keepdims: bool = False,
    *,
    name: str | None = None,
) -> Tensor:
    """The value below which a share `q` of the elements of `x` along `axis` lies.

    q          a number from 0 to 1, an array of them, or a floating tensor; its axes come first in
               the result's shape
    axis       None for all axes, an int, or several ints
    method     what it is between two elements: ``"linear"`` by distance, ``"lower"``, ``"higher"``,
               ``"nearest"`` (halves to the even place), or ``"midpoint"``
    keepdims   keep the axes, with size 1

    Integers are computed in float64. NaN where there is one. Adjoints go to the elements between
    which the value lies. Raises ShapeError for shares outside of [0, 1] that are known now; those
    of the run are errors of the run. Of no elements there is no quantile.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.quantile(sg.constant([1.0, 2.0, 4.0]), [0.5, 0.75]))
    array([2., 3.], dtype=float32)
    """
    if method not in _METHODS:
        raise refusal("quantile", f"method={method!r} is not there", f"give one of {_METHODS}")
    tensor = real_floating(as_tensor(x))
    known_rank(SORT, tensor)
    axes = several_axes(SORT, tensor, axis) or ()
    row = sort(_in_front(tensor, axes), 0)
    with tensor.graph.as_default():
        shares = _shares(q)
        result = _at_shares(row, shares, method)
        # NaN is behind all others.
        last = gather(row, size(row, 0) - 1)
        result = ew.where(ew.isnan(last), last, result)
    if keepdims:
        lead = known_rank(SORT, shares)
        result = expand_dims(result, tuple([lead + a for a in axes])) if axes else result
    return identity(result, name=name or "quantile")


def _shares(q: Any) -> Tensor:
    tensor = cast_to(as_tensor(q), dtypes.float64) if is_tensor_like(q) else None
    values = np.asarray(q, np.float64) if tensor is None else _known(tensor)
    if values is not None and not np.all((values >= 0) & (values <= 1)):
        shown = q if tensor is None else values.tolist()
        raise refusal("quantile", f"{shown!r} is no share", "give numbers from 0 to 1")
    return constant(values) if tensor is None else tensor


def _in_front(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """`x` with some axes made one, which comes first."""
    ndim = known_rank(SORT, x)
    if axes == (0,):
        return x
    if len(axes) == ndim:
        return reshape(x, (-1,))
    if not axes:
        return expand_dims(x, 0)
    rest = [axis for axis in range(ndim) if axis not in axes]
    moved = permute_dims(x, (*axes, *rest))
    if len(axes) == 1:
        return moved
    with x.graph.as_default():
        wanted = [size_or_dim(x, axis) for axis in rest]
        return reshape(moved, (-1, *wanted))


def _at_shares(row: Tensor, shares: Tensor, method: str) -> Tensor:
    """What lies at these shares of rows sorted along axis 0."""
    last = size(row, 0) - 1
    # A negative place would count from the end, and rounding may hide one that is too far; the
    # place of what is no share, NaN among it, is none in any row.
    fits = ew.logical_and(ew.greater_equal(shares, 0), ew.less_equal(shares, 1))
    position = ew.where(fits, shares * cast_to(last, dtypes.float64), 2.0**62)
    if method == "nearest":
        return gather(row, cast_to(ew.round(position), dtypes.int64))
    low = cast_to(ew.floor(position), dtypes.int64)
    high = cast_to(ew.ceil(position), dtypes.int64)
    if method == "lower":
        return gather(row, low)
    if method == "higher":
        return gather(row, high)
    weight = position - cast_to(low, dtypes.float64)
    if method == "midpoint":
        weight = ew.where(ew.equal(low, high), 0.0, weight * 0 + 0.5)
    weight = cast_to(weight, row.dtype)
    inner = known_rank(SORT, row) - 1
    if inner:
        lead = known_rank(SORT, shares)
        weight = expand_dims(weight, tuple(range(lead, lead + inner)))
    below, above = gather(row, low), gather(row, high)
    # An infinite neighbour must not make NaN of a weight of 0.
    mixed = below * (1 - weight) + above * weight
    return ew.where(ew.equal(weight, 0), below, mixed)


def percentile(
    x: Any,
    q: Any,
    axis: Axis = None,
    method: str = "linear",
    keepdims: bool = False,
    *,
    name: str | None = None,
) -> Tensor:
    """`quantile` of ``q / 100``.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.percentile(sg.constant([1.0, 2.0, 4.0]), 75))
    np.float32(3.0)
    """
    if is_tensor_like(q):
        given = cast_to(as_tensor(q), dtypes.float64)
        known = _known(given)
        share: Any = given / 100 if known is None else known / 100
    else:
        share = np.asarray(q, np.float64) / 100
    return quantile(x, share, axis, method, keepdims, name=name)


def median(x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None) -> Tensor:
    """The middle element of `x` along `axis`, or the mean of the two middle ones.

    For axes, NaN and derivatives see `quantile`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.median(sg.constant([3.0, 1.0, 2.0, 5.0])))
    np.float32(2.5)
    """
    return quantile(x, 0.5, axis, keepdims=keepdims, name=name or "median")


def ptp(x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None) -> Tensor:
    """The distance from the smallest to the largest element of `x` along `axis`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.ptp(sg.constant([3.0, 1.0, 2.0])))
    np.float32(2.0)
    """
    tensor = as_tensor(x)
    top, bottom = reduce.max(tensor, axis, keepdims), reduce.min(tensor, axis, keepdims)
    return ew.subtract(top, bottom, name=name or "ptp")


def average(
    x: Any, axis: Axis = None, weights: Any = None, keepdims: bool = False,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The mean of the elements of `x` along `axis`, each counted with its weight.

    weights   of the shape of `x`; or a vector, one per entry of the one axis; None weighs all alike

    NaN or infinite where the weights add up to 0. Raises ShapeError for weights that do not fit.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.average(sg.constant([1.0, 4.0]), weights=[3.0, 1.0]))
    np.float32(1.75)
    """
    if weights is None:
        return reduce.mean(x, axis, keepdims, name=name or "average")
    values, given = promote((x, weights), floating=True)
    ndim = known_rank(SLICE, values)
    if given.type.ndim == 1 and ndim > 1:
        number = one_axis(SLICE, values, axis, (values, given))
        given = expand_dims(given, tuple([a for a in range(ndim) if a != number]))
        total = reduce.sum(given, axis, keepdims=keepdims)
        if not keepdims:
            total = reduce.sum(given)
    elif given.type.ndim != ndim:
        refuse(SLICE, (values, given), Mismatch(
            f"weights of shape {format_shape(given.type.shape)} do not fit",
            "give one per element, or a vector and the one axis it runs along",
        ))  # fmt: skip
    else:
        total = reduce.sum(given, axis, keepdims)
    return ew.divide(reduce.sum(values * given, axis, keepdims), total, name=name or "average")


# -- without NaN ------------------------------------------------------------------------------


def _without_nan(x: Any, fill: float) -> tuple[Tensor, Tensor]:
    """`x` with another number in place of NaN, and where it has numbers."""
    tensor = as_tensor(x)
    if tensor.dtype not in dtypes.REAL_FLOATING:
        return tensor, ew.equal(tensor, tensor)
    there = ew.logical_not(ew.isnan(tensor))
    return ew.where(there, tensor, fill), there


def nansum(x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None) -> Tensor:
    """The sum of the elements of `x` along `axis` that are numbers; NaN counts as 0.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nansum(sg.constant([1.0, float("nan"), 2.0])))
    np.float32(3.0)
    """
    return reduce.sum(_without_nan(x, 0.0)[0], axis, keepdims, name=name or "nansum")


def nanprod(
    x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None
) -> Tensor:
    """The product of the elements of `x` along `axis` that are numbers; NaN counts as 1.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanprod(sg.constant([3.0, float("nan"), 2.0])))
    np.float32(6.0)
    """
    return reduce.prod(_without_nan(x, 1.0)[0], axis, keepdims, name=name or "nanprod")


def nanmean(
    x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None
) -> Tensor:
    """The mean of the elements of `x` along `axis` that are numbers; NaN where there is none.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanmean(sg.constant([1.0, float("nan"), 2.0])))
    np.float32(1.5)
    """
    values, there = _without_nan(x, 0.0)
    if values.dtype not in dtypes.REAL_FLOATING:
        return reduce.mean(values, axis, keepdims, name=name or "nanmean")
    count = cast_to(reduce.count_nonzero(there, axis, keepdims), values.dtype)
    return ew.divide(reduce.sum(values, axis, keepdims), count, name=name or "nanmean")


def nanvar(
    x: Any, axis: Axis = None, correction: float = 0, keepdims: bool = False,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The variance of the elements of `x` along `axis` that are numbers; see `var`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanvar(sg.constant([1.0, float("nan"), 3.0])))
    np.float32(1.0)
    """
    values, there = _without_nan(x, 0.0)
    if values.dtype not in dtypes.REAL_FLOATING:
        return var(values, axis, correction, keepdims, name=name or "nanvar")
    off = ew.where(there, values - nanmean(x, axis, keepdims=True), 0.0)
    count = cast_to(reduce.count_nonzero(there, axis, keepdims), values.dtype)
    freedom = ew.maximum(count - correction, 0)
    return ew.divide(reduce.sum(ew.square(off), axis, keepdims), freedom, name=name or "nanvar")


def nanmax(x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None) -> Tensor:
    """The largest of the elements of `x` along `axis` that are numbers; NaN where there is none.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanmax(sg.constant([1.0, float("nan"), 2.0])))
    np.float32(2.0)
    """
    return _nan_extreme(x, axis, keepdims, True, name or "nanmax")


def nanmin(x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None) -> Tensor:
    """The smallest of the elements of `x` along `axis` that are numbers; NaN where there is none.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanmin(sg.constant([1.0, float("nan"), 2.0])))
    np.float32(1.0)
    """
    return _nan_extreme(x, axis, keepdims, False, name or "nanmin")


def _nan_extreme(x: Any, axis: Axis, keepdims: bool, largest: bool, name: str) -> Tensor:
    values, there = _without_nan(x, -np.inf if largest else np.inf)
    function = reduce.max if largest else reduce.min
    result = function(values, axis, keepdims, name=name)
    if values.dtype not in dtypes.REAL_FLOATING:
        return result
    return ew.where(reduce.any(there, axis, keepdims), result, np.nan, name=name)


# -- histograms -------------------------------------------------------------------------------


def digitize(x: Any, bins: Any, right: bool = False, *, name: str | None = None) -> Tensor:
    """For each element of `x` the number of the bin it lies in, int64, as in NumPy.

    bins    a vector of edges in ascending order; those that are known now may descend
    right   a bin holds its upper edge instead of its lower one

    Raises ShapeError for edges that are known now to be in no order. Those that only the run knows
    must ascend: the numbers have no meaning otherwise.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.digitize(sg.constant([0.5, 1.0, 9.0]), [0.0, 1.0, 2.0]))
    array([1, 2, 3])
    """
    side = "left" if right else "right"
    row, values = promote((bins, x))
    edges = _known(row)
    if edges is None or edges.ndim != 1 or not np.any(edges[1:] < edges[:-1]):
        return searchsorted(row, values, side, name=name or "digitize")
    if np.any(edges[1:] > edges[:-1]):
        raise refusal("digitize", "the bins are in no order", "sg.sort(bins) brings them into one")
    below = searchsorted(flip(row, 0), values, side)
    return ew.subtract(len(edges), below, name=name or "digitize")


def _known(x: Tensor) -> Any:
    """The value of a tensor that is known now, also behind a cast; else None."""
    while x.node.op is CAST:
        x = x.node.inputs[0]
    return constant_value(x)


def histogram(
    x: Any,
    bins: Any = 10,
    range: tuple[Any, Any] | None = None,
    density: bool = False,
    weights: Any = None,
    *,
    name: str | None = None,
) -> tuple[Tensor, Tensor]:
    """How many elements of `x` lie in each bin, and the edges of the bins.

    bins      an int, the number of bins of equal width; or a vector of edges that ascend
    range     the lower edge of the first bin and the upper one of the last: numbers or scalar
              tensors; by default the smallest and the largest element
    density   divide by the number of elements and the width, so that the integral is 1
    weights   one per element: their sums instead of numbers; derivatives flow to them

    A bin holds its lower edge; the last one holds both. What lies outside, and NaN, is not counted.
    Gives ``(counts, edges)``; counts are int64, or of the dtype of the weights. Of no elements
    `range` must be given. Raises ShapeError for edges or a range that are known now to descend.

    >>> import staticgraph as sg
    >>> counts, edges = sg.histogram(sg.constant([0.5, 1.5, 1.75, 2.0]), 2, range=(0.0, 2.0))
    >>> sg.Session().run([counts, edges])
    [array([1, 3]), array([0., 1., 2.], dtype=float32)]
    """
    (values,) = promote((x,))
    values = real_floating(reshape(values, (-1,)))
    with values.graph.as_default():
        edges, count = _edges(values, bins, range)
        if is_int(bins):
            number = _number_of_equal_bin(values, edges, int(bins))
        else:
            number = searchsorted(edges, values, "right") - 1
            number = ew.where(ew.equal(values, gather(edges, -1)), count - 1, number)
            # What is in no bin is counted in one more, behind the last.
            number = ew.where(ew.less(number, 0), count, number)
        total = bincount(
            number, None if weights is None else reshape(as_tensor(weights), (-1,)),
            length=count + 1,
        )  # fmt: skip
        counts = part(total, 0, None, -1)
        if density:
            counts = cast_to(counts, edges.dtype)
            counts = counts / (diff(edges) * reduce.sum(counts))
    return counts, edges


def _number_of_equal_bin(values: Tensor, edges: Tensor, count: int) -> Tensor:
    """The number of the bin of equal width in which each value lies; `count` where it is in none.

    The quotient of distance and width may be off by one at an edge; the edges themselves decide.
    """
    low, high = gather(edges, 0), gather(edges, -1)
    inside = ew.logical_and(ew.greater_equal(values, low), ew.less_equal(values, high))
    share = ew.where(inside, (values - low) / (high - low), 0.0)
    number = ew.minimum(cast_to(share * count, dtypes.int64), count - 1)
    number = number - cast_to(ew.less(values, gather(edges, number)), dtypes.int64)
    number = ew.maximum(number, 0)
    beyond = ew.greater_equal(values, gather(edges, number + 1))
    number = ew.minimum(number + cast_to(beyond, dtypes.int64), count - 1)
    return ew.where(inside, number, count)


def _edges(values: Tensor, bins: Any, range: Any) -> tuple[Tensor, Any]:
    """The edges of the bins and how many bins there are."""
    if not is_int(bins):
        if isinstance(bins, str):
            raise refusal("histogram", f"bins={bins!r} is not there", "give a number or the edges")
        edges = promote((values, bins))[1]
        if edges.type.ndim != 1:
            refuse(SEARCHSORTED, (edges,), Mismatch(
                f"the edges have shape {format_shape(edges.type.shape)}", "give a vector"
            ))  # fmt: skip
        known = _known(edges)
        if known is not None and np.any(known[1:] < known[:-1]):
            raise refusal(
                "histogram", "the edges do not ascend", "sg.sort(bins) brings them into order"
            )
        return edges, size_or_dim(edges, 0) - 1
    if bins < 1:
        raise refusal("histogram", f"bins={bins} is no number of bins", "give an int from 1")
    if range is None:
        low, high = reduce.min(values), reduce.max(values)
    else:
        low, high = [cast_to(as_tensor(end), values.dtype) for end in range]
        bottom, top = _known(low), _known(high)
        if bottom is not None and top is not None and not np.all(bottom <= top):
            raise refusal(
                "histogram", f"range={range!r} is no range", "give the lower edge, then the upper"
            )
    same = ew.equal(low, high)
    low, high = ew.where(same, low - 0.5, low), ew.where(same, high + 0.5, high)
    return linspace(low, high, int(bins) + 1), int(bins)


# -- correlations -----------------------------------------------------------------------------


def cov(
    m: Any, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The covariances of variables from their samples.

    m        a matrix with a variable per row and a sample per column, or a vector of samples
    rowvar   False: a variable per column
    bias     divide by the number of samples, not by one less
    ddof     what is taken off the number of samples to divide by, whatever `bias` says

    The shape is ``(variables, variables)``, or () for a vector. Raises ShapeError for what is
    neither matrix nor vector, DTypeError for complex samples.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.cov(sg.constant([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])))
    array([[ 1., -1.],
           [-1.,  1.]], dtype=float32)
    """
    tensor = _real("cov", m)
    correction = (0 if bias else 1) if ddof is None else ddof
    if known_rank(GATHER, tensor) == 1:
        return var(tensor, correction=correction, name=name or "cov")
    off = _deviations(tensor, rowvar)
    freedom = cast_to(size(off, 1), off.dtype) - correction
    return ew.divide(matmul(off, matrix_transpose(off)), freedom, name=name or "cov")


def _real(what: str, x: Any) -> Tensor:
    tensor = as_tensor(x)
    if tensor.dtype in dtypes.COMPLEX:
        raise refusal(
            what,
            f"the samples are {dtypes.name(tensor.dtype)}, and no complex ones are taken",
            describe(tensor),
            "give the parts as variables: sg.real(z) and sg.imag(z)",
            error=DTypeError,
        )
    return tensor


def _deviations(x: Tensor, rowvar: bool) -> Tensor:
    """A row per variable: the samples less their mean."""
    if x.type.ndim != 2:
        refuse(GATHER, (x,), Mismatch(
            f"this has {x.type.ndim} axes", "give a matrix of variables and samples, or a vector"
        ))  # fmt: skip
    values = real_floating(x)
    rows = values if rowvar else matrix_transpose(values)
    return rows - reduce.mean(rows, 1, keepdims=True)


def corrcoef(x: Any, rowvar: bool = True, *, name: str | None = None) -> Tensor:
    """The correlation coefficients of variables from their samples; for `x` see `cov`.

    The diagonal is 1 but for rounding; NaN where a variable does not vary.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.corrcoef(sg.constant([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))).round(4)
    array([[ 1., -1.],
           [-1.,  1.]], dtype=float32)
    """
    tensor = _real("corrcoef", x)
    if known_rank(GATHER, tensor) == 1:
        covariance = cov(tensor)
        return ew.divide(covariance, covariance, name=name or "corrcoef")
    off = _deviations(tensor, rowvar)
    length = ew.sqrt(reduce.sum(ew.square(off), 1))
    lengths = expand_dims(length, 1) * expand_dims(length, 0)
    return ew.divide(matmul(off, matrix_transpose(off)), lengths, name=name or "corrcoef")
