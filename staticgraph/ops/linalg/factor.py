"""Linear systems: Cholesky and LU factors, triangular systems, inverses.

LU factors have no derivative of their own. `lu_solve`, and `det` and `slogdet` in
determinant.py, take the matrix beside its factors: values come from the factors, derivatives
go to the matrix. So one factorization serves a system, its determinant and the derivatives of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import (
    NOT_DIFFERENTIABLE,
    Attrs,
    Joint,
    Mismatch,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import TensorType, compatible
from staticgraph.ops import elementwise as ew
from staticgraph.ops.complex import conjugated
from staticgraph.ops.convert import promote
from staticgraph.ops.linalg.common import (
    Array,
    as_matrices,
    check_square,
    each,
    failed,
    identity_like,
    infer_square,
    library_functions,
    lower_part,
    matrix_shape,
    on_diagonal,
    on_one_batch,
    one_batch,
    one_dtype,
    ranked,
    refuse_call,
    square_shape,
    symmetric,
    telling,
    turned,
    upper_part,
    which,
)
from staticgraph.ops.linalg.products import matmul
from staticgraph.ops.shaping import broadcast_like, expand_dims, matrix_transpose, squeeze
from staticgraph.ops.sizes import as_bool

Tangents = Sequence[Tensor | None]

# -- cholesky -------------------------------------------------------------------------------------


def _reference_cholesky(x: Array, *, upper: bool) -> Array:
    check_square(x)
    try:
        return np.linalg.cholesky(x, upper=upper)
    except np.linalg.LinAlgError:
        raise failed(
            "a matrix is not positive definite",
            f"{which(_has_no_factor(x))} is not: all eigenvalues must be above 0",
            "adding a small multiple of the unit matrix helps where rounding alone makes one "
            "negative",
        ) from None


def _has_no_factor(x: Array) -> Array:
    """Which matrices of a batch are not positive definite."""
    found = np.zeros(x.shape[:-2], bool)
    for index in np.ndindex(found.shape):
        try:
            np.linalg.cholesky(x[index])
        except np.linalg.LinAlgError:
            found[index] = True
    return found


def _halved(x: Tensor) -> Tensor:
    """The lower part of `x` with half of its diagonal."""
    return lower_part(x) * (1.0 - 0.5 * ew.where(on_diagonal(x), ew.zero_of(x) + 1, ew.zero_of(x)))


def _vjp_cholesky(node: Operation, adjoint: Tensor) -> Tensor:
    upper = node.attrs["upper"]
    factor = turned(node.out) if upper else node.out
    moved = turned(adjoint) if upper else adjoint
    inner = _halved(matmul(turned(factor), lower_part(moved)))
    # The inverse of the factor on the right, and turned on the left.
    left = _turned_inverse(factor, inner)
    return symmetric(_turned_inverse(factor, turned(left)))


def _turned_inverse(factor: Tensor, rhs: Tensor) -> Tensor:
    """``inv(turned(factor)) @ rhs`` for a lower triangle."""
    return conjugated(_triangular(factor, conjugated(rhs), lower=True, transposed=True))


def _jvp_cholesky(node: Operation, tangents: Tangents) -> Tensor:
    (tangent,) = tangents
    assert tangent is not None
    upper = node.attrs["upper"]
    factor = turned(node.out) if upper else node.out
    left = _triangular(factor, symmetric(tangent), lower=True)
    both = _triangular(factor, turned(left), lower=True)
    moved = matmul(factor, _halved(both))
    return turned(moved) if upper else moved


CHOLESKY = register(
    OpDef(
        "cholesky",
        operands=("x",),
        infer=infer_square,
        reference=_reference_cholesky,
        attrs=("upper",),
        dtypes=dtypes.INEXACT,
        holomorphic=False,
        vjp=(_vjp_cholesky,),
        jvp=_jvp_cholesky,
        doc="The triangular factor of a symmetric positive definite matrix. Only the triangle that "
        "the factor has is read; the derivative is that of the symmetric part.",
    )
)


def cholesky(x: Any, *, upper: bool = False, name: str | None = None) -> Tensor:
    """The lower triangular L with ``L @ L.T`` equal to `x`, or the upper U with ``U.T @ U``.

    x       symmetric positive definite matrices, shape ``(..., n, n)``, or Hermitian ones, whose
            factor is conjugated where it is transposed; integers become floats. Only one triangle
            is read: the lower one, or the upper one with `upper`
    upper   gives the upper factor

    The derivative is symmetric: a change of an element below the diagonal counts half for the one
    above it (I. Murray, "Differentiation of the Cholesky decomposition", 2016). Raises ShapeError
    for what is not square, RunError in a run for a matrix that is not positive definite.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.cholesky(sg.constant([[4.0, 2.0], [2.0, 2.0]])))
    array([[2., 0.],
           [1., 1.]], dtype=float32)
    """
    tensor = as_matrices("cholesky", x, square=True)
    return tensor.graph.add(
        CHOLESKY, (tensor,), {"upper": as_bool("cholesky", "upper", upper)}, name
    ).out


# -- triangular systems ---------------------------------------------------------------------------


def _infer_system(types: Types, attrs: Attrs) -> TensorType:
    """The type of the solution of systems ``lhs @ x = rhs``: that of `rhs`."""
    lhs, rhs = types[0], types[-1]
    one_dtype((lhs, rhs))
    of_lhs, of_rhs = square_shape(lhs, "lhs"), matrix_shape(rhs, "rhs")
    if of_lhs is None or of_rhs is None:
        return rhs
    batch = one_batch(of_lhs[:-2], of_rhs[:-2])
    assert batch is not None
    size, rows = of_lhs[-1], of_rhs[-2]
    if not compatible((size,), (rows,)):
        raise _other_rows(size, rows)
    return rhs.with_shape((*batch, rows if isinstance(rows, int) else size, of_rhs[-1]))


def _other_rows(size: Any, rows: Any) -> Mismatch:
    return Mismatch(
        "rhs has another number of rows than lhs", f"lhs has {size}, rhs {rows}; they must be equal"
    )


def _check_system(lhs: Array, rhs: Array) -> None:
    check_square(lhs, "lhs")
    if lhs.shape[-1] != rhs.shape[-2]:
        raise _other_rows(lhs.shape[-1], rhs.shape[-2])
    one_batch(lhs.shape[:-2], rhs.shape[:-2])


def _check_diagonal(factors: Array, what: str, element: str, way_out: str) -> None:
    singular = np.any(np.diagonal(factors, axis1=-2, axis2=-1) == 0, axis=-1)
    if np.any(singular):
        raise failed(
            f"a {what} is singular",
            f"{which(singular)} has {element} that is exactly 0",
            way_out,
        )


def _reference_triangular(
    lhs: Array, rhs: Array, *, lower: bool, transposed: bool, unit_diagonal: bool
) -> Array:
    _check_system(lhs, rhs)
    if not unit_diagonal and rhs.size:
        _check_diagonal(
            lhs,
            "triangle",
            "an element on its diagonal",
            "unit_diagonal=True takes the diagonal for ones",
        )
    (solve,) = library_functions(["trtrs"], lhs.dtype)

    def one(matrix: Array, columns: Array) -> tuple[Array]:
        if columns.size == 0:
            return (columns,)
        found, _ = solve(matrix, columns, lower=lower, trans=transposed, unitdiag=unit_diagonal)
        return (found,)

    return each(one, lhs, rhs)[0]


def _kept(node: Operation, x: Tensor) -> Tensor:
    """The part of a matrix that a triangular system reads."""
    part = lower_part if node.attrs["lower"] else upper_part
    return part(x, strict=node.attrs["unit_diagonal"])


def _again(node: Operation, rhs: Tensor, transposed: bool) -> Tensor:
    """Another system with the same triangle."""
    attrs = {**node.attrs, "transposed": transposed}
    return rhs.graph.add(SOLVE_TRIANGULAR, (node.inputs[0], rhs), attrs).out


def _vjp_triangular(node: Operation, adjoints: Tangents) -> Tangents:
    (adjoint,) = adjoints
    assert adjoint is not None
    transposed = node.attrs["transposed"]
    of_rhs = _again(node, adjoint, not transposed)
    left, right = (node.out, of_rhs) if transposed else (of_rhs, node.out)
    of_lhs = _kept(node, -matmul(left, matrix_transpose(right)))
    return of_lhs, of_rhs


def _jvp_triangular(node: Operation, tangents: Tangents) -> Tensor:
    of_lhs, moved = tangents
    if of_lhs is not None:
        change = _kept(node, of_lhs)
        change = matrix_transpose(change) if node.attrs["transposed"] else change
        turned = matmul(change, node.out)
        moved = -turned if moved is None else moved - turned
    assert moved is not None
    return _again(node, moved, node.attrs["transposed"])


SOLVE_TRIANGULAR: OpDef = register(
    OpDef(
        "solve_triangular",
        operands=("lhs", "rhs"),
        infer=_infer_system,
        reference=_reference_triangular,
        attrs=("lower", "transposed", "unit_diagonal"),
        dtypes=dtypes.INEXACT,
        vjp=Joint(_vjp_triangular),
        jvp=_jvp_triangular,
        doc="The solution of ``lhs @ x = rhs`` for triangular matrices of one batch with `rhs`.",
    )
)


def _triangular(
    lhs: Tensor, rhs: Tensor, lower: bool, transposed: bool = False, unit_diagonal: bool = False
) -> Tensor:
    attrs = {"lower": lower, "transposed": transposed, "unit_diagonal": unit_diagonal}
    return lhs.graph.add(SOLVE_TRIANGULAR, (lhs, rhs), attrs).out


class System(NamedTuple):
    """Operands of a system of one dtype, `rhs` a matrix; whether it was a vector."""

    lhs: Tensor
    rhs: Tensor
    is_vector: bool


def system(what: str, lhs: Any, rhs: Any) -> System:
    """Both sides of a system, checked; raises ShapeError where they do not fit."""
    first, second = promote((lhs, rhs), floating=True)
    given = {"lhs": first, "rhs": second}
    ranks = ranked(what, given)
    if ranks[0] < 2 or ranks[1] < 1:
        refuse_call(what, given, Mismatch(
            "lhs is no matrix" if ranks[0] < 2 else "rhs is a scalar",
            "lhs has at least two axes, rhs is a vector or has at least two",
        ))  # fmt: skip
    try:
        of_lhs = square_shape(first.type, "lhs")
        assert of_lhs is not None and second.type.shape is not None
        rows = second.type.shape[-1 if ranks[1] == 1 else -2]
        if not compatible((of_lhs[-1],), (rows,)):
            raise _other_rows(of_lhs[-1], rows)
    except Mismatch as mismatch:
        refuse_call(what, given, mismatch)
    if ranks[1] == 1:
        second = expand_dims(second, 1)
    return System(first, second, ranks[1] == 1)


def solve_triangular(
    lhs: Any,
    rhs: Any,
    *,
    lower: bool = False,
    transposed: bool = False,
    unit_diagonal: bool = False,
    name: str | None = None,
) -> Tensor:
    """The x with ``lhs @ x == rhs``, where `lhs` is triangular.

    lhs             matrices ``(..., n, n)``, of which one triangle is read: the upper one, or the
                    lower one with `lower`
    rhs             a vector ``(n,)`` or matrices ``(..., n, k)``; the batches broadcast
    transposed      solves with the transposed triangle
    unit_diagonal   takes the diagonal for ones, without reading it

    Derivatives: M. Giles, "An extended collection of matrix derivative results" (2008), section
    2.3. Raises ShapeError for shapes that do not fit, RunError in a run where the diagonal has a 0.

    >>> import staticgraph as sg
    >>> factor = sg.constant([[2.0, 0.0], [1.0, 1.0]])
    >>> sg.Session().run(sg.linalg.solve_triangular(factor, [2.0, 3.0], lower=True))
    array([1., 2.], dtype=float32)
    """
    options = {"lower": lower, "transposed": transposed, "unit_diagonal": unit_diagonal}
    attrs = {label: as_bool("solve_triangular", label, on) for label, on in options.items()}
    given = system("solve_triangular", lhs, rhs)
    first, second = on_one_batch("solve_triangular", given.lhs, given.rhs)
    found = first.graph.add(SOLVE_TRIANGULAR, (first, second), attrs, name).out
    return squeeze(found, -1) if given.is_vector else found


# -- LU factors -----------------------------------------------------------------------------------


def _infer_lu(types: Types, attrs: Attrs) -> Types:
    shape = square_shape(types[0], "x")
    pivots = None if shape is None else shape[:-1]
    return types[0].with_shape(shape), TensorType(dtypes.int32, pivots)


def _reference_lu(x: Array) -> tuple[Array, Array]:
    check_square(x)
    (factor,) = library_functions(["getrf"], x.dtype)

    def one(matrix: Array) -> tuple[Array, Array]:
        if matrix.size == 0:
            return matrix, np.zeros(0, np.int32)
        factors, pivots, _ = factor(matrix)
        return factors, np.asarray(pivots, np.int32)

    factors, pivots = each(one, x)
    return factors, pivots


LU_FACTOR = register(
    OpDef(
        "lu_factor",
        operands=("x",),
        infer=_infer_lu,
        reference=_reference_lu,
        dtypes=dtypes.INEXACT,
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        title="solve, inv or det",
        doc="LU factors with partial pivoting, both in one matrix, and the exchanges of rows: row "
        "i was exchanged with row ``pivots[i]``, one after the other.",
    )
)


class Factors(NamedTuple):
    """A matrix with its LU factors, as operands."""

    x: Tensor
    factors: Tensor
    pivots: Tensor


def _infer_lu_solve(types: Types, attrs: Attrs) -> TensorType:
    x, factors, pivots, rhs = types
    check_factors(x, factors, pivots)
    return _infer_system((x, rhs), attrs)


def check_factors(x: TensorType, factors: TensorType, pivots: TensorType) -> None:
    """Refuses factors whose shapes are not those that `lu_factor` gives for `x`."""
    one_dtype((x, factors))
    shape = square_shape(x, "x")
    rows = None if shape is None else shape[:-1]
    if not compatible(shape, factors.shape) or not compatible(rows, pivots.shape):
        raise Mismatch("the factors are not those of x", "give what lu_factor makes of it")


def _exchanged(columns: Array, pivots: Array, back: bool) -> Array:
    """The rows of a matrix, exchanged as a factorization did; or put back."""
    columns = columns.copy()
    order = range(len(pivots))
    for row in reversed(order) if back else order:
        other = pivots[row]
        columns[[row, other]] = columns[[other, row]]
    return columns


def _reference_lu_solve(
    x: Array, factors: Array, pivots: Array, rhs: Array, *, transposed: bool
) -> Array:
    _check_system(x, rhs)
    if rhs.size:
        _check_diagonal(
            factors,
            "matrix",
            "a pivot",
            "adding a small multiple of the unit matrix helps, or sg.linalg.lstsq and "
            "sg.linalg.pinv, which take any rank",
        )
    (solve,) = library_functions(["trtrs"], x.dtype)

    def one(packed: Array, exchanges: Array, columns: Array) -> tuple[Array]:
        if columns.size == 0:
            return (columns,)
        if transposed:
            inner, _ = solve(packed, columns, lower=0, trans=1)
            inner, _ = solve(packed, inner, lower=1, trans=1, unitdiag=1)
            return (_exchanged(inner, exchanges[:, 0], back=True),)
        inner, _ = solve(packed, _exchanged(columns, exchanges[:, 0], False), lower=1, unitdiag=1)
        return (solve(packed, inner, lower=0)[0],)

    return each(one, factors, pivots[..., None], rhs)[0]


def _other_rhs(node: Operation, rhs: Tensor, transposed: bool) -> Tensor:
    """Another system with the same matrix."""
    x, factors, pivots, _ = node.inputs
    return solve_with(x, factors, pivots, rhs, transposed)


def solve_with(
    x: Tensor, factors: Tensor, pivots: Tensor, rhs: Tensor, transposed: bool = False
) -> Tensor:
    """The solution of ``x @ y = rhs``, or of the transposed system, from the factors of `x`."""
    return _lu_solve(Factors(x, factors, pivots), rhs, "x", transposed)


def _lu_solve(
    made: Factors,
    rhs: Tensor,
    label: str,
    transposed: bool = False,
    name: str | None = None,
) -> Tensor:
    """The same for a function that calls the matrix `label`; messages leave out what it made."""

    with telling(rhs, label, "", "", ""):
        return rhs.graph.add(LU_SOLVE, (*made, rhs), {"transposed": transposed}, name).out


def _vjp_lu_solve(node: Operation, adjoints: Tangents) -> Tangents:
    (adjoint,) = adjoints
    assert adjoint is not None
    transposed = node.attrs["transposed"]
    of_rhs = _other_rhs(node, adjoint, not transposed)
    left, right = (node.out, of_rhs) if transposed else (of_rhs, node.out)
    return -matmul(left, matrix_transpose(right)), None, None, of_rhs


def _jvp_lu_solve(node: Operation, tangents: Tangents) -> Tensor:
    of_x, _, _, moved = tangents
    if of_x is not None:
        change = matrix_transpose(of_x) if node.attrs["transposed"] else of_x
        turned = matmul(change, node.out)
        moved = -turned if moved is None else moved - turned
    assert moved is not None
    return _other_rhs(node, moved, node.attrs["transposed"])


WITH_FACTORS = (dtypes.INEXACT, dtypes.INEXACT, frozenset({dtypes.int32}), dtypes.INEXACT)

LU_SOLVE: OpDef = register(
    OpDef(
        "lu_solve",
        operands=("x", "factors", "pivots", "rhs"),
        infer=_infer_lu_solve,
        reference=_reference_lu_solve,
        attrs=("transposed",),
        dtypes=WITH_FACTORS,
        vjp=Joint(_vjp_lu_solve),
        jvp=_jvp_lu_solve,
        title="solve or inv",
        doc="The solution of ``x @ y = rhs`` from the LU factors of `x`.",
    )
)


def factored(x: Tensor) -> Factors:
    """A matrix with its LU factors."""
    factors, pivots = x.graph.add(LU_FACTOR, (x,)).outputs
    return Factors(x, factors, pivots)


def solve(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
    """The x with ``lhs @ x == rhs``, by LU factors with partial pivoting.

    lhs   matrices ``(..., n, n)``
    rhs   a vector ``(n,)`` or matrices ``(..., n, k)``; the batches broadcast

    Operands promote to one floating dtype. Derivatives: Giles (2008), section 2.3; they use the
    same factors. Raises ShapeError for shapes that do not fit, RunError in a run for a matrix that
    is singular: one of which a pivot is exactly 0.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.solve(sg.constant([[2.0, 0.0], [0.0, 4.0]]), [2.0, 2.0]))
    array([1. , 0.5], dtype=float32)
    """
    given = system("solve", lhs, rhs)
    single = given.lhs.type.ndim == 2
    made = factored(given.lhs)
    if single and given.rhs.type.ndim != 2:
        # One matrix for many systems is factored once.
        made = Factors(*[_spread(item, given.rhs) for item in made])
        first, second = made.x, given.rhs
    else:
        first, second = on_one_batch("solve", given.lhs, given.rhs)
        if first is not given.lhs:
            made = factored(first)
    found = _lu_solve(Factors(*made), second, "lhs", name=name)
    return squeeze(found, -1) if given.is_vector else found


def _spread(x: Tensor, like: Tensor) -> Tensor:
    """A matrix, or a vector, repeated over the batch of `like`."""
    matrix = x if x.type.ndim == 2 else expand_dims(x, 1)
    wide = on_one_batch("solve", matrix, like)[0]
    return wide if x.type.ndim == 2 else squeeze(wide, -1)


def inv(x: Any, *, name: str | None = None) -> Tensor:
    """The inverse of square matrices ``(..., n, n)``.

    Where the inverse only multiplies, `solve` is faster and more accurate. Raises ShapeError for
    what is not square, RunError in a run for a singular matrix. Derivative: Giles (2008), 2.2.3.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.inv(sg.constant([[2.0, 0.0], [0.0, 4.0]])))
    array([[0.5 , 0.  ],
           [0.  , 0.25]], dtype=float32)
    """
    tensor = as_matrices("inv", x, square=True)
    made = factored(tensor)
    unit = broadcast_like(identity_like(tensor), tensor)
    return _lu_solve(made, unit, "x", name=name)
