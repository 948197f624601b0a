"""Searches and chosen places: any size and layout, any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg

REAL = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32",
    "float64",
]  # fmt: skip


def _runs(fetches: Any, feeds: list[sg.Tensor]) -> list[Any]:
    return [sg.Session(threads=threads).make_callable(fetches, feeds) for threads in (1, 2, 3)]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_places_of_what_holds(share: float) -> None:
    x = sg.placeholder("bool", (None, None))
    runs = _runs([sg.flatnonzero(x), sg.flatnonzero(x.T), sg.count_nonzero(x)], [x])
    rng = np.random.default_rng(0)
    for shape in [(0, 3), (1, 1), (1, 63), (3, 65), (2, 16_384), (7, 20_001)]:
        mask = rng.random(shape) < share
        for run in runs:
            places, turned, count = run(mask)
            np.testing.assert_array_equal(places, np.flatnonzero(mask), strict=True)
            np.testing.assert_array_equal(turned, np.flatnonzero(mask.T), strict=True)
            assert count == len(places)


def test_what_has_a_size_of_the_run_goes_on() -> None:
    """A result of unknown size is an operand like any other, in loops and branches too."""
    x = sg.placeholder("float64", (None,))
    kept = x[x > 0]
    total = sg.cond(sg.size(kept) > 2, lambda: sg.sum(kept), lambda: sg.constant(-1.0, "float64"))
    (slope,) = sg.gradients(sg.sum(kept * kept), x)
    with sg.Session() as session:
        for values in ([1.0, -2.0, 3.0, 4.0], [1.0, -1.0], []):
            array = np.array(values)
            have = session.run([kept, total, slope], {x: array})
            want = array[array > 0]
            np.testing.assert_array_equal(have[0], want)
            assert have[1] == (want.sum() if len(want) > 2 else -1.0)
            np.testing.assert_array_equal(have[2], np.where(array > 0, 2 * array, 0.0))


def test_a_mask_of_another_size_is_an_error_of_the_run() -> None:
    x, mask = sg.placeholder("float64", (None,)), sg.placeholder("bool", (None,))
    for backend in ("native", "reference"):
        with pytest.raises(sg.RunError):
            sg.Session(backend=backend).run(x[mask], {x: np.ones(3), mask: np.array([True, False])})


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("dtype", REAL)
def test_where_the_extreme_element_stands(dtype: str, known: bool) -> None:
    rng = np.random.default_rng(0)
    for shape in [(1,), (63,), (4096,), (4097,), (70_001,), (3, 50), (5, 9000), (2, 3, 70)]:
        values = rng.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)
        arrays = [values]
        if values.dtype.kind == "f":
            holes = values.copy()
            holes.flat[rng.integers(values.size, size=2)] = np.nan
            arrays += [holes, np.full(shape, -np.inf, dtype), np.full(shape, np.nan, dtype)]
        with sg.Graph().as_default():
            x = sg.placeholder(dtype, shape if known else (None,) * len(shape))
            back = x[..., ::-1]
            runs = _runs([sg.argmax(x), sg.argmin(x), sg.argmax(x, -1), sg.argmin(back, -1)], [x])
            for array in arrays:
                want = [
                    np.argmax(array), np.argmin(array), np.argmax(array, -1),
                    np.argmin(array[..., ::-1], -1),
                ]  # fmt: skip
                for run in runs:
                    for have, expected in zip(run(array), want, strict=True):
                        np.testing.assert_array_equal(have, expected)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtype", REAL)
def test_places_in_a_sorted_row(dtype: str, side: str) -> None:
    row, values = sg.placeholder(dtype, (None,)), sg.placeholder(dtype, (None, None))
    runs = _runs(
        [sg.searchsorted(row, values, side), sg.searchsorted(row[::-1][::-1], values.T, side)],
        [row, values],
    )
    rng = np.random.default_rng(0)
    for size in (0, 1, 2, 7, 1000):
        given = np.sort(rng.integers(0, 2 if dtype == "bool" else 50, size).astype(dtype))
        wanted = rng.integers(0, 2 if dtype == "bool" else 60, (90, 70)).astype(dtype)
        if given.dtype.kind == "f":
            given = np.sort(np.concatenate([given, [np.nan, np.inf, -np.inf]]).astype(dtype))
            wanted.flat[:3] = [np.nan, np.inf, -np.inf]
        for run in runs:
            for have, array in zip(run(given, wanted), (wanted, wanted.T), strict=True):
                np.testing.assert_array_equal(have, np.searchsorted(given, array, side))
