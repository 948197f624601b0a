"""sin, cos and tan of every finite number.

``x = n * pi / 2 + r`` with an integer n and ``abs(r) <= pi / 4``; then sine and cosine of r are
minimax polynomials, and the last two bits of n say which of them is meant, and its sign. pi / 2 is
subtracted in parts while n is so small that this is exact enough, in float64 also for float32. The
few larger x go through a scalar function, lane by lane: it multiplies with the bits of 2 / pi that
matter (Payne and Hanek's reduction), so no number is too large.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from staticgraph.backends.native.ir import Code, vector
from staticgraph.backends.native.math import reduction as math_reduction
from staticgraph.backends.native.math.values import (
    Value,
    fma,
    nearest_integer,
    polynomial,
    two_product,
    two_sum,
    where,
)
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

if TYPE_CHECKING:
    from staticgraph.backends.native.scalars import Scalars

_TWO_OVER_PI = 0.6366197723675814
# pi / 2 in parts: with fused multiply-add each may have all bits; else the products of the first
# two with n must be exact, so they have 33. All are positive: 0 times a negative part, taken from
# -0.0, would lose its sign.
_FUSED = (1.5707963267948966, 6.123233995736765e-17, 1.082856673921914e-32)
_SEPARATE = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
# Below these the reduction in parts is good.
_FUSED_LIMIT, _SEPARATE_LIMIT = 2.0**30, 2.0**20

# Of (sin(r) / r - 1) / r**2 and (cos(r) - 1 + r**2 / 2) / r**4, in r**2: for float32, for float64,
# and in float64 for a tangent in float32.
_SINE: dict[DType, tuple[float, ...]] = {
    dtypes.float32: (-0.166666548734393101, 0.0083321735406993817, -0.000195166554885274605),
    dtypes.float64: (
        -0.166666666666666317, 0.00833333333332231502, -0.000198412698297251236,
        2.75573136620363233e-6, -2.50507532619227029e-8, 1.58965048223701148e-10,
    ),
}  # fmt: skip
_COSINE: dict[DType, tuple[float, ...]] = {
    dtypes.float32: (0.0416666467479342884, -0.00138873614574182087, 0.0000244377308427346254),
    dtypes.float64: (
        0.0416666666666665987, -0.00138888888888739908, 0.0000248015872893949859,
        -2.75573143260476823e-7, 2.08757195609131697e-9, -1.13594487870264213e-11,
    ),
}  # fmt: skip
_SHORT_SINE = (
    -0.166666666414267473, 0.00833332936230173824, -0.000198393271416218581, 2.7182373110795478e-6,
)  # fmt: skip
_SHORT_COSINE = (
    0.04166666662247758, -0.00138888837226504243, 0.0000247995117678793661,
    -2.72095479240495258e-7,
)  # fmt: skip


def sin(x: Value) -> Value:
    """The sine."""
    return _wave(x, 0)


def cos(x: Value) -> Value:
    """The cosine."""
    return _wave(x, 1)


def _wave(x: Value, quarters: int) -> Value:
    """The sine of x moved on by so many quarters of the circle."""
    wide, quadrant = reduced(x.cast(dtypes.float64))
    r = wide.cast(x.dtype)
    quadrant = quadrant.cast(dtypes.int32 if x.dtype == dtypes.float32 else dtypes.int64)
    if quarters:
        quadrant = quadrant + quarters
    square = r * r
    odd = (quadrant & 1).differs(0)
    value = where(odd, _cosine(square, _COSINE[x.dtype]), _sine(r, square, _SINE[x.dtype]))
    flip = (quadrant >> 1) << (8 * x.dtype.itemsize - 1)
    return (value.bits() ^ flip).as_float()


def _sine(r: Value, square: Value, coefficients: tuple[float, ...]) -> Value:
    value = fma(r * square, polynomial(square, coefficients), r)
    # The polynomial loses the sign of a zero.
    return where(square.equals(0.0), r, value)


def _cosine(square: Value, coefficients: tuple[float, ...]) -> Value:
    straight = fma(square, -0.5, 1.0)
    return fma(square * square, polynomial(square, coefficients), straight)


def tan(x: Value) -> Value:
    """The tangent: sine over cosine, or minus cosine over sine in odd quadrants."""
    return _tan_of_float32(x) if x.dtype == dtypes.float32 else _tan_of_float64(x)


def _tan_of_float32(x: Value) -> Value:
    r, quadrant = reduced(x.cast(dtypes.float64))
    odd = (quadrant & 1).differs(0)
    square = r * r
    sine, cosine = _sine(r, square, _SHORT_SINE), _cosine(square, _SHORT_COSINE)
    result = where(odd, -cosine, sine) / where(odd, sine, cosine)
    return result.cast(x.dtype)


def _tan_of_float64(x: Value) -> Value:
    """Sine and cosine in two parts, and a quotient that is mended by what its product lacks."""
    r, r_low, quadrant = reduced_in_two_parts(x)
    odd = (quadrant & 1).differs(0)
    square = r * r
    sine, sine_low = two_sum(r, r * square * polynomial(square, _SINE[x.dtype]))
    half, half_low = two_product(square, square.of(-0.5))
    cosine, cosine_low = two_sum(square.of(1.0), half)
    bent = square * square * polynomial(square, _COSINE[x.dtype])
    cosine, cosine_low = two_sum(cosine, cosine_low + half_low + bent)
    above, above_low = where(odd, -cosine, sine), where(odd, -cosine_low, sine_low)
    below, below_low = where(odd, sine, cosine), where(odd, sine_low, cosine_low)
    inverse = 1.0 / below
    quotient = above * inverse
    product, product_low = two_product(quotient, below)
    missing = ((above - product) - product_low) + (above_low - quotient * below_low)
    # What r lacks counts with the derivative, which is 1 + tan**2 in either quadrant.
    result = quotient + fma(missing, inverse, r_low * fma(quotient, quotient, 1.0))
    return where(x.equals(0.0), x, result)


def half_turn(x: Value) -> tuple[Value, Value]:
    """Sine and cosine of pi times an x from -1/2 to 1/2."""
    size = abs(x)
    far = size > 0.25
    angle = where(far, 0.5 - size, size) * math.pi
    square = angle * angle
    sine, cosine = _sine(angle, square, _SINE[x.dtype]), _cosine(square, _COSINE[x.dtype])
    return where(far, cosine, sine).with_sign_of(x), where(far, sine, cosine)


# -- reduction --------------------------------------------------------------------------------


def reduced(x: Value) -> tuple[Value, Value]:
    """r of a float64, and an integer whose last two bits are those of n; NaN for infinities."""
    if not x.s.fused:
        r, _, quadrant = reduced_in_two_parts(x)
        return where(x.equals(0.0), x, r), quadrant
    n, quadrant = nearest_integer(x, _TWO_OVER_PI)
    # The first step is exact, and what a later one rounds is its own result.
    r = x
    for part in _FUSED:
        r = fma(n, -part, r)
    return _mended(x, _large(x), r, quadrant)


def reduced_in_two_parts(x: Value) -> tuple[Value, Value, Value]:
    """`reduced`, and between its results what r lacks, which is known for x that are not large."""
    n, quadrant = nearest_integer(x, _TWO_OVER_PI)
    first, second, third = _FUSED if x.s.fused else _SEPARATE
    high = fma(n, -first, x)
    taken = n * second
    taken_low = fma(n, second, -taken)
    r = high - taken
    # What rounding took from r, exactly, whichever of the two is larger.
    back = r - high
    error = (high - (r - back)) - (taken + back)
    r, low = two_sum(r, (error - taken_low) - n * third)
    large = _large(x)
    r, quadrant = _mended(x, large, r, quadrant)
    return r, where(large, 0.0, low), quadrant


def _large(x: Value) -> Value:
    """Whether x needs the long way; infinities and NaN do not."""
    size = abs(x)
    return (size >= (_FUSED_LIMIT if x.s.fused else _SEPARATE_LIMIT)) & (size < np.inf)


def _mended(x: Value, large: Value, r: Value, quadrant: Value) -> tuple[Value, Value]:
    """The results, replaced in lanes whose x is large."""
    s = x.s
    code = s.code
    math_reduction.define(s)
    condition = large.register.text
    if s.lanes > 1:
        kind = s.type(dtypes.bool_)
        condition = code.intrinsic(f"vector.reduce.or.v{s.lanes}i1", "i1", [(kind, condition)])
    before, after = code.block, code.label()
    rare = code.label()
    code.branch(condition, rare, after)
    code.begin(rare)
    values = [r.register.text, quadrant.register.text]
    values = _one_by_one(s, x, large, values) if s.lanes > 1 else _call(code, x.register.text)
    last = code.block
    code.jump(after)
    code.begin(after)
    results = []
    for old, new in zip((r, quadrant), values, strict=True):
        phi = code.phi(s.type(old.dtype))
        phi.add(old.register.text, before)
        phi.add(new, last)
        results.append(Value(s, old.register._replace(text=phi.name)))
    return results[0], results[1]


def _call(code: Code, x: str) -> list[str]:
    """r and the quadrant of one number."""
    pair = code.let(f"call {{double, i64}} @{math_reduction.NAME}(double {x})")
    return [code.let(f"extractvalue {{double, i64}} {pair}, {part}") for part in (0, 1)]


def _one_by_one(s: Scalars, x: Value, large: Value, values: list[str]) -> list[str]:
    """A loop over the lanes, which changes those that are large."""
    code = s.code
    types = [vector("double", s.lanes), vector("i64", s.lanes)]
    before, loop, change, following, done = code.block, *[code.label() for _ in range(4)]
    code.jump(loop)
    code.begin(loop)
    lane = code.phi("i64")
    lane.add("0", before)
    phis = [code.phi(type) for type in types]
    for phi, value in zip(phis, values, strict=True):
        phi.add(value, before)
    kind = s.type(dtypes.bool_)
    wanted = code.let(f"extractelement {kind} {large.register.text}, i64 {lane.name}")
    code.branch(wanted, change, following)
    code.begin(change)
    single = code.let(f"extractelement {types[0]} {x.register.text}, i64 {lane.name}")
    changed = [
        code.let(f"insertelement {type} {phi.name}, {element} {value}, i64 {lane.name}")
        for type, phi, element, value in zip(
            types, phis, ("double", "i64"), _call(code, single), strict=True
        )
    ]
    code.jump(following)
    code.begin(following)
    ends = []
    for type, phi, value in zip(types, phis, changed, strict=True):
        end = code.phi(type)
        end.add(phi.name, loop)
        end.add(value, change)
        phi.add(end.name, following)
        ends.append(end.name)
    next_lane = code.let(f"add i64 {lane.name}, 1")
    lane.add(next_lane, following)
    code.branch(code.let(f"icmp ult i64 {next_lane}, {s.lanes}"), loop, done)
    code.begin(done)
    return ends
