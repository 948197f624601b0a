"""A run goes through the iterations of a loop once, whatever derivatives it fetches beside.

Every innermost body steps a number that derivatives have no use for, but which its value depends
on; how often that is done in a run is how often the body ran.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import staticgraph as sg
from staticgraph.core.opdef import get

Step = Callable[[sg.Tensor, sg.Tensor], tuple[sg.Tensor, sg.Tensor]]

NESTINGS: dict[str, tuple[int, Callable[[sg.Tensor, sg.Tensor], sg.Tensor]]] = {}


def nesting(runs: int) -> Any:
    """Registers constructs, with how often their innermost body runs."""

    def register(function: Any) -> Any:
        NESTINGS[function.__name__] = (runs, function)
        return function

    return register


def stepped(k: sg.Tensor, v: sg.Tensor, x: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
    """The innermost body."""
    k = sg.bitwise_xor(k, 5)
    return k, sg.sin(v * x) + 0.01 * sg.cast(k, "float64")


def scanned(step: Step, count: int, k: sg.Tensor, v: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
    """`count` steps of a scan that also stacks."""
    last, ys = sg.scan(lambda state, _: (step(*state), state[1]), (k, v), length=count)
    return last[0], last[1] + 0.1 * sg.sum(ys * ys)


def repeated(step: Step, bound: float, k: sg.Tensor, v: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
    """Steps of a while whose number depends on the value that it starts from."""

    def body(k: sg.Tensor, v: sg.Tensor, left: sg.Tensor) -> tuple[sg.Tensor, ...]:
        return (*step(k, v), left - 0.3)

    return sg.while_loop(lambda k, v, left: left > bound, body, (k, v, v))[:2]


def number(value: int = 1) -> sg.Tensor:
    return sg.constant(value, "int64")


@nesting(4)
def one_scan(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    return scanned(lambda k, v: stepped(k, v, x), 4, number(), v)[1]


@nesting(3)
def one_while(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    return repeated(lambda k, v: stepped(k, v, x), 0.0, number(), v)[1]


@nesting(12)
def scan_in_scan(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    inner = lambda k, v: scanned(lambda k, v: stepped(k, v, x), 4, k, v)  # noqa: E731
    return scanned(inner, 3, number(), v)[1]


@nesting(9)
def while_in_scan(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    inner = lambda k, v: repeated(lambda k, v: stepped(k, v, x), -0.1, k, v)  # noqa: E731
    return scanned(inner, 3, number(), v)[1]


@nesting(12)
def scan_in_while(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    inner = lambda k, v: scanned(lambda k, v: stepped(k, v, x), 4, k, v)  # noqa: E731
    return repeated(inner, 0.0, number(), v)[1]


@nesting(9)
def while_in_while(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    inner = lambda k, v: repeated(lambda k, v: stepped(k, v, x), -0.1, k, v)  # noqa: E731
    return repeated(inner, 0.0, number(), v)[1]


@nesting(10)
def scan_in_while_in_scan(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    inner = lambda k, v: scanned(lambda k, v: stepped(k, v, x), 2, k, v)  # noqa: E731
    middle = lambda k, v: repeated(inner, 0.2, k, v)  # noqa: E731
    return scanned(middle, 2, number(), v)[1]


@nesting(11)
def while_in_while_in_while(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    inner = lambda k, v: repeated(lambda k, v: stepped(k, v, x), 0.1, k, v)  # noqa: E731
    middle = lambda k, v: repeated(inner, 0.1, k, v)  # noqa: E731
    return repeated(middle, 0.1, number(), v)[1]


@nesting(12)
def a_loop_that_is_the_same_in_each_iteration(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    def step(k: sg.Tensor, v: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
        inner = repeated(lambda k, v: stepped(k, v, x), 0.0, number(), x)
        return k + inner[0], v * inner[1]

    return repeated(step, 0.0, number(), v)[1]


@nesting(4)
def scan_in_cond(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    taken = lambda: scanned(lambda k, v: stepped(k, v, x), 4, number(), v)[1] * x  # noqa: E731
    return sg.cond(v > 0.0, taken, lambda: v * x)


@nesting(3)
def while_in_cond(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    taken = lambda: sg.sin(repeated(lambda k, v: stepped(k, v, x), 0.0, number(), v)[1])  # noqa: E731
    return sg.cond(v < 0.0, lambda: v * x, taken)


@nesting(4)
def loops_in_all_branches(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    def branch(count: int) -> Callable[[], sg.Tensor]:
        return lambda: sg.tanh(scanned(lambda k, v: stepped(k, v, x), count, number(), v)[1])

    return sg.switch_case(sg.cast(v * 2.5, "int64"), [branch(3), branch(5), branch(4)])


@nesting(3)
def cond_in_loop(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    def step(k: sg.Tensor, v: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
        k, new = stepped(k, v, x)
        return k, sg.cond(k > 2, lambda: new * v, lambda: sg.cos(new))

    return scanned(step, 3, number(), v)[1]


@nesting(7)
def loop_in_cond_in_loop(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    def step(k: sg.Tensor, v: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
        inner = lambda: repeated(lambda k, v: stepped(k, v, x), -0.1, k, v)  # noqa: E731
        return sg.cond(v > 0.55, inner, lambda: (k, v * x + 0.3))

    return repeated(step, 0.0, number(), v)[1]


@nesting(8)
def loop_in_cond_in_cond_in_scan(x: sg.Tensor, v: sg.Tensor) -> sg.Tensor:
    def step(k: sg.Tensor, v: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
        inner = lambda: scanned(lambda k, v: stepped(k, v, x), 4, k, v)  # noqa: E731
        outer = lambda: sg.cond(v < 9.0, inner, lambda: (k, v))  # noqa: E731
        return sg.cond(v > 0.0, outer, lambda: (k, v * x))

    return scanned(step, 2, number(), v)[1]


@pytest.fixture
def counted() -> Iterator[list[int]]:
    """How often the innermost body ran, as the one entry of a list."""
    op, calls = get("bitwise_xor"), [0]
    known = op.reference
    assert known is not None

    def reference(*operands: Any) -> Any:
        calls[0] += 1
        return known(*operands)

    object.__setattr__(op, "reference", reference)
    yield calls
    object.__setattr__(op, "reference", known)


@pytest.mark.parametrize("name", NESTINGS)
def test_bodies_run_once(name: str, counted: list[int]) -> None:
    runs, build = NESTINGS[name]
    x = sg.placeholder("float64", (), name="x")
    v = sg.placeholder("float64", (), name="v")
    y = build(x, v)
    slopes = sg.gradients(y, [x, v])
    curvatures = sg.gradients(slopes[0], [x, v])
    tangent = sg.jvp([y], [x], [1.0])
    # What is counted is what NumPy is asked for; both backends evaluate the same program.
    session = sg.Session(backend="reference")
    fetches: dict[str, Any] = {
        "value": y,
        "gradient": slopes,
        "value and gradient": [y, slopes],
        "second order": [y, slopes, curvatures],
        "second order alone": curvatures,
        "forward mode": [y, tangent],
        "all": [y, slopes, curvatures, tangent],
    }
    found = {}
    for what, wanted in fetches.items():
        counted[0] = 0
        session.run(wanted, {x: 0.9, v: 0.85})
        found[what] = counted[0]
    assert found == dict.fromkeys(fetches, runs)
