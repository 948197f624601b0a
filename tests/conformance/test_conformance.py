"""The Array API standard, function by function: names, signatures, and values against NumPy's."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from . import eager as namespace
from .agreement import Call, calls, disagreement
from .gaps import GAPS, gap_of
from .share import PAGE, between_marks, missing, report
from .standard import ATTRIBUTES, CONSTANTS, DTYPES, FUNCTIONS, METHODS

# Its members are not known before it is imported.
eager: Any = namespace

BY_NAME: dict[str, list[Call]] = {}
for _call in calls():
    BY_NAME.setdefault(_call.name, []).append(_call)


def _outcomes(name: str, listed: list[Call]) -> None:
    """All calls agree, save those of gaps, of which none does."""
    told = [(call, gap_of(call), disagreement(call)) for call in listed]
    wrong = [f"{call}\n  {problem}" for call, gap, problem in told if problem and not gap]
    closed = [f"{call}\n  gaps.py says that it does not agree" for call, gap, problem in told
              if gap and not problem]  # fmt: skip
    assert not wrong + closed, "\n".join([f"{name}:", *wrong[:5], *closed[:5]])


@pytest.mark.parametrize("name", BY_NAME)
def test_values(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATICGRAPH_CONFORMANCE_BACKEND", "reference")
    _outcomes(name, BY_NAME[name])


@pytest.mark.parametrize("name", BY_NAME)
def test_values_of_machine_code(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few calls of each: the first, the last, and some between; share.py runs all of them."""
    monkeypatch.setenv("STATICGRAPH_CONFORMANCE_BACKEND", "native")
    listed = BY_NAME[name]
    _outcomes(name, listed[:: max(1, len(listed) // 6)] + listed[-1:])


def test_every_function_and_member_is_called() -> None:
    wanted = {*FUNCTIONS, *METHODS, *ATTRIBUTES}
    assert wanted - set(BY_NAME) == set()


def test_names_that_are_there() -> None:
    lacking = {gap.name for gap in GAPS}
    assert [name for name in missing() if name not in lacking] == []
    for name in (*CONSTANTS, *DTYPES):
        assert hasattr(eager, name), name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures(name: str) -> None:
    """staticgraph's own function takes each argument where, and as, the standard has it."""
    function = eager.source(name)
    if function is None:
        pytest.skip("it is not there, which test_names_that_are_there knows")
    ours = inspect.signature(function).parameters
    places = [
        item
        for item in ours.values()
        if item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD)
    ]
    several = any(item.kind is item.VAR_POSITIONAL for item in ours.values())
    for place, wanted in enumerate(FUNCTIONS[name][1].parameters.values()):
        if wanted.kind is wanted.VAR_POSITIONAL:
            assert several
        elif wanted.kind is wanted.POSITIONAL_ONLY:
            assert several or place < len(places), f"nothing at place {place} for {wanted.name}"
        else:
            assert wanted.name in ours, f"no {wanted.name}="
            found = ours[wanted.name]
            if wanted.kind is wanted.POSITIONAL_OR_KEYWORD:
                assert places[place] is found
            if wanted.default is not wanted.empty:
                assert found.default == wanted.default or found.default is None, wanted.name


def test_what_the_namespace_knows_of_itself() -> None:
    info = eager.__array_namespace_info__()
    assert info.devices() == [info.default_device()]
    assert set(info.dtypes()) == set(DTYPES)
    assert set(info.dtypes(kind=("bool", "real floating"))) == {"bool", "float32", "float64"}
    defaults = info.default_dtypes()
    for kind, made in (
        ("real floating", eager.asarray(1.0)),
        ("complex floating", eager.asarray(1j)),
        ("integral", eager.asarray(1)),
        ("real floating", eager.zeros((2,))),
        ("real floating", eager.ones(())),
        ("real floating", eager.empty(3)),
        ("real floating", eager.eye(2)),
        ("real floating", eager.linspace(0, 1, 3)),
        ("real floating", eager.full(2, 1.0)),
        ("complex floating", eager.full(2, 1j)),
        ("integral", eager.full(2, 1)),
        ("integral", eager.arange(3)),
        ("real floating", eager.arange(3.0)),
        ("indexing", eager.argmax(eager.zeros(3))),
        ("indexing", eager.argsort(eager.zeros(3))),
    ):
        assert made.dtype == defaults[kind], (kind, made)


def test_an_array_is_an_array_of_the_standard() -> None:
    x = eager.asarray([[1.0, 2.0]])
    for member in (*METHODS, *ATTRIBUTES):
        assert hasattr(x, member), member
    with pytest.raises(TypeError):
        bool(x)
    with pytest.raises(TypeError):
        x + np.ones(2)
    with pytest.raises(ValueError):
        x.to_device("gpu")


def test_the_page_says_what_is_so() -> None:
    """The part of the page about the reference backend, and the gaps."""
    page = PAGE.read_text()
    written: Any = between_marks(page)
    for line in report({"reference": None}):
        assert line in written, line
