"""The lowerings of the discrete Fourier transforms.

A kernel goes over units, each a sequence or some columns of sequences that lie side by side
(fourier/unit.py). Of short sequences a unit is several, which are brought side by side, since one
has too few neighbours for vectors. A long sequence is taken apart, so that its parts are units
(fourier/long.py); of a length that only the run knows, the run decides whether it is long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from staticgraph.backends.native.fourier.code import roots_of_unity
from staticgraph.backends.native.fourier.long import Long, rows_of, rows_of_the_run
from staticgraph.backends.native.fourier.rooms import over_units
from staticgraph.backends.native.fourier.tables import (
    Transform,
    Whole,
    complex_lanes,
    length_of_the_run,
    run_table,
    scale_of,
    transform_of,
    transform_of_the_run,
)
from staticgraph.backends.native.fourier.unit import Plan, Room, Unit
from staticgraph.backends.native.fourier.walk import Side, turn_over
from staticgraph.backends.native.kernels.code import KernelCode, larger, smaller
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.basic import contiguous, require_elements
from staticgraph.backends.native.lower.indexing import declared_dims, done
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.node import Node

# A room for columns has about this many bytes, but holds a cache line of every row at least.
_ROOM_BYTES = 1 << 15
_LINE_BYTES = 64
# Sequences whose stages are no vectors at first are transformed side by side up to this length.
_LONGEST_SHORT = 256


@lowering("fft")
def lower_fft(program: Program, node: Node) -> None:
    """Complex numbers."""
    _lower(program, node, program.dims(node.inputs[0])[node.attrs["axis"]])


@lowering("rfft")
def lower_rfft(program: Program, node: Node) -> None:
    """From real numbers to half of the frequencies."""
    _lower(program, node, program.dims(node.inputs[0])[node.attrs["axis"]])


@lowering("irfft")
def lower_irfft(program: Program, node: Node) -> None:
    """From half of the frequencies to real numbers."""
    if node.attrs["n"] is not None:
        n = Size(node.attrs["n"])
    else:
        n = program.size(program.scalar(node.inputs[1]).text)
        if n.known is None:
            few = program.code.let(f"icmp slt i64 {program.text(n)}, 1")
            program.fail_if(few, node)
    have = program.dims(node.inputs[0])[node.attrs["axis"]]
    program.require_equal(have, half_of(program, n), node)
    _lower(program, node, n)


def half_of(program: Program, n: Size) -> Size:
    """How many frequencies n real numbers have."""
    if n.known is not None:
        return Size(n.known // 2 + 1)
    half = program.code.let(f"lshr i64 {program.text(n)}, 1")
    return program.size(program.arithmetic("add", half, "1"))


def _lower(program: Program, node: Node, n: Size) -> None:
    given, axis = program.array(node.inputs[0]), node.attrs["axis"]
    source = contiguous(program, given, node)
    require_elements(program, node, [n])
    dims = list(source.dims)
    dims[axis] = half_of(program, n) if node.op.name == "rfft" else n
    shape = declared_dims(program, node, dims)
    result = program.result(node.out, shape, node.out.type.dtype)
    if ZERO not in shape:
        _transform(program, node, n, source, result)
    if source is not given:
        program.free(source.buffer)
    program.hold(node.out, result)
    done(program, node)


def _transform(program: Program, node: Node, n: Size, source: Array, result: Array) -> None:
    axis, kind = node.attrs["axis"], node.op.name
    dtype, inner = dtypes.to_complex(source.dtype), product(source.dims[axis + 1 :])
    inverse = bool(node.attrs.get("inverse", kind == "irfft"))
    even, count = (False, n) if kind == "fft" else _taken(program, n)
    turns = None if even is False else _turns(program, n, inverse, dtype)
    scale = scale_of(program, n, node.attrs["divisor"], dtypes.part_of(dtype))
    plan = Plan(program, kind, n, inner, dtype, inverse, even, count, turns, scale)
    rows = product(source.dims[:axis])
    if count.known is not None:
        apart = rows_of(count.known, dtype) if inner == ONE and (even or kind == "fft") else 0
        if apart:
            Long(plan, node, Size(apart), rows).write(source, result)
        else:
            transform = transform_of(program, count, inverse, dtype)
            units = _Units(plan, node, transform, rows, source, result)
            units.write_rows() if _short(plan, transform, rows) else units.write()
    else:
        _of_the_run(plan, node, rows, source, result)
    if turns is not None:
        program.free(turns.buffer)


def _short(plan: Plan, transform: Transform, rows: Size) -> bool:
    """Whether several rows are transformed side by side, since one has too few vectors."""
    lanes, length = complex_lanes(plan.program, plan.dtype), transform.length.known
    if plan.inner != ONE or transform.stages is None or length is None or lanes == 1:
        return False
    if rows.known is not None and rows.known < 2 * lanes:
        return False
    return 1 < length < 8 * lanes or (length % 8 != 0 and length <= _LONGEST_SHORT)


def _of_the_run(plan: Plan, node: Node, rows: Size, source: Array, result: Array) -> None:
    """The transform of a length that only the run knows."""
    program, count = plan.program, plan.count
    length = length_of_the_run(program, count)
    direct = ONE
    if plan.inner == ONE:
        apart, long, direct = rows_of_the_run(plan, length)
        Long(plan, node, apart, rows.times(long), long).write(source, result)
    transform = transform_of_the_run(program, count, length, plan.inverse, plan.dtype, direct)
    _Units(plan, node, transform, rows.times(direct), source, result).write()


def _taken(program: Program, n: Size) -> tuple[bool | str, Size]:
    """Whether n real numbers are taken by twos, and how many complex numbers that makes."""
    if n.known is not None:
        return (False, n) if n.known % 2 else (True, Size(n.known // 2))
    code = program.code
    even = code.let(f"xor i1 {code.let(f'trunc i64 {program.text(n)} to i1')}, true")
    shift = code.let(f"zext i1 {even} to i64")
    return even, program.size(code.let(f"lshr i64 {program.text(n)}, {shift}"))


def _turns(program: Program, n: Size, inverse: bool, dtype: DType) -> Array:
    """What joins even and odd elements: see `Plan`."""
    if n.known is not None:
        numerators = 4 * np.arange(n.known // 4 + 1, dtype=np.int64) + n.known
        return program.constant(roots_of_unity(4 * n.known, inverse, dtype, numerators))
    quarter = program.code.let(f"lshr i64 {program.text(n)}, 2")
    count = program.size(program.arithmetic("add", quarter, "1"))

    def numerators_of(s: Scalars, k: Register, whole: Whole) -> Register:
        return s.add(s.multiply(k, s.constant(4, dtypes.int64)), whole(n))

    return run_table(program, count, Size(4).times(n), numerators_of, inverse, dtype)


@dataclass
class _Units:
    """The kernel of a transform that is not taken apart."""

    plan: Plan
    node: Node
    transform: Transform
    rows: Size
    source: Array
    result: Array

    def write(self) -> None:
        """Writes the kernel and its call, and gives back what the run made for it."""
        program, columns = self.plan.program, self._columns()
        blocks = ONE if columns == self.plan.inner else program.chunks(
            self.plan.inner, program.text(columns)
        )  # fmt: skip
        places = self.transform.length.times(columns)

        def unit(kernel: KernelCode, number: str, room: str) -> None:
            second = kernel.offset(room, self.plan.dtype, kernel.size(places))
            self._unit(kernel, number, Room(room, second), columns, blocks)

        over_units(
            program,
            self.node,
            self.rows.times(blocks),
            places.times(Size(2)),
            self.plan.dtype,
            unit,
        )
        self.transform.free(program)

    def write_rows(self) -> None:
        """Writes a kernel whose units are rows, which become columns and then rows again."""
        program, plan = self.plan.program, self.plan
        lanes = complex_lanes(program, plan.dtype)
        blocks = program.chunks(self.rows, str(lanes))
        # A place for every step: there may be a frequency more than elements.
        places = Size((self.transform.length.factor + 1) * lanes)

        def unit(kernel: KernelCode, number: str, room: str) -> None:
            code = kernel.code
            first = code.let(f"mul i64 {number}, {lanes}")
            rest = code.let(f"sub i64 {kernel.size(self.rows)}, {first}")
            width = code.intrinsic("smin.i64", "i64", [("i64", rest), ("i64", str(lanes))])
            pointers = [
                kernel.offset(room, plan.dtype, kernel.size(places.times(Size(n))))
                for n in range(4)
            ]
            rows, columns, counts = [], [], []
            for array, pointer in zip((self.source, self.result), pointers, strict=False):
                count = kernel.size(array.dims[-1])
                begin = code.let(f"mul i64 {first}, {count}")
                place = kernel.offset(kernel.argument(array.pointer, "ptr"), array.dtype, begin)
                rows.append(Side(place, array.dtype, count))
                columns.append(Side(pointer, array.dtype, width))
                counts.append(count)
            walk = plan.walk(kernel, width)
            turn_over(walk, rows[0], columns[0], counts[0], lanes)
            Unit(
                plan, self.transform, kernel, width, Room(pointers[2], pointers[3]), columns[0],
                columns[1], whole=True,
            ).write()  # fmt: skip
            turn_over(walk, columns[1], rows[1], counts[1], lanes, back=True)

        over_units(program, self.node, blocks, places.times(Size(4)), plan.dtype, unit)

    def _columns(self) -> Size:
        """How many of the sequences that lie side by side make a unit."""
        inner, length, program = self.plan.inner, self.transform.length, self.plan.program
        if inner == ONE:
            return ONE
        itemsize = self.plan.dtype.itemsize
        line = _LINE_BYTES // itemsize
        if length.known is None:
            size = program.text(length.times(Size(itemsize)))
            fit = program.code.let(f"sdiv i64 {_ROOM_BYTES}, {size}")
            most = larger(program, program.code.let(f"and i64 {fit}, {-line}"), str(line))
            return self._some_columns(most)
        if inner.known is not None and inner.known * length.known * itemsize <= 2 * _ROOM_BYTES:
            return inner
        known = max(_ROOM_BYTES // (length.known * itemsize) & -line, line)
        return self._some_columns(str(known))

    def _some_columns(self, most: str) -> Size:
        """Of what the run has beside each other; one of nothing, for blocks are counted by it."""
        program = self.plan.program
        several = smaller(program, program.text(self.plan.inner), most)
        return program.size(larger(program, several, "1"))

    def _unit(self, kernel: KernelCode, unit: str, room: Room, columns: Size, blocks: Size) -> None:
        code, inner = kernel.code, kernel.size(self.plan.inner)
        row, column, width = unit, "0", kernel.size(columns)
        if blocks != ONE:
            row = code.let(f"udiv i64 {unit}, {kernel.size(blocks)}")
            block = code.let(f"urem i64 {unit}, {kernel.size(blocks)}")
            column = code.let(f"mul i64 {block}, {width}")
            rest = code.let(f"sub i64 {inner}, {column}")
            width = code.intrinsic("smin.i64", "i64", [("i64", rest), ("i64", width)])
        sides, axis = [], self.node.attrs["axis"]
        for array in (self.source, self.result):
            whole = kernel.size(array.dims[axis].times(self.plan.inner))
            begin = code.let(f"add i64 {code.let(f'mul i64 {row}, {whole}')}, {column}")
            place = kernel.offset(kernel.argument(array.pointer, "ptr"), array.dtype, begin)
            sides.append(Side(place, array.dtype, "1" if self.plan.inner == ONE else inner))
        several = None if self.plan.inner == ONE else width
        Unit(
            self.plan, self.transform, kernel, several, room, sides[0], sides[1],
            whole=blocks == ONE,
        ).write()  # fmt: skip
