"""What the pipeline did, for people to read and for tests to ask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from staticgraph.core.node import Value
from staticgraph.passes.common import Notes
from staticgraph.passes.infix import infix

# Shared expressions that the text lists; it says how many it leaves out.
_LISTED = 20


@dataclass(slots=True)
class PassReport:
    """One row: how many nodes there were before and after a pass, and how long it took.

    Nodes of bodies of loops and branches are counted too. A pass that was switched off ran on
    nothing: `disabled` is true and nothing was counted.
    """

    name: str
    before: int = 0
    after: int = 0
    seconds: float = 0.0
    disabled: bool = False


class PipelineReport:
    """The report of one run of the pipeline: `print` of it is readable.

    passes      one `PassReport` per pass, in the order in which they ran
    rules       how often each rewrite rule was applied
    exactness   per rule of `rules`, what it does to the numbers: ``exact`` or ``more accurate``
    shared      expressions computed once, and how often they had been written, most often first
    remarks     what was left undone that one may have expected, and how often
    """

    def __init__(self, passes: list[PassReport], notes: Notes, exactness: dict[str, str]) -> None:
        self.passes = passes
        self.rules = dict(sorted(notes.rules.items(), key=lambda item: (-item[1], item[0])))
        self.exactness = {rule: exactness[rule] for rule in self.rules}
        self.remarks = dict(notes.remarks)
        self._shared: list[tuple[Value, int]] = sorted(notes.shared, key=lambda item: -item[1])

    @cached_property
    def shared(self) -> list[tuple[str, int]]:
        """Expressions computed once, as text, and how often they had been written."""
        return [(infix(value), count) for value, count in self._shared]

    @property
    def before(self) -> int:
        """Nodes before the first pass."""
        return next((row.before for row in self.passes if not row.disabled), 0)

    @property
    def after(self) -> int:
        """Nodes after the last pass."""
        return next((row.after for row in reversed(self.passes) if not row.disabled), 0)

    @property
    def seconds(self) -> float:
        """Time that all passes took."""
        return sum(row.seconds for row in self.passes)

    def __str__(self) -> str:
        blocks = [
            [f"pipeline: {self.before} nodes -> {self.after}, {_milliseconds(self.seconds)}"],
            self._pass_lines(),
            self._rule_lines(),
            self._shared_lines(),
            [f"{count} {_plural(count, 'node')} {what}" for what, count in self.remarks.items()],
        ]
        return "\n\n".join("\n".join(lines) for lines in blocks if lines)

    def _pass_lines(self) -> list[str]:
        width = max([len("pass"), *[len(row.name) for row in self.passes]])
        lines = [f"{'pass':<{width}}  before   after        time"]
        for row in self.passes:
            if row.disabled:
                lines.append(f"{row.name:<{width}}  switched off")
            else:
                lines.append(
                    f"{row.name:<{width}}  {row.before:>6}  {row.after:>6}  "
                    f"{_milliseconds(row.seconds):>10}"
                )
        return lines

    def _rule_lines(self) -> list[str]:
        if not self.rules:
            return []
        width = max([len("rule"), *map(len, self.rules)])
        lines = [f"{'rule':<{width}}   times  numbers"]
        for rule, count in self.rules.items():
            lines.append(f"{rule:<{width}}  {count:>6}  {self.exactness[rule]}")
        return lines

    def _shared_lines(self) -> list[str]:
        if not self._shared:
            return []
        listed = self.shared[:_LISTED]
        width = max(len(text) for text, _ in listed)
        lines = ["shared expressions"]
        for text, count in listed:
            lines.append(f"{text:<{width}}   written {count} times, computed once")
        if len(self.shared) > _LISTED:
            lines.append(f"... and {len(self.shared) - _LISTED} more: report.shared has all")
        return lines


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms"


def _plural(count: int, word: str) -> str:
    return word if count == 1 else word + "s"
