"""The lowering of order_of_words: the stable order of random words, by buckets.

Words that are spread evenly below 2**bits are moved into buckets by their leading bits, each beside
its place, and every bucket, which then fits into the nearest cache, is sorted by a network
(order/rows.py). A word and its place are one number of 64 bits, since the bits that name the
bucket need not be kept; so equal words keep their order. Blocks of words are counted, and move
theirs, side by side; blocks and buckets depend on nothing but the size, and the order that results
is the only stable one.

Words that are not spread so, which only somebody who feeds them can give, fill some bucket too
much: then they are sorted like any other row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from staticgraph.backends.native.kernels.code import KernelCode, larger, smaller
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.basic import contiguous
from staticgraph.backends.native.lower.indexing import done, hold_array
from staticgraph.backends.native.lower.order import sort_last_axis
from staticgraph.backends.native.lower.scan import carried
from staticgraph.backends.native.order.rows import MOST, RowNetwork, room_of
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ZERO, Size
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.node import Node

# Elements of a row that one network sorts without buckets, where the size is known.
_ALONE = 1 << 10
# There are so many buckets that each has 2**_BUCKET_BITS words or somewhat less on average, as long
# as their number is not above 2**_MOST_BITS: where their ends are stays in the nearest cache.
_BUCKET_BITS, _MOST_BITS = 7, 12
# Blocks of words: how many at most, and how many words each has at least.
_BLOCKS, _BLOCK = 16, 1 << 14
# Every chunk of buckets has room to sort in.
_CHUNKS = 32


@lowering("order_of_words")
def lower_word_order(program: Program, node: Node) -> None:
    """A row that registers hold by one network, a longer one by buckets."""
    given = program.array(node.inputs[0])
    words = contiguous(program, given, node)
    result = program.result(node.out, words.dims, dtypes.int64)
    size, bits = words.dims[0], node.attrs["bits"]
    if size != ZERO:
        _WordOrder(program, words, result, bits).write()
    if words is not given:
        program.free(words.buffer)
    hold_array(program, node, result)
    done(program, node)


class _Parts(NamedTuple):
    """The parts of the words and where they go.

    length    of a block
    table     per block and bucket how many words, then where they belong; behind, where buckets end
    """

    blocks: Size
    length: str
    buckets: Size
    table: Array


class _WordOrder:
    """The code that orders `words`.

    place_bits    how many bits the largest place has
    bucket_bits   how many leading bits of a word name its bucket
    kept          how many bits of a word are kept beside its place
    """

    def __init__(self, program: Program, words: Array, result: Array, bits: int) -> None:
        self.program, self.words, self.result = program, words, result
        self.size, self.bits = words.dims[0], bits
        self.place_bits = _bits_below(program, program.text(self.size))
        self.alone = self.size.known is not None and self.size.known <= _ALONE
        # With a quarter to spare few buckets have more than 2**_BUCKET_BITS words.
        quarter = self._quarter(program.text(self.size))
        above = _bits_below(program, program.arithmetic("add", program.text(self.size), quarter))
        wanted = larger(program, program.arithmetic("sub", above, str(_BUCKET_BITS)), "0")
        self.bucket_bits = "0" if self.alone else smaller(program, wanted, str(_MOST_BITS))
        self.kept = program.arithmetic("sub", str(bits), self.bucket_bits)
        self.kept_ones = _ones(program, self.kept)
        self.place_ones = _ones(program, self.place_bits)

    def _quarter(self, size: str) -> str:
        if not size.startswith("%"):
            return str(int(size) // 4)
        return self.program.code.let(f"lshr i64 {size}, 2")

    def write(self) -> None:
        """Writes the kernels and their calls."""
        program, code = self.program, self.program.code
        if self.alone:
            self._sort_alone()
            return
        least = program.text(program.chunks(self.size, str(_BLOCKS)))
        length = larger(program, least, str(_BLOCK))
        count = program.chunks(self.size, length)
        buckets = program.size(_power(program, self.bucket_bits))
        rows = program.size(program.arithmetic("add", program.text(count), "1"))
        table = program.allocate((rows, buckets), dtypes.int64)
        parts = _Parts(count, length, buckets, table)
        self._count(parts)
        longest = self._begin_buckets(parts)
        # Then there are no more than 2**27 places, which leave room for what is kept of a word.
        spread = code.let(f"icmp sle i64 {longest}, {MOST}")
        by_buckets, as_row, after = [code.label() for _ in range(3)]
        code.branch(spread, by_buckets, as_row)
        code.begin(by_buckets)
        program.enter_block()
        packed = program.allocate((self.size,), dtypes.int64)
        self._move(parts, packed)
        self._sort_buckets(parts, packed, longest)
        program.free(packed.buffer)
        program.leave_block()
        code.jump(after)
        code.begin(as_row)
        program.enter_block()
        self._sort_as_row()
        program.leave_block()
        code.jump(after)
        code.begin(after)
        program.free(table.buffer)

    def _sort_as_row(self) -> None:
        program = self.program
        lowest = program.allocate((self.size,), dtypes.uint64)
        kernel = KernelCode(program)
        words, target = [kernel.argument(a.pointer, "ptr") for a in (self.words, lowest)]

        def cut(index: str, s: Scalars) -> None:
            word = kernel.load(dtypes.uint64, kernel.offset(words, dtypes.uint64, index), s.lanes)
            ones = s.constant((1 << self.bits) - 1, dtypes.uint64)
            place = kernel.offset(target, dtypes.uint64, index)
            kernel.store(s.bitwise_and(word, ones), place, s.lanes)

        kernel.vectors("%lo", "%hi", program.options.vector_bytes // 8, cut)
        kernel.call(program.text(self.size), None)
        sort_last_axis(program, lowest, self.result, descending=False, places=True)
        program.free(lowest.buffer)

    # -- a word and its place -------------------------------------------------------------------

    def _packed(self, kernel: KernelCode, s: Scalars, word: Register, index: str) -> Register:
        """What is kept of words, and behind it their places from `index` on."""
        kept = self._spread(kernel, s, self.kept_ones)
        high = s.instruction(
            "shl", s.bitwise_and(word, kept), self._spread(kernel, s, self.place_bits)
        )
        place = _splat(s, index)
        if s.lanes > 1:
            lanes = ", ".join(f"i64 {lane}" for lane in range(s.lanes))
            place = s.add(place, Register(f"<{lanes}>", dtypes.int64))
        return s.bitwise_or(high, place)

    def _writer(self, kernel: KernelCode, target: str) -> Callable[[Register, str, Scalars], None]:
        """What writes the places in keys behind a pointer."""

        def write(key: Register, index: str, s: Scalars) -> None:
            mask = self._spread(kernel, s, self.place_ones)
            place = kernel.offset(target, dtypes.int64, index)
            kernel.store(s.bitwise_and(key, mask), place, s.lanes)

        return write

    def _spread(self, kernel: KernelCode, s: Scalars, text: str) -> Register:
        """A number of the main function in every lane."""
        return _splat(s, kernel.argument(text))

    def _sort_alone(self) -> None:
        """A row of known size, packed while it is read."""
        program = self.program
        room = room_of(program, self.size, dtypes.int64)
        rooms = program.allocate((Size(2), room), dtypes.uint8)
        kernel = KernelCode(program)
        words, target, first = [
            kernel.argument(array.pointer, "ptr") for array in (self.words, self.result, rooms)
        ]
        pair = (first, kernel.offset(first, dtypes.uint8, kernel.size(room)))
        network = RowNetwork(kernel, dtypes.int64, self.size, pair)

        def read(index: str, s: Scalars) -> Register:
            word = kernel.load(dtypes.int64, kernel.offset(words, dtypes.int64, index), s.lanes)
            return self._packed(kernel, s, word, index)

        network.sort(program.text(self.size), read, self._writer(kernel, target))
        kernel.call("1", None)
        program.free(rooms.buffer)

    # -- blocks ---------------------------------------------------------------------------------

    def _over(
        self, kernel: KernelCode, parts: _Parts, body: Callable[[str, str, str, str], None]
    ) -> None:
        """Ends a kernel: `body` for the number of a block, its row of the table, and its ends."""
        code = kernel.code
        table, length = kernel.argument(parts.table.pointer, "ptr"), kernel.argument(parts.length)

        def block(number: str) -> None:
            row = kernel.offset(
                table, dtypes.int64, code.let(f"mul i64 {number}, {kernel.size(parts.buckets)}")
            )
            begin = code.let(f"mul i64 {number}, {length}")
            whole = code.let(f"add i64 {begin}, {length}")
            end = code.intrinsic(
                "smin.i64", "i64", [("i64", whole), ("i64", kernel.size(self.size))]
            )
            body(number, row, begin, end)

        kernel.loop("%lo", "%hi", block)
        kernel.call(self.program.text(parts.blocks), "1")

    def _slot(self, kernel: KernelCode, row: str, word: str, parts: _Parts) -> str:
        """Where the number of a word's bucket stands in a row of the table."""
        code = kernel.code
        bucket = code.let(f"lshr i64 {word}, {kernel.argument(self.kept)}")
        last = code.let(f"sub i64 {kernel.size(parts.buckets)}, 1")
        return kernel.offset(row, dtypes.int64, code.let(f"and i64 {bucket}, {last}"))

    def _count(self, parts: _Parts) -> None:
        """How many words of each block belong to each bucket."""
        kernel = KernelCode(self.program)
        code = kernel.code
        words = kernel.argument(self.words.pointer, "ptr")
        code.module.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")

        def block(number: str, row: str, begin: str, end: str) -> None:
            length = code.let(f"shl i64 {kernel.size(parts.buckets)}, 3")
            code.do(f"call void @llvm.memset.p0.i64(ptr {row}, i8 0, i64 {length}, i1 false)")

            def count(index: str) -> None:
                word = kernel.load(dtypes.int64, kernel.offset(words, dtypes.int64, index)).text
                slot = self._slot(kernel, row, word, parts)
                before = code.let(f"load i64, ptr {slot}")
                code.do(f"store i64 {code.let(f'add i64 {before}, 1')}, ptr {slot}")

            kernel.loop(begin, end, count)

        self._over(kernel, parts, block)

    def _begin_buckets(self, parts: _Parts) -> str:
        """Makes of the counts where words belong; how many there are in the longest bucket."""
        program = self.program
        kernel = KernelCode(program)
        code = kernel.code
        found = program.code.stack("i64", 8)
        counts, longest = [kernel.argument(p, "ptr") for p in (parts.table.pointer, found)]
        count = kernel.size(parts.blocks)

        def bucket(number: str, now: list[str]) -> list[str]:
            def block(which: str, sums: list[str]) -> list[str]:
                place = code.let(f"mul i64 {which}, {kernel.size(parts.buckets)}")
                slot = kernel.offset(counts, dtypes.int64, code.let(f"add i64 {place}, {number}"))
                more = code.let(f"load i64, ptr {slot}")
                code.do(f"store i64 {sums[0]}, ptr {slot}")
                return [code.let(f"add i64 {sums[0]}, {more}")]

            (end,) = carried(code, "0", count, 1, [("i64", now[0])], block)
            place = code.let(f"mul i64 {count}, {kernel.size(parts.buckets)}")
            slot = kernel.offset(counts, dtypes.int64, code.let(f"add i64 {place}, {number}"))
            code.do(f"store i64 {end}, ptr {slot}")
            length = code.let(f"sub i64 {end}, {now[0]}")
            return [
                end, code.intrinsic("smax.i64", "i64", [("i64", now[1]), ("i64", length)])
            ]  # fmt: skip

        def whole(_: str) -> None:
            start = [("i64", "0"), ("i64", "0")]
            _, most = carried(code, "0", kernel.size(parts.buckets), 1, start, bucket)
            code.do(f"store i64 {most}, ptr {longest}")

        kernel.loop("%lo", "%hi", whole)
        kernel.call("1", None)
        return program.load(dtypes.int64, found).text

    def _move(self, parts: _Parts, packed: Array) -> None:
        """Every block moves its words, with their places, to where they belong."""
        kernel = KernelCode(self.program)
        code = kernel.code
        words, target = [kernel.argument(a.pointer, "ptr") for a in (self.words, packed)]

        def block(number: str, row: str, begin: str, end: str) -> None:
            def move(index: str) -> None:
                word = kernel.load(dtypes.int64, kernel.offset(words, dtypes.int64, index))
                slot = self._slot(kernel, row, word.text, parts)
                place = code.let(f"load i64, ptr {slot}")
                code.do(f"store i64 {code.let(f'add i64 {place}, 1')}, ptr {slot}")
                key = self._packed(kernel, kernel.scalar, word, index)
                kernel.store(key, kernel.offset(target, dtypes.int64, place))

            kernel.loop(begin, end, move)

        self._over(kernel, parts, block)

    def _sort_buckets(self, parts: _Parts, packed: Array, longest: str) -> None:
        """Sorts bucket after bucket and writes the places."""
        program = self.program
        room = room_of(program, program.size(longest), dtypes.int64)
        grain = program.text(program.chunks(parts.buckets, str(_CHUNKS)))
        chunks = program.chunks(parts.buckets, grain)
        rooms = program.allocate((chunks, Size(2), room), dtypes.uint8)
        kernel = KernelCode(program)
        code = kernel.code
        table, keys, target, first = [
            kernel.argument(array.pointer, "ptr")
            for array in (parts.table, packed, self.result, rooms)
        ]
        chunk = code.let(f"sdiv i64 %lo, {kernel.argument(grain)}")
        both = code.let(f"mul i64 {kernel.size(room)}, 2")
        first = kernel.offset(first, dtypes.uint8, code.let(f"mul i64 {chunk}, {both}"))
        pair = (first, kernel.offset(first, dtypes.uint8, kernel.size(room)))
        network = RowNetwork(kernel, dtypes.int64, program.size(longest), pair)
        count = code.let(f"mul i64 {kernel.size(parts.blocks)}, {kernel.size(parts.buckets)}")
        ends = kernel.offset(table, dtypes.int64, count)

        def bucket(number: str) -> None:
            # A bucket begins where the one before it ends.
            end = code.let(f"load i64, ptr {kernel.offset(ends, dtypes.int64, number)}")
            before = code.let(f"sub i64 {number}, 1")
            leads = code.let(f"icmp eq i64 {number}, 0")
            before = code.let(f"select i1 {leads}, i64 0, i64 {before}")
            begin = code.let(f"load i64, ptr {kernel.offset(ends, dtypes.int64, before)}")
            begin = code.let(f"select i1 {leads}, i64 0, i64 {begin}")
            source = kernel.offset(keys, dtypes.int64, begin)

            def read(index: str, s: Scalars) -> Register:
                return kernel.load(
                    dtypes.int64, kernel.offset(source, dtypes.int64, index), s.lanes
                )

            places = kernel.offset(target, dtypes.int64, begin)
            length = code.let(f"sub i64 {end}, {begin}")
            network.sort(length, read, self._writer(kernel, places))

        kernel.loop("%lo", "%hi", bucket)
        kernel.call(program.text(parts.buckets), grain)
        program.free(rooms.buffer)


def _bits_below(program: Program, size: str) -> str:
    """How many bits the numbers below a size have."""
    if not size.startswith("%"):
        return str(max(int(size) - 1, 0).bit_length())
    last = larger(program, program.arithmetic("sub", size, "1"), "0")
    zeros = program.code.intrinsic("ctlz.i64", "i64", [("i64", last), ("i1", "false")])
    return program.arithmetic("sub", "64", zeros)


def _power(program: Program, bits: str) -> str:
    """Two to the `bits`."""
    return program.code.let(f"shl i64 1, {bits}") if bits.startswith("%") else str(1 << int(bits))


def _ones(program: Program, bits: str) -> str:
    """A number of `bits` ones."""
    return program.arithmetic("sub", _power(program, bits), "1")


def _splat(s: Scalars, text: str) -> Register:
    """An i64 in every lane."""
    if not text.startswith("%"):
        return s.constant(int(text), dtypes.int64)
    if s.lanes == 1:
        return Register(text, dtypes.int64)
    type = s.type(dtypes.int64)
    one = s.code.let(f"insertelement {type} poison, i64 {text}, i64 0")
    zeros = f"<{s.lanes} x i32> zeroinitializer"
    return Register(s.code.let(f"shufflevector {type} {one}, {type} poison, {zeros}"), dtypes.int64)
