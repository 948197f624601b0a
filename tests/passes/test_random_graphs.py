"""Random graphs, with their derivatives, through every prefix of the pipeline: not a bit changes.

Rules that round differently on purpose are left out here; test_rules.py holds them to the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import staticgraph as sg
from staticgraph.backends.reference import evaluate
from staticgraph.core.function import Function
from staticgraph.core.graph import Tensor
from staticgraph.core.verify import verify
from staticgraph.passes.common import Notes
from staticgraph.passes.matching import RuleTable
from staticgraph.passes.order import shuffled
from staticgraph.passes.patterns import Exactness
from staticgraph.passes.pipeline import PIPELINE, Pass, optimize
from staticgraph.passes.rules import RULES
from staticgraph.passes.simplify import Simplifier
from tests.passes.support import arrays, assert_same_bits, run

EXACT = RuleTable([rule for rule in RULES if rule.exactness is Exactness.EXACT])


def _simplify_exactly(function: Function, notes: Notes) -> Function:
    return Simplifier(EXACT, notes).run(function)


EXACT_PIPELINE = tuple(
    Pass("simplify", _simplify_exactly) if each.name == "simplify" else each for each in PIPELINE
)

UNARY: list[Callable[..., Tensor]] = [
    sg.negative, sg.abs, sg.exp, sg.square, sg.sqrt, sg.relu, sg.sigmoid, sg.floor, sg.round,
    sg.sign, sg.identity, sg.stop_gradient, sg.reciprocal, sg.cos, sg.log1p, sg.sinh, sg.asinh,
    sg.atan, sg.cbrt, sg.exp2, sg.log2, sg.erf, sg.lgamma, sg.nan_to_num, sg.trunc,
]  # fmt: skip
BINARY: list[Callable[..., Tensor]] = [
    sg.add, sg.subtract, sg.multiply, sg.divide, sg.maximum, sg.minimum, sg.pow, sg.fmax, sg.fmin,
    sg.hypot, sg.copysign, sg.atan2, sg.logaddexp, sg.remainder, sg.fmod, sg.xlogy,
]  # fmt: skip
COMPARISONS: list[Callable[..., Tensor]] = [sg.less, sg.equal, sg.greater_equal, sg.not_equal]
INTEGERS: list[Callable[..., Tensor]] = [
    sg.add, sg.subtract, sg.multiply, sg.bitwise_and, sg.bitwise_xor, sg.floor_divide, sg.remainder,
]  # fmt: skip
LOGIC: list[Callable[..., Tensor]] = [sg.logical_and, sg.logical_or, sg.logical_xor]
SCALARS = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 3.0]
MOVES: list[Callable[[Tensor], Tensor]] = [
    lambda x: sg.sum(x, axis=0, keepdims=True),
    lambda x: sg.sum(x),
    lambda x: sg.max(x, axis=-1),
    lambda x: sg.reshape(x, (-1,)),
    lambda x: sg.permute_dims(x),
    lambda x: sg.expand_dims(x, 0),
    lambda x: sg.squeeze(sg.expand_dims(x, 0), 0),
    lambda x: sg.broadcast_to(x, (2, 3)),
    lambda x: x[..., ::-1],
    lambda x: sg.cast(sg.cast(x, "float64"), "float32"),
    lambda x: x / 4.0,
    lambda x: sg.concat([x, x], axis=0),
    lambda x: x[..., 1:],
    lambda x: x[..., :1],
    lambda x: x[::2],
    lambda x: sg.pad(x, 0),
    lambda x: sg.expand_dims(x, -1),
    lambda x: sg.clip(x, -1.0, 1.0),
    lambda x: sg.minimum(sg.maximum(x, -1.0), 1.0),
    lambda x: sg.where(x > 0, 1.0, 0.0),
    lambda x: sg.cast(x > 0, "float32"),
    lambda x: x * sg.cast(sg.size(x, 0), "float32"),
    lambda x: sg.reshape(x, sg.shape(x)),
    lambda x: sg.broadcast_to(sg.sum(x), sg.shape(x)),
    lambda x: sg.mean(x),
    lambda x: sg.cumsum(x, axis=0),
    lambda x: sg.cumprod(x, axis=-1),
    lambda x: sg.sort(x, axis=-1),
    lambda x: sg.take_along_axis(x, sg.argsort(x, axis=0), axis=0),
    lambda x: sg.top_k(x, 1)[0],
    lambda x: sg.segment_sum(x, np.array([1, 0], np.int32), num_segments=3),
    lambda x: sg.real(sg.conj(sg.complex(x, x + 1.0))),
    lambda x: sg.imag(sg.exp(sg.complex(x * 0.5, x))),
    lambda x: sg.fft.irfft(sg.fft.rfft(x), n=3),
    lambda x: sg.real(sg.fft.fft(x, axis=0)),
    lambda x: sg.linalg.solve(sg.eye(3, dtype="float32") * 4.0 + 0.5, x),
    lambda x: sg.linalg.cholesky(sg.eye(3, dtype="float32") * 2.0 + sg.sum(sg.sign(x)) * 0.0),
    lambda x: sg.cast(sg.cast(x, "float16"), "float32"),
    lambda x: sg.cast(sg.cast(x, "bfloat16") * 2, "float32"),
]


class Builder:
    """Grows a graph by random choices among the tensors made so far."""

    def __init__(self, draw: Any, sizes_known: bool) -> None:
        self.draw = draw
        shape = (2, 3) if sizes_known else (None, 3)
        self.floats = [
            sg.placeholder("float32", shape, name="x"),
            sg.placeholder("float32", (3,) if sizes_known else (None,), name="y"),
        ]
        self.integers = [sg.placeholder("int32", shape, name="i")]
        self.bools = [self.floats[0] > 0.0]

    def pick(self, choices: list[Any]) -> Any:
        return self.draw(st.sampled_from(choices))

    def grow(self) -> None:
        """Adds one node or two, or nothing where the operands do not fit."""
        kind = self.pick(
            [
                self._unary, self._binary, self._scalar, self._compare, self._where,
                self._integer, self._logic, self._move,
            ]
        )  # fmt: skip
        try:
            kind()
        except sg.StaticGraphError:
            return

    def _unary(self) -> None:
        self.floats.append(self.pick(UNARY)(self.pick(self.floats)))

    def _binary(self) -> None:
        self.floats.append(self.pick(BINARY)(self.pick(self.floats), self.pick(self.floats)))

    def _scalar(self) -> None:
        scalar = sg.constant(self.pick(SCALARS))
        operands = [self.pick(self.floats), scalar]
        if self.draw(st.booleans()):
            operands.reverse()
        self.floats.append(self.pick(BINARY)(*operands))

    def _compare(self) -> None:
        self.bools.append(self.pick(COMPARISONS)(self.pick(self.floats), self.pick(self.floats)))

    def _where(self) -> None:
        branches = [self.pick(self.floats), self.pick(self.floats)]
        self.floats.append(sg.where(self.pick(self.bools), *branches))

    def _integer(self) -> None:
        other = self.pick([*self.integers, 0, 1, 2, -1])
        self.integers.append(self.pick(INTEGERS)(self.pick(self.integers), other))
        if self.draw(st.booleans()):
            self.floats.append(sg.cast(self.integers[-1], "float32"))

    def _logic(self) -> None:
        other = self.pick([*self.bools, True, False])
        made = self.pick(LOGIC)(self.pick(self.bools), other)
        self.bools.append(~made if self.draw(st.booleans()) else made)

    def _move(self) -> None:
        self.floats.append(self.pick(MOVES)(self.pick(self.floats)))

    def results(self) -> list[Tensor]:
        """Some of what was made, and derivatives of it."""
        chosen = [self.floats[-1], self.pick(self.floats), self.integers[-1], self.bools[-1]]
        total = sg.sum(self.floats[-1]) + sg.sum(self.pick(self.floats))
        slopes = sg.gradients(total, self.floats[:2], unconnected="zero")
        return [*chosen, *slopes]


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_prefix_of_the_pipeline_keeps_every_bit(data: st.DataObject) -> None:
    with sg.Graph().as_default():
        builder = Builder(data.draw, data.draw(st.booleans()))
        for _ in range(data.draw(st.integers(1, 14))):
            builder.grow()
        written = sg.extract(builder.results())
    feeds = {"x": ("float32", (2, 3)), "y": ("float32", (3,)), "i": ("int32", (2, 3))}
    inputs = [data.draw(arrays(*feeds[value.name])) for value in written.inputs]
    try:
        want = run(written, inputs)
    except sg.StaticGraphError:
        # Unknown sizes may turn out not to fit; then no pass has to make them fit.
        return
    function = written
    for place, each in enumerate(EXACT_PIPELINE):
        mixed = each.function(shuffled(function, place), Notes(evaluate))
        function = each.function(function, Notes(evaluate))
        for after in (mixed, function):
            verify(after, each.name)
            for have, value in zip(run(after, inputs), want, strict=True):
                assert_same_bits(have, value)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_pipeline_settles(data: st.DataObject) -> None:
    """What the rules made, and merging them, leaves nothing for a second simplification."""
    with sg.Graph().as_default():
        builder = Builder(data.draw, data.draw(st.booleans()))
        for _ in range(data.draw(st.integers(1, 14))):
            builder.grow()
        written = sg.extract(builder.results())
    once = Simplifier(EXACT, Notes(evaluate)).run(written)
    notes = Notes(evaluate)
    assert Simplifier(EXACT, notes).run(once) is once, notes.rules
    whole = optimize(written, evaluate)
    assert len(optimize(whole, evaluate)) <= len(whole)
