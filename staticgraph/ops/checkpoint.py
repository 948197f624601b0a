"""Checkpointing: a long scan in segments; a derivative keeps only the carries between them.

``scan(..., checkpoint_every=k)`` is a scan over segments whose body is a scan over the k steps of
one, and a last scan over the steps that are left. The scan over segments says `recompute`, so
differentiation stacks its carries alone and runs each segment once more: of n steps it keeps
n / k + k instead of n (A. Griewank, 1992, with two levels). The values are those of one scan, in
the same order of operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.body import tracing
from staticgraph.core.extract import extract
from staticgraph.core.function import Function
from staticgraph.core.graph import Graph, Operation, Tensor, describe
from staticgraph.core.location import capture
from staticgraph.core.opdef import Attrs, OpDef
from staticgraph.core.types import Dim, TensorType
from staticgraph.errors import GraphError, ShapeError
from staticgraph.ops.convert import cast
from staticgraph.ops.elementwise import ceil, floor_divide, maximum, multiply, sqrt, subtract
from staticgraph.ops.joining import concat
from staticgraph.ops.shaping import RESHAPE, reshape
from staticgraph.ops.sizes import shape, size

Count = Any  # an int, or a scalar int64 tensor where only the run knows


def check_every(every: Any) -> None:
    """Raises GraphError unless `every` says how many steps a segment has."""
    whole = isinstance(every, int | np.integer) and not isinstance(every, bool) and every > 0
    if every is None or every == "sqrt" or whole:
        return
    raise GraphError(
        f"scan: checkpoint_every={every!r} is no number of steps\n"
        "  give an int above 0, or 'sqrt' for the square root of the number of steps\n"
        f"  at {capture()}"
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the steps of a scan are divided: ``segments * steps + left`` of them."""

    segments: Count
    steps: Count
    left: Count

    @property
    def covered(self) -> Count:
        """How many steps lie in segments."""
        return _product(self.segments, self.steps)


def segmented(
    every: Any, op: OpDef, graph: Graph, operands: Sequence[Tensor], attrs: Attrs, name: str
) -> tuple[list[Operation], list[Tensor]]:
    """The nodes of a scan in segments, and what the scan returns.

    every   the number of steps of a segment, or "sqrt"
    op      the record of the scan
    """
    carries, sequences = attrs["carries"], attrs["sequences"]
    whole = operands[carries : carries + sequences]
    _check_ranks(whole)
    length = _length(whole)
    plan = _plan(whole[0] if length is None else length, every)
    if plan is None:
        node = graph.add(op, tuple(operands), attrs, name)
        return [node], list(node.outputs)
    captures = operands[carries + sequences :]
    backwards: bool = attrs["reverse"]
    taken, left = zip(*[_divided(tensor, plan, backwards) for tensor in whole], strict=True)
    chunks = [_folded(tensor, plan) for tensor in taken]
    starts = operands[:carries]
    body = _segment(op, graph, (starts, chunks, captures), attrs)
    outer = {**attrs, "body": body, "recompute": True}
    first = graph.add(op, (*starts, *chunks, *captures), outer, name)
    made = first.outputs
    rows = [_unfolded(tensor, plan) for tensor in made[carries:]]
    if isinstance(plan.left, int) and plan.left == 0:
        return [first], [*made[:carries], *rows]
    rest = graph.add(op, (*made[:carries], *left, *captures), attrs, f"{name}_rest")
    pairs = zip(rows, rest.outputs[carries:], strict=True)
    dim = _length_dim(whole)
    joined = [_joined((b, a) if backwards else (a, b), dim) for a, b in pairs]
    return [first, rest], [*rest.outputs[:carries], *joined]


def _check_ranks(sequences: Sequence[Tensor]) -> None:
    for tensor in sequences:
        if tensor.type.shape is None:
            raise ShapeError(
                "scan: checkpoint_every divides the sequences, and one has an unknown rank\n"
                f"  {describe(tensor)}\n"
                "  give the placeholder a shape, with None for sizes that only the run knows\n"
                f"  at {capture()}"
            )


def _length_dim(sequences: Sequence[Tensor]) -> Dim:
    dims = [tensor.type.shape[0] for tensor in sequences if tensor.type.shape]
    known = [dim for dim in dims if isinstance(dim, int)] + [d for d in dims if d is not None]
    return known[0] if known else None


def _length(sequences: Sequence[Tensor]) -> int | None:
    dim = _length_dim(sequences)
    return dim if isinstance(dim, int) else None


def _plan(length: int | Tensor, every: Any) -> _Plan | None:
    """None where there is but one segment."""
    if isinstance(length, int):
        steps = math.isqrt(max(length - 1, 0)) + 1 if every == "sqrt" else int(every)
        if length <= steps:
            return None
        return _Plan(length // steps, steps, length % steps)
    count = size(length, 0)
    if every == "sqrt":
        # Exact: the count is below 2**53.
        root = cast(ceil(sqrt(cast(count, dtypes.float64))), dtypes.int64)
        every = maximum(root, 1)
    segments = floor_divide(count, every)
    return _Plan(segments, every, subtract(count, multiply(segments, every)))


def _product(lhs: Count, rhs: Count) -> Count:
    if isinstance(lhs, int) and isinstance(rhs, int):
        return lhs * rhs
    return multiply(lhs, rhs)


def _divided(tensor: Tensor, plan: _Plan, backwards: bool) -> tuple[Tensor, Tensor]:
    """The entries in segments, which come first in the order of the steps, and the others."""
    if backwards:
        return tensor[plan.left :], tensor[: plan.left]
    return tensor[: plan.covered], tensor[plan.covered :]


def _tail(tensor: Tensor, first: int) -> list[Any]:
    """The sizes of the axes from `first` on: ints where they are known."""
    dims = tensor.type.shape or ()
    return [
        dim if isinstance(dim, int) else size(tensor, axis)
        for axis, dim in enumerate(dims)
        if axis >= first
    ]


def _folded(tensor: Tensor, plan: _Plan) -> Tensor:
    """One entry per segment."""
    return reshape(tensor, (plan.segments, plan.steps, *_tail(tensor, 1)))


def _unfolded(tensor: Tensor, plan: _Plan) -> Tensor:
    """One entry per step again."""
    if tensor.type.shape is None:
        sizes = shape(tensor)
        return reshape(tensor, concat([reshape(multiply(sizes[0], sizes[1]), (1,)), sizes[2:]]))
    return reshape(tensor, (plan.covered, *_tail(tensor, 2)))


def _joined(parts: tuple[Tensor, Tensor], length: Dim) -> Tensor:
    """The outputs of both scans along one axis, whose size is `length`."""
    dims = [part.type.shape for part in parts]
    if any(dim is None or None in dim[1:] for dim in dims):
        # A stack without entries does not know the sizes of an entry; the other one does.
        sizes = [shape(part) for part in parts]
        tail = maximum(sizes[0][1:], sizes[1][1:])
        parts = tuple(  # type: ignore[assignment]
            [reshape(p, concat([s[:1], tail])) for p, s in zip(parts, sizes, strict=True)]
        )
    whole = concat(parts)
    known = next((dim for dim in dims if dim is not None), None)
    if known is None or whole.type.shape == (length, *known[1:]):
        return whole
    wanted = {"shape": (length, *known[1:])}
    return whole.graph.add(RESHAPE, (whole, shape(whole)), wanted).out


def _segment(
    op: OpDef,
    graph: Graph,
    operands: tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]],
    attrs: Attrs,
) -> Function:
    """The body of the scan over segments: the scan over the steps of one."""
    starts, chunks, captures = operands
    step: Function = attrs["body"]
    with tracing(graph, "the body of scan") as body:
        carried = [
            body.parameter(value.type, value.name.replace(":", "_"), "carry")
            for value in step.inputs[: len(starts)]
        ]
        entries = [
            body.parameter(_entry(chunk.type), value.name.replace(":", "_"), "entry")
            for chunk, value in zip(chunks, step.inputs[len(starts) :], strict=False)
        ]
        brought = [
            body.parameter(tensor.type, value.name.replace(":", "_"), value.node.attrs["kind"])
            for tensor, value in zip(
                captures, step.inputs[len(starts) + len(chunks) :], strict=True
            )
        ]
        feeds = [*carried, *entries, *brought]
        results = body.add(op, tuple(feeds), attrs, "segment").outputs
    function = extract(body, results, feeds).function
    return Function(function.inputs, function.nodes, function.outputs, None, "body")


def _entry(type: TensorType) -> TensorType:
    assert type.shape is not None
    return type.with_shape(type.shape[1:])
