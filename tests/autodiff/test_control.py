"""Derivatives through loops and branches, of every order that is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from tests.autodiff.control_programs import Program, check

# -- programs, against the same written out and against differences ----------------------------

PROGRAMS: dict[str, tuple[Program, list[Any]]] = {}


def program(*points: Any) -> Any:
    """Registers a program with the inputs at which it is differentiated."""

    def register(function: Program) -> Program:
        PROGRAMS[function.__name__] = (function, list(points))
        return function

    return register


ROW, ROWS = np.array([0.3, -0.4, 0.8]), np.linspace(-0.9, 0.8, 12).reshape(4, 3)
SQUARE = np.linspace(-0.7, 0.9, 9).reshape(3, 3)


@program(0.6, 1.2)
def while_of_an_initial_value_and_a_capture(m: Any, c: Any, x: Any, w: Any) -> Any:
    return c.while_loop(lambda i, v: i < 4, lambda i, v: (i + 1, m.sin(v * w)), [0, x])[1]


@program(0.7, 1.3)
def while_whose_end_depends_on_data(m: Any, c: Any, x: Any, w: Any) -> Any:
    return c.while_loop(lambda v: v < 9.0, lambda v: [v * w + 0.2 * m.cos(v) + 0.5], [x])[0]


@program(ROW, SQUARE)
def while_of_matrix_products(m: Any, c: Any, x: Any, w: Any) -> Any:
    _, v = c.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, m.tanh(v @ w)), [0, x])
    return m.sum(v * v)


@program(0.6, 0.9)
def while_that_never_runs(m: Any, c: Any, x: Any, w: Any) -> Any:
    return c.while_loop(lambda i, v: i < 0, lambda i, v: (i + 1, v * w), [0, x * w])[1]


@program(0.6, 0.9)
def while_that_is_cut_short(m: Any, c: Any, x: Any, w: Any) -> Any:
    body = lambda v: [m.sin(v * w) + v * v]  # noqa: E731
    return c.while_loop(lambda v: v < 1e9, body, [x], maximum_iterations=3)[0]


@program(0.6, 0.9)
def carries_that_change_places(m: Any, c: Any, x: Any, w: Any) -> Any:
    step = lambda i, a, b: (i + 1, b, m.sin(a * w))  # noqa: E731
    _, a, b = c.while_loop(lambda i, a, b: i < 3, step, [0, x, x * x])
    return a + 2.0 * b


@program(0.6)
def one_tensor_in_every_place(m: Any, c: Any, x: Any) -> Any:
    step = lambda i, a, b: (i + 1, b * x, a + m.sin(x))  # noqa: E731
    _, a, b = c.while_loop(lambda i, a, b: i < 3, step, [0, x, x])
    return a * b


@program(0.6, 0.9)
def carries_that_stay_and_carries_that_nobody_takes(m: Any, c: Any, x: Any, w: Any) -> Any:
    step = lambda i, a, b, d: (i + 1, a * b, b, m.exp(d * w))  # noqa: E731
    return c.while_loop(lambda i, a, b, d: i < 3, step, [0, x, w, x])[1]


@program(0.6, 0.9)
def a_carry_that_starts_to_move_late(m: Any, c: Any, x: Any, w: Any) -> Any:
    step = lambda i, a, b: (i + 1, a + b * b, x * w + 0.5 * b)  # noqa: E731
    return c.while_loop(lambda i, a, b: i < 3, step, [0, x, 0.25 + 0.0 * x])[1]


@program(0.6, ROW)
def a_carry_that_grows(m: Any, c: Any, x: Any, w: Any) -> Any:
    step = lambda i, v: (i + 1, m.concat([m.sin(v * x), w[:2] * m.sum(v)]))  # noqa: E731
    _, v = c.while_loop(lambda i, v: i < 3, step, [0, w], shape_invariants=[None, (None,)])
    return m.sum(v * v)


@program(0.6, ROW)
def a_carry_that_grows_in_a_loop_in_a_scan(m: Any, c: Any, x: Any, w: Any) -> Any:
    def step(carry: Any, row: Any) -> Any:
        grow = lambda v: [m.concat([m.sin(v * row), v * carry])]  # noqa: E731
        start = m.stack([carry, row])
        (v,) = c.while_loop(
            lambda v: m.size(v) < 7,
            grow, [start], shape_invariants=[(None,)], maximum_iterations=2,
        )  # fmt: skip
        return m.tanh(m.sum(v)), m.sum(v * v)

    last, ys = c.scan(step, x, w)
    return last + m.sum(ys)


@program(0.6, 0.9)
def integers_along_the_way(m: Any, c: Any, x: Any, w: Any) -> Any:
    def step(i: Any, k: Any, v: Any) -> Any:
        return i + 1, (k * 3 + 1) % 7, m.sin(v * w) + m.cast(k, "float64") * v * 0.1

    return c.while_loop(lambda i, k, v: i < 4, step, [0, 2, x])[2]


@program(ROW, ROWS, SQUARE)
def scan_with_everything(m: Any, c: Any, start: Any, xs: Any, w: Any) -> Any:
    def step(carry: Any, x: Any) -> Any:
        new = m.tanh(carry @ w + x)
        return new, m.sum(new * x)

    last, ys = c.scan(step, start, xs)
    return m.sum(last) + m.sum(ys * ys)


@program(ROW, ROWS, SQUARE)
def scan_in_reverse(m: Any, c: Any, start: Any, xs: Any, w: Any) -> Any:
    last, ys = c.scan(lambda h, x: (m.tanh(h @ w + x), h * x), start, xs, reverse=True)
    return m.sum(last * last) + m.sum(ys[1:] * ys[:-1])


@program(ROW, ROWS, SQUARE)
def scan_of_which_only_outputs_are_taken(m: Any, c: Any, start: Any, xs: Any, w: Any) -> Any:
    _, ys = c.scan(lambda h, x: (m.sin(h @ w) * x, m.cos(h)), start, xs)
    return m.sum(ys)


@program(0.6, 0.9)
def scan_without_sequences(m: Any, c: Any, x: Any, w: Any) -> Any:
    last, ys = c.scan(lambda v, _: (m.sin(v * w), v * v), x, length=4)
    return last * m.sum(ys)


@program(ROW, ROWS, SQUARE)
def scan_with_checkpoints(m: Any, c: Any, start: Any, xs: Any, w: Any) -> Any:
    step = lambda h, x: (m.tanh(h @ w + x), h * x)  # noqa: E731
    last, ys = c.scan(step, start, xs, checkpoint_every="sqrt")
    return m.sum(last * last) + m.sum(ys * ys)


@program(0.6, 0.9)
def fori_loop_by_its_number(m: Any, c: Any, x: Any, w: Any) -> Any:
    body = lambda i, v: m.sin(v * w) * m.cast(i, "float64")  # noqa: E731
    return c.fori_loop(1, 5, body, x)


@program(ROWS, 0.9)
def map_of_rows(m: Any, c: Any, xs: Any, w: Any) -> Any:
    return m.sum(c.map_fn(lambda x: m.sin(x * w) * m.sum(x), xs))


@program(0.6, 0.9)
def branch_that_is_taken(m: Any, c: Any, x: Any, w: Any) -> Any:
    return c.cond(x < w, lambda: m.sin(x * w) * x, lambda: w * w)


@program(0.9, 0.6)
def branch_that_is_not_taken(m: Any, c: Any, x: Any, w: Any) -> Any:
    return c.cond(x < w, lambda: m.sin(x * w) * x, lambda: w * w)


@program(0.9, 0.6)
def one_branch_of_many(m: Any, c: Any, x: Any, w: Any) -> Any:
    branches = [lambda: x, lambda: m.sin(x * w) * x, lambda: m.exp(w) * x * x]
    return c.switch_case(1, branches) * c.switch_case(2, branches)


@program(0.4, 0.9)
def branches_in_branches(m: Any, c: Any, x: Any, w: Any) -> Any:
    inner = lambda: c.cond(w > 0.5, lambda: m.sin(x * w), lambda: x)  # noqa: E731
    return c.cond(x < 0.5, lambda: m.exp(inner()) * x, inner)


@program(0.6, ROWS, 1.1)
def a_cond_in_a_scan_in_a_while(m: Any, c: Any, x: Any, xs: Any, w: Any) -> Any:
    def step(carry: Any, row: Any) -> Any:
        total = m.sum(row) * carry
        up, down = lambda: m.sin(carry * w) + 0.2 * total, lambda: m.cos(carry) * w
        new = c.cond(total * carry > 0.0, up, down)
        return new, new * carry

    def outer(i: Any, v: Any) -> Any:
        last, ys = c.scan(step, v, xs)
        return i + 1, m.tanh(last) + 0.1 * m.tanh(m.sum(ys))

    return c.while_loop(lambda i, v: i < 3, outer, [0, x])[1]


@program(np.array([0.5, 2.5, 1.5]), 0.7)
def a_while_in_a_scan_each_of_another_length(m: Any, c: Any, xs: Any, w: Any) -> Any:
    def step(carry: Any, x: Any) -> Any:
        v = c.while_loop(lambda v: v < 4.0, lambda v: [v + m.exp(-v * w) + 0.7], [x])[0]
        return carry * w + v, v * v

    last, ys = c.scan(step, 0.0 * w, xs)
    return last * m.sum(ys)


@program(0.3, 1.1)
def loops_nested_five_deep(m: Any, c: Any, x: Any, w: Any) -> Any:
    def level(depth: int, value: Any) -> Any:
        if depth == 0:
            return m.sin(value * w) + 0.1 * x
        body = lambda i, v: (i + 1, level(depth - 1, v))  # noqa: E731
        return c.while_loop(lambda i, v: i < 2, body, [0, value])[1]

    return level(5, x)


@program(0.7, 0.4)
def a_loop_in_a_branch_in_a_loop(m: Any, c: Any, x: Any, w: Any) -> Any:
    def body(i: Any, v: Any) -> Any:
        loop = lambda: c.fori_loop(0, 3, lambda k, u: m.sin(u * w) + x, v)  # noqa: E731
        return i + 1, c.cond(v > 0.75, loop, lambda: v * 1.5)

    return c.while_loop(lambda i, v: i < 4, body, [0, x])[1]


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str) -> None:
    function, points = PROGRAMS[name]
    check(function, points)


# -- what has to hold besides -------------------------------------------------------------------


def slopes_of(y: sg.Tensor, x: sg.Tensor, orders: int) -> list[sg.Tensor]:
    """The derivatives of orders 1 to `orders`."""
    found: list[sg.Tensor] = []
    for _ in range(orders):
        found += sg.gradients(found[-1] if found else y, x)
    return found


def test_four_derivatives_of_a_power() -> None:
    x = sg.placeholder("float64", (), name="x")
    power = sg.fori_loop(0, 5, lambda i, v: v * x, 1.0)
    found = sg.Session().run(slopes_of(power, x, 4), {x: 1.5})
    assert found == pytest.approx([5 * 1.5**4, 20 * 1.5**3, 60 * 1.5**2, 120 * 1.5])


def test_ten_thousand_steps_whose_number_depends_on_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """v grows by a factor w until it passes a bound, so its logarithm is linear in the steps."""
    monkeypatch.setenv("STATICGRAPH_CHECK", "0")
    w = sg.placeholder("float64", (), name="w")
    last = sg.while_loop(lambda v: v < np.e, lambda v: v * w, np.float64(1.0))
    rate = np.exp(1.0 / 9999.5)
    value, slope = sg.Session().run([last, sg.gradients(last, w)[0]], {w: rate})
    assert value == pytest.approx(rate**10_000)
    assert slope == pytest.approx(10_000 * rate**9999)


def test_newton_steps_on_a_loss_that_holds_a_loop() -> None:
    """The starting speed with which a ball, falling with drag, ends at a given height."""
    speed = sg.placeholder("float64", (), name="speed")

    def fall(i: sg.Tensor, height: sg.Tensor, rate: sg.Tensor) -> Any:
        return i + 1, height + 0.1 * rate, rate - 0.1 * (0.5 + 0.3 * rate * sg.abs(rate))

    _, height, _ = sg.while_loop(lambda i, h, r: i < 20, fall, [0, np.float64(0.0), speed])
    loss = (height - 1.0) ** 2
    slope, curvature = slopes_of(loss, speed, 2)
    session, value = sg.Session(), 2.0
    for _ in range(30):
        step, bend = session.run([slope, curvature], {speed: value})
        value -= step / abs(bend)
    assert session.run(height, {speed: value}) == pytest.approx(1.0, abs=1e-6)


def test_hessian_through_a_scan() -> None:
    w = sg.placeholder("float64", (3,), name="w")
    rows = sg.constant(ROWS)
    last, _ = sg.scan(lambda c, row: (sg.tanh(c + sg.sum(row * w)), None), np.float64(0.1), rows)
    hessian = sg.hessian(last, w)
    written_out = sg.constant(np.float64(0.1))
    for row in ROWS:
        written_out = sg.tanh(written_out + sg.sum(row * w))
    found, want = sg.Session().run([hessian, sg.hessian(written_out, w)], {w: ROW})
    np.testing.assert_allclose(found, want, rtol=1e-10)
    np.testing.assert_allclose(found, found.T, rtol=1e-10)


def test_jacobian_of_a_loop() -> None:
    x = sg.placeholder("float64", (3,), name="x")
    _, y = sg.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v @ sg.constant(SQUARE)), [0, x])
    found = sg.Session().run(sg.jacobian(y, x), {x: ROW})
    np.testing.assert_allclose(found, np.linalg.matrix_power(SQUARE, 3).T, rtol=1e-12)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_number_of_steps_that_only_the_run_knows(steps: int) -> None:
    n = sg.placeholder("int64", (), name="n")
    x = sg.placeholder("float64", (None, 3), name="x")
    w = sg.Variable(SQUARE, name="w")
    _, v = sg.while_loop(lambda i, v: i < n, lambda i, v: (i + 1, v @ w), [0, x])
    u, _ = sg.scan(lambda v, _: (v @ w, None), x, length=n)
    whiles, scans = (sg.gradients(sg.sum(y), [x, w]) for y in (v, u))
    found, same = sg.Session().run([whiles, scans], {n: steps, x: ROWS})
    powers = [np.linalg.matrix_power(SQUARE, k) for k in range(steps + 1)]
    ones = np.ones((4, 3))
    want = sum(
        ((ROWS @ powers[k]).T @ ones @ powers[steps - 1 - k].T for k in range(steps)),
        np.zeros((3, 3)),
    )
    for parts in (found, same):
        np.testing.assert_allclose(parts[0], ones @ powers[steps].T, rtol=1e-12)
        np.testing.assert_allclose(parts[1], want, rtol=1e-12)


# -- variables, random numbers, effects ----------------------------------------------------------


def test_variables_that_a_body_reads_and_assigns() -> None:
    w = sg.Variable(2.0, dtype="float64", name="w")
    x = sg.placeholder("float64", (), name="x")

    def step(carry: sg.Tensor, _: Any) -> Any:
        new = w.assign(w * carry)
        return carry * new, new

    last, _ = sg.scan(step, x, length=2)
    # w1 = w x, c1 = w x**2, w2 = w**2 x**3, c2 = w**3 x**5
    slopes = sg.gradients(last, [x, w])
    found = sg.Session().run([last, slopes, sg.gradients(slopes[0], [x, w])], {x: 0.5})
    assert found[0] == pytest.approx(0.25)
    assert found[1] == pytest.approx([5 * 8 * 0.5**4, 3 * 4 * 0.5**5])
    assert found[2] == pytest.approx([20 * 8 * 0.5**3, 5 * 3 * 4 * 0.5**4])


def test_random_numbers_are_the_same_forward_and_backward() -> None:
    x = sg.placeholder("float64", (), name="x")

    def step(carry: sg.Tensor, _: Any) -> Any:
        noise = sg.random.normal((), dtype="float64")
        return sg.sin(carry * noise), (carry, noise)

    last, (before, noise) = sg.scan(step, x, length=4)
    slope = sg.gradients(last, x)[0]
    session = sg.Session(seed=3)
    for _ in range(2):
        value, carries, noises = session.run([slope, before, noise], {x: 0.4})
        assert value == pytest.approx(np.prod(np.cos(carries * noises) * noises), rel=1e-12)
        assert len(set(noises)) == 4


def test_a_failing_assertion_in_a_loop_stops_its_derivative_too() -> None:
    x = sg.placeholder("float64", (), name="x")

    def body(v: sg.Tensor) -> Any:
        with sg.control_dependencies([sg.assert_true(v < 3.0, "too large")]):
            return v * x

    last = sg.while_loop(lambda v: v < 10.0, body, x)
    slope = sg.gradients(last, x)[0]
    with pytest.raises(sg.RunError, match="too large"):
        sg.Session().run(slope, {x: 2.0})


@pytest.mark.parametrize("nested", ["loop", "branch"])
def test_what_a_body_prints_is_printed_once(nested: str, capsys: Any) -> None:
    x = sg.placeholder("float64", (), name="x")

    def inner(v: sg.Tensor) -> sg.Tensor:
        if nested == "branch":
            return sg.cond(v > 0.0, lambda: sg.sin(sg.print(v * x)), lambda: v)
        return sg.fori_loop(0, 2, lambda i, u: sg.sin(sg.print(u * x)), v)

    y = sg.fori_loop(0, 3, lambda i, v: inner(v), x)
    slopes = slopes_of(y, x, 2)
    sg.Session().run([y, *slopes], {x: 0.5})
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == (3 if nested == "branch" else 6)
    sg.Session().run(sg.jvp(y, x, 1.0), {x: 0.5})
    assert capsys.readouterr().out == ""


def test_derivatives_inside_a_body_are_differentiated_again() -> None:
    """Gradient descent by a loop, differentiated by its rate and by where it starts."""
    rate = sg.placeholder("float64", (), name="rate")
    start = sg.placeholder("float64", (), name="start")

    def descend(i: sg.Tensor, v: sg.Tensor) -> Any:
        return i + 1, v - rate * sg.gradients(sg.sin(v) + v * v, v)[0]

    _, found = sg.while_loop(lambda i, v: i < 4, descend, [0, start])
    want = start
    for _ in range(4):
        want = want - rate * (sg.cos(want) + 2.0 * want)
    xs = [rate, start]
    pair = [
        [y, sg.gradients(y, xs), sg.gradients(sg.gradients(y, rate), xs)] for y in (found, want)
    ]
    have, expected = sg.Session().run(pair, {rate: 0.1, start: 1.0})
    for a, b in zip(have, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_custom_gradients_inside_a_body_use_its_tensors() -> None:
    w = sg.Variable(3.0, dtype="float64", name="w")
    x = sg.placeholder("float64", (), name="x")

    @sg.custom_gradient
    def scaled_sine(a: sg.Tensor, b: sg.Tensor) -> Any:
        y = sg.sin(a) * b
        return y, lambda adjoint: (2.0 * adjoint * sg.cos(a) * b, adjoint * y / b)

    looped, _ = sg.scan(lambda c, _: (scaled_sine(c, w), None), x, length=3)
    written_out: sg.Tensor = x
    for _ in range(3):
        written_out = scaled_sine(written_out, w)
    pair = []
    for y in (looped, written_out):
        slopes = sg.gradients(y, [x, w])
        pair.append([slopes, sg.gradients(slopes[0], [x, w]), sg.jvp(y, [x, w], [1.0, 0.5])])
    found, want = sg.Session().run(pair, {x: 0.5})
    for a, b in zip(found, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_stop_gradient_inside_a_body() -> None:
    x = sg.placeholder("float64", (), name="x")
    y = sg.fori_loop(0, 3, lambda i, v: v * sg.stop_gradient(v) * x, x)
    # v' = v * s * x: three steps with the factor s of each step held fast.
    found = sg.Session().run([y, *sg.gradients(y, x)], {x: 1.1})
    value, slope, x_now = 1.1, 1.0, 1.1
    for _ in range(3):
        value, slope = value * value * x_now, slope * value * x_now + value * value
    assert found == pytest.approx([value, slope])


# -- masks ----------------------------------------------------------------------------------------


def test_a_branch_that_a_mask_drops_in_a_later_iteration() -> None:
    """The logarithm of 0 in the first iteration is dropped by the second."""
    x = sg.placeholder("float64", (), name="x")
    body = lambda i, v: (i + 1, sg.where(sg.equal(i, 1), x * 3.0, sg.log(v)))  # noqa: E731
    _, y = sg.while_loop(lambda i, v: i < 2, body, [0, x])
    found = sg.Session().run([y, sg.gradients(y, x)[0], *sg.jvp(y, x, 1.0)], {x: 0.0})
    assert found == [0.0, 3.0, 3.0]


def test_a_carry_that_nobody_takes_after_its_last_infinite_step() -> None:
    x = sg.placeholder("float64", (), name="x")
    body = lambda i, a, b: (i + 1, a + b, sg.sqrt(b))  # noqa: E731
    _, a, _ = sg.while_loop(lambda i, a, b: i < 1, body, [0, x, x])
    found = sg.Session().run([a, sg.gradients(a, x)[0], *sg.jvp(a, x, 1.0)], {x: 0.0})
    assert found == [0.0, 2.0, 2.0]


def test_a_branch_that_is_not_taken_never_makes_nan() -> None:
    x = sg.placeholder("float64", (3,), name="x")
    row = lambda v: sg.cond(v > 0.0, lambda: sg.sqrt(v) * sg.log(v), lambda: v)  # noqa: E731
    y = sg.sum(sg.map_fn(row, x))
    slope = sg.gradients(y, x)[0]
    found = sg.Session().run([slope, sg.gradients(sg.sum(slope), x)[0]], {x: [0.0, -1.0, 1.0]})
    np.testing.assert_allclose(found, [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]], atol=1e-12)


def test_masked_rows_of_a_sequence_never_reach_what_all_rows_share() -> None:
    w = sg.Variable(2.0, dtype="float64", name="w")
    x = sg.placeholder("float64", (None,), name="x")
    step = lambda c, v: (c + sg.where(sg.isnan(v), 0.0, v * w), None)  # noqa: E731
    last, _ = sg.scan(step, np.float64(0.0), x)
    assert sg.Session().run(sg.gradients(last, w), {x: [1.0, np.nan, 2.0]}) == [3.0]


# -- what a derivative keeps ----------------------------------------------------------------------


def nodes_of(fetches: Any, op: str, suffix: str) -> list[Any]:
    function = sg.extract(fetches)
    return [node for node in function.nodes if node.op.name == op and node.name.endswith(suffix)]


def stacks_of(twin: Any) -> list[Any]:
    return list(twin.outputs[twin.attrs["carries"] :])


def test_only_what_the_derivative_needs_is_kept() -> None:
    x = sg.placeholder("float64", (), name="x")
    w = sg.placeholder("float64", (), name="w")

    def body(i: sg.Tensor, v: sg.Tensor) -> Any:
        factor = sg.exp(w)  # depends on a capture alone
        return i + 1, sg.sin(v * factor + sg.cast(i, "float64"))

    _, y = sg.while_loop(lambda i, v: i < 3, body, [0, x])
    slope = sg.gradients(y, x)[0]
    # The operand of the sine is computed again from both carries, which cost no more to keep.
    (twin,) = nodes_of(slope, "while", "twin")
    assert [str(stack.type) for stack in stacks_of(twin)] == ["float64[?]"]
    both = sg.gradients(y, [x, w])
    (twin,) = nodes_of(both, "while", "twin")
    assert [str(stack.type) for stack in stacks_of(twin)] == ["float64[?]", "float64[?]"]


def test_a_linear_loop_keeps_nothing_but_its_length() -> None:
    x = sg.placeholder("float64", (1000,), name="x")
    _, y = sg.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * 2.0), [0, x])
    (twin,) = nodes_of(sg.gradients(sg.sum(y), x), "while", "twin")
    assert [str(stack.type) for stack in stacks_of(twin)] == ["bool[?]"]
    z, _ = sg.scan(lambda v, _: (v * 2.0, None), x, length=3)
    assert not nodes_of(sg.gradients(sg.sum(z), x), "scan", "twin")


def test_of_a_value_that_only_gives_its_shape_the_shape_is_kept() -> None:
    x = sg.placeholder("float64", (None,), name="x")
    body = lambda i, v: (i + 1, v * sg.sum(v))  # noqa: E731
    _, y = sg.while_loop(lambda i, v: i < 3, body, [0, x])
    linear = lambda i, v, s: (i + 1, v * 2.0, s + sg.sum(v))  # noqa: E731
    _, _, s = sg.while_loop(lambda i, v, s: i < 3, linear, [0, x, np.float64(0.0)])
    (twin,) = nodes_of(sg.gradients(s, x), "while", "twin")
    assert [stack.type.dtype.name for stack in stacks_of(twin)] == ["int64"]
    (slope,) = sg.Session().run(sg.gradients(sg.sum(y), x), {x: [0.5, 0.1]})
    # y = x * S**7 summed: S**8, with S the sum of x
    np.testing.assert_allclose(slope, [8 * 0.6**7] * 2)


def test_carries_without_a_way_to_x_have_no_adjoint() -> None:
    x = sg.placeholder("float64", (), name="x")
    w = sg.placeholder("float64", (), name="w")
    step = lambda i, a, b: (i + 1, sg.sin(a * x), sg.cos(b * w))  # noqa: E731
    _, a, b = sg.while_loop(lambda i, a, b: i < 3, step, [0, np.float64(1.0), w])
    (backward,) = nodes_of(sg.gradients(a + b, x), "scan", "backward")
    assert backward.attrs["carries"] == 2  # the adjoint of a and the sum for x
    (tangent,) = nodes_of(sg.jvp(a + b, x, 1.0), "while", "tangent")
    assert tangent.attrs["carries"] == 4


def size_of(function: sg.Function) -> int:
    return len(function.nodes) + sum(size_of(body) for body in function.bodies())


@pytest.mark.parametrize("construct", ["loop", "branch"])
def test_derivatives_of_nested_constructs_grow_by_a_polynomial(construct: str) -> None:
    x = sg.placeholder("float64", (), name="x")

    def level(depth: int, value: sg.Tensor) -> sg.Tensor:
        if depth == 0:
            return sg.sin(value * x)
        if construct == "branch":
            inner = lambda: sg.sin(level(depth - 1, value * x))  # noqa: E731
            return sg.cond(value < 9.0, inner, lambda: value)
        return sg.fori_loop(0, 2, lambda i, v: level(depth - 1, v), value)

    sizes = []
    for depth in (2, 4, 8):
        slopes = slopes_of(level(depth, x), x, 2)
        sizes.append([size_of(sg.extract(slope)) for slope in slopes])
    for order in (0, 1):
        assert sizes[1][order] < 6 * sizes[0][order]
        assert sizes[2][order] < 6 * sizes[1][order]


def test_a_carry_that_grows_from_a_size_that_is_not_known() -> None:
    n = sg.placeholder("int64", (), name="n")
    x = sg.placeholder("float64", (), name="x")
    start = sg.broadcast_to(x, [n])
    last = sg.while_loop(
        lambda v: sg.size(v) < 5, lambda v: sg.concat([sg.sin(v), [1.0]]), start,
        shape_invariants=(None,),
    )  # fmt: skip
    slope = sg.gradients(sg.sum(last), x)
    curvature = sg.gradients(slope[0], x)
    for steps in (1, 2, 3):
        inputs = {n: 5 - steps, x: 0.5}
        # Each element is the sine of a sine, as often as the loop ran.
        slopes, bends = [1.0], [0.0]
        value = 0.5
        for _ in range(steps):
            slopes.append(np.cos(value) * slopes[-1])
            bends.append(np.cos(value) * bends[-1] - np.sin(value) * slopes[-2] ** 2)
            value = np.sin(value)
        found = sg.Session().run([slope[0], curvature[0]], inputs)
        np.testing.assert_allclose(found, [(5 - steps) * slopes[-1], (5 - steps) * bends[-1]])
