"""Kernels that are written loop by loop, where a nest cannot say what they do.

Such a kernel is ``void @kernel(ptr args, i64 lo, i64 hi)`` like any other, and equal ones are
compiled once. Whatever its loops depend on, sizes and strides of the run, comes through `args`, so
the code is as long for large arrays as for small ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from staticgraph.backends.native.ir import memory_type, vector
from staticgraph.backends.native.kernels.base import Kernel, add_kernel
from staticgraph.backends.native.program import CHUNK_WORK, Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import Size
from staticgraph.core.dtypes import DType


class KernelCode(Kernel):
    """One kernel while it is written, and the call of it."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.module)
        self.program = program
        self.scalar = program.scalars.builder(self.code, 1)

    def loop(self, begin: str, end: str, body: Callable[[str], None], step: int = 1) -> None:
        """A loop whose counter goes from `begin` by `step` while it is below `end`."""
        self.code.loop(begin, end, body, step)

    def vectors(
        self, begin: str, end: str, lanes: int, body: Callable[[str, Scalars], None]
    ) -> None:
        """A loop over [begin, end) in vectors of `lanes`, then one by one over what is left."""
        middle = begin
        if lanes > 1:
            code = self.code
            whole = code.let(f"sub i64 {end}, {begin}")
            whole = code.let(f"and i64 {whole}, {-lanes}")
            middle = code.let(f"add i64 {begin}, {whole}")
            builder = self.program.scalars.builder(code, lanes)
            self.loop(begin, middle, lambda index: body(index, builder), lanes)
        self.loop(middle, end, lambda index: body(index, self.scalar))

    def when(self, condition: str, body: Callable[[], None]) -> None:
        """Does what `body` writes where the i1 `condition` holds."""
        inside, after = self.code.label(), self.code.label()
        self.code.branch(condition, inside, after)
        self.code.begin(inside)
        body()
        self.code.jump(after)
        self.code.begin(after)

    def load(self, dtype: DType, pointer: str, lanes: int = 1) -> Register:
        """`lanes` elements in order."""
        type = vector(memory_type(dtype), lanes)
        text = self.code.let(f"load {type}, ptr {pointer}, align {dtype.alignment}")
        return self.loaded(text, dtype, lanes)

    def store(self, register: Register, pointer: str, lanes: int = 1) -> None:
        """Writes `lanes` elements in order."""
        dtype, text = register.dtype, self.stored(register, lanes)
        type = vector(memory_type(dtype), lanes)
        self.code.do(f"store {type} {text}, ptr {pointer}, align {dtype.alignment}")

    def call(self, count: str, grain: str | None) -> None:
        """Ends the kernel and calls it for [0, count), in chunks of `grain` or in one go."""
        self.code.do("ret void")
        program = self.program
        name = add_kernel(program.module, self.code.text(), 1)
        program.kernels.append(name)
        nodes = () if program.notes.node is None else (program.notes.node,)
        program.notes.kernel(name, nodes, (program.size(count),), grain)
        program.call(name, self.arguments, count, grain)


# -- what kernels are planned with ----------------------------------------------------------------


class Axis(NamedTuple):
    """A loop: its length, and the stride of every array that it walks."""

    dim: Size
    strides: tuple[Size, ...]


def joined_axes(axes: Sequence[Axis]) -> list[Axis]:
    """Neighbouring axes that every array walks as one, as one."""
    joined: list[Axis] = []
    for axis in axes:
        if joined and all(
            above == stride.times(axis.dim)
            for above, stride in zip(joined[-1].strides, axis.strides, strict=True)
        ):
            joined[-1] = Axis(joined[-1].dim.times(axis.dim), axis.strides)
        else:
            joined.append(axis)
    return joined


def fitting_lanes(program: Program, dim: Size, dtype: DType) -> int:
    """How many elements of an axis are taken at once."""
    lanes = 2 * program.options.vector_bytes // dtype.itemsize
    while dim.known is not None and lanes > max(dim.known, 1):
        lanes //= 2
    return lanes


def grain_of(program: Program, others: Size, step: int) -> str:
    """How much of an axis is a chunk, where each entry of it is work for `others`."""
    if others.known is not None:
        return str(step * max(CHUNK_WORK // (step * max(others.known, 1)), 1))
    work = program.arithmetic("mul", larger(program, program.text(others), "1"), str(step))
    parts = larger(program, program.code.let(f"sdiv i64 {CHUNK_WORK}, {work}"), "1")
    return program.arithmetic("mul", parts, str(step))


def smaller(program: Program, lhs: str, rhs: str) -> str:
    """The smaller one of two i64."""
    if not lhs.startswith("%") and not rhs.startswith("%"):
        return str(min(int(lhs), int(rhs)))
    return program.code.intrinsic("smin.i64", "i64", [("i64", lhs), ("i64", rhs)])


def larger(program: Program, lhs: str, rhs: str) -> str:
    """The larger one of two i64."""
    if not lhs.startswith("%") and not rhs.startswith("%"):
        return str(max(int(lhs), int(rhs)))
    return program.code.intrinsic("smax.i64", "i64", [("i64", lhs), ("i64", rhs)])
