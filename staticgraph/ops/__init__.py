"""The vocabulary: one record per op, one file per family. Importing it fills the registry."""

from staticgraph.ops import (
    control,
    convert,
    creation,
    cumulative,
    elementwise,
    indexing,
    linalg,
    nn,
    operators,
    reduction,
    shaping,
    sizes,
    state,
    subscript,
)

__all__ = [
    "control",
    "convert",
    "creation",
    "cumulative",
    "elementwise",
    "indexing",
    "linalg",
    "nn",
    "operators",
    "reduction",
    "shaping",
    "sizes",
    "state",
    "subscript",
]
