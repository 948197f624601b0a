"""Gradient descent, written out: one variable, one derivative, one assign.

Run it alone: python examples/descent.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import staticgraph as sg

EAGER = """
The slope of the second function is 2*(2x-1)**2*(x+1): from the left the descent ends in the
valley at -1, from the right it creeps along the terrace at 1/2.
An eager loop records a tape, walks it back and drops it 15,000 times; here the step is built and
differentiated once, and finalize() would have refused any later addition.
"""


def parabola(x: Any) -> Any:
    return x**2


def terrace(x: Any) -> Any:
    return 2 * x**4 - 3 * x**2 + 2 * x - 20


DESCENTS: tuple[tuple[str, Callable[[Any], Any], float, float, int], ...] = (
    ("x**2", parabola, 5.0, 0.1, 50),
    ("2*x**4-3*x**2+2*x-20", terrace, 5.0, 0.001, 15_000),
    ("2*x**4-3*x**2+2*x-20", terrace, -3.0, 0.001, 15_000),
)


def descend(f: Callable[[Any], Any], start: float, learning_rate: float, steps: int) -> np.ndarray:
    """Every position of a descent on `f`, the start included.

    The whole step is one operation that a session runs: it reads x, takes the derivative, writes
    x. Nothing is built, recorded or cleared in the loop.
    """
    with sg.Graph().as_default() as graph:
        x = sg.Variable(np.float64(start), name="x")
        (slope,) = sg.gradients(f(x), x)
        step = x.assign_sub(learning_rate * slope)
        graph.finalize()
        with sg.Session() as session:
            run_step = session.make_callable(step)
            return np.array([start, *[run_step() for _ in range(steps)]])


def plot(path: Path, paths: list[np.ndarray]) -> None:
    """The second function with its descents, and every position against its step."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    terraced, steps = figure.subplots(1, 2)
    shades = ("#4d4d4d", "#2166ac", "#b2182b")
    grid = np.linspace(-2.4, 2.4, 400)
    terraced.plot(grid, terrace(grid), color="#9aa5b1", zorder=1)
    for positions, shade in zip(paths[1:], shades[1:], strict=True):
        terraced.plot(positions, terrace(positions), ".", color=shade, markersize=6, zorder=2)
        end = positions[-1]
        terraced.plot(end, terrace(end), "o", color=shade, markersize=9, zorder=3)
    terraced.set(xlim=(-2.4, 2.4), ylim=(-25.5, -5), xlabel="x", ylabel="f(x)")
    terraced.set_title("f(x) = 2x⁴ − 3x² + 2x − 20: a valley and a terrace")
    for (text, _, start, rate, _), positions, shade in zip(DESCENTS, paths, shades, strict=True):
        pretty = text.replace("**4", "⁴").replace("**2", "²").replace("*", "").replace("-", " − ")
        label = f"{pretty.replace('+', ' + ')}, from {start:g}, rate {rate:g}".replace("-", "−")
        steps.plot(np.arange(1, len(positions) + 1), positions, color=shade, label=label)
    steps.set(xscale="log", xlabel="step (the start is 1)", ylabel="x", ylim=(-3.5, 8.5))
    steps.set_title("where x is after each step")
    steps.legend(frameon=False, loc="upper right")
    for axes in (terraced, steps):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main(output: Path) -> list[float]:
    """Prints where each descent ends, plots them, and returns the ends."""
    output.mkdir(parents=True, exist_ok=True)
    paths = []
    for text, f, start, learning_rate, steps in DESCENTS:
        positions = descend(f, start, learning_rate, steps)
        print(f"{text:<22} from {start:>4g}, {steps:>6,} steps: {float(positions[-1])!r}")
        paths.append(positions)
    print(EAGER)
    picture = output / "descent.png"
    plot(picture, paths)
    print(f"wrote {picture}")
    return [float(positions[-1]) for positions in paths]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
