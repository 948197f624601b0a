"""Functions: equal when they do the same, counted with their bodies, never changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core import dtypes
from staticgraph.core.function import Function, attr_key, attrs_key, parameter
from staticgraph.core.graph import read_only
from staticgraph.core.location import Location
from staticgraph.core.node import Node, make_node
from staticgraph.core.opdef import Mismatch, get
from staticgraph.core.types import TensorType

F32 = TensorType(dtypes.float32, ())


def _function(
    op: str = "exp",
    name: str = "y",
    kind: str = "feed",
    type: TensorType = F32,
    output: str = "result",
    line: int = 1,
    input: str = "x",
) -> Function:
    x = parameter(input, type, kind)
    y = make_node(get(op), [x], name=name, location=Location("a.py", line))
    return Function([x], [y], [y.out], [output])


def test_names_of_nodes_and_lines_do_not_count() -> None:
    assert _function() == _function(name="z", line=2)
    assert hash(_function()) == hash(_function(name="z", line=2))


@pytest.mark.parametrize(
    "other",
    [
        _function(op="sin"),
        _function(kind="variable"),
        _function(type=TensorType(dtypes.float64, ())),
        _function(type=TensorType(dtypes.float32, (None,))),
        _function(output="other"),
        _function(input="other"),
    ],
)
def test_what_it_does_counts(other: Function) -> None:
    assert _function() != other
    assert _function() != "function"


def test_order_of_nodes_and_operands_counts() -> None:
    x, y = parameter("x", F32, "feed"), parameter("y", F32, "feed")
    first, second = make_node(get("exp"), [x]), make_node(get("sin"), [x])
    one = Function([x], [first, second], [first.out])
    assert one != Function([x], [second, first], [first.out])
    less, more = make_node(get("less"), [x, y]), make_node(get("less"), [y, x])
    assert Function([x, y], [less], [less.out]) != Function([x, y], [more], [more.out])


def _holding(value: Any) -> Function:
    node = Node(get("constant"), (), {"value": value}, (F32,), "c")
    return Function([], [node], [node.out])


def test_values_that_differ_are_told_apart() -> None:
    """As constants they mean different things, although Python calls some of them equal."""
    zeros = [
        None, False, 0, 0.0, -0.0, "0", (), (0,), (0.0,), ((0,),), dtypes.int32, dtypes.int64, F32,
        np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros((1, 1), np.int32), np.zeros(1),
        -np.zeros(1), np.zeros(1, np.float32), np.zeros(5000), np.zeros(5001), -np.zeros(5000),
        _holding(0), _holding(0.0), float("nan"), "nan", 1, True, 1.0,
    ]  # fmt: skip
    keys = [attr_key(value) for value in zeros]
    assert len(set(keys)) == len(keys)
    assert len({_holding(value) for value in zeros}) == len(zeros)


def test_values_that_are_the_same_have_one_key() -> None:
    for make in (
        lambda: float("nan"),
        lambda: np.full(3, np.nan),
        lambda: np.arange(10_000).reshape(100, 100),
        lambda: _holding((1, read_only(np.arange(3)))),
    ):
        assert attr_key(make()) == attr_key(make())
    assert attr_key(np.asfortranarray(np.eye(3) * 2)) == attr_key(np.eye(3) * 2)
    assert attr_key(np.float64(0.1)) == attr_key(0.1)
    assert attrs_key({"a": 1, "b": 2}) == attrs_key({"b": 2, "a": 1})
    assert attrs_key({}) == ()


def test_nodes_are_counted_with_their_bodies() -> None:
    body = _function()
    loop = Node(get("constant"), (), {"value": (body, (1, body))}, (F32,), "loop")
    outer = Function([], [loop], [loop.out])
    assert list(outer.bodies()) == [body, body]
    assert outer.count("exp") == 2
    assert outer.count("constant") == 1
    assert outer.count("sin") == 0
    assert len(outer) == 1


def test_an_empty_function_is_not_false() -> None:
    empty = Function([], [], [])
    assert bool(empty) and len(empty) == 0
    assert repr(empty) == "<Function 'main': 0 inputs, 0 nodes, 0 outputs>"


def test_outputs_are_named_after_their_values() -> None:
    x = parameter("x", F32, "feed")
    both = Node(get("add"), (x, x), {}, (F32, F32), "both")
    assert Function([x], [both], [both.outputs[1], x]).output_names == ("both:1", "x")


def test_replacing_the_body_keeps_inputs_and_names() -> None:
    function = _function()
    x = function.inputs[0]
    other = make_node(get("sin"), [x])
    replaced = function.replace([other], [other.out])
    assert replaced.inputs == function.inputs
    assert replaced.output_names == ("result",)
    assert replaced.report is None
    assert function.count("sin") == 0
    reported = function.with_report("done")
    assert reported.report == "done" and reported == function


def test_a_function_can_be_a_key() -> None:
    known = {_function(): 1}
    assert known[_function(name="z")] == 1
    assert len({_function(), _function(), _function(op="sin")}) == 2


def test_values_are_named_and_shown() -> None:
    x = parameter("x", F32, "feed")
    node = make_node(get("exp"), [x], name="y")
    assert (node.out.name, node.out.index, node.out.node) == ("y", 0, node)
    assert repr(node) == "<Node 'y' exp>"
    assert repr(node.out) == "<Value 'y' float32[]>"
    assert make_node(get("exp"), [x]).name == "exp"


def test_a_node_is_typed_when_it_is_made() -> None:
    x = parameter("x", TensorType(dtypes.float32, (2,)), "feed")
    y = parameter("y", TensorType(dtypes.float32, (3,)), "feed")
    with pytest.raises(Mismatch, match=r"^shapes do not broadcast$"):
        make_node(get("add"), [x, y])


def test_two_extractions_are_equal_and_print_alike() -> None:
    def build() -> Function:
        with sg.Graph().as_default():
            x = sg.placeholder("float32", (None, 3), name="x")
            w = sg.Variable(np.ones(3, np.float32), name="w")
            (slope,) = sg.gradients(sg.tanh(x * w), w, grad_ys=[x])
            return sg.extract([slope, w.assign(slope)])

    first, second = build(), build()
    assert first == second
    assert str(first) == str(second)
