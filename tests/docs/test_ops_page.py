"""docs/ops.md says what the records say. STATICGRAPH_BLESS=1 writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

import staticgraph as sg

from .generate_ops import _families, page

PAGE = Path(__file__).parent.parent.parent / "docs" / "ops.md"


def test_the_page_is_what_the_records_say() -> None:
    made = page()
    if os.environ.get("STATICGRAPH_BLESS"):
        PAGE.write_text(made, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == made


def test_every_function_that_builds_an_op_is_on_the_page() -> None:
    listed = {function for _, functions in _families() for _, function in functions}
    left = [
        name
        for name in sg.__all__
        if getattr(getattr(sg, name), "op", None) is not None and getattr(sg, name) not in listed
    ]
    assert left == []
