"""Special functions, under TensorFlow's names: erfc, erfinv, lgamma, igamma and so on.

Each is elementwise and differentiable to any order, igamma by its first operand twice. They stand
at the top level beside `erf`; the functions of scipy.special apply to tensors, too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from staticgraph.config import LazyModule
from staticgraph.core.dtypes import FLOATING
from staticgraph.core.elements import ElementBuilder
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import DIAGONAL, OpDef, get, register
from staticgraph.errors import GraphError
from staticgraph.ops.convert import cast, promote
from staticgraph.ops.elementwise import (
    equal,
    exp,
    isfinite,
    log,
    logical_and,
    negative,
    square,
    where,
)
from staticgraph.ops.elementwise.record import ElementwiseFunction, elementwise, infer_same
from staticgraph.ops.shaping import broadcast_like
from staticgraph.ops.sizes import is_int, refusal

special = LazyModule("scipy.special")

# -- error functions --------------------------------------------------------------------------

_TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)

erfc = elementwise(
    "erfc", lambda x: special.erfc(x),
    emit=lambda s, x: s.erfc(x),
    vjp=lambda node, adjoint: adjoint
    * (-_TWO_OVER_ROOT_PI * exp(negative(square(node.inputs[0])))),
    doc="Complement of the error function, elementwise: ``1 - erf(x)``, accurate where that is "
        "small.",
)  # fmt: skip
erfinv = elementwise(
    "erfinv", lambda x: np.copysign(special.erfinv(x), x),
    emit=lambda s, x: s.erfinv(x),
    vjp=lambda node, adjoint: adjoint * (exp(square(node.out)) / _TWO_OVER_ROOT_PI),
    doc="Inverse of the error function, elementwise; infinite at -1 and 1, NaN beyond.",
)  # fmt: skip

# -- logarithms that are multiplied with 0 ----------------------------------------------------


def _emit_xlogy(s: ElementBuilder[Any], x: Any, y: Any) -> Any:
    zero = s.constant(0, x.dtype)
    nothing = s.logical_and(s.equal(x, zero), s.logical_not(s.isnan(y)))
    return s.where(nothing, zero, s.multiply(x, s.log(y)))


def _vjp_xlogy_y(node: Operation, adjoint: Tensor) -> Tensor:
    x, y = node.inputs
    nothing = logical_and(equal(x, 0), equal(y, 0))
    return adjoint * (x / where(nothing, 1, y))


xlogy = elementwise(
    "xlogy", lambda x, y: special.xlogy(x, y), operands=("x", "y"),
    emit=_emit_xlogy,
    vjp=(lambda node, adjoint: adjoint * log(node.inputs[1]), _vjp_xlogy_y),
    doc="``x * log(y)``, elementwise, and 0 where x is 0 and y is not NaN.",
)  # fmt: skip

# -- the gamma function -----------------------------------------------------------------------


def _reference_lgamma(x: Any) -> Any:
    # SciPy's is infinite for subnormal numbers.
    size = np.abs(x)
    return np.where(size < 1e-30, -np.log(size), special.gammaln(x))


lgamma = elementwise(
    "lgamma", _reference_lgamma,
    emit=lambda s, x: s.lgamma(x),
    vjp=lambda node, adjoint: adjoint * digamma(node.inputs[0]),
    doc="Logarithm of the absolute value of the gamma function, elementwise; infinite at 0 and at "
        "the negative integers.",
)  # fmt: skip
digamma: ElementwiseFunction = elementwise(
    "digamma", lambda x: special.digamma(x),
    emit=lambda s, x: s.digamma(x),
    vjp=lambda node, adjoint: adjoint * polygamma(1, node.inputs[0]),
    doc="Derivative of `lgamma`, elementwise; infinite at 0, NaN at the negative integers.",
)  # fmt: skip


def _reference_polygamma(x: Any, *, order: int) -> Any:
    return np.asarray(special.polygamma(order, x)).astype(x.dtype)


def _vjp_polygamma(node: Operation, adjoint: Tensor) -> Tensor:
    return adjoint * polygamma(node.attrs["order"] + 1, node.inputs[0])


POLYGAMMA = register(
    OpDef(
        "polygamma",
        operands=("x",),
        infer=infer_same,
        reference=_reference_polygamma,
        attrs=("order",),
        dtypes=FLOATING,
        elementwise=True,
        emit=lambda s, x, *, order: s.polygamma(x, order),
        vjp=(_vjp_polygamma,),
        jvp=DIAGONAL,
        doc="Derivative of `digamma` of an order from 1 on, elementwise; infinite at 0 and at the "
        "negative integers.",
    )
)


def polygamma(n: int, x: Any, *, name: str | None = None) -> Tensor:
    """The derivative of `digamma` of order `n`, an int that is known now, at `x`, elementwise.

    Order 0 is `digamma` itself. Integers and bools are computed in floating point. Raises
    GraphError where `n` is no int from 0 on.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.polygamma(1, [1.0, 2.0])).round(4)
    array([1.6449, 0.6449], dtype=float32)
    """
    if not is_int(n) or n < 0:
        raise refusal(
            "polygamma",
            f"{n!r} is no order of a derivative",
            "give an int from 0 on, which is known when the graph is built",
            error=GraphError,
        )
    if n == 0:
        return digamma(x, name=name)
    (tensor,) = promote((x,), floating=True)
    return tensor.graph.add(POLYGAMMA, (tensor,), {"order": int(n)}, name).out


# -- the incomplete gamma functions -----------------------------------------------------------


def _vjp_igamma_x(node: Operation, adjoint: Tensor) -> Tensor:
    a, x = node.inputs
    return adjoint * exp(xlogy(a - 1.0, x) - x - lgamma(a))


def _vjp_igamma_a(node: Operation, adjoint: Tensor) -> Tensor:
    # A quantile moves with a as log_gamma_path says; held fixed, the probability moves back.
    a, x = [cast(broadcast_like(operand, node.out), "float64") for operand in node.inputs]
    within = logical_and(x > 0, isfinite(x))
    safe = where(within, x, 1.0)
    logarithm = log(safe)
    # Its record stands with the random numbers, some of which need functions from here.
    path = node.graph.add(get("log_gamma_path"), (a, logarithm), {"part": "slope"}).out
    slope = path * exp(a * logarithm - safe - lgamma(a))
    return negative(adjoint * cast(where(within, slope, 0.0), node.out.dtype))


def _reference_igamma(a: Any, x: Any) -> Any:
    # SciPy loses what is subnormal, and the largest numbers.
    tiny = (a > 0) & (a < 1e-290) & (x > 0)
    result = np.where(tiny, a.dtype.type(1), special.gammainc(a, x))
    start = np.exp(a * np.log(x) - special.gammaln(a + 1)).astype(a.dtype)
    result = np.where((x > 0) & (x < 1e-290) & (a >= 1e-290) & (a < np.inf), start, result)
    return np.where((a > 1e100) & (x < a / 2) & (x >= 0), a.dtype.type(0), result)


def _reference_igammac(a: Any, x: Any) -> Any:
    tiny = (a > 0) & (a < 1e-290) & (x > 0)
    result = np.where(tiny, a * special.exp1(x), special.gammaincc(a, x))
    return np.where((a > 1e100) & (x < a / 2) & (x >= 0), a.dtype.type(1), result)


igamma = elementwise(
    "igamma", _reference_igamma, operands=("a", "x"),
    emit=lambda s, a, x: s.igamma(a, x, False),
    vjp=(_vjp_igamma_a, _vjp_igamma_x),
    doc="Lower regularised incomplete gamma function, elementwise: the probability that a gamma "
        "number of concentration a is below x. NaN where a or x is negative. Differentiable twice "
        "by a, and by x to any order.",
)  # fmt: skip
igammac = elementwise(
    "igammac", _reference_igammac, operands=("a", "x"),
    emit=lambda s, a, x: s.igamma(a, x, True),
    vjp=(
        lambda node, adjoint: negative(_vjp_igamma_a(node, adjoint)),
        lambda node, adjoint: negative(_vjp_igamma_x(node, adjoint)),
    ),
    doc="Upper regularised incomplete gamma function, elementwise: ``1 - igamma(a, x)``, accurate "
        "where that is small. NaN where a or x is negative.",
)  # fmt: skip
