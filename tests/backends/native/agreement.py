"""Runs the same fetches on machine code and on the reference, and says where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import StaticGraphError

Array = np.ndarray[Any, Any]


class Agreement:
    """Fetches of the default graph, compiled once for feeds of any size."""

    def __init__(self, fetches: Any, feeds: Sequence[sg.Tensor]) -> None:
        self.sessions = [sg.Session(backend=backend, seed=0) for backend in ("native", "reference")]
        self.runs = [session.make_callable(fetches, feeds) for session in self.sessions]

    def check(self, *arrays: Array) -> list[Any] | str:
        """The results, which are equal bit for bit; or the error, whose text is the same."""
        native, reference = [outcome(run, arrays) for run in self.runs]
        if isinstance(native, str) or isinstance(reference, str):
            assert native == reference
            return reference
        for have, want in zip(native, reference, strict=True):
            np.testing.assert_array_equal(have, want, strict=True)
            if np.asarray(want).dtype.kind == "f":
                number = ~np.isnan(want)
                np.testing.assert_array_equal(np.signbit(have)[number], np.signbit(want)[number])
        return native


def outcome(run: Any, arrays: Sequence[Array]) -> list[Any] | str:
    try:
        result = run(*arrays)
    except StaticGraphError as error:
        return f"{type(error).__name__}: {error}"
    return list(result) if isinstance(result, list | tuple) else [result]
