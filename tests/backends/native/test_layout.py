"""The layout of arrays in memory: that it is as said, and that it is found out when it is not."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native import layout


def test_the_layout_holds_here() -> None:
    layout.refusal.cache_clear()
    assert layout.refusal() is None


@pytest.mark.parametrize("field", ["ARRAY_DATA", "ARRAY_NDIM", "ARRAY_DIMS", "ARRAY_STRIDES",
                                   "ARRAY_BASE", "ARRAY_DTYPE", "ARRAY_FLAGS"])  # fmt: skip
def test_a_field_elsewhere_is_noticed(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    other = "ARRAY_STRIDES" if field != "ARRAY_STRIDES" else "ARRAY_DIMS"
    monkeypatch.setattr(layout, field, getattr(layout, other))
    layout.refusal.cache_clear()
    refusal = layout.refusal()
    monkeypatch.undo()
    layout.refusal.cache_clear()
    assert refusal is not None
    assert refusal.startswith(f"NumPy {np.__version__} lays out ")
    assert refusal.endswith(" in memory in another way")


def test_a_scalar_elsewhere_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "SCALAR_VALUE", layout.SCALAR_VALUE - 8)
    layout.refusal.cache_clear()
    refusal = layout.refusal()
    monkeypatch.undo()
    layout.refusal.cache_clear()
    assert refusal is not None
    assert "float32" in refusal


def test_a_session_says_why_it_cannot_use_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.implementation, "name", "otherpython")
    layout.refusal.cache_clear()
    with pytest.raises(sg.GraphError) as info:
        sg.Session(backend="native")
    monkeypatch.undo()
    layout.refusal.cache_clear()
    assert str(info.value).split("\n  at ")[0] == (
        "Session: backend='native' does not work here\n"
        "  it needs a 64-bit CPython\n"
        "  use backend='reference'"
    )
