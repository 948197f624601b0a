from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.inspect.render import render
from tests.inspect.models import neuron, perceptron, with_bodies
from tests.inspect.pictures import legend, panels, read, texts


def test_kinds_differ_in_class_and_legend(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (2,), name="x")
    w = sg.Variable([1.0, 2.0], name="w")
    y = sg.print(x * w, "y ")
    slope = sg.gradients(sg.sum(y * y), w)[0]
    (tangent,) = sg.jvp(y, x, [1.0, 0.0])
    step = w.assign_sub(slope + tangent + sg.constant([0.0, 3.0], name="table"))
    sg.group(step, name="all")
    svg = render(graph)
    picture = read(svg)
    assert picture.node("x").classes == ["node", "placeholder"]
    assert picture.node("w").classes == ["node", "variable"]
    assert picture.node("table").classes == ["node", "constant"]
    assert picture.node("print").classes == ["node", "effect"]
    assert picture.node("assign_sub").classes == ["node", "assign"]
    assert picture.node("all").classes == ["node", "group"]
    assert picture.node("multiply").classes == ["node", "forward"]
    assert {node.op for node in picture.of_kind("adjoint")} >= {"multiply"}
    assert picture.of_kind("tangent")
    assert legend(svg) == [
        "placeholder (fed)", "variable", "constant", "scalar constant", "forward operation",
        "adjoint (reverse mode)", "tangent (forward mode)", "assign to a variable",
        "effect (print, assert)", "group", "control edge (order only)", "initial value",
    ]  # fmt: skip


def test_legend_lists_only_what_the_picture_shows(graph: sg.Graph) -> None:
    sg.exp(sg.placeholder("float32", (), name="x"))
    assert legend(render(graph)) == ["placeholder (fed)", "forward operation"]


def test_a_node_says_op_name_attributes_and_whose_adjoint_it_is() -> None:
    x = sg.placeholder("float32", (3, 4), name="x")
    y = sg.sum(x * x, axis=1, name="rows")
    (slope,) = sg.gradients(sg.sum(y), x)
    picture = read(render([y, slope]))
    assert picture.node("rows").words == ["sum", "rows", "axis=(1,)"]
    assert picture.node("multiply").words == ["multiply"]
    whose = {node.words[-1] for node in picture.of_kind("adjoint")}
    assert "adjoint of multiply" in whose and "adjoint of rows" in whose


def test_tooltips_hold_the_signature_and_the_users_line() -> None:
    x = sg.placeholder("float32", (None, 784), name="x")
    w = sg.Variable(np.zeros((784, 10), np.float32), name="w")
    logits = sg.matmul(x, w, name="logits")  # the tooltip quotes this line
    tooltip = read(render(logits)).node("logits").tooltip
    lines = tooltip.splitlines()
    assert lines[0] == "logits"
    assert lines[1].startswith("matmul(") and "float32[?, 784]" in lines[1]
    assert lines[1].endswith("→ float32[?, 10]")
    assert lines[-1].endswith(
        'logits = sg.matmul(x, w, name="logits")  # the tooltip quotes this line'
    )
    assert f"{Path(__file__).name}:" in lines[-1]


def test_the_tooltip_of_an_adjoint_names_both_lines() -> None:
    x = sg.placeholder("float32", (), name="x")
    y = sg.sin(x, name="wave")
    (slope,) = sg.gradients(y, x)
    (node,) = [n for n in read(render(slope)).of_kind("adjoint") if n.op == "cos"]
    assert "(slope,) = sg.gradients(y, x) (adjoint of 'wave' at " in node.tooltip
    assert 'y = sg.sin(x, name="wave"))' in node.tooltip


def test_edges_carry_dtype_and_shape_and_the_operand_where_order_matters() -> None:
    x = sg.placeholder("float32", ("batch", 3), name="x")
    n = sg.placeholder("int32", (), name="n")
    y = (x - sg.cast(n, "float32")) * x
    picture = read(render(y))
    assert sorted(picture.label_words) == [
        "float32[batch, 3]", "float32[batch, 3]", "float32[batch, 3]", "int32[]",
        "lhs float32[batch, 3]", "rhs float32[]",
    ]  # fmt: skip
    tips = [edge.tooltip for edge in picture.edges]
    assert "x float32[batch, 3]\nfrom x to subtract, operand lhs" in tips
    assert len(picture.edges) == 6


def test_scalar_constants_are_drawn_once_per_consumer() -> None:
    x = sg.placeholder("float32", (), name="x")
    rate = sg.constant(0.1, name="rate")
    y = (x * 2.0 + rate) * 2.0 * rate
    picture = read(render(y))
    words = sorted(node.words[0] for node in picture.of_kind("literal"))
    assert words == ["2.0", "2.0", "rate = 0.1", "rate = 0.1"]
    assert picture.caption == "as written: 6 nodes"


def test_name_scopes_are_nested_boxes(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (), name="x")
    with sg.name_scope("outer"):
        y = sg.exp(x)
        with sg.name_scope("inner"):
            z = sg.sin(y)
    sg.gradients(z, x)
    picture = read(render(graph))
    boxes = {box.name: box.rectangle for box in picture.boxes}
    assert list(boxes) == [
        "outer", "outer/inner", "gradients", "gradients/outer", "gradients/outer/inner",
    ]  # fmt: skip
    for inner, outer in (("outer/inner", "outer"), ("gradients/outer", "gradients")):
        assert boxes[inner][0] > boxes[outer][0] and boxes[inner][2] < boxes[outer][2]
        assert boxes[inner][1] > boxes[outer][1] and boxes[inner][3] < boxes[outer][3]
    sine = picture.node("outer/inner/sin")
    assert sine.words == ["sin"]
    left, top, right, bottom = sine.rectangle
    box = boxes["outer/inner"]
    assert box[0] < left and right < box[2] and box[1] < top and bottom < box[3]
    cosine = next(node for node in picture.of_kind("adjoint") if node.op == "cos")
    assert boxes["gradients/outer/inner"][0] < cosine.rectangle[0]


def test_adjoints_lie_beside_what_they_belong_to() -> None:
    x = h = sg.placeholder("float32", (), name="x")
    for _ in range(8):
        h = sg.sin(h)
    picture = read(render([h, *sg.gradients(h, x)]))
    middle = {node.name: node.rectangle[1] for node in picture.nodes}
    # Data flows downward between forward nodes, upward between adjoints.
    assert middle["sin_1"] < middle["sin_7"]
    assert middle["gradients/sin_6/multiply"] > middle["gradients/sin_1/multiply"]
    right = max(node.rectangle[2] for node in picture.of_kind("forward"))
    assert all(node.rectangle[0] > right for node in picture.of_kind("adjoint"))


def test_control_edges_are_dashed(graph: sg.Graph) -> None:
    count = sg.Variable(0, name="count")
    up = count.assign_add(1)
    with sg.control_dependencies([up]):
        after = count.read(name="after")
    picture = read(render(graph))
    (edge,) = [edge for edge in picture.edges if "control" in edge.classes]
    assert edge.tooltip == "assign_add runs before after (control edge)"
    assert picture.node(after.name).words == ["after", "read of count, int64[]"]
    assert 'stroke-dasharray="5 4"' in render(graph)


def test_results_of_a_split_are_numbered() -> None:
    x = sg.placeholder("float32", (6,), name="x")
    a, b, _ = sg.split(x, 3)
    picture = read(render(a - b))
    assert "lhs [0] float32[2]" in picture.label_words
    assert "rhs [1] float32[2]" in picture.label_words


def test_a_function_shows_new_values_and_results() -> None:
    w = sg.Variable([1.0, 2.0], name="w")
    loss = sg.sum(w * w, name="loss")
    picture = read(render([loss, w.assign_sub(0.1 * w)]))
    assert picture.node("update w").classes == ["node", "update"]
    assert picture.node("update w").words == ["new value of", "w"]
    assert next(node.words for node in picture.of_kind("result")) == ["result", "loss"]


def test_before_and_after_side_by_side() -> None:
    error, by_hand = neuron()
    svg = render([error, by_hand], optimized="both", title="A neuron")
    before, after = panels(svg)
    assert texts(before.root, "title")[0] == "A neuron"
    assert before.caption == f"as written: {len(sg.extract([error, by_hand]))} nodes"
    assert after.caption == f"optimized: {len(sg.optimize([error, by_hand]))} nodes"
    assert sum(node.op == "sigmoid" for node in before.nodes) == 4
    assert sum(node.op == "sigmoid" for node in after.nodes) == 1
    assert any("written 4 times" in note for note in after.notes)
    assert len(legend(svg)) == len(set(legend(svg)))
    assert [panel.caption for panel in panels(render(error, optimized=True))] == [
        f"optimized: {len(sg.optimize(error))} nodes"
    ]


def test_lists_and_dicts_of_programs_are_panels(graph: sg.Graph) -> None:
    y = sg.sin(sg.placeholder("float32", (), name="x"))
    captions = [panel.caption for panel in panels(render([graph, sg.extract(y), y]))]
    assert captions == ["graph: 2 nodes", "as written: 1 node", "as written: 1 node"]
    named = {"mine": graph, "theirs": sg.extract(y)}
    assert [panel.caption for panel in panels(render(named))] == ["mine: 2 nodes", "theirs: 1 node"]
    # A structure of tensors alone is fetches: one picture.
    assert len(panels(render({"a": y, "b": [y, "x"]}))) == 1


def test_bodies_are_nested_boxes() -> None:
    picture = read(render(with_bodies()))
    assert [(box.name, box.classes[-1]) for box in picture.boxes] == [
        ("outer", "scope"),
        ("outer/loop", "holder"),
        ("bodies[0]", "body"),
        ("bodies[1]", "body"),
        ("outer/loop/inner", "scope"),
    ]
    assert picture.node("outer/loop").classes == ["node", "holder"]
    assert picture.node("outer/loop").words == ["repeat_body", "loop", "limit=5"]
    body = picture.boxes[3].rectangle
    for name in ("outer/loop/up", "outer/loop/inner/sin"):
        left, top, right, bottom = picture.node(name).rectangle
        assert body[0] < left and right < body[2] and body[1] < top and bottom < body[3]
    # Of the four inputs one is used by no node of its body.
    assert len(picture.of_kind("inner")) == 3
    assert picture.caption == f"as written: {3 + 3 + 2} nodes"


def test_empty_graph_and_single_node(graph: sg.Graph) -> None:
    empty = read(render(graph))
    assert (empty.caption, empty.notes, empty.nodes) == ("graph: 0 nodes", ["nothing to draw"], [])
    assert read(render([])).nodes == []
    sg.placeholder("float32", None, name="x")
    alone = read(render(graph))
    assert alone.caption == "graph: 1 node"
    assert alone.node("x").words == ["x", "placeholder float32[...]"]


WEIRD = [
    'we"ird<&>\'', "ex<p>] } \\N \\l {a|b}", "日本語 🙂", "\x00 \x07 control", "line\nbreak\ttab",
    "a" * 300, "-->", "]]>", "%s %d {x}", "\ud800 lone surrogate", "e\u0301 combined", "\u202eleft",
]  # fmt: skip


def test_any_name_can_be_drawn(graph: sg.Graph) -> None:
    for name in WEIRD:
        with sg.name_scope(name):
            sg.exp(sg.placeholder("float32", (2,), name=name), name=name)
    svg = render(graph, title='<title> & "more"')
    picture = read(svg)
    assert len(picture.nodes) == 2 * len(WEIRD)
    assert picture.nodes[0].name == "we\"ird<&>'/we\"ird<&>'"
    assert texts(picture.root, "title")[0] == '<title> & "more"'
    svg.encode("utf-8")


def test_many_consumers_of_one_name() -> None:
    y = sg.exp(sg.constant([[1.0]], name="one"))
    assert read(render(y)).of_kind("literal")[0].words == ["one = [[1.0]]"]


def test_the_same_program_gives_the_same_text(tmp_path: Path) -> None:
    script = tmp_path / "draw.py"
    script.write_text(
        "import sys, staticgraph as sg\n"
        "from staticgraph.inspect.render import render\n"
        "x = sg.placeholder('float32', (None, 3), name='x')\n"
        "with sg.name_scope('model'):\n"
        "    y = sg.sum(sg.tanh(x * 2.0) + x, axis=1)\n"
        "render([y, *sg.gradients(sg.sum(y), x)], sys.argv[1], optimized='both', title='T')\n"
    )
    texts = []
    for seed in ("0", "1"):
        path = tmp_path / f"{seed}.svg"
        subprocess.run(
            [sys.executable, str(script), str(path)],
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(sg.__file__).parents[1])},
        )
        texts.append(path.read_bytes())
    assert texts[0] == texts[1]


def test_works_without_any_program_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "")

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    loss, step = perceptron(2)
    path = tmp_path / "model.svg"
    svg = render([loss, step], path)
    assert path.read_text(encoding="utf-8") == svg
    assert read(svg).nodes


def test_importing_staticgraph_loads_no_layout_engine() -> None:
    code = (
        "import sys, staticgraph.inspect.notebook\n"
        "print([n for n in ('graphviz', 'pygraphviz', 'networkx') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


# -- errors -----------------------------------------------------------------------------------


def message(problem: pytest.ExceptionInfo[Exception]) -> str:
    """The message with this file's lines left out."""
    lines = str(problem.value).splitlines()
    assert lines[-1].startswith("  at ") and Path(__file__).name in lines[-1]
    return "\n".join(lines[:-1])


def test_a_graph_has_no_optimized_form(graph: sg.Graph) -> None:
    with pytest.raises(sg.GraphError) as problem:
        render(graph, optimized="both")
    assert message(problem) == (
        "render: a Graph has no optimized form\n"
        "  what is <Graph of 0 operations>, optimized='both'\n"
        "  the optimizer works on what a run computes: give fetches, as in "
        "render([loss], optimized='both')"
    )


def test_bad_arguments(graph: sg.Graph, tmp_path: Path) -> None:
    with pytest.raises(sg.GraphError) as problem:
        render(graph, tmp_path / "picture.png")
    assert message(problem) == (
        "render: the picture is SVG text, and the file is named otherwise\n"
        f"  path is {str(tmp_path / 'picture.png')!r}\n"
        "  give a path that ends in .svg"
    )
    with pytest.raises(sg.GraphError) as problem:
        render(graph, optimized="yes")  # type: ignore[arg-type]
    assert message(problem) == (
        "render: optimized='yes' is no choice\n"
        "  give False (as written), True (optimized) or 'both' (side by side)"
    )
    for wrong in (0, -1, True, 2.5):
        with pytest.raises(sg.GraphError) as problem:
            render(graph, max_nodes=wrong)  # type: ignore[arg-type]
        assert message(problem) == (
            f"render: max_nodes={wrong!r} is no number of nodes\n"
            "  give an int of at least 1, or None for the default"
        )


def test_what_cannot_be_fetched_cannot_be_drawn() -> None:
    with pytest.raises(sg.FetchError, match=r"cannot fetch a float: 3\.5"):
        render(3.5)


def test_a_loop_and_its_derivative() -> None:
    x = sg.placeholder("float32", (), name="x")
    with sg.name_scope("newton"):
        _, root = sg.while_loop(
            lambda i, r: i < 5, lambda i, r: (i + 1, 0.5 * (r + x / r)), (0, x), name="loop"
        )
    slopes = sg.gradients(root, x)
    picture = read(render([root, *slopes]))
    assert picture.node("newton/loop").classes == ["node", "holder"]
    adjoint = [n for n in picture.nodes if n.classes == ["node", "adjoint", "holder"]]
    assert adjoint and all(n.words[-1] == "adjoint of newton/loop" for n in adjoint)
    assert {box.classes[-1] for box in picture.boxes} == {"scope", "holder", "body"}
    assert len(picture.of_kind("placeholder")) == 1
    collapsed = read(render([root, *slopes], max_nodes=12))
    assert "adjoint" in collapsed.node("gradients/newton").classes


def test_threads_may_draw_at_once() -> None:
    loss, step = perceptron(2)
    alone = render([loss, step])
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: render([loss, step]), range(8)))
    assert drawn == [alone] * 8
