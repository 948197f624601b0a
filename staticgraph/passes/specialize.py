"""Specializing: what is known outside a loop or a branch becomes known within it, or decides it.

- A captured constant becomes a constant of the body, where folding sees it.
- A carry that every iteration returns as it is becomes a capture, and so does its result.
- A branch that is known to be taken stands in place of its node.
- A `while` whose condition does not hold at the start, and a `scan` along no entries, go.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from staticgraph.core.function import Function, has_effect, parameter
from staticgraph.core.node import Node, Value
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import TensorType
from staticgraph.errors import StaticGraphError
from staticgraph.ops.branches import COND
from staticgraph.ops.convert import CONSTANT
from staticgraph.ops.loops import SCAN, fits, scan_length, stepwise
from staticgraph.passes.common import (
    Array,
    Notes,
    array_of,
    constant_node,
    has_body,
    is_constant,
    rebuilt,
)
from staticgraph.passes.regions import (
    BRANCHES,
    LOOPS,
    BranchDraft,
    Given,
    LoopDraft,
    same_work,
)

KNOWN_BRANCH = "known branch"
EQUAL_BRANCHES = "equal branches"
NEVER_RUNS = "loop that never runs"
NO_ENTRIES = "scan along no entries"
INVARIANT_CARRY = "carry that never changes"
CAPTURED_CONSTANT = "captured constant"


def specialize(function: Function, notes: Notes) -> Function:
    """`function` with its loops and branches told what is known of their operands."""
    if not any(node.op in LOOPS or node.op in BRANCHES for node in function.nodes):
        return function
    return _Specializer(function, notes).run()


class _Close:
    """Stands behind the nodes of a branch: here its results are the results of the node."""

    def __init__(self, node: Node, results: Sequence[Value]) -> None:
        self.node, self.results = node, results


class _Specializer:
    """One sweep; the nodes of a branch that is taken are visited in turn."""

    def __init__(self, function: Function, notes: Notes) -> None:
        self.function, self.notes = function, notes
        self.now: dict[Value, Value] = {}
        self.nodes: list[Node] = []
        # What is still to be visited, the next one last. The second says whether the node is of a
        # branch, so that it has to be made anew: two nodes may hold the same branch.
        self.stack: list[tuple[Node | _Close, bool]] = []

    def run(self) -> Function:
        self.stack = [(node, False) for node in reversed(self.function.nodes)]
        while self.stack:
            item, inlined = self.stack.pop()
            if isinstance(item, _Close):
                self._stands_for(item.node, item.results)
                continue
            node = self._on_new_operands(item, inlined)
            if node.op in LOOPS:
                self._loop(item, node)
            elif node.op in BRANCHES:
                self._branch(item, node)
            else:
                self._keep(item, node)
        if not self.now:
            return self.function
        outputs = [self.now.get(value, value) for value in self.function.outputs]
        return self.function.replace(self.nodes, outputs)

    def _on_new_operands(self, node: Node, inlined: bool) -> Node:
        operands = tuple([self.now.get(value, value) for value in node.inputs])
        return rebuilt(node, operands) if inlined or operands != node.inputs else node

    def _keep(self, old: Node, node: Node) -> None:
        self.nodes.append(node)
        if node is not old:
            self._stands_for(old, node.outputs)

    def _stands_for(self, old: Node, results: Sequence[Value]) -> None:
        for value, result in zip(old.outputs, results, strict=True):
            self.now[value] = self.now.get(result, result)

    # -- branches -----------------------------------------------------------------------------

    def _branch(self, old: Node, node: Node) -> None:
        branches: tuple[Function, ...] = node.attrs["branches"]
        taken = _taken(node, branches)
        rule = KNOWN_BRANCH
        if taken is None and node.op is COND and same_work(*branches):
            taken, rule = branches[0], EQUAL_BRANCHES
        if taken is None:
            return self._keep(old, self._with_constants_in_branches(node))
        self.notes.applied(rule)
        self.stack.append((_Close(old, taken.outputs), True))
        self.stack.extend((inner, True) for inner in reversed(taken.nodes))
        self.now.update(zip(taken.inputs, node.inputs[1:], strict=True))
        return None

    def _with_constants_in_branches(self, node: Node) -> Node:
        known = [place for place, value in enumerate(node.inputs[1:]) if is_constant(value)]
        if not known:
            return node
        draft = BranchDraft(node)
        for branch, inputs in enumerate(draft.inputs):
            constants = [_again(draft.captures[place], inputs[place]) for place in known]
            now = {inputs[place]: c.out for place, c in zip(known, constants, strict=True)}
            try:
                draft.replace(branch, now)
            except StaticGraphError:
                # The branch does not fit what it would be given: taking it fails in the run.
                return node
            draft.nodes[branch][:0] = constants
        others = [place for place in range(len(draft.captures)) if place not in set(known)]
        draft.keep_captures(others)
        return self._made(node, draft, CAPTURED_CONSTANT, len(known))

    def _made(self, node: Node, draft: LoopDraft | BranchDraft, rule: str, times: int) -> Node:
        try:
            made = draft.made()
        except Mismatch:
            return node
        for _ in range(times):
            self.notes.applied(rule)
        return made

    # -- loops --------------------------------------------------------------------------------

    def _loop(self, old: Node, node: Node) -> None:
        rule = self._standing_still(node)
        if rule is not None:
            start = _untouched(node)
            if start is not None:
                self.notes.applied(rule)
                self.nodes.extend(value.node for value in start[node.attrs["carries"] :])
                self._stands_for(old, start)
                return
        fresh, results = self._without_invariant_carries(node)
        fresh = self._with_constants_in_loop(fresh)
        self.nodes.append(fresh)
        if fresh is node and node is old:
            return
        # The results of the loop follow the places they have now.
        own = dict(zip(results[1], fresh.outputs, strict=True))
        self._stands_for(old, [own.get(value, value) for value in results[0]])

    def _standing_still(self, node: Node) -> str | None:
        """The rule by which a loop has no iteration, if that is known."""
        if node.op is SCAN:
            first = node.attrs["carries"]
            sequences = node.inputs[first : first + node.attrs["sequences"]]
            types = stepwise([value.type for value in sequences], node.attrs)
            return NO_ENTRIES if scan_length(types) == 0 and all(map(_is_empty, types)) else None
        if node.attrs["maximum_iterations"] == 0:
            return NEVER_RUNS
        return NEVER_RUNS if self._fails_at_start(node) else None

    def _fails_at_start(self, node: Node) -> bool:
        """Whether the condition of a `while` is known to be false before the first iteration."""
        test: Function = node.attrs["cond"]
        evaluate = self.notes.evaluate
        if evaluate is None or any(map(has_effect, test.nodes)):
            return False
        known: dict[Value, Array] = {}
        for value, operand in zip(test.inputs, node.inputs, strict=True):
            if is_constant(operand):
                known[value] = array_of(operand)
        for inner in test.nodes:
            if has_body(inner) or not all(value in known for value in inner.inputs):
                continue
            try:
                results = evaluate(inner, [known[value] for value in inner.inputs])
            except Exception:
                # Whatever is wrong, the run says it better.
                return False
            known.update(zip(inner.outputs, results, strict=True))
        answer = known.get(test.outputs[0])
        return answer is not None and not bool(answer)

    def _without_invariant_carries(
        self, node: Node
    ) -> tuple[Node, tuple[Sequence[Value], Sequence[Value]]]:
        """The loop with carries that never change captured.

        Then, per result of the loop before, the value that it is now: one of the new loop's, by the
        names that stand in the last list, or the operand of a carry that never changes.
        """
        unchanged = (node, (node.outputs, node.outputs))
        draft = LoopDraft(node)
        captured = {given.inside: given.operand for given in draft.captures}
        still = [
            place
            for place, carry in enumerate(draft.carries)
            if (carry.next is carry.inside or captured.get(carry.next) is carry.operand)
            and fits(carry.operand.type, carry.inside.type)
        ]
        if len(still) == len(draft.carries) and not draft.rows:
            # A loop has a result, be it one that could be had without it.
            still = still[1:]
        if not still:
            return unchanged
        results, left = list(node.outputs), list(node.outputs)
        now: dict[Value, Value] = {}
        for place in reversed(still):
            carry = draft.carries.pop(place)
            del left[place]
            results[place] = carry.operand
            old = carry.inside.node
            inside = parameter(old.name, carry.inside.type, "capture", old.location)
            now[carry.inside] = inside
            draft.captures.append(Given(carry.operand, inside, carry.tested))
        draft.replace(now)
        made = self._made(node, draft, INVARIANT_CARRY, len(still))
        return unchanged if made is node else (made, (results, left))

    def _with_constants_in_loop(self, node: Node) -> Node:
        if not any(is_constant(value) for value in node.inputs[_first_capture(node) :]):
            return node
        draft = LoopDraft(node)
        known = [given for given in draft.captures if is_constant(given.operand)]
        constants = [_again(given.operand, given.inside) for given in known]
        now = {given.inside: c.out for given, c in zip(known, constants, strict=True)}
        tested = [
            (given.tested, _again(given.operand, given.tested))
            for given in known
            if given.tested is not None
        ]
        try:
            draft.replace(now)
            draft.replace_tested({value: c.out for value, c in tested})
        except StaticGraphError:
            return node
        draft.nodes[:0] = constants
        draft.test_nodes[:0] = [c for _, c in tested]
        draft.captures = [given for given in draft.captures if not is_constant(given.operand)]
        return self._made(node, draft, CAPTURED_CONSTANT, len(known))


def _first_capture(node: Node) -> int:
    first: int = node.attrs["carries"] + node.attrs.get("sequences", 0)
    return first


def _again(operand: Value, inside: Value) -> Node:
    """A constant of a body for a captured one."""
    return Node(
        CONSTANT, (), operand.node.attrs, (operand.type,), inside.node.name, inside.node.location
    )


def _taken(node: Node, branches: tuple[Function, ...]) -> Function | None:
    """The branch that every run takes, if that is known."""
    chosen = node.inputs[0]
    if not is_constant(chosen):
        return None
    number = array_of(chosen)
    if number.ndim:
        return None
    if node.op is COND:
        return branches[0 if bool(number) else 1]
    # A number without a branch is an error of the run, with the user's line.
    return branches[int(number)] if 0 <= int(number) < len(branches) else None


def _is_empty(type: TensorType) -> bool:
    return type.shape is not None and len(type.shape) > 0 and type.shape[0] == 0


def _untouched(node: Node) -> list[Value] | None:
    """The results of a loop without iterations, or None where they are not known well enough."""
    count: int = node.attrs["carries"]
    results = list(node.inputs[:count])
    for operand, result in zip(results, node.outputs[:count], strict=True):
        if not fits(operand.type, result.type):
            return None
    for result in node.outputs[count:]:
        shape = result.type.shape
        if shape is None or not all(isinstance(dim, int) for dim in shape[1:]):
            return None
        sizes = [dim for dim in shape[1:] if isinstance(dim, int)]
        empty = np.empty((0, *sizes), result.type.dtype)
        results.append(constant_node(empty, node, result.name).out)
    return results
