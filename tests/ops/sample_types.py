"""The two kinds of entry in the sample table: inputs an op takes, and operands it refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Sample:
    """One way to call an op.

    op          the registered name of the op that the call must make a node of
    build       takes one placeholder per array of `inputs`, returns the Tensor (or tuple of them)
    inputs      arrays to feed
    expected    the meaning in plain NumPy/SciPy, written independently of the op's record
    wrt         numbers of the inputs to differentiate with respect to; () if there is no derivative
    order       highest order of derivative that is compared with finite differences
    label       tells several samples of one op apart
    tolerance   relative tolerance of the value (dtype-dependent default when None)
    """

    op: str
    build: Callable[..., Any]
    inputs: tuple[np.ndarray[Any, Any], ...]
    expected: Callable[..., Any]
    wrt: tuple[int, ...] = ()
    order: int = 2
    label: str = ""
    tolerance: float | None = None


@dataclass(frozen=True)
class Refusal:
    """One way to call an op wrongly.

    build       makes its own placeholders, named, and calls the op on ONE line, which must raise
    message     the whole message; ``{here}`` stands for the ``file:line`` of the failing call and
                ``{line}`` for its source text
    """

    op: str
    build: Callable[[], Any]
    error: type[Exception]
    message: str
    label: str = ""
