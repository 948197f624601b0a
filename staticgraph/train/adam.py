"""Adam: gradient descent scaled by running moments of the gradient."""

from __future__ import annotations

import math
from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor
from staticgraph.ops.convert import as_tensor, cast, scalar
from staticgraph.ops.elementwise import abs, pow, sqrt, square
from staticgraph.ops.state import Variable
from staticgraph.train.arguments import number
from staticgraph.train.optimizer import Optimizer


class Adam(Optimizer):
    """Adam, by algorithm 1 of D. P. Kingma and J. Ba ("Adam: a method for stochastic
    optimization", ICLR 2015), for the update number ``t`` of a variable::

        mean     <- beta1 * mean + (1 - beta1) * gradient
        spread   <- beta2 * spread + (1 - beta2) * gradient**2
        variable <- variable - learning_rate * (mean / (1 - beta1**t))
                               / (sqrt(spread / (1 - beta2**t)) + epsilon)

    learning_rate   a float, or a floating scalar tensor (a placeholder, a schedule)
    beta1, beta2    how much of the moments is kept from step to step, from 0 to below 1
    epsilon         keeps the denominator from 0; outside the square root, as in the paper

    Of a complex variable the square is that of the gradient's absolute value, so both parts move by
    one scale. Its slots are named ``mean``, ``spread`` and ``updates`` (``t``, an int64 scalar per
    variable, so that variables that are updated in different steps are each corrected rightly).
    Raises GraphError for a number out of range; DTypeError and ShapeError for a learning rate that
    is no floating scalar.

    >>> import staticgraph as sg
    >>> w = sg.Variable([1.0, -2.0])
    >>> step = sg.train.Adam(0.5).minimize(sg.sum(w * w))
    >>> session = sg.Session()
    >>> session.run(step)
    >>> session.run(w)
    array([ 0.5, -1.5], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        name: str = "adam",
    ) -> None:
        super().__init__(learning_rate, name)
        self.beta1 = number(name, "beta1", beta1, 0.0, 1.0)
        self.beta2 = number(name, "beta2", beta2, 0.0, 1.0)
        self.epsilon = number(name, "epsilon", epsilon, 0.0, math.inf)

    def update(self, variable: Variable, value: Tensor, gradient: Tensor) -> Tensor:
        """The new value of a variable, by the formulas above."""
        counter = self.slot(variable, "updates", 0)
        updates = self.keep(counter, as_tensor(counter) + 1)
        mean = self._moment(variable, "mean", self.beta1, gradient)
        size = abs(gradient) if gradient.dtype in dtypes.COMPLEX else gradient
        spread = self._moment(variable, "spread", self.beta2, square(size), sizes=True)
        rate = self.rate(dtypes.part_of(variable.dtype), variable.graph)
        step = rate / self._correction(self.beta1, updates, variable)
        root = sqrt(spread / self._correction(self.beta2, updates, variable))
        return value - step * mean / (root + self.epsilon)

    def _moment(
        self, variable: Variable, name: str, kept: float, sample: Tensor, sizes: bool = False
    ) -> Tensor:
        slot = self.slot(variable, name, sizes=sizes)
        return self.keep(slot, kept * as_tensor(slot) + (1.0 - kept) * sample)

    def _correction(self, kept: float, updates: Tensor, variable: Variable) -> Tensor:
        """``1 - kept**t`` in the variable's dtype, or that of its parts.

        Computed in float64: in float32 the difference would lose five of its seven digits for
        a `kept` near 1.
        """
        base = scalar(updates.graph, kept, dtypes.float64)
        power = pow(base, cast(updates, dtypes.float64))
        return cast(1.0 - power, dtypes.part_of(variable.dtype))
