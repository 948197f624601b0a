"""LLVM IR as text: a module, and the body of one function in basic blocks.

Text is an order of magnitude faster to make than a tree of objects, and it is what is read when
something is wrong. Invariants: a declaration stands once in a module; every block ends with one
terminator; names are numbered in the order in which they are made, so equal programs have equal
text.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

# Types in registers; a bool in memory is a byte.
_TYPES = {
    dtypes.bool_: "i1",
    dtypes.int8: "i8", dtypes.int16: "i16", dtypes.int32: "i32", dtypes.int64: "i64",
    dtypes.uint8: "i8", dtypes.uint16: "i16", dtypes.uint32: "i32", dtypes.uint64: "i64",
    # Half-precision floats are bits: conversion.py knows what they mean.
    dtypes.float16: "i16", dtypes.bfloat16: "i16",
    dtypes.float32: "float", dtypes.float64: "double",
    # Real and imaginary part: a vector of elements has the parts in turn, as they lie in memory.
    dtypes.complex64: "<2 x float>", dtypes.complex128: "<2 x double>",
}  # fmt: skip


def element_type(dtype: DType) -> str:
    """The LLVM type of one element in a register."""
    return _TYPES[dtype]


def memory_type(dtype: DType) -> str:
    """The LLVM type of one element in memory."""
    return "i8" if dtype == dtypes.bool_ else _TYPES[dtype]


def vector(element: str, lanes: int) -> str:
    """The type of `lanes` elements; the element itself for one lane."""
    if element.startswith("<"):
        return f"<{2 * lanes} x {element[5:-1]}>"
    return element if lanes == 1 else f"<{lanes} x {element}>"


def aligned(dtype: DType) -> str:
    """What a load or store says where the type in memory promises more than NumPy keeps."""
    return f", align {dtype.alignment}" if dtype in dtypes.COMPLEX else ""


def in_slot(type: str) -> str:
    """What a load or store of a kernel's argument says of its place, a multiple of 8 bytes."""
    return ", align 8" if type.startswith("<") else ""


def slots_of_type(type: str) -> int:
    """How many slots of 8 bytes a value of a type takes among the arguments of a kernel."""
    return 2 if type == _TYPES[dtypes.complex128] else 1


def splat(text: str, element: str, lanes: int) -> str:
    """A constant element in every lane."""
    if lanes == 1 or text == "zeroinitializer":
        return text
    if element.startswith("<"):
        return f"<{', '.join([text[1:-1]] * lanes)}>"
    return f"splat ({element} {text})"


def spread(places: Sequence[int], dtype: DType) -> list[int]:
    """The numbers of the LLVM lanes that hold the elements `places` of a register."""
    if dtype not in dtypes.COMPLEX:
        return list(places)
    return [part for place in places for part in (2 * place, 2 * place + 1)]


def literal(value: object, dtype: DType) -> str:
    """The text of a constant element; floats by their bits, so that nothing is rounded."""
    if dtype in dtypes.COMPLEX:
        number = dtype.type(value)
        if not any(number.tobytes()):
            return "zeroinitializer"
        part = dtypes.part_of(dtype)
        parts = [f"{_TYPES[part]} {literal(item, part)}" for item in (number.real, number.imag)]
        return f"<{', '.join(parts)}>"
    if dtype in dtypes.HALF:
        return str(np.array(value, dtype).view(np.uint16)[()])
    if dtype.kind == "f":
        # LLVM writes a float32 constant with the bits of the float64 of the same value.
        if dtype == dtypes.float32:
            bits = struct.unpack("<I", dtype.type(value).tobytes())[0]
            if (bits & 0x7F800000) == 0x7F800000 and bits & 0x7FFFFF:
                # A conversion would quiet or drop the payload of a NaN.
                widened = (bits >> 31) << 63 | 0x7FF << 52 | (bits & 0x7FFFFF) << 29
                return f"0x{widened:016X}"
        return f"0x{struct.unpack('<Q', struct.pack('<d', float(dtype.type(value))))[0]:016X}"
    if dtype == dtypes.bool_:
        return "true" if value else "false"
    return str(int(value))  # type: ignore[call-overload]


# The value of a slot of a kernel's arguments that the kernel does not read.
UNREAD = ""

# LLVM at its least effort takes time that grows with the square of the calls in one block.
_CALLS_PER_BLOCK = 50


class Part(NamedTuple):
    """Functions of a module that are compiled together, with one effort of code generation."""

    text: str
    level: int


class Module:
    """The text of one LLVM module: declarations, globals, then functions.

    Functions are compiled in parts, one per effort of code generation; a part is a module of its
    own. A function of internal linkage is a helper of others: every part has its own copy.
    """

    def __init__(self) -> None:
        self._declarations: dict[str, str] = {}
        self._globals: dict[str, str] = {}
        self._functions: dict[str, tuple[str, int]] = {}
        self._helpers: dict[str, str] = {}

    def declare(self, text: str) -> None:
        """Adds a declaration, such as ``declare ptr @sg_alloc(ptr, i64)``, once."""
        self._declarations[_named(text)] = text

    def add_global(self, text: str) -> None:
        """Adds the definition of a global constant or variable."""
        self._globals[_named(text)] = text

    def add_function(self, name: str, text: str, level: int = 1) -> None:
        """Adds the definition of a function; one name has one text.

        level   the effort of code generation, as LLVM counts it. Without any (0), what lives
                across blocks lives in memory, which is half the time to compile
        """
        if text.startswith("define internal "):
            assert self._helpers.setdefault(name, text) == text
            return
        assert self._functions.setdefault(name, (text, level)) == (text, level)

    def has_function(self, name: str) -> bool:
        """Whether the function is already defined."""
        return name in self._functions or name in self._helpers

    def function_names(self) -> list[str]:
        """The names of all functions but helpers, in order."""
        return list(self._functions)

    def level(self, name: str) -> int:
        """The effort that is wanted for a function."""
        return self._functions[name][1]

    def parts(self) -> list[Part]:
        """The module as modules that refer to each other, one per effort."""
        levels: dict[int, list[str]] = {}
        for name, (_, level) in self._functions.items():
            levels.setdefault(level, []).append(name)
        return [Part(self._part(names), level) for level, names in sorted(levels.items())]

    def _part(self, names: list[str]) -> str:
        texts = [self._functions[name][0] for name in names]
        used = _names_in(texts)
        helpers: list[str] = []
        waiting = [name for name in self._helpers if name in used]
        while waiting:
            name = waiting.pop()
            if self._helpers[name] in helpers:
                continue
            helpers.append(self._helpers[name])
            found = _names_in([self._helpers[name]])
            used |= found
            waiting += [other for other in self._helpers if other in found and other != name]
        lines = [text for name, text in self._declarations.items() if name in used]
        lines += [text for name, text in self._globals.items() if name in used]
        for name, (text, _) in self._functions.items():
            if name in used and name not in names:
                lines.append(f"declare {_HEAD.match(text).group(1)}")  # type: ignore[union-attr]
        return "\n".join([*lines, *sorted(helpers), *texts]) + "\n"

    def __str__(self) -> str:
        functions = [text for text, _ in self._functions.values()]
        parts = [*self._declarations.values(), *self._globals.values()]
        return "\n".join([*parts, *self._helpers.values(), *functions]) + "\n"


_NAME = re.compile(r"@([\w.]+)")
_HEAD = re.compile(r"define (.*?\))")


def _named(text: str) -> str:
    """The name that a line declares or defines."""
    found = _NAME.search(text)
    assert found is not None, text
    return found.group(1)


def _names_in(texts: list[str]) -> set[str]:
    return {name for text in texts for name in _NAME.findall(text)}


class Code:
    """The body of one LLVM function, written block by block.

    `let` writes an instruction that has a result and returns its name, `do` one that has none.
    `block` is the label of the block being written, for phi instructions.
    """

    def __init__(self, module: Module, name: str, result: str, parameters: Sequence[str]) -> None:
        self.module = module
        self.name = name
        self.block = "entry"
        self._head = f"define {result} @{name}({', '.join(parameters)})"
        self._entry: list[str] = []
        self._lines: list[str] = []
        self._count = 0
        self._calls = 0
        self._callees: dict[str, str] = {}

    def let(self, instruction: str) -> str:
        """Writes ``%n = instruction``; the name ``%n``."""
        name = f"%v{self._count}"
        self._count += 1
        self._lines.append(f"  {name} = {instruction}")
        return name

    def reserve_entry(self) -> int:
        """A line at the start of the function that `fill_entry` writes later."""
        self._entry.append("")
        return len(self._entry) - 1

    def fill_entry(self, line: int, text: str) -> None:
        """Writes the line that `reserve_entry` kept free."""
        self._entry[line] = f"  {text}"

    def entry(self, line: str) -> None:
        """Writes an instruction at the start of the function, where it serves every block."""
        self._entry.append(f"  {line}")

    def entry_let(self, instruction: str) -> str:
        """`let` at the start of the function."""
        name = f"%v{self._count}"
        self._count += 1
        self._entry.append(f"  {name} = {instruction}")
        return name

    def do(self, instruction: str) -> None:
        """Writes an instruction without a result."""
        self._lines.append(f"  {instruction}")

    def label(self, hint: str = "b") -> str:
        """A new label; `begin` starts its block."""
        name = f"{hint}{self._count}"
        self._count += 1
        return name

    def begin(self, label: str) -> None:
        """Starts the block called `label`; the block before it must have been ended."""
        self._lines.append(f"{label}:")
        self.block = label
        self._calls = 0

    def callee(self, name: str) -> str:
        """The function `name`, to be called: a pointer in a register.

        Functions may be farther away than a call instruction reaches. At its least effort LLVM has
        a quick way to call a pointer, and takes twice as long over the name of such a function.
        """
        room = self._callees.get(name)
        if room is None:
            room = self._callees[name] = self.stack("ptr", 8)
            self.entry(f"store ptr @{name}, ptr {room}")
        return self.let(f"load ptr, ptr {room}")

    def called(self) -> None:
        """Said after a call of a function: after many calls a block is ended and another begun."""
        self._calls += 1
        if self._calls >= _CALLS_PER_BLOCK:
            label = self.label()
            self.jump(label)
            self.begin(label)

    def jump(self, label: str) -> None:
        """Ends the block: on to `label`."""
        self._lines.append(f"  br label %{label}")

    def branch(self, condition: str, then: str, otherwise: str) -> None:
        """Ends the block: on to `then` where the i1 `condition` holds, else to `otherwise`."""
        self._lines.append(f"  br i1 {condition}, label %{then}, label %{otherwise}")

    def phi(self, type: str, name: str | None = None) -> Phi:
        """A phi at this place, whose sources are added when they are known."""
        result = name or f"%v{self._count}"
        self._count += 1
        self._lines.append("")
        return Phi(self, len(self._lines) - 1, type, result)

    def patch(self, line: int, text: str) -> None:
        """Fills the line that `phi` kept free."""
        self._lines[line] = f"  {text}"

    def loop(self, begin: str, end: str, body: Callable[[str], None], step: int = 1) -> None:
        """A loop whose counter goes from `begin` by `step` while it is below `end`."""
        before, head, inside, after = self.block, self.label(), self.label(), self.label()
        self.jump(head)
        self.begin(head)
        counter = self.phi("i64")
        counter.add(begin, before)
        self.branch(self.let(f"icmp slt i64 {counter.name}, {end}"), inside, after)
        self.begin(inside)
        body(counter.name)
        counter.add(self.let(f"add i64 {counter.name}, {step}"), self.block)
        self.jump(head)
        self.begin(after)

    def stack(self, type: str, align: int = 64) -> str:
        """Room on the stack for the whole call, made once at entry whatever loop asks for it."""
        name = f"%v{self._count}"
        self._count += 1
        self._entry.append(f"  {name} = alloca {type}, align {align}")
        return name

    def intrinsic(self, name: str, result: str, operands: Sequence[tuple[str, str]]) -> str:
        """A call of ``@llvm.name`` (its full name with type suffixes) with (type, value) pairs."""
        types = ", ".join(type for type, _ in operands)
        self.module.declare(f"declare {result} @llvm.{name}({types})")
        given = ", ".join(f"{type} {value}" for type, value in operands)
        return self.let(f"call {result} @llvm.{name}({given})")

    def text(self, attributes: str = "nounwind") -> str:
        """The whole function."""
        lines = [f"{self._head} {attributes} {{", "entry:", *self._entry, *self._lines, "}"]
        return "\n".join(lines)

    def finish(self, attributes: str = "nounwind", level: int = 1) -> None:
        """Adds the function to the module."""
        self.module.add_function(self.name, self.text(attributes), level)


class Phi:
    """A phi instruction whose incoming values are added one by one."""

    def __init__(self, code: Code, line: int, type: str, name: str) -> None:
        self.code, self.line, self.type, self.name = code, line, type, name
        self._sources: list[str] = []

    def add(self, value: str, block: str) -> None:
        """The value that the phi has when `block` came before."""
        self._sources.append(f"[ {value}, %{block} ]")
        self.code.patch(self.line, f"{self.name} = phi {self.type} {', '.join(self._sources)}")
