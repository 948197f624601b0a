"""The vocabulary: one record per op, one file per family. Importing it fills the registry."""

from staticgraph.ops import (
    arranging,
    control,
    convert,
    creation,
    cumulative,
    elementwise,
    indexing,
    joining,
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
    "arranging",
    "control",
    "convert",
    "creation",
    "cumulative",
    "elementwise",
    "indexing",
    "joining",
    "linalg",
    "nn",
    "operators",
    "reduction",
    "shaping",
    "sizes",
    "state",
    "subscript",
]
