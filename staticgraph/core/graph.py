"""The graph that users build: append-only, with names, scopes and the user's line of every node.

Invariants: a node's inputs and control inputs have smaller ids than the node, so id order is a
topological order; nothing that stands ever changes; names are unique in a graph.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NoReturn

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.location import Explain, Location, LocationTable
from staticgraph.core.members import Members
from staticgraph.core.node import Node, Value
from staticgraph.core.opdef import (
    NO_ATTRS,
    Attrs,
    Mismatch,
    OpDef,
    conversion,
    infer_types,
)
from staticgraph.core.types import Dim, Shape, public_shape
from staticgraph.errors import GraphError, StaticGraphError


class Tensor(Value, Members):
    """A symbolic array: one result of an operation in a graph.

    It has a dtype and a shape but no value; a Session computes values. Python operators,
    indexing and NumPy functions on it add operations to its graph. Tensors hash by identity, so
    they can be the keys of a feed dict; ``==`` compares elementwise and gives a Tensor.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (None, 3), name="x")
    >>> x * 2, x.dtype, x.shape
    (<Tensor 'multiply' float32[?, 3]>, dtype('float32'), (None, 3))
    """

    __slots__ = ()

    node: Operation

    @property
    def graph(self) -> Graph:
        """The graph that this tensor belongs to."""
        return self.node.graph

    @property
    def dtype(self) -> DType:
        """Element type, as a NumPy dtype."""
        return self.type.dtype

    @property
    def shape(self) -> Shape:
        """Sizes as far as known: int, None (unknown) or str (a named unknown); None as a whole
        when not even the rank is known."""
        return public_shape(self.type.shape)

    @property
    def ndim(self) -> int | None:
        """Number of axes, or None when unknown."""
        return self.type.ndim

    @property
    def size(self) -> int | None:
        """Number of elements, or None when unknown."""
        return self.type.size

    __hash__ = object.__hash__

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        # A tensor is a place in a graph: another object would be the key of no feed.
        return self


class Operation(Node):
    """A node of a graph: an op applied to tensors, at a line of the user's program.

    Fetching one computes it and gives None.

    >>> import staticgraph as sg
    >>> node = sg.square(3.0).node
    >>> node.name, node.op.name, [tensor.name for tensor in node.inputs]
    ('square', 'square', ['constant'])
    """

    __slots__ = ("control_inputs", "graph", "id")

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    graph: Graph
    id: int
    control_inputs: tuple[Operation, ...]

    @property
    def out(self) -> Tensor:
        """The first result."""
        return self.outputs[0]


class Graph:
    """A growing program of operations.

    >>> graph = Graph()
    >>> with graph.as_default():
    ...     get_default_graph() is graph
    True
    """

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        # Objects (variables of ops/state.py) that `read` and `assign` nodes refer to by name.
        self.variables: dict[str, Any] = {}
        # Names of the variables that a node in here assigns.
        self.assigned: dict[str, None] = {}
        # Gradient functions of custom_gradient nodes, by the node's name.
        self.gradient_functions: dict[str, Callable[..., Any]] = {}
        # The graph around this one, for the body of a loop or branch (core/body.py), and the body
        # that is being traced inside this one.
        self.outer: Graph | None = None
        self.inner: Graph | None = None
        # What a message calls this graph.
        self.what = "a graph"
        self.finalized = False
        # Random numbers (ops/random/): how many nodes draw some, and the one key of the run.
        self.random_streams = 0
        self.random_key: Tensor | None = None
        self.locations = LocationTable()
        self._by_name: dict[str, Operation] = {}
        # The next number for names that were asked for more than once; names of scopes.
        self._name_counts: dict[str, int] = {}
        self._scope = ""
        self._control: tuple[Operation, ...] = ()
        self._location: Location | None = None
        self._scalars: dict[tuple[DType, str], Tensor] = {}
        self._symbols = 0

    # -- the default graph --------------------------------------------------------------------

    @contextmanager
    def as_default(self) -> Iterator[Graph]:
        """Within the ``with`` block, ops without operands go to this graph.

        The stack of default graphs belongs to the thread.
        """
        _defaults.stack.append(self)
        try:
            yield self
        finally:
            _defaults.stack.pop()

    def finalize(self) -> None:
        """Refuses every later addition with a GraphError: catches ops built inside a loop."""
        self.finalized = True

    # -- names and scopes ---------------------------------------------------------------------

    @contextmanager
    def name_scope(self, name: str) -> Iterator[str]:
        """Within the ``with`` block, names start with ``name/``, made unique."""
        if not name or name != name.strip("/"):
            raise GraphError(
                f"name_scope: {name!r} is no scope name\n"
                "  give a non-empty name that neither starts nor ends with '/'\n"
                f"  at {self.locations.capture()}"
            )
        outer = self._scope
        scope = self._unique(f"{outer}{name}")
        # A scope takes its name, as a node does.
        self._name_counts.setdefault(scope, 1)
        self._scope = scope + "/"
        try:
            yield self._scope[:-1]
        finally:
            self._scope = outer

    @contextmanager
    def absolute_scope(self, scope: str) -> Iterator[None]:
        """Names start with `scope` itself; used by transformations that name after nodes."""
        outer = self._scope
        self._scope = scope
        try:
            yield
        finally:
            self._scope = outer

    @contextmanager
    def at(self, location: Location) -> Iterator[None]:
        """Nodes made within belong to `location` instead of the innermost user frame."""
        outer = self._location
        self._location = location
        try:
            yield
        finally:
            self._location = outer

    def explaining(self, explain: Explain) -> AbstractContextManager[None]:
        """Nodes made within fail in a run with the message that `explain` makes of it."""
        graph = self.innermost
        return graph.at(graph.location.explained(explain))

    def place(self, scope: str, location: Location) -> None:
        """Nodes made from now on are named under `scope` and belong to `location`.

        For use within `name_scope` and `at`, which put back what was: a transformation places
        the nodes of every step without opening two contexts.
        """
        self._scope = scope
        self._location = location

    @contextmanager
    def control_dependencies(self, operations: Sequence[Operation]) -> Iterator[None]:
        """Nodes made within run after `operations`, and only if those run too."""
        waitable = self._waitable(operations)
        outer = self._control
        self._control = tuple(dict.fromkeys((*outer, *waitable)))
        try:
            yield
        finally:
            self._control = outer

    def _waitable(self, operations: Sequence[Operation]) -> Sequence[Operation]:
        """Those of `operations` that nodes of this graph wait for; refuses what is not in it."""
        for operation in operations:
            if operation.graph is not self:
                self._refuse_waiting(operation)
        return operations

    def _refuse_waiting(self, operation: Operation) -> NoReturn:
        shown = f"  '{operation.name}'  {operation.op.name} at {operation.location.short}\n"
        graph = operation.graph
        if graph.outer is not None:
            raise GraphError(
                f"control_dependencies: '{operation.name}' was made inside {graph.what} and is "
                f"awaited outside of it\n{shown}"
                "  wait for a result of the loop or branch instead\n"
                f"  at {self.location}"
            )
        raise GraphError(
            f"control_dependencies: '{operation.name}' belongs to another graph\n{shown}"
            "  operations wait for those of their own graph\n"
            f"  at {self.location}"
        )

    @contextmanager
    def no_control_dependencies(self) -> Iterator[None]:
        """Nodes made within wait for nothing."""
        outer = self._control
        self._control = ()
        try:
            yield
        finally:
            self._control = outer

    @property
    def scope(self) -> str:
        """The current name scope, empty or ending in ``/``."""
        return self._scope

    @property
    def controls(self) -> tuple[Operation, ...]:
        """The control inputs that a node made now would get."""
        return self._control

    @property
    def innermost(self) -> Graph:
        """The graph to which nodes made now go: the body that is being traced, or this one."""
        graph = self
        while graph.inner is not None:
            graph = graph.inner
        return graph

    @property
    def location(self) -> Location:
        """The place in the user's program to which a node made now would belong."""
        return self._location if self._location is not None else self.locations.capture()

    def next_name(self, name: str) -> str:
        """The unique name that the next node called `name` will get."""
        return self._free(name)[0]

    def _unique(self, name: str) -> str:
        unique, count = self._free(name)
        if count:
            self._name_counts[name] = count
        return unique

    def _free(self, name: str) -> tuple[str, int]:
        """`name`, or `name` with the first number that is free, and the number after it."""
        count = self._name_counts.get(name)
        if count is None:
            if name not in self._by_name:
                return name, 0
            count = 1
        while True:
            candidate = f"{name}_{count}"
            count += 1
            if candidate not in self._by_name and candidate not in self._name_counts:
                return candidate, count

    def new_symbol(self) -> str:
        """A fresh anonymous symbol for a dim of unknown size."""
        self._symbols += 1
        return f"?{self._symbols - 1}"

    def symbolic_shape(self, shape: Sequence[Dim] | None) -> Shape:
        """A user's shape with a fresh symbol for every None."""
        if shape is None:
            return None
        return tuple([self.new_symbol() if dim is None else dim for dim in shape])

    # -- growing ------------------------------------------------------------------------------

    def add(
        self,
        op: OpDef,
        inputs: tuple[Tensor, ...] = (),
        attrs: Attrs = NO_ATTRS,
        name: str | None = None,
    ) -> Operation:
        """Appends a node; types are inferred here, so errors come at the user's line."""
        if self.inner is not None:
            # A body is being traced: whatever is made now belongs to it.
            return self.inner.add(op, inputs, attrs, name)
        location = self._location
        if location is None:
            location = self.locations.capture()
        if self.finalized:
            raise GraphError(
                f"{op.called}: the graph is finalized and takes no more operations\n"
                "  build everything before finalize(), outside the training loop, and feed what "
                "changes\n"
                f"  at {location}"
            )
        if name is not None and not isinstance(name, str):
            raise GraphError(
                f"{op.called}: the name is a {type(name).__name__}: {name!r}\n"
                "  give a str, or nothing for a name made of the op's\n"
                f"  at {location}"
            )
        for tensor in inputs:
            if tensor.node.graph is not self:
                inputs = tuple([self.adopt(op, operand, location) for operand in inputs])
                break
        try:
            results = infer_types(op, tuple([tensor.type for tensor in inputs]), attrs)
        except Mismatch as mismatch:
            widened = self._in_float32(op, inputs, attrs, name)
            if widened is None:
                raise describe_mismatch(op, inputs, mismatch, location) from None
            return widened
        node = Operation.__new__(Operation)
        node.op = op
        node.inputs = inputs
        node.attrs = attrs
        node.location = location
        node.graph = self
        node.id = len(self.operations)
        node.control_inputs = self._control
        node.name = unique = self._unique(self._scope + (name or op.name))
        if len(results) == 1:
            node.outputs = (Tensor(node, 0, results[0]),)
        else:
            node.outputs = tuple([Tensor(node, i, t) for i, t in enumerate(results)])
        self.operations.append(node)
        self._by_name[unique] = node
        return node

    def _in_float32(
        self, op: OpDef, inputs: tuple[Tensor, ...], attrs: Attrs, name: str | None
    ) -> Operation | None:
        """The node of an op that does not compute in half precision: in float32, rounded back.

        None where that is not what is wrong. Several results, and those of operands which are not
        all of one dtype, stay as they are.
        """
        half = {tensor.dtype for tensor in inputs} & dtypes.HALF
        if not half:
            return None
        types = [t.type.with_dtype(dtypes.float32) if t.dtype in half else t.type for t in inputs]
        try:
            results = infer_types(op, tuple(types), attrs)
        except Mismatch:
            return None
        alone = len(half) == 1 and not any(t.dtype in dtypes.INEXACT for t in inputs)
        rounded = alone and len(results) == 1 and results[0].dtype == dtypes.float32
        convert = conversion()
        wide = [
            self.add(convert, (t,), {"dtype": dtypes.float32}).out if t.dtype in half else t
            for t in inputs
        ]
        node = self.add(op, tuple(wide), attrs, None if rounded else name)
        return self.add(convert, (node.out,), {"dtype": half.pop()}, name) if rounded else node

    def adopt(self, op: OpDef, tensor: Tensor, location: Location) -> Tensor:
        """`tensor` as an operand of a node of this graph; a GraphError if it cannot be one."""
        if tensor.node.graph is not self:
            self._refuse_foreign(op, tensor, location)
        return tensor

    def _refuse_foreign(self, op: OpDef, tensor: Tensor, location: Location) -> NoReturn:
        if tensor.node.graph.outer is not None:
            raise GraphError(
                f"{op.called}: '{tensor.name}' was made inside {tensor.node.graph.what} and is "
                "used outside of it\n"
                f"  {describe(tensor)}\n"
                "  a value leaves a body only as one of its results: return it, as a further "
                "loop variable or output\n"
                f"  created at {location}"
            )
        raise GraphError(
            f"{op.called}: operands belong to different graphs\n"
            f"  {describe(tensor)}\n"
            "  a graph is closed: build all operands of one computation in one graph, or fetch "
            "the value from one session and feed it to the other\n"
            f"  created at {location}"
        )

    def scalar_key(self, dtype: DType, value: complex) -> Tensor | None:
        """The constant of this dtype and value that the graph already holds, if any."""
        if self.inner is not None:
            return self.inner.scalar_key(dtype, value)
        return self._scalars.get((dtype, repr(value)))

    def keep_scalar(self, value: complex, constant: Tensor) -> Tensor:
        """Remembers a scalar constant, so that a literal in a loop is one node."""
        if self.inner is not None:
            return self.inner.keep_scalar(value, constant)
        self._scalars[(constant.type.dtype, repr(value))] = constant
        return constant

    # -- looking up ---------------------------------------------------------------------------

    def operation(self, name: str) -> Operation | None:
        """The operation called `name`, or None."""
        return self._by_name.get(name)

    def tensor(self, name: str) -> Tensor | None:
        """The tensor called `name` (``x``, ``x:0`` and ``split:1`` all work), or None."""
        node = self._by_name.get(name)
        index = 0
        if node is None and ":" in name:
            base, _, number = name.rpartition(":")
            node = self._by_name.get(base)
            index = int(number) if number.isdecimal() else -1
        if node is None or not 0 <= index < len(node.outputs):
            return None
        return node.outputs[index]

    def names(self) -> list[str]:
        """The names of all operations, in the order in which they were made."""
        return list(self._by_name)

    def __len__(self) -> int:
        return len(self.operations)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<Graph of {len(self.operations)} operations>"


class _Defaults(threading.local):
    def __init__(self) -> None:
        self.stack: list[Graph] = []


_defaults = _Defaults()
_process_default = Graph()


def get_default_graph() -> Graph:
    """The graph to which ops without operands go: the innermost ``as_default()``, else the
    graph of the process.

    >>> with Graph().as_default() as graph:
    ...     get_default_graph() is graph
    True
    """
    return _defaults.stack[-1] if _defaults.stack else _process_default


def describe(tensor: Value) -> str:
    """``'x'  float32[?, 784]  placeholder at train.py:4``: a tensor in a message."""
    node = tensor.node
    what = node.attrs["kind"] if node.op.role == "parameter" else node.op.called
    return f"'{tensor.name}'  {tensor.type}  {what} at {node.location.short}"


def describe_mismatch(
    op: OpDef, inputs: Sequence[Value], mismatch: Mismatch, location: Location
) -> StaticGraphError:
    """The error a user sees: the operation, what it has, what it wants, the way out, the line."""
    called, *labels = mismatch.spoken or (
        spoken_of(op, location),
        *[op.operand_name(index) for index in range(len(inputs))],
    )
    lines = [f"{called}: {mismatch.problem}"]
    for label, tensor in zip(labels, inputs, strict=True):
        if label:
            lines.append(f"  {label} {describe(tensor)}")
    lines += [f"  {detail}" for detail in mismatch.details]
    lines.append(f"  created at {location}")
    return mismatch.error("\n".join(lines))


def spoken_of(op: OpDef, location: Location) -> str:
    """What a message calls a node: by the function that the user's line calls.

    ``segment_sum (in its scatter_add)`` where that function is made of other operations.
    """
    call = location.call
    if not call or call == op.called:
        return op.called
    # An op with a title is no public function: its name would say nothing.
    return call if op.title else f"{call} (in its {op.name})"


def read_only(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A private copy of `value` that nobody can write to: what attributes may hold."""
    copy = np.array(value, dtype=value.dtype.newbyteorder("="), order="C", copy=True)
    copy.flags.writeable = False
    return copy


def supported(value: np.ndarray[Any, Any]) -> bool:
    """Whether an array's dtype is one that staticgraph computes in."""
    return value.dtype.newbyteorder("=") in dtypes.ANY
