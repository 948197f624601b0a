"""Graphs of 100,000 nodes go through every stage without recursion.

Times are not asserted here: tests/benchmarks/scaling.py measures how each stage grows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core.text import parse
from tests.benchmarks.scaling import balanced, chain

NODES = 100_000


@pytest.mark.parametrize("shape", [chain, balanced])
def test_a_large_graph_goes_through_every_stage(
    shape: Callable[[sg.Tensor, int], sg.Tensor],
    graph: sg.Graph,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The verifier is linear too, but would take most of the time here; smaller graphs pass it.
    monkeypatch.setenv("STATICGRAPH_CHECK", "0")
    x = sg.placeholder("float64", (), name="x")
    y = shape(x, NODES)
    assert len(graph) >= NODES
    monkeypatch.setattr(sys, "setrecursionlimit", None)
    (slope,) = sg.gradients(y, x)
    (tangent,) = sg.jvp(y, x, 1.0)
    function = sg.extract([y, slope, tangent])
    optimized = sg.optimize(function)
    assert len(optimized) <= len(function)
    text = str(optimized)
    assert text.count("\n") > NODES / 2
    call = sg.Session(graph).make_callable([y, slope, tangent], [x])
    value, reverse, forward = call(0.5)
    assert np.isfinite(value)
    np.testing.assert_allclose(reverse, forward, rtol=1e-9)
    higher, _, _ = call(0.5 + 1e-6)
    lower, _, _ = call(0.5 - 1e-6)
    np.testing.assert_allclose(reverse, (higher - lower) / 2e-6, rtol=1e-4)


def test_the_text_of_a_large_function_parses_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATICGRAPH_CHECK", "0")
    x = sg.placeholder("float64", (), name="x")
    function = sg.extract(chain(x, NODES))
    assert parse(str(function)) == function
