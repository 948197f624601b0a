"""Processors: the one at hand, and others by name."""

from __future__ import annotations

import pytest

import staticgraph as sg
from staticgraph.backends.native import jit, targets

# A fused multiply-add of a vector of 64 bytes, by the widths of the processors.
TEXT = """
declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)
define void @f(ptr %p) {
  %x = load <16 x float>, ptr %p, align 4
  %y = call <16 x float> @llvm.fma.v16f32(<16 x float> %x, <16 x float> %x, <16 x float> %x)
  store <16 x float> %y, ptr %p, align 4
  ret void
}
"""
EXPECTED = {
    # bytes, registers, fused multiply-add, what the assembly names, and how often
    "x86-64": (16, 16, False, "movabsq\t$fmaf", 1),
    "haswell": (32, 16, True, "vfmadd", 2),
    "skylake-avx512": (64, 32, True, "vfmadd", 1),
    "znver4": (64, 32, True, "vfmadd", 1),
    "neoverse-n1": (16, 32, True, "fmla", 4),
    "apple-m1": (16, 32, True, "fmla", 4),
}


@pytest.mark.parametrize("name", targets.names())
def test_a_named_processor_is_what_llvm_makes_code_for(name: str) -> None:
    target = targets.named(name)
    width, registers, fused, instruction, number = EXPECTED[name]
    assert (target.vector_bytes, target.registers, target.fused) == (width, registers, fused)
    lines = jit.assembly(TEXT, 2, target).splitlines()
    assert sum(instruction in line for line in lines) == number
    wanted = () if fused else ("fmaf",)
    assert jit.emit(TEXT, 2, target).wanted == wanted


def test_the_host() -> None:
    host = targets.host()
    assert host.vector_bytes in (16, 32, 64)
    assert host.registers in (16, 32)
    assert targets.host() is host
    assert jit.assembly(TEXT, 0) == jit.assembly(TEXT, 0, host)


def test_wide_vectors_need_all_that_is_emitted_for_them() -> None:
    wide = dict.fromkeys(("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx2", "fma"), True)
    triple = "x86_64-unknown-linux-gnu"
    assert targets.target_of(triple, "", wide).vector_bytes == 64
    for missing in ("avx512f", "avx512bw", "avx512dq", "avx512vl", "evex512"):
        narrow = targets.target_of(triple, "", wide | {missing: False})
        assert (narrow.vector_bytes, narrow.registers) == (32, 16)
    assert targets.target_of(triple, "", {}).vector_bytes == 16
    # Where LLVM says nothing of its features, every 64-bit ARM has these.
    assert targets.target_of("aarch64-unknown-linux-gnu", "", {}).fused


def test_unknown_names() -> None:
    with pytest.raises(sg.CompilerError) as info:
        targets.named("6502")
    assert str(info.value) == (
        "no target is called '6502'\n"
        "  known: x86-64, haswell, skylake-avx512, znver4, neoverse-n1, apple-m1"
    )
