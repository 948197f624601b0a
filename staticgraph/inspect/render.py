"""Pictures of programs: SVG of graphs, Functions and fetches, also side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from staticgraph.core.function import Function
from staticgraph.core.graph import Graph, Operation, Tensor
from staticgraph.core.location import capture
from staticgraph.errors import GraphError
from staticgraph.inspect.collapse import Drawing, Reason, draw
from staticgraph.inspect.layout import effort, place
from staticgraph.inspect.marks import nodes_in, top_counts
from staticgraph.inspect.scene import Scene, scene_of_function, scene_of_graph
from staticgraph.inspect.svg import Panel, document
from staticgraph.inspect.text import one_line, shorten
from staticgraph.passes.report import PipelineReport
from staticgraph.runtime import plan

MAX_NODES = 200
"""How many marks one picture shows before it collapses some of them."""

_MAX_RUNS = 40
_MOST_SHARED = 3

# Layouts above the first measure are drawn without words on edges, above the second with fewer
# marks: a second or two on a laptop each. What a caller asks for in numbers is done as asked.
_EFFORT_WITH_LABELS = 150_000
_EFFORT = 400_000

Optimized = Literal["both"] | bool


def render(
    what: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    title: str | None = None,
    optimized: Optimized = False,
    max_nodes: int | None = None,
    edge_labels: bool | None = None,
) -> str:
    """A picture of a program, as SVG text; also written to `path` when one is given.

    what         a Graph, a Function, or fetches as in `Session.run` (tensors, operations,
                 variables, names, any nesting of them: drawn is what they need, as written). A list
                 or dict that holds a Graph or a Function is drawn side by side, one panel an
                 entry; the keys of a dict are the captions.
    path         a file that ends in ``.svg``
    title        a line above the picture
    optimized    True draws what the optimizer makes of fetches or of a Function, ``"both"``
                 draws it beside what was written
    max_nodes    how many marks a panel may have. Above that name scopes are collapsed, deepest
                 first, then straight-line chains, then neighbours; the picture says so. None is
                 200, or fewer where long edges would make the layout slow.
    edge_labels  whether edges show dtype and shape, or the nodes they come from (tooltips always
                 do). None is the edges, unless there are too many.

    Adjoint nodes are drawn beside the nodes whose adjoints they are, with data flowing upward.
    Tooltips give full names, types, attributes and the user's line. The same program gives the same
    text. Raises GraphError for arguments that cannot be drawn, FetchError for what cannot be
    fetched.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (), name="x")
    >>> picture = render(x * x + 1.0)
    >>> picture.startswith("<svg")
    True
    """
    _check(path, optimized, max_nodes)
    panels = [
        _panel(caption, scene, max_nodes, edge_labels)
        for caption, scene in _scenes(what, optimized)
    ]
    picture = document(panels, title)
    if path is not None:
        Path(path).write_text(picture, encoding="utf-8")
    return picture


def render_part(shown: Tensor | Operation, max_nodes: int | None = None) -> str:
    """The part of its graph that a tensor or operation needs: what a notebook shows of it."""
    node = shown if isinstance(shown, Operation) else shown.node
    wanted = bytearray(len(node.graph.operations))
    stack = [node]
    while stack:
        needed = stack.pop()
        if not wanted[needed.id]:
            wanted[needed.id] = 1
            stack += needed.control_inputs
            stack += [operand.node for operand in needed.inputs]
    operations = [node.graph.operations[index] for index, kept in enumerate(wanted) if kept]
    results = [shown] if isinstance(shown, Tensor) else []
    scene = scene_of_graph(operations, results)
    return document([_panel(shown.name, scene, max_nodes, None)], None)


def _panel(name: str, scene: Scene, max_nodes: int | None, edge_labels: bool | None) -> Panel:
    drawing, labelled = _fit(scene, max_nodes, edge_labels)
    caption = f"{name}: {scene.nodes:,} node{'' if scene.nodes == 1 else 's'}"
    notes = [top_counts(scene.ops, 8) or "nothing to draw", *scene.remarks]
    notes.append(_collapse_note(drawing))
    if not labelled and edge_labels is None:
        notes.append("Too many edges for words on them: the type stands in the node it comes from.")
    return Panel(place(drawing, labelled), caption, tuple(note for note in notes if note))


def _fit(scene: Scene, max_nodes: int | None, edge_labels: bool | None) -> tuple[Drawing, bool]:
    """A Drawing that can be laid out in reasonable time, and whether its edges have labels."""
    limit = MAX_NODES if max_nodes is None else max_nodes
    drawing = draw(scene, limit)
    if max_nodes is None and drawing.collapsed("run"):
        # Runs of neighbours mean little each: a few show the course of things as well as many.
        limit = _MAX_RUNS
        drawing = draw(scene, limit)
    hard = effort(drawing)
    while max_nodes is None and hard > _EFFORT and limit > 10:
        limit = limit * 3 // 4
        drawing = draw(scene, limit)
        hard = effort(drawing)
    return drawing, hard <= _EFFORT_WITH_LABELS if edge_labels is None else edge_labels


def _collapse_note(drawing: Drawing) -> str:
    """What was collapsed, and how to see it."""
    words: tuple[tuple[Reason, str, str], ...] = (
        ("scope", "name scope", "name scopes"),
        ("body", "body", "bodies"),
        ("chain", "chain", "chains"),
        ("run", "group of neighbours", "groups of neighbours"),
    )
    parts = []
    for reason, one, many in words:
        marks = drawing.collapsed(reason)
        if marks:
            inside = sum(len(nodes_in(mark, drawing.scene)) for mark in marks)
            parts.append(f"{len(marks)} {one if len(marks) == 1 else many} ({inside:,} nodes)")
    if not parts:
        return ""
    return (
        f"Collapsed to fit max_nodes={drawing.max_nodes}: {', '.join(parts)}. To see more, pass "
        f"max_nodes={drawing.items}, or render the tensors of the part you want to see."
    )


# -- what to draw -----------------------------------------------------------------------------


def _scenes(what: Any, optimized: Optimized) -> list[tuple[str, Scene]]:
    if isinstance(what, Mapping) and any(_is_program(value) for value in what.values()):
        return [
            (str(key) if not name else f"{key}, {name}", scene)
            for key, value in what.items()
            for name, scene in _scenes_of(value, optimized, "")
        ]
    if isinstance(what, list | tuple) and any(_is_program(value) for value in what):
        return [pair for value in what for pair in _scenes_of(value, optimized, None)]
    return _scenes_of(what, optimized, None)


def _is_program(value: Any) -> bool:
    return isinstance(value, Graph | Function)


def _scenes_of(what: Any, optimized: Optimized, name: str | None) -> list[tuple[str, Scene]]:
    """One entry as one or two panels; `name` replaces the caption where there is one panel."""
    if isinstance(what, Graph):
        if optimized is not False:
            raise GraphError(
                "render: a Graph has no optimized form\n"
                f"  what is {what!r}, optimized={optimized!r}\n"
                "  the optimizer works on what a run computes: give fetches, as in "
                "render([loss], optimized='both')\n"
                f"  at {capture()}"
            )
        return [("graph" if name is None else name, scene_of_graph(what.operations))]
    written = what if isinstance(what, Function) else plan.extract(what)
    done = isinstance(what, Function) and what.report is not None
    pairs: list[tuple[str, Scene]] = []
    if optimized is not True:
        caption = "optimized" if done else "as written"
        both = optimized == "both"
        pairs.append((caption if name is None or both else name, _function_scene(written)))
    if optimized is not False:
        pairs.append(
            ("optimized" if name is None or optimized == "both" else name,
             _function_scene(plan.optimize(written)))
        )  # fmt: skip
    return pairs


def _function_scene(function: Function) -> Scene:
    """The Scene of a Function; what the optimizer shared is told in words, most often first."""
    scene = scene_of_function(function)
    if isinstance(function.report, PipelineReport):
        for expression, times in function.report.shared[:_MOST_SHARED]:
            shown = shorten(one_line(expression), 60)
            scene.remarks.append(f"computed once: {shown}, written {times} times")
        rest = len(function.report.shared) - _MOST_SHARED
        if rest > 0:
            scene.remarks.append(f"and {rest} more shared expressions: the report lists them")
    return scene


def _check(path: str | os.PathLike[str] | None, optimized: Any, max_nodes: Any) -> None:
    if path is not None and Path(path).suffix.lower() != ".svg":
        raise GraphError(
            "render: the picture is SVG text, and the file is named otherwise\n"
            f"  path is {os.fspath(path)!r}\n"
            "  give a path that ends in .svg\n"
            f"  at {capture()}"
        )
    if optimized not in (True, False, "both"):
        raise GraphError(
            f"render: optimized={optimized!r} is no choice\n"
            "  give False (as written), True (optimized) or 'both' (side by side)\n"
            f"  at {capture()}"
        )
    if max_nodes is not None and (
        isinstance(max_nodes, bool) or not isinstance(max_nodes, int) or max_nodes < 1
    ):
        raise GraphError(
            f"render: max_nodes={max_nodes!r} is no number of nodes\n"
            "  give an int of at least 1, or None for the default\n"
            f"  at {capture()}"
        )
