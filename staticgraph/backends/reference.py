"""The reference backend: interprets a Function with the ops' own meaning in NumPy.

It is the oracle that machine code is compared with, so it is written to be plainly right: one
node after the other, in order. Constants are placed once; a value is dropped after its last use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from staticgraph import config
from staticgraph.backends.memory import out_of_memory, refused_array
from staticgraph.core import dtypes
from staticgraph.core.function import Function
from staticgraph.core.graph import describe, describe_mismatch, spoken_of
from staticgraph.core.node import Node, Value
from staticgraph.core.opdef import Mismatch
from staticgraph.core.types import compatible, format_shape
from staticgraph.errors import (
    CompilerError,
    NumericsError,
    RunError,
    ShapeError,
    StaticGraphError,
)

Array = np.ndarray[Any, Any]
Step = tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...], tuple[int, ...], Node]


class ReferenceExecutable:
    """A Function ready to be called with arrays, as often as wanted and from any thread."""

    def __init__(self, function: Function, check_numerics: bool = False) -> None:
        self.function = function
        self.check_numerics = check_numerics
        self.checking = config.check_enabled()
        self._slots: dict[Value, int] = {}
        self._template: list[Any] = []
        for value in function.inputs:
            self._slot(value)
        self._steps: list[Step] = []
        self._prepare()
        self._outputs = [self._slots[value] for value in function.outputs]

    def _slot(self, value: Value, content: Any = None) -> int:
        slot = self._slots[value] = len(self._template)
        self._template.append(content)
        return slot

    def _prepare(self) -> None:
        last_use = self._last_uses()
        for position, node in enumerate(self.function.nodes):
            if node.op.reference is None:
                raise CompilerError(f"op '{node.op.name}' has no reference meaning")
            if not node.inputs and "value" in node.attrs and not node.op.effect:
                self._slot(node.out, node.attrs["value"])
                continue
            call = node.op.reference
            if node.attrs:
                call = partial(call, **callable_attrs(node, check_numerics=self.check_numerics))
            operands = tuple([self._slots[value] for value in node.inputs])
            results = tuple([self._slot(value) for value in node.outputs])
            dropped = tuple([self._slots[value] for value in last_use.get(position, ())])
            self._steps.append((call, operands, results, dropped, node))

    def _last_uses(self) -> dict[int, list[Value]]:
        """Per node position: the values that nothing after it needs."""
        last: dict[Value, int] = {}
        for position, node in enumerate(self.function.nodes):
            for value in (*node.inputs, *node.outputs):
                last[value] = position
        kept = set(self.function.outputs)
        dropped: dict[int, list[Value]] = {}
        for value, position in last.items():
            is_literal = not value.node.inputs and "value" in value.node.attrs
            if value not in kept and not is_literal:
                dropped.setdefault(position, []).append(value)
        return dropped

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """The outputs for these inputs, in order; arrays may alias inputs and constants."""
        with np.errstate(all="ignore"):
            return self.run(inputs)

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """A call inside a call: the body of a loop, where floating-point warnings are off."""
        env = self._template.copy()
        env[: len(inputs)] = inputs
        watched = self.check_numerics or self.checking
        node: Node | None = None
        operands: list[Any] = []
        try:
            for call, taken, given, dropped, node in self._steps:
                operands = [env[slot] for slot in taken]
                result = call(*operands)
                if len(given) == 1:
                    env[given[0]] = result
                else:
                    for slot, item in zip(given, result, strict=True):
                        env[slot] = item
                if watched:
                    self._inspect(node, operands, [env[slot] for slot in given], self.checking)
                for slot in dropped:
                    env[slot] = None
        except StaticGraphError:
            raise
        except Exception as problem:
            assert node is not None
            if out_of_memory(problem):
                raise refused_array(problem, *_result_met(node, operands)) from problem
            raise explain_failure(node, operands, problem) from problem
        return [env[slot] for slot in self._outputs]

    def _inspect(self, node: Node, operands: list[Any], results: list[Any], checking: bool) -> None:
        for value, result in zip(node.outputs, results, strict=True):
            if checking:
                _check_result(node, value, result)
            if self.check_numerics and value.type.dtype in dtypes.DIFFERENTIABLE:
                _check_finite(node, operands, result)


class Body:
    """A Function in an attribute, as the reference meaning of its op calls it."""

    __slots__ = ("call", "function")

    def __init__(self, function: Function, check_numerics: bool) -> None:
        self.function = function
        self.call = ReferenceExecutable(function, check_numerics).run

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """The results of the Function, in order."""
        return self.call(inputs)


def callable_attrs(node: Node, check_numerics: bool = False) -> dict[str, Any]:
    """A node's attributes with its Functions made callable."""

    def prepared(value: Any) -> Any:
        if isinstance(value, Function):
            return Body(value, check_numerics)
        if type(value) is tuple and any(isinstance(item, Function) for item in value):
            return tuple([prepared(item) for item in value])
        return value

    return {name: prepared(value) for name, value in node.attrs.items()}


def evaluate(node: Node, operands: Sequence[Any]) -> list[Array]:
    """The results of one node on known operands; constant folding is handed this."""
    assert node.op.reference is not None
    with np.errstate(all="ignore"):
        result = node.op.reference(*operands, **callable_attrs(node))
    if len(node.outputs) == 1:
        return [np.asarray(result)]
    return [np.asarray(item) for item in result]


def _check_result(node: Node, value: Value, result: Any) -> None:
    array = np.asarray(result)
    if array.dtype != value.type.dtype or not compatible(array.shape, value.type.shape):
        raise CompilerError(
            f"{node.op.name}: the reference made {array.dtype}{list(array.shape)} for "
            f"'{value.name}' {value.type}\n  this is a bug in staticgraph"
        )


def _check_finite(node: Node, operands: list[Any], result: Any) -> None:
    finite = np.isfinite(result)
    if np.all(finite):
        return
    for operand in operands:
        array = np.asarray(operand)
        if array.dtype in dtypes.DIFFERENTIABLE and not np.all(np.isfinite(array)):
            return
    array = np.asarray(result)
    nans = int(np.isnan(array).sum())
    infinities = int(np.isinf(array).sum())
    first = [int(i) for i in np.argwhere(~np.asarray(finite))[0]]
    what = spoken_of(node.op, node.location)
    lines = [f"{what}: made {_counted(nans, infinities)} from finite operands"]
    for index, operand in enumerate(node.inputs):
        lines.append(f"  {node.op.operand_name(index)} {describe(operand)}")
    if array.ndim == 0:
        lines.append(f"  '{node.out.name}' is {array}")
    else:
        lines.append(
            f"  '{node.out.name}' has {array.size} elements; the first that is not finite is "
            f"{array[tuple(first)]} at {first}"
        )
    if node.op.elementwise:
        lines.append(f"  there the operands are {_operands_at(operands, first, array.shape)}")
    lines.append("  guard the operand, for example with sg.where or sg.clip")
    lines.append(f"  created at {node.location}")
    raise NumericsError("\n".join(lines))


def _counted(nans: int, infinities: int) -> str:
    parts = []
    if nans:
        parts.append(f"{nans} NaN")
    if infinities:
        parts.append(f"{infinities} inf")
    return " and ".join(parts)


def _operands_at(operands: list[Any], index: list[int], shape: tuple[int, ...]) -> str:
    return ", ".join(
        str(np.broadcast_to(np.asarray(operand), shape)[tuple(index)]) for operand in operands
    )


def _result_met(node: Node, operands: list[Any]) -> tuple[Any, ...]:
    """The shape and dtype of a result that was not made, where operands alone give the shape.

    The reference makes arrays on the way that machine code does not; the result both would make.
    """
    if operands and node.op.operand_name(len(operands) - 1).startswith("sizes"):
        return tuple(operands[-1].tolist()), node.out.type.dtype
    if node.op.elementwise:
        return np.broadcast_shapes(*[np.shape(x) for x in operands]), node.out.type.dtype
    return ()


def _met(label: str, operand: Any) -> str:
    """What an operand was in a run: its shape, or its elements where they are sizes."""
    if label.startswith("sizes") and np.size(operand) <= 8:
        return f"{label} = {np.asarray(operand).tolist()}"
    return f"{label} {format_shape(np.shape(operand))}"


def explain_failure(node: Node, operands: Sequence[Any], problem: Exception) -> StaticGraphError:
    """The error of a node that failed in a run: what was known before, and the sizes it met."""
    told = node.location.explain and node.location.explain(node, operands, problem)
    if told:
        return describe_mismatch(node.op, node.inputs, told, node.location)
    if isinstance(problem, Mismatch):
        return describe_mismatch(node.op, node.inputs, problem, node.location)
    shapes = ", ".join(_met(node.op.operand_name(i), each) for i, each in enumerate(operands))
    if isinstance(problem, IndexError):
        mismatch = Mismatch("an index is out of range", str(problem), error=RunError)
    elif isinstance(problem, ValueError):
        mismatch = Mismatch(
            "shapes do not fit in this run", f"in this run: {shapes}", error=ShapeError
        )
    else:
        mismatch = Mismatch(
            f"failed with {type(problem).__name__}: {problem}",
            f"in this run: {shapes}",
            "this is a bug in staticgraph",
            error=CompilerError,
        )
    return describe_mismatch(node.op, node.inputs, mismatch, node.location)
