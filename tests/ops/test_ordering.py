"""partition, argpartition, lexsort, orders of what is flattened, and unique along an axis."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph as sg

Array = np.ndarray[Any, Any]
BACKENDS = pytest.mark.parametrize("backend", ["native", "reference"])
_random = np.random.default_rng(31)
X = _random.integers(-4, 5, (4, 3)).astype(np.float64)
HOLES = np.array([2.0, np.nan, -1.0, 2.0, -0.0, 0.0, np.nan])


def run(backend: Any, call: Callable[..., Any], *arrays: Array, known: bool = False) -> Any:
    """The values of what `call` makes of placeholders, whose sizes are known or not."""
    with sg.Graph().as_default():
        feeds = [
            sg.placeholder(a.dtype, a.shape if known else (None,) * a.ndim, name=f"x{number}")
            for number, a in enumerate(arrays)
        ]
        feed: Any = dict(zip(feeds, arrays, strict=True))
        return sg.Session(backend=backend).run(call(*feeds), feed)


@BACKENDS
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float16", "bool", "int8", "uint64"])
@pytest.mark.parametrize("axis", [0, -1, None])
@pytest.mark.parametrize("kth", [0, -1, (2, 1), np.array([1])])
def test_partition(backend: Any, known: bool, dtype: str, axis: int | None, kth: Any) -> None:
    x = X.astype(dtype)
    calls = lambda t: (np.partition(t, kth, axis), np.argpartition(t, kth, axis))  # noqa: E731
    values, places = run(backend, calls, x, known=known)
    assert values.dtype == x.dtype
    assert places.dtype == np.int64
    flat, along = (x.reshape(-1), 0) if axis is None else (x, axis)
    # What NumPy promises: elements at kth are in place, smaller ones before, the same elements.
    index = [kth] if isinstance(kth, int) else list(kth)
    np.testing.assert_array_equal(
        values.take(index, along), np.partition(x, kth, axis).take(index, along)
    )
    np.testing.assert_array_equal(np.sort(values, along), np.sort(flat, along))
    np.testing.assert_array_equal(np.take_along_axis(flat, places, along), values)


@BACKENDS
def test_orders_of_what_is_flattened(backend: Any) -> None:
    calls = lambda t: (np.sort(t, None), np.argsort(t, None, kind="stable"))  # noqa: E731
    values, places = run(backend, calls, X)
    np.testing.assert_array_equal(values, np.sort(X, None))
    np.testing.assert_array_equal(places, np.argsort(X, None, stable=True))
    np.testing.assert_array_equal(run(backend, lambda t: sg.sort(t, None), np.array(2.0)), [2.0])


@BACKENDS
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("size", [0, 1, 60])
def test_lexsort(backend: Any, size: int, axis: int) -> None:
    keys = [
        _random.integers(0, 3, (size, 4)).astype(np.int8),
        _random.choice(HOLES, (size, 4)),
        _random.random((size, 4)) < 0.5,
    ]
    have = run(backend, lambda *t: np.lexsort(t, axis=axis), *keys)
    np.testing.assert_array_equal(have, np.lexsort(keys, axis=axis), strict=True)


@BACKENDS
def test_lexsort_of_the_rows_of_a_tensor(backend: Any) -> None:
    have = run(backend, np.lexsort, X, known=True)
    np.testing.assert_array_equal(have, np.lexsort(X), strict=True)


@BACKENDS
@pytest.mark.parametrize("dtype", ["int64", "float32", "bool"])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((0, 3), 0), ((1, 3), 0), ((20, 2), 0), ((20, 2), -1), ((5, 2, 2), 0), ((2, 9, 1), 1),
     ((7,), 0)],
)  # fmt: skip
def test_unique_along_an_axis(backend: Any, dtype: str, shape: tuple[int, ...], axis: int) -> None:
    x = _random.integers(0, 3, shape).astype(dtype)
    dims: list[int | None] = list(shape)
    dims[axis] = None
    with sg.Graph().as_default():
        t: Any = sg.placeholder(dtype, dims)
        fetches = np.unique(t, True, True, True, axis=axis)
        have = sg.Session(backend=backend).run(fetches, {t: x})
    want = np.unique(x, True, True, True, axis=axis)
    for actual, expected in zip(have, want, strict=True):
        np.testing.assert_array_equal(actual, expected, strict=True)


@BACKENDS
def test_unique_rows_that_hold_nan_are_different(backend: Any) -> None:
    x = np.array([[np.nan, 1.0], [0.0, 1.0], [np.nan, 1.0], [-0.0, 1.0]])
    have = run(backend, lambda t: sg.unique(t, axis=0), x, known=True)
    np.testing.assert_array_equal(have, np.unique(x, axis=0))
    assert len(have) == 3


@BACKENDS
@pytest.mark.parametrize("axis", [0, 1])
def test_unique_rows_of_a_given_number(backend: Any, axis: int) -> None:
    x = np.moveaxis(np.array([[3, 1], [2, 5], [3, 1]]), 0, axis)
    values, counts = run(
        backend,
        lambda t: sg.unique(t, return_counts=True, axis=axis, size=3, fill_value=-1),
        x,
        known=True,
    )
    np.testing.assert_array_equal(np.moveaxis(values, axis, 0), [[2, 5], [3, 1], [-1, -1]])
    np.testing.assert_array_equal(counts, [1, 2, 0])


def test_derivatives() -> None:
    x = sg.placeholder("float64", (3,))
    weights = np.array([1.0, 10.0, 100.0])
    (slope,) = sg.gradients(sg.sum(weights * sg.partition(x, 1) ** 2), x)
    (tangent,) = sg.jvp([sg.partition(x, 1)], [x], [sg.constant(weights)])
    rows = sg.placeholder("float64", (None, 2))
    (by_rows,) = sg.gradients(sg.sum(sg.unique(rows, axis=0) ** 2), rows)
    session = sg.Session()
    given = np.array([3.0, 1.0, 2.0])
    np.testing.assert_array_equal(session.run(slope, {x: given}), [600.0, 2.0, 40.0])
    np.testing.assert_array_equal(session.run(tangent, {x: given}), [10.0, 100.0, 1.0])
    pairs = np.array([[2.0, 1.0], [2.0, 1.0], [0.0, 3.0]])
    np.testing.assert_array_equal(session.run(by_rows, {rows: pairs}), [[4, 2], [0, 0], [0, 6]])


def test_refusals() -> None:
    x: Any = sg.constant(X)
    calls: list[tuple[Callable[[], Any], type[Exception], str]] = [
        (lambda: sg.partition(x, 3), sg.ShapeError, "partition: there is no element at kth=3"),
        (lambda: sg.partition(x, -5, 0), sg.ShapeError, "partition: there is no element at kth=-5"),
        (lambda: sg.argpartition(x, 0, 2), sg.ShapeError, "argpartition: 'constant' has no axis 2"),
        (lambda: sg.partition(x, 1.5), sg.ShapeError, "partition: kth=1.5 is no place"),
        (lambda: sg.partition(x * 1j, 0), sg.DTypeError, "partition: complex128 has no order"),
        (lambda: sg.lexsort([]), sg.ShapeError, "lexsort: there is no key"),
        (lambda: sg.lexsort([x, x[0]]), sg.ShapeError, "lexsort: keys have shapes [4, 3] and [3]"),
        (lambda: sg.lexsort(x[0]), sg.ShapeError, "lexsort: keys has shape [3]"),
        (lambda: sg.unique(x, axis=2), sg.ShapeError, "unique: 'constant' has no axis 2"),
        (
            lambda: sg.unique(sg.placeholder("int64", (4, None)), axis=0), sg.ShapeError,
            "unique: entries along axis 0 have shape [?]",
        ),
    ]  # fmt: skip
    for call, error, message in calls:
        with pytest.raises(error, match=re.escape(message)):
            call()


@BACKENDS
@pytest.mark.parametrize("function", [sg.partition, sg.argpartition])
def test_a_place_that_only_the_run_misses(backend: Any, function: Callable[..., Any]) -> None:
    with sg.Graph().as_default():
        x = sg.placeholder("float32", (None,))
        made = function(x, -3)
        session = sg.Session(backend=backend)
        session.run(made, {x: [1.0, 2.0, 3.0]})
        message = f"{function.__name__}: there is no element at kth=-3"
        with pytest.raises(sg.RunError, match=re.escape(message)):
            session.run(made, {x: [1.0, 2.0]})
