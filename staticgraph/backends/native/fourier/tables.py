"""What the transform of a length needs beside its operand: tables, known or made by the run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from staticgraph.backends.native.fourier.chirp import (
    chirp_function,
    chirp_of,
    convolution_length,
    length_function,
)
from staticgraph.backends.native.fourier.code import (
    roots_of_unity,
    stage_count,
    transform_function,
)
from staticgraph.backends.native.ir import element_type, literal
from staticgraph.backends.native.kernels.code import KernelCode, fitting_lanes, grain_of
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE, Size
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

Whole = Callable[[Size], Register]

# Simple operations per root of unity that the run makes.
_WORK = 32


class Transform(NamedTuple):
    """A complex transform of one length, as kernels call it.

    n          the length
    length     that of the transforms it is made of
    function   what kernels call: of code.py, or of chirp.py
    tables     roots of unity; and the chirp and its spectrum where there may be a convolution
    stages     the number of stages where there is no convolution, None where the run knows
    """

    n: Size
    length: Size
    function: str
    dtype: DType
    tables: tuple[Array, ...]
    stages: int | None

    def call(
        self, kernel: KernelCode, source: str, first: str, second: str, inner: str, scale: str
    ) -> str:
        """Writes a call; the address of the result."""
        code, part = kernel.code, element_type(dtypes.part_of(self.dtype))
        table, *chirp = [kernel.argument(array.pointer, "ptr") for array in self.tables]
        operands = [f"ptr {pointer}" for pointer in (source, first, second, table)]
        operands += [f"i64 {kernel.size(self.n)}", f"i64 {inner}", f"{part} {scale}"]
        if chirp:
            operands += [
                *[f"ptr {pointer}" for pointer in chirp],
                f"i64 {kernel.size(self.length)}",
            ]
        text = code.let(f"call ptr {code.callee(self.function)}({', '.join(operands)})")
        code.called()
        return text

    def free(self, program: Program) -> None:
        """Gives back what the run made."""
        for array in self.tables:
            program.free(array.buffer)


def complex_lanes(program: Program, dtype: DType) -> int:
    """How many complex numbers are computed at once."""
    return max(program.options.vector_bytes // dtype.itemsize, 1)


def transform_of(program: Program, n: Size, inverse: bool, dtype: DType) -> Transform:
    """The transform of a length that is known."""
    assert n.known is not None
    length = convolution_length(n.known)
    if length == n.known:
        return plain_transform(program, n, inverse, dtype)
    roots, *chirp = [
        program.constant(table)
        for table in (
            roots_of_unity(length, inverse, dtype), *chirp_of(n.known, length, inverse, dtype)
        )
    ]  # fmt: skip
    name = chirp_function(*_function_of(program, inverse, dtype))
    return Transform(n, Size(length), name, dtype, (roots, *chirp), None)


def plain_transform(
    program: Program, n: Size, inverse: bool, dtype: DType, some: Size = ONE
) -> Transform:
    """The transform of a length without large prime factors; `some` is 0 where it is not needed."""
    name = transform_function(*_function_of(program, inverse, dtype))
    if n.known is not None:
        roots = program.constant(roots_of_unity(n.known, inverse, dtype))
        return Transform(n, n, name, dtype, (roots,), stage_count(n.known))
    roots = run_table(program, some.times(n), n, lambda s, k, whole: k, inverse, dtype)
    return Transform(n, n, name, dtype, (roots,), None)


def _function_of(program: Program, inverse: bool, dtype: DType) -> tuple[Any, ...]:
    lanes = complex_lanes(program, dtype)
    return program.module, program.scalars.builder, dtype, inverse, lanes


def length_of_the_run(program: Program, n: Size) -> Size:
    """The length of the transforms that one of length n is made of."""
    callee = program.code.callee(length_function(program.module))
    return program.size(program.code.let(f"call i64 {callee}(i64 {program.text(n)})"))


def transform_of_the_run(
    program: Program, n: Size, length: Size, inverse: bool, dtype: DType, some: Size
) -> Transform:
    """The transform of a length that only the run knows; `some` is 0 where it is not needed."""
    roots = run_table(program, some.times(length), length, lambda s, k, whole: k, inverse, dtype)
    plain = program.code.let(f"icmp eq i64 {program.text(length)}, {program.text(n)}")
    # Without a convolution its tables are empty.
    convolved = program.size(program.code.let(f"select i1 {plain}, i64 0, i64 1"))

    def squared(s: Scalars, k: Register, whole: Whole) -> Register:
        return s.remainder(s.multiply(k, k), whole(Size(2).times(n)))

    chirp = run_table(program, convolved.times(n), Size(2).times(n), squared, inverse, dtype)
    name = chirp_function(*_function_of(program, inverse, dtype))
    made = Transform(n, length, name, dtype, (roots, chirp, chirp), None)
    return made._replace(tables=(roots, chirp, _spectrum(program, made, convolved, inverse)))


def scale_of(program: Program, n: Size, divisor: str, part: DType) -> str:
    """What the sums are multiplied with, as an operand: 1, ``1 / sqrt(n)`` or ``1 / n``."""
    if divisor == "one":
        return literal(1, part)
    if n.known is not None:
        return literal(1 / (math.sqrt(n.known) if divisor == "root" else n.known), part)
    s = program.builder
    count = s.cast(Register(program.text(n), dtypes.int64), dtypes.float64)
    by = s.sqrt(count) if divisor == "root" else count
    return s.cast(s.divide(s.constant(1, dtypes.float64), by), part).text


# -- tables that the run makes --------------------------------------------------------------------


def _spectrum(program: Program, transform: Transform, some: Size, inverse: bool) -> Array:
    """The transform of the conjugated chirp, over its length, where there is one."""
    dtype, length, n = transform.dtype, transform.length, transform.n
    part = dtypes.part_of(dtype)
    result, room, other = [program.allocate((some.times(length),), dtype) for _ in range(3)]
    kernel = KernelCode(program)
    pointer, count, whole = (
        kernel.argument(other.pointer, "ptr"), kernel.size(n), kernel.size(length)
    )  # fmt: skip

    def write(index: str, s: Scalars) -> None:
        """Element j, and the one as far from the end, is that of the chirp; zeros are between."""
        place = _counted(kernel, index, s.lanes)
        n, length = _everywhere(kernel, count, s), _everywhere(kernel, whole, s)
        back = s.subtract(length, place)
        k = s.minimum(place, back)
        zero = s.constant(0, dtypes.complex128)
        twice = s.add(n, n)
        root = _root(s, s.remainder(s.multiply(k, k), twice), twice, not inverse)
        kept = s.cast(s.where(s.less(k, n), root, zero), dtype)
        kernel.store(kept, kernel.offset(pointer, dtype, index), s.lanes)

    kernel.vectors("%lo", "%hi", fitting_lanes(program, length, dtypes.float64), write)
    kernel.call(program.text(some.times(length)), grain_of(program, Size(_WORK), 64))
    kernel = KernelCode(program)
    plain = transform._replace(n=length)
    source, first, second = [
        kernel.argument(array.pointer, "ptr") for array in (other, result, room)
    ]
    scale = kernel.argument(scale_of(program, length, "length", part), element_type(part))

    def convert(_: str) -> None:
        made = plain.call(kernel, source, first, second, "1", scale)
        copy_elements(kernel, made, first, kernel.size(length), dtype)

    kernel.loop("%lo", "%hi", convert)
    kernel.call(program.text(some), None)
    program.free(room.buffer)
    program.free(other.buffer)
    return result


def copy_elements(kernel: KernelCode, source: str, target: str, count: str, dtype: DType) -> None:
    """Copies neighbouring elements to another place, if it is another."""
    code = kernel.code
    code.module.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")

    def copy() -> None:
        size = code.let(f"mul i64 {count}, {dtype.itemsize}")
        code.do(
            f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 {size}, i1 false)"
        )

    kernel.when(code.let(f"icmp ne ptr {source}, {target}"), copy)


def run_table(
    program: Program,
    count: Size,
    n: Size,
    numerators: Callable[[Scalars, Register, Whole], Register],
    inverse: bool,
    dtype: DType,
) -> Array:
    """A table that the run makes: `roots_of_unity` of n, for `count` numerators below n.

    Of a place in the table `numerators` makes the numerator; it may ask for sizes.
    """
    table = program.allocate((count,), dtype)
    kernel = KernelCode(program)
    pointer, length = kernel.argument(table.pointer, "ptr"), kernel.size(n)

    def write(index: str, s: Scalars) -> None:
        k = numerators(
            s, _counted(kernel, index, s.lanes),
            lambda size: _everywhere(kernel, kernel.size(size), s),
        )  # fmt: skip
        root = _root(s, k, _everywhere(kernel, length, s), inverse)
        kernel.store(s.cast(root, dtype), kernel.offset(pointer, dtype, index), s.lanes)

    kernel.vectors("%lo", "%hi", fitting_lanes(program, count, dtypes.float64), write)
    kernel.call(program.text(count), grain_of(program, Size(_WORK), 64))
    return table


def _everywhere(kernel: KernelCode, text: str, s: Scalars) -> Register:
    if s.lanes == 1:
        return Register(text, dtypes.int64)
    type = s.type(dtypes.int64)
    one = kernel.code.let(f"insertelement {type} poison, i64 {text}, i64 0")
    places = f"<{s.lanes} x i32> zeroinitializer"
    return Register(
        kernel.code.let(f"shufflevector {type} {one}, {type} poison, {places}"), dtypes.int64
    )


def _counted(kernel: KernelCode, index: str, lanes: int) -> Register:
    s = kernel.program.scalars.builder(kernel.code, lanes)
    first = _everywhere(kernel, index, s)
    if lanes == 1:
        return first
    steps = ", ".join(f"i64 {lane}" for lane in range(lanes))
    type = s.type(dtypes.int64)
    return Register(kernel.code.let(f"add {type} {first.text}, <{steps}>"), dtypes.int64)


def _root(s: Scalars, k: Register, n: Register, inverse: bool) -> Register:
    """``exp(-2 pi i k / n)`` in complex128, by octants, for k below n."""
    integer, double = dtypes.int64, dtypes.float64

    def number(value: int) -> Register:
        return s.constant(value, integer)

    eighths = s.multiply(k, number(8))
    octant, rest = s.floor_divide(eighths, n), s.remainder(eighths, n)
    odd = s.equal(s.bitwise_and(octant, number(1)), number(1))
    share = s.divide(s.cast(s.where(odd, s.subtract(n, rest), rest), double), s.cast(n, double))
    angle = s.multiply(share, s.constant(math.pi / 4, double))
    cos, sin = s.cos(angle), s.sin(angle)
    turned = s.bitwise_and(s.add(octant, number(1)), number(3))
    steep = s.greater_equal(turned, number(2))
    cos, sin = s.where(steep, sin, cos), s.where(steep, cos, sin)
    left = s.logical_and(s.greater_equal(octant, number(2)), s.less(octant, number(6)))
    cos = s.where(left, s.negative(cos), cos)
    below = s.greater_equal(octant, number(4))
    if not inverse:
        below = s.logical_not(below)
    return s.complex(cos, s.where(below, s.negative(sin), sin))
