"""`Session.explain` on machine code: kernels, why fusion stopped, memory, Python, compilation."""

from __future__ import annotations

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native import jit, notes
from tests.messages import whole


@pytest.fixture
def session(graph: sg.Graph) -> sg.Session:
    return sg.Session(graph)


def part(text: str, first: str, last: str) -> list[list[str]]:
    """The lines from the one that begins with `first` up to the one that begins with `last`, as
    words."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(first))
    end = next(i for i, line in enumerate(lines) if i > start and line.startswith(last))
    return [line.split() for line in lines[start:end]]


def stops(session: sg.Session, fetches: object) -> list[str]:
    """Why fusion stopped, one line a place."""
    lines = session.explain(fetches).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("fusion: "))
    end = next(i for i, line in enumerate(lines) if line.startswith("memory: "))
    return [line.strip() for line in lines[start + 1 : end]]


def test_a_kernel_is_a_row(session: sg.Session) -> None:
    x = sg.placeholder("float32", ("n", 10), name="x")
    text = session.explain(sg.tanh(2.0 * x, name="bend"))
    assert text.startswith("backend native: machine code\nplanned in ")
    head, columns, row = part(text, "kernels: ", "fusion: ")
    assert " ".join(head) == "kernels: 1, called at 1 place"
    assert columns == ["name", "calls", "level", "over", "walks", "lanes", "chunk", "computes"]
    assert row[0].startswith("kernel_")
    assert row[1] == "1" and row[2].isdigit() and row[3] == "10*n"
    assert row[-4:] == ["'multiply'", "multiply;", "'bend'", "tanh"]
    assert "fusion: stopped nowhere" in text


def test_single_elements_need_no_kernel(session: sg.Session) -> None:
    x = sg.placeholder("float32", (), name="x")
    text = session.explain(sg.sin(x) * x)
    assert "kernels: none, all values are single elements" in text
    assert "library calls: none\nPython: never called" in text
    assert "memory: 0 buffers" in text


def test_a_row_is_walked_once_per_reduction(session: sg.Session) -> None:
    x = sg.placeholder("float32", (50, 30), name="x")
    _, _, row = part(session.explain(sg.nn.softmax(x, name="s")), "kernels: ", "fusion: ")
    assert row[3:7] == ["50", "x", "30", "3"]
    assert row[-6:] == ["'s'", "max,", "subtract,", "exp,", "sum,", "divide"]


def test_a_product_and_what_follows_it(session: sg.Session) -> None:
    x = sg.placeholder("float32", ("n", 64), name="x")
    w = sg.placeholder("float32", (64, 32), name="w")
    _, _, row = part(
        session.explain(sg.tanh(sg.matmul(x, w, name="p"), name="t")), "kernels: ", "fusion: "
    )
    assert row[3:8] == ["n", "x", "32", "x", "64"]
    assert row[-4:] == ["'p'", "matmul;", "'t'", "tanh"]


def test_calls_in_loops_are_counted_apart(session: sg.Session) -> None:
    x = sg.placeholder("float32", (100,), name="x")
    y = sg.fori_loop(0, 10, lambda i, v: sg.tanh(v), x)
    rows = part(session.explain(y), "kernels: ", "fusion: ")
    assert any(row[1:4] == ["1,", "1", "in"] for row in rows), rows


# -- why fusion stopped ---------------------------------------------------------------------------


def test_a_product_reads_memory(session: sg.Session) -> None:
    x = sg.placeholder("float32", (40, 40), name="x")
    w = sg.placeholder("float32", (40, 40), name="w")
    y = sg.matmul(sg.exp(x, name="e"), w, name="p")
    assert stops(session, y) == [f"exp 'e' {notes.MEMORY}: matmul 'p' reads it from memory"]


def test_a_reduction_that_ends_its_kernel(session: sg.Session) -> None:
    x = sg.placeholder("float32", (40, 40), name="x")
    columns = sg.sum(x, axis=0, name="columns")
    y = sg.exp(columns, name="e")
    assert stops(session, y) == [f"sum 'columns' {notes.TERMINAL}: exp 'e' reads it from memory"]


def test_other_dims(session: sg.Session) -> None:
    x = sg.placeholder("float32", (40, 40), name="x")
    b = sg.placeholder("float32", (40,), name="b")
    y = sg.add(x, sg.exp(b, name="e"), name="a")
    assert stops(session, y) == [f"exp 'e' {notes.DOMAIN}: add 'a' reads it from memory"]


def test_a_product_takes_no_reduction(session: sg.Session) -> None:
    x = sg.placeholder("float32", (40, 40), name="x")
    y = sg.sum(sg.matmul(x, x, name="p"), axis=1, name="s")
    assert stops(session, y) == [f"matmul 'p' {notes.PRODUCT}: sum 's' reads it from memory"]


def test_a_full_kernel(session: sg.Session) -> None:
    x = sg.placeholder("float32", (40,), name="x")
    y = x
    for number in range(300):
        y = sg.sin(y, name=f"s{number}")
    (found,) = stops(session, y)
    assert notes.FULL in found


def test_check_numerics_looks_at_what_it_checks(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (40,), name="x")
    found = stops(sg.Session(graph, check_numerics=True), sg.exp(x, name="e"))
    assert f"exp 'e' {notes.MEMORY}: check_numerics looks at it" in found


# -- memory ---------------------------------------------------------------------------------------


def test_memory_before_and_after_a_run(session: sg.Session) -> None:
    x = sg.placeholder("float32", ("n", 40), name="x")
    w = sg.placeholder("float32", (40, 40), name="w")
    y = sg.matmul(sg.exp(x), w)
    text = session.explain(y)
    assert "there was no run yet" in text
    assert "1 buffer, 1 buffer of sizes that only a run knows, 0 bytes in the others" in text
    assert ["1", "float32", "n", "x", "40", "of", "sizes", "matmul", "'matmul'"] in [
        line.split() for line in text.splitlines()
    ]
    given = {w: np.ones((40, 40)), x: np.ones((1000, 40))}
    session.run(y, given)
    # Another order of feeding is another plan: the one that was run is explained.
    (line,) = [line for line in session.explain(y).splitlines() if line.startswith("memory: ")]
    most = int(line.split("the last run had ")[1].split()[0])
    assert 160_000 <= most < 170_000
    session.run(y, {w: np.ones((40, 40)), x: np.ones((10, 40))})
    (line,) = [line for line in session.explain(y).splitlines() if line.startswith("memory: ")]
    assert 1_600 <= int(line.split("the last run had ")[1].split()[0]) < 2_600


def test_what_is_updated_in_place(session: sg.Session) -> None:
    v = sg.Variable(np.zeros(100, np.float32), name="v")
    text = session.explain([v.assign_add(np.ones(100, np.float32))])
    assert "in place of 'v', where nobody else can see it" in text
    assert "a fresh array" in text


# -- Python and compilation -----------------------------------------------------------------------


def test_where_python_is_called(session: sg.Session) -> None:
    x = sg.placeholder("float32", (3,), name="x")
    y = sg.fori_loop(0, 3, lambda i, v: sg.print(v, "here: "), x)
    text = session.explain(y)
    (line,) = [line for line in text.splitlines() if line.startswith("  print 'print' at ")]
    assert "test_explain.py:" in line
    assert "Python is called by\n" + line in text


def test_library_functions_are_named(session: sg.Session) -> None:
    x = sg.placeholder("float32", (40, 40), name="x")
    (line,) = [
        line
        for line in session.explain(sg.linalg.cholesky(x)).splitlines()
        if line.startswith("library calls: ")
    ]
    assert sorted(line.removeprefix("library calls: ").split(", ")) == [
        "lapack_begin", "lapack_end", "lapack_spotrf",
    ]  # fmt: skip
    assert "library calls: none\n" in session.explain(x + 1.0)


def test_where_the_code_came_from(
    graph: sg.Graph, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATICGRAPH_CACHE", str(tmp_path))
    x = sg.placeholder("float32", (), name="x")
    y = x * 1.2345 + 0.4321
    first, second = sg.Session(graph), sg.Session(graph)
    before = jit.statistics()
    assert " compiled " in first.explain(y)
    assert jit.statistics().compiled == before.compiled + 1
    assert " in memory already " in second.explain(y)
    assert jit.statistics().compiled == before.compiled + 1


def test_code_of_llvm_on_request(session: sg.Session) -> None:
    x = sg.placeholder("float32", (100,), name="x")
    y = sg.tanh(x)
    plain = session.explain(y)
    assert "define i32 @sg_main(" not in plain
    assert "define i32 @sg_main(" in session.explain(y, ir=True)
    text = session.explain(y, assembly=True)
    assert "sg_main:" in text
    assert "define i32" not in text


def test_the_reference_has_no_code_to_show(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", (), name="x")
    session = sg.Session(graph, backend="reference")
    with pytest.raises(sg.GraphError) as info:
        session.explain(x + 1.0, ir=True)
    assert whole(info) == (
        "explain: this backend makes no machine code\n"
        "  ask a session with backend='native' for ir or assembly\n"
        "  at <here>"
    )


def test_ranks_that_calls_bring(session: sg.Session) -> None:
    x = sg.placeholder("float32", None, name="x")
    text = session.explain(sg.exp(x))
    assert text.endswith("machine code is made for each combination of ranks when it is first run")


# -- sizes need no compiler -----------------------------------------------------------------------


def test_new_sizes_need_no_new_code(session: sg.Session) -> None:
    x = sg.placeholder("float32", ("n", 8), name="x")
    w = sg.Variable(np.ones((8, 4), np.float32) / 8.0)
    loss = sg.sum(sg.tanh(x @ w))
    (slope,) = sg.gradients(loss, [w])
    step = [loss, w.assign_sub(0.1 * slope)]
    session.run(step, {x: np.ones((5, 8), np.float32)})
    before = jit.statistics()
    for size in (1, 0, 7, 64, 1000):
        session.run(step, {x: np.ones((size, 8), np.float32)})
    assert jit.statistics() == before


def test_longer_sequences_need_no_new_code(session: sg.Session) -> None:
    sequence = sg.placeholder("float32", ("time", "batch", 4), name="sequence")
    start = sg.zeros((4,), "float32")
    rows = sg.sum(sequence, axis=1)
    last, states = sg.scan(lambda state, row: (sg.tanh(state + row),) * 2, start, rows)
    (slope,) = sg.gradients(sg.sum(last) + sg.sum(states), [sequence])
    session.run([last, slope], {sequence: np.ones((3, 2, 4), np.float32)})
    before = jit.statistics()
    for time, batch in ((1, 2), (50, 1), (7, 9)):
        _, found = session.run([last, slope], {sequence: np.ones((time, batch, 4), np.float32)})
        assert found.shape == (time, batch, 4)
    assert jit.statistics() == before


def test_a_memory_limit_names_what_was_asked_and_the_way_out(graph: sg.Graph) -> None:
    x = sg.placeholder("float32", ("n",), name="x")
    order = sg.sum(sg.sort(sg.exp(x)))
    session = sg.Session(graph, memory_limit=100_000)
    assert session.run(order, {x: np.zeros(10)}) == 10.0
    with pytest.raises(sg.RunError) as info:
        session.run(order, {x: np.zeros(50_000)})
    assert whole(info) == (
        "run: there is not enough memory\n"
        "  it asked for 200000 bytes\n"
        "  and had 0 bytes; the session's memory_limit is 100000 bytes\n"
        "  raise memory_limit, or feed less at a time\n"
        "  no variable has changed\n"
        "  at <here>"
    )
    assert session.run(order, {x: np.zeros(10)}) == 10.0
