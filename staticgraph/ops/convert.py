"""Constants, and the way from what users write (numbers, lists, arrays, variables) to tensors.

Python scalars and lists of them are weakly typed: beside a tensor they take its dtype, as in
NumPy 2. NumPy arrays and scalars keep theirs and promote. An object with a method
``__staticgraph_tensor__`` stands for the tensor that the method returns (a Variable does).
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.graph import Graph, Tensor, get_default_graph, read_only
from staticgraph.core.location import capture
from staticgraph.core.opdef import (
    NO_ATTRS,
    NOT_DIFFERENTIABLE,
    Attrs,
    Mismatch,
    OpDef,
    Types,
    get,
    register,
)
from staticgraph.core.types import TensorType
from staticgraph.errors import DTypeError, GraphError

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

# From wide to narrow.
_SCALARS = (complex, float, int, bool)


def _infer_constant(types: Types, attrs: Attrs) -> TensorType:
    value = attrs["value"]
    return TensorType(value.dtype, value.shape)


CONSTANT = register(
    OpDef(
        "constant",
        operands=(),
        infer=_infer_constant,
        reference=lambda *, value: value,
        attrs=("value",),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="A value that is known when the graph is built.",
    )
)


def constant(value: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """A tensor whose value is known now.

    value   a number, a (nested) list of numbers, or an array
    dtype   the element type; by default an array keeps its own, Python floats are float32, Python
            complex numbers complex64, Python ints int64 and Python bools bool

    Raises DTypeError for values that are not numeric, or that `dtype` cannot hold exactly in kind.

    >>> import staticgraph as sg
    >>> sg.constant([1.0, 2.0]).dtype
    dtype('float32')
    """
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    return _constant(get_default_graph(), _as_array(value, wanted), name)


def _constant(graph: Graph, array: np.ndarray[Any, Any], name: str | None = None) -> Tensor:
    return graph.add(CONSTANT, (), {"value": read_only(array)}, name).outputs[0]


def as_tensor(value: Any, graph: Graph | None = None) -> Tensor:
    """`value` as a tensor: itself, the tensor it stands for, or a new constant."""
    if isinstance(value, Tensor):
        return value
    stands_for = getattr(value, "__staticgraph_tensor__", None)
    if stands_for is not None:
        return typing.cast(Tensor, stands_for())
    if graph is None:
        graph = get_default_graph()
    if type(value) in _SCALARS:
        return scalar(graph, value, _DEFAULT_DTYPES[type(value)])
    return _constant(graph, _as_array(value, None))


_DEFAULT_DTYPES: dict[type, DType] = {
    complex: dtypes.complex64,
    float: dtypes.float32,
    int: dtypes.int64,
    bool: dtypes.bool_,
}


def scalar(graph: Graph, value: complex, dtype: DType) -> Tensor:
    """The constant `value` of `dtype`; one node per graph, however often it is written."""
    try:
        # 2, 2.0 and 2+0j are one constant of a complex dtype.
        if dtype in dtypes.COMPLEX:
            value = complex(value)
        elif dtype in dtypes.FLOATING | dtypes.HALF:
            value = float(value)  # type: ignore[arg-type]
        known = graph.scalar_key(dtype, value)
        if known is not None:
            return known
        array = np.array(value, dtype=dtype)
    except (OverflowError, TypeError):
        raise _does_not_fit(value, dtype) from None
    # A literal waits for nothing: the node serves the whole graph, also outside the block of
    # control dependencies in which it was first written.
    with graph.no_control_dependencies():
        return graph.keep_scalar(value, _constant(graph, array))


def _as_array(value: Any, dtype: DType | None) -> np.ndarray[Any, Any]:
    """A NumPy array of a supported dtype, by the rules of `constant`."""
    weak = _is_weak(value)
    try:
        array = np.asarray(value)
    except GraphError:
        # What a tensor raises when NumPy asks for its value.
        raise _holds_tensors() from None
    except (ValueError, TypeError, OverflowError) as problem:
        raise _no_value(value, str(problem)) from None
    if array.dtype.kind not in "biufc" and array.dtype != dtypes.bfloat16:
        if _holds_tensor(value):
            raise _holds_tensors()
        if weak:
            raise _does_not_fit(value, dtypes.int64 if dtype is None else dtype)
        raise _no_value(value, f"its dtype is {array.dtype}")
    if dtype is not None:
        if not weak and not np.can_cast(array.dtype, dtype, "same_kind"):
            raise DTypeError(
                f"constant: {array.dtype} does not become {dtypes.name(dtype)} without loss\n"
                f"  value {_shown(value)}\n"
                f"  convert it yourself: value.astype('{dtypes.name(dtype)}')\n"
                f"  at {capture()}"
            )
        return _checked_cast(array, dtype, value)
    if weak and array.dtype in (dtypes.float64, dtypes.complex128):
        default = _DEFAULT_DTYPES[type(array.dtype.type(0).item())]
        with np.errstate(over="ignore"):
            converted = array.astype(default)
        if not np.array_equal(np.isfinite(converted), np.isfinite(array)):
            # Nobody asked for the default, so it makes no infinity of a number.
            raise _does_not_fit(value, default)
        return converted
    if array.dtype.newbyteorder("=") not in dtypes.ANY:
        raise _no_value(value, f"its dtype is {array.dtype}")
    return array


def _checked_cast(array: np.ndarray[Any, Any], dtype: DType, value: Any) -> np.ndarray[Any, Any]:
    if array.dtype.kind == "c" and dtype not in dtypes.COMPLEX:
        raise _does_not_fit(value, dtype)
    with np.errstate(all="ignore"):
        converted = array.astype(dtype)
    if dtype not in dtypes.DIFFERENTIABLE and not np.array_equal(converted, array):
        raise _does_not_fit(value, dtype)
    return converted


def _is_weak(value: Any) -> bool:
    """Whether `value` is made of Python scalars alone, whose dtype is only a default."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list | tuple):
            stack.extend(item)
        elif type(item) not in _SCALARS:
            return False
    return True


def _holds_tensor(value: Any) -> bool:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Tensor) or hasattr(item, "__staticgraph_tensor__"):
            return True
        if isinstance(item, list | tuple):
            stack.extend(item)
    return False


def _holds_tensors() -> GraphError:
    return GraphError(
        "constant: the value holds tensors, which have no value before a run\n"
        "  use sg.stack([...]) to make one tensor of several\n"
        f"  at {capture()}"
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _does_not_fit(value: Any, dtype: DType) -> DTypeError:
    return DTypeError(
        f"constant: {_shown(value)} does not fit {dtypes.name(dtype)}\n"
        "  give a wider dtype; beside a tensor, convert that with sg.cast first\n"
        f"  at {capture()}"
    )


def _no_value(value: Any, problem: str) -> DTypeError:
    if value is None:
        problem = "a size that only the run knows is None; sg.size(x) and sg.shape(x) are it"
    return DTypeError(
        f"constant: {_shown(value)} is no array of numbers\n"
        f"  {problem}\n"
        f"  staticgraph computes in {dtypes.names(dtypes.ANY)}\n"
        f"  at {capture()}"
    )


def is_tensor_like(value: Any) -> bool:
    """Whether `value` is a tensor or stands for one."""
    return isinstance(value, Tensor) or hasattr(value, "__staticgraph_tensor__")


def in_one_graph(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """The function, whose plain arguments become constants of the graph of its tensors.

    For what is made of several ops: a list that comes first must not put the first of them into
    another graph than that of the tensor which comes later. `promote` does as much for one op.
    """

    @functools.wraps(function)
    def _called(*given: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        graph = graph_among(given) or graph_among(named.values())
        if graph is None or graph is get_default_graph():
            return function(*given, **named)
        with graph.as_default():
            return function(*given, **named)

    return _called


def graph_among(values: Iterable[Any]) -> Graph | None:
    """The graph of the first tensor or variable; the outermost one, of which a body is part."""
    for value in values:
        if isinstance(value, list | tuple):
            graph = graph_among(value)
        elif isinstance(value, Tensor):
            graph = value.node.graph
        elif hasattr(value, "__staticgraph_tensor__"):
            # To ask for the tensor itself might make a node.
            graph = getattr(value, "graph", None)
        else:
            continue
        if graph is not None:
            while graph.outer is not None:
                graph = graph.outer
            return graph
    return None


def promote(
    values: Sequence[Any], floating: bool = False, beside: DType | None = None
) -> list[Tensor]:
    """Operands of one op as tensors of one dtype, by NumPy 2's promotion.

    With `floating`, integers and bools are computed in floating point. `beside` is a dtype that
    takes part like that of one more operand: Python numbers keep the digits that it holds.
    """
    graph: Graph | None = None
    strong = beside
    items: list[Any] = []
    for value in values:
        if is_tensor_like(value):
            value = as_tensor(value)
            graph = graph or value.node.graph
        elif not _is_weak(value):
            value = _as_array(value, None)
        items.append(value)
        if isinstance(value, Tensor | np.ndarray):
            dtype = value.dtype
            strong = dtype if strong is None else dtypes.promote(strong, dtype)
    kinds = [_kind(item) for item in items if not isinstance(item, Tensor | np.ndarray)]
    if strong is None:
        # The widest kind decides, so that 1 beside 2.5 is no float64.
        result = _DEFAULT_DTYPES[min(kinds, key=_SCALARS.index)]
    else:
        result = strong
        for kind in kinds:
            result = dtypes.promote_weak(result, kind)
    if floating:
        result = dtypes.to_floating(result)
    graph = graph or get_default_graph()
    return [_operand(graph, item, result) for item in items]


def _kind(value: Any) -> Any:
    """The Python type, among _SCALARS, that a weak value is of."""
    if type(value) in _SCALARS:
        return type(value)
    return type(np.asarray(value).dtype.type(0).item())


def _operand(graph: Graph, item: Any, dtype: DType) -> Tensor:
    if isinstance(item, Tensor):
        return item if item.type.dtype == dtype else cast(item, dtype)
    if type(item) in _SCALARS:
        return scalar(graph, item, dtype)
    return _constant(graph, _checked_cast(np.asarray(item), dtype, item))


def constant_value(value: Any) -> np.ndarray[Any, Any] | None:
    """The value of a constant tensor or value of a Function, or None."""
    node = value.node
    return typing.cast("np.ndarray[Any, Any]", node.attrs["value"]) if node.op is CONSTANT else None


def known_value(x: Tensor) -> np.ndarray[Any, Any] | None:
    """The value of a tensor that is known now, also behind casts: as it was before them."""
    while x.node.op is CAST:
        x = x.node.inputs[0]
    return constant_value(x)


def scalar_value(value: Any) -> Any:
    """The Python number that a constant with one element holds, or None."""
    array = constant_value(value)
    if array is None or array.size != 1:
        return None
    return array.item()


def _infer_cast(types: Types, attrs: Attrs) -> TensorType:
    have, wanted = types[0].dtype, attrs["dtype"]
    if have in dtypes.COMPLEX and wanted in dtypes.NUMERIC | dtypes.HALF:
        raise Mismatch(
            f"{dtypes.name(have)} does not become {dtypes.name(wanted)}: the imaginary part would "
            "be lost",
            "say which number is meant: sg.real(x), sg.imag(x), sg.abs(x) or sg.angle(x)",
            error=DTypeError,
        )
    return types[0].with_dtype(wanted)


def _reference_cast(x: Any, *, dtype: DType) -> Any:
    return np.asarray(x).astype(dtype)


def _vjp_cast(node: Any, adjoint: Tensor) -> Tensor:
    wanted = node.inputs[0].dtype
    if adjoint.type.dtype in dtypes.COMPLEX and wanted in dtypes.FLOATING | dtypes.HALF:
        # A real number moves along the real axis only.
        adjoint = adjoint.node.graph.add(get("real"), (adjoint,), NO_ATTRS).outputs[0]
    return cast(adjoint, wanted)


CAST = register(
    OpDef(
        "cast",
        operands=("x",),
        infer=_infer_cast,
        reference=_reference_cast,
        attrs=("dtype",),
        elementwise=True,
        emit=lambda s, x, *, dtype: s.cast(x, dtype),
        linear=True,
        vjp=(_vjp_cast,),
        jvp=lambda node, tangents: cast(typing.cast(Tensor, tangents[0]), node.out.dtype),
        doc="Converts elements to another dtype, as `numpy.ndarray.astype` does. Of a real number "
        "the imaginary part is 0; a complex one becomes no real one.",
    )
)


def cast(x: Any, dtype: Any, name: str | None = None) -> Tensor:
    """`x` with its elements converted to `dtype`.

    Floats are truncated toward zero on the way to integers. A complex number becomes true where it
    is not 0, and no real number: DTypeError, `real` and `abs` say which one is meant. Gradients
    flow between floating and complex dtypes only.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.cast(sg.constant([1.7, -1.7]), "int32"))
    array([ 1, -1], dtype=int32)
    """
    tensor = as_tensor(x)
    wanted = dtypes.as_dtype(dtype)
    if tensor.type.dtype == wanted:
        return tensor
    return tensor.node.graph.add(CAST, (tensor,), {"dtype": wanted}, name).outputs[0]


def real_floating(x: Tensor) -> Tensor:
    """`x` if it is of real floats; else in float64, in which NumPy computes with integers."""
    return x if x.dtype in dtypes.REAL_FLOATING else cast(x, dtypes.float64)
