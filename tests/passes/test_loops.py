"""Passes over loops and branches: what they make, by structure, by value and by counting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.reference import evaluate
from staticgraph.core.function import Function
from staticgraph.core.graph import Tensor
from staticgraph.core.node import Node, make_node
from staticgraph.core.opdef import get
from staticgraph.core.verify import verify
from staticgraph.passes.common import Notes
from staticgraph.passes.cse import number_values
from staticgraph.passes.fold import fold_constants
from staticgraph.passes.hoist import hoist
from staticgraph.passes.merge import merge_loops
from staticgraph.passes.narrow import narrow
from staticgraph.passes.prune import prune
from staticgraph.passes.region_rules import REGION_RULES
from staticgraph.passes.specialize import specialize
from tests.growth import work
from tests.passes.support import assert_same_bits, check_golden, run

LOOPS = ("while", "scan")


def passed(function: Function, *passes: Any, notes: Notes | None = None) -> Function:
    """A Function after these passes, each result verified."""
    for each in passes:
        function = each(function, notes or Notes(evaluate))
        verify(function, each.__name__)
    return function


def rules(function: Function, *passes: Any) -> dict[str, int]:
    kept = Notes(evaluate)
    passed(function, *passes, notes=kept)
    return kept.rules


def nodes_of(function: Function, name: str) -> list[Node]:
    return [node for node in function.nodes if node.op.name == name]


def same_values(before: Function, after: Function, *inputs: Any, exact: bool = True) -> None:
    given = [np.asarray(value) for value in inputs]
    for have, want in zip(run(after, given), run(before, given), strict=True):
        if exact:
            assert_same_bits(have, want)
        else:
            np.testing.assert_allclose(have, want, rtol=2e-5, atol=1e-6)


def scalar(name: str = "x") -> Tensor:
    return sg.placeholder("float32", (), name=name)


# -- merging ----------------------------------------------------------------------------------


def decay(x: Tensor, w: Tensor) -> Tensor:
    """A loop whose number of iterations depends on the data."""
    return sg.while_loop(lambda v: v > 0.1, lambda v: sg.sin(v * w), x)


def test_the_twin_is_merged() -> None:
    x, w = scalar(), scalar("w")
    y = decay(x, w)
    before = sg.extract([y, *sg.gradients(y, [x, w])])
    assert before.count("while") == 2
    after = passed(before, merge_loops)
    assert after.count("while") == 1
    assert rules(before, merge_loops) == {"merge loops": 1}
    check_golden("merge_loops", before, after)
    for start in (0.9, 0.05):
        same_values(before, after, np.float32(start), np.float32(0.8))


def test_value_gradient_hessian_and_tangent_run_one_loop() -> None:
    x, w = scalar(), scalar("w")
    y = decay(x, w)
    slope = sg.gradients(y, [x, w])
    curvature = sg.gradients(slope[0], x)
    tangent = sg.jvp([y], [x], [sg.constant(1.0)])
    before = sg.extract([y, *slope, *curvature, *tangent])
    assert before.count("while") > 3
    after = sg.optimize([y, *slope, *curvature, *tangent])
    assert after.count("while") == 1
    same_values(before, after, np.float32(0.9), np.float32(0.8), exact=False)


def test_twins_merge_when_the_loop_itself_is_not_fetched() -> None:
    x, w = scalar(), scalar("w")
    y = decay(x, w)
    before = sg.extract([sg.gradients(y, x)[0], *sg.jvp([y], [w], [sg.constant(1.0)])])
    after = passed(before, merge_loops)
    assert (before.count("while"), after.count("while")) == (2, 1)
    same_values(before, after, np.float32(0.9), np.float32(0.8))


def test_two_forward_mode_loops_share_the_values() -> None:
    x, w = scalar(), scalar("w")
    y = decay(x, w)
    one = sg.constant(1.0)
    before = sg.extract([*sg.jvp([y], [x], [one]), *sg.jvp([y], [w], [one])])
    after = passed(before, merge_loops)
    assert (before.count("while"), after.count("while")) == (2, 1)
    assert nodes_of(after, "while")[0].attrs["carries"] == 3
    same_values(before, after, np.float32(0.9), np.float32(0.8))


def scanned(rows: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    def step(carry: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        new = sg.tanh(carry * w + row)
        return new, new * row

    return sg.scan(step, sg.zeros((2,)), rows)


def test_scans_merge_with_their_derivatives_in_both_modes() -> None:
    rows = sg.placeholder("float32", (None, 2), name="rows")
    w = scalar("w")
    last, outputs = scanned(rows, w)
    loss = sg.sum(last) + sg.sum(outputs)
    fetches = [
        loss, *sg.gradients(loss, [w, rows]), *sg.jvp([loss], [w], [sg.constant(1.0)]),
        *sg.jvp([loss], [rows], [sg.ones_like(rows)]),
    ]  # fmt: skip
    before = sg.extract(fetches)
    after = passed(before, merge_loops)
    forward = [node for node in nodes_of(after, "scan") if not node.attrs["reverse"]]
    assert before.count("scan") == 5
    assert len(forward) == 1
    data = np.random.default_rng(1).normal(size=(5, 2)).astype(np.float32)
    same_values(before, after, data, np.float32(0.7))
    same_values(before, sg.optimize(fetches), data, np.float32(0.7), exact=False)


def test_a_body_that_prints_prints_once_an_iteration(capsys: pytest.CaptureFixture[str]) -> None:
    x = scalar()

    def step(v: Tensor) -> Tensor:
        return sg.print(v * 0.5, "step")

    y = sg.while_loop(lambda v: v > 0.1, step, x)
    slope = sg.gradients(y, x)[0]
    session = sg.Session()
    capsys.readouterr()
    alone = session.run(y, {x: 1.0})
    once = capsys.readouterr()
    both = session.run([y, slope], {x: 1.0})
    assert both[0] == alone
    assert capsys.readouterr() == once
    assert (once.out + once.err).count("step") == 4


def test_loops_that_wait_for_each_other_stay_two() -> None:
    x, w = scalar(), scalar("w")
    first = decay(x, w)
    # It starts as the first does, and captures what the first results in.
    second = sg.while_loop(lambda v: v > 0.1, lambda v: sg.sin(v * w) * first, x)
    tangent = sg.jvp([first], [w], [sg.sin(first)])[0]
    before = sg.extract([first, second, tangent])
    after = passed(before, merge_loops)
    assert after.count("while") == 3
    same_values(before, after, np.float32(0.9), np.float32(0.8))


def test_loops_that_differ_stay_two() -> None:
    x, w = scalar(), scalar("w")
    body = lambda v: sg.sin(v * w)  # noqa: E731
    loops = [
        sg.while_loop(lambda v: v > 0.1, body, x),
        sg.while_loop(lambda v: v > 0.2, body, x),
        sg.while_loop(lambda v: v > 0.1, lambda v: sg.cos(v * w) * 0.5, x),
        sg.while_loop(lambda v: v > 0.1, body, [x], maximum_iterations=3)[0],
    ]
    before = sg.extract(loops)
    after = passed(before, merge_loops)
    assert after is before


def test_one_loop_written_twice_is_one() -> None:
    x, w = scalar(), scalar("w")
    before = sg.extract([decay(x, w), decay(x, w)])
    after = passed(before, merge_loops)
    assert (after.count("while"), after.count("sin")) == (1, 1)


def test_one_of_two_pairs_that_cannot_merge_does_not_keep_the_other() -> None:
    x, w = scalar(), scalar("w")
    inner = decay(x, w)
    outer = sg.while_loop(lambda v: v > 0.1, lambda v: v * inner * 0.9, [inner + 1.0])[0]
    before = sg.extract([outer, *sg.gradients(outer, [x, w])])
    after = passed(before, merge_loops)
    assert (before.count("while"), after.count("while")) == (4, 2)
    same_values(before, after, np.float32(0.9), np.float32(0.8))


def test_nested_loops_merge_at_every_level() -> None:
    rows = sg.placeholder("float32", (None,), name="rows")
    w = scalar("w")

    def step(carry: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        new = carry + sg.while_loop(lambda v: v > 0.1, lambda v: sg.sin(v * w), row)
        return new, new

    last, _ = sg.scan(step, 0.0, rows)
    fetches = [last, *sg.gradients(last, [rows, w]), *sg.jvp([last], [w], [sg.constant(1.0)])]
    before, after = sg.extract(fetches), sg.optimize(fetches)
    # The scan itself, its backward scan, and that of the while inside.
    assert (before.count("scan"), after.count("scan")) == (5, 3)
    assert (before.count("while"), after.count("while")) == (5, 1)
    same_values(before, after, np.float32([0.9, 0.3, 0.05]), np.float32(0.8), exact=False)


def scan_in_scan(x: Tensor, w: Tensor) -> Tensor:
    inner = lambda v: sg.scan(lambda u, _: (sg.sin(u * w), None), v, length=3)[0]  # noqa: E731
    return sg.scan(lambda v, _: (inner(v), None), x, length=2)[0]


def while_in_while(x: Tensor, w: Tensor) -> Tensor:
    inner = lambda v: sg.while_loop(lambda u: u > v * 0.5, lambda u: sg.sin(u * w), v)  # noqa: E731
    return sg.while_loop(lambda v: v > 0.1, inner, x)


def loop_in_cond(x: Tensor, w: Tensor) -> Tensor:
    return sg.cond(x > 0.5, lambda: sg.tanh(decay(x, w)), lambda: x * w)


@pytest.mark.parametrize("build", [scan_in_scan, while_in_while, loop_in_cond])
def test_the_twin_of_a_loop_inside_is_merged(build: Any) -> None:
    x, w = scalar(), scalar("w")
    y = build(x, w)
    fetches = [y, *sg.gradients(y, [x, w])]
    before, after = sg.extract(fetches), sg.optimize(fetches)
    assert after.count("sin") == 1
    check_golden(f"merge_{build.__name__}", before, after)
    for start in (0.9, 0.4, 0.05):
        same_values(before, after, np.float32(start), np.float32(0.8))


def test_branches_of_forward_mode_are_merged() -> None:
    x, w = scalar(), scalar("w")
    y = sg.cond(x > 0.5, lambda: sg.sin(sg.exp(x)) * w, lambda: x * w)
    before = sg.extract([y, *sg.jvp([y], [x], [sg.constant(1.0)])])
    after = passed(before, merge_loops)
    assert (before.count("cond"), after.count("cond")) == (2, 1)
    assert (before.count("exp"), after.count("exp")) == (2, 1)
    assert rules(before, merge_loops) == {"merge branches": 1}
    for start in (0.9, 0.4):
        same_values(before, after, np.float32(start), np.float32(0.8))


def test_branches_that_share_no_work_or_wait_for_each_other_stay_two() -> None:
    x, w = scalar(), scalar("w")
    first = sg.cond(x > 0.5, lambda: sg.exp(x), lambda: w)
    apart = sg.cond(x > 0.5, lambda: sg.cos(x), lambda: x * w)
    second = sg.cond(x > 0.5, lambda: sg.exp(x) * first, lambda: w)
    before = sg.extract([first, apart, second])
    before = passed(before, number_values)
    after = passed(before, merge_loops)
    assert after.count("cond") == 3
    for start in (0.9, 0.4):
        same_values(before, after, np.float32(start), np.float32(0.8))


@pytest.mark.parametrize("nested", ["loop", "branch"])
def test_a_silent_twin_is_merged_with_a_loop_that_prints(nested: str, capsys: Any) -> None:
    x, w = scalar(), scalar("w")

    def inner(v: Tensor) -> Tensor:
        test = lambda u: sg.print(u, "test ") > 0.1  # noqa: E731
        return sg.while_loop(test, lambda u: sg.print(sg.sin(u * w), "step "), v)

    def body(v: Tensor, _: Any) -> tuple[Tensor, None]:
        step = inner(v) if nested == "loop" else sg.cond(v > 0.0, lambda: inner(v), lambda: v)
        return step + 0.5, None

    y, _ = sg.scan(body, x, length=2)
    fetches = [y, *sg.gradients(y, [x, w])]
    after = sg.optimize(fetches)
    assert (after.count("sin"), after.count("print")) == (1, 2)
    session = sg.Session()
    session.run(y, {x: 0.9, w: 0.8})
    alone = capsys.readouterr().out
    session.run(fetches, {x: 0.9, w: 0.8})
    assert capsys.readouterr().out == alone


def test_many_loops_merge_in_linear_time() -> None:
    x, w = scalar(), scalar("w")

    def chained(count: int) -> Function:
        y: Tensor = x
        for _ in range(count):
            y = decay(y + 0.5, w)
        return sg.extract([y, *sg.gradients(y, [x, w])])

    small, large = chained(15), chained(150)
    assert sg.optimize(large).count("while") == 150
    merged = [
        work(lambda f=f: passed(f, merge_loops, notes=Notes(evaluate))) for f in (small, large)
    ]
    assert merged[1] < 15 * merged[0]


# -- specializing -----------------------------------------------------------------------------


def test_a_known_predicate_takes_its_branch() -> None:
    x = scalar()
    before = sg.extract(sg.cond(sg.constant(True), lambda: sg.sin(x) + 1.0, lambda: sg.cos(x)))
    after = passed(before, fold_constants, specialize, prune)
    assert (after.count("cond"), after.count("sin"), after.count("cos")) == (0, 1, 0)
    check_golden("known_branch", before, after)
    same_values(before, after, np.float32(0.3))


def test_a_known_index_takes_its_branch() -> None:
    x = scalar()
    branches = [lambda: sg.sin(x), lambda: sg.cos(x), lambda: x]
    before = sg.extract(sg.switch_case(sg.constant(1), branches))
    after = passed(before, specialize, prune)
    assert [node.op.name for node in after.nodes] == ["cos"]
    wrong = sg.extract(sg.switch_case(sg.constant(3), branches))
    assert passed(wrong, specialize).count("switch_case") == 1


def test_branches_within_a_known_branch_are_known_too() -> None:
    x = scalar()
    known = sg.constant(2) > 1
    deep = sg.cond(known, lambda: sg.cond(known, lambda: sg.sin(x), lambda: x), lambda: -x)
    after = sg.optimize(deep)
    assert [node.op.name for node in after.nodes] == ["sin"]
    assert after.report.rules["known branch"] == 2


def test_equal_branches_are_one() -> None:
    x, p = scalar(), sg.placeholder("bool", (), name="p")
    before = sg.extract(sg.cond(p, lambda: sg.sin(x) * 2.0, lambda: sg.sin(x) * 2.0))
    after = passed(before, specialize, prune)
    assert after.count("cond") == 0
    check_golden("equal_branches", before, after)
    for chosen in (True, False):
        same_values(before, after, np.float32(0.3), chosen)


def test_branches_that_act_stay() -> None:
    x, p = scalar(), sg.placeholder("bool", (), name="p")
    show = lambda: sg.print(x, "here")  # noqa: E731
    before = sg.extract(sg.cond(p, show, show))
    assert passed(before, specialize).count("cond") == 1


def test_a_while_that_never_runs_goes() -> None:
    x, limit = scalar(), sg.constant(3)
    i, y = sg.while_loop(lambda i, v: i < limit, lambda i, v: (i + 1, v * 2.0), [5, x])
    before = sg.extract([i, y])
    after = passed(before, fold_constants, specialize, prune)
    assert after.count("while") == 0
    check_golden("loop_that_never_runs", before, after)
    same_values(before, after, np.float32(0.3))
    never = sg.while_loop(lambda v: v > 0.0, lambda v: v * 0.5, [x], maximum_iterations=0)
    assert sg.optimize(never).count("while") == 0


def test_a_while_that_runs_or_may_run_stays() -> None:
    x = scalar()
    runs = sg.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * 2.0), [0, x])
    unknown = sg.while_loop(lambda v: v < 3.0, lambda v: v * 2.0, x)
    before = sg.extract([runs[1], unknown])
    assert passed(before, specialize).count("while") == 2


def test_derivatives_of_a_while_that_never_runs() -> None:
    x = scalar()
    y = sg.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, sg.sin(v) * v), [5, x])[1]
    fetches = [y, sg.gradients(y, x)[0]]
    before, after = sg.extract(fetches), sg.optimize(fetches)
    assert (after.count("while"), after.count("scan")) == (0, 0)
    same_values(before, after, np.float32(0.3))


def test_a_scan_along_no_entries_goes() -> None:
    x, rows = scalar(), sg.placeholder("float32", (0, 2), name="rows")
    last, outputs = sg.scan(lambda c, row: (c + sg.sum(row), row * c), x, rows)
    before = sg.extract([last, outputs])
    after = passed(before, specialize, prune)
    assert after.count("scan") == 0
    check_golden("scan_along_no_entries", before, after)
    same_values(before, after, np.float32(0.3), np.zeros((0, 2), np.float32))


def test_captured_constants_are_made_in_the_body() -> None:
    x, two = scalar(), sg.constant(2.0)
    before = sg.extract(sg.while_loop(lambda v: v < two, lambda v: v + (two * 3.0) * v, x))
    after = passed(before, fold_constants, specialize)
    (loop,) = nodes_of(after, "while")
    assert len(loop.inputs) == 1
    check_golden("captured_constant", before, after)
    same_values(before, after, np.float32(0.3))
    folded = sg.optimize(sg.while_loop(lambda v: v < two, lambda v: v + (two * 3.0) * v, x))
    (loop,) = nodes_of(folded, "while")
    assert [n.op.name for n in loop.attrs["body"].nodes].count("multiply") == 1


def test_constants_reach_bodies_within_bodies_and_branches() -> None:
    x, known = scalar(), sg.constant(True)

    def step(v: Tensor) -> Tensor:
        return sg.cond(known, lambda: v * 0.5, lambda: v * 2.0)

    after = sg.optimize(sg.while_loop(lambda v: v > 0.1, step, x))
    assert after.count("cond") == 0
    assert after.report.rules["known branch"] == 1


def test_a_carry_that_never_changes_is_captured() -> None:
    x, w = scalar(), scalar("w")
    y, same = sg.while_loop(lambda v, k: v > 0.1, lambda v, k: (sg.sin(v * k), k), [x, w])
    before = sg.extract([y, same])
    after = passed(before, specialize)
    (loop,) = nodes_of(after, "while")
    assert loop.attrs["carries"] == 1
    assert after.outputs[1] is after.inputs[1]
    check_golden("carry_that_never_changes", before, after)
    for start in (0.9, 0.05):
        same_values(before, after, np.float32(start), np.float32(0.8))


def test_a_loop_of_nothing_but_invariants_keeps_its_result() -> None:
    x = scalar()
    before = sg.extract(sg.while_loop(lambda v: v > 0.1, lambda v: v, [x], maximum_iterations=3))
    after = passed(before, specialize, narrow)
    same_values(before, after, np.float32(0.3))


# -- narrowing --------------------------------------------------------------------------------


def test_a_carry_that_nobody_reads_goes() -> None:
    x, w = scalar(), scalar("w")

    def step(v: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return sg.sin(v), a + b * w, sg.cos(b)

    before = sg.extract(sg.while_loop(lambda v, a, b: v > 0.5, step, [x, x, x])[0])
    after = passed(before, narrow)
    (loop,) = nodes_of(after, "while")
    assert loop.attrs["carries"] == 1
    assert len(loop.inputs) == 1
    assert rules(before, narrow) == {
        "carry that nobody reads": 2, "capture that nobody reads": 1,
    }  # fmt: skip
    check_golden("carry_that_nobody_reads", before, after)
    same_values(before, after, *[np.float32(0.9)] * len(before.inputs))


def test_carries_that_others_need_stay() -> None:
    x = scalar()
    step = lambda v, a, b: (v - a, a + b, b * 0.5)  # noqa: E731
    before = sg.extract(sg.while_loop(lambda v, a, b: v > 0.5, step, [x, 0.1, 1.0])[0])
    assert passed(before, narrow) is before


def test_stacks_and_sequences_that_nobody_reads_go() -> None:
    rows = sg.placeholder("float32", ("n", 2), name="rows")
    more = sg.placeholder("float32", ("n",), name="more")
    w = scalar("w")

    def step(c: Tensor, given: Any) -> Any:
        row, extra = given
        return c + sg.sum(row), (row * c, extra * w, c)

    last, (_, _, carried) = sg.scan(step, 0.0, (rows, more))
    before = sg.extract([last, carried])
    after = passed(before, narrow)
    (loop,) = nodes_of(after, "scan")
    assert (loop.attrs["sequences"], len(loop.inputs), len(loop.outputs)) == (1, 2, 2)
    check_golden("sequence_that_nobody_reads", before, after)
    given = {"rows": np.ones((3, 2), np.float32), "more": np.ones(3, np.float32)}
    same_values(before, after, *[given.get(v.name, np.float32(2.0)) for v in before.inputs])


def test_a_sequence_stays_that_may_have_another_length() -> None:
    rows = sg.placeholder("float32", (None,), name="rows")
    more = sg.placeholder("float32", (None,), name="more")
    before = sg.extract(sg.scan(lambda c, given: (c + given[0], None), 0.0, (rows, more))[0])
    assert passed(before, narrow) is before
    with pytest.raises(sg.ShapeError, match="the sequences differ in length"):
        sg.Session().run(before_fetch(rows, more), {rows: np.ones(2), more: np.ones(3)})


def before_fetch(rows: Tensor, more: Tensor) -> Tensor:
    last: Tensor = sg.scan(lambda c, given: (c + given[0], None), 0.0, (rows, more))[0]
    return last


def test_a_scan_keeps_one_sequence_for_its_length() -> None:
    before = sg.extract(sg.fori_loop(0, 4, lambda i, v: v * 2.0, scalar()))
    after = sg.optimize(sg.fori_loop(0, 4, lambda i, v: v * 2.0, scalar("y")))
    assert nodes_of(after, "scan")[0].attrs["sequences"] == 1
    same_values(before, after, np.float32(1.5))


def test_what_is_taken_or_returned_twice_is_so_once() -> None:
    rows = sg.placeholder("float32", (3, 2), name="rows")
    step = lambda c, given: (c + sg.sum(given[0] * given[1]), (c, given[0], c))  # noqa: E731
    last, (first, copied, second) = sg.scan(step, 0.0, (rows, rows))
    before = sg.extract([last, first, copied, second])
    after = passed(before, narrow)
    (loop,) = nodes_of(after, "scan")
    assert (loop.attrs["sequences"], len(loop.outputs)) == (1, 2)
    assert after.outputs[2] is after.inputs[0]
    assert rules(before, narrow) == {
        "sequence taken twice": 1, "stack of a sequence's entries": 1, "result returned twice": 1,
    }  # fmt: skip
    check_golden("returned_twice", before, after)
    same_values(before, after, np.arange(6, dtype=np.float32).reshape(3, 2))


def test_branches_return_and_take_what_is_read() -> None:
    x, w, p = scalar(), scalar("w"), sg.placeholder("bool", (), name="p")
    results = sg.cond(p, lambda: (sg.sin(x), x * w, x), lambda: (sg.cos(x), w, x + 1.0))
    before = sg.extract(results[0])
    after = passed(before, narrow)
    (node,) = nodes_of(after, "cond")
    assert (len(node.inputs), len(node.outputs)) == (2, 1)
    check_golden("branches_narrowed", before, after)
    given = {"p": True}
    same_values(before, after, *[given.get(v.name, np.float32(0.3)) for v in before.inputs])


def test_loops_that_act_keep_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    rows = sg.constant([1.0, 2.0])
    shown = sg.map_fn(lambda row: sg.print(row, "row"), rows)
    with sg.control_dependencies([shown]):
        y = sg.identity(scalar())
    after = sg.optimize(y)
    assert after.count("print") == 1
    capsys.readouterr()
    run(after, [np.float32(0.0)] * len(after.inputs))
    out = capsys.readouterr()
    assert (out.out + out.err).count("row") == 2


# -- hoisting ---------------------------------------------------------------------------------


def test_what_does_not_change_is_computed_once() -> None:
    x, w = scalar(), scalar("w")
    step = lambda v: sg.sin(v) * sg.exp(w * 2.0) * 0.1  # noqa: E731
    before = sg.extract(sg.while_loop(lambda v: v > w + 1.0, step, x))
    after = passed(before, hoist, narrow)
    (loop,) = nodes_of(after, "while")
    assert [node.op.name for node in loop.attrs["cond"].nodes] == ["greater"]
    assert "exp" not in [node.op.name for node in loop.attrs["body"].nodes]
    assert after.count("exp") == 1
    check_golden("hoist", before, after)
    for start in (0.9, 5.0):
        same_values(before, after, np.float32(start), np.float32(0.4))


def test_what_may_fail_stays_in_a_loop_that_may_not_run() -> None:
    x = scalar()
    table, k = sg.placeholder("float32", (4,), name="table"), sg.placeholder("int64", (), name="k")
    step = lambda v: v - sg.abs(table[k]) - 0.1  # noqa: E731
    y = sg.while_loop(lambda v: v > 0.5, step, x)
    assert sg.optimize(y).count("while") == 1
    # Index 9 is out of range, but nobody asks.
    assert sg.Session().run(y, {x: 0.1, table: np.ones(4), k: 9}) == np.float32(0.1)
    fixed = sg.fori_loop(0, 3, lambda i, v: v - table[k], x)
    function = sg.optimize(fixed)
    (loop,) = nodes_of(function, "scan")
    # A loop that is known to run would fail all the same.
    assert [node.op.name for node in loop.attrs["body"].nodes] == ["subtract"]


def test_invariants_leave_through_all_loops() -> None:
    x, w = scalar(), scalar("w")
    inner = lambda v: sg.while_loop(lambda u: u > 1.0, lambda u: u * sg.tanh(w), v)  # noqa: E731
    fetch = sg.while_loop(lambda v: v > 0.1, lambda v: inner(v) * 0.5, x)
    after = sg.optimize(fetch)
    assert [node.op.name for node in after.nodes if node.inputs] == ["tanh", "while"]
    same_values(sg.extract(fetch), after, np.float32(3.0), np.float32(0.7))


def test_random_numbers_are_drawn_every_iteration() -> None:
    y = sg.scan(lambda c, i: (c, sg.random.uniform((2,))), 0.0, sg.arange(3))[1]
    drawn = sg.Session(seed=1).run(y)
    assert len(np.unique(drawn)) == 6


def test_products_with_a_sequence_become_one() -> None:
    rows = sg.placeholder("float32", (None, 3), name="rows")
    w = sg.placeholder("float32", (3, 2), name="w")
    u = sg.placeholder("float32", (2, 2), name="u")
    step = lambda h, row: (sg.tanh(row @ w + h @ u), None)  # noqa: E731
    before = sg.extract(sg.scan(step, sg.zeros((2,)), rows)[0])
    after = passed(before, hoist, narrow)
    (product,) = nodes_of(after, "matmul")
    assert product.inputs == after.inputs[:2]
    assert product.out.type.shape == (*(before.inputs[0].type.shape or ())[:1], 2)
    (loop,) = nodes_of(after, "scan")
    assert [node.op.name for node in loop.attrs["body"].nodes].count("matmul") == 1
    check_golden("product_over_a_sequence", before, after)
    draw = np.random.default_rng(3)
    given = [draw.normal(size=s).astype(np.float32) for s in ((5, 3), (3, 2), (2, 2))]
    same_values(before, after, *given, exact=False)
    same_values(before, after, np.zeros((0, 3), np.float32), *given[1:])
    report = sg.optimize(sg.scan(step, sg.zeros((2,)), rows)[0]).report
    assert report.exactness["product over a whole sequence"] == "sums reordered"


@pytest.mark.parametrize("length", [None, 5])
def test_products_of_batches_become_one_matrix(length: int | None) -> None:
    rows = sg.placeholder("float32", (length, 4, 3), name="rows")
    w = sg.placeholder("float32", (3, 2), name="w")
    step = lambda h, row: (sg.tanh(row @ w + h), row @ w)  # noqa: E731
    fetch = sg.scan(step, sg.zeros((4, 2)), rows)
    before = sg.extract(fetch)
    after = sg.optimize(fetch)
    (product,) = nodes_of(after, "matmul")
    assert product.out.type.ndim == 2
    assert after.outputs[1].type == before.outputs[1].type
    draw = np.random.default_rng(3)
    given = [draw.normal(size=s).astype(np.float32) for s in ((5, 4, 3), (3, 2))]
    same_values(before, after, *given, exact=False)


def test_a_matrix_times_an_entry_becomes_one_product_too() -> None:
    rows = sg.placeholder("float32", (None, 3), name="rows")
    w = sg.placeholder("float32", (2, 3), name="w")
    fetch = sg.scan(lambda h, row: (sg.tanh(w @ row + h), None), sg.zeros((2,)), rows, reverse=True)
    before, after = sg.extract(fetch[0]), sg.optimize(fetch[0])
    assert len(nodes_of(after, "matmul")) == 1
    draw = np.random.default_rng(3)
    given = [draw.normal(size=s).astype(np.float32) for s in ((5, 3), (2, 3))]
    same_values(before, after, *given, exact=False)


def test_products_that_may_not_fit_stay() -> None:
    rows = sg.placeholder("float32", (None, None), name="rows")
    w = sg.placeholder("float32", (None, 2), name="w")
    before = sg.extract(sg.scan(lambda h, row: (h + row @ w, None), sg.zeros((2,)), rows)[0])
    after = passed(before, hoist)
    assert not nodes_of(after, "matmul")
    # No entry meets w, whose rows do not fit.
    result = run(after, [np.zeros((0, 3), np.float32), np.ones((4, 2), np.float32)])
    assert_same_bits(result[0], np.zeros(2, np.float32))


def test_training_a_recurrent_net_keeps_its_numbers() -> None:
    rows = sg.placeholder("float32", (6, 4, 3), name="rows")
    w = sg.Variable(np.full((3, 5), 0.3, np.float32), name="w")
    u = sg.Variable(np.full((5, 5), 0.1, np.float32), name="u")
    last, outputs = sg.scan(
        lambda h, row: (sg.tanh(row @ w + h @ u), sg.sum(h)), sg.zeros((4, 5)), rows
    )
    loss = sg.sum(last) + sg.sum(outputs)
    fetches = [loss, *sg.gradients(loss, [w, u, rows])]
    before, after = sg.extract(fetches), sg.optimize(fetches)
    assert len([n for n in nodes_of(after, "scan") if not n.attrs["reverse"]]) == 1
    draw = np.random.default_rng(3)
    given = [draw.normal(size=v.type.shape).astype(np.float32) * 0.5 for v in before.inputs]
    same_values(before, after, *given, exact=False)


# -- in bodies --------------------------------------------------------------------------------


def test_folding_and_sharing_happen_in_bodies() -> None:
    x, w = scalar(), scalar("w")

    def step(v: Tensor) -> Tensor:
        scale = sg.exp(sg.constant(0.0)) * 0.5
        return (v * w + 1.0) * scale + (w * v + 1.0) * 0.1

    after = sg.optimize(sg.while_loop(lambda v: v > 2.0, step, x))
    (loop,) = nodes_of(after, "while")
    names = [node.op.name for node in loop.attrs["body"].nodes]
    assert (names.count("exp"), names.count("multiply"), names.count("add")) == (0, 3, 2)


def test_equal_branches_of_two_nodes_are_shared() -> None:
    x, p = scalar(), sg.placeholder("bool", (), name="p")
    write = lambda: sg.cond(p, lambda: sg.sin(x), lambda: sg.cos(x))  # noqa: E731
    after = sg.optimize([write(), write() + 1.0])
    assert after.count("cond") == 1


def test_every_rule_is_reported_with_what_it_does() -> None:
    assert len(set(REGION_RULES)) == 19
    x = scalar()
    report = sg.optimize(sg.cond(sg.constant(True), lambda: sg.sin(x), lambda: x)).report
    assert report.exactness["known branch"] == "exact"
    assert "known branch" in str(report)


def test_what_a_body_computes_in_vain_keeps_no_capture() -> None:
    """A branch that was not pruned yet holds a node that nobody needs; its capture goes with it."""
    x, w, p = scalar(), scalar("w"), sg.placeholder("bool", (), name="p")

    def branch() -> Tensor:
        sg.sin(w)
        return sg.cos(x)

    before = sg.extract(sg.cond(p, branch, lambda: x * w))
    cond = nodes_of(before, "cond")[0]
    idle, used = cond.attrs["branches"]
    sine = make_node(get("sin"), (idle.inputs[1],), name="idle")
    padded = Function(idle.inputs, [sine, *idle.nodes], idle.outputs, idle.output_names, "branch")
    node = make_node(cond.op, cond.inputs, {"branches": (padded, padded)}, "cond")
    given = Function(before.inputs, [node], node.outputs)
    after = passed(given, narrow)
    assert len(nodes_of(after, "cond")[0].inputs) == 2
    assert used.count("multiply") == 1


def test_equal_bodies_are_shared_whatever_they_call_their_inputs() -> None:
    x, p, w = scalar(), sg.placeholder("bool", (), name="p"), scalar("w")
    one = sg.while_loop(lambda u: u > w, lambda u: sg.cond(p, lambda: u * 0.5, lambda: -u), x)
    two = sg.while_loop(lambda v: v > w, lambda v: sg.cond(p, lambda: v * 0.5, lambda: -v), x)
    before = sg.extract([one, two])
    first, second = nodes_of(before, "while")
    assert first.attrs["body"].inputs[0].name != second.attrs["body"].inputs[0].name
    assert passed(before, number_values).count("while") == 1
    turned = sg.while_loop(lambda v: v > w, lambda v: sg.cond(p, lambda: -v, lambda: v * 0.5), x)
    assert passed(sg.extract([one, turned]), number_values).count("while") == 2


def test_many_scans_along_one_sequence_stay_cheap() -> None:
    rows = sg.placeholder("float32", (None,), name="rows")

    def scans(count: int) -> Function:
        mapped = [sg.map_fn(lambda row, n=n: sg.sin(row) * float(n), rows) for n in range(count)]
        return sg.extract(mapped)

    small, large = scans(40), scans(400)
    assert passed(large, merge_loops, notes=Notes(evaluate)).count("scan") == 400
    merged = [
        work(lambda f=f: passed(f, merge_loops, notes=Notes(evaluate))) for f in (small, large)
    ]
    # Comparing every loop with every other would be a hundred times the work.
    assert merged[1] < 15 * merged[0]


def test_a_scan_that_only_hands_on_its_entries_goes() -> None:
    rows = sg.placeholder("float32", (3,), name="rows")
    more = sg.placeholder("float32", (3,), name="more")
    _, results = sg.scan(lambda carry, entries: (None, entries), None, (rows, more))
    before = sg.extract([results[0], results[1]])
    after = passed(before, narrow)
    assert after.outputs == after.inputs
    assert passed(after, narrow, prune).nodes == ()


def test_narrowing_what_acts_settles() -> None:
    shown = sg.map_fn(lambda row: sg.print(row, "row"), sg.constant([1.0, 2.0]))
    before = sg.extract([shown, sg.constant(1.0)])
    alone = Function(before.inputs, before.nodes, before.outputs[1:])
    once = passed(alone, narrow)
    assert passed(once, narrow) is once
    assert once.count("print") == 1


def test_a_loop_that_keeps_a_carry_for_its_own_sake_keeps_what_that_needs() -> None:
    rows = sg.placeholder("float32", (3,), name="rows")
    step = lambda c, row: ((c[0] * c[1], sg.sin(c[1])), sg.print(row, "row"))  # noqa: E731
    before = sg.extract(sg.scan(step, (1.0, 2.0), rows)[1])
    entries = sg.extract(sg.scan(lambda c, r: ((c[0] * c[1], c[1] + r), r), (1.0, 2.0), rows)[1])
    for function in (before, entries):
        after = passed(function, narrow)
        same_values(function, after, np.float32([1, 2, 3]))
