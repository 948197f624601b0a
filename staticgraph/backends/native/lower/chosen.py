"""Where the largest or smallest element of each row stands, for rows that lie side by side.

First the extreme value alone is found, block by block, which needs no places; then, in the first
block that has it, the first element that is equal to it. So nearly all of the work is one maximum
per vector. NaN counts as more extreme than everything, and the first one is found, as in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staticgraph.backends.native.ir import element_type, vector
from staticgraph.backends.native.kernels.code import Axis, KernelCode, joined_axes, larger, smaller
from staticgraph.backends.native.lower.scan import carried
from staticgraph.backends.native.program import CHUNK_WORK, Program
from staticgraph.backends.native.reduce import identity
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE, ZERO, Size
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes

# Elements of a row that are a block.
_BLOCK = 1 << 12
# How many vectors are compared side by side.
_SIDE = 4


def flat_rows(array: Array, outer: Sequence[int], axes: Sequence[int]) -> tuple[Axis, Size] | None:
    """The axis of the rows and their size, where the axes that are searched are one run."""
    if array.dtype not in dtypes.REAL:
        return None
    rows = joined_axes([Axis(array.dims[a], (array.strides[a],)) for a in outer])
    run = joined_axes([Axis(array.dims[a], (array.strides[a],)) for a in axes])
    if len(rows) > 1 or len(run) != 1 or run[0].strides != (ONE,):
        return None
    return (rows[0] if rows else Axis(ONE, (ZERO,))), run[0].dim


class Chosen:
    """The kernels; `result` holds one int64 per row, in order."""

    def __init__(
        self, program: Program, array: Array, rows: Axis, size: Size, result: Array, largest: bool
    ) -> None:
        self.program, self.array, self.result = program, array, result
        self.rows, self.size, self.largest = rows, size, largest
        # A bool in memory is a byte that is 0 or 1.
        self.dtype = dtypes.uint8 if array.dtype == dtypes.bool_ else array.dtype
        self.lanes = min(program.options.vector_bytes // self.dtype.itemsize, 64)
        self.blocks = program.chunks(size, str(_BLOCK))
        self.floating = self.dtype in dtypes.FLOATING

    def write(self) -> None:
        """Writes the kernels and their calls."""
        program = self.program
        if self.blocks == ONE:
            self._search_rows()
            return
        best = program.allocate((self.rows.dim, self.blocks), self.dtype)
        self._best_of_blocks(best)
        self._search_blocks(best)
        program.free(best.buffer)

    def _call(self, kernel: KernelCode, count: Size, work: Size) -> None:
        """Ends a kernel over `count` pieces, each of which is so much work."""
        program = self.program
        text = smaller(program, program.text(work), str(_BLOCK))
        if not text.startswith("%"):
            grain = str(max(CHUNK_WORK // max(int(text), 1), 1))
        else:
            most = program.code.let(f"sdiv i64 {CHUNK_WORK}, {larger(program, text, '1')}")
            grain = larger(program, most, "1")
        kernel.call(program.text(count), None if count == ONE else grain)

    def _search_rows(self) -> None:
        """Rows that are one block each."""
        kernel = KernelCode(self.program)
        source, target = [kernel.argument(a.pointer, "ptr") for a in (self.array, self.result)]

        def row(number: str) -> None:
            pointer = kernel.offset(source, self.dtype, number, self.rows.strides[0])
            end = kernel.size(self.size)
            best = self._extreme(kernel, pointer, "0", end)
            place = self._first(kernel, pointer, "0", end, best)
            kernel.store(Register(place, dtypes.int64), kernel.offset(target, dtypes.int64, number))

        kernel.loop("%lo", "%hi", row)
        self._call(kernel, self.rows.dim, self.size)

    def _best_of_blocks(self, best: Array) -> None:
        kernel = KernelCode(self.program)
        code = kernel.code
        source, target = [kernel.argument(a.pointer, "ptr") for a in (self.array, best)]

        def block(number: str) -> None:
            count = kernel.size(self.blocks)
            row = code.let(f"sdiv i64 {number}, {count}")
            first = code.let(f"mul i64 {row}, {count}")
            pointer = kernel.offset(source, self.dtype, row, self.rows.strides[0])
            begin, end = self._bounds(kernel, code.let(f"sub i64 {number}, {first}"))
            found = self._extreme(kernel, pointer, begin, end)
            kernel.store(Register(found, self.dtype), kernel.offset(target, self.dtype, number))

        kernel.loop("%lo", "%hi", block)
        self._call(kernel, self.rows.dim.times(self.blocks), self.size)

    def _search_blocks(self, best: Array) -> None:
        """The first block that has the extreme value of the row, and the first element in it."""
        kernel = KernelCode(self.program)
        code = kernel.code
        source, target = [kernel.argument(a.pointer, "ptr") for a in (self.array, self.result)]
        noted = kernel.argument(best.pointer, "ptr")

        def row(number: str) -> None:
            count = kernel.size(self.blocks)
            of_row = kernel.offset(noted, self.dtype, code.let(f"mul i64 {number}, {count}"))
            value = self._extreme(kernel, of_row, "0", count)
            place = self._first(kernel, of_row, "0", count, value)
            pointer = kernel.offset(source, self.dtype, number, self.rows.strides[0])
            begin, end = self._bounds(kernel, place)
            found = self._first(kernel, pointer, begin, end, value)
            kernel.store(Register(found, dtypes.int64), kernel.offset(target, dtypes.int64, number))

        kernel.loop("%lo", "%hi", row)
        self._call(kernel, self.rows.dim, Size(_BLOCK))

    def _bounds(self, kernel: KernelCode, place: str) -> tuple[str, str]:
        code = kernel.code
        begin = code.let(f"mul i64 {place}, {_BLOCK}")
        whole = code.let(f"add i64 {begin}, {_BLOCK}")
        size = kernel.size(self.size)
        return begin, code.intrinsic("smin.i64", "i64", [("i64", whole), ("i64", size)])

    # -- the extreme value ------------------------------------------------------------------------

    def _type(self, lanes: int) -> str:
        return vector(element_type(self.dtype), lanes)

    def _better(self, s: Scalars, value: str, best: str) -> str:
        """The more extreme of two; NaN in `value` is passed over, one in `best` stays."""
        code, type = s.code, self._type(s.lanes)
        if self.floating:
            # With this order of operands it is one instruction: a NaN gives the second.
            word = "fcmp ogt" if self.largest else "fcmp olt"
        else:
            sign = "s" if self.dtype in dtypes.SIGNED else "u"
            word = f"icmp {sign}{'gt' if self.largest else 'lt'}"
        wins = code.let(f"{word} {type} {value}, {best}")
        return code.let(f"select {vector('i1', s.lanes)} {wins}, {type} {value}, {type} {best}")

    def _extreme(self, kernel: KernelCode, pointer: str, begin: str, end: str) -> str:
        """The most extreme of the elements in [begin, end); NaN where there is one."""
        code, lanes = kernel.code, self.lanes
        builder = self.program.scalars.builder(code, lanes)
        combine = "argmax" if self.largest else "argmin"
        start = identity(combine, self.dtype)
        length = code.let(f"sub i64 {end}, {begin}")
        step = _SIDE * lanes
        whole = code.let(f"and i64 {length}, {-step}")
        middle = code.let(f"add i64 {begin}, {whole}")
        wide = [(self._type(lanes), builder.constant(start, self.dtype).text)] * _SIDE
        flags = [(vector("i1", lanes), "zeroinitializer")] * (_SIDE * self.floating)

        def step_on(index: str, now: list[str]) -> list[str]:
            bests, holes = [], []
            for part in range(_SIDE):
                here = code.let(f"add i64 {index}, {part * lanes}")
                at = kernel.offset(pointer, self.dtype, here)
                value = kernel.load(self.dtype, at, lanes).text
                bests.append(self._better(builder, value, now[part]))
                if self.floating:
                    hole = code.let(f"fcmp uno {self._type(lanes)} {value}, {value}")
                    known = now[_SIDE + part]
                    holes.append(code.let(f"or {vector('i1', lanes)} {known}, {hole}"))
            return [*bests, *holes]

        found = carried(code, begin, middle, step, [*wide, *flags], step_on)
        best = found[0]
        for other in found[1:_SIDE]:
            best = self._better(builder, other, best)
        best = self._folded(kernel, best)
        hole = "false"
        for flag in found[_SIDE:]:
            operands = [(vector("i1", lanes), flag)]
            some = code.intrinsic(f"vector.reduce.or.v{lanes}i1", "i1", operands)
            hole = code.let(f"or i1 {hole}, {some}")

        def rest(index: str, now: list[str]) -> list[str]:
            value = kernel.load(self.dtype, kernel.offset(pointer, self.dtype, index)).text
            following = [self._better(kernel.scalar, value, now[0])]
            if self.floating:
                here = code.let(f"fcmp uno {self._type(1)} {value}, {value}")
                following.append(code.let(f"or i1 {now[1]}, {here}"))
            return following

        last = [(self._type(1), best), *[("i1", hole)] * self.floating]
        found = carried(code, middle, end, 1, last, rest)
        if not self.floating:
            return found[0]
        none = kernel.scalar.constant(float("nan"), self.dtype).text
        type = self._type(1)
        return code.let(f"select i1 {found[1]}, {type} {none}, {type} {found[0]}")

    def _folded(self, kernel: KernelCode, text: str) -> str:
        """The most extreme lane, by halves."""
        code, lanes = kernel.code, self.lanes
        while lanes > 1:
            half, type = lanes // 2, self._type(lanes)
            parts = []
            for begin in (0, half):
                if half == 1:
                    parts.append(code.let(f"extractelement {type} {text}, i64 {begin}"))
                    continue
                places = ", ".join(f"i32 {lane}" for lane in range(begin, begin + half))
                parts.append(code.let(
                    f"shufflevector {type} {text}, {type} poison, <{half} x i32> <{places}>"
                ))  # fmt: skip
            text = self._better(self.program.scalars.builder(code, half), parts[1], parts[0])
            lanes = half
        return text

    # -- its place --------------------------------------------------------------------------------

    def _equal(self, kernel: KernelCode, value: str, best: str, lanes: int) -> str:
        """Whether elements are the extreme value: i1 each. It is NaN where any element is."""
        code, type = kernel.code, self._type(lanes)
        if not self.floating:
            return code.let(f"icmp eq {type} {value}, {best}")
        # Equal, or both no numbers: beside a NaN the comparison is unordered for all of them.
        same = code.let(f"fcmp oeq {type} {value}, {best}")
        hole = code.let(f"fcmp uno {type} {value}, {value}")
        return code.let(f"or {vector('i1', lanes)} {same}, {hole}")

    def _first(self, kernel: KernelCode, pointer: str, begin: str, end: str, best: str) -> str:
        """The first place in [begin, end) where the extreme value stands; it stands somewhere."""
        code, lanes = kernel.code, self.lanes
        type = self._type(lanes)
        single = code.let(f"insertelement {type} poison, {self._type(1)} {best}, i64 0")
        wide = code.let(
            f"shufflevector {type} {single}, {type} poison, <{lanes} x i32> zeroinitializer"
        )
        length = code.let(f"sub i64 {end}, {begin}")
        middle = code.let(f"add i64 {begin}, {code.let(f'and i64 {length}, {-lanes}')}")

        def wide_hit(index: str) -> tuple[str, Callable[[], str]]:
            at = kernel.offset(pointer, self.dtype, index)
            value = kernel.load(self.dtype, at, lanes).text
            mask = self._equal(kernel, value, wide, lanes)
            word = code.let(f"bitcast {vector('i1', lanes)} {mask} to i{lanes}")

            def place() -> str:
                operands = [(f"i{lanes}", word), ("i1", "true")]
                lane = code.intrinsic(f"cttz.i{lanes}", f"i{lanes}", operands)
                if lanes < 64:
                    lane = code.let(f"zext i{lanes} {lane} to i64")
                return code.let(f"add i64 {index}, {lane}")

            return code.let(f"icmp ne i{lanes} {word}, 0"), place

        def single_hit(index: str) -> tuple[str, Callable[[], str]]:
            value = kernel.load(self.dtype, kernel.offset(pointer, self.dtype, index)).text
            return self._equal(kernel, value, best, 1), lambda: index

        found = code.stack("i64", 8)
        done = code.label()
        code.do(f"store i64 {begin}, ptr {found}")
        for start, stop, step, hit in (
            (begin, middle, lanes, wide_hit), (middle, end, 1, single_hit),
        ):  # fmt: skip
            self._look(kernel, start, stop, step, hit, found, done)
        code.jump(done)
        code.begin(done)
        return code.let(f"load i64, ptr {found}")

    def _look(
        self,
        kernel: KernelCode,
        begin: str,
        end: str,
        step: int,
        hit: Callable[[str], tuple[str, Callable[[], str]]],
        found: str,
        done: str,
    ) -> None:
        """A loop that goes to `done` with the place of the first hit."""
        code = kernel.code
        before, head, inside, here, on, after = code.block, *[code.label() for _ in range(5)]
        code.jump(head)
        code.begin(head)
        index = code.phi("i64")
        index.add(begin, before)
        code.branch(code.let(f"icmp slt i64 {index.name}, {end}"), inside, after)
        code.begin(inside)
        condition, place = hit(index.name)
        code.branch(condition, here, on)
        code.begin(here)
        code.do(f"store i64 {place()}, ptr {found}")
        code.jump(done)
        code.begin(on)
        index.add(code.let(f"add i64 {index.name}, {step}"), on)
        code.jump(head)
        code.begin(after)
