"""Branches: values, structures of results, effects, what they refuse and with which words."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core.graph import Operation
from staticgraph.errors import DTypeError, GraphError, RunError, ShapeError

from .wording import message

Pair = namedtuple("Pair", "a b")


def run(fetches: Any, feed: Any = None, **options: Any) -> Any:
    return sg.Session(seed=3, **options).run(fetches, feed)


def test_only_the_branch_that_is_taken_runs(capsys: pytest.CaptureFixture[str]) -> None:
    x = sg.placeholder("float32", ())
    y = sg.cond(x > 0, lambda: sg.print(x, "first "), lambda: sg.print(-x, "second "))
    assert run(y, {x: 2}) == 2
    assert run(y, {x: -3}) == 3
    assert capsys.readouterr().out == "first 2.\nsecond 3.\n"


def test_structures_of_results() -> None:
    p = sg.placeholder("bool", ())
    x = sg.constant([1.0, 2.0])
    made = sg.cond(
        p,
        lambda: {"a": [x, None], "b": Pair(1, (x + 1,))},
        lambda: {"b": Pair(2, (x + 2,)), "a": [x * 0, None]},
    )
    assert list(made) == ["a", "b"]
    assert isinstance(made["b"], Pair)
    assert made["a"][1] is None
    for value, number, shift in ((True, 1, 1), (False, 2, 2)):
        fetched = run([made["a"][0], made["b"]], {p: value})
        assert fetched[0].tolist() == ([1, 2] if value else [0, 0])
        assert fetched[1].a == number
        assert fetched[1].b[0].tolist() == [1 + shift, 2 + shift]


def test_branches_return_tensors_variables_and_numbers_from_outside() -> None:
    p = sg.placeholder("bool", ())
    x, v = sg.constant(np.float64(3.0)), sg.Variable(np.float64(4.0))
    y = sg.cond(p, lambda: x, lambda: v)
    assert [run(y, {p: value}) for value in (True, False)] == [3, 4]
    y = sg.cond(p, lambda: 1, lambda: x)
    assert y.dtype == np.float64
    assert [run(y, {p: value}) for value in (True, False)] == [1, 3]
    y = sg.cond(p, lambda: x, lambda: np.zeros(()))
    assert [run(y, {p: value}) for value in (True, False)] == [3, 0]
    y = sg.cond(p, lambda: 1, lambda: 2.5)
    assert y.dtype == np.float32
    y = sg.cond(p, lambda: True, lambda: False)
    assert [run(y, {p: value}) for value in (True, False)] == [True, False]


def test_a_python_bool_is_a_predicate() -> None:
    assert run(sg.cond(True, lambda: 1, lambda: 2)) == 1
    assert run(sg.switch_case(1, [lambda: 1, lambda: 2])) == 2


def test_shapes_that_differ_are_known_as_far_as_they_agree() -> None:
    p = sg.placeholder("bool", ())
    y = sg.cond(p, lambda: sg.zeros((2, 3)), lambda: sg.ones((2, 4)))
    assert y.shape == (2, None)
    assert run(y, {p: False}).shape == (2, 4)
    y = sg.cond(p, lambda: sg.zeros((2, 3)), lambda: 1.0)
    assert y.shape is None
    assert sg.Session(backend="reference").run(y, {p: False}) == 1.0
    # How machine code refuses what it cannot know is tested in tests/runtime/test_ranks.py.


def test_branches_in_branches_in_loops_five_deep() -> None:
    n = sg.placeholder("int64", ())
    half = sg.constant(2)

    def inner(i: Any, j: Any, t: Any) -> Any:
        return sg.switch_case(
            (i + j) % 3,
            [
                lambda: sg.fori_loop(0, j, lambda k, t: t + sg.cond(
                    k < half, lambda: i * k, lambda: n), t),
                lambda: t - 1,
                lambda: sg.scan(lambda c, x: (c + x * i, None), t, sg.arange(3))[0],
            ],
        )  # fmt: skip

    def outer(i: Any, t: Any) -> Any:
        return i + 1, sg.cond(
            i % 2 == 0, lambda: sg.fori_loop(0, i, lambda j, t: inner(i, j, t), t), lambda: t * 2
        )

    _, total = sg.while_loop(lambda i, t: i < n, outer, [0, 1])

    def plain(n: int) -> int:
        t = 1
        for i in range(n):
            if i % 2:
                t *= 2
                continue
            for j in range(i):
                case = (i + j) % 3
                if case == 0:
                    for k in range(j):
                        t += i * k if k < 2 else n
                elif case == 1:
                    t -= 1
                else:
                    t += 3 * i
        return t

    for count in range(9):
        assert run(total, {n: count}) == plain(count)


# -- effects ----------------------------------------------------------------------------------


def test_branches_for_their_effect_are_an_operation() -> None:
    p, v = sg.placeholder("bool", ()), sg.Variable(1.0, name="v")
    made = sg.cond(p, lambda: v.assign_add(1.0).node, lambda: sg.group())
    assert isinstance(made, Operation)
    session = sg.Session()
    assert session.run(made, {p: True}) is None
    assert session.run(v) == 2
    session.run(made, {p: False})
    assert session.run(v) == 2


def test_branches_that_return_nothing_are_an_operation() -> None:
    k, v = sg.placeholder("int64", ()), sg.Variable(0.0)

    def add(number: float) -> Any:
        def branch() -> None:
            v.assign_add(number)

        return branch

    made = sg.switch_case(k, [add(1.0), add(10.0), lambda: None])
    assert isinstance(made, Operation)
    session = sg.Session()
    for number in (0, 1, 1, 2):
        session.run(made, {k: number})
    assert session.run(v) == 21


def test_an_operation_among_the_results() -> None:
    p, v = sg.placeholder("bool", ()), sg.Variable(1.0)
    value, effect = sg.cond(
        p, lambda: (v * 2, sg.group(v.assign(5.0))), lambda: (v * 3, sg.group())
    )
    assert isinstance(effect, Operation)
    session = sg.Session()
    assert session.run([value, effect], {p: False}) == [3, None]
    assert session.run([value, effect], {p: True}) == [2, None]
    assert session.run(v) == 5


def test_a_cond_is_waited_for() -> None:
    p, v = sg.placeholder("bool", ()), sg.Variable(1.0)
    made = sg.cond(p, lambda: v.assign(7.0).node, lambda: None or sg.group())
    with sg.control_dependencies([made]):
        after = v.read()
    session = sg.Session()
    assert session.run([v, after], {p: False}) == [1, 1]
    assert session.run([v, after], {p: True}) == [1, 7]


# -- refusals ---------------------------------------------------------------------------------


def test_other_dtypes() -> None:
    p = sg.placeholder("bool", ())
    with pytest.raises(DTypeError) as caught:
        sg.cond(p, lambda: {"a": sg.ones(())}, lambda: {"a": sg.arange(3)[0]})
    assert message(caught) == (
        "cond: true_fn and false_fn return different dtypes for result ['a']\n"
        "  true_fn: 'ones'  float32[]  broadcast_to at {here}\n"
        "  false_fn: 'slice'  int64[]  slice at {here}\n"
        "  convert one of them with sg.cast\n"
        "  at {here}: {line}"
    )
    with pytest.raises(DTypeError) as caught:
        sg.switch_case(1, [lambda: sg.arange(3)[0], lambda: 2, lambda: 0.5])
    assert message(caught) == (
        "switch_case: branch 0 and branch 2 return different dtypes for the result\n"
        "  branch 0: 'slice'  int64[]  slice at {here}\n"
        "  branch 2: 'constant'  float32[]  constant at {here}\n"
        "  convert one of them with sg.cast\n"
        "  at {here}: {line}"
    )


def test_other_structures() -> None:
    p = sg.placeholder("bool", ())
    with pytest.raises(GraphError) as caught:
        sg.cond(p, lambda: (1.0, {"a": 2.0}), lambda: (1.0, {"b": 2.0}))
    assert message(caught) == (
        "cond: true_fn and false_fn return different structures\n"
        "  true_fn returns (., {'a': .})\n"
        "  false_fn returns (., {'b': .})\n"
        "  return the same nesting from all branches\n"
        "  at {here}: {line}"
    )
    with pytest.raises(GraphError) as caught:
        sg.cond(p, lambda: sg.group(), lambda: None)
    assert message(caught) == (
        "cond: true_fn and false_fn return different structures\n"
        "  true_fn returns operation\n"
        "  false_fn returns None\n"
        "  return the same nesting from all branches\n"
        "  at {here}: {line}"
    )


def test_a_predicate_that_is_no_bool() -> None:
    x = sg.placeholder("float32", (), name="x")
    with pytest.raises(DTypeError) as caught:
        sg.cond(x, lambda: 1, lambda: 2)
    assert message(caught) == (
        "cond: the predicate is float32[], not a scalar bool\n"
        "  'x'  float32[]  placeholder at {-2}\n"
        "  compare something, and reduce it with sg.all or sg.any; sg.where chooses by element\n"
        "  at {here}: {line}"
    )


def test_an_index_that_is_no_scalar() -> None:
    k = sg.placeholder("int64", (3,), name="k")
    with pytest.raises(ShapeError) as caught:
        sg.switch_case(k, [lambda: 1, lambda: 2])
    assert message(caught) == (
        "switch_case: the index is int64[3], not a scalar integer\n"
        "  'k'  int64[3]  placeholder at {-2}\n"
        "  take one entry: index[0]\n"
        "  at {here}: {line}"
    )


def test_no_branches() -> None:
    with pytest.raises(GraphError) as caught:
        sg.switch_case(1, [])
    assert message(caught) == "switch_case: there are no branches\n  give some\n  at {here}: {line}"


def test_a_branch_that_is_no_function() -> None:
    with pytest.raises(GraphError) as caught:
        sg.cond(True, sg.constant(1.0), lambda: 2.0)
    assert message(caught) == (
        "cond: true_fn is a Tensor, not a function\n"
        "  give a function of nothing: lambda: x\n"
        "  at {here}: {line}"
    )
    with pytest.raises(GraphError) as caught:
        sg.cond(True, lambda: 1.0, lambda x: 2.0)
    assert message(caught) == (
        "cond: false_fn cannot be called with 0 arguments\n"
        "  give a function of nothing: lambda: x\n"
        "  at {here}: {line}"
    )
    with pytest.raises(GraphError) as caught:
        sg.switch_case(1, {0: lambda: 1})
    assert message(caught) == (
        "switch_case: the branches are a dict\n"
        "  give a list of functions without arguments\n"
        "  at {here}: {line}"
    )


@pytest.mark.parametrize("index", [-1, 2])
def test_an_index_out_of_range(index: int) -> None:
    k, v = sg.placeholder("int64", (), name="k"), sg.Variable(1.0)
    y = sg.switch_case(k, [lambda: 1.0, lambda: v.assign(3.0)])
    session = sg.Session()
    with pytest.raises(RunError) as caught:
        session.run(y, {k: index})
    assert message(caught) == (
        f"switch_case: there is no branch {index}\n"
        "  index 'k'  int64[]  feed at {-4}\n"
        "  captures[0] 'variable'  float32[]  variable at {-4}\n"
        "  there are 2, numbered from 0; clip the index where others may come\n"
        "  created at {-3}: y = sg.switch_case(k, [lambda: 1.0, lambda: v.assign(3.0)])"
    )
    assert session.run(v) == 1
    assert session.run(y, {k: 0}) == 1
