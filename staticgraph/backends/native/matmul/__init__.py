"""Matrix products as machine code: what lowering asks for, and gets a kernel.

`write_kernel` adds ``void @name(ptr args, i64 lo, i64 hi)`` to a module, which computes tasks lo to
hi of a product; `count_tasks` says how many tasks there are and how many make a chunk for
``sg_parallel_for``. A kernel needs no workspace, calls nothing of the runtime, and gives the same
bits for any chunks. Equal products and epilogues share one function.

The kernel of a program is a few lines: it says what is multiplied, calls a function that any
program may share, and takes the result through the epilogue while it is in cache. The shared
functions are a part of the module by themselves, which the next program finds compiled.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import NamedTuple

from staticgraph.backends.native.ir import Code, Module
from staticgraph.backends.native.matmul.code import HOT_LEVEL, Number, Target, Writer
from staticgraph.backends.native.matmul.dot import DOT_TYPES, Dots, dot_function
from staticgraph.backends.native.matmul.finish import Epilogue, Job, Place, finish_block
from staticgraph.backends.native.matmul.panel import Panel, PanelWriter
from staticgraph.backends.native.matmul.shape import (
    BLOCK_BYTES,
    BatchAxis,
    DotTile,
    Product,
    choose_dot_tile,
    choose_small_tile,
    choose_tiling,
    grain,
    grid,
    grid_unit,
    layout,
    swapped,
)
from staticgraph.backends.native.matmul.task import Block, TaskWriter, on_stack

__all__ = [
    "BatchAxis",
    "Epilogue",
    "Number",
    "Place",
    "Product",
    "Target",
    "Tasks",
    "count_tasks",
    "write_kernel",
]


class Tasks(NamedTuple):
    """How many tasks a product has, and how many of them make a chunk."""

    number: Number
    grain: Number


def write_kernel(
    module: Module,
    product: Product,
    target: Target,
    epilogue: Epilogue | None = None,
    contract: bool = False,
) -> str:
    """Adds the kernel of a product to the module, once for equal text; its name.

    The slots of the arguments are those of shape.py, filled where the product does not know the
    number, then the epilogue's own, which start at `Product.slots`.
    """
    job = _job(product, target, epilogue, contract)
    code = Code(module, "KERNEL", "void", ["ptr %args", "i64 %lo", "i64 %hi"])
    _write(job, Writer(code), module)
    text = code.text()
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    name = f"matmul_{digest}"
    if not module.has_function(name):
        module.add_function(name, text.replace("@KERNEL(", f"@{name}(", 1), level=0)
    return name


def _job(product: Product, target: Target, epilogue: Epilogue | None, contract: bool) -> Job:
    """A result of one column is computed as one row, since vectors go along rows."""
    one_column = product.n == 1 and product.m != 1 and product.c_row == 1
    if one_column:
        product = swapped(product)
    return Job(product, target, epilogue, contract, one_column)


def _write(job: Job, writer: Writer, hot: Module) -> None:
    """The tasks one by one, each in whichever way suits the product."""
    w, product, target = writer, job.product, job.target
    small, dot = choose_small_tile(product, target), choose_dot_tile(product, target)
    tiling = None if small or dot else choose_tiling(product, target)
    tasks = TaskWriter(w, product, target, tiling, job.swapped)
    with w.loop("%lo", "%hi", once=True) as task:
        block, a, b = tasks.block(task)
        if job.epilogue is None:
            _sums(job, hot, tasks, (block, a, b, tasks.numbers.c_row))
        elif small is not None:
            room, c_row = _room(w), product.dtype.itemsize * (product.n or 0)
            _sums(job, hot, tasks, (block._replace(c=room), a, b, c_row))
            finish_block(job, w, block, (room, c_row, tasks.numbers.c_row))
        else:
            _finished_parts(job, hot, tasks, (block, a, b))
    w.code.do("ret void")


def _room(writer: Writer) -> str:
    return writer.code.stack(f"[{BLOCK_BYTES} x i8]")


# Rows of a part that waits for its epilogue, if that many make whole tiles: so few that its sums
# are still in the nearest caches; more where b is copied for each part.
_PART_ROWS, _COPIED_PART_ROWS = 96, 240


def _finished_parts(job: Job, hot: Module, tasks: TaskWriter, what: tuple[Block, str, str]) -> None:
    """Computes a block in parts that fit on the stack, and takes each through the epilogue.

    What the epilogue reads may be what the result replaces, so sums cannot wait in the result.
    """
    w, product, (block, a, b) = tasks.writer, job.product, what
    assert not product.accumulate
    size, unit = product.dtype.itemsize, tasks.unit.columns
    room = _room(w)
    in_place = layout(product.b_row, product.b_column) == "rows"
    whole = _PART_ROWS if in_place else _COPIED_PART_ROWS
    whole -= whole % tasks.unit.rows
    rows = w.minimum(w.subtract(block.end_row, block.first_row), whole)
    panels = w.divide(BLOCK_BYTES // size // unit, rows)
    width = w.multiply(w.maximum(panels, 1), unit)
    with (
        w.loop(block.first_row, block.end_row, rows, once=True) as row,
        w.loop(block.first_column, block.end_column, width, once=True) as first,
    ):
        part = block._replace(
            first_row=row, end_row=w.minimum(block.end_row, w.add(row, rows)),
            first_column=first, end_column=w.minimum(block.end_column, w.add(first, width)),
        )  # fmt: skip
        sums, c_row = on_stack(w, part, room, size)
        _sums(job, hot, tasks, (sums, a, b, c_row))
        finish_block(job, w, part, (sums.c, c_row, tasks.numbers.c_row))


def _sums(job: Job, hot: Module, tasks: TaskWriter, what: tuple[Block, str, str, Number]) -> None:
    """Computes a block, in whichever way suits the product; the rows of the result are given."""
    w, product, target, (block, a, b, c_row) = tasks.writer, job.product, job.target, what
    small, dot = choose_small_tile(product, target), choose_dot_tile(product, target)
    if small is not None:
        name = _small_function(hot, product, target, c_row)
        w.call(name, [("ptr", a), ("ptr", b), ("ptr", block.c)])
    elif dot is not None:
        _dots(hot, tasks, dot, what)
    elif product.m is None and (few := choose_dot_tile(replace(product, m=1), target)):
        # Which way is better only the run knows.
        with w.either(tasks.single()) as otherwise:
            _dots(hot, tasks, few, what)
            otherwise()
            tasks.compute(hot, block, a, b, c_row)
    else:
        tasks.compute(hot, block, a, b, c_row)


def _dots(
    hot: Module, tasks: TaskWriter, tile: DotTile, what: tuple[Block, str, str, Number]
) -> None:
    """Computes a block of few rows as dot products."""
    (block, a, b, c_row), numbers, product = what, tasks.numbers, tasks.product
    dots = Dots(
        a, b, block.c, block.first_column, block.end_column, numbers.k, numbers.a_row,
        numbers.b_column, c_row, "true" if product.accumulate else "false",
    )  # fmt: skip
    name = dot_function(hot, product.dtype, tile, tasks.target.masks(product.dtype))
    tasks.writer.call(name, list(zip(DOT_TYPES, dots, strict=True)))


def _small_function(hot: Module, product: Product, target: Target, c_row: Number) -> str:
    """The function of one small product, all of whose sizes and strides are in its text."""
    p, size, dtype = product, product.dtype.itemsize, product.dtype
    tile = choose_small_tile(product, target)
    assert tile is not None
    assert isinstance(c_row, int)
    known = p.m, p.n, p.k, p.a_row, p.a_column, p.b_row, c_row // size
    numbers = [number for number in known if number is not None]
    assert len(numbers) == len(known)
    m, n, k, *strides = numbers
    words = "_".join(str(number).replace("-", "m") for number in numbers)
    name = f"matmul_small_{dtype.name}_{words}_{'add' if p.accumulate else 'set'}"
    name += f"_{target.vector_bytes}"
    if hot.has_function(name):
        return name
    code = Code(hot, name, "void", ["ptr %a", "ptr %b", "ptr %c"])
    w = Writer(code)
    add = "true" if p.accumulate else None
    a_row, a_column, b_row, _ = [stride * size for stride in strides]
    with w.loop(0, n, tile.columns) as column:
        columns = tile.columns if n % tile.columns == 0 else w.subtract(n, column)
        b, c = (w.at(pointer, w.multiply(column, size)) for pointer in ("%b", "%c"))
        panel = Panel("%a", b, c, m, columns, k, a_row, a_column, b_row, c_row, add)
        PanelWriter(w, dtype, tile, target.masks(dtype), panel).write()
    code.do("ret void")
    code.finish(level=HOT_LEVEL)
    return name


def count_tasks(
    code: Code,
    product: Product,
    target: Target,
    sizes: tuple[Number, Number, Number],
    batch: Number = 1,
) -> Tasks:
    """The tasks of a product of these sizes (m, n, k) over `batch` matrices.

    Numbers that are known cost no code. A result without elements has no tasks.
    """
    w = Writer(code)
    job = _job(product, target, None, False)
    m, n, k = sizes
    if job.swapped:
        m, n = n, m
    whole = grid(w, (m, n, k), grid_unit(job.product, target))
    count = w.multiply(w.multiply(whole.row_tasks, whole.column_tasks), batch)
    elements = w.multiply(m, n)
    if isinstance(elements, int):
        count = count if elements else 0
    else:
        empty = code.let(f"icmp eq i64 {elements}, 0")
        count = code.let(f"select i1 {empty}, i64 0, i64 {count}")
    return Tasks(count, grain(w, m, n, k, whole))
