"""Newton's method in 100 dimensions: SciPy drives, the graph gives value, slope and curvature.

Run it alone: python examples/newton.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

import staticgraph as sg

EAGER = """
Run eagerly, each of those products records the slope on a tape inside another tape. Here the
derivative of the derivative is a graph like any other, built once.
"""

DIMENSIONS = 100


def rosenbrock(x: sg.Tensor) -> sg.Tensor:
    """A bent, narrow valley with its floor at ones (H. H. Rosenbrock, 1960)."""
    return sg.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def main(output: Path) -> dict[str, Any]:
    """Prints how both methods fare and returns it; writes no file."""
    start = np.where(np.arange(DIMENSIONS) % 2 == 0, -1.2, 1.0)
    with sg.Graph().as_default() as graph:
        x = sg.placeholder("float64", (DIMENSIONS,), name="x")
        direction = sg.placeholder("float64", (DIMENSIONS,), name="direction")
        value = rosenbrock(x)
        (slope,) = sg.gradients(value, x)
        (curved,) = sg.hessian_vector_product(value, [x], [direction])
        graph.finalize()

        with sg.Session() as session:
            value_and_slope = session.make_callable((value, slope), [x])
            hessian_times = session.make_callable(curved, [x, direction])
            newton = minimize(
                value_and_slope, start, jac=True, hessp=hessian_times, method="Newton-CG",
                options={"xtol": 1e-8},
            )  # fmt: skip
            descent = minimize(
                value_and_slope, start, jac=True, method="CG", options={"gtol": 1e-8}
            )

    print(f"the valley of Rosenbrock in {DIMENSIONS} dimensions, from {start[:2]} on")
    for name, found in (("Newton, with the curvature", newton), ("conjugate gradients", descent)):
        print(
            f"  {name:<27} {found.nit:>5} iterations, {found.nfev:>5} values,"
            f" farthest from the floor {np.abs(found.x - 1).max():.1e}"
        )
    square = f"{DIMENSIONS} x {DIMENSIONS}"
    print(f"  the {square} matrix of second derivatives was never built,")
    print(f"  but multiplied with a vector {newton.nhev:,} times")
    print(EAGER)
    return {"newton": newton, "descent": descent}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
