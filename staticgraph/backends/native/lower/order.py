"""The lowerings of sort and argsort: a stable radix sort of keys, and of places beside them.

A key is an unsigned integer that is ordered as the elements are (order/keys.py). Keys are sorted
byte by byte, the lowest first; a byte that all keys share costs nothing. Rows that are not long are
sorted by a network (order/rows.py), and the places of short ones by counting (order/short.py); one
long row alone is sorted by several threads (long_order.py).
"""

from __future__ import annotations

from collections.abc import Callable

from staticgraph.backends.native.ir import Phi
from staticgraph.backends.native.kernels.code import KernelCode, larger
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.basic import contiguous
from staticgraph.backends.native.lower.indexing import done
from staticgraph.backends.native.lower.long_order import LEAST, MOST, LongSort
from staticgraph.backends.native.order.keys import (
    element_of,
    element_of_signed,
    key_dtype,
    key_of,
    signed_key_dtype,
    signed_key_of,
)
from staticgraph.backends.native.order.rows import MOST as LIMIT
from staticgraph.backends.native.order.rows import RowNetwork, room_of
from staticgraph.backends.native.order.short import MOST as SHORT
from staticgraph.backends.native.order.short import ShortOrder
from staticgraph.backends.native.program import CHUNK_WORK, Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.node import Node

# Simple operations that sorting one element costs, to choose how many rows a chunk is.
_WORK = 64
# Every chunk has room to sort in.
_CHUNKS = 32


@lowering("sort", "argsort")
def lower_order(program: Program, node: Node) -> None:
    """Kernels over rows that are contiguous."""
    given = program.array(node.inputs[0])
    axis, count = node.attrs["axis"], len(given.dims)
    order = [*[other for other in range(count) if other != axis], axis]
    view = Array(
        given.buffer, given.pointer, given.dtype,
        tuple([given.dims[a] for a in order]), tuple([given.strides[a] for a in order]),
    )  # fmt: skip
    source = contiguous(program, view, node)
    dtype = node.out.type.dtype
    if axis == count - 1:
        result = program.result(node.out, view.dims, dtype)
    else:
        result = program.allocate(view.dims, dtype)
    if ZERO not in view.dims:
        places, descending = node.op.name == "argsort", node.attrs["descending"]
        sort_last_axis(program, source, result, descending, places)
    if source is not view:
        program.free(source.buffer)
    back = [order.index(a) for a in range(count)]
    program.hold(node.out, Array(
        result.buffer, result.pointer, dtype,
        tuple([result.dims[a] for a in back]), tuple([result.strides[a] for a in back]),
    ))  # fmt: skip
    done(program, node)


def sort_last_axis(
    program: Program, source: Array, result: Array, descending: bool, places: bool
) -> None:
    """A row that is long and alone is sorted in blocks, others by a kernel over the rows."""
    rows, size = product(source.dims[:-1]), source.dims[-1]
    if size.known is not None:
        long = str(rows == ONE and LEAST <= size.known < MOST).lower()
    elif rows == ONE:
        code, text = program.code, program.text(size)
        above = code.let(f"sub i64 {text}, {LEAST}")
        long = code.let(f"icmp ult i64 {above}, {MOST - LEAST}")
    else:
        long = "false"
    if long == "true":
        LongSort(program, source, result, descending, places).write()
        return
    if long == "false":
        _sort_rows(program, source, result, descending, places)
        return
    in_blocks, in_rows, after = [program.code.label() for _ in range(3)]
    program.code.branch(long, in_blocks, in_rows)
    program.code.begin(in_blocks)
    program.enter_block()
    LongSort(program, source, result, descending, places).write()
    program.leave_block()
    program.code.jump(after)
    program.code.begin(in_rows)
    program.enter_block()
    _sort_rows(program, source, result, descending, places)
    program.leave_block()
    program.code.jump(after)
    program.code.begin(after)


def _sort_rows(
    program: Program, source: Array, result: Array, descending: bool, places: bool
) -> None:
    """Calls the kernel, with room for the keys of a row per chunk."""
    rows, size = product(source.dims[:-1]), source.dims[-1]
    grain = _grain(program, rows, size)
    chunks = program.chunks(rows, grain)
    each = _room(program, source.dtype, size, places)
    room = program.allocate((chunks, each), dtypes.uint8)
    kernel = _Sort(program, source, result, (room, each), grain, descending, places)
    kernel.write()
    kernel.kernel.call(program.text(rows), None if rows == ONE else grain)
    program.free(room.buffer)


def _room(program: Program, dtype: DType, size: Size, places: bool) -> Size:
    """The bytes that a chunk needs, whole vectors of them."""
    each, width = 2 * key_dtype(dtype).itemsize + 8 * places, program.options.vector_bytes
    if size.known is not None:
        wanted = Size(-(-each * size.known // width) * width)
    else:
        above = program.arithmetic("mul", program.text(size), str(each))
        above = program.arithmetic("add", above, str(width - 1))
        wanted = program.size(program.code.let(f"and i64 {above}, {-width}"))
    if places:
        return wanted
    rooms = room_of(program, size, signed_key_dtype(dtype)).times(Size(2))
    return program.size(larger(program, program.text(wanted), program.text(rooms)))


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


class _Sort:
    """The kernel: rows of `size` elements, one after the other.

    places   whether the result is the places of the elements, int64, not the elements
    """

    def __init__(
        self,
        program: Program,
        source: Array,
        result: Array,
        room: tuple[Array, Size],
        grain: str,
        descending: bool,
        places: bool,
    ) -> None:
        self.kernel = kernel = KernelCode(program)
        self.code = kernel.code
        self.dtype = source.dtype
        self.digits = source.dtype.itemsize
        self.descending, self.with_places = descending, places
        self.key, self.target = key_dtype(source.dtype), result.dtype
        self.type = f"i{8 * self.key.itemsize}"
        self.source = kernel.argument(source.pointer, "ptr")
        self.result = kernel.argument(result.pointer, "ptr")
        self.row = source.dims[-1]
        self.known, self.size = self.row.known, kernel.size(self.row)
        chunk = self.code.let(f"sdiv i64 %lo, {kernel.argument(grain)}")
        begin = self.code.let(f"mul i64 {chunk}, {kernel.size(room[1])}")
        pointer = kernel.argument(room[0].pointer, "ptr")
        # Places come first: they are of 8 bytes whatever keys are.
        self.places = self.code.let(f"getelementptr i8, ptr {pointer}, i64 {begin}")
        self.keys = self._at(self.places, dtypes.int64, self.size) if places else self.places
        self.other_keys = self._at(self.keys, self.key, self.size)
        other = kernel.size(room_of(program, self.row, signed_key_dtype(source.dtype)))
        self.rooms = (self.places, self._at(self.places, dtypes.uint8, other))

    def write(self) -> None:
        """The loop over the rows."""
        code, kernel, known = self.code, self.kernel, self.known
        most = SHORT if self.with_places else LIMIT
        short = long = None
        if known is None or known <= most:
            short = self._short()
        if known is None or known > most:
            counts = code.stack(f"[{256 * self.digits} x i64]")

            def long(elements: str, target: str) -> None:
                self._count(elements, target, counts)
                self._passes(target, counts)

        def row(index: str) -> None:
            begin = code.let(f"mul i64 {index}, {self.size}")
            elements = self._at(self.source, self.dtype, begin)
            target = self._at(self.result, self.target, begin)
            if short is None or long is None:
                (short or long)(elements, target)
                return
            few, many, after = code.label(), code.label(), code.label()
            code.branch(code.let(f"icmp sle i64 {self.size}, {most}"), few, many)
            code.begin(few)
            short(elements, target)
            code.jump(after)
            code.begin(many)
            long(elements, target)
            code.jump(after)
            code.begin(after)

        kernel.loop("%lo", "%hi", row)

    def _short(self) -> Callable[[str, str], None]:
        """What writes the sorting of a short row from a pointer to another one."""
        kernel, dtype, descending = self.kernel, self.dtype, self.descending
        if self.with_places:
            counting = ShortOrder(kernel, dtype, self.key, descending)
            return lambda elements, target: counting.sort(elements, target, self.size)
        network = RowNetwork(kernel, signed_key_dtype(dtype), self.row, self.rooms)

        def sort(elements: str, target: str) -> None:
            def read(index: str, s: Scalars) -> Register:
                x = kernel.load(dtype, self._at(elements, dtype, index), s.lanes)
                return signed_key_of(s, x, descending)

            def write(key: Register, index: str, s: Scalars) -> None:
                x = element_of_signed(s, key, dtype, descending)
                kernel.store(x, self._at(target, dtype, index), s.lanes)

            network.sort(self.size, read, write)

        return sort

    def _at(self, pointer: str, dtype: DType, index: str) -> str:
        return self.kernel.offset(pointer, dtype, index)

    # -- keys -----------------------------------------------------------------------------------

    def _key(self, elements: str, index: str) -> Register:
        """The key of an element."""
        x = self.kernel.load(self.dtype, self._at(elements, self.dtype, index))
        return key_of(self.kernel.scalar, x, self.descending, one_zero=self.with_places)

    def _write(self, keys: str, target: str) -> None:
        """Writes the elements whose keys are sorted."""
        kernel = self.kernel

        def write(index: str) -> None:
            key = kernel.load(self.key, self._at(keys, self.key, index))
            value = element_of(kernel.scalar, key, self.dtype, self.descending)
            kernel.store(value, self._at(target, self.dtype, index))

        kernel.loop("0", self.size, write)

    # -- long rows ------------------------------------------------------------------------------

    def _count(self, elements: str, target: str, counts: str) -> None:
        """Writes keys and places in their first order, and counts every digit."""
        code, kernel = self.code, self.kernel
        code.module.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        code.do(
            f"call void @llvm.memset.p0.i64(ptr {counts}, i8 0, i64 {2048 * self.digits}, i1 false)"
        )

        def count(index: str) -> None:
            key = self._key(elements, index)
            kernel.store(key, self._at(self.keys, self.key, index))
            if self.with_places:
                here = self._at(target, dtypes.int64, index)
                kernel.store(Register(index, dtypes.int64), here)
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

    def _passes(self, target: str, counts: str) -> None:
        """One pass per digit, to and fro between two pairs of arrays."""
        code = self.code
        before, head, inside, after = code.block, *[code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        number = code.phi("i64")
        number.add("0", before)
        starts = [self.keys, self.other_keys]
        if self.with_places:
            starts += [target, self.places]
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
        if not self.with_places:
            self._write(phis[0].name, target)
            return
        at_home = code.let(f"icmp eq ptr {phis[2].name}, {target}")
        elsewhere = code.let(f"xor i1 {at_home}, true")
        code.module.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        length = code.let(f"shl i64 {self.size}, 3")
        self.kernel.when(elsewhere, lambda: code.do(
            f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {phis[2].name}, i64 {length}, "
            "i1 false)"
        ))  # fmt: skip

    def _pass(self, phis: list[Phi], shift: str, table: str, number: Phi, head: str) -> None:
        """Sorts by one digit and goes on at `head`."""
        code, kernel = self.code, self.kernel
        now = [phi.name for phi in phis]
        keys, other_keys = now[:2]
        first = kernel.load(self.key, keys)
        shared = kernel.load(
            dtypes.int64, self._at(table, dtypes.int64, self._digit(first.text, shift))
        )
        useless, useful = code.label(), code.label()
        next_number = code.let(f"add i64 {number.name}, 1")
        code.branch(code.let(f"icmp eq i64 {shared.text}, {self.size}"), useless, useful)
        code.begin(useless)
        self._go_on(phis, now, number, next_number, head)
        code.begin(useful)
        self._begin_digits(table)

        def move(index: str) -> None:
            key = kernel.load(self.key, self._at(keys, self.key, index))
            slot = self._at(table, dtypes.int64, self._digit(key.text, shift))
            target = kernel.load(dtypes.int64, slot)
            one = kernel.scalar.constant(1, dtypes.int64)
            kernel.store(kernel.scalar.add(target, one), slot)
            kernel.store(key, self._at(other_keys, self.key, target.text))
            if self.with_places:
                place = kernel.load(dtypes.int64, self._at(now[2], dtypes.int64, index))
                kernel.store(place, self._at(now[3], dtypes.int64, target.text))

        kernel.loop("0", self.size, move)
        turned = [now[place ^ 1] for place in range(len(now))]
        self._go_on(phis, turned, number, next_number, head)

    def _go_on(
        self, phis: list[Phi], texts: list[str], number: Phi, next_number: str, head: str
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
