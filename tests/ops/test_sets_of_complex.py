"""Sets of complex numbers: the same as NumPy's, in NumPy's order."""

from __future__ import annotations

import numpy as np
import pytest

import staticgraph as sg

NAN = float("nan")
ROWS = {
    "none": [],
    "one": [2 - 1j],
    "several": [1 + 2j, 1 + 1j, 2, 1 + 2j, -3j, 2, 1 + 1j, 0, -0.0, 1 + 2j],
    "with NaN": [2, complex(1, NAN), NAN, 2, complex(NAN, NAN), 0.5j, complex(1, NAN)],
}


@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("row", ROWS)
def test_all_of_unique(row: str, dtype: str, backend: str) -> None:
    given = np.array(ROWS[row], dtype)
    with sg.Graph().as_default() as graph:
        x = sg.placeholder(dtype, (None,), name="x")
        fetches = [*sg.unique_all(x), sg.unique_values(x), *sg.unique_counts(x)]
    found = sg.Session(graph=graph, backend=backend).run(fetches, {x: given})  # type: ignore[arg-type]
    values, indices, inverse, counts = np.unique(
        given, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    for have, want in zip(
        found, (values, indices, inverse, counts, values, values, counts), strict=True
    ):
        np.testing.assert_array_equal(have, want)
        assert have.dtype == want.dtype


@pytest.mark.parametrize("backend", ["reference", "native"])
def test_one_nan_of_all_in_unique(backend: str) -> None:
    given = np.array(ROWS["with NaN"])
    with sg.Graph().as_default() as graph:
        y = sg.unique(sg.constant(given, "complex128"), return_counts=True)
    values, counts = sg.Session(graph=graph, backend=backend).run(y)  # type: ignore[arg-type]
    wanted, times = np.unique(given, return_counts=True)
    np.testing.assert_array_equal(np.isnan(values), np.isnan(wanted))
    np.testing.assert_array_equal(values[:-1], wanted[:-1])
    np.testing.assert_array_equal(counts, times)
