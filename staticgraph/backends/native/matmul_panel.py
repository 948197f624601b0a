"""Register tiles: the product of some rows of A with one panel of B, for any sizes and strides.

A tile of the result stays in registers while products are added to it, row by row of the panel.
A is read element by element through any strides, a row of the panel in vectors. Rows beyond the
result repeat its last row and are not stored; columns beyond it are masked; so nothing outside the
operands is touched. An element is summed from the first product to the last.
"""

from __future__ import annotations

from typing import NamedTuple

from staticgraph.backends.native.ir import Code, Module, memory_type, vector
from staticgraph.backends.native.matmul_code import HOT_LEVEL, Number, Target, Writer
from staticgraph.backends.native.matmul_shape import Tile
from staticgraph.core.dtypes import DType

# A tile with so few steps is written without a loop.
_STRAIGHT_STEPS = 64


class Panel(NamedTuple):
    """The operands of a panel; steps are in bytes.

    columns   how many are inside the result: the tile's or fewer
    add       the i1 that says whether the sums join what `c` holds; None: they replace it
    """

    a: str
    b: str
    c: str
    rows: Number
    columns: Number
    depth: Number
    a_row: Number
    a_column: Number
    b_row: Number
    c_row: Number
    add: str | None


class PanelWriter:
    """Writes the tiles of one panel into a function."""

    def __init__(self, writer: Writer, dtype: DType, tile: Tile, masked: bool) -> None:
        self.writer, self.code = writer, writer.code
        self.dtype, self.size, self.tile = dtype, dtype.itemsize, tile
        self.masked = masked
        self.type = vector(memory_type(dtype), tile.lanes)

    def write(self, panel: Panel) -> None:
        """All tiles, from the first row to the last."""
        w, tile = self.writer, self.tile
        self.panel = panel
        self.whole_rows = isinstance(panel.rows, int) and panel.rows % tile.rows == 0
        self.whole_columns = isinstance(panel.columns, int) and panel.columns >= tile.columns
        self.masks: list[str | None] = [None] * tile.vectors
        if self.masked:
            left = [w.subtract(panel.columns, tile.lanes * v) for v in range(tile.vectors)]
            self.masks = [w.mask(count, tile.lanes) for count in left]
        with w.loop(0, panel.rows, tile.rows, once=True) as row:
            rows = w.minimum(w.subtract(panel.rows, row), tile.rows)
            if self.whole_rows:
                rows = tile.rows
            c = w.at(panel.c, w.multiply(row, panel.c_row))
            sums = self._sums(w.at(panel.a, w.multiply(row, panel.a_row)), rows)
            self._store(sums, c, rows)

    # -- sums -------------------------------------------------------------------------------------

    def _sums(self, a: str, rows: Number) -> list[list[str]]:
        """The sums of one tile."""
        w, tile, depth = self.writer, self.tile, self.panel.depth
        zero = "zeroinitializer"
        if tile.lanes == 1:
            zero = "0.0" if self.dtype.kind == "f" else "0"
        zeros = [[zero] * tile.vectors for _ in range(tile.rows)]
        inside: list[Number] = list(range(tile.rows))
        if not self.whole_rows:
            last = w.subtract(rows, 1)
            inside = [0, *(w.minimum(i, last) for i in inside[1:])]
        steps = [w.multiply(i, self.panel.a_row) for i in inside]
        if isinstance(depth, int) and depth * tile.rows * tile.vectors <= _STRAIGHT_STEPS:
            sums = zeros
            for k in range(depth):
                b = w.at(self.panel.b, w.multiply(k, self.panel.b_row))
                here = w.at(a, w.multiply(k, self.panel.a_column))
                sums = self._step([w.at(here, step) for step in steps], b, sums)
            return sums
        return self._loop(a, steps, zeros)

    def _loop(self, a: str, steps: list[Number], zeros: list[list[str]]) -> list[list[str]]:
        code, w, panel = self.code, self.writer, self.panel
        before, body, done = code.block, code.label("sum"), code.label("summed")
        certain = isinstance(panel.depth, int) and panel.depth > 0
        if certain:
            code.jump(body)
        else:
            code.branch(code.let(f"icmp sgt i64 {panel.depth}, 0"), body, done)
        code.begin(body)
        left, a_place, b_place = code.phi("i64"), code.phi("ptr"), code.phi("ptr")
        for phi, initial in ((left, str(panel.depth)), (a_place, a), (b_place, panel.b)):
            phi.add(initial, before)
        phis = [[code.phi(self.type) for _ in row] for row in zeros]
        sums = [[phi.name for phi in row] for row in phis]
        # One index register serves all rows, one pointer each: two would not fit beside the rest.
        sums = self._step([w.at(a_place.name, step) for step in steps], b_place.name, sums)
        for row, row_phis, row_zeros in zip(sums, phis, zeros, strict=True):
            for value, phi, zero in zip(row, row_phis, row_zeros, strict=True):
                phi.add(zero, before)
                phi.add(value, body)
        following = code.let(f"add i64 {left.name}, -1")
        left.add(following, body)
        a_place.add(w.at(a_place.name, panel.a_column), body)
        b_place.add(w.at(b_place.name, panel.b_row), body)
        code.branch(code.let(f"icmp sgt i64 {following}, 0"), body, done)
        code.begin(done)
        if certain:
            return sums
        return [
            [self._either(zero, before, total, body) for zero, total in zip(*pair, strict=True)]
            for pair in zip(zeros, sums, strict=True)
        ]

    def _either(self, first: str, first_block: str, second: str, second_block: str) -> str:
        phi = self.code.phi(self.type)
        phi.add(first, first_block)
        phi.add(second, second_block)
        return phi.name

    def _step(self, a: list[str], b: str, sums: list[list[str]]) -> list[list[str]]:
        """Adds the products of one element of each row of A with one row of the panel."""
        w, lanes = self.writer, self.tile.lanes
        b_row = [
            w.load(w.at(b, v * lanes * self.size), self.dtype, lanes, mask)
            for v, mask in enumerate(self.masks)
        ]
        results = []
        for pointer, row in zip(a, sums, strict=True):
            spread = w.splat(w.load(pointer, self.dtype, 1), self.dtype, lanes)
            results.append(
                [
                    w.multiply_add(spread, element, total, self.dtype, lanes)
                    for element, total in zip(b_row, row, strict=True)
                ]
            )
        return results

    # -- results ----------------------------------------------------------------------------------

    def _store(self, sums: list[list[str]], c: str, rows: Number) -> None:
        """A tile that is whole goes to its place, any other by way of the stack, row by row."""
        code = self.code
        if not self.masked and not self.whole_columns:
            self._store_part(sums, c, rows)
            return
        if self.whole_rows:
            self._store_whole(sums, c)
            return
        at_once, part, done = code.label("whole"), code.label("part"), code.label("stored")
        code.branch(code.let(f"icmp eq i64 {rows}, {self.tile.rows}"), at_once, part)
        code.begin(at_once)
        self._store_whole(sums, c)
        code.jump(done)
        code.begin(part)
        self._store_part(sums, c, rows)
        code.jump(done)
        code.begin(done)

    def _store_whole(self, sums: list[list[str]], c: str) -> None:
        """All rows of a tile, after joining them with what is there if that is wanted."""
        w, code, lanes, add = self.writer, self.code, self.tile.lanes, self.panel.add
        rows = [c]
        for _ in sums[1:]:
            rows.append(w.at(rows[-1], self.panel.c_row))
        places = [[w.at(row, v * lanes * self.size) for v in range(self.tile.vectors)]
                  for row in rows]  # fmt: skip
        if add is not None:
            before, join, put = code.block, code.label("join"), code.label("put")
            code.branch(add, join, put)
            code.begin(join)
            totals = [
                [
                    w.sum(w.load(at, self.dtype, lanes, mask), value, self.dtype, lanes)
                    for at, value, mask in zip(*row, self.masks, strict=True)
                ]
                for row in zip(places, sums, strict=True)
            ]
            code.jump(put)
            code.begin(put)
            sums = [
                [
                    self._either(value, before, total, join)
                    for value, total in zip(*row, strict=True)
                ]
                for row in zip(sums, totals, strict=True)
            ]
        for row_places, row_sums in zip(places, sums, strict=True):
            for at, value, mask in zip(row_places, row_sums, self.masks, strict=True):
                w.store(value, at, self.dtype, lanes, mask)

    def _store_part(self, sums: list[list[str]], c: str, rows: Number) -> None:
        w, tile, size = self.writer, self.tile, self.size
        room = self.code.stack(f"[{tile.rows * tile.columns} x {memory_type(self.dtype)}]")
        for i, row in enumerate(sums):
            for v, value in enumerate(row):
                at = w.at(room, (i * tile.columns + v * tile.lanes) * size)
                w.store(value, at, self.dtype, tile.lanes)
        with w.loop(0, rows, once=True) as index:
            source = w.at(room, w.multiply(index, tile.columns * size))
            self._store_row(source, w.at(c, w.multiply(index, self.panel.c_row)))

    def _store_row(self, source: str, target: str) -> None:
        w, tile = self.writer, self.tile
        if self.masked or self.whole_columns:
            for v, mask in enumerate(self.masks):
                self._store_lanes(source, target, v * tile.lanes, tile.lanes, mask)
            return
        with w.loop(0, self.panel.columns, once=True) as j:
            self._store_lanes(source, target, j, 1, None)

    def _store_lanes(
        self, source: str, target: str, column: Number, lanes: int, mask: str | None
    ) -> None:
        w, offset = self.writer, self.writer.multiply(column, self.size)
        place = w.at(target, offset)
        value = w.load(w.at(source, offset), self.dtype, lanes)
        if self.panel.add is not None:
            type = vector(memory_type(self.dtype), lanes)
            earlier = w.load(place, self.dtype, lanes, mask)
            total = w.sum(earlier, value, self.dtype, lanes)
            value = self.code.let(f"select i1 {self.panel.add}, {type} {total}, {type} {value}")
        w.store(value, place, self.dtype, lanes, mask)


PANEL_TYPES = (
    "ptr", "ptr", "ptr", "i64", "i64", "i64", "i64", "i64", "i64", "i64", "i1",
)  # fmt: skip


def panel_function(
    module: Module, dtype: DType, tile: Tile, target: Target, whole: bool = False
) -> str:
    """The function that computes a panel in tiles of this form; its parameters are Panel's.

    whole   no column of a tile is ever outside the result, so nothing needs a mask
    """
    form = f"{tile.rows}x{tile.vectors}x{tile.lanes}{'_whole' if whole else ''}"
    name = f"matmul_panel_{dtype.name}_{form}_{target.vector_bytes}"
    if module.has_function(name):
        return name
    names = [f"%{field}" for field in Panel._fields]
    parameters = [f"{type} {field}" for type, field in zip(PANEL_TYPES, names, strict=True)]
    code = Code(module, name, "void", parameters)
    panel = Panel(*names)
    if whole:
        panel = panel._replace(columns=tile.columns)
    PanelWriter(Writer(code), dtype, tile, target.masks(dtype)).write(panel)
    code.do("ret void")
    code.finish(level=HOT_LEVEL)
    return name
