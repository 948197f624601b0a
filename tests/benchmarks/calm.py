"""Whether others used the machine while something was measured, and another try if they did.

Linux tells how long its processors have been busy, and how long each process has run. What is busy
and is neither the worker's session nor this process and its children is a disturbance: another
program, or a neighbour on the same hardware. Elsewhere nothing is known, and each measurement
counts as calm.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Answer = TypeVar("Answer")

# The share of the machine that others may take. Linux counts in hundredths of a second, which is
# some percent of a batch.
TOLERATED = 0.10
PAUSE_SECONDS = 0.2

_PROCESSES = Path("/proc")
# Places in the first line of /proc/stat: user, nice, system, irq, softirq, steal.
_BUSY = (0, 1, 2, 5, 6, 7)
# Places behind the name in /proc/<pid>/stat: session, and time of it and of children it waited for.
_SESSION, _TIMES = 3, (11, 12, 13, 14)


def _ticks() -> int:
    return os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float | None:
    """How long the processors have been busy since the start, all of them together."""
    path = _PROCESSES / "stat"
    if not path.exists():
        return None
    fields = path.read_text().split("\n", 1)[0].split()[1:]
    return sum(int(fields[place]) for place in _BUSY) / _ticks()


def session_seconds(leader: int) -> float:
    """How long the processes of a session have run, all their threads together."""
    total = 0
    for folder in _PROCESSES.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            text = (folder / "stat").read_text()
        except OSError:
            continue  # it has ended meanwhile
        fields = text.rpartition(")")[2].split()
        if int(fields[_SESSION]) == leader:
            total += sum(int(fields[place]) for place in _TIMES)
    return total / _ticks()


@dataclass(frozen=True)
class Watched:
    """The share of the machine that others had; None where the system does not tell."""

    others: float | None

    @property
    def calm(self) -> bool:
        """Whether the measurement can be taken at its word."""
        return self.others is None or self.others <= TOLERATED


def _own_seconds(leader: int | None) -> float:
    """How long this process has run, children that have ended, and the session of `leader`."""
    here = os.times()
    own = here.user + here.system + here.children_user + here.children_system
    return own if leader is None else own + session_seconds(leader)


def watch(leader: int | None, work: Callable[[], Answer]) -> tuple[Answer, Watched]:
    """What `work` gives, and how calm it was meanwhile; `leader`'s session does the work."""
    before = busy_seconds()
    if before is None:
        return work(), Watched(None)
    own = _own_seconds(leader)
    started = time.perf_counter()
    found = work()
    elapsed = time.perf_counter() - started
    own = _own_seconds(leader) - own
    busy = (busy_seconds() or before) - before
    whole = elapsed * (os.cpu_count() or 1)
    return found, Watched(max(0.0, busy - own) / whole)


def calmest(
    leader: int | None, work: Callable[[], Answer], attempts: int
) -> tuple[Answer, Watched]:
    """The first calm one of so many attempts, or else the one with the least disturbance."""
    best: tuple[Answer, Watched] | None = None
    for attempt in range(attempts):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        found = watch(leader, work)
        if found[1].calm:
            return found
        if best is None or (found[1].others or 0.0) < (best[1].others or 0.0):
            best = found
    assert best is not None
    return best
