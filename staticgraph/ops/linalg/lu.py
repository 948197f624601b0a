"""LU factors of any matrices as three of them, and systems from a Cholesky factor.

`solve`, `inv` and `det` of one matrix share their own LU factors without being told to
(factor.py); `lu` is for who wants to see them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import TRANSPOSED, Attrs, Joint, OpDef, Types, register
from staticgraph.core.types import TensorType
from staticgraph.ops import elementwise as ew
from staticgraph.ops.complex import conjugated
from staticgraph.ops.convert import cast
from staticgraph.ops.indexing import take_along_axis
from staticgraph.ops.joining import concat
from staticgraph.ops.linalg.common import (
    Array,
    as_matrices,
    as_row,
    each,
    least,
    library_functions,
    lower_part,
    matrix_shape,
    on_one_batch,
    row_numbers,
    shorter,
    turned,
    upper_part,
)
from staticgraph.ops.linalg.factor import SOLVE_TRIANGULAR, system
from staticgraph.ops.linalg.products import matmul
from staticgraph.ops.shaping import expand_dims, squeeze
from staticgraph.ops.sizes import as_bool
from staticgraph.ops.sorting import argsort

Tangents = Sequence[Tensor | None]


class LUDecomposition(NamedTuple):
    """What `lu` gives: ``x = P @ L @ U``."""

    P: Tensor
    L: Tensor
    U: Tensor


def _infer_lu(types: Types, attrs: Attrs) -> Types:
    x = types[0]
    shape = matrix_shape(x, "x")
    if shape is None:
        return TensorType(dtypes.int64, None), x, x
    *batch, rows, columns = shape
    inner = least(rows, columns)
    return (
        TensorType(dtypes.int64, (*batch, rows)),
        x.with_shape((*batch, rows, inner)),
        x.with_shape((*batch, inner, columns)),
    )


def _reference_lu(x: Array) -> tuple[Array, Array, Array]:
    (factor,) = library_functions(["getrf"], x.dtype)
    inner = min(x.shape[-2:])

    def one(matrix: Array) -> tuple[Array, Array, Array]:
        rows = np.arange(len(matrix), dtype=np.int64)
        if matrix.size == 0:
            factors = matrix
        else:
            factors, pivots, _ = factor(matrix)
            for row, other in enumerate(pivots):
                rows[[row, other]] = rows[[other, row]]
        lower = np.tril(factors[:, :inner], -1) + np.eye(len(matrix), inner, dtype=x.dtype)
        return rows, lower, np.triu(factors[:inner])

    rows, lower, upper = each(one, x)
    return rows, lower, upper


def _vjp_lu(node: Operation, adjoints: Tangents) -> Tangents:
    (x,) = node.inputs
    rows, lower, upper = node.outputs
    of_lower, of_upper = [
        out * 0 if adjoint is None else adjoint
        for out, adjoint in zip((lower, upper), adjoints[1:], strict=True)
    ]
    count = shorter(x)
    # The rows of L below its square, and the columns of U beside its square: one of them is empty.
    below, of_below = lower[..., count:, :], of_lower[..., count:, :]
    lower, of_lower = lower[..., :count, :], of_lower[..., :count, :]
    beside, of_beside = upper[..., count:], of_upper[..., count:]
    upper, of_upper = upper[..., :count], of_upper[..., :count]
    in_lower = matmul(turned(lower), of_lower) - matmul(of_beside, turned(beside))
    in_upper = matmul(of_upper, turned(upper)) - matmul(turned(below), of_below)
    inner = lower_part(in_lower, strict=True) + upper_part(in_upper)
    left = _by_turned(lower, inner, lower_triangle=True)
    square = turned(_by_inverse(upper, turned(left)))
    low = turned(_by_inverse(upper, turned(of_below)))
    right = _by_turned(lower, of_beside, lower_triangle=True)
    nothing = matmul(below, of_beside) * 0
    whole = concat([concat([square, low], -2), concat([right, nothing], -2)], -1)
    return (take_along_axis(whole, expand_dims(argsort(rows), -1), -2),)


def _by_inverse(triangle: Tensor, rhs: Tensor) -> Tensor:
    """``inv(triangle) @ rhs`` for an upper triangle."""
    attrs = {"lower": False, "transposed": False, "unit_diagonal": False}
    return rhs.graph.add(SOLVE_TRIANGULAR, (triangle, rhs), attrs).out


def _by_turned(triangle: Tensor, rhs: Tensor, lower_triangle: bool, unit: bool = True) -> Tensor:
    """``inv(turned(triangle)) @ rhs``."""
    attrs = {"lower": lower_triangle, "transposed": True, "unit_diagonal": unit}
    found = rhs.graph.add(SOLVE_TRIANGULAR, (triangle, conjugated(rhs)), attrs).out
    return conjugated(found)


LU = register(
    OpDef(
        "lu",
        operands=("x",),
        infer=_infer_lu,
        reference=_reference_lu,
        dtypes=dtypes.INEXACT,
        holomorphic=False,
        vjp=Joint(_vjp_lu),
        jvp=TRANSPOSED,
        doc="LU factors with partial pivoting: the rows of the operand in another order, as their "
        "numbers, and two triangles whose product they are.",
    )
)


def lu(x: Any, *, name: str | None = None) -> LUDecomposition:
    """The factors of ``x = P @ L @ U``, with partial pivoting, as `scipy.linalg.lu` has them.

    x   matrices ``(..., m, n)``; integers become floats

    Returns ``(P, L, U)``, a named tuple, with ``k = min(m, n)``: P ``(..., m, m)`` exchanges rows,
    L ``(..., m, k)`` is lower triangular with ones on its diagonal, U ``(..., k, n)`` upper
    triangular. Derivatives hold where no other element would become a pivot, and are a RunError
    where U has a 0 on its diagonal: S. Axen, "Differentiating the LU decomposition" (2021).
    `solve`, `inv` and `det` share factors of their own.

    >>> import staticgraph as sg
    >>> P, L, U = sg.linalg.lu(sg.constant([[1.0, 2.0], [4.0, 4.0]]))
    >>> sg.Session().run([L, U])
    [array([[1.  , 0.  ],
           [0.25, 1.  ]], dtype=float32), array([[4., 4.],
           [0., 1.]], dtype=float32)]
    """
    tensor = as_matrices("lu", x)
    rows, lower, upper = tensor.graph.add(LU, (tensor,), name=name).outputs
    # Row i of L @ U is row rows[i] of x.
    exchange = ew.equal(row_numbers(tensor), as_row(rows))
    # Not the dtype of x: factors of half precision are float32.
    return LUDecomposition(cast(exchange, lower.dtype), lower, upper)


def cho_solve(factor: Any, rhs: Any, *, upper: bool = False, name: str | None = None) -> Tensor:
    """The x with ``a @ x == rhs``, from the Cholesky factor of a.

    factor   what `cholesky` gives for a, matrices ``(..., n, n)``; the other triangle is not read
    rhs      a vector ``(n,)`` or matrices ``(..., n, k)``; the batches broadcast
    upper    whether `factor` is the upper one

    Raises ShapeError for shapes that do not fit, RunError in a run where the diagonal has a 0.

    >>> import staticgraph as sg
    >>> factor = sg.linalg.cholesky(sg.constant([[4.0, 0.0], [0.0, 1.0]]))
    >>> sg.Session().run(sg.linalg.cho_solve(factor, [4.0, 3.0]))
    array([1., 3.], dtype=float32)
    """
    is_upper = as_bool("cho_solve", "upper", upper)
    given = system("cho_solve", factor, rhs)
    first, second = on_one_batch("cho_solve", given.lhs, given.rhs)
    if is_upper:
        inner = _by_turned(first, second, lower_triangle=False, unit=False)
        attrs = {"lower": False, "transposed": False, "unit_diagonal": False}
        found = first.graph.add(SOLVE_TRIANGULAR, (first, inner), attrs, name).out
    else:
        attrs = {"lower": True, "transposed": False, "unit_diagonal": False}
        inner = first.graph.add(SOLVE_TRIANGULAR, (first, second), attrs).out
        found = _by_turned(first, inner, lower_triangle=True, unit=False)
    return squeeze(found, -1) if given.is_vector else found
