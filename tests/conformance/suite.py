"""Runs array-api-tests, the suite of the standard's consortium, and writes what it finds.

``python -m tests.conformance.suite FOLDER`` takes a checkout of the suite with its submodule, and
needs what the suite needs (pytest, hypothesis, ndindex, pytest-json-report). It runs the suite file
by file on both backends, and on NumPy as a witness: what fails there too is the suite's or NumPy's.

--examples N   Hypothesis' examples per test, 50 if it is not given
--files a b    these files alone, as ``linalg`` for ``test_linalg.py``, none for none
--of x y       these alone of reference, native and numpy
--kept FILE    where the outcomes of all runs so far are kept, to run the suite in pieces
--write        writes the tables of what is kept into the page
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from .share import PAGE
from .standard import VERSION

ROOT = Path(__file__).parents[2]
MARKS = "<!-- suite: begin -->\n", "<!-- suite: end -->"
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

# What runs, by the column of the table: the namespace and the backend.
RUNS = {
    "reference": ("tests.conformance.eager", "reference"),
    "native": ("tests.conformance.eager", "native"),
    "numpy": ("numpy", ""),
}

# Per run, per file of the suite, per test: what became of it.
Outcomes = dict[str, dict[str, dict[str, str]]]


class Reason(NamedTuple):
    """Tests that do not pass.

    tests    a regular expression that their names match from the start
    what     the tests in words
    reason   why they do not pass
    """

    tests: str
    what: str
    reason: str


REASONS: tuple[Reason, ...] = (
    Reason(
        r"test_(binary|iop)\[(floor_divide|__i?floordiv__)\(.*infinity",
        "`floor_divide`, `//` and `//=` where one operand is infinite and the other is not",
        "the standard prefers `floor(x1 / x2)` and allows Python's results, which are NumPy's and "
        "staticgraph's: `inf // 2.0` is NaN, `1.0 // -inf` is -1",
    ),
    Reason(
        r"test_unary\[sqrt\(real\(x_i\) is \+infinity and isfinite",
        "`sqrt(inf + bj)` of a finite b",
        "the suite asks for `0 + inf j`, as the standard's text has it; the square root is "
        "`inf + 0j`, as in C99",
    ),
)


def outcome_of(case: ElementTree.Element) -> str:
    """What became of a test, from its element in a report in JUnit's form."""
    if case.find("failure") is not None or case.find("error") is not None:
        return FAILED
    return SKIPPED if case.find("skipped") is not None else PASSED


def run_file(folder: Path, file: str, run: str, examples: int) -> dict[str, str]:
    """The outcome of each test of one file of the suite."""
    namespace, backend = RUNS[run]
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.xml"
        command = [sys.executable, "-m", "pytest", f"array_api_tests/test_{file}.py"]
        command += ["-q", "-p", "no:cacheprovider", "--disable-warnings", f"--junitxml={report}"]
        command += ["--disable-deadline", "--derandomize", f"--max-examples={examples}"]
        given = {
            "ARRAY_API_TESTS_MODULE": namespace,
            "ARRAY_API_TESTS_VERSION": VERSION,
            "STATICGRAPH_CONFORMANCE_BACKEND": backend,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        done = subprocess.run(
            command, cwd=folder, env=os.environ | given, capture_output=True, text=True, check=False
        )
        if not report.exists():
            raise SystemExit(f"test_{file}.py did not run:\n{done.stdout[-2000:]}{done.stderr}")
        cases = ElementTree.parse(report).getroot().iter("testcase")
        return {case.attrib["name"]: outcome_of(case) for case in cases}


def files_of(folder: Path) -> list[str]:
    """The files of the suite, without what is the same in all names."""
    found = sorted((folder / "array_api_tests").glob("test_*.py"))
    return [path.stem.removeprefix("test_") for path in found]


def reason_for(test: str) -> Reason | None:
    """Why a test does not pass, if that is known."""
    return next((reason for reason in REASONS if re.match(reason.tests, test)), None)


def failures(outcomes: Outcomes) -> dict[str, set[str]]:
    """The tests that fail on a backend, each with the runs that it fails in."""
    found: dict[str, set[str]] = {}
    for run, files in outcomes.items():
        for file, tests in files.items():
            for test, outcome in tests.items():
                if outcome == FAILED:
                    found.setdefault(f"{file}::{test}", set()).add(run)
    return {test: runs for test, runs in found.items() if runs - {"numpy"}}


def unexplained(outcomes: Outcomes) -> list[str]:
    """The tests that fail on a backend for no reason that is written down."""
    return [test for test in failures(outcomes) if reason_for(test.partition("::")[2]) is None]


def _share(counts: Counter[str]) -> str:
    ran = counts[PASSED] + counts[FAILED]
    return f"{100 * counts[PASSED] / ran:.1f} %" if ran else "-"


def report(outcomes: Outcomes) -> list[str]:
    """The lines of the tables: what passes per file and run, and what does not, and why."""
    runs = [run for run in RUNS if run in outcomes]
    files = list(dict.fromkeys(file for run in runs for file in outcomes[run]))
    names = {"reference": "reference", "native": "native", "numpy": "NumPy itself"}
    heads = " | ".join(f"{names[run]}: pass" for run in runs)
    lines = [f"| chapter | tests | skipped | {heads} |", "|---" * (3 + len(runs)) + "|"]
    totals = {run: Counter[str]() for run in runs}
    for file in files:
        counts = {run: Counter(outcomes[run].get(file, {}).values()) for run in runs}
        for run in runs:
            totals[run] += counts[run]
        lines.append(_row(file.replace("_", " "), [counts[run] for run in runs], ""))
    shares = " | ".join(f"**{_share(totals[run])}**" for run in runs)
    lines.append(_row("**all**", [totals[run] for run in runs], "**"))
    lines.append(f"| share of those that ran | | | {shares} |")
    return [*lines, "", *_reasons(outcomes)]


def _row(chapter: str, counts: list[Counter[str]], mark: str) -> str:
    first = counts[0]
    cells = [str(first.total()), str(first[SKIPPED]), *[str(count[PASSED]) for count in counts]]
    return f"| {chapter} | " + " | ".join(f"{mark}{cell}{mark}" for cell in cells) + " |"


def _reasons(outcomes: Outcomes) -> Iterable[str]:
    found = failures(outcomes)
    yield "| does not pass | tests | NumPy passes | reason |"
    yield "|---|---|---|---|"
    for reason in REASONS:
        tests = [test for test in found if re.match(reason.tests, test.partition("::")[2])]
        if tests:
            also = sum("numpy" not in found[test] for test in tests)
            passes = "no" if not also else "yes" if also == len(tests) else f"{also} of them"
            yield f"| {reason.what} | {len(tests)} | {passes} | {reason.reason} |"
    for test in unexplained(outcomes):
        yield f"| `{test}` | 1 | {'no' if 'numpy' in found[test] else 'yes'} | not known |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The public suite of the Array API standard.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--examples", type=int, default=50)
    parser.add_argument("--files", nargs="*")
    parser.add_argument("--of", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--write", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Runs what is asked for, prints the tables, and writes them into the page if told to."""
    given = _arguments()
    outcomes: Outcomes = {}
    if given.kept and given.kept.exists():
        outcomes = json.loads(given.kept.read_text())
    for run in given.of:
        for file in given.files if given.files is not None else files_of(given.folder):
            found = run_file(given.folder, file, run, given.examples)
            outcomes.setdefault(run, {})[file] = found
            print(f"{run}: {file}: {dict(Counter(found.values()))}", flush=True)
            if given.kept:
                given.kept.write_text(json.dumps(outcomes, indent=1))
    lines = report(outcomes)
    print("\n".join(lines))
    if given.write:
        page = PAGE.read_text()
        before, after = page.partition(MARKS[0])[0], page.partition(MARKS[1])[2]
        PAGE.write_text(f"{before}{MARKS[0]}" + "\n".join(lines) + f"\n{MARKS[1]}{after}")
    if unexplained(outcomes):
        raise SystemExit(f"{len(unexplained(outcomes))} tests fail for no reason that is known")


if __name__ == "__main__":
    main()
