"""The last step of a matrix product: what becomes of finished elements, and where they are stored.

An epilogue turns the sums into what is wanted (a bias added, a tanh taken) while they are in
registers or on the stack. It is code of the caller, written into the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from staticgraph.backends.native.ir import element_type
from staticgraph.backends.native.matmul.code import Number, Target, Writer
from staticgraph.backends.native.matmul.shape import Product
from staticgraph.backends.native.matmul.task import Block
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core.dtypes import DType


class Place(NamedTuple):
    """Where in the result the lanes of a register stand.

    batch       the number of the matrix, counted over all axes of the batch
    row         the row of all lanes; of the first lane where they go down a column
    column      the column of the first lane
    downwards   the lanes are neighbours in a column: so it is where the result has one column
    mask        the i1 vector of the lanes that are inside the result; None if all are
    arguments   the arguments of the kernel: an epilogue has the slots from `Product.slots` on
    """

    writer: Writer
    batch: Number
    row: Number
    column: Number
    downwards: bool
    mask: str | None
    arguments: str

    def load(
        self, pointer: str, dtype: DType, lanes: int, row_step: Number, column_step: Number
    ) -> Register:
        """The elements of another matrix at the same places; steps are in bytes, 0 to repeat.

        Lanes outside the result are not read, and hold nothing of use.
        """
        w, code = self.writer, self.writer.code
        offset = w.add(w.multiply(self.row, row_step), w.multiply(self.column, column_step))
        start, step = w.at(pointer, offset), row_step if self.downwards else column_step
        if lanes == 1 or step == 0:
            value = w.splat(w.load(start, dtype, 1), dtype, lanes)
        elif step == dtype.itemsize:
            value = w.load(start, dtype, lanes, self.mask)
        else:
            value = w.gather(start, step, dtype, lanes, self.mask)
        if dtype.kind != "b":
            return Register(value, dtype)
        type = "i8" if lanes == 1 else f"<{lanes} x i8>"
        bits = element_type(dtype) if lanes == 1 else f"<{lanes} x i1>"
        return Register(code.let(f"trunc {type} {value} to {bits}"), dtype)


# What becomes of a finished element before it is stored: called once or twice when code is made,
# with as many lanes as `Scalars.lanes` says. The dtype of what it returns is the product's.
Epilogue = Callable[[Scalars, Register, Place], Register]


class Job(NamedTuple):
    """What a kernel is written for.

    swapped   the kernel computes the transposed product, because the result is one column
    """

    product: Product
    target: Target
    epilogue: Epilogue | None
    contract: bool
    swapped: bool


def write_result(
    job: Job,
    writer: Writer,
    value: str,
    pointer: str,
    where: tuple[Number, Number, Number],
    lanes: int,
    mask: str | None,
) -> None:
    """Stores elements of the kernel's result at (batch, row, column), through the epilogue."""
    dtype = job.product.dtype
    if job.epilogue is not None:
        batch, row, column = where
        if job.swapped:
            row, column = column, row
        place = Place(writer, batch, row, column, job.swapped, mask, "%args")
        scalars = Scalars(writer.code, lanes, job.contract)
        result = job.epilogue(scalars, Register(value, dtype), place)
        assert result.dtype == dtype
        value = result.text
    writer.store(value, pointer, dtype, lanes, mask)


def finish_block(job: Job, writer: Writer, block: Block, sums: tuple[str, Number, Number]) -> None:
    """Takes the sums of a block through the epilogue and stores them.

    `sums` is where they are, the bytes from row to row there, and those in the result.
    """
    w, dtype, (source, source_row, c_row) = writer, job.product.dtype, sums
    full = job.target.vector_bytes // dtype.itemsize
    n = job.product.n
    lanes = 2 * full
    while n is not None and lanes >= 2 * n and lanes > 1:
        lanes //= 2
    masked = job.target.masks(dtype)
    whole = n is not None and n % lanes == 0
    with w.loop(block.first_row, block.end_row, once=True) as row:
        line = (
            w.at(source, w.multiply(row, source_row)),
            w.at(block.c, w.multiply(row, c_row)),
        )
        first, end = block.first_column, block.end_column
        if not masked and not whole:
            count = w.subtract(end, first)
            middle = w.add(first, w.multiply(w.divide(count, lanes), lanes))
            _finish_row(job, w, (block.batch, row), line, (first, middle, lanes, False))
            _finish_row(job, w, (block.batch, row), line, (middle, end, 1, False))
        else:
            _finish_row(job, w, (block.batch, row), line, (first, end, lanes, not whole))


def _finish_row(
    job: Job,
    writer: Writer,
    where: tuple[Number, Number],
    line: tuple[str, str],
    extent: tuple[Number, Number, int, bool],
) -> None:
    w, dtype = writer, job.product.dtype
    first, end, lanes, masks = extent
    with w.loop(first, end, lanes) as column:
        mask = w.mask(w.subtract(end, column), lanes) if masks else None
        source, place = (w.at(start, w.multiply(column, dtype.itemsize)) for start in line)
        value = w.load(source, dtype, lanes, mask)
        write_result(job, w, value, place, (*where, column), lanes, mask)
