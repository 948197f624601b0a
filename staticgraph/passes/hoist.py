"""Hoisting: what every iteration would compute again is computed once, in front of the loop.

- A node of a body, or of a condition, that depends on captures alone moves out.
- A matrix product of a scan's entry with such a value becomes one product over the whole sequence;
  its rows are a new sequence.

A loop may run zero times, so a node moves out of one that is not known to run only if it cannot
fail. Such a loop then pays for at most what one iteration would have cost. Nothing moves out of a
branch: which branch runs is what the user decided. Views that cost nothing where they are stay,
and so does elementwise work on entries: computed in the iteration it needs no memory, and machine
code does it in passing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from staticgraph.core.function import Function, has_effect, parameter
from staticgraph.core.node import Node, Value, make_node
from staticgraph.core.opdef import Mismatch, get
from staticgraph.core.types import Dim, TensorType
from staticgraph.ops.convert import CONSTANT
from staticgraph.ops.linalg.products import MATMUL
from staticgraph.ops.loops import SCAN, scan_length
from staticgraph.passes.common import Notes, has_body, rebuilt
from staticgraph.passes.regions import LOOPS, Given, LoopDraft, Rewriter, live_nodes, tried
from staticgraph.passes.total import cannot_fail

HOISTED = "computed once before a loop"
PRODUCT = "product over a whole sequence"

# They cost nothing in a body, and keeping their results would cost memory.
FREE = frozenset(
    ("constant", "broadcast_to", "reshape", "expand_dims", "squeeze", "identity", "stop_gradient")
)


def hoist(function: Function, notes: Notes) -> Function:
    """`function` with what does not change between iterations moved in front of its loops."""
    if not any(node.op in LOOPS for node in function.nodes):
        return function
    sweep = Rewriter(function)
    for node in function.nodes:
        given = sweep.follow(node)
        if node.op not in LOOPS:
            sweep.keep(node, given)
            continue
        before, made = _hoisted(given, notes)
        sweep.nodes.extend(before)
        sweep.keep(node, made)
    return sweep.result()


def _hoisted(node: Node, notes: Notes) -> tuple[list[Node], Node]:
    """The nodes in front of a loop, and the loop without them."""
    mover = _Mover(LoopDraft(node))
    mover.move_invariants()
    if node.op is SCAN:
        mover.move_products()
    if not mover.counts:
        return [], node
    made = tried(mover.draft.made)
    if made is None:
        return [], node
    for rule, times in mover.counts.items():
        for _ in range(times):
            notes.applied(rule)
    return mover.before, made


class _Mover:
    """What moves out of one loop."""

    def __init__(self, draft: LoopDraft) -> None:
        self.draft = draft
        self.before: list[Node] = []
        self.counts: dict[str, int] = {}
        self.runs = _runs(draft) and not has_effect(draft.node)

    # -- what depends on captures alone

    def move_invariants(self) -> None:
        draft = self.draft
        moved = self._moved(
            draft.nodes, {g.inside: g.operand for g in draft.captures}, draft.results(), self.runs
        )
        for value, outside in moved.items():
            inside = self._captured(value, outside)
            draft.captures.append(Given(outside, inside))
            moved[value] = inside
        if moved:
            draft.replace(moved)
            draft.nodes = live_nodes(draft.nodes, draft.results())[0]
        if draft.holds is not None:
            self._move_out_of_test(draft.holds)

    def _move_out_of_test(self, holds: Value) -> None:
        draft = self.draft
        outside = {g.tested: g.operand for g in draft.captures if g.tested is not None}
        # The condition is asked at least once, whatever the answer.
        asked = draft.attrs["maximum_iterations"] != 0 and not has_effect(draft.node)
        moved = self._moved(draft.test_nodes, outside, [holds], asked)
        if not moved:
            return
        for value, operand in moved.items():
            tested = self._captured(value, operand)
            draft.captures.append(Given(operand, self._captured(value, operand), tested))
            moved[value] = tested
        draft.replace_tested(moved)
        assert draft.holds is not None
        draft.test_nodes = live_nodes(draft.test_nodes, [draft.holds])[0]

    def _captured(self, value: Value, outside: Value) -> Value:
        node = value.node
        return parameter(node.name, value.type, "capture", node.location)

    def _moved(
        self,
        nodes: Iterable[Node],
        outside: Mapping[Value, Value],
        results: Iterable[Value],
        runs: bool,
    ) -> dict[Value, Value]:
        """Builds what can move in front of the loop; per value that is used there, its new one."""
        still: set[Value] = set(outside)
        fixed: list[Node] = []
        others: list[Node] = []
        for node in nodes:
            movable = all(value in still for value in node.inputs) and not has_effect(node)
            if movable and (runs or (not has_body(node) and cannot_fail(node))):
                still.update(node.outputs)
                fixed.append(node)
            else:
                others.append(node)
        wanted: set[Node] = set()
        for node in reversed(fixed):
            if node.op.name not in FREE or node in wanted:
                wanted.add(node)
                wanted.update(value.node for value in node.inputs)
        now = dict(outside)
        for node in fixed:
            if node in wanted:
                made = rebuilt(node, tuple([now[value] for value in node.inputs]))
                if made.op is not CONSTANT:
                    self._count(HOISTED)
                self.before.append(made)
                now.update(zip(node.outputs, made.outputs, strict=True))
        stay = [*others, *[node for node in fixed if node not in wanted]]
        used = dict.fromkeys([v for node in stay for v in node.inputs])
        used |= dict.fromkeys(results)
        return {
            value: now[value]
            for value in used
            if value in now and value not in outside and value.node.op is not CONSTANT
        }

    def _count(self, rule: str) -> None:
        self.counts[rule] = self.counts.get(rule, 0) + 1

    # -- products

    def move_products(self) -> None:
        """Matrix products of entries with what does not change, over the whole sequence at once."""
        draft = self.draft
        entries = {
            given.inside: given.operand for given in draft.sequences if given.lengths is None
        }
        fixed = {given.inside: given.operand for given in draft.captures}
        squeezed: dict[Value, list[Node]] = {}
        for node in draft.nodes:
            if node.op.name == "squeeze":
                squeezed.setdefault(node.inputs[0], []).append(node)
        now: dict[Value, Value] = {}
        added: list[Node] = []
        for node in draft.nodes:
            if node.op is not MATMUL:
                continue
            found = self._product(node, entries, fixed)
            if found is None:
                continue
            rows, axis = found
            kept = node.out.type.shape
            assert kept is not None
            shape = kept if axis is None else (*kept[:axis], *kept[axis + 1 :])
            inside = parameter(
                node.name, TensorType(node.out.type.dtype, shape), "entry", node.location
            )
            draft.sequences.append(Given(rows, inside))
            self._count(PRODUCT)
            if axis is None:
                now[node.out] = inside
                continue
            widened = make_node(
                get("expand_dims"), (inside,), {"axes": (axis,)}, node.name, node.location
            )
            added.append(widened)
            now[node.out] = widened.out
            for user in squeezed.get(node.out, ()):
                if user.attrs["axes"] == (axis,):
                    now[user.out] = inside
        if now:
            draft.nodes[:0] = added
            draft.replace(now)
            draft.nodes = live_nodes(draft.nodes, draft.results())[0]

    def _product(
        self, node: Node, entries: Mapping[Value, Value], fixed: Mapping[Value, Value]
    ) -> tuple[Value, int | None] | None:
        """The rows of a product over all steps, and the axis that a body's product has beside."""
        lhs, rhs = node.inputs
        axis: int | None = None
        rows: Value | None = None
        if _is_matrix(rhs, fixed):
            vector = _vector(lhs, entries, 0)
            if vector is not None:
                axis, rows = 0, self._over_all(node, entries[vector], rhs, fixed)
            elif lhs in entries and (lhs.type.ndim or 0) >= 2:
                rows = self._over_all(node, entries[lhs], rhs, fixed)
        if rows is None and _is_matrix(lhs, fixed):
            vector = _vector(rhs, entries, 1)
            if vector is not None:
                axis, rows = 1, self._over_all(node, entries[vector], lhs, fixed, turned=True)
        return None if rows is None else (rows, axis)

    def _over_all(
        self,
        node: Node,
        sequence: Value,
        inside: Value,
        fixed: Mapping[Value, Value],
        turned: bool = False,
    ) -> Value | None:
        """Appends the product of all entries with a matrix; None where it might fail."""
        made: list[Node] = []

        def apply(name: str, operands: tuple[Value, ...], **attrs: Any) -> Value:
            made.append(make_node(get(name), operands, attrs, node.name, node.location))
            return made[-1].out

        matrix = fixed.get(inside)
        if matrix is None:
            matrix = apply("constant", (), **inside.node.attrs)
        if turned:
            matrix = apply("permute_dims", (matrix,), axes=(1, 0))
        whole = sequence.type.shape
        inner = matrix.type.shape
        if whole is None or inner is None:
            return None
        # One matrix of all rows of all steps, where sizes allow it, instead of one per step.
        flat = _flattened(whole)
        rows = sequence if flat is None else apply("reshape", (sequence,), shape=flat)
        try:
            product = apply("matmul", (rows, matrix))
        except Mismatch:
            return None
        if not self.runs and not cannot_fail(product.node):
            return None
        if flat is not None:
            if not isinstance(inner[1], int) or inner[1] == 0:
                return None
            product = apply("reshape", (product,), shape=(*whole[:-1], inner[1]))
        self.before.extend(made)
        return product


def _runs(draft: LoopDraft) -> bool:
    """Whether a loop is known to have an iteration."""
    if draft.node.op is not SCAN:
        return False
    steps = [given.operand.type for given in draft.sequences if given.lengths is None]
    length = scan_length(steps)
    return isinstance(length, int) and length > 0


def _is_matrix(value: Value, fixed: Mapping[Value, Value]) -> bool:
    return (value in fixed or value.node.op is CONSTANT) and value.type.ndim == 2


def _vector(value: Value, entries: Mapping[Value, Value], axis: int) -> Value | None:
    """The entry that `value` is, a vector made a row (axis 0) or a column (axis 1)."""
    node = value.node
    if node.op.name != "expand_dims" or node.attrs["axes"] != (axis,):
        return None
    return node.inputs[0] if node.inputs[0] in entries and node.inputs[0].type.ndim == 1 else None


def _flattened(whole: tuple[Dim, ...]) -> tuple[Dim, ...] | None:
    """The shape of all rows of a stack of matrices as one matrix, where sizes are known."""
    sizes = [dim for dim in whole[1:] if isinstance(dim, int) and dim > 0]
    if len(whole) < 3 or len(sizes) < len(whole) - 1:
        return None
    length = whole[0]
    rows = length * math.prod(sizes[:-1]) if isinstance(length, int) else None
    return (rows, sizes[-1])
