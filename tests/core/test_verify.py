"""The verifier catches every broken invariant of a Function, and names what broke it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core import dtypes
from staticgraph.core.function import Function, parameter
from staticgraph.core.graph import read_only
from staticgraph.core.node import Node, Value, make_node
from staticgraph.core.opdef import NOT_DIFFERENTIABLE, OpDef, get
from staticgraph.core.types import TensorType
from staticgraph.core.verify import verify
from staticgraph.errors import CompilerError

F32 = TensorType(dtypes.float32, (2,))
BUG = "\n  this is a bug in staticgraph, not in your program"


def _x(name: str = "x") -> Value:
    return parameter(name, F32, "feed")


def _constant(value: Any) -> Node:
    return Node(get("constant"), (), {"value": value}, (F32,), "c")


def test_a_whole_function_passes() -> None:
    x = _x()
    y = make_node(get("exp"), [x])
    verify(Function([x], [y], [y.out, x]))
    verify(Function([], [], []))


def test_every_extracted_function_passes() -> None:
    x = sg.placeholder("float32", (None, 3), name="x")
    w = sg.Variable(np.ones(3, np.float32), name="w")
    (slope,) = sg.gradients(x * w, w, grad_ys=[sg.tanh(x)])
    verify(sg.extract([w.assign_sub(slope), x]))


def _stray_input() -> Function:
    node = make_node(get("exp"), [_x()], name="y")
    return Function([node.out], [], [node.out])


def _input_twice() -> Function:
    x = _x()
    return Function([x, x], [], [x])


def _use_before_definition() -> Function:
    x = _x()
    first = make_node(get("exp"), [x], name="first")
    second = make_node(get("sin"), [first.out], name="second")
    return Function([x], [second, first], [second.out])


def _operand_of_nobody() -> Function:
    return Function([], [make_node(get("exp"), [_x()], name="y")], [])


def _returned_and_not_computed() -> Function:
    lost = make_node(get("exp"), [_x()], name="lost")
    return Function([], [], [lost.out])


def _no_names() -> Function:
    x = _x()
    return Function([x], [], [x], [])


def _role(op: str) -> Function:
    attrs = {"type": F32, "variable": "v"}
    node = Node(get(op), (), {k: attrs[k] for k in get(op).attrs}, (F32,), "node")
    return Function([], [node], [node.out])


def _foreign_result() -> Function:
    x = _x()
    node, other = make_node(get("exp"), [x], name="y"), make_node(get("exp"), [x], name="z")
    node.outputs = other.outputs
    return Function([x], [node], [node.out])


def _wrong_index() -> Function:
    x = _x()
    node = make_node(get("exp"), [x], name="y")
    node.outputs[0].index = 1
    return Function([x], [node], [node.out])


def _missing_attribute() -> Function:
    node = Node(get("constant"), (), {}, (F32,), "c")
    return Function([], [node], [node.out])


def _unknown_attribute() -> Function:
    x = _x()
    node = Node(get("exp"), (x,), {"axis": 1, "also": 2}, (F32,), "y")
    return Function([x], [node], [node.out])


def _attribute(value: Any) -> Callable[[], Function]:
    def build() -> Function:
        node = _constant(value)
        return Function([], [node], [node.out])

    return build


def _does_not_type() -> Function:
    x, y = _x(), parameter("y", TensorType(dtypes.float32, (3,)), "feed")
    node = Node(get("add"), (x, y), {}, (F32,), "sum")
    return Function([x, y], [node], [node.out])


def _wrong_type() -> Function:
    x = _x()
    node = Node(get("exp"), (x,), {}, (TensorType(dtypes.float64, (2,)),), "y")
    return Function([x], [node], [node.out])


def _wrong_count() -> Function:
    x = _x()
    node = Node(get("exp"), (x,), {}, (F32, F32), "y")
    return Function([x], [node], [node.out])


def _wrong_arity() -> Function:
    x = _x()
    node = Node(get("exp"), (x, x), {}, (F32,), "y")
    return Function([x], [node], [node.out])


LOOP = OpDef(
    "loop",
    operands=("x*",),
    infer=lambda types, attrs: F32,
    reference=lambda *x, bodies: None,
    doc="An op with bodies.",
    vjp=NOT_DIFFERENTIABLE,
    jvp=NOT_DIFFERENTIABLE,
    attrs=("bodies",),
)


def _with_bodies(*bodies: Function) -> Function:
    loop = Node(LOOP, (), {"bodies": bodies}, (F32,), "loop")
    return Function([], [loop], [loop.out], name="outer")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (_stray_input, "node 'y' (exp) is an input and no parameter" + BUG),
        (_input_twice, "an input stands twice" + BUG),
        (_use_before_definition, "node 'second' (sin) uses 'first' before it is computed" + BUG),
        (_operand_of_nobody, "node 'y' (exp) uses 'x' before it is computed" + BUG),
        (_returned_and_not_computed, "node 'lost' (exp) is returned and not computed" + BUG),
        (_no_names, "outputs lack names" + BUG),
        (
            lambda: _role("placeholder"),
            "node 'node' (placeholder) is a placeholder, which no Function holds" + BUG,
        ),
        (
            lambda: _role("variable"),
            "node 'node' (variable) is a read, which no Function holds" + BUG,
        ),
        (_foreign_result, "node 'y' (exp) does not own its results" + BUG),
        (_wrong_index, "node 'y' (exp) does not own its results" + BUG),
        (
            _missing_attribute,
            "node 'c' (constant) has attributes ['value'] its record does not allow" + BUG,
        ),
        (
            _unknown_attribute,
            "node 'y' (exp) has attributes ['also', 'axis'] its record does not allow" + BUG,
        ),
        (_attribute([1]), "node 'c' (constant) attribute value is a list" + BUG),
        (_attribute((1, {2})), "node 'c' (constant) attribute value is a tuple" + BUG),
        (_attribute(np.ones(2)), "node 'c' (constant) attribute value is a ndarray" + BUG),
        (_attribute(np.float32(1)), "node 'c' (constant) attribute value is a float32" + BUG),
        (_does_not_type, "node 'sum' (add) does not type: shapes do not broadcast" + BUG),
        (
            _wrong_type,
            "node 'y' (exp) has type float64[2]; its op infers float32[2]" + BUG,
        ),
        (
            _wrong_arity,
            "node 'y' (exp) does not type: CompilerError: op 'exp' takes ('x',), was given 2 "
            "operands" + BUG,
        ),
        (
            _attribute((1, 2)),
            "node 'c' (constant) does not type: AttributeError: 'tuple' object has no attribute "
            "'dtype'" + BUG,
        ),
        (
            _wrong_count,
            "node 'y' (exp) has type float32[2], float32[2]; its op infers float32[2]" + BUG,
        ),
    ],
)
def test_what_is_broken_is_named(build: Callable[[], Function], message: str) -> None:
    for after, said in (("", ""), ("simplify", " after pass 'simplify'")):
        with pytest.raises(CompilerError) as caught:
            verify(build(), after)
        have = str(caught.value)
        assert have == f"Function 'main'{said}: {message}"


def test_a_read_only_array_of_the_inferred_type_passes() -> None:
    node = make_node(get("constant"), [], {"value": read_only(np.ones((2, 3)))})
    verify(Function([], [node], [node.out]))


def test_bodies_are_verified_too() -> None:
    x = _x()
    good = Function([x], [], [x], name="good")
    verify(_with_bodies(good, _with_bodies(good)))
    with pytest.raises(CompilerError) as caught:
        verify(_with_bodies(good, _with_bodies(_wrong_type())), "cse")
    assert str(caught.value) == (
        "Function 'main' after pass 'cse': node 'y' (exp) has type float64[2]; its op infers "
        "float32[2]" + BUG
    )


def test_a_body_uses_nothing_from_outside() -> None:
    x = _x()
    inner = make_node(get("exp"), [x], name="inner")
    loop = Node(LOOP, (x,), {"bodies": (Function([], [inner], [inner.out]),)}, (F32,), "loop")
    with pytest.raises(CompilerError) as caught:
        verify(Function([x], [loop], [loop.out]))
    assert str(caught.value) == (
        "Function 'main': node 'inner' (exp) uses 'x' before it is computed" + BUG
    )
