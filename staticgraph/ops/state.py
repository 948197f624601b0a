"""Placeholders, variables, and the ops that watch a run: print and assert.

State lives in sessions, never here: a Variable is a name, a type and an initial value. Its reads
and assigns are ordinary nodes that extraction turns into inputs and outputs of a Function.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import BOOL, DType
from staticgraph.core.graph import Graph, Operation, Tensor, describe, get_default_graph
from staticgraph.core.location import Location, capture
from staticgraph.core.opdef import (
    HOST_CALL,
    LINEAR,
    NOT_DIFFERENTIABLE,
    Attrs,
    Mismatch,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import Dim, Shape, TensorType, compatible, format_shape
from staticgraph.errors import DTypeError, GraphError, RunError, ShapeError
from staticgraph.ops.convert import as_tensor, cast, constant, is_tensor_like
from staticgraph.ops.elementwise import add, subtract


def _declared(types: Types, attrs: Attrs) -> TensorType:
    declared = attrs["type"]
    assert isinstance(declared, TensorType)
    return declared


PLACEHOLDER = register(
    OpDef(
        "placeholder",
        operands=(),
        infer=_declared,
        reference=None,
        role="placeholder",
        attrs=("type",),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="A value that every run must feed.",
    )
)

PLACEHOLDER_WITH_DEFAULT = register(
    OpDef(
        "placeholder_with_default",
        operands=("default",),
        infer=_declared,
        reference=None,
        role="default",
        attrs=("type",),
        vjp=(lambda node, adjoint: adjoint,),
        jvp=LINEAR,
        doc="A value that a run may feed; its operand where it does not.",
    )
)

READ = register(
    OpDef(
        "variable",
        operands=(),
        infer=_declared,
        reference=None,
        role="read",
        attrs=("variable", "type"),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The value of a variable at this point of the run.",
    )
)


def _infer_assign(types: Types, attrs: Attrs) -> TensorType:
    declared: TensorType = attrs["type"]
    name = attrs["variable"]
    if types[0].dtype != declared.dtype:
        raise Mismatch(
            f"variable '{name}' is {dtypes.name(declared.dtype)}, the value "
            f"{dtypes.name(types[0].dtype)}",
            "convert the value with sg.cast",
            error=DTypeError,
        )
    if not compatible(types[0].shape, declared.shape):
        raise Mismatch(
            f"variable '{name}' has shape {format_shape(declared.shape)}, the value "
            f"{format_shape(types[0].shape)}",
            "a variable keeps its shape; reshape or broadcast the value first",
        )
    return types[0]


ASSIGN = register(
    OpDef(
        "assign",
        operands=("value",),
        infer=_infer_assign,
        reference=None,
        role="assign",
        attrs=("variable", "type"),
        vjp=(lambda node, adjoint: adjoint,),
        jvp=LINEAR,
        doc="Its operand, which becomes the value of a variable when the run succeeds.",
    )
)


def check_shape(what: str, shape: Any) -> tuple[Dim, ...] | None:
    """A user's shape as a tuple of int, None or str; raises ShapeError otherwise."""
    if shape is None:
        return None
    if isinstance(shape, int | np.integer | str):
        shape = (shape,)
    if not isinstance(shape, Iterable) or is_tensor_like(shape):
        raise _bad_dim(what, shape)
    dims: list[Dim] = []
    for dim in shape:
        if isinstance(dim, bool) or not (dim is None or isinstance(dim, int | str | np.integer)):
            raise _bad_dim(what, dim)
        if isinstance(dim, str) and not dim.isidentifier():
            raise _bad_dim(what, dim)
        if isinstance(dim, int | np.integer):
            if dim < 0:
                raise _bad_dim(what, dim)
            dim = int(dim)
        dims.append(dim)
    return tuple(dims)


def _bad_dim(what: str, dim: Any) -> ShapeError:
    return ShapeError(
        f"{what}: {dim!r} is no size of an axis\n"
        "  give an int that is not negative, None (unknown), or an identifier such as 'batch' "
        "(equal names, equal sizes)\n"
        f"  at {capture()}"
    )


def _refuse_in_body(what: str, graph: Graph) -> None:
    if graph.outer is not None:
        raise GraphError(
            f"{what}: cannot be made inside {graph.what}\n"
            "  make it before, outside; the body may use it\n"
            f"  at {capture()}"
        )


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor whose value every run must feed.

    dtype   element type
    shape   one entry per axis: an int, None (unknown) or a str (a named unknown: equal names have
            equal sizes in one run). ``shape=None`` leaves even the rank open; ``()`` is a scalar.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (None, 3), name="x")
    >>> sg.Session().run(sg.sum(x), {x: [[1, 2, 3]]})
    np.float32(6.0)
    """
    graph = get_default_graph().innermost
    _refuse_in_body("placeholder", graph)
    wanted = dtypes.as_dtype(dtype)
    symbols = graph.symbolic_shape(check_shape("placeholder", shape))
    return graph.add(PLACEHOLDER, (), {"type": TensorType(wanted, symbols)}, name).out


def placeholder_with_default(value: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor that a run may feed, and that otherwise has `value`.

    shape   the shapes a feed may have; the shape of `value` when not given

    >>> import staticgraph as sg
    >>> rate = sg.placeholder_with_default(0.5, name="rate")
    >>> session = sg.Session()
    >>> session.run(rate), session.run(rate, {rate: 0.25})
    (np.float32(0.5), np.float32(0.25))
    """
    _refuse_in_body("placeholder_with_default", get_default_graph().innermost)
    default = as_tensor(value)
    dims = check_shape("placeholder_with_default", shape)
    symbols = default.type.shape if shape is None else default.graph.symbolic_shape(dims)
    if not compatible(symbols, default.type.shape):
        raise ShapeError(
            f"placeholder_with_default: the default does not have the declared shape\n"
            f"  default {describe(default)}\n"
            f"  shape {format_shape(symbols)}\n"
            f"  at {capture()}"
        )
    attrs = {"type": TensorType(default.dtype, symbols)}
    return default.graph.add(PLACEHOLDER_WITH_DEFAULT, (default,), attrs, name).out


class Variable:
    """A value that a session keeps from run to run.

    initial_value   an array, a number, a list, a Tensor (computed when a session first needs the
                    variable), or a function without arguments that returns one of these
    dtype           element type; by default that of the initial value
    name            made unique in the graph
    trainable       whether optimizers update it when they are not told what to update

    In expressions a Variable stands for its value: at the start of the run, or after the assigns
    that the expression is ordered behind. Raises DTypeError for values that are not numeric.

    >>> import staticgraph as sg
    >>> w = sg.Variable([1.0, 2.0], name="w")
    >>> session = sg.Session()
    >>> session.run(w.assign_add([1.0, 1.0]))
    array([2., 3.], dtype=float32)
    >>> session.run(w)
    array([2., 3.], dtype=float32)
    """

    def __init__(
        self,
        initial_value: Any,
        dtype: Any = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        graph = get_default_graph().innermost
        _refuse_in_body("Variable", graph)
        # An initial value is computed once, in a run of its own: it waits for nothing.
        with graph.no_control_dependencies():
            if callable(initial_value) and not is_tensor_like(initial_value):
                initial_value = initial_value()
            value = self._initial(initial_value, dtype)
        if value.graph is not graph:
            raise GraphError(
                "Variable: the initial value belongs to another graph\n"
                f"  {describe(value)}\n"
                "  make the variable in the graph of its initial value\n"
                f"  at {capture()}"
            )
        self.graph: Graph = graph
        self.initial_value: Tensor = value
        self.trainable: bool = trainable
        self.type: TensorType = value.type
        # The node of the first read also reserves the variable's name.
        attrs: dict[str, Any] = {"type": value.type, "variable": ""}
        scoped = graph.scope + (name or "variable")
        attrs["variable"] = graph.next_name(scoped)
        with graph.no_control_dependencies():
            self._read = graph.add(READ, (), attrs, name or "variable").out
        self.name: str = self._read.node.name
        self.location: Location = self._read.node.location
        graph.variables[self.name] = self

    @staticmethod
    def _initial(initial_value: Any, dtype: Any) -> Tensor:
        if is_tensor_like(initial_value):
            value = as_tensor(initial_value)
            return value if dtype is None else cast(value, dtype)
        return constant(initial_value, dtype, name="initial_value")

    @property
    def dtype(self) -> DType:
        """Element type, as a NumPy dtype."""
        return self.type.dtype

    @property
    def shape(self) -> Shape:
        """Sizes as far as known."""
        return self._read.shape

    @property
    def ndim(self) -> int | None:
        """Number of axes, or None when unknown."""
        return self.type.ndim

    @property
    def size(self) -> int | None:
        """Number of elements, or None when unknown."""
        return self.type.size

    @property
    def value(self) -> Tensor:
        """The tensor of the variable's value at the start of a run."""
        return self._read

    def read(self, name: str | None = None) -> Tensor:
        """The value at this point: after the assigns of the current control dependencies."""
        attrs = self._read.node.attrs
        return self.graph.add(READ, (), attrs, name or "read").out

    def __staticgraph_tensor__(self) -> Tensor:
        if self.graph.controls or self.graph.inner is not None:
            # Made now, so that it sees the assigns before it, in this body or in the graph.
            return self.read()
        return self._read

    def assign(self, value: Any, name: str | None = None) -> Tensor:
        """The new value, which the session keeps if the run succeeds.

        The value must have the variable's dtype (Python numbers convert) and shape. Raises
        DTypeError or ShapeError otherwise.
        """
        operand = self._operand(value)
        node = self.graph.add(ASSIGN, (operand,), self._read.node.attrs, name or "assign")
        node.graph.assigned[self.name] = None
        return node.out

    def assign_add(self, value: Any, name: str | None = None) -> Tensor:
        """Adds `value`; otherwise as `assign`."""
        return self.assign(self._updated(add, value), name or "assign_add")

    def assign_sub(self, value: Any, name: str | None = None) -> Tensor:
        """Subtracts `value`; otherwise as `assign`."""
        return self.assign(self._updated(subtract, value), name or "assign_sub")

    def _updated(self, op: Callable[..., Tensor], value: Any) -> Tensor:
        return op(self.__staticgraph_tensor__(), self._operand(value))

    def _operand(self, value: Any) -> Tensor:
        if is_tensor_like(value):
            return as_tensor(value)
        with self.graph.as_default():
            return constant(value, self.dtype)

    def __repr__(self) -> str:
        return f"<Variable '{self.name}' {self.type}>"

    __hash__ = object.__hash__


# -- ops that watch a run ---------------------------------------------------------------------


def _infer_first(types: Types, attrs: Attrs) -> TensorType:
    return types[0]


def _reference_print(x: Any, *, message: str) -> Any:
    builtins.print(f"{message}{np.array2string(np.asarray(x))}", flush=True)
    return x


PRINT = register(
    OpDef(
        "print",
        operands=("x",),
        infer=_infer_first,
        reference=_reference_print,
        attrs=("message",),
        effect=True,
        native=HOST_CALL,
        vjp=(lambda node, adjoint: adjoint,),
        jvp=lambda node, tangents: tangents[0],  # type: ignore[arg-type, return-value]
        doc="Its operand, whose value is printed when the run computes it.",
    )
)


def print(x: Any, message: str = "", *, name: str | None = None) -> Tensor:
    """`x` itself; its value is printed to standard output, after `message`, in every run that
    computes the result.

    Use the result in place of `x`, or fetch it, or name it in `control_dependencies`: a node that
    no fetch needs does not run.

    >>> import staticgraph as sg
    >>> x = sg.print(sg.constant([1.0, 2.0]), "x is ")
    >>> sg.Session().run(x * 10)
    x is [1. 2.]
    array([10., 20.], dtype=float32)
    """
    tensor = as_tensor(x)
    return tensor.graph.add(PRINT, (tensor,), {"message": message}, name).out


def _infer_assert(types: Types, attrs: Attrs) -> Types:
    return ()


def _reference_assert(condition: Any, *data: Any, message: str) -> tuple[()]:
    if np.all(condition):
        return ()
    shown = [f"data[{i}] is {np.array2string(np.asarray(d))}" for i, d in enumerate(data)]
    raise Mismatch(message, *shown, error=RunError)


ASSERT = register(
    OpDef(
        "assert",
        operands=("condition", "data*"),
        infer=_infer_assert,
        reference=_reference_assert,
        attrs=("message",),
        dtypes=(BOOL, dtypes.ANY),
        effect=True,
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="Fails the run unless all elements of its first operand hold.",
        title="assert_true",
    )
)


def assert_true(
    condition: Any, message: str = "assertion failed", data: Sequence[Any] = (),
    *, name: str | None = None,
) -> Operation:  # fmt: skip
    """An Operation that fails the run with a RunError unless all of `condition` holds.

    The error shows `message` and the values of `data`; no variable changes. Name the Operation
    in `control_dependencies` or fetch it: one that no fetch needs does not run.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (), name="x")
    >>> with sg.control_dependencies([sg.assert_true(x > 0, "x must be positive", [x])]):
    ...     root = sg.sqrt(x)
    >>> sg.Session().run(root, {x: 4.0})
    np.float32(2.0)
    """
    tensor = as_tensor(condition)
    if tensor.dtype != dtypes.bool_:
        raise DTypeError(
            f"assert_true: the condition is {dtypes.name(tensor.dtype)}, not bool\n"
            f"  condition {describe(tensor)}\n"
            "  compare it with something: assert_true(x > 0)\n"
            f"  at {capture()}"
        )
    operands = (tensor, *[as_tensor(item) for item in data])
    return tensor.graph.add(ASSERT, operands, {"message": message}, name)
