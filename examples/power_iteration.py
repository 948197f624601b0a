"""The largest eigenvalue by power iteration, and its derivatives: v vᵀ, and perturbation theory.

Run it alone: python examples/power_iteration.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import staticgraph as sg

EAGER = """
An eager program would be told the derivative of an eigenvalue by its library, or record every one
of the iterations. Here nobody tells it: it comes out of the loop, and so does the second one.
"""

SIZE = 6


def largest_eigenvalue(matrix: sg.Tensor) -> tuple[sg.Tensor, sg.Tensor]:
    """The eigenvalue of a symmetric matrix, and the number of iterations that it took."""

    def moves(v: sg.Tensor, moved: sg.Tensor, iterations: sg.Tensor) -> sg.Tensor:
        return moved > 1e-13

    def step(v: sg.Tensor, moved: sg.Tensor, iterations: sg.Tensor) -> tuple[sg.Tensor, ...]:
        longer = matrix @ v
        following = longer / sg.linalg.norm(longer)
        # How far it moved only ends the loop: no derivative needs to pass through it.
        distance = sg.max(sg.abs(sg.stop_gradient(following - v)))
        return following, distance, iterations + 1

    start = sg.constant(np.full(SIZE, SIZE**-0.5))
    far = sg.constant(np.float64(1.0))
    v, _, iterations = sg.while_loop(moves, step, [start, far, 0], name="power")
    return sg.vecdot(v, matrix @ v), iterations


def symmetric(seed: int) -> np.ndarray:
    """A symmetric matrix with positive entries: its largest eigenvalue stands alone."""
    half = np.random.default_rng(seed).uniform(size=(SIZE, SIZE))
    return half + half.T


def exact(matrix: np.ndarray, direction: np.ndarray) -> tuple[float, np.ndarray, float]:
    """Eigenvalue, vector, and the second derivative along `direction`, from all eigenvectors.

    The second derivative is that of perturbation theory (E. Schrödinger, 1926): twice the sum over
    the other vectors u of (u·Bv)² / (λ - λ_u).
    """
    values, vectors = np.linalg.eigh(matrix)
    v = vectors[:, -1]
    couplings = vectors[:, :-1].T @ direction @ v
    return values[-1], v, float(2 * np.sum(couplings**2 / (values[-1] - values[:-1])))


def main(output: Path) -> dict[str, Any]:
    """Prints the derivatives beside NumPy's eigenvectors, draws the loop, returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    a, b = symmetric(0), symmetric(1)
    with sg.Graph().as_default() as graph:
        matrix = sg.placeholder("float64", (SIZE, SIZE), name="matrix")
        direction = sg.placeholder("float64", (SIZE, SIZE), name="direction")
        value, iterations = largest_eigenvalue(matrix)
        (slope,) = sg.gradients(value, matrix)
        (curved,) = sg.hessian_vector_product(value, [matrix], [direction])
        bend = sg.sum(direction * curved)
        graph.finalize()
        with sg.Session() as session:
            found, by_matrix, second, count = session.run(
                [value, slope, bend, iterations], {matrix: a, direction: b}
            )
        picture = output / "power_iteration.svg"
        loops = {"the loop": sg.optimize(value), "with the derivative": sg.optimize([value, slope])}
        sg.render(loops, picture, edge_labels=False)

    true_value, true_v, true_second = exact(a, b)
    off = np.abs(by_matrix - np.outer(true_v, true_v)).max()
    print(f"a symmetric {SIZE} x {SIZE} matrix, {count} iterations")
    print(f"largest eigenvalue      {found:.15g}")
    print(f"  by numpy.linalg.eigh  {true_value:.15g}")
    print(f"its slope by the matrix is v vᵀ, to {off:.0e}")
    print(f"second derivative along another symmetric matrix  {second:.12g}")
    print(f"  by perturbation theory                          {true_second:.12g}")
    print(EAGER)
    print(f"wrote {picture}")
    return {"value": found, "slope": by_matrix, "second": second, "iterations": count}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
