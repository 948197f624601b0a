"""The discrete Fourier transform of one block, as a function of machine code.

``ptr @fft(ptr source, ptr first, ptr second, ptr table, i64 n, i64 inner, scale)`` transforms
`inner` sequences of length n that lie side by side, element k of sequence q at ``k * inner + q``,
and multiplies with a real number; it says which of `first` and `second` holds the result. It is T.
G. Stockham's algorithm in radices 8, 4, 2, 3, 5 and, for what is left, the smallest prime factor: a
stage reads one buffer and writes the other, in an order that needs no reversal of digits in the
end. It is written once for every length; the table has the powers of the n-th root of unity. The
source is read by the first stage alone, so `second` may be the source.

Stage by stage with c the length that is left and s the number of sequences side by side, it reads
``x[q + s(p + m j)]``, m = c / radix, and writes ``y[q + s(radix p + k)]``, for all q < s and p < m.
Vectors are of neighbouring q; in the first stage of a single sequence of neighbouring p.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from staticgraph.backends.native import complex_scalars
from staticgraph.backends.native.fourier.walk import (
    Builder,
    Walk,
    everywhere,
    fused,
    interleaved,
    read,
    times,
    times_real,
    write,
)
from staticgraph.backends.native.ir import Code, Module, element_type, vector
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

Numbers = np.ndarray[tuple[int], DType]
Integers = np.ndarray[tuple[int], np.dtype[np.int64]]

# Effort of code generation: the function is compiled once and then found on the disk.
LEVEL = 2

PARAMETERS = ("ptr %source", "ptr %first", "ptr %second", "ptr %table", "i64 %n", "i64 %inner")
# The radices that have a formula, in the order in which they are tried.
_RADICES = (8, 4, 2, 3, 5)


def transform_function(
    module: Module, builder: Builder, dtype: DType, inverse: bool, lanes: int
) -> str:
    """The name of the function for a dtype and a direction, which is added to the module."""
    name = f"fft_{dtypes.name(dtype)}_{'inverse' if inverse else 'forward'}_{lanes}"
    if not module.has_function(name):
        parameters = (*PARAMETERS, f"{element_type(dtypes.part_of(dtype))} %scale")
        _Transform(Code(module, name, "ptr", parameters), builder, dtype, inverse, lanes).write()
    return name


def stage_count(n: int) -> int:
    """How many stages the transform of a length has: an odd number ends in `first`."""
    count = 0
    while n > 1:
        radix = next((radix for radix in _RADICES if n % radix == 0), 0)
        if not radix:
            radix = next((trial for trial in range(7, math.isqrt(n) + 1) if n % trial == 0), n)
        count, n = count + 1, n // radix
    return count


class _Transform:
    """The function while it is written."""

    def __init__(
        self,
        code: Code,
        builder: Builder,
        dtype: DType,
        inverse: bool,
        lanes: int,
    ) -> None:
        self.code, self.dtype, self.inverse, self.lanes = code, dtype, inverse, lanes
        self.walk = Walk(code, builder, lanes, None)
        self.element = element_type(dtype)
        # What a stage reads and writes, the length that is left, what lies side by side, and the
        # step in the table.
        self.source = self.target = self.left = self.beside = self.step = ""

    # -- the stages -------------------------------------------------------------------------------

    def write(self) -> None:
        """The loop over the stages."""
        code = self.code
        head, ended, known = code.label("stage"), code.label("ended"), code.label("known")
        code.jump(head)
        code.begin(head)
        phis = {
            name: code.phi(type)
            for name, type in (
                ("source", "ptr"), ("target", "ptr"), ("other", "ptr"), ("left", "i64"),
                ("beside", "i64"), ("step", "i64"),
            )
        }  # fmt: skip
        start = ("%source", "%first", "%second", "%n", "%inner", "1")
        for phi, first in zip(phis.values(), start, strict=True):
            phi.add(first, "entry")
        for name in ("source", "target", "left", "beside", "step"):
            setattr(self, name, phis[name].name)
        code.branch(code.let(f"icmp sle i64 {self.left}, 1"), ended, known)
        code.begin(known)
        after = code.label("after")
        radices: list[tuple[str, str]] = []
        for radix in _RADICES:
            inside, other = code.label(), code.label()
            rest = code.let(f"urem i64 {self.left}, {radix}")
            code.branch(code.let(f"icmp eq i64 {rest}, 0"), inside, other)
            code.begin(inside)
            self._stage(radix)
            radices.append((str(radix), code.block))
            code.jump(after)
            code.begin(other)
        prime = self._smallest_factor()
        self._any_stage(prime)
        radices.append((prime, code.block))
        code.jump(after)
        code.begin(after)
        radix_phi = code.phi("i64")
        for text, block in radices:
            radix_phi.add(text, block)
        taken = radix_phi.name
        block = code.block
        phis["left"].add(code.let(f"udiv i64 {self.left}, {taken}"), block)
        phis["beside"].add(code.let(f"mul i64 {self.beside}, {taken}"), block)
        phis["step"].add(code.let(f"mul i64 {self.step}, {taken}"), block)
        phis["source"].add(self.target, block)
        phis["target"].add(phis["other"].name, block)
        phis["other"].add(self.target, block)
        code.jump(head)
        code.begin(ended)
        self._settle()

    def _settle(self) -> None:
        """The end; of sequences of one element, which no stage reads, a copy."""
        code = self.code
        copying, after = code.label(), code.label()
        code.branch(code.let("icmp sle i64 %n, 1"), copying, after)
        code.begin(copying)

        def copy(q: str, s: Scalars) -> None:
            value = times_real(s, read(s, self.dtype, self._at("%source", q)), "%scale")
            write(s, value, self._at("%first", q))

        self.walk.vectors("0", "%inner", copy)
        code.do("ret ptr %first")
        code.begin(after)
        code.do(f"ret ptr {self.source}")
        code.finish(level=LEVEL)

    def _smallest_factor(self) -> str:
        """The smallest prime factor of the length that is left, which is above 5."""
        code = self.code
        before, head, look, following, found = code.block, *[code.label() for _ in range(4)]
        code.jump(head)
        code.begin(head)
        trial = code.phi("i64")
        trial.add("7", before)
        square = code.let(f"mul i64 {trial.name}, {trial.name}")
        alone = code.let(f"icmp ugt i64 {square}, {self.left}")
        code.branch(alone, found, look)
        code.begin(look)
        rest = code.let(f"urem i64 {self.left}, {trial.name}")
        code.branch(code.let(f"icmp eq i64 {rest}, 0"), found, following)
        code.begin(following)
        trial.add(code.let(f"add i64 {trial.name}, 2"), following)
        code.jump(head)
        code.begin(found)
        result = code.phi("i64")
        result.add(self.left, head)
        result.add(trial.name, look)
        return result.name

    # -- elements ---------------------------------------------------------------------------------

    def _at(self, pointer: str, *places: str) -> str:
        return self.walk.at(pointer, self.dtype, *places)

    def _product(self, lhs: str, rhs: str) -> str:
        return self.code.let(f"mul i64 {lhs}, {rhs}")

    def _sequences(self, body: Callable[[str, Scalars], None]) -> None:
        """What lies side by side."""
        self.walk.vectors("0", self.beside, body)

    def _stage(self, radix: int) -> None:
        """A stage whose radix has a formula of its own."""
        code = self.code
        length = code.let(f"udiv i64 {self.left}, {radix}")
        apart = self._product(self.beside, length)
        last, others, after = code.label("last"), code.label(), code.label()
        code.branch(code.let(f"icmp eq i64 {length}, 1"), last, others)
        code.begin(last)
        self._last_stage(radix)
        code.jump(after)
        code.begin(others)
        begin = self._first_stage(radix, length) if self.lanes > 1 and radix % 2 == 0 else "0"

        def places(p: str) -> None:
            begin = self._product(self.beside, p)
            reading = self._at(self.source, begin)
            writing = self._at(self.target, self._product(begin, str(radix)))
            turn = self._product(p, self.step)
            roots = [
                read(self.walk.single, self.dtype, self._at("%table", self._product(turn, str(k))))
                for k in range(1, radix)
            ]

            def block(q: str, s: Scalars) -> None:
                made = self._butterfly(s, radix, self._at(reading, q), apart)
                place = self._at(writing, q)
                for k, value in enumerate(made):
                    if k:
                        place = self._at(place, self.beside)
                        value = times(s, value, everywhere(s, roots[k - 1]))
                    write(s, value, place)

            self._sequences(block)

        code.loop(begin, length, places)
        code.jump(after)
        code.begin(after)

    def _butterfly(self, s: Scalars, radix: int, place: str, apart: str) -> list[Register]:
        """What a stage makes of elements that are `apart`, before their turns."""
        given = []
        for _ in range(radix):
            given.append(read(s, self.dtype, place))
            place = self._at(place, apart)
        return _BUTTERFLIES[radix](_Rotation(s, self.inverse), given)

    def _last_stage(self, radix: int) -> None:
        """The stage that leaves sequences of one element: no turns, but the scale."""

        def block(q: str, s: Scalars) -> None:
            made = self._butterfly(s, radix, self._at(self.source, q), self.beside)
            place = self._at(self.target, q)
            for k, value in enumerate(made):
                if k:
                    place = self._at(place, self.beside)
                write(s, times_real(s, value, "%scale"), place)

        self._sequences(block)

    def _first_stage(self, radix: int, length: str) -> str:
        """The stage of a single sequence, in vectors of neighbouring places; how many it did."""
        code, s = self.code, self.walk.builders[0]
        before, inside, after = code.block, code.label("first"), code.label()
        code.branch(code.let(f"icmp eq i64 {self.beside}, 1"), inside, after)
        code.begin(inside)
        end = code.let(f"and i64 {length}, {-s.lanes}")

        def places(p: str) -> None:
            made = self._butterfly(s, radix, self._at(self.source, p), length)
            roots: dict[int, Register] = {}
            for k in range(1, radix):
                low = k & -k
                if low == k:
                    roots[k] = self._every(k, self._at("%table", self._product(p, str(k))))
                else:
                    roots[k] = times(s, roots[low], roots[k - low])
            turned = [made[0], *[times(s, made[k], roots[k]) for k in range(1, radix)]]
            text = interleaved(s, [value.text for value in turned], self.dtype)
            place = self._at(self.target, self._product(p, str(radix)))
            type = vector(self.element, s.lanes * radix)
            code.do(f"store {type} {text}, ptr {place}, align {self.dtype.alignment}")

        code.loop("0", end, places, s.lanes)
        done = code.block
        code.jump(after)
        code.begin(after)
        begin = code.phi("i64")
        begin.add("0", before)
        begin.add(end, done)
        return begin.name

    def _every(self, step: int, place: str) -> Register:
        """Every `step`-th element from a place on, in a vector."""
        lanes, s = self.lanes, self.walk.builders[0]
        # The last ones that are skipped need not exist, so they are not read.
        count = step * (lanes - 1) + 1
        type = vector(self.element, count)
        text = self.code.let(f"load {type}, ptr {place}, align {self.dtype.alignment}")
        if step == 1:
            return Register(text, self.dtype)
        part = element_type(dtypes.part_of(self.dtype))
        places = [2 * step * lane + n for lane in range(lanes) for n in (0, 1)]
        return s.element(
            complex_scalars.shuffled(self.code, part, 2 * count, text, places), self.dtype
        )

    def _any_stage(self, radix: str) -> None:
        """A stage of any radix: each result is a sum over all operands."""
        code = self.code
        length = code.let(f"udiv i64 {self.left}, {radix}")
        apart = self._product(self.beside, length)
        turns = self._product(length, self.step)
        part = element_type(dtypes.part_of(self.dtype))
        last = code.let(f"icmp eq i64 {length}, 1")
        scale = code.let(f"select i1 {last}, {part} %scale, {part} 1.0")

        def places(p: str) -> None:
            begin = self._product(self.beside, p)
            reading = self._at(self.source, begin)
            writing = self._at(self.target, self._product(begin, radix))
            turn = self._product(p, self.step)

            def result(k: str) -> None:
                first = self._product(turn, k)
                moved = self._product(turns, k)
                line = self._at(writing, self._product(self.beside, k))

                def block(q: str, s: Scalars) -> None:
                    total = self._sum(s, self._at(reading, q), radix, apart, first, moved)
                    write(s, times_real(s, total, scale), self._at(line, q))

                self._sequences(block)

            code.loop("0", radix, result)

        code.loop("0", length, places)

    def _sum(
        self, s: Scalars, place: str, radix: str, apart: str, first: str, moved: str
    ) -> Register:
        """The sum of `radix` operands, each times a root of unity further in the table."""
        code, type = self.code, vector(self.element, s.lanes)
        before, head, inside, after = code.block, *[code.label() for _ in range(3)]
        code.jump(head)
        code.begin(head)
        count, root, at = code.phi("i64"), code.phi("i64"), code.phi("ptr")
        total = code.phi(type)
        for phi, start in ((count, "0"), (root, first), (at, place), (total, "zeroinitializer")):
            phi.add(start, before)
        code.branch(code.let(f"icmp ult i64 {count.name}, {radix}"), inside, after)
        code.begin(inside)
        w = read(self.walk.single, self.dtype, self._at("%table", root.name))
        term = times(s, read(s, self.dtype, at.name), everywhere(s, w))
        following = code.let(f"add i64 {root.name}, {moved}")
        over = code.let(f"icmp uge i64 {following}, %n")
        wrapped = code.let(f"sub i64 {following}, %n")
        total.add(s.add(Register(total.name, self.dtype), term).text, inside)
        root.add(code.let(f"select i1 {over}, i64 {wrapped}, i64 {following}"), inside)
        at.add(self._at(at.name, apart), inside)
        count.add(code.let(f"add i64 {count.name}, 1"), inside)
        code.jump(head)
        code.begin(after)
        return Register(total.name, self.dtype)


# -- arithmetic of butterflies --------------------------------------------------------------------


class _Rotation:
    """Turns by a quarter, in the direction of the transform; and what else butterflies need."""

    def __init__(self, s: Scalars, inverse: bool) -> None:
        self.s, self.inverse = s, inverse

    def __call__(self, x: Register) -> Register:
        """``-i x``, of the inverse ``i x``."""
        s = self.s
        if self.inverse:
            return complex_scalars.exchanged(s, s.conj(x))
        return s.conj(complex_scalars.exchanged(s, x))

    def scaled(self, x: Register, factor: float) -> Register:
        """x times a real number."""
        constant = self.s.constant(complex(factor, factor), x.dtype)
        return self.s.instruction("fmul", x, constant)

    def moved(self, x: Register, factor: float, onto: Register) -> Register:
        """``onto + factor x``."""
        constant = self.s.constant(complex(factor, factor), x.dtype)
        return fused(self.s, x, constant.text, onto)


def _two(turn: _Rotation, x: Sequence[Register]) -> list[Register]:
    return [turn.s.add(x[0], x[1]), turn.s.subtract(x[0], x[1])]


def _four(turn: _Rotation, x: Sequence[Register]) -> list[Register]:
    s = turn.s
    even, odd = _two(turn, [x[0], x[2]]), _two(turn, [x[1], x[3]])
    quarter = turn(odd[1])
    return [
        s.add(even[0], odd[0]), s.add(even[1], quarter),
        s.subtract(even[0], odd[0]), s.subtract(even[1], quarter),
    ]  # fmt: skip


def _eight(turn: _Rotation, x: Sequence[Register]) -> list[Register]:
    s = turn.s
    even, odd = _four(turn, x[::2]), _four(turn, x[1::2])
    root = math.sqrt(0.5)
    first, third = turn(odd[1]), turn(odd[3])
    turned = [
        odd[0],
        turn.scaled(s.add(odd[1], first), root),
        turn(odd[2]),
        turn.scaled(s.subtract(third, odd[3]), root),
    ]
    pairs = list(zip(even, turned, strict=True))
    return [s.add(a, b) for a, b in pairs] + [s.subtract(a, b) for a, b in pairs]


def _three(turn: _Rotation, x: Sequence[Register]) -> list[Register]:
    s = turn.s
    total, difference = _two(turn, x[1:])
    middle = turn.moved(total, -0.5, x[0])
    side = turn.scaled(turn(difference), math.sin(2 * math.pi / 3))
    return [s.add(x[0], total), s.add(middle, side), s.subtract(middle, side)]


def _five(turn: _Rotation, x: Sequence[Register]) -> list[Register]:
    s = turn.s
    near, far = _two(turn, [x[1], x[4]]), _two(turn, [x[2], x[3]])
    angles = [2 * math.pi / 5, 4 * math.pi / 5]
    (c1, c2), (s1, s2) = map(math.cos, angles), map(math.sin, angles)
    middle = [
        turn.moved(far[0], second, turn.moved(near[0], first, x[0]))
        for first, second in ((c1, c2), (c2, c1))
    ]
    side = [
        turn(turn.moved(far[1], second, turn.scaled(near[1], first)))
        for first, second in ((s1, s2), (s2, -s1))
    ]
    return [
        s.add(x[0], s.add(near[0], far[0])),
        s.add(middle[0], side[0]), s.add(middle[1], side[1]),
        s.subtract(middle[1], side[1]), s.subtract(middle[0], side[0]),
    ]  # fmt: skip


_BUTTERFLIES: dict[int, Callable[[_Rotation, Sequence[Register]], list[Register]]] = {
    2: _two,
    3: _three,
    4: _four,
    5: _five,
    8: _eight,
}


def roots_of_unity(
    n: int, inverse: bool, dtype: DType, numerators: Integers | None = None
) -> Numbers:
    """A table: ``exp(-2 pi i k / n)`` for all k < n, or for `numerators`, which are below n.

    Of the inverse transform the conjugates. Angles are reduced to an eighth of a turn as integers,
    so every element is rounded correctly but for a unit in the last place of float64.
    """
    eighths = 8 * (np.arange(n, dtype=np.int64) if numerators is None else numerators)
    octant, rest = eighths // max(n, 1), eighths % max(n, 1)
    odd = octant % 2 == 1
    angle = np.where(odd, n - rest, rest) * (math.pi / 4 / max(n, 1))
    cos, sin = np.cos(angle), np.sin(angle)
    # Octants 1, 2, 5 and 6 are nearer to the imaginary axis.
    steep = (octant + 1) % 4 >= 2
    cos, sin = np.where(steep, sin, cos), np.where(steep, cos, sin)
    cos = np.where((octant >= 2) & (octant < 6), -cos, cos)
    sin = np.where(octant >= 4, -sin, sin)
    table: Numbers = (cos + 1j * (sin if inverse else -sin)).astype(dtype)
    return table
