"""Scatters whose updates are split into parts: any number of threads, sizes known or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native.compiler import Compilation
from staticgraph.backends.native.program import Options
from staticgraph.ops.segments import SCATTER_MAX, SCATTER_MIN

ROWS = 50_000
Array = np.ndarray[Any, Any]

UFUNCS: dict[str, Any] = {"add": np.add, "max": np.maximum, "min": np.minimum}


def _scattered(op: str, x: sg.Tensor, index: sg.Tensor, updates: sg.Tensor) -> sg.Tensor:
    if op == "add":
        return sg.scatter_add(x, index, updates)
    record = SCATTER_MAX if op == "max" else SCATTER_MIN
    return x.node.graph.add(record, (x, updates, index), {"axes": (0,)}).outputs[0]


def _drawn(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Array:
    if dtype.startswith(("int", "uint")):
        return rng.integers(0, 100, shape).astype(dtype)
    drawn = rng.standard_normal(shape)
    return (drawn + 1j * rng.standard_normal(shape) if dtype[0] == "c" else drawn).astype(dtype)


def _runs(fetches: sg.Tensor, feed: dict[Any, Array]) -> Array:
    """The result for several numbers of threads, which is the same bit for bit."""
    results: list[Array] = [
        sg.Session(backend="native", threads=threads).run(fetches, feed) for threads in (1, 2, 3)
    ]
    for other in results[1:]:
        assert other.tobytes() == results[0].tobytes()
    return results[0]


def _in_parts(
    op: str, x: Array, index: Array, updates: Array, known: bool = True
) -> tuple[Array, Array]:
    """What machine code gives, and NumPy."""
    arrays = (x, index, updates)
    feeds = [
        sg.placeholder(str(array.dtype), array.shape if known else (None, *array.shape[1:]))
        for array in arrays
    ]
    want = x.copy()
    UFUNCS[op].at(want, index, updates)
    return _runs(_scattered(op, *feeds), dict(zip(feeds, arrays, strict=True))), want


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("columns", [(), (3,), (8,), (64,), (2, 4)])
def test_sums_of_parts(columns: tuple[int, ...], known: bool) -> None:
    rng = np.random.default_rng(0)
    rows = 400_000 if columns == () else ROWS
    index = rng.integers(-23, 23, rows)
    x, updates = [_drawn(rng, "float32", (n, *columns)) for n in (23, rows)]
    have, want = _in_parts("add", x, index, updates, known)
    exact = x.astype(np.float64)
    np.add.at(exact, index, updates)
    np.testing.assert_allclose(have, exact, atol=0.01)
    # The parts were added up: in one go it would be NumPy's sum to the last bit.
    assert have.tobytes() != want.tobytes()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("op", "dtype"),
    [
        ("add", "int32"), ("add", "int64"), ("add", "uint8"), ("max", "int64"), ("min", "int8"),
        ("max", "int16"), ("min", "uint8"), ("max", "float32"), ("min", "float64"),
    ],
)  # fmt: skip
def test_what_is_exact(op: str, dtype: str, known: bool) -> None:
    rng = np.random.default_rng(1)
    x, updates = [_drawn(rng, dtype, (n, 5)) for n in (40, ROWS)]
    have, want = _in_parts(op, x, rng.integers(0, 40, ROWS), updates, known)
    np.testing.assert_array_equal(have, want, strict=True)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_sums(dtype: str) -> None:
    rng = np.random.default_rng(2)
    x, updates = [_drawn(rng, dtype, (n, 8)) for n in (10, ROWS)]
    have, want = _in_parts("add", x, rng.integers(0, 10, ROWS), updates)
    np.testing.assert_allclose(have, want, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("op", ["add", "max"])
def test_half_precision(op: str) -> None:
    rng = np.random.default_rng(7)
    index, updates = rng.integers(0, 300, ROWS), _drawn(rng, "float16", (ROWS, 8))
    have, _ = _in_parts(op, np.zeros((300, 8), np.float16), index, updates)
    exact = np.zeros((300, 8))
    UFUNCS[op].at(exact, index, updates)
    np.testing.assert_allclose(have, exact, atol=0.5 if op == "add" else 0)


@pytest.mark.parametrize("op", ["max", "min"])
def test_nan_comes_through_from_every_part(op: str) -> None:
    rng = np.random.default_rng(3)
    x, updates = [_drawn(rng, "float32", (n, 4)) for n in (9, 100_000)]
    index = rng.integers(0, 7, 100_000)
    updates[[0, 60_000, 99_999], [0, 1, 2]] = np.nan
    updates[index == 3] = np.inf if op == "min" else -np.inf
    have, want = _in_parts(op, x, index, updates)
    np.testing.assert_array_equal(have, want)
    assert 0 < np.isnan(have).sum() <= 3


def test_zeros_keep_their_sign() -> None:
    rng = np.random.default_rng(4)
    updates = np.full((100_000, 4), -0.0, np.float32)
    have, _ = _in_parts("add", updates[:9], rng.integers(0, 8, 100_000), updates)
    assert np.signbit(have).all()


def test_parts_of_any_length() -> None:
    x, index = sg.placeholder("int64", (None,)), sg.placeholder("int64", (None, None))
    updates = sg.placeholder("int64", (None, None))
    rng = np.random.default_rng(5)
    runs = [
        sg.Session(backend="native", threads=threads).make_callable(
            sg.scatter_add(x, index, updates), [x, index, updates]
        )
        for threads in (1, 3)
    ]
    for shape in [(0, 3), (1, 1), (1, 131_072), (3, 131_072), (131_071, 1), (131_073, 1), (9, 9)]:
        for size in (1, 7, 5000):
            start = rng.integers(0, 9, size)
            places, more = rng.integers(0, size, shape), rng.integers(0, 9, shape)
            want = start.copy()
            np.add.at(want, places, more)
            for run in runs:
                np.testing.assert_array_equal(run(start, places, more), want)


def test_views_are_split_too() -> None:
    rng = np.random.default_rng(6)
    index, updates = sg.placeholder("int64", (None,)), sg.placeholder("int32", (None, 6))
    places, given = rng.integers(0, 4, 300_000), rng.integers(0, 9, (300_000, 6)).astype(np.int32)
    result = sg.scatter_add(sg.zeros((4, 3), "int32"), index[::-2], updates[1::2, ::-2])
    want = np.zeros((4, 3), np.int32)
    np.add.at(want, places[::-2], given[1::2, ::-2])
    np.testing.assert_array_equal(_runs(result, {index: places, updates: given}), want)


@pytest.mark.parametrize(
    ("size", "rows", "count"), [(10, 1000, 1), (10, 100_000, 2), (100_000, 100_000, 1)]
)
def test_parts_only_where_the_updates_are_many(size: int, rows: int, count: int) -> None:
    x, index = sg.placeholder("float32", (size, 4)), sg.placeholder("int64", (rows,))
    result = sg.scatter_add(x, index, sg.placeholder("float32", (rows, 4)))
    # Beside those that look at the indices and copy x.
    kernels = Compilation(sg.optimize(result), Options()).program.kernels
    assert len(kernels) == 2 + count
