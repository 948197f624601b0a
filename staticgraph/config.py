"""Switches read from the environment, and modules loaded only when something needs them.

The environment is read at every question, never stored: a test or a notebook can flip a
switch at any time. This module imports nothing of staticgraph but its errors.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from staticgraph.errors import StaticGraphError

VERSION = "0.1.0"
_CACHE_MEBIBYTES = 256


def check_enabled() -> bool:
    """Whether every pass is verified and every result compared with its inferred type.

    >>> isinstance(check_enabled(), bool)
    True
    """
    return os.environ.get("STATICGRAPH_CHECK", "0") not in ("", "0")


def dump_directory() -> str | None:
    """The folder into which passes write what they changed, or None."""
    return os.environ.get("STATICGRAPH_DUMP") or None


def disabled_passes() -> frozenset[str]:
    """Names of the passes that STATICGRAPH_DISABLE turns off (comma separated)."""
    listed = os.environ.get("STATICGRAPH_DISABLE", "")
    return frozenset(name.strip() for name in listed.split(",") if name.strip())


def shuffle_seed() -> int:
    """Seed of the order in which checking shuffles nodes within topological freedom."""
    given = os.environ.get("STATICGRAPH_SEED") or "0"
    if not given.isdecimal():
        raise StaticGraphError(
            f"STATICGRAPH_SEED is {given!r}, which is no seed\n"
            "  set it to an integer that is not negative, or not at all"
        )
    return int(given)


def cache_directory() -> Path | None:
    """Where machine code is kept from one process to the next, or None for nowhere.

    STATICGRAPH_CACHE names the folder; empty or "0" means that nothing is kept. When it is not set,
    it is the folder of caches of this user, as the system knows it. Without a home there is none.
    """
    given = os.environ.get("STATICGRAPH_CACHE")
    if given is not None:
        return None if given in ("", "0") else Path(given).absolute()
    try:
        return _user_cache() / "staticgraph"
    except RuntimeError:
        return None


def _user_cache() -> Path:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) if local else Path.home() / "AppData" / "Local"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    # The rule of the desktop standard: what is not absolute is ignored.
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return given if given.is_absolute() else Path.home() / ".cache"


def cache_limit() -> int:
    """How many bytes of machine code are kept; STATICGRAPH_CACHE_LIMIT says it in MiB."""
    given = os.environ.get("STATICGRAPH_CACHE_LIMIT") or str(_CACHE_MEBIBYTES)
    if not given.isdecimal() or int(given) == 0:
        raise StaticGraphError(
            f"STATICGRAPH_CACHE_LIMIT is {given!r}, which is no number of MiB\n"
            "  set it to a positive integer, or not at all; STATICGRAPH_CACHE=0 keeps nothing"
        )
    return int(given) << 20


@contextmanager
def collector_paused() -> Iterator[None]:
    """Within the ``with`` block (or the decorated function) no cyclic garbage is collected.

    A transformation of a large graph makes millions of objects of which none can be garbage yet;
    CPython's collector would walk all of them again and again, which costs as much as the work
    itself and makes it grow faster than the graph. What was switched on is switched on again.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class LazyModule:
    """A module that is imported when an attribute of it is first asked for.

    `import staticgraph` stays fast because what only some programs need (SciPy's special
    functions, Graphviz) is named at the top of a module through this class.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(importlib.import_module(self._name), attribute)
        setattr(self, attribute, value)
        return value
