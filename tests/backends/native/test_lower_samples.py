"""The samples of the ops that move, pick, order and draw elements, on machine code."""

from __future__ import annotations

import numpy as np
import pytest

import staticgraph as sg
from tests.ops.checks import (
    ShapeOf,
    assert_values,
    backwards,
    build,
    expected_values,
    known,
    unknown,
)
from tests.ops.sample_types import Sample
from tests.ops.samples import SAMPLES

OPS = frozenset((
    "slice", "slice_scatter", "gather", "scatter_add", "concat", "split", "pad", "shift", "sum_to",
    "arange", "argmax", "argmin", "cumsum", "cumprod", "linear_recurrence", "argsort",
    "random_bits", "random_fold", "custom_gradient", "print", "assert",
))  # fmt: skip
OURS = [sample for sample in SAMPLES if sample.op in OPS]


def named(samples: list[Sample]) -> list[object]:
    """Parameters of a test, called by their ops and labels."""
    return [
        pytest.param(sample, id=f"{sample.op}-{sample.label}" if sample.label else sample.op)
        for sample in samples
    ]


def test_every_op_has_a_sample() -> None:
    assert {sample.op for sample in SAMPLES} >= OPS


@pytest.mark.parametrize("shape_of", [known, unknown])
@pytest.mark.parametrize("sample", named(OURS))
def test_values(sample: Sample, shape_of: ShapeOf) -> None:
    built = build(sample, shape_of)
    with sg.Session(built.graph, backend="native", seed=0) as session:
        run = session.make_callable(built.fetches, built.feeds)
        values = run(*built.arrays)
    have = [np.asarray(value) for value in values if value is not None]
    assert_values(sample, have, expected_values(sample))


@pytest.mark.parametrize("sample", named([sample for sample in OURS if sample.wrt]))
def test_derivatives_in_any_layout(sample: Sample) -> None:
    built = build(sample, unknown, floating=np.float64)
    with built.graph.as_default():
        ys = [y for y in built.results if y.dtype.kind == "f"]
        xs = [built.feeds[number] for number in sample.wrt]
        first = sg.gradients([sg.sum(y * y) for y in ys], xs, unconnected="zero")
        second = sg.gradients([sg.sum(d * d) for d in first], xs, unconnected="zero")
    feeds = dict(zip(built.feeds, map(backwards, built.arrays), strict=True))
    results = []
    for backend in ("native", "reference"):
        with sg.Session(built.graph, backend=backend, seed=0) as session:
            results.append(session.run([*first, *second], feeds))
    for have, want in zip(*results, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-12, strict=True)
