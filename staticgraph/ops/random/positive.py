"""Distributions made of gamma numbers: gamma, beta, Dirichlet, chi-square, Student's t.

All of them are computed from logarithms of gamma numbers, in float64, and derivatives of first and
second order flow to their parameters: by implicit reparameterisation through the gamma numbers
(gamma.py), by ordinary ops through the rest. For a beta number that is a derivative of a
different coupling than that of its own quantile; expectations of both are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.ops.axes import one_axis
from staticgraph.ops.convert import cast
from staticgraph.ops.elementwise import exp, log, multiply, sigmoid, subtract
from staticgraph.ops.nn.losses import softmax
from staticgraph.ops.random.arguments import names_told
from staticgraph.ops.random.gamma import RANDOM_LOG_GAMMA
from staticgraph.ops.random.parameters import Draw, checked, draw_of, fit, listed_sizes, whole
from staticgraph.ops.random.words import drawn, standard_normal
from staticgraph.ops.reduction import SUM
from staticgraph.ops.sizes import Target, read_sizes, refusal, shape_of, size


def _draw(
    what: str, names: Sequence[str], values: Sequence[Any], given: Any, dtype: Any
) -> tuple[Draw, list[Tensor]]:
    """A draw, and its parameters in float64, all of which must be positive."""
    draw = draw_of(what, given, values, dtype)
    return draw, [
        checked(what, name, value, "positive")
        for name, value in zip(names, draw.parameters, strict=True)
    ]


def _log_gamma(target: Target, concentration: Tensor) -> Tensor:
    """Logarithms of gamma numbers of scale 1, in float64."""
    operand = whole(concentration, target)
    return drawn(RANDOM_LOG_GAMMA, operand.graph, (operand,), dtype=dtypes.float64)


def _result(draw: Draw, value: Tensor, name: str) -> Tensor:
    return cast(value, draw.dtype, name)


@names_told
def gamma(
    concentration: Any, scale: Any = 1.0, shape: Any = None, dtype: Any = None,
    *, name: str | None = None,
) -> Tensor:  # fmt: skip
    """Gamma numbers of the given concentration (NumPy: shape, TensorFlow: alpha) and scale.

    concentration, scale   positive numbers or tensors that broadcast to `shape`; derivatives flow
                           to them
    shape                  an int, a sequence of ints and scalar int tensors, or an int64 vector
                           tensor; that to which the parameters broadcast when not given
    dtype                  float32 or float64; that of the parameters, float32 for Python numbers

    Drawn by rejection (G. Marsaglia and W. W. Tsang, "A simple method for generating gamma
    variables", ACM TOMS 26, 2000). The derivative is that of the quantile whose probability the
    draw has (M. Figurnov, S. Mohamed and A. Mnih, "Implicit reparameterization gradients", NeurIPS
    2018); there are two orders of it by `concentration`, and GradientError for a third. Raises
    ShapeError for a parameter that is known not to be positive, RunError in a run.

    >>> import staticgraph as sg
    >>> draw = sg.random.gamma(4.0, shape=(10000,))
    >>> bool(abs(sg.Session(seed=1).run(sg.mean(draw)) - 4.0) < 0.1)
    True
    """
    names = ("concentration", "scale")
    draw, (power, width) = _draw("gamma", names, (concentration, scale), shape, dtype)
    logarithm = _log_gamma(draw.target, power)
    if type(scale) in (int, float) and scale == 1:
        return _result(draw, exp(logarithm), name or "gamma")
    return _result(draw, multiply(width, exp(logarithm)), name or "gamma")


@names_told
def loggamma(
    concentration: Any, shape: Any = None, dtype: Any = None, *, name: str | None = None
) -> Tensor:
    """Logarithms of gamma numbers of scale 1, which are finite where the numbers are too small.

    Arguments, derivatives and errors are those of `gamma`.

    >>> import staticgraph as sg
    >>> draw = sg.random.loggamma(0.001)
    >>> bool(sg.Session(seed=1).run(draw) < 0)
    True
    """
    draw, (power,) = _draw("loggamma", ("concentration",), (concentration,), shape, dtype)
    return _result(draw, _log_gamma(draw.target, power), name or "loggamma")


@names_told
def chi_square(df: Any, shape: Any = None, dtype: Any = None, *, name: str | None = None) -> Tensor:
    """Sums of the squares of `df` standard normal numbers; df need not be an integer.

    Arguments, derivatives and errors are those of `gamma`, for the concentration ``df / 2``.

    >>> import staticgraph as sg
    >>> bool(sg.Session(seed=1).run(sg.random.chi_square(3.0)) > 0)
    True
    """
    draw, (freedom,) = _draw("chi_square", ("df",), (df,), shape, dtype)
    logarithm = _log_gamma(draw.target, multiply(freedom, 0.5))
    return _result(draw, multiply(exp(logarithm), 2.0), name or "chi_square")


@names_told
def student_t(df: Any, shape: Any = None, dtype: Any = None, *, name: str | None = None) -> Tensor:
    """Student's t of `df` degrees of freedom: a normal number over the root of a chi-square's mean.

    Arguments, derivatives and errors are those of `gamma`, for `df`.

    >>> import staticgraph as sg
    >>> sg.random.student_t(3.0, shape=(2, 3)).shape
    (2, 3)
    """
    draw, (freedom,) = _draw("student_t", ("df",), (df,), shape, dtype)
    half = multiply(freedom, 0.5)
    logarithm = _log_gamma(draw.target, half)
    deviate = standard_normal(draw.graph, draw.target, dtypes.float64)
    wide = exp(multiply(subtract(log(half), logarithm), 0.5))
    return _result(draw, multiply(deviate, wide), name or "student_t")


@names_told
def beta(
    a: Any, b: Any, shape: Any = None, dtype: Any = None, *, name: str | None = None
) -> Tensor:
    """Beta numbers, in [0, 1], of the concentrations `a` (of 1) and `b` (of 0).

    a, b    positive numbers or tensors that broadcast to `shape`; derivatives flow to them
    shape   an int, a sequence of ints and scalar int tensors, or an int64 vector tensor; that to
            which the parameters broadcast when not given
    dtype   float32 or float64; that of the parameters, float32 for Python numbers

    The share of one gamma number in the sum of two; derivatives and errors are those of `gamma`.

    >>> import staticgraph as sg
    >>> draw = sg.random.beta(2.0, 6.0, shape=(10000,))
    >>> bool(abs(sg.Session(seed=1).run(sg.mean(draw)) - 0.25) < 0.01)
    True
    """
    draw, (one, other) = _draw("beta", ("a", "b"), (a, b), shape, dtype)
    odds = subtract(_log_gamma(draw.target, one), _log_gamma(draw.target, other))
    return _result(draw, sigmoid(odds), name or "beta")


@names_told
def dirichlet(
    concentration: Any, shape: Any = None, dtype: Any = None, *, name: str | None = None
) -> Tensor:
    """Shares that add up to 1, of the given concentrations along the last axis.

    concentration   positive numbers or a tensor [..., n]; derivatives flow to it
    shape           how many are drawn: the result has the shape ``(*shape, n)``, to which
                    `concentration` broadcasts; its own shape when not given
    dtype           float32 or float64; that of `concentration`, float32 for Python numbers

    Shares of gamma numbers in their sum; derivatives and errors are those of `gamma`. Raises
    ShapeError for a concentration without axes.

    >>> import staticgraph as sg
    >>> shares = sg.Session(seed=1).run(sg.random.dirichlet([1.0, 2.0, 3.0], shape=(2,)))
    >>> shares.shape
    (2, 3)
    """
    draw, (power,) = _draw("dirichlet", ("concentration",), (concentration,), None, dtype)
    if power.type.ndim == 0:
        raise refusal("dirichlet", "the concentration is a scalar", "its last axis has the shares")
    last = one_axis(SUM, power, -1)
    target = shape_of(power) if shape is None else _with_last(power, shape, last)
    logarithm = _log_gamma(target, fit(power, target))
    return _result(draw, softmax(logarithm, axis=-1), name or "dirichlet")


def _with_last(power: Tensor, wanted: Any, last: int) -> Target:
    """A shape, and the last axis of the concentrations after it."""
    batch = read_sizes("dirichlet", wanted)
    return read_sizes("dirichlet", (*listed_sizes("dirichlet", batch), size(power, last)))
