"""Forward mode: what `jvp` gives, what it is named, and what it refuses."""

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


def test_a_chain() -> None:
    x = scalar()
    (moved,) = sg.jvp(sg.exp(sg.sin(x)), x, 2.0)
    assert run(moved, {x: 0.7}) == pytest.approx(2 * np.exp(np.sin(0.7)) * np.cos(0.7), rel=1e-14)


def test_several_ys_and_xs() -> None:
    x, z = scalar("x"), scalar("z")
    moved = sg.jvp([x * z, x + z, x], [x, z], [10.0, 1.0])
    assert run(moved, {x: 2.0, z: 3.0}) == [32.0, 11.0, 10.0]


def test_results_have_the_type_of_their_y() -> None:
    x = sg.placeholder("float32", (None, 1), name="x")
    w = sg.placeholder("float32", (3,), name="w")
    y = x * w
    assert [moved.type for moved in sg.jvp([y, x], [w], [1.0])] == [y.type, x.type]


def test_a_broadcast_operand_moves_every_element() -> None:
    x = sg.placeholder("float64", (3,), name="x")
    w = scalar("w")
    (moved,) = sg.jvp(x * sg.exp(w), w, 2.0)
    np.testing.assert_allclose(run(moved, {x: VECTOR, w: 0.0}), 2 * VECTOR)


def test_y_is_x_and_a_repeated_x() -> None:
    x = scalar()
    assert run(sg.jvp([x, x * x], [x, x], [1.0, 2.0]), {x: 5.0}) == [3.0, 30.0]


def test_an_x_that_is_computed_from_another_x_moves_along_both() -> None:
    x = scalar()
    square = x * x
    moved = sg.jvp(3.0 * square + x, [x, square], [1.0, 10.0])
    assert run(moved, {x: 2.0}) == [43.0]


def test_every_read_of_a_variable_moves() -> None:
    w = sg.Variable(2.0, dtype="float64", name="w")
    assert run(sg.jvp(w * w.read() + 3.0 * w.read(), w, 1.0)) == [7.0]


def test_a_y_that_does_not_move_gets_zeros() -> None:
    x = sg.placeholder("float32", (2,), name="x")
    z = scalar("z", "float32")
    moved = sg.jvp([sg.floor(x), sg.stop_gradient(x) + z, z], x, 1.0)
    have = run(moved, {x: [1.5, 2.5], z: 1.0})
    np.testing.assert_array_equal(have[0], np.zeros(2, np.float32), strict=True)
    np.testing.assert_array_equal(have[1], np.zeros(2, np.float32), strict=True)
    assert have[2] == 0.0


def test_linear_functions_fill_operands_that_do_not_move() -> None:
    x = sg.placeholder("float64", (2,), name="x")
    (moved,) = sg.jvp(sg.concat([x, np.ones(1), 2.0 * x]), x, [1.0, 10.0])
    np.testing.assert_array_equal(run(moved), [1, 10, 0, 2, 20])


def test_tangents_in_every_form() -> None:
    x = sg.placeholder("float32", (3,), name="x")
    seed = sg.placeholder("float32", (3,), name="seed")
    weights = np.array([1.0, 2.0, 3.0], np.float32)
    forms = [[1.0, 2.0, 3.0], [[1, 2, 3]], weights, [weights], np.float64(weights), seed, [seed]]
    moved = [sg.jvp(x * x, x, form)[0] for form in forms]
    moved += sg.jvp(x * x, [x], [[1.0, 2.0, 3.0]])
    given = VECTOR.astype(np.float32)
    for tangent in run(moved, {x: given, seed: weights}):
        np.testing.assert_array_equal(tangent, 2 * given * weights, strict=True)


def test_tangents_are_named_and_placed_after_their_nodes(graph: sg.Graph) -> None:
    x = scalar()
    y = sg.tanh(x, name="squash")
    (moved,) = sg.jvp(y, x, 1.0)
    assert moved.name == "jvp/squash/multiply_1"
    assert moved.node.location.text == "sg.jvp(y, x, 1.0)".replace("sg", "(moved,) = sg", 1)
    assert moved.node.location.adjoint_of == "squash"
    assert moved.node.location.forward is y.node.location


def test_directional_derivatives_agree_with_reverse_mode() -> None:
    random = np.random.default_rng(3)
    x = sg.placeholder("float64", (4, 3), name="x")
    w = sg.placeholder("float64", (3, 2), name="w")
    y = sg.softmax(sg.tanh(sg.matmul(x, w)))
    tangents = [random.standard_normal((4, 3)), random.standard_normal((3, 2))]
    adjoint = random.standard_normal((4, 2))
    (moved,) = sg.jvp(y, [x, w], tangents)
    slopes = sg.gradients(y, [x, w], adjoint)
    given = {x: random.standard_normal((4, 3)), w: random.standard_normal((3, 2))}
    forward, reverse = run([moved, slopes], given)
    products = [np.sum(s * t) for s, t in zip(reverse, tangents, strict=True)]
    assert np.sum(forward * adjoint) == pytest.approx(sum(products), rel=1e-12)


# -- what is refused --------------------------------------------------------------------------


def test_wrong_number_of_tangents() -> None:
    x = scalar()
    with pytest.raises(GradientError) as info:
        sg.jvp(x, [x], [1.0, 2.0])
    assert whole(info) == (
        "jvp: there are 1 xs and 2 tangents\n  give one tangent per x\n  at <here>"
    )


def test_wrong_dtype_of_a_tangent() -> None:
    x = scalar(dtype="float32")
    with pytest.raises(DTypeError) as info:
        sg.jvp(x, x, sg.constant(1.0, "float64", name="t"))
    assert whole(info, x=x) == (
        "jvp: a tangent differs from its tensor in dtype\n"
        "  tensor 'x'  float32[]  placeholder at <x>\n"
        f"  tangent 't'  float64[]  constant at {_short(info)}\n"
        "  convert it: sg.cast(..., 'float32')\n"
        "  at <here>"
    )


def _short(info: Any) -> str:
    from ..messages import here

    return ":".join(here(info).split(":")[:2])


def test_wrong_shape_of_a_tangent() -> None:
    x = sg.placeholder("float32", (3,), name="x")
    with pytest.raises(ShapeError) as info:
        sg.jvp(x, x, np.ones((2, 3)))
    assert whole(info, x=x) == (
        "jvp: a tangent has shape [2, 3], its tensor [3]\n"
        "  tensor 'x'  float32[3]  placeholder at <x>\n"
        f"  tangent 'tangent'  float32[2, 3]  constant at {_short(info)}\n"
        "  give one element per element of the tensor, or a scalar for all of them\n"
        "  at <here>"
    )


def test_no_y() -> None:
    with pytest.raises(GradientError) as info:
        sg.jvp([], scalar(), 1.0)
    assert whole(info) == "jvp: there is no y\n  give the tensor to differentiate\n  at <here>"


def test_an_integer_x() -> None:
    x = sg.placeholder("int64", (), name="x")
    with pytest.raises(GradientError) as info:
        sg.jvp(sg.sin(x), x, 1.0)
    assert whole(info, x=x) == (
        "jvp: x is int64, which has no derivative\n"
        "  x 'x'  int64[]  placeholder at <x>\n"
        "  compute y from a floating tensor\n"
        "  at <here>"
    )


def test_tensors_of_two_graphs() -> None:
    y = scalar("y")
    with sg.Graph().as_default():
        x = scalar("x")
    with pytest.raises(GraphError) as info:
        sg.jvp(y, x, 1.0)
    assert whole(info, x=x) == (
        "jvp: x and y belong to different graphs\n"
        "  x 'x'  float64[]  placeholder at <x>\n"
        "  differentiate with respect to tensors of y's graph\n"
        "  at <here>"
    )
