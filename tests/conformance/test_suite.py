"""How the public suite's outcome becomes the tables of the page; the suite itself is not here."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from . import suite
from .share import PAGE

_FLOOR = "test_binary[floor_divide(x1_i is +infinity and isfinite(x2_i) and x2_i > 0) -> +infinity]"
_MADE: suite.Outcomes = {
    "reference": {"linalg": {"test_a": "passed", "test_b": "skipped"},
                  "special_cases": {_FLOOR: "failed", "test_c": "passed"}},
    "native": {"linalg": {"test_a": "failed", "test_b": "skipped"},
               "special_cases": {_FLOOR: "failed", "test_c": "passed"}},
    "numpy": {"linalg": {"test_a": "passed", "test_b": "skipped"},
              "special_cases": {_FLOOR: "failed", "test_c": "failed"}},
}  # fmt: skip


def test_outcomes_of_a_report() -> None:
    read = ElementTree.fromstring(
        '<suite><testcase name="a"/><testcase name="b"><failure/></testcase>'
        '<testcase name="c"><skipped/></testcase><testcase name="d"><error/></testcase></suite>'
    )
    found = {case.attrib["name"]: suite.outcome_of(case) for case in read.iter("testcase")}
    assert found == {"a": "passed", "b": "failed", "c": "skipped", "d": "failed"}


def test_what_fails_in_numpy_alone_is_not_ours() -> None:
    assert suite.failures(_MADE) == {
        f"special_cases::{_FLOOR}": {"reference", "native", "numpy"},
        "linalg::test_a": {"native"},
    }
    assert suite.unexplained(_MADE) == ["linalg::test_a"]


def test_the_tables() -> None:
    lines = suite.report(_MADE)
    assert lines[2] == "| linalg | 2 | 1 | 1 | 0 | 1 |"
    assert lines[3] == "| special cases | 2 | 0 | 1 | 1 | 0 |"
    assert lines[4] == "| **all** | **4** | **1** | **2** | **1** | **1** |"
    assert lines[5] == "| share of those that ran | | | **66.7 %** | **33.3 %** | **33.3 %** |"
    assert any(line.startswith("| `floor_divide`") and "| 1 | no |" in line for line in lines)
    assert "| `linalg::test_a` | 1 | yes | not known |" in lines


def test_the_sums_of_the_page_are_those_of_its_rows() -> None:
    page = PAGE.read_text()
    written = page.partition(suite.MARKS[0])[2].partition(suite.MARKS[1])[0]
    table = written.partition("\n\n")[0]
    rows = [
        [int(cell) for cell in re.findall(r"\| \**(\d+)\**(?= \|)", line)]
        for line in table.split("\n")[2:-1]
    ]
    assert len(rows) > 2
    assert rows[-1] == [sum(column) for column in zip(*rows[:-1], strict=True)]
