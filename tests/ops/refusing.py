"""Calls that must be refused, in a table: the message whole, but for the lines of the test file."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

# What a message says of places: the file, the line, and its text where it ends the line.
_PLACE = re.compile(r"\S+\.py:\d+(: .*)?$", re.MULTILINE)


def refused(call: Callable[[], Any], error: type[Exception]) -> str:
    """The message of the `error` that `call` raises, with ``<line>`` for each line of a file."""
    with pytest.raises(error) as caught:
        call()
    return _PLACE.sub("<line>", str(caught.value))
