"""The product of one row with a matrix whose rows are contiguous: B is swept once, row by row.

The sums stay in the result, in cache, while some rows of B at a time are added to them in long
runs, which is how memory gives most. An element is summed from the first product to the last.
"""

from __future__ import annotations

from staticgraph.backends.native.ir import Module
from staticgraph.backends.native.matmul.code import HOT_LEVEL, Number, Target, Writer
from staticgraph.backends.native.matmul.panel import Panel, tile_code
from staticgraph.core.dtypes import DType

# Columns of a panel: their sums and as many elements of some rows of B fit in the nearest cache.
SWEPT_BYTES = 4096
# Rows of B that are added in one go, and vectors of a row.
_ROWS = 8
_VECTORS = 2


def sweep_function(module: Module, dtype: DType, target: Target) -> str:
    """The function that computes one row of any width; its parameters are TileCall's.

    The processor must have masks for `dtype`.
    """
    name = f"matmul_sweep_{dtype.name}_{target.vector_bytes}"
    if module.has_function(name):
        return name
    code, _, panel = tile_code(module, name)
    _SweepWriter(Writer(code), dtype, target).write(panel)
    code.do("ret void")
    code.finish(level=HOT_LEVEL)
    return name


class _SweepWriter:
    """Writes the loops over rows of B and along them."""

    def __init__(self, writer: Writer, dtype: DType, target: Target) -> None:
        self.writer, self.code = writer, writer.code
        self.dtype, self.size = dtype, dtype.itemsize
        self.lanes = target.vector_bytes // dtype.itemsize

    def write(self, panel: Panel) -> None:
        """Clears the sums unless they are added to, then adds all rows."""
        w, lanes = self.writer, self.lanes
        self.panel = panel
        assert panel.add is not None
        with (
            w.when(self.code.let(f"xor i1 {panel.add}, true")),
            w.loop(0, panel.columns, lanes, once=True) as column,
        ):
            mask = w.mask(w.subtract(panel.columns, column), lanes)
            place = w.at(panel.c, w.multiply(column, self.size))
            w.store("zeroinitializer", place, self.dtype, lanes, mask)
        together = w.multiply(w.divide(panel.depth, _ROWS), _ROWS)
        with w.loop(0, together, _ROWS) as k:
            self._rows(k, _ROWS)
        with w.loop(together, panel.depth) as k:
            self._rows(k, 1)

    def _rows(self, k: Number, count: int) -> None:
        """Adds `count` rows of B, each times its element of A."""
        w, panel, lanes = self.writer, self.panel, self.lanes
        factors, rows = [], []
        for i in range(count):
            place = w.at(panel.a, w.multiply(w.add(k, i), panel.a_column))
            factors.append(w.splat(w.load(place, self.dtype, 1), self.dtype, lanes))
            rows.append(w.at(panel.b, w.multiply(w.add(k, i), panel.b_row)))
        width = _VECTORS * lanes
        whole = w.multiply(w.divide(panel.columns, width), width)
        with w.loop(0, whole, width) as column:
            for v in range(_VECTORS):
                self._add(factors, rows, w.add(column, v * lanes), None)
        with w.loop(whole, panel.columns, lanes) as column:
            mask = w.mask(w.subtract(panel.columns, column), lanes)
            self._add(factors, rows, column, mask)

    def _add(self, factors: list[str], rows: list[str], column: Number, mask: str | None) -> None:
        w, lanes, dtype = self.writer, self.lanes, self.dtype
        offset = w.multiply(column, self.size)
        place = w.at(self.panel.c, offset)
        total = w.load(place, dtype, lanes, mask)
        for factor, row in zip(factors, rows, strict=True):
            element = w.load(w.at(row, offset), dtype, lanes, mask)
            total = w.multiply_add(factor, element, total, dtype, lanes)
        w.store(total, place, dtype, lanes, mask)
