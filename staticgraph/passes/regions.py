"""Loops and branches taken apart, changed, and put together again: what passes over them share.

A `LoopDraft` is a `while` or a `scan` with everything that belongs to one carry, sequence or
capture in one place; a `BranchDraft` is a `cond` or a `switch_case`. A pass changes a draft freely
and makes a new node of it. Values inside bodies are never shared between two nodes: what is
rebuilt is new, what is untouched stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from staticgraph.core.function import Function, has_effect, parameter
from staticgraph.core.node import Node, Value, make_node
from staticgraph.core.opdef import Mismatch
from staticgraph.ops.branches import COND, SWITCH_CASE
from staticgraph.ops.loops import SCAN, WHILE
from staticgraph.passes.common import node_key, rebuilt

LOOPS = frozenset((WHILE, SCAN))
BRANCHES = frozenset((COND, SWITCH_CASE))


@dataclass(slots=True)
class Carry:
    """One carry of a loop.

    operand     its value before the first iteration
    inside      what the body knows it by
    next        what the body returns for it
    tested      what the condition of a `while` knows it by
    """

    operand: Value
    inside: Value
    next: Value
    name: str
    tested: Value | None = None


@dataclass(slots=True)
class Given:
    """A sequence or a capture of a loop, or an operand of branches.

    operand     the value outside
    inside      what the body knows it by (the entry, for a sequence)
    tested      what the condition of a `while` knows it by
    lengths     of a sequence in parts: the one whose entries say how many rows each part has
    """

    operand: Value
    inside: Value
    tested: Value | None = None
    lengths: Given | None = None

    @property
    def along(self) -> tuple[Value, Value | None]:
        """What a sequence goes along: equal for two whose entries are equal in each step."""
        return self.operand, None if self.lengths is None else self.lengths.operand


@dataclass(slots=True)
class Row:
    """A further result of a body, stacked over the iterations, or joined."""

    value: Value
    name: str
    joined: bool = False

    @property
    def key(self) -> tuple[Value, bool]:
        """Equal for two rows whose results are equal."""
        return self.value, self.joined


class LoopDraft:
    """A loop taken apart. The results of its node are those of `carries`, then those of `rows`."""

    def __init__(self, node: Node, copied: bool = False) -> None:
        body: Function = node.attrs["body"]
        test: Function | None = node.attrs.get("cond")
        if copied:
            # Two nodes may hold one Function; beside each other they need values of their own.
            body, test = copy(body), None if test is None else copy(test)
        count, sequences = node.attrs["carries"], node.attrs.get("sequences", 0)
        first = count + sequences
        tested: Sequence[Value | None] = [None] * len(body.inputs) if test is None else test.inputs
        inputs = list(zip(node.inputs, body.inputs, tested, strict=True))
        returned = list(zip(body.outputs, body.output_names, strict=True))
        self.node = node
        self.attrs = node.attrs
        self.body, self.test = body, test
        self.carries = [
            Carry(operand, inside, value, name, seen)
            for (operand, inside, seen), (value, name) in zip(
                inputs[:count], returned[:count], strict=True
            )
        ]
        self.sequences = [Given(operand, inside) for operand, inside, _ in inputs[count:first]]
        if "lengths" in node.attrs:
            for given, by in zip(self.sequences, node.attrs["lengths"], strict=True):
                given.lengths = self.sequences[by] if by >= 0 else None
        self.captures = [Given(*each) for each in inputs[first:]]
        joined = node.attrs.get("joined", ())
        self.rows = [
            Row(value, name, number in joined)
            for number, (value, name) in enumerate(returned[count:])
        ]
        self.nodes: list[Node] = list(body.nodes)
        self.test_nodes: list[Node] = [] if test is None else list(test.nodes)
        self.holds: Value | None = None if test is None else test.outputs[0]

    def results(self) -> list[Value]:
        """What the body returns."""
        return [*[carry.next for carry in self.carries], *[row.value for row in self.rows]]

    def taken(self) -> list[Carry | Given]:
        """What the loop takes, in the order of its operands."""
        return [*self.carries, *self.sequences, *self.captures]

    def replace(self, now: Mapping[Value, Value]) -> None:
        """Puts other values for some of the body's, in all nodes and results."""
        self.nodes, all_now = substituted(self.nodes, now)
        for carry in self.carries:
            carry.next = all_now.get(carry.next, carry.next)
        for row in self.rows:
            row.value = all_now.get(row.value, row.value)

    def replace_tested(self, now: Mapping[Value, Value]) -> None:
        """Puts other values for some of the condition's."""
        self.test_nodes, all_now = substituted(self.test_nodes, now)
        if self.holds is not None:
            self.holds = all_now.get(self.holds, self.holds)

    def made(self) -> Node:
        """The loop as a node again; raises Mismatch where types do not fit."""
        node = self.node
        given = self.taken()
        names = [*[carry.name for carry in self.carries], *[row.name for row in self.rows]]
        taken = [each.inside for each in given]
        body = Function(taken, self.nodes, self.results(), names, self.body.name)
        attrs: dict[str, Any] = {**self.attrs, "body": body, "carries": len(self.carries)}
        attrs.pop("joined", None)
        attrs.pop("lengths", None)
        if self.test is not None and self.holds is not None:
            inputs = [each.tested or _like(each.inside) for each in given]
            name = self.test.name
            attrs["cond"] = Function(
                inputs, self.test_nodes, [self.holds], self.test.output_names, name
            )
        else:
            attrs["sequences"] = len(self.sequences)
        attrs |= _layout(self.rows, self.sequences)
        operands = [each.operand for each in given]
        return make_node(node.op, operands, attrs, node.name, node.location)


def _layout(rows: Sequence[Row], sequences: Sequence[Given]) -> dict[str, Any]:
    """The attributes that say which rows are joined, and which sequences are in parts."""
    layout: dict[str, Any] = {}
    joined = tuple([number for number, row in enumerate(rows) if row.joined])
    if joined:
        layout["joined"] = joined
    if any(given.lengths is not None for given in sequences):
        number = {id(given): place for place, given in enumerate(sequences)}
        layout["lengths"] = tuple(
            [-1 if given.lengths is None else number[id(given.lengths)] for given in sequences]
        )
    return layout


class BranchDraft:
    """A `cond` or a `switch_case` taken apart.

    captures    the operands behind the first
    branches    per branch what it calls them, its nodes and its results
    """

    def __init__(self, node: Node, copied: bool = False) -> None:
        self.node = node
        self.chosen = node.inputs[0]
        self.captures = list(node.inputs[1:])
        functions: tuple[Function, ...] = node.attrs["branches"]
        if copied:
            # As for loops.
            functions = tuple([copy(function) for function in functions])
        self.functions = functions
        self.inputs = [list(function.inputs) for function in functions]
        self.nodes = [list(function.nodes) for function in functions]
        self.results = [list(function.outputs) for function in functions]
        self.names = [list(function.output_names) for function in functions]

    def replace(self, branch: int, now: Mapping[Value, Value]) -> None:
        """Puts other values for some of those in one branch."""
        self.nodes[branch], all_now = substituted(self.nodes[branch], now)
        self.results[branch] = [all_now.get(value, value) for value in self.results[branch]]

    def keep_captures(self, kept: Sequence[int]) -> None:
        """Drops all captures but those with these numbers."""
        self.captures = [self.captures[place] for place in kept]
        self.inputs = [[inputs[place] for place in kept] for inputs in self.inputs]

    def keep_results(self, kept: Sequence[int]) -> None:
        """Drops all results but those with these numbers."""
        self.results = [[results[place] for place in kept] for results in self.results]
        self.names = [[names[place] for place in kept] for names in self.names]

    def made(self) -> Node:
        """The branches as a node again; raises Mismatch where types do not fit."""
        node = self.node
        parts = zip(self.functions, self.inputs, self.nodes, self.results, self.names, strict=True)
        branches = tuple(
            [
                Function(inputs, nodes, results, names, function.name)
                for function, inputs, nodes, results, names in parts
            ]
        )
        operands = (self.chosen, *self.captures)
        attrs = {**node.attrs, "branches": branches}
        return make_node(node.op, operands, attrs, node.name, node.location)


def _like(inside: Value) -> Value:
    """A further input of a condition, for what only the body needs."""
    node = inside.node
    return parameter(node.name, inside.type, node.attrs["kind"], node.location)


def copy(function: Function) -> Function:
    """The same Function made of new inputs and new nodes."""
    now: dict[Value, Value] = {}
    for value in function.inputs:
        now[value] = _like(value)
    nodes: list[Node] = []
    for node in function.nodes:
        types = tuple([value.type for value in node.outputs])
        operands = tuple([now[value] for value in node.inputs])
        made = Node(node.op, operands, node.attrs, types, node.name, node.location)
        now.update(zip(node.outputs, made.outputs, strict=True))
        nodes.append(made)
    inputs = [now[value] for value in function.inputs]
    outputs = [now[value] for value in function.outputs]
    return Function(inputs, nodes, outputs, function.output_names, function.name)


def substituted(
    nodes: Iterable[Node], now: Mapping[Value, Value]
) -> tuple[list[Node], dict[Value, Value]]:
    """The nodes on other values, and all values that have become others, `now` among them."""
    all_now = dict(now)
    made: list[Node] = []
    for node in nodes:
        if any(value in all_now for value in node.inputs):
            fresh = rebuilt(node, tuple([all_now.get(value, value) for value in node.inputs]))
            for value, result in zip(node.outputs, fresh.outputs, strict=True):
                all_now.setdefault(value, result)
            node = fresh
        made.append(node)
    return made, all_now


def live_nodes(nodes: Sequence[Node], roots: Iterable[Value]) -> tuple[list[Node], set[Value]]:
    """The nodes that the roots and the effects need, in order, and the values that are needed."""
    needed = set(roots)
    kept: list[Node] = []
    for node in reversed(nodes):
        if has_effect(node) or any(value in needed for value in node.outputs):
            kept.append(node)
            needed.update(node.inputs)
    kept.reverse()
    return kept, needed


class Rewriter:
    """One sweep over a Function in which some nodes become others; what uses them follows."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.now: dict[Value, Value] = {}
        self.nodes: list[Node] = []

    def follow(self, node: Node) -> Node:
        """`node` on what its operands have become."""
        now = self.now
        if now and any(value in now for value in node.inputs):
            return rebuilt(node, tuple([now.get(value, value) for value in node.inputs]))
        return node

    def keep(self, node: Node, fresh: Node) -> None:
        """Appends `fresh`, which stands for `node`."""
        self.nodes.append(fresh)
        if fresh is not node:
            self.now.update(zip(node.outputs, fresh.outputs, strict=True))

    def result(self) -> Function:
        """The Function that was made, or the one given where nothing changed."""
        if not self.now and len(self.nodes) == len(self.function.nodes):
            return self.function
        now = self.now
        outputs = [now.get(value, value) for value in self.function.outputs]
        return self.function.replace(self.nodes, outputs)


def tried(build: Callable[[], Node]) -> Node | None:
    """What `build` makes, or None where the types of a body no longer fit its node."""
    try:
        return build()
    except Mismatch:
        return None


def same_work(*functions: Function) -> bool:
    """Whether Functions of one signature compute the same, whatever their inputs are called."""
    first = functions[0]
    return all(_same_two(first, other) for other in functions[1:])


def _same_two(one: Function, other: Function) -> bool:
    number: dict[Value, int] = {}
    for left, right in zip(one.inputs, other.inputs, strict=True):
        number[left] = number[right] = len(number)
    known: dict[object, Node] = {}
    for node in one.nodes:
        key = node_key(node, number)
        if key is None:
            return False
        match = known.setdefault(key, node)
        for value, result in zip(node.outputs, match.outputs, strict=True):
            number[value] = number.get(result, len(number))
    for node in other.nodes:
        key = node_key(node, number)
        twin = None if key is None else known.get(key)
        if twin is None:
            return False
        for value, result in zip(node.outputs, twin.outputs, strict=True):
            number[value] = number[result]
    return all(
        number[left] == number[right]
        for left, right in zip(one.outputs, other.outputs, strict=True)
    )
