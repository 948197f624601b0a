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
from staticgraph.backends.native.matmul_shape import (
    BatchAxis,
    Product,
    choose_tile,
    grain,
    grid,
)
from staticgraph.backends.native.matmul_tile import Epilogue, Place, TileKernel

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
    tile = choose_tile(product, target)
    code = TileKernel(module, "KERNEL", product, target, tile, epilogue, contract).write()
    text = code.text()
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    name = f"matmul_{digest}"
    if not module.has_function(name):
        module.add_function(name, text.replace("@KERNEL(", f"@{name}(", 1))
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
    m, n, k = sizes
    tile = choose_tile(product, target)
    whole = grid(w, m, n, k, tile)
    count = w.multiply(w.multiply(whole.row_tasks, whole.column_tasks), batch)
    elements = w.multiply(m, n)
    if isinstance(elements, int):
        count = count if elements else 0
    else:
        empty = code.let(f"icmp eq i64 {elements}, 0")
        count = code.let(f"select i1 {empty}, i64 0, i64 {count}")
    return Tasks(count, grain(w, m, n, k, whole))
