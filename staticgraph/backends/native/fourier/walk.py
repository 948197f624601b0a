"""Loops over sequences of complex numbers that lie side by side, or over one sequence.

Element k of sequence q stands at ``k * apart + q``. A loop goes over k, and over the sequences in
vectors; where there is one sequence, vectors are of neighbouring k. What is done to an element is
written once for both: it gets the place and a builder of as many lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from staticgraph.backends.native import complex_scalars
from staticgraph.backends.native.ir import Code, element_type, vector
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

Builder = Callable[[Code, int], Scalars]


class Side(NamedTuple):
    """Sequences in memory: where they begin, and how far neighbouring elements of one are apart."""

    pointer: str
    dtype: DType
    apart: str = "1"


class Place(NamedTuple):
    """Where a loop stands: element k of sequence q, and those that follow it in a vector."""

    k: str
    q: str
    s: Scalars


class Walk:
    """Writes loops into a function. `width` is the number of sequences, None for a single one."""

    def __init__(self, code: Code, builder: Builder, lanes: int, width: str | None) -> None:
        self.code, self.width = code, width
        self.single = builder(code, 1)
        self.builders = [builder(code, lanes)] if lanes > 1 else []
        if lanes >= 4:
            self.builders.append(builder(code, lanes // 2))
        self.builders.append(self.single)

    def vectors(self, begin: str, end: str, body: Callable[[str, Scalars], None]) -> None:
        """A loop in vectors, halves of them, then one by one; `end` is not below `begin`."""
        for s in self.builders:
            stop = end
            if s.lanes > 1:
                count = self.code.let(f"sub i64 {end}, {begin}")
                whole = self.code.let(f"and i64 {count}, {-s.lanes}")
                stop = self.code.let(f"add i64 {begin}, {whole}")
            self.code.loop(begin, stop, lambda index, s=s: body(index, s), s.lanes)  # type: ignore[misc]
            begin = stop

    def beside(self, k: str, body: Callable[[Place], None]) -> None:
        """Element k of every sequence."""
        if self.width is None:
            body(Place(k, "0", self.single))
        else:
            self.vectors("0", self.width, lambda q, s: body(Place(k, q, s)))

    def over(self, begin: str, end: str, body: Callable[[Place], None]) -> None:
        """The elements from `begin` to before `end` of every sequence."""
        if self.width is None:
            self.vectors(begin, end, lambda k, s: body(Place(k, "0", s)))
        else:
            self.code.loop(begin, end, lambda k: self.beside(k, body))

    # -- elements ---------------------------------------------------------------------------------

    def at(self, pointer: str, dtype: DType, *places: str) -> str:
        """A pointer moved by numbers of elements."""
        for place in places:
            if place != "0":
                pointer = self.code.let(
                    f"getelementptr {element_type(dtype)}, ptr {pointer}, i64 {place}"
                )
        return pointer

    def address(self, side: Side, place: Place) -> str:
        """Where an element stands."""
        if side.apart == "1":
            return self.at(side.pointer, side.dtype, place.k, place.q)
        return self.at(
            side.pointer, side.dtype, self.code.let(f"mul i64 {place.k}, {side.apart}"), place.q
        )

    def load(self, side: Side, place: Place) -> Register:
        """The elements at a place."""
        return read(place.s, side.dtype, self.address(side, place))

    def store(self, value: Register, side: Side, place: Place) -> None:
        """Writes the elements at a place."""
        write(place.s, value, self.address(side, place))

    def load_back(self, side: Side, place: Place, k: str) -> Register:
        """Element k, and in a vector of one sequence those that stand before it."""
        value = read(place.s, side.dtype, self._last(side, place, k))
        return self._backwards(place.s, value)

    def store_back(self, value: Register, side: Side, place: Place, k: str) -> None:
        """Writes what `load_back` reads."""
        write(place.s, self._backwards(place.s, value), self._last(side, place, k))

    def _last(self, side: Side, place: Place, k: str) -> str:
        if self.width is None and place.s.lanes > 1:
            k = self.code.let(f"sub i64 {k}, {place.s.lanes - 1}")
        return self.address(side, Place(k, place.q, place.s))

    def _backwards(self, s: Scalars, value: Register) -> Register:
        if self.width is not None or s.lanes == 1:
            return value
        part = element_type(dtypes.part_of(value.dtype))
        places = [2 * lane + n for lane in reversed(range(s.lanes)) for n in (0, 1)]
        text = complex_scalars.shuffled(self.code, part, 2 * s.lanes, value.text, places)
        return s.element(text, value.dtype)

    def factor(self, table: Side, place: Place) -> Register:
        """The number of a table that belongs to element k."""
        if self.width is None:
            return read(place.s, table.dtype, self.at(table.pointer, table.dtype, place.k))
        one = read(self.single, table.dtype, self.at(table.pointer, table.dtype, place.k))
        return everywhere(place.s, one)


# -- registers ------------------------------------------------------------------------------------


def read(s: Scalars, dtype: DType, pointer: str) -> Register:
    """Neighbouring elements."""
    type = vector(element_type(dtype), s.lanes)
    return Register(s.code.let(f"load {type}, ptr {pointer}, align {dtype.alignment}"), dtype)


def write(s: Scalars, value: Register, pointer: str) -> None:
    """Writes neighbouring elements."""
    type = vector(element_type(value.dtype), s.lanes)
    s.code.do(f"store {type} {value.text}, ptr {pointer}, align {value.dtype.alignment}")


def everywhere(s: Scalars, x: Register) -> Register:
    """One complex number in every lane."""
    if s.lanes == 1:
        return x
    part = element_type(dtypes.part_of(x.dtype))
    return s.element(complex_scalars.shuffled(s.code, part, 2, x.text, (0, 1) * s.lanes), x.dtype)


def fused(s: Scalars, x: Register, y: str, z: Register) -> Register:
    """``x * y + z`` part by part, rounded once where the target can."""
    type = s.type(x.dtype)
    if not s.fused:
        product = s.code.let(f"fmul {type} {x.text}, {y}")
        return s.element(s.code.let(f"fadd {type} {product}, {z.text}"), x.dtype)
    kind = f"v{2 * s.lanes}f{8 * dtypes.part_of(x.dtype).itemsize}"
    text = s.code.intrinsic(f"fma.{kind}", type, [(type, x.text), (type, y), (type, z.text)])
    return s.element(text, x.dtype)


def times(s: Scalars, x: Register, by: Register) -> Register:
    """The product: the real part of `by` times x and its imaginary part times i x."""
    part, lanes = element_type(dtypes.part_of(x.dtype)), 2 * s.lanes
    real, imag = [
        complex_scalars.shuffled(
            s.code, part, lanes, by.text, [lane + n for lane in range(0, lanes, 2) for _ in (0, 1)]
        )
        for n in (0, 1)
    ]
    turned = complex_scalars.exchanged(s, s.conj(x))
    product = s.element(s.code.let(f"fmul {s.type(x.dtype)} {turned.text}, {imag}"), x.dtype)
    return fused(s, x, real, product)


def times_real(s: Scalars, x: Register, scale: str) -> Register:
    """x, a real or complex number, times a real one that a register or a literal holds."""
    type, part = s.type(x.dtype), element_type(dtypes.part_of(x.dtype))
    lanes = s.lanes * (2 if x.dtype in dtypes.COMPLEX else 1)
    if lanes == 1:
        return s.element(s.code.let(f"fmul {type} {x.text}, {scale}"), x.dtype)
    one = s.code.let(f"insertelement {type} poison, {part} {scale}, i64 0")
    spread = complex_scalars.shuffled(s.code, part, lanes, one, (0,) * lanes)
    return s.element(s.code.let(f"fmul {type} {x.text}, {spread}"), x.dtype)


def interleaved(s: Scalars, texts: Sequence[str], dtype: DType) -> str:
    """Vectors, whose number is a power of two, as one: the first elements of all, the second ..."""
    part, parts = element_type(dtypes.part_of(dtype)), 2 if dtype in dtypes.COMPLEX else 1
    listed, count = list(texts), parts * s.lanes
    while len(listed) > 1:
        half = len(listed) // 2
        places = [
            first + n for lane in range(0, count, parts) for first in (lane, count + lane)
            for n in range(parts)
        ]  # fmt: skip
        # What stands half of them further on belongs beside it, once the halves are joined.
        listed = [
            complex_scalars.shuffled(s.code, part, count, listed[n], places, listed[half + n])
            for n in range(half)
        ]
        count *= 2
    return listed[0]


def turn_over(
    walk: Walk, source: Side, target: Side, count: str, columns: int, back: bool = False
) -> None:
    """Rows of `count` elements become columns that lie side by side, or back.

    `columns` is the number that there are of them but for the last unit, a multiple of a vector. In
    squares of vectors then; and what is left element by element. `apart` is how far rows are from
    each other on the one side, and elements of a column on the other.
    """
    code, s = walk.code, walk.builders[0]
    assert walk.width is not None
    dtype, lanes = source.dtype, s.lanes
    full = code.let(f"icmp eq i64 {walk.width}, {columns}")
    whole = code.let(f"and i64 {count}, {-lanes}")
    whole = code.let(f"select i1 {full}, i64 {whole}, i64 0")

    def line(side: Side, number: str, along: str) -> str:
        begin = code.let(f"mul i64 {number}, {side.apart}")
        return walk.at(side.pointer, dtype, begin, along)

    def square(k: str) -> None:
        below = [code.let(f"add i64 {k}, {n}") for n in range(lanes)]
        for first in range(0, columns, lanes):
            ways = [(str(first + n), k) for n in range(lanes)], [(n, str(first)) for n in below]
            given, made = reversed(ways) if back else ways
            vectors = [read(s, dtype, line(source, *place)).text for place in given]
            text, size = interleaved(s, vectors, dtype), lanes
            size *= 2 if dtype in dtypes.COMPLEX else 1
            part = element_type(dtypes.part_of(dtype))
            for n, place in enumerate(made):
                places = range(size * n, size * (n + 1))
                value = complex_scalars.shuffled(code, part, size * lanes, text, places)
                write(s, Register(value, dtype), line(target, *place))

    def single(k: str) -> None:
        def element(q: str) -> None:
            given, made = ((k, q), (q, k)) if back else ((q, k), (k, q))
            write(walk.single, read(walk.single, dtype, line(source, *given)), line(target, *made))

        code.loop("0", walk.width or "", element)

    code.loop("0", whole, square, lanes)
    code.loop(whole, count, single)
