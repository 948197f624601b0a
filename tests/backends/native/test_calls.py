"""Contexts from enter to leave, the GIL, and signals that come from another process."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from staticgraph.backends.native import context
from staticgraph.backends.native.runtime import Context
from tests.backends.native.programs import Filled, programs
from tests.backends.native.test_threads import PREAMBLE, ROOT, run


def field(ctx: Context, offset: int) -> ctypes.c_int64:
    return ctypes.c_int64.from_address(ctx.pointer + offset)


def test_a_context_is_used_again_and_starts_clean() -> None:
    with Context(threads=3, memory_limit=1000) as first:
        pointer = first.pointer
        assert pointer % 64 == 0
        assert field(first, context.THREADS).value == 3
        field(first, context.POLL_TIME).value = context.NO_LIMIT
        field(first, context.IN_PLACE).value = 1
        field(first, context.FAILURE + 8).value = -5
        assert first.failure[1] == -5
        programs().alloc(first.pointer, 2000)
        assert first.refused_bytes == 2000
        with Context() as second:
            assert second.pointer != pointer
    with Context() as again:
        assert again.pointer == pointer
        for offset in (context.POLL_TIME, context.IN_PLACE, context.MEMORY_REFUSED):
            assert field(again, offset).value == 0
        assert field(again, context.MEMORY_LIMIT).value == context.NO_LIMIT


def test_a_context_may_be_released_twice() -> None:
    ctx = Context()
    ctx.release()
    ctx.release()


def test_only_the_main_thread_looks_for_signals() -> None:
    found = []

    def look() -> None:
        with Context() as ctx:
            found.append(field(ctx, context.ON_MAIN_THREAD).value)

    look()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [1, 0]


def test_releasing_and_acquiring_the_gil_twice_does_nothing_more() -> None:
    # With the GIL released nothing of Python may run, so it is acquired by the same program.
    with Context() as ctx:
        programs().acquire_gil(ctx.pointer)
        assert field(ctx, context.THREAD_STATE).value == 0
        assert programs().gil_twice(ctx.pointer) == 1
        assert field(ctx, context.THREAD_STATE).value == 0


def test_a_run_that_turns_out_long_lets_other_threads_go_on() -> None:
    turns = []
    stop = threading.Event()

    def turn() -> None:
        while not stop.is_set():
            turns.append(1)
            time.sleep(0.001)

    thread = threading.Thread(target=turn)
    thread.start()
    with Context() as ctx:
        programs().nothing_for(ctx.pointer, (ctypes.c_int64 * 4)(), 2, 1, 1)
        before = len(turns)
        # About half a second with the GIL held at the beginning.
        programs().poll_for(ctx.pointer, 200_000_000)
        after = len(turns)
    stop.set()
    thread.join()
    assert after - before > 3


# What a process does until it gets a signal, and how it knows that it was stopped half way.
ENDLESS = {
    "a loop on one thread": "filled.run(one, 10 ** 9)",
    "a loop on three threads": "filled.run(three, 10 ** 9)",
    "a long loop on three threads": "long.run(three)",
    "a loop that polls": "programs().poll_for(one.pointer, 10 ** 15)",
    "loops too short to share": "short.run(three, 10 ** 15)",
}

INTERRUPTED = """
filled = Filled(50_000, 1000, work=50)
long = Filled(10 ** 7, 1000, work=10 ** 5)
short = Filled(100, 100)
one, three = Context(threads=1), Context(threads=3)
if {committed}:
    for ctx in one, three:
        ctypes.c_int64.from_address(ctx.pointer + context.POLL_TIME).value = context.NO_LIMIT
print("ready", flush=True)
try:
    {loop}
    print("done")
except KeyboardInterrupt:
    print("interrupted", set(filled.runs) == {{300}})
with Context(threads=3) as ctx:
    again = Filled(50_000, 1000)
    print(again.run(ctx), set(again.runs))
"""


def interrupted(loop: str, committed: bool = False) -> list[str]:
    program = PREAMBLE + INTERRUPTED.format(loop=loop, committed=committed)
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)
        os.kill(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        assert process.stderr is not None
        process.stderr.close()
    return out.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal as POSIX does")
@pytest.mark.parametrize("what", list(ENDLESS))
def test_an_interrupt_from_another_process_stops_a_run(what: str) -> None:
    assert interrupted(ENDLESS[what]) == ["interrupted False", "0 {1}"]


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal as POSIX does")
@pytest.mark.parametrize("threads", ["one", "three"])
def test_nothing_stops_a_run_that_has_committed(threads: str) -> None:
    # Python's own turn comes when the run is over, with every chunk of it done.
    lines = interrupted(f"filled.run({threads}, 300)", committed=True)
    assert lines == ["interrupted True", "0 {1}"]


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal as POSIX does")
def test_a_signal_handler_of_the_user_runs_and_the_run_goes_on() -> None:
    done = run("""
seen = []
signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
with Context(threads=2) as ctx:
    filled = Filled(50_000, 1000, work=50)
    times = 0
    while len(seen) < 5:
        assert filled.run(ctx, 100) == 0
        times += 100
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(set(filled.runs) == {times})
""")
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_an_expected_value_is_what_the_kernel_computes() -> None:
    filled = Filled(100, 7, work=3)
    with Context(threads=1) as ctx:
        filled.run(ctx)
    assert list(filled.out) == filled.expected
    assert list(filled.out) != Filled(100, 7, work=2).expected
