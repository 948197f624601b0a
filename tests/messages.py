"""Whole messages in tests: lines of the test file are replaced by words, everything else counts."""

from __future__ import annotations

import linecache
import os
from typing import Any

import pytest

from staticgraph.core.graph import Operation, Tensor


def here(info: pytest.ExceptionInfo[BaseException]) -> str:
    """``file:line: source`` of the outermost test frame that raised."""
    entry = info.traceback[0]
    filename = str(entry.path)
    line = entry.lineno + 1
    text = linecache.getline(filename, line).strip()
    return f"{os.path.relpath(filename)}:{line}: {text}"


def whole(info: pytest.ExceptionInfo[BaseException], **made: Any) -> str:
    """The message with the raising line as ``<here>`` and the lines of `made` as ``<name>``."""
    message = str(info.value).replace(here(info), "<here>")
    for name, value in made.items():
        tensor_or_node = getattr(value, "value", value)
        node = tensor_or_node.node if isinstance(tensor_or_node, Tensor) else tensor_or_node
        assert isinstance(node, Operation)
        message = message.replace(str(node.location), f"<{name}>")
        message = message.replace(node.location.short, f"<{name}>")
    return message
