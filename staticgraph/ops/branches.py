"""Branches: `cond` and `switch_case`. One node holds all branches; a run evaluates one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from staticgraph.core import dtypes
from staticgraph.core.body import BodyGraph, tracing
from staticgraph.core.dtypes import DType
from staticgraph.core.function import Function
from staticgraph.core.graph import Tensor, describe
from staticgraph.core.location import capture
from staticgraph.core.opdef import REGIONS, Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import Shape, TensorType
from staticgraph.errors import DTypeError, GraphError, RunError, ShapeError
from staticgraph.ops.convert import as_tensor
from staticgraph.ops.loops import check_operands, results_of
from staticgraph.ops.regions import (
    NUMBERS,
    Region,
    check_function,
    close,
    graph_of,
    place,
    weak_as,
    weak_kind,
)
from staticgraph.ops.structure import Structure, flatten, show

_DEFAULTS = {bool: dtypes.bool_, int: dtypes.int64, float: dtypes.float32}


def join(types: Sequence[TensorType]) -> TensorType:
    """What is known of a result that is one of several: what all agree on."""
    shape: Shape = types[0].shape
    for type in types[1:]:
        if type.dtype != types[0].dtype:
            raise Mismatch("its branches return different dtypes", error=DTypeError)
        if shape is None or type.shape is None or len(shape) != len(type.shape):
            shape = None
        else:
            pairs = zip(shape, type.shape, strict=True)
            shape = tuple([a if a == b else None for a, b in pairs])
    return TensorType(types[0].dtype, shape)


def _infer_branches(types: Types, attrs: Attrs) -> Types:
    branches: tuple[Function, ...] = attrs["branches"]
    if types[0].shape not in ((), None):
        raise Mismatch(f"what it chooses by is {types[0]}", "it must be a scalar")
    counts = {len(branch.outputs) for branch in branches}
    if len(counts) != 1:
        raise Mismatch("its branches return different numbers of results")
    for branch in branches:
        check_operands("branch", types[1:], branch)
    return tuple(
        [join([branch.outputs[index].type for branch in branches]) for index in range(counts.pop())]
    )


def _reference_cond(predicate: Any, *captured: Any, branches: Any) -> Any:
    return results_of(branches[0 if predicate else 1](list(captured)))


def _reference_switch(index: Any, *captured: Any, branches: Any) -> Any:
    if not 0 <= index < len(branches):
        raise Mismatch(
            f"there is no branch {int(index)}",
            f"there are {len(branches)}, numbered from 0; clip the index where others may come",
            error=RunError,
        )
    return results_of(branches[int(index)](list(captured)))


def _branching(name: str, first: str, kinds: frozenset[DType], reference: Any, doc: str) -> OpDef:
    return register(
        OpDef(
            name,
            operands=(first, "captures*"),
            infer=_infer_branches,
            reference=reference,
            attrs=("branches",),
            dtypes=(kinds, dtypes.ANY),
            selects=True,
            vjp=REGIONS,
            jvp=REGIONS,
            doc=doc,
        )
    )


COND = _branching(
    "cond",
    "predicate",
    dtypes.BOOL,
    _reference_cond,
    "The results of its first branch where the predicate holds, else of its second.",
)
SWITCH_CASE = _branching(
    "switch_case",
    "index",
    dtypes.INTEGER,
    _reference_switch,
    "The results of the branch with the number that the index gives, counted from 0.",
)


def cond(
    pred: Any,
    true_fn: Callable[[], Any],
    false_fn: Callable[[], Any],
    *,
    name: str | None = None,
) -> Any:
    """What `true_fn` returns where `pred` holds, else what `false_fn` returns.

    pred                a scalar bool
    true_fn, false_fn   functions without arguments that return the same structure of tensors and
                        numbers, with the same dtypes. They may use any tensor and variable, and may
                        assign to variables

    Only the branch that is taken runs, and derivatives flow through that one alone. Raises
    DTypeError and GraphError for branches that do not match, or a `pred` that is no scalar bool.

    >>> import staticgraph as sg
    >>> x = sg.placeholder("float32", (), name="x")
    >>> y = sg.cond(x > 0, lambda: sg.sqrt(x), lambda: -x)
    >>> session = sg.Session()
    >>> session.run(y, {x: 9.0}), session.run(y, {x: -2.0})
    (np.float32(3.0), np.float32(2.0))
    """
    predicate = as_tensor(pred)
    if predicate.dtype != dtypes.bool_ or predicate.type.shape not in ((), None):
        error = DTypeError if predicate.dtype != dtypes.bool_ else ShapeError
        raise error(
            f"cond: the predicate is {predicate.type}, not a scalar bool\n"
            f"  {describe(predicate)}\n"
            "  compare something, and reduce it with sg.all or sg.any; sg.where chooses by "
            "element\n"
            f"  at {capture()}"
        )
    return _branches("cond", COND, predicate, [true_fn, false_fn], ("true_fn", "false_fn"), name)


def switch_case(
    index: Any, branch_fns: Sequence[Callable[[], Any]], *, name: str | None = None
) -> Any:
    """What function number `index` of `branch_fns` returns.

    index       a scalar integer; a run in which there is no such function fails with a RunError
    branch_fns  functions without arguments, as in `cond`

    >>> import staticgraph as sg
    >>> k = sg.placeholder("int64", (), name="k")
    >>> y = sg.switch_case(k, [lambda: 1.0, lambda: 10.0, lambda: 100.0])
    >>> sg.Session().run(y, {k: 2})
    np.float32(100.0)
    """
    chosen = as_tensor(index)
    if chosen.dtype not in dtypes.INTEGER or chosen.type.shape not in ((), None):
        whole = chosen.dtype in dtypes.INTEGER
        remedy = "take one entry: index[0]" if whole else "convert it: sg.cast(index, 'int64')"
        raise (ShapeError if whole else DTypeError)(
            f"switch_case: the index is {chosen.type}, not a scalar integer\n"
            f"  {describe(chosen)}\n"
            f"  {remedy}\n"
            f"  at {capture()}"
        )
    functions = list(branch_fns) if isinstance(branch_fns, list | tuple) else None
    if functions is None:
        raise GraphError(
            f"switch_case: the branches are a {type(branch_fns).__name__}\n"
            f"  give a list of functions without arguments\n  at {capture()}"
        )
    if not functions:
        raise GraphError(f"switch_case: there are no branches\n  give some\n  at {capture()}")
    names = tuple([f"branch {number}" for number in range(len(functions))])
    return _branches("switch_case", SWITCH_CASE, chosen, functions, names, name)


def _branches(
    what: str,
    op: OpDef,
    chosen: Tensor,
    functions: Sequence[Callable[[], Any]],
    names: Sequence[str],
    name: str | None,
) -> Any:
    for function, called in zip(functions, names, strict=True):
        check_function(what, called, function, 0, "nothing: lambda: x")
    graph = graph_of([chosen])
    bodies: list[BodyGraph] = []
    returned: list[Structure] = []
    leaves: list[list[Any]] = []
    for function, called in zip(functions, names, strict=True):
        with tracing(graph, f"the branch of {what}") as body:
            value = flatten(function(), returned[0].shape if returned else None)
            leaves.append([x if type(x) in NUMBERS else as_tensor(x) for x in value.leaves])
        bodies.append(body)
        returned.append(value)
        _check_structure(what, returned[0], value, (names[0], called))
    structure = returned[0]
    _number_leaves(what, bodies, leaves, structure.paths, names)
    regions = [Region(body, [], outputs) for body, outputs in zip(bodies, leaves, strict=True)]
    closed = close(graph, regions, what, [chosen])
    attrs = {"branches": tuple(closed.functions)}
    operands = (chosen, *closed.state, *closed.captures)
    count = len(structure.leaves)
    placed = place(
        graph, op, operands, attrs, name or what, closed, count, lambda results: results[:count]
    )
    if structure.shape is None:
        # Nothing comes back, so the branches are there for their effect.
        return placed.effect()
    return structure.rebuild([*placed.results, *([placed.effect()] if structure.effects else [])])


def _check_structure(what: str, first: Structure, value: Structure, names: tuple[str, str]) -> None:
    if value.shape == first.shape:
        return
    raise GraphError(
        f"{what}: {names[0]} and {names[1]} return different structures\n"
        f"  {names[0]} returns {show(first)}\n"
        f"  {names[1]} returns {show(value)}\n"
        "  return the same nesting from all branches\n"
        f"  at {capture()}"
    )


def _number_leaves(
    what: str,
    bodies: Sequence[BodyGraph],
    leaves: Sequence[list[Any]],
    paths: Sequence[str],
    names: Sequence[str],
) -> None:
    """Makes tensors of the Python numbers among the results, in the dtype of the others."""
    for index, path in enumerate(paths):
        column = [row[index] for row in leaves]
        wanted = _wanted(column)
        made: list[Tensor] = []
        for body, row in zip(bodies, leaves, strict=True):
            item, kind = row[index], weak_kind(row[index])
            if kind is not None:
                with body.resumed():
                    fits = dtypes.promote_weak(wanted, kind) == wanted
                    item = weak_as(item, wanted) if fits else as_tensor(item)
                row[index] = item
            made.append(item)
        for number, tensor in enumerate(made):
            if tensor.dtype != made[0].dtype:
                raise _different(what, path, (made[0], tensor), (names[0], names[number]))


def _wanted(column: Sequence[Any]) -> DType:
    """The dtype of one result: that of the first tensor, or of the widest number."""
    for item in column:
        if weak_kind(item) is None:
            return item.dtype  # type: ignore[no-any-return]
    widest = max(column, key=lambda item: NUMBERS.index(weak_kind(item)))
    return widest.dtype if isinstance(widest, Tensor) else _DEFAULTS[type(widest)]


def _different(
    what: str, path: str, tensors: tuple[Tensor, Tensor], names: tuple[str, str]
) -> DTypeError:
    place = f"result {path}" if path else "the result"
    return DTypeError(
        f"{what}: {names[0]} and {names[1]} return different dtypes for {place}\n"
        f"  {names[0]}: {describe(tensors[0])}\n"
        f"  {names[1]}: {describe(tensors[1])}\n"
        "  convert one of them with sg.cast\n"
        f"  at {capture()}"
    )
