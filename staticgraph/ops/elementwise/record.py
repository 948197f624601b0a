"""How the record of an elementwise op makes its public function.

Operands broadcast by NumPy's rule and promote to one dtype; ops of floating dtypes compute integers
in floating point.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

from staticgraph.core.dtypes import FLOATING, INEXACT, DType, bool_
from staticgraph.core.elements import Emit
from staticgraph.core.graph import Tensor
from staticgraph.core.opdef import (
    DIAGONAL,
    NO_ATTRS,
    Attrs,
    JvpRule,
    Marker,
    Mismatch,
    OpDef,
    OperandVjp,
    Types,
    register,
)
from staticgraph.core.types import BroadcastError, Shape, TensorType, broadcast_many, format_dim
from staticgraph.errors import DTypeError, GraphError
from staticgraph.ops.convert import as_tensor, promote, scalar
from staticgraph.ops.elementwise.docs import docstring
from staticgraph.ops.sizes import refusal

_NUMBERS = (float, int)

# Dtypes that a public function takes beside those of its op, and the function that it is for them.
Instead = tuple[frozenset[DType], Callable[..., Tensor]]


class ElementwiseFunction(Protocol):
    """A public function made from a record, which it carries as `op`."""

    op: OpDef
    __name__: str

    def __call__(self, *operands: Any, name: str | None = None) -> Tensor:
        """The result of the op on `operands`."""
        ...


def broadcast_types(types: Types) -> Shape:
    """The broadcast shape of operands; raises Mismatch with the axis that does not fit."""
    try:
        return broadcast_many(tuple([type.shape for type in types]))
    except BroadcastError as problem:
        detail = (
            f"axis {problem.axis}: {format_dim(problem.lhs)} and {format_dim(problem.rhs)} "
            "must be equal, or one of them 1"
        )
        raise Mismatch("shapes do not broadcast", detail) from None


def _same_dtype(types: Types) -> DType:
    first = types[0].dtype
    if any(type.dtype != first for type in types):
        raise Mismatch(
            "operands differ in dtype", "convert one of them with sg.cast", error=DTypeError
        )
    return first


def infer_same(types: Types, attrs: Attrs) -> TensorType:
    """The result type of an op whose operands and result have one dtype."""
    return TensorType(_same_dtype(types), broadcast_types(types))


def infer_bool(types: Types, attrs: Attrs) -> TensorType:
    """The result type of an op that compares or combines operands of one dtype."""
    _same_dtype(types)
    return TensorType(bool_, broadcast_types(types))


def infer_where(types: Types, attrs: Attrs) -> TensorType:
    """The result type of an op that chooses between its second and third operand."""
    return TensorType(_same_dtype(types[1:]), broadcast_types(types))


def chosen_between(condition: Tensor, x: Any, y: Any) -> list[Tensor]:
    """The operands between which `where` chooses, in one dtype; raises GraphError without both."""
    if x is None or y is None:
        raise refusal(
            "where",
            f"{'x' if x is None else 'y'} is missing, so there is nothing to choose between",
            "sg.nonzero(condition) gives the places where it holds;"
            " sg.where(condition, x, y) chooses elements",
            error=GraphError,
        )
    if isinstance(x, Tensor) or isinstance(y, Tensor):
        return promote((x, y))
    # Operands that are no tensors are constants of the condition's graph.
    with condition.node.graph.as_default():
        return promote((x, y))


def elementwise(
    name: str,
    reference: Callable[..., Any],
    *,
    emit: Emit,
    doc: str,
    vjp: OperandVjp | tuple[OperandVjp | None, ...] | Marker,
    operands: tuple[str, ...] = ("x",),
    dtypes: frozenset[DType] = FLOATING,
    infer: Callable[[Types, Attrs], TensorType] = infer_same,
    commutative: bool = False,
    jvp: Marker | JvpRule | None = None,
    linear: bool = False,
    selects: bool = False,
    by_value: bool = False,
    holomorphic: bool = True,
    instead: Instead | None = None,
) -> ElementwiseFunction:
    """Registers an elementwise op and returns its public function.

    Ops of floating dtypes compute integers in floating point, as NumPy's functions do, save those
    for which `instead` names another function.
    """
    rules = vjp if isinstance(vjp, tuple | Marker) else (vjp,)
    if jvp is None:
        jvp = rules if isinstance(rules, Marker) else DIAGONAL
    op = register(
        OpDef(
            name,
            operands=operands,
            infer=infer,
            reference=reference,
            doc=doc,
            vjp=rules,
            jvp=jvp,
            dtypes=dtypes,
            elementwise=True,
            emit=emit,
            commutative=commutative,
            linear=linear,
            selects=selects,
            by_value=by_value,
            holomorphic=holomorphic,
        )
    )
    make = {1: _unary_function, 2: _binary_function}[len(operands)]
    function: ElementwiseFunction = publish(make(op, instead), op)
    return function


def publish(function: Any, op: OpDef) -> Any:
    """Gives a made function the name, docstring and signature of its record."""
    function.op = op
    function.__name__ = function.__qualname__ = op.name
    # Tracebacks, profilers and the graph's locations read the name of the code.
    function.__code__ = function.__code__.replace(co_name=op.name, co_qualname=op.name)
    function.__doc__ = docstring(op)
    function.__module__ = "staticgraph"
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(operand, kind) for operand in op.operands]
    parameters.append(inspect.Parameter("name", inspect.Parameter.KEYWORD_ONLY, default=None))
    function.__signature__ = inspect.Signature(parameters)
    return function


def _unary_function(op: OpDef, instead: Instead | None = None) -> Callable[..., Tensor]:
    allowed, floating = op.operand_dtypes(0), op.dtypes in (FLOATING, INEXACT)
    others, function_of_others = instead or (frozenset(), None)

    def function(x: Any, *, name: str | None = None) -> Tensor:
        if type(x) is not Tensor:
            x = as_tensor(x)
        if x.type.dtype in others and function_of_others is not None:
            return function_of_others(x, name=name)
        if floating and x.type.dtype not in allowed:
            (x,) = promote((x,), floating=True)
        result: Tensor = x.node.graph.add(op, (x,), NO_ATTRS, name).outputs[0]
        return result

    return function


def _binary_function(op: OpDef, instead: Instead | None = None) -> Callable[..., Tensor]:
    allowed, floating = op.operand_dtypes(0), op.dtypes in (FLOATING, INEXACT)
    others, function_of_others = instead or (frozenset(), None)

    def function(lhs: Any, rhs: Any, *, name: str | None = None) -> Tensor:
        if type(lhs) is Tensor and type(rhs) in _NUMBERS and lhs.type.dtype in INEXACT:
            # The way of most literals, kept short.
            rhs = scalar(lhs.node.graph, rhs, lhs.type.dtype)
        elif not (
            type(lhs) is Tensor
            and type(rhs) is Tensor
            and lhs.type.dtype is rhs.type.dtype
            and lhs.type.dtype in allowed
        ):
            lhs, rhs = promote((lhs, rhs), floating)
            if lhs.type.dtype in others and function_of_others is not None:
                return function_of_others(lhs, rhs, name=name)
        result: Tensor = lhs.node.graph.add(op, (lhs, rhs), NO_ATTRS, name).outputs[0]
        return result

    return function
