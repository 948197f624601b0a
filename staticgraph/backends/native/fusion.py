"""Which nodes become one kernel.

Nodes arrive in order and join an open group: a set of elementwise nodes and reductions over one
domain that will be one nest. A group is written when something needs its results in memory, and
then computes all that was put into it. Groups are numbered as they are opened, and a node only
joins a group that is not older than any group it needs: so they can be written in order.

A reduction over the last axes gives a value per row, and what uses it joins the same group: the row
is walked again while it is in cache. Any other reduction ends its group. Where a value has to go
through memory, the program's notes say why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeGuard

from staticgraph.backends.native import notes
from staticgraph.backends.native.nest import Access, Expression
from staticgraph.backends.native.products import PendingProduct, ProductWriting
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.sizes import ONE, ZERO, Size, row_major
from staticgraph.backends.native.values import Array, Held, Lazy, Scalar
from staticgraph.backends.native.writing import GroupWriting
from staticgraph.core import dtypes
from staticgraph.core.node import Node, Value

if TYPE_CHECKING:
    from staticgraph.backends.native.program import Program

# Elementwise ops that have no result for some integers.
FAILING = frozenset(("pow", "label"))

# More expressions than this in one kernel only spill registers.
_EXPRESSIONS = 256


class Group:
    """Nodes that will be one kernel over `domain`; `outer` once a row reduction has split it."""

    def __init__(self, index: int, domain: tuple[Size, ...], node: Node) -> None:
        self.index = index
        self.domain = domain
        self.node = node
        self.outer: int | None = None
        self.expressions: list[Expression] = []
        self.values: list[Value] = []
        self.sources: dict[tuple[Value, bool, int], Expression] = {}
        self.parameters: dict[str, Expression] = {}
        self.awaited: dict[Value, int] = {}
        self.needs: dict[Value, Group] = {}
        self.arrays: dict[Value, Array] = {}
        self.written = False
        # Whether one of its nodes can fail in the run.
        self.fails = False
        # The matrix product whose result the nodes use before it is stored; see products.py.
        self.product: PendingProduct | None = None

    @property
    def full(self) -> bool:
        """Whether it takes no more nodes."""
        return self.written or len(self.expressions) >= _EXPRESSIONS


class Fusion:
    """The open groups of one scope."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.groups: list[Group] = []
        self._latest: dict[tuple[Size, ...], Group] = {}

    # -- joining ----------------------------------------------------------------------------

    def map(self, node: Node, dims: tuple[Size, ...]) -> None:
        """Adds an elementwise node whose result has these dims."""
        held = [self.program.scope.held[value] for value in node.inputs]
        group = self._group_of_rows(node, held, dims)
        if group is not None:
            axes = self._row_axes(group, held, dims)
            assert axes is not None
            self._add_map(group, node, dims, axes, row=True)
            return
        group = self._choose(held, dims, node)
        self._add_map(group, node, dims, tuple(range(len(dims))), row=False)

    def reduce(
        self, node: Node, combine: str, axes: tuple[int, ...], keepdims: bool | frozenset[int]
    ) -> None:
        """Adds a reduction of the node's operand along `axes`, which are sorted.

        keepdims   whether the result has them with size 1, or which of them
        """
        program = self.program
        value = node.inputs[0]
        held = program.scope.held[value]
        if isinstance(held, Lazy) and not self._covers(held):
            held = program.array(value, self._why_not(held, held.group))
        domain = program.dims(value)
        group = self._choose([held], domain, node)
        operand = self._operand(group, value, tuple(range(len(domain))), row=False)
        if operand.row:
            operand = self._add(group, Expression(
                "spread", operand.dtype, (operand,), phase=operand.phase + 1
            ))  # fmt: skip
        outer = len(domain) - len(axes)
        trailing = axes == tuple(range(outer, len(domain)))
        per_row = trailing and outer > 0 and group.outer in (None, outer)
        if per_row and any(e.kind == "reduce" and not e.row for e in group.expressions):
            per_row = False
        expression = Expression(
            "reduce", node.out.type.dtype, (operand,), node, combine=combine,
            row=per_row, phase=operand.phase,
        )  # fmt: skip
        if per_row:
            group.outer = outer
        else:
            kept = [axis for axis in range(len(domain)) if axis not in axes]
            strides = iter(row_major(tuple([domain[axis] for axis in kept])))
            expression.target = Access(
                "", operand.dtype,
                tuple([next(strides) if axis in kept else ZERO for axis in range(len(domain))]),
            )  # fmt: skip
        self._add(group, expression)
        dims: list[Size] = []
        places: list[int | None] = []
        for axis, dim in enumerate(domain):
            if axis not in axes:
                dims.append(dim)
                places.append(axis)
            elif keepdims is True or (keepdims and axis in keepdims):
                dims.append(ONE)
                places.append(None)
        lazy = Lazy(
            group, expression, expression.dtype, tuple(dims), tuple(places), terminal=not per_row
        )
        self._finish(group, node, lazy)

    def index(self, node: Node, dim: Size) -> None:
        """Adds a node whose element i is i."""
        group = self._choose([], (dim,), node, fresh=True)
        expression = self._add(group, Expression("index", node.out.type.dtype, axis=0))
        self._finish(group, node, Lazy(group, expression, expression.dtype, (dim,), (0,)))

    def gather(self, node: Node, dims: tuple[Size, ...], first: int, count: int) -> None:
        """Adds a node that reads the elements of its first operand at places in range.

        The operands after it index the axes in the attribute `axes`; they broadcast to `count` axes
        of the result, from axis `first` on.
        """
        program = self.program
        group = self._choose([], dims, node)
        x, *indices = node.inputs
        array = self._source(group, x)
        places: list[Expression] = []
        steps: list[tuple[Size, Size]] = []
        for axis, value in zip(node.attrs["axes"], indices, strict=True):
            steps.append((array.dims[axis], array.strides[axis]))
            held = program.scope.held[value]
            if isinstance(held, Scalar):
                places.append(self._parameter(group, held.register))
                continue
            own = len(self._source(group, value).dims)
            picked = tuple(range(first + count - own, first + count))
            places.append(self._load(group, value, picked))
        others = iter([axis for axis in range(len(dims)) if not first <= axis < first + count])
        axes = tuple([
            None if axis in node.attrs["axes"] else next(others) for axis in range(len(array.dims))
        ])  # fmt: skip
        expression = Expression(
            "gather", array.dtype, tuple(places), source=x, axes=axes, steps=tuple(steps),
            access=Access("", array.dtype, ()),
        )  # fmt: skip
        self._add(group, expression)
        places_of_dims = tuple(range(len(dims)))
        self._finish(group, node, Lazy(group, expression, array.dtype, dims, places_of_dims))

    def _source(self, group: Group, value: Value) -> Array:
        """The array of a value that a group reads at places of its own choice."""
        array = self.program.array(value)
        if value not in group.arrays:
            self.program.retain(array)
            group.arrays[value] = array
        return array

    def _load(self, group: Group, value: Value, axes: tuple[int | None, ...]) -> Expression:
        """The elements of an array along these axes of the domain."""
        expression = Expression("load", value.type.dtype, source=value, axes=axes)
        expression.access = Access("", value.type.dtype, ())
        return self._add(group, expression)

    def _covers(self, held: Lazy) -> bool:
        """Whether a lazy value runs along the whole domain of its group, axis by axis."""
        return (
            not held.terminal
            and not held.group.full
            and held.group.product is None
            and held.dims == held.group.domain
            and held.axes == tuple(range(len(held.dims)))
        )

    def view(self, node: Node, axes: Sequence[int | None], dims: tuple[Size, ...]) -> bool:
        """Makes a lazy value of a lazy one: dim i of it is dim ``axes[i]``, or a new one of size 1.

        False where the operand is in memory or would have to be.
        """
        held = self.program.scope.held[node.inputs[0]]
        if not isinstance(held, Lazy):
            return False
        places = tuple([None if axis is None else held.axes[axis] for axis in axes])
        self.program.hold(
            node.out,
            Lazy(held.group, held.expression, held.dtype, dims, places, held.terminal),
        )
        held.group.values.append(node.out)
        self.program.used(node.inputs[0])
        return True

    def _add(self, group: Group, expression: Expression) -> Expression:
        group.expressions.append(expression)
        return expression

    def _finish(self, group: Group, node: Node, lazy: Lazy) -> None:
        group.values.append(node.out)
        self.program.hold(node.out, lazy)
        for value in node.inputs:
            self.program.used(value)

    def _add_map(
        self,
        group: Group,
        node: Node,
        dims: tuple[Size, ...],
        axes: tuple[int | None, ...],
        row: bool,
    ) -> None:
        operands = [self._operand(group, value, axes, row) for value in node.inputs]
        if row:
            phase = max([operand.phase for operand in operands], default=-1)
        else:
            phases = [o.phase + 1 if o.row else o.phase for o in operands]
            phase = max([0, *phases])
        expression = Expression(
            "map", node.out.type.dtype, tuple(operands), node, row=row, phase=phase
        )
        self._add(group, expression)
        group.fails |= node.op.name in FAILING and node.out.type.dtype.kind != "f"
        self._finish(group, node, Lazy(group, expression, expression.dtype, dims, axes))

    def product(self, node: Node, product: PendingProduct, dims: tuple[Size, ...]) -> None:
        """Adds a matrix product: elementwise nodes may still change what it stores."""
        group = Group(len(self.groups), dims, node)
        group.product = product
        self.groups.append(group)
        self._latest[dims] = group
        for number, array in enumerate(product.operands):
            self.program.retain(array)
            group.arrays[node.inputs[number]] = array
        expression = self._add(group, Expression("product", node.out.type.dtype))
        axes = tuple(range(len(dims)))
        self._finish(group, node, Lazy(group, expression, expression.dtype, dims, axes))

    # -- choosing a group ---------------------------------------------------------------------

    def _choose(
        self, held: Sequence[Held], dims: tuple[Size, ...], node: Node, fresh: bool = False
    ) -> Group:
        """The open group over `dims` that a node may join, or a new one."""
        # Since what the node uses was computed, another group over these dims may have been opened.
        newest = _newest(held)
        for group in () if fresh else (newest, self._latest.get(dims)):
            if group is None or (newest is not None and group.index < newest.index):
                continue
            if group.domain == dims and self._welcomes(group, held, node):
                return group
        group = Group(len(self.groups), dims, node)
        self.groups.append(group)
        self._latest[dims] = group
        return group

    def _welcomes(self, group: Group, held: Sequence[Held], node: Node) -> bool:
        """Whether a node with these operands, over the group's domain, may be computed in it."""
        if group.full:
            return False
        inside = [h for h in held if isinstance(h, Lazy) and h.group is group]
        # What has nothing to do with a product is better off in a kernel of its own.
        if group.product is not None and not (inside and _suits(node)):
            return False
        return all(self._fits(h, group.domain) for h in inside)

    def _fits(self, held: Lazy, dims: tuple[Size, ...]) -> bool:
        """Whether a lazy value is known where an element of its group's domain is computed."""
        if held.terminal:
            return False
        group = held.group
        lead = len(dims) - len(held.dims)
        covered: set[int] = set()
        for number, axis in enumerate(held.axes):
            if axis is not None:
                if axis != number + lead:
                    return False
                covered.add(axis)
        inner = len(dims) if not held.expression.row else group.outer
        return all(
            axis in covered or dims[axis] == ONE for axis in range(len(dims)) if axis < inner
        )

    def _group_of_rows(
        self, node: Node, held: Sequence[Held], dims: tuple[Size, ...]
    ) -> Group | None:
        """The group that a node of values per row belongs to."""
        rows = [h for h in held if isinstance(h, Lazy) and h.expression.row and not h.terminal]
        groups = {id(h.group): h.group for h in rows}
        if len(groups) != 1:
            return None
        group: Group = rows[0].group
        if group.full or group.outer is None:
            return None
        newest = _newest(held)
        if (newest is not None and group.index < newest.index) or self._row_axes(
            group, held, dims
        ) is None:
            return None
        return group

    def _row_axes(
        self, group: Group, held: Sequence[Held], dims: tuple[Size, ...]
    ) -> tuple[int | None, ...] | None:
        """The axes of the domain along which a value per row of these dims runs."""
        axes: list[int | None] = [None] * len(dims)
        for item in held:
            if not isinstance(item, Lazy) or item.group is not group:
                continue
            if not item.expression.row or item.terminal:
                return None
            lead = len(dims) - len(item.dims)
            for number, axis in enumerate(item.axes):
                if axis is None:
                    continue
                if axes[number + lead] not in (None, axis):
                    return None
                axes[number + lead] = axis
        named = [axis for axis in axes if axis is not None]
        assert group.outer is not None
        wanted = [axis for axis in range(group.outer) if group.domain[axis] != ONE]
        if [axis for axis in named if group.domain[axis] != ONE] != wanted:
            return None
        if sorted(set(named)) != named:
            return None
        for axis, dim in zip(axes, dims, strict=True):
            if dim != (ONE if axis is None else group.domain[axis]):
                return None
        return tuple(axes)

    # -- operands -----------------------------------------------------------------------------

    def _operand(
        self, group: Group, value: Value, axes: tuple[int | None, ...], row: bool
    ) -> Expression:
        """The expression of an operand in `group`, for a result that runs along `axes`."""
        held = self.program.scope.held[value]
        if isinstance(held, Scalar):
            return self._parameter(group, held.register)
        if isinstance(held, Lazy) and held.group is group and not group.written:
            return held.expression
        key = (value, row, len(axes))
        known = group.sources.get(key)
        if known is not None:
            return known
        if _is_index(held):
            place = None if row else self._place_along(group, held, axes)
            if place is not None:
                counted = Expression("index", held.dtype, axis=place)
                group.sources[key] = self._add(group, counted)
                return counted
            held = self.program.array(value)
        if isinstance(held, Lazy) and not held.group.written:
            if not held.dims:
                return self._parameter(group, self.program.scalar(value))
            if value not in group.needs:
                self.program.notes.stop(value.node, self._why_not(held, group))
                group.needs[value] = held.group
                held.group.awaited[value] = held.group.awaited.get(value, 0) + 1
        elif value not in group.arrays:
            if value.node.op.elementwise:
                self.program.notes.stop(value.node, notes.WRITTEN)
            array = self.program.array(value)
            self.program.retain(array)
            group.arrays[value] = array
        expression = Expression("load", value.type.dtype, row=row, phase=-1 if row else 0)
        expression.access = Access("", value.type.dtype, ())
        expression.source = value
        expression.axes = axes
        group.sources[key] = expression
        return self._add(group, expression)

    def _why_not(self, held: Lazy, group: Group) -> str:
        """Why what reads a lazy value in `group` reads it from memory."""
        if held.terminal:
            return notes.TERMINAL
        if held.group.domain != group.domain:
            return notes.DOMAIN
        if held.group.full:
            return notes.FULL
        if held.group.product is not None:
            return notes.PRODUCT
        return notes.ORDER if self._covers(held) else notes.PLACES

    def _place_along(self, group: Group, held: Lazy, axes: tuple[int | None, ...]) -> int | None:
        """The axis of the group's domain of which a value that counts is the place."""
        lead = len(axes) - len(held.dims)
        for number, own in enumerate(held.axes):
            axis = axes[lead + number]
            if own is not None and axis is not None and group.product is None:
                return axis if held.dims[number] == group.domain[axis] else None
        return None

    def _parameter(self, group: Group, register: Register) -> Expression:
        known = group.parameters.get(register.text + register.dtype.str)
        if known is None:
            known = Expression("parameter", register.dtype, parameter=register, row=True, phase=-1)
            group.parameters[register.text + register.dtype.str] = known
            group.expressions.insert(0, known)
        return known

    # -- writing ----------------------------------------------------------------------------------

    def write(self, group: Group) -> None:
        """Writes a group, after the groups that it needs."""
        found: dict[int, Group] = {}
        stack = [group]
        while stack:
            item = stack.pop()
            if item.index in found or item.written:
                continue
            found[item.index] = item
            stack.extend(item.needs.values())
        for index in sorted(found):
            self._write(found[index])

    def _write(self, group: Group) -> None:
        program = self.program
        for value in group.needs:
            # Meanwhile somebody may have read a single element into a register.
            group.arrays[value] = program.array(value)
        group.written = True
        if self._latest.get(group.domain) is group:
            del self._latest[group.domain]
        wanted = self._wanted(group)
        if wanted and group.product is not None:
            ProductWriting(program, group, wanted).write()
        elif wanted:
            GroupWriting(program, group, wanted).write()
        for array in group.arrays.values():
            program.release(array)

    def _wanted(self, group: Group) -> list[Value]:
        """The values of a group that somebody needs in memory."""
        scope = self.program.scope
        return [
            value for value in group.values if scope.uses.get(value) or group.awaited.get(value)
        ]


def _newest(held: Sequence[Held]) -> Group | None:
    """The last open group that a node with these operands needs, the oldest that it may join."""
    newest = None
    for item in held:
        # What counts is counted anew, or written before it is needed.
        if not isinstance(item, Lazy) or item.group.written or _is_index(item):
            continue
        if newest is None or item.group.index > newest.index:
            newest = item.group
    return newest


def _suits(node: Node) -> bool:
    """Whether an elementwise node may be computed where a product stores its elements."""
    if any(value.type.dtype in dtypes.COMPLEX for value in (*node.inputs, *node.outputs)):
        # A product's kernel has one element per lane.
        return False
    return node.op.elementwise and node.op.name not in FAILING


def _is_index(held: Held) -> TypeGuard[Lazy]:
    """Whether a value counts along an axis, and is not in memory."""
    return isinstance(held, Lazy) and held.expression.kind == "index" and not held.group.written
