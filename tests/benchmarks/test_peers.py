"""The workloads are the same ones everywhere: setups exist, and staticgraph agrees with NumPy."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.benchmarks import inputs
from tests.benchmarks.libraries import CONTENDERS, OURS
from tests.benchmarks.peers.numpy_peer import NumPy
from tests.benchmarks.peers.staticgraph_peer import Staticgraph
from tests.benchmarks.workloads import BEST, GROWTHS, TABLE

PEERS = Path(__file__).parent / "peers"

SMALL: dict[str, Any] = {
    "neuron": "arrays",
    "neuron_run": "floats",
    "elementwise": 100,
    "elementwise_gradient": 100,
    "multilayer_step": 8,
    "scalar_while": 100,
    "recurrent_gradient": 5,
    "searching_while_gradient": 50,
    "chain_gradient": 20,
    "matmul": ("float32", 3, 5, 6, 7, "a"),
    "sort": 100,
    "cumulative_sum": 100,
    "einsum": 20,
    "cholesky_gradient": 3,
    "gather": 50,
    "segment_sum": 50,
    "uniform": 100_000,
    "normal": 100_000,
    "integer_chain": 50,
    "boolean_chain": 50,
}
# Two streams of random numbers have only their moments in common.
LOOSE = {"uniform": 0.02, "normal": 0.02}


def _methods(module: str) -> dict[str, set[str]]:
    """The methods of each class of a peer, inherited ones included, read without importing it."""
    found: dict[str, set[str]] = {"Peer": set()}
    for node in ast.parse((PEERS / f"{module}.py").read_text()).body:
        if not isinstance(node, ast.ClassDef):
            continue
        own = {entry.name for entry in node.body if isinstance(entry, ast.FunctionDef)}
        for entry in node.body:
            if isinstance(entry, ast.Assign):
                own |= {target.id for target in entry.targets if isinstance(target, ast.Name)}
        for base in node.bases:
            assert isinstance(base, ast.Name)
            own |= found[base.id]
        found[node.name] = own
    return found


@pytest.mark.parametrize("name", CONTENDERS)
def test_a_contender_has_a_setup_for_each_workload_that_names_it(name: str) -> None:
    contender = CONTENDERS[name]
    methods = _methods(contender.module)[contender.kind]
    rows = [*TABLE.values(), *GROWTHS]
    named = {row.method for row in rows if name in row.contenders}
    assert named <= methods


def test_what_is_wanted_names_contenders_that_take_part() -> None:
    for workload in TABLE.values():
        assert OURS in workload.contenders
        for wanted in workload.wanted:
            assert wanted.peer == BEST or wanted.peer in workload.contenders


def test_every_workload_has_inputs_and_numpy_judges_all() -> None:
    assert set(SMALL) == set(inputs.FACTORIES)
    assert {row.method for row in (*TABLE.values(), *GROWTHS)} <= set(inputs.FACTORIES)
    assert all(hasattr(NumPy, method) for method in inputs.FACTORIES)


@pytest.mark.parametrize("method", SMALL)
@pytest.mark.parametrize("again", [False, True])
def test_staticgraph_agrees_with_numpy_by_hand(method: str, again: bool) -> None:
    given = inputs.make(method, SMALL[method])
    results = []
    for peer in (Staticgraph(), NumPy()):
        prepared = getattr(peer, method)(given)
        if again:
            prepared.function(*prepared.arguments)
        results.append(prepared.values())
    ours, theirs = results
    assert len(ours) == len(theirs)
    for have, want in zip(ours, theirs, strict=True):
        assert have.shape == want.shape
        slack = LOOSE.get(method, 1e-5)
        np.testing.assert_allclose(have, want, rtol=2e-4, atol=slack)


@pytest.mark.parametrize("transposed", ["", "a", "b"])
@pytest.mark.parametrize("batch", [0, 2])
def test_matrix_products_agree(transposed: str, batch: int) -> None:
    given = inputs.make("matmul", ("float64", batch, 3, 4, 5, transposed))
    (ours,), (theirs,) = (peer.matmul(given).values() for peer in (Staticgraph(), NumPy()))
    assert ours.dtype == theirs.dtype == np.float64
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_the_gradient_by_hand_is_the_slope() -> None:
    """The judge has a judge: finite differences."""
    step, limit = inputs.make("searching_while_gradient", 50)
    function = NumPy().searching_while_gradient((step, limit)).function
    value, slope = function(step, limit)
    above, below = (function(step * (1 + sign * 1e-7), limit)[0] for sign in (1, -1))
    assert value >= limit
    assert slope == pytest.approx((above - below) / (2e-7 * step), rel=1e-5)


def test_inputs_are_the_same_in_every_process() -> None:
    (x,) = inputs.make("elementwise", 3)
    np.testing.assert_array_equal(x, np.array([1.6243454, -0.6117564, -0.5281718], np.float32))
