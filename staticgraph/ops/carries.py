"""Carries: what a loop hands from one iteration to the next, and the types that it keeps.

A carry keeps one type through all iterations. It starts as the type of the initial value, and is
loosened where that says more than the body keeps: a Python number takes the dtype that the body
returns, as it would beside a tensor; an axis of unknown size takes any size if the body cannot be
seen to keep it. A size that is known, and the dtype of a tensor, are never given up: a body that
changes those is refused. After a loosening the body is traced anew, so it never holds what was only
believed.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.body import BodyGraph
from staticgraph.core.graph import Graph, Tensor, describe
from staticgraph.core.location import capture
from staticgraph.core.types import Shape, TensorType, compatible, format_shape
from staticgraph.errors import DTypeError, GraphError, ShapeError, StaticGraphError
from staticgraph.ops.convert import as_tensor, is_tensor_like, promote
from staticgraph.ops.loops import fits
from staticgraph.ops.regions import weak_as, weak_kind
from staticgraph.ops.state import check_shape
from staticgraph.ops.structure import Structure, flatten, show

_COUNTER = TensorType(dtypes.int64, ())


class Carries:
    """The carries of a loop: the user's, and the number of the iteration where one is asked for.

    structure   of the initial values
    inits       the initial values as tensors of `graph`
    names       what they are called in the bodies: as the parameters `called` of the user's
                function, as far as there are any
    types       what the carries are in the bodies
    loosened    whether `leave` gave up something: the bodies have to be traced again
    """

    def __init__(
        self,
        what: str,
        value: Any,
        graph: Graph,
        invariants: Any = None,
        called: str | Sequence[str] = (),
    ) -> None:
        self.what = what
        self.graph = graph
        self.structure = flatten(value)
        if self.structure.effects:
            raise GraphError(
                f"{what}: there is an Operation among the loop variables\n"
                "  loop variables are tensors and numbers; None stands for nothing\n"
                f"  at {capture()}"
            )
        with graph.as_default():
            self.inits = [as_tensor(leaf) for leaf in self.structure.leaves]
        self.types = [tensor.type for tensor in self.inits]
        self.names = names_of(self.structure.paths, "carry", called)
        self.counted = False
        self.counter_name = "iteration"
        self.loosened = False
        # A dtype settles after one change, or two where it follows another carry's.
        self._kinds = [weak_kind(leaf) for leaf in self.structure.leaves]
        self._changes = [0 if kind is None else 2 for kind in self._kinds]
        self._fixed = [False] * len(self.inits)
        if invariants is not None:
            self._apply(invariants)

    # -- shape invariants

    def _apply(self, invariants: Any) -> None:
        for index, given in enumerate(self._shapes(invariants)):
            if given is _AS_IT_IS:
                continue
            shape = check_shape(f"{self.what}: shape_invariants", given)
            wanted = self.types[index].with_shape(shape)
            if not fits(self.types[index], wanted):
                raise ShapeError(
                    f"{self.what}: the initial value of {self._place(index)} does not fit its "
                    "shape invariant\n"
                    f"  initial value {describe(self.inits[index])}\n"
                    f"  shape invariant {format_shape(shape)}\n"
                    "  an invariant is the initial shape with None for each axis that changes\n"
                    f"  at {capture()}"
                )
            self.types[index] = wanted
            self._fixed[index] = True

    def _shapes(self, invariants: Any) -> list[Any]:
        """One shape per loop variable: shapes are tuples of sizes, so they end the nesting."""
        found: list[Any] = []
        self._collect(invariants, self.structure.shape, found)
        if len(found) != len(self.inits):
            raise GraphError(
                f"{self.what}: the loop variables are {len(self.inits)}, the shape invariants "
                f"{len(found)}\n"
                "  give one shape per loop variable in the same nesting, or None to keep a shape\n"
                f"  at {capture()}"
            )
        return found

    def _collect(self, item: Any, shape: Any, found: list[Any]) -> None:
        # Recursion follows the nesting the user wrote, never the depth of the graph.
        if item is None:
            found.extend([_AS_IT_IS] * _leaves(shape))
        elif not isinstance(shape, tuple):
            found.append(item)
        else:
            if isinstance(item, dict):
                keys = [key for key in shape[2] if key in item] if shape[0] == "dict" else item
                item = [item[key] for key in keys]
            parts = list(item) if isinstance(item, list | tuple) else [item]
            inner = [*shape[1], *["leaf"] * len(parts)]
            for part, nested in zip(parts, inner, strict=False):
                self._collect(part, nested, found)

    # -- in and out of bodies

    def settle(self) -> None:
        """Between two traces: the initial values follow the types of the carries."""
        self.loosened = False
        for index, (type, leaf) in enumerate(zip(self.types, self.structure.leaves, strict=True)):
            if self.inits[index].dtype != type.dtype:
                with self.graph.as_default():
                    self.inits[index] = weak_as(leaf, type.dtype)

    def enter(self, body: BodyGraph) -> list[Tensor]:
        """The carries as parameters of a body; a counter follows them once it is asked for."""
        made = [body.parameter(t, name) for t, name in zip(self.types, self.names, strict=True)]
        for parameter, init, kind in zip(made, self.inits, self._kinds, strict=True):
            if kind is not None and dtypes.promote_weak(init.dtype, kind) == init.dtype:
                body.weak[parameter] = kind
        counters: list[Tensor] = []

        def counter() -> Tensor:
            if not counters:
                with body.absolute_scope(""):
                    counters.append(body.parameter(_COUNTER, self.counter_name))
                self.counted = True
            return counters[0]

        body.counter = counter
        return made

    def counters(self, body: BodyGraph) -> list[Tensor]:
        """The counter's parameter, if any body of the loop uses it."""
        assert body.counter is not None
        return [body.counter()] if self.counted else []

    def leave(self, value: Any) -> list[Tensor]:
        """What a body returned as new carries, checked against their types, or loosening them."""
        given = flatten(value, self.structure.shape)
        if given.shape != self.structure.shape:
            raise GraphError(
                f"{self.what}: the body returns another structure than the loop variables have\n"
                f"  loop variables: {_counted(self.structure)}\n"
                f"  returned: {_counted(given)}\n"
                "  return one value per loop variable, in the same nesting\n"
                f"  at {capture()}"
            )
        return [self._left(index, leaf) for index, leaf in enumerate(given.leaves)]

    def _left(self, index: int, leaf: Any) -> Tensor:
        tensor = as_tensor(leaf) if is_tensor_like(leaf) else _number(self.types[index], leaf)
        if fits(tensor.type, self.types[index]):
            return tensor
        if not self._loosen(index, tensor.type):
            raise self._refusal(index, tensor)
        self.loosened = True
        return tensor

    def _loosen(self, index: int, have: TensorType) -> bool:
        want = self.types[index]
        shape = want.shape if self._fixed[index] else _loosened(want.shape, have.shape)
        if not fits(have, have.with_shape(shape)):
            return False
        if have.dtype != want.dtype:
            if not self._changes[index]:
                return False
            self._changes[index] -= 1
            kind = self._kinds[index]
            if dtypes.promote_weak(have.dtype, kind) != have.dtype:
                return False
        self.types[index] = TensorType(have.dtype, shape)
        return True

    # -- messages

    def _place(self, index: int) -> str:
        path = self.structure.paths[index]
        return f"loop variable {path}" if path else "the loop variable"

    def _refusal(self, index: int, tensor: Tensor) -> StaticGraphError:
        want, have = self.types[index], tensor.type
        error: type[StaticGraphError] = ShapeError
        remedy = self._remedy(want.shape, have.shape)
        if have.dtype != want.dtype:
            error = DTypeError
            remedy = (
                f"convert it in the body, sg.cast(x, '{dtypes.name(want.dtype)}'), or start from a "
                f"value of {dtypes.name(have.dtype)}"
            )
        invariant = f"  its shape invariant is {format_shape(want.shape)}\n"
        return error(
            f"{self.what}: {self._place(index)} changes its "
            f"{'dtype' if have.dtype != want.dtype else 'shape'} in the body\n"
            f"  it starts as {describe(self.inits[index])}\n"
            f"{invariant if self._fixed[index] else ''}"
            f"  the body returns {describe(tensor)}\n"
            f"  {remedy}\n"
            f"  at {capture()}"
        )

    def _remedy(self, want: Shape, have: Shape) -> str:
        invariants = "shape_invariants with None for them"
        if self.what != "while_loop":
            if compatible(want, have):
                return "say the sizes in the body: sg.reshape(x, shape)"
            return "keep the shape; what grows is a further output, or the carry of a while_loop"
        if compatible(want, have):
            return f"say the sizes in the body: sg.reshape(x, shape), or which change: {invariants}"
        if want is not None and have is not None and len(want) != len(have):
            return "keep the number of axes; sg.reshape or sg.squeeze removes what is too many"
        return f"keep the shape, or say which axes change: {invariants}"


class _AsItIs:
    """In place of a shape invariant: the carry keeps the shape of its initial value."""


_AS_IT_IS = _AsItIs()


def _leaves(shape: Any) -> int:
    if not isinstance(shape, tuple):
        return 1 if shape == "leaf" else 0
    return sum(_leaves(part) for part in shape[1])


def _loosened(want: Shape, have: Shape) -> Shape:
    """`want` with None for the axes of unknown size that `have` is not seen to keep."""
    if want is None or have is None or len(want) != len(have):
        return want
    pairs = zip(want, have, strict=True)
    return tuple([a if a == b or isinstance(a, int) else None for a, b in pairs])


def _number(type: TensorType, leaf: Any) -> Tensor:
    """A number or array that a body returns, in the dtype of its carry if it fits that."""
    tensor = promote((np.zeros((), type.dtype), leaf))[1]
    return tensor if tensor.dtype == type.dtype else as_tensor(leaf)


def _counted(structure: Structure) -> str:
    count = len(structure.leaves)
    return f"{count} value{'' if count == 1 else 's'}, {show(structure)}"


def names_of(paths: Sequence[str], stem: str, called: str | Sequence[str] = ()) -> list[str]:
    """Names of parameters that say which leaf they are.

    called  a name for what all of them are part of, or names by their first index
    """
    names: list[str] = []
    for path in paths:
        first, rest = stem, path
        if isinstance(called, str):
            first = called or stem
        elif called and path.startswith("["):
            index, _, rest = path[1:].partition("]")
            first = "".join(called[int(index) : int(index) + 1]) or f"{stem}_{index}"
        part = "".join(c for c in rest if c.isalnum() or c == "_")
        names.append(f"{first}_{part}" if part else first)
    return names


def parameters_of(function: Any) -> list[str]:
    """The names of a function's positional parameters, as far as it tells them.

    An underscore says that nobody will look at it, and is no name.
    """
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name if p.name.strip("_") else "" for p in found if p.kind in kinds]
