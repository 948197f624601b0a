"""What users give to optimizers, checked: numbers, learning rates, losses, variables, pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

from staticgraph.autodiff.common import Paths
from staticgraph.core import dtypes
from staticgraph.core.graph import Tensor, describe
from staticgraph.core.location import capture
from staticgraph.core.types import compatible, format_shape
from staticgraph.errors import DTypeError, GradientError, GraphError, ShapeError, StaticGraphError
from staticgraph.ops.convert import as_tensor, is_tensor_like
from staticgraph.ops.state import Variable

Pair = tuple[Any, Variable]


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


def checked_rate(what: str, learning_rate: Any) -> Any:
    """A learning rate: a float, or what stands for a floating scalar tensor."""
    if not is_tensor_like(learning_rate):
        return number(what, "learning_rate", learning_rate, 0.0, math.inf)
    tensor = as_tensor(learning_rate)
    if not compatible(tensor.type.shape, ()):
        raise ShapeError(
            f"{what}: the learning rate is not a scalar\n"
            f"  learning_rate {describe(tensor)}\n"
            "  give one number, or a scalar tensor\n"
            f"  at {capture()}"
        )
    if tensor.dtype not in dtypes.REAL_FLOATING:
        raise DTypeError(
            f"{what}: the learning rate is {dtypes.name(tensor.dtype)}\n"
            f"  learning_rate {describe(tensor)}\n"
            "  give a float, or a floating tensor\n"
            f"  at {capture()}"
        )
    return learning_rate


def checked_loss(what: str, loss: Any) -> Tensor:
    """A loss as a floating scalar tensor."""
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
    if tensor.dtype not in dtypes.REAL_FLOATING:
        raise GradientError(
            f"{what}: the loss is {dtypes.name(tensor.dtype)}, which has no derivative\n"
            f"  loss {describe(tensor)}\n"
            "  compute it from floating variables\n"
            f"  at {capture()}"
        )
    return tensor


# -- variables --------------------------------------------------------------------------------


def trainable_variables(what: str, loss: Tensor) -> list[Variable]:
    """The trainable variables that the loss depends on, in the order in which they were made."""
    variables = [
        variable
        for variable in loss.graph.variables.values()
        if variable.trainable and variable.dtype in dtypes.DIFFERENTIABLE
    ]
    paths = Paths(what, loss, variables)
    found = [variable for index, variable in enumerate(variables) if paths.connected(index)]
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


def named_variables(
    what: str, loss: Tensor, variables: Sequence[Variable] | Variable
) -> list[Variable]:
    """The variables that the user named; the loss has a derivative by each of them."""
    listed = [variables] if isinstance(variables, Variable) else list(variables)
    if not listed:
        raise GradientError(
            f"{what}: the list of variables is empty\n"
            "  name the variables to update, or leave the list out for all trainable ones\n"
            f"  at {capture()}"
        )
    for variable in listed:
        _check_variable(what, variable)
        if variable.dtype not in dtypes.DIFFERENTIABLE:
            raise GradientError(
                f"{what}: variable '{variable.name}' is {dtypes.name(variable.dtype)}, which has "
                "no derivative\n"
                f"  variable {describe(variable.value)}\n"
                "  update it with assign, or make it floating\n"
                f"  at {capture()}"
            )
    _refuse_twice(what, listed)
    paths = Paths(what, loss, listed)
    for index, variable in enumerate(listed):
        if not paths.connected(index):
            raise _unconnected(what, loss, variable, paths.cut(index))
    return listed


def _unconnected(what: str, loss: Tensor, variable: Variable, cut: str | None) -> GradientError:
    lines = [
        f"{what}: the loss does not depend on variable '{variable.name}'",
        f"  loss {describe(loss)}",
        f"  variable {describe(variable.value)}",
    ]
    if cut is not None:
        lines[0] = f"{what}: no derivative passes from the loss to variable '{variable.name}'"
        lines.append(f"  {cut}")
    lines += [
        "  leave it out of the variables, or compute the loss from it",
        f"  at {capture()}",
    ]
    return GradientError("\n".join(lines))


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


# -- pairs ------------------------------------------------------------------------------------


def checked_pairs(what: str, pairs: Sequence[Pair]) -> list[tuple[Tensor, Variable]]:
    """Pairs of gradient and variable that fit each other; those without a gradient are left out."""
    checked = []
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise GradientError(
                f"{what}: a {type(pair).__name__} is no pair of a gradient and its variable\n"
                "  give what optimizer.gradients(loss) returned\n"
                f"  at {capture()}"
            )
        gradient, variable = pair
        if gradient is not None:
            _check_variable(what, variable)
            checked.append((_fitting(what, gradient, variable), variable))
    if not checked:
        raise GradientError(
            f"{what}: there is no gradient to apply\n"
            "  give pairs of a gradient and its variable, with at least one gradient\n"
            f"  at {capture()}"
        )
    _refuse_twice(what, [variable for _, variable in checked])
    return checked


def _fitting(what: str, gradient: Any, variable: Variable) -> Tensor:
    tensor = as_tensor(gradient, variable.graph)
    error: type[StaticGraphError]
    graph = tensor.graph
    while graph.outer is not None:
        graph = graph.outer
    if graph is not variable.graph:
        problem, error = "belongs to another graph than its variable", GraphError
    elif tensor.dtype != variable.dtype:
        problem, error = "differs from its variable in dtype", DTypeError
    elif not compatible(tensor.type.shape, variable.type.shape):
        problem, error = "differs from its variable in shape", ShapeError
    else:
        return tensor
    raise error(
        f"{what}: a gradient {problem}\n"
        f"  gradient {describe(tensor)}\n"
        f"  variable {describe(variable.value)}\n"
        "  give what optimizer.gradients(loss) returned, or tensors of the same types\n"
        f"  at {capture()}"
    )
