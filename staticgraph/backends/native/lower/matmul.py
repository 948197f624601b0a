"""Lowering of matrix products."""

from __future__ import annotations

from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.products import PendingProduct, multiply
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.sizes import ONE
from staticgraph.backends.native.values import Array
from staticgraph.core.node import Node


@lowering("matmul")
def lower_matmul(program: Program, node: Node) -> None:
    """A product of matrices, vectors or stacks of matrices."""
    lhs, rhs = [program.array(value) for value in node.inputs]
    a, b = _as_matrix(lhs, front=True), _as_matrix(rhs, front=False)
    program.require_equal(a.dims[-1], b.dims[-2], node)
    batch = program.broadcast([a.dims[:-2], b.dims[:-2]], node)
    m, n = a.dims[-2], b.dims[-1]
    dims = batch
    row = column = None
    if len(lhs.dims) > 1:
        row, dims = len(dims), (*dims, m)
    if len(rhs.dims) > 1:
        column, dims = len(dims), (*dims, n)
    pending = PendingProduct((lhs, rhs), a, b, batch, (m, n, a.dims[-1]), row, column)
    if dims and not batch:
        program.scope.fusion.product(node, pending, dims)
        return
    result = program.result(node.out, dims, node.out.type.dtype)
    multiply(program, pending, result.pointer, [node])
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
