"""Unions: loops or branches that become one, for passes/merge.py.

A union takes in one node after the other. Which values of two bodies are the same is found by what
they compute; what only the newer one computes is added to the older one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from staticgraph.core.function import attrs_key, has_effect
from staticgraph.core.node import Node, Value
from staticgraph.ops.loops import WHILE, lengths_of
from staticgraph.passes.common import node_key, rebuilt
from staticgraph.passes.regions import (
    BRANCHES,
    LOOPS,
    BranchDraft,
    Given,
    LoopDraft,
    tried,
)

MERGED = "merge loops"
MERGED_BRANCHES = "merge branches"


def kinship(node: Node) -> tuple[Any, ...]:
    """What loops or branches that can be merged have in common, at the least; a value last."""
    attrs = node.attrs
    if node.op in BRANCHES:
        return (node.op, node.inputs[0])
    if node.op is WHILE:
        return (node.op, attrs["maximum_iterations"], node.inputs[0])
    first = lengths_of(attrs).index(-1)
    return (node.op, attrs["reverse"], node.inputs[attrs["carries"] + first])


class Union(ABC):
    """Nodes that become one.

    places      where the members stand
    acts_at     the member whose place in the order of effects is that of the union
    """

    rule: str

    def __init__(self, place: int, node: Node) -> None:
        self.places = [place]
        self.acts_at: int | None = place if has_effect(node) else None

    @abstractmethod
    def take(self, place: int, node: Node) -> bool:
        """Takes in another node; False, and nothing changed, where it does not go together."""

    @abstractmethod
    def made(self, now: Mapping[Value, Value]) -> Node | None:
        """The one node, on what its operands are now; None where its types do not fit."""

    @abstractmethod
    def numbers(self, member: int) -> Sequence[int]:
        """Per result of a member, the number of the one node's result that it is."""

    def _accepts(self, acts: bool, adds_effects: bool) -> bool:
        return not (acts and adds_effects and self.acts_at is not None)

    def _joined_by(self, place: int, acts: bool) -> None:
        self.places.append(place)
        if acts and self.acts_at is None:
            self.acts_at = place


class LoopUnion(Union):
    """Loops that become one: the draft, and per member which results of the draft its own are."""

    rule = MERGED

    def __init__(self, place: int, node: Node) -> None:
        super().__init__(place, node)
        self.draft = LoopDraft(node)
        # Per member, per result: the number of a carry, or of a row.
        self.carried = [list(range(len(self.draft.carries)))]
        self.stacked = [list(range(len(self.draft.rows)))]

    def take(self, place: int, node: Node) -> bool:
        """Takes in another loop; False, and nothing changed, where it does not go together."""
        other = LoopDraft(node, copied=True)
        pairing = _Pairing(self.draft, other)
        if not pairing.holds():
            return False
        acts = has_effect(node)
        if not self._accepts(acts, acts and pairing.adds_effects()):
            return False
        carried, stacked = pairing.unite()
        self.carried.append(carried)
        self.stacked.append(stacked)
        self._joined_by(place, acts)
        return True

    def made(self, now: Mapping[Value, Value]) -> Node | None:
        """The loop, on what its operands are now; None where its types do not fit."""
        given = self.draft.taken()
        operands = [each.operand for each in given]
        for each in given:
            each.operand = now.get(each.operand, each.operand)
        made = tried(self.draft.made)
        for each, operand in zip(given, operands, strict=True):
            each.operand = operand
        return made

    def numbers(self, member: int) -> Sequence[int]:
        """Per result of a member, the number of the loop's result that it is."""
        first = len(self.draft.carries)
        return [*self.carried[member], *[first + number for number in self.stacked[member]]]


class BranchUnion(Union):
    """Branches that become one: the draft, and per member which of its results its own are."""

    rule = MERGED_BRANCHES

    def __init__(self, place: int, node: Node) -> None:
        super().__init__(place, node)
        self.draft = BranchDraft(node)
        self.results = [list(range(len(node.outputs)))]

    def take(self, place: int, node: Node) -> bool:
        """Takes in other branches; False, and nothing changed, where they share no work."""
        a = self.draft
        if not set(a.captures).intersection(node.inputs[1:]):
            return False
        b = BranchDraft(node, copied=True)
        known = {operand: number for number, operand in reversed(list(enumerate(a.captures)))}
        shared = {
            number: known[operand]
            for number, operand in enumerate(b.captures)
            if operand in known
            and all(
                ours[known[operand]].type == theirs[number].type
                for ours, theirs in zip(a.inputs, b.inputs, strict=True)
            )
        }
        matched = [
            _matched(ours, theirs, {after[n]: before[own] for n, own in shared.items()})
            for ours, theirs, before, after in zip(
                a.nodes, b.nodes, a.inputs, b.inputs, strict=True
            )
        ]
        shares_work = any(
            _shares_work(ours, theirs, same, fresh)
            for ours, theirs, (same, fresh) in zip(a.nodes, b.nodes, matched, strict=True)
        )
        acts = has_effect(node)
        adds_effects = any(has_effect(n) for _, nodes in matched for n in nodes)
        if not shares_work or not self._accepts(acts, adds_effects):
            return False
        self.results.append(self._unite(b, shared, matched))
        self._joined_by(place, acts)
        return True

    def _unite(
        self,
        b: BranchDraft,
        shared: Mapping[int, int],
        matched: Sequence[tuple[dict[Value, Value], list[Node]]],
    ) -> list[int]:
        a = self.draft
        own = [number for number in range(len(b.captures)) if number not in shared]
        a.captures.extend(b.captures[number] for number in own)
        returned: list[list[Value]] = []
        for branch, (now, fresh) in enumerate(matched):
            a.inputs[branch].extend(b.inputs[branch][number] for number in own)
            _add(a.nodes[branch], fresh, now)
            returned.append([now.get(value, value) for value in b.results[branch]])
        columns = {
            column: n for n, column in reversed(list(enumerate(zip(*a.results, strict=True))))
        }
        numbers: list[int] = []
        for place, column in enumerate(zip(*returned, strict=True)):
            if column not in columns:
                columns[column] = len(a.results[0])
                for branch, value in enumerate(column):
                    a.results[branch].append(value)
                    a.names[branch].append(b.names[branch][place])
            numbers.append(columns[column])
        return numbers

    def made(self, now: Mapping[Value, Value]) -> Node | None:
        """The branches, on what their operands are now; None where their types do not fit."""
        draft = self.draft
        chosen, captures = draft.chosen, draft.captures
        draft.chosen = now.get(chosen, chosen)
        draft.captures = [now.get(value, value) for value in captures]
        made = tried(draft.made)
        draft.chosen, draft.captures = chosen, captures
        return made

    def numbers(self, member: int) -> Sequence[int]:
        """Per result of a member, the number of the one node's result that it is."""
        return self.results[member]


def _shares_work(
    ours: Sequence[Node], theirs: Sequence[Node], same: Mapping[Value, Value], fresh: Sequence[Node]
) -> bool:
    """Whether some of `theirs` are among `ours`, given `same`, or are loops that may become one
    with some of them."""
    if sum(bool(node.inputs) for node in fresh) < sum(bool(node.inputs) for node in theirs):
        return True

    def kin(nodes: Sequence[Node]) -> set[Any]:
        found = [kinship(node) for node in nodes if node.op in LOOPS or node.op in BRANCHES]
        return {(*rest, same.get(value, value)) for *rest, value in found}

    return not kin(ours).isdisjoint(kin(theirs))


def _add(nodes: list[Node], fresh: Sequence[Node], now: dict[Value, Value]) -> None:
    """Appends `fresh` to `nodes`, on what their operands are `now`; what they make is too."""
    for node in fresh:
        operands = tuple([now.get(value, value) for value in node.inputs])
        made = node if operands == node.inputs else rebuilt(node, operands)
        now.update(zip(node.outputs, made.outputs, strict=True))
        nodes.append(made)


class _Pairing:
    """Which values of loop `b` are values of loop `a`."""

    def __init__(self, a: LoopDraft, b: LoopDraft) -> None:
        self.a, self.b = a, b
        self.pairs = [
            place
            for place, (one, other) in enumerate(zip(a.carries, b.carries, strict=False))
            if one.operand is other.operand and one.inside.type == other.inside.type
        ]
        self.same: dict[Value, Value] = {}
        self.fresh: list[Node] = []
        self.same_tests: dict[Value, Value] = {}

    def holds(self) -> bool:
        """Whether the loops go through the same iterations."""
        while True:
            self.same, self.fresh = self._matched_bodies()
            kept = [place for place in self.pairs if self._confirmed(place)]
            if len(kept) == len(self.pairs):
                break
            self.pairs = kept
        if self.a.test is None:
            return self._shares_work()
        return self._tests_match()

    def _shares_work(self) -> bool:
        # Scans along one sequence that compute different things stay two: nothing would be saved.
        fresh = set(self.fresh)
        return not self.b.nodes or any(n.inputs and n not in fresh for n in self.b.nodes)

    def adds_effects(self) -> bool:
        """Whether `b` does what `a` does not."""
        return any(map(has_effect, self.fresh))

    def _confirmed(self, place: int) -> bool:
        other = self.same.get(self.b.carries[place].next)
        return other is not None and _passed_on(other) is _passed_on(self.a.carries[place].next)

    def _shared_givens(self) -> Iterator[tuple[Given, Given]]:
        for ours, theirs in ((self.a.sequences, self.b.sequences),
                             (self.a.captures, self.b.captures)):  # fmt: skip
            known: dict[Any, Given] = {}
            for given in ours:
                known.setdefault(given.along, given)
            for given in theirs:
                one = known.get(given.along)
                if one is not None and one.inside.type == given.inside.type:
                    yield one, given

    def _matched_bodies(self) -> tuple[dict[Value, Value], list[Node]]:
        same = {self.b.carries[place].inside: self.a.carries[place].inside for place in self.pairs}
        for one, other in self._shared_givens():
            same[other.inside] = one.inside
        return _matched(self.a.nodes, self.b.nodes, same)

    def _tests_match(self) -> bool:
        same: dict[Value, Value] = {}
        for place in self.pairs:
            one, other = self.a.carries[place].tested, self.b.carries[place].tested
            assert one is not None and other is not None
            same[other] = one
        for given, theirs in self._shared_givens():
            if given.tested is not None and theirs.tested is not None:
                same[theirs.tested] = given.tested
        same, fresh = _matched(self.a.test_nodes, self.b.test_nodes, same)
        if any(map(has_effect, fresh)):
            return False
        assert self.a.holds is not None and self.b.holds is not None
        acts = sum(map(has_effect, self.b.test_nodes))
        if acts and acts != sum(map(has_effect, self.a.test_nodes)):
            return False
        holds = same.get(self.b.holds)
        return holds is not None and _passed_on(holds) is _passed_on(self.a.holds)

    def unite(self) -> tuple[list[int], list[int]]:
        """Takes what only `b` has into `a`; for each result of `b` the number of its own in `a`."""
        a, b = self.a, self.b
        shared = {id(other): one for one, other in self._shared_givens()}
        for mine, theirs in ((a.sequences, b.sequences), (a.captures, b.captures)):
            mine.extend(given for given in theirs if id(given) not in shared)
        for given in a.sequences:
            given.lengths = shared.get(id(given.lengths), given.lengths)
        now = dict(self.same)
        _add(a.nodes, self.fresh, now)
        carried: list[int] = []
        for place, carry in enumerate(b.carries):
            if place in self.pairs:
                carried.append(place)
                continue
            carried.append(len(a.carries))
            carry.next = now.get(carry.next, carry.next)
            a.carries.append(carry)
        rows = {row.key: number for number, row in reversed(list(enumerate(a.rows)))}
        stacked: list[int] = []
        for row in b.rows:
            row.value = now.get(row.value, row.value)
            if row.key not in rows:
                rows[row.key] = len(a.rows)
                a.rows.append(row)
            stacked.append(rows[row.key])
        return carried, stacked


def _matched(
    ours: Sequence[Node], theirs: Sequence[Node], same: dict[Value, Value]
) -> tuple[dict[Value, Value], list[Node]]:
    """Which values of `theirs` are some of `ours`, given `same`; and the nodes that are new.

    Nodes with an effect are matched one to one, in order.
    """
    numbers = _Numbers()
    known: dict[Any, list[Node]] = {}
    for node in ours:
        known.setdefault(work_key(node, numbers), []).append(node)
        if node.op.effect and node.outputs:
            # What prints passes its operand on, so it is the same to a copy that is silent.
            numbers[node.out] = numbers[node.inputs[0]]
    numbers.same = same
    fresh: list[Node] = []
    acted = 0
    acts = [node for node in ours if has_effect(node)]
    for node in theirs:
        found = known.get(work_key(node, numbers))
        if found is None:
            fresh.append(node)
            continue
        match = found[0]
        if has_effect(node):
            if acted == len(acts) or acts[acted] not in found:
                fresh.append(node)
                continue
            match = acts[acted]
            acted += 1
        same.update(zip(node.outputs, match.outputs, strict=True))
    return same, fresh


def _passed_on(value: Value) -> Value:
    """The value that nodes with an effect passed on as `value`, a copy of which may be silent."""
    while value.node.op.effect:
        value = value.node.inputs[0]
    return value


class _Numbers(dict[Value, int]):
    """A number for each value, the same for values known to be the same."""

    def __init__(self) -> None:
        super().__init__()
        self.same: dict[Value, Value] = {}

    def __missing__(self, value: Value) -> int:
        other = self.same.get(value)
        # What is the same is never asked about before it is known to be.
        number = len(self) if other is None else self[other]
        self[value] = number
        return number


def work_key(node: Node, numbers: Mapping[Value, int]) -> Any:
    """What makes two nodes compute the same, those with an effect too."""
    key = node_key(node, numbers)
    if key is not None:
        return key
    return (node.op, *[numbers[value] for value in node.inputs], attrs_key(node.attrs))
