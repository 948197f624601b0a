"""Where in the user's program a node was made.

A Location is the innermost frame outside this package; the examples that ship in
``staticgraph/demo`` count as the user's. The function that this frame calls is what the user asked
for, of whatever operations it is made. Locations are interned by code object, instruction and
called function, so a loop that builds 100,000 nodes on one line keeps one Location.
"""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
from types import CodeType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_CONTEXTLIB = contextlib.__file__
_DEMO = os.path.join(_PACKAGE, "demo") + os.sep
# Frames of these say nothing of what was called: `Graph.add` itself, and decorators.
_SILENT = (os.path.join(_PACKAGE, "core") + os.sep, _CONTEXTLIB)
# Through these NumPy hands its functions to tensors: what they call has the name that is wanted.
_HANDED_ON = frozenset({"array_function", "array_ufunc"})


class Location:
    """A line of the user's program.

    `call` is the public function of this package that the line calls, "" where an operator, a
    derivative or a pass made the node. `adjoint_of` and `forward` are set on adjoint nodes: the
    name of the node whose adjoint this belongs to, and where that one was made.
    """

    __slots__ = ("adjoint_of", "call", "filename", "forward", "function", "line", "text")

    def __init__(
        self,
        filename: str,
        line: int,
        text: str = "",
        function: str = "",
        adjoint_of: str | None = None,
        forward: Location | None = None,
        call: str = "",
    ) -> None:
        self.filename, self.line, self.text, self.function = filename, line, text, function
        self.adjoint_of, self.forward, self.call = adjoint_of, forward, call

    @property
    def short(self) -> str:
        """``file:line``, with the path relative to the working directory where it lies below."""
        return f"{display_path(self.filename)}:{self.line}"

    def of_adjoint(self, name: str, forward: Location | None) -> Location:
        """This line, as the place where the adjoint of node `name` was asked for."""
        return Location(self.filename, self.line, self.text, self.function, name, forward)

    def __str__(self) -> str:
        where = f"{self.short}: {self.text}" if self.text else self.short
        if self.adjoint_of is None:
            return where
        of = f" at {self.forward}" if self.forward is not None else ""
        return f"{where} (adjoint of '{self.adjoint_of}'{of})"

    def __repr__(self) -> str:
        return f"<Location {self}>"


UNKNOWN = Location("<unknown>", 0)


def display_path(filename: str) -> str:
    """A path as messages show it: relative where it lies below the working directory."""
    prefix = os.getcwd() + os.sep
    return filename[len(prefix) :] if filename.startswith(prefix) else filename


def is_internal(filename: str) -> bool:
    """Whether a source file belongs to the package rather than to its user.

    The package's functions are decorated by contextlib's, whose frames lie between.
    """
    if filename == _CONTEXTLIB:
        return True
    return filename.startswith(_PACKAGE) and not filename.startswith(_DEMO)


def _spoken(function: str, inner: str) -> str:
    """What the user called, so far as frames are known: `function`, or what it called itself.

    Operators (``__add__``) are not called by name; private functions and lambdas hand a call on.
    """
    if function.startswith("__"):
        return ""
    return inner if function.startswith(("_", "<")) or function in _HANDED_ON else function


class LocationTable:
    """Interns Locations; each graph owns one, so that nothing outlives its graph."""

    __slots__ = ("_internal", "_known")

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, str], tuple[Location, CodeType]] = {}
        # Of a source file: whether it is the package's, and whether its functions are public there.
        self._internal: dict[str, tuple[bool, bool]] = {}

    def capture(self) -> Location:
        """The Location of the innermost frame that is not staticgraph's own."""
        frame = sys._getframe(1)
        internal = self._internal
        call = ""
        while True:
            code = frame.f_code
            filename = code.co_filename
            known_file = internal.get(filename)
            if known_file is None:
                speaks = not filename.startswith(_SILENT)
                known_file = internal[filename] = (is_internal(filename), speaks)
            inside, speaks = known_file
            if not inside:
                break
            if speaks:
                call = _spoken(code.co_name, call)
            outer = frame.f_back
            if outer is None:
                return UNKNOWN
            frame = outer
        # The code object is kept beside its Location: its id stays its own while it lives.
        key = (id(code), frame.f_lasti, call)
        known = self._known.get(key)
        if known is not None:
            return known[0]
        line = frame.f_lineno
        text = linecache.getline(filename, line, frame.f_globals).strip()
        location = Location(filename, line, text, code.co_name, call=call)
        self._known[key] = (location, code)
        return location


def capture() -> Location:
    """The user's line, for messages that belong to no graph."""
    return LocationTable().capture()
