"""Programs as data for other tools."""

from __future__ import annotations

from typing import Any

from staticgraph.config import LazyModule
from staticgraph.core.graph import Graph

networkx = LazyModule("networkx")


def to_networkx(graph: Graph) -> Any:
    """A `networkx.DiGraph` of a graph: one node per operation, by name, in topological order.

    Nodes carry ``op``, ``attrs``, ``types`` (one string per result), ``location`` and
    ``adjoint_of`` (a name or None). An edge leads from the producer to the consumer and carries
    ``operands``, the pairs (result number, operand number) that it stands for, and ``control``,
    whether it is also, or only, a control edge.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (), name="x")
    >>> y = sg.multiply(x, x, name="y")
    >>> to_networkx(x.graph).edges["x", "y"]["operands"]
    [(0, 0), (0, 1)]
    """
    made = networkx.DiGraph()
    for node in graph.operations:
        made.add_node(
            node.name,
            op=node.op.name,
            attrs=dict(node.attrs),
            types=[str(value.type) for value in node.outputs],
            location=str(node.location),
            adjoint_of=node.location.adjoint_of,
        )
        for operand, value in enumerate(node.inputs):
            _edge(made, value.node.name, node.name)["operands"].append((value.index, operand))
        for before in node.control_inputs:
            _edge(made, before.name, node.name)["control"] = True
    return made


def _edge(made: Any, tail: str, head: str) -> dict[str, Any]:
    if not made.has_edge(tail, head):
        made.add_edge(tail, head, operands=[], control=False)
    attributes: dict[str, Any] = made.edges[tail, head]
    return attributes
