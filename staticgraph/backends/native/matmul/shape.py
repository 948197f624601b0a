"""Matrix products as data: what is multiplied, in which register tiles, and cut into which tasks.

Everything here follows from sizes, strides and the processor, never from the number of threads:
tasks are the same for any of them, and so is every sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

from staticgraph.backends.native.matmul.code import Number, Target, Writer
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
# Multiply-adds of a task: from half a microsecond to some, and enough tasks for several threads.
_LEAST_WORK = 1 << 16
_MOST_WORK = 1 << 19
_TASKS = 8
# Panels of a task with very few rows, unless that leaves one task.
_LONG_RUN = 32
# A large task has so many panels, which share what is read of A.
_TASK_PANELS = 8
# Sums that wait on the stack for the epilogue.
BLOCK_BYTES = 1 << 17


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

    With `accumulate`, the product is added to what `c` holds.

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
    accumulate: bool = False

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


class DotTile(NamedTuple):
    """So many rows of A times columns of B; `strands` sums per element, taking turns along k."""

    lanes: int
    rows: int
    columns: int
    strands: int


class Tiling(NamedTuple):
    """How the columns of a result are covered.

    main    the tile of most columns; a multiple of it makes a task
    edge    the tile of what is left over, of as many rows; None: the main one does that as well
    whole   no column of a main tile is outside the result
    """

    main: Tile
    edge: Tile | None
    whole: bool


class Grid(NamedTuple):
    """How a result is cut into tasks: a task is `rows` times `columns` of one matrix."""

    rows: Number
    columns: Number
    row_tasks: Number
    column_tasks: Number


@lru_cache(maxsize=256)
def choose_small_tile(product: Product, target: Target) -> Tile | None:
    """The tile of a product so small that its code is made for it alone; None for any other."""
    m, n, k = product.m, product.n, product.k
    if m is None or n is None or k is None or m * n * k > _SMALL_WORK or k > DEPTH:
        return None
    if m * n * product.dtype.itemsize > BLOCK_BYTES:
        return None
    strides = product.a_row, product.a_column, product.b_row, product.c_row
    if not m * n or product.b_column != 1 or None in strides:
        return None
    full = target.vector_bytes // product.dtype.itemsize
    widths = [width for width in (full, full // 2, full // 4) if width >= 1]
    tiles = [
        Tile(width, vectors, rows)
        for width in widths
        for vectors in (1, 2, 3, 4)
        for rows in range(1, min(m, _most_sums(target) // vectors) + 1)
        if target.masks(product.dtype) or n % (width * vectors) == 0
    ]
    return min(tiles, key=lambda tile: _cost(product, target, tile), default=None)


# Multiply-adds up to which a product has code of its own: there, a call would be felt.
_SMALL_WORK = 1 << 15


def _most_sums(target: Target) -> int:
    """How many accumulators leave registers for a row of B and an element of A."""
    return 24 if target.registers >= 32 else 12


def _cost(product: Product, target: Target, tile: Tile) -> float:
    """Cycles, roughly.

    Sums that wait for each other leave the units idle, and so do loads that serve few products.
    """
    assert product.m is not None and product.n is not None and product.k is not None
    width = max(tile.lanes * product.dtype.itemsize / target.vector_bytes, 0.5)
    tiles = -(-product.m // tile.rows) * -(-product.n // tile.columns)
    step = max(tile.rows * tile.vectors * width, 4.5, 0.75 * tile.rows + tile.vectors * width)
    return tiles * (product.k * step + 12 + 2 * tile.rows * tile.vectors)


def choose_tiling(product: Product, target: Target) -> Tiling:
    """The tiles of a product that shares its code with others: of few kinds, so that it does."""
    full = max(1, target.vector_bytes // product.dtype.itemsize)
    masked = target.masks(product.dtype)
    main = Tile(full, 2, _rows(product, target))
    wide = masked and layout(product.b_row, product.b_column) == "rows"
    if wide and 1 < main.rows < _USUAL_ROWS // 2:
        # Memory gives more when more of a row of B is read at a time.
        main = main._replace(vectors=16 // main.rows)
    # Masks cost a tile of two vectors a twentieth.
    whole = main.vectors == 2
    if product.n is None:
        return (
            Tiling(main, main._replace(vectors=1), whole) if full > 1 else Tiling(main, None, False)
        )
    left = product.n % main.columns
    if not left or left > full:
        return Tiling(main, None, whole and not left)
    lanes = full
    while lanes >= 2 * left and lanes * product.dtype.itemsize > 16:
        lanes //= 2
    edge = Tile(lanes, 1, main.rows)
    return Tiling(edge, None, False) if product.n <= lanes else Tiling(main, edge, whole)


# The rows of A go through the nearest cache side by side. It holds 8 lines of an address modulo
# its way size, and row lengths that are powers of two are common.
_USUAL_ROWS = 8


def _rows(product: Product, target: Target) -> int:
    """Rows of a tile: the usual number, unless a result of few rows would waste much of it."""
    usual = _USUAL_ROWS if target.registers >= 32 else 6
    if product.m is None or product.m <= 0:
        return usual
    if product.m <= usual:
        return product.m
    wasted = -product.m % usual / product.m
    if wasted < 0.03:
        return usual
    most = _most_sums(target) // 2
    return min(range(most, usual // 2, -1), key=lambda rows: -product.m % rows)  # type: ignore[operator]


def choose_dot_tile(product: Product, target: Target) -> DotTile | None:
    """The tile of dot products, where they are the better way; None otherwise."""
    p, lanes = product, target.vector_bytes // product.dtype.itemsize
    if p.m is None or p.m > 4 or p.a_column != 1 or p.b_row != 1:
        return None
    if not target.masks(p.dtype) and (p.k is None or p.k % lanes):
        return None
    most = min(lanes, 8 if p.m == 1 else (4 if target.registers >= 32 or p.m == 2 else 2))
    columns = 1
    while columns < most and (p.n is None or columns < p.n):
        columns *= 2
    strands = 1
    while strands * columns * p.m < 8:
        strands *= 2
    return DotTile(lanes, p.m, columns, strands)


class Unit(NamedTuple):
    """The tile that tasks are multiples of."""

    rows: int
    columns: int


def grid_unit(product: Product, target: Target) -> Unit:
    """The unit of the tasks of a product."""
    if choose_small_tile(product, target) is not None:
        assert product.m is not None and product.n is not None
        return Unit(product.m, product.n)
    dot = choose_dot_tile(product, target)
    if dot is not None:
        rows, columns = dot.rows, dot.columns
    else:
        main = choose_tiling(product, target).main
        rows, columns = main.rows, main.columns
    return Unit(rows, columns)


def grid(writer: Writer, sizes: tuple[Number, Number, Number], unit: Unit) -> Grid:
    """The tasks of one matrix.

    A task has all rows, so that a panel of B is copied once at most, and as many panels as make it
    worth a task. Rows are cut where there are too few panels for several threads.
    """
    w, (m, n, k), (rows, columns) = writer, sizes, unit
    row_tiles = w.maximum(w.divide_up(m, rows), 1)
    panels = w.maximum(w.divide_up(n, columns), 1)
    # Few rows leave the processor waiting for memory, which is worth as much as products.
    height = w.maximum(w.minimum(m, rows), 4)
    work = w.multiply(w.maximum(k, 1), w.multiply(height, columns))
    total = w.multiply(work, w.multiply(row_tiles, panels))
    worth = w.minimum(w.maximum(w.divide(total, _TASKS), _LEAST_WORK), _MOST_WORK)
    wanted = w.divide_up(worth, work)
    tasks = w.minimum(w.divide_up(w.multiply(row_tiles, panels), wanted), 2 * _TASKS)
    cuts = w.divide_up(tasks, panels)
    task_rows = w.divide_up(row_tiles, w.minimum(cuts, row_tiles))
    row_tasks = w.divide_up(row_tiles, task_rows)
    spread = w.divide(w.multiply(row_tasks, panels), _TASKS)
    most_panels = w.maximum(
        w.maximum(w.divide(wanted, task_rows), _least_panels(w, m, panels)),
        w.minimum(spread, _TASK_PANELS),
    )
    task_panels = w.divide_up(panels, w.divide_up(panels, most_panels))
    return Grid(
        w.multiply(task_rows, rows),
        w.multiply(task_panels, columns),
        row_tasks,
        w.divide_up(panels, task_panels),
    )


def _least_panels(writer: Writer, m: Number, panels: Number) -> Number:
    """A result of few rows is as fast as memory, which gives most in long runs, and to two."""
    w = writer
    run = w.minimum(w.divide_up(panels, 2), _LONG_RUN)
    if isinstance(m, int):
        return run if m < 4 else 1
    few = w.code.let(f"icmp slt i64 {m}, 4")
    return w.code.let(f"select i1 {few}, i64 {run}, i64 1")


def grain(writer: Writer, m: Number, n: Number, k: Number, whole: Grid) -> Number:
    """How many tasks make a chunk that is worth a thread's attention."""
    w = writer
    rows, columns = w.minimum(whole.rows, m), w.minimum(whole.columns, n)
    work = w.maximum(w.multiply(w.multiply(rows, columns), k), 1)
    return w.maximum(w.divide(_LEAST_WORK, work), 1)


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


# What a slot holds of the transposed product, whose operands have changed places.
_SWAPPED_SLOTS = {
    SLOT_A: SLOT_B, SLOT_B: SLOT_A, SLOT_C: SLOT_C, SLOT_M: SLOT_N, SLOT_N: SLOT_M, SLOT_K: SLOT_K,
    SLOT_A_ROW: SLOT_B_COLUMN, SLOT_A_COLUMN: SLOT_B_ROW,
    SLOT_B_ROW: SLOT_A_COLUMN, SLOT_B_COLUMN: SLOT_A_ROW, SLOT_C_ROW: SLOT_C_ROW,
}  # fmt: skip


def swapped(product: Product) -> Product:
    """The transposed product: the operands change places and are read by columns."""
    p = product
    return replace(
        p, m=p.n, n=p.m, a_row=p.b_column, a_column=p.b_row, b_row=p.a_column, b_column=p.a_row,
        batch=tuple(BatchAxis(axis.size, axis.b, axis.a, axis.c) for axis in p.batch),
    )  # fmt: skip


def read_numbers(writer: Writer, arguments: str, product: Product, swapped: bool) -> Numbers:
    """Sizes, and strides in bytes: known ones from the product, the others from their slots.

    A product that is `swapped` reads the slots of the one that it was made from.
    """
    w, size = writer, product.dtype.itemsize

    def number(known: int | None, slot: int, factor: int) -> Number:
        if known is None:
            found: Number = w.slot(arguments, _SWAPPED_SLOTS[slot] if swapped else slot)
        else:
            found = known
        return w.multiply(found, factor)

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
    writer: Writer, arguments: str, product: Product, batch: Number, swapped: bool
) -> tuple[str, str, str]:
    """The addresses of a, b and c of matrix `batch`, whose number runs over all batch axes."""
    w, size = writer, product.dtype.itemsize
    slots = (SLOT_B, SLOT_A, SLOT_C) if swapped else (SLOT_A, SLOT_B, SLOT_C)
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
            slot = base + 1 + slots[operand]
            step = w.slot(arguments, slot) if stride is None else stride
            distance = w.multiply(w.multiply(index, step), size)
            offsets[operand] = w.add(offsets[operand], distance)
    a, b, c = (
        w.at(w.slot(arguments, slot, "ptr"), offset)
        for slot, offset in zip(slots, offsets, strict=True)
    )
    return a, b, c
