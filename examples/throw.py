"""How to throw so that it lands at 30 m: a derivative through a flight that ends when it ends.

Run it alone: python examples/throw.py
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import staticgraph as sg

EAGER = """
An eager program keeps a tape of each flight, every operation of every tick. A compiler that wants
to know the length beforehand has no derivative of such a loop. Here the flight is one operation,
and its derivative stacks what it needs of each tick, however many there are.
"""

SPEED, DRAG, GRAVITY, TICK = 25.0, 0.02, 9.81, 0.02
TARGET = 30.0


def after(x: Any, y: Any, vx: Any, vy: Any, time: Any) -> tuple[Any, Any, Any, Any]:
    """Place and velocity after a short time, for numbers and tensors alike."""
    drag = DRAG * (vx * vx + vy * vy) ** 0.5
    ax, ay = -drag * vx, -drag * vy - GRAVITY
    half = 0.5 * time
    return x + time * (vx + half * ax), y + time * (vy + half * ay), vx + time * ax, vy + time * ay


def until_ground(y: Any, vx: Any, vy: Any) -> Any:
    """How long the last, shorter tick takes: where its parabola meets the ground."""
    ay = -DRAG * (vx * vx + vy * vy) ** 0.5 * vy - GRAVITY
    return (-vy - (vy * vy - 2 * ay * y) ** 0.5) / ay


def distance(angle: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
    """How far a ball with air drag flies that is thrown at `angle`, and in how many ticks."""
    ground = sg.zeros((), "float64")
    start = [ground, ground, SPEED * sg.cos(angle), SPEED * sg.sin(angle), 0]

    def in_the_air(x: Any, y: Any, vx: Any, vy: Any, ticks: Any) -> sg.Tensor:
        return after(x, y, vx, vy, TICK)[1] > 0.0

    def tick(x: Any, y: Any, vx: Any, vy: Any, ticks: Any) -> tuple[Any, ...]:
        return (*after(x, y, vx, vy, TICK), ticks + 1)

    x, y, vx, vy, ticks = sg.while_loop(in_the_air, tick, start, name="flight")
    return after(x, y, vx, vy, until_ground(y, vx, vy))[0], ticks


def path(angle: float) -> np.ndarray:
    """The same flight in plain Python, place by place."""
    state = (0.0, 0.0, SPEED * math.cos(angle), SPEED * math.sin(angle))
    places = [state[:2]]
    while after(*state, TICK)[1] > 0.0:
        state = after(*state, TICK)
        places.append(state[:2])
    return np.array([*places, after(*state, until_ground(*state[1:]))[:2]])


def plot(file: Path, angles: np.ndarray, curve: tuple[Any, Any], tries: list[float]) -> None:
    """The flights of Newton's method, and distance and slope against the angle."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    flights, course = figure.subplots(1, 2)
    shades = ["#c6d5e8", "#93b1d3", "#5c89bd", "#2166ac"]
    for number, angle in enumerate(tries[:4]):
        places = path(angle)
        label = f"try {number + 1}: {math.degrees(angle):.1f}°"
        flights.plot(*places.T, color=shades[number], label=label)
    flights.axvline(TARGET, color="#b2182b", linewidth=1, linestyle="--")
    flights.set(xlabel="metres", ylabel="metres", ylim=(0, None), title="flights")
    flights.legend(frameon=False)
    distances, slopes = curve
    course.plot(np.degrees(angles), distances, color="#2166ac", label="distance, m")
    course.plot(np.degrees(angles), slopes, color="#b2182b", label="its slope, m per radian")
    course.axhline(0, color="#9aa5b1", linewidth=0.8)
    course.set(xlabel="angle, degrees", title="distance and its slope by the angle")
    course.legend(frameon=False)
    for axes in (flights, course):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=150)


def main(output: Path) -> dict[str, Any]:
    """Prints how the angle is found, draws flights and graph, and returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    with sg.Graph().as_default() as graph:
        angle = sg.placeholder("float64", (), name="angle")
        far, ticks = distance(angle)
        (slope,) = sg.gradients(far, angle)
        graph.finalize()
        with sg.Session() as session:
            throw = session.make_callable((far, slope, ticks), [angle])
            tries = [math.radians(15.0)]
            print(f"thrown at {SPEED:g} m/s, to land at {TARGET:g} m")
            for _ in range(8):
                there, by_angle, took = throw(tries[-1])
                print(f"  {math.degrees(tries[-1]):>8.4f}° {there:>10.6f} m in {took} ticks,"
                      f" slope {by_angle:>7.3f} m per radian")  # fmt: skip
                if abs(there - TARGET) < 1e-9:
                    break
                tries.append(tries[-1] - (there - TARGET) / by_angle)
            angles = np.radians(np.linspace(5, 85, 81))
            curve = np.array([throw(each)[:2] for each in angles]).T
        picture = output / "throw.svg"
        sg.render(far, picture, title="A flight: nobody knows before how long it takes")
    print(f"\nfarthest at {np.degrees(angles[curve[0].argmax()]):.0f}°, where the slope is 0")
    print(EAGER)
    plot(output / "throw.png", angles, (curve[0], curve[1]), tries)
    print(f"wrote {picture}\nwrote {output / 'throw.png'}")
    return {"tries": tries, "distance": there, "slope": by_angle, "angles": angles, "curve": curve}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
