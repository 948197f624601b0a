"""A linear model on XOR: (4,) against (4, 1), and what broadcasting makes of it.

Run it alone: python examples/xor.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import staticgraph as sg

EAGER = """
The mean is the same here, which is how such a slip stays unseen: an eager program shows the shape
only to those who print it in a run. A graph knows its shapes when it is built, and its picture
writes them on the edges.
"""

INPUTS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
OUTPUTS = [0.0, 1.0, 1.0, 0.0]
W = [[0.3, -0.2]]
B = [0.1]


def main(output: Path) -> dict[str, Any]:
    """Prints the shapes, the loss and its derivatives and returns them; writes no file."""
    with sg.Graph().as_default():
        inputs = sg.placeholder("float32", ("cases", 2), name="inputs")
        outputs = sg.placeholder("float32", ("cases",), name="outputs")
        weights = sg.Variable(W, name="W")
        bias = sg.Variable(B, name="b")

        predictions = inputs @ weights.T + bias
        errors = outputs - predictions
        loss = sg.mean(errors)
        dW, db = sg.gradients(loss, [weights, bias])
        shapes = {
            "outputs": outputs.shape,
            "predictions": predictions.shape,
            "errors": errors.shape,
        }

        # What was meant: one error for each case.
        meant = sg.mean(outputs - sg.squeeze(predictions, axis=1))
        figures = sg.Session().run(
            {"loss": loss, "dW": dW, "db": db, "meant": meant}, {inputs: INPUTS, outputs: OUTPUTS}
        )

    print("Shapes, known before anything runs:")
    for name, shape in shapes.items():
        print(f"  {name:<12} {shape}")
    print("One difference was meant for each of the four cases; broadcasting gives all sixteen.")
    print(f"  loss {figures['loss']:.9g}, each case once {figures['meant']:.9g}")
    print(f"  dW   {figures['dW'].tolist()}")
    print(f"  db   {figures['db'].tolist()}")
    print(EAGER)
    return {**figures, "shapes": shapes}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
