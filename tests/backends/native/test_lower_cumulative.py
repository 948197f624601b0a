"""Running sums, products and recurrences: what the reference makes, along any axis.

Products and recurrences, and sums of integers, are the same bit for bit. Sums of floats along
elements that stand side by side are made in another order, so they are compared within rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.ops.cumulative import CUMPROD, CUMSUM, LINEAR_RECURRENCE
from tests.backends.native.agreement import Agreement

SHAPES = [(3, 5, 37), (1, 1, 1), (2, 1, 70), (0, 4, 2), (2, 0, 3), (2, 300, 0), (1, 70, 2)]


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint64"])
def test_running_values(dtype: str, reverse: bool, known: bool) -> None:
    for shape in SHAPES[: 2 if known else None]:
        graph = sg.Graph()
        with graph.as_default():
            x, y = [sg.placeholder(dtype, shape if known else (None,) * 3) for _ in range(2)]
            agreement = Agreement(_fetches(graph, x, y, reverse), [x, y])
            sums = Sums(_sums(graph, x, reverse), x)
        rng = np.random.default_rng(0)
        for dims in [shape] if known else SHAPES:
            given = [(rng.standard_normal(dims) * 3).astype(dtype) for _ in range(2)]
            agreement.check(*given)
            sums.check(given[0])
            if dtype == "float32":
                special = np.array([0.0, -0.0, np.nan, np.inf, 1.0], dtype)
                given = [rng.choice(special, dims) for _ in range(2)]
                agreement.check(*given)
                sums.check(given[0])
        if not known:
            break


def _fetches(graph: sg.Graph, x: Any, y: Any, reverse: bool) -> list[Any]:
    fetches = []
    for axis in range(3):
        attrs = {"axis": axis, "reverse": reverse}
        for given in (x, sg.permute_dims(x), sg.flip(x, 1)):
            fetches.append(graph.add(CUMPROD, (given,), attrs).out)
        if x.dtype.kind == "f":
            fetches.append(graph.add(LINEAR_RECURRENCE, (x, y), attrs).out)
            fetches.append(graph.add(LINEAR_RECURRENCE, (y.T, x.T), attrs).out)
    return fetches


def _sums(graph: sg.Graph, x: Any, reverse: bool) -> list[Any]:
    return [
        graph.add(CUMSUM, (given,), {"axis": axis, "reverse": reverse}).out
        for axis in range(3)
        for given in (x, sg.permute_dims(x), sg.flip(x, 1))
    ]


class Sums:
    """Running sums on both backends; integers are equal, floats within some units of the sum."""

    def __init__(self, fetches: list[Any], x: sg.Tensor) -> None:
        self.runs = [
            sg.Session(backend=backend).make_callable(fetches, [x])
            for backend in ("native", "reference")
        ]

    def check(self, array: np.ndarray[Any, Any]) -> None:
        for have, want in zip(*[run(array) for run in self.runs], strict=True):
            assert have.shape == want.shape and have.dtype == want.dtype
            if want.dtype.kind != "f":
                np.testing.assert_array_equal(have, want)
                continue
            unit = 64 * np.finfo(want.dtype).eps
            np.testing.assert_allclose(have, want, rtol=unit, atol=unit * 1e3)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_long_running_sums(dtype: str, known: bool) -> None:
    """Rows of several blocks, whole and not, by one thread and by several."""
    rng = np.random.default_rng(0)
    for shape in [(1, 8192), (1, 8193), (3, 20_000), (1, 100_001), (40, 33)]:
        with sg.Graph().as_default():
            x = sg.placeholder(dtype, shape if known else (None, None))
            fetches = [sg.cumsum(x, 1), sg.cumsum(x, 1, reverse=True), sg.cumsum(x)]
            array = rng.integers(-1000, 1000, shape).astype(dtype)
            # Sums of integers this small are exact in every dtype, whatever the order.
            want = [
                np.cumsum(array, 1), np.cumsum(array[:, ::-1], 1)[:, ::-1], np.cumsum(array),
            ]  # fmt: skip
            for threads in (1, 2, 3):
                have = sg.Session(threads=threads).run(fetches, {x: array})
                for actual, expected in zip(have, want, strict=True):
                    np.testing.assert_array_equal(actual, expected, strict=True)


def test_sums_of_floats_do_not_depend_on_threads() -> None:
    x = sg.placeholder("float32", (None,))
    array = np.random.default_rng(0).standard_normal(200_003).astype(np.float32)
    runs = [sg.Session(threads=threads).run(sg.cumsum(x), {x: array}) for threads in (1, 2, 3)]
    for other in runs[1:]:
        np.testing.assert_array_equal(other, runs[0])
    exact = np.cumsum(array.astype(np.float64))
    assert np.abs(runs[0] - exact).max() <= np.abs(np.cumsum(array) - exact).max()


def test_a_negative_zero_stays_one() -> None:
    x = sg.placeholder("float64", (None,))
    have = sg.Session().run(sg.cumsum(x), {x: np.full(40, -0.0)})
    assert np.signbit(have).all()


def test_operands_of_different_sizes_are_refused() -> None:
    x, y = sg.placeholder("float32", (None,)), sg.placeholder("float32", (None,))
    attrs = {"axis": 0, "reverse": False}
    agreement = Agreement(x.graph.add(LINEAR_RECURRENCE, (x, y), attrs).out, [x, y])
    assert "ShapeError" in str(agreement.check(np.ones(3, np.float32), np.ones(4, np.float32)))
