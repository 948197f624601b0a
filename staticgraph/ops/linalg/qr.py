"""Orthogonal columns and an upper triangle: qr."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, overload

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import TRANSPOSED, Attrs, Joint, OpDef, Types, register
from staticgraph.ops import elementwise as ew
from staticgraph.ops.complex import real
from staticgraph.ops.joining import concat
from staticgraph.ops.linalg.common import (
    Array,
    as_matrices,
    extent,
    least,
    lower_part,
    matrix_shape,
    on_diagonal,
    shorter,
    turned,
)
from staticgraph.ops.linalg.factor import SOLVE_TRIANGULAR
from staticgraph.ops.linalg.products import matmul, times
from staticgraph.ops.sizes import refusal

Tangents = Sequence[Tensor | None]


class QRDecomposition(NamedTuple):
    """What `qr` gives: orthogonal columns, and an upper triangle."""

    Q: Tensor
    R: Tensor


def _infer_qr(types: Types, attrs: Attrs) -> Types:
    x = types[0]
    shape = matrix_shape(x, "x")
    if shape is None:
        return x, x
    *batch, rows, columns = shape
    inner = rows if attrs["complete"] else least(rows, columns)
    return x.with_shape((*batch, rows, inner)), x.with_shape((*batch, inner, columns))


def _reference_qr(x: Array, *, complete: bool) -> tuple[Array, Array]:
    orthogonal, upper = np.linalg.qr(x, "complete" if complete else "reduced")
    return orthogonal, upper


def _zeros_for(node: Operation, adjoints: Tangents) -> list[Tensor]:
    return [
        out * 0 if adjoint is None else adjoint
        for out, adjoint in zip(node.outputs, adjoints, strict=True)
    ]


def _vjp_qr(node: Operation, adjoints: Tangents) -> Tangents:
    (x,) = node.inputs
    q, r = node.outputs
    of_q, of_r = _zeros_for(node, adjoints)
    shape = x.type.shape
    rows, columns = (None, None) if shape is None else shape[-2:]
    known = isinstance(rows, int) and isinstance(columns, int)
    wide = not known or rows < columns  # type: ignore[operator]
    tall = not known or rows > columns  # type: ignore[operator]
    rest: list[Tensor] = []
    count = extent(r, -2) if not node.attrs["complete"] else shorter(x)
    more_q: Tensor | None = None
    if node.attrs["complete"] and tall:
        # What belongs to no column may be turned freely.
        q, more_q = q[..., :count], q[..., count:]
        of_q, of_more = of_q[..., :count], of_q[..., count:]
        r, of_r = r[..., :count, :], of_r[..., :count, :]
        of_q = of_q - times(more_q, turned(of_more), q)
    if wide:
        # The columns beyond the square part are q times the rest of r.
        of_rest = of_r[..., count:]
        of_q = of_q + matmul(x[..., count:], turned(of_rest))
        rest = [matmul(q, of_rest)]
        r, of_r = r[..., :count], of_r[..., :count]
    inner = matmul(r, turned(of_r)) - matmul(turned(of_q), q)
    below = lower_part(inner, strict=True)
    inner = below + turned(below) + ew.where(on_diagonal(inner), real(inner), 0.0)
    right = of_q + matmul(q, inner)
    attrs = {"lower": False, "transposed": False, "unit_diagonal": False}
    found = r.graph.add(SOLVE_TRIANGULAR, (r, turned(right)), attrs).out
    square = turned(found)
    return (concat([square, *rest], -1) if rest else square,)


QR = register(
    OpDef(
        "qr",
        operands=("x",),
        infer=_infer_qr,
        reference=_reference_qr,
        attrs=("complete",),
        dtypes=dtypes.INEXACT,
        holomorphic=False,
        vjp=Joint(_vjp_qr),
        jvp=TRANSPOSED,
        doc="Orthogonal columns and an upper triangle whose product is the operand.",
    )
)


@overload
def qr(
    x: Any, mode: Literal["reduced", "complete"] = "reduced", *, name: str | None = None
) -> QRDecomposition: ...


@overload
def qr(x: Any, mode: Literal["r"], *, name: str | None = None) -> Tensor: ...


@overload
def qr(x: Any, mode: str = "reduced", *, name: str | None = None) -> QRDecomposition | Tensor: ...


def qr(x: Any, mode: str = "reduced", *, name: str | None = None) -> QRDecomposition | Tensor:
    """The factors of ``x = Q @ R``, Q with orthonormal columns and R upper triangular.

    x      matrices ``(..., m, n)``
    mode   "reduced": Q is ``(..., m, k)``, R ``(..., k, n)`` with ``k = min(m, n)``; "complete": Q
           is ``(..., m, m)``, R ``(..., m, n)``; "r": the R of "reduced" alone

    Returns ``(Q, R)``, a named tuple. Signs are those of Householder's reflections, as in NumPy.
    Derivatives: M. Seeger et al., "Auto-Differentiating Linear Algebra" (2017), and for wide
    matrices D. Roberts and L. Roberts, "QR and LQ decomposition matrix backpropagation algorithms"
    (2020); the columns that only "complete" adds may be turned freely, and derivatives are those of
    functions that do not depend on how. They need the first k columns to be independent, and are a
    RunError where one is exactly not.

    >>> import staticgraph as sg
    >>> Q, R = sg.linalg.qr(sg.constant([[3.0], [4.0]]))
    >>> sg.Session().run([Q, R])
    [array([[-0.6],
           [-0.8]], dtype=float32), array([[-5.]], dtype=float32)]
    """
    if mode not in ("reduced", "complete", "r"):
        raise refusal("qr", f"mode={mode!r} is no mode", "give 'reduced', 'complete' or 'r'")
    tensor = as_matrices("qr", x)
    attrs = {"complete": mode == "complete"}
    made = QRDecomposition(*tensor.graph.add(QR, (tensor,), attrs, name).outputs)
    return made.R if mode == "r" else made
