"""Where the polynomials of the inverse, hyperbolic and special functions come from.

    python -m tests.benchmarks.polynomials_special [--fit]

As tests/benchmarks/polynomials.py, whose fits these are.
"""

from __future__ import annotations

import mpmath as mp

from staticgraph.backends.native.math import bessel as math_bessel
from staticgraph.backends.native.math import error as math_error
from staticgraph.backends.native.math import gamma as math_gamma
from staticgraph.backends.native.math import hyperbolic as math_hyperbolic
from staticgraph.backends.native.math import inverse as math_inverse
from staticgraph.backends.native.math import roots as math_roots
from staticgraph.core import dtypes
from tests.benchmarks.polynomials import Curve, Fit, Real, _one, _power, _series, report

ARC_TANGENT = _series(
    lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda z: -mp.mpf(1) / 3 + z / 5, 1e-16
)
ARC_SINE = _series(
    lambda z: (mp.asin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
    lambda z: mp.mpf(1) / 6 + z * 3 / 40,
    1e-16,
)
HYPERBOLIC_SINE = _series(
    lambda z: (mp.sinh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda z: mp.mpf(1) / 6 + z / 120, 1e-16
)
GAMMA = _series(lambda u: mp.loggamma(2 + u) / (u * (1 + u)), lambda u: 1 - mp.euler, 1e-25)
ROOT = mp.findroot(mp.digamma, 1.4616)
DIGAMMA = _series(
    lambda t: mp.digamma(t + ROOT) / t, lambda t: mp.psi(1, ROOT) + t * mp.psi(2, ROOT) / 2, 1e-20
)


def _complement(ratio: Real) -> Real:
    x = 4 * (1 + ratio) / (1 - ratio)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def _inverse_error(w: Real) -> Real:
    if w < 1e-20:
        return mp.sqrt(mp.pi) / 2
    x = mp.sqrt(-mp.expm1(-w))
    return mp.erfinv(x) / x


def _normal_tail(s: Real) -> Real:
    """erfinv(x) / x / root, by Newton's method on the logarithm of the complement."""
    root = 12 * (1 + s) / (1 - s)
    x = mp.sqrt(-mp.expm1(-(root**2)))
    wanted = -(root**2) - mp.log(1 + x)
    y = root - mp.log(root) / (2 * root)
    for _ in range(12):
        rest = mp.erfc(y)
        y += (mp.log(rest) - wanted) * rest * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
    return y / x / root


def _bessel_near(order: int) -> Curve:
    def curve(q: Real) -> Real:
        if q < 1e-12:
            return mp.mpf(1) / (1 + order) + q / (4 + 8 * order)
        x = 2 * mp.sqrt(q)
        return (mp.besseli(order, x) / (x / 2) ** order - 1) / q

    return curve


def _weight_near(order: int) -> Curve:
    def curve(q: Real) -> Real:
        bounded = max(q, mp.mpf(1e-3))
        x = 2 * mp.sqrt(bounded)
        return bounded * (x / 2) ** order / mp.besseli(order, x)

    return curve


def _bessel_far(order: int) -> Curve:
    def curve(moved: Real) -> Real:
        u = moved + mp.mpf(math_bessel._CENTRE)
        if u < 1e-6:
            return (1 - (4 * order - 1) * u / 8) / mp.sqrt(2 * mp.pi)
        return mp.sqrt(1 / u) * mp.exp(-1 / u) * mp.besseli(order, 1 / u)

    return curve


def _stirling(w: Real) -> Real:
    if w < 1e-12:
        return mp.mpf(1) / 12 - w / 360
    x = 1 / mp.sqrt(w)
    return x * (mp.loggamma(x) - (x - mp.mpf(1) / 2) * mp.log(x) + x - mp.log(2 * mp.pi) / 2)


def _slope_far(w: Real) -> Real:
    if w < 1e-12:
        return mp.mpf(1) / 12 - w / 120
    x = 1 / mp.sqrt(w)
    return (mp.log(x) - 1 / (2 * x) - mp.digamma(x)) * x * x


def _relative(curve: Curve) -> Curve:
    return lambda x: 1 / curve(x)


def _moved(curve: Curve, by: float) -> Curve:
    return lambda x: curve(x + mp.mpf(by))


def fits() -> list[Fit]:
    """Every polynomial of these functions; all but the inverse functions' are held in float64."""
    quarter, double = mp.mpf("0.2501"), dtypes.float64
    slope = _moved(DIGAMMA, 1.5 - ROOT)
    found = [Fit("cbrt", double, math_roots._START, mp.cbrt, 1, 2, _one)]
    for dtype in (dtypes.float32, double):
        inverse = math_error._INVERSE[dtype]
        centre, middle = inverse.middle
        near = (inverse.near[0] + 1.0, *inverse.near[1:])
        found += [
            Fit("atan", dtype, math_inverse._TANGENT[dtype], ARC_TANGENT, 0, quarter, _power(1)),
            Fit("asin", dtype, math_inverse._SINE[dtype], ARC_SINE, 0, quarter, _power(1)),
            Fit("sinh", dtype, math_hyperbolic._SINE[dtype], HYPERBOLIC_SINE, 0, 1, _power(1)),
            Fit("erfc", double, math_error._COMPLEMENT[dtype], _complement, mp.mpf(-1),
                mp.mpf("0.745"), _relative(_complement)),
            Fit("erfinv, near", double, near, _moved(_inverse_error, 2.5), mp.mpf("-2.5"),
                mp.mpf("2.5"), _one),
            Fit("erfinv, middle", double, middle,
                lambda v, centre=centre: _inverse_error((v + mp.mpf(centre)) ** 2),
                mp.sqrt(5) - centre, mp.mpf(4) - centre, _one),
            Fit("lgamma", double, math_gamma._NEAR[dtype], GAMMA, mp.mpf("-0.5"), mp.mpf("0.5"),
                _relative(GAMMA)),
            Fit("lgamma, far", double, math_gamma._FAR[dtype], _stirling, 0, 1 / mp.mpf("72.25"),
                _relative(_stirling)),
            Fit("digamma", double, math_gamma._SLOPE[dtype], slope, mp.mpf("-0.5"), mp.mpf("0.5"),
                _relative(slope)),
            Fit("digamma, far", double, math_gamma._SLOPE_FAR[dtype], _slope_far, 0,
                1 / mp.mpf(64), _relative(_slope_far)),
        ]  # fmt: skip
        for order, table in enumerate(math_bessel._TABLE[dtype]):
            far, centre = _bessel_far(order), mp.mpf(math_bessel._CENTRE)
            found += [
                Fit(f"i{order}, near", double, table.near, _bessel_near(order), mp.mpf(0),
                    mp.mpf(16), _weight_near(order)),
                Fit(f"i{order}, far", double, table.far, far, -centre, centre, _relative(far)),
            ]  # fmt: skip
        if inverse.far:
            found.append(
                Fit("erfinv, far", double, inverse.far, lambda v: _inverse_error((v + 5) ** 2),
                    mp.mpf(-1), mp.mpf("1.07"), _one)
            )  # fmt: skip
    found.append(
        Fit("ndtri", double, math_error._TAIL, _normal_tail, mp.mpf("-6.1") / mp.mpf("17.9"),
            mp.mpf("15.4") / mp.mpf("39.4"), _relative(_normal_tail))
    )  # fmt: skip
    return found


if __name__ == "__main__":
    report(fits())
