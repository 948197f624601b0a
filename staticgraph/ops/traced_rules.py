"""Gradient functions of `custom_gradient` inside the body of a loop or a branch.

Such a function may use tensors of the body around it. A derivative rebuilds the body elsewhere, so
the function is called once, when the body is traced, and kept as a Function; what it uses becomes
operands of the node, which are rebuilt with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from staticgraph.core.body import BodyGraph, inline, tracing
from staticgraph.core.extract import extract
from staticgraph.core.graph import Graph, Tensor
from staticgraph.core.opdef import OpDef
from staticgraph.ops.convert import as_tensor, is_tensor_like


class TracedRule:
    """A gradient function as a Function of adjoints and captured tensors.

    arguments   how many arguments the user's function has
    captured    the tensors that the gradient function uses, operands of the node at its end
    """

    def __init__(
        self,
        graph: Graph,
        identity: OpDef,
        gradient: Callable[..., Any],
        results: Sequence[Tensor],
        arguments: int,
    ) -> None:
        self.arguments = arguments
        with tracing(graph, "the gradient function of custom_gradient") as body:
            adjoints = [body.parameter(tensor.type, "adjoint", "carry") for tensor in results]
            given = gradient(*adjoints)
            self._given = list(given) if isinstance(given, list | tuple) else [given]
            made = [_placed(body, identity, t) for t in self._given if is_tensor_like(t)]
        extraction = extract(body, made, [*adjoints, *body.captures.values()])
        self._function = extraction.function
        # What the gradient function reads of variables comes after what it captures.
        names = [source for source in extraction.sources if isinstance(source, str)]
        reads = [graph.variables[name.removeprefix("variable:")] for name in names]
        self.captured: list[Tensor] = [*body.captures, *[as_tensor(read) for read in reads]]

    def __call__(
        self, graph: Graph, adjoints: Sequence[Tensor], captured: Sequence[Tensor]
    ) -> list[Any]:
        """What the gradient function returns for these adjoints, built in `graph`."""
        made = iter(inline(self._function, [*adjoints, *captured], graph))
        return [next(made) if is_tensor_like(item) else item for item in self._given]


def _placed(body: BodyGraph, identity: OpDef, value: Any) -> Tensor:
    """A tensor that the gradient function returned; it may be one of a graph around."""
    tensor = as_tensor(value)
    return body.adopt(identity, tensor, tensor.node.location)
