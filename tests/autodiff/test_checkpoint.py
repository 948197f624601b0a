"""scan(checkpoint_every=k): equal results, of which a derivative keeps far fewer carries."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core.function import Function
from staticgraph.errors import GraphError, RunError, ShapeError
from tests.growth import memory

RANDOM = np.random.default_rng(3)
WEIGHTS, ROWS, START = RANDOM.normal(size=(3, 3)) / 2, RANDOM.normal(size=(11, 3)), np.ones(3)


def build(length: Any, **options: Any) -> tuple[dict[str, Any], dict[sg.Tensor, Any]]:
    """Values and derivatives of a scan over `length` rows, and what to feed."""
    x = sg.placeholder("float64", (length, 3), name="x")
    w = sg.placeholder("float64", (3, 3), name="w")
    start = sg.placeholder("float64", (3,), name="start")

    def step(carry: sg.Tensor, row: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
        new = sg.tanh(carry @ w + row)
        return new, new * carry

    last, ys = sg.scan(step, start, x, **options)
    loss = sg.sum(last * last) + sg.sum(ys**3)
    slopes = sg.gradients(loss, [x, w, start])
    length_of_slopes = sum(sg.sum(slope * slope) for slope in slopes)
    made = {
        "last": last,
        "ys": ys,
        "slopes": slopes,
        "tangent": sg.jvp(loss, [w, x], [1.0, 0.5]),
        "second": sg.gradients(length_of_slopes, [x, w, start]),
    }
    return made, {x: ROWS, w: WEIGHTS, start: START}


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    return list(itertools.chain(*map(leaves, value))) if isinstance(value, list) else [value]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("length", [0, 1, 2, 9, 11])
def test_results_are_those_of_a_plain_scan(
    length: int, known: bool, reverse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One product per segment adds up in another order than one over all steps.
    monkeypatch.setenv("STATICGRAPH_DISABLE", "accumulate")
    plain = results(None, "reference", length, known, reverse)
    for every in (1, 2, 3, 20, "sqrt"):
        divided = results(every, "reference", length, known, reverse)
        for name, value in plain.items():
            for want, have in zip(leaves(value), leaves(divided[name]), strict=True):
                if name == "second":
                    # Sums over all steps: the order of the parts is another one.
                    np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-12)
                else:
                    np.testing.assert_array_equal(have, want, err_msg=f"{name} {every}")


@pytest.mark.parametrize(
    ("length", "known", "reverse"),
    [(0, True, False), (2, False, False), (11, False, True)],
)
def test_results_in_machine_code(length: int, known: bool, reverse: bool) -> None:
    """Other loops are other kernels, and a sum in another order rounds differently."""
    plain = results(None, "reference", length, known, reverse)
    for every in (1, 3, "sqrt"):
        divided = results(every, "native", length, known, reverse)
        for name, value in plain.items():
            relative = 1e-12 if name == "second" else 1e-14
            for want, have in zip(leaves(value), leaves(divided[name]), strict=True):
                np.testing.assert_allclose(have, want, rtol=relative, atol=relative, err_msg=name)


def results(every: Any, backend: Any, length: int, known: bool, reverse: bool) -> dict[str, Any]:
    """Values and derivatives of a scan with and without checkpoints."""
    with sg.Graph().as_default():
        made, feed = build(length if known else None, reverse=reverse, checkpoint_every=every)
        rows = next(iter(feed))
        found: dict[str, Any] = sg.Session(backend=backend).run(made, {**feed, rows: ROWS[:length]})
        return found


def test_types_are_those_of_a_plain_scan() -> None:
    for every in (None, 2, "sqrt"):
        x = sg.placeholder("float32", ("steps", None, 3))
        last, ys = sg.scan(lambda c, row: (c, row * c), 2.0, x, checkpoint_every=every)
        assert (last.shape, ys.shape) == ((), ("steps", None, 3))


def test_several_sequences_and_nested_carries() -> None:
    def found(every: Any) -> Any:
        xs = {"a": sg.constant(np.arange(7.0)), "k": sg.constant(np.arange(7))}

        def step(carry: Any, x: Any) -> Any:
            new = {"s": carry["s"] + x["a"], "n": carry["n"] + x["k"]}
            return new, (new["s"] * 2.0, new["n"])

        init = {"s": np.float64(1.0), "n": 0}
        last, ys = sg.scan(step, init, xs, checkpoint_every=every)
        return sg.Session().run([last, ys, sg.gradients(last["s"], xs["a"])])

    want, have = found(None), found(3)
    assert want[0] == have[0]
    for a, b in zip(leaves(list(want[1])), leaves(list(have[1])), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(want[2][0], have[2][0])


def test_assigns_and_random_numbers_are_those_of_a_plain_scan() -> None:
    def found(every: Any) -> Any:
        with sg.Graph().as_default():
            count = sg.Variable(0, name="count")
            x = sg.placeholder("float64", (), name="x")

            def step(carry: Any, _: Any) -> Any:
                noise = sg.random.normal((), dtype="float64")
                with sg.control_dependencies([count.assign_add(1)]):
                    return sg.sin(carry * x + noise), noise

            last, noises = sg.scan(step, x, length=7, checkpoint_every=every)
            session = sg.Session(seed=5)
            found = session.run([last, noises, sg.gradients(last, x)], {x: 0.7})
            return [*found, session.run(count)]

    want, have = found(None), found("sqrt")
    for a, b in zip(leaves(want), leaves(have), strict=True):
        np.testing.assert_array_equal(a, b)
    assert want[-1] == 7
    assert len(set(want[1])) == 7


def test_scans_with_checkpoints_nest() -> None:
    def found(every: Any) -> Any:
        x = sg.constant(0.3, "float64")

        def outer(carry: Any, _: Any) -> Any:
            inner = lambda c, _: (sg.sin(c * x + 0.5), c)  # noqa: E731
            last, ys = sg.scan(inner, carry, length=6, checkpoint_every=every)
            return last + sg.sum(ys), last

        last, ys = sg.scan(outer, x, length=5, checkpoint_every=every)
        slope = sg.gradients(last * sg.sum(ys), x)
        return sg.Session().run([slope, sg.gradients(slope, x)])

    np.testing.assert_allclose(found("sqrt"), found(None), rtol=1e-12)


def kept(function: Function) -> int:
    """The number of floats in the stacks that the loops of a Function hand to others."""
    return sum(
        math.prod(dim for dim in value.type.shape or () if isinstance(dim, int))
        for node in function.nodes
        if node.op.name == "scan"
        for value in node.outputs[node.attrs["carries"] :]
    )


def long_scan(every: Any, steps: int, width: int) -> tuple[sg.Tensor, sg.Tensor]:
    """The slope of a scan with a wide carry, and its x."""
    x = sg.placeholder("float64", (width,), name="x")
    step = lambda carry, _: (sg.sin(carry * x), None)  # noqa: E731
    last, _ = sg.scan(step, x, length=steps, checkpoint_every=every)
    return sg.gradients(sg.sum(last), x)[0], x


def test_stacks_hold_the_carries_between_segments() -> None:
    width = 10
    plain, _ = long_scan(None, 10_000, width)
    assert kept(sg.extract(plain)) == 10_000 * width
    for every, segments, left in ((100, 100, 0), ("sqrt", 100, 0), (300, 33, 100)):
        divided, _ = long_scan(every, 10_000, width)
        assert kept(sg.extract(divided)) == (segments + left) * width


def test_memory_of_ten_thousand_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATICGRAPH_CHECK", "0")
    width, peaks, slopes = 100, [], []
    for every in (None, "sqrt"):
        slope, x = long_scan(every, 10_000, width)
        call = sg.Session(backend="reference").make_callable(slope, [x])
        tracemalloc.start()
        slopes.append(call(np.linspace(0.5, 1.5, width)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    np.testing.assert_array_equal(*slopes)
    stack = 10_000 * width * 8
    assert peaks[0] > stack
    assert peaks[1] < stack / 8


def test_memory_of_ten_thousand_steps_in_machine_code() -> None:
    width = 100
    stack = 10_000 * width * 8
    point = np.linspace(0.5, 1.5, width)
    slopes = []
    for every, enough in ((None, 2 * stack), ("sqrt", stack // 8)):
        slope, x = long_scan(every, 10_000, width)
        slopes.append(sg.Session(memory_limit=enough).run(slope, {x: point}))
    np.testing.assert_allclose(*slopes, rtol=1e-13)
    slope, x = long_scan(None, 10_000, width)
    with pytest.raises(RunError, match="there is not enough memory"):
        sg.Session(memory_limit=stack).run(slope, {x: point})


def test_memory_of_a_loop_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gradient keeps the rows of all inner loops, or those of one segment."""
    monkeypatch.setenv("STATICGRAPH_CHECK", "0")
    width, outer, inner = 100, 100, 20
    rows = []
    for every in (None, 10):
        x = sg.placeholder("float64", (width,), name="x")
        turn = lambda v, _: (sg.sin(v * x), None)  # noqa: E731, B023
        step = lambda v, _: (sg.scan(turn, v, length=inner)[0], None)  # noqa: E731, B023
        last, _ = sg.scan(step, x, length=outer, checkpoint_every=every)
        (slope,) = sg.gradients(sg.sum(last), x)
        call = sg.Session(backend="reference").make_callable(slope, [x])
        point = np.linspace(0.5, 1.5, width)
        rows.append(memory(lambda call=call, point=point: call(point)) / (8 * width))
    assert rows[0] > outer * inner
    # A segment of ten steps is stacked twice while its inner stacks are put together.
    assert rows[1] < 3 * 10 * inner


@pytest.mark.parametrize("every", [0, -2, 2.0, True, "root"])
def test_an_interval_that_is_none(every: Any) -> None:
    with pytest.raises(GraphError) as caught:
        sg.scan(lambda c, x: (c, x), 0.0, sg.constant([1.0]), checkpoint_every=every)
    line = caught.value.args[0].splitlines()[-1]
    assert caught.value.args[0] == (
        f"scan: checkpoint_every={every!r} is no number of steps\n"
        "  give an int above 0, or 'sqrt' for the square root of the number of steps\n" + line
    )
    assert line.startswith("  at ")
    assert "test_checkpoint.py" in line


def test_a_sequence_of_unknown_rank() -> None:
    x = sg.placeholder("float32", name="x")
    with pytest.raises(ShapeError) as caught:
        sg.scan(lambda c, row: (c, row), 0.0, x, checkpoint_every=2)
    lines = caught.value.args[0].splitlines()
    assert lines[0] == "scan: checkpoint_every divides the sequences, and one has an unknown rank"
    assert lines[1].startswith("  'x'  float32[...]  placeholder at ")
    assert lines[2] == (
        "  give the placeholder a shape, with None for sizes that only the run knows"
    )
    assert lines[3].startswith("  at ")
    assert len(lines) == 4
