"""Running a nest: its kernel is written, cut into chunks and called; reductions are completed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from staticgraph.backends.native.kernels import KernelWriter
from staticgraph.backends.native.nest import Access, Expression, Nest, add_axis, collapse
from staticgraph.backends.native.reduce import identity
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core.node import Node

if TYPE_CHECKING:
    from staticgraph.backends.native.program import Program

# A reduction to an array is cut into so many chunks at most: each adds up an array of its own.
_MOST_PARTS = 16


def run_nest(program: Program, nest: Nest, node: Node, serial: bool) -> None:
    """Writes the kernel of a nest and calls it, in one go if it is to be `serial`."""
    collapse(nest)
    if not nest.domain:
        add_axis(nest)
    totals = [e for e in nest.expressions if e.kind == "reduce" and e.target is not None]
    reduces = any(e.kind == "reduce" for e in nest.expressions)
    if not reduces and any(dim == ZERO for dim in nest.domain):
        return
    writer = KernelWriter(program.module, nest, program.options.vector_bytes, program.scalars)
    extent = nest.domain[0]
    grain, chunks = _chunks(program, nest, totals, writer.lanes, serial)
    partial = [_prepare(program, nest, e, chunks, node) for e in totals]
    writer.whole = extent.known is not None and (serial or chunks == ONE)
    name = writer.write()
    program.kernels.append(name)
    whole = serial or chunks == ONE
    program.notes.kernel(
        name, tuple([e.node for e in nest.expressions if e.node is not None]), nest.domain,
        None if whole else grain, nest.outer, nest.phases, writer.lanes,
    )  # fmt: skip
    _call(program, writer, name, node, (grain, whole))
    for expression, parts in zip(totals, partial, strict=True):
        if parts is not None:
            _combine(program, expression, parts, node)
            program.free(parts.buffer)


def _chunks(
    program: Program, nest: Nest, totals: Sequence[Expression], lanes: int, serial: bool
) -> tuple[str, Size]:
    """How much of the first axis a chunk is, and how many chunks there are."""
    extent = nest.domain[0]
    if serial:
        return program.arithmetic("add", program.text(extent), "1"), ONE
    grain = program.grain(nest, lanes)
    split = [e for e in totals if e.target is not None and e.target.strides[0] == ZERO]
    if split and any(e.array.dims for e in split):
        grain = _few_chunks(program, extent, grain, lanes if len(nest.domain) == 1 else 1)
    chunks = program.chunks(extent, grain)
    # One call that walks nothing still writes what nothing adds up to.
    return grain, ONE if chunks == ZERO else chunks


def _call(
    program: Program, writer: KernelWriter, name: str, node: Node, how: tuple[str, bool]
) -> None:
    """Calls the kernel; errors in it are those of `node`."""
    grain, whole = how
    flag = None
    if writer.fails:
        flag = program.code.stack("i8", 8)
        program.code.do(f"store i8 0, ptr {flag}")
    special = {"%failed": flag or "null", "%grain": grain}
    arguments = [(special.get(value, value), type) for value, type in writer.arguments]
    extent = program.text(writer.nest.domain[0])
    program.call(name, arguments, extent, None if whole else grain)
    if flag is not None:
        failed = program.code.let(f"load i8, ptr {flag}")
        program.fail_if(program.code.let(f"icmp ne i8 {failed}, 0"), node)


def _few_chunks(program: Program, extent: Size, grain: str, step: int) -> str:
    """A grain that makes few chunks."""
    if extent.known is not None and grain.isdigit():
        return str(multiple(max(int(grain), -(-extent.known // _MOST_PARTS)), step))
    part = program.code.let(f"sdiv i64 {program.text(extent)}, {_MOST_PARTS}")
    part = program.arithmetic("add", part, str(step))
    if step > 1:
        part = program.code.let(f"and i64 {part}, {-step}")
    return program.code.intrinsic("smax.i64", "i64", [("i64", part), ("i64", grain)])


def _prepare(
    program: Program, nest: Nest, expression: Expression, chunks: Size, node: Node
) -> Array | None:
    """Gives a reduction the memory in which it adds up; the parts where there are several."""
    target = expression.target
    assert target is not None
    result: Array = expression.array
    parts = None
    place = result
    if target.strides[0] == ZERO and chunks != ONE:
        place = parts = program.allocate((chunks, *result.dims), result.dtype)
        target.chunk = product(result.dims)
    target.pointer = place.pointer
    if nest.outer == 0 and all(stride == ZERO for stride in target.strides):
        # The whole nest is one row: its value is kept in registers and written once.
        expression.target, expression.row = None, True
        nest.stores.append((expression, target))
    else:
        neutral = program.builder.constant(
            identity(expression.combine, expression.dtype), expression.dtype
        )
        program.fill(place, neutral, node)
    return parts


def _combine(program: Program, expression: Expression, parts: Array, node: Node) -> None:
    """Adds the parts of a reduction up, in their order."""
    result: Array = expression.array
    count = product(result.dims)
    loaded = Expression("load", parts.dtype)
    loaded.access = Access(parts.pointer, parts.dtype, (count, ONE))
    total = Expression("reduce", parts.dtype, (loaded,), expression.node)
    total.combine = expression.combine
    total.array = Array(
        result.buffer, result.pointer, result.dtype, (count,) if result.dims else (),
        (ONE,) if result.dims else (),
    )  # fmt: skip
    total.target = Access("", parts.dtype, (ZERO, ONE if result.dims else ZERO))
    run_nest(program, Nest((parts.dims[0], count), 0, [loaded, total]), node, serial=True)


def multiple(count: int, step: int) -> int:
    """The least multiple of `step` from `count` on."""
    return -(-count // step) * step
