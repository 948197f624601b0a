"""Processors: for which one code is made, how wide its vectors are, and how LLVM is told.

A `Target` is all that the writers of LLVM text need to know of a processor: they take the width of
its vectors and the number of its registers from here, and nothing from its name. The host's is
asked of LLVM; a few others are known by name, so that tests can look at code for processors that
are not at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from staticgraph import config
from staticgraph.errors import CompilerError

llvm = config.LazyModule("llvmlite.binding")

# Vectors of 64 bytes are used only where everything that is emitted for them is one instruction:
# bytes and words need BW, 64-bit integers DQ, masks of shorter vectors VL.
_WIDE = ("avx512f", "avx512bw", "avx512dq", "avx512vl")
_ARM = ("aarch64", "arm64")
LEVELS = (0, 1, 2)
# The large one where there is a choice: it is right however far from code its data and the
# functions of others are, and as fast.
CODE_MODEL = "jitdefault"


@dataclass(frozen=True)
class Target:
    """A processor.

    triple        architecture, vendor and system, as LLVM names them
    cpu           LLVM's name of the processor
    features      what it can and cannot do, as LLVM takes it: ``+avx2,-avx512f``
    vector_bytes  the width of its vector registers
    registers     how many vector registers it has
    fused         whether a fused multiply-add is one instruction
    """

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    registers: int
    fused: bool

    @property
    def architecture(self) -> str:
        """The first part of the triple.

        >>> target_of("x86_64-unknown-linux-gnu", "haswell", {"avx2": True}).architecture
        'x86_64'
        """
        return self.triple.partition("-")[0]


def target_of(triple: str, cpu: str, features: Mapping[str, bool]) -> Target:
    """The target with these features; vectors are as wide as they allow.

    >>> target_of("x86_64-unknown-linux-gnu", "haswell", {"avx2": True, "fma": True}).vector_bytes
    32
    """
    listed = ",".join(f"{'+' if features[name] else '-'}{name}" for name in sorted(features))
    if triple.startswith(_ARM):
        return Target(triple, cpu, listed, 16, 32, True)
    fused = features.get("fma", False)
    if all(features.get(name, False) for name in _WIDE) and features.get("evex512", True):
        return Target(triple, cpu, listed, 64, 32, fused)
    width = 32 if features.get("avx2", False) else 16
    return Target(triple, cpu, listed, width, 16, fused)


# Processors that code is made for in place of the one at hand; see `assumed`.
_assumed: list[Target] = []


def host() -> Target:
    """The processor that this process runs on, or the one that is assumed."""
    return _assumed[-1] if _assumed else _found()


@contextmanager
def assumed(target: Target) -> Iterator[None]:
    """Code is made for `target` while this lasts, in all threads; it must run on this processor.

    For tests of narrower vectors: a processor that can do more runs the code as well.
    """
    _assumed.append(target)
    try:
        yield
    finally:
        _assumed.remove(target)


@cache
def _found() -> Target:
    return target_of(
        llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features()
    )


_LINUX = "x86_64-unknown-linux-gnu"
_AVX2 = {"avx": True, "avx2": True, "fma": True}
_NAMED = {
    "x86-64": (_LINUX, "x86-64", {}),
    "haswell": (_LINUX, "haswell", _AVX2),
    "skylake-avx512": (_LINUX, "skylake-avx512", _AVX2 | dict.fromkeys(_WIDE, True)),
    "znver4": (_LINUX, "znver4", _AVX2 | dict.fromkeys(_WIDE, True)),
    "neoverse-n1": ("aarch64-unknown-linux-gnu", "neoverse-n1", {"neon": True}),
    "apple-m1": ("arm64-apple-macosx", "apple-m1", {"neon": True}),
}


def names() -> tuple[str, ...]:
    """The processors that `named` knows."""
    return tuple(_NAMED)


def named(name: str) -> Target:
    """A processor by LLVM's name for it.

    >>> named("haswell").vector_bytes, named("neoverse-n1").registers
    (32, 32)
    """
    if name not in _NAMED:
        raise CompilerError(f"no target is called {name!r}\n  known: {', '.join(_NAMED)}")
    return target_of(*_NAMED[name])


@cache
def _initialize_native() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@cache
def _initialize_all() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


def machine(target: Target, level: int) -> Any:
    """LLVM's code generator for a target, at one of its `LEVELS` of effort.

    Each call makes another one: an engine takes possession of the machine that it is given, and
    whoever used that machine afterwards would read freed memory.
    """
    if level not in LEVELS:
        raise CompilerError(f"there is no level {level!r} of code generation; it is 0 to 2")
    return _machine(target, level, target.cpu, target.features)


def loader(target: Target) -> Any:
    """The machine of an engine that only loads; it need not know what the processor can do."""
    return _machine(target, 0, "", "")


def _machine(target: Target, level: int, cpu: str, features: str) -> Any:
    if target == _found():
        _initialize_native()
    else:
        _initialize_all()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=cpu, features=features, opt=level, codemodel=CODE_MODEL, jit=True
    )
