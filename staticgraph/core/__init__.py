"""The intermediate representation: dtypes, types, graphs, Functions. It knows no op by name."""

# Importing it gives Functions their text: print(function).
from staticgraph.core import text

__all__ = ["text"]
