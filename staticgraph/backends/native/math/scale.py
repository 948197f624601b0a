"""Numbers times powers of two, where the processor has an instruction for that: x86 with AVX-512.

Its result is rounded once and may be subnormal, 0 or infinite, so two to the n need not be a number
of the dtype. Registers of other lengths than the processor's are cut, or filled up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from staticgraph.backends.native.ir import Code, element_type, vector

if TYPE_CHECKING:
    from staticgraph.backends.native.scalars import Register, Scalars

# The machine's vectors, in bits.
_LONGEST, _SHORTEST = 512, 128
# Rounding as the mode of the processor says.
_CURRENT_MODE = 4


def scale(s: Scalars, x: Register, exponent: Register) -> Register:
    """x times two to the floor of `exponent`, a register of the same dtype."""
    code, element, bits = s.code, element_type(x.dtype), 8 * x.dtype.itemsize
    lanes = min(max(s.lanes, _SHORTEST // bits), _LONGEST // bits)
    parts = [
        _scaled(code, element, lanes, [
            _part(code, element, operand.text, s.lanes, first, lanes) for operand in (x, exponent)
        ])
        for first in range(0, s.lanes, lanes)
    ]  # fmt: skip
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [_shuffled(code, element, pair, lanes, range(2 * lanes)) for pair in pairs]
        lanes *= 2
    return x._replace(text=_part(code, element, parts[0], lanes, 0, s.lanes))


def _scaled(code: Code, element: str, lanes: int, operands: Sequence[str]) -> str:
    """The instruction, for as many lanes as it can have."""
    type, mask = vector(element, lanes), f"i{max(lanes, 8)}"
    kind, length = ("ps", 32 * lanes) if element == "float" else ("pd", 64 * lanes)
    given = [(type, text) for text in operands] + [(type, "zeroinitializer"), (mask, "-1")]
    if length == _LONGEST:
        given.append(("i32", str(_CURRENT_MODE)))
    return code.intrinsic(f"x86.avx512.mask.scalef.{kind}.{length}", type, given)


def _part(code: Code, element: str, text: str, have: int, first: int, want: int) -> str:
    """`want` of the `have` lanes, from the first on; those beyond may hold anything."""
    if have == want:
        return text
    if have == 1:
        return code.let(f"insertelement {vector(element, want)} poison, {element} {text}, i64 0")
    if want == 1:
        return code.let(f"extractelement {vector(element, have)} {text}, i64 {first}")
    places = [first + lane if lane < have else None for lane in range(want)]
    return _shuffled(code, element, (text, "poison"), have, places)


def _shuffled(
    code: Code, element: str, pair: tuple[str, str], lanes: int, places: Sequence[int | None]
) -> str:
    """The lanes at these places of two registers side by side."""
    type = vector(element, lanes)
    order = ", ".join(f"i32 {'poison' if place is None else place}" for place in places)
    return code.let(
        f"shufflevector {type} {pair[0]}, {type} {pair[1]}, <{len(places)} x i32> <{order}>"
    )
