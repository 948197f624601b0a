"""Jacobians, Hessians and Hessian-vector products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.errors import GradientError, GraphError, ShapeError

from ..messages import whole

RANDOM = np.random.default_rng(11)


def run(fetches: Any, feed: Any = None) -> Any:
    return sg.Session().run(fetches, feed)


def differences(function: Any, point: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The Jacobian of `function` at `point` by five-point differences."""
    columns = []
    for index in np.ndindex(point.shape):
        total = 0.0
        for steps, weight in ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0)):
            moved = point.copy()
            moved[index] += steps * 1e-3
            total = total + weight * np.asarray(function(moved))
        columns.append(total / 12e-3)
    stacked = np.stack(columns, axis=-1)
    return stacked.reshape((*stacked.shape[:-1], *point.shape))


# -- jacobian ---------------------------------------------------------------------------------

SHAPES = [((), ()), ((), (3,)), ((3,), ()), ((2, 3), (4,)), ((4,), (2, 3)), ((1,), (1, 1)),
          ((2, 1, 2), (3, 2))]  # fmt: skip


@pytest.mark.parametrize(("of_y", "of_x"), SHAPES)
def test_shapes_and_values(of_y: tuple[int, ...], of_x: tuple[int, ...]) -> None:
    weights = RANDOM.standard_normal((*of_y, *of_x))
    point = RANDOM.standard_normal(of_x)

    def function(value: Any, library: Any) -> Any:
        axes = tuple(range(len(of_y), len(of_y) + len(of_x)))
        return library.tanh(library.sum(weights * library.sin(value), axis=axes))

    x = sg.placeholder("float64", of_x, name="x")
    jacobian = sg.jacobian(function(x, sg), x)
    assert jacobian.shape == of_y + of_x
    have = run(jacobian, {x: point})
    np.testing.assert_allclose(have, differences(lambda v: function(v, np), point), rtol=1e-8)


def sweeps(graph: sg.Graph, word: str) -> int:
    """How many sweeps of a mode were made."""
    scopes = {name.split("/")[1] for name in graph.names() if name.startswith("jacobian/")}
    return sum(scope == word or scope.startswith(f"{word}_") for scope in scopes)


def test_the_mode_that_needs_fewer_sweeps(graph: sg.Graph) -> None:
    x = sg.placeholder("float64", (5,), name="x")
    sg.jacobian(sg.stack([sg.sum(sg.sin(x)), sg.sum(x)]), x)
    assert (sweeps(graph, "gradients"), sweeps(graph, "jvp")) == (2, 0)


def test_columns_where_x_is_smaller(graph: sg.Graph) -> None:
    x = sg.placeholder("float64", (2,), name="x")
    sg.jacobian(sg.sum(x) * sg.constant(np.ones(5)), x)
    assert (sweeps(graph, "gradients"), sweeps(graph, "jvp")) == (0, 2)


def test_an_unknown_size_of_y() -> None:
    x = sg.placeholder("float64", (2,), name="x")
    data = sg.placeholder("float64", (None, 2), name="data")
    jacobian = sg.jacobian(sg.sin(data * x), x)
    assert jacobian.shape == (None, 2, 2)
    given = RANDOM.standard_normal((3, 2))
    point = np.array([0.3, -0.8])
    want = differences(lambda v: np.sin(given * v), point)
    np.testing.assert_allclose(run(jacobian, {x: point, data: given}), want, rtol=1e-9)


def test_an_unknown_size_of_x() -> None:
    x = sg.placeholder("float64", (None, 2), name="x")
    jacobian = sg.jacobian(sg.stack([sg.sum(sg.sin(x)), sg.sum(x * x)]), x)
    assert jacobian.shape == (2, None, 2)
    point = RANDOM.standard_normal((3, 2))
    have = run(jacobian, {x: point})
    np.testing.assert_allclose(have, [np.cos(point), 2 * point])


@pytest.mark.parametrize(("of_y", "of_x"), [((0,), (2,)), ((2,), (0,)), ((2, 0), (0, 3))])
def test_nothing_to_differentiate(of_y: tuple[int, ...], of_x: tuple[int, ...]) -> None:
    x = sg.placeholder("float32", of_x, name="x")
    y = sg.sum(x) * sg.ones(of_y)
    jacobian = sg.jacobian(y, x)
    assert jacobian.shape == of_y + of_x
    assert run(jacobian, {x: np.ones(of_x)}).shape == of_y + of_x


def test_the_jacobian_of_a_variable_and_of_itself() -> None:
    w = sg.Variable([1.0, 2.0], name="w")
    np.testing.assert_array_equal(run(sg.jacobian(w, w)), np.eye(2))
    np.testing.assert_array_equal(run(sg.jacobian(w * w.read(), w)), np.diag([2.0, 4.0]))


def test_dtypes_are_kept() -> None:
    for dtype in ("float32", "float64"):
        x = sg.placeholder(dtype, (2,))
        assert sg.jacobian(x * x, x).dtype == dtype
        assert sg.hessian(sg.sum(x * x), x).dtype == dtype


def test_a_jacobian_of_a_jacobian() -> None:
    x = sg.placeholder("float64", (2,), name="x")
    twice = sg.jacobian(sg.jacobian(x * x * x, x), x)
    have = run(twice, {x: [1.0, 2.0]})
    want = np.zeros((2, 2, 2))
    want[0, 0, 0], want[1, 1, 1] = 6.0, 12.0
    np.testing.assert_array_equal(have, want)


def test_neither_size_is_known() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    y = sg.sin(x, name="y")
    with pytest.raises(GradientError) as info:
        sg.jacobian(y, x)
    assert whole(info, x=x, y=y) == (
        "jacobian: the size of y and that of x is unknown\n"
        "  y 'y'  float32[?]  sin at <y>\n"
        "  x 'x'  float32[?]  placeholder at <x>\n"
        "  give one of them a static shape: the graph holds one sweep per element\n"
        "  at <here>"
    )


def test_y_does_not_depend_on_x() -> None:
    x, y = sg.placeholder("float32", (2,), name="x"), sg.placeholder("float32", (), name="y")
    with pytest.raises(GradientError) as info:
        sg.jacobian(y, x)
    assert whole(info, x=x, y=y) == (
        "jacobian: y does not depend on x\n"
        "  y 'y'  float32[]  placeholder at <x>\n"
        "  x 'x'  float32[2]  placeholder at <x>\n"
        "  differentiate with respect to a tensor that y is computed from\n"
        "  at <here>"
    )


def test_several_ys_or_xs() -> None:
    x = sg.placeholder("float32", (2,), name="x")
    with pytest.raises(GradientError) as info:
        sg.jacobian([x, x], x)
    assert whole(info) == (
        "jacobian: there are 2 ys\n  give one tensor, and call jacobian once for each\n  at <here>"
    )
    with pytest.raises(GradientError) as info:
        sg.hessian(sg.sum(x), [])
    assert whole(info) == (
        "hessian: there are 0 xs\n  give one tensor, and call hessian once for each\n  at <here>"
    )
    assert sg.jacobian([x], [x]).shape == (2, 2)


def test_tensors_of_two_graphs() -> None:
    y = sg.placeholder("float32", (), name="y")
    with sg.Graph().as_default():
        x = sg.placeholder("float32", (), name="x")
    with pytest.raises(GraphError, match="jacobian: x and y belong to different graphs"):
        sg.jacobian(y, x)


# -- hessian ----------------------------------------------------------------------------------


def test_a_hessian_against_differences_of_the_gradient() -> None:
    x = sg.placeholder("float64", (2, 2), name="x")
    y = sg.sum(sg.exp(sg.matmul(x, x)) * sg.sin(x))
    (slope,) = sg.gradients(y, x)
    hessian = sg.hessian(y, x)
    assert hessian.shape == (2, 2, 2, 2)
    point = RANDOM.standard_normal((2, 2)) * 0.5
    session = sg.Session()
    want = differences(lambda v: session.run(slope, {x: v}), point)
    have = session.run(hessian, {x: point})
    np.testing.assert_allclose(have, want, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(have, np.transpose(have, (2, 3, 0, 1)), rtol=1e-12)


def test_the_hessian_of_a_linear_function_is_zero() -> None:
    x = sg.placeholder("float32", (2,), name="x")
    np.testing.assert_array_equal(run(sg.hessian(sg.sum(3.0 * x), x)), np.zeros((2, 2)))
    np.testing.assert_array_equal(run(sg.hessian(sg.sum(sg.relu(x)), x), {x: [1, 2]}), 0.0)


def test_the_hessian_of_a_scalar_and_of_a_variable() -> None:
    w = sg.Variable(3.0, name="w")
    assert run(sg.hessian(w * w * w.read(), w)) == 18.0


def test_the_hessian_of_no_scalar() -> None:
    x = sg.placeholder("float32", (2,), name="x")
    with pytest.raises(GradientError) as info:
        sg.hessian(x, x)
    assert whole(info, x=x) == (
        "hessian: y is not a scalar, its shape is [2]\n"
        "  y 'x'  float32[2]  placeholder at <x>\n"
        "  reduce it first, for example with sg.sum(y)\n"
        "  at <here>"
    )


def test_the_hessian_by_an_x_of_unknown_size() -> None:
    x = sg.placeholder("float32", (None, 2), name="x")
    y = sg.sum(x * x)
    with pytest.raises(GradientError) as info:
        sg.hessian(y, x)
    assert whole(info, x=x) == (
        "hessian: the size of x is unknown\n"
        "  x 'x'  float32[?, 2]  placeholder at <x>\n"
        "  give it a static shape: the graph holds one sweep per element\n"
        "  at <here>"
    )


# -- hessian-vector products ------------------------------------------------------------------


def test_products_equal_those_with_the_hessian() -> None:
    x = sg.placeholder("float64", (3,), name="x")
    y = sg.sum(sg.exp(x)) * sg.prod(sg.sin(x)) + sg.sum(x**3)
    vector = RANDOM.standard_normal(3)
    (product,) = sg.hessian_vector_product(y, x, vector)
    have, hessian = run([product, sg.hessian(y, x)], {x: [0.4, -0.9, 1.1]})
    np.testing.assert_allclose(have, hessian @ vector, rtol=1e-12)


def test_products_with_several_xs() -> None:
    x, w = (sg.placeholder("float64", (2,), name=name) for name in "xw")
    y = sg.sum(x * x * w)
    products = sg.hessian_vector_product(y, [x, w], [[1.0, 0.0], 1.0])
    of_x, of_w = run(products, {x: [3.0, 5.0], w: [7.0, 11.0]})
    np.testing.assert_array_equal(of_x, [2 * 7 + 2 * 3, 2 * 5])
    np.testing.assert_array_equal(of_w, [2 * 3, 0])


def test_products_of_a_linear_function_and_of_an_unknown_size() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    linear = sg.hessian_vector_product(sg.sum(x), x, 1.0)
    np.testing.assert_array_equal(run(linear, {x: [1, 2]}), [[0.0, 0.0]])
    cubic = sg.hessian_vector_product(sg.sum(x**3), x, 2.0)
    np.testing.assert_array_equal(run(cubic, {x: [1, 2]}), [[12.0, 24.0]])
    assert sg.hessian_vector_product(sg.sum(x), [], []) == []


def test_what_products_refuse() -> None:
    x = sg.placeholder("float32", (2,), name="x")
    z = sg.placeholder("float32", (2,), name="z")
    y = sg.sum(x * x)
    with pytest.raises(GradientError) as info:
        sg.hessian_vector_product(y, [x], [1.0, 2.0])
    assert whole(info) == (
        "hessian_vector_product: there are 1 xs and 2 vs\n  give one v per x\n  at <here>"
    )
    with pytest.raises(GradientError, match="hessian_vector_product: y does not depend on x"):
        sg.hessian_vector_product(y, [z], [1.0])
    with pytest.raises(GradientError, match="hessian_vector_product: y is not a scalar"):
        sg.hessian_vector_product(x, [x], [1.0])
    with pytest.raises(ShapeError, match=r"hessian_vector_product: a v has shape \[3\]"):
        sg.hessian_vector_product(y, [x], [np.ones(3)])


def test_names() -> None:
    x = sg.placeholder("float64", (2,), name="x")
    y = sg.sum(x * x * x)
    (product,) = sg.hessian_vector_product(y, x, 1.0)
    scope = "hessian_vector_product"
    assert product.name.startswith(f"{scope}/jvp/{scope}/gradients/x/")
    assert sg.hessian(y, x).name == "hessian/stack"
    assert sg.jacobian(y, x).name == "jacobian/gradients/x/add_1"
