"""The machine that a process runs on, where LLVM does not know it: cores, waiting, C functions."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence

# What a thread that waits in a loop tells the processor (an intrinsic, the types it takes and what
# it is given), by architecture.
_PAUSES = {
    "x86_64": ("@llvm.x86.sse2.pause", "", ""),
    "aarch64": ("@llvm.aarch64.hint", "i32", "i32 1"),
    "arm64": ("@llvm.aarch64.hint", "i32", "i32 1"),
}


def cores() -> int:
    """How many cores this process may run on: what its affinity leaves of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def pause(architecture: str) -> tuple[str, str]:
    """What makes waiting in a loop cheaper: a declaration and an instruction, empty if unknown.

    >>> pause("x86_64")
    ('declare void @llvm.x86.sse2.pause()', 'call void @llvm.x86.sse2.pause()')
    """
    found = _PAUSES.get(architecture)
    if found is None:
        return "", ""
    name, types, given = found
    return f"declare void {name}({types})", f"call void {name}({given})"


def c_functions(names: Sequence[str]) -> dict[str, int]:
    """The addresses of functions of Python's C API and of the C library."""
    if sys.platform == "win32":
        libraries = [ctypes.pythonapi, ctypes.cdll.msvcrt, ctypes.windll.kernel32]
    else:
        libraries = [ctypes.pythonapi, ctypes.CDLL(None)]
    addresses = {}
    for name in names:
        library = next(library for library in libraries if hasattr(library, name))
        addresses[name] = ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
    return addresses
