"""Whole messages in tests of control flow: lines of the test file by their distance."""

from __future__ import annotations

import linecache
import os
import re
from typing import Any

import pytest


def message(caught: pytest.ExceptionInfo[Any]) -> str:
    """The message; ``{here}`` is the test's line that raised, ``{-2}`` is two lines above it.

    ``{line}`` is the source text of the line that raised.
    """
    entry = caught.traceback[0]
    filename, here = str(entry.path), entry.lineno + 1
    shown = os.path.relpath(filename)
    text = linecache.getline(filename, here).strip()

    def placed(match: re.Match[str]) -> str:
        distance = int(match[1]) - here
        return f"{{{distance:+d}}}" if distance else "{here}"

    told = re.sub(rf"{re.escape(shown)}:(\d+)", placed, str(caught.value))
    return told.replace(f"{{here}}: {text}", "{here}: {line}")
