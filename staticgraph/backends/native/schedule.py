"""The order in which nodes are lowered: what can be one kernel comes side by side.

Each node has a stage: how many breaks lie before it at most. A break is what ends a kernel: an op
that is no part of one, or a reduction whose result is known only when a whole walk is done. Nodes
are sorted by stage and keep their order within it, so operands still come first; effects keep their
order among each other.
"""

from __future__ import annotations

from staticgraph.core.function import Function, has_effect
from staticgraph.core.node import Node, Value

# Ops that measure shapes and make constants: they need no kernel and wait for none.
FREE = frozenset(("shape", "size", "make_shape", "constant"))
# Ops that only say how an array is read.
VIEWS = frozenset(("expand_dims", "squeeze", "broadcast_to", "identity", "stop_gradient"))
REDUCTIONS = frozenset(("sum", "prod", "max", "min", "any", "all"))
_FUSING = FREE | VIEWS | REDUCTIONS


def scheduled(function: Function) -> list[Node]:
    """The nodes of a Function in the order in which they are lowered."""
    stages: dict[Value, int] = dict.fromkeys(function.inputs, 0)
    # Whether a value is in memory, so that nothing waits for a kernel to use it.
    ready: dict[Value, bool] = dict.fromkeys(function.inputs, True)
    rows: list[tuple[int, int, Node]] = []
    effect = 0
    for position, node in enumerate(function.nodes):
        stage = 0
        fuses = _fuses(node)
        for value in node.inputs:
            before = stages[value]
            if not fuses and not ready[value]:
                before += 1
            if before > stage:
                stage = before
        if has_effect(node):
            stage = effect = max(stage, effect)
        after = stage + _ends(node, fuses)
        for value in node.outputs:
            stages[value] = after
            ready[value] = not fuses or value.type.shape == ()
        rows.append((stage, position, node))
    rows.sort(key=lambda row: (row[0], row[1]))
    return [node for _, _, node in rows]


def _fuses(node: Node) -> bool:
    return node.op.elementwise or node.op.name in _FUSING


def _ends(node: Node, fuses: bool) -> bool:
    """Whether what uses the results of a node cannot be in its kernel."""
    if node.op.name in REDUCTIONS:
        shape = node.inputs[0].type.shape
        axes = node.attrs["axis"]
        if shape is None or axes is None:
            return True
        first = len(shape) - len(axes)
        return first == 0 or axes != tuple(range(first, len(shape)))
    return not fuses
