"""Slices, gathers and what writes where they read: any bounds, any indices, as the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native.compiler import Compilation
from staticgraph.backends.native.program import Options
from staticgraph.ops.indexing import GATHER, SCATTER_ADD
from tests.backends.native.agreement import Agreement

ENDS = [-(2**63), -13, -5, -3, -1, 0, 1, 2, 4, 7, 12, 2**63 - 1]


def kernels(fetches: Any) -> int:
    """How many kernels the code for some fetches calls."""
    return len(Compilation(sg.optimize(fetches), Options()).program.kernels)


@pytest.mark.parametrize("step", [1, 2, 7, 2**62, -1, -3, -(2**62)])
def test_ranges_are_clipped(step: int) -> None:
    x, start, stop = sg.placeholder("int32", (None, None)), _scalar(), _scalar()
    fetches = [
        x[start:stop:step], x[start::step], x[:stop:step], x[1:stop:step], x[-2:stop:step],
        x[start:3:step], x[start:-3:step, ::step], x[::step, start:stop:step], x[9:-9:step],
    ]  # fmt: skip
    agreement = Agreement(fetches, [x, start, stop])
    for rows in (0, 1, 2, 5, 11):
        array = np.arange(rows * 5, dtype=np.int32).reshape(rows, 5)
        for begin in ENDS:
            for end in ENDS:
                assert not isinstance(agreement.check(array, _int(begin), _int(end)), str)


def test_entries_out_of_range_are_refused() -> None:
    x, entry = sg.placeholder("float64", (None, None)), _scalar()
    agreement = Agreement([x[entry], x[:, entry], x[entry, entry] * 2, x[1], x[-2]], [x, entry])
    failed = 0
    for shape in [(0, 3), (2, 3), (3, 0), (4, 1), (4, 4)]:
        for place in ENDS:
            array = np.random.default_rng(0).standard_normal(shape)
            failed += isinstance(agreement.check(array, _int(place)), str)
    assert 40 < failed < 60


@pytest.mark.parametrize("step", [1, 3, -1, -2])
def test_slices_are_scattered_back(step: int) -> None:
    x, w = sg.placeholder("float32", (None, None)), sg.placeholder("float32", ())
    start, stop = _scalar(), _scalar()
    parts = [x[start:stop:step], x[:, start:stop:step] * 2, x[::step, start:], x[start:] * w]
    fetches = [sg.gradients(sg.sum(part * part), x)[0] for part in parts]
    agreement = Agreement(fetches, [x, w, start, stop])
    rng = np.random.default_rng(abs(step))
    for shape in [(0, 0), (1, 5), (4, 3), (9, 40)]:
        for _ in range(20):
            begin, end = rng.integers(-10, 10, 2)
            array = rng.standard_normal(shape).astype(np.float32)
            agreement.check(array, np.array(1.5, np.float32), _int(begin), _int(end))


# -- gathers --------------------------------------------------------------------------------------

PICKS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((0,), (1,)), ((1,), (2,)), ((2,), (1,)), ((0,), (0,)), ((0, 1), (1, 1)), ((0, 1), (2, 1)),
    ((0, 2), (1, 1)), ((0, 2), (0, 1)), ((1, 2), (2, 2)), ((0, 1, 2), (1, 3, 0)),
    ((0, 1, 2), (0, 0, 0)),
]  # fmt: skip


def _drawn(
    rng: np.random.Generator, axes: tuple[int, ...], ranks: tuple[int, ...]
) -> tuple[tuple[int, ...], list[np.ndarray[Any, Any]]]:
    """A shape and indices of it, some of them out of range, some without elements."""
    shape = tuple(rng.choice([0, 1, 2, 3, 5, 33], 3, p=[0.05, 0.15, 0.2, 0.2, 0.2, 0.2]))
    target = rng.choice([0, 1, 2, 3, 17], 3, p=[0.05, 0.15, 0.3, 0.3, 0.2])
    indices = []
    for axis, rank in zip(axes, ranks, strict=True):
        own = [int(size) if rng.random() < 0.8 else 1 for size in target[3 - rank :]]
        reach = shape[axis] + (rng.random() < 0.2)
        indices.append(rng.integers(-reach, max(reach, 1), own, dtype=np.int64))
    return shape, indices


@pytest.mark.parametrize("layout", ["plain", "permuted", "backwards"])
@pytest.mark.parametrize(("axes", "ranks"), PICKS)
def test_gathers(axes: tuple[int, ...], ranks: tuple[int, ...], layout: str) -> None:
    dtype = "float32" if layout == "plain" else "int16"
    x = sg.placeholder(dtype, (None,) * 3)
    indices = [sg.placeholder("int64", (None,) * rank) for rank in ranks]
    read = {"plain": x, "permuted": sg.permute_dims(x), "backwards": sg.flip(x)}[layout]
    picked = x.graph.add(GATHER, (read, *indices), {"axes": axes}).out
    agreement = Agreement([picked, picked * 2 + 1], [x, *indices])
    rng = np.random.default_rng(len(layout) + sum(axes) + sum(ranks))
    outcomes = []
    for _ in range(60):
        shape, arrays = _drawn(rng, axes, ranks)
        fed = shape[::-1] if layout == "permuted" else shape
        data = (rng.standard_normal(fed) * 100).astype(dtype)
        outcomes.append(isinstance(agreement.check(data, *arrays), str))
    assert not all(outcomes)
    assert any(outcomes)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint64"])
@pytest.mark.parametrize(("axes", "ranks"), PICKS)
def test_scatters(axes: tuple[int, ...], ranks: tuple[int, ...], dtype: str) -> None:
    x = sg.placeholder(dtype, (None,) * 3)
    indices = [sg.placeholder("int64", (None,) * rank) for rank in ranks]
    attrs = {"axes": axes}
    updates = x.graph.add(GATHER, (x * x, *indices), attrs).out
    added = x.graph.add(SCATTER_ADD, (x, updates, *indices), attrs).out
    again = x.graph.add(SCATTER_ADD, (added, updates, *indices), attrs).out
    agreement = Agreement([added + x, again], [x, *indices])
    rng = np.random.default_rng(sum(axes) + sum(ranks))
    for _ in range(30):
        shape, arrays = _drawn(rng, axes, ranks)
        agreement.check((rng.standard_normal(shape) * 10).astype(dtype), *arrays)


def test_updates_are_repeated_or_refused() -> None:
    x, updates = sg.placeholder("float64", (None, None)), sg.placeholder("float64", (None, None))
    index = sg.placeholder("int64", (None,))
    fetches = sg.scatter_add(x, index, updates)
    agreement = Agreement(fetches, [x, updates, index])
    rng = np.random.default_rng(0)
    for shape in [(3, 4), (1, 4), (3, 1), (1, 1), (2, 4), (3, 3), (0, 4)]:
        data = rng.standard_normal((6, 4))
        agreement.check(data, rng.standard_normal(shape), np.array([0, -1, 0]))


def test_large_scatters_are_the_same_for_any_number_of_threads() -> None:
    table, index = sg.placeholder("float32", (None, 700)), sg.placeholder("int64", (None,))
    taken = sg.gather(table, index)
    (adjoint,) = sg.gradients(sg.sum(taken * taken), table)
    rng = np.random.default_rng(0)
    feed = {
        table: rng.standard_normal((50, 700)).astype(np.float32),
        index: rng.integers(0, 50, 999),
    }
    want = sg.Session(backend="reference").run([adjoint, taken], feed)
    for threads in (1, 2, 5):
        have = sg.Session(backend="native", threads=threads).run([adjoint, taken], feed)
        for one, other in zip(have, want, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_gather_is_fused_with_what_uses_it() -> None:
    x, index = sg.placeholder("float32", (None, 8)), sg.placeholder("int64", (None,))
    # One kernel looks whether the indices are in range; of what is known it is known before.
    assert kernels(sg.relu(sg.gather(x, index) * 2 + 1)) == 2
    rows = sg.placeholder("float32", (3, 8))
    assert kernels(sg.relu(sg.gather(rows, np.array([1, 0, -1])) * 2 + 1)) == 1


def test_scalar_entries_need_no_kernel() -> None:
    x, entry = sg.placeholder("float32", (None, None)), _scalar()
    assert kernels([x[entry, 2] * x[0, entry], sg.gather(x, entry)[1]]) == 0
    assert kernels(sg.gather(x, sg.reshape(entry, (1, 1)))[0, 0, 0]) == 0
    fetches = [sg.gather(x, sg.reshape(entry, (1, 1)), 1), x[sg.reshape(entry, (1,)), entry] * 2]
    agreement = Agreement(fetches, [x, entry])
    for place in (0, 2, -3, 3, -4):
        agreement.check(np.arange(12, dtype=np.float32).reshape(4, 3), _int(place))


def test_a_variable_is_not_overwritten_while_it_is_gathered_from() -> None:
    table = sg.Variable(np.arange(5000.0), name="table")
    order = sg.placeholder("int64", (5000,))
    # Fetched in a group, the new value is nobody's but the variable's, and written in place.
    update = sg.group(table.assign(sg.gather(table, order) * 2))
    session = sg.Session(backend="native")
    for _ in range(2):
        session.run(update, {order: np.arange(5000)[::-1].copy()})
    np.testing.assert_array_equal(session.run(table), np.arange(5000.0) * 4)


def test_scatters_in_a_loop_add_to_one_array() -> None:
    count, index = _scalar(), sg.placeholder("int64", (None,))

    def body(i: sg.Tensor, total: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
        return i + 1, sg.scatter_add(total, index + i, sg.ones((3,)))

    _, total = sg.while_loop(lambda i, _: i < count, body, (sg.constant(0), sg.zeros((9,))))
    agreement = Agreement(total, [count, index])
    agreement.check(_int(5), np.array([0, 2, 0]))
    agreement.check(_int(0), np.array([0, 2, 0]))
    agreement.check(_int(8), np.array([0, 2, 0]))


def _scalar() -> sg.Tensor:
    return sg.placeholder("int64", ())


def _int(value: Any) -> np.ndarray[Any, Any]:
    return np.array(value, np.int64)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gathers_in_rows_that_are_walked_again(dtype: str, known: bool) -> None:
    x = sg.placeholder(dtype, (9, 37) if known else (None, None))
    index = sg.placeholder("int64", (4,) if known else (None,))
    rows = sg.gather(x, index)
    columns = sg.gather(x, index, 1)
    fetches = [
        sg.max(rows * 2, 1) + rows[:, 0], rows - sg.max(rows, 1, keepdims=True),
        columns - sg.max(columns, 1, keepdims=True), sg.max(rows, 0), sg.max(columns),
        sg.gather(rows, index[:1], 1) * sg.max(rows), sg.max(sg.gather(rows, index[::-1], 1), 1),
    ]  # fmt: skip
    agreement = Agreement(fetches, [x, index])
    data = np.random.default_rng(0).standard_normal((9, 37)).astype(dtype)
    agreement.check(data, np.array([3, -2, 0, 1]))
    agreement.check(data, np.array([3, -9, 0, 9]))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint32", "int64", "float64"])
def test_every_dtype_moves(dtype: str) -> None:
    x, index = sg.placeholder(dtype, (None, 70)), sg.placeholder("int64", (None,))
    fetches = [
        sg.gather(x, index), sg.gather(x, index, 1), x[index, index], x[::-1, ::-3],
        x[1:, 3] == x[:-1, 4], sg.take_along_axis(x, sg.argsort(x, 1), 1),
    ]  # fmt: skip
    agreement = Agreement(fetches, [x, index])
    data = (np.random.default_rng(0).uniform(0, 3, (5, 70))).astype(dtype)
    agreement.check(data, np.array([3, -2, 0, 1, 4] * 20))
