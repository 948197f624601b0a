"""Reads an SVG picture back: nodes, boxes, edges and words, with their rectangles."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

_SVG = "{http://www.w3.org/2000/svg}"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_COMMAND = re.compile(r"([MLHVAZC])([^MLHVAZC]*)")

Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass
class Drawn:
    """A node, a box or an edge of a picture."""

    name: str
    op: str
    classes: list[str]
    tooltip: str
    words: list[str]
    rectangle: Rectangle
    shape: str = ""
    fill: str = ""
    text_elements: list[Any] = field(default_factory=list)


@dataclass
class Picture:
    """One panel of a picture; `root` is the whole document."""

    root: Any
    caption: str
    notes: list[str]
    nodes: list[Drawn]
    boxes: list[Drawn]
    edges: list[Drawn]
    labels: list[Drawn]

    def node(self, name: str) -> Drawn:
        """The only node called `name`; results have the names of what they return."""
        found = [n for n in self.nodes if n.name == name and "result" not in n.classes]
        assert len(found) == 1, (name, [node.name for node in self.nodes])
        return found[0]

    def of_kind(self, kind: str) -> list[Drawn]:
        return [node for node in self.nodes if kind in node.classes]

    @property
    def label_words(self) -> list[str]:
        return [label.words[0] for label in self.labels]


def read(svg: str) -> Picture:
    """The only panel of a picture."""
    (panel,) = panels(svg)
    return panel


def panels(svg: str) -> list[Picture]:
    """The panels of a picture, from left to right."""
    root = ElementTree.fromstring(svg)
    return [_panel(root, group) for group in _with_class(root, "panel")]


def texts(root: Any, kind: str) -> list[str]:
    """The words of all text elements of a class."""
    return [element.text or "" for element in _with_class(root, kind)]


def legend(svg: str) -> list[str]:
    return texts(ElementTree.fromstring(svg), "legend-text")


def _with_class(root: Any, kind: str) -> list[Any]:
    return [element for element in root.iter() if kind in element.get("class", "").split()]


def _panel(root: Any, group: Any) -> Picture:
    (caption,) = texts(group, "caption")
    return Picture(
        root,
        caption,
        texts(group, "note"),
        [_drawn(element) for element in _with_class(group, "node")],
        [_drawn(element) for element in _with_class(group, "box")],
        [_drawn(element) for element in _with_class(group, "edge")],
        [_drawn(element) for element in _with_class(group, "edge-label")],
    )


def _drawn(element: Any) -> Drawn:
    shapes = [e for e in element if e.tag in (_SVG + "rect", _SVG + "polygon", _SVG + "path")]
    words = [e for e in element if e.tag == _SVG + "text"]
    corners = [rectangle(shape) for shape in shapes]
    return Drawn(
        element.get("data-name", element.get("data-path", "")),
        element.get("data-op", ""),
        element.get("class").split(),
        next((e.text or "" for e in element if e.tag == _SVG + "title"), ""),
        [e.text or "" for e in words],
        (
            min(c[0] for c in corners), min(c[1] for c in corners),
            max(c[2] for c in corners), max(c[3] for c in corners),
        ),
        shapes[0].tag.removeprefix(_SVG),
        shapes[0].get("fill", ""),
        words,
    )  # fmt: skip


def rectangle(shape: Any) -> Rectangle:
    """The rectangle around a rect, a polygon or a path (arcs by their ends)."""
    if shape.tag == _SVG + "rect":
        x, y, w, h = (float(shape.get(key)) for key in ("x", "y", "width", "height"))
        return x, y, x + w, y + h
    if shape.tag == _SVG + "polygon":
        numbers = [float(n) for n in _NUMBER.findall(shape.get("points"))]
        return _around(numbers[::2], numbers[1::2])
    xs: list[float] = []
    ys: list[float] = []
    for command, rest in _COMMAND.findall(shape.get("d")):
        numbers = [float(n) for n in _NUMBER.findall(rest)]
        if command == "H":
            xs += numbers
        elif command == "V":
            ys += numbers
        elif command == "A":
            bend = numbers[1]
            xs.append(numbers[5])
            ys += [numbers[6], numbers[6] - bend if numbers[4] else numbers[6]]
        else:
            xs += numbers[::2]
            ys += numbers[1::2]
    return _around(xs, ys)


def _around(xs: list[float], ys: list[float]) -> Rectangle:
    return min(xs), min(ys), max(xs), max(ys)


def overlap(first: Rectangle, second: Rectangle) -> bool:
    """Whether two rectangles share more than a border."""
    return (
        first[0] < second[2] - 0.2 and second[0] < first[2] - 0.2
        and first[1] < second[3] - 0.2 and second[1] < first[3] - 0.2
    )  # fmt: skip


def overlapping(drawn: list[Drawn]) -> list[tuple[str, str]]:
    """Pairs whose rectangles overlap."""
    return [
        (a.name or str(a.words), b.name or str(b.words))
        for i, a in enumerate(drawn)
        for b in drawn[i + 1 :]
        if overlap(a.rectangle, b.rectangle)
    ]


@cache
def _font(bold: bool) -> Any:
    # A wide common sans-serif that comes with matplotlib: text that fits in it fits in most.
    import matplotlib
    from matplotlib.ft2font import FT2Font

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return FT2Font(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name))


def measured_width(words: str, size: float, bold: bool) -> float:
    """The width of text by the font's own metrics: a second witness beside the estimate."""
    font = _font(bold)
    font.set_size(size * 8, 72)
    font.set_text(words)
    return float(font.get_width_height()[0]) / 64 / 8


def words_outside(node: Drawn) -> list[str]:
    """The texts of a node that do not lie within its rectangle."""
    left, top, right, bottom = node.rectangle
    outside = []
    for element in node.text_elements:
        size = float(element.get("font-size"))
        wide = measured_width(element.text or "", size, element.get("font-weight") == "700")
        x, y = float(element.get("x")), float(element.get("y"))
        inside = (
            x - wide / 2 >= left + 1 and x + wide / 2 <= right - 1
            and y - size * 0.76 >= top and y + size * 0.2 <= bottom
        )  # fmt: skip
        if not inside:
            outside.append(element.text or "")
    return outside
