"""A differential equation solved by a while_loop, and the gradient of its course to its parameters.

Lotka and Volterra's equations of prey and predator, by Dormand and Prince's method of order 5 with
steps that the error chooses (J. R. Dormand and P. J. Prince, "A family of embedded Runge-Kutta
formulae", J. Comput. Appl. Math. 6, 1980). The derivative goes back through the accepted steps.

Run it alone: python examples/predator.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp

import staticgraph as sg

EAGER = """
How many steps there are is known when the last one is done. An eager tape records each; a graph
without loops could not be built at all. Here the loop is one operation, its derivative another.
"""

# The method's coefficients, row by row; the last row is the solution of order 5.
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
# What the solution of order 4 differs by, as weights of the seven slopes.
ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
TOLERANCE = 1e-8
START, UNTIL = (10.0, 5.0), 24.0
TRUE = (1.1, 0.4, 0.1, 0.4)


def slope(state: sg.Tensor, parameters: sg.Tensor) -> sg.Tensor:
    """How fast prey and predators become more."""
    prey, predators = state[0], state[1]
    births, eaten, fed, deaths = (parameters[i] for i in range(4))
    return sg.stack([births * prey - eaten * prey * predators,
                     fed * prey * predators - deaths * predators])  # fmt: skip


def weighted(slopes: list[sg.Tensor], weights: tuple[float, ...]) -> sg.Tensor:
    """The sum of the slopes that have a weight."""
    terms = [w * k for w, k in zip(weights, slopes, strict=True) if w != 0.0]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def advance(start: sg.Tensor, until: sg.Tensor, parameters: sg.Tensor) -> tuple[Any, ...]:
    """The state at `until`, and how many steps were accepted and tried."""

    def going(time: sg.Tensor, *_: sg.Tensor) -> sg.Tensor:
        return time < until

    def step(time: Any, size: Any, state: Any, taken: Any, tried: Any) -> tuple[Any, ...]:
        size = sg.minimum(size, until - time)
        slopes = [slope(state, parameters)]
        for weights in STAGES:
            following = state + size * weighted(slopes, weights)
            slopes.append(slope(following, parameters))
        # The choice of steps is no part of the derivative: the course does not depend on it.
        wrong = sg.stop_gradient(size * weighted(slopes, ERROR))
        allowed = TOLERANCE * (1.0 + sg.abs(sg.stop_gradient(following)))
        error = sg.sqrt(sg.mean((wrong / allowed) ** 2))
        good = error <= 1.0
        factor = sg.clip(0.9 * sg.maximum(error, 1e-10) ** -0.2, 0.2, 5.0)
        return (
            sg.where(good, time + size, time),
            size * factor,
            sg.where(good, following, state),
            taken + sg.cast(good, "int64"),
            tried + 1,
        )

    zero = sg.constant(0.0, "float64")
    count = sg.constant(0, "int64")
    first = sg.constant(0.01, "float64")
    _, _, state, taken, tried = sg.while_loop(going, step, (zero, first, start, count, count))
    return state, taken, tried


def scipys_course(parameters: Any, times: np.ndarray) -> np.ndarray:
    """The same course by SciPy, to compare with."""
    births, eaten, fed, deaths = parameters
    solution = solve_ivp(
        lambda _, y: (y[0] * (births - eaten * y[1]), y[1] * (fed * y[0] - deaths)),
        (0.0, times[-1]), START, method="DOP853", t_eval=times, rtol=1e-12, atol=1e-12,
    )  # fmt: skip
    assert solution.success
    return np.asarray(solution.y.T)


def plot(path: Path, times: np.ndarray, course: np.ndarray, slopes: np.ndarray) -> None:
    """The course, and how it moves with the death rate of the predators."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    for axes, values, title in zip(
        figure.subplots(1, 2), (course, slopes),
        ("prey and predators", "their derivative by the predators' death rate"), strict=True,
    ):  # fmt: skip
        axes.plot(times, values[:, 0], color="#2166ac", label="prey")
        axes.plot(times, values[:, 1], color="#b2182b", label="predators")
        axes.set(xlabel="time", title=title)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main(output: Path) -> dict[str, Any]:
    """Solves, differentiates, compares both with SciPy, draws, and returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    with sg.Graph().as_default() as graph:
        start = sg.placeholder("float64", (2,), name="start")
        until = sg.placeholder("float64", (), name="until")
        parameters = sg.placeholder("float64", (4,), name="parameters")
        state, taken, tried = advance(start, until, parameters)
        jacobian = sg.jacobian(state, parameters)
        graph.finalize()
    with sg.Session(graph) as session:
        run = session.make_callable([state, jacobian, taken, tried], [start, until, parameters])
        times = np.linspace(0.1, UNTIL, 240)
        rows = [run(START, time, TRUE) for time in times]
    course, slopes = (np.stack([row[i] for row in rows]) for i in range(2))
    expected = scipys_course(TRUE, times)
    step = 1e-5
    differences = np.stack(
        [
            (scipys_course(np.array(TRUE) + shift, times) -
             scipys_course(np.array(TRUE) - shift, times))[-1] / (2 * step)
            for shift in np.eye(4) * step
        ], axis=-1,
    )  # fmt: skip
    off = float(np.abs(course - expected).max())
    slope_off = float(np.abs(slopes[-1] - differences).max() / np.abs(differences).max())
    taken_last, tried_last = (int(number) for number in rows[-1][2:])
    print(f"{taken_last} steps, {tried_last - taken_last} of them tried again, to time {UNTIL:g}")
    print(f"largest difference from SciPy's course: {off:.1e}")
    print(f"derivative of the last state, against differences of SciPy's: {slope_off:.1e}")
    print(EAGER)
    picture = output / "predator.png"
    plot(picture, times, course, slopes[:, :, 3])
    print(f"wrote {picture}")
    return {"off": off, "slope_off": slope_off, "course": course, "slopes": slopes}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
