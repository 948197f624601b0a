"""Random ops: the documented generator, reproducibility, and the distributions they promise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

import staticgraph as sg

from .philox import NodeWords, philox32, philox64


def test_words_are_those_of_the_documented_generator() -> None:
    first = sg.random.uniform(7, dtype="float64")
    second = sg.random.uniform((2, 5))
    session = sg.Session(seed=1234)
    for run in (1, 2):
        values = session.run([first, second])
        longs = NodeWords(0, 1234, run).long(7)
        np.testing.assert_array_equal(values[0], (longs >> np.uint64(11)) / 2**53)
        shorts = NodeWords(1, 1234, run).short(2, 5)
        np.testing.assert_array_equal(values[1], (shorts >> np.uint64(8)) / 2**24)


def test_the_generators_are_those_of_the_paper() -> None:
    # The known answers that the authors of the generators publish beside them.
    ones = 2**32 - 1
    assert philox32((0, 0), (0, 0, 0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    assert philox32((ones, ones), (ones,) * 4) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)
    source = np.random.Philox(key=[5, 6], counter=[0, 2, 3, 4])
    assert philox64((5, 6), (1, 2, 3, 4)) == tuple(source.random_raw(4).tolist())


def test_seed_run_and_node_decide_and_nothing_else() -> None:
    x = sg.random.normal(100)
    y = sg.random.normal(100)
    session, again = sg.Session(seed=7), sg.Session(seed=7)
    first, second = session.run([x, y]), session.run([x, y])
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], second[0])
    # What else is fetched does not matter, nor in which order.
    np.testing.assert_array_equal(again.run(x), first[0])
    np.testing.assert_array_equal(again.run([y, x])[1], second[0])
    assert not np.array_equal(sg.Session(seed=8).run(x), first[0])


def test_a_larger_draw_starts_with_the_smaller() -> None:
    n = sg.placeholder("int64", ())
    x = sg.random.uniform((n,))
    small, large = sg.Session(seed=0).run(x, {n: 3}), sg.Session(seed=0).run(x, {n: 30})
    np.testing.assert_array_equal(large[:3], small)


def test_equal_nodes_are_never_merged() -> None:
    function = sg.optimize([sg.random.uniform(3) for _ in range(4)])
    assert function.count("random_unit") == 4


def test_one_node_is_drawn_once() -> None:
    x = sg.random.uniform(3)
    first, second, difference = sg.Session().run([x, x + 0, x - x])
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(difference, np.zeros(3))


def test_the_key_of_the_run_is_one_node_and_waits_for_nothing() -> None:
    graph = sg.get_default_graph()
    with sg.control_dependencies([sg.constant(1.0)]), sg.name_scope("inner"):
        x = sg.random.uniform(3)
    sg.random.normal(2)
    keys = [node for node in graph.operations if node.op.name == "random_key"]
    assert [node.name for node in keys] == ["random_key"]
    assert keys[0].control_inputs == ()
    assert x.node.control_inputs != ()


def draw(tensor: sg.Tensor, seed: int = 3) -> Any:
    return sg.Session(seed=seed).run(tensor)


# -- independence and orders: samples of fixed seeds, so these tests never fail by chance ------


def test_two_nodes_are_independent() -> None:
    x, y = sg.Session(seed=3).run([sg.random.normal(100_000), sg.random.normal(100_000)])
    assert abs(np.corrcoef(x, y)[0, 1]) < 4 / math.sqrt(x.size)


def test_runs_are_independent() -> None:
    node, session = sg.random.uniform(1), sg.Session(seed=3)
    values = np.concatenate([session.run(node) for _ in range(1000)]).astype(np.float64)
    assert stats.kstest(values, stats.uniform.cdf).pvalue > 0.01


def test_every_order_is_equally_likely() -> None:
    node, session = sg.random.permutation(4), sg.Session(seed=3)
    orders = [tuple(session.run(node).tolist()) for _ in range(4800)]
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert counts.size == 24
    assert stats.chisquare(counts).pvalue > 0.01


def test_rows_stay_together_in_a_permutation() -> None:
    x = np.arange(20).reshape(10, 2)
    values = draw(sg.random.permutation(x))
    assert not np.array_equal(values, x)
    np.testing.assert_array_equal(values[np.argsort(values[:, 0])], x)


def test_uniform_never_returns_its_upper_bound() -> None:
    # Between 1 and its neighbour float32 has no number: every second draw would round up.
    above = np.nextafter(np.float32(1), np.float32(2))
    values = draw(sg.random.uniform((1000,), np.float32(1), above))
    np.testing.assert_array_equal(values, np.ones(1000, np.float32))


# -- derivatives ------------------------------------------------------------------------------


def test_derivatives_flow_to_the_parameters() -> None:
    low, high = sg.Variable(-1.0, "float64"), sg.Variable(2.0, "float64")
    mean, stddev = sg.Variable([0.0, 1.0], "float64"), sg.Variable(3.0, "float64")
    u = sg.random.uniform((50, 2), low, high)
    z = sg.random.normal((50, 2), mean, stddev)
    slopes = sg.gradients([sg.sum(u), sg.sum(z)], [low, high, mean, stddev])
    values, (drawn, deviates) = sg.Session(seed=5).run([slopes, [u, z]])
    fraction = (drawn + 1) / 3
    np.testing.assert_allclose(values[0], np.sum(1 - fraction))
    np.testing.assert_allclose(values[1], np.sum(fraction))
    np.testing.assert_allclose(values[2], [50, 50])
    np.testing.assert_allclose(values[3], np.sum((deviates - [0, 1]) / 3))


def test_words_have_no_derivative() -> None:
    x = sg.placeholder("float32", (3,))
    with pytest.raises(sg.GradientError, match="y does not depend on x"):
        sg.gradients(sg.sum(sg.random.uniform(sg.shape(x)) * 2.0), x)


def test_dropout_keeps_its_mask_in_the_adjoint() -> None:
    x = sg.placeholder("float32", (1000,))
    kept = sg.where(sg.random.bernoulli(0.75, sg.shape(x)), x / 0.75, 0.0)
    (adjoint,) = sg.gradients(sg.sum(kept), x)
    values = sg.Session(seed=2).run([kept, adjoint], {x: np.ones(1000)})
    np.testing.assert_array_equal(values[0], values[1])
    assert 0.7 < np.mean(values[0] > 0) < 0.8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_of_one_block_and_its_neighbours_are_independent(dtype: str) -> None:
    uniform = draw(sg.random.uniform(200_000, dtype=dtype))
    normal = draw(sg.random.normal(200_000, dtype=dtype))
    for values in (uniform - 0.5, normal, normal**2 - 1.0):
        flat = values.astype(np.float64)
        for lag in range(1, 9):
            shared = np.corrcoef(flat[:-lag], flat[lag:])[0, 1]
            assert abs(shared) < 4.5 / np.sqrt(flat.size)
    # Pairs of normal numbers point in every direction alike.
    angles = np.arctan2(normal[1::2], normal[::2]).astype(np.float64)
    assert stats.kstest(angles, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 0.01


def test_iterations_are_independent() -> None:
    drawn = sg.map_fn(lambda _: sg.random.uniform((), dtype="float64"), sg.zeros(20_000))
    values = draw(drawn)
    assert stats.kstest(values, stats.uniform.cdf).pvalue > 0.01
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 4 / np.sqrt(values.size)
