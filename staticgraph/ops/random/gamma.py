"""Logarithms of gamma numbers, and how they move with the concentration.

Drawn is the logarithm, since a gamma number of small concentration is often too small for a float,
while its logarithm is not; sums, quotients and softmaxes of such numbers are then right too.

A draw is found by rejection, which has no derivative. The number that is found is nevertheless the
quantile of some probability, and that is held fixed when the concentration a moves: ``dx/da =
-(dF/da) / (dF/dx)``, with F the regularised incomplete gamma function (M. Figurnov, S. Mohamed and
A. Mnih, "Implicit reparameterization gradients", NeurIPS 2018). `log_gamma_path` computes this for
``l = log(x)``, and how it moves with a and with l, which is the second derivative. There is no
third.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor, describe
from staticgraph.core.location import capture
from staticgraph.core.opdef import TRANSPOSED, Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import TensorType, compatible
from staticgraph.errors import GradientError
from staticgraph.ops.random.discrete_search import infer_searched
from staticgraph.ops.random.search import (
    SEARCHES,
    Functions,
    Search,
    State,
    Words,
    inner_fraction,
    reference,
    searched,
)

_UINT64 = frozenset({dtypes.uint64})
_FLOAT64 = frozenset({dtypes.float64})


# -- drawing --------------------------------------------------------------------------------------


def _step_gamma(m: Functions, words: Words, state: State, parameters: State) -> tuple[Any, State]:
    """G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables", 2000.

    The state is the logarithm of their v, and a fraction for concentrations below 1.
    """
    d, c = _shifted(m, parameters)
    radius = m.sqrt(-2.0 * m.log(inner_fraction(m, words[0])))
    normal = radius * m.cos(2.0 * math.pi * inner_fraction(m, words[1]))
    moved = normal * c
    logarithm = 3.0 * m.log1p(moved)
    cube = moved * (3.0 + moved * (3.0 + moved))
    bound = 0.5 * normal * normal + d * (logarithm - cube)
    accepted = (moved > -1.0) & (m.log(inner_fraction(m, words[2])) < bound)
    # A concentration that is no number would never be accepted.
    accepted = accepted | (m.equal(d, d) ^ True)
    return accepted, (logarithm, inner_fraction(m, words[3]))


def _shifted(m: Functions, parameters: State) -> tuple[Any, Any]:
    (concentration,) = parameters
    d = m.where(concentration < 1.0, concentration + 1.0, concentration) - 1.0 / 3.0
    return d, 1.0 / m.sqrt(9.0 * d)


def _finish_gamma(m: Functions, state: State, parameters: State) -> Any:
    (concentration,) = parameters
    d, _ = _shifted(m, parameters)
    logarithm, part = state
    whole = m.log(d) + logarithm
    return m.where(concentration < 1.0, whole + m.log(part) / concentration, whole)


def _gamma_searches(attrs: Attrs) -> tuple[Search, ...]:
    return (
        Search(
            _step_gamma,
            _finish_gamma,
            lambda m, words, parameters: (m.number(0.0), m.number(0.0)),
            draws=2,
        ),
    )


# -- the path of a quantile -----------------------------------------------------------------------

Path = tuple[Any, Any, Any]

# From this concentration on the quantile's expansion is used; below, series that take about
# sqrt(a) steps.
_LARGE = 2e4
# What decides where a series is cut: no term that is left out matters.
_TINY = 1e-17
_MOST = 20000.0


def _digammas(m: Functions, a: Any) -> tuple[Any, Any]:
    """The first two derivatives of ``log(gamma(a))``: https://dlmf.nist.gov/5.11.E2 and 5.15.E8."""
    first, second = m.number(0.0), m.number(0.0)
    for _ in range(10):
        small = a < 10.0
        inverse = m.where(small, 1.0 / a, m.number(0.0))
        first, second = first - inverse, second + inverse * inverse
        a = m.where(small, a + 1.0, a)
    inverse = 1.0 / a
    square = inverse * inverse
    tail, bent = m.number(0.0), m.number(0.0)
    # B(2k) / (2k) and B(2k), for k = 7 to 1.
    for bernoulli, order in reversed(list(zip(_BERNOULLI, range(2, 16, 2), strict=True))):
        tail = (tail + bernoulli / order) * square
        bent = (bent + bernoulli) * square
    first = first + (m.log(a) - 0.5 * inverse - tail)
    return first, second + inverse * (1.0 + 0.5 * inverse + bent)


_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)


def _below(m: Functions, parameters: State) -> Any:
    a, logarithm = parameters
    x = m.exp(logarithm)
    return (a < _LARGE) & ((x <= a) | (x < 2.0))


def _start_below(m: Functions, words: Words, parameters: State) -> State:
    """x, term, harmonic sums, the sum of terms and its two derivatives, and how many there were."""
    zero, one = m.number(0.0), m.number(1.0)
    return m.exp(parameters[1]), one, zero, zero, one, zero, zero, zero


def _step_below(m: Functions, words: Words, state: State, parameters: State) -> tuple[Any, State]:
    """The series ``F = x**a exp(-x) / gamma(a + 1) * S``, https://dlmf.nist.gov/8.7.E1.

    ``S = sum x**n / ((a + 1) ... (a + n))``; each term moves with a by minus the sum of ``1 / (a +
    k)``.
    """
    a, _ = parameters
    x, term, harmonic, squares, total, first, second, n = state
    n = n + 1.0
    inverse = 1.0 / (a + n)
    term = term * (x * inverse)
    harmonic, squares = harmonic + inverse, squares + inverse * inverse
    bent = term * (harmonic * harmonic + squares)
    second = second + bent
    ended = (bent <= _TINY * second) & (term <= _TINY * total) | (n > _MOST) | (term >= 0.0) ^ True
    return ended, (x, term, harmonic, squares, total + term, first - term * harmonic, second, n)


def _finish_below(m: Functions, state: State, parameters: State) -> Path:
    a, logarithm = parameters
    _, _, _, _, total, first, second, _ = state
    psi, trigamma = _digammas(m, a + 1.0)
    away = logarithm - psi
    slope = -(total * away + first) / a
    moved = first * away - total * trigamma + second
    return slope, -(slope + moved) / a, _along(m, slope, parameters, psi - 1.0 / a)


def _along(m: Functions, slope: Any, parameters: State, psi: Any) -> Any:
    """How the slope moves with l: both derivatives of ``F_a + f w = 0``, divided by f."""
    a, logarithm = parameters
    return -((logarithm - psi) + (a - m.exp(logarithm)) * slope)


def _start_above(m: Functions, words: Words, parameters: State) -> State:
    """Two convergents B / A with two derivatives, divided by the newer A.

    Of the older one A, A', A'', B, B', B''; of the newer one A', A'', B, B', B''.
    Then the derivatives of their quotient, a count, and what the next step begins with.
    """
    a, logarithm = parameters
    zero = m.number(0.0)
    b = m.exp(logarithm) + 1.0 - a
    inverse = 1.0 / b
    newer = (-inverse, zero, inverse, zero, zero)
    return (inverse, zero, zero, zero, zero, zero, *newer, zero, zero, zero, b)


def _step_above(m: Functions, words: Words, state: State, parameters: State) -> tuple[Any, State]:
    """Legendre's continued fraction: ``1 - F = x**a exp(-x) / gamma(a) * h``, with ``h = 1 / (x + 1
    - a - 1 (1 - a) / (x + 3 - a - 2 (2 - a) / (x + 5 - a - ...)))``; https://dlmf.nist.gov/8.9.E2.
    """
    a, _ = parameters
    old = state[:6]
    one, two, b0, b1, b2, slope, bend, n, b = state[6:]
    n, b = n + 1.0, b + 2.0
    c = n * (a - n)
    # Derivatives with respect to a: b has -1, c has n, and neither a second one.
    next_a = b + c * old[0]
    next_a1 = b * one - 1.0 + c * old[1] + n * old[0]
    next_a2 = b * two - 2.0 * one + c * old[2] + 2.0 * n * old[1]
    next_b = b * b0 + c * old[3]
    next_b1 = b * b1 - b0 + c * old[4] + n * old[3]
    next_b2 = b * b2 - 2.0 * b1 + c * old[5] + 2.0 * n * old[4]
    inverse = 1.0 / next_a
    older = tuple([entry * inverse for entry in (m.number(1.0), one, two, b0, b1, b2)])
    one, two = next_a1 * inverse, next_a2 * inverse
    b0, b1, b2 = next_b * inverse, next_b1 * inverse, next_b2 * inverse
    next_slope = b1 - b0 * one
    next_bend = b2 - 2.0 * next_slope * one - b0 * two
    # What is subtracted may be much larger than the difference: its rounding never settles.
    near = _near(next_slope - slope, b1 * b1 + b0 * b0 * one * one)
    large = b2 * b2 + 4.0 * next_slope * next_slope * one * one + b0 * b0 * two * two
    settled = near & _near(next_bend - bend, large) & (n > 2.0)
    ended = settled | (n > _MOST) | (m.equal(b0, b0) ^ True)
    return ended, (*older, one, two, b0, b1, b2, next_slope, next_bend, n, b)


def _near(gap: Any, square: Any) -> Any:
    return gap * gap <= square * 1e-31


def _finish_above(m: Functions, state: State, parameters: State) -> Path:
    a, logarithm = parameters
    value, slope, bend = state[8], state[11], state[12]
    psi, trigamma = _digammas(m, a)
    away = logarithm - psi
    path = value * away + slope
    return path, slope * away - value * trigamma + bend, _along(m, path, parameters, psi)


def _finish_large(m: Functions, state: State, parameters: State) -> Path:
    """The expansion of a quantile in that of the normal distribution, to order a**(-3/2).

    M. Abramowitz and I. A. Stegun, "Handbook of mathematical functions", 26.2.49 and 26.4.17.
    """
    a, logarithm = parameters
    x, root = m.exp(logarithm), m.sqrt(a)
    inverse = 1.0 / a
    z = (x - a) / root
    for _ in range(5):
        square = z * z
        three, four, five = _terms(z)
        value = a + z * root + (square - 1.0) / 3.0 + three / root - four * inverse
        value = value + five * inverse / root
        z = z - (value - x) / (root + 2.0 / 3.0 * z)
    three, four, five = _terms(z)
    square = z * z
    moved = 1.0 + (0.5 * z - (0.5 * three - (four / root - 1.5 * five * inverse)) * inverse) / root
    bent = (-0.25 * z + (0.75 * three - (2.0 * four / root - 3.75 * five * inverse)) * inverse) / (
        a * root
    )
    # How x and its derivative move with z.
    three = (3.0 * square - 7.0) / 36.0
    four = z * (12.0 * square + 14.0) / 810.0
    five = ((45.0 * square + 768.0) * square - 433.0) / 38880.0
    wide = root + 2.0 / 3.0 * z + three / root - (four - five / root) * inverse
    turned = (0.5 - (0.5 * three - (four / root - 1.5 * five * inverse)) * inverse) / root
    slope = moved / x
    along = turned / wide - slope
    return slope, bent / x - slope * slope - along * slope, along


def _terms(z: Any) -> tuple[Any, Any, Any]:
    """What the expansion divides by powers of the root of a."""
    square = z * z
    return (
        z * (square - 7.0) / 36.0,
        ((3.0 * square + 7.0) * square - 16.0) / 810.0,
        z * ((9.0 * square + 256.0) * square - 433.0) / 38880.0,
    )


# Which derivative of l a path is: by a, or of that one by a or by l.
_PARTS = ("slope", "bend", "turn")


def _path_searches(attrs: Attrs) -> tuple[Search, ...]:
    number = _PARTS.index(attrs["part"])

    def above(m: Functions, parameters: State) -> Any:
        return (_below(m, parameters) | (parameters[0] >= _LARGE)) ^ True

    def nothing(m: Functions, words: Words, parameters: State) -> State:
        return (m.number(0.0),)

    return (
        Search(_step_below, lambda m, s, p: _finish_below(m, s, p)[number], _start_below, _below),
        Search(_step_above, lambda m, s, p: _finish_above(m, s, p)[number], _start_above, above),
        Search(
            lambda m, words, s, p: (p[0] >= _LARGE, s),
            lambda m, s, p: _finish_large(m, s, p)[number],
            nothing,
            lambda m, p: p[0] >= _LARGE,
        ),
    )


# -- records --------------------------------------------------------------------------------------


def _infer_path(types: Types, attrs: Attrs) -> TensorType:
    if not compatible(types[0].shape, types[1].shape):
        raise Mismatch(f"operands are {types[0]} and {types[1]}", "they must have one shape")
    return types[0]


def _reference_path(concentration: Any, logarithm: Any, *, part: str) -> Any:
    given = np.broadcast_arrays(concentration, logarithm)
    return searched(_path_searches({"part": part}), (0, 0), given, dtypes.float64)


def _path(concentration: Tensor, logarithm: Tensor, part: str) -> Tensor:
    graph = concentration.graph
    return graph.add(LOG_GAMMA_PATH, (concentration, logarithm), {"part": part}).out


def _vjp_path(node: Operation, adjoint: Tensor, part: str) -> Tensor:
    if node.attrs["part"] != "slope":
        raise GradientError(
            "random.gamma: a gamma number has no third derivative here\n"
            f"  {describe(node.inputs[1])}\n"
            "  differentiate twice at most, or put sg.stop_gradient around the draw\n"
            f"  at {capture()}"
        )
    return adjoint * _path(node.inputs[0], node.inputs[1], part)


SEARCHES["log_gamma_path"] = _path_searches
LOG_GAMMA_PATH = register(
    OpDef(
        "log_gamma_path",
        operands=("concentration", "logarithm"),
        infer=_infer_path,
        reference=_reference_path,
        attrs=("part",),
        dtypes=_FLOAT64,
        vjp=(
            lambda node, adjoint: _vjp_path(node, adjoint, "bend"),
            lambda node, adjoint: _vjp_path(node, adjoint, "turn"),
        ),
        jvp=TRANSPOSED,
        doc="How a quantile of the logarithm of a gamma number moves with the concentration (part "
        "slope), and the derivatives of that by the concentration (bend) and the logarithm (turn).",
    )
)


def _vjp_log_gamma(node: Operation, adjoint: Tensor) -> Tensor:
    return adjoint * _path(node.inputs[1], node.out, "slope")


SEARCHES["random_log_gamma"] = _gamma_searches
RANDOM_LOG_GAMMA = register(
    OpDef(
        "random_log_gamma",
        operands=("key", "concentration"),
        infer=infer_searched,
        reference=reference("random_log_gamma"),
        attrs=("stream", "dtype"),
        dtypes=(_UINT64, _FLOAT64),
        vjp=(None, _vjp_log_gamma),
        jvp=TRANSPOSED,
        doc="Logarithms of gamma numbers of the given concentrations and scale 1; the derivative "
        "is that of the quantile.",
    )
)
