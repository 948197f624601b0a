"""Arguments of a kind that nothing can be made of: refused at the user's line, with the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import staticgraph as sg


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: sg.Session(3),
            "Session: the graph is a int\n"
            "  give a Graph, or nothing for the default graph\n  at <here>",
        ),
        (
            lambda: sg.Session(seed="one"),
            "Session: seed='one' is no int\n  give an int from 0 to 2**64 - 1\n  at <here>",
        ),
        (
            lambda: sg.Session(seed=1.5),
            "Session: seed=1.5 is no int\n  give an int from 0 to 2**64 - 1\n  at <here>",
        ),
        (
            lambda: sg.constant(1.0, name=3),
            "constant: the name is a int: 3\n"
            "  give a str, or nothing for a name made of the op's\n  at <here>",
        ),
    ],
)
def test_what_nothing_can_be_made_of(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(sg.GraphError) as info:
        make()
    # The lambda's own line is the user's.
    head, _, last = str(info.value).rpartition("\n  at ")
    assert head + "\n  at <here>" == message
    assert last.startswith("tests/runtime/test_arguments.py:")
