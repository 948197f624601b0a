"""Lowering of matrix products."""

from __future__ import annotations

from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.matmul import BatchAxis, Product, Target, count_tasks, write_kernel
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core.node import Node


def target_of(program: Program) -> Target:
    """The machine, as matrix products see it."""
    return Target(program.options.vector_bytes, program.options.registers)


@lowering("matmul")
def lower_matmul(program: Program, node: Node) -> None:
    """A product of matrices, vectors or stacks of matrices."""
    lhs, rhs = [program.array(value) for value in node.inputs]
    a, b = _as_matrix(lhs, front=True), _as_matrix(rhs, front=False)
    program.require_equal(a.dims[-1], b.dims[-2], node)
    batch = program.broadcast([a.dims[:-2], b.dims[:-2]], node)
    m, n, k = a.dims[-2], b.dims[-1], a.dims[-1]
    dims = batch
    if len(lhs.dims) > 1:
        dims = (*dims, m)
    if len(rhs.dims) > 1:
        dims = (*dims, n)
    result = program.result(node.out, dims, node.out.type.dtype)
    multiply(program, node, a, b, result, batch, (m, n, k))
    program.hold(node.out, result)
    for value in node.inputs:
        program.used(value)


def _as_matrix(array: Array, front: bool) -> Array:
    """A vector as a matrix of one row, or of one column."""
    if len(array.dims) > 1:
        return array
    dim, stride = array.dims[0], array.strides[0]
    dims = (ONE, dim) if front else (dim, ONE)
    # The stride along an axis of size 1 is free; 1 beside another stride reads best.
    strides = (dim, stride) if front else (stride, ONE)
    return Array(array.buffer, array.pointer, array.dtype, dims, strides)


def multiply(
    program: Program,
    node: Node,
    a: Array,
    b: Array,
    c: Array,
    batch: tuple[Size, ...],
    sizes: tuple[Size, Size, Size],
) -> None:
    """Writes the kernel of ``c = a @ b`` and calls it."""
    m, n, k = sizes
    if product(c.dims) == ZERO:
        return
    distances = [_batch_strides(program, array, batch) for array in (a, b)]
    whole = m.times(n)
    steps: list[Size] = []
    for axis in range(len(batch)):
        steps.append(whole.times(product(batch[axis + 1 :])))
    axes = tuple([
        BatchAxis(batch[i].known, distances[0][i].known, distances[1][i].known, steps[i].known)
        for i in range(len(batch))
    ])  # fmt: skip
    problem = Product(
        a.dtype, m.known, n.known, k.known,
        a.strides[-2].known, a.strides[-1].known, b.strides[-2].known, b.strides[-1].known,
        n.known, axes,
    )  # fmt: skip
    target = target_of(program)
    name = write_kernel(program.module, problem, target, contract=program.options.contract)
    program.kernels.append(name)
    text = program.text
    arguments: list[tuple[str, str]] = [
        (a.pointer, "ptr"), (b.pointer, "ptr"), (c.pointer, "ptr"),
        (text(m), "i64"), (text(n), "i64"), (text(k), "i64"),
        (text(a.strides[-2]), "i64"), (text(a.strides[-1]), "i64"),
        (text(b.strides[-2]), "i64"), (text(b.strides[-1]), "i64"), (text(n), "i64"),
    ]  # fmt: skip
    for i in range(len(batch)):
        for number in (batch[i], distances[0][i], distances[1][i], steps[i]):
            arguments.append((text(number), "i64"))
    tasks = count_tasks(
        program.code, problem, target,
        (_number(program, m), _number(program, n), _number(program, k)),
        _number(program, product(batch)),
    )  # fmt: skip
    count, grain = str(tasks.number), str(tasks.grain)
    program.call(name, arguments, count, grain)


def _number(program: Program, size: Size) -> int | str:
    return size.factor if size.known is not None else program.text(size)


def _batch_strides(program: Program, array: Array, batch: tuple[Size, ...]) -> list[Size]:
    lead = len(batch) - (len(array.dims) - 2)
    strides = [Size(0)] * lead
    for dim, stride, extent in zip(
        array.dims[:-2], array.strides[:-2], batch[lead:], strict=True
    ):
        strides.append(program.stride_along(dim, stride, extent))
    return strides
