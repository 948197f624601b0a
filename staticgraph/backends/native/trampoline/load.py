"""The trampoline in this process: its code loaded once, and the type of what Python calls.

The type is made through CPython's C API, since only there a type says where its objects keep the
address of the function that calls them. It derives from `MachineCallable`, which has the docstring,
the attributes and all else that is Python's.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from staticgraph.backends.native import jit, layout, runtime
from staticgraph.backends.native.assembly import assemble
from staticgraph.backends.native.trampoline import (
    code,
    find,
    results,
    run,
)
from staticgraph.core.location import capture
from staticgraph.errors import GraphError

# What modules that are compiled later may call.
EXPORTS = ("sg_output", "sg_commit", "sg_host_call")

# More effort makes a call 10 to 20 % faster, and the first one in a new process without a cache
# later by four times what this takes.
_LEVEL = 0
# CPython's typeslots.h, object.h and structmember.h.
_TP_CALL, _TP_MEMBERS = 50, 72
_FLAG_DEFAULT, _FLAG_VECTORCALL = 1 << 18, 1 << 11
_MEMBER_SIZE, _READ_ONLY = 19, 1


class MachineCallable:
    """Calls the machine code of one combination of fetches and feeds.

    It takes one value per feed, by position, and returns what was fetched. Any number of threads
    may call it.
    """

    # Whatever the tables name; they are read as long as the object can be called.
    kept: tuple[Any, ...]
    label: str = "callable"

    if TYPE_CHECKING:

        def __call__(self, *values: Any) -> Any:
            """What was fetched, for one value per feed."""

    def __repr__(self) -> str:
        return f"<{self.label}>"


class _Member(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p), ("type", ctypes.c_int), ("offset", ctypes.c_ssize_t),
        ("flags", ctypes.c_int), ("doc", ctypes.c_char_p),
    )  # fmt: skip


class _Slot(ctypes.Structure):
    _fields_ = (("slot", ctypes.c_int), ("content", ctypes.c_void_p))


class _TypeSpec(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p), ("bytes", ctypes.c_int), ("item_bytes", ctypes.c_int),
        ("flags", ctypes.c_uint), ("slots", ctypes.c_void_p),
    )  # fmt: skip


# The fields that the type adds to its objects: the vectorcall function, the plan, the slow path.
_VECTORCALL = MachineCallable.__basicsize__
_PLAN = _VECTORCALL + 8
_SLOW = _VECTORCALL + 16


class Trampoline:
    """The loaded code. `new` makes callables; the addresses of EXPORTS are given to LLVM."""

    def __init__(self) -> None:
        check()
        runtime.load()
        jit.add_symbol("sg_new_array", layout.new_array_function())
        for name in code.PYTHON_FUNCTIONS + find.PYTHON_FUNCTIONS:
            function = getattr(ctypes.pythonapi, name)
            jit.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value or 0)
        self._library = jit.compile_module(trampoline_text(), _LEVEL)
        self._call = self._library.address("sg_call")
        self._find = self._library.address("sg_find")
        for name in EXPORTS:
            jit.add_symbol(name, self._library.address(name))
        # PYFUNCTYPE keeps the GIL, which guards the cell.
        self.offer = ctypes.PYFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.py_object)(
            self._library.address("sg_offer")
        )
        self._fill_objects()
        self.type = self._make_type()

    def _fill_objects(self) -> None:
        objects = {
            "ARRAY_TYPE": np.ndarray,
            "FLOAT_TYPE": float,
            "FLOAT64_TYPE": np.float64,
            "INT_TYPE": int,
            "TRUE": True,
            "FALSE": False,
            "NONE": None,
            "NUMPY_TRUE": np.True_,
            "NUMPY_FALSE": np.False_,
            "LIST_TYPE": list,
            "TUPLE_TYPE": tuple,
            "DICT_TYPE": dict,
        }
        table = self._library.address("sg_objects")
        for name, place in code.OBJECTS.items():
            ctypes.c_void_p.from_address(table + place).value = id(objects[name])

    def _make_type(self) -> type[MachineCallable]:
        self._members = (_Member * 2)(
            _Member(b"__vectorcalloffset__", _MEMBER_SIZE, _VECTORCALL, _READ_ONLY, None)
        )
        calls = ctypes.cast(ctypes.pythonapi.PyVectorcall_Call, ctypes.c_void_p).value
        self._type_slots = (_Slot * 3)(
            _Slot(_TP_CALL, calls), _Slot(_TP_MEMBERS, ctypes.addressof(self._members))
        )
        self._type_spec = _TypeSpec(
            b"staticgraph.MachineCallable",
            _SLOW + 8,
            0,
            _FLAG_DEFAULT | _FLAG_VECTORCALL,
            ctypes.addressof(self._type_slots),
        )
        make = ctypes.pythonapi.PyType_FromSpecWithBases
        make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.py_object]
        made: type[MachineCallable] = make(ctypes.addressof(self._type_spec), (MachineCallable,))
        made.__doc__ = MachineCallable.__doc__
        return made

    def new(self, plan: int, slow: Callable[..., Any], kept: tuple[Any, ...]) -> MachineCallable:
        """A callable with the plan at an address, and its Python function for all else."""
        return self._new(self._call, plan, id(slow), (slow, *kept))

    def new_finder(self, table: int, kept: tuple[Any, ...]) -> MachineCallable:
        """A callable of (fetches, feed) with the table at an address."""
        return self._new(self._find, table, 0, kept)

    def _new(self, function: int, plan: int, slow: int, kept: tuple[Any, ...]) -> MachineCallable:
        made = self.type()
        made.kept = kept
        for field, value in ((_PLAN, plan), (_SLOW, slow), (_VECTORCALL, function)):
            ctypes.c_void_p.from_address(id(made) + field).value = value
        return made


def check() -> None:
    """Raises GraphError where machine code cannot work with this Python or this NumPy."""
    refusal = layout.refusal()
    if refusal is not None:
        raise GraphError(
            "Session: backend='native' does not work here\n"
            f"  {refusal}\n"
            "  use backend='reference'\n"
            f"  at {capture()}"
        )


def trampoline_text() -> str:
    """The LLVM IR of the trampoline.

    >>> "define ptr @sg_output(ptr %ctx, i32 %number, ptr %dims)" in trampoline_text()
    True
    """
    constants = code.CONSTANTS | find.CONSTANTS
    constants |= {"CALLABLE_PLAN": _PLAN, "CALLABLE_SLOW": _SLOW}
    return assemble(code.TEXT + results.TEXT + run.TEXT + find.TEXT, constants)


_lock = threading.Lock()
_trampoline: Trampoline | None = None


def trampoline() -> Trampoline:
    """The trampoline of this process, for any number of threads that ask at the same time."""
    global _trampoline
    if _trampoline is None:
        with _lock:
            if _trampoline is None:
                # A second one would have another type of callables.
                _trampoline = Trampoline()
    return _trampoline


if hasattr(os, "register_at_fork"):
    # A child that is forked while another thread loads would wait for that thread for ever.
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
