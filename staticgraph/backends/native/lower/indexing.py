"""Lowerings of slices and gathers, and the check of indices that scatters share.

A slice is a view; only its bounds are computed. Indices are checked before anything is read or
written with them, as NumPy does, so the kernels that follow need no checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from staticgraph.backends.native.ir import Code, vector
from staticgraph.backends.native.kernels.code import (
    Axis,
    KernelCode,
    fitting_lanes,
    grain_of,
    joined_axes,
    larger,
    smaller,
)
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.basic import target_dims
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product
from staticgraph.backends.native.values import Array, Scalar
from staticgraph.core import dtypes
from staticgraph.core.node import Node, Value

# No axis is longer than this: a larger step takes one element at most.
_LONGEST = 1 << 47

# A bound of a range or an entry: known, read by the run, or left out.
Bound = int | str | None


def done(program: Program, node: Node) -> None:
    """Notes that a node has used its operands."""
    for value in node.inputs:
        program.used(value)


def hold_array(program: Program, node: Node, array: Array) -> None:
    """The result of a node; one without axes is read into a register."""
    if array.dims:
        program.hold(node.out, array)
    else:
        program.hold(node.out, Scalar(program.load(array.dtype, array.pointer)))


def declared_dims(program: Program, node: Node, dims: Sequence[Size]) -> tuple[Size, ...]:
    """Dims of the result of a node, with what its type knows of them."""
    shape = node.out.type.shape
    found = list(dims)
    for axis, dim in enumerate(shape or ()):
        if isinstance(dim, int) and found[axis].names:
            program.require_equal(found[axis], Size(dim), node)
            found[axis] = Size(dim)
    return tuple(found)


# -- slices ---------------------------------------------------------------------------------------


class _Range(NamedTuple):
    """A range of an axis: its first element, as an i64, and how many there are."""

    first: str
    length: Size


@lowering("slice")
def lower_slice(program: Program, node: Node) -> None:
    """A view."""
    array = program.array(node.inputs[0])
    part = _part(program, node, array, node.inputs[1:])
    part.dims = declared_dims(program, node, part.dims)
    hold_array(program, node, part)
    done(program, node)


@lowering("slice_scatter")
def lower_slice_scatter(program: Program, node: Node) -> None:
    """Zeros, with the operand copied into a view of them."""
    count = _bounds_in(node.attrs["index"])
    dims = tuple(target_dims(program, node)) if _sized(node, count) else _declared(node)
    updates = program.array(node.inputs[0])
    result = program.result(node.out, dims, updates.dtype)
    part = _part(program, node, result, node.inputs[1 : 1 + count])
    for have, want in zip(updates.dims, part.dims, strict=True):
        require_fit(program, have, want, node)
    if not all(entry == (None, None, 1) for entry in node.attrs["index"]):
        program.fill(result, program.builder.constant(0, updates.dtype), node)
    program.copy(updates, part, node)
    hold_array(program, node, result)
    done(program, node)


def _bounds_in(index: Sequence[Any]) -> int:
    entries = [entry if isinstance(entry, tuple) else (entry,) for entry in index]
    return sum(bound == "?" for entry in entries for bound in entry)


def _sized(node: Node, bounds: int) -> bool:
    """Whether the last operand of a slice_scatter is its shape."""
    return len(node.inputs) > 1 + bounds


def _declared(node: Node) -> tuple[Size, ...]:
    return tuple([Size(dim) for dim in node.attrs["shape"]])


def require_fit(program: Program, have: Size, want: Size, node: Node) -> None:
    """Fails where a size is neither `want` nor 1."""
    if have in (want, ONE):
        return
    code, text = program.code, program.text
    equal = code.let(f"icmp eq i64 {text(have)}, {text(want)}")
    single = code.let(f"icmp eq i64 {text(have)}, 1")
    fits = code.let(f"or i1 {equal}, {single}")
    program.fail_if(code.let(f"xor i1 {fits}, true"), node)


def _part(program: Program, node: Node, array: Array, bounds: Sequence[Value]) -> Array:
    """The view of `array` that the attribute `index` of a node names."""
    given = iter(bounds)

    def known(bound: Bound) -> Bound:
        if bound != "?":
            return bound
        text = program.scalar(next(given)).text
        return text if text.startswith("%") else int(text)

    pointer = array.pointer
    dims: list[Size] = []
    strides: list[Size] = []
    index = node.attrs["index"]
    for entry, dim, stride in zip(index, array.dims, array.strides, strict=False):
        if isinstance(entry, tuple):
            found = _range_of(program, dim, known(entry[0]), known(entry[1]), entry[2])
            first = found.first
            dims.append(found.length)
            strides.append(ZERO if abs(entry[2]) > _LONGEST else stride.times(Size(entry[2])))
        else:
            first = entry_place(program, str(known(entry)), dim, node)
        pointer = program.offset(pointer, array.dtype, first, stride)
    dims += array.dims[len(index) :]
    strides += array.strides[len(index) :]
    return Array(array.buffer, pointer, array.dtype, tuple(dims), tuple(strides))


def entry_place(program: Program, index: str, dim: Size, node: Node) -> str:
    """Where an entry stands, counted from the start; fails at `node` where it does not exist."""
    code, size = program.code, program.text(dim)
    if not index.startswith("%"):
        number = int(index)
        if dim.known is not None:
            inside = -dim.known <= number < dim.known
            program.fail_if("false" if inside else "true", node)
        else:
            least = number + 1 if number >= 0 else -number
            program.fail_if(code.let(f"icmp slt i64 {size}, {least}"), node)
        return index if number >= 0 else program.arithmetic("add", size, index)
    from_end = code.let(f"icmp slt i64 {index}, 0")
    moved = program.arithmetic("add", index, size)
    place = code.let(f"select i1 {from_end}, i64 {moved}, i64 {index}")
    program.fail_if(code.let(f"icmp uge i64 {place}, {size}"), node)
    return place


def _range_of(program: Program, dim: Size, start: Bound, stop: Bound, step: int) -> _Range:
    """What a range takes of an axis, clipped as Python clips it."""
    if dim.known is not None and not isinstance(start, str) and not isinstance(stop, str):
        taken = range(dim.known)[start:stop:step]
        return _Range(str(taken.start) if len(taken) else "0", Size(len(taken)))
    size = program.text(dim)
    last = program.arithmetic("sub", size, "1")
    low, high = ("0", size) if step > 0 else ("-1", last)
    first = _clipped(program, start, size, low, high) if start is not None else None
    end = _clipped(program, stop, size, low, high) if stop is not None else None
    if first is None:
        first = low if step > 0 else high
        if end is None and abs(step) == 1:
            return _Range(first, dim)
    if end is None:
        end = high if step > 0 else low
    span = program.arithmetic("sub", *((end, first) if step > 0 else (first, end)))
    span = larger(program, span, "0")
    if abs(step) != 1:
        span = program.arithmetic("add", span, str(min(abs(step), _LONGEST) - 1))
        span = program.code.let(f"sdiv i64 {span}, {min(abs(step), _LONGEST)}")
    return _Range(first, program.size(span))


def _clipped(program: Program, bound: int | str, size: str, low: str, high: str) -> str:
    """A bound of a range, counted from the start and between `low` and `high`."""
    if isinstance(bound, int):
        bound = max(min(bound, _LONGEST), -_LONGEST)
        if bound >= 0:
            return "0" if bound == 0 and low == "0" else smaller(program, str(bound), high)
        return larger(program, program.arithmetic("add", size, str(bound)), low)
    code = program.code
    from_end = code.let(f"icmp slt i64 {bound}, 0")
    moved = program.arithmetic("add", bound, size)
    place = code.let(f"select i1 {from_end}, i64 {moved}, i64 {bound}")
    return larger(program, smaller(program, place, high), low)


# -- gathers --------------------------------------------------------------------------------------


class Picks(NamedTuple):
    """Which entries a gather reads or a scatter writes.

    axes      of the array that are indexed
    indices   an array of places per axis, in range but maybe counted from the end
    dims      the dims to which the indices broadcast
    first     where those dims begin in the gathered shape
    kept      the axes of the array that are not indexed
    """

    axes: tuple[int, ...]
    indices: tuple[Value, ...]
    dims: tuple[Size, ...]
    first: int
    kept: tuple[int, ...]

    def gathered(self, dims: Sequence[Size]) -> tuple[Size, ...]:
        """The dims of what is gathered from an array of these dims."""
        return self.arranged(dims, self.dims)

    def arranged(self, x: Sequence[Size], picked: Sequence[Size]) -> tuple[Size, ...]:
        """What holds for the axes of the array and for those of the indices, in their order."""
        kept = [x[axis] for axis in self.kept]
        return (*kept[: self.first], *picked, *kept[self.first :])


def checked_picks(
    program: Program, node: Node, x: tuple[Size, ...], indices: tuple[Value, ...]
) -> Picks:
    """What the indices of a node pick of an array of dims `x`; fails where one is out of range."""
    axes: tuple[int, ...] = node.attrs["axes"]
    side_by_side = axes == tuple(range(axes[0], axes[0] + len(axes)))
    dims = program.broadcast([program.dims(value) for value in indices], node)
    kept = tuple([axis for axis in range(len(x)) if axis not in axes])
    first = axes[0] if side_by_side else 0
    count = product(dims)
    for axis, value in zip(axes, indices, strict=True):
        bad = _is_outside(program, node, value, x[axis])
        # NumPy looks at no array of several where they broadcast to no elements.
        if bad != "false" and program.dims(value) and len(axes) > 1 and count.known != 1:
            some = program.code.let(f"icmp ne i64 {program.text(count)}, 0")
            bad = program.code.let(f"and i1 {bad}, {some}")
        program.fail_if(bad, node)
    return Picks(axes, indices, dims, first, kept)


def _is_outside(program: Program, node: Node, value: Value, dim: Size) -> str:
    """Whether an index of `value` is out of range, an i1."""
    constant = value.node.attrs["value"] if value.node.op.name == "constant" else None
    if constant is not None and (dim.known is not None or not constant.size):
        size = dim.known or 0
        inside = not constant.size or (-size <= constant.min() and constant.max() < size)
        return "false" if inside else "true"
    if product(program.dims(value)) == ONE:
        return _misses(program.code, _single(program, value).text, program.text(dim))
    array = program.array(value)
    if ZERO in array.dims:
        return "false"
    return _IndexCheck(program, array, dim).write()


def _single(program: Program, value: Value) -> Register:
    """The only element of a value."""
    if not program.dims(value):
        return program.scalar(value)
    return program.load(dtypes.int64, program.array(value).pointer)


def _misses(code: Code, index: str, size: str, lanes: int = 1) -> str:
    """Whether places miss an axis, an i1 each: below ``-size`` or not below `size`."""
    type = vector("i64", lanes)
    moved = code.let(f"add {type} {index}, {size}")
    doubled = code.let(f"shl {type} {size}, {splat(code, '1', lanes)}")
    return code.let(f"icmp uge {type} {moved}, {doubled}")


def splat(code: Code, text: str, lanes: int) -> str:
    """An i64 in every lane."""
    if lanes == 1:
        return text
    if not text.startswith("%"):
        return f"splat (i64 {text})"
    type = vector("i64", lanes)
    single = code.let(f"insertelement {type} poison, i64 {text}, i64 0")
    zeros = f"<{lanes} x i32> zeroinitializer"
    return code.let(f"shufflevector {type} {single}, {type} poison, {zeros}")


class _IndexCheck:
    """The kernel that looks at every index; it sets a byte where one is out of range."""

    def __init__(self, program: Program, array: Array, dim: Size) -> None:
        self.program, self.dim = program, dim
        self.kernel = KernelCode(program)
        self.pointer = array.pointer
        strides = zip(array.dims, array.strides, strict=True)
        self.axes = joined_axes([Axis(size, (stride,)) for size, stride in strides])

    def write(self) -> str:
        """Writes the kernel and its call; whether it has found one, an i1."""
        program, kernel = self.program, self.kernel
        flag = program.code.stack("i8", 8)
        program.code.do(f"store i8 0, ptr {flag}")
        self.flag = kernel.argument(flag, "ptr")
        self._walk(0, kernel.argument(self.pointer, "ptr"))
        others = product([axis.dim for axis in self.axes[1:]])
        kernel.call(program.text(self.axes[0].dim), grain_of(program, others, 64))
        return program.load(dtypes.bool_, flag).text

    def _walk(self, number: int, pointer: str) -> None:
        kernel, axis = self.kernel, self.axes[number]
        begin, end = ("%lo", "%hi") if number == 0 else ("0", kernel.size(axis.dim))
        (stride,) = axis.strides
        if number < len(self.axes) - 1:
            kernel.loop(begin, end, lambda index: self._walk(
                number + 1, kernel.offset(pointer, dtypes.int64, index, stride)
            ))  # fmt: skip
            return
        lanes = fitting_lanes(self.program, axis.dim, dtypes.int64) if stride == ONE else 1
        kernel.vectors(begin, end, lanes, lambda index, builder: self._look(
            kernel.offset(pointer, dtypes.int64, index, stride), builder.lanes
        ))  # fmt: skip

    def _look(self, pointer: str, lanes: int) -> None:
        kernel, code = self.kernel, self.kernel.code
        index = kernel.load(dtypes.int64, pointer, lanes).text
        missed = _misses(code, index, splat(code, kernel.size(self.dim), lanes), lanes)
        if lanes > 1:
            operands = [(vector("i1", lanes), missed)]
            missed = code.intrinsic(f"vector.reduce.or.v{lanes}i1", "i1", operands)
        kernel.when(missed, lambda: code.do(f"store i8 1, ptr {self.flag}"))


@lowering("gather")
def lower_gather(program: Program, node: Node) -> None:
    """A view of a single place; else the elements are read where they are used."""
    x, *indices = node.inputs
    array = program.array(x)
    picks = checked_picks(program, node, array.dims, tuple(indices))
    if product(picks.dims) != ONE:
        program.scope.fusion.gather(node, picks.gathered(array.dims), picks.first, len(picks.dims))
        return
    pointer = array.pointer
    for axis, value in zip(picks.axes, indices, strict=True):
        index, size = _single(program, value), program.text(array.dims[axis])
        place = from_start(program.builder, index, size).text
        pointer = program.offset(pointer, array.dtype, place, array.strides[axis])
    strides = picks.arranged(array.strides, [ZERO] * len(picks.dims))
    dims = picks.gathered(array.dims)
    hold_array(program, node, Array(array.buffer, pointer, array.dtype, dims, strides))
    done(program, node)


def from_start(builder: Scalars, index: Register, size: str) -> Register:
    """A place in range, counted from the start of the axis."""
    moved = builder.add(index, Register(size, dtypes.int64))
    return builder.where(builder.less(index, builder.constant(0, dtypes.int64)), moved, index)
