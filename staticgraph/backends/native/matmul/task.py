"""Tasks of a matrix product: which block of the result a number means, and how it is computed.

One function computes any task of any product of a dtype and layout: sizes, strides and tiles are
its parameters, so that a program compiles it once however many products it has. A block of the
result is complete, in all of k, when the task is done.
"""

from __future__ import annotations

from typing import NamedTuple

from staticgraph.backends.native.ir import Code, Module
from staticgraph.backends.native.matmul import pack
from staticgraph.backends.native.matmul.code import WALK_LEVEL, Number, Target, Writer
from staticgraph.backends.native.matmul.panel import (
    MOST_ROWS,
    TILE_TYPES,
    Panel,
    TileCall,
    tile_function,
)
from staticgraph.backends.native.matmul.shape import (
    DEPTH,
    Product,
    Tile,
    Tiling,
    batch_pointers,
    grid,
    grid_unit,
    layout,
    read_numbers,
)
from staticgraph.backends.native.matmul.sweep import SWEPT_BYTES, sweep_function
from staticgraph.core.dtypes import DType


class Block(NamedTuple):
    """The block of the result that a task computes: of one matrix, rows and columns from, to."""

    batch: Number
    c: str
    first_row: Number
    end_row: Number
    first_column: Number
    end_column: Number


def on_stack(writer: Writer, block: Block, room: str, size: int) -> tuple[Block, Number]:
    """The same block on the stack, and the bytes from row to row there.

    It is addressed like the one in the result, by rows and columns of the whole matrix.
    """
    w = writer
    step = w.multiply(w.subtract(block.end_column, block.first_column), size)
    before = w.add(w.multiply(block.first_row, step), w.multiply(block.first_column, size))
    return block._replace(c=w.at(room, w.subtract(0, before))), step


class Operands(NamedTuple):
    """What the block function is told beside the block; steps and sizes as in Numbers."""

    a: str
    b: str
    c: str
    first_row: Number
    end_row: Number
    first_column: Number
    end_column: Number
    k: Number
    a_row: Number
    a_column: Number
    b_row: Number
    b_column: Number
    c_row: Number
    # The tile functions and how many columns their tiles have; from `edge_start` on, the edge's.
    main: str
    main_rows: Number
    main_columns: Number
    edge: str
    edge_columns: Number
    edge_start: Number
    # What copies a panel of B, and whether it has to be copied (1) or only where that pays (0).
    copy: str
    copied: Number
    # Whether the sums join what the result holds: 1 or 0.
    add: Number


_POINTERS = {"a", "b", "c", "main", "edge", "copy"}


class TaskWriter:
    """Writes the computation of one task into a kernel."""

    def __init__(
        self, writer: Writer, product: Product, target: Target, tiling: Tiling | None, swapped: bool
    ) -> None:
        self.writer, self.product, self.target = writer, product, target
        self.module = writer.code.module
        self.tiling, self.swapped = tiling, swapped
        w = writer
        self.numbers = read_numbers(w, "%args", product, swapped)
        sizes = self.numbers.m, self.numbers.n, self.numbers.k
        self.unit = grid_unit(product, target)
        self.grid = grid(w, sizes, self.unit)
        self.per_matrix = w.multiply(self.grid.row_tasks, self.grid.column_tasks)

    def _edge_start(self, tiling: Tiling) -> Number:
        """The first column that the edge's tile computes."""
        w, n, (main, edge, whole) = self.writer, self.numbers.n, tiling
        if edge is None:
            return n
        left = w.subtract(n, w.multiply(w.divide(n, main.columns), main.columns))
        if whole or isinstance(left, int):
            return w.subtract(n, left)
        narrow = w.code.let(f"icmp sle i64 {left}, {edge.columns}")
        return w.subtract(n, w.code.let(f"select i1 {narrow}, i64 {left}, i64 0"))

    def block(self, task: Number) -> tuple[Block, str, str]:
        """The block of a task, and the addresses of the A and the B of its matrix."""
        w, numbers, grid = self.writer, self.numbers, self.grid
        batch = w.divide(task, self.per_matrix) if self.product.batch else 0
        within = w.subtract(task, w.multiply(batch, self.per_matrix))
        # Neighbouring tasks are those of the same columns: a thread that has the first half of them
        # reads half of b, as it does where another product of the program updates b.
        column_task = 0 if grid.column_tasks == 1 else w.divide(within, grid.row_tasks)
        row_task = w.subtract(within, w.multiply(column_task, grid.row_tasks))
        a, b, c = batch_pointers(w, "%args", self.product, batch, self.swapped)
        first_row = w.multiply(row_task, grid.rows)
        first_column = w.multiply(column_task, grid.columns)
        end_row = w.minimum(numbers.m, w.add(first_row, grid.rows))
        end_column = w.minimum(numbers.n, w.add(first_column, grid.columns))
        return Block(batch, c, first_row, end_row, first_column, end_column), a, b

    def compute(self, hot: Module, block: Block, a: str, b: str, c_row: Number) -> None:
        """Computes a block by calling the function that products of this layout share."""
        dtype, numbers, target = self.product.dtype, self.numbers, self.target
        assert self.tiling is not None
        main, edge = self.tiling.main, self.tiling.edge or self.tiling.main
        kind = layout(self.product.b_row, self.product.b_column)
        main_width: Number = main.columns
        functions = [self._tile(hot, main, self.tiling.whole)]
        functions += functions if edge == main else [self._tile(hot, edge, False)]
        edge_start = self._edge_start(self.tiling)
        if kind == "rows" and target.masks(dtype) and self.product.m in (None, 1):
            # A single row, if only the run knows it, is swept: its tiles would be mostly empty.
            sweep = self._declared(sweep_function(hot, dtype, target))
            single, let = self.single(), self.writer.code.let
            functions = [let(f"select i1 {single}, ptr {sweep}, ptr {f}") for f in functions]
            width = SWEPT_BYTES // dtype.itemsize
            main_width = let(f"select i1 {single}, i64 {width}, i64 {main.columns}")
            edge_start = let(f"select i1 {single}, i64 {numbers.n}, i64 {edge_start}")
        operands = Operands(
            a, b, *block[1:], numbers.k, *numbers[3:-1], c_row, functions[0], main.rows, main_width,
            functions[1], edge.columns, edge_start,
            f"@{pack.copy_function(hot, dtype, kind, target)}", 0 if kind == "rows" else 1,
            1 if self.product.accumulate else 0,
        )  # fmt: skip
        name = block_function(hot, dtype, target)
        given = [(_type(field), value) for field, value in operands._asdict().items()]
        self.writer.call(name, given)

    def _tile(self, hot: Module, tile: Tile, whole: bool) -> str:
        return self._declared(tile_function(hot, self.product.dtype, tile, self.target, whole))

    def _declared(self, name: str) -> str:
        if not self.module.has_function(name):
            self.module.declare(f"declare void @{name}({', '.join(TILE_TYPES)})")
        return f"@{name}"

    def single(self) -> str:
        """The i1 that says whether the result has one row."""
        return self.writer.code.let(f"icmp eq i64 {self.numbers.m}, 1")


def _type(field: str) -> str:
    return "ptr" if field in _POINTERS else "i64"


def block_function(module: Module, dtype: DType, target: Target) -> str:
    """The function that computes a block in all of k; its parameters are those of Operands."""
    name = f"matmul_block_{dtype.name}_{target.vector_bytes}"
    if module.has_function(name):
        return name
    fields = [f"%{field}" for field in Operands._fields]
    parameters = [f"{_type(field[1:])} {field}" for field in fields]
    code = Code(module, name, "void", parameters)
    _BlockWriter(Writer(code), dtype, target).write(Operands(*fields))
    code.do("ret void")
    code.finish(level=WALK_LEVEL)
    return name


# Panels that are copied together; they stay in the second cache while all rows go by.
_GROUP = 8
# Columns of A whose distance is a multiple of this share a few lines of the caches, so that none
# stays there: then a strip of A is copied, if several panels use it.
_COLLISION = 4096
# Tiles of such a strip, so that what is read of a column is some lines of the cache.
_TALL_TILES = 8


class _BlockWriter:
    """Writes the loops over blocks of k, over groups of panels and over strips of rows."""

    def __init__(self, writer: Writer, dtype: DType, target: Target) -> None:
        self.writer, self.code = writer, writer.code
        self.dtype, self.size, self.target = dtype, dtype.itemsize, target
        self.panel_bytes = pack.buffer_bytes(target)
        self.buffer = self.code.stack(f"[{_GROUP * self.panel_bytes} x i8]")
        # The steps to the rows of a whole tile, of A and of C, and to those of the last tile.
        self.steps = self.code.stack(f"[{2 * 2 * MOST_ROWS} x i64]")

    def write(self, operands: Operands) -> None:
        """All blocks of k in order; in each, the main tile's columns and then the edge's."""
        w, o = self.writer, operands
        rows = w.subtract(o.end_row, o.first_row)
        blocks = w.maximum(w.divide_up(o.k, DEPTH), 1)
        depth = w.maximum(w.divide_up(o.k, blocks), 1)
        self._note_steps(o, rows)
        edge_start = w.minimum(o.end_column, o.edge_start)
        parts = (
            (o.main, o.main_columns, o.first_column, edge_start),
            (o.edge, o.edge_columns, w.maximum(o.first_column, o.edge_start), o.end_column),
        )
        with w.loop(0, o.k, depth, once=True) as start:
            later = self.code.let(f"icmp ne i64 {start}, 0")
            later = self.code.let(f"zext i1 {later} to i64")
            a = w.at(o.a, w.add(w.multiply(o.first_row, o.a_row), w.multiply(start, o.a_column)))
            b = w.at(o.b, w.multiply(start, o.b_row))
            c = w.at(o.c, w.multiply(o.first_row, o.c_row))
            steps = o.a_row, o.a_column, o.b_row, o.c_row
            count = w.minimum(depth, w.subtract(o.k, start))
            add = self.code.let(f"or i64 {later}, {o.add}")
            part = Panel(a, b, c, rows, 0, count, *steps, add)
            # Both tiles run through one loop, whose turn says which.
            with w.loop(0, 2) as turn:
                second = self.code.let(f"icmp ne i64 {turn}, 0")
                function, width, first, end = (
                    self._choose(second, y, x, "ptr" if i == 0 else "i64")
                    for i, (x, y) in enumerate(zip(*parts, strict=True))
                )
                with w.loop(first, end, w.multiply(width, _GROUP)) as column:
                    last = w.minimum(end, w.add(column, w.multiply(width, _GROUP)))
                    self._group(o, part, str(function), (column, last, width))

    def _note_steps(self, o: Operands, rows: Number) -> None:
        """Writes where the rows of tiles are; those beyond the result are its last row again."""
        w = self.writer
        tiles = w.divide(w.subtract(rows, 1), o.main_rows)
        last = w.subtract(w.subtract(rows, w.multiply(tiles, o.main_rows)), 1)
        with w.loop(0, o.main_rows, once=True) as row:
            for part, inside in enumerate((row, w.minimum(row, last))):
                for operand, step in enumerate((o.a_row, o.c_row)):
                    place = w.at(self.steps, 8 * MOST_ROWS * (2 * part + operand))
                    place = w.at(place, w.multiply(row, 8))
                    self.code.do(f"store i64 {w.multiply(inside, step)}, ptr {place}, align 8")

    def _choose(self, condition: str, yes: Number, no: Number, type: str) -> str:
        return self.code.let(f"select i1 {condition}, {type} {yes}, {type} {no}")

    def _group(
        self, o: Operands, part: Panel, function: str, extent: tuple[Number, Number, Number]
    ) -> None:
        """All rows of some panels: a strip of rows meets each panel before the next strip."""
        w, (first, end, width) = self.writer, extent
        copied = self._copied(o, part, extent)
        tall = self._a_copied(part, extent)
        # What is read of A for a strip should stay in the nearest cache beside a panel.
        tiles = w.divide(DEPTH, w.maximum(part.depth, 1))
        strip = w.multiply(o.main_rows, w.maximum(tiles, 1))
        height = self._choose(copied, strip, w.maximum(part.rows, 1), "i64")
        if tall is not None:
            height = self._choose(tall, w.multiply(o.main_rows, _TALL_TILES), height, "i64")
        with w.loop(0, part.rows, height, once=True) as row:
            rows = w.minimum(height, w.subtract(part.rows, row))
            a = w.at(part.a, w.multiply(row, part.a_row))
            c = w.at(part.c, w.multiply(row, part.c_row))
            here = part._replace(a=a, c=c, rows=rows)
            if tall is not None:
                here = self._with_a_copied(tall, here, height)
            with w.loop(first, end, width, once=True) as column:
                self._panel(o, here, function, copied, (first, column, end, width))

    def _panel(
        self,
        o: Operands,
        part: Panel,
        function: str,
        copied: str,
        extent: tuple[Number, Number, Number, Number],
    ) -> None:
        w, (first, column, end, width) = self.writer, extent
        columns = w.minimum(w.subtract(end, column), width)
        there = w.at(part.b, w.multiply(column, o.b_column))
        b = self._choose(copied, self._place(first, column, width), there, "ptr")
        b_row = self._choose(copied, w.multiply(width, self.size), o.b_row, "i64")
        c = w.at(part.c, w.multiply(column, self.size))
        partial = w.at(self.steps, 8 * 2 * MOST_ROWS)
        with w.loop(0, part.rows, o.main_rows, once=True) as row:
            rows = w.subtract(part.rows, row)
            whole = self.code.let(f"icmp sge i64 {rows}, {o.main_rows}")
            assert part.add is not None
            call = TileCall(
                w.at(part.a, w.multiply(row, part.a_row)), b, w.at(c, w.multiply(row, part.c_row)),
                self._choose(whole, self.steps, partial, "ptr"), w.minimum(rows, o.main_rows),
                columns, part.depth, part.a_column, b_row, part.c_row, part.add,
            )  # fmt: skip
            given = ", ".join(f"{t} {value}" for t, value in zip(TILE_TYPES, call, strict=True))
            self.code.do(f"call void {function}({given})")

    def _place(self, first: Number, column: Number, width: Number) -> str:
        """Where the copy of the panel at `column` is, of a group that starts at `first`."""
        w = self.writer
        number = w.divide(w.subtract(column, first), width)
        return w.at(self.buffer, w.multiply(number, self.panel_bytes))

    def _copied(self, o: Operands, part: Panel, extent: tuple[Number, Number, Number]) -> str:
        """Copies the panels of a group if that is needed or pays; the i1 that says so."""
        w, (first, end, width) = self.writer, extent
        masked = self.target.masks(self.dtype)
        columns = w.subtract(end, first)
        pays = pack.copy_pays(w, masked, part._replace(columns=columns), width)
        needed = self.code.let(f"icmp ne i64 {o.copied}, 0")
        wanted = self.code.let(f"or i1 {needed}, {pays}")
        with w.when(wanted), w.loop(first, end, width, once=True) as column:
            copy = pack.Copy(
                w.at(part.b, w.multiply(column, o.b_column)), o.b_row, o.b_column,
                w.minimum(w.subtract(end, column), width), part.depth,
                self._place(first, column, width), w.multiply(width, self.size),
            )  # fmt: skip
            pack.call_copy(w, o.copy, copy)
        return wanted

    def _a_copied(self, part: Panel, extent: tuple[Number, Number, Number]) -> str | None:
        """The i1 that says whether strips of A are copied: columns far apart, several panels."""
        if not self.target.masks(self.dtype):
            return None
        let, (first, end, width) = self.code.let, extent
        down = let(f"icmp eq i64 {part.a_row}, {self.size}")
        beside = let(f"and i64 {part.a_column}, {_COLLISION - 1}")
        far = let(f"icmp eq i64 {beside}, 0")
        several = let(f"icmp sgt i64 {self.writer.subtract(end, first)}, {width}")
        return let(f"and i1 {let(f'and i1 {down}, {far}')}, {several}")

    def _with_a_copied(self, wanted: str, part: Panel, strip: Number) -> Panel:
        """A strip of rows whose columns are contiguous and next to each other."""
        w = self.writer
        room = self.code.stack(f"[{DEPTH * _TALL_TILES * MOST_ROWS * self.size} x i8]")
        step = w.multiply(strip, self.size)
        with w.when(wanted):
            # A column of A is to the copying function what a row of B is.
            copy = pack.Copy(part.a, part.a_column, self.size, part.rows, part.depth, room, step)
            name = pack.copy_function(self.code.module, self.dtype, "rows", self.target)
            pack.call_copy(w, f"@{name}", copy)
        return part._replace(
            a=self._choose(wanted, room, part.a, "ptr"),
            a_column=self._choose(wanted, step, part.a_column, "i64"),
        )
