"""Small derivatives: what `gradients` gives, and what it refuses to guess.

Run it alone: python examples/derivatives.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import staticgraph as sg

EAGER = """\
  An eager tape is spent by its first use and has to be recorded again, or each pass adds to a
  hidden buffer: 75, 150, 225 is then what one gets by forgetting to clear it."""


def scalar(value: float, name: str) -> sg.Tensor:
    """A float64 input that has a value unless one is fed."""
    return sg.placeholder_with_default(np.float64(value), name=name)


def powers() -> dict[str, float]:
    """Derivatives of plain powers, of a power of a power, and of a product of sums."""
    with sg.Graph().as_default():
        x = scalar(4.0, "x")
        (square,) = sg.gradients(x**2, x)
        a = scalar(2.0, "a")
        (shifted,) = sg.gradients(a**2 + 1, a)
        cube_at = scalar(5.0, "cube_at")
        (power_of_power,) = sg.gradients((cube_at**3) ** 2, cube_at)
        p, w = scalar(2.0, "p"), scalar(1.0, "w")
        by_w, by_p = sg.gradients((p + w) * (w + 1), [w, p])
        asked = {
            "x**2 at 4": square,
            "a**2 + 1 at 2": shifted,
            "(x**3)**2 at 5": power_of_power,
            "(x+w)*(w+1) at 2, 1, by w": by_w,
            "(x+w)*(w+1) at 2, 1, by x": by_p,
        }
        return sg.Session().run(asked)


def three_times() -> dict[str, list[float]]:
    """The same derivative asked three times, and the same derivative added up on purpose.

    A derivative is a tensor, so asking again computes the same number again. An eager tape is
    spent by its first use, or keeps a buffer to which every backward pass adds. Here adding up
    takes a variable, and the program says so.
    """
    with sg.Graph().as_default():
        x = scalar(5.0, "x")
        (slope,) = sg.gradients(x**3, x)
        accumulator = sg.Variable(np.float64(0.0), name="accumulator")
        add_up = accumulator.assign_add(slope)
        session = sg.Session()
        asked = [float(session.run(slope)) for _ in range(3)]
        added = [float(session.run(add_up)) for _ in range(3)]
        return {"asked": asked, "added": added}


def incoming() -> dict[str, float]:
    """A chain y = 2x, z = y², and an incoming gradient that scales what comes out.

    The derivative of x with respect to itself is 1; with the value of z coming in, it is z.
    """
    with sg.Graph().as_default():
        x = scalar(1.0, "x")
        y = 2 * x
        z = y**2
        (chain,) = sg.gradients(z, x)
        (scaled,) = sg.gradients(x, x, grad_ys=[z])
        return sg.Session().run({"chain": chain, "scaled": scaled})


def vectors() -> dict[str, Any]:
    """A vector has no one derivative: say what comes in, or reduce it first."""
    with sg.Graph().as_default():
        a = sg.placeholder_with_default(np.array([1.0, 2.0]), name="a")
        y = a**2 + 1
        try:
            sg.gradients(y, a)
            message = ""
        except sg.GradientError as error:
            message = str(error)
        (with_ones,) = sg.gradients(y, a, grad_ys=[np.ones(2)])
        (of_sum,) = sg.gradients(sg.sum(y), a)
        with_ones, of_sum = sg.Session().run([with_ones, of_sum])
        return {"message": message, "with ones": with_ones, "of the sum": of_sum}


def twice() -> dict[str, np.ndarray]:
    """Second derivatives: `gradients` of what `gradients` gave."""
    with sg.Graph().as_default():
        x = sg.placeholder_with_default(np.arange(1.0, 7.0).reshape(2, 3), name="x")
        y = 3 * (x + 2) ** 2
        ones = np.ones((2, 3))
        (first,) = sg.gradients(y, x, grad_ys=[ones])
        (second,) = sg.gradients(first, x, grad_ys=[ones])
        return sg.Session().run({"first": first, "second": second})


def main(output: Path) -> dict[str, Any]:
    """Prints every figure and returns them all; writes no file."""
    figures: dict[str, Any] = {
        "powers": powers(),
        "three times": three_times(),
        "incoming": incoming(),
        "vectors": vectors(),
        "twice": twice(),
    }
    print("Derivatives of scalars")
    for what, value in figures["powers"].items():
        print(f"  {what:<28} {value:g}")

    print("\nd(x**3)/dx at 5")
    print("  asked three times           ", *figures["three times"]["asked"])
    print("  added into a variable       ", *figures["three times"]["added"])
    print(EAGER)

    print("\ny = 2x, z = y**2 at x = 1")
    print(f"  dz/dx                        {figures['incoming']['chain']:g}")
    print(f"  dx/dx with z coming in       {figures['incoming']['scaled']:g}")

    print("\nA vector without an incoming gradient is an error at the line that asked:")
    print(figures["vectors"]["message"])
    print("  with ones coming in         ", figures["vectors"]["with ones"])
    print("  of the sum                  ", figures["vectors"]["of the sum"])

    print("\n3*(x+2)**2, x = [[1, 2, 3], [4, 5, 6]]")
    print("  first ", figures["twice"]["first"].tolist())
    print("  second", figures["twice"]["second"].tolist())
    print("  An eager tape must be told beforehand to keep itself for a second derivative.")
    return figures


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
