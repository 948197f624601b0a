"""Variables: what a read sees, what a run commits, and that it commits all or none."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import staticgraph as sg
from tests.messages import whole


def test_reads_see_the_start_of_the_run_unless_ordered_behind_an_assign() -> None:
    v = sg.Variable(1.0, name="v")
    before = v * 1.0
    assigned = v.assign(10.0)
    through_operand = assigned + 1.0
    with sg.control_dependencies([assigned]):
        after = v.read()
        implicit = v + 0.5
    session = sg.Session()
    assert session.run([before, assigned, through_operand, after, implicit]) == [
        1.0, 10.0, 11.0, 10.0, 10.5,
    ]  # fmt: skip
    assert session.run(v) == 10.0


def test_assigns_in_a_chain_commit_the_last() -> None:
    v = sg.Variable(1.0)
    first = v.assign_add(1.0)
    with sg.control_dependencies([first]):
        second = v.assign(v * 10.0)
    session = sg.Session()
    assert session.run([second, first]) == [20.0, 2.0]
    assert session.run(v) == 20.0


def test_unordered_assigns_are_refused_and_change_nothing() -> None:
    v = sg.Variable(1.0, name="v")
    a = v.assign(2.0)
    b = v.assign_add(3.0)
    session = sg.Session()
    with pytest.raises(sg.GraphError) as info:
        session.run([a, b])
    assert whole(info, a=a, b=b, v=v) == (
        "run: two assigns to variable 'v' have no order\n"
        "  first  'assign' at <a>\n"
        "  second 'assign_add' at <b>\n"
        "  variable 'v' at <v>\n"
        "  order them: make the second under control_dependencies on the first, or let it take the "
        "first's result as its operand\n"
        "  at <here>"
    )
    assert session.run(v) == 1.0
    assert session.run(a) == 2.0


def test_a_failing_run_commits_nothing() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    v, w = sg.Variable(1.0, name="v"), sg.Variable([1.0, 2.0], name="w")
    good = v.assign_add(1.0)
    bad = w.assign(x * w)
    session = sg.Session()
    with pytest.raises(sg.ShapeError):
        session.run([good, bad], {x: [1.0, 2.0, 3.0]})
    assert session.run(v) == 1.0
    session.run([good, bad], {x: [2.0, 2.0]})
    np.testing.assert_array_equal(session.run(w), [2.0, 4.0])
    assert session.run(v) == 2.0


def test_a_failed_assertion_commits_nothing_and_shows_the_data() -> None:
    x = sg.placeholder("float32", (), name="x")
    v = sg.Variable(1.0)
    positive = sg.assert_true(x > 0, "x must be positive", [x])
    with sg.control_dependencies([positive]):
        step = v.assign(sg.log(x))
    session = sg.Session()
    with pytest.raises(sg.RunError) as info:
        session.run(step, {x: -1.0})
    assert whole(info, x=x, p=positive, g=positive.inputs[0]) == (
        "assert_true: x must be positive\n"
        "  condition 'greater'  bool[]  greater at <p>\n"
        "  data[0] 'x'  float32[]  feed at <x>\n"
        "  data[0] is -1.\n"
        "  created at <p>"
    )
    assert session.run(v) == 1.0
    assert session.run(step, {x: 1.0}) == 0.0


def test_an_interrupt_commits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    v = sg.Variable(1.0)
    step = sg.print(v.assign_add(1.0))
    session = sg.Session()

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "array2string", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.run(step)
    assert session.run(v) == 1.0


def test_an_assigned_value_must_keep_the_shape_at_run_time() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    v = sg.Variable([1.0, 2.0], name="v")
    session = sg.Session()
    with pytest.raises(sg.ShapeError) as info:
        session.run(v.assign(x), {x: [1.0]})
    assert whole(info, v=v) == (
        "assign: the new value of variable 'v' has another shape\n"
        "  have [1]\n"
        "  want [2]\n"
        "  variable at <v>\n"
        "  a variable keeps its shape; no variable has changed"
    )


def test_initial_values_may_need_each_other() -> None:
    a = sg.Variable(2.0)
    b = sg.Variable(a * 3.0)
    c = sg.Variable(lambda: sg.constant([1.0, 1.0]) * b)
    session = sg.Session()
    np.testing.assert_array_equal(session.run(c), [6.0, 6.0])
    session.run(a.assign(0.0))
    assert session.run(b) == 6.0


def test_a_chain_of_initial_values_needs_no_recursion() -> None:
    v = sg.Variable(0.0)
    for _ in range(1500):
        v = sg.Variable(v + 1.0)
    assert sg.Session().run(v) == 1500.0


def test_the_initializer_starts_over() -> None:
    v = sg.Variable(1.0)
    session = sg.Session()
    session.run(v.assign(5.0))
    assert session.run(sg.global_variables_initializer()) is None
    assert session.run(v) == 1.0


def test_sessions_have_their_own_values() -> None:
    v = sg.Variable(1.0)
    step = v.assign_add(1.0)
    one, two = sg.Session(), sg.Session()
    one.run(step)
    one.run(step)
    assert one.run(v) == 3.0
    assert two.run(v) == 1.0


def test_threads_lose_no_update_and_see_no_half_of_one() -> None:
    a, b = sg.Variable(0.0, dtype="float64"), sg.Variable(0.0, dtype="float64")
    step = sg.group(a.assign_add(1.0), b.assign_add(1.0))
    session = sg.Session()
    torn: list[object] = []

    def write() -> None:
        for _ in range(300):
            session.run(step)

    def read() -> None:
        for _ in range(300):
            first, second = session.run([a, b])
            if first != second:
                torn.append((first, second))

    threads = [threading.Thread(target=write) for _ in range(4)]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not torn
    assert session.run([a, b]) == [1200.0, 1200.0]
