"""Ranks: a Function whose inputs have come to be known better, with its bodies told about it.

A graph may leave open how many axes a value has, machine code cannot. So before code is made, a
Function is specialised for the ranks that a call meets: `with_ranks` infers types anew and takes
them into loops and branches, and `open_node` finds what is still open then. Only ranks are told to
bodies, never sizes: a body that is right for one call is right for each with its ranks.
"""

from __future__ import annotations

from collections.abc import Sequence

from staticgraph.core.function import Function, functions_in, parameter
from staticgraph.core.node import Node, Value, make_node
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import TensorType
from staticgraph.passes.regions import BRANCHES, LOOPS


def with_ranks(function: Function) -> Function:
    """`function` with the types that follow from those of its inputs, bodies included.

    A loop or a branch that its operands' ranks do not fit stays as it is: it need not be run.
    """
    return _body(function, [value.type for value in function.inputs])


def is_open(function: Function) -> bool:
    """Whether the rank of some value is unknown, in `function` or in a body."""
    if any(value.type.shape is None for value in function.inputs):
        return True
    return open_node(function) is not None


def open_node(function: Function) -> Node | None:
    """The first node that makes a value of unknown rank, in `function` or in a body."""
    for node in function.nodes:
        if node.op in LOOPS or node.op in BRANCHES:
            # Recursion follows the nesting of bodies, never the depth of a graph.
            for body in (body for attr in node.attrs.values() for body in functions_in(attr)):
                found = open_node(body)
                if found is not None:
                    return found
                if any(value.type.shape is None for value in body.inputs):
                    return node
        if any(value.type.shape is None for value in node.outputs):
            return node
    return None


def _told(node: Node, operands: tuple[Value, ...]) -> Node:
    """The node on new operands; a region with its bodies told their ranks."""
    if node.op not in LOOPS and node.op not in BRANCHES:
        if operands == node.inputs:
            return node
        return make_node(node.op, operands, node.attrs, node.name, node.location)
    attrs = dict(node.attrs)
    types = [value.type for value in operands]
    try:
        if node.op in BRANCHES:
            attrs["branches"] = tuple([_body(b, types[1:]) for b in node.attrs["branches"]])
        else:
            given = _steady(node, types)
            attrs["body"] = _body(node.attrs["body"], given)
            if "cond" in attrs:
                attrs["cond"] = _body(node.attrs["cond"], given)
        return make_node(node.op, operands, attrs, node.name, node.location)
    except Mismatch:
        # No run may come there; one that does says what is wrong.
        return make_node(node.op, operands, node.attrs, node.name, node.location)


def _steady(node: Node, types: Sequence[TensorType]) -> list[TensorType]:
    """The types of what the body of a loop is given, in every iteration."""
    count, sequences = node.attrs["carries"], node.attrs.get("sequences", 0)
    given = list(types)
    for place in range(count, count + sequences):
        shape = types[place].shape
        # A part of a sequence has as many axes as the whole; its type is known to the body.
        given[place] = types[place].with_shape(None if shape is None else shape[1:])
    body: Function = node.attrs["body"]
    while True:
        results = _body(body, given).outputs[:count]
        moved = [
            place
            for place, result in enumerate(results)
            if given[place].shape is not None and result.type.ndim != given[place].ndim
        ]
        if not moved:
            return given
        for place in moved:
            given[place] = given[place].with_shape(None)


def _body(body: Function, given: Sequence[TensorType]) -> Function:
    """A body that is told the ranks of its inputs where it does not know them."""
    inputs: list[Value] = []
    for value, type in zip(body.inputs, given, strict=True):
        if value.type.shape is not None or type.shape is None:
            inputs.append(value)
            continue
        told = value.type.with_shape((None,) * len(type.shape))
        node = value.node
        inputs.append(parameter(value.name, told, node.attrs["kind"], node.location))
    now = {old: new for old, new in zip(body.inputs, inputs, strict=True) if old is not new}
    nodes: list[Node] = []
    for node in body.nodes:
        made = _told(node, tuple([now.get(value, value) for value in node.inputs]))
        nodes.append(made)
        if made is not node:
            now.update(zip(node.outputs, made.outputs, strict=True))
    if not now:
        return body
    outputs = [now.get(value, value) for value in body.outputs]
    return Function(inputs, nodes, outputs, body.output_names, body.name)
