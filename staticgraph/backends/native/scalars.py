"""Registers, and the builder that elementwise ops are written with.

A `Register` is one element, or as many as the builder has lanes; the same emit rule makes scalar
code and vector code. Rounding is the op's own: nothing is contracted unless the session asks for
it.
"""

from __future__ import annotations

from typing import NamedTuple

from staticgraph.backends.native.ir import Code, element_type, literal, vector
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType


class Register(NamedTuple):
    """A value in a register: the text of an SSA name or of a constant, and its dtype."""

    text: str
    dtype: DType


class Scalars:
    """Writes arithmetic on registers of `lanes` elements into `code`."""

    def __init__(self, code: Code, lanes: int = 1, contract: bool = False) -> None:
        self.code = code
        self.lanes = lanes
        # The flag of every instruction that may be contracted: a multiply and an add round once.
        self.flags = "contract " if contract else ""

    def type(self, dtype: DType) -> str:
        """The LLVM type of a register of `dtype`."""
        return vector(element_type(dtype), self.lanes)

    def constant(self, value: object, dtype: DType) -> Register:
        """`value` in every lane."""
        text = literal(value, dtype)
        if self.lanes > 1:
            text = f"splat ({element_type(dtype)} {text})"
        return Register(text, dtype)

    def add(self, lhs: Register, rhs: Register) -> Register:
        """``lhs + rhs``; integers wrap around."""
        return self._arithmetic("add", lhs, rhs)

    def subtract(self, lhs: Register, rhs: Register) -> Register:
        """``lhs - rhs``; integers wrap around."""
        return self._arithmetic("sub", lhs, rhs)

    def multiply(self, lhs: Register, rhs: Register) -> Register:
        """``lhs * rhs``; integers wrap around."""
        return self._arithmetic("mul", lhs, rhs)

    def _arithmetic(self, name: str, lhs: Register, rhs: Register) -> Register:
        floating = lhs.dtype in dtypes.FLOATING
        instruction = f"f{name} {self.flags}" if floating else f"{name} "
        text = self.code.let(f"{instruction}{self.type(lhs.dtype)} {lhs.text}, {rhs.text}")
        return Register(text, lhs.dtype)
