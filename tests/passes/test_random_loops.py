"""Random programs of loops and branches, with derivatives, through every prefix of the pipeline.

Not a bit changes; rules that round or sum differently on purpose are left out, and so are matrix
products.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import staticgraph as sg
from staticgraph.backends.reference import evaluate
from staticgraph.core.function import Function
from staticgraph.core.graph import Tensor
from staticgraph.passes import pipeline
from staticgraph.passes.pipeline import PIPELINE
from tests.passes.support import assert_same_bits, run
from tests.passes.test_random_graphs import EXACT_PIPELINE

CALM = [
    sg.sin, sg.cos, sg.tanh, sg.negative, sg.identity, sg.sigmoid, sg.erf, sg.sinh, sg.asinh,
    lambda x: sg.lgamma(2.5 + sg.sin(x)), lambda x: sg.digamma(2.5 + sg.sin(x)),
    lambda x: sg.igamma(1.5 + sg.square(x), 2.0), lambda x: sg.erfinv(0.5 * sg.sin(x)),
    lambda x: sg.cast(sg.cast(x, "float16"), "float32"),
    lambda x: sg.cast(sg.cast(x, "bfloat16"), "float32"),
    lambda x: sg.real(sg.exp(1j * sg.cast(x, "complex64"))),
    lambda x: sg.imag(sg.complex(1.0, x) * sg.complex(x, sg.sin(x))),
    lambda x: sg.abs(sg.complex(x, 0.5)),
]  # fmt: skip
# Of three numbers, in an array: one number, which each of them may have a part in.
ROWS = [
    lambda x: sg.sort(x, descending=True)[1], lambda x: sg.cumsum(x)[2],
    lambda x: sg.cumprod(x, reverse=True)[0], lambda x: sg.median(x),
    lambda x: sg.quantile(x, 0.3), lambda x: sg.top_k(x, 2)[0][1],
    lambda x: sg.take(x, sg.argsort(x), axis=0)[0], lambda x: sg.max(sg.unique_values(x)),
    lambda x: sg.cast(sg.searchsorted(sg.sort(x), x[1:2]), "float32")[0],
    lambda x: sg.segment_sum(x, [1, 0, 1], 2)[1], lambda x: sg.segment_max(x, [0, 0, 1], 2)[0],
    lambda x: sg.scatter_add(x, [2, 2], x[:2])[2], lambda x: sg.sum(x[sg.nonzero(x > 0.0)[0]]),
    lambda x: sg.real(sg.fft.fft(x))[1], lambda x: sg.imag(sg.fft.rfft(x, n=4))[1],
    lambda x: sg.fft.irfft(sg.fft.rfft(x), n=3)[2], lambda x: sg.var(x), lambda x: sg.softmax(x)[0],
    lambda x: sg.interp(x, [-1.0, 0.3, 1.0], [0.0, 1.0, 0.5])[0],
    lambda x: sg.histogram(x, bins=[-9.0, 0.0, 9.0], weights=x)[0][0],
    lambda x: sg.sum(sg.one_hot(sg.argmax(x), 3) * x), lambda x: sg.trapezoid(x),
    lambda x: sg.linalg.vector_norm(x + 2.0), lambda x: sg.diff(x)[0], lambda x: sg.logsumexp(x),
    lambda x: sg.sum(sg.einsum("i,i->i", x, x)), lambda x: sg.bincount([1, 0, 1], x, length=2)[1],
    lambda x: sg.take_along_axis(x, sg.argsort(x, descending=True))[0],
]  # fmt: skip


class Program:
    """Draws expressions of the values in sight, and constructs around them."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def pick(self, choices: list[Any]) -> Any:
        return self.draw(st.sampled_from(choices))

    def value(self, sight: list[Tensor], depth: int) -> Tensor:
        """A scalar made of the scalars in sight."""
        kinds = [self.unary, self.binary, self.number, self.row]
        if depth:
            kinds += [self.cond, self.loop, self.scan, self.switch]
        result: Tensor = self.pick(kinds)(sight, depth)
        return result

    def unary(self, sight: list[Tensor], depth: int) -> Tensor:
        result: Tensor = self.pick(CALM)(self.pick(sight))
        return result

    def binary(self, sight: list[Tensor], depth: int) -> Tensor:
        result: Tensor = self.pick([sg.add, sg.multiply, sg.subtract])(
            self.pick(sight), self.pick(sight)
        )
        return result

    def row(self, sight: list[Tensor], depth: int) -> Tensor:
        numbers = sg.stack([self.pick(sight) for _ in range(3)])
        result: Tensor = self.pick(ROWS)(numbers)
        return result

    def number(self, sight: list[Tensor], depth: int) -> Tensor:
        return self.pick(sight) * sg.constant(self.pick([0.5, 1.0, -0.25]))

    def several(self, sight: list[Tensor], depth: int) -> list[Tensor]:
        """One to three values, each in sight of the next."""
        made: list[Tensor] = []
        for _ in range(self.draw(st.integers(1, 3))):
            made.append(self.value([*sight, *made], depth))
        return made

    def cond(self, sight: list[Tensor], depth: int) -> Tensor:
        predicates = [self.pick(sight) > 0.1, sg.constant(self.draw(st.booleans()))]
        results = sg.cond(
            self.pick(predicates),
            lambda: (self.several(sight, depth - 1)[-1], self.pick(sight)),
            lambda: (self.several(sight, depth - 1)[-1], self.pick(sight)),
        )
        chosen: Tensor = self.pick(list(results))
        return chosen

    def switch(self, sight: list[Tensor], depth: int) -> Tensor:
        number = sg.cast(self.pick(sight) > 0.0, "int64")
        index = self.pick([number, number + 1, sg.constant(1)])
        branches = [lambda: self.several(sight, depth - 1)[-1]] * 3
        result: Tensor = sg.switch_case(index, branches)
        return result

    def loop(self, sight: list[Tensor], depth: int) -> Tensor:
        limit = self.pick([0, 1, 3])
        start = self.pick([0, 2])
        bound = self.pick(sight)

        def test(i: Tensor, u: Tensor, v: Tensor) -> Tensor:
            return (i < limit) & (u < sg.abs(bound) + 2.0)

        def step(i: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            inner = [*sight, u, v]
            made = self.several(inner, depth - 1)
            return i + 1, sg.sin(made[-1]), self.pick([v, made[0], self.pick(sight)])

        results = sg.while_loop(test, step, (start, self.pick(sight), self.pick(sight)))
        chosen: Tensor = self.pick(list(results[1:]))
        return chosen

    def scan(self, sight: list[Tensor], depth: int) -> Tensor:
        rows = sg.stack([self.pick(sight) for _ in range(self.draw(st.integers(1, 3)))])
        more = self.pick([rows, sg.sin(rows)])

        def step(carry: Any, entry: Any) -> Any:
            inner = [*sight, *carry, *entry]
            made = self.several(inner, depth - 1)
            kept = self.pick([carry[1], made[0]])
            return (sg.tanh(made[-1]), kept), (made[0], self.pick(list(entry)), carry[0])

        starts = (self.pick(sight), self.pick(sight))
        reverse = self.draw(st.booleans())
        last, outputs = sg.scan(step, starts, (rows, more), reverse=reverse)
        summed = [sg.sum(output) for output in outputs]
        return self.pick([*last, *summed]) + self.pick([*last, *summed])


def _prefixes() -> list[tuple[pipeline.Pass, ...]]:
    return [EXACT_PIPELINE[:count] for count in range(1, len(PIPELINE) + 1)]


def _fetches(program: Program, x: Tensor, y: Tensor) -> list[Tensor]:
    made = program.several([x, y], 2)
    result = made[-1]
    slopes = sg.gradients(result, [x, y], unconnected="zero")
    again = sg.gradients(slopes[0], [x, y], unconnected="zero")
    tangents = sg.jvp([result], [x], [sg.constant(0.5)])
    return [*made, *slopes, *again, *tangents]


# A failing program is small as it is, and shrinking it would take minutes.
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(data=st.data())
def test_every_prefix_keeps_every_bit(data: st.DataObject) -> None:
    with sg.Graph().as_default():
        x = sg.placeholder("float32", (), name="x")
        y = sg.placeholder("float32", (), name="y")
        written = sg.extract(_fetches(Program(data.draw), x, y))
    given_values = {"x": np.float32(0.7), "y": np.float32(data.draw(st.sampled_from([-1.2, 0.3])))}
    inputs = [given_values[value.name] for value in written.inputs]
    want = run(written, inputs)
    for passes in _prefixes():
        function: Function = pipeline._Runner(passes, evaluate).run(written)
        for have, value in zip(run(function, inputs), want, strict=True):
            assert_same_bits(have, value)
