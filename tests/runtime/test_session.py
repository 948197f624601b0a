"""Sessions: fetch structures, ownership of results, callables, plans, seeds, growth, closing."""

from __future__ import annotations

import collections
import warnings
from typing import Literal

import numpy as np
import pytest

import staticgraph as sg
from tests.messages import here, whole

Pair = collections.namedtuple("Pair", ["first", "second"])


def test_any_nesting_comes_back_in_the_same_structure() -> None:
    x = sg.placeholder("float32", (), name="x")
    y = x + 1.0
    v = sg.Variable(5.0, name="v")
    noted = sg.group(y)
    fetched = sg.Session().run(
        {"a": [x, (y, noted)], "b": Pair(v, {"n": "x"}), "c": [], "d": "v"}, {x: 1.0}
    )
    assert fetched == {"a": [1.0, (2.0, None)], "b": Pair(5.0, {"n": 1.0}), "c": [], "d": 5.0}
    assert type(fetched["b"]) is Pair
    assert type(fetched["a"][1]) is tuple


def test_zero_dimensional_results_are_numpy_scalars() -> None:
    result = sg.Session().run(sg.constant(2.0) * 3.0)
    assert type(result) is np.float32


def test_results_belong_to_the_caller() -> None:
    v = sg.Variable([1.0, 2.0])
    c = sg.constant([3.0, 4.0])
    x = sg.placeholder("float32", (2,))
    session = sg.Session()
    fed = np.ones(2, "float32")
    for result in session.run([v, v, c, x, sg.reshape(c, (2, 1))], {x: fed}):
        result += 100.0
    np.testing.assert_array_equal(session.run(v), [1, 2])
    np.testing.assert_array_equal(session.run(c), [3, 4])
    np.testing.assert_array_equal(fed, [1, 1])


@pytest.mark.parametrize("what", ["int", "None", "str", "graph", "operation"])
def test_what_cannot_be_fetched(what: str) -> None:
    session = sg.Session()
    sg.constant(1.0, name="weights")
    with sg.Graph().as_default():
        foreign = sg.constant(1.0, name="foreign")
        grouped = sg.group(foreign, name="grouped")
    fetches = {"int": 3, "None": None, "str": "weight", "graph": foreign, "operation": grouped}
    with pytest.raises(sg.FetchError) as info:
        session.run([fetches[what]])
    expected = {
        "int": (
            "run: cannot fetch a int: 3\n"
            "  fetch a Tensor, an Operation, a Variable, a name, or a list, tuple or dict of them\n"
            "  at <here>"
        ),
        "None": (
            "run: cannot fetch a NoneType: None\n"
            "  fetch a Tensor, an Operation, a Variable, a name, or a list, tuple or dict of them\n"
            "  at <here>"
        ),
        "str": "run: nothing in the graph is called 'weight'\n  close names: weights\n  at <here>",
        "graph": (
            "run: the fetch belongs to another graph than the session\n"
            "  'foreign'  float32[]  constant at <foreign>\n"
            "  make a session for its graph: sg.Session(graph)\n"
            "  at <here>"
        ),
        "operation": (
            "run: the fetch belongs to another graph than the session\n"
            "  'grouped' at <grouped>\n"
            "  make a session for its graph: sg.Session(graph)\n"
            "  at <here>"
        ),
    }
    assert whole(info, foreign=foreign, grouped=grouped) == expected[what]


def test_a_callable_takes_values_in_order() -> None:
    x = sg.placeholder("float32", (), name="x")
    y = sg.placeholder("float32", (), name="y")
    v = sg.Variable(0.0)
    session = sg.Session()
    call = session.make_callable({"d": x - y, "v": v.assign_add(x)}, [x, "y"])
    assert call(5.0, 3.0) == {"d": 2.0, "v": 5.0}
    assert call(np.float32(1.0), 1) == {"d": 0.0, "v": 6.0}
    with pytest.raises(sg.FeedError) as info:
        call(1.0)
    assert whole(info) == (
        "call: takes 2 values ('x', 'y'), was given 1\n"
        "  give one value per entry of feed_list, in its order\n"
        "  at <here>"
    )
    with pytest.raises(sg.FeedError) as info:
        session.make_callable(x, [x, x])
    assert whole(info) == "make_callable: a tensor stands twice in feed_list\n  at <here>"


def test_building_more_keeps_plans_valid() -> None:
    x = sg.placeholder("float32", ())
    y = x * 2.0
    session = sg.Session()
    call = session.make_callable(y, [x])
    assert call(2.0) == 4.0
    z = y + 1.0
    assert call(3.0) == 6.0
    assert session.run([y, z], {x: 1.0}) == [2.0, 3.0]


def test_equal_fetches_share_a_plan() -> None:
    x = sg.placeholder("float32", ())
    session = sg.Session()
    for value in range(5):
        session.run({"y": x}, {x: value})
    assert repr(session) == "<Session backend='native', 1 plans>"


def test_closed() -> None:
    x = sg.constant(1.0)
    with sg.Session() as session:
        call = session.make_callable(x)
    for use in (lambda: session.run(x), lambda: session.make_callable(x), call):
        with pytest.raises(sg.GraphError) as info:
            use()
        what = str(info.value).split(":")[0]
        message, _, at = str(info.value).rpartition("\n  at ")
        assert message == (
            f"{what}: the session is closed\n"
            "  make a new one: sg.Session(graph); its variables start from their initial values"
        )
        assert what in ("run", "make_callable", "call")
        assert at.startswith("tests/runtime/test_session.py:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"backend": "llvm"},
            "Session: backend='llvm' is not available\n  give 'native' or 'reference'",
        ),
        ({"math": "fast"}, "Session: math='fast' is not available\n  give 'strict' or 'contract'"),
        (
            {"threads": 0},
            "Session: threads=0 is no number of threads\n"
            "  give an int of at least 1, or None for all cores",
        ),
        ({"seed": -1}, "Session: seed=-1 does not fit 64 bits\n  give an int from 0 to 2**64 - 1"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(sg.GraphError) as info:
        sg.Session(**arguments)  # type: ignore[arg-type]
    assert whole(info) == f"{message}\n  at <here>"


@pytest.mark.parametrize(
    ("backend", "headline"),
    [
        ("reference", "backend reference: NumPy, one node after the other\n"),
        ("native", "backend native: machine code\n"),
    ],
)
def test_explain_tells_the_program_and_the_report(
    backend: Literal["reference", "native"], headline: str
) -> None:
    x = sg.placeholder("float32", (), name="x")
    text = sg.Session(backend=backend).explain((x + 1.0) * (1.0 + x))
    assert text.startswith(headline)
    assert "cse" in text
    assert text.count(" = add(") == 1


def test_explain_after_runs_of_other_fetches_builds_nothing(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (), name="x")
    a, b, c = x + 1.0, x * 2.0, x - 3.0
    session = sg.Session()
    session.run([a, b], {x: 1.0})
    size = len(graph)
    assert session.explain([a, c])
    assert session.explain([c, b])
    assert len(graph) == size


# -- seeds ------------------------------------------------------------------------------------


def test_random_numbers_follow_seed_run_and_node() -> None:
    a = sg.random.uniform((4,))
    b = sg.random.uniform((4,))
    first, again, other = sg.Session(seed=1), sg.Session(seed=1), sg.Session(seed=2)
    run1 = first.run([a, b])
    run2 = first.run([a, b])
    assert not np.array_equal(run1[0], run1[1])
    assert not np.array_equal(run1[0], run2[0])
    np.testing.assert_array_equal(again.run([a, b]), run1)
    np.testing.assert_array_equal(again.run([b, a])[::-1], run2)
    assert not np.array_equal(other.run(a), run1[0])


def test_random_initial_values_do_not_depend_on_when_they_are_needed() -> None:
    v = sg.Variable(sg.random.normal((3,)))
    noise = sg.random.normal((3,))
    early, late = sg.Session(seed=3), sg.Session(seed=3)
    for _ in range(4):
        late.run(noise)
    np.testing.assert_array_equal(early.run(v), late.run(v))


def test_a_drawn_seed_can_be_used_again() -> None:
    noise = sg.random.normal((3,))
    session = sg.Session()
    np.testing.assert_array_equal(session.run(noise), sg.Session(seed=session.seed).run(noise))


# -- growth -----------------------------------------------------------------------------------


def test_a_graph_built_in_the_loop_is_named_once() -> None:
    x = sg.placeholder("float32", ())
    session = sg.Session()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for value in range(30):
            y = x * 2.0
            session.run(y, {x: value})
    assert [str(w.message).replace(str(y.node.location), "<line>") for w in caught] == [
        "the graph has grown before each of the last 10 runs, to 12 operations\n"
        "  the newest was made at <line>\n"
        "  build once, outside the loop, and feed what changes; graph.finalize() finds the line"
    ]
    assert caught[0].category is sg.GraphGrowthWarning
    assert caught[0].filename == __file__


def test_building_between_runs_at_different_lines_is_no_loop() -> None:
    session = sg.Session()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = sg.constant(1.0)
        for _ in range(12):
            session.run(x)
        session.run(x + 1.0)
        session.run(x + 2.0)


def test_a_finalized_graph_refuses(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (), name="x")
    graph.finalize()
    with pytest.raises(sg.GraphError) as info:
        x + 1.0
    assert str(info.value).replace(here(info), "<here>") == (
        "constant: the graph is finalized and takes no more operations\n"
        "  build everything before finalize(), outside the training loop, and feed what changes\n"
        "  at <here>"
    )
