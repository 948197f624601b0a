"""Division, powers and shifts of integers, with NumPy's meaning for every pair of operands.

The machine's division traps on a divisor of 0 and on the one quotient that overflows, and no vector
unit has it. So a divisor that could trap is replaced before, and vectors of up to 32 bits are
divided as floats that are wide enough for the quotient to be exact once it is cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

if TYPE_CHECKING:
    from staticgraph.backends.native.scalars import Register, Scalars


def all_ones(dtype: DType) -> int:
    """The integer of `dtype` whose bits are all set."""
    return -1 if dtype in dtypes.SIGNED else int(np.iinfo(dtype).max)


def floor_divide(s: Scalars, lhs: Register, rhs: Register) -> Register:
    """``lhs // rhs``; 0 where `rhs` is 0, and the least number divided by -1 stays what it is."""
    zero = s.constant(0, lhs.dtype)
    divisor = _harmless(s, lhs, rhs)
    quotient = _cut_quotient(s, lhs, divisor)
    if lhs.dtype in dtypes.SIGNED:
        rest = s.subtract(lhs, s.multiply(quotient, divisor))
        down = s.subtract(quotient, s.constant(1, lhs.dtype))
        quotient = s.where(_wrong_side(s, rest, divisor), down, quotient)
    if s.known(rhs):
        return quotient
    return s.where(s.equal(rhs, zero), zero, quotient)


def remainder(s: Scalars, lhs: Register, rhs: Register) -> Register:
    """``lhs % rhs`` with the sign of `rhs`; 0 where `rhs` is 0."""
    zero = s.constant(0, lhs.dtype)
    divisor = _harmless(s, lhs, rhs)
    rest = s.subtract(lhs, s.multiply(_cut_quotient(s, lhs, divisor), divisor))
    if lhs.dtype in dtypes.SIGNED:
        rest = s.where(_wrong_side(s, rest, divisor), s.add(rest, divisor), rest)
    if s.known(rhs):
        return rest
    return s.where(s.equal(rhs, zero), zero, rest)


def fmod(s: Scalars, lhs: Register, rhs: Register) -> Register:
    """What division toward zero leaves, with the sign of `lhs`; 0 where `rhs` is 0."""
    divisor = _harmless(s, lhs, rhs)
    rest = s.subtract(lhs, s.multiply(_cut_quotient(s, lhs, divisor), divisor))
    if s.known(rhs):
        return rest
    zero = s.constant(0, lhs.dtype)
    return s.where(s.equal(rhs, zero), zero, rest)


def left_shift(s: Scalars, lhs: Register, rhs: Register) -> Register:
    """``lhs << rhs``; 0 where `rhs` is negative or as large as the number of bits."""
    within, count = _count(s, rhs)
    return s.where(within, s.instruction("shl", lhs, count), s.constant(0, lhs.dtype))


def right_shift(s: Scalars, lhs: Register, rhs: Register) -> Register:
    """``lhs >> rhs``, which keeps the sign; a count out of range leaves nothing but that."""
    within, count = _count(s, rhs)
    if lhs.dtype in dtypes.SIGNED:
        count = s.where(within, count, s.constant(8 * lhs.dtype.itemsize - 1, lhs.dtype))
        return s.instruction("ashr", lhs, count)
    return s.where(within, s.instruction("lshr", lhs, count), s.constant(0, lhs.dtype))


def _count(s: Scalars, rhs: Register) -> tuple[Register, Register]:
    """Whether bits can be moved by `rhs`, and a number by which they can in any case."""
    bits = 8 * rhs.dtype.itemsize
    within = s.compare("ult", rhs, s.constant(bits, rhs.dtype))
    return within, s.bitwise_and(rhs, s.constant(bits - 1, rhs.dtype))


def _harmless(s: Scalars, lhs: Register, rhs: Register) -> Register:
    """The divisor, and 1 where the machine would trap; divided by 1 the least number is right."""
    known = s.known(rhs)
    if known is not None and known not in (0, -1):
        return rhs
    traps = s.equal(rhs, s.constant(0, rhs.dtype))
    if lhs.dtype in dtypes.SIGNED:
        least = s.equal(lhs, s.constant(int(np.iinfo(lhs.dtype).min), lhs.dtype))
        overflows = s.logical_and(least, s.equal(rhs, s.constant(-1, rhs.dtype)))
        traps = s.logical_or(traps, overflows)
    return s.where(traps, s.constant(1, rhs.dtype), rhs)


def _wrong_side(s: Scalars, rest: Register, divisor: Register) -> Register:
    """Whether the remainder of a division toward zero has not the sign of the divisor."""
    zero = s.constant(0, rest.dtype)
    differ = s.less(s.bitwise_xor(rest, divisor), zero)
    return s.logical_and(s.not_equal(rest, zero), differ)


def _cut_quotient(s: Scalars, lhs: Register, divisor: Register) -> Register:
    """The quotient rounded toward zero; the divisor is harmless."""
    signed = lhs.dtype in dtypes.SIGNED
    if s.lanes == 1 or lhs.dtype.itemsize == 8 or s.known(divisor) is not None:
        return s.instruction("sdiv" if signed else "udiv", lhs, divisor)
    # A quotient that is no integer is further from the next one than it is rounded: by a factor of
    # 2**(p - bits) of it, for p bits of significance.
    wide = dtypes.float32 if lhs.dtype.itemsize < 4 else dtypes.float64
    quotient = s.divide(s.cast(lhs, wide), s.cast(divisor, wide))
    whole = lhs.dtype if lhs.dtype.itemsize == 4 else dtypes.int32
    number = s.converted("fptosi" if whole in dtypes.SIGNED else "fptoui", quotient, whole)
    return s.cast(number, lhs.dtype)


def power(s: Scalars, base: Register, exponent: Register) -> Register:
    """``base ** exponent`` by squaring; the exponent counts as unsigned."""
    known = s.known(exponent)
    if known is not None and known >= 0:
        return _known_power(s, base, known)
    return _power_loop(s, base, exponent)


def _known_power(s: Scalars, base: Register, exponent: int) -> Register:
    result: Register | None = None
    while exponent:
        if exponent & 1:
            result = base if result is None else s.multiply(result, base)
        exponent >>= 1
        if exponent:
            base = s.multiply(base, base)
    return s.constant(1, base.dtype) if result is None else result


def _power_loop(s: Scalars, base: Register, exponent: Register) -> Register:
    """A loop that ends when no lane has bits of its exponent left."""
    code, type, dtype = s.code, s.type(base.dtype), base.dtype
    zero, one = s.constant(0, dtype), s.constant(1, dtype)
    before, loop, after = code.block, code.label(), code.label()
    code.jump(loop)
    code.begin(loop)
    phis = [code.phi(type) for _ in range(3)]
    for phi, start in zip(phis, (one, base, exponent), strict=True):
        phi.add(start.text, before)
    result, square, left = [base._replace(text=phi.name) for phi in phis]
    odd = s.not_equal(s.bitwise_and(left, one), zero)
    result = s.where(odd, s.multiply(result, square), result)
    square = s.multiply(square, square)
    left = s.instruction("lshr", left, one)
    for phi, register in zip(phis, (result, square, left), strict=True):
        phi.add(register.text, loop)
    more = s.not_equal(left, zero).text
    if s.lanes > 1:
        kind = s.type(dtypes.bool_)
        more = code.intrinsic(f"vector.reduce.or.v{s.lanes}i1", "i1", [(kind, more)])
    code.branch(more, loop, after)
    code.begin(after)
    return result
