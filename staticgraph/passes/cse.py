"""Common subexpressions: what is written several times is computed once.

Values are numbered: two nodes get the same number when they apply the same op with the same
attributes to operands of the same numbers, in either order where that makes no difference. The
first stays, the others go. Nodes with an effect are never merged.
"""

from __future__ import annotations

from typing import Any

from staticgraph.core.function import Function
from staticgraph.core.node import Node, Value
from staticgraph.passes.common import MEASURES, Notes, node_key, rebuilt


def number_values(function: Function, notes: Notes) -> Function:
    """`function` with equal nodes merged into the first of them."""
    number: dict[Value, int] = {}
    # The value that stands for each number.
    chosen: list[Value] = []
    for value in function.inputs:
        number[value] = len(chosen)
        chosen.append(value)
    first: dict[Any, Node] = {}
    written: dict[Node, int] = {}
    merged: set[Value] = set()
    nodes: list[Node] = []
    for node in function.nodes:
        key = node_key(node, number)
        known = first.get(key) if key is not None else None
        if known is not None:
            for value, result in zip(node.outputs, known.outputs, strict=True):
                number[value] = number[result]
                merged.add(value)
            if node.op not in MEASURES:
                # Of two shapes that are equal, one is no repetition of the other.
                written[known] = written.get(known, 1) + 1
            continue
        kept = node
        if merged:
            for value in node.inputs:
                if value in merged:
                    kept = rebuilt(node, tuple([chosen[number[v]] for v in node.inputs]))
                    break
        nodes.append(kept)
        if key is not None:
            first[key] = kept
        for value, result in zip(node.outputs, kept.outputs, strict=True):
            number[value] = len(chosen)
            chosen.append(result)
            if result is not value:
                merged.add(value)
                number[result] = number[value]
    if not merged:
        return function
    notes.shared.extend(_worth_telling(nodes, written))
    return function.replace(nodes, [chosen[number[value]] for value in function.outputs])


def _worth_telling(nodes: list[Node], written: dict[Node, int]) -> list[tuple[Value, int]]:
    """The shared expressions that are no part of a larger one shared as often, most often first."""
    covered: dict[Node, int] = {}
    for node in nodes:
        count = written.get(node, 1)
        if count > 1:
            for value in node.inputs:
                source = value.node
                covered[source] = max(covered.get(source, 0), count)
    told = [
        (node.out, written[node])
        for node in nodes
        if node in written and node.inputs and covered.get(node, 0) < written[node]
    ]
    return sorted(told, key=lambda item: -item[1])
