"""Ops that move elements without computing: reshape, broadcast, permute, join, split, pad.

An op whose result has a shape that is known only at run time takes it as a last operand, an int64
vector; its attribute `shape` says what is known of it (`Target`). Where the shape is known the
operand is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor, get_default_graph
from staticgraph.core.location import capture
from staticgraph.core.opdef import (
    LINEAR,
    NOT_DIFFERENTIABLE,
    Attrs,
    Mismatch,
    Numbered,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import (
    BroadcastError,
    Dim,
    Shape,
    TensorType,
    broadcast_shapes,
    format_shape,
    infer_size,
)
from staticgraph.errors import ShapeError
from staticgraph.ops.convert import as_tensor, constant

_SIZES = frozenset({dtypes.int64})


# -- shapes as data ---------------------------------------------------------------------------


def _infer_shape(types: Types, attrs: Attrs) -> TensorType:
    return TensorType(dtypes.int64, (types[0].ndim,))


SHAPE = register(
    OpDef(
        "shape",
        operands=("x",),
        infer=_infer_shape,
        reference=lambda x: np.array(np.shape(x), dtype=np.int64),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The sizes of the operand's axes in this run, an int64 vector.",
    )
)


def shape(x: Any, *, name: str | None = None) -> Tensor:
    """The sizes of the axes of `x` in the run, as an int64 vector.

    A constant where the graph knows all of them.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (None, 2))
    >>> sg.Session().run(sg.shape(x), {x: [[1, 2], [3, 4], [5, 6]]})
    array([3, 2])
    """
    tensor = as_tensor(x)
    if tensor.type.is_static:
        with tensor.graph.as_default():
            return constant(np.array(tensor.type.shape, dtype=np.int64), name=name)
    return tensor.graph.add(SHAPE, (tensor,), name=name).out


class Target(NamedTuple):
    """A shape to be made: what is known of it, and the operand that gives it at run time."""

    shape: Shape
    operands: tuple[Tensor, ...]


def shape_of(x: Tensor) -> Target:
    """The shape of `x` as a target; at run time `x` is needed only for its shape."""
    if x.type.is_static:
        return Target(x.type.shape, ())
    return Target(x.type.shape, (shape(x),))


def _no_shape(type: TensorType) -> None:
    if type.shape is not None and type.ndim != 1:
        raise Mismatch(f"the shape operand is {type}", "it must be a vector of int64")


def _known(attrs: Attrs, types: Types) -> Shape:
    """The declared result shape; without a shape operand every size in it is known."""
    declared: Shape = attrs["shape"]
    if len(types) > 1:
        _no_shape(types[1])
    return declared


# -- broadcast --------------------------------------------------------------------------------


def _infer_broadcast_to(types: Types, attrs: Attrs) -> TensorType:
    declared = _known(attrs, types)
    try:
        joined = broadcast_shapes(types[0].shape, declared)
    except BroadcastError as problem:
        raise Mismatch(
            f"{format_shape(types[0].shape)} does not broadcast to {format_shape(declared)}",
            f"axis {problem.axis} must be 1 or equal",
        ) from None
    if joined is not None and declared is not None and len(joined) != len(declared):
        raise Mismatch(
            f"{format_shape(types[0].shape)} has more axes than {format_shape(declared)}",
            "broadcasting adds axes in front, it never removes one",
        )
    return types[0].with_shape(declared)


def _reference_broadcast_to(x: Any, *sizes: Any, shape: Shape) -> Any:
    return np.broadcast_to(x, tuple(sizes[0]) if sizes else shape)  # type: ignore[arg-type]


def _vjp_broadcast_to(node: Operation, adjoint: Tensor, index: int) -> Tensor | None:
    return sum_to(adjoint, node.inputs[0]) if index == 0 else None


BROADCAST_TO = register(
    OpDef(
        "broadcast_to",
        operands=("x", "sizes*"),
        infer=_infer_broadcast_to,
        reference=_reference_broadcast_to,
        attrs=("shape",),
        dtypes=(dtypes.ANY, _SIZES),
        vjp=Numbered(_vjp_broadcast_to),
        jvp=LINEAR,
        linear=True,
        doc="The operand repeated along new axes and axes of size 1.",
    )
)


def broadcast_like(x: Tensor, like: Tensor) -> Tensor:
    """`x` broadcast to the shape of `like`; `x` itself where the shapes are provably equal."""
    if x.type.shape == like.type.shape and like.type.shape is not None and None not in (
        like.type.shape
    ):
        return x
    target = shape_of(like)
    return x.graph.add(BROADCAST_TO, (x, *target.operands), {"shape": target.shape}).out


def _infer_sum_to(types: Types, attrs: Attrs) -> TensorType:
    return types[0].with_shape(_known(attrs, types))


def _reference_sum_to(x: Any, *sizes: Any, shape: Shape) -> Any:
    wanted = tuple(sizes[0]) if sizes else shape
    assert wanted is not None
    if np.shape(x) == wanted:
        return x
    lead = np.ndim(x) - len(wanted)
    kept = [
        lead + i
        for i, size in enumerate(wanted)
        if size == 1 and np.shape(x)[lead + i] != 1
    ]
    axes = (*range(lead), *kept)
    return np.sum(x, axis=axes, dtype=x.dtype, keepdims=True).reshape(wanted)


SUM_TO = register(
    OpDef(
        "sum_to",
        operands=("x", "sizes*"),
        infer=_infer_sum_to,
        reference=_reference_sum_to,
        attrs=("shape",),
        dtypes=(dtypes.NUMERIC, _SIZES),
        vjp=Numbered(
            lambda node, adjoint, index: broadcast_like(adjoint, node.inputs[0])
            if index == 0
            else None
        ),
        jvp=LINEAR,
        linear=True,
        doc="Sums the axes along which a shape was broadcast: the transpose of broadcast_to.",
    )
)


def sum_to(x: Tensor, like: Tensor) -> Tensor:
    """`x` summed over the axes along which `like` was broadcast to the shape of `x`."""
    if x.type.shape == like.type.shape and like.type.shape is not None and None not in (
        like.type.shape
    ):
        return x
    target = shape_of(like)
    return x.graph.add(SUM_TO, (x, *target.operands), {"shape": target.shape}).out
