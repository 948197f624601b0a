"""Reads the text form of Functions, which core/text.py describes and writes."""

from __future__ import annotations

import base64
import binascii
import json
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
from staticgraph.core.text_comments import STRING, parse_location
from staticgraph.core.types import Dim, Shape, TensorType
from staticgraph.errors import GraphError

_DTYPES = {dtypes.name(dtype): dtype for dtype in dtypes.ALL}

# What stands for a complex element: its real and its imaginary part.
_PARTS = [float, float]

_WORD = rf"(?:([\w./\-]+)|({STRING}))"
_TYPE = rf'(\w+)\[((?:[^\]"\n]|{STRING})*)\]'
_SKIP = re.compile(r"\s*(?:#[^\n]*\s*)*")
_COMMENT = re.compile(r"[ \t]*# ?([^\n]*)")
_FUNCTION = re.compile(rf"function {_WORD}\(\s*(\)\s*{{)?")
_INPUT = re.compile(rf"%{_WORD}: {_TYPE} {_WORD}(?: ({STRING}))?\s*(,?)")
_INPUTS_END = re.compile(r"\)\s*{")
_NODE = re.compile(rf"%{_WORD} = {_WORD}\((\))?")
_OPERAND = re.compile(rf"\s*%{_WORD}(?::(\d+))?\s*([,)])")
_ATTRS = re.compile(r"\s*{")
_ATTR = re.compile(r"(\w+)=")
_RESULT = re.compile(rf"\s*:\s*(?:({_TYPE})|(\())")
_RETURN = re.compile(r"return\b *(\()?")
_OUTPUT = re.compile(rf"\s*%{_WORD}(?::(\d+))?(?: as ({STRING}))?(,?)")
_DIM = re.compile(rf'\s*(?:(\d+)|(\?(?!\w))|([^",\s]+)|({STRING}))\s*(?:,|$)')
_NUMBER = re.compile(r"-?(?:inf|nan|\d+(\.\d+)?([eE][+-]?\d+)?)\b")
_LITERAL = re.compile(r"none\b|true\b|false\b")
_QUOTED = re.compile(STRING)
_TYPED = re.compile(_TYPE + r"(\()?")
_DTYPE = re.compile(r"\w+")
_OPEN = re.compile(r"\(")
_CLOSE = re.compile(r"\s*\)")
_BRACE = re.compile(r"\s*}")
_COMMA = re.compile(r"\s*,\s*")
_ELLIPSIS = re.compile(r",\s*\.\.\.\s*\)")
_REFERENCE = re.compile(r"@(\d+)\)")
_DATA = re.compile(r"^data @(\d+) {\n([^}]*)}\s*", re.MULTILINE)


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
            known = self.locations[comment] = parse_location(comment)
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
            "c": lambda item: isinstance(item, tuple) and [type(part) for part in item] == _PARTS,
        }
        kind = "f" if dtype in dtypes.HALF else dtype.kind
        fits = kinds.get(kind, lambda item: type(item) is int)
        if not all(map(fits, items)):
            self.fail(f"elements of {dtypes.name(dtype)}", begin)
        if dtype in dtypes.COMPLEX:
            items = [complex(*parts) for parts in items]
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
