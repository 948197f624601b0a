"""The loss of a layer's logits, differentiated by its matrix and its vector.

Run it alone: python examples/logits.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import staticgraph as sg

EAGER = """
The derivatives use again what the loss has computed, and cost nothing when they are not asked for.
Run eagerly, the program says before it starts which values a tape should watch, and pays for the
recording whether or not a derivative is asked for in the end.
"""

CASE = json.loads(Path(__file__).with_name("cases.json").read_text())[
    "binary_cross_entropy_with_logits"
]


def main(output: Path) -> dict[str, np.ndarray]:
    """Prints the loss and both derivatives and returns them; writes no file."""
    with sg.Graph().as_default():
        x = sg.placeholder("float64", (5,), name="x")
        y = sg.placeholder("float64", (3,), name="y")
        W = sg.Variable(np.array(CASE["W"]), name="W")
        b = sg.Variable(np.array(CASE["b"]), name="b")

        z = x @ W + b
        loss = sg.mean(sg.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z))
        dW, db = sg.gradients(loss, [W, b])

        fetches = {"loss": loss, "dW": dW, "db": db}
        with sg.Session() as session:
            figures = session.run(fetches, {x: CASE["x"], y: CASE["y"]})
            # The loss asked alone: the nodes of the derivatives are not run.
            report = len(sg.optimize(loss)), len(sg.optimize(fetches))

    print(f"loss  {figures['loss']:.16g}")
    print(f"dW    {figures['dW'].shape}, each row {figures['dW'][0]}")
    print(f"db    {figures['db'].shape}, {figures['db']}")
    print(f"\n{report[0]} nodes give the loss alone, {report[1]} the loss and both derivatives.")
    print(EAGER)
    return figures


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
