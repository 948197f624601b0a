"""Sorting one row by a network: in registers where it fits, else in passes over memory.

The row is put into `depth` vectors, a multiple of what registers hold at a time or less than that;
what is missing is filled with the largest key, which stays behind all others. How many vectors
there are is chosen when the code is made if the size is known, else in the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staticgraph.backends.native.ir import vector
from staticgraph.backends.native.kernels.code import KernelCode, smaller
from staticgraph.backends.native.order.network import (
    Network,
    comparators,
    merging_comparators,
)
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import Size
from staticgraph.core.dtypes import DType

# Rows that are not longer are sorted by a network.
MOST = 1 << 15
# How many vectors are sorted in registers, and how many are a block of a longer row.
_DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16)
_BLOCKS = (8, 6)
# Of a size that only the run knows.
_DEPTHS_OF_RUN = (1, 2, 4, 8, 16)

# Gives keys from an index on, and takes them.
Reader = Callable[[str, Scalars], Register]
Writer = Callable[[Register, str, Scalars], None]


def lanes_of(vector_bytes: int, key: DType, size: Size) -> int:
    """How many columns a row is put into: no more than it has elements."""
    lanes = vector_bytes // key.itemsize
    while size.known is not None and lanes > max(size.known, 1):
        lanes //= 2
    return lanes


def depth_of(size: int, lanes: int) -> tuple[int, int]:
    """How many vectors hold a row, and how many of them are a block.

    >>> depth_of(100, 16), depth_of(300, 16)
    ((8, 8), (24, 6))
    """
    wanted = -(-size // lanes)
    for depth in _DEPTHS:
        if wanted <= depth:
            return depth, depth
    found = []
    for block in _BLOCKS:
        depth = block
        while depth < wanted:
            depth *= 2
        found.append((depth, block))
    return min(found)


def room_of(program: Program, size: Size, key: DType) -> Size:
    """The bytes, whole vectors, that each of two rooms must have to sort rows of a size."""
    width = program.options.vector_bytes
    # Twice what is sorted, one vector at least, and one behind the last.
    if size.known is not None:
        needed = 2 * min(size.known, MOST) * key.itemsize
        return Size((-(-needed // width) + 2) * width)
    few = smaller(program, program.text(size), str(MOST))
    few = program.arithmetic("mul", few, str(2 * key.itemsize))
    whole = program.code.let(f"and i64 {few}, {-width}")
    return program.size(program.arithmetic("add", whole, str(3 * width)))


class RowNetwork:
    """The code that sorts rows in a kernel, by signed keys.

    size    of the rows; none that is longer than `MOST` may be sorted
    rooms   two pieces of memory of `room_of` bytes, aligned to vectors
    """

    def __init__(self, kernel: KernelCode, key: DType, size: Size, rooms: tuple[str, str]) -> None:
        self.kernel, self.code, self.key, self.size = kernel, kernel.code, key, size
        program = kernel.program
        self.lanes = lanes_of(program.options.vector_bytes, key, size)
        self.builder = program.scalars.builder(self.code, self.lanes)
        self.element = f"i{8 * key.itemsize}"
        self.type = vector(self.element, self.lanes)
        self.network = Network(self.code, self.element, self.lanes)
        self.greatest = (1 << (8 * key.itemsize - 1)) - 1
        self.room, self.sorted = rooms

    def sort(self, size: str, read: Reader, write: Writer) -> None:
        """Writes the sorting of one row of `size` elements."""
        known = self.size.known
        if known is None:
            self._sort_unknown(size, read, write)
            return
        depth, block = depth_of(known, self.lanes)
        if depth == block:
            self._sort_in_registers(known, depth, read, write)
            return
        self._fill(size, str(depth * self.lanes), read)
        self._sort_in_memory(str(depth), block)
        self._empty(size, write)

    # -- rows that registers hold ---------------------------------------------------------------

    def _full(self) -> str:
        return self.builder.constant(self.greatest, self.key).text

    def _sort_in_registers(self, size: int, depth: int, read: Reader, write: Writer) -> None:
        """A row of known size; the last vector begins where it still has whole elements."""
        lanes, network = self.lanes, self.network
        vectors = []
        for begin in range(0, depth * lanes, lanes):
            if begin >= size:
                vectors.append(self._full())
                continue
            start = min(begin, size - lanes)
            given = read(str(start), self.builder).text
            if start < begin:
                # Those that the vector before has as well do not count.
                places = [lane + lanes * (lane < begin - start) for lane in range(lanes)]
                given = network.shuffled(given, self._full(), places)
            vectors.append(given)
        network.sort(vectors)
        ordered = network.transposed(vectors)
        for number, begin in enumerate(range(0, size, lanes)):
            start = min(begin, size - lanes)
            text = ordered[number]
            if start < begin:
                back = lanes - (begin - start)
                text = network.shuffled(
                    ordered[number - 1], text, [back + lane for lane in range(lanes)]
                )
            write(Register(text, self.key), str(start), self.builder)

    # -- memory ---------------------------------------------------------------------------------

    def _place(self, index: str, base: str | None = None) -> str:
        return self.kernel.offset(self.room if base is None else base, self.key, index)

    def _add(self, lhs: str, rhs: str) -> str:
        return self._folded("add", lhs, rhs)

    def _folded(self, op: str, lhs: str, rhs: str) -> str:
        """An i64 instruction, folded where both operands are known."""
        if not lhs.startswith("%") and not rhs.startswith("%"):
            known = {"add": int.__add__, "sub": int.__sub__, "mul": int.__mul__,
                     "lshr": int.__rshift__}  # fmt: skip
            return str(known[op](int(lhs), int(rhs)))
        return self.code.let(f"{op} i64 {lhs}, {rhs}")

    def _load(self, number: str, base: str | None = None) -> str:
        """The vector of a number."""
        place = self._place(self._folded("mul", number, str(self.lanes)), base)
        return self.code.let(f"load {self.type}, ptr {place}")

    def _store(self, text: str, number: str, base: str | None = None) -> None:
        place = self._place(self._folded("mul", number, str(self.lanes)), base)
        self.code.do(f"store {self.type} {text}, ptr {place}")

    def _loose(self, index: str) -> str:
        """What a store at an index says of its place."""
        return f"ptr {self._place(index)}, align {self.key.itemsize}"

    def _fill(self, size: str, slots: str, read: Reader) -> None:
        """Keys of a row and the largest key behind them, `slots` in all."""
        full = self._full()
        self.kernel.loop(size, slots, lambda index: self.code.do(
            f"store {self.type} {full}, {self._loose(index)}"
        ), self.lanes)  # fmt: skip

        def fill(index: str, s: Scalars) -> None:
            self.kernel.store(read(index, s), self._place(index), s.lanes)

        self._over(size, fill)

    def _empty(self, size: str, write: Writer) -> None:
        """Hands the keys of a row on."""

        def empty(index: str, s: Scalars) -> None:
            write(self.kernel.load(self.key, self._place(index, self.sorted), s.lanes), index, s)

        self._over(size, empty)

    def _over(self, size: str, body: Callable[[str, Scalars], None]) -> None:
        """Does something for each element, in vectors of which the last two may overlap."""
        last = self._folded("sub", size, str(self.lanes))

        def vectors() -> None:
            self.kernel.loop("0", last, lambda index: body(index, self.builder), self.lanes)
            body(last, self.builder)

        if self.size.known is not None:
            vectors()
            return
        code = self.code
        few, many, after = [code.label() for _ in range(3)]
        code.branch(code.let(f"icmp slt i64 {last}, 0"), few, many)
        code.begin(few)
        self.kernel.loop("0", size, lambda index: body(index, self.kernel.scalar))
        code.jump(after)
        code.begin(many)
        vectors()
        code.jump(after)
        code.begin(after)

    # -- rows whose size only the run knows -----------------------------------------------------

    def _sort_unknown(self, size: str, read: Reader, write: Writer) -> None:
        code, lanes = self.code, self.lanes
        # A power of two vectors, of which there is one at least.
        above = code.let(f"add i64 {size}, {lanes - 1}")
        wanted = code.intrinsic("smax.i64", "i64", [
            ("i64", code.let(f"sdiv i64 {above}, {lanes}")), ("i64", "1")
        ])  # fmt: skip
        zeros = code.intrinsic("ctlz.i64", "i64", [
            ("i64", code.let(f"sub i64 {wanted}, 1")), ("i1", "false")
        ])  # fmt: skip
        depth = code.let(f"shl i64 1, {code.let(f'sub i64 64, {zeros}')}")
        self._fill(size, code.let(f"mul i64 {depth}, {lanes}"), read)
        after = code.label()
        for known in _DEPTHS_OF_RUN:
            here, on = code.label(), code.label()
            code.branch(code.let(f"icmp eq i64 {depth}, {known}"), here, on)
            code.begin(here)
            vectors = [self._load(str(number)) for number in range(known)]
            self.network.sort(vectors)
            for number, text in enumerate(self.network.transposed(vectors)):
                self._store(text, str(number), self.sorted)
            code.jump(after)
            code.begin(on)
        self._sort_in_memory(depth, _BLOCKS[0])
        code.jump(after)
        code.begin(after)
        self._empty(size, write)

    # -- passes over memory ---------------------------------------------------------------------

    def _pass(self, numbers: Sequence[str], pairs: Sequence[tuple[int, int]]) -> None:
        """Puts the vectors of some numbers in order at pairs of places."""
        vectors = [self._load(number) for number in numbers]
        self.network.compare(vectors, pairs)
        for number, text in zip(numbers, vectors, strict=True):
            self._store(text, number)

    def _sort_in_memory(self, depth: str, block: int) -> None:
        """Sorts `depth` vectors, two blocks at least, and writes them in order."""
        self._over_blocks(depth, block, comparators(block))
        self._merge_blocks(depth, block)
        columns = 1
        while columns < self.lanes:
            self._turn_columns(depth, columns)
            self._halve(depth, self._folded("lshr", depth, "2"), block)
            columns *= 2
        self._transpose(depth)

    def _over_blocks(self, depth: str, block: int, pairs: Sequence[tuple[int, int]]) -> None:
        self.kernel.loop("0", depth, lambda begin: self._pass(
            [self._add(begin, str(number)) for number in range(block)], pairs
        ), block)  # fmt: skip

    def _loop(self, start: str, goes_on: str, following: str, body: Callable[[str], None]) -> str:
        """Does `body` with a number, then with ``following``, while it ``goes_on``; the last one.

        Both are instructions in which ``@`` stands for the number.
        """
        code = self.code
        before, head, inside, after = code.block, *[code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        number = code.phi("i64")
        number.add(start, before)
        code.branch(code.let(goes_on.replace("@", number.name)), inside, after)
        code.begin(inside)
        body(number.name)
        number.add(code.let(following.replace("@", number.name)), code.block)
        code.jump(head)
        code.begin(after)
        return number.name

    def _over_pairs(self, depth: str, step: str, body: Callable[[str], None]) -> None:
        """Does `body` for every `step`-th vector."""
        self._loop("0", f"icmp slt i64 @, {depth}", f"add i64 @, {step}", body)

    def _merge_blocks(self, depth: str, block: int) -> None:
        """Merges within columns: neighbours of one block, of two, and so on."""
        code = self.code

        def merge(run: str) -> None:
            step, half = code.let(f"shl i64 {run}, 1"), code.let(f"lshr i64 {run}, 1")

            def pair(begin: str) -> None:
                last = code.let(f"sub i64 {code.let(f'add i64 {begin}, {step}')}, 1")

                def turn(place: str) -> None:
                    first = code.let(f"add i64 {begin}, {place}")
                    end = code.let(f"sub i64 {last}, {place}")
                    numbers = [
                        first, code.let(f"add i64 {first}, {half}"),
                        code.let(f"sub i64 {end}, {half}"), end,
                    ]  # fmt: skip
                    self._pass(numbers, [(0, 3), (1, 2), (0, 1), (2, 3)])

                self.kernel.loop("0", half, turn)

            self._over_pairs(depth, step, pair)
            self._halve(depth, code.let(f"lshr i64 {run}, 2"), block)

        self._loop(str(block), f"icmp slt i64 @, {depth}", "shl i64 @, 1", merge)

    def _turn_columns(self, depth: str, columns: int) -> None:
        """The steps of a merge of columns that cross lanes, and the first one that does not."""
        half, code, network = self._folded("lshr", depth, "1"), self.code, self.network
        middle = self._folded("sub", half, "1")

        def turn(place: str) -> None:
            numbers = [place, code.let(f"sub i64 {middle}, {place}")]
            numbers += [self._add(number, half) for number in numbers]
            first, second, third, fourth = [self._load(number) for number in numbers]
            first, fourth = network.turn(first, fourth, columns)
            second, third = network.turn(second, third, columns)
            vectors = [network.cross(v, columns) for v in (first, second, third, fourth)]
            network.compare(vectors, [(0, 2), (1, 3)])
            for number, text in zip(numbers, vectors, strict=True):
                self._store(text, number)

        self.kernel.loop("0", self._folded("lshr", depth, "2"), turn)

    def _halve(self, depth: str, distance: str, block: int) -> None:
        """The steps of a merge from a distance down: two at a time, then within a block or two."""
        code = self.code

        def two(far: str) -> None:
            near = code.let(f"lshr i64 {far}, 1")

            def over(begin: str) -> None:
                def step(place: str) -> None:
                    first = code.let(f"add i64 {begin}, {place}")
                    numbers = [first]
                    for _ in range(3):
                        numbers.append(code.let(f"add i64 {numbers[-1]}, {near}"))
                    self._pass(numbers, merging_comparators(4))

                self.kernel.loop("0", near, step)

            self._over_pairs(depth, code.let(f"shl i64 {far}, 1"), over)

        def last(width: int) -> None:
            self._over_blocks(depth, width, merging_comparators(width))

        if distance.isdigit() and int(distance) < 2 * block:
            last(2 * block if int(distance) == block else block)
            return
        left = self._loop(distance, f"icmp sge i64 @, {2 * block}", "lshr i64 @, 2", two)
        odd, even, after = [code.label() for _ in range(3)]
        code.branch(code.let(f"icmp eq i64 {left}, {block}"), odd, even)
        for label, width in ((odd, 2 * block), (even, block)):
            code.begin(label)
            last(width)
            code.jump(after)
        code.begin(after)

    def _transpose(self, depth: str) -> None:
        """Writes column after column into the other room, some elements of each at a time."""
        # Of a depth that only the run knows, more than that of registers is a power of two.
        height = int(depth) & -int(depth) if depth.isdigit() else 2 * _DEPTHS_OF_RUN[-1]
        height = min(height, self.lanes)
        columns = self.lanes // height

        def part(begin: str) -> None:
            vectors = [self._load(self._add(begin, str(number))) for number in range(height)]
            for number, text in enumerate(self.network.transposed(vectors)):
                for column in range(columns):
                    places = range(column * height, (column + 1) * height)
                    index = self._folded("mul", depth, str(number * columns + column))
                    self._part(text, places, self._add(index, begin))

        self.kernel.loop("0", depth, part, height)

    def _part(self, text: str, places: range, index: str) -> None:
        """Writes some lanes of a vector into the other room."""
        type = vector(self.element, len(places))
        if len(places) < self.lanes:
            listed = ", ".join(f"i32 {place}" for place in places)
            text = self.code.let(
                f"shufflevector {self.type} {text}, {self.type} poison, "
                f"<{len(places)} x i32> <{listed}>"
            )
        place = self._place(index, self.sorted)
        self.code.do(f"store {type} {text}, ptr {place}, align {self.key.itemsize}")
