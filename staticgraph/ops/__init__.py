"""The vocabulary: one record per op, one file per family. Importing it fills the registry."""

from staticgraph.ops import (
    control,
    convert,
    cumulative,
    elementwise,
    linalg,
    nn,
    operators,
    reduction,
    shaping,
    sizes,
    state,
)

__all__ = [
    "control",
    "convert",
    "cumulative",
    "elementwise",
    "linalg",
    "nn",
    "operators",
    "reduction",
    "shaping",
    "sizes",
    "state",
]
