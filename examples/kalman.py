"""A Kalman filter as a scan, and the noise of track and sensor learned through it.

The filter is R. E. Kalman's, "A new approach to linear filtering and prediction problems", J. Basic
Eng. 82, 1960; the likelihood is the product of its innovations' (F. C. Schweppe, 1965).

Run it alone: python examples/kalman.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

import staticgraph as sg

EAGER = """
Eagerly the filter is a Python loop of some twenty calls a measurement, and its tape is as long as
the track. Here it is one scan, whose derivative is a scan that goes back.
"""

STEP, COUNT = 0.1, 150
TRUE_PUSH, TRUE_BLUR = 2.0, 0.3

# State: place and velocity in two directions. The velocity is pushed about at random.
MOVE = np.eye(4) + STEP * np.eye(4, k=2)
LOOK = np.eye(2, 4)
PUSH = np.kron(
    np.array([[STEP**3 / 3, STEP**2 / 2], [STEP**2 / 2, STEP]]), np.eye(2)
)  # what a unit of white acceleration does in one step
FIRST_MEAN, FIRST_SPREAD = np.array([0.0, 0.0, 1.0, 0.5]), np.eye(4) * 0.5


def flight() -> tuple[np.ndarray, np.ndarray]:
    """A track, and what a blurred sensor sees of it."""
    numbers = np.random.RandomState(2)
    factor = np.linalg.cholesky(PUSH * TRUE_PUSH**2)
    state, track = FIRST_MEAN, []
    for _ in range(COUNT):
        state = MOVE @ state + factor @ numbers.standard_normal(4)
        track.append(state[:2])
    places = np.array(track)
    return places, places + TRUE_BLUR * numbers.standard_normal(places.shape)


def filtered(seen: sg.Tensor, logs: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor, sg.Tensor]:
    """Minus the log of the likelihood; the means and covariances after each measurement."""
    move, look = sg.constant(MOVE), sg.constant(LOOK)
    pushed = sg.exp(2.0 * logs[0]) * sg.constant(PUSH)
    blurred = sg.exp(2.0 * logs[1]) * sg.eye(2, dtype="float64")

    def measure(state: Any, place: sg.Tensor) -> tuple[Any, Any]:
        mean, spread, loss = state
        mean = move @ mean
        spread = move @ spread @ sg.matrix_transpose(move) + pushed
        factor = sg.linalg.cholesky(look @ spread @ sg.matrix_transpose(look) + blurred)
        surprise = place - look @ mean
        white = sg.linalg.solve_triangular(factor, surprise[:, None], lower=True)
        across = sg.linalg.solve_triangular(factor, look @ spread, lower=True)
        mean = mean + sg.squeeze(sg.matrix_transpose(across) @ white, axis=1)
        spread = spread - sg.matrix_transpose(across) @ across
        logarithms = sg.sum(sg.log(sg.linalg.diagonal(factor)))
        loss = loss + 0.5 * sg.sum(white * white) + logarithms + np.log(2.0 * np.pi)
        return (mean, spread, loss), (mean, spread)

    start = (sg.constant(FIRST_MEAN), sg.constant(FIRST_SPREAD), sg.constant(0.0, "float64"))
    (_, _, loss), (means, spreads) = sg.scan(measure, start, seen)
    return loss, means, spreads


def dense_likelihood(seen: np.ndarray, push: float, blur: float) -> float:
    """The same likelihood without a filter: all places are one normal vector of their own."""
    mean, spread = FIRST_MEAN, FIRST_SPREAD
    means, blocks = [], np.zeros((COUNT, 2, COUNT, 2))
    for i in range(COUNT):
        mean, spread = MOVE @ mean, MOVE @ spread @ MOVE.T + push**2 * PUSH
        means.append(LOOK @ mean)
        later = spread
        for j in range(i, COUNT):
            blocks[j, :, i] = LOOK @ later @ LOOK.T
            blocks[i, :, j] = blocks[j, :, i].T
            later = MOVE @ later
    joint = blocks.reshape(2 * COUNT, 2 * COUNT) + blur**2 * np.eye(2 * COUNT)
    return float(multivariate_normal(np.concatenate(means), joint).logpdf(seen.ravel()))


def plot(path: Path, track: Any, seen: Any, means: Any, logs: Any, losses: Any) -> None:
    """The track, what was seen of it and what the filter says; the likelihood over both noises."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    plane, map_of_noise = figure.subplots(1, 2)
    plane.plot(*seen.T, ".", color="#999999", markersize=4, label="seen")
    plane.plot(*track.T, color="#2d3748", label="flown")
    plane.plot(*means[:, :2].T, color="#b2182b", linewidth=1, label="filtered")
    plane.set(xticks=[], yticks=[], aspect="equal", title="the track")
    plane.legend(frameon=False)
    pushes, blurs, values = losses
    levels = values.min() + np.array([0.1, 1, 3, 10, 30, 100, 300])
    map_of_noise.contour(pushes, blurs, values, levels=levels, cmap="viridis")
    map_of_noise.plot(*np.exp(logs), "o", color="#b2182b", label="learned")
    map_of_noise.plot(TRUE_PUSH, TRUE_BLUR, "k+", label="put in")
    map_of_noise.set(xscale="log", yscale="log", xlabel="noise of the track",
                     ylabel="noise of the sensor", title="minus log of the likelihood")  # fmt: skip
    map_of_noise.legend(frameon=False)
    plane.spines[:].set_visible(False)
    map_of_noise.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main(output: Path) -> dict[str, Any]:
    """Learns both noises, compares the likelihood with SciPy's, draws, returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    track, seen = flight()
    with sg.Graph().as_default() as graph:
        logs = sg.placeholder("float64", (2,), name="logs")
        loss, means, _ = filtered(sg.constant(seen, name="seen"), logs)
        (gradient,) = sg.gradients(loss, logs)
        graph.finalize()
    with sg.Session(graph) as session:
        learn = session.make_callable([loss, gradient], [logs])
        result = minimize(learn, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-6})
        said = session.run(means, {logs: result.x})
        pushes, blurs = np.geomspace(0.3, 15.0, 40), np.geomspace(0.1, 1.0, 40)
        value = session.make_callable(loss, [logs])
        values = np.array([[value(np.log([p, b])) for p in pushes] for b in blurs])
    push, blur = np.exp(result.x)
    expected = dense_likelihood(seen, push, blur)
    errors = [float(np.sqrt(np.mean((places - track) ** 2))) for places in (seen, said[:, :2])]
    print(f"noise of the track {push:.2f} (put in: {TRUE_PUSH}), of the sensor {blur:.3f}"
          f" (put in: {TRUE_BLUR})")  # fmt: skip
    print(f"log of the likelihood {-result.fun:.6f}; of one normal vector by SciPy {expected:.6f}")
    print(f"error of what was seen {errors[0]:.3f}, of what the filter says {errors[1]:.3f}")
    print(EAGER)
    picture = output / "kalman.png"
    plot(picture, track, seen, said, result.x, (pushes, blurs, values))
    print(f"wrote {picture}")
    return {"logs": result.x, "likelihood": -float(result.fun), "expected": expected,
            "errors": errors, "gradient": result.jac}  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
