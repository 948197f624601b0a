"""Eigenvalues and eigenvectors of any square matrices: eig, eigvals.

Both are complex, whatever the operand is. An eigenvector has norm 1, and its phase is LAPACK's
choice: derivatives are those of functions that do not depend on it. They divide by differences of
eigenvalues; where two are equal, as far as rounding tells, what their vectors would contribute is
taken as 0, as for `eigh`. A matrix that has not as many vectors as rows, or nearly so, has no
derivative: its vectors are a singular matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import Attrs, Joint, OpDef, Types, register
from staticgraph.core.types import TensorType
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction
from staticgraph.ops.complex import complex as complex_number
from staticgraph.ops.complex import conjugated, real
from staticgraph.ops.convert import cast
from staticgraph.ops.linalg.common import (
    Array,
    as_column,
    as_matrices,
    as_row,
    check_square,
    on_diagonal,
    square_shape,
    turned,
)
from staticgraph.ops.linalg.factor import factored, solve_with
from staticgraph.ops.linalg.parts import diagonal
from staticgraph.ops.linalg.products import matmul
from staticgraph.ops.linalg.spectral import checked_finite, not_converged, reciprocal

Tangents = Sequence[Tensor | None]


class GeneralDecomposition(NamedTuple):
    """What `eig` gives: eigenvalues in LAPACK's order, eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def _infer_eigvals(types: Types, attrs: Attrs) -> TensorType:
    shape = square_shape(types[0], "x")
    whole = types[0].with_dtype(dtypes.to_complex(types[0].dtype))
    return whole.with_shape(None if shape is None else shape[:-1])


def _infer_eig(types: Types, attrs: Attrs) -> Types:
    values = _infer_eigvals(types, attrs)
    return values, values.with_shape(square_shape(types[0], "x"))


def _reference_eig(x: Array) -> tuple[Array, Array]:
    check_square(x)
    checked_finite(x, "eigenvalues")
    try:
        values, vectors = np.linalg.eig(x)
    except np.linalg.LinAlgError:
        raise not_converged("eigenvalues") from None
    whole = dtypes.to_complex(x.dtype)
    return values.astype(whole), vectors.astype(whole)


def _reference_eigvals(x: Array) -> Array:
    check_square(x)
    checked_finite(x, "eigenvalues")
    try:
        return np.linalg.eigvals(x).astype(dtypes.to_complex(x.dtype))
    except np.linalg.LinAlgError:
        raise not_converged("eigenvalues") from None


def _gaps(values: Tensor) -> Tensor:
    """``1 / (values[j] - values[i])``, and 0 where the two are equal as far as rounding tells."""
    gap = as_row(values) - as_column(values)
    epsilon = float(np.finfo(values.dtype).eps)
    limit = reduction.norm(ew.abs(values), -1, keepdims=True) * (4 * epsilon)
    return reciprocal(gap, ew.less_equal(ew.abs(gap), as_row(limit)))


def _real_columns(x: Tensor, scales: Tensor) -> Tensor:
    """The columns of `x`, each multiplied by the real part of a diagonal element of `scales`."""
    parts = real(diagonal(scales))
    return x * as_row(complex_number(parts, ew.zero_of(parts)))


def _pulled_back(x: Tensor, vectors: Tensor, inner: Tensor) -> Tensor:
    """The adjoint of `x` from that of ``inv(vectors) @ x @ vectors``."""
    back = turned(vectors)
    found = matmul(solve_with(*factored(back), inner), back)
    return found if x.dtype in dtypes.COMPLEX else real(found)


def _vjp_eig(node: Operation, adjoints: Tangents) -> Tangents:
    of_values, of_vectors = adjoints
    values, vectors = node.outputs
    inner: Tensor | None = None
    if of_vectors is not None:
        moved = matmul(turned(vectors), of_vectors)
        # A vector does not become longer.
        moved = moved - _real_columns(matmul(turned(vectors), vectors), moved)
        inner = conjugated(_gaps(values)) * moved
    if of_values is not None:
        straight = ew.where(on_diagonal(vectors), as_row(of_values), ew.zero_of(of_values))
        inner = straight if inner is None else inner + straight
    assert inner is not None
    return (_pulled_back(node.inputs[0], vectors, inner),)


def _pushed_forward(vectors: Tensor, tangent: Tensor) -> Tensor:
    """``inv(vectors) @ tangent @ vectors``."""
    return solve_with(*factored(vectors), matmul(cast(tangent, vectors.dtype), vectors))


def _jvp_eig(node: Operation, tangents: Tangents) -> Tangents:
    assert tangents[0] is not None
    values, vectors = node.outputs
    inner = _pushed_forward(vectors, tangents[0])
    moved = matmul(vectors, _gaps(values) * inner)
    longer = matmul(turned(vectors), moved)
    return diagonal(inner), moved - _real_columns(vectors, longer)


EIG = register(
    OpDef(
        "eig",
        operands=("x",),
        infer=_infer_eig,
        reference=_reference_eig,
        dtypes=dtypes.INEXACT,
        holomorphic=False,
        vjp=Joint(_vjp_eig),
        jvp=_jvp_eig,
        doc="Complex eigenvalues, and eigenvectors of norm 1 as columns, of any square matrices.",
    )
)


def eig(x: Any, *, name: str | None = None) -> GeneralDecomposition:
    """Eigenvalues and eigenvectors of any square matrices; of symmetric ones `eigh` is better.

    x   matrices ``(..., n, n)``, real or complex; integers become floats

    Returns ``(eigenvalues, eigenvectors)``, a named tuple: ``(..., n)``, in LAPACK's order, and
    ``(..., n, n)``, a vector of norm 1 per column. Both are complex for real matrices too. The
    phase of a vector is LAPACK's choice. Derivatives: C. Boeddeker et al., "On the computation of
    complex-valued gradients with application to statistically optimum beamforming" (2017),
    with the norm of the vectors kept at 1; they are those of functions that do not depend on
    phases. Raises ShapeError for what is not square, RunError in a run for NaN and infinities, and
    in its derivatives for matrices whose vectors depend on each other.

    >>> import staticgraph as sg
    >>> values, vectors = sg.linalg.eig(sg.constant([[2.0, 0.0], [1.0, 1.0]]))
    >>> sg.Session().run(values)
    array([1.+0.j, 2.+0.j], dtype=complex64)
    """
    tensor = as_matrices("eig", x, square=True)
    return GeneralDecomposition(*tensor.graph.add(EIG, (tensor,), name=name).outputs)


def _vectors(node: Operation) -> Tensor:
    return node.graph.add(EIG, node.inputs).outputs[1]


def _vjp_eigvals(node: Operation, adjoint: Tensor) -> Tensor:
    vectors = _vectors(node)
    inner = ew.where(on_diagonal(vectors), as_row(adjoint), ew.zero_of(adjoint))
    return _pulled_back(node.inputs[0], vectors, inner)


def _jvp_eigvals(node: Operation, tangents: Tangents) -> Tensor:
    assert tangents[0] is not None
    return diagonal(_pushed_forward(_vectors(node), tangents[0]))


EIGVALS = register(
    OpDef(
        "eigvals",
        operands=("x",),
        infer=_infer_eigvals,
        reference=_reference_eigvals,
        dtypes=dtypes.INEXACT,
        holomorphic=False,
        vjp=(_vjp_eigvals,),
        jvp=_jvp_eigvals,
        doc="The complex eigenvalues of any square matrices.",
    )
)


def eigvals(x: Any, *, name: str | None = None) -> Tensor:
    """The eigenvalues of square matrices ``(..., n, n)``, complex, ``(..., n)``; see `eig`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.eigvals(sg.constant([[0.0, 1.0], [-1.0, 0.0]])))
    array([0.+1.j, 0.-1.j], dtype=complex64)
    """
    tensor = as_matrices("eigvals", x, square=True)
    return tensor.graph.add(EIGVALS, (tensor,), name=name).out
