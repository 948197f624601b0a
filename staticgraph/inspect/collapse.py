"""Makes a Scene small enough to look at, and says what it did.

Name scopes are collapsed deepest first, the largest of one depth first; then straight-line chains,
longest first; then, if it must be, runs of neighbours. It stops as soon as at most `max_nodes`
marks are left. Everything here is linear in the size of the Scene, save for sorting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from staticgraph.core.node import Value
from staticgraph.inspect.scene import Item, Link, LinkStyle, Scene, is_adjoint_scope

Reason = Literal["item", "scope", "body", "chain", "run"]

# What may lie on a straight-line chain: computing nodes, never inputs or effects.
_CHAINABLE = frozenset({"forward", "adjoint", "tangent"})


# Kinds that say nothing of what a group is for.
_ACCESSORY = frozenset({"literal", "constant", "inner", "result", "update"})


@dataclass(slots=True)
class Mark:
    """One thing that is drawn: an item, or a collapsed group of items.

    items   indices of the items it stands for, ascending
    reason  "item" for a single one, else why they are together
    label   what the group is called
    """

    items: list[int]
    box: int
    kind: str
    reason: Reason
    label: str
    flow: int


@dataclass(slots=True)
class Edge:
    """The links between two marks that are drawn as one line.

    values   the distinct values that flow, in order; operand is that of a lone link
    """

    tail: int
    head: int
    style: LinkStyle
    # A dict for its order: `in` on a list would compare tensors, which builds nodes.
    values: dict[Value, None] = field(default_factory=dict)
    operand: int = 0


@dataclass
class Drawing:
    """Marks and edges, with the Scene whose boxes they lie in."""

    scene: Scene
    marks: list[Mark]
    edges: list[Edge]
    max_nodes: int
    items: int

    def collapsed(self, reason: Reason) -> list[Mark]:
        """The marks that stand for a group, of one reason."""
        return [mark for mark in self.marks if mark.reason == reason]


def draw(scene: Scene, max_nodes: int) -> Drawing:
    """The Drawing of a Scene in at most `max_nodes` marks."""
    marks = [Mark([i], item.box, item.kind, "item", item.name, item.flow)
             for i, item in enumerate(scene.items)]  # fmt: skip
    marks = _collapse_boxes(scene, marks, max_nodes)
    if len(marks) > max_nodes:
        marks = _collapse_chains(scene, marks, max_nodes)
    if len(marks) > max_nodes:
        marks = _collapse_runs(scene, marks, max_nodes)
    return Drawing(scene, marks, _edges(scene, marks), max_nodes, len(scene.items))


# -- boxes ------------------------------------------------------------------------------------


def _collapse_boxes(scene: Scene, marks: list[Mark], max_nodes: int) -> list[Mark]:
    total = len(marks)
    if total <= max_nodes:
        return marks
    boxes = scene.boxes
    # How many marks a box holds, inner boxes included; parents come before children.
    held = [0] * len(boxes)
    for item in scene.items:
        held[item.box] += 1
    for index in range(len(boxes) - 1, 0, -1):
        held[boxes[index].parent] += held[index]
    by_depth: dict[int, list[int]] = {}
    for index, box in enumerate(boxes):
        by_depth.setdefault(box.depth, []).append(index)
    # The box into which each box is folded, itself when it stays open.
    folded = list(range(len(boxes)))
    gone = [0] * len(boxes)
    for depth in sorted(by_depth, reverse=True):
        if depth == 0 or total <= max_nodes:
            break
        level = by_depth[depth]
        for index in level:
            held[index] -= gone[index]
        for index in sorted(level, key=lambda index: (-held[index], index)):
            saved = held[index] - 1
            if total <= max_nodes or saved < 1:
                break
            folded[index] = -1
            total -= saved
            gone[index] += saved
        for index in level:
            gone[boxes[index].parent] += gone[index]
    for index in range(1, len(boxes)):
        # Parents come first: what lies in a folded box belongs to the outermost folded one.
        parent = boxes[index].parent
        if folded[parent] != parent:
            folded[index] = folded[parent]
        elif folded[index] == -1:
            folded[index] = -index - 1
    return _group(marks, scene, folded)


def _group(marks: list[Mark], scene: Scene, folded: list[int]) -> list[Mark]:
    groups: dict[int, Mark] = {}
    kept: list[Mark] = []
    for mark in marks:
        target = folded[mark.box]
        if target >= 0:
            kept.append(mark)
            continue
        group = groups.get(target)
        if group is None:
            box = scene.boxes[-target - 1]
            reason: Reason = "scope" if box.kind == "scope" else "body"
            # A body has no name: what stands above it says which it is.
            label = box.label if box.kind == "body" else box.path or box.label
            group = Mark([], box.parent, mark.kind, reason, label, mark.flow)
            groups[target] = group
            kept.append(group)
        group.items += mark.items
    for group in groups.values():
        _describe_group(group, scene.items)
    return kept


def _describe_group(group: Mark, items: Sequence[Item]) -> None:
    """A group is drawn as what all its items are, or else as forward.

    A scope in which derivatives are made is drawn as adjoint, whatever its loops hold.
    """
    group.items.sort()
    kinds = dict.fromkeys(items[index].kind for index in group.items)
    telling = [kind for kind in kinds if kind not in _ACCESSORY] or list(kinds)
    if group.reason == "scope" and is_adjoint_scope(group.label):
        telling = [kind for kind in telling if kind in ("adjoint", "adjoint holder")] or telling
    flows = dict.fromkeys(items[i].flow for i in group.items if items[i].kind in telling)
    group.flow = next(iter(flows)) if len(flows) == 1 else 1
    whole = dict.fromkeys(kind.removesuffix(" holder") for kind in telling)
    group.kind = next(iter(whole)) if len(whole) == 1 else "forward"
    if group.kind == "holder":
        group.kind = "forward"


# -- chains -----------------------------------------------------------------------------------


def _owners(scene: Scene, marks: Iterable[Mark]) -> list[int]:
    owner = [0] * len(scene.items)
    for number, mark in enumerate(marks):
        for index in mark.items:
            owner[index] = number
    return owner


def _neighbours(
    links: Iterable[Link], owner: Sequence[int], ignored: Sequence[bool], count: int
) -> tuple[list[int], list[int]]:
    """Per mark its only predecessor and successor: -1 for none, -2 for several."""
    before, after = [-1] * count, [-1] * count
    for link in links:
        tail, head = owner[link.tail], owner[link.head]
        if tail == head or ignored[tail]:
            continue
        after[tail] = head if after[tail] in (-1, head) else -2
        before[head] = tail if before[head] in (-1, tail) else -2
    return before, after


def _collapse_chains(scene: Scene, marks: list[Mark], max_nodes: int) -> list[Mark]:
    owner = _owners(scene, marks)
    literal = [mark.kind == "literal" for mark in marks]
    before, after = _neighbours(scene.links, owner, literal, len(marks))

    def joins(tail: int, head: int) -> bool:
        return (
            tail >= 0 and head >= 0 and after[tail] == head and before[head] == tail
            and marks[tail].kind == marks[head].kind and marks[tail].kind in _CHAINABLE
            and marks[tail].box == marks[head].box and marks[tail].flow == marks[head].flow
        )  # fmt: skip

    chains: list[list[int]] = []
    for number in range(len(marks)):
        if joins(before[number], number):
            continue
        chain = [number]
        while joins(chain[-1], after[chain[-1]]):
            chain.append(after[chain[-1]])
        if len(chain) > 1:
            chains.append(chain)
    literals: dict[int, list[int]] = {}
    for link in scene.links:
        if literal[owner[link.tail]]:
            literals.setdefault(owner[link.head], []).append(owner[link.tail])
    groups: list[list[int]] = []
    total = len(marks)
    for chain in sorted(chains, key=lambda chain: (-len(chain), chain[0])):
        if total <= max_nodes:
            break
        members = [*chain, *[lit for number in chain for lit in literals.get(number, ())]]
        total -= len(members) - 1
        groups.append(members)
    return _merge(scene, marks, groups, "chain")


def _merge(
    scene: Scene, marks: list[Mark], groups: Iterable[Sequence[int]], reason: Reason
) -> list[Mark]:
    """Replaces each group of marks by one, at the place of its first member."""
    into: dict[int, Mark] = {}
    leaders: dict[int, Mark] = {}
    for members in groups:
        first = marks[members[0]]
        group = Mark([], first.box, first.kind, reason, "", first.flow)
        for number in members:
            group.items += marks[number].items
            into[number] = group
        leaders[min(members)] = group
        _describe_group(group, scene.items)
        named = [i for i in group.items if scene.items[i].kind != "literal"] or group.items
        group.label = f"{scene.items[named[0]].name} … {scene.items[named[-1]].name}"
    return [
        leaders.get(number, mark)
        for number, mark in enumerate(marks)
        if number in leaders or number not in into
    ]


# -- runs -------------------------------------------------------------------------------------


def _collapse_runs(scene: Scene, marks: list[Mark], max_nodes: int) -> list[Mark]:
    """Neighbours in topological order and of one kind, in runs of equal length.

    By now no box holds more than one mark, so boxes are given up.
    """
    for mark in marks:
        mark.box = 0
    owner = _owners(scene, marks)
    consumer: dict[int, int] = {}
    for link in scene.links:
        if marks[owner[link.tail]].kind == "literal":
            consumer[owner[link.tail]] = owner[link.head]
    classes: dict[str, list[int]] = {}
    companions: dict[int, list[int]] = {}
    for number, mark in enumerate(marks):
        if number in consumer:
            companions.setdefault(consumer[number], []).append(number)
        else:
            classes.setdefault(mark.kind, []).append(number)
    if len(classes) > max_nodes:
        classes = {"": [n for n in range(len(marks)) if n not in consumer]}
    groups: list[Sequence[int]] = []
    spare = max_nodes - len(classes)
    total = sum(len(members) for members in classes.values())
    for members in classes.values():
        runs = min(len(members), 1 + spare * len(members) // total)
        length = -(-len(members) // runs)
        for start in range(0, len(members), length):
            run = members[start : start + length]
            groups.append([*run, *[lit for n in run for lit in companions.get(n, ())]])
    return _merge(scene, marks, [group for group in groups if len(group) > 1], "run")


# -- edges ------------------------------------------------------------------------------------


def _edges(scene: Scene, marks: list[Mark]) -> list[Edge]:
    """One edge per link between two items; links that touch a group are drawn together."""
    owner = _owners(scene, marks)
    edges: list[Edge] = []
    shared: dict[tuple[int, int, LinkStyle], Edge] = {}
    for link in scene.links:
        tail, head = owner[link.tail], owner[link.head]
        if tail == head:
            continue
        single = marks[tail].reason == marks[head].reason == "item"
        known = None if single else shared.get((tail, head, link.style))
        if known is None:
            known = Edge(tail, head, link.style, {}, link.operand)
            edges.append(known)
            shared[(tail, head, link.style)] = known
        if link.value is not None:
            known.values[link.value] = None
    return edges
