"""Determinants, from LU factors. Their derivatives are in cofactors.py."""

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
from staticgraph.ops.branches import cond
from staticgraph.ops.complex import complex as complex_number
from staticgraph.ops.complex import conjugated, imag, real
from staticgraph.ops.control import stop_gradient
from staticgraph.ops.convert import cast
from staticgraph.ops.creation import arange
from staticgraph.ops.linalg.cofactors import cofactors
from staticgraph.ops.linalg.common import (
    Array,
    as_column,
    as_matrices,
    as_row,
    check_square,
    identity_like,
    lower_part,
    on_diagonal,
    square_shape,
    turned,
)
from staticgraph.ops.linalg.factor import (
    SOLVE_TRIANGULAR,
    WITH_FACTORS,
    check_factors,
    factored,
    solve_with,
)
from staticgraph.ops.linalg.parts import diagonal
from staticgraph.ops.linalg.spectral import SVD
from staticgraph.ops.shaping import broadcast_like, expand_dims
from staticgraph.ops.sizes import size

Tangents = Sequence[Tensor | None]


def _infer_det(types: Types, attrs: Attrs) -> TensorType:
    check_factors(*types)
    shape = square_shape(types[0], "x")
    return types[0].with_shape(None if shape is None else shape[:-2])


def _signed_diagonal(factors: Array, pivots: Array) -> Array:
    """The diagonal of U, with the sign of every exchange of rows."""
    kept = pivots == np.arange(pivots.shape[-1])
    diagonal = np.diagonal(factors, axis1=-2, axis2=-1)
    return np.where(kept, diagonal, -diagonal)


def _reference_det(x: Array, factors: Array, pivots: Array) -> Any:
    check_square(x)
    return np.prod(_signed_diagonal(factors, pivots), axis=-1)


def _vjp_det(node: Operation, adjoint: Tensor) -> Tensor:
    return expand_dims(adjoint, (-2, -1)) * _slope_of_det(node)


def _jvp_det(node: Operation, tangents: Tangents) -> Tensor:
    assert tangents[0] is not None
    return reduction.sum(_slope_of_det(node) * tangents[0], (-2, -1))


def _slope_of_det(node: Operation) -> Tensor:
    """The matrix of cofactors."""
    x, factors, pivots = node.inputs
    return cofactors(x, *_diagonalized(stop_gradient(x), factors, pivots))


def _diagonalized(x: Tensor, factors: Tensor, pivots: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`left`, `values` and `right`, as `cofactors` wants them.

    The LU factors give them where at most the last pivot is small; a matrix of lower rank asks for
    its singular vectors, which cost many times as much.
    """
    pivot = diagonal(factors)
    if factors.type.shape is not None and factors.type.shape[-1] in (0, 1):
        return _by_factors(x, factors, pivots, pivot)
    above = pivot[..., :-1]
    largest = reduction.norm(ew.abs(pivot), -1, keepdims=True)
    # The error of what is divided by a pivot grows with the first power of what is lost in it, that
    # of the second derivative with the second.
    lost = float(np.finfo(x.dtype).eps) ** (1 / 3)
    small = ew.logical_and(ew.less_equal(ew.abs(above), largest * lost), ew.isfinite(largest))
    found: tuple[Tensor, Tensor, Tensor] = cond(
        reduction.any(small),
        lambda: _by_singular_values(x),
        lambda: _by_factors(x, factors, pivots, pivot),
    )
    return found


def _by_factors(
    x: Tensor, factors: Tensor, pivots: Tensor, pivot: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """From ``P @ x = L @ D @ R`` with unit triangles L and R."""
    identity = identity_like(x)
    unit = broadcast_like(identity, x)
    lower = lower_part(factors, strict=True) + identity
    left = solve_with(x, lower, pivots, unit, transposed=True)
    # Nothing is above the diagonal in the last row, whose pivot may be 0.
    scale = ew.where(ew.equal(pivot, 0), ew.zero_of(pivot) + 1, pivot)
    attrs = {"lower": False, "transposed": False, "unit_diagonal": True}
    right = x.graph.add(SOLVE_TRIANGULAR, (factors / as_column(scale), unit), attrs).out
    kept = ew.equal(pivots, cast(arange(size(pivots, -1)), pivots.dtype))
    one = ew.zero_of(pivot) + 1
    sign = reduction.prod(ew.where(kept, one, -one), -1, keepdims=True)
    return _turned_by(sign, left, pivot, right)


def _by_singular_values(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    attrs = {"full_matrices": False}
    u, s, vh = x.graph.add(SVD, (x,), attrs).outputs
    left, right = conjugated(u), turned(vh)
    both = [x.graph.add(DET, factored(matrix)).out for matrix in (left, right)]
    sign = expand_dims(ew.sign(both[0] * both[1]), -1)
    return _turned_by(conjugated(sign), left, cast(s, x.dtype), right)


def _turned_by(
    sign: Tensor, left: Tensor, values: Tensor, right: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The same with the first column of `left`, and what it makes, multiplied by `sign`."""
    first = ew.equal(arange(size(values, -1)), 0)
    one = ew.zero_of(values) + 1
    sign = ew.where(first, sign, one)
    return left * as_row(sign), values * sign, right


DET = register(
    OpDef(
        "det",
        operands=("x", "factors", "pivots"),
        infer=_infer_det,
        reference=_reference_det,
        dtypes=WITH_FACTORS[:3],
        vjp=(_vjp_det, None, None),
        jvp=_jvp_det,
        doc="The determinant of `x` from its LU factors.",
    )
)


def det(x: Any, *, name: str | None = None) -> Tensor:
    """The determinant of square matrices ``(..., n, n)``, shape ``(...)``.

    A determinant is a polynomial, and has derivatives of every order at every matrix, singular or
    not. The first is the matrix of cofactors (Giles 2008, 2.2.4). Where the last pivot alone is
    small they follow from the LU factors; where the rank is lower than that, as far as rounding
    tells, from singular values.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.det(sg.constant([[2.0, 1.0], [1.0, 3.0]])))
    np.float32(5.0)
    """
    tensor = as_matrices("det", x, square=True)
    return tensor.graph.add(DET, factored(tensor), name=name).out


class SignAndLogarithm(NamedTuple):
    """What `slogdet` gives: the sign of a determinant and the logarithm of its absolute value."""

    sign: Tensor
    logabsdet: Tensor


def _infer_slogdet(types: Types, attrs: Attrs) -> Types:
    found = _infer_det(types, attrs)
    return found, found.with_dtype(dtypes.part_of(found.dtype))


def _reference_slogdet(x: Array, factors: Array, pivots: Array) -> tuple[Any, Any]:
    check_square(x)
    diagonal = _signed_diagonal(factors, pivots)
    return np.prod(np.sign(diagonal), axis=-1), np.sum(np.log(np.abs(diagonal)), axis=-1)


def _vjp_slogdet(node: Operation, adjoints: Tangents) -> Tangents:
    # Of t = trace(inv(x) @ dx) the logarithm moves by the real part, the phase by the other one.
    of_sign, of_trace = adjoints
    x, factors, pivots = node.inputs
    if of_sign is not None and x.dtype in dtypes.COMPLEX:
        turn = imag(conjugated(node.outputs[0]) * of_sign)
        real_part = ew.zero_of(turn) if of_trace is None else of_trace
        of_trace = complex_number(real_part, turn)
    if of_trace is None:
        return None, None, None
    unit = broadcast_like(identity_like(x), x)
    inverse = solve_with(x, factors, pivots, unit, transposed=True)
    return expand_dims(of_trace, (-2, -1)) * conjugated(inverse), None, None


def _jvp_slogdet(node: Operation, tangents: Tangents) -> Tangents:
    x, factors, pivots = node.inputs
    assert tangents[0] is not None
    moved = solve_with(x, factors, pivots, tangents[0])
    trace = reduction.sum(ew.where(on_diagonal(moved), moved, ew.zero_of(moved)), (-2, -1))
    if x.dtype not in dtypes.COMPLEX:
        return None, trace
    sign = node.outputs[0]
    return sign * complex_number(ew.zero_of(real(trace)), imag(trace)), real(trace)


SLOGDET = register(
    OpDef(
        "slogdet",
        operands=("x", "factors", "pivots"),
        infer=_infer_slogdet,
        reference=_reference_slogdet,
        dtypes=WITH_FACTORS[:3],
        holomorphic=False,
        vjp=Joint(_vjp_slogdet),
        jvp=_jvp_slogdet,
        doc="The sign and the logarithm of the absolute value of the determinant of `x`, from its "
        "LU factors.",
    )
)


def slogdet(x: Any, *, name: str | None = None) -> SignAndLogarithm:
    """The sign of the determinant and the logarithm of its absolute value, each ``(...)``.

    x   square matrices ``(..., n, n)``; of complex ones the sign is a number of absolute value 1

    Neither overflows where the determinant would. A singular matrix has sign 0 and logarithm -inf;
    the derivative of the logarithm, the transposed inverse, is a RunError there.

    >>> import staticgraph as sg
    >>> sign, logabsdet = sg.linalg.slogdet(sg.constant([[0.0, 1.0], [1.0, 0.0]]))
    >>> sg.Session().run([sign, logabsdet])
    [np.float32(-1.0), np.float32(0.0)]
    """
    tensor = as_matrices("slogdet", x, square=True)
    return SignAndLogarithm(*tensor.graph.add(SLOGDET, factored(tensor), name=name).outputs)
