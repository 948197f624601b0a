"""A line through 20 points: fresh gradients converge, accumulated ones swing for ever.

Run it alone: python examples/linear_regression.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import staticgraph as sg

CASE = json.loads(Path(__file__).with_name("cases.json").read_text())["linear_regression_20_points"]
EAGER = """
Eager libraries that keep gradients in buffers of the parameters give the second curve to everyone
who forgets to clear them. Here a gradient is a tensor, so each run computes it afresh; what is to
be kept is kept in a variable that the program names.
"""

STEPS = 1000


def fit(accumulate: bool, steps: int = STEPS) -> dict[str, Any]:
    """Losses, gradients and parameters of `steps` steps of descent, in float32.

    Adding gradients up is possible, but it has to be said: it takes a variable that keeps the sum.
    """
    rate = CASE["learning_rate"]
    with sg.Graph().as_default() as graph:
        x = sg.constant(CASE["x"], "float32", name="x")
        y = sg.constant(CASE["y"], "float32", name="y")
        w = sg.Variable(CASE["w0"], "float32", name="w")
        b = sg.Variable(CASE["b0"], "float32", name="b")

        loss = sg.mean(0.5 * (y - (w * x + b)) ** 2)
        gradients = sg.gradients(loss, [w, b])
        if accumulate:
            sums = [sg.Variable(0.0, "float32", name=f"sum_d{v.name}") for v in (w, b)]
            gradients = [s.assign_add(g) for s, g in zip(sums, gradients, strict=True)]
        step = [v.assign_sub(rate * g) for v, g in zip((w, b), gradients, strict=True)]
        graph.finalize()

        with sg.Session() as session:
            run_step = session.make_callable((loss, gradients, step))
            rows = [run_step() for _ in range(steps)]
    return {
        "losses": np.array([row[0] for row in rows]),
        "gradients": np.array([row[1] for row in rows]),
        "parameters": np.array([row[2] for row in rows]),
    }


def plot(path: Path, fresh: dict[str, Any], accumulated: dict[str, Any]) -> None:
    """Both losses along the steps, and where the parameters go."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    losses, plane = figure.subplots(1, 2)
    blue, red = "#2166ac", "#d6604d"
    losses.plot(accumulated["losses"], color=red, linewidth=0.8, label="accumulated gradients")
    losses.plot(fresh["losses"], color=blue, linewidth=2, label="fresh gradients")
    losses.set(yscale="log", xlabel="step", ylabel="loss", ylim=(0.6, 400))
    losses.set_title("1,000 steps of descent, learning rate 0.01")
    losses.legend(frameon=False, loc="upper right", ncols=2)
    for run, color, width in ((accumulated, red, 0.5), (fresh, blue, 2)):
        path_of = np.vstack([[CASE["w0"], CASE["b0"]], run["parameters"]])
        plane.plot(*path_of.T, color=color, linewidth=width)
    w, b = fresh["parameters"][-1]
    plane.plot(w, b, "o", color=blue, label=f"fresh gradients end at w = {w:.2f}, b = {b:.2f}")
    plane.legend(frameon=False, loc="upper right")
    plane.set(xlabel="w", ylabel="b", ylim=(-0.8, 12.8))
    plane.set_title("the path of the line's slope w and offset b")
    for axes in (losses, plane):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main(output: Path) -> dict[str, Any]:
    """Prints losses and parameters of both ways, plots them, and returns all figures."""
    output.mkdir(parents=True, exist_ok=True)
    figures = {"fresh": fit(accumulate=False), "accumulated": fit(accumulate=True)}
    print("step    loss, fresh    loss, accumulated")
    for step in (0, 1, 10, 100, 999):
        print(
            f"{step:>4}    {figures['fresh']['losses'][step]:<11.7g}    "
            f"{figures['accumulated']['losses'][step]:.7g}"
        )
    w, b = figures["fresh"]["parameters"][-1]
    tail = figures["accumulated"]["losses"][-200:]
    print(f"fresh gradients end at w = {w:.6f}, b = {b:.6f}")
    print(f"accumulated ones still swing between a loss of {tail.min():.4g} and {tail.max():.4g}")
    print(EAGER)
    picture = output / "linear_regression.png"
    plot(picture, figures["fresh"], figures["accumulated"])
    print(f"wrote {picture}")
    return figures


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
