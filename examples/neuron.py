"""A neuron whose derivative is written out by hand, and what the optimizer makes of it.

Written as on paper, the derivatives say w*x+b four times and (sigmoid(w*x+b)-t)*dsigmoid(w*x+b)
twice. Nobody needs to tidy that up: the compiler computes each of them once.

Run it alone: python examples/neuron.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import staticgraph as sg

EAGER = """
An eager program computes what it is told to: w*x+b four times and its sigmoid four times, in
every single step, unless its author names each intermediate result and uses it again.
"""

VALUES = {"x": 1.5, "t": 0.25, "lam": 0.1, "w": 2.0, "b": -1.0}


def sigmoid(z: sg.Tensor) -> sg.Tensor:
    return sg.sigmoid(z)


def dsigmoid(z: sg.Tensor) -> sg.Tensor:
    y = sg.sigmoid(z)
    return y * (1 - y)


def inputs() -> dict[str, Any]:
    """What the neuron computes with: two inputs and a weight of the penalty, two variables."""
    return {
        "x": sg.placeholder("float64", (), name="x"),
        "t": sg.placeholder("float64", (), name="t"),
        "lam": sg.placeholder("float64", (), name="lam"),
        "w": sg.Variable(VALUES["w"], "float64", name="w"),
        "b": sg.Variable(VALUES["b"], "float64", name="b"),
    }


def loss(x: Any, t: Any, lam: Any, w: Any, b: Any) -> sg.Tensor:
    """Half the squared error of sigmoid(w*x+b) against t, and a penalty on w."""
    y = sigmoid(w * x + b)
    return 0.5 * (y - t) ** 2 + lam * 0.5 * w**2


def hand_written(x: Any, t: Any, lam: Any, w: Any, b: Any) -> tuple[sg.Tensor, sg.Tensor]:
    """The derivatives of `loss` by w and by b, as one writes them on paper."""
    dE_dw = (sigmoid(w * x + b) - t) * dsigmoid(w * x + b) * x + lam * w
    dE_db = (sigmoid(w * x + b) - t) * dsigmoid(w * x + b)
    return dE_dw, dE_db


def main(output: Path) -> dict[str, Any]:
    """Prints both pairs of derivatives and the report, draws the graphs, returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    with sg.Graph().as_default():
        given = inputs()
        names = ("dE_dw", "dE_db")
        by_hand = [
            sg.identity(slope, name=name)
            for slope, name in zip(hand_written(**given), names, strict=True)
        ]
        E = loss(**given)
        dE_dw, dE_db = sg.gradients(E, [given["w"], given["b"]])

        feed = {name: VALUES[name] for name in ("x", "t", "lam")}
        figures = sg.Session().run(
            {"E": E, "dE_dw": dE_dw, "dE_db": dE_db, "by hand": by_hand}, feed
        )
        before, after = sg.extract(by_hand), sg.optimize(by_hand)
        picture = output / "neuron.svg"
        sg.render({"w*x+b four times, as written": before, "once, as it is run": after}, picture)

    print(f"E                       {figures['E']:.16g}")
    print(f"by w: gradients         {figures['dE_dw']:.16g}")
    print(f"      written by hand   {figures['by hand'][0]:.16g}")
    print(f"by b: gradients         {figures['dE_db']:.16g}")
    print(f"      written by hand   {figures['by hand'][1]:.16g}")
    print("\nThe derivatives written by hand, in the optimizer:")
    print(after.report)
    print(EAGER)
    print(f"wrote {picture}")
    return {**figures, "before": before, "after": after}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
