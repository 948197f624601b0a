"""Statistics where they are easily wrong: half precision, NaN and infinities, Python numbers.

Values are NumPy's, computed from the same elements in float64.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import staticgraph
from staticgraph.errors import DTypeError, RunError, ShapeError

from .refusing import refused

# Without the types that some of the calls break.
sg: Any = staticgraph
Array = np.ndarray[Any, Any]
Call = Callable[..., Any]

BACKENDS = ("reference", "native")
HALF = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
NAN, INF = np.nan, np.inf


def _run(y: Any, backend: str = "native", feeds: Any = None) -> Any:
    return sg.Session(backend=backend).run(y, feeds)


def _both(call: Call, *arrays: Array) -> list[Array]:
    """What a call gives on each backend, of known sizes and of open ones."""
    found = []
    for backend in BACKENDS:
        found.append(_run(call(*[sg.constant(array) for array in arrays]), backend))
        fed = [sg.placeholder(array.dtype, (None,) * array.ndim) for array in arrays]
        found.append(_run(call(*fed), backend, dict(zip(fed, arrays, strict=True))))
    return found


def _wide(result: Any) -> Array:
    array: Array = np.asarray(result)
    return array.astype(np.float64) if array.dtype.kind in "fV" else array


# -- half precision ---------------------------------------------------------------------------

HOLES = np.array([[1.0, NAN, 3.0, -2.0], [NAN, NAN, NAN, 0.5]])


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize(
    "name",
    ["nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin", "nanargmax",
     "nanargmin", "nancumsum", "nancumprod"],
)  # fmt: skip
def test_nan_is_left_out_of_half_precision(name: str, dtype: Any) -> None:
    given = HOLES.astype(dtype)
    want = getattr(np, name)(given.astype(np.float64), axis=1)
    for have in _both(lambda x: getattr(sg, name)(x, axis=1), given):
        np.testing.assert_allclose(_wide(have), want, rtol=2e-2)


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_a_density_of_many_points_of_half_precision(dtype: Any) -> None:
    many, ends = np.ones(70_000, dtype), (0.0, 2.0)
    for have in _both(lambda x: sg.histogram(x, 2, range=ends, density=True)[0], many):
        assert have.dtype == dtype
        np.testing.assert_array_equal(_wide(have), [0.0, 1.0])
    weighted = sg.histogram(sg.constant(many), 1, range=ends, density=True, weights=many)[0]
    np.testing.assert_array_equal(_wide(_run(weighted)), [0.5])
    grid = sg.histogramdd([sg.constant(many)], 1, [ends], True, many)[0]
    np.testing.assert_array_equal(_wide(_run(grid)), [0.5])


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_sums_of_products_of_half_precision_are_rounded_once(dtype: Any) -> None:
    # 90000 is no float16, and 256 * 256 + 1 no bfloat16.
    for start in (300.0, 256.0):
        lhs, rhs = np.array([start, start, 1.0], dtype), np.array([start, -start, 1.0], dtype)
        for call in (sg.inner, sg.linalg.vecdot, sg.vdot,
                     lambda a, b: sg.linalg.tensordot(a, b, 1),
                     lambda a, b: sg.einsum("i,i->", a, b)):  # fmt: skip
            for have in _both(call, lhs, rhs):
                assert have.dtype == dtype
                assert float(have) == 1.0
    rows = np.array([[300.0, -300.0], [300.0, -300.0]], dtype)
    for have in _both(sg.corrcoef, rows):
        np.testing.assert_allclose(_wide(have), np.ones((2, 2)), rtol=1e-2)
    for have in _both(sg.cov, (rows.astype("f8") / 2).astype(dtype)):
        np.testing.assert_allclose(_wide(have), np.full((2, 2), 45000.0), rtol=1e-2)


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_functions_of_half_precision_keep_it(dtype: Any) -> None:
    row = np.array([1.0, 2.0, 4.0, 7.0], dtype)
    for have in _both(sg.gradient, row):
        assert have.dtype == dtype
        np.testing.assert_array_equal(_wide(have), np.gradient(row.astype("f8")))
    for function in (sg.polyint, sg.polyder):
        have = _run(function(sg.constant(row)))
        assert have.dtype == dtype
        want = getattr(np, function.__name__)(row.astype("f8"))
        np.testing.assert_array_equal(_wide(have), want.astype(dtype).astype("f8"))
    have = _run(sg.polyfit(sg.constant(row), sg.constant(2 * row + dtype.type(1)), 1))
    assert have.dtype == dtype
    np.testing.assert_allclose(_wide(have), [2.0, 1.0], rtol=2e-2)


# -- what is not finite -----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex128"])
def test_an_infinite_element_counts_where_it_meets_one(mode: str, dtype: str) -> None:
    rows = [np.array(row).astype(dtype) for row in (
        [1.0, 2.0, 3.0], [1.0, INF], [NAN, 1.0, 2.0, 1.0], [-INF], [INF, 2.0, 1.0],
    )]  # fmt: skip
    for first in rows:
        for second in rows:
            for name in ("convolve", "correlate"):
                with np.errstate(all="ignore"):
                    want = getattr(np, name)(first, second, mode)
                for have in _both(
                    lambda a, v, name=name: getattr(sg, name)(a, v, mode), first, second
                ):
                    if dtype == "complex128":
                        # The parts of a product of infinities are another matter.
                        np.testing.assert_array_equal(np.isfinite(have), np.isfinite(want))
                    else:
                        np.testing.assert_array_equal(have, want)


def test_a_histogram_asks_for_finite_ends() -> None:
    x = sg.constant([1.0, 2.0], name="x")
    calls: list[tuple[Call, str]] = [
        (
            lambda: sg.histogram(x, 2, range=(0, INF)),
            "histogram: range=(0, inf) is not finite in float32\n  give finite ends\n  at <line>",
        ),
        (
            lambda: sg.histogram(sg.cast(x, "float16"), 2, range=(0.0, 1e6)),
            "histogram: range=(0.0, 1000000.0) is not finite in float16\n"
            "  give finite ends\n"
            "  at <line>",
        ),
        (
            lambda: sg.histogram2d(x, x, 2, range=[(0, 1), (-INF, 0)]),
            "histogram2d: range=(-inf, 0) is not finite in float32\n"
            "  give finite ends\n"
            "  at <line>",
        ),
    ]
    for call, message in calls:
        assert refused(call, ShapeError) == message
    # What is beyond edges or a range is not counted, and edges may be infinite.
    spread = sg.constant([0.5, INF, NAN, 1.5])
    np.testing.assert_array_equal(_run(sg.histogram(spread, 2, (0, 2))[0]), [1, 1])
    np.testing.assert_array_equal(_run(sg.histogram(spread, [0.0, 1.0, INF])[0]), [1, 2])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_histogram_asks_the_run_for_finite_ends(backend: str) -> None:
    run = sg.Session(backend=backend).run
    data, high = sg.placeholder("float32", (None,)), sg.placeholder("float32", ())
    for function in (sg.histogram, sg.histogram_bin_edges):
        found = function(data, 2)
        for value in (INF, -INF, NAN):
            message = refused(partial(run, found, {data: [1.0, value]}), RunError)
            assert message.startswith(f"{function.__name__}: the elements are not all finite\n"), (
                message
            )
    counts = sg.histogram(data, 2, range=(0.0, high))[0]
    message = refused(lambda: run(counts, {data: [1.0, 2.0], high: INF}), RunError)
    assert message.startswith("histogram: the range is not finite in float32\n")
    np.testing.assert_array_equal(run(counts, {data: [1.0, 2.0], high: 4.0}), [1, 1])


# -- Python numbers ---------------------------------------------------------------------------

X = np.array([1.0, 2.0, 4.0, 7.0])
FACTORS = [0.1, 0.2, 0.3, 0.7]
EXACT: list[tuple[str, Call]] = [
    ("sum", lambda m, x: m.sum(x, initial=0.1)),
    ("prod", lambda m, x: m.prod(x, initial=0.1)),
    ("max", lambda m, x: m.max(x, initial=7.1)),
    ("nansum", lambda m, x: m.nansum(x, initial=0.1)),
    ("gradient", lambda m, x: m.gradient(x, 0.1)),
    ("gradient of places", lambda m, x: m.gradient(x, [0.1, 0.3, 0.4, 0.8])),
    ("histogram", lambda m, x: m.histogram(x, 3, (0.1, 0.7))[1]),
    ("ediff1d", lambda m, x: m.ediff1d(x, 0.1, [0.3, 0.7])),
    ("interp", lambda m, x: m.interp(x, [2.0, 3.0], [3.0, 4.0], left=0.1, right=0.3)),
    ("interp of a period", lambda m, x: m.interp(x, [0.1, 1.3], [3.0, 4.0], period=2.1)),
    ("polyint", lambda m, x: m.polyint(x, 2, [0.1, 0.3])),
    ("polyint of an array", lambda m, x: m.polyint(x, 2, np.array(0.1))),
    ("cov", lambda m, x: m.cov(x, aweights=FACTORS)),
    ("var", lambda m, x: m.var(x, mean=0.1)),
    ("std", lambda m, x: m.std(x, mean=0.1)),
    ("quantile", lambda m, x: m.quantile(x, 0.3, weights=FACTORS, method="inverted_cdf")),
]


@pytest.mark.parametrize("call", [call for _, call in EXACT], ids=[name for name, _ in EXACT])
def test_a_python_number_is_rounded_to_the_dtype_beside_it_alone(call: Call) -> None:
    have, want = _run(call(sg, sg.constant(X))), call(np, X)
    np.testing.assert_allclose(have, want, rtol=4e-15)


def test_a_number_that_does_not_fit_is_refused() -> None:
    x = sg.constant(np.array([1, 2], np.int8), name="x")
    calls: list[tuple[Call, str]] = [
        (
            lambda: sg.max(x, initial=1000),
            "max: initial=1000 does not fit int8\n"
            "  give other numbers, or a wider x: sg.cast(x, dtype) converts\n"
            "  at <line>",
        ),
        (
            lambda: sg.min(x, initial=INF),
            "min: initial=inf does not fit int8\n"
            "  give other numbers, or a wider x: sg.cast(x, dtype) converts\n"
            "  at <line>",
        ),
        (
            lambda: sg.ediff1d(x, to_end=sg.constant([1.5], name="end")),
            "ediff1d: to_end is float32, which does not become int8 without loss\n"
            "  x 'x'  int8[2]  constant at <line>\n"
            "  to_end 'end'  float32[1]  constant at <line>\n"
            "  convert one of them yourself: sg.cast(x, dtype)\n"
            "  created at <line>",
        ),
        (
            lambda: sg.ediff1d(x, to_begin=300),
            "ediff1d: to_begin=300 does not fit int8\n"
            "  give other numbers, or a wider x: sg.cast(x, dtype) converts\n"
            "  at <line>",
        ),
    ]
    for call, message in calls:
        assert refused(call, DTypeError) == message
    # NumPy cuts what is a number of the dtype but for its fraction.
    assert _run(sg.max(x, initial=3.5)) == np.max(np.array([1, 2], np.int8), initial=3.5)
    np.testing.assert_array_equal(_run(sg.ediff1d(x, 5, np.int64(7))), [7, 1, 5])


# -- arguments --------------------------------------------------------------------------------


def test_no_density_is_asked_for_by_none() -> None:
    x = sg.constant(X)
    np.testing.assert_array_equal(_run(np.histogram(x, 3, density=None)[0]), [2, 1, 1])
    np.testing.assert_array_equal(_run(sg.histogramdd([x], 3, density=None)[0]), [2, 1, 1])
    counts = _run(sg.histogram2d(x, x, 2, density=None)[0])
    np.testing.assert_array_equal(counts, np.histogram2d(X, X, 2)[0])


def test_weights_of_samples_are_not_negative_and_one_per_sample() -> None:
    rows = sg.placeholder("float64", (2, 3), name="rows")
    problem = "cov: a number of aweights is negative\n"
    assert refused(lambda: sg.cov(rows, aweights=[1.0, -1.0, 2.0]), ShapeError) == (
        problem + "  give numbers from 0\n  at <line>"
    )
    assert refused(lambda: sg.cov(rows, aweights=sg.constant([1.0], name="one")), ShapeError) == (
        "cov: aweights has shape [1]\n"
        "  m 'rows'  float64[2, 3]  placeholder at <line>\n"
        "  aweights 'one'  float32[1]  constant at <line>\n"
        "  give a vector, one per sample\n"
        "  created at <line>"
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_of_the_run_are_not_negative(backend: str) -> None:
    values = np.array([[1.0, 2.0, 4.0], [0.0, 5.0, 1.0]])
    weights = sg.placeholder("float64", (None,), name="weights")
    covered = sg.cov(values, aweights=weights)
    given = {weights: np.array([1.0, -1.0, 2.0])}
    assert refused(lambda: _run(covered, backend, given), RunError) == (
        "cov: a number of aweights is negative\n"
        "  aweights 'weights'  float64[?]  feed at <line>\n"
        "  aweights is [ 1. -1.  2.]\n"
        "  give numbers from 0\n"
        "  created at <line>"
    )
    factors = np.array([1.0, 0.5, 2.0])
    have = _run(covered, backend, {weights: factors})
    np.testing.assert_allclose(have, np.cov(values, aweights=factors))


def test_what_no_function_takes_is_refused_in_its_own_name() -> None:
    x = sg.constant(X, name="x")
    calls: list[tuple[Call, str]] = [
        (
            lambda: sg.nanvar(x, correction="a"),
            "nanvar: correction='a' is no number\n  give an int or a float\n  at <line>",
        ),
        (
            lambda: sg.nanvar(x, keepdims="no"),
            "nanvar: keepdims='no' is no bool\n  give True or False\n  at <line>",
        ),
        (
            lambda: sg.nanstd(x, correction=None),
            "nanstd: correction=None is no number\n  give an int or a float\n  at <line>",
        ),
        (
            lambda: sg.histogram(x, 2.5),
            "histogram: bins=2.5 is no number of bins\n"
            "  give an int from 1, or the edges\n"
            "  at <line>",
        ),
        (
            lambda: sg.histogram2d(x, x, 2.5),
            "histogram2d: bins=2.5 is nothing for 2 axes\n  give an int, or one per axis\n"
            "  at <line>",
        ),
        (
            lambda: sg.histogram2d(x, x, None),
            "histogram2d: bins=None is nothing for 2 axes\n  give an int, or one per axis\n"
            "  at <line>",
        ),
        (
            lambda: sg.histogram(x, 2, range=np.array(2.0)),
            "histogram: range=array(2.) is no range\n  give the lower edge, then the upper\n"
            "  at <line>",
        ),
        (
            lambda: sg.quantile(x, 0.5, method=["hazen"]),
            "quantile: method=['hazen'] is not there\n"
            "  give one of ('inverted_cdf', 'averaged_inverted_cdf', 'closest_observation', "
            "'interpolated_inverted_cdf', 'hazen', 'weibull', 'linear', 'median_unbiased', "
            "'normal_unbiased', 'lower', 'higher', 'midpoint', 'nearest')\n"
            "  at <line>",
        ),
        (
            lambda: sg.quantile(x, [[1], [0, 1]]),
            "quantile: q=[[1], [0, 1]] is no share of 1\n  give numbers from 0 to 1\n  at <line>",
        ),
    ]
    for call, message in calls:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert refused(call, ShapeError) == message
