"""NumPy's functions on tensors: what `numpy.sum(x)` builds."""
