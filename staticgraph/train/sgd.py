"""Gradient descent, plain or with momentum."""

from __future__ import annotations

from typing import Any

from staticgraph.core.graph import Tensor
from staticgraph.core.location import capture
from staticgraph.errors import GraphError
from staticgraph.ops.convert import as_tensor
from staticgraph.ops.state import Variable
from staticgraph.train.arguments import number
from staticgraph.train.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent, one step per run, on the data of that run.

    learning_rate   a float, or a floating scalar tensor (a placeholder, a schedule)
    momentum        how much of the velocity is kept from step to step, from 0 to below 1
    nesterov        takes the gradient's own step after the velocity's, Nesterov's way

    Plain:     ``variable <- variable - learning_rate * gradient``

    Momentum:  ``velocity <- momentum * velocity + gradient``
               ``variable <- variable - learning_rate * velocity``      (B. T. Polyak, 1964)

    Nesterov:  ``velocity <- momentum * velocity + gradient``
               ``variable <- variable - learning_rate * (gradient + momentum * velocity)``

    The last is the method of Y. Nesterov (1983) as I. Sutskever et al. write it ("On the
    importance of initialization and momentum in deep learning", ICML 2013, equations 3 and 4),
    with the variable standing for their point of look-ahead ``theta + mu * v``. The velocity holds
    gradients, not steps, so a changed learning rate acts at once. Its slot is named ``velocity``.

    Raises GraphError for a number out of range and for `nesterov` without momentum; DTypeError
    and ShapeError for a learning rate that is no floating scalar.

    >>> import staticgraph as sg
    >>> w = sg.Variable(1.0)
    >>> step = sg.train.SGD(0.5, momentum=0.9).minimize(w * w)
    >>> session = sg.Session()
    >>> for _ in range(2):
    ...     session.run(step)
    >>> session.run(w)
    np.float32(-0.9)
    """

    def __init__(
        self,
        learning_rate: Any,
        momentum: float = 0.0,
        nesterov: bool = False,
        name: str = "sgd",
    ) -> None:
        super().__init__(learning_rate, name)
        self.momentum = number(name, "momentum", momentum, 0.0, 1.0)
        self.nesterov = nesterov
        if nesterov and self.momentum == 0:
            raise GraphError(
                f"{name}: nesterov=True without momentum\n"
                "  give a momentum above 0, for example 0.9\n"
                f"  at {capture()}"
            )

    def update(self, variable: Variable, value: Tensor, gradient: Tensor) -> Tensor:
        """The new value of a variable, by the formulas above."""
        rate = self.rate(variable.dtype, variable.graph)
        if self.momentum == 0:
            return value - rate * gradient
        slot = self.slot(variable, "velocity")
        velocity = self.keep(slot, self.momentum * as_tensor(slot) + gradient)
        direction = gradient + self.momentum * velocity if self.nesterov else velocity
        return value - rate * direction
