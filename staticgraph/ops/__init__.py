"""The vocabulary: one record per op, one file per family. Importing it fills the registry."""

from staticgraph.ops import (
    control,
    convert,
    elementwise,
    operators,
    reduction,
    shaping,
    sizes,
    state,
)

__all__ = ["control", "convert", "elementwise", "operators", "reduction", "shaping", "sizes", "state"]
