"""Norms of vectors and matrices, all orders of NumPy and of the Array API standard.

They are made of other ops. Where a norm has a kink at 0 its derivative there is 0, the subgradient
of least length, as that of the absolute value; that of the orders of matrices that are made of
singular values is what the singular vectors give.
"""

from __future__ import annotations

import math
from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor, describe
from staticgraph.ops import elementwise as ew
from staticgraph.ops import reduction
from staticgraph.ops.axes import known_rank, several_axes
from staticgraph.ops.control import identity
from staticgraph.ops.convert import cast, is_tensor_like, promote
from staticgraph.ops.linalg.common import as_matrices
from staticgraph.ops.linalg.spectral import svdvals
from staticgraph.ops.reduction import NORM, Axis
from staticgraph.ops.shaping import expand_dims, permute_dims
from staticgraph.ops.sizes import as_bool, refusal


def _floating(x: Any) -> Tensor:
    """A floating tensor with the norms of `x`: of complex numbers their absolute values."""
    (tensor,) = promote((x,), floating=True)
    return ew.abs(tensor) if tensor.dtype in dtypes.COMPLEX else tensor


def _is_number(order: Any) -> bool:
    return isinstance(order, int | float) and not isinstance(order, bool)


def vector_norm(
    x: Any,
    *,
    axis: Axis = None,
    keepdims: bool = False,
    ord: float = 2,
    name: str | None = None,
) -> Tensor:
    """The norm of the vectors along `axis`: ``sum(abs(x) ** ord) ** (1 / ord)``.

    axis       an int, a tuple of ints whose elements count as one vector, or None for all
    keepdims   leaves the axes, with size 1
    ord        a number; inf gives the largest absolute value, -inf the smallest, 0 how many
               elements are not 0

    Integers become floats. At 0 the derivative is 0. Raises ShapeError for axes that `x` does not
    have and for an `ord` that is no number, and for inf and -inf of no elements.

    >>> import staticgraph as sg
    >>> x = sg.constant([3.0, -4.0])
    >>> sg.Session().run([sg.linalg.vector_norm(x), sg.linalg.vector_norm(x, ord=1)])
    [np.float32(5.0), np.float32(7.0)]
    """
    keepdims = as_bool("vector_norm", "keepdims", keepdims)
    if is_tensor_like(ord) or not _is_number(ord) or math.isnan(ord):
        raise refusal(
            "vector_norm", f"ord={ord!r} is no order", "give a number, math.inf or -math.inf"
        )
    tensor = _floating(x)
    axes = several_axes(NORM, tensor, axis)
    if ord == 2:
        return reduction.norm(tensor, axes, keepdims, name=name)
    if ord == math.inf:
        return reduction.max(ew.abs(tensor), axes, keepdims, name=name)
    if ord == -math.inf:
        return reduction.min(ew.abs(tensor), axes, keepdims, name=name)
    if ord == 1:
        return reduction.sum(ew.abs(tensor), axes, keepdims, name=name)
    if ord == 0:
        nonzero = cast(ew.not_equal(tensor, 0), tensor.dtype)
        return reduction.sum(nonzero, axes, keepdims, name=name)
    total = reduction.sum(ew.pow(ew.abs(tensor), float(ord)), axes, keepdims)
    # The root has an infinite slope at 0, which would make NaN of the slope 0 of a power.
    nothing = ew.equal(total, 0)
    root = ew.pow(ew.where(nothing, 1.0, total), 1.0 / float(ord))
    return ew.where(nothing, 0.0, root, name=name)


_MATRIX_ORDERS = "'fro', 'nuc', 1, -1, 2, -2, math.inf or -math.inf"


def check_matrix_order(what: str, label: str, order: Any) -> None:
    """Refuses what is no order of a norm of matrices."""
    known = order in ("fro", "nuc") if isinstance(order, str) else False
    if not known and not (_is_number(order) and order in (1, -1, 2, -2, math.inf, -math.inf)):
        raise refusal(what, f"{label}={order!r} is no order of matrices", f"give {_MATRIX_ORDERS}")


def matrix_norm(
    x: Any, *, keepdims: bool = False, ord: Any = "fro", name: str | None = None
) -> Tensor:
    """The norm of matrices ``(..., m, n)``.

    keepdims   leaves the last two axes, with size 1
    ord        "fro": the root of the sum of squares; "nuc": the sum of singular values; 2, -2: the
               largest and the smallest singular value; 1, -1: the largest and the smallest sum of
               absolute values of a column; inf, -inf: of a row

    Integers become floats. Raises ShapeError for what is no matrix and for another `ord`.

    >>> import staticgraph as sg
    >>> x = sg.constant([[3.0, 0.0], [0.0, 4.0]])
    >>> sg.Session().run([sg.linalg.matrix_norm(x), sg.linalg.matrix_norm(x, ord="nuc")])
    [np.float32(5.0), np.float32(7.0)]
    """
    keepdims = as_bool("matrix_norm", "keepdims", keepdims)
    tensor = as_matrices("matrix_norm", x)
    check_matrix_order("matrix_norm", "ord", ord)
    if ord not in ("nuc", 2, -2):
        tensor = _floating(tensor)
    if ord == "fro":
        return reduction.norm(tensor, (-2, -1), keepdims, name=name)
    if ord in ("nuc", 2, -2):
        reduce = {"nuc": reduction.sum, 2: reduction.max, -2: reduction.min}[ord]
        found = reduce(svdvals(tensor), -1)
        return expand_dims(found, (-2, -1), name=name) if keepdims else _named(found, name)
    sums = reduction.sum(ew.abs(tensor), -2 if abs(ord) == 1 else -1, keepdims=True)
    choose = reduction.max if ord > 0 else reduction.min
    return choose(sums, (-2, -1), keepdims, name=name)


def _named(x: Tensor, name: str | None) -> Tensor:
    return identity(x, name=name) if name else x


def norm(
    x: Any,
    ord: Any = None,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    name: str | None = None,
) -> Tensor:
    """The norm of vectors or matrices, as `numpy.linalg.norm` has it.

    ord        None: the root of the sum of squares, over any axes; else an order of `vector_norm`
               for one axis, of `matrix_norm` for two
    axis       an int for vectors, two ints for matrices, in the order rows, columns; None for all
               axes, of which there are at most two where `ord` is given
    keepdims   leaves the axes, with size 1

    At 0 the derivative is 0, save for the orders 2, -2 and "nuc" of matrices, whose derivative is
    what the singular vectors give there. Raises ShapeError where `ord` and `axis` do not fit.

    >>> import staticgraph as sg
    >>> x = sg.constant([[3.0, -4.0], [6.0, 8.0]])
    >>> sg.Session().run(sg.linalg.norm(x, axis=1))
    array([ 5., 10.], dtype=float32)
    """
    keepdims = as_bool("norm", "keepdims", keepdims)
    (tensor,) = promote((x,), floating=True)
    if ord is None:
        return reduction.norm(_floating(tensor), axis, keepdims, name=name)
    ndim = known_rank(NORM, tensor)
    axes = tuple(range(ndim)) if axis is None else several_axes(NORM, tensor, axis)
    assert axes is not None
    if len(axes) == 1:
        return vector_norm(tensor, axis=axes[0], keepdims=keepdims, ord=ord, name=name)
    if len(axes) != 2:
        raise refusal(
            "norm",
            f"ord={ord!r} of {len(axes)} axes",
            f"x {describe(tensor)}",
            "name one axis for vectors, two for matrices",
        )
    if isinstance(axis, tuple | list):
        # Rows come first: the order that the user gave counts.
        axes = tuple([int(item) % ndim for item in axis])
    rest = [number for number in range(ndim) if number not in axes]
    moved = tensor
    if [*rest, *axes] != list(range(ndim)):
        moved = permute_dims(tensor, [*rest, *axes])
    found = matrix_norm(moved, ord=ord)
    return expand_dims(found, sorted(axes), name=name) if keepdims else _named(found, name)
