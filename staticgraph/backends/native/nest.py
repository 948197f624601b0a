"""Kernels as data: what a loop nest reads, computes, reduces and writes.

A nest covers a domain, the dims of the arrays it walks. The first `outer` axes are walked one by
one and each of their points is a *row*; the axes after them are walked within a row, the last of
them in vectors. An expression has a value per element, or one per row: the result of a reduction
over the row is known to what comes after it, in the next *phase*, which walks the row again. So
softmax is one nest of three phases, and its rows stay in cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import ONE, ZERO, Size
from staticgraph.core.dtypes import DType
from staticgraph.core.node import Node, Value


@dataclass(eq=False)
class Access:
    """Where a nest reads or writes an array: a stride in elements per axis of the domain.

    chunk   the distance in elements between the places that the chunks of a reduction write
    """

    pointer: str
    dtype: DType
    strides: tuple[Size, ...]
    chunk: Size = ZERO


@dataclass(eq=False)
class Expression:
    """A value inside a nest.

    kind      load: read through `access`; gather: read through `access` at the places that the
              operands name; parameter: a register of the caller; index: the place along `axis`;
              map: what `node` makes of the operands; spread: a value per row as one per element;
              reduce: the operand combined along the axes that the result lacks; product: the
              matrix product of the group
    row       one value per row, not one per element
    phase     the walk over the row in which it is first known
    combine   of a reduce: sum, prod, max, min, any, all, argmax or argmin
    target    of a reduce: where it is added up in memory, when it is not one value per row
    source    of a load: the value that is read, along these `axes` of the domain
    array     of a reduce with a target: the array of the result
    steps     of a gather: per operand the size of the axis that it indexes, and its stride. Places
              are in range; those below 0 count from the end
    """

    kind: Literal["load", "gather", "parameter", "index", "map", "spread", "reduce", "product"]
    dtype: DType
    operands: tuple[Expression, ...] = ()
    node: Node | None = None
    access: Access | None = None
    parameter: Register | None = None
    axis: int = 0
    row: bool = False
    phase: int = 0
    combine: str = ""
    target: Access | None = None
    source: Value | None = None
    axes: tuple[int | None, ...] = ()
    array: Any = None
    steps: tuple[tuple[Size, Size], ...] = ()


@dataclass(eq=False)
class Nest:
    """A kernel: expressions in an order in which operands come first, and what is written."""

    domain: tuple[Size, ...]
    outer: int
    expressions: list[Expression] = field(default_factory=list)
    stores: list[tuple[Expression, Access]] = field(default_factory=list)

    @property
    def phases(self) -> int:
        """How often a row is walked."""
        return 1 + max((e.phase for e in self.expressions if not e.row), default=0)

    def accesses(self) -> list[Access]:
        """Every access, in order."""
        found = [e.access for e in self.expressions if e.access is not None]
        found += [e.target for e in self.expressions if e.target is not None]
        return found + [access for _, access in self.stores]


def collapse(nest: Nest) -> None:
    """Joins neighbouring axes that every access walks as one, within rows and outside of them.

    Axes of size 1 are dropped first. Fewer, longer loops are what vectors want.
    """
    if any(e.kind == "index" for e in nest.expressions):
        return
    accesses = nest.accesses()
    _drop_ones(nest, accesses)
    _join(nest, accesses, nest.outer, len(nest.domain))
    joined = _join(nest, accesses, 0, nest.outer)
    nest.outer -= joined


def _drop_ones(nest: Nest, accesses: Sequence[Access]) -> None:
    kept = [axis for axis, dim in enumerate(nest.domain) if dim.known != 1]
    last = len(nest.domain) - 1
    if nest.outer <= last and (not kept or kept[-1] < nest.outer):
        # A row keeps an axis, even one of a single element.
        kept.append(last)
    if nest.outer and kept and kept[0] >= nest.outer:
        # A single row stays a row: its own axis is not cut into chunks, and is walked if empty.
        kept.insert(0, 0)
    if len(kept) == len(nest.domain):
        return
    nest.outer = sum(1 for axis in kept if axis < nest.outer)
    nest.domain = tuple([nest.domain[axis] for axis in kept])
    for access in accesses:
        access.strides = tuple([access.strides[axis] for axis in kept])


def _join(nest: Nest, accesses: Sequence[Access], begin: int, end: int) -> int:
    """Joins axes within [begin, end); how many were saved."""
    saved = 0
    axis = end - 2
    while axis >= begin:
        inner = nest.domain[axis + 1]
        if all(
            access.strides[axis] == access.strides[axis + 1].times(inner) for access in accesses
        ):
            nest.domain = (
                *nest.domain[:axis],
                nest.domain[axis].times(inner),
                *nest.domain[axis + 2 :],
            )
            for access in accesses:
                access.strides = (*access.strides[:axis], *access.strides[axis + 1 :])
            saved += 1
        axis -= 1
    return saved


def add_axis(nest: Nest) -> None:
    """Makes a nest of one element a loop of one iteration."""
    nest.domain = (ONE,)
    for access in nest.accesses():
        access.strides = (ZERO,)


# Ops that cost more than an instruction or two, in simple operations an element.
_WORK = dict.fromkeys(
    (
        "exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf", "sin", "cos", "tan",
        "pow", "remainder", "floor_divide",
    ),
    16,
)  # fmt: skip


def work_of(nest: Nest) -> int:
    """What one element costs, in simple operations."""
    maps = [e for e in nest.expressions if e.kind == "map"]
    return 1 + len(maps) // 4 + sum(_WORK.get(e.node.op.name, 0) for e in maps if e.node)
