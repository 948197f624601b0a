"""What notebooks show of graphs, Functions, tensors and operations: pictures.

Importing this module installs the methods; core knows nothing of them. It imports no layout engine:
that is loaded when a picture is first drawn.
"""

from __future__ import annotations

from typing import Any

from staticgraph.core.function import Function
from staticgraph.core.graph import Graph, Operation, Tensor
from staticgraph.inspect.export import to_networkx
from staticgraph.inspect.render import render, render_part


def picture(shown: Any) -> str:
    """The SVG of a Graph, a Function, a Tensor or an Operation."""
    if isinstance(shown, Tensor | Operation):
        return render_part(shown)
    return render(shown)


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
