"""Pruning: keeps what the outputs and the nodes with an effect need, in the order it stands."""

from __future__ import annotations

from staticgraph.core.function import Function, has_effect
from staticgraph.passes.common import Notes


def prune(function: Function, notes: Notes) -> Function:
    """`function` without the nodes that nothing needs."""
    needed = {value.node for value in function.outputs}
    kept = []
    for node in reversed(function.nodes):
        if node in needed or has_effect(node):
            kept.append(node)
            for value in node.inputs:
                needed.add(value.node)
    if len(kept) == len(function.nodes):
        return function
    kept.reverse()
    return function.replace(kept, function.outputs)
