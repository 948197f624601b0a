"""Places a Drawing: DOT source by the graphviz package, laid out in this process by pygraphviz.

No program is started and no font is asked for: sizes of marks and labels are computed here and
given to Graphviz as they are, so a layout is the same on every machine. Names never reach the DOT
source, so none can break it. Coordinates are pixels, y grows downward.
"""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import dataclass, replace
from typing import Any

from staticgraph.config import LazyModule
from staticgraph.errors import CompilerError
from staticgraph.inspect import text
from staticgraph.inspect.collapse import Drawing, Edge, Mark
from staticgraph.inspect.marks import (
    COLLAPSED,
    KINDS,
    SIZES,
    Kind,
    Line,
    edge_label,
    line_width,
    lines_of,
)
from staticgraph.inspect.scene import Box
from staticgraph.inspect.settle import settle

graphviz = LazyModule("graphviz")
pygraphviz = LazyModule("pygraphviz")
gv = LazyModule("pygraphviz.graphviz")

Point = tuple[float, float]

LABEL_SIZE = 9.0
BOX_LABEL_SIZE = 10.5
LINE_GAP = 3.5
_BOX_LIMIT = 48

# Room that a shape takes around its text: left and right, above, below.
_PADDING: dict[str, tuple[float, float, float]] = {
    "rounded": (9, 6, 6),
    "hexagon": (17, 6, 6),
    "parallelogram": (18, 6, 6),
    "arrow": (12, 7, 13),
    "cylinder": (10, 14, 9),
    "note": (12, 6, 6),
    "pill": (8, 3, 3),
    "trapezoid": (20, 6, 6),
    "house": (10, 12, 6),
    "frame": (14, 9, 9),
    "barred": (18, 9, 9),
    "funnel": (19, 6, 6),
    "octagon": (14, 7, 7),
    "bar": (10, 5, 5),
    "double": (12, 8, 8),
    "stack": (11, 7, 13),
}

# Inputs and literals float beside what needs them: they never hold a box down.
_SOURCES = frozenset({"placeholder", "variable", "constant", "literal", "key", "inner"})
_MOST_ROOM = 4

# Graphviz keeps state of its own between calls; two threads in it at once would share it.
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Placed:
    """A mark with its text and its rectangle (centre and size)."""

    mark: Mark
    look: Kind
    lines: tuple[Line, ...]
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Frame:
    """A box of the Scene with its rectangle (left, top, right, bottom)."""

    box: int
    label: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Route:
    """An edge: Bézier curves (points in threes after the first), the arrow's tip, the label."""

    edge: Edge
    curves: tuple[tuple[Point, ...], ...]
    tip: Point | None
    label: str
    label_at: Point | None


@dataclass(frozen=True, slots=True)
class Layout:
    """A placed Drawing."""

    drawing: Drawing
    marks: tuple[Placed, ...]
    frames: tuple[Frame, ...]
    routes: tuple[Route, ...]
    width: float
    height: float


def look_of(mark: Mark) -> Kind:
    """The shape and colours of a mark; a group keeps the colours of what it holds."""
    kind = KINDS[mark.kind]
    if mark.reason == "item":
        return kind
    return Kind(COLLAPSED.legend, COLLAPSED.shape, kind.fill, kind.stroke)


def place(drawing: Drawing, edge_labels: bool = True) -> Layout:
    """The Layout of a Drawing. Without labels on the edges, marks say the types they give."""
    looks = [look_of(mark) for mark in drawing.marks]
    lines = [tuple(lines_of(mark, drawing.scene, not edge_labels)) for mark in drawing.marks]
    sizes = [_size(look, each) for look, each in zip(looks, lines, strict=True)]
    labels = [edge_label(edge, drawing) if edge_labels else "" for edge in drawing.edges]
    source = dot_source(drawing, sizes, labels)
    return _read(drawing, looks, lines, sizes, labels, run_dot(source))


def _size(look: Kind, lines: tuple[Line, ...]) -> tuple[float, float]:
    side, above, below = _PADDING[look.shape]
    widest = max((line_width(line) for line in lines), default=0.0)
    tall = sum(SIZES[line.style] for line in lines) + LINE_GAP * (len(lines) - 1)
    least = 26.0 if look.shape == "pill" else 56.0
    return round(max(widest + 2 * side, least), 1), round(tall + above + below + 2, 1)


# -- DOT --------------------------------------------------------------------------------------


def dot_source(drawing: Drawing, sizes: list[tuple[float, float]], labels: list[str]) -> str:
    """The DOT source of a Drawing: sizes and structure, no words."""
    dot = graphviz.Digraph(
        graph_attr={
            "rankdir": "TB",
            "nodesep": "0.22",
            "ranksep": "0.3",
            "newrank": "true",
            "pad": "0",
            "outputorder": "nodesfirst",
        },
        node_attr={"shape": "box", "fixedsize": "true", "label": ""},
    )
    open_boxes = _open_boxes(drawing)
    boxes = drawing.scene.boxes
    parts: dict[int, Any] = {0: dot}
    for box in open_boxes:
        parts[box] = graphviz.Digraph(
            name=f"cluster_{box}",
            graph_attr={
                "label": _blank(
                    text.width(_box_label(drawing, box), BOX_LABEL_SIZE, True) + 12, 14
                ),
                "labeljust": "l",
                "margin": "10",
            },
        )
    for number, mark in enumerate(drawing.marks):
        width, height = sizes[number]
        parts[mark.box].node(f"n{number}", width=f"{width / 72:.4f}", height=f"{height / 72:.4f}")
    for box in reversed(open_boxes):
        parts[boxes[box].parent].subgraph(parts[box])
    stacked = stacking(drawing)
    for number, label in enumerate(labels):
        _dot_edge(dot, drawing, number, label, stacked.get(number, 1))
    return str(dot.source)


def _box_label(drawing: Drawing, box: int) -> str:
    return text.shorten(text.one_line(drawing.scene.boxes[box].label), _BOX_LIMIT)


def _open_boxes(drawing: Drawing) -> list[int]:
    """The boxes that hold some mark, parents first."""
    boxes = drawing.scene.boxes
    wanted: dict[int, None] = {}
    for mark in drawing.marks:
        box = mark.box
        while box > 0 and box not in wanted:
            wanted[box] = None
            box = boxes[box].parent
    return sorted(wanted)


def _dot_edge(dot: Any, drawing: Drawing, number: int, label: str, length: int) -> None:
    edge = drawing.edges[number]
    attrs = {"id": f"e{number}"}
    if length > 1:
        attrs["minlen"] = str(length)
    tail, head = drawing.marks[edge.tail], drawing.marks[edge.head]
    if tail.box == head.box and tail.flow == head.flow:
        attrs["weight"] = "3"
    elif tail.kind in _SOURCES and tail.box:
        attrs["weight"] = "0"
    if label:
        attrs["label"] = _blank(label_size(label)[0] + 4, label_size(label)[1])
    if edge.style == "inside":
        attrs["style"] = "invis"
    upper, lower = _vertical(drawing, edge)
    if upper == edge.tail:
        dot.edge(f"n{upper}", f"n{lower}", **attrs)
    else:
        dot.edge(f"n{upper}", f"n{lower}", dir="back", **attrs)


def _vertical(drawing: Drawing, edge: Edge) -> tuple[int, int]:
    """The marks of an edge, the one that is to be drawn higher first.

    Adjoints are drawn beside the nodes they belong to, so data flows upward between them.
    """
    if drawing.marks[edge.tail].flow < 0 and drawing.marks[edge.head].flow < 0:
        return edge.head, edge.tail
    return edge.tail, edge.head


def stacking(drawing: Drawing) -> dict[int, int]:
    """How many ranks some edges must span so that a box lies below the box it takes from.

    Two boxes that share a rank stand side by side, and a model of many layers would wander off
    sideways. An edge between boxes therefore makes room for what lies below its upper end in the
    one box and above its lower end in the other, where that is little.
    """
    boxes = drawing.scene.boxes
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    pairs: list[tuple[int, int, int]] = []
    for number, edge in enumerate(drawing.edges):
        upper, lower = _vertical(drawing, edge)
        below.setdefault(upper, []).append(lower)
        above.setdefault(lower, []).append(upper)
        if drawing.marks[upper].flow == drawing.marks[lower].flow:
            pairs.append((number, upper, lower))
    lengths: dict[int, int] = {}
    for number, upper, lower in pairs:
        if drawing.marks[drawing.edges[number].tail].kind in _SOURCES:
            continue
        ours = _path_of(boxes, drawing.marks[upper].box)
        theirs = _path_of(boxes, drawing.marks[lower].box)
        shared = sum(a == b for a, b in zip(ours, theirs, strict=False))
        if len(ours) == shared or len(theirs) == shared:
            continue
        room = _reach(drawing, upper, below, ours[shared]) + _reach(
            drawing, lower, above, theirs[shared]
        )
        if 0 < room <= _MOST_ROOM:
            lengths[number] = 1 + room
    return lengths


def effort(drawing: Drawing) -> int:
    """How hard a Drawing is to lay out: the squared number of edges side by side, over all ranks.

    Graphviz's time follows this measure closely, since long edges are cut at every rank they
    pass and each such piece is ordered among its neighbours.
    """
    count = len(drawing.marks)
    pairs = [_vertical(drawing, edge) for edge in drawing.edges]
    below: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for upper, lower in pairs:
        below[upper].append(lower)
        waiting[lower] += 1
    rank, done = [0] * count, [False] * count
    free = [number for number in range(count) if not waiting[number]]
    # Adjoints of adjoints can close a cycle; the next mark in order then breaks it.
    for start in [*free, *range(count)]:
        ready = [start]
        while ready:
            upper = ready.pop()
            if done[upper]:
                continue
            done[upper] = True
            for lower in below[upper]:
                waiting[lower] -= 1
                if done[lower]:
                    continue
                rank[lower] = max(rank[lower], rank[upper] + 1)
                if not waiting[lower]:
                    ready.append(lower)
    change = [0] * (max(rank, default=0) + 2)
    for upper, lower in pairs:
        first, last = sorted((rank[upper], rank[lower]))
        change[first] += 1
        change[last] -= 1
    return sum(passing * passing for passing in itertools.accumulate(change))


def _path_of(boxes: list[Box], box: int) -> list[int]:
    path = []
    while box > 0:
        path.append(box)
        box = boxes[box].parent
    return path[::-1]


def _reach(drawing: Drawing, start: int, steps: dict[int, list[int]], box: int) -> int:
    """How many ranks the marks of a box extend from one of them; a little over the most at most."""
    level = [start]
    for distance in range(_MOST_ROOM + 1):
        level = list(
            dict.fromkeys(
                number
                for mark in level
                for number in steps.get(mark, ())
                if box in _path_of(drawing.scene.boxes, drawing.marks[number].box)
            )
        )
        if not level:
            return distance
    return _MOST_ROOM + 1


def _blank(width: float, height: float) -> str:
    """A label without words that takes exactly this room."""
    size = f'FIXEDSIZE="TRUE" WIDTH="{round(width)}" HEIGHT="{round(height)}"'
    zero = 'BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0"'
    return f"<<TABLE {zero} {size}><TR><TD {size}></TD></TR></TABLE>>"


def run_dot(source: str) -> dict[str, Any]:
    """Lays DOT source out in this process; Graphviz's own JSON description of the result."""
    with _lock:
        graph = pygraphviz.AGraph(string=source)
        context = gv.gvContextWithBuiltins()
        try:
            if gv.gvLayout(context, graph.handle, b"dot"):
                raise CompilerError("render: Graphviz found no layout for:\n" + source)
            failed, data = gv.gvRenderData(context, graph.handle, b"json0")
            gv.gvFreeLayout(context, graph.handle)
        finally:
            gv.gvFreeContext(context)
            graph.close()
    if failed:
        raise CompilerError("render: Graphviz did not describe the layout of:\n" + source)
    answer: dict[str, Any] = json.loads(data)
    return answer


# -- reading the layout back ------------------------------------------------------------------


def _read(
    drawing: Drawing,
    looks: list[Kind],
    lines: list[tuple[Line, ...]],
    sizes: list[tuple[float, float]],
    labels: list[str],
    answer: dict[str, Any],
) -> Layout:
    _, _, right, top = _numbers(answer.get("bb", "0,0,0,0"))
    mirrored = _adjoints_lie_left(drawing, answer)

    def flip(pair: str) -> Point:
        x, y = map(float, pair.split(","))
        return round(right - x if mirrored else x, 1), round(top - y, 1)

    placed: dict[int, Placed] = {}
    frames: dict[int, Frame] = {}
    for entry in answer.get("objects", ()):
        name = entry["name"]
        if name.startswith("cluster_"):
            box = int(name.removeprefix("cluster_"))
            x0, y0, x1, y1 = entry["bb"].split(",")
            (ax, bottom), (bx, upper) = flip(f"{x0},{y0}"), flip(f"{x1},{y1}")
            label = _box_label(drawing, box)
            frames[box] = Frame(box, label, min(ax, bx), upper, max(ax, bx), bottom)
        else:
            number = int(name[1:])
            x, y = flip(entry["pos"])
            placed[number] = Placed(
                drawing.marks[number], looks[number], lines[number], x, y, *sizes[number]
            )
    routes: dict[int, Route] = {}
    for entry in answer.get("edges", ()):
        number = int(entry["id"][1:])
        edge = drawing.edges[number]
        if edge.style == "inside":
            continue
        reverse = entry.get("dir") == "back"
        curves, tip = _curves(entry["pos"], flip, reverse)
        at = flip(entry["lp"]) if "lp" in entry else None
        routes[number] = Route(edge, curves, tip, labels[number], at)
    marks = tuple(placed[number] for number in sorted(placed))
    return Layout(
        drawing,
        marks,
        tuple(frames[box] for box in sorted(frames)),
        _settled([routes[number] for number in sorted(routes)], marks),
        right,
        top,
    )


def _settled(routes: list[Route], marks: tuple[Placed, ...]) -> tuple[Route, ...]:
    """The routes with their labels off the marks and off each other."""
    places = settle(
        [route.label_at if route.label else None for route in routes],
        [label_size(route.label) for route in routes],
        [route.curves for route in routes],
        [
            (m.x - m.width / 2, m.y - m.height / 2, m.x + m.width / 2, m.y + m.height / 2)
            for m in marks
        ],
    )
    return tuple(
        replace(route, label_at=place) for route, place in zip(routes, places, strict=True)
    )


def label_size(label: str) -> tuple[float, float]:
    """The room that the words of an edge take."""
    return text.width(label, LABEL_SIZE) + 2, LABEL_SIZE + 3


def _adjoints_lie_left(drawing: Drawing, answer: dict[str, Any]) -> bool:
    """Whether the layout is to be mirrored: adjoints belong to the right of the forward side."""
    places: dict[bool, list[float]] = {True: [], False: []}
    for entry in answer.get("objects", ()):
        if not entry["name"].startswith("cluster_"):
            adjoint = drawing.marks[int(entry["name"][1:])].flow < 0
            places[adjoint].append(float(entry["pos"].split(",")[0]))
    if not places[True] or not places[False]:
        return False
    return sum(places[True]) / len(places[True]) < sum(places[False]) / len(places[False])


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(round(float(part), 1) for part in text.split(","))


def _curves(
    position: str, flip: Any, reverse: bool
) -> tuple[tuple[tuple[Point, ...], ...], Point | None]:
    """Graphviz's splines, running from the producer to the consumer, and the arrow's tip."""
    curves: list[tuple[Point, ...]] = []
    tip: Point | None = None
    for spline in position.split(";"):
        points: list[Point] = []
        for word in spline.split():
            if word.startswith(("e,", "s,")):
                tip = flip(word[2:])
            else:
                points.append(flip(word))
        curves.append(tuple(reversed(points)) if reverse else tuple(points))
    return tuple(reversed(curves)) if reverse else tuple(curves), tip
