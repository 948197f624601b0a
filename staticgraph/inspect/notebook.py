"""What notebooks show of graphs, Functions, tensors and operations: pictures.

Importing this module installs the methods; core knows nothing of them. It imports no layout engine:
that is loaded when a picture is first drawn.
"""

from __future__ import annotations

from typing import Any

from staticgraph.config import LazyModule
from staticgraph.core.function import Function
from staticgraph.core.graph import Graph, Operation, Tensor
from staticgraph.inspect.export import to_networkx

# What draws is loaded when a picture is first drawn: importing staticgraph stays fast.
drawing = LazyModule("staticgraph.inspect.render")


def picture(shown: Any) -> str:
    """The SVG of a Graph, a Function, a Tensor or an Operation."""
    part = isinstance(shown, Tensor | Operation)
    svg: str = (drawing.render_part if part else drawing.render)(shown)
    return svg


def _repr_mimebundle_(self: Any, include: Any = None, exclude: Any = None) -> dict[str, str]:
    """The picture as HTML, in which tooltips work, as an image, and the plain text."""
    svg = picture(self)
    return {
        "text/plain": repr(self),
        "image/svg+xml": svg,
        "text/html": f'<div style="overflow:auto;max-height:48em">{svg}</div>',
    }


def _repr_svg_(self: Any) -> str:
    return picture(self)


def _repr_html_(self: Any) -> str:
    return _repr_mimebundle_(self)["text/html"]


def install() -> None:
    """Gives the classes their pictures, and graphs `to_networkx`."""
    for shown in (Graph, Function, Tensor, Operation):
        for method in (_repr_mimebundle_, _repr_svg_, _repr_html_):
            setattr(shown, method.__name__, method)
    Graph.to_networkx = to_networkx  # type: ignore[attr-defined]


install()
