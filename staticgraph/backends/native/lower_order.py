"""The lowering of argsort: a stable radix sort of keys and places.

A key is an unsigned integer that is ordered as the elements are: NaN is the largest, both zeros are
one. Of keys turned upside down the stable order is the descending one, in which equal elements keep
their order too. Keys are sorted byte by byte, the lowest first; a byte that all keys share costs
nothing. Short rows are sorted by insertion.
"""

from __future__ import annotations

from staticgraph.backends.native.ir import Phi
from staticgraph.backends.native.kernel_code import KernelCode, larger
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower_basic import contiguous
from staticgraph.backends.native.lower_indexing import done
from staticgraph.backends.native.program import CHUNK_WORK, Program
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.node import Node

# Rows that are not longer are sorted by insertion.
_SHORT = 24
# Simple operations that sorting one element costs, to choose how many rows a chunk is.
_WORK = 64
# Every chunk has room to sort in.
_CHUNKS = 32


@lowering("argsort")
def lower_argsort(program: Program, node: Node) -> None:
    """One kernel, over rows that are contiguous."""
    given = program.array(node.inputs[0])
    axis, count = node.attrs["axis"], len(given.dims)
    order = [*[other for other in range(count) if other != axis], axis]
    view = Array(
        given.buffer, given.pointer, given.dtype,
        tuple([given.dims[a] for a in order]), tuple([given.strides[a] for a in order]),
    )  # fmt: skip
    source = contiguous(program, view, node)
    if axis == count - 1:
        result = program.result(node.out, view.dims, dtypes.int64)
    else:
        result = program.allocate(view.dims, dtypes.int64)
    if ZERO not in view.dims:
        _sort(program, node, source, result)
    if source is not view:
        program.free(source.buffer)
    back = [order.index(a) for a in range(count)]
    program.hold(node.out, Array(
        result.buffer, result.pointer, dtypes.int64,
        tuple([result.dims[a] for a in back]), tuple([result.strides[a] for a in back]),
    ))  # fmt: skip
    done(program, node)


def _sort(program: Program, node: Node, source: Array, result: Array) -> None:
    """Calls the kernel, with room for the keys of a row per chunk."""
    rows, size = product(source.dims[:-1]), source.dims[-1]
    grain = _grain(program, rows, size)
    chunks = program.chunks(rows, grain)
    width = _key_bytes(source.dtype)
    room = program.allocate((chunks, size, Size(2 * width + 8)), dtypes.uint8)
    kernel = _Sort(program, source, result, room, grain, node.attrs["descending"])
    kernel.write()
    kernel.kernel.call(program.text(rows), None if rows == ONE else grain)
    program.free(room.buffer)


def _grain(program: Program, rows: Size, size: Size) -> str:
    work = program.arithmetic("mul", larger(program, program.text(size), "1"), str(_WORK))
    least = "1" if rows == ONE else _ratio(program, program.text(rows), str(_CHUNKS))
    return larger(program, _ratio(program, str(CHUNK_WORK), work), least)


def _ratio(program: Program, lhs: str, rhs: str) -> str:
    """``lhs / rhs`` of positive numbers, rounded up."""
    if not lhs.startswith("%") and not rhs.startswith("%"):
        return str(-(-int(lhs) // int(rhs)))
    above = program.arithmetic("add", lhs, program.arithmetic("sub", rhs, "1"))
    return program.code.let(f"sdiv i64 {above}, {rhs}")


def _key_bytes(dtype: DType) -> int:
    return max(dtype.itemsize, 4)


class _Sort:
    """The kernel: rows of `size` elements, one after the other."""

    def __init__(
        self,
        program: Program,
        source: Array,
        result: Array,
        room: Array,
        grain: str,
        descending: bool,
    ) -> None:
        self.kernel = kernel = KernelCode(program)
        self.code = kernel.code
        self.dtype = source.dtype
        self.digits = source.dtype.itemsize
        self.descending = descending
        self.key = dtypes.uint64 if _key_bytes(source.dtype) == 8 else dtypes.uint32
        self.type = f"i{8 * self.key.itemsize}"
        self.source = kernel.argument(source.pointer, "ptr")
        self.result = kernel.argument(result.pointer, "ptr")
        self.size = kernel.size(source.dims[-1])
        chunk = self.code.let(f"sdiv i64 %lo, {kernel.argument(grain)}")
        room_of_row = self.code.let(f"mul i64 {self.size}, {2 * self.key.itemsize + 8}")
        begin = self.code.let(f"mul i64 {chunk}, {room_of_row}")
        pointer = kernel.argument(room.pointer, "ptr")
        # Places come first: they are of 8 bytes whatever keys are.
        self.places = self.code.let(f"getelementptr i8, ptr {pointer}, i64 {begin}")
        self.keys = self._at(self.places, dtypes.int64, self.size)
        self.other_keys = self._at(self.keys, self.key, self.size)

    def write(self) -> None:
        """The loop over the rows."""
        code, kernel = self.code, self.kernel
        counts = code.stack(f"[{256 * self.digits} x i64]")

        def row(index: str) -> None:
            begin = code.let(f"mul i64 {index}, {self.size}")
            elements = self._at(self.source, self.dtype, begin)
            places = self._at(self.result, dtypes.int64, begin)
            short, long, after = code.label(), code.label(), code.label()
            code.branch(code.let(f"icmp sle i64 {self.size}, {_SHORT}"), short, long)
            code.begin(short)
            self._insert(elements, places)
            code.jump(after)
            code.begin(long)
            self._count(elements, places, counts)
            self._passes(places, counts)
            code.jump(after)
            code.begin(after)

        kernel.loop("%lo", "%hi", row)

    def _at(self, pointer: str, dtype: DType, index: str) -> str:
        return self.kernel.offset(pointer, dtype, index)

    # -- keys -----------------------------------------------------------------------------------

    def _key(self, elements: str, index: str) -> Register:
        """The key of an element."""
        s = self.kernel.scalar
        x = self.kernel.load(self.dtype, self._at(elements, self.dtype, index))
        dtype = x.dtype
        bits = 8 * dtype.itemsize
        top, ones = 1 << (bits - 1), (1 << bits) - 1
        if dtype in dtypes.FLOATING:
            nan = s.isnan(x)
            # A negative zero becomes a positive one.
            whole = s.bits(s.instruction("fadd", x, s.constant(0, dtype)))
            sign = self.code.let(f"ashr {self.type} {whole.text}, {bits - 1}")
            flipped = self.code.let(f"or {self.type} {sign}, {top - (1 << bits)}")
            key = Register(self.code.let(f"xor {self.type} {whole.text}, {flipped}"), self.key)
            key = s.where(nan, s.constant(ones, self.key), key)
        else:
            unsigned = dtypes.as_dtype(f"uint{bits}") if dtype != dtypes.bool_ else dtype
            key = s.cast(s.cast(x, unsigned), self.key)
            if dtype in dtypes.SIGNED:
                key = s.bitwise_xor(key, s.constant(top, self.key))
        return s.bitwise_xor(key, s.constant(ones, self.key)) if self.descending else key

    # -- short rows -----------------------------------------------------------------------------

    def _insert(self, elements: str, places: str) -> None:
        code, kernel = self.code, self.kernel

        def insert(index: str) -> None:
            key = self._key(elements, index)
            before, head, look, move, after = code.block, *[code.label() for _ in range(4)]
            code.jump(head)
            code.begin(head)
            hole = code.phi("i64")
            hole.add(index, before)
            code.branch(code.let(f"icmp sgt i64 {hole.name}, 0"), look, after)
            code.begin(look)
            left = code.let(f"sub i64 {hole.name}, 1")
            other = kernel.load(self.key, self._at(self.keys, self.key, left))
            code.branch(kernel.scalar.greater(other, key).text, move, after)
            code.begin(move)
            kernel.store(other, self._at(self.keys, self.key, hole.name))
            place = kernel.load(dtypes.int64, self._at(places, dtypes.int64, left))
            kernel.store(place, self._at(places, dtypes.int64, hole.name))
            hole.add(left, move)
            code.jump(head)
            code.begin(after)
            kernel.store(key, self._at(self.keys, self.key, hole.name))
            kernel.store(Register(index, dtypes.int64), self._at(places, dtypes.int64, hole.name))

        kernel.loop("0", self.size, insert)

    # -- long rows ------------------------------------------------------------------------------

    def _count(self, elements: str, places: str, counts: str) -> None:
        """Writes keys and places in their first order, and counts every digit."""
        code, kernel = self.code, self.kernel
        code.module.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        code.do(
            f"call void @llvm.memset.p0.i64(ptr {counts}, i8 0, i64 {2048 * self.digits}, i1 false)"
        )

        def count(index: str) -> None:
            key = self._key(elements, index)
            kernel.store(key, self._at(self.keys, self.key, index))
            kernel.store(Register(index, dtypes.int64), self._at(places, dtypes.int64, index))
            for number in range(self.digits):
                digit = self._digit(key.text, str(8 * number))
                digit = code.let(f"add i64 {digit}, {256 * number}")
                place = self._at(counts, dtypes.int64, digit)
                before = kernel.load(dtypes.int64, place)
                one = kernel.scalar.constant(1, dtypes.int64)
                kernel.store(kernel.scalar.add(before, one), place)

        kernel.loop("0", self.size, count)

    def _digit(self, key: str, shift: str) -> str:
        digit = self.code.let(f"lshr {self.type} {key}, {shift}")
        digit = self.code.let(f"and {self.type} {digit}, 255")
        return digit if self.type == "i64" else self.code.let(f"zext i32 {digit} to i64")

    def _passes(self, places: str, counts: str) -> None:
        """One pass per digit, to and fro between two pairs of arrays."""
        code = self.code
        before, head, inside, after = code.block, *[code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        number = code.phi("i64")
        number.add("0", before)
        starts = (self.keys, places, self.other_keys, self.places)
        phis = [code.phi("ptr") for _ in starts]
        for phi, start in zip(phis, starts, strict=True):
            phi.add(start, before)
        code.branch(code.let(f"icmp slt i64 {number.name}, {self.digits}"), inside, after)
        code.begin(inside)
        shift = code.let(f"shl i64 {number.name}, 3")
        if self.type != "i64":
            shift = code.let(f"trunc i64 {shift} to i32")
        table = self._at(counts, dtypes.int64, code.let(f"shl i64 {number.name}, 8"))
        self._pass(phis, shift, table, number, head)
        code.begin(after)
        keys_at_home = code.let(f"icmp eq ptr {phis[1].name}, {places}")
        elsewhere = code.let(f"xor i1 {keys_at_home}, true")
        code.module.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        length = code.let(f"shl i64 {self.size}, 3")
        self.kernel.when(elsewhere, lambda: code.do(
            f"call void @llvm.memcpy.p0.p0.i64(ptr {places}, ptr {phis[1].name}, i64 {length}, "
            "i1 false)"
        ))  # fmt: skip

    def _pass(self, phis: list[Phi], shift: str, table: str, number: Phi, head: str) -> None:
        """Sorts by one digit and goes on at `head`."""
        code, kernel = self.code, self.kernel
        keys, places, other_keys, other_places = [phi.name for phi in phis]
        first = kernel.load(self.key, keys)
        shared = kernel.load(
            dtypes.int64, self._at(table, dtypes.int64, self._digit(first.text, shift))
        )
        useless, useful = code.label(), code.label()
        next_number = code.let(f"add i64 {number.name}, 1")
        code.branch(code.let(f"icmp eq i64 {shared.text}, {self.size}"), useless, useful)
        code.begin(useless)
        self._go_on(phis, (keys, places, other_keys, other_places), number, next_number, head)
        code.begin(useful)
        self._begin_digits(table)

        def move(index: str) -> None:
            key = kernel.load(self.key, self._at(keys, self.key, index))
            slot = self._at(table, dtypes.int64, self._digit(key.text, shift))
            target = kernel.load(dtypes.int64, slot)
            one = kernel.scalar.constant(1, dtypes.int64)
            kernel.store(kernel.scalar.add(target, one), slot)
            kernel.store(key, self._at(other_keys, self.key, target.text))
            place = kernel.load(dtypes.int64, self._at(places, dtypes.int64, index))
            kernel.store(place, self._at(other_places, dtypes.int64, target.text))

        kernel.loop("0", self.size, move)
        self._go_on(phis, (other_keys, other_places, keys, places), number, next_number, head)

    def _go_on(
        self, phis: list[Phi], texts: tuple[str, ...], number: Phi, next_number: str, head: str
    ) -> None:
        code = self.code
        for phi, text in zip((number, *phis), (next_number, *texts), strict=True):
            phi.add(text, code.block)
        code.jump(head)

    def _begin_digits(self, table: str) -> None:
        """Makes of the counts of a digit where its elements begin."""
        code, kernel = self.code, self.kernel
        before, head, inside, after = code.block, *[code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        digit, begin = code.phi("i64"), code.phi("i64")
        digit.add("0", before)
        begin.add("0", before)
        code.branch(code.let(f"icmp slt i64 {digit.name}, 256"), inside, after)
        code.begin(inside)
        slot = self._at(table, dtypes.int64, digit.name)
        count = kernel.load(dtypes.int64, slot)
        kernel.store(Register(begin.name, dtypes.int64), slot)
        begin.add(code.let(f"add i64 {begin.name}, {count.text}"), inside)
        digit.add(code.let(f"add i64 {digit.name}, 1"), inside)
        code.jump(head)
        code.begin(after)
