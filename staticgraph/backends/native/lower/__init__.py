"""From the nodes of a Function to code: one lowering per op, found by its name.

Elementwise ops need no entry here: their records say what they emit. Everything else is lowered by
a function that `lowering` registers; an op without one is refused when the plan is made.
"""

from __future__ import annotations

from collections.abc import Callable

from staticgraph.backends.native.checks import with_checks
from staticgraph.backends.native.expand import expanded
from staticgraph.backends.native.kernels.functions import COPIES, HEAVY, outlined
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.scalars import Register
from staticgraph.backends.native.schedule import scheduled
from staticgraph.backends.native.sizes import Size
from staticgraph.backends.native.values import Scalar
from staticgraph.core.function import Function
from staticgraph.core.node import Node, Value
from staticgraph.errors import CompilerError

Lowering = Callable[[Program, Node], None]

LOWERINGS: dict[str, Lowering] = {}


def lowering(*names: str) -> Callable[[Lowering], Lowering]:
    """Registers a function as the lowering of the ops with these names."""

    def register(rule: Lowering) -> Lowering:
        for name in names:
            LOWERINGS[name] = rule
        return rule

    return register


def count_uses(function: Function, uses: dict[Value, int]) -> None:
    """How often each value of a Function is an operand or a result."""
    for value in function.inputs:
        uses.setdefault(value, 0)
    for node in function.nodes:
        for value in node.outputs:
            uses.setdefault(value, 0)
        for value in node.inputs:
            uses[value] += 1
    for value in function.outputs:
        uses[value] += 1


def lower_nodes(program: Program, function: Function) -> None:
    """Lowers the nodes of a Function whose inputs are held already, in the innermost scope."""
    notes = program.notes
    around = notes.node
    for node in scheduled(function):
        notes.node = node
        rule = LOWERINGS.get(node.op.name)
        if rule is not None:
            rule(program, node)
        elif node.op.elementwise:
            lower_elementwise(program, node)
        else:
            raise CompilerError(
                f"{node.op.name}: there is no machine code for it\n  created at {node.location}"
            )
    notes.node = around


def prepared(program: Program, function: Function) -> Function:
    """A Function as it is lowered."""
    if program.options.check_numerics:
        function = with_checks(function)
    return expanded(function)


def lower_elementwise(program: Program, node: Node) -> None:
    """A scalar where the result is one, else a node of a group that is fused."""
    if node.outputs[0].type.shape != ():
        dims = program.broadcast([program.dims(value) for value in node.inputs], node)
        if dims:
            program.scope.fusion.map(node, dims)
            return
    registers = [program.scalar(value) for value in node.inputs]
    program.hold(node.out, Scalar(apply(program, node, registers)))
    for value in node.inputs:
        program.used(value)


def apply(program: Program, node: Node, registers: list[Register]) -> Register:
    """What an elementwise op makes of scalars."""
    builder = program.builder
    builder.failed = None
    assert node.op.emit is not None
    if node.op.name in HEAVY:
        program.copies[node.op.name] = program.copies.get(node.op.name, 0) + 1
        if program.copies[node.op.name] > COPIES:
            return outlined(program.scalars, builder, node, registers)
    result: Register = node.op.emit(builder, *registers, **node.attrs)
    if builder.failed is not None:
        program.fail_if(builder.failed.text, node)
    return result


def hold_size(program: Program, node: Node, size: Size) -> None:
    """The result of a node that measures: an int64 scalar."""
    program.hold(node.out, Scalar(Register(program.text(size), node.out.type.dtype)))
