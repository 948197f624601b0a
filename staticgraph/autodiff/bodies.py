"""What the derivatives of loops and branches share: bodies, and what depends on what in them.

A derivative never changes the Function of a body. It builds the nodes of the Function once more, in
a workshop graph, differentiates there by the ordinary sweeps, and extracts new Functions.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.body import BodyGraph, inline
from staticgraph.core.extract import extract
from staticgraph.core.function import Function, has_effect
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.node import Node, Value, make_node
from staticgraph.core.types import TensorType
from staticgraph.ops.loops import SCAN, WHILE, fits, lengths_of, scan_length, stepwise
from staticgraph.ops.shaping import broadcast_like
from staticgraph.ops.sizes import SHAPE, SIZE

Adjoints = Sequence[Tensor | None]


def floating(value: Value) -> bool:
    """Whether a value has a dtype that has derivatives."""
    return value.type.dtype in dtypes.DIFFERENTIABLE


class Loop:
    """A loop node taken apart: its operands and the inputs of its body by their part.

    carries, sequences      how many there are
    joined, lengths         which results are joined, and which sequences are in parts
    first_capture           the number of the first operand that is captured
    """

    def __init__(self, node: Operation) -> None:
        self.node = node
        self.body: Function = node.attrs["body"]
        self.carries: int = node.attrs["carries"]
        self.sequences: int = node.attrs.get("sequences", 0)
        self.first_capture = self.carries + self.sequences
        self.recompute: bool = node.attrs.get("recompute", False)
        self.joined: tuple[int, ...] = node.attrs.get("joined", ())
        self.lengths: tuple[int, ...] = lengths_of(node.attrs) if self.sequences else ()

    def part(self, index: int) -> str:
        """Whether operand `index` is a ``carry``, an ``entry`` of a sequence or a ``capture``."""
        if index < self.carries:
            return "carry"
        return "entry" if index < self.first_capture else "capture"

    def depending(self, operands: Iterable[int]) -> list[int]:
        """The floating carries that depend on operands with these numbers, now or in some
        iteration; those among them count too."""
        body, found = self.body, set(operands)
        while True:
            reached = _downstream(body, [body.inputs[index] for index in found])
            grown = found.union(
                index for index in range(self.carries) if body.outputs[index] in reached
            )
            if len(grown) == len(found):
                return [i for i in range(self.carries) if i in grown and floating(body.inputs[i])]
            found = grown

    def leading(self, results: Iterable[int]) -> list[int]:
        """The floating carries on which results with these numbers depend, in some iteration."""
        body, found = self.body, set(results)
        while True:
            reached = _upstream(body, [body.outputs[index] for index in found])
            grown = found.union(
                index for index in range(self.carries) if body.inputs[index] in reached
            )
            if len(grown) == len(found):
                return [i for i in range(self.carries) if i in grown and floating(body.inputs[i])]
            found = grown

    def runs(self) -> bool:
        """Whether the loop is known to have an iteration."""
        if self.node.op is not SCAN:
            return False
        sequences = self.node.inputs[self.carries : self.first_capture]
        length = scan_length(stepwise([value.type for value in sequences], self.node.attrs))
        return isinstance(length, int) and length > 0

    def masks(self) -> bool:
        """Whether a node of the body puts zeros where something was not chosen."""
        return any(node.op.selects for node in self.body.nodes)


def _downstream(body: Function, values: Sequence[Value]) -> set[Value]:
    """The floating values that depend on `values` with a derivative."""
    reached = {value for value in values if floating(value)}
    for node in body.nodes:
        if any(v in reached and node.op.operand_vjp(i) for i, v in enumerate(node.inputs)):
            reached.update(output for output in node.outputs if floating(output))
    return reached


def _upstream(body: Function, values: Sequence[Value]) -> set[Value]:
    """The floating values on which `values` depend with a derivative."""
    reached = {value for value in values if floating(value)}
    for node in reversed(body.nodes):
        if any(output in reached for output in node.outputs):
            reached.update(
                v for i, v in enumerate(node.inputs) if floating(v) and node.op.operand_vjp(i)
            )
    return reached


def rebuild(workshop: BodyGraph, body: Function) -> tuple[list[Tensor], list[Tensor]]:
    """The nodes of `body` in a workshop: its inputs, as new parameters, and its outputs."""
    workshop.derived = True
    inputs = [
        workshop.parameter(value.type, value.name.replace(":", "_"), value.node.attrs["kind"])
        for value in body.inputs
    ]
    return inputs, inline(body, inputs, workshop)


def fitted(tensor: Tensor, target: Tensor) -> Tensor:
    """`tensor`, of the shape of `target` in every run, with a type that says so."""
    return tensor if fits(tensor.type, target.type) else broadcast_like(tensor, target)


def like(workshop: BodyGraph, tensor: Tensor, type: TensorType, role: str) -> Tensor:
    """A new parameter for the adjoint or tangent of `tensor`."""
    return workshop.parameter(type, f"{role}_{tensor.node.name.rpartition('/')[2]}", "carry")


def closed(
    workshop: BodyGraph,
    name: str,
    fetches: Sequence[Tensor],
    feeds: Sequence[Tensor],
    names: Sequence[str] | None = None,
    effects: Sequence[Operation] | None = None,
) -> Function:
    """The Function in a workshop from `feeds` to `fetches`.

    It has the effects of the given nodes, or none where none are given: what it computes once more
    prints and asserts nothing once more.
    """
    function = extract(workshop, [*fetches, *(effects or ())], feeds).function
    made = Function(function.inputs, function.nodes, function.outputs, names, name)
    return made if effects is not None else silent(made)


def silent(function: Function) -> Function:
    """The Function without effects, also of what is inside it."""
    if not any(has_effect(node) for node in function.nodes):
        return function
    values: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in function.nodes:
        operands = tuple([values.get(value, value) for value in node.inputs])
        if node.op.effect:
            # What passes a value on (print) passes it on in silence.
            values.update(zip(node.outputs, operands, strict=False))
            continue
        attrs = {key: silenced(value) for key, value in node.attrs.items()}
        made = make_node(node.op, operands, attrs, node.name, node.location)
        values.update(zip(node.outputs, made.outputs, strict=True))
        nodes.append(made)
    return function.replace(nodes, [values.get(value, value) for value in function.outputs])


def silenced(value: Any) -> Any:
    """An attribute value with its Functions made silent."""
    if isinstance(value, Function):
        return silent(value)
    if isinstance(value, tuple):
        return tuple([silenced(item) for item in value])
    return value


def layout(joined: Sequence[int], lengths: Sequence[int]) -> dict[str, Any]:
    """The attributes of a loop whose rows with these numbers are joined, and whose sequences are
    in parts of these lengths."""
    found: dict[str, Any] = {}
    if joined:
        found["joined"] = tuple(joined)
    if any(by >= 0 for by in lengths):
        found["lengths"] = tuple(lengths)
    return found


def spread(function: Function, like: Function, first: int, more: int) -> Function:
    """The condition of a loop whose body `like` got `more` carries after the first ones, and
    perhaps captures at the end."""
    count = len(function.inputs) - first
    captured = first + more
    inputs = [
        *function.inputs[:first],
        *like.inputs[first:captured],
        *function.inputs[first:],
        *like.inputs[captured + count :],
    ]
    return Function(inputs, function.nodes, function.outputs, function.output_names, function.name)


def branches(
    workshops: Sequence[tuple[BodyGraph, Sequence[Tensor], Sequence[Tensor]]],
    effects: Sequence[Sequence[Operation]] | None = None,
) -> tuple[tuple[Function, ...], list[Tensor]]:
    """Functions of one signature from (workshop, feeds, fetches) each, and what they capture.

    They have the given effects, or none.
    """
    brought = list(dict.fromkeys(t for workshop, *_ in workshops for t in workshop.captures))
    functions = []
    for number, (workshop, feeds, fetches) in enumerate(workshops):
        with workshop.resumed():
            further = [workshop.capture(tensor) for tensor in brought]
        acts = None if effects is None else effects[number]
        functions.append(closed(workshop, "branch", fetches, [*feeds, *further], None, acts))
    return tuple(functions), brought


def taken_by(
    tensors: Sequence[Tensor], forward_size: int, early: Container[Operation], through: bool = False
) -> tuple[set[Tensor], list[Tensor]]:
    """The forward values that an adjoint part up to `tensors` takes, and its measures of such.

    Forward nodes are the first `forward_size` ones and the `early` ones. With `through` also what
    the values are computed from.
    """
    taken: set[Tensor] = set()
    measured: dict[Tensor, None] = {}
    seen: set[Operation] = set()
    stack = list(tensors)

    def is_forward(node: Operation) -> bool:
        return node.id < forward_size or node in early

    while stack:
        tensor = stack.pop()
        node = tensor.node
        if is_forward(node):
            taken.add(tensor)
            if not through:
                continue
        elif node.op in (SHAPE, SIZE) and is_forward(node.inputs[0].node):
            measured[tensor] = None
            if not through:
                continue
        if node not in seen:
            seen.add(node)
            stack.extend(node.inputs)
    return taken, sorted(measured, key=lambda tensor: tensor.node.id)


def early_nodes(
    workshop: BodyGraph, forward_size: int, adjoints: Sequence[Tensor]
) -> set[Operation]:
    """The nodes of an adjoint part that compute forward values in loops, and what those need.

    They are the twins of loops inside, and whatever holds one: no given adjoint reaches them.
    """
    added = workshop.operations[forward_size:]
    reached = set(adjoints)
    for node in added:
        if any(tensor in reached for tensor in node.inputs):
            reached.update(node.outputs)
    early: set[Operation] = set()
    for node in reversed(added):
        free = not any(tensor in reached for tensor in (*node.inputs, *node.outputs))
        if node in early or (free and repeats(node)):
            early.add(node)
            early.update(t.node for t in node.inputs if t.node.id >= forward_size)
    return early


def repeats(node: Node) -> bool:
    """Whether a node is a loop, or a branch that holds one."""
    if node.op in (WHILE, SCAN):
        return True
    # Recursion follows the nesting of bodies, never the depth of a graph.
    bodies = node.attrs.get("branches", ()) if node.attrs else ()
    return any(repeats(inner) for body in bodies for inner in body.nodes)
