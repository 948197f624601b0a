"""Which nodes cannot fail in any run: they may be computed even where the program might not ask.

An op fails when sizes do not fit that are known only then, or when a value is out of its range.
What is not listed here may fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staticgraph.core.dtypes import INTEGER
from staticgraph.core.node import Node
from staticgraph.core.types import Dim, Shape, TensorType


def cannot_fail(node: Node) -> bool:
    """Whether `node` has a result whatever its operands hold."""
    types = [value.type for value in node.inputs]
    if node.op.elementwise:
        # A negative power of an integer is refused.
        integers = node.op.name == "pow" and types[0].dtype in INTEGER
        return not integers and _broadcasts([type.shape for type in types])
    rule = _RULES.get(node.op.name)
    return rule is not None and rule(node, types)


def _broadcasts(shapes: Sequence[Shape]) -> bool:
    """Whether shapes are known to broadcast, whatever the sizes in a run."""
    if len(shapes) == 1:
        return True
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        return False
    for axis in range(1, max(map(len, known), default=0) + 1):
        sizes = [shape[-axis] for shape in known if len(shape) >= axis and shape[-axis] != 1]
        if len(sizes) > 1 and (None in sizes or sizes.count(sizes[0]) < len(sizes)):
            return False
    return True


def _always(node: Node, types: Sequence[TensorType]) -> bool:
    return True


def _known_rank(node: Node, types: Sequence[TensorType]) -> bool:
    return types[0].ndim is not None


def _static(node: Node, types: Sequence[TensorType]) -> bool:
    """All sizes are known, so whatever could be wrong was refused when the node was made."""
    return all(type.is_static for type in types) and all(
        value.type.is_static for value in node.outputs
    )


def _static_and_alone(node: Node, types: Sequence[TensorType]) -> bool:
    return len(types) == 1 and _static(node, types)


def _static_and_filled(node: Node, types: Sequence[TensorType]) -> bool:
    return _static(node, types) and all(type.size for type in types)


def _squeezes(node: Node, types: Sequence[TensorType]) -> bool:
    shape = types[0].shape
    return shape is not None and all(shape[axis] == 1 for axis in node.attrs["axes"])


def _multiplies(node: Node, types: Sequence[TensorType]) -> bool:
    lhs, rhs = types[0].shape, types[1].shape
    if lhs is None or rhs is None:
        return False
    inner: tuple[Dim, Dim] = (lhs[-1], rhs[-2])
    return None not in inner and inner[0] == inner[1] and _broadcasts([lhs[:-2], rhs[:-2]])


_RULES: dict[str, Callable[[Node, Sequence[TensorType]], bool]] = {
    **dict.fromkeys(("constant", "identity", "stop_gradient", "shape", "size"), _always),
    **dict.fromkeys(("sum", "mean", "prod", "any", "all", "expand_dims"), _known_rank),
    **dict.fromkeys(("permute_dims", "cumsum", "cumprod"), _known_rank),
    **dict.fromkeys(("broadcast_to", "reshape", "sum_to"), _static_and_alone),
    **dict.fromkeys(("max", "min", "softmax", "log_softmax", "logsumexp"), _static_and_filled),
    "concat": _static,
    "squeeze": _squeezes,
    "matmul": _multiplies,
}
