"""Runs the Python blocks of a Markdown page and compares what they print with what the page shows.

The blocks of a page run in order in one namespace and one new default graph, as a reader types
them. A ``text`` block after
a ``python`` block shows its whole output; a block marked ``python raises=ErrorName`` must raise
that error, and its output ends in the error's name and whole message. A block without a ``text``
block may print what it likes. Other fences (``console``, ``ir``) are not run. Times in milliseconds
differ from run to run and are not compared.

A copy of the page lies in the working directory and is the file that the code is compiled from,
so errors show the page's own line numbers and source text.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import staticgraph as sg
from staticgraph.core import opdef

_TIME = re.compile(r" *\b\d+(\.\d+)? ms\b")
_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>.*)$")


class PageError(AssertionError):
    """A page does not show what its code does; the message begins with page and line."""


@dataclass
class Block:
    """One fenced block: `line` is the number of its first line of content."""

    info: list[str]
    line: int
    lines: list[str]

    @property
    def language(self) -> str:
        return self.info[0] if self.info else ""

    @property
    def raises(self) -> str | None:
        marks = [word.removeprefix("raises=") for word in self.info[1:]]
        return marks[0] if marks else None


@dataclass
class Example:
    """A block of Python and the block that shows its output, if there is one."""

    code: Block
    shown: Block | None


def fences(page: str, text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    blocks: list[Block] = []
    opened: tuple[str, Block] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        match = _FENCE.match(line)
        if opened is None:
            if match is None:
                continue
            if match["indent"]:
                raise PageError(f"{page}:{number}: an indented fence; begin it in column 0")
            opened = (match["ticks"], Block(match["info"].split(), number + 1, []))
        elif line.rstrip() == opened[0]:
            blocks.append(opened[1])
            opened = None
        else:
            opened[1].lines.append(line)
    if opened is not None:
        raise PageError(f"{page}:{opened[1].line - 1}: a fence that is never closed")
    return blocks


def examples(page: str, text: str) -> list[Example]:
    """The Python blocks of a page, each with the output that directly follows it."""
    lines = text.splitlines()
    found: list[Example] = []
    previous: Block | None = None
    for block in fences(page, text):
        if block.language == "python":
            _check_marks(page, block)
            found.append(Example(block, None))
        elif block.language == "text":
            # Output that follows nothing would be shown and never compared.
            gap = slice(previous.line + len(previous.lines), block.line - 2) if previous else None
            if gap is None or previous is not found[-1].code or "".join(lines[gap]).strip():
                raise PageError(
                    f"{page}:{block.line}: a text block must directly follow a python block; "
                    "what is not its output takes another word than text"
                )
            found[-1].shown = block
        previous = block
    return found


def _check_marks(page: str, block: Block) -> None:
    if len(block.info) > 2 or not all(word.startswith("raises=") for word in block.info[1:]):
        raise PageError(f"{page}:{block.line}: unknown marks on a python block: {block.info[1:]}")


def run_page(page: Path, folder: Path) -> list[tuple[Example, str]]:
    """Runs the examples of a page from a copy in `folder`; each with what it printed."""
    text = page.read_text(encoding="utf-8")
    copy = folder / page.name
    copy.write_text(text, encoding="utf-8")
    linecache.checkcache(str(copy))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with sg.Graph().as_default(), _registry_as_it_was():
        return [(example, _run(example, copy, namespace)) for example in examples(page.name, text)]


@contextlib.contextmanager
def _registry_as_it_was() -> Iterator[None]:
    """Forgets the ops that are registered within."""
    before = dict(opdef._REGISTRY)
    try:
        yield
    finally:
        opdef._REGISTRY.clear()
        opdef._REGISTRY.update(before)


def _run(example: Example, copy: Path, namespace: dict[str, Any]) -> str:
    block = example.code
    # Empty lines in front make the line numbers those of the page.
    source = "\n" * (block.line - 1) + "\n".join(block.lines)
    code = compile(source, str(copy), "exec", dont_inherit=True)
    where = f"{copy.name}:{block.line}"
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
    except Exception as error:
        kind = type(error).__name__
        if block.raises is None:
            raise
        if kind != block.raises:
            raise PageError(f"{where}: raises {kind}, the page says {block.raises}") from error
        return f"{printed.getvalue()}{kind}: {error}"
    if block.raises is not None:
        raise PageError(f"{where}: does not raise {block.raises}")
    return printed.getvalue()


def plain(output: str) -> list[str]:
    """Output as lines without trailing blanks, as a page can show it."""
    return [line.rstrip() for line in output.rstrip().splitlines()]


def agrees(output: str, shown: Block) -> bool:
    """Whether a page shows this output, times aside."""
    return _timeless(output) == _timeless("\n".join(shown.lines))


def _timeless(output: str) -> list[str]:
    return [_TIME.sub(" some ms", line) for line in plain(output)]


def check_page(page: Path, folder: Path) -> None:
    """Raises PageError unless every block of the page does what the page shows."""
    for example, output in run_page(page, folder):
        shown = example.shown
        if shown is None:
            if example.code.raises is not None:
                raise PageError(
                    f"{page.name}:{example.code.line}: raises, and the page does not show what"
                )
            continue
        if not agrees(output, shown):
            raise PageError(
                f"{page.name}:{shown.line}: the block above prints\n"
                + "\n".join(plain(output))
                + "\n\nthe page shows\n"
                + "\n".join(shown.lines)
            )


def bless_page(page: Path, folder: Path) -> None:
    """Rewrites the outputs that a page shows to what its blocks print."""
    # New outputs move later lines, and lines are part of messages: until nothing changes.
    for _ in range(5):
        before = page.read_text(encoding="utf-8")
        lines = before.splitlines()
        for example, output in reversed(run_page(page, folder)):
            if example.shown is not None and not agrees(output, example.shown):
                start = example.shown.line - 1
                lines[start : start + len(example.shown.lines)] = plain(output)
        after = "\n".join(lines) + "\n"
        if after == before:
            return
        page.write_text(after, encoding="utf-8")
    raise PageError(f"{page.name}: its outputs differ from run to run")
