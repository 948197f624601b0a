"""Every Python block of the README and of docs/ runs and prints what the page shows.

STATICGRAPH_BLESS=1 rewrites the outputs on the pages; the diff is then read.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from .blocks import PageError, bless_page, check_page, fences, run_page

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_page(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The pages show what a user sees, who has no checks switched on.
    monkeypatch.delenv("STATICGRAPH_CHECK")
    if os.environ.get("STATICGRAPH_BLESS"):
        bless_page(page, folder)
    check_page(page, folder)


@pytest.mark.parametrize(
    ("page", "picture"), [("README.md", "neuron.svg"), ("docs/control_flow.md", "while_loop.svg")]
)
def test_the_picture_is_the_one_that_the_page_draws(folder: Path, page: str, picture: str) -> None:
    kept = ROOT / "docs" / "images" / picture
    run_page(ROOT / page, folder)
    drawn = (folder / picture).read_text(encoding="utf-8")
    if os.environ.get("STATICGRAPH_BLESS"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(drawn, encoding="utf-8")

    # Places may differ from one version of Graphviz to the next; what stands there may not.
    def words(svg: str) -> list[str]:
        return sorted(re.findall(r"<text[^>]*>([^<]*)</text>", svg))

    assert words(kept.read_text(encoding="utf-8")) == words(drawn)


def _prose(page: Path) -> str:
    """A page without its code, where ``float32[](0.5)`` is no link."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "", text)


def _anchors(page: Path) -> set[str]:
    """The names that a page's headings have as link targets."""
    outside = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.*)$", outside, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"{page.name} links to {target}, which is not there"
        if anchor and file.suffix == ".md":
            assert anchor in _anchors(file), f"{page.name} links to {target}, which is no heading"


# -- the runner itself ------------------------------------------------------------------------


def _page(folder: Path, text: str) -> Path:
    (folder / "source").mkdir(exist_ok=True)
    page = folder / "source" / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


def test_blocks_share_a_namespace_and_a_new_graph(folder: Path) -> None:
    text = (
        "```python\nimport staticgraph as sg\nx = sg.constant(2.0, name='x')\n```\n\n"
        "prose\n\n```python\nprint(x.name)\n```\n\n```text\nx\n```\n"
    )
    page = _page(folder, text)
    check_page(page, folder)
    check_page(page, folder)


def test_another_output_is_refused(folder: Path) -> None:
    page = _page(folder, "```python\nprint(1)\n```\n```text\n2\n```\n")
    with pytest.raises(PageError) as caught:
        check_page(page, folder)
    assert str(caught.value) == "page.md:5: the block above prints\n1\n\nthe page shows\n2"


def test_times_are_not_compared(folder: Path) -> None:
    page = _page(folder, "```python\nprint('took', 12.5, 'ms')\n```\n```text\ntook   0.3 ms\n```\n")
    check_page(page, folder)


def test_errors_show_the_line_of_the_page(folder: Path) -> None:
    text = (
        "# title\n\n```python raises=ShapeError\nimport staticgraph as sg\n"
        "print('first')\nsg.placeholder('float32', (-1,))\n```\n\n```text\nfirst\n"
        "ShapeError: placeholder: -1 is no size of an axis\n"
        "  give an int that is not negative, None (unknown), or an identifier such as 'batch' "
        "(equal names, equal sizes)\n"
        "  at page.md:6: sg.placeholder('float32', (-1,))\n```\n"
    )
    check_page(_page(folder, text), folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python raises=ValueError\n1\n```\n", "page.md:2: does not raise ValueError"),
        (
            "```python raises=ValueError\n[][0]\n```\n",
            "page.md:2: raises IndexError, the page says ValueError",
        ),
        (
            "```python raises=IndexError\n[][0]\n```\n",
            "page.md:2: raises, and the page does not show what",
        ),
        (
            "```python\n1\n```\nprose\n```text\n1\n```\n",
            "page.md:6: a text block must directly follow a python block; what is not its output "
            "takes another word than text",
        ),
        (
            "```python rises=ValueError\n1\n```\n",
            "page.md:2: unknown marks on a python block: ['rises=ValueError']",
        ),
        ("  ```python\n", "page.md:1: an indented fence; begin it in column 0"),
        ("\n```python\n1\n", "page.md:2: a fence that is never closed"),
    ],
)
def test_pages_that_would_hide_something_are_refused(folder: Path, text: str, message: str) -> None:
    with pytest.raises(PageError) as caught:
        check_page(_page(folder, text), folder)
    assert str(caught.value) == message


def test_blessing_rewrites_outputs(folder: Path) -> None:
    text = (
        "```python\nprint(1)\nprint(2)\n```\n\n```text\nold\n```\n\n"
        "```python\nimport sys\nprint(sys._getframe().f_lineno)\n```\n\n```text\n```\n"
    )
    page = _page(folder, text)
    bless_page(page, folder)
    blocks = fences("page.md", page.read_text())
    shown = [block.lines for block in blocks if block.language == "text"]
    assert shown == [["1", "2"], ["13"]]
    check_page(page, folder)
