"""Numbers taken apart: quotient and remainder, whole part and fraction, mantissa and exponent.

What gives two results gives a tuple, as Python's `divmod` does. `ldexp` and the exponent of a float
are ops of their own, since no arithmetic reads the bits of a float; all else is made of others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import FLOATING, INTEGER, SIGNED, DType
from staticgraph.core.elements import ElementBuilder
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import (
    DIAGONAL,
    NO_ATTRS,
    NOT_DIFFERENTIABLE,
    Attrs,
    Mismatch,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import TensorType
from staticgraph.errors import DTypeError, GraphError
from staticgraph.ops import elementwise as ew
from staticgraph.ops.axes import refuse
from staticgraph.ops.complex import complex as complex_of
from staticgraph.ops.complex import imag, real
from staticgraph.ops.control import stop_gradient
from staticgraph.ops.convert import as_tensor, cast, in_one_graph, promote
from staticgraph.ops.elementwise.numbers import copysign, fmod, nextafter
from staticgraph.ops.elementwise.record import broadcast_types
from staticgraph.ops.grids import broadcast_arrays
from staticgraph.ops.looping import while_loop
from staticgraph.ops.reduction import any as any_of
from staticgraph.ops.sizes import is_int, refusal

# Per floating dtype: bits of the fraction, and the exponent of numbers from 1/2 to 1.
_LAYOUT: dict[DType, tuple[int, int]] = {dtypes.float32: (23, 126), dtypes.float64: (52, 1022)}
# Beyond any exponent of a float64, and within any integer of 16 bits.
_FARTHEST = 5000


# -- rounding ---------------------------------------------------------------------------------


def round(x: Any, decimals: int = 0, *, name: str | None = None) -> Tensor:
    """`x` rounded to a number of decimals, elementwise; halves go to the even neighbour.

    decimals   digits behind the point; a negative number of them stands before it

    Floats, and both parts of complex numbers, are ``round(x * 10**decimals) / 10**decimals``, as
    NumPy has it, save that those which have no further digits stay as they are. Integers stay
    integers, and are rounded exactly; bools are computed in floating point. The derivative is zero
    wherever it exists. Raises GraphError where `decimals` is no int, and for a power of ten that an
    integer dtype does not hold.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.round([0.5, 1.5, 2.4]))
    array([0., 2., 2.], dtype=float32)
    >>> sg.Session().run(sg.round([1234, 1250], decimals=-2))
    array([1200, 1200])
    """
    if not is_int(decimals):
        raise refusal(
            "round", f"decimals={decimals!r} is no int", "give the number of decimals as an int",
            error=GraphError,
        )  # fmt: skip
    tensor = as_tensor(x)
    if decimals == 0 or (decimals > 0 and tensor.dtype in INTEGER):
        return ew.round(tensor, name=name)
    if tensor.dtype in INTEGER:
        return _round_integers(tensor, -int(decimals), name)
    (tensor,) = promote((tensor,), floating=True)
    if tensor.dtype in dtypes.HALF:
        # The scaled number needs more digits than there are.
        return cast(round(cast(tensor, "float32"), decimals), tensor.dtype, name)
    if tensor.dtype in dtypes.COMPLEX:
        parts = [_round_floats(part(tensor), int(decimals), None) for part in (real, imag)]
        return complex_of(*parts, name=name)
    return _round_floats(tensor, int(decimals), name)


def _round_floats(x: Tensor, decimals: int, name: str | None) -> Tensor:
    limits = dtypes.limits(x.dtype)
    most = int(np.floor(np.log10(float(limits.max))))
    if decimals < -most:
        return ew.where(ew.isfinite(x), ew.round(x) * 0.0, stop_gradient(x), name=name)
    power = 10.0 ** min(abs(decimals), most)
    scaled = x * power if decimals > 0 else x / power
    rounded = ew.round(scaled)
    rounded = rounded / power if decimals > 0 else rounded * power
    # From two to the bits of the fraction on all floats are integers, and infinities stay.
    fine = ew.abs(scaled) < 2.0**limits.nmant
    return ew.where(fine, rounded, stop_gradient(x), name=name)


def _round_integers(x: Tensor, digits: int, name: str | None) -> Tensor:
    power = 10**digits
    if power > np.iinfo(x.dtype).max:
        raise refusal(
            "round",
            f"decimals={-digits} asks for multiples of 10**{digits}, which "
            f"{dtypes.name(x.dtype)} does not hold",
            "sg.cast converts to a wider dtype",
            error=GraphError,
        )
    quotient = ew.floor_divide(x, power)
    rest = ew.remainder(x, power)
    above = ew.greater(rest, power - rest)
    tie = ew.equal(rest, power - rest)
    odd = ew.not_equal(ew.bitwise_and(quotient, 1), 0)
    up = cast(ew.logical_or(above, ew.logical_and(tie, odd)), x.dtype)
    return ew.multiply(quotient + up, power, name=name)


# -- quotients, wholes and fractions ----------------------------------------------------------


def divmod(lhs: Any, rhs: Any) -> tuple[Tensor, Tensor]:
    """``lhs // rhs`` and ``lhs % rhs``, elementwise: `floor_divide` and `remainder`.

    They promote to one dtype and broadcast; raises DTypeError for bools and complex numbers.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.divmod([-7, 7], 2))
    (array([-4,  3]), array([1, 1]))
    """
    lhs, rhs = promote((lhs, rhs))
    return ew.floor_divide(lhs, rhs), ew.remainder(lhs, rhs)


def modf(x: Any) -> tuple[Tensor, Tensor]:
    """The fraction and the whole part of x, elementwise; both have the sign of x.

    Integers and bools are computed in floating point. The fraction of an infinity is 0. The
    derivative of the fraction is 1, that of the whole part zero, as if there were no jumps.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.modf([2.5, -0.25]))
    (array([ 0.5 , -0.25], dtype=float32), array([ 2., -0.], dtype=float32))
    """
    (tensor,) = promote((x,), floating=True)
    endless = ew.isinf(tensor)
    fraction = fmod(ew.where(endless, 0, tensor), 1.0)
    return ew.where(endless, copysign(0.0, tensor), fraction), ew.trunc(tensor)


# -- mantissas and exponents ------------------------------------------------------------------


def _apart(s: ElementBuilder[Any], x: Any) -> tuple[Any, Any]:
    """The mantissa, from 1/2 to 1, and the exponent, an integer of the float's size.

    x itself and 0 where x is 0, infinite or NaN.
    """
    fraction, middle = _LAYOUT[x.dtype]
    zero = s.constant(0, x.dtype)
    # A subnormal number becomes a normal one first.
    small = s.less(s.abs(x), s.constant(float(np.finfo(x.dtype).tiny), x.dtype))
    lifted = s.where(small, s.multiply(x, s.constant(2.0 ** (fraction + 1), x.dtype)), x)
    bits = s.bits(s.abs(lifted))
    whole = bits.dtype

    def number(value: int) -> Any:
        return s.constant(value, whole)

    exponent = s.subtract(s.shift_right(bits, fraction), number(middle))
    exponent = s.where(small, s.subtract(exponent, number(fraction + 1)), exponent)
    kept = s.bitwise_and(bits, number((1 << fraction) - 1))
    mantissa = s.from_bits(s.bitwise_or(kept, number(middle << fraction)), x.dtype)
    usual = s.logical_and(s.isfinite(x), s.not_equal(x, zero))
    mantissa = s.where(usual, s.copysign(mantissa, x), x)
    return mantissa, s.where(usual, exponent, number(0))


def _emit_exponent(s: ElementBuilder[Any], x: Any) -> Any:
    return s.cast(_apart(s, x)[1], dtypes.int32)


def _emit_ldexp(s: ElementBuilder[Any], x: Any, exponent: Any) -> Any:
    mantissa, own = _apart(s, x)
    fraction, middle = _LAYOUT[x.dtype]
    whole = own.dtype

    def within(value: Any, limit: int) -> Any:
        return s.maximum(s.minimum(value, s.constant(limit, whole)), s.constant(-limit, whole))

    # From the smallest number to the largest, and further, before they are added: no sum wraps.
    total = within(s.add(own, within(s.cast(exponent, whole), 5 * middle)), 2 * middle)
    # In two steps, of which the first gives a normal number: so it is rounded once.
    half = s.shift_right(total, 1)
    for power in (half, s.subtract(total, half)):
        bits = s.shift_left(s.add(power, s.constant(middle + 1, whole)), fraction)
        mantissa = s.multiply(mantissa, s.from_bits(bits, x.dtype))
    return mantissa


def _infer_exponent(types: Types, attrs: Attrs) -> TensorType:
    return types[0].with_dtype(dtypes.int32)


def _infer_ldexp(types: Types, attrs: Attrs) -> TensorType:
    return TensorType(types[0].dtype, broadcast_types(types))


EXPONENT = register(
    OpDef(
        "exponent_of",
        operands=("x",),
        infer=_infer_exponent,
        reference=lambda x: np.where(np.isfinite(x), np.frexp(x)[1], np.int32(0)),
        dtypes=FLOATING,
        elementwise=True,
        emit=_emit_exponent,
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The exponent e for which ``x / 2**e`` lies from 1/2 to 1, elementwise: an int32; 0 of "
        "0, of infinities and of NaN.",
        title="frexp",
    )
)


def _vjp_ldexp(node: Operation, adjoint: Tensor) -> Tensor:
    return ldexp(adjoint, node.inputs[1])


LDEXP = register(
    OpDef(
        "ldexp",
        operands=("x", "exponent"),
        infer=_infer_ldexp,
        reference=lambda x, exponent: np.ldexp(x, exponent),
        dtypes=(FLOATING, frozenset({dtypes.int32})),
        elementwise=True,
        emit=_emit_ldexp,
        vjp=(_vjp_ldexp, None),
        jvp=DIAGONAL,
        linear=True,
        doc="``x * 2**exponent``, elementwise, rounded once.",
    )
)


@in_one_graph
def ldexp(x: Any, exponent: Any, *, name: str | None = None) -> Tensor:
    """``x * 2**exponent``, elementwise, rounded once however large the power is.

    x          numbers; integers and bools are computed in floating point
    exponent   integers, which broadcast with `x`

    Raises DTypeError for exponents that are no integers. Differentiable by x.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.ldexp([1.5, 3.0], [2, -1]))
    array([6. , 1.5], dtype=float32)
    """
    (tensor,) = promote((x,), floating=True)
    power = as_tensor(exponent, tensor.graph)
    if power.dtype not in INTEGER:
        refuse(LDEXP, (tensor, power), Mismatch(
            f"an exponent is an integer, and {dtypes.name(power.dtype)} is none",
            "of other powers of two: x * sg.exp2(exponent)",
            error=DTypeError,
        ))  # fmt: skip
    if power.dtype != dtypes.int32:
        low = -_FARTHEST if power.dtype in SIGNED else 0
        limits = np.iinfo(power.dtype)
        power = ew.clip(power, max(low, limits.min), min(_FARTHEST, limits.max))
        power = cast(power, dtypes.int32)
    return tensor.graph.add(LDEXP, (tensor, power), NO_ATTRS, name).out


def frexp(x: Any) -> tuple[Tensor, Tensor]:
    """The mantissa and the exponent of x, elementwise: ``x == mantissa * 2**exponent``, exactly.

    The mantissa lies from 1/2 to 1 and has the sign of x; the exponent is an int32. Zeros,
    infinities and NaN are their own mantissas, with the exponent 0. Integers and bools are computed
    in floating point. Differentiable by way of the mantissa.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.frexp([8.0, -0.75]))
    (array([ 0.5 , -0.75], dtype=float32), array([4, 0], dtype=int32))
    """
    (tensor,) = promote((x,), floating=True)
    exponent = tensor.graph.add(EXPONENT, (tensor,), NO_ATTRS).out
    return ldexp(tensor, ew.negative(exponent)), exponent


def spacing(x: Any, *, name: str | None = None) -> Tensor:
    """The distance from x to the next float away from 0, elementwise, with the sign of x.

    Integers and bools are computed in floating point. Infinite at the largest number, NaN for
    infinities and NaN. The derivative is zero. Raises DTypeError for complex numbers.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.spacing([1.0, -1024.0]))
    array([ 1.1920929e-07, -1.2207031e-04], dtype=float32)
    """
    (tensor,) = promote((x,), floating=True)
    if tensor.dtype in dtypes.COMPLEX:
        raise refusal(
            "spacing", f"does not take {dtypes.name(tensor.dtype)}",
            "x may be of any real dtype; sg.real(x), sg.imag(x) or sg.abs(x) gives a real number",
            error=DTypeError,
        )  # fmt: skip
    size = ew.abs(tensor)
    step = nextafter(size, np.inf) - size
    return ew.where(tensor < 0, ew.negative(step), step, name=name)


# -- divisors ---------------------------------------------------------------------------------


def gcd(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
    """The greatest common divisor of integers, elementwise, which is not negative.

    They promote to one dtype and broadcast; 0 only of 0 and 0. By Euclid's algorithm in a loop of
    the graph, which runs until every element is done. Raises DTypeError for what is no integer.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.gcd([12, 7], 18))
    array([6, 1])
    """
    lhs, rhs = _integers("gcd", lhs, rhs)

    def step(first: Tensor, second: Tensor) -> list[Tensor]:
        left = ew.not_equal(second, 0)
        return [
            ew.where(left, second, first),
            ew.where(left, fmod(first, ew.where(left, second, 1)), second),
        ]

    found, _ = while_loop(lambda first, second: any_of(second != 0), step, [lhs, rhs])
    return ew.abs(found, name=name)


def lcm(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
    """The least common multiple of integers, elementwise, which is not negative; 0 where one is 0.

    They promote to one dtype and broadcast; a multiple beyond the dtype wraps around. Raises
    DTypeError for what is no integer.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.lcm([4, 7], 6))
    array([12, 42])
    """
    lhs, rhs = _integers("lcm", lhs, rhs)
    divisor = gcd(lhs, rhs)
    whole = ew.floor_divide(ew.abs(lhs), ew.where(divisor != 0, divisor, 1))
    return ew.multiply(whole, ew.abs(rhs), name=name)


def _integers(what: str, lhs: Any, rhs: Any) -> tuple[Tensor, Tensor]:
    """Both operands in one integer dtype and one shape."""
    lhs, rhs = promote((lhs, rhs))
    if lhs.dtype not in INTEGER:
        raise refusal(
            what, f"does not take {dtypes.name(lhs.dtype)}",
            f"lhs and rhs may be {dtypes.names(INTEGER)}; sg.cast(x, dtype) converts",
            error=DTypeError,
        )  # fmt: skip
    first, second = broadcast_arrays(lhs, rhs)
    return first, second
