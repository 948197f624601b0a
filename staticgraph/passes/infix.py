"""Values as people write them: ``w * x + b`` with the names of the program, for reports."""

from __future__ import annotations

from typing import Any

from staticgraph.core.node import Node, Value
from staticgraph.passes.common import array_of, is_constant

# Characters of an expression beyond which its inner parts are shown by their names.
WIDTH = 62
_DEEPEST = 6

_BINARY = {
    "logical_or": ("|", 1), "bitwise_or": ("|", 1), "logical_xor": ("^", 2),
    "bitwise_xor": ("^", 2), "logical_and": ("&", 3), "bitwise_and": ("&", 3),
    "equal": ("==", 4), "not_equal": ("!=", 4), "less": ("<", 4), "less_equal": ("<=", 4),
    "greater": (">", 4), "greater_equal": (">=", 4), "add": ("+", 5), "subtract": ("-", 5),
    "multiply": ("*", 6), "divide": ("/", 6), "floor_divide": ("//", 6), "remainder": ("%", 6),
    "matmul": ("@", 6), "pow": ("**", 8),
}  # fmt: skip
# Python gives & | ^ and comparisons other ranks; between those, parentheses are always written.
_ARITHMETIC = 5
_UNARY = {"negative": "-", "logical_not": "~", "bitwise_invert": "~"}
_UNARY_RANK = 7
_ATOM = 9


def infix(value: Value) -> str:
    """The expression that computes `value`, in at most about one line of text.

    Parts that lie deeper than fits are shown by their names.
    """
    text = ""
    for depth in range(_DEEPEST, 0, -1):
        text = _text(value, depth)[0]
        if len(text) <= WIDTH:
            break
    return text


def _text(value: Value, depth: int) -> tuple[str, int]:
    """An expression and its rank: how tightly its outermost operator binds."""
    node = value.node
    if is_constant(value):
        return _constant(value)
    if not node.inputs or depth == 0:
        return value.name, _ATOM
    name = node.op.name
    if name in _BINARY:
        return _binary(node, depth)
    if name in _UNARY:
        text, rank = _text(node.inputs[0], depth - 1)
        return _UNARY[name] + _enclosed(text, rank, _UNARY_RANK), _UNARY_RANK
    operands = [_text(operand, depth - 1)[0] for operand in node.inputs]
    operands += [f"{key}={shown}" for key, item in node.attrs.items() if (shown := _attr(item))]
    suffix = f":{value.index}" if len(node.outputs) > 1 else ""
    return f"{name}({', '.join(operands)}){suffix}", _ATOM


def _binary(node: Node, depth: int) -> tuple[str, int]:
    symbol, rank = _BINARY[node.op.name]
    sides = []
    for place, operand in enumerate(node.inputs):
        text, inner = _text(operand, depth - 1)
        needed = rank + 1 if (place == 1) != (symbol == "**") else rank
        if rank < _ARITHMETIC and inner < _ARITHMETIC:
            needed = _ATOM
        sides.append(_enclosed(text, inner, needed))
    return f"{sides[0]} {symbol} {sides[1]}", rank


def _enclosed(text: str, rank: int, needed: int) -> str:
    return text if rank >= needed else f"({text})"


def _constant(value: Value) -> tuple[str, int]:
    array = array_of(value)
    if array.ndim:
        return value.name, _ATOM
    text = str(array[()])
    return text, _UNARY_RANK if text.startswith("-") else _ATOM


def _attr(value: Any) -> str:
    """An attribute that tells two expressions apart and is short; nothing for the rest."""
    if value is None or value is False:
        return ""
    text = str(value)
    return text if len(text) <= 24 else "..."
