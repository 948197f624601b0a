"""How a main function ends: results are handed over, then variables get their new values.

A run commits all of its updates or none, and a parameter should not need its memory twice. So what
can fail comes first: every kernel but the *last* ones, those that compute new values of variables
and nothing that another kernel waits for. Then ``sg_commit`` decides whether variables may be
written in place, and the last kernels write them. A last kernel may read the variable that it
writes, element by element; a variable that is read in any other way is read before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from staticgraph.backends.native.fusion import Group
from staticgraph.backends.native.products import PendingProduct
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.spec import OutputSpec
from staticgraph.backends.native.values import Array, Buffer, Lazy, Scalar
from staticgraph.core.function import Function
from staticgraph.core.node import Value


@dataclass(frozen=True)
class Update:
    """A new value of a variable: result `index` of the run, which overwrites input `input`."""

    index: int
    value: Value
    input: int


def hand_over(
    program: Program, function: Function, outputs: Sequence[OutputSpec], inputs: Sequence[Array]
) -> None:
    """Writes the end of the main function."""
    updates = [
        Update(index, function.outputs[index], output.overwrites)
        for index, output in enumerate(outputs)
        if output.overwrites is not None
    ]
    last = _last_groups(program, updates, inputs)
    for group in program.scope.fusion.groups:
        if not group.written and group not in last:
            program.scope.fusion.write(group)
    last = [group for group in last if not group.written]
    copies: list[tuple[Array, Value]] = []
    for index, output in enumerate(outputs):
        if output.overwrites is None:
            copies += _give(program, index, function.outputs[index], last)
    if not updates:
        return
    sources = _sources(program, updates, inputs)
    program.module.declare("declare i32 @sg_commit(ptr)")
    program.check_call(program.code.let("call i32 @sg_commit(ptr %ctx)"))
    program.committed = True
    for update in updates:
        held = program.scope.held[update.value]
        if isinstance(held, Lazy):
            program.scope.destinations.setdefault(update.value, []).append(update.index)
    for group in last:
        program.scope.fusion.write(group)
    # What a kernel stores once is copied for those who asked for it again, or in another shape.
    copies += [(target, value) for value, target in program.scope.reserved.items()]
    for target, value in copies:
        program.copy(program.array(value), target, value.node)
    for update in updates:
        # A value that several variables take is written by its kernel once, and copied.
        if update.index not in program.scope.given.get(update.value, []):
            _put(program, update.index, sources.get(update.value), update.value)


def _sources(
    program: Program, updates: Sequence[Update], inputs: Sequence[Array]
) -> dict[Value, Array]:
    """Where the values stand that no last kernel writes: never in a variable that is written."""
    sources: dict[Value, Array] = {}
    buffers = {array.buffer for array in inputs}
    for update in updates:
        held = program.scope.held[update.value]
        if not isinstance(held, Array) or update.value in sources:
            continue
        if held.buffer in buffers:
            aside = program.allocate(held.dims, held.dtype)
            program.copy(held, aside, update.value.node)
            held = aside
        sources[update.value] = held
    return sources


def _give(
    program: Program, index: int, value: Value, last: Sequence[Group]
) -> list[tuple[Array, Value]]:
    """Hands result `index` over, or makes it a result of the last kernel that computes it.

    Returns what is to be copied after that kernel: a value that is fetched again.
    """
    wanted = program.scope.destinations.get(value, [])
    if index not in wanted and value in program.scope.given and index in program.scope.given[value]:
        return []
    held = program.scope.held[value]
    if isinstance(held, Lazy) and held.group in last and index in wanted:
        wanted.remove(index)
        target = program.output(index, held.dims, held.dtype)
        if value in program.scope.reserved:
            return [(target, value)]
        program.scope.reserved[value] = target
        return []
    if index in wanted:
        wanted.remove(index)
    if isinstance(held, Lazy):
        held = program.array(value)
    _put(program, index, held if isinstance(held, Array) else None, value)
    return []


def _put(program: Program, index: int, source: Array | None, value: Value) -> None:
    """Writes result `index` from memory or from a register."""
    if source is None:
        held = program.scope.held[value]
        if isinstance(held, Scalar):
            target = program.output(index, (), held.register.dtype)
            program.store(held.register, target.pointer)
            return
        assert isinstance(held, Array)
        source = held
    target = program.output(index, source.dims, source.dtype)
    program.copy(source, target, value.node)


def _last_groups(
    program: Program, updates: Sequence[Update], inputs: Sequence[Array]
) -> list[Group]:
    """The groups that may be written after the commit."""
    last: dict[Group, None] = {}
    for update in updates:
        held = program.scope.held[update.value]
        if isinstance(held, Lazy) and not held.group.written:
            last[held.group] = None
    written = {inputs[update.input].buffer: update for update in updates}
    for group in list(last):
        if group.needs or not _safe(program, group, written):
            del last[group]
    return list(last)


def _safe(program: Program, group: Group, written: dict[Buffer, Update]) -> bool:
    """Whether a group reads no variable but the ones it writes, each element where it writes it."""
    if program.options.check_numerics or group.outer is not None or group.fails:
        return False
    if any(expression.kind in ("reduce", "gather") for expression in group.expressions):
        return False
    if group.product is not None and not _safe_product(program, group, group.product, written):
        return False
    for source, array in group.arrays.items():
        update = written.get(array.buffer)
        if update is None:
            continue
        held = program.scope.held[update.value]
        if not (isinstance(held, Lazy) and held.group is group):
            return False
        same = array.contiguous and array.dims == group.domain == held.dims
        if not same or source.type.dtype != held.dtype:
            return False
    return True


def _safe_product(
    program: Program, group: Group, pending: PendingProduct, written: dict[Buffer, Update]
) -> bool:
    """Whether a product multiplies no variable that is written, and needs no memory of its own."""
    if any(array.buffer in written for array in pending.operands):
        return False
    values = [program.scope.held[value] for value in group.values]
    return all(
        held.dtype == pending.a.dtype
        for held in values
        if isinstance(held, Lazy) and held.expression.kind != "product"
    )
