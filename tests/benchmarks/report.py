"""Tables of the figures: `Sheet`s, shown on the terminal by rich and on the page as Markdown.

Nothing is measured here; `regions` makes the same text from the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from tests.benchmarks.libraries import OURS
from tests.benchmarks.workloads import (
    BEST,
    CALLS,
    FIRSTS,
    GROWTHS,
    MATMULS,
    TABLE,
    VOCABULARY,
    Growth,
    Wanted,
    Workload,
)

Figures = dict[str, Any]

SECONDS_IN = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
IMPORT_BELOW = 0.25
MEMORY_PEER = "jax"
YES, NO = "yes", "no"
NOTHING = "–"


@dataclass(frozen=True)
class Sheet:
    """A table: the first column reads from the left, all others are numbers."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As it stands on the page."""
        rule = "|".join(["---", *["---:"] * (len(self.header) - 1)])
        lines = [f"| {' | '.join(self.header)} |", f"|{rule}|"]
        lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in self.rows]
        return "\n".join(lines)

    def rich(self) -> Table:
        """As it is shown on a terminal."""
        table = Table(title=self.title, title_justify="left", header_style="bold")
        for number, name in enumerate(self.header):
            table.add_column(name, justify="right" if number else "left", overflow="fold")
        colours = {YES: "[green]yes[/]", NO: "[red]no[/]"}
        for row in self.rows:
            table.add_row(*[colours.get(cell, escape(cell)) for cell in row])
        return table


def three_digits(value: float) -> str:
    """A number with three significant digits, thousands apart."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.{1 if value >= 9.995 else 2}f}"


def in_unit(seconds: float, unit: str) -> str:
    """A time without its unit."""
    return three_digits(seconds / SECONDS_IN[unit])


def is_ours(name: str) -> bool:
    """Whether a contender is a variant of staticgraph."""
    return name.startswith(OURS)


def median(row: Figures, name: str) -> float | None:
    """A contender's median in a row of figures; None where it has none."""
    figure = row.get(name) or {}
    value: float | None = figure.get("median")
    return value


def fastest(row: Figures) -> str | None:
    """The peer with the least median."""
    measured = {n: median(row, n) for n in row if not is_ours(n)}
    times = {name: value for name, value in measured.items() if value is not None}
    return min(times, key=lambda name: times[name]) if times else None


def ratio(row: Figures, wanted: Wanted) -> tuple[str, float | None]:
    """The peer that is meant and its time over ours; None where one of them has no figure."""
    peer = fastest(row) if wanted.peer == BEST else wanted.peer
    if peer is None:
        return wanted.peer, None
    theirs, ours = median(row, peer), median(row, OURS)
    return peer, None if theirs is None or not ours else theirs / ours


def _reached(value: float | None, wanted: float) -> str:
    return NOTHING if value is None else YES if value >= wanted else NO


def _why(row: Figures, name: str) -> str:
    return str((row.get(name) or {}).get("error", "not measured"))


def _target_rows(workload: Workload, row: Figures) -> list[tuple[str, ...]]:
    unit = workload.unit
    ours = median(row, OURS)
    mine = _why(row, OURS) if ours is None else f"{in_unit(ours, unit)} {unit}"
    rows = []
    for wanted in workload.wanted:
        peer, found = ratio(row, wanted)
        theirs = median(row, peer)
        shown = peer if wanted.peer != BEST else f"{peer} (best)"
        rows.append(
            (
                workload.title,
                mine,
                shown,
                _why(row, peer) if theirs is None else f"{in_unit(theirs, unit)} {unit}",
                NOTHING if found is None else three_digits(found),
                three_digits(wanted.times),
                _reached(found, wanted.times),
            )
        )
    if workload.below is not None and ours is not None:
        spent = ours + row[OURS]["start"]
        rows.append(
            (
                f"{workload.title}, with the library's start",
                f"{in_unit(spent, unit)} {unit}",
                "bound",
                f"{in_unit(workload.below, unit)} {unit}",
                three_digits(workload.below / spent),
                "1.00",
                _reached(workload.below / spent, 1.0),
            )
        )
    return rows


def _matmul_row(figures: Figures) -> list[tuple[str, ...]]:
    """All matrix products in one line: how many are at least as fast as the best."""
    ratios = [ratio(figures[w.key], w.wanted[0])[1] for w in MATMULS if w.key in figures]
    known = [value for value in ratios if value is not None]
    if not known:
        return []
    won = sum(value >= 1.0 for value in known)
    title = "matrix products, least ratio of all (table below)"
    count = f"{won} of {len(known)}"
    least = min(known)
    return [(title, count, "the best", NOTHING, three_digits(least), "1.00", _reached(least, 1.0))]


def _memory_row(figures: Figures) -> list[tuple[str, ...]]:
    """All peaks of memory in one line: how many are at or under the peer's."""
    verdicts = [row[-1] for row in memory(figures).rows if row[-1] != NOTHING]
    if not verdicts:
        return []
    within = verdicts.count(YES)
    title = f"workloads whose peak of memory is at or under {MEMORY_PEER}'s (table below)"
    count = f"{within} of {len(verdicts)}"
    reached = YES if within == len(verdicts) else NO
    return [(title, count, MEMORY_PEER, NOTHING, NOTHING, "all", reached)]


def _import_row(figures: Figures) -> list[tuple[str, ...]]:
    seconds = median(figures, OURS)
    if seconds is None:
        return []
    times = IMPORT_BELOW / seconds
    ours, bound = f"{in_unit(seconds, 's')} s", f"{IMPORT_BELOW} s"
    row = (f"`import {OURS}`", ours, "bound", bound, three_digits(times), "1.00")
    return [(*row, _reached(times, 1.0))]


def targets(figures: Figures) -> Sheet:
    """Every ratio that is wanted, and the one that was found."""
    rows: list[tuple[str, ...]] = []
    measured = figures.get("workloads", {})
    for workload in (*CALLS, *FIRSTS, *VOCABULARY):
        if workload.wanted and workload.key in measured:
            rows += _target_rows(workload, measured[workload.key])
    rows += _matmul_row(measured)
    rows += _import_row(figures.get("imports", {}))
    rows += _memory_row(figures)
    header = ("workload", OURS, "peer", "peer's time", "ratio", "wanted", "reached")
    return Sheet("Peer's time over ours", header, tuple(rows))


def _columns(workloads: Sequence[Workload], measured: Figures) -> list[str]:
    """All contenders that take part in at least one of the workloads, in the table's order."""
    names: dict[str, None] = {}
    for workload in workloads:
        names |= dict.fromkeys(measured.get(workload.key, {}))
    return sorted(names, key=lambda name: not is_ours(name))


def _cell(row: Figures, name: str, unit: str) -> str:
    value = median(row, name)
    return NOTHING if value is None else in_unit(value, unit)


def times(figures: Figures, workloads: Sequence[Workload], title: str) -> Sheet:
    """The medians of all contenders."""
    measured = figures.get("workloads", {})
    names = _columns(workloads, measured)
    rows = [
        (
            f"{workload.title} [{workload.unit}]",
            *[_cell(measured[workload.key], name, workload.unit) for name in names],
        )
        for workload in workloads
        if workload.key in measured
    ]
    return Sheet(title, ("workload", *names), tuple(rows))


def starts(figures: Figures) -> Sheet:
    """Where the time of a new process goes, in milliseconds."""
    measured = figures.get("workloads", {})
    rows = []
    for workload in FIRSTS:
        for name, figure in measured.get(workload.key, {}).items():
            if "median" not in figure:
                rows.append((workload.title, name, *[NOTHING] * 4, figure["error"]))
                continue
            parts = [figure[key] for key in ("load", "start", "median", "whole")]
            cells = [in_unit(part, "ms") for part in parts]
            rows.append((workload.title, name, *cells, str(figure["rounds"])))
    header = ("workload", "library", "import", "start", "model", "whole process", "processes")
    return Sheet("From nothing to the first result, ms", header, tuple(rows))


def gigaflops(workload: Workload, seconds: float) -> float:
    """Billions of multiplications and additions a second of a matrix product."""
    _, batch, rows, inner, columns, _ = workload.size
    return 2.0 * max(batch, 1) * rows * inner * columns / seconds / 1e9


def matmuls(figures: Figures) -> Sheet:
    """Matrix products: times, our rate, and the ratio to the best peer."""
    measured = figures.get("workloads", {})
    names = _columns(MATMULS, measured)
    rows = []
    for workload in MATMULS:
        row = measured.get(workload.key)
        if row is None:
            continue
        ours = median(row, OURS)
        found = ratio(row, workload.wanted[0])[1]
        rate = NOTHING if not ours else three_digits(gigaflops(workload, ours))
        shown = NOTHING if found is None else three_digits(found)
        rows.append((workload.title, *[_cell(row, name, "us") for name in names], rate, shown))
    header = ("product", *[f"{name} [us]" for name in names], "our GFLOP/s", "best over ours")
    return Sheet("Matrix products", header, tuple(rows))


def _megabytes(figure: Figures) -> str:
    if "run" not in figure:
        return NOTHING
    return f"{figure['compile'] / 2**20:.1f} / {figure['run'] / 2**20:.1f}"


def memory(figures: Figures) -> Sheet:
    """Peaks of memory, and whether ours are at or under jax's."""
    measured = figures.get("memory", {})
    names: dict[str, None] = {}
    for row in measured.values():
        names |= dict.fromkeys(row)
    rows = []
    for key, row in measured.items():
        ours, theirs = row.get(OURS, {}), row.get(MEMORY_PEER, {})
        verdict = NOTHING
        if "run" in ours and "run" in theirs:
            peaks = [max(figure["compile"], figure["run"]) for figure in (ours, theirs)]
            verdict = YES if peaks[0] <= peaks[1] else NO
        cells = [_megabytes(row.get(name, {})) for name in names]
        rows.append((TABLE[key].title, *cells, verdict))
    header = ("workload", *names, f"at or under {MEMORY_PEER}'s")
    return Sheet("Peak memory, MiB: compile and first run / later calls", header, tuple(rows))


def imports(figures: Figures) -> Sheet:
    """Import times and installed sizes."""
    times_, sizes = figures.get("imports", {}), figures.get("sizes", {})
    rows = []
    for name in dict.fromkeys([*times_, *sizes]):
        size = sizes.get(name, {})
        own, whole = (
            three_digits(size[key] / 1e6) if key in size else NOTHING for key in ("own", "all")
        )
        rows.append((name, _cell(times_, name, "s"), own, whole))
    header = ("library", "import [s]", "own files [MB]", "with all it needs [MB]")
    return Sheet("Import and installed size", header, tuple(rows))


def growth(figures: Figures, which: Growth) -> Sheet:
    """Times at growing sizes, in microseconds."""
    measured = figures.get("growth", {}).get(which.key, {})
    names = [name for name in which.contenders if any(name in row for row in measured.values())]
    rows = [
        (f"{int(size):,}", *[_cell(row, name, "us") for name in names])
        for size, row in measured.items()
    ]
    return Sheet(f"{which.title} [us]", (which.axis, *names), tuple(rows))


def failures(figures: Figures) -> list[str]:
    """What a contender could not do, a line each; what is not installed once."""
    lines: dict[str, None] = {}
    for key, row in figures.get("workloads", {}).items():
        for name, figure in row.items():
            if "error" not in figure:
                continue
            alone = figure["error"] == "not installed"
            line = (
                f"{name}: not installed"
                if alone
                else (f"{name}: {TABLE[key].title}: {figure['error']}")
            )
            lines[line] = None
    return list(lines)


def calm_share(figures: Figures) -> float | None:
    """The part of all rounds in which nobody else used the machine."""
    rows = list(figures.get("workloads", {}).values())
    for sizes in figures.get("growth", {}).values():
        rows += sizes.values()
    rounds = [figure for row in rows for figure in row.values() if "calm" in figure]
    total = sum(figure["rounds"] for figure in rounds)
    return sum(figure["calm"] for figure in rounds) / total if total else None


def machine(figures: Figures) -> str:
    """What it was measured on, and how often."""
    about = figures["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        f"- Processor: {about['processor']}, {about['cores']} cores; {about['system']}; "
        f"Python {about['python']}.",
        f"- Versions: {versions}.",
        f"- Measured on {about['date']}; load average of the last minute before and after: "
        f"{about['load_before']:.2f}, {about['load_after']:.2f} (the comparison itself is 1 to 2).",
        f"- Up to {about['rounds']} rounds of at least {about['batch'] * 1e3:.0f} ms and "
        f"{about['processes']} processes, at least 3 of what is slow.",
    ]
    calm = calm_share(figures)
    if calm is not None:
        lines.append(
            f"- In {calm:.0%} of the rounds other programs and neighbours took less than a tenth "
            "of the machine; a round in which they took more was tried again, a few times at most."
        )
    return "\n".join(lines)


def sheets(figures: Figures) -> dict[str, Sheet]:
    """All tables that have rows, by the region of the page that they fill."""
    found = {
        "targets": targets(figures),
        "times": times(figures, CALLS, "Time of one call"),
        "starts": starts(figures),
        "vocabulary": times(figures, VOCABULARY, "Ops of the vocabulary"),
        "matmuls": matmuls(figures),
        "memory": memory(figures),
        "imports": imports(figures),
    }
    found |= {f"growth {which.key}": growth(figures, which) for which in GROWTHS}
    return {name: sheet for name, sheet in found.items() if sheet.rows}


def regions(figures: Figures) -> dict[str, str]:
    """The text of each region of the page."""
    found = {name: sheet.markdown() for name, sheet in sheets(figures).items()}
    failed = failures(figures)
    found["failures"] = "\n".join(f"- {line}" for line in failed) or "Nothing failed."
    found["machine"] = machine(figures)
    return found
