"""Quantiles, percentiles and medians, of all elements or of those that are numbers.

All of it is made of a sort, or an argsort where elements have weights, and of reading what lies at
some places of the sorted rows. An adjoint so goes to the elements between which a quantile lies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import format_shape
from staticgraph.errors import DTypeError
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction as reduce
from staticgraph.ops.axes import known_rank, refuse, several_axes
from staticgraph.ops.control import identity
from staticgraph.ops.convert import (
    as_tensor,
    cast,
    constant,
    in_one_graph,
    is_tensor_like,
    known_value,
    real_floating,
)
from staticgraph.ops.cumulative import cumsum
from staticgraph.ops.filling import in_dtype_of
from staticgraph.ops.indexing import gather, take_along_axis
from staticgraph.ops.reduction import Axis
from staticgraph.ops.requiring import require
from staticgraph.ops.shaping import broadcast_like, expand_dims, permute_dims, reshape
from staticgraph.ops.sizes import as_bool, dim_of, refusal, size, size_or_dim
from staticgraph.ops.sorting import argsort, sort


class _Method(NamedTuple):
    """Where a quantile lies among n sorted elements, for a share q of them.

    place    of n and q, both float64: a place counted from 0, maybe between two elements
    weight   of the place and its distance from the element before it: the weight of the element
             after it; None where the place is always that of one element, whose dtype then stays
    """

    place: Callable[[Tensor, Tensor], Tensor]
    weight: Callable[[Tensor, Tensor], Tensor] | None


def _between(alpha: float, beta: float) -> _Method:
    """The continuous methods 4 to 9 of Hyndman and Fan, of which two constants tell which."""
    return _Method(
        lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1, lambda place, rest: rest
    )


def _span(n: Tensor, q: Tensor) -> Tensor:
    return (n - 1) * q


def _closest(n: Tensor, q: Tensor) -> Tensor:
    """Half way between two elements it is the one of which an even number, from 1 on, is said."""
    place = n * q - 1.5
    below = ew.floor(place)
    stays = ew.logical_and(ew.equal(place, below), ew.equal(ew.remainder(below, 2), 1))
    return ew.where(stays, below, below + 1)


# R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50
# (1996), numbers their definitions from 1 to 9; the last four are NumPy's.
_METHODS: dict[str, _Method] = {
    "inverted_cdf": _Method(lambda n, q: ew.ceil(n * q - 1), None),
    "averaged_inverted_cdf": _Method(
        lambda n, q: n * q - 1, lambda place, rest: ew.where(ew.equal(rest, 0), 0.5, 1.0)
    ),
    "closest_observation": _Method(_closest, None),
    "interpolated_inverted_cdf": _between(0, 1),
    "hazen": _between(0.5, 0.5),
    "weibull": _between(0, 0),
    "linear": _Method(_span, lambda place, rest: rest),
    "median_unbiased": _between(1 / 3, 1 / 3),
    "normal_unbiased": _between(3 / 8, 3 / 8),
    "lower": _Method(lambda n, q: ew.floor(_span(n, q)), None),
    "higher": _Method(lambda n, q: ew.ceil(_span(n, q)), None),
    "midpoint": _Method(_span, lambda place, rest: ew.where(ew.equal(rest, 0), 0.0, 0.5)),
    "nearest": _Method(lambda n, q: ew.round(_span(n, q)), None),
}


# -- public functions -------------------------------------------------------------------------


@in_one_graph
def quantile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False,
    *, weights: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The value below which a share `q` of the elements of `x` along `axis` lies.

    q          a number from 0 to 1, an array of them, or a floating tensor; its axes come first in
               the result's shape
    axis       None for all axes, an int, or several ints
    method     what it is between two elements. By Hyndman and Fan (1996), in their order:
               ``"inverted_cdf"``, ``"averaged_inverted_cdf"``, ``"closest_observation"``,
               ``"interpolated_inverted_cdf"``, ``"hazen"``, ``"weibull"``, ``"linear"``,
               ``"median_unbiased"``, ``"normal_unbiased"``. Of the two elements beside the place of
               ``"linear"``: ``"lower"``, ``"higher"``, ``"nearest"`` (halves to the even place),
               ``"midpoint"``
    keepdims   keep the axes, with size 1
    weights    how much each element counts: of the shape of `x`, or a vector along the one axis;
               with ``method="inverted_cdf"``

    Integers are computed in float64, or stay what they are with a method that gives one of the
    elements. NaN where there is one. Adjoints go to the elements between which the value lies, and
    to `q`. Raises ShapeError for shares outside of [0, 1], for weights that do not fit and for no
    elements, where they are known now; those of the run are errors of the run.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.quantile(sg.constant([1.0, 2.0, 4.0]), [0.5, 0.75]))
    array([2., 3.], dtype=float32)
    """
    asked = _Asked("quantile", method, keepdims)
    return asked.of(x, q, 1, axis, weights, name or "quantile")


@in_one_graph
def percentile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False,
    *, weights: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """`quantile` of ``q / 100``.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.percentile(sg.constant([1.0, 2.0, 4.0]), 75))
    np.float32(3.0)
    """
    asked = _Asked("percentile", method, keepdims)
    return asked.of(x, q, 100, axis, weights, name or "percentile")


def median(x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None) -> Tensor:
    """The middle element of `x` along `axis`, or the mean of the two middle ones.

    For axes, NaN and derivatives see `quantile`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.median(sg.constant([3.0, 1.0, 2.0, 5.0])))
    np.float32(2.5)
    """
    asked = _Asked("median", "linear", keepdims)
    return asked.of(x, 0.5, 1, axis, None, name or "median")


@in_one_graph
def nanquantile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False,
    *, weights: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """`quantile` of the elements of `x` along `axis` that are numbers; NaN where there is none.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanquantile(sg.constant([1.0, float("nan"), 2.0]), 0.5))
    np.float32(1.5)
    """
    asked = _Asked("nanquantile", method, keepdims, numbers_alone=True)
    return asked.of(x, q, 1, axis, weights, name or "nanquantile")


@in_one_graph
def nanpercentile(
    x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False,
    *, weights: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """`nanquantile` of ``q / 100``.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanpercentile(sg.constant([1.0, float("nan"), 2.0]), 50))
    np.float32(1.5)
    """
    asked = _Asked("nanpercentile", method, keepdims, numbers_alone=True)
    return asked.of(x, q, 100, axis, weights, name or "nanpercentile")


def nanmedian(
    x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None
) -> Tensor:
    """The middle of the elements of `x` along `axis` that are numbers; NaN where there is none.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanmedian(sg.constant([3.0, float("nan"), 1.0, 2.0])))
    np.float32(2.0)
    """
    asked = _Asked("nanmedian", "linear", keepdims, numbers_alone=True)
    return asked.of(x, 0.5, 1, axis, None, name or "nanmedian")


# -- shares -----------------------------------------------------------------------------------


def _shares(what: str, q: Any, whole: int) -> Tensor:
    """The shares of 1 that a user means by parts of a whole, which lie in it, in float64."""
    problem, way_out = f"q is no share of {whole}", f"give numbers from 0 to {whole}"
    if is_tensor_like(q):
        given = as_tensor(q)
        if given.dtype in dtypes.COMPLEX | dtypes.BOOL:
            refuse(what, (given,), Mismatch(
                f"q is {dtypes.name(given.dtype)}", way_out, error=DTypeError
            ), ("q",))  # fmt: skip
        known_rank(what, given, (given,))
        values = known_value(given)
        shares = cast(given, dtypes.float64)
    else:
        values, given = _as_numbers(q), None
        if values is None:
            raise refusal(what, f"q={q!r} is no share of {whole}", way_out)
        shares = constant(values.astype(np.float64))
    if values is not None:
        if not np.all((values >= 0) & (values <= whole)):
            raise refusal(what, f"q={values.tolist()!r} is no share of {whole}", way_out)
    else:
        assert given is not None
        fits = ew.logical_and(ew.greater_equal(shares, 0), ew.less_equal(shares, whole))
        shares = require(shares, fits, what, problem, way_out, q=given)
    if whole == 1:
        return shares
    return shares / whole if values is None else constant(values.astype(np.float64) / whole)


def _as_numbers(q: Any) -> np.ndarray[Any, Any] | None:
    """Real numbers as an array; None for what is none, such as rows of different lengths."""
    try:
        values = np.asarray(q)
    except (TypeError, ValueError):
        return None
    return values if values.dtype.kind in "iuf" else None


# -- rows -------------------------------------------------------------------------------------


class _Asked:
    """What is asked of a quantile: the function that asks, the method, the shape of the result."""

    def __init__(self, what: str, method: str, keepdims: bool, numbers_alone: bool = False) -> None:
        if not isinstance(method, str) or method not in _METHODS:
            raise refusal(what, f"method={method!r} is not there", f"give one of {(*_METHODS,)}")
        self.what, self.name, self.method = what, method, _METHODS[method]
        self.keepdims = as_bool(what, "keepdims", keepdims)
        self.numbers_alone = numbers_alone

    def of(self, x: Any, q: Any, whole: int, axis: Axis, weights: Any, name: str) -> Tensor:
        """The quantiles of `x` at these parts of a whole."""
        given = as_tensor(x, as_tensor(q).graph if is_tensor_like(q) else None)
        if given.dtype in dtypes.COMPLEX:
            refuse(self.what, (given,), Mismatch(
                f"x is {dtypes.name(given.dtype)}, which has no order",
                "sg.real(x), sg.imag(x) or sg.abs(x) gives a real number", error=DTypeError,
            ))  # fmt: skip
        known_rank(self.what, given)
        axes = several_axes(self.what, given, axis) or ()
        tensor = given if self.method.weight is None else real_floating(given)
        with tensor.graph.as_default():
            shares = _shares(self.what, q, whole)
            row = self._with_elements(_in_front(tensor, axes), given, axes)
            if weights is None:
                result = self._unweighted(sort(row, 0), shares)
            else:
                result = self._weighted(row, shares, self._weights(given, axes, weights))
            if self.keepdims and axes:
                lead = known_rank(self.what, shares)
                result = expand_dims(result, tuple([lead + number for number in axes]))
            return identity(result, name=name)

    def _with_elements(self, row: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        """`row`, of which axis 0 is not empty."""
        problem, way_out = "of no elements there is none", "reduce axes that have elements"
        dim = dim_of(row, 0)
        if dim == 0:
            refuse(self.what, (x,), Mismatch(problem, way_out))
        if isinstance(dim, int):
            return row
        return require(row, ew.greater(size(row, 0), 0), self.what, problem, way_out, x=x)

    def _unweighted(self, row: Tensor, shares: Tensor) -> Tensor:
        """What lies at these shares of rows sorted along axis 0."""
        if self.numbers_alone and row.dtype in dtypes.REAL_FLOATING:
            count: Tensor = reduce.count_nonzero(ew.logical_not(ew.isnan(row)), 0)
        else:
            count = size(row, 0)
        picked = _Picked(row, shares, count)
        last = ew.maximum(picked.count - 1, 0)
        place = self.method.place(cast(picked.count, dtypes.float64), picked.shares)
        if self.method.weight is None:
            result = picked.at(ew.clip(cast(place, dtypes.int64), 0, last))
        else:
            below = ew.floor(place)
            low = cast(below, dtypes.int64)
            weight = cast(self.method.weight(place, place - below), row.dtype)
            result = _mixed(
                picked.at(ew.clip(low, 0, last)), picked.at(ew.clip(low + 1, 0, last)),
                picked.beside(weight),
            )  # fmt: skip
        return result if self.numbers_alone else _nan_of(row, result)

    def _weights(self, x: Tensor, axes: tuple[int, ...], weights: Any) -> Tensor:
        """The weights, one per element, in the order of the rows."""
        if self.name != "inverted_cdf":
            raise refusal(
                self.what, f"weights have no meaning with method={self.name!r}",
                "give method='inverted_cdf'",
            )  # fmt: skip
        given = in_dtype_of(self.what, "weights", weights, x, dtypes.float64)
        if given.type.ndim == 1 and x.type.ndim != 1 and len(axes) == 1:
            behind = known_rank(self.what, x) - 1 - axes[0]
            given = expand_dims(given, tuple(range(1, 1 + behind))) if behind else given
        elif given.type.ndim != x.type.ndim:
            refuse(self.what, (x, given), Mismatch(
                f"weights of shape {format_shape(given.type.shape)} do not fit",
                "give one per element, or a vector and the one axis it runs along",
            ), ("x", "weights"))  # fmt: skip
        fits = ew.logical_and(ew.isfinite(given), ew.greater_equal(given, 0))
        problem = "a weight is negative or no finite number"
        given = require(given, fits, self.what, problem, "give numbers from 0", weights=given)
        return _in_front(broadcast_like(given, x), axes)

    def _weighted(self, row: Tensor, shares: Tensor, weights: Tensor) -> Tensor:
        """The first element up to which at least a share of the weight lies."""
        if self.numbers_alone and row.dtype in dtypes.REAL_FLOATING:
            weights = ew.where(ew.isnan(row), 0.0, weights)
        order = argsort(row, 0)
        ordered = take_along_axis(row, order, 0)
        total = cumsum(take_along_axis(weights, order, 0), 0)
        whole = gather(total, size(row, 0) - 1)
        if not self.numbers_alone:
            problem = "the weights are all 0"
            whole = require(whole, ew.greater(whole, 0), self.what, problem, "one must be positive")
        reached = total / ew.where(ew.equal(whole, 0), 1.0, whole)
        # An element of no weight is passed over even by a share of 0.
        reached = ew.where(ew.equal(reached, 0), -1.0, reached)
        picked = _Picked(ordered, shares, whole, several=True)
        asked = reshape(picked.flat, (-1, *([1] * known_rank(self.what, row))))
        place = reduce.count_nonzero(ew.less(expand_dims(reached, 0), asked), 1)
        result = picked.at(ew.minimum(place, size(row, 0) - 1))
        if not self.numbers_alone:
            return _nan_of(ordered, result)
        # The axes of the rows come last in both.
        return (
            result if row.dtype in dtypes.INTEGER else ew.where(ew.equal(whole, 0), np.nan, result)
        )


class _Picked:
    """Reads sorted rows at places that differ from share to share, and maybe from row to row.

    `count` is how many elements of each row there are: one number, or one per row. In the second
    case the shares are one axis before those of the rows, until `at` gives them their own back.
    """

    def __init__(
        self, row: Tensor, shares: Tensor, count: Tensor, several: bool | None = None
    ) -> None:
        self.row, self.lead = row, known_rank("quantile", shares)
        self.inner = known_rank("quantile", row) - 1
        self.several = count.type.ndim != 0 if several is None else several
        self.given, self.flat = shares, reshape(shares, (-1,))
        if not self.several:
            self.shares, self.count = shares, count
            return
        new = tuple(range(1, 1 + self.inner))
        self.shares = expand_dims(self.flat, new) if new else self.flat
        self.count = expand_dims(count, 0)

    def at(self, place: Tensor) -> Tensor:
        """The elements at these places, with the axes of the shares first."""
        if not self.several:
            return gather(self.row, place)
        return self._apart(take_along_axis(self.row, place, 0))

    def beside(self, weight: Tensor) -> Tensor:
        """Weights of places in the shape of what `at` reads, or one that broadcasts to it."""
        if self.several:
            return self._apart(weight)
        if not self.inner:
            return weight
        return expand_dims(weight, tuple(range(self.lead, self.lead + self.inner)))

    def _apart(self, found: Tensor) -> Tensor:
        """The axes of the shares in place of one for all of them."""
        if self.lead == 1:
            return found
        lead = [size_or_dim(self.given, axis) for axis in range(self.lead)]
        rows = [size_or_dim(self.row, axis + 1) for axis in range(self.inner)]
        return reshape(found, (*lead, *rows))


def _mixed(below: Tensor, above: Tensor, weight: Tensor) -> Tensor:
    """What lies between two elements; an infinite one makes no NaN of a weight of 0."""
    mixed = below * (1 - weight) + above * weight
    mixed = ew.where(ew.equal(weight, 1), above, mixed)
    return ew.where(ew.equal(weight, 0), below, mixed)


def _nan_of(row: Tensor, result: Tensor) -> Tensor:
    """The result, or NaN for a sorted row whose last element it is."""
    if row.dtype not in dtypes.REAL_FLOATING:
        return result
    last = gather(row, size(row, 0) - 1)
    return ew.where(ew.isnan(last), last, result)


def _in_front(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """`x` with some axes made one, which comes first."""
    ndim = known_rank("quantile", x)
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
    return reshape(moved, (-1, *[size_or_dim(x, axis) for axis in rest]))
