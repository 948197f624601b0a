"""Facts about values that some rules depend on, worked out from the nodes that compute them.

A fact is remembered per value, so that asking about every node of a chain stays linear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from staticgraph.core.dtypes import BOOL, COMPLEX, REAL_FLOATING, UNSIGNED
from staticgraph.core.node import Node, Value
from staticgraph.core.types import Dim, Shape
from staticgraph.passes.common import array_of, is_constant, node_key

# No element of the result has its sign bit set, whatever the operand.
_ALWAYS = frozenset({"exp", "sigmoid", "softplus", "softmax", "abs", "square"})
# ... unless an operand has one set.
_IF_OPERANDS = frozenset(
    {
        "add", "multiply", "divide", "maximum", "minimum", "reciprocal", "sqrt", "rsqrt", "log1p",
        "expm1", "floor", "ceil", "round", "trunc", "relu", "sum", "mean", "prod", "max", "min",
        "identity", "stop_gradient", "sum_to", "cumsum", "cumprod", "concat", "pad", "clip", "norm",
    }
)  # fmt: skip
# ... unless the first operand, the only one with elements of the result, has one set.
_IF_FIRST = frozenset(
    {
        "reshape", "broadcast_to", "permute_dims", "expand_dims", "squeeze", "slice", "gather",
        "split",
    }
)  # fmt: skip


class Facts:
    """What is known of the values of one Function, whose inputs are `inputs`."""

    def __init__(self, inputs: Sequence[Value] = ()) -> None:
        self._inputs = inputs
        self._by_shape: dict[Shape, Value] | None = None
        self._by_symbol: dict[Dim, tuple[Value, int]] = {}
        self._clear: dict[Value, bool] = {}
        self._numbers: dict[Value, object] = {}
        # Equal values have equal serial numbers; only values that were compared have one.
        self._serials: dict[Value, int] = {}
        self._first: dict[object, Node] = {}

    def sign_is_clear(self, value: Value) -> bool:
        """Whether every element is +0, positive or NaN: there is no negative number and no -0.0."""
        known = self._clear
        stack = [value]
        while stack:
            top = stack[-1]
            if top in known:
                stack.pop()
                continue
            needed = _sources(top)
            if needed is None:
                known[stack.pop()] = False
                continue
            missing = [operand for operand in needed if operand not in known]
            if missing:
                stack.extend(missing)
                continue
            known[stack.pop()] = all(known[operand] for operand in needed)
        return known[value]

    def input_shaped(self, shape: Shape) -> Value | None:
        """The first input that provably has this shape in every run."""
        if shape is None or None in shape:
            return None
        return self._shapes_of_inputs().get(shape)

    def input_sized(self, dim: Dim) -> tuple[Value, int] | None:
        """The first input, and its axis, that has a size known by this symbol."""
        if not isinstance(dim, str):
            return None
        self._shapes_of_inputs()
        return self._by_symbol.get(dim)

    def _shapes_of_inputs(self) -> dict[Shape, Value]:
        if self._by_shape is None:
            self._by_shape = {}
            for value in self._inputs:
                self._by_shape.setdefault(value.type.shape, value)
                for axis, dim in enumerate(value.type.shape or ()):
                    self._by_symbol.setdefault(dim, (value, axis))
        return self._by_shape

    def same(self, first: Value, second: Value) -> bool:
        """Whether two values are computed in the same way from the same inputs."""
        if first is second:
            return True
        if first.type != second.type or first.node.op is not second.node.op:
            return False
        return self._serial(first) == self._serial(second)

    def _serial(self, value: Value) -> int:
        serials = self._serials
        stack = [value.node]
        while stack:
            node = stack[-1]
            if node.outputs[0] in serials:
                stack.pop()
                continue
            missing = [operand.node for operand in node.inputs if operand not in serials]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            key = None if node.op.role == "parameter" else node_key(node, serials)
            known = node if key is None else self._first.setdefault(key, node)
            for own, first in zip(node.outputs, known.outputs, strict=True):
                serials[own] = serials.get(first, len(serials))
        return serials[value]

    def number(self, value: Value) -> object:
        """The number that all elements of a constant are: a key that tells -0.0 from 0.0.

        None for what is no such constant.
        """
        known = self._numbers
        if value in known:
            return known[value]
        number = known[value] = _number(value) if is_constant(value) else None
        return number


NEGATIVE_ZERO = "-0.0"


def number_key(number: float) -> object:
    """A number as `Facts.number` gives it."""
    if number == 0 and isinstance(number, float) and np.signbit(number):
        return NEGATIVE_ZERO
    return number


def _number(value: Value) -> object:
    array = array_of(value)
    if array.size == 0:
        return None
    first = array.flat[0]
    if array.size > 1 and not (array == first).all():
        return None
    if array.dtype in COMPLEX:
        words = np.ascontiguousarray(array).reshape(-1, 1).view(f"u{array.itemsize // 2}")
        if (words != words[0]).any():
            return None
        number: complex = first.item()
        if number == 0 and (np.signbit(number.real) or np.signbit(number.imag)):
            both = np.signbit(number.real) and np.signbit(number.imag)
            return NEGATIVE_ZERO if both else repr(number)
        return number
    if array.dtype in REAL_FLOATING and first == 0 and array.size > 1:
        signs = np.signbit(array)
        if signs.any() != signs.all():
            return None
    return number_key(first.item())


def _sources(value: Value) -> tuple[Value, ...] | None:
    """The values whose clear signs make this one's clear; None where it may have a sign."""
    dtype = value.type.dtype
    if dtype in UNSIGNED or dtype in BOOL:
        return ()
    if dtype in COMPLEX:
        return None
    node = value.node
    if is_constant(value):
        array = array_of(value)
        negative = np.signbit(array) & ~np.isnan(array) if dtype in REAL_FLOATING else array < 0
        return None if negative.any() else ()
    if dtype not in REAL_FLOATING:
        # Sums and products of integers wrap around into the sign.
        return None
    rule = SIGN_RULES.get(node.op.name)
    return None if rule is None else rule(node)


def _of_where(node: Node) -> tuple[Value, ...]:
    return node.inputs[1:]


def _of_cast(node: Node) -> tuple[Value, ...] | None:
    return node.inputs


def _of_product(node: Node) -> tuple[Value, ...]:
    lhs, rhs = node.inputs
    return () if lhs is rhs else (lhs, rhs)


SIGN_RULES: dict[str, Callable[[Node], tuple[Value, ...] | None]] = {
    **{name: lambda node: () for name in sorted(_ALWAYS)},
    **{name: lambda node: node.inputs for name in sorted(_IF_OPERANDS)},
    **{name: lambda node: node.inputs[:1] for name in sorted(_IF_FIRST)},
    "multiply": _of_product,
    "where": _of_where,
    "cast": _of_cast,
}
