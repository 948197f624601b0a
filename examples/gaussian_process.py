"""A Gaussian process whose length, height and noise are learned through a Cholesky factor.

The marginal likelihood and the predictions are those of C. E. Rasmussen and C. K. I. Williams,
"Gaussian Processes for Machine Learning", 2006, algorithm 2.1.

Run it alone: python examples/gaussian_process.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

import staticgraph as sg

EAGER = """
Libraries write the derivative of the likelihood by hand, a formula a kernel. Eagerly a tape would
find it, at a few dozen calls for each of the optimizer's. Here the kernel is all that is written:
factor, solves and derivative are one function in machine code.
"""


def observed() -> tuple[np.ndarray, np.ndarray]:
    """A smooth curve at 40 places, seen through noise."""
    numbers = np.random.RandomState(0)
    x = np.sort(numbers.uniform(0.0, 10.0, 40))
    return x, np.sin(x) + 0.3 * np.sin(3.1 * x) + 0.2 * numbers.standard_normal(40)


def covariance(first: sg.Tensor, second: sg.Tensor, logs: sg.Tensor) -> sg.Tensor:
    """How the values at two sets of places vary together; `logs` are height, length, noise."""
    height, length = sg.exp(logs[0]), sg.exp(logs[1])
    apart = (first[:, None] - second[None, :]) / length
    return height * sg.exp(-0.5 * apart * apart)


def process(x: sg.Tensor, y: sg.Tensor, places: sg.Tensor, logs: sg.Tensor) -> tuple[Any, ...]:
    """Minus the log of the marginal likelihood; mean and variance of the curve at `places`."""
    count = x.shape[0]
    noisy = covariance(x, x, logs) + sg.exp(logs[2]) * sg.eye(count, dtype="float64")
    factor = sg.linalg.cholesky(noisy)
    white = sg.linalg.solve_triangular(factor, y[:, None], lower=True)
    determinant = 2.0 * sg.sum(sg.log(sg.linalg.diagonal(factor)))
    loss = 0.5 * (sg.sum(white * white) + determinant + count * np.log(2.0 * np.pi))
    across = sg.linalg.solve_triangular(factor, covariance(x, places, logs), lower=True)
    mean = sg.squeeze(sg.matrix_transpose(across) @ white, axis=1)
    return loss, mean, sg.exp(logs[0]) - sg.sum(across * across, axis=0)


def plot(path: Path, x: Any, y: Any, places: Any, curves: dict[str, Any]) -> None:
    """The curve before and after learning, with twice its standard deviation."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    for axes, (title, (mean, variance)) in zip(
        figure.subplots(1, 2, sharey=True), curves.items(), strict=True
    ):
        spread = 2.0 * np.sqrt(np.maximum(variance, 0.0))
        axes.fill_between(places, mean - spread, mean + spread, color="#92c5de", alpha=0.5)
        axes.plot(places, mean, color="#2166ac")
        axes.plot(x, y, "k.", markersize=4)
        axes.set(title=title, xlabel="x")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main(output: Path) -> dict[str, Any]:
    """Learns, compares with scikit-learn, draws, and returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    x, y = observed()
    places = np.linspace(-0.5, 10.5, 200)
    with sg.Graph().as_default() as graph:
        logs = sg.placeholder("float64", (3,), name="logs")
        loss, mean, variance = process(*map(sg.constant, (x, y, places)), logs)
        (gradient,) = sg.gradients(loss, logs)
        graph.finalize()
    start = np.log([1.0, 3.0, 0.3])
    with sg.Session(graph) as session:
        learn = session.make_callable([loss, gradient], [logs])
        look = session.make_callable([mean, variance], [logs])
        result = minimize(learn, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-8})
        curves = {"as guessed": look(start), "as learned": look(result.x)}
    height, length, noise = np.exp(result.x)

    kernel = ConstantKernel(height) * RBF(length) + WhiteKernel(noise)
    peer = GaussianProcessRegressor(kernel, optimizer=None, alpha=0.0).fit(x[:, None], y)
    theirs, slope = peer.log_marginal_likelihood(result.x, eval_gradient=True)
    peers_mean, deviation = peer.predict(places[:, None], return_std=True)
    off = float(np.abs(curves["as learned"][0] - peers_mean).max())
    print(f"height {height:.3f}, length {length:.3f}, noise {noise**0.5:.3f} (put in: 0.2)")
    print(f"log of the likelihood {-result.fun:.6f}; scikit-learn's at the same place {theirs:.6f}")
    print(f"largest slope there by scikit-learn's formulas: {np.abs(slope).max():.1e}")
    print(f"largest difference of the predicted means: {off:.1e}")
    print(EAGER)
    picture = output / "gaussian_process.png"
    plot(picture, x, y, places, curves)
    print(f"wrote {picture}")
    return {
        "logs": result.x, "likelihood": -float(result.fun), "theirs": float(theirs),
        "slope": slope, "off": off, "variance": curves["as learned"][1],
        "their variance": deviation**2 - noise,
    }  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
