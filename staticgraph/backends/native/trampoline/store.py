"""The variables of a session, where machine code reads and replaces them.

A variable has a *cell*: the address of its array, or null before it has a value. Its array is
exactly an ndarray of the variable's dtype, C-contiguous and aligned, and belongs to the cell alone;
a run in flight holds it too. Nobody else gets hold of it: `value` returns a copy. That is what lets
a run write it in place when no other run reads.

Runs that write variables take turns. A run that finds its way barred comes to `wait`.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
import weakref
from typing import Any

import numpy as np

from staticgraph.backends.native.trampoline import (
    code,
    load,
)
from staticgraph.core.location import capture
from staticgraph.errors import RunError

Array = np.ndarray[Any, Any]

_CELLS = 256
# How long a wait lasts without looking again: what is missed when a waker is interrupted.
_LOOK_SECONDS = 0.1

_decrement = ctypes.pythonapi.Py_DecRef
_decrement.restype, _decrement.argtypes = None, [ctypes.py_object]

_stores: weakref.WeakSet[Store] = weakref.WeakSet()


class Store:
    """The cells of a session's variables, and what its runs have to know of each other."""

    def __init__(self, seed: int) -> None:
        self._block = (ctypes.c_uint64 * len(code.STORE))()
        self.address = ctypes.addressof(self._block)
        self._cells: dict[str, int] = {}
        self._chunks: list[ctypes.Array[ctypes.c_void_p]] = []
        self._set("STORE_SEED", seed)
        self._renew()
        _stores.add(self)

    def _get(self, field: str) -> int:
        return int(self._block[code.STORE[field] // 8])

    def _set(self, field: str, value: int) -> None:
        self._block[code.STORE[field] // 8] = value

    # -- variables ----------------------------------------------------------------------------

    def cell(self, name: str) -> int:
        """The address of a variable's cell; it never moves."""
        address = self._cells.get(name)
        if address is None:
            place = len(self._cells) % _CELLS
            if place == 0:
                self._chunks.append((ctypes.c_void_p * _CELLS)())
            address = ctypes.addressof(self._chunks[-1]) + 8 * place
            self._cells[name] = address
        return address

    def has(self, name: str) -> bool:
        """Whether a variable has a value."""
        return bool(ctypes.c_void_p.from_address(self.cell(name)).value)

    def value(self, name: str) -> Array:
        """A copy of a variable's value."""
        # One step: another thread may replace the array as soon as Python can switch to it.
        held: Any = ctypes.py_object.from_address(self.cell(name))
        array: Array = held.value.copy()
        return array

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a variable's value."""
        held: Any = ctypes.py_object.from_address(self.cell(name))
        shape: tuple[int, ...] = held.value.shape
        return shape

    def address_of(self, name: str) -> int:
        """Where a variable's elements lie now."""
        held: Any = ctypes.py_object.from_address(self.cell(name))
        return int(held.value.ctypes.data)

    def offer(self, name: str, value: Array) -> None:
        """Gives a variable a copy of `value`, which has its dtype, unless it has a value."""
        array = np.array(value, order="C", copy=True, subok=False)
        load.trampoline().offer(self.cell(name), array)

    def clear(self) -> None:
        """Takes their values from all variables."""
        for address in self._cells.values():
            cell = ctypes.c_void_p.from_address(address)
            old, cell.value = cell.value, None
            if old:
                _decrement(ctypes.cast(old, ctypes.py_object))

    def close(self) -> None:
        """No run starts any more; those under way end as they would."""
        self._set("STORE_STATE", self._get("STORE_STATE") | code.CLOSED)
        self.clear()

    def __del__(self) -> None:
        self.clear()

    # -- runs ---------------------------------------------------------------------------------

    @property
    def runs(self) -> int:
        """How many runs have drawn random numbers."""
        return self._get("STORE_RUN")

    @property
    def readers(self) -> int:
        """How many runs under way read variables."""
        return self._get("STORE_READERS")

    @property
    def waiters(self) -> int:
        """How many threads are in `wait`."""
        return self._get("STORE_WAITERS")

    def barred(self, refused_in: int) -> bool:
        """Whether a plan that refuses to start in these states has to wait."""
        return bool(self._get("STORE_STATE") & refused_in & ~code.CLOSED)

    def wait(self, refused_in: int) -> None:
        """Waits until a plan that refuses to start in these states may try."""
        if not self.barred(refused_in):
            return
        if self._get("STORE_WRITER") == threading.get_ident():
            raise RunError(
                "run: this thread is in the middle of a run of the same session that writes "
                "variables\n"
                "  it was left by a signal handler or by a function that the run calls\n"
                "  start the second run when the first has ended\n"
                f"  at {capture()}"
            )
        with self._condition:
            self._set("STORE_WAITERS", self._get("STORE_WAITERS") + 1)
            try:
                while self.barred(refused_in):
                    self._condition.wait(_LOOK_SECONDS)
            finally:
                self._set("STORE_WAITERS", self._get("STORE_WAITERS") - 1)

    def _renew(self) -> None:
        """No run is under way: at the start, and in the child of a fork."""
        self._condition = threading.Condition()
        # Kept here, since machine code has only its address.
        self._wake = functools.partial(_notify, self._condition)
        self._set("STORE_WAKE", id(self._wake))
        self._set("STORE_STATE", self._get("STORE_STATE") & code.CLOSED)
        self._set("STORE_READERS", 0)
        self._set("STORE_WAITERS", 0)


def _notify(condition: threading.Condition) -> None:
    with condition:
        condition.notify_all()


def _renew_all() -> None:
    for store in list(_stores):
        store._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
