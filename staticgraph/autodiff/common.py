"""What reverse and forward mode share: arguments, and which nodes lie between xs and ys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.body import BodyGraph
from staticgraph.core.graph import Graph, Operation, Tensor, describe, get_default_graph
from staticgraph.core.location import Location
from staticgraph.core.types import compatible, format_shape, same_shape
from staticgraph.errors import DTypeError, GradientError, GraphError, ShapeError
from staticgraph.ops.convert import as_tensor, constant, is_tensor_like, scalar
from staticgraph.ops.shaping import broadcast_like
from staticgraph.ops.state import Variable


def as_list(values: Any) -> list[Any]:
    """A list of what may be one tensor or a sequence of them."""
    if isinstance(values, list | tuple):
        return list(values)
    return [values]


def paired(values: Any, single: bool, likes: Sequence[Tensor]) -> list[Any]:
    """What the user gave beside ys or xs, as a list.

    Where there is but one tensor, and it was not given in a list, a list may be the list of the
    one entry, or else the entry itself written out in numbers.
    """
    if not isinstance(values, list | tuple):
        return [values]
    tensors = any(value is None or is_tensor_like(value) for value in values)
    if not single or len(likes) != 1 or tensors:
        return list(values)
    if len(values) == 1 and not _written_out(values, likes[0]):
        return list(values)
    return [values]


def _written_out(values: Sequence[Any], like: Tensor) -> bool:
    """Whether nested lists of numbers have the shape of `like`."""
    try:
        return like.type.shape is not None and compatible(np.shape(values), like.type.shape)
    except ValueError:
        return False


# -- ys, xs and seeds -------------------------------------------------------------------------


def _line(ys: Sequence[Any]) -> Location:
    for y in ys:
        if is_tensor_like(y):
            return value_of(y).graph.location
    return get_default_graph().location


def value_of(x: Any) -> Tensor:
    """The tensor that gives the type and the name of `x`; no new read of a variable."""
    return x.value if isinstance(x, Variable) else as_tensor(x)


def _results(ys: Sequence[Any], what: str, line: Location) -> list[Tensor]:
    """The ys as floating tensors of one graph."""
    if not ys:
        raise GradientError(
            f"{what}: there is no y\n  give the tensor to differentiate\n  at {line}"
        )
    tensors: list[Tensor] = []
    for y in ys:
        if not is_tensor_like(y):
            raise _no_tensor(what, "y", y, "give the Tensor to differentiate", line)
        tensor = as_tensor(y)
        if tensors and tensor.graph is not tensors[0].graph:
            raise GraphError(
                f"{what}: the ys belong to different graphs\n"
                f"  y {describe(tensors[0])}\n"
                f"  y {describe(tensor)}\n"
                f"  differentiate each in its own graph\n  at {line}"
            )
        if tensor.dtype not in dtypes.DIFFERENTIABLE:
            raise GradientError(
                f"{what}: y is {dtypes.name(tensor.dtype)}, which has no derivative\n"
                f"  y {describe(tensor)}\n"
                "  differentiate a floating tensor; sg.cast(y, 'float32') would not help, since no "
                "derivative passes from a float to an integer\n"
                f"  at {line}"
            )
        tensors.append(tensor)
    return tensors


def _no_tensor(what: str, role: str, value: Any, way_out: str, line: Location) -> GradientError:
    return GradientError(
        f"{what}: {role} is a {type(value).__name__}, not a tensor\n  {way_out}\n  at {line}"
    )


class Inputs:
    """The xs: each is one tensor, or a variable, whose every read counts.

    like     per x the tensor that gives its type and name
    groups   per x the tensors that stand for it
    """

    def __init__(self, xs: Any, graph: Graph, what: str, line: Location) -> None:
        self.like: list[Tensor] = []
        self.groups: list[list[Tensor]] = []
        reads: dict[str, list[Tensor]] | None = None
        for x in as_list(xs):
            if not is_tensor_like(x):
                way_out = "give the Tensor or Variable that y was computed from"
                raise _no_tensor(what, "x", x, way_out, line)
            tensor = inside(graph, value_of(x))
            if tensor.graph is not graph:
                raise GraphError(
                    f"{what}: x and y belong to different graphs\n  x {describe(tensor)}\n"
                    f"  differentiate with respect to tensors of y's graph\n  at {line}"
                )
            group = [tensor]
            if isinstance(x, Variable):
                if reads is None:
                    reads = reads_of(graph)
                group = reads.get(x.name, group)
            if tensor.dtype not in dtypes.DIFFERENTIABLE:
                raise GradientError(
                    f"{what}: x is {dtypes.name(tensor.dtype)}, which has no derivative\n"
                    f"  x {describe(tensor)}\n"
                    "  compute y from a floating tensor\n"
                    f"  at {line}"
                )
            self.like.append(tensor)
            self.groups.append(group)

    def all(self) -> Iterable[Tensor]:
        """Every tensor that counts as an x."""
        for group in self.groups:
            yield from group


def inside(graph: Graph, tensor: Tensor) -> Tensor:
    """What stands in the body of a loop or a branch for a tensor of a graph around it."""
    if isinstance(graph, BodyGraph) and graph.lies_inside(tensor.graph):
        return graph.capture(tensor)
    return tensor


def reads_of(graph: Graph) -> dict[str, list[Tensor]]:
    """The reads of each variable, by its name; in a body, what stands there for a read outside."""
    reads: dict[str, list[Tensor]] = {}
    if isinstance(graph, BodyGraph):
        for name, outer in reads_of(graph.outer).items():
            reads[name] = [graph.captures[read] for read in outer if read in graph.captures]
    for node in graph.operations:
        if node.op.role == "read":
            reads.setdefault(node.attrs["variable"], []).append(node.outputs[0])
    return reads


def _stops(stop_gradients: Any, graph: Graph, what: str, line: Location) -> set[Tensor]:
    stops: set[Tensor] = set()
    for stop in as_list(stop_gradients):
        if not is_tensor_like(stop):
            way_out = "stop_gradients takes Tensors and Variables"
            raise _no_tensor(what, "a member of stop_gradients", stop, way_out, line)
        if isinstance(stop, Variable):
            stops.update(reads_of(graph).get(stop.name, ()))
        else:
            stops.add(inside(graph, as_tensor(stop)))
    return stops


def seed(like: Tensor, value: Any, what: str, role: str, line: Location) -> Tensor:
    """An adjoint or tangent that the user gave for `like`, of its type; a scalar is broadcast."""
    if is_tensor_like(value):
        tensor = inside(like.graph, as_tensor(value))
    else:
        with like.graph.as_default():
            tensor = constant(value, like.dtype, role)
    if tensor.graph is not like.graph:
        raise GraphError(
            f"{what}: a {role} belongs to another graph\n"
            f"  tensor {describe(like)}\n"
            f"  {role} {describe(tensor)}\n"
            f"  build both in one graph\n  at {line}"
        )
    if tensor.dtype != like.dtype:
        raise DTypeError(
            f"{what}: a {role} differs from its tensor in dtype\n"
            f"  tensor {describe(like)}\n"
            f"  {role} {describe(tensor)}\n"
            f"  convert it: sg.cast(..., '{dtypes.name(like.dtype)}')\n"
            f"  at {line}"
        )
    if same_shape(tensor.type.shape, like.type.shape):
        return tensor
    if tensor.type.shape != () and not compatible(tensor.type.shape, like.type.shape):
        raise ShapeError(
            f"{what}: a {role} has shape {format_shape(tensor.type.shape)}, its tensor "
            f"{format_shape(like.type.shape)}\n"
            f"  tensor {describe(like)}\n"
            f"  {role} {describe(tensor)}\n"
            "  give one element per element of the tensor, or a scalar for all of them\n"
            f"  at {line}"
        )
    return broadcast_like(tensor, like)


def zeros_of(like: Tensor) -> Tensor:
    """Zeros of the type of `like`."""
    return broadcast_like(scalar(like.graph, 0, like.dtype), like)


# -- what lies between ------------------------------------------------------------------------


class Paths:
    """Which nodes lie between xs and ys with a derivative; many sweeps may use one.

    steps     the nodes on the paths in id order, each with the numbers of the operands that lie
              on a path
    reached   the tensors that depend on some x and on which some y depends
    """

    def __init__(self, what: str, ys: Any, xs: Any, stop_gradients: Any = ()) -> None:
        listed = as_list(ys)
        self.what = what
        self.line = _line(listed)
        self.ys = _results(listed, what, self.line)
        self.graph = self.ys[0].graph
        self.inputs = Inputs(xs, self.graph, what, self.line)
        self._stops = _stops(stop_gradients, self.graph, what, self.line)
        nodes = ancestors(self.graph, self.ys)
        depends, active = self._depending(nodes)
        self.reached: set[Tensor] = {y for y in self.ys if y in depends}
        self.steps: list[tuple[Operation, list[int]]] = []
        self._lead(depends, active)

    def connected(self, index: int) -> list[Tensor]:
        """The tensors that stand for x number `index` and from which a derivative reaches a y."""
        return [tensor for tensor in self.inputs.groups[index] if tensor in self.reached]

    def passes(self, tensor: Tensor) -> bool:
        """Whether the adjoint of `tensor` goes on to the operands of its node."""
        return tensor not in self._stops

    def _depending(self, nodes: Sequence[Operation]) -> tuple[set[Tensor], list[Operation]]:
        """The tensors that depend on the xs with a derivative, and the nodes that make them."""
        depends = set(self.inputs.all())
        active: list[Operation] = []
        stops, floating = self._stops, dtypes.DIFFERENTIABLE
        for node in nodes:
            op = node.op
            for index, tensor in enumerate(node.inputs):
                if tensor in depends and op.operand_vjp(index):
                    break
            else:
                continue
            active.append(node)
            for output in node.outputs:
                if output.type.dtype in floating and output not in stops:
                    depends.add(output)
        return depends, active

    def _lead(self, depends: set[Tensor], active: Sequence[Operation]) -> None:
        reached, stops = self.reached, self._stops
        for node in reversed(active):
            for output in node.outputs:
                if output in reached and output not in stops:
                    break
            else:
                continue
            op = node.op
            wanted = []
            for index, tensor in enumerate(node.inputs):
                if tensor in depends and op.operand_vjp(index):
                    wanted.append(index)
                    reached.add(tensor)
            self.steps.append((node, wanted))
        self.steps.reverse()

    def unconnected(self, index: int) -> GradientError:
        """The error for x number `index`, from which no derivative reaches a y: what cuts it."""
        like = self.inputs.like[index]
        lines = [f"{self.what}: y does not depend on x"]
        lines += [f"  y {describe(y)}" for y in self.ys]
        lines.append(f"  x {describe(like)}")
        cut = self.cut(index)
        if cut is not None:
            lines[0] = f"{self.what}: no derivative passes from y to x"
            lines.append(f"  {cut}")
        lines.append("  differentiate with respect to a tensor that y is computed from")
        if self.what == "gradients":
            lines[-1] += ", or say unconnected='zero' or unconnected='none'"
        lines.append(f"  at {self.line}")
        return GradientError("\n".join(lines))

    def cut(self, index: int) -> str | None:
        """What ends the first path from x number `index` to a y, as a line of a message."""
        reached = set(self.inputs.groups[index])
        for node in ancestors(self.graph, self.ys):
            for index, tensor in enumerate(node.inputs):
                if tensor not in reached:
                    continue
                named = f"'{node.name}' ({node.op.name}, at {node.location.short}) lies between"
                if not node.op.operand_vjp(index):
                    return f"{named} and has no derivative"
                if all(output.dtype not in dtypes.DIFFERENTIABLE for output in node.outputs):
                    return f"{named} and its result is {dtypes.name(node.out.dtype)}"
                if any(output in self._stops for output in node.outputs):
                    return f"{named} and is among stop_gradients"
                reached.update(node.outputs)
        return None


def ancestors(graph: Graph, ys: Sequence[Tensor]) -> list[Operation]:
    """The nodes that `ys` are computed from, their own included, in id order."""
    operations = graph.operations
    wanted = bytearray(len(operations))
    for tensor in ys:
        wanted[tensor.node.id] = 1
    found: list[Operation] = []
    # Operands have smaller ids: one sweep downwards, in the order in which memory was filled.
    index = wanted.rfind(1)
    while index >= 0:
        node = operations[index]
        found.append(node)
        for tensor in node.inputs:
            wanted[tensor.node.id] = 1
        index = wanted.rfind(1, 0, index)
    found.reverse()
    return found
