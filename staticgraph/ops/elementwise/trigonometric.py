"""Elementwise ops of angles and hyperbolas: the inverses, and what the package itself has not.

Derivatives are written so that no square of the operand overflows where they are finite.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from staticgraph.core.dtypes import COMPLEX, INEXACT
from staticgraph.core.graph import Operation, Tensor
from staticgraph.ops.complex import imag, real
from staticgraph.ops.convert import as_tensor, promote
from staticgraph.ops.elementwise import multiply, negative, rsqrt, sqrt
from staticgraph.ops.elementwise.numbers import hypot
from staticgraph.ops.elementwise.record import ElementwiseFunction, elementwise


def _slope_of_asin(x: Tensor) -> Tensor:
    return rsqrt((1.0 - x) * (1.0 + x))


asin = elementwise(
    "asin", np.arcsin, dtypes=INEXACT,
    emit=lambda s, x: s.asin(x),
    vjp=lambda node, adjoint: adjoint * _slope_of_asin(node.inputs[0]),
    doc="Arc sine in radians, elementwise, from -pi/2 to pi/2; NaN where ``abs(x) > 1``.",
)  # fmt: skip
acos = elementwise(
    "acos", np.arccos, dtypes=INEXACT,
    emit=lambda s, x: s.acos(x),
    vjp=lambda node, adjoint: negative(adjoint * _slope_of_asin(node.inputs[0])),
    doc="Arc cosine in radians, elementwise, from 0 to pi; NaN where ``abs(x) > 1``.",
)  # fmt: skip


def _vjp_atan(node: Operation, adjoint: Tensor) -> Tensor:
    x = node.inputs[0]
    if x.dtype in COMPLEX:
        return adjoint / (1.0 + x * x)
    length = hypot(x, 1.0)
    return adjoint / length / length


atan = elementwise(
    "atan", np.arctan, dtypes=INEXACT, vjp=_vjp_atan,
    emit=lambda s, x: s.atan(x),
    doc="Arc tangent in radians, elementwise, from -pi/2 to pi/2.",
)  # fmt: skip


def _vjp_atan2_y(node: Operation, adjoint: Tensor) -> Tensor:
    y, x = node.inputs
    length = hypot(y, x)
    return adjoint * (x / length / length)


def _vjp_atan2_x(node: Operation, adjoint: Tensor) -> Tensor:
    y, x = node.inputs
    length = hypot(y, x)
    return negative(adjoint * (y / length / length))


atan2 = elementwise(
    "atan2", np.arctan2, operands=("y", "x"), vjp=(_vjp_atan2_y, _vjp_atan2_x),
    emit=lambda s, y, x: s.atan2(y, x),
    doc="Angle of the point (x, y) in radians, elementwise, from -pi to pi; the sign of a zero y "
        "says on which side of the axis it is. It has no derivative at the origin.",
)  # fmt: skip
sinh: ElementwiseFunction = elementwise(
    "sinh", np.sinh, dtypes=INEXACT, vjp=lambda node, adjoint: adjoint * cosh(node.inputs[0]),
    emit=lambda s, x: s.sinh(x),
    doc="Hyperbolic sine, elementwise.",
)  # fmt: skip
cosh: ElementwiseFunction = elementwise(
    "cosh", np.cosh, dtypes=INEXACT, vjp=lambda node, adjoint: adjoint * sinh(node.inputs[0]),
    emit=lambda s, x: s.cosh(x),
    doc="Hyperbolic cosine, elementwise.",
)  # fmt: skip


def _vjp_asinh(node: Operation, adjoint: Tensor) -> Tensor:
    x = node.inputs[0]
    return adjoint * rsqrt(1.0 + x * x) if x.dtype in COMPLEX else adjoint / hypot(x, 1.0)


asinh = elementwise(
    "asinh", np.arcsinh, dtypes=INEXACT, vjp=_vjp_asinh,
    emit=lambda s, x: s.asinh(x),
    doc="Inverse hyperbolic sine, elementwise.",
)  # fmt: skip


def _vjp_acosh(node: Operation, adjoint: Tensor) -> Tensor:
    x = node.inputs[0]
    return adjoint / (sqrt(x - 1.0) * sqrt(x + 1.0))


acosh = elementwise(
    "acosh", np.arccosh, dtypes=INEXACT, vjp=_vjp_acosh,
    emit=lambda s, x: s.acosh(x),
    doc="Inverse hyperbolic cosine, elementwise, which is not negative; NaN where ``x < 1``.",
)  # fmt: skip


def _vjp_atanh(node: Operation, adjoint: Tensor) -> Tensor:
    x = node.inputs[0]
    return adjoint / ((1.0 - x) * (1.0 + x))


atanh = elementwise(
    "atanh", np.arctanh, dtypes=INEXACT, vjp=_vjp_atanh,
    emit=lambda s, x: s.atanh(x),
    doc="Inverse hyperbolic tangent, elementwise; infinite at -1 and 1, NaN beyond.",
)  # fmt: skip


def angle(z: Any, *, name: str | None = None) -> Tensor:
    """The angle of complex numbers in radians, elementwise, from -pi to pi.

    It is ``atan2(imag(z), real(z))``; of a real number it is 0, or pi where its sign bit is set.
    Integers are taken in floating point. It has no derivative at 0.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.angle([1j, -2.0])).round(4)
    array([1.5708, 3.1416], dtype=float32)
    """
    tensor = as_tensor(z)
    if tensor.dtype in COMPLEX:
        return atan2(imag(tensor), real(tensor), name=name)
    return atan2(0, tensor, name=name)


def deg2rad(x: Any, *, name: str | None = None) -> Tensor:
    """Degrees in radians, elementwise; integers and bools are computed in floating point.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.deg2rad([180.0, 90.0])).round(4)
    array([3.1416, 1.5708], dtype=float32)
    """
    (tensor,) = promote((x,), floating=True)
    return multiply(tensor, math.pi / 180.0, name=name)


def rad2deg(x: Any, *, name: str | None = None) -> Tensor:
    """Radians in degrees, elementwise; integers and bools are computed in floating point.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.rad2deg([1.0, 2.0])).round(3)
    array([ 57.296, 114.592], dtype=float32)
    """
    (tensor,) = promote((x,), floating=True)
    return multiply(tensor, 180.0 / math.pi, name=name)
