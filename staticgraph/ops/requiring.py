"""What a function asks of values that only the run knows, in the function's own name.

A function that is made of several operations refuses operands that it sees now. For what it does
not see it puts a `require` in the way of a value: the run fails there, with the name, the words and
the way out of the function, unless a condition holds. It is no effect: where nothing needs the
value, nothing is asked.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import Attrs, Mismatch, Numbered, OpDef, Types, register
from staticgraph.core.types import TensorType
from staticgraph.errors import RunError


def _infer_require(types: Types, attrs: Attrs) -> TensorType:
    return types[0]


def _reference_require(
    x: Any, condition: Any, *shown: Any, what: str, labels: tuple[str, ...], problem: str,
    way_out: str,
) -> Any:  # fmt: skip
    if np.all(condition):
        return x
    values = [
        f"{label} is {np.array2string(np.asarray(value), threshold=12, edgeitems=4)}"
        for label, value in zip(labels, shown, strict=True)
    ]
    spoken = (what, "", "", *labels)
    raise Mismatch(problem, *values, way_out, error=RunError, spoken=spoken)


def _vjp_require(node: Operation, adjoint: Tensor, index: int) -> Tensor | None:
    return adjoint if index == 0 else None


REQUIRE: OpDef = register(
    OpDef(
        "require",
        operands=("x", "condition", "shown*"),
        infer=_infer_require,
        reference=_reference_require,
        attrs=("what", "labels", "problem", "way_out"),
        dtypes=(dtypes.ANY, dtypes.BOOL, dtypes.ANY),
        vjp=Numbered(_vjp_require),
        jvp=lambda node, tangents: [tangents[0]],
        linear=True,
        doc="The first operand, in a run in which all elements of the condition hold; the error of "
        "another run speaks for the function `what` and shows the further operands.",
    )
)


def require(
    x: Tensor, condition: Tensor, what: str, problem: str, way_out: str, /, **shown: Tensor
) -> Tensor:
    """`x`, in a run in which all of `condition` holds; another run fails with a RunError.

    what              the function that asks
    problem, way_out  what is wrong where it does not hold, and what mends it
    shown             what the message shows, by the names that it has there

    >>> import staticgraph as sg
    >>> from staticgraph.ops.requiring import require
    >>> share = sg.placeholder("float32", (), name="share")
    >>> kept = require(share, share >= 0, "keep", "a share is negative", "give numbers from 0")
    >>> sg.Session().run(kept, {share: 0.5})
    np.float32(0.5)
    """
    attrs = {"what": what, "labels": tuple(shown), "problem": problem, "way_out": way_out}
    return x.graph.add(REQUIRE, (x, condition, *shown.values()), attrs).out
