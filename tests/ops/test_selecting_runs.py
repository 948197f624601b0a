"""What top_k refuses in a run, where no size was known when the graph was built."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("size", [0, 2])
def test_top_k_of_too_few_elements_is_refused_in_the_run(backend: Any, size: int) -> None:
    with sg.Graph().as_default() as graph:
        x = sg.placeholder("float32", (None,), name="x")
        fetches = list(sg.top_k(x, 4))
    message = (
        r"^top_k: there are no 4 largest elements in this run\n"
        r"  x 'x'  float32\[\?\]  feed at [^\n]*\n"
        rf"  the axis has size {size}\n  created at [^\n]*$"
    )
    with sg.Session(graph, backend=backend) as session:
        with pytest.raises(sg.ShapeError, match=message):
            session.run(fetches, {x: np.zeros(size, np.float32)})
        values, places = session.run(fetches, {x: np.array([3, 1, 2, 5, 4], np.float32)})
    np.testing.assert_array_equal(values, [5, 4, 3, 2])
    np.testing.assert_array_equal(places, [3, 4, 0, 2])
