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
    "linear_regression": ["linear_regression.png"],
    "logits": [],
    "moons": ["moons.png"],
    "neuron": ["neuron.svg"],
    "newton": [],
    "newton_sqrt": ["newton_sqrt.svg"],
    "power_iteration": ["power_iteration.svg"],
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
