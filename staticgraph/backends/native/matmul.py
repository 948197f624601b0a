"""Matrix products as machine code: what lowering asks for, and gets a kernel.

`write_kernel` adds ``void @name(ptr args, i64 lo, i64 hi)`` to a module, which computes tasks lo to
hi of a product; `count_tasks` says how many tasks there are and how many make a chunk for
``sg_parallel_for``. A kernel needs no workspace, calls nothing of the runtime, and gives the same
bits for any chunks. Equal products and epilogues share one function.

Code generation must allocate registers across blocks: with codegen level 0, the accumulators would
live in memory. Level 1 is as good as 2.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from staticgraph.backends.native.ir import Code, Module
from staticgraph.backends.native.matmul_code import Number, Target, Writer
from staticgraph.backends.native.matmul_dot import DotKernel
from staticgraph.backends.native.matmul_finish import Epilogue, Job, Place, finish_block
from staticgraph.backends.native.matmul_panel import Panel, PanelWriter
from staticgraph.backends.native.matmul_shape import (
    BatchAxis,
    Numbers,
    Product,
    Tile,
    Tiling,
    choose_dot_tile,
    choose_small_tile,
    choose_tiling,
    grain,
    grid,
    grid_unit,
    swapped,
)
from staticgraph.backends.native.matmul_task import TaskWriter

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

    The slots of its arguments are those of matmul_shape, then the epilogue's own, which start at
    `Product.slots`.
    """
    job = _job(product, target, epilogue, contract)
    code = _write(module, job)
    text = code.text()
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    name = f"matmul_{digest}"
    if not module.has_function(name):
        module.add_function(name, text.replace("@KERNEL(", f"@{name}(", 1))
    return name


def _job(product: Product, target: Target, epilogue: Epilogue | None, contract: bool) -> Job:
    """A result of one column is computed as one row, since vectors go along rows."""
    one_column = product.n == 1 and product.m != 1 and product.c_row == 1
    if one_column:
        product = swapped(product)
    return Job(product, target, epilogue, contract, one_column)


def _write(module: Module, job: Job) -> Code:
    """The kernel, in whichever way suits the product."""
    dot = choose_dot_tile(job.product, job.target)
    if dot is not None:
        return DotKernel(module, "KERNEL", job, dot).write()
    code = Code(module, "KERNEL", "void", ["ptr %args", "i64 %lo", "i64 %hi"])
    w = Writer(code)
    small = choose_small_tile(job.product, job.target)
    tiling = Tiling(small, None) if small else choose_tiling(job.product, job.target)
    tasks = TaskWriter(w, job.product, job.target, tiling, job.swapped)
    with w.loop("%lo", "%hi", once=True) as task:
        block, a, b = tasks.block(task)
        if small:
            _small(job, w, small, tasks.numbers, (a, b, block.c))
        else:
            tasks.compute(block, a, b)
        if job.epilogue is not None:
            finish_block(job, w, block, tasks.numbers.c_row)
    code.do("ret void")
    return code


def _small(
    job: Job, writer: Writer, tile: Tile, numbers: Numbers, pointers: tuple[str, str, str]
) -> None:
    """A small product, written for its sizes: whole panels at known addresses."""
    w, dtype, (a, b, c) = writer, job.product.dtype, pointers
    n, size = numbers.n, dtype.itemsize
    panels = PanelWriter(w, dtype, tile, job.target.masks(dtype))
    add = "true" if job.product.accumulate else None
    assert isinstance(n, int)
    with w.loop(0, n, tile.columns) as column:
        columns = tile.columns if n % tile.columns == 0 else w.subtract(n, column)
        offset = w.multiply(column, size)
        panel = Panel(
            a, w.at(b, offset), w.at(c, offset), numbers.m, columns, numbers.k,
            numbers.a_row, numbers.a_column, numbers.b_row, numbers.c_row, add,
        )  # fmt: skip
        panels.write(panel)


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
    whole = grid(w, (m, n, k), *grid_unit(job.product, target))
    count = w.multiply(w.multiply(whole.row_tasks, whole.column_tasks), batch)
    elements = w.multiply(m, n)
    if isinstance(elements, int):
        count = count if elements else 0
    else:
        empty = code.let(f"icmp eq i64 {elements}, 0")
        count = code.let(f"select i1 {empty}, i64 0, i64 {count}")
    return Tasks(count, grain(w, m, n, k, whole))
