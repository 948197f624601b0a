"""Every rule by structure (a golden file) and by value (against the reference, bit by bit)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import staticgraph as sg
from staticgraph.backends.reference import evaluate
from staticgraph.core.function import Function
from staticgraph.core.opdef import registered
from staticgraph.passes.common import Notes
from staticgraph.passes.patterns import Const, Exactness, Full, Op, Rest, Var
from staticgraph.passes.rules import RULES
from tests.passes.rule_cases import CASES, Case, rule_of
from tests.passes.support import (
    arrays,
    assert_same_bits,
    check_golden,
    run,
    simplified,
)

BY_NAME = {rule.name: rule for rule in RULES}
MODES = ("static", "sizes unknown", "rank unknown")


def _written(case: Case, dtype: str, shapes: Any, mode: str = "static") -> Function | None:
    """The expression of a case as a Function; None where the graph refuses such operands."""
    with sg.Graph().as_default():
        placeholders = []
        for index, shape in enumerate(shapes):
            own = case.first if index == 0 and case.first else dtype
            known: Any = shape
            if mode == "sizes unknown":
                known = (None,) * len(shape)
            elif mode == "rank unknown":
                known = None
            placeholders.append(sg.placeholder(own, known, name="xyzw"[index]))
        try:
            return sg.extract(case.build(*placeholders))
        except sg.ShapeError:
            return None


def test_every_rule_has_a_case_and_every_case_a_rule() -> None:
    assert sorted(set(map(rule_of, CASES))) == sorted(rule.name for rule in RULES)


def test_names_of_rules_are_unique() -> None:
    assert len(BY_NAME) == len(RULES)


def test_rules_speak_of_registered_ops_only() -> None:
    known = {op.name for op in registered()}
    for rule in RULES:
        for side in (rule.pattern, rule.result):
            stack: list[Any] = [side]
            while stack:
                part = stack.pop()
                if isinstance(part, Op):
                    unknown = [name for name in part.names if name not in known | {"="}]
                    assert not unknown, f"{rule.name}: {unknown}"
                    stack.extend(part.operands)


def _ops(part: Any) -> int:
    if isinstance(part, Op):
        return 1 + sum(map(_ops, part.operands))
    return 1 if isinstance(part, Full) else 0


def test_no_exact_rule_makes_an_expression_longer() -> None:
    for rule in RULES:
        if rule.exactness is Exactness.EXACT:
            assert _ops(rule.result) <= _ops(rule.pattern), rule.name


def test_results_use_only_what_patterns_name() -> None:
    for rule in RULES:
        wanted, given_names = set(), set()
        for side, names in ((rule.pattern, given_names), (rule.result, wanted)):
            stack: list[Any] = [side]
            while stack:
                part = stack.pop()
                if isinstance(part, Op):
                    stack.extend(part.operands)
                    if part.label:
                        names.add(part.label)
                elif isinstance(part, Var | Rest):
                    names.add(part.name)
                elif isinstance(part, Const) and part.like is not None:
                    names.add(part.like.name)
        assert wanted <= given_names, rule.name


@pytest.mark.parametrize("name", CASES)
def test_structure(name: str) -> None:
    case = CASES[name]
    before = _written(case, case.dtypes[0], case.declared or case.default_shapes)
    assert before is not None
    notes = Notes(evaluate)
    after = simplified(before, notes)
    assert rule_of(name) in notes.rules
    file = name.replace(": ", "--").replace(", ", "-").replace(" ", "_")
    check_golden(f"rules/{file}", before, after)


@pytest.mark.parametrize("name", CASES)
def test_a_second_time_changes_nothing(name: str) -> None:
    case = CASES[name]
    for dtype in case.dtypes:
        for shapes in case.fed_shapes:
            for mode in MODES:
                before = _written(case, dtype, shapes, mode)
                if before is not None:
                    once = simplified(before)
                    notes = Notes(evaluate)
                    assert simplified(once, notes) is once
                    assert not notes.rules


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_value(name: str, data: st.DataObject) -> None:
    case = CASES[name]
    dtype = data.draw(st.sampled_from(case.dtypes))
    shapes = data.draw(st.sampled_from(case.fed_shapes))
    before = _written(case, dtype, shapes, data.draw(st.sampled_from(MODES)))
    if before is None:
        return
    dtypes = [case.first or dtype, *[dtype] * (len(shapes) - 1)]
    inputs = [data.draw(arrays(d, shape)) for d, shape in zip(dtypes, shapes, strict=True)]
    after = simplified(before)
    want = run(before, inputs[: len(before.inputs)])
    have = run(after, inputs[: len(before.inputs)])
    for one, other in zip(have, want, strict=True):
        if case.truth is None:
            assert_same_bits(one, other)
        else:
            _assert_not_worse(one, other, case, inputs)


def _assert_not_worse(have: Any, want: Any, case: Case, inputs: list[Any]) -> None:
    """The new value is as close to the truth as the old, or within some units of it."""
    assert (have.dtype, have.shape) == (want.dtype, want.shape)
    assert case.truth is not None
    with np.errstate(all="ignore"):
        truth = np.asarray(case.truth(*[np.asarray(x, np.float64) for x in inputs]))
        rounded = truth.astype(have.dtype)
        scale = np.abs(rounded)
        if case.shifted:
            finite = np.where(np.isfinite(inputs[0]), inputs[0], 0)
            scale = np.fmax(scale, max(1.0, np.abs(finite).max())).astype(have.dtype)
        unit = np.spacing(scale) * 4
        error = np.abs(have - truth)
        bound = np.fmax(np.abs(want - truth), unit)
        exact = (have == rounded) | (np.isnan(have) & np.isnan(rounded))
        agreed = (have == want) | (np.isnan(have) & np.isnan(want))
        fine = exact | agreed | (error <= bound)
        if case.largest is not None:
            wide = [np.asarray(x, np.float64) for x in inputs]
            # Where the left side is lost the right one rounds as its parts do, or overflows too.
            largest, limits = case.largest(*wide), np.finfo(have.dtype)
            size = np.nanmax(np.abs(wide[0]), initial=1.0, where=np.isfinite(wide[0]))
            rounds = error <= 4 * float(limits.eps) * size * largest
            fine |= ~np.isfinite(want) & (rounds | ~(largest <= limits.max))
    assert fine.all(), (inputs, have, want, truth)


def test_a_sum_of_adjoints_that_overflows_was_lost_before() -> None:
    case = CASES["slope of log of softmax"]
    x = np.zeros((2, 3), np.float32)
    for y in (
        [[-3e38, -3e38, 1.0], [3e38, -3e38, 3e38]],
        [[-3e38, 3e30, 0.0], [1e38, -1e38, 1e38]],
    ):
        inputs = [x, np.array(y, np.float32)]
        before = _written(case, "float32", case.default_shapes)
        assert before is not None
        want, have = run(before, inputs)[0], run(simplified(before), inputs)[0]
        _assert_not_worse(have, want, case, inputs)
    # The second kind does not overflow: there the right side is what it should be.
    np.testing.assert_allclose(have[1], np.array([2e38, -4e38, 2e38]) / 3, rtol=1e-6)


def test_accurate_rules_are_better_somewhere() -> None:
    spread = np.concatenate(
        [np.logspace(-30, 30, 201), -np.logspace(-30, 30, 201), np.linspace(-120, 120, 401)]
    ).astype(np.float32)
    for name, case in CASES.items():
        assert (case.truth is not None) == (
            BY_NAME[rule_of(name)].exactness is Exactness.MORE_ACCURATE
        )
        if case.truth is None:
            continue
        x = spread.reshape(1, -1) if case.shapes is None else spread[: 3 * 267].reshape(-1, 3)
        before = _written(case, "float32", (x.shape,) * case.operands)
        assert before is not None
        inputs = [x, x[:, ::-1].copy()][: case.operands]
        want, have = run(before, inputs)[0], run(simplified(before), inputs)[0]
        with np.errstate(all="ignore"):
            truth = np.asarray(case.truth(*[each.astype(np.float64) for each in inputs]))
            fits = np.abs(truth) < 3e38
            new = np.abs(have - truth)[fits] / np.spacing(np.abs(truth[fits]).astype(np.float32))
            old = np.abs(want - truth)[fits] / np.spacing(np.abs(truth[fits]).astype(np.float32))
            old = np.where(np.isnan(old), np.inf, old)
        assert new.max() <= old.max(), name
        assert new.sum() < old.sum() or name.startswith("pow"), name
