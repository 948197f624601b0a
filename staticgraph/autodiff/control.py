"""Derivatives of loops and branches: new nodes around Functions made from those of the old ones.

**Reverse of a loop.** The body is rebuilt in a workshop graph and differentiated there by the
ordinary sweep. The forward values that its adjoint part takes are what the derivative needs of each
iteration. An augmented twin of the loop (same operands, same body) returns them stacked; a scan
goes over the stacks in the opposite direction and carries the adjoints of the carries. The twin is
a loop and the backward scan is a loop, so derivatives of every order follow. A pass makes the loop
and its twins one (passes/loops.py), so that no run repeats it.

What holds of the stacks: they hold only values that differ between iterations and that cannot be
had by a cheap step from what is at hand (captures, the entries of a scan's own sequences, other
stacks). Of a value that only gives its shape, the shape is stacked. A value whose size may differ
between iterations is computed again from what it was computed from; a carry of changing size is on
a tape (autodiff/tapes.py). A scan with `recompute` stacks
nothing but carries; its backward scan computes the rest of the body again.

What holds of the backward scan: it carries the adjoints of those carries alone that depend on what
is wanted and on which a given adjoint depends, and sums of the adjoints of wanted captures.

**Reverse of a branch.** One node with the adjoint of each branch, which recomputes what it needs.

A loop inside a body, or a branch, is differentiated inside it, and there its twin runs anew: each
level of nesting costs one more run of what is inside, and the stacks of an inner loop live for one
iteration of the outer one only.

**Forward mode** is in autodiff/control_forward.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staticgraph.autodiff import forward, reverse
from staticgraph.autodiff.bodies import (
    Adjoints,
    Loop,
    branches,
    closed,
    fitted,
    floating,
    like,
    rebuild,
    spread,
)
from staticgraph.autodiff.common import Paths, zeros_of
from staticgraph.autodiff.control_forward import push_branches, push_loop
from staticgraph.autodiff.tapes import Tapes, is_changing, measured
from staticgraph.core import dtypes
from staticgraph.core.body import tracing
from staticgraph.core.function import has_effect
from staticgraph.core.graph import Operation, Tensor
from staticgraph.ops.branches import COND, SWITCH_CASE
from staticgraph.ops.convert import constant
from staticgraph.ops.loops import SCAN, WHILE
from staticgraph.ops.sizes import SHAPE, SIZE

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
    """

    def __init__(
        self, node: Operation, adjoints: Adjoints, wanted: Sequence[int], masked: bool
    ) -> None:
        self.loop = loop = Loop(node)
        self.node, self.graph = node, node.graph
        self.adjoints, self.wanted = adjoints, wanted
        self.tape_results: Sequence[Tensor] = ()
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
        stacks, stacked = self._twin()
        results = self._backward(stacks, stacked, take)
        by_operand = dict(zip([*self.active, *self.sums, *self.entries], results, strict=True))
        return [by_operand.get(index) for index in self.wanted]

    # -- what the derivative needs of each iteration

    def _needed(self) -> list[Tensor]:
        """The forward values that are stacked."""
        if self.loop.recompute:
            taken, _ = self._taken(through=True)
            return [tensor for tensor in self.inputs[: self.loop.carries] if tensor in taken]
        taken, measured = self._taken()
        varying = self._varying()
        own = set(self.inputs[self.loop.carries : self.loop.first_capture])
        redone = self._redone(taken, varying)
        at_hand: set[Tensor] = set()
        needed: list[Tensor] = []
        for node in self.workshop.operations[: self.forward_size]:
            light = node in redone or _is_cheap(node)
            cheap = light and all(tensor in at_hand for tensor in node.inputs)
            for tensor in node.outputs:
                if tensor in varying and tensor not in own and not cheap:
                    if tensor not in taken:
                        continue
                    needed.append(tensor)
                at_hand.add(tensor)
        return needed + [shape for shape in measured if shape.node.inputs[0] not in at_hand]

    def _redone(self, taken: set[Tensor], varying: set[Tensor]) -> set[Operation]:
        """The nodes whose results are taken and may have another size in each iteration.

        Such results do not stack (those of a loop inside are one entry per iteration of it), so
        the nodes run again. What they take is taken, then.
        """
        redone: set[Operation] = set()
        symbols = {dim for x in self.inputs for dim in x.type.shape or () if isinstance(dim, str)}

        def is_ragged(tensor: Tensor) -> bool:
            shape = tensor.type.shape
            # A symbol that comes from inside may stand for another size in each iteration.
            return shape is None or any(not isinstance(d, int) and d not in symbols for d in shape)

        for node in reversed(self.workshop.operations[: self.forward_size]):
            if not node.inputs or not any(is_ragged(t) for t in node.outputs if t in taken):
                continue
            redone.add(node)
            taken.update(tensor for tensor in node.inputs if tensor in varying)
        return redone

    def _taken(self, through: bool = False) -> tuple[set[Tensor], list[Tensor]]:
        """The forward values that the adjoint part takes, and its measures of such values.

        With `through` also what those are computed from.
        """
        taken: set[Tensor] = set()
        measured: dict[Tensor, None] = {}
        seen: set[Operation] = set()
        stack = [*self.new_adjoints, *self.accumulated, *self.entries.values()]
        while stack:
            tensor = stack.pop()
            node = tensor.node
            if node.id < self.forward_size:
                taken.add(tensor)
                if not through:
                    continue
            elif node.op in (SHAPE, SIZE) and node.inputs[0].node.id < self.forward_size:
                measured[tensor] = None
                if not through:
                    continue
            if node not in seen:
                seen.add(node)
                stack.extend(node.inputs)
        return taken, sorted(measured, key=lambda tensor: tensor.node.id)

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
        """The loop once more, returning what is needed: values to be fed backward, and the stacks
        that stand for them. Values of changing size come first."""
        first, node = self.loop.carries, self.node
        tapeable = {t for i, t in enumerate(self.inputs[:first]) if is_changing(self.loop, i)}
        taken = self._needed()
        changing = [tensor for tensor in taken if tensor in tapeable]
        needed = [tensor for tensor in taken if tensor not in tapeable]
        if not needed and not changing and not self.loop.sequences:
            # Something has to say how many iterations there were.
            with self.workshop.resumed():
                needed = [constant(True, name="step")]
        if not needed and not changing:
            return [], []
        self.tapes = tapes = Tapes(self.workshop, changing)
        inside, outside = self._captured()
        last = self.loop.first_capture
        feeds = [*self.inputs[:first], *tapes.before, *self.inputs[first:last], *inside]
        fetches = [
            *self.outputs[:first], *tapes.after, *self.outputs[first:], *tapes.rows, *needed
        ]  # fmt: skip
        effects = [n for n in self.workshop.operations[: self.forward_size] if has_effect(n)]
        own = self.loop.body.output_names
        further = [tensor.name for tensor in (*tapes.rows, *needed)]
        names = [*own[:first], *[tape.name for tape in tapes.after], *own[first:], *further]
        body = closed(self.workshop, "body", fetches, feeds, names, effects)
        count = len(changing)
        attrs = {**node.attrs, "body": body, "carries": first + count}
        if node.op is WHILE:
            attrs["cond"] = spread(attrs["cond"], body, first, count)
        starts = tapes.starts(self.graph)
        operands = (*node.inputs[:first], *starts, *node.inputs[first:last], *outside)
        results = self.graph.add(node.op, operands, attrs, "twin").outputs
        self.tape_results = results[first : first + count]
        return [*changing, *needed], list(results[len(self.outputs) + count :])

    def _backward(self, needed: list[Tensor], stacks: list[Tensor], take: Take) -> Sequence[Tensor]:
        """The scan over the stacks, in the opposite direction."""
        loop, node = self.loop, self.node
        inside, outside = self._captured()
        own = self.inputs[loop.carries : loop.first_capture]
        count = len(self.active)
        carried, rows = self.seeds[:count], self.seeds[count:]
        before = [*carried, *self.sums.values()]
        fetches = [*self.new_adjoints, *self.accumulated, *self.entries.values()]
        body = closed(self.workshop, "body", fetches, [*before, *needed, *own, *rows, *inside])
        if self.tape_results:
            body = self.tapes.reading(self.graph, body, len(before))
        starts = [self._start(index) for index in self.active]
        for index in self.sums:
            known = take(index)
            starts.append(zeros_of(node.inputs[index]) if known is None else known)
        given = [adjoint for index in self.rows if (adjoint := self.adjoints[index]) is not None]
        sequences = [*stacks, *node.inputs[loop.carries : loop.first_capture], *given]
        attrs = {
            "body": body,
            "carries": len(starts),
            "sequences": len(sequences),
            "reverse": not node.attrs.get("reverse", False),
            "recompute": loop.recompute,
        }
        operands = (*starts, *sequences, *outside, *self.tape_results)
        return self.graph.add(SCAN, operands, attrs, "backward").outputs

    def _start(self, index: int) -> Tensor:
        adjoint = self.adjoints[index]
        start = zeros_of(self.node.outputs[index]) if adjoint is None else adjoint
        return measured(start) if is_changing(self.loop, index) else start


def _is_cheap(node: Operation) -> bool:
    if node.op.name in _CHEAP:
        return True
    if not node.op.elementwise:
        return False
    return bool(node.inputs) and (node.op.linear or node.out.dtype == dtypes.bool_)


def pull_branches(
    node: Operation, adjoints: Adjoints, wanted: Sequence[int], masked: bool, take: Take
) -> list[Tensor | None]:
    """The adjoints of the operands number `wanted` of a `cond` or `switch_case`."""
    given = [i for i, adjoint in enumerate(adjoints) if adjoint is not None]
    workshops = []
    adjoint_parts: list[tuple[list[Tensor], list[Tensor | None]]] = []
    for branch in node.attrs["branches"]:
        with tracing(node.graph, "the branch of a derivative") as workshop:
            inputs, outputs = rebuild(workshop, branch)
            seeds = [like(workshop, outputs[i], outputs[i].type, "adjoint") for i in given]
            xs = [inputs[index - 1] for index in wanted]
            found = reverse.pull(Paths("gradients", [outputs[i] for i in given], xs), seeds, masked)
        workshops.append((workshop, [*inputs, *seeds]))
        adjoint_parts.append((xs, found))
    # An operand that no adjoint reaches in any branch has none.
    kept = [
        k for k in range(len(wanted)) if any(found[k] is not None for _, found in adjoint_parts)
    ]
    by_operand: list[Tensor | None] = [None] * len(wanted)
    if not kept:
        return by_operand
    signed = []
    for (workshop, feeds), (xs, found) in zip(workshops, adjoint_parts, strict=True):
        with workshop.resumed():
            parts = [
                zeros_of(xs[k]) if (part := found[k]) is None else fitted(part, xs[k]) for k in kept
            ]
        signed.append((workshop, feeds, parts))
    functions, brought = branches(signed)
    starts = [adjoint for adjoint in adjoints if adjoint is not None]
    operands = (*node.inputs, *starts, *brought)
    made = node.graph.add(node.op, operands, {"branches": functions}, "backward")
    for k, tensor in zip(kept, made.outputs, strict=True):
        by_operand[k] = tensor
    return by_operand


for _op in (WHILE, SCAN):
    reverse.REGION_RULES[_op] = pull_loop
    forward.REGION_RULES[_op] = push_loop
for _op in (COND, SWITCH_CASE):
    reverse.REGION_RULES[_op] = pull_branches
    forward.REGION_RULES[_op] = push_branches
