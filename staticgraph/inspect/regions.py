"""What the parts of loops and branches are called in a picture: bodies, their inputs, results.

Everything follows from places, as the records of the ops say (ops/loops.py, ops/branches.py): a
loop's operands are its carries, the sequences of a scan, then captures, and its body takes one
input for each.
"""

from __future__ import annotations

from staticgraph.core.function import Function
from staticgraph.core.node import Node

_SIDES = ("if true", "if false")


def title_of(node: Node, label: str, body: Function) -> str:
    """What stands above a body; `label` is where it is held, such as ``branches[0]``."""
    if label.startswith("branches["):
        number = int(label.removeprefix("branches[").removesuffix("]"))
        return _SIDES[number] if node.op.name == "cond" else f"branch {number}"
    if label == "cond":
        return "goes on while"
    return label if label == body.name else f"{label}: {body.name}"


def input_word(node: Node, index: int) -> str:
    """What input number `index` of a body is: ``carry``, ``entry`` or ``capture``."""
    carries = node.attrs.get("carries", 0)
    if index < carries:
        return "carry"
    return "entry" if index < carries + node.attrs.get("sequences", 0) else "capture"


def result_words(node: Node, label: str, body: Function, index: int) -> tuple[str, str]:
    """What a result of a body is for, and the name to say it with."""
    name = body.output_names[index]
    if label != "body" or "carries" not in node.attrs:
        return ("result" if len(body.outputs) == 1 else f"result [{index}]"), name
    carries = node.attrs["carries"]
    if index < carries:
        return "next", body.inputs[index].name
    joined = index - carries in node.attrs.get("joined", ())
    return f"{'joined' if joined else 'stacked'} as [{index}]", name


def operand_word(node: Node, index: int) -> str:
    """What operand number `index` of a loop or a branch is called in its bodies."""
    bodies = [value for value in node.attrs.values() if isinstance(value, Function)]
    if bodies:
        inputs = max(bodies, key=lambda body: len(body.inputs)).inputs
        return inputs[index].name if index < len(inputs) else node.op.operand_name(index)
    branches: tuple[Function, ...] = node.attrs.get("branches", ())
    if index == 0 or not branches or index > len(branches[0].inputs):
        return node.op.operand_name(index)
    return branches[0].inputs[index - 1].name
