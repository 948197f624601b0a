"""Reductions inside a kernel: accumulators, and how lanes and rows are combined.

A reduction whose result is one value per row keeps a vector of accumulators over the walk of the
row and combines its lanes by halves at the end. One whose result is an array adds to it in memory,
element by element, in the order of the walk. Either order depends on the sizes alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from staticgraph.backends.native.ir import Code, Phi, element_type, spread, vector
from staticgraph.backends.native.nest import Access, Expression, Nest
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.backends.native.sizes import ZERO, Size
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType


def identity(combine: str, dtype: DType) -> Any:
    """The value that changes nothing when it is combined with another."""
    if combine in ("sum", "any"):
        return False if dtype == dtypes.bool_ else 0
    if combine in ("prod", "all"):
        return True if dtype == dtypes.bool_ else 1
    lowest = combine in ("max", "argmax")
    if dtype in dtypes.FLOATING:
        return -np.inf if lowest else np.inf
    if dtype == dtypes.bool_:
        return not lowest
    limits = np.iinfo(dtype)
    return limits.min if lowest else limits.max


def combined(builder: Scalars, combine: str, lhs: Register, rhs: Register) -> Register:
    """Two values of a reduction as one."""
    if lhs.dtype == dtypes.bool_:
        conjunction = combine in ("all", "prod", "min")
        return (builder.logical_and if conjunction else builder.logical_or)(lhs, rhs)
    rules: dict[str, Callable[[Register, Register], Register]] = {
        "sum": builder.add, "prod": builder.multiply,
        "max": builder.maximum, "min": builder.minimum,
    }  # fmt: skip
    return rules[combine](lhs, rhs)


class Place(Protocol):
    """What a reducer needs of the kernel that is being written."""

    code: Code
    nest: Nest
    scalar: Scalars
    vector: Scalars
    lanes: int
    mask: str | None
    indices: list[str]
    rows: dict[Expression, Register]
    pointers: dict[tuple[Access, int], str]

    def size(self, size: Size) -> str:
        """The text of a size."""
        ...

    def offset(self, pointer: str, dtype: DType, index: str, stride: Size) -> str:
        """A pointer moved by so many steps."""
        ...

    def load_at(
        self, dtype: DType, pointer: str, many: str | None, lanes: int | None = None
    ) -> Register:
        """Reads a vector."""
        ...

    def store_at(
        self,
        register: Register,
        dtype: DType,
        pointer: str,
        many: str | None = None,
        lanes: int | None = None,
    ) -> None:
        """Writes a vector."""
        ...

    def addresses(self, access: Access, index: str) -> tuple[str, str | None]:
        """Where a vector of an array stands."""
        ...

    def flat_index(self, index: str) -> Register:
        """The place within the row."""
        ...

    def halved(self, lanes: int) -> Scalars:
        """A builder for fewer lanes."""
        ...


class Reducer:
    """One reduction of a walk: a vector of accumulators, or elements of an array in memory."""

    def __init__(self, place: Place, expression: Expression) -> None:
        self.place = place
        self.expression = expression
        self.dtype = expression.operands[0].dtype
        axis = len(place.nest.domain) - 1
        target = expression.target
        # An array whose last axis is the last axis of the domain is added to in place.
        self.in_memory = target is not None and target.strides[axis] != ZERO
        self.chosen = expression.combine in ("argmax", "argmin")
        parts = [self.dtype, dtypes.int64] if self.chosen else [self.dtype]
        self.parts = [] if self.in_memory else parts
        self.slots = [place.code.stack(vector(_stored(part), place.lanes)) for part in self.parts]
        self.now: list[Register] = []
        self.phis: list[Phi] = []

    # -- around the loops -----------------------------------------------------------------

    def begin_row(self) -> None:
        """Before the walk of a row."""
        if self.expression.target is None:
            self._reset()

    def begin_vectors(self) -> None:
        """Before the innermost loop."""
        if self.expression.target is not None:
            self._reset()

    def end_vectors(self) -> None:
        """After the innermost loop: a sum over the last axis alone goes to memory now."""
        target = self.expression.target
        if target is None or self.in_memory:
            return
        place = self.place
        pointer = place.pointers[target, len(place.nest.domain) - 2]
        total = self._folded()[0]
        before = place.load_at(self.dtype, pointer, None, 1)
        result = combined(place.scalar, self.expression.combine, before, total)
        place.store_at(result, self.dtype, pointer, None, 1)

    def end_row(self) -> None:
        """After the walk of a row: its value is known."""
        if self.expression.target is None:
            self.place.rows[self.expression] = self._folded()[-1]

    def _reset(self) -> None:
        place = self.place
        value = identity(self.expression.combine, self.dtype)
        first = [place.vector.constant(value, self.dtype)]
        if self.chosen:
            # Where nothing is better than the start, the first lane has the first place.
            lanes = ", ".join(f"i64 {lane}" for lane in range(place.lanes))
            first.append(Register("0" if place.lanes == 1 else f"<{lanes}>", dtypes.int64))
        for slot, register in zip(self.slots, first, strict=False):
            self._put(slot, register)

    def _put(self, slot: str, register: Register) -> None:
        type = self.place.vector.type(register.dtype)
        self.place.code.do(f"store {type} {register.text}, ptr {slot}")

    # -- inside the innermost loop -----------------------------------------------------------

    def load(self) -> None:
        """Takes the accumulators into registers."""
        self.now = []
        for slot, part in zip(self.slots, self.parts, strict=True):
            type = self.place.vector.type(part)
            self.now.append(Register(self.place.code.let(f"load {type}, ptr {slot}"), part))

    def save(self) -> None:
        """Puts the accumulators back."""
        for slot, register in zip(self.slots, self.now, strict=True):
            self._put(slot, register)

    def enter(self, before: str) -> None:
        """At the head of a loop that `before` jumps to."""
        self.phis = []
        for number, register in enumerate(self.now):
            phi = self.place.code.phi(self.place.vector.type(register.dtype))
            phi.add(register.text, before)
            self.phis.append(phi)
            self.now[number] = Register(phi.name, register.dtype)

    def leave(self, block: str) -> None:
        """At the end of the loop's body: the next iteration goes on with what there is now."""
        for number, phi in enumerate(self.phis):
            phi.add(self.now[number].text, block)
            self.now[number] = Register(phi.name, self.now[number].dtype)

    def add(self, value: Register, index: str) -> None:
        """Combines a vector of the operand."""
        if self.in_memory:
            self._add_in_memory(value, index)
            return
        place = self.place
        if place.mask is not None:
            value = self._only_counting(value)
        if self.chosen:
            self.now = self._chosen_next(value, place.flat_index(index))
            return
        self.now = [combined(place.vector, self.expression.combine, self.now[0], value)]

    def _chosen_next(self, value: Register, places: Register) -> list[Register]:
        """The accumulators after one more vector; its places come later, so no tie wins."""
        builder, (best, where) = self.place.vector, self.now
        floating = self.dtype in dtypes.FLOATING
        if self.expression.combine == "argmax":
            wins = builder.compare("ugt", value, best) if floating else builder.greater(value, best)
        else:
            wins = builder.compare("ult", value, best) if floating else builder.less(value, best)
        if floating:
            # The comparison holds too where one is NaN: the first NaN stays.
            wins = builder.logical_and(wins, builder.equal(best, best))
        return [builder.where(wins, value, best), builder.where(wins, places, where)]

    def _only_counting(self, value: Register) -> Register:
        neutral = identity(self.expression.combine, self.dtype)
        return self._masked(value, self.place.vector.constant(neutral, self.dtype))

    def _masked(self, value: Register, otherwise: Register) -> Register:
        assert self.place.mask is not None
        return self.place.vector.chosen(self.place.mask, value, otherwise)

    def _add_in_memory(self, value: Register, index: str) -> None:
        place, target = self.place, self.expression.target
        assert target is not None
        pointer, many = place.addresses(target, index)
        before = place.load_at(self.dtype, pointer, many)
        result = combined(place.vector, self.expression.combine, before, value)
        place.store_at(result, self.dtype, pointer, many)

    # -- lanes ------------------------------------------------------------------------------

    def _folded(self) -> list[Register]:
        """The accumulators of all lanes as one, by halves."""
        place = self.place
        code = place.code
        self.load()
        lanes = place.lanes
        while lanes > 1:
            half = lanes // 2
            builder = place.halved(half)
            low = [_part(code, r, lanes, 0, half) for r in self.now]
            high = [_part(code, r, lanes, half, half) for r in self.now]
            if self.chosen:
                self.now = list(self._better(builder, low, high))
            else:
                self.now = [combined(builder, self.expression.combine, low[0], high[0])]
            lanes = half
        return self.now

    def _better(
        self, builder: Scalars, first: list[Register], second: list[Register]
    ) -> tuple[Register, Register]:
        """The better of two (value, index): NaN before all, the earlier of equals."""
        (value, place), (other, where) = first, second
        if self.expression.combine == "argmax":
            wins = builder.greater(other, value)
        else:
            wins = builder.less(other, value)
        tie = builder.equal(other, value)
        if self.dtype in dtypes.FLOATING:
            new, old = builder.isnan(other), builder.isnan(value)
            wins = builder.logical_or(wins, builder.logical_and(new, builder.logical_not(old)))
            tie = builder.logical_or(tie, builder.logical_and(new, old))
        earlier = builder.less(where, place)
        wins = builder.logical_or(wins, builder.logical_and(tie, earlier))
        return builder.where(wins, other, value), builder.where(wins, where, place)


def _stored(dtype: DType) -> str:
    return element_type(dtype)


def _part(code: Code, register: Register, lanes: int, begin: int, count: int) -> Register:
    """`count` lanes from `begin`; the element itself for one."""
    type = vector(element_type(register.dtype), lanes)
    wanted = spread(range(begin, begin + count), register.dtype)
    if len(wanted) == 1:
        text = code.let(f"extractelement {type} {register.text}, i64 {begin}")
    else:
        places = ", ".join(f"i32 {lane}" for lane in wanted)
        text = code.let(
            f"shufflevector {type} {register.text}, {type} poison, <{len(wanted)} x i32> <{places}>"
        )
    return Register(text, register.dtype)
