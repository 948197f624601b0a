from __future__ import annotations

import random

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.inspect import text
from staticgraph.inspect.marks import COLLAPSED, KINDS
from staticgraph.inspect.render import render
from tests.inspect.models import neuron, perceptron, with_bodies
from tests.inspect.pictures import (
    Picture,
    measured_width,
    overlap,
    overlapping,
    panels,
    words_outside,
)


def check(picture: Picture) -> None:
    """Nothing lies on anything else, and all words lie in their boxes."""
    assert overlapping(picture.nodes) == []
    assert overlapping(picture.labels) == []
    for node in picture.nodes:
        assert words_outside(node) == []
        for label in picture.labels:
            assert not overlap(node.rectangle, label.rectangle), (node.name, label.words)


def pictures() -> dict[str, str]:
    """SVG of the programs that people look at first."""
    drawn = {}
    with sg.Graph().as_default() as graph:
        error, by_hand = neuron()
        slopes = sg.gradients(error, list(graph.variables.values()))
        drawn["neuron"] = render([error, by_hand, *slopes])
        drawn["neuron both"] = render([error, by_hand], optimized="both", title="A neuron")
    with sg.Graph().as_default() as graph:
        loss, step = perceptron(2)
        drawn["perceptron graph"] = render(graph)
        drawn["perceptron step"] = render([loss, step], optimized="both")
        drawn["without labels"] = render([loss, step], edge_labels=False)
    with sg.Graph().as_default() as graph:
        perceptron(4)
        assert 100 <= len(graph) <= 150
        drawn["about 100 nodes"] = render(graph)
        drawn["collapsed to 30"] = render(graph, max_nodes=30)
    drawn["bodies"] = render(with_bodies())
    return drawn


DRAWN = pictures()


@pytest.mark.parametrize("name", DRAWN)
def test_no_overlap_and_words_inside(name: str) -> None:
    for picture in panels(DRAWN[name]):
        check(picture)


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs(graph: sg.Graph, seed: int) -> None:
    rng = random.Random(seed)
    values = [sg.placeholder("float32", (), name="x"), sg.Variable(1.0, name="w").value]
    for number in range(40):
        op = rng.choice([sg.add, sg.multiply, sg.subtract, sg.maximum])
        lhs, rhs = rng.choice(values), rng.choice([*values, 2.0])
        with sg.name_scope(f"part{number // 10}"):
            made = op(lhs, rhs, name="a name" * rng.randrange(1, 8))
        values.append(made)
    total = values[-1]
    for value in values[:-1]:
        total = total + value
    sg.gradients(total, values[0])
    for picture in panels(render(graph, max_nodes=rng.choice([None, 60]))):
        check(picture)


def test_second_order_gradients_can_be_drawn(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (), name="x")
    (first,) = sg.gradients(sg.sin(x) * x, x)
    sg.gradients(first, x)
    for picture in panels(render(graph)):
        check(picture)


def test_forward_nodes_do_not_touch_frames_of_other_scopes() -> None:
    (picture,) = panels(DRAWN["perceptron graph"])
    boxes = {box.name: box.rectangle for box in picture.boxes}
    for node in picture.of_kind("forward"):
        scope = node.name.rpartition("/")[0]
        for name, rectangle in boxes.items():
            if not (scope == name or scope.startswith(name + "/")):
                assert not overlap(node.rectangle, rectangle), (node.name, name)


@pytest.mark.parametrize(
    "words",
    ["multiply_1", "float32[?, 784]", "WWWWmmmm@@@", "iiiillll....", "gradients/layer1/matmul",
     "sizes=(None, 3), axis=0", "→ float32[batch, 10]", "×9 … αβγ ñ é", "Ünïcode Ω Ж"],
)  # fmt: skip
@pytest.mark.parametrize("bold", [False, True])
def test_estimated_width_bounds_the_measured_one(words: str, bold: bool) -> None:
    estimate = text.width(words, 12.0, bold)
    measured = measured_width(words, 12.0, bold)
    assert measured <= estimate * 1.02
    assert estimate <= measured * 1.35


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def _contrast(first: str, second: str) -> float:
    """The contrast ratio of the Web Content Accessibility Guidelines 2.1."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("kind", [*KINDS.values(), COLLAPSED], ids=lambda kind: kind.legend)
def test_contrast(kind: object) -> None:
    fill, stroke = kind.fill, kind.stroke  # type: ignore[attr-defined]
    assert _contrast("#1a202c", fill) >= 7
    assert _contrast("#4a5568", fill) >= 4.5
    assert _contrast(stroke, "#ffffff") >= 4.5


def test_kinds_differ_in_shape_and_colour() -> None:
    looks = {name: kind for name, kind in KINDS.items() if name != "update"}
    assert len({kind.shape for kind in looks.values()}) == len(looks)
    assert len({kind.fill for kind in looks.values()}) == len(looks)
    assert len({kind.stroke for kind in looks.values()}) == len(looks)


def test_shorten_and_wrap() -> None:
    assert text.shorten("abcdefghij", 7) == "abc…hij"
    assert text.shorten("abc", 7) == "abc"
    assert text.wrap("one two three", 10.0, text.width("one two", 10.0)) == ["one two", "three"]
    assert text.xml("a\x00<b>&\ud800") == "a\ufffd&lt;b&gt;&amp;\ufffd"
    assert text.attribute('"\n') == "&quot;&#10;"
    assert text.width("漢", 10.0) > text.width("m", 10.0)
    assert text.width("e\u0301", 10.0) == text.width("e", 10.0)
