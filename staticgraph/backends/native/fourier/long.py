"""Long transforms, taken apart so that several threads share them and caches hold the parts.

A sequence of n = n1 n2 elements is a matrix of n1 rows (W. M. Gentleman and G. Sande, 1966): its
columns are transformed, element k1 of column j2 is multiplied with ``exp(-2 pi i j2 k1 / n)``, then
rows are transformed, and element k2 of row k1 is number ``k1 + n1 k2`` of the result. Both times a
unit is as many columns, or rows, as fill two cache lines. So memory is walked twice, where the
stages of one transform would walk it for every digit of n.

The turn is a product of two, one that depends on the place in the unit and one on the unit, so that
there are few to store. Real numbers by twos are told apart afterwards in place, or before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from staticgraph.backends.native.fourier.code import roots_of_unity
from staticgraph.backends.native.fourier.rooms import over_units
from staticgraph.backends.native.fourier.tables import (
    Whole,
    complex_lanes,
    plain_transform,
    run_table,
)
from staticgraph.backends.native.fourier.unit import Join, Plan
from staticgraph.backends.native.fourier.walk import Place, Side, times, turn_over
from staticgraph.backends.native.ir import Code, Module, element_type, literal
from staticgraph.backends.native.kernels.code import KernelCode, grain_of, larger
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE, Size
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.node import Node

# Shorter sequences fit into the cache of a core.
_LONG_BYTES = 1 << 19
# A matrix of fewer rows is no help.
_FEWEST_ROWS = 64
# What a unit reads of a row: two cache lines, which processors fetch together.
_BYTES_BESIDE = 128
# Pairs of frequencies that are joined in one go, and operations that one takes.
_PAIRS = 4096
_PAIR_WORK = 16


def rows_of(n: int, dtype: DType) -> int:
    """How many rows the matrix of a sequence has; 0 for a sequence that is not taken apart."""
    if n * dtype.itemsize < _LONG_BYTES:
        return 0
    rows = next(count for count in range(math.isqrt(n), 0, -1) if n % count == 0)
    return rows if rows >= _FEWEST_ROWS else 0


def rows_of_the_run(plan: Plan, length: Size) -> tuple[Size, Size, Size]:
    """The number of rows, 1 at least; how many sequences of one are taken apart, how many not."""
    program, code = plan.program, plan.program.code
    count = program.text(plan.count)
    least = _LONG_BYTES // plan.dtype.itemsize
    callee = code.callee(_rows_function(program.module))
    rows = code.let(f"call i64 {callee}(i64 {count}, i64 {least})")
    apart = code.let(f"icmp sgt i64 {rows}, 0")
    plain = code.let(f"icmp eq i64 {program.text(length)}, {count}")
    apart = code.let(f"and i1 {apart}, {plain}")
    if isinstance(plan.even, str):
        apart = code.let(f"and i1 {apart}, {plan.even}")
    long = program.size(code.let(f"zext i1 {apart} to i64"))
    direct = program.size(code.let(f"select i1 {apart}, i64 0, i64 1"))
    return program.size(larger(program, rows, "1")), long, direct


def _rows_function(module: Module) -> str:
    """``i64 @fft_rows(i64 n, i64 least)``: `rows_of` in the run."""
    name = "fft_rows"
    if not module.has_function(name):
        code = Code(module, name, "i64", ("i64 %n", "i64 %least"))
        short, start, head, look, further, found = [code.label() for _ in range(6)]
        code.branch(code.let("icmp slt i64 %n, %least"), short, start)
        code.begin(start)
        number = code.let("sitofp i64 %n to double")
        root = code.intrinsic("sqrt.f64", "double", [("double", number)])
        most = code.let(f"fptosi double {root} to i64")
        code.jump(head)
        code.begin(head)
        rows = code.phi("i64")
        rows.add(most, start)
        code.branch(code.let(f"icmp slt i64 {rows.name}, {_FEWEST_ROWS}"), short, look)
        code.begin(look)
        rest = code.let(f"urem i64 %n, {rows.name}")
        code.branch(code.let(f"icmp eq i64 {rest}, 0"), found, further)
        code.begin(further)
        rows.add(code.let(f"sub i64 {rows.name}, 1"), further)
        code.jump(head)
        code.begin(found)
        code.do(f"ret i64 {rows.name}")
        code.begin(short)
        code.do("ret i64 0")
        code.finish()
    return name


class Long:
    """The kernels of a transform of long sequences, each on its own, while they are written.

    high    the number of rows of the matrix, `wide` the number of columns
    rows    the number of sequences; in the run perhaps 0, as `some` then is
    """

    def __init__(self, plan: Plan, node: Node, high: Size, rows: Size, some: Size = ONE) -> None:
        program = plan.program
        self.plan, self.node, self.program, self.rows = plan, node, program, rows
        self.high = high
        if high.known is not None and plan.count.known is not None:
            self.wide = Size(plan.count.known // high.known)
        else:
            self.wide = program.size(
                program.code.let(f"sdiv i64 {program.text(plan.count)}, {program.text(high)}")
            )
        self.lanes = complex_lanes(program, plan.dtype)
        self.columns = max(_BYTES_BESIDE // plan.dtype.itemsize, self.lanes)
        self.along = [
            plain_transform(program, size, plan.inverse, plan.dtype, some)
            for size in (self.high, self.wide)
        ]
        self.near, self.far = self._turns(some)

    def _turns(self, some: Size) -> tuple[Array, Array]:
        """The turns of the first unit, and by how much those of a unit are turned further."""
        plan, high, columns = self.plan, self.high, self.columns
        blocks = self._blocks(self.wide)
        if high.known is not None and blocks.known is not None and plan.count.known is not None:
            rows = np.arange(high.known, dtype=np.int64)
            near = np.outer(rows, np.arange(columns)).reshape(-1)
            far = np.outer(np.arange(blocks.known) * columns, rows).reshape(-1)
            tables = [
                roots_of_unity(plan.count.known, plan.inverse, plan.dtype, numerators)
                for numerators in (near, far)
            ]
            first, second = map(self.program.constant, tables)
            return first, second

        def nearby(s: Scalars, k: Register, whole: Whole) -> Register:
            count = s.constant(columns, dtypes.int64)
            return s.multiply(s.floor_divide(k, count), s.remainder(k, count))

        def further(s: Scalars, k: Register, whole: Whole) -> Register:
            step = s.multiply(s.floor_divide(k, whole(high)), s.constant(columns, dtypes.int64))
            return s.multiply(step, s.remainder(k, whole(high)))

        counts = (some.times(high).times(Size(columns)), some.times(high).times(blocks))
        one, other = [
            run_table(self.program, count, plan.count, rule, plan.inverse, plan.dtype)
            for count, rule in zip(counts, (nearby, further), strict=True)
        ]
        return one, other

    def _blocks(self, count: Size) -> Size:
        return self.program.chunks(count, str(self.columns))

    def write(self, source: Array, result: Array) -> None:
        """Writes the kernels and their calls, and gives back what the run made for them."""
        program, plan, count = self.program, self.plan, self.plan.count
        middle = program.allocate((self.rows.times(count),), plan.dtype)
        more = program.size(program.arithmetic("add", program.text(count), "1"))
        if plan.kind == "rfft":
            part = plan.part
            half = program.code.let(f"fmul {element_type(part)} {plan.scale}, {literal(0.5, part)}")
            self._over_columns(source.pointer, middle.pointer)
            self._over_rows(middle.pointer, result.pointer, more, half)
            self._join(result.pointer, more, result.pointer, more)
        else:
            given = source.pointer
            if plan.kind == "irfft":
                given = result.pointer
                self._join(source.pointer, more, given, count)
            self._over_columns(given, middle.pointer)
            self._over_rows(middle.pointer, result.pointer, count, plan.scale)
        for array in (middle, self.near, self.far):
            program.free(array.buffer)
        for transform in self.along:
            transform.free(program)

    # -- the two passes ---------------------------------------------------------------------------

    def _over(self, count: Size, length: Size, body: Callable[[KernelCode, _Part], None]) -> None:
        """A kernel over the parts of `count` columns or rows, which are of a length."""
        blocks, places = self._blocks(count), length.times(Size(self.columns))

        def unit(kernel: KernelCode, number: str, room: str) -> None:
            code, several = kernel.code, kernel.size(blocks)
            row = code.let(f"udiv i64 {number}, {several}")
            block = code.let(f"urem i64 {number}, {several}")
            first = code.let(f"mul i64 {block}, {self.columns}")
            rest = code.let(f"sub i64 {kernel.size(count)}, {first}")
            width = code.intrinsic("smin.i64", "i64", [("i64", rest), ("i64", str(self.columns))])
            second = kernel.offset(room, self.plan.dtype, kernel.size(places))
            body(kernel, _Part(row, block, first, width, room, second))

        units = self.rows.times(blocks)
        over_units(self.program, self.node, units, places.times(Size(2)), self.plan.dtype, unit)

    def _side(
        self, kernel: KernelCode, pointer: str, row: str, each: Size, first: str, apart: str = "1"
    ) -> Side:
        """Element `first`, and those beside it, of a sequence of `each` elements."""
        code = kernel.code
        begin = code.let(f"mul i64 {row}, {kernel.size(each)}")
        begin = code.let(f"add i64 {begin}, {first}")
        place = kernel.offset(kernel.argument(pointer, "ptr"), self.plan.dtype, begin)
        return Side(place, self.plan.dtype, apart)

    def _over_columns(self, source: str, target: str) -> None:
        """Transforms columns, and turns what comes out."""
        plan, wide, high = self.plan, self.wide, self.high

        def columns(kernel: KernelCode, part: _Part) -> None:
            walk, apart = plan.walk(kernel, part.width), kernel.size(wide)
            given, made = [
                self._side(kernel, pointer, part.row, plan.count, part.first, apart)
                for pointer in (source, target)
            ]
            brought = Side(part.room, plan.dtype, part.width)
            walk.over(
                "0", kernel.size(high), lambda at: walk.store(walk.load(given, at), brought, at)
            )
            one = literal(1, plan.part)
            result = self.along[0].call(kernel, part.room, part.other, part.room, part.width, one)
            near = Side(kernel.argument(self.near.pointer, "ptr"), plan.dtype, str(self.columns))
            far = self._side(kernel, self.far.pointer, part.block, high, "0")
            turned = Side(result, plan.dtype, part.width)

            def turn(at: Place) -> None:
                s = at.s
                by = times(s, walk.load(near, at), walk.factor(far, at))
                walk.store(times(s, walk.load(turned, at), by), made, at)

            walk.over("0", kernel.size(high), turn)

        self._over(wide, high, columns)

    def _over_rows(self, source: str, target: str, each: Size, scale: str) -> None:
        """Transforms rows, and writes them as columns, into sequences of `each` elements."""
        plan, wide, high = self.plan, self.wide, self.high

        def rows(kernel: KernelCode, part: _Part) -> None:
            code, walk = kernel.code, plan.walk(kernel, part.width)
            begin = code.let(f"mul i64 {part.first}, {kernel.size(wide)}")
            given = self._side(kernel, source, part.row, plan.count, begin, kernel.size(wide))
            brought = Side(part.room, plan.dtype, part.width)
            turn_over(walk, given, brought, kernel.size(wide), self.columns)
            number = kernel.argument(scale, element_type(plan.part))
            result = self.along[1].call(
                kernel, part.room, part.other, part.room, part.width, number
            )
            made = Side(result, plan.dtype, part.width)
            apart = kernel.size(high)
            placed = self._side(kernel, target, part.row, each, part.first, apart)
            walk.over(
                "0", kernel.size(wide), lambda at: walk.store(walk.load(made, at), placed, at)
            )

        self._over(high, wide, rows)

    # -- real numbers by twos ---------------------------------------------------------------------

    def _join(self, source: str, have: Size, target: str, want: Size) -> None:
        """Tells even and odd elements apart, or puts them together, many pairs in one go."""
        program, plan = self.program, self.plan
        # The frequency in the middle, which is its own partner, is done with the first pairs.
        half = program.code.let(f"lshr i64 {program.text(plan.count)}, 1")
        ended = program.arithmetic("add", program.text(plan.count), "1")
        end = program.code.let(f"lshr i64 {ended}, 1")
        blocks = program.chunks(program.size(end), str(_PAIRS))
        kernel = KernelCode(program)
        code, last, middle = kernel.code, kernel.argument(end), kernel.argument(half)

        def pairs(number: str) -> None:
            several = kernel.size(blocks)
            row = code.let(f"udiv i64 {number}, {several}")
            block = code.let(f"urem i64 {number}, {several}")
            begin = code.let(f"mul i64 {block}, {_PAIRS}")
            stop = code.let(f"add i64 {begin}, {_PAIRS}")
            stop = code.intrinsic("smin.i64", "i64", [("i64", stop), ("i64", last)])
            sides = [
                self._side(kernel, pointer, row, each, "0")
                for pointer, each in ((source, have), (target, want))
            ]
            join = Join(plan, kernel, plan.walk(kernel, None), *sides)

            first = code.let(f"icmp eq i64 {block}, 0")
            partner = code.let(f"sub i64 {kernel.size(plan.count)}, {middle}")
            own = code.let(f"icmp eq i64 {partner}, {middle}")
            kernel.when(first, join.edges)
            kernel.when(code.let(f"and i1 {first}, {own}"), lambda: join.pair(middle))
            begin = code.intrinsic("smax.i64", "i64", [("i64", begin), ("i64", "1")])
            join.pairs(begin, stop)

        kernel.loop("%lo", "%hi", pairs)
        grain = grain_of(program, Size(_PAIRS * _PAIR_WORK), 1)
        kernel.call(program.text(self.rows.times(blocks)), grain)


class _Part(NamedTuple):
    """A unit: which sequence, which block of its columns or rows, the first one and how many.

    room, other   two places for the elements of the unit
    """

    row: str
    block: str
    first: str
    width: str
    room: str
    other: str
