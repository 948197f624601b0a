"""The verifier: checks every invariant of a Function, with the ops' own inference.

It raises CompilerError, since a Function that does not verify is a bug of a pass, never of the
user's program.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core.function import Function
from staticgraph.core.node import Node, Value
from staticgraph.core.opdef import Mismatch, infer_types
from staticgraph.core.types import TensorType
from staticgraph.errors import CompilerError


def verify(function: Function, after: str = "") -> None:
    """Checks `function`; `after` names the pass that made it, for the message."""
    defined: set[Value] = set()
    for value in function.inputs:
        if value.node.op.role != "parameter":
            raise _broken(function, after, value.node, "is an input and no parameter")
        defined.add(value)
    if len(defined) != len(function.inputs):
        raise _wrong(function, after, "an input stands twice")
    for node in function.nodes:
        _verify_node(function, after, node, defined)
        defined.update(node.outputs)
    for value in function.outputs:
        if value not in defined:
            raise _broken(function, after, value.node, "is returned and not computed")
    if len(function.outputs) != len(function.output_names):
        raise _wrong(function, after, "outputs lack names")
    for body in function.bodies():
        verify(body, after)


def _verify_node(function: Function, after: str, node: Node, defined: set[Value]) -> None:
    for value in node.inputs:
        if value not in defined:
            raise _broken(function, after, node, f"uses '{value.name}' before it is computed")
    if node.op.role != "compute":
        raise _broken(function, after, node, f"is a {node.op.role}, which no Function holds")
    for index, value in enumerate(node.outputs):
        if value.node is not node or value.index != index:
            raise _broken(function, after, node, "does not own its results")
    unknown = set(node.attrs) - set(node.op.attrs)
    missing = set(node.op.attrs) - set(node.op.optional) - set(node.attrs)
    if unknown or missing:
        wrong = sorted(unknown or missing)
        raise _broken(function, after, node, f"has attributes {wrong} its record does not allow")
    for name, attr in node.attrs.items():
        if not _is_attr(attr):
            raise _broken(function, after, node, f"attribute {name} is a {type(attr).__name__}")
    types = tuple([value.type for value in node.inputs])
    try:
        inferred = infer_types(node.op, types, node.attrs)
    except Mismatch as mismatch:
        raise _broken(function, after, node, f"does not type: {mismatch.problem}") from None
    except Exception as problem:
        # A rule may fail in any way on attributes that it was never made for.
        reason = f"does not type: {type(problem).__name__}: {problem}"
        raise _broken(function, after, node, reason) from problem
    stored = tuple([value.type for value in node.outputs])
    if inferred != stored:
        have = ", ".join(map(str, stored))
        want = ", ".join(map(str, inferred))
        raise _broken(function, after, node, f"has type {have}; its op infers {want}")


def _is_attr(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return not value.flags.writeable
    if isinstance(value, tuple) and not isinstance(value, TensorType):
        return all(map(_is_attr, value))
    return value is None or isinstance(
        value, bool | int | float | str | np.dtype | TensorType | Function
    )


def _broken(function: Function, after: str, node: Node, problem: str) -> CompilerError:
    return _wrong(function, after, f"node '{node.name}' ({node.op.name}) {problem}")


def _wrong(function: Function, after: str, problem: str) -> CompilerError:
    made = f" after pass '{after}'" if after else ""
    return CompilerError(
        f"Function '{function.name}'{made}: {problem}\n"
        "  this is a bug in staticgraph, not in your program"
    )
