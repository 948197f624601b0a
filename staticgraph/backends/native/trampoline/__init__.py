"""From a compiled Function to something that Python calls in a fraction of a microsecond.

This fills the tables that the code of code.py is driven by, and owns the type of the
callables. What always holds: the tables of a callable, and every object that they name, live as
long as the callable; addresses in tables are never those of objects that nobody keeps.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from staticgraph.backends.memory import bytes_of, no_memory
from staticgraph.backends.native import context, layout, runtime
from staticgraph.backends.native.spec import FEED, KEY, VARIABLE, Compiled, OutputSpec
from staticgraph.backends.native.trampoline import code
from staticgraph.backends.native.trampoline.code import LIST, SINGLE, TUPLE
from staticgraph.backends.native.trampoline.finder import Finder
from staticgraph.backends.native.trampoline.load import MachineCallable, check, trampoline
from staticgraph.backends.native.trampoline.store import Store
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.location import capture
from staticgraph.core.types import Dim, Shape, compatible
from staticgraph.errors import CompilerError, RunError

Words = ctypes.Array[ctypes.c_int64]
Misfit = Callable[[str, tuple[int, ...]], NoReturn]

_BUG = "  this is a bug in staticgraph; report it with the program that shows it"


class Bound:
    """A compiled Function and the variables that it works on: rows for all inputs and outputs.

    compiled        the Function
    store           where the variables are
    updates         per output beyond the fetched ones, in order: the variable that takes it, and
                    its shape as far as it is known
    misfit          ``misfit(name, shape)`` raises the error of a new value that has not the shape
                    of its variable
    threads         how many threads a run may use
    memory_limit    bytes that a run may use, its results included; None: no limit
    checked         put guard bytes around every block of memory
    initial         draw the random numbers of initial values
    """

    def __init__(
        self,
        compiled: Compiled,
        store: Store,
        updates: Mapping[str, Shape],
        misfit: Misfit,
        threads: int = 1,
        memory_limit: int | None = None,
        checked: bool = False,
        initial: bool = False,
    ) -> None:
        self.compiled, self.store, self.updates = compiled, store, dict(updates)
        self.fetched = len(compiled.outputs) - len(self.updates)
        self.memory_limit = memory_limit
        self._kept: list[object] = [compiled, store]
        self._arguments, self._variables, self._slots = self._input_rows()
        self._outputs = self._output_rows()
        self._plan = self._common(misfit, threads, checked, initial)

    @property
    def refused_in(self) -> int:
        """The states of the store in which a run does not start."""
        return int(self._plan["PLAN_REFUSED_IN"])

    def callable(
        self,
        slow: Callable[..., Any],
        leaves: Sequence[int],
        structure: int = code.LIST,
        rebuild: Callable[[tuple[Any, ...]], Any] | None = None,
    ) -> MachineCallable:
        """Something to call with one value per feed.

        slow        called with the same arguments when they are not just what machine code takes,
                    or when a variable has no value, or another run is in the way
        leaves      per fetched value: the output, or -1 for None
        structure   SINGLE, LIST or TUPLE
        rebuild     makes what is returned from what `structure` says
        """
        places = _words(leaves)
        plan = {
            **self._plan,
            "PLAN_STRUCTURE": structure,
            "PLAN_LEAVES": len(leaves),
            "PLAN_LEAF_OUTPUTS": ctypes.addressof(places),
            "PLAN_REBUILD": 0 if rebuild is None else id(rebuild),
        }
        table = _words([plan[name] for name in code.PLAN])
        kept = (self, table, places, rebuild)
        return trampoline().new(ctypes.addressof(table), slow, kept)

    # -- tables -------------------------------------------------------------------------------

    def _keep(self, item: Any) -> int:
        """The address of an object, or of a table; it stays good."""
        self._kept.append(item)
        return ctypes.addressof(item) if isinstance(item, ctypes.Array) else id(item)

    def _input_rows(self) -> tuple[list[list[int]], list[list[int]], dict[int, int]]:
        arguments: list[list[int]] = []
        variables: list[list[int]] = []
        slots: dict[int, int] = {}
        symbols: dict[str, int] = {}
        slot = 0
        for number, spec in enumerate(self.compiled.inputs):
            assert spec.type.shape is not None, "the compiler takes no unknown rank"
            shape = spec.type.shape
            slots[number] = slot
            dims = self._keep(_words(_wanted(shape, slot + 1, symbols) or [0]))
            if spec.kind == FEED:
                # Arguments are read before variables: a symbol's first place is always read.
                assert not variables, "feeds come first"
                arguments.append(_argument_row(spec.type.dtype, len(shape), slot, dims))
            elif spec.kind == VARIABLE:
                variables.append([self.store.cell(spec.name), len(shape), slot, dims])
            else:
                assert spec.kind == KEY
            slot += 1 + len(shape)
        slots[-1] = slot
        return arguments, variables, slots

    def _output_rows(self) -> list[list[int]]:
        numbers = itertools.count()
        variables = {
            number: next(numbers)
            for number, spec in enumerate(self.compiled.inputs)
            if spec.kind == VARIABLE
        }
        return [
            self._output_row(output, k, variables) for k, output in enumerate(self.compiled.outputs)
        ]

    def _output_row(self, output: OutputSpec, k: int, variables: dict[int, int]) -> list[int]:
        dtype, shape = output.type.dtype, output.type.shape
        assert shape is not None, "the compiler makes no unknown rank"
        kind, dims = code.ARRAY, 0
        if k >= self.fetched:
            wanted = list(self.updates.values())[k - self.fetched]
            if wanted is not None and len(wanted) != len(shape):
                kind = code.MISFIT
            elif wanted:
                dims = self._keep(_words([dim if isinstance(dim, int) else -1 for dim in wanted]))
        elif not shape:
            kind = code.BOOL if dtype == dtypes.bool_ else code.SCALAR
        overwrites = -1 if output.overwrites is None else variables[output.overwrites]
        scalar = dtype.type
        return [
            kind, id(dtype), len(shape), overwrites, dims, id(scalar),
            layout.scalar_allocator(scalar), dtype.itemsize,
        ]  # fmt: skip

    def _common(self, misfit: Misfit, threads: int, checked: bool, initial: bool) -> dict[str, int]:
        """What the plans of all callables have in common."""
        compiled = self.compiled
        flags = code.INITIAL if initial else 0
        refused_in = code.CLOSED
        if self._variables:
            flags |= code.READS
            refused_in |= code.EXCLUSIVE
        if self.updates:
            flags |= code.WRITES
            refused_in |= code.WRITING | code.EXCLUSIVE
        if compiled.long:
            flags |= code.LONG
        if any(output.overwrites is not None for output in compiled.outputs):
            flags |= code.OVERWRITES
        keys = [n for n, spec in enumerate(compiled.inputs) if spec.kind == KEY]
        held = 8 * self._slots[-1]
        outputs = held + 8 * len(self._variables)
        scratch = outputs + 8 * len(self._outputs)
        values = scratch + 8 * len(self._arguments)
        cells = _words([self.store.cell(name) for name in self.updates] or [0])
        return {
            "PLAN_ARGUMENTS": len(self._arguments),
            "PLAN_ARGUMENT_ROWS": self._keep(_rows(self._arguments)),
            "PLAN_MAIN": compiled.address,
            "PLAN_FLAGS": flags,
            "PLAN_STORE": self.store.address,
            "PLAN_REFUSED_IN": refused_in,
            "PLAN_VARIABLES": len(self._variables),
            "PLAN_VARIABLE_ROWS": self._keep(_rows(self._variables)),
            "PLAN_OUTPUTS": len(self._outputs),
            "PLAN_OUTPUT_ROWS": self._keep(_rows(self._outputs)),
            "PLAN_FETCHED": self.fetched,
            "PLAN_UPDATES": len(self.updates),
            "PLAN_UPDATE_CELLS": self._keep(cells),
            "PLAN_FAIL": self._keep(functools.partial(_fail, compiled)),
            "PLAN_MISFIT": self._keep(
                functools.partial(_misfit, compiled, list(self.updates.items()), misfit)
            ),
            "PLAN_HOST": self._keep(compiled.host or _no_host),
            "PLAN_KEY_SLOT": self._slots[keys[0]] if keys else -1,
            "PLAN_FRAME_BYTES": values + 8 * len(self._outputs),
            "PLAN_HELD_AT": held,
            "PLAN_OUTPUTS_AT": outputs,
            "PLAN_SCRATCH_AT": scratch,
            "PLAN_VALUES_AT": values,
            "PLAN_THREADS": threads,
            "PLAN_LIMIT": context.NO_LIMIT if self.memory_limit is None else self.memory_limit,
            "PLAN_CHECKED": int(checked),
            "PLAN_PEAK": ctypes.addressof(compiled.peak),
        }


def _words(values: Sequence[int]) -> Words:
    """A table of 8-byte words; addresses above 2**63 wrap as they do in a register."""
    return (ctypes.c_int64 * len(values))(*values)


def _rows(rows: Sequence[Sequence[int]]) -> Words:
    width = code.ROW_BYTES // 8
    return _words([word for row in rows for word in (*row, *[0] * (width - len(row)))] or [0])


def _wanted(shape: Sequence[Dim], slot: int, symbols: dict[str, int]) -> list[int]:
    """A row of dims, see ANY of trampoline/code.py; `slot` is where the first size is stored."""
    row: list[int] = []
    for axis, dim in enumerate(shape):
        if isinstance(dim, int):
            row.append(dim)
        elif dim is None or dim not in symbols:
            row.append(code.ANY)
            if dim is not None:
                symbols[dim] = slot + axis
        else:
            row.append(code.ANY - 1 - symbols[dim])
    return row


def _argument_row(dtype: DType, ndim: int, slot: int, dims: int) -> list[int]:
    stored, least, most = code.STORED_INTEGER, 0, 0
    if dtype == dtypes.float32:
        stored = code.STORED_FLOAT32
    elif dtype == dtypes.float64:
        stored = code.STORED_FLOAT64
    elif dtype == dtypes.bool_:
        stored, most = code.STORED_BOOL, 1
    elif dtype in dtypes.COMPLEX | dtypes.HALF:
        # No number but NumPy's own is taken as it is: none lies within these bounds.
        least, most = 1, 0
    else:
        limits = np.iinfo(dtype)
        least, most = int(limits.min), min(int(limits.max), 2**63 - 1)
    return [id(dtype), ndim, slot, dims, id(dtype.type), stored, least, most]


# -- what goes wrong ------------------------------------------------------------------------------


def _fail(compiled: Compiled, number: int, pointer: int, inputs: int) -> NoReturn:
    """The error of a run that ended with `number`."""
    if number > 0:
        compiled.explain(number, pointer, inputs)
        raise CompilerError(f"machine code: site {number} failed and has no error\n{_BUG}")
    if number == code.DAMAGED:
        raise CompilerError(runtime.damage(pointer))
    if number == code.NO_CONTEXT:
        raise RunError(f"run: there is no memory to start a run\n  at {capture()}")
    if number == _NO_MEMORY:
        raise _no_memory(pointer, f"{_field(pointer, context.MEMORY_REFUSED)} bytes")
    why = {
        code.NO_RESULT: "ended without asking for every result",
        _EXCEPTION: "was interrupted, and no exception says why",
    }.get(number, f"ended with {number}, which has no meaning")
    raise CompilerError(f"machine code: a run {why}\n{_BUG}")


_EXCEPTION, _NO_MEMORY = -1, -2


def _misfit(
    compiled: Compiled,
    updates: Sequence[tuple[str, Shape]],
    misfit: Misfit,
    k: int,
    pointer: int,
    dims: int,
) -> NoReturn:
    """The error of a result that could not be made."""
    wanted = compiled.outputs[k].type
    assert wanted.shape is not None
    shape = tuple((ctypes.c_int64 * len(wanted.shape)).from_address(dims)) if wanted.shape else ()
    update = k - (len(compiled.outputs) - len(updates))
    if update >= 0 and not compatible(shape, updates[update][1]):
        misfit(updates[update][0], shape)
    raise _no_memory(pointer, bytes_of(shape, wanted.dtype))


def _no_memory(pointer: int, asked: str) -> RunError:
    used = _field(pointer, context.MEMORY_NOW) + _field(pointer, code.FRAME["FRAME_RESULT_BYTES"])
    limit = _field(pointer, context.MEMORY_LIMIT)
    if limit == context.NO_LIMIT:
        return no_memory(asked)
    had = f"and had {used} bytes; the session's memory_limit is {limit} bytes"
    return no_memory(asked, had, "raise memory_limit, or ")


def _field(pointer: int, offset: int) -> int:
    return int(ctypes.c_int64.from_address(pointer + offset).value)


def _no_host(site: int, arguments: int) -> NoReturn:
    raise CompilerError(f"machine code: site {site} calls Python and nothing answers\n{_BUG}")


__all__ = [
    "LIST", "SINGLE", "TUPLE", "Bound", "Finder", "MachineCallable", "Store", "check", "trampoline",
]  # fmt: skip
