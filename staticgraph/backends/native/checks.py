"""check_numerics: after every node that makes floats, a look at what it made.

What fails is a result that holds a NaN or an infinity although no operand does. The operands are
looked at only then, so the cost is one reading of every result, and the fusion that is lost because
every result is in memory.
"""

from __future__ import annotations

from staticgraph.core import dtypes
from staticgraph.core.function import Function
from staticgraph.core.node import Node, Value
from staticgraph.core.opdef import NOT_DIFFERENTIABLE, OpDef

CHECK = OpDef(
    "check_finite",
    operands=("operands*",),
    infer=lambda types, attrs: (),
    reference=None,
    doc="Fails at `node` when the first `results` operands are not finite and the others are.",
    vjp=NOT_DIFFERENTIABLE,
    jvp=NOT_DIFFERENTIABLE,
    attrs=("results", "node"),
    effect=True,
)
# The values of constants are the user's own.
_UNCHECKED = frozenset(("constant",))


def with_checks(function: Function) -> Function:
    """The Function with a check after every node that makes floats; bodies stay as they are."""
    nodes: list[Node] = []
    for node in function.nodes:
        nodes.append(node)
        made = [value for value in node.outputs if value.type.dtype in dtypes.DIFFERENTIABLE]
        if not made or node.op.name in _UNCHECKED:
            continue
        taken = [value for value in node.inputs if value.type.dtype in dtypes.DIFFERENTIABLE]
        attrs = {"results": len(made), "node": node}
        nodes.append(Node(CHECK, (*made, *_distinct(taken)), attrs, (), node.name, node.location))
    return function.replace(nodes, function.outputs)


def _distinct(values: list[Value]) -> list[Value]:
    return list(dict.fromkeys(values))
