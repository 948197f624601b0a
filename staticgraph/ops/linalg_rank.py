"""What singular values tell: pseudoinverse, rank, condition, least squares.

A singular value counts if it is above `rtol` times the largest of its matrix. Derivatives hold
where no singular value is about to cross that line: the rank is constant around the operand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import TensorType, compatible
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction
from staticgraph.ops.complex import conjugated, real
from staticgraph.ops.convert import cast_to, is_tensor_like, promote
from staticgraph.ops.linalg_common import (
    Array,
    as_matrices,
    identity_like,
    matrix_shape,
    ranked,
    refuse_call,
    turned,
)
from staticgraph.ops.linalg_factor import factored, solve_with
from staticgraph.ops.linalg_norms import matrix_norm
from staticgraph.ops.linalg_parts import diagonal
from staticgraph.ops.linalg_products import matmul
from staticgraph.ops.linalg_spectral import (
    checked_finite,
    not_converged,
    svdvals,
    times,
)
from staticgraph.ops.shaping import broadcast_like, expand_dims, squeeze
from staticgraph.ops.sizes import refusal, size

Tangents = Sequence[Tensor | None]


def _reference_pinv(x: Array, *, rtol: float | None) -> Array:
    checked_finite(x, "singular values")
    try:
        left, values, right = np.linalg.svd(x, full_matrices=False)
    except np.linalg.LinAlgError:
        raise not_converged("singular values") from None
    if rtol is None:
        rtol = max(x.shape[-2:]) * float(np.finfo(x.dtype).eps)
    least_value = rtol * np.max(values, axis=-1, keepdims=True, initial=0.0)
    kept = values > least_value
    inverse = np.where(kept, 1 / np.where(kept, values, 1), 0).astype(values.dtype)
    scaled = inverse[..., None] * np.swapaxes(left, -1, -2).conj()
    result = np.swapaxes(right, -1, -2).conj() @ scaled
    return np.asarray(result, x.dtype)


def _infer_pinv(types: Types, attrs: Attrs) -> TensorType:
    shape = matrix_shape(types[0], "x")
    if shape is None:
        return types[0]
    return types[0].with_shape((*shape[:-2], shape[-1], shape[-2]))


def _vjp_pinv(node: Operation, adjoint: Tensor) -> Tensor:
    x, inverse = node.inputs[0], node.out
    across, back = turned(adjoint), turned(inverse)
    first = times(back, adjoint, back)
    rows = times(across, inverse, back)
    columns = times(back, inverse, across)
    outside_rows = rows - times(x, inverse, rows)
    outside_columns = columns - times(columns, inverse, x)
    return outside_rows + outside_columns - first


def _jvp_pinv(node: Operation, tangents: Tangents) -> Tensor:
    x, inverse, tangent = node.inputs[0], node.out, tangents[0]
    assert tangent is not None
    across, back = turned(tangent), turned(inverse)
    rows = times(inverse, back, across)
    columns = times(across, back, inverse)
    outside_rows = rows - times(rows, x, inverse)
    outside_columns = columns - times(inverse, x, columns)
    return outside_rows + outside_columns - times(inverse, tangent, inverse)


PINV = register(
    OpDef(
        "pinv",
        operands=("x",),
        infer=_infer_pinv,
        reference=_reference_pinv,
        attrs=("rtol",),
        dtypes=dtypes.INEXACT,
        holomorphic=False,
        vjp=(_vjp_pinv,),
        jvp=_jvp_pinv,
        doc="The pseudoinverse of Moore and Penrose.",
    )
)


def _given(what: str, rtol: Any) -> float | None:
    """A tolerance that the user gives as a number."""
    if rtol is None:
        return None
    if is_tensor_like(rtol) or isinstance(rtol, bool) or not isinstance(rtol, int | float):
        raise refusal(what, f"rtol={rtol!r} is no number", "give a float, or None for eps * size")
    return float(rtol)


def pinv(x: Any, rtol: float | None = None, *, name: str | None = None) -> Tensor:
    """The pseudoinverse of matrices ``(..., m, n)``, shape ``(..., n, m)``.

    rtol   singular values up to this part of the largest count as 0; ``max(m, n) * eps`` by default

    Derivative: G. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least
    squares problems whose variables separate" (1973), which holds for any rank that is constant
    around `x`, where `rtol` cuts off nothing but rounding. Raises RunError in a run for NaN and
    infinities.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.pinv(sg.constant([[2.0, 0.0], [0.0, 0.0]])))
    array([[0.5, 0. ],
           [0. , 0. ]], dtype=float32)
    """
    tensor = as_matrices("pinv", x)
    return tensor.graph.add(PINV, (tensor,), {"rtol": _given("pinv", rtol)}, name).out


def _counting(values: Tensor, x: Tensor, rtol: float | None) -> Tensor:
    """Which singular values of `x` count."""
    largest = values[..., :1]
    if rtol is not None:
        return ew.greater(values, largest * rtol)
    epsilon = float(np.finfo(x.dtype).eps)
    longer = cast_to(ew.maximum(size(x, -2), size(x, -1)), values.dtype)
    return ew.greater(values, largest * (longer * epsilon))


def matrix_rank(x: Any, *, rtol: float | None = None, name: str | None = None) -> Tensor:
    """How many singular values of matrices ``(..., m, n)`` count, an int64 ``(...)``.

    rtol   those up to this part of the largest do not; ``max(m, n) * eps`` by default

    It has no derivative. Raises RunError in a run for NaN and infinities.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.matrix_rank(sg.constant([[1.0, 1.0], [1.0, 1.0]])))
    np.int64(1)
    """
    given = _given("matrix_rank", rtol)
    tensor = as_matrices("matrix_rank", x)
    return reduction.count_nonzero(_counting(svdvals(tensor), tensor, given), -1, name=name)


def cond(x: Any, p: Any = None, *, name: str | None = None) -> Tensor:
    """The condition number of matrices, ``norm(x) * norm(inv(x))``, shape ``(...)``.

    p   an order of `matrix_norm`; None is 2, for which `x` need not be square: the largest singular
        value by the smallest

    A singular matrix has an infinite one, as in NumPy; for -2, the smallest value by the largest,
    that is so of zeros alone, and another one has 0. Where it is infinite its derivative is 0.
    Raises ShapeError for what is not square where `p` asks for the inverse, RunError in a run for
    NaN and infinities where singular values are computed.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.cond(sg.constant([[2.0, 0.0], [0.0, 1.0]])))
    np.float32(2.0)
    """
    tensor = as_matrices("cond", x, square=p not in (None, 2, -2))
    if p is None or p in (2, -2):
        values = svdvals(tensor)
        first, last = values[..., 0], values[..., -1]
        above, below = (last, first) if p == -2 else (first, last)
        # All values of zeros are 0, and 0 / 0 would be no number.
        nothing = ew.equal(below, 0)
        ratio = above / ew.where(nothing, 1.0, below)
        return ew.where(nothing, math.inf, ratio, name=name)
    singular, inverse = _inverse_or_unit(tensor)
    product = matrix_norm(tensor, ord=p) * matrix_norm(inverse, ord=p)
    return ew.where(singular, math.inf, product, name=name)


def _inverse_or_unit(x: Tensor) -> tuple[Tensor, Tensor]:
    """Which matrices have a pivot that is exactly 0; the inverses of the others."""
    made = factored(x)
    unit = identity_like(x)
    singular = reduction.any(ew.equal(diagonal(made.factors), 0), -1)
    # The factors of the unit matrix stand in: the system refuses those of a singular one.
    factors = ew.where(expand_dims(singular, (-2, -1)), unit, made.factors)
    return singular, solve_with(x, factors, made.pivots, broadcast_like(unit, x))


class LeastSquares(NamedTuple):
    """What `lstsq` gives: solution, sums of squares that are left, rank, singular values."""

    x: Tensor
    residuals: Tensor
    rank: Tensor
    S: Tensor


def lstsq(lhs: Any, rhs: Any, rtol: float | None = None) -> LeastSquares:
    """The x that makes ``sum((rhs - lhs @ x) ** 2)`` least, the shortest where there are several.

    lhs    matrices ``(..., m, n)``
    rhs    a vector ``(m,)`` or matrices ``(..., m, k)``; the batches broadcast
    rtol   singular values of `lhs` up to this part of the largest count as 0; ``max(m, n) * eps``
           by default

    Returns a named tuple ``(x, residuals, rank, S)``: solutions ``(..., n, k)`` (``(..., n)`` for a
    vector), the sums of squares that are left ``(..., k)``, whatever the rank is (NumPy leaves them
    out where they are about 0), the rank of `lhs`, and its singular values. Derivatives are those
    of `pinv`. Raises ShapeError for shapes that do not fit, RunError in a run for NaN and
    infinities in `lhs`.

    >>> import staticgraph as sg
    >>> found = sg.linalg.lstsq(sg.constant([[1.0], [0.0]]), [2.0, 3.0])
    >>> sg.Session().run([found.x, found.residuals])
    [array([2.], dtype=float32), np.float32(9.0)]
    """
    given = _given("lstsq", rtol)
    first, second = promote((lhs, rhs), floating=True)
    operands = {"lhs": first, "rhs": second}
    ranks = ranked("lstsq", operands)
    if ranks[0] < 2 or ranks[1] < 1:
        refuse_call("lstsq", operands, Mismatch(
            "lhs is no matrix" if ranks[0] < 2 else "rhs is a scalar",
            "lhs has at least two axes, rhs is a vector or has at least two",
        ))  # fmt: skip
    assert first.type.shape is not None and second.type.shape is not None
    height, rows = first.type.shape[-2], second.type.shape[-1 if ranks[1] == 1 else -2]
    if not compatible((height,), (rows,)):
        refuse_call("lstsq", operands, Mismatch(
            "rhs has another number of rows than lhs",
            f"lhs has {height}, rhs {rows}; they must be equal",
        ))  # fmt: skip
    if ranks[1] == 1:
        second = expand_dims(second, 1)
    inverse = first.graph.add(PINV, (first,), {"rtol": given}).out
    solution = matmul(inverse, second)
    left = second - matmul(first, solution)
    residuals = reduction.sum(real(conjugated(left) * left), -2)
    if ranks[1] == 1:
        solution, residuals = squeeze(solution, -1), squeeze(residuals, -1)
    values = svdvals(first)
    rank = reduction.count_nonzero(_counting(values, first, given), -1)
    return LeastSquares(solution, residuals, rank, values)
