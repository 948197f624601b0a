"""A run for which there is not enough memory: both backends say the same, and no more happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest

import staticgraph as sg
from tests.ops.refusing import refused

Backend = Literal["native", "reference"]

# No machine has so many bytes, and no address so many bits.
_MANY = 10**7
_ASKED = "400000000000000 bytes for float32[10000000, 10000000]"


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(
    "build",
    [
        lambda n: sg.zeros((n, n)),
        lambda n: sg.random.uniform((n, n)),
        lambda n: sg.linalg.outer(sg.ones((n,)), sg.random.uniform((n,))),
    ],
    ids=["zeros", "uniform", "outer"],
)
def test_a_result_that_is_too_large(build: Callable[[Any], Any], backend: Backend) -> None:
    n = sg.placeholder("int64", (), name="n")
    count = sg.Variable(0.0)
    fetches = [build(n), count.assign_add(1.0)]
    session = sg.Session(backend=backend)
    assert session.run(fetches, {n: 2})[0].shape == (2, 2)
    told = refused(lambda: session.run(fetches, {n: _MANY}), sg.RunError)
    assert told == (
        "run: there is not enough memory\n"
        f"  it asked for {_ASKED}\n"
        "  the system has no more\n"
        "  feed less at a time\n"
        "  no variable has changed\n"
        "  at <line>"
    )
    assert session.run(count) == 1.0


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_an_array_on_the_way_to_a_result(backend: Backend) -> None:
    """Machine code knows how many bytes it wanted, not of which shape."""
    n = sg.placeholder("int64", (), name="n")
    session = sg.Session(backend=backend)
    draw = sg.random.normal((n, n), 1.0, 2.0)
    told = refused(lambda: session.run(draw, {n: _MANY}), sg.RunError)
    array = "" if backend == "native" else " for float32[10000000, 10000000]"
    assert told.replace(array, "", 1) == (
        "run: there is not enough memory\n"
        "  it asked for 400000000000000 bytes\n"
        "  the system has no more\n"
        "  feed less at a time\n"
        "  no variable has changed\n"
        "  at <line>"
    )


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_more_bytes_than_addresses(backend: Backend) -> None:
    n = sg.placeholder("int64", (), name="n")
    session = sg.Session(backend=backend)
    with pytest.raises(
        sg.RunError, match=r" asked for 4000000000000000000000000 bytes for float32\["
    ):
        session.run(sg.zeros((n, n)), {n: 10**12})
