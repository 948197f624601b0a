"""Every node knows the user's line."""

from __future__ import annotations

import gc
import inspect
import linecache
import os
import sys
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core import location as module
from staticgraph.core.location import (
    UNKNOWN,
    Location,
    LocationTable,
    capture,
    display_path,
    is_internal,
)
from staticgraph.core.node import Node
from staticgraph.core.opdef import Mismatch


def _line() -> int:
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


def test_a_node_knows_the_line_that_made_it() -> None:
    x = sg.constant(1.0)
    line = _line() - 1
    where = x.node.location
    assert (where.filename, where.line) == (__file__, line)
    assert where.text == "x = sg.constant(1.0)"
    assert where.function == "test_a_node_knows_the_line_that_made_it"
    assert where.short == f"{os.path.relpath(__file__)}:{line}"
    assert str(where) == f"{where.short}: {where.text}"
    assert repr(where) == f"<Location {where}>"


def test_a_call_over_several_lines_belongs_to_the_line_of_its_operator() -> None:
    first = sg.constant(1.0)
    start = _line()
    total = (
        first
        + 2.0
    )  # fmt: skip
    assert total.node.location.line == start + 2


def test_a_helper_of_the_user_is_the_users_line() -> None:
    def dense(x: sg.Tensor) -> sg.Tensor:
        return sg.tanh(x * 2.0)

    y = dense(sg.constant(1.0))
    assert y.node.location.text == "return sg.tanh(x * 2.0)"
    assert y.node.location.function == "dense"


def test_a_line_in_a_loop_is_one_location() -> None:
    made = [sg.constant(float(number)).node.location for number in range(5)]
    assert all(place is made[0] for place in made)
    x = sg.constant(1.0)
    first, second = x + 1.0, x * 2.0
    assert first.node.location is not second.node.location


def test_two_calls_on_one_line_share_what_is_shown() -> None:
    a, b = sg.constant(1.0), sg.constant(2.0)
    assert str(a.node.location) == str(b.node.location)


def test_code_without_source_still_has_file_and_line() -> None:
    space: dict[str, Any] = {"sg": sg}
    exec(compile("\n\nx = sg.constant(1.0)\n", "<typed in>", "exec"), space)
    where = space["x"].node.location
    assert (where.filename, where.line, where.text) == ("<typed in>", 3, "")
    assert str(where) == "<typed in>:3"


def test_code_of_a_notebook_has_its_text() -> None:
    source = "import staticgraph as sg\nx = sg.constant(1.0)\n"
    linecache.cache["<cell 1>"] = (len(source), None, source.splitlines(True), "<cell 1>")
    space: dict[str, Any] = {}
    exec(compile(source, "<cell 1>", "exec"), space)
    del linecache.cache["<cell 1>"]
    assert str(space["x"].node.location) == "<cell 1>:2: x = sg.constant(1.0)"


def test_paths_are_relative_below_the_working_directory(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    below = str(tmp_path / "train.py")
    assert display_path(below) == "train.py"
    assert display_path(str(tmp_path) + "_else.py") == str(tmp_path) + "_else.py"
    assert Location(below, 3).short == "train.py:3"


def test_the_package_is_not_the_user_but_its_examples_are() -> None:
    package = Path(sg.__file__).parent
    assert is_internal(str(package / "core" / "graph.py"))
    assert not is_internal(str(package / "demo" / "digits.py"))
    assert not is_internal(str(package.parent / "staticgraph_user.py"))
    assert not is_internal(__file__)


def test_where_there_is_no_user(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "is_internal", lambda filename: True)
    assert capture() is UNKNOWN


def test_lines_of_adjoints_say_whose_they_are() -> None:
    forward = Location("train.py", 9, "y = tanh(x)")
    asked = Location("train.py", 20, "g = gradients(y, x)")
    adjoint = asked.of_adjoint("tanh", forward)
    assert (adjoint.adjoint_of, adjoint.forward) == ("tanh", forward)
    assert str(adjoint) == (
        "train.py:20: g = gradients(y, x) (adjoint of 'tanh' at train.py:9: y = tanh(x))"
    )
    assert str(asked.of_adjoint("tanh", None)) == (
        "train.py:20: g = gradients(y, x) (adjoint of 'tanh')"
    )


def test_code_that_was_collected_leaves_no_wrong_location_behind() -> None:
    """Locations are interned by the id of a code object, which must not be used again."""
    table = LocationTable()

    def make(number: int) -> Callable[[LocationTable], Location]:
        space: dict[str, Any] = {}
        code = f"{chr(10) * number}def f(table):\n    return table.capture()\n"
        exec(compile(code, f"<code {number}>", "exec"), space)
        return space["f"]  # type: ignore[no-any-return]

    seen = []
    for number in range(50):
        function = make(number)
        seen.append(function(table))
        del function
        gc.collect(0)
    assert [(place.filename, place.line) for place in seen] == [
        (f"<code {number}>", number + 2) for number in range(50)
    ]


def test_nothing_outlives_its_graph() -> None:
    graph = sg.Graph()
    with graph.as_default():
        sg.constant(1.0)
    alive = weakref.ref(graph)
    del graph
    gc.collect()
    assert alive() is None


def test_capture_is_cheap() -> None:
    table = LocationTable()
    before = sys.getrefcount(None)
    places = {id(table.capture()) for _ in range(1000)}
    assert len(places) == 1
    assert sys.getrefcount(None) - before < 100


# -- what the user's line calls ---------------------------------------------------------------


def test_the_function_that_the_line_calls_is_remembered() -> None:
    x = sg.constant([3.0, 1.0])
    made = [sg.percentile(x, 50), sg.tanh(x), np.percentile(x, 50), np.tanh(x), x.sum()]
    called = [tensor.node.location.call for tensor in made]
    assert called == ["percentile", "tanh", "percentile", "tanh", "sum"]


def test_operators_and_private_functions_are_no_calls() -> None:
    x = sg.constant([3.0, 1.0])
    made = [-x, x + 1.0, 2.0 - x, x[0], x == x]
    assert [tensor.node.location.call for tensor in made][3] == ""
    assert not any("_" in tensor.node.location.call[:1] for tensor in made)
    assert x.node.graph.add(sg.tanh.op, (x,), {}).out.node.location.call == ""


def test_one_place_that_calls_several_functions_has_a_location_for_each() -> None:
    x = sg.constant([3.0, 1.0])
    made = [function(x).node.location for function in (sg.tanh, sg.exp)]
    assert [place.call for place in made] == ["tanh", "exp"]
    assert made[0].short == made[1].short


def test_adjoints_are_called_by_nobody() -> None:
    x = sg.constant([3.0, 1.0])
    (slope,) = sg.gradients(sg.sum(sg.tanh(x)), [x])
    assert slope is not None
    assert slope.node.location.call == ""


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_message_names_what_was_called_and_where_in_it(backend: Any) -> None:
    ids = sg.placeholder("int64", (None,), name="ids")
    taken = sg.take(sg.constant([1.0, 2.0, 3.0]), ids)
    with pytest.raises(sg.RunError) as caught:
        sg.Session(backend=backend).run(taken, {ids: [0, 5]})
    assert str(caught.value).splitlines()[0] == "take (in its gather): an index is out of range"


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_function_may_put_a_failure_in_its_own_words(backend: Any) -> None:
    ids = sg.placeholder("int64", (None,), name="ids")
    graph = ids.graph

    def explain(node: Node, operands: Sequence[Any], problem: Exception) -> Mismatch | None:
        if operands[1].max() > 9:
            return None
        what = node.location.spoken("pick")
        return Mismatch("there is none", f"of {operands[1].tolist()}", spoken=(what, "", "which"))

    with graph.explaining(explain):
        taken = sg.gather(sg.constant([1.0, 2.0, 3.0]), ids)
    session = sg.Session(backend=backend)
    for fed, first in (
        ([0, 5], "pick: there is none\n  which 'ids'  int64[?]  feed at "),
        ([0, 10], "gather: an index is out of range\n  x "),
    ):
        with pytest.raises(sg.StaticGraphError) as caught:
            session.run(taken, {ids: fed})
        assert str(caught.value).startswith(first)


def test_spoken() -> None:
    assert Location("a.py", 1).spoken("take") == "take"
    assert Location("a.py", 1, call="take").spoken("take") == "take"
    assert Location("a.py", 1, call="pick").spoken("take") == "pick (in its take)"


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_an_op_without_a_public_function_has_no_name_in_messages(backend: Any) -> None:
    rate = sg.placeholder("float64", (), name="rate")
    with pytest.raises(sg.RunError, match=r"^poisson: rate -1 is not between 0 and 2\*\*62\n"):
        sg.Session(backend=backend).run(sg.random.poisson(rate), {rate: -1.0})
