"""How each kind of thing looks and what is written on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from staticgraph.core.function import Function
from staticgraph.core.location import UNKNOWN
from staticgraph.core.node import Node
from staticgraph.core.types import TensorType, format_shape
from staticgraph.inspect import text
from staticgraph.inspect.collapse import Drawing, Edge, Mark
from staticgraph.inspect.regions import operand_word
from staticgraph.inspect.scene import UPDATE, Item, Scene, kind_of, labelled_functions


@dataclass(frozen=True, slots=True)
class Kind:
    """The look of one kind: shape and colour each suffice to tell it apart."""

    legend: str
    shape: str
    fill: str
    stroke: str


KINDS: dict[str, Kind] = {
    "placeholder": Kind("placeholder (fed)", "arrow", "#efe6fb", "#6b3fa0"),
    "variable": Kind("variable", "cylinder", "#e0f2e0", "#2b6e2f"),
    "constant": Kind("constant", "note", "#eeeeee", "#5b5b5b"),
    "literal": Kind("scalar constant", "pill", "#f7f7f7", "#767676"),
    "key": Kind("random key", "trapezoid", "#e8e6f0", "#54507a"),
    "inner": Kind("input of a body", "house", "#f1ece2", "#6e5b34"),
    "forward": Kind("forward operation", "rounded", "#e3eefb", "#2a62a8"),
    "adjoint": Kind("adjoint (reverse mode)", "hexagon", "#fdebd9", "#a8500f"),
    "tangent": Kind("tangent (forward mode)", "parallelogram", "#ddf3ef", "#17705f"),
    "holder": Kind("operation with bodies", "frame", "#dfe6f5", "#33427a"),
    "adjoint holder": Kind("adjoint with bodies", "barred", "#fbe3cb", "#8f4109"),
    "assign": Kind("assign to a variable", "funnel", "#fff3bf", "#806000"),
    "update": Kind("new value of a variable", "funnel", "#fff3bf", "#806000"),
    "effect": Kind("effect (print, assert)", "octagon", "#fde2e6", "#a8243b"),
    "group": Kind("group", "bar", "#e6e6e6", "#444444"),
    "result": Kind("result", "double", "#ffffff", "#1a202c"),
}

COLLAPSED = Kind("collapsed: several nodes", "stack", "#f4f5f7", "#4a5568")

# Kinds whose text says their type already.
_TYPED = frozenset({"placeholder", "variable", "key", "inner", "literal", "constant"})

_NAME_LIMIT = 32
_ATTRS_LIMIT = 36


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text on a mark: style is title, name, detail or of."""

    text: str
    style: str


SIZES = {"title": 12.0, "name": 10.5, "detail": 9.5, "of": 9.5}


def line_width(line: Line) -> float:
    """The room a line needs, in pixels."""
    return text.width(line.text, SIZES[line.style], line.style == "title")


def lines_of(mark: Mark, scene: Scene, with_types: bool = False) -> list[Line]:
    """What is written on a mark; `with_types` adds what types its results have."""
    if mark.reason != "item":
        return _group_lines(mark, scene)
    item = scene.items[mark.items[0]]
    shown = _relative(item.name, scene, mark.box)
    if item.node is None:
        name = item.name.removeprefix(UPDATE) if item.kind == "update" else shown
        title = "new value of" if item.kind == "update" else item.word
        return [Line(title, "detail"), _name(name, "title")]
    lines = _node_lines(item, item.node, shown)
    if with_types and item.kind not in _TYPED and item.node.outputs:
        types = ", ".join(str(value.type) for value in item.node.outputs)
        lines.append(Line(text.shorten(f"→ {types}", _ATTRS_LIMIT), "detail"))
    return lines


def _node_lines(item: Item, node: Node, shown: str) -> list[Line]:
    kind = item.kind
    if kind == "literal":
        return [Line(_literal(node), "name")]
    if kind in ("placeholder", "variable", "key", "inner"):
        word = "key of the run" if kind == "key" else kind
        if kind == "inner":
            word = item.word
        if node.op.role == "read" and node.attrs["variable"] != node.name:
            word = f"read of {text.shorten(text.one_line(node.attrs['variable']), 20)},"
        return [_name(shown, "title"), Line(f"{word} {node.out.type}", "detail")]
    if kind == "constant":
        lines = [Line("constant", "title"), _name(shown, "name")]
        return [*_drop_repeat(lines), Line(_array(node.attrs["value"]), "detail")]
    lines = _drop_repeat([Line(node.op.name, "title"), _name(shown, "name")])
    attrs = short_attrs(node)
    if kind == "assign":
        attrs = f"to {node.attrs['variable']}"
    if attrs:
        lines.append(Line(text.shorten(attrs, _ATTRS_LIMIT), "detail"))
    whose = node.location.adjoint_of
    if whose is not None and kind in ("adjoint", "adjoint holder", "tangent", "holder"):
        word = kind.removesuffix(" holder")
        if kind == "holder":
            word = "for the tangent" if kind_of(node) == "tangent" else "for the adjoint"
        lines.append(Line(text.shorten(f"{word} of {text.one_line(whose)}", _ATTRS_LIMIT), "of"))
    return lines


def _name(name: str, style: str) -> Line:
    return Line(text.shorten(text.one_line(name), _NAME_LIMIT), style)


def _drop_repeat(lines: list[Line]) -> list[Line]:
    """A node that is called as its op says so once."""
    return lines[:1] if lines[0].text == lines[1].text else lines


def _relative(name: str, scene: Scene, box: int) -> str:
    """A name without the scope that the box around it says already."""
    path = scene.boxes[box].path
    if scene.boxes[box].kind == "scope" and name.startswith(path + "/"):
        name = name[len(path) + 1 :]
    return name.rsplit("/", 1)[-1] if box and "/" in name else name


def _group_lines(mark: Mark, scene: Scene) -> list[Line]:
    nodes = nodes_in(mark, scene)
    counts = _op_counts(nodes)
    word = "node" if len(nodes) == 1 else "nodes"
    words = {"chain": f"{word} in a chain", "run": f"neighbouring {word}"}
    title = mark.label
    if mark.reason in ("scope", "body"):
        title = _relative(mark.label, scene, mark.box)
    lines = [
        _name(title, "title"),
        Line(f"{len(nodes):,} {words.get(mark.reason, word)}", "name"),
        Line(_short_counts(counts), "detail"),
    ]
    updates = _updates(mark, scene)
    if updates:
        lines.append(Line(f"new values: {len(updates):,}", "detail"))
    return lines


def _updates(mark: Mark, scene: Scene) -> list[str]:
    """The variables whose new values a group holds."""
    items = [scene.items[index] for index in mark.items]
    return [item.name.removeprefix(UPDATE) for item in items if item.kind == "update"]


def _short_counts(counts: dict[str, int]) -> str:
    for most in (3, 2):
        shown = top_counts(counts, most)
        if len(shown) <= _ATTRS_LIMIT:
            return shown
    return text.shorten(top_counts(counts, 1), _ATTRS_LIMIT)


def nodes_in(mark: Mark, scene: Scene) -> list[Node]:
    """The nodes that a mark stands for: copies of literals and results are none."""
    items = [scene.items[index] for index in mark.items]
    return [item.node for item in items if item.node is not None and item.kind != "literal"]


def _op_counts(nodes: Sequence[Node]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for node in nodes:
        # An input of a Function is a parameter to the compiler, a variable or a feed to its reader.
        name = node.attrs["kind"] if node.op.role == "parameter" else node.op.name
        counts[name] = counts.get(name, 0) + 1
    return counts


def top_counts(counts: dict[str, int], most: int) -> str:
    """``multiply ×9, add ×6 and 3 more ops``: the commonest ops, most frequent first."""
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    shown = ", ".join(f"{name} ×{count:,}" for name, count in ranked[:most])
    rest = len(ranked) - most
    return f"{shown}, …" if rest > 0 else shown


# -- attributes -------------------------------------------------------------------------------


def short_attrs(node: Node) -> str:
    """The attributes that say something: ``axis=0, keepdims``."""
    parts = []
    for name, value in node.attrs.items():
        if value is None or value is False or name in ("type", "variable"):
            continue
        # How many carries and sequences a loop has, its bodies show.
        if name in ("shape", "rule", "carries", "sequences") or labelled_functions(name, value):
            continue
        if value is True:
            parts.append(name)
        else:
            parts.append(f"{name}={format_attr(value)}")
    return text.one_line(", ".join(parts))


def format_attr(value: Any) -> str:
    """An attribute value as a tooltip shows it."""
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, TensorType):
        return str(value)
    if isinstance(value, Function):
        return f"{value.name}: {len(value)} {'node' if len(value) == 1 else 'nodes'}"
    if isinstance(value, tuple):
        inner = ", ".join(format_attr(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def _array(value: np.ndarray[Any, Any]) -> str:
    """A constant: its elements while they are few, else its type."""
    if value.size <= 4 and value.ndim <= 1:
        return text.shorten(f"{value.tolist()}", _ATTRS_LIMIT)
    return f"{value.dtype.name}{format_shape(value.shape)}"


def _literal(node: Node) -> str:
    value = node.attrs["value"]
    # A NumPy scalar prints the shortest digits of its own dtype, a Python float those of float64.
    shown = str(value.reshape(())[()])
    if value.ndim:
        shown = f"{'[' * value.ndim}{shown}{']' * value.ndim}"
    base = node.name.rsplit("/", 1)[-1]
    stem = base.rstrip("0123456789").rstrip("_")
    if stem in ("constant", "initial_value"):
        return shown
    return f"{text.shorten(text.one_line(base), 20)} = {shown}"


# -- tooltips ---------------------------------------------------------------------------------


def tooltip(mark: Mark, drawing: Drawing) -> str:
    """What a mark says when the pointer rests on it: the full name, types, the user's line."""
    scene = drawing.scene
    if mark.reason != "item":
        return _group_tooltip(mark, drawing)
    item = scene.items[mark.items[0]]
    node = item.node
    if node is None:
        return f"{item.name}: a result"
    lines = [node.name, signature(node)]
    lines += [f"{name} = {format_attr(value)}" for name, value in node.attrs.items()]
    if node.location is not UNKNOWN:
        lines.append(str(node.location))
    return "\n".join(lines)


def _group_tooltip(mark: Mark, drawing: Drawing) -> str:
    nodes = nodes_in(mark, drawing.scene)
    updates = _updates(mark, drawing.scene)
    lines = [f"{mark.label}: {len(nodes):,} nodes drawn as one", top_counts(_op_counts(nodes), 12)]
    if updates:
        lines.append(f"new values of {', '.join(updates[:12])}{', …' if updates[12:] else ''}")
    lines.append(f"render(..., max_nodes={drawing.items}) draws every node")
    return "\n".join(lines)


def signature(node: Node) -> str:
    """``matmul(lhs float32[?, 784], rhs float32[784, 10]) → float32[?, 10]``."""
    operands = ", ".join(
        f"{operand_word(node, index)} {value.type}" for index, value in enumerate(node.inputs)
    )
    results = ", ".join(str(value.type) for value in node.outputs) or "nothing"
    return f"{node.op.name}({operands}) → {results}"


def edge_label(edge: Edge, drawing: Drawing) -> str:
    """The dtype and shape that an edge carries; which operand, where their order matters."""
    values = list(edge.values)
    if not values:
        return ""
    if edge.style == "initial":
        return "initial value"
    tail, head = drawing.marks[edge.tail], drawing.marks[edge.head]
    role = _operand_role(edge, head, drawing.scene)
    if tail.kind == "literal" and tail.reason == "item":
        return role
    if len(values) > 1:
        first, *others = dict.fromkeys(str(value.type) for value in values)
        return f"{len(values)} tensors" if others else f"{len(values)} × {first}"
    shown = text.shorten(str(values[0].type), _ATTRS_LIMIT)
    if len(values[0].node.outputs) > 1:
        shown = f"[{values[0].index}] {shown}"
    return f"{role} {shown}" if role else shown


def _operand_role(edge: Edge, head: Mark, scene: Scene) -> str:
    node = scene.items[head.items[0]].node
    if head.reason != "item" or node is None or len(node.inputs) < 2 or node.op.commutative:
        return ""
    return operand_word(node, edge.operand)


def edge_tooltip(edge: Edge, drawing: Drawing) -> str:
    """The full story of an edge."""
    head, tail = drawing.marks[edge.head], drawing.marks[edge.tail]
    if edge.style == "control":
        return f"{tail.label} runs before {head.label} (control edge)"
    lines = [f"{value.name} {value.type}" for value in list(edge.values)[:12]]
    if len(edge.values) > 12:
        lines.append(f"and {len(edge.values) - 12} more tensors")
    if edge.style == "initial":
        lines.append(f"initial value of {head.label}")
    role = _operand_role(edge, head, drawing.scene)
    lines.append(f"from {tail.label} to {head.label}" + (f", operand {role}" if role else ""))
    return "\n".join(lines)


def present(drawings: Sequence[Drawing]) -> list[tuple[str, Kind]]:
    """The rows of the legend: the kinds that some drawing shows, in the order of the table."""
    shown = {mark.kind for drawing in drawings for mark in drawing.marks}
    rows = [(name, kind) for name, kind in KINDS.items() if name in shown]
    if "assign" in shown and "update" in shown:
        rows = [row for row in rows if row[0] != "update"]
    if any(mark.reason != "item" for drawing in drawings for mark in drawing.marks):
        rows.append(("collapsed", COLLAPSED))
    return rows
