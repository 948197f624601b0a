"""docs/ops.md says what the records say. STATICGRAPH_BLESS=1 writes it anew."""

from __future__ import annotations

import inspect
import os
from pathlib import Path

import staticgraph as sg

from .generate_ops import families, home, page

PAGE = Path(__file__).parent.parent.parent / "docs" / "ops.md"


def test_the_page_is_what_the_records_say() -> None:
    made = page()
    if os.environ.get("STATICGRAPH_BLESS"):
        PAGE.write_text(made, encoding="utf-8")
    kept = PAGE.read_text(encoding="utf-8")
    assert kept == made, "STATICGRAPH_BLESS=1 pytest tests/docs writes it anew"


def test_every_function_that_builds_ops_is_on_the_page() -> None:
    listed = {function for _, functions in families() for _, function in functions}
    left = []
    for name in sg.__all__:
        thing = getattr(sg, name)
        module = home(thing) if inspect.isfunction(thing) else None
        if module is not None and module.__name__.startswith("staticgraph.ops."):
            left += [name] if thing not in listed else []
    assert left == []
