"""Growth without clocks: how much work a call does, and how much memory it takes, countably."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any


def work(call: Callable[[], Any]) -> int:
    """How many functions, of Python and of C, `call` calls: the same number in every run."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return count


def memory(call: Callable[[], Any]) -> int:
    """The most bytes that `call` holds at once."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
