"""What passes share: the record of one run, and the few questions that all of them ask of a node.

A pass is a function from a Function and a `Notes` to a Function. It returns the Function it was
given when it changed nothing, keeps inputs and output names as they are, and never removes,
merges or reorders a node with an effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from staticgraph.core.dtypes import REAL_FLOATING
from staticgraph.core.function import Function, attr_key, attrs_key, functions_in, has_effect
from staticgraph.core.graph import describe_mismatch, read_only
from staticgraph.core.node import Node, Value, make_node
from staticgraph.core.opdef import REGIONS, Attrs, Mismatch
from staticgraph.core.types import Dim
from staticgraph.ops.convert import CONSTANT
from staticgraph.ops.elementwise import maximum, minimum
from staticgraph.ops.sizes import SHAPE, SIZE

Array = np.ndarray[Any, Any]
Evaluate = Callable[[Node, Sequence[Array]], list[Array]]

# They return the second of two equal operands, so their operands' order decides the sign of a
# zero; for integers there is no such sign.
ORDER_SHOWS_IN_ZEROS = (maximum.op, minimum.op)


# They tell nothing of their operand but its shape.
MEASURES = (SHAPE, SIZE)


class Notes:
    """What passes are told about a run, and what they tell about it.

    evaluate    computes one node on known operands, or None where nothing is to be folded
    rules       how often each rewrite rule was applied
    remarks     how often something was left undone that a reader may have expected, by sentence
    shared      values computed once though written several times, and how often
    """

    def __init__(self, evaluate: Evaluate | None = None) -> None:
        self.evaluate = evaluate
        self.rules: dict[str, int] = {}
        self.remarks: dict[str, int] = {}
        self.shared: list[tuple[Value, int]] = []

    def applied(self, rule: str) -> None:
        """Counts one application of a rule."""
        self.rules[rule] = self.rules.get(rule, 0) + 1

    def remark(self, sentence: str) -> None:
        """Counts one more case of what `sentence` says."""
        self.remarks[sentence] = self.remarks.get(sentence, 0) + 1


def has_body(node: Node) -> bool:
    """Whether a node holds Functions: a loop or a branch."""
    if not node.attrs:
        return False
    return any(True for value in node.attrs.values() for _ in functions_in(value))


def commutes(node: Node) -> bool:
    """Whether the two operands of a node may change places without a bit of difference."""
    op = node.op
    if not op.commutative:
        return False
    return op not in ORDER_SHOWS_IN_ZEROS or node.inputs[0].type.dtype not in REAL_FLOATING


def node_key(node: Node, number: Mapping[Value, int]) -> tuple[Any, ...] | None:
    """What makes two nodes equal, given numbers that equal operands share; None for no other.

    Constants count by dtype, shape and bytes, so -0.0 is not 0.0. A measured size counts by its
    symbol, where it has one: equal symbols are equal sizes in a run, whatever was measured.
    """
    if has_effect(node):
        return None
    op = node.op
    if op in MEASURES:
        sizes = _measured(node)
        if sizes is not None:
            return (op, sizes)
    operands = [number[value] for value in node.inputs]
    if op.commutative and commutes(node):
        operands.sort()
    if not node.attrs:
        return (op, *operands)
    attrs = _attrs_by_work(node.attrs) if op.vjp is REGIONS else attrs_key(node.attrs)
    return (op, *operands, attrs)


def _attrs_by_work(attrs: Attrs) -> tuple[Any, ...]:
    """A key of the attributes of a loop or a branch: what a body calls its inputs is no matter."""
    return tuple([(name, _by_work(attrs[name])) for name in sorted(attrs)])


def _by_work(value: Any) -> Any:
    if type(value) is tuple:
        return tuple([_by_work(item) for item in value])
    if not isinstance(value, Function):
        return attr_key(value)
    number: dict[Value, int] = {}
    for given in value.inputs:
        number[given] = len(number)
    rows: list[Any] = []
    for node in value.nodes:
        operands = tuple([number[operand] for operand in node.inputs])
        # Recursion follows the nesting of bodies, never the depth of a graph.
        rows.append((node.op, operands, _attrs_by_work(node.attrs)))
        for result in node.outputs:
            number[result] = len(number)
    inputs = tuple([given.type for given in value.inputs])
    return (inputs, tuple(rows), tuple([number[result] for result in value.outputs]))


def _measured(node: Node) -> tuple[Dim, ...] | None:
    """The sizes that a node of `MEASURES` gives, if they are all ints and symbols."""
    sizes = node.inputs[0].type.shape
    if sizes is None:
        return None
    if node.op is SIZE:
        axis = node.attrs["axis"]
        if axis is not None:
            sizes = (sizes[axis],)
    return None if None in sizes else sizes


def is_constant(value: Value) -> bool:
    """Whether a value is known now."""
    return value.node.op is CONSTANT


def array_of(value: Value) -> Array:
    """The array that a constant holds."""
    array: Array = value.node.attrs["value"]
    return array


def constant_node(array: Any, like: Node, name: str | None = None) -> Node:
    """A constant that stands where `like` stood in the user's program."""
    attrs = {"value": read_only(np.asarray(array))}
    return make_node(CONSTANT, (), attrs, name or like.name, like.location)


def rebuilt(node: Node, operands: tuple[Value, ...]) -> Node:
    """The node on other operands; where their types differ, its own are inferred anew.

    What no longer fits is the user's error, seen earlier than at run time.
    """
    for old, new in zip(node.inputs, operands, strict=True):
        if old.type is not new.type and old.type != new.type:
            break
    else:
        types = tuple([value.type for value in node.outputs])
        return Node(node.op, operands, node.attrs, types, node.name, node.location)
    try:
        return make_node(node.op, operands, node.attrs, node.name, node.location)
    except Mismatch as mismatch:
        raise describe_mismatch(node.op, operands, mismatch, node.location) from None
