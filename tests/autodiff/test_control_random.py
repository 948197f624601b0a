"""Random programs of loops and branches: their derivatives are those of the program written out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.autodiff.control_programs import NumPy, Plain, check

Op = Callable[[Any, Any, Any], Any]

# All bounded, so that no program runs away.
OPS: dict[str, Op] = {
    "sin": lambda m, a, b: m.sin(a + b),
    "product": lambda m, a, b: m.tanh(a) * m.cos(b),
    "mean": lambda m, a, b: 0.5 * (a - b),
    "root": lambda m, a, b: m.sqrt(1.5 + m.sin(a * b)),
    "tanh": lambda m, a, b: m.tanh(a * b + 0.3),
    "exp": lambda m, a, b: m.exp(-a * a) + 0.2 * m.tanh(b),
    "copy": lambda m, a, b: a,
    "guarded": lambda m, a, b: m.where(a > 0.1, m.log(m.maximum(a, 0.1) + 0.5), m.sin(b)),
}
WIDTH = 3
SLOTS = st.integers(0, WIDTH - 1)
COUNTS = st.integers(0, 3)
STATEMENTS = st.tuples(st.just("op"), st.sampled_from(sorted(OPS)), SLOTS, SLOTS, SLOTS)


def _nested(blocks: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    statements = st.one_of(
        STATEMENTS,
        st.tuples(st.just("while"), COUNTS, SLOTS, blocks),
        st.tuples(st.just("fori"), COUNTS, blocks),
        st.tuples(st.just("scan"), st.booleans(), SLOTS, blocks),
        st.tuples(st.just("cond"), SLOTS, blocks, blocks),
        st.tuples(st.just("switch"), st.integers(0, 1), blocks, blocks),
    )
    return st.lists(statements, min_size=1, max_size=3)


BLOCKS = st.recursive(st.lists(STATEMENTS, min_size=1, max_size=3), _nested, max_leaves=6)


class Interpreter:
    """Runs a block of statements on a state of numbers, with a library and its constructs.

    margins     how far each number was from where a decision about it would have turned
    """

    def __init__(self, library: Any, constructs: Any, rows: Any) -> None:
        self.library, self.constructs, self.rows = library, constructs, rows
        self.margins: list[float] = []

    def run(self, block: Sequence[Any], state: Sequence[Any]) -> list[Any]:
        values = list(state)
        for kind, *rest in block:
            values = list(getattr(self, f"_{kind}")(values, *rest))
        return values

    def _above(self, value: Any, bound: float) -> Any:
        if isinstance(self.library, NumPy):
            self.margins.append(abs(float(value) - bound))
        return value > bound

    def _op(self, state: list[Any], name: str, a: int, b: int, to: int) -> list[Any]:
        if name == "guarded":
            self._above(state[a], 0.1)
        new = OPS[name](self.library, state[a], state[b])
        return [*state[:to], new, *state[to + 1 :]]

    def _while(self, state: list[Any], count: int, slot: int, block: Any) -> list[Any]:
        def cond(i: Any, *values: Any) -> Any:
            return self.library.logical_and(i < count, self._above(values[slot], -0.4))

        def body(i: Any, *values: Any) -> Any:
            return [i + 1, *self.run(block, values)]

        return list(self.constructs.while_loop(cond, body, [0, *state]))[1:]

    def _fori(self, state: list[Any], count: int, block: Any) -> Any:
        return self.constructs.fori_loop(0, count, lambda i, v: self.run(block, v), state)

    def _scan(self, state: list[Any], reverse: bool, slot: int, block: Any) -> list[Any]:
        def step(values: Any, row: Any) -> Any:
            mixed = [*values[:slot], self.library.tanh(values[slot] + row), *values[slot + 1 :]]
            new = self.run(block, mixed)
            return new, new[slot] * row

        last, ys = self.constructs.scan(step, state, self.rows, reverse=reverse)
        return [*last[:slot], self.library.tanh(self.library.sum(ys)), *last[slot + 1 :]]

    def _cond(self, state: list[Any], slot: int, yes: Any, no: Any) -> Any:
        above = self._above(state[slot], 0.2)
        return self.constructs.cond(
            above, lambda: self.run(yes, state), lambda: self.run(no, state)
        )

    def _switch(self, state: list[Any], index: int, first: Any, second: Any) -> Any:
        branches = [lambda: self.run(first, state), lambda: self.run(second, state)]
        return self.constructs.switch_case(index, branches)


@settings(max_examples=25, deadline=None)
@given(BLOCKS, st.integers(0, 2**20))
def test_random_programs(block: Any, seed: int) -> None:
    points: list[Any] = [*np.random.default_rng(seed).normal(size=WIDTH), [0.4, -0.7]]
    margins: list[float] = []

    def program(library: Any, constructs: Any, *inputs: Any) -> Any:
        interpreter = Interpreter(library, constructs, inputs[-1])
        values = interpreter.run(block, inputs[:-1])
        margins.extend(interpreter.margins)
        return values[0] + 0.7 * values[1] - 0.4 * values[2] + 0.1 * library.sum(inputs[-1])

    program(NumPy(), Plain(NumPy(), lambda x: x), *[np.asarray(p, np.float64) for p in points])
    # Differences mean nothing where a decision is about to turn; the graphs are compared anyway.
    check(program, points, seed, differences=min(margins, default=1.0) > 0.05)
