"""Placeholders, variables, and the ops that watch a run, as they are built."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core.graph import Graph
from staticgraph.errors import DTypeError, GraphError, RunError, ShapeError
from tests.messages import whole

# -- placeholders -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        (None, None), ((), ()), ([2, None], (2, None)), (3, (3,)), ("batch", ("batch",)),
        ((np.int64(2), "n"), (2, "n")), (range(3), (0, 1, 2)), (np.array([2, 3]), (2, 3)),
    ],
)  # fmt: skip
def test_shapes_of_placeholders(shape: Any, shown: Any) -> None:
    x = sg.placeholder("float32", shape)
    assert x.shape == shown
    assert x.dtype == np.float32


@pytest.mark.parametrize(
    ("shape", "dim"),
    [
        ((2, -1), "-1"), ((2, 1.5), "1.5"), ((True,), "True"), (("not a name",), "'not a name'"),
        (("",), "''"), (("?0",), "'?0'"), (2.5, "2.5"), ((np.int64(-2),), "np.int64(-2)"),
        (((2,),), "(2,)"),
    ],
)  # fmt: skip
def test_what_is_no_size(shape: Any, dim: str) -> None:
    with pytest.raises(ShapeError) as caught:
        sg.placeholder("float32", shape)
    assert whole(caught) == (
        f"placeholder: {dim} is no size of an axis\n"
        "  give an int that is not negative, None (unknown), or an identifier such as 'batch' "
        "(equal names, equal sizes)\n"
        "  at <here>"
    )


def test_a_tensor_is_no_shape() -> None:
    x = sg.placeholder("int64", (2,), name="x")
    with pytest.raises(ShapeError) as caught:
        sg.placeholder("float32", x)
    assert whole(caught).startswith("placeholder: <Tensor 'x' int64[2]> is no size of an axis\n")


def test_equal_names_are_equal_sizes() -> None:
    x, y = sg.placeholder("float32", ("n", 1)), sg.placeholder("float32", ("n", 3))
    assert (x + y).shape == ("n", 3)
    z = sg.placeholder("float32", ("m", 3))
    assert (y + z).shape == (None, 3)


def test_a_default_may_be_any_value() -> None:
    x = sg.placeholder_with_default([1.0, 2.0], name="x")
    assert (x.name, x.shape, x.dtype) == ("x", (2,), np.float32)
    y = sg.placeholder_with_default(x * 2.0, (None,))
    assert y.shape == (None,)
    session = sg.Session()
    assert session.run(y).tolist() == [2, 4]
    assert session.run(y, {x: [3, 4]}).tolist() == [6, 8]
    assert session.run(y, {y: [5.0, 6.0, 7.0]}).tolist() == [5, 6, 7]


def test_a_default_of_another_shape() -> None:
    with pytest.raises(ShapeError) as caught:
        sg.placeholder_with_default(np.ones((2, 3)), (None, 4))
    assert whole(caught) == (
        "placeholder_with_default: the default does not have the declared shape\n"
        "  default 'constant'  float64[2, 3]  constant at tests/ops/test_state.py:"
        f"{_line_of('sg.placeholder_with_default(np.ones((2, 3)), (None, 4))')}\n"
        "  shape [?, 4]\n"
        "  at <here>"
    )


def _line_of(text: str) -> int:
    with open(__file__, encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if line.strip() == text)


def test_derivatives_pass_to_the_default() -> None:
    w = sg.constant(3.0)
    x = sg.placeholder_with_default(w * w)
    (slope,) = sg.gradients(x * 2.0, w)
    (moved,) = sg.jvp(x * 2.0, w, 1.0)
    assert sg.Session().run([slope, moved]) == [12.0, 12.0]


# -- variables --------------------------------------------------------------------------------


def test_a_variable_knows_what_its_initial_value_says() -> None:
    v = sg.Variable([[1.0, 2.0]], name="v")
    assert (v.name, v.dtype, v.shape, v.ndim, v.size) == ("v", np.float32, (1, 2), 2, 2)
    assert v.trainable
    assert repr(v) == "<Variable 'v' float32[1, 2]>"
    assert v.graph.variables == {"v": v}
    assert v.location.text == 'v = sg.Variable([[1.0, 2.0]], name="v")'
    assert len({v, v}) == 1


def test_names_of_variables_are_unique_and_scoped() -> None:
    a = sg.Variable(1.0)
    b = sg.Variable(1.0)
    with sg.name_scope("layer"):
        c = sg.Variable(1.0, name="w")
        d = sg.Variable(1.0, name="w")
    assert [v.name for v in (a, b, c, d)] == ["variable", "variable_1", "layer/w", "layer/w_1"]
    assert [v.value.name for v in (a, b, c, d)] == [v.name for v in (a, b, c, d)]
    assert list(a.graph.variables) == [v.name for v in (a, b, c, d)]


def test_initial_values_come_in_many_forms() -> None:
    x = sg.constant(np.arange(3))
    made = [
        sg.Variable(2),
        sg.Variable(2, dtype="float64"),
        sg.Variable(np.ones(2, np.int8)),
        sg.Variable(x * 2),
        sg.Variable(x, dtype="float32"),
        sg.Variable(lambda: [1.5, 2.5]),
    ]
    made.append(sg.Variable(made[0]))
    have = sg.Session().run(made)
    assert [np.asarray(value).tolist() for value in have] == [
        2, 2.0, [1, 1], [0, 2, 4], [0, 1, 2], [1.5, 2.5], 2,
    ]  # fmt: skip
    assert [v.dtype.name for v in made] == [
        "int64", "float64", "int8", "int64", "float32", "float32", "int64",
    ]  # fmt: skip


def test_an_initial_value_waits_for_nothing() -> None:
    v = sg.Variable(1.0, name="v")
    with sg.control_dependencies([v.assign(5.0)]):
        w = sg.Variable(2.0, name="w")
        late = sg.Variable(lambda: sg.constant(3.0) * 2.0)
    session = sg.Session()
    assert session.run([w, late]) == [2.0, 6.0]
    assert session.run(v) == 1.0


def test_an_initial_value_of_another_graph() -> None:
    x = sg.constant(1.0, name="x")
    with Graph().as_default(), pytest.raises(GraphError) as caught:
        sg.Variable(x)
    assert whole(caught, x=x) == (
        "Variable: the initial value belongs to another graph\n"
        "  'x'  float32[]  constant at <x>\n"
        "  make the variable in the graph of its initial value\n"
        "  at <here>"
    )


def test_assigned_values_take_the_dtype_of_the_variable() -> None:
    v = sg.Variable([1, 2], dtype="int8", name="v")
    session = sg.Session()
    assert session.run(v.assign([3, 4])).dtype == np.int8
    assert session.run(v.assign_add(1)).tolist() == [4, 5]
    assert session.run(v.assign_sub([1, 2])).tolist() == [3, 3]
    assert session.run(v.assign(sg.Variable([7, 8], dtype="int8"))).tolist() == [7, 8]
    names = [v.assign([0, 0]).name, v.assign_add(1).name, v.assign([0, 0], name="reset").name]
    assert names == ["assign_2", "assign_add_1", "reset"]


def test_an_assigned_number_that_does_not_fit() -> None:
    v = sg.Variable(1, dtype="uint8")
    with pytest.raises(DTypeError) as caught:
        v.assign(300)
    assert whole(caught) == (
        "constant: 300 does not fit uint8\n"
        "  give a wider dtype; beside a tensor, convert that with sg.cast first\n"
        "  at <here>"
    )


def test_an_assigned_value_of_another_dtype() -> None:
    v = sg.Variable([1.0, 2.0], name="v")
    x = sg.placeholder("float64", (2,), name="x")
    with pytest.raises(DTypeError) as caught:
        v.assign(x)
    assert whole(caught, x=x) == (
        "assign: variable 'v' is float32, the value float64\n"
        "  value 'x'  float64[2]  placeholder at <x>\n"
        "  convert the value with sg.cast\n"
        "  created at <here>"
    )


def test_an_assigned_value_of_another_shape() -> None:
    v = sg.Variable([1.0, 2.0], name="v")
    x = sg.placeholder("float32", (None, 2), name="x")
    with pytest.raises(ShapeError) as caught:
        v.assign(x)
    assert whole(caught, x=x) == (
        "assign: variable 'v' has shape [2], the value [?, 2]\n"
        "  value 'x'  float32[?, 2]  placeholder at <x>\n"
        "  a variable keeps its shape; reshape or broadcast the value first\n"
        "  created at <here>"
    )
    with pytest.raises(ShapeError) as caught:
        v.assign(1.0)
    assert whole(caught).startswith("assign: variable 'v' has shape [2], the value []\n")


def test_an_assigned_value_of_another_graph() -> None:
    v = sg.Variable(1.0)
    with Graph().as_default():
        x = sg.constant(1.0)
    with pytest.raises(GraphError, match="operands belong to different graphs"):
        v.assign(x)


def test_reads_stand_where_they_are_made() -> None:
    v = sg.Variable(1.0, name="v")
    assert v.value is v.value
    assert v.read().name == "read"
    assert v.read(name="now").name == "now"
    assert (v + 1.0).node.inputs[0] is v.value
    with sg.control_dependencies([v.assign(2.0)]):
        inside = (v + 1.0).node.inputs[0]
    assert inside is not v.value
    assert inside.node.control_inputs


def test_derivatives_pass_through_assigns_and_reads() -> None:
    v = sg.Variable(3.0)
    through = v.assign(v * v) * 2.0
    (slope,) = sg.gradients(through, v)
    (moved,) = sg.jvp(through, v, 1.0)
    assert sg.Session().run([slope, moved]) == [12.0, 12.0]


# -- print and assert -------------------------------------------------------------------------


def test_print_shows_the_value_in_every_run(capsys: pytest.CaptureFixture[str]) -> None:
    x = sg.placeholder("float32", (2,), name="x")
    shown = sg.print(x * 2.0, "twice x: ")
    y = sg.sum(shown)
    session = sg.Session()
    assert session.run(y, {x: [1, 2]}) == 6
    assert session.run(y, {x: [3, 4]}) == 14
    assert capsys.readouterr().out == "twice x: [2. 4.]\ntwice x: [6. 8.]\n"
    session.run(x + 1.0, {x: [1, 2]})
    assert capsys.readouterr().out == ""


def test_prints_keep_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    x = sg.constant(1.0)
    prints = [sg.print(x, f"{number}: ") for number in range(3)]
    sg.Session().run(sg.group(*reversed(prints)))
    assert capsys.readouterr().out == "0: 1.\n1: 1.\n2: 1.\n"


def test_two_equal_prints_both_print(capsys: pytest.CaptureFixture[str]) -> None:
    x = sg.placeholder("float32", ())
    sg.Session().run(sg.print(x, "x ") + sg.print(x, "x "), {x: 1.0})
    assert capsys.readouterr().out == "x 1.\nx 1.\n"


def test_derivatives_pass_a_print_and_do_not_print(capsys: pytest.CaptureFixture[str]) -> None:
    x = sg.placeholder("float32", ())
    (slope,) = sg.gradients(sg.print(x) * 3.0, x)
    assert sg.Session().run(slope, {x: 1.0}) == 3.0
    assert capsys.readouterr().out == ""


def test_an_assertion_that_holds_gives_nothing() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    check = sg.assert_true(x > 0)
    session = sg.Session()
    assert session.run(check, {x: [1, 2]}) is None
    assert session.run(check, {x: np.zeros(0, np.float32)}) is None
    with sg.control_dependencies([check]):
        y = sg.identity(x)
    assert session.run(y, {x: [1, 2]}).tolist() == [1, 2]


def test_an_assertion_that_fails_shows_its_data() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    positive = x > 0
    check = sg.assert_true(positive, "x is not positive", [x, sg.sum(x)])
    with pytest.raises(RunError) as caught:
        sg.Session().run(check, {x: [1, -2]})
    message = whole(caught, x=x, positive=positive, check=check)
    assert message == (
        "assert_true: x is not positive\n"
        "  condition 'greater'  bool[?]  greater at <positive>\n"
        "  data[0] 'x'  float32[?]  feed at <x>\n"
        "  data[1] 'sum'  float32[]  sum at <check>\n"
        "  data[0] is [ 1. -2.]\n"
        "  data[1] is -1.\n"
        "  created at <check>"
    )


def test_an_assertion_nobody_needs_does_not_run() -> None:
    x = sg.placeholder("float32", (), name="x")
    sg.assert_true(x > 0)
    assert sg.Session().run(x * 1.0, {x: -1.0}) == -1.0
