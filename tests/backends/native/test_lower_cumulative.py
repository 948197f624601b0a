"""Running sums, products and recurrences: bit for bit what the reference makes, along any axis."""

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
        rng = np.random.default_rng(0)
        for dims in [shape] if known else SHAPES:
            given = [(rng.standard_normal(dims) * 3).astype(dtype) for _ in range(2)]
            agreement.check(*given)
            if dtype == "float32":
                special = np.array([0.0, -0.0, np.nan, np.inf, 1.0], dtype)
                agreement.check(*[rng.choice(special, dims) for _ in range(2)])
        if not known:
            break


def _fetches(graph: sg.Graph, x: Any, y: Any, reverse: bool) -> list[Any]:
    fetches = []
    for axis in range(3):
        attrs = {"axis": axis, "reverse": reverse}
        for given in (x, sg.permute_dims(x), sg.flip(x, 1)):
            fetches.append(graph.add(CUMSUM, (given,), attrs).out)
            fetches.append(graph.add(CUMPROD, (given,), attrs).out)
        if x.dtype.kind == "f":
            fetches.append(graph.add(LINEAR_RECURRENCE, (x, y), attrs).out)
            fetches.append(graph.add(LINEAR_RECURRENCE, (y.T, x.T), attrs).out)
    return fetches


def test_operands_of_different_sizes_are_refused() -> None:
    x, y = sg.placeholder("float32", (None,)), sg.placeholder("float32", (None,))
    attrs = {"axis": 0, "reverse": False}
    agreement = Agreement(x.graph.add(LINEAR_RECURRENCE, (x, y), attrs).out, [x, y])
    assert "ShapeError" in str(agreement.check(np.ones(3, np.float32), np.ones(4, np.float32)))
