"""Statistics of samples: averages with weights, ranges, covariances and correlations.

All of it is made of other ops, and so are its derivatives. Quantiles are in quantiles.py,
histograms in histograms.py, and what leaves NaN out in nan_statistics.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import format_shape
from staticgraph.errors import DTypeError
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction as reduce
from staticgraph.ops.axes import known_rank, one_axis, refuse, several_axes
from staticgraph.ops.control import identity
from staticgraph.ops.convert import (
    as_tensor,
    cast,
    in_one_graph,
    known_value,
    promote,
    real_floating,
)
from staticgraph.ops.creation import full_like
from staticgraph.ops.filling import in_dtype_of
from staticgraph.ops.joining import concat
from staticgraph.ops.linalg import matmul
from staticgraph.ops.reduction import Axis
from staticgraph.ops.requiring import require
from staticgraph.ops.shaping import (
    broadcast_like,
    expand_dims,
    matrix_transpose,
    permute_dims,
)
from staticgraph.ops.sizes import as_bool, dim_of, refusal, size

# -- averages and ranges ----------------------------------------------------------------------


def ptp(x: Any, axis: Axis = None, keepdims: bool = False, *, name: str | None = None) -> Tensor:
    """The distance from the smallest to the largest element of `x` along `axis`.

    For axes and errors see `max`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.ptp(sg.constant([3.0, 1.0, 2.0])))
    np.float32(2.0)
    """
    tensor = as_tensor(x)
    top, bottom = reduce.max(tensor, axis, keepdims), reduce.min(tensor, axis, keepdims)
    return ew.subtract(top, bottom, name=name or "ptp")


@in_one_graph
def average(
    x: Any, axis: Axis = None, weights: Any = None, keepdims: bool = False,
    returned: bool = False, *, name: str | None = None,
) -> Any:  # fmt: skip
    """The mean of the elements of `x` along `axis`, each counted with its weight.

    weights    of the shape of `x`; or a vector, one per entry of the one axis, or an axis for each
               of several; None weighs all alike
    returned   give ``(average, sum of the weights)``, both of one shape

    NaN or infinite where the weights add up to 0. Raises ShapeError for weights that do not fit.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.average(sg.constant([1.0, 4.0]), weights=[3.0, 1.0]))
    np.float32(1.75)
    """
    name = name or "average"
    returned = as_bool("average", "returned", returned)
    if weights is None:
        tensor = as_tensor(x)
        result = reduce.mean(tensor, axis, keepdims, name=name)
        count = reduce.count_like(result, tensor, several_axes("average", tensor, axis))
        return (result, full_like(result, count)) if returned else result
    values, given = promote((x, weights), floating=True)
    given = _one_per_element(values, given, axis)
    total = reduce.sum(given, axis, keepdims)
    result = ew.divide(reduce.sum(values * given, axis, keepdims), total, name=name)
    return (result, total) if returned else result


def _one_per_element(x: Tensor, weights: Tensor, axis: Any) -> Tensor:
    """Weights in the shape of `x`."""
    ndim, given = known_rank("average", x), weights
    listed = axis if isinstance(axis, tuple | list) else [] if axis is None else [axis]
    axes = [one_axis("average", x, number) for number in listed]
    if weights.type.ndim == len(axes) != ndim:
        order = sorted(range(len(axes)), key=axes.__getitem__)
        weights = permute_dims(weights, order) if len(axes) > 1 else weights
        weights = expand_dims(weights, tuple([a for a in range(ndim) if a not in axes]))
    sizes = zip(weights.type.shape or (), x.type.shape or (), strict=False)
    known = [pair for pair in sizes if isinstance(pair[0], int) and isinstance(pair[1], int)]
    misfit = [pair for pair in known if pair[0] not in (1, pair[1])]
    if misfit or weights.type.ndim != ndim:
        refuse("average", (x, given), Mismatch(
            f"weights of shape {format_shape(given.type.shape)} do not fit",
            "give one per element, or a vector and the one axis it runs along",
        ), ("x", "weights"))  # fmt: skip
    return broadcast_like(weights, x)


# -- correlations -----------------------------------------------------------------------------


@in_one_graph
def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    fweights: Any = None, aweights: Any = None, *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """The covariances of variables from their samples.

    m          a matrix with a variable per row and a sample per column, or a vector of samples
    y          more variables of the same samples
    rowvar     False: a variable per column
    bias       divide by the number of samples, not by one less
    ddof       what is taken off the number of samples to divide by, whatever `bias` says
    fweights   a vector of ints: how often each sample counts
    aweights   a vector of numbers from 0: how much each sample counts

    Half precision is computed in float32 and rounded once. The shape is
    ``(variables, variables)``, or () for one variable that is a vector. Raises ShapeError for what
    is neither matrix nor vector and for weights that are no vectors, of another length or negative,
    DTypeError for complex samples. What only the run knows of weights is an error of the run.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.cov(sg.constant([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])))
    array([[ 1., -1.],
           [-1.,  1.]], dtype=float32)
    """
    bias = as_bool("cov", "bias", bias)
    correction = (0 if bias else 1) if ddof is None else ddof
    rows, alone, dtype = _variables("cov", m, y, rowvar)
    with rows.graph.as_default():
        weights = [_of_samples(rows, "fweights", fweights), _of_samples(rows, "aweights", aweights)]
        given = [weight for weight in weights if weight is not None]
        if not given:
            freedom: Any = cast(size(rows, 1), rows.dtype) - correction
            off = rows - reduce.mean(rows, 1, keepdims=True)
            weighted = off
        else:
            weight = given[0] * given[1] if len(given) == 2 else given[0]
            total = reduce.sum(weight)
            freedom = total - correction
            if weights[1] is not None:
                # By what aweights are worth: it takes off one sample of average weight.
                freedom = total - correction * reduce.sum(weight * weights[1]) / total
            off = rows - expand_dims(reduce.sum(rows * weight, 1) / total, 1)
            weighted = off * weight
        product = matmul(weighted, matrix_transpose(off))
        result = product / ew.maximum(freedom, 0)
        return _rounded(result[0, 0] if alone else result, dtype, name or "cov")


def _of_samples(rows: Tensor, label: str, weights: Any) -> Tensor | None:
    if weights is None:
        return None
    given = as_tensor(weights, rows.graph)
    have, want = given.type.shape, dim_of(rows, 1)
    if label == "fweights" and given.dtype not in dtypes.INTEGER:
        refuse("cov", (rows, given), Mismatch(
            f"fweights is {dtypes.name(given.dtype)}", "give ints; aweights takes other numbers",
            error=DTypeError,
        ), ("m", label))  # fmt: skip
    misfit = have is None or len(have) != 1
    if have and isinstance(have[0], int) and isinstance(want, int):
        misfit = misfit or have[0] != want
    if misfit:
        refuse("cov", (rows, given), Mismatch(
            f"{label} has shape {format_shape(have)}", "give a vector, one per sample"
        ), ("m", label))  # fmt: skip
    problem, way_out = f"a number of {label} is negative", "give numbers from 0"
    known = known_value(given)
    if known is not None and np.any(known < 0):
        raise refusal("cov", problem, way_out)
    given = in_dtype_of("cov", label, weights, rows)
    if known is not None:
        return given
    negative = ew.less(given, 0)
    return require(given, ew.logical_not(negative), "cov", problem, way_out, **{label: given})


def _rounded(result: Tensor, dtype: dtypes.DType, name: str) -> Tensor:
    """The result in the dtype of the variables, of which half precision is computed in float32."""
    return identity(result, name=name) if result.dtype == dtype else cast(result, dtype, name)


def _variables(what: str, x: Any, y: Any, rowvar: bool) -> tuple[Tensor, bool, dtypes.DType]:
    """A row per variable, whether it is one variable that is a vector, and the result's dtype."""
    rowvar = as_bool(what, "rowvar", rowvar)
    tensors = promote((x,) if y is None else (x, y))
    rows = []
    for tensor, label in zip(tensors, ("x", "y"), strict=False):
        if tensor.dtype in dtypes.COMPLEX:
            refuse(what, (tensor,), Mismatch(
                f"the samples are {dtypes.name(tensor.dtype)}, and no complex ones are taken",
                "give the parts as variables: sg.real(z) and sg.imag(z)", error=DTypeError,
            ), (label,))  # fmt: skip
        ndim = known_rank(what, tensor)
        if ndim not in (1, 2):
            refuse(what, (tensor,), Mismatch(
                f"this has {ndim} axes", "give a matrix of variables and samples, or a vector"
            ), (label,))  # fmt: skip
        values = real_floating(tensor)
        dtype = values.dtype
        values = cast(values, dtypes.float32) if dtype in dtypes.HALF else values
        if ndim == 1:
            rows.append(expand_dims(values, 0))
        else:
            rows.append(values if rowvar else matrix_transpose(values))
    alone = len(tensors) == 1 and tensors[0].type.ndim == 1
    return (rows[0] if len(rows) == 1 else concat(rows, 0)), alone, dtype


@in_one_graph
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, name: str | None = None) -> Tensor:
    """The correlation coefficients of variables from their samples; for the arguments see `cov`.

    The diagonal is 1 but for rounding; NaN where a variable does not vary.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.corrcoef(sg.constant([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))).round(4)
    array([[ 1., -1.],
           [-1.,  1.]], dtype=float32)
    """
    rows, alone, dtype = _variables("corrcoef", x, y, rowvar)
    off = rows - reduce.mean(rows, 1, keepdims=True)
    length = ew.sqrt(reduce.sum(ew.square(off), 1))
    lengths = expand_dims(length, 1) * expand_dims(length, 0)
    result = matmul(off, matrix_transpose(off)) / lengths
    return _rounded(result[0, 0] if alone else result, dtype, name or "corrcoef")
