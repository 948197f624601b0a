"""Forward mode: appends the tangent of every node between xs and ys, in id order.

As in reverse mode, a zero tangent that comes from a masking node (the branch of a `where` that was
taken is constant) never becomes NaN by meeting an infinite derivative. Tangent nodes are named
``jvp/NODE/...`` after the node whose tangent they belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from staticgraph.autodiff.common import Paths, paired, seed, zeros_of
from staticgraph.autodiff.reverse import apply_vjp, pull
from staticgraph.config import collector_paused
from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import (
    DIAGONAL,
    LINEAR,
    NOT_DIFFERENTIABLE,
    REGIONS,
    TRANSPOSED,
    ZERO_DERIVATIVE,
    Marker,
    OpDef,
)
from staticgraph.errors import GradientError
from staticgraph.ops.control import identity
from staticgraph.ops.convert import scalar
from staticgraph.ops.elementwise import add, guard
from staticgraph.ops.shaping import broadcast_like


@collector_paused()
def jvp(ys: Any, xs: Any, tangents: Any) -> list[Tensor]:
    """The directional derivatives of `ys` when `xs` move along `tangents`: one tensor per y.

    ys        floating tensors
    xs        tensors or variables of the same graph; every read of a variable counts
    tangents  per x a tensor of its dtype and shape, an array, or a number for all its elements

    Each result has the shape and dtype of its y. A y that depends on no x gets zeros. Forward
    accumulation: R. E. Wengert (1964).

    Raises GradientError for a y or x that has no derivative and for a wrong number of tangents;
    GraphError for tensors of different graphs; ShapeError and DTypeError for tangents that do not
    fit.

    >>> import staticgraph as sg
    >>> x = sg.constant([1.0, 2.0])
    >>> sg.Session().run(sg.jvp(x * x, x, [1.0, 0.5]))
    [array([2., 2.], dtype=float32)]
    """
    paths = Paths("jvp", ys, xs)
    moves = directions(paths, tangents, not isinstance(xs, list | tuple), "tangent")
    return [
        zeros_of(y) if tangent is None else tangent
        for y, tangent in zip(paths.ys, push(paths, moves), strict=True)
    ]


def directions(paths: Paths, given: Any, single: bool, role: str) -> list[Tensor]:
    """The tangents of the xs that the user gave, checked."""
    likes = paths.inputs.like
    listed = paired(given, single, likes)
    if len(listed) != len(likes):
        raise GradientError(
            f"{paths.what}: there are {len(likes)} xs and {len(listed)} {role}s\n"
            f"  give one {role} per x\n  at {paths.line}"
        )
    return [
        seed(like, tangent, paths.what, role, paths.line)
        for like, tangent in zip(likes, listed, strict=True)
    ]


@collector_paused()
def push(
    paths: Paths, tangents: Sequence[Tensor], masked_seeds: bool = False
) -> list[Tensor | None]:
    """One forward sweep: the tangents of the ys from those of the xs; None where there is no path.

    With `masked_seeds` the zeros of `tangents` mask (columns of a Jacobian).
    """
    with paths.graph.name_scope("jvp") as scope, paths.graph.at(paths.line):
        sweep = _Sweep(paths, scope)
        for group, tangent in zip(paths.inputs.groups, tangents, strict=True):
            for tensor in group:
                sweep.start(tensor, tangent, masked_seeds)
        for node, wanted in paths.steps:
            sweep.propagate(node, wanted)
        return [sweep.tangents.get(y) for y in paths.ys]


# How the tangents of loops and branches are made; filled by autodiff/control.py.
RegionRule = Callable[[Operation, Sequence[Tensor | None], bool], Sequence[Tensor | None]]
REGION_RULES: dict[OpDef, RegionRule] = {}


class _Sweep:
    """The state of one forward sweep."""

    def __init__(self, paths: Paths, scope: str) -> None:
        self.paths, self.graph, self.scope = paths, paths.graph, scope
        self.tangents: dict[Tensor, Tensor] = {}
        # Tangents of the xs that are computed from another x, and so move along both.
        self.starts: dict[Tensor, Tensor] = {}
        # Tensors whose tangent may hold zeros because something was masked out.
        self.masked: set[Tensor] = set()

    def start(self, tensor: Tensor, tangent: Tensor, masked: bool) -> None:
        """The tensor moves along `tangent`, besides what it moves along already."""
        if tensor in self.starts:
            self._place(tensor.node)
            tangent = add(self.starts[tensor], tangent)
        self.starts[tensor] = self.tangents[tensor] = tangent
        if masked:
            self.masked.add(tensor)

    def _place(self, node: Operation) -> None:
        """What is made next belongs to the tangent of `node`."""
        location = self.paths.line.of_adjoint(node.name, node.location)
        self.graph.place(f"{self.scope}/{node.name}/", location)

    def propagate(self, node: Operation, wanted: Sequence[int]) -> None:
        """Passes the tangents of operands number `wanted` on to the node's results."""
        given: list[Tensor | None] = [None] * len(node.inputs)
        for index in wanted:
            given[index] = self.tangents.get(node.inputs[index])
        if all(tangent is None for tangent in given):
            return
        self._place(node)
        masked = any(
            tangent is not None and operand in self.masked
            for operand, tangent in zip(node.inputs, given, strict=True)
        )
        results = _tangents(node, given, masked)
        # Operands that do not move put zeros beside those that do: concat, stack, scatter.
        fills = not node.op.elementwise and any(given[index] is None for index in _floating(node))
        masked = masked or node.op.selects or fills
        for output, tangent in zip(node.outputs, results, strict=True):
            if tangent is None:
                continue
            start = self.starts.get(output)
            self.tangents[output] = tangent if start is None else add(start, tangent)
            if masked:
                self.masked.add(output)


def _floating(node: Operation) -> list[int]:
    """The numbers of the operands that could move."""
    return [
        index
        for index, operand in enumerate(node.inputs)
        if operand.dtype in dtypes.DIFFERENTIABLE and node.op.operand_vjp(index)
    ]


def _tangents(
    node: Operation, given: Sequence[Tensor | None], masked: bool
) -> Sequence[Tensor | None]:
    rule = node.op.jvp
    if isinstance(rule, Marker):
        if rule is DIAGONAL and not node.op.holomorphic and node.inputs[0].dtype in dtypes.COMPLEX:
            return _transposed(node, given, masked)
        if rule is DIAGONAL:
            return [_diagonal(node, given, masked and not node.op.linear)]
        if rule is LINEAR:
            return _linear(node, given)
        if rule is REGIONS:
            return REGION_RULES[node.op](node, given, masked)
        if rule is TRANSPOSED:
            return _transposed(node, given, masked)
        assert rule in (NOT_DIFFERENTIABLE, ZERO_DERIVATIVE)
        return [None] * len(node.outputs)
    answer = rule(node, given)
    results = [answer] if isinstance(answer, Tensor) else list(answer)
    return [
        None if result is None else broadcast_like(result, output)
        for result, output in zip(results, node.outputs, strict=True)
    ]


def _diagonal(node: Operation, given: Sequence[Tensor | None], guarding: bool) -> Tensor | None:
    total: Tensor | None = None
    rules = node.op.vjp
    assert isinstance(rules, tuple)
    for rule, tangent in zip(rules, given, strict=True):
        if rule is None or tangent is None:
            continue
        # A broadcast operand moves all the elements that it is broadcast to.
        spread = broadcast_like(tangent, node.out)
        part = rule(node, spread)
        if part is None:
            continue
        if guarding:
            part = guard(part, spread)
        total = part if total is None else add(total, part)
    return None if total is None else broadcast_like(total, node.out)


def _linear(node: Operation, given: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    operands = list(node.inputs)
    for index in _floating(node):
        tangent = given[index]
        operands[index] = zeros_of(operands[index]) if tangent is None else tangent
    return node.graph.add(node.op, tuple(operands), node.attrs).outputs


def _transposed(
    node: Operation, given: Sequence[Tensor | None], masked: bool
) -> Sequence[Tensor | None]:
    """J t from the vjp alone: u -> J'u is linear, and its own vjp applied to t is J t.

    The u are ones, not zeros, so that nothing in the rule takes a shortcut at 0.
    """
    probes = {
        output: identity(broadcast_like(scalar(node.graph, 1.0, output.dtype), output))
        for output in node.outputs
        if output.dtype in dtypes.DIFFERENTIABLE
    }
    adjoints: list[Tensor] = []
    tangents: list[Tensor] = []
    for adjoint, tangent in zip(_pulled(node, probes), given, strict=True):
        if adjoint is not None and tangent is not None:
            adjoints.append(adjoint)
            tangents.append(tangent)
    if not adjoints:
        return [None] * len(node.outputs)
    paths = Paths("jvp", adjoints, list(probes.values()))
    moved = dict(zip(probes, pull(paths, tangents, masked), strict=True))
    return [moved.get(output) for output in node.outputs]


def _pulled(node: Operation, adjoints: dict[Tensor, Tensor]) -> Sequence[Tensor | None]:
    """What the vjp of one node makes of the adjoints of its results, per operand."""
    wanted = [index for index in range(len(node.inputs)) if node.op.operand_vjp(index)]
    given = [adjoints.get(output) for output in node.outputs]
    parts = dict(apply_vjp(node, wanted, given, None))
    return [parts.get(index) for index in range(len(node.inputs))]
