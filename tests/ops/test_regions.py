"""What bodies share: captures, state, effects, randomness, scopes, and values that leak."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core.graph import Operation
from staticgraph.errors import FeedError, FetchError, GraphError, NumericsError, RunError
from staticgraph.passes.pipeline import PIPELINE

from .wording import message


def run(fetches: Any, feed: Any = None, **options: Any) -> Any:
    return sg.Session(seed=3, **options).run(fetches, feed)


# -- captures ---------------------------------------------------------------------------------


def test_bodies_capture_tensors_variables_and_constants() -> None:
    x, v = sg.placeholder("float32", (2,)), sg.Variable([1.0, 2.0])
    scale = sg.constant(3.0)
    array = np.array([10, 20], np.float32)
    _, y = sg.while_loop(
        lambda i, y: sg.logical_and(i < 3, sg.sum(x) < 100),
        lambda i, y: (i + 1, y + x * v * scale + array),
        [0, sg.zeros((2,))],
    )
    session = sg.Session()
    assert session.run(y, {x: [1, 2]}).tolist() == [39, 96]
    session.run(v.assign([0.0, 0.0]))
    assert session.run(y, {x: [1, 2]}).tolist() == [30, 60]


def test_a_captured_tensor_may_be_fed() -> None:
    x = sg.placeholder("float32", ())
    middle = x * 2.0
    y = sg.fori_loop(0, 3, lambda i, t: t + middle, 0.0)
    assert run(y, {x: 1}) == 6
    assert run(y, {middle: 5}) == 15


def test_a_body_returns_what_it_captures() -> None:
    x = sg.placeholder("float32", ())
    y = sg.fori_loop(0, 3, lambda i, t: x, 0.0)
    assert run(y, {x: 7}) == 7
    (a, b), ys = sg.scan(lambda c, i: ((c[1], c[0]), (x, c[0])), (1.0, 2.0), length=3)
    have = run([a, b, ys], {x: 7})
    assert have[:2] == [2, 1]
    assert [row.tolist() for row in have[2]] == [[7, 7, 7], [1, 2, 1]]


def test_several_threads_run_one_loop() -> None:
    x = sg.placeholder("float64", ())
    count = sg.Variable(0)
    _, y = sg.while_loop(lambda i, y: i < 50, lambda i, y: (i + 1, sg.sin(y + x)), [0, x])
    bump = sg.fori_loop(0, 3, lambda i, _: count.assign_add(1), None)
    session, alone = sg.Session(), sg.Session()
    inputs = [[number + step / 7 for step in range(20)] for number in range(4)]
    expected = {value: alone.run(y, {x: value}) for values in inputs for value in values}

    def plain(x: float) -> float:
        y = x
        for _ in range(50):
            y = np.sin(y + x)
        return y

    for value, result in expected.items():
        np.testing.assert_allclose(result, plain(value), rtol=1e-12)
    failures: list[Any] = []

    def work(number: int) -> None:
        for value in inputs[number]:
            if session.run([y, bump], {x: value})[0] != expected[value]:
                failures.append(value)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert session.run(count) == 4 * 20 * 3


def test_a_finalized_graph_runs_loops_and_takes_no_new_ones() -> None:
    y = sg.fori_loop(0, 3, lambda i, t: t + 2, 0)
    sg.get_default_graph().finalize()
    assert run(y) == 6
    with pytest.raises(GraphError) as caught:
        sg.while_loop(lambda i: i < 3, lambda i: i + 1, y)
    assert message(caught) == (
        "while_loop: the graph is finalized and takes no more operations\n"
        "  build everything before finalize(), outside the training loop, and feed what changes\n"
        "  at {here}: {line}"
    )


def test_names_and_scopes_in_bodies() -> None:
    names: list[str] = []

    def body(i: Any) -> Any:
        with sg.name_scope("step"):
            new = sg.add(i, 1, name="next")
        names.append(new.name)
        return new

    with sg.name_scope("outer"):
        y = sg.while_loop(lambda i: i < 3, body, 0, name="loop")
    assert names == ["step/next"]
    assert y.name == "outer/loop"
    assert sg.add(y, 1, name="next").name == "next"
    assert run(y) == 3


# -- state ------------------------------------------------------------------------------------


def test_an_assign_in_a_branch() -> None:
    p, v = sg.placeholder("bool", ()), sg.Variable(1.0)
    y = sg.cond(p, lambda: v.assign(v * 10.0), lambda: v)
    session = sg.Session()
    assert session.run([y, v], {p: False}) == [1, 1]
    assert session.run([y, v], {p: True}) == [10, 1]
    assert session.run(v) == 10


def test_a_counter_in_a_loop_sees_every_iteration() -> None:
    count, seen = sg.Variable(100), sg.Variable([0, 0, 0, 0])

    def step(i: Any, total: Any) -> Any:
        now = count.assign_add(1)
        with sg.control_dependencies([now]):
            later = count.read()
        return i + 1, total + later

    i, total = sg.while_loop(lambda i, total: i < 4, step, [0, 0])
    session = sg.Session()
    assert session.run([i, total]) == [4, 101 + 102 + 103 + 104]
    assert session.run(count) == 104
    carry, reads = sg.scan(lambda c, x: (None, (count.assign_add(x), count)[1]), None, sg.arange(4))
    assert session.run(reads).tolist() == [104, 104, 105, 107]
    assert session.run(count) == 110
    assert (carry, session.run(seen).tolist()) == (None, [0, 0, 0, 0])


def test_the_condition_sees_what_the_body_assigned() -> None:
    v = sg.Variable(1)
    i = sg.while_loop(lambda i: v < 100, lambda i: (v.assign(v * 2), i + 1)[1], 0)
    session = sg.Session()
    assert session.run(i) == 7
    assert session.run(v) == 128
    assert session.run(i) == 0


def test_nested_loops_assign_two_variables() -> None:
    rows, cells = sg.Variable(0), sg.Variable(0)

    def row(i: Any, t: Any) -> Any:
        rows.assign_add(1)

        def cell(j: Any, t: Any) -> Any:
            return t + sg.cond(i == j, lambda: cells.assign_add(i), lambda: cells)

        return sg.fori_loop(0, 3, cell, t)

    total = sg.fori_loop(0, 4, row, 0)
    session = sg.Session()
    plain, n = 0, 0
    for i in range(4):
        for j in range(3):
            n += i if i == j else 0
            plain += n
    assert session.run(total) == plain
    assert session.run([rows, cells]) == [4, n]


def test_a_loop_for_its_effect() -> None:
    v = sg.Variable(1.0)
    loop = sg.fori_loop(0, 3, lambda i, _: v.assign(v * 2.0), None)
    each = sg.map_fn(lambda x: sg.group(v.assign_add(x)), sg.constant([1.0, 2.0]))
    nothing, scanned = sg.scan(lambda c, x: (v.assign_sub(1.0), (None, None))[1], None, length=2)
    assert nothing is None
    session = sg.Session()
    for effect, value in ((loop, 8), (each, 11), (scanned, 9)):
        assert isinstance(effect, Operation)
        assert session.run(effect) is None
        assert session.run(v) == value


def test_a_failure_in_a_later_iteration_commits_nothing() -> None:
    v, w = sg.Variable(0), sg.Variable([0, 0])
    n = sg.placeholder("int64", ())

    def step(i: Any, t: Any) -> Any:
        w.assign(w + 1)
        with sg.control_dependencies([sg.assert_true(i < 3, "three is too many", [i])]):
            return v.assign_add(10) + t

    total = sg.fori_loop(0, n, step, 0)
    session = sg.Session()
    with pytest.raises(RunError) as caught:
        session.run(total, {n: 4})
    assert message(caught) == (
        "assert_true: three is too many\n"
        "  condition 'less'  bool[]  less at {-6}\n"
        "  data[0] 'i'  int64[]  carry at {-3}\n"
        "  data[0] is 3\n"
        '  created at {-6}: with sg.control_dependencies([sg.assert_true(i < 3, "three is too '
        'many", [i])]):'
    )
    assert session.run(v) == 0
    assert session.run(w).tolist() == [0, 0]
    assert session.run(total, {n: 3}) == 60
    assert session.run(v) == 30
    assert session.run(w).tolist() == [3, 3]


def test_what_precedes_a_construct_is_what_it_starts_from() -> None:
    v = sg.Variable(0)
    bumped = v.assign_add(1)
    reset = sg.cond(bumped >= 3, lambda: v.assign(0), lambda: bumped)
    session = sg.Session()
    assert [int(session.run(reset)) for _ in range(7)] == [1, 2, 0, 1, 2, 0, 1]
    assert session.run(v) == 1


def test_a_body_waits_for_an_operation_around_it() -> None:
    v = sg.Variable(1)
    first = v.assign(5)

    def step(i: Any, t: Any) -> Any:
        with sg.control_dependencies([first]):
            return t + v.read()

    total = sg.fori_loop(0, 2, step, 0)
    session = sg.Session()
    assert session.run(total) == 10
    assert session.run(v) == 5
    ordered = sg.fori_loop(0, 2, lambda i, t: t + v.assign_add(1), 0)
    with sg.control_dependencies([ordered]):
        after = v.assign(v * 100)
    assert session.run([ordered, after]) == [13, 700]
    assert session.run(v) == 700


def test_a_deeper_body_waits_for_an_operation_around_both() -> None:
    v = sg.Variable(1)
    first = sg.group(v.assign(5))

    def step(i: Any, t: Any) -> Any:
        def inner() -> Any:
            with sg.control_dependencies([first]):
                return v + 0

        return sg.cond(i > 0, inner, lambda: 0) + t

    session = sg.Session()
    assert session.run(sg.fori_loop(0, 3, step, 0)) == 10
    assert session.run(v) == 5


def test_assigns_inside_and_outside_need_an_order() -> None:
    v = sg.Variable(1, name="v")
    outside = v.assign_add(1)
    inside = sg.fori_loop(0, 2, lambda i, t: t + v.assign_add(1), 0)
    session = sg.Session()
    with pytest.raises(GraphError) as caught:
        session.run([outside, inside])
    assert message(caught) == (
        "run: two assigns to variable 'v' have no order\n"
        "  first  'assign_add' at {-4}: outside = v.assign_add(1)\n"
        "  second 'assign' at {-3}: inside = sg.fori_loop(0, 2, lambda i, t: t + v.assign_add(1), "
        "0)\n"
        "  variable 'v' at {-5}: v = sg.Variable(1, name=\"v\")\n"
        "  order them: make the second under control_dependencies on the first, or let it take "
        "the first's result as its operand\n"
        "  at {here}: {line}"
    )
    assert session.run(v) == 1


def test_assigns_in_one_body_need_an_order() -> None:
    v = sg.Variable(1, name="v")

    def body(i: Any, t: Any) -> Any:
        return t + v.assign_add(1) * v.assign_add(2)

    with pytest.raises(GraphError) as caught:
        sg.fori_loop(0, 2, body, 0)
    assert message(caught) == (
        "run: two assigns to variable 'v' have no order\n"
        "  first  'assign_add' at {-3}: return t + v.assign_add(1) * v.assign_add(2)\n"
        "  second 'assign_add_1' at {-3}: return t + v.assign_add(1) * v.assign_add(2)\n"
        "  variable 'v' at {-6}: v = sg.Variable(1, name=\"v\")\n"
        "  order them: make the second under control_dependencies on the first, or let it take "
        "the first's result as its operand\n"
        "  at {here}: {line}"
    )


def test_only_a_body_assigns_in_a_while() -> None:
    v = sg.Variable(1, name="v")
    with pytest.raises(GraphError) as caught:
        sg.while_loop(lambda i: v.assign_add(1) < 5, lambda i: i + 1, 0)
    assert message(caught) == (
        "while_loop: the cond of while_loop assigns to variable 'v'\n"
        "  only the body of a loop may change state; assign there\n"
        "  at {here}: {line}"
    )


def test_nothing_is_declared_in_a_body() -> None:
    for declare, given in (
        (sg.placeholder, ("float32", ())),
        (sg.Variable, (1.0,)),
        (sg.placeholder_with_default, (1.0,)),
    ):
        with pytest.raises(GraphError) as caught:
            sg.cond(True, lambda: declare(*given) * 1.0, lambda: 2.0)  # noqa: B023
        assert message(caught) == (
            f"{declare.__name__}: cannot be made inside the branch of cond\n"
            "  make it before, outside; the body may use it\n"
            "  at {here}: {line}"
        )


# -- values that leave a body -----------------------------------------------------------------


def leaked(value: Any) -> Any:
    """What a loop body computed, taken out through Python."""
    kept: list[Any] = []
    sg.while_loop(lambda i: i < 3, lambda i: (kept.append(i * 2), i + 1)[1], value)
    return kept[-1]


def test_a_tensor_made_inside_a_body_is_used_outside() -> None:
    inner = leaked(0)
    with pytest.raises(GraphError) as caught:
        sg.negative(inner)
    assert message(caught) == (
        "negative: 'multiply' was made inside the body of while_loop and is used outside of it\n"
        "  'multiply'  int64[]  multiply at {-7}\n"
        "  a value leaves a body only as one of its results: return it, as a further loop variable "
        "or output\n"
        "  created at {here}: {line}"
    )


def test_a_tensor_made_inside_a_body_is_used_in_another() -> None:
    inner = leaked(0)
    for build in (
        lambda: sg.cond(True, lambda: inner, lambda: 2),
        lambda: sg.cond(True, lambda: inner + 1, lambda: 2),
        lambda: sg.cond(True, lambda: sg.constant(1) + inner, lambda: 2),
        lambda: sg.while_loop(lambda i: i < inner, lambda i: i + 1, 0),
        lambda: sg.while_loop(lambda i: i < 3, lambda i: i + 1, inner),
        lambda: sg.constant(1) + inner,
        lambda: sg.fori_loop(0, inner, lambda i, x: x, 0),
    ):
        with pytest.raises(GraphError) as caught:
            build()
        assert (
            "'multiply' was made inside the body of while_loop and is used outside of it\n"
        ) in str(caught.value)


def test_a_tensor_of_a_body_cannot_be_fetched_fed_or_waited_for() -> None:
    inner = leaked(0)
    session = sg.Session()
    with pytest.raises(FetchError) as caught:
        session.run(inner)
    assert message(caught) == (
        "run: the fetch was made inside the body of while_loop\n"
        "  'multiply'  int64[]  multiply at {-39}\n"
        "  a value leaves a body only as one of its results: return it, as a further loop variable "
        "or output\n"
        "  at {here}: {line}"
    )
    with pytest.raises(FeedError) as caught:
        session.run(sg.constant(1), {inner: 2})
    assert message(caught) == (
        "run: a feed key was made inside the body of while_loop\n"
        "  'multiply'  int64[]  multiply at {-48}\n"
        "  it is another value in each run of the body: feed what the body takes from outside\n"
        "  at {here}: {line}"
    )
    with pytest.raises(GraphError) as caught, sg.control_dependencies([inner]):
        pass
    assert message(caught) == (
        "control_dependencies: 'multiply' was made inside the body of while_loop and is awaited "
        "outside of it\n"
        "  'multiply'  multiply at {-55}\n"
        "  wait for a result of the loop or branch instead\n"
        "  at {here}: {line}"
    )


def test_a_body_that_fails_leaves_the_graph_as_usable_as_before() -> None:
    x = sg.placeholder("float32", ())

    def inner(t: Any) -> Any:
        raise KeyError("by the user")

    with pytest.raises(KeyError):
        sg.fori_loop(0, 3, lambda i, t: sg.cond(t > 0, lambda: inner(t), lambda: t), x)
    y = sg.fori_loop(0, 3, lambda i, t: t + x, 0.0)
    assert y.graph is sg.get_default_graph()
    assert run(y, {x: 2}) == 6


# -- effects in bodies ------------------------------------------------------------------------


def test_prints_run_in_each_iteration_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    def body(i: Any) -> Any:
        sg.print(i, "a")
        sg.print(i * i, "b")
        return i + 1

    assert run(sg.while_loop(lambda i: sg.print(i, "?") < 3, body, 1)) == 3
    assert capsys.readouterr().out == "?1\na1\nb1\n?2\na2\nb4\n?3\n"


def test_check_numerics_names_the_line_in_a_body() -> None:
    x = sg.placeholder("float32", ())
    y = sg.fori_loop(0, 5, lambda i, t: sg.log(t), x)
    with pytest.raises(NumericsError) as caught:
        run(y, {x: 1.0}, check_numerics=True)
    assert message(caught) == (
        "log: made 1 inf from finite operands\n"
        "  x 't'  float32[]  carry at {-2}\n"
        "  'log' is -inf\n"
        "  there the operands are 0.0\n"
        "  guard the operand, for example with sg.where or sg.clip\n"
        "  created at {-2}: y = sg.fori_loop(0, 5, lambda i, t: sg.log(t), x)"
    )
    assert np.isnan(run(y, {x: 1.0}))


# -- random numbers ---------------------------------------------------------------------------


def draws() -> tuple[Any, Any]:
    _, flat = sg.scan(lambda c, x: (None, sg.random.uniform((2,))), None, length=4)

    def row(c: Any, x: Any) -> Any:
        here = sg.random.normal()
        _, cells = sg.scan(lambda c, x: (None, sg.random.normal()), None, length=3)
        return None, (here, cells)

    return flat, sg.scan(row, None, length=4)[1]


def test_every_iteration_draws_other_numbers() -> None:
    flat, (rows, cells) = draws()
    session = sg.Session(seed=5)
    a, b, c = session.run([flat, rows, cells])
    values = [*a.ravel(), *b.ravel(), *c.ravel()]
    assert len(set(values)) == 8 + 4 + 12
    again = session.run([flat, rows, cells])
    assert not set(np.concatenate([x.ravel() for x in again])) & set(values)
    same = sg.Session(seed=5).run([flat, rows, cells])
    for have, want in zip(same, (a, b, c), strict=True):
        assert have.tolist() == want.tolist()


def test_draws_do_not_depend_on_the_optimizer(monkeypatch: pytest.MonkeyPatch) -> None:
    flat, (rows, cells) = draws()
    want = sg.Session(seed=5).run([flat, rows, cells])
    optional = [step.name for step in PIPELINE if not step.required]
    monkeypatch.setenv("STATICGRAPH_DISABLE", ",".join(optional))
    have = sg.Session(seed=5).run([flat, rows, cells])
    for a, b in zip(have, want, strict=True):
        assert a.tolist() == b.tolist()


def test_draws_of_a_while_and_its_condition() -> None:
    total = sg.while_loop(
        lambda i, s: sg.random.uniform() < 0.9, lambda i, s: (i + 1, s + sg.random.uniform()),
        [0, 0.0],
    )  # fmt: skip
    counts = {int(sg.Session(seed=seed).run(total)[0]) for seed in range(20)}
    assert len(counts) > 3


def test_numbers_do_not_depend_on_how_often_a_body_is_traced() -> None:
    x = sg.constant(np.float64(1.0))
    first = sg.fori_loop(0, 3, lambda i, t: t + x * sg.random.uniform(dtype="float64"), 0.0)
    after = sg.random.uniform()
    with sg.Graph().as_default():
        x = sg.constant(np.float64(1.0))
        start = sg.constant(np.float64(0.0))
        second = sg.fori_loop(0, 3, lambda i, t: t + x * sg.random.uniform(dtype="float64"), start)
        later = sg.random.uniform()
        want = run([second, later])
    assert run([first, after]) == want


# -- derivatives inside of bodies -------------------------------------------------------------


def test_newton_steps_with_derivatives_taken_in_the_body() -> None:
    a = sg.placeholder("float64", ())

    def step(i: Any, x: Any) -> Any:
        f = x * x * x - a
        (slope,) = sg.gradients(f, x)
        return i + 1, x - f / slope

    _, root = sg.while_loop(lambda i, x: i < 30, step, [0, a])
    assert abs(run(root, {a: 10.0}) - 10 ** (1 / 3)) < 1e-12

    def forward(i: Any, x: Any) -> Any:
        f = x * x - a
        (slope,) = sg.jvp(f, x, sg.ones((), "float64"))
        return x - f / slope

    assert abs(run(sg.fori_loop(0, 30, forward, a), {a: 10.0}) - 10**0.5) < 1e-12


def test_gradient_descent_on_a_variable_inside_a_loop() -> None:
    w = sg.Variable([5.0, -3.0])
    target = sg.constant([1.0, 2.0])

    def step(i: Any, _: Any) -> None:
        loss = sg.sum(sg.square(w - target))
        (g,) = sg.gradients(loss, w)
        w.assign_sub(0.25 * g)

    train = sg.fori_loop(0, 40, step, None)
    session = sg.Session()
    session.run(train)
    np.testing.assert_allclose(session.run(w), [1, 2], rtol=1e-6)


def test_stop_gradient_and_custom_gradient_in_a_body() -> None:
    @sg.custom_gradient
    def clipped(x: Any) -> Any:
        return x * 1.0, lambda adjoint: sg.clip(adjoint, -1.0, 1.0)

    x = sg.constant(2.0)
    y = sg.fori_loop(0, 2, lambda i, t: clipped(3.0 * t) + sg.stop_gradient(t), x)
    assert run(y) == 32.0
    (g,) = sg.gradients(y, x)
    assert run(g) == 3.0


# -- Python numbers in nested constructs ------------------------------------------------------


def test_a_number_takes_its_dtype_from_the_innermost_body() -> None:
    x = sg.constant(np.float64(0.1))

    def nested(depth: int, start: Any) -> Any:
        if depth == 0:
            return start + x
        return sg.fori_loop(0, 2, lambda i, t: nested(depth - 1, t), start)

    y = nested(5, 0)
    assert y.dtype == np.float64
    want = 0.0
    for _ in range(32):
        want += 0.1
    assert run(y) == want


def test_a_number_takes_its_dtype_through_branches() -> None:
    xs = sg.constant(np.array([1.0, -2.0, 4.0]))
    total, kept = sg.scan(
        lambda c, x: (sg.cond(x > 0, lambda: c + x, lambda: c), c), 0.0, xs
    )  # fmt: skip
    assert (total.dtype, kept.dtype) == (np.float64, np.float64)
    assert run(total) == 5
    total, _ = sg.scan(
        lambda c, x: (sg.switch_case(c % 2, [lambda: c, lambda: 1]) + 1, None), 0, xs
    )
    assert (total.dtype, run(total)) == (np.int64, 3)
    total = sg.fori_loop(0, 3, lambda i, c: sg.cond(i > 0, lambda: 0.5, lambda: c), 0)
    assert (total.dtype, run(total)) == (np.float32, 0.5)


def test_what_is_computed_from_numbers_alone_is_one() -> None:
    xs = sg.constant(np.array([1.0, -2.0, 4.0]))
    total, _ = sg.scan(
        lambda c, x: (sg.cond(x > 0, lambda: c + x, lambda: 0.5 * c - 1), None), 0.0, xs
    )
    assert (total.dtype, run(total)) == (np.float64, 3.5)
    total, _ = sg.scan(
        lambda c, x: (sg.fori_loop(0, 2, lambda i, t: t + x, 2.0 * c), None), 0.0, xs
    )
    assert (total.dtype, run(total)) == (np.float64, 8.0)
    with pytest.raises(sg.errors.DTypeError) as caught:
        sg.scan(lambda c, x: (sg.cond(x > 0, lambda: c + x, lambda: c < 1), None), 0.0, xs)
    assert message(caught) == (
        "cond: true_fn and false_fn return different dtypes for the result\n"
        "  true_fn: 'add'  float64[]  add at {here}\n"
        "  false_fn: 'less'  bool[]  less at {here}\n"
        "  convert one of them with sg.cast\n"
        "  at {here}: {line}"
    )


def test_a_tensor_keeps_its_dtype_in_nested_constructs() -> None:
    x, start = sg.constant(np.float64(0.1)), sg.constant(np.float32(0.0))
    with pytest.raises(sg.errors.DTypeError) as caught:
        sg.fori_loop(0, 2, lambda i, t: sg.fori_loop(0, 2, lambda j, s: s + x, t), start)
    assert message(caught) == (
        "fori_loop: the loop variable changes its dtype in the body\n"
        "  it starts as 't'  float32[]  carry at {here}\n"
        "  the body returns 'add'  float64[]  add at {here}\n"
        "  convert it in the body, sg.cast(x, 'float32'), or start from a value of float64\n"
        "  at {here}: {line}"
    )
