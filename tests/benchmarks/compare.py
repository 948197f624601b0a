"""All workloads side by side with other libraries: the one command behind docs/benchmarks.md.

``python -m tests.benchmarks.compare`` measures and prints; ``--write`` also keeps the figures in
figures.json beside this file and writes tables and pictures into docs/; ``--figures`` keeps them in
another file and leaves docs/ alone. A library that is not installed is left out. One that has an
environment of its own is named with its interpreter::

    python -m tests.benchmarks.compare --python tensorflow=/path/to/env/bin/python --write

``--sections`` and ``--only`` measure a part anew, the rest stays as it was kept; ``--report``
measures nothing. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.benchmarks import measure, page, plots, report
from tests.benchmarks.driver import Stable
from tests.benchmarks.libraries import CONTENDERS, OURS
from tests.benchmarks.workloads import CALLS, FIRSTS, MATMULS, VOCABULARY, Workload

KEPT = Path(__file__).with_name("figures.json")
SECTIONS = ("calls", "first", "vocabulary", "matmul", "memory", "imports", "growth")
IMPORTED = (OURS, "NumPy", "PyTensor", "jax", "torch", "TensorFlow 1")
WORKLOADS = {"calls": CALLS, "first": FIRSTS, "vocabulary": VOCABULARY, "matmul": MATMULS}

# Where there is no terminal, tables are as wide as they need to be.
console = Console() if sys.stdout.isatty() else Console(width=180)


def processor() -> str:
    """The processor's own name for itself."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


def about(settings: measure.Settings, load_before: float, stable: Stable) -> dict[str, Any]:
    """What was measured on, and with what."""
    versions: dict[str, str] = {}
    for found in stable.versions.values():
        versions |= found
    return {
        "processor": processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
        "date": time.strftime("%Y-%m-%d"),
        "load_before": load_before,
        "load_after": load(),
        "rounds": settings.rounds,
        "batch": settings.batch,
        "processes": settings.processes,
    }


def chosen(section: str, only: Sequence[str]) -> list[Workload]:
    """The workloads of a section; of all if no key is given, else those whose key begins so."""
    prefixes = tuple(only)
    return [w for w in WORKLOADS[section] if not only or w.key.startswith(prefixes)]


def say(line: str) -> None:
    console.print(f"[dim]{time.strftime('%H:%M:%S')} {line}[/dim]", highlight=False)


def run(
    arguments: argparse.Namespace, figures: dict[str, Any], stable: Stable, keep: Callable[[], None]
) -> None:
    """Measures the sections that are asked for into `figures`; `keep` is called now and then."""
    settings = arguments.settings
    for section in arguments.sections:
        if section not in WORKLOADS:
            continue
        for workload in chosen(section, arguments.only):
            say(workload.title)
            wide = replace(workload, contenders=(*workload.contenders, *arguments.also))
            figures["workloads"][workload.key] = measure.compare(stable, wide, settings)
            keep()
    if "memory" in arguments.sections:
        for workload in chosen("calls", arguments.only):
            say(f"memory: {workload.title}")
            figures["memory"][workload.key] = measure.peak_memory(stable, workload)
            keep()
    if "imports" in arguments.sections:
        say("imports and installed sizes")
        figures["imports"] = measure.import_times(stable, IMPORTED, settings)
        figures["sizes"] = measure.installed_sizes(stable, IMPORTED)
    if "growth" in arguments.sections:
        few = replace(settings, rounds=min(settings.rounds, 5), processes=3)
        figures["growth"] = measure.growths(stable, few, say)


def show(figures: dict[str, Any]) -> None:
    """All tables, the ratios last."""
    for name, sheet in reversed(report.sheets(figures).items()):
        if name != "targets":
            console.print(sheet.rich())
    for line in report.failures(figures):
        console.print(f"[yellow]{line}[/yellow]", highlight=False)
    console.print(report.targets(figures).rich())


def write(figures: dict[str, Any]) -> None:
    """Makes page and pictures from the figures."""
    plots.ratios(figures, page.IMAGES / "benchmarks.svg")
    if figures["growth"]:
        plots.growths(figures, page.IMAGES / "benchmarks_growth.svg")
    page.write(report.regions(figures))


def parsed(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write figures.json and docs/")
    parser.add_argument("--figures", type=Path, default=KEPT, help="where figures are kept")
    parser.add_argument("--report", action="store_true", help="only show what was kept")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--only", nargs="+", default=(), metavar="KEY", help="begin of a key")
    parser.add_argument("--also", nargs="+", default=(), choices=CONTENDERS, metavar="CONTENDER")
    parser.add_argument("--python", nargs="+", default=(), metavar="LIBRARY=INTERPRETER")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--patience", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds an answer may take")
    arguments = parser.parse_args(given)
    arguments.pythons = dict(pair.split("=", 1) for pair in arguments.python)
    arguments.settings = measure.Settings(
        arguments.rounds, patience=arguments.patience, processes=arguments.processes
    )
    return arguments


def kept(path: Path) -> dict[str, Any]:
    """The figures of earlier runs."""
    empty: dict[str, Any] = {"workloads": {}, "memory": {}, "growth": {}}
    return {**empty, **json.loads(path.read_text(encoding="utf-8"))} if path.exists() else empty


def measured(arguments: argparse.Namespace, figures: dict[str, Any]) -> None:
    """Measures what is asked for, and keeps figures as they come."""
    before = load()
    earlier = figures.get("machine", {}).get("versions", {})
    with Stable(arguments.pythons, arguments.limit) as stable:

        def keep() -> None:
            now = about(arguments.settings, before, stable)
            figures["machine"] = {**now, "versions": {**earlier, **now["versions"]}}
            if arguments.write or arguments.figures != KEPT:
                text = json.dumps(figures, indent=1) + "\n"
                arguments.figures.write_text(text, encoding="utf-8")

        run(arguments, figures, stable, keep)
        keep()


def main() -> None:
    arguments = parsed()
    figures = kept(arguments.figures)
    if not arguments.report:
        measured(arguments, figures)
    show(figures)
    if arguments.write:
        write(figures)


if __name__ == "__main__":
    main()
