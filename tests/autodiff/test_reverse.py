"""Reverse mode: what `gradients` gives, what it is named, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.errors import DTypeError, GradientError, GraphError, ShapeError

from ..messages import whole

VECTOR = np.array([0.5, -1.25, 2.0])


def run(fetches: Any, feed: Any = None) -> Any:
    return sg.Session().run(fetches, feed)


def scalar(name: str = "x", dtype: str = "float64") -> sg.Tensor:
    return sg.placeholder(dtype, (), name=name)


# -- values -----------------------------------------------------------------------------------


def test_a_chain() -> None:
    x = scalar()
    (slope,) = sg.gradients(sg.exp(sg.sin(x)), x)
    assert run(slope, {x: 0.7}) == pytest.approx(np.exp(np.sin(0.7)) * np.cos(0.7), rel=1e-14)


def test_results_have_the_type_of_their_x() -> None:
    x = sg.placeholder("float32", (None, 3), name="x")
    w = sg.placeholder("float32", (3,), name="w")
    y = sg.sum(x * w)
    slopes = sg.gradients(y, [x, w])
    assert [slope.type for slope in slopes] == [x.type, w.type]


def test_several_ys_are_summed() -> None:
    x = scalar()
    (slope,) = sg.gradients([x * x, 3.0 * x], x)
    assert run(slope, {x: 2.0}) == 7.0


def test_several_xs_and_a_repeated_one() -> None:
    x, z = scalar("x"), scalar("z")
    slopes = sg.gradients(x * x * z, [x, z, x])
    assert run(slopes, {x: 2.0, z: 5.0}) == [20.0, 4.0, 20.0]


def test_no_xs_give_nothing() -> None:
    assert sg.gradients(scalar() * 2.0, []) == []


def test_y_is_x() -> None:
    x, v = scalar(), sg.placeholder("float64", (3,), name="v")
    slopes = [*sg.gradients(x, x), *sg.gradients(v, v, grad_ys=2.0)]
    one, twos = run(slopes, {x: 5.0, v: VECTOR})
    assert one == 1.0
    np.testing.assert_array_equal(twos, [2.0, 2.0, 2.0])


def test_the_same_y_twice_counts_twice() -> None:
    x = scalar()
    y = x * x
    assert run(sg.gradients([y, y], x), {x: 3.0}) == [12.0]


def test_an_x_that_is_computed_from_another_x() -> None:
    x = scalar()
    square = x * x
    slopes = sg.gradients(3.0 * square + x, [x, square])
    assert run(slopes, {x: 2.0}) == [13.0, 3.0]


def test_a_y_that_is_computed_from_another_y() -> None:
    x = scalar()
    square = x * x
    assert run(sg.gradients([square * square, square], x), {x: 2.0}) == [4 * 8.0 + 4.0]


def test_a_tensor_used_many_times() -> None:
    x = scalar()
    y = x
    for number in range(1, 20):
        y = y + float(number) * x
    assert run(sg.gradients(y, x), {x: 1.0}) == [191.0]


def test_broadcast_operands_get_their_own_shape() -> None:
    column = sg.placeholder("float64", (2, 1), name="column")
    row = sg.placeholder("float64", (3,), name="row")
    slopes = sg.gradients(column * row, [column, row], grad_ys=np.array([[1.0, 2, 3], [4, 5, 6]]))
    given = {column: [[2.0], [3.0]], row: VECTOR}
    of_column, of_row = run(slopes, given)
    np.testing.assert_allclose(of_column, [[0.5 - 2.5 + 6.0], [2.0 - 6.25 + 12.0]])
    np.testing.assert_allclose(of_row, [2.0 + 12, 4.0 + 15, 6.0 + 18])


def test_unknown_sizes_are_summed_at_run_time() -> None:
    lhs = sg.placeholder("float64", (None,), name="lhs")
    rhs = sg.placeholder("float64", (None,), name="rhs")
    slopes = sg.gradients(lhs * rhs, [lhs, rhs], grad_ys=1.0)
    session = sg.Session()
    of_lhs, of_rhs = session.run(slopes, {lhs: [2.0], rhs: VECTOR})
    np.testing.assert_allclose(of_lhs, [1.25])
    np.testing.assert_allclose(of_rhs, [2.0, 2.0, 2.0])
    of_lhs, of_rhs = session.run(slopes, {lhs: VECTOR, rhs: VECTOR})
    np.testing.assert_allclose(of_lhs, VECTOR)


def test_an_unknown_rank() -> None:
    x = sg.placeholder("float64", None, name="x")
    (slope,) = sg.gradients(sg.sin(x) * x, x, grad_ys=1.0)
    want = np.sin(VECTOR) + VECTOR * np.cos(VECTOR)
    np.testing.assert_allclose(run(slope, {x: VECTOR}), want)


def test_derivatives_of_every_order() -> None:
    x = scalar()
    tensors, values = [sg.sin(x)], [np.sin, np.cos, lambda v: -np.sin(v), lambda v: -np.cos(v)]
    for _ in range(7):
        tensors += sg.gradients(tensors[-1], x)
    have = run(tensors, {x: 0.4})
    np.testing.assert_allclose(have, [values[k % 4](0.4) for k in range(8)], rtol=1e-13)


def test_a_second_derivative_that_does_not_depend_on_x_is_unconnected() -> None:
    x = scalar()
    (slope,) = sg.gradients(3.0 * x, x)
    assert sg.gradients(slope, x, unconnected="none") == [None]


# -- variables --------------------------------------------------------------------------------


def test_every_read_of_a_variable_counts() -> None:
    w = sg.Variable(2.0, dtype="float64", name="w")
    y = w * w.read() + 3.0 * w.read()
    assert run(sg.gradients(y, w)) == [7.0]
    assert run(sg.gradients(y, w.value)) == [2.0]


def test_a_variable_as_y() -> None:
    w = sg.Variable(2.0, name="w")
    assert run(sg.gradients(w, w)) == [1.0]


def test_a_read_behind_an_assign_counts() -> None:
    w = sg.Variable(2.0, dtype="float64", name="w")
    with sg.control_dependencies([w.assign(5.0)]):
        y = w * w
        slope = sg.gradients(y, w)
    assert run(slope) == [10.0]


def test_gradients_pass_through_what_an_assign_returns() -> None:
    w = sg.Variable(2.0, dtype="float64", name="w")
    x = scalar()
    assert run(sg.gradients(3.0 * w.assign(x * x), x), {x: 4.0}) == [24.0]


def test_a_variable_that_stops() -> None:
    w = sg.Variable(2.0, dtype="float64", name="w")
    x = scalar()
    y = w * w.read() * x
    with pytest.raises(GradientError):
        sg.gradients(sg.identity(y), x, stop_gradients=[y])
    assert run(sg.gradients(y, [x, w], stop_gradients=[w]), {x: 3.0}) == [4.0, 12.0]


# -- grad_ys ----------------------------------------------------------------------------------


def test_grad_ys_in_every_form() -> None:
    x = sg.placeholder("float32", (3,), name="x")
    y = x * x
    seed = sg.placeholder("float32", (3,), name="seed")
    weights = np.array([1.0, 2.0, 3.0], np.float32)
    forms = [[1.0, 2.0, 3.0], [[1, 2, 3]], weights, [weights], np.float64(weights), seed, [seed]]
    slopes = [sg.gradients(y, x, grad_ys=form)[0] for form in forms]
    slopes += sg.gradients([y], x, grad_ys=[[1.0, 2.0, 3.0]])
    assert {slope.dtype for slope in slopes} == {np.dtype("float32")}
    given = VECTOR.astype(np.float32)
    for slope in run(slopes, {x: given, seed: weights}):
        np.testing.assert_array_equal(slope, 2 * given * weights)


def test_a_number_stands_for_all_elements() -> None:
    x = sg.placeholder("float64", (3,), name="x")
    y = x * x
    slopes = [*sg.gradients(y, x, grad_ys=2), *sg.gradients(y, x, grad_ys=[0.5])]
    slopes += sg.gradients([y, x], x, grad_ys=[sg.constant(1.0, "float64"), 3])
    twice, half, both = run(slopes, {x: VECTOR})
    np.testing.assert_array_equal(twice, 4 * VECTOR)
    np.testing.assert_array_equal(half, VECTOR)
    np.testing.assert_array_equal(both, 2 * VECTOR + 3)


def test_none_among_grad_ys_is_one_for_a_scalar() -> None:
    x = scalar()
    slope = sg.gradients([x * x, x], x, grad_ys=[None, 10.0])
    assert run(slope, {x: 3.0}) == [16.0]
    assert run(sg.gradients(x * x, x, grad_ys=[None]), {x: 3.0}) == [6.0]


def test_the_derivative_by_a_grad_y_is_the_transposed_product() -> None:
    x = sg.placeholder("float64", (3,), name="x")
    seed = sg.placeholder("float64", (3,), name="seed")
    (slope,) = sg.gradients(sg.exp(x), x, grad_ys=seed)
    (moved,) = sg.gradients(slope, seed, grad_ys=1.0)
    np.testing.assert_allclose(run(moved, {x: VECTOR}), np.exp(VECTOR))


def test_wrong_number_of_grad_ys() -> None:
    x = scalar()
    with pytest.raises(GradientError) as info:
        sg.gradients([x * x, x], x, grad_ys=[1.0])
    assert whole(info) == (
        "gradients: there are 2 ys and 1 grad_ys\n  give one adjoint (or None) per y\n  at <here>"
    )


def test_wrong_dtype_of_a_grad_y() -> None:
    x = scalar(dtype="float32")
    y = sg.square(x, name="y")
    seed = sg.constant(1.0, "float64", name="seed")
    with pytest.raises(DTypeError) as info:
        sg.gradients(y, x, grad_ys=seed)
    assert whole(info, y=y, seed=seed) == (
        "gradients: a grad_y differs from its tensor in dtype\n"
        "  tensor 'y'  float32[]  square at <y>\n"
        "  grad_y 'seed'  float64[]  constant at <seed>\n"
        "  convert it: sg.cast(..., 'float32')\n"
        "  at <here>"
    )


def test_wrong_shape_of_a_grad_y() -> None:
    x = sg.placeholder("float64", (None, 3), name="x")
    with pytest.raises(ShapeError) as info:
        sg.gradients(x, x, grad_ys=np.ones(2))
    assert whole(info, x=x) == (
        "gradients: a grad_y has shape [2], its tensor [?, 3]\n"
        "  tensor 'x'  float64[?, 3]  placeholder at <x>\n"
        f"  grad_y 'grad_y'  float64[2]  constant at {_short(info)}\n"
        "  give one element per element of the tensor, or a scalar for all of them\n"
        "  at <here>"
    )


def _short(info: Any) -> str:
    from ..messages import here

    return ":".join(here(info).split(":")[:2])


def test_a_grad_y_that_is_no_array() -> None:
    x = scalar()
    with pytest.raises(DTypeError) as info:
        sg.gradients(x, x, grad_ys="much")
    assert whole(info) == (
        "constant: 'much' is no array of numbers\n"
        "  its dtype is <U4\n"
        "  staticgraph computes in bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, "
        "float16, bfloat16, float32, float64, complex64, complex128\n"
        "  at <here>"
    )


def test_a_grad_y_of_another_graph() -> None:
    x = scalar()
    with sg.Graph().as_default():
        seed = scalar("seed")
    with pytest.raises(GraphError) as info:
        sg.gradients(x, x, grad_ys=seed)
    assert whole(info, x=x) == (
        "gradients: a grad_y belongs to another graph\n"
        "  tensor 'x'  float64[]  placeholder at <x>\n"
        "  grad_y 'seed'  float64[]  placeholder at <x>\n"
        "  build both in one graph\n"
        "  at <here>"
    )


def test_a_y_that_is_no_scalar() -> None:
    x = sg.placeholder("float32", (None, 3), name="x")
    y = sg.sin(x, name="y")
    with pytest.raises(GradientError) as info:
        sg.gradients(y, x)
    assert whole(info, y=y) == (
        "gradients: y is not a scalar, its shape is [?, 3]\n"
        "  y 'y'  float32[?, 3]  sin at <y>\n"
        "  give an incoming gradient of its shape, grad_ys=..., or reduce it first: "
        "gradients(sg.sum(y), xs)\n"
        "  at <here>"
    )


def test_a_y_of_one_element_is_no_scalar_either() -> None:
    x = sg.placeholder("float32", (1,), name="x")
    with pytest.raises(GradientError, match=r"its shape is \[1\]"):
        sg.gradients(x, x)
    unknown = sg.placeholder("float32", None, name="unknown")
    with pytest.raises(GradientError, match=r"its shape is \[\.\.\.\]"):
        sg.gradients(unknown, unknown)


# -- stop_gradients ---------------------------------------------------------------------------


def test_stops_make_partial_derivatives() -> None:
    x = scalar()
    square = x * x
    y = square * x
    assert run(sg.gradients(y, x, stop_gradients=[square]), {x: 3.0}) == [9.0]
    assert run(sg.gradients(y, [x, square], stop_gradients=square), {x: 3.0}) == [9.0, 3.0]
    assert run(sg.gradients(y, [x, square], stop_gradients=[x]), {x: 3.0}) == [27.0, 3.0]


def test_stopping_the_xs_leaves_their_own_derivatives() -> None:
    a = scalar("a")
    b = 2.0 * a
    assert run(sg.gradients(a + b, [a, b], stop_gradients=[a, b]), {a: 0.0}) == [1.0, 1.0]
    assert run(sg.gradients(a + b, [a, b]), {a: 0.0}) == [3.0, 1.0]


def test_a_stopped_result_of_several() -> None:
    x = sg.placeholder("float64", (4,), name="x")
    front, back = sg.split(x * x, 2)
    y = sg.sum(front) + sg.sum(back)
    (slope,) = sg.gradients(y, x, stop_gradients=[back])
    np.testing.assert_array_equal(run(slope, {x: [1.0, 2, 3, 4]}), [2, 4, 0, 0])


def test_a_path_that_only_a_stop_cuts() -> None:
    x = scalar()
    square = sg.square(x, name="squared")
    y = sg.identity(square, name="y")
    with pytest.raises(GradientError) as info:
        sg.gradients(y, x, stop_gradients=[square])
    assert whole(info, x=x, y=y, square=square) == (
        "gradients: no derivative passes from y to x\n"
        "  y 'y'  float64[]  identity at <y>\n"
        "  x 'x'  float64[]  placeholder at <x>\n"
        "  'squared' (square, at <square>) lies between and is among stop_gradients\n"
        "  differentiate with respect to a tensor that y is computed from, or say "
        "unconnected='zero' or unconnected='none'\n"
        "  at <here>"
    )


def test_a_stop_that_is_no_tensor() -> None:
    x = scalar()
    with pytest.raises(GradientError) as info:
        sg.gradients(x, x, stop_gradients=[3.0])
    assert whole(info) == (
        "gradients: a member of stop_gradients is a float, not a tensor\n"
        "  stop_gradients takes Tensors and Variables\n"
        "  at <here>"
    )


# -- what is unconnected ----------------------------------------------------------------------


def test_an_x_that_y_does_not_depend_on() -> None:
    x, z = scalar("x"), scalar("z")
    y = sg.sin(x, name="y")
    with pytest.raises(GradientError) as info:
        sg.gradients(y, [x, z])
    assert whole(info, y=y, z=z) == (
        "gradients: y does not depend on x\n"
        "  y 'y'  float64[]  sin at <y>\n"
        "  x 'z'  float64[]  placeholder at <z>\n"
        "  differentiate with respect to a tensor that y is computed from, or say "
        "unconnected='zero' or unconnected='none'\n"
        "  at <here>"
    )


def test_an_x_that_was_made_from_y() -> None:
    y = scalar("y")
    x = 2.0 * y
    with pytest.raises(GradientError, match="gradients: y does not depend on x"):
        sg.gradients(y, x)


def test_zeros_and_none_for_what_is_unconnected() -> None:
    x = scalar("x")
    z = sg.placeholder("float64", (None, 2), name="z")
    y = sg.sin(x)
    assert run(sg.gradients(y, [x, z], unconnected="zero")[1], {z: np.ones((3, 2))}).tolist() == [
        [0, 0], [0, 0], [0, 0],
    ]  # fmt: skip
    slopes = sg.gradients(y, [x, z], unconnected="none")
    assert slopes[1] is None
    assert run(slopes[0], {x: 0.0}) == 1.0


def test_the_node_that_cuts_the_path_is_named() -> None:
    x = sg.placeholder("float32", (3,), name="x")
    y = sg.cast(sg.argmax(x, name="best"), "float32", name="y")
    with pytest.raises(GradientError) as info:
        sg.gradients(y, x)
    best = x.graph.operation("best")
    assert whole(info, x=x, y=y, best=best) == (
        "gradients: no derivative passes from y to x\n"
        "  y 'y'  float32[]  cast at <y>\n"
        "  x 'x'  float32[3]  placeholder at <x>\n"
        "  'best' (argmax, at <y>) lies between and has no derivative\n"
        "  differentiate with respect to a tensor that y is computed from, or say "
        "unconnected='zero' or unconnected='none'\n"
        "  at <here>"
    )


def test_a_cast_to_integers_cuts_the_path() -> None:
    w = sg.Variable(2.5, name="w")
    whole_number = sg.cast(w, "int32", name="whole")
    y = sg.cast(whole_number, "float32", name="y")
    with pytest.raises(GradientError) as info:
        sg.gradients(y, w)
    assert whole(info, w=w, y=y, cut=whole_number) == (
        "gradients: no derivative passes from y to x\n"
        "  y 'y'  float32[]  cast at <y>\n"
        "  x 'w'  float32[]  variable at <w>\n"
        "  'whole' (cast, at <cut>) lies between and its result is int32\n"
        "  differentiate with respect to a tensor that y is computed from, or say "
        "unconnected='zero' or unconnected='none'\n"
        "  at <here>"
    )


def test_a_stop_gradient_cuts_the_path() -> None:
    x = scalar()
    y = x * sg.stop_gradient(x * x)
    assert run(sg.gradients(y, x), {x: 3.0}) == [9.0]
    with pytest.raises(GradientError, match=r"'cut' \(stop_gradient, at .*\) lies between"):
        sg.gradients(sg.stop_gradient(x, name="cut"), x)


def test_a_derivative_that_is_zero_everywhere_is_a_derivative() -> None:
    x = scalar()
    assert run(sg.gradients(sg.floor(x) + sg.sign(x), x), {x: 1.5}) == [0.0]
    assert run(sg.gradients(x**0, x), {x: 1.5}) == [0.0]


def test_unconnected_must_be_a_choice() -> None:
    x = scalar()
    with pytest.raises(GradientError) as info:
        sg.gradients(x, x, unconnected="ignore")  # type: ignore[call-overload]
    assert whole(info) == (
        "gradients: unconnected='ignore' is no choice\n"
        "  give 'error', 'zero' or 'none'\n"
        "  at <here>"
    )


# -- what is no y and no x --------------------------------------------------------------------


def test_an_integer_y() -> None:
    x = scalar()
    y = sg.cast(x, "int64", name="y")
    with pytest.raises(GradientError) as info:
        sg.gradients(y, x)
    assert whole(info, y=y) == (
        "gradients: y is int64, which has no derivative\n"
        "  y 'y'  int64[]  cast at <y>\n"
        "  differentiate a floating tensor; sg.cast(y, 'float32') would not help, since no "
        "derivative passes from a float to an integer\n"
        "  at <here>"
    )


def test_an_integer_x() -> None:
    x = sg.placeholder("int32", (), name="x")
    with pytest.raises(GradientError) as info:
        sg.gradients(sg.sin(x), x)
    assert whole(info, x=x) == (
        "gradients: x is int32, which has no derivative\n"
        "  x 'x'  int32[]  placeholder at <x>\n"
        "  compute y from a floating tensor\n"
        "  at <here>"
    )


def test_no_y() -> None:
    with pytest.raises(GradientError) as info:
        sg.gradients([], scalar())
    assert whole(info) == (
        "gradients: there is no y\n  give the tensor to differentiate\n  at <here>"
    )


def test_a_y_that_is_no_tensor() -> None:
    x = scalar()
    with pytest.raises(GradientError) as info:
        sg.gradients([x, None], x)
    assert whole(info) == (
        "gradients: y is a NoneType, not a tensor\n  give the Tensor to differentiate\n  at <here>"
    )


def test_an_x_that_is_no_tensor() -> None:
    x = scalar()
    with pytest.raises(GradientError) as info:
        sg.gradients(x, [x, "x"])
    assert whole(info) == (
        "gradients: x is a str, not a tensor\n"
        "  give the Tensor or Variable that y was computed from\n"
        "  at <here>"
    )


def test_ys_of_two_graphs() -> None:
    y = scalar("y")
    with sg.Graph().as_default():
        other = scalar("other")
    with pytest.raises(GraphError) as info:
        sg.gradients([y, other], y)
    assert whole(info, y=y) == (
        "gradients: the ys belong to different graphs\n"
        "  y 'y'  float64[]  placeholder at <y>\n"
        "  y 'other'  float64[]  placeholder at <y>\n"
        "  differentiate each in its own graph\n"
        "  at <here>"
    )


@pytest.mark.parametrize("make", [scalar, lambda: sg.Variable(1.0, "float64", name="x")])
def test_an_x_of_another_graph(make: Any) -> None:
    y = scalar("y")
    with sg.Graph().as_default():
        x = make()
    with pytest.raises(GraphError) as info:
        sg.gradients(y, x)
    kind = "variable" if isinstance(x, sg.Variable) else "placeholder"
    assert whole(info, x=x) == (
        "gradients: x and y belong to different graphs\n"
        f"  x 'x'  float64[]  {kind} at <x>\n"
        "  differentiate with respect to tensors of y's graph\n"
        "  at <here>"
    )


def test_a_refused_call_leaves_the_scopes_alone(graph: sg.Graph) -> None:
    x = sg.placeholder("int32", (), name="x")
    for _ in range(2):
        with pytest.raises(GradientError):
            sg.gradients(sg.sin(x), x)
    assert sg.identity(x).name == "identity"


# -- names, places and scopes -----------------------------------------------------------------


def test_adjoint_nodes_are_named_and_placed_after_their_nodes(graph: sg.Graph) -> None:
    with sg.name_scope("model"):
        x = scalar()
        y = sg.tanh(x, name="squash") * x
    before = len(graph.operations)
    sg.gradients(y, x)
    made = [node for node in graph.operations[before:] if node.op.name != "constant"]
    assert [node.name for node in made] == [
        "gradients/model/multiply/multiply",
        "gradients/model/multiply/multiply_1",
        "gradients/model/squash/multiply",
        "gradients/model/squash/subtract",
        "gradients/model/squash/multiply_1",
        "gradients/model/x/add",
    ]
    squash = graph.operation("model/squash")
    assert squash is not None
    nodes = ["model/multiply"] * 2 + ["model/squash"] * 3 + ["model/x"]
    assert [node.location.adjoint_of for node in made] == nodes
    assert made[2].location.forward is squash.location
    line = made[2].location.line
    assert made[2].location.text == "sg.gradients(y, x)"
    assert str(made[2].location) == (
        f"tests/autodiff/test_reverse.py:{line}: sg.gradients(y, x) "
        f"(adjoint of 'model/squash' at {squash.location})"
    )


def test_gradients_in_a_name_scope_and_a_second_time(graph: sg.Graph) -> None:
    x = scalar()
    y = sg.exp(x, name="y")
    with sg.name_scope("train"):
        (slope,) = sg.gradients(y, x)
    (again,) = sg.gradients(y, x)
    (other,) = sg.gradients(y, x)
    (second,) = sg.gradients(slope, x)
    names = [tensor.name for tensor in (slope, again, other, second)]
    assert names == [
        "train/gradients/y/multiply",
        "gradients/y/multiply",
        "gradients_1/y/multiply",
        "gradients_2/y/multiply",
    ]
    assert sg.identity(x).name == "identity"


def test_gradients_within_control_dependencies_wait() -> None:
    x = scalar()
    counter = sg.Variable(0, name="counter")
    y = x * x * 3.0
    with sg.control_dependencies([counter.assign_add(1)]):
        (slope,) = sg.gradients(y, x)
    session = sg.Session()
    assert session.run(slope, {x: 2.0}) == 12.0
    assert session.run(counter) == 1
    # Literals first written in the block serve the whole graph and wait for nothing.
    assert session.run(x * 2.0, {x: 2.0}) == 4.0
    assert session.run(sg.gradients(y, x), {x: 2.0}) == [12.0]
    assert session.run(counter) == 1


def test_a_finalized_graph_takes_no_gradients(graph: sg.Graph) -> None:
    x = scalar()
    y = x * x
    graph.finalize()
    with pytest.raises(GraphError, match="the graph is finalized"):
        sg.gradients(y, x)


# -- size -------------------------------------------------------------------------------------


def test_parts_are_added_as_they_come(graph: sg.Graph) -> None:
    x = scalar()
    y = sg.sin(x) + sg.exp(x) + sg.tanh(x)
    before = len(graph)
    sg.gradients(y, x)
    made = [node.name for node in graph.operations[before:] if node.op.name != "constant"]
    # No more than two parts wait for each other, however many there are.
    assert made == [
        "gradients/tanh/multiply",
        "gradients/tanh/subtract",
        "gradients/tanh/multiply_1",
        "gradients/exp/multiply",
        "gradients/x/add",
        "gradients/sin/cos",
        "gradients/sin/multiply",
        "gradients/x/add_1",
    ]


@pytest.mark.parametrize("masked", [False, True])
def test_a_tensor_used_very_many_times(
    masked: bool, graph: sg.Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATICGRAPH_CHECK", "0")
    x = scalar()
    y = x
    for _ in range(10_000):
        y = y + (sg.where(x > 0, sg.log(x), 0.0) if masked else sg.sin(x))
    before = len(graph)
    (slope,) = sg.gradients(y, x)
    (moved,) = sg.jvp(y, x, 1.0)
    assert len(graph) < 4 * before
    want = 1 + 1e4 * (2.0 if masked else np.cos(0.5))
    np.testing.assert_allclose(run([slope, moved], {x: 0.5}), want, rtol=1e-11)
