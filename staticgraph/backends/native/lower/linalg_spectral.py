"""Lowerings of eigh, svd and qr by LAPACK, and of their values alone.

Arrays are stored by rows, which to LAPACK is the transposed matrix: its left singular vectors are
our right ones, and its LQ factors are our QR factors transposed. So results stand by rows as they
come; eigenvectors alone come by columns, and are seen through a view.
"""

from __future__ import annotations

from functools import partial

from staticgraph.backends.native.kernels.code import KernelCode, larger, smaller
from staticgraph.backends.native.linalg.kernel import (
    Fortran,
    MatrixKernel,
    copied,
    turned,
    where_some,
)
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.indexing import done
from staticgraph.backends.native.lower.linalg import cube, resized, square_dims
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import Size
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.node import Node, Value


def at_least_one(program: Program, size: Size) -> str:
    """A size as LAPACK may be asked about it."""
    return larger(program, program.text(size), "1")


# -- symmetric matrices ---------------------------------------------------------------------------


@lowering("eigh", "eigvalsh")
def lower_eigh(program: Program, node: Node) -> None:
    """Eigenvectors in place of a copy, by divide and conquer (syevd, heevd)."""
    given = program.array(node.inputs[0])
    dims = square_dims(program, node, given)
    source = resized(given, dims)
    values = program.result(node.outputs[0], dims[:-1], node.outputs[0].type.dtype)
    vectors = program.allocate(dims, given.dtype)

    def write() -> None:
        # What is Hermitian is another matrix when it is transposed: LAPACK gets it by columns.
        by_columns = given.dtype in dtypes.COMPLEX
        copied(program, node, turned(source) if by_columns else source, vectors)
        _Eigen(program, node, values, vectors).write()

    where_some(program, dims, write)
    program.hold(node.outputs[0], values)
    if node.op.name == "eigh":
        program.hold(node.outputs[1], turned(vectors))
    else:
        program.free(vectors.buffer)
    done(program, node)


class _Eigen:
    """The call of syevd or heevd for a batch."""

    def __init__(self, program: Program, node: Node, values: Array, vectors: Array) -> None:
        self.program, self.node, self.values, self.vectors = program, node, values, vectors
        self.size, self.dtype = vectors.dims[-1], vectors.dtype
        self.complex = self.dtype in dtypes.COMPLEX
        self.name = "heevd" if self.complex else "syevd"
        self.task = "V" if node.op.name == "eigh" else "N"
        # To LAPACK the lower triangle of rows is the upper one.
        self.triangle = "L" if node.attrs["lower"] == self.complex else "U"

    def write(self) -> None:
        """Writes the kernel and its call."""
        program, size, dtype = self.program, self.size, self.dtype
        part = dtypes.part_of(dtype)
        counts = self._counts()
        work = MatrixKernel(program, self.node, self.vectors.dims[:-2], cube(size).times(Size(8)))
        kernel, code = work.kernel, work.code
        calls = Fortran(code, dtype)
        kinds = (dtype, part, dtypes.int32) if self.complex else (dtype, dtypes.int32)
        rooms: list[str] = []
        for count, kind in zip(counts, kinds, strict=True):
            rooms += [work.room(count, kind), calls.integer(kernel.argument(count))]
        extent = kernel.size(size)
        number, info = calls.integer(extent), calls.room()
        elements = code.let(f"mul i64 {extent}, {extent}")

        def decompose(index: str) -> None:
            pointer = work.pointer(self.vectors, index)
            work.if_finite(pointer, elements, dtype, lambda: calls.call(
                self.name, calls.letter(self.task), calls.letter(self.triangle), number, pointer,
                number, work.pointer(self.values, index, 1), *rooms, info,
            ), info)  # fmt: skip

        work.run(decompose)

    def _counts(self) -> list[str]:
        """How many elements of each kind of room are wanted."""
        program = self.program
        size = program.text(self.size)
        calls = Fortran(program.code, self.dtype)
        number, room, unknown = calls.integer(size), calls.room(), calls.integer("-1")
        lwork = calls.asked(
            self.name,
            (calls.letter(self.task), calls.letter(self.triangle), number, room, number, room),
            (room, unknown) * (2 if self.complex else 1),
        )
        five = program.arithmetic("mul", size, "5")
        integers = program.arithmetic("add", five, "3") if self.task == "V" else "1"
        if not self.complex:
            return [lwork, integers]
        square = program.arithmetic("mul", program.arithmetic("mul", size, size), "2")
        parts = program.arithmetic("add", program.arithmetic("add", five, "1"), square)
        return [lwork, parts if self.task == "V" else size, integers]


# -- singular values ------------------------------------------------------------------------------


@lowering("svd", "svdvals")
def lower_svd(program: Program, node: Node) -> None:
    """Divide and conquer (gesdd) of a copy."""
    source = program.array(node.inputs[0])
    dtype = source.dtype
    batch, (rows, columns) = source.dims[:-2], source.dims[-2:]
    least = least_size(program, node.outputs[0] if node.op.name == "svdvals" else node.outputs[1],
                   rows, columns)  # fmt: skip
    if node.op.name == "svdvals":
        task, left, right = "N", None, None
        values = program.result(node.out, (*batch, least), node.out.type.dtype)
    else:
        full = node.attrs["full_matrices"]
        task = "A" if full else "S"
        left = program.result(node.outputs[0], (*batch, rows, rows if full else least), dtype)
        values = program.result(node.outputs[1], (*batch, least), node.outputs[1].type.dtype)
        right = program.result(
            node.outputs[2], (*batch, columns if full else least, columns), dtype
        )
        if full:
            _units(program, node, least, left, right)
    svd = _Svd(program, node, source, task, least)
    where_some(program, (*batch, least), lambda: svd.write(left, values, right))
    for value, array in zip(node.outputs, [values] if left is None else [left, values, right],
                            strict=True):  # fmt: skip
        assert array is not None
        program.hold(value, array)
    done(program, node)


def least_size(program: Program, value: Value, rows: Size, columns: Size, axis: int = -1) -> Size:
    """The smaller one of two sizes, which is the size of an axis of `value`."""
    if rows == columns:
        return rows
    declared = None if value.type.shape is None else value.type.shape[axis]
    if isinstance(declared, int):
        return Size(declared)
    return program.size(smaller(program, program.text(rows), program.text(columns)))


def _units(program: Program, node: Node, least: Size, *arrays: Array) -> None:
    """Unit matrices for vectors of matrices without elements."""
    if least.known is not None and least.known > 0:
        return
    code = program.code
    condition = code.let(f"icmp eq i64 {program.text(least)}, 0") if least.names else "true"
    inside, after = code.label(), code.label()
    code.branch(condition, inside, after)
    code.begin(inside)
    program.enter_block()
    for array in arrays:
        where_some(program, array.dims, partial(_unit, program, node, array))
    program.leave_block()
    code.jump(after)
    code.begin(after)


def _unit(program: Program, node: Node, array: Array) -> None:
    work = MatrixKernel(program, node, array.dims[:-2], array.dims[-1].times(array.dims[-1]))
    kernel = work.kernel
    extent = kernel.size(array.dims[-1])
    zero, one = [kernel.scalar.constant(value, array.dtype) for value in (0, 1)]

    def fill(index: str) -> None:
        pointer = work.pointer(array, index)
        kernel.loop("0", extent, lambda row: kernel.loop("0", extent, lambda column: work.set(
            kernel.scalar.where(equal(kernel, row, column), one, zero), array, pointer, row, column
        )))  # fmt: skip

    work.run(fill, lapack=False)


def equal(kernel: KernelCode, first: str, second: str) -> Register:
    """Whether two numbers are equal, as a register."""
    return Register(kernel.code.let(f"icmp eq i64 {first}, {second}"), dtypes.bool_)


class _Svd:
    """The call of gesdd for a batch."""

    def __init__(self, program: Program, node: Node, source: Array, task: str, least: Size) -> None:
        self.program, self.node, self.source = program, node, source
        self.task, self.least = task, least
        # To LAPACK the matrix is transposed.
        self.columns, self.rows = source.dims[-2:]

    def write(self, left: Array | None, values: Array, right: Array | None) -> None:
        """Writes the kernel and its call."""
        program, node, source = self.program, self.node, self.source
        dtype = source.dtype
        matrices = copied(program, node, source)
        asked = self._asked()
        cost = self.least.times(self.rows).times(self.columns).times(Size(8))
        work = MatrixKernel(program, node, source.dims[:-2], cost)
        kernel, code = work.kernel, work.code
        calls = Fortran(code, dtype)
        eight = program.arithmetic("mul", program.text(self.least), "8")
        room, integers = work.room(asked, dtype), work.room(eight, dtypes.int32)
        parts = self._parts(work)
        lwork = calls.integer(kernel.argument(asked))
        rows, columns = [kernel.size(size) for size in (self.rows, self.columns)]
        of_rows, of_columns = calls.integer(rows), calls.integer(columns)
        inner = of_columns if self.task == "A" else calls.integer(kernel.size(self.least))
        info, unused = calls.room(), calls.room("double")
        count = code.let(f"mul i64 {rows}, {columns}")

        def decompose(index: str) -> None:
            pointer = work.pointer(matrices, index)
            first = unused if right is None else work.pointer(right, index)
            second = unused if left is None else work.pointer(left, index)
            work.if_finite(pointer, count, dtype, lambda: calls.call(
                "gesdd", calls.letter(self.task), of_rows, of_columns, pointer, of_rows,
                work.pointer(values, index, 1), first, of_rows, second, inner,
                room, lwork, *parts, integers, info,
            ), info)  # fmt: skip

        work.run(decompose)
        program.free(matrices.buffer)

    def _parts(self, work: MatrixKernel) -> list[str]:
        """Room for real numbers, which complex matrices want."""
        program, dtype = self.program, self.source.dtype
        if dtype not in dtypes.COMPLEX:
            return []
        least = program.text(self.least)
        longer = larger(program, program.text(self.rows), program.text(self.columns))
        # Without vectors 7 k are enough, with them the larger one of 5 k k + 5 k and
        # 2 m k + 2 k k + k: here their sum.
        wide = program.arithmetic("mul", longer, "2")
        seven = program.arithmetic("mul", least, "7")
        each = program.arithmetic("add", program.arithmetic("add", wide, seven), "7")
        return [work.room(program.arithmetic("mul", least, each), dtypes.part_of(dtype))]

    def _asked(self) -> str:
        program = self.program
        calls = Fortran(program.code, self.source.dtype)
        rows, columns, least = [
            calls.integer(program.text(size)) for size in (self.rows, self.columns, self.least)
        ]
        inner = columns if self.task == "A" else least
        room = calls.room("double")
        return calls.asked(
            "gesdd",
            (calls.letter(self.task), rows, columns, room, rows, room, room, rows, room, inner),
            (room, room) if self.source.dtype in dtypes.COMPLEX else (room,),
        )


# -- orthogonal and triangular factors ------------------------------------------------------------


@lowering("qr")
def lower_qr(program: Program, node: Node) -> None:
    """LQ factors of the transposed matrix (gelqf), the orthogonal one made of them (orglq)."""
    source = program.array(node.inputs[0])
    dtype = source.dtype
    batch, (rows, columns) = source.dims[:-2], source.dims[-2:]
    inner = rows
    if not node.attrs["complete"]:
        inner = least_size(program, node.outputs[0], rows, columns)
    orthogonal = program.result(node.outputs[0], (*batch, rows, inner), dtype)
    upper = program.result(node.outputs[1], (*batch, inner, columns), dtype)
    where_some(program, (*batch, rows, inner), lambda: _Qr(
        program, node, source, orthogonal, upper
    ).write())  # fmt: skip
    program.hold(node.outputs[0], orthogonal)
    program.hold(node.outputs[1], upper)
    done(program, node)


class _Qr:
    """The calls for a batch. There are rows; columns there may be none."""

    def __init__(
        self, program: Program, node: Node, source: Array, orthogonal: Array, upper: Array
    ) -> None:
        self.program, self.node, self.source = program, node, source
        self.orthogonal, self.upper = orthogonal, upper
        # To LAPACK the matrix is transposed.
        self.columns, self.rows = source.dims[-2:]
        self.inner = orthogonal.dims[-1]
        self.made_of = "unglq" if source.dtype in dtypes.COMPLEX else "orglq"

    def write(self) -> None:
        """Writes the kernel and its call."""
        program, source = self.program, self.source
        dtype = source.dtype
        matrices = copied(program, self.node, source)
        shared = smaller(program, program.text(self.rows), program.text(self.columns))
        asked = self._asked(shared)
        cost = self.rows.times(self.columns).times(self.columns).times(Size(2))
        work = MatrixKernel(program, self.node, source.dims[:-2], cost)
        calls = Fortran(work.code, dtype)
        kernel = work.kernel
        room = work.room(asked, dtype)
        scales = work.room(larger(program, shared, "1"), dtype)
        lwork = calls.integer(kernel.argument(asked))
        shared = kernel.argument(shared)
        rows, columns, inner = [
            calls.integer(kernel.size(size)) for size in (self.rows, self.columns, self.inner)
        ]
        reflectors, info = calls.integer(shared), calls.room()
        some_columns = work.code.let(f"icmp sgt i64 {shared}, 0")

        def decompose(index: str) -> None:
            matrix = work.pointer(matrices, index)
            q = work.pointer(self.orthogonal, index)
            kernel.when(some_columns, lambda: calls.call(
                "gelqf", rows, columns, matrix, rows, scales, room, lwork, info
            ))  # fmt: skip
            self._take_upper(work, matrix, work.pointer(self.upper, index), shared)
            self._take_reflectors(work, matrix, q, shared)
            calls.call(
                self.made_of, inner, columns, reflectors, q, inner, scales, room, lwork, info
            )

        work.run(decompose)
        program.free(matrices.buffer)

    def _asked(self, shared: str) -> str:
        """The room that both calls want."""
        program = self.program
        calls = Fortran(program.code, self.source.dtype)
        rows = calls.integer(at_least_one(program, self.rows))
        columns, inner = [calls.integer(program.text(size)) for size in (self.columns, self.inner)]
        room = calls.room("double")
        first = calls.asked("gelqf", (rows, columns, room, rows, room))
        second = calls.asked(
            self.made_of, (inner, columns, calls.integer(shared), room, inner, room)
        )
        return larger(program, first, second)

    def _take_upper(self, work: MatrixKernel, matrix: str, upper: str, shared: str) -> None:
        kernel, code, dtype = work.kernel, work.code, self.source.dtype
        width = kernel.size(self.rows)
        zero = kernel.scalar.constant(0, dtype)

        def row(number: str) -> None:
            source = kernel.offset(matrix, dtype, number, self.rows)
            target = kernel.offset(upper, dtype, number, self.rows)
            known = code.let(f"icmp slt i64 {number}, {shared}")
            begin = code.let(f"select i1 {known}, i64 {number}, i64 {width}")
            begin = code.intrinsic("smin.i64", "i64", [("i64", begin), ("i64", width)])
            kernel.loop("0", begin, lambda column: kernel.store(
                zero, kernel.offset(target, dtype, column)
            ))  # fmt: skip
            kernel.loop(begin, width, lambda column: kernel.store(
                kernel.load(dtype, kernel.offset(source, dtype, column)),
                kernel.offset(target, dtype, column),
            ))  # fmt: skip

        kernel.loop("0", kernel.size(self.inner), row)

    def _take_reflectors(self, work: MatrixKernel, matrix: str, q: str, shared: str) -> None:
        kernel, dtype = work.kernel, self.source.dtype

        def row(number: str) -> None:
            source = kernel.offset(matrix, dtype, number, self.rows)
            target = kernel.offset(q, dtype, number, self.inner)
            kernel.loop("0", shared, lambda column: kernel.store(
                kernel.load(dtype, kernel.offset(source, dtype, column)),
                kernel.offset(target, dtype, column),
            ))  # fmt: skip

        kernel.loop("0", kernel.size(self.columns), row)
