"""Python's operators, indexing and methods on tensors and variables, and what they refuse.

They are installed here because core knows no op by name. A tensor has no value before a run, so
whatever asks it for one (``if x:``, ``float(x)``, ``numpy.asarray(x)``) is an error that names the
way out; ``==`` builds a node, while hashing stays by identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor, describe
from staticgraph.core.location import capture
from staticgraph.errors import GraphError
from staticgraph.ops import elementwise as ew
from staticgraph.ops import elementwise_numbers as numbers
from staticgraph.ops import reduction, shaping
from staticgraph.ops.convert import as_tensor, cast_to, is_tensor_like, promote
from staticgraph.ops.joining import unstack
from staticgraph.ops.linalg import matmul
from staticgraph.ops.numpy_functions import array_function, array_ufunc
from staticgraph.ops.state import Variable
from staticgraph.ops.subscript import getitem

Method = Callable[..., Any]

# -- operators --------------------------------------------------------------------------------


def _by_dtype(logical: Method, bitwise: Method) -> Method:
    """An operator that is logical for bools and bitwise for integers."""

    def function(lhs: Any, rhs: Any) -> Tensor:
        operands = promote((lhs, rhs))
        op = logical if operands[0].dtype == dtypes.bool_ else bitwise
        result: Tensor = op(*operands)
        return result

    return function


def _invert(x: Any) -> Tensor:
    tensor = as_tensor(x)
    op = ew.logical_not if tensor.dtype == dtypes.bool_ else ew.bitwise_invert
    return op(tensor)


_BINARY: dict[str, Method] = {
    "add": ew.add,
    "sub": ew.subtract,
    "mul": ew.multiply,
    "truediv": ew.divide,
    "floordiv": ew.floor_divide,
    "mod": ew.remainder,
    "pow": ew.pow,
    "matmul": matmul,
    "and": _by_dtype(ew.logical_and, ew.bitwise_and),
    "or": _by_dtype(ew.logical_or, ew.bitwise_or),
    "xor": _by_dtype(ew.logical_xor, ew.bitwise_xor),
    "lshift": numbers.bitwise_left_shift,
    "rshift": numbers.bitwise_right_shift,
}
_ORDER: dict[str, Method] = {
    "lt": ew.less,
    "le": ew.less_equal,
    "gt": ew.greater,
    "ge": ew.greater_equal,
}
_UNARY: dict[str, Method] = {
    "neg": ew.negative,
    "pos": numbers.positive,
    "abs": ew.abs,
    "invert": _invert,
}


def _reflected(function: Method) -> Method:
    def method(self: Any, other: Any) -> Any:
        return function(other, self)

    return method


def _unary(function: Method) -> Method:
    def method(self: Any) -> Any:
        return function(self)

    return method


def _equality(function: Method) -> Method:
    """``==`` and ``!=``: with what is no number Python falls back on identity."""

    def method(self: Any, other: Any) -> Any:
        if type(other) is not Tensor and not _is_numeric(other):
            return NotImplemented
        return function(self, other)

    return method


def _is_numeric(value: Any) -> bool:
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype in dtypes.ANY
    return isinstance(value, int | float | complex | list | tuple) or is_tensor_like(value)


# -- what needs a value -----------------------------------------------------------------------


def _no_value(what: str, x: Any, problem: str, way_out: str) -> GraphError:
    return GraphError(
        f"{what}: {problem}\n  {describe(as_tensor(x))}\n  {way_out}\n  at {capture()}"
    )


def _bool(self: Any) -> NoReturn:
    raise _no_value(
        "bool",
        self,
        "a tensor is neither true nor false before a run",
        "choose in the graph with sg.where (by element) or sg.cond, repeat with sg.while_loop, or "
        "fetch the tensor and ask its value: session.run(x)",
    )


def _number(kind: str) -> Method:
    def method(self: Any) -> NoReturn:
        raise _no_value(
            kind,
            self,
            "a tensor has no value before a run",
            f"fetch it and convert the value, {kind}(session.run(x)), or stay in the graph: "
            "sg.cast(x, dtype)",
        )

    return method


def _index(self: Any) -> NoReturn:
    raise _no_value(
        "index",
        self,
        "a tensor has no value before a run, so it is no index of a list, array or range",
        "index in the graph, sg.gather(values, i) or tensor[i], loop in the graph, "
        "sg.fori_loop or sg.while_loop, or fetch the tensor: session.run(x)",
    )


def _array(self: Any, dtype: Any = None, copy: Any = None) -> NoReturn:
    raise _no_value(
        "array",
        self,
        "a tensor has no value before a run, so it is no array",
        "fetch it, session.run(x), or use the function of the same name in staticgraph; of "
        "several tensors sg.stack makes one",
    )


def _contains(self: Any, item: Any) -> NoReturn:
    raise _no_value(
        "in",
        self,
        "whether a tensor holds a value is known only in the run",
        "ask in the graph, sg.any(x == value), or fetch the tensor: session.run(x)",
    )


def _set_item(self: Any, key: Any, value: Any) -> NoReturn:
    raise _no_value(
        "setitem",
        self,
        "a tensor does not change",
        "make another: sg.where(mask, value, x), sg.scatter_add(x, indices, updates) or sg.concat",
    )


def _format(self: Any, spec: str) -> str:
    """The text of the tensor itself; a format of numbers needs a value."""
    if not spec:
        return repr(self)
    raise _no_value(
        "format",
        self,
        f"a tensor has no value before a run that '{spec}' could format",
        "fetch it and format the value: session.run(x)",
    )


def _length(self: Any) -> int:
    """The size of axis 0, where the graph knows it."""
    shape = as_tensor(self).type.shape
    if shape and isinstance(shape[0], int):
        return shape[0]
    if shape == ():
        raise _no_value("len", self, "a scalar has no length", "sg.size(x) counts elements")
    raise _no_value(
        "len",
        self,
        "the size of axis 0 is known only in the run",
        "take it as a tensor: sg.size(x, 0)",
    )


def _iterate(self: Any) -> Iterator[Tensor]:
    """The entries along axis 0, where the graph knows how many there are."""
    tensor = as_tensor(self)
    shape = tensor.type.shape
    if shape and isinstance(shape[0], int):
        return iter(unstack(tensor))
    if shape == ():
        raise _no_value(
            "iter",
            self,
            "a scalar has no entries",
            "to repeat something so many times, loop in the graph with sg.fori_loop",
        )
    raise _no_value(
        "iter",
        self,
        "the size of axis 0 is known only in the run",
        "loop in the graph with sg.map_fn or sg.scan, or declare the size",
    )


# -- methods ----------------------------------------------------------------------------------


def _astype(self: Any, dtype: Any) -> Tensor:
    """The elements converted to `dtype`; see `cast`."""
    return cast_to(self, dtype)


def _reshape(self: Any, *shape: Any) -> Tensor:
    """The same elements in another shape; see `reshape`."""
    return shaping.reshape(self, shape[0] if len(shape) == 1 else shape)


def _sum(self: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The sum along `axis`; see `sum`."""
    return reduction.sum(self, axis, keepdims)


def _mean(self: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean along `axis`; see `mean`."""
    return reduction.mean(self, axis, keepdims)


def _max(self: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest element along `axis`; see `max`."""
    return reduction.max(self, axis, keepdims)


def _min(self: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest element along `axis`; see `min`."""
    return reduction.min(self, axis, keepdims)


def _transposed(self: Any) -> Tensor:
    """The tensor with its axes in reverse order."""
    return shaping.permute_dims(self)


def _matrix_transposed(self: Any) -> Tensor:
    """The tensor with its last two axes exchanged."""
    return shaping.matrix_transpose(self)


_MEMBERS: dict[str, Any] = {
    "__eq__": _equality(ew.equal),
    "__ne__": _equality(ew.not_equal),
    "__getitem__": getitem,
    "__bool__": _bool,
    "__float__": _number("float"),
    "__int__": _number("int"),
    "__complex__": _number("complex"),
    "__index__": _index,
    "__array__": _array,
    "__contains__": _contains,
    "__setitem__": _set_item,
    "__format__": _format,
    "__len__": _length,
    "__iter__": _iterate,
    "__array_ufunc__": array_ufunc,
    "__array_function__": array_function,
    "T": property(_transposed),
    "mT": property(_matrix_transposed),
    "astype": _astype,
    "reshape": _reshape,
    "sum": _sum,
    "mean": _mean,
    "max": _max,
    "min": _min,
}


def _install(cls: type) -> None:
    """Gives a class the operators.

    A public function is its own method: one call less for each of the nodes of a large graph.
    """
    for name, function in _BINARY.items():
        setattr(cls, f"__{name}__", function)
        setattr(cls, f"__r{name}__", _reflected(function))
    for name, function in _ORDER.items():
        setattr(cls, f"__{name}__", function)
    for name, function in _UNARY.items():
        setattr(cls, f"__{name}__", _unary(function))
    for name, member in _MEMBERS.items():
        setattr(cls, name, member)


_install(Tensor)
_install(Variable)
