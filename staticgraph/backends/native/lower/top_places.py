"""The lowering of top_places: where the k first elements of each row stand, in one walk.

A row is compared, a vector at a time, with the k-th best of what was seen; the few elements that
come before it are put into a buffer, beside their places. When the buffer is full it is cut to its
k best: its keys are sorted by a network (order/rows.py), which tells what the k-th is, and what
does not come before that goes. Elements stay in the order in which they stand, so of equal ones the
first are kept.
"""

from __future__ import annotations

from staticgraph.backends.native.ir import vector
from staticgraph.backends.native.kernels.code import KernelCode, larger
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.basic import contiguous
from staticgraph.backends.native.lower.indexing import done, hold_array
from staticgraph.backends.native.lower.scan import carried
from staticgraph.backends.native.order.keys import signed_key_dtype, signed_key_of
from staticgraph.backends.native.order.rows import RowNetwork, room_of
from staticgraph.backends.native.program import CHUNK_WORK, Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.node import Node

# The least number of elements that the buffer holds.
_LEAST = 64
# Simple operations that cutting costs for every element of the buffer.
_CUT = 16


def buffer_of(k: int) -> int:
    """How many elements the buffer holds.

    >>> buffer_of(10), buffer_of(1000)
    (64, 2048)
    """
    return max(1 << (2 * k - 1).bit_length(), _LEAST)


@lowering("top_places")
def lower_top_places(program: Program, node: Node) -> None:
    """A kernel over rows that are contiguous."""
    given, k = program.array(node.inputs[0]), node.attrs["k"]
    source = contiguous(program, given, node)
    size = source.dims[-1]
    if size.known is None:
        few = program.code.let(f"icmp slt i64 {program.text(size)}, {k}")
        program.fail_if(few, node)
    dims = (*source.dims[:-1], Size(k))
    result = program.result(node.out, dims, dtypes.int64)
    if ZERO not in dims:
        _TopPlaces(program, source, result, node.attrs["descending"]).write()
    if source is not given:
        program.free(source.buffer)
    hold_array(program, node, result)
    done(program, node)


class _TopPlaces:
    """The kernel: rows of `size` elements, one after the other.

    keys, places   the buffer
    others         room to sort its keys
    """

    def __init__(self, program: Program, source: Array, result: Array, descending: bool) -> None:
        self.program, self.source, self.result = program, source, result
        self.descending = descending
        self.k = int(result.dims[-1].factor)
        self.many = buffer_of(self.k)
        self.dtype, self.key = source.dtype, signed_key_dtype(source.dtype)
        self.lanes = program.options.vector_bytes // self.key.itemsize
        self.element = f"i{8 * self.key.itemsize}"
        self.greatest = (1 << (8 * self.key.itemsize - 1)) - 1

    def write(self) -> None:
        """Writes the kernel and its call."""
        program = self.program
        rows, size = product(self.source.dims[:-1]), self.source.dims[-1]
        room = room_of(program, Size(self.many), self.key)
        behind = self.many * self.key.itemsize
        each = Size(2 * behind + 8 * self.many + 2 * int(room.factor))
        work = program.arithmetic("add", program.text(size), str(_CUT * self.many))
        parts = program.arithmetic("add", str(CHUNK_WORK - 1), work)
        grain = program.text(program.size(
            str(int(parts) // int(work)) if work.isdigit()
            else program.code.let(f"sdiv i64 {parts}, {work}")
        ))  # fmt: skip
        # No more chunks than there is to be room for.
        grain = larger(program, grain, program.text(program.chunks(rows, "64")))
        chunks = program.chunks(rows, grain)
        rooms = program.allocate((chunks, each), dtypes.uint8)
        self.kernel = kernel = KernelCode(program)
        self.code = code = kernel.code
        source, result, base = [
            kernel.argument(array.pointer, "ptr") for array in (self.source, self.result, rooms)
        ]
        chunk = code.let(f"sdiv i64 %lo, {kernel.argument(grain)}")
        base = kernel.offset(base, dtypes.uint8, code.let(f"mul i64 {chunk}, {each.factor}"))
        self.keys = base
        self.sorted = kernel.offset(base, dtypes.uint8, str(behind))
        self.places = kernel.offset(base, dtypes.uint8, str(2 * behind))
        first = kernel.offset(base, dtypes.uint8, str(2 * behind + 8 * self.many))
        pair = (first, kernel.offset(first, dtypes.uint8, str(room.factor)))
        self.network = RowNetwork(kernel, self.key, Size(self.many), pair)
        self.size = kernel.size(size)
        self.held, self.limit = code.stack("i64", 8), code.stack(self.element, 8)

        def row(index: str) -> None:
            begin = code.let(f"mul i64 {index}, {self.size}")
            self._row(kernel.offset(source, self.dtype, begin))
            begin = code.let(f"mul i64 {index}, {self.k}")
            target = kernel.offset(result, dtypes.int64, begin)

            def hand_over(number: str) -> None:
                place = kernel.load(dtypes.int64, kernel.offset(self.places, dtypes.int64, number))
                kernel.store(place, kernel.offset(target, dtypes.int64, number))

            kernel.loop("0", str(self.k), hand_over)

        kernel.loop("%lo", "%hi", row)
        kernel.call(program.text(rows), None if rows == ONE else grain)
        program.free(rooms.buffer)

    def _read(self, elements: str, index: str, s: Scalars) -> str:
        """The keys of elements; equal elements have equal keys."""
        x = self.kernel.load(self.dtype, self.kernel.offset(elements, self.dtype, index), s.lanes)
        return signed_key_of(s, x, self.descending, one_zero=True).text

    def _row(self, elements: str) -> None:
        """Leaves the places of the first k of a row in the buffer."""
        code, kernel = self.code, self.kernel
        builder = self.program.scalars.builder(code, self.lanes)
        operands = [("i64", self.size), ("i64", str(self.many))]
        begin = code.intrinsic("smin.i64", "i64", operands)

        def begin_with(index: str, s: Scalars) -> None:
            key = Register(self._read(elements, index, s), self.key)
            kernel.store(key, kernel.offset(self.keys, self.key, index), s.lanes)

        def number(index: str) -> None:
            place = kernel.offset(self.places, dtypes.int64, index)
            kernel.store(Register(index, dtypes.int64), place)

        kernel.vectors("0", begin, self.lanes, begin_with)
        kernel.loop("0", begin, number)
        code.do(f"store i64 {begin}, ptr {self.held}")
        left = code.let(f"sub i64 {self.size}, {begin}")
        whole = code.let(f"and i64 {left}, {-self.lanes}")
        middle = code.let(f"add i64 {begin}, {whole}")
        before, head, inside, after = code.block, *[code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        reached = code.phi("i64")
        reached.add(begin, before)
        held = code.let(f"load i64, ptr {self.held}")
        kernel.when(code.let(f"icmp sgt i64 {held}, {self.k}"), self._cut)
        code.branch(code.let(f"icmp slt i64 {reached.name}, {self.size}"), inside, after)
        code.begin(inside)
        stopped = self._walk(elements, reached.name, middle, builder)
        stopped = self._walk(elements, stopped, self.size, kernel.scalar)
        reached.add(stopped, code.block)
        code.jump(head)
        code.begin(after)

    def _walk(self, elements: str, begin: str, end: str, s: Scalars) -> str:
        """Looks at vectors of a row until the end, or until the buffer is full; where that is."""
        code = self.code
        before, head, inside, after = code.block, *[code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        index = code.phi("i64")
        index.add(begin, before)
        held = code.let(f"load i64, ptr {self.held}")
        # One more vector has to have room.
        room = code.let(f"icmp sle i64 {held}, {self.many - self.lanes}")
        more = code.let(f"icmp slt i64 {index.name}, {end}")
        code.branch(code.let(f"and i1 {room}, {more}"), inside, after)
        code.begin(inside)
        self._look(elements, index.name, s)
        index.add(code.let(f"add i64 {index.name}, {s.lanes}"), code.block)
        code.jump(head)
        code.begin(after)
        return index.name

    def _look(self, elements: str, index: str, s: Scalars) -> None:
        """Puts those elements of a vector into the buffer that come before the k-th best."""
        code, kernel, lanes = self.code, self.kernel, s.lanes
        keys = self._read(elements, index, s)
        limit = code.let(f"load {self.element}, ptr {self.limit}")
        type = vector(self.element, lanes)
        if lanes > 1:
            one = code.let(f"insertelement {type} poison, {self.element} {limit}, i64 0")
            limit = code.let(
                f"shufflevector {type} {one}, {type} poison, <{lanes} x i32> zeroinitializer"
            )
        mask = code.let(f"icmp slt {type} {keys}, {limit}")
        if lanes == 1:
            kernel.when(mask, lambda: self._put(index, keys))
            return
        word = code.let(f"bitcast {vector('i1', lanes)} {mask} to i{lanes}")

        def some() -> None:
            spilled = code.stack(type)
            code.do(f"store {type} {keys}, ptr {spilled}")

            def put(_: str, left: list[str]) -> list[str]:
                operands = [(f"i{lanes}", left[0]), ("i1", "true")]
                lane = code.intrinsic(f"cttz.i{lanes}", f"i{lanes}", operands)
                wide = lane if lanes == 64 else code.let(f"zext i{lanes} {lane} to i64")
                key = kernel.load(self.key, kernel.offset(spilled, self.key, wide)).text
                self._put(code.let(f"add i64 {index}, {wide}"), key)
                below = code.let(f"sub i{lanes} {left[0]}, 1")
                return [code.let(f"and i{lanes} {left[0]}, {below}")]

            count = code.intrinsic(f"ctpop.i{lanes}", f"i{lanes}", [(f"i{lanes}", word)])
            count = count if lanes == 64 else code.let(f"zext i{lanes} {count} to i64")
            carried(code, "0", count, 1, [(f"i{lanes}", word)], put)

        kernel.when(code.let(f"icmp ne i{lanes} {word}, 0"), some)

    def _put(self, place: str, key: str) -> None:
        """Puts one element into the buffer, which has room for it."""
        code, kernel = self.code, self.kernel
        held = code.let(f"load i64, ptr {self.held}")
        kernel.store(Register(key, self.key), kernel.offset(self.keys, self.key, held))
        into = kernel.offset(self.places, dtypes.int64, held)
        kernel.store(Register(place, dtypes.int64), into)
        code.do(f"store i64 {code.let(f'add i64 {held}, 1')}, ptr {self.held}")

    def _cut(self) -> None:
        """Leaves the k best in the buffer, of which there are as many at least."""
        code, kernel = self.code, self.kernel
        held = code.let(f"load i64, ptr {self.held}")

        def fill(index: str) -> None:
            full = kernel.scalar.constant(self.greatest, self.key)
            kernel.store(full, kernel.offset(self.keys, self.key, index))

        def read(index: str, s: Scalars) -> Register:
            return kernel.load(self.key, kernel.offset(self.keys, self.key, index), s.lanes)

        def write(key: Register, index: str, s: Scalars) -> None:
            kernel.store(key, kernel.offset(self.sorted, self.key, index), s.lanes)

        kernel.loop(held, str(self.many), fill)
        self.network.sort(str(self.many), read, write)
        last = kernel.offset(self.sorted, self.key, str(self.k - 1))
        limit = code.let(f"load {self.element}, ptr {last}")
        code.do(f"store {self.element} {limit}, ptr {self.limit}")

        def before(index: str, now: list[str]) -> list[str]:
            key = kernel.load(self.key, kernel.offset(self.sorted, self.key, index)).text
            less = code.let(f"icmp slt {self.element} {key}, {limit}")
            return [code.let(f"add i64 {now[0]}, {code.let(f'zext i1 {less} to i64')}")]

        # Of those that are equal to the k-th the first ones make up the number.
        (better,) = carried(code, "0", str(self.k), 1, [("i64", "0")], before)
        equal = code.let(f"sub i64 {self.k}, {better}")

        def keep(index: str, now: list[str]) -> list[str]:
            key = kernel.load(self.key, kernel.offset(self.keys, self.key, index))
            place = kernel.load(dtypes.int64, kernel.offset(self.places, dtypes.int64, index))
            less = code.let(f"icmp slt {self.element} {key.text}, {limit}")
            same = code.let(f"icmp eq {self.element} {key.text}, {limit}")
            room = code.let(f"icmp sgt i64 {now[1]}, 0")
            same = code.let(f"and i1 {same}, {room}")
            kept = code.let(f"or i1 {less}, {same}")
            # What does not stay is overwritten by the next that does.
            kernel.store(key, kernel.offset(self.keys, self.key, now[0]))
            kernel.store(place, kernel.offset(self.places, dtypes.int64, now[0]))
            more = code.let(f"zext i1 {kept} to i64")
            used = code.let(f"zext i1 {same} to i64")
            return [code.let(f"add i64 {now[0]}, {more}"), code.let(f"sub i64 {now[1]}, {used}")]

        carried(code, "0", held, 1, [("i64", "0"), ("i64", equal)], keep)
        code.do(f"store i64 {self.k}, ptr {self.held}")
