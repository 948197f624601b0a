"""Variance and standard deviation, made of means and sums."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.graph import Tensor
from staticgraph.ops import elementwise as ew
from staticgraph.ops.axes import several_axes
from staticgraph.ops.convert import as_tensor, cast, in_one_graph
from staticgraph.ops.filling import in_dtype_of
from staticgraph.ops.reduction import (
    Axis,
    averaging,
    count_like,
    count_nonzero,
    element_mask,
    norm,
    sum,
)
from staticgraph.ops.reduction import mean as mean_of
from staticgraph.ops.shaping import broadcast_like
from staticgraph.ops.sizes import as_bool, refusal


def _deviations(
    what: str, x: Any, axis: Axis, keepdims: bool, dtype: Any, where: Any, mean: Any
) -> tuple[Tensor, float | Tensor, DType]:
    """How far each element is from the mean, how many are counted, and the dtype of the result.

    Of a complex element it is the distance, of one that is left out 0. Half precision is left where
    elements are counted, since it holds no large number of them.
    """
    given = as_tensor(x)
    axes = several_axes(what, given, axis)
    mask = element_mask(what, given, where)
    tensor = averaging(given) if dtype is None else cast(given, dtype)
    result = dtypes.part_of(tensor.dtype)
    if mask is not None and result in dtypes.HALF:
        tensor = cast(tensor, dtypes.float32)
    if mean is None:
        middle = mean_of(tensor, axis, keepdims=True, where=where)
    else:
        middle = in_dtype_of(what, "mean", mean, tensor)
    off = tensor - middle
    off = ew.abs(off) if off.dtype in dtypes.COMPLEX else off
    if mask is None:
        return off, count_like(off, given, axes), result
    count = count_nonzero(broadcast_like(mask, given), axis, keepdims)
    return ew.where(mask, off, ew.zero_of(off)), cast(count, off.dtype), result


def _freedom(what: str, count: float | Tensor, correction: float) -> float | Tensor:
    """The number of elements less the correction, not below 0."""
    if isinstance(correction, bool) or not isinstance(
        correction, int | float | np.integer | np.floating
    ):
        raise refusal(what, f"correction={correction!r} is no number", "give an int or a float")
    if isinstance(count, Tensor):
        return ew.maximum(count - correction, 0)
    return builtins.max(count - correction, 0.0)


@in_one_graph
def var(
    x: Any, axis: Axis = None, correction: float = 0, keepdims: bool = False, dtype: Any = None,
    *, where: Any = None, mean: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The variance of the elements of `x` along `axis`.

    correction  is taken off the number of elements to divide by: 1 gives the unbiased estimate from
                a sample
    dtype       the inexact dtype to compute in
    where       bools that broadcast to the shape of `x`: False leaves an element out
    mean        the mean, where it is known already, with the reduced axes of size 1

    Integers and bools are computed in float64; the variance of complex numbers is that of their
    distances from the mean, a real number. NaN where nothing is left to divide by and the sum
    of squares is 0. For axes and errors see `sum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.var(sg.constant([1.0, 2.0, 3.0])))
    np.float32(0.6666667)
    """
    return variance("var", x, axis, correction, keepdims, dtype, where, mean, name)


def variance(
    what: str, x: Any, axis: Axis, correction: float, keepdims: bool, dtype: Any, where: Any,
    mean: Any, name: str | None,
) -> Tensor:  # fmt: skip
    """`var`, for the function `what`, in whose name arguments are refused."""
    keepdims = as_bool(what, "keepdims", keepdims)
    off, count, result = _deviations(what, x, axis, keepdims, dtype, where, mean)
    squares = sum(ew.square(off), axis, keepdims)
    freedom = _freedom(what, count, correction)
    if off.dtype == result:
        return ew.divide(squares, freedom, name=name)
    return cast(squares / freedom, result, name)


@in_one_graph
def std(
    x: Any, axis: Axis = None, correction: float = 0, keepdims: bool = False, dtype: Any = None,
    *, where: Any = None, mean: Any = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The standard deviation of the elements of `x` along `axis`: the square root of `var`.

    Its derivative where all elements are equal is 0, as that of `norm` at 0.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.std(sg.constant([1.0, 3.0])))
    np.float32(1.0)
    """
    return deviation("std", x, axis, correction, keepdims, dtype, where, mean, name)


def deviation(
    what: str, x: Any, axis: Axis, correction: float, keepdims: bool, dtype: Any, where: Any,
    mean: Any, name: str | None,
) -> Tensor:  # fmt: skip
    """`std`, for the function `what`, in whose name arguments are refused."""
    keepdims = as_bool(what, "keepdims", keepdims)
    off, count, result = _deviations(what, x, axis, keepdims, dtype, where, mean)
    freedom = _freedom(what, count, correction)
    root = ew.sqrt(freedom) if isinstance(freedom, Tensor) else math.sqrt(freedom)
    length = norm(off, axis, keepdims)
    if off.dtype == result:
        return ew.divide(length, root, name=name)
    return cast(length / root, result, name)
