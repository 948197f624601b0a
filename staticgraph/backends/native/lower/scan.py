"""Running sums along the last axis: blocks of fixed size that several threads scan at a time.

Every block but the last of a row is added up; these sums, one after the other, say what stands
before each block; then every block is scanned from there on. Within a vector the sums are made by
doubling: each lane adds the one before it, then the one two before it, and so on (W. D. Hillis and
G. L. Steele, Data parallel algorithms, 1986). So sums round in an order that depends on nothing but
sizes and the width of vectors; they differ from NumPy's, which go from element to element, in the
last digits, and are nearer to the true ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staticgraph.backends.native.ir import Code, vector
from staticgraph.backends.native.kernels.code import Axis, KernelCode, larger, smaller
from staticgraph.backends.native.program import CHUNK_WORK, Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE, ZERO, Size
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes

# Elements of a row that are a block.
_BLOCK = 1 << 13
# Rows that are shorter than this are not worth vectors.
LEAST = 32
_SUMS = 4


def carried(
    code: Code,
    begin: str,
    end: str,
    step: int,
    start: Sequence[tuple[str, str]],
    body: Callable[[str, list[str]], list[str]],
) -> list[str]:
    """A loop that carries values in registers: `body` makes the next ones of those before."""
    before, head, inside, after = code.block, *[code.label() for _ in range(3)]
    code.jump(head)
    code.begin(head)
    counter = code.phi("i64")
    counter.add(begin, before)
    phis = [code.phi(type) for type, _ in start]
    for phi, (_, value) in zip(phis, start, strict=True):
        phi.add(value, before)
    code.branch(code.let(f"icmp slt i64 {counter.name}, {end}"), inside, after)
    code.begin(inside)
    following = body(counter.name, [phi.name for phi in phis])
    for phi, value in zip(phis, following, strict=True):
        phi.add(value, code.block)
    counter.add(code.let(f"add i64 {counter.name}, {step}"), code.block)
    code.jump(head)
    code.begin(after)
    return [phi.name for phi in phis]


class Scan:
    """The running sums of rows whose elements stand side by side.

    rows      the axis of the rows, with its strides in the result and in the source
    reverse   start at the end of each row
    """

    def __init__(
        self, program: Program, result: Array, source: Array, rows: Axis, reverse: bool
    ) -> None:
        self.program, self.reverse = program, reverse
        self.result, self.source, self.rows = result, source, rows
        self.dtype = result.dtype
        self.size = result.dims[-1]
        self.lanes = program.options.vector_bytes // self.dtype.itemsize
        self.blocks = program.chunks(self.size, str(_BLOCK))
        # What changes nothing when it is added: of floats -0.0 is, for every zero.
        self.nothing = -0.0 if self.dtype in dtypes.FLOATING else 0

    def write(self) -> None:
        """Writes the kernels and their calls."""
        program = self.program
        if self.blocks == ONE:
            self._scan(None)
            return
        count = self.rows.dim.times(self.blocks)
        sums = program.allocate((count,), self.dtype)
        self._add_up(sums)
        self._begin_blocks(sums)
        self._scan(sums)
        program.free(sums.buffer)

    def _grain(self) -> str:
        """How many blocks are a piece of work for a thread."""
        program = self.program
        work = smaller(program, program.text(self.size), str(_BLOCK))
        if not work.startswith("%"):
            return str(max(CHUNK_WORK // max(int(work), 1), 1))
        most = program.code.let(f"sdiv i64 {CHUNK_WORK}, {larger(program, work, '1')}")
        return larger(program, most, "1")

    def _over_blocks(self, kernel: KernelCode, body: Callable[[str, str, str], None]) -> None:
        """Ends a kernel that does what `body` writes for each block: its number, row and place."""
        code = kernel.code

        def block(number: str) -> None:
            if self.blocks == ONE:
                body(number, number, "0")
                return
            count = kernel.size(self.blocks)
            row = code.let(f"sdiv i64 {number}, {count}")
            first = code.let(f"mul i64 {row}, {count}")
            body(number, row, code.let(f"sub i64 {number}, {first}"))

        kernel.loop("%lo", "%hi", block)
        total = self.rows.dim.times(self.blocks)
        kernel.call(self.program.text(total), None if total == ONE else self._grain())

    def _bounds(self, kernel: KernelCode, place: str) -> tuple[str, str, str]:
        """Where a block of a row begins, where its last whole vector ends, and where it ends."""
        code = kernel.code
        begin = code.let(f"mul i64 {place}, {_BLOCK}")
        whole = code.let(f"add i64 {begin}, {_BLOCK}")
        end = code.intrinsic("smin.i64", "i64", [("i64", whole), ("i64", kernel.size(self.size))])
        length = code.let(f"sub i64 {end}, {begin}")
        return begin, code.let(f"and i64 {length}, {-self.lanes}"), end

    def _at(self, kernel: KernelCode, row: str, index: str, lanes: int) -> str:
        """Where `lanes` elements stand, of which the first is `index` steps from the start."""
        code = kernel.code
        if self.reverse:
            last = code.let(f"sub i64 {kernel.size(self.size)}, {lanes}")
            index = code.let(f"sub i64 {last}, {index}")
        return kernel.offset(row, self.dtype, index)

    def _turned(self, code: Code, text: str) -> str:
        """A vector whose first lane is the one nearest to the start."""
        if not self.reverse:
            return text
        places = ", ".join(f"i32 {lane}" for lane in reversed(range(self.lanes)))
        type = self._type()
        return code.let(
            f"shufflevector {type} {text}, {type} poison, <{self.lanes} x i32> <{places}>"
        )

    def _type(self, lanes: int | None = None) -> str:
        wide = self.lanes if lanes is None else lanes
        element = self.program.scalars.builder(self.program.code, 1).type(self.dtype)
        return vector(element, wide)

    # -- sums of blocks -------------------------------------------------------------------------

    def _add_up(self, sums: Array) -> None:
        kernel = KernelCode(self.program)
        code = kernel.code
        builder = self.program.scalars.builder(code, self.lanes)
        source, target = [kernel.argument(a.pointer, "ptr") for a in (self.source, sums)]
        last = code.let(f"sub i64 {kernel.size(self.blocks)}, 1")
        zero = builder.constant(self.nothing, self.dtype).text
        step = _SUMS * self.lanes

        def add(lhs: str, rhs: str, s: Scalars) -> str:
            return s.add(Register(lhs, self.dtype), Register(rhs, self.dtype)).text

        def block(number: str, row: str, place: str) -> None:
            # Nothing comes behind the last block. All others are whole: _BLOCK elements.
            def sums_of_block() -> None:
                pointer = kernel.offset(source, self.dtype, row, self.rows.strides[1])
                begin = code.let(f"mul i64 {place}, {_BLOCK}")
                end = code.let(f"add i64 {begin}, {_BLOCK}")

                def step_on(index: str, now: list[str]) -> list[str]:
                    following = []
                    for part, value in enumerate(now):
                        here = code.let(f"add i64 {index}, {part * self.lanes}")
                        more = kernel.load(
                            self.dtype, self._at(kernel, pointer, here, self.lanes), self.lanes
                        )
                        following.append(add(value, more.text, builder))
                    return following

                parts = carried(code, begin, end, step, [(self._type(), zero)] * _SUMS, step_on)
                pairs = [add(parts[0], parts[1], builder), add(parts[2], parts[3], builder)]
                total = self._folded(kernel, add(pairs[0], pairs[1], builder))
                kernel.store(Register(total, self.dtype), kernel.offset(target, self.dtype, number))

            kernel.when(code.let(f"icmp slt i64 {place}, {last}"), sums_of_block)

        self._over_blocks(kernel, block)

    def _folded(self, kernel: KernelCode, text: str) -> str:
        """The sum of all lanes, by halves."""
        code, lanes = kernel.code, self.lanes
        while lanes > 1:
            half = lanes // 2
            type = self._type(lanes)
            parts = []
            for begin in (0, half):
                if half == 1:
                    parts.append(code.let(f"extractelement {type} {text}, i64 {begin}"))
                    continue
                places = ", ".join(f"i32 {lane}" for lane in range(begin, begin + half))
                parts.append(code.let(
                    f"shufflevector {type} {text}, {type} poison, <{half} x i32> <{places}>"
                ))  # fmt: skip
            builder = self.program.scalars.builder(code, half)
            text = builder.add(*[Register(part, self.dtype) for part in parts]).text
            lanes = half
        return text

    def _begin_blocks(self, sums: Array) -> None:
        """Makes of the sums of a row what stands before each of its blocks."""
        kernel = KernelCode(self.program)
        code, s = kernel.code, kernel.scalar
        target = kernel.argument(sums.pointer, "ptr")
        start = s.constant(self.nothing, self.dtype).text

        def row(number: str) -> None:
            blocks = kernel.size(self.blocks)
            first = kernel.offset(target, self.dtype, code.let(f"mul i64 {number}, {blocks}"))

            def block(place: str, now: list[str]) -> list[str]:
                slot = kernel.offset(first, self.dtype, place)
                # That of the last block was never written, and is used for nothing.
                more = kernel.load(self.dtype, slot)
                before = Register(now[0], self.dtype)
                kernel.store(before, slot)
                return [s.add(before, more).text]

            carried(code, "0", blocks, 1, [(self._type(1), start)], block)

        kernel.loop("%lo", "%hi", row)
        grain = None if self.rows.dim == ONE else "64"
        kernel.call(self.program.text(self.rows.dim), grain)

    # -- scans ----------------------------------------------------------------------------------

    def _scan(self, sums: Array | None) -> None:
        kernel = KernelCode(self.program)
        code = kernel.code
        builder = self.program.scalars.builder(code, self.lanes)
        result, source = [kernel.argument(a.pointer, "ptr") for a in (self.result, self.source)]
        before = None if sums is None else kernel.argument(sums.pointer, "ptr")
        wide = self._type()

        def block(number: str, row: str, place: str) -> None:
            begin, whole, end = self._bounds(kernel, place)
            middle = code.let(f"add i64 {begin}, {whole}")
            strides = self.rows.strides
            to, given = [
                kernel.offset(pointer, self.dtype, row, stride)
                for pointer, stride in zip((result, source), strides, strict=True)
            ]
            if before is None:
                carry = builder.constant(self.nothing, self.dtype).text
            else:
                start = kernel.load(self.dtype, kernel.offset(before, self.dtype, number)).text
                carry = self._spread(code, start, 1, 0)

            def vectors(index: str, now: list[str]) -> list[str]:
                more = kernel.load(
                    self.dtype, self._at(kernel, given, index, self.lanes), self.lanes
                ).text
                inner = self._doubled(code, builder, self._turned(code, more))
                held = Register(now[0], self.dtype)
                total = builder.add(held, Register(inner, self.dtype)).text
                kernel.store(
                    Register(self._turned(code, total), self.dtype),
                    self._at(kernel, to, index, self.lanes), self.lanes,
                )  # fmt: skip
                last = self._spread(code, inner, self.lanes, self.lanes - 1)
                return [builder.add(held, Register(last, self.dtype)).text]

            (reached,) = carried(code, begin, middle, self.lanes, [(wide, carry)], vectors)
            single = code.let(f"extractelement {wide} {reached}, i64 0")

            def rest(index: str, now: list[str]) -> list[str]:
                more = kernel.load(self.dtype, self._at(kernel, given, index, 1))
                total = kernel.scalar.add(Register(now[0], self.dtype), more)
                kernel.store(total, self._at(kernel, to, index, 1))
                return [total.text]

            carried(code, middle, end, 1, [(self._type(1), single)], rest)

        self._over_blocks(kernel, block)

    def _doubled(self, code: Code, builder: Scalars, text: str) -> str:
        """The running sums within a vector."""
        type = self._type()
        nothing = builder.constant(self.nothing, self.dtype).text
        distance = 1
        while distance < self.lanes:
            # The lanes of what changes nothing come first in the numbering: 0 to lanes - 1.
            places = [
                f"i32 {self.lanes + lane - distance if lane >= distance else lane}"
                for lane in range(self.lanes)
            ]
            moved = code.let(
                f"shufflevector {type} {nothing}, {type} {text}, "
                f"<{self.lanes} x i32> <{', '.join(places)}>"
            )
            text = builder.add(Register(text, self.dtype), Register(moved, self.dtype)).text
            distance *= 2
        return text

    def _spread(self, code: Code, text: str, lanes: int, lane: int) -> str:
        """One element, or one lane of a vector, in every lane."""
        type = self._type()
        if lanes == 1:
            text = code.let(f"insertelement {type} poison, {self._type(1)} {text}, i64 0")
        places = ", ".join([f"i32 {lane}"] * self.lanes)
        return code.let(
            f"shufflevector {type} {text}, {type} poison, <{self.lanes} x i32> <{places}>"
        )


def worth_it(size: Size) -> bool:
    """Whether rows of a size are scanned in vectors."""
    return size != ZERO and (size.known is None or size.known >= LEAST)
