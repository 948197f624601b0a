"""Python's operators and indexing on tensors and variables, and what they refuse.

They are installed here because core knows no op by name. A tensor has no value before a run, so
whatever asks it for one (``if x:``, ``float(x)``, ``numpy.asarray(x)``) is an error that names the
way out; ``==`` builds a node, while hashing stays by identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.ops import elementwise as ew
from staticgraph.ops.convert import as_tensor, is_tensor_like, promote
from staticgraph.ops.elementwise import numbers
from staticgraph.ops.elementwise.parts import divmod, round
from staticgraph.ops.joining import unstack
from staticgraph.ops.linalg import matmul
from staticgraph.ops.members import MEMBERS, no_value
from staticgraph.ops.numpy_protocol.functions import array_function, array_ufunc
from staticgraph.ops.state import Variable
from staticgraph.ops.subscript import getitem

Method = Callable[..., Any]

# -- operators --------------------------------------------------------------------------------


def _by_dtype(logical: Method, bitwise: Method) -> Method:
    """An operator that is logical for bools and bitwise for integers."""

    def _function(lhs: Any, rhs: Any) -> Tensor:
        operands = promote((lhs, rhs))
        op = logical if operands[0].dtype == dtypes.bool_ else bitwise
        result: Tensor = op(*operands)
        return result

    return _function


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
    "divmod": divmod,
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
    def _method(self: Any, other: Any) -> Any:
        return function(other, self)

    return _method


def _unary(function: Method) -> Method:
    def _method(self: Any) -> Any:
        return function(self)

    return _method


def _equality(function: Method) -> Method:
    """``==`` and ``!=``: with what is no number Python falls back on identity."""

    def _method(self: Any, other: Any) -> Any:
        if type(other) is not Tensor and not _is_numeric(other):
            return NotImplemented
        return function(self, other)

    return _method


def _is_numeric(value: Any) -> bool:
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype in dtypes.ANY
    return isinstance(value, int | float | complex | list | tuple) or is_tensor_like(value)


# -- what needs a value -----------------------------------------------------------------------


def _bool(self: Any) -> NoReturn:
    raise no_value(
        "bool",
        self,
        "a tensor is neither true nor false before a run",
        "choose in the graph with sg.where (by element) or sg.cond, repeat with sg.while_loop, or "
        "fetch the tensor and ask its value: session.run(x)",
    )


def _number(kind: str) -> Method:
    def _method(self: Any) -> NoReturn:
        raise no_value(
            kind,
            self,
            "a tensor has no value before a run",
            f"fetch it and convert the value, {kind}(session.run(x)), or stay in the graph: "
            "sg.cast(x, dtype)",
        )

    return _method


def _index(self: Any) -> NoReturn:
    raise no_value(
        "index",
        self,
        "a tensor has no value before a run, so it is no index of a list, array or range",
        "index in the graph, sg.gather(values, i) or tensor[i], loop in the graph, "
        "sg.fori_loop or sg.while_loop, or fetch the tensor: session.run(x)",
    )


def _array(self: Any, dtype: Any = None, copy: Any = None) -> NoReturn:
    raise no_value(
        "array",
        self,
        "a tensor has no value before a run, so it is no array",
        "fetch it, session.run(x), or use the function of the same name in staticgraph; of "
        "several tensors sg.stack makes one",
    )


def _contains(self: Any, item: Any) -> NoReturn:
    raise no_value(
        "in",
        self,
        "whether a tensor holds a value is known only in the run",
        "ask in the graph, sg.any(x == value), or fetch the tensor: session.run(x)",
    )


def _set_item(self: Any, key: Any, value: Any) -> NoReturn:
    raise no_value(
        "setitem",
        self,
        "a tensor does not change",
        "make another: sg.where(mask, value, x), sg.scatter_add(x, indices, updates) or sg.concat",
    )


def _format(self: Any, spec: str) -> str:
    """The text of the tensor itself; a format of numbers needs a value."""
    if not spec:
        return repr(self)
    raise no_value(
        "format",
        self,
        f"a tensor has no value before a run that '{spec}' could format",
        "fetch it and format the value: session.run(x)",
    )


def _round(self: Any, ndigits: int | None = None) -> Tensor:
    """Python's ``round(x)`` and ``round(x, 2)``; a tensor stays what it is, no int."""
    return round(self, ndigits or 0)


def _length(self: Any) -> int:
    """The size of axis 0, where the graph knows it."""
    shape = as_tensor(self).type.shape
    if shape and isinstance(shape[0], int):
        return shape[0]
    if shape == ():
        raise no_value("len", self, "a scalar has no length", "sg.size(x) counts elements")
    raise no_value(
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
        raise no_value(
            "iter",
            self,
            "a scalar has no entries",
            "to repeat something so many times, loop in the graph with sg.fori_loop",
        )
    raise no_value(
        "iter",
        self,
        "the size of axis 0 is known only in the run",
        "loop in the graph with sg.map_fn or sg.scan, or declare the size",
    )


def __getitem__(self: Any, key: Any) -> Tensor:
    """The part of `self` that `key` says; named as the operator, which messages do not name."""
    return getitem(self, key)


# -- installation -----------------------------------------------------------------------------

_MEMBERS: dict[str, Any] = {
    **MEMBERS,
    "__eq__": _equality(ew.equal),
    "__ne__": _equality(ew.not_equal),
    "__getitem__": __getitem__,
    "__bool__": _bool,
    "__float__": _number("float"),
    "__int__": _number("int"),
    "__complex__": _number("complex"),
    "__index__": _index,
    "__array__": _array,
    "__contains__": _contains,
    "__setitem__": _set_item,
    "__format__": _format,
    "__round__": _round,
    "__len__": _length,
    "__iter__": _iterate,
    "__array_ufunc__": array_ufunc,
    "__array_function__": array_function,
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
