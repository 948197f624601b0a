"""Fetch structures: any nesting of list, tuple, namedtuple and dict, returned in the same form."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

from staticgraph.core.graph import Graph, Operation, Tensor, describe
from staticgraph.core.location import capture
from staticgraph.errors import FetchError
from staticgraph.ops.state import Variable

Leaf = Tensor | Operation
Rebuild = Callable[[Sequence[Any]], Any]


def flatten(fetches: Any, graph: Graph) -> tuple[tuple[Leaf, ...], Rebuild]:
    """The leaves of a fetch structure, and a function from their values to the same structure.

    The function is `only`, `list` or `tuple` for the structures that a backend may build itself.
    """
    if type(fetches) is Tensor and fetches.node.graph is graph:
        return (fetches,), only
    leaves: list[Leaf] = []
    rebuild = _walk(fetches, graph, leaves)
    kind = type(fetches)
    if kind is list or kind is tuple:
        if not any(isinstance(item, dict | list | tuple) for item in fetches):
            rebuild = kind
    elif not isinstance(fetches, dict | list | tuple):
        rebuild = only
    return tuple(leaves), rebuild


def only(values: Sequence[Any]) -> Any:
    """The value of a fetch that is not nested."""
    return values[0]


def _walk(item: Any, graph: Graph, leaves: list[Leaf]) -> Rebuild:
    # Recursion follows the nesting the user wrote, never the depth of the graph.
    if isinstance(item, dict):
        keys = list(item)
        parts = [_walk(item[key], graph, leaves) for key in keys]
        return lambda values: {k: part(values) for k, part in zip(keys, parts, strict=True)}
    if isinstance(item, tuple) and hasattr(item, "_fields"):
        kind = type(item)
        parts = [_walk(entry, graph, leaves) for entry in item]
        return lambda values: kind(*[part(values) for part in parts])
    if isinstance(item, list | tuple):
        sequence = list if isinstance(item, list) else tuple
        parts = [_walk(entry, graph, leaves) for entry in item]
        return lambda values: sequence([part(values) for part in parts])
    position = len(leaves)
    leaves.append(_leaf(item, graph))
    return lambda values: values[position]


def _leaf(item: Any, graph: Graph) -> Leaf:
    if isinstance(item, Variable):
        item = item.value
    if isinstance(item, str):
        return by_name(item, graph)
    if not isinstance(item, Tensor | Operation):
        raise FetchError(
            f"run: cannot fetch a {type(item).__name__}: {_short(item)}\n"
            "  fetch a Tensor, an Operation, a Variable, a name, or a list, tuple or dict of them\n"
            f"  at {capture()}"
        )
    if (item.graph if isinstance(item, Operation) else item.node.graph) is not graph:
        shown = describe(item) if isinstance(item, Tensor) else f"'{item.name}' at {item.location}"
        if item.graph.outer is not None:
            raise FetchError(
                f"run: the fetch was made inside {item.graph.what}\n"
                f"  {shown}\n"
                "  a value leaves a body only as one of its results: return it, as a further loop "
                "variable or output\n"
                f"  at {capture()}"
            )
        raise FetchError(
            f"run: the fetch belongs to another graph than the session\n"
            f"  {shown}\n"
            "  make a session for its graph: sg.Session(graph)\n"
            f"  at {capture()}"
        )
    return item


def by_name(name: str, graph: Graph) -> Leaf:
    """The tensor or operation called `name`."""
    tensor = graph.tensor(name)
    if tensor is not None:
        return tensor
    operation = graph.operation(name)
    if operation is not None:
        return operation
    close = difflib.get_close_matches(name, graph.names(), n=3)
    hint = f"  close names: {', '.join(close)}\n" if close else ""
    raise FetchError(f"run: nothing in the graph is called '{name}'\n{hint}  at {capture()}")


def _short(item: Any) -> str:
    text = repr(item)
    return text if len(text) <= 60 else text[:57] + "..."
