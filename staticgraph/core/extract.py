"""From a graph to a Function: what the fetches need, pure, with variables as inputs and outputs.

This is where the state semantics live. A read of a variable gives the value at the start of the
run unless an assign to that variable precedes it by data or control edges; then it gives
what the last such assign wrote. Assigns to one variable must be ordered by such edges. Control
edges have no other meaning, so a Function has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from staticgraph.core.function import Function, parameter
from staticgraph.core.graph import Graph, Operation, Tensor, describe_mismatch
from staticgraph.core.location import capture
from staticgraph.core.node import Node, Value
from staticgraph.core.opdef import Mismatch, Types, infer_types
from staticgraph.core.types import Shape, TensorType
from staticgraph.errors import FeedError, GraphError

KEY = "key"
"""The source of the input that carries the key of the run."""

Source = Tensor | str


@dataclass(frozen=True, slots=True)
class Extraction:
    """A Function and what its inputs and outputs stand for.

    sources     per input: the fed Tensor, ``variable:NAME`` or KEY
    fetched     the first `fetched` outputs are the fetched tensors, in order
    updates     per further output: the name of the variable that takes it as its new value
    """

    function: Function
    sources: tuple[Source, ...]
    fetched: int
    updates: tuple[str, ...]


def extract(
    graph: Graph,
    fetches: Sequence[Tensor | Operation],
    feeds: Sequence[Tensor] = (),
    defaults_for_missing: bool = False,
    shapes: Mapping[Source, Shape] | None = None,
) -> Extraction:
    """The Function that computes `fetches` when `feeds` are given.

    Fetched Operations are computed but return nothing. A placeholder that is needed and not fed is
    a FeedError, unless `defaults_for_missing` makes an input of it (to look at a graph that is not
    about to run). Two assigns to one variable without an order are a GraphError. `shapes` says more
    of the shape of some inputs (by fed tensor or name of a variable) than was known when the graph
    was built; types that follow from it are inferred again.
    """
    fed = dict.fromkeys(feeds)
    needed = _needed(graph, fetches, fed)
    return _Extractor(graph, needed, fed, defaults_for_missing, shapes or {}).extract(fetches)


def _needed(
    graph: Graph, fetches: Sequence[Tensor | Operation], fed: dict[Tensor, None]
) -> list[Operation]:
    """The operations that the fetches need, in id order, which is topological."""
    operations = graph.operations
    wanted = bytearray(len(operations))
    for fetch in fetches:
        if isinstance(fetch, Operation):
            wanted[fetch.id] = 1
        elif fetch not in fed:
            wanted[fetch.node.id] = 1
    found: list[Operation] = []
    # Inputs have smaller ids: one sweep downwards, in the order in which memory was filled.
    index = wanted.rfind(1)
    while index >= 0:
        node = operations[index]
        found.append(node)
        for control in node.control_inputs:
            wanted[control.id] = 1
        for tensor in node.inputs:
            if tensor not in fed:
                wanted[tensor.node.id] = 1
        index = wanted.rfind(1, 0, index)
    found.reverse()
    return found


def _ordered_variables(needed: list[Operation]) -> set[str]:
    """The variables for which an order of operations matters: read or assigned after an assign.

    In a training step there is none, and then nothing is kept per operation: a chain of updates
    would otherwise keep every variable before it at every link.
    """
    assigned: set[str] = set()
    ordered: set[str] = set()
    for node in needed:
        role = node.op.role
        if role not in ("assign", "read"):
            continue
        name = node.attrs["variable"]
        if name in assigned:
            ordered.add(name)
        elif role == "assign":
            assigned.add(name)
    return ordered


class _Extractor:
    def __init__(
        self,
        graph: Graph,
        needed: list[Operation],
        fed: dict[Tensor, None],
        defaults_for_missing: bool,
        shapes: Mapping[Source, Shape],
    ) -> None:
        self.graph = graph
        self.shapes = shapes
        self.needed = needed
        self.defaults_for_missing = defaults_for_missing
        self.values: dict[Tensor, Value] = {}
        self.nodes: list[Node] = []
        self.feeds: list[tuple[Tensor, Value]] = []
        self.variables: dict[str, Value] = {}
        self.key: Value | None = None
        # The newest assign of each variable so far, in id order.
        self.newest: dict[str, Operation] = {}
        self.ordered = _ordered_variables(needed)
        # Per operation: the last assign of each such variable that precedes it by some edge.
        self.before: dict[Operation, dict[str, Operation]] = {}
        for tensor in fed:
            self._feed(tensor)

    def extract(self, fetches: Sequence[Tensor | Operation]) -> Extraction:
        handlers: dict[str, Callable[[Operation], None]] = {
            "compute": self._compute,
            "placeholder": self._placeholder,
            "parameter": self._placeholder,
            "default": self._forward,
            "read": self._read,
            "assign": self._assign,
            "key": self._key_of_run,
            "group": lambda node: None,
        }
        for node in self.needed:
            self._order(node)
            handlers[node.op.role](node)
        tensors = [fetch for fetch in fetches if isinstance(fetch, Tensor)]
        outputs = [self.values[tensor] for tensor in tensors]
        names = [tensor.name for tensor in tensors]
        for name, assign in self.newest.items():
            outputs.append(self.values[assign.out])
            names.append(f"update {name}")
        inputs = [value for _, value in self.feeds]
        sources: list[Source] = [tensor for tensor, _ in self.feeds]
        for name in self.graph.variables:
            if name in self.variables:
                inputs.append(self.variables[name])
                sources.append(f"variable:{name}")
        if self.key is not None:
            inputs.append(self.key)
            sources.append(KEY)
        function = Function(inputs, self.nodes, outputs, names)
        return Extraction(function, tuple(sources), len(tensors), tuple(self.newest))

    # -- one operation ------------------------------------------------------------------------

    def _compute(self, node: Operation) -> None:
        values = self.values
        operands = tuple([values[tensor] for tensor in node.inputs])
        types = tuple([tensor.type for tensor in node.outputs])
        for tensor, operand in zip(node.inputs, operands, strict=True):
            if tensor.type is not operand.type:
                # A default or an assigned value may say more of its shape than the node it
                # stands in for.
                types = self._types(node, operands)
                break
        made = Node(node.op, operands, node.attrs, types, node.name, node.location)
        self.nodes.append(made)
        for tensor, value in zip(node.outputs, made.outputs, strict=True):
            # A fed result of a node that is needed for another of its results stays fed.
            values.setdefault(tensor, value)

    def _types(self, node: Operation, operands: tuple[Value, ...]) -> Types:
        try:
            return infer_types(node.op, tuple([value.type for value in operands]), node.attrs)
        except Mismatch as mismatch:
            # Unknown sizes let the node be built; the default or assigned value does not fit.
            raise describe_mismatch(node.op, operands, mismatch, node.location) from None

    def _feed(self, tensor: Tensor) -> None:
        node = tensor.node
        # The parameters of a body keep the kind they have in it.
        kind = node.attrs["kind"] if node.op.role == "parameter" else "feed"
        type = self._input_type(tensor, tensor.type)
        value = parameter(tensor.name, type, kind, node.location)
        self.feeds.append((tensor, value))
        self.values[tensor] = value

    def _placeholder(self, node: Operation) -> None:
        if node.out in self.values:
            return
        if not self.defaults_for_missing:
            raise FeedError(
                f"run: placeholder '{node.name}' is needed and was not fed\n"
                f"  '{node.name}'  {node.out.type}  placeholder at {node.location}\n"
                f"  feed it: session.run(fetches, {{{node.name}: value}})\n"
                f"  at {capture()}"
            )
        self._feed(node.out)

    def _forward(self, node: Operation) -> None:
        self.values.setdefault(node.out, self.values[node.inputs[0]])

    def _read(self, node: Operation) -> None:
        if node.out in self.values:
            return
        name = node.attrs["variable"]
        assign = self.before.get(node, {}).get(name)
        if assign is not None:
            self.values[node.out] = self.values[assign.out]
            return
        self.values[node.out] = self._variable(name, node.out.type, node)

    def _variable(self, name: str, type: TensorType, node: Operation) -> Value:
        value = self.variables.get(name)
        if value is None:
            location = self.graph.variables[name].location
            type = self._input_type(name, type)
            value = self.variables[name] = parameter(name, type, "variable", location)
        return value

    def _input_type(self, source: Source, type: TensorType) -> TensorType:
        return type.with_shape(self.shapes[source]) if source in self.shapes else type

    def _assign(self, node: Operation) -> None:
        name = node.attrs["variable"]
        self._forward(node)
        self.newest[name] = node
        if name in self.ordered:
            self.before[node] = {**self.before.get(node, {}), name: node}

    def _key_of_run(self, node: Operation) -> None:
        if self.key is None:
            self.key = parameter(KEY, node.out.type, KEY, node.location)
        self.values.setdefault(node.out, self.key)

    # -- the order of assigns -----------------------------------------------------------------

    def _order(self, node: Operation) -> None:
        """Works out which assigns precede `node`; refuses an assign that is not ordered."""
        if self.ordered and self.newest:
            merged = self._merge(node)
            if merged:
                self.before[node] = merged
        if node.op.role == "assign":
            name = node.attrs["variable"]
            newest = self.newest.get(name)
            if newest is not None and self.before.get(node, {}).get(name) is not newest:
                raise self._unordered(name, newest, node)

    def _merge(self, node: Operation) -> dict[str, Operation] | None:
        merged: dict[str, Operation] | None = None
        owned = False
        for previous in (*[tensor.node for tensor in node.inputs], *node.control_inputs):
            state = self.before.get(previous)
            if state is None or state is merged:
                continue
            if merged is None:
                merged = state
                continue
            if not owned:
                merged, owned = dict(merged), True
            for name, assign in state.items():
                known = merged.get(name)
                # Assigns of one variable are totally ordered and ids follow that order.
                if known is None or known.id < assign.id:
                    merged[name] = assign
        return merged

    def _unordered(self, name: str, first: Operation, second: Operation) -> GraphError:
        variable: Any = self.graph.variables[name]
        return GraphError(
            f"run: two assigns to variable '{name}' have no order\n"
            f"  first  '{first.name}' at {first.location}\n"
            f"  second '{second.name}' at {second.location}\n"
            f"  variable '{name}' at {variable.location}\n"
            "  order them: make the second under control_dependencies on the first, or let it "
            "take the first's result as its operand\n"
            f"  at {capture()}"
        )
