"""Activations of neural networks: functions of single elements, made of elementwise ops.

Half precision is rounded once, at the end. What a derivative is where a function has a kink stands
in its docstring; second derivatives are 0 there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.ops import elementwise as ew
from staticgraph.ops.axes import one_axis, refuse
from staticgraph.ops.convert import in_one_graph, promote
from staticgraph.ops.elementwise import relu, sigmoid, softplus, tanh
from staticgraph.ops.half import rounded_once
from staticgraph.ops.joining import concat, split
from staticgraph.ops.sizes import as_bool, dim_of


def _floats(x: Any) -> Tensor:
    """`x` in the floating dtype that it has by itself, whatever parameters stand beside it."""
    (tensor,) = promote((x,), floating=True)
    return tensor


def _with_parameter(
    made: Callable[..., Tensor], x: Any, parameter: Any, name: str | None
) -> Tensor:
    """What `made` gives for `x` and a parameter; beside half precision a number stays exact."""
    tensor = _floats(x)
    if isinstance(parameter, int | float):
        return rounded_once(lambda x, name: made(x, parameter, name), (tensor,), name)
    return rounded_once(made, (tensor, parameter), name)


def silu(x: Any, *, name: str | None = None) -> Tensor:
    """``x * sigmoid(x)``, elementwise; also called swish.

    Source: Elfwing, Uchibe and Doya, Neural Networks 107 (2018).

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.silu(sg.constant([0.0, 100.0])))
    array([  0., 100.], dtype=float32)
    """

    def made(x: Tensor, name: str | None) -> Tensor:
        return ew.multiply(x, sigmoid(x), name=name)

    return rounded_once(made, (x,), name)


swish = silu


def gelu(x: Any, approximate: bool = False, *, name: str | None = None) -> Tensor:
    """``x * P(X <= x)`` for a standard normal X, elementwise.

    approximate  use a hyperbolic tangent in place of the error function, as some models do

    Source: Hendrycks and Gimpel, arXiv:1606.08415.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.gelu(sg.constant([0.0, 100.0])))
    array([  0., 100.], dtype=float32)
    """

    approximate = as_bool("gelu", "approximate", approximate)

    def with_tanh(x: Tensor, name: str | None) -> Tensor:
        inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))
        return ew.multiply(0.5 * x, 1.0 + tanh(inner), name=name)

    def with_erf(x: Tensor, name: str | None) -> Tensor:
        # erfc would keep more digits of results that are next to 0, at three times the price.
        return ew.multiply(0.5 * x, 1.0 + ew.erf(x * math.sqrt(0.5)), name=name)

    return rounded_once(with_tanh if approximate else with_erf, (x,), name)


@in_one_graph
def leaky_relu(x: Any, negative_slope: Any = 0.01, *, name: str | None = None) -> Tensor:
    """``x`` where it is positive, else ``negative_slope * x``, elementwise.

    negative_slope   a number, or a tensor that broadcasts with `x`, to which derivatives flow (a
                     parametric relu); it is the slope at 0 too

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.leaky_relu(sg.constant([-1.0, 1.0]), 0.5))
    array([-0.5,  1. ], dtype=float32)
    """

    def made(x: Tensor, slope: Any, name: str | None) -> Tensor:
        return ew.where(x > 0, x, slope * x, name=name)

    return _with_parameter(made, x, negative_slope, name)


@in_one_graph
def elu(x: Any, alpha: Any = 1.0, *, name: str | None = None) -> Tensor:
    """``x`` where it is positive, else ``alpha * (exp(x) - 1)``, elementwise.

    Its slope at 0 is `alpha`. Source: Clevert, Unterthiner and Hochreiter, arXiv:1511.07289.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.elu(sg.constant([-1000.0, 1.0])))
    array([-1.,  1.], dtype=float32)
    """

    def made(x: Tensor, alpha: Any, name: str | None) -> Tensor:
        return ew.where(x > 0, x, alpha * ew.expm1(x), name=name)

    return _with_parameter(made, x, alpha, name)


# Klambauer, Unterthiner, Mayr and Hochreiter, arXiv:1706.02515, equation 14.
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def selu(x: Any, *, name: str | None = None) -> Tensor:
    """``scale * elu(x, alpha)`` with the constants that keep mean 0 and variance 1, elementwise.

    Its slope at 0 is ``scale * alpha``, 1.758. Source: Klambauer, Unterthiner, Mayr and Hochreiter,
    arXiv:1706.02515.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.selu(sg.constant([-1000.0, 1.0])))
    array([-1.7580993,  1.050701 ], dtype=float32)
    """

    def made(x: Tensor, name: str | None) -> Tensor:
        kept, bent = _SELU_SCALE * x, (_SELU_SCALE * _SELU_ALPHA) * ew.expm1(x)
        return ew.where(x > 0, kept, bent, name=name)

    return rounded_once(made, (x,), name)


def celu(x: Any, alpha: Any = 1.0, *, name: str | None = None) -> Tensor:
    """``x`` where it is positive, else ``alpha * (exp(x / alpha) - 1)``, elementwise.

    Its slope at 0 is 1 for any `alpha`, which is above 0. Source: Barron, arXiv:1704.07483.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.celu(sg.constant([-1000.0, 1.0]), 2.0))
    array([-2.,  1.], dtype=float32)
    """

    def made(x: Tensor, alpha: Any, name: str | None) -> Tensor:
        return ew.where(x > 0, x, alpha * ew.expm1(x / alpha), name=name)

    return _with_parameter(made, x, alpha, name)


def relu6(x: Any, *, name: str | None = None) -> Tensor:
    """``min(max(x, 0), 6)``, elementwise; its slope at 0 and at 6 is 0.

    Source: Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.relu6(sg.constant([-1.0, 2.0, 7.0])))
    array([0., 2., 6.], dtype=float32)
    """
    tensor = _floats(x)
    return ew.where(tensor >= 6.0, 6.0, relu(tensor), name=name)


def hard_sigmoid(x: Any, *, name: str | None = None) -> Tensor:
    """``relu6(x + 3) / 6``, elementwise; its slope at -3 and 3 is 0.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.hard_sigmoid(sg.constant([-4.0, 0.0, 4.0])))
    array([0. , 0.5, 1. ], dtype=float32)
    """

    def made(x: Tensor, name: str | None) -> Tensor:
        return ew.divide(relu6(x + 3.0), 6.0, name=name)

    return rounded_once(made, (x,), name)


def hard_silu(x: Any, *, name: str | None = None) -> Tensor:
    """``x * hard_sigmoid(x)``, elementwise; also called hard_swish.

    Source: Howard et al., arXiv:1905.02244.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.hard_silu(sg.constant([-4.0, 0.0, 4.0])))
    array([-0.,  0.,  4.], dtype=float32)
    """

    def made(x: Tensor, name: str | None) -> Tensor:
        return ew.multiply(x, hard_sigmoid(x), name=name)

    return rounded_once(made, (x,), name)


hard_swish = hard_silu


def hard_tanh(x: Any, *, name: str | None = None) -> Tensor:
    """``x`` between -1 and 1, the nearer of them outside, elementwise; its slope at both is 1.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.hard_tanh(sg.constant([-4.0, 0.5, 4.0])))
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    tensor = _floats(x)
    return ew.where(tensor > 1.0, 1.0, ew.where(tensor < -1.0, -1.0, tensor), name=name)


def log_sigmoid(x: Any, *, name: str | None = None) -> Tensor:
    """``log(sigmoid(x))``, elementwise, accurate also where the sigmoid is next to 0 or 1.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.log_sigmoid(sg.constant([-1000.0, 0.0])))
    array([-1.000000e+03, -6.931472e-01], dtype=float32)
    """

    def made(x: Tensor, name: str | None) -> Tensor:
        return ew.negative(softplus(ew.negative(x)), name=name)

    return rounded_once(made, (x,), name)


def mish(x: Any, *, name: str | None = None) -> Tensor:
    """``x * tanh(softplus(x))``, elementwise.

    Source: Misra, arXiv:1908.08681.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.mish(sg.constant([0.0, 100.0])))
    array([  0., 100.], dtype=float32)
    """

    def made(x: Tensor, name: str | None) -> Tensor:
        return ew.multiply(x, tanh(softplus(x)), name=name)

    return rounded_once(made, (x,), name)


def softsign(x: Any, *, name: str | None = None) -> Tensor:
    """``x / (1 + abs(x))``, elementwise; its second derivative, which jumps at 0, is 0 there.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.softsign(sg.constant([-3.0, 0.0, 1.0])))
    array([-0.75,  0.  ,  0.5 ], dtype=float32)
    """

    def made(x: Tensor, name: str | None) -> Tensor:
        return ew.divide(x, 1.0 + ew.abs(x), name=name)

    return rounded_once(made, (x,), name)


# -- of two parts -----------------------------------------------------------------------------


def glu(x: Any, axis: int = -1, *, name: str | None = None) -> Tensor:
    """The first half of `x` along `axis` times the sigmoid of the second half.

    Raises ShapeError for an axis that `x` does not have, or one of a size that is odd or not known.
    Source: Dauphin, Fan, Auli and Grangier, arXiv:1612.08083.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.glu(sg.constant([2.0, 4.0, 0.0, 100.0])))
    array([1., 4.], dtype=float32)
    """
    tensor = _floats(x)
    number = one_axis("glu", tensor, axis)
    dim = dim_of(tensor, number)
    if not isinstance(dim, int) or dim % 2:
        have = dim if isinstance(dim, int) else "not known"
        refuse("glu", (tensor,), Mismatch(
            f"the size of axis {number} is {have}", "it must be even, to have two halves"
        ))  # fmt: skip
    first, second = split(tensor, 2, axis=number)

    def made(first: Tensor, second: Tensor, name: str | None) -> Tensor:
        return ew.multiply(first, sigmoid(second), name=name)

    return rounded_once(made, (first, second), name)


def crelu(x: Any, axis: int = -1, *, name: str | None = None) -> Tensor:
    """``relu(x)`` and ``relu(-x)`` side by side along `axis`, which is twice as long.

    Raises ShapeError for an axis that `x` does not have. Source: Shang, Sohn, Almeida and Lee,
    arXiv:1603.05201.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.crelu(sg.constant([-1.0, 2.0])))
    array([0., 2., 1., 0.], dtype=float32)
    """
    tensor = _floats(x)
    number = one_axis("crelu", tensor, axis)
    return concat([relu(tensor), relu(ew.negative(tensor))], axis=number, name=name)
