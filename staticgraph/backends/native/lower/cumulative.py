"""Lowerings of running sums, running products and linear recurrences.

Elements along the axis are combined one after the other, as NumPy does, so results are the same bit
for bit. Rows are independent: chunks are parts of the other axes. Running sums along elements that
stand side by side are scanned in vectors and blocks instead (scan.py).
"""

from __future__ import annotations

from staticgraph.backends.native.kernels.code import (
    Axis,
    KernelCode,
    fitting_lanes,
    grain_of,
    joined_axes,
)
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.indexing import declared_dims, done
from staticgraph.backends.native.lower.scan import Scan, worth_it
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.node import Node

_MINUS_ONE = Size(-1)


@lowering("cumsum", "cumprod", "linear_recurrence")
def lower_running(program: Program, node: Node) -> None:
    """One kernel: the axis is walked in order, the axes after it in vectors."""
    sources = [program.array(value) for value in node.inputs]
    dims = sources[-1].dims
    for source in sources:
        for have, want in zip(source.dims, dims, strict=True):
            program.require_equal(have, want, node)
    result = program.result(node.out, declared_dims(program, node, dims), node.out.type.dtype)
    running = _Running(program, node, result, sources)
    scan = running.scan()
    if scan is None:
        running.write()
    else:
        scan.write()
    program.hold(node.out, result)
    done(program, node)


class _Running:
    """The kernel of a running op."""

    def __init__(self, program: Program, node: Node, result: Array, sources: list[Array]) -> None:
        self.program, self.node = program, node
        self.dtype = result.dtype
        self.arrays = [result, *sources]
        self.kernel = KernelCode(program)
        axis = node.attrs["axis"]
        axes = [
            Axis(dim, tuple([array.strides[place] for array in self.arrays]))
            for place, dim in enumerate(result.dims)
        ]
        self.front, self.along = joined_axes(axes[:axis]), axes[axis]
        self.back = joined_axes(axes[axis + 1 :])

    def scan(self) -> Scan | None:
        """The scan that does this, where it is one of real numbers along the last axis."""
        steps = (ONE, ONE)
        if self.node.op.name != "cumsum" or self.back or self.along.strides != steps:
            return None
        if len(self.front) > 1 or not worth_it(self.along.dim) or self.dtype in dtypes.COMPLEX:
            return None
        rows = self.front[0] if self.front else Axis(ONE, (ZERO, ZERO))
        result, source = self.arrays
        return Scan(self.program, result, source, rows, self.node.attrs["reverse"])

    def write(self) -> None:
        """Writes the kernel and its call."""
        program, kernel = self.program, self.kernel
        pointers = [kernel.argument(array.pointer, "ptr") for array in self.arrays]
        if self.node.attrs["reverse"]:
            last = kernel.code.let(f"sub i64 {kernel.size(self.along.dim)}, 1")
            pointers = self._moved(pointers, self.along, last)
            strides = tuple([stride.times(_MINUS_ONE) for stride in self.along.strides])
            self.along = Axis(self.along.dim, strides)
        self._fronts(0, pointers)
        if self.front:
            split, step = self.front[0], 1
        elif self.back:
            split, step = self.back[-1], 64
        else:
            kernel.call("1", None)
            return
        others = [axis.dim for axis in (*self.front, self.along, *self.back) if axis is not split]
        grain = grain_of(program, product(others), step)
        kernel.call(program.text(split.dim), grain)

    def _fronts(self, number: int, pointers: list[str]) -> None:
        """The loops over the axes before the one that is walked in order."""
        kernel = self.kernel
        if number == len(self.front):
            if self.back:
                self._side_by_side(pointers)
            else:
                self._alone(pointers)
            return
        axis = self.front[number]
        begin, end = self._bounds(axis, number == 0)
        kernel.loop(begin, end, lambda index: self._fronts(
            number + 1, self._moved(pointers, axis, index)
        ))  # fmt: skip

    def _bounds(self, axis: Axis, chunked: bool) -> tuple[str, str]:
        return ("%lo", "%hi") if chunked else ("0", self.kernel.size(axis.dim))

    def _moved(self, pointers: list[str], axis: Axis, index: str) -> list[str]:
        return [
            self.kernel.offset(pointer, self.dtype, index, stride)
            for pointer, stride in zip(pointers, axis.strides, strict=True)
        ]

    def _combined(self, builder: Scalars, before: Register, operands: list[Register]) -> Register:
        name = self.node.op.name
        if name == "cumsum":
            return builder.add(before, operands[0])
        if name == "cumprod":
            return builder.multiply(before, operands[0])
        factor, x = operands
        return builder.add(x, builder.multiply(factor, before))

    # -- one row ------------------------------------------------------------------------------

    def _alone(self, pointers: list[str]) -> None:
        """A row whose running value stays in a register."""
        kernel, code = self.kernel, self.kernel.code
        size = kernel.size(self.along.dim)

        def row() -> None:
            first = kernel.load(self.dtype, pointers[-1])
            kernel.store(first, pointers[0])
            before, head, inside, after = code.block, code.label(), code.label(), code.label()
            code.jump(head)
            code.begin(head)
            counter, running = code.phi("i64"), code.phi(kernel.scalar.type(self.dtype))
            counter.add("1", before)
            running.add(first.text, before)
            code.branch(code.let(f"icmp slt i64 {counter.name}, {size}"), inside, after)
            code.begin(inside)
            here = self._moved(pointers, self.along, counter.name)
            operands = [kernel.load(self.dtype, pointer) for pointer in here[1:]]
            value = self._combined(kernel.scalar, Register(running.name, self.dtype), operands)
            kernel.store(value, here[0])
            counter.add(code.let(f"add i64 {counter.name}, 1"), inside)
            running.add(value.text, inside)
            code.jump(head)
            code.begin(after)

        kernel.when(code.let(f"icmp sgt i64 {size}, 0"), row)

    # -- rows side by side --------------------------------------------------------------------

    def _side_by_side(self, pointers: list[str]) -> None:
        """Rows that lie next to each other: each step is a loop over the axes after the axis."""
        kernel = self.kernel
        size = kernel.size(self.along.dim)

        def first() -> None:
            self._backs(0, pointers, None)

        kernel.when(kernel.code.let(f"icmp sgt i64 {size}, 0"), first)

        def step(index: str) -> None:
            here = self._moved(pointers, self.along, index)
            previous = kernel.code.let(f"sub i64 {index}, 1")
            self._backs(0, here, self._moved(pointers, self.along, previous)[0])

        kernel.loop("1", size, step)

    def _backs(self, number: int, pointers: list[str], previous: str | None) -> None:
        kernel, axis = self.kernel, self.back[number]
        last = number == len(self.back) - 1
        begin, end = self._bounds(axis, last and not self.front)
        dtype, stride = self.dtype, axis.strides[0]

        def inner(index: str, builder: Scalars) -> None:
            here = self._moved(pointers, axis, index)
            before = None if previous is None else kernel.offset(previous, dtype, index, stride)
            self._element(here, before, builder)

        def outer(index: str) -> None:
            here = self._moved(pointers, axis, index)
            before = None if previous is None else kernel.offset(previous, dtype, index, stride)
            self._backs(number + 1, here, before)

        if not last:
            kernel.loop(begin, end, outer)
            return
        lanes = 1
        if all(stride == ONE for stride in axis.strides):
            lanes = fitting_lanes(self.program, axis.dim, dtype)
        kernel.vectors(begin, end, lanes, inner)

    def _element(self, pointers: list[str], previous: str | None, builder: Scalars) -> None:
        kernel, lanes = self.kernel, builder.lanes
        if previous is None:
            kernel.store(kernel.load(self.dtype, pointers[-1], lanes), pointers[0], lanes)
            return
        before = kernel.load(self.dtype, previous, lanes)
        operands = [kernel.load(self.dtype, pointer, lanes) for pointer in pointers[1:]]
        kernel.store(self._combined(builder, before, operands), pointers[0], lanes)
