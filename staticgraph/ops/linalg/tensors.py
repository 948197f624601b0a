"""Systems of tensors with any number of axes, and matrices that are made of parts.

All of it is made of other functions: what these say of derivatives and dtypes holds here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import compatible, format_shape
from staticgraph.ops import elementwise as ew
from staticgraph.ops.arranging import flip
from staticgraph.ops.control import identity
from staticgraph.ops.convert import as_tensor, cast, in_one_graph, promote
from staticgraph.ops.creation import arange, zeros
from staticgraph.ops.cumulative import cumprod
from staticgraph.ops.joining import concat
from staticgraph.ops.linalg.common import extent, ranked, refuse_call
from staticgraph.ops.linalg.factor import inv, solve
from staticgraph.ops.shaping import expand_dims, permute_dims, reshape
from staticgraph.ops.sizes import is_int, refusal

Extent = int | Tensor


def _product(sizes: Sequence[Extent]) -> Extent:
    total: Extent = 1
    for size in sizes:
        total = size * total
    return total


def _extents(x: Tensor, first: int, last: int) -> list[Extent]:
    return [extent(x, axis) for axis in range(first, last)]


def _not_as_many(what: str, operands: dict[str, Tensor], x: Tensor, split: int) -> None:
    """Refuses a tensor that has not as many elements before axis `split` as after it."""
    assert x.type.shape is not None
    parts = x.type.shape[:split], x.type.shape[split:]
    counts = [
        math.prod(part) if all(isinstance(dim, int) for dim in part) else None  # type: ignore[arg-type]
        for part in parts
    ]
    if None not in counts and counts[0] != counts[1]:
        refuse_call(what, operands, Mismatch(
            f"the axes {format_shape(parts[0])} and {format_shape(parts[1])} make no square matrix",
            f"their products are {counts[0]} and {counts[1]}; they must be equal",
        ))  # fmt: skip


def tensorsolve(lhs: Any, rhs: Any, axes: Any = None, *, name: str | None = None) -> Tensor:
    """The x with ``tensordot(lhs, x, x.ndim) == rhs``, as `numpy.linalg.tensorsolve` has it.

    lhs    has the axes of `rhs`, then those of x; there are as many elements along both
    rhs    any shape
    axes   axes of `lhs` that are moved to its end first

    Raises ShapeError where the shapes do not fit, RunError in a run for a singular system.

    >>> import staticgraph as sg
    >>> lhs = sg.reshape(sg.eye(4) * 2.0, (4, 2, 2))
    >>> sg.Session().run(sg.linalg.tensorsolve(lhs, [1.0, 2.0, 3.0, 4.0]))
    array([[0.5, 1. ],
           [1.5, 2. ]], dtype=float32)
    """
    first, second = promote((lhs, rhs), floating=True)
    operands = {"lhs": first, "rhs": second}
    ranks = ranked("tensorsolve", operands)
    if axes is not None:
        first = _moved_last(first, axes, ranks[0], operands)
    if ranks[0] < ranks[1]:
        refuse_call("tensorsolve", operands, Mismatch(
            "lhs has fewer axes than rhs", "its first axes are those of rhs"
        ))  # fmt: skip
    assert first.type.shape is not None
    lead = first.type.shape[: ranks[1]]
    if not compatible(lead, second.type.shape):
        refuse_call("tensorsolve", operands, Mismatch(
            f"the first axes of lhs are {format_shape(lead)}, those of rhs "
            f"{format_shape(second.type.shape)}",
            "they must be equal",
        ))  # fmt: skip
    _not_as_many("tensorsolve", operands, first, ranks[1])
    wanted = _extents(first, ranks[1], ranks[0])
    count = _product(wanted)
    found = solve(reshape(first, (_product(_extents(first, 0, ranks[1])), count)),
                  reshape(second, (-1,)))  # fmt: skip
    return reshape(found, wanted, name=name)


def _moved_last(x: Tensor, axes: Any, ndim: int, operands: dict[str, Tensor]) -> Tensor:
    listed = list(axes) if isinstance(axes, tuple | list) else [axes]
    if not all(is_int(axis) and -ndim <= axis < ndim for axis in listed) or len(
        {axis % ndim for axis in listed}
    ) != len(listed):
        refuse_call("tensorsolve", operands, Mismatch(
            f"axes={axes!r} are no axes of lhs", f"name axes {-ndim} to {ndim - 1}, each once"
        ))  # fmt: skip
    last = [axis % ndim for axis in listed]
    return permute_dims(x, [*[axis for axis in range(ndim) if axis not in last], *last])


def tensorinv(x: Any, ind: int = 2, *, name: str | None = None) -> Tensor:
    """The inverse of ``tensordot(x, y, y.ndim)`` as a function of y: what `tensorsolve` applies.

    x     a tensor that has as many elements along its first `ind` axes as along the others
    ind   how many axes the results of that function have

    The result has the other axes first. Raises ShapeError where the shape does not fit, RunError in
    a run for a singular `x`.

    >>> import staticgraph as sg
    >>> x = sg.reshape(sg.eye(4) * 2.0, (4, 2, 2))
    >>> sg.linalg.tensorinv(x, ind=1).shape
    (2, 2, 4)
    """
    (tensor,) = promote((x,), floating=True)
    operands = {"x": tensor}
    ndim = ranked("tensorinv", operands)[0]
    if not is_int(ind) or not 0 < ind <= ndim:
        refuse_call("tensorinv", operands, Mismatch(
            f"ind={ind!r} is no number of first axes", f"give an int from 1 to {ndim}"
        ))  # fmt: skip
    _not_as_many("tensorinv", operands, tensor, ind)
    lead, rest = _extents(tensor, 0, ind), _extents(tensor, ind, ndim)
    found = inv(reshape(tensor, (_product(lead), _product(rest))))
    return reshape(found, [*rest, *lead], name=name)


@in_one_graph
def block_diag(*blocks: Any, name: str | None = None) -> Tensor:
    """A matrix with the blocks along its diagonal and zeros elsewhere, as in `scipy.linalg`.

    blocks   matrices of any sizes; a vector is one row, a scalar one element

    Operands promote to one dtype. Raises ShapeError for a block with more than two axes, and for no
    blocks.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.block_diag(sg.constant([[1, 2]]), 3))
    array([[1, 2, 0],
           [0, 0, 3]])
    """
    if not blocks:
        raise refusal("block_diag", "there are no blocks", "give at least one matrix")
    tensors = promote(blocks)
    labelled = {f"blocks[{number}]": tensor for number, tensor in enumerate(tensors)}
    matrices = []
    for label, tensor, ndim in zip(labelled, tensors, ranked("block_diag", labelled), strict=True):
        if ndim > 2:
            refuse_call("block_diag", {label: tensor}, Mismatch(
                f"{label} has {ndim} axes", "a block is a matrix; take one: x[0]"
            ))  # fmt: skip
        matrices.append(expand_dims(tensor, tuple(range(2 - ndim))) if ndim < 2 else tensor)
    widths = [extent(matrix, 1) for matrix in matrices]
    rows = []
    for number, matrix in enumerate(matrices):
        height = extent(matrix, 0)
        sides = [_total(widths[:number]), _total(widths[number + 1 :])]
        before, after = [zeros((height, width), matrix.dtype) for width in sides]
        rows.append(concat([before, matrix, after], 1))
    return concat(rows, 0, name=name)


def _total(sizes: Sequence[Extent]) -> Extent:
    total: Extent = 0
    for size in sizes:
        total = size + total
    return total


@in_one_graph
def vander(
    x: Any, n: int | None = None, increasing: bool = False, *, name: str | None = None
) -> Tensor:
    """The powers of a vector as columns: ``x ** (n - 1)`` first, ``x ** 0`` last.

    x            a vector; integers (but uint64) and bools become int64
    n            how many powers; by default as many as `x` has elements
    increasing   gives ``x ** 0`` first

    The powers are products, so their derivatives are right at 0 too. Raises ShapeError for what is
    no vector, and for an `n` that is no number of columns.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.vander(sg.constant([2, 3]), 3))
    array([[4, 2, 1],
           [9, 3, 1]])
    """
    tensor = as_tensor(x)
    if ranked("vander", {"x": tensor})[0] != 1:
        refuse_call("vander", {"x": tensor}, Mismatch(
            "x is no vector", "its elements are the rows; sg.reshape(x, -1) makes one"
        ))  # fmt: skip
    if n is not None and (not is_int(n) or n < 0):
        raise refusal(
            "vander", f"n={n!r} is no number of columns", "give an int from 0 on, or None"
        )
    if not isinstance(increasing, bool):
        raise refusal("vander", f"increasing={increasing!r} is no bool", "give True or False")
    if tensor.dtype not in dtypes.DIFFERENTIABLE | {dtypes.uint64}:
        tensor = cast(tensor, dtypes.int64)
    count = extent(tensor, 0) if n is None else int(n)
    column = expand_dims(tensor, 1)
    first = ew.equal(arange(count), 0)
    powers = cumprod(ew.where(first, ew.zero_of(column) + 1, column), 1)
    found = powers if increasing else flip(powers, 1)
    return identity(found, name=name) if name else found
