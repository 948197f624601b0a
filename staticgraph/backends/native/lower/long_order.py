"""Sorting one long row with several threads: a radix sort of blocks.

Keys are sorted by a digit after the other, the lowest first. Only bits in which keys differ count:
a digit begins at the lowest of those that are left, so integers of a small range need one pass. For
each digit every block counts its keys, the counts give where the keys of each block and digit
belong, and every block moves its own there. Blocks depend on nothing but the size, and the order
that results is the only stable one, so threads cannot show.

The method is textbook (Knuth, The Art of Computer Programming, volume 3, section 5.2.5).
"""

from __future__ import annotations

from collections.abc import Callable

from staticgraph.backends.native.ir import vector
from staticgraph.backends.native.kernels.code import KernelCode
from staticgraph.backends.native.order.keys import element_of, key_dtype, key_of
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import Size
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

# Rows of so many elements are sorted here: places are kept in 32 bits.
LEAST, MOST = 1 << 15, 1 << 31
_BLOCK = 1 << 16
# A digit of 8 bits moves keys to so few places at a time that their lines stay in the first cache;
# one of 11 bits is slower by half, and worth it where it saves a pass: for 22 bits and less.
_BITS, _MANY_BITS = 8, 11
_DIGITS = 1 << _MANY_BITS


class LongSort:
    """The code that sorts one row whose elements stand in order.

    places   whether the result is the places of the elements, int64, not the elements
    """

    def __init__(
        self, program: Program, source: Array, result: Array, descending: bool, places: bool
    ) -> None:
        self.program, self.source, self.result = program, source, result
        self.descending, self.with_places = descending, places
        self.key = key_dtype(source.dtype)
        self.type = f"i{8 * self.key.itemsize}"
        self.size = source.dims[-1]
        self.blocks = program.chunks(self.size, str(_BLOCK))

    def write(self) -> None:
        """Writes the passes: a loop in the main function."""
        program, code = self.program, self.program.code
        keys = [program.allocate((self.size,), self.key) for _ in range(2)]
        places = [
            program.allocate((self.size,), dtypes.uint32) for _ in range(2 * self.with_places)
        ]
        table = program.allocate((self.blocks, Size(_DIGITS)), dtypes.int64)
        # Per block the bits that some key has, and those that all have.
        bits = program.allocate((self.blocks, Size(2)), self.key)
        slots = [code.stack("ptr", 8) for _ in range(2 + 2 * self.with_places)]
        for slot, array in zip(slots, (*keys, *places), strict=True):
            code.do(f"store ptr {array.pointer}, ptr {slot}")
        self._make_keys(keys[0], places[0] if places else None, bits)
        differing = self._differing(bits)
        self._passes(slots, differing, table)
        self._finish(slots)
        for array in (*keys, *places, table, bits):
            program.free(array.buffer)

    # -- keys -----------------------------------------------------------------------------------

    def _block(self, kernel: KernelCode, number: str) -> tuple[str, str]:
        """Where a block begins and ends."""
        code = kernel.code
        begin = code.let(f"mul i64 {number}, {_BLOCK}")
        whole = code.let(f"add i64 {begin}, {_BLOCK}")
        end = code.intrinsic("smin.i64", "i64", [("i64", whole), ("i64", kernel.size(self.size))])
        return begin, end

    def _over_blocks(self, kernel: KernelCode, body: Callable[[str, str, str], None]) -> None:
        """Ends a kernel that does what `body` writes for the number and the ends of a block."""
        kernel.loop("%lo", "%hi", lambda number: body(number, *self._block(kernel, number)))
        kernel.call(self.program.text(self.blocks), "1")

    def _lanes(self, *types: DType) -> int:
        return 2 * self.program.options.vector_bytes // max(dtype.itemsize for dtype in types)

    def _make_keys(self, keys: Array, places: Array | None, bits: Array) -> None:
        """Writes keys, and places in their first order; notes which bits differ in each block."""
        kernel = KernelCode(self.program)
        code = kernel.code
        source, target = [kernel.argument(a.pointer, "ptr") for a in (self.source, keys)]
        noted = kernel.argument(bits.pointer, "ptr")
        lanes = self._lanes(self.source.dtype, self.key)
        rooms = {many: [code.stack(vector(self.type, many)) for _ in range(2)]
                 for many in (lanes, 1)}  # fmt: skip

        def convert(index: str, s: Scalars) -> None:
            x = kernel.load(
                self.source.dtype, kernel.offset(source, self.source.dtype, index), s.lanes
            )
            key = key_of(s, x, self.descending, one_zero=self.with_places)
            kernel.store(key, kernel.offset(target, self.key, index), s.lanes)
            type = vector(self.type, s.lanes)
            for room, op in zip(rooms[s.lanes], ("or", "and"), strict=True):
                before = code.let(f"load {type}, ptr {room}")
                code.do(f"store {type} {code.let(f'{op} {type} {before}, {key.text}')}, ptr {room}")

        def block(number: str, begin: str, end: str) -> None:
            for many, (some, every) in rooms.items():
                zeros = "zeroinitializer" if many > 1 else "0"
                ones = self.program.scalars.builder(code, many).constant(-1, _signed(self.key)).text
                code.do(f"store {vector(self.type, many)} {zeros}, ptr {some}")
                code.do(f"store {vector(self.type, many)} {ones}, ptr {every}")
            kernel.vectors(begin, end, lanes, convert)
            for column, op in enumerate(("or", "and")):
                wide = code.let(f"load {vector(self.type, lanes)}, ptr {rooms[lanes][column]}")
                name = f"vector.reduce.{op}.v{lanes}{self.type}"
                whole = code.intrinsic(name, self.type, [(vector(self.type, lanes), wide)])
                rest = code.let(f"load {self.type}, ptr {rooms[1][column]}")
                total = code.let(f"{op} {self.type} {whole}, {rest}")
                place = code.let(f"mul i64 {number}, 2")
                place = code.let(f"add i64 {place}, {column}")
                kernel.store(Register(total, self.key), kernel.offset(noted, self.key, place))
            if places is not None:
                self._number(kernel, kernel.argument(places.pointer, "ptr"), begin, end)

        self._over_blocks(kernel, block)

    def _number(self, kernel: KernelCode, target: str, begin: str, end: str) -> None:
        def number(index: str) -> None:
            place = kernel.code.let(f"trunc i64 {index} to i32")
            kernel.store(
                Register(place, dtypes.uint32), kernel.offset(target, dtypes.uint32, index)
            )

        kernel.loop(begin, end, number)

    def _differing(self, bits: Array) -> str:
        """The bits in which keys differ, in a slot of the main function."""
        program = self.program
        room = program.code.stack(self.type, 8)
        kernel = KernelCode(program)
        code = kernel.code
        noted, target = kernel.argument(bits.pointer, "ptr"), kernel.argument(room, "ptr")
        rooms = [code.stack(self.type, 8) for _ in range(2)]
        code.do(f"store {self.type} 0, ptr {rooms[0]}")
        code.do(f"store {self.type} -1, ptr {rooms[1]}")

        def block(number: str) -> None:
            for column, op in enumerate(("or", "and")):
                place = code.let(f"mul i64 {number}, 2")
                place = code.let(f"add i64 {place}, {column}")
                more = kernel.load(self.key, kernel.offset(noted, self.key, place)).text
                now = code.let(f"load {self.type}, ptr {rooms[column]}")
                code.do(
                    f"store {self.type} {code.let(f'{op} {self.type} {now}, {more}')}, "
                    f"ptr {rooms[column]}"
                )

        kernel.loop("%lo", "%hi", block)
        some, every = [code.let(f"load {self.type}, ptr {r}") for r in rooms]
        code.do(f"store {self.type} {code.let(f'xor {self.type} {some}, {every}')}, ptr {target}")
        kernel.call(program.text(self.blocks), None)
        return room

    # -- passes ---------------------------------------------------------------------------------

    def _passes(self, slots: list[str], differing: str, table: Array) -> None:
        """As long as keys differ in bits that were not looked at: one more digit."""
        program, code = self.program, self.program.code
        head, inside, after = [code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        left = code.let(f"load {self.type}, ptr {differing}")
        code.branch(code.let(f"icmp ne {self.type} {left}, 0"), inside, after)
        code.begin(inside)
        program.enter_block()
        shift = code.intrinsic(f"cttz.{self.type}", self.type, [(self.type, left), ("i1", "true")])
        above = code.intrinsic(f"ctlz.{self.type}", self.type, [(self.type, left), ("i1", "true")])
        known = code.let(f"add {self.type} {above}, {shift}")
        few = code.let(f"icmp uge {self.type} {known}, {8 * self.key.itemsize - 2 * _MANY_BITS}")
        count = code.let(f"select i1 {few}, i64 {_DIGITS}, i64 {1 << _BITS}")
        mask = code.let(f"sub i64 {count}, 1")
        digit = mask
        if self.type != "i64":
            digit = code.let(f"trunc i64 {mask} to {self.type}")
        digit = code.let(f"shl {self.type} {digit}, {shift}")
        kept = code.let(f"xor {self.type} {digit}, -1")
        code.do(f"store {self.type} {code.let(f'and {self.type} {left}, {kept}')}, ptr {differing}")
        if self.type != "i64":
            shift = code.let(f"zext {self.type} {shift} to i64")
        pointers = [code.let(f"load ptr, ptr {slot}") for slot in slots]
        self._count(pointers[0], (shift, mask), count, table)
        self._begin_digits(count, table)
        self._move(pointers, (shift, mask), table)
        for first in range(0, len(slots), 2):
            code.do(f"store ptr {pointers[first + 1]}, ptr {slots[first]}")
            code.do(f"store ptr {pointers[first]}, ptr {slots[first + 1]}")
        program.leave_block()
        code.jump(head)
        code.begin(after)

    def _digit(self, kernel: KernelCode, key: str, where: tuple[str, str]) -> str:
        """The digit of a key at `where`, a shift and a mask."""
        code = kernel.code
        shift, mask = where
        digit = code.let(f"lshr {self.type} {key}, {shift}")
        if self.type != "i64":
            digit = code.let(f"zext {self.type} {digit} to i64")
        return code.let(f"and i64 {digit}, {mask}")

    def _where(self, kernel: KernelCode, where: tuple[str, str]) -> tuple[str, str]:
        """The shift and the mask of the caller in a kernel."""
        shift, mask = [kernel.argument(text) for text in where]
        if self.type != "i64":
            shift = kernel.code.let(f"trunc i64 {shift} to {self.type}")
        return shift, mask

    def _count(self, keys: str, where: tuple[str, str], digits: str, table: Array) -> None:
        """How often each digit stands in each block."""
        kernel = KernelCode(self.program)
        code = kernel.code
        source, counts = kernel.argument(keys, "ptr"), kernel.argument(table.pointer, "ptr")
        by = self._where(kernel, where)
        length = code.let(f"shl i64 {kernel.argument(digits)}, 3")
        code.module.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")

        def block(number: str, begin: str, end: str) -> None:
            row = kernel.offset(counts, dtypes.int64, code.let(f"mul i64 {number}, {_DIGITS}"))
            code.do(f"call void @llvm.memset.p0.i64(ptr {row}, i8 0, i64 {length}, i1 false)")

            def count(index: str) -> None:
                key = kernel.load(self.key, kernel.offset(source, self.key, index)).text
                slot = kernel.offset(row, dtypes.int64, self._digit(kernel, key, by))
                now = code.let(f"load i64, ptr {slot}")
                code.do(f"store i64 {code.let(f'add i64 {now}, 1')}, ptr {slot}")

            kernel.loop(begin, end, count)

        self._over_blocks(kernel, block)

    def _begin_digits(self, digits: str, table: Array) -> None:
        """Makes of the counts where the keys of each digit and block belong."""
        kernel = KernelCode(self.program)
        code = kernel.code
        counts = kernel.argument(table.pointer, "ptr")
        sum_at = code.stack("i64", 8)
        code.do(f"store i64 0, ptr {sum_at}")

        def digit(number: str) -> None:
            def block(which: str) -> None:
                place = code.let(f"mul i64 {which}, {_DIGITS}")
                slot = kernel.offset(counts, dtypes.int64, code.let(f"add i64 {place}, {number}"))
                count = code.let(f"load i64, ptr {slot}")
                before = code.let(f"load i64, ptr {sum_at}")
                code.do(f"store i64 {before}, ptr {slot}")
                code.do(f"store i64 {code.let(f'add i64 {before}, {count}')}, ptr {sum_at}")

            kernel.loop("0", kernel.size(self.blocks), block)

        kernel.loop("%lo", "%hi", digit)
        kernel.call(digits, None)

    def _move(self, pointers: list[str], where: tuple[str, str], table: Array) -> None:
        """Every block moves its keys, and the places beside them, to where they belong."""
        kernel = KernelCode(self.program)
        code = kernel.code
        given = [kernel.argument(pointer, "ptr") for pointer in pointers]
        begins = kernel.argument(table.pointer, "ptr")
        by = self._where(kernel, where)

        def block(number: str, begin: str, end: str) -> None:
            row = kernel.offset(begins, dtypes.int64, code.let(f"mul i64 {number}, {_DIGITS}"))

            def move(index: str) -> None:
                key = kernel.load(self.key, kernel.offset(given[0], self.key, index))
                slot = kernel.offset(row, dtypes.int64, self._digit(kernel, key.text, by))
                target = code.let(f"load i64, ptr {slot}")
                code.do(f"store i64 {code.let(f'add i64 {target}, 1')}, ptr {slot}")
                kernel.store(key, kernel.offset(given[1], self.key, target))
                if self.with_places:
                    place = kernel.load(
                        dtypes.uint32, kernel.offset(given[2], dtypes.uint32, index)
                    )
                    kernel.store(place, kernel.offset(given[3], dtypes.uint32, target))

            kernel.loop(begin, end, move)

        self._over_blocks(kernel, block)

    def _finish(self, slots: list[str]) -> None:
        """Writes the result from what is sorted."""
        program = self.program
        kernel = KernelCode(program)
        dtype = self.result.dtype
        sorted_at = program.code.let(f"load ptr, ptr {slots[2 if self.with_places else 0]}")
        source = kernel.argument(sorted_at, "ptr")
        target = kernel.argument(self.result.pointer, "ptr")
        held = dtypes.uint32 if self.with_places else self.key

        def write(index: str, s: Scalars) -> None:
            x = kernel.load(held, kernel.offset(source, held, index), s.lanes)
            value = (
                s.cast(x, dtype) if self.with_places else (element_of(s, x, dtype, self.descending))
            )
            kernel.store(value, kernel.offset(target, dtype, index), s.lanes)

        lanes = self._lanes(held, dtype)
        self._over_blocks(
            kernel, lambda number, begin, end: kernel.vectors(begin, end, lanes, write)
        )


def _signed(dtype: DType) -> DType:
    return dtypes.int64 if dtype.itemsize == 8 else dtypes.int32
