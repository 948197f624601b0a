"""Continuous distributions made of others: triangular, Wald, F, power, multivariate normal.

All of these are compositions, through which derivatives flow to the parameters.
"""

from __future__ import annotations

from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.ops.convert import cast
from staticgraph.ops.elementwise import (
    add,
    divide,
    exp,
    less,
    less_equal,
    log,
    multiply,
    sqrt,
    square,
    subtract,
    where,
)
from staticgraph.ops.linalg import cholesky
from staticgraph.ops.linalg.products import matmul
from staticgraph.ops.random.arguments import names_told
from staticgraph.ops.random.gamma import RANDOM_LOG_GAMMA
from staticgraph.ops.random.parameters import (
    checked,
    draw_of,
    fit,
    limited,
    listed_sizes,
    promoted,
    same_shape_as,
    whole,
)
from staticgraph.ops.random.words import drawn, standard_normal, unit
from staticgraph.ops.reduction import sum as sum_of
from staticgraph.ops.shaping import expand_dims, matrix_transpose, squeeze
from staticgraph.ops.sizes import dim_of, read_sizes, refusal, size


@names_told
def triangular(
    left: Any, mode: Any, right: Any, shape: Any = None, dtype: Any = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Numbers from `left` to `right` whose density rises up to `mode` and falls after it.

    left, mode, right   numbers or tensors that broadcast to `shape`; derivatives flow to them
    shape               an int, a sequence of ints and scalar int tensors, or an int64 vector
                        tensor; that to which the parameters broadcast when not given
    dtype               float32 or float64; that of the parameters, float32 for Python numbers

    Found by inversion of a uniform number. RunError in a run where the parameters are not in order,
    or `left` is `right`.

    >>> import staticgraph as sg
    >>> draw = sg.random.triangular(0.0, 1.0, 5.0, (10000,))
    >>> bool(abs(sg.Session(seed=1).run(sg.mean(draw)) - 2.0) < 0.05)
    True
    """
    what = "triangular"
    draw = draw_of(what, shape, (left, mode, right), dtype)
    least, peak, most = draw.parameters
    width = limited(what, "right - left", subtract(most, least), "positive")
    rise = limited(what, "mode - left", subtract(peak, least), "weight")
    fall = limited(what, "right - mode", subtract(most, peak), "weight")
    fraction = unit(draw.graph, draw.target, draw.dtype, inner=True)
    below = add(least, sqrt(multiply(multiply(fraction, width), rise)))
    above = subtract(most, sqrt(multiply(multiply(subtract(1.0, fraction), width), fall)))
    return where(less(fraction, divide(rise, width)), below, above, name=name or what)


@names_told
def wald(
    mean: Any, scale: Any, shape: Any = None, dtype: Any = None, *, name: str | None = None
) -> Tensor:
    """Wald's, or inverse Gaussian, numbers: when a drifting Brownian motion first gets somewhere.

    mean, scale   positive numbers or tensors that broadcast to `shape`; derivatives flow to them
                  with the branch that a number took held fixed
    shape         an int, a sequence of ints and scalar int tensors, or an int64 vector tensor; that
                  to which the parameters broadcast when not given
    dtype         float32 or float64; that of the parameters, float32 for Python numbers

    Source: J. R. Michael, W. R. Schucany and R. W. Haas, "Generating random variates using
    transformations with multiple roots", The American Statistician 30, 1976. Raises ShapeError for
    parameters that are known not to be positive, RunError in a run.

    >>> import staticgraph as sg
    >>> draw = sg.random.wald(2.0, 3.0, (10000,))
    >>> bool(abs(sg.Session(seed=1).run(sg.mean(draw)) - 2.0) < 0.1)
    True
    """
    what = "wald"
    limits = (("mean", "positive"), ("scale", "positive"))
    draw = draw_of(what, shape, (mean, scale), dtype, limits)
    middle, width = draw.parameters
    deviate = square(standard_normal(draw.graph, draw.target, draw.dtype))
    half = multiply(divide(middle, width), multiply(deviate, 0.5))
    # The smaller root over the mean, without the difference of its formula.
    share = divide(1.0, add(add(half, 1.0), sqrt(multiply(half, add(half, 2.0)))))
    fraction = unit(draw.graph, draw.target, draw.dtype)
    kept = less_equal(fraction, divide(1.0, add(share, 1.0)))
    return multiply(middle, where(kept, share, divide(1.0, share)), name=name or what)


@names_told
def f(
    dfnum: Any, dfden: Any, shape: Any = None, dtype: Any = None, *, name: str | None = None
) -> Tensor:
    """Fisher's F: the mean of `dfnum` squared normal numbers over that of `dfden` others.

    dfnum, dfden   degrees of freedom, which need not be integers: positive numbers or tensors that
                   broadcast to `shape`; derivatives flow to them as through `gamma`
    shape          an int, a sequence of ints and scalar int tensors, or an int64 vector tensor;
                   that to which the parameters broadcast when not given
    dtype          float32 or float64; that of the parameters, float32 for Python numbers

    Raises ShapeError for degrees that are known not to be positive, RunError in a run.

    >>> import staticgraph as sg
    >>> draw = sg.random.f(3.0, 12.0, (10000,))
    >>> bool(abs(sg.Session(seed=1).run(sg.mean(draw)) - 1.2) < 0.1)
    True
    """
    draw = draw_of("f", shape, (dfnum, dfden), dtype)
    degrees = [
        checked("f", label, value, "positive")
        for label, value in zip(("dfnum", "dfden"), draw.parameters, strict=True)
    ]
    upper, lower = [
        drawn(
            RANDOM_LOG_GAMMA, draw.graph, (whole(multiply(freedom, 0.5), draw.target),),
            dtype=dtypes.float64,
        )
        for freedom in degrees
    ]  # fmt: skip
    ratio = multiply(exp(subtract(upper, lower)), divide(degrees[1], degrees[0]))
    return cast(ratio, draw.dtype, name or "f")


@names_told
def power(
    concentration: Any, shape: Any = None, dtype: Any = None, *, name: str | None = None
) -> Tensor:
    """Numbers in (0, 1] of the density ``concentration * x**(concentration - 1)``.

    concentration   positive numbers or a tensor (NumPy: a); derivatives flow to it
    shape           an int, a sequence of ints and scalar int tensors, or an int64 vector tensor;
                    that of `concentration` when not given
    dtype           float32 or float64; that of `concentration`, float32 for Python numbers

    The result is ``u**(1 / concentration)`` with u uniform in (0, 1). Raises ShapeError for a
    concentration that is known not to be positive, RunError in a run.

    >>> import staticgraph as sg
    >>> draw = sg.random.power(3.0, (10000,))
    >>> bool(abs(sg.Session(seed=1).run(sg.mean(draw)) - 0.75) < 0.02)
    True
    """
    limits = (("concentration", "positive"),)
    draw = draw_of("power", shape, (concentration,), dtype, limits)
    fraction = unit(draw.graph, draw.target, draw.dtype, inner=True)
    return exp(divide(log(fraction), draw.parameters[0]), name=name or "power")


@names_told
def multivariate_normal(
    mean: Any, covariance: Any, shape: Any = None, dtype: Any = None, *, name: str | None = None
) -> Tensor:
    """Normal vectors of the given mean and covariance matrix.

    mean         a tensor [..., n] or [..., 1]; derivatives flow to it
    covariance   a tensor [..., n, n], symmetric and positive definite, of which the lower triangle
                 is read; derivatives flow to it
    shape        how many vectors are drawn: the result has the shape ``(*shape, n)``, to which
                 `mean` and the rows of `covariance` broadcast; theirs when not given
    dtype        float32 or float64; that of the parameters, float32 for Python numbers

    The mean plus the Cholesky factor of the covariance times standard normal numbers. Raises
    ShapeError for a mean or a covariance without the axes it needs, or of sizes that do not fit; a
    covariance that is not positive definite is refused in the run as by `linalg.cholesky`.

    >>> import staticgraph as sg
    >>> draw = sg.random.multivariate_normal([0.0, 5.0], [[2.0, 1.0], [1.0, 2.0]], (10000,))
    >>> bool(abs(sg.Session(seed=1).run(sg.mean(draw[:, 0] * (draw[:, 1] - 5.0))) - 1.0) < 0.1)
    True
    """
    what = "multivariate_normal"
    given, matrix = promoted(what, (mean, covariance), dtype)[0]
    if not given.type.ndim or (matrix.type.ndim or 0) < 2:
        raise refusal(
            what, f"mean is {given.type}, covariance {matrix.type}",
            "give a vector [..., n] and a matrix [..., n, n], of known ranks",
        )  # fmt: skip
    _check_covariance(what, given, matrix)
    draw = draw_of(what, None, (given,), dtype)
    matrix = cast(matrix, draw.dtype)
    (middle,) = draw.parameters
    target = same_shape_as(middle, sum_of(matrix, -1))
    if shape is not None:
        batch = listed_sizes(what, read_sizes(what, shape))
        target = read_sizes(what, (*batch, size(matrix, -1)))
    deviates = standard_normal(draw.graph, target, draw.dtype)
    factor = cholesky(matrix)
    if matrix.type.ndim == 2:
        moved = matmul(deviates, matrix_transpose(factor))
    else:
        moved = squeeze(matmul(factor, expand_dims(deviates, -1)), -1)
    return add(fit(middle, target), moved, name=name or what)


def _check_covariance(what: str, mean: Tensor, covariance: Tensor) -> None:
    """Refuses a covariance that is known not to be square, or not as large as the mean."""
    rows, columns, length = dim_of(covariance, -2), dim_of(covariance, -1), dim_of(mean, -1)
    shown = f"mean is {mean.type}, covariance {covariance.type}"
    if isinstance(rows, int) and isinstance(columns, int) and rows != columns:
        raise refusal(what, shown, "give a square covariance, [..., n, n]")
    if isinstance(columns, int) and isinstance(length, int) and length not in (1, columns):
        raise refusal(what, shown, "give a mean with as many elements as the covariance has rows")
