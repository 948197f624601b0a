"""What does not conform, and why. The tests hold every entry to it: a gap that is closed fails."""

from __future__ import annotations

from typing import NamedTuple

from .agreement import Call


class Gap(NamedTuple):
    """Calls that do not conform.

    name     the function or member
    part     what is in the text of each such call, beside its operands' types
    what     the calls in words
    reason   why they do not conform
    """

    name: str
    part: str
    what: str
    reason: str


GAPS: tuple[Gap, ...] = ()


def gap_of(call: Call) -> Gap | None:
    """The gap that a call falls into."""
    text = str(call)
    return next((gap for gap in GAPS if gap.name == call.name and gap.part in text), None)
