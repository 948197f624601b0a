"""Lowerings of factors and systems: cholesky, lu_factor, triangular systems, diagonals.

Arrays are stored by rows, which to LAPACK is the transposed matrix: what it finds of the upper
triangle of that is what was asked of the lower one, and a system with the rows of its solutions in
order is solved from the right. So nothing is transposed but what an LU factorization needs.
"""

from __future__ import annotations

from staticgraph.backends.native.linalg.kernel import (
    Fortran,
    MatrixKernel,
    columns_of,
    copied,
    is_by_columns,
    let_go,
    rows_stacked,
    stacked,
    step_of,
    where_some,
)
from staticgraph.backends.native.linalg.small import (
    Cholesky,
    SmallLu,
    SmallTriangle,
    fills_lanes,
    small_or_not,
)
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.indexing import done
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.sizes import Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.node import Node


def square_dims(program: Program, node: Node, array: Array) -> tuple[Size, ...]:
    """The dims of square matrices; fails in the run where they are not."""
    rows, columns = array.dims[-2:]
    program.require_equal(rows, columns, node)
    size = rows if not rows.names else columns
    return (*array.dims[:-2], size, size)


def resized(array: Array, dims: tuple[Size, ...]) -> Array:
    """An array with dims that are known to be equal to its own."""
    return Array(array.buffer, array.pointer, array.dtype, dims, array.strides)


def cube(size: Size) -> Size:
    """The third power of a size."""
    return size.times(size).times(size)


# -- cholesky -------------------------------------------------------------------------------------


@lowering("cholesky")
def lower_cholesky(program: Program, node: Node) -> None:
    """The factor in place of a copy."""
    given = program.array(node.inputs[0])
    dims = square_dims(program, node, given)
    source = resized(given, dims)
    result = program.result(node.out, dims, given.dtype)

    def by_lapack() -> None:
        copied(program, node, source, result)
        _cholesky(program, node, result)

    def in_lanes() -> None:
        stack = source if step_of(source) is not None else copied(program, node, source)
        Cholesky(program, node, stack, result).write()
        let_go(program, stack, source)

    def write() -> None:
        if fills_lanes(dims[:-2]):
            small_or_not(program, result, in_lanes, by_lapack)
        else:
            by_lapack()

    where_some(program, dims, write)
    program.hold(node.out, result)
    done(program, node)


def _cholesky(program: Program, node: Node, result: Array) -> None:
    size = result.dims[-1]
    work = MatrixKernel(program, node, result.dims[:-2], cube(size))
    kernel, code = work.kernel, work.code
    calls = Fortran(code, result.dtype)
    extent = kernel.size(size)
    number, info = calls.integer(extent), calls.room()
    upper = node.attrs["upper"]
    zero = kernel.scalar.constant(0, result.dtype)

    def factor(index: str) -> None:
        pointer = work.pointer(result, index)
        calls.call("potrf", calls.letter("L" if upper else "U"), number, pointer, number, info)
        work.fail_if_info(info)

        def clear(row: str) -> None:
            start = kernel.offset(pointer, result.dtype, row, result.strides[-2])
            after = code.let(f"add i64 {row}, 1")
            begin, end = ("0", row) if upper else (after, extent)
            kernel.loop(begin, end, lambda column: kernel.store(
                zero, kernel.offset(start, result.dtype, column)
            ))  # fmt: skip

        kernel.loop("0", extent, clear)

    work.run(factor)


# -- triangular systems ---------------------------------------------------------------------------


def system_dims(
    program: Program, node: Node, lhs: Array, rhs: Array
) -> tuple[tuple[Size, ...], tuple[Size, ...]]:
    """The dims of both sides of systems of one batch; fails in the run where they do not fit."""
    left = square_dims(program, node, lhs)
    program.require_equal(left[-1], rhs.dims[-2], node)
    batch = []
    for first, second in zip(left[:-2], rhs.dims[:-2], strict=True):
        program.require_equal(first, second, node)
        batch.append(first if not first.names else second)
    size = left[-1] if not left[-1].names else rhs.dims[-2]
    return (*batch, size, size), (*batch, size, rhs.dims[-1])


@lowering("solve_triangular")
def lower_solve_triangular(program: Program, node: Node) -> None:
    """The solutions in place of a copy of the right-hand sides."""
    lhs, rhs = [program.array(value) for value in node.inputs]
    left, right = system_dims(program, node, lhs, rhs)
    lhs, rhs = resized(lhs, left), resized(rhs, right)
    result = program.result(node.out, right, rhs.dtype)
    attrs = node.attrs

    def solve(triangle_of: type[_Triangle] | type[SmallTriangle]) -> None:
        factors = stacked(program, node, lhs)
        copied(program, node, rhs, result)
        work = MatrixKernel(program, node, right[:-2], product(right[-2:]).times(right[-2]))
        triangle = triangle_of(work, factors, result)

        def one(index: str) -> None:
            pointer = work.pointer(factors, index)
            if not attrs["unit_diagonal"]:
                work.fail_if_zero_on_diagonal(factors, pointer)
            triangle.solve(
                pointer, work.pointer(result, index), attrs["lower"], attrs["transposed"],
                attrs["unit_diagonal"],
            )  # fmt: skip

        work.run(one, lapack=triangle_of is _Triangle)
        let_go(program, factors, lhs)

    where_some(program, right, lambda: small_or_not(
        program, result, lambda: solve(SmallTriangle), lambda: solve(_Triangle)
    ))  # fmt: skip
    program.hold(node.out, result)
    done(program, node)


class _Triangle:
    """Calls that solve triangular systems in place, for right-hand sides by rows."""

    def __init__(self, work: MatrixKernel, factors: Array, result: Array) -> None:
        self.calls = calls = Fortran(work.code, result.dtype)
        self.by_columns = is_by_columns(factors)
        self.size = calls.integer(work.kernel.size(result.dims[-2]))
        self.columns = calls.integer(work.kernel.size(result.dims[-1]))
        self.one = calls.number(1.0)

    def solve(
        self, factors: str, result: str, lower: bool, transposed: bool, unit_diagonal: bool
    ) -> None:
        """Solves one system."""
        letter = self.calls.letter
        # To BLAS the unknown is transposed and stands on the left. So is a matrix stored by rows.
        as_it_is = self.by_columns == transposed
        self.calls.call(
            "trsm", letter("R"), letter("L" if lower == self.by_columns else "U"),
            letter("N" if as_it_is else "T"), letter("U" if unit_diagonal else "N"),
            self.columns, self.size, self.one, factors, self.size, result, self.columns,
        )  # fmt: skip


# -- LU factors -----------------------------------------------------------------------------------


@lowering("lu_factor")
def lower_lu_factor(program: Program, node: Node) -> None:
    """Factors by columns, seen by rows, and the exchanges of rows."""
    given = program.array(node.inputs[0])
    dims = square_dims(program, node, given)
    factors = columns_of(program, node, resized(given, dims))
    pivots = program.result(node.outputs[1], dims[:-1], dtypes.int32)

    def by_lapack() -> None:
        size = dims[-1]
        work = MatrixKernel(program, node, dims[:-2], cube(size))
        kernel = work.kernel
        calls = Fortran(work.code, given.dtype)
        number, info = calls.integer(kernel.size(size)), calls.room()

        def factor(index: str) -> None:
            exchanges = work.pointer(pivots, index, 1)
            calls.call(
                "getrf", number, number, work.pointer(factors, index), number, exchanges, info
            )

            def from_zero(row: str) -> None:
                place = kernel.offset(exchanges, dtypes.int32, row)
                one = kernel.scalar.constant(1, dtypes.int32)
                other = kernel.scalar.subtract(kernel.load(dtypes.int32, place), one)
                kernel.store(other, place)

            kernel.loop("0", kernel.size(size), from_zero)

        work.run(factor)

    where_some(program, dims, lambda: small_or_not(
        program, factors, lambda: SmallLu(program, node, factors, pivots).write(), by_lapack
    ))  # fmt: skip
    program.hold(node.outputs[0], factors)
    program.hold(node.outputs[1], pivots)
    done(program, node)


@lowering("lu_solve")
def lower_lu_solve(program: Program, node: Node) -> None:
    """The solutions in place of a copy of the right-hand sides."""
    _, given, exchanges, rhs = [program.array(value) for value in node.inputs]
    left, right = system_dims(program, node, given, rhs)
    given, rhs = resized(given, left), resized(rhs, right)
    for first, second in zip(exchanges.dims, left[:-1], strict=True):
        program.require_equal(first, second, node)
    exchanges = resized(exchanges, left[:-1])
    result = program.result(node.out, right, rhs.dtype)

    def solve(triangle_of: type[_Triangle] | type[SmallTriangle]) -> None:
        factors = stacked(program, node, given)
        pivots = rows_stacked(program, node, exchanges)
        copied(program, node, rhs, result)
        work = MatrixKernel(program, node, right[:-2], product(right[-2:]).times(right[-2]))
        triangle = triangle_of(work, factors, result)
        transposed = node.attrs["transposed"]

        def one(index: str) -> None:
            matrix, columns = work.pointer(factors, index), work.pointer(result, index)
            rows = work.pointer(pivots, index, 1)
            work.fail_if_zero_on_diagonal(factors, matrix)
            if transposed:
                triangle.solve(matrix, columns, False, True, False)
                triangle.solve(matrix, columns, True, True, True)
                _exchange(work, result, columns, rows, back=True)
            else:
                _exchange(work, result, columns, rows, back=False)
                triangle.solve(matrix, columns, True, False, True)
                triangle.solve(matrix, columns, False, False, False)

        work.run(one, lapack=triangle_of is _Triangle)
        let_go(program, factors, given)
        let_go(program, pivots, exchanges)

    where_some(program, right, lambda: small_or_not(
        program, result, lambda: solve(SmallTriangle), lambda: solve(_Triangle)
    ))  # fmt: skip
    program.hold(node.out, result)
    done(program, node)


def _exchange(work: MatrixKernel, result: Array, columns: str, pivots: str, back: bool) -> None:
    """Exchanges rows as a factorization did, or puts them back."""
    kernel, code, dtype = work.kernel, work.code, result.dtype
    extent = kernel.size(result.dims[-2])
    width = kernel.size(result.dims[-1])
    lanes = 2 * work.program.options.vector_bytes // dtype.itemsize

    def exchange(number: str) -> None:
        row = number
        if back:
            row = code.let(f"sub i64 {code.let(f'sub i64 {extent}, 1')}, {number}")
        other = kernel.load(dtypes.int32, kernel.offset(pivots, dtypes.int32, row))
        other_row = code.let(f"sext i32 {other.text} to i64")
        outside = code.let(f"icmp uge i64 {other_row}, {extent}")
        work.fail_if(outside)
        other_row = code.let(f"select i1 {outside}, i64 {row}, i64 {other_row}")
        first = kernel.offset(columns, dtype, row, result.strides[-2])
        second = kernel.offset(columns, dtype, other_row, result.strides[-2])

        def swap(column: str, lanes: int) -> None:
            places = [kernel.offset(start, dtype, column) for start in (first, second)]
            values = [kernel.load(dtype, place, lanes) for place in places]
            for value, place in zip(reversed(values), places, strict=True):
                kernel.store(value, place, lanes)

        moved = code.let(f"icmp ne i64 {row}, {other_row}")
        kernel.when(moved, lambda: kernel.vectors(
            "0", width, lanes, lambda column, builder: swap(column, builder.lanes)
        ))  # fmt: skip

    kernel.loop("0", extent, exchange)


# -- diagonals ------------------------------------------------------------------------------------


@lowering("diagonal")
def lower_diagonal(program: Program, node: Node) -> None:
    """A view: each step is one row and one column."""
    array = program.array(node.inputs[0])
    offset = node.attrs["offset"]
    rows, columns = array.dims[-2:]
    above, stride = array.strides[-2:]
    pointer = program.offset(array.pointer, array.dtype, str(max(-offset, 0)), above)
    pointer = program.offset(pointer, array.dtype, str(max(offset, 0)), stride)
    length = _length(program, rows, columns, offset)
    step = program.size(program.arithmetic("add", program.text(above), program.text(stride)))
    if length.known == 0:
        pointer = array.pointer
    view = Array(
        array.buffer, pointer, array.dtype, (*array.dims[:-2], length), (*array.strides[:-2], step)
    )
    program.hold(node.out, view)
    done(program, node)


def _length(program: Program, rows: Size, columns: Size, offset: int) -> Size:
    if rows == columns and offset == 0:
        return rows
    height = program.arithmetic("sub", program.text(rows), str(max(-offset, 0)))
    width = program.arithmetic("sub", program.text(columns), str(max(offset, 0)))
    if not height.startswith("%") and not width.startswith("%"):
        return Size(max(min(int(height), int(width)), 0))
    least = program.code.intrinsic("smin.i64", "i64", [("i64", height), ("i64", width)])
    least = program.code.intrinsic("smax.i64", "i64", [("i64", least), ("i64", "0")])
    return program.size(least)
