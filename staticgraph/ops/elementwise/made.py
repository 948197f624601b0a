"""Elementwise functions that are made of others: NumPy's sinc, heaviside, isreal, unwrap and so on.

None has a record. Their derivatives, their machine code and what fuses with them are those of what
they are made of, chosen so that both derivatives are right at the points where formulas meet.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import COMPLEX, INTEGER
from staticgraph.core.graph import Tensor
from staticgraph.errors import DTypeError, ShapeError
from staticgraph.ops import elementwise as ew
from staticgraph.ops.axes import one_axis
from staticgraph.ops.branches import cond
from staticgraph.ops.complex import imag
from staticgraph.ops.control import identity, stop_gradient
from staticgraph.ops.convert import as_tensor, cast, constant, in_one_graph, is_tensor_like, promote
from staticgraph.ops.creation import full_like
from staticgraph.ops.cumulative import cumsum
from staticgraph.ops.differences import diff, part
from staticgraph.ops.elementwise.numbers import logaddexp, signbit
from staticgraph.ops.half import rounded_once
from staticgraph.ops.joining import concat
from staticgraph.ops.reduction import all as all_of
from staticgraph.ops.sizes import as_bool, refusal, shape

# -- functions with a point of their own ------------------------------------------------------


def sinc(x: Any, *, name: str | None = None) -> Tensor:
    """``sin(pi * x) / (pi * x)``, elementwise, and 1 at 0; exactly 0 at the other integers.

    Takes x of any dtype; integers and bools are computed in floating point.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.sinc([0.0, 0.5, 1.5])).round(4)
    array([ 1.    ,  0.6366, -0.2122], dtype=float32)
    """
    return rounded_once(_sinc, (x,), name)


def _sinc(x: Tensor, *, name: str | None) -> Tensor:
    angle = x * math.pi
    near = ew.abs(angle) < 0.5
    # Where sine and angle cancel, the series: its derivatives are right at 0, too.
    square = ew.square(ew.where(near, angle, 0.0))
    series: Any = 1.0
    for n in range(8, 0, -1):
        series = 1.0 - square * series / (2.0 * n * (2.0 * n + 1.0))
    far = ew.where(near, 1.0, x)
    return ew.where(near, series, _sine_of_turns(far) / (far * math.pi), name=name)


def _sine_of_turns(x: Tensor) -> Tensor:
    """``sin(pi * x)`` of numbers of any size: pi is multiplied with what is left of a half turn."""
    if x.dtype in COMPLEX:
        return ew.sin(x * math.pi)
    whole = ew.round(x)
    sine = ew.sin((x - whole) * math.pi)
    half = whole * 0.5
    return ew.where(ew.equal(ew.floor(half), half), sine, ew.negative(sine))


def heaviside(x: Any, values: Any, *, name: str | None = None) -> Tensor:
    """0 where x is negative, 1 where it is positive, else `values`, elementwise.

    They promote to one floating dtype and broadcast; NaN stays NaN. The adjoint passes to `values`
    where x is 0, and x has the derivative 0.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.heaviside([-2.0, 0.0, 3.0], 0.5))
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return rounded_once(_heaviside, (x, values), name)


def _heaviside(x: Tensor, values: Tensor, *, name: str | None) -> Tensor:
    step = ew.where(ew.isnan(x), x, ew.where(x > 0, 1.0, 0.0))
    return ew.where(ew.equal(x, 0), values, step, name=name)


def float_power(base: Any, exponent: Any, *, name: str | None = None) -> Tensor:
    """``base ** exponent`` in float64 or complex128, whatever the dtypes, elementwise.

    So a power of integers does not overflow, and may have a negative exponent.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.float_power([2, 10], -2))
    array([0.25, 0.01])
    """
    given = [x if is_tensor_like(x) else np.asarray(x) for x in (base, exponent)]
    wanted = dtypes.complex128 if any(x.dtype.kind == "c" for x in given) else dtypes.float64
    operands = [
        cast(as_tensor(x), wanted) if is_tensor_like(x) else x.astype(wanted) for x in given
    ]
    return ew.pow(*operands, name=name)


def logaddexp2(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
    """``log2(2**lhs + 2**rhs)``, elementwise; it does not overflow.

    They promote to one floating dtype and broadcast.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.logaddexp2([1.0, 2000.0], 1.0)).round(4)
    array([   2., 2000.], dtype=float32)
    """
    return rounded_once(_logaddexp2, (lhs, rhs), name)


def _logaddexp2(lhs: Tensor, rhs: Tensor, *, name: str | None) -> Tensor:
    logarithm = math.log(2.0)
    smooth = logaddexp(lhs * logarithm, rhs * logarithm) * (1.0 / logarithm)
    # Its derivatives are right, while products with a logarithm have moved the digits of what is
    # large; the larger one and the rest have them all, and a corner where both are equal.
    finite = ew.isfinite(smooth)
    distance = ew.abs(ew.where(finite, lhs, 0.0) - ew.where(finite, rhs, 0.0))
    rest = ew.softplus(distance * -logarithm) * (1.0 / logarithm)
    exact = ew.maximum(lhs, rhs) + rest
    return ew.where(finite, smooth + stop_gradient(exact - smooth), smooth, name=name)


def bitwise_count(x: Any, *, name: str | None = None) -> Tensor:
    """How many bits of the absolute value of an integer are set, elementwise; a uint8.

    Raises DTypeError for what is no integer.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.bitwise_count([0, 7, -8]))
    array([0, 3, 1], dtype=uint8)
    """
    tensor = as_tensor(x)
    if tensor.dtype not in INTEGER:
        raise refusal(
            "bitwise_count", f"does not take {dtypes.name(tensor.dtype)}",
            f"x may be {dtypes.names(INTEGER)}; sg.cast(x, dtype) converts", error=DTypeError,
        )  # fmt: skip
    bits = 8 * tensor.dtype.itemsize
    unsigned = np.dtype(f"uint{bits}")
    count = cast(ew.abs(tensor), unsigned)
    # Sums of neighbouring bits, of pairs, of fours, and so on (H. S. Warren, Hacker's Delight).
    width = 1
    while width < bits:
        mask = unsigned.type(sum(((1 << width) - 1) << at for at in range(0, bits, 2 * width)))
        moved = count >> unsigned.type(width)
        count = ew.bitwise_and(count, mask) + ew.bitwise_and(moved, mask)
        width *= 2
    return cast(count, "uint8", name)


# -- questions --------------------------------------------------------------------------------


def isreal(x: Any, *, name: str | None = None) -> Tensor:
    """Whether the imaginary part is 0, elementwise; a bool array, true for all that is real.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.isreal([1 + 2j, 3.0]))
    array([False,  True])
    """
    tensor = as_tensor(x)
    if tensor.dtype not in COMPLEX:
        return full_like(tensor, True, "bool", name=name)
    return ew.equal(imag(tensor), 0, name=name)


def iscomplex(x: Any, *, name: str | None = None) -> Tensor:
    """Whether the imaginary part is not 0, elementwise; a bool array.

    What asks for the dtype is `iscomplexobj`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.iscomplex([1 + 2j, 3.0]))
    array([ True, False])
    """
    tensor = as_tensor(x)
    if tensor.dtype not in COMPLEX:
        return full_like(tensor, False, "bool", name=name)
    return ew.not_equal(imag(tensor), 0, name=name)


def isposinf(x: Any, *, name: str | None = None) -> Tensor:
    """Whether x is inf, elementwise; a bool array. Complex numbers are refused: DTypeError.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.isposinf([1.0, float("inf"), -float("inf")]))
    array([False,  True, False])
    """
    (tensor,) = promote((x,), floating=True)
    positive = ew.logical_not(signbit(tensor))
    return ew.logical_and(positive, ew.isinf(tensor), name=name)


def isneginf(x: Any, *, name: str | None = None) -> Tensor:
    """Whether x is -inf, elementwise; a bool array. Complex numbers are refused: DTypeError.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.isneginf([1.0, float("inf"), -float("inf")]))
    array([False, False,  True])
    """
    (tensor,) = promote((x,), floating=True)
    return ew.logical_and(signbit(tensor), ew.isinf(tensor), name=name)


def array_equal(lhs: Any, rhs: Any, equal_nan: bool = False, *, name: str | None = None) -> Tensor:
    """Whether two arrays have one shape and equal elements; a bool scalar.

    equal_nan   NaN equals NaN

    Nothing broadcasts. Sizes that the graph does not know are compared in the run. Raises
    ShapeError where the number of axes is not known.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.array_equal([1.0, 2.0], [1.0, 2.0]))
    np.True_
    """
    equal_nan = as_bool("array_equal", "equal_nan", equal_nan)
    lhs, rhs = promote((lhs, rhs))
    for tensor in (lhs, rhs):
        if tensor.ndim is None:
            raise refusal(
                "array_equal", f"the rank of '{tensor.name}' is not known before the run",
                "declare it with the placeholder", error=ShapeError,
            )  # fmt: skip
    pairs = list(zip(lhs.type.shape or (), rhs.type.shape or (), strict=False))
    apart = any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in pairs)
    if lhs.ndim != rhs.ndim or apart:
        with lhs.graph.as_default():
            return constant(False, name=name)

    def compared() -> Tensor:
        same = ew.equal(lhs, rhs)
        if equal_nan and lhs.dtype in dtypes.DIFFERENTIABLE:
            same = ew.logical_or(same, ew.logical_and(ew.isnan(lhs), ew.isnan(rhs)))
        return all_of(same)

    if all(a == b and a is not None for a, b in pairs):
        return identity(compared(), name=name)
    alike = all_of(ew.equal(shape(lhs), shape(rhs)))
    result: Tensor = cond(alike, compared, lambda: constant(False), name=name)
    return result


# -- angles along an axis ---------------------------------------------------------------------


@in_one_graph
def unwrap(
    p: Any,
    discont: float | None = None,
    axis: int = -1,
    *,
    period: float = 2.0 * math.pi,
    name: str | None = None,
) -> Tensor:
    """Angles with whole periods added, so that neighbours differ by half a period at most.

    discont   larger steps than this are mended, half a period by default and at least
    axis      along which neighbours are compared
    period    what two angles that are the same may differ by

    Integers and bools are computed in floating point. Each result moves as its own angle does, so
    the adjoint passes as it is.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.unwrap([0.0, 170.0, -170.0], period=360.0))
    array([  0., 170., 190.], dtype=float32)
    """
    (tensor,) = promote((p,), floating=True)
    along = one_axis("unwrap", tensor, axis)
    sizes = tensor.type.shape
    if sizes is not None and sizes[along] == 0:
        return identity(tensor, name=name)
    step = diff(tensor, axis=along)
    half = period / 2.0
    least = ew.remainder(step + half, period) - half
    # A step of just half a period keeps its sign.
    least = ew.where(ew.logical_and(ew.equal(least, -half), step > 0), half, least)
    small = ew.abs(step) < (half if discont is None else discont)
    mended = cumsum(ew.where(small, 0.0, least - step), along)
    first = part(tensor, along, None, 1)
    return concat([first, part(tensor, along, 1, None) + mended], along, name=name)
