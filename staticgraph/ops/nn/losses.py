"""Softmax, its logarithm, and cross-entropies.

The losses are ops of their own, not compositions: each takes logits, so that no probability
underflows before its logarithm is taken, and its derivative is the short formula that the textbook
has, right where a logit is infinite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.elements import ElementBuilder
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import (
    Attrs,
    Mismatch,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import Shape, TensorType, compatible, format_shape, meet
from staticgraph.errors import DTypeError, RunError
from staticgraph.ops import elementwise as ew
from staticgraph.ops import shaping
from staticgraph.ops.axes import known_rank, one_axis
from staticgraph.ops.convert import as_tensor, cast, constant, promote, scalar
from staticgraph.ops.cumulative import CUMSUM
from staticgraph.ops.elementwise import sigmoid, softplus
from staticgraph.ops.half import rounded_once
from staticgraph.ops.reduction import SUM

# -- softmax ----------------------------------------------------------------------------------


def _infer_along(types: Types, attrs: Attrs) -> TensorType:
    x, axis = types[0], attrs["axis"]
    if x.shape is not None and not 0 <= axis < len(x.shape):
        raise Mismatch(f"{x} has no axis {axis}", f"it has {x.ndim} axes")
    return x


def _shifted(x: Any, axis: int) -> Any:
    """`x` less its largest element along `axis`, which changes no ratio of exponentials."""
    return x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)


def _reference_softmax(x: Any, *, axis: int) -> Any:
    weights = np.exp(_shifted(x, axis))
    return weights / np.sum(weights, axis=axis, keepdims=True)


def _reference_log_softmax(x: Any, *, axis: int) -> Any:
    shifted = _shifted(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _costs_in_numpy(x: Any, axis: int) -> Any:
    """``-log(softmax(x))``, which is 0 and not -0 for a certain class."""
    shifted = _shifted(x, axis)
    return np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True)) - shifted


def _total(x: Tensor, axis: int, keepdims: bool = True) -> Tensor:
    return x.graph.add(SUM, (x,), {"axis": (axis,), "keepdims": keepdims}).out


def _spread(node: Operation, adjoint: Tensor) -> Tensor:
    """Zero along rows without an adjoint; absolute values cannot cancel."""
    total = _total(ew.abs(adjoint), node.attrs["axis"])
    return shaping.broadcast_like(total, node.inputs[0])


def _softmax_along(node: Operation, direction: Tensor) -> Tensor:
    """The Jacobian of softmax, which is symmetric, times a direction."""
    weighted = node.out * direction
    return weighted - node.out * _total(weighted, node.attrs["axis"])


def _vjp_log_softmax(node: Operation, adjoint: Tensor) -> Tensor:
    return adjoint - ew.exp(node.out) * _total(adjoint, node.attrs["axis"])


def _jvp_log_softmax(node: Operation, tangents: Sequence[Tensor | None]) -> Tensor:
    tangent = _given(tangents[0])
    return tangent - _total(ew.exp(node.out) * tangent, node.attrs["axis"])


def _given(tangent: Tensor | None) -> Tensor:
    assert tangent is not None
    return tangent


SOFTMAX = register(
    OpDef(
        "softmax",
        operands=("x",),
        infer=_infer_along,
        reference=_reference_softmax,
        dtypes=dtypes.FLOATING,
        attrs=("axis",),
        vjp=(_softmax_along,),
        jvp=lambda node, tangents: _softmax_along(node, _given(tangents[0])),
        spread=_spread,
        doc="``exp(x) / sum(exp(x))`` along an axis, without overflow.",
    )
)

LOG_SOFTMAX = register(
    OpDef(
        "log_softmax",
        operands=("x",),
        infer=_infer_along,
        reference=_reference_log_softmax,
        dtypes=dtypes.FLOATING,
        attrs=("axis",),
        vjp=(_vjp_log_softmax,),
        jvp=_jvp_log_softmax,
        spread=_spread,
        doc="``x - logsumexp(x)`` along an axis, without overflow.",
    )
)


def _along(op: OpDef, x: Any, axis: int, name: str | None) -> Tensor:
    (tensor,) = promote((x,), floating=True)
    return tensor.graph.add(op, (tensor,), {"axis": one_axis(op, tensor, axis)}, name).out


def _softmax(x: Tensor, axis: int) -> Tensor:
    return x.graph.add(SOFTMAX, (x,), {"axis": axis}).out


def softmax(x: Any, axis: int = -1, *, name: str | None = None) -> Tensor:
    """``exp(x) / sum(exp(x))`` along `axis`, without overflow: positive, with a sum of 1.

    An element of -inf gets exactly 0; where all are -inf the result is NaN. Raises ShapeError for
    an axis that `x` does not have.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.softmax(sg.constant([0.0, 1000.0])))
    array([0., 1.], dtype=float32)
    """
    return _along(SOFTMAX, x, axis, name)


def log_softmax(x: Any, axis: int = -1, *, name: str | None = None) -> Tensor:
    """``log(softmax(x))`` along `axis`, accurate also where the softmax underflows.

    Raises ShapeError for an axis that `x` does not have.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.nn.log_softmax(sg.constant([0.0, 1000.0])))
    array([-1000.,     0.], dtype=float32)
    """
    return _along(LOG_SOFTMAX, x, axis, name)


# -- softmax cross-entropy --------------------------------------------------------------------


def _without(shape: Shape, axis: int) -> Shape:
    return None if shape is None else (*shape[:axis], *shape[axis + 1 :])


def _infer_cross_entropy(types: Types, attrs: Attrs) -> TensorType:
    logits, labels = types
    if logits.dtype != labels.dtype:
        raise Mismatch(
            "operands differ in dtype", "convert one of them with sg.cast", error=DTypeError
        )
    if not compatible(logits.shape, labels.shape):
        raise Mismatch(
            f"labels have shape {format_shape(labels.shape)}, logits {format_shape(logits.shape)}",
            "give one probability per logit; for class numbers use "
            "sparse_softmax_cross_entropy_with_logits",
        )
    _infer_along(types, attrs)
    return logits.with_shape(_without(meet(logits.shape, labels.shape), attrs["axis"]))


def _reference_cross_entropy(logits: Any, labels: Any, *, axis: int) -> Any:
    if np.shape(logits) != np.shape(labels):
        raise ValueError("operands differ in shape")
    # A class of probability 0 costs nothing, even where its logit is -inf.
    costs = np.where(labels == 0, labels, labels * _costs_in_numpy(logits, axis))
    return np.sum(costs, axis=axis)


def _vjp_logits(node: Operation, adjoint: Tensor) -> Tensor:
    axis = node.attrs["axis"]
    return shaping.expand_dims(adjoint, axis) * _logits_slope(node)


def _logits_slope(node: Operation) -> Tensor:
    logits, labels = node.inputs
    axis = node.attrs["axis"]
    return _softmax(logits, axis) * _total(labels, axis) - labels


def _costs(node: Operation) -> Tensor:
    """What a unit of probability costs, per class."""
    logits = node.inputs[0]
    return ew.negative(logits.graph.add(LOG_SOFTMAX, (logits,), {"axis": node.attrs["axis"]}).out)


def _jvp_cross_entropy(node: Operation, tangents: Sequence[Tensor | None]) -> Tensor:
    of_logits, of_labels = tangents
    total: Tensor | None = None
    if of_logits is not None:
        total = of_logits * _logits_slope(node)
    if of_labels is not None:
        moved = of_labels * _costs(node)
        total = moved if total is None else total + moved
    return _total(_given(total), node.attrs["axis"], keepdims=False)


SOFTMAX_CROSS_ENTROPY = register(
    OpDef(
        "softmax_cross_entropy_with_logits",
        operands=("logits", "labels"),
        infer=_infer_cross_entropy,
        reference=_reference_cross_entropy,
        dtypes=dtypes.FLOATING,
        attrs=("axis",),
        vjp=(
            _vjp_logits,
            lambda node, adjoint: shaping.expand_dims(adjoint, node.attrs["axis"]) * _costs(node),
        ),
        jvp=_jvp_cross_entropy,
        spread=lambda node, adjoint: shaping.broadcast_like(
            shaping.expand_dims(adjoint, node.attrs["axis"]), node.inputs[0]
        ),
        doc="``-sum(labels * log(softmax(logits)))`` along an axis.",
    )
)


def _scored(logits: Any, labels: Any) -> tuple[Tensor, Tensor]:
    """Logits and labels in one floating dtype; labels of 0 and 1 say nothing of precision."""
    (scores,) = promote((logits,), floating=True)
    with scores.graph.as_default():
        wanted = as_tensor(labels)
    if wanted.dtype not in dtypes.REAL_FLOATING:
        return scores, cast(wanted, scores.dtype)
    scores, wanted = promote((scores, wanted))
    return scores, wanted


def softmax_cross_entropy_with_logits(
    labels: Any, logits: Any, axis: int = -1, *, name: str | None = None
) -> Tensor:
    """``-sum(labels * log(softmax(logits)))`` along `axis`: one loss per row.

    labels  probabilities of the classes, of the shape of `logits`
    logits  unnormalised logarithms of probabilities

    The derivative with respect to the logits is ``softmax(logits) * sum(labels) - labels``. A class
    whose label is 0 costs nothing, even where its logit is -inf. Raises ShapeError where the shapes
    differ or `logits` lacks the axis.

    >>> import staticgraph as sg
    >>> labels, logits = sg.constant([[0.0, 1.0]]), sg.constant([[0.0, 0.0]])
    >>> sg.Session().run(sg.nn.softmax_cross_entropy_with_logits(labels, logits))
    array([0.6931472], dtype=float32)
    """
    operands = _scored(logits, labels)
    attrs = {"axis": one_axis(SOFTMAX_CROSS_ENTROPY, operands[0], axis, operands)}
    return operands[0].graph.add(SOFTMAX_CROSS_ENTROPY, operands, attrs, name).out


def _infer_sparse(types: Types, attrs: Attrs) -> TensorType:
    logits, labels = types
    if logits.shape is None:
        return logits.with_shape(labels.shape)
    if not logits.shape:
        raise Mismatch("logits is a scalar", "its last axis holds the classes")
    rows = logits.shape[:-1]
    if not compatible(rows, labels.shape):
        raise Mismatch(
            f"labels have shape {format_shape(labels.shape)}, the rows of logits "
            f"{format_shape(rows)}",
            "give one class number per row; for probabilities use "
            "softmax_cross_entropy_with_logits",
        )
    return logits.with_shape(meet(rows, labels.shape))


def _reference_sparse(logits: Any, labels: Any) -> Any:
    if np.shape(logits)[:-1] != np.shape(labels):
        raise ValueError("operands differ in shape")
    classes = np.shape(logits)[-1]
    labels = np.asarray(labels)
    wrong = np.argwhere((labels < 0) | (labels >= classes))
    if len(wrong):
        first = wrong[0].tolist()
        raise Mismatch(
            f"label {labels[tuple(first)]} at {first} is no class",
            f"there are {classes} classes, from 0 to {classes - 1}",
            error=RunError,
        )
    index = np.expand_dims(labels.astype(np.int64), -1)
    return np.take_along_axis(_costs_in_numpy(logits, -1), index, -1)[..., 0]


def _last(node: Operation) -> int:
    return known_rank(SPARSE_SOFTMAX_CROSS_ENTROPY, node.inputs[0]) - 1


def _is_label(node: Operation) -> Tensor:
    """Whether a logit is the one of its row's class, of the shape of the logits."""
    logits, labels = node.inputs
    last = _last(node)
    wanted = shaping.expand_dims(cast(labels, dtypes.int64), last)
    return ew.equal(wanted, _class_numbers(logits, last))


def _class_numbers(logits: Tensor, axis: int) -> Tensor:
    assert logits.type.shape is not None
    classes = logits.type.shape[axis]
    if isinstance(classes, int):
        with logits.graph.as_default():
            return constant(np.arange(classes))
    ones = shaping.broadcast_like(scalar(logits.graph, 1, dtypes.int64), logits)
    return logits.graph.add(CUMSUM, (ones,), {"axis": axis, "reverse": False}).out - 1


def _sparse_slope(node: Operation) -> Tensor:
    weights = _softmax(node.inputs[0], _last(node))
    return ew.where(_is_label(node), weights - 1.0, weights)


def _jvp_sparse(node: Operation, tangents: Sequence[Tensor | None]) -> Tensor:
    return _total(_given(tangents[0]) * _sparse_slope(node), _last(node), keepdims=False)


SPARSE_SOFTMAX_CROSS_ENTROPY = register(
    OpDef(
        "sparse_softmax_cross_entropy_with_logits",
        operands=("logits", "labels"),
        infer=_infer_sparse,
        reference=_reference_sparse,
        dtypes=(dtypes.FLOATING, dtypes.INTEGER),
        vjp=(
            lambda node, adjoint: shaping.expand_dims(adjoint, _last(node)) * _sparse_slope(node),
            None,
        ),
        jvp=_jvp_sparse,
        spread=lambda node, adjoint: shaping.broadcast_like(
            shaping.expand_dims(adjoint, _last(node)), node.inputs[0]
        ),
        doc="``-log(softmax(logits))`` at the class of each row, along the last axis.",
    )
)


def sparse_softmax_cross_entropy_with_logits(
    labels: Any, logits: Any, *, name: str | None = None
) -> Tensor:
    """``-log(softmax(logits))`` at the class of each row: one loss per row.

    labels  class numbers, integers of the shape of `logits` without its last axis
    logits  unnormalised logarithms of probabilities, the classes along the last axis

    Raises ShapeError where the shapes do not fit, DTypeError for labels that are no integers, and
    in the run RunError for a label that is no class.

    >>> import staticgraph as sg
    >>> labels, logits = sg.constant([1]), sg.constant([[0.0, 0.0]])
    >>> sg.Session().run(sg.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    array([0.6931472], dtype=float32)
    """
    (scores,) = promote((logits,), floating=True)
    with scores.graph.as_default():
        classes = as_tensor(labels)
    known_rank(SPARSE_SOFTMAX_CROSS_ENTROPY, scores, (scores, classes))
    return scores.graph.add(SPARSE_SOFTMAX_CROSS_ENTROPY, (scores, classes), name=name).out


# -- sigmoid cross-entropy --------------------------------------------------------------------


def _reference_sigmoid_cross_entropy(labels: Any, logits: Any) -> Any:
    zero = logits.dtype.type(0)
    # The first two terms are exact for labels of 0 and 1, so nothing cancels.
    return np.maximum(logits, zero) - logits * labels + np.log1p(np.exp(-np.abs(logits)))


def _emit_sigmoid_cross_entropy(s: ElementBuilder[Any], labels: Any, logits: Any) -> Any:
    linear = s.subtract(s.maximum(logits, s.constant(0, logits.dtype)), s.multiply(logits, labels))
    return s.add(linear, s.log1p(s.exp(s.negative(s.abs(logits)))))


SIGMOID_CROSS_ENTROPY = ew.elementwise(
    "sigmoid_cross_entropy_with_logits", _reference_sigmoid_cross_entropy,
    operands=("labels", "logits"), emit=_emit_sigmoid_cross_entropy,
    vjp=(
        lambda node, adjoint: ew.negative(adjoint * node.inputs[1]),
        lambda node, adjoint: adjoint * (sigmoid(node.inputs[1]) - node.inputs[0]),
    ),
    doc="``-labels * log(p) - (1 - labels) * log(1 - p)`` with ``p = sigmoid(logits)``.",
).op  # fmt: skip


def sigmoid_cross_entropy_with_logits(
    labels: Any, logits: Any, *, name: str | None = None
) -> Tensor:
    """``-labels * log(p) - (1 - labels) * log(1 - p)`` with ``p = sigmoid(logits)``, elementwise.

    labels  probabilities; they broadcast with `logits`
    logits  logarithms of odds

    Accurate also where p is next to 0 or 1. The derivative with respect to the logits is
    ``sigmoid(logits) - labels``. Raises ShapeError where the shapes do not broadcast.

    >>> import staticgraph as sg
    >>> labels, logits = sg.constant([1.0, 0.0]), sg.constant([0.0, 100.0])
    >>> sg.Session().run(sg.nn.sigmoid_cross_entropy_with_logits(labels, logits))
    array([  0.6931472, 100.       ], dtype=float32)
    """
    scores, wanted = _scored(logits, labels)
    return scores.graph.add(SIGMOID_CROSS_ENTROPY, (wanted, scores), name=name).out


def weighted_cross_entropy_with_logits(
    labels: Any, logits: Any, pos_weight: Any, *, name: str | None = None
) -> Tensor:
    """``-pos_weight * labels * log(p) - (1 - labels) * log(1 - p)``, ``p = sigmoid(logits)``.

    labels      probabilities; they broadcast with `logits`
    logits      logarithms of odds
    pos_weight  what an error on a label of 1 counts beside one on a label of 0; it broadcasts too

    Computed as ``(1 - labels) * logits + (1 + (pos_weight - 1) * labels) * softplus(-logits)``, in
    which nothing overflows. Raises ShapeError where the shapes do not broadcast.

    >>> import staticgraph as sg
    >>> labels, logits = sg.constant([1.0, 0.0]), sg.constant([0.0, 0.0])
    >>> sg.Session().run(sg.nn.weighted_cross_entropy_with_logits(labels, logits, 3.0))
    array([2.0794415, 0.6931472], dtype=float32)
    """
    scores, wanted = _scored(logits, labels)

    def made(wanted: Tensor, scores: Tensor, weight: Tensor, name: str | None) -> Tensor:
        counted = 1.0 + (weight - 1.0) * wanted
        return ew.add((1.0 - wanted) * scores, counted * softplus(-scores), name=name)

    return rounded_once(made, (wanted, scores, pos_weight), name)
