"""LAPACK and BLAS for machine code: the functions that SciPy's wheels carry.

Machine code calls them by the names ``lapack_dpotrf`` and so on; where they are is looked up when
code is loaded that names them (`jit.provide`), so no address stands in a module, and SciPy is
imported by nobody who factors no matrix. They have Fortran's ABI: every argument is an address,
integers have 32 bits, a matrix is stored column by column.

OpenBLAS, which is behind them, has threads of its own. They would fight with ours, and how a large
operation is divided among them changes the last digits of its result. So every kernel that calls
LAPACK stands between ``lapack_begin`` and ``lapack_end``: from the first to the last of them in the
process OpenBLAS works with one thread, and gets back its own number then. Where another library is
behind SciPy there is nothing to be told, and its threads are its own affair.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

from staticgraph import config
from staticgraph.backends.native import jit, machine, targets
from staticgraph.backends.native.assembly import assemble
from staticgraph.errors import CompilerError

PREFIX = "lapack_"
BEGIN, END = f"{PREFIX}begin", f"{PREFIX}end"

_lapack = config.LazyModule("scipy.linalg.cython_lapack")
_blas = config.LazyModule("scipy.linalg.cython_blas")

_SET_THREADS, _GET_THREADS = "scipy_openblas_set_num_threads", "scipy_openblas_get_num_threads"

# How many are inside, and how many threads there were before the first. A lock guards both, for a
# few instructions at a time.
_GUARD = """
declare void @blas_set_threads(i32)
declare i32 @blas_get_threads()
$PAUSE_DECLARATION
@lock = internal global i32 0
@inside = internal global i64 0
@before = internal global i32 0

define internal void @take() {
entry:
  br label %try
try:
  %pair = cmpxchg ptr @lock, i32 0, i32 1 acquire monotonic
  %taken = extractvalue { i32, i1 } %pair, 1
  br i1 %taken, label %done, label %wait
wait:
  $PAUSE
  br label %try
done:
  ret void
}

define internal void @restore() {
entry:
  %threads = load i32, ptr @before
  call void @blas_set_threads(i32 %threads)
  ret void
}

; One user more or fewer: the first limits the threads, the last restores them.
define internal void @count(i64 %by) {
entry:
  call void @take()
  %users = load i64, ptr @inside
  %now = add i64 %users, %by
  store i64 %now, ptr @inside
  %none_before = icmp eq i64 %users, 0
  %none_now = icmp eq i64 %now, 0
  br i1 %none_before, label %first, label %other
first:
  %threads = call i32 @blas_get_threads()
  store i32 %threads, ptr @before
  call void @blas_set_threads(i32 1)
  br label %done
other:
  br i1 %none_now, label %last, label %done
last:
  call void @restore()
  br label %done
done:
  store atomic i32 0, ptr @lock release, align 4
  ret void
}

define void @lapack_begin() {
  call void @count(i64 1)
  ret void
}

define void @lapack_end() {
  call void @count(i64 -1)
  ret void
}

; In the child of a fork: who was inside is not there any more.
define void @lapack_forked() {
entry:
  %users = load i64, ptr @inside
  %any = icmp ne i64 %users, 0
  br i1 %any, label %somebody, label %done
somebody:
  call void @restore()
  br label %done
done:
  store i64 0, ptr @inside
  store i32 0, ptr @lock
  ret void
}
"""
_NO_GUARD = """
define void @lapack_begin() {
  ret void
}

define void @lapack_end() {
  ret void
}
"""


def address(name: str) -> int:
    """Where the function is that machine code calls `name`: ``lapack_dpotrf``, ``lapack_begin``."""
    if name in (BEGIN, END):
        return _guard().address(name)
    short = name.removeprefix(PREFIX)
    for module in (_lapack, _blas):
        capsules: dict[str, Any] = module.__pyx_capi__
        if short in capsules:
            return _pointer(capsules[short])
    raise CompilerError(f"SciPy's LAPACK has no function {short}")


def _pointer(capsule: Any) -> int:
    """The address that a capsule of Cython holds."""
    api = ctypes.pythonapi
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", api))
    pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", api)
    )
    found: int = pointer_of(capsule, name_of(capsule))
    return found


# The loaded guard stays: code of any plan may call it at any time.
_guards: list[jit.Library] = []


def _guard() -> jit.Library:
    if not _guards:
        _guards.append(_loaded_guard())
    return _guards[0]


def _loaded_guard() -> jit.Library:
    # Names are looked for in what a library was linked with, too.
    library = ctypes.CDLL(_lapack.__file__)
    if not (hasattr(library, _SET_THREADS) and hasattr(library, _GET_THREADS)):
        return jit.compile_module(_NO_GUARD)
    for ours, theirs in (("blas_set_threads", _SET_THREADS), ("blas_get_threads", _GET_THREADS)):
        found = ctypes.cast(getattr(library, theirs), ctypes.c_void_p).value or 0
        jit.add_symbol(ours, found)
    declaration, instruction = machine.pause(targets.host().architecture)
    guard = jit.compile_module(
        assemble(_GUARD, {"PAUSE_DECLARATION": declaration, "PAUSE": instruction})
    )
    if hasattr(os, "register_at_fork"):
        forked = ctypes.PYFUNCTYPE(None)(guard.address("lapack_forked"))
        os.register_at_fork(after_in_child=forked)
    return guard


jit.provide(PREFIX, address)
