"""Every figure of examples/cases.json against what the examples give.

The figures were computed independently of staticgraph. A case counts as checked when each of its
keys has been read by its check or only describes it in words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .loading import EXAMPLES, load

# Keys that say in words what the figures are of.
WORDS = {"model", "hand_written", "note", "f"}


class Case:
    """A piece of cases.json that notes which of its keys have been read."""

    def __init__(self, content: dict[str, Any], path: str) -> None:
        self.content, self.path = content, path
        self.read: set[str] = set()
        self.parts: dict[str, Case] = {}

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return self._noting(self.content[key], f"{self.path}.{key}")

    def _noting(self, value: Any, path: str) -> Any:
        if isinstance(value, dict):
            return self.parts.setdefault(path, Case(value, path))
        if isinstance(value, list) and any(isinstance(item, dict) for item in value):
            return [self._noting(item, f"{path}[{i}]") for i, item in enumerate(value)]
        return value

    def unread(self) -> Iterator[str]:
        """The keys that nobody has asked for."""
        for key in self.content:
            if key not in self.read and key not in WORDS:
                yield f"{self.path}.{key}"
        for part in self.parts.values():
            yield from part.unread()


def all_cases() -> dict[str, Any]:
    cases: dict[str, Any] = json.loads((EXAMPLES / "cases.json").read_text())
    return cases


# -- one check per case -----------------------------------------------------------------------


def neuron(case: Case, output: Path) -> None:
    example = load("neuron")
    assert {name: case[name] for name in ("x", "t", "lam", "w", "b")} == example.VALUES
    figures = example.main(output)
    # A unit in the last place of the sigmoid is seven of what it lacks to one.
    for name in ("E", "dE_dw", "dE_db"):
        np.testing.assert_allclose(figures[name], case[name], rtol=2e-15)
    np.testing.assert_allclose(figures["by hand"], [case["dE_dw"], case["dE_db"]], rtol=2e-15)
    assert [count for _, count in figures["after"].report.shared] == [4, 2]
    assert figures["after"].report.shared[0][0] == "sigmoid(w * x + b)"
    for name, expression, written in (("w*x+b", affine, 4), ("slope", slope, 2)):
        assert sum(map(expression, figures["before"].nodes)) == written, name
        assert sum(map(expression, figures["after"].nodes)) == 1
    text = (output / "neuron.svg").read_text()
    assert text.lstrip().startswith("<?xml") or text.lstrip().startswith("<svg")


def affine(node: Any) -> bool:
    """Whether a node is w*x+b."""
    operands = [value.node for value in node.inputs]
    if node.op.name != "add" or {value.name for value in node.inputs[1:]} != {"b"}:
        return False
    return {value.name for value in operands[0].inputs} == {"w", "x"}


def slope(node: Any) -> bool:
    """Whether a node is (sigmoid(w*x+b)-t)*dsigmoid(w*x+b): the residual times a product."""
    operands = [value.node.op.name for value in node.inputs]
    return node.op.name == "multiply" and sorted(operands) == ["multiply", "subtract"]


def small_derivatives(case: Case, output: Path) -> None:
    figures = load("derivatives").main(output)
    square, cube, power, chain, sums, scalar, vector, matrix = case["cases"]

    powers = figures["powers"]
    assert square["at"]["x"] == 4 and powers["x**2 at 4"] == square["d"]["x"]
    assert scalar["at"]["a"] == 2 and powers["a**2 + 1 at 2"] == scalar["d"]["a"]
    assert power["at"]["x"] == 5 and powers["(x**3)**2 at 5"] == power["d"]["x"]
    assert (sums["at"]["x"], sums["at"]["w"]) == (2, 1)
    assert powers["(x+w)*(w+1) at 2, 1, by w"] == sums["d"]["w"]
    assert powers["(x+w)*(w+1) at 2, 1, by x"] == sums["d"]["x"]

    assert cube["at"]["x"] == 5
    assert figures["three times"] == {"asked": [cube["d"]["x"]] * 3, "added": [75.0, 150.0, 225.0]}
    assert chain["at"]["x"] == 1
    assert figures["incoming"] == {"chain": chain["d"]["x"], "scaled": 4.0}

    assert vector["at"]["a"] == [1.0, 2.0]
    assert figures["vectors"]["with ones"].tolist() == vector["d"]["a"]
    assert figures["vectors"]["of the sum"].tolist() == vector["d"]["a"]
    assert matrix["at"]["x"] == np.arange(1.0, 7.0).reshape(2, 3).tolist()
    assert figures["twice"]["first"].tolist() == matrix["d"]["x"]
    assert figures["twice"]["second"].tolist() == matrix["second"]["x"]


def logits(case: Case, output: Path) -> None:
    example = load("logits")
    assert {key: case[key] for key in ("x", "y", "W", "b", "loss", "dW", "db")} | {
        "model": case.content["model"]
    } == example.CASE
    figures = example.main(output)
    for name in ("loss", "dW", "db"):
        assert figures[name].dtype == np.float64
        np.testing.assert_allclose(figures[name], case[name], rtol=1e-14)


def descent(case: Case, output: Path) -> None:
    example = load("descent")
    ends = example.main(output)
    for row, end, expected in zip(example.DESCENTS, ends, case["cases"], strict=True):
        assert row[0] == expected.content["f"]
        assert row[2:] == (expected["x0"], expected["learning_rate"], expected["steps"])
        np.testing.assert_allclose(end, expected["x_final"], rtol=1e-15)
    assert (output / "descent.png").read_bytes().startswith(b"\x89PNG")


def linear_regression(case: Case, output: Path) -> None:
    example = load("linear_regression")
    for name in ("x", "y", "w0", "b0", "learning_rate", "loss"):
        assert example.CASE[name] == case[name]
    figures = example.main(output)
    fresh, accumulated = figures["fresh"], figures["accumulated"]
    for run, name in ((fresh, "fresh"), (accumulated, "accumulated")):
        assert run["losses"].dtype == np.float32
        # float32: seven digits where rounding has not yet had a thousand steps to add up.
        np.testing.assert_allclose(
            run["gradients"][:2], case[f"{name}_gradients_first_two_steps"], rtol=1e-6
        )
        steps, losses = zip(*case[f"{name}_loss_at"], strict=True)
        np.testing.assert_allclose(run["losses"][list(steps)], losses, rtol=LOSS_TOLERANCE[name])
    np.testing.assert_allclose(fresh["parameters"][-1], case["fresh_final_w_b"], rtol=2e-6)
    tail = accumulated["losses"][-200:]
    np.testing.assert_allclose(
        [tail.min(), tail.max()],
        case["accumulated_loss_min_max_last_200"],
        rtol=LOSS_TOLERANCE["accumulated"],
    )
    assert (output / "linear_regression.png").read_bytes().startswith(b"\x89PNG")


# The accumulated run swings for ever, so its rounding errors are never damped.
LOSS_TOLERANCE = {"fresh": 2e-6, "accumulated": 2e-4}


def xor_linear(case: Case, output: Path) -> None:
    example = load("xor")
    assert (case["inputs"], case["outputs"]) == (example.INPUTS, example.OUTPUTS)
    assert (example.W, example.B) == ([[0.3, -0.2]], [0.1])
    np.testing.assert_array_equal(np.float32(example.W), np.float32(case["W"]))
    np.testing.assert_array_equal(np.float32(example.B), np.float32(case["b"]))
    figures = example.main(output)
    np.testing.assert_allclose(figures["loss"], case["loss"], rtol=1e-6)
    np.testing.assert_allclose(figures["dW"], case["dW"], rtol=1e-6)
    np.testing.assert_allclose(figures["db"], case["db"], rtol=1e-6)
    assert figures["shapes"] == {
        "outputs": ("cases",),
        "predictions": ("cases", 1),
        "errors": ("cases", "cases"),
    }


def while_loop_counters(case: Case, output: Path) -> None:
    figures = load("counters").main(output)
    assert list(figures["start"]) == case["start"]
    assert (case["cond"], case["body"]) == ("first < second", "first + 2, second + 1")
    assert [int(end) for end in figures["end"]] == case["end"]
    assert figures["nodes"] == 1
    assert "goes on while" in (output / "counters.svg").read_text(encoding="utf-8")


CHECKS: dict[str, Callable[[Case, Path], None]] = {
    "regularised_logistic_neuron": neuron,
    "small_derivatives": small_derivatives,
    "binary_cross_entropy_with_logits": logits,
    "gradient_descent": descent,
    "linear_regression_20_points": linear_regression,
    "xor_linear": xor_linear,
    "while_loop_counters": while_loop_counters,
}


@pytest.mark.parametrize("name", CHECKS)
def test_case(name: str, tmp_path: Path) -> None:
    content = all_cases()[name]
    case = Case(content if isinstance(content, dict) else {"cases": content}, name)
    CHECKS[name](case, tmp_path)
    assert list(case.unread()) == []


def test_no_case_is_forgotten() -> None:
    assert sorted(CHECKS) == sorted(all_cases())


def test_the_vector_without_incoming_gradient_names_the_way_out(tmp_path: Path) -> None:
    message = load("derivatives").main(tmp_path)["vectors"]["message"]
    source = (EXAMPLES / "derivatives.py").read_text().splitlines()
    asked, y = (
        next(i for i, line in enumerate(source, start=1) if line.strip() == text)
        for text in ("sg.gradients(y, a)", "y = a**2 + 1")
    )
    assert message == (
        "gradients: y is not a scalar, its shape is [2]\n"
        f"  y 'add'  float64[2]  add at examples/derivatives.py:{y}\n"
        "  give an incoming gradient of its shape, grad_ys=..., or reduce it first: "
        "gradients(sg.sum(y), xs)\n"
        f"  at examples/derivatives.py:{asked}: sg.gradients(y, a)"
    )


def test_the_graph_of_a_descent_refuses_to_grow() -> None:
    example = load("descent")
    positions = example.descend(example.parabola, 5.0, 0.1, 3)
    np.testing.assert_allclose(positions, 5.0 * 0.8 ** np.arange(4), rtol=1e-15)


def test_an_unread_figure_is_noticed() -> None:
    case = Case({"a": 1, "f": "words", "list": [{"b": 2}]}, "case")
    case["list"]
    assert list(case.unread()) == ["case.a", "case.list[0].b"]
