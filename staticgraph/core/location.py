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
from collections.abc import Callable, Sequence
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from staticgraph.core.node import Node
    from staticgraph.core.opdef import Mismatch

# What a composed function says of a node of its own that failed in a run: called with the node, its
# operands and what was raised; None where the operation's own message is to stand.
Explain = Callable[["Node", Sequence[Any], Exception], "Mismatch | None"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_CONTEXTLIB = contextlib.__file__
# NumPy's own Python code, and SciPy's beside it, meet tensors that the user gave them.
_NUMPY = os.path.dirname(np.__file__) + os.sep
_SCIPY = os.path.join(os.path.dirname(os.path.dirname(np.__file__)), "scipy") + os.sep
_DEMO = os.path.join(_PACKAGE, "demo") + os.sep
# Frames of these say nothing of what was called: `Graph.add` itself, and decorators.
_SILENT = (os.path.join(_PACKAGE, "core") + os.sep, _CONTEXTLIB, _NUMPY, _SCIPY)
# Through these NumPy hands its functions to tensors: what they call has the name that is wanted.
_HANDED_ON = frozenset({"array_function", "array_ufunc"})


class Location:
    """A line of the user's program.

    `call` is the public function of this package that the line calls, "" where an operator, a
    derivative or a pass made the node. `explain` is how that function puts the failure of the node
    in a run, if it has a way of its own. `adjoint_of` and `forward` are set on adjoint nodes: the
    name of the node whose adjoint this belongs to, and where that one was made.
    """

    __slots__ = ("adjoint_of", "call", "explain", "filename", "forward", "function", "line", "text")

    def __init__(
        self,
        filename: str,
        line: int,
        text: str = "",
        function: str = "",
        adjoint_of: str | None = None,
        forward: Location | None = None,
        call: str = "",
        explain: Explain | None = None,
    ) -> None:
        self.filename, self.line, self.text, self.function = filename, line, text, function
        self.adjoint_of, self.forward, self.call = adjoint_of, forward, call
        self.explain = explain

    @property
    def short(self) -> str:
        """``file:line``, with the path relative to the working directory where it lies below."""
        return f"{display_path(self.filename)}:{self.line}"

    def of_adjoint(self, name: str, forward: Location | None) -> Location:
        """This line, as the place where the adjoint of node `name` was asked for."""
        return Location(self.filename, self.line, self.text, self.function, name, forward)

    def explained(self, explain: Explain) -> Location:
        """This line, as the place of nodes whose failures `explain` puts in words."""
        return Location(
            self.filename, self.line, self.text, self.function, self.adjoint_of, self.forward,
            self.call, explain,
        )  # fmt: skip

    def spoken(self, function: str) -> str:
        """What a message calls `function`, of which a node here is a part.

        ``bincount (in its segment_sum)`` where the user's line calls another that is made of it.
        """
        return f"{self.call} (in its {function})" if self.call not in ("", function) else function

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

    The package's functions are decorated by contextlib's, whose frames lie between; so do those of
    NumPy and SciPy where a tensor is given to them.
    """
    if filename == _CONTEXTLIB or filename.startswith((_NUMPY, _SCIPY)):
        return True
    return filename.startswith(_PACKAGE) and not filename.startswith(_DEMO)


# What a frame says of the user's call: a name, "" (an operator, which is not called by name), or:
_USER = None  # it is the user's own
_HANDS_ON = object()  # nothing: private functions and lambdas hand on what they call themselves


def _told_by(code: CodeType) -> Any:
    """What a frame of `code` says of the user's call."""
    if not is_internal(code.co_filename):
        return _USER
    name = code.co_name
    if code.co_filename.startswith(_SILENT) or name in _HANDED_ON:
        return _HANDS_ON
    if name.startswith("__"):
        return ""
    return _HANDS_ON if name.startswith(("_", "<")) else name


class LocationTable:
    """Interns Locations; each graph owns one, so that nothing outlives its graph."""

    __slots__ = ("_known", "_told")

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, str], Location] = {}
        # By the id of a code object, which stays its own since the object is kept beside.
        self._told: dict[int, tuple[Any, CodeType]] = {}

    def capture(self) -> Location:
        """The Location of the innermost frame that is not staticgraph's own."""
        frame = sys._getframe(1)
        told = self._told
        call = ""
        while True:
            code = frame.f_code
            known_code = told.get(id(code))
            if known_code is None:
                known_code = told[id(code)] = (_told_by(code), code)
            what = known_code[0]
            if what is _USER:
                break
            if what is not _HANDS_ON:
                call = what
            outer = frame.f_back
            if outer is None:
                return UNKNOWN
            frame = outer
        key = (id(code), frame.f_lasti, call)
        known = self._known.get(key)
        if known is not None:
            return known
        line = frame.f_lineno
        text = linecache.getline(code.co_filename, line, frame.f_globals).strip()
        location = Location(code.co_filename, line, text, code.co_name, call=call)
        self._known[key] = location
        return location


def capture() -> Location:
    """The user's line, for messages that belong to no graph."""
    return LocationTable().capture()
