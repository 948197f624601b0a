"""What a session has run lately, in the tables of find.py."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

from staticgraph.backends.native.trampoline import find as code
from staticgraph.backends.native.trampoline.code import ROW_BYTES
from staticgraph.backends.native.trampoline.load import MachineCallable, trampoline

Words = ctypes.Array[ctypes.c_int64]

# Training runs a step, now and then an evaluation; more kinds of runs than this find their call in
# a Python dict.
MOST_ROWS = 16


class Finder:
    """The runs that a session remembers. `find` calls what one means, or returns `unknown`.

    unknown     what `find` returns for a run that is not remembered
    operations  the list of the graph's operations: a run is found only while it is no longer than
                the session has seen it, see `grown`
    """

    def __init__(self, unknown: object, operations: list[Any]) -> None:
        self._table = (ctypes.c_int64 * 5)()
        self._put("FIND_OPERATIONS", id(operations))
        self._put("FIND_UNKNOWN", id(unknown))
        self._rows: list[tuple[list[int], tuple[Any, ...]]] = []
        self._words: Words = self._table
        kept = (self._table, unknown, operations)
        self.find = trampoline().new_finder(ctypes.addressof(self._table), kept)

    def _put(self, field: str, value: int) -> None:
        self._table[code.CONSTANTS[field] // 8] = value

    def grown(self, size: int) -> None:
        """The session has seen the graph with so many operations."""
        self._put("FIND_SIZE", size)

    def add(self, fetches: Any, feed: Mapping[Any, Any], call: Any) -> None:
        """Remembers a run: what it fetches, what it feeds, in this order, and what it calls.

        fetches     a list or a tuple, or something that is fetched alone
        """
        if not isinstance(call, MachineCallable) or len(feed) > code.MOST_FEEDS:
            return
        kind = type(fetches) if isinstance(fetches, list | tuple) else None
        items = tuple(fetches) if kind else (fetches,)
        item_table, key_table = _addresses(items), _addresses(tuple(feed))
        row = [
            id(kind) if kind else 0, len(items), ctypes.addressof(item_table), len(feed),
            ctypes.addressof(key_table), id(call),
        ]  # fmt: skip
        self._rows.insert(0, (row, (items, tuple(feed), item_table, key_table, call)))
        del self._rows[MOST_ROWS:]
        self._write()

    def clear(self) -> None:
        """Forgets all runs."""
        self._rows = []
        self._write()

    def _write(self) -> None:
        words = [
            word for row, _ in self._rows for word in (*row, *[0] * (ROW_BYTES // 8 - len(row)))
        ]
        table = (ctypes.c_int64 * max(len(words), 1))(*words)
        # Another thread may look at any moment: at no row, at the old ones or at the new ones.
        self._put("FIND_COUNT", 0)
        self._put("FIND_ROWS", ctypes.addressof(table))
        self._words = table
        self._put("FIND_COUNT", len(self._rows))


def _addresses(objects: tuple[Any, ...]) -> Words:
    return (ctypes.c_int64 * max(len(objects), 1))(*[id(item) for item in objects])
