"""The error function, its complement and its inverse; the normal distribution.

Near 0 the error function is x times a polynomial of the square. Beyond, it is 1 minus an
exponential whose exponent is a polynomial, so that errors of either come out smaller.

``erfcx(x) = exp(x**2) * erfc(x)`` is smooth and slow, so nothing in it is multiplied by an error
of x; a normal probability is that times an exponential whose exponent is carried in two parts.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from staticgraph.backends.native.math.exponential import (
    Reduced,
    exp_of_moderate,
    raised,
    reduced,
)
from staticgraph.backends.native.math.logarithm import log
from staticgraph.backends.native.math.values import (
    Value,
    at_least,
    at_most,
    exact_sum,
    fma,
    horner,
    polynomial,
    two_product,
    where,
)
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType


class _Error(NamedTuple):
    """What depends on the dtype.

    limit   where the second form takes over
    flat    where the result is 1 from here up
    near    coefficients of ``erf(x) / x - 1`` in x**2; errors are below 1.7e-8 and 2.7e-17
    far     coefficients of ``log(1 - erf(x)) / x``; errors of the result: 7.8e-9, 1.2e-17
    """

    limit: float
    flat: float
    near: tuple[float, ...]
    far: tuple[float, ...]


_TABLE: dict[DType, _Error] = {
    dtypes.float32: _Error(
        limit=0.92, flat=4.0,
        near=(
            0.128379151810855158, -0.376125068505036307, 0.112819401826914911,
            -0.0267707242064688764, 0.00499874927506773131, -0.000601732235751043223,
        ),
        far=(
            -1.12865216296891753, -0.635135909869425857, -0.106263150935825955,
            0.023785352323422732, -0.00365376701856605526, 0.000325653546618300304,
            -0.0000115223865131137387,
        ),
    ),
    dtypes.float64: _Error(
        limit=1.0, flat=6.0,
        near=(
            0.128379167095512567, -0.376126389031835466, 0.112837916709452529,
            -0.0268661706432761717, 0.00522397760742314289, -0.000854832598968406395,
            0.000120552953201983522, -0.0000149247446591335475, 1.64475176423778531e-6,
            -1.62091757495890991e-7, 1.372297597471211e-8, -7.80118898741314774e-10,
        ),
        far=(
            -1.12837912251389019, -0.63662014622934873, -0.102771278326960745,
            0.0191261436599971762, 0.000209910423299358346, -0.00168980037977070095,
            0.000571847480315611367, 3.15476491573248788e-6, -0.0000968117633239372836,
            0.0000566736774859009648, -0.0000205913530135931125, 5.45632179040439408e-6,
            -1.09442666238012973e-6, 1.65856567229363777e-7, -1.8491097897979736e-8,
            1.43404348513119814e-9, -6.91566932880505296e-11, 1.56169409788500465e-12,
        ),
    ),
}  # fmt: skip


def erf(x: Value) -> Value:
    """The error function."""
    table = _TABLE[x.dtype]
    near = fma(polynomial(x * x, table.near), x, x)
    size = at_most(abs(x), table.flat)
    far = 1.0 - exp_of_moderate(size * polynomial(size, table.far))
    return where(size < table.limit, near, far.with_sign_of(x))


# -- the complement and the inverse -------------------------------------------------------------

# Of (1 + 2 x) * exp(x**2) * erfc(x) in (x - 4) / (x + 4), for x from 0 to 27; errors are below
# 5.1e-10 and 5.1e-17 of it.
_COMPLEMENT: dict[DType, tuple[float, ...]] = {
    dtypes.float32: (
        1.2329951184291785, -0.1396211078218295, 0.015379674569173697, 0.06809670688646942,
        -0.10103952232651131, 0.09373663832126607, -0.06632665180139471, 0.0371497034150438,
        -0.016212624646153445, 0.00507272462518114, -0.0007271125720204576,
        -0.00024553941492651683, 0.00012024486125009636,
    ),
    dtypes.float64: (
        1.2329951186255526, -0.1396211168405632, 0.015379652102606623, 0.06809705425476642,
        -0.10103906603558598, 0.09373283499609877, -0.06633036582776548, 0.0371675155675996,
        -0.01619773388348898, 0.00503196977051818, -0.0007577744342810456, -0.00019925593145569192,
        0.00015062636310065063, -2.4400511166801314e-05, -1.1234223568656534e-05,
        5.709470001829169e-06, 3.1374806713136686e-07, -8.203701699761449e-07,
        5.520338011618771e-08, 1.0159417909501993e-07, -8.018164097129459e-09,
        -8.379955423211767e-09,
    ),
}  # fmt: skip
# From here on the complement is 0.
_NOTHING = {dtypes.float32: 10.25, dtypes.float64: 27.25}


def erfc(x: Value) -> Value:
    """``1 - erf(x)``, without the cancellation."""
    wide = x.cast(dtypes.float64)
    size = at_most(abs(wide), _NOTHING[x.dtype])
    ratio = (size - 4.0) / (size + 4.0)
    above = horner(ratio, _COMPLEMENT[x.dtype])
    below, below_low = exact_sum(size + size, size.of(1.0))
    square, square_low = two_product(size, size)
    parts = reduced(-square, -square_low)
    inverse = 1.0 / below
    quotient = above * inverse
    if x.dtype == dtypes.float64:
        product, product_low = two_product(quotient, below)
        missing = ((above - product) - product_low) - quotient * below_low
        rest = fma(quotient, parts.growth(), missing * inverse)
    else:
        rest = quotient * parts.growth()
    result = raised(quotient + rest, parts.n, parts.exponent)
    result = where(wide < 0.0, 2.0 - result, result)
    if x.dtype == dtypes.float64:
        # Here the ratio is close to -1, where the polynomial rounds most.
        near = fma(polynomial(x * x, _TABLE[x.dtype].near), x, x)
        result = where(size < 0.5, 1.0 - near, result)
    return result.cast(x.dtype)


class _Inverse(NamedTuple):
    """Of ``erfinv(x) / x`` with ``w = -log(1 - x**2)``, per range of w.

    near    in w - 2.5, up to 5, less 1
    middle  in sqrt(w) - the number before it, up to 16
    far     in sqrt(w) - 5, to the end; float32 does not get there
    """

    near: tuple[float, ...]
    middle: tuple[float, tuple[float, ...]]
    far: tuple[float, ...]


# Errors are below 3.1e-9 and 4.2e-9; 1.8e-16, 1.7e-16 and 1.6e-16.
_INVERSE: dict[DType, _Inverse] = {
    dtypes.float32: _Inverse(
        near=(
            0.501409352252103, 0.24664028914678818, -0.004177329039275861, -0.0012527479943553177,
            0.00021826909021476922, -4.959928462019371e-06, -3.4284417115992642e-06,
            4.654556685168322e-07, 1.6892270893608142e-08, -8.740858050366576e-09,
            4.097864616007199e-10,
        ),
        middle=(3.0, (
            2.8329768012832024, 1.0016752354064902, 0.009445323880129463, -0.00764267344488374,
            0.005687404573013295, -0.0035679467544219236, 0.0014765512686495067,
            -0.00011759390193857507, -0.00028051041098615124, 0.0001584060445370027,
            -2.7202709461578503e-05,
        )),
        far=(),
    ),
    dtypes.float64: _Inverse(
        near=(
            0.5014093511107919, 0.246640276744167, -0.004177317724382913, -0.001252707907811114,
            0.00021825026433949476, -4.99607959856624e-06, -3.4166195851364916e-06,
            4.787252180738668e-07, 1.3416789093881397e-08, -1.0861168546643993e-08,
            9.073146172685843e-10, 1.19606783504848e-10, -3.110789982181408e-11,
            9.116330121276679e-13, 5.371646972053535e-13, -7.614051789071076e-14,
            -3.1752841443044237e-15, 1.8984781102493155e-15, -1.0151435355178756e-16,
            -2.6952350873126085e-17, 2.5424259149520415e-18, 1.7383888859025383e-19,
        ),
        middle=(3.125, (
            2.958320150240462, 1.003718691797925, 0.007047884417791712, -0.005301010608494853,
            0.0037944200159410846, -0.0025198826913311804, 0.001260669868591469,
            -0.0003286621798230938, -8.955312178711318e-05, 0.00013610495244352933,
            -5.8853567770353966e-05, 2.1840607927226547e-06, 1.1405424992890623e-05,
            -6.270905351485578e-06, 8.888445988939591e-07, 7.479833725441656e-07,
            -5.342497681240104e-07, 1.3546738855938226e-07, 3.179354728992703e-08,
            -4.633591881144432e-08, 1.4406556964133236e-08, 3.889830602536563e-09,
            -2.6143999118836844e-09,
        )),
        far=(
            4.849906401408584, 1.0103004648645448, -0.00013871931838018282,
            -0.00021503011980167545, 7.599527809795949e-05, -1.9681771151516833e-05,
            4.526052511234758e-06, -9.930258554857011e-07, 2.2905291145668036e-07,
            -6.757115104101909e-08, 2.9018320848178908e-08, -1.5217761354755028e-08,
            7.822093404227911e-09, -3.5277579367994775e-09, 1.3152513843898727e-09,
            -3.866719098412619e-10, 7.000343943635777e-11, 1.7697582761948423e-11,
            -2.0494495124142923e-11, 5.254169102181068e-12,
        ),
    ),
}  # fmt: skip


def erfinv(x: Value) -> Value:
    """The x whose error function it is; infinite at 1, NaN beyond.

    In ``w = -log(1 - x**2)`` or its root the function is smooth up to the ends (M. Giles,
    Approximating the erfinv function, GPU Computing Gems 2, 2011).
    """
    table = _INVERSE[x.dtype]
    wide = x.cast(dtypes.float64)
    size = abs(wide)
    w = -log((1.0 - size) * (1.0 + size))
    root = w.root()
    centre, middle = table.middle
    result = horner(root - centre, middle)
    if table.far:
        result = where(w > 16.0, horner(root - 5.0, table.far), result)
    result = where(w < 5.0, fma(horner(w - 2.5, table.near), size, size), result * size)
    result = where(size.equals(1.0), np.inf, result)
    return result.with_sign_of(wide).cast(x.dtype)


# -- the normal distribution --------------------------------------------------------------------

# Where the polynomial of the complement ends, and the first terms of the asymptotic series of
# ``sqrt(pi) * x * erfcx(x)`` in ``1 / (2 * x**2)`` from there on (DLMF 7.12.1).
_FAR = 27.0
_SERIES = (1.0, -1.0, 3.0, -15.0, 105.0, -945.0, 10395.0, -135135.0)
_ROOT_OF_HALF = math.sqrt(0.5)
_ROOT_OF_PI = math.sqrt(math.pi)
# Where ``exp(x**2)`` is infinite in float64.
_STEEP = 26.7
# Beyond it a normal probability is 0 or 1.
_CERTAIN = 38.6
# Of ``erfinv(x) / x / root`` in ``(root - 12) / (root + 12)`` for roots of ``-log(1 - x**2)`` from
# 5.9 to 27.4; errors are below 1.3e-16.
_TAIL = (
    0.9917739306193959, 0.025996146298541113, -0.03820671535119838, 0.041284179005183,
    -0.03986231653679087, 0.034919234349071536, -0.02748416656038967, 0.01809915439156649,
    -0.007339072340924138, -0.004375268928584055, 0.01661858123093292, -0.029040184769563056,
    0.04114369829537079, -0.05259637646148819, 0.0649943390289733, -0.07830963825705853,
    0.07750285629251676, -0.06313916631691849, 0.10738623707909546, -0.1966271766833985,
    0.13730391806178438,
)  # fmt: skip


def erfcx(x: Value) -> Value:
    """``exp(x**2) * erfc(x)``; infinite from -26.7 down."""
    wide = x.cast(dtypes.float64)
    size = abs(wide)
    above = _scaled_complement(size, x.dtype)
    low = at_most(size, _STEEP)
    grown = _exponential(low, 1.0)
    doubled = raised(grown.power(), grown.n + 1.0, grown.exponent + 1)
    result = where(wide < 0.0, doubled - above, above)
    result = where(wide < -_STEEP, np.inf, result)
    return where(size.differs(size), wide, result).cast(x.dtype)


def ndtr(x: Value) -> Value:
    """The probability that a standard normal number is below x."""
    wide = x.cast(dtypes.float64)
    size = at_most(abs(wide), _CERTAIN)
    scaled = _scaled_complement(size * _ROOT_OF_HALF, x.dtype)
    parts = _exponential(size, -0.5)
    half = scaled * 0.5
    tail = raised(fma(half, parts.growth(), half), parts.n, parts.exponent)
    result = where(wide > 0.0, 1.0 - tail, tail)
    return where(wide.differs(wide), wide, result).cast(x.dtype)


def ndtri(p: Value) -> Value:
    """The x that a standard normal number is below with probability p; NaN beyond 0 and 1.

    It is the inverse error function, in ``-log(1 - x**2)`` as there, of an x that is ``1 - 2 * p``:
    its logarithm is that of a p however small.
    """
    table = _INVERSE[dtypes.float64]
    wide = p.cast(dtypes.float64)
    below = wide < 0.5
    least = where(below, wide, 1.0 - wide)
    size = 1.0 - (least + least)
    w = -log(least * 4.0 * (1.0 - least))
    root = w.root()
    centre, middle = table.middle
    bounded = at_least(at_most(root, 27.4), 5.9)
    far = horner((bounded - 12.0) / (bounded + 12.0), _TAIL) * bounded
    result = where(w > 36.0, far, horner(root - 5.0, table.far))
    result = where(w > 16.0, result, horner(root - centre, middle))
    result = where(w < 5.0, horner(w - 2.5, table.near) + 1.0, result)
    result = result * size * math.sqrt(2.0)
    result = where(least.equals(0.0), np.inf, result)
    result = where(below, -result, result)
    result = where((wide >= 0.0) & (wide <= 1.0), result, np.nan)
    return result.cast(p.dtype)


def _exponential(size: Value, factor: float) -> Reduced:
    """``exp(factor * size**2)`` taken apart, of a power of two as the factor."""
    square, square_low = two_product(size, size)
    return reduced(square * factor, square_low * factor)


def _scaled_complement(size: Value, wanted: DType) -> Value:
    """``exp(size**2) * erfc(size)`` of a number that is not negative."""
    bounded = at_most(size, _FAR)
    ratio = (bounded - 4.0) / (bounded + 4.0)
    above = horner(ratio, _COMPLEMENT[wanted])
    below, below_low = exact_sum(bounded + bounded, bounded.of(1.0))
    inverse = 1.0 / below
    result = above * inverse
    if wanted == dtypes.float64:
        product, product_low = two_product(result, below)
        missing = ((above - product) - product_low) - result * below_low
        result = fma(missing, inverse, result)
        # Here the ratio is close to -1, where the polynomial rounds most.
        low = at_most(size, 0.5)
        near = fma(polynomial(low * low, _TABLE[wanted].near), low, low)
        parts = _exponential(low, 1.0)
        grown = raised(parts.power() * (1.0 - near), parts.n, parts.exponent)
        result = where(size < 0.5, grown, result)
    reciprocal = 1.0 / at_least(size, _FAR)
    tail = horner(reciprocal * reciprocal * 0.5, _SERIES) * reciprocal * (1.0 / _ROOT_OF_PI)
    return where(size > _FAR, tail, result)
