"""Switches of the environment."""

from __future__ import annotations

import gc

import pytest

import staticgraph as sg
from staticgraph import config


def test_a_seed_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATICGRAPH_SEED", "abc")
    with pytest.raises(sg.StaticGraphError) as info:
        config.shuffle_seed()
    assert str(info.value) == (
        "STATICGRAPH_SEED is 'abc', which is no seed\n"
        "  set it to an integer that is not negative, or not at all"
    )
    monkeypatch.setenv("STATICGRAPH_SEED", "12")
    assert config.shuffle_seed() == 12


def test_the_collector_is_left_as_it_was_found() -> None:
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), config.collector_paused():
        assert not gc.isenabled()
        with config.collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
        1 / 0  # noqa: B018
    assert gc.isenabled()
    gc.disable()
    try:
        with config.collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
