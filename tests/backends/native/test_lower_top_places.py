"""top_k by machine code: the first k of rows of every kind, whatever their order, and ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native import targets
from tests.backends.native.test_lower_order import DTYPES, special
from tests.backends.native.test_targets_run import RUNNABLE

Array = np.ndarray[Any, Any]


def first_places(x: Array, k: int, largest: bool) -> Any:
    """The places of the first k elements in a stable order, NaN the largest."""
    if not largest:
        return np.argsort(x, stable=True)[..., :k]
    backwards = np.argsort(np.flip(x, -1), stable=True)
    return (x.shape[-1] - 1 - np.flip(backwards, -1))[..., :k]


def rows_of(dtype: str, size: int) -> list[Array]:
    """Rows with ties and odd values, that rise, that fall, and all of one element."""
    rng = np.random.default_rng(size)
    shape = (3, size)
    few = rng.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)
    odd = np.where(rng.random(shape) < 0.3, rng.choice(special(dtype), shape), few)
    return [odd, np.sort(few), np.flip(np.sort(few), -1), np.ones(shape, dtype)]


def check(dtype: str, k: int, largest: bool, sizes: list[int], known: bool = False) -> None:
    for size in sizes:
        with sg.Graph().as_default():
            x = sg.placeholder(dtype, (None, size if known else None))
            made = sg.top_k(x, k, largest=largest)
            run = sg.Session(backend="native").make_callable(made, [x])
            for rows in rows_of(dtype, size):
                values, places = run(rows)
                want = first_places(rows, k, largest)
                np.testing.assert_array_equal(places, want, strict=True)
                np.testing.assert_array_equal(values, np.take_along_axis(rows, want, -1))


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_first_elements(dtype: str, largest: bool) -> None:
    check(dtype, 5, largest, [5, 6, 33, 64, 65, 1000])
    check(dtype, 40, largest, [40, 128, 3001])


@pytest.mark.parametrize("largest", [False, True])
def test_many_of_a_row_whose_size_is_known(largest: bool) -> None:
    check("float32", 300, largest, [1200, 5000], known=True)
    # So many are found by a sort.
    check("int64", 300, largest, [300, 1199], known=True)


@pytest.mark.parametrize("name", ["haswell", "x86-64"])
def test_narrow_vectors(name: str) -> None:
    if name not in RUNNABLE:
        pytest.skip("this processor cannot run it")
    with targets.assumed(RUNNABLE[name]):
        check("float32", 7, True, [7, 500])
        check("int64", 7, False, [7, 500])


def test_results_do_not_depend_on_threads() -> None:
    rows = np.random.default_rng(0).standard_normal((300, 2000)).astype(np.float32)
    x = sg.placeholder("float32", (None, None))
    for threads in (1, 2, 3):
        session = sg.Session(backend="native", threads=threads)
        _, places = session.run(sg.top_k(x, 9), {x: rows})
        np.testing.assert_array_equal(places, first_places(rows, 9, True))
