"""Collatz: a branch in a loop in a loop, run for a thousand numbers.

Halve an even number, triple an odd one and add 1: nobody has proved that this always comes down to
1 (L. Collatz, 1937), so nobody can say how often the loop will run.

Run it alone: python examples/collatz.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import staticgraph as sg

EAGER = """
An eager program would go back to Python for each of the 59,542 steps, or take all numbers together,
compute both branches for every one of them, and throw half of it away.
"""

NUMBERS = 1000


def flight(start: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
    """How many steps lead from `start` down to 1, and the highest number on the way."""

    def step(n: sg.Tensor, steps: sg.Tensor, peak: sg.Tensor) -> tuple[sg.Tensor, ...]:
        following = sg.cond(n % 2 == 0, lambda: n // 2, lambda: 3 * n + 1, name="halve_or_triple")
        return following, steps + 1, sg.maximum(peak, following)

    _, steps, peak = sg.while_loop(
        lambda n, steps, peak: n > 1, step, [start, 0, start], name="flight"
    )
    return steps, peak


def main(output: Path) -> dict[str, Any]:
    """Prints the longest and the highest flight, draws the program, and returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    with sg.Graph().as_default() as graph:
        starts = sg.placeholder("int64", ("starts",), name="starts")
        steps, peaks = sg.map_fn(flight, starts, name="flights")
        graph.finalize()
        numbers = np.arange(1, NUMBERS + 1)
        with sg.Session() as session:
            all_steps, all_peaks = session.run([steps, peaks], {starts: numbers})
        picture = output / "collatz.svg"
        sg.render([steps, peaks], picture, title="A branch in a loop in a map")

    longest, highest = numbers[all_steps.argmax()], numbers[all_peaks.argmax()]
    print(f"the numbers 1 to {NUMBERS:,} take {all_steps.sum():,} steps down to 1")
    print(f"the longest flight: from {longest} in {all_steps.max()} steps")
    print(f"the highest flight: from {highest} up to {all_peaks.max():,}")
    print(f"from 27: {all_steps[26]} steps, up to {all_peaks[26]:,}")
    print(EAGER)
    print(f"wrote {picture}")
    return {"steps": all_steps, "peaks": all_peaks}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
