"""The runner: order, switches, dumps, failing passes, bodies, determinism, the report."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.reference import evaluate
from staticgraph.core import dtypes
from staticgraph.core.function import Function, parameter
from staticgraph.core.node import Node, Value, make_node
from staticgraph.core.opdef import NOT_DIFFERENTIABLE, Mismatch, OpDef, get
from staticgraph.core.text import format_function, parse
from staticgraph.core.types import TensorType
from staticgraph.passes import pipeline
from staticgraph.passes.common import Notes
from staticgraph.passes.pipeline import ORDER, PIPELINE, Pass, check_order, optimize
from staticgraph.passes.report import PipelineReport
from tests.passes.support import assert_same_bits, run


def neuron() -> list[sg.Tensor]:
    """A neuron whose derivative was written by hand, with ``w * x + b`` in it four times."""
    x = sg.placeholder("float32", (), name="x")
    w = sg.Variable(2.0, name="w")
    b = sg.Variable(-1.0, name="b")
    y = sg.sigmoid(w * x + b)
    slope = sg.sigmoid(w * x + b) * (1.0 - sg.sigmoid(w * x + b)) * x
    return [y, slope, sg.tanh(w * x + b)]


def report_of(function: Function) -> PipelineReport:
    assert isinstance(function.report, PipelineReport)
    return function.report


# -- the table --------------------------------------------------------------------------------


# What a program without loops and branches goes through.
WANTED = ["prune", "fold", "simplify", "cse", "late prune"]


def test_names_in_the_table() -> None:
    assert [each.name for each in PIPELINE if each.name in WANTED] == WANTED


def test_every_reason_speaks_of_two_passes_in_order() -> None:
    check_order()
    assert all(reason for _, _, reason in ORDER)


def test_a_wrong_order_is_refused_with_its_reason() -> None:
    backwards = tuple(reversed(PIPELINE))
    with pytest.raises(sg.CompilerError) as problem:
        check_order(backwards, (("prune", "fold", "nothing is computed in vain"),))
    assert str(problem.value) == (
        "pass 'prune' must stand before 'fold': nothing is computed in vain"
    )


def test_an_order_of_unknown_passes_is_refused() -> None:
    with pytest.raises(sg.CompilerError) as problem:
        check_order(PIPELINE, (("cse", "fuse", "sharing must be settled first"),))
    assert str(problem.value) == "the order of passes speaks of 'fuse', which is no pass"


def test_two_passes_of_one_name_are_refused() -> None:
    with pytest.raises(sg.CompilerError, match="two passes of the pipeline have the same name"):
        check_order((PIPELINE[0], PIPELINE[0]), ())


# -- switches ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fold", "simplify", "cse", "late prune"])
def test_a_pass_can_be_switched_off(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATICGRAPH_DISABLE", name)
    results = neuron()
    report = report_of(sg.optimize(results))
    off = {row.name: row.disabled for row in report.passes}
    assert off == {each.name: each.name == name for each in PIPELINE}
    assert re.search(rf"^{name} +switched off$", str(report), re.MULTILINE)


def test_without_cse_nothing_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    results = neuron()
    assert sg.optimize(results).count("multiply") == 3
    monkeypatch.setenv("STATICGRAPH_DISABLE", "cse")
    assert sg.optimize(results).count("multiply") > 3


def test_without_fold_no_rule_folds_either(monkeypatch: pytest.MonkeyPatch) -> None:
    x = sg.placeholder("float32", (2,), name="x")
    y = x**0 + 1.0
    assert sg.optimize(y).count("add") == 0
    monkeypatch.setenv("STATICGRAPH_DISABLE", "fold")
    assert sg.optimize(y).count("add") == 1


@pytest.mark.parametrize(
    ("names", "problem"),
    [("cse,fusion", "'fusion' is no pass"), ("prune", "'prune' is required")],
)
def test_a_switch_that_means_nothing(
    names: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATICGRAPH_DISABLE", names)
    with pytest.raises(sg.GraphError) as error:
        sg.optimize(sg.constant(1.0))
    assert str(error.value) == (
        f"STATICGRAPH_DISABLE: {problem}\n"
        "  passes that can be switched off: fold, specialize, narrow, hoist, accumulate, "
        "simplify, cse, late narrow, late prune"
    )


# -- dumps ------------------------------------------------------------------------------------


def test_dump_writes_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATICGRAPH_CHECK", "0")
    monkeypatch.setenv("STATICGRAPH_DUMP", str(tmp_path / "dump"))
    results = neuron()
    before = sg.extract(results)
    after = sg.optimize(before)
    names = sorted(path.name for path in (tmp_path / "dump").iterdir())
    assert [re.sub(r"^\d{4}-main-\d", "N-main-M", name) for name in names] == [
        "N-main-M-cse.after.ir",
        "N-main-M-cse.before.ir",
    ]
    texts = [(tmp_path / "dump" / name).read_text(encoding="utf-8") for name in names]
    assert parse(texts[0]) == after
    assert parse(texts[1]) == before


def test_dump_numbers_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATICGRAPH_DUMP", str(tmp_path))
    results = neuron()
    sg.optimize(results)
    once = len(list(tmp_path.iterdir()))
    sg.optimize(results)
    assert len(list(tmp_path.iterdir())) == 2 * once


# -- passes that fail -------------------------------------------------------------------------


def _use(monkeypatch: pytest.MonkeyPatch, broken: Callable[..., Function], required: bool) -> None:
    table = (Pass("prune", PIPELINE[0].function, required=True), Pass("broken", broken, required))
    monkeypatch.setattr(pipeline, "PIPELINE", table)


def _path_in(message: str) -> str:
    found = re.search(r"its input is in (\S+), which", message)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("checking", ["0", "1"])
def test_a_pass_that_raises_is_named(
    checking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(function: Function, notes: Notes) -> Function:
        raise KeyError("lost")

    monkeypatch.setenv("STATICGRAPH_CHECK", checking)
    monkeypatch.setenv("STATICGRAPH_DUMP", str(tmp_path / "dump"))
    _use(monkeypatch, broken, required=False)
    function = sg.extract(neuron())
    with pytest.raises(sg.CompilerError) as problem:
        optimize(function, evaluate)
    path = _path_in(str(problem.value))
    assert str(problem.value) == (
        "pass 'broken' failed on Function 'main'\n"
        "  KeyError: 'lost'\n"
        f"  its input is in {path}, which staticgraph.core.text.parse reads\n"
        "  this is a bug in staticgraph: please report it, with that file\n"
        "  until it is mended, STATICGRAPH_DISABLE='broken' goes on without it"
    )
    assert Path(path).parent == tmp_path / "dump"
    read = parse(Path(path).read_text(encoding="utf-8"))
    assert len(read) == len(function)
    if checking == "0":
        assert read == function


def test_a_pass_that_breaks_the_ir_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(function: Function, notes: Notes) -> Function:
        return function.replace(function.nodes[1:], function.outputs)

    monkeypatch.setenv("STATICGRAPH_DUMP", str(tmp_path))
    _use(monkeypatch, broken, required=True)
    x = sg.placeholder("float32", (), name="x")
    with pytest.raises(sg.CompilerError) as problem:
        sg.optimize(sg.exp(sg.sin(x)))
    path = _path_in(str(problem.value))
    assert str(problem.value) == (
        "pass 'broken' failed on Function 'main'\n"
        "  Function 'main' after pass 'broken': node 'exp' (exp) uses 'sin' before it is computed\n"
        "    this is a bug in staticgraph, not in your program\n"
        f"  its input is in {path}, which staticgraph.core.text.parse reads\n"
        "  this is a bug in staticgraph: please report it, with that file"
    )


def test_without_a_dump_folder_the_input_goes_to_the_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(function: Function, notes: Notes) -> Function:
        raise ValueError("no")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _use(monkeypatch, broken, required=False)
    with pytest.raises(sg.CompilerError) as problem:
        sg.optimize(sg.constant(1.0))
    assert Path(_path_in(str(problem.value))).parent == tmp_path


def test_what_the_user_did_wrong_stays_the_users_error() -> None:
    """Folding finds the shape that a run would have refused."""
    x = sg.placeholder("float32", (3,), name="x")
    size = sg.cast(sg.sum(sg.constant([2, 2])), "int64")
    wide = sg.broadcast_to(sg.constant(1.0), [size])
    total = x + wide
    with pytest.raises(sg.ShapeError) as problem:
        sg.optimize(total)
    assert str(problem.value).startswith("add: shapes do not broadcast\n")
    assert "total = x + wide" in str(problem.value)


# -- checking ---------------------------------------------------------------------------------


def test_a_function_that_is_broken_before_any_pass_is_refused() -> None:
    x = sg.placeholder("float32", (), name="x")
    whole = sg.extract(sg.exp(sg.sin(x)))
    with pytest.raises(sg.CompilerError, match="uses 'sin' before it is computed"):
        optimize(whole.replace(whole.nodes[1:], whole.outputs), evaluate)


def test_checking_changes_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    results = neuron()
    x = results[0].graph.tensor("x")
    results += sg.gradients(sg.sum(results[0] * results[1]), [x])
    monkeypatch.setenv("STATICGRAPH_CHECK", "0")
    plain = str(sg.optimize(results))
    monkeypatch.setenv("STATICGRAPH_CHECK", "1")
    for seed in ("0", "1", "2"):
        monkeypatch.setenv("STATICGRAPH_SEED", seed)
        assert str(sg.optimize(results)) == plain


_PROGRAM = """
import staticgraph as sg
x = sg.placeholder("float32", (None, 3), name="x")
w = sg.Variable([1.0, 2.0, 3.0], name="w")
y = sg.sum(sg.tanh(x * w + 1.0) * sg.tanh(x * w + 1.0) / (1.0 + sg.exp(-(x * w + 1.0))))
f = sg.optimize([y, *sg.gradients(y, [w, x])])
print(f)
print(f.report.rules, f.report.shared, [(r.name, r.before, r.after) for r in f.report.passes])
"""


@pytest.mark.parametrize("checking", ["0", "1"])
def test_two_processes_make_the_same_text(checking: str) -> None:
    texts = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "STATICGRAPH_CHECK": checking}
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        texts.append(done.stdout)
    assert texts[0] == texts[1]
    assert "sigmoid" in texts[0]


# -- effects ----------------------------------------------------------------------------------


def test_effects_stay_and_keep_their_order(capfd: pytest.CaptureFixture[str]) -> None:
    x = sg.placeholder("float32", (), name="x")
    first = sg.print(x * 1.0, "first ")
    second = sg.print(x * 1.0, "second ")
    again = sg.print(x * 1.0, "second ")
    third = sg.print(sg.constant(1.0), "third ")
    ok = sg.assert_true(x > 0, "x is not positive")
    with sg.control_dependencies([first, second, again, third, ok]):
        result = sg.constant(2.0) + 1.0
    function = sg.optimize(result)
    assert [node.op.name for node in function.nodes if node.op.effect] == [
        "print", "print", "print", "print", "assert",
    ]  # fmt: skip
    assert function.count("add") == 0
    run(function, [np.float32(3.0)])
    assert capfd.readouterr().out == "first 3.\nsecond 3.\nsecond 3.\nthird 1.\n"


# -- bodies -----------------------------------------------------------------------------------


def _infer_apply(types: Sequence[TensorType], attrs: Any) -> Any:
    return tuple(value.type for value in attrs["body"].outputs)


def _apply(*operands: Any, body: Any, more: Any) -> Any:
    results = body(operands)
    return results if len(results) > 1 else results[0]


# What loops and branches will be: an op with Functions in its attributes. Not registered.
APPLY = OpDef(
    "apply",
    operands=("operands*",),
    infer=_infer_apply,
    reference=_apply,
    attrs=("body", "more"),
    vjp=NOT_DIFFERENTIABLE,
    jvp=NOT_DIFFERENTIABLE,
    doc="Applies a Function.",
)

SCALAR = TensorType(dtypes.float32, ())


def _node(op: str, *operands: Value, **attrs: Any) -> Value:
    return make_node(get(op), operands, attrs).out


def _body(build: Callable[[Value], list[Value]], name: str) -> Function:
    """A Function of one operand, its nodes found from what `build` returns."""
    operand = parameter("item", SCALAR, "capture")
    outputs = build(operand)
    nodes: list[Node] = []
    stack = [value.node for value in outputs]
    while stack:
        node = stack.pop()
        if node.op.role == "compute" and node not in nodes:
            nodes.append(node)
            stack.extend(value.node for value in node.inputs)
    ordered: list[Node] = []
    while nodes:
        for node in list(nodes):
            if all(value.node not in nodes for value in node.inputs):
                ordered.append(node)
                nodes.remove(node)
    return Function([operand], ordered, outputs, ["result"], name)


def _nested() -> Function:
    inner = _body(
        lambda item: [
            _node("add", _node("negative", _node("negative", item)),
                  _node("multiply", _node("exp", item), _node("exp", item)))
        ],
        "inner",
    )  # fmt: skip
    attrs = {"body": inner, "more": (1, (inner, "text"))}
    middle = _body(lambda item: [make_node(APPLY, (_node("identity", item),), attrs).out], "middle")
    x = parameter("x", SCALAR, "feed")
    once = make_node(APPLY, (x,), {"body": middle, "more": ()})
    twice = make_node(APPLY, (x,), {"body": middle, "more": ()})
    total = make_node(get("add"), (once.out, twice.out))
    return Function([x], [once, twice, total], [total.out], ["total"])


def test_bodies_go_through_the_same_passes() -> None:
    before = _nested()
    after = optimize(before, evaluate)
    assert after.count("apply") == 2
    assert [node.op.name for node in after.nodes] == ["apply", "add"]
    (middle,) = after.bodies()
    assert [node.op.name for node in middle.nodes] == ["apply"]
    inner = middle.nodes[0].attrs["body"]
    assert inner is middle.nodes[0].attrs["more"][1][0]
    assert [node.op.name for node in inner.nodes] == ["exp", "square", "add"]
    x = np.float32(0.3)
    assert_same_bits(run(after, [x])[0], run(before, [x])[0])
    rules = report_of(after).rules
    assert rules == {"double negation": 1, "identity": 1, "multiply by itself": 1}


def test_a_body_with_an_effect_makes_its_node_one() -> None:
    shout = _body(lambda item: [_node("print", item, message="body ")], "shout")
    x = parameter("x", SCALAR, "feed")
    nodes = [make_node(APPLY, (x,), {"body": shout, "more": ()}) for _ in range(3)]
    before = Function([x], nodes, [nodes[0].out], ["shouted"])
    assert optimize(before, evaluate).count("apply") == 3


def test_loops_and_branches_are_not_folded() -> None:
    body = _body(lambda item: [_node("exp", item)], "body")
    one = make_node(get("constant"), (), {"value": _frozen(np.float32(1.0))})
    node = make_node(APPLY, (one.out,), {"body": body, "more": ()})
    assert optimize(Function([], [one, node], [node.out]), evaluate).count("apply") == 1


def _infer_strictly(types: Sequence[TensorType], attrs: Any) -> Any:
    (out,) = [value.type for value in attrs["body"].outputs]
    if out.shape != ("n",):
        raise Mismatch(f"the carry is {out}")
    return out


def test_a_body_that_no_longer_fits_is_kept_as_written() -> None:
    """Folding finds a size that the carry of a loop has under another name."""
    strict = dataclasses.replace(APPLY, name="strict", infer=_infer_strictly, memo={})
    vector = TensorType(dtypes.float32, (None,))
    item = parameter("item", vector, "carry")
    sizes = make_node(get("constant"), (), {"value": _frozen(np.array([2], np.int64))})
    kept = make_node(get("reshape"), (item, sizes.out), {"shape": ("n",)})
    body = Function([item], [sizes, kept], [kept.out], ["result"], "body")
    x = parameter("x", vector, "feed")
    node = make_node(strict, (x,), {"body": body, "more": ()})
    after = optimize(Function([x], [node], [node.out], ["result"]), evaluate)
    assert after.nodes[0].attrs["body"] is body
    assert "1 node with its body as written" in str(after.report)


def _frozen(value: Any) -> Any:
    array = np.array(value)
    array.flags.writeable = False
    return array


# -- the report -------------------------------------------------------------------------------


def test_the_report_for_programs() -> None:
    report = report_of(sg.optimize(neuron()))
    assert [row.name for row in report.passes] == [each.name for each in PIPELINE]
    for earlier, later in zip(report.passes, report.passes[1:], strict=False):
        assert earlier.after == later.before
    assert all(row.seconds > 0 for row in report.passes)
    assert report.before == report.passes[0].before
    assert report.after == report.passes[-1].after
    assert report.shared == [("w * x + b", 4), ("sigmoid(w * x + b)", 3)]
    assert report.rules == {}


def test_the_report_for_people() -> None:
    x = sg.placeholder("float32", (4,), name="x")
    big = sg.zeros((600, 1000))
    y = sg.log(1.0 + x * x) + sg.log(1.0 + x * x) + sg.negative(-x) + sg.log(sg.constant(0.0))
    function = sg.optimize([y, big])
    lines = str(function.report).splitlines()
    # How wide the columns are depends on the longest name of a pass.
    squeezed = [re.sub(r"\d+\.\d\d ms", "T ms", re.sub(" +", " ", line)) for line in lines]
    # The passes that are for loops and branches alone find nothing here.
    for_bodies = tuple([each.name for each in PIPELINE if each.name not in WANTED])
    shown = [line for line in squeezed if not for_bodies or not line.startswith(for_bodies)]
    assert shown == EXPECTED


EXPECTED = """\
pipeline: 16 nodes -> 8, T ms

pass before after time
prune 16 16 T ms
fold 16 16 T ms
simplify 16 11 T ms
cse 11 8 T ms
late prune 8 8 T ms

rule times numbers
log of one plus 2 more accurate
multiply by itself 2 exact
double negation 1 exact

shared expressions
log1p(square(x)) written 2 times, computed once

1 node left to the run, result larger than 1 MiB and than its operands
1 node left to the run, result not finite though its operands are""".splitlines()


def test_long_reports_say_what_they_leave_out() -> None:
    x = sg.placeholder("float32", (), name="x")
    results = [op(x + float(n)) for n in range(25) for op in (sg.sin, sg.cos)]
    report = report_of(sg.optimize(results))
    assert len(report.shared) == 25
    assert "\n... and 5 more: report.shared has all" in str(report)


def test_columns_of_the_report_line_up() -> None:
    lines = str(sg.optimize(neuron()).report).splitlines()
    table = lines[2 : 3 + len(PIPELINE)]
    assert len({len(line) for line in table}) == 1
    assert all(line.startswith(each.name) for line, each in zip(table[1:], PIPELINE, strict=True))


def test_a_report_of_nothing() -> None:
    x = sg.placeholder("float32", (), name="x")
    report = report_of(sg.optimize(x))
    assert (report.before, report.after, report.rules, report.shared) == (0, 0, {}, [])
    assert "shared" not in str(report)


# -- size -------------------------------------------------------------------------------------


def test_a_long_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000 nodes, of which each rule makes something, without recursion."""
    monkeypatch.setenv("STATICGRAPH_CHECK", "0")
    x = sg.placeholder("float64", (3,), name="x")
    y = x
    for _ in range(25_000):
        y = sg.negative(-(y * 0.999 + x)) - 0.0
    function = sg.extract(y)
    assert len(function) > 100_000
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(120)
    try:
        after = optimize(function, evaluate)
    finally:
        sys.setrecursionlimit(limit)
    assert len(after) == 50_001
    value = np.array([1.0, -2.0, np.inf])
    assert_same_bits(run(after, [value])[0], run(function, [value])[0])


def test_a_long_chain_is_shuffled_and_verified() -> None:
    x = sg.placeholder("float64", (), name="x")
    y = x
    for _ in range(1_000):
        y = sg.negative(-(y * 0.999 + x)) - 0.0
    assert len(sg.optimize(y)) == 2_001
    assert format_function(sg.optimize(y)) == format_function(sg.optimize(y))
