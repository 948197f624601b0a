"""Networks: that they sort by the principle of zeros and ones, and the rows that are sorted so."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native import targets
from staticgraph.backends.native.order.network import comparators, merging_comparators
from staticgraph.backends.native.order.rows import depth_of
from staticgraph.ops.sorting import ORDER_OF_WORDS
from tests.backends.native.test_lower_order import DTYPES, special
from tests.backends.native.test_targets_run import RUNNABLE


def applied(pairs: list[tuple[int, int]], rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The rows after their columns were compared pair by pair."""
    result = rows.copy()
    for first, second in pairs:
        assert first < second
        low = np.minimum(result[:, first], result[:, second])
        result[:, second] = np.maximum(result[:, first], result[:, second])
        result[:, first] = low
    return result


@pytest.mark.parametrize("count", range(1, 17))
def test_comparators_sort_all_zeros_and_ones(count: int) -> None:
    rows = np.array(list(product((0, 1), repeat=count)))
    np.testing.assert_array_equal(applied(comparators(count), rows), np.sort(rows))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 8, 12, 16, 24, 48])
def test_merging_comparators_sort_what_rises_and_falls(count: int) -> None:
    ones = [[(place - begin) % count < length for place in range(count)]
            for begin in range(count) for length in range(count + 1)]  # fmt: skip
    rows = np.array(ones, int)
    np.testing.assert_array_equal(applied(merging_comparators(count), rows), np.sort(rows))


@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
def test_every_row_has_room(lanes: int) -> None:
    for size in range(lanes, 3000):
        depth, block = depth_of(size, lanes)
        assert depth * lanes >= size
        assert depth % block == 0
        assert depth == block or depth * lanes <= 2 * size


def rows_of(dtype: str, shape: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Random bits, with values among them whose order is easily got wrong."""
    rng = np.random.default_rng(0)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    bits = np.frombuffer(rng.bytes(count), dtype).reshape(shape)
    return np.where(rng.random(shape) < 0.3, rng.choice(special(dtype), shape), bits)


def check(dtype: str, sizes: list[int], known: bool) -> None:
    """Compares sorted rows with the reference and with NumPy."""
    for size in sizes:
        rows = rows_of(dtype, (3, size))
        with sg.Graph().as_default():
            x = sg.placeholder(dtype, (None, size if known else None))
            fetches = [sg.sort(x), sg.sort(x, descending=True)]
            want = sg.Session(backend="reference").run(fetches, {x: rows})
            have = sg.Session(backend="native").run(fetches, {x: rows})
        np.testing.assert_array_equal(want[0], np.sort(rows))
        for values, expected in zip(have, want, strict=True):
            np.testing.assert_array_equal(values, expected, strict=True)
            if np.dtype(dtype).kind == "f":
                numbers = ~np.isnan(expected)
                np.testing.assert_array_equal(
                    np.signbit(values)[numbers], np.signbit(expected)[numbers]
                )


# Every depth of registers and some of memory, whole vectors and ones that are not.
SIZES = [1, 2, 3, 5, 7, 8, 9, 16, 17, 31, 33, 48, 50, 64, 90, 100, 128, 160, 192, 200, 256, 300,
         500, 513, 1000, 2049]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_known_size(dtype: str) -> None:
    check(dtype, SIZES if dtype in ("int32", "float64") else SIZES[::5], known=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_unknown_size(dtype: str) -> None:
    check(dtype, [1, 2, 7, 15, 16, 17, 40, 100, 130, 255, 300, 1000, 5000], known=False)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("name", ["haswell", "x86-64"])
def test_narrow_vectors(name: str, known: bool) -> None:
    if name not in RUNNABLE:
        pytest.skip("this processor cannot run it")
    with targets.assumed(RUNNABLE[name]):
        for dtype in ("float32", "int64", "uint8"):
            check(dtype, [1, 3, 10, 30, 100, 400], known)


@pytest.mark.parametrize("size", [100, 1000, 32_768, 32_769])
def test_rows_do_not_depend_on_threads(size: int) -> None:
    """Up to the longest row that a network sorts, and beyond."""
    rows = np.random.default_rng(0).standard_normal((40, size)).astype(np.float32)
    x = sg.placeholder("float32", (None, size))
    for threads in (1, 2, 3):
        have = sg.Session(backend="native", threads=threads).run(sg.sort(x), {x: rows})
        np.testing.assert_array_equal(have, np.sort(rows))


@pytest.mark.parametrize("known", [False, True])
def test_order_of_words(known: bool) -> None:
    """By one network, by buckets in one block and several, and of words that fill one bucket."""
    rng = np.random.default_rng(0)
    for size in (1, 2, 100, 1024, 1025, 40_000, 150_001):
        x = sg.placeholder("uint64", (size if known else None,))
        order = x.graph.add(ORDER_OF_WORDS, (x,), {"bits": 48}).out
        runs = [
            sg.Session(backend="native", threads=threads).make_callable(order, [x])
            for threads in (1, 2, 3)
        ]
        words = rng.integers(0, 1 << 48, size, np.uint64)
        for given in (words, words >> 40, np.full(size, 3, np.uint64)):
            want = np.argsort(given, stable=True)
            for run in runs:
                np.testing.assert_array_equal(run(given), want, strict=True)
