"""The lowerings of the discrete Fourier transforms.

A kernel goes over *units*: a sequence, or some columns of sequences that lie side by side. A unit
is transformed in memory of its own, which stays in the nearest cache: brought there as complex
numbers, transformed (fourier_code.py, fourier_chirp.py), and written to the result. Real numbers of
an even length n are n / 2 complex ones, element 2j the real and 2j + 1 the imaginary part; what
their transform is of the even and of the odd elements is told apart afterwards, and put together
before the transform back. Of an odd length they are complex numbers without imaginary parts.

The memory of a unit is one of as many rooms as there are chunks, 64 at most: a chunk takes the
first that is free. So results do not depend on the number of threads, and few rooms are touched.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from staticgraph.backends.native.fourier_code import roots_of_unity
from staticgraph.backends.native.fourier_tables import (
    complex_lanes,
    copy_elements,
    run_table,
    scale_of,
    transform_of,
)
from staticgraph.backends.native.fourier_walk import Place, Side, Walk, times
from staticgraph.backends.native.ir import Code, Module, element_type
from staticgraph.backends.native.kernel_code import KernelCode, grain_of, larger, smaller
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower_basic import contiguous, require_elements
from staticgraph.backends.native.lower_indexing import declared_dims, done
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.node import Node

# Simple operations per element and transform, about what the stages of a long one are.
_WORK = 32
# A room for columns has about this many bytes, but holds a cache line of every row at least.
_ROOM_BYTES = 1 << 15
_LINE_BYTES = 64
_MOST_ROOMS = 64


@lowering("fft")
def lower_fft(program: Program, node: Node) -> None:
    """Complex numbers."""
    _lower(program, node, program.dims(node.inputs[0])[node.attrs["axis"]])


@lowering("rfft")
def lower_rfft(program: Program, node: Node) -> None:
    """From real numbers to half of the frequencies."""
    _lower(program, node, program.dims(node.inputs[0])[node.attrs["axis"]])


@lowering("irfft")
def lower_irfft(program: Program, node: Node) -> None:
    """From half of the frequencies to real numbers."""
    if node.attrs["n"] is not None:
        n = Size(node.attrs["n"])
    else:
        n = program.size(program.scalar(node.inputs[1]).text)
        if n.known is None:
            few = program.code.let(f"icmp slt i64 {program.text(n)}, 1")
            program.fail_if(few, node)
    have = program.dims(node.inputs[0])[node.attrs["axis"]]
    program.require_equal(have, half_of(program, n), node)
    _lower(program, node, n)


def half_of(program: Program, n: Size) -> Size:
    """How many frequencies n real numbers have."""
    if n.known is not None:
        return Size(n.known // 2 + 1)
    half = program.code.let(f"lshr i64 {program.text(n)}, 1")
    return program.size(program.arithmetic("add", half, "1"))


def _lower(program: Program, node: Node, n: Size) -> None:
    given, axis = program.array(node.inputs[0]), node.attrs["axis"]
    source = contiguous(program, given, node)
    require_elements(program, node, [n])
    dims = list(source.dims)
    dims[axis] = half_of(program, n) if node.op.name == "rfft" else n
    shape = declared_dims(program, node, dims)
    result = program.result(node.out, shape, node.out.type.dtype)
    if ZERO not in shape:
        _Units(program, node, n, source, result).write()
    if source is not given:
        program.free(source.buffer)
    program.hold(node.out, result)
    done(program, node)


class _Room(NamedTuple):
    """Where a unit is transformed: two places, each for all elements of the unit."""

    first: str
    second: str


class _Units:
    """The kernel of a transform while it is written.

    n           the number of elements of a sequence: of the real ones where some are real
    even        whether real numbers are taken by twos: known, or an i1 of the main function
    transform   the complex transform that does the work
    columns     how many of the sequences that lie side by side make a unit
    """

    def __init__(self, program: Program, node: Node, n: Size, source: Array, result: Array) -> None:
        axis = node.attrs["axis"]
        self.program, self.node, self.kind, self.n = program, node, node.op.name, n
        self.source, self.result = source, result
        self.dtype = dtypes.to_complex(source.dtype)
        self.part = dtypes.part_of(self.dtype)
        self.inverse = bool(node.attrs.get("inverse", self.kind == "irfft"))
        self.scale = scale_of(program, n, node.attrs["divisor"], self.part)
        self.rows, self.inner = product(source.dims[:axis]), product(source.dims[axis + 1 :])
        self.even, count = self._taken()
        self.transform = transform_of(program, count, self.inverse, self.dtype)
        self.turns = self._turns()
        self.columns = self._columns()
        self.blocks = self._blocks()

    def _taken(self) -> tuple[bool | str, Size]:
        """Whether elements are taken by twos, and how many complex numbers that makes."""
        n, program = self.n, self.program
        if self.kind == "fft":
            return False, n
        if n.known is not None:
            return (False, n) if n.known % 2 else (True, Size(n.known // 2))
        code = program.code
        even = code.let(f"trunc i64 {program.text(n)} to i1")
        even = code.let(f"xor i1 {even}, true")
        shift = code.let(f"zext i1 {even} to i64")
        return even, program.size(code.let(f"lshr i64 {program.text(n)}, {shift}"))

    def _turns(self) -> Array | None:
        """What joins the transforms of even and odd elements: ``exp(-2 pi i (k / n + 1 / 4))``."""
        n, program = self.n, self.program
        if self.even is False:
            return None
        if n.known is not None:
            numerators = 4 * np.arange(n.known // 4 + 1, dtype=np.int64) + n.known
            table = roots_of_unity(4 * n.known, self.inverse, self.dtype, numerators)
            return program.constant(table)
        quarter = program.code.let(f"lshr i64 {program.text(n)}, 2")
        count = program.size(program.arithmetic("add", quarter, "1"))

        def numerators_of(s: Scalars, k: Register, whole: Register) -> Register:
            four = s.constant(4, dtypes.int64)
            return s.add(s.multiply(k, four), s.floor_divide(whole, four))

        return run_table(program, count, Size(4).times(n), numerators_of, self.inverse, self.dtype)

    def _columns(self) -> Size:
        inner, length, program = self.inner, self.transform.length, self.program
        if inner == ONE:
            return ONE
        line = _LINE_BYTES // self.dtype.itemsize
        if length.known is None:
            bytes_each = program.text(length.times(Size(self.dtype.itemsize)))
            fit = program.code.let(f"sdiv i64 {_ROOM_BYTES}, {bytes_each}")
            fit = program.code.let(f"and i64 {fit}, {-line}")
            return program.size(
                smaller(program, program.text(inner), larger(program, fit, str(line)))
            )
        size = length.known * self.dtype.itemsize
        if inner.known is not None and inner.known * size <= 2 * _ROOM_BYTES:
            return inner
        most = max(_ROOM_BYTES // size & -line, line)
        return program.size(smaller(program, program.text(inner), str(most)))

    def _blocks(self) -> Size:
        """How many units lie side by side."""
        return (
            ONE
            if self.columns == self.inner
            else self.program.chunks(self.inner, self.program.text(self.columns))
        )

    # -- the kernel and what it is given ----------------------------------------------------------

    def write(self) -> None:
        """Writes the kernel and its call."""
        program = self.program
        units = self.rows.times(self.blocks)
        places = self.transform.length.times(self.columns)
        grain = None
        chunks = ONE
        if units != ONE:
            grain = grain_of(program, places.times(Size(_WORK)), 1)
            grain = larger(program, grain, program.text(program.chunks(units, str(_MOST_ROOMS))))
            chunks = program.chunks(units, grain)
        rooms = program.allocate((chunks, Size(2).times(places)), self.dtype)
        kernel = KernelCode(program)
        pointer = kernel.argument(rooms.pointer, "ptr")
        if chunks == ONE:
            kernel.loop("%lo", "%hi", lambda unit: self._unit(kernel, unit, pointer, places))
            kernel.call(program.text(units), grain)
        else:
            taken = program.allocate((chunks,), dtypes.int64)
            program.fill(taken, program.builder.constant(0, dtypes.int64), self.node)
            flag = _take_room(kernel, kernel.argument(taken.pointer, "ptr"), kernel.size(chunks))
            number = kernel.code.let(f"mul i64 {flag.number}, {kernel.size(Size(2).times(places))}")
            pointer = kernel.offset(pointer, self.dtype, number)
            kernel.loop("%lo", "%hi", lambda unit: self._unit(kernel, unit, pointer, places))
            kernel.code.do(f"store atomic i64 0, ptr {flag.pointer} release, align 8")
            kernel.call(program.text(units), grain)
            program.free(taken.buffer)
        program.free(rooms.buffer)
        self.transform.free(program)
        if self.turns is not None:
            program.free(self.turns.buffer)

    def _unit(self, kernel: KernelCode, unit: str, room: str, places: Size) -> None:
        code = kernel.code
        row, column, width = unit, "0", kernel.size(self.columns)
        if self.blocks != ONE:
            blocks = kernel.size(self.blocks)
            row = code.let(f"udiv i64 {unit}, {blocks}")
            block = code.let(f"urem i64 {unit}, {blocks}")
            column = code.let(f"mul i64 {block}, {width}")
            rest = code.let(f"sub i64 {kernel.size(self.inner)}, {column}")
            width = code.intrinsic("smin.i64", "i64", [("i64", rest), ("i64", width)])
        sides = []
        axis = self.node.attrs["axis"]
        for array in (self.source, self.result):
            whole = kernel.size(array.dims[axis].times(self.inner))
            begin = code.let(f"add i64 {code.let(f'mul i64 {row}, {whole}')}, {column}")
            place = kernel.offset(kernel.argument(array.pointer, "ptr"), array.dtype, begin)
            apart = "1" if self.inner == ONE else kernel.size(self.inner)
            sides.append(Side(place, array.dtype, apart))
        second = kernel.offset(room, self.dtype, kernel.size(places))
        _Unit(self, kernel, width, _Room(room, second), *sides).write()


class _Taken(NamedTuple):
    number: str
    pointer: str


def _take_room(kernel: KernelCode, flags: str, count: str) -> _Taken:
    """The number of a room that nobody uses, and the place of the flag that keeps it."""
    code = kernel.code
    name = _room_function(code.module)
    number = code.let(f"call i64 {code.callee(name)}(ptr {flags}, i64 {count})")
    return _Taken(number, code.let(f"getelementptr i64, ptr {flags}, i64 {number}"))


def _room_function(module: Module) -> str:
    name = "fft_room"
    if not module.has_function(name):
        code = Code(module, name, "i64", ("ptr %flags", "i64 %count"))
        head, further, found = [code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        number = code.phi("i64")
        number.add("0", "entry")
        place = code.let(f"getelementptr i64, ptr %flags, i64 {number.name}")
        pair = code.let(f"cmpxchg ptr {place}, i64 0, i64 1 acquire monotonic, align 8")
        code.branch(code.let(f"extractvalue {{ i64, i1 }} {pair}, 1"), found, further)
        code.begin(further)
        after = code.let(f"add i64 {number.name}, 1")
        ended = code.let(f"icmp eq i64 {after}, %count")
        number.add(code.let(f"select i1 {ended}, i64 0, i64 {after}"), further)
        code.jump(head)
        code.begin(found)
        code.do(f"ret i64 {number.name}")
        code.finish()
    return name


class _Unit:
    """The work on one unit while it is written.

    source, target   the sequences in the operand and in the result
    """

    def __init__(
        self, units: _Units, kernel: KernelCode, width: str, room: _Room, source: Side, target: Side
    ) -> None:
        self.units, self.kernel, self.code = units, kernel, kernel.code
        self.alone = units.inner == ONE
        self.width, self.room, self.source, self.target = width, room, source, target
        self.dtype, self.transform = units.dtype, units.transform
        self.walk = Walk(
            kernel.code, units.program.scalars.builder, complex_lanes(units.program, units.dtype),
            None if self.alone else width,
        )  # fmt: skip
        self.apart = "1" if self.alone else width
        self.n, self.count = kernel.size(units.n), kernel.size(units.transform.n)
        self.scale = kernel.argument(units.scale, element_type(units.part))

    def write(self) -> None:
        units, code = self.units, self.code
        if units.kind == "fft":
            self._complex()
            return
        by_twos, one_by_one = {
            "rfft": (self._from_pairs, self._from_odd), "irfft": (self._to_pairs, self._to_odd),
        }[units.kind]  # fmt: skip
        if isinstance(units.even, bool):
            (by_twos if units.even else one_by_one)()
            return
        even, odd, after = [code.label() for _ in range(3)]
        code.branch(self.kernel.argument(units.even, "i1"), even, odd)
        for label, rule in ((even, by_twos), (odd, one_by_one)):
            code.begin(label)
            rule()
            code.jump(after)
        code.begin(after)

    def _in_room(self, pointer: str) -> Side:
        return Side(pointer, self.dtype, self.apart)

    def _transformed(self, source: str, first: str, second: str, scale: str = "") -> Side:
        made = self.transform.call(
            self.kernel, source, first, second, self.width, scale or self.scale
        )
        return self._in_room(made)

    def _brought(self, scale: str = "") -> Side:
        """The transform of what stands in the first place of the room."""
        return self._transformed(self.room.first, self.room.second, self.room.first, scale)

    def _put(self, source: str, target: str, free: str, other: str) -> None:
        """The transform of `source`, one of `other` and `target` where it may be, in `target`.

        free    a place that is not the source
        other   a place that may be the source
        """
        stages = self.transform.stages
        if stages is not None:
            odd = stages % 2 or stages == 0
            self._transformed(source, *((target, other) if odd else (free, target)))
            return
        made = self._transformed(source, free, other)
        count = self.code.let(f"mul i64 {self.count}, {self.width}")
        copy_elements(self.kernel, made.pointer, target, count, self.dtype)

    # -- complex numbers --------------------------------------------------------------------------

    def _complex(self) -> None:
        walk = self.walk
        if self.units.blocks == ONE:
            self._put(self.source.pointer, self.target.pointer, self.room.first, self.room.second)
            return
        brought = self._in_room(self.room.first)
        walk.over("0", self.n, lambda at: walk.store(walk.load(self.source, at), brought, at))
        made = self._brought()
        walk.over("0", self.n, lambda at: walk.store(walk.load(made, at), self.target, at))

    # -- real numbers by twos ---------------------------------------------------------------------

    def _from_pairs(self) -> None:
        walk, code = self.walk, self.code
        part = element_type(self.units.part)
        half = code.let(f"fmul {part} {self.scale}, 0.5")
        if self.alone:
            made = self._transformed(self.source.pointer, *self.room, half)
        else:
            brought = self._in_room(self.room.first)

            def pack(at: Place) -> None:
                real, imag = [walk.load(self.source, at._replace(k=k)) for k in self._two(at.k)]
                walk.store(at.s.complex(real, imag), brought, at)

            walk.over("0", self.count, pack)
            made = self._brought(half)
        self._join(made, self.target)

    def _two(self, k: str) -> tuple[str, str]:
        even = self.code.let(f"shl i64 {k}, 1")
        return even, self.code.let(f"or i64 {even}, 1")

    def _to_pairs(self) -> None:
        walk = self.walk
        self._join(self.source, self._in_room(self.room.first))
        if self.alone:
            self._put(self.room.first, self.target.pointer, self.room.second, self.room.first)
            return
        made = self._brought()

        def unpack(at: Place) -> None:
            z = walk.load(made, at)
            for k, value in zip(self._two(at.k), (at.s.real(z), at.s.imag(z)), strict=True):
                walk.store(value, self.target, at._replace(k=k))

        walk.over("0", self.count, unpack)

    def _join(self, source: Side, target: Side) -> None:
        """From m transforms of pairs to m + 1 frequencies, or back.

        With a and b the numbers k and m - k, the transforms of even and of odd elements are
        ``(a + conj(b)) / 2`` and ``(a - conj(b)) / 2i``; the way back is the same but for the sign
        of the turns and for the halves, which are in the scale.
        """
        walk, m, inverse = self.walk, self.count, self.units.inverse
        assert self.units.turns is not None
        table = Side(self.kernel.argument(self.units.turns.pointer, "ptr"), self.dtype)

        def edges(at: Place) -> None:
            s, last = at.s, at._replace(k=m)
            first = walk.load(source, at)
            a = s.real(first)
            b = s.real(walk.load(source, last)) if inverse else s.imag(first)
            if inverse:
                walk.store(s.complex(s.add(a, b), s.subtract(a, b)), target, at)
                return
            zero, two = s.constant(0, self.units.part), s.constant(2, self.units.part)
            for place, value in ((at, s.add(a, b)), (last, s.subtract(a, b))):
                walk.store(s.complex(s.multiply(value, two), zero), target, place)

        def both(at: Place) -> None:
            s = at.s
            back = self.code.let(f"sub i64 {m}, {at.k}")
            a, b = walk.load(source, at), s.conj(walk.load_back(source, at, back))
            even, odd = s.add(a, b), times(s, s.subtract(a, b), walk.factor(table, at))
            walk.store(s.add(even, odd), target, at)
            walk.store_back(s.conj(s.subtract(even, odd)), target, at, back)

        walk.beside("0", edges)
        half = self.code.let(f"lshr i64 {m}, 1")
        walk.over("1", self.code.let(f"add i64 {half}, 1"), both)

    # -- an odd number of real numbers ------------------------------------------------------------

    def _half(self) -> str:
        return self.code.let(f"add i64 {self.code.let(f'lshr i64 {self.n}, 1')}, 1")

    def _from_odd(self) -> None:
        walk, part = self.walk, self.units.part
        brought = self._in_room(self.room.first)

        def widen(at: Place) -> None:
            real = walk.load(self.source, at)
            walk.store(at.s.complex(real, at.s.constant(0, part)), brought, at)

        walk.over("0", self.n, widen)
        made = self._brought()
        walk.over("0", self._half(), lambda at: walk.store(walk.load(made, at), self.target, at))

    def _to_odd(self) -> None:
        walk, part = self.walk, self.units.part
        brought = self._in_room(self.room.first)

        def first(at: Place) -> None:
            real = at.s.real(walk.load(self.source, at))
            walk.store(at.s.complex(real, at.s.constant(0, part)), brought, at)

        def both(at: Place) -> None:
            x = walk.load(self.source, at)
            walk.store(x, brought, at)
            back = self.code.let(f"sub i64 {self.n}, {at.k}")
            walk.store_back(at.s.conj(x), brought, at, back)

        walk.beside("0", first)
        walk.over("1", self._half(), both)
        made = self._brought()
        walk.over(
            "0", self.n, lambda at: walk.store(at.s.real(walk.load(made, at)), self.target, at)
        )
