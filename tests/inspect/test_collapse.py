from __future__ import annotations

import random

import pytest

import staticgraph as sg
from staticgraph.inspect.collapse import Drawing, draw
from staticgraph.inspect.layout import effort
from staticgraph.inspect.render import MAX_NODES, render
from staticgraph.inspect.scene import scene_of_function, scene_of_graph
from tests.inspect.models import perceptron, with_bodies
from tests.inspect.pictures import read


def drawing(graph: sg.Graph, max_nodes: int) -> Drawing:
    made = draw(scene_of_graph(graph.operations), max_nodes)
    assert len(made.marks) <= max_nodes
    members = sorted(index for mark in made.marks for index in mark.items)
    assert members == list(range(len(made.scene.items)))
    return made


def labels(made: Drawing, reason: str) -> list[str]:
    return [mark.label for mark in made.marks if mark.reason == reason]


def test_what_fits_is_not_collapsed(graph: sg.Graph) -> None:
    perceptron(2)
    assert all(mark.reason == "item" for mark in drawing(graph, MAX_NODES).marks)


def test_deepest_scopes_go_first_and_the_largest_of_a_depth(graph: sg.Graph) -> None:
    h = sg.placeholder("float32", (), name="x")
    for outer, sizes in (("one", (3, 5)), ("two", (4, 2))):
        with sg.name_scope(outer):
            for number, size in enumerate(sizes):
                with sg.name_scope(f"part{number}"):
                    for _ in range(size):
                        h = sg.sin(h)
    assert labels(drawing(graph, 15), "scope") == []
    assert labels(drawing(graph, 14), "scope") == ["one/part1"]
    assert labels(drawing(graph, 9), "scope") == ["one/part1", "two/part0"]
    assert labels(drawing(graph, 5), "scope") == [
        "one/part0", "one/part1", "two/part0", "two/part1",
    ]  # fmt: skip
    assert labels(drawing(graph, 4), "scope") == ["one", "two/part0", "two/part1"]
    assert labels(drawing(graph, 3), "scope") == ["one", "two"]


def test_a_scope_of_one_node_is_left_alone(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (), name="x")
    with sg.name_scope("alone"):
        y = sg.sin(x)
    with sg.name_scope("many"):
        for _ in range(5):
            y = sg.sin(y)
    assert labels(drawing(graph, 3), "scope") == ["many"]


def test_chains_follow_scopes(graph: sg.Graph) -> None:
    h = sg.placeholder("float32", (), name="x")
    for _ in range(20):
        h = sg.sin(h) * 2.0
    short = sg.exp(sg.exp(sg.add(h, 1.0, name="side")))
    sg.add(h, short, name="end")
    made = drawing(graph, 12)
    # h feeds two nodes, so the long chain ends there; literals belong to their consumers.
    assert labels(made, "chain") == ["sin … multiply_19"]
    chain = next(mark for mark in made.marks if mark.reason == "chain")
    assert len(chain.items) == 40 + 20
    assert {e.head for e in made.edges if made.marks[e.tail] is chain} == {
        n for n, mark in enumerate(made.marks) if mark.label in ("side", "end")
    }
    tooltip = next(n for n in read(render(graph, max_nodes=12)).nodes if "collapsed" in n.classes)
    assert tooltip.words == ["sin … multiply_19", "40 nodes in a chain", "multiply ×20, sin ×20"]


def test_runs_are_the_last_resort(graph: sg.Graph) -> None:
    values = [sg.placeholder("float32", (), name=f"x{n}") for n in range(64)]
    while len(values) > 1:
        values = [a + b for a, b in zip(values[::2], values[1::2], strict=True)]
    made = drawing(graph, 10)
    assert {mark.kind for mark in made.marks} == {"placeholder", "forward"}
    assert all(mark.reason == "run" for mark in made.marks)
    assert len(drawing(graph, 1).marks) == 1


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 20, 60])
def test_any_graph_fits_any_limit(graph: sg.Graph, limit: int) -> None:
    rng = random.Random(limit)
    values = [sg.Variable(1.0, name="w").value, sg.placeholder("float32", (), name="x")]
    for number in range(150):
        with sg.name_scope(rng.choice(["a", "b", "c/d", "e/f/g"])):
            values.append(rng.choice(values[-9:]) * rng.choice([*values[-9:], 3.0]))
        if number % 30 == 7:
            sg.print(values[-1])
    sg.gradients(values[-1], values[1], unconnected="zero")
    drawing(graph, limit)
    picture = read(render(graph, max_nodes=limit))
    assert len(picture.nodes) <= limit


def test_bodies_collapse_like_scopes() -> None:
    scene = scene_of_function(with_bodies())
    made = draw(scene, len(scene.items) - 1)
    assert [(mark.reason, mark.label) for mark in made.marks if mark.reason != "item"] == [
        ("body", "bodies[1]: body")
    ]
    whole = draw(scene, 6)
    assert ("body", "outer/loop") in [(mark.reason, mark.label) for mark in whole.marks]
    assert "1 body (" in " ".join(read(render(with_bodies(), max_nodes=6)).notes)


def test_the_picture_says_what_was_collapsed(graph: sg.Graph) -> None:
    perceptron(4)
    svg = render(graph, max_nodes=40)
    picture = read(svg)
    note = " ".join(picture.notes)
    assert "Collapsed to fit max_nodes=40: " in note and "name scopes (" in note
    everything = len(scene_of_graph(graph.operations).items)
    assert f"To see more, pass max_nodes={everything}, or render the tensors of the part" in note
    assert len(read(render(graph, max_nodes=everything)).nodes) == everything
    collapsed = [node for node in picture.nodes if "collapsed" in node.classes]
    gradients = next(node for node in collapsed if node.name == "gradients/loss")
    assert "adjoint" in gradients.classes
    count = int(gradients.words[1].split()[0])
    assert gradients.words[0] == "loss" and count > 10
    assert f"gradients/loss: {count} nodes drawn as one" in gradients.tooltip
    assert picture.caption == f"graph: {len(graph)} nodes"


def test_links_of_groups_are_drawn_together(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (2,), name="x")
    with sg.name_scope("first"):
        values = [sg.sin(x), sg.cos(x), sg.exp(x)]
    with sg.name_scope("second"):
        for value in values:
            sg.tanh(value)
    picture = read(render(graph, max_nodes=3))
    assert sorted(picture.label_words) == ["3 × float32[2]", "float32[2]"]


def test_five_thousand_nodes_in_scopes(graph: sg.Graph) -> None:
    h = sg.placeholder("float32", (None, 8), name="x")
    for block in range(10):
        with sg.name_scope(f"block{block}"):
            for layer in range(10):
                with sg.name_scope(f"layer{layer}"):
                    for _ in range(25):
                        h = sg.tanh(h * 0.5) + h
    assert len(graph) > 5000
    picture = read(render(graph))
    assert 100 <= len(picture.nodes) <= MAX_NODES
    assert picture.node("block3/layer4").words[1] == "75 nodes"


def test_five_thousand_nodes_without_scopes(graph: sg.Graph) -> None:
    h = x = sg.placeholder("float32", (), name="x")
    for _ in range(2500):
        h = sg.sin(h) * x
    sg.gradients(h, x)
    picture = read(render(graph))
    assert len(picture.nodes) <= MAX_NODES
    assert any("groups of neighbours" in note for note in picture.notes)


def test_hard_layouts_lose_words_on_edges_first_and_say_so(graph: sg.Graph) -> None:
    h = x = sg.placeholder("float32", (), name="x")
    for _ in range(75):
        h = sg.sin(h) * x
    made = draw(scene_of_graph(graph.operations), MAX_NODES)
    assert effort(made) > 150_000
    picture = read(render(graph))
    assert picture.labels == []
    assert "Too many edges for words on them: the type stands in the node it comes from." in (
        picture.notes
    )
    assert picture.node("sin").words[-1] == "→ float32[]"
    # What is asked for is done.
    assert read(render(graph, edge_labels=True, max_nodes=20)).labels


def test_scenes_of_long_chains_are_linear_and_flat(graph: sg.Graph) -> None:
    h = sg.placeholder("float32", (), name="x")
    for _ in range(30_000):
        h = sg.sin(h)
    made = drawing(graph, 50)
    assert len(made.marks) == 2
    assert labels(made, "chain") == ["sin … sin_29999"]
