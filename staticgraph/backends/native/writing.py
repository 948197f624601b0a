"""A group of fused nodes on its way to a kernel: which values are stored, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from staticgraph.backends.native.nest import Access, Expression, Nest
from staticgraph.backends.native.sizes import ZERO, row_major
from staticgraph.backends.native.values import Array, Lazy
from staticgraph.core.node import Value

if TYPE_CHECKING:
    from staticgraph.backends.native.fusion import Group
    from staticgraph.backends.native.program import Program


class GroupWriting:
    """One group on its way to a kernel."""

    def __init__(self, program: Program, group: Group, wanted: Sequence[Value]) -> None:
        self.program = program
        self.group = group
        self.wanted = wanted
        self.outer = group.outer or 0
        self.nest = Nest(group.domain, self.outer)

    def write(self) -> None:
        """Writes the kernel and its call, and puts arrays in place of the lazy values."""
        program, nest, group = self.program, self.nest, self.group
        lazies: dict[Value, Lazy] = {}
        for value in self.wanted:
            held = program.scope.held[value]
            assert isinstance(held, Lazy)
            lazies[value] = held
        live = self._live([lazy.expression for lazy in lazies.values()])
        nest.expressions = [e for e in group.expressions if e in live]
        for expression in nest.expressions:
            if expression.kind in ("load", "gather"):
                self._resolve(expression)
        arrays = self._place(lazies)
        self.run()
        for value, lazy in lazies.items():
            array = arrays[_key(lazy)]
            view = _viewed(array, lazy)
            for _ in range(group.awaited.get(value, 0)):
                program.retain(view)
            program.hold(value, view)

    def run(self) -> None:
        """Writes the kernel and calls it."""
        self.program.run(self.nest, self.group.node)

    def _live(self, roots: Sequence[Expression]) -> set[Expression]:
        live: set[Expression] = set()
        stack = list(roots)
        while stack:
            expression = stack.pop()
            if expression not in live:
                live.add(expression)
                stack.extend(expression.operands)
        return live

    def _resolve(self, expression: Expression) -> None:
        """Finds the strides of a load, now that its array is there."""
        source, axes = expression.source, expression.axes
        assert source is not None
        array = self.group.arrays[source]
        strides = [ZERO] * len(self.group.domain)
        lead = len(axes) - len(array.dims)
        for number, axis in enumerate(axes):
            if axis is None or number < lead:
                continue
            dim, stride = array.dims[number - lead], array.strides[number - lead]
            strides[axis] = self.program.stride_along(dim, stride, self.group.domain[axis])
        expression.access = Access(array.pointer, array.dtype, tuple(strides))

    def _place(self, lazies: dict[Value, Lazy]) -> dict[object, Array]:
        """An array per distinct value, with the store that fills it."""
        arrays: dict[object, Array] = {}
        for value, lazy in lazies.items():
            key = _key(lazy)
            if key in arrays:
                continue
            whole = self.program.result(value, lazy.dims, lazy.dtype)
            dims = tuple([d for d, a in zip(lazy.dims, lazy.axes, strict=True) if a is not None])
            array = Array(whole.buffer, whole.pointer, lazy.dtype, dims, row_major(dims))
            arrays[key] = array
            if lazy.terminal:
                assert lazy.expression.target is not None
                lazy.expression.target.pointer = array.pointer
                lazy.expression.array = array
                continue
            strides = [ZERO] * len(self.group.domain)
            places = [axis for axis in lazy.axes if axis is not None]
            for axis, stride in zip(places, row_major(dims), strict=True):
                strides[axis] = stride
            expression = lazy.expression
            if expression.row and any(axis >= self.outer for axis in places):
                expression = Expression(
                    "spread", expression.dtype, (expression,), phase=expression.phase + 1
                )
                self.nest.expressions.append(expression)
            self.nest.stores.append((expression, Access(array.pointer, lazy.dtype, tuple(strides))))
        return arrays


def _key(lazy: Lazy) -> object:
    return (lazy.expression, tuple([axis for axis in lazy.axes if axis is not None]))


def _viewed(array: Array, lazy: Lazy) -> Array:
    """The array with the dims of size 1 that a lazy value has."""
    strides = iter(array.strides)
    return Array(
        array.buffer,
        array.pointer,
        array.dtype,
        lazy.dims,
        tuple([ZERO if axis is None else next(strides) for axis in lazy.axes]),
    )
