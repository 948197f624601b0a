"""The modified Bessel functions of the first kind, of order 0 and 1, plain and scaled.

Names are those of scipy.special. The derivative of each is made of the other, so there is no order
at which derivatives stop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.config import LazyModule
from staticgraph.core.graph import Operation, Tensor
from staticgraph.ops.elementwise import equal, sign, where
from staticgraph.ops.elementwise.record import ElementwiseFunction, elementwise

special = LazyModule("scipy.special")


def _half_of_small(x: Any, value: Any) -> Any:
    """`value`, but half of a tiny x, which SciPy does not round to the nearest."""
    return np.where(np.abs(x) < 1e-30, x * x.dtype.type(0.5), value)


def _over_operand(node: Operation) -> tuple[Tensor, Tensor]:
    """Whether x is 0, and the function of order 1 over an x that is not."""
    x = node.inputs[0]
    zero = equal(x, 0)
    return zero, node.out / where(zero, 1, x)


def _vjp_i1(node: Operation, adjoint: Tensor) -> Tensor:
    zero, quotient = _over_operand(node)
    return adjoint * where(zero, 0.5, i0(node.inputs[0]) - quotient)


def _vjp_i1e(node: Operation, adjoint: Tensor) -> Tensor:
    x = node.inputs[0]
    zero, quotient = _over_operand(node)
    return adjoint * where(zero, 0.5, i0e(x) - sign(x) * node.out - quotient)


i0: ElementwiseFunction = elementwise(
    "i0", lambda x: np.where(np.isinf(x), np.abs(x), special.i0(x)),
    emit=lambda s, x: s.modified_bessel(x, 0, False),
    vjp=lambda node, adjoint: adjoint * i1(node.inputs[0]),
    doc="Modified Bessel function of the first kind of order 0, elementwise.",
)  # fmt: skip
i0e: ElementwiseFunction = elementwise(
    "i0e", lambda x: special.i0e(x),
    emit=lambda s, x: s.modified_bessel(x, 0, True),
    vjp=lambda node, adjoint: adjoint
    * (i1e(node.inputs[0]) - sign(node.inputs[0]) * node.out),
    doc="``exp(-abs(x)) * i0(x)``, elementwise, which does not overflow; its derivative at 0 is 0.",
)  # fmt: skip
i1: ElementwiseFunction = elementwise(
    "i1", lambda x: np.where(np.isinf(x), x, _half_of_small(x, special.i1(x))),
    emit=lambda s, x: s.modified_bessel(x, 1, False), vjp=_vjp_i1,
    doc="Modified Bessel function of the first kind of order 1, elementwise; it has the sign of x.",
)  # fmt: skip
i1e: ElementwiseFunction = elementwise(
    "i1e", lambda x: np.copysign(_half_of_small(x, special.i1e(x)), x),
    emit=lambda s, x: s.modified_bessel(x, 1, True), vjp=_vjp_i1e,
    doc="``exp(-abs(x)) * i1(x)``, elementwise, which does not overflow.",
)  # fmt: skip
