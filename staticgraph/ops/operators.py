"""Python operators, indexing and NumPy's functions on tensors and variables."""

from __future__ import annotations

from typing import Any

from staticgraph.core.graph import Tensor
from staticgraph.ops import elementwise as ew
from staticgraph.ops.state import Variable

_BINARY = {
    "add": ew.add,
    "sub": ew.subtract,
    "mul": ew.multiply,
    "truediv": ew.divide,
    "floordiv": ew.floor_divide,
    "mod": ew.remainder,
    "pow": ew.pow,
}
_COMPARE = {"eq": ew.equal, "ne": ew.not_equal, "lt": ew.less, "le": ew.less_equal,
            "gt": ew.greater, "ge": ew.greater_equal}


def _install(cls: type) -> None:
    for name, function in _BINARY.items():
        setattr(cls, f"__{name}__", _method(function))
        setattr(cls, f"__r{name}__", _reflected(function))
    for name, function in _COMPARE.items():
        setattr(cls, f"__{name}__", _method(function))
    setattr(cls, "__neg__", lambda self: ew.negative(self))


def _method(function: Any) -> Any:
    def method(self: Any, other: Any) -> Any:
        return function(self, other)
    return method


def _reflected(function: Any) -> Any:
    def method(self: Any, other: Any) -> Any:
        return function(other, self)
    return method


_install(Tensor)
_install(Variable)
