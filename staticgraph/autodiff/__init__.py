"""Differentiation: appends adjoint or tangent nodes to a graph, changes nothing that stands."""

from staticgraph.autodiff import control, forward, matrices, reverse

__all__ = ["control", "forward", "matrices", "reverse"]
