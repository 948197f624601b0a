"""Register tiles: the product of some rows of A with one panel of B, for any sizes and strides.

A tile of the result stays in registers while products are added to it, row by row of the panel.
A is read element by element through any strides, a row of the panel in vectors. Rows beyond the
result are its last row again, in what is read and in what is stored; columns beyond it are masked;
so nothing outside the operands is touched. An element is summed from the first product to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from staticgraph.backends.native.ir import Code, Module, memory_type, vector
from staticgraph.backends.native.matmul.code import HOT_LEVEL, Number, Target, Writer
from staticgraph.backends.native.matmul.shape import Tile
from staticgraph.core.dtypes import DType

# A tile with so few steps is written without a loop.
_STRAIGHT_STEPS = 64
# Bytes of a line of the caches.
_LINE = 64


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


class TilePlace(NamedTuple):
    """A tile within a panel: where its rows of A and of the result begin.

    a_steps   bytes from `a` to each row of the tile
    c_steps   writes what gives those from `c`: not before they are needed, after the sums
    rows      how many of them are inside the result
    """

    a: str
    c: str
    a_steps: Sequence[Number]
    c_steps: Callable[[], Sequence[Number]]
    rows: Number


class PanelWriter:
    """Writes the tiles of one panel into a function."""

    def __init__(
        self, writer: Writer, dtype: DType, tile: Tile, masked: bool, panel: Panel
    ) -> None:
        self.writer, self.code = writer, writer.code
        self.dtype, self.size, self.tile = dtype, dtype.itemsize, tile
        self.masked, self.panel = masked, panel
        self.type = vector(memory_type(dtype), tile.lanes)
        self.whole_columns = isinstance(panel.columns, int) and panel.columns >= tile.columns
        self.masks: list[str | None] = [None] * tile.vectors
        if masked:
            left = [writer.subtract(panel.columns, tile.lanes * v) for v in range(tile.vectors)]
            self.masks = [writer.mask(count, tile.lanes) for count in left]

    def write(self) -> None:
        """All tiles, from the first row to the last."""
        w, tile, panel = self.writer, self.tile, self.panel
        whole = isinstance(panel.rows, int) and panel.rows % tile.rows == 0
        with w.loop(0, panel.rows, tile.rows, once=True) as row:
            rows: Number = tile.rows
            inside: list[Number] = list(range(tile.rows))
            if not whole:
                rows = w.minimum(w.subtract(panel.rows, row), tile.rows)
                last = w.subtract(rows, 1)
                inside = [0, *(w.minimum(i, last) for i in inside[1:])]
            a_steps = [w.multiply(i, panel.a_row) for i in inside]
            a = w.at(panel.a, w.multiply(row, panel.a_row))
            c = w.at(panel.c, w.multiply(row, panel.c_row))

            def c_steps(inside: list[Number] = inside) -> list[Number]:
                return [w.multiply(i, panel.c_row) for i in inside]

            self.write_tile(TilePlace(a, c, a_steps, c_steps, rows))

    def fetch(self, c: str) -> None:
        """Asks for the lines of a tile of the result, so that they are there when its sums are."""
        w, tile, name = self.writer, self.tile, "@llvm.prefetch.p0"
        self.code.module.declare(f"declare void {name}(ptr, i32, i32, i32)")
        for _ in range(tile.rows):
            for offset in range(0, tile.columns * self.size, _LINE):
                self.code.do(f"call void {name}(ptr {w.at(c, offset)}, i32 1, i32 3, i32 1)")
            c = w.at(c, self.panel.c_row)

    def write_tile(self, place: TilePlace) -> None:
        """One tile."""
        sums = self._sums(place.a, place.a_steps)
        self._store(sums, place)

    # -- sums -------------------------------------------------------------------------------------

    def _sums(self, a: str, steps: Sequence[Number]) -> list[list[str]]:
        """The sums of one tile, whose rows of A are `steps` bytes from `a`."""
        w, tile, depth = self.writer, self.tile, self.panel.depth
        zero = "zeroinitializer"
        if tile.lanes == 1:
            zero = "0.0" if self.dtype.kind == "f" else "0"
        zeros = [[zero] * tile.vectors for _ in range(tile.rows)]
        if isinstance(depth, int) and depth * tile.rows * tile.vectors <= _STRAIGHT_STEPS:
            sums = zeros
            for k in range(depth):
                b = w.at(self.panel.b, w.multiply(k, self.panel.b_row))
                here = w.at(a, w.multiply(k, self.panel.a_column))
                sums = self._step([w.at(here, step) for step in steps], b, sums)
            return sums
        return self._loop(a, steps, zeros)

    def _loop(self, a: str, steps: Sequence[Number], zeros: list[list[str]]) -> list[list[str]]:
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

    def _store(self, sums: list[list[str]], place: TilePlace) -> None:
        """Vectors that can be stored as they are go to their places, any others by the stack.

        A row beyond the result is its last row once more: equal sums go to the same place again.
        So whatever sums join is read before anything is stored.
        """
        w, code, panel, lanes = self.writer, self.code, self.panel, self.tile.lanes
        if not self.masked and not self.whole_columns:
            self._store_part(sums, place)
            return
        rows = [w.at(place.c, step) for step in place.c_steps()]
        places = [
            [w.at(row, v * lanes * self.size) for v in range(self.tile.vectors)] for row in rows
        ]
        if panel.add == "true":
            sums = self._joined(sums, places)
        elif panel.add is not None:
            before, joins, done = code.block, code.label("joins"), code.label("joined")
            code.branch(panel.add, joins, done)
            code.begin(joins)
            joined = self._joined(sums, places)
            code.jump(done)
            code.begin(done)
            sums = [
                [
                    self._either(alone, before, total, joins)
                    for alone, total in zip(*two, strict=True)
                ]
                for two in zip(sums, joined, strict=True)
            ]
        for row, row_places in zip(sums, places, strict=True):
            for value, at, mask in zip(row, row_places, self.masks, strict=True):
                w.store(value, at, self.dtype, lanes, mask)

    def _joined(self, sums: list[list[str]], places: list[list[str]]) -> list[list[str]]:
        """The sums, added to what the result holds."""
        w, dtype, lanes = self.writer, self.dtype, self.tile.lanes
        return [
            [
                w.sum(w.load(place, dtype, lanes, mask), value, dtype, lanes)
                for value, place, mask in zip(row, row_places, self.masks, strict=True)
            ]
            for row, row_places in zip(sums, places, strict=True)
        ]

    def _store_part(self, sums: list[list[str]], place: TilePlace) -> None:
        w, tile, size = self.writer, self.tile, self.size
        room = self.code.stack(f"[{tile.rows * tile.columns} x {memory_type(self.dtype)}]")
        for i, row in enumerate(sums):
            for v, value in enumerate(row):
                at = w.at(room, (i * tile.columns + v * tile.lanes) * size)
                w.store(value, at, self.dtype, tile.lanes)
        with w.loop(0, place.rows, once=True) as index:
            source = w.at(room, w.multiply(index, tile.columns * size))
            target = w.at(place.c, w.multiply(index, self.panel.c_row))
            with w.loop(0, self.panel.columns, once=True) as column:
                self._store_element(source, target, column)

    def _store_element(self, source: str, target: str, column: Number) -> None:
        w, offset = self.writer, self.writer.multiply(column, self.size)
        place = w.at(target, offset)
        value = w.load(w.at(source, offset), self.dtype, 1)
        if self.panel.add is not None:
            type = memory_type(self.dtype)
            total = w.sum(w.load(place, self.dtype, 1), value, self.dtype, 1)
            value = self.code.let(f"select i1 {self.panel.add}, {type} {total}, {type} {value}")
        w.store(value, place, self.dtype, 1)


class TileCall(NamedTuple):
    """The parameters of a function that computes one tile; steps are in bytes.

    steps     where the steps to the rows of A stand, and MOST_ROWS places on those of the result
    rows      how many rows of the tile are inside the result
    columns   how many of its columns are
    add       1 if the sums join what `c` holds, 0 if they replace it
    """

    a: str
    b: str
    c: str
    steps: str
    rows: Number
    columns: Number
    depth: Number
    a_column: Number
    b_row: Number
    c_row: Number
    add: Number


# A parameter of type i1 would cost more to pass than all others, where code is made with the least
# effort.
TILE_TYPES = ("ptr", "ptr", "ptr", "ptr", *["i64"] * 7)
# No tile has more rows.
MOST_ROWS = 12


def tile_code(module: Module, name: str) -> tuple[Code, TileCall, Panel]:
    """A function with the parameters of a tile; the tile as a panel of which it is all."""
    call = TileCall(*[f"%{field}" for field in TileCall._fields])
    parameters = [f"{type} {text}" for type, text in zip(TILE_TYPES, call, strict=True)]
    code = Code(module, name, "void", parameters)
    add = code.entry_let(f"icmp ne i64 {call.add}, 0")
    panel = Panel(
        call.a, call.b, call.c, call.rows, call.columns, call.depth, 0, call.a_column, call.b_row,
        call.c_row, add,
    )  # fmt: skip
    return code, call, panel


def tile_function(
    module: Module, dtype: DType, tile: Tile, target: Target, whole: bool = False
) -> str:
    """The function that computes a tile of this form; its parameters are TileCall's.

    whole   no column of a tile is ever outside the result, so nothing needs a mask

    It is as little as holds the sums in registers: that needs an effort of LLVM which takes four
    times as long over each line. Which tiles there are is said by code that is made with none.
    """
    form = f"{tile.rows}x{tile.vectors}x{tile.lanes}{'_whole' if whole else ''}"
    name = f"matmul_tile_{dtype.name}_{form}_{target.vector_bytes}"
    if module.has_function(name):
        return name
    assert tile.rows <= MOST_ROWS
    code, call, panel = tile_code(module, name)
    if whole:
        panel = panel._replace(columns=tile.columns)
    w = Writer(code)

    def steps(first: int) -> list[Number]:
        return [w.slot(call.steps, first + row) for row in range(tile.rows)]

    writer = PanelWriter(w, dtype, tile, target.masks(dtype), panel)
    # What the result needs is read after the sums, for which there are few enough registers.
    place = TilePlace(call.a, call.c, steps(0), lambda: steps(MOST_ROWS), call.rows)
    writer.fetch(call.c)
    writer.write_tile(place)
    code.do("ret void")
    code.finish(level=HOT_LEVEL)
    return name
