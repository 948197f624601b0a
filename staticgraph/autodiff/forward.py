"""Forward mode: appends the tangent of every node between xs and ys, in id order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from staticgraph.autodiff.common import (
    Inputs,
    ancestors,
    as_list,
    dependents,
    result_tensors,
    seed,
    zeros_of,
)
from staticgraph.autodiff.reverse import reverse
from staticgraph.core import dtypes
from staticgraph.core.graph import Graph, Operation, Tensor
from staticgraph.core.location import Location
from staticgraph.core.opdef import (
    DIAGONAL,
    LINEAR,
    NOT_DIFFERENTIABLE,
    TRANSPOSED,
    ZERO_DERIVATIVE,
    Joint,
    Marker,
    Numbered,
)
from staticgraph.errors import GradientError
from staticgraph.ops.convert import as_tensor, scalar
from staticgraph.ops.control import identity
from staticgraph.ops.elementwise import add
from staticgraph.ops.shaping import broadcast_like


def jvp(ys: Any, xs: Any, tangents: Any) -> list[Tensor]:
    """The directional derivatives of `ys` when `xs` move along `tangents`: one tensor per y.

    xs        tensors or variables; tangents: one per x, of its shape and dtype

    A y that does not depend on any x gets zeros. Raises GradientError for what has no derivative,
    ShapeError and DTypeError for tangents that do not fit.

    >>> import staticgraph as sg
    >>> x = sg.constant([1.0, 2.0])
    >>> sg.Session().run(sg.jvp(x * x, x, [1.0, 0.5]))
    [array([2., 2.], dtype=float32)]
    """
    listed = as_list(ys)
    line = as_tensor(listed[0]).graph.location if listed else Location("", 0)
    results = result_tensors(ys, "jvp", line)
    graph = results[0].graph
    inputs = Inputs(xs, graph, "jvp", line)
    # One x may have one tangent that is itself a list of numbers.
    given = as_list(tangents) if isinstance(xs, list | tuple) or (
        isinstance(tangents, list | tuple) and len(tangents) == 1
    ) else [tangents]
    if len(given) != len(inputs.like):
        raise GradientError(
            f"jvp: there are {len(inputs.like)} xs and {len(given)} tangents\n"
            f"  give one tangent per x\n  at {line}"
        )
    with graph.name_scope("jvp") as scope, graph.at(line):
        known: dict[Tensor, Tensor] = {}
        for group, like, tangent in zip(inputs.tensors, inputs.like, given, strict=True):
            start = seed(like, tangent, "jvp", "tangent", line)
            for tensor in group:
                known[tensor] = add(known[tensor], start) if tensor in known else start
        _sweep(graph, scope, line, results, known)
        return [known[y] if y in known else zeros_of(y) for y in results]


def _sweep(
    graph: Graph, scope: str, line: Location, ys: list[Tensor], known: dict[Tensor, Tensor]
) -> None:
    starts = set(known)
    nodes = ancestors(graph, ys, set())
    _, active = dependents(nodes, starts, set())
    for node in active:
        given = [known.get(tensor) for tensor in node.inputs]
        if all(tangent is None for tangent in given):
            continue
        location = line.of_adjoint(node.name, node.location)
        with graph.absolute_scope(f"{scope}/{node.name}/"), graph.at(location):
            for output, tangent in zip(node.outputs, _tangents(node, given), strict=True):
                if tangent is None:
                    continue
                # An x that is computed from another x moves along both.
                known[output] = add(known[output], tangent) if output in starts else tangent


def _tangents(node: Operation, given: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    rule = node.op.jvp
    if isinstance(rule, Marker):
        if rule is DIAGONAL:
            return [_diagonal(node, given)]
        if rule is LINEAR:
            return _linear(node, given)
        if rule is TRANSPOSED:
            return _transposed(node, given)
        assert rule in (NOT_DIFFERENTIABLE, ZERO_DERIVATIVE)
        return [None] * len(node.outputs)
    answer = rule(node, given)
    results = [answer] if isinstance(answer, Tensor) else list(answer)
    return [
        None if result is None else broadcast_like(result, output)
        for result, output in zip(results, node.outputs, strict=True)
    ]


def _diagonal(node: Operation, given: Sequence[Tensor | None]) -> Tensor | None:
    total: Tensor | None = None
    rules = node.op.vjp
    assert isinstance(rules, tuple)
    for rule, tangent in zip(rules, given, strict=True):
        if rule is None or tangent is None:
            continue
        # A broadcast operand moves all the elements that it is broadcast to.
        part = rule(node, broadcast_like(tangent, node.out))
        if part is not None:
            total = part if total is None else add(total, part)
    return None if total is None else broadcast_like(total, node.out)


def _linear(node: Operation, given: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    operands: list[Tensor] = []
    for index, (operand, tangent) in enumerate(zip(node.inputs, given, strict=True)):
        if tangent is not None:
            operands.append(tangent)
        elif operand.dtype in dtypes.FLOATING and node.op.operand_vjp(index):
            operands.append(zeros_of(operand))
        else:
            operands.append(operand)
    return node.graph.add(node.op, tuple(operands), node.attrs).outputs


def _transposed(node: Operation, given: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    """J t from the vjp alone: u -> J'u is linear, and its own vjp applied to t is J t.

    The u are ones, not zeros, so that nothing in the rule takes a shortcut at 0.
    """
    outputs = [output for output in node.outputs if output.dtype in dtypes.FLOATING]
    probes = {
        output: identity(broadcast_like(scalar(node.graph, 1.0, output.dtype), output))
        for output in outputs
    }
    adjoints: list[Tensor] = []
    tangents: list[Tensor] = []
    for adjoint, tangent in zip(_pull(node, probes), given, strict=True):
        if adjoint is not None and tangent is not None:
            adjoints.append(adjoint)
            tangents.append(tangent)
    if not adjoints:
        return [None] * len(node.outputs)
    moved = reverse(adjoints, list(probes.values()), tangents, (), "zero", masked_seeds=False)
    by_output = dict(zip(probes, moved, strict=True))
    return [by_output.get(output) for output in node.outputs]


def _pull(node: Operation, adjoints: dict[Tensor, Tensor]) -> Sequence[Tensor | None]:
    """What the vjp of one node makes of the adjoints of its results, per operand."""
    rule = node.op.vjp
    assert not isinstance(rule, Marker)
    if isinstance(rule, Joint):
        return rule.rule(node, [adjoints.get(output) for output in node.outputs])
    adjoint = adjoints[node.out]
    if isinstance(rule, Numbered):
        return [rule.rule(node, adjoint, index) for index in range(len(node.inputs))]
    return [None if operand is None else operand(node, adjoint) for operand in rule]
