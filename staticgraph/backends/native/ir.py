"""LLVM IR as text: a module, and the body of one function in basic blocks.

Text is an order of magnitude faster to make than a tree of objects, and it is what is read when
something is wrong. Invariants: a declaration stands once in a module; every block ends with one
terminator; names are numbered in the order in which they are made, so equal programs have equal
text.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

# Types in registers; a bool in memory is a byte.
_TYPES = {
    dtypes.bool_: "i1",
    dtypes.int8: "i8", dtypes.int16: "i16", dtypes.int32: "i32", dtypes.int64: "i64",
    dtypes.uint8: "i8", dtypes.uint16: "i16", dtypes.uint32: "i32", dtypes.uint64: "i64",
    dtypes.float32: "float", dtypes.float64: "double",
}  # fmt: skip


def element_type(dtype: DType) -> str:
    """The LLVM type of one element in a register."""
    return _TYPES[dtype]


def memory_type(dtype: DType) -> str:
    """The LLVM type of one element in memory."""
    return "i8" if dtype == dtypes.bool_ else _TYPES[dtype]


def vector(element: str, lanes: int) -> str:
    """The type of `lanes` elements; the element itself for one lane."""
    return element if lanes == 1 else f"<{lanes} x {element}>"


def literal(value: object, dtype: DType) -> str:
    """The text of a constant element; floats by their bits, so that nothing is rounded."""
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


class Module:
    """The text of one LLVM module: declarations, globals, then functions."""

    def __init__(self) -> None:
        self._declarations: dict[str, None] = {}
        self._globals: list[str] = []
        self._functions: dict[str, str] = {}

    def declare(self, text: str) -> None:
        """Adds a declaration, such as ``declare ptr @sg_alloc(ptr, i64)``, once."""
        self._declarations[text] = None

    def add_global(self, text: str) -> None:
        """Adds the definition of a global constant or variable."""
        self._globals.append(text)

    def add_function(self, name: str, text: str) -> None:
        """Adds the definition of a function; one name has one text."""
        assert self._functions.setdefault(name, text) == text

    def has_function(self, name: str) -> bool:
        """Whether the function is already defined."""
        return name in self._functions

    def __str__(self) -> str:
        parts = [*self._declarations, *self._globals, *self._functions.values()]
        return "\n".join(parts) + "\n"


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

    def finish(self, attributes: str = "nounwind") -> None:
        """Adds the function to the module."""
        self.module.add_function(self.name, self.text(attributes))


class Phi:
    """A phi instruction whose incoming values are added one by one."""

    def __init__(self, code: Code, line: int, type: str, name: str) -> None:
        self.code, self.line, self.type, self.name = code, line, type, name
        self._sources: list[str] = []

    def add(self, value: str, block: str) -> None:
        """The value that the phi has when `block` came before."""
        self._sources.append(f"[ {value}, %{block} ]")
        self.code.patch(self.line, f"{self.name} = phi {self.type} {', '.join(self._sources)}")
