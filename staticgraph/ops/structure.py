"""Nested structures of tensors: loop variables, outputs of branches, sequences of a scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from staticgraph.core.graph import Operation

Rebuild = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True, slots=True)
class Structure:
    """The leaves of a nesting of list, tuple, namedtuple and dict, and the way back.

    leaves      in order: everything but None and Operations
    paths       per leaf, how a user would reach it: ``[0]['w']``, or nothing for a lone leaf
    shape       the nesting without its leaves; equal nestings have equal shapes (list and tuple
                count as the same)
    rebuild     from a sequence of new leaves to the same nesting
    effects     whether there are Operations in it; then `rebuild` takes one more leaf at the end,
                which stands in the place of each
    """

    leaves: tuple[Any, ...]
    paths: tuple[str, ...]
    shape: Any
    rebuild: Rebuild
    effects: bool


def flatten(value: Any, like: Any = None) -> Structure:
    """Takes a nested structure apart; None is a structure without leaves.

    like    the `shape` of a structure whose dicts give the order of equal keys
    """
    walk = _Walk()
    shape, rebuild = walk.take(value, "", like)
    return Structure(tuple(walk.leaves), tuple(walk.paths), shape, rebuild, walk.effects)


class _Walk:
    def __init__(self) -> None:
        self.leaves: list[Any] = []
        self.paths: list[str] = []
        self.effects = False

    def take(self, value: Any, path: str, like: Any) -> tuple[Any, Rebuild]:
        # Recursion follows the nesting the user wrote, never the depth of the graph.
        if value is None:
            return None, lambda given: None
        if isinstance(value, Operation):
            self.effects = True
            return "operation", lambda given: given[-1]
        if isinstance(value, dict):
            return self._dict(value, path, like)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            kind = type(value)
            steps = [f".{name}" for name in value._fields]
            shapes, rebuild = self._items(value, steps, path, like)
            return (kind.__name__, shapes), lambda given: kind(*rebuild(given))
        if isinstance(value, list | tuple):
            sequence = list if isinstance(value, list) else tuple
            steps = [f"[{index}]" for index in range(len(value))]
            shapes, rebuild = self._items(value, steps, path, like)
            return ("sequence", shapes), lambda given: sequence(rebuild(given))
        position = len(self.leaves)
        self.leaves.append(value)
        self.paths.append(path)
        return "leaf", lambda given: given[position]

    def _dict(self, value: dict[Any, Any], path: str, like: Any) -> tuple[Any, Rebuild]:
        keys = list(value)
        if isinstance(like, tuple) and like[0] == "dict" and len(like[2]) == len(keys):
            keys = list(like[2]) if all(key in value for key in like[2]) else keys
        steps = [f"[{key!r}]" for key in keys]
        shapes, rebuild = self._items([value[key] for key in keys], steps, path, like)
        return ("dict", shapes, tuple(keys)), lambda given: dict(
            zip(keys, rebuild(given), strict=True)
        )

    def _items(
        self, items: Sequence[Any], steps: Sequence[str], path: str, like: Any
    ) -> tuple[tuple[Any, ...], Rebuild]:
        shapes: list[Any] = []
        parts: list[Rebuild] = []
        known = like[1] if isinstance(like, tuple) and len(like[1]) == len(items) else None
        for index, (item, step) in enumerate(zip(items, steps, strict=True)):
            inner = None if known is None else known[index]
            shape, rebuild = self.take(item, path + step, inner)
            shapes.append(shape)
            parts.append(rebuild)
        return tuple(shapes), lambda given: [part(given) for part in parts]


def show(structure: Structure) -> str:
    """The nesting as messages show it: ``(., {'w': .})``, a dot for each value."""
    text = _shown(structure.shape)
    return text if len(text) <= 70 else text[:67] + "..."


def _shown(shape: Any) -> str:
    if not isinstance(shape, tuple):
        return {"leaf": ".", "operation": "operation"}.get(shape, "None")
    inner = [_shown(part) for part in shape[1]]
    if shape[0] == "dict":
        pairs = zip(shape[2], inner, strict=True)
        return "{" + ", ".join([f"{key!r}: {part}" for key, part in pairs]) + "}"
    if shape[0] == "sequence":
        return "(" + ", ".join(inner) + ("," if len(inner) == 1 else "") + ")"
    return f"{shape[0]}({', '.join(inner)})"
