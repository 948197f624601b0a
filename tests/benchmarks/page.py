"""Regions of a page that a program writes: between two comments, all else is left as it is."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
IMAGES = PAGE.parent / "images"


def filled(page: str, name: str, body: str) -> str:
    """The page with `body` as its region `name`."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"the page has no region '{name}': it wants {begin} and {end}, once each")
    head, rest = page.split(begin)
    tail = rest.split(end)[1]
    return f"{head}{begin}\n{body.strip()}\n{end}{tail}"


def write(regions: dict[str, str], path: Path = PAGE) -> None:
    """Fills regions of a page."""
    text = path.read_text(encoding="utf-8")
    for name, body in regions.items():
        text = filled(text, name, body)
    path.write_text(text, encoding="utf-8")
