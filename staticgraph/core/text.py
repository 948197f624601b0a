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
import binascii
import json
import os
import re
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.function import Function, parameter
from staticgraph.core.location import UNKNOWN, Location, capture
from staticgraph.core.node import Node, Value
from staticgraph.core.opdef import NO_ATTRS, Attrs, OpDef, get
from staticgraph.core.types import Dim, Shape, TensorType
from staticgraph.errors import CompilerError, GraphError

_DENSE_LIMIT = 16
_COMMENT_COLUMN = 64
_LINE_LIMIT = 100
_DATA_WIDTH = 96
_DTYPES = {dtypes.name(dtype): dtype for dtype in dtypes.ALL}

_PLAIN = re.compile(r"[\w./\-]+")
_SYMBOL = re.compile(r"\??[^\W\d]\w*|\?\w+")


def format_function(function: Function) -> str:
    """The text of a Function; `print` of one shows it."""
    return _Printer().program(function)


def parse(text: str) -> Function:
    """The Function that a text stands for.

    Raises GraphError that names the line where the text is none.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (None,), name="x")
    >>> program = sg.extract(x * 2.0)
    >>> sg.parse(str(program)) == program
    True
    """
    return _Parser(text).program()


# Function lies below this module and cannot import it; staticgraph.core imports both.
Function.__str__ = format_function  # type: ignore[method-assign, assignment]


# -- writing ----------------------------------------------------------------------------------


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _word(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _dim_text(dim: Dim) -> str:
    if dim is None:
        return "?"
    if isinstance(dim, str):
        return dim if _SYMBOL.fullmatch(dim) else _quoted(dim)
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
                code += f" {_quoted(value.name)}"
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
            [shown.get(value) or f'%{_quoted("undefined " + value.name)}' for value in node.inputs]
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
            text = shown.get(value) or f'%{_quoted("undefined " + value.name)}'
            items.append(text if text == f"%{name}" else f"{text} as {_quoted(name)}")
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
            return _quoted(value)
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
        bits = flat.view(f"u{flat.itemsize}")
        if flat.size > _DENSE_LIMIT and bool(np.all(bits == bits[0])) and _readable(flat[:1]):
            return f"{_element(flat[0])}, ..."
        if flat.size <= _DENSE_LIMIT and _readable(flat):
            return ", ".join([_element(item) for item in flat])
        data = flat.astype(flat.dtype.newbyteorder("<"), copy=False).tobytes()
        return f"@{self.data.setdefault((flat.dtype.name, data), len(self.data))}"

    def with_comment(self, code: str, location: Location) -> str:
        comment = self.comments.get(location)
        if comment is None:
            comment = self.comments[location] = _location_text(location, self.here)
        if not comment:
            return code
        width = len(code) - code.rfind("\n") - 1
        return f"{code}{' ' * max(_COMMENT_COLUMN - width, 2)}# {comment}"


def _readable(flat: np.ndarray[Any, Any]) -> bool:
    """Whether decimals stand for these elements exactly: a NaN with a payload has none."""
    if flat.dtype not in dtypes.FLOATING:
        return True
    nans = flat[np.isnan(flat)]
    canonical = np.full(nans.shape, np.nan, flat.dtype)
    return bool(nans.tobytes() == canonical.tobytes())


def _element(item: Any) -> str:
    if item.dtype == dtypes.bool_:
        return "true" if item else "false"
    if item.dtype == dtypes.float32:
        # The shortest decimal, unless reading it as a double first would round twice.
        short = str(item)
        if np.float32(float(short)) == item or item != item:
            return short
    return repr(item.item())


# -- locations as comments --------------------------------------------------------------------

# A comment is ``FILE:LINE: TEXT``, or ``adjoint of 'NAME' at FORWARD | by FILE:LINE: TEXT`` where
# FORWARD may itself be the place of an adjoint. Parts that could be misread are JSON strings.
_BY = " | by "
_STRING = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
_PLACE = re.compile(rf"(?:({_STRING})|(.*?)):(\d+)(?:: (.*))?")
_ADJOINT = re.compile(rf"adjoint of (?:'([^']*)'|({_STRING}))(?: at (.*))?")


def _comment_part(text: str, odd: bool) -> str:
    if odd or text.startswith('"') or text != text.strip() or not text.isprintable() or _BY in text:
        return _quoted(text).replace("|", "\\u007c")
    return text


def _location_text(location: Location, here: str) -> str:
    if location.adjoint_of is None:
        if location.line == 0 and location.filename == UNKNOWN.filename:
            return ""
        return _place_text(location, here)
    head, tail = [], []
    place: Location | None = location
    while place is not None and place.adjoint_of is not None:
        name = place.adjoint_of
        odd = "'" in name or _comment_part(name, False) != name
        shown = _comment_part(name, True) if odd else f"'{name}'"
        head.append(f"adjoint of {shown}")
        tail.append(_BY + _place_text(place, here))
        place = place.forward
    if place is not None:
        head.append(_place_text(place, here))
    return " at ".join(head) + "".join(reversed(tail))


def _place_text(location: Location, here: str) -> str:
    name = location.filename
    if name.startswith(here):
        name = name[len(here) :]
    odd = re.search(r":\d+: ", name) is not None or name.startswith("adjoint of ")
    place = f"{_comment_part(name, odd)}:{location.line}"
    return f"{place}: {_comment_part(location.text, False)}" if location.text else place


def _parse_location(comment: str) -> Location:
    """The Location a comment stands for; UNKNOWN for a remark that is none."""
    first, *by = comment.rstrip().split(_BY)
    names: list[str] = []
    head: str | None = first
    while head is not None and (match := _ADJOINT.fullmatch(head)):
        names.append(json.loads(match[2]) if match[1] is None else match[1])
        head = match[3]
    if len(names) != len(by):
        return UNKNOWN
    location = None if head is None else _parse_place(head, None, None)
    for name, place in zip(reversed(names), by, strict=True):
        location = _parse_place(place, name, location)
    return location or UNKNOWN


def _parse_place(place: str, adjoint_of: str | None, forward: Location | None) -> Location | None:
    match = _PLACE.fullmatch(place)
    if match is None:
        return None
    quoted, plain, line, text = match.groups()
    if text and text.startswith('"'):
        text = json.loads(text)
    filename = json.loads(quoted) if plain is None else plain
    return Location(filename, int(line), text or "", "", adjoint_of, forward)


# -- reading ----------------------------------------------------------------------------------

_WORD = rf"(?:([\w./\-]+)|({_STRING}))"
_TYPE = rf'(\w+)\[((?:[^\]"\n]|{_STRING})*)\]'
_SKIP = re.compile(r"\s*(?:#[^\n]*\s*)*")
_COMMENT = re.compile(r"[ \t]*# ?([^\n]*)")
_FUNCTION = re.compile(rf"function {_WORD}\(\s*(\)\s*{{)?")
_INPUT = re.compile(rf"%{_WORD}: {_TYPE} {_WORD}(?: ({_STRING}))?\s*(,?)")
_INPUTS_END = re.compile(r"\)\s*{")
_NODE = re.compile(rf"%{_WORD} = {_WORD}\((\))?")
_OPERAND = re.compile(rf"\s*%{_WORD}(?::(\d+))?\s*([,)])")
_ATTRS = re.compile(r"\s*{")
_ATTR = re.compile(r"(\w+)=")
_RESULT = re.compile(rf"\s*:\s*(?:({_TYPE})|(\())")
_RETURN = re.compile(r"return\b *(\()?")
_OUTPUT = re.compile(rf"\s*%{_WORD}(?::(\d+))?(?: as ({_STRING}))?(,?)")
_DIM = re.compile(rf'\s*(?:(\d+)|(\?(?!\w))|([^",\s]+)|({_STRING}))\s*(?:,|$)')
_NUMBER = re.compile(r"-?(?:inf|nan|\d+(\.\d+)?([eE][+-]?\d+)?)\b")
_LITERAL = re.compile(r"none\b|true\b|false\b")
_QUOTED = re.compile(_STRING)
_TYPED = re.compile(_TYPE + r"(\()?")
_DTYPE = re.compile(r"\w+")
_OPEN = re.compile(r"\(")
_CLOSE = re.compile(r"\s*\)")
_BRACE = re.compile(r"\s*}")
_COMMA = re.compile(r"\s*,\s*")
_ELLIPSIS = re.compile(r",\s*\.\.\.\s*\)")
_REFERENCE = re.compile(r"@(\d+)\)")
_DATA = re.compile(r"^data @(\d+) {\n([^}]*)}\s*", re.MULTILINE)


class _Parser:
    """A cursor over one text. Each method starts where the one before it ended."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.types: dict[tuple[str, str], TensorType] = {}
        self.locations: dict[str, Location] = {}
        self.data: dict[int, bytes] = {}

    # -- the cursor ---------------------------------------------------------------------------

    def fail(self, want: str, at: int | None = None) -> NoReturn:
        start = self.at if at is None else at
        start = _must(_SKIP.match(self.text, start)).end() if at is None else start
        end = self.text.find("\n", start)
        rest = self.text[start : len(self.text) if end < 0 else end].strip()
        have = repr(rest if len(rest) <= 60 else rest[:57] + "...") if rest else "the end"
        raise GraphError(
            f"parse: line {self.text.count(chr(10), 0, start) + 1} is no text of a Function\n"
            f"  have {have}\n"
            f"  want {want}\n"
            "  give text that str(function) made, or change it in its form\n"
            f"  at {capture()}"
        )

    def take(self, pattern: re.Pattern[str], want: str) -> re.Match[str]:
        match = pattern.match(self.text, self.at)
        if match is None:
            self.fail(want)
        self.at = match.end()
        return match

    def took(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def skip(self) -> None:
        self.at = _must(_SKIP.match(self.text, self.at)).end()

    def string(self, quoted: str) -> str:
        try:
            text = json.loads(quoted)
        except ValueError:
            self.fail(f"a JSON string instead of {quoted}", self.at - 1)
        assert isinstance(text, str)
        return text

    def word(self, plain: str | None, quoted: str) -> str:
        return self.string(quoted) if plain is None else plain

    def location(self) -> Location:
        """The comment at the end of this line, if there is one."""
        match = self.took(_COMMENT)
        if match is None:
            return UNKNOWN
        comment = match[1]
        known = self.locations.get(comment)
        if known is None:
            known = self.locations[comment] = _parse_location(comment)
        return known

    # -- programs and Functions ---------------------------------------------------------------

    def program(self) -> Function:
        end = self.read_data()
        self.skip()
        function = self.function()
        self.skip()
        if self.at < end:
            self.fail("the end, or a data section")
        return function

    def read_data(self) -> int:
        """Reads the sections after the body; returns where the body ends."""
        end = len(self.text)
        for match in _DATA.finditer(self.text):
            end = min(end, match.start())
            number = int(match[1])
            if number in self.data:
                self.fail(f"one section @{number}", match.start())
            try:
                self.data[number] = base64.b64decode("".join(match[2].split()), validate=True)
            except binascii.Error:
                self.fail("base64", match.start(2))
        return end

    def function(self) -> Function:
        start = self.take(_FUNCTION, "function NAME(")
        name = self.word(start[1], start[2])
        values: dict[str, tuple[Value, ...]] = {}
        inputs: list[Value] = []
        if start[3] is None:
            self.inputs(inputs, values)
        nodes: list[Node] = []
        self.skip()
        while self.text.startswith("%", self.at):
            nodes.append(self.node(values))
            self.skip()
        outputs, names = self.outputs(values)
        self.skip()
        self.take(_BRACE, "} after return")
        return Function(inputs, nodes, outputs, names, name)

    def inputs(self, inputs: list[Value], values: dict[str, tuple[Value, ...]]) -> None:
        more = ","
        while more:
            self.skip()
            begin = self.at
            match = self.take(_INPUT, "%LABEL: TYPE KIND, an input")
            plain, quoted, dtype, dims, kind, quoted_kind, named, more = match.groups()
            label = self.word(plain, quoted)
            if label in values:
                self.fail(f"one definition of %{label}", begin)
            type = self.type(dtype, dims, begin)
            name = label if named is None else self.string(named)
            value = parameter(name, type, self.word(kind, quoted_kind), self.location())
            inputs.append(value)
            values[label] = (value,)
        self.skip()
        self.take(_INPUTS_END, ") {")

    def outputs(self, values: dict[str, tuple[Value, ...]]) -> tuple[list[Value], list[str]]:
        several = self.take(_RETURN, "%LABEL = OP(...), or return")[1]
        outputs: list[Value] = []
        names: list[str] = []
        more: str | None = ","
        while more and (match := self.took(_OUTPUT)):
            plain, quoted, index, named, more = match.groups()
            label = self.word(plain, quoted)
            outputs.append(self.value(values, label, index, match.start()))
            default = f"{label}:{index}" if index else label
            names.append(default if named is None else self.string(named))
        if more and outputs:
            self.fail("%LABEL, a further output")
        if several:
            self.take(_CLOSE, ") after the outputs")
        return outputs, names

    def value(
        self, values: dict[str, tuple[Value, ...]], label: str, index: str | None, begin: int
    ) -> Value:
        known = values.get(label)
        number = 0 if index is None else int(index)
        if known is None or number >= len(known):
            begin = _must(_SKIP.match(self.text, begin)).end()
            shown = f"%{label}" if index is None else f"%{label}:{index}"
            self.fail(f"an operand that is computed before; {shown} is not", begin)
        return known[number]

    def node(self, values: dict[str, tuple[Value, ...]]) -> Node:
        begin = self.at
        plain, quoted, op_name, quoted_op, empty = self.take(_NODE, "%LABEL = OP(...)").groups()
        label = self.word(plain, quoted)
        if label in values:
            self.fail(f"one definition of %{label}", begin)
        op = self.op(self.word(op_name, quoted_op), begin)
        operands: list[Value] = []
        more = empty is None
        while more:
            match = self.take(_OPERAND, "%LABEL, an operand")
            plain, quoted, index, sign = match.groups()
            name = self.word(plain, quoted)
            operands.append(self.value(values, name, index, match.start()))
            more = sign == ","
        attrs = self.attrs() if self.took(_ATTRS) else NO_ATTRS
        types = self.results()
        node = Node(op, tuple(operands), attrs, types, label, self.location())
        values[label] = node.outputs
        return node

    def op(self, name: str, begin: int) -> OpDef:
        try:
            return get(name)
        except KeyError:
            self.fail(f"the name of a registered op; '{name}' is none", begin)

    def results(self) -> tuple[TensorType, ...]:
        match = self.take(_RESULT, ": TYPE, the type of the result")
        if match[1] is not None:
            return (self.type(match[2], match[3], match.start()),)
        types: list[TensorType] = []
        while not self.took(_CLOSE):
            if types:
                self.take(_COMMA, ", or ) among the types of the results")
            typed = self.take(_TYPED, "TYPE, the type of a result")
            types.append(self.type(typed[1], typed[2], typed.start()))
        return tuple(types)

    # -- types and attributes -----------------------------------------------------------------

    def type(self, dtype: str, dims: str, begin: int) -> TensorType:
        known = self.types.get((dtype, dims))
        if known is None:
            element = _DTYPES.get(dtype)
            if element is None:
                self.fail(f"a dtype ({dtypes.names(dtypes.ANY)}); '{dtype}' is none", begin)
            known = TensorType(element, self.shape(dims, begin))
            self.types[dtype, dims] = known
        return known

    def shape(self, dims: str, begin: int) -> Shape:
        if dims == "...":
            return None
        result: list[Dim] = []
        at = 0
        while at < len(dims):
            match = _DIM.match(dims, at)
            if match is None:
                self.fail("a size, a symbol or ?, for each axis", begin)
            at = match.end()
            number, unknown, symbol, quoted = match.groups()
            if number is not None:
                result.append(int(number))
            elif unknown is not None:
                result.append(None)
            else:
                result.append(self.word(symbol, quoted))
        return tuple(result)

    def attrs(self) -> Attrs:
        attrs: dict[str, Any] = {}
        while not self.took(_BRACE):
            if attrs:
                self.take(_COMMA, ", or } among the attributes")
            self.skip()
            name = self.take(_ATTR, "NAME=VALUE, an attribute")[1]
            if name in attrs:
                self.fail(f"one attribute {name}")
            attrs[name] = self.attribute()
        return attrs

    def attribute(self) -> Any:
        if match := self.took(_LITERAL):
            return {"none": None, "true": True, "false": False}[match[0]]
        if match := self.took(_NUMBER):
            return _number(match)
        if match := self.took(_QUOTED):
            return self.string(match[0])
        if self.took(_OPEN):
            return self.tuple()
        if _FUNCTION.match(self.text, self.at):
            return self.function()
        if match := self.took(_TYPED):
            type = self.type(match[1], match[2], match.start())
            return type if match[3] is None else self.array(type, match.start())
        begin = self.at
        dtype = _DTYPES.get(self.take(_DTYPE, "the value of an attribute")[0])
        if dtype is None:
            self.fail("the value of an attribute", begin)
        return dtype

    def tuple(self) -> tuple[Any, ...]:
        items: list[Any] = []
        while not self.took(_CLOSE):
            if items:
                self.take(_COMMA, ", or ) in a tuple")
                if self.took(_CLOSE):
                    break
            items.append(self.attribute())
        return tuple(items)

    def array(self, type: TensorType, begin: int) -> np.ndarray[Any, Any]:
        size = type.size
        if size is None:
            self.fail("sizes that are known, in the type of an array", begin)
        dtype = type.dtype
        if match := self.took(_REFERENCE):
            flat = self.stored(int(match[1]), dtype, size, begin)
        else:
            flat = self.listed(dtype, size, begin)
        array = flat.reshape(type.shape)  # type: ignore[arg-type]
        array.flags.writeable = False
        return array

    def stored(self, number: int, dtype: DType, size: int, begin: int) -> np.ndarray[Any, Any]:
        data = self.data.get(number)
        if data is None:
            self.fail(f"a section data @{number}", begin)
        if len(data) != size * dtype.itemsize:
            self.fail(f"{size * dtype.itemsize} bytes in data @{number}, not {len(data)}", begin)
        return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)

    def listed(self, dtype: DType, size: int, begin: int) -> np.ndarray[Any, Any]:
        items: list[Any] = []
        while not self.took(_CLOSE):
            if items:
                if len(items) == 1 and self.took(_ELLIPSIS):
                    items *= size
                    break
                self.take(_COMMA, ", or ) among the elements of an array")
            items.append(self.attribute())
        if len(items) != size:
            self.fail(f"{size} elements, not {len(items)}", begin)
        kinds: dict[str, Callable[[Any], bool]] = {
            "b": lambda item: isinstance(item, bool),
            "f": lambda item: isinstance(item, float),
        }
        fits = kinds.get(dtype.kind, lambda item: type(item) is int)
        if not all(map(fits, items)):
            self.fail(f"elements of {dtypes.name(dtype)}", begin)
        try:
            return np.array(items, dtype)
        except OverflowError:
            self.fail(f"elements that fit {dtypes.name(dtype)}", begin)


def _number(match: re.Match[str]) -> int | float:
    text = match[0]
    if match[1] is None and match[2] is None and not text.endswith(("inf", "nan")):
        return int(text)
    return float(text)


def _must(match: re.Match[str] | None) -> re.Match[str]:
    assert match is not None
    return match
