"""Machine code in memory: LLVM text is compiled, loaded and kept for as long as it is needed.

What always holds: a `Library` lives as long as somebody holds it, and its code is unloaded when
nobody does. Equal texts are compiled once in a process. Everything here may be called from any
thread; one lock guards it all, since llvmlite lets one thread at a time into LLVM anyway. LLVM is
loaded when the first module is compiled, never by an import.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

from staticgraph import config
from staticgraph.backends.native import targets
from staticgraph.backends.native.targets import Target
from staticgraph.errors import CompilerError

llvm = config.LazyModule("llvmlite.binding")

DEFAULT_LEVEL = 0


@dataclass(frozen=True)
class Statistics:
    """What was done since the process began.

    compiled     modules that LLVM made machine code of
    from_cache   modules whose machine code was read from the disk
    shared       modules that were loaded already
    seconds      time spent on all of it
    """

    compiled: int = 0
    from_cache: int = 0
    shared: int = 0
    seconds: float = 0.0


class Library:
    """Loaded machine code. It stays where it is until this object is garbage."""

    def __init__(self, engine: Any, names: frozenset[str]) -> None:
        self._engine = engine
        self._names = names

    def address(self, name: str) -> int:
        """Where the function or the variable of that name is in memory."""
        if name not in self._names:
            raise CompilerError(f"the module defines no @{name}")
        with _lock:
            return int(self._engine.get_global_value_address(name))


_lock = threading.RLock()
_statistics = Statistics()
_loaded: WeakValueDictionary[tuple[str, int], Library] = WeakValueDictionary()
_symbols: dict[str, int] = {}


def statistics() -> Statistics:
    """The counters as they are now."""
    return _statistics


def add_symbol(name: str, address: int) -> None:
    """Makes `address` known as @name to all modules that are loaded from now on."""
    with _lock:
        if _symbols.get(name, address) != address:
            # A module that is loaded already calls the old address.
            _loaded.clear()
        _symbols[name] = address
        llvm.add_symbol(name, address)


def compile_module(text: str, level: int = DEFAULT_LEVEL, *, shared: bool = True) -> Library:
    """The machine code of a module of LLVM's language, for this processor.

    level   effort of code generation, 0 to 3
    shared  whether an equal module that is loaded already will do; then its variables are the same
    """
    with _lock:
        found = _loaded.get((text, level)) if shared else None
        if found is not None:
            _count(shared=1)
            return found
        start = time.perf_counter()
        library = _load(text, level)
        if shared:
            _loaded[text, level] = library
        _count(compiled=1, seconds=time.perf_counter() - start)
        return library


def verified(text: str) -> Any:
    """The parsed module, verified when checking is on; a CompilerError when it is not sound."""
    try:
        module = llvm.parse_assembly(text)
        if config.check_enabled():
            module.verify()
    except RuntimeError as error:
        raise CompilerError(f"LLVM does not accept a module: {error}") from error
    return module


def assembly(text: str, target: Target | None = None, level: int = DEFAULT_LEVEL) -> str:
    """The assembly text of a module, for this processor or for another one."""
    with _lock:
        machine = targets.machine(target or targets.host(), level)
        return str(machine.emit_assembly(verified(text)))


def _load(text: str, level: int) -> Library:
    module = verified(text)
    values = [*module.functions, *module.global_variables]
    defined = [value.name for value in values if not value.is_declaration]
    wanted = [value.name for value in values if value.is_declaration]
    code = targets.machine(targets.host(), level).emit_object(module)
    # The engine belongs to an empty module, so that code from the disk and new code go one way.
    engine = llvm.create_mcjit_compiler(
        llvm.parse_assembly(""), targets.machine(targets.host(), level)
    )
    for name in wanted:
        if not name.startswith("llvm.") and llvm.address_of_symbol(name) is None:
            # LLVM would end the process.
            raise CompilerError(f"the module refers to @{name}, which nobody defines")
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Library(engine, frozenset(defined))


def _count(compiled: int = 0, from_cache: int = 0, shared: int = 0, seconds: float = 0.0) -> None:
    global _statistics
    _statistics = replace(
        _statistics,
        compiled=_statistics.compiled + compiled,
        from_cache=_statistics.from_cache + from_cache,
        shared=_statistics.shared + shared,
        seconds=_statistics.seconds + seconds,
    )


if hasattr(os, "register_at_fork"):
    # A child that is forked while another thread compiles would wait for that thread for ever.
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
