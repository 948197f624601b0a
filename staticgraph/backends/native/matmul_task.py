"""Tasks of a matrix product: which block of the result a number means, and how it is computed.

One function computes any task of any product of a dtype and layout: sizes, strides and tiles are
its parameters, so that a program compiles it once however many products it has. A block of the
result is complete, in all of k, when the task is done.
"""

from __future__ import annotations

from typing import NamedTuple

from staticgraph.backends.native import matmul_pack as pack
from staticgraph.backends.native.ir import Code, Module
from staticgraph.backends.native.matmul_code import Number, Target, Writer
from staticgraph.backends.native.matmul_panel import PANEL_TYPES, Panel, panel_function
from staticgraph.backends.native.matmul_shape import (
    DEPTH,
    Layout,
    Product,
    Tile,
    Tiling,
    batch_pointers,
    grid,
    grid_unit,
    layout,
    read_numbers,
)
from staticgraph.backends.native.matmul_sweep import SWEPT_BYTES, sweep_function
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
    main_columns: Number
    edge: str
    edge_columns: Number
    edge_start: Number
    # Whether the sums join what the result holds.
    add: str


_POINTERS = {"a", "b", "c", "main", "edge"}


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
        self.grid = grid(w, sizes, grid_unit(product, target))
        self.per_matrix = w.multiply(self.grid.row_tasks, self.grid.column_tasks)

    def _edge_start(self, tiling: Tiling) -> Number:
        """The first column that the edge's tile computes."""
        w, n, (main, edge) = self.writer, self.numbers.n, tiling
        if edge is None:
            return n
        left = w.subtract(n, w.multiply(w.divide(n, main.columns), main.columns))
        if isinstance(left, int):
            return w.subtract(n, left)
        narrow = w.code.let(f"icmp sle i64 {left}, {edge.columns}")
        return w.subtract(n, w.code.let(f"select i1 {narrow}, i64 {left}, i64 0"))

    def block(self, task: Number) -> tuple[Block, str, str]:
        """The block of a task, and the addresses of the A and the B of its matrix."""
        w, numbers, grid = self.writer, self.numbers, self.grid
        batch = w.divide(task, self.per_matrix) if self.product.batch else 0
        within = w.subtract(task, w.multiply(batch, self.per_matrix))
        row_task = 0 if grid.row_tasks == 1 else w.divide(within, grid.column_tasks)
        column_task = w.subtract(within, w.multiply(row_task, grid.column_tasks))
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
        functions = [self._panel(hot, main), self._panel(hot, edge)]
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
            a, b, *block[1:], numbers.k, *numbers[3:-1], c_row, functions[0], main_width,
            functions[1], edge.columns, edge_start,
            "true" if self.product.accumulate else "false",
        )  # fmt: skip
        name = block_function(hot, dtype, kind, target)
        given = [(_type(field), value) for field, value in operands._asdict().items()]
        self.writer.call(name, given)

    def _panel(self, hot: Module, tile: Tile) -> str:
        return self._declared(panel_function(hot, self.product.dtype, tile, self.target))

    def _declared(self, name: str) -> str:
        if not self.module.has_function(name):
            self.module.declare(f"declare void @{name}({', '.join(PANEL_TYPES)})")
        return f"@{name}"

    def single(self) -> str:
        """The i1 that says whether the result has one row."""
        return self.writer.code.let(f"icmp eq i64 {self.numbers.m}, 1")


def _type(field: str) -> str:
    if field in _POINTERS:
        return "ptr"
    return "i1" if field == "add" else "i64"


def block_function(module: Module, dtype: DType, kind: Layout, target: Target) -> str:
    """The function that computes a block in all of k; its parameters are those of Operands."""
    name = f"matmul_block_{dtype.name}_{kind}_{target.vector_bytes}"
    if module.has_function(name):
        return name
    fields = [f"%{field}" for field in Operands._fields]
    parameters = [f"{_type(field[1:])} {field}" for field in fields]
    code = Code(module, name, "void", parameters)
    _BlockWriter(Writer(code), dtype, kind, target).write(Operands(*fields))
    code.do("ret void")
    code.finish()
    return name


class _BlockWriter:
    """Writes the loops over blocks of k and over panels."""

    def __init__(self, writer: Writer, dtype: DType, kind: Layout, target: Target) -> None:
        self.writer, self.code = writer, writer.code
        self.dtype, self.size, self.kind, self.target = dtype, dtype.itemsize, kind, target
        self.buffer = self.code.stack(f"[{pack.buffer_bytes(target)} x i8]")

    def write(self, operands: Operands) -> None:
        """All blocks of k in order, and in each all panels: the main tile's, then the edge's."""
        w, o = self.writer, operands
        blocks = w.maximum(w.divide_up(o.k, DEPTH), 1)
        depth = w.maximum(w.divide_up(o.k, blocks), 1)
        with w.loop(0, o.k, depth, once=True) as start:
            later = self.code.let(f"icmp ne i64 {start}, 0")
            add = self.code.let(f"or i1 {later}, {o.add}")
            count = w.minimum(depth, w.subtract(o.k, start))
            edge_start = w.minimum(o.end_column, o.edge_start)
            parts = (
                (o.main, o.main_columns, o.first_column, edge_start),
                (o.edge, o.edge_columns, w.maximum(o.first_column, o.edge_start), o.end_column),
            )
            # Both tiles run through one loop: its first columns choose which.
            with w.loop(0, 2) as part:
                second = self.code.let(f"icmp ne i64 {part}, 0")
                function, width, first, end = (
                    self._choose(second, y, x, "ptr" if i == 0 else "i64")
                    for i, (x, y) in enumerate(zip(*parts, strict=True))
                )
                with w.loop(first, end, width) as column:
                    self._panel(o, function, (column, width, end), (start, count), add)

    def _choose(self, condition: str, yes: Number, no: Number, type: str) -> str:
        return self.code.let(f"select i1 {condition}, {type} {yes}, {type} {no}")

    def _panel(
        self,
        o: Operands,
        function: str,
        extent: tuple[Number, Number, Number],
        span: tuple[Number, Number],
        add: str,
    ) -> None:
        w, (column, width, end), (start, depth) = self.writer, extent, span
        a = w.at(o.a, w.add(w.multiply(o.first_row, o.a_row), w.multiply(start, o.a_column)))
        b = w.at(o.b, w.add(w.multiply(start, o.b_row), w.multiply(column, o.b_column)))
        c = w.at(o.c, w.add(w.multiply(o.first_row, o.c_row), w.multiply(column, self.size)))
        columns = w.minimum(w.subtract(end, column), width)
        rows = w.subtract(o.end_row, o.first_row)
        panel = Panel(a, b, c, rows, columns, depth, o.a_row, o.a_column, o.b_row, o.c_row, add)
        pointer, step = self._ready(o, panel, width)
        panel = panel._replace(b=pointer, b_row=step)
        given = ", ".join(f"{type} {value}" for type, value in zip(PANEL_TYPES, panel, strict=True))
        self.code.do(f"call void {function}({given})")

    def _ready(self, o: Operands, panel: Panel, width: Number) -> tuple[str, Number]:
        """The panel where it is, or a copy of it: its address and the bytes from row to row."""
        w, code = self.writer, self.code
        masked = self.target.masks(self.dtype)
        wanted = pack.copy_wanted(w, self.kind, masked, (width, self.size), panel)
        step = w.multiply(width, self.size)
        copy = pack.Copy(
            panel.b, o.b_row, o.b_column, panel.columns, panel.depth, self.buffer, step
        )
        name = pack.copy_function(code.module, self.dtype, self.kind, self.target)
        given = list(zip(pack.COPY_TYPES, copy, strict=True))
        if wanted is None:
            w.call(name, given)
            return self.buffer, step
        with w.when(wanted):
            w.call(name, given)
        pointer = self._choose(wanted, self.buffer, panel.b, "ptr")
        return pointer, self._choose(wanted, step, o.b_row, "i64")
