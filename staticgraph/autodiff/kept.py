"""What the twin of a loop keeps of each iteration, and how the backward scan is handed it.

A value of one size in all iterations is stacked. One whose size may differ is joined end to end
with those of the other iterations, with its length stacked beside; the scan takes it in parts. The
stacks of a loop inside are such values: a loop of unknown length is kept in one piece of memory
with the lengths beside it. A value of which more than the first axis may differ is flattened, with
its shape beside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from staticgraph.autodiff.bodies import closed
from staticgraph.core.body import BodyGraph, inline, tracing
from staticgraph.core.function import Function
from staticgraph.core.graph import Graph, Tensor
from staticgraph.core.types import Dim
from staticgraph.ops.loops import SCAN, WHILE
from staticgraph.ops.shaping import RESHAPE, reshape
from staticgraph.ops.sizes import shape, size


class Kept:
    """The rows of a twin: further results of its body, which are entries of the backward scan.

    rows        the results, each once
    joined      the numbers of those that are joined
    lengths     per row the number of the one that says how long its parts are, or -1
    flat        values that were flattened, with the numbers of their rows: elements, and shape
    """

    def __init__(self, workshop: BodyGraph, may_differ: Callable[[Dim], bool]) -> None:
        self.workshop, self.may_differ = workshop, may_differ
        self.rows: list[Tensor] = []
        self.joined: list[int] = []
        self.lengths: list[int] = []
        self.flat: list[tuple[Tensor, int, int]] = []
        self._numbers: dict[Tensor, int] = {}
        self._counts: dict[Tensor, Tensor] = {}

    def keep(self, value: Tensor) -> int:
        """Keeps a value of the body; the number of its row, or of the row of its elements."""
        known = self._numbers.get(value)
        if known is not None:
            return known
        dims = value.type.shape
        if dims is not None and not any(map(self.may_differ, dims)):
            return self._row(value, -1)
        if dims is not None and not any(map(self.may_differ, dims[1:])):
            return self._row(value, self.count(value))
        with self.workshop.resumed():
            elements = reshape(value, (-1,))
            sizes = shape(value)
        self.flat.append((value, self.keep(elements), self.keep(sizes)))
        self._numbers[value] = self.flat[-1][1]
        return self._numbers[value]

    def count(self, value: Tensor) -> int:
        """The number of the row that holds how many rows `value` has in each iteration."""
        node = value.node
        if node.op in (WHILE, SCAN):
            # The stacks of one loop are as long as each other.
            joined = node.attrs.get("joined", ())
            first = node.attrs["carries"]
            if value.index >= first and value.index - first not in joined:
                own = [n for n in range(first, len(node.outputs)) if n - first not in joined]
                value = node.outputs[own[0]]
        with self.workshop.resumed():
            known = self._counts.get(value)
            if known is None:
                known = self._counts[value] = size(value, 0)
        return self.keep(known)

    def _row(self, value: Tensor, lengths: int) -> int:
        number = self._numbers[value] = len(self.rows)
        self.rows.append(value)
        self.lengths.append(lengths)
        if lengths >= 0:
            self.joined.append(number)
        return number

    def reading(self, graph: Graph, body: Function, first: int) -> Function:
        """`body`, whose last inputs are the flattened values, taking them from their rows.

        first   the number of its input that is the first row
        """
        if not self.flat:
            return body
        with tracing(graph, "the body of a derivative") as workshop:
            given = [
                workshop.parameter(v.type, v.name.replace(":", "_"), v.node.attrs["kind"])
                for v in body.inputs[: len(body.inputs) - len(self.flat)]
            ]
            read = [
                workshop.add(
                    RESHAPE,
                    (given[first + elements], given[first + sizes]),
                    {"shape": value.type.shape},
                ).out
                for value, elements, sizes in self.flat
            ]
            outputs = inline(body, [*given, *read], workshop)
        return closed(workshop, "body", outputs, given)


def sizes_that_differ(values: Sequence[Tensor]) -> Callable[[Dim], bool]:
    """Whether a size may differ between iterations, where `values` are what the body takes.

    A symbol that comes from inside may stand for another size in each iteration.
    """
    symbols = {dim for x in values for dim in x.type.shape or () if isinstance(dim, str)}
    return lambda dim: not isinstance(dim, int) and dim not in symbols
