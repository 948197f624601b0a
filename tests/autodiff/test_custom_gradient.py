"""`custom_gradient` and `stop_gradient`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.errors import GradientError

from ..messages import whole


def run(fetches: Any, feed: Any = None) -> Any:
    return sg.Session().run(fetches, feed)


def scalar(name: str = "x") -> sg.Tensor:
    return sg.placeholder("float64", (), name=name)


@sg.custom_gradient
def stable_softplus(x: sg.Tensor) -> Any:
    """log(1 + exp(x)), whose derivative does not overflow."""
    grown = sg.exp(x)
    return sg.log(1.0 + grown), lambda adjoint: adjoint * (1.0 - 1.0 / (1.0 + grown))


def test_the_derivative_is_the_one_given() -> None:
    x = scalar()
    y = stable_softplus(x)
    have = run([y, *sg.gradients(y, x), *sg.jvp(y, x, 2.0)], {x: 100.0})
    assert have == [pytest.approx(100.0), 1.0, 2.0]


def test_it_keeps_name_and_documentation() -> None:
    assert stable_softplus.__name__ == "stable_softplus"
    assert stable_softplus.__doc__ == "log(1 + exp(x)), whose derivative does not overflow."
    assert stable_softplus(scalar()).name == "stable_softplus"
    unnamed = sg.custom_gradient(lambda x: (x * 2.0, lambda adjoint: adjoint))
    assert unnamed(scalar("z")).name == "custom_gradient"


def test_second_derivatives_differentiate_the_rule() -> None:
    x = scalar()
    (slope,) = sg.gradients(stable_softplus(x), x)
    second = [*sg.gradients(slope, x), *sg.jvp(slope, x, 1.0)]
    sigmoid = 1 / (1 + np.exp(-0.3))
    np.testing.assert_allclose(run(second, {x: 0.3}), sigmoid * (1 - sigmoid), rtol=1e-13)


def test_several_arguments_and_results() -> None:
    @sg.custom_gradient
    def both(x: sg.Tensor, z: sg.Tensor) -> Any:
        return (x * z, x + z), lambda of_product, of_sum: [of_product, 10.0 * of_sum]

    x, z = scalar("x"), scalar("z")
    product, total = both(x, z)
    assert run([product, total], {x: 2.0, z: 3.0}) == [6.0, 5.0]
    assert run(sg.gradients([product, total], [x, z]), {x: 2.0, z: 3.0}) == [1.0, 10.0]
    # A result that is not used has an adjoint of zeros.
    assert run(sg.gradients(product, [x, z]), {x: 2.0, z: 3.0}) == [1.0, 0.0]
    assert run(sg.jvp([product, total], [x, z], [1.0, 2.0])) == [1.0, 20.0]


def test_a_lone_result_in_a_tuple_and_a_result_that_is_an_argument() -> None:
    @sg.custom_gradient
    def flipped(x: sg.Tensor) -> Any:
        return (x,), lambda adjoint: (-adjoint,)

    x = scalar()
    (y,) = flipped(x)
    assert run([y, *sg.gradients(y * 3.0, x)], {x: 2.0}) == [2.0, -3.0]


def test_none_and_numbers_as_adjoints() -> None:
    @sg.custom_gradient
    def fixed(x: sg.Tensor, z: sg.Tensor, v: sg.Tensor) -> Any:
        return x * z + sg.sum(v), lambda adjoint: (None, 7.0, adjoint)

    x, z, v = scalar("x"), scalar("z"), sg.placeholder("float64", (2,), name="v")
    of_x, of_z, of_v = run(sg.gradients(fixed(x, z, v), [x, z, v]), {v: [1, 2]})
    assert (of_x, of_z) == (0.0, 7.0)
    np.testing.assert_array_equal(of_v, [1.0, 1.0])


def test_arguments_may_be_numbers_and_variables() -> None:
    @sg.custom_gradient
    def scaled(x: sg.Tensor, by: sg.Tensor) -> Any:
        return x * by, lambda adjoint: (adjoint * 100.0, None)

    w = sg.Variable(2.0, name="w")
    y = scaled(w, 3.0)
    assert run([y, *sg.gradients(y, w)]) == [6.0, 100.0]


def test_what_a_function_takes_from_elsewhere_is_a_constant() -> None:
    w = scalar("w")

    @sg.custom_gradient
    def times_w(x: sg.Tensor) -> Any:
        return sg.multiply(x, w), lambda adjoint: adjoint * w

    x = scalar()
    y = times_w(x)
    assert run(sg.gradients(y, x), {x: 2.0, w: 5.0}) == [5.0]
    with pytest.raises(GradientError, match="no derivative passes from y to x") as info:
        sg.gradients(y, w)
    assert "'stop_gradient' (stop_gradient, at " in str(info.value)


def test_in_a_loop_of_one_function_each_call_keeps_its_own_rule() -> None:
    x = scalar()
    y = x
    for factor in (2.0, 3.0, 5.0):
        y = sg.custom_gradient(lambda t, f=factor: (t + 1.0, lambda adjoint: adjoint * f))(y)
    assert run(sg.gradients(y, x)) == [30.0]


# -- what is refused --------------------------------------------------------------------------


def test_a_function_that_returns_no_pair() -> None:
    function = sg.custom_gradient(lambda x: x * 2.0)
    with pytest.raises(GradientError) as info:
        function(scalar())
    assert whole(info) == (
        "custom_gradient: the function must return (result, gradient function)\n"
        "  it returned Tensor\n"
        "  at <here>"
    )
    with pytest.raises(GradientError, match="it returned tuple"):
        sg.custom_gradient(lambda x: ((), lambda: x))(scalar())


def test_a_wrong_number_of_adjoints() -> None:
    x = scalar()
    y = sg.custom_gradient(lambda x: (x * 2.0, lambda adjoint: [adjoint, adjoint]))(x)
    with pytest.raises(GradientError) as info:
        sg.gradients(y, x)
    assert whole(info, y=y) == (
        "custom_gradient: the gradient function returned 2 adjoints for 1 arguments\n"
        "  return one adjoint (or None) per argument, in order\n"
        "  created at <y>"
    )


def test_an_adjoint_that_does_not_fit() -> None:
    x = sg.placeholder("float64", (2,), name="x")
    wrong = sg.constant(np.ones(3), name="wrong")
    y = sg.custom_gradient(lambda x: (x * 2.0, lambda adjoint: wrong))(x)
    with pytest.raises(GradientError) as info:
        sg.gradients(y, x, 1.0)
    assert whole(info, y=y, x=x, wrong=wrong) == (
        "custom_gradient: the gradient function returned an adjoint that does not fit its "
        "argument\n"
        "  argument 'x'  float64[2]  placeholder at <x>\n"
        "  adjoint 'wrong'  float64[3]  constant at <wrong>\n"
        "  an adjoint has the dtype and the shape of its argument\n"
        "  created at <y>"
    )
    narrow = sg.custom_gradient(lambda x: (x, lambda adjoint: sg.cast(adjoint, "float32")))(x)
    with pytest.raises(GradientError, match=r"adjoint 'gradients.*/cast'  float32\[2\]"):
        sg.gradients(narrow, x, 1.0)


# -- stop_gradient ----------------------------------------------------------------------------


def test_stop_gradient_is_a_constant_in_both_modes() -> None:
    x = scalar()
    y = x * sg.stop_gradient(x)
    assert run([y, *sg.gradients(y, x), *sg.jvp(y, x, 1.0)], {x: 3.0}) == [9.0, 3.0, 3.0]
    assert run(sg.gradients(sg.gradients(y * x, x), x), {x: 3.0}) == [6.0]


def test_stop_gradient_keeps_masks() -> None:
    x = scalar()
    y = sg.where(sg.stop_gradient(x) > 0, sg.log(x), 0.0)
    assert run(sg.gradients(y, x), {x: 0.0}) == [0.0]
