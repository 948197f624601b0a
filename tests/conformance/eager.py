"""staticgraph as an eager namespace of the Array API standard, for conformance tests.

Every function of the standard builds a graph with the function of that name, runs it and returns
arrays; nothing is computed here. A function that staticgraph lacks is missing here too. What no
graph can say is answered from the values: conversions to Python numbers, DLPack, devices, and
what the namespace knows of itself.

STATICGRAPH_CONFORMANCE_BACKEND chooses the backend. The public suite runs against this module with
``ARRAY_API_TESTS_MODULE=tests.conformance.eager``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

import staticgraph as sg

from .array_object import DEVICE, install
from .calls import Array, call, mapped
from .standard import DTYPES, FUNCTIONS, VERSION

__array_api_version__ = VERSION

e, inf, nan, pi = math.e, math.inf, math.nan, math.pi
newaxis = None


def source(name: str) -> Callable[..., Any] | None:
    """staticgraph's function for a full name of the standard, such as ``linalg.det``."""
    *spaces, last = name.split(".")
    place: Any = sg
    for space in spaces:
        place = getattr(place, space, None)
    return getattr(place, last, None)


def _eager(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    signature = FUNCTIONS[name][1]

    def run(*args: Any, **kwargs: Any) -> Any:
        signature.bind(*args, **kwargs)
        return call(name, function, args, _on_device(kwargs))

    run.__name__ = run.__qualname__ = name.rpartition(".")[2]
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__doc__ = function.__doc__
    return run


def _on_device(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments without the one device that there is; another one is an error."""
    device = arguments.get("device")
    if device not in (None, DEVICE):
        raise ValueError(f"there is the device {DEVICE!r}, not {device!r}")
    return {name: value for name, value in arguments.items() if name != "device"}


def _asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None) -> Array:
    """An array of numbers, or of what offers its memory; the default dtypes are the graph's."""
    _on_device({"device": device})
    if isinstance(obj, Array):
        value = obj.value if dtype is None else obj.value.astype(dtype, copy=False)
        if copy is False and value is not obj.value:
            raise ValueError(f"an array of {dtype} cannot be made of this without a copy")
        return Array(value.copy() if copy else value)
    if copy is False and not hasattr(obj, "__dlpack__"):
        raise ValueError("an array of this cannot be made without a copy")
    # Arrays without axes are the numbers that they hold.
    numbers = mapped(obj, Array, lambda array: array.value[()])
    result: Array = call("asarray", sg.constant, (numbers,), {"dtype": dtype})
    return result


def _from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """An array over the memory of another."""
    _on_device({"device": device})
    return Array(np.from_dlpack(x, copy=copy))


_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_KINDS["integral"] = _KINDS["signed integer"] + _KINDS["unsigned integer"]
_KINDS["numeric"] = _KINDS["integral"] + _KINDS["real floating"] + _KINDS["complex floating"]


class _Info:
    """What the namespace can do, in the standard's words."""

    def capabilities(self) -> dict[str, Any]:
        """Sizes of results that depend on values are fixed in the run."""
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": 64,
        }

    def default_device(self) -> str:
        return DEVICE

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        _on_device({"device": device})
        return {
            "real floating": sg.float32,
            "complex floating": sg.complex64,
            "integral": sg.int64,
            "indexing": sg.int64,
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        _on_device({"device": device})
        kinds = tuple(_KINDS) if kind is None else kind if isinstance(kind, tuple) else (kind,)
        # `any` is the standard's here.
        names = {name for each in kinds for name in _KINDS[each]}
        return {name: np.dtype(name) for name in DTYPES if name in names}

    def devices(self) -> list[str]:
        return [DEVICE]


def __array_namespace_info__() -> _Info:
    return _Info()


def _fill(namespace: Any, prefix: str) -> None:
    """Puts what staticgraph has of the standard's functions into a namespace."""
    for name in FUNCTIONS:
        space, _, last = name.rpartition(".")
        function = source(name)
        if space == prefix and function is not None:
            setattr(namespace, last, _eager(name, function))


def _extension(name: str) -> ModuleType | None:
    """A namespace of an extension, which is there where staticgraph has one of that name."""
    if not hasattr(sg, name):
        return None
    module = ModuleType(f"{__name__}.{name}")
    _fill(module, name)
    return module


_here = sys.modules[__name__]
_fill(_here, "")
# Types of NumPy: objects of `np.dtype`, as in staticgraph, equal them, and that of float64 equals
# None too, which a suite may take for a dtype that promotion does not give.
for _name in DTYPES:
    setattr(_here, _name, np.dtype(_name).type)
asarray, from_dlpack = _asarray, _from_dlpack
for _name in ("linalg", "fft"):
    _module = _extension(_name)
    if _module is not None:
        setattr(_here, _name, _module)
install(_here)
