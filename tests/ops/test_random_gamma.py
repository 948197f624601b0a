"""Derivatives of gamma numbers and what is made of them: implicit reparameterisation.

The formula is computed with SciPy: a draw is the quantile of a probability, which is held fixed
when its parameters move. So a draw's derivative is that of SciPy's quantile function, by
differences.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special, stats

import staticgraph as sg

Array = np.ndarray[Any, Any]
CONCENTRATIONS = np.array([0.2, 0.4, 0.9, 1.0, 1.7, 6.0, 80.0, 3e3, 2e5])


def _quantile(a: Array, below: Array, above: Array) -> Array:
    """Of two probabilities that add up to 1 the smaller one keeps its digits."""
    with np.errstate(all="ignore"):
        lower, upper = special.gammaincinv(a, below), special.gammainccinv(a, above)
    return np.where(below < above, lower, upper)


def _differences(a: Array, x: Array) -> tuple[Array, Array]:
    """The first and second derivative of a quantile by the concentration, by differences."""
    step = 2e-3 * a
    below, above = special.gammainc(a, x), special.gammaincc(a, x)
    values = [_quantile(a + number * step, below, above) for number in (-2, -1, 0, 1, 2)]
    first = (values[0] - 8 * values[1] + 8 * values[3] - values[4]) / (12 * step)
    second = -values[0] + 16 * values[1] - 30 * values[2] + 16 * values[3] - values[4]
    return first, second / (12 * step**2)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_derivatives_by_the_concentration(backend: Any) -> None:
    a = sg.placeholder("float64", (None,))
    x = sg.random.gamma(a)
    (first,) = sg.gradients(sg.sum(x), a)
    (second,) = sg.gradients(sg.sum(first), a)
    with sg.Session(seed=11, backend=backend) as session:
        for _ in range(5):
            values, slope, bend = session.run([x, first, second], {a: CONCENTRATIONS})
            # Below 1e-300 SciPy's quantile has no digits left.
            seen = values > 1e-300
            want, bent = _differences(CONCENTRATIONS[seen], values[seen])
            np.testing.assert_allclose(slope[seen], want, rtol=1e-8)
            # Second differences of a number near a lose about the digits of a**2 / step**2.
            scale = np.abs(bent) + 1e-9 * values[seen] / (2e-3 * CONCENTRATIONS[seen]) ** 2
            assert (np.abs(bend[seen] - bent) / scale).max() < 1e-4


def test_the_formula_of_the_paper() -> None:
    """``-(dF/da) / pdf``, with the derivative of F by differences."""
    a = np.array([0.5, 1.5, 4.0, 20.0])
    node = sg.placeholder("float64", (4,))
    x = sg.random.gamma(node)
    (slope,) = sg.gradients(sg.sum(x), node)
    values, have = sg.Session(seed=2).run([x, slope], {node: a})
    step = 1e-3
    moved = [special.gammainc(a + number * step, values) for number in (-2, -1, 1, 2)]
    by_a = (moved[0] - 8 * moved[1] + 8 * moved[2] - moved[3]) / (12 * step)
    np.testing.assert_allclose(have, -by_a / stats.gamma(a).pdf(values), rtol=1e-8)


def test_forward_mode_agrees_with_reverse_mode() -> None:
    a, v = sg.placeholder("float64", (3,)), sg.placeholder("float64", (3,))
    x = sg.random.gamma(a)
    (adjoint,) = sg.gradients(sg.sum(x), a)
    (tangent,) = sg.jvp([x], [a], [v])
    feed = {a: [0.5, 2.0, 30.0], v: [1.0, -2.0, 0.5]}
    have, want = sg.Session(seed=3).run([tangent, adjoint * v], feed)
    np.testing.assert_allclose(have, want, rtol=1e-12)


def test_a_third_derivative_is_refused() -> None:
    a = sg.placeholder("float64", (3,), name="a")
    derivative = sg.random.gamma(a, name="draw")
    for _ in range(2):
        (derivative,) = sg.gradients(sg.sum(derivative), a)
    with pytest.raises(sg.GradientError, match="no third derivative here") as caught:
        sg.gradients(sg.sum(derivative), a)
    assert "put sg.stop_gradient around the draw" in str(caught.value)


def test_small_concentrations_keep_their_logarithms() -> None:
    a = sg.placeholder("float64", ())
    logarithm = sg.random.loggamma(a, (2000,))
    shares = sg.random.beta(a, a, (2000,))
    (slope,) = sg.gradients(sg.mean(logarithm), a)
    values = sg.Session(seed=4).run([logarithm, slope, shares], {a: 1e-4})
    assert all(np.isfinite(value).all() for value in values)
    # E[log x] is digamma(a), whose derivative is trigamma(a).
    deviation = special.polygamma(1, 1e-4) ** 0.5 / 2000**0.5
    assert abs(values[0].mean() - special.digamma(1e-4)) < 4 * deviation
    assert values[1] == pytest.approx(special.polygamma(1, 1e-4), rel=0.1)
    assert stats.kstest(values[0] * 1e-4, lambda x: np.exp(np.minimum(x, 0))).pvalue > 0.01


def test_derivatives_of_expectations() -> None:
    """Of many draws the mean of a derivative is the derivative of the mean."""
    a, b = sg.placeholder("float64", ()), sg.placeholder("float64", ())
    shape = (200_000,)
    fetches = []
    for value in (
        sg.random.gamma(a, b, shape), sg.random.beta(a, b, shape), sg.random.chi_square(a, shape),
        sg.random.dirichlet(sg.stack([a, b, a]), shape)[:, 1], sg.random.student_t(a, shape) ** 2,
    ):  # fmt: skip
        fetches.append(sg.gradients(sg.mean(value), [a, b], unconnected="zero"))
    have = np.array(sg.Session(seed=6).run(fetches, {a: 7.0, b: 2.5}))
    total = 2 * 7 + 2.5
    want = [
        (2.5, 7.0),
        (2.5 / 9.5**2, -7 / 9.5**2),
        (1, 0),
        (-2 * 2.5 / total**2, 14 / total**2),
        (-2 / (7 - 2) ** 2, 0),
    ]
    np.testing.assert_allclose(have, want, rtol=0.03, atol=5e-3)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_draws_and_paths_do_not_depend_on_threads(threads: int) -> None:
    a = sg.placeholder("float64", (None, 7))
    x = sg.random.gamma(a)
    (slope,) = sg.gradients(sg.sum(x), a)
    feed = {a: np.random.default_rng(0).uniform(0.1, 30.0, (700, 7))}
    have = sg.Session(seed=5, threads=threads).run([x, slope], feed)
    want = sg.Session(seed=5, backend="reference").run([x, slope], feed)
    for value, expected in zip(have, want, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-11)
    alone = sg.Session(seed=5, threads=1).run([x, slope], feed)
    np.testing.assert_array_equal(have, alone)
