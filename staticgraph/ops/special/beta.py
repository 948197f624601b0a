"""The beta function, as its logarithm, and the regularised incomplete beta function.

Names are those of scipy.special and of TensorFlow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.config import LazyModule
from staticgraph.core.dtypes import FLOATING
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import DIAGONAL, NO_ATTRS, OpDef, register
from staticgraph.ops.convert import promote
from staticgraph.ops.elementwise import exp, negative
from staticgraph.ops.elementwise.record import elementwise, infer_same
from staticgraph.ops.special import digamma, xlogy
from staticgraph.ops.special.entropy import xlog1py

special = LazyModule("scipy.special")


def _vjp_betaln(node: Operation, adjoint: Tensor, index: int) -> Tensor:
    a, b = node.inputs
    return adjoint * (digamma(node.inputs[index]) - digamma(a + b))


def _reference_betaln(a: Any, b: Any) -> Any:
    valid = (a >= 0) & (b >= 0)
    zero, endless = (a == 0) | (b == 0), np.isinf(a) | np.isinf(b)
    usual = valid & ~zero & ~endless
    first, second = [np.where(usual, x, 1).astype(np.float64) for x in (a, b)]
    # SciPy's is infinite for subnormal numbers.
    low, high = np.minimum(first, second), np.maximum(first, second)
    tiny = np.log1p(low / high) - np.log(low)
    value = np.where(low < 1e-290, tiny, special.betaln(first, second))
    # Nor has it a sum beyond the largest number.
    value = np.where(np.isnan(value), -np.inf, value)
    value = np.where(usual, value, np.nan)
    value = np.where(valid & zero, np.inf, value)
    value = np.where(valid & endless, -np.inf, value)
    return np.where(valid & zero & endless, np.nan, value).astype(a.dtype)


betaln = elementwise(
    "betaln", _reference_betaln, operands=("a", "b"), commutative=True,
    emit=lambda s, a, b: s.betaln(a, b),
    vjp=(
        lambda node, adjoint: _vjp_betaln(node, adjoint, 0),
        lambda node, adjoint: _vjp_betaln(node, adjoint, 1),
    ),
    doc="Logarithm of the beta function, elementwise: ``lgamma(a) + lgamma(b) - lgamma(a + b)``, "
        "without the cancellation where an operand is large. Infinite where one is 0, NaN where "
        "one is negative.",
)  # fmt: skip


def _reference_betainc(a: Any, b: Any, x: Any) -> Any:
    valid = (a >= 0) & (b >= 0) & (x >= 0) & (x <= 1)
    inner = valid & (a > 0) & (b > 0) & (a < np.inf) & (b < np.inf)
    first, second, place = [np.where(inner, y, 1).astype(np.float64) for y in (a, b, x)]
    value = special.betainc(first, second, place)
    # Of two tiny concentrations all is at the ends, which SciPy loses where they are subnormal.
    within = (place > 0) & (place < 1)
    tiny = (first < 1e-250) & (second < 1e-250) & within
    value = np.where(tiny, 1 / (1 + first / second), value)
    # Where their sum is infinite all is in the middle.
    side = np.sign(place - first / 2 / (first / 2 + second / 2))
    value = np.where(np.isinf(first + second) & within, (1 + side) / 2, value)
    # All is at 0 where a is 0 or b infinite, at 1 where it is the other way round.
    low = ((a == 0) & (b > 0)) | ((b == np.inf) & (a < np.inf))
    high = ((b == 0) & (a > 0)) | ((a == np.inf) & (b < np.inf))
    value = np.where(inner, value, np.nan)
    value = np.where(valid & low, np.where(x > 0, 1, 0), value)
    return np.where(valid & high & ~low, np.where(x < 1, 0, 1), value).astype(a.dtype)


def _vjp_betainc(node: Operation, adjoint: Tensor) -> Tensor:
    a, b, x = node.inputs
    powers = xlogy(a - 1.0, x) + xlog1py(b - 1.0, negative(x))
    return adjoint * exp(powers - betaln(a, b))


BETAINC = register(
    OpDef(
        "betainc",
        operands=("a", "b", "x"),
        infer=infer_same,
        reference=_reference_betainc,
        dtypes=FLOATING,
        elementwise=True,
        emit=lambda s, a, b, x: s.betainc(a, b, x),
        vjp=(None, None, _vjp_betainc),
        jvp=DIAGONAL,
        doc="Regularised incomplete beta function, elementwise; differentiable by x.",
    )
)


def betainc(a: Any, b: Any, x: Any, *, name: str | None = None) -> Tensor:
    """The regularised incomplete beta function: how probable a beta number is to be below x.

    a, b   the concentrations, which are not negative
    x      from 0 to 1

    They promote to one floating dtype and broadcast; NaN outside of that domain. Differentiable by
    x to any order, and not by a and b: a gradient by these is refused as that of what a result does
    not depend on. How long it takes grows with the root of the larger concentration, up to 1e8.
    (NIST Digital Library of Mathematical Functions, 8.17 and 8.18.)

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.betainc(2.0, 3.0, [0.0, 0.5, 1.0])).round(4)
    array([0.    , 0.6875, 1.    ], dtype=float32)
    """
    operands = promote((a, b, x), floating=True)
    return operands[0].graph.add(BETAINC, tuple(operands), NO_ATTRS, name).out
