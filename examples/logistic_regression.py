"""Logistic regression by L-BFGS: SciPy minimises, staticgraph gives value and gradient.

Run it alone: python examples/logistic_regression.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import staticgraph as sg

EAGER = """
SciPy calls the function at every point it tries. Eagerly each call is some twenty operations and a
tape for the gradient; here it is one call of machine code, that takes an array and gives two.
"""

STRENGTH = 1.0  # scikit-learn's C: how much the data count against the penalty


def objective(points: np.ndarray, labels: np.ndarray) -> Any:
    """The compiled function from all coefficients, the intercept last, to value and gradient."""
    with sg.Graph().as_default() as graph:
        parameters = sg.placeholder("float64", (points.shape[1] + 1,), name="parameters")
        weights, intercept = parameters[:-1], parameters[-1]
        x, t = sg.constant(points, name="x"), sg.constant(labels.astype(float), name="t")
        losses = sg.nn.sigmoid_cross_entropy_with_logits(labels=t, logits=x @ weights + intercept)
        value = STRENGTH * sg.sum(losses) + 0.5 * sg.sum(weights**2)
        (gradient,) = sg.gradients(value, parameters)
        graph.finalize()
    return sg.Session(graph).make_callable([value, gradient], [parameters])


def plot(path: Path, names: Any, found: np.ndarray, expected: np.ndarray, course: Any) -> None:
    """The coefficients of both, and the value from step to step."""
    figure = Figure(figsize=(10, 5), layout="constrained")
    bars, steps = figure.subplots(1, 2, width_ratios=(3, 2))
    order = np.argsort(found)
    bars.barh(range(len(order)), found[order], color="#92c5de", label="staticgraph and SciPy")
    bars.plot(expected[order], range(len(order)), "k.", markersize=4, label="scikit-learn")
    bars.set_yticks(range(len(order)), names[order], fontsize=7)
    bars.set(title="coefficients of standardised features")
    bars.legend(frameon=False, loc="upper left")
    best = min(course)
    steps.semilogy([value - best + 1e-12 for value in course[:-1]], color="#2166ac")
    steps.set(xlabel="step of L-BFGS", title="value above the least one")
    for axes in (bars, steps):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main(output: Path) -> dict[str, Any]:
    """Fits, compares with scikit-learn, draws, and returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    data = load_breast_cancer()
    points = StandardScaler().fit_transform(data.data)
    function = objective(points, data.target)
    course: list[float] = []

    def value_and_gradient(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = function(parameters)
        return float(value), gradient

    start = np.zeros(points.shape[1] + 1)
    result = minimize(
        value_and_gradient, start, jac=True, method="L-BFGS-B",
        callback=lambda intermediate_result: course.append(float(intermediate_result.fun)),
        options={"maxiter": 1000, "ftol": 0.0, "gtol": 1e-8, "maxcor": 30},
    )  # fmt: skip
    peer = LogisticRegression(C=STRENGTH, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    peer.fit(points, data.target)
    expected = np.append(peer.coef_[0], peer.intercept_)
    difference = float(np.abs(result.x - expected).max())

    print(f"{len(points)} tumours, {points.shape[1]} features, {result.nit} steps of L-BFGS,")
    print(f"{result.nfev} calls; largest gradient at the end {np.abs(result.jac).max():.1e}")
    print(f"largest difference from scikit-learn's coefficients: {difference:.1e}")
    print(EAGER)
    picture = output / "logistic_regression.png"
    plot(picture, data.feature_names, result.x[:-1], expected[:-1], course)
    print(f"wrote {picture}")
    return {"found": result.x, "expected": expected, "difference": difference}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
