"""Every example runs alone, as a reader starts it, and writes only where it is told to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .loading import EXAMPLES, ROOT, load

SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))

WRITES = {
    "branch": ["branch.svg"],
    "collatz": ["collatz.svg"],
    "counters": ["counters.svg"],
    "derivatives": [],
    "descent": ["descent.png"],
    "diabetes": ["diabetes.png"],
    "gaussian_process": ["gaussian_process.png"],
    "kalman": ["kalman.png"],
    "linear_regression": ["linear_regression.png"],
    "logistic_regression": ["logistic_regression.png"],
    "logits": [],
    "moons": ["moons.png"],
    "neuron": ["neuron.svg"],
    "newton": [],
    "newton_sqrt": ["newton_sqrt.svg"],
    "power_iteration": ["power_iteration.svg"],
    "predator": ["predator.png"],
    "spectrum": ["spectrum.png"],
    "sunspots": ["sunspots.png", "sunspots.svg"],
    "throw": ["throw.png", "throw.svg"],
    "xor": [],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_runs_alone(name: str, tmp_path: Path) -> None:
    output = tmp_path / "pictures"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    run = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), str(output)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
    # Each says what the other way of working would have done.
    assert "eager" in run.stdout.lower()
    # Wider lines wrap in a terminal of 100 columns.
    assert max(len(line) for line in run.stdout.splitlines() if not line.startswith("wrote")) <= 100
    written = sorted(path.name for path in output.iterdir()) if output.exists() else []
    assert written == WRITES[name]
    assert sorted(path.name for path in tmp_path.iterdir()) == (["pictures"] if written else [])


def test_moons_are_told_apart(tmp_path: Path) -> None:
    figures = load("moons").main(tmp_path)
    assert figures["accuracy"] >= 0.97
    assert figures["losses"][-1] < 0.1 * figures["losses"][0]


def test_newton_reaches_the_floor_of_the_valley(tmp_path: Path) -> None:
    found = load("newton").main(tmp_path)
    np.testing.assert_allclose(found["newton"].x, np.ones(100), atol=1e-5)


def test_logistic_regression_is_scikit_learns(tmp_path: Path) -> None:
    assert load("logistic_regression").main(tmp_path)["difference"] < 1e-5


def test_ridge_is_scikit_learns_and_its_penalty_the_best(tmp_path: Path) -> None:
    figures = load("diabetes").main(tmp_path)
    np.testing.assert_allclose(figures["found"], figures["expected"], rtol=1e-9)
    errors = figures["errors"]
    assert errors["chosen"] <= errors["grid"]
    np.testing.assert_allclose(errors["chosen"], errors["scikit-learn"], rtol=1e-9)


def test_the_gaussian_process_is_scikit_learns_and_at_its_best(tmp_path: Path) -> None:
    figures = load("gaussian_process").main(tmp_path)
    np.testing.assert_allclose(figures["likelihood"], figures["theirs"], rtol=1e-10)
    assert np.abs(figures["slope"]).max() < 1e-3
    assert figures["off"] < 1e-8
    np.testing.assert_allclose(figures["variance"], figures["their variance"], atol=1e-8)


def test_the_kalman_filter_knows_the_likelihood_of_the_whole_track(tmp_path: Path) -> None:
    figures = load("kalman").main(tmp_path)
    np.testing.assert_allclose(figures["likelihood"], figures["expected"], rtol=1e-9)
    assert np.abs(figures["gradient"]).max() < 1e-4
    np.testing.assert_allclose(np.exp(figures["logs"]), [2.0, 0.3], rtol=0.25)
    seen, filtered = figures["errors"]
    assert filtered < 0.7 * seen


def test_the_differential_equation_and_its_derivative(tmp_path: Path) -> None:
    figures = load("predator").main(tmp_path)
    assert figures["off"] < 1e-5
    assert figures["slope_off"] < 1e-6


def test_the_spectrum_has_its_peak_at_eleven_years(tmp_path: Path) -> None:
    figures = load("spectrum").main(tmp_path)
    assert 10.5 < figures["period"] < 11.5
    assert figures["off"] < 1e-12
    assert abs(figures["energy"] - 1.0) < 1e-12
