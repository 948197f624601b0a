"""Reverse mode: appends the adjoint of every node between xs and ys, in reverse id order.

Two things are done here once, so that no op's rule has to: an adjoint is summed to the shape of an
operand that was broadcast, and a zero adjoint never becomes NaN by meeting an infinite or NaN
derivative behind a node that masks (`where`, `relu`, slicing).

Adjoint nodes are named ``gradients/NODE/...`` after the node whose adjoint they belong to, and
their Location holds both the line that asked for the derivative and the line of that node.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

from staticgraph import config
from staticgraph.autodiff.common import Paths, paired, seed, zeros_of
from staticgraph.core.dtypes import COMPLEX, name
from staticgraph.core.graph import Operation, Tensor, describe
from staticgraph.core.opdef import REGIONS, ZERO_DERIVATIVE, Joint, Numbered, OpDef
from staticgraph.core.types import compatible, format_shape, same_shape
from staticgraph.errors import CompilerError, GradientError
from staticgraph.ops.complex import conjugated
from staticgraph.ops.convert import cast, scalar
from staticgraph.ops.elementwise import add, guard
from staticgraph.ops.shaping import sum_to

Unconnected = Literal["error", "zero", "none"]


@overload
def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    stop_gradients: Any = (),
    unconnected: Literal["error", "zero"] = "error",
) -> list[Tensor]: ...


@overload
def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    stop_gradients: Any = (),
    *,
    unconnected: Literal["none"],
) -> list[Tensor | None]: ...


@config.collector_paused()
def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    stop_gradients: Any = (),
    unconnected: Unconnected = "error",
) -> Any:
    """The derivatives of ``sum(ys)`` with respect to each of `xs`, as new tensors.

    ys              a floating tensor or several; one that is not a scalar, or is complex, needs a
                    `grad_ys`
    xs              tensors or variables of the same graph; every read of a variable counts
    grad_ys         per y the adjoint to start from: a tensor of its dtype and shape, an array, a
                    number for all its elements, or None, which is 1 for a scalar y
    stop_gradients  tensors that count as constants: nothing flows through them to what they were
                    computed from. An x may be among them, which makes derivatives partial
    unconnected     what to do about an x on which no y depends: "error" raises, "zero" gives zeros,
                    "none" gives None

    Returns one tensor per x, of its shape and dtype. An x that is computed from another x counts
    as itself and as a part of the other. Calling it on its own results gives derivatives of any
    order. Of a complex x the derivative is ``dy/d real(x) + i dy/d imag(x)``, against which y grows
    smaller. The rule is the reverse accumulation of S. Linnainmaa (1970).

    Raises GradientError for a y or x that has no derivative, a y without a start, and an x from
    which no derivative reaches a y; GraphError for tensors of different graphs; ShapeError and
    DTypeError for `grad_ys` that do not fit.

    >>> import staticgraph as sg
    >>> x = sg.constant(3.0)
    >>> (slope,) = sg.gradients(x * x, x)
    >>> sg.Session().run(slope)
    np.float32(6.0)
    """
    paths = Paths("gradients", ys, xs, stop_gradients)
    given = starts(paths, grad_ys, not isinstance(ys, list | tuple))
    if unconnected not in ("error", "zero", "none"):
        raise GradientError(
            f"gradients: unconnected={unconnected!r} is no choice\n"
            f"  give 'error', 'zero' or 'none'\n  at {paths.line}"
        )
    if unconnected == "error":
        check_connected(paths)
    adjoints = pull(paths, given)
    if unconnected == "zero":
        return filled(paths, adjoints)
    return adjoints


def check_connected(paths: Paths) -> None:
    """Raises GradientError for the first x from which no derivative reaches a y."""
    for index in range(len(paths.inputs.like)):
        if not paths.connected(index):
            raise paths.unconnected(index)


def filled(paths: Paths, adjoints: Sequence[Tensor | None]) -> list[Tensor]:
    """The adjoints of the xs, with zeros for those that are missing."""
    return [
        zeros_of(like) if adjoint is None else adjoint
        for like, adjoint in zip(paths.inputs.like, adjoints, strict=True)
    ]


def starts(paths: Paths, grad_ys: Any, single: bool = True) -> list[Tensor]:
    """The adjoints of the ys to begin with; `single` when the user gave one y, not a list."""
    what, line, ys = paths.what, paths.line, paths.ys
    given = [None] * len(ys) if grad_ys is None else paired(grad_ys, single, ys)
    if len(given) != len(ys):
        raise GradientError(
            f"{what}: there are {len(ys)} ys and {len(given)} grad_ys\n"
            f"  give one adjoint (or None) per y\n  at {line}"
        )
    found: list[Tensor] = []
    for y, start in zip(ys, given, strict=True):
        if start is not None:
            found.append(seed(y, start, what, "grad_y", line))
        elif y.type.dtype in COMPLEX:
            raise _complex_start(paths, y)
        elif y.type.shape == ():
            found.append(scalar(paths.graph, 1.0, y.dtype))
        else:
            raise _no_start(paths, y)
    return found


def _complex_start(paths: Paths, y: Tensor) -> GradientError:
    given = ", or give an incoming gradient, grad_ys=..." if paths.what == "gradients" else ""
    return GradientError(
        f"{paths.what}: y is {name(y.type.dtype)}, and a complex number is no least or largest\n"
        f"  y {describe(y)}\n"
        f"  differentiate a real number: sg.real(y), sg.imag(y) or sg.abs(y){given}\n"
        f"  at {paths.line}"
    )


def _no_start(paths: Paths, y: Tensor) -> GradientError:
    way_out = "reduce it first, for example with sg.sum(y)"
    if paths.what == "gradients":
        way_out = (
            "give an incoming gradient of its shape, grad_ys=..., or reduce it first: "
            "gradients(sg.sum(y), xs)"
        )
    return GradientError(
        f"{paths.what}: y is not a scalar, its shape is {format_shape(y.type.shape)}\n"
        f"  y {describe(y)}\n"
        f"  {way_out}\n"
        f"  at {paths.line}"
    )


@config.collector_paused()
def pull(
    paths: Paths,
    seeds: Sequence[Tensor],
    masked_seeds: bool = False,
    sums: Sequence[Tensor | None] = (),
) -> list[Tensor | None]:
    """One reverse sweep: the adjoints of the xs from those of the ys; None where there is no path.

    With `masked_seeds` the zeros of `seeds` mask, as those of a `where` do (rows of a Jacobian).
    With `sums`, one per x, an adjoint is added to what its x has there.
    """
    with paths.graph.name_scope("gradients") as scope, paths.graph.at(paths.line):
        sweep = _Sweep(paths, scope)
        for y, start in zip(paths.ys, seeds, strict=True):
            sweep.accumulate(y, start, True if masked_seeds else None)
        for x, known in zip(paths.inputs.like, sums, strict=False):
            if known is not None:
                sweep.accumulate(x, known, None)
        for node, wanted in reversed(paths.steps):
            sweep.propagate(node, wanted)
        return [sweep.total(index) for index in range(len(paths.inputs.like))]


# How the adjoints of loops and branches are made; filled by autodiff/control.py, which needs this
# module's sweep for the Functions inside. The last argument takes away what the sweep has of an
# operand's adjoint, so that a loop can go on adding to it; what the rule gives then includes it.
RegionRule = Callable[
    [Operation, Sequence[Tensor | None], Sequence[int], bool, Callable[[int], Tensor | None]],
    Sequence[Tensor | None],
]
REGION_RULES: dict[OpDef, RegionRule] = {}


class _Sweep:
    """The state of one reverse sweep."""

    def __init__(self, paths: Paths, scope: str) -> None:
        self.paths, self.graph, self.scope = paths, paths.graph, scope
        self.checking = config.check_enabled()
        # Adjoints, complete for a tensor once every node that takes it has been visited.
        self.adjoints: dict[Tensor, Tensor] = {}
        # Tensors whose adjoint may hold zeros because something was masked out, and whether what
        # was masked out may have been NaN.
        self.masks: dict[Tensor, bool] = {}

    def _place(self, node: Operation) -> None:
        """What is made next belongs to the adjoint of `node`."""
        location = self.paths.line.of_adjoint(node.name, node.location)
        self.graph.place(f"{self.scope}/{node.name}/", location)

    def accumulate(self, tensor: Tensor, part: Tensor, mask: bool | None) -> None:
        """Adds to the adjoint of `tensor`: at once, so that a run need not hold all the parts."""
        known = self.adjoints.get(tensor)
        if known is not None:
            self._place(tensor.node)
            part = add(known, part)
        self.adjoints[tensor] = part
        if mask is not None:
            self.masks[tensor] = mask or self.masks.get(tensor, False)

    def propagate(self, node: Operation, wanted: Sequence[int]) -> None:
        """Passes the adjoints of a node's results on to its operands number `wanted`."""
        op = node.op
        if op.vjp is ZERO_DERIVATIVE:
            return
        passes = self.paths.passes
        given = [self.adjoints.get(out) if passes(out) else None for out in node.outputs]
        if all(adjoint is None for adjoint in given):
            return
        self._place(node)
        mask = self._mask(node)
        if op.vjp is REGIONS:
            parts = self._regions(node, wanted, given, mask)
        else:
            parts = apply_vjp(node, wanted, given, mask)
        if mask is not None and not op.linear:
            parts = [(index, _guard(node, index, part, given)) for index, part in parts]
        if op.elementwise:
            parts = [(index, sum_to(part, node.inputs[index])) for index, part in parts]
        if op.selects:
            mask = mask or not op.by_value
        for index, part in parts:
            if self.checking:
                _check_part(node, index, part)
            self.accumulate(node.inputs[index], part, mask)

    def _regions(
        self, node: Operation, wanted: Sequence[int], given: Sequence[Tensor | None], mask: Any
    ) -> list[tuple[int, Tensor]]:
        def take(index: int) -> Tensor | None:
            return self.adjoints.pop(node.inputs[index], None)

        found = REGION_RULES[node.op](node, given, wanted, mask is not None, take)
        pairs = zip(wanted, found, strict=True)
        return [(index, part) for index, part in pairs if part is not None]

    def _mask(self, node: Operation) -> bool | None:
        """Whether the adjoints of the results may hold zeros that mask (None: no), and if so
        whether a NaN may be behind them."""
        found = [self.masks[output] for output in node.outputs if output in self.masks]
        return any(found) if found else None

    def total(self, index: int) -> Tensor | None:
        """The adjoint of x number `index`; None where nothing reaches it."""
        connected = self.paths.connected(index)
        if not connected:
            return None
        like = self.paths.inputs.like[index]
        self._place(like.node)
        parts = [self.adjoints[tensor] for tensor in connected if tensor in self.adjoints]
        if not parts:
            return zeros_of(like)
        total = parts[0]
        for part in parts[1:]:
            total = add(total, part)
        return total


def apply_vjp(
    node: Operation, wanted: Sequence[int], given: Sequence[Tensor | None], mask: bool | None
) -> list[tuple[int, Tensor]]:
    """What the op's own rule makes of the adjoints of the results, with the numbers of operands."""
    if _conjugates(node):
        # What multiplies with f' gives, between two conjugations, what multiplies with its
        # conjugate: the adjoint of a holomorphic f.
        given = [None if adjoint is None else conjugated(adjoint) for adjoint in given]
        return [(i, conjugated(part)) for i, part in _by_rule(node, wanted, given, mask)]
    return _by_rule(node, wanted, given, mask)


def _conjugates(node: Operation) -> bool:
    """Whether the adjoints of complex numbers are conjugated around the rule of the node's op."""
    if node.op.linear or not node.op.holomorphic:
        return False
    return any(tensor.type.dtype in COMPLEX for tensor in (*node.outputs, *node.inputs))


def _by_rule(
    node: Operation, wanted: Sequence[int], given: Sequence[Tensor | None], mask: bool | None
) -> list[tuple[int, Tensor]]:
    rule: Any = node.op.vjp
    if mask and node.op.masked_vjp is not None:
        rule = node.op.masked_vjp
    found: Sequence[Tensor | None]
    if isinstance(rule, tuple):
        found = [rule[index](node, given[0]) for index in wanted]
    elif isinstance(rule, Numbered):
        adjoint = typing.cast(Tensor, given[0])
        found = [rule.rule(node, adjoint, index) for index in wanted]
    else:
        assert isinstance(rule, Joint)
        every = rule.rule(node, given)
        found = [every[index] for index in wanted]
    pairs = zip(wanted, found, strict=True)
    return [(index, part) for index, part in pairs if part is not None]


def _guard(node: Operation, index: int, part: Tensor, given: Sequence[Tensor | None]) -> Tensor:
    """A part of an adjoint behind a mask, with 0 for what a zero adjoint made NaN."""
    op, adjoint = node.op, given[0]
    if len(given) != 1 or adjoint is None:
        return part
    if op.elementwise:
        return guard(part, cast(adjoint, part.dtype))
    first = node.inputs[0].type.shape
    if op.spread is not None and (index == 0 or same_shape(node.inputs[index].type.shape, first)):
        return guard(part, op.spread(node, adjoint))
    return part


def _check_part(node: Operation, index: int, part: Tensor) -> None:
    operand = node.inputs[index]
    if part.dtype != operand.dtype or not compatible(part.type.shape, operand.type.shape):
        raise CompilerError(
            f"{node.op.name}: its vjp made {part.type} for operand "
            f"'{node.op.operand_name(index)}' {operand.type}\n  this is a bug in staticgraph"
        )
