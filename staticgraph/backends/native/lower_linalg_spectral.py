"""Lowerings of eigh, svd and qr by LAPACK, and of their values alone.

Arrays are stored by rows, which to LAPACK is the transposed matrix: its left singular vectors are
our right ones, and its LQ factors are our QR factors transposed. So results stand by rows as they
come; eigenvectors alone come by columns, and are seen through a view.
"""

from __future__ import annotations

from functools import partial

from staticgraph.backends.native.kernel_code import KernelCode, larger, smaller
from staticgraph.backends.native.linalg_kernel import (
    Fortran,
    MatrixKernel,
    copied,
    turned,
    where_some,
)
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower_indexing import done
from staticgraph.backends.native.lower_linalg import cube, resized, square_dims
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
    """Eigenvectors in place of a copy, by divide and conquer (syevd)."""
    given = program.array(node.inputs[0])
    dims = square_dims(program, node, given)
    source = resized(given, dims)
    values = program.result(node.outputs[0], dims[:-1], given.dtype)
    vectors = program.allocate(dims, given.dtype)
    wanted = node.op.name == "eigh"
    # To LAPACK the lower triangle of rows is the upper one.
    triangle = "U" if node.attrs["lower"] else "L"

    def write() -> None:
        copied(program, node, source, vectors)
        size = dims[-1]
        task = "V" if wanted else "N"
        main = Fortran(program.code, given.dtype)
        number = main.integer(program.text(size))
        whole, room = main.room(), main.room()
        program.code.do(f"store i32 1, ptr {whole}")
        lwork = main.asked(
            "syevd",
            (main.letter(task), main.letter(triangle), number, room, number, room),
            (whole, main.integer("-1")),
        )
        # 3 + 5n integers with vectors, 1 without.
        five = program.arithmetic("mul", program.text(size), "5")
        integers = program.arithmetic("add", five, "3") if wanted else "1"
        _eigen(program, node, (task, triangle), values, vectors, (lwork, integers))

    where_some(program, dims, write)
    program.hold(node.outputs[0], values)
    if wanted:
        program.hold(node.outputs[1], turned(vectors))
    else:
        program.free(vectors.buffer)
    done(program, node)


def _eigen(
    program: Program,
    node: Node,
    letters: tuple[str, str],
    values: Array,
    vectors: Array,
    rooms: tuple[str, str],
) -> None:
    size = vectors.dims[-1]
    work = MatrixKernel(program, node, vectors.dims[:-2], cube(size).times(Size(8)))
    kernel, code, dtype = work.kernel, work.code, vectors.dtype
    calls = Fortran(code, dtype)
    room, integers = work.room(rooms[0], dtype), work.room(rooms[1], dtypes.int32)
    sizes = [calls.integer(kernel.argument(text)) for text in rooms]
    extent = kernel.size(size)
    number, info = calls.integer(extent), calls.room()
    count = code.let(f"mul i64 {extent}, {extent}")

    def decompose(index: str) -> None:
        pointer = work.pointer(vectors, index)
        work.if_finite(pointer, count, dtype, lambda: calls.call(
            "syevd", calls.letter(letters[0]), calls.letter(letters[1]), number, pointer, number,
            work.pointer(values, index, 1), room, sizes[0], integers, sizes[1], info,
        ), info)  # fmt: skip

    work.run(decompose)


# -- singular values ------------------------------------------------------------------------------


@lowering("svd", "svdvals")
def lower_svd(program: Program, node: Node) -> None:
    """Divide and conquer (gesdd) of a copy."""
    source = program.array(node.inputs[0])
    dtype = source.dtype
    batch, (rows, columns) = source.dims[:-2], source.dims[-2:]
    least = _least(program, node.outputs[0] if node.op.name == "svdvals" else node.outputs[1],
                   rows, columns)  # fmt: skip
    if node.op.name == "svdvals":
        task, left, right = "N", None, None
        values = program.result(node.out, (*batch, least), dtype)
    else:
        full = node.attrs["full_matrices"]
        task = "A" if full else "S"
        left = program.result(node.outputs[0], (*batch, rows, rows if full else least), dtype)
        values = program.result(node.outputs[1], (*batch, least), dtype)
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


def _least(program: Program, value: Value, rows: Size, columns: Size) -> Size:
    """The smaller one of two sizes."""
    if rows == columns:
        return rows
    declared = None if value.type.shape is None else value.type.shape[-1]
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
                room, lwork, integers, info,
            ), info)  # fmt: skip

        work.run(decompose)
        program.free(matrices.buffer)

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
            (room,),
        )


# -- orthogonal and triangular factors ------------------------------------------------------------


@lowering("qr")
def lower_qr(program: Program, node: Node) -> None:
    """LQ factors of the transposed matrix (gelqf), and the orthogonal one made of them (orglq)."""
    source = program.array(node.inputs[0])
    dtype = source.dtype
    batch, (rows, columns) = source.dims[:-2], source.dims[-2:]
    inner = rows
    if not node.attrs["complete"]:
        inner = _least(program, node.outputs[0], rows, columns)
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
            calls.call("orglq", inner, columns, reflectors, q, inner, scales, room, lwork, info)

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
        second = calls.asked("orglq", (inner, columns, calls.integer(shared), room, inner, room))
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
