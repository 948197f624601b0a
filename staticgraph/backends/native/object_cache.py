"""Machine code on the disk, for the next process.

An entry is a file named by the key of its contents: names, object code, and a checksum over both
and the key, so that whatever is truncated, damaged or misplaced is noticed. Entries are never
changed: a new one is written under another name and then renamed, so that a reader sees all of it
or nothing, however many processes write at once.

The cache never makes a run fail. What cannot be read is compiled again; what cannot be written is
not kept; either is a `CacheWarning`. Since the code will be run, a folder that somebody else could
write to is not used.

The total is bounded. Nobody looks through the folder to keep it so, but once in a while: every
writer makes the file LEDGER longer, by a byte for each block of what it wrote, and who finds it
grown by a sixteenth of the limit takes it away (only one can) and deletes what was not used for the
longest time.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from staticgraph.backends.native.elf import undefined_symbols
from staticgraph.errors import CacheWarning

# Names that nobody else gives to files: those that are deleted here shall be the cache's own.
SUFFIX = ".sgcode"
LEDGER = "written.sgcode-ledger"
_TEMPORARY = ".sgcode-new"
_BLOCK = 4096
# What a writer left behind that was killed; no writer needs as long.
_STALE_SECONDS = 3600
_MAGIC = b"sgcode1\n"
_DIGEST_BYTES = 32
# Magic, checksum, lengths of the two lists of names and of the code.
_HEADER = struct.Struct(f"<8s{_DIGEST_BYTES}sQQQ")
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_FOREIGN_WRITABLE = stat.S_IWGRP | stat.S_IWOTH

_warned: set[tuple[Path, str]] = set()


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Image:
    """Object code that is not loaded yet.

    code      the object file
    defined   the names that it defines
    wanted    the names that it refers to
    """

    code: bytes
    defined: tuple[str, ...]
    wanted: tuple[str, ...]


@dataclass(frozen=True)
class ObjectCache:
    """The entries in a folder, of at most `limit` bytes together."""

    directory: Path
    limit: int

    def read(self, key: bytes) -> Image | None:
        """The entry of that key, which becomes the one used last; None when there is none."""
        path = self._path(key)
        if not self._trusted():
            return None
        try:
            with open(os.open(path, os.O_RDONLY | _NO_FOLLOW), "rb") as file:
                private = _private(os.fstat(file.fileno()))
                data = file.read() if private else b""
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn_once(f"it cannot be read ({error.strerror})")
            return None
        if not private:
            self._warn(f"others can write to {path.name}; it is not used")
            return None
        image = _unpack(key, data)
        if image is None:
            self._warn(f"{path.name} is damaged; what was in it is compiled again")
            return None
        with suppress(OSError):
            os.utime(path)
        return image

    def write(self, key: bytes, image: Image) -> None:
        """Keeps an entry, in place of one that may be there."""
        data = _pack(key, image)
        temporary = self._temporary()
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._trusted():
                return
            _write_new(temporary, data)
            os.replace(temporary, self._path(key))
            self._account(len(data))
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            # Where a file that is open cannot be replaced, whoever has it open reads the same code.
            if not (sys.platform == "win32" and self._path(key).exists()):
                self._warn_once(f"it cannot be written to ({error.strerror})")

    def sweep(self) -> None:
        """Deletes what was not used for the longest time until a sixteenth of the limit is free."""
        entries = []
        total = 0
        now = time.time()
        with os.scandir(self.directory) as listing:
            for entry in listing:
                with suppress(OSError):  # others sweep too
                    about = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(SUFFIX):
                        entries.append((about.st_mtime_ns, about.st_size, entry.path))
                        total += about.st_size
                    stale = now - about.st_mtime > _STALE_SECONDS
                    if stale and entry.name.endswith(_TEMPORARY):
                        os.unlink(entry.path)
        for _, size, path in sorted(entries):
            if total <= self.limit - self.limit // 16:
                return
            with suppress(OSError):
                os.unlink(path)
            total -= size

    def _account(self, written: int) -> None:
        """Notes in the ledger what was written, and sweeps when that has become much."""
        ledger = self.directory / LEDGER
        handle = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_FOLLOW, 0o600)
        try:
            os.write(handle, bytes(-(-written // _BLOCK)))
            noted = os.fstat(handle).st_size
        finally:
            os.close(handle)
        if noted * _BLOCK < self.limit // 16:
            return
        taken = self._temporary()
        try:
            os.rename(ledger, taken)
        except FileNotFoundError:
            return  # another writer sweeps
        taken.unlink()
        self.sweep()

    def _path(self, key: bytes) -> Path:
        return self.directory / f"{key.hex()}{SUFFIX}"

    def _temporary(self) -> Path:
        # Not the number of the process: machines that share a folder count their own.
        return self.directory / f"{os.urandom(8).hex()}{_TEMPORARY}"

    def _trusted(self) -> bool:
        """Whether only this user can have written what is in the folder; it need not exist."""
        try:
            about = os.stat(self.directory)
        except OSError:
            return True
        if _private(about):
            return True
        self._warn_once("it is not used: it belongs to another user, or others can write to it")
        return False

    def _warn(self, problem: str) -> None:
        warnings.warn(
            f"the cache of machine code in {self.directory}: {problem}\n"
            "  STATICGRAPH_CACHE names another folder; empty, nothing is kept",
            CacheWarning,
            stacklevel=2,
        )

    def _warn_once(self, problem: str) -> None:
        if (self.directory, problem) not in _warned:
            _warned.add((self.directory, problem))
            self._warn(problem)


def _private(about: os.stat_result) -> bool:
    if sys.platform == "win32":
        return True  # the folders of a user are closed to others there, and modes say nothing
    return about.st_uid == os.geteuid() and not about.st_mode & _FOREIGN_WRITABLE


def _write_new(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o600)
    with open(handle, "wb", buffering=0) as file:
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]


def _checksum(key: bytes, body: bytes | memoryview) -> bytes:
    return blake2b(body, digest_size=_DIGEST_BYTES, key=key[:64]).digest()


def _pack(key: bytes, image: Image) -> bytes:
    defined = "\n".join(image.defined).encode()
    wanted = "\n".join(image.wanted).encode()
    lengths = (len(defined), len(wanted), len(image.code))
    body = b"".join((struct.pack("<QQQ", *lengths), defined, wanted, image.code))
    return _MAGIC + _checksum(key, body) + body


def _unpack(key: bytes, data: bytes) -> Image | None:
    if len(data) < _HEADER.size:
        return None
    magic, checksum, defined, wanted, code = _HEADER.unpack_from(data)
    if magic != _MAGIC or len(data) != _HEADER.size + defined + wanted + code:
        return None
    if _checksum(key, memoryview(data)[len(_MAGIC) + _DIGEST_BYTES :]) != checksum:
        return None
    end = _HEADER.size + defined
    image = Image(
        data[end + wanted :], _names(data[_HEADER.size : end]), _names(data[end : end + wanted])
    )
    # LLVM ends the process over a name that nobody defines, so no list of them is believed.
    found = undefined_symbols(image.code)
    return image if found is None or set(found) <= set(image.wanted) else None


def _names(joined: bytes) -> tuple[str, ...]:
    return tuple(joined.decode().split("\n")) if joined else ()
