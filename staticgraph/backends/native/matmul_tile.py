"""The main kernel of a matrix product: register tiles, for any sizes and strides.

A tile of the result stays in registers while the products of `DEPTH` rows of B are added to it. B
is read in panels as wide as the tile: from where it is, or from a copy on the stack in which a
panel is contiguous. A is read element by element through any strides. Always holds:

- every element of the result is summed in one order, which depends on k alone: blocks of `DEPTH`
  products, first to last, each block from its first product to its last;
- rows beyond the result repeat its last row and are not stored, columns beyond it are masked, so
  no access leaves the operands;
- tasks write disjoint parts of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from staticgraph.backends.native import matmul_shape as shape
from staticgraph.backends.native.ir import Code, Module, memory_type, vector
from staticgraph.backends.native.matmul_code import Number, Target, Writer
from staticgraph.backends.native.matmul_pack import PanelPacker
from staticgraph.backends.native.matmul_shape import (
    DEPTH,
    Product,
    Tile,
    batch_pointers,
    read_numbers,
)
from staticgraph.backends.native.scalars import Register, Scalars


class Place(NamedTuple):
    """Where in the result the lanes of a register stand: `row`, and from `column` on.

    mask        the i1 vector of the lanes that are inside the result; None if all are
    batch       the number of the matrix, counted over all axes of the batch
    arguments   the arguments of the kernel: an epilogue has the slots from `Product.slots` on
    """

    writer: Writer
    batch: Number
    row: Number
    column: Number
    mask: str | None
    arguments: str


# What becomes of a finished element before it is stored: called once or twice when code is made,
# with as many lanes as `Scalars.lanes` says.
Epilogue = Callable[[Scalars, Register, Place], Register]


class Panel(NamedTuple):
    """One block of B: its first row, the bytes from row to row, and how many columns count."""

    pointer: str
    step: Number
    columns: Number
    masks: list[str | None]


class TileKernel:
    """Writes ``void @name(ptr args, i64 lo, i64 hi)``: tasks lo to hi of a product."""

    def __init__(
        self,
        module: Module,
        name: str,
        product: Product,
        target: Target,
        tile: Tile,
        epilogue: Epilogue | None,
        contract: bool,
    ) -> None:
        self.code = Code(module, name, "void", ["ptr %args", "i64 %lo", "i64 %hi"])
        self.writer = Writer(self.code)
        self.product, self.target, self.tile = product, target, tile
        self.epilogue, self.contract = epilogue, contract
        self.dtype = product.dtype
        self.size = product.dtype.itemsize
        self.type = vector(memory_type(self.dtype), tile.lanes)
        self.whole_rows = product.m is not None and product.m % tile.rows == 0
        self.whole_columns = product.n is not None and product.n % tile.columns == 0
        self.one_block = product.k is not None and product.k <= DEPTH
        self.masked = target.masks(self.dtype)
        self.finished: str | None = None
        if epilogue is not None or not self.whole_rows or not (self.masked or self.whole_columns):
            block = f"[{tile.rows * tile.columns} x {memory_type(self.dtype)}]"
            self.finished = self.code.stack(block)
        self.packer = PanelPacker(self.writer, product, target, tile)

    # -- loops ------------------------------------------------------------------------------------

    def write(self) -> Code:
        """The body of the kernel."""
        w = self.writer
        self.numbers = read_numbers(w, "%args", self.product)
        m, n, k = self.numbers.m, self.numbers.n, self.numbers.k
        whole = shape.grid(w, m, n, k, self.tile)
        blocks = w.maximum(w.divide_up(k, DEPTH), 1)
        depth = w.divide_up(k, blocks)
        per_matrix = w.multiply(whole.row_tasks, whole.column_tasks)
        with w.loop("%lo", "%hi", once=True) as task:
            batch = w.divide(task, per_matrix) if self.product.batch else 0
            within = w.subtract(task, w.multiply(batch, per_matrix))
            if per_matrix == 1:
                within = 0
            row_task = w.divide(within, whole.column_tasks)
            column_task = w.subtract(within, w.multiply(row_task, whole.column_tasks))
            if whole.column_tasks == 1:
                column_task = 0
            a, b, c = batch_pointers(w, "%args", self.product, batch)
            self.batch, self.a, self.b, self.c = batch, a, b, c
            first_row = w.multiply(row_task, whole.rows)
            end_row = w.minimum(m, w.add(first_row, whole.rows))
            first_column = w.multiply(column_task, whole.columns)
            end_column = w.minimum(n, w.add(first_column, whole.columns))
            with self._blocks(depth) as start:
                self.start = start
                self.depth = k if self.one_block else w.minimum(depth, w.subtract(k, start))
                self._block(first_row, end_row, first_column, end_column)
        self.code.do("ret void")
        return self.code

    def _blocks(self, depth: Number) -> AbstractContextManager[Number]:
        # A product over nothing still writes zeros, so the first block always runs.
        k = self.numbers.k
        if self.one_block:
            return self.writer.loop(0, 1)
        return self.writer.loop(0, k, self.writer.maximum(depth, 1), once=True)

    def _block(
        self, first_row: Number, end_row: Number, first_column: Number, end_column: Number
    ) -> None:
        w, tile, numbers = self.writer, self.tile, self.numbers
        with w.loop(first_column, end_column, tile.columns, once=True) as column:
            columns = tile.columns if self.whole_columns else w.subtract(numbers.n, column)
            if self.product.n is not None and self.product.n <= tile.columns:
                columns = self.product.n
            b = w.at(
                self.b,
                w.add(w.multiply(self.start, numbers.b_row), w.multiply(column, numbers.b_column)),
            )
            rows = w.subtract(end_row, first_row)
            pointer, step = self.packer.panel(b, numbers, columns, self.depth, rows)
            masks: list[str | None] = [None] * tile.vectors
            if not self.whole_columns and self.masked:
                masks = [
                    w.mask(w.subtract(columns, tile.lanes * v), tile.lanes)
                    for v in range(tile.vectors)
                ]
            panel = Panel(pointer, step, columns, masks)
            with w.loop(first_row, end_row, tile.rows, once=True) as row:
                count = tile.rows if self.whole_rows else w.subtract(end_row, row)
                self._tile(panel, row, column, w.minimum(count, tile.rows))

    # -- one tile ---------------------------------------------------------------------------------

    def _tile(self, panel: Panel, row: Number, column: Number, rows: Number) -> None:
        w, numbers = self.writer, self.numbers
        first = w.at(
            self.a,
            w.add(w.multiply(row, numbers.a_row), w.multiply(self.start, numbers.a_column)),
        )
        a_rows = []
        for i in range(self.tile.rows):
            inside = i if self.whole_rows else w.minimum(i, w.subtract(rows, 1))
            a_rows.append(w.at(first, w.multiply(inside, numbers.a_row)))
        sums = self._sums(panel, a_rows)
        c = w.at(self.c, w.add(w.multiply(row, numbers.c_row), w.multiply(column, self.size)))
        self._finish(panel, sums, c, row, column, rows)

    def _sums(self, panel: Panel, a_rows: list[str]) -> list[list[str]]:
        """The sums over the block for every accumulator of the tile."""
        zeros = [["zeroinitializer" if self.tile.lanes > 1 else self._zero()] * self.tile.vectors]
        zeros = zeros * self.tile.rows
        depth = self.depth
        if isinstance(depth, int) and depth * self.tile.rows * self.tile.vectors <= 64:
            sums = zeros
            for k in range(depth):
                sums = self._step(panel, a_rows, sums, k, self.writer.multiply(k, panel.step))
            return sums
        return self._summing_loop(panel, a_rows, zeros)

    def _zero(self) -> str:
        return "0.0" if self.dtype.kind == "f" else "0"

    def _summing_loop(
        self, panel: Panel, a_rows: list[str], zeros: list[list[str]]
    ) -> list[list[str]]:
        code, w = self.code, self.writer
        before, body, done = code.block, code.label("sum"), code.label("summed")
        certain = isinstance(self.depth, int) and self.depth > 0
        if certain:
            code.jump(body)
        else:
            code.branch(code.let(f"icmp sgt i64 {self.depth}, 0"), body, done)
        code.begin(body)
        counter, place = code.phi("i64"), code.phi("ptr")
        counter.add("0", before)
        place.add(panel.pointer, before)
        phis = [[code.phi(self.type) for _ in row] for row in zeros]
        sums = [[phi.name for phi in row] for row in phis]
        here = panel._replace(pointer=place.name)
        sums = self._step(here, a_rows, sums, counter.name, 0)
        following = code.let(f"add i64 {counter.name}, 1")
        counter.add(following, code.block)
        place.add(w.at(place.name, panel.step), code.block)
        for row, row_phis, row_zeros in zip(sums, phis, zeros, strict=True):
            for value, phi, zero in zip(row, row_phis, row_zeros, strict=True):
                phi.add(zero, before)
                phi.add(value, code.block)
        code.branch(code.let(f"icmp slt i64 {following}, {self.depth}"), body, done)
        after = code.block
        code.begin(done)
        if certain:
            return sums
        return [[self._either(zero, before, s, after) for zero, s in zip(z, row, strict=True)]
                for z, row in zip(zeros, sums, strict=True)]  # fmt: skip

    def _either(self, first: str, first_block: str, second: str, second_block: str) -> str:
        phi = self.code.phi(self.type)
        phi.add(first, first_block)
        phi.add(second, second_block)
        return phi.name

    def _step(
        self, panel: Panel, a_rows: list[str], sums: list[list[str]], k: Number, b_offset: Number
    ) -> list[list[str]]:
        """Adds the products with row `k` of the panel, `b_offset` bytes after its pointer."""
        w, tile = self.writer, self.tile
        b_row = [
            w.load(
                w.at(panel.pointer, w.add(b_offset, v * tile.lanes * self.size)),
                self.dtype,
                tile.lanes,
                panel.masks[v],
            )
            for v in range(tile.vectors)
        ]
        distance = w.multiply(k, self.numbers.a_column)
        result = []
        for pointer, row in zip(a_rows, sums, strict=True):
            element = w.load(w.at(pointer, distance), self.dtype, 1)
            spread = w.splat(element, self.dtype, tile.lanes)
            result.append(
                [
                    w.multiply_add(spread, b, total, self.dtype, tile.lanes)
                    for b, total in zip(b_row, row, strict=True)
                ]
            )
        return result

    # -- what becomes of it -----------------------------------------------------------------------

    def _finish(
        self,
        panel: Panel,
        sums: list[list[str]],
        c: str,
        row: Number,
        column: Number,
        rows: Number,
    ) -> None:
        """Stores the tile: at once where it is whole, else by way of the stack, row by row."""
        code = self.code
        if self.finished is None:
            self._store_whole(panel, sums, c)
            return
        never_whole = isinstance(rows, int) and rows < self.tile.rows
        if self.epilogue is not None or not self.masked or never_whole:
            self._store_rows(panel, sums, c, row, column, rows)
            return
        whole, part, done = code.label("whole"), code.label("part"), code.label("stored")
        code.branch(code.let(f"icmp eq i64 {rows}, {self.tile.rows}"), whole, part)
        code.begin(whole)
        self._store_whole(panel, sums, c)
        code.jump(done)
        code.begin(part)
        self._store_rows(panel, sums, c, row, column, rows)
        code.jump(done)
        code.begin(done)

    def _store_whole(self, panel: Panel, sums: list[list[str]], c: str) -> None:
        w, tile = self.writer, self.tile
        for i, row in enumerate(sums):
            pointer = w.at(c, w.multiply(i, self.numbers.c_row))
            for v, value in enumerate(row):
                place = w.at(pointer, v * tile.lanes * self.size)
                total = self._with_earlier(value, place, tile.lanes, panel.masks[v])
                w.store(total, place, self.dtype, tile.lanes, panel.masks[v])

    def _with_earlier(self, value: str, place: str, lanes: int, mask: str | None) -> str:
        """The sum so far: with what the blocks before left in the result."""
        if self.one_block:
            return value
        w, type = self.writer, vector(memory_type(self.dtype), lanes)
        earlier = w.load(place, self.dtype, lanes, mask)
        total = w.sum(earlier, value, self.dtype, lanes)
        first = self.code.let(f"icmp eq i64 {self.start}, 0")
        return self.code.let(f"select i1 {first}, {type} {value}, {type} {total}")

    def _store_rows(
        self,
        panel: Panel,
        sums: list[list[str]],
        c: str,
        row: Number,
        column: Number,
        rows: Number,
    ) -> None:
        w, tile = self.writer, self.tile
        assert self.finished is not None
        for i, values in enumerate(sums):
            for v, value in enumerate(values):
                place = w.at(self.finished, (i * tile.columns + v * tile.lanes) * self.size)
                w.store(value, place, self.dtype, tile.lanes)
        with w.loop(0, rows, once=True) as index:
            source = w.at(self.finished, w.multiply(index, tile.columns * self.size))
            target = w.at(c, w.multiply(index, self.numbers.c_row))
            self._store_row(source, target, w.add(row, index), column, panel.columns)

    def _store_row(
        self, source: str, target: str, row: Number, column: Number, columns: Number
    ) -> None:
        """One row of a tile from the stack to the result, in vectors or element by element."""
        w, tile, code = self.writer, self.tile, self.code
        lanes = tile.lanes * (1 if tile.vectors % 2 else 2)
        if self.masked or self.whole_columns:
            with w.loop(0, w.minimum(columns, tile.columns), lanes, once=True) as j:
                mask = None if self.whole_columns else w.mask(w.subtract(columns, j), lanes)
                self._store_lanes(source, target, row, w.add(column, j), j, lanes, mask)
            return
        part, done = code.label("elements"), code.label("row")
        whole = code.label("vectors")
        code.branch(code.let(f"icmp slt i64 {columns}, {tile.columns}"), part, whole)
        code.begin(whole)
        with w.loop(0, tile.columns, lanes, once=True) as j:
            self._store_lanes(source, target, row, w.add(column, j), j, lanes, None)
        code.jump(done)
        code.begin(part)
        with w.loop(0, columns, 1, once=True) as j:
            self._store_lanes(source, target, row, w.add(column, j), j, 1, None)
        code.jump(done)
        code.begin(done)

    def _store_lanes(
        self,
        source: str,
        target: str,
        row: Number,
        column: Number,
        j: Number,
        lanes: int,
        mask: str | None,
    ) -> None:
        w, code = self.writer, self.code
        offset = w.multiply(j, self.size)
        place = w.at(target, offset)
        value = w.load(w.at(source, offset), self.dtype, lanes)
        total = self._with_earlier(value, place, lanes, mask)
        if self.epilogue is None:
            w.store(total, place, self.dtype, lanes, mask)
            return
        at = Place(w, self.batch, row, column, mask, "%args")
        if self.one_block:
            self._store_final(total, place, at, lanes)
            return
        last = code.let(f"icmp sge i64 {w.add(self.start, self.depth)}, {self.numbers.k}")
        final, partial, done = code.label("last"), code.label("partial"), code.label("done")
        code.branch(last, final, partial)
        code.begin(final)
        self._store_final(total, place, at, lanes)
        code.jump(done)
        code.begin(partial)
        w.store(total, place, self.dtype, lanes, mask)
        code.jump(done)
        code.begin(done)

    def _store_final(self, total: str, place: str, at: Place, lanes: int) -> None:
        assert self.epilogue is not None
        scalars = Scalars(self.code, lanes, self.contract)
        result = self.epilogue(scalars, Register(total, self.dtype), at)
        assert result.dtype == self.dtype
        self.writer.store(result.text, place, self.dtype, lanes, at.mask)
