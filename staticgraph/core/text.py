"""The text form of Functions: `format_function` writes it, `parse` reads it back.

For every Function ``parse(format_function(f)) == f``, and for every text that was so written
``format_function(parse(text)) == text``. ::

    function main(
      %x: float32[?0, 784] feed,
      %w: float32[784, 10] variable
    ) {
      %logits = matmul(%x, %w) : float32[?0, 10]              # train.py:9: logits = x @ w
      %scale = constant() {value=float32[](0.5)} : float32[]
      return %logits, %scale as "rate"
    }

- A label is unique in its Function. An input whose name is not its label says it: ``feed "w"``.
- A dim is a size, a symbol (``batch``, ``?0``), or ``?`` where nothing is known; ``[...]`` is an
  unknown rank.
- An attribute is ``none``, ``true``, a number, a JSON string, a tuple, a dtype, a type, a nested
  ``function``, or an array: its type and its elements in C order, ``(0.0, ...)`` when all are
  equal. An array of many elements stands after the body, base64 of its little-endian bytes, and
  is referred to as ``@0``.
- A comment after a node or an input is the user's line, and whose adjoint it belongs to.

The types are read as written, not inferred: a Function that a pass broke can be written down and
read back, and `verify` is what judges it.
"""

from __future__ import annotations

import base64
import os
import re
from typing import Any

import numpy as np

from staticgraph.config import collector_paused
from staticgraph.core import dtypes
from staticgraph.core.function import Function
from staticgraph.core.location import Location
from staticgraph.core.node import Node, Value
from staticgraph.core.text_comments import format_location, quoted
from staticgraph.core.text_reader import parse
from staticgraph.core.types import Dim, TensorType
from staticgraph.errors import CompilerError

__all__ = ["format_function", "parse"]

_DENSE_LIMIT = 16
_COMMENT_COLUMN = 64
_LINE_LIMIT = 100
_DATA_WIDTH = 96

_PLAIN = re.compile(r"[\w./\-]+")
_SYMBOL = re.compile(r"\??[^\W\d]\w*|\?\w+")


@collector_paused()
def format_function(function: Function) -> str:
    """The text of a Function; `print` of one shows it."""
    return _Printer().program(function)


# Function lies below this module and cannot import it; staticgraph.core imports both.
Function.__str__ = format_function  # type: ignore[method-assign, assignment]


def _word(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quoted(text)


def _dim_text(dim: Dim) -> str:
    if dim is None:
        return "?"
    if isinstance(dim, str):
        return dim if _SYMBOL.fullmatch(dim) else quoted(dim)
    return str(dim)


class _Labels:
    """Unique names in order: the first keeps its name, later ones get the first free number."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used: dict[str, int] = {}

    def new(self, name: str) -> str:
        used = self.used
        count = used.get(name)
        if count is None:
            used[name] = 1
            return name
        while (candidate := f"{name}_{count}") in used:
            count += 1
        used[name] = count + 1
        used[candidate] = 1
        return candidate


class _Printer:
    """One text: what nested Functions share is the data section and what was formatted before."""

    def __init__(self) -> None:
        self.here = os.getcwd() + os.sep
        self.data: dict[tuple[str, bytes], int] = {}
        self.types: dict[TensorType, str] = {}
        self.comments: dict[Location, str] = {}

    def program(self, function: Function) -> str:
        parts = [self.function(function, "")]
        for (_, data), index in self.data.items():
            encoded = base64.b64encode(data).decode("ascii")
            rows = [
                "  " + encoded[start : start + _DATA_WIDTH]
                for start in range(0, len(encoded), _DATA_WIDTH)
            ]
            parts.append("\n".join([f"data @{index} {{", *rows, "}"]))
        return "\n".join(parts)

    def function(self, function: Function, indent: str) -> str:
        inner = indent + "  "
        labels = _Labels()
        # How an operand is written, per value.
        shown: dict[Value, str] = {}
        lines = [f"function {_word(function.name)}("]
        for number, value in enumerate(function.inputs, start=1):
            label = labels.new(value.name)
            shown[value] = f"%{_word(label)}"
            kind = _word(value.node.attrs["kind"])
            code = f"{inner}{shown[value]}: {self.type(value.type)} {kind}"
            if label != value.name:
                code += f" {quoted(value.name)}"
            if number < len(function.inputs):
                code += ","
            lines.append(self.with_comment(code, value.node.location))
        if function.inputs:
            lines.append(f"{indent}) {{")
        else:
            lines[0] += ") {"
        for node in function.nodes:
            lines.append(self.node(node, labels, shown, inner))
        lines.append(self.outputs(function, shown, inner))
        lines.append(f"{indent}}}")
        return "\n".join(lines)

    def node(self, node: Node, labels: _Labels, shown: dict[Value, str], inner: str) -> str:
        operands = ", ".join(
            [shown.get(value) or f"%{quoted('undefined ' + value.name)}" for value in node.inputs]
        )
        label = _word(labels.new(node.name))
        outputs = node.outputs
        if len(outputs) == 1:
            shown[outputs[0]] = f"%{label}"
            types = self.type(outputs[0].type)
        else:
            for value in outputs:
                shown[value] = f"%{label}:{value.index}" if value.index else f"%{label}"
            types = f"({', '.join([self.type(value.type) for value in outputs])})"
        attrs = self.attrs(node, inner) if node.attrs else ""
        code = f"{inner}%{label} = {_word(node.op.name)}({operands}){attrs} : {types}"
        return self.with_comment(code, node.location)

    def outputs(self, function: Function, shown: dict[Value, str], inner: str) -> str:
        items = []
        for value, name in zip(function.outputs, function.output_names, strict=True):
            text = shown.get(value) or f"%{quoted('undefined ' + value.name)}"
            items.append(text if text == f"%{name}" else f"{text} as {quoted(name)}")
        code = f"{inner}return {', '.join(items)}".rstrip()
        if len(code) <= _LINE_LIMIT:
            return code
        return f"{inner}return (\n" + ",\n".join([f"{inner}  {i}" for i in items]) + f"\n{inner})"

    def attrs(self, node: Node, inner: str) -> str:
        names = [name for name in node.op.attrs if name in node.attrs]
        if len(names) < len(node.attrs):
            names += sorted(set(node.attrs) - set(names))
        items = [f"{name}={self.value(node.attrs[name], inner + '  ')}" for name in names]
        if not any("\n" in item for item in items):
            return f" {{{', '.join(items)}}}"
        return " {\n" + ",\n".join([f"{inner}  {item}" for item in items]) + f"\n{inner}}}"

    def type(self, type: TensorType) -> str:
        known = self.types.get(type)
        if known is None:
            shape = type.shape
            dims = "..." if shape is None else ", ".join(map(_dim_text, shape))
            known = self.types[type] = f"{dtypes.name(type.dtype)}[{dims}]"
        return known

    def value(self, value: Any, indent: str) -> str:
        if value is None:
            return "none"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return int.__repr__(value)
        if isinstance(value, float):
            return float.__repr__(value)
        if isinstance(value, str):
            return quoted(value)
        if isinstance(value, TensorType):
            return self.type(value)
        if isinstance(value, tuple):
            items = [self.value(item, indent) for item in value]
            return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
        if isinstance(value, Function):
            return self.function(value, indent)
        if isinstance(value, np.dtype) and value in dtypes.ANY:
            return dtypes.name(value)
        if isinstance(value, np.ndarray) and value.dtype in dtypes.ANY:
            return f"{self.type(TensorType(value.dtype, value.shape))}({self.elements(value)})"
        raise CompilerError(
            f"format_function: an attribute holds {type(value).__name__} {value!r}, which has no "
            "text\n  this is a bug in staticgraph, not in your program"
        )

    def elements(self, array: np.ndarray[Any, Any]) -> str:
        flat = np.ascontiguousarray(array).reshape(-1)
        words = 2 if flat.dtype in dtypes.COMPLEX else 1
        bits = flat.view(f"u{flat.itemsize // words}").reshape(-1, words)
        if flat.size > _DENSE_LIMIT and bool(np.all(bits == bits[0])) and _readable(flat[:1]):
            return f"{_element(flat[0])}, ..."
        if flat.size <= _DENSE_LIMIT and _readable(flat):
            return ", ".join([_element(item) for item in flat])
        data = flat.astype(flat.dtype.newbyteorder("<"), copy=False).tobytes()
        return f"@{self.data.setdefault((flat.dtype.name, data), len(self.data))}"

    def with_comment(self, code: str, location: Location) -> str:
        comment = self.comments.get(location)
        if comment is None:
            comment = self.comments[location] = format_location(location, self.here)
        if not comment:
            return code
        width = len(code) - code.rfind("\n") - 1
        return f"{code}{' ' * max(_COMMENT_COLUMN - width, 2)}# {comment}"


def _readable(flat: np.ndarray[Any, Any]) -> bool:
    """Whether decimals stand for these elements exactly: a NaN with a payload has none."""
    if flat.dtype not in dtypes.DIFFERENTIABLE:
        return True
    flat = flat.view(dtypes.part_of(flat.dtype))
    nans = flat[np.isnan(flat)]
    canonical = np.full(nans.shape, np.nan, flat.dtype)
    return bool(nans.tobytes() == canonical.tobytes())


def _element(item: Any) -> str:
    if item.dtype == dtypes.bool_:
        return "true" if item else "false"
    if item.dtype in dtypes.COMPLEX:
        return f"({_element(item.real)}, {_element(item.imag)})"
    if item.dtype == dtypes.float32:
        # The shortest decimal, unless reading it as a double first would round twice.
        short = str(item)
        if np.float32(float(short)) == item or item != item:
            return short
    return repr(item.item())
