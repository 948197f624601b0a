"""What all kernels have: the values that their callers give them, and a name by their text.

A kernel is ``void @kernel(ptr args, i64 lo, i64 hi)``. What it knows of its caller comes through
`args`, 8 bytes a slot, and is loaded where it begins; the kernel says which values of the caller
belong there. Equal kernels have equal text, so they are compiled once.
"""

from __future__ import annotations

import hashlib

from staticgraph.backends.native.ir import (
    UNREAD,
    Code,
    Module,
    in_slot,
    memory_type,
    slots_of_type,
    vector,
)
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import ONE, ZERO, Size
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType

_PARAMETERS = ("ptr noalias readonly %args", "i64 %lo", "i64 %hi")


class Kernel:
    """A kernel while it is written.

    arguments   the (value, type) of its caller that each slot holds; UNREAD for the second slot of
                a value that takes two
    """

    def __init__(self, module: Module) -> None:
        self.code = Code(module, "KERNEL", "void", _PARAMETERS)
        self.arguments: list[tuple[str, str]] = []
        self._arguments: dict[tuple[str, str], str] = {}
        self._sizes: dict[Size, str] = {}

    def argument(self, value: str, type: str = "i64") -> str:
        """A value of the caller, loaded at entry; what is no register stands for itself."""
        if not value.startswith("%"):
            return value
        known = self._arguments.get((value, type))
        if known is None:
            number = len(self.arguments)
            self.arguments += [(value, type), *[(UNREAD, "")] * (slots_of_type(type) - 1)]
            known = self._arguments[value, type] = f"%a{number}"
            self.code.entry(f"{known}p = getelementptr i64, ptr %args, i64 {number}")
            self.code.entry(f"{known} = load {type}, ptr {known}p{in_slot(type)}")
        return known

    def size(self, size: Size) -> str:
        """A size of the caller, multiplied at entry."""
        if not size.names:
            return str(size.factor)
        known = self._sizes.get(size)
        if known is None:
            known = self.argument(size.names[0])
            for name in size.names[1:]:
                known = self.code.entry_let(f"mul i64 {known}, {self.argument(name)}")
            if size.factor != 1:
                known = self.code.entry_let(f"mul i64 {known}, {size.factor}")
            self._sizes[size] = known
        return known

    def offset(self, pointer: str, dtype: DType, index: str, stride: Size = ONE) -> str:
        """`pointer` moved by `index` steps of `stride` elements."""
        if stride == ZERO or index == "0":
            return pointer
        if stride != ONE:
            index = self.code.let(f"mul i64 {index}, {self.size(stride)}")
        return self.code.let(f"getelementptr {memory_type(dtype)}, ptr {pointer}, i64 {index}")

    def loaded(self, text: str, dtype: DType, lanes: int) -> Register:
        """What stands in memory as a register."""
        if dtype == dtypes.bool_:
            zero = "0" if lanes == 1 else "zeroinitializer"
            text = self.code.let(f"icmp ne {vector('i8', lanes)} {text}, {zero}")
        return Register(text, dtype)

    def stored(self, register: Register, lanes: int) -> str:
        """A register as it stands in memory."""
        if register.dtype != dtypes.bool_:
            return register.text
        bits, byte = vector("i1", lanes), vector("i8", lanes)
        return self.code.let(f"zext {bits} {register.text} to {byte}")


def add_kernel(module: Module, text: str, level: int) -> str:
    """Adds a kernel to the module, once for equal text and effort; its name."""
    digest = hashlib.blake2b(f"{level}\n{text}".encode(), digest_size=8).hexdigest()
    name = f"kernel_{digest}"
    if not module.has_function(name):
        module.add_function(name, text.replace("@KERNEL(", f"@{name}(", 1), level)
    return name
