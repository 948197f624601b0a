"""Nodes and values: what graphs and Functions are both made of.

A node applies an op to values and yields values. Neither changes once made. A graph's nodes are
Operations and its values Tensors (core/graph.py); a Function's are plain Nodes and Values.
"""

from __future__ import annotations

from collections.abc import Sequence

from staticgraph.core.location import UNKNOWN, Location
from staticgraph.core.opdef import NO_ATTRS, Attrs, OpDef, Types, infer_types
from staticgraph.core.types import TensorType


class Value:
    """One result of a node."""

    __slots__ = ("index", "node", "type")

    node: Node
    index: int
    type: TensorType

    def __init__(self, node: Node, index: int, type: TensorType) -> None:
        self.node = node
        self.index = index
        self.type = type

    @property
    def name(self) -> str:
        """The node's name, followed by ``:index`` for results after the first."""
        return f"{self.node.name}:{self.index}" if self.index else self.node.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self.name}' {self.type}>"


class Node:
    """An op applied to values."""

    __slots__ = ("attrs", "inputs", "location", "name", "op", "outputs")

    op: OpDef
    inputs: tuple[Value, ...]
    attrs: Attrs
    outputs: tuple[Value, ...]
    name: str
    location: Location

    def __init__(
        self,
        op: OpDef,
        inputs: tuple[Value, ...],
        attrs: Attrs,
        types: Types,
        name: str,
        location: Location = UNKNOWN,
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.attrs = attrs
        self.name = name
        self.location = location
        if len(types) == 1:
            self.outputs = (Value(self, 0, types[0]),)
        else:
            self.outputs = tuple([Value(self, i, t) for i, t in enumerate(types)])

    @property
    def out(self) -> Value:
        """The first result."""
        return self.outputs[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self.name}' {self.op.name}>"


def make_node(
    op: OpDef,
    inputs: Sequence[Value],
    attrs: Attrs = NO_ATTRS,
    name: str = "",
    location: Location = UNKNOWN,
) -> Node:
    """A node of a Function whose result types are inferred by the op's own rule."""
    operands = tuple(inputs)
    types = infer_types(op, tuple([value.type for value in operands]), attrs)
    return Node(op, operands, attrs, types, name or op.name, location)
