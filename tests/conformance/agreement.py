"""Whether a call gives in the eager namespace what it gives in NumPy, which conforms."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import eager, extension_calls, member_calls
from .calls import Array
from .elementwise_calls import BINARY, UNARY, elementwise_calls
from .other_calls import CALLS, OPERANDS, read
from .standard import DTYPES, FUNCTIONS

# A backend of its own has functions of its own: a few units in the last place.
_TOLERANCE = {"f4": 1e-5, "f8": 1e-10, "c8": 1e-5, "c16": 1e-10}


@dataclass(frozen=True, eq=False)
class Call:
    """One call of the standard.

    name       the function, or the member of arrays
    text       the call, as Python
    wanted     the same in NumPy, as Python
    operands   the arrays that the text names
    """

    name: str
    text: str
    wanted: str
    operands: dict[str, Any]

    def __str__(self) -> str:
        types = ", ".join(f"{n}: {x.dtype}{list(x.shape)}" for n, x in self.operands.items())
        return f"{self.text}  ({types})"


def calls() -> Iterator[Call]:
    """All calls, function by function."""
    for name, text, operands in elementwise_calls():
        yield Call(name, text, text, operands)
    for name, line in (*read(CALLS), *read(extension_calls.CALLS), *read(member_calls.CALLS)):
        text, _, wanted = line.partition(" => ")
        yield Call(name, text, wanted or text, _named(f"{text} {wanted}"))


def _named(text: str) -> dict[str, Any]:
    """The operands that a text names."""
    names = set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())
    return {name: OPERANDS[name] for name in OPERANDS if name in names}


def _changed(x: Any, key: Any, value: Any) -> Any:
    x = x.__array_namespace__().asarray(x, copy=True)
    x[key] = value
    return x


_COMMON: dict[str, Any] = {
    "numpy": np,
    "list": list,
    "slice": slice,
    "Ellipsis": Ellipsis,
    "inf": np.inf,
    "bool_of": bool,
    "int_of": int,
    "float_of": float,
    "complex_of": complex,
    "index_of": operator.index,
    "changed": _changed,
    **{name: np.dtype(name) for name in DTYPES},
}


def _names_of(namespace: Any) -> dict[str, Any]:
    names = dict(_COMMON)
    for name in FUNCTIONS:
        space = name.partition(".")[0]
        if hasattr(namespace, space):
            names[space] = getattr(namespace, space)
    return names


def disagreement(call: Call) -> str | None:
    """What is wrong with a call, or None."""
    operands = {name: value.copy() for name, value in call.operands.items()}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = eval(call.wanted, _names_of(np) | operands)
    boxed = {name: Array(value) for name, value in operands.items()}
    try:
        found = eval(call.text, _names_of(eager) | boxed)
    except Exception as problem:
        return f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}"
    return _difference(found, wanted, call.name in UNARY or call.name in BINARY)


def _difference(found: Any, wanted: Any, signs: bool) -> str | None:
    """What differs; of zeros the sign too, if `signs`."""
    if isinstance(wanted, list | tuple):
        if not isinstance(found, list | tuple) or len(found) != len(wanted):
            return f"{found!r} instead of {len(wanted)} results"
        parts = [_difference(a, b, signs) for a, b in zip(found, wanted, strict=True)]
        return next((part for part in parts if part), None)
    if isinstance(wanted, np.dtype | bool | int | float | complex) and not isinstance(found, Array):
        return None if found == wanted else f"{found!r} instead of {wanted!r}"
    have = found.value if isinstance(found, Array) else np.asarray(found)
    want = np.asarray(wanted)
    if have.dtype != want.dtype:
        return f"dtype {have.dtype} instead of {want.dtype}"
    if have.shape != want.shape:
        return f"shape {have.shape} instead of {want.shape}"
    tolerance = _TOLERANCE.get(want.dtype.str[1:], 0.0)
    close = np.isclose(have, want, rtol=tolerance, atol=tolerance / 100, equal_nan=True)
    if signs and want.dtype.kind == "f":
        zero = (want == 0) & (have == 0)
        close &= ~zero | (np.signbit(have) == np.signbit(want))
    if close.all():
        return None
    place = tuple(np.argwhere(~close)[0].tolist())
    return f"{have[place]} instead of {want[place]} at {place}"
