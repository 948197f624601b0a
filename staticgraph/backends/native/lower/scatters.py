"""Lowerings of scatters: updates are combined with the entries that indices name.

Updates of one element are combined in an order that depends on nothing but sizes. Where the axes
that are not indexed give threads enough to share, they share those, and the order is that of the
updates. Where they do not and the updates are many times as many as the elements of the result,
the updates are split into parts: the first goes into the result, each other one into an array of
its own, and these are then combined with the result in their order. Such arrays together are never
larger than a quarter of the updates.
"""

from __future__ import annotations

from typing import NamedTuple

from staticgraph.backends.native.kernels.code import (
    Axis,
    KernelCode,
    fitting_lanes,
    grain_of,
    joined_axes,
    larger,
    smaller,
)
from staticgraph.backends.native.lower import lowering
from staticgraph.backends.native.lower.indexing import (
    Picks,
    checked_picks,
    done,
    from_start,
    hold_array,
    require_fit,
)
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.reduce import combined, identity
from staticgraph.backends.native.scalars import Scalars
from staticgraph.backends.native.sizes import ONE, ZERO, Size, product
from staticgraph.backends.native.values import Array
from staticgraph.core import dtypes
from staticgraph.core.node import Node, Value

# Columns that are a chunk at least, where threads share the last axis.
_COLUMNS = 64
# Parts of the updates: how many at most, how many updates each has at least, and how many of them
# for every element of the result.
_PARTS = 8
_PART_UPDATES = 1 << 16
_PART_RATIO = 4


@lowering("scatter_add", "scatter_max", "scatter_min")
def lower_scatter(program: Program, node: Node) -> None:
    """Combines updates in an order that depends on nothing but sizes."""
    x, updates, *indices = node.inputs
    picks = checked_picks(program, node, program.dims(x), tuple(indices))
    added = program.array(updates)
    places = [program.array(value) for value in indices]
    result = _started(program, node, x)
    wanted = picks.gathered(result.dims)
    given = added.dims
    lead = len(wanted) - len(given)
    for have, want in zip(given, wanted[lead:], strict=True):
        require_fit(program, have, want, node)
    strides = [ZERO] * lead + [
        program.stride_along(have, stride, want)
        for have, stride, want in zip(given, added.strides, wanted[lead:], strict=True)
    ]
    if not any(dim == ZERO for dim in wanted):
        view = Array(added.buffer, added.pointer, added.dtype, wanted, tuple(strides))
        combine = COMBINED[node.op.name]
        scatter = _Scatter(program, picks, result, view, places, combine)
        parts = scatter.parts()
        if parts == ONE:
            scatter.write()
        else:
            scatter.write_in(parts)
    hold_array(program, node, result)
    done(program, node)


def _started(program: Program, node: Node, x: Value) -> Array:
    """The array that is added to: x itself where nobody else needs it, else a copy."""
    array, scope = program.array(x), program.scope
    wanted = node.out in scope.reserved or scope.destinations.get(node.out)
    free = array.buffer.owned and array.buffer.users == 1 and scope.uses[x] == 1
    if free and not wanted and array.contiguous and node.inputs.count(x) == 1:
        return array
    result = program.result(node.out, array.dims, array.dtype)
    program.copy(array, result, node)
    return result


# What the scatters do with an entry and an update.
COMBINED = {"scatter_add": "sum", "scatter_max": "max", "scatter_min": "min"}


class _Bounds(NamedTuple):
    """The part of an axis that a call of the kernel walks."""

    axis: int
    begin: str
    end: str


class _Scatter:
    """The kernel of a scatter.

    A chunk is a part of the axes that are not indexed, or of the updates; where neither is worth
    it, there is one chunk.
    """

    def __init__(
        self,
        program: Program,
        picks: Picks,
        result: Array,
        updates: Array,
        places: list[Array],
        combine: str,
    ) -> None:
        self.program, self.combine = program, combine
        self.result, self.updates, self.places = result, updates, places
        self.steps = [(result.dims[axis], result.strides[axis]) for axis in picks.axes]
        end = picks.first + len(picks.dims)
        kept = [
            Axis(result.dims[axis], (result.strides[axis], updates.strides[number]))
            for number, axis in zip(
                [*range(picks.first), *range(end, len(updates.dims))], picks.kept, strict=True
            )
        ]
        self.front = joined_axes(kept[: picks.first])
        self.back = joined_axes(kept[picks.first :])
        self.picked: list[Axis] = []
        for number, dim in enumerate(picks.dims):
            strides = [_stride_of(program, place, number, picks.dims) for place in places]
            self.picked.append(Axis(dim, (ZERO, updates.strides[picks.first + number], *strides)))
        self.picked = joined_axes(self.picked)
        self.axes = [*self.front, *self.picked, *self.back]
        self.kernel = KernelCode(program)

    def write(self) -> None:
        """Writes the kernel and its call."""
        program, kernel = self.program, self.kernel
        split = self._split()
        self._walk(0, _Bounds(split or 0, "%lo", "%hi"), self._pointers())
        if split is None:
            count = "1" if not self.axes else program.text(self.axes[0].dim)
            kernel.call(count, None)
            return
        others = product([axis.dim for number, axis in enumerate(self.axes) if number != split])
        step = 1 if split < len(self.front) else _COLUMNS
        kernel.call(program.text(self.axes[split].dim), grain_of(program, others, step))

    def _pointers(self) -> list[str]:
        arrays = (self.result, self.updates, *self.places)
        return [self.kernel.argument(array.pointer, "ptr") for array in arrays]

    def parts(self) -> Size:
        """Into how many parts the updates are split: a function of sizes alone."""
        columns = self.back[-1].dim.known if self.back else 1
        shared = self.front or columns is None or columns > _COLUMNS
        if shared or not self.picked or not self.result.contiguous:
            return ONE
        program = self.program
        updates, result = product([axis.dim for axis in self.axes]), product(self.result.dims)
        if updates.known is not None and updates.known < 2 * _PART_UPDATES:
            return ONE
        if updates.known is not None and result.known is not None:
            each = max(_PART_RATIO * result.known, _PART_UPDATES)
            return Size(max(min(updates.known // each, _PARTS), 1))
        least = program.arithmetic("mul", program.text(result), str(_PART_RATIO))
        least = larger(program, least, str(_PART_UPDATES))
        count = program.code.let(f"sdiv i64 {program.text(updates)}, {least}")
        return program.size(larger(program, smaller(program, count, str(_PARTS)), "1"))

    def write_in(self, parts: Size) -> None:
        """Writes a kernel that goes over each part of the updates, and one that joins the parts."""
        program = self.program
        spare = program.size(program.arithmetic("sub", program.text(parts), "1"))
        count = product(self.result.dims)
        partial = program.allocate((spare, count), self.result.dtype)
        self._over_parts(parts, partial)
        self._join(spare, partial)
        program.free(partial.buffer)

    def _over_parts(self, parts: Size, partial: Array) -> None:
        """Part 0 goes into the result, each other one into its row of `partial`."""
        program, kernel, dtype = self.program, self.kernel, self.result.dtype
        code, (count, rows) = kernel.code, (partial.dims[1], self.picked[0].dim)
        length = kernel.size(program.chunks(rows, program.text(parts)))
        first, *pointers = self._pointers()
        base = kernel.argument(partial.pointer, "ptr")
        lanes = fitting_lanes(program, count, dtype)
        nothing = identity(self.combine, dtype)
        if self.combine == "sum" and dtype in dtypes.FLOATING:
            # Only -0.0 leaves every zero as it is.
            nothing = -0.0

        def part(number: str) -> None:
            row = kernel.offset(base, dtype, code.let(f"sub i64 {number}, 1"), count)

            def clear(index: str, builder: Scalars) -> None:
                target = kernel.offset(row, dtype, index)
                kernel.store(builder.constant(nothing, dtype), target, builder.lanes)

            leads = code.let(f"icmp eq i64 {number}, 0")
            cleared = code.let(f"select i1 {leads}, i64 0, i64 {kernel.size(count)}")
            kernel.vectors("0", cleared, lanes, clear)
            target = code.let(f"select i1 {leads}, ptr {first}, ptr {row}")
            begin = code.let(f"mul i64 {number}, {length}")
            end = code.let(f"add i64 {begin}, {length}")
            end = code.intrinsic("smin.i64", "i64", [("i64", end), ("i64", kernel.size(rows))])
            self._walk(0, _Bounds(0, begin, end), [target, *pointers])

        kernel.loop("%lo", "%hi", part)
        kernel.call(program.text(parts), "1")

    def _join(self, spare: Size, partial: Array) -> None:
        """Combines the result with the rows of `partial` in their order."""
        program, dtype = self.program, self.result.dtype
        self.kernel = kernel = KernelCode(program)
        count = partial.dims[1]
        first, base = [kernel.argument(a.pointer, "ptr") for a in (self.result, partial)]

        def row(number: str) -> None:
            pointer = kernel.offset(base, dtype, number, count)

            def join(index: str, builder: Scalars) -> None:
                target, source = [kernel.offset(p, dtype, index) for p in (first, pointer)]
                self._add(target, source, builder)

            kernel.vectors("%lo", "%hi", fitting_lanes(program, count, dtype), join)

        kernel.loop("0", kernel.size(spare), row)
        joined = program.text(count)
        if spare.known is None:
            some = program.code.let(f"icmp sgt i64 {program.text(spare)}, 0")
            joined = program.code.let(f"select i1 {some}, i64 {joined}, i64 0")
        kernel.call(joined, grain_of(program, spare, _COLUMNS))

    def _split(self) -> int | None:
        """The axis of which a chunk is a part."""
        if self.front:
            return 0
        return len(self.axes) - 1 if self.back else None

    def _walk(self, number: int, bounds: _Bounds, pointers: list[str]) -> None:
        kernel = self.kernel
        if number == len(self.front) + len(self.picked):
            pointers = [self._target(pointers), pointers[1]]
        if number == len(self.axes):
            self._add(pointers[0], pointers[1], kernel.scalar)
            return
        axis = self.axes[number]
        chunked = number == bounds.axis
        begin, end = (bounds.begin, bounds.end) if chunked else ("0", kernel.size(axis.dim))
        if self.back and number == len(self.axes) - 1 and axis.strides == (ONE, ONE):
            dtype = self.result.dtype

            def add(index: str, builder: Scalars) -> None:
                target, source = [kernel.offset(p, dtype, index) for p in pointers]
                self._add(target, source, builder)

            lanes = fitting_lanes(self.program, axis.dim, dtype)
            if lanes == axis.dim.known and not chunked:
                # Rows of one vector: no loop.
                add("0", self.program.scalars.builder(kernel.code, lanes))
            else:
                kernel.vectors(begin, end, lanes, add)
            return
        kernel.loop(begin, end, lambda index: self._walk(
            number + 1, bounds, self._moved(pointers, axis, index)
        ))  # fmt: skip

    def _moved(self, pointers: list[str], axis: Axis, index: str) -> list[str]:
        """The pointers at `index` of an axis; only those that are indexed move those of indices."""
        types = [self.result.dtype, self.result.dtype, *[dtypes.int64] * len(self.places)]
        moved = [
            self.kernel.offset(pointer, dtype, index, stride)
            for pointer, dtype, stride in zip(pointers, types, axis.strides, strict=False)
        ]
        return [*moved, *pointers[len(moved) :]]

    def _target(self, pointers: list[str]) -> str:
        """Where the entry that the indices name begins."""
        kernel, target = self.kernel, pointers[0]
        for pointer, (dim, stride) in zip(pointers[2:], self.steps, strict=True):
            index = kernel.load(dtypes.int64, pointer)
            place = from_start(kernel.scalar, index, kernel.size(dim))
            target = kernel.offset(target, self.result.dtype, place.text, stride)
        return target

    def _add(self, target: str, source: str, builder: Scalars) -> None:
        kernel, dtype = self.kernel, self.result.dtype
        before = kernel.load(dtype, target, builder.lanes)
        update = kernel.load(dtype, source, builder.lanes)
        total = combined(builder, self.combine, before, update)
        kernel.store(total, target, builder.lanes)


def _stride_of(program: Program, place: Array, number: int, dims: tuple[Size, ...]) -> Size:
    """The stride of an index along axis `number` of the dims to which it broadcasts."""
    own = number - (len(dims) - len(place.dims))
    if own < 0:
        return ZERO
    return program.stride_along(place.dims[own], place.strides[own], dims[number])
