"""The normal and the logistic distribution: probabilities, their logarithms and inverses.

Each is accurate relative to itself in its tails, where a formula made of `erf` has no digits left.
Names are those of scipy.special.
"""

from __future__ import annotations

import math
from typing import Any

from staticgraph.config import LazyModule
from staticgraph.core.elements import ElementBuilder
from staticgraph.core.graph import Operation, Tensor
from staticgraph.ops.elementwise import exp, multiply, negative, square, where
from staticgraph.ops.elementwise.record import ElementwiseFunction, elementwise
from staticgraph.ops.half import rounded_once

special = LazyModule("scipy.special")

_ROOT_OF_HALF = math.sqrt(0.5)
_ROOT_OF_TWO_PI = math.sqrt(2.0 * math.pi)
# From here on the slope of erfcx is its asymptotic series, since what it is made of cancels.
_FAR = 25.0
_SERIES = (-1.0, 3.0, -15.0, 105.0, -945.0, 10395.0)


def _vjp_erfcx(node: Operation, adjoint: Tensor) -> Tensor:
    x = node.inputs[0]
    far = x > _FAR
    inverse = 0.5 / square(where(far, x, _FAR))
    series: Any = 0.0
    for coefficient in reversed(_SERIES):
        series = (series + coefficient) * inverse
    near = where(far, 0.0, x) * node.out - 1.0 / math.sqrt(math.pi)
    return adjoint * (2.0 * where(far, series * (1.0 / math.sqrt(math.pi)), near))


erfcx: ElementwiseFunction = elementwise(
    "erfcx", lambda x: special.erfcx(x),
    emit=lambda s, x: s.erfcx(x), vjp=_vjp_erfcx,
    doc="Scaled complement of the error function, elementwise: ``exp(x**2) * erfc(x)``, which does "
        "not underflow; infinite below -26.7.",
)  # fmt: skip
ndtr = elementwise(
    "ndtr", lambda x: special.ndtr(x),
    emit=lambda s, x: s.ndtr(x),
    vjp=lambda node, adjoint: adjoint
    * (exp(square(node.inputs[0]) * -0.5) * (1.0 / _ROOT_OF_TWO_PI)),
    doc="Probability that a standard normal number is below x, elementwise.",
)  # fmt: skip
ndtri = elementwise(
    "ndtri", lambda p: special.ndtri(p), operands=("p",),
    emit=lambda s, p: s.ndtri(p),
    vjp=lambda node, adjoint: adjoint * (exp(square(node.out) * 0.5) * _ROOT_OF_TWO_PI),
    doc="Inverse of `ndtr`, elementwise: the quantile of probability p; infinite at 0 and 1, NaN "
        "beyond.",
)  # fmt: skip


def _emit_log_ndtr(s: ElementBuilder[Any], x: Any) -> Any:
    def number(value: float) -> Any:
        return s.constant(value, x.dtype)

    half = s.multiply(x, number(0.5))
    # Far down the probability underflows, and what is left of it is scaled.
    low = s.log(s.multiply(s.erfcx(s.multiply(x, number(-_ROOT_OF_HALF))), number(0.5)))
    low = s.subtract(low, s.multiply(half, x))
    tail = s.ndtr(s.negative(s.abs(x)))
    high = s.where(s.signbit(x), s.log(tail), s.log1p(s.negative(tail)))
    result = s.where(s.less(x, number(-1.0)), low, high)
    return s.where(s.equal(x, number(-math.inf)), x, result)


log_ndtr = elementwise(
    "log_ndtr", lambda x: special.log_ndtr(x), emit=_emit_log_ndtr,
    vjp=lambda node, adjoint: adjoint
    * (math.sqrt(2.0 / math.pi) / erfcx(node.inputs[0] * -_ROOT_OF_HALF)),
    doc="Logarithm of `ndtr`, elementwise, which is finite far below where that is 0.",
)  # fmt: skip


def _emit_logit(s: ElementBuilder[Any], p: Any) -> Any:
    one, two = s.constant(1, p.dtype), s.constant(2, p.dtype)
    # Close to a half the result is close to 0, and the distance from there is exact.
    off = s.subtract(s.add(p, p), one)
    near = s.multiply(two, s.atanh(off))
    far = s.log(s.divide(p, s.subtract(one, p)))
    return s.where(s.less(s.abs(off), s.constant(0.5, p.dtype)), near, far)


logit = elementwise(
    "logit", lambda p: special.logit(p), operands=("p",), emit=_emit_logit,
    vjp=lambda node, adjoint: adjoint / (node.inputs[0] * (1.0 - node.inputs[0])),
    doc="Inverse of `sigmoid`, elementwise: ``log(p / (1 - p))``; infinite at 0 and 1, NaN beyond.",
)  # fmt: skip


def erfcinv(y: Any, *, name: str | None = None) -> Tensor:
    """Inverse of `erfc`, elementwise; infinite at 0 and 2, NaN beyond.

    Takes y of any real dtype; integers and bools are computed in floating point. Accurate for small
    y, where ``erfinv(1 - y)`` has no digits left.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.erfcinv([1e-30, 0.5])).round(4)
    array([8.1486, 0.4769], dtype=float32)
    """
    return rounded_once(_erfcinv, (y,), name)


def _erfcinv(y: Tensor, *, name: str | None) -> Tensor:
    return multiply(negative(ndtri(y * 0.5)), _ROOT_OF_HALF, name=name)
