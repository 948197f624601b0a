"""The user's lines in the text of a Function: a Location as a comment, and back.

A comment is ``FILE:LINE: TEXT``, or ``adjoint of 'NAME' at FORWARD | by FILE:LINE: TEXT`` where
FORWARD may itself be the place of an adjoint. Parts that could be misread are JSON strings.
"""

from __future__ import annotations

import json
import re

from staticgraph.core.location import UNKNOWN, Location

STRING = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
"""The pattern of a JSON string on one line."""

_BY = " | by "
_PLACE = re.compile(rf"(?:({STRING})|(.*?)):(\d+)(?:: (.*))?")
_ADJOINT = re.compile(rf"adjoint of (?:'([^']*)'|({STRING}))(?: at (.*))?")


def quoted(text: str) -> str:
    """`text` as a JSON string, readable where every character can be shown."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _comment_part(text: str, odd: bool) -> str:
    if odd or text.startswith('"') or text != text.strip() or not text.isprintable() or _BY in text:
        return quoted(text).replace("|", "\\u007c")
    return text


def format_location(location: Location, here: str) -> str:
    """The comment for a Location, empty for UNKNOWN; paths below `here` are relative to it."""
    if location.adjoint_of is None:
        if location.line == 0 and location.filename == UNKNOWN.filename:
            return ""
        return _place_text(location, here)
    head, tail = [], []
    place: Location | None = location
    while place is not None and place.adjoint_of is not None:
        name = place.adjoint_of
        odd = "'" in name or _comment_part(name, False) != name
        shown = _comment_part(name, True) if odd else f"'{name}'"
        head.append(f"adjoint of {shown}")
        tail.append(_BY + _place_text(place, here))
        place = place.forward
    if place is not None:
        head.append(_place_text(place, here))
    return " at ".join(head) + "".join(reversed(tail))


def _place_text(location: Location, here: str) -> str:
    name = location.filename
    if name.startswith(here):
        name = name[len(here) :]
    odd = re.search(r":\d+: ", name) is not None or name.startswith("adjoint of ")
    place = f"{_comment_part(name, odd)}:{location.line}"
    return f"{place}: {_comment_part(location.text, False)}" if location.text else place


def parse_location(comment: str) -> Location:
    """The Location a comment stands for; UNKNOWN for a remark that is none."""
    first, *by = comment.rstrip().split(_BY)
    names: list[str] = []
    head: str | None = first
    while head is not None and (match := _ADJOINT.fullmatch(head)):
        names.append(json.loads(match[2]) if match[1] is None else match[1])
        head = match[3]
    if len(names) != len(by):
        return UNKNOWN
    location = None if head is None else _parse_place(head, None, None)
    for name, place in zip(reversed(names), by, strict=True):
        location = _parse_place(place, name, location)
    return location or UNKNOWN


def _parse_place(place: str, adjoint_of: str | None, forward: Location | None) -> Location | None:
    match = _PLACE.fullmatch(place)
    if match is None:
        return None
    quoted, plain, line, text = match.groups()
    if text and text.startswith('"'):
        text = json.loads(text)
    filename = json.loads(quoted) if plain is None else plain
    return Location(filename, int(line), text or "", "", adjoint_of, forward)
