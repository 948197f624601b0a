"""What the examples of loops and branches find, against figures computed without staticgraph."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from .loading import EXAMPLES, load


def drawn_inside(picture: Path, panel: int = 0) -> dict[str, list[str]]:
    """Per body in a panel, the ops that are drawn inside its rectangle and in none within it."""
    panels = [g for g in ElementTree.parse(picture).iter() if g.get("class") == "panel"]
    root = panels[panel]
    bodies = []
    for box in root.iter():
        if box.get("class") == "box body":
            rectangle = next(part for part in box if part.tag.endswith("rect"))
            left, top, width, height = (
                float(rectangle.get(name, "nan")) for name in ("x", "y", "width", "height")
            )
            bodies.append((box.get("data-path", ""), left, top, left + width, top + height))
    inside: dict[str, list[str]] = {}
    for node in root.iter():
        if not node.get("class", "").startswith("node ") or node.get("data-op") is None:
            continue
        word = next(part for part in node.iter() if part.tag.endswith("text"))
        x, y = float(word.get("x", "nan")), float(word.get("y", "nan"))
        around = [body for body in bodies if body[1] < x < body[3] and body[2] < y < body[4]]
        if around:
            smallest = min(around, key=lambda body: (body[3] - body[1]) * (body[4] - body[2]))
            inside.setdefault(smallest[0], []).append(node.get("data-op", ""))
    return inside


def test_counters_meet_however_far_apart(tmp_path: Path) -> None:
    figures = load("counters").main(tmp_path)
    assert [int(value) for value in figures["far"]] == [200_000, 200_000]
    inside = drawn_inside(tmp_path / "counters.svg")
    assert sorted(inside) == ["body", "cond"]
    assert [op for op in inside["cond"] if op != "parameter"] == ["less"]
    assert inside["body"].count("add") == 2


def test_newton_finds_roots_and_both_derivatives(tmp_path: Path) -> None:
    figures = load("newton_sqrt").main(tmp_path)
    x = figures["numbers"]
    root, slope, bend, iterations = figures["found"].T
    np.testing.assert_allclose(root, np.sqrt(x), rtol=1e-13)
    np.testing.assert_allclose(slope, 0.5 / np.sqrt(x), rtol=1e-12)
    np.testing.assert_allclose(bend, -0.25 * x**-1.5, rtol=1e-10)
    assert len(set(iterations)) > 1
    assert set(drawn_inside(tmp_path / "newton_sqrt.svg", panel=0)) == {"cond", "body"}
    # One loop, although value and slope are fetched; its derivative is a scan.
    with_slope = (tmp_path / "newton_sqrt.svg").read_text(encoding="utf-8").split('"panel"')[2]
    assert [with_slope.count(f'data-op="{op}"') for op in ("while", "scan")] == [1, 1]


def flight(n: int) -> tuple[int, int]:
    steps, peak = 0, n
    while n > 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps, peak = steps + 1, max(peak, n)
    return steps, peak


def test_collatz_agrees_with_python(tmp_path: Path) -> None:
    figures = load("collatz").main(tmp_path)
    expected = np.array([flight(n) for n in range(1, 1001)])
    np.testing.assert_array_equal(figures["steps"], expected[:, 0])
    np.testing.assert_array_equal(figures["peaks"], expected[:, 1])
    inside = drawn_inside(tmp_path / "collatz.svg")
    assert "floor_divide" in inside["branches[0]"] and "multiply" in inside["branches[1]"]
    assert "cond" in inside["body"]


def test_derivatives_flow_through_the_branch_that_is_taken(tmp_path: Path) -> None:
    figures = load("branch").main(tmp_path)
    x, near, far = 0.5, 3.0, 5.0
    np.testing.assert_allclose(figures["found"][0], [near * x**2, 2 * near * x, x**2, 0.0])
    x = 4.0
    np.testing.assert_allclose(
        figures["found"][1], [far * math.log(x) + near, far / x, 1.0, math.log(x)]
    )
    assert figures["visits"].tolist() == [1, 1]


def test_the_throw_lands_where_it_should(tmp_path: Path) -> None:
    example = load("throw")
    figures = example.main(tmp_path)
    assert abs(figures["distance"] - example.TARGET) < 1e-9

    def reached(angle: float) -> float:
        return float(example.path(angle)[-1, 0])

    angle = figures["tries"][-1]
    np.testing.assert_allclose(reached(angle), example.TARGET, atol=1e-9)
    # Each flight has a number of ticks of its own; the slope knows nothing of that.
    for at, distance, slope in zip(figures["angles"], *figures["curve"], strict=True):
        np.testing.assert_allclose(distance, reached(at), rtol=1e-12)
        difference = (reached(at + 1e-6) - reached(at - 1e-6)) / 2e-6
        np.testing.assert_allclose(slope, difference, rtol=1e-3, atol=1e-3)
    assert (tmp_path / "throw.png").read_bytes().startswith(b"\x89PNG")


def test_the_network_beats_the_last_value_on_years_it_has_not_seen(tmp_path: Path) -> None:
    example = load("sunspots")
    figures = example.main(tmp_path)
    years, spots = example.series()
    assert (years[0], years[-1], len(years)) == (1700, 1988, 289)
    tried = years >= example.FIRST_TRIED
    naive = np.sqrt(np.mean((spots[1:] - spots[:-1])[tried[1:]] ** 2))
    np.testing.assert_allclose(figures["errors"]["the last year again"], naive)
    assert figures["errors"]["the network"] < 0.7 * naive
    assert figures["losses"][-1] < 0.1 * figures["losses"][0]
    np.testing.assert_allclose(figures["truth"], spots[example.WINDOW :])
    # Two products in the body as written; as it runs, the one with the entries is done before.
    for panel, products in ((0, 2), (1, 1)):
        inside = drawn_inside(tmp_path / "sunspots.svg", panel)
        assert (inside["body"].count("tanh"), inside["body"].count("matmul")) == (1, products)


def test_the_series_says_where_it_comes_from() -> None:
    head = (EXAMPLES / "sunspots.csv").read_text(encoding="utf-8").splitlines()[:4]
    assert all(line.startswith("#") for line in head[:3])
    assert head[3] == "year,sunspots"
    assert "public domain" in " ".join(head)


def test_power_iteration_knows_its_derivatives(tmp_path: Path) -> None:
    example = load("power_iteration")
    figures = example.main(tmp_path)
    a, b = example.symmetric(0), example.symmetric(1)
    value, v, second = example.exact(a, b)
    np.testing.assert_allclose(figures["value"], value, rtol=1e-14)
    np.testing.assert_allclose(figures["slope"], np.outer(v, v), atol=1e-12)
    np.testing.assert_allclose(figures["second"], second, rtol=1e-9)

    def along(t: float) -> float:
        return float(np.linalg.eigvalsh(a + t * b)[-1])

    # The formula of the example is one witness, differences of NumPy's eigenvalues another.
    step = 1e-4
    difference = (along(step) - 2 * along(0.0) + along(-step)) / step**2
    np.testing.assert_allclose(figures["second"], difference, rtol=1e-5)
    assert figures["iterations"] == pytest.approx(23, abs=3)
