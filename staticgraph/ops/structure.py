"""Nested structures of tensors: loop variables, outputs of branches, sequences of a scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Rebuild = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True, slots=True)
class Structure:
    """The leaves of a nesting of list, tuple, namedtuple and dict, and the way back.

    leaves      in order
    paths       per leaf, how a user would reach it: ``[0]['w']``, or nothing for a lone leaf
    shape       the nesting without its leaves; equal nestings have equal shapes (list and tuple
                count as the same)
    rebuild     from a sequence of new leaves to the same nesting
    """

    leaves: tuple[Any, ...]
    paths: tuple[str, ...]
    shape: Any
    rebuild: Rebuild


def flatten(value: Any) -> Structure:
    """Takes a nested structure apart; None is a structure without leaves."""
    leaves: list[Any] = []
    paths: list[str] = []
    shape, rebuild = _walk(value, "", leaves, paths)
    return Structure(tuple(leaves), tuple(paths), shape, rebuild)


def _walk(value: Any, path: str, leaves: list[Any], paths: list[str]) -> tuple[Any, Rebuild]:
    # Recursion follows the nesting the user wrote, never the depth of the graph.
    if value is None:
        return None, lambda given: None
    if isinstance(value, dict):
        keys = list(value)
        parts = [_walk(value[key], f"{path}[{key!r}]", leaves, paths) for key in keys]
        return ("dict", tuple(keys), tuple([part[0] for part in parts])), lambda given: {
            key: part[1](given) for key, part in zip(keys, parts, strict=True)
        }
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        kind = type(value)
        fields = zip(value._fields, value, strict=True)
        parts = [_walk(item, f"{path}.{name}", leaves, paths) for name, item in fields]
        return (kind.__name__, tuple([part[0] for part in parts])), lambda given: kind(
            *[part[1](given) for part in parts]
        )
    if isinstance(value, list | tuple):
        sequence = list if isinstance(value, list) else tuple
        parts = [_walk(item, f"{path}[{i}]", leaves, paths) for i, item in enumerate(value)]
        return ("sequence", tuple([part[0] for part in parts])), lambda given: sequence(
            [part[1](given) for part in parts]
        )
    position = len(leaves)
    leaves.append(value)
    paths.append(path)
    return "leaf", lambda given: given[position]
