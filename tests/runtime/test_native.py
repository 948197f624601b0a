"""Sessions on machine code: what a call takes and gives, remembered runs, threads, memory, ends."""

from __future__ import annotations

import collections
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native import jit
from staticgraph.backends.native.trampoline import finder
from tests.messages import whole

ROOT = Path(__file__).parents[2]
Pair = collections.namedtuple("Pair", ["first", "second"])


@pytest.fixture
def session() -> sg.Session:
    return sg.Session(backend="native")


# -- feeds -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        1, 2.5, True, np.float32(1.5), np.float64(0.1), np.int8(3), np.array(2.5),
        np.array(2.5, ">f4"), np.array([[2.5]], "float32")[0, 0], np.ma.masked_array(2.0), 2**63,
    ],
)  # fmt: skip
def test_a_scalar_is_taken_by_both_ways_as_by_the_reference(
    session: sg.Session, value: Any
) -> None:
    x = sg.placeholder("float32", (), name="x")
    expected = sg.Session(backend="reference").run(x + 0.0, {x: value})
    call = session.make_callable(x + 0.0, [x])
    for result in (session.run(x + 0.0, {x: value}), call(value), call(value)):
        assert type(result) is np.float32
        assert result == expected


def test_arrays_of_any_form_are_taken(session: sg.Session) -> None:
    x = sg.placeholder("float32", (None, 2), name="x")
    call = session.make_callable(x * 2.0, [x])
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    forms = [
        base[:, ::3], np.asfortranarray(base[:, :2]), base[:, :2].astype(">f4"),
        base[:, :2].astype("float64"), base[:, :2].tolist(), base[:0, :2],
        np.zeros(33, np.uint8)[1:].view(np.float32).reshape(4, 2),
    ]  # fmt: skip
    for form in forms:
        np.testing.assert_array_equal(call(form), np.asarray(form, "float32") * 2)


def test_equal_dtypes_that_are_other_objects_are_taken(session: sg.Session) -> None:
    for dtype, code in (("int64", "q"), ("int64", "l"), ("uint64", "Q"), ("uint64", "L")):
        if np.dtype(code).itemsize != 8:
            continue
        x = sg.placeholder(dtype, (2,))
        call = session.make_callable(x + 1, [x])
        np.testing.assert_array_equal(call(np.array([1, 2], code)), [2, 3])
        assert session.run(x, {x: np.array([1, 2], code)}).dtype == dtype
    marked = np.dtype("float32", metadata={"unit": "m"})
    y = sg.placeholder("float32", (1,))
    assert session.run(y * 2.0, {y: np.ones(1, marked)}) == [2.0]
    n = sg.placeholder("int64", ())
    assert session.run(n, {n: np.longlong(5)}) == 5


def test_arity_and_names(session: sg.Session) -> None:
    x = sg.placeholder("float32", (), name="x")
    call = session.make_callable(x * 2.0, [x])
    with pytest.raises(sg.FeedError) as info:
        call(1.0, 2.0)
    assert whole(info) == (
        "call: takes 1 values ('x'), was given 2\n"
        "  give one value per entry of feed_list, in its order\n"
        "  at <here>"
    )
    with pytest.raises(TypeError, match=r"call\(\) got an unexpected keyword argument 'x'"):
        call(x=1.0)


def test_one_plan_serves_all_sizes(session: sg.Session) -> None:
    x = sg.placeholder("float32", ("n", None), name="x")
    y = sg.placeholder("float32", ("n",), name="y")
    call = session.make_callable(sg.sum(x, axis=1) + y, [x, y])
    compiled = jit.statistics().compiled
    for n, m in ((1, 1), (7, 3), (0, 2), (100, 50), (3, 0)):
        result = call(np.ones((n, m), "float32"), np.ones(n, "float32"))
        np.testing.assert_array_equal(result, np.full(n, m + 1.0))
    with pytest.raises(sg.FeedError, match="two feeds disagree about the named dim 'n'"):
        call(np.ones((2, 2)), np.ones(3))
    assert jit.statistics().compiled == compiled


def test_inputs_of_unknown_rank(session: sg.Session) -> None:
    x = sg.placeholder("float32", name="x")
    v = sg.Variable(sg.identity(sg.constant([1.0, 2.0])))
    doubled = x * 2.0
    call = session.make_callable([doubled, v], [x])
    for shape in ((), (3,), (2, 2), (3,), ()):
        fed = np.ones(shape, "float32")
        result, value = call(fed)
        np.testing.assert_array_equal(result, fed * 2)
        np.testing.assert_array_equal(value, [1, 2])
        assert type(result) is (np.ndarray if shape else np.float32)
    assert session.run(doubled, {x: [1, 2]}).tolist() == [2.0, 4.0]
    with pytest.raises(sg.FeedError, match="takes 1 values"):
        call()


# -- what is remembered ----------------------------------------------------------------------------


def test_a_structure_that_is_changed_is_seen(session: sg.Session) -> None:
    x, y = sg.placeholder("float32", (), name="x"), sg.placeholder("float32", (), name="y")
    a, b = x + y, x - y
    fetches: list[Any] = [a]
    feed = {x: 5.0, y: 3.0}
    for _ in range(3):
        assert session.run(fetches, feed) == [8.0]
    fetches.append(b)
    assert session.run(fetches, feed) == [8.0, 2.0]
    assert session.run(fetches, feed) == [8.0, 2.0]
    feed[x] = 4.0
    assert session.run(fetches, feed) == [7.0, 1.0]
    assert session.run(fetches, {y: 1.0, x: 2.0}) == [3.0, 1.0]
    assert session.run(tuple(fetches), {y: 1.0, x: 2.0}) == (3.0, 1.0)
    assert session.run(b, {y: 1.0, x: 2.0}) == 1.0
    assert session.run([], {y: 1.0, x: 2.0}) == []
    del feed[y]
    with pytest.raises(sg.FeedError, match="placeholder 'y' is needed"):
        session.run(fetches, feed)


def test_structures_that_are_equal_are_kept_apart(session: sg.Session) -> None:
    a, b = sg.constant(1.0, name="a"), sg.constant(2.0, name="b")
    structures: list[Any] = [
        [a, b], (a, b), Pair(a, b), [(a, b)], [Pair(a, b)], [[a, b]], {"x": a}, {"x": b}, a, [a],
        (a,), "a", ["a", "b"], [a, (b,)],
    ]  # fmt: skip
    expected: list[Any] = [
        [1, 2], (1, 2), Pair(1, 2), [(1, 2)], [Pair(1, 2)], [[1, 2]], {"x": 1}, {"x": 2}, 1, [1],
        (1,), 1, [1, 2], [1, (2,)],
    ]  # fmt: skip
    for _ in range(3):
        for fetches, values in zip(structures, expected, strict=True):
            result = session.run(fetches)
            assert result == values
            assert type(result) is type(values) or not isinstance(values, list | tuple | dict)
            if isinstance(values, list | tuple) and isinstance(values[0], tuple):
                assert type(result[0]) is type(values[0])


def test_more_kinds_of_runs_than_are_remembered(session: sg.Session) -> None:
    x = sg.placeholder("float32", (), name="x")
    tensors = [x + float(i) for i in range(finder.MOST_ROWS + 5)]
    for _ in range(3):
        for i, tensor in enumerate(tensors):
            assert session.run([tensor], {x: 1.0}) == [1.0 + i]
            assert session.run([tensor], {"x": 2.0}) == [2.0 + i]


def test_more_feeds_than_are_remembered(session: sg.Session) -> None:
    count = 100
    inputs = [sg.placeholder("float32", ()) for _ in range(count)]
    total = sum(inputs[1:], inputs[0])
    feed = {tensor: float(i) for i, tensor in enumerate(inputs)}
    for _ in range(3):
        assert session.run(total, feed) == sum(range(count))


def test_a_finder_compares_by_identity() -> None:
    operations: list[int] = []
    unknown = object()
    known = finder.Finder(unknown, operations)
    assert known.find([1], None) is unknown
    x = sg.placeholder("float32", (), name="x")
    call = sg.Session(backend="native").make_callable([x], [x])
    item = object()
    known.add([item], {"key": 0}, call)
    known.grown(0)
    assert known.find([item], {"key": 2.0}) == [2.0]
    for fetches, feed in (
        ([object()], {"key": 2.0}), ((item,), {"key": 2.0}), (item, {"key": 2.0}),
        ([item], {"other": 2.0}), ([item], None), ([item], {}), ([item, item], {"key": 2.0}),
        ([item], {"key": 2.0, "more": 1}), ([item], [("key", 2.0)]), ([], {"key": 2.0}),
        ([item], collections.OrderedDict(key=2.0)),
    ):  # fmt: skip
        assert known.find(fetches, feed) is unknown
    operations.append(1)
    assert known.find([item], {"key": 2.0}) is unknown
    known.grown(1)
    assert known.find([item], {"key": 2.0}) == [2.0]
    known.clear()
    assert known.find([item], {"key": 2.0}) is unknown


def test_a_graph_built_in_the_loop_is_still_noticed(session: sg.Session) -> None:
    x = sg.placeholder("float32", ())
    y = x * 2.0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for value in range(30):
            y = x * 2.0
            session.run(y, {x: value})
    assert [w.category for w in caught] == [sg.GraphGrowthWarning]
    assert caught[0].filename == __file__


# -- variables -------------------------------------------------------------------------------------


def test_sizes_that_the_graph_promises_are_looked_at(session: sg.Session) -> None:
    x = sg.placeholder("float32", (None,), name="x")
    v = sg.Variable(sg.identity(x), name="v")
    assign = v.assign(x)
    together = v + x
    session.run(assign, {x: [1.0, 2.0]})
    np.testing.assert_array_equal(session.run(together, {x: [1.0, 1.0]}), [2, 3])
    with pytest.raises(sg.ShapeError) as info:
        session.run(together, {x: [1.0, 2.0, 3.0]})
    assert whole(info, x=x, v=v) == (
        "run: sizes that follow from each other in the graph have come to differ\n"
        "  3 in 'x'  float32[?]  feed at <x>\n"
        "  2 in 'v'  float32[?]  variable at <v>\n"
        "  assign the variable a value of the new size first\n"
        "  at <here>"
    )
    session.run(assign, {x: [1.0, 2.0, 3.0]})
    np.testing.assert_array_equal(session.run(together, {x: [1.0, 2.0, 3.0]}), [2, 4, 6])


def test_a_large_parameter_is_updated_in_its_place(session: sg.Session) -> None:
    v = sg.Variable(sg.zeros((1 << 20,)), name="v")
    step = v.assign_sub(0.5 * v + 1.0)
    done = sg.group(step)
    session.run(done)
    address = session._runs.store.address_of("v")  # type: ignore[attr-defined]
    for _ in range(5):
        session.run(done)
    assert session._runs.store.address_of("v") == address  # type: ignore[attr-defined]
    expected = 0.0
    for _ in range(6):
        expected -= 0.5 * expected + 1.0
    assert session.run(v)[[0, -1]].tolist() == [expected, expected]


def test_threads_lose_no_update_and_see_no_half_of_one() -> None:
    session = sg.Session(backend="native")
    a, b = sg.Variable(np.zeros(1000)), sg.Variable(np.zeros(1000))
    step = sg.group(a.assign_add(1.0), b.assign_add(1.0))
    torn: list[object] = []

    def write() -> None:
        for _ in range(300):
            session.run(step)

    def read() -> None:
        for _ in range(300):
            first, second = session.run([a, b])
            if not (first == second[0]).all() or not (second == second[0]).all():
                torn.append((first, second))

    threads = [threading.Thread(target=work) for work in (write, read, write, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torn == []
    assert session.run(a)[0] == 600.0


def test_first_runs_of_many_threads() -> None:
    for _ in range(20):
        session = sg.Session(backend="native")
        v = sg.Variable(1.0)
        step = v.assign_add(1.0)
        results: list[float] = []
        start = threading.Barrier(4)

        def work(session: sg.Session = session, step: Any = step, start: Any = start,
                 results: list[float] = results) -> None:  # fmt: skip
            start.wait()
            results.append(float(session.run(step)))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [2.0, 3.0, 4.0, 5.0]


# -- options and ends ------------------------------------------------------------------------------


def test_a_memory_limit(session: sg.Session) -> None:
    x = sg.placeholder("float32", (None, None), name="x")
    y = x @ x + 1.0
    limited = sg.Session(backend="native", memory_limit=1 << 20)
    v = sg.Variable(0.0)
    both = [y, v.assign_add(1.0)]
    assert limited.run(both, {x: np.ones((10, 10))})[0][0, 0] == 11.0
    with pytest.raises(sg.RunError) as info:
        limited.run(both, {x: np.ones((1000, 1000), "float32")})
    message = str(info.value)
    assert message.startswith("run: there is not enough memory\n  it asked for 4000000 bytes")
    assert "the session's memory_limit is 1048576 bytes" in message
    assert limited.run(v) == 1.0
    with pytest.raises(sg.GraphError) as refused:
        sg.Session(memory_limit=0)
    assert whole(refused) == (
        "Session: memory_limit=0 is no number of bytes\n"
        "  give an int of at least 1, or None for no limit\n"
        "  at <here>"
    )


def test_closed(session: sg.Session) -> None:
    x = sg.placeholder("float32", (), name="x")
    v = sg.Variable(1.0)
    y = x + v
    call = session.make_callable(y, [x])
    assert session.run(y, {x: 1.0}) == call(1.0) == 2.0
    session.close()
    for use in (lambda: session.run(y, {x: 1.0}), lambda: call(1.0), lambda: call(1)):
        with pytest.raises(sg.GraphError, match=r"^(run|call): the session is closed\n"):
            use()


def test_a_session_goes_with_its_last_reference() -> None:
    session = sg.Session(backend="native")
    x = sg.placeholder("float32", (), name="x")
    v = sg.Variable(np.zeros(3, "float32"))
    y = x + v
    gc.collect()
    gc.disable()
    try:
        for _ in range(2):
            session.run(y, {x: 1.0})
        call = session.make_callable(y, [x])
        gone, store = weakref.ref(session), weakref.ref(session._runs.store)  # type: ignore[attr-defined]
        del session
        assert gone() is None
        np.testing.assert_array_equal(call(2.0), [2, 2, 2])
        del call
        assert store() is None
    finally:
        gc.enable()


def test_a_session_that_nobody_holds_can_be_run() -> None:
    assert sg.Session(backend="native").run(sg.constant(1.0) + 1.0) == 2.0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_runs_leave_nothing_behind(session: sg.Session) -> None:
    x = sg.placeholder("float32", (None, 3), name="x")
    v = sg.Variable(np.zeros(3, "float32"))
    fetches = [sg.sum(x), v.assign_add(sg.sum(x, axis=0)), sg.all(x > 0)]
    fed = np.ones((2, 3), "float32")

    def resident() -> int:
        with open("/proc/self/status", encoding="ascii") as file:
            return int(next(line for line in file if line.startswith("VmRSS:")).split()[1])

    def use(count: int) -> None:
        for _ in range(count):
            session.run(fetches, {x: fed})
        for _ in range(count // 100):
            session.run(fetches, {x: [[1, 2, 3]]})
            with pytest.raises(sg.FeedError):
                session.run(fetches, {x: 1.0})

    use(1000)
    gc.collect()
    before, memory = sys.getrefcount(fed), resident()
    use(30_000)
    gc.collect()
    assert sys.getrefcount(fed) == before
    assert resident() - memory < 1024


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_after_the_first_use() -> None:
    script = """
        import os
        import numpy as np
        import staticgraph as sg
        x = sg.placeholder("float32", (None,), name="x")
        v = sg.Variable(1.0)
        fetches = [sg.sum(sg.exp(x)), v.assign_add(1.0)]
        session = sg.Session(backend="native", threads=2)
        fed = np.zeros(1 << 20, "float32")
        def run(what):
            print(what, *[int(value) for value in session.run(fetches, {x: fed})], flush=True)
        run("before")
        child = os.fork()
        if child == 0:
            run("child")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        run(os.waitstatus_to_exitcode(status))
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == "before 1048576 2\nchild 1048576 3\n0 1048576 3\n"


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_an_interrupt_leaves_variables_as_they_were() -> None:
    script = """
        import staticgraph as sg
        n = sg.placeholder("int64", (), name="n")
        v = sg.Variable(1.0, dtype="float64")
        first = v.assign_add(1.0)
        with sg.control_dependencies([first]):
            start = [0, v.read()]
        x = sg.while_loop(lambda i, x: i < n, lambda i, x: (i + 1, x * 0.5 + 1.0), start)
        step = [first, x[1]]
        session = sg.Session(backend="native")
        print(session.run(step, {n: 10})[0], flush=True)
        for _ in range(2):
            try:
                session.run(step, {n: 10**15})
            except KeyboardInterrupt:
                print("stopped", session.run(v), flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "2.0\n"
        for _ in range(2):
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "stopped 2.0\n"
        assert process.wait(20) == 0
