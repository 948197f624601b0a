"""Initial values of variables: functions of a shape, made by functions of what else they need.

They stand where TensorFlow 1 has them, in a namespace `initializers` of their own: they are no ops
of a network, which `sg.nn` holds, but make constants and random tensors for `sg.Variable`. A random
one draws anew for every variable; a session draws initial values as in a run of their own, so they
are the same for one seed whatever a program runs first.

The last two axes of a shape are taken for what goes in and what comes out, axes before them for the
window of a convolution, as TensorFlow lays out weights: ``(inputs, outputs)`` and ``(height, width,
channels in, channels out)``. So ``fan_in`` is the size of the window times the last but one axis,
``fan_out`` that times the last; of a vector both are its length.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.graph import Tensor
from staticgraph.errors import DTypeError
from staticgraph.ops import creation
from staticgraph.ops.convert import is_tensor_like
from staticgraph.ops.elementwise import less, multiply, where
from staticgraph.ops.linalg import diagonal, qr
from staticgraph.ops.random.arguments import names_told
from staticgraph.ops.random.continuous import normal, uniform
from staticgraph.ops.random.parameters import refuse_known
from staticgraph.ops.random.truncated import truncated_normal as cut_normal
from staticgraph.ops.shaping import permute_dims, reshape
from staticgraph.ops.sizes import read_sizes, refusal

__all__ = [
    "constant",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]


def __dir__() -> list[str]:
    """What the namespace offers, without what it is made of."""
    return __all__


# The standard deviation of a standard normal number that is cut at two of them:
# sqrt(1 - 4 phi(2) / (2 Phi(2) - 1)).
_CUT = math.sqrt(1.0 - 4.0 * math.exp(-2.0) / math.sqrt(2.0 * math.pi) / math.erf(math.sqrt(2.0)))


class Initializer(Protocol):
    """What makes the initial value of a variable."""

    def __call__(self, shape: Any, dtype: Any = "float32", *, name: str | None = None) -> Tensor:
        """A tensor of a shape (an int, a sequence of ints, or what `sg.zeros` takes) and dtype."""
        ...


def _floating(what: str, dtype: Any) -> DType:
    wanted = dtypes.as_dtype(dtype)
    if wanted not in dtypes.FLOATING:
        spelt = dtypes.name(wanted)
        instead = "dtype is float32 or float64"
        if wanted in dtypes.HALF:
            instead += f"; sg.cast(value, '{spelt}') converts what is made"
        raise refusal(what, f"makes no {spelt}", instead, error=DTypeError)
    return wanted


def _refuse_deviation(what: str, stddev: Any) -> None:
    """Refuses a deviation that makes no sense now; the run checks one that is a tensor."""
    if not is_tensor_like(stddev):
        refuse_known(what, "stddev", np.asarray(stddev), "weight")


def _known(what: str, shape: Any) -> tuple[int, ...]:
    """A shape all of whose sizes are known now."""
    target = read_sizes(what, shape)
    if target.operands or target.shape is None:
        raise refusal(
            what,
            "a size of the shape is known only to the run",
            "what is drawn depends on the sizes: give ints",
        )
    return target.shape  # type: ignore[return-value]  # without an operand every size is an int


@names_told
def zeros() -> Initializer:
    """Makes zeros, of any dtype.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.Variable(sg.initializers.zeros()((2,))))
    array([0., 0.], dtype=float32)
    """

    def make(shape: Any, dtype: Any = "float32", *, name: str | None = None) -> Tensor:
        return creation.zeros(shape, dtype, name=name)

    return make


@names_told
def ones() -> Initializer:
    """Makes ones, of any dtype.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.Variable(sg.initializers.ones()((2,), "int32")))
    array([1, 1], dtype=int32)
    """

    def make(shape: Any, dtype: Any = "float32", *, name: str | None = None) -> Tensor:
        return creation.ones(shape, dtype, name=name)

    return make


@names_told
def constant(value: Any) -> Initializer:
    """Makes tensors of a known `value`: a number, or an array that broadcasts to the shape.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.Variable(sg.initializers.constant([1, 2])((2, 2))))
    array([[1., 2.],
           [1., 2.]], dtype=float32)
    """

    def make(shape: Any, dtype: Any = "float32", *, name: str | None = None) -> Tensor:
        return creation.full(shape, value, dtype, name=name)

    return make


@names_told
def random_uniform(low: float = -0.05, high: float = 0.05) -> Initializer:
    """Makes numbers that are uniform from `low` up to `high`.

    Raises ShapeError for bounds that are infinite or in the wrong order.

    >>> import staticgraph as sg
    >>> values = sg.Session(seed=1).run(sg.initializers.random_uniform()((100,)))
    >>> bool(abs(values).max() <= 0.05)
    True
    """

    if not (is_tensor_like(low) or is_tensor_like(high)):
        for bound, value in (("low", low), ("high", high)):
            if not np.all(np.isfinite(value)):
                raise refusal(
                    "random_uniform", f"{bound} {value} is not finite", "give finite bounds"
                )
        if np.any(np.greater(low, high)):
            raise refusal("random_uniform", f"low {low} is above high {high}", "give low <= high")

    def make(shape: Any, dtype: Any = "float32", *, name: str | None = None) -> Tensor:
        return uniform(shape, low, high, _floating("random_uniform", dtype), name=name)

    return make


@names_told
def random_normal(mean: float = 0.0, stddev: float = 0.05) -> Initializer:
    """Makes normal numbers of the given mean and standard deviation.

    Raises ShapeError for a `stddev` below 0 or not finite.

    >>> import staticgraph as sg
    >>> sg.initializers.random_normal()((3, 2)).shape
    (3, 2)
    """

    _refuse_deviation("random_normal", stddev)

    def make(shape: Any, dtype: Any = "float32", *, name: str | None = None) -> Tensor:
        return normal(shape, mean, stddev, _floating("random_normal", dtype), name=name)

    return make


@names_told
def truncated_normal(mean: float = 0.0, stddev: float = 0.05) -> Initializer:
    """Makes normal numbers of which none is further than ``2 * stddev`` from the mean.

    stddev   the standard deviation before the distribution is cut; ShapeError where it is below 0
             or not finite

    >>> import staticgraph as sg
    >>> values = sg.Session(seed=1).run(sg.initializers.truncated_normal()((100,)))
    >>> bool(abs(values).max() <= 0.1)
    True
    """

    _refuse_deviation("truncated_normal", stddev)

    def make(shape: Any, dtype: Any = "float32", *, name: str | None = None) -> Tensor:
        return cut_normal(shape, mean, stddev, _floating("truncated_normal", dtype), name=name)

    return make


# -- scaled by what goes in and comes out -----------------------------------------------------


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")


@names_told
def variance_scaling(
    scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal"
) -> Initializer:
    """Makes numbers of mean 0 and variance ``scale / n``, n being what `mode` says.

    scale          a positive number
    mode           ``"fan_in"``, ``"fan_out"`` or ``"fan_avg"``, the mean of both
    distribution   ``"truncated_normal"``, cut at two standard deviations of the distribution before
                   it is cut, whose variance after the cut is meant; ``"untruncated_normal"``; or
                   ``"uniform"`` between ``+-sqrt(3 * scale / n)``

    Raises ShapeError for another mode or distribution, for a scale that is not positive and
    finite, and for a shape with a size that only the run knows.

    >>> import staticgraph as sg
    >>> make = sg.initializers.variance_scaling(2.0, "fan_out")
    >>> values = sg.Session(seed=1).run(make((100, 200)))
    >>> bool(abs(values.std() - 0.1) < 0.002)
    True
    """
    return _scaled("variance_scaling", scale, mode, distribution)


def _scaled(what: str, scale: float, mode: str, distribution: str) -> Initializer:
    if mode not in _MODES:
        raise refusal(what, f"mode={mode!r} is no mode", f"give one of {', '.join(_MODES)}")
    if distribution not in _DISTRIBUTIONS:
        raise refusal(
            what,
            f"distribution={distribution!r} is none",
            f"give one of {', '.join(_DISTRIBUTIONS)}",
        )
    if not 0 < scale < math.inf:
        raise refusal(what, f"scale {scale} is not positive and finite", "give a scale above 0")

    def make(shape: Any, dtype: Any = "float32", *, name: str | None = None) -> Tensor:
        wanted = _floating(what, dtype)
        dims = _known(what, shape)
        coming, going = _fans(dims)
        fan = {"fan_in": coming, "fan_out": going, "fan_avg": (coming + going) / 2}[mode]
        stddev = math.sqrt(scale / max(fan, 1.0))
        if distribution == "uniform":
            limit = math.sqrt(3.0) * stddev
            return uniform(dims, -limit, limit, wanted, name=name or what)
        if distribution == "untruncated_normal":
            return normal(dims, 0.0, stddev, wanted, name=name or what)
        return cut_normal(dims, 0.0, stddev / _CUT, wanted, name=name or what)

    return make


@names_told
def glorot_uniform() -> Initializer:
    """Makes uniform numbers of the variance ``2 / (fan_in + fan_out)``.

    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, (16).

    >>> import staticgraph as sg
    >>> values = sg.Session(seed=1).run(sg.initializers.glorot_uniform()((20, 10)))
    >>> bool(abs(values).max() <= (6 / 30) ** 0.5)
    True
    """
    return _scaled("glorot_uniform", 1.0, "fan_avg", "uniform")


@names_told
def glorot_normal() -> Initializer:
    """Makes truncated normal numbers of the variance ``2 / (fan_in + fan_out)``.

    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, (12).

    >>> import staticgraph as sg
    >>> sg.initializers.glorot_normal()((20, 10)).shape
    (20, 10)
    """
    return _scaled("glorot_normal", 1.0, "fan_avg", "truncated_normal")


@names_told
def he_uniform() -> Initializer:
    """Makes uniform numbers of the variance ``2 / fan_in``, for layers that end in relu.

    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV 2015, (10).

    >>> import staticgraph as sg
    >>> sg.initializers.he_uniform()((20, 10)).shape
    (20, 10)
    """
    return _scaled("he_uniform", 2.0, "fan_in", "uniform")


@names_told
def he_normal() -> Initializer:
    """Makes truncated normal numbers of the variance ``2 / fan_in``, for layers that end in relu.

    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers", ICCV 2015, (10).

    >>> import staticgraph as sg
    >>> sg.initializers.he_normal()((20, 10)).shape
    (20, 10)
    """
    return _scaled("he_normal", 2.0, "fan_in", "truncated_normal")


@names_told
def lecun_uniform() -> Initializer:
    """Makes uniform numbers of the variance ``1 / fan_in``.

    Y. LeCun, L. Bottou, G. Orr and K.-R. Muller, "Efficient BackProp", 1998, (16).

    >>> import staticgraph as sg
    >>> sg.initializers.lecun_uniform()((20, 10)).shape
    (20, 10)
    """
    return _scaled("lecun_uniform", 1.0, "fan_in", "uniform")


@names_told
def lecun_normal() -> Initializer:
    """Makes truncated normal numbers of the variance ``1 / fan_in``.

    Y. LeCun, L. Bottou, G. Orr and K.-R. Muller, "Efficient BackProp", 1998, (16).

    >>> import staticgraph as sg
    >>> sg.initializers.lecun_normal()((20, 10)).shape
    (20, 10)
    """
    return _scaled("lecun_normal", 1.0, "fan_in", "truncated_normal")


# -- matrices ---------------------------------------------------------------------------------


@names_told
def identity(gain: float = 1.0) -> Initializer:
    """Makes `gain` times the identity, for shapes of two axes.

    What is no square has zeros in the rows or columns that are left over. Raises ShapeError for
    another number of axes.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.initializers.identity(2.0)((2, 3)))
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    def make(shape: Any, dtype: Any = "float32", *, name: str | None = None) -> Tensor:
        dims = _known("identity", shape)
        if len(dims) != 2:
            raise refusal("identity", f"shape {dims} is no matrix's", "give two sizes")
        square = creation.eye(dims[0], dims[1], dtype=dtype, name=name)
        return square if gain == 1.0 else multiply(square, gain, name=name)

    return make


@names_told
def orthogonal(gain: float = 1.0) -> Initializer:
    """Makes `gain` times random matrices with orthonormal columns, or rows where these are fewer.

    Shapes of more than two axes are those of a matrix whose columns the last axis counts. The
    orthogonal factor of a matrix of normal numbers, whose signs are those that make R's diagonal
    positive, so that it is uniformly distributed (F. Mezzadri, "How to generate random matrices
    from the classical compact groups", Notices of the AMS 54, 2007; its use: A. M. Saxe, J. L.
    McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", ICLR 2014). Raises ShapeError for fewer than two axes.

    >>> import numpy as np
    >>> import staticgraph as sg
    >>> q = sg.Session(seed=1).run(sg.initializers.orthogonal()((3, 2), "float64"))
    >>> np.allclose(q.T @ q, np.eye(2))
    True
    """

    def make(shape: Any, dtype: Any = "float32", *, name: str | None = None) -> Tensor:
        wanted = _floating("orthogonal", dtype)
        dims = _known("orthogonal", shape)
        if len(dims) < 2:
            raise refusal("orthogonal", f"shape {dims} is no matrix's", "give two sizes or more")
        rows, columns = math.prod(dims[:-1]), dims[-1]
        wide = rows < columns
        drawn = normal((columns, rows) if wide else (rows, columns), dtype=wanted)
        factor, upper = qr(drawn)
        turned = where(less(diagonal(upper), 0.0), -gain, gain)
        matrix = multiply(factor, turned)
        return reshape(permute_dims(matrix) if wide else matrix, dims, name=name or "orthogonal")

    return make
