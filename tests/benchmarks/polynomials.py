"""Where the polynomials of the elementary functions come from: minimax fits, by Remez's exchange.

    python -m tests.benchmarks.polynomials [--fit]

For each polynomial this prints the error of the coefficients in the source, rounded to their dtype,
which is what the source claims; with ``--fit`` it fits them anew and prints what comes out. Needs
mpmath. Errors count with the weight that the formula around the polynomial gives them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

from staticgraph.backends.native.math import error as math_error
from staticgraph.backends.native.math import exponential as math_exponential
from staticgraph.backends.native.math import logarithm as math_logarithm
from staticgraph.backends.native.math import trigonometric as math_trigonometric
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

Real = Any
Curve = Callable[[Real], Real]
GRID = 600
mp.mp.dps = 50


class Fit(NamedTuple):
    """A polynomial of the source: the coefficients approximate `curve` from `low` to `high`."""

    name: str
    dtype: DType
    coefficients: Sequence[float]
    curve: Curve
    low: Real
    high: Real
    weight: Curve


def _series(exact: Curve, near: Curve, radius: float) -> Curve:
    """`exact`, but `near` within a radius of 0, where digits cancel in it."""
    return lambda x: near(x) if abs(x) < radius else exact(x)


def _power(exponent: int) -> Curve:
    """A weight that is a power of x, but is nowhere 0."""
    return lambda x: max(abs(x), mp.mpf(1e-3)) ** exponent


def _one(x: Real) -> Real:
    return mp.mpf(1)


EXPONENTIAL = _series(lambda r: (mp.exp(r) - 1 - r) / r**2, lambda r: mp.mpf(1) / 2 + r / 6, 1e-12)
DOUBLED = _series(lambda r: (mp.exp(2 * r) - 1 - 2 * r) / r**2, lambda r: 2 + 4 * r / 3, 1e-12)
LOGARITHM = _series(
    lambda f: (mp.log(1 + f) - f + f * f / 2) / f**3, lambda f: mp.mpf(1) / 3 - f / 4, 1e-10
)
ATANH = _series(
    lambda z: 2 * (mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
    lambda z: mp.mpf(2) / 3 + z * 2 / 5,
    1e-16,
)
TAIL = _series(
    lambda z: (mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1 - z / 3) / z**2,
    lambda z: mp.mpf(1) / 5 + z / 7,
    1e-8,
)
SINE = _series(
    lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda z: -mp.mpf(1) / 6 + z / 120, 1e-14
)
COSINE = _series(
    lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, lambda z: mp.mpf(1) / 24 - z / 720, 1e-10
)
ERROR = _series(
    lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1,
    lambda z: 2 / mp.sqrt(mp.pi) - 1 - z * 2 / (3 * mp.sqrt(mp.pi)),
    1e-16,
)


def _complement(x: Real) -> Real:
    return mp.log(mp.erfc(x)) / x


def fits() -> list[Fit]:
    """Every polynomial of the source."""
    half = mp.log(2) / 2 * mp.mpf("1.001")
    roots = mp.sqrt(mp.mpf(1) / 2) - 1, mp.sqrt(2) - 1
    square = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mp.mpf("1.001")
    angle = (mp.pi / 4 * mp.mpf("1.001")) ** 2
    single, double = dtypes.float32, dtypes.float64
    found = []
    for dtype in (single, double):
        exponential = math_exponential._TABLE[dtype]
        error = math_error._TABLE[dtype]
        found += [
            Fit("exp", dtype, exponential.coefficients, EXPONENTIAL, -half, half, _power(2)),
            Fit("tanh", dtype, exponential.doubled, DOUBLED,
                mp.mpf("0.29995") - mp.log(2) / 2, mp.mpf("0.30005"), _power(2)),
            Fit("sin", dtype, math_trigonometric._SINE[dtype], SINE, 0, angle, _power(1)),
            Fit("cos", dtype, math_trigonometric._COSINE[dtype], COSINE, 0, angle, _power(2)),
            Fit("erf, near 0", dtype, error.near, ERROR, 0, mp.mpf(error.limit) ** 2, _one),
            Fit("erf, beyond", dtype, error.far, _complement, mp.mpf(error.limit) - mp.mpf("0.01"),
                error.flat, lambda x: x * mp.erfc(x)),
        ]  # fmt: skip
    logarithms = math_logarithm._TABLE
    found += [
        Fit("log", single, logarithms[single].coefficients, LOGARITHM, *roots, _power(2)),
        Fit("log", double, logarithms[double].coefficients, ATANH, 0, square, _one),
        Fit("pow of float32: log", double, math_logarithm._SHORT, ATANH, 0, square, _one),
        Fit("pow of float32: exp", double, math_exponential._SHORT, EXPONENTIAL, -half, half,
            _power(2)),
        Fit("pow of float64: log", double, math_logarithm._TAIL, TAIL, 0, square, _one),
        Fit("tan of float32: sin", double, math_trigonometric._SHORT_SINE, SINE, 0, angle,
            _power(1)),
        Fit("tan of float32: cos", double, math_trigonometric._SHORT_COSINE, COSINE, 0, angle,
            _power(2)),
    ]  # fmt: skip
    return found


def grid(low: Real, high: Real) -> list[Real]:
    """Points of an interval, dense towards its ends."""
    return [
        low + (high - low) * (1 - mp.cos(mp.pi * mp.mpf(k) / GRID)) / 2 for k in range(GRID + 1)
    ]


def largest_error(fit: Fit) -> Real:
    """The largest weighted error of the coefficients as the dtype holds them."""
    held = [mp.mpf(float(fit.dtype.type(c))) for c in reversed(fit.coefficients)]
    return max(
        abs((fit.curve(x) - mp.polyval(held, x)) * fit.weight(x)) for x in grid(fit.low, fit.high)
    )


def remez(fit: Fit, rounds: int = 15) -> tuple[list[Real], Real]:
    """The best coefficients of that degree, the constant one first, and their largest error."""
    degree = len(fit.coefficients) - 1
    points = grid(fit.low, fit.high)
    values = [(x, fit.curve(x), fit.weight(x)) for x in points]
    step = GRID / (degree + 1)
    chosen = [points[round(k * step)] for k in range(degree + 2)]
    best: tuple[list[Real], Real] = ([], mp.inf)
    for _ in range(rounds):
        coefficients = _levelled(fit, chosen, degree)
        errors = [(v - mp.polyval(coefficients[::-1], x)) * w for x, v, w in values]
        largest = max(map(abs, errors))
        if largest < best[1]:
            best = (coefficients, largest)
        places = _alternating(errors, degree + 2)
        if len(places) < degree + 2:
            break
        chosen = [points[place] for place in places]
    return best


def _levelled(fit: Fit, points: Sequence[Real], degree: int) -> list[Real]:
    """The polynomial whose errors at the points are equal but for alternating signs."""
    matrix, right = mp.matrix(degree + 2, degree + 2), mp.matrix(degree + 2, 1)
    for row, x in enumerate(points):
        for column in range(degree + 1):
            matrix[row, column] = mp.mpf(x) ** column
        matrix[row, degree + 1] = (-1) ** row / fit.weight(x)
        right[row] = fit.curve(x)
    return list(mp.lu_solve(matrix, right))[: degree + 1]


def _alternating(errors: Sequence[Real], wanted: int) -> list[int]:
    """The places of the largest errors of alternating signs, the smaller ends dropped."""
    places: list[int] = []
    for place, error in enumerate(errors):
        if places and errors[places[-1]] * error > 0:
            if abs(error) > abs(errors[places[-1]]):
                places[-1] = place
        else:
            places.append(place)
    while len(places) > wanted:
        places.pop(0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1)
    return places


def report(fits: Sequence[Fit]) -> None:
    """Prints the errors, and with ``--fit`` on the command line the fits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true", help="fit the polynomials anew")
    given = parser.parse_args()
    for fit in fits:
        print(f"{fit.name}, {fit.dtype}: error {mp.nstr(largest_error(fit), 3)}", flush=True)
        if given.fit:
            coefficients, error = remez(fit)
            print(f"  fit to {mp.nstr(error, 3)}:", *(mp.nstr(c, 18) for c in coefficients))


def main() -> None:
    """What stands in the source, and constants in parts."""
    report(fits())
    print("ln 2 in two parts:", *(split(mp.log(2), bits) for bits in (15, 42)))
    print(
        "pi / 2 in parts of 53 bits, and of 33:", split(mp.pi / 2, 53, 3), split(mp.pi / 2, 33, 3)
    )


def split(number: Real, bits: int, parts: int = 2) -> list[float]:
    """A number as a sum of floats, all but the last of so many bits."""
    found: list[float] = []
    for _ in range(parts - 1):
        unit = mp.mpf(2) ** (mp.floor(mp.log(abs(number), 2)) + 1 - bits)
        part = (mp.nint if bits == np.finfo(np.float64).nmant + 1 else mp.floor)(number / unit)
        found.append(float(part * unit))
        number -= part * unit
    return [*found, float(number)]


if __name__ == "__main__":
    main()
