"""Lowerings of searches: where a mask holds, and where values belong in a sorted row."""

from __future__ import annotations

from staticgraph.backends.native.kernels.code import KernelCode
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.basic import contiguous
from staticgraph.backends.native.lower.indexing import declared_dims, done, hold_array
from staticgraph.backends.native.program import CHUNK_WORK, Program
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.node import Node

# Elements of a mask of which one block counts those that hold.
_BLOCK = 1 << 14
# Simple operations that a step of a binary search costs: it waits for memory.
_STEP = 16
# How many searches go in step.
_TOGETHER = 8


# -- where a mask holds ---------------------------------------------------------------------------


@lowering("flatnonzero")
def lower_flatnonzero(program: Program, node: Node) -> None:
    """Blocks count what holds; when all is counted there is memory, which they fill."""
    given = program.array(node.inputs[0])
    mask = contiguous(program, given, node)
    size = product(mask.dims)
    blocks = program.chunks(size, str(_BLOCK))
    counts = program.allocate((blocks,), dtypes.int64)
    _count(program, mask, size, counts, blocks)
    total = _begin_blocks(program, counts, blocks)
    dims = declared_dims(program, node, (program.size(total),))
    result = program.result(node.out, dims, dtypes.int64)
    _fill(program, mask, size, counts, blocks, result)
    program.free(counts.buffer)
    if mask is not given:
        program.free(mask.buffer)
    hold_array(program, node, result)
    done(program, node)


class _Blocks:
    """A kernel over blocks of a mask."""

    def __init__(self, program: Program, mask: Array, size: Size, counts: Array) -> None:
        self.kernel = kernel = KernelCode(program)
        self.mask = kernel.argument(mask.pointer, "ptr")
        self.counts = kernel.argument(counts.pointer, "ptr")
        self.size = kernel.size(size)

    def bounds(self, block: str) -> tuple[str, str]:
        """Where a block begins and ends."""
        code = self.kernel.code
        begin = code.let(f"mul i64 {block}, {_BLOCK}")
        whole = code.let(f"add i64 {begin}, {_BLOCK}")
        end = code.intrinsic("smin.i64", "i64", [("i64", whole), ("i64", self.size)])
        return begin, end

    def place(self, block: str) -> str:
        """Where the number of a block stands."""
        return self.kernel.offset(self.counts, dtypes.int64, block)

    def held(self, index: str) -> str:
        """1 where an element holds, else 0: an i64."""
        kernel = self.kernel
        pointer = kernel.offset(self.mask, dtypes.bool_, index)
        return kernel.code.let(f"zext i8 {kernel.code.let(f'load i8, ptr {pointer}')} to i64")


def _count(program: Program, mask: Array, size: Size, counts: Array, blocks: Size) -> None:
    blocked = _Blocks(program, mask, size, counts)
    kernel, code = blocked.kernel, blocked.kernel.code
    lanes = program.options.vector_bytes

    def block(number: str) -> None:
        begin, end = blocked.bounds(number)
        room = code.stack("i64", 8)
        code.do(f"store i64 0, ptr {room}")
        whole = code.let(f"sub i64 {end}, {begin}")
        whole = code.let(f"and i64 {whole}, {-lanes}")
        middle = code.let(f"add i64 {begin}, {whole}")

        def add(more: str) -> None:
            now = code.let(f"load i64, ptr {room}")
            code.do(f"store i64 {code.let(f'add i64 {now}, {more}')}, ptr {room}")

        def vector(index: str) -> None:
            pointer = kernel.offset(blocked.mask, dtypes.bool_, index)
            bytes_ = code.let(f"load <{lanes} x i8>, ptr {pointer}, align 1")
            bits = code.let(f"trunc <{lanes} x i8> {bytes_} to <{lanes} x i1>")
            word = code.let(f"bitcast <{lanes} x i1> {bits} to i{lanes}")
            found = code.intrinsic(f"ctpop.i{lanes}", f"i{lanes}", [(f"i{lanes}", word)])
            add(found if lanes == 64 else code.let(f"zext i{lanes} {found} to i64"))

        kernel.loop(begin, middle, vector, lanes)
        kernel.loop(middle, end, lambda index: add(blocked.held(index)))
        total = code.let(f"load i64, ptr {room}")
        kernel.store(Register(total, dtypes.int64), blocked.place(number))

    kernel.loop("%lo", "%hi", block)
    kernel.call(program.text(blocks), "4")


def _begin_blocks(program: Program, counts: Array, blocks: Size) -> str:
    """Makes of the counts where the elements of each block begin; how many there are in all."""
    kernel = KernelCode(program)
    code = kernel.code
    total = program.code.stack("i64", 8)
    program.code.do(f"store i64 0, ptr {total}")
    sum_at, pointer = kernel.argument(total, "ptr"), kernel.argument(counts.pointer, "ptr")

    def block(number: str) -> None:
        place = kernel.offset(pointer, dtypes.int64, number)
        count = code.let(f"load i64, ptr {place}")
        before = code.let(f"load i64, ptr {sum_at}")
        code.do(f"store i64 {before}, ptr {place}")
        code.do(f"store i64 {code.let(f'add i64 {before}, {count}')}, ptr {sum_at}")

    kernel.loop("%lo", "%hi", block)
    kernel.call(program.text(blocks), None)
    return program.load(dtypes.int64, total).text


def _fill(
    program: Program, mask: Array, size: Size, counts: Array, blocks: Size, result: Array
) -> None:
    blocked = _Blocks(program, mask, size, counts)
    kernel, code = blocked.kernel, blocked.kernel.code
    target = kernel.argument(result.pointer, "ptr")
    total = kernel.size(result.dims[0])
    last = code.let(f"sub i64 {kernel.size(blocks)}, 1")

    def block(number: str) -> None:
        begin, end = blocked.bounds(number)
        first = code.let(f"load i64, ptr {blocked.place(number)}")
        is_last = code.let(f"icmp eq i64 {number}, {last}")
        following = code.let(f"add i64 {number}, {code.let(f'select i1 {is_last}, i64 0, i64 1')}")
        beyond = code.let(f"load i64, ptr {blocked.place(following)}")
        beyond = code.let(f"select i1 {is_last}, i64 {total}, i64 {beyond}")
        before, head, inside, after = code.block, *[code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        index, place = code.phi("i64"), code.phi("i64")
        index.add(begin, before)
        place.add(first, before)
        # When all of the block are found the rest holds nothing, and the room is another's.
        more = code.let(f"icmp slt i64 {index.name}, {end}")
        room = code.let(f"icmp slt i64 {place.name}, {beyond}")
        code.branch(code.let(f"and i1 {more}, {room}"), inside, after)
        code.begin(inside)
        # What holds stays; what does not is overwritten by the next one.
        here = kernel.offset(target, dtypes.int64, place.name)
        kernel.store(Register(index.name, dtypes.int64), here)
        place.add(code.let(f"add i64 {place.name}, {blocked.held(index.name)}"), inside)
        index.add(code.let(f"add i64 {index.name}, 1"), inside)
        code.jump(head)
        code.begin(after)

    kernel.loop("%lo", "%hi", block)
    kernel.call(program.text(blocks), "4")


# -- sorted rows ----------------------------------------------------------------------------------


@lowering("searchsorted")
def lower_searchsorted(program: Program, node: Node) -> None:
    """Binary searches without branches, several values at a time."""
    row, given = [program.array(value) for value in node.inputs]
    values = contiguous(program, given, node)
    result = program.result(node.out, values.dims, dtypes.int64)
    _Search(program, row, values, result, node.attrs["side"] == "left").write()
    if values is not given:
        program.free(values.buffer)
    hold_array(program, node, result)
    done(program, node)


class _Search:
    """The kernel of a searchsorted.

    How much of the row is left after a step is the same for all values, so their searches go in
    step, and wait for memory at the same time.
    """

    def __init__(
        self, program: Program, row: Array, values: Array, result: Array, before_equal: bool
    ) -> None:
        self.program, self.row, self.values = program, row, values
        self.before_equal = before_equal
        self.kernel = kernel = KernelCode(program)
        self.sorted_row = kernel.argument(row.pointer, "ptr")
        self.source = kernel.argument(values.pointer, "ptr")
        self.target = kernel.argument(result.pointer, "ptr")
        self.size = kernel.size(row.dims[0])

    def write(self) -> None:
        """Writes the kernel and its call."""
        kernel, code = self.kernel, self.kernel.code
        whole = code.let("sub i64 %hi, %lo")
        middle = code.let(f"add i64 %lo, {code.let(f'and i64 {whole}, {-_TOGETHER}')}")
        kernel.loop("%lo", middle, lambda index: self._search(index, _TOGETHER), _TOGETHER)
        kernel.loop(middle, "%hi", lambda index: self._search(index, 1))
        kernel.call(self.program.text(product(self.values.dims)), str(CHUNK_WORK // (_STEP * 16)))

    def _search(self, first: str, count: int) -> None:
        """The places of `count` values from `first` on."""
        kernel, code = self.kernel, self.kernel.code
        indices = [code.let(f"add i64 {first}, {number}") for number in range(count)]
        dtype = self.values.dtype
        values = [kernel.load(dtype, kernel.offset(self.source, dtype, i)) for i in indices]
        before, head, inside, after = code.block, *[code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        left = code.phi("i64")
        left.add(self.size, before)
        lows = [code.phi("i64") for _ in values]
        for low in lows:
            low.add("0", before)
        code.branch(code.let(f"icmp sgt i64 {left.name}, 1"), inside, after)
        code.begin(inside)
        half = code.let(f"lshr i64 {left.name}, 1")
        for low, value in zip(lows, values, strict=True):
            middle = code.let(f"add i64 {low.name}, {half}")
            behind = self._is_behind(value, code.let(f"sub i64 {middle}, 1"))
            low.add(code.let(f"select i1 {behind}, i64 {middle}, i64 {low.name}"), code.block)
        left.add(code.let(f"sub i64 {left.name}, {half}"), code.block)
        code.jump(head)
        code.begin(after)
        # One element is left, or the row has none.
        some = code.let(f"icmp sgt i64 {self.size}, 0")
        places = [low.name for low in lows]
        room = code.stack(f"[{count} x i64]", 8)
        for number, place in enumerate(places):
            code.do(f"store i64 {place}, ptr {kernel.offset(room, dtypes.int64, str(number))}")

        def last_step() -> None:
            for number, (place, value) in enumerate(zip(places, values, strict=True)):
                more = code.let(f"zext i1 {self._is_behind(value, place)} to i64")
                found = code.let(f"add i64 {place}, {more}")
                code.do(f"store i64 {found}, ptr {kernel.offset(room, dtypes.int64, str(number))}")

        kernel.when(some, last_step)
        for number, index in enumerate(indices):
            found = kernel.load(dtypes.int64, kernel.offset(room, dtypes.int64, str(number)))
            kernel.store(found, kernel.offset(self.target, dtypes.int64, index))

    def _is_behind(self, value: Register, place: str) -> str:
        """Whether a value belongs behind the element at a place, an i1."""
        kernel, row = self.kernel, self.row
        pointer = kernel.offset(self.sorted_row, row.dtype, place, row.strides[0])
        element = kernel.load(row.dtype, pointer)
        if self.before_equal:
            return _is_before(kernel, element, value).text
        return kernel.scalar.logical_not(_is_before(kernel, value, element)).text


def _is_before(kernel: KernelCode, lhs: Register, rhs: Register) -> Register:
    """Whether one element comes before another; NaN comes behind all others."""
    builder = kernel.scalar
    if lhs.dtype == dtypes.bool_:
        return builder.logical_and(builder.logical_not(lhs), rhs)
    smaller = builder.less(lhs, rhs)
    if lhs.dtype not in dtypes.FLOATING:
        return smaller
    last = builder.logical_and(builder.isnan(rhs), builder.logical_not(builder.isnan(lhs)))
    return builder.logical_or(smaller, last)
