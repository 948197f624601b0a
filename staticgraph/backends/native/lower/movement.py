"""Lowerings of what moves elements without computing: concat, split, pad, shift, and the like.

What can be a view is one. What cannot is written once: parts are copied into views of the result.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from staticgraph.backends.native.kernels.code import larger, smaller
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.basic import contiguous, target_dims
from staticgraph.backends.native.lower.chosen import Chosen, flat_rows
from staticgraph.backends.native.lower.indexing import (
    declared_dims,
    done,
    hold_array,
    require_fit,
)
from staticgraph.backends.native.nest import Access, Expression, Nest
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product, row_major
from staticgraph.backends.native.values import Array, Buffer, Lazy
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.node import Node, Value
from staticgraph.core.opdef import HOST_CALL


def _section(program: Program, array: Array, axis: int, first: str, count: Size) -> Array:
    """The view of `count` entries along an axis, beginning at `first`."""
    pointer = program.offset(array.pointer, array.dtype, first, array.strides[axis])
    dims = (*array.dims[:axis], count, *array.dims[axis + 1 :])
    return Array(array.buffer, pointer, array.dtype, dims, array.strides)


# -- joining and taking apart ---------------------------------------------------------------------


@lowering("concat")
def lower_concat(program: Program, node: Node) -> None:
    """The operands one after the other in one array; fused ones are written where they belong."""
    axis = node.attrs["axis"]
    shapes = [program.dims(value) for value in node.inputs]
    joined = list(shapes[0])
    for dims in shapes[1:]:
        for place, dim in enumerate(dims):
            if place != axis:
                program.require_equal(joined[place], dim, node)
                joined[place] = dim if joined[place].names else joined[place]
    lengths = [dims[axis] for dims in shapes]
    joined[axis] = total(program, lengths)
    result = program.result(node.out, declared_dims(program, node, joined), node.out.type.dtype)
    parts: list[Array] = []
    first = "0"
    for value, length in zip(node.inputs, lengths, strict=True):
        part = _section(program, result, axis, first, length)
        first = program.arithmetic("add", first, program.text(length))
        parts.append(part)
        if all(dim == ONE for dim in joined[:axis]):
            _offer(program, value, part)
    # One kernel may compute several operands, so nothing is written before all parts are offered.
    for value, part in zip(node.inputs, parts, strict=True):
        _put(program, node, value, part)
    hold_array(program, node, result)
    done(program, node)


def total(program: Program, sizes: list[Size]) -> Size:
    """The sum of sizes."""
    text = "0"
    for size in sizes:
        text = program.arithmetic("add", text, program.text(size))
    return program.size(text)


def _offer(program: Program, value: Value, part: Array) -> None:
    """Lets the kernel that computes a value write it into `part`, where nobody else needs it."""
    scope = program.scope
    held = scope.held[value]
    if not isinstance(held, Lazy) or scope.uses[value] != 1 or value in scope.reserved:
        return
    others = [scope.held[other] for other in held.group.values if other is not value]
    if any(isinstance(o, Lazy) and o.expression is held.expression for o in others):
        return
    if held.group.awaited.get(value) or part.dims != held.dims:
        return
    walked = zip(held.dims, held.axes, strict=True)
    dims = tuple([dim for dim, axis in walked if axis is not None])
    scope.reserved[value] = Array(
        Buffer(part.pointer, owned=False), part.pointer, part.dtype, dims, row_major(dims)
    )


def _put(program: Program, node: Node, value: Value, part: Array) -> None:
    """Writes a value into a part of a result."""
    array = program.array(value)
    if array.pointer == part.pointer:
        return
    if product(array.dims) == ONE:
        program.store(program.load(array.dtype, array.pointer), part.pointer)
        return
    program.copy(array, part, node)


@lowering("split")
def lower_split(program: Program, node: Node) -> None:
    """A view per part."""
    x, *lengths = node.inputs
    axis = node.attrs["axis"]
    array = program.array(x)
    first = "0"
    sizes = _parts(program, node, array.dims[axis], lengths)
    for value, size in zip(node.outputs, sizes, strict=True):
        program.hold(value, _section(program, array, axis, first, size))
        first = program.arithmetic("add", first, program.text(size))
    done(program, node)


def _parts(program: Program, node: Node, whole: Size, lengths: list[Value]) -> list[Size]:
    """The sizes of the parts of a split, which make up the whole."""
    sizes: list[Size | None] = [
        Size(dim) if isinstance(dim, int) else None for dim in node.attrs["sizes"]
    ]
    unknown = sizes.count(None)
    if unknown and not lengths:
        known = sum(size.factor for size in sizes if size is not None)
        share = _share(program, node, program.arithmetic("sub", program.text(whole), str(known)),
                       unknown)  # fmt: skip
        return [share if size is None else size for size in sizes]
    given = iter(lengths)
    parts: list[Size] = []
    for size in sizes:
        if size is None:
            size = program.size(program.scalar(next(given)).text)
            negative = program.code.let(f"icmp slt i64 {program.text(size)}, 0")
            program.fail_if(negative, node)
        parts.append(size)
    program.require_equal(total(program, parts), whole, node)
    return parts


def _share(program: Program, node: Node, left: str, count: int) -> Size:
    """An equal part of what is left."""
    if not left.startswith("%"):
        fits = int(left) >= 0 and int(left) % count == 0
        program.fail_if("false" if fits else "true", node)
        return Size(max(int(left), 0) // count)
    code = program.code
    program.fail_if(code.let(f"icmp slt i64 {left}, 0"), node)
    if count == 1:
        return program.size(left)
    rest = code.let(f"urem i64 {left}, {count}")
    program.fail_if(code.let(f"icmp ne i64 {rest}, 0"), node)
    return program.size(code.let(f"udiv i64 {left}, {count}"))


# -- filling up -----------------------------------------------------------------------------------


@lowering("pad")
def lower_pad(program: Program, node: Node) -> None:
    """The operand in the middle of an array that is filled before."""
    array, value = program.array(node.inputs[0]), program.scalar(node.inputs[1])
    width: tuple[tuple[int, int], ...] = node.attrs["width"]
    dims = [
        total(program, [Size(before), dim, Size(after)])
        for dim, (before, after) in zip(array.dims, width, strict=True)
    ]
    result = program.result(node.out, tuple(dims), array.dtype)
    if any(before or after for before, after in width):
        program.fill(result, value, node)
    part = result
    for axis, (before, _) in enumerate(width):
        part = _section(program, part, axis, str(before), array.dims[axis])
    program.copy(array, part, node)
    hold_array(program, node, result)
    done(program, node)


@lowering("shift")
def lower_shift(program: Program, node: Node) -> None:
    """What stays, moved; and the gap."""
    array = program.array(node.inputs[0])
    axis, by = node.attrs["axis"], node.attrs["by"]
    dtype = array.dtype
    result = program.result(node.out, array.dims, dtype)
    size = program.text(array.dims[axis])
    gap = smaller(program, str(min(abs(by), 1 << 47)), size)
    left = program.arithmetic("sub", size, gap)
    moved, hole = (gap, "0") if by > 0 else ("0", left)
    source = "0" if by > 0 else gap
    program.copy(
        _section(program, array, axis, source, program.size(left)),
        _section(program, result, axis, moved, program.size(left)),
        node,
    )
    if by:
        filling = np.full((), node.attrs["fill"], dtype)[()]
        value = program.builder.constant(filling, dtype)
        program.fill(_section(program, result, axis, hole, program.size(gap)), value, node)
    program.hold(node.out, result)
    done(program, node)


@lowering("arange")
def lower_arange(program: Program, node: Node) -> None:
    """The places along an axis, made where they are used."""
    count = larger(program, program.scalar(node.inputs[0]).text, "0")
    (dim,) = declared_dims(program, node, (program.size(count),))
    program.scope.fusion.index(node, dim)


# -- reductions -----------------------------------------------------------------------------------


@lowering("sum_to")
def lower_sum_to(program: Program, node: Node) -> None:
    """A sum over the axes that were made by a broadcast."""
    x = node.inputs[0]
    have, wanted = program.dims(x), target_dims(program, node)
    lead = len(have) - len(wanted)
    if lead == 0 and tuple(wanted) == have:
        hold_same(program, node.out, x)
        done(program, node)
        return
    for dim, want in zip(have[lead:], wanted, strict=True):
        if want != ONE:
            _require_summed(program, dim, want, node)
    single = [lead + i for i, want in enumerate(wanted) if want == ONE]
    open_axes = [lead + i for i, want in enumerate(wanted) if want.names and want != have[lead + i]]
    if not open_axes:
        axes = (*range(lead), *[axis for axis in single if have[axis] != ONE])
        if axes:
            program.scope.fusion.reduce(node, "sum", axes, frozenset(single))
        else:
            hold_same(program, node.out, x)
            done(program, node)
        return
    _sum_open(program, node, tuple(wanted), open_axes)
    done(program, node)


def _require_summed(program: Program, dim: Size, want: Size, node: Node) -> None:
    """Fails unless an axis is kept, or summed to 1."""
    if want.known is not None:
        program.require_equal(dim, want, node)
    else:
        require_fit(program, want, dim, node)


def _sum_open(program: Program, node: Node, wanted: tuple[Size, ...], open_axes: list[int]) -> None:
    """A sum where only the run knows which axes are summed.

    Such an axis is walked as two, one that is kept and one that is summed, of which one has size 1.
    """
    code = program.code
    array = program.array(node.inputs[0])
    lead = len(array.dims) - len(wanted)
    result = program.result(node.out, wanted, array.dtype)
    domain: list[Size] = []
    source: list[Size] = []
    target: list[Size] = []
    kept = [ZERO] * lead + list(row_major(wanted))
    for axis, (dim, stride) in enumerate(zip(array.dims, array.strides, strict=True)):
        if axis in open_axes:
            want = wanted[axis - lead]
            same = code.let(f"icmp eq i64 {program.text(want)}, {program.text(dim)}")
            summed = code.let(f"select i1 {same}, i64 1, i64 {program.text(dim)}")
            domain += [program.size(summed), want]
            source += [stride, stride]
            target += [ZERO, kept[axis]]
            continue
        one = axis < lead or wanted[axis - lead] == ONE
        domain.append(dim)
        source.append(stride)
        target.append(ZERO if one else kept[axis])
    load = Expression("load", array.dtype)
    load.access = Access(array.pointer, array.dtype, tuple(source))
    sum_of = Expression("reduce", array.dtype, (load,), node, combine="sum", array=result)
    sum_of.target = Access(result.pointer, array.dtype, tuple(target))
    program.run(Nest(tuple(domain), 0, [load, sum_of]), node)
    hold_array(program, node, result)


@lowering("argmax", "argmin")
def lower_chosen_place(program: Program, node: Node) -> None:
    """Where the extreme element of each row stands."""
    array = program.array(node.inputs[0])
    axis, keepdims = node.attrs["axis"], node.attrs["keepdims"]
    count = len(array.dims)
    axes = tuple(range(count)) if axis is None or len(axis) != 1 else axis
    for reduced in axes:
        empty = program.code.let(f"icmp eq i64 {program.text(array.dims[reduced])}, 0")
        program.fail_if(empty, node)
    outer = [place for place in range(count) if place not in axes]
    dims = tuple([ONE if place in axes else dim for place, dim in enumerate(array.dims)])
    if not keepdims:
        dims = tuple([array.dims[place] for place in outer])
    result = program.result(node.out, dims, dtypes.int64)
    if product([array.dims[place] for place in axes]) == ONE:
        program.fill(result, program.builder.constant(0, dtypes.int64), node)
    else:
        kept = tuple([array.dims[place] for place in outer])
        target = Array(result.buffer, result.pointer, dtypes.int64, kept, row_major(kept))
        flat = flat_rows(array, outer, axes)
        if flat is None:
            _choose(program, node, array, (*outer, *axes), target)
        else:
            Chosen(program, array, *flat, target, node.op.name == "argmax").write()
    hold_array(program, node, result)
    done(program, node)


def _choose(
    program: Program, node: Node, array: Array, order: tuple[int, ...], target: Array
) -> None:
    outer = len(target.dims)
    load = Expression("load", array.dtype)
    strides = tuple([array.strides[axis] for axis in order])
    load.access = Access(array.pointer, array.dtype, strides)
    chosen = Expression("reduce", dtypes.int64, (load,), node, combine=node.op.name, row=True)
    zeros = (ZERO,) * (len(order) - outer)
    store = Access(target.pointer, dtypes.int64, (*target.strides, *zeros))
    nest = Nest(tuple([array.dims[axis] for axis in order]), outer, [load, chosen])
    nest.stores.append((chosen, store))
    # One row is one walk: no part of it knows the place of the whole.
    program.run(nest, node, serial=product(target.dims) == ONE)


# -- the same values ------------------------------------------------------------------------------


def hold_same(program: Program, out: Value, value: Value) -> None:
    """Another name for a value."""
    held = program.scope.held[value]
    program.hold(out, held)
    if isinstance(held, Lazy):
        held.group.values.append(out)


@lowering("custom_gradient")
def lower_custom_gradient(program: Program, node: Node) -> None:
    """The first operands."""
    for out, value in zip(node.outputs, node.inputs, strict=False):
        hold_same(program, out, value)
    done(program, node)


# -- effects --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Print:
    """What Python does for a print: the slots hold the address of the data, then the dims."""

    message: str
    dtype: DType
    ndim: int

    def __call__(self, arguments: int) -> None:
        """Prints the array that the slots at `arguments` describe."""
        slots = (ctypes.c_int64 * (1 + self.ndim)).from_address(arguments)
        shape = tuple(slots[1:])
        array = np.empty(shape, self.dtype)
        ctypes.memmove(array.ctypes.data, slots[0], array.nbytes)
        print(f"{self.message}{np.array2string(array)}", flush=True)


@lowering("print")
def lower_print(program: Program, node: Node) -> None:
    """A call of Python; the result is the operand."""
    assert node.op.native is HOST_CALL, "what leaves the machine says so in its record"
    code = program.code
    given = program.array(node.inputs[0])
    array = contiguous(program, given, node)
    slots = code.stack(f"[{1 + len(array.dims)} x i64]", 8)
    code.do(f"store ptr {array.pointer}, ptr {slots}")
    for number, dim in enumerate(array.dims):
        place = code.let(f"getelementptr i64, ptr {slots}, i64 {number + 1}")
        code.do(f"store i64 {program.text(dim)}, ptr {place}")
    site = len(program.hosts)
    program.hosts.append(Print(node.attrs["message"], array.dtype, len(array.dims)))
    program.module.declare("declare i32 @sg_host_call(ptr, i32, ptr)")
    program.check_call(code.let(f"call i32 @sg_host_call(ptr %ctx, i32 {site}, ptr {slots})"))
    if array is not given:
        program.free(array.buffer)
    hold_same(program, node.out, node.inputs[0])
    done(program, node)


@lowering("assert")
def lower_assert(program: Program, node: Node) -> None:
    """Fails unless all elements of the condition hold."""
    _fail_unless(program, node.inputs[0], node)
    done(program, node)


@lowering("require")
def lower_require(program: Program, node: Node) -> None:
    """The first operand, where all elements of the condition hold."""
    _fail_unless(program, node.inputs[1], node)
    hold_same(program, node.out, node.inputs[0])
    done(program, node)


def _fail_unless(program: Program, condition: Value, node: Node) -> None:
    if program.dims(condition):
        holds = _all(program, program.array(condition), node)
    else:
        holds = program.scalar(condition)
    program.fail_if(program.builder.logical_not(holds).text, node)


def _all(program: Program, array: Array, node: Node) -> Register:
    """Whether all elements of a bool array hold."""
    room = program.code.stack("i8", 8)
    flag = Array(Buffer(room, owned=False), room, dtypes.bool_, (), ())
    load = Expression("load", dtypes.bool_)
    load.access = Access(array.pointer, dtypes.bool_, array.strides)
    found = Expression("reduce", dtypes.bool_, (load,), node, combine="all", array=flag)
    found.target = Access(room, dtypes.bool_, (ZERO,) * len(array.dims))
    program.run(Nest(array.dims, 0, [load, found]), node)
    return program.load(dtypes.bool_, room)
