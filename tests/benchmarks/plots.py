"""The pictures on the page, as SVG; equal figures give equal files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt

from tests.benchmarks.libraries import OURS
from tests.benchmarks.report import is_ours, median, ratio
from tests.benchmarks.workloads import CALLS, FIRSTS, GROWTHS, VOCABULARY, Growth

# One colour and mark a family; variants of a family share the colour.
STYLES = {
    "staticgraph": ("#111111", "o"),
    "NumPy": ("#4c78a8", "s"),
    "jax": ("#e45756", "D"),
    "PyTensor": ("#72b7b2", "^"),
    "torch.compile": ("#b279a2", "v"),
    "torch": ("#f58518", "P"),
    "TensorFlow": ("#54a24b", "X"),
}
SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "staticgraph",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def style(name: str) -> tuple[str, str]:
    """Colour and mark of a contender."""
    for family, found in STYLES.items():
        if name.startswith(family):
            return found
    return "#888888", "."


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")


def ratios(figures: dict[str, Any], path: Path) -> None:
    """A line a workload: each peer's time over ours, and what is wanted."""
    measured = figures.get("workloads", {})
    shown = [w for w in (*CALLS, *FIRSTS, *VOCABULARY) if median(measured.get(w.key, {}), OURS)]
    with plt.rc_context(SETTINGS):
        figure, axes = plt.subplots(figsize=(9, 0.42 * len(shown) + 1.2))
        seen: set[str] = set()
        for place, workload in enumerate(shown):
            row = measured[workload.key]
            ours = median(row, OURS)
            assert ours is not None
            for name in row:
                theirs = median(row, name)
                if is_ours(name) or theirs is None:
                    continue
                colour, mark = style(name)
                family = next((f for f in STYLES if name.startswith(f)), name)
                label = None if family in seen else family
                seen.add(family)
                axes.plot(theirs / ours, place, mark, color=colour, label=label, alpha=0.85)
            for wanted in workload.wanted:
                peer = ratio(row, wanted)[0]
                axes.plot(wanted.times, place, "|", color=style(peer)[0], ms=16, mew=2)
        axes.axvline(1.0, color="#111111", linewidth=1)
        axes.set_xscale("log")
        axes.set_yticks(range(len(shown)), [w.title.replace("`", "") for w in shown])
        axes.invert_yaxis()
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("peer's time over staticgraph's (right of 1: we are faster; | is wanted)")
        if seen:
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
        _save(figure, path)


def _panel(axes: Any, which: Growth, measured: dict[str, Any]) -> None:
    for name in which.contenders:
        points = [(int(size), median(row, name)) for size, row in measured.items()]
        known = [(size, value * 1e6) for size, value in points if value is not None]
        if known:
            colour, mark = style(name)
            axes.plot(*zip(*known, strict=True), marker=mark, color=colour, label=name, ms=4)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(which.title, fontsize=9, loc="left")
    axes.set_xlabel(which.axis)
    axes.set_ylabel("microseconds")
    axes.grid(color="#dddddd", linewidth=0.6)
    if axes.lines:
        axes.legend(frameon=False, fontsize=8)


def growths(figures: dict[str, Any], path: Path) -> None:
    """Time against size, a panel a workload."""
    measured = figures.get("growth", {})
    with plt.rc_context(SETTINGS):
        figure, grid = plt.subplots(2, 2, figsize=(9, 6.4), layout="constrained")
        for axes, which in zip(grid.flat, GROWTHS, strict=True):
            _panel(axes, which, measured.get(which.key, {}))
        _save(figure, path)
