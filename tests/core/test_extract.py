"""From a graph to a Function, and what a read of a variable sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.reference import ReferenceExecutable
from staticgraph.core import extract as module
from staticgraph.core.extract import Extraction
from staticgraph.core.graph import Graph, Operation, Tensor
from staticgraph.core.types import TensorType
from staticgraph.core.verify import verify
from staticgraph.errors import FeedError, GraphError
from tests.growth import memory, work
from tests.messages import whole


def extract(fetches: Sequence[Tensor | Operation], feeds: Sequence[Tensor] = ()) -> Extraction:
    """An extraction that verifies."""
    graph = fetches[0].graph
    made = module.extract(graph, fetches, feeds)
    verify(made.function)
    return made


def values(
    fetches: Sequence[Tensor | Operation], state: dict[str, Any] | None = None, **feeds: Any
) -> tuple[list[Any], dict[str, Any]]:
    """The fetched values, and the new values of variables, when the variables have `state`."""
    graph = fetches[0].graph
    fed = {graph.tensor(name): value for name, value in feeds.items()}
    made = extract(fetches, [tensor for tensor in fed if tensor is not None])
    arrays = []
    for source in made.sources:
        if isinstance(source, str):
            arrays.append(np.asarray((state or {})[source.removeprefix("variable:")], np.float32))
        else:
            arrays.append(np.asarray(fed[source], source.dtype))
    outputs = [float(output) for output in ReferenceExecutable(made.function)(arrays)]
    kept = dict(zip(made.updates, outputs[made.fetched :], strict=True))
    return outputs[: made.fetched], kept


def _names(made: Extraction) -> list[str]:
    return [node.name for node in made.function.nodes]


# -- what is needed ---------------------------------------------------------------------------


def test_only_what_the_fetches_need_is_there() -> None:
    x = sg.placeholder("float32", (2,), name="x")
    y = sg.tanh(x, name="y")
    sg.exp(y, name="unneeded")
    z = sg.negative(y, name="z")
    made = extract([z], [x])
    assert _names(made) == ["y", "z"]
    assert made.sources == (x,)
    assert made.fetched == 1 and made.updates == ()
    assert made.function.output_names == ("z",)
    assert [node.location for node in made.function.nodes] == [y.node.location, z.node.location]


def test_what_is_asked_twice_is_returned_twice() -> None:
    x = sg.constant(1.0, name="x")
    made = extract([x, x])
    assert _names(made) == ["x"]
    assert made.function.outputs == (made.function.nodes[0].out,) * 2


def test_operations_are_computed_and_return_nothing() -> None:
    x = sg.placeholder("float32", (), name="x")
    check = sg.assert_true(x > 0)
    made = extract([check], [x])
    assert _names(made)[-1] == "assert"
    assert made.fetched == 0 and made.function.outputs == ()


def test_control_edges_bring_what_they_name_and_vanish() -> None:
    x = sg.placeholder("float32", (), name="x")
    check = sg.assert_true(x > 0)
    with sg.control_dependencies([check]):
        y = sg.identity(x, name="y")
    both = sg.group(y, check)
    assert _names(extract([y], [x])) == ["constant", "greater", "assert", "y"]
    assert _names(extract([both], [x])) == ["constant", "greater", "assert", "y"]


def test_feeds_come_first_in_their_order_and_are_always_inputs() -> None:
    a, b = sg.placeholder("float32", (), name="a"), sg.placeholder("float32", (), name="b")
    v = sg.Variable(1.0, name="v")
    made = extract([b + v.value], [b, a])
    assert made.sources == (b, a, "variable:v")
    kinds = [(value.name, value.node.attrs["kind"]) for value in made.function.inputs]
    assert kinds == [("b", "feed"), ("a", "feed"), ("v", "variable")]


# -- placeholders and feeds -------------------------------------------------------------------


def test_a_placeholder_that_is_needed_must_be_fed() -> None:
    x = sg.placeholder("float32", (None, 2), name="x")
    y = x * 2.0
    with pytest.raises(FeedError) as caught:
        extract([y])
    # The outermost frame of the test is the call above; the line of x is shown in full.
    assert whole(caught, x=x).replace("<x>", "LINE") == (
        "run: placeholder 'x' is needed and was not fed\n"
        "  'x'  float32[?, 2]  placeholder at LINE\n"
        "  feed it: session.run(fetches, {x: value})\n"
        f"  at {_capture_line()}"
    )


def _capture_line() -> str:
    """The line of `extract` above that calls the module: the innermost frame of a user."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    text = "made = module.extract(graph, fetches, feeds)"
    number = next(i for i, line in enumerate(lines, 1) if line.strip() == text)
    return f"tests/core/test_extract.py:{number}: {text}"


def test_a_placeholder_that_is_not_needed_need_not_be_fed() -> None:
    sg.placeholder("float32", ())
    assert values([sg.constant(2.0)]) == ([2.0], {})


def test_to_look_at_a_graph_placeholders_become_inputs() -> None:
    x, y = sg.placeholder("float32", (), name="x"), sg.placeholder("float32", (), name="y")
    made = module.extract(x.graph, [y + x], defaults_for_missing=True)
    assert made.sources == (x, y)


def test_a_fed_intermediate_cuts_off_what_made_it() -> None:
    x = sg.placeholder("float32", (), name="x")
    hidden = sg.exp(x, name="hidden")
    result = hidden * 3.0
    assert values([result], hidden=5.0) == ([15.0], {})


def test_what_is_fed_can_be_fetched() -> None:
    x = sg.placeholder("float32", (), name="x")
    hidden = sg.exp(x, name="hidden")
    assert values([hidden, hidden * 2.0], hidden=5.0) == ([5.0, 10.0], {})


def test_one_result_of_a_node_can_be_fed() -> None:
    @sg.custom_gradient
    def both(x: Any) -> Any:
        return (x + 1.0, x + 2.0), lambda a, b: a + b

    first, second = both(sg.placeholder("float32", (), name="x"))
    graph = first.graph
    made = extract([first, second, first * second], [graph.tensor("x"), first])  # type: ignore[list-item]
    assert ReferenceExecutable(made.function)([np.float32(1), np.float32(10)]) == [10, 3, 30]


def test_a_default_is_used_unless_it_is_fed() -> None:
    rate = sg.placeholder_with_default(0.5, name="rate")
    result = rate * 2.0
    assert values([result]) == ([1.0], {})
    assert values([result], rate=3.0) == ([6.0], {})
    made = extract([result], [rate])
    assert [node.op.name for node in made.function.nodes] == ["constant", "multiply"]


def test_a_default_that_says_more_than_its_placeholder_gives_better_types() -> None:
    data = sg.placeholder_with_default(np.ones((2, 3), np.float32), (None, 3))
    doubled = data * 2.0
    assert doubled.shape == (None, 3)
    assert extract([doubled]).function.outputs[0].type.shape == (2, 3)
    fed = extract([doubled], [data]).function.outputs[0].type
    assert fed == TensorType(data.dtype, data.type.shape)


def test_a_default_that_does_not_fit_is_an_error_of_the_run() -> None:
    data = sg.placeholder_with_default(np.ones(2, np.float32), (None,), name="data")
    total = sg.add(data, np.ones(3, np.float32))
    with pytest.raises(sg.ShapeError) as caught:
        extract([total])
    assert whole(caught, data=data, total=total) == (
        "add: shapes do not broadcast\n"
        "  lhs 'constant'  float32[2]  constant at <data>\n"
        "  rhs 'constant_1'  float32[3]  constant at <total>\n"
        "  axis -1: 2 and 3 must be equal, or one of them 1\n"
        "  created at <total>"
    )
    assert total.shape == (3,)
    assert len(extract([total], [data]).function.nodes) == 2


def test_the_key_of_the_run_is_one_input(graph: Graph) -> None:
    draws = [node.op for node in graph.operations if node.op.role == "key"]
    assert draws == []
    x, y = sg.random.normal((2,)), sg.random.normal((2,))
    made = extract([x, y])
    assert made.sources == ("key",)
    assert made.function.inputs[0].node.attrs["kind"] == "key"


# -- state ------------------------------------------------------------------------------------


def test_reads_see_the_value_at_the_start() -> None:
    v = sg.Variable(1.0, name="v")
    read = v * 10.0
    assigned = v.assign(7.0)
    late = v * 10.0
    assert values([read, assigned, late], {"v": 2}) == ([20.0, 7.0, 20.0], {"v": 7.0})


def test_a_read_behind_an_assign_sees_what_it_wrote() -> None:
    v = sg.Variable(1.0, name="v")
    with sg.control_dependencies([v.assign(7.0)]):
        after, implicit = v.read(), v + 1.0
    assert values([after, implicit], {"v": 2}) == ([7.0, 8.0], {"v": 7.0})


def test_the_assigned_value_itself_can_be_used() -> None:
    v = sg.Variable(1.0, name="v")
    assert values([v.assign(7.0) + 1.0], {"v": 2}) == ([8.0], {"v": 7.0})


def test_a_read_behind_a_group_sees_all_of_it() -> None:
    v, w = sg.Variable(1.0, name="v"), sg.Variable(1.0, name="w")
    with sg.control_dependencies([sg.group(v.assign(7.0), w.assign(8.0))]):
        total = v + w.value * 0.0 + w.read()
    assert values([total], {"v": 0, "w": 0}) == ([15.0], {"v": 7.0, "w": 8.0})


def test_a_read_far_behind_an_assign_sees_it() -> None:
    v = sg.Variable(1.0, name="v")
    far = v.assign(7.0)
    for _ in range(4):
        far = sg.tanh(far)
    with sg.control_dependencies([far]):
        after = v.read()
    assert values([after], {"v": 2}) == ([7.0], {"v": 7.0})


def test_assigns_in_a_chain_keep_the_last() -> None:
    v = sg.Variable(1.0, name="v")
    first = v.assign_add(1.0)
    with sg.control_dependencies([first]):
        second = v.assign(v * 10.0)
        between = v.read()
    with sg.control_dependencies([second]):
        third = v.assign_sub(5.0)
        last = v.read()
    want = [3.0, 3.0, 30.0, 25.0, 30.0]
    assert values([first, between, second, third, last], {"v": 2}) == (want, {"v": 25.0})
    assert values([first], {"v": 2}) == ([3.0], {"v": 3.0})


def test_an_assign_ordered_by_data_alone_is_ordered() -> None:
    v = sg.Variable(1.0, name="v")
    first = v.assign(7.0)
    second = v.assign(first + 1.0)
    assert values([second, first], {"v": 2}) == ([8.0, 7.0], {"v": 8.0})


def test_a_diamond_takes_the_later_of_two_ordered_assigns() -> None:
    v = sg.Variable(1.0, name="v")
    first = v.assign(7.0)
    left = first * 2.0
    with sg.control_dependencies([first]):
        second = v.assign(8.0)
    right = second * 3.0
    for pair in ([left, right], [right, left]):
        with sg.control_dependencies(pair):
            after = v.read()
        assert values([after], {"v": 2}) == ([8.0], {"v": 8.0})


def test_a_diamond_of_two_variables_sees_both() -> None:
    v, w = sg.Variable(1.0, name="v"), sg.Variable(1.0, name="w")
    left, right = v.assign(7.0), w.assign(8.0)
    joined = left + right
    with sg.control_dependencies([joined]):
        total = v.read() * w.read()
        again = w.assign(9.0)
        later = v.read() + w.read()
    with sg.control_dependencies([again]):
        last = w.read()
    have, kept = values([total, later, last], {"v": 0, "w": 0})
    assert have == [56.0, 15.0, 9.0]
    assert kept == {"v": 7.0, "w": 9.0}


def test_a_branch_of_a_diamond_does_not_see_the_other() -> None:
    v = sg.Variable(1.0, name="v")
    start = sg.constant(0.0)
    with sg.control_dependencies([start]):
        assigned = v.assign(7.0)
        beside = v.read()
    assert values([assigned, beside], {"v": 2}) == ([7.0, 2.0], {"v": 7.0})


def test_only_the_assigns_of_the_run_count() -> None:
    v = sg.Variable(1.0, name="v")
    first = v.assign(7.0)
    second = v.assign(8.0)
    assert values([first], {"v": 2}) == ([7.0], {"v": 7.0})
    assert values([second], {"v": 2}) == ([8.0], {"v": 8.0})


def test_two_assigns_without_an_order_are_refused() -> None:
    v = sg.Variable(1.0, name="v")
    first = v.assign(7.0, name="first")
    second = v.assign_add(1.0, name="second")
    with pytest.raises(GraphError) as caught:
        extract([first, second])
    message, _, at = whole(caught, first=first, second=second, v=v).rpartition("\n  at ")
    assert at.endswith("made = module.extract(graph, fetches, feeds)")
    assert message == (
        "run: two assigns to variable 'v' have no order\n"
        "  first  'first' at <first>\n"
        "  second 'second' at <second>\n"
        "  variable 'v' at <v>\n"
        "  order them: make the second under control_dependencies on the first, or let it take the "
        "first's result as its operand"
    )


def test_an_order_from_outside_is_no_order() -> None:
    """Both are behind the same node, and neither behind the other."""
    v = sg.Variable(1.0, name="v")
    with sg.control_dependencies([v.assign(6.0)]):
        first, second = v.assign(7.0), v.assign(8.0)
    with pytest.raises(GraphError) as caught:
        extract([sg.group(first, second)])
    assert str(caught.value).startswith(
        "run: two assigns to variable 'v' have no order\n  first  'assign_1' at "
    )


def test_a_fed_assign_is_still_an_order_of_its_operands() -> None:
    """Feeding the value of an intermediate says nothing about the assigns behind it."""
    v = sg.Variable(1.0, name="v")
    hidden = sg.tanh(v.assign(7.0), name="hidden")
    with sg.control_dependencies([hidden]):
        after = v.read()
    assert values([after], {"v": 2}, hidden=0.0) == ([7.0], {"v": 7.0})


def test_a_fed_read_is_not_the_variable() -> None:
    v = sg.Variable(1.0, name="v")
    doubled = v.value * 2.0
    assert values([doubled], v=5.0) == ([10.0], {})
    made = extract([doubled, v.read() * 3.0], [v.value])
    assert made.sources == (v.value, "variable:v")
    assert str(made.function).splitlines()[2].startswith('  %v_1: float32[] variable "v"')


def test_updates_come_after_the_fetches_and_name_the_variable() -> None:
    v, w = sg.Variable(1.0, name="v"), sg.Variable(2.0, name="w")
    made = extract([w.assign(v.value + 1.0), v.assign(3.0)])
    assert made.function.output_names == ("assign", "assign_1", "update w", "update v")
    assert made.updates == ("w", "v")
    assert made.fetched == 2


def test_variables_come_in_the_order_in_which_they_were_made() -> None:
    v, w = sg.Variable(1.0, name="v"), sg.Variable(2.0, name="w")
    assert extract([w.value - v.value]).sources == ("variable:v", "variable:w")


def test_an_assigned_value_says_more_than_the_variable() -> None:
    x = sg.placeholder("float32", (None,), name="x")
    v = sg.Variable(x, name="v")
    with sg.control_dependencies([v.assign(np.ones(3, np.float32))]):
        after = v.read() * 2.0
    assert extract([after]).function.outputs[0].type.shape == (3,)


# -- size -------------------------------------------------------------------------------------


def _many_variables(count: int) -> Callable[[], Any]:
    graph = Graph()
    with graph.as_default():
        variables = [sg.Variable(1.0) for _ in range(count)]
        step = sg.group(*[variable.assign_add(1.0) for variable in variables])
    return lambda: module.extract(graph, [step])


def _chained_updates(count: int) -> Callable[[], Any]:
    """Every update waits for the one before it, as a chain of control edges."""
    graph = Graph()
    with graph.as_default():
        variables = [sg.Variable(1.0) for _ in range(count)]
        last = variables[0].assign_add(1.0)
        for variable in variables[1:]:
            with sg.control_dependencies([last]):
                last = variable.assign_add(1.0)
    return lambda: module.extract(graph, [last])


@pytest.mark.parametrize("build", [_many_variables, _chained_updates])
def test_the_cost_of_variables_is_linear(build: Callable[[int], Callable[[], Any]]) -> None:
    small, large = build(500), build(5_000)
    assert len(large().updates) == 5_000
    # Quadratic growth would be a hundred times as much.
    assert work(large) < 12 * work(small)
    assert memory(large) < 15 * memory(small)


def test_a_long_chain_needs_no_call_stack() -> None:
    x = sg.placeholder("float32", (), name="x")
    y: Tensor = x
    for _ in range(100_000):
        y = sg.negative(y)
    assert len(extract([y], [x]).function.nodes) == 100_000
