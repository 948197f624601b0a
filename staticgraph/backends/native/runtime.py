"""The runtime of machine code: memory, threads and signals, compiled once in a process.

It is an LLVM module of its own, written in memory.py, threads.py and calls.py, that every other
module calls by name. What Python does here is to load it, to tell it what it cannot find out itself
(cores, the main thread), to make it whole again in the child of a fork, and to end its threads
before the interpreter goes.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import re
import threading
import time
from types import TracebackType

from staticgraph import config
from staticgraph.backends.native import (
    assembly,
    calls,
    context,
    jit,
    machine,
    memory,
    targets,
    threads,
)
from staticgraph.errors import CompilerError

# What a module that is compiled later may call.
EXPORTS = (
    "sg_alloc", "sg_free", "sg_parallel_for", "sg_poll", "sg_poll_clock",
    "sg_enter", "sg_leave", "sg_discard", "sg_release_gil", "sg_acquire_gil",
)  # fmt: skip
_DECLARATION = re.compile(r"^declare .*@([\w.]+)\(", re.MULTILINE)
# How long the interpreter's end waits for a thread that is in the middle of a chunk.
_CLOSING_SECONDS = 1.0


def runtime_text(architecture: str) -> str:
    """The LLVM IR of the runtime.

    >>> "define ptr @sg_alloc(ptr %ctx, i64 %bytes)" in runtime_text("x86_64")
    True
    """
    declaration, instruction = machine.pause(architecture)
    constants: dict[str, object] = {"PAUSE_DECLARATION": declaration, "PAUSE": instruction}
    constants |= {name: value for name, value in vars(context).items() if name.isupper()}
    constants |= memory.LAYOUT | calls.LAYOUT | threads.LAYOUT
    return assembly.assemble(memory.TEXT + calls.TEXT + threads.TEXT, constants)


class Runtime:
    """The loaded runtime: `address` of every function that others call, and Python's way in."""

    def __init__(self) -> None:
        text = runtime_text(targets.host().architecture)
        declared = [name for name in _DECLARATION.findall(text) if not name.startswith("llvm.")]
        for name, address in machine.c_functions([*declared, "memset"]).items():
            jit.add_symbol(name, address)
        self._library = jit.compile_module(text)
        # Workers may run until the process ends, which is later than the end of any object.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._library))
        self.enter = self._function("sg_enter", ctypes.c_void_p, *[ctypes.c_int64] * 3)
        self.leave = self._function("sg_leave", ctypes.c_int32, ctypes.c_void_p)
        self.discard = self._function("sg_discard", None, ctypes.c_void_p)
        self.trim = self._function("sg_trim", None)
        self.idle_bytes = self._function("sg_idle_bytes", ctypes.c_int64)
        self.set_idle_limit = self._function("sg_set_idle_limit", None, ctypes.c_int64)
        self.workers = self._function("sg_pool_workers", ctypes.c_int64)
        self._reset_pool = self._function("sg_pool_reset", None, ctypes.c_int64)
        self._close_pool = self._function("sg_pool_close", ctypes.c_int64)
        self._set_main_thread = self._function("sg_set_main_thread", None, ctypes.c_uint64)
        for name in EXPORTS:
            jit.add_symbol(name, self.address(name))
        self.set_idle_limit(calls.IDLE_BYTES_LIMIT)
        self.begin()

    def address(self, name: str) -> int:
        """Where the function `name` of EXPORTS is."""
        return self._library.address(name)

    def _function(self, name: str, result: type | None, *types: type) -> ctypes._FuncPointer:
        # PYFUNCTYPE keeps the GIL, which guards the list of contexts.
        return ctypes.PYFUNCTYPE(result, *types)(self._library.address(name))

    def begin(self) -> None:
        """Starts with no workers, in a new process or in the child of a fork."""
        self._set_main_thread(threading.main_thread().ident or 0)
        self._reset_pool(machine.cores())

    def close(self) -> None:
        """Ends the workers, waiting a moment for those that are in the middle of a chunk.

        The code is never unloaded, so one that takes longer goes on until the process ends.
        """
        last = time.monotonic() + _CLOSING_SECONDS
        while self._close_pool() and time.monotonic() < last:
            time.sleep(0.001)


_lock = threading.Lock()
_runtime: Runtime | None = None


def load() -> Runtime:
    """The runtime of this process, for any number of threads that ask at the same time."""
    global _runtime
    if _runtime is None:
        with _lock:
            if _runtime is None:
                # A second one would start the pool anew under the feet of the first.
                _runtime = _start()
    return _runtime


def _start() -> Runtime:
    runtime = Runtime()
    atexit.register(runtime.close)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=runtime.begin)
    return runtime


if hasattr(os, "register_at_fork"):
    # A child that is forked while another thread loads would wait for that thread for ever.
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


class Context:
    """A context that Python entered; give it back with `release`, or use a ``with`` block."""

    def __init__(self, threads: int | None = None, memory_limit: int | None = None) -> None:
        self._runtime = load()
        limit = context.NO_LIMIT if memory_limit is None else memory_limit
        wanted = machine.cores() if threads is None else threads
        entered = self._runtime.enter(wanted, limit, config.check_enabled())
        if not entered:
            raise MemoryError("there is no memory for a call")
        self.pointer: int = entered

    def _field(self, offset: int) -> ctypes.c_int64:
        return ctypes.c_int64.from_address(self.pointer + offset)

    @property
    def bytes_now(self) -> int:
        """Bytes given out now, headers and rounding included."""
        return self._field(context.MEMORY_NOW).value

    @property
    def peak_bytes(self) -> int:
        """The most bytes given out at one time in this call."""
        return self._field(context.MEMORY_PEAK).value

    @property
    def held_bytes(self) -> int:
        """Bytes of address space that the context has from the system."""
        return self._field(context.MEMORY_HELD).value

    @property
    def refused_bytes(self) -> int:
        """What was asked for when there was no memory, or more than the limit; 0 when never."""
        return self._field(context.MEMORY_REFUSED).value

    @property
    def failure(self) -> tuple[int, ...]:
        """The numbers that a failing site left."""
        slots = ctypes.c_int64 * context.FAILURE_SLOTS
        return tuple(slots.from_address(self.pointer + context.FAILURE))

    def release(self) -> None:
        """Gives the context back, with all memory that the call still has.

        Raises CompilerError when the run wrote outside of a block, which is looked for when
        STATICGRAPH_CHECK is set.
        """
        pointer, self.pointer = self.pointer, 0
        if pointer and self._runtime.leave(pointer):
            message = damage(pointer)
            self._runtime.discard(pointer)
            raise CompilerError(message)

    def __enter__(self) -> Context:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def damage(pointer: int) -> str:
    """What sg_leave found in the context at `pointer`, in words."""
    kind = ctypes.c_int64.from_address(pointer + context.DAMAGE).value
    asked = ctypes.c_int64.from_address(pointer + context.DAMAGE_BYTES).value
    return (
        f"machine code: a block of {asked} bytes {memory.DAMAGES[kind]}\n"
        "  this is a bug in staticgraph; report it with the program that shows it"
    )
