"""Tapes: how a derivative keeps a loop variable whose size changes from iteration to iteration.

Such values do not stack. The twin of the loop carries a vector to which each iteration appends the
value, flattened, and stacks the place and the shape of it; the backward scan reads it from there.
Appending copies the vector, so n iterations move on the order of n times its last size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from staticgraph.autodiff.bodies import Loop, closed
from staticgraph.core import dtypes
from staticgraph.core.body import BodyGraph, inline, tracing
from staticgraph.core.function import Function
from staticgraph.core.graph import Graph, Tensor
from staticgraph.core.types import TensorType
from staticgraph.ops.convert import constant
from staticgraph.ops.creation import arange
from staticgraph.ops.elementwise import add
from staticgraph.ops.indexing import take
from staticgraph.ops.joining import concat
from staticgraph.ops.reduction import prod
from staticgraph.ops.shaping import RESHAPE, reshape
from staticgraph.ops.sizes import shape, size


def is_changing(loop: Loop, index: int) -> bool:
    """Whether carry number `index` was declared to change its size: an axis is known at the start
    and unknown later. One that is not known at the start either is taken to stay."""
    start, kept = loop.node.inputs[index].type.shape, loop.body.inputs[index].type.shape
    if start is None or kept is None or len(start) != len(kept):
        return start is not None and kept is None
    return any(
        later is None and first is not None for first, later in zip(start, kept, strict=True)
    )


def measured(tensor: Tensor) -> Tensor:
    """`tensor` with a new symbol for each axis of unknown size: the start of a carry that changes
    its size, known as such by that."""
    known = tensor.type.shape
    if known is None or None not in known:
        return tensor
    symbols = tensor.graph.symbolic_shape(known)
    return tensor.graph.add(RESHAPE, (tensor, shape(tensor)), {"shape": symbols}).out


class Tapes:
    """The tapes of a twin: per value a vector that grows, and the rows that say where it stands.

    before, after   parameters for the vectors, and the vectors with one more value
    rows            the places, then the shapes
    """

    def __init__(self, workshop: BodyGraph, values: Sequence[Tensor]) -> None:
        self.values = list(values)
        with workshop.resumed():
            self.before = [
                workshop.parameter(TensorType(value.dtype, (None,)), "tape", "carry")
                for value in values
            ]
            self.after = [
                concat([tape, reshape(value, (-1,))])
                for tape, value in zip(self.before, values, strict=True)
            ]
            self.rows = [size(tape) for tape in self.before] + [shape(value) for value in values]

    def starts(self, graph: Graph) -> list[Tensor]:
        """Empty vectors."""
        with graph.as_default():
            return [constant(np.zeros(0, value.dtype), name="tape") for value in self.values]

    def reading(self, graph: Graph, body: Function, first: int) -> Function:
        """`body`, whose inputs from `first` on are the values, reading them from tapes instead.

        In their stead come their places and shapes; the tapes are its last inputs.
        """
        count = len(self.values)
        with tracing(graph, "the body of a derivative") as workshop:

            def enter(type: TensorType, name: str, kind: str) -> Tensor:
                return workshop.parameter(type, name.replace(":", "_"), kind)

            given = [enter(v.type, v.name, v.node.attrs["kind"]) for v in body.inputs]
            places = [enter(TensorType(dtypes.int64, ()), "place", "entry") for _ in self.values]
            shapes = [enter(row.type, "shape", "entry") for row in self.rows[count:]]
            tapes = [enter(tape.type, "tape", "capture") for tape in self.before]
            read = [
                _read(tape, place, sizes, value.type)
                for tape, place, sizes, value in zip(
                    tapes, places, shapes, self.values, strict=True
                )
            ]
            outputs = inline(body, [*given[:first], *read, *given[first + count :]], workshop)
        feeds = [*given[:first], *places, *shapes, *given[first + count :], *tapes]
        return closed(workshop, "body", outputs, feeds)


def _read(tape: Tensor, place: Tensor, sizes: Tensor, type: TensorType) -> Tensor:
    flat = take(tape, add(place, arange(prod(sizes))), axis=0)
    return flat.graph.add(RESHAPE, (flat, sizes), {"shape": type.shape}).out
