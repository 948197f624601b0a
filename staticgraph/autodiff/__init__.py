"""Differentiation: appends adjoint or tangent nodes to a graph, changes nothing that stands."""
