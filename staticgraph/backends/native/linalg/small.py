"""Factors and systems of small matrices by code of our own, where a call of LAPACK costs more.

A Cholesky factor is computed for as many matrices at once as a vector has lanes, one matrix a lane:
every step is one instruction for all of them. LU factors are computed matrix by matrix, a column in
a vector, since each matrix exchanges rows of its own. Triangular systems are solved matrix by
matrix, with the rows of the right-hand sides in vectors.
"""

from __future__ import annotations

from collections.abc import Callable

from staticgraph.backends.native.ir import Code, element_type, vector
from staticgraph.backends.native.linalg.kernel import MatrixKernel, step_of
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.node import Node

# Matrices with so many rows at most are done here.
SMALL = 16
# Fewer matrices than these do not fill the lanes.
_FEW = 4


def small_or_not(
    program: Program, array: Array, small: Callable[[], None], large: Callable[[], None]
) -> None:
    """Writes what is done for small matrices, of so many rows as `array`, and for large ones.

    Complex matrices are never small.
    """
    size = array.dims[-2]
    if array.dtype in dtypes.COMPLEX:
        large()
        return
    if size.known is not None:
        (small if size.known <= SMALL else large)()
        return
    code = program.code
    first, second, after = code.label(), code.label(), code.label()
    code.branch(code.let(f"icmp sle i64 {program.text(size)}, {SMALL}"), first, second)
    for label, write in ((first, small), (second, large)):
        code.begin(label)
        program.enter_block()
        write()
        program.leave_block()
        code.jump(after)
    code.begin(after)


def fills_lanes(batch: tuple[Size, ...]) -> bool:
    """Whether a batch is not known to be smaller than one matrix a lane would be worth."""
    count = product(batch).known
    return count is None or count >= _FEW


def splat(code: Code, text: str, lanes: int, element: str = "i64") -> str:
    """A vector with one value in every lane."""
    if not text.startswith("%"):
        return f"splat ({element} {text})"
    type = vector(element, lanes)
    one = code.let(f"insertelement {type} poison, {element} {text}, i64 0")
    mask = f"<{lanes} x i32> zeroinitializer"
    return code.let(f"shufflevector {type} {one}, {type} poison, {mask}")


# -- one matrix a lane ----------------------------------------------------------------------------


class Cholesky:
    """The factors of a batch: row by row, each element from the dot product of two rows before it.

    What was computed stands in room of its own, the lanes of an element side by side.
    """

    def __init__(self, program: Program, node: Node, source: Array, result: Array) -> None:
        self.program, self.source, self.result = program, source, result
        self.dtype = result.dtype
        self.upper = node.attrs["upper"]
        self.lanes = lanes = 2 * program.options.vector_bytes // self.dtype.itemsize
        self.size = result.dims[-1]
        count = product(result.dims[:-2])
        above = program.arithmetic("add", program.text(count), str(lanes - 1))
        groups = (
            Size(int(above) // lanes)
            if not above.startswith("%")
            else program.size(program.code.let(f"sdiv i64 {above}, {lanes}"))
        )
        square = self.size.times(self.size)
        self.work = MatrixKernel(program, node, (groups,), square.times(Size(8 * lanes)))
        self.kernel, self.code = self.work.kernel, self.work.code
        self.count = self.kernel.size(count)
        self.extent = self.kernel.size(self.size)
        self.s: Scalars = program.scalars.builder(self.code, lanes)
        self.room = self.code.stack(f"[{SMALL * SMALL * lanes} x {element_type(self.dtype)}]")

    def write(self) -> None:
        """Writes the kernel and its call."""
        self.work.run(self._group, lapack=False)

    def _group(self, number: str) -> None:
        code, lanes = self.code, self.lanes
        type = vector("i64", lanes)
        numbers = ", ".join([f"i64 {lane}" for lane in range(lanes)])
        begin = code.let(f"mul i64 {number}, {lanes}")
        matrices = code.let(f"add {type} {self._splat(begin)}, <{numbers}>")
        there = code.let(f"icmp slt {type} {matrices}, {self._splat(self.count)}")
        # Lanes without a matrix do what the last one does, and write nothing.
        last = self._splat(code.let(f"sub i64 {self.count}, 1"))
        matrices = code.let(
            f"select {vector('i1', lanes)} {there}, {type} {matrices}, {type} {last}"
        )
        given = self._begins(self.source, matrices)
        made = self._begins(self.result, matrices)
        self.kernel.loop("0", self.extent, lambda row: self._row(row, given))
        self._write(made, there)

    def _splat(self, text: str) -> str:
        return splat(self.code, text, self.lanes)

    def _begins(self, array: Array, matrices: str) -> str:
        """Where the matrix of each lane begins."""
        step = step_of(array)
        assert step is not None
        type = vector("i64", self.lanes)
        moved = self.code.let(f"mul {type} {matrices}, {self._splat(self.kernel.size(step))}")
        base = self.kernel.argument(array.pointer, "ptr")
        return self.code.let(
            f"getelementptr {element_type(self.dtype)}, ptr {base}, {type} {moved}"
        )

    def _element(self, array: Array, begins: str, row: str, column: str) -> str:
        """Where an element of the matrix of each lane is."""
        code = self.code
        down = code.let(f"mul i64 {row}, {self.kernel.size(array.strides[-2])}")
        across = code.let(f"mul i64 {column}, {self.kernel.size(array.strides[-1])}")
        moved = code.let(f"add i64 {down}, {across}")
        pointers = vector("ptr", self.lanes)
        return code.let(
            f"getelementptr {element_type(self.dtype)}, {pointers} {begins}, i64 {moved}"
        )

    def _gather(self, places: str) -> Register:
        lanes, dtype = self.lanes, self.dtype
        kind = f"v{lanes}f{8 * dtype.itemsize}"
        mask, type = vector("i1", lanes), self.s.type(dtype)
        self.code.module.declare(
            f"declare {type} @llvm.masked.gather.{kind}.v{lanes}p0({vector('ptr', lanes)}, i32, "
            f"{mask}, {type})"
        )
        return Register(self.code.let(
            f"call {type} @llvm.masked.gather.{kind}.v{lanes}p0({vector('ptr', lanes)} {places}, "
            f"i32 {dtype.itemsize}, {mask} splat (i1 true), {type} zeroinitializer)"
        ), dtype)  # fmt: skip

    def _scatter(self, value: Register, places: str, there: str) -> None:
        lanes, dtype = self.lanes, self.dtype
        kind = f"v{lanes}f{8 * dtype.itemsize}"
        mask, type = vector("i1", lanes), self.s.type(dtype)
        self.code.module.declare(
            f"declare void @llvm.masked.scatter.{kind}.v{lanes}p0({type}, {vector('ptr', lanes)}, "
            f"i32, {mask})"
        )
        self.code.do(
            f"call void @llvm.masked.scatter.{kind}.v{lanes}p0({type} {value.text}, "
            f"{vector('ptr', lanes)} {places}, i32 {dtype.itemsize}, {mask} {there})"
        )

    def _place(self, row: str, column: str) -> str:
        """Where an element of the factors stands in the room."""
        code = self.code
        number = code.let(f"add i64 {code.let(f'mul i64 {row}, {SMALL}')}, {column}")
        return self.kernel.offset(
            self.room, self.dtype, code.let(f"mul i64 {number}, {self.lanes}")
        )

    def _load(self, row: str, column: str) -> Register:
        return self.kernel.load(self.dtype, self._place(row, column), self.lanes)

    def _row(self, row: str, given: str) -> None:
        """Row `row` of the lower factors; their diagonal stands in the room as its reciprocal."""
        self.kernel.loop("0", row, lambda column: self.kernel.store(
            self.s.multiply(
                self._rest(row, column, given), self._load(column, column)
            ), self._place(row, column), self.lanes,
        ))  # fmt: skip
        rest = self._rest(row, row, given)
        s = self.s
        zero, one = s.constant(0, self.dtype), s.constant(1, self.dtype)
        # NaN passes, as it does in NumPy.
        self.work.fail_if(self._any(s.less_equal(rest, zero)))
        self.kernel.store(s.divide(one, s.sqrt(rest)), self._place(row, row), self.lanes)

    def _any(self, condition: Register) -> str:
        lanes = self.lanes
        return self.code.intrinsic(
            f"vector.reduce.or.v{lanes}i1", "i1", [(vector("i1", lanes), condition.text)]
        )

    def _rest(self, row: str, column: str, given: str) -> Register:
        """An element of the operand less the products of what is known of the factors."""
        code, kernel = self.code, self.kernel
        places = (column, row) if self.upper else (row, column)
        start = self._gather(self._element(self.source, given, *places))
        before, head, inside, after = code.block, *[code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        counter, total = code.phi("i64"), code.phi(self.s.type(self.dtype))
        counter.add("0", before)
        total.add(start.text, before)
        code.branch(code.let(f"icmp slt i64 {counter.name}, {column}"), inside, after)
        code.begin(inside)
        first, second = [
            kernel.load(self.dtype, self._place(line, counter.name), self.lanes)
            for line in (row, column)
        ]
        less = self.s.fused_multiply_add(
            self.s.negative(first), second, Register(total.name, self.dtype)
        )
        counter.add(code.let(f"add i64 {counter.name}, 1"), inside)
        total.add(less.text, inside)
        code.jump(head)
        code.begin(after)
        return Register(total.name, self.dtype)

    def _write(self, made: str, there: str) -> None:
        kernel, s = self.kernel, self.s
        zero, one = s.constant(0, self.dtype), s.constant(1, self.dtype)

        def line(row: str) -> None:
            def below(column: str) -> None:
                places = (column, row) if self.upper else (row, column)
                self._scatter(
                    self._load(row, column), self._element(self.result, made, *places), there
                )
                opposite = (row, column) if self.upper else (column, row)
                self._scatter(zero, self._element(self.result, made, *opposite), there)

            kernel.loop("0", row, below)
            diagonal = s.divide(one, self._load(row, row))
            self._scatter(diagonal, self._element(self.result, made, row, row), there)

        kernel.loop("0", self.extent, line)


# -- a column in a vector -------------------------------------------------------------------------


class SmallLu:
    """LU factors in place, of matrices by columns; a column is one vector of `SMALL` lanes.

    A matrix is worked on in room of its own, where a column has all the lanes: what was stored
    under a mask the processor could not read again at once. The pivot is the first of the largest
    elements, as LAPACK takes it. A column of zeros is left as it is.
    """

    def __init__(self, program: Program, node: Node, factors: Array, pivots: Array) -> None:
        self.factors, self.pivots, self.dtype = factors, pivots, factors.dtype
        size = factors.dims[-1]
        cost = size.times(size).times(Size(8))
        self.work = MatrixKernel(program, node, factors.dims[:-2], cost)
        self.kernel, self.code = self.work.kernel, self.work.code
        self.s: Scalars = program.scalars.builder(self.code, SMALL)
        self.extent = self.kernel.size(size)
        numbers = ", ".join([f"i64 {lane}" for lane in range(SMALL)])
        self.numbers = f"<{numbers}>"
        self.inside = self._lanes("slt", self.extent)
        self.room = self.code.stack(f"[{SMALL * SMALL} x {element_type(self.dtype)}]")

    def write(self) -> None:
        """Writes the kernel and its call."""
        self.work.run(self._matrix, lapack=False)

    def _lanes(self, predicate: str, bound: str) -> Register:
        """Which lanes have a number that compares so with a bound."""
        type = vector("i64", SMALL)
        wide = splat(self.code, bound, SMALL)
        text = self.code.let(f"icmp {predicate} {type} {self.numbers}, {wide}")
        return Register(text, dtypes.bool_)

    def _matrix(self, index: str) -> None:
        kernel = self.kernel
        matrix = self.work.pointer(self.factors, index)
        exchanges = self.work.pointer(self.pivots, index, 1)

        def place(column: str) -> str:
            moved = self.code.let(f"mul i64 {column}, {self.extent}")
            return kernel.offset(matrix, self.dtype, moved)

        kernel.loop("0", self.extent, lambda column: self._store(
            self._read(place(column)), column
        ))  # fmt: skip
        kernel.loop("0", self.extent, lambda column: self._step(exchanges, column))
        kernel.loop("0", self.extent, lambda column: self._give(
            self._load(column), place(column)
        ))  # fmt: skip

    def _at(self, row: str, column: str) -> str:
        number = self.code.let(f"mul i64 {column}, {SMALL}")
        return self.kernel.offset(self.room, self.dtype, self.code.let(f"add i64 {number}, {row}"))

    def _step(self, exchanges: str, column: str) -> None:
        """Brings the pivot of a column into its row, and clears what is below it."""
        kernel, code, s, dtype = self.kernel, self.code, self.s, self.dtype
        row = self._pivot_row(column)
        short = code.let(f"trunc i64 {row} to i32")
        place = kernel.offset(exchanges, dtypes.int32, column)
        kernel.store(Register(short, dtypes.int32), place)
        kernel.when(code.let(f"icmp ne i64 {row}, {column}"), lambda: kernel.loop(
            "0", self.extent, lambda other: self._swap(
                self._at(column, other), self._at(row, other)
            ),
        ))  # fmt: skip
        pivot = kernel.load(dtype, self._at(column, column))
        wide = Register(splat(code, pivot.text, SMALL, element_type(dtype)), dtype)
        below = s.logical_and(self._lanes("sgt", column), self.inside)
        own = self._load(column)
        nothing = s.equal(wide, s.constant(0, dtype))
        scaled = s.where(nothing, own, s.multiply(own, s.divide(s.constant(1, dtype), wide)))
        scaled = s.where(below, scaled, own)
        self._store(scaled, column)
        less = s.negative(scaled)

        def clear(other: str) -> None:
            above = kernel.load(dtype, self._at(column, other))
            factor = Register(splat(code, above.text, SMALL, element_type(dtype)), dtype)
            before = self._load(other)
            # Rounded twice, as NumPy does it: what is singular there is singular here.
            after = s.add(before, s.multiply(less, factor))
            self._store(s.where(below, after, before), other)

        kernel.loop(code.let(f"add i64 {column}, 1"), self.extent, clear)

    def _pivot_row(self, column: str) -> str:
        code, s = self.code, self.s
        rest = s.logical_and(self._lanes("sge", column), self.inside)
        # Floats that are not negative are ordered as their bits; NaN is the largest so.
        sizes = s.bits(s.abs(self._load(column)))
        sizes = s.where(rest, sizes, s.constant(-1, sizes.dtype))
        element = element_type(sizes.dtype)
        name = f"vector.reduce.smax.v{SMALL}{element}"
        most = code.intrinsic(name, element, [(s.type(sizes.dtype), sizes.text)])
        hits = s.equal(sizes, Register(splat(code, most, SMALL, element), sizes.dtype))
        bits = code.let(f"bitcast {vector('i1', SMALL)} {hits.text} to i{SMALL}")
        first = code.intrinsic(
            f"cttz.i{SMALL}", f"i{SMALL}", [(f"i{SMALL}", bits), ("i1", "false")]
        )
        return code.let(f"zext i{SMALL} {first} to i64")

    def _swap(self, first: str, second: str) -> None:
        kernel = self.kernel
        one, other = kernel.load(self.dtype, first), kernel.load(self.dtype, second)
        kernel.store(other, first)
        kernel.store(one, second)

    def _load(self, column: str) -> Register:
        return self.kernel.load(self.dtype, self._at("0", column), SMALL)

    def _store(self, value: Register, column: str) -> None:
        self.kernel.store(value, self._at("0", column), SMALL)

    def _read(self, pointer: str) -> Register:
        """A column of a matrix, with zeros beyond it."""
        type = self.s.type(self.dtype)
        name = f"masked.load.v{SMALL}f{8 * self.dtype.itemsize}.p0"
        return Register(self.code.intrinsic(name, type, [
            ("ptr", pointer), ("i32", str(self.dtype.itemsize)),
            (vector("i1", SMALL), self.inside.text), (type, "zeroinitializer"),
        ]), self.dtype)  # fmt: skip

    def _give(self, value: Register, pointer: str) -> None:
        """Writes a column of a matrix."""
        type, mask = self.s.type(self.dtype), vector("i1", SMALL)
        name = f"@llvm.masked.store.v{SMALL}f{8 * self.dtype.itemsize}.p0"
        self.code.module.declare(f"declare void {name}({type}, ptr, i32, {mask})")
        self.code.do(
            f"call void {name}({type} {value.text}, ptr {pointer}, "
            f"i32 {self.dtype.itemsize}, {mask} {self.inside.text})"
        )


# -- matrix by matrix -----------------------------------------------------------------------------


class SmallTriangle:
    """Triangular systems in place, the rows of the right-hand sides in vectors."""

    def __init__(self, work: MatrixKernel, factors: Array, result: Array) -> None:
        self.work, self.factors, self.result = work, factors, result
        self.kernel, self.code, self.dtype = work.kernel, work.code, result.dtype
        self.extent = self.kernel.size(result.dims[-2])
        self.width = self.kernel.size(result.dims[-1])
        self.lanes = _lanes(work.program, result.dims[-1], self.dtype.itemsize)
        self.last = self.code.let(f"sub i64 {self.extent}, 1")

    def solve(
        self, factors: str, result: str, lower: bool, transposed: bool, unit_diagonal: bool
    ) -> None:
        """Solves one system."""
        kernel = self.kernel
        # A transposed lower triangle is an upper one: its last row is solved first.
        forward = lower != transposed

        def step(number: str) -> None:
            row = number if forward else self.code.let(f"sub i64 {self.last}, {number}")
            own = kernel.load(self.dtype, self._factor(factors, row, row, transposed))
            one = kernel.scalar.constant(1, self.dtype)
            scale = None if unit_diagonal else kernel.scalar.divide(one, own)
            begin = "0" if forward else self.code.let(f"add i64 {row}, 1")
            end = row if forward else self.extent

            def columns(column: str, s: Scalars) -> None:
                self._element((factors, result), (row, column), (begin, end), transposed, scale, s)

            kernel.vectors("0", self.width, self.lanes, columns)

        kernel.loop("0", self.extent, step)

    def _factor(self, factors: str, row: str, column: str, transposed: bool) -> str:
        places = (column, row) if transposed else (row, column)
        place = self.kernel.offset(factors, self.dtype, places[0], self.factors.strides[-2])
        return self.kernel.offset(place, self.dtype, places[1], self.factors.strides[-1])

    def _element(
        self,
        pointers: tuple[str, str],
        place: tuple[str, str],
        known: tuple[str, str],
        transposed: bool,
        scale: Register | None,
        s: Scalars,
    ) -> None:
        """Some elements of a row, from the rows that are known."""
        kernel, code, dtype = self.kernel, self.code, self.dtype
        (factors, result), (row, column) = pointers, place
        target = self._entry(result, row, column)
        start = kernel.load(dtype, target, s.lanes)
        before, head, inside, after = code.block, *[code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        counter, total = code.phi("i64"), code.phi(s.type(dtype))
        counter.add(known[0], before)
        total.add(start.text, before)
        code.branch(code.let(f"icmp slt i64 {counter.name}, {known[1]}"), inside, after)
        code.begin(inside)
        factor = kernel.load(dtype, self._factor(factors, row, counter.name, transposed))
        wide = self._wide(kernel.scalar.negative(factor), s)
        other = kernel.load(dtype, self._entry(result, counter.name, column), s.lanes)
        less = s.fused_multiply_add(wide, other, Register(total.name, dtype))
        counter.add(code.let(f"add i64 {counter.name}, 1"), inside)
        total.add(less.text, inside)
        code.jump(head)
        code.begin(after)
        found = Register(total.name, dtype)
        if scale is not None:
            found = s.multiply(found, self._wide(scale, s))
        kernel.store(found, target, s.lanes)

    def _entry(self, result: str, row: str, column: str) -> str:
        place = self.kernel.offset(result, self.dtype, row, self.result.strides[-2])
        return self.kernel.offset(place, self.dtype, column)

    def _wide(self, x: Register, s: Scalars) -> Register:
        if s.lanes == 1:
            return x
        return Register(splat(self.code, x.text, s.lanes, element_type(self.dtype)), self.dtype)


def _lanes(program: Program, width: Size, itemsize: int) -> int:
    """How many columns are taken at once."""
    lanes = program.options.vector_bytes // itemsize
    while width.known is not None and lanes > max(width.known, 1):
        lanes //= 2
    return lanes
