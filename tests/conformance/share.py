"""The share of the standard that conforms, for the page in docs.

``python -m tests.conformance.share`` runs every call on both backends and prints the tables;
``--write`` puts them into the page.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

from . import eager
from .agreement import Call, calls, disagreement
from .gaps import GAPS
from .standard import ATTRIBUTES, FUNCTIONS, METHODS

PAGE = Path(__file__).parents[2] / "docs" / "array_api.md"
_MARKS = "<!-- share: begin -->\n", "<!-- share: end -->"
_MEMBERS = "members of arrays"


def missing() -> list[str]:
    """The functions of the standard that staticgraph does not have."""
    own = ("asarray", "from_dlpack")
    return [name for name in FUNCTIONS if eager.source(name) is None and name not in own]


def chapter(name: str) -> str:
    """The part of the standard that a function or a member belongs to."""
    return FUNCTIONS[name][0] if name in FUNCTIONS else _MEMBERS


def outcomes(backend: str) -> dict[Call, str | None]:
    """What is wrong with each call on a backend."""
    os.environ["STATICGRAPH_CONFORMANCE_BACKEND"] = backend
    return {call: disagreement(call) for call in calls()}


def report(given: dict[str, dict[Call, str | None] | None]) -> list[str]:
    """The lines of the tables, for the backends that are asked for."""
    found = {name: outcomes(name) if had is None else had for name, had in given.items()}
    lines: list[str] = []
    for backend, results in found.items():
        lines += [
            "",
            f"On the {backend} backend:",
            "",
            "| chapter | functions | conform | calls | agree |",
        ]
        lines.append("|---|---|---|---|---|")
        names, good, total, agreed = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
        bad = {call.name for call, told in results.items() if told}
        for name in [*FUNCTIONS, *METHODS, *ATTRIBUTES]:
            names[chapter(name)] += 1
            good[chapter(name)] += name not in bad
        for call, told in results.items():
            total[chapter(call.name)] += 1
            agreed[chapter(call.name)] += told is None
        for part in names:
            lines.append(
                f"| {part} | {names[part]} | {good[part]} | {total[part]} | {agreed[part]} |"
            )
        share = f"{100 * good.total() / names.total():.1f} %"
        lines.append(
            f"| **all** | {names.total()} | {good.total()} ({share}) | {total.total()} | "
            f"{agreed.total()} |"
        )
    if GAPS:
        lines += ["", "| does not conform | reason |", "|---|---|"]
        lines += [f"| `{gap.name}`: {gap.what} | {gap.reason} |" for gap in GAPS]
    return lines


def between_marks(page: str) -> str:
    """The part of the page that is written here."""
    return page.partition(_MARKS[0])[2].partition(_MARKS[1])[0]


def main() -> None:
    """Prints the tables and what disagrees, or writes the tables into the page."""
    found: dict[str, dict[Call, str | None] | None] = {
        backend: outcomes(backend) for backend in ("reference", "native")
    }
    lines = report(found)
    print("\n".join(lines))
    for backend, results in found.items():
        for call, told in (results or {}).items():
            if told:
                print(f"{backend}: {call.name}: {call}: {told}")
    if "--write" in sys.argv:
        page = PAGE.read_text()
        before, after = page.partition(_MARKS[0])[0], page.partition(_MARKS[1])[2]
        text = "\n".join(lines).strip("\n")
        PAGE.write_text(f"{before}{_MARKS[0]}{text}\n{_MARKS[1]}{after}")


if __name__ == "__main__":
    main()
