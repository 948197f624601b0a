"""What an object file refers to: the undefined symbols of ELF, which LLVM makes on most systems.

The declarations of a module do not say it: code generation adds calls of its own, of ``memcpy``, of
``fmod``, of conversions that a processor does not have.
"""

from __future__ import annotations

import struct

_MAGIC_64 = b"\x7fELF\x02"
_SYMBOL_TABLE = 2
# It stands for the table itself; no library defines it.
_NOT_A_NAME = "_GLOBAL_OFFSET_TABLE_"


def undefined_symbols(code: bytes) -> tuple[str, ...] | None:
    """The names that object code expects others to define; None when it is not 64-bit ELF.

    >>> undefined_symbols(b"MZ") is None
    True
    """
    if not code.startswith(_MAGIC_64):
        return None
    order = "<" if code[5] == 1 else ">"
    (start,) = struct.unpack_from(order + "Q", code, 0x28)
    size, count = struct.unpack_from(order + "HH", code, 0x3A)
    sections = [
        # Type, offset, size and, of a table of symbols, the number of the section of its names.
        struct.unpack_from(order + "4xI16xQQI", code, start + size * number)
        for number in range(count)
    ]
    found: list[str] = []
    for kind, offset, length, names in sections:
        if kind != _SYMBOL_TABLE:
            continue
        for at in range(offset, offset + length, 24):
            name, _, _, section = struct.unpack_from(order + "IBBH", code, at)
            if name and not section:
                begin = sections[names][1] + name
                found.append(code[begin : code.index(b"\0", begin)].decode())
    return tuple(name for name in found if name != _NOT_A_NAME)
