"""Derivatives asked for inside the body of a loop or a branch."""

from __future__ import annotations

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.errors import GradientError


def test_descent_within_a_loop() -> None:
    target = sg.placeholder("float64", (), name="target")

    def step(i: sg.Tensor, x: sg.Tensor) -> sg.Tensor:
        return x - 0.25 * sg.gradients((x - target) ** 2, x)[0]

    x = sg.fori_loop(0, 4, step, sg.constant(1.0, "float64"))
    (slope,) = sg.gradients(x, target)
    have = sg.Session().run([x, slope], {target: 3.0})
    np.testing.assert_allclose(have, [3.0 - 2.0 * 0.5**4, 1 - 0.5**4], rtol=1e-14)


def test_by_a_tensor_and_a_variable_from_outside() -> None:
    w = sg.Variable(2.0, "float64", name="w")
    x = sg.placeholder("float64", (), name="x")

    def step(i: sg.Tensor, total: sg.Tensor) -> sg.Tensor:
        of_w, of_x = sg.gradients(w * w * x + w.read() * total, [w, x])
        return total + of_w + of_x

    total = sg.fori_loop(0, 2, step, sg.constant(0.0, "float64"))
    # Of w: 2wx + total, of x: w * w, from 0: 2 * 2 * 3 + 4 = 16, then 16 + 12 + 16 + 4 = 48.
    assert sg.Session().run(total, {x: 3.0}) == 48.0


def test_forward_mode_and_stops_by_tensors_from_outside() -> None:
    x = sg.placeholder("float64", (), name="x")
    square = x * x

    def step(i: sg.Tensor, total: sg.Tensor) -> sg.Tensor:
        (moved,) = sg.jvp(square * x * total, [x, square], [x, 1.0])
        (stopped,) = sg.gradients(square * x, x, grad_ys=x, stop_gradients=[square])
        return moved + stopped

    total = sg.fori_loop(0, 1, step, sg.constant(1.0, "float64"))
    # In the body both are constants from outside: x moves by x and its square by 1.
    assert sg.Session().run(total, {x: 2.0}) == 4.0 * 2.0 + 2.0 + 4.0 * 2.0


def test_in_a_branch() -> None:
    w = sg.Variable([1.0, 2.0], "float64", name="w")
    flag = sg.placeholder("bool", (), name="flag")
    slope = sg.cond(
        flag,
        lambda: sg.gradients(sg.sum(w * w), w)[0],
        lambda: sg.gradients(sg.sum(w), w)[0],
    )
    session = sg.Session()
    np.testing.assert_array_equal(session.run(slope, {flag: True}), [2.0, 4.0])
    np.testing.assert_array_equal(session.run(slope, {flag: False}), [1.0, 1.0])


def test_by_what_the_body_does_not_use() -> None:
    w = sg.Variable(1.0, name="w")
    with pytest.raises(GradientError, match="gradients: y does not depend on x"):
        sg.fori_loop(0, 2, lambda i, x: sg.gradients(x * x, w)[0], sg.constant(1.0))
