"""Constant folding: a node whose operands are all known is computed once, by the compiler.

What stays for the run, and why: nodes with an effect; loops and branches, whose cost their operands
do not bound; results that would make the program larger; results that are not finite though the
operands are, since a session with ``check_numerics`` must be able to name the node; and nodes that
fail, which fail in the run with the user's line.
"""

from __future__ import annotations

import numpy as np

from staticgraph.core.dtypes import DIFFERENTIABLE
from staticgraph.core.function import Function, has_effect
from staticgraph.core.node import Node, Value
from staticgraph.core.types import compatible
from staticgraph.errors import CompilerError
from staticgraph.ops.convert import CONSTANT
from staticgraph.passes.common import (
    Array,
    Notes,
    array_of,
    constant_node,
    has_body,
    rebuilt,
)

# A constant up to this size is folded even where its operands are smaller.
SIZE_LIMIT = 1 << 20

LEFT_FOR_SIZE = "left to the run, result larger than 1 MiB and than its operands"
LEFT_NOT_FINITE = "left to the run, result not finite though its operands are"
LEFT_FAILING = "left to the run, computing it fails"


def fold_constants(function: Function, notes: Notes) -> Function:
    """`function` with every node of known operands replaced by constants."""
    now: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in function.nodes:
        known = node.op is not CONSTANT
        moved = False
        for value in node.inputs:
            if value in now:
                value = now[value]
                moved = True
            if value.node.op is not CONSTANT:
                known = False
        kept = node
        if moved:
            kept = rebuilt(node, tuple([now.get(value, value) for value in node.inputs]))
        results = [kept]
        if known:
            results = folded(kept, notes) or results
        nodes.extend(results)
        if results[0] is not node:
            given = [value for result in results for value in result.outputs]
            now.update(zip(node.outputs, given, strict=True))
    if not now:
        return function
    return function.replace(nodes, [now.get(value, value) for value in function.outputs])


def folded(node: Node, notes: Notes) -> list[Node] | None:
    """The constants that the results of `node` are, one each, or None where it stays for the run.

    All operands of `node` are constants.
    """
    if notes.evaluate is None or has_effect(node) or has_body(node):
        return None
    operands = [array_of(value) for value in node.inputs]
    limit = max(SIZE_LIMIT, sum(operand.nbytes for operand in operands))
    if _bytes_known(node) > limit:
        notes.remark(LEFT_FOR_SIZE)
        return None
    try:
        results = notes.evaluate(node, operands)
    except Exception:
        # Whatever is wrong, the run says it better: with the operands and the user's line.
        notes.remark(LEFT_FAILING)
        return None
    if sum(result.nbytes for result in results) > limit:
        notes.remark(LEFT_FOR_SIZE)
        return None
    if not all(map(_finite, results)) and all(map(_finite, operands)):
        notes.remark(LEFT_NOT_FINITE)
        return None
    return [
        _constant(node, value, result) for value, result in zip(node.outputs, results, strict=True)
    ]


def _bytes_known(node: Node) -> int:
    """The size of the results as far as it is known before computing them."""
    return sum((value.type.size or 0) * value.type.dtype.itemsize for value in node.outputs)


def _finite(array: Array) -> bool:
    return array.dtype not in DIFFERENTIABLE or bool(np.isfinite(array).all())


def _constant(node: Node, value: Value, result: Array) -> Node:
    if result.dtype != value.type.dtype or not compatible(result.shape, value.type.shape):
        raise CompilerError(
            f"fold: {node.op.name} made {result.dtype}{list(result.shape)} for '{value.name}' "
            f"{value.type}\n  this is a bug in staticgraph"
        )
    return constant_node(result, node, value.name)
