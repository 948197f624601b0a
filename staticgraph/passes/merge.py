"""Merging loops and branches: what goes through the same iterations goes through them once.

Differentiation appends loops that repeat another one: the augmented twin of reverse mode, which
returns stacks beside, and the loop of forward mode, which carries tangents beside. All of them
become one loop with all carries and all stacks, so that no run computes an iteration twice and an
effect in a body happens once.

Which loops go together is found by what they compute, never by where they came from. Two loops do
when they start alike, test alike and step alike: their carries with the same initial value and the
same place are assumed to be equal, and the assumption is dropped, carry by carry, until the bodies
confirm what is left. A `while` has to test the same condition of these; a `scan` has to go along
the same sequence.

Branches that are chosen by the same value become one where they share work: the twin of a branch,
which hands out what a loop in it stacked, and the branches of forward mode.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

from staticgraph.core.function import Function, has_effect
from staticgraph.core.node import Node, Value
from staticgraph.ops.loops import WHILE
from staticgraph.passes.common import Notes, rebuilt
from staticgraph.passes.regions import BRANCHES, LOOPS
from staticgraph.passes.unions import BranchUnion, LoopUnion, Union, kinship, work_key


def merge_loops(function: Function, notes: Notes) -> Function:
    """`function` with loops that go through the same iterations made one, and branches."""
    groups: dict[Any, list[int]] = {}
    for place, node in enumerate(function.nodes):
        if node.op in LOOPS or node.op in BRANCHES:
            groups.setdefault(kinship(node), []).append(place)
    if all(len(group) == 1 for group in groups.values()):
        return function
    merger = _Merger(function, [place for group in groups.values() for place in group])
    prints = _Prints()
    for group in groups.values():
        if len(group) > 1 and function.nodes[group[0]].op in BRANCHES:
            merger.join(group)
        elif len(group) > 1:
            alike: dict[Any, list[int]] = {}
            for place in group:
                alike.setdefault(prints.of(function.nodes[place]), []).append(place)
            for places in alike.values():
                merger.join(places)
    return merger.result(notes)


class _Prints:
    """What a loop tests and what it first returns, as numbers: equal work has equal numbers.

    Loops are compared one by one only where these agree, so that many loops along one sequence
    stay cheap. All that differentiation appends returns what the loop itself does first.
    """

    def __init__(self) -> None:
        self.known: dict[Any, int] = {}

    def of(self, node: Node) -> tuple[int, ...]:
        """The numbers of a loop."""
        carries: int = node.attrs["carries"]
        labels = [
            self._number(("carry", place) if place < carries else operand)
            for place, operand in enumerate(node.inputs)
        ]
        bodies = [node.attrs["body"], *([node.attrs["cond"]] if node.op is WHILE else ())]
        return tuple([self._first_output(body, labels) for body in bodies if body.outputs])

    def _first_output(self, body: Function, labels: Sequence[int]) -> int:
        numbers = dict(zip(body.inputs, labels, strict=True))
        for node in body.nodes:
            key = work_key(node, numbers)
            for value in node.outputs:
                passed_on = numbers[node.inputs[0]] if node.op.effect else None
                number = self._number((key, value.index)) if passed_on is None else passed_on
                numbers[value] = number
        return numbers[body.outputs[0]]

    def _number(self, key: Any) -> int:
        return self.known.setdefault(key, len(self.known))


class _Merger:
    """The unions of one Function, and the order that they leave for its nodes.

    members     the places of nodes that may become one with others
    """

    def __init__(self, function: Function, members: Sequence[int]) -> None:
        self.function = function
        self.unions: list[Union] = []
        self.number = {place: bit for bit, place in enumerate(members)}
        self.needs = self._dependences()

    def _dependences(self) -> dict[int, int]:
        """Per place of a member, which of the members it needs results of: a bit for each."""
        reached: dict[Node, int] = {}
        needs: dict[int, int] = {}
        for place, node in enumerate(self.function.nodes):
            bits = 0
            for value in node.inputs:
                bits |= reached.get(value.node, 0)
            if place in self.number:
                needs[place] = bits
                bits |= 1 << self.number[place]
            if bits:
                reached[node] = bits
        return needs

    def join(self, places: Sequence[int]) -> None:
        """Puts the loops at these places into as few unions as can be."""
        found: list[Union] = []
        for place in places:
            node = self.function.nodes[place]
            apart = [union for union in found if not self._depends(place, union)]
            if not any(union.take(place, node) for union in apart):
                kind = LoopUnion if node.op in LOOPS else BranchUnion
                found.append(kind(place, node))
        self.unions.extend(union for union in found if len(union.places) > 1)

    def _depends(self, place: int, union: Union) -> bool:
        """Whether the node at `place` needs a result of a member of the union."""
        return any(self.needs[place] >> self.number[member] & 1 for member in union.places)

    def result(self, notes: Notes) -> Function:
        """The Function with the unions in place of their members."""
        while self.unions:
            order, stuck = self._ordered()
            if stuck is None:
                return self._built(order, notes)
            # One of its members needs a result of another: they cannot run side by side.
            self.unions.remove(stuck)
        return self.function

    def _in_a_cycle(self, done: set[int], users: dict[int, list[int]]) -> Union | None:
        """A union that waits for itself, if any step is left that is not done."""
        waits_for: dict[int, int] = {}
        for source, waiting in users.items():
            if source not in done:
                for user in waiting:
                    waits_for.setdefault(user, source)
        if not waits_for:
            return None
        place, seen = min(waits_for), set[int]()
        while place not in seen:
            seen.add(place)
            place = waits_for[place]
        unions = {union.places[0]: union for union in self.unions}
        while place not in unions:
            place = waits_for[place]
        return unions[place]

    def _ordered(self) -> tuple[list[int], Union | None]:
        """The places in an order in which each union can stand at its last member's turn.

        A union is one step, which stands where its first member stood as far as operands allow. The
        second is a union that has to be given up, since its members depend on each other.
        """
        nodes = self.function.nodes
        step = list(range(len(nodes)))
        for union in self.unions:
            for place in union.places:
                step[place] = union.places[0]
        acting = {union.places[0]: union.acts_at for union in self.unions}
        users: dict[int, list[int]] = {}
        missing = [0] * len(nodes)
        position = {node: place for place, node in enumerate(nodes)}
        previous: int | None = None
        for place, node in enumerate(nodes):
            own = step[place]
            before = {position[v.node]: None for v in node.inputs if v.node in position}
            if has_effect(node) and acting.get(own, place) == place:
                if previous is not None:
                    before[previous] = None
                previous = place
            for source in before:
                users.setdefault(step[source], []).append(own)
                missing[own] += 1
        first = [place for place, own in enumerate(step) if own == place]
        ready = [place for place in first if not missing[place]]
        heapq.heapify(ready)
        order: list[int] = []
        done: set[int] = set()
        while ready:
            place = heapq.heappop(ready)
            order.append(place)
            done.add(place)
            for user in users.get(place, ()):
                missing[user] -= 1
                if not missing[user]:
                    heapq.heappush(ready, user)
        return order, self._in_a_cycle(done, users)

    def _built(self, order: Sequence[int], notes: Notes) -> Function:
        unions = {union.places[0]: union for union in self.unions}
        now: dict[Value, Value] = {}
        nodes: list[Node] = []
        for place in order:
            union = unions.get(place)
            if union is None:
                node = self.function.nodes[place]
                if any(value in now for value in node.inputs):
                    fresh = rebuilt(node, tuple([now.get(v, v) for v in node.inputs]))
                    now.update(zip(node.outputs, fresh.outputs, strict=True))
                    node = fresh
                nodes.append(node)
                continue
            made = union.made(now)
            if made is None:
                self.unions.remove(union)
                return self.result(notes)
            for member, place in enumerate(union.places):
                results = [made.outputs[number] for number in union.numbers(member)]
                now.update(zip(self.function.nodes[place].outputs, results, strict=True))
            nodes.append(made)
        for union in self.unions:
            for _ in union.places[1:]:
                notes.applied(union.rule)
        outputs = [now.get(value, value) for value in self.function.outputs]
        return self.function.replace(nodes, outputs)
