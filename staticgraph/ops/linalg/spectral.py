"""Eigenvalues of symmetric matrices, and singular values: eigh, svd, and what they give.

The derivatives of vectors divide by differences of eigenvalues (or of singular values, and by their
sums). Where two are equal, as far as rounding tells, the vectors that belong to them may be turned
freely and have no derivative; what they would contribute is taken as 0. A pair of singular vectors
turned against each other still has one. So functions of the values alone have their right first
derivative there, and functions of the space that such vectors span. A function that tells them
apart, ``v @ diag(f(w)) @ v.T`` with its limit among them, does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, overload

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import TRANSPOSED, Attrs, Joint, Mismatch, OpDef, Types, register
from staticgraph.core.types import TensorType
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction
from staticgraph.ops.complex import conjugated, real
from staticgraph.ops.linalg.common import (
    Array,
    as_column,
    as_matrices,
    as_row,
    check_square,
    extent,
    failed,
    least,
    matrix_shape,
    mirrored,
    on_diagonal,
    square_shape,
    symmetric,
    turned,
    which,
)
from staticgraph.ops.linalg.products import matmul, times
from staticgraph.ops.sizes import as_bool, refusal

Tangents = Sequence[Tensor | None]


def _scaled_diagonal(x: Tensor, values: Tensor) -> Tensor:
    """Matrices with `values` on the diagonal, square, of the sizes of `x`."""
    return ew.where(on_diagonal(x), as_row(values), ew.zero_of(values))


def _diagonal(x: Tensor) -> Tensor:
    """The diagonals of square matrices."""
    return reduction.sum(ew.where(on_diagonal(x), x, ew.zero_of(x)), -1)


def reciprocal(x: Tensor, negligible: Tensor) -> Tensor:
    """``1 / x``, and 0 where x is negligible, to every order."""
    one = ew.zero_of(x) + 1
    return ew.where(negligible, ew.zero_of(x), one / ew.where(negligible, one, x))


def _rounding(values: Tensor) -> Tensor:
    """What is negligible beside the largest of each vector of values, shape ``(..., 1)``."""
    epsilon = float(np.finfo(values.dtype).eps)
    return reduction.norm(values, -1, keepdims=True) * (4 * epsilon)


def _gaps(values: Tensor) -> Tensor:
    """``1 / (values[j] - values[i])``, and 0 where the two are equal as far as rounding tells."""
    gap = as_row(values) - as_column(values)
    return reciprocal(gap, ew.less_equal(ew.abs(gap), as_row(_rounding(values))))


def _sums(values: Tensor) -> Tensor:
    """``1 / (values[j] + values[i])``, and 0 where both are 0 as far as rounding tells."""
    total = as_row(values) + as_column(values)
    return reciprocal(total, ew.less_equal(total, as_row(_rounding(values))))


# -- symmetric matrices ---------------------------------------------------------------------------


class EigenDecomposition(NamedTuple):
    """What `eigh` gives: eigenvalues in ascending order, eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def _infer_eigvalsh(types: Types, attrs: Attrs) -> TensorType:
    shape = square_shape(types[0], "x")
    real_type = types[0].with_dtype(dtypes.part_of(types[0].dtype))
    return real_type.with_shape(None if shape is None else shape[:-1])


def _infer_eigh(types: Types, attrs: Attrs) -> Types:
    return _infer_eigvalsh(types, attrs), types[0].with_shape(square_shape(types[0], "x"))


def not_converged(what: str) -> Mismatch:
    """What is said of a decomposition that LAPACK gave up."""
    return failed(
        f"the {what} did not converge",
        "LAPACK gave up; scaling the operand, or adding a small multiple of the unit matrix, may "
        "help",
    )


def checked_finite(x: Array, what: str) -> None:
    """Refuses, in a run, NaN and infinities."""
    # LAPACK does with these as it likes: it may even loop for ever.
    bad = ~np.all(np.isfinite(x), axis=(-2, -1))
    if np.any(bad):
        raise failed(
            "a matrix holds NaN or an infinity",
            f"{which(bad)} does, and has no {what}",
            "sg.where(sg.isfinite(x), x, 0.0) takes them out",
        )


def _reference_eigh(x: Array, *, lower: bool) -> tuple[Array, Array]:
    check_square(x)
    checked_finite(x, "eigenvalues")
    try:
        values, vectors = np.linalg.eigh(x, "L" if lower else "U")
    except np.linalg.LinAlgError:
        raise not_converged("eigenvalues") from None
    return values, vectors


def _reference_eigvalsh(x: Array, *, lower: bool) -> Array:
    check_square(x)
    checked_finite(x, "eigenvalues")
    try:
        return np.linalg.eigvalsh(x, "L" if lower else "U")
    except np.linalg.LinAlgError:
        raise not_converged("eigenvalues") from None


def _vjp_eigh(node: Operation, adjoints: Tangents) -> Tangents:
    of_values, of_vectors = adjoints
    values, vectors = node.outputs
    inner: Tensor | None = None
    if of_vectors is not None:
        moved = matmul(turned(vectors), of_vectors)
        # What is symmetric in it would only turn vectors of equal eigenvalues.
        inner = _gaps(values) * _skew(moved)
    if of_values is not None:
        straight = _scaled_diagonal(vectors, of_values)
        inner = straight if inner is None else inner + straight
    assert inner is not None
    return (symmetric(times(vectors, inner, turned(vectors))),)


def _jvp_eigh(node: Operation, tangents: Tangents) -> Tangents:
    assert tangents[0] is not None
    values, vectors = node.outputs
    inner = times(turned(vectors), symmetric(tangents[0]), vectors)
    return real(_diagonal(inner)), matmul(vectors, _gaps(values) * inner)


EIGH = register(
    OpDef(
        "eigh",
        operands=("x",),
        infer=_infer_eigh,
        reference=_reference_eigh,
        attrs=("lower",),
        dtypes=dtypes.INEXACT,
        holomorphic=False,
        vjp=Joint(_vjp_eigh),
        jvp=_jvp_eigh,
        doc="Eigenvalues, ascending, and eigenvectors of symmetric matrices, of which one triangle "
        "is read; the derivative is that of the symmetric part.",
    )
)


def eigh(x: Any, UPLO: str = "L", *, name: str | None = None) -> EigenDecomposition:
    """Eigenvalues and eigenvectors of symmetric matrices, or of complex Hermitian ones.

    x      matrices ``(..., n, n)``, of which one triangle is read
    UPLO   which one: "L", the lower one, or "U"

    Returns ``(eigenvalues, eigenvectors)``, a named tuple: ``(..., n)``, ascending, and
    ``(..., n, n)``, a vector per column. The sign of a vector is LAPACK's choice, and the phase of
    a complex one. Derivatives:
    Giles (2008), section 3.1; of equal eigenvalues the page on linear algebra tells. Raises
    ShapeError for what is not square, RunError in a run for NaN and infinities.

    >>> import staticgraph as sg
    >>> values, vectors = sg.linalg.eigh(sg.constant([[2.0, 0.0], [0.0, 1.0]]))
    >>> sg.Session().run(values)
    array([1., 2.], dtype=float32)
    """
    tensor = as_matrices("eigh", x, square=True)
    attrs = {"lower": _reads_lower("eigh", UPLO)}
    return EigenDecomposition(*tensor.graph.add(EIGH, (tensor,), attrs, name).outputs)


def _reads_lower(what: str, triangle: Any) -> bool:
    if triangle not in ("L", "U"):
        raise refusal(what, f"UPLO={triangle!r} is no triangle", "give 'L' or 'U'")
    return bool(triangle == "L")


def _vectors(node: Operation) -> Tensor:
    return node.graph.add(EIGH, node.inputs, node.attrs).outputs[1]


def _vjp_eigvalsh(node: Operation, adjoint: Tensor) -> Tensor:
    vectors = _vectors(node)
    return matmul(vectors * as_row(adjoint), turned(vectors))


def _jvp_eigvalsh(node: Operation, tangents: Tangents) -> Tensor:
    assert tangents[0] is not None
    vectors = _vectors(node)
    moved = conjugated(vectors) * matmul(symmetric(tangents[0]), vectors)
    return reduction.sum(real(moved), -2)


EIGVALSH = register(
    OpDef(
        "eigvalsh",
        operands=("x",),
        infer=_infer_eigvalsh,
        reference=_reference_eigvalsh,
        attrs=("lower",),
        dtypes=dtypes.INEXACT,
        holomorphic=False,
        vjp=(_vjp_eigvalsh,),
        jvp=_jvp_eigvalsh,
        doc="Eigenvalues of symmetric matrices, ascending.",
    )
)


def eigvalsh(x: Any, UPLO: str = "L", *, name: str | None = None) -> Tensor:
    """The eigenvalues of symmetric matrices ``(..., n, n)``, ascending, ``(..., n)``; see `eigh`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.eigvalsh(sg.constant([[0.0, 1.0], [1.0, 0.0]])))
    array([-1.,  1.], dtype=float32)
    """
    tensor = as_matrices("eigvalsh", x, square=True)
    attrs = {"lower": _reads_lower("eigvalsh", UPLO)}
    return tensor.graph.add(EIGVALSH, (tensor,), attrs, name).out


# -- singular values ------------------------------------------------------------------------------


class SingularDecomposition(NamedTuple):
    """What `svd` gives: left vectors as columns, singular values, right vectors as rows."""

    U: Tensor
    S: Tensor
    Vh: Tensor


def _infer_svdvals(types: Types, attrs: Attrs) -> TensorType:
    shape = matrix_shape(types[0], "x")
    real_type = types[0].with_dtype(dtypes.part_of(types[0].dtype))
    return real_type.with_shape(None if shape is None else (*shape[:-2], least(*shape[-2:])))


def _infer_svd(types: Types, attrs: Attrs) -> Types:
    x = types[0]
    shape = matrix_shape(x, "x")
    real_type = x.with_dtype(dtypes.part_of(x.dtype))
    if shape is None:
        return x, real_type, x
    *batch, rows, columns = shape
    shared = least(rows, columns)
    left, right = (rows, columns) if attrs["full_matrices"] else (shared, shared)
    return (
        x.with_shape((*batch, rows, left)),
        real_type.with_shape((*batch, shared)),
        x.with_shape((*batch, right, columns)),
    )


def _reference_svd(x: Array, *, full_matrices: bool) -> tuple[Array, Array, Array]:
    checked_finite(x, "singular values")
    try:
        left, values, right = np.linalg.svd(x, full_matrices)
    except np.linalg.LinAlgError:
        raise not_converged("singular values") from None
    return left, values, right


def _reference_svdvals(x: Array) -> Array:
    checked_finite(x, "singular values")
    try:
        return np.linalg.svd(x, compute_uv=False)
    except np.linalg.LinAlgError:
        raise not_converged("singular values") from None


class _Svd:
    """The factors of a node's operand; of full ones the vectors without a value apart."""

    def __init__(self, node: Operation) -> None:
        left, self.values, right = node.outputs
        self.right = right = turned(right)
        self.left, self.more_left, self.more_right = left, None, None
        shape = node.inputs[0].type.shape
        rows, columns = (None, None) if shape is None else shape[-2:]
        self.known = isinstance(rows, int) and isinstance(columns, int)
        self.tall = not self.known or rows > columns  # type: ignore[operator]
        self.wide = not self.known or rows < columns  # type: ignore[operator]
        if node.attrs["full_matrices"]:
            self.left, self.more_left = self.split(left, self.tall)
            self.right, self.more_right = self.split(right, self.wide)
        negligible = ew.less_equal(self.values, _rounding(self.values))
        self.inverse = reciprocal(self.values, negligible)

    def split(self, vectors: Tensor, longer: bool) -> Any:
        """Vectors that belong to a value, and those that do not."""
        if not longer:
            return vectors, None
        count = extent(self.values, -1)
        return vectors[..., :count], vectors[..., count:]

    def outside(self, vectors: Tensor, x: Tensor) -> Tensor:
        """What of the columns of `x` is outside of the space of `vectors`."""
        return x - times(vectors, turned(vectors), x)


def _skew(x: Tensor) -> Tensor:
    """The antihermitian part of `x`."""
    return (x - turned(x)) * 0.5


def _vjp_svd(node: Operation, adjoints: Tangents) -> Tangents:
    of_left, of_values, of_right = adjoints
    svd = _Svd(node)
    inverse = as_row(svd.inverse)
    left, right = svd.left, svd.right
    inner: Tensor | None = None
    outer: list[Tensor] = []
    # Both vectors of a pair turn together, and against each other: the first is what two equal
    # values leave free, the second only two zeros do.
    together: Tensor | None = None
    against: Tensor | None = None
    if of_left is not None:
        own, more = svd.split(of_left, svd.tall and svd.more_left is not None)
        together = against = _skew(matmul(turned(left), own))
        if svd.tall:
            moved = svd.outside(left, own)
            if more is not None and svd.more_left is not None:
                moved = moved - times(svd.more_left, turned(more), left)
            outer.append(matmul(moved * inverse, turned(right)))
    if of_right is not None:
        of_right = turned(of_right)
        own, more = svd.split(of_right, svd.wide and svd.more_right is not None)
        across = _skew(matmul(turned(right), own))
        together = across if together is None else together + across
        against = -across if against is None else against - across
        if svd.wide:
            moved = svd.outside(right, own)
            if more is not None and svd.more_right is not None:
                moved = moved - times(svd.more_right, turned(more), right)
            outer.append(matmul(left * inverse, turned(moved)))
    if together is not None and against is not None:
        inner = _gaps(svd.values) * together + _sums(svd.values) * against
    if of_values is not None:
        if inner is None:
            inner_product = matmul(left * as_row(of_values), turned(right))
            return (inner_product,)
        inner = inner + _scaled_diagonal(inner, of_values)
    assert inner is not None
    total = times(left, inner, turned(right))
    for part in outer:
        total = total + part
    return (total,)


SVD = register(
    OpDef(
        "svd",
        operands=("x",),
        infer=_infer_svd,
        reference=_reference_svd,
        attrs=("full_matrices",),
        dtypes=dtypes.INEXACT,
        holomorphic=False,
        vjp=Joint(_vjp_svd),
        jvp=TRANSPOSED,
        doc="Singular values, descending, with left vectors as columns and right vectors as rows.",
    )
)


@overload
def svd(
    x: Any,
    full_matrices: bool = True,
    compute_uv: Literal[True] = True,
    hermitian: bool = False,
    *,
    name: str | None = None,
) -> SingularDecomposition: ...


@overload
def svd(
    x: Any,
    full_matrices: bool = True,
    *,
    compute_uv: Literal[False],
    hermitian: bool = False,
    name: str | None = None,
) -> Tensor: ...


@overload
def svd(
    x: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
    *,
    name: str | None = None,
) -> SingularDecomposition | Tensor: ...


def svd(
    x: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
    *,
    name: str | None = None,
) -> SingularDecomposition | Tensor:
    """The factors of ``x = U @ diag(S) @ Vh``.

    x               matrices ``(..., m, n)``
    full_matrices   gives square U ``(..., m, m)`` and Vh ``(..., n, n)``; else U is ``(..., m, k)``
                    and Vh ``(..., k, n)`` with ``k = min(m, n)``
    compute_uv      False gives S alone, as `svdvals` does
    hermitian       takes `x` for Hermitian, and reads its lower triangle alone

    Returns ``(U, S, Vh)``, a named tuple; S is ``(..., k)``, descending. The sign of a pair of
    vectors is LAPACK's choice. Derivatives: J. Townsend, "Differentiating the singular value
    decomposition" (2016); of complex matrices they are those of functions that do not depend on the
    phase of a pair. The vectors that belong to no singular value, which only
    ``full_matrices=True`` gives, may be turned freely: derivatives are those of functions that do
    not depend on how. Raises RunError in a run for NaN and infinities.

    >>> import staticgraph as sg
    >>> U, S, Vh = sg.linalg.svd(sg.constant([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]]))
    >>> U.shape, sg.Session().run(S)
    ((3, 3), array([4., 3.], dtype=float32))
    """
    attrs = {"full_matrices": as_bool("svd", "full_matrices", full_matrices)}
    with_vectors = as_bool("svd", "compute_uv", compute_uv)
    is_hermitian = as_bool("svd", "hermitian", hermitian)
    tensor = as_matrices("svd", x, square=is_hermitian)
    if is_hermitian:
        tensor = mirrored(tensor)
    if not with_vectors:
        return tensor.graph.add(SVDVALS, (tensor,), name=name).out
    return SingularDecomposition(*tensor.graph.add(SVD, (tensor,), attrs, name).outputs)


def _pairs(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    left, values, right = x.graph.add(SVD, (x,), {"full_matrices": False}).outputs
    return left, values, right


def _vjp_svdvals(node: Operation, adjoint: Tensor) -> Tensor:
    left, _, right = _pairs(node.inputs[0])
    return matmul(left * as_row(adjoint), right)


def _jvp_svdvals(node: Operation, tangents: Tangents) -> Tensor:
    assert tangents[0] is not None
    left, _, right = _pairs(node.inputs[0])
    moved = conjugated(left) * matmul(tangents[0], turned(right))
    return reduction.sum(real(moved), -2)


SVDVALS = register(
    OpDef(
        "svdvals",
        operands=("x",),
        infer=_infer_svdvals,
        reference=_reference_svdvals,
        dtypes=dtypes.INEXACT,
        holomorphic=False,
        vjp=(_vjp_svdvals,),
        jvp=_jvp_svdvals,
        doc="Singular values, descending.",
    )
)


def svdvals(x: Any, *, name: str | None = None) -> Tensor:
    """The singular values of matrices ``(..., m, n)``, descending, ``(..., min(m, n))``.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.svdvals(sg.constant([[3.0, 0.0], [0.0, 4.0]])))
    array([4., 3.], dtype=float32)
    """
    tensor = as_matrices("svdvals", x)
    return tensor.graph.add(SVDVALS, (tensor,), name=name).out
