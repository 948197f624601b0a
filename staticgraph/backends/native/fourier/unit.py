"""The work on one unit of a Fourier transform: a sequence, or some columns of several.

A unit is transformed in memory of its own, which stays in the nearest cache: brought there as
complex numbers, transformed (code.py, chirp.py), and written to the result. Real
numbers of an even length n are n / 2 complex ones, element 2j the real and 2j + 1 the imaginary
part; what their transform is of the even and of the odd elements is told apart afterwards, and put
together before the transform back. Of an odd length they are complex numbers without imaginary
parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from staticgraph.backends.native.fourier.tables import Transform, complex_lanes, copy_elements
from staticgraph.backends.native.fourier.walk import Place, Side, Walk, times
from staticgraph.backends.native.ir import element_type
from staticgraph.backends.native.kernels.code import KernelCode
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.sizes import Size
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType


@dataclass(frozen=True)
class Plan:
    """What the units of a transform have in common.

    kind       the op: fft, rfft or irfft
    n          the number of elements of a sequence, of the real ones where some are real
    inner      how many sequences lie side by side
    even       whether real numbers are taken by twos: known, or an i1 of the main function
    count      the length of the complex transform that does the work
    turns      what joins even and odd elements: ``exp(-2 pi i (k / n + 1 / 4))``
    scale      what the result is multiplied with, an operand of the main function
    """

    program: Program
    kind: str
    n: Size
    inner: Size
    dtype: DType
    inverse: bool
    even: bool | str
    count: Size
    turns: Array | None
    scale: str

    @property
    def part(self) -> DType:
        """The dtype of real numbers."""
        return dtypes.part_of(self.dtype)

    def walk(self, kernel: KernelCode, width: str | None) -> Walk:
        """Loops over complex numbers."""
        builder = self.program.scalars.builder
        return Walk(kernel.code, builder, complex_lanes(self.program, self.dtype), width)


class Room(NamedTuple):
    """Where a unit is transformed: two places, each for all elements of the unit."""

    first: str
    second: str


class Unit:
    """The work on one unit while it is written.

    width            how many sequences there are, None for a single one
    source, target   the sequences in the operand and in the result
    whole            the unit has all that lie side by side, so they are without gaps
    """

    def __init__(
        self, plan: Plan, transform: Transform, kernel: KernelCode, width: str | None, room: Room,
        source: Side, target: Side, whole: bool,
    ) -> None:  # fmt: skip
        self.plan, self.transform, self.kernel, self.code = plan, transform, kernel, kernel.code
        self.alone = width is None
        self.room, self.source, self.target, self.whole = room, source, target, whole
        self.walk = plan.walk(kernel, width)
        self.width = self.apart = width or "1"
        self.n, self.count = kernel.size(plan.n), kernel.size(plan.count)
        self.scale = kernel.argument(plan.scale, element_type(plan.part))

    def write(self) -> None:
        """Writes it."""
        plan, code = self.plan, self.code
        if plan.kind == "fft":
            self._complex()
            return
        by_twos, one_by_one = {
            "rfft": (self._from_pairs, self._from_odd), "irfft": (self._to_pairs, self._to_odd),
        }[plan.kind]  # fmt: skip
        if isinstance(plan.even, bool):
            (by_twos if plan.even else one_by_one)()
            return
        even, odd, after = [code.label() for _ in range(3)]
        code.branch(self.kernel.argument(plan.even, "i1"), even, odd)
        for label, rule in ((even, by_twos), (odd, one_by_one)):
            code.begin(label)
            rule()
            code.jump(after)
        code.begin(after)

    def _in_room(self, pointer: str) -> Side:
        return Side(pointer, self.plan.dtype, self.apart)

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
        copy_elements(self.kernel, made.pointer, target, count, self.plan.dtype)

    # -- complex numbers --------------------------------------------------------------------------

    def _complex(self) -> None:
        walk = self.walk
        if self.whole:
            self._put(self.source.pointer, self.target.pointer, self.room.first, self.room.second)
            return
        brought = self._in_room(self.room.first)
        walk.over("0", self.n, lambda at: walk.store(walk.load(self.source, at), brought, at))
        made = self._brought()
        walk.over("0", self.n, lambda at: walk.store(walk.load(made, at), self.target, at))

    # -- real numbers by twos ---------------------------------------------------------------------

    def _from_pairs(self) -> None:
        walk, code = self.walk, self.code
        part = element_type(self.plan.part)
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
        join = Join(self.plan, self.kernel, self.walk, source, target)
        join.edges()
        half = self.code.let(f"lshr i64 {self.count}, 1")
        join.pairs("1", self.code.let(f"add i64 {half}, 1"))

    # -- an odd number of real numbers ------------------------------------------------------------

    def _half(self) -> str:
        return self.code.let(f"add i64 {self.code.let(f'lshr i64 {self.n}, 1')}, 1")

    def _from_odd(self) -> None:
        walk, part = self.walk, self.plan.part
        brought = self._in_room(self.room.first)

        def widen(at: Place) -> None:
            real = walk.load(self.source, at)
            walk.store(at.s.complex(real, at.s.constant(0, part)), brought, at)

        walk.over("0", self.n, widen)
        made = self._brought()
        walk.over("0", self._half(), lambda at: walk.store(walk.load(made, at), self.target, at))

    def _to_odd(self) -> None:
        walk, part = self.walk, self.plan.part
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


class Join:
    """From the m transforms of pairs to m + 1 frequencies, or back.

    With a and b the numbers k and m - k, the transforms of even and of odd elements are
    ``(a + conj(b)) / 2`` and ``(a - conj(b)) / 2i``; the way back is the same but for the sign of
    the turns and for the halves, which are in the scale. Where all k are below ``m / 2`` the
    target may be the source.
    """

    def __init__(
        self, plan: Plan, kernel: KernelCode, walk: Walk, source: Side, target: Side
    ) -> None:
        assert plan.turns is not None
        self.plan, self.code, self.walk = plan, kernel.code, walk
        self.source, self.target, self.m = source, target, kernel.size(plan.count)
        self.table = Side(kernel.argument(plan.turns.pointer, "ptr"), plan.dtype)

    def edges(self) -> None:
        """Frequency 0 and the last, of which only real parts count."""
        self.walk.beside("0", self._edges)

    def pairs(self, begin: str, end: str) -> None:
        """The frequencies k and m - k for all k from `begin` to before `end`."""
        self.walk.over(begin, end, self._pair)

    def pair(self, k: str) -> None:
        """The frequencies k and m - k."""
        self.walk.beside(k, self._pair)

    def _edges(self, at: Place) -> None:
        s, last, walk, target = at.s, at._replace(k=self.m), self.walk, self.target
        first = walk.load(self.source, at)
        a = s.real(first)
        if self.plan.inverse:
            b = s.real(walk.load(self.source, last))
            walk.store(s.complex(s.add(a, b), s.subtract(a, b)), target, at)
            return
        b = s.imag(first)
        zero, two = s.constant(0, self.plan.part), s.constant(2, self.plan.part)
        for place, value in ((at, s.add(a, b)), (last, s.subtract(a, b))):
            walk.store(s.complex(s.multiply(value, two), zero), target, place)

    def _pair(self, at: Place) -> None:
        s, walk = at.s, self.walk
        back = self.code.let(f"sub i64 {self.m}, {at.k}")
        a, b = walk.load(self.source, at), s.conj(walk.load_back(self.source, at, back))
        even, odd = s.add(a, b), times(s, s.subtract(a, b), walk.factor(self.table, at))
        walk.store(s.add(even, odd), self.target, at)
        walk.store_back(s.conj(s.subtract(even, odd)), self.target, at, back)
