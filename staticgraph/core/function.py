"""Function: a closed, immutable, topologically ordered program. The compiler works on nothing else.

Invariants: every operand of a node is an input of the Function or a result of an earlier node; a
Function is pure (variables are inputs, their new values are outputs) save for nodes whose op has
`effect`, which keep their order and are never removed; bodies of loops and branches are Functions
held in attributes. Two Functions are equal when they do the same: names of nodes and lines of the
user do not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from staticgraph.core.location import UNKNOWN, Location
from staticgraph.core.node import Node, Value
from staticgraph.core.opdef import (
    NOT_DIFFERENTIABLE,
    Attrs,
    Mismatch,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import TensorType

# Constants above this many bytes are compared by digest, so that keys stay small.
_DIGEST_ABOVE = 1 << 14


class Report(Protocol):
    """What the pipeline did to make a Function (passes/report.py)."""

    def __str__(self) -> str: ...


def _infer_parameter(types: Types, attrs: Attrs) -> TensorType:
    declared = attrs["type"]
    if not isinstance(declared, TensorType):
        raise Mismatch("has no type")
    return declared


PARAMETER = register(
    OpDef(
        "parameter",
        operands=(),
        infer=_infer_parameter,
        reference=None,
        role="parameter",
        attrs=("kind", "type"),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="An input of a Function: a feed, a variable, or the key of the run.",
    )
)


def parameter(name: str, type: TensorType, kind: str, location: Location = UNKNOWN) -> Value:
    """A new Function input. `kind` is ``feed``, ``variable``, ``key`` or ``capture``."""
    return Node(PARAMETER, (), {"kind": kind, "type": type}, (type,), name, location).out


class Function:
    """A program from inputs to outputs.

    inputs          values of `parameter` nodes
    nodes           the nodes in topological order, parameters not among them
    outputs         what the Function returns; a value may be returned twice
    output_names    one name per output
    report          what the pipeline did, on a Function that went through it

    `staticgraph.extract` and `staticgraph.optimize` make Functions of fetches.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (), name="x")
    >>> function = sg.extract(x * x + 1.0)
    >>> [node.op.name for node in function.nodes], function.count("multiply")
    (['multiply', 'constant', 'add'], 1)
    """

    __slots__ = ("_key", "inputs", "name", "nodes", "output_names", "outputs", "report")

    def __init__(
        self,
        inputs: Sequence[Value],
        nodes: Sequence[Node],
        outputs: Sequence[Value],
        output_names: Sequence[str] | None = None,
        name: str = "main",
        report: Report | None = None,
    ) -> None:
        self.inputs = tuple(inputs)
        self.nodes = tuple(nodes)
        self.outputs = tuple(outputs)
        if output_names is None:
            output_names = [value.name for value in self.outputs]
        self.output_names = tuple(output_names)
        self.name = name
        self.report = report
        self._key: tuple[Any, ...] | None = None

    def count(self, op_name: str) -> int:
        """How many nodes apply the op called `op_name`, those in bodies included."""
        own = sum(1 for node in self.nodes if node.op.name == op_name)
        return own + sum(body.count(op_name) for body in self.bodies())

    def bodies(self) -> Iterator[Function]:
        """The Functions held directly in the attributes of the nodes."""
        for node in self.nodes:
            if node.attrs:
                for value in node.attrs.values():
                    yield from functions_in(value)

    def replace(
        self,
        nodes: Sequence[Node],
        outputs: Sequence[Value],
        report: Report | None = None,
    ) -> Function:
        """The same inputs and names with another body."""
        return Function(self.inputs, nodes, outputs, self.output_names, self.name, report)

    def with_report(self, report: Report) -> Function:
        """The same program carrying a report."""
        return self.replace(self.nodes, self.outputs, report)

    @property
    def key(self) -> tuple[Any, ...]:
        """A hashable description of what the Function does; equal Functions have equal keys."""
        if self._key is None:
            self._key = self._structure()
        return self._key

    def _structure(self) -> tuple[Any, ...]:
        number: dict[Value, int] = {}
        for value in self.inputs:
            number[value] = len(number)
        rows: list[Any] = []
        for node in self.nodes:
            rows.append(
                (
                    node.op.name,
                    tuple([number[value] for value in node.inputs]),
                    attrs_key(node.attrs),
                    tuple([value.type for value in node.outputs]),
                )
            )
            for value in node.outputs:
                number[value] = len(number)
        inputs = tuple([(v.node.attrs["kind"], v.name, v.type) for v in self.inputs])
        return (
            self.name,
            inputs,
            tuple(rows),
            tuple([number[value] for value in self.outputs]),
            self.output_names,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Function) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __len__(self) -> int:
        return len(self.nodes)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return (
            f"<Function '{self.name}': {len(self.inputs)} inputs, {len(self.nodes)} nodes, "
            f"{len(self.outputs)} outputs>"
        )


def functions_in(value: Any) -> Iterator[Function]:
    """The Functions in one attribute value."""
    if isinstance(value, Function):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from functions_in(item)


def has_effect(node: Node) -> bool:
    """Whether running the node shows: its op has an effect, or a node in one of its bodies has."""
    if node.op.effect or not node.attrs:
        return node.op.effect
    stack = [body for value in node.attrs.values() for body in functions_in(value)]
    while stack:
        body = stack.pop()
        if any(inner.op.effect for inner in body.nodes):
            return True
        stack.extend(body.bodies())
    return False


def attrs_key(attrs: Attrs) -> tuple[Any, ...]:
    """A hashable key of attributes; arrays count by dtype, shape and bytes (-0.0 is not 0.0)."""
    if not attrs:
        return ()
    return tuple([(name, attr_key(attrs[name])) for name in sorted(attrs)])


def attr_key(value: Any) -> Any:
    """A hashable key of one attribute value: values of different Python types never share one."""
    if isinstance(value, np.ndarray):
        data = value.tobytes()
        if len(data) > _DIGEST_ABOVE:
            data = hashlib.blake2b(data, digest_size=32).digest()
        return ("array", value.dtype.str, value.shape, data)
    if isinstance(value, float):
        # The representation tells -0.0 from 0.0 and lets NaN equal itself.
        return ("float", float.__repr__(value))
    if isinstance(value, TensorType):
        return ("type", value)
    if isinstance(value, tuple):
        return ("tuple", tuple([attr_key(item) for item in value]))
    if isinstance(value, Function):
        return ("function", value.key)
    return (type(value).__name__, value)
