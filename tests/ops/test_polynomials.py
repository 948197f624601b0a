"""Polynomials: dtypes, what is not finite, fits of few points, and whole messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph
from staticgraph.errors import RunError, ShapeError

from .refusing import refused

# Without the types that some of the calls break.
sg: Any = staticgraph

BACKENDS = ("reference", "native")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("times", [0, 1, 2, 7])
@pytest.mark.parametrize(
    "p",
    [np.ones(300, np.uint8), np.array([100, 0, 0, 0], np.int8), np.array([True, False, True]),
     np.array([2**40, 3, 1], np.uint64), np.arange(4, dtype=np.int32)],
    ids=lambda p: str(p.dtype),
)  # fmt: skip
def test_a_derivative_of_narrow_integers_does_not_wrap(p: Any, times: int, backend: str) -> None:
    have = sg.Session(backend=backend).run(sg.polyder(sg.constant(p), times))
    want = np.polyder(p, times)
    np.testing.assert_array_equal(have, want)
    assert have.dtype == want.dtype or not want.size


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_coefficients_are_0_everywhere(backend: str) -> None:
    x = sg.constant(np.array([1.0, np.inf, np.nan, -np.inf]))
    have = sg.Session(backend=backend).run(sg.polyval(np.zeros(0), x))
    np.testing.assert_array_equal(have, np.zeros(4))


@pytest.mark.parametrize("backend", BACKENDS)
def test_leading_coefficients_of_a_product_stay(backend: str) -> None:
    product = sg.polymul(sg.constant([0.0, 1.0, np.inf]), [1.0, 2.0])
    have = sg.Session(backend=backend).run(product)
    # NumPy has no leading 0.
    np.testing.assert_array_equal(have, [0.0, 1.0, np.inf, np.inf])


@pytest.mark.parametrize("backend", BACKENDS)
def test_fits_of_complex_values(backend: str) -> None:
    x, y = np.array([1.0, 2.0, 3.0, 5.0]), np.array([1.0j, 2.0, 3.0, 1.0 - 2.0j])
    run = sg.Session(backend=backend).run
    for places in (x, x + 1j * x[::-1]):
        for degree in (0, 1, 2):
            have = run(sg.polyfit(sg.constant(places), sg.constant(y), degree))
            powers = np.vander(places.astype(complex), degree + 1)
            np.testing.assert_allclose(have, np.linalg.lstsq(powers, y)[0], atol=1e-12)


Call = Callable[[], Any]


def test_messages() -> None:
    x = sg.constant([0.0, 1.0, 2.0], name="x")
    y = sg.constant([1.0, 3.0], name="y")
    nothing = sg.constant(np.zeros(0, np.float32), name="nothing")
    calls: list[tuple[Call, str]] = [
        (
            lambda: sg.polyfit(x, y, 1),
            "polyfit: x and y have different lengths\n"
            "  x 'x'  float32[3]  constant at <line>\n"
            "  y 'y'  float32[2]  constant at <line>\n"
            "  x has 3, y has 2; they must be equal\n"
            "  created at <line>",
        ),
        (
            lambda: sg.polyfit(x, x, 1, w=sg.constant([1.0], name="w")),
            "polyfit: x and w have different lengths\n"
            "  x 'x'  float32[3]  constant at <line>\n"
            "  w 'w'  float32[1]  constant at <line>\n"
            "  x has 3, w has 1; they must be equal\n"
            "  created at <line>",
        ),
        (
            lambda: sg.polyfit(nothing, nothing, 1),
            "polyfit: there are no points to fit\n"
            "  x 'nothing'  float32[0]  constant at <line>\n"
            "  give one point at least\n"
            "  created at <line>",
        ),
        (
            lambda: sg.polyfit(x, x, 1, rcond="a"),
            "polyfit: rcond='a' is no number\n"
            "  give a float, or None for len(x) * eps\n"
            "  at <line>",
        ),
        (
            lambda: sg.polyint(x, 1, [sg.constant([1.0, 2.0], name="k")]),
            "polyint: a constant of integration has shape [2]\n"
            "  k 'k'  float32[2]  constant at <line>\n"
            "  give one number, or a list with one per integral\n"
            "  created at <line>",
        ),
    ]
    for call, message in calls:
        assert refused(call, ShapeError) == message


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_fit_of_points_that_the_run_counts(backend: str) -> None:
    x, y = (sg.placeholder("float64", (None,), name=name) for name in "xy")
    fit = sg.polyfit(x, y, 1)
    run = sg.Session(backend=backend).run
    places = np.array([0.0, 1.0, 2.0])
    np.testing.assert_allclose(run(fit, {x: places, y: 2 * places + 1}), [2.0, 1.0])
    message = refused(lambda: run(fit, {x: places, y: np.ones(1)}), RunError)
    assert message.startswith("polyfit: x and y have different lengths\n"), message
    message = refused(lambda: run(fit, {x: places[:0], y: places[:0]}), RunError)
    assert message.startswith("polyfit: there are no points to fit\n"), message
