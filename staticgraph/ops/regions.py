"""Regions: from traced bodies to Functions that share one signature.

The bodies of one loop or the branches of one `cond` take the same inputs: their own parameters,
then the variables that any of them assigns, then what any of them captures. A variable that a body
assigns goes through it as a value, in and out, and the node's result is assigned outside: so a
Function stays pure and a run still commits all or none.

What a body reads of a variable before it assigns is the value that precedes the construct: the
reads wait for its operands, and for what its bodies await.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from staticgraph.core.body import BodyGraph
from staticgraph.core.dtypes import DType
from staticgraph.core.extract import Extraction, extract
from staticgraph.core.function import Function, has_effect, parameter
from staticgraph.core.graph import Graph, Operation, Tensor, get_default_graph
from staticgraph.core.location import capture
from staticgraph.core.node import Value
from staticgraph.core.opdef import Attrs, OpDef
from staticgraph.core.types import TensorType
from staticgraph.errors import GraphError
from staticgraph.ops.control import IDENTITY, group, identity
from staticgraph.ops.convert import (
    CAST,
    as_tensor,
    cast,
    is_tensor_like,
    scalar,
    scalar_value,
)

NUMBERS = (bool, int, float)
"""The types of Python's numbers, the wider the later."""


@dataclass(frozen=True, slots=True)
class Region:
    """A traced body.

    parameters, outputs     the body's own; the variables that it assigns follow both
    entries, rows           further parameters and outputs, which follow the variables
    keeps_state             whether it may assign
    """

    body: BodyGraph
    parameters: Sequence[Tensor]
    outputs: Sequence[Tensor]
    entries: Sequence[Tensor] = ()
    rows: Sequence[Tensor] = ()
    keeps_state: bool = True


@dataclass(frozen=True, slots=True)
class Closed:
    """Functions of one signature, and the operands that go with it.

    updated     the variables that are assigned; their values follow the regions' own parameters,
                their new values the regions' own results
    state       the values of those variables before
    captures    the captured tensors; they are the last operands
    awaited     the operations around that something in the regions waits for
    """

    functions: list[Function]
    updated: list[str]
    state: list[Tensor]
    captures: list[Tensor]
    awaited: list[Operation]


def check_function(what: str, which: str, function: Any, count: int, takes: str) -> None:
    """Refuses what cannot be called with `count` arguments."""
    problem = f"is a {type(function).__name__}, not a function"
    if callable(function):
        try:
            inspect.signature(function).bind(*[None] * count)
        except TypeError:
            arguments = f"{count} argument{'' if count == 1 else 's'}"
            problem = f"cannot be called with {arguments}"
        except ValueError:  # some callables written in C do not tell
            return
        else:
            return
    raise GraphError(f"{what}: {which} {problem}\n  give a function of {takes}\n  at {capture()}")


def weak_kind(leaf: Any) -> Any:
    """The type of a Python number, or of what was computed from nothing but such; else None.

    A carry that started from a number counts as one, until a tensor gives it its dtype.
    """
    if type(leaf) in NUMBERS:
        return type(leaf)
    if not isinstance(leaf, Tensor) or not isinstance(leaf.graph, BodyGraph):
        return None
    weak = leaf.graph.weak
    if not weak or leaf in weak:
        return weak.get(leaf)
    seen: set[Tensor] = set()
    stack = [leaf]
    while stack:
        tensor = stack.pop()
        if tensor in weak or tensor in seen or _is_literal(tensor):
            continue
        node = tensor.node
        if not node.inputs or not node.op.elementwise or node.op is CAST:
            return None
        seen.add(tensor)
        stack.extend(node.inputs)
    return {"i": int, "u": int, "f": float}.get(leaf.dtype.kind)


def _is_literal(tensor: Tensor) -> bool:
    """Whether the tensor is a number that was written beside a tensor."""
    value = scalar_value(tensor)
    return value is not None and tensor.graph.scalar_key(tensor.dtype, value) is tensor


def weak_as(leaf: Any, dtype: DType) -> Tensor:
    """What `weak_kind` tells of, as a tensor of `dtype` in the default graph."""
    if isinstance(leaf, Tensor):
        return cast(leaf, dtype)
    return scalar(get_default_graph(), leaf, dtype)


def graph_of(leaves: Sequence[Any]) -> Graph:
    """The graph that a construct with these operands goes to."""
    graph = get_default_graph()
    for leaf in leaves:
        if is_tensor_like(leaf):
            graph = as_tensor(leaf).graph
            break
    while graph.outer is not None:
        graph = graph.outer
    return graph.innermost


def close(outer: Graph, regions: Sequence[Region], what: str, operands: Sequence[Tensor]) -> Closed:
    """The Functions of traced bodies, once all of them have been traced.

    operands    the operands of the node to be, without state and captures
    """
    extractions = [_extracted(region) for region in regions]
    updated = list(dict.fromkeys(name for found in extractions for name in found.updates))
    for region, found in zip(regions, extractions, strict=True):
        if found.updates and not region.keeps_state:
            raise GraphError(
                f"{what}: {region.body.what} assigns to variable '{found.updates[0]}'\n"
                "  only the body of a loop may change state; assign there\n"
                f"  at {capture()}"
            )
    read = list(
        dict.fromkeys(
            source.removeprefix("variable:")
            for found in extractions
            for source in found.sources
            if isinstance(source, str) and source.removeprefix("variable:") not in updated
        )
    )
    captured = list(dict.fromkeys(t for region in regions for t in region.body.captures))
    variables = outer.variables
    functions = [
        _signed(region, found, updated, captured, read, variables)
        for region, found in zip(regions, extractions, strict=True)
    ]
    awaited = list(dict.fromkeys(node for region in regions for node in region.body.awaited))
    before = [tensor.node for tensor in (*operands, *captured) if tensor.node.graph is outer]

    def value(name: str) -> Tensor:
        if name not in outer.assigned:
            return as_tensor(variables[name])
        with outer.control_dependencies([*awaited, *before]):
            return as_tensor(variables[name])

    state = [value(name) for name in updated]
    reads = [value(name) for name in read]
    return Closed(functions, updated, state, [*captured, *reads], awaited)


def _extracted(region: Region) -> Extraction:
    body = region.body
    # What a user writes in a body for its effect runs, although nothing needs its result.
    effects: list[Operation] = [
        node for node in body.operations if node.op.role == "assign" or has_effect(node)
    ]
    # A result may be a tensor of a graph around, which then is captured.
    results = [body.adopt(IDENTITY, t, t.node.location) for t in (*region.outputs, *region.rows)]
    feeds = [*region.parameters, *region.entries, *body.captures.values()]
    return extract(body, [*results, *effects], feeds)


def _signed(
    region: Region,
    found: Extraction,
    updated: Sequence[str],
    captured: Sequence[Tensor],
    read: Sequence[str],
    variables: dict[str, Any],
) -> Function:
    """The Function of one region with the signature that all regions share."""
    given: dict[Any, Value] = dict(zip(found.sources, found.function.inputs, strict=True))

    def variable(name: str) -> Value:
        known = given.get(f"variable:{name}")
        if known is None:
            type: TensorType = variables[name].type
            known = parameter(name, type, "variable", variables[name].location)
        return known

    def capturing(tensor: Tensor) -> Value:
        inside = region.body.captures.get(tensor)
        if inside is None:
            return parameter(tensor.name, tensor.type, "capture", tensor.node.location)
        return given[inside]

    state = [variable(name) for name in updated]
    inputs = [given[tensor] for tensor in region.parameters]
    inputs += state
    inputs += [given[tensor] for tensor in region.entries]
    inputs += [capturing(tensor) for tensor in captured]
    inputs += [variable(name) for name in read]
    fetched = found.function.outputs[: found.fetched]
    outputs = list(fetched[: len(region.outputs)])
    names = [value.name for value in outputs]
    if region.keeps_state:
        new = dict(zip(found.updates, found.function.outputs[found.fetched :], strict=True))
        outputs += [new.get(name, value) for name, value in zip(updated, state, strict=True)]
        names += [f"update {name}" for name in updated]
    rows = fetched[len(region.outputs) :]
    outputs += rows
    names += [value.name for value in rows]
    return Function(inputs, found.function.nodes, outputs, names, region.body.what.split()[1])


@dataclass(frozen=True, slots=True)
class Placed:
    """A construct in its graph: the node, the assigns of its state, the results that users get."""

    node: Operation
    assigns: list[Operation]
    results: list[Tensor]

    def effect(self) -> Operation:
        """An Operation that runs the construct, for one that is there for its effect."""
        return group(self.node, *self.assigns, name=f"{self.node.name.rpartition('/')[2]}_effect")


Build = Callable[
    [OpDef, Graph, tuple[Tensor, ...], Attrs, str], tuple[Sequence[Operation], Sequence[Tensor]]
]


def single(
    op: OpDef, graph: Graph, operands: tuple[Tensor, ...], attrs: Attrs, name: str
) -> tuple[Sequence[Operation], Sequence[Tensor]]:
    """One node, and its results."""
    node = graph.add(op, operands, attrs, name)
    return (node,), node.outputs


def place(
    graph: Graph,
    op: OpDef,
    operands: tuple[Tensor, ...],
    attrs: Attrs,
    name: str,
    closed: Closed,
    first: int,
    own: Callable[[Sequence[Tensor]], Sequence[Tensor]],
    build: Build = single,
) -> Placed:
    """Adds the node of closed regions, and assigns the variables that they change.

    first   the number of the node's result that holds the first variable
    own     those of the node's results that are the user's
    build   makes the nodes: one, as a rule
    """
    with graph.control_dependencies(closed.awaited):
        nodes, made = build(op, graph, operands, attrs, name)
        results = list(own(made))
        node, before = nodes[-1], list(nodes[:-1])
        if not closed.updated:
            return Placed(node, before, results)
        assigns = before + [
            graph.variables[variable].assign(made[first + k]).node
            for k, variable in enumerate(closed.updated)
        ]
        # Whoever needs a result of the construct needs its state changes too.
        with graph.control_dependencies(assigns):
            return Placed(node, assigns, [identity(tensor) for tensor in results])
