"""One call of the standard as one run of a graph: build it, compile it, feed it, wrap its results.

A graph is kept by what was called and with what: the dtypes and shapes of the arrays, and the other
arguments. A suite that calls one function with a thousand arrays of one type compiles it once.
"""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np

import staticgraph as sg

KEPT = 2000

_kept: OrderedDict[Hashable, tuple[Callable[..., Any] | None, Any]] = OrderedDict()


def backend() -> Any:
    """The backend that the environment chooses: "reference", or "native"."""
    return os.environ.get("STATICGRAPH_CONFORMANCE_BACKEND", "reference")


class Array:
    """An array of the standard; its operators are installed by `array_object`."""

    __slots__ = ("value",)

    def __init__(self, value: np.ndarray[Any, Any]) -> None:
        self.value = value


def call(name: str, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """What the function makes of tensors that stand for the arrays, run on the arrays."""
    key = (backend(), name, _key(args), _key(kwargs))
    found = _kept.get(key)
    if found is None:
        found = _kept[key] = _compiled(function, args, kwargs)
        if len(_kept) > KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    run, form = found
    arrays = [array.value for array in _arrays((args, kwargs))]
    values = iter(run(*arrays)) if run is not None else iter(())
    return mapped(form, sg.Tensor, lambda tensor: Array(np.asarray(next(values))))


def _compiled(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The compiled call, None where there is nothing to run, and its results as tensors."""
    with sg.Graph().as_default():
        feeds: list[sg.Tensor] = []

        def stand_in(array: Array) -> sg.Tensor:
            feeds.append(sg.placeholder(array.value.dtype, array.value.shape))
            return feeds[-1]

        arguments = mapped((args, kwargs), Array, stand_in)
        form = function(*arguments[0], **arguments[1])
        fetches: list[sg.Tensor] = []
        mapped(form, sg.Tensor, fetches.append)
        if not fetches:
            return None, form
        session = sg.Session(backend=backend())
        return session.make_callable(fetches, feeds), form


def mapped(form: Any, kind: type, function: Callable[[Any], Any]) -> Any:
    """A nested structure with each object of a kind replaced."""
    if isinstance(form, kind):
        return function(form)
    if isinstance(form, tuple) and hasattr(form, "_fields"):
        return type(form)(*[mapped(item, kind, function) for item in form])
    if isinstance(form, tuple | list):
        return type(form)([mapped(item, kind, function) for item in form])
    if isinstance(form, dict):
        return {name: mapped(item, kind, function) for name, item in form.items()}
    if isinstance(form, slice):
        parts = [mapped(item, kind, function) for item in (form.start, form.stop, form.step)]
        return slice(*parts)
    return form


def _arrays(form: Any) -> Iterator[Array]:
    found: list[Array] = []
    mapped(form, Array, found.append)
    return iter(found)


def _key(form: Any) -> Hashable:
    if isinstance(form, Array):
        return ("array", form.value.dtype, form.value.shape)
    if isinstance(form, tuple | list):
        return (type(form), *[_key(item) for item in form])
    if isinstance(form, dict):
        return tuple([(name, _key(item)) for name, item in form.items()])
    # -0.0 and 0.0, True and 1 are equal and not the same; repr tells all of them apart, but for
    # the signs of NaNs.
    signs = [math.copysign(1.0, part) for part in (form.real, form.imag)] if _inexact(form) else ()
    return (type(form), repr(form), *signs)


def _inexact(form: Any) -> bool:
    return isinstance(form, float | complex)
