"""Hand-written LLVM IR: the little that makes it readable.

The runtime is written as IR text. What the text may say beyond LLVM's own language is `$NAME`, a
constant, and ``ptr %base[NAME]``, the address so many bytes behind `%base`. `assemble` spells both
out, and a name that nobody defined is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_FIELD = re.compile(r"ptr ([%@]\w+)\[(\w+)\]")
_CONSTANT = re.compile(r"\$(\w+)")


def assemble(text: str, constants: Mapping[str, object]) -> str:
    """`text` as LLVM reads it.

    >>> print(assemble("  %now = load i64, ptr %ctx[NOW]", {"NOW": 8}), end="")
      %field0 = getelementptr i8, ptr %ctx, i64 8
      %now = load i64, ptr %field0
    """
    lines: list[str] = []
    count = 0
    for line in text.splitlines():
        # Every process does this: most lines have nothing to spell out, and are not searched.
        if ";" in line:
            line = line.partition(";")[0]
        if "$" in line:
            line = _CONSTANT.sub(lambda match: str(constants[match[1]]), line)
        while "[" in line and (match := _FIELD.search(line)):
            base, offset = match[1], constants[match[2]]
            lines.append(f"  %field{count} = getelementptr i8, ptr {base}, i64 {offset}")
            line = f"{line[: match.start()]}ptr %field{count}{line[match.end() :]}"
            count += 1
        if line := line.rstrip():
            lines.append(line)
    return "\n".join(lines) + "\n"
