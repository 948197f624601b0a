"""Elementwise ops of numbers: roots, other bases, signs and neighbours of floats, shifts of bits.

Also what NumPy's users expect and other ops give: `nan_to_num`, `isclose`, `fmax`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import INEXACT, INTEGER, NUMERIC
from staticgraph.core.graph import Operation, Tensor, describe
from staticgraph.core.location import capture
from staticgraph.core.opdef import NOT_DIFFERENTIABLE
from staticgraph.errors import DTypeError
from staticgraph.ops import reduction
from staticgraph.ops.complex import complex as complex_of
from staticgraph.ops.complex import imag, real
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast, in_one_graph, promote
from staticgraph.ops.elementwise import (
    abs,
    equal,
    isfinite,
    isinf,
    isnan,
    less_equal,
    logical_and,
    logical_or,
    maximum,
    minimum,
    negative,
    sigmoid,
    sign,
    trunc,
    where,
)
from staticgraph.ops.elementwise.record import ElementwiseFunction, elementwise, infer_bool

_TWO = ("lhs", "rhs")

# -- exponentials, logarithms and roots -------------------------------------------------------

exp2 = elementwise(
    "exp2", np.exp2, vjp=lambda node, adjoint: adjoint * (node.out * math.log(2.0)),
    emit=lambda s, x: s.exp2(x),
    doc="2 to the x, elementwise; exact for integers.",
)  # fmt: skip
log2 = elementwise(
    "log2", np.log2, dtypes=INEXACT,
    vjp=lambda node, adjoint: adjoint / node.inputs[0] * (1.0 / math.log(2.0)),
    emit=lambda s, x: s.log2(x),
    doc="Logarithm to base 2, elementwise; exact for powers of 2, -inf at 0, NaN below.",
)  # fmt: skip
log10 = elementwise(
    "log10", np.log10, dtypes=INEXACT,
    vjp=lambda node, adjoint: adjoint / node.inputs[0] * (1.0 / math.log(10.0)),
    emit=lambda s, x: s.log10(x),
    doc="Logarithm to base 10, elementwise; exact for powers of 10, -inf at 0, NaN below.",
)  # fmt: skip
cbrt = elementwise(
    "cbrt", np.cbrt, vjp=lambda node, adjoint: adjoint / (3.0 * node.out * node.out),
    emit=lambda s, x: s.cbrt(x),
    doc="Cube root, elementwise, with the sign of x; its derivative at 0 is infinite.",
)  # fmt: skip


def _slope_of_hypot(node: Operation, index: int) -> Tensor:
    origin = equal(node.out, 0)
    return where(origin, 0, node.inputs[index] / where(origin, 1, node.out))


hypot: ElementwiseFunction = elementwise(
    "hypot", np.hypot, operands=_TWO, commutative=True,
    emit=lambda s, lhs, rhs: s.hypot(lhs, rhs),
    vjp=(
        lambda node, adjoint: adjoint * _slope_of_hypot(node, 0),
        lambda node, adjoint: adjoint * _slope_of_hypot(node, 1),
    ),
    doc="``sqrt(lhs**2 + rhs**2)``, elementwise; no square overflows. Infinite where an operand "
        "is, even beside NaN. Its derivative at the origin is 0.",
)  # fmt: skip


def _difference(node: Operation) -> Tensor:
    lhs, rhs = node.inputs
    # Two infinities of one sign have no difference, and share the adjoint as equal numbers do.
    return where(logical_and(equal(lhs, rhs), isinf(lhs)), 0, lhs - rhs)


logaddexp = elementwise(
    "logaddexp", np.logaddexp, operands=_TWO, commutative=True,
    emit=lambda s, lhs, rhs: s.logaddexp(lhs, rhs),
    vjp=(
        lambda node, adjoint: adjoint * sigmoid(_difference(node)),
        lambda node, adjoint: adjoint * sigmoid(negative(_difference(node))),
    ),
    doc="``log(exp(lhs) + exp(rhs))``, elementwise; it does not overflow.",
)  # fmt: skip

# -- remainders, signs and neighbours ---------------------------------------------------------

fmod = elementwise(
    "fmod", np.fmod, operands=_TWO, dtypes=NUMERIC,
    emit=lambda s, lhs, rhs: s.fmod(lhs, rhs),
    vjp=(
        lambda node, adjoint: adjoint,
        lambda node, adjoint: negative(adjoint * trunc(node.inputs[0] / node.inputs[1])),
    ),
    doc="Remainder of division toward zero, elementwise, as C has it: it has the sign of lhs, "
        "where `remainder` has that of rhs. Exact for all floats; an integer by 0 gives 0.",
)  # fmt: skip
copysign: ElementwiseFunction = elementwise(
    "copysign", np.copysign, operands=_TWO,
    emit=lambda s, lhs, rhs: s.copysign(lhs, rhs),
    vjp=(
        lambda node, adjoint: adjoint * (sign(node.inputs[0]) * copysign(1.0, node.inputs[1])),
        lambda node, adjoint: None,
    ),
    doc="The size of lhs with the sign of rhs, elementwise, where -0.0 is negative.",
)  # fmt: skip


def _next_half(lhs: Tensor, rhs: Tensor, *, name: str | None) -> Tensor:
    """The neighbour in half precision, of which the float32 ones are none.

    From a number of the narrower dtype each step is as many steps of float32 as there are bits that
    it lacks, and at least its smallest number.
    """
    limits = dtypes.limits(lhs.dtype)
    tiny = float(limits.smallest_subnormal)
    x, goal = cast(lhs, dtypes.float32), cast(rhs, dtypes.float32)
    widening = float(limits.eps) / float(np.finfo(np.float32).eps)
    step = maximum(abs(nextafter(x, goal) - x) * widening, tiny)
    moved = where(goal > x, x + step, x - step)
    # A step onto 0 keeps the sign; one from infinity goes to the largest number.
    moved = where(equal(x, 0), moved, copysign(moved, x))
    moved = where(isinf(x), copysign(float(limits.max), x), moved)
    settled = logical_or(equal(x, goal), logical_or(isnan(x), isnan(goal)))
    ends = where(isnan(x), x, goal)
    return cast(where(settled, ends, moved), lhs.dtype, name)


nextafter: ElementwiseFunction = elementwise(
    "nextafter", np.nextafter, operands=_TWO, instead=(dtypes.HALF, _next_half),
    emit=lambda s, lhs, rhs: s.nextafter(lhs, rhs),
    vjp=(lambda node, adjoint: adjoint, lambda node, adjoint: None), linear=True,
    doc="The float next to lhs in the direction of rhs, elementwise; rhs where they are equal. "
        "The adjoint passes to lhs as it is.",
)  # fmt: skip
signbit = elementwise(
    "signbit", np.signbit, infer=infer_bool, vjp=NOT_DIFFERENTIABLE,
    emit=lambda s, x: s.signbit(x),
    doc="Whether x is negative, elementwise, where -0.0 is; a bool array.",
)  # fmt: skip


def positive(x: Any, *, name: str | None = None) -> Tensor:
    """``+x``: x itself, of any numeric dtype.

    Raises DTypeError for bools.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.positive([1.0, -2.0]))
    array([ 1., -2.], dtype=float32)
    """
    tensor = as_tensor(x)
    if tensor.dtype in dtypes.BOOL:
        raise DTypeError(
            f"positive: does not take bool\n  {describe(tensor)}\n"
            f"  sg.cast(x, dtype) converts\n  at {capture()}"
        )
    return identity(tensor, name=name)


# -- bits -------------------------------------------------------------------------------------

bitwise_left_shift = elementwise(
    "bitwise_left_shift", np.left_shift, operands=_TWO, dtypes=INTEGER, vjp=NOT_DIFFERENTIABLE,
    emit=lambda s, lhs, rhs: s.left_shift(lhs, rhs),
    doc="``lhs << rhs`` of integers, elementwise; 0 where rhs is negative, or not below the number "
        "of bits.",
)  # fmt: skip
bitwise_right_shift = elementwise(
    "bitwise_right_shift", np.right_shift, operands=_TWO, dtypes=INTEGER, vjp=NOT_DIFFERENTIABLE,
    emit=lambda s, lhs, rhs: s.right_shift(lhs, rhs),
    doc="``lhs >> rhs`` of integers, elementwise, which keeps the sign; where rhs is negative, or "
        "not below the number of bits, nothing but that is left.",
)  # fmt: skip

# -- made of others ---------------------------------------------------------------------------


def fmax(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
    """The larger of two values, elementwise; of a number and NaN the number.

    They promote to one dtype and broadcast. The adjoint passes as through `maximum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fmax([1.0, float("nan")], 2.0))
    array([2., 2.], dtype=float32)
    """
    return _ignoring_nan(maximum, lhs, rhs, name)


def fmin(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
    """The smaller of two values, elementwise; of a number and NaN the number.

    They promote to one dtype and broadcast. The adjoint passes as through `minimum`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fmin([1.0, float("nan")], 2.0))
    array([1., 2.], dtype=float32)
    """
    return _ignoring_nan(minimum, lhs, rhs, name)


def _ignoring_nan(choose: ElementwiseFunction, lhs: Any, rhs: Any, name: str | None) -> Tensor:
    lhs, rhs = promote((lhs, rhs))
    if lhs.dtype not in dtypes.REAL_FLOATING:
        return choose(lhs, rhs, name=name)
    return where(isnan(lhs), rhs, where(isnan(rhs), lhs, choose(lhs, rhs)), name=name)


@in_one_graph
def nan_to_num(
    x: Any,
    nan: Any = 0.0,
    posinf: Any = None,
    neginf: Any = None,
    *,
    name: str | None = None,
) -> Tensor:
    """`x` with numbers for NaN and the infinities, elementwise.

    nan      stands for NaN
    posinf   stands for inf; by default the largest number of the dtype
    neginf   stands for -inf; by default the least number of the dtype

    Integers and bools stay as they are; of complex numbers each part is replaced by itself. The
    adjoint passes where x is finite.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nan_to_num([float("nan"), float("inf"), 2.0], posinf=9.0))
    array([0., 9., 2.], dtype=float32)
    """
    tensor = as_tensor(x)
    if tensor.dtype in dtypes.COMPLEX:
        parts = [nan_to_num(part(tensor), nan, posinf, neginf) for part in (real, imag)]
        return complex_of(*parts, name=name)
    if tensor.dtype not in dtypes.REAL_FLOATING:
        return identity(tensor, name=name)
    limits = dtypes.limits(tensor.dtype)
    highest = float(limits.max) if posinf is None else posinf
    lowest = float(limits.min) if neginf is None else neginf
    # Beside the tensor, whose dtype they take.
    finite = where(equal(tensor, -math.inf), lowest, tensor)
    finite = where(equal(tensor, math.inf), highest, finite)
    return where(isnan(tensor), nan, finite, name=name)


def isclose(
    lhs: Any,
    rhs: Any,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    equal_nan: bool = False,
    *,
    name: str | None = None,
) -> Tensor:
    """Whether ``abs(lhs - rhs) <= atol + rtol * abs(rhs)``, elementwise; a bool array.

    Equal infinities are close; NaN is close to NaN with `equal_nan` only. Integers and bools are
    compared in floating point.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.isclose([1.0, 2.0], [1.000001, 2.1]))
    array([ True, False])
    """
    lhs, rhs = promote((lhs, rhs), floating=True)
    near = less_equal(abs(lhs - rhs), atol + rtol * abs(rhs))
    close = logical_or(logical_and(near, isfinite(rhs)), equal(lhs, rhs))
    if equal_nan:
        close = logical_or(close, logical_and(isnan(lhs), isnan(rhs)))
    return close if name is None else identity(close, name=name)


def allclose(
    lhs: Any,
    rhs: Any,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    equal_nan: bool = False,
    *,
    name: str | None = None,
) -> Tensor:
    """Whether `isclose` holds for every element; a bool scalar.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.allclose([1.0, 2.0], [1.000001, 2.1]))
    np.False_
    """
    return reduction.all(isclose(lhs, rhs, rtol, atol, equal_nan), name=name)
