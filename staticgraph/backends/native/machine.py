"""The machine: what its processor can do, and how many cores this process may use.

Everything is asked of LLVM and of the operating system; nothing is known by the processor's name.
"""

from __future__ import annotations

import os
from functools import cache

import llvmlite.binding as llvm

# The bytes of a vector register, by the first of these features that the processor has.
_VECTORS = (("avx512f", 64), ("avx2", 32), ("avx", 32), ("sve", 16), ("neon", 16), ("sse2", 16))
# What a thread that waits in a loop tells the processor (an intrinsic, the types it takes and what
# it is given), by the first part of the target triple.
_PAUSES = {
    "x86_64": ("@llvm.x86.sse2.pause", "", ""),
    "aarch64": ("@llvm.aarch64.hint", "i32", "i32 1"),
    "arm64": ("@llvm.aarch64.hint", "i32", "i32 1"),
}


@cache
def cpu() -> str:
    """LLVM's name of this processor."""
    return str(llvm.get_host_cpu_name())


@cache
def features() -> dict[str, bool]:
    """The features that LLVM knows of, and whether this processor has them."""
    return dict(llvm.get_host_cpu_features())


def vector_bytes(features: dict[str, bool]) -> int:
    """The bytes of the widest vector register of a processor with these features.

    >>> vector_bytes({"avx2": True, "avx512f": False, "sse2": True})
    32
    """
    return next((size for name, size in _VECTORS if features.get(name)), 16)


def cores() -> int:
    """How many cores this process may run on: what its affinity leaves of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def pause(triple: str) -> tuple[str, str]:
    """What makes waiting in a loop cheaper: a declaration and an instruction, empty if unknown.

    >>> pause("x86_64-unknown-linux-gnu")
    ('declare void @llvm.x86.sse2.pause()', 'call void @llvm.x86.sse2.pause()')
    """
    found = _PAUSES.get(triple.partition("-")[0])
    if found is None:
        return "", ""
    name, types, given = found
    return f"declare void {name}({types})", f"call void {name}({given})"
