"""The members of arrays: operators and indices run as graphs, the rest asks the value."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import staticgraph as sg

from .calls import Array, call

DEVICE = "cpu"

_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": operator.pow,
    "matmul": operator.matmul,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "lshift": operator.lshift,
    "rshift": operator.rshift,
}
_COMPARISONS: dict[str, Callable[..., Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_UNARY: dict[str, Callable[..., Any]] = {
    "abs": operator.abs,
    "invert": operator.invert,
    "neg": operator.neg,
    "pos": operator.pos,
}


def _method(name: str, function: Callable[..., Any], reflected: bool = False) -> Any:
    def run(self: Array, *others: Any) -> Any:
        if others and not isinstance(others[0], Array | bool | int | float | complex):
            return NotImplemented
        operands = (*others, self) if reflected else (self, *others)
        return call(name, function, operands, {})

    return run


def _getitem(self: Array, key: Any) -> Array:
    result: Array = call("__getitem__", operator.getitem, (self, key), {})
    return result


def _setitem(self: Array, key: Any, value: Any) -> None:
    """The array takes what a graph makes of it: a tensor is a value, which nothing changes."""
    changed = call("__setitem__", _with_elements, (self, key, value), {}).value
    if self.value.flags.writeable:
        self.value[...] = changed
    else:
        self.value = changed


def _with_elements(x: sg.Tensor, key: Any, value: Any) -> sg.Tensor:
    """`x` with `value` for the elements that `key` picks.

    The places of all elements are a tensor of the shape of `x`; the key picks from it as it does
    from `x`. Every element then comes from its own place, or from behind the last of them, where
    the new ones stand.
    """
    if isinstance(value, sg.Tensor) and not sg.can_cast(value.dtype, x.dtype):
        raise TypeError(f"elements of {x.dtype} cannot be set to {value.dtype}")
    count = sg.size(x)
    old = sg.arange(count)
    picked = sg.reshape(old, x.shape)[key]
    new = sg.reshape(sg.where(picked >= 0, value, sg.zeros((), x.dtype)), (-1,))
    places = sg.reshape(picked, (-1,))
    source = sg.scatter_add(old, places, count + sg.arange(sg.size(new)) - places)
    pool = sg.concat([sg.reshape(x, (-1,)), sg.astype(new, x.dtype)])
    return sg.reshape(sg.take(pool, source), x.shape)


def _iter(self: Array) -> Iterator[Array]:
    """The entries along the first axis, which the standard does not ask for, and suites want."""
    return iter([_getitem(self, number) for number in range(len(self.value))])


def _value_of(function: Callable[[Any], Any]) -> Any:
    def run(self: Array) -> Any:
        if self.value.ndim:
            raise TypeError(f"only an array without axes is one number, not {self.value.shape}")
        return function(self.value.item())

    return run


def _transposed(x: Array) -> Array:
    result: Array = call("T", sg.permute_dims, (x, (1, 0)), {})
    return result


def _matrices_transposed(x: Array) -> Array:
    result: Array = call("mT", sg.matrix_transpose, (x,), {})
    return result


def _to_device(self: Array, device: Any, /, *, stream: Any = None) -> Array:
    if device != DEVICE or stream is not None:
        raise ValueError(f"there is the device {DEVICE!r}, not {device!r}")
    return self


def _dlpack(
    self: Array,
    /,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: Any = None,
    copy: bool | None = None,
) -> Any:
    value = self.value if self.value.flags.writeable else self.value.copy()
    return value.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)


def install(namespace: Any) -> None:
    """Gives arrays their members; they are of this namespace."""
    for name, function in _OPERATORS.items():
        setattr(Array, f"__{name}__", _method(name, function))
        setattr(Array, f"__r{name}__", _method(f"r{name}", function, reflected=True))
    for name, function in {**_COMPARISONS, **_UNARY}.items():
        setattr(Array, f"__{name}__", _method(name, function))

    def array_namespace(self: Array, /, *, api_version: str | None = None) -> Any:
        return namespace

    members: dict[str, Any] = {
        "__hash__": None,
        # NumPy's own operators leave arrays of this class alone.
        "__array_ufunc__": None,
        "__array_namespace__": array_namespace,
        "__getitem__": _getitem,
        "__setitem__": _setitem,
        "__iter__": _iter,
        "__bool__": _value_of(bool),
        "__int__": _value_of(int),
        "__float__": _value_of(float),
        "__complex__": _value_of(complex),
        "__index__": _value_of(operator.index),
        "__dlpack__": _dlpack,
        "__dlpack_device__": lambda self: self.value.__dlpack_device__(),
        "__repr__": lambda self: f"Array({np.array2string(self.value)}, {self.value.dtype})",
        "to_device": _to_device,
        "dtype": property(lambda self: self.value.dtype),
        "device": property(lambda self: DEVICE),
        "ndim": property(lambda self: self.value.ndim),
        "shape": property(lambda self: self.value.shape),
        "size": property(lambda self: self.value.size),
        "T": property(_transposed),
        "mT": property(_matrices_transposed),
    }
    for name, member in members.items():
        setattr(Array, name, member)
