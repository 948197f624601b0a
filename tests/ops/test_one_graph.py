"""A plain list that comes first goes to the graph of the tensor that comes later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core.graph import Graph, get_default_graph

ROW = [1.0, 2.0, 4.0]
# What is called with a function that makes a constant of a graph which is not the default one.
CALLS: dict[str, Callable[[Callable[[Any], Any]], Any]] = {
    "all": lambda t: sg.all([True, False], where=t([True, False])),
    "block_diag": lambda t: sg.linalg.block_diag([[1.0]], t([[1.0]])),
    "choice": lambda t: sg.random.choice(ROW, (2,), p=t([0.5, 0.25, 0.25])),
    "choose": lambda t: sg.choose([0, 1], [[1, 2], t([2, 3])]),
    "cov": lambda t: sg.cov(ROW, aweights=t(ROW)),
    "delete": lambda t: sg.delete(ROW, t(1)),
    "dropout": lambda t: sg.nn.dropout(ROW, t(0.5)),
    "ediff1d": lambda t: sg.ediff1d(ROW, to_end=t(ROW)),
    "full_like": lambda t: sg.full_like(ROW, t(1.0)),
    "gather": lambda t: sg.gather(ROW, t([1])),
    "gradient": lambda t: sg.gradient(ROW, t([1.0, 2.0, 5.0])),
    "histogram": lambda t: sg.histogram(ROW, 2, weights=t(ROW))[0],
    "histogram_of_edges": lambda t: sg.histogram(ROW, t([0.0, 2.0, 9.0]))[0],
    "indices": lambda t: sg.indices((2, t(2))),
    "interp": lambda t: sg.interp(ROW, ROW, ROW, left=t(1.0)),
    "ldexp": lambda t: sg.ldexp(ROW, t([2, 1, 0])),
    "leaky_relu": lambda t: sg.nn.leaky_relu(ROW, t(0.1)),
    "lexsort": lambda t: sg.lexsort([[1, 2], t([2, 1])]),
    "logspace": lambda t: sg.logspace(0.0, 1.0, 3, base=t(2.0)),
    "max": lambda t: sg.max(ROW, initial=t(0.0)),
    "multinomial": lambda t: sg.random.multinomial(3, t([0.5, 0.5])),
    "nan_to_num": lambda t: sg.nan_to_num(ROW, nan=t(1.0)),
    "nansum": lambda t: sg.nansum(ROW, where=t([True, False, True])),
    "pad": lambda t: sg.pad(ROW, 1, mode="linear_ramp", end_values=t(1.0)),
    "piecewise": lambda t: sg.piecewise(ROW, [t([True, False, True])], [1.0, 2.0]),
    "pinv": lambda t: sg.linalg.pinv([[1.0]], t(1.0)),
    "polyint": lambda t: sg.polyint(ROW, k=t(1.0)),
    "quantile": lambda t: sg.quantile(ROW, 0.5, weights=t(ROW), method="inverted_cdf"),
    "repeat": lambda t: sg.repeat(ROW, t([2, 1, 1])),
    "roll": lambda t: sg.roll(ROW, t(1)),
    "scatter_add": lambda t: sg.scatter_add(ROW, t([0]), [1.0]),
    "searchsorted": lambda t: sg.searchsorted(ROW, [1.0], sorter=t([0, 1, 2])),
    "segment_mean": lambda t: sg.segment_mean(ROW, t([0, 1, 0]), 2),
    "sum": lambda t: sg.sum(ROW, where=t([True, False, True])),
    "take_along_axis": lambda t: sg.take_along_axis(ROW, t([1]), 0),
    "trapezoid": lambda t: sg.trapezoid(ROW, dx=t(1.0)),
    "unwrap": lambda t: sg.unwrap(ROW, period=t(1.0)),
    "vander": lambda t: sg.linalg.vander(t(ROW)),
    "var": lambda t: sg.var(ROW, where=t([True, False, True])),
    "where": lambda t: sg.where([True, False], t(1.0), 2.0),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_list_before_a_tensor_of_another_graph_than_the_default_one(call: Any) -> None:
    graph = Graph()

    def tensor(value: Any) -> Any:
        with graph.as_default():
            return sg.constant(np.asarray(value))

    before = len(get_default_graph())
    made = call(tensor)
    assert made.graph is graph
    assert len(get_default_graph()) == before
    with Graph().as_default():
        expected = sg.Session(seed=1).run(call(lambda value: sg.constant(np.asarray(value))))
    np.testing.assert_array_equal(sg.Session(graph, seed=1).run(made), expected)


def test_a_list_before_a_variable_or_a_list_of_tensors() -> None:
    graph = Graph()
    with graph.as_default():
        mask = sg.Variable([True, False, True], name="mask")
        weight = sg.constant(2.0)
    summed = sg.sum(ROW, where=mask)
    stepped = sg.gradient(ROW, weight)
    session = sg.Session(graph)
    assert session.run(summed) == 5.0
    np.testing.assert_array_equal(session.run(stepped), np.gradient(ROW, 2.0))


def test_a_list_inside_a_body_stays_in_the_body() -> None:
    graph = Graph()
    with graph.as_default():
        ids = sg.constant([0, 1, 0])
    made = sg.while_loop(
        lambda i, _: i < 2, lambda i, total: (i + 1, total + sg.segment_sum(ROW, ids, 2)),
        (sg.cast(ids[0], "int64"), sg.cast(ids[:2], "float32") * 0.0),
    )[1]  # fmt: skip
    np.testing.assert_array_equal(sg.Session(graph).run(made), [10.0, 4.0])
