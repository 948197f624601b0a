"""The kernel of products with few rows whose columns of B are contiguous: many dot products.

Vectors go along the sums: neither operand is copied or turned over, and B is read once, as fast as
memory gives it. Always holds: an element is the sum over the vector lanes, by halves, of sums that
each go through k in order; a vector that reaches beyond k is masked.
"""

from __future__ import annotations

from typing import NamedTuple

from staticgraph.backends.native.ir import Code, Module, memory_type, vector
from staticgraph.backends.native.matmul.code import HOT_LEVEL, Number, Writer
from staticgraph.backends.native.matmul.shape import DotTile
from staticgraph.core.dtypes import DType


class Dots(NamedTuple):
    """The operands of the function: columns from `first` to `end`; steps are in bytes."""

    a: str
    b: str
    c: str
    first: Number
    end: Number
    k: Number
    a_row: Number
    b_column: Number
    c_row: Number
    add: str


DOT_TYPES = ("ptr", "ptr", "ptr", "i64", "i64", "i64", "i64", "i64", "i64", "i1")


def dot_function(module: Module, dtype: DType, tile: DotTile, masked: bool) -> str:
    """The function that computes all rows of some columns; its parameters are those of Dots.

    Without masks, k has to be a multiple of the lanes.
    """
    form = f"{tile.rows}x{tile.columns}x{tile.strands}x{tile.lanes}"
    name = f"matmul_dots_{dtype.name}_{form}"
    if module.has_function(name):
        return name
    names = [f"%{field}" for field in Dots._fields]
    parameters = [f"{type} {field}" for type, field in zip(DOT_TYPES, names, strict=True)]
    code = Code(module, name, "void", parameters)
    _DotWriter(Writer(code), dtype, tile, masked).write(Dots(*names))
    code.do("ret void")
    code.finish(level=HOT_LEVEL)
    return name


class _DotWriter:
    """Writes the loops over columns and along the sums."""

    def __init__(self, writer: Writer, dtype: DType, tile: DotTile, masked: bool) -> None:
        self.writer, self.code = writer, writer.code
        self.dtype, self.size, self.tile, self.masked = dtype, dtype.itemsize, tile, masked
        self.type = vector(memory_type(dtype), tile.lanes)

    def write(self, dots: Dots) -> None:
        """All columns, some neighbours at a time."""
        self.dots = dots
        with self.writer.loop(dots.first, dots.end, self.tile.columns, once=True) as column:
            self._columns(column)

    def _columns(self, column: Number) -> None:
        """The elements of some neighbouring columns, in all rows."""
        w, dots, tile = self.writer, self.dots, self.tile
        count = w.minimum(w.subtract(dots.end, column), tile.columns)
        rows = [w.at(dots.a, w.multiply(i, dots.a_row)) for i in range(tile.rows)]
        first = w.at(dots.b, w.multiply(column, dots.b_column))
        last = w.subtract(count, 1)
        columns = [first] + [
            w.at(first, w.multiply(w.minimum(j, last), dots.b_column))
            for j in range(1, tile.columns)
        ]
        sums = self._sums(rows, columns)
        for i in range(tile.rows):
            value = self._fold(sums[i * tile.columns : (i + 1) * tile.columns])
            offset = w.add(w.multiply(i, dots.c_row), w.multiply(column, self.size))
            self._store(value, w.at(dots.c, offset), count)

    def _store(self, value: str, place: str, count: Number) -> None:
        """One row of what was computed: by way of the stack where there are no masks."""
        w, lanes = self.writer, self.tile.columns
        if lanes == 1 or self.masked:
            mask = w.mask(count, lanes) if lanes > 1 else None
            self._store_lanes(value, place, lanes, mask)
            return
        room = self.code.stack(f"[{lanes} x {memory_type(self.dtype)}]")
        w.store(value, room, self.dtype, lanes)
        with w.loop(0, count, once=True) as j:
            offset = w.multiply(j, self.size)
            element = w.load(w.at(room, offset), self.dtype, 1)
            self._store_lanes(element, w.at(place, offset), 1, None)

    def _store_lanes(self, value: str, place: str, lanes: int, mask: str | None) -> None:
        w, type = self.writer, vector(memory_type(self.dtype), lanes)
        earlier = w.load(place, self.dtype, lanes, mask)
        total = w.sum(earlier, value, self.dtype, lanes)
        chosen = self.code.let(f"select i1 {self.dots.add}, {type} {total}, {type} {value}")
        w.store(chosen, place, self.dtype, lanes, mask)

    def _sums(self, rows: list[str], columns: list[str]) -> list[str]:
        """The sums of every element, spread over the lanes of a vector each."""
        w, tile, k = self.writer, self.tile, self.dots.k
        sums = ["zeroinitializer"] * (len(rows) * len(columns) * tile.strands)
        done: Number = 0
        for strands in sorted({tile.strands, 1}, reverse=True):
            step = strands * tile.lanes
            end = w.multiply(w.divide(k, step), step)
            sums = self._loop(rows, columns, sums, (done, end, strands))
            sums = self._join(sums, strands)
            done = end
        if not self.masked:
            return sums
        left = w.subtract(k, done)
        mask = w.mask(left, tile.lanes)
        return self._step(rows, columns, sums, (done, 1), mask)

    def _join(self, sums: list[str], strands: int) -> list[str]:
        """One sum per element."""
        count = len(sums) // strands
        parts = [sums[i * count : (i + 1) * count] for i in range(strands)]
        while len(parts) > 1:
            half = len(parts) // 2
            parts = [
                [
                    self.writer.sum(x, y, self.dtype, self.tile.lanes)
                    for x, y in zip(*pair, strict=True)
                ]
                for pair in zip(parts[:half], parts[half:], strict=True)
            ]
        return parts[0]

    def _loop(
        self,
        rows: list[str],
        columns: list[str],
        sums: list[str],
        extent: tuple[Number, Number, int],
    ) -> list[str]:
        code, (start, end, strands) = self.code, extent
        if isinstance(start, int) and isinstance(end, int) and start >= end:
            return sums
        before, body, done = code.block, code.label("dot"), code.label("dotted")
        code.branch(code.let(f"icmp slt i64 {start}, {end}"), body, done)
        code.begin(body)
        counter = code.phi("i64")
        counter.add(str(start), before)
        phis = [code.phi(self.type) for _ in sums]
        totals = [phi.name for phi in phis]
        totals = self._step(rows, columns, totals, (counter.name, strands), None)
        following = code.let(f"add i64 {counter.name}, {strands * self.tile.lanes}")
        counter.add(following, code.block)
        for phi, initial, total in zip(phis, sums, totals, strict=True):
            phi.add(initial, before)
            phi.add(total, code.block)
        code.branch(code.let(f"icmp slt i64 {following}, {end}"), body, done)
        after = code.block
        code.begin(done)
        results = []
        for initial, total in zip(sums, totals, strict=True):
            joined = code.phi(self.type)
            joined.add(initial, before)
            joined.add(total, after)
            results.append(joined.name)
        return results

    def _step(
        self,
        rows: list[str],
        columns: list[str],
        sums: list[str],
        place: tuple[Number, int],
        mask: str | None,
    ) -> list[str]:
        """Adds the products at `place`, a vector for each strand."""
        w, lanes = self.writer, self.tile.lanes
        k, strands = place
        results = []
        for strand in range(strands):
            offset = w.multiply(w.add(k, strand * lanes), self.size)
            a = [w.load(w.at(row, offset), self.dtype, lanes, mask) for row in rows]
            b = [w.load(w.at(column, offset), self.dtype, lanes, mask) for column in columns]
            pairs = [(x, y) for x in a for y in b]
            mine = sums[strand * len(pairs) : (strand + 1) * len(pairs)]
            results += [
                w.multiply_add(x, y, total, self.dtype, lanes)
                for (x, y), total in zip(pairs, mine, strict=True)
            ]
        return results

    def _fold(self, vectors: list[str]) -> str:
        """One register with the sum over the lanes of each vector, in the order of the vectors."""
        lanes, width = self.tile.lanes, self.tile.lanes
        while len(vectors) > 1:
            width //= 2
            vectors = [
                self._halves(x, y, lanes, width)
                for x, y in zip(vectors[::2], vectors[1::2], strict=True)
            ]
        total = vectors[0]
        while width > 1:
            width //= 2
            total = self._halves(total, None, lanes, width)
            lanes //= 2
        return total

    def _halves(self, x: str, y: str | None, lanes: int, width: int) -> str:
        """Adds lanes `width` apart, in groups of twice that many: those of `x`, then of `y`."""
        type = vector(memory_type(self.dtype), lanes)
        count = lanes if y is None else 2 * lanes
        low = [lane for lane in range(count) if not lane & width]
        high = [lane + width for lane in low]
        parts = []
        for order in (low, high):
            numbers = ", ".join(f"i32 {lane}" for lane in order)
            parts.append(
                self.code.let(
                    f"shufflevector {type} {x}, {type} {y or 'poison'}, "
                    f"<{len(order)} x i32> <{numbers}>"
                )
            )
        if len(low) == 1:
            return self._scalar_sum(parts)
        return self.writer.sum(parts[0], parts[1], self.dtype, len(low))

    def _scalar_sum(self, parts: list[str]) -> str:
        """The sum of two vectors of one lane, as a scalar."""
        type = f"<1 x {memory_type(self.dtype)}>"
        values = [self.code.let(f"extractelement {type} {part}, i64 0") for part in parts]
        return self.writer.sum(values[0], values[1], self.dtype, 1)
