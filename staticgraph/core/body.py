"""Body graphs: where the body of a loop or a branch is built before it becomes a Function.

While a body is traced, every node goes to it, whichever graph its operands belong to. A tensor of a
graph around it is captured: inside, a parameter stands for it; the node that will hold the
body takes it as an operand. An operation of a graph around it for which something in the body waits
is awaited: the node that will hold the body waits for it. Once traced, a body takes nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from staticgraph.core.function import PARAMETER, Function
from staticgraph.core.graph import Graph, Operation, Tensor
from staticgraph.core.location import Location
from staticgraph.core.node import Value
from staticgraph.core.opdef import NO_ATTRS, Attrs, OpDef
from staticgraph.core.types import TensorType
from staticgraph.errors import GraphError


class BodyGraph(Graph):
    """A graph inside another one.

    captures    per captured tensor of the graph directly around: the parameter that stands for it
    awaited     the operations of the graph directly around that the body as a whole waits for
    closed      whether it was traced to its end
    derived     whether it holds the nodes of another body once more, to differentiate them: what
                it repeats has its effects there
    weak        the parameters that stand for a Python number, with its type: a carry that starts
                from one takes the dtype that the body gives it
    """

    def __init__(self, outer: Graph, what: str) -> None:
        super().__init__()
        self.outer: Graph = outer
        self.what = what
        self.captures: dict[Tensor, Tensor] = {}
        self.awaited: dict[Operation, None] = {}
        self.closed = False
        self.derived = False
        self.weak: dict[Tensor, type] = {}
        self.variables = outer.variables
        self.gradient_functions = outer.gradient_functions
        self.locations = outer.locations
        self.random_streams = outer.random_streams
        # In the body of a loop: makes the number of the iteration, from 0, as a tensor in here.
        self.counter: Callable[[], Tensor] | None = None

    def add(
        self,
        op: OpDef,
        inputs: tuple[Tensor, ...] = (),
        attrs: Attrs = NO_ATTRS,
        name: str | None = None,
    ) -> Operation:
        """Appends a node, as a Graph does, while the body is being traced."""
        if self.closed and op is not PARAMETER:
            location = self.location
            for tensor in inputs:
                if tensor.node.graph is self:
                    self._refuse_foreign(op, tensor, location)
            raise GraphError(
                f"{op.called}: {self.what} takes no more operations, it was built to its end\n"
                f"  build in the function that makes the body\n  created at {location}"
            )
        return super().add(op, inputs, attrs, name)

    def parameter(self, type: TensorType, name: str, kind: str = "carry") -> Tensor:
        """A new input of the body."""
        return self.add(PARAMETER, (), {"kind": kind, "type": type}, name).out

    def adopt(self, op: OpDef, tensor: Tensor, location: Location) -> Tensor:
        """`tensor` itself, or what stands for it in here; refuses what is of no graph around."""
        if tensor.node.graph is self:
            return tensor
        if not self.lies_inside(tensor.node.graph):
            self._refuse_foreign(op, tensor, location)
        return self.capture(tensor)

    def lies_inside(self, graph: Graph) -> bool:
        """Whether `graph` is one of those around this body."""
        around: Graph | None = self.outer
        while around is not None:
            if around is graph:
                return True
            around = around.outer
        return False

    def capture(self, tensor: Tensor) -> Tensor:
        """The tensor in here that stands for `tensor` of a graph around."""
        node = tensor.node
        if node.graph is self:
            return tensor
        if isinstance(self.outer, BodyGraph):
            tensor = self.outer.capture(tensor)
        known = self.captures.get(tensor)
        if known is None:
            # The parameter belongs here, also while a body inside this one is being traced.
            inner, self.inner = self.inner, None
            with self.absolute_scope(""), self.at(node.location):
                known = self.parameter(tensor.type, tensor.name.replace(":", "_"), "capture")
            self.inner = inner
            self.captures[tensor] = known
            outer = tensor.node.graph
            if isinstance(outer, BodyGraph) and tensor in outer.weak:
                self.weak[known] = outer.weak[tensor]
        return known

    def _waitable(self, operations: Sequence[Operation]) -> list[Operation]:
        own: list[Operation] = []
        around: list[Operation] = []
        for operation in operations:
            (own if operation.graph is self else around).append(operation)
        for operation in self.outer._waitable(around):
            self.awaited[operation] = None
        return own

    @contextmanager
    def resumed(self) -> Iterator[BodyGraph]:
        """Within the ``with`` block nodes go to this body, also after it was traced."""
        closed, self.closed = self.closed, False
        self.outer.inner = self
        try:
            with self.as_default():
                yield self
        finally:
            self.outer.inner = None
            self.closed = closed

    @contextmanager
    def outside(self) -> Iterator[Graph]:
        """Within the ``with`` block nodes go to the graph around this body again."""
        self.outer.inner = None
        try:
            with self.outer.as_default():
                yield self.outer
        finally:
            self.outer.inner = self

    def new_symbol(self) -> str:
        """A symbol that is fresh in all graphs around as well."""
        return self.outer.new_symbol()


@contextmanager
def suspended(graph: Graph) -> Iterator[Graph]:
    """Within the ``with`` block nodes go to `graph` itself, also while a body in it is traced."""
    inner, graph.inner = graph.inner, None
    try:
        with graph.as_default():
            yield graph
    finally:
        graph.inner = inner


@contextmanager
def tracing(outer: Graph, what: str) -> Iterator[BodyGraph]:
    """Within the ``with`` block every node goes to a new body inside `outer`."""
    outer = outer.innermost
    body = BodyGraph(outer, what)
    # Where a transformation says to which line its nodes belong, those in here do too.
    body._location = outer._location
    outer.inner = body
    try:
        with body.as_default():
            yield body
    finally:
        body.closed = True
        outer.inner = None
        outer.random_streams = body.random_streams


def inline(function: Function, operands: Sequence[Tensor], graph: Graph) -> list[Tensor]:
    """Builds the nodes of `function` in `graph`, its inputs being `operands`; its outputs."""
    tensors: dict[Value, Tensor] = dict(zip(function.inputs, operands, strict=True))
    for node in function.nodes:
        with graph.at(node.location):
            made = graph.add(
                node.op,
                tuple([tensors[value] for value in node.inputs]),
                node.attrs,
                node.name.rpartition("/")[2],
            )
        tensors.update(zip(node.outputs, made.outputs, strict=True))
    return [tensors[value] for value in function.outputs]
