"""Panels of B for the tile kernel: where they are, or copied so that their rows are neighbours.

A panel is as wide as a tile and at most `DEPTH` rows deep; the copy is on the stack of the task
that uses it. Columns beyond the result are never read; what the copy has in their place is never
stored. A transposed B is turned over in square blocks of one vector each, any other one element by
element.
"""

from __future__ import annotations

from staticgraph.backends.native.ir import Code, memory_type, vector
from staticgraph.backends.native.matmul_code import Number, Target, Writer
from staticgraph.backends.native.matmul_shape import DEPTH, Numbers, Product, Tile, layout
from staticgraph.core.dtypes import DType

# A copy of a panel pays when so many tiles are computed with it.
_TILES_WORTH_A_COPY = 6
# A matrix of so many bytes stays in the nearest cache without being copied.
_SMALL_MATRIX = 1 << 14


class PanelPacker:
    """Writes what makes a panel of B ready, for one kernel."""

    def __init__(self, writer: Writer, product: Product, target: Target, tile: Tile) -> None:
        self.writer, self.code = writer, writer.code
        self.product, self.tile = product, tile
        self.dtype, self.size = product.dtype, product.dtype.itemsize
        self.layout = layout(product.b_row, product.b_column)
        self.masked = target.masks(product.dtype)
        self.whole = product.n is not None and product.n % tile.columns == 0
        self._buffer: str | None = None

    def panel(
        self, b: str, numbers: Numbers, columns: Number, depth: Number, rows: Number
    ) -> tuple[str, Number]:
        """The address of row 0 of the panel that starts at `b`, and the bytes from row to row."""
        if self.layout != "rows":
            self._copy(b, numbers, columns, depth)
            return self.buffer, self.tile.columns * self.size
        needed = self._needed(columns)
        if needed is None:
            wanted = self._wanted(rows)
            if wanted is None:
                return b, numbers.b_row
        else:
            wanted = needed
        if wanted == "true":
            self._copy(b, numbers, columns, depth)
            return self.buffer, self.tile.columns * self.size
        return self._either(wanted, b, numbers, columns, depth)

    @property
    def buffer(self) -> str:
        """The room for a copy; a block of a transposed matrix may fill rows beyond the depth."""
        if self._buffer is None:
            count = (DEPTH + self.tile.lanes) * self.tile.columns
            self._buffer = self.code.stack(f"[{count} x {memory_type(self.dtype)}]")
        return self._buffer

    def _needed(self, columns: Number) -> str | None:
        """The condition on which B cannot be read where it is; None for never."""
        if self.masked or self.whole:
            return None
        return self.code.let(f"icmp slt i64 {columns}, {self.tile.columns}")

    def _wanted(self, rows: Number) -> str | None:
        """The condition on which a copy pays; None for never."""
        p = self.product
        if p.k is not None and p.n is not None and p.k * p.n * self.size <= _SMALL_MATRIX:
            return None
        least = _TILES_WORTH_A_COPY * self.tile.rows
        if p.m is not None:
            return "true" if p.m >= least else None
        return self.code.let(f"icmp sge i64 {rows}, {least}")

    def _either(
        self, wanted: str, b: str, numbers: Numbers, columns: Number, depth: Number
    ) -> tuple[str, Number]:
        code = self.code
        buffer, before = self.buffer, code.block
        copy, ready = code.label("copy"), code.label("ready")
        code.branch(wanted, copy, ready)
        code.begin(copy)
        self._copy(b, numbers, columns, depth)
        code.jump(ready)
        after = code.block
        code.begin(ready)
        pointer, step = code.phi("ptr"), code.phi("i64")
        pointer.add(b, before)
        pointer.add(buffer, after)
        step.add(str(numbers.b_row), before)
        step.add(str(self.tile.columns * self.size), after)
        return pointer.name, step.name

    # -- copies -----------------------------------------------------------------------------------

    def _copy(self, b: str, numbers: Numbers, columns: Number, depth: Number) -> None:
        inside = self.writer.minimum(columns, self.tile.columns)
        if self.layout == "columns" and self.size >= 4 and self.tile.lanes > 1:
            self._turn(b, numbers, inside, depth)
        elif self.layout == "rows" and (self.masked or self.whole):
            self._copy_rows(b, numbers, inside, depth)
        else:
            self._copy_elements(b, numbers, inside, 0, depth)

    def _copy_rows(self, b: str, numbers: Numbers, columns: Number, depth: Number) -> None:
        w, tile = self.writer, self.tile
        width = tile.lanes * self.size
        masks = [None if self.whole else w.mask(w.subtract(columns, v * tile.lanes), tile.lanes)
                 for v in range(tile.vectors)]  # fmt: skip
        with w.loop(0, depth) as k:
            source = w.at(b, w.multiply(k, numbers.b_row))
            target = w.at(self.buffer, w.multiply(k, tile.columns * self.size))
            for v, mask in enumerate(masks):
                row = w.load(w.at(source, v * width), self.dtype, tile.lanes, mask)
                w.store(row, w.at(target, v * width), self.dtype, tile.lanes, align=width)

    def _copy_elements(
        self, b: str, numbers: Numbers, columns: Number, start: Number, depth: Number
    ) -> None:
        w = self.writer
        with w.loop(start, depth) as k:
            source = w.at(b, w.multiply(k, numbers.b_row))
            target = w.at(self.buffer, w.multiply(k, self.tile.columns * self.size))
            with w.loop(0, columns) as j:
                element = w.load(w.at(source, w.multiply(j, numbers.b_column)), self.dtype, 1)
                w.store(element, w.at(target, w.multiply(j, self.size)), self.dtype, 1)

    def _turn(self, b: str, numbers: Numbers, columns: Number, depth: Number) -> None:
        """Copies a B whose columns are contiguous."""
        w, tile = self.writer, self.tile
        lanes, row = tile.lanes, tile.columns * self.size
        name = _turn_function(self.code, self.dtype, lanes, self.masked)
        # Without masks, the rows that do not fill a block are copied element by element.
        end = depth if self.masked else w.multiply(w.divide(depth, lanes), lanes)
        with w.loop(0, columns, lanes, once=True) as j, w.loop(0, end, lanes) as k:
            source = w.at(b, w.add(w.multiply(j, numbers.b_column), w.multiply(k, self.size)))
            target = w.at(self.buffer, w.add(w.multiply(k, row), w.multiply(j, self.size)))
            self.code.do(
                f"call void @{name}(ptr {source}, i64 {numbers.b_column}, "
                f"i64 {w.subtract(columns, j)}, i64 {w.subtract(depth, k)}, "
                f"ptr {target}, i64 {row})"
            )
        if not self.masked:
            self._copy_elements(b, numbers, columns, end, depth)


def _turn_function(code: Code, dtype: DType, lanes: int, masked: bool) -> str:
    """The function that transposes a block of `lanes` columns of `lanes` elements.

    Columns from `columns` on repeat the last one, elements from `depth` on are not read where the
    processor has masks.
    """
    name = f"matmul_turn_{dtype.name}_{lanes}"
    if code.module.has_function(name):
        return name
    parameters = ["ptr %source", "i64 %step", "i64 %columns", "i64 %depth", "ptr %target",
                  "i64 %row"]  # fmt: skip
    turn = Code(code.module, name, "internal void", parameters)
    w = Writer(turn)
    mask = w.mask("%depth", lanes) if masked else None
    last = w.subtract("%columns", 1)
    block = []
    for j in range(lanes):
        column = w.at("%source", w.multiply(w.minimum(j, last), "%step"))
        block.append(w.load(column, dtype, lanes, mask))
    type = vector(memory_type(dtype), lanes)
    half = 1
    while half < lanes:
        low = [lane if not lane & half else lanes + lane - half for lane in range(lanes)]
        high = [lane + half if not lane & half else lanes + lane for lane in range(lanes)]
        for j in [j for j in range(lanes) if not j & half]:
            pair = block[j], block[j + half]
            block[j] = _shuffle(turn, type, lanes, pair, low)
            block[j + half] = _shuffle(turn, type, lanes, pair, high)
        half *= 2
    for k, row in enumerate(block):
        w.store(row, w.at("%target", w.multiply(k, "%row")), dtype, lanes)
    turn.do("ret void")
    turn.finish("noinline nounwind")
    return name


def _shuffle(code: Code, type: str, lanes: int, pair: tuple[str, str], order: list[int]) -> str:
    numbers = ", ".join(f"i32 {lane}" for lane in order)
    return code.let(
        f"shufflevector {type} {pair[0]}, {type} {pair[1]}, <{lanes} x i32> <{numbers}>"
    )
