"""What a picture shows, before anything is collapsed or placed: items, links and boxes.

A Scene is made of a Graph or of a Function in one linear walk. Invariants: boxes are listed
parents first and box 0 is the whole picture; links point from the producer to the consumer; scalar
constants stand once beside each consumer, so that one literal does not tie the picture together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from staticgraph.core.function import Function
from staticgraph.core.graph import Graph, Operation, Tensor
from staticgraph.core.node import Node, Value
from staticgraph.inspect.regions import input_word, result_words, title_of
from staticgraph.ops.convert import CONSTANT

LinkStyle = Literal["data", "control", "initial", "inside"]

UPDATE = "update "
"""How extraction names an output that becomes the new value of a variable."""

_ROLES = {
    "placeholder": "placeholder",
    "default": "placeholder",
    "read": "variable",
    "assign": "assign",
    "key": "key",
    "group": "group",
}
# Scopes in which derivatives are made; a second call makes gradients_1.
_ADJOINT = re.compile(r"(?:^|/)gradients(?:_\d+)?/")
_TANGENT = re.compile(r"(?:^|/)jvp(?:_\d+)?/")

_PARAMETERS = {"feed": "placeholder", "variable": "variable", "key": "key"}


@dataclass(slots=True)
class Item:
    """One thing to draw: a node, a copy of a literal, or a result of a Function.

    kind    a key of marks.KINDS
    box     the index of the innermost box around it
    name    the node's name, or the name of the result
    node    the node, None for a result
    flow    1 where data flows down, -1 for adjoints, which are drawn beside what they belong to
    word    what an input or a result of a body is, such as ``carry`` or ``next``
    """

    kind: str
    box: int
    name: str
    node: Node | None
    flow: int = 1
    word: str = ""


@dataclass(slots=True)
class Link:
    """An edge from item `tail` to item `head`, which takes `value` as its operand `operand`.

    "initial" leads from an initial value to its variable; "inside" is not drawn and keeps the
    body of a loop below the node that holds it.
    """

    tail: int
    head: int
    value: Value | None
    operand: int
    style: LinkStyle = "data"


@dataclass(slots=True)
class Box:
    """A name scope, a node that holds Functions, or one of these Functions."""

    label: str
    parent: int
    depth: int
    kind: Literal["picture", "scope", "holder", "body"]
    path: str = ""


@dataclass
class Scene:
    """Items, links and boxes of one picture.

    `nodes` is the number of nodes it stands for, `ops` how many of them apply each op; `remarks`
    are sentences below the caption.
    """

    items: list[Item] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=lambda: [Box("", -1, 0, "picture")])
    nodes: int = 0
    ops: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def count(self, node: Node) -> None:
        """Counts a node for the caption."""
        self.nodes += 1
        self.ops[node.op.name] = self.ops.get(node.op.name, 0) + 1


def scene_of_graph(operations: Sequence[Operation], results: Sequence[Tensor] = ()) -> Scene:
    """The Scene of operations of one graph; `results` are marked as such."""
    scene = Scene()
    walk = _Walk(scene, 0)
    controls = _controls(operations)
    for node in operations:
        scene.count(node)
        walk.node(node, node in controls)
        for before in node.control_inputs:
            walk.control(before, node)
    if operations:
        _initial_values(walk, operations[0].graph)
    for tensor in results:
        walk.result(tensor, tensor.name, "result")
    _bodies(walk.holders, scene)
    return scene


def scene_of_function(function: Function) -> Scene:
    """The Scene of a Function, with the bodies of its loops and branches as nested boxes."""
    scene = Scene()
    holders = _fill(_Walk(scene, 0), function)
    _bodies(holders, scene)
    return scene


def _fill(walk: _Walk, function: Function) -> list[tuple[int, Node]]:
    for value in function.inputs:
        walk.node(value.node, False)
    for node in function.nodes:
        walk.scene.count(node)
        walk.node(node, False)
    for value, name in zip(function.outputs, function.output_names, strict=True):
        walk.result(value, name, "update" if name.startswith(UPDATE) else "result")
    return walk.holders


def _fill_body(walk: _Walk, holder: Node, label: str, body: Function) -> list[tuple[int, Node]]:
    """The nodes of a body, of its inputs only those that it uses."""
    items = walk.scene.items
    used = {value for node in body.nodes for value in node.inputs}
    used.update(body.outputs)
    for index, value in enumerate(body.inputs):
        if value in used:
            items[walk.node(value.node, False)].word = input_word(holder, index)
    for node in body.nodes:
        walk.scene.count(node)
        walk.node(node, False)
    for index, (value, name) in enumerate(zip(body.outputs, body.output_names, strict=True)):
        if name.startswith(UPDATE):
            walk.result(value, name, "update")
            continue
        word, called = result_words(holder, label, body, index)
        walk.result(value, called, "result", word)
    return walk.holders


def _bodies(holders: list[tuple[int, Node]], scene: Scene) -> None:
    """Draws the Functions in the attributes of nodes, level by level."""
    while holders:
        deeper: list[tuple[int, Node]] = []
        for index, node in holders:
            item = scene.items[index]
            outer = scene.boxes[item.box]
            scope = (*scope_of(node), node.name.rsplit("/", 1)[-1])
            scene.boxes.append(Box(scope[-1], item.box, outer.depth + 1, "holder", node.name))
            item.box = len(scene.boxes) - 1
            for label, body in functions_of(node):
                title = title_of(node, label, body)
                scene.boxes.append(Box(title, item.box, outer.depth + 2, "body", label))
                first, links = len(scene.items), len(scene.links)
                walk = _Walk(scene, len(scene.boxes) - 1, scope)
                deeper += _fill_body(walk, node, label, body)
                fed = {link.head for link in scene.links[links:]}
                tops = [top for top in range(first, len(scene.items)) if top not in fed]
                scene.links += [Link(index, top, None, 0, "inside") for top in tops]
        holders = deeper


def functions_of(node: Node) -> list[tuple[str, Function]]:
    """The Functions held directly in a node's attributes, with the name of the attribute."""
    return [pair for name, value in node.attrs.items() for pair in labelled_functions(name, value)]


def labelled_functions(name: str, value: Any) -> list[tuple[str, Function]]:
    """The Functions in an attribute, which may be a tuple; numbered where they are several."""
    found: list[tuple[str, Function]] = []
    stack: list[tuple[str, Any]] = [(name, value)]
    while stack:
        label, held = stack.pop()
        if isinstance(held, Function):
            found.append((label, held))
        elif isinstance(held, tuple):
            stack += [(f"{label}[{i}]", each) for i, each in reversed(list(enumerate(held)))]
    return found


def scope_of(node: Node) -> tuple[str, ...]:
    """The name scopes around a node.

    The adjoints of node F are made in the scope ``gradients/F/``. Drawn is ``gradients/`` and the
    scope of F, without one more box for F itself: the adjoint nodes say themselves whose they are.
    """
    forward = node.location.adjoint_of
    if forward is not None:
        at = node.name.find(f"/{forward}/")
        if at >= 0:
            return (*node.name[:at].split("/"), *forward.split("/")[:-1])
    return tuple(node.name.split("/")[:-1])


def kind_of(node: Node) -> str:
    """How a node is drawn: a key of marks.KINDS."""
    op = node.op
    if op.role == "parameter":
        return _PARAMETERS.get(node.attrs["kind"], "inner")
    if op.role != "compute":
        return _ROLES[op.role]
    if op is CONSTANT:
        return "constant"
    if op.effect:
        return "effect"
    if _TANGENT.search(node.name):
        return "tangent"
    if node.location.adjoint_of is not None or _ADJOINT.search(node.name):
        return "adjoint"
    return "forward"


def _bodies_of(node: Node) -> list[Function]:
    if not any(isinstance(value, Function | tuple) for value in node.attrs.values()):
        return []
    return [body for _, body in functions_of(node)]


def _differentiates(bodies: Iterable[Function]) -> bool:
    return any(kind_of(node) == "adjoint" for body in bodies for node in body.nodes)


def is_adjoint_scope(path: str) -> bool:
    """Whether derivatives are made in a scope."""
    return _ADJOINT.search(path + "/") is not None


def _is_literal(node: Node) -> bool:
    return node.op is CONSTANT and node.attrs["value"].size == 1


def _controls(operations: Iterable[Operation]) -> dict[Operation, None]:
    """The operations that have a control edge, in or out."""
    found: dict[Operation, None] = {}
    for node in operations:
        if node.control_inputs:
            found[node] = None
            found.update(dict.fromkeys(node.control_inputs))
    return found


def _initial_values(walk: _Walk, graph: Graph) -> None:
    for variable in graph.variables.values():
        tail = walk.placed.get(variable.initial_value.node)
        head = walk.placed.get(variable.value.node)
        if tail is not None and head is not None:
            walk.scene.links.append(Link(tail, head, variable.initial_value, 0, "initial"))


class _Walk:
    """Adds the nodes of one graph or Function to a Scene, in topological order."""

    def __init__(self, scene: Scene, box: int, outer: tuple[str, ...] = ()) -> None:
        self.scene, self.box, self.outer = scene, box, outer
        self.scopes: dict[tuple[str, ...], int] = {(): box}
        self.placed: dict[Node, int] = {}
        # Literals wait for their consumers; who has none is drawn once, by itself.
        self.flows: dict[str, int] = {}
        self.holders: list[tuple[int, Node]] = []
        self.literal_uses: dict[Node, int] = {}

    def node(self, node: Node, controlled: bool) -> int:
        """Adds a node and the links to its operands."""
        kind = kind_of(node)
        if self.outer and kind == "placeholder":
            kind = "inner"
        bodies = _bodies_of(node)
        if bodies and not _differentiates(bodies):
            # The twin of a loop is made among its adjoints, and is the loop once more.
            kind = "holder"
        items = self.scene.items
        index = len(items)
        box = self._scope(scope_of(node))
        flow = self._flow(node, kind)
        if bodies:
            kind = "adjoint holder" if kind == "adjoint" else "holder"
        items.append(Item(kind, box, node.name, node, flow))
        self.placed[node] = index
        if kind == "constant" and not controlled and _is_literal(node):
            items[index].kind = "literal"
            self.literal_uses[node] = 0
        for operand, value in enumerate(node.inputs):
            self._link(value, index, operand)
        if bodies:
            self.holders.append((index, node))
        return index

    def control(self, before: Operation, after: Operation) -> None:
        """Adds a control edge."""
        tail = self.placed.get(before)
        if tail is not None:
            self.scene.links.append(Link(tail, self.placed[after], None, 0, "control"))

    def result(self, value: Value, name: str, kind: str, word: str = "result") -> None:
        """Adds what a Function returns, or what a picture is about."""
        index = len(self.scene.items)
        tail = self.placed.get(value.node)
        box = self.box
        if kind == "update" and tail is not None and self.scene.items[tail].kind == "forward":
            # What trains many variables stands in one scope: so do the values that it makes.
            box = self.scene.items[tail].box
        self.scene.items.append(Item(kind, box, name, None, word=word))
        self._link(value, index, 0)

    def _link(self, value: Value, head: int, operand: int) -> None:
        node = value.node
        tail = self.placed.get(node)
        if tail is None:
            return
        if node in self.literal_uses:
            tail = self._copy(node, tail, head)
        self.scene.links.append(Link(tail, head, value, operand))

    def _copy(self, node: Node, first: int, head: int) -> int:
        """The copy of a literal that stands beside the consumer `head`."""
        items = self.scene.items
        consumer = items[head]
        # Below an operation with bodies stand its bodies.
        flow = 1 if consumer.kind == "adjoint holder" else consumer.flow
        self.literal_uses[node] += 1
        if self.literal_uses[node] == 1:
            items[first].box, items[first].flow = consumer.box, flow
            return first
        items.append(Item("literal", consumer.box, node.name, node, flow))
        return len(items) - 1

    def _flow(self, node: Node, kind: str) -> int:
        flow = 1
        # Inside a body, what it carries comes in above and goes out below, adjoints too.
        if kind == "adjoint" and not self.outer:
            forward = node.location.adjoint_of
            flow = -self.flows.get(forward, 1) if forward is not None else -1
        self.flows[node.name] = flow
        return flow

    def _scope(self, path: tuple[str, ...]) -> int:
        known = self.scopes.get(path)
        if known is not None:
            return known
        # What the boxes around a body say already is not said again inside it.
        said = 0
        while said < min(len(path), len(self.outer)) and path[said] == self.outer[said]:
            said += 1
        length = len(path)
        while length > said and path[:length] not in self.scopes:
            length -= 1
        boxes, box = self.scene.boxes, self.scopes.get(path[:length], self.box)
        for end in range(length + 1, len(path) + 1):
            part = path[:end]
            boxes.append(Box(part[-1], box, boxes[box].depth + 1, "scope", "/".join(part)))
            box = self.scopes[part] = len(boxes) - 1
        self.scopes[path] = box
        return box
