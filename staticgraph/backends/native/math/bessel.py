"""The modified Bessel functions of the first kind, of order 0 and 1.

Up to 8 they are their power series, fitted as a polynomial of a quarter of the square; beyond, the
exponential over the root of x times a polynomial of 1 / x. (NIST Digital Library of Mathematical
Functions, 10.25 and 10.40.) float32 is computed in float64, with shorter polynomials.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from staticgraph.backends.native.math.exponential import exp_of_negative, raised, reduced
from staticgraph.backends.native.math.values import (
    Value,
    at_least,
    at_most,
    fma,
    horner,
    two_product,
    where,
)
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

_MIDDLE = 8.0
_CENTRE = 0.0625
# Where either function is infinite in float64, and before which no intermediate result is.
_HIGHEST = 720.0


class _Order(NamedTuple):
    """What depends on the order.

    near   of ``(i0(x) - 1) / q``, or ``(i1(x) / (x / 2) - 1) / q``, in ``q = x**2 / 4``
    far    of ``sqrt(x) * exp(-x) * i(x)`` in ``1 / x - 1 / 16``
    """

    near: tuple[float, ...]
    far: tuple[float, ...]


# Errors of the results are below 9.3e-9, 9.1e-11, 2.2e-9 and 9.9e-11; 2.5e-17, 6.5e-17, 2.3e-17
# and 5.2e-17.
_TABLE: dict[DType, tuple[_Order, _Order]] = {
    dtypes.float32: (
        _Order(
            near=(
                1.0000001535389798, 0.24999932440121875, 0.027778697635754752,
                0.0017355461999370495, 6.962804196903658e-05, 1.8949191673190805e-06,
                4.3078462971698944e-08, 3.8415546989564117e-10, 1.4937498126418484e-11,
            ),
            far=(
                0.4021765094189167, 0.05376883544933991, 0.034871596390847595,
                0.045629533017485784, 0.096735759324312, 0.3218296332573364, 1.8245443013529499,
                8.550775632619775, -0.1540202812416006,
            ),
        ),
        _Order(
            near=(
                0.5000000283980108, 0.08333322779049927, 0.006944570405069372,
                0.0003471525383017774, 1.1594897493862389e-05, 2.7196167612498495e-07,
                5.292644696260365e-09, 4.624677280397635e-11, 1.4373682531371574e-12,
            ),
            far=(
                0.38939845905471865, -0.15599323881904986, -0.05612466399972607,
                -0.06158547515808124, -0.11969937534442245, -0.3753231284951206,
                -2.0383775039012044, -9.67857353955198, -2.641087283163948,
            ),
        ),
    ),
    dtypes.float64: (
        _Order(
            near=(
                1.0, 0.2499999999999997, 0.027777777777778744, 0.0017361111111096014,
                6.944444444579522e-05, 1.92901234491677e-06, 3.9367599179265e-08,
                6.151186571159534e-10, 7.594072539896805e-12, 7.593868734985882e-14,
                6.277917997495819e-16, 4.345729407510944e-18, 2.6392900215519823e-20,
                1.1281525401918572e-22, 9.190405830239369e-25,
            ),
            far=(
                0.4021765094450081, 0.053768831738685526, 0.03487131504388619,
                0.04564186641358456, 0.09724543971040384, 0.31180437143143475,
                1.4884838444787167, 10.556574632788033, 92.61924378945385, 518.9409855131361,
                -7522.452972341232, -235667.74262864242, -1424406.657463328, 33862431.742843896,
                475721638.9971322, -3975228467.5527263, -85329462654.28554, 429399964095.4391,
                10550975879384.053, -39710928467240.914, -820927971792013.6, 2597661693864380.0,
                2.986824711424911e16, -8.432631139500696e16,
            ),
        ),
        _Order(
            near=(
                0.4999999999999997, 0.08333333333333526, 0.006944444444439512,
                0.0003472222222284305, 1.1574074069563283e-05, 2.7557319431305773e-07,
                4.920949224194068e-09, 6.834666136771426e-11, 7.593855295708923e-13,
                6.9058474905801595e-15, 5.21395350478438e-17, 3.4349743300125283e-19,
                1.5699598552877459e-21, 1.3885928014754672e-23,
            ),
            far=(
                0.38939845902587233, -0.1559932350917716, -0.056124355541007205,
                -0.061597889337707705, -0.12025267634331008, -0.3653087260487562,
                -1.6779089158824658, -11.577485773626577, -100.46288873977903,
                -579.0057582130917, 7512.27741726291, 246740.5345555999, 1580745.9119492092,
                -34316033.91408771, -506274977.0743112, 3905210364.1834784, 89672196067.87361,
                -411743021033.54987, -11025065791097.752, 37691506256292.23, 855380037997619.5,
                -2472093210573722.0, -3.1073524607692252e16, 8.105985843675365e16,
            ),
        ),
    ),
}  # fmt: skip


def modified_bessel(x: Value, order: int, scaled: bool) -> Value:
    """The function of order 0 or 1, times ``exp(-abs(x))`` if scaled."""
    table = _TABLE[x.dtype][order]
    wide = x.cast(dtypes.float64)
    size = abs(wide)
    low = at_most(size, _MIDDLE)
    square, square_low = two_product(low, low)
    quarter = square * 0.25
    near = fma(quarter, horner(quarter, table.near), 1.0)
    if x.dtype == dtypes.float64:
        # What the square rounds off counts up to four times; so much is its share, almost.
        share = square_low * 0.25 / (quarter + (1.0 + 3.0 * order)).root()
        near = fma(near, share, near)
    high = at_least(size, _MIDDLE)
    # Infinity has the limit of the polynomial, over an infinite root.
    far = horner(1.0 / high - _CENTRE, table.far) / high.root()
    below = size < _MIDDLE
    if order == 1:
        # Halved last, and so rounded once where the result is subnormal.
        near = near * low * 0.5
    if scaled:
        result = where(below, near * exp_of_negative(-low), far)
    else:
        parts = reduced(at_most(high, _HIGHEST))
        grown = raised(parts.power() * far, parts.n, parts.exponent)
        result = where(below, near, grown)
        result = where(size >= _HIGHEST, np.inf, result)
    if order == 1:
        result = result.with_sign_of(wide)
    # Of NaN no comparison holds.
    return where(size.differs(size), wide, result).cast(x.dtype)
