"""Derivatives of loops: new nodes around Functions made from those of the old ones.

**Reverse of a loop.** The body is rebuilt in a workshop graph and differentiated there by the
ordinary sweep. The forward values that its adjoint part takes are what the derivative needs of each
iteration. An augmented twin of the loop (same operands, same body) returns them stacked; a scan
goes over the stacks in the opposite direction and carries the adjoints of the carries. The twin is
a loop and the backward scan is a loop, so derivatives of every order follow. A pass makes the loop
and its twins one (passes/merge.py), so that no run repeats it.

What holds of the stacks: they hold only values that differ between iterations and that cannot be
had by a cheap step from what is at hand (captures, the entries of a scan's own sequences, other
stacks). Of a value that only gives its shape, the shape is stacked. Values whose size differs
between iterations are joined (autodiff/kept.py). A scan with `recompute` stacks
nothing but carries; its backward scan computes the rest of the body again.

What holds of the backward scan: it carries the adjoints of those carries alone that depend on what
is wanted and on which a given adjoint depends, and sums of the adjoints of wanted captures.

**A loop inside** has its twin in the adjoint part of the body around it, but the twin computes what
the loop does, and depends on no adjoint. So it counts as a forward value: it goes into the twin of
the body around, where a pass makes it one with the loop, and its stacks are stacked in turn. No
loop runs again in a backward scan, however deep it is nested.

**Reverse of a branch** is in autodiff/control_branches.py, **forward mode** of both in
autodiff/control_forward.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staticgraph.autodiff import forward, reverse
from staticgraph.autodiff.bodies import (
    Adjoints,
    Loop,
    closed,
    early_nodes,
    fitted,
    floating,
    layout,
    like,
    rebuild,
    repeats,
    silenced,
    spread,
    taken_by,
)
from staticgraph.autodiff.common import Paths, zeros_of
from staticgraph.autodiff.control_branches import pull_branches
from staticgraph.autodiff.control_forward import push_branches, push_loop
from staticgraph.autodiff.kept import Kept, sizes_that_differ
from staticgraph.core import dtypes
from staticgraph.core.body import BodyGraph, tracing
from staticgraph.core.function import has_effect
from staticgraph.core.graph import Operation, Tensor
from staticgraph.ops.branches import COND, SWITCH_CASE
from staticgraph.ops.convert import constant
from staticgraph.ops.loops import SCAN, WHILE

# Computed again rather than kept, where the operands are at hand: one step per element at most.
_CHEAP = ("multiply", "where", "cast", "broadcast_to", "reshape", "permute_dims", "expand_dims")


Take = Callable[[int], Tensor | None]


def pull_loop(
    node: Operation, adjoints: Adjoints, wanted: Sequence[int], masked: bool, take: Take
) -> list[Tensor | None]:
    """The adjoints of the operands number `wanted` of a `while` or `scan`."""
    return _LoopReverse(node, adjoints, wanted, masked).contributions(take)


class _LoopReverse:
    """A loop, its body in a workshop, and the adjoint part of that body.

    active      the carries that have an adjoint: their numbers
    rows        the stacked results that have one
    others      the wanted operands that are no carries
    sums        per captured operand that an adjoint reaches: the parameter that it is added to
    entries     per sequence that an adjoint reaches: the adjoint of its entry
    seeds       parameters for the adjoints of what the body returns: `active`, then `rows`
    early       the nodes of the adjoint part that compute forward values: twins of loops inside
    """

    def __init__(
        self, node: Operation, adjoints: Adjoints, wanted: Sequence[int], masked: bool
    ) -> None:
        self.loop = loop = Loop(node)
        self.node, self.graph = node, node.graph
        self.adjoints, self.wanted = adjoints, wanted
        given = [i for i, adjoint in enumerate(adjoints) if adjoint is not None]
        self.rows = [i for i in given if i >= loop.carries and floating(node.outputs[i])]
        depending = loop.depending(wanted)
        self.active = [i for i in loop.leading(given) if i in depending]
        self.others = [i for i in wanted if i >= loop.carries]
        # A carry whose last value nobody took starts with an adjoint of 0.
        late = any(adjoints[index] is None for index in self.active)
        with tracing(self.graph, "the body of a derivative") as self.workshop:
            self._differentiate(masked or late or loop.masks())

    def _differentiate(self, masked: bool) -> None:
        """The body and its adjoint part, in the workshop."""
        workshop, loop = self.workshop, self.loop
        self.inputs, self.outputs = rebuild(workshop, loop.body)
        self.forward_size = len(workshop)
        seeded = [*self.active, *self.rows]
        self.seeds = [
            like(workshop, y, self.inputs[i].type if i < loop.carries else y.type, "adjoint")
            for i, y in [(i, self.outputs[i]) for i in seeded]
        ]
        xs = [self.inputs[i] for i in (*self.active, *self.others)]
        count = len(self.active)
        sums = [
            like(workshop, x, x.type, "sum") if loop.part(i) == "capture" else None
            for i, x in zip(self.others, xs[count:], strict=True)
        ]
        found: list[Tensor | None] = [None] * len(xs)
        if xs and seeded:
            paths = Paths("gradients", [self.outputs[i] for i in seeded], xs)
            found = reverse.pull(paths, self.seeds, masked, [*[None] * count, *sums])
        given = [*self.seeds, *[total for total in sums if total is not None]]
        # A scan that recomputes keeps carries alone: what is inside runs again, by intention.
        recompute = loop.recompute
        self.early = set() if recompute else early_nodes(workshop, self.forward_size, given)
        self.new_adjoints = [
            zeros_of(x) if part is None else fitted(part, x)
            for x, part in zip(xs[:count], found[:count], strict=True)
        ]
        self.sums: dict[int, Tensor] = {}
        self.accumulated: list[Tensor] = []
        self.entries: dict[int, Tensor] = {}
        for index, part, total in zip(self.others, found[count:], sums, strict=True):
            # An operand that no adjoint reaches in any iteration has none.
            if part is None or part is total:
                continue
            if total is None:
                self.entries[index] = fitted(part, self.inputs[index])
            else:
                self.sums[index] = total
                self.accumulated.append(fitted(part, self.inputs[index]))

    def contributions(self, take: Take) -> list[Tensor | None]:
        """Appends twin and backward loop; one adjoint per wanted operand."""
        if not self.active and not self.entries and not self.sums:
            return [None] * len(self.wanted)
        kept = self._kept()
        results = self._backward(kept, self._twin(kept), take)
        by_operand = dict(zip([*self.active, *self.sums, *self.entries], results, strict=True))
        return [by_operand.get(index) for index in self.wanted]

    # -- what the derivative needs of each iteration

    def _needed(self) -> list[Tensor]:
        """The forward values that are kept."""
        if self.loop.recompute:
            taken, _ = self._taken(through=True)
            return [tensor for tensor in self.inputs[: self.loop.carries] if tensor in taken]
        taken, measured = self._taken()
        varying = self._varying()
        own = set(self.inputs[self.loop.carries : self.loop.first_capture])
        at_hand: set[Tensor] = set()
        needed: list[Tensor] = []
        for node in self._forward_nodes():
            cheap = _is_cheap(node) and all(tensor in at_hand for tensor in node.inputs)
            for tensor in node.outputs:
                if tensor in varying and tensor not in own and not cheap:
                    if tensor not in taken:
                        continue
                    needed.append(tensor)
                at_hand.add(tensor)
        return needed + [shape for shape in measured if shape.node.inputs[0] not in at_hand]

    def _forward_nodes(self) -> list[Operation]:
        """The nodes of the body, and what differentiation added to them that is no adjoint."""
        nodes = self.workshop.operations
        early = self.early
        return [*nodes[: self.forward_size], *[n for n in nodes[self.forward_size :] if n in early]]

    def _taken(self, through: bool = False) -> tuple[set[Tensor], list[Tensor]]:
        """The forward values that the adjoint part takes, and its measures of such values.

        With `through` also what those are computed from.
        """
        parts = [*self.new_adjoints, *self.accumulated, *self.entries.values()]
        return taken_by(parts, self.forward_size, self.early, through)

    def _varying(self) -> set[Tensor]:
        """The forward values that depend on carries or entries.

        And those of a loop inside, where the loop may not run: what does not differ there stays in
        the body all the same, and would run again.
        """
        varying = set(self.inputs[: self.loop.first_capture])
        stays = not self.loop.runs()
        for node in self._forward_nodes():
            if (stays and repeats(node)) or any(tensor in varying for tensor in node.inputs):
                varying.update(node.outputs)
        return varying

    def _captured(self) -> tuple[list[Tensor], list[Tensor]]:
        """The captures, inside and outside: the loop's own, and what derivatives brought in."""
        first = self.loop.first_capture
        inside = [*self.inputs[first:], *self.workshop.captures.values()]
        outside = [*self.node.inputs[first:], *self.workshop.captures]
        return inside, outside

    def _kept(self) -> Kept:
        """What the twin returns of each iteration."""
        inside, _ = self._captured()
        kept = Kept(self.workshop, sizes_that_differ([*self.inputs, *inside]))
        for tensor in self._needed():
            kept.keep(tensor)
        self.row_lengths = [
            kept.count(self.outputs[i]) if i - self.loop.carries in self.loop.joined else -1
            for i in self.rows
        ]
        if not kept.rows and not self.loop.sequences:
            # Something has to say how many iterations there were.
            with self.workshop.resumed():
                kept.keep(constant(True, name="step"))
        return kept

    def _twin(self, kept: Kept) -> Sequence[Tensor]:
        """The loop once more, returning what is kept: the results that hold it."""
        loop, node = self.loop, self.node
        if not kept.rows:
            return []
        inside, outside = self._captured()
        feeds = [*self.inputs[: loop.first_capture], *inside]
        effects = [n for n in self.workshop.operations[: self.forward_size] if has_effect(n)]
        names = [*loop.body.output_names, *[tensor.name for tensor in kept.rows]]
        body = closed(self.workshop, "body", [*self.outputs, *kept.rows], feeds, names, effects)
        rows = len(self.outputs) - loop.carries
        joined = [*loop.joined, *[rows + number for number in kept.joined]]
        attrs = {**node.attrs, "body": body, **layout(joined, ())}
        if node.op is WHILE:
            attrs["cond"] = spread(attrs["cond"], body, loop.carries, 0)
        if isinstance(self.graph, BodyGraph) and self.graph.derived:
            # The loop is there beside its twin, with its effects.
            attrs = {name: silenced(value) for name, value in attrs.items()}
        operands = (*node.inputs[: loop.first_capture], *outside)
        made = self.graph.add(node.op, operands, attrs, "twin")
        return made.outputs[len(self.outputs) :]

    def _backward(self, kept: Kept, stacks: Sequence[Tensor], take: Take) -> Sequence[Tensor]:
        """The scan over the stacks, in the opposite direction."""
        loop, node = self.loop, self.node
        inside, outside = self._captured()
        own = self.inputs[loop.carries : loop.first_capture]
        count = len(self.active)
        carried, rows = self.seeds[:count], self.seeds[count:]
        before = [*carried, *self.sums.values()]
        fetches = [*self.new_adjoints, *self.accumulated, *self.entries.values()]
        flat = [value for value, *_ in kept.flat]
        feeds = [*before, *kept.rows, *own, *rows, *inside, *flat]
        body = closed(self.workshop, "body", fetches, feeds)
        body = kept.reading(self.graph, body, len(before))
        starts = [self._start(index) for index in self.active]
        for index in self.sums:
            known = take(index)
            starts.append(zeros_of(node.inputs[index]) if known is None else known)
        given = [adjoint for index in self.rows if (adjoint := self.adjoints[index]) is not None]
        sequences = [*stacks, *node.inputs[loop.carries : loop.first_capture], *given]
        shifted = [by if by < 0 else by + len(stacks) for by in loop.lengths]
        lengths = [*kept.lengths, *shifted, *self.row_lengths]
        parted = [n for n, i in enumerate(self.entries) if loop.lengths[i - loop.carries] >= 0]
        attrs = {
            "body": body,
            "carries": len(starts),
            "sequences": len(sequences),
            "reverse": not node.attrs.get("reverse", False),
            "recompute": loop.recompute,
            **layout(parted, lengths),
        }
        operands = (*starts, *sequences, *outside)
        return self.graph.add(SCAN, operands, attrs, "backward").outputs

    def _start(self, index: int) -> Tensor:
        adjoint = self.adjoints[index]
        return zeros_of(self.node.outputs[index]) if adjoint is None else adjoint


def _is_cheap(node: Operation) -> bool:
    if node.op.name in _CHEAP:
        return True
    if not node.op.elementwise:
        return False
    return bool(node.inputs) and (node.op.linear or node.out.dtype == dtypes.bool_)


for _op in (WHILE, SCAN):
    reverse.REGION_RULES[_op] = pull_loop
    forward.REGION_RULES[_op] = push_loop
for _op in (COND, SWITCH_CASE):
    reverse.REGION_RULES[_op] = pull_branches
    forward.REGION_RULES[_op] = push_branches
