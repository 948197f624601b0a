from __future__ import annotations

import networkx
import pytest

import staticgraph as sg
from staticgraph.inspect.export import to_networkx


def test_operations_and_edges(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (6,), name="x")
    a, b = sg.split(x, 2, name="halves")
    y = sg.subtract(b, a, name="y")
    with sg.control_dependencies([y]):
        sg.sin(y, name="z")
    made = to_networkx(graph)
    assert list(made.nodes) == ["x", "halves", "y", "z"]
    assert made.nodes["halves"]["op"] == "split"
    assert made.nodes["halves"]["types"] == ["float32[3]", "float32[3]"]
    assert made.nodes["halves"]["attrs"]["axis"] == 0
    assert made.nodes["y"]["location"].endswith('y = sg.subtract(b, a, name="y")')
    assert made.edges["halves", "y"] == {"operands": [(1, 0), (0, 1)], "control": False}
    assert made.edges["y", "z"] == {"operands": [(0, 0)], "control": True}
    assert networkx.is_directed_acyclic_graph(made)
    assert list(networkx.topological_sort(made)) == ["x", "halves", "y", "z"]


def test_adjoints_name_their_node(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (), name="x")
    sg.gradients(sg.sin(x, name="wave"), x)
    made = to_networkx(graph)
    assert "wave" in {data["adjoint_of"] for _, data in made.nodes(data=True)}
    assert made.nodes["x"]["adjoint_of"] is None


@pytest.mark.filterwarnings("error")
def test_a_long_chain_is_no_recursion(graph: sg.Graph) -> None:
    h = sg.placeholder("float32", (), name="x")
    for _ in range(5000):
        h = sg.sin(h)
    assert to_networkx(graph).number_of_edges() == 5000
