"""Forward mode of loops and branches: their bodies compute values and tangents side by side."""

from __future__ import annotations

from staticgraph.autodiff import forward
from staticgraph.autodiff.bodies import (
    Adjoints,
    Loop,
    branches,
    closed,
    fitted,
    floating,
    layout,
    like,
    rebuild,
    spread,
)
from staticgraph.autodiff.common import Paths, zeros_of
from staticgraph.core.body import tracing
from staticgraph.core.graph import Operation, Tensor
from staticgraph.ops.loops import SCAN


def push_loop(node: Operation, tangents: Adjoints, masked: bool) -> list[Tensor | None]:
    """The tangents of the results of a loop: the loop once more, tangents beside the values."""
    return _LoopForward(node, tangents, masked).tangents()


class _LoopForward:
    """A loop whose body also maps tangents.

    moving      the operands that move, or in some iteration will: their numbers
    moves       per such operand the parameter of its tangent
    results     per result of the body that moves: its tangent
    """

    def __init__(self, node: Operation, given: Adjoints, masked: bool) -> None:
        self.node, self.given = node, given
        self.loop = loop = Loop(node)
        started = [i for i, tangent in enumerate(given) if tangent is not None]
        self.carried = loop.depending(started)
        self.moving = [*self.carried, *[i for i in started if i >= loop.carries]]
        # A carry that starts to move in some iteration has tangents of 0 before.
        late = any(given[index] is None for index in self.carried)
        with tracing(node.graph, "the body of a derivative") as self.workshop:
            self._differentiate(masked or late or loop.masks())

    def _differentiate(self, masked: bool) -> None:
        workshop, loop = self.workshop, self.loop
        self.inputs, self.outputs = rebuild(workshop, loop.body)
        self.moves = {
            i: like(workshop, self.inputs[i], self.inputs[i].type, "tangent") for i in self.moving
        }
        stacked = [i for i in range(loop.carries, len(self.outputs)) if floating(self.outputs[i])]
        targets = [*self.carried, *stacked]
        self.results: dict[int, Tensor] = {}
        if not targets:
            return
        paths = Paths(
            "jvp", [self.outputs[i] for i in targets], [self.inputs[i] for i in self.moving]
        )
        found = forward.push(paths, list(self.moves.values()), masked)
        for index, tangent in zip(targets, found, strict=True):
            if tangent is not None:
                self.results[index] = fitted(tangent, self.outputs[index])
            elif index < loop.carries:
                self.results[index] = zeros_of(self.outputs[index])

    def tangents(self) -> list[Tensor | None]:
        """Appends the loop; one tangent per result of the node, None where nothing moves."""
        moved: list[Tensor | None] = [None] * len(self.node.outputs)
        rows = [index for index in self.results if index >= self.loop.carries]
        if not self.results:
            return moved
        made = self._append(rows)
        first = self.loop.carries
        after = len(self.outputs) + len(self.carried)
        for place, index in enumerate(self.carried):
            moved[index] = made[first + place]
        for place, index in enumerate(rows):
            moved[index] = made[after + place]
        return moved

    def _append(self, rows: list[int]) -> tuple[Tensor, ...]:
        loop, node, moves = self.loop, self.node, self.moves
        first, last = loop.carries, loop.first_capture

        def of(part: str) -> list[int]:
            return [index for index in self.moving if loop.part(index) == part]

        feeds = [
            *self.inputs[:first], *[moves[i] for i in of("carry")],
            *self.inputs[first:last], *[moves[i] for i in of("entry")],
            *self.inputs[last:], *[moves[i] for i in of("capture")],
            *self.workshop.captures.values(),
        ]  # fmt: skip
        fetches = [
            *self.outputs[:first], *[self.results[i] for i in self.carried],
            *self.outputs[first:], *[self.results[i] for i in rows],
        ]  # fmt: skip
        body = closed(self.workshop, "body", fetches, feeds)
        starts = {
            i: zeros_of(x) if (start := self.given[i]) is None else fitted(start, x)
            for i, x in [(i, node.inputs[i]) for i in self.moving]
        }
        operands = (
            *node.inputs[:first], *[starts[i] for i in of("carry")],
            *node.inputs[first:last], *[starts[i] for i in of("entry")],
            *node.inputs[last:], *[starts[i] for i in of("capture")],
            *self.workshop.captures,
        )  # fmt: skip
        joined = list(loop.joined)
        joined += [len(self.outputs) - first + n for n, i in enumerate(rows) if i - first in joined]
        lengths = [*loop.lengths, *[loop.lengths[i - first] for i in of("entry")]]
        attrs = {
            **node.attrs,
            "body": body,
            "carries": first + len(self.carried),
            **layout(joined, lengths),
        }
        if node.op is SCAN:
            attrs["sequences"] = loop.sequences + len(of("entry"))
        else:
            attrs["cond"] = spread(attrs["cond"], body, first, len(self.carried))
        return node.graph.add(node.op, operands, attrs, "tangent").outputs


def push_branches(node: Operation, tangents: Adjoints, masked: bool) -> list[Tensor | None]:
    """The tangents of the results of a branch: one node with the tangents of each branch."""
    moving = [i for i, tangent in enumerate(tangents) if tangent is not None]
    targets = [i for i, output in enumerate(node.outputs) if floating(output)]
    bodies: list[tuple[list[Tensor], list[Tensor | None]]] = []
    workshops = []
    for branch in node.attrs["branches"]:
        with tracing(node.graph, "the branch of a derivative") as workshop:
            inputs, outputs = rebuild(workshop, branch)
            xs = [inputs[index - 1] for index in moving]
            moves = [like(workshop, x, x.type, "tangent") for x in xs]
            ys = [outputs[i] for i in targets]
            found = forward.push(Paths("jvp", ys, xs), moves, masked) if ys else []
        bodies.append((ys, found))
        workshops.append((workshop, [*inputs, *moves]))
    # A result that moves in no branch does not move.
    kept = [k for k in range(len(targets)) if any(found[k] is not None for _, found in bodies)]
    moved: list[Tensor | None] = [None] * len(node.outputs)
    if not kept:
        return moved
    signed = []
    for (workshop, feeds), (ys, found) in zip(workshops, bodies, strict=True):
        with workshop.resumed():
            parts = [_filled(ys[k], found[k]) for k in kept]
        signed.append((workshop, feeds, parts))
    functions, brought = branches(signed)
    starts = [tangent for tangent in tangents if tangent is not None]
    operands = (*node.inputs, *starts, *brought)
    made = node.graph.add(node.op, operands, {"branches": functions}, "tangent")
    for k, tensor in zip(kept, made.outputs, strict=True):
        moved[targets[k]] = tensor
    return moved


def _filled(y: Tensor, tangent: Tensor | None) -> Tensor:
    return zeros_of(y) if tangent is None else fitted(tangent, y)
