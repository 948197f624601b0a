"""The discrete Fourier transform of one block, as a function of machine code.

``void @fft(ptr source, ptr target, ptr room, ptr table, i64 n, i64 inner)`` transforms `inner`
sequences of length n that lie side by side, element k of sequence q at ``k * inner + q``. It is T.
G. Stockham's algorithm in radices 4, 2, 3, 5 and, for what is left, the smallest prime factor: a
stage reads one buffer and writes the other, in an order that needs no reversal of digits in the
end. It is written once for every length; the table has the powers of the n-th root of unity.

Stage by stage with c the length that is left and s the number of sequences side by side, it reads
``x[q + s(p + m j)]``, m = c / radix, and writes ``y[q + s(radix p + k)]``, for all q < s and p < m.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from staticgraph.backends.native import complex_scalars
from staticgraph.backends.native.ir import Code, Module, element_type, vector
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

# Effort of code generation: the function is compiled once and then found on the disk.
LEVEL = 2

_PARAMETERS = ("ptr noalias %source", "ptr %target", "ptr %room", "ptr %table", "i64 %n",
               "i64 %inner")  # fmt: skip


def transform_function(
    module: Module, builder: Callable[[Code, int], Scalars], dtype: DType, inverse: bool, lanes: int
) -> str:
    """The name of the function for a dtype and a direction, which is added to the module."""
    name = f"fft_{dtypes.name(dtype)}_{'inverse' if inverse else 'forward'}_{lanes}"
    if not module.has_function(name):
        _Transform(Code(module, name, "void", _PARAMETERS), builder, dtype, inverse, lanes).write()
    return name


class _Transform:
    """The function while it is written."""

    def __init__(
        self,
        code: Code,
        builder: Callable[[Code, int], Scalars],
        dtype: DType,
        inverse: bool,
        lanes: int,
    ) -> None:
        self.code, self.dtype, self.inverse, self.lanes = code, dtype, inverse, lanes
        self.single, self.many = builder(code, 1), builder(code, lanes)
        self.element = element_type(dtype)
        # What a stage reads and writes, the length that is left, what lies side by side, and the
        # step in the table.
        self.source = self.target = self.left = self.beside = self.step = ""

    # -- the stages -------------------------------------------------------------------------------

    def write(self) -> None:
        """The loop over the stages, and the copy at the end where they end in the wrong buffer."""
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
        start = ("%source", "%target", "%room", "%n", "%inner", "1")
        for phi, first in zip(phis.values(), start, strict=True):
            phi.add(first, "entry")
        for name in ("source", "target", "left", "beside", "step"):
            setattr(self, name, phis[name].name)
        code.branch(code.let(f"icmp sle i64 {self.left}, 1"), ended, known)
        code.begin(known)
        after = code.label("after")
        radices: list[tuple[str, str]] = []
        for radix in (4, 2, 3, 5):
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
        # The source of the run is read once and never written.
        phis["other"].add(self.target, block)
        code.jump(head)
        code.begin(ended)
        self._settle()

    def _settle(self) -> None:
        code = self.code
        copying, after = code.label(), code.label()
        code.branch(code.let(f"icmp eq ptr {self.source}, %target"), after, copying)
        code.begin(copying)
        count = code.let("mul i64 %n, %inner")
        size = code.let(f"mul i64 {count}, {self.dtype.itemsize}")
        code.module.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        code.do(
            f"call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr {self.source}, i64 {size}, "
            "i1 false)"
        )
        code.jump(after)
        code.begin(after)
        code.do("ret void")
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
        for place in places:
            pointer = self.code.let(f"getelementptr {self.element}, ptr {pointer}, i64 {place}")
        return pointer

    def _load(self, s: Scalars, pointer: str) -> Register:
        type = vector(self.element, s.lanes)
        text = self.code.let(f"load {type}, ptr {pointer}, align {self.dtype.alignment}")
        return Register(text, self.dtype)

    def _store(self, s: Scalars, value: Register, pointer: str) -> None:
        type = vector(self.element, s.lanes)
        self.code.do(f"store {type} {value.text}, ptr {pointer}, align {self.dtype.alignment}")

    def _product(self, lhs: str, rhs: str) -> str:
        return self.code.let(f"mul i64 {lhs}, {rhs}")

    def _sequences(self, body: Callable[[str, Scalars], None]) -> None:
        """What lies side by side, in vectors and then one by one."""
        code, middle = self.code, "0"
        if self.lanes > 1:
            middle = code.let(f"and i64 {self.beside}, {-self.lanes}")
            code.loop("0", middle, lambda q: body(q, self.many), self.lanes)
        code.loop(middle, self.beside, lambda q: body(q, self.single))

    def _stage(self, radix: int) -> None:
        """A stage whose radix has a formula of its own."""
        code = self.code
        length = code.let(f"udiv i64 {self.left}, {radix}")
        apart = self._product(self.beside, length)

        def places(p: str) -> None:
            begin = self._product(self.beside, p)
            reading = self._at(self.source, begin)
            writing = self._at(self.target, self._product(begin, str(radix)))
            turn = self._product(p, self.step)
            roots = [
                self._load(self.single, self._at("%table", self._product(turn, str(k))))
                for k in range(1, radix)
            ]

            def block(q: str, s: Scalars) -> None:
                given, place = [], self._at(reading, q)
                for _ in range(radix):
                    given.append(self._load(s, place))
                    place = self._at(place, apart)
                made = _BUTTERFLIES[radix](_Rotation(s, self.inverse), given)
                place = self._at(writing, q)
                for k, value in enumerate(made):
                    if k:
                        place = self._at(place, self.beside)
                        value = _turned(s, value, roots[k - 1])
                    self._store(s, value, place)

            self._sequences(block)

        code.loop("0", length, places)

    def _any_stage(self, radix: str) -> None:
        """A stage of any radix: each result is a sum over all operands."""
        code = self.code
        length = code.let(f"udiv i64 {self.left}, {radix}")
        apart = self._product(self.beside, length)
        turns = self._product(length, self.step)

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
                    self._store(s, total, self._at(line, q))

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
        w = self._load(self.single, self._at("%table", root.name))
        term = _turned(s, self._load(s, at.name), w)
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


def _fused(s: Scalars, x: Register, y: str, z: Register) -> Register:
    """``x * y + z`` part by part, rounded once where the target can."""
    type = s.type(x.dtype)
    if not s.fused:
        product = s.code.let(f"fmul {type} {x.text}, {y}")
        return s.element(s.code.let(f"fadd {type} {product}, {z.text}"), x.dtype)
    kind = f"v{2 * s.lanes}f{8 * dtypes.part_of(x.dtype).itemsize}"
    text = s.code.intrinsic(f"fma.{kind}", type, [(type, x.text), (type, y), (type, z.text)])
    return s.element(text, x.dtype)


def _turned(s: Scalars, x: Register, root: Register) -> Register:
    """x times one complex number: its real part times x and its imaginary part times i x."""
    places = [(n,) * (2 * s.lanes) for n in (0, 1)]
    part = element_type(dtypes.part_of(x.dtype))
    real, imag = [complex_scalars.shuffled(s.code, part, 2, root.text, place) for place in places]
    turned = _Rotation(s, inverse=True)(x)
    product = s.element(s.code.let(f"fmul {s.type(x.dtype)} {turned.text}, {imag}"), x.dtype)
    return _fused(s, x, real, product)


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
        return _fused(self.s, x, constant.text, onto)


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
}


def roots_of_unity(n: int, inverse: bool, dtype: DType) -> np.ndarray[tuple[int], DType]:
    """The table of a transform: ``exp(-2 pi i k / n)`` for k < n, of the inverse its conjugates.

    Angles are reduced to an eighth of a turn as integers, so every element is rounded correctly
    but for a unit in the last place of float64.
    """
    eighths = 8 * np.arange(n, dtype=np.int64)
    octant, rest = eighths // max(n, 1), eighths % max(n, 1)
    odd = octant % 2 == 1
    angle = np.where(odd, n - rest, rest) * (math.pi / 4 / max(n, 1))
    cos, sin = np.cos(angle), np.sin(angle)
    # Octants 1, 2, 5 and 6 are nearer to the imaginary axis.
    steep = (octant + 1) % 4 >= 2
    cos, sin = np.where(steep, sin, cos), np.where(steep, cos, sin)
    cos = np.where((octant >= 2) & (octant < 6), -cos, cos)
    sin = np.where(octant >= 4, -sin, sin)
    table: np.ndarray[tuple[int], DType] = (cos + 1j * (sin if inverse else -sin)).astype(dtype)
    return table
