"""Reductions and running totals of the elements that are numbers: NaN is left out.

A complex element is left out where a part of it is NaN. What is left out gets a derivative of 0.
`nanquantile` and its kin are in quantiles.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction as reduce
from staticgraph.ops.axes import one_axis, several_axes
from staticgraph.ops.convert import as_tensor, in_one_graph, scalar
from staticgraph.ops.cumulative import cumprod, cumsum
from staticgraph.ops.reduction import Axis
from staticgraph.ops.requiring import require
from staticgraph.ops.variance import deviation, variance


def _numbers(x: Tensor) -> Tensor | None:
    """Where `x` has numbers; None where it cannot have anything else."""
    return ew.logical_not(ew.isnan(x)) if x.dtype in dtypes.DIFFERENTIABLE else None


def _filled(x: Any, fill: float) -> Tensor:
    """`x` with a number in place of NaN."""
    tensor = as_tensor(x)
    there = _numbers(tensor)
    return (
        tensor
        if there is None
        else ew.where(there, tensor, scalar(tensor.graph, fill, tensor.dtype))
    )


def _counted(x: Tensor, where: Any) -> Any:
    """What counts of `x`: numbers, of those that `where` leaves."""
    there = _numbers(x)
    if there is None or where is None or where is True:
        return there if where is None or where is True else where
    mask = as_tensor(where, x.graph)
    # What is no mask is left for the reduction to refuse.
    return ew.logical_and(there, mask) if mask.dtype == dtypes.bool_ else mask


# -- sums, products, means --------------------------------------------------------------------


@in_one_graph
def nansum(
    x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None,
    *, initial: Any = None, where: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The sum of the elements of `x` along `axis` that are numbers; NaN counts as 0.

    For axes, dtypes, `initial`, `where` and errors see `sum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nansum(sg.constant([1.0, float("nan"), 2.0])))
    np.float32(3.0)
    """
    name = name or "nansum"
    return reduce.sum(_filled(x, 0), axis, keepdims, dtype, initial=initial, where=where, name=name)


@in_one_graph
def nanprod(
    x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None,
    *, initial: Any = None, where: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The product of the elements of `x` along `axis` that are numbers; NaN counts as 1.

    For axes, dtypes, `initial`, `where` and errors see `sum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanprod(sg.constant([3.0, float("nan"), 2.0])))
    np.float32(6.0)
    """
    chosen = {"initial": initial, "where": where, "name": name or "nanprod"}
    return reduce.prod(_filled(x, 1), axis, keepdims, dtype, **chosen)


@in_one_graph
def nanmean(
    x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None,
    *, where: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The mean of the elements of `x` along `axis` that are numbers; NaN where there is none.

    For axes, dtypes, `where` and errors see `mean`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanmean(sg.constant([1.0, float("nan"), 2.0])))
    np.float32(1.5)
    """
    tensor = as_tensor(x)
    counted = _counted(tensor, where)
    return reduce.mean(tensor, axis, keepdims, dtype, where=counted, name=name or "nanmean")


@in_one_graph
def nanvar(
    x: Any, axis: Axis = None, correction: float = 0, keepdims: bool = False, dtype: Any = None,
    *, where: Any = None, mean: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The variance of the elements of `x` along `axis` that are numbers.

    NaN where there are no more of them than the correction takes off. For the rest see `var`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanvar(sg.constant([1.0, float("nan"), 3.0])))
    np.float32(1.0)
    """
    given = (axis, correction, keepdims, dtype, where, mean)
    return _spread("nanvar", variance, x, *given, name)


@in_one_graph
def nanstd(
    x: Any, axis: Axis = None, correction: float = 0, keepdims: bool = False, dtype: Any = None,
    *, where: Any = None, mean: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The standard deviation of the elements of `x` along `axis` that are numbers; see `nanvar`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanstd(sg.constant([1.0, float("nan"), 3.0])))
    np.float32(1.0)
    """
    given = (axis, correction, keepdims, dtype, where, mean)
    return _spread("nanstd", deviation, x, *given, name)


def _spread(
    what: str, function: Callable[..., Tensor], x: Any, axis: Axis, correction: float,
    keepdims: bool, dtype: Any, where: Any, mean: Any, name: str | None,
) -> Tensor:  # fmt: skip
    """What `function` gives, or NaN where the number of elements is not above the correction."""
    tensor = as_tensor(x)
    counted = _counted(tensor, where)
    result = function(what, tensor, axis, correction, keepdims, dtype, counted, mean, None)
    same = ew.equal(tensor, tensor)
    mask = reduce.element_mask(what, tensor, same if counted is None else counted)
    assert mask is not None
    counts = reduce.sum(ew.where(mask, same, False), axis, keepdims)
    nothing = scalar(tensor.graph, np.nan, result.dtype)
    return ew.where(ew.less_equal(counts, correction), nothing, result, name=name or what)


# -- extremes ---------------------------------------------------------------------------------


@in_one_graph
def nanmax(
    x: Any, axis: Axis = None, keepdims: bool = False,
    *, initial: Any = None, where: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The largest of the elements of `x` along `axis` that are numbers; NaN where there is none.

    For axes, `initial`, `where` and errors see `max`; with `initial` there always is one.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanmax(sg.constant([1.0, float("nan"), 2.0])))
    np.float32(2.0)
    """
    return _extreme("nanmax", reduce.max, x, axis, keepdims, initial, where, name)


@in_one_graph
def nanmin(
    x: Any, axis: Axis = None, keepdims: bool = False,
    *, initial: Any = None, where: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The smallest of the elements of `x` along `axis` that are numbers; otherwise as `nanmax`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanmin(sg.constant([1.0, float("nan"), 2.0])))
    np.float32(1.0)
    """
    return _extreme("nanmin", reduce.min, x, axis, keepdims, initial, where, name)


def _extreme(
    what: str, function: Any, x: Any, axis: Axis, keepdims: bool, initial: Any, where: Any,
    name: str | None,
) -> Tensor:  # fmt: skip
    tensor, name = as_tensor(x), name or what
    several_axes(what, tensor, axis)
    there = _numbers(tensor) if tensor.dtype in dtypes.REAL_FLOATING else None
    if there is None or (where is not None and where is not True and initial is None):
        # The second is refused, in words of the user's tensor.
        return function(tensor, axis, keepdims, initial=initial, where=where, name=name)  # type: ignore[no-any-return]
    lowest = scalar(tensor.graph, -np.inf if function is reduce.max else np.inf, tensor.dtype)
    values = ew.where(there, tensor, lowest)
    result = function(values, axis, keepdims, initial=initial, where=where, name=name)
    if initial is not None:
        return result  # type: ignore[no-any-return]
    nothing = scalar(tensor.graph, np.nan, tensor.dtype)
    return ew.where(reduce.any(there, axis, keepdims), result, nothing, name=name)


def nanargmax(
    x: Any, axis: int | None = None, keepdims: bool = False, *, name: str | None = None
) -> Tensor:
    """The index of the largest of the elements of `x` along one axis that are numbers, int64.

    For axes and errors see `argmax`. A row of nothing but NaN is an error of the run.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanargmax(sg.constant([float("nan"), 2.0, 3.0])))
    np.int64(2)
    """
    return _index("nanargmax", reduce.argmax, reduce.max, x, axis, keepdims, name)


def nanargmin(
    x: Any, axis: int | None = None, keepdims: bool = False, *, name: str | None = None
) -> Tensor:
    """The index of the smallest of the elements of `x` along one axis that are numbers, int64.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nanargmin(sg.constant([float("nan"), 2.0, 3.0])))
    np.int64(1)
    """
    return _index("nanargmin", reduce.argmin, reduce.min, x, axis, keepdims, name)


def _index(
    what: str, function: Any, extreme: Any, x: Any, axis: int | None, keepdims: bool,
    name: str | None,
) -> Tensor:  # fmt: skip
    tensor = as_tensor(x)
    if axis is not None:
        one_axis(what, tensor, axis)
    there = _numbers(tensor) if tensor.dtype in dtypes.REAL_FLOATING else None
    if there is None:
        return function(tensor, axis, keepdims, name=name or what)  # type: ignore[no-any-return]
    lowest = scalar(tensor.graph, -np.inf if extreme is reduce.max else np.inf, tensor.dtype)
    values = ew.where(there, tensor, lowest)
    # An infinite number is told from what stands for NaN by being one.
    best = ew.logical_and(there, ew.equal(values, extreme(values, axis, keepdims=True)))
    found = reduce.argmax(best, axis, keepdims)
    return require(
        found, reduce.any(there, axis, keepdims), what, "there is nothing but NaN in a row",
        "sg.nan_to_num(x) puts numbers in its place",
    )  # fmt: skip


# -- running totals ---------------------------------------------------------------------------


def nancumsum(
    x: Any, axis: int | None = None, dtype: Any = None, *, name: str | None = None
) -> Tensor:
    """Sums of the elements of `x` up to and including each, along `axis`; NaN counts as 0.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nancumsum(sg.constant([1.0, float("nan"), 2.0])))
    array([1., 1., 3.], dtype=float32)
    """
    return cumsum(_filled(x, 0), axis, dtype=dtype, name=name or "nancumsum")


def nancumprod(
    x: Any, axis: int | None = None, dtype: Any = None, *, name: str | None = None
) -> Tensor:
    """Products of the elements of `x` up to and including each, along `axis`; NaN counts as 1.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nancumprod(sg.constant([3.0, float("nan"), 2.0])))
    array([3., 3., 6.], dtype=float32)
    """
    return cumprod(_filled(x, 1), axis, dtype=dtype, name=name or "nancumprod")
