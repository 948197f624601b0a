"""Any finite angle, brought to the octant around 0: Payne and Hanek's reduction.

A float64 is ``m * 2**e`` with an integer m of 53 bits. The bits of 2 / pi that make multiples of 4
of that change neither sine nor cosine; of those that follow, 184 give the product to 2**-129 of a
quarter of the circle. No float64 comes closer to a multiple of pi / 2 than 2**-62 of that, so what
is left after subtracting it has more than 53 good bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from staticgraph.backends.native.ir import Code
from staticgraph.backends.native.math.values import Value, fma, two_product, two_sum
from staticgraph.core import dtypes

if TYPE_CHECKING:
    from staticgraph.backends.native.scalars import Scalars

NAME = "sg_reduced_angle"
# 64 zeros and then the first 1216 bits of 2 / pi, as words from the lowest to the highest.
_BITS = (
    0x56033046FC7B6BAB, 0x6BFB5FB11F8D5D08, 0x3D0739F78A5292EA, 0x7527BAC7EBE5F17B,
    0x4F463F669E5FEA2D, 0x6D367ECF27CB09B7, 0xEF2F118B5A0A6D1F, 0x1FF897FFDE05980F,
    0x9C845F8BBDF9283B, 0x3991D639835339F4, 0xE99C7026B45F7E41, 0xE88235F52EBB4484,
    0xFE1DEB1CB129A73E, 0x06492EEA09D1921C, 0xB7246E3A424DD2E0, 0xFE5163ABDEBBC561,
    0xDB6295993C439041, 0xFC2757D1F534DDC0, 0xA2F9836E4E441529, 0x0000000000000000,
)  # fmt: skip
_HALF_PI = (1.5707963267948966, 6.123233995736766e-17)

_PRODUCT = """
  %bits = bitcast double %x to i64
  %shifted = lshr i64 %bits, 52
  %exponent = and i64 %shifted, 2047
  %fraction = and i64 %bits, 4503599627370495
  %m = or i64 %fraction, 4503599627370496
  ; The window begins so many bits above the end of the table; its bytes are found, and the bits
  ; below the byte go to m.
  %place = sub i64 2101, %exponent
  %below = lshr i64 %place, 3
  %byte = add i64 %below, 1
  %odd = and i64 %place, 7
  %left = sub i64 8, %odd
  %aligned = shl i64 %m, %left
  %pointer = getelementptr i8, ptr @sg_two_over_pi, i64 %byte
  %window = load i192, ptr %pointer, align 1
  %factor = zext i64 %aligned to i192
  %product = mul i192 %window, %factor
  ; Two bits are the quadrant; the rest is a signed fraction once the quadrant is the nearest one.
  %top = lshr i192 %product, 128
  %high = trunc i192 %top to i64
  %cut = lshr i64 %high, 62
  %next = lshr i64 %high, 61
  %half = and i64 %next, 1
  %quadrant = add i64 %cut, %half
  %signed = shl i192 %product, 2
  %first = lshr i192 %signed, 128
  %second = lshr i192 %signed, 64
  %limb = trunc i192 %first to i64
  %lower = trunc i192 %second to i64
  %coarse = and i64 %limb, -4294967296
  %fine = and i64 %limb, 4294967295
  %finest = lshr i64 %lower, 11
  %negative = icmp slt i64 %bits, 0
  %opposite = sub i64 0, %quadrant
  %turned = select i1 %negative, i64 %opposite, i64 %quadrant"""


def define(s: Scalars) -> None:
    """Adds ``{double, i64} @sg_reduced_angle(double)``: r and the quadrant of a finite number.

    The number is 2**20 or larger in size.
    """
    module = s.code.module
    if module.has_function(NAME):
        return
    words = ", ".join(f"i64 {word}" for word in _BITS)
    module.add_global(
        f"@sg_two_over_pi = internal constant [{len(_BITS)} x i64] [{words}], align 16"
    )
    code = Code(module, NAME, "internal {double, i64}", ("double %x",))
    for line in _PRODUCT.strip().splitlines():
        code.do(line.strip())
    single = s.beside(code)
    fraction = [
        Value(single, single.element(name, dtypes.int64)).cast(dtypes.float64) * 2.0**place
        for name, place in (("%coarse", -64), ("%fine", -64), ("%finest", 11 - 128))
    ]
    high, low = two_sum(fraction[0], fraction[1])
    high, low = two_sum(high, low + fraction[2])
    angle, angle_low = two_product(high, high.of(_HALF_PI[0]))
    r = angle + (angle_low + fma(high, _HALF_PI[1], low * _HALF_PI[0]))
    turned = (-r).register.text
    result = code.let(f"select i1 %negative, double {turned}, double {r.register.text}")
    pair = code.let(f"insertvalue {{double, i64}} poison, double {result}, 0")
    pair = code.let(f"insertvalue {{double, i64}} {pair}, i64 %turned, 1")
    code.do(f"ret {{double, i64}} {pair}")
    code.finish()
