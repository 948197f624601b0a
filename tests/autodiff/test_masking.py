"""A derivative never turns a masked-out branch into NaN: in both modes, in every order.

The cases are functions whose elements do not mix, so that one sweep gives every derivative: first
and second ones by reverse mode, by forward mode, and by every mixture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph as sg

Function = Callable[[sg.Tensor], sg.Tensor]
INF, NAN = np.inf, np.nan


def derivatives(function: Function, points: Any) -> dict[str, Any]:
    """The first and second derivatives of an elementwise function, by every way to get them."""
    points = np.asarray(points, np.float64)
    x = sg.placeholder("float64", points.shape, name="x")
    y = function(x)
    (reverse,) = sg.gradients(sg.sum(y), x)
    (forward,) = sg.jvp(y, x, 1.0)
    made = {
        "first": {"reverse": reverse, "forward": forward},
        "second": {
            "reverse over reverse": sg.gradients(reverse, x, 1.0, unconnected="zero")[0],
            "forward over reverse": sg.jvp(reverse, x, 1.0)[0],
            "reverse over forward": sg.gradients(forward, x, 1.0, unconnected="zero")[0],
            "forward over forward": sg.jvp(forward, x, 1.0)[0],
            "product": sg.hessian_vector_product(sg.sum(y), x, 1.0)[0],
        },
    }
    return sg.Session().run(made, {x: points})


def check(function: Function, points: Any, first: Any, second: Any = None) -> None:
    found = derivatives(function, points)
    for way, have in found["first"].items():
        np.testing.assert_allclose(have, first, rtol=1e-13, err_msg=way)
    if second is not None:
        for way, have in found["second"].items():
            np.testing.assert_allclose(have, second, rtol=1e-13, err_msg=way)


def positive(bad: Function) -> Function:
    """`bad` where x > 0, else 0: the way in which people mask."""
    return lambda x: sg.where(x > 0, bad(x), 0.0)


MASKED = {
    "log": (positive(sg.log), [0.0, -1.0, 4.0], [0, 0, 0.25], [0, 0, -0.0625]),
    "sqrt": (positive(sg.sqrt), [0.0, -1.0, 4.0], [0, 0, 0.25], [0, 0, -1 / 32]),
    "rsqrt": (positive(sg.rsqrt), [0.0, -1.0, 4.0], [0, 0, -1 / 16], [0, 0, 3 / 128]),
    "division": (positive(lambda x: 1.0 / x), [0.0, -1.0, 2.0], [0, 0, -0.25], [0, 0, 0.25]),
    "reciprocal": (positive(sg.reciprocal), [0.0, -1.0, 2.0], [0, 0, -0.25], [0, 0, 0.25]),
    "zero by zero": (positive(lambda x: x / x), [0.0, -1.0, 2.0], [0, 0, 0], [0, 0, 0]),
    "root": (positive(lambda x: x**0.5), [0.0, -1.0, 4.0], [0, 0, 0.25], [0, 0, -1 / 32]),
    "power": (
        positive(lambda x: x**x), [0.0, -1.0, 1.0], [0, 0, 1], [0, 0, 2],
    ),
    "entropy": (positive(lambda x: x * sg.log(x)), [0.0, -1.0, 1.0], [0, 0, 1], [0, 0, 1]),
    "log1p": (
        lambda x: sg.where(x > -1, sg.log1p(x), 0.0), [-1.0, -2.0, 1.0], [0, 0, 0.5], [0, 0, -0.25],
    ),
    "times inf": (
        lambda x: sg.where(x > 0, x * sg.where(x > 0, 2.0, INF), x), [-1.0, 3.0], [1, 2], [0, 0],
    ),
    "overflow": (
        lambda x: sg.where(x < 100, sg.exp(x), x), [1e4, 0.0, 1e300], [1, 1, 1], [0, 1, 0],
    ),
    "behind another function": (
        positive(lambda x: sg.tanh(sg.sin(sg.log(x)))), [0.0, -1.0, 1.0], [0, 0, 1], [0, 0, -1],
    ),
    "before another function": (
        lambda x: sg.exp(sg.where(x > 0, sg.log(x), x)), [-INF, 0.0, 1.0], [0, 1, 1], [0, 1, 0],
    ),
    "the other branch": (
        lambda x: sg.where(x <= 0, 0.0, sg.sqrt(x)), [0.0, -1.0, 4.0], [0, 0, 0.25],
        [0, 0, -1 / 32],
    ),
    "both branches": (
        lambda x: sg.where(x > 0, sg.log(x), sg.log(-x)), [1.0, -2.0], [1, -0.5], [-1, -0.25],
    ),
    "nested": (
        lambda x: sg.where(x > 0, sg.where(x > 1, sg.log(x - 1.0), sg.sqrt(x)), 2.0 * x),
        [-1.0, 0.0, 0.25, 1.0, 2.0], [2, 2, 1, 0.5, 1], [0, 0, -2, -0.25, -1],
    ),
    "a mask and its operand masked": (
        lambda x: sg.where(x > 0, sg.log(sg.where(x > 0, x, 0.0)), 0.0),
        [0.0, -1.0, 2.0], [0, 0, 0.5], [0, 0, -0.25],
    ),
    "an operand masked": (
        lambda x: sg.sqrt(sg.where(x > 0, x, 0.0)), [0.0, -1.0, 4.0], [0, 0, 0.25], [0, 0, -1 / 32],
    ),
    "relu before a root": (
        lambda x: sg.sqrt(sg.relu(x)), [0.0, -1.0, 4.0], [0, 0, 0.25], [0, 0, -1 / 32],
    ),
    "relu behind a log": (
        lambda x: sg.relu(sg.log(x)), [0.0, 0.5, 2.0], [0, 0, 0.5], [0, 0, -0.25],
    ),
    "maximum": (
        lambda x: sg.maximum(sg.log(x), -1.0), [0.0, 0.1, 2.0], [0, 0, 0.5], [0, 0, -0.25],
    ),
    "minimum": (
        lambda x: sg.minimum(1.0 / x, 4.0), [0.0, 0.1, 0.5], [0, 0, -4], [0, 0, 16],
    ),
    "clip": (
        lambda x: sg.clip(sg.log(x), -1.0, 1.0), [0.0, 9.0, 2.0], [0, 0, 0.5], [0, 0, -0.25],
    ),
    "slice": (
        lambda x: sg.concat([x[:1], sg.log(x)[1:]]), [0.0, 2.0, 4.0], [1, 0.5, 0.25],
        [0, -0.25, -1 / 16],
    ),
    "steps": (lambda x: sg.log(x)[1::2], [0.0, 2.0, -1.0, 4.0], [0, 0.5, 0, 0.25], None),
    "pad": (
        lambda x: sg.sqrt(sg.pad(x, ((1, 0),)))[1:], [4.0, 1.0], [0.25, 0.5], [-1 / 32, -0.25],
    ),
    "concat with a constant": (
        lambda x: sg.sum(sg.sqrt(sg.stack([x, np.zeros(2)])), axis=0), [4.0, 1.0], [0.25, 0.5],
        [-1 / 32, -0.25],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MASKED)
def test_masked(case: str) -> None:
    function, points, first, second = MASKED[case]
    if case == "steps":
        x = sg.placeholder("float64", (4,), name="x")
        (slope,) = sg.gradients(sg.sum(function(x)), x)
        np.testing.assert_array_equal(sg.Session().run(slope, {x: points}), first)
        return
    check(function, points, first, second)


def test_gather_masks() -> None:
    x = sg.placeholder("float64", (4,), name="x")
    y = sg.take(sg.log(x), [3, 1, 3])
    slope = sg.gradients(sg.sum(y), x)
    (second,) = sg.gradients(slope, x, 1.0)
    have = sg.Session().run([slope[0], second], {x: [0.0, 2.0, -1.0, 4.0]})
    np.testing.assert_allclose(have, [[0, 0.5, 0, 0.5], [0, -0.25, 0, -0.125]])


def test_a_zero_adjoint_by_chance_keeps_second_derivatives_right() -> None:
    holds = np.array([True, True, False])

    def function(x: sg.Tensor) -> sg.Tensor:
        return sg.where(holds, sg.sin(x) ** 2, 0.0)

    points = np.array([0.0, 0.3, 0.0])
    check(function, points, holds * np.sin(2 * points), holds * 2 * np.cos(2 * points))


def test_hessian_behind_a_mask() -> None:
    x = sg.placeholder("float64", (2,), name="x")
    y = sg.sum(sg.where(x >= 0, sg.sin(x) ** 2 * sg.reciprocal(x + 1.0), sg.log(x)))
    have = sg.Session().run(sg.hessian(y, x), {x: [0.0, -1.0]})
    np.testing.assert_allclose(have, [[2.0, 0.0], [0.0, -1.0]], atol=1e-15)


def test_a_nan_that_is_no_mask_stays() -> None:
    found = derivatives(lambda x: sg.sqrt(x) ** 2 + sg.log(x), [-1.0])
    assert np.isnan(found["first"]["reverse"])
    assert np.isnan(found["first"]["forward"])
    found = derivatives(lambda x: sg.where(x < 0, sg.sqrt(x), 0.0), [-1.0])
    assert np.isnan(found["first"]["reverse"])


@pytest.mark.parametrize("rows", [True, False])
def test_a_jacobian_beside_an_infinite_derivative(rows: bool) -> None:
    x = sg.placeholder("float64", (2,), name="x")
    y = sg.sqrt(x) if rows else sg.concat([sg.sqrt(x), x])
    have = sg.Session().run(sg.jacobian(y, x), {x: [0.0, 4.0]})
    np.testing.assert_array_equal(have[:2], [[INF, 0.0], [0.0, 0.25]])


def test_masked_rows_of_a_softmax() -> None:
    x = sg.placeholder("float64", (2, 2), name="x")
    keep = np.array([[True, True], [True, False]])
    weights = np.array([[1.0, 2.0], [3.0, 4.0]])
    probabilities = sg.softmax(sg.where(keep, x, -INF))
    y = sg.sum(probabilities * weights)
    slope, second = sg.gradients(y, x)[0], sg.hessian(y, x)
    points = np.array([[0.2, -0.3], [1.0, NAN]])
    first_row = np.exp(points[0]) / np.exp(points[0]).sum()
    product = first_row[0] * first_row[1]
    have, curvature = sg.Session().run([slope, second], {x: points})
    np.testing.assert_allclose(have, [[-product, product], [0.0, 0.0]], rtol=1e-13)
    assert np.all(np.isfinite(curvature))
    np.testing.assert_array_equal(curvature[1], 0.0)


def test_a_row_of_which_nothing_is_left() -> None:
    x = sg.placeholder("float64", (2, 2), name="x")
    keep = np.array([[True, True], [False, False]])
    scores = sg.where(keep, x, -INF)
    rows = np.any(keep, axis=1)
    for reduced in (sg.logsumexp(scores, axis=1), sg.sum(sg.softmax(scores), axis=1)):
        y = sg.sum(sg.where(rows, reduced, 0.0))
        slopes = [*sg.gradients(y, x), *sg.jvp(y, x, 1.0), *sg.hessian_vector_product(y, x, 1.0)]
        for have in sg.Session().run(slopes, {x: [[0.0, 0.0], [1.0, 2.0]]}):
            assert np.all(np.isfinite(have))


def test_masked_logsumexp() -> None:
    x = sg.placeholder("float64", (3,), name="x")
    y = sg.logsumexp(sg.where(x > 0, sg.log(x), -INF))
    (slope,) = sg.gradients(y, x)
    have = sg.Session().run([slope, *sg.jvp(y, x, 1.0)], {x: [0.0, 1.0, 3.0]})
    np.testing.assert_allclose(have[0], [0.0, 0.25, 0.25])
    np.testing.assert_allclose(have[1], 0.5)


# -- awkward points ---------------------------------------------------------------------------

POINTS = {
    "sqrt at 0": (sg.sqrt, [0.0], [INF], None),
    "square at 0": (lambda x: x**2, [0.0], [0], [2]),
    "cube at 0": (lambda x: x**3.0, [0.0], [0], [0]),
    "power 1 at 0": (lambda x: x**1, [0.0], [1], [0]),
    "power 0 at 0": (lambda x: x**0, [0.0, 2.0], [0, 0], [0, 0]),
    "power 0.5 at 0": (lambda x: x**0.5, [0.0], [INF], None),
    "power 1.5 at 0": (lambda x: x**1.5, [0.0], [0], [INF]),
    "power -1 at 0": (lambda x: x**-1, [0.0], [-INF], [INF]),
    "2 to the x": (lambda x: 2.0**x, [0.0, 1.0], np.log(2) * np.array([1, 2]),
                   np.log(2) ** 2 * np.array([1, 2])),
    "0 to the x": (lambda x: 0.0**x, [0.0, 2.0], [0, 0], [0, 0]),
    "relu": (sg.relu, [0.0, -0.0, -1.0, 1.0], [0, 0, 0, 1], [0, 0, 0, 0]),
    "abs": (sg.abs, [0.0, -2.0, 2.0], [0, -1, 1], [0, 0, 0]),
    "maximum of equals": (lambda x: sg.maximum(x, 0.0), [0.0, 1.0], [0.5, 1], [0, 0]),
    "maximum of one": (lambda x: sg.maximum(x, x), [3.0], [1], [0]),
    "minimum of equals": (lambda x: sg.minimum(2.0 * x, x), [0.0, 1.0], [1.5, 1], [0, 0]),
    "clip at its ends": (lambda x: sg.clip(x, -1.0, 1.0), [-1.0, 1.0, 2.0], [1, 1, 0], [0, 0, 0]),
    "sign and floor": (lambda x: sg.sign(x) + sg.floor(x) + x, [0.0, 1.0], [1, 1], [0, 0]),
    "softplus far out": (sg.softplus, [-1e4, 1e4], [0, 1], [0, 0]),
    "sigmoid far out": (sg.sigmoid, [-1e4, 1e4], [0, 0], [0, 0]),
    "tanh far out": (sg.tanh, [-1e4, 1e4], [0, 0], [0, 0]),
}  # fmt: skip


@pytest.mark.parametrize("case", POINTS)
def test_awkward_points(case: str) -> None:
    check(*POINTS[case])


def test_a_power_of_two_tensors_at_zero() -> None:
    x = sg.placeholder("float64", (5,), name="x")
    y = sg.placeholder("float64", (5,), name="y")
    bases = np.array([0.0, 0.0, 0.0, 2.0, 0.0])
    exponents = np.array([2.0, 0.0, 1.0, 0.0, -1.0])
    slopes = sg.gradients(x**y, [x, y], 1.0)
    moved = sg.jvp(x**y, [x, y], [1.0, 0.0]) + sg.jvp(x**y, [x, y], [0.0, 1.0])
    found = sg.Session().run([slopes, moved], {x: bases, y: exponents})
    for of_base, of_exponent in found[:1]:
        np.testing.assert_allclose(of_base, [0, 0, 1, 0, -INF])
        np.testing.assert_allclose(of_exponent, [0, 0, 0, np.log(2.0), -INF])


def test_mixed_second_derivatives_of_a_power() -> None:
    x = sg.placeholder("float64", (3,), name="x")
    y = sg.placeholder("float64", (3,), name="y")
    by_base, by_exponent = sg.gradients(x**y, [x, y], 1.0)
    mixed = [*sg.gradients(by_base, y, 1.0), *sg.gradients(by_exponent, x, 1.0)]
    bases, exponents = np.array([2.0, 2.0, 3.0]), np.array([0.0, 1.0, -1.5])
    want = bases ** (exponents - 1) * (1 + exponents * np.log(bases))
    for have in sg.Session().run(mixed, {x: bases, y: exponents}):
        np.testing.assert_allclose(have, want, rtol=1e-13)


def test_norm_at_zero() -> None:
    x = sg.placeholder("float64", (3,), name="x")
    (slope,) = sg.gradients(sg.linalg.norm(x), x)
    zero, some = np.zeros(3), np.array([3.0, 0.0, 4.0])
    session = sg.Session()
    np.testing.assert_array_equal(session.run(slope, {x: zero}), zero)
    np.testing.assert_allclose(session.run(slope, {x: some}), some / 5)


def test_the_largest_of_equals_shares() -> None:
    x = sg.placeholder("float64", (4,), name="x")
    (slope,) = sg.gradients(sg.max(x), x)
    have = sg.Session().run(slope, {x: [2.0, 1.0, 2.0, 0.0]})
    assert have.sum() == 1.0
    np.testing.assert_array_equal(have, [0.5, 0.0, 0.5, 0.0])


# -- what a graph without masks pays ----------------------------------------------------------


def count(graph: sg.Graph, op: str) -> int:
    return sum(node.op.name == op for node in graph.operations)


def test_no_guards_where_nothing_masks(graph: sg.Graph) -> None:
    x = sg.placeholder("float64", (3,), name="x")
    y = sg.sum(sg.tanh(sg.exp(x) * x))
    sg.jvp(sg.gradients(y, x), x, 1.0)
    assert count(graph, "guard") == 0
    sg.gradients(sg.relu(y), x)
    assert count(graph, "guard") == 4


ROWS = {
    "sum": lambda x: sg.sum(x, axis=1) ** 2,
    "prod": lambda x: sg.prod(x, axis=1),
    "max": lambda x: sg.max(x, axis=1) * sg.min(x, axis=1),
    "logsumexp": lambda x: sg.logsumexp(x, axis=1),
    "norm": lambda x: sg.linalg.norm(x, axis=1),
    "std": lambda x: sg.std(x, axis=1),
    "softmax": lambda x: sg.sum(sg.softmax(x) * [1.0, 2.0, 3.0], axis=1),
    "log_softmax": lambda x: sg.sum(sg.log_softmax(x) * [1.0, 2.0, 3.0], axis=1),
    "cross entropy": lambda x: sg.softmax_cross_entropy_with_logits(
        x / sg.sum(x, axis=1, keepdims=True), x
    ),
    "sparse cross entropy": lambda x: sg.sparse_softmax_cross_entropy_with_logits([0, 1, 2, 0], x),
    "sigmoid cross entropy": lambda x: sg.sum(
        sg.sigmoid_cross_entropy_with_logits(sg.sigmoid(x), x), axis=1
    ),
    "cumprod": lambda x: sg.sum(sg.cumprod(x, axis=1) * [1.0, 2.0, 3.0], axis=1),
    "cumsum": lambda x: sg.sum(sg.cumsum(x, axis=1) ** 2, axis=1),
    "sort": lambda x: sg.sum(sg.sort(x, axis=1) * [1.0, 2.0, 3.0], axis=1),
    "stack": lambda x: sg.sum(sg.stack([x, sg.log(x)], axis=2), axis=(1, 2)),
    "outer": lambda x: sg.sum(sg.matmul(x[:, :, None], x[:, None, :]), axis=(1, 2)),
    "gelu": lambda x: sg.sum(sg.nn.gelu(x), axis=1),
}


@pytest.mark.parametrize("case", ROWS)
@pytest.mark.parametrize("bad", [NAN, INF, -INF, 0.0, -1.0])
def test_a_masked_row_may_hold_anything(case: str, bad: float) -> None:
    keep = np.array([True, True, False, True])
    clean = np.random.default_rng(0).uniform(0.5, 2.0, (4, 3))
    direction = np.cos(np.arange(12.0)).reshape(4, 3)
    x = sg.placeholder("float64", (4, 3), name="x")
    y = sg.sum(sg.where(keep, ROWS[case](x), 0.0))
    slope = sg.gradients(y, x)
    fetches = [
        *slope,
        *sg.hessian_vector_product(y, x, direction),
        *sg.gradients(slope, x, direction, unconnected="zero"),
        *sg.jvp(y, x, direction),
    ]
    session = sg.Session()
    spoiled = np.where(keep[:, None], clean, bad)
    have, want = session.run(fetches, {x: spoiled}), session.run(fetches, {x: clean})
    for actual, expected in zip(have[:3], want[:3], strict=True):
        np.testing.assert_allclose(actual, np.where(keep[:, None], expected, 0.0), rtol=1e-12)
    assert have[3] == pytest.approx(np.sum(np.where(keep[:, None], want[0] * direction, 0.0)))


# -- matrix products --------------------------------------------------------------------------


def check_product(lhs: Any, rhs: Any, keep: Any) -> None:
    """The derivatives of the elements of a product that are kept equal those of a program that
    was never given the numbers that are not finite."""
    x = sg.placeholder("float64", lhs.shape, name="x")
    w = sg.placeholder("float64", rhs.shape, name="w")
    direction = [np.where(np.isfinite(v), np.cos(np.arange(v.size)).reshape(v.shape), 0.0)
                 for v in (lhs, rhs)]  # fmt: skip

    def made(first: sg.Tensor, second: sg.Tensor) -> list[sg.Tensor]:
        y = sg.sum(sg.where(keep, sg.sin(sg.matmul(first, second)), 0.0))
        slopes = sg.gradients(y, [first, second])
        return [*slopes, *sg.hessian_vector_product(y, [first, second], direction),
                *sg.gradients(slopes, [first, second], direction)]  # fmt: skip

    session = sg.Session()
    have = session.run(made(x, w), {x: lhs, w: rhs})
    want = session.run(made(x, w), {x: np.nan_to_num(lhs, posinf=0.0, neginf=0.0),
                                    w: np.nan_to_num(rhs, posinf=0.0, neginf=0.0)})  # fmt: skip
    for actual, expected in zip(have, want, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-13, atol=1e-14)


def test_a_masked_row_of_a_product_may_hold_nan() -> None:
    lhs = np.array([[1.0, 2.0, 3.0], [NAN, INF, 0.0], [-1.0, 0.5, -INF], [2.0, 0.0, 1.0]])
    rhs = np.array([[0.5, -1.0], [0.25, 1.0], [-0.75, 2.0]])
    check_product(lhs, rhs, np.array([[True], [False], [False], [True]]))


def test_a_masked_column_of_a_product_may_hold_nan() -> None:
    lhs = np.array([[1.0, 2.0], [0.5, -1.0]])
    rhs = np.array([[0.5, NAN, 1.0], [0.25, -INF, 1.0]])
    check_product(lhs, rhs, np.array([[True, False, True], [False, False, True]]))


def test_masked_rows_in_a_batch() -> None:
    random = np.random.default_rng(1)
    lhs, rhs = random.standard_normal((2, 3, 4)), random.standard_normal((4, 2))
    lhs[0, 1] = NAN
    lhs[1, 2, 0] = INF
    keep = np.ones((2, 3, 1), bool)
    keep[0, 1] = keep[1, 2] = False
    check_product(lhs, rhs, keep)
    check_product(lhs, random.standard_normal((2, 4, 2)), keep)
    check_product(lhs, random.standard_normal((1, 4, 2)), keep)


def test_a_slice_drops_rows_of_a_product() -> None:
    x = sg.placeholder("float64", (3, 2), name="x")
    w = sg.Variable(np.ones((2, 2)), name="w")
    slopes = sg.gradients(sg.sum(sg.matmul(x, w)[1:]), [x, w])
    of_x, of_w = sg.Session().run(slopes, {x: [[NAN, 1.0], [1.0, 2.0], [3.0, 4.0]]})
    np.testing.assert_array_equal(of_x, [[0, 0], [2, 2], [2, 2]])
    np.testing.assert_array_equal(of_w, [[4, 4], [6, 6]])


def test_a_network_of_relus_pays_nothing_for_products(graph: sg.Graph) -> None:
    x = sg.placeholder("float64", (None, 4), name="x")
    w = sg.Variable(np.ones((4, 4)), name="w")
    sg.gradients(sg.sum(sg.relu(sg.matmul(sg.relu(sg.matmul(x, w)), w))), w)
    assert (count(graph, "guard"), count(graph, "isfinite")) == (0, 0)
