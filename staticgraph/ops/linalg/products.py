"""Matrix products in all of NumPy's forms, and what is built on them.

There is one op, `matmul`, of operands with at least two axes. Vectors get their missing axis when
the graph is built, so no derivative, rule or kernel ever meets one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor, describe
from staticgraph.core.opdef import Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import (
    BroadcastError,
    Dim,
    Shape,
    TensorType,
    broadcast_shapes,
    format_dim,
    format_shape,
)
from staticgraph.errors import DTypeError
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction, shaping
from staticgraph.ops.axes import known_rank, refuse
from staticgraph.ops.complex import conjugated
from staticgraph.ops.control import identity
from staticgraph.ops.convert import cast, promote
from staticgraph.ops.shaping import matrix_transpose
from staticgraph.ops.sizes import is_int, refusal


def _inner(lhs: Sequence[Dim], rhs: Sequence[Dim]) -> None:
    """Refuses operands whose inner sizes are known to differ; vectors are allowed."""
    of_lhs, of_rhs = len(lhs) - 1, max(len(rhs) - 2, 0)
    have, want = lhs[of_lhs], rhs[of_rhs]
    if isinstance(have, int) and isinstance(want, int) and have != want:
        raise Mismatch(
            "inner dimensions differ",
            f"lhs axis {of_lhs} is {have}, rhs axis {of_rhs} is {want}; they must be equal",
        )


def _batch(lhs: Shape, rhs: Shape) -> Shape:
    """The broadcast of the axes before the last two."""
    try:
        return broadcast_shapes(lhs, rhs)
    except BroadcastError as problem:
        raise Mismatch(
            f"the batches {format_shape(lhs)} and {format_shape(rhs)} do not broadcast",
            f"axis {problem.axis - 2}: {format_dim(problem.lhs)} and {format_dim(problem.rhs)} "
            "must be equal, or one of them 1",
        ) from None


def _infer_matmul(types: Types, attrs: Attrs) -> TensorType:
    lhs, rhs = types
    if lhs.dtype != rhs.dtype:
        raise Mismatch(
            "operands differ in dtype", "convert one of them with sg.cast", error=DTypeError
        )
    if lhs.shape is None or rhs.shape is None:
        return lhs.with_shape(None)
    if len(lhs.shape) < 2 or len(rhs.shape) < 2:
        raise Mismatch("an operand is no matrix", "both have at least two axes")
    _inner(lhs.shape, rhs.shape)
    batch = _batch(lhs.shape[:-2], rhs.shape[:-2])
    assert batch is not None
    return lhs.with_shape((*batch, lhs.shape[-2], rhs.shape[-1]))


def _reference_matmul(lhs: Any, rhs: Any) -> Any:
    _inner(np.shape(lhs), np.shape(rhs))
    _batch(np.shape(lhs)[:-2], np.shape(rhs)[:-2])
    return np.matmul(lhs, rhs)


def _vjp_lhs(node: Operation, adjoint: Tensor) -> Tensor:
    lhs, rhs = node.inputs
    return shaping.sum_to(_product(adjoint, matrix_transpose(rhs)), lhs)


def _vjp_rhs(node: Operation, adjoint: Tensor) -> Tensor:
    lhs, rhs = node.inputs
    rows = _rows(lhs), _rows(adjoint)
    if rhs.type.ndim == 2 and rows[0] is not None and rows[1] is not None:
        # One product over all rows of the batch instead of one per matrix and a sum of them.
        return _product(matrix_transpose(rows[0]), rows[1])
    return shaping.sum_to(_product(matrix_transpose(lhs), adjoint), rhs)


def _rows(x: Tensor) -> Tensor | None:
    """All rows of all matrices of `x` as one matrix, where the length of a row is known."""
    shape = x.type.shape
    if shape is None or len(shape) == 2:
        return x
    width = shape[-1]
    if not isinstance(width, int):
        return None
    known = x.type.size
    if known is not None and width > 0:
        return shaping.reshape(x, (known // width, width))
    return shaping.reshape(x, (-1, width)) if width > 0 else None


def _masked_vjp_lhs(node: Operation, adjoint: Tensor) -> Tensor:
    lhs, rhs = node.inputs
    rows, columns = _reached(adjoint)
    product = _product(adjoint, matrix_transpose(_kept(rhs, columns)))
    return shaping.sum_to(ew.guard(product, cast(rows, adjoint.dtype)), lhs)


def _masked_vjp_rhs(node: Operation, adjoint: Tensor) -> Tensor:
    lhs, rhs = node.inputs
    of_lhs, of_adjoint = _rows(lhs), _rows(adjoint)
    if rhs.type.ndim == 2 and of_lhs is not None and of_adjoint is not None:
        lhs, adjoint = of_lhs, of_adjoint
    rows, columns = _reached(adjoint)
    product = _product(matrix_transpose(_kept(lhs, rows)), adjoint)
    return shaping.sum_to(ew.guard(product, cast(columns, adjoint.dtype)), rhs)


def _reached(adjoint: Tensor) -> tuple[Tensor, Tensor]:
    """Which rows and which columns hold an adjoint that is not zero."""
    nonzero = ew.not_equal(adjoint, ew.zero_of(adjoint))
    rows = reduction.any(nonzero, axis=-1, keepdims=True)
    return rows, reduction.any(nonzero, axis=-2, keepdims=True)


def _kept(x: Tensor, reached: Tensor) -> Tensor:
    """`x` with 0 for what is not finite where no adjoint reaches it: 0 * NaN would be NaN."""
    return ew.where(ew.logical_or(reached, ew.isfinite(x)), x, ew.zero_of(x))


def _jvp_matmul(node: Operation, tangents: Sequence[Tensor | None]) -> Tensor:
    lhs, rhs = node.inputs
    of_lhs, of_rhs = tangents
    parts = []
    if of_lhs is not None:
        parts.append(_product(of_lhs, rhs))
    if of_rhs is not None:
        parts.append(_product(lhs, of_rhs))
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


MATMUL = register(
    OpDef(
        "matmul",
        operands=("lhs", "rhs"),
        infer=_infer_matmul,
        reference=_reference_matmul,
        dtypes=dtypes.ARITHMETIC,
        vjp=(_vjp_lhs, _vjp_rhs),
        masked_vjp=(_masked_vjp_lhs, _masked_vjp_rhs),
        jvp=_jvp_matmul,
        doc="Matrix product of the last two axes; the axes before them broadcast.",
    )
)


def _product(lhs: Tensor, rhs: Tensor) -> Tensor:
    return lhs.graph.add(MATMUL, (lhs, rhs)).out


def matmul(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
    """The matrix product of `lhs` and `rhs`, as ``lhs @ rhs`` in NumPy.

    A matrix is the last two axes of an operand; the axes before them broadcast. A vector on the
    left is a row, one on the right a column, and the result lacks that axis. Operands promote to
    one dtype.

    Raises ShapeError where the inner dimensions differ, batches do not broadcast, or an operand is
    a scalar or of unknown rank, DTypeError for bool.

    >>> import staticgraph as sg
    >>> lhs = sg.constant([[1.0, 2.0], [3.0, 4.0]])
    >>> sg.Session().run(sg.matmul(lhs, [10.0, 1.0]))
    array([12., 34.], dtype=float32)
    """
    operands = first, second = _promoted(lhs, rhs)
    ranks = [known_rank(MATMUL, operand, operands) for operand in operands]
    if ranks[0] > 1 and ranks[1] > 1:
        return first.graph.add(MATMUL, operands, name=name).out
    for label, rank in zip(MATMUL.operands, ranks, strict=True):
        if rank == 0:
            refuse(MATMUL, operands, Mismatch(f"{label} is a scalar", "scale with lhs * rhs"))
    try:
        _inner(first.type.shape or (), second.type.shape or ())
    except Mismatch as mismatch:
        refuse(MATMUL, operands, mismatch)
    added = []
    if ranks[1] == 1:
        second = shaping.expand_dims(second, 1)
        added.append(-1)
    if ranks[0] == 1:
        first = shaping.expand_dims(first, 0)
        added.append(-2)
    result = _product(first, second)
    ndim = result.type.ndim
    assert ndim is not None
    return shaping.squeeze(result, tuple([ndim + axis for axis in added]), name=name)


def times(*factors: Tensor) -> Tensor:
    """The product of matrices, from left to right."""
    product = factors[0]
    for factor in factors[1:]:
        product = matmul(product, factor)
    return product


def _promoted(lhs: Any, rhs: Any) -> tuple[Tensor, Tensor]:
    if type(lhs) is Tensor and type(rhs) is Tensor and lhs.type.dtype is rhs.type.dtype:
        return lhs, rhs
    first, second = promote((lhs, rhs))
    return first, second


def known_ranks(what: str, lhs: Tensor, rhs: Tensor) -> list[int]:
    """The numbers of axes of two operands; raises ShapeError where one is not known."""
    ranks: list[int] = []
    for operand in (lhs, rhs):
        if operand.type.ndim is None:
            raise refusal(
                what,
                f"the rank of '{operand.name}' is not known",
                *described(lhs, rhs),
                "declare the shape, with None for sizes that are open: "
                "placeholder(dtype, (None, 3))",
            )
        ranks.append(operand.type.ndim)
    return ranks


def described(lhs: Tensor, rhs: Tensor) -> tuple[str, str]:
    """Two operands, for a message."""
    return f"lhs {describe(lhs)}", f"rhs {describe(rhs)}"


def dot(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
    """`lhs` times `rhs` as `numpy.dot` has it, for operands of up to two axes.

    Vectors give their inner product, matrices their matrix product; a scalar scales. An operand
    with more axes is refused with a ShapeError: NumPy's meaning there is that of `tensordot`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.dot(sg.constant([1.0, 2.0]), [3.0, 4.0]))
    np.float32(11.0)
    """
    lhs, rhs = _promoted(lhs, rhs)
    ranks = known_ranks("dot", lhs, rhs)
    if 0 in ranks:
        return ew.multiply(lhs, rhs, name=name)
    if max(ranks) > 2:
        raise refusal(
            "dot",
            "an operand has more than two axes",
            *described(lhs, rhs),
            "use sg.matmul, whose batches broadcast, or sg.linalg.tensordot(lhs, rhs, axes)",
        )
    return matmul(lhs, rhs, name=name)


def vecdot(lhs: Any, rhs: Any, axis: int = -1, *, name: str | None = None) -> Tensor:
    """The inner products of the vectors along `axis`; the other axes broadcast.

    Complex elements of `lhs` are conjugated. The dtype is that of the operands.

    Raises ShapeError where the vectors differ in length or the shapes do not broadcast.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.vecdot(sg.constant([[1.0, 2.0], [3.0, 4.0]]), [1.0, 10.0]))
    array([21., 43.], dtype=float32)
    """
    lhs, rhs = _promoted(lhs, rhs)
    ranks = known_ranks("vecdot", lhs, rhs)
    if not is_int(axis) or not -min(ranks) <= axis < min(ranks):
        raise refusal(
            "vecdot",
            f"{axis!r} is no axis of both operands",
            *described(lhs, rhs),
            "give an int; -1 is the last axis",
        )
    if axis >= 0 and ranks[0] != ranks[1]:
        raise refusal(
            "vecdot",
            f"axis {axis} is another axis of lhs than of rhs",
            *described(lhs, rhs),
            "count it from the end: axes broadcast from there",
        )
    assert lhs.type.shape is not None and rhs.type.shape is not None
    sizes = lhs.type.shape[axis], rhs.type.shape[axis]
    if isinstance(sizes[0], int) and isinstance(sizes[1], int) and sizes[0] != sizes[1]:
        raise refusal(
            "vecdot",
            "the vectors differ in length",
            *described(lhs, rhs),
            f"along axis {axis} lhs has {sizes[0]} and rhs {sizes[1]}; they must be equal",
        )
    dtype, first, second = lhs.dtype, conjugated(lhs), rhs
    if dtype in dtypes.HALF:
        # Rounded once, as a matrix product is: a product alone may be too large for it.
        first, second = cast(first, dtypes.float32), cast(second, dtypes.float32)
    result = cast(reduction.sum(first * second, axis), dtype)
    return identity(result, name=name) if name else result


def outer(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
    """All products of an element of `lhs` and one of `rhs`, a matrix; operands are flattened.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.outer(sg.constant([1.0, 2.0]), [3.0, 4.0]))
    array([[3., 4.],
           [6., 8.]], dtype=float32)
    """
    lhs, rhs = _promoted(lhs, rhs)
    column = shaping.expand_dims(_flat(lhs), 1)
    return ew.multiply(column, _flat(rhs), name=name)


def _flat(x: Tensor) -> Tensor:
    return x if x.type.ndim == 1 else shaping.reshape(x, (-1,))
