"""The one test that walks the registry: what an op lacks is an error here, never a surprise later.

Every op that computes has a sample; every sample has the type and the value it says, with known
and with unknown sizes and in any memory layout, and derivatives of order one and two in both modes;
and every op refuses what it cannot take with the whole message that is written down.
"""

from __future__ import annotations

import linecache
import os
import re
import traceback
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core import opdef
from staticgraph.core.graph import Graph
from staticgraph.core.types import compatible
from staticgraph.errors import StaticGraphError

from .checks import (
    Program,
    assert_values,
    backwards,
    build,
    check_derivatives,
    expected_values,
    unknown,
)
from .sample_types import Refusal, Sample
from .samples import FAMILIES, REFUSALS, SAMPLES

COMPUTING = [op for op in opdef.registered() if op.role == "compute"]


def _named(items: list[Sample] | list[Refusal]) -> list[object]:
    return [
        pytest.param(item, id=f"{item.op}-{item.label}" if item.label else item.op)
        for item in items
    ]


def _listed(exception: str) -> set[str]:
    """The ops that a family names as an exception; it says beside the list why."""
    return {name for family in FAMILIES for name in getattr(family, exception, ())}


def test_every_op_that_computes_has_a_sample() -> None:
    sampled = {sample.op for sample in SAMPLES}
    assert [op.name for op in COMPUTING if op.name not in sampled] == []


def test_every_op_has_operands_that_it_refuses() -> None:
    refused = {refusal.op for refusal in REFUSALS}
    taking_anything = _listed("REFUSES_NOTHING")
    assert [
        op.name for op in COMPUTING if op.name not in refused and op.name not in taking_anything
    ] == []


def test_every_op_with_a_derivative_is_differentiated() -> None:
    exempt = _listed("DIFFERENTIATED_ELSEWHERE")
    differentiated = {sample.op for sample in SAMPLES if sample.wrt}
    assert [
        op.name
        for op in COMPUTING
        if op.vjp is not opdef.NOT_DIFFERENTIABLE
        and op.name not in differentiated
        and op.name not in exempt
    ] == []


def test_samples_are_told_apart() -> None:
    for items in (SAMPLES, REFUSALS):
        names = [(item.op, item.label) for item in items]
        assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("sample", _named(SAMPLES))
def test_type_and_value(sample: Sample) -> None:
    built = build(sample)
    want = expected_values(sample)
    have = Program(built.graph, built.fetches, built.feeds)(built.arrays)
    assert_values(sample, have, want)
    for tensor, actual in zip(built.results, have, strict=True):
        assert tensor.type.dtype == actual.dtype
        assert compatible(tensor.type.shape, actual.shape)
    if built.arrays:
        turned = [backwards(array) for array in built.arrays]
        again = Program(built.graph, built.fetches, built.feeds)(turned)
        assert_values(sample, again, have)


@pytest.mark.parametrize("sample", [p for p in _named(SAMPLES) if p.values[0].inputs])
def test_unknown_sizes_give_the_same(sample: Sample) -> None:
    want = expected_values(sample)
    built = build(sample, unknown)
    have = Program(built.graph, built.fetches, built.feeds)(built.arrays)
    assert_values(sample, have, want)
    for tensor, actual in zip(built.results, have, strict=True):
        assert tensor.type.dtype == actual.dtype
        assert compatible(tensor.type.shape, actual.shape)


@pytest.mark.parametrize("sample", [p for p in _named(SAMPLES) if p.values[0].inputs])
def test_unknown_rank_gives_the_same_or_says_that_it_cannot(sample: Sample) -> None:
    try:
        built = build(sample, lambda array: None)
    except StaticGraphError as problem:
        assert "rank" in str(problem) or "[...]" in str(problem)
        return
    have = Program(built.graph, built.fetches, built.feeds)(built.arrays)
    assert_values(sample, have, expected_values(sample))


def _is_floating(sample: Sample) -> bool:
    # A cast to the dtype that an operand already has is no node.
    kinds = {np.asarray(array).dtype.kind for array in sample.inputs}
    return "f" in kinds and sample.op != "cast"


@pytest.mark.parametrize("sample", [p for p in _named(SAMPLES) if _is_floating(p.values[0])])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_floating_dtype(sample: Sample, dtype: Any) -> None:
    """Compares values; that the dtypes are the inferred ones is checked by the backend."""
    built = build(sample, floating=dtype)
    have = Program(built.graph, built.fetches, built.feeds)(built.arrays)
    want = expected_values(replace(sample, inputs=tuple(built.arrays)))
    loose = max(1e-5, sample.tolerance or 0.0)
    for actual, expected in zip(have, want, strict=True):
        assert actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected.astype(actual.dtype), rtol=loose, atol=loose)


@pytest.mark.parametrize("sample", _named(SAMPLES))
def test_a_session_gives_the_same(sample: Sample) -> None:
    built = build(sample)
    want = Program(built.graph, built.fetches, built.feeds)(built.arrays)
    with sg.Session(built.graph, seed=0) as session:
        feed = dict(zip(built.feeds, built.arrays, strict=True))
        have = session.run(built.fetches, feed)
    assert_values(sample, [np.asarray(item) for item in have if item is not None], want)


@pytest.mark.parametrize("sample", [p for p in _named(SAMPLES) if p.values[0].wrt])
def test_derivatives(sample: Sample) -> None:
    check_derivatives(sample)


@pytest.mark.parametrize("refusal", _named(REFUSALS))
def test_refusal(refusal: Refusal) -> None:
    with Graph().as_default(), pytest.raises(refusal.error) as caught:
        refusal.build()
    assert type(caught.value) is refusal.error
    filename = refusal.build.__code__.co_filename
    frames = traceback.extract_tb(caught.value.__traceback__)
    number = next(frame.lineno for frame in reversed(frames) if frame.filename == filename)
    assert number is not None
    line = linecache.getline(filename, number).strip()
    shown = os.path.relpath(filename)
    have = str(caught.value)
    # The user's line is exact; the operands may be made on other lines of the same file.
    have = have.replace(f"{shown}:{number}: {line}", "{here}: {line}")
    have = re.sub(rf"{re.escape(shown)}:\d+(?!: )", "{here}", have)
    assert have == refusal.message
