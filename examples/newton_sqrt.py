"""Newton's square root: a loop that ends when it is done, and its derivatives.

Run it alone: python examples/newton_sqrt.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import staticgraph as sg

EAGER = """
An eager program loops in Python and records every iteration on a tape, for a derivative of the
second order on a tape of tapes. Here a derivative is a graph like any other: the loop runs once and
keeps what its derivative needs, then a second loop goes back over that.
"""

NUMBERS = (2.0, 9.0, 1e-6, 1e6)


def newton_sqrt(x: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
    """The square root of a number by Newton's method, and how many iterations it took."""
    root, iterations = sg.while_loop(
        lambda root, iterations: sg.abs(root * root - x) > 1e-14 * x,
        lambda root, iterations: (0.5 * (root + x / root), iterations + 1),
        # The average of x and 1 is never below the root.
        [0.5 * (x + 1.0), 0],
        name="newton",
    )
    return root, iterations


def main(output: Path) -> dict[str, Any]:
    """Prints roots and derivatives beside those of calculus, draws, and returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    with sg.Graph().as_default() as graph:
        x = sg.placeholder("float64", (), name="x")
        root, iterations = newton_sqrt(x)
        (slope,) = sg.gradients(root, x)
        (bend,) = sg.gradients(slope, x)
        graph.finalize()
        with sg.Session() as session:
            run = session.make_callable((root, slope, bend, iterations), [x])
            found = {number: run(number) for number in NUMBERS}
        picture = output / "newton_sqrt.svg"
        panels = {"the loop": root, "the loop and its derivative": [root, slope]}
        sg.render({caption: sg.optimize(what) for caption, what in panels.items()}, picture)

    print(f"{'x':>8} {'root':>20} {'slope':>18} {'second derivative':>20} {'iterations':>11}")
    for number, (value, first, second, count) in found.items():
        print(f"{number:>8g} {value:>20.14f} {first:>18.12g} {second:>20.12g} {count:>11}")
        exact = (number**0.5, 0.5 * number**-0.5, -0.25 * number**-1.5)
        print(f"{'exact':>8} {exact[0]:>20.14f} {exact[1]:>18.12g} {exact[2]:>20.12g}")
    print(EAGER)
    print(f"wrote {picture}")
    return {"numbers": np.array(NUMBERS), "found": np.array([found[number] for number in NUMBERS])}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
