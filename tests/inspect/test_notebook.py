from __future__ import annotations

from typing import Any

import staticgraph as sg
from staticgraph.inspect import notebook
from tests.inspect.pictures import read


def test_every_program_shows_itself(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (), name="x")
    y = sg.sin(x, name="y")
    notebook.install()
    for shown in (graph, sg.extract(y), y, y.node):
        object_: Any = shown
        bundle = object_._repr_mimebundle_()
        assert bundle["text/plain"] == repr(shown)
        assert object_._repr_svg_() == bundle["image/svg+xml"]
        assert object_._repr_html_() == bundle["text/html"]
        assert bundle["image/svg+xml"] in bundle["text/html"]
        assert read(bundle["image/svg+xml"]).node("y").op == "sin"


def test_a_tensor_shows_what_it_is_computed_from() -> None:
    x = sg.placeholder("float32", (), name="x")
    w = sg.Variable(2.0, name="w")
    y = sg.multiply(w, x, name="y")
    sg.exp(y, name="beyond")
    with sg.control_dependencies([w.assign_add(1.0)]):
        z = sg.identity(y, name="z")
    picture = read(notebook.picture(z))
    names = [node.name for node in picture.nodes]
    assert "beyond" not in names
    assert {"x", "w", "y", "z", "assign_add"} <= set(names)
    assert [node.words for node in picture.of_kind("result")] == [["result", "z"]]
    assert any("control" in edge.classes for edge in picture.edges)
    assert read(notebook.picture(y.node)).of_kind("result") == []


def test_unordered_assigns_are_no_obstacle_to_looking() -> None:
    w = sg.Variable(1.0, name="w")
    both = sg.group(w.assign(2.0), w.assign(3.0), name="both")
    assert len(read(notebook.picture(both)).of_kind("assign")) == 2
