"""Programs to draw."""

from __future__ import annotations

import numpy as np

import staticgraph as sg
from staticgraph.core import dtypes, opdef
from staticgraph.core.function import Function, parameter
from staticgraph.core.node import make_node
from staticgraph.core.opdef import NOT_DIFFERENTIABLE, OpDef
from staticgraph.core.types import TensorType

FLOAT = TensorType(dtypes.float32, ())
INT = TensorType(dtypes.int64, ())

# An op that holds bodies, as loops do; not registered, so no other test meets it.
REPEAT = OpDef(
    "repeat_body",
    operands=("operands*",),
    infer=lambda types, attrs: types,
    reference=None,
    attrs=("bodies", "limit"),
    vjp=NOT_DIFFERENTIABLE,
    jvp=NOT_DIFFERENTIABLE,
    doc="A holder of Functions.",
)


def neuron() -> tuple[sg.Tensor, sg.Tensor]:
    """E = 0.5 (sigmoid(w x + b) - t)^2 and dE/dw by hand, with w*x+b written four times."""
    x = sg.placeholder("float32", (), name="x")
    t = sg.placeholder("float32", (), name="t")
    w = sg.Variable(0.5, name="w")
    b = sg.Variable(0.1, name="b")
    error = 0.5 * (sg.sigmoid(w * x + b) - t) ** 2
    first = sg.sigmoid(w * x + b) - t
    by_hand = first * sg.sigmoid(w * x + b) * (1.0 - sg.sigmoid(w * x + b)) * x
    return error, by_hand


def perceptron(layers: int) -> tuple[sg.Tensor, sg.Operation]:
    """Softmax cross-entropy of dense layers in name scopes, and a training step."""
    x = sg.placeholder("float32", (None, 64), name="x")
    labels = sg.placeholder("float32", (None, 10), name="labels")
    hidden, variables, size = x, [], 64
    for number in range(layers):
        with sg.name_scope(f"layer{number + 1}"):
            out = 10 if number == layers - 1 else 32
            w = sg.Variable(np.zeros((size, out), np.float32), name="w")
            b = sg.Variable(np.zeros(out, np.float32), name="b")
            hidden = hidden @ w + b
            if number < layers - 1:
                hidden = sg.relu(hidden)
            variables += [w, b]
            size = out
    with sg.name_scope("loss"):
        shifted = hidden - sg.max(hidden, axis=-1, keepdims=True)
        total = sg.log(sg.sum(sg.exp(shifted), axis=-1, keepdims=True))
        loss = sg.mean(sg.sum(labels * (total - shifted), axis=-1))
    slopes = sg.gradients(loss, variables)
    with sg.name_scope("train"):
        updates = [v.assign_sub(0.1 * s) for v, s in zip(variables, slopes, strict=True)]
        step = sg.group(*updates, name="step")
    return loss, step


def with_bodies() -> Function:
    """A Function with a node that holds two Functions in a tuple."""
    start = parameter("start", INT, "feed")
    x = parameter("x", FLOAT, "feed")
    exp = make_node(opdef.get("exp"), (x,), name="exp")
    attrs = {"bodies": (_keep_going(), _body()), "limit": 5}
    holder = make_node(REPEAT, (start, exp.out), attrs, name="outer/loop")
    log = make_node(opdef.get("log"), (holder.outputs[1],), name="log")
    return Function([start, x], [exp, holder, log], [log.out])


def _body() -> Function:
    i, h = parameter("i", INT, "capture"), parameter("h", FLOAT, "capture")
    one = make_node(opdef.get("constant"), (), {"value": np.array(1)}, "one")
    up = make_node(opdef.get("add"), (i, one.out), name="outer/loop/up")
    sin = make_node(opdef.get("sin"), (h,), name="outer/loop/inner/sin")
    return Function([i, h], [one, up, sin], [up.out, sin.out], ["i", "h"], "body")


def _keep_going() -> Function:
    i, h = parameter("i", INT, "capture"), parameter("h", FLOAT, "capture")
    end = make_node(opdef.get("constant"), (), {"value": np.array(9)}, "end")
    less = make_node(opdef.get("less"), (i, end.out), name="less")
    return Function([i, h], [end, less], [less.out], ["keep going"], "cond")
