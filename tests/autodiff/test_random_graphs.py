"""Random graphs of elementwise ops: reverse mode, forward mode and differences say the same.

Every op is written twice, for tensors and for NumPy, so that the differences are taken of a program
that staticgraph has no part in. All of them stay bounded and smooth where they are used; the
masked ones are bounded and smooth only where their mask holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import staticgraph as sg

Array = np.ndarray[Any, Any]
Op = Callable[..., Any]
STEP = 1e-3


class NumPy:
    """NumPy and SciPy under staticgraph's names."""

    sigmoid = staticmethod(special.expit)
    erf = staticmethod(special.erf)
    softplus = staticmethod(lambda x: np.logaddexp(x, 0.0))
    relu = staticmethod(lambda x: np.maximum(x, 0.0))
    rsqrt = staticmethod(lambda x: 1.0 / np.sqrt(x))
    pow = staticmethod(np.power)
    clip = staticmethod(np.clip)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


# Each takes the library, two operands and a mask.
SMOOTH: dict[str, Op] = {
    "add": lambda m, a, b, mask: 0.5 * (a + b),
    "subtract": lambda m, a, b, mask: a - 0.5 * b,
    "multiply": lambda m, a, b, mask: a * m.sin(b),
    "square": lambda m, a, b, mask: m.square(m.tanh(a)) - b,
    "divide": lambda m, a, b, mask: a / (1.5 + m.sin(b)),
    "reciprocal": lambda m, a, b, mask: m.reciprocal(2.0 + m.cos(a)) * b,
    "negative": lambda m, a, b, mask: -a,
    "pow": lambda m, a, b, mask: m.pow(1.5 + m.sin(a), m.tanh(b)),
    "cube": lambda m, a, b, mask: m.tanh(a) ** 3 + 0.0 * b,
    "exp": lambda m, a, b, mask: m.exp(m.sin(a)),
    "expm1": lambda m, a, b, mask: m.expm1(m.cos(a)),
    "log": lambda m, a, b, mask: m.log(1.5 + m.sin(a)),
    "log1p": lambda m, a, b, mask: m.log1p(m.square(m.sin(a))),
    "sqrt": lambda m, a, b, mask: m.sqrt(1.0 + m.square(m.sin(a))),
    "rsqrt": lambda m, a, b, mask: m.rsqrt(1.5 + m.sin(a)),
    "tan": lambda m, a, b, mask: m.tan(0.5 * m.sin(a)),
    "sigmoid": lambda m, a, b, mask: m.sigmoid(a) * b,
    "softplus": lambda m, a, b, mask: m.softplus(m.sin(a)),
    "erf": lambda m, a, b, mask: m.erf(a),
    "where": lambda m, a, b, mask: m.where(mask, a, m.tanh(b)),
    "abs": lambda m, a, b, mask: m.abs(m.sin(a) + 2.0),
    "relu": lambda m, a, b, mask: m.relu(m.sin(a) - 1.5) + m.relu(m.sin(b) + 1.5),
    "maximum": lambda m, a, b, mask: m.maximum(m.sin(a) + m.where(mask, 3.0, -3.0), m.sin(b)),
    "minimum": lambda m, a, b, mask: m.minimum(m.sin(a) + m.where(mask, 3.0, -3.0), m.sin(b)),
    "clip": lambda m, a, b, mask: m.clip(m.sin(a) + m.where(mask, 0.0, 5.0), -2.0, 2.0),
}


def masked(bad: Op) -> list[Op]:
    """`bad` of a number in (0.5, 2.5) where the mask holds; elsewhere it is given a 0 or a number
    below, which depends on the inputs or does not."""

    def multiplied(other: float) -> Op:
        def op(m: Any, a: Any, b: Any, mask: Any) -> Any:
            operand = (1.5 + m.sin(a)) * m.where(mask, 1.0, other)
            return m.where(mask, bad(m, operand), m.tanh(b))

        return op

    def chosen(m: Any, a: Any, b: Any, mask: Any) -> Any:
        operand = m.where(mask, 1.5 + m.sin(a), -m.abs(m.floor(m.sin(b))))
        return m.where(mask, bad(m, operand), m.tanh(b))

    return [multiplied(0.0), multiplied(-1.0), chosen]


BAD: dict[str, Callable[[Any, Any], Any]] = {
    "log": lambda m, x: m.log(x),
    "sqrt": lambda m, x: m.sqrt(x),
    "rsqrt": lambda m, x: m.rsqrt(x),
    "reciprocal": lambda m, x: m.reciprocal(x),
    "divide": lambda m, x: m.sin(x) / x,
    "root": lambda m, x: x**0.5,
    "pow": lambda m, x: x**x,
    "entropy": lambda m, x: x * m.log(x),
    "log of a log": lambda m, x: m.tanh(m.log(3.0 * x) * m.log(x)),
}
MASKED = {
    f"masked {name} {number}": op
    for name, bad in BAD.items()
    for number, op in enumerate(masked(bad))
}
# Finite at the number that stands where nothing moves, with a derivative that is not.
MASKED["masked root of a constant"] = lambda m, a, b, mask: (
    m.sqrt(m.where(mask, 1.5 + m.sin(a), 0.0)) + m.where(mask, 1.5 + m.sin(b), 0.0) ** 0.5
)

INPUTS = [(), (3,), (2, 1), (2, 3)]
MASK = np.array([[True, False, True], [False, False, True]])
STEPS = st.tuples(
    st.sampled_from(sorted(SMOOTH)), st.integers(0, 1000), st.integers(0, 1000), st.booleans()
)
MASKED_STEPS = st.tuples(
    st.sampled_from(sorted(MASKED)), st.integers(0, 1000), st.integers(0, 1000), st.booleans()
)


def program(library: Any, ops: dict[str, Op], steps: Sequence[Any], inputs: Sequence[Any]) -> Any:
    """The weighted sum of the last values of a program; each step takes any two values before."""
    values = list(inputs)
    for name, first, second, turned in steps:
        recent = values[-6:]
        lhs, rhs = recent[first % len(recent)], recent[second % len(recent)]
        values.append(ops[name](library, lhs, rhs, ~MASK if turned else MASK))
    weights = np.linspace(0.5, 1.5, MASK.size).reshape(MASK.shape)
    return library.sum(weights * (values[-1] + 0.5 * values[-2] + values[0]))


def difference(
    function: Callable[[list[Array]], Any], points: list[Array], along: list[Array]
) -> Any:
    """The derivative along a direction by five-point differences."""
    total: Any = 0.0
    with np.errstate(all="ignore"):
        for count, weight in ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0)):
            moved = [p + count * STEP * a for p, a in zip(points, along, strict=True)]
            total = total + weight * np.asarray(function(moved))
    return total / (12 * STEP)


def check(ops: dict[str, Op], steps: Sequence[Any], seed: int, known: bool = True) -> None:
    random = np.random.default_rng(seed)
    points, first, second = ([random.standard_normal(shape) for shape in INPUTS] for _ in range(3))

    def slope_along(moved: list[Array]) -> Any:
        return difference(lambda ps: program(NumPy(), ops, steps, ps), moved, first)

    with sg.Graph().as_default():
        shapes = INPUTS if known else [(None,) * len(shape) for shape in INPUTS]
        xs = [sg.placeholder("float64", shape, name=f"x{i}") for i, shape in enumerate(shapes)]
        y = program(sg, ops, steps, xs)
        slopes = sg.gradients(y, xs, unconnected="zero")
        (moved,) = sg.jvp(y, xs, first)
        fetches = {
            "slopes": slopes,
            "moved": moved,
            "forward over reverse": sg.jvp(slopes, xs, second),
            "reverse over reverse": sg.gradients(slopes, xs, first, unconnected="zero"),
            "reverse over forward": sg.gradients(moved, xs, unconnected="zero"),
            "forward over forward": sg.jvp(moved, xs, second),
        }
        found = sg.Session().run(fetches, dict(zip(xs, points, strict=True)))

    def along(parts: Sequence[Array], direction: Sequence[Array]) -> float:
        return float(sum(np.sum(p * d) for p, d in zip(parts, direction, strict=True)))

    want = difference(lambda ps: program(NumPy(), ops, steps, ps), points, first)
    assert found["moved"] == pytest.approx(want, rel=1e-5, abs=1e-6)
    assert along(found["slopes"], first) == pytest.approx(found["moved"], rel=1e-9, abs=1e-9)
    curvature = along(found["forward over reverse"], first)
    want = difference(slope_along, points, second)
    assert curvature == pytest.approx(want, rel=1e-3, abs=1e-4)
    others = [
        along(found["reverse over reverse"], second),
        along(found["reverse over forward"], second),
        float(found["forward over forward"][0]),
    ]
    assert others == pytest.approx([curvature] * 3, rel=1e-8, abs=1e-8)


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, min_size=2, max_size=8), st.integers(0, 2**20), st.booleans())
def test_smooth_programs(steps: list[Any], seed: int, known: bool) -> None:
    check(SMOOTH, steps, seed, known)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(MASKED_STEPS, STEPS), min_size=2, max_size=6),
    st.integers(0, 2**20),
    st.booleans(),
)
def test_masked_programs(steps: list[Any], seed: int, known: bool) -> None:
    check({**SMOOTH, **MASKED}, steps, seed, known)


@pytest.mark.parametrize("name", MASKED)
def test_each_masked_op(name: str) -> None:
    check(MASKED, [(name, 3, 1, False), (name, 2, 3, True)], 5)
