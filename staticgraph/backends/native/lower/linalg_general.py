"""Lowerings of eig and lu, which LAPACK does to matrices by columns: they get a copy by columns."""

from __future__ import annotations

import numpy as np

from staticgraph.backends.native.ir import memory_type
from staticgraph.backends.native.kernels.code import KernelCode
from staticgraph.backends.native.linalg.kernel import (
    Fortran,
    MatrixKernel,
    columns_of,
    turned,
    where_some,
)
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.indexing import done
from staticgraph.backends.native.lower.linalg import cube, resized, square_dims
from staticgraph.backends.native.lower.linalg_spectral import least_size
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import Size
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.node import Node

# -- eigenvalues of any square matrices -----------------------------------------------------------


@lowering("eig", "eigvals")
def lower_eig(program: Program, node: Node) -> None:
    """The QR algorithm (geev) on a copy."""
    given = program.array(node.inputs[0])
    dims = square_dims(program, node, given)
    whole = node.outputs[0].type.dtype
    values = program.result(node.outputs[0], dims[:-1], whole)
    vectors = program.allocate(dims, whole) if node.op.name == "eig" else None
    where_some(program, dims, lambda: _General(
        program, node, columns_of(program, node, resized(given, dims)), values, vectors
    ).write())  # fmt: skip
    program.hold(node.outputs[0], values)
    if vectors is not None:
        program.hold(node.outputs[1], turned(vectors))
    done(program, node)


class _General:
    """The call of geev for a batch. Vectors come by columns, and are seen through a view."""

    def __init__(
        self, program: Program, node: Node, source: Array, values: Array, vectors: Array | None
    ) -> None:
        self.program, self.node, self.source = program, node, source
        self.values, self.vectors = values, vectors
        self.dtype = source.dtype
        self.part = dtypes.part_of(self.dtype)
        self.complex = self.dtype in dtypes.COMPLEX
        self.task = "N" if vectors is None else "V"
        self.size: Size = source.dims[-1]

    def write(self) -> None:
        """Writes the kernel and its call."""
        program, size = self.program, self.size
        asked = self._asked()
        twice = program.arithmetic("mul", program.text(size), "2")
        square = program.text(size.times(size))
        cost = cube(size).times(Size(16))
        work = MatrixKernel(program, self.node, self.source.dims[:-2], cost)
        kernel, code = work.kernel, work.code
        calls = Fortran(code, self.dtype)
        room, parts = work.room(asked, self.dtype), work.room(twice, self.part)
        packed = None
        if self.vectors is not None and not self.complex:
            packed = work.room(square, self.dtype)
        lwork = calls.integer(kernel.argument(asked))
        extent = kernel.size(size)
        number, info, unused = calls.integer(extent), calls.room(), calls.room("double")
        elements = code.let(f"mul i64 {extent}, {extent}")
        imaginary = kernel.offset(parts, self.part, extent)

        def decompose(index: str) -> None:
            pointer = work.pointer(self.source, index)
            values = work.pointer(self.values, index, 1)
            vectors = unused if self.vectors is None else work.pointer(self.vectors, index)
            found = vectors if packed is None else packed
            unit = self._normalized(kernel, pointer, elements)
            results = (values,) if self.complex else (parts, imaginary)
            more = (parts,) if self.complex else ()
            work.if_finite(pointer, elements, self.dtype, lambda: calls.call(
                "geev", calls.letter("N"), calls.letter(self.task), number, pointer, number,
                *results, unused, number, found, number, room, lwork, *more, info,
            ), info)  # fmt: skip
            self._scaled(kernel, values if self.complex else parts, kernel.argument(twice), unit)
            if self.complex:
                return
            kernel.loop("0", extent, lambda column: self._pair(
                work, column, (parts, imaginary), (values, vectors), packed
            ))  # fmt: skip

        work.run(decompose)
        program.free(self.source.buffer)

    def _normalized(self, kernel: KernelCode, pointer: str, elements: str) -> Register:
        """Divides a matrix by its largest element where that is very large or very small.

        geev does so itself, but some releases of OpenBLAS do not scale its eigenvalues back.
        """
        part, s, code = self.part, kernel.scalar, kernel.code
        count = code.let(f"shl i64 {elements}, 1") if self.complex else elements
        room = code.stack(memory_type(part), 8)
        zero, one = s.constant(0, part), s.constant(1, part)
        kernel.store(zero, room)

        def look(index: str) -> None:
            x = s.abs(kernel.load(part, kernel.offset(pointer, part, index)))
            kernel.store(s.maximum(x, kernel.load(part, room)), room)

        kernel.loop("0", count, look)
        largest = kernel.load(part, room)
        limits = np.finfo(part)
        small = float(np.sqrt(limits.tiny) / limits.eps)
        beyond = s.logical_or(
            s.less(largest, s.constant(small, part)), s.less(s.constant(1 / small, part), largest)
        )
        beyond = s.logical_and(beyond, s.less(zero, largest))
        unit = s.where(beyond, largest, one)

        def divide(index: str) -> None:
            place = kernel.offset(pointer, part, index)
            kernel.store(s.divide(kernel.load(part, place), unit), place)

        kernel.when(beyond.text, lambda: kernel.loop("0", count, divide))
        return unit

    def _scaled(self, kernel: KernelCode, pointer: str, count: str, unit: Register) -> None:
        """Multiplies real numbers with `unit`."""

        def multiply(index: str) -> None:
            place = kernel.offset(pointer, self.part, index)
            kernel.store(kernel.scalar.multiply(kernel.load(self.part, place), unit), place)

        kernel.loop("0", count, multiply)

    def _asked(self) -> str:
        calls = Fortran(self.program.code, self.dtype)
        number, room = calls.integer(self.program.text(self.size)), calls.room("double")
        results = (room,) if self.complex else (room, room)
        before = (
            calls.letter("N"), calls.letter(self.task), number, room, number, *results, room,
            number, room, number,
        )  # fmt: skip
        return calls.asked("geev", before, (room,) if self.complex else ())

    def _pair(
        self,
        work: MatrixKernel,
        column: str,
        parts: tuple[str, str],
        results: tuple[str, str],
        packed: str | None,
    ) -> None:
        """Value number `column` and its vector, of which a conjugate pair shares two real ones."""
        kernel, code, part = work.kernel, work.code, self.part
        real, imaginary = [kernel.load(part, kernel.offset(place, part, column)) for place in parts]
        self._put(work, results[0], column, real, imaginary)
        if packed is None:
            return
        zero = kernel.scalar.constant(0, part)
        first = kernel.scalar.less(zero, imaginary).text
        second = kernel.scalar.less(imaginary, zero).text
        before = code.let(f"sub i64 {column}, {code.let(f'zext i1 {second} to i64')}")
        after = code.let(f"add i64 {before}, 1")
        alone = code.let(f"xor i1 {code.let(f'or i1 {first}, {second}')}, true")
        # Where a vector is real the column after it may be beyond the last.
        after = code.let(f"select i1 {alone}, i64 {before}, i64 {after}")
        extent = kernel.size(self.size)
        starts = [
            kernel.offset(packed, part, code.let(f"mul i64 {place}, {extent}"))
            for place in (before, after)
        ]
        target = code.let(f"mul i64 {column}, {extent}")

        def row(number: str) -> None:
            x, y = [kernel.load(part, kernel.offset(start, part, number)) for start in starts]
            negative = kernel.scalar.negative(y)
            y = kernel.scalar.where(Register(second, dtypes.bool_), negative, y)
            y = kernel.scalar.where(Register(alone, dtypes.bool_), zero, y)
            self._put(work, results[1], code.let(f"add i64 {target}, {number}"), x, y)

        kernel.loop("0", extent, row)

    def _put(
        self, work: MatrixKernel, start: str, index: str, real: Register, imaginary: Register
    ) -> None:
        """Writes a complex number from its parts."""
        kernel = work.kernel
        place = work.code.let(f"mul i64 {index}, 2")
        place = kernel.offset(start, self.part, place)
        kernel.store(real, place)
        kernel.store(imaginary, kernel.offset(place, self.part, "1"))


# -- LU factors -----------------------------------------------------------------------------------


@lowering("lu")
def lower_lu(program: Program, node: Node) -> None:
    """Both factors in one copy (getrf), and then apart."""
    source = program.array(node.inputs[0])
    dtype = source.dtype
    batch, (rows, columns) = source.dims[:-2], source.dims[-2:]
    least = least_size(program, node.outputs[2], rows, columns, axis=-2)
    order = program.result(node.outputs[0], (*batch, rows), dtypes.int64)
    lower = program.result(node.outputs[1], (*batch, rows, least), dtype)
    upper = program.result(node.outputs[2], (*batch, least, columns), dtype)
    where_some(program, (*batch, rows), lambda: _Lu(
        program, node, columns_of(program, node, source), least
    ).write(order, lower, upper))  # fmt: skip
    for value, array in zip(node.outputs, (order, lower, upper), strict=True):
        program.hold(value, array)
    done(program, node)


class _Lu:
    """The call of getrf for a batch. There are rows; columns there may be none."""

    def __init__(self, program: Program, node: Node, factors: Array, least: Size) -> None:
        self.program, self.factors, self.least = program, factors, least
        self.rows, self.columns = factors.dims[-2:]
        cost = self.rows.times(self.columns).times(self.rows)
        self.work = MatrixKernel(program, node, factors.dims[:-2], cost)

    def write(self, order: Array, lower: Array, upper: Array) -> None:
        """Writes the kernel and its call."""
        work, program = self.work, self.program
        kernel, code = work.kernel, work.code
        calls = Fortran(code, self.factors.dtype)
        pivots = work.room(program.text(self.least), dtypes.int32)
        extents = [kernel.size(size) for size in (self.rows, self.columns, self.least)]
        rows, columns, least = extents
        of_rows, of_columns, info = calls.integer(rows), calls.integer(columns), calls.room()
        some_columns = code.let(f"icmp sgt i64 {least}, 0")

        def factor(index: str) -> None:
            pointer = work.pointer(self.factors, index)
            kernel.when(some_columns, lambda: calls.call(
                "getrf", of_rows, of_columns, pointer, of_rows, pivots, info
            ))  # fmt: skip
            self._take(pointer, lower, work.pointer(lower, index), (rows, least), unit=True)
            self._take(pointer, upper, work.pointer(upper, index), (least, columns), unit=False)
            self._order(work.pointer(order, index, 1), pivots, (rows, least))

        work.run(factor)
        program.free(self.factors.buffer)

    def _take(
        self, pointer: str, array: Array, target: str, sizes: tuple[str, str], unit: bool
    ) -> None:
        """One triangle: with `unit` the lower one, with ones on its diagonal."""
        work = self.work
        kernel, code, dtype = work.kernel, work.code, array.dtype
        zero, one = [kernel.scalar.constant(value, dtype) for value in (0, 1)]

        def element(row: str, column: str) -> None:
            place = kernel.offset(pointer, dtype, row)
            place = kernel.offset(
                place, dtype, code.let(f"mul i64 {column}, {kernel.size(self.rows)}")
            )
            compare = "sgt" if unit else "sle"
            own = Register(code.let(f"icmp {compare} i64 {row}, {column}"), dtypes.bool_)
            value = kernel.scalar.where(own, kernel.load(dtype, place), zero)
            if unit:
                same = Register(code.let(f"icmp eq i64 {row}, {column}"), dtypes.bool_)
                value = kernel.scalar.where(same, one, value)
            work.set(value, array, target, row, column)

        kernel.loop("0", sizes[0], lambda row: kernel.loop(
            "0", sizes[1], lambda column: element(row, column)
        ))  # fmt: skip

    def _order(self, target: str, pivots: str, sizes: tuple[str, str]) -> None:
        """The numbers of the rows, exchanged as the factorization did."""
        kernel, code = self.work.kernel, self.work.code
        rows, least = sizes

        def place(row: str) -> str:
            return kernel.offset(target, dtypes.int64, row)

        kernel.loop("0", rows, lambda row: kernel.store(
            Register(row, dtypes.int64), place(row)
        ))  # fmt: skip

        def exchange(row: str) -> None:
            pivot = kernel.load(dtypes.int32, kernel.offset(pivots, dtypes.int32, row))
            other = code.let(f"sub i64 {code.let(f'sext i32 {pivot.text} to i64')}, 1")
            # Of NaN a library may say that the largest is nowhere.
            inside = code.let(f"icmp ult i64 {other}, {rows}")
            other = code.let(f"select i1 {inside}, i64 {other}, i64 {row}")
            values = [kernel.load(dtypes.int64, place(number)) for number in (row, other)]
            kernel.store(values[1], place(row))
            kernel.store(values[0], place(other))

        kernel.loop("0", least, exchange)
