"""Two half moons told apart: a small network, and the border that it draws.

Run it alone: python examples/moons.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

import staticgraph as sg

EAGER = """
The border needs only `sure`: a run computes what is fetched, so neither labels nor loss nor
optimizer take part, and nothing has to be switched out of a training mode or wrapped in a
no-gradient block, as eager programs must be.
"""

STEPS = 500


def layer(x: sg.Tensor, inputs: int, outputs: int) -> sg.Tensor:
    """A layer of its own weights: x @ weights + bias."""
    spread = (1 / inputs) ** 0.5
    weights = sg.Variable(sg.random.normal((inputs, outputs), stddev=spread), name="weights")
    bias = sg.Variable(sg.zeros(outputs), name="bias")
    return x @ weights + bias


def plot(path: Path, points: Any, labels: Any, grid: tuple[Any, Any, Any], losses: Any) -> None:
    """The border between the moons, and the loss of every step."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    plane, course = figure.subplots(1, 2, width_ratios=(3, 2))
    shades = LinearSegmentedColormap.from_list("shades", ["#2166ac", "#f7f7f7", "#b2182b"])
    plane.contourf(*grid, levels=np.linspace(0, 1, 21), cmap=shades, alpha=0.55)
    plane.contour(*grid, levels=[0.5], colors="#333333", linewidths=1.2)
    plane.scatter(*points.T, c=labels, cmap=shades, s=16, edgecolors="white", linewidths=0.5)
    plane.set_title("test points, and how sure the network is of each place")
    plane.set(xticks=[], yticks=[], aspect="equal")
    course.plot(losses, color="#2166ac")
    course.set(xlabel="step", ylabel="cross-entropy", yscale="log", title="loss")
    course.yaxis.set_major_formatter("{x:g}")
    course.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    course.yaxis.set_minor_formatter("{x:g}")
    course.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main(output: Path) -> dict[str, Any]:
    """Prints the accuracy, plots the border, and returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    points, labels = make_moons(1000, noise=0.15, random_state=0)
    train_x, test_x, train_y, test_y = train_test_split(points, labels, random_state=0)
    with sg.Graph().as_default() as graph:
        x = sg.placeholder("float32", ("points", 2), name="x")
        t = sg.placeholder("float32", ("points",), name="t")
        hidden = sg.tanh(layer(sg.tanh(layer(x, 2, 16)), 16, 16))
        z = sg.squeeze(layer(hidden, 16, 1), axis=1)
        sure = sg.sigmoid(z)
        loss = sg.mean(sg.nn.sigmoid_cross_entropy_with_logits(labels=t, logits=z))
        accuracy = sg.mean(sg.cast((z > 0) == (t > 0.5), "float32"))
        step = sg.train.Adam(0.01).minimize(loss)
        graph.finalize()

        with sg.Session(seed=0) as session:
            run_step = session.make_callable((loss, step), [x, t])
            losses = np.array([run_step(train_x, train_y)[0] for _ in range(STEPS)])
            right = session.run(accuracy, {x: test_x, t: test_y})
            across, up = np.meshgrid(np.linspace(-1.6, 2.6, 200), np.linspace(-1.1, 1.6, 140))
            everywhere = np.stack([across.ravel(), up.ravel()], axis=1)
            map_of_plane = session.run(sure, {x: everywhere}).reshape(across.shape)

    print(f"{right:.1%} of {len(test_y)} test points on the right side, after {STEPS:,} steps")
    print(EAGER)
    picture = output / "moons.png"
    plot(picture, test_x, test_y, (across, up, map_of_plane), losses)
    print(f"wrote {picture}")
    return {"accuracy": float(right), "losses": losses}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
