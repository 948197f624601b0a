"""Control edges, groups, scopes and identities; loops and branches belong here too.

A control edge says "after, and only if"; it carries no data. Extraction turns control edges into
data (core/extract.py), so no Function holds one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from staticgraph.core.graph import Graph, Operation, Tensor, describe, get_default_graph
from staticgraph.core.location import capture
from staticgraph.core.opdef import (
    LINEAR,
    NO_ATTRS,
    NOT_DIFFERENTIABLE,
    TRANSPOSED,
    Attrs,
    Joint,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import TensorType, compatible
from staticgraph.errors import GradientError, GraphError
from staticgraph.ops.convert import as_tensor, constant, is_tensor_like, scalar
from staticgraph.ops.shaping import broadcast_like
from staticgraph.ops.traced_rules import TracedRule


def _infer_same(types: Types, attrs: Attrs) -> TensorType:
    return types[0]


IDENTITY = register(
    OpDef(
        "identity",
        operands=("x",),
        infer=_infer_same,
        reference=lambda x: x,
        elementwise=True,
        emit=lambda s, x: x,
        linear=True,
        vjp=(lambda node, adjoint: adjoint,),
        jvp=LINEAR,
        doc="The operand itself, under another name.",
    )
)

STOP_GRADIENT = register(
    OpDef(
        "stop_gradient",
        operands=("x",),
        infer=_infer_same,
        reference=lambda x: x,
        elementwise=True,
        emit=lambda s, x: x,
        linear=True,
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The operand itself, through which no derivative passes.",
    )
)


def _infer_nothing(types: Types, attrs: Attrs) -> Types:
    return ()


GROUP = register(
    OpDef(
        "group",
        operands=(),
        infer=_infer_nothing,
        reference=None,
        role="group",
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="Nothing but control edges: runs after all operations that it groups.",
    )
)


def identity(x: Any, *, name: str | None = None) -> Tensor:
    """`x` itself under another name; under `control_dependencies` it also waits.

    >>> import staticgraph as sg
    >>> sg.identity(sg.constant(1.0), name="one").name
    'one'
    """
    tensor = as_tensor(x)
    return tensor.graph.add(IDENTITY, (tensor,), NO_ATTRS, name).out


def stop_gradient(x: Any, *, name: str | None = None) -> Tensor:
    """`x` itself, treated as a constant by every derivative.

    >>> import staticgraph as sg
    >>> x = sg.constant(3.0)
    >>> sg.Session().run(sg.gradients(x * sg.stop_gradient(x), x))
    [np.float32(3.0)]
    """
    tensor = as_tensor(x)
    return tensor.graph.add(STOP_GRADIENT, (tensor,), NO_ATTRS, name).out


def as_operation(value: Any) -> Operation:
    """The operation behind a Tensor, a Variable or an Operation."""
    if isinstance(value, Operation):
        return value
    if is_tensor_like(value):
        return as_tensor(value).node
    raise GraphError(
        f"control_dependencies: {type(value).__name__} {value!r} is no operation\n"
        "  give Operations or Tensors\n"
        f"  at {capture()}"
    )


def _operations(values: Any) -> list[Operation]:
    if isinstance(values, Operation) or is_tensor_like(values):
        values = [values]
    return [as_operation(value) for value in values]


def control_dependencies(ops: Sequence[Any]) -> AbstractContextManager[None]:
    """Operations made in the ``with`` block run after `ops`, and `ops` run if they do.

    A read of a variable made in the block sees what an assign among `ops` wrote.

    >>> import staticgraph as sg
    >>> with sg.Graph().as_default():
    ...     count = sg.Variable(1)
    ...     with sg.control_dependencies([count.assign_add(1)]):
    ...         after = count.read()
    ...     sg.Session().run([count, after])
    [np.int64(1), np.int64(2)]
    """
    operations = _operations(ops)
    return _current(operations).control_dependencies(operations)


def _current(operations: Sequence[Operation]) -> Graph:
    """The graph to which a node that waits for these goes: maybe a body that is being traced."""
    graph = operations[0].graph if operations else get_default_graph()
    while graph.outer is not None:
        graph = graph.outer
    return graph.innermost


def group(*ops: Any, name: str | None = None) -> Operation:
    """One Operation that runs all of `ops`; fetching it gives None.

    Takes Operations, Tensors, or lists of them.

    >>> import staticgraph as sg
    >>> left, right = sg.Variable(1.0), sg.Variable(2.0)
    >>> session = sg.Session()
    >>> session.run(sg.group(left.assign_add(1.0), right.assign_add(1.0)))
    >>> session.run([left, right])
    [np.float32(2.0), np.float32(3.0)]
    """
    flat: list[Operation] = []
    for item in ops:
        flat.extend(_operations(item))
    graph = _current(flat)
    with graph.control_dependencies(flat):
        return graph.add(GROUP, (), NO_ATTRS, name)


def name_scope(name: str) -> AbstractContextManager[str]:
    """Names made in the ``with`` block start with ``name/``; pictures draw the scope as a box.

    >>> import staticgraph as sg
    >>> with sg.name_scope("layer"):
    ...     sg.constant(1.0, name="bias").name
    'layer/bias'
    """
    return get_default_graph().name_scope(name)


# -- custom gradients -------------------------------------------------------------------------


def _infer_custom(types: Types, attrs: Attrs) -> Types:
    return types[: attrs["results"]]


def _reference_custom(*operands: Any, results: int, rule: str) -> Any:
    return operands[0] if results == 1 else operands[:results]


def _vjp_custom(node: Operation, adjoints: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    count = node.attrs["results"]
    filled = [
        adjoint if adjoint is not None else _zeros(result)
        for adjoint, result in zip(adjoints, node.outputs, strict=True)
    ]
    rule: Any = node.graph.gradient_functions[node.attrs["rule"]]
    end = len(node.inputs)
    if isinstance(rule, TracedRule):
        end = count + rule.arguments
        given = rule(node.graph, filled, node.inputs[end:])
    else:
        given = rule(*filled)
    wanted = list(given) if isinstance(given, list | tuple) else [given]
    arguments = node.inputs[count:end]
    if len(wanted) != len(arguments):
        raise GradientError(
            f"custom_gradient: the gradient function returned {len(wanted)} adjoints for "
            f"{len(arguments)} arguments\n"
            "  return one adjoint (or None) per argument, in order\n"
            f"  created at {node.location}"
        )
    adjusted = [
        _adjoint_of_argument(node, argument, adjoint)
        for argument, adjoint in zip(arguments, wanted, strict=True)
    ]
    # Only the gradient function speaks of derivatives, so none passes through the results that
    # the user's function computed.
    return [None] * count + adjusted + [None] * (len(node.inputs) - end)


def _zeros(like: Tensor) -> Tensor:
    return broadcast_like(scalar(like.graph, 0, like.dtype), like)


def _adjoint_of_argument(node: Operation, argument: Tensor, adjoint: Any) -> Tensor | None:
    """What the user's gradient function returned for one argument, checked."""
    if adjoint is None:
        return None
    if is_tensor_like(adjoint):
        tensor = as_tensor(adjoint)
    else:
        with node.graph.as_default():
            tensor = constant(adjoint, argument.dtype)
    if tensor.dtype == argument.dtype and compatible(tensor.type.shape, argument.type.shape):
        return tensor
    if tensor.dtype == argument.dtype and tensor.type.shape == ():
        return broadcast_like(tensor, argument)
    raise GradientError(
        "custom_gradient: the gradient function returned an adjoint that does not fit its "
        "argument\n"
        f"  argument {describe(argument)}\n"
        f"  adjoint {describe(tensor)}\n"
        "  an adjoint has the dtype and the shape of its argument\n"
        f"  created at {node.location}"
    )


CUSTOM_GRADIENT = register(
    OpDef(
        "custom_gradient",
        operands=("operands*",),
        infer=_infer_custom,
        reference=_reference_custom,
        attrs=("results", "rule"),
        selects=True,
        holomorphic=False,
        vjp=Joint(_vjp_custom),
        jvp=TRANSPOSED,
        doc="The first operands themselves, with a derivative that the user wrote.",
    )
)


def custom_gradient(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose derivative is the one that `fn` gives instead of the one of its ops.

    `fn` takes tensors and returns ``(result, gradient)``: the result is a Tensor or a tuple of
    them, `gradient` takes one adjoint per result and returns one adjoint (or None) per argument.
    Usable as a decorator. Forward mode transposes `gradient`, which must be linear in the adjoints.

    >>> import staticgraph as sg
    >>> @sg.custom_gradient
    ... def clipped_identity(x):
    ...     return sg.identity(x), lambda adjoint: sg.clip(adjoint, -1.0, 1.0)
    >>> x = sg.constant(3.0)
    >>> sg.Session().run(sg.gradients(5.0 * clipped_identity(x), x))
    [np.float32(1.0)]
    """

    def wrapped(*args: Any) -> Any:
        arguments = tuple([as_tensor(arg) for arg in args])
        answer = fn(*arguments)
        fits = isinstance(answer, tuple) and len(answer) == 2 and callable(answer[1])
        if not fits or (isinstance(answer[0], tuple | list) and not answer[0]):
            raise GradientError(
                "custom_gradient: the function must return (result, gradient function)\n"
                f"  it returned {type(answer).__name__}\n"
                f"  at {capture()}"
            )
        result, gradient = answer
        several = isinstance(result, tuple | list)
        # What the function took from elsewhere than its arguments counts as a constant.
        results = [stop_gradient(item) for item in (result if several else [result])]
        graph = results[0].graph
        used: Sequence[Tensor] = ()
        if graph.outer is not None:
            traced = TracedRule(graph, IDENTITY, gradient, results, len(arguments))
            gradient, used = traced, traced.captured
        rule = f"rule_{len(graph.gradient_functions)}"
        graph.gradient_functions[rule] = gradient
        attrs = {"results": len(results), "rule": rule}
        name = getattr(fn, "__name__", "")
        node = graph.add(
            CUSTOM_GRADIENT,
            (*results, *arguments, *used),
            attrs,
            name if name.isidentifier() else None,
        )
        return tuple(node.outputs) if several else node.out

    wrapped.__name__ = getattr(fn, "__name__", "custom_gradient")
    wrapped.__doc__ = fn.__doc__
    return wrapped
