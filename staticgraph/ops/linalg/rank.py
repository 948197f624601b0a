"""What singular values tell: pseudoinverse, rank, condition, least squares.

A singular value counts if it is above `rtol` times the largest of its matrix; `rtol` is one number,
or one for each matrix of the batch. Derivatives hold where no singular value is about to cross that
line: the rank is constant around the operand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.node import Node
from staticgraph.core.opdef import Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import (
    BroadcastError,
    Dim,
    TensorType,
    broadcast_shapes,
    compatible,
    format_shape,
)
from staticgraph.errors import DTypeError, RunError
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction
from staticgraph.ops.complex import conjugated, real
from staticgraph.ops.control import stop_gradient
from staticgraph.ops.convert import as_tensor, cast, in_one_graph, is_tensor_like, promote
from staticgraph.ops.linalg.common import (
    Array,
    as_matrices,
    identity_like,
    matrix_shape,
    mirrored,
    ranked,
    refuse_call,
    telling,
    turned,
)
from staticgraph.ops.linalg.factor import factored, solve_with
from staticgraph.ops.linalg.norms import check_matrix_order, matrix_norm
from staticgraph.ops.linalg.parts import diagonal
from staticgraph.ops.linalg.products import matmul, times
from staticgraph.ops.linalg.spectral import (
    checked_finite,
    not_converged,
    svdvals,
)
from staticgraph.ops.shaping import broadcast_like, expand_dims, squeeze
from staticgraph.ops.sizes import as_bool, refusal, size

Tangents = Sequence[Tensor | None]


def _reference_pinv(x: Array, rtol: Array) -> Array:
    checked_finite(x, "singular values")
    _check_limits(x.shape[:-2], rtol.shape)
    try:
        left, values, right = np.linalg.svd(x, full_matrices=False)
    except np.linalg.LinAlgError:
        raise not_converged("singular values") from None
    least_value = rtol[..., None] * np.max(values, axis=-1, keepdims=True, initial=0.0)
    kept = values > least_value
    inverse = np.where(kept, 1 / np.where(kept, values, 1), 0).astype(values.dtype)
    scaled = inverse[..., None] * np.swapaxes(left, -1, -2).conj()
    result = np.swapaxes(right, -1, -2).conj() @ scaled
    return np.asarray(result, x.dtype)


def _check_limits(batch: tuple[Dim, ...], given: tuple[Dim, ...]) -> None:
    try:
        joined = broadcast_shapes(batch, given)
    except BroadcastError:
        joined = None
    if joined is None or len(joined) > len(batch) or not compatible(joined, batch):
        raise Mismatch(
            f"rtol has the shape {format_shape(given)}, the batch {format_shape(batch)}",
            "there is one for each matrix: the shapes must be equal, or broadcast to the batch",
        )


def _infer_pinv(types: Types, attrs: Attrs) -> TensorType:
    x, rtol = types
    shape = matrix_shape(x, "x")
    if rtol.dtype != dtypes.part_of(x.dtype):
        raise Mismatch("rtol has another dtype than the singular values", error=DTypeError)
    if shape is None:
        return x
    if rtol.shape is not None:
        _check_limits(shape[:-2], rtol.shape)
    return x.with_shape((*shape[:-2], shape[-1], shape[-2]))


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
        operands=("x", "rtol"),
        infer=_infer_pinv,
        reference=_reference_pinv,
        dtypes=(dtypes.INEXACT, dtypes.FLOATING),
        holomorphic=False,
        vjp=(_vjp_pinv, None),
        jvp=_jvp_pinv,
        doc="The pseudoinverse of Moore and Penrose.",
    )
)


def _limit(what: str, rtol: Any, x: Tensor) -> Tensor:
    """The part of the largest singular value of `x` up to which one counts as 0."""
    real_dtype = dtypes.part_of(x.dtype)
    if rtol is None:
        longer = cast(ew.maximum(size(x, -2), size(x, -1)), real_dtype)
        return longer * float(dtypes.limits(real_dtype).eps)
    if isinstance(rtol, bool) or not (is_tensor_like(rtol) or _is_real(rtol)):
        raise refusal(what, f"rtol={rtol!r} is no number", "give a float, or None for eps * size")
    # A number is exact in the dtype of `x`.
    given = rtol if is_tensor_like(rtol) else np.asarray(rtol, real_dtype)
    limit = as_tensor(given, x.graph)
    if limit.dtype in dtypes.COMPLEX | dtypes.BOOL:
        refuse_call(what, {"rtol": limit}, Mismatch(
            f"rtol is {dtypes.name(limit.dtype)}", "give real numbers", error=DTypeError
        ))  # fmt: skip
    assert x.type.shape is not None
    try:
        if limit.type.shape is not None:
            _check_limits(x.type.shape[:-2], limit.type.shape)
    except Mismatch as mismatch:
        refuse_call(what, {"x": x, "rtol": limit}, mismatch)
    # It is compared, so nothing flows to it.
    return stop_gradient(cast(limit, real_dtype))


def _is_real(value: Any) -> bool:
    if isinstance(value, int | float | np.integer | np.floating):
        return True
    if isinstance(value, list | tuple):
        return all(_is_real(item) and not isinstance(item, bool) for item in value)
    return isinstance(value, np.ndarray) and value.dtype.kind in "iuf"


@in_one_graph
def pinv(x: Any, rtol: Any = None, *, hermitian: bool = False, name: str | None = None) -> Tensor:
    """The pseudoinverse of matrices ``(..., m, n)``, shape ``(..., n, m)``.

    rtol        singular values up to this part of the largest count as 0: a number, or a tensor
                that broadcasts to the batch; ``max(m, n) * eps`` by default
    hermitian   takes `x` for Hermitian, and reads its lower triangle alone

    Derivative: G. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least
    squares problems whose variables separate" (1973), which holds for any rank that is constant
    around `x`, where `rtol` cuts off nothing but rounding. Raises ShapeError for shapes that do not
    fit, RunError in a run for NaN and infinities.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.pinv(sg.constant([[2.0, 0.0], [0.0, 0.0]])))
    array([[0.5, 0. ],
           [0. , 0. ]], dtype=float32)
    """
    tensor = _maybe_mirrored("pinv", x, hermitian)
    limit = _limit("pinv", rtol, tensor)
    with telling(tensor, "x", ""):
        return tensor.graph.add(PINV, (tensor, limit), name=name).out


def _maybe_mirrored(what: str, x: Any, hermitian: bool) -> Tensor:
    """Matrices; with `hermitian` those that their lower triangles stand for."""
    chosen = as_bool(what, "hermitian", hermitian)
    tensor = as_matrices(what, x, square=chosen)
    return mirrored(tensor) if chosen else tensor


def _counting(values: Tensor, limit: Tensor) -> Tensor:
    """Which singular values count."""
    if limit.type.shape != ():
        limit = expand_dims(limit, -1)
    return ew.greater(values, values[..., :1] * limit)


@in_one_graph
def matrix_rank(
    x: Any, *, rtol: Any = None, hermitian: bool = False, name: str | None = None
) -> Tensor:
    """How many singular values of matrices ``(..., m, n)`` count, an int64 ``(...)``.

    rtol        those up to this part of the largest do not: a number, or a tensor that broadcasts
                to the batch; ``max(m, n) * eps`` by default
    hermitian   takes `x` for Hermitian, and reads its lower triangle alone

    It has no derivative. Raises ShapeError for shapes that do not fit, RunError in a run for NaN
    and infinities.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.matrix_rank(sg.constant([[1.0, 1.0], [1.0, 1.0]])))
    np.int64(1)
    """
    tensor = _maybe_mirrored("matrix_rank", x, hermitian)
    counting = _counting(svdvals(tensor), _limit("matrix_rank", rtol, tensor))
    return reduction.count_nonzero(counting, -1, name=name)


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
    if p is not None:
        check_matrix_order("cond", "p", p)
    tensor = as_matrices("cond", x, square=p not in (None, 2, -2))
    if p is None or p in (2, -2):
        first, last = _ends(svdvals(tensor), tensor)
        above, below = (last, first) if p == -2 else (first, last)
        # All values of zeros are 0, and 0 / 0 would be no number.
        nothing = ew.equal(below, 0)
        ratio = above / ew.where(nothing, 1.0, below)
        return ew.where(nothing, math.inf, ratio, name=name)
    singular, inverse = _inverse_or_unit(tensor)
    product = matrix_norm(tensor, ord=p) * matrix_norm(inverse, ord=p)
    return ew.where(singular, math.inf, product, name=name)


def _ends(values: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The largest and the smallest singular value of `x`."""
    empty = "a matrix without elements has no condition number"
    if values.type.shape is not None and values.type.shape[-1] == 0:
        refuse_call("cond", {"x": x}, Mismatch(empty))

    def explain(node: Node, operands: Any, problem: Exception) -> Mismatch:
        return Mismatch(empty, error=RunError, spoken=("cond", *[""] * len(node.inputs)))

    with x.graph.explaining(explain):
        return values[..., 0], values[..., -1]


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


def lstsq(lhs: Any, rhs: Any, rtol: Any = None) -> LeastSquares:
    """The x that makes ``sum((rhs - lhs @ x) ** 2)`` least, the shortest where there are several.

    lhs    matrices ``(..., m, n)``
    rhs    a vector ``(m,)`` or matrices ``(..., m, k)``; the batches broadcast
    rtol   singular values of `lhs` up to this part of the largest count as 0: a number, or a tensor
           that broadcasts to the batch of `lhs`; ``max(m, n) * eps`` by default

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
    limit = _limit("lstsq", rtol, first)
    with telling(first, "lhs", ""):
        inverse = first.graph.add(PINV, (first, limit)).out
    solution = matmul(inverse, second)
    left = second - matmul(first, solution)
    residuals = reduction.sum(real(conjugated(left) * left), -2)
    if ranks[1] == 1:
        solution, residuals = squeeze(solution, -1), squeeze(residuals, -1)
    values = svdvals(first)
    rank = reduction.count_nonzero(_counting(values, limit), -1)
    return LeastSquares(solution, residuals, rank, values)
