"""Running sums of products behind a scan: by structure, by value, and where they stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import staticgraph as sg
from staticgraph.backends.reference import evaluate
from staticgraph.core.function import Function
from staticgraph.core.graph import Tensor
from staticgraph.core.node import Node
from staticgraph.core.verify import verify
from staticgraph.passes.accumulate import ACCUMULATED, accumulate
from staticgraph.passes.common import Notes
from staticgraph.passes.narrow import narrow
from staticgraph.passes.prune import prune
from tests.passes.support import assert_same_bits, check_golden, run

Step = Callable[..., tuple[Any, Any]]


def applied(function: Function, times: int = 1) -> Function:
    """A Function after the pass, verified; it applies so often, and then never again."""
    notes = Notes(evaluate)
    after = accumulate(function, notes)
    verify(after, "accumulate")
    assert notes.rules == ({ACCUMULATED: times} if times else {})
    assert (after is function) == (times == 0)
    assert accumulate(after, Notes(evaluate)) is after
    return after


def summed(step: Step, start: Any, rows: Any, **options: Any) -> Function:
    return sg.extract(sg.scan(step, start, rows, **options)[0])


def scans(function: Function) -> list[Node]:
    return [node for node in function.nodes if node.op.name == "scan"]


def values(function: Function, seed: int = 3, **sizes: int) -> list[Any]:
    """Inputs of the types that a Function takes, its symbols in the order of their first use."""
    draw = np.random.default_rng(seed)
    known: dict[Any, int] = {}
    left = list(sizes.values())
    made = []
    for value in function.inputs:
        shape = []
        for dim in value.type.shape or ():
            if not isinstance(dim, int):
                if dim not in known:
                    known[dim] = left.pop(0)
                dim = known[dim]
            shape.append(dim)
        made.append(draw.normal(size=shape).astype(value.type.dtype))
    return made


def same_values(before: Function, after: Function, inputs: list[Any]) -> None:
    for have, want in zip(run(after, inputs), run(before, inputs), strict=True):
        assert (have.dtype, have.shape) == (want.dtype, want.shape)
        np.testing.assert_allclose(have, want, rtol=1e-4, atol=1e-5)


def rows_of(*shape: int | None, name: str = "a", dtype: str = "float32") -> Tensor:
    return sg.placeholder(dtype, shape, name=name)


def transposed(c: Tensor, entry: Any) -> tuple[Tensor, None]:
    return c + sg.permute_dims(entry[0]) @ entry[1], None


# -- what it makes ----------------------------------------------------------------------------


def recurrent(length: int | None, batch: int | None = 4, **options: Any) -> Function:
    """Loss and gradients of a small recurrent net."""
    rows = rows_of(length, batch, 3, name="rows")
    w, u = rows_of(3, 5, name="w"), rows_of(5, 5, name="u")
    start = sg.zeros((4, 5)) if batch == 4 else rows_of(batch, 5, name="start")
    last = sg.scan(lambda h, row: (sg.tanh(row @ w + h @ u), None), start, rows, **options)[0]
    loss = sg.sum(last * last)
    return sg.extract([loss, *sg.gradients(loss, [w, u])])


@pytest.mark.parametrize("length", [6, None])
def test_the_weights_of_a_recurrent_net_get_one_product_each(length: int | None) -> None:
    before = recurrent(length)
    after = prune(narrow(applied(before, 2), Notes(evaluate)), Notes(evaluate))
    backward = scans(after)[-1]
    assert backward.attrs["reverse"]
    # The adjoint of the state is left, and what both products take is stacked once.
    assert (backward.attrs["carries"], len(backward.outputs)) == (1, 2)
    assert len(scans(before)[-1].outputs) == 3
    if length is None:
        check_golden("sum_of_products", before, after)
    for steps in (6,) if length else (0, 1, 6):
        same_values(before, after, values(before, length=steps))


def test_whatever_differentiation_makes_of_vectors_is_a_product() -> None:
    rows, w, u = rows_of(6, 3, name="rows"), rows_of(3, 5, name="w"), rows_of(5, 5, name="u")
    last = sg.scan(lambda h, row: (sg.tanh(row @ w + h @ u), None), sg.zeros((5,)), rows)[0]
    before = sg.extract(sg.gradients(sg.sum(last * last), [w, u]))
    after = applied(before, 2)
    (backward,) = [node for node in scans(after) if node.attrs["reverse"]]
    assert backward.attrs["carries"] == 1
    assert len([node for node in after.nodes if node.op.name == "matmul"]) == 2
    same_values(before, after, values(before))


def test_a_scan_that_does_nothing_else_goes() -> None:
    rows = (rows_of(7, 4, 3), rows_of(7, 4, 2, name="b"))
    before = summed(transposed, rows_of(3, 2, name="c"), rows, reverse=True)
    after = applied(before)
    assert not scans(after)
    assert [node.op.name for node in after.nodes] == [
        "reshape", "reshape", "permute_dims", "matmul", "add",
    ]  # fmt: skip
    same_values(before, after, values(before))


def test_sequences_that_may_differ_in_length_are_still_compared() -> None:
    rows = (rows_of(None, 4, 3), rows_of(None, 4, 2, name="b"))
    before = summed(transposed, rows_of(3, 2, name="c"), rows)
    applied(before, 0)


def test_no_steps_leave_the_start() -> None:
    rows = rows_of(None, 4, 3)
    before = summed(lambda c, row: transposed(c, (row, row)), rows_of(3, 3, name="c"), rows)
    after = applied(before)
    inputs = values(before, length=0)
    (start,) = [value for value in inputs if value.ndim == 2]
    assert_same_bits(run(after, inputs)[0], start)
    start[0] = -0.0
    assert_same_bits(abs(run(after, inputs)[0]), abs(start))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(data=st.data())
def test_sums_of_any_form_keep_their_value(data: st.DataObject) -> None:
    pick = lambda choices: data.draw(st.sampled_from(choices))  # noqa: E731
    length, batch = pick([None, 3]), pick([None, 1, 2])
    dtype = pick(["float32", "float64", "int32"])
    with sg.Graph().as_default():
        a, b = (rows_of(length, batch, 3, name=n, dtype=dtype) for n in ("a", "b"))
        state, c, d = (rows_of(3, 3, name=n, dtype=dtype) for n in ("state", "c", "d"))

        def factor(entries: Any, state: Tensor) -> Tensor:
            return pick([entries[0], entries[1], entries[0] + entries[1], entries[0] @ state])

        def product(entries: Any, state: Tensor) -> Tensor:
            if data.draw(st.booleans()):
                left, right = factor(entries, state), factor(entries, state)
                return sg.permute_dims(left) @ right
            vector = entries[2][0]
            row = vector if data.draw(st.booleans()) else vector + vector
            return sg.expand_dims(row, 1) @ sg.expand_dims(vector, 0)

        def plus(total: Tensor, part: Tensor) -> Tensor:
            return total + part if data.draw(st.booleans()) else part + total

        def step(carried: Any, entries: Any) -> Any:
            state, c, d = carried
            more = plus(c, product(entries, state))
            if data.draw(st.booleans()):
                more = plus(more, product(entries, state))
            moved = pick([state, state - sg.permute_dims(entries[2]) @ entries[2]])
            return (moved, more, plus(d, product(entries, state))), pick([state, entries[0]])

        fixed = rows_of(length, 2, 3, name="e", dtype=dtype)
        last, rows = sg.scan(step, (state, c, d), (a, b, fixed), reverse=data.draw(st.booleans()))
        before = sg.extract([*last, *([rows] if data.draw(st.booleans()) else [])])
    after = accumulate(before, Notes(evaluate))
    verify(after, "accumulate")
    assert accumulate(after, Notes(evaluate)) is after
    steps, size = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 3))
    draw = np.random.default_rng(5)
    inputs = []
    for value in before.inputs:
        shape = list(value.type.shape or ())
        if len(shape) == 3:
            shape[0] = length or steps
            shape[1] = 2 if value.name == "e" else batch or size
        inputs.append(draw.integers(-3, 4, shape).astype(dtype))
    # Small whole numbers add up to the same in any order.
    for have, want in zip(run(after, inputs), run(before, inputs), strict=True):
        assert (have.dtype, have.shape) == (want.dtype, want.shape)
        np.testing.assert_array_equal(have, want)


# -- what it leaves ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        lambda c, e: (c * 0.5 + sg.permute_dims(e[0]) @ e[1], None),
        lambda c, e: (c + sg.permute_dims(e[0]) @ e[1], c),
        lambda c, e: (c + c + sg.permute_dims(e[0]) @ e[1], None),
        lambda c, e: (c + sg.permute_dims(e[0]) @ (e[1] @ c), None),
        lambda c, e: (c - sg.permute_dims(e[0]) @ e[1], None),
        lambda c, e: (c + sg.sum(e[0]), None),
    ],
)
def test_what_is_more_than_a_sum_of_products_stays(step: Step) -> None:
    rows = (rows_of(7, 4, 3), rows_of(7, 4, 3, name="b"))
    applied(summed(step, rows_of(3, 3, name="c"), rows), 0)


def test_a_sum_that_each_step_shows_stays() -> None:
    rows = (rows_of(7, 4, 3), rows_of(7, 4, 3, name="b"))

    def step(c: Tensor, entry: Any) -> tuple[Tensor, Tensor]:
        more = transposed(c, entry)[0]
        return more, more

    totals = sg.scan(step, rows_of(3, 3, name="c"), rows)
    applied(sg.extract(list(totals)), 0)


def test_a_long_loop_that_keeps_nothing_of_its_steps_keeps_nothing() -> None:
    v = rows_of(8, 8, name="v")

    def step(carried: Any, i: Tensor) -> Any:
        x, c = carried
        x = sg.sin(x @ v) * sg.cast(i, "float32")
        return (x, c + sg.permute_dims(x) @ x), None

    starts = (rows_of(8, 8, name="x"), rows_of(8, 8, name="c"))
    for length, times in ((1_000_000, 0), (100, 1)):
        applied(summed(step, starts, sg.arange(length)), times)
    n = sg.placeholder("int64", (), name="n")
    applied(summed(step, starts, sg.arange(n)), 0)


def test_new_stacks_take_no_more_than_those_there_are() -> None:
    rows = rows_of(None, 4, 3)
    w = rows_of(3, 3, name="w")
    for wide, times in ((1, 1), (2, 0)):

        def step(c: Tensor, row: Tensor, wide: int = wide) -> tuple[Tensor, None]:
            made = sg.concat([sg.sin(row @ w)] * wide, axis=1)
            return c + sg.permute_dims(row) @ made, None

        applied(summed(step, rows_of(3, 3 * wide, name="c"), rows), times)


def test_a_scan_that_recomputes_keeps_its_sums() -> None:
    """The products of its segments would be those of all steps, and so would their stacks."""
    function = sg.optimize(list(recurrent_fetches(checkpoint_every=3)))
    backward = [n for n in scans(function) if n.attrs["recompute"] and n.attrs["reverse"]]
    assert backward
    assert all(node.attrs["carries"] == 3 for node in backward)


def recurrent_fetches(**options: Any) -> list[Tensor]:
    rows, w, u = rows_of(9, 4, 3, name="rows"), rows_of(3, 5, name="w"), rows_of(5, 5, name="u")
    step = lambda h, row: (sg.tanh(row @ w + h @ u), None)  # noqa: E731
    last = sg.scan(step, sg.zeros((4, 5)), rows, **options)[0]
    return sg.gradients(sg.sum(last * last), [w, u])


def test_what_may_change_its_shape_stays() -> None:
    rows = (rows_of(7, 4, 3), rows_of(7, 4, 3, name="b"))

    def step(c: Tensor, entry: Any) -> tuple[Tensor, None]:
        kept = entry[0][: sg.cast(sg.sum(entry[0]), "int64")]
        return c + sg.permute_dims(kept) @ kept, None

    applied(summed(step, rows_of(3, 3, name="c"), rows), 0)


def test_the_report_says_that_sums_are_reordered() -> None:
    report = sg.optimize(recurrent_fetches()).report
    assert report.rules[ACCUMULATED] == 2
    assert report.exactness[ACCUMULATED] == "sums reordered"
