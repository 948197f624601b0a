"""Distributions that are made of others: against SciPy's, their derivatives, their refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from scipy import stats

import staticgraph as sg
from staticgraph import random
from tests.ops.checks import check_derivatives
from tests.ops.philox import inner
from tests.ops.refusing import refused
from tests.ops.sample_types import Sample

Backend = Literal["native", "reference"]
BACKENDS: tuple[Backend, ...] = ("native", "reference")
Build = Callable[..., Any]

COUNT = (20_000,)
DISTRIBUTIONS: dict[str, tuple[Build, Any]] = {
    "triangular": (lambda: random.triangular(-1.0, 0.5, 2.0, COUNT), stats.triang(0.5, -1, 3)),
    "rising": (lambda: random.triangular(-1.0, 2.0, 2.0, COUNT), stats.triang(1, -1, 3)),
    "falling": (lambda: random.triangular(-1.0, -1.0, 2.0, COUNT), stats.triang(0, -1, 3)),
    "wald": (lambda: random.wald(2.0, 3.0, COUNT), stats.invgauss(2 / 3, scale=3)),
    "skewed wald": (
        lambda: random.wald(50.0, 0.5, COUNT, "float64"), stats.invgauss(100, scale=0.5)
    ),
    "f": (lambda: random.f(3.5, 8.0, COUNT), stats.f(3.5, 8)),
    "power": (lambda: random.power(2.5, COUNT), stats.powerlaw(2.5)),
    "small power": (lambda: random.power(0.2, COUNT, "float64"), stats.powerlaw(0.2)),
}  # fmt: skip


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distributions(name: str) -> None:
    build, distribution = DISTRIBUTIONS[name]
    draw = build()
    values = sg.Session(seed=7).run(draw)
    assert values.shape == COUNT and values.dtype == draw.dtype
    assert stats.kstest(values.astype(np.float64), distribution.cdf).pvalue > 0.01


@pytest.mark.parametrize("backend", BACKENDS)
def test_both_backends_draw_the_same(backend: Backend) -> None:
    draws = [build()[:50] for build, _ in DISTRIBUTIONS.values()]
    found = sg.Session(seed=7, backend=backend).run(draws)
    again = sg.Session(seed=7, threads=1).run(draws)
    for one, other in zip(found, again, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5)


def test_values_from_the_words() -> None:
    with sg.Graph().as_default():
        found = sg.Session(seed=0).run(random.power(2.5, (4,), "float64"))
    np.testing.assert_allclose(found, inner(0, 4) ** 0.4, rtol=1e-14)


_A, _B = np.array([0.7, 1.5, 3.0]), np.array([1.2, 2.0, 4.5])
_MATRIX = np.array([[2.0, 0.3], [0.3, 1.0]])


@pytest.mark.parametrize(
    ("build", "arrays"),
    [
        (lambda a, b: random.triangular(-a, a, a + b, dtype="float64"), (_A, _B)),
        (lambda a, b: random.wald(a, b, dtype="float64"), (_A, _B)),
        (lambda a: random.power(a, dtype="float64"), (_A,)),
        (
            # The lower triangle is read and stands for both.
            lambda m, c: random.multivariate_normal(m, (c + c.T) / 2.0, (3,)),
            (_A[:2], _MATRIX),
        ),
    ],
    ids=["triangular", "wald", "power", "multivariate_normal"],
)
def test_derivatives_to_second_order(build: Build, arrays: Any) -> None:
    op = build(*map(sg.constant, arrays)).node.op.name
    sample = Sample(op, build, arrays, lambda *x: x, wrt=tuple(range(len(arrays))))
    check_derivatives(sample)


def test_slopes_of_f_in_expectation() -> None:
    """A gamma number is found by rejection: its derivative is right on average."""
    degrees = sg.placeholder("float64", (), name="degrees")
    (slope,) = sg.gradients(sg.mean(random.f(6.0, degrees, (100_000,))), degrees)
    # The mean is d / (d - 2).
    assert abs(sg.Session(seed=1).run(slope, {degrees: 8.0}) + 2.0 / 36.0) < 0.01


# -- multivariate normal ------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_mean_and_covariance(backend: Backend) -> None:
    mean = sg.placeholder("float64", (None,), name="mean")
    matrix = sg.placeholder("float64", (None, None), name="matrix")
    count = sg.placeholder("int64", (), name="count")
    draw = random.multivariate_normal(mean, matrix, (count,))
    fed = {mean: [1.0, -2.0], matrix: _MATRIX, count: 40_000}
    values = sg.Session(seed=3, backend=backend).run(draw, fed)
    np.testing.assert_allclose(values.mean(0), [1.0, -2.0], atol=0.03)
    np.testing.assert_allclose(np.cov(values.T), _MATRIX, atol=0.05)


def test_batches_of_matrices() -> None:
    matrices = np.stack([_MATRIX, 4.0 * np.eye(2)])
    draw = random.multivariate_normal(np.zeros(2), matrices, (20_000, 2))
    assert draw.shape == (20_000, 2, 2)
    values = sg.Session(seed=3).run(draw)
    for number in range(2):
        np.testing.assert_allclose(np.cov(values[:, number].T), matrices[number], atol=0.15)
    assert random.multivariate_normal(np.zeros(2), matrices).shape == (2, 2)
    assert random.multivariate_normal(np.zeros((3, 2)), _MATRIX).shape == (3, 2)
    assert random.multivariate_normal(np.zeros(2), _MATRIX, dtype="float32").dtype == np.float32


def test_vectors_of_no_elements_and_of_one_mean() -> None:
    session = sg.Session(seed=3)
    nothing, square = np.zeros(0), np.zeros((0, 0))
    assert session.run(random.multivariate_normal(nothing, square)).shape == (0,)
    assert session.run(random.multivariate_normal(nothing, square, (2,))).shape == (2, 0)
    for shape, whole in ((None, (3,)), ((2,), (2, 3))):
        near = session.run(random.multivariate_normal([5.0], 1e-12 * np.eye(3), shape))
        np.testing.assert_allclose(near, np.full(whole, 5.0), atol=1e-4)


# -- refusals -----------------------------------------------------------------------------------


def test_a_covariance_that_fits_no_mean() -> None:
    def call(mean: Any, covariance: Any) -> str:
        return refused(lambda: random.multivariate_normal(mean, covariance), sg.ShapeError)

    assert call(np.zeros(2), np.zeros((2, 3))) == (
        "multivariate_normal: mean is float64[2], covariance float64[2, 3]\n"
        "  give a square covariance, [..., n, n]\n"
        "  at <line>"
    )
    assert call(np.zeros(3), np.eye(1)) == (
        "multivariate_normal: mean is float64[3], covariance float64[1, 1]\n"
        "  give a mean with as many elements as the covariance has rows\n"
        "  at <line>"
    )


@pytest.mark.parametrize(
    ("call", "error", "first"),
    [
        (lambda: random.wald(-1.0, 1.0), sg.ShapeError,
         "wald: mean -1 is not above 0 and finite"),
        (lambda: random.f(1.0, 0.0), sg.ShapeError, "f: dfden 0 is not above 0 and finite"),
        (lambda: random.power(0.0), sg.ShapeError,
         "power: concentration 0 is not above 0 and finite"),
        (lambda: random.triangular(0.0, 1.0, 2.0, dtype="int32"), sg.DTypeError,
         "triangular: draws no int32"),
        (lambda: random.multivariate_normal(0.0, _MATRIX), sg.ShapeError,
         "multivariate_normal: mean is float64[], covariance float64[2, 2]"),
        (lambda: random.multivariate_normal(_A, _A), sg.ShapeError,
         "multivariate_normal: mean is float64[3], covariance float64[3]"),
    ],
)  # fmt: skip
def test_refusals(call: Callable[[], Any], error: type[Exception], first: str) -> None:
    assert refused(call, error).splitlines()[0] == first


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("ends", "first"),
    [
        ((1.0, 1.0, 1.0), "triangular: right - left 0 is not above 0 and finite"),
        ((1.0, 0.0, 2.0), "triangular: mode - left -1 is below 0 or not finite"),
        ((1.0, 3.0, 2.0), "triangular: right - mode -1 is below 0 or not finite"),
    ],
)
def test_ends_out_of_order(ends: Any, first: str, backend: Backend) -> None:
    def call() -> None:
        sg.Session(backend=backend).run(random.triangular(*ends))

    assert refused(call, sg.RunError).splitlines()[0] == first


def test_python_numbers_keep_the_digits_of_the_wanted_dtype() -> None:
    session = sg.Session(seed=3)
    assert session.run(random.normal((1,), 0.1, 1e-30, dtype="float64")) == [0.1]
    ends = 0.1, 0.1 + 1e-12, 0.1 + 2e-12
    drawn = session.run(random.triangular(*ends, (100,), "float64"))
    assert np.all((drawn >= ends[0]) & (drawn <= ends[2])) and np.ptp(drawn) > 1e-12
    assert session.run(random.power(1e-300, (1,), "float64")) == [0.0]
    near = session.run(
        random.multivariate_normal([0.1], [[1e-300]], (1,), "float64")
    )  # fmt: skip
    np.testing.assert_array_equal(near, [[0.1]])
    # What has a dtype of its own has no more digits than that.
    single = np.float32(0.1)
    assert session.run(random.normal((1,), single, 1e-30, dtype="float64")) == [float(single)]
