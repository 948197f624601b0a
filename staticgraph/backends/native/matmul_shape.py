"""Matrix products as data: what is multiplied, in which register tiles, and cut into which tasks.

Everything here follows from sizes, strides and the processor, never from the number of threads:
tasks are the same for any of them, and so is every sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from staticgraph.backends.native.matmul_code import Number, Target, Writer
from staticgraph.core.dtypes import DType

# Slots of the arguments, 8 bytes each; what is known when code is made is not read from them.
SLOT_A, SLOT_B, SLOT_C = 0, 1, 2
SLOT_M, SLOT_N, SLOT_K = 3, 4, 5
SLOT_A_ROW, SLOT_A_COLUMN, SLOT_B_ROW, SLOT_B_COLUMN, SLOT_C_ROW = 6, 7, 8, 9, 10
SLOT_BATCH = 11
BATCH_SLOTS = 4

# Products summed in one go; then the sum joins those of the blocks before. One block of a panel of
# B fits beside the rows of A in the cache next to the registers, and short sums round less.
DEPTH = 256
# Multiply-adds that are worth a task of their own: some microseconds.
_TASK_WORK = 1 << 19
# Rows of a task, in tiles, where there are that many: a packed panel of B serves all of them.
_TASK_TILES = 32


class BatchAxis(NamedTuple):
    """One axis of a batch; None stands for a number that only a run knows.

    size      how many matrices along it
    a, b, c   distances, in elements, from one matrix to the next
    """

    size: int | None
    a: int | None
    b: int | None
    c: int | None


@dataclass(frozen=True)
class Product:
    """``c[m, n] = a[m, k] @ b[k, n]``, or a batch of such products.

    Sizes and strides are ints, or None where only a run knows them. Strides are in elements and
    may be negative or 0 for `a` and `b`; the elements of a row of `c` are neighbours, its rows do
    not overlap. No operand overlaps `c`.
    """

    dtype: DType
    m: int | None = None
    n: int | None = None
    k: int | None = None
    a_row: int | None = None
    a_column: int | None = None
    b_row: int | None = None
    b_column: int | None = None
    c_row: int | None = None
    batch: tuple[BatchAxis, ...] = ()

    @property
    def slots(self) -> int:
        """How many slots of the arguments the product takes; an epilogue has those after them."""
        return SLOT_BATCH + BATCH_SLOTS * len(self.batch)


class Tile(NamedTuple):
    """A block of the result that is held in registers: `rows` times `vectors` of `lanes`."""

    lanes: int
    vectors: int
    rows: int

    @property
    def columns(self) -> int:
        """Columns of the tile."""
        return self.lanes * self.vectors


class Grid(NamedTuple):
    """How a result is cut into tasks: a task is `rows` times `columns` of one matrix."""

    rows: Number
    columns: Number
    row_tasks: Number
    column_tasks: Number


def choose_tile(product: Product, target: Target) -> Tile:
    """The tile that wastes least of the processor on the edges of the result."""
    size = product.dtype.itemsize
    best: tuple[float, Tile] | None = None
    for lanes in _widths(product, target):
        for vectors in (2, 3, 4, 1):
            for rows in _row_counts(product, target, vectors):
                tile = Tile(lanes, vectors, rows)
                cost = _cost(product, tile, lanes * size / target.vector_bytes)
                if best is None or cost < best[0]:
                    best = cost, tile
    assert best is not None
    return best[1]


def _widths(product: Product, target: Target) -> list[int]:
    """Numbers of lanes worth trying, widest first."""
    full = max(1, target.vector_bytes // product.dtype.itemsize)
    widths = [full]
    while product.n is not None and widths[-1] >= 2 * product.n and widths[-1] > 4:
        widths.append(widths[-1] // 2)
    return widths[-1:]


def _row_counts(product: Product, target: Target, vectors: int) -> list[int]:
    """Numbers of rows worth trying: the accumulators, a row of B and one of A share registers."""
    most = (target.registers - vectors - 1) // vectors
    if product.m is None or product.m > 64:
        usual = {1: 12, 2: 8, 3: 8, 4: 6} if target.registers >= 32 else {1: 8, 2: 6, 3: 4, 4: 2}
        return [min(most, usual[vectors])] if vectors != 1 else [min(most, 12)]
    most = min(most, 24 // vectors)
    return list(range(1, max(1, min(most, product.m)) + 1))


def _cost(product: Product, tile: Tile, width: float) -> float:
    """Cycles, roughly: multiply-adds that wait for each other leave units idle, edges are waste."""
    rows = 1024 if product.m is None else product.m
    columns = 1024 if product.n is None else product.n
    depth = 256 if product.k is None else max(1, product.k)
    tiles = -(-rows // tile.rows) * -(-columns // tile.columns)
    issued = max(8, tile.rows * tile.vectors)
    # A multiply-add reads registers only if what is broadcast and loaded serves several.
    loads = tile.rows + tile.vectors
    return tiles * (depth * max(issued, 1.25 * loads) * max(width, 0.5) + 24 + 2 * tile.rows)


def grid(writer: Writer, m: Number, n: Number, k: Number, tile: Tile) -> Grid:
    """The tasks of one matrix.

    A task has some tiles of rows, for the sake of the panel of B they share, and as many panels as
    make it worth a task.
    """
    w = writer
    row_tiles = w.maximum(w.divide_up(m, tile.rows), 1)
    panels = w.maximum(w.divide_up(n, tile.columns), 1)
    work = w.multiply(w.maximum(k, 1), tile.rows * tile.columns)
    wanted = w.divide_up(_TASK_WORK, work)
    # Thin results have few panels: then more rows make up the work.
    most_rows = w.maximum(w.divide_up(wanted, panels), _TASK_TILES)
    row_tasks = w.divide_up(row_tiles, most_rows)
    rows = w.divide_up(row_tiles, row_tasks)
    most_panels = w.maximum(w.divide(wanted, rows), 1)
    column_tasks = w.divide_up(panels, most_panels)
    columns = w.divide_up(panels, column_tasks)
    column_tasks = w.divide_up(panels, columns)
    row_tasks = w.divide_up(row_tiles, rows)
    return Grid(
        w.multiply(rows, tile.rows), w.multiply(columns, tile.columns), row_tasks, column_tasks
    )


def grain(writer: Writer, m: Number, n: Number, k: Number, whole: Grid) -> Number:
    """How many tasks make a chunk that is worth a thread's attention."""
    w = writer
    rows, columns = w.minimum(whole.rows, m), w.minimum(whole.columns, n)
    work = w.maximum(w.multiply(w.multiply(rows, columns), k), 1)
    return w.maximum(w.divide(_TASK_WORK // 2, work), 1)


Layout = Literal["rows", "columns", "any"]


def layout(row: int | None, column: int | None) -> Layout:
    """Which neighbours in memory are known: elements of a row, elements of a column, or none."""
    if column == 1:
        return "rows"
    return "columns" if row == 1 else "any"


class Numbers(NamedTuple):
    """The sizes and the strides in bytes, as the kernel knows them."""

    m: Number
    n: Number
    k: Number
    a_row: Number
    a_column: Number
    b_row: Number
    b_column: Number
    c_row: Number


def read_numbers(writer: Writer, arguments: str, product: Product) -> Numbers:
    """Sizes, and strides in bytes: known ones from the product, the others from their slots."""
    w, size = writer, product.dtype.itemsize

    def number(known: int | None, slot: int, factor: int) -> Number:
        value = w.slot(arguments, slot) if known is None else known
        return w.multiply(value, factor)

    return Numbers(
        number(product.m, SLOT_M, 1),
        number(product.n, SLOT_N, 1),
        number(product.k, SLOT_K, 1),
        number(product.a_row, SLOT_A_ROW, size),
        number(product.a_column, SLOT_A_COLUMN, size),
        number(product.b_row, SLOT_B_ROW, size),
        number(product.b_column, SLOT_B_COLUMN, size),
        number(product.c_row, SLOT_C_ROW, size),
    )


def batch_pointers(
    writer: Writer, arguments: str, product: Product, batch: Number
) -> tuple[str, str, str]:
    """The addresses of a, b and c of matrix `batch`, whose number runs over all batch axes."""
    w, size = writer, product.dtype.itemsize
    offsets: list[Number] = [0, 0, 0]
    rest = batch
    for axis in reversed(range(len(product.batch))):
        known = product.batch[axis]
        base = SLOT_BATCH + BATCH_SLOTS * axis
        index = rest
        if axis:
            length = w.slot(arguments, base) if known.size is None else known.size
            rest = w.divide(rest, length)
            index = w.subtract(index, w.multiply(rest, length))
        for operand, stride in enumerate(known[1:]):
            step = w.slot(arguments, base + 1 + operand) if stride is None else stride
            distance = w.multiply(w.multiply(index, step), size)
            offsets[operand] = w.add(offsets[operand], distance)
    a, b, c = (
        w.at(w.slot(arguments, slot, "ptr"), offset)
        for slot, offset in zip((SLOT_A, SLOT_B, SLOT_C), offsets, strict=True)
    )
    return a, b, c
