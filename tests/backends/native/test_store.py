"""Variables under machine code: all updates or none, in place or not, by turns, after a fork."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native.spec import KEY, InputSpec
from staticgraph.backends.native.trampoline import (
    SINGLE,
    code,
)
from staticgraph.backends.native.trampoline import store as store_module
from staticgraph.backends.native.trampoline.store import Store
from tests.backends.native.handwritten import (
    Failed,
    Refused,
    callable_of,
    copy,
    feed,
    machine_code,
    out,
    slot,
    tensor,
    variable,
)
from tests.backends.native.test_trampoline import HOST

SIZE = 4
ROOT = Path(__file__).parents[3]


def store_of(**values: float) -> Store:
    store = Store(0)
    for name, value in values.items():
        store.offer(name, np.full(SIZE, value, "float64"))
    return store


def read(store: Store, *names: str) -> Any:
    """A function that returns variables."""
    body = "".join(slot(2 * i, name) for i, name in enumerate(names))
    body += "  %dims = getelementptr i64, ptr %inputs, i64 1\n"
    body += "".join(copy(f"%{name}", i, 8 * SIZE, "%dims") for i, name in enumerate(names))
    inputs = [variable(name, "float64", SIZE) for name in names]
    return callable_of(machine_code(body, inputs, [out("float64", SIZE) for _ in names]), store)


COMMIT = """\
  %committed = call i32 @sg_commit(ptr %ctx)
  %refused = icmp ne i32 %committed, 0
  br i1 %refused, label %failed, label %write
write:
"""


def written(*names: str, middle: str = "", **options: Any) -> Any:
    """Machine code that reads variables, does `middle`, and writes a fed array to all of them.

    The first result is where the new value of the first variable was written.
    """
    count = len(names)
    body = slot(0, "x") + "  %dims = getelementptr i64, ptr %inputs, i64 1\n"
    body += "  %where = call ptr @sg_output(ptr %ctx, i32 0, ptr null)\n"
    body += middle + COMMIT
    body += "".join(copy("%x", 1 + i, 8 * SIZE, "%dims") for i in range(count))
    body += "  store ptr %out1, ptr %where\n"
    inputs = [feed("float64", SIZE), *[variable(name, "float64", SIZE) for name in names]]
    outputs = [out("int64")]
    outputs += [out("float64", SIZE, overwrites=1 + i) for i in range(count)]
    return machine_code(body, inputs, outputs, **options)


def writer(store: Store, *names: str, middle: str = "", **options: Any) -> Any:
    compiled = written(*names, middle=middle, **options)
    return callable_of(compiled, store, dict.fromkeys(names, (SIZE,)), structure=SINGLE)


def full(value: float) -> Any:
    return np.full(SIZE, value, "float64")


def test_a_variable_has_the_value_that_was_offered_first() -> None:
    store = Store(0)
    assert not store.has("v")
    offered = full(1)
    store.offer("v", offered)
    offered[:] = 9
    store.offer("v", full(2))
    assert store.has("v")
    np.testing.assert_array_equal(store.value("v"), full(1))
    store.value("v")[:] = 9
    np.testing.assert_array_equal(read(store, "v")()[0], full(1))


def test_a_variable_without_a_value_goes_to_the_slow_path() -> None:
    store = store_of(v=1)
    for call, values in ((read(store, "v", "w"), ()), (writer(store, "v", "w"), (full(1),))):
        with pytest.raises(Refused):
            call(*values)
    assert store.readers == 0


def test_an_update_is_written_in_place_and_seen_by_the_next_run() -> None:
    store = store_of(v=1, w=1)
    update = writer(store, "v", "w")
    first = update(full(2))
    np.testing.assert_array_equal(read(store, "v", "w")(), [full(2), full(2)])
    assert update(full(3)) == first
    np.testing.assert_array_equal(store.value("w"), full(3))


def test_a_result_is_no_view_of_a_variable() -> None:
    store = store_of(v=1)
    (before,) = read(store, "v")()
    writer(store, "v")(full(2))
    np.testing.assert_array_equal(before, full(1))


@pytest.mark.parametrize("long", [False, True])
def test_while_another_run_reads_nothing_is_written_in_place(long: bool) -> None:
    store = store_of(v=1)
    update = writer(store, "v")
    places = [update(full(2))]

    def host(site: int, slots: int) -> None:
        assert store.readers == 1
        places.append(update(full(3)))
        np.testing.assert_array_equal(store.value("v"), full(3))

    # It copies the variable behind the host call, from where it was in the beginning.
    body = slot(0, "v") + "  %dims = getelementptr i64, ptr %inputs, i64 1\n" + HOST
    body += copy("%v", 0, 8 * SIZE, "%dims")
    inputs = [variable("v", "float64", SIZE)]
    compiled = machine_code(body, inputs, [out("float64", SIZE)], long=long, host=host)
    (seen,) = callable_of(compiled, store)()
    np.testing.assert_array_equal(seen, full(2))
    assert places[0] != places[1]
    assert store.readers == 0


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("failure", ["site", "exception", "result"])
def test_a_run_that_fails_changes_nothing(long: bool, failure: str) -> None:
    def host(site: int, slots: int) -> None:
        raise KeyboardInterrupt

    middle = {
        "site": "  br i1 true, label %leave, label %go\nleave:\n  ret i32 4\ngo:\n",
        "exception": HOST,
        "result": (
            "  %huge = alloca i64\n  store i64 4611686018427387904, ptr %huge\n"
            "  %lost = call ptr @sg_output(ptr %ctx, i32 3, ptr %huge)\n"
            "  br label %failed\nunreachable:\n"
        ),
    }[failure]
    expected = {"site": Failed, "exception": KeyboardInterrupt, "result": Failed}[failure]
    store = store_of(v=1, w=1, u=1)
    call = writer(store, "v", "w", "u", middle=middle, long=long, host=host)
    for _ in range(3):
        with pytest.raises(expected):
            call(full(2))
    np.testing.assert_array_equal(read(store, "v", "w", "u")(), [full(1)] * 3)
    # Nothing is left barred or counted.
    writer(store, "v")(full(5))
    np.testing.assert_array_equal(store.value("v"), full(5))


def test_an_update_of_another_shape_is_refused() -> None:
    store = store_of(v=1)
    body = "  %dims = getelementptr i64, ptr %inputs, i64 1\n" + slot(0, "x")
    body += copy("%x", 0, 8, "%dims")
    compiled = machine_code(body, [feed("float64", None)], [out("float64", None)])
    call = callable_of(compiled, store, {"v": (SIZE,)})
    with pytest.raises(Failed) as info:
        call(np.ones(3))
    assert info.value.args == ("v", (3,))
    with pytest.raises(Failed) as info:
        callable_of(compiled, store, {"v": (SIZE, 2)})(np.ones(SIZE))
    assert info.value.args == ("v", (SIZE,))
    assert call(np.ones(SIZE)) == []
    assert callable_of(compiled, store, {"v": None})(np.ones(3)) == []
    assert store.shape("v") == (3,)
    with pytest.raises(Refused):
        read(Store(0), "v")()


def test_a_closed_store_starts_no_run() -> None:
    store = store_of(v=1)
    call, empty = read(store, "v"), callable_of(machine_code(""), store)
    assert empty() == []
    store.close()
    for use in (call, empty):
        with pytest.raises(Refused):
            use()


def test_the_key_of_a_run() -> None:
    store = Store(2**64 - 1)
    body = slot(0, "key") + slot(1, "size", "i64") + copy("%key", 0, 16, "%size_at")
    compiled = machine_code(body, [InputSpec(KEY, tensor("uint64", 2), "key")], [out("uint64", 2)])
    call = callable_of(compiled, store, structure=SINGLE)
    initial = callable_of(compiled, store, structure=SINGLE, initial=True)
    keys = [call().tolist(), initial().tolist(), call().tolist(), initial().tolist()]
    seed = 2**64 - 1
    assert keys == [[seed, 1], [seed, 0], [seed, 2], [seed, 0]]
    assert store.runs == 2


# -- several runs at a time ---------------------------------------------------------------------

# Runs until a flag in memory is set, or fails after some seconds.
SPIN = """\
  br label %spin
spin:
  %turns = phi i64 [ 0, %before ], [ %turn, %spin_on ]
  %turn = add i64 %turns, 1
  %flag = load atomic i8, ptr %x acquire, align 1
  %up = icmp ne i8 %flag, 0
  br i1 %up, label %spun, label %spin_on
spin_on:
  %enough = icmp ugt i64 %turns, 10000000000
  br i1 %enough, label %failed, label %spin
spun:
"""
# The same with the GIL released.
WAIT = "  call void @sg_release_gil(ptr %ctx)\n  br label %before\nbefore:\n" + SPIN


def waiting_writer(store: Store) -> Any:
    """Writes 7s to v when the fed flag is set; holds no GIL while it waits."""
    body = slot(0, "x") + slot(1, "v") + "  %dims = getelementptr i64, ptr %inputs, i64 2\n" + WAIT
    body += copy("%v", 0, 8 * SIZE, "%dims")
    inputs = [feed("bool"), variable("v", "float64", SIZE)]
    compiled = machine_code(body, inputs, [out("float64", SIZE)])
    return compiled


def until(holds: Any) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_writers_take_turns_and_readers_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    # Who waits is woken; it need not look.
    monkeypatch.setattr(store_module, "_LOOK_SECONDS", 1000.0)
    store = store_of(v=1)
    slow_compiled = waiting_writer(store)
    first = callable_of(slow_compiled, store, {"v": (SIZE,)}, leaves=[])
    flag = np.zeros((), bool)
    thread = threading.Thread(target=first, args=(flag,))
    thread.start()
    until(lambda: store.readers == 1)
    np.testing.assert_array_equal(read(store, "v")()[0], full(1))
    update = writer(store, "v")
    with pytest.raises(Refused):
        update(full(2))
    turns: list[str] = []

    def second() -> None:
        store.wait(code.WRITING)
        turns.append("second")
        update(full(2))

    waiting = threading.Thread(target=second)
    waiting.start()
    time.sleep(0.05)
    assert turns == []
    flag[()] = True
    waiting.join(20)
    thread.join(20)
    assert turns == ["second"]
    np.testing.assert_array_equal(store.value("v"), full(2))


def test_who_waits_is_woken_by_a_run_that_fails_and_its_error_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_module, "_LOOK_SECONDS", 1000.0)
    store = store_of(v=1)
    waiting = threading.Thread(target=store.wait, args=(code.WRITING,))

    def host(site: int, slots: int) -> None:
        waiting.start()
        until(lambda: store.waiters == 1)
        raise ZeroDivisionError("kept")

    with pytest.raises(ZeroDivisionError, match="kept"):
        writer(store, "v", middle=HOST, host=host)(full(2))
    waiting.join(20)
    assert not waiting.is_alive()


def test_nobody_reads_what_is_being_written_in_place() -> None:
    store = store_of(v=1)
    body = slot(0, "x") + slot(1, "v") + "  %dims = getelementptr i64, ptr %inputs, i64 2\n"
    body += COMMIT + WAIT + copy("%v", 0, 8 * SIZE, "%dims")
    inputs = [feed("bool"), variable("v", "float64", SIZE)]
    compiled = machine_code(body, inputs, [out("float64", SIZE, overwrites=1)])
    flag = np.zeros((), bool)
    call = callable_of(compiled, store, {"v": (SIZE,)}, leaves=[])
    thread = threading.Thread(target=call, args=(flag,))
    thread.start()
    until(lambda: store.barred(code.EXCLUSIVE))
    for use, values in ((read(store, "v"), ()), (writer(store, "v"), (full(2),))):
        with pytest.raises(Refused):
            use(*values)
    assert callable_of(machine_code(""), store)() == []
    flag[()] = True
    thread.join(20)
    np.testing.assert_array_equal(read(store, "v")()[0], full(1))


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_nothing_interrupts_a_run_that_writes_in_place() -> None:
    store = store_of(v=1)
    # Some 0.2 seconds in which sg_poll would find the signal.
    middle = """\
  call void @PyErr_SetInterrupt()
  br label %poll
poll:
  %polls = phi i64 [ 0, %write ], [ %polled, %poll_on ]
  %polled = add i64 %polls, 1
  %answer = call i32 @sg_poll(ptr %ctx)
  %stop = icmp ne i32 %answer, 0
  br i1 %stop, label %failed, label %poll_on
poll_on:
  %enough = icmp ugt i64 %polls, 100000000
  br i1 %enough, label %polled_enough, label %poll
polled_enough:
"""
    body = slot(0, "x") + slot(2, "v") + "  %dims = getelementptr i64, ptr %inputs, i64 1\n"
    body += COMMIT + middle + copy("%x", 0, 8 * SIZE, "%dims")
    inputs = [feed("float64", SIZE), variable("v", "float64", SIZE)]
    compiled = machine_code(body, inputs, [out("float64", SIZE, overwrites=1)])
    call = callable_of(compiled, store, {"v": (SIZE,)}, leaves=[])
    with pytest.raises(KeyboardInterrupt):
        call(full(2))
        time.sleep(20)
    np.testing.assert_array_equal(store.value("v"), full(2))


def test_a_second_writing_run_on_the_same_thread_is_an_error() -> None:
    store = store_of(v=1)

    def host(site: int, slots: int) -> None:
        store.wait(code.WRITING)

    with pytest.raises(sg.RunError) as info:
        writer(store, "v", middle=HOST, host=host)(full(2))
    assert str(info.value).startswith(
        "run: this thread is in the middle of a run of the same session that writes variables\n"
        "  it was left by a signal handler or by a function that the run calls\n"
        "  start the second run when the first has ended\n"
    )
    np.testing.assert_array_equal(store.value("v"), full(1))
    store.wait(code.WRITING)


def test_threads_lose_no_update() -> None:
    store = Store(0)
    store.offer("v", np.zeros((), "int64"))
    body = slot(0, "v") + COMMIT
    body += "  %old = load i64, ptr %v\n  %new = add i64 %old, 1\n"
    body += "  %place = call ptr @sg_output(ptr %ctx, i32 0, ptr null)\n"
    body += "  store i64 %new, ptr %place\n"
    for long in (False, True):
        compiled = machine_code(
            body, [variable("v", "int64")], [out("int64", overwrites=0)], long=long
        )
        bump = callable_of(compiled, store, {"v": ()}, leaves=[], slow=lambda: "wait")

        def work(bump: Any = bump) -> None:
            for _ in range(2000):
                while bump() == "wait":
                    store.wait(code.WRITING | code.EXCLUSIVE)

        before = int(store.value("v"))
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert int(store.value("v")) - before == 8000


def test_a_released_gil_lets_others_run() -> None:
    store = store_of(v=1)
    body = slot(0, "x") + slot(1, "v") + "  %dims = getelementptr i64, ptr %inputs, i64 2\n"
    # It is released again after the result was made.
    body += copy("%v", 0, 8 * SIZE, "%dims") + "  br label %before\nbefore:\n" + SPIN
    inputs = [feed("bool"), variable("v", "float64", SIZE)]
    compiled = machine_code(body, inputs, [out("float64", SIZE)], long=True)
    call = callable_of(compiled, store)
    flag = np.zeros((), bool)

    def set_flag() -> None:
        until(lambda: store.readers == 1)
        flag[()] = True

    thread = threading.Thread(target=set_flag)
    thread.start()
    # It would fail if it kept the GIL.
    np.testing.assert_array_equal(call(flag)[0], full(1))
    thread.join(20)


# -- processes -------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_while_another_thread_writes() -> None:
    script = """
        import os, threading, time
        import numpy as np
        from tests.backends.native.test_store import *
        store = store_of(v=1)
        flag = np.zeros((), bool)
        first = callable_of(waiting_writer(store), store, {"v": (SIZE,)}, leaves=[])
        thread = threading.Thread(target=first, args=(flag,))
        thread.start()
        until(lambda: store.readers == 1)
        child = os.fork()
        if child == 0:
            # The writer is not in the child, so nobody is in the way, and nobody reads.
            update = writer(store, "v")
            places = {update(full(5)), update(full(6))}
            good = len(places) == 1 and store.value("v").tolist() == [6.0] * SIZE
            os._exit(0 if good else 1)
        _, status = os.waitpid(child, 0)
        flag[()] = True
        thread.join(20)
        print(os.waitstatus_to_exitcode(status), store.value("v").tolist())
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == "0 [1.0, 1.0, 1.0, 1.0]\n"


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("long", [False, True])
def test_an_interrupt_stops_a_run_and_changes_nothing(long: bool) -> None:
    script = f"""
        import time
        from tests.backends.native.test_store import *
        store = store_of(v=1)
        body = slot(0, "x") + '''\\
          br label %spin
        spin:
          %answer = call i32 @sg_poll(ptr %ctx)
          %stop = icmp ne i32 %answer, 0
          br i1 %stop, label %failed, label %spin
        unreachable:
        '''
        body += COMMIT + copy("%x", 0, 8 * SIZE, "%inputs")
        inputs = [feed("float64", SIZE), variable("v", "float64", SIZE)]
        outputs = [out("float64", SIZE, overwrites=1)]
        compiled = machine_code(body, inputs, outputs, long={long})
        endless = callable_of(compiled, store, {{"v": (SIZE,)}}, leaves=[])
        for _ in range(3):
            print("ready", flush=True)
            try:
                endless(full(2))
            except KeyboardInterrupt:
                print("%.3f" % time.time(), store.value("v").tolist(), store.readers, flush=True)
        writer(store, "v")(full(3))
        print(store.value("v").tolist())
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        for _ in range(3):
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            _, _, rest = process.stdout.readline().partition(" ")
            assert rest == "[1.0, 1.0, 1.0, 1.0] 0\n"
        assert process.stdout.readline() == "[3.0, 3.0, 3.0, 3.0]\n"
        assert process.wait(20) == 0
