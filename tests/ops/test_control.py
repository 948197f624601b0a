"""Control edges, groups, scopes, identities, and derivatives that the user writes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core.graph import Graph
from staticgraph.errors import GradientError, GraphError
from tests.messages import whole

# -- control edges ----------------------------------------------------------------------------


def test_control_dependencies_take_tensors_variables_operations_and_lists() -> None:
    v = sg.Variable(1.0)
    x = sg.constant(1.0)
    check = sg.assert_true(x > 0)
    with sg.control_dependencies([v, x, check]):
        node = sg.identity(x).node
    assert node.control_inputs == (v.value.node, x.node, check)
    with sg.control_dependencies(check):
        assert sg.identity(x).node.control_inputs == (check,)
    with sg.control_dependencies([]):
        assert sg.identity(x).node.control_inputs == ()


@pytest.mark.parametrize(
    ("value", "shown"), [(3, "int 3"), ("x", "str 'x'"), (None, "NoneType None")]
)
def test_what_is_no_operation(value: Any, shown: str) -> None:
    with pytest.raises(GraphError) as caught, sg.control_dependencies([value]):
        pass
    assert whole(caught) == (
        f"control_dependencies: {shown} is no operation\n  give Operations or Tensors\n  at <here>"
    )


def test_a_group_runs_all_and_gives_nothing() -> None:
    v, w = sg.Variable(1.0), sg.Variable(2.0)
    step = sg.group(v.assign_add(1.0), [w.assign_add(1.0)], name="step")
    assert step.name == "step"
    session = sg.Session()
    assert session.run(step) is None
    assert session.run([v, w]) == [2.0, 3.0]
    assert session.run(sg.group()) is None


def test_a_group_waits_for_what_the_block_waits_for() -> None:
    v, w = sg.Variable(1.0), sg.Variable(2.0)
    with sg.control_dependencies([v.assign(5.0)]):
        step = sg.group(w.assign(6.0))
    session = sg.Session()
    session.run(step)
    assert session.run([v, w]) == [5.0, 6.0]


def test_a_group_belongs_to_the_graph_of_its_operations() -> None:
    x = sg.constant(1.0)
    with Graph().as_default() as other:
        assert sg.group(x).graph is x.graph
    assert len(other) == 0


# -- identities -------------------------------------------------------------------------------


def test_an_identity_has_a_name_of_its_own() -> None:
    x = sg.constant([1.0, 2.0])
    y = sg.identity(x, name="y")
    assert (y.name, y.type) == ("y", x.type)
    assert sg.identity(3).dtype == np.int64


def test_stop_gradient_is_a_constant_to_every_derivative() -> None:
    x = sg.placeholder("float32", (), name="x")
    y = x * sg.stop_gradient(x * 2.0, name="stopped")
    (slope,) = sg.gradients(y, x)
    (moved,) = sg.jvp(y, x, 1.0)
    assert sg.Session().run([y, slope, moved], {x: 3.0}) == [18.0, 6.0, 6.0]
    (none,) = sg.gradients(sg.stop_gradient(x), x, unconnected="none")
    assert none is None


def test_scopes_are_entered_by_name() -> None:
    with sg.name_scope("layer") as scope:
        assert scope == "layer"
        assert sg.constant(1.0, name="w").name == "layer/w"


# -- custom gradients -------------------------------------------------------------------------


def test_the_derivative_is_the_one_that_was_given() -> None:
    @sg.custom_gradient
    def odd(x: Any) -> Any:
        """Square, with a wrong derivative."""
        return x * x, lambda adjoint: adjoint * 100.0

    assert (odd.__name__, odd.__doc__) == ("odd", "Square, with a wrong derivative.")
    x = sg.placeholder("float32", ())
    y = odd(x)
    (slope,) = sg.gradients(y, x)
    (moved,) = sg.jvp(y, x, 2.0)
    assert sg.Session().run([y, slope, moved], {x: 3.0}) == [9.0, 100.0, 200.0]


def test_the_gradient_function_may_use_arguments_and_results() -> None:
    @sg.custom_gradient
    def exponential(x: Any) -> Any:
        result = sg.exp(x)
        return result, lambda adjoint: adjoint * sg.exp(x)

    x = sg.placeholder("float64", ())
    first = sg.gradients(exponential(x), x)
    second = sg.gradients(first, x)
    exact = sg.Session(backend="reference").run([*first, *second], {x: 1.0})
    assert exact == [np.exp(1.0)] * 2
    native = sg.Session(backend="native").run([*first, *second], {x: 1.0})
    np.testing.assert_array_max_ulp(np.array(native), np.array(exact), 2)


def test_several_arguments_and_results() -> None:
    @sg.custom_gradient
    def both(x: Any, y: Any, z: Any) -> Any:
        def gradient(product: Any, total: Any) -> Any:
            return product * y + total, product * x + total, None

        return (x * y, x + y), gradient

    x, y, z = (sg.placeholder("float64", (), name=name) for name in "xyz")
    product, total = both(x, y, z)
    slopes = sg.gradients(product * 2.0 + total, [x, y, z], unconnected="zero")
    session = sg.Session()
    feed = {x: 3.0, y: 5.0, z: 7.0}
    assert session.run([product, total, *slopes], feed) == [15.0, 8.0, 11.0, 7.0, 0.0]
    (alone,) = sg.gradients(total, x)
    assert session.run(alone, feed) == 1.0


def test_numbers_may_be_arguments_and_adjoints() -> None:
    @sg.custom_gradient
    def scaled(x: Any, factor: Any) -> Any:
        return x * factor, lambda adjoint: (3.0, None)

    x = sg.placeholder("float32", (2,))
    (slope,) = sg.gradients(scaled(x, 2.0), x, grad_ys=[[1.0, 1.0]])
    assert sg.Session().run(slope, {x: [1, 2]}).tolist() == [3, 3]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(lambda x: x, "Tensor"), (lambda x: (x, x), "tuple"), (lambda x: None, "NoneType")],
)
def test_a_function_that_returns_no_gradient(answer: Any, kind: str) -> None:
    x = sg.placeholder("float32", ())
    with pytest.raises(GradientError) as caught:
        sg.custom_gradient(answer)(x)
    assert whole(caught) == (
        "custom_gradient: the function must return (result, gradient function)\n"
        f"  it returned {kind}\n"
        "  at <here>"
    )


def test_a_wrong_number_of_adjoints() -> None:
    @sg.custom_gradient
    def two(x: Any, y: Any) -> Any:
        return x * y, lambda adjoint: adjoint

    x = sg.placeholder("float32", (), name="x")
    y = two(x, x)
    with pytest.raises(GradientError) as caught:
        sg.gradients(y, x)
    assert whole(caught, y=y) == (
        "custom_gradient: the gradient function returned 1 adjoints for 2 arguments\n"
        "  return one adjoint (or None) per argument, in order\n"
        "  created at <y>"
    )


def test_an_adjoint_that_does_not_fit_its_argument() -> None:
    @sg.custom_gradient
    def wrong(x: Any) -> Any:
        return sg.sum(x), lambda adjoint: sg.constant([1.0, 2.0, 3.0], name="wrong_adjoint")

    x = sg.placeholder("float32", (2,), name="x")
    y = wrong(x)
    with pytest.raises(GradientError) as caught:
        sg.gradients(y, x)
    adjoint = x.graph.operations[-1]
    assert whole(caught, x=x, y=y).replace(adjoint.location.short, "<adjoint>") == (
        "custom_gradient: the gradient function returned an adjoint that does not fit its "
        "argument\n"
        "  argument 'x'  float32[2]  placeholder at <x>\n"
        f"  adjoint '{adjoint.name}'  float32[3]  constant at <adjoint>\n"
        "  an adjoint has the dtype and the shape of its argument\n"
        "  created at <y>"
    )
