"""Training: optimizers, whose step is one Operation to fetch."""

from staticgraph.train.adam import Adam
from staticgraph.train.optimizer import Optimizer
from staticgraph.train.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
