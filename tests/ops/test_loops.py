"""Loops: values, structures of loop variables, what they refuse and with which words."""

from __future__ import annotations

import linecache
import os
import subprocess
import sys
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.errors import (
    DTypeError,
    GraphError,
    ShapeError,
)
from tests.growth import memory

from .wording import message

State = namedtuple("State", "i total")


def run(fetches: Any, feed: Any = None, **options: Any) -> Any:
    return sg.Session(seed=3, **options).run(fetches, feed)


# -- structures of loop variables -------------------------------------------------------------


def test_a_list_a_tuple_a_namedtuple_a_dict_and_a_single_value() -> None:
    def forward(i: Any, total: Any) -> Any:
        return i + 1, total + i

    pair = sg.while_loop(lambda i, t: i < 4, forward, [0, 0])
    assert isinstance(pair, list)
    assert run(pair) == [4, 6]
    pair = sg.while_loop(lambda i, t: i < 4, lambda i, t: [i + 1, t + i], (0, 0))
    assert isinstance(pair, tuple)
    assert run(pair) == (4, 6)
    named = sg.while_loop(lambda s: s.i < 4, lambda s: State(s.i + 1, s.total + s.i), State(0, 0))
    assert run(named) == State(4, 6)
    keyed = sg.while_loop(
        lambda s: s["i"] < 4, lambda s: {"t": s["t"] + s["i"], "i": s["i"] + 1}, {"i": 0, "t": 0}
    )
    assert run(keyed) == {"i": 4, "t": 6}
    assert list(keyed) == ["i", "t"]
    assert run(sg.while_loop(lambda i: i < 4, lambda i: i + 3, 0)) == 6
    assert run(sg.while_loop(lambda i: i < 4, lambda i: [i + 3], 0)) == 6
    assert run(sg.while_loop(lambda i: i < 4, lambda i: i + 3, [0])) == [6]


def test_structures_in_structures() -> None:
    start = [0, {"pair": (1.0, [2.0]), "state": State(np.float32(0), None)}]

    def body(i: Any, rest: Any) -> Any:
        (a, (b,)), state = rest["pair"], rest["state"]
        return i + 1, {"state": State(state.i + a, None), "pair": [b, (a + b,)]}

    i, rest = sg.while_loop(lambda i, rest: i < 3, body, start)
    assert run([i, rest["pair"], rest["state"].i]) == [3, (5.0, [8.0]), 6.0]
    assert rest["state"].total is None


def test_a_single_namedtuple_in_a_list() -> None:
    body: Any = lambda s: State(s.i + 1, s.total * 2)  # noqa: E731
    (made,) = sg.while_loop(lambda s: s.i < 3, body, [State(0, 1)])
    assert run(made) == State(3, 8)


def test_variables_constants_and_arrays_are_loop_variables() -> None:
    v = sg.Variable(2.0)
    made = sg.while_loop(
        lambda a, b, c: sg.sum(a) < 50, lambda a, b, c: (a * b + c, b, c),
        [v, sg.constant([1.0, 3.0])[1], np.float32(1)],
    )  # fmt: skip
    a = np.float32(2)
    while a < 50:
        a = a * 3 + 1
    assert run(made) == [a, 3, 1]


# -- Python numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "dtype"), [(0, "float64"), (0.0, "float64"), (False, "int32")])
def test_a_python_number_takes_the_dtype_that_the_body_gives_it(start: Any, dtype: str) -> None:
    xs = sg.constant(np.array([1, 2, 3], dtype))
    total, _ = sg.scan(lambda c, x: (c + x, None), start, xs)
    assert total.dtype == np.dtype(dtype)
    assert run(total) == 6


def test_python_numbers_follow_each_other() -> None:
    x = sg.constant(np.float64(0.5))
    a, b, i = sg.while_loop(
        lambda a, b, i: i < 3, lambda a, b, i: (b, b + x, i + 1), [0, 0, 0]
    )  # fmt: skip
    assert (a.dtype, b.dtype, i.dtype) == (np.float64, np.float64, np.int64)
    assert run([a, b]) == [1.0, 1.5]


def test_python_numbers_that_a_body_returns_take_the_dtype_of_their_carry() -> None:
    start = [sg.constant(np.float64(3.0)), sg.constant(np.int8(1))]
    a, b = sg.while_loop(lambda a, b: a > 1, lambda a, b: (0.5, 7), start)
    assert (a.dtype, b.dtype) == (np.float64, np.int8)
    assert run([a, b]) == [0.5, 7]


def test_a_tensor_keeps_its_dtype() -> None:
    with pytest.raises(DTypeError) as caught:
        sg.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 0.5), [0, sg.constant(4)])
    assert message(caught) == (
        "while_loop: loop variable [1] changes its dtype in the body\n"
        "  it starts as 'constant'  int64[]  constant at {here}\n"
        "  the body returns 'multiply'  float64[]  multiply at {here}\n"
        "  convert it in the body, sg.cast(x, 'int64'), or start from a value of float64\n"
        "  at {here}: {line}"
    )


def test_a_number_that_does_not_become_what_the_body_returns() -> None:
    with pytest.raises(DTypeError) as caught:
        sg.while_loop(lambda x: x < 3, lambda x: sg.cast(x, "int32"), 0.5)
    assert message(caught) == (
        "while_loop: the loop variable changes its dtype in the body\n"
        "  it starts as 'constant'  float32[]  constant at {here}\n"
        "  the body returns 'cast'  int32[]  cast at {here}\n"
        "  convert it in the body, sg.cast(x, 'float32'), or start from a value of int32\n"
        "  at {here}: {line}"
    )


# -- shapes -----------------------------------------------------------------------------------


def test_an_axis_of_unknown_size_need_not_be_seen_to_keep_it() -> None:
    x, w = sg.placeholder("float32", (None,)), sg.placeholder("float32", (None,))
    _, y = sg.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * w), [0, x])
    assert y.shape == (None,)
    assert run(y, {x: [1, 2], w: [2, 3]}).tolist() == [8, 54]
    named = sg.placeholder("float32", ("n",))
    y = sg.while_loop(lambda y: sg.sum(y) < 9, lambda y: y + named, named)
    assert y.shape == ("n",)
    assert run(y, {named: [1, 2]}).tolist() == [3, 6]


def test_shape_invariants_let_a_loop_variable_grow() -> None:
    x = sg.placeholder("float32", (2, 3), name="x")

    def grow(i: Any, rows: Any) -> Any:
        return i + 1, sg.concat([rows, rows[:1] * 2.0])

    i, rows = sg.while_loop(
        lambda i, rows: i < 3, grow, [0, x], shape_invariants=[(), (None, 3)]
    )  # fmt: skip
    assert (i.shape, rows.shape) == ((), (None, 3))
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert run(rows, {x: values}).tolist() == np.vstack([values, *[values[:1] * 2] * 3]).tolist()


def test_an_axis_of_unknown_size_may_grow() -> None:
    x = sg.placeholder("float32", (None,))
    _, y = sg.while_loop(lambda i, y: i < 2, lambda i, y: (i + 1, sg.concat([y, y])), [0, x])
    assert run(y, {x: [1, 2]}).tolist() == [1, 2] * 4


def test_invariants_in_the_structure_of_the_loop_variables() -> None:
    start = {"i": 0, "rows": sg.constant([1.0]), "k": (sg.constant([2.0]), 1)}

    def grow(s: Any) -> Any:
        rows = sg.concat([s["rows"], s["k"][0]])
        return {"i": s["i"] + 1, "rows": rows, "k": s["k"]}

    invariants = {"rows": (None,), "k": None, "i": ()}
    made = sg.while_loop(lambda s: s["i"] < 2, grow, start, shape_invariants=invariants)
    assert run(made["rows"]).tolist() == [1, 2, 2]
    assert made["k"][0].shape == (1,)
    single = sg.while_loop(
        lambda x: sg.size(x) < 5, lambda x: sg.concat([x, x]), sg.constant([1.0]),
        shape_invariants=(None,),
    )  # fmt: skip
    assert run(single).tolist() == [1.0] * 8


def test_an_invariant_that_does_not_fit() -> None:
    x = sg.placeholder("float32", (2, 3), name="x")
    with pytest.raises(ShapeError) as caught:
        sg.while_loop(lambda x: True, lambda x: x, [x], shape_invariants=[(None, 4)])
    assert message(caught) == (
        "while_loop: the initial value of loop variable [0] does not fit its shape invariant\n"
        "  initial value 'x'  float32[2, 3]  placeholder at {-2}\n"
        "  shape invariant [?, 4]\n"
        "  an invariant is the initial shape with None for each axis that changes\n"
        "  at {here}: {line}"
    )


def test_too_few_invariants() -> None:
    with pytest.raises(GraphError) as caught:
        sg.while_loop(lambda a, b: a < 3, lambda a, b: (b, a), [1, 2], shape_invariants=[()])
    assert message(caught) == (
        "while_loop: the loop variables are 2, the shape invariants 1\n"
        "  give one shape per loop variable in the same nesting, or None to keep a shape\n"
        "  at {here}: {line}"
    )


def test_an_invariant_that_the_body_breaks() -> None:
    x = sg.placeholder("float32", (2, 3), name="x")
    with pytest.raises(ShapeError) as caught:
        sg.while_loop(lambda x: True, lambda x: x[:, 1:], x, shape_invariants=(None, 3))
    assert message(caught) == (
        "while_loop: the loop variable changes its shape in the body\n"
        "  it starts as 'x'  float32[2, 3]  placeholder at {-2}\n"
        "  its shape invariant is [?, 3]\n"
        "  the body returns 'slice'  float32[?, 2]  slice at {here}\n"
        "  keep the shape, or say which axes change: shape_invariants with None for them\n"
        "  at {here}: {line}"
    )


def test_other_numbers_of_axes() -> None:
    start = {"a": 1.0, "w": sg.placeholder("float32", (2,), name="p")}
    with pytest.raises(ShapeError) as caught:
        sg.while_loop(lambda s: True, lambda s: {"w": s["w"][0], "a": s["a"]}, start)
    assert message(caught) == (
        "while_loop: loop variable ['w'] changes its shape in the body\n"
        "  it starts as 'p'  float32[2]  placeholder at {-2}\n"
        "  the body returns 'slice'  float32[]  slice at {here}\n"
        "  keep the number of axes; sg.reshape or sg.squeeze removes what is too many\n"
        "  at {here}: {line}"
    )


def test_sizes_that_are_not_known_to_stay() -> None:
    x = sg.placeholder("float32", (2,), name="x")
    mask = sg.placeholder("int64", (None,), name="mask")
    with pytest.raises(ShapeError) as caught:
        sg.while_loop(lambda x: sg.sum(x) < 9, lambda x: sg.take(x, mask), x)
    assert message(caught) == (
        "while_loop: the loop variable changes its shape in the body\n"
        "  it starts as 'x'  float32[2]  placeholder at {-3}\n"
        "  the body returns 'take'  float32[?]  gather at {here}\n"
        "  say the sizes in the body: sg.reshape(x, shape), or which change: shape_invariants with "
        "None for them\n"
        "  at {here}: {line}"
    )
    with pytest.raises(ShapeError) as caught:
        sg.scan(lambda x, _: (sg.take(x, mask), None), x, length=3)
    assert message(caught) == (
        "scan: the loop variable changes its shape in the body\n"
        "  it starts as 'x'  float32[2]  placeholder at {-13}\n"
        "  the body returns 'take'  float32[?]  gather at {here}\n"
        "  say the sizes in the body: sg.reshape(x, shape)\n"
        "  at {here}: {line}"
    )


# -- how often --------------------------------------------------------------------------------


def test_no_iteration_gives_the_initial_values() -> None:
    x = sg.placeholder("float32", (None,))
    i, y = sg.while_loop(lambda i, y: i < 0, lambda i, y: (i + 1, sg.exp(y)), [0, x])
    assert run([i, y], {x: [1]}) == [0, [1]]
    carry, ys = sg.scan(lambda c, x: (c * x, (x, c)), 2.0, x)
    carry, (xs, cs) = run([carry, ys], {x: []})
    assert (carry, xs.shape, cs.shape) == (2.0, (0,), (0,))
    assert run(sg.fori_loop(3, 3, lambda i, v: v + 1, 5)) == 5
    assert run(sg.fori_loop(3, -3, lambda i, v: v + 1, 5)) == 5


@pytest.mark.parametrize("limit", [0, 1, 3, np.int64(3), 100])
def test_maximum_iterations(limit: Any) -> None:
    i = sg.while_loop(lambda i: i < 5, lambda i: i + 1, 0, maximum_iterations=limit)
    assert run(i) == min(limit, 5)


@pytest.mark.parametrize("limit", [-1, 2.5, True, "3"])
def test_no_number_of_iterations(limit: Any) -> None:
    with pytest.raises(GraphError) as caught:
        sg.while_loop(lambda i: i < 5, lambda i: i + 1, 0, maximum_iterations=limit)
    assert message(caught) == (
        f"while_loop: maximum_iterations={limit!r} is no number of iterations\n"
        "  give an int that is not negative, or None\n"
        "  at {here}: {line}"
    )


# -- scan -------------------------------------------------------------------------------------


def test_scan_over_several_sequences_in_a_structure() -> None:
    xs = {"a": sg.constant([1.0, 2.0, 3.0]), "b": (sg.constant([[1, 2], [3, 4], [5, 6]]),)}

    def step(carry: Any, x: Any) -> Any:
        total = carry["total"] + x["a"] * sg.cast(sg.sum(x["b"][0]), "float32")
        return {"total": total}, [x["a"], State(total, carry["total"])]

    carry, ys = sg.scan(step, {"total": 0.0}, xs)
    assert run(carry) == {"total": 50.0}
    a, state = run(ys)
    assert a.tolist() == [1, 2, 3]
    assert isinstance(state, State)
    assert (state.i.tolist(), state.total.tolist()) == ([3, 17, 50], [0, 3, 17])


def test_scan_backwards_keeps_the_places_of_the_entries() -> None:
    xs = sg.constant([1, 2, 3])
    carry, ys = sg.scan(lambda c, x: (c * 10 + x, c * 10 + x), 0, xs, reverse=True)
    assert run(carry) == 321
    assert run(ys).tolist() == [321, 32, 3]


def test_scan_of_a_length_known_only_in_the_run() -> None:
    xs = sg.placeholder("float32", (None, 2))
    start = sg.zeros((2,))
    carry, ys = sg.scan(lambda c, x: (c + x, sg.sum(c)), start, xs)
    assert ys.shape == (None,)
    rows = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    for count in range(4):
        last, sums = run([carry, ys], {xs: rows[:count]})
        assert last.tolist() == rows[:count].sum(axis=0).tolist()
        assert sums.tolist() == [0.0, 3.0, 10.0][:count]


def test_scan_by_length_alone() -> None:
    n = sg.placeholder("int32", ())
    for length in (4, np.int64(4), sg.constant(4), n):
        carry, ys = sg.scan(lambda c, x: (c * 2, c), 1, length=length)
        assert ys.shape == ((4,) if isinstance(length, int | np.integer) else ys.shape)
        feed = {n: 4} if length is n else None
        last, seen = run([carry, ys], feed)
        assert (last, seen.tolist()) == (16, [1, 2, 4, 8])


def test_scan_gives_none_where_there_is_no_entry() -> None:
    seen: list[Any] = []
    sg.scan(lambda c, x: (c, seen.append(x)), 1, length=4)
    assert seen == [None]


def test_scan_without_carry_or_without_outputs() -> None:
    xs = sg.constant([1.0, 2.0])
    carry, ys = sg.scan(lambda c, x: (None, x * x), None, xs)
    assert carry is None
    assert run(ys).tolist() == [1, 4]
    carry, ys = sg.scan(lambda c, x: (c + x, None), 0.0, xs)
    assert (run(carry), ys) == (3.0, None)


def test_a_length_beside_sequences_is_compared() -> None:
    xs = sg.placeholder("float32", (None,), name="xs")
    n = sg.placeholder("int64", (), name="n")
    total, _ = sg.scan(lambda c, x: (c + x, None), 0.0, xs, length=n)
    assert run(total, {xs: [1, 2], n: 2}) == 3
    with pytest.raises(ShapeError) as caught:
        run(total, {xs: [1, 2], n: 3})
    assert message(caught) == (
        "scan: the sequences differ in length\n"
        "  operands[0] 'constant'  float32[]  constant at {-3}\n"
        "  operands[1] 'xs'  float32[?]  feed at {-5}\n"
        "  operands[2] 'steps'  bool[?, 0]  broadcast_to at {-3}\n"
        "  their lengths in this run are [2, 3]\n"
        "  created at {-3}: total, _ = sg.scan(lambda c, x: (c + x, None), 0.0, xs, length=n)"
    )
    fixed, _ = sg.scan(lambda c, x: (c + x, x), 0.0, xs, length=2)
    assert run(fixed, {xs: [1, 2]}) == 3
    with pytest.raises(ShapeError):
        run(fixed, {xs: [1, 2, 3]})
    with pytest.raises(ShapeError) as caught:
        sg.scan(lambda c, x: (c + x, None), 0.0, sg.constant([1.0, 2.0]), length=3)
    assert message(caught) == (
        "scan: length=3, but the sequences have 2 entries\n"
        "  leave the length out, or slice the sequences\n"
        "  at {here}: {line}"
    )


@pytest.mark.parametrize("length", [-1, 2.0, True])
def test_no_length(length: Any) -> None:
    with pytest.raises(GraphError) as caught:
        sg.scan(lambda c, x: (c, None), 0, length=length)
    assert message(caught) == (
        "scan: the length is no number of steps\n"
        f"  length {length!r}\n"
        "  give an int that is not negative, or a scalar int tensor\n"
        "  at {here}: {line}"
    )


def test_sequences_of_different_lengths() -> None:
    a, b = sg.placeholder("float32", (3,), name="a"), sg.placeholder("float32", (4, 2), name="b")
    with pytest.raises(ShapeError) as caught:
        sg.scan(lambda c, x: (c, None), 0.0, {"a": a, "b": b})
    assert message(caught) == (
        "scan: the sequences differ in length\n"
        "  xs['a'] 'a'  float32[3]  placeholder at {-2}\n"
        "  xs['b'] 'b'  float32[4, 2]  placeholder at {-2}\n"
        "  one has 3 entries, another 4\n"
        "  at {here}: {line}"
    )


def test_a_sequence_that_is_a_number() -> None:
    with pytest.raises(ShapeError) as caught:
        sg.map_fn(lambda x: x, [1.0, 2.0])
    assert message(caught) == (
        "map_fn: a sequence is a scalar\n"
        "  xs[0] 'constant'  float32[]  constant at {here}\n"
        "  xs[1] 'constant_1'  float32[]  constant at {here}\n"
        "  it needs a leading axis to go along; a list is a nesting of sequences, "
        "sg.constant([...]) is one\n"
        "  at {here}: {line}"
    )


def test_a_function_that_returns_no_pair() -> None:
    with pytest.raises(GraphError) as caught:
        sg.scan(lambda c, x: c + x, 0, sg.constant([1, 2]))
    assert message(caught) == (
        "scan: the function must return a pair, (carry, output)\n"
        "  it returned Tensor\n"
        "  return (carry, None) where there is nothing to stack\n"
        "  at {here}: {line}"
    )


# -- fori_loop and map_fn ---------------------------------------------------------------------


def test_fori_loop_between_tensors() -> None:
    low, high = sg.placeholder("int32", ()), sg.placeholder("int64", ())
    total = sg.fori_loop(low, high, lambda i, t: t + i, 0)
    assert run(total, {low: 2, high: 6}) == 14
    assert run(total, {low: 6, high: 2}) == 0
    nested = sg.fori_loop(0, 3, lambda i, t: sg.fori_loop(0, i, lambda j, t: t + 10 * i + j, t), 0)
    assert run(nested) == 10 + 20 + 21


def test_fori_loop_between_other_things() -> None:
    with pytest.raises(DTypeError) as caught:
        sg.fori_loop(0, 2.5, lambda i, x: x, 0)
    assert message(caught) == (
        "fori_loop: upper is no scalar integer\n"
        "  upper 2.5\n"
        "  give an int, or a scalar int tensor\n"
        "  at {here}: {line}"
    )
    p = sg.placeholder("int64", (2,), name="p")
    with pytest.raises(DTypeError) as caught:
        sg.fori_loop(p, 3, lambda i, x: x, 0)
    assert message(caught) == (
        "fori_loop: lower is no scalar integer\n"
        "  lower 'p'  int64[2]  placeholder at {-2}\n"
        "  give an int, or a scalar int tensor\n"
        "  at {here}: {line}"
    )


def test_map_fn_over_structures() -> None:
    a, b = np.arange(6.0).reshape(3, 2), np.array([1.0, 2.0, 3.0])
    made = sg.map_fn(lambda x: {"p": x[0] * x[1], "s": State(sg.sum(x[0]), None)}, (a, b))
    have = run([made["p"], made["s"].i])
    assert have[0].tolist() == (a * b[:, None]).tolist()
    assert have[1].tolist() == a.sum(axis=1).tolist()
    assert made["s"].total is None


def test_map_fn_over_nothing() -> None:
    with pytest.raises(GraphError) as caught:
        sg.map_fn(lambda x: x, [])
    assert message(caught) == (
        "map_fn: there are no xs\n  give tensors to go along\n  at {here}: {line}"
    )


# -- what a body returns ----------------------------------------------------------------------


def test_the_wrong_number_of_values() -> None:
    with pytest.raises(GraphError) as caught:
        sg.while_loop(lambda i, x: i < 3, lambda i, x: i + 1, [0, 1.0])
    assert message(caught) == (
        "while_loop: the body returns another structure than the loop variables have\n"
        "  loop variables: 2 values, (., .)\n"
        "  returned: 1 value, .\n"
        "  return one value per loop variable, in the same nesting\n"
        "  at {here}: {line}"
    )
    with pytest.raises(GraphError) as caught:
        sg.scan(lambda c, x: ({"a": c["a"], "c": None}, x), {"a": 1, "b": (2,)}, length=3)
    assert message(caught) == (
        "scan: the body returns another structure than the loop variables have\n"
        "  loop variables: 2 values, {'a': ., 'b': (.,)}\n"
        "  returned: 1 value, {'a': ., 'c': None}\n"
        "  return one value per loop variable, in the same nesting\n"
        "  at {here}: {line}"
    )


def test_no_loop_variables() -> None:
    with pytest.raises(GraphError) as caught:
        sg.while_loop(lambda: True, lambda: (), [])
    assert message(caught) == (
        "while_loop: there are no loop variables\n  give some\n  at {here}: {line}"
    )
    with pytest.raises(GraphError) as caught:
        sg.while_loop(lambda i: i < 3, lambda i: i, [sg.group()])
    assert message(caught) == (
        "while_loop: there is an Operation among the loop variables\n"
        "  loop variables are tensors and numbers; None stands for nothing\n"
        "  at {here}: {line}"
    )


def test_a_condition_that_is_no_scalar_bool() -> None:
    with pytest.raises(DTypeError) as caught:
        sg.while_loop(lambda i: i - 3, lambda i: i + 1, 0)
    assert message(caught) == (
        "while_loop: cond returns int64[], not a scalar bool\n"
        "  'subtract'  int64[]  subtract at {here}\n"
        "  compare something, and reduce it with sg.all or sg.any\n"
        "  at {here}: {line}"
    )
    with pytest.raises(ShapeError) as caught:
        sg.while_loop(lambda x: x < 3, lambda x: x + 1, sg.placeholder("float32", (2,), name="p"))
    assert message(caught) == (
        "while_loop: cond returns bool[2], not a scalar bool\n"
        "  'less'  bool[2]  less at {here}\n"
        "  compare something, and reduce it with sg.all or sg.any\n"
        "  at {here}: {line}"
    )


def test_what_is_no_function_of_the_loop_variables() -> None:
    for call, words, takes in (
        (lambda: sg.while_loop(True, lambda i: i, 0), "while_loop: cond is a bool, not a function",
         "the loop variables"),
        (lambda: sg.while_loop(lambda i: True, 3, 0), "while_loop: body is a int, not a function",
         "the loop variables"),
        (lambda: sg.while_loop(lambda i: True, lambda i: i, [0, 1]),
         "while_loop: cond cannot be called with 2 arguments", "the loop variables"),
        (lambda: sg.scan(None, 0, length=3), "scan: fn is a NoneType, not a function",
         "the carry and the entries at one step"),
        (lambda: sg.scan(lambda c: c, 0, length=3), "scan: fn cannot be called with 2 arguments",
         "the carry and the entries at one step"),
        (lambda: sg.fori_loop(0, 3, lambda i: i, 0),
         "fori_loop: body cannot be called with 2 arguments", "the index and the value"),
        (lambda: sg.map_fn(lambda: 1, sg.arange(3)),
         "map_fn: fn cannot be called with 1 argument", "the entries at one step"),
    ):  # fmt: skip
        with pytest.raises(GraphError) as caught:
            call()
        # The line is that of the call in the table, which no frame of the test tells.
        entry = caught.traceback[1]
        told = f"{os.path.relpath(str(entry.path))}:{entry.lineno + 1}: "
        shown = linecache.getline(str(entry.path), entry.lineno + 1).strip()
        assert str(caught.value) == (f"{words}\n  give a function of {takes}\n  at {told}{shown}")


def test_a_condition_that_returns_nothing() -> None:
    with pytest.raises(DTypeError) as caught:
        sg.while_loop(lambda i: None, lambda i: i + 1, 0)
    assert message(caught) == (
        "while_loop: cond returns None, not a scalar bool\n"
        "  compare something, and return it\n"
        "  at {here}: {line}"
    )


# -- what loops bear --------------------------------------------------------------------------

MILLION = """
import resource, sys
import numpy as np
import staticgraph as sg

n = sg.placeholder("int64", ())
i, x = sg.while_loop(lambda i, x: i < n, lambda i, x: (i + 1, x * 0.5 + 1.0), [0, np.float64(8)])
run = sg.Session().make_callable([i, x], [n])
unit = 1024 if sys.platform == "darwin" else 1
run(1000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count, value = run(1_000_000)
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // unit
print(count, value, grown)
"""


def test_a_million_iterations_take_constant_memory() -> None:
    pytest.importorskip("resource")
    environment = {**os.environ, "STATICGRAPH_CHECK": "0"}
    done = subprocess.run(
        [sys.executable, "-c", MILLION], capture_output=True, text=True, env=environment, check=True
    )
    count, value, kilobytes = done.stdout.split()
    assert (int(count), float(value)) == (1_000_000, 2.0)
    # One number per iteration would be 8,000.
    assert int(kilobytes) < 1000


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("construct", ["fori_loop", "scan"])
def test_loops_that_count_hold_no_numbers(
    construct: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATICGRAPH_CHECK", "0")
    count = sg.placeholder("int64", (), name="count")

    def taken(steps: int) -> int:
        length = steps if known else count
        if construct == "fori_loop":
            body = lambda i, v: v * 0.5 + sg.cast(i, "float64")  # noqa: E731
            last = sg.fori_loop(0, length, body, np.float64(0.0))
        else:
            last, _ = sg.scan(lambda v, _: (v * 0.5, None), np.float64(8.0), length=length)
        call = sg.Session(backend="reference").make_callable(last, [count])
        call(steps)
        return memory(lambda: call(steps))

    assert taken(20_000) < taken(100) + 2_000
