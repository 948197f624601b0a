"""The order of nodes: shuffled within what operands and effects allow, and restored.

A pass that is right for one topological order is right for all; checking shuffles the nodes before
every pass, so that a pass that relies on one order fails in the tests. The finished Function gets
the order of the program back: checking changes no text.
"""

from __future__ import annotations

import heapq
import random

from staticgraph.core.function import Function
from staticgraph.core.node import Node
from staticgraph.passes.common import has_effect


def shuffled(function: Function, seed: int) -> Function:
    """`function` with its nodes in another topological order, chosen by `seed`.

    Nodes with an effect keep their order among each other.
    """
    draw = random.Random(f"{seed} {len(function.nodes)}")
    return _sorted(function, [draw.random() for _ in function.nodes])


def restored(function: Function, like: Function) -> Function:
    """`function` with its nodes in the order that nodes of the same names have in `like`."""
    places: dict[str, int] = {}
    for place, node in enumerate(like.nodes):
        places.setdefault(node.name, place)
    last = len(like.nodes)
    return _sorted(function, [places.get(node.name, last) for node in function.nodes])


def _sorted(function: Function, priority: list[float] | list[int]) -> Function:
    """`function` with nodes of small priority as early as operands and effects allow."""
    nodes = function.nodes
    position = {node: index for index, node in enumerate(nodes)}
    users: list[list[int]] = [[] for _ in nodes]
    missing = [0] * len(nodes)
    previous: int | None = None
    for index, node in enumerate(nodes):
        sources = list(dict.fromkeys(value.node for value in node.inputs))
        before = [position[source] for source in sources if source in position]
        if has_effect(node):
            if previous is not None and previous not in before:
                before.append(previous)
            previous = index
        missing[index] = len(before)
        for source in before:
            users[source].append(index)
    ready = [(priority[index], index) for index, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    ordered: list[Node] = []
    while ready:
        index = heapq.heappop(ready)[1]
        ordered.append(nodes[index])
        for user in users[index]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(ready, (priority[user], user))
    return function.replace(ordered, function.outputs)
