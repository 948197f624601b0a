"""The lowering of the discrete Fourier transform.

The transform of a block of sequences is a function that is the same for all lengths
(fourier_code.py). A length that is known brings its table of roots of unity as a constant; of
another the run makes it first. A known length with a large prime factor is expanded into three
transforms of a power of two (L. I. Bluestein, 1970); of an unknown one each such factor costs its
square.
"""

from __future__ import annotations

import math

import numpy as np

from staticgraph.backends.native.expand import EXPANSIONS, Expander
from staticgraph.backends.native.fourier_code import roots_of_unity, transform_function
from staticgraph.backends.native.kernel_code import KernelCode, fitting_lanes, grain_of
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower_basic import contiguous, require_elements
from staticgraph.backends.native.lower_indexing import declared_dims, done
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.node import Node, Value
from staticgraph.core.types import Dim

# A stage of a prime radix costs that many operations an element; above it three transforms of at
# least twice the length cost less.
_LARGEST_RADIX = 64
# Simple operations per element and transform, about what the stages of a long one are.
_WORK = 32


@lowering("fft")
def lower_fft(program: Program, node: Node) -> None:
    """A kernel over the blocks that lie before the axis."""
    given = program.array(node.inputs[0])
    axis, inverse = node.attrs["axis"], node.attrs["inverse"]
    source = contiguous(program, given, node)
    dims = declared_dims(program, node, source.dims)
    require_elements(program, node, [dims[axis]])
    result = program.result(node.out, dims, source.dtype)
    if ZERO not in dims:
        room = program.allocate(dims, source.dtype)
        n, inner = dims[axis], product(dims[axis + 1 :])
        if n.known is None:
            table = _table_of_the_run(program, n, inverse, source)
        else:
            table = program.constant(roots_of_unity(n.known, inverse, source.dtype))
        lanes = program.options.vector_bytes // source.dtype.itemsize
        name = transform_function(
            program.module, program.scalars.builder, source.dtype, inverse, max(lanes, 1)
        )
        kernel = KernelCode(program)
        code = kernel.code
        pointers = [kernel.argument(a.pointer, "ptr") for a in (source, result, room)]
        roots = kernel.argument(table.pointer, "ptr")
        length, beside = kernel.size(n), kernel.size(inner)
        block = kernel.size(n.times(inner))

        def transform(index: str) -> None:
            begin = code.let(f"mul i64 {index}, {block}")
            places = [kernel.offset(pointer, source.dtype, begin) for pointer in pointers]
            operands = ", ".join(f"ptr {place}" for place in (*places, roots))
            callee = code.callee(name)
            code.do(f"call void {callee}({operands}, i64 {length}, i64 {beside})")
            code.called()

        kernel.loop("%lo", "%hi", transform)
        rows = product(dims[:axis])
        grain = None if rows == ONE else grain_of(program, n.times(inner).times(Size(_WORK)), 1)
        kernel.call(program.text(rows), grain)
        for unneeded in (room, table):
            program.free(unneeded.buffer)
    if source is not given:
        program.free(source.buffer)
    program.hold(node.out, result)
    done(program, node)


def _table_of_the_run(program: Program, n: Size, inverse: bool, source: Array) -> Array:
    """The table of roots of unity for a length that the run knows; see `roots_of_unity`."""
    table = program.allocate((n,), source.dtype)
    kernel = KernelCode(program)
    pointer, length = kernel.argument(table.pointer, "ptr"), kernel.size(n)

    def write(index: str, s: Scalars) -> None:
        root = _root(s, _counted(kernel, index, s.lanes), _everywhere(kernel, length, s), inverse)
        kernel.store(s.cast(root, source.dtype), kernel.offset(pointer, source.dtype, index),
                     s.lanes)  # fmt: skip

    kernel.vectors("%lo", "%hi", fitting_lanes(program, n, dtypes.float64), write)
    kernel.call(program.text(n), grain_of(program, Size(_WORK), 64))
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
    """``exp(-2 pi i k / n)`` in complex128, by octants."""
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


# -- lengths with large prime factors -------------------------------------------------------------


def _largest_factor(n: int) -> int:
    largest, trial = 1, 2
    while trial * trial <= n:
        while n % trial == 0:
            largest, n = trial, n // trial
        trial += 1
    return max(largest, n)


def _expand_fft(e: Expander) -> list[Value] | None:
    """A convolution with ``exp(i pi k² / n)``, since ``2jk = j² + k² - (j - k)²``."""
    (x,) = e.node.inputs
    axis, inverse = e.node.attrs["axis"], e.node.attrs["inverse"]
    shape = x.type.shape
    n = None if shape is None else shape[axis]
    if shape is None or not isinstance(n, int) or _largest_factor(n) <= _LARGEST_RADIX:
        return None
    count = 1 << (2 * n - 2).bit_length()
    squares = np.arange(n, dtype=np.int64) ** 2 % (2 * n)
    chirp = roots_of_unity(2 * n, inverse, dtypes.complex128)[squares]
    kernel = np.zeros(count, np.complex128)
    kernel[:n] = chirp.conj()
    kernel[count - n + 1 :] = chirp[:0:-1].conj()
    spectrum = np.fft.fft(kernel) / count

    def along(values: np.ndarray[tuple[int], np.dtype[np.complex128]]) -> Value:
        array = values.astype(x.type.dtype).reshape(-1, *[1] * (len(shape) - axis - 1))
        type = x.type.with_shape(array.shape)
        return e.apply("constant", [], type, value=array)

    def resized(dim: Dim) -> tuple[Dim, ...]:
        return (*shape[:axis], dim, *shape[axis + 1 :])

    given = e.map("multiply", x, along(chirp))
    width = tuple([(0, count - n if number == axis else 0) for number in range(len(shape))])
    longer = x.type.with_shape(resized(count))
    padded = e.apply("pad", [given, e.constant(0, x)], longer, width=width)
    forward = e.apply("fft", [padded], longer, axis=axis, inverse=False)
    product = e.map("multiply", forward, along(spectrum))
    back = e.apply("fft", [product], longer, axis=axis, inverse=True)
    index = (*[(None, None, 1)] * axis, (0, n, 1), *[(None, None, 1)] * (len(shape) - axis - 1))
    taken = e.apply("slice", [back], x.type, index=index, shape=None)
    return [e.map("multiply", taken, along(chirp))]


EXPANSIONS["fft"] = _expand_fft
