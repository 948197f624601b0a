"""A branch: what is not chosen neither runs nor gets a derivative.

Run it alone: python examples/branch.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import staticgraph as sg

EAGER = """
An eager program branches in Python, for which it fetches the condition from the device in the
middle of the step. sg.where stays on the device and computes both sides for every element. A cond
does neither.
"""

FEEDS = (0.5, 4.0)


def main(output: Path) -> dict[str, Any]:
    """Prints values, slopes and visits of both branches, draws them, and returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    with sg.Graph().as_default() as graph:
        x = sg.placeholder("float64", (), name="x")
        near = sg.Variable(np.float64(3.0), name="near")
        far = sg.Variable(np.float64(5.0), name="far")
        visits = sg.Variable(np.zeros(2, np.int64), name="visits", trainable=False)

        def quadratic() -> sg.Tensor:
            with sg.control_dependencies([visits.assign_add([1, 0])]):
                return near * x**2

        def logarithmic() -> sg.Tensor:
            with sg.control_dependencies([visits.assign_add([0, 1])]):
                return far * sg.log(x) + near

        y = sg.cond(x < 1.0, quadratic, logarithmic, name="pick")
        slopes = sg.gradients(y, [x, near, far])
        graph.finalize()

        with sg.Session() as session:
            found = [session.run([y, *slopes], {x: value}) for value in FEEDS]
            counted = session.run(visits)
        picture = output / "branch.svg"
        sg.render([y, *slopes], picture, title="A branch and its derivative, itself a branch")

    print(f"{'x':>4} {'branch':>12} {'y':>8} {'by x':>7} {'by near':>8} {'by far':>7}")
    for value, taken, row in zip(FEEDS, ("quadratic", "logarithmic"), found, strict=True):
        print(f"{value:>4} {taken:>12} {row[0]:>8.4f} {row[1]:>7.3f} {row[2]:>8.3f} {row[3]:>7.3f}")
    print(f"each branch ran in one of the two runs: visits {counted.tolist()}")
    print(EAGER)
    print(f"wrote {picture}")
    return {"found": np.array(found), "visits": counted}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
