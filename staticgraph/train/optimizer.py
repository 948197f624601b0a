"""What every optimizer shares: which variables, their gradients, and the state kept per variable.

The state of an optimizer (velocities, moments, counts) is ordinary variables of the graph, not
trainable, one set per updated variable, named ``OPTIMIZER/VARIABLE/SLOT``. An update reads
everything as it was at the start of the run, and a run commits all of its updates or none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from staticgraph.autodiff.common import Paths, zeros_of
from staticgraph.autodiff.reverse import filled, pull, starts
from staticgraph.core.body import suspended
from staticgraph.core.dtypes import DType
from staticgraph.core.graph import Graph, Operation, Tensor
from staticgraph.ops.complex import real
from staticgraph.ops.control import group
from staticgraph.ops.convert import as_tensor, cast, is_tensor_like, scalar
from staticgraph.ops.state import Variable
from staticgraph.train.arguments import (
    Pair,
    checked_loss,
    checked_pairs,
    checked_rate,
    named_variables,
    trainable_variables,
)


class Optimizer(ABC):
    """Updates variables so that a loss gets smaller.

    A subclass gives `update`, the new value of one variable. Subclasses keep what they remember
    from step to step in variables that `slot` makes.

    >>> import staticgraph as sg
    >>> class SignDescent(sg.train.Optimizer):
    ...     def update(self, variable, value, gradient):
    ...         return value - self.learning_rate * sg.sign(gradient)
    >>> w = sg.Variable([1.0, -2.0], name="w")
    >>> session = sg.Session()
    >>> session.run(SignDescent(0.5, "sign_descent").minimize(sg.sum(w * w)))
    >>> session.run(w)
    array([ 0.5, -1.5], dtype=float32)
    """

    def __init__(self, learning_rate: Any, name: str) -> None:
        self.name = name
        self.learning_rate = checked_rate(name, learning_rate)
        self._slots: dict[tuple[Variable, str], Variable] = {}
        # Of the step being built: its name scope, and the assigns to slots.
        self._scope = name
        self._kept: list[Tensor] = []

    @abstractmethod
    def update(self, variable: Variable, value: Tensor, gradient: Tensor) -> Tensor:
        """The new value of a variable that has `value`; assigns to slots on the way by `keep`."""

    # -- the public way -----------------------------------------------------------------------

    def minimize(
        self, loss: Any, variables: Sequence[Variable] | Variable | None = None
    ) -> Operation:
        """One Operation that makes one step: fetch it once a step.

        loss        a floating scalar
        variables   what to update; by default every trainable variable that the loss depends on

        All values, the loss among them, are those from before the step: fetching ``[step, loss]``
        gives the loss that the step started from. Raises GradientError for a loss that is no
        scalar, and where no derivative reaches a variable.

        >>> import staticgraph as sg
        >>> w = sg.Variable(1.0)
        >>> loss = (w - 3.0) ** 2
        >>> step = sg.train.SGD(0.25).minimize(loss)
        >>> session = sg.Session()
        >>> session.run([step, loss])
        [None, np.float32(4.0)]
        >>> session.run(w)
        np.float32(2.0)
        """
        return self._apply("minimize", self._gradients("minimize", loss, variables))

    def gradients(
        self, loss: Any, variables: Sequence[Variable] | Variable | None = None
    ) -> list[tuple[Tensor, Variable]]:
        """The first half of `minimize`: pairs of gradient and variable, to be changed on the way
        to `apply` (clipped, scaled, accumulated).

        >>> import staticgraph as sg
        >>> w = sg.Variable(1.0)
        >>> optimizer = sg.train.SGD(0.25)
        >>> pairs = optimizer.gradients((w - 3.0) ** 2)
        >>> step = optimizer.apply([(sg.clip(g, -1.0, 1.0), v) for g, v in pairs])
        >>> session = sg.Session()
        >>> session.run(step)
        >>> session.run(w)
        np.float32(1.25)
        """
        return self._gradients("gradients", loss, variables)

    def apply(self, pairs: Sequence[Pair]) -> Operation:
        """The second half of `minimize`: one Operation that updates each variable of `pairs`.

        pairs   gradients and their variables; a pair whose gradient is None is passed over

        Raises GradientError where there is nothing to update or a variable stands twice,
        DTypeError and ShapeError for a gradient that does not fit its variable.
        """
        return self._apply("apply", list(pairs))

    # -- for subclasses -----------------------------------------------------------------------

    def slot(
        self, variable: Variable, name: str, initial: Any = None, *, sizes: bool = False
    ) -> Variable:
        """The variable in which this optimizer keeps something for `variable`.

        Made when first asked for, with zeros of the variable's type unless `initial` is given.
        With `sizes` it holds real numbers, also for a complex variable.
        """
        known = self._slots.get((variable, name))
        if known is not None:
            return known
        graph = variable.graph
        # Also where the step is built in the body of a loop: state is declared outside of it.
        with suspended(graph), graph.no_control_dependencies():
            if initial is None:
                initial = zeros_of(variable.initial_value)
                if sizes:
                    initial = real(initial)
            with graph.absolute_scope(f"{self._scope}/{variable.name}/"):
                made = Variable(initial, name=name, trainable=False)
        self._slots[variable, name] = made
        return made

    def rate(self, dtype: DType, graph: Graph) -> Tensor:
        """The learning rate as a scalar tensor of `dtype`."""
        if is_tensor_like(self.learning_rate):
            return cast(as_tensor(self.learning_rate), dtype)
        return scalar(graph, self.learning_rate, dtype)

    def keep(self, slot: Variable, value: Tensor) -> Tensor:
        """`value`, which also becomes the value of `slot` in the step being built."""
        self._kept.append(slot.assign(value))
        return value

    # -- inside -------------------------------------------------------------------------------

    def _gradients(
        self, what: str, loss: Any, variables: Sequence[Variable] | Variable | None
    ) -> list[tuple[Tensor, Variable]]:
        tensor = checked_loss(what, loss)
        if variables is None:
            chosen = trainable_variables(what, tensor)
        else:
            chosen = named_variables(what, tensor, variables)
        paths = Paths(what, tensor, chosen)
        slopes = filled(paths, pull(paths, starts(paths, None)))
        return list(zip(slopes, chosen, strict=True))

    def _apply(self, what: str, pairs: Sequence[Pair]) -> Operation:
        checked = checked_pairs(what, pairs)
        graph = checked[0][1].graph.innermost
        with graph.as_default(), graph.name_scope(self.name) as self._scope:
            self._kept = []
            assigns = []
            for gradient, variable in checked:
                new = self.update(variable, as_tensor(variable), gradient)
                assigns.append(variable.assign(new))
            return group(assigns, self._kept, name="step")
