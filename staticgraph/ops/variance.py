"""Variance and standard deviation, made of means and sums."""

from __future__ import annotations

import builtins
import math
from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.ops import elementwise as ew
from staticgraph.ops.axes import several_axes
from staticgraph.ops.convert import as_tensor, cast_to
from staticgraph.ops.reduction import SUM, Axis, averaging, count_like, mean, norm, sum


def _deviation(x: Tensor, axis: Axis) -> Tensor:
    """How far each element is from the mean: of a complex one the distance."""
    deviation = x - mean(x, axis, keepdims=True)
    return ew.abs(deviation) if x.dtype in dtypes.COMPLEX else deviation


def _freedom(x: Tensor, axis: Axis, correction: float) -> float | Tensor:
    """The number of elements less the correction, not below 0."""
    count = count_like(x, x, several_axes(SUM, x, axis))
    if isinstance(count, Tensor):
        return ew.maximum(count - correction, 0)
    return builtins.max(count - correction, 0.0)


def _averaged(x: Any, dtype: Any) -> Tensor:
    """The operand of a variance, in the dtype in which it is computed."""
    tensor = as_tensor(x)
    return averaging(tensor) if dtype is None else cast_to(tensor, dtype)


def var(
    x: Any, axis: Axis = None, correction: float = 0, keepdims: bool = False, dtype: Any = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The variance of the elements of `x` along `axis`.

    correction  is taken off the number of elements to divide by: 1 gives the unbiased estimate from
                a sample
    dtype       the inexact dtype to compute in

    Integers and bools are computed in float64; the variance of complex numbers is that of their
    distances from the mean, a real number. NaN where nothing is left to divide by and the sum
    of squares is 0. For axes and errors see `sum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.var(sg.constant([1.0, 2.0, 3.0])))
    np.float32(0.6666667)
    """
    tensor = _averaged(x, dtype)
    squares = sum(ew.square(_deviation(tensor, axis)), axis, keepdims)
    return ew.divide(squares, _freedom(tensor, axis, correction), name=name)


def std(
    x: Any, axis: Axis = None, correction: float = 0, keepdims: bool = False, dtype: Any = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The standard deviation of the elements of `x` along `axis`: the square root of `var`.

    Its derivative where all elements are equal is 0, as that of `norm` at 0.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.std(sg.constant([1.0, 3.0])))
    np.float32(1.0)
    """
    tensor = _averaged(x, dtype)
    length = norm(_deviation(tensor, axis), axis, keepdims)
    freedom = _freedom(tensor, axis, correction)
    root = ew.sqrt(freedom) if isinstance(freedom, Tensor) else math.sqrt(freedom)
    return ew.divide(length, root, name=name)
