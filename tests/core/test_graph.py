"""Graphs: append-only, uniquely named, closed, with a default per thread."""

from __future__ import annotations

import copy
import threading
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.core import dtypes
from staticgraph.core.graph import Graph, describe, get_default_graph, read_only, supported
from staticgraph.errors import GraphError
from tests.messages import whole

# -- the default graph ------------------------------------------------------------------------


def test_operations_go_to_the_innermost_default(graph: Graph) -> None:
    inner = Graph()
    with inner.as_default() as given:
        assert given is inner
        assert get_default_graph() is inner
        x = sg.constant(1.0)
    assert get_default_graph() is graph
    assert x.graph is inner
    assert len(inner) == 1 and len(graph) == 0


def test_operations_with_operands_go_to_the_graph_of_the_operands(graph: Graph) -> None:
    x = sg.constant(1.0)
    with Graph().as_default() as other:
        y = x + 1.0
    assert y.graph is graph
    assert len(other) == 0


def test_an_error_in_the_block_restores_the_default(graph: Graph) -> None:
    with pytest.raises(KeyError), Graph().as_default():
        raise KeyError
    assert get_default_graph() is graph


def test_the_stack_of_defaults_belongs_to_the_thread(graph: Graph) -> None:
    seen: list[Graph] = []
    mine = Graph()

    def work() -> None:
        seen.append(get_default_graph())
        with mine.as_default():
            sg.constant(1.0)
            seen.append(get_default_graph())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen[0] is not graph and seen[1] is mine
    assert get_default_graph() is graph
    assert len(mine) == 1


def test_graphs_show_their_size_and_are_never_false() -> None:
    graph = Graph()
    assert repr(graph) == "<Graph of 0 operations>"
    assert bool(graph)
    assert repr(sg.constant(1.0, name="one")) == "<Tensor 'one' float32[]>"
    assert repr(sg.constant(1.0, name="two").node) == "<Operation 'two' constant>"


# -- names ------------------------------------------------------------------------------------


def test_names_are_unique() -> None:
    names = [sg.constant(1.0, name=name).name for name in ("x", "x", "x_1", "x", "y")]
    assert names == ["x", "x_1", "x_1_1", "x_2", "y"]


def test_names_default_to_the_op() -> None:
    x = sg.constant(1.0)
    assert [x.name, (x + 1.0).name, (x + 2.0).name] == ["constant", "add", "add_1"]


def test_scopes_nest_and_are_unique(graph: Graph) -> None:
    with sg.name_scope("layer") as outer:
        a = sg.constant(1.0, name="w")
        with sg.name_scope("inner") as inner:
            b = sg.constant(1.0, name="w")
        c = sg.constant(1.0, name="w")
    with sg.name_scope("layer") as again:
        d = sg.constant(1.0, name="w")
    assert (outer, inner, again) == ("layer", "layer/inner", "layer_1")
    assert [t.name for t in (a, b, c, d)] == ["layer/w", "layer/inner/w", "layer/w_1", "layer_1/w"]
    assert graph.scope == ""


def test_a_scope_and_an_operation_do_not_share_a_name() -> None:
    x = sg.constant(1.0, name="layer")
    with sg.name_scope("layer") as scope:
        pass
    assert (x.name, scope) == ("layer", "layer_1")


@pytest.mark.parametrize("name", ["", "/", "a/", "/a"])
def test_scopes_have_proper_names(name: str) -> None:
    with pytest.raises(GraphError) as caught, sg.name_scope(name):
        pass
    assert whole(caught) == (
        f"name_scope: {name!r} is no scope name\n"
        "  give a non-empty name that neither starts nor ends with '/'\n"
        "  at <here>"
    )


def test_transformations_name_after_nodes(graph: Graph) -> None:
    with sg.name_scope("outer"), graph.absolute_scope("gradients/x/"):
        assert sg.constant(1.0, name="mul").name == "gradients/x/mul"
    assert graph.scope == ""


def test_the_next_name_is_the_one_that_is_given(graph: Graph) -> None:
    for name in ("x", "x", "x_2", "y"):
        expected = graph.next_name(name)
        assert sg.constant(1.0, name=name).name == expected


def test_a_hundred_thousand_equal_names_take_linear_time(graph: Graph) -> None:
    x = sg.constant(1.0)
    for _ in range(100_000):
        x = x + 1.0
    assert x.name == "add_99999"
    assert graph.operation("add_500") is graph.operations[502]


# -- looking up -------------------------------------------------------------------------------


def test_tensors_are_found_by_name(graph: Graph) -> None:
    a, b = sg.constant(1.0, name="a"), sg.constant(2.0, name="b:1")
    assert graph.operation("a") is a.node
    assert graph.operation("c") is None
    assert graph.tensor("a") is a
    assert graph.tensor("a:0") is a
    assert graph.tensor("b:1") is b
    assert graph.names() == ["a", "b:1"]
    for missing in ("c", "a:1", "a:x", "a:-1", ""):
        assert graph.tensor(missing) is None


def test_results_after_the_first_are_numbered() -> None:
    @sg.custom_gradient
    def both(x: Any) -> Any:
        return (x + 1.0, x + 2.0), lambda a, b: a + b

    first, second = both(sg.constant(1.0))
    assert (first.name, second.name) == ("both", "both:1")
    assert second.graph.tensor("both:1") is second


# -- growing ----------------------------------------------------------------------------------


def test_ids_are_a_topological_order(graph: Graph) -> None:
    x = sg.placeholder("float32", (2,))
    with sg.control_dependencies([x * 2.0]):
        sg.tanh(x + 1.0)
    for number, node in enumerate(graph.operations):
        assert node.id == number
        assert all(tensor.node.id < number for tensor in node.inputs)
        assert all(before.id < number for before in node.control_inputs)


def test_a_finalized_graph_refuses() -> None:
    x = sg.constant(1.0)
    x.graph.finalize()
    with pytest.raises(GraphError) as caught:
        x * 2.0
    assert whole(caught) == (
        "constant: the graph is finalized and takes no more operations\n"
        "  build everything before finalize(), outside the training loop, and feed what changes\n"
        "  at <here>"
    )
    assert len(x.graph) == 1


def test_operands_belong_to_one_graph() -> None:
    x = sg.placeholder("float32", (3,), name="x")
    with Graph().as_default():
        y = sg.placeholder("float32", (3,), name="y")
    with pytest.raises(GraphError) as caught:
        x + y
    assert whole(caught, y=y) == (
        "add: operands belong to different graphs\n"
        "  'y'  float32[3]  placeholder at <y>\n"
        "  a graph is closed: build all operands of one computation in one graph, or fetch the "
        "value from one session and feed it to the other\n"
        "  created at <here>"
    )
    assert len(x.graph) == 1


def test_what_fails_leaves_the_graph_as_it_was(graph: Graph) -> None:
    x, y = sg.placeholder("float32", (3,)), sg.placeholder("float32", (4,))
    with pytest.raises(sg.ShapeError):
        x + y
    assert len(graph) == 2
    assert (x + x).name == "add"


def test_a_literal_is_one_node(graph: Graph) -> None:
    x = sg.placeholder("float32", ())
    for _ in range(3):
        x = x * 2.0 + 2.0
    literals = [node for node in graph.operations if node.op.name == "constant"]
    assert len(literals) == 1
    assert x * -0.0 is not x * 0.0
    signs = [np.signbit(n.attrs["value"]) for n in graph.operations if n.op.name == "constant"]
    assert signs == [False, True, False]


def test_unknown_sizes_get_a_symbol_each(graph: Graph) -> None:
    x = sg.placeholder("float32", (None, 3, None, "batch"))
    assert x.type.shape == ("?0", 3, "?1", "batch")
    assert x.shape == (None, 3, None, "batch")
    assert (x.ndim, x.size, x.dtype) == (4, None, dtypes.float32)
    assert sg.placeholder("float32").shape is None


# -- control edges ----------------------------------------------------------------------------


def test_control_edges_are_kept_in_order_and_once() -> None:
    a, b = sg.constant(1.0).node, sg.constant(2.0).node
    with sg.control_dependencies([a]):
        with sg.control_dependencies([b, a]):
            inner = sg.constant(3.0).node
        outer = sg.constant(4.0).node
    after = sg.constant(5.0).node
    assert inner.control_inputs == (a, b)
    assert outer.control_inputs == (a,)
    assert after.control_inputs == ()


def test_waiting_can_be_suspended(graph: Graph) -> None:
    a = sg.constant(1.0).node
    with sg.control_dependencies([a]):
        assert graph.controls == (a,)
        with graph.no_control_dependencies():
            assert sg.constant(2.0).node.control_inputs == ()
    assert graph.controls == ()


# -- odds and ends ----------------------------------------------------------------------------


def test_nodes_can_be_made_at_another_line(graph: Graph) -> None:
    place = sg.constant(1.0).node.location
    with graph.at(place):
        assert sg.constant(2.0).node.location is place
        assert graph.location is place
    assert graph.location is not place


def test_tensors_are_described_with_their_line() -> None:
    x = sg.placeholder("float32", (None, 2), name="x")
    assert describe(x) == f"'x'  float32[?, 2]  placeholder at {x.node.location.short}"


def test_attributes_hold_private_copies() -> None:
    array = np.arange(4)
    kept = read_only(array[::-1])
    array[:] = 7
    assert kept.tolist() == [3, 2, 1, 0]
    assert not kept.flags.writeable and kept.flags.c_contiguous
    swapped = read_only(np.arange(3, dtype=np.dtype("int32").newbyteorder()))
    assert swapped.dtype.isnative and swapped.tolist() == [0, 1, 2]
    assert supported(array)
    assert supported(np.ones(2, complex))
    assert not supported(np.ones(2, object))


def test_a_copy_of_a_tensor_is_the_tensor() -> None:
    x = sg.placeholder("float32", (), name="x")
    assert copy.copy(x) is x
    assert copy.deepcopy({"feeds": [x]})["feeds"][0] is x
