"""Reverse mode: appends the adjoint of every node between xs and ys, in reverse id order.

Two things are done here once, so that no op's rule has to: an adjoint is summed to the shape of an
operand that was broadcast, and a zero adjoint never becomes NaN by meeting an infinite or NaN
derivative behind a node that masks (`where`, `relu`, slicing).

Adjoint nodes are named ``gradients/NODE/...`` after the node whose adjoint they belong to, and
their Location holds both the line that asked for the derivative and the line of that node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

from staticgraph.autodiff.common import (
    Inputs,
    ancestors,
    as_list,
    cut_of,
    dependents,
    result_tensors,
    seed,
    zeros_of,
)
from staticgraph.core.graph import Graph, Operation, Tensor, describe
from staticgraph.core.location import Location
from staticgraph.core.opdef import ZERO_DERIVATIVE, Joint, Marker, Numbered
from staticgraph.core.types import format_shape
from staticgraph.errors import GradientError
from staticgraph.ops.convert import as_tensor, scalar
from staticgraph.ops.elementwise import add, guarded
from staticgraph.ops.shaping import sum_to

Unconnected = Literal["error", "zero", "none"]


@overload
def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    stop_gradients: Sequence[Any] = (),
    unconnected: Literal["error", "zero"] = "error",
) -> list[Tensor]: ...


@overload
def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    stop_gradients: Sequence[Any] = (),
    *,
    unconnected: Literal["none"],
) -> list[Tensor | None]: ...


def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    stop_gradients: Sequence[Any] = (),
    unconnected: Unconnected = "error",
) -> Any:
    """The derivatives of ``sum(ys)`` with respect to each of `xs`, as new tensors.

    ys              a floating tensor or several; one that is not a scalar needs a `grad_ys`
    xs              tensors or variables of the same graph; every read of a variable counts
    grad_ys         per y the adjoint to start from (None: 1 for a scalar y); same shape and dtype
    stop_gradients  tensors to be treated as constants
    unconnected     what to do about an x on which no y depends: raise, or give zeros, or give None

    Returns one tensor per x, of its shape and dtype. Raises GradientError for a y or x that has no
    derivative, a y without a start, and an x without a path to y. Calling it on its own results
    gives derivatives of any order. The rule is the reverse accumulation of S. Linnainmaa (1970).

    >>> import staticgraph as sg
    >>> x = sg.constant(3.0)
    >>> (slope,) = sg.gradients(x * x, x)
    >>> sg.Session().run(slope)
    np.float32(6.0)
    """
    return reverse(ys, xs, grad_ys, stop_gradients, unconnected, masked_seeds=False)


def reverse(
    ys: Any,
    xs: Any,
    grad_ys: Any,
    stop_gradients: Sequence[Any],
    unconnected: Unconnected,
    masked_seeds: bool,
) -> list[Tensor | None]:
    """`gradients`; with `masked_seeds` the zeros of `grad_ys` mask (the rows of a Jacobian)."""
    line = as_tensor(as_list(ys)[0]).graph.location if as_list(ys) else Location("", 0)
    results = result_tensors(ys, "gradients", line)
    graph = results[0].graph
    inputs = Inputs(xs, graph, "gradients", line)
    if unconnected not in ("error", "zero", "none"):
        raise GradientError(
            f"gradients: unconnected={unconnected!r} is no choice\n"
            f"  give 'error', 'zero' or 'none'\n  at {line}"
        )
    with graph.name_scope("gradients") as scope, graph.at(line):
        sweep = _Sweep(graph, scope, line, masked_seeds)
        sweep.start(results, grad_ys)
        stops = {as_tensor(stop) for stop in as_list(stop_gradients)}
        sweep.run(results, inputs, stops)
        return [
            _finish(sweep, inputs, index, results, unconnected, line)
            for index in range(len(inputs.like))
        ]


def _finish(
    sweep: _Sweep,
    inputs: Inputs,
    index: int,
    ys: list[Tensor],
    unconnected: Unconnected,
    line: Location,
) -> Tensor | None:
    """The total adjoint of one x."""
    like = inputs.like[index]
    connected = [tensor for tensor in inputs.tensors[index] if tensor in sweep.reached]
    if not connected:
        if unconnected == "none":
            return None
        if unconnected == "zero":
            return zeros_of(like)
        raise _unconnected(inputs.tensors[index], like, ys, line)
    total: Tensor | None = None
    for tensor in connected:
        adjoint = sweep.adjoint(tensor)
        if adjoint is not None:
            total = adjoint if total is None else add(total, adjoint)
    return total if total is not None else zeros_of(like)


def _unconnected(
    group: list[Tensor], like: Tensor, ys: list[Tensor], line: Location
) -> GradientError:
    nodes = ancestors(like.graph, ys, set())
    above = set(nodes)
    lines = ["gradients: y does not depend on x"]
    lines += [f"  y {describe(y)}" for y in ys]
    lines.append(f"  x {describe(like)}")
    cut = None
    if any(tensor.node in above for tensor in group):
        cut = cut_of(group, ys, nodes)
    if cut is not None:
        node = cut[0]
        lines[0] = "gradients: no derivative passes from y to x"
        lines.append(f"  '{node.name}' ({node.op.name}) lies between and has none, at {node.location}")
    lines.append(
        "  differentiate with respect to what y is computed from, or say unconnected='zero' or "
        "unconnected='none'"
    )
    lines.append(f"  at {line}")
    return GradientError("\n".join(lines))


class _Sweep:
    """The state of one reverse sweep."""

    def __init__(self, graph: Graph, scope: str, line: Location, masked_seeds: bool) -> None:
        self.graph, self.scope, self.line = graph, scope, line
        self.masked_seeds = masked_seeds
        # Contributions to the adjoint of each tensor, not yet added up.
        self.pending: dict[Tensor, list[Tensor]] = {}
        # Tensors whose adjoint may hold zeros because something was masked out.
        self.masked: set[Tensor] = set()
        self.reached: set[Tensor] = set()

    def start(self, ys: list[Tensor], grad_ys: Any) -> None:
        """Seeds the adjoints of the ys."""
        given = as_list(grad_ys) if grad_ys is not None else [None] * len(ys)
        if len(given) != len(ys):
            raise GradientError(
                f"gradients: there are {len(ys)} ys and {len(given)} grad_ys\n"
                f"  give one adjoint (or None) per y\n  at {self.line}"
            )
        for y, start in zip(ys, given, strict=True):
            if start is not None:
                adjoint = seed(y, start, "gradients", "grad_y", self.line)
                if self.masked_seeds:
                    self.masked.add(y)
            elif y.type.shape == ():
                adjoint = scalar(self.graph, 1.0, y.dtype)
            else:
                raise GradientError(
                    f"gradients: y is not a scalar, its shape is {format_shape(y.type.shape)}\n"
                    f"  y {describe(y)}\n"
                    "  give an incoming gradient of its shape, grad_ys=[...], or reduce it first: "
                    "gradients(sg.sum(y), xs)\n"
                    f"  at {self.line}"
                )
            self.pending.setdefault(y, []).append(adjoint)

    def run(self, ys: list[Tensor], inputs: Inputs, stops: set[Tensor]) -> None:
        """Propagates adjoints from ys to xs."""
        nodes = ancestors(self.graph, ys, stops)
        in_reach = set(nodes)
        xs = [tensor for tensor in inputs.all() if tensor.node in in_reach]
        depends, active = dependents(nodes, xs, stops)
        self.reached = self._leading_to(ys, active, depends, stops)
        self.reached.update(tensor for tensor in ys if tensor in depends)
        graph, scope = self.graph, self.scope
        for node in reversed(active):
            if not any(output in self.pending for output in node.outputs):
                continue
            location = self.line.of_adjoint(node.name, node.location)
            with graph.absolute_scope(f"{scope}/{node.name}/"), graph.at(location):
                self._node(node, depends, stops)

    def _leading_to(
        self,
        ys: list[Tensor],
        active: list[Operation],
        depends: set[Tensor],
        stops: set[Tensor],
    ) -> set[Tensor]:
        """The tensors of `depends` from which a derivative reaches some y."""
        leading = {y for y in ys if y in depends}
        for node in reversed(active):
            if not any(output in leading for output in node.outputs):
                continue
            for index, tensor in enumerate(node.inputs):
                if tensor in depends and tensor not in stops and node.op.operand_vjp(index):
                    leading.add(tensor)
        return leading

    def adjoint(self, tensor: Tensor) -> Tensor | None:
        """The sum of the contributions to one tensor's adjoint."""
        contributions = self.pending.get(tensor)
        if contributions is None:
            return None
        total = contributions[0]
        for contribution in contributions[1:]:
            total = add(total, contribution)
        self.pending[tensor] = [total]
        return total

    def _node(self, node: Operation, depends: set[Tensor], stops: set[Tensor]) -> None:
        op = node.op
        rule = op.vjp
        if isinstance(rule, Marker):
            assert rule is ZERO_DERIVATIVE
            return
        if isinstance(rule, Joint):
            self._joint(node, rule, depends, stops)
            return
        adjoint = self.adjoint(node.outputs[0])
        assert adjoint is not None
        masked = node.outputs[0] in self.masked
        for index, operand in enumerate(node.inputs):
            if operand not in depends or operand in stops:
                continue
            if isinstance(rule, Numbered):
                contribution = rule.rule(node, adjoint, index)
            else:
                operand_rule = rule[index]
                if operand_rule is None:
                    continue
                contribution = operand_rule(node, adjoint)
            if contribution is None:
                continue
            if masked and not op.linear:
                contribution = self._guard(node, index, contribution, adjoint)
            if op.elementwise:
                contribution = sum_to(contribution, operand)
            self._contribute(operand, contribution, masked or op.selects)

    def _guard(
        self, node: Operation, index: int, contribution: Tensor, adjoint: Tensor
    ) -> Tensor:
        if node.op.elementwise:
            return guarded(contribution, adjoint)
        if node.op.spread is not None and index == 0:
            return guarded(contribution, node.op.spread(node, adjoint))
        return contribution

    def _joint(
        self, node: Operation, rule: Joint, depends: set[Tensor], stops: set[Tensor]
    ) -> None:
        adjoints = [self.adjoint(output) for output in node.outputs]
        masked = node.op.selects or any(output in self.masked for output in node.outputs)
        contributions = rule.rule(node, adjoints)
        for operand, contribution in zip(node.inputs, contributions, strict=True):
            if contribution is not None and operand in depends and operand not in stops:
                self._contribute(operand, contribution, masked)

    def _contribute(self, tensor: Tensor, contribution: Tensor, masked: bool) -> None:
        self.pending.setdefault(tensor, []).append(contribution)
        if masked:
            self.masked.add(tensor)
