"""Registers, and the builder that elementwise ops are written with.

A `Register` is one element, or as many as the builder has lanes; the same emit rule makes scalar
code and vector code. What always holds: no instruction written here can give poison or trap,
whatever the values; and rounding is the op's own, nothing is contracted unless the session asks
for it. `Scalars` is the `ElementBuilder` of core/elements.py, where the methods' meaning stands.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from staticgraph.backends.native import (
    complex_functions,
    complex_scalars,
    conversion,
    integers,
)
from staticgraph.backends.native.complex_methods import ComplexFunctions
from staticgraph.backends.native.ir import Code, element_type, literal, splat, vector
from staticgraph.backends.native.math import exponential as math_exponential
from staticgraph.backends.native.math import logarithm as math_logarithm
from staticgraph.backends.native.math import power as math_power
from staticgraph.backends.native.math import remainder as math_remainder
from staticgraph.backends.native.math import scale as math_scale
from staticgraph.backends.native.math import trigonometric as math_trigonometric
from staticgraph.backends.native.math.values import Value
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

_BITS = {dtypes.float32: dtypes.int32, dtypes.float64: dtypes.int64}


class Register(NamedTuple):
    """A value in a register: the text of an SSA name or of a constant, and its dtype."""

    text: str
    dtype: DType


class Scalars(ComplexFunctions):
    """Writes arithmetic on registers of `lanes` elements into `code`.

    fused     the target has fused multiply-add instructions
    scales    the target has an instruction for `scale`
    failed    a bool that holds where a rule's `fail_if` found the operands wrong, None if no rule
              asked. Whoever calls emit rules sets it to None before, and reads it after.
    """

    def __init__(
        self,
        code: Code,
        lanes: int = 1,
        contract: bool = False,
        fused: bool = True,
        scales: bool = False,
    ) -> None:
        self.code = code
        self.lanes = lanes
        self.fused = fused
        self.scales = scales
        self.failed: Register | None = None
        # The flag of every instruction that may be contracted: a multiply and an add round once.
        self.flags = "contract " if contract else ""

    def beside(self, code: Code) -> Scalars:
        """A builder of single elements in another function, for the same target."""
        return Scalars(code, fused=self.fused, scales=self.scales)

    # -- what instructions are made of ------------------------------------------------------

    def type(self, dtype: DType) -> str:
        """The LLVM type of a register of `dtype`."""
        return vector(element_type(dtype), self.lanes)

    def constant(self, value: object, dtype: DType) -> Register:
        """`value` in every lane."""
        return Register(splat(literal(value, dtype), element_type(dtype), self.lanes), dtype)

    def element(self, text: str, dtype: DType) -> Register:
        """The register that other code calls `text`."""
        return Register(text, dtype)

    def known(self, x: Register) -> int | None:
        """The number that an integer register holds in every lane, where the text tells."""
        text = x.text.removeprefix(f"splat ({element_type(x.dtype)} ").removesuffix(")")
        return int(text) if text.removeprefix("-").isdigit() else None

    def instruction(self, name: str, lhs: Register, rhs: Register) -> Register:
        """An instruction of two registers of one dtype, which is the result's."""
        text = self.code.let(f"{name} {self.type(lhs.dtype)} {lhs.text}, {rhs.text}")
        return Register(text, lhs.dtype)

    def intrinsic(self, name: str, *operands: Register, last: str = "") -> Register:
        """A call of ``llvm.name`` for the type of the operands; `last` is an i1 after them."""
        dtype = operands[0].dtype
        type = self.type(dtype)
        kind = f"{'f' if dtype in dtypes.FLOATING else 'i'}{8 * dtype.itemsize}"
        if self.lanes > 1:
            kind = f"v{self.lanes}{kind}"
        given = [(type, operand.text) for operand in operands]
        if last:
            given.append(("i1", last))
        return Register(self.code.intrinsic(f"{name}.{kind}", type, given), dtype)

    def converted(self, name: str, x: Register, dtype: DType) -> Register:
        """A conversion instruction: trunc, zext, sext, fptosi, sitofp, bitcast and so on."""
        text = self.code.let(f"{name} {self.type(x.dtype)} {x.text} to {self.type(dtype)}")
        return Register(text, dtype)

    def compare(self, predicate: str, lhs: Register, rhs: Register) -> Register:
        """A comparison by LLVM's name of it, a bool."""
        name = "fcmp" if lhs.dtype in dtypes.FLOATING else "icmp"
        text = self.code.let(f"{name} {predicate} {self.type(lhs.dtype)} {lhs.text}, {rhs.text}")
        return Register(text, dtypes.bool_)

    def fail_if(self, condition: Register) -> None:
        """Adds to `failed`."""
        if self.failed is not None:
            condition = self.logical_or(self.failed, condition)
        self.failed = condition

    # -- arithmetic -----------------------------------------------------------------------

    def add(self, lhs: Register, rhs: Register) -> Register:
        """``lhs + rhs``; integers wrap around."""
        return self._arithmetic("add", lhs, rhs)

    def subtract(self, lhs: Register, rhs: Register) -> Register:
        """``lhs - rhs``; integers wrap around."""
        return self._arithmetic("sub", lhs, rhs)

    def multiply(self, lhs: Register, rhs: Register) -> Register:
        """``lhs * rhs``; integers wrap around."""
        if lhs.dtype in dtypes.COMPLEX:
            return complex_scalars.multiply(self, lhs, rhs)
        return self._arithmetic("mul", lhs, rhs)

    def divide(self, lhs: Register, rhs: Register) -> Register:
        """``lhs / rhs`` of floats."""
        if lhs.dtype in dtypes.COMPLEX:
            return complex_scalars.divide(self, lhs, rhs)
        return self.instruction("fdiv", lhs, rhs)

    def _arithmetic(self, name: str, lhs: Register, rhs: Register) -> Register:
        floating = lhs.dtype in dtypes.INEXACT
        return self.instruction(f"f{name} {self.flags}".rstrip() if floating else name, lhs, rhs)

    def floor_divide(self, lhs: Register, rhs: Register) -> Register:
        """``lhs // rhs``; an integer divided by 0 is 0."""
        if lhs.dtype in dtypes.INTEGER:
            return integers.floor_divide(self, lhs, rhs)
        zero, one = self.constant(0, lhs.dtype), self.constant(1, lhs.dtype)
        rest = self.fmod(lhs, rhs)
        quotient = self.instruction("fdiv", self.instruction("fsub", lhs, rest), rhs)
        below = self.instruction("fsub", quotient, one)
        quotient = self.where(self._wrong_side(rest, rhs), below, quotient)
        # The quotient is an integer but for rounding: the nearest one is meant.
        whole = self.floor(quotient)
        missing = self.instruction("fsub", quotient, whole)
        up = self.greater(missing, self.constant(0.5, lhs.dtype))
        whole = self.where(up, self.instruction("fadd", whole, one), whole)
        plain = self.divide(lhs, rhs)
        whole = self.where(self.equal(quotient, zero), self.copysign(zero, plain), whole)
        return self.where(self.equal(rhs, zero), plain, whole)

    def remainder(self, lhs: Register, rhs: Register) -> Register:
        """``lhs % rhs``, with the sign of `rhs`; 0 for an integer divided by 0."""
        if lhs.dtype in dtypes.INTEGER:
            return integers.remainder(self, lhs, rhs)
        zero = self.constant(0, lhs.dtype)
        rest = self.fmod(lhs, rhs)
        moved = self.instruction("fadd", rest, rhs)
        result = self.where(self._wrong_side(rest, rhs), moved, rest)
        return self.where(self.equal(rest, zero), self.copysign(zero, rhs), result)

    def _wrong_side(self, rest: Register, divisor: Register) -> Register:
        """Whether the remainder of a division toward zero has not the sign of the divisor."""
        zero = self.constant(0, rest.dtype)
        differ = self.logical_xor(self.less(rest, zero), self.less(divisor, zero))
        return self.logical_and(self.not_equal(rest, zero), differ)

    def fmod(self, lhs: Register, rhs: Register) -> Register:
        """What division toward zero leaves, with the sign of `lhs`; 0 for an integer by 0."""
        if lhs.dtype in dtypes.INTEGER:
            return integers.fmod(self, lhs, rhs)
        return math_remainder.fmod(Value(self, lhs), Value(self, rhs)).register

    def fused_multiply_add(self, lhs: Register, rhs: Register, addend: Register) -> Register:
        """``lhs * rhs + addend``, rounded once where the target can."""
        if self.fused:
            return self.intrinsic("fma", lhs, rhs, addend)
        return self.instruction("fadd", self.instruction("fmul", lhs, rhs), addend)

    def scale(self, x: Register, exponent: Register) -> Register:
        """x times two to the floor of a float, rounded once; for targets with `scales` only."""
        return math_scale.scale(self, x, exponent)

    def negative(self, x: Register) -> Register:
        """``-x``; integers wrap around."""
        if x.dtype in dtypes.INEXACT:
            return Register(self.code.let(f"fneg {self.type(x.dtype)} {x.text}"), x.dtype)
        return self.instruction("sub", self.constant(0, x.dtype), x)

    def abs(self, x: Register) -> Register:
        """The absolute value; that of the least integer is itself."""
        if x.dtype in dtypes.COMPLEX:
            return complex_scalars.magnitude(self, x)
        if x.dtype in dtypes.UNSIGNED:
            return x
        if x.dtype in dtypes.FLOATING:
            return self.intrinsic("fabs", x)
        return self.intrinsic("abs", x, last="false")

    def sign(self, x: Register) -> Register:
        """-1, 0 or 1; NaN stays NaN."""
        if x.dtype in dtypes.COMPLEX:
            return complex_scalars.direction(self, x)
        zero, one = self.constant(0, x.dtype), self.constant(1, x.dtype)
        result = self.where(self.greater(x, zero), one, zero)
        if x.dtype in dtypes.UNSIGNED:
            return result
        result = self.where(self.less(x, zero), self.constant(-1, x.dtype), result)
        return self.where(self.isnan(x), x, result) if x.dtype in dtypes.FLOATING else result

    def signbit(self, x: Register) -> Register:
        """Whether the float x has its sign bit set."""
        bits = self.bits(x)
        return self.less(bits, self.constant(0, bits.dtype))

    def copysign(self, x: Register, sign: Register) -> Register:
        """x with the sign bit of `sign`."""
        return self.intrinsic("copysign", x, sign)

    def maximum(self, lhs: Register, rhs: Register) -> Register:
        """The larger one; NaN where one is NaN, `rhs` of two zeros."""
        return self._extreme(self.greater(lhs, rhs), lhs, rhs)

    def minimum(self, lhs: Register, rhs: Register) -> Register:
        """The smaller one; NaN where one is NaN, `rhs` of two zeros."""
        return self._extreme(self.less(lhs, rhs), lhs, rhs)

    def _extreme(self, wins: Register, lhs: Register, rhs: Register) -> Register:
        # Of a comparison with NaN rhs comes out, so only a NaN in lhs is left to be seen to.
        result = self.where(wins, lhs, rhs)
        return self.where(self.isnan(lhs), lhs, result) if lhs.dtype in dtypes.FLOATING else result

    # -- functions of floats ----------------------------------------------------------------

    def floor(self, x: Register) -> Register:
        """The largest integer not above x."""
        return self.intrinsic("floor", x)

    def ceil(self, x: Register) -> Register:
        """The smallest integer not below x."""
        return self.intrinsic("ceil", x)

    def rint(self, x: Register) -> Register:
        """The nearest integer; halves go to the even one."""
        if x.dtype in dtypes.COMPLEX:
            return complex_scalars.by_parts(self, self.rint, x)
        return self.intrinsic("rint", x)

    def trunc(self, x: Register) -> Register:
        """x without its fraction."""
        return self.intrinsic("trunc", x)

    def sqrt(self, x: Register) -> Register:
        """The square root, rounded correctly."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.sqrt(self, x)
        return self.intrinsic("sqrt", x)

    def exp(self, x: Register) -> Register:
        """e to the x."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.exp(self, x)
        return math_exponential.exp(Value(self, x)).register

    def expm1(self, x: Register) -> Register:
        """``exp(x) - 1``."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.expm1(self, x)
        return math_exponential.expm1(Value(self, x)).register

    def log(self, x: Register) -> Register:
        """The natural logarithm."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.log(self, x)
        return math_logarithm.log(Value(self, x)).register

    def log1p(self, x: Register) -> Register:
        """``log(1 + x)``."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.log1p(self, x)
        return math_logarithm.log1p(Value(self, x)).register

    def pow(self, base: Register, exponent: Register) -> Register:
        """``base ** exponent``."""
        if base.dtype in dtypes.INTEGER:
            return integers.power(self, base, exponent)
        if base.dtype in dtypes.COMPLEX:
            return complex_functions.pow(self, base, exponent)
        return math_power.pow(Value(self, base), Value(self, exponent)).register

    def sin(self, x: Register) -> Register:
        """The sine."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.sin(self, x)
        return math_trigonometric.sin(Value(self, x)).register

    def cos(self, x: Register) -> Register:
        """The cosine."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.cos(self, x)
        return math_trigonometric.cos(Value(self, x)).register

    def tan(self, x: Register) -> Register:
        """The tangent."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.tan(self, x)
        return math_trigonometric.tan(Value(self, x)).register

    def tanh(self, x: Register) -> Register:
        """The hyperbolic tangent."""
        if x.dtype in dtypes.COMPLEX:
            return complex_functions.tanh(self, x)
        return math_exponential.tanh(Value(self, x)).register

    def sigmoid(self, x: Register) -> Register:
        """``1 / (1 + exp(-x))``."""
        return math_exponential.sigmoid(Value(self, x)).register

    def softplus(self, x: Register) -> Register:
        """``log(1 + exp(x))``."""
        return math_exponential.softplus(Value(self, x)).register

    # -- comparison, logic and choice -------------------------------------------------------

    def equal(self, lhs: Register, rhs: Register) -> Register:
        """``lhs == rhs``, a bool."""
        if lhs.dtype in dtypes.COMPLEX:
            return self.logical_and(*complex_scalars.compared(self, self.equal, lhs, rhs))
        return self.compare("oeq" if lhs.dtype in dtypes.FLOATING else "eq", lhs, rhs)

    def not_equal(self, lhs: Register, rhs: Register) -> Register:
        """``lhs != rhs``, a bool; NaN differs from everything."""
        if lhs.dtype in dtypes.COMPLEX:
            return self.logical_or(*complex_scalars.compared(self, self.not_equal, lhs, rhs))
        return self.compare("une" if lhs.dtype in dtypes.FLOATING else "ne", lhs, rhs)

    def less(self, lhs: Register, rhs: Register) -> Register:
        """``lhs < rhs``, a bool."""
        return self._ordered("lt", lhs, rhs)

    def less_equal(self, lhs: Register, rhs: Register) -> Register:
        """``lhs <= rhs``, a bool."""
        return self._ordered("le", lhs, rhs)

    def greater(self, lhs: Register, rhs: Register) -> Register:
        """``lhs > rhs``, a bool."""
        return self._ordered("gt", lhs, rhs)

    def greater_equal(self, lhs: Register, rhs: Register) -> Register:
        """``lhs >= rhs``, a bool."""
        return self._ordered("ge", lhs, rhs)

    def _ordered(self, order: str, lhs: Register, rhs: Register) -> Register:
        if lhs.dtype in dtypes.FLOATING:
            return self.compare(f"o{order}", lhs, rhs)
        # A bool is one bit, which is 1 or, if it had a sign, -1.
        return self.compare(f"{'s' if lhs.dtype in dtypes.SIGNED else 'u'}{order}", lhs, rhs)

    def isnan(self, x: Register) -> Register:
        """Whether x is NaN."""
        if x.dtype in dtypes.COMPLEX:
            return self.logical_or(*complex_scalars.compared(self, self.isnan, x))
        return self.compare("uno", x, x)

    def isinf(self, x: Register) -> Register:
        """Whether x is infinite."""
        if x.dtype in dtypes.COMPLEX:
            return self.logical_or(*complex_scalars.compared(self, self.isinf, x))
        return self.compare("oeq", self.abs(x), self.constant(np.inf, x.dtype))

    def isfinite(self, x: Register) -> Register:
        """Whether x is neither NaN nor infinite."""
        if x.dtype in dtypes.HALF:
            return self.isfinite(self.cast(x, dtypes.float32))
        if x.dtype in dtypes.COMPLEX:
            return self.logical_and(*complex_scalars.compared(self, self.isfinite, x))
        return self.compare("olt", self.abs(x), self.constant(np.inf, x.dtype))

    def logical_and(self, lhs: Register, rhs: Register) -> Register:
        """Whether both bools hold."""
        return self.instruction("and", lhs, rhs)

    def logical_or(self, lhs: Register, rhs: Register) -> Register:
        """Whether one of two bools holds."""
        return self.instruction("or", lhs, rhs)

    def logical_xor(self, lhs: Register, rhs: Register) -> Register:
        """Whether exactly one of two bools holds."""
        return self.instruction("xor", lhs, rhs)

    def logical_not(self, x: Register) -> Register:
        """Whether the bool does not hold."""
        return self.instruction("xor", x, self.constant(True, x.dtype))

    def where(self, condition: Register, x: Register, y: Register) -> Register:
        """`x` where `condition` holds, else `y`."""
        return self.chosen(condition.text, x, y)

    def chosen(self, mask: str, x: Register, y: Register) -> Register:
        """`x` in the lanes where the i1 of `mask` holds, else `y`."""
        kind, type = self.type(dtypes.bool_), self.type(x.dtype)
        if x.dtype in dtypes.COMPLEX and self.lanes > 1:
            kind, mask = complex_scalars.mask(self.code, mask, self.lanes)
        text = self.code.let(f"select {kind} {mask}, {type} {x.text}, {type} {y.text}")
        return Register(text, x.dtype)

    # -- complex numbers ----------------------------------------------------------------------

    def real(self, x: Register) -> Register:
        """The real part."""
        return complex_scalars.parts(self, x)[0]

    def imag(self, x: Register) -> Register:
        """The imaginary part."""
        return complex_scalars.parts(self, x)[1]

    def conj(self, x: Register) -> Register:
        """The conjugate."""
        return complex_scalars.conjugate(self, x)

    def complex(self, real: Register, imag: Register) -> Register:
        """The complex number of two parts."""
        return complex_scalars.joined(self, real, imag)

    # -- bits and conversion ----------------------------------------------------------------

    def bitwise_and(self, lhs: Register, rhs: Register) -> Register:
        """``lhs & rhs``."""
        return self.instruction("and", lhs, rhs)

    def bitwise_or(self, lhs: Register, rhs: Register) -> Register:
        """``lhs | rhs``."""
        return self.instruction("or", lhs, rhs)

    def bitwise_xor(self, lhs: Register, rhs: Register) -> Register:
        """``lhs ^ rhs``."""
        return self.instruction("xor", lhs, rhs)

    def bitwise_invert(self, x: Register) -> Register:
        """``~x``."""
        return self.instruction("xor", x, self.constant(integers.all_ones(x.dtype), x.dtype))

    def shift_left(self, x: Register, count: int) -> Register:
        """x moved left by `count` bits."""
        return self.instruction("shl", x, self.constant(count, x.dtype))

    def left_shift(self, lhs: Register, rhs: Register) -> Register:
        """``lhs << rhs``."""
        return integers.left_shift(self, lhs, rhs)

    def right_shift(self, lhs: Register, rhs: Register) -> Register:
        """``lhs >> rhs``."""
        return integers.right_shift(self, lhs, rhs)

    def shift_right(self, x: Register, count: int) -> Register:
        """x moved right by `count` bits; a signed number keeps its sign."""
        name = "ashr" if x.dtype in dtypes.SIGNED else "lshr"
        return self.instruction(name, x, self.constant(count, x.dtype))

    def cast(self, x: Register, dtype: DType) -> Register:
        """x converted as `numpy.ndarray.astype` does."""
        return conversion.cast(self, x, dtype)

    def bits(self, x: Register) -> Register:
        """The bits of a float as a signed integer."""
        return self.converted("bitcast", x, _BITS[x.dtype])

    def from_bits(self, x: Register, dtype: DType) -> Register:
        """The float of `dtype` with the bits of x."""
        return self.converted("bitcast", x, dtype)
