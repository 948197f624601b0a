"""What the page says follows from the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import page, plots, report
from tests.benchmarks.compare import KEPT, kept
from tests.benchmarks.page import filled
from tests.benchmarks.workloads import BEST, TABLE, Wanted


def _figure(seconds: float, **more: Any) -> dict[str, Any]:
    return {"median": seconds, "low": seconds, "high": seconds, "rounds": 3, **more}


FIGURES: dict[str, Any] = {
    "machine": {
        "processor": "A processor",
        "cores": 2,
        "system": "Linux x86_64",
        "python": "3.11.0",
        "versions": {"numpy": "2.0.0"},
        "date": "2026-01-01",
        "load_before": 0.5,
        "load_after": 1.0,
        "rounds": 15,
        "batch": 0.05,
        "processes": 5,
    },
    "workloads": {
        "neuron": {
            "staticgraph": _figure(2e-7),
            "jax": _figure(8e-6),
            "PyTensor trusting": _figure(1e-6),
            "torch": {"error": "not installed"},
        },
        "elementwise_gradient": {
            "staticgraph": _figure(1e-4),
            "staticgraph contract": _figure(1e-5),
            "NumPy": _figure(9e-3),
            "jax": _figure(1e-3),
            "torch": {"error": "not installed"},
        },
        "second_multilayer": {
            "staticgraph": _figure(0.010, load=0.2, start=0.004, whole=0.4),
            "PyTensor": _figure(0.300, load=1.0, start=0.1, whole=2.0),
            "torch.compile": {"error": "RuntimeError: no compiler"},
        },
    },
    "memory": {
        "elementwise": {
            "staticgraph": {"compile": 2**22, "run": 2**20},
            "jax": {"compile": 2**20, "run": 2**22},
        }
    },
    "imports": {"staticgraph": _figure(0.2), "jax": _figure(0.6)},
    "sizes": {"staticgraph": {"own": 1_000_000, "all": 90_000_000, "distributions": 5}},
    "growth": {"elements": {"10": {"staticgraph": _figure(1e-6), "jax": _figure(9e-6)}}},
}


def test_targets_are_ratios_of_medians() -> None:
    rows = {(row[0][:6], row[2]): row[1:] for row in report.targets(FIGURES).rows}
    assert rows["neuron", "jax"] == ("0.20 us", "jax", "8.00 us", "40.0", "25.0", "yes")
    assert rows["neuron", "PyTensor trusting"][-3:] == ("5.00", "8.00", "no")
    # The best is the fastest peer, never a variant of ours.
    assert rows["sum(ta", "jax (best)"][-3:] == ("10.0", "4.00", "yes")


def test_a_bound_counts_what_starts_with_the_first_session() -> None:
    (row,) = [row for row in report.targets(FIGURES).rows if "start" in row[0]]
    assert row[1:] == ("14.0 ms", "bound", "15.0 ms", "1.07", "1.00", "yes")


def test_the_share_of_calm_rounds() -> None:
    row = {"jax": _figure(1.0, calm=1), "NumPy": _figure(1.0, calm=3), "torch": {"error": "x"}}
    figures = {
        "workloads": {"neuron": row},
        "growth": {"batch": {"1": {"jax": _figure(1, calm=2)}}},
    }
    assert report.calm_share(figures) == pytest.approx(6 / 9)
    assert report.calm_share({}) is None
    assert "In 67% of the rounds" in report.machine({**FIGURES, **figures})


def test_what_was_not_measured_reaches_nothing() -> None:
    (row,) = [row for row in report.targets(FIGURES).rows if row[2] == "torch.compile"]
    assert row[3:] == ("RuntimeError: no compiler", "–", "20.0", "–")
    assert report.failures(FIGURES) == [
        "torch: not installed",
        "torch.compile: the same in a second process: RuntimeError: no compiler",
    ]


def test_ratio_needs_both() -> None:
    row = {"jax": _figure(1.0)}
    assert report.ratio(row, Wanted("jax", 2)) == ("jax", None)
    assert report.ratio({}, Wanted(BEST, 2)) == (BEST, None)


def test_memory_is_judged_by_the_higher_of_both_peaks() -> None:
    (row,) = report.memory(FIGURES).rows
    assert row[1:] == ("4.0 / 1.0", "1.0 / 4.0", "yes")
    (line,) = [line for line in report.targets(FIGURES).rows if "peak of memory" in line[0]]
    assert line[1:] == ("1 of 1", "jax", "–", "–", "all", "yes")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.4, "1,234"), (99.96, "100"), (12.34, "12.3"), (9.996, "10.0"), (0.123, "0.12")],
)
def test_three_digits(value: float, text: str) -> None:
    assert report.three_digits(value) == text


def test_a_product_counts_its_operations() -> None:
    key = "matmul float32, 64x64 @ 64x64, batch of 64"
    assert report.gigaflops(TABLE[key], 1.0) == pytest.approx(2 * 64**4 / 1e9)


def test_markdown_and_terminal_show_the_same_cells() -> None:
    sheet = report.targets(FIGURES)
    lines = sheet.markdown().splitlines()
    assert len(lines) == len(sheet.rows) + 2
    assert all(line.count("|") == len(sheet.header) + 1 for line in lines)
    assert sheet.rich().row_count == len(sheet.rows)


def test_a_region_is_replaced_and_nothing_else() -> None:
    text = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n"
    once = filled(text, "x", "new\n")
    assert once == "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n"
    assert filled(once, "x", "new") == once
    with pytest.raises(ValueError, match="no region 'y'"):
        filled(text, "y", "new")


def test_the_page_has_a_region_for_each_table() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    names = {"matmuls", *(f"growth {key}" for key in ("elements", "iterations", "batch", "nodes"))}
    for name in {*report.regions(FIGURES), *names}:
        filled(text, name, "")


def test_the_page_shows_the_figures_that_were_kept() -> None:
    if not KEPT.exists():
        pytest.skip("no figures were kept")
    text = page.PAGE.read_text(encoding="utf-8")
    for name, body in report.regions(kept(KEPT)).items():
        assert filled(text, name, body) == text, f"region '{name}' is not what the figures say"


def test_equal_figures_give_equal_pictures(tmp_path: Path) -> None:
    for draw in (plots.ratios, plots.growths):
        pictures = [tmp_path / f"{draw.__name__}{number}.svg" for number in range(2)]
        for path in pictures:
            draw(FIGURES, path)
        first, second = (path.read_text(encoding="utf-8") for path in pictures)
        assert first == second
        assert "jax" in first
