"""Narrowing: loops and branches carry, take and return no more than somebody needs.

Results are looked at from the last node to the first, so that what a later node stopped needing is
not needed when its maker is reached. A carry is needed when its last value is, or when the
condition, an effect, a needed stack or another needed carry depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from staticgraph.core.function import Function, has_effect
from staticgraph.core.node import Node, Value
from staticgraph.passes.common import Notes, rebuilt
from staticgraph.passes.regions import (
    BRANCHES,
    LOOPS,
    BranchDraft,
    Given,
    LoopDraft,
    Row,
    live_nodes,
    tried,
)

DEAD_CARRY = "carry that nobody reads"
DEAD_RESULT = "result that nobody reads"
DEAD_CAPTURE = "capture that nobody reads"
DEAD_SEQUENCE = "sequence that nobody reads"
SAME_CAPTURE = "capture taken twice"
SAME_SEQUENCE = "sequence taken twice"
SAME_RESULT = "result returned twice"
STACKED_ENTRY = "stack of a sequence's entries"


def narrow(function: Function, notes: Notes) -> Function:
    """`function` with what nobody reads removed from its loops and branches."""
    if not any(node.op in LOOPS or node.op in BRANCHES for node in function.nodes):
        return function
    needed = set(function.outputs)
    # Per node that became another: the new one, and which of its results each old one is.
    changed: dict[Node, tuple[Node, list[Value | None]]] = {}
    for node in reversed(function.nodes):
        acts = has_effect(node)
        used = [value in needed for value in node.outputs]
        if not acts and not any(used):
            # It goes with the next prune; until then it keeps what it takes.
            needed.update(node.inputs)
            continue
        if node.op in LOOPS:
            found = _Narrowed(node, used, notes).result()
        elif node.op in BRANCHES:
            found = _narrowed_branches(node, used, notes)
        else:
            found = None
        if found is not None:
            changed[node] = found
            needed.update(found[0].inputs)
            # A stack may have become a value from outside the loop.
            needed.update(v for v in found[1] if v is not None and v.node is not found[0])
        else:
            needed.update(node.inputs)
    if not changed:
        return function
    now: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in function.nodes:
        fresh, results = changed.get(node, (node, list(node.outputs)))
        first = fresh
        if any(value in now for value in fresh.inputs):
            fresh = rebuilt(fresh, tuple([now.get(value, value) for value in fresh.inputs]))
        nodes.append(fresh)
        if fresh is node:
            continue
        own = dict(zip(first.outputs, fresh.outputs, strict=True))
        for value, result in zip(node.outputs, results, strict=True):
            if result is not None:
                result = own.get(result, result)
                now[value] = now.get(result, result)
    outputs = [now.get(value, value) for value in function.outputs]
    return function.replace(nodes, outputs)


class _Narrowed:
    """One loop, and what is left of it."""

    def __init__(self, node: Node, used: Sequence[bool], notes: Notes) -> None:
        self.node, self.used, self.notes = node, used, notes
        self.draft = LoopDraft(node)
        self.counts: dict[str, int] = {}

    def result(self) -> tuple[Node, list[Value | None]] | None:
        """The narrowed loop and what each result became; None where all is needed."""
        draft, outputs = self.draft, self.node.outputs
        carries, rows = list(draft.carries), list(draft.rows)
        self._share_givens(draft.sequences, SAME_SEQUENCE)
        self._share_givens(draft.captures, SAME_CAPTURE)
        stands_for = self._settle_rows(rows)
        self._drop_carries()
        self._drop_sequences()
        self._drop_captures()
        if not any(self.counts.values()):
            return None
        # What nothing needs may need what is no longer taken.
        draft.nodes = live_nodes(draft.nodes, draft.results())[0]
        if draft.holds is not None:
            draft.test_nodes = live_nodes(draft.test_nodes, [draft.holds])[0]
        made = tried(draft.made)
        if made is None:
            return None
        for rule, times in self.counts.items():
            for _ in range(times):
                self.notes.applied(rule)
        place = {id(item): n for n, item in enumerate((*draft.carries, *draft.rows))}
        found: list[Value | None] = []
        for item, output in zip((*carries, *rows), outputs, strict=True):
            outside = stands_for.get(id(item))
            if isinstance(outside, Value):
                found.append(outside)
                continue
            number = place.get(id(item if outside is None else outside))
            found.append(None if number is None else made.outputs[number])
            assert number is None or made.outputs[number].type.dtype == output.type.dtype
        return made, found

    def _count(self, rule: str) -> None:
        self.counts[rule] = self.counts.get(rule, 0) + 1

    def _share_givens(self, givens: list[Given], rule: str) -> None:
        first: dict[tuple[Value, Value | None], Given] = {}
        now: dict[Value, Value] = {}
        tested: dict[Value, Value] = {}
        same: dict[int, Given] = {}
        kept: list[Given] = []
        for given in givens:
            known = first.setdefault(given.along, given)
            if known is given or known.inside.type != given.inside.type:
                kept.append(given)
                continue
            same[id(given)] = known
            now[given.inside] = known.inside
            if given.tested is not None and known.tested is not None:
                tested[given.tested] = known.tested
            self._count(rule)
        if now:
            self.draft.replace(now)
            self.draft.replace_tested(tested)
            givens[:] = kept
            for given in givens:
                given.lengths = same.get(id(given.lengths), given.lengths)

    def _settle_rows(self, rows: Sequence[Row]) -> dict[int, Row | Value]:
        """Drops stacks that are not needed; what stands for others that go, by identity."""
        draft = self.draft
        stands_for: dict[int, Row | Value] = {}
        entries = {
            (given.inside, given.lengths is not None): given.operand for given in draft.sequences
        }
        first: dict[tuple[Value, bool], Row] = {}
        kept: list[Row] = []
        outputs = self.node.outputs[len(draft.carries) :]
        for row, output, used in zip(rows, outputs, self.used[len(draft.carries) :], strict=True):
            whole = entries.get(row.key)
            if not used:
                self._count(DEAD_RESULT)
            elif whole is not None and whole.type == output.type:
                stands_for[id(row)] = whole
                self._count(STACKED_ENTRY)
            elif row.key in first:
                stands_for[id(row)] = first[row.key]
                self._count(SAME_RESULT)
            else:
                first[row.key] = row
                kept.append(row)
        if not kept and not draft.carries and rows:
            # A node has a result, be it one that nobody reads.
            kept = [rows[0]]
            if id(rows[0]) not in stands_for:
                self.counts[DEAD_RESULT] -= 1
        draft.rows = kept
        return stands_for

    def _drop_carries(self) -> None:
        draft = self.draft
        used = {id(c) for c, u in zip(draft.carries, self.used, strict=False) if u}
        live = self._live_carries(used)
        if not live and draft.carries and not draft.rows:
            # A node has a result, be it one that nobody reads.
            live = self._live_carries({id(draft.carries[0])})
        kept = [carry for carry in draft.carries if id(carry) in live]
        for _ in range(len(draft.carries) - len(kept)):
            self._count(DEAD_CARRY)
        if len(kept) == len(draft.carries):
            return
        draft.carries = kept

    def _live_carries(self, used: set[int]) -> set[int]:
        draft = self.draft
        of_input = {carry.inside: carry for carry in draft.carries}
        of_test = {carry.tested: carry for carry in draft.carries}
        live = set(used)
        roots: list[Value] = [row.value for row in draft.rows]
        roots += [carry.next for carry in draft.carries if id(carry) in live]
        for node in draft.nodes:
            if has_effect(node):
                roots.extend(node.inputs)
        if draft.holds is not None:
            for value in _reached(draft.test_nodes, [draft.holds]):
                carry = of_test.get(value)
                if carry is not None and id(carry) not in live:
                    live.add(id(carry))
                    roots.append(carry.next)
        seen: set[Value] = set()
        while roots:
            value = roots.pop()
            if value in seen:
                continue
            seen.add(value)
            carry = of_input.get(value)
            if carry is None:
                roots.extend(value.node.inputs)
            elif id(carry) not in live:
                live.add(id(carry))
                roots.append(carry.next)
        return live

    def _needed_inside(self) -> set[Value]:
        draft = self.draft
        needed = live_nodes(draft.nodes, draft.results())[1]
        if draft.holds is not None:
            needed |= _reached(draft.test_nodes, [draft.holds])
        return needed

    def _drop_captures(self) -> None:
        needed = self._needed_inside()
        kept = [g for g in self.draft.captures if g.inside in needed or g.tested in needed]
        for _ in range(len(self.draft.captures) - len(kept)):
            self._count(DEAD_CAPTURE)
        self.draft.captures = kept

    def _drop_sequences(self) -> None:
        draft = self.draft
        if not draft.sequences:
            return
        needed = self._needed_inside()
        parted = [g for g in draft.sequences if g.lengths is not None and g.inside in needed]
        telling = {id(given.lengths) for given in parted}
        plain = [given for given in draft.sequences if given.lengths is None]
        used = [given for given in plain if given.inside in needed or id(given) in telling]
        # One sequence says how many iterations there are. Another goes only if it is known to be
        # as long: sequences that differ in length are an error of the run.
        keeper = (used or plain)[0]
        kept_plain = {id(g) for g in (*used, keeper)}
        kept_plain |= {id(given) for given in plain if not _as_long(given, keeper)}
        kept_parted = {id(given) for given in parted}
        kept = [g for g in draft.sequences if id(g) in kept_plain or id(g) in kept_parted]
        for _ in range(len(draft.sequences) - len(kept)):
            self._count(DEAD_SEQUENCE)
        draft.sequences = kept


def _as_long(given: Given, other: Given) -> bool:
    if _is_stack(given.operand) and given.operand.node is other.operand.node:
        return _is_stack(other.operand)
    one, two = given.operand.type.shape, other.operand.type.shape
    return bool(one and two and one[0] is not None and one[0] == two[0])


def _is_stack(value: Value) -> bool:
    """Whether a value has an entry for each iteration of the loop that makes it."""
    node = value.node
    if node.op not in LOOPS:
        return False
    row = value.index - int(node.attrs["carries"])
    return row >= 0 and row not in node.attrs.get("joined", ())


def _reached(nodes: Sequence[Node], roots: Iterable[Value]) -> set[Value]:
    return live_nodes(nodes, roots)[1]


def _narrowed_branches(
    node: Node, used: Sequence[bool], notes: Notes
) -> tuple[Node, list[Value | None]] | None:
    draft = BranchDraft(node)
    counts: dict[str, int] = {}
    first: dict[tuple[Value, ...], int] = {}
    stands_for: dict[int, int] = {}
    kept: list[int] = []
    for place, needed in enumerate(used):
        returned = tuple([results[place] for results in draft.results])
        if not needed:
            counts[DEAD_RESULT] = counts.get(DEAD_RESULT, 0) + 1
            continue
        known = first.setdefault(returned, place)
        stands_for[place] = known
        if known == place:
            kept.append(place)
        else:
            counts[SAME_RESULT] = counts.get(SAME_RESULT, 0) + 1
    if not kept and used:
        kept = [0]
        counts[DEAD_RESULT] -= 1
    if len(kept) < len(used):
        draft.keep_results(kept)
    _share_captures(draft, counts)
    counts = {rule: times for rule, times in counts.items() if times}
    if not counts:
        return None
    made = tried(draft.made)
    if made is None:
        return None
    for rule, times in counts.items():
        for _ in range(times):
            notes.applied(rule)
    number = {place: n for n, place in enumerate(kept)}
    found: list[Value | None] = [None] * len(used)
    for place, known in stands_for.items():
        found[place] = made.outputs[number[known]]
    return made, found


def _share_captures(draft: BranchDraft, counts: dict[str, int]) -> None:
    """Takes each capture once, and none that no branch reads."""
    first: dict[Value, int] = {}
    kept: list[int] = []
    same: list[tuple[int, int]] = []
    for place, operand in enumerate(draft.captures):
        known = first.setdefault(operand, place)
        if known == place or any(i[known].type != i[place].type for i in draft.inputs):
            kept.append(place)
        else:
            same.append((place, known))
    if same:
        counts[SAME_CAPTURE] = len(same)
        for branch, inputs in enumerate(draft.inputs):
            draft.replace(branch, {inputs[place]: inputs[known] for place, known in same})
    read: set[Value] = set()
    for branch, results in enumerate(draft.results):
        draft.nodes[branch], needed_here = live_nodes(draft.nodes[branch], results)
        read |= needed_here
    needed = [p for p in kept if any(inputs[p] in read for inputs in draft.inputs)]
    if len(needed) < len(kept):
        counts[DEAD_CAPTURE] = len(kept) - len(needed)
    if len(needed) < len(draft.captures):
        draft.keep_captures(needed)
