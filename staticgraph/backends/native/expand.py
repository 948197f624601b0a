"""Ops that are made of simpler ones, as those simpler ones.

What is expanded here fuses by itself: a softmax is a maximum, a subtraction, an exponential, a sum
and a division over the same rows. Every expansion computes what the op's reference does, step by
step, so both round alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes, opdef
from staticgraph.core.elements import ElementBuilder
from staticgraph.core.function import Function
from staticgraph.core.node import Node, Value
from staticgraph.core.opdef import NOT_DIFFERENTIABLE, OpDef
from staticgraph.core.types import Dim, TensorType, broadcast_many


class Expander:
    """Makes nodes in place of one node, with its name and line."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.nodes: list[Node] = []

    def apply(
        self, name: str | OpDef, inputs: Sequence[Value], type: TensorType, **attrs: object
    ) -> Value:
        """The result of an op, whose type the caller knows."""
        op = name if isinstance(name, OpDef) else opdef.get(name)
        made = Node(op, tuple(inputs), attrs, (type,), self.node.name, self.node.location)
        self.nodes.append(made)
        return made.out

    def map(self, name: str, *inputs: Value) -> Value:
        """An elementwise op of operands of one dtype."""
        shape = broadcast_many(tuple([value.type.shape for value in inputs]))
        comparing = name in ("isfinite", "equal", "less")
        dtype = dtypes.bool_ if comparing else inputs[-1].type.dtype
        return self.apply(name, inputs, TensorType(dtype, shape))

    def reduce(self, name: str, x: Value, axes: tuple[int, ...], keepdims: bool = True) -> Value:
        """A reduction; of no elements it is what changes nothing."""
        assert x.type.shape is not None
        kept: list[Dim] = []
        for axis, dim in enumerate(x.type.shape):
            if axis not in axes:
                kept.append(dim)
            elif keepdims:
                kept.append(1)
        # `empty`: of no elements there is a value, where the op of this name would be an error.
        return self.apply(
            name, [x], x.type.with_shape(tuple(kept)), axis=axes, keepdims=keepdims, empty=True
        )

    def constant(self, value: object, like: Value) -> Value:
        """A scalar of the dtype of `like`."""
        array = np.array(value, like.type.dtype)
        return self.apply("constant", [], TensorType(array.dtype, ()), value=array)

    def squeeze(self, x: Value, axes: tuple[int, ...]) -> Value:
        """Without axes of size 1."""
        assert x.type.shape is not None
        kept = tuple([dim for axis, dim in enumerate(x.type.shape) if axis not in axes])
        return self.apply("squeeze", [x], x.type.with_shape(kept), axes=axes)

    def expand(self, x: Value, axis: int) -> Value:
        """With a new axis of size 1."""
        assert x.type.shape is not None
        shape = (*x.type.shape[:axis], 1, *x.type.shape[axis:])
        return self.apply("expand_dims", [x], x.type.with_shape(shape), axes=(axis,))

    def count(self, x: Value, axes: tuple[int, ...], like: Value) -> Value:
        """The number of elements along some axes, in the dtype of `like`."""
        assert x.type.shape is not None
        number = 1
        unknown: list[int] = []
        for axis in axes:
            dim = x.type.shape[axis]
            if isinstance(dim, int):
                number *= dim
            else:
                unknown.append(axis)
        if not unknown:
            return self.constant(number, like)
        total = self.apply(
            "constant", [], TensorType(dtypes.int64, ()), value=np.array(number, dtypes.int64)
        )
        for axis in unknown:
            size = self.apply("size", [x], TensorType(dtypes.int64, ()), axis=axis)
            total = self.map("multiply", total, size)
        return self.apply("cast", [total], TensorType(like.type.dtype, ()), dtype=like.type.dtype)


def _all_axes(node: Node) -> tuple[int, ...]:
    axis = node.attrs["axis"]
    if axis is None:
        assert node.inputs[0].type.shape is not None
        return tuple(range(len(node.inputs[0].type.shape)))
    return axis if isinstance(axis, tuple) else (axis,)


def _mean(e: Expander) -> list[Value]:
    x, axes = e.node.inputs[0], _all_axes(e.node)
    total = e.reduce("sum", x, axes, e.node.attrs["keepdims"])
    return [e.map("divide", total, e.count(x, axes, total))]


def _logsumexp(e: Expander) -> list[Value]:
    x, axes = e.node.inputs[0], _all_axes(e.node)
    top = e.reduce("max", x, axes)
    finite = e.map("isfinite", top)
    top = e.apply("where", [finite, top, e.constant(0, x)], top.type)
    total = e.reduce("sum", e.map("exp", e.map("subtract", x, top)), axes)
    result = e.map("add", e.map("log", total), top)
    return [result if e.node.attrs["keepdims"] else e.squeeze(result, axes)]


def _norm(e: Expander) -> list[Value]:
    x, axes = e.node.inputs[0], _all_axes(e.node)
    return [e.map("sqrt", e.reduce("sum", e.map("square", x), axes, e.node.attrs["keepdims"]))]


def _shifted(e: Expander, x: Value, axes: tuple[int, ...]) -> Value:
    return e.map("subtract", x, e.reduce("max", x, axes))


def _softmax(e: Expander) -> list[Value]:
    axes = _all_axes(e.node)
    weights = e.map("exp", _shifted(e, e.node.inputs[0], axes))
    return [e.map("divide", weights, e.reduce("sum", weights, axes))]


def _log_softmax(e: Expander) -> list[Value]:
    axes = _all_axes(e.node)
    shifted = _shifted(e, e.node.inputs[0], axes)
    total = e.map("log", e.reduce("sum", e.map("exp", shifted), axes))
    return [e.map("subtract", shifted, total)]


def _costs(e: Expander, x: Value, axes: tuple[int, ...]) -> Value:
    shifted = _shifted(e, x, axes)
    total = e.map("log", e.reduce("sum", e.map("exp", shifted), axes))
    return e.map("subtract", total, shifted)


def _cross_entropy(e: Expander) -> list[Value]:
    logits, labels = e.node.inputs
    axes = _all_axes(e.node)
    (checked,) = _same_shape(e, labels, logits)
    costs = e.map("multiply", checked, _costs(e, logits, axes))
    nothing = e.map("equal", checked, e.constant(0, checked))
    costs = e.apply("where", [nothing, checked, costs], costs.type)
    return [e.reduce("sum", costs, axes, keepdims=False)]


def _same_shape(e: Expander, x: Value, like: Value) -> list[Value]:
    """`x`, once it is known to have the shape of `like`."""
    if x.type.shape == like.type.shape and None not in (x.type.shape or (None,)):
        return [x]
    return [e.apply(SAME_SHAPE, [x, like], x.type)]


def _sparse(e: Expander) -> list[Value]:
    logits, labels = e.node.inputs
    assert logits.type.shape is not None and labels.type.shape is not None
    last = len(logits.type.shape) - 1
    integer = TensorType(dtypes.int64, labels.type.shape)
    whole = e.apply("cast", [labels], integer, dtype=dtypes.int64)
    classes = e.apply("size", [logits], TensorType(dtypes.int64, ()), axis=last)
    whole = e.apply(LABEL, [whole, classes], integer)
    numbers = e.apply(
        "arange", [classes], TensorType(dtypes.int64, (logits.type.shape[last],)), size=None
    )
    chosen = e.map("equal", e.expand(whole, last), numbers)
    costs = _costs(e, logits, (last,))
    picked = e.apply("where", [chosen, costs, e.constant(0, logits)], costs.type)
    return [e.reduce("sum", picked, (last,), keepdims=False)]


def _sum_to(e: Expander) -> list[Value] | None:
    """A sum over the axes along which something was repeated, where it is known which they are."""
    x, wanted = e.node.inputs[0], e.node.attrs["shape"]
    have = x.type.shape
    if have is None or wanted is None:
        return None
    lead = len(have) - len(wanted)
    axes = list(range(lead))
    for number, dim in enumerate(wanted):
        if dim == 1 and have[lead + number] != 1:
            axes.append(lead + number)
        elif dim is None or dim != have[lead + number]:
            return None
    if not axes:
        return [x]
    result = e.reduce("sum", x, tuple(axes))
    return [e.squeeze(result, tuple(range(lead))) if lead else result]


def _label(s: ElementBuilder[Any], label: Any, classes: Any) -> Any:
    below = s.less(label, s.constant(0, dtypes.int64))
    s.fail_if(s.logical_or(below, s.greater_equal(label, classes)))
    return label


# Ops that only the backend knows: what they check is part of the ops that are expanded.
LABEL = OpDef(
    "label",
    operands=("label", "classes"),
    infer=lambda types, attrs: types[0],
    reference=None,
    doc="A label, once it is known to be a class.",
    vjp=NOT_DIFFERENTIABLE,
    jvp=NOT_DIFFERENTIABLE,
    elementwise=True,
    emit=_label,
)
SAME_SHAPE = OpDef(
    "same_shape",
    operands=("x", "like"),
    infer=lambda types, attrs: types[0],
    reference=None,
    doc="x, once it is known to have the shape of another.",
    vjp=NOT_DIFFERENTIABLE,
    jvp=NOT_DIFFERENTIABLE,
)


def _matmul(e: Expander) -> list[Value] | None:
    """A product of complex matrices, as four of real ones."""
    lhs, rhs = e.node.inputs
    type = e.node.out.type
    if type.dtype not in dtypes.COMPLEX:
        return None
    part = dtypes.part_of(type.dtype)
    (a, b), (c, d) = [
        [e.apply(name, [x], x.type.with_dtype(part)) for name in ("real", "imag")]
        for x in (lhs, rhs)
    ]

    def product(x: Value, y: Value) -> Value:
        return e.apply("matmul", [x, y], type.with_dtype(part))

    real = e.map("subtract", product(a, c), product(b, d))
    imag = e.map("add", product(a, d), product(b, c))
    return [e.apply("complex", [real, imag], type)]


# A rule gives None for a node that it leaves as it is.
EXPANSIONS: dict[str, Callable[[Expander], list[Value] | None]] = {
    "sum_to": _sum_to,
    "matmul": _matmul,
    "mean": _mean,
    "logsumexp": _logsumexp,
    "norm": _norm,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "softmax_cross_entropy_with_logits": _cross_entropy,
    "sparse_softmax_cross_entropy_with_logits": _sparse,
}


def expanded(function: Function) -> Function:
    """`function` without ops that are made of simpler ones; bodies stay as they are."""
    if not any(node.op.name in EXPANSIONS for node in function.nodes):
        return function
    replaced: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in function.nodes:
        inputs = tuple([replaced.get(value, value) for value in node.inputs])
        if inputs != node.inputs:
            types = tuple([value.type for value in node.outputs])
            changed = Node(node.op, inputs, node.attrs, types, node.name, node.location)
            replaced.update(zip(node.outputs, changed.outputs, strict=True))
            node = changed
        rule = EXPANSIONS.get(node.op.name)
        expander = Expander(node)
        results = rule(expander) if rule is not None else None
        if results is None:
            nodes.append(node)
            continue
        nodes.extend(expander.nodes)
        for before, after in zip(node.outputs, results, strict=True):
            replaced[before] = after
        for original, stale in list(replaced.items()):
            if stale in node.outputs:
                replaced[original] = replaced[stale]
    outputs = [replaced.get(value, value) for value in function.outputs]
    return function.replace(nodes, outputs)
