"""The transform of a length with a large prime factor, as a convolution (L. I. Bluestein, 1970).

Since ``2jk = j² + k² - (j - k)²``, the sums are a convolution with ``exp(i pi k² / n)``, the chirp,
which transforms of a power of two compute. ``ptr @fft_chirp(...)`` takes what the function of
code.py takes, and after it ``ptr chirp, ptr spectrum, i64 length``: n numbers, and the
transform of the chirp's conjugate over `length`, which is the power of two. The table, `first` and
`second` are those of `length`. Where that is n, it is the plain transform: so a length that only
the run knows needs no branch elsewhere.
"""

from __future__ import annotations

import numpy as np

from staticgraph.backends.native.fourier.code import (
    LEVEL,
    PARAMETERS,
    Numbers,
    roots_of_unity,
    transform_function,
)
from staticgraph.backends.native.fourier.walk import Builder, Place, Side, Walk, times, times_real
from staticgraph.backends.native.ir import Code, Module, element_type
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

# A stage of a prime radix costs that many operations an element; above it two transforms of at
# least twice the length cost less.
LARGEST_RADIX = 64


def convolution_length(n: int) -> int:
    """The length of the transforms that one of length n is made of: n, or a power of two."""
    largest, left, trial = 1, n, 2
    while trial * trial <= left:
        while left % trial == 0:
            largest, left = trial, left // trial
        trial += 1
    return n if max(largest, left) <= LARGEST_RADIX else 1 << (2 * n - 2).bit_length()


def chirp_of(n: int, length: int, inverse: bool, dtype: DType) -> tuple[Numbers, Numbers]:
    """The chirp and the spectrum, for a length that is known."""
    squares = np.arange(n, dtype=np.int64) ** 2 % (2 * n)
    chirp = roots_of_unity(2 * n, inverse, dtypes.complex128, squares)
    other = np.zeros(length, np.complex128)
    other[:n] = chirp.conj()
    other[length - n + 1 :] = chirp[:0:-1].conj()
    spectrum = np.fft.ifft(other) if inverse else np.fft.fft(other, norm="forward")
    return chirp.astype(dtype), spectrum.astype(dtype)


def length_function(module: Module) -> str:
    """The name of ``i64 @fft_length(i64 n)``, which is `convolution_length` in the run."""
    name = "fft_length"
    if module.has_function(name):
        return name
    code = Code(module, name, "i64", ("i64 %n",))
    head, look, divided, further, found = [code.label() for _ in range(5)]
    code.jump(head)
    code.begin(head)
    trial, left, largest = [code.phi("i64") for _ in range(3)]
    for phi, start in ((trial, "2"), (left, "%n"), (largest, "1")):
        phi.add(start, "entry")
    square = code.let(f"mul i64 {trial.name}, {trial.name}")
    code.branch(code.let(f"icmp ugt i64 {square}, {left.name}"), found, look)
    code.begin(look)
    rest = code.let(f"urem i64 {left.name}, {trial.name}")
    code.branch(code.let(f"icmp eq i64 {rest}, 0"), divided, further)
    code.begin(divided)
    left.add(code.let(f"udiv i64 {left.name}, {trial.name}"), divided)
    largest.add(trial.name, divided)
    trial.add(trial.name, divided)
    code.jump(head)
    code.begin(further)
    left.add(left.name, further)
    largest.add(largest.name, further)
    trial.add(code.let(f"add i64 {trial.name}, 1"), further)
    code.jump(head)
    code.begin(found)
    pair = [("i64", largest.name), ("i64", left.name)]
    smooth = code.let(f"icmp ule i64 {code.intrinsic('umax.i64', 'i64', pair)}, {LARGEST_RADIX}")
    twice = code.let("add i64 %n, -1")
    twice = code.let(f"shl i64 {twice}, 1")
    zeros = code.intrinsic("ctlz.i64", "i64", [("i64", twice), ("i1", "false")])
    power = code.let(f"shl i64 1, {code.let(f'sub i64 64, {zeros}')}")
    code.do(f"ret i64 {code.let(f'select i1 {smooth}, i64 %n, i64 {power}')}")
    code.finish()
    return name


def chirp_function(
    module: Module, builder: Builder, dtype: DType, inverse: bool, lanes: int
) -> str:
    """The name of the function for a dtype and a direction, which is added to the module."""
    stages = transform_function(module, builder, dtype, inverse, lanes)
    name = f"fft_chirp{stages.removeprefix('fft')}"
    if not module.has_function(name):
        part = element_type(dtypes.part_of(dtype))
        more = (f"{part} %scale", "ptr %chirp", "ptr %spectrum", "i64 %length")
        code = Code(module, name, "ptr", (*PARAMETERS, *more))
        _Convolution(code, builder, dtype, lanes, stages).write()
    return name


class _Convolution:
    """The function while it is written."""

    def __init__(self, code: Code, builder: Builder, dtype: DType, lanes: int, stages: str) -> None:
        self.code, self.dtype, self.stages = code, dtype, stages
        self.part = element_type(dtypes.part_of(dtype))
        self.alone, self.several = [Walk(code, builder, lanes, width) for width in (None, "%inner")]

    def write(self) -> None:
        code = self.code
        plain, convolved = code.label("plain"), code.label("convolved")
        code.branch(code.let("icmp eq i64 %n, %length"), plain, convolved)
        code.begin(plain)
        code.do(f"ret ptr {self._transform('%source', '%first', '%second', '%scale')}")
        code.begin(convolved)
        self._multiply("%source", "%first", "%chirp", "%n")
        self._clear()
        spectrum = self._transform("%first", "%second", "%first", "1.0")
        self._multiply(spectrum, spectrum, "%spectrum", "%length", conjugate="result")
        at_first = code.let(f"icmp eq ptr {spectrum}, %first")
        other = code.let(f"select i1 {at_first}, ptr %second, ptr %first")
        # The transform the other way round is that of the conjugates, conjugated.
        back = self._transform(spectrum, other, spectrum, "1.0")
        self._multiply(back, back, "%chirp", "%n", conjugate="operand", scale="%scale")
        code.do(f"ret ptr {back}")
        code.finish(level=LEVEL)

    def _transform(self, source: str, first: str, second: str, scale: str) -> str:
        operands = ", ".join(f"ptr {name}" for name in (source, first, second, "%table"))
        return self.code.let(
            f"call ptr {self.code.callee(self.stages)}({operands}, i64 %length, i64 %inner, "
            f"{self.part} {scale})"
        )

    def _clear(self) -> None:
        """Zeros behind the n elements of every sequence."""
        code = self.code
        used = code.let("mul i64 %n, %inner")
        whole = code.let("mul i64 %length, %inner")
        size = code.let(f"mul i64 {code.let(f'sub i64 {whole}, {used}')}, {self.dtype.itemsize}")
        place = self.alone.at("%first", self.dtype, used)
        code.module.declare("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        code.do(f"call void @llvm.memset.p0.i64(ptr {place}, i8 0, i64 {size}, i1 false)")

    def _multiply(
        self, source: str, target: str, factors: str, count: str, conjugate: str = "",
        scale: str = "",
    ) -> None:  # fmt: skip
        """The elements of every sequence times the numbers of a table, conjugated on the way."""
        code, table = self.code, Side(factors, self.dtype)
        alone, several, after = [code.label() for _ in range(3)]
        code.branch(code.let("icmp eq i64 %inner, 1"), alone, several)
        for label, walk, apart in (
            (alone, self.alone, "1"), (several, self.several, "%inner"),
        ):  # fmt: skip
            given, made = Side(source, self.dtype, apart), Side(target, self.dtype, apart)

            def body(
                place: Place, walk: Walk = walk, given: Side = given, made: Side = made
            ) -> None:
                s = place.s
                x = walk.load(given, place)
                x = times(s, s.conj(x) if conjugate == "operand" else x, walk.factor(table, place))
                x = times_real(s, x, scale) if scale else x
                walk.store(s.conj(x) if conjugate == "result" else x, made, place)

            code.begin(label)
            walk.over("0", count, body)
            code.jump(after)
        code.begin(after)
