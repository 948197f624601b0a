"""What a library's class gives: one method a workload, each taking its inputs, giving a `Prepared`.

A method does all that a program in that library does before its first call: it builds, traces and
declares. Its time and that of the first call together are "compile and first run".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Prepared:
    """A workload that is ready to be called.

    function    one evaluation; returns when the results are there. It is called as it stands, so
                that a library whose call is cheap does not pay for a wrapper
    arguments   what it is called with
    results     the values to compare between libraries; those of one more call if not given
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    results: Callable[[], list[Any]] | None = None

    def values(self) -> list[np.ndarray[Any, Any]]:
        """The values to compare, as arrays."""
        if self.results is not None:
            return [np.asarray(value) for value in self.results()]
        return [np.asarray(value) for value in leaves(self.function(*self.arguments))]


def leaves(value: Any) -> Iterable[Any]:
    """The entries of nested lists and tuples, in order; None is left out."""
    if isinstance(value, list | tuple):
        for entry in value:
            yield from leaves(entry)
    elif value is not None:
        yield value


def losses_of(step: Callable[[], Any], count: int = 3) -> Callable[[], list[Any]]:
    """The losses of the next steps: they agree only where the updates do too."""

    def losses() -> list[Any]:
        return [np.asarray(next(iter(leaves(step())))) for _ in range(count)]

    return losses


def moments_of(draw: Callable[[], Any]) -> Callable[[], list[Any]]:
    """Mean and standard deviation of what is drawn: all that two streams have in common."""

    def moments() -> list[Any]:
        (values,) = (np.asarray(value, np.float64) for value in leaves(draw()))
        return [np.array([values.mean(), values.std()])]

    return moments


class Peer:
    """A library. Methods named in `workloads.TABLE` are its setups."""

    def start(self) -> None:
        """Runs something tiny, so that what a library does once is not charged to a workload."""

    def reset(self) -> None:
        """Called after each workload: puts settings back that a workload changed."""

    def versions(self) -> dict[str, str]:
        """Versions of the packages that do the work."""
        raise NotImplementedError
