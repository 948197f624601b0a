"""What the ops on matrices share: their types, masks, and the way of a reference over a batch.

A matrix is the last two axes of a tensor, all axes before them are the batch. The records of linear
algebra take floats, those of systems complex numbers too; the public functions compute integers and
bools in floating point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NoReturn

import numpy as np

from staticgraph.config import LazyModule
from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor, describe, spoken_of
from staticgraph.core.node import Node
from staticgraph.core.opdef import Mismatch, Types
from staticgraph.core.types import (
    BroadcastError,
    Dim,
    TensorType,
    broadcast_shapes,
    compatible,
    format_shape,
    meet,
    same_shape,
)
from staticgraph.errors import DTypeError, RunError
from staticgraph.ops import elementwise as ew
from staticgraph.ops.complex import conjugated
from staticgraph.ops.convert import promote
from staticgraph.ops.creation import arange
from staticgraph.ops.shaping import BROADCAST_TO, expand_dims, matrix_transpose
from staticgraph.ops.sizes import read_sizes, size

scipy_linalg = LazyModule("scipy.linalg")

Array = np.ndarray[Any, Any]

# -- operands -------------------------------------------------------------------------------------


def refuse_call(what: str, operands: Mapping[str, Tensor], mismatch: Mismatch) -> NoReturn:
    """Raises what `Graph.add` would, for a function that is made of several nodes."""
    location = next(iter(operands.values())).graph.location
    lines = [f"{what}: {mismatch.problem}"]
    lines += [f"  {label} {describe(operand)}" for label, operand in operands.items()]
    lines += [f"  {detail}" for detail in mismatch.details]
    raise mismatch.error("\n".join([*lines, f"  created at {location}"])) from None


def telling(x: Tensor, *labels: str) -> AbstractContextManager[None]:
    """Nodes made within call their operands `labels` if they fail in a run; "" leaves one out."""

    def explain(node: Node, operands: Any, problem: Exception) -> Mismatch | None:
        if not isinstance(problem, Mismatch):
            return None
        line = node.location
        called = "gradients" if line.adjoint_of is not None else spoken_of(node.op, line)
        return Mismatch(
            problem.problem, *problem.details, error=problem.error, spoken=(called, *labels)
        )

    return x.graph.explaining(explain)


def ranked(what: str, operands: Mapping[str, Tensor]) -> list[int]:
    """The numbers of axes of operands; raises ShapeError where one is not known."""
    ranks: list[int] = []
    for operand in operands.values():
        if operand.type.ndim is None:
            refuse_call(what, operands, Mismatch(
                f"the rank of '{operand.name}' is not known",
                "declare the shape, with None for sizes that are open: "
                "placeholder(dtype, (None, 3))",
            ))  # fmt: skip
        ranks.append(operand.type.ndim)
    return ranks


def as_matrices(what: str, x: Any, square: bool = False) -> Tensor:
    """A floating tensor with at least two axes, the last two equal if `square`; else a ShapeError.

    Only sizes that are known are looked at.
    """
    (tensor,) = promote((x,), floating=True)
    return checked_matrices(what, tensor, square)


def checked_matrices(what: str, x: Tensor, square: bool = False) -> Tensor:
    """`x`, which has at least two axes, the last two equal if `square`; else a ShapeError."""
    if ranked(what, {"x": x})[0] < 2:
        refuse_call(what, {"x": x}, Mismatch(
            "x is no matrix", "it has at least two axes; sg.expand_dims adds one"
        ))  # fmt: skip
    if square:
        try:
            square_shape(x.type, "x")
        except Mismatch as mismatch:
            refuse_call(what, {"x": x}, mismatch)
    return x


def on_one_batch(what: str, *operands: Tensor) -> list[Tensor]:
    """Operands with their axes before the last two broadcast against each other."""
    batches = [(operand.type.shape or ())[:-2] for operand in operands]
    if all(same_shape(batch, batches[0]) for batch in batches):
        return list(operands)
    joined: tuple[Dim, ...] | None = ()
    for batch in batches:
        try:
            joined = broadcast_shapes(joined, batch)
        except BroadcastError:
            shown = " and ".join(map(format_shape, batches))
            labels = dict(zip(("lhs", "rhs"), operands, strict=True))
            refuse_call(what, labels, Mismatch(
                f"the batches {shown} do not broadcast",
                "the axes before the last two must be equal, or 1",
            ))  # fmt: skip
    assert joined is not None
    sizes = [_joined_size(operands, axis - len(joined) - 2) for axis in range(len(joined))]
    return [_with_batch(operand, joined, sizes) for operand in operands]


def _joined_size(operands: Sequence[Tensor], axis: int) -> int | Tensor:
    """The size of an axis of a broadcast, which only the run may know; `axis` is negative."""
    found: list[Tensor] = []
    for operand in operands:
        shape = operand.type.shape or ()
        if -axis > len(shape) or shape[axis] == 1:
            continue
        if isinstance(shape[axis], int):
            return shape[axis]  # type: ignore[return-value]
        found.append(size(operand, axis))
    total: Tensor | int = 1
    for number in found:
        # Of sizes that broadcast all but 1 are equal; of 0 and 1 it is 0.
        total = number if isinstance(total, int) else ew.where(ew.equal(total, 1), number, total)
    return total


def _with_batch(x: Tensor, batch: tuple[Dim, ...], sizes: list[int | Tensor]) -> Tensor:
    assert x.type.shape is not None
    rows, columns = x.type.shape[-2:]
    wanted = (*batch, rows, columns)
    if same_shape(x.type.shape, wanted):
        return x
    target = read_sizes("broadcast_to", (*sizes, extent(x, -2), extent(x, -1)))
    known = meet(target.shape, wanted)
    return x.graph.add(BROADCAST_TO, (x, *target.operands), {"shape": known}).out


# -- types ----------------------------------------------------------------------------------------


def matrix_shape(type: TensorType, label: str) -> tuple[Dim, ...] | None:
    """The shape of an operand, which has at least two axes."""
    if type.shape is not None and len(type.shape) < 2:
        raise Mismatch(f"{label} is no matrix", "it has at least two axes")
    return type.shape


def square_shape(type: TensorType, label: str) -> tuple[Dim, ...] | None:
    """The shape of an operand whose last two sizes are equal, with what one says of the other."""
    shape = matrix_shape(type, label)
    if shape is None:
        return None
    rows, columns = shape[-2:]
    if isinstance(rows, int) and isinstance(columns, int) and rows != columns:
        raise not_square(label, shape)
    size = rows if isinstance(rows, int) or columns is None else columns
    return (*shape[:-2], size, size)


def not_square(label: str, shape: Sequence[Dim]) -> Mismatch:
    """What is said of matrices that must be square and are not."""
    return Mismatch(
        f"{label} is no square matrix",
        f"its last two axes are {shape[-2]} and {shape[-1]}; they must be equal",
    )


def infer_square(types: Types, attrs: Any) -> TensorType:
    """A square matrix for a square matrix."""
    return types[0].with_shape(square_shape(types[0], "x"))


def one_dtype(types: Sequence[TensorType]) -> None:
    """Refuses operands of several dtypes."""
    if len({type.dtype for type in types}) > 1:
        raise Mismatch(
            "operands differ in dtype", "convert one of them with sg.cast", error=DTypeError
        )


def one_batch(*shapes: tuple[Dim, ...] | None) -> tuple[Dim, ...] | None:
    """What is known of the one batch of several shapes, each without its own axes."""
    known: tuple[Dim, ...] | None = None
    for shape in shapes:
        if not compatible(known, shape):
            raise Mismatch(
                f"the batches {format_shape(known)} and {format_shape(shape)} differ",
                "they must be equal",
            )
        known = meet(known, shape)
    return known


def least(first: Dim, second: Dim) -> Dim:
    """The smaller one of two sizes, as far as it is known."""
    if first == second:
        return first
    if isinstance(first, int) and isinstance(second, int):
        return min(first, second)
    return None


def extent(x: Tensor, axis: int) -> int | Tensor:
    """The size of an axis: an int where it is known, else an int64 scalar of the run."""
    dim = None if x.type.shape is None else x.type.shape[axis]
    return dim if isinstance(dim, int) else size(x, axis)


def shorter(x: Tensor) -> int | Tensor:
    """The number of rows or of columns of matrices, whichever is smaller."""
    rows, columns = extent(x, -2), extent(x, -1)
    if isinstance(rows, int) and isinstance(columns, int):
        return min(rows, columns)
    return ew.minimum(rows, columns)


# -- masks ----------------------------------------------------------------------------------------


def row_numbers(x: Tensor) -> Tensor:
    """The numbers of the rows of the matrices of `x`, as a column."""
    return expand_dims(arange(size(x, -2)), 1)


def column_numbers(x: Tensor) -> Tensor:
    """The numbers of the columns of the matrices of `x`, as a row."""
    return expand_dims(arange(size(x, -1)), 0)


def lower_part(x: Tensor, strict: bool = False) -> Tensor:
    """`x` with zeros above its diagonal; with `strict` on it too."""
    compare = ew.greater if strict else ew.greater_equal
    return ew.where(compare(row_numbers(x), column_numbers(x)), x, ew.zero_of(x))


def upper_part(x: Tensor, strict: bool = False) -> Tensor:
    """`x` with zeros below its diagonal; with `strict` on it too."""
    compare = ew.less if strict else ew.less_equal
    return ew.where(compare(row_numbers(x), column_numbers(x)), x, ew.zero_of(x))


def on_diagonal(x: Tensor) -> Tensor:
    """Whether an element of the matrices of `x` is on the diagonal, a bool matrix."""
    return ew.equal(row_numbers(x), column_numbers(x))


def identity_like(x: Tensor) -> Tensor:
    """The unit matrix of the sizes and the dtype of the square matrices of `x`, without a batch."""
    one, zero = ew.zero_of(x) + 1, ew.zero_of(x)
    return ew.where(on_diagonal(x), one, zero)


def turned(x: Tensor) -> Tensor:
    """`x` with its last two axes exchanged, and conjugated where it is complex."""
    return matrix_transpose(conjugated(x))


def mirrored(x: Tensor) -> Tensor:
    """The Hermitian matrices whose lower triangles are those of `x`."""
    below = lower_part(x, strict=True)
    middle = ew.where(on_diagonal(x), x, ew.zero_of(x))
    return below + turned(below) + symmetric(middle)


def symmetric(x: Tensor) -> Tensor:
    """``(x + turned(x)) / 2``: the symmetric part of `x`, or the Hermitian one."""
    return (x + turned(x)) * 0.5


def as_row(vector: Tensor) -> Tensor:
    """A vector, or a batch of them, as matrices of one row: what scales columns."""
    assert vector.type.ndim is not None
    return expand_dims(vector, vector.type.ndim - 1)


def as_column(vector: Tensor) -> Tensor:
    """A vector, or a batch of them, as matrices of one column: what scales rows."""
    assert vector.type.ndim is not None
    return expand_dims(vector, vector.type.ndim)


# -- references -----------------------------------------------------------------------------------


def check_square(x: Array, label: str = "x") -> None:
    """Refuses, in a run, matrices that are not square."""
    if x.shape[-1] != x.shape[-2]:
        raise not_square(label, x.shape)


def each(function: Callable[..., Any], *stacks: Array) -> tuple[Array, ...]:
    """`function` of every matrix of stacks with one batch; its results, stacked again.

    It is called with one matrix per stack and gives a tuple of arrays; of an empty batch it is
    asked what it makes of ones, for the shapes.
    """
    batch = stacks[0].shape[:-2]
    count = math.prod(batch)
    flat = [stack.reshape((count, *stack.shape[-2:])) for stack in stacks]
    if count == 0:
        probes = [np.broadcast_to(np.eye(*f.shape[1:], dtype=f.dtype), f.shape[1:]) for f in flat]
        shapes = function(*probes)
        return tuple([np.zeros((*batch, *item.shape), item.dtype) for item in shapes])
    results = [function(*[stack[number] for stack in flat]) for number in range(count)]
    return tuple([np.stack(items).reshape((*batch, *items[0].shape))
                  for items in zip(*results, strict=True)])  # fmt: skip


def which(bad: Array) -> str:
    """The first matrix of a batch of which `bad` holds, as messages name it."""
    if bad.ndim == 0:
        return "it"
    place = [int(number) for number in np.argwhere(bad)[0]]
    return f"matrix {place} of the batch of {list(bad.shape)}"


def failed(problem: str, *details: str) -> Mismatch:
    """What values are at fault for, in a run."""
    return Mismatch(problem, *details, error=RunError)


def library_functions(names: Sequence[str], dtype: dtypes.DType) -> list[Any]:
    """SciPy's functions of LAPACK for a dtype."""
    return list(scipy_linalg.lapack.get_lapack_funcs(tuple(names), dtype=dtype))
