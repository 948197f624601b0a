"""Words in pictures: how wide they are, how they are shortened and wrapped, and XML.

A picture is read on machines whose fonts are not known here, so boxes are sized by the widths of a
wide common sans-serif: with any narrower font there is room to spare.
"""

from __future__ import annotations

import html
import re
import unicodedata

FONTS = "'Inter','Segoe UI','Helvetica Neue',Helvetica,Arial,'DejaVu Sans',sans-serif"

# Advance widths in hundredths of an em, as printable ASCII has them in a wide sans-serif.
_WIDTHS: dict[str, int] = {}
for _width, _characters in (
    (28, "'ijl"),
    (30, "IJ"),
    (33, " ,."),
    (35, "/:;\\|f"),
    (37, "-"),
    (40, "()[]t!"),
    (42, "r"),
    (47, '"'),
    (51, "*_`sz"),
    (56, "?cLFk"),
    (60, "vxyPT"),
    (62, "YaoeE"),
    (64, "Sbdghnpqu$0123456789{}"),
    (69, "KAVBRXZC"),
    (76, "UHNDG&"),
    (80, "OQw"),
    (85, "#+<=>^~M"),
    (99, "%mW@"),
):
    for _character in _characters:
        _WIDTHS[_character] = _width
_OTHER = 72
_FULL = 104
_BOLD = 8  # added to every character

# What XML 1.0 cannot carry: control characters, lone surrogates, two non-characters.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def width(text: str, size: float, bold: bool = False) -> float:
    """An upper bound of the width of `text` in pixels at a font size."""
    total = 0
    for character in text:
        known = _WIDTHS.get(character)
        if known is None:
            if unicodedata.combining(character):
                continue
            known = _FULL if unicodedata.east_asian_width(character) in "WF" else _OTHER
        total += known + _BOLD if bold else known
    return total * size / 100


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, its middle left out."""
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    return f"{text[: limit - 1 - tail]}…{text[len(text) - tail :]}"


def one_line(text: str) -> str:
    """`text` with line breaks and tabs made visible as one space."""
    return " ".join(text.split())


def wrap(text: str, size: float, limit: float) -> list[str]:
    """`text` broken at spaces into lines of at most `limit` pixels; long words stay whole."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and width(f"{lines[-1]} {word}", size) <= limit:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def xml(text: str) -> str:
    """`text` as XML character data; what XML cannot carry becomes the replacement character."""
    return html.escape(_NOT_XML.sub("\ufffd", text), quote=False)


def attribute(text: str) -> str:
    """`text` as the content of an attribute in double quotes."""
    return xml(text).replace('"', "&quot;").replace("\n", "&#10;")
