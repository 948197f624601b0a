"""Derivatives of loops and branches: new nodes around Functions made from those of the old ones.

**Reverse of a loop.** The body is rebuilt in a workshop graph and differentiated there by the
ordinary sweep. The forward values that its adjoint part takes are what the derivative needs of each
iteration. An augmented twin of the loop (same operands, same body) returns them stacked; a scan goes
over the stacks in the opposite direction and carries the adjoints of the carries. What depends only
on captures is computed again instead of stacked; the entries of a scan's own sequences are at hand
already. The twin is a loop and the backward scan is a loop, so derivatives of every order
follow. A pass makes the loop and its twins one (passes/loops.py), so that no run repeats it.

**Reverse of a branch.** One node with the adjoint of each branch, which recomputes what it needs.

**Forward mode.** The body computes values and tangents side by side.
"""

from __future__ import annotations

from collections.abc import Sequence

from staticgraph.autodiff import forward, reverse
from staticgraph.autodiff.common import Paths, zeros_of
from staticgraph.core import dtypes
from staticgraph.core.body import BodyGraph, inline, tracing
from staticgraph.core.extract import extract
from staticgraph.core.function import Function
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.types import TensorType
from staticgraph.ops.branches import COND, SWITCH_CASE
from staticgraph.ops.convert import constant
from staticgraph.ops.elementwise import add
from staticgraph.ops.loops import SCAN, WHILE
from staticgraph.ops.shaping import broadcast_like

Adjoints = Sequence[Tensor | None]


def _floating(tensor: Tensor) -> bool:
    return tensor.type.dtype in dtypes.FLOATING


class _Loop:
    """A loop node taken apart: its operands and the inputs of its body by their part."""

    def __init__(self, node: Operation) -> None:
        self.node = node
        self.body: Function = node.attrs["body"]
        self.carries: int = node.attrs["carries"]
        self.sequences: int = node.attrs.get("sequences", 0)
        self.first_capture = self.carries + self.sequences
        self.rows = len(self.body.outputs) - self.carries
        self.recompute: bool = node.attrs.get("recompute", False)

    def part(self, index: int) -> str:
        """Whether operand `index` is a ``carry``, an ``entry`` of a sequence or a ``capture``."""
        if index < self.carries:
            return "carry"
        return "entry" if index < self.first_capture else "capture"


def _enter(workshop: BodyGraph, body: Function) -> list[Tensor]:
    """Parameters for the inputs of `body`."""
    return [
        workshop.parameter(value.type, value.name.replace(":", "_"), value.node.attrs["kind"])
        for value in body.inputs
    ]


def _like(workshop: BodyGraph, tensor: Tensor, type: TensorType, name: str) -> Tensor:
    return workshop.parameter(type, f"{name}_{tensor.node.name.rpartition('/')[2]}", "carry")


# -- reverse mode -----------------------------------------------------------------------------


def pull_loop(
    node: Operation, adjoints: Adjoints, wanted: Sequence[int], masked: bool
) -> list[Tensor | None]:
    """The adjoints of the operands number `wanted` of a `while` or `scan`."""
    return _LoopReverse(node, adjoints, wanted, masked).contributions()


class _LoopReverse:
    def __init__(
        self, node: Operation, adjoints: Adjoints, wanted: Sequence[int], masked: bool
    ) -> None:
        self.loop = _Loop(node)
        self.node, self.graph = node, node.graph
        self.adjoints = adjoints
        # The adjoint of every floating carry runs along, whoever asked.
        self.carries = [i for i in range(self.loop.carries) if _floating(node.inputs[i])]
        self.others = [i for i in wanted if i >= self.loop.carries]
        self.rows = [
            i
            for i in range(self.loop.carries, len(node.outputs))
            if adjoints[i] is not None and _floating(node.outputs[i])
        ]
        self.wanted = wanted
        with tracing(self.graph, "the body of a derivative") as workshop:
            self.workshop = workshop
            self._differentiate(masked)

    def _differentiate(self, masked: bool) -> None:
        """The body and its adjoint part, in the workshop."""
        workshop, loop = self.workshop, self.loop
        self.inputs = _enter(workshop, loop.body)
        self.outputs = inline(loop.body, self.inputs, workshop)
        self.forward_size = len(workshop)
        seeded = [*self.carries, *self.rows]
        self.seeds = [
            _like(
                workshop,
                self.outputs[i],
                self.inputs[i].type if i < loop.carries else self.outputs[i].type,
                "adjoint",
            )
            for i in seeded
        ]
        xs = [self.inputs[i] for i in (*self.carries, *self.others)]
        # A carry that the body returns under two places, or as it is, has an adjoint from each.
        ys = [self.outputs[i] for i in seeded]
        found: list[Tensor | None] = [None] * len(xs)
        if xs and ys:
            paths = Paths("gradients", ys, xs)
            found = reverse.pull(paths, self.seeds, masked)
        zeros = [zeros_of(x) if part is None else part for x, part in zip(xs, found, strict=True)]
        self.new_adjoints = zeros[: len(self.carries)]
        self.parts = zeros[len(self.carries) :]
        self.sums = [
            _like(workshop, self.inputs[i], self.inputs[i].type, "sum")
            for i in self.others
            if loop.part(i) == "capture"
        ]
        sums = iter(self.sums)
        self.accumulated: list[Tensor] = []
        self.entries: list[Tensor] = []
        for index, part in zip(self.others, self.parts, strict=True):
            if loop.part(index) == "capture":
                self.accumulated.append(add(next(sums), part))
            else:
                self.entries.append(part)

    def contributions(self) -> list[Tensor | None]:
        """Appends twin and backward loop; one adjoint per wanted operand."""
        stacks, stacked = self._twin()
        results = self._backward(stacks, stacked)
        by_operand: dict[int, Tensor] = {}
        carried = len(self.carries) + len(self.sums)
        heads = iter(results[:carried])
        for index in self.carries:
            by_operand[index] = next(heads)
        rows = iter(results[carried:])
        for index in self.others:
            captured = self.loop.part(index) == "capture"
            by_operand[index] = next(heads) if captured else next(rows)
        return [by_operand.get(index) for index in self.wanted]

    # -- what the derivative needs of each iteration

    def _needed(self) -> list[Tensor]:
        """The forward values that the adjoint part takes and that differ between iterations."""
        if self.loop.recompute:
            return self.inputs[: self.loop.carries]
        varying = self._varying()
        own = set(self.inputs[self.loop.carries :])
        needed: dict[Tensor, None] = {}
        targets = [*self.new_adjoints, *self.accumulated, *self.entries]
        seen: set[Operation] = set()
        stack = [*targets]
        while stack:
            tensor = stack.pop()
            node = tensor.node
            if node.id < self.forward_size:
                if tensor in varying and tensor not in own:
                    needed[tensor] = None
                continue
            if node not in seen:
                seen.add(node)
                stack.extend(node.inputs)
        return sorted(needed, key=lambda tensor: (tensor.node.id, tensor.index))

    def _varying(self) -> set[Tensor]:
        """The forward values that depend on carries or entries."""
        varying = set(self.inputs[: self.loop.first_capture])
        for node in self.workshop.operations[: self.forward_size]:
            if any(tensor in varying for tensor in node.inputs):
                varying.update(node.outputs)
        return varying

    def _captured(self) -> tuple[list[Tensor], list[Tensor]]:
        """The captures, inside and outside: the loop's own, and what derivatives brought in."""
        first = self.loop.first_capture
        inside = [*self.inputs[first:], *self.workshop.captures.values()]
        outside = [*self.node.inputs[first:], *self.workshop.captures]
        return inside, outside

    def _twin(self) -> tuple[list[Tensor], list[Tensor]]:
        """The loop once more, returning what is needed as stacks; the values and their stacks."""
        needed = self._needed()
        if not needed and not self.loop.sequences:
            # Something has to say how many iterations there were.
            with self.workshop.resumed():
                needed = [constant(True, name="step")]
        if not needed:
            return [], []
        inside, outside = self._captured()
        first = self.loop.first_capture
        feeds = [*self.inputs[:first], *inside]
        function = extract(self.workshop, [*self.outputs, *needed], feeds).function
        names = [*self.loop.body.output_names, *[tensor.name for tensor in needed]]
        body = Function(function.inputs, function.nodes, function.outputs, names, "body")
        attrs = {**self.node.attrs, "body": body}
        if self.node.op is WHILE:
            attrs["cond"] = _widened(attrs["cond"], body)
        operands = (*self.node.inputs[:first], *outside)
        twin = self.graph.add(self.node.op, operands, attrs, "twin")
        return needed, list(twin.outputs[len(self.outputs) :])

    def _backward(self, needed: list[Tensor], stacks: list[Tensor]) -> Sequence[Tensor]:
        """The scan over the stacks, in the opposite direction."""
        loop, node = self.loop, self.node
        inside, outside = self._captured()
        own = self.inputs[loop.carries : loop.first_capture]
        count = len(self.carries)
        carried, rows = self.seeds[:count], self.seeds[count:]
        feeds = [*carried, *self.sums, *needed, *own, *rows, *inside]
        fetches = [*self.new_adjoints, *self.accumulated, *self.entries]
        function = extract(self.workshop, fetches, feeds).function
        body = Function(function.inputs, function.nodes, function.outputs, None, "body")
        starts = [self._start(index) for index in self.carries]
        captures = [i for i in self.others if loop.part(i) == "capture"]
        starts += [zeros_of(node.inputs[index]) for index in captures]
        given = [adjoint for index in self.rows if (adjoint := self.adjoints[index]) is not None]
        sequences = [*stacks, *node.inputs[loop.carries : loop.first_capture], *given]
        attrs = {
            "body": body,
            "carries": len(starts),
            "sequences": len(sequences),
            "reverse": not node.attrs.get("reverse", False),
            "recompute": loop.recompute,
        }
        return self.graph.add(SCAN, (*starts, *sequences, *outside), attrs, "backward").outputs

    def _start(self, index: int) -> Tensor:
        adjoint = self.adjoints[index]
        return zeros_of(self.node.outputs[index]) if adjoint is None else adjoint


def _widened(function: Function, like: Function) -> Function:
    """`function` with the further inputs that `like` has at its end."""
    missing = like.inputs[len(function.inputs) :]
    inputs = [*function.inputs, *missing]
    return Function(inputs, function.nodes, function.outputs, function.output_names, function.name)


def pull_branches(
    node: Operation, adjoints: Adjoints, wanted: Sequence[int], masked: bool
) -> list[Tensor | None]:
    """The adjoints of the operands number `wanted` of a `cond` or `switch_case`."""
    given = [i for i, adjoint in enumerate(adjoints) if adjoint is not None]
    bodies: list[tuple[BodyGraph, list[Tensor], list[Tensor], list[Tensor]]] = []
    for branch in node.attrs["branches"]:
        with tracing(node.graph, "the branch of a derivative") as workshop:
            inputs = _enter(workshop, branch)
            outputs = inline(branch, inputs, workshop)
            seeds = [_like(workshop, outputs[i], outputs[i].type, "adjoint") for i in given]
            xs = [inputs[index - 1] for index in wanted]
            paths = Paths("gradients", [outputs[i] for i in given], xs)
            found = reverse.pull(paths, seeds, masked)
            parts = [zeros_of(x) if p is None else p for x, p in zip(xs, found, strict=True)]
        bodies.append((workshop, inputs, seeds, parts))
    brought = list(dict.fromkeys(t for workshop, *_ in bodies for t in workshop.captures))
    branches = []
    for workshop, inputs, seeds, parts in bodies:
        with workshop.resumed():
            further = [workshop.capture(tensor) for tensor in brought]
        feeds = [*inputs, *seeds, *further]
        function = extract(workshop, parts, feeds).function
        branches.append(Function(function.inputs, function.nodes, function.outputs, None, "branch"))
    starts = [adjoint for adjoint in adjoints if adjoint is not None]
    operands = (*node.inputs, *starts, *brought)
    made = node.graph.add(node.op, operands, {"branches": tuple(branches)}, "backward")
    return list(made.outputs)


# -- forward mode -----------------------------------------------------------------------------


def push_loop(node: Operation, tangents: Adjoints, masked: bool) -> list[Tensor | None]:
    """The tangents of the results of a loop: the loop once more, tangents beside the values."""
    loop = _Loop(node)
    moving = [
        index
        for index, operand in enumerate(node.inputs)
        if _floating(operand) and (index < loop.carries or tangents[index] is not None)
    ]
    with tracing(node.graph, "the body of a derivative") as workshop:
        inputs = _enter(workshop, loop.body)
        outputs = inline(loop.body, inputs, workshop)
        moves = {i: _like(workshop, inputs[i], inputs[i].type, "tangent") for i in moving}
        targets = [i for i, output in enumerate(outputs) if _floating(output)]
        xs, starts = [inputs[i] for i in moving], list(moves.values())
        paths = Paths("jvp", [outputs[i] for i in targets], xs)
        found = dict(zip(targets, forward.push(paths, starts, masked), strict=True))
        carried = [i for i in targets if i < loop.carries]
        rows = [i for i in targets if i >= loop.carries and found[i] is not None]
        results = {i: found[i] if found[i] is not None else zeros_of(outputs[i]) for i in carried}
        results |= {i: found[i] for i in rows}
        fetches = [results[i] for i in (*carried, *rows)]
    return _pushed(
        node, loop, workshop, (inputs, outputs, moves), (carried, rows, fetches), tangents
    )


def _pushed(
    node: Operation,
    loop: _Loop,
    workshop: BodyGraph,
    traced: tuple[list[Tensor], list[Tensor], dict[int, Tensor]],
    moved: tuple[list[int], list[int], Sequence[Tensor | None]],
    tangents: Adjoints,
) -> list[Tensor | None]:
    inputs, outputs, moves = traced
    carried, rows, fetched = moved
    fetches = [tensor for tensor in fetched if tensor is not None]

    def of(part: str) -> list[int]:
        return [index for index in moves if loop.part(index) == part]

    first, last = loop.carries, loop.first_capture
    ordered = [
        *inputs[:first], *[moves[i] for i in of("carry")],
        *inputs[first:last], *[moves[i] for i in of("entry")],
        *inputs[last:], *[moves[i] for i in of("capture")],
        *workshop.captures.values(),
    ]  # fmt: skip
    results = [
        *outputs[:first], *fetches[: len(carried)], *outputs[first:], *fetches[len(carried) :],
    ]  # fmt: skip
    function = extract(workshop, results, ordered).function
    body = Function(function.inputs, function.nodes, function.outputs, None, "body")
    starts = {
        i: zeros_of(node.inputs[i]) if (given := tangents[i]) is None else given for i in moves
    }
    operands = (
        *node.inputs[:first], *[starts[i] for i in of("carry")],
        *node.inputs[first:last], *[starts[i] for i in of("entry")],
        *node.inputs[last:], *[starts[i] for i in of("capture")],
        *workshop.captures,
    )  # fmt: skip
    attrs = {**node.attrs, "body": body, "carries": first + len(of("carry"))}
    if node.op is SCAN:
        attrs["sequences"] = loop.sequences + len(of("entry"))
    else:
        attrs["cond"] = _spread(attrs["cond"], body, first, len(of("carry")))
    made = node.graph.add(node.op, operands, attrs, "tangent").outputs
    tangent_of: list[Tensor | None] = [None] * len(node.outputs)
    for place, index in enumerate(carried):
        tangent_of[index] = made[first + place]
    for place, index in enumerate(rows):
        tangent_of[index] = made[len(outputs) + len(carried) + place]
    return tangent_of


def _spread(function: Function, like: Function, first: int, more: int) -> Function:
    """The condition of a loop whose body got `more` carries after the first ones."""
    count = len(function.inputs) - first
    captured = first + more
    inputs = [
        *function.inputs[:first],
        *like.inputs[first:captured],
        *function.inputs[first:],
        *like.inputs[captured + count :],
    ]
    return Function(inputs, function.nodes, function.outputs, function.output_names, function.name)


def push_branches(node: Operation, tangents: Adjoints, masked: bool) -> list[Tensor | None]:
    """The tangents of the results of a branch: one node with the tangents of each branch."""
    moving = [i for i, tangent in enumerate(tangents) if tangent is not None]
    targets = [i for i, output in enumerate(node.outputs) if _floating(output)]
    bodies: list[tuple[BodyGraph, list[Tensor], list[Tensor], list[Tensor]]] = []
    for branch in node.attrs["branches"]:
        with tracing(node.graph, "the branch of a derivative") as workshop:
            inputs = _enter(workshop, branch)
            outputs = inline(branch, inputs, workshop)
            xs = [inputs[index - 1] for index in moving]
            moves = [_like(workshop, x, x.type, "tangent") for x in xs]
            ys = [outputs[i] for i in targets]
            found = forward.push(Paths("jvp", ys, xs), moves, masked)
            parts = [
                zeros_of(y) if p is None else broadcast_like(p, y)
                for y, p in zip(ys, found, strict=True)
            ]
        bodies.append((workshop, inputs, moves, parts))
    brought = list(dict.fromkeys(t for workshop, *_ in bodies for t in workshop.captures))
    branches = []
    for workshop, inputs, moves, parts in bodies:
        with workshop.resumed():
            further = [workshop.capture(tensor) for tensor in brought]
        function = extract(workshop, parts, [*inputs, *moves, *further]).function
        branches.append(Function(function.inputs, function.nodes, function.outputs, None, "branch"))
    starts = [tangent for tangent in tangents if tangent is not None]
    operands = (*node.inputs, *starts, *brought)
    made = node.graph.add(node.op, operands, {"branches": tuple(branches)}, "tangent")
    moved: list[Tensor | None] = [None] * len(node.outputs)
    for index, tensor in zip(targets, made.outputs, strict=True):
        moved[index] = tensor
    return moved


for _op in (WHILE, SCAN):
    reverse.REGION_RULES[_op] = pull_loop
    forward.REGION_RULES[_op] = push_loop
for _op in (COND, SWITCH_CASE):
    reverse.REGION_RULES[_op] = pull_branches
    forward.REGION_RULES[_op] = push_branches
