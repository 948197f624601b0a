"""What every optimizer shares: which variables, their gradients, and the state kept per variable.

The state of an optimizer (velocities, moments, counts) is ordinary variables of the graph, not
trainable, one set per updated variable, named ``OPTIMIZER/VARIABLE/SLOT``. An update reads
everything as it was at the start of the run, and a run commits all of its updates or none.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from numbers import Real
from typing import Any

from staticgraph.autodiff.common import Paths, zeros_of
from staticgraph.autodiff.reverse import check_connected, filled, pull, starts
from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.graph import Graph, Operation, Tensor, describe
from staticgraph.core.location import capture
from staticgraph.core.types import compatible, format_shape
from staticgraph.errors import DTypeError, GradientError, GraphError, ShapeError, StaticGraphError
from staticgraph.ops.control import group
from staticgraph.ops.convert import as_tensor, cast_to, is_tensor_like, scalar
from staticgraph.ops.state import Variable

Pair = tuple[Any, Variable]


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
        self.learning_rate = self._checked_rate(learning_rate)
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

    def slot(self, variable: Variable, name: str, initial: Any = None) -> Variable:
        """The variable in which this optimizer keeps something for `variable`.

        Made when first asked for, with zeros of the variable's type unless `initial` is given.
        """
        known = self._slots.get((variable, name))
        if known is not None:
            return known
        graph = variable.graph
        with graph.as_default(), graph.no_control_dependencies():
            if initial is None:
                initial = zeros_of(variable.initial_value)
            with graph.absolute_scope(f"{self._scope}/{variable.name}/"):
                made = Variable(initial, name=name, trainable=False)
        self._slots[variable, name] = made
        return made

    def rate(self, dtype: DType, graph: Graph) -> Tensor:
        """The learning rate as a scalar tensor of `dtype`."""
        if is_tensor_like(self.learning_rate):
            return cast_to(as_tensor(self.learning_rate), dtype)
        return scalar(graph, self.learning_rate, dtype)

    def keep(self, slot: Variable, value: Tensor) -> Tensor:
        """`value`, which also becomes the value of `slot` in the step being built."""
        self._kept.append(slot.assign(value))
        return value

    # -- inside -------------------------------------------------------------------------------

    def _checked_rate(self, learning_rate: Any) -> Any:
        if is_tensor_like(learning_rate):
            tensor = as_tensor(learning_rate)
            if not compatible(tensor.type.shape, ()):
                raise ShapeError(
                    f"{self.name}: the learning rate is not a scalar\n"
                    f"  learning_rate {describe(tensor)}\n"
                    "  give one number, or a scalar tensor\n"
                    f"  at {capture()}"
                )
            if tensor.dtype not in dtypes.FLOATING:
                raise DTypeError(
                    f"{self.name}: the learning rate is {dtypes.name(tensor.dtype)}\n"
                    f"  learning_rate {describe(tensor)}\n"
                    "  give a float, or a floating tensor\n"
                    f"  at {capture()}"
                )
            return learning_rate
        return number(self.name, "learning_rate", learning_rate, 0.0, math.inf)

    def _gradients(
        self, what: str, loss: Any, variables: Sequence[Variable] | Variable | None
    ) -> list[tuple[Tensor, Variable]]:
        _check_loss(what, loss)
        if variables is None:
            chosen = _trainable(what, as_tensor(loss))
        else:
            chosen = _named(what, variables)
        paths = Paths(what, loss, chosen)
        check_connected(paths)
        return list(zip(filled(paths, pull(paths, starts(paths, None))), chosen, strict=True))

    def _apply(self, what: str, pairs: Sequence[Pair]) -> Operation:
        used = [(gradient, variable) for gradient, variable in pairs if gradient is not None]
        if not used:
            raise GradientError(
                f"{what}: there is no gradient to apply\n"
                "  give pairs of a gradient and its variable, with at least one gradient\n"
                f"  at {capture()}"
            )
        checked = _checked_pairs(what, used)
        graph = checked[0][1].graph
        with graph.as_default(), graph.name_scope(self.name) as self._scope:
            self._kept = []
            assigns = []
            for gradient, variable in checked:
                # In print and picture the update of a variable stands beside its slots.
                with graph.absolute_scope(f"{self._scope}/{variable.name}/"):
                    new = self.update(variable, as_tensor(variable), gradient)
                    assigns.append(variable.assign(new))
            return group(assigns, self._kept, name="step")


def number(what: str, role: str, value: Any, low: float, high: float) -> float:
    """A number that the user gave, at least `low` and below `high`."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not low <= value < high:
        upper = "" if high == math.inf else f" and below {high:g}"
        raise GraphError(
            f"{what}: {role} is {value!r}\n"
            f"  give a number of at least {low:g}{upper}\n"
            f"  at {capture()}"
        )
    return float(value)


def _check_loss(what: str, loss: Any) -> None:
    if not is_tensor_like(loss):
        raise GradientError(
            f"{what}: the loss is a {type(loss).__name__}, not a tensor\n"
            "  give the scalar Tensor that is to become small\n"
            f"  at {capture()}"
        )
    tensor = as_tensor(loss)
    if tensor.type.shape != ():
        raise GradientError(
            f"{what}: the loss is not a scalar, its shape is {format_shape(tensor.type.shape)}\n"
            f"  loss {describe(tensor)}\n"
            "  reduce it first, for example with sg.mean(loss)\n"
            f"  at {capture()}"
        )


def _trainable(what: str, loss: Tensor) -> list[Variable]:
    """The trainable variables that the loss depends on, in the order in which they were made."""
    variables = [
        variable
        for variable in loss.graph.variables.values()
        if variable.trainable and variable.dtype in dtypes.FLOATING
    ]
    paths = Paths(what, loss, variables)
    found = [variable for i, variable in enumerate(variables) if paths.connected(i)]
    if not found:
        raise GradientError(
            f"{what}: the loss depends on no trainable variable\n"
            f"  loss {describe(loss)}\n"
            f"  trainable variables of the graph: {_listed(variables)}\n"
            "  compute the loss from an sg.Variable, or name the variables: "
            "minimize(loss, variables=[...])\n"
            f"  at {capture()}"
        )
    return found


def _listed(variables: Sequence[Variable]) -> str:
    names = [f"'{variable.name}'" for variable in variables]
    if len(names) > 6:
        names = [*names[:5], f"and {len(names) - 5} more"]
    return ", ".join(names) or "none"


def _named(what: str, variables: Sequence[Variable] | Variable) -> list[Variable]:
    listed = [variables] if isinstance(variables, Variable) else list(variables)
    for variable in listed:
        _check_variable(what, variable)
    _refuse_twice(what, listed)
    if not listed:
        raise GradientError(
            f"{what}: the list of variables is empty\n"
            "  name the variables to update, or leave the list out for all trainable ones\n"
            f"  at {capture()}"
        )
    return listed


def _check_variable(what: str, variable: Any) -> None:
    if isinstance(variable, Variable):
        return
    shown = describe(variable) if isinstance(variable, Tensor) else type(variable).__name__
    raise GraphError(
        f"{what}: only a Variable can be updated\n"
        f"  given {shown}\n"
        "  give the sg.Variable itself\n"
        f"  at {capture()}"
    )


def _refuse_twice(what: str, variables: Sequence[Variable]) -> None:
    seen: set[str] = set()
    for variable in variables:
        if variable.name in seen:
            raise GradientError(
                f"{what}: variable '{variable.name}' stands twice\n"
                "  a step updates each variable once; add its gradients up first\n"
                f"  at {capture()}"
            )
        seen.add(variable.name)


def _checked_pairs(what: str, pairs: Sequence[Pair]) -> list[tuple[Tensor, Variable]]:
    checked = []
    for gradient, variable in pairs:
        _check_variable(what, variable)
        tensor = as_tensor(gradient, variable.graph)
        error: type[StaticGraphError]
        if tensor.graph is not variable.graph:
            problem, error = "belongs to another graph than its variable", GraphError
        elif tensor.dtype != variable.dtype:
            problem, error = "differs from its variable in dtype", DTypeError
        elif not compatible(tensor.type.shape, variable.type.shape):
            problem, error = "differs from its variable in shape", ShapeError
        else:
            checked.append((tensor, variable))
            continue
        raise error(
            f"{what}: a gradient {problem}\n"
            f"  gradient {describe(tensor)}\n"
            f"  variable {describe(variable.value)}\n"
            "  give what optimizer.gradients(loss) returned, or tensors of the same types\n"
            f"  at {capture()}"
        )
    _refuse_twice(what, [variable for _, variable in checked])
    return checked
