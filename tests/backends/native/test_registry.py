"""Every op that computes becomes machine code, or says in its record that it calls Python."""

from __future__ import annotations

from staticgraph.backends.native import compiler
from staticgraph.backends.native.expand import EXPANSIONS
from staticgraph.backends.native.lower import LOWERINGS
from staticgraph.core import opdef

COMPUTING = [op for op in opdef.registered() if op.role == "compute"]


def test_every_op_is_lowered() -> None:
    assert compiler.Compilation
    assert [
        op.name
        for op in COMPUTING
        if not op.elementwise and op.name not in LOWERINGS and op.name not in EXPANSIONS
    ] == []


def test_elementwise_ops_say_what_they_emit() -> None:
    assert [op.name for op in COMPUTING if op.elementwise and op.emit is None] == []


def test_what_calls_python_says_so() -> None:
    assert [op.name for op in COMPUTING if op.native is opdef.HOST_CALL] == ["print"]
