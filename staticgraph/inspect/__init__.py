"""Looking at programs. Importing it gives graphs, Functions and tensors their notebook pictures."""

from staticgraph.inspect import notebook

__all__ = ["notebook"]
