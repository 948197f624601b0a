"""Cofactors: the derivatives of determinants, of every order, at every matrix.

A determinant is a polynomial of the elements, so all its derivatives exist at singular matrices
too, where a rule that asks for the inverse has none. Here a matrix comes with two others that make
it diagonal without changing its determinant::

    left.T @ x @ right = diag(values)        det(left) * det(right) = 1

Then ``det(x + e) = det(diag(values) + f)`` with ``f = left.T @ e @ right``, and what a
product of k elements of f is multiplied with there is the product of all values but k of them:
no derivative divides by anything. Derivative k + 1 is a form in k + 1 changes that does not depend
on their order, so one op, the form with one change left open, is closed under differentiation.

Orders up to the second take as long as the products of matrices around them; order k + 1 multiplies
n ** (k + 1) products for matrices of n rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import Attrs, Mismatch, Numbered, OpDef, Types, register
from staticgraph.core.types import TensorType, compatible
from staticgraph.ops.linalg.common import Array, one_dtype, square_shape

Tangents = Sequence[Tensor | None]

# The operands before the changes.
_LEAD = 4


def orders(count: int) -> list[tuple[tuple[int, ...], int]]:
    """Every order of `count` numbers, with its sign: the terms of a determinant."""
    found = []
    for order in itertools.permutations(range(count)):
        inversions = sum(a > b for a, b in itertools.combinations(order, 2))
        found.append((order, -1 if inversions % 2 else 1))
    return found


def _infer_cofactors(types: Types, attrs: Attrs) -> TensorType:
    x, left, values, right, *changes = types
    shape = square_shape(x, "x")
    one_dtype(types)
    for label, type in [("left", left), ("right", right), *[("a change", c) for c in changes]]:
        if not compatible(shape, type.shape):
            raise Mismatch(f"{label} has another shape than x", "they must be equal")
    if not compatible(None if shape is None else shape[:-1], values.shape):
        raise Mismatch("values are not those of x", "there is one for each row")
    return x.with_shape(shape)


def _others(values: Array, count: int) -> Array:
    """The products of all values but `count` of them, 0 where two of these are the same."""
    size = values.shape[-1]
    places = np.indices((size,) * count).reshape((count, *(size,) * count))
    kept = np.ones((*(size,) * count, size), bool)
    apart = np.ones((size,) * count, bool)
    for number, place in enumerate(places):
        kept &= place[..., None] != np.arange(size)
        for other in places[:number]:
            apart &= place != other
    spread = values.reshape((*values.shape[:-1], *(1,) * count, size))
    product = np.prod(np.where(kept, spread, values.dtype.type(1)), axis=-1)
    return np.asarray(np.where(apart, product, values.dtype.type(0)))


def _reference_cofactors(
    x: Array, left: Array, values: Array, right: Array, *changes: Array
) -> Array:
    count = len(changes) + 1
    turned = [np.swapaxes(left, -1, -2) @ change @ right for change in changes]
    others = _others(values, count)
    letters = "abcdefghijklmnopqrstuvwxyz"[:count]
    last = letters[-1]
    found = np.zeros_like(x)
    for order, sign in orders(count):
        factors = [f"...{letters[i]}{letters[order[i]]}" for i in range(count - 1)]
        column = letters[order[-1]]
        if column == last:
            along = np.einsum(",".join([f"...{letters}", *factors]) + f"->...{last}",
                              others, *turned)  # fmt: skip
            term = along[..., None] * np.eye(x.shape[-1], dtype=x.dtype)
        else:
            term = np.einsum(",".join([f"...{letters}", *factors]) + f"->...{last}{column}",
                             others, *turned)  # fmt: skip
        found = found + sign * term
    return np.asarray(left @ found @ np.swapaxes(right, -1, -2), x.dtype)


def _vjp_cofactors(node: Operation, adjoint: Tensor, number: int) -> Tensor | None:
    if 0 < number < _LEAD:
        return None
    return _moved(node, number, adjoint)


def _moved(node: Operation, number: int, change: Tensor) -> Tensor:
    """The form with one more change, or with another one in the place of operand `number`."""
    operands = list(node.inputs)
    if number == 0:
        operands.append(change)
    else:
        operands[number] = change
    return change.graph.add(COFACTORS, tuple(operands)).out


def _jvp_cofactors(node: Operation, tangents: Tangents) -> Tensor:
    total: Tensor | None = None
    for number, tangent in enumerate(tangents):
        if tangent is None or 0 < number < _LEAD:
            continue
        part = _moved(node, number, tangent)
        total = part if total is None else total + part
    assert total is not None
    return total


COFACTORS: OpDef = register(
    OpDef(
        "cofactors",
        operands=("x", "left", "values", "right", "changes*"),
        infer=_infer_cofactors,
        reference=_reference_cofactors,
        dtypes=dtypes.INEXACT,
        vjp=Numbered(_vjp_cofactors),
        jvp=_jvp_cofactors,
        title="det",
        doc="The matrix of cofactors, which is the derivative of the determinant of `x`; with k "
        "changes its derivative of order k along these. ``left.T @ x @ right`` is diagonal, with "
        "`values`, and has the determinant of `x`.",
    )
)


def cofactors(x: Tensor, left: Tensor, values: Tensor, right: Tensor) -> Tensor:
    """The matrix of cofactors, ``det(x)`` times the transposed inverse where there is one.

    left, values, right   ``left.T @ x @ right = diag(values)``, with ``det(left) * det(right) = 1``
    """
    return x.graph.add(COFACTORS, (x, left, values, right)).out
