"""Kernels that do something with every matrix of a batch, by LAPACK or by code of their own.

The batch is divided into chunks for the threads; each has its room for work. A matrix that cannot
be done with raises a flag, and the run fails when the kernel is through. What always holds: LAPACK
is never called for a matrix without elements, and never sees more than one thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from staticgraph.backends.native.ir import Code, element_type, literal, memory_type
from staticgraph.backends.native.kernels.code import KernelCode, larger
from staticgraph.backends.native.linalg.lapack import BEGIN, END, PREFIX
from staticgraph.backends.native.program import CHUNK_WORK, Program
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.node import Node

# There is room for the work of so many chunks at the most.
_CHUNKS = 32
_LETTERS = {
    dtypes.float32: "s",
    dtypes.float64: "d",
    dtypes.complex64: "c",
    dtypes.complex128: "z",
}


# -- layouts --------------------------------------------------------------------------------------


def step_of(array: Array, axes: int = 2) -> Size | None:
    """The stride from one matrix of a batch to the next, None where there is no one stride."""
    batch = len(array.dims) - axes
    if batch == 0:
        return ZERO
    joined: Size | None = None
    count = ONE
    for dim, stride in zip(reversed(array.dims[:batch]), reversed(array.strides[:batch]),
                           strict=True):  # fmt: skip
        if dim == ONE:
            continue
        if joined is None:
            joined = stride
        elif stride != joined.times(count):
            return None
        count = count.times(dim)
    return ZERO if joined is None else joined


def is_by_rows(array: Array) -> bool:
    """Whether the rows of each matrix stand one after the other, without gaps."""
    rows, columns = array.dims[-2:]
    return (array.strides[-1] == ONE or columns == ONE) and (
        array.strides[-2] == columns or rows == ONE
    )


def is_by_columns(array: Array) -> bool:
    """Whether the columns of each matrix stand one after the other, without gaps."""
    return is_by_rows(turned(array))


def turned(array: Array) -> Array:
    """The transposed matrices, as a view."""
    return Array(
        array.buffer, array.pointer, array.dtype,
        (*array.dims[:-2], array.dims[-1], array.dims[-2]),
        (*array.strides[:-2], array.strides[-1], array.strides[-2]),
    )  # fmt: skip


def copied(program: Program, node: Node, source: Array, target: Array | None = None) -> Array:
    """The elements of `source` by rows, in new memory or in `target`."""
    made = program.allocate(source.dims, source.dtype) if target is None else target
    program.copy(source, made, node)
    return made


def columns_of(program: Program, node: Node, source: Array) -> Array:
    """A copy of `source` by columns, seen as it was."""
    return turned(copied(program, node, turned(source)))


def stacked(program: Program, node: Node, array: Array, by_columns: bool | None = None) -> Array:
    """`array`, or a copy, with matrices by rows or columns (None: either) at one distance."""
    fits = {True: is_by_columns(array), False: is_by_rows(array)}
    wanted = fits[by_columns] if by_columns is not None else any(fits.values())
    if wanted and step_of(array) is not None:
        return array
    return (columns_of if by_columns else copied)(program, node, array)


def rows_stacked(program: Program, node: Node, array: Array) -> Array:
    """Vectors without gaps, at one distance."""
    if array.strides[-1] in (ONE,) and step_of(array, 1) is not None:
        return array
    made = program.allocate(array.dims, array.dtype)
    program.copy(array, made, node)
    return made


def let_go(program: Program, made: Array, given: Array) -> None:
    """Gives back what was copied of `given`."""
    if made.buffer is not given.buffer:
        program.free(made.buffer)


# -- calls of LAPACK ------------------------------------------------------------------------------


class Fortran:
    """Writes calls of LAPACK and BLAS into a function."""

    def __init__(self, code: Code, dtype: DType) -> None:
        self.code, self.dtype = code, dtype
        self._integers: dict[tuple[str, str], str] = {}

    def letter(self, text: str) -> str:
        """The address of a letter."""
        name = f"@letter_{text}"
        self.code.module.add_global(f"{name} = internal constant i8 {ord(text)}")
        return name

    def number(self, value: float) -> str:
        """The address of a number of the dtype."""
        place = self.code.stack(element_type(self.dtype), 16)
        text = literal(value, self.dtype)
        self.code.do(f"store {element_type(self.dtype)} {text}, ptr {place}")
        return place

    def integer(self, text: str) -> str:
        """The address of an integer that has the value of an i64."""
        place = self.code.stack("i32", 4)
        short = text
        if text.startswith("%"):
            short = self.code.let(f"trunc i64 {text} to i32")
        self.code.do(f"store i32 {short}, ptr {place}")
        return place

    def room(self, type: str = "i32") -> str:
        """The address of one element on the stack."""
        return self.code.stack(type, 8)

    def call(self, name: str, *arguments: str) -> None:
        """Calls the function for the dtype; `name` lacks its first letter."""
        full = f"{PREFIX}{_LETTERS[self.dtype]}{name}"
        types = ", ".join(["ptr"] * len(arguments))
        self.code.module.declare(f"declare void @{full}({types})")
        given = ", ".join([f"ptr {argument}" for argument in arguments])
        self.code.do(f"call void @{full}({given})")

    def asked(self, name: str, before: tuple[str, ...], after: tuple[str, ...] = ()) -> str:
        """The room that a function wants, which it says when it is asked with a size of -1.

        before, after   its arguments before the room and after the size, without the last
        """
        # Of a complex number the real part tells.
        element = element_type(dtypes.part_of(self.dtype))
        room = self.code.stack(element_type(self.dtype), 16)
        self.code.do(f"store {element} 0x0000000000000000, ptr {room}")
        self.call(name, *before, room, self.integer("-1"), *after, self.room())
        found = self.code.let(f"load {element}, ptr {room}")
        count = self.code.let(f"fptosi {element} {found} to i64")
        # What does not fit a float exactly may have been rounded down.
        spare = self.code.let(f"ashr i64 {count}, 20")
        count = self.code.let(f"add i64 {count}, {spare}")
        return self.code.intrinsic("smax.i64", "i64", [("i64", count), ("i64", "1")])


# -- kernels --------------------------------------------------------------------------------------


class MatrixKernel:
    """A kernel over the matrices of a batch; `code` and `kernel` write into it.

    work   simple operations that one matrix costs
    """

    def __init__(self, program: Program, node: Node, batch: tuple[Size, ...], work: Size) -> None:
        self.program, self.node = program, node
        self.kernel = KernelCode(program)
        self.code = self.kernel.code
        self.count = product(batch)
        self.grain = None if self.count == ONE else _grain(program, self.count, work)
        self._flag: str | None = None
        self._chunk: str | None = None
        self._rooms: list[Array] = []

    def pointer(self, array: Array, index: str, axes: int = 2) -> str:
        """Where matrix (or, with one axis, vector) number `index` begins."""
        step = step_of(array, axes)
        assert step is not None
        base = self.kernel.argument(array.pointer, "ptr")
        return self.kernel.offset(base, array.dtype, index, step)

    def room(self, size: str, dtype: DType) -> str:
        """Memory for `size` elements that no other chunk uses."""
        program = self.program
        chunks = ONE if self.grain is None else program.chunks(self.count, self.grain)
        array = program.allocate((chunks, program.size(size)), dtype)
        self._rooms.append(array)
        base = self.kernel.argument(array.pointer, "ptr")
        if self.grain is None:
            return base
        if self._chunk is None:
            self._chunk = self.code.let(f"sdiv i64 %lo, {self.kernel.argument(self.grain)}")
        return self.kernel.offset(base, dtype, self._chunk, array.strides[0])

    def fail_if(self, condition: str) -> None:
        """Lets the run fail where the i1 `condition` holds; the kernel goes on."""
        if self._flag is None:
            self._flag = self.program.code.stack("i8", 8)
            self.program.code.do(f"store i8 0, ptr {self._flag}")
        flag = self.kernel.argument(self._flag, "ptr")
        self.kernel.when(condition, lambda: self.code.do(f"store i8 1, ptr {flag}"))

    def fail_if_info(self, info: str) -> None:
        """Lets the run fail where LAPACK has found something wrong."""
        found = self.code.let(f"load i32, ptr {info}")
        self.fail_if(self.code.let(f"icmp ne i32 {found}, 0"))

    def if_finite(
        self, pointer: str, count: str, dtype: DType, call: Callable[[], None], info: str
    ) -> None:
        """Writes a call for elements that are finite, and lets the run fail where one is not."""
        kernel, code = self.kernel, self.code
        if dtype in dtypes.COMPLEX:
            dtype, count = dtypes.part_of(dtype), code.let(f"shl i64 {count}, 1")
        total = code.stack(memory_type(dtype), 8)
        zero = kernel.scalar.constant(0, dtype)
        kernel.store(zero, total)

        def look(index: str) -> None:
            x = kernel.load(dtype, kernel.offset(pointer, dtype, index))
            nothing = kernel.scalar.instruction("fmul", x, zero)
            before = kernel.load(dtype, total)
            kernel.store(kernel.scalar.instruction("fadd", before, nothing), total)

        kernel.loop("0", count, look)
        found = kernel.scalar.isnan(kernel.load(dtype, total)).text
        self.fail_if(found)

        def inside() -> None:
            call()
            self.fail_if_info(info)

        kernel.when(code.let(f"xor i1 {found}, true"), inside)

    def fail_if_zero_on_diagonal(self, array: Array, pointer: str) -> None:
        """Lets the run fail where an element of the diagonal is 0."""
        kernel = self.kernel

        def look(index: str) -> None:
            place = kernel.offset(pointer, array.dtype, index, array.strides[-2])
            place = kernel.offset(place, array.dtype, index, array.strides[-1])
            x = kernel.load(array.dtype, place)
            self.fail_if(kernel.scalar.equal(x, kernel.scalar.constant(0, array.dtype)).text)

        kernel.loop("0", kernel.size(array.dims[-1]), look)

    def set(self, value: Register, array: Array, pointer: str, row: str, column: str) -> None:
        """Writes one element of a matrix."""
        place = self.kernel.offset(pointer, array.dtype, row, array.strides[-2])
        place = self.kernel.offset(place, array.dtype, column, array.strides[-1])
        self.kernel.store(value, place)

    def run(self, body: Callable[[str], None], lapack: bool = True) -> None:
        """Ends the kernel, which does what `body` writes for every number of a matrix."""
        program, code = self.program, self.code
        if lapack:
            for name in (BEGIN, END):
                code.module.declare(f"declare void @{name}()")
            code.do(f"call void @{BEGIN}()")
        self.kernel.loop("%lo", "%hi", body)
        if lapack:
            code.do(f"call void @{END}()")
        # A run that waits for LAPACK shall let other threads of Python run.
        program.parallel = True
        self.kernel.call(program.text(self.count), self.grain)
        for room in self._rooms:
            program.free(room.buffer)
        if self._flag is not None:
            failed = program.code.let(f"load i8, ptr {self._flag}")
            program.fail_if(program.code.let(f"icmp ne i8 {failed}, 0"), self.node)


def _grain(program: Program, count: Size, work: Size) -> str:
    """How many matrices a chunk is: a function of sizes alone."""
    least = _ratio(program, program.text(count), str(_CHUNKS))
    return larger(program, _ratio(program, str(CHUNK_WORK), program.text(work)), least)


def _ratio(program: Program, lhs: str, rhs: str) -> str:
    """``lhs / rhs`` of numbers that are not negative, rounded up; at least 1."""
    if not lhs.startswith("%") and not rhs.startswith("%"):
        return str(max(-(-int(lhs) // max(int(rhs), 1)), 1))
    divisor = larger(program, rhs, "1")
    above = program.arithmetic("add", lhs, program.arithmetic("sub", divisor, "1"))
    return larger(program, program.code.let(f"sdiv i64 {above}, {divisor}"), "1")


def some(program: Program, *sizes: Size) -> str | None:
    """An i1 of the main function: whether no size is 0; None where one is known to be."""
    condition = "true"
    for size in sizes:
        if size.known == 0:
            return None
        if size.names:
            there = program.code.let(f"icmp sgt i64 {program.text(size)}, 0")
            condition = program.code.let(f"and i1 {condition}, {there}")
    return condition


def where_some(program: Program, sizes: tuple[Size, ...], write: Callable[[], None]) -> None:
    """Writes what is done where no size is 0."""
    condition = some(program, *sizes)
    if condition is None:
        return
    if condition == "true":
        write()
        return
    code = program.code
    inside, after = code.label(), code.label()
    code.branch(condition, inside, after)
    code.begin(inside)
    program.enter_block()
    write()
    program.leave_block()
    code.jump(after)
    code.begin(after)
