"""Machine code in memory: LLVM text is compiled, loaded and kept for as long as it is needed.

What always holds: a `Library` lives as long as somebody holds it, and its code is unloaded when
nobody does. While one lives, an equal text is not compiled again in this process; and what was
compiled in any process is read from the disk (object_cache.py). Everything here may be called from
any thread; one lock guards it all, since llvmlite lets one thread at a time into LLVM anyway. LLVM
is loaded when the first module is compiled, never by an import.

Code goes one way, be it new or from the disk: an object file is given to an engine of its own. Each
engine is freed whole, which MCJIT does without a leak where the newer JIT keeps 10 KiB a module.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from staticgraph import config
from staticgraph.backends.native import targets
from staticgraph.backends.native.elf import undefined_symbols
from staticgraph.backends.native.object_cache import Image, ObjectCache
from staticgraph.backends.native.targets import Target
from staticgraph.errors import CompilerError

llvmlite = config.LazyModule("llvmlite")
llvm = config.LazyModule("llvmlite.binding")

DEFAULT_LEVEL = 0
# Above level 0 LLVM takes time that grows faster than a function: where 1,000 lines take 50 ms,
# 30,000 take 6 s. At level 0 each line takes the same.
LARGE_FUNCTION_LINES = 5_000
_LOCAL = ("internal", "private")


@dataclass(frozen=True)
class Statistics:
    """What was done since the process began.

    compiled     modules that LLVM made machine code of
    from_cache   modules whose machine code was read from the disk
    shared       modules whose machine code was in memory already
    seconds      time spent on all of it
    """

    compiled: int = 0
    from_cache: int = 0
    shared: int = 0
    seconds: float = 0.0


COMPILED, FROM_DISK, IN_MEMORY = "compiled", "read from the disk", "in memory already"


class PartNote(NamedTuple):
    """What became of a part of a module.

    level    the effort of code generation that it got
    origin   COMPILED, FROM_DISK or IN_MEMORY
    wanted   what it refers to and does not define
    """

    level: int
    origin: str
    seconds: float
    wanted: tuple[str, ...]


_lock = threading.RLock()


class Library:
    """Loaded machine code. It stays where it is until this object is garbage."""

    def __init__(self, engine: Any, images: tuple[Image, ...]) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}
        self.images = images

    def __del__(self, lock: Any = _lock) -> None:
        # Unloading is work for LLVM, and no fork may come upon a thread that is in there.
        with lock:
            self._engine = None

    def address(self, name: str) -> int:
        """Where the function or the variable of that name is in memory."""
        found = self._addresses.get(name)
        if found is None:
            if not any(name in image.defined for image in self.images):
                raise CompilerError(f"the module defines no @{name}")
            with _lock:
                found = int(self._engine.get_global_value_address(name))
            self._addresses[name] = found
        return found


_statistics = Statistics()
# By key: libraries that may be shared, and the object code of all that are loaded.
_shared: WeakValueDictionary[tuple[bytes, ...], Library] = WeakValueDictionary()
_images: WeakValueDictionary[bytes, Image] = WeakValueDictionary()
_symbols: dict[str, int] = {}
# Who knows where functions with such names are, by the beginning of the names.
_providers: dict[str, Callable[[str], int]] = {}


def statistics() -> Statistics:
    """The counters as they are now."""
    return _statistics


def add_symbol(name: str, address: int) -> None:
    """Makes `address` known as @name to all modules that are loaded from now on."""
    with _lock:
        if _symbols.get(name, address) != address:
            # What is loaded already calls the old address.
            _shared.clear()
        _symbols[name] = address
        llvm.add_symbol(name, address)


def provide(prefix: str, find: Callable[[str], int]) -> None:
    """Lets `find` say where the functions are whose names begin so, when code first names one."""
    _providers[prefix] = find


def _provided(name: str) -> bool:
    """Whether somebody knew where the function is; then all modules know it."""
    for prefix, find in _providers.items():
        if name.startswith(prefix):
            add_symbol(name, find(name))
            return True
    return False


def compile_module(text: str, level: int = DEFAULT_LEVEL, *, shared: bool = True) -> Library:
    """The machine code of a module of LLVM's language, for this processor.

    level   effort of code generation, 0 to 2
    shared  whether an equal module that is loaded already will do; then its variables are the same

    A text that LLVM does not accept, or that refers to a name which nobody defines, is a
    CompilerError.
    """
    return compile_parts([(text, level)], shared=shared)


def compile_parts(
    parts: Sequence[tuple[str, int]], *, shared: bool = True, notes: list[PartNote] | None = None
) -> Library:
    """The machine code of modules that refer to each other, each a (text, level).

    Each part is compiled, and kept on the disk, by itself: a part that stood in another program
    is there already. A part with a function that is too large for its level gets level 0.

    notes   gets what became of each part
    """
    with _lock:
        start = time.perf_counter()
        target = targets.host()
        # A part that is named twice is one part.
        afforded = [(text, affordable_level(text, level)) for text, level in parts]
        found = {_key(text, level, target): (text, level) for text, level in afforded}
        keys = tuple(found)
        library = _shared.get(keys) if shared else None
        if library is not None:
            _count(start, shared=len(keys))
            if notes is not None:
                levels = [level for _, level in found.values()]
                notes += map(PartNote, levels, [IN_MEMORY] * len(keys), [0.0] * len(keys), [
                    image.wanted for image in library.images
                ])  # fmt: skip
            return library
        images = tuple(_find(key, text, level, notes) for key, (text, level) in found.items())
        library = _load(images)
        if shared:
            _shared[keys] = library
        _count(start)
        return library


def affordable_level(text: str, wanted: int) -> int:
    """The level at which a module is compiled when `wanted` is asked for.

    It is 0 when one of the module's functions is too large for anything above.

    >>> affordable_level("define void @f() {\\n  ret void\\n}", 2)
    2
    """
    if wanted == 0:
        return 0
    longest = max(function.count("\n") for function in text.split("\ndefine "))
    return 0 if longest > LARGE_FUNCTION_LINES else wanted


def emit(text: str, level: int = DEFAULT_LEVEL, target: Target | None = None) -> Image:
    """The object code of a module, for this processor or for another one; nothing is loaded."""
    with _lock:
        machine = targets.machine(target or targets.host(), level)
        module = _parsed(text)
        values = [*module.functions, *module.global_variables]
        code = bytes(machine.emit_object(module))
        wanted = undefined_symbols(code)
        if wanted is None:
            wanted = tuple(
                value.name
                for value in values
                if value.is_declaration and not value.name.startswith("llvm.")
            )
        defined = tuple(
            value.name
            for value in values
            if not value.is_declaration and value.linkage.name not in _LOCAL
        )
        return Image(code, defined, wanted)


def assembly(text: str, level: int = DEFAULT_LEVEL, target: Target | None = None) -> str:
    """The assembly text of a module, for this processor or for another one."""
    with _lock:
        machine = targets.machine(target or targets.host(), level)
        return str(machine.emit_assembly(_parsed(text)))


def verified_text(text: str) -> str:
    """A module as LLVM prints it, verified whether checking is on or not."""
    with _lock:
        module = _parsed(text)
        _verify(module)
        return str(module)


def _parsed(text: str) -> Any:
    try:
        # A context of its own dies with the module; the common one would keep all constants.
        module = llvm.parse_assembly(text, llvm.create_context())
    except RuntimeError as error:
        raise CompilerError(f"LLVM cannot read a module\n  {error}") from error
    if config.check_enabled():
        _verify(module)
    return module


def _verify(module: Any) -> None:
    try:
        module.verify()
    except RuntimeError as error:
        raise CompilerError(f"LLVM finds a module unsound\n  {error}") from error


@cache
def _versions() -> str:
    llvm_version = ".".join(str(part) for part in llvm.llvm_version_info)
    made_by = f"staticgraph {config.VERSION} llvmlite {llvmlite.__version__} LLVM {llvm_version}"
    return f"{made_by} {targets.CODE_MODEL}"


def _key(text: str, level: int, target: Target) -> bytes:
    """What stands for the machine code: a digest of all that it depends on."""
    digest = blake2b(digest_size=32)
    for part in (_versions(), target.triple, target.cpu, target.features, str(level), text):
        data = part.encode()
        # With its length before each part, no two lists of parts are the same bytes.
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.digest()


def _find(key: bytes, text: str, level: int, notes: list[PartNote] | None) -> Image:
    """The object code of a part: from memory, from the disk, or made now."""
    start = time.perf_counter()
    image, origin = _found(key, text, level)
    if notes is not None:
        notes.append(PartNote(level, origin, time.perf_counter() - start, image.wanted))
    return image


def _found(key: bytes, text: str, level: int) -> tuple[Image, str]:
    image = _images.get(key)
    if image is not None:
        _count(shared=1)
        return image, IN_MEMORY
    directory = config.cache_directory()
    kept = None if directory is None else ObjectCache(directory, config.cache_limit())
    image = None if kept is None else kept.read(key)
    if image is not None:
        _count(from_cache=1)
        origin = FROM_DISK
    else:
        image = emit(text, level)
        if kept is not None:
            kept.write(key, image)
        _count(compiled=1)
        origin = COMPILED
    _images[key] = image
    return image, origin


def _load(images: tuple[Image, ...]) -> Library:
    # An engine is made for a module. Left inside, an empty one would be compiled too.
    module = llvm.parse_assembly("")
    engine = llvm.create_mcjit_compiler(module, targets.loader(targets.host()))
    engine.remove_module(module)
    defined = [name for image in images for name in image.defined]
    known = set(defined)
    if len(known) < len(defined):
        raise CompilerError("two modules that are loaded together define the same name")
    for image in images:
        for name in image.wanted:
            if name in known or llvm.address_of_symbol(name) is not None:
                continue
            if not _provided(name):
                # LLVM would end the process.
                raise CompilerError(f"a module refers to @{name}, which nobody defines")
        engine.add_object_file(llvm.ObjectFileRef.from_data(image.code))
    engine.finalize_object()
    return Library(engine, images)


def _count(
    start: float | None = None, compiled: int = 0, from_cache: int = 0, shared: int = 0
) -> None:
    global _statistics
    now = _statistics
    seconds = 0.0 if start is None else time.perf_counter() - start
    _statistics = Statistics(
        compiled=now.compiled + compiled,
        from_cache=now.from_cache + from_cache,
        shared=now.shared + shared,
        seconds=now.seconds + seconds,
    )


if hasattr(os, "register_at_fork"):
    # A child that is forked while another thread compiles would wait for that thread for ever.
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
