"""Sunspots of the next year: a recurrent network by scan, trained on 240 years and tried on 39.

Run it alone: python examples/sunspots.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import staticgraph as sg

EAGER = """
Unrolled eagerly, a step of training is a tape of 30 copies of the cell. Here the cell stands in the
graph once: the scan goes along the years, its derivative is a scan that goes back.
"""

SERIES = Path(__file__).parent / "sunspots.csv"
WINDOW, UNITS, STEPS = 30, 12, 400
FIRST_TRIED = 1950
SCALE = 100.0


def series() -> tuple[np.ndarray, np.ndarray]:
    """Years and yearly means of the sunspot number."""
    table = np.loadtxt(SERIES, delimiter=",", skiprows=4)
    return table[:, 0].astype(int), table[:, 1]


def windows(years: np.ndarray, spots: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each year with enough years before: those years, one column a window, and its own."""
    before = np.lib.stride_tricks.sliding_window_view(spots, WINDOW)[:-1]
    return years[WINDOW:], before.T[:, :, None] / SCALE, spots[WINDOW:] / SCALE


def network(before: sg.Tensor) -> sg.Tensor:
    """The next value of each window, from float64[WINDOW, windows, 1]."""
    spread = UNITS**-0.5
    inward = sg.Variable(sg.random.normal((1, UNITS), dtype="float64"), name="inward")
    across = sg.Variable(
        sg.random.normal((UNITS, UNITS), stddev=spread, dtype="float64"), name="across"
    )
    bias = sg.Variable(sg.zeros(UNITS, "float64"), name="bias")
    outward = sg.Variable(
        sg.random.normal((UNITS,), stddev=spread, dtype="float64"), name="outward"
    )
    level = sg.Variable(sg.zeros((), "float64"), name="level")

    def cell(state: sg.Tensor, year: sg.Tensor) -> tuple[sg.Tensor, None]:
        return sg.tanh(year @ inward + state @ across + bias), None

    start = sg.zeros_like(before[0] @ inward)
    state, _ = sg.scan(cell, start, before, name="along_the_years")
    # The network says by how much the next year differs from the last one.
    return before[-1, :, 0] + state @ outward + level


def plot(path: Path, years: Any, truth: Any, predicted: Any, losses: Any) -> None:
    """The years that were tried, and the loss of every step."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    course, training = figure.subplots(1, 2, width_ratios=(3, 1.4))
    course.plot(years, truth, color="#2d3748", label="seen in the sky")
    course.plot(years, predicted, "o-", color="#b2182b", markersize=3, linewidth=1,
                label="said a year before")  # fmt: skip
    course.axvspan(FIRST_TRIED - 0.5, years[-1] + 0.5, color="#f1ece2", zorder=0)
    course.text(years[-1], 193, "never trained on", color="#6e5b34", horizontalalignment="right")
    course.set(xlabel="year", ylabel="sunspot number", xlim=(1900, years[-1] + 0.5), ylim=(-8, 205))
    course.legend(frameon=False, loc="upper left")
    training.plot(losses, color="#2166ac")
    training.set(xlabel="step", ylabel="mean squared error", yscale="log", title="loss")
    for axes in (course, training):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def root_mean_square(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def main(output: Path) -> dict[str, Any]:
    """Trains, prints the errors on years never seen, draws, and returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    years, before, following = windows(*series())
    seen = years < FIRST_TRIED
    with sg.Graph().as_default() as graph:
        x = sg.placeholder("float64", (WINDOW, "windows", 1), name="before")
        t = sg.placeholder("float64", ("windows",), name="following")
        predicted = network(x)
        loss = sg.mean((predicted - t) ** 2, name="loss")
        step = sg.train.Adam(0.01).minimize(loss)
        graph.finalize()
        with sg.Session(seed=0) as session:
            run_step = session.make_callable((loss, step), [x, t])
            losses = [run_step(before[:, seen], following[seen])[0] for _ in range(STEPS)]
            said = session.run(predicted, {x: before}) * SCALE
        picture = output / "sunspots.svg"
        panels = {
            "as written": sg.extract(predicted),
            "as it runs, one product for all years": sg.optimize(predicted),
        }
        sg.render(panels, picture, title="A recurrent network: the cell stands in the scan once")

    truth = following * SCALE
    errors = {
        "the network": root_mean_square((said - truth)[~seen]),
        "the last year again": root_mean_square((before[-1, :, 0] * SCALE - truth)[~seen]),
        "the last change again": root_mean_square(
            ((2 * before[-1, :, 0] - before[-2, :, 0]) * SCALE - truth)[~seen]
        ),
    }
    print(f"trained on the years to {FIRST_TRIED - 1}, {STEPS} steps")
    print(f"errors in {FIRST_TRIED} to {years[-1]}, root mean square:")
    for name, error in errors.items():
        print(f"  {name:<22} {error:>5.1f}")
    print(EAGER)
    plot(output / "sunspots.png", years, truth, said, losses)
    print(f"wrote {picture}\nwrote {output / 'sunspots.png'}")
    return {"errors": errors, "losses": np.array(losses), "said": said, "truth": truth}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
