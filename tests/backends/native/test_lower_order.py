"""sort and argsort: the stable order, for every dtype, along any axis, up and down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from tests.backends.native.agreement import Agreement

DTYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32",
    "float64",
]  # fmt: skip


def special(dtype: str) -> np.ndarray[Any, Any]:
    """Values whose order is easily got wrong."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        tiny = np.finfo(kind).smallest_subnormal
        huge = np.finfo(kind).max
        return np.array(
            [0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, tiny, -tiny, huge, -huge, 1, 1.5], kind
        )
    if kind.kind == "b":
        return np.array([False, True])
    limits = np.iinfo(kind)
    return np.array([limits.min, limits.max, 0, 1, 2, limits.max // 2, limits.min // 2], kind)


@pytest.mark.parametrize("dtype", DTYPES)
def test_order(dtype: str) -> None:
    x = sg.placeholder(dtype, (None, None))
    fetches = [
        sg.argsort(given, axis, descending)
        for given in (x, x.T[::-1])
        for axis in (0, 1)
        for descending in (False, True)
    ]
    agreement = Agreement(fetches, [x])
    rng = np.random.default_rng(0)
    # Rows of up to 192 elements are sorted in another way than longer ones.
    for shape in [(0, 3), (3, 0), (1, 1), (3, 24), (40, 25), (192, 193), (5, 300), (2, 70)]:
        agreement.check(rng.choice(special(dtype), shape))
        agreement.check(rng.choice(special(dtype)[:1], shape))
        bits = rng.bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize)
        if dtype != "bool":
            agreement.check(np.frombuffer(bits, dtype).reshape(shape))


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_long_row(dtype: str, known: bool) -> None:
    """Sorted in blocks, with digits of one width and of the other, by one thread and several."""
    rng = np.random.default_rng(0)
    for size in (32_768, 150_001):
        bits = rng.bytes(size * np.dtype(dtype).itemsize)
        rows = [rng.choice(special(dtype), size), np.zeros(size, dtype)]
        if dtype != "bool":
            rows += [np.frombuffer(bits, dtype), rng.integers(0, 100, size).astype(dtype)]
        with sg.Graph().as_default():
            x = sg.placeholder(dtype, (size if known else None,))
            fetches = [
                function(x, descending=descending)
                for function in (sg.sort, sg.argsort)
                for descending in (False, True)
            ]
            runs = [
                sg.Session(backend="native", threads=threads).make_callable(fetches, [x])
                for threads in (1, 2, 3)
            ]
            reference = sg.Session(backend="reference").make_callable(fetches, [x])
            for row in rows:
                want = reference(row)
                np.testing.assert_array_equal(want[0], np.sort(row))
                for run in runs:
                    for have, expected in zip(run(row), want, strict=True):
                        np.testing.assert_array_equal(have, expected, strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_values(dtype: str) -> None:
    x = sg.placeholder(dtype, (None, None))
    agreement = Agreement(
        [sg.sort(x, axis, descending) for axis in (0, 1) for descending in (False, True)], [x]
    )
    rng = np.random.default_rng(0)
    for shape in [(0, 3), (3, 0), (1, 1), (3, 24), (40, 25), (192, 193), (5, 300), (2, 70)]:
        agreement.check(rng.choice(special(dtype), shape))


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_long_rows(dtype: str) -> None:
    x = sg.placeholder(dtype, (None,))
    agreement = Agreement([sg.argsort(x), sg.sort(x, descending=True)], [x])
    rng = np.random.default_rng(0)
    agreement.check((rng.standard_normal(100_003) * 1000).astype(dtype))
    agreement.check(np.arange(50_000).astype(dtype))


def test_results_do_not_depend_on_threads() -> None:
    x = sg.placeholder("float32", (None, 100))
    array = np.random.default_rng(0).standard_normal((3000, 100)).astype(np.float32)
    want = np.argsort(array, kind="stable")
    for threads in (1, 2, 7):
        have = sg.Session(backend="native", threads=threads).run(sg.argsort(x), {x: array})
        np.testing.assert_array_equal(have, want)
