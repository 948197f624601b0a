"""Shuffling: the nodes of a Function in another order that operands and effects allow.

A pass that is right for one topological order is right for all; checking shows those that are not.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence

from staticgraph.core.function import Function, has_effect
from staticgraph.core.node import Node


def shuffled(function: Function, seed: int) -> Function:
    """`function` with its nodes in another topological order, chosen by `seed`.

    Nodes with an effect keep their order among each other.
    """
    nodes = function.nodes
    draw = random.Random(f"{seed} {len(nodes)}")
    priority = [draw.random() for _ in nodes]
    users, missing = _constraints(nodes)
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


def _constraints(nodes: Sequence[Node]) -> tuple[list[list[int]], list[int]]:
    """Per node: the nodes that must come after it, and how many must come before."""
    position = {node: index for index, node in enumerate(nodes)}
    users: list[list[int]] = [[] for _ in nodes]
    missing = [0] * len(nodes)
    previous: int | None = None
    for index, node in enumerate(nodes):
        before = dict.fromkeys(
            position[value.node] for value in node.inputs if value.node in position
        )
        if has_effect(node):
            if previous is not None:
                before[previous] = None
            previous = index
        missing[index] = len(before)
        for source in before:
            users[source].append(index)
    return users, missing
