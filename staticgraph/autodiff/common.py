"""What reverse and forward mode share: arguments, and which nodes lie between xs and ys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.graph import Graph, Operation, Tensor, describe
from staticgraph.core.location import Location
from staticgraph.errors import DTypeError, GradientError, GraphError, ShapeError
from staticgraph.core.types import compatible, format_shape
from staticgraph.ops.convert import CONSTANT, as_tensor, is_tensor_like, promote, scalar
from staticgraph.ops.shaping import broadcast_like
from staticgraph.ops.state import Variable


def as_list(values: Any) -> list[Any]:
    """A list of what may be one tensor or a sequence of them."""
    if isinstance(values, list | tuple):
        return list(values)
    return [values]


def result_tensors(ys: Any, what: str, graph_line: Location) -> list[Tensor]:
    """The ys as floating tensors of one graph."""
    tensors = [as_tensor(y) for y in as_list(ys)]
    if not tensors:
        raise GradientError(f"{what}: there is no y to differentiate\n  at {graph_line}")
    for tensor in tensors:
        if tensor.graph is not tensors[0].graph:
            raise GraphError(
                f"{what}: the ys belong to different graphs\n  {describe(tensor)}\n"
                f"  differentiate each in its own graph\n  at {graph_line}"
            )
        if tensor.dtype not in dtypes.FLOATING:
            raise GradientError(
                f"{what}: y is {dtypes.name(tensor.dtype)}, which has no derivative\n"
                f"  y {describe(tensor)}\n"
                "  differentiate a floating result; sg.cast(y, 'float32') does not help, since no "
                "derivative passes a cast from integers\n"
                f"  at {graph_line}"
            )
    return tensors


class Inputs:
    """The xs: each is one tensor, or a variable, whose every read counts."""

    def __init__(self, xs: Any, graph: Graph, what: str, line: Location) -> None:
        self.names: list[str] = []
        self.tensors: list[list[Tensor]] = []
        self.like: list[Tensor] = []
        reads: dict[str, list[Tensor]] | None = None
        for x in as_list(xs):
            if isinstance(x, Variable):
                if reads is None:
                    reads = _reads(graph)
                tensor, group = x.value, reads.get(x.name, [x.value])
            elif is_tensor_like(x):
                tensor = as_tensor(x)
                group = [tensor]
            else:
                raise GradientError(
                    f"{what}: x is a {type(x).__name__}, not a tensor\n"
                    "  give the Tensor or Variable that y was computed from\n"
                    f"  at {line}"
                )
            if tensor.graph is not graph:
                raise GraphError(
                    f"{what}: x and y belong to different graphs\n  x {describe(tensor)}\n"
                    f"  differentiate with respect to tensors of y's graph\n  at {line}"
                )
            if tensor.dtype not in dtypes.FLOATING:
                raise GradientError(
                    f"{what}: x is {dtypes.name(tensor.dtype)}, which has no derivative\n"
                    f"  x {describe(tensor)}\n"
                    "  make it a floating tensor\n"
                    f"  at {line}"
                )
            self.names.append(tensor.name)
            self.like.append(tensor)
            self.tensors.append(group)

    def all(self) -> Iterable[Tensor]:
        """Every tensor that counts as an x."""
        for group in self.tensors:
            yield from group


def _reads(graph: Graph) -> dict[str, list[Tensor]]:
    reads: dict[str, list[Tensor]] = {}
    for node in graph.operations:
        if node.op.role == "read":
            reads.setdefault(node.attrs["variable"], []).append(node.out)
    return reads


def ancestors(graph: Graph, ys: Sequence[Tensor], stops: set[Tensor]) -> list[Operation]:
    """The nodes that `ys` are computed from, themselves included, in id order."""
    seen = bytearray(len(graph.operations))
    stack = [tensor.node for tensor in ys]
    while stack:
        node = stack.pop()
        if seen[node.id]:
            continue
        seen[node.id] = 1
        for tensor in node.inputs:
            if not seen[tensor.node.id] and tensor not in stops:
                stack.append(tensor.node)
    operations = graph.operations
    return [operations[index] for index, wanted in enumerate(seen) if wanted]


def dependents(
    nodes: Sequence[Operation], xs: Iterable[Tensor], stops: set[Tensor]
) -> tuple[set[Tensor], list[Operation]]:
    """The floating tensors that depend on `xs` with a derivative, and the nodes that make them."""
    depends = set(xs)
    active: list[Operation] = []
    floating = dtypes.FLOATING
    for node in nodes:
        op = node.op
        for index, tensor in enumerate(node.inputs):
            if tensor in depends and tensor not in stops and op.operand_vjp(index):
                break
        else:
            continue
        active.append(node)
        for output in node.outputs:
            if output.type.dtype in floating:
                depends.add(output)
    return depends, active


def seed(like: Tensor, value: Any, what: str, role: str, line: Location) -> Tensor:
    """An adjoint or tangent that the user gave for `like`, checked."""
    if is_tensor_like(value):
        tensor = as_tensor(value)
    else:
        tensor = promote((like, value))[1]
    if tensor.dtype != like.dtype:
        raise DTypeError(
            f"{what}: {role} differs from its tensor in dtype\n"
            f"  tensor {describe(like)}\n"
            f"  {role} {describe(tensor)}\n"
            f"  convert it: sg.cast(..., '{dtypes.name(like.dtype)}')\n"
            f"  at {line}"
        )
    if not compatible(tensor.type.shape, like.type.shape):
        if tensor.type.shape == ():
            return broadcast_like(tensor, like)
        raise ShapeError(
            f"{what}: {role} has shape {format_shape(tensor.type.shape)}, its tensor "
            f"{format_shape(like.type.shape)}\n"
            f"  tensor {describe(like)}\n"
            f"  {role} {describe(tensor)}\n"
            "  give one element per element of the tensor\n"
            f"  at {line}"
        )
    return tensor


def zeros_of(like: Tensor) -> Tensor:
    """Zeros of the type of `like`."""
    return broadcast_like(scalar(like.graph, 0.0, like.dtype), like)


def cut_of(
    xs: Sequence[Tensor], ys: Sequence[Tensor], nodes: Sequence[Operation]
) -> tuple[Operation, int] | None:
    """The first node that takes something computed from `xs` and lets no derivative pass."""
    reached: set[Tensor] = set(xs)
    for node in nodes:
        for index, tensor in enumerate(node.inputs):
            if tensor in reached:
                if not node.op.operand_vjp(index):
                    return node, index
                reached.update(node.outputs)
    return None


def is_constant(tensor: Tensor) -> bool:
    """Whether a tensor is a literal."""
    return tensor.node.op is CONSTANT
