"""Elementwise ops: each is one record, which also makes its public function.

Operands broadcast by NumPy's rule. A vjp is written for operands of the result's shape; the
reverse sweep sums adjoints back to an operand that was broadcast, and keeps a masked-out branch
from making NaN (autodiff/reverse.py), so a rule here is only the derivative itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from staticgraph.config import LazyModule
from staticgraph.core.dtypes import (
    ANY,
    ARITHMETIC,
    BOOL,
    COMPLEX,
    COMPUTED,
    INEXACT,
    INTEGER,
    NUMERIC,
    REAL,
    SIGNED,
    part_of,
)
from staticgraph.core.elements import ElementBuilder
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import (
    DIAGONAL,
    NO_ATTRS,
    NOT_DIFFERENTIABLE,
    ZERO_DERIVATIVE,
    Attrs,
    Mismatch,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import TensorType
from staticgraph.errors import RunError
from staticgraph.ops import complex_references
from staticgraph.ops.complex import complex as complex_of
from staticgraph.ops.complex import conjugated, imag, real
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, graph_among, promote, scalar, scalar_value
from staticgraph.ops.elementwise.record import (
    ElementwiseFunction,
    chosen_between,
    infer_bool,
    infer_same,
    infer_where,
)
from staticgraph.ops.elementwise.record import elementwise as elementwise

special = LazyModule("scipy.special")

# -- arithmetic -------------------------------------------------------------------------------

_TWO = ("lhs", "rhs")

add = elementwise(
    "add", np.add, operands=_TWO, dtypes=ARITHMETIC, linear=True, commutative=True,
    emit=lambda s, lhs, rhs: s.add(lhs, rhs),
    vjp=(lambda node, adjoint: adjoint, lambda node, adjoint: adjoint),
    doc="Sum of two arrays, elementwise: ``lhs + rhs``.",
)  # fmt: skip
subtract = elementwise(
    "subtract", np.subtract, operands=_TWO, dtypes=ARITHMETIC, linear=True,
    emit=lambda s, lhs, rhs: s.subtract(lhs, rhs),
    vjp=(lambda node, adjoint: adjoint, lambda node, adjoint: negative(adjoint)),
    doc="Difference of two arrays, elementwise: ``lhs - rhs``.",
)  # fmt: skip
multiply = elementwise(
    "multiply", np.multiply, operands=_TWO, dtypes=ARITHMETIC, commutative=True,
    emit=lambda s, lhs, rhs: s.multiply(lhs, rhs),
    vjp=(
        lambda node, adjoint: adjoint * node.inputs[1],
        lambda node, adjoint: adjoint * node.inputs[0],
    ),
    doc="Product of two arrays, elementwise: ``lhs * rhs``.",
)  # fmt: skip
divide = elementwise(
    "divide", np.divide, operands=_TWO, dtypes=INEXACT,
    emit=lambda s, lhs, rhs: s.divide(lhs, rhs),
    vjp=(
        lambda node, adjoint: adjoint / node.inputs[1],
        lambda node, adjoint: negative(adjoint * node.out / node.inputs[1]),
    ),
    doc="Quotient of two arrays, elementwise: ``lhs / rhs``; integers divide as floats.",
)  # fmt: skip
floor_divide = elementwise(
    "floor_divide", np.floor_divide, operands=_TWO, dtypes=NUMERIC, vjp=ZERO_DERIVATIVE,
    emit=lambda s, lhs, rhs: s.floor_divide(lhs, rhs),
    doc="Quotient rounded toward minus infinity, elementwise: ``lhs // rhs``. Its derivative is "
        "zero wherever it exists.",
)  # fmt: skip
remainder = elementwise(
    "remainder", np.remainder, operands=_TWO, dtypes=NUMERIC,
    emit=lambda s, lhs, rhs: s.remainder(lhs, rhs),
    vjp=(
        lambda node, adjoint: adjoint,
        lambda node, adjoint: negative(adjoint * floor_divide(node.inputs[0], node.inputs[1])),
    ),
    doc="Remainder of floor division, elementwise: ``lhs % rhs``; it has the sign of rhs.",
)  # fmt: skip
negative: ElementwiseFunction = elementwise(
    "negative", np.negative, dtypes=ARITHMETIC, linear=True,
    emit=lambda s, x: s.negative(x),
    vjp=lambda node, adjoint: negative(adjoint),
    doc="Negation, elementwise: ``-x``.",
)  # fmt: skip


def _vjp_pow_base(node: Operation, adjoint: Tensor) -> Tensor | None:
    base, exponent = node.inputs
    known = scalar_value(exponent)
    if known is not None:
        if known == 0:
            return None
        return adjoint * (known * pow(base, known - 1)) if known != 2 else adjoint * (2.0 * base)
    # x**0 is 1 for every x, so its derivative is 0, also at 0 where 0 * 0**-1 is not.
    flat = logical_and(equal(base, 0), equal(exponent, 0))
    return adjoint * where(flat, 0, exponent * pow(where(flat, 1, base), exponent - 1))


def _vjp_pow_exponent(node: Operation, adjoint: Tensor) -> Tensor:
    base, exponent = node.inputs
    # 0**y is 0 for every y > 0, so its derivative is 0 although log(0) is not finite.
    sign = exponent if exponent.dtype in NUMERIC else real(exponent)
    zero = logical_and(equal(base, 0), sign >= 0)
    return adjoint * where(zero, 0, node.out * log(where(zero, 1, base)))


def zero_of(like: Tensor) -> Tensor:
    """The scalar 0 in the dtype of `like`."""
    return scalar(like.node.graph, 0, like.type.dtype)


def _reference_pow(base: Any, exponent: Any) -> Any:
    if exponent.dtype.kind == "i" and np.any(exponent < 0):
        raise Mismatch(
            "an integer has no negative power among the integers",
            "compute in floating point: sg.cast(base, 'float64') ** exponent",
            error=RunError,
        )
    return np.power(base, exponent)


def _emit_pow(s: ElementBuilder[Any], base: Any, exponent: Any) -> Any:
    if exponent.dtype in SIGNED:
        s.fail_if(s.less(exponent, s.constant(0, exponent.dtype)))
    return s.pow(base, exponent)


pow = elementwise(
    "pow", _reference_pow, operands=("base", "exponent"), dtypes=ARITHMETIC,
    emit=_emit_pow,
    vjp=(_vjp_pow_base, _vjp_pow_exponent),
    doc="Power, elementwise: ``base ** exponent``. Its derivatives are finite where base is 0 and "
        "exponent is 0 or above 1.",
)  # fmt: skip
square = elementwise(
    "square", np.square, dtypes=ARITHMETIC,
    emit=lambda s, x: s.multiply(x, x),
    vjp=lambda node, adjoint: adjoint * (2.0 * node.inputs[0]),
    doc="Square, elementwise: ``x * x``.",
)  # fmt: skip
reciprocal = elementwise(
    "reciprocal", np.reciprocal, dtypes=INEXACT,
    emit=lambda s, x: s.divide(s.constant(1, x.dtype), x),
    vjp=lambda node, adjoint: negative(adjoint * (node.out * node.out)),
    doc="Reciprocal, elementwise: ``1 / x``.",
)  # fmt: skip


def _infer_part(types: Types, attrs: Attrs) -> TensorType:
    return types[0].with_dtype(part_of(types[0].dtype))


abs = elementwise(
    "abs", np.absolute, dtypes=ARITHMETIC, infer=_infer_part, holomorphic=False,
    emit=lambda s, x: s.abs(x),
    vjp=lambda node, adjoint: adjoint * sign(node.inputs[0]),
    doc="Absolute value, elementwise, which is real; its derivative at 0 is 0.",
)  # fmt: skip


def _vjp_sign(node: Operation, adjoint: Tensor) -> Tensor | None:
    if node.out.dtype not in COMPLEX:
        return None
    # The number turns around 0 as z moves across its own direction, by the arc over the radius.
    radius = abs(node.inputs[0])
    zero = equal(radius, 0)
    turned = imag(conjugated(node.out) * adjoint) / where(zero, 1, radius)
    turned = where(zero, 0, turned)
    return complex_of(negative(imag(node.out)) * turned, real(node.out) * turned)


sign: ElementwiseFunction = elementwise(
    "sign", np.sign, dtypes=ARITHMETIC, vjp=_vjp_sign, holomorphic=False,
    emit=lambda s, x: s.sign(x),
    doc="-1, 0 or 1 by the sign of x, elementwise; NaN stays NaN. Of a complex number "
        "``x / abs(x)``, and 0 at 0.",
)  # fmt: skip


def _share(node: Operation, adjoint: Tensor, wins: Tensor) -> Tensor:
    """The adjoint where an operand won, half of it where both are equal."""
    tie = equal(node.inputs[0], node.inputs[1])
    zero = zero_of(adjoint)
    return where(wins, adjoint, where(tie, adjoint * 0.5, zero))


maximum = elementwise(
    "maximum", np.maximum, operands=_TWO, dtypes=NUMERIC, commutative=True, linear=True,
    emit=lambda s, lhs, rhs: s.maximum(lhs, rhs),
    selects=True, by_value=True,
    vjp=(
        lambda node, adjoint: _share(node, adjoint, node.inputs[0] > node.inputs[1]),
        lambda node, adjoint: _share(node, adjoint, node.inputs[1] > node.inputs[0]),
    ),
    doc="The larger of two values, elementwise; NaN wins. Where they are equal each gets half of "
        "the adjoint.",
)  # fmt: skip
minimum = elementwise(
    "minimum", np.minimum, operands=_TWO, dtypes=NUMERIC, commutative=True, linear=True,
    emit=lambda s, lhs, rhs: s.minimum(lhs, rhs),
    selects=True, by_value=True,
    vjp=(
        lambda node, adjoint: _share(node, adjoint, node.inputs[0] < node.inputs[1]),
        lambda node, adjoint: _share(node, adjoint, node.inputs[1] < node.inputs[0]),
    ),
    doc="The smaller of two values, elementwise; NaN wins. Where they are equal each gets half of "
        "the adjoint.",
)  # fmt: skip

# -- rounding ---------------------------------------------------------------------------------

floor = elementwise(
    "floor", np.floor, vjp=ZERO_DERIVATIVE, instead=(INTEGER, identity),
    doc="The largest integer not above x, elementwise. Integers stay as they are.",
    emit=lambda s, x: s.floor(x),
)  # fmt: skip
ceil = elementwise(
    "ceil", np.ceil, vjp=ZERO_DERIVATIVE, instead=(INTEGER, identity),
    doc="The smallest integer not below x, elementwise. Integers stay as they are.",
    emit=lambda s, x: s.ceil(x),
)  # fmt: skip
round = elementwise(
    "round", np.rint, dtypes=INEXACT, vjp=ZERO_DERIVATIVE, instead=(INTEGER, identity),
    emit=lambda s, x: s.rint(x),
    doc="The nearest integer, elementwise; halves go to the even one. Integers stay as they are.",
)  # fmt: skip
trunc = elementwise(
    "trunc", np.trunc, vjp=ZERO_DERIVATIVE, instead=(INTEGER, identity),
    doc="x rounded toward zero, elementwise. Integers stay as they are.",
    emit=lambda s, x: s.trunc(x),
)  # fmt: skip

# -- exponentials and powers ------------------------------------------------------------------

exp = elementwise(
    "exp", np.exp, dtypes=INEXACT, vjp=lambda node, adjoint: adjoint * node.out,
    emit=lambda s, x: s.exp(x),
    doc="e to the x, elementwise.",
)  # fmt: skip
expm1 = elementwise(
    "expm1", complex_references.expm1, dtypes=INEXACT,
    vjp=lambda node, adjoint: adjoint * (node.out + 1.0),
    emit=lambda s, x: s.expm1(x),
    doc="``exp(x) - 1``, accurate for small x, elementwise.",
)  # fmt: skip
log = elementwise(
    "log", np.log, dtypes=INEXACT,
    vjp=lambda node, adjoint: adjoint / node.inputs[0],
    emit=lambda s, x: s.log(x),
    doc="Natural logarithm, elementwise; -inf at 0, NaN below.",
)  # fmt: skip
log1p = elementwise(
    "log1p", complex_references.log1p, dtypes=INEXACT,
    vjp=lambda node, adjoint: adjoint / (node.inputs[0] + 1.0),
    emit=lambda s, x: s.log1p(x),
    doc="``log(1 + x)``, accurate for small x, elementwise.",
)  # fmt: skip
sqrt = elementwise(
    "sqrt", np.sqrt, dtypes=INEXACT,
    vjp=lambda node, adjoint: adjoint / (2.0 * node.out),
    emit=lambda s, x: s.sqrt(x),
    doc="Square root, elementwise; NaN below 0. Its derivative at 0 is infinite; sg.linalg.norm "
        "has one that is finite there.",
)  # fmt: skip
rsqrt = elementwise(
    "rsqrt", lambda x: x.dtype.type(1) / np.sqrt(x), dtypes=INEXACT,
    emit=lambda s, x: s.divide(s.constant(1, x.dtype), s.sqrt(x)),
    vjp=lambda node, adjoint: adjoint * (-0.5 * node.out / node.inputs[0]),
    doc="``1 / sqrt(x)``, elementwise.",
)  # fmt: skip

# -- trigonometric and sigmoidal --------------------------------------------------------------

sin = elementwise(
    "sin", np.sin, dtypes=INEXACT,
    vjp=lambda node, adjoint: adjoint * cos(node.inputs[0]),
    emit=lambda s, x: s.sin(x),
    doc="Sine of x in radians, elementwise.",
)  # fmt: skip
cos: ElementwiseFunction = elementwise(
    "cos", np.cos, dtypes=INEXACT,
    vjp=lambda node, adjoint: negative(adjoint * sin(node.inputs[0])),
    emit=lambda s, x: s.cos(x),
    doc="Cosine of x in radians, elementwise.",
)  # fmt: skip
tan = elementwise(
    "tan", np.tan, dtypes=INEXACT,
    vjp=lambda node, adjoint: adjoint * (1.0 + node.out * node.out),
    emit=lambda s, x: s.tan(x),
    doc="Tangent of x in radians, elementwise.",
)  # fmt: skip
tanh = elementwise(
    "tanh", complex_references.tanh, dtypes=INEXACT,
    vjp=lambda node, adjoint: adjoint * (1.0 - node.out * node.out),
    emit=lambda s, x: s.tanh(x),
    doc="Hyperbolic tangent, elementwise.",
)  # fmt: skip


def _reference_sigmoid(x: Any) -> Any:
    # exp of a positive number would overflow where the result is still a subnormal number.
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, x.dtype.type(1)) / (x.dtype.type(1) + small)


sigmoid = elementwise(
    "sigmoid", _reference_sigmoid,
    emit=lambda s, x: s.sigmoid(x),
    vjp=lambda node, adjoint: adjoint * (node.out * (1.0 - node.out)),
    doc="Logistic function ``1 / (1 + exp(-x))``, elementwise; it does not overflow.",
)  # fmt: skip
softplus = elementwise(
    "softplus", lambda x: np.logaddexp(x, x.dtype.type(0)),
    emit=lambda s, x: s.softplus(x),
    vjp=lambda node, adjoint: adjoint * sigmoid(node.inputs[0]),
    doc="``log(1 + exp(x))``, elementwise; it does not overflow.",
)  # fmt: skip
relu = elementwise(
    "relu", lambda x: np.maximum(x, x.dtype.type(0)), dtypes=NUMERIC, linear=True,
    emit=lambda s, x: s.maximum(x, s.constant(0, x.dtype)),
    selects=True, by_value=True,
    vjp=lambda node, adjoint: where(node.inputs[0] > 0, adjoint, zero_of(adjoint)),
    doc="``max(x, 0)``, elementwise; its derivative at 0 is 0.",
)  # fmt: skip
erf = elementwise(
    "erf", lambda x: special.erf(x),
    emit=lambda s, x: s.erf(x),
    vjp=lambda node, adjoint: adjoint
    * (2.0 / math.sqrt(math.pi) * exp(negative(square(node.inputs[0])))),
    doc="Error function, elementwise.",
)  # fmt: skip

# -- comparison and logic ---------------------------------------------------------------------


def _comparison(
    name: str, reference: Callable[..., Any], symbol: str, ordered: bool = True
) -> ElementwiseFunction:
    return elementwise(
        name, reference, operands=_TWO, dtypes=REAL if ordered else COMPUTED, infer=infer_bool,
        commutative=not ordered,
        emit=lambda s, lhs, rhs: getattr(s, name)(lhs, rhs),
        vjp=NOT_DIFFERENTIABLE, doc=f"Whether ``lhs {symbol} rhs``, elementwise; a bool array.",
    )  # fmt: skip


equal = _comparison("equal", np.equal, "==", ordered=False)
not_equal = _comparison("not_equal", np.not_equal, "!=", ordered=False)
less = _comparison("less", np.less, "<")
less_equal = _comparison("less_equal", np.less_equal, "<=")
greater = _comparison("greater", np.greater, ">")
greater_equal = _comparison("greater_equal", np.greater_equal, ">=")


def _logical(name: str, reference: Callable[..., Any], doc: str) -> ElementwiseFunction:
    return elementwise(
        name, reference, operands=_TWO, dtypes=BOOL, infer=infer_bool, commutative=True,
        emit=lambda s, lhs, rhs: getattr(s, name)(lhs, rhs),
        vjp=NOT_DIFFERENTIABLE, doc=doc,
    )  # fmt: skip


logical_and = _logical("logical_and", np.logical_and, "``lhs & rhs`` of bools, elementwise.")
logical_or = _logical("logical_or", np.logical_or, "``lhs | rhs`` of bools, elementwise.")
logical_xor = _logical("logical_xor", np.logical_xor, "``lhs ^ rhs`` of bools, elementwise.")
logical_not = elementwise(
    "logical_not", np.logical_not, dtypes=BOOL, infer=infer_bool, vjp=NOT_DIFFERENTIABLE,
    emit=lambda s, x: s.logical_not(x),
    doc="``~x`` of bools, elementwise.",
)  # fmt: skip


def _bitwise(
    name: str, reference: Callable[..., Any], symbol: str, logical: ElementwiseFunction
) -> ElementwiseFunction:
    return elementwise(
        name, reference, operands=_TWO, dtypes=INTEGER, commutative=True, vjp=NOT_DIFFERENTIABLE,
        emit=lambda s, lhs, rhs: getattr(s, name)(lhs, rhs), instead=(BOOL, logical),
        doc=f"``lhs {symbol} rhs`` of integers, bit by bit, elementwise; of bools "
            f"`{logical.__name__}`.",
    )  # fmt: skip


bitwise_and = _bitwise("bitwise_and", np.bitwise_and, "&", logical_and)
bitwise_or = _bitwise("bitwise_or", np.bitwise_or, "|", logical_or)
bitwise_xor = _bitwise("bitwise_xor", np.bitwise_xor, "^", logical_xor)
bitwise_invert = elementwise(
    "bitwise_invert", np.invert, dtypes=INTEGER, vjp=NOT_DIFFERENTIABLE,
    emit=lambda s, x: s.bitwise_invert(x), instead=(BOOL, logical_not),
    doc="``~x`` of integers, bit by bit, elementwise; of bools `logical_not`.",
)  # fmt: skip

isnan = elementwise(
    "isnan", np.isnan, dtypes=INEXACT, infer=infer_bool, vjp=NOT_DIFFERENTIABLE,
    emit=lambda s, x: s.isnan(x),
    doc="Whether x, or a part of a complex x, is NaN, elementwise; a bool array.",
)  # fmt: skip
isinf = elementwise(
    "isinf", np.isinf, dtypes=INEXACT, infer=infer_bool, vjp=NOT_DIFFERENTIABLE,
    emit=lambda s, x: s.isinf(x),
    doc="Whether x is infinite, elementwise; a bool array.",
)  # fmt: skip
isfinite = elementwise(
    "isfinite", np.isfinite, dtypes=INEXACT, infer=infer_bool, vjp=NOT_DIFFERENTIABLE,
    emit=lambda s, x: s.isfinite(x),
    doc="Whether x is neither NaN nor infinite, elementwise; a bool array.",
)  # fmt: skip


def _vjp_guard(node: Operation, adjoint: Tensor) -> Tensor:
    x, mask = node.inputs
    return where(logical_and(equal(mask, 0), isnan(x)), zero_of(adjoint), adjoint)


def _jvp_guard(node: Operation, tangents: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    tangent, moved = tangents
    if tangent is None:
        return [None]
    # What is masked out stays so: there the adjoint is 0 and does not move.
    still = equal(node.inputs[1], 0)
    if moved is not None:
        still = logical_and(still, equal(moved, 0))
    return [where(logical_and(still, isnan(tangent)), zero_of(tangent), tangent)]


def _emit_guard(s: ElementBuilder[Any], x: Any, adjoint: Any) -> Any:
    zero = s.constant(0, x.dtype)
    return s.where(s.logical_and(s.equal(adjoint, zero), s.isnan(x)), zero, x)


guard: ElementwiseFunction = elementwise(
    "guard", lambda x, adjoint: np.where((adjoint == 0) & np.isnan(x), x.dtype.type(0), x),
    operands=("x", "adjoint"), dtypes=INEXACT, linear=True, selects=True, emit=_emit_guard,
    # No adjoint passes to the second operand, yet its tangent says where something is masked.
    vjp=(_vjp_guard, lambda node, adjoint: None), jvp=_jvp_guard,
    doc="x with 0 for the NaN that a zero adjoint makes of an infinite derivative, elementwise. "
        "Differentiation puts it behind nodes that mask; elsewhere x stays what it is, so that "
        "derivatives of derivatives stay right.",
)  # fmt: skip

# -- selection --------------------------------------------------------------------------------


def _vjp_where_true(node: Operation, adjoint: Tensor) -> Tensor:
    return where(node.inputs[0], adjoint, zero_of(adjoint))


def _vjp_where_false(node: Operation, adjoint: Tensor) -> Tensor:
    return where(node.inputs[0], zero_of(adjoint), adjoint)


def _jvp_where(node: Operation, tangents: Any) -> Tensor:
    condition, lhs, rhs = node.inputs
    taken = tangents[1] if tangents[1] is not None else zero_of(lhs)
    other = tangents[2] if tangents[2] is not None else zero_of(rhs)
    return where(condition, taken, other)


WHERE = register(
    OpDef(
        "where",
        operands=("condition", "x", "y"),
        infer=infer_where,
        reference=np.where,
        dtypes=(BOOL, ANY, ANY),
        elementwise=True,
        emit=lambda s, condition, x, y: s.where(condition, x, y),
        linear=True,
        selects=True,
        vjp=(None, _vjp_where_true, _vjp_where_false),
        jvp=_jvp_where,
        doc="``x`` where condition holds, else ``y``, elementwise.",
    )
)


def where(condition: Any, x: Any = None, y: Any = None, *, name: str | None = None) -> Tensor:
    """``x`` where `condition` holds, else ``y``, elementwise; all three broadcast.

    `condition` is bool; `x` and `y` promote to one dtype. The derivative with respect to the branch
    that was not taken is exactly 0, even where its own derivative is NaN or infinite. Raises
    GraphError without `x` or `y`: places are what `nonzero` gives.

    >>> import staticgraph as sg
    >>> x = sg.constant([-1.0, 4.0])
    >>> sg.Session().run(sg.where(x > 0, sg.sqrt(x), 0.0))
    array([0., 2.], dtype=float32)
    """
    if type(condition) is not Tensor:
        condition = as_tensor(condition, graph_among((x, y)))
    if not (type(x) is Tensor and type(y) is Tensor and x.type.dtype is y.type.dtype):
        x, y = chosen_between(condition, x, y)
    result: Tensor = condition.node.graph.add(WHERE, (condition, x, y), NO_ATTRS, name).outputs[0]
    return result


def _vjp_clip_x(node: Operation, adjoint: Tensor) -> Tensor:
    x, low, high = node.inputs
    return where(logical_and(x >= low, x <= high), adjoint, zero_of(adjoint))


def _vjp_clip_low(node: Operation, adjoint: Tensor) -> Tensor:
    x, low, high = node.inputs
    return where(logical_and(x < low, low <= high), adjoint, zero_of(adjoint))


def _vjp_clip_high(node: Operation, adjoint: Tensor) -> Tensor:
    x, low, high = node.inputs
    return where(maximum(x, low) > high, adjoint, zero_of(adjoint))


CLIP = register(
    OpDef(
        "clip",
        operands=("x", "low", "high"),
        infer=infer_same,
        reference=lambda x, low, high: np.minimum(np.maximum(x, low), high),
        dtypes=NUMERIC,
        elementwise=True,
        emit=lambda s, x, low, high: s.minimum(s.maximum(x, low), high),
        linear=True,
        selects=True,
        by_value=True,
        vjp=(_vjp_clip_x, _vjp_clip_low, _vjp_clip_high),
        jvp=DIAGONAL,
        doc="x limited to the interval from low to high, elementwise.",
    )
)


def clip(x: Any, min: Any = None, max: Any = None, *, name: str | None = None) -> Tensor:
    """`x` limited to the interval from `min` to `max`, elementwise; None leaves a side open.

    The adjoint passes where x lies within the interval, its ends included.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.clip(sg.constant([-2.0, 0.5, 2.0]), -1.0, 1.0))
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    if min is None and max is None:
        return as_tensor(x)
    if min is None:
        return minimum(x, max, name=name)
    if max is None:
        return maximum(x, min, name=name)
    operands = promote((x, min, max))
    return operands[0].node.graph.add(CLIP, tuple(operands), NO_ATTRS, name).outputs[0]
