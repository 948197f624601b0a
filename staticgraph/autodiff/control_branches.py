"""Reverse mode of branches: one node with the adjoint of each branch.

An adjoint computes again what it needs of its branch, save for loops: a twin of the branches, which
a pass makes one with them (passes/merge.py), hands out what depends on a loop, and what only
another branch has as zeros. So no loop runs again, and where no branch holds a loop there is no
twin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from staticgraph.autodiff import reverse
from staticgraph.autodiff.bodies import (
    Adjoints,
    branches,
    early_nodes,
    fitted,
    like,
    rebuild,
    repeats,
    taken_by,
)
from staticgraph.autodiff.common import Paths, zeros_of
from staticgraph.core.body import BodyGraph, tracing
from staticgraph.core.function import Function, has_effect
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.types import TensorType
from staticgraph.ops.convert import constant
from staticgraph.ops.shaping import broadcast_to

Take = Callable[[int], Tensor | None]


def pull_branches(
    node: Operation, adjoints: Adjoints, wanted: Sequence[int], masked: bool, take: Take
) -> list[Tensor | None]:
    """The adjoints of the operands number `wanted` of a `cond` or `switch_case`."""
    given = [i for i, adjoint in enumerate(adjoints) if adjoint is not None]
    reversed_ = [
        _BranchReverse(node, branch, given, [index - 1 for index in wanted], masked)
        for branch in node.attrs["branches"]
    ]
    # An operand that no adjoint reaches in any branch has none.
    kept = [k for k in range(len(wanted)) if any(each.found[k] is not None for each in reversed_)]
    by_operand: list[Tensor | None] = [None] * len(wanted)
    if not kept:
        return by_operand
    for each in reversed_:
        each.finish(kept)
    handed = _handed_out(node, reversed_)
    signed = [
        (each.workshop, [*each.inputs, *each.seeds, *each.received(handed)], each.parts)
        for each in reversed_
    ]
    functions, brought = branches(signed)
    starts = [adjoint for adjoint in adjoints if adjoint is not None]
    operands = (*node.inputs, *starts, *handed, *brought)
    made = node.graph.add(node.op, operands, {"branches": functions}, "backward")
    for k, tensor in zip(kept, made.outputs, strict=True):
        by_operand[k] = tensor
    return by_operand


class _BranchReverse:
    """One branch in a workshop, and the adjoint part of it.

    found       per wanted operand its adjoint, or None
    parts       the adjoints of those that have one in some branch
    residuals   forward values that are handed out: what the adjoint part takes and what depends on
                a loop, which otherwise would run again
    """

    def __init__(
        self,
        node: Operation,
        branch: Function,
        given: Sequence[int],
        wanted: Sequence[int],
        masked: bool,
    ) -> None:
        with tracing(node.graph, "the branch of a derivative") as self.workshop:
            self.inputs, self.outputs = rebuild(self.workshop, branch)
            self.forward_size = len(self.workshop)
            ys = [self.outputs[i] for i in given]
            self.seeds = [like(self.workshop, y, y.type, "adjoint") for y in ys]
            self.xs = [self.inputs[index] for index in wanted]
            self.found = reverse.pull(Paths("gradients", ys, self.xs), self.seeds, masked)
        self.parts: list[Tensor] = []
        self.residuals: list[Tensor] = []
        self.slots: dict[int, Tensor] = {}

    def finish(self, kept: Sequence[int]) -> None:
        """Settles the adjoints of the operands number `kept` of the wanted, and the residuals."""
        with self.workshop.resumed():
            for k in kept:
                part = self.found[k]
                x = self.xs[k]
                self.parts.append(zeros_of(x) if part is None else fitted(part, x))
        nodes = self.workshop.operations
        early = early_nodes(self.workshop, self.forward_size, self.seeds)
        repeated: set[Tensor] = set()
        for node in nodes:
            if node.id >= self.forward_size and node not in early:
                continue
            if repeats(node) or any(tensor in repeated for tensor in node.inputs):
                repeated.update(node.outputs)
        taken, measured = taken_by(self.parts, self.forward_size, early)
        found = [t for t in taken if t in repeated]
        found += [shape for shape in measured if shape.node.inputs[0] in repeated]
        self.residuals = sorted(dict.fromkeys(found), key=lambda t: (t.node.id, t.index))

    def effects(self) -> list[Operation]:
        """The nodes of the branch that have an effect."""
        return [n for n in self.workshop.operations[: self.forward_size] if has_effect(n)]

    def handing_out(self, types: Sequence[TensorType]) -> list[Tensor]:
        """What the branch returns beside its results: residuals of these types, or zeros."""
        with self.workshop.resumed():
            return [
                self.slots[slot] if slot in self.slots else _empty(type)
                for slot, type in enumerate(types)
            ]

    def received(self, handed: Sequence[Tensor]) -> list[Tensor]:
        """What the adjoint part knows the handed values by."""
        with self.workshop.resumed():
            return [
                self.slots[slot]
                if slot in self.slots
                else self.workshop.parameter(tensor.type, "unused", "capture")
                for slot, tensor in enumerate(handed)
            ]


def _handed_out(node: Operation, reversed_: Sequence[_BranchReverse]) -> Sequence[Tensor]:
    """Adds the twin of the branches; what it hands out beside their results.

    Residuals of one type in different branches share a result, since one branch runs.
    """
    types: list[TensorType] = []
    for each in reversed_:
        for residual in each.residuals:
            same = [n for n, t in enumerate(types) if t == residual.type and n not in each.slots]
            if not same:
                same = [len(types)]
                types.append(residual.type)
            each.slots[same[0]] = residual
    if not types:
        return []
    signed = [
        (each.workshop, each.inputs, [*each.outputs, *each.handing_out(types)])
        for each in reversed_
    ]
    derived = isinstance(node.graph, BodyGraph) and node.graph.derived
    # Beside a twin in a derivative stand the branches themselves, with their effects.
    effects = None if derived else [each.effects() for each in reversed_]
    functions, brought = branches(signed, effects)
    operands = (*node.inputs, *brought)
    made = node.graph.add(node.op, operands, {"branches": functions}, "twin")
    return made.outputs[len(node.outputs) :]


def _empty(type: TensorType) -> Tensor:
    """Zeros of a type, where sizes that are not known are 0."""
    dims = [dim if isinstance(dim, int) else 0 for dim in type.shape or ()]
    return broadcast_to(constant(np.zeros((), type.dtype), name="unused"), dims)
