"""Elementwise functions beyond their samples: NumPy's functions, operators, composites, edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

import staticgraph as sg

Array = np.ndarray[Any, Any]
BACKENDS = ("native", "reference")

X = np.array([[-2.5, -0.75, 0.0, 0.5], [1.0, 1.5, 3.0, 20.0]])
UNIT = np.array([-1.0, -0.3, 0.0, 0.8, 1.0])
ONWARDS = np.array([1.0, 1.25, 4.0, 1e3])


def fed(function: Callable[..., Any], *arrays: Array, backend: Any = "native") -> Array:
    """The value of what a function makes of placeholders that are fed with the arrays."""
    with sg.Graph().as_default() as graph:
        placeholders = [sg.placeholder(array.dtype, array.shape) for array in arrays]
        result = function(*placeholders)
        with sg.Session(graph, backend=backend) as session:
            value = session.run(result, dict(zip(placeholders, arrays, strict=True)))
    return np.asarray(value)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("ufunc", "operand"),
    [
        (np.exp2, X), (np.log2, ONWARDS), (np.log10, ONWARDS), (np.cbrt, X), (np.signbit, X),
        (np.arcsin, UNIT), (np.arccos, UNIT), (np.arctan, X), (np.sinh, X), (np.cosh, X),
        (np.arcsinh, X), (np.arccosh, ONWARDS), (np.arctanh, UNIT), (np.deg2rad, X),
        (np.radians, X), (np.rad2deg, X), (np.degrees, X), (np.positive, X), (special.erfc, X),
        (special.erfinv, UNIT), (special.gammaln, X), (special.psi, ONWARDS),
    ],
    ids=lambda value: value.__name__ if isinstance(value, np.ufunc) else "",
)  # fmt: skip
def test_ufuncs_of_one_operand(ufunc: np.ufunc, operand: Array, backend: str) -> None:
    with np.errstate(all="ignore"):
        expected = ufunc(operand)
    found = fed(ufunc, operand, backend=backend)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "ufunc",
    [
        np.hypot, np.arctan2, np.logaddexp, np.fmod, np.copysign, np.nextafter, np.fmax, np.fmin,
        special.xlogy,
    ],
    ids=lambda ufunc: ufunc.__name__,
)  # fmt: skip
def test_ufuncs_of_two_operands(ufunc: np.ufunc, backend: str) -> None:
    other = np.array([3.0, np.nan, 0.25, 7.0])
    with np.errstate(all="ignore"):
        expected = ufunc(X, other)
    found = fed(lambda x: ufunc(x, other), X, backend=backend)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["int8", "int32", "uint16", "int64"])
def test_shifts(dtype: str, backend: str) -> None:
    values = np.array([1, 2, 5, 100], dtype)
    counts = np.array([0, 1, 3, 90], dtype)
    assert fed(lambda x, n: x << n, values, counts, backend=backend).tolist() == list(
        values << counts
    )
    assert fed(lambda x, n: x >> n, values, counts, backend=backend).tolist() == list(
        values >> counts
    )
    assert fed(lambda x: 1 << x, counts, backend=backend).tolist() == list(1 << counts)
    assert fed(lambda x: values >> x, counts, backend=backend).tolist() == list(values >> counts)
    assert fed(np.left_shift, values, counts, backend=backend).tolist() == list(values << counts)


@pytest.mark.parametrize("backend", BACKENDS)
def test_numbers_for_nan_and_infinities(backend: str) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 2.0, -0.0], np.float32)
    cases: list[dict[str, Any]] = [{}, {"nan": 1.5}, {"posinf": 3.0, "neginf": -4.0}]
    for options in cases:
        found = fed(lambda x, options=options: sg.nan_to_num(x, **options), x, backend=backend)
        expected = np.nan_to_num(x, **options)
        assert found.tobytes() == expected.tobytes()
    assert fed(np.nan_to_num, x, backend=backend).tobytes() == np.nan_to_num(x).tobytes()
    assert fed(sg.nan_to_num, np.array([1, 2]), backend=backend).tolist() == [1, 2]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("equal_nan", [False, True])
def test_closeness(equal_nan: bool, backend: str) -> None:
    grid = np.array([0.0, 1e-9, 1.0, 1.000001, 1.1, np.inf, -np.inf, np.nan])
    a, b = [side.ravel() for side in np.meshgrid(grid, grid)]
    for options in ({}, {"rtol": 0.2}, {"atol": 2.0}):
        expected = np.isclose(a, b, equal_nan=equal_nan, **options)

        def close(x: Any, y: Any, options: Any = options) -> Any:
            return sg.isclose(x, y, equal_nan=equal_nan, **options)

        assert np.array_equal(fed(close, a, b, backend=backend), expected)
    near = np.array([1.0, 2.0])
    assert fed(lambda x: sg.allclose(x, near * 1.000001), near, backend=backend)
    assert not fed(lambda x: np.allclose(x, near * 1.1), near, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_derivatives_at_the_edges(backend: str) -> None:
    def slopes(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *xs: sg.stack(sg.gradients(sg.sum(function(*xs)), xs))

    zero, huge, infinite = np.zeros(1), np.full(1, 1e200), np.full(1, np.inf)
    cases: list[tuple[Callable[..., Any], tuple[Array, ...], list[float]]] = [
        (sg.hypot, (zero, zero), [0.0, 0.0]),
        (sg.hypot, (huge, huge), [0.5**0.5, 0.5**0.5]),
        (sg.logaddexp, (-infinite, -infinite), [0.5, 0.5]),
        (sg.logaddexp, (huge, huge), [0.5, 0.5]),
        (sg.xlogy, (zero, zero), [-np.inf, 0.0]),
        (sg.atan, (huge,), [0.0]),
        (sg.asinh, (huge,), [1e-200]),
        (sg.acosh, (huge,), [1e-200]),
        (sg.atan2, (huge, -huge), [-5e-201, -5e-201]),
        (sg.copysign, (zero, zero - 1.0), [0.0]),
    ]
    for function, operands, expected in cases:
        wanted = slopes(function)
        if function is sg.copysign:
            wanted = lambda x, y: sg.gradients(sg.sum(sg.copysign(x, y)), x)[0]  # noqa: E731
        found = fed(wanted, *operands, backend=backend)
        np.testing.assert_allclose(found.ravel(), expected, rtol=1e-12, err_msg=str(function))


def test_orders_of_a_called_function_are_told_apart() -> None:
    # A kernel with many copies of a long function calls it; here two functions with one name.
    x = np.array([0.5, 1.5, 2.5])
    total = lambda t: sum(sg.polygamma(n, t * k) for n in (1, 2) for k in (1.0, 2.0, 3.0))  # noqa: E731
    expected = sum(special.polygamma(n, x * k) for n in (1, 2) for k in (1.0, 2.0, 3.0))
    np.testing.assert_allclose(fed(total, x), expected, rtol=1e-13)


def test_powers_that_are_exact() -> None:
    for dtype in (np.float32, np.float64):
        tens = np.array([10.0**k for k in range(11)], dtype)
        assert fed(sg.log10, tens).tolist() == list(range(11))
        twos = np.arange(-20, 21).astype(dtype)
        assert fed(sg.exp2, twos).tolist() == np.exp2(twos).tolist()
        assert fed(sg.log2, np.exp2(twos)).tolist() == twos.tolist()
        cubes = np.array([k**3 for k in range(-20, 21)], dtype)
        assert fed(sg.cbrt, cubes).tolist() == list(range(-20, 21))
