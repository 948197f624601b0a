"""What the caller of a compiled Function has to know: the seam between compiler and trampoline.

The compiler makes one `Compiled` per Function; the trampoline turns it into something Python can
call. Nothing else passes between them. What holds on either side:

The caller's promise. ``sg_main(ctx, inputs)`` gets arrays of exactly the dtype and the rank of
`inputs`, C-contiguous, aligned, in native byte order; sizes that `inputs` gives as an int are that;
sizes of feeds with one symbol are equal. Inputs are alive and unchanged until ``sg_main`` returns.

The machine code's promise. It asks for every result exactly once (``sg_output``) in a run that ends
with 0. Results that may not be written in place are asked for before ``sg_commit``, those that may
be after it. After ``sg_commit`` nothing fails but ``sg_output``, which cannot when results are
written in place: no site, no host call, no allocation, no poll. A Function without updates need not
call ``sg_commit``. Every element of a result is written; what a result written in place held
before is the input it overwrites.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from staticgraph.core.types import TensorType

FEED = "feed"
VARIABLE = "variable"
KEY = "key"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of the Function.

    kind    FEED, VARIABLE or KEY (the attribute `kind` of the parameter); a KEY is uint64[2]
    type    its rank is known
    name    the parameter's, for messages and for `repr`; a variable's own name
    """

    kind: str
    type: TensorType
    name: str


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One output of the Function.

    type        its rank is known
    overwrites  the input (its position) whose memory the code can take for this output: a variable
                of the same dtype whose sizes are provably the same, not needed once the output
                is written, and taken by no other output. None: always a fresh array.
    """

    type: TensorType
    overwrites: int | None = None


@dataclass(frozen=True, slots=True)
class Compiled:
    """Machine code of one Function.

    address   of ``i32 sg_main(ptr ctx, ptr inputs)``
    inputs    in the order of the Function
    outputs   in the order of the Function: what was fetched, then new values of variables
    long      a run may take more than some 10 microseconds: release the GIL for it. Code that
              knows better only when it sees the sizes may call ``void sg_release_gil(ptr ctx)``
              instead (as often as it likes; it does nothing when the GIL is released already).
    explain   ``explain(site, context, inputs)`` raises the error of a failed site (a number above
              0); the addresses are those that ``sg_main`` was given and are good during the call.
              Returning is a bug in the compiler and reported as one.
    host      ``host(site, arguments)`` does what ``sg_host_call`` asks for, GIL held; an exception
              ends the run. None when the code calls no host.
    keep      what has to stay alive while the code can run: the library, the constants
    peak      the most bytes that the last run had at a time, its results apart; -1 before it
    """

    address: int
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    long: bool
    explain: Callable[[int, int, int], NoReturn]
    host: Callable[[int, int], None] | None = None
    keep: tuple[object, ...] = ()
    peak: ctypes.c_int64 = field(default_factory=lambda: ctypes.c_int64(-1))
