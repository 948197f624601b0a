"""What pictures say inside loops and branches."""

from __future__ import annotations

import staticgraph as sg
from staticgraph.inspect.render import render

from .pictures import Drawn, Picture, read


def inside(picture: Picture, box: Drawn) -> list[Drawn]:
    """The nodes in the rectangle of a box."""
    left, top, right, bottom = box.rectangle
    return [
        node
        for node in picture.nodes
        if left < node.rectangle[0]
        and node.rectangle[2] < right
        and top < node.rectangle[1]
        and node.rectangle[3] < bottom
    ]


def bodies(picture: Picture) -> dict[str, Drawn]:
    """The boxes of bodies by the words above them; each stands once."""
    return {box.name: box for box in picture.boxes if "body" in box.classes}


def words(nodes: list[Drawn]) -> list[list[str]]:
    return sorted(node.words for node in nodes)


def test_a_loop_says_what_goes_round() -> None:
    limit = sg.placeholder("int64", (), name="limit")
    ends = sg.while_loop(
        lambda first, second: first < limit,
        lambda first, second: (first + 2, second * limit),
        [0, 1],
        name="chase",
    )
    picture = read(render(ends))
    found = bodies(picture)
    assert sorted(found) == ["body", "cond"]
    assert words(inside(picture, found["cond"])) == [
        ["first", "carry int64[]"],
        ["less"],
        ["limit", "capture int64[]"],
        ["result", "less"],
    ]
    assert words(inside(picture, found["body"])) == [
        ["2"],
        ["add"],
        ["first", "carry int64[]"],
        ["limit", "capture int64[]"],
        ["multiply"],
        ["next", "first"],
        ["next", "second"],
        ["second", "carry int64[]"],
    ]
    titles = [e.text for e in picture.root.iter() if e.get("class") == "box-label"]
    assert titles == ["chase", "goes on while", "body"]
    # What leads to the loop says which of its variables it starts.
    assert "limit int64[]" in picture.label_words
    assert {"first", "second"} <= set(picture.label_words)


def test_a_scan_says_what_it_takes_and_what_it_stacks() -> None:
    xs = sg.placeholder("float32", ("time",), name="xs")
    total, sums = sg.scan(lambda total, x: (total + x, total * 2.0), 0.0, xs, name="add_up")
    picture = read(render([total, sums]))
    assert words(inside(picture, bodies(picture)["body"])) == [
        ["2.0"],
        ["add"],
        ["multiply"],
        ["next", "total"],
        ["stacked as [1]", "multiply"],
        ["total", "carry float32[]"],
        ["x", "entry float32[]"],
    ]
    assert "[1] float32[time]" in picture.label_words


def test_branches_say_when_they_are_taken() -> None:
    x = sg.placeholder("float32", (), name="x")
    k = sg.placeholder("int64", (), name="k")
    one = sg.cond(x > 0.0, lambda: sg.sqrt(x), lambda: -x)
    other = sg.switch_case(k, [lambda: (x, x), lambda: (x * 2.0, x)])
    picture = read(render([one, *other]))
    titles = [e.text for e in picture.root.iter() if e.get("class") == "box-label"]
    assert sorted(titles) == [
        "branch 0", "branch 1", "cond", "if false", "if true", "switch_case",
    ]  # fmt: skip
    results = [node.words[0] for node in picture.of_kind("result")]
    assert sorted(results) == ["result"] * 5 + ["result [0]"] * 2 + ["result [1]"] * 2


def test_a_twin_is_a_loop_and_no_adjoint() -> None:
    x = sg.placeholder("float64", (), name="x")
    root = sg.while_loop(lambda r: r * r > 2.0 * x, lambda r: 0.5 * (r + x / r), x, name="newton")
    picture = read(render(sg.gradients(root, x)))
    twin = picture.node("gradients/newton/twin")
    backward = picture.node("gradients/newton/backward")
    assert twin.classes == ["node", "holder"]
    assert twin.words == ["while", "twin", "for the adjoint of newton"]
    assert backward.classes == ["node", "adjoint", "holder"]
    assert backward.words == ["scan", "backward", "reverse", "adjoint of newton"]
    # In the body of the backward scan, as in every body, what comes in stands above what goes out.
    body = next(b for b in picture.boxes if "body" in b.classes and inside(picture, b) and any(
        node.words[0] == "adjoint_multiply" for node in inside(picture, b)))  # fmt: skip
    nodes = inside(picture, body)
    highest_result = min(n.rectangle[1] for n in nodes if n.words[0] == "next")
    assert all(
        n.rectangle[1] < highest_result for n in nodes if len(n.words) > 1 and "carry" in n.words[1]
    )


def test_what_a_body_does_not_use_is_not_drawn_in_it() -> None:
    x = sg.placeholder("float32", (), name="x")
    value = sg.cond(x > 0.0, lambda: 2.0 * x, lambda: 1.0)
    picture = read(render(value))
    branches = {
        e.text: box
        for box, e in zip(
            [b for b in picture.boxes if {"holder", "body"} & set(b.classes)],
            [e for e in picture.root.iter() if e.get("class") == "box-label"],
            strict=True,
        )
    }
    assert words(inside(picture, branches["if false"])) == [["1.0"], ["result", "constant"]]
    assert ["x", "capture float32[]"] in words(inside(picture, branches["if true"]))


def test_bodies_stand_below_their_operation() -> None:
    xs = sg.placeholder("int64", ("n",), name="xs")

    def flight(start: sg.Tensor) -> sg.Tensor:
        return sg.while_loop(
            lambda n: n > 1,
            lambda n: sg.cond(n % 2 == 0, lambda: n // 2, lambda: 3 * n + 1),
            start,
        )

    picture = read(render(sg.map_fn(flight, xs)))
    holders = picture.of_kind("holder")
    assert sorted(node.op for node in holders) == ["cond", "scan", "while"]
    for holder in holders:
        own = [b for b in picture.boxes if b.name == holder.name and "holder" in b.classes]
        assert len(own) == 1
        left, top, right, bottom = own[0].rectangle
        deeper = [
            box.rectangle
            for box in picture.boxes
            if "body" in box.classes
            and left < box.rectangle[0] and box.rectangle[2] < right
            and top < box.rectangle[1] and box.rectangle[3] < bottom
        ]  # fmt: skip
        assert deeper
        assert all(holder.rectangle[3] < box[1] for box in deeper)


def test_a_loop_of_tangents_says_whose() -> None:
    x = sg.placeholder("float64", (), name="x")
    root = sg.while_loop(lambda r: r * r > 2.0 * x, lambda r: 0.5 * (r + x / r), x, name="newton")
    picture = read(render(sg.jvp([root], [x], [sg.constant(1.0, "float64")])))
    (loop,) = [node for node in picture.nodes if node.op == "while"]
    assert loop.words == ["while", "tangent", "for the tangent of newton"]


def test_collapsed_bodies_say_which_they_are() -> None:
    x = sg.placeholder("float64", (), name="x")
    value = sg.cond(x > 0.0, lambda: sg.tanh(sg.sin(x)), lambda: sg.sin(sg.tanh(x)))
    whole = len(read(render(value)).nodes)
    picture = read(render(value, max_nodes=whole - 1))
    (collapsed,) = picture.of_kind("collapsed")
    assert collapsed.words[0] in ("if true", "if false")
