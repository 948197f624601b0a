"""What kernels become: whole vectors of the machine, fused multiply-adds, nothing spilled in loops.

The assembly of the parts of real modules, each at the effort that it is compiled with, for
processors that need not be at hand. Patterns are of those instructions that speed is made of, and
loose enough for every version of LLVM.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

import staticgraph as sg
from staticgraph.backends.native import jit, targets
from staticgraph.backends.native.compiler import Compilation
from staticgraph.backends.native.program import Options

# Per processor the register that is a whole vector, and how many there are.
WHOLE = {"znver4": "%zmm", "haswell": "%ymm"}
PROCESSORS = pytest.mark.parametrize("cpu", WHOLE)

_LABEL = re.compile(r"([\w.]+):")


@dataclass
class Assembly:
    """The functions of a module as lines of instructions, per function block by block."""

    functions: dict[str, list[list[str]]]

    def lines(self, prefix: str) -> list[str]:
        """The instructions of the only function whose name begins so."""
        return [line for block in self.blocks(prefix) for line in block]

    def blocks(self, prefix: str) -> list[list[str]]:
        """The basic blocks of that function."""
        (name,) = [name for name in self.functions if name.startswith(prefix)]
        return self.functions[name]


def assembly(fetches: sg.Tensor, cpu: str, contract: bool = False) -> Assembly:
    """What the program of `fetches` becomes on a processor."""
    target = targets.named(cpu)
    options = Options(
        vector_bytes=target.vector_bytes,
        registers=target.registers,
        fused=target.fused,
        contract=contract,
    )
    functions: dict[str, list[list[str]]] = {}
    for part in Compilation(sg.optimize(fetches), options).program.module.parts():
        blocks: list[list[str]] = []
        for line in jit.assembly(part.text, part.level, target).splitlines():
            label = _LABEL.match(line)
            if label is not None:
                blocks = blocks if label[1].startswith(".") else []
                blocks.append([])
                if not label[1].startswith("."):
                    functions[label[1]] = blocks
            elif blocks and re.match(r"\s+[a-z]", line):
                blocks[-1].append(line.strip())
    return Assembly(functions)


def calls(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("call")]


def named(lines: list[str], name: str, register: str = "") -> list[str]:
    """The instructions whose names begin so, and that work on such a register."""
    return [line for line in lines if line.startswith(name) and register in line]


@PROCESSORS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_elementwise_kernel_is_whole_vectors(cpu: str, dtype: str) -> None:
    x = sg.placeholder(dtype, ("n",), name="x")
    lines = assembly(sg.tanh(2.0 * x + 1.0) * sg.exp(-x * x), cpu).lines("kernel_")
    assert calls(lines) == []
    fused = named(lines, "vfmadd")
    # Two exponentials of a polynomial each, for whole vectors and for what is left over.
    assert len(fused) >= 4 * (6 if dtype == "float32" else 11)
    assert [line for line in fused if WHOLE[cpu] not in line] == []
    packed, single = ("ps", "ss") if dtype == "float32" else ("pd", "sd")
    assert named(lines, f"vmul{packed}", WHOLE[cpu])
    assert not named(lines, f"vmul{single}")


@PROCESSORS
def test_an_elementwise_kernel_of_known_size_is_whole_vectors(cpu: str) -> None:
    x = sg.placeholder("float32", (1_000_000,), name="x")
    lines = assembly(x * x - 3.0, cpu).lines("kernel_")
    width = 16 if cpu == "znver4" else 8
    assert 1_000_000 % (4 * width) == 0
    assert named(lines, "vsubps", WHOLE[cpu]) or named(lines, "vaddps", WHOLE[cpu])
    assert named(lines, "vmulps", WHOLE[cpu])


@PROCESSORS
def test_a_multiply_and_an_add_round_once_only_where_they_may(cpu: str) -> None:
    x = sg.placeholder("float32", ("n",), name="x")
    y = sg.placeholder("float32", ("n",), name="y")
    strict = assembly(x * y + 3.0, cpu).lines("kernel_")
    assert not named(strict, "vfm")
    assert named(strict, "vmulps", WHOLE[cpu]) and named(strict, "vaddps", WHOLE[cpu])
    contracted = assembly(x * y + 3.0, cpu, contract=True).lines("kernel_")
    assert named(contracted, "vfmadd", WHOLE[cpu])
    assert not named(contracted, "vmulps")


@PROCESSORS
def test_a_sum_adds_vectors_side_by_side(cpu: str) -> None:
    x = sg.placeholder("float32", (1 << 20,), name="x")
    found = assembly(sg.sum(x), cpu)
    names = [name for name in found.functions if name.startswith("kernel_")]
    blocks = [block for name in names for block in found.functions[name]]
    added = [named(block, "vaddps", WHOLE[cpu]) for block in blocks]
    loops = [block for block, adds in zip(blocks, added, strict=True) if len(adds) >= 4]
    # A sum waits for the one before it: four of them at a time hide that.
    assert loops
    targets_of_adds = {line.rsplit(",", 1)[-1] for line in named(loops[0], "vaddps")}
    assert len(targets_of_adds) >= 4


@PROCESSORS
def test_a_softmax_walks_its_rows_in_vectors(cpu: str) -> None:
    x = sg.placeholder("float32", ("n", 1000), name="x")
    found = assembly(sg.nn.softmax(x), cpu)
    kernel = found.lines("kernel_")
    for name in ("vaddps", "vsubps"):
        assert named(kernel, name, WHOLE[cpu]), name
    # The exponential stands in the walk that sums and in the one that divides, or once by itself.
    computing = kernel + [line for name in found.functions if name.startswith("map_exp")
                          for line in found.lines(name)]  # fmt: skip
    assert named(computing, "vfmadd", WHOLE[cpu])
    assert not named(computing, "vmulss")


@PROCESSORS
def test_a_product_keeps_its_sums_in_registers(cpu: str) -> None:
    a = sg.placeholder("float32", ("m", 512), name="a")
    b = sg.placeholder("float32", (512, 256), name="b")
    blocks = assembly(sg.matmul(a, b), cpu).blocks("matmul_tile_")
    hot = max(blocks, key=lambda block: len(named(block, "vfmadd231ps")))
    fused = named(hot, "vfmadd231ps", WHOLE[cpu])
    rows = 8 if cpu == "znver4" else 6
    assert len(fused) >= 2 * rows
    sums = {line.rsplit(",", 1)[-1].split()[0] for line in fused}
    assert len(sums) == 2 * rows
    repeated = [line for line in hot if line.startswith("vbroadcastss") or "{1to" in line]
    assert len(repeated) >= rows
    assert [line for line in hot if re.match(r"vmov\w+\s+%[yz]mm\d+, [^%]*\(%r[sb]p", line)] == []


def test_a_plain_processor_gets_no_wider_vectors() -> None:
    x = sg.placeholder("float32", ("n",), name="x")
    lines = assembly(sg.tanh(x), "x86-64").lines("kernel_")
    assert named(lines, "mulps", "%xmm")
    assert not [line for line in lines if "%ymm" in line or line.startswith("v")]
    assert calls(lines) == []
