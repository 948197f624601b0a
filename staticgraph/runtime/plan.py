"""From fetches to something that runs: extract, optimise, compile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from staticgraph.backends.reference import evaluate
from staticgraph.config import collector_paused
from staticgraph.core import extract as extraction
from staticgraph.core.function import Function
from staticgraph.core.graph import Graph, Operation, Tensor, get_default_graph
from staticgraph.core.types import Shape
from staticgraph.ops.state import Variable
from staticgraph.passes import pipeline
from staticgraph.passes.ranks import with_ranks
from staticgraph.runtime.fetches import Leaf, flatten


def graph_of(fetches: Any) -> Graph:
    """The graph that a fetch structure speaks of; the default graph when it holds only names."""
    stack = [fetches]
    while stack:
        item = stack.pop()
        if isinstance(item, Operation | Variable):
            return item.graph
        if isinstance(item, Tensor):
            return item.node.graph
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list | tuple):
            stack.extend(item)
    return get_default_graph()


@collector_paused()
def extract(fetches: Any) -> Function:
    """The graph pruned to what `fetches` need, as written: no pass has touched it.

    fetches     as in `Session.run`. Placeholders become inputs, in the order in which they were
                made; variables follow; assigned variables are further outputs.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (), name="x")
    >>> sg.extract(x * x + 1.0).count("multiply")
    1
    """
    graph = graph_of(fetches)
    leaves, _ = flatten(fetches, graph)
    return extraction.extract(graph, leaves, defaults_for_missing=True).function


@collector_paused()
def optimize(fetches: Any) -> Function:
    """What `fetches` become after the pipeline; `.report` says what each pass did.

    fetches     as in `Session.run`, or a Function

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (), name="x")
    >>> y = (x + 1.0) * (1.0 + x)
    >>> sg.optimize(y).count("add")
    1
    """
    function = fetches if isinstance(fetches, Function) else extract(fetches)
    return pipeline.optimize(function, evaluate)


class Plan:
    """A compiled combination of fetches and feeds; made once, run often, by any thread.

    executable  what the session's backend makes of the Function
    variables   names of the variables that the run reads, in the order of the Function's inputs
    updates     names of the variables that the run writes
    shapes      what is known of inputs beyond their types, as for `extract`; bodies are told, too
    """

    __slots__ = (
        "executable", "feeds", "fetched", "function", "inputs", "leaves", "seconds", "symbolic",
        "updates", "variables",
    )  # fmt: skip

    @collector_paused()
    def __init__(
        self,
        graph: Graph,
        leaves: Sequence[Leaf],
        feeds: Sequence[Tensor],
        compile: Callable[[Plan], Any],
        shapes: Mapping[extraction.Source, Shape] | None = None,
    ) -> None:
        started = time.perf_counter()
        extracted = extraction.extract(graph, leaves, feeds, shapes=shapes)
        self.leaves = tuple(leaves)
        self.feeds = tuple(feeds)
        self.inputs = extracted.sources
        self.variables = tuple(
            [s.removeprefix("variable:") for s in extracted.sources if isinstance(s, str)
             and s != extraction.KEY]
        )  # fmt: skip
        self.updates = extracted.updates
        self.fetched = extracted.fetched
        self.symbolic = any(
            isinstance(dim, str) for tensor in feeds for dim in tensor.type.shape or ()
        )
        function = extracted.function if shapes is None else with_ranks(extracted.function)
        self.function = pipeline.optimize(function, evaluate)
        self.executable: Any = compile(self)
        self.seconds = time.perf_counter() - started

    @property
    def needs_key(self) -> bool:
        """Whether the run draws random numbers."""
        return (
            bool(self.inputs)
            and isinstance(self.inputs[-1], str)
            and (self.inputs[-1] == extraction.KEY)
        )
