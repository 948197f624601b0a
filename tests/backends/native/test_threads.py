"""Loops over the pool: every chunk once, the same for any number of threads, and forks and ends."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import staticgraph as sg
from staticgraph.backends.native.runtime import Context, load
from staticgraph.backends.native.threads import MAX_THREADS
from tests.backends.native.programs import Filled, programs

ROOT = Path(sg.__file__).parent.parent
PREAMBLE = """
import atexit, ctypes, os, signal, sys, threading
from staticgraph.backends.native import context
from staticgraph.backends.native.runtime import Context, load
from tests.backends.native.programs import Filled, programs
"""


def run(program: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """What a process of its own prints; one that hangs is an error."""
    return subprocess.run(
        [sys.executable, "-c", PREAMBLE + program],
        capture_output=True, text=True, cwd=ROOT, timeout=timeout,
    )  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize(
    ("total", "grain"),
    [(0, 10), (1, 10), (10, 10), (11, 10), (1000, 1), (1000, 7), (1000, 300), (4096, 64)],
)
def test_every_chunk_runs_once(threads: int, total: int, grain: int) -> None:
    filled = Filled(total, grain)
    with Context(threads=threads) as ctx:
        for times in (1, 2, 3):
            assert filled.run(ctx) == 0
            assert list(filled.runs) == [times] * len(filled.runs)
    assert list(filled.out) == filled.expected


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_many_short_loops(threads: int) -> None:
    filled = Filled(64, 3)
    with Context(threads=threads) as ctx:
        assert filled.run(ctx, 20_000) == 0
    assert set(filled.runs) == {20_000}
    assert list(filled.out) == filled.expected


def test_a_loop_ends_when_its_last_chunk_has_ended() -> None:
    # The chunk of the caller ends before that of the worker, for which the caller then sleeps.
    with Context(threads=2) as ctx:
        for _ in range(10):
            numbers = (ctypes.c_int64 * 2)()
            assert programs().meet_for(ctx.pointer, numbers) == 0
            assert list(numbers) == [1, 20_000_000]


@pytest.mark.parametrize("threads", [2, 8])
def test_loops_between_which_the_workers_sleep(threads: int) -> None:
    filled = Filled(64, 3, work=200)
    with Context(threads=threads) as ctx:
        for _ in range(200):
            assert filled.run(ctx) == 0
            # Longer than the workers wait awake.
            threading.Event().wait(0.001)
    assert set(filled.runs) == {200}


def test_calls_at_the_same_time_do_not_wait_for_the_pool() -> None:
    many = [Filled(2000, 30, work=5) for _ in range(6)]
    failed: list[BaseException] = []

    def call(filled: Filled) -> None:
        try:
            with Context(threads=4) as ctx:
                assert filled.run(ctx, 200) == 0
        except BaseException as error:  # shown by the main thread
            failed.append(error)

    threads = [threading.Thread(target=call, args=(filled,)) for filled in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    for filled in many:
        assert set(filled.runs) == {200}
        assert list(filled.out) == filled.expected


def test_a_number_of_threads_that_no_pool_has() -> None:
    filled = Filled(3000, 1, work=50)
    with Context(threads=10 * MAX_THREADS) as ctx:
        assert filled.run(ctx) == 0
    assert set(filled.runs) == {1}
    assert load().workers() == MAX_THREADS - 1


def test_threads_that_load_at_the_same_time_load_once() -> None:
    done = run("""
import time
from staticgraph.backends.native import runtime
made = []
first = runtime.Runtime.__init__
def slow(self):
    made.append(1)
    time.sleep(0.2)
    first(self)
runtime.Runtime.__init__ = slow
threads = [threading.Thread(target=load) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(made))
""")
    assert done.stdout == "1\n", done.stderr


def test_workers_are_made_at_first_need_and_no_more_than_needed() -> None:
    done = run("""
with Context(threads=8) as ctx:
    print(load().workers())
    Filled(10, 10).run(ctx)
    print(load().workers())
    Filled(30, 10).run(ctx)
    print(load().workers())
with Context(threads=4) as ctx:
    Filled(300, 10).run(ctx)
    print(load().workers())
""")
    assert done.stdout.split() == ["0", "0", "2", "3"], done.stderr


def test_affinity_is_the_number_of_threads_unless_given() -> None:
    done = run("""
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
with Context() as ctx:
    print(Filled(300, 10).run(ctx), load().workers())
""")
    assert done.stdout.split() == ["0", "0"], done.stderr


FORK = """
filled = Filled(5000, 100, work=20)
with Context(threads=3) as ctx:
    assert filled.run(ctx, 10) == 0
    {where}
    child = os.fork()
    # Threads do not come along; the child makes its own when it needs some.
    assert load().workers() == (2 if child else 0)
    with Context(threads=3) as inner:
        again = Filled(5000, 100, work=20)
        assert again.run(inner, 10) == 0
        assert list(again.out) == filled.expected and set(again.runs) == {{10}}
        assert load().workers() == 2
    assert filled.run(ctx, 10) == 0 and set(filled.runs) == {{20}}
    if child == 0:
        sys.stdout.flush()
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("busy", [False, True])
def test_a_child_works_after_a_fork(busy: bool) -> None:
    # A fork while another thread is in the middle of a loop, with the pool in its hands.
    where = """
    def work():
        with Context(threads=3) as its:
            Filled(5000, 100, work=20).run(its, 10 ** 9)
    threading.Thread(target=work, daemon=True).start()
    import time; time.sleep(0.05)
    """
    done = run(FORK.format(where=where if busy else ""))
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr


ENDS = {
    "sleeping": "import time; time.sleep(0.1)",
    "waiting awake": "",
    "in the middle of a loop": """
def work():
    with Context(threads=3) as its:
        Filled(5000, 100, work=20).run(its, 10 ** 9)
threading.Thread(target=work, daemon=True).start()
import time; time.sleep(0.05)
""",
    "in the middle of a long chunk": """
def work():
    with Context(threads=3) as its:
        Filled(30, 10, work=10 ** 9).run(its, 1)
threading.Thread(target=work, daemon=True).start()
import time; time.sleep(0.05)
""",
}


@pytest.mark.parametrize("state", list(ENDS))
def test_the_interpreter_ends_whatever_the_workers_do(state: str) -> None:
    done = run(f"""
with Context(threads=3) as ctx:
    Filled(5000, 100).run(ctx, 10)
{ENDS[state]}
print("end", flush=True)
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_loops_work_after_the_pool_was_closed() -> None:
    done = run("""
def late():
    filled = Filled(5000, 100)
    with Context(threads=3) as ctx:
        print(filled.run(ctx, 3), set(filled.runs), list(filled.out) == filled.expected)
atexit.register(late)
with Context(threads=3) as ctx:
    Filled(5000, 100).run(ctx)
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 {3} True\n", "")
