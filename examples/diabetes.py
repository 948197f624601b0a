"""Ridge regression by one solve, and its penalty chosen by a derivative through that solve.

Run it alone: python examples/diabetes.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split

import staticgraph as sg

EAGER = """
The error on points that were held back is a function of the penalty: through a sum of products and
a solve. Its slope is one more solve with the same factors, which is computed once for both; eagerly
the tape would have kept every array in between.
"""

STEPS = 300


def ridge(x: sg.Tensor, y: sg.Tensor, penalty: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
    """Coefficients and intercept that minimise the squared error plus penalty times their norm."""
    center, middle = sg.mean(x, axis=0), sg.mean(y)
    centered = x - center
    gram = sg.matrix_transpose(centered) @ centered
    eye = sg.eye(x.shape[1], dtype="float64")
    weights = sg.linalg.solve(gram + penalty * eye, sg.matrix_transpose(centered) @ (y - middle))
    return weights, middle - sg.vecdot(center, weights)


def plot(path: Path, penalties: Any, weights: Any, errors: Any, chosen: float, names: Any) -> None:
    """Coefficients and errors over the penalty, and the one that was chosen."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    paths, course = figure.subplots(1, 2)
    for number, name in enumerate(names):
        paths.plot(penalties, weights[:, number], label=name)
    paths.set(xscale="log", xlabel="penalty", title="coefficients")
    paths.legend(frameon=False, fontsize=7, ncols=2)
    course.plot(penalties, errors, color="#2166ac")
    course.set(xscale="log", xlabel="penalty", title="error on points held back")
    for axes in (paths, course):
        axes.axvline(chosen, color="#b2182b", linewidth=1)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main(output: Path) -> dict[str, Any]:
    """Fits, compares with scikit-learn, chooses the penalty, draws, and returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    data = load_diabetes()
    seen_x, held_x, seen_y, held_y = train_test_split(data.data, data.target, random_state=0)
    with sg.Graph().as_default() as graph:
        exponent = sg.Variable(np.float64(0.0), name="log_penalty")
        penalty = sg.exp(exponent)
        weights, intercept = ridge(sg.constant(seen_x), sg.constant(seen_y), penalty)
        error = sg.mean((sg.constant(held_x) @ weights + intercept - sg.constant(held_y)) ** 2)
        step = sg.train.Adam(0.05).minimize(error)
        graph.finalize()
        with sg.Session() as session:
            found = session.run(weights)
            for _ in range(STEPS):
                session.run(step)
            chosen, least = session.run([penalty, error])
            grid = np.geomspace(1e-4, 10.0, 60)
            look = session.make_callable([weights, error], [exponent.value])
            rows = [look(np.log(value)) for value in grid]
    expected = Ridge(alpha=1.0).fit(seen_x, seen_y).coef_
    best = Ridge(alpha=float(chosen)).fit(seen_x, seen_y)
    difference = float(np.abs(found - expected).max())
    peers_error = float(np.mean((best.predict(held_x) - held_y) ** 2))
    print(f"{len(seen_x)} patients, {seen_x.shape[1]} measurements; penalty 1:")
    print(f"largest difference from scikit-learn's coefficients: {difference:.1e}")
    print(f"penalty after {STEPS} steps: {chosen:.4f}; error {least:.2f} on {len(held_x)} others")
    print(EAGER)
    picture = output / "diabetes.png"
    plot(picture, grid, np.stack([row[0] for row in rows]), [row[1] for row in rows], chosen,
         data.feature_names)  # fmt: skip
    print(f"wrote {picture}")
    errors = {"chosen": float(least), "scikit-learn": peers_error,
              "grid": float(min(row[1] for row in rows))}  # fmt: skip
    return {"found": found, "expected": expected, "errors": errors, "penalty": float(chosen)}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
