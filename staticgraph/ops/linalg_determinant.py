"""Determinants, from LU factors; and cofactors, which are their derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import TRANSPOSED, Attrs, Joint, OpDef, Types, register
from staticgraph.core.types import TensorType
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction
from staticgraph.ops.branches import cond
from staticgraph.ops.complex import complex as complex_number
from staticgraph.ops.complex import conjugated, imag, real
from staticgraph.ops.linalg_common import (
    Array,
    as_matrices,
    check_square,
    identity_like,
    infer_square,
    on_diagonal,
    square_shape,
)
from staticgraph.ops.linalg_factor import WITH_FACTORS, check_factors, factored, solve_with
from staticgraph.ops.linalg_products import matmul
from staticgraph.ops.shaping import broadcast_like, expand_dims, matrix_transpose

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
    """The matrices of cofactors: by the inverse, or where one of them is singular by all others."""
    x, factors, pivots = node.inputs

    def by_inverse() -> Tensor:
        unit = broadcast_like(identity_like(x), x)
        inverse = solve_with(x, factors, pivots, unit, transposed=True)
        return expand_dims(node.out, (-2, -1)) * inverse

    if x.dtype in dtypes.COMPLEX:
        return by_inverse()
    diagonal = reduction.sum(ew.where(on_diagonal(factors), factors, ew.zero_of(factors)), -1)
    negligible = reduction.norm(diagonal, -1, keepdims=True) * float(16 * np.finfo(x.dtype).eps)
    singular = reduction.any(ew.less_equal(ew.abs(diagonal), negligible))
    # The singular values cost many times as much.
    found: Tensor = cond(singular, lambda: _cofactors(x), by_inverse)
    return found


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

    Its derivative is the matrix of cofactors, which is finite for singular matrices too (Giles
    2008, 2.2.4); the second derivative asks for the inverse, and is a RunError for these, as the
    first one is for singular complex matrices.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linalg.det(sg.constant([[2.0, 1.0], [1.0, 3.0]])))
    np.float32(5.0)
    """
    tensor = as_matrices("det", x, square=True)
    return tensor.graph.add(DET, factored(tensor), name=name).out


def _reference_cofactors(x: Array) -> Array:
    check_square(x)
    left, values, right = np.linalg.svd(x)
    sign = np.linalg.det(left) * np.linalg.det(right)
    before = np.cumprod(np.concatenate([np.ones_like(values[..., :1]), values[..., :-1]], -1), -1)
    after = np.cumprod(np.concatenate([np.ones_like(values[..., :1]), values[..., :0:-1]], -1), -1)[
        ..., ::-1
    ]
    scaled = left * (before * after)[..., None, :]
    return np.asarray(np.round(sign)[..., None, None] * (scaled @ right), x.dtype)


def _inverse_transposed(x: Tensor) -> Tensor:
    unit = broadcast_like(identity_like(x), x)
    return solve_with(*factored(x), unit, transposed=True)


def _vjp_cofactors(node: Operation, adjoint: Tensor) -> Tensor:
    inverse = _inverse_transposed(node.inputs[0])
    weight = reduction.sum(adjoint * node.out, (-2, -1), keepdims=True)
    turned = matmul(matmul(node.out, matrix_transpose(adjoint)), inverse)
    return weight * inverse - turned


COFACTORS = register(
    OpDef(
        "cofactors",
        operands=("x",),
        infer=infer_square,
        reference=_reference_cofactors,
        dtypes=dtypes.FLOATING,
        vjp=(_vjp_cofactors,),
        jvp=TRANSPOSED,
        doc="The matrix of cofactors, ``det(x)`` times the transposed inverse where there is one; "
        "it is the derivative of the determinant.",
    )
)


def _cofactors(x: Tensor) -> Tensor:
    return x.graph.add(COFACTORS, (x,)).out


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
