"""Lowerings of constants, sizes, views and reductions."""

from __future__ import annotations

import numpy as np

from staticgraph.backends.native.lower import hold_size, lowering
from staticgraph.backends.native.nest import Access, Expression, Nest
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product, row_major
from staticgraph.backends.native.values import Array, Buffer, Lazy, Scalar
from staticgraph.core import dtypes, opdef
from staticgraph.core.node import Node, Value
from staticgraph.core.types import TensorType


def _done(program: Program, node: Node) -> None:
    for value in node.inputs:
        program.used(value)


@lowering("constant")
def lower_constant(program: Program, node: Node) -> None:
    """A scalar in the code, or an array that the plan keeps."""
    value: np.ndarray[tuple[int, ...], np.dtype[np.generic]] = node.attrs["value"]
    if value.ndim == 0:
        register = program.builder.constant(value[()], value.dtype)
        program.hold(node.out, Scalar(register))
        return
    program.hold(node.out, program.constant(value))


# -- sizes ----------------------------------------------------------------------------------------


@lowering("size")
def lower_size(program: Program, node: Node) -> None:
    """The number of elements, or the size of one axis."""
    dims = program.dims(node.inputs[0])
    axis = node.attrs["axis"]
    hold_size(program, node, product(dims) if axis is None else dims[axis])
    _done(program, node)


def _vector(program: Program, node: Node, items: list[str]) -> None:
    """A short int64 vector of scalars."""
    array = program.result(node.out, (Size(len(items)),), dtypes.int64)
    for number, text in enumerate(items):
        place = program.place(array, [str(number)])
        program.store(Register(text, dtypes.int64), place)
    program.scope.vectors[node.out] = [program.size(text) for text in items]
    program.hold(node.out, array)


@lowering("shape")
def lower_shape(program: Program, node: Node) -> None:
    """The sizes of all axes as a vector."""
    _vector(program, node, [program.text(dim) for dim in program.dims(node.inputs[0])])
    _done(program, node)


@lowering("make_shape")
def lower_make_shape(program: Program, node: Node) -> None:
    """Scalars as a vector."""
    _vector(program, node, [program.scalar(value).text for value in node.inputs])
    _done(program, node)


def sizes_in(program: Program, vector: Value, node: Node) -> list[Size]:
    """The sizes that an int64 vector gives for the result of `node`."""
    known = program.scope.vectors.get(vector)
    if known is not None:
        return list(known)
    array = program.array(vector)
    assert node.out.type.shape is not None
    count = len(node.out.type.shape)
    program.require_equal(array.dims[0], Size(count), node)
    return [
        program.size(program.load(array.dtype, program.place(array, [str(number)])).text)
        for number in range(count)
    ]


# -- views ----------------------------------------------------------------------------------------


def hold_view(
    program: Program, node: Node, array: Array, dims: list[Size], strides: list[Size],
    pointer: str | None = None,
) -> None:  # fmt: skip
    """Another way to read the elements of `array`."""
    view = Array(array.buffer, pointer or array.pointer, array.dtype, tuple(dims), tuple(strides))
    program.hold(node.out, view)


@lowering("expand_dims")
def lower_expand_dims(program: Program, node: Node) -> None:
    """New axes of size 1."""
    have = program.dims(node.inputs[0])
    new = node.attrs["axes"]
    numbers = iter(range(len(have)))
    axes = [None if axis in new else next(numbers) for axis in range(len(have) + len(new))]
    _with_axes(program, node, axes)


@lowering("squeeze")
def lower_squeeze(program: Program, node: Node) -> None:
    """Fewer axes of size 1."""
    have = program.dims(node.inputs[0])
    for axis in node.attrs["axes"]:
        program.require_equal(have[axis], ONE, node)
    _with_axes(program, node, [a for a in range(len(have)) if a not in node.attrs["axes"]])


def _with_axes(program: Program, node: Node, axes: list[int | None]) -> None:
    have = program.dims(node.inputs[0])
    dims = [ONE if axis is None else have[axis] for axis in axes]
    if isinstance(program.scope.held[node.inputs[0]], Lazy) and program.scope.fusion.view(
        node, axes, tuple(dims)
    ):
        return
    if not dims:
        program.hold(node.out, Scalar(program.scalar(node.inputs[0])))
    else:
        array = program.array(node.inputs[0])
        strides = [ZERO if axis is None else array.strides[axis] for axis in axes]
        hold_view(program, node, array, dims, strides)
    _done(program, node)


@lowering("permute_dims")
def lower_permute_dims(program: Program, node: Node) -> None:
    """The axes in another order."""
    array = program.array(node.inputs[0])
    axes = node.attrs["axes"]
    if axes is None:
        axes = tuple(reversed(range(len(array.dims))))
    hold_view(program, node, array, [array.dims[a] for a in axes], [array.strides[a] for a in axes])
    _done(program, node)


@lowering("broadcast_to")
def lower_broadcast_to(program: Program, node: Node) -> None:
    """Repeats elements without copying them."""
    wanted = target_dims(program, node)
    have = program.dims(node.inputs[0])
    lead = len(wanted) - len(have)
    for dim, extent in zip(have, wanted[lead:], strict=True):
        if dim not in (extent, ONE):
            code, text = program.code, program.text
            equal = code.let(f"icmp eq i64 {text(dim)}, {text(extent)}")
            single = code.let(f"icmp eq i64 {text(dim)}, 1")
            fits = code.let(f"or i1 {equal}, {single}")
            program.fail_if(code.let(f"xor i1 {fits}, true"), node)
    array = program.array(node.inputs[0])
    strides = [ZERO] * lead + [
        program.stride_along(dim, stride, extent)
        for dim, stride, extent in zip(have, array.strides, wanted[lead:], strict=True)
    ]
    hold_view(program, node, array, wanted, strides)
    _done(program, node)


def target_dims(program: Program, node: Node) -> list[Size]:
    """The shape that a node is told to make: by its last operand, or by its attribute."""
    declared = node.attrs["shape"]
    if len(node.inputs) > 1:
        found = sizes_in(program, node.inputs[-1], node)
        for number, dim in enumerate(declared or ()):
            if isinstance(dim, int):
                program.require_equal(found[number], Size(dim), node)
                found[number] = Size(dim)
        for size in found:
            if size.names:
                negative = program.code.let(f"icmp slt i64 {program.text(size)}, 0")
                program.fail_if(negative, node)
        return found
    return [Size(dim) for dim in declared]


@lowering("reshape")
def lower_reshape(program: Program, node: Node) -> None:
    """The same elements in another shape; a copy only where they do not stand in order."""
    have = program.dims(node.inputs[0])
    wanted = _reshaped(program, node, have)
    array = program.array(node.inputs[0])
    if not wanted:
        program.hold(node.out, Scalar(program.load(array.dtype, array.pointer)))
    else:
        if not array.contiguous:
            array = contiguous(program, array, node)
        hold_view(program, node, array, wanted, list(row_major(tuple(wanted))))
    _done(program, node)


def contiguous(program: Program, array: Array, node: Node) -> Array:
    """`array` with its elements in order: itself, or a copy."""
    if array.contiguous:
        return array
    copy = program.allocate(array.dims, array.dtype)
    program.copy(array, copy, node)
    return copy


def _reshaped(program: Program, node: Node, have: tuple[Size, ...]) -> list[Size]:
    total = product(have)
    if len(node.inputs) > 1:
        wanted = sizes_in(program, node.inputs[1], node)
        for number, size in enumerate(wanted):
            if size.known == -1 or size.names:
                wanted[number] = _left_over(program, wanted, number, total)
        declared = node.attrs["shape"]
        for number, dim in enumerate(declared or ()):
            if isinstance(dim, int) and wanted[number] != Size(dim):
                program.require_equal(wanted[number], Size(dim), node)
                wanted[number] = Size(dim)
    else:
        wanted = [Size(dim) if isinstance(dim, int) else Size(-1) for dim in node.attrs["shape"]]
        for number, size in enumerate(wanted):
            if size.known == -1:
                wanted[number] = _left_over(program, wanted, number, total)
    program.require_equal(product(wanted), total, node)
    return wanted


def _left_over(program: Program, wanted: list[Size], number: int, total: Size) -> Size:
    """The size that the number of elements leaves, where -1 stands for it."""
    others = product([size for other, size in enumerate(wanted) if other != number])
    exact = total.divided_by(others)
    given = wanted[number]
    if given.known == -1 and exact is not None:
        return exact
    code = program.code
    divisor = code.intrinsic("smax.i64", "i64", [("i64", program.text(others)), ("i64", "1")])
    quotient = code.let(f"sdiv i64 {program.text(total)}, {divisor}")
    if given.known == -1:
        return program.size(quotient)
    asked = code.let(f"icmp eq i64 {program.text(given)}, -1")
    return program.size(code.let(f"select i1 {asked}, i64 {quotient}, i64 {program.text(given)}"))


# -- reductions -----------------------------------------------------------------------------------


@lowering("sum", "prod", "max", "min", "any", "all")
def lower_reduction(program: Program, node: Node) -> None:
    """A reduction, fused with what makes its operand."""
    dims = program.dims(node.inputs[0])
    axes = node.attrs["axis"]
    if axes is None:
        axes = tuple(range(len(dims)))
    if node.op.name in ("max", "min") and "empty" not in node.attrs:
        require_elements(program, node, [dims[axis] for axis in axes])
    if not axes:
        _with_axes(program, node, list(range(len(dims))))
        return
    program.scope.fusion.reduce(node, node.op.name, axes, node.attrs["keepdims"])


def require_elements(program: Program, node: Node, sizes: list[Size]) -> None:
    """Fails at `node` where a size is 0: of no elements none can be chosen."""
    for size in sizes:
        if size.names:
            empty = program.code.let(f"icmp eq i64 {program.text(size)}, 0")
            program.fail_if(empty, node)


@lowering("same_shape")
def lower_same_shape(program: Program, node: Node) -> None:
    """The operand, whose dims must be those of another."""
    x, like = node.inputs
    for first, second in zip(program.dims(x), program.dims(like), strict=True):
        program.require_equal(first, second, node)
    axes: list[int | None] = list(range(len(program.dims(x))))
    dims = program.dims(x)
    if isinstance(program.scope.held[x], Lazy):
        program.scope.fusion.view(node, axes, dims)
        program.used(like)
        return
    array = program.array(x)
    hold_view(program, node, array, list(dims), list(array.strides))
    _done(program, node)


@lowering("arange")
def lower_arange(program: Program, node: Node) -> None:
    """The numbers from 0 on, computed where they are used."""
    count = program.scalar(node.inputs[0]).text
    none = program.code.intrinsic("smax.i64", "i64", [("i64", count), ("i64", "0")])
    size = program.size(none) if count.startswith("%") else Size(max(int(count), 0))
    program.scope.fusion.index(node, size)


# -- check_numerics -------------------------------------------------------------------------------


@lowering("check_finite")
def lower_check_finite(program: Program, node: Node) -> None:
    """Leaves at the node that made a NaN or an infinity of finite operands."""
    code, count = program.code, node.attrs["results"]
    bad = _any_not_finite(program, node.inputs[:count], node)
    suspect, after = code.label("suspect"), code.label("finite")
    code.branch(bad, suspect, after)
    code.begin(suspect)
    program.enter_block()
    given = _any_not_finite(program, node.inputs[count:], node)
    program.fail_if(code.let(f"xor i1 {given}, true"), node.attrs["node"])
    program.leave_block()
    code.jump(after)
    code.begin(after)
    _done(program, node)


def _any_not_finite(program: Program, values: tuple[Value, ...], node: Node) -> str:
    """An i1: whether one of these values has an element that is not finite."""
    found = "false"
    for value in values:
        held = program.scope.held[value]
        if not isinstance(held, Scalar):
            held = program.array(value)
        if isinstance(held, Scalar):
            builder = program.builder
            bad = builder.logical_not(builder.isfinite(held.register)).text
        else:
            bad = _holds_not_finite(program, held, node)
        found = program.code.let(f"or i1 {found}, {bad}")
    return found


def _holds_not_finite(program: Program, array: Array, node: Node) -> str:
    loaded = Expression("load", array.dtype)
    loaded.access = Access(array.pointer, array.dtype, array.strides)
    finite = Expression("map", dtypes.bool_, (loaded,), _IS_FINITE)
    every = Expression("reduce", dtypes.bool_, (finite,), _IS_FINITE, combine="all")
    room = program.code.stack("i8", 8)
    every.array = Array(Buffer(room, owned=False), room, dtypes.bool_, (), ())
    every.target = Access(room, dtypes.bool_, tuple([ZERO] * len(array.dims)))
    program.run(Nest(array.dims, 0, [loaded, finite, every]), node)
    return program.code.let(f"xor i1 {program.load(dtypes.bool_, room).text}, true")


def _finite_node() -> Node:
    value = Node(opdef.get("constant"), (), {}, (TensorType(dtypes.float32, ()),), "x").out
    return Node(opdef.get("isfinite"), (value,), {}, (TensorType(dtypes.bool_, ()),), "isfinite")


_IS_FINITE = _finite_node()
