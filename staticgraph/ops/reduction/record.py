"""Records of the reductions, the ops that combine the elements along some axes.

The attribute `axis` of a reduction is a sorted tuple of axes, `keepdims` a bool. Only where the
rank of the operand was unknown when the graph was built may `axis` be None, for all axes. The
functions that make these nodes are in the package.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import (
    LINEAR,
    NOT_DIFFERENTIABLE,
    Attrs,
    Infer,
    JvpRule,
    Marker,
    Mismatch,
    OpDef,
    OperandVjp,
    Types,
    register,
)
from staticgraph.core.types import Shape, TensorType
from staticgraph.ops import elementwise as ew
from staticgraph.ops import shaping
from staticgraph.ops.convert import cast
from staticgraph.ops.cumulative import ACCUMULATED, products_of_others
from staticgraph.ops.sizes import size

# -- types ------------------------------------------------------------------------------------


def reduced_shape(type: TensorType, attrs: Attrs) -> Shape:
    """What is left of a shape when the axes of a reduction are gone."""
    axis, keepdims = attrs["axis"], attrs["keepdims"]
    if type.shape is None:
        return () if axis is None and not keepdims else None
    if axis is None:
        axis = range(len(type.shape))
    for number in axis:
        if not 0 <= number < len(type.shape):
            raise Mismatch(f"{type} has no axis {number}", f"it has {type.ndim} axes")
    if keepdims:
        return tuple([1 if i in axis else dim for i, dim in enumerate(type.shape)])
    return tuple([dim for i, dim in enumerate(type.shape) if i not in axis])


def _infer_same(types: Types, attrs: Attrs) -> TensorType:
    return types[0].with_shape(reduced_shape(types[0], attrs))


def _infer_chosen(types: Types, attrs: Attrs) -> TensorType:
    """The type of a reduction that has no value for no elements."""
    shape = types[0].shape
    if shape is not None:
        axis = range(len(shape)) if attrs["axis"] is None else attrs["axis"]
        _refuse_empty([(number, shape[number]) for number in axis if number < len(shape)])
    return _infer_same(types, attrs)


def _refuse_empty(sizes: Sequence[tuple[int, Any]]) -> None:
    for number, dim in sizes:
        if dim == 0:
            raise Mismatch(
                f"axis {number} is empty, and of no elements none can be chosen",
                "reduce an axis that has elements, or join a lowest value first with sg.concat",
            )


def _infer_index(types: Types, attrs: Attrs) -> TensorType:
    return _infer_chosen(types, attrs).with_dtype(dtypes.int64)


# -- meaning in NumPy -------------------------------------------------------------------------


def _summed(x: Any, *, axis: Any, keepdims: bool) -> Any:
    return np.sum(x, axis=axis, keepdims=keepdims)


def _averaged(x: Any, *, axis: Any, keepdims: bool) -> Any:
    axes = range(np.ndim(x)) if axis is None else axis
    count = math.prod(np.shape(x)[number] for number in axes)
    # Not np.mean, which warns about the NaN it makes of no elements.
    return np.divide(np.sum(x, axis=axis, keepdims=keepdims), x.dtype.type(count))


def _chosen(function: Callable[..., Any]) -> Callable[..., Any]:
    def reference(x: Any, *, axis: Any, keepdims: bool) -> Any:
        axes = range(np.ndim(x)) if axis is None else axis
        _refuse_empty([(number, np.shape(x)[number]) for number in axes])
        return function(x, axis=axis, keepdims=keepdims)

    return reference


def _index(function: Callable[..., Any]) -> Callable[..., Any]:
    def reference(x: Any, *, axis: Any, keepdims: bool) -> Any:
        # One axis, or all of them, which NumPy says with None.
        return function(x, axis=axis[0] if axis and len(axis) == 1 else None, keepdims=keepdims)

    return _chosen(reference)


def _logsumexp(x: Any, *, axis: Any, keepdims: bool) -> Any:
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    # Shifting by an infinite maximum would make NaN of what is just 0 or infinite.
    top = np.where(np.isfinite(top), top, x.dtype.type(0))
    total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else total.reshape(np.sum(x, axis=axis).shape)


def _norm(x: Any, *, axis: Any, keepdims: bool) -> Any:
    return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))


# -- shapes of adjoints -----------------------------------------------------------------------


def _aligned(node: Operation, y: Tensor) -> Tensor:
    """Something of the result's shape with the reduced axes back, of size 1."""
    axis, ndim = node.attrs["axis"], node.inputs[0].type.ndim
    if node.attrs["keepdims"] or axis is None or len(axis) == ndim:
        return y
    return shaping.expand_dims(y, axis) if axis else y


def _spread(node: Operation, y: Tensor) -> Tensor:
    """Something of the result's shape repeated along the reduced axes."""
    return shaping.broadcast_like(_aligned(node, y), node.inputs[0])


def _again(op: OpDef, node: Operation, x: Tensor) -> Tensor:
    """Another reduction over the axes of `node`."""
    attrs = {"axis": node.attrs["axis"], "keepdims": node.attrs["keepdims"]}
    return x.graph.add(op, (x,), attrs).out


def _only(tangents: Sequence[Tensor | None]) -> Tensor:
    tangent = tangents[0]
    assert tangent is not None
    return tangent


def element_count(x: Tensor, axis: tuple[int, ...] | None) -> int | Tensor:
    """The number of elements of `x` along `axis`: an int, or an int64 scalar of the run."""
    dims = x.type.shape
    if dims is None or axis is None:
        return size(x)
    wanted = [dims[number] for number in axis]
    total: int | Tensor = math.prod([dim for dim in wanted if isinstance(dim, int)])
    for number, dim in zip(axis, wanted, strict=True):
        if not isinstance(dim, int):
            total = (
                size(x, number)
                if isinstance(total, int) and total == 1
                else (size(x, number) * total)
            )
    return total


def count_like(y: Tensor, x: Tensor, axis: tuple[int, ...] | None) -> float | Tensor:
    """The number of elements of `x` along `axis`, to be used with `y`."""
    count = element_count(x, axis)
    return cast(count, dtypes.part_of(y.dtype)) if isinstance(count, Tensor) else float(count)


# -- records ----------------------------------------------------------------------------------


def _reduction(
    name: str,
    reference: Callable[..., Any],
    *,
    doc: str,
    vjp: OperandVjp | Marker,
    jvp: Marker | JvpRule = NOT_DIFFERENTIABLE,
    dtypes: frozenset[np.dtype[Any]],
    infer: Infer = _infer_same,
    linear: bool = False,
    selects: bool = False,
) -> OpDef:
    """Registers a reduction. A zero adjoint of a result is a zero adjoint of its whole row."""
    return register(
        OpDef(
            name,
            operands=("x",),
            infer=infer,
            reference=reference,
            doc=doc,
            vjp=vjp if isinstance(vjp, Marker) else (vjp,),
            jvp=jvp,
            dtypes=dtypes,
            attrs=("axis", "keepdims"),
            linear=linear,
            selects=selects,
            by_value=selects,
            spread=None if linear or isinstance(vjp, Marker) else _spread,
        )
    )


def _vjp_mean(node: Operation, adjoint: Tensor) -> Tensor:
    count = count_like(adjoint, node.inputs[0], node.attrs["axis"])
    return _spread(node, adjoint / count)


def _others(x: Tensor, axis: tuple[int, ...]) -> Tensor:
    """For each element the product of all others along `axis`.

    Along one axis after the other: the others of its own row, times the products of other rows.
    """
    total = products_of_others(x, axis[0])
    for done, number in itertools.pairwise(axis):
        x = x.graph.add(PROD, (x,), {"axis": (done,), "keepdims": True}).out
        total = total * products_of_others(x, number)
    return total


def _prod_slope(node: Operation) -> Tensor:
    x, axis = node.inputs[0], node.attrs["axis"]
    if axis is None:
        flat = shaping.reshape(x, (-1,))
        return shaping.reshape_like(_others(flat, (0,)), x)
    return _others(x, axis)


def _vjp_prod(node: Operation, adjoint: Tensor) -> Tensor:
    if node.attrs["axis"] == ():
        return adjoint
    return _aligned(node, adjoint) * _prod_slope(node)


def _jvp_prod(node: Operation, tangents: Sequence[Tensor | None]) -> Tensor:
    if node.attrs["axis"] == ():
        return _only(tangents)
    return _again(SUM, node, _only(tangents) * _prod_slope(node))


def _winners(node: Operation) -> tuple[Tensor, Tensor]:
    """Where the operand is the chosen value, and how often it is."""
    x = node.inputs[0]
    mask = ew.equal(x, _aligned(node, node.out))
    return mask, _again(SUM, node, cast(mask, x.dtype))


def _vjp_chosen(node: Operation, adjoint: Tensor) -> Tensor:
    mask, count = _winners(node)
    return ew.where(mask, _aligned(node, adjoint / count), ew.zero_of(adjoint))


def _jvp_chosen(node: Operation, tangents: Sequence[Tensor | None]) -> Tensor:
    mask, count = _winners(node)
    tangent = _only(tangents)
    return _again(SUM, node, ew.where(mask, tangent, ew.zero_of(tangent))) / count


def _shares(node: Operation) -> Tensor:
    """The slopes of logsumexp: ``exp(x - result)``, and 0 for every x that is -inf.

    A row of nothing but -inf would give -inf - -inf; its elements have no share either.
    """
    lowest = ew.equal(node.out, -math.inf)
    shift = ew.where(lowest, ew.zero_of(node.out), node.out)
    return ew.exp(node.inputs[0] - _aligned(node, shift))


def _vjp_logsumexp(node: Operation, adjoint: Tensor) -> Tensor:
    return _aligned(node, adjoint) * _shares(node)


def _jvp_logsumexp(node: Operation, tangents: Sequence[Tensor | None]) -> Tensor:
    return _again(SUM, node, _only(tangents) * _shares(node))


def _along(node: Operation, y: Tensor) -> Tensor:
    """``y / norm``, and 0 where the norm is 0, to every order: no branch divides by 0."""
    zero = ew.equal(node.out, 0)
    return ew.where(zero, ew.zero_of(y), y / ew.where(zero, 1, node.out))


def _vjp_norm(node: Operation, adjoint: Tensor) -> Tensor:
    return _aligned(node, _along(node, adjoint)) * node.inputs[0]


def _jvp_norm(node: Operation, tangents: Sequence[Tensor | None]) -> Tensor:
    return _along(node, _again(SUM, node, _only(tangents) * node.inputs[0]))


SUM = _reduction(
    "sum", _summed, dtypes=ACCUMULATED, linear=True, vjp=_spread, jvp=LINEAR,
    doc="The sum of the elements along some axes.",
)  # fmt: skip
MEAN = _reduction(
    "mean", _averaged, dtypes=dtypes.INEXACT, linear=True, vjp=_vjp_mean, jvp=LINEAR,
    doc="The arithmetic mean of the elements along some axes; NaN for no elements.",
)  # fmt: skip
PROD = _reduction(
    "prod", lambda x, axis, keepdims: np.prod(x, axis=axis, keepdims=keepdims),
    dtypes=ACCUMULATED, vjp=_vjp_prod, jvp=_jvp_prod,
    doc="The product of the elements along some axes.",
)  # fmt: skip
MAX = _reduction(
    "max", _chosen(np.max), dtypes=dtypes.REAL, infer=_infer_chosen, linear=True, selects=True,
    vjp=_vjp_chosen, jvp=_jvp_chosen,
    doc="The largest element along some axes; NaN where there is one.",
)  # fmt: skip
MIN = _reduction(
    "min", _chosen(np.min), dtypes=dtypes.REAL, infer=_infer_chosen, linear=True, selects=True,
    vjp=_vjp_chosen, jvp=_jvp_chosen,
    doc="The smallest element along some axes; NaN where there is one.",
)  # fmt: skip
ARGMAX = _reduction(
    "argmax", _index(np.argmax), dtypes=dtypes.REAL, infer=_infer_index, vjp=NOT_DIFFERENTIABLE,
    doc="Where the first largest element stands along one axis, or among all elements.",
)  # fmt: skip
ARGMIN = _reduction(
    "argmin", _index(np.argmin), dtypes=dtypes.REAL, infer=_infer_index, vjp=NOT_DIFFERENTIABLE,
    doc="Where the first smallest element stands along one axis, or among all elements.",
)  # fmt: skip
ANY = _reduction(
    "any", lambda x, axis, keepdims: np.any(x, axis=axis, keepdims=keepdims), dtypes=dtypes.BOOL,
    vjp=NOT_DIFFERENTIABLE, doc="Whether some element along some axes holds.",
)  # fmt: skip
ALL = _reduction(
    "all", lambda x, axis, keepdims: np.all(x, axis=axis, keepdims=keepdims), dtypes=dtypes.BOOL,
    vjp=NOT_DIFFERENTIABLE, doc="Whether all elements along some axes hold.",
)  # fmt: skip
LOGSUMEXP = _reduction(
    "logsumexp", _logsumexp, dtypes=dtypes.FLOATING, vjp=_vjp_logsumexp, jvp=_jvp_logsumexp,
    doc="``log(sum(exp(x)))`` along some axes, without overflow.",
)  # fmt: skip
NORM = _reduction(
    "norm", _norm, dtypes=dtypes.FLOATING, vjp=_vjp_norm, jvp=_jvp_norm,
    doc="``sqrt(sum(x * x))`` along some axes.",
)  # fmt: skip
