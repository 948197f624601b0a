"""Every sample of every op on machine code, with its derivatives, against the reference.

tests/ops/test_registry.py runs the samples with known sizes and memory in order; here nothing is
known but ranks, and memory runs backwards. An op without a sample fails there, one without machine
code here.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.checks import (
    Program,
    ShapeOf,
    assert_values,
    backwards,
    build,
    differentiate,
    known,
    unknown,
)
from tests.ops.sample_types import Sample
from tests.ops.samples import SAMPLES

DIFFERENTIABLE = [sample for sample in SAMPLES if sample.wrt]
# What is known of sizes makes other code: one sample per op is enough to see that it is right.
FIRST = list({sample.op: sample for sample in reversed(DIFFERENTIABLE)}.values())


def named(samples: list[Sample]) -> list[object]:
    """Parameters of a test, called by their ops and labels."""
    return [
        pytest.param(sample, id=f"{sample.op}-{sample.label}" if sample.label else sample.op)
        for sample in samples
    ]


@pytest.mark.parametrize("sample", named(SAMPLES))
def test_values_of_unknown_sizes_in_any_layout(sample: Sample) -> None:
    built = build(sample, unknown)
    program = Program(built.graph, built.fetches, built.feeds)
    turned = [backwards(array) for array in built.arrays]
    assert_values(sample, program.in_machine_code(turned), program(built.arrays))


def check_derivatives(sample: Sample, shape_of: ShapeOf) -> None:
    """All derivatives of first order, and of second where there are any, in both modes."""
    made = differentiate(sample, shape_of)
    arrays = [*made.built.arrays, *made.extra]
    have = made.every.in_machine_code([backwards(array) for array in arrays])
    for actual, expected in zip(have, made.every(arrays), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-11, strict=True)


@pytest.mark.parametrize("sample", named(DIFFERENTIABLE))
def test_derivatives_of_unknown_sizes(sample: Sample) -> None:
    check_derivatives(sample, unknown)


@pytest.mark.parametrize("sample", named(FIRST))
def test_derivatives_of_known_sizes(sample: Sample) -> None:
    check_derivatives(sample, known)
