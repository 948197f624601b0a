"""Draws Layouts as SVG: shapes, words, arrows, legend, captions.

Everything is drawn with presentation attributes and nothing is referred to by id, so that several
pictures can stand in one HTML page, and a viewer that knows no style sheets shows the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from staticgraph.inspect import text
from staticgraph.inspect.collapse import Drawing
from staticgraph.inspect.layout import (
    BOX_LABEL_SIZE,
    LABEL_SIZE,
    LINE_GAP,
    Frame,
    Layout,
    Placed,
    Point,
    Route,
    label_size,
)
from staticgraph.inspect.marks import (
    SIZES,
    Kind,
    edge_tooltip,
    present,
    tooltip,
)

_INK = "#1a202c"
_SOFT = "#4a5568"
_LINE = "#5f6c80"
_MARGIN = 24.0
_GAP = 44.0
_TITLE_SIZE = 19.0
_CAPTION_SIZE = 14.5
_NOTE_SIZE = 11.0
_VEIL = 'fill="#ffffff" fill-opacity="0.78"'
_STYLES = {
    "title": f'font-weight="700" fill="{_INK}"',
    "name": f'fill="{_INK}"',
    "detail": f'fill="{_SOFT}"',
    "of": f'fill="{_SOFT}" font-style="italic"',
}


@dataclass(frozen=True, slots=True)
class Panel:
    """One Layout with its caption and the notes below it."""

    layout: Layout
    caption: str
    notes: tuple[str, ...]


def document(panels: Sequence[Panel], title: str | None) -> str:
    """The SVG of one or several panels side by side, with one legend."""
    widths = [_panel_width(panel) for panel in panels]
    total = max(sum(widths) + _GAP * (len(panels) - 1), 520.0)
    body: list[str] = []
    y = _MARGIN
    if title:
        for line in text.wrap(text.one_line(title), _TITLE_SIZE, total):
            body.append(_text(_MARGIN, y + _TITLE_SIZE, line, _TITLE_SIZE, "700", _INK, "title"))
            y += _TITLE_SIZE + 5
        y += 9
    legend, legend_height = _legend([panel.layout.drawing for panel in panels], y, total)
    body += legend
    y += legend_height
    x = _MARGIN
    bottom = y
    for number, panel in enumerate(panels):
        if number:
            body.append(
                f'<path class="divider" d="M{_n(x - _GAP / 2)} {_n(y)}V@BOTTOM@" '
                'stroke="#cbd5e0" stroke-width="1"/>'
            )
        drawn, height = _panel(panel, number, x, y, widths[number])
        body += drawn
        bottom = max(bottom, y + height)
        x += widths[number] + _GAP
    width, height = total + 2 * _MARGIN, bottom + _MARGIN
    text_body = "\n".join(body).replace("@BOTTOM@", _n(bottom))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="staticgraph" width="{_n(width)}" '
        f'height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}" role="img" '
        f'font-family="{text.attribute(text.FONTS)}" aria-label="{_summary(panels, title)}">\n'
        f'<rect class="background" width="{_n(width)}" height="{_n(height)}" fill="#ffffff"/>\n'
        f"{text_body}\n</svg>\n"
    )


def _summary(panels: Sequence[Panel], title: str | None) -> str:
    captions = "; ".join(panel.caption for panel in panels)
    return text.attribute(f"{title}: {captions}" if title else captions)


def _panel_width(panel: Panel) -> float:
    return max(panel.layout.width, text.width(panel.caption, _CAPTION_SIZE, True), 220.0)


def _n(number: float) -> str:
    """A coordinate in at most one decimal."""
    return f"{number:.1f}".removesuffix(".0")


def _text(x: float, y: float, words: str, size: float, weight: str, fill: str, kind: str) -> str:
    return (
        f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" '
        f'font-weight="{weight}" fill="{fill}">{text.xml(words)}</text>'
    )


# -- legend -----------------------------------------------------------------------------------


def _legend(drawings: Sequence[Drawing], top: float, limit: float) -> tuple[list[str], float]:
    rows = present(drawings)
    entries: list[tuple[str, Kind | str]] = [(kind.legend, kind) for _, kind in rows]
    styles = {edge.style for drawing in drawings for edge in drawing.edges}
    if "control" in styles:
        entries.append(("control edge (order only)", "control"))
    if "initial" in styles:
        entries.append(("initial value", "initial"))
    if not entries:
        return [], 0.0
    out = ['<g class="legend">']
    x, y, height = _MARGIN, top, 22.0
    for label, look in entries:
        room = 32 + text.width(label, _NOTE_SIZE) + 16
        if x + room > _MARGIN + limit and x > _MARGIN:
            x, y = _MARGIN, y + height
        middle = y + height / 2
        out.append('<g class="legend-entry">')
        if isinstance(look, str):
            out.append(_line([(x, middle), (x + 24, middle)], look, (x + 30, middle)))
        else:
            fill = "#f4f5f7" if look.shape == "stack" else look.fill
            out.append(_shape(look.shape, x + 13, middle, 26, 15, fill, look.stroke))
        out.append(_text(x + 34, middle + 4, label, _NOTE_SIZE, "400", _INK, "legend-text"))
        out.append("</g>")
        x += room + 8
    out.append("</g>")
    return out, y + height + 14 - top


def _line(points: Sequence[Point], style: str, tip: Point) -> str:
    path = "M" + " ".join(f"{_n(px)},{_n(py)}" for px, py in points)
    return f'<path d="{path}" {_edge_style(style)}/>{_arrow(points[-1], tip, style)}'


# -- panels -----------------------------------------------------------------------------------


def _panel(
    panel: Panel, number: int, left: float, top: float, width: float
) -> tuple[list[str], float]:
    layout = panel.layout
    out = [f'<g class="panel" data-nodes="{layout.drawing.scene.nodes}">']
    y = top + _CAPTION_SIZE
    out.append(_text(left, y, panel.caption, _CAPTION_SIZE, "700", _INK, "caption"))
    y += 5
    for note in panel.notes:
        for line in text.wrap(note, _NOTE_SIZE, width):
            y += _NOTE_SIZE + 4
            out.append(_text(left, y, line, _NOTE_SIZE, "400", _SOFT, "note"))
    y += 14
    shift = left + (width - layout.width) / 2
    out.append(f'<g class="graph" transform="translate({_n(shift)} {_n(y)})">')
    out += [_frame(frame, layout) for frame in layout.frames]
    out += [_route(route, layout) for route in layout.routes]
    out += [_frame_label(frame) for frame in layout.frames]
    out += [
        _edge_label(route, route.label_at, layout)
        for route in layout.routes
        if route.label and route.label_at is not None
    ]
    out += [_mark(placed, layout, f"p{number}n{i}") for i, placed in enumerate(layout.marks)]
    out += ["</g>", "</g>"]
    return out, y + layout.height - top


def _frame(frame: Frame, layout: Layout) -> str:
    box = layout.drawing.scene.boxes[frame.box]
    look = {
        "holder": 'fill="#f3f5fb" stroke="#33427a" stroke-width="1.3"',
        "body": 'fill="#ffffff" stroke="#33427a" stroke-width="1" stroke-dasharray="6 3"',
    }.get(box.kind, 'fill="#64748b" fill-opacity="0.06" stroke="#8491a5" stroke-width="1"')
    return (
        f'<g class="box {box.kind}" data-path="{text.attribute(box.path or box.label)}">'
        f"<title>{text.xml(box.path or box.label)}</title>"
        f'<rect x="{_n(frame.left)}" y="{_n(frame.top)}" width="{_n(frame.right - frame.left)}" '
        f'height="{_n(frame.bottom - frame.top)}" rx="7" {look}/></g>'
    )


def _frame_label(frame: Frame) -> str:
    """The name of a box, drawn after all lines that cross its border."""
    x, y = frame.left + 8, frame.top + 14
    room = text.width(frame.label, BOX_LABEL_SIZE, True)
    return _rect(x - 2, y - 10, room + 4, 13, 3, _VEIL) + _text(
        x, y, frame.label, BOX_LABEL_SIZE, "700", _SOFT, "box-label"
    )


def _edge_style(style: str) -> str:
    dash = {"control": ' stroke-dasharray="5 4"', "initial": ' stroke-dasharray="1.5 3"'}
    colour = "#8a2c5b" if style == "control" else _LINE
    return f'fill="none" stroke="{colour}" stroke-width="1.2"{dash.get(style, "")}'


def _route(route: Route, layout: Layout) -> str:
    style = route.edge.style
    commands = [_lead_in(route)]
    for curve in route.curves:
        rest = " ".join(f"{_n(x)},{_n(y)}" for x, y in curve[1:])
        commands.append(f"M{_n(curve[0][0])},{_n(curve[0][1])}C{rest}")
    out = [
        f'<g class="edge {style}"><title>'
        f"{text.xml(edge_tooltip(route.edge, layout.drawing))}</title>"
        f'<path d="{"".join(commands)}" {_edge_style(style)}/>'
    ]
    if route.tip is not None:
        out.append(_arrow(route.curves[-1][-1], route.tip, style))
    out.append("</g>")
    return "".join(out)


def _lead_in(route: Route) -> str:
    """A few pixels below the producer, whose outline may lie inside its rectangle."""
    (x, y), (nx, ny) = route.curves[0][0], route.curves[0][1]
    length = math.hypot(nx - x, ny - y)
    if length == 0:
        return ""
    step = 8 / length
    return f"M{_n(x - (nx - x) * step)},{_n(y - (ny - y) * step)}L{_n(x)},{_n(y)}"


def _edge_label(route: Route, at: Point, layout: Layout) -> str:
    """A label, drawn after all lines: a veil below it keeps crossing lines off the words."""
    x, y = at
    room, tall = label_size(route.label)
    return (
        f'<g class="edge-label"><title>{text.xml(edge_tooltip(route.edge, layout.drawing))}</title>'
        + _rect(x - room / 2, y - tall / 2, room, tall, 3, _VEIL)
        + f'<text x="{_n(x)}" y="{_n(y + 3.2)}" text-anchor="middle" font-size="{_n(LABEL_SIZE)}" '
        f'fill="{_SOFT}">{text.xml(route.label)}</text></g>'
    )


def _arrow(base: Point, tip: Point, style: str) -> str:
    dx, dy = tip[0] - base[0], tip[1] - base[1]
    length = math.hypot(dx, dy) or 1.0
    nx, ny = -dy / length * 3.2, dx / length * 3.2
    colour = "#8a2c5b" if style == "control" else _LINE
    points = f"{_n(base[0] + nx)},{_n(base[1] + ny)} {_n(tip[0])},{_n(tip[1])} "
    points += f"{_n(base[0] - nx)},{_n(base[1] - ny)}"
    return f'<polygon points="{points}" fill="{colour}"/>'


def _mark(placed: Placed, layout: Layout, identity: str) -> str:
    mark = placed.mark
    item = layout.drawing.scene.items[mark.items[0]]
    classes = f"node {mark.kind}" if mark.reason == "item" else f"node collapsed {mark.kind}"
    name = item.name if mark.reason == "item" else mark.label
    data = f'data-id="{identity}" data-name="{text.attribute(name)}"'
    if mark.reason == "item" and item.node is not None:
        data += f' data-op="{item.node.op.name}"'
    shape = placed.look.shape
    out = [
        f'<g class="{classes}" {data}><title>{text.xml(tooltip(mark, layout.drawing))}</title>',
        _shape(
            shape, placed.x, placed.y, placed.width, placed.height,
            placed.look.fill, placed.look.stroke,
        ),
    ]  # fmt: skip
    tall = sum(SIZES[line.style] for line in placed.lines) + LINE_GAP * (len(placed.lines) - 1)
    y = placed.y - tall / 2 + _TEXT_SHIFT.get(shape, 0.0)
    for line in placed.lines:
        size = SIZES[line.style]
        y += size
        out.append(
            f'<text class="{line.style}" x="{_n(placed.x + _TEXT_LEFT.get(shape, 0.0))}" '
            f'y="{_n(y - 1.5)}" text-anchor="middle" font-size="{_n(size)}" '
            f"{_STYLES[line.style]}>{text.xml(line.text)}</text>"
        )
        y += LINE_GAP
    out.append("</g>")
    return "".join(out)


# Where the middle of the free room of a shape lies, from the middle of its rectangle.
_TEXT_SHIFT = {"arrow": -3.0, "cylinder": 2.5, "house": 3.0, "stack": -3.0}
_TEXT_LEFT = {"stack": -2.5}


# -- shapes -----------------------------------------------------------------------------------


def _shape(
    shape: str, x: float, y: float, width: float, height: float, fill: str, stroke: str
) -> str:
    """A shape that fills the rectangle around (x, y) exactly."""
    style = f'class="shape" fill="{fill}" stroke="{stroke}" stroke-width="1.3"'
    left, right, top, bottom = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    # Legend samples are small: slants and bends shrink with the height.
    slant = min(10.0, height / 3)
    if shape in ("rounded", "pill", "bar"):
        radius = {"rounded": min(7.0, height / 3), "pill": height / 2, "bar": 1.0}[shape]
        return _rect(left, top, width, height, radius, style)
    if shape == "double":
        inner = _rect(left + 3, top + 3, width - 6, height - 6, 3, style)
        return _rect(left, top, width, height, 5, style) + inner
    if shape == "frame":
        bars = f"M{_n(left + 5)} {_n(top)}V{_n(bottom)}M{_n(right - 5)} {_n(top)}V{_n(bottom)}"
        return _rect(left, top, width, height, 2, style) + f'<path d="{bars}" {style}/>'
    if shape == "stack":
        return "".join(
            _rect(left + shift, top + shift, width - 5, height - 5, 4, style)
            for shift in (5.0, 2.5, 0.0)
        )
    if shape == "cylinder":
        return _cylinder(left, top, width, height, min(5.0, height / 4), style)
    if shape == "note":
        fold = min(8.0, height / 2.5)
        outline = f"M{_n(left)} {_n(top)}H{_n(right - fold)}L{_n(right)} {_n(top + fold)}"
        corner = f"M{_n(right - fold)} {_n(top)}V{_n(top + fold)}H{_n(right)}"
        return f'<path d="{outline}V{_n(bottom)}H{_n(left)}Z{corner}" {style}/>'
    half = min(7.0, height / 3)
    outlines: dict[str, list[Point]] = {
        "hexagon": [(left + slant, top), (right - slant, top), (right, y), (right - slant, bottom),
                    (left + slant, bottom), (left, y)],
        "parallelogram": [(left + slant, top), (right, top), (right - slant, bottom),
                          (left, bottom)],
        "arrow": [(left, top), (right, top), (right, bottom - half), (x, bottom),
                  (left, bottom - half)],
        "house": [(left, top + half), (x, top), (right, top + half), (right, bottom),
                  (left, bottom)],
        "trapezoid": [(left + slant, top), (right - slant, top), (right, bottom), (left, bottom)],
        "funnel": [(left, top), (right, top), (right - slant, bottom), (left + slant, bottom)],
        "octagon": [(left + half, top), (right - half, top), (right, top + half),
                    (right, bottom - half), (right - half, bottom), (left + half, bottom),
                    (left, bottom - half), (left, top + half)],
    }  # fmt: skip
    bars = ""
    if shape == "barred":
        edges = (_n(left + slant), _n(right - slant))
        drawn = "".join(f"M{edge} {_n(top)}V{_n(bottom)}" for edge in edges)
        bars, shape = f'<path d="{drawn}" {style}/>', "hexagon"
    points = " ".join(f"{_n(px)},{_n(py)}" for px, py in outlines[shape])
    return f'<polygon points="{points}" {style}/>{bars}'


def _rect(left: float, top: float, width: float, height: float, radius: float, style: str) -> str:
    return (
        f'<rect x="{_n(left)}" y="{_n(top)}" width="{_n(width)}" height="{_n(height)}" '
        f'rx="{_n(radius)}" {style}/>'
    )


def _cylinder(left: float, top: float, width: float, height: float, bend: float, style: str) -> str:
    right, bottom = left + width, top + height
    arc = f"{_n(width / 2)} {_n(bend)} 0 0"
    side = f"M{_n(left)} {_n(top + bend)}A{arc} 1 {_n(right)} {_n(top + bend)}V{_n(bottom - bend)}"
    rim = f"M{_n(left)} {_n(top + bend)}A{arc} 0 {_n(right)} {_n(top + bend)}"
    # One path: the rim lies inside the filled outline.
    return f'<path d="{side}A{arc} 1 {_n(left)} {_n(bottom - bend)}Z{rim}" {style}/>'
