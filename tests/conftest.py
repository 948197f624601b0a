"""Every test runs in a graph of its own, with the verifier and the result checks on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import staticgraph as sg


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATICGRAPH_CHECK", "1")


@pytest.fixture(autouse=True, scope="session")
def code_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tests of this process keep machine code in a folder of their own, never in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATICGRAPH_CACHE", str(tmp_path_factory.mktemp("machine_code")))
        yield


@pytest.fixture(autouse=True)
def graph() -> Iterator[sg.Graph]:
    """A fresh default graph."""
    fresh = sg.Graph()
    with fresh.as_default():
        yield fresh
