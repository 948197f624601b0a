"""Loops: `while_loop`, `scan`, `fori_loop`, `map_fn`. A loop is one node that holds its body.

Both records have the same shape. Operands are the carries' initial values, for a `scan` its
sequences, then what the body captures. The body takes carries, the sequences' entries and the captures, and
returns the new carries and any number of further results, which are stacked along a new leading
axis: one entry per iteration. The node's results are the last carries and the stacks.

A `while` has stacks too, although `while_loop` never asks for one: differentiation does, for the
values that the derivative needs of each iteration (autodiff/control.py). So there is no growing
array in the IR, and the reverse of either loop is a scan over stacks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.body import BodyGraph, tracing
from staticgraph.core.function import Function
from staticgraph.core.graph import Tensor, describe
from staticgraph.core.location import capture
from staticgraph.core.opdef import REGIONS, Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import Dim, Shape, TensorType, compatible, format_shape
from staticgraph.errors import DTypeError, GraphError, ShapeError, StaticGraphError
from staticgraph.ops.checkpoint import check_every, segmented
from staticgraph.ops.convert import as_tensor, is_tensor_like, promote
from staticgraph.ops.creation import arange
from staticgraph.ops.elementwise import add
from staticgraph.ops.regions import Region, close, commit, graph_of
from staticgraph.ops.state import check_shape
from staticgraph.ops.structure import Structure, flatten

# -- records ----------------------------------------------------------------------------------


def fits(given: TensorType, declared: TensorType) -> bool:
    """Whether a value of type `given` may stand where `declared` is expected, in every run."""
    if given.dtype != declared.dtype:
        return False
    if declared.shape is None:
        return True
    if given.shape is None or len(given.shape) != len(declared.shape):
        return False
    return all(
        want is None or have == want for have, want in zip(given.shape, declared.shape, strict=True)
    )


def check_operands(what: str, types: Types, function: Function) -> None:
    """Raises Mismatch unless operands of these types may be the inputs of `function`."""
    if len(types) != len(function.inputs):
        raise Mismatch(f"its {what} takes {len(function.inputs)} inputs, there are {len(types)}")
    for type, value in zip(types, function.inputs, strict=True):
        declared = value.type
        if type.dtype != declared.dtype or not compatible(type.shape, declared.shape):
            raise Mismatch(f"its {what} takes {declared} for '{value.name}', not {type}")


def _carried(body: Function, count: int) -> Types:
    """The types of the carries; the body must return what it takes."""
    declared = tuple([value.type for value in body.inputs[:count]])
    for type, value in zip(declared, body.outputs, strict=False):
        if not fits(value.type, type):
            raise Mismatch(f"its body returns {value.type} for a carry of {type}")
    return declared


def _stacked(type: TensorType, length: Dim) -> TensorType:
    return type.with_shape(None if type.shape is None else (length, *type.shape))


def _infer_while(types: Types, attrs: Attrs) -> Types:
    body: Function = attrs["body"]
    condition: Function = attrs["cond"]
    check_operands("body", types, body)
    check_operands("cond", types, condition)
    count = attrs["carries"]
    stacks = [_stacked(value.type, None) for value in body.outputs[count:]]
    return (*_carried(body, count), *stacks)


def _infer_scan(types: Types, attrs: Attrs) -> Types:
    body: Function = attrs["body"]
    count, sequences = attrs["carries"], attrs["sequences"]
    whole = types[count : count + sequences]
    length = scan_length(whole)
    entries = [type.with_shape(None if type.shape is None else type.shape[1:]) for type in whole]
    check_operands("body", (*types[:count], *entries, *types[count + sequences :]), body)
    stacks = [_stacked(value.type, length) for value in body.outputs[count:]]
    return (*_carried(body, count), *stacks)


def scan_length(types: Sequence[TensorType]) -> Dim:
    """The number of iterations, as far as the types of the sequences tell it."""
    length: Dim = None
    for type in types:
        if type.shape is None:
            continue
        if not type.shape:
            raise Mismatch("a sequence is a scalar", "it needs a leading axis to go along")
        dim = type.shape[0]
        if isinstance(length, int) and isinstance(dim, int) and dim != length:
            raise Mismatch(
                "the sequences differ in length", f"one has {length} entries, another {dim}"
            )
        if length is None or isinstance(dim, int):
            length = dim
    return length


class _Stacks:
    """Collects one entry per iteration for each of a body's further results."""

    def __init__(self, body: Any, operands: Sequence[Any], first: int) -> None:
        function: Function = body.function
        self.types = [value.type for value in function.outputs[first:]]
        self.rows: list[list[Any]] = [[] for _ in self.types]
        self.sizes: dict[str, int] = {}
        for value, operand in zip(function.inputs, operands, strict=True):
            for dim, size in zip(value.type.shape or (), np.shape(operand), strict=False):
                if isinstance(dim, str):
                    self.sizes[dim] = size

    def push(self, results: Sequence[Any]) -> None:
        for rows, result in zip(self.rows, results, strict=True):
            rows.append(result)

    def arrays(self, backwards: bool = False) -> list[Any]:
        return [
            np.stack(rows[::-1] if backwards else rows) if rows else self._empty(type)
            for rows, type in zip(self.rows, self.types, strict=True)
        ]

    def _empty(self, type: TensorType) -> Any:
        """No iteration, so sizes that only an iteration would show count as 0."""
        dims = [self.sizes.get(d, 0) if isinstance(d, str) else d or 0 for d in type.shape or ()]
        return np.empty((0, *dims), dtype=type.dtype)


def results_of(values: Sequence[Any]) -> Any:
    """What a reference returns for a node with these results."""
    return values[0] if len(values) == 1 else tuple(values)


def _reference_while(
    *operands: Any, cond: Any, body: Any, carries: int, maximum_iterations: int | None
) -> Any:
    state = list(operands[:carries])
    captured = list(operands[carries:])
    stacks = _Stacks(body, operands, carries)
    left = maximum_iterations
    while (left is None or left > 0) and cond(state + captured)[0]:
        results = body(state + captured)
        state = results[:carries]
        if stacks.rows:
            stacks.push(results[carries:])
        if left is not None:
            left -= 1
    return results_of([*state, *stacks.arrays()])


def _reference_scan(
    *operands: Any, body: Any, carries: int, sequences: int, reverse: bool, recompute: bool
) -> Any:
    state = list(operands[:carries])
    along = operands[carries : carries + sequences]
    captured = list(operands[carries + sequences :])
    lengths = [len(sequence) for sequence in along]
    if len(set(lengths)) != 1:
        raise Mismatch("the sequences differ in length", f"their lengths in this run are {lengths}")
    entries = [np.empty(np.shape(s)[1:], s.dtype) for s in along]
    stacks = _Stacks(body, [*state, *entries, *captured], carries)
    steps = range(lengths[0])
    for step in reversed(steps) if reverse else steps:
        results = body([*state, *[sequence[step] for sequence in along], *captured])
        state = results[:carries]
        stacks.push(results[carries:])
    return results_of([*state, *stacks.arrays(backwards=reverse)])


WHILE = register(
    OpDef(
        "while",
        operands=("operands*",),
        infer=_infer_while,
        reference=_reference_while,
        attrs=("cond", "body", "carries", "maximum_iterations"),
        selects=True,
        vjp=REGIONS,
        jvp=REGIONS,
        doc="Repeats its body while its condition holds: the last carries, and what was stacked.",
    )
)

SCAN = register(
    OpDef(
        "scan",
        operands=("operands*",),
        infer=_infer_scan,
        reference=_reference_scan,
        attrs=("body", "carries", "sequences", "reverse", "recompute"),
        selects=True,
        vjp=REGIONS,
        jvp=REGIONS,
        doc="Runs its body once per entry of its sequences: the last carries, and the stacks.",
    )
)

# -- tracing ----------------------------------------------------------------------------------


def _arguments(value: Any, structure: Structure, leaves: Sequence[Any]) -> list[Any]:
    """What the user's functions are called with: the entries of a list or tuple, one by one."""
    built = structure.rebuild(leaves)
    spread = isinstance(value, list | tuple) and not hasattr(value, "_fields")
    return list(built) if spread else [built]


def _carry_types(
    what: str, structure: Structure, inits: Sequence[Tensor], invariants: Any
) -> list[TensorType]:
    """The types that the carries keep through all iterations."""
    types = [tensor.type for tensor in inits]
    if invariants is None:
        return types
    shapes = _shape_leaves(structure, invariants)
    for index, given in enumerate(shapes):
        shape = check_shape(f"{what}: shape_invariants", given)
        if not compatible(shape, types[index].shape) or not fits(
            types[index], types[index].with_shape(shape)
        ):
            raise ShapeError(
                f"{what}: the initial value of loop variable {structure.paths[index] or '[0]'} "
                "does not fit its shape invariant\n"
                f"  initial value {describe(inits[index])}\n"
                f"  shape invariant {format_shape(shape)}\n"
                "  an invariant is the initial shape with None for each axis that changes\n"
                f"  at {capture()}"
            )
        types[index] = types[index].with_shape(shape)
    return types


def _shape_leaves(structure: Structure, invariants: Any) -> list[Any]:
    """One shape per loop variable: shapes are tuples, so they end the nesting."""
    if len(structure.leaves) == 1 and _is_shape(invariants):
        return [invariants]
    found: list[Any] = []
    stack = [invariants]
    while stack:
        item = stack.pop()
        if item is None or _is_shape(item):
            found.append(item)
        elif isinstance(item, dict):
            stack.extend(reversed(list(item.values())))
        else:
            stack.extend(reversed(list(item)))
    if len(found) != len(structure.leaves):
        raise GraphError(
            f"while_loop: there are {len(structure.leaves)} loop variables and {len(found)} shape "
            f"invariants\n  give one shape (or None) per loop variable\n  at {capture()}"
        )
    return found


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        dim is None or isinstance(dim, int | str | np.integer) for dim in value
    )


def _returned(
    what: str, structure: Structure, types: Sequence[TensorType], value: Any, listed: bool
) -> list[Tensor]:
    """What a body returned as new carries, checked against the carries' types."""
    if listed and isinstance(value, tuple) and hasattr(value, "_fields"):
        value = list(value)
    if listed and not isinstance(value, list | tuple):
        value = [value]
    given = flatten(value)
    if given.shape != structure.shape:
        raise GraphError(
            f"{what}: the body returns another structure than the loop variables have\n"
            f"  loop variables: {_count(structure)}\n"
            f"  returned: {_count(given)}\n"
            "  return one value per loop variable, in the same nesting\n"
            f"  at {capture()}"
        )
    return [
        _carry(what, path, type, leaf)
        for path, type, leaf in zip(structure.paths, types, given.leaves, strict=True)
    ]


def _count(structure: Structure) -> str:
    count = len(structure.leaves)
    where = ", ".join(path or "a single value" for path in structure.paths[:6])
    more = ", ..." if count > 6 else ""
    return f"{count} value{'s' if count != 1 else ''} ({where}{more})" if count else "no values"


def _carry(what: str, path: str, type: TensorType, leaf: Any) -> Tensor:
    tensor = as_tensor(leaf) if is_tensor_like(leaf) else _weak(type, leaf)
    if fits(tensor.type, type):
        return tensor
    place = f"loop variable {path}" if path else "the loop variable"
    error: type[StaticGraphError] = ShapeError
    remedy = (
        "keep the shape, or say which axes change: shape_invariants with None for them"
        if what == "while_loop"
        else "the carry of a scan keeps its shape; return a further output for what grows"
    )
    if tensor.dtype != type.dtype:
        error, remedy = DTypeError, f"convert it in the body: sg.cast(x, '{type.dtype.name}')"
    raise error(
        f"{what}: {place} changes its type in the body\n"
        f"  it starts as {type}\n"
        f"  the body returns {describe(tensor)}\n"
        f"  {remedy}\n"
        f"  at {capture()}"
    )


def _weak(type: TensorType, leaf: Any) -> Tensor:
    """A Python number that a body returns, in the dtype of its carry."""
    return promote((np.zeros((), type.dtype), leaf))[1]


class _Loop:
    """The carries of a loop: the user's, and the number of the iteration where one is asked for."""

    def __init__(self, types: Sequence[TensorType], names: Sequence[str]) -> None:
        self.types, self.names = list(types), list(names)
        self.counted = False

    def enter(self, body: BodyGraph) -> list[Tensor]:
        """The carries as parameters of a body; the counter follows them if it is used."""
        made = [body.parameter(t, name) for t, name in zip(self.types, self.names, strict=True)]
        counters: list[Tensor] = []

        def counter() -> Tensor:
            if not counters:
                with body.absolute_scope(""):
                    counters.append(body.parameter(_COUNTER, "iteration"))
                self.counted = True
            return counters[0]

        body.counter = counter
        return made

    def counters(self, body: BodyGraph) -> list[Tensor]:
        """The counter's parameter, if any body of the loop uses it."""
        assert body.counter is not None
        return [body.counter()] if self.counted else []


_COUNTER = TensorType(dtypes.int64, ())


def _names(paths: Sequence[str], stem: str) -> list[str]:
    """Names of parameters that say which leaf they are."""
    cleaned = ["".join(c for c in path if c.isalnum() or c == "_") for path in paths]
    return [f"{stem}_{part}" if part else stem for part in cleaned]


# -- while_loop -------------------------------------------------------------------------------


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
    shape_invariants: Any = None,
    name: str | None = None,
) -> Any:
    """Repeats `body` while `cond` holds; the last loop variables, in the structure of `loop_vars`.

    cond, body          functions of the loop variables: of the entries of a list or tuple one by
                        one, of any other structure as a whole. `cond` returns a scalar bool, `body`
                        the new loop variables (a list, a tuple, or the one value of a loop with
                        one). Both may use any tensor and variable from outside, and `body` may
                        assign to variables
    loop_vars           any nesting of tensors and numbers
    maximum_iterations  ends the loop after so many iterations at the latest
    shape_invariants    per loop variable its shape with None for each axis whose size changes

    The loop is one operation: it does not grow with the number of iterations, which may be 0.
    Derivatives of every order flow through it, for any number of iterations. Raises ShapeError and
    DTypeError for loop variables that change type, GraphError for what is returned in another
    structure.

    >>> import staticgraph as sg
    >>> i, total = sg.while_loop(lambda i, s: i < 5, lambda i, s: (i + 1, s + i), [0, 0])
    >>> sg.Session().run([i, total])
    [np.int64(5), np.int64(10)]
    """
    structure = flatten(loop_vars)
    graph = graph_of(structure.leaves)
    listed = isinstance(loop_vars, list | tuple) and not hasattr(loop_vars, "_fields")
    if not structure.leaves:
        raise GraphError(f"while_loop: there are no loop variables\n  give some\n  at {capture()}")
    if maximum_iterations is not None and (
        not isinstance(maximum_iterations, int) or maximum_iterations < 0
    ):
        raise GraphError(
            f"while_loop: maximum_iterations={maximum_iterations!r} is no number of iterations\n"
            f"  give an int that is not negative, or None\n  at {capture()}"
        )
    with graph.as_default():
        inits = [as_tensor(leaf) for leaf in structure.leaves]
    types = _carry_types("while_loop", structure, inits, shape_invariants)
    loop = _Loop(types, _names(structure.paths, "carry"))
    with tracing(graph, "the cond of while_loop") as test:
        given = loop.enter(test)
        holds = _predicate("while_loop", cond(*_arguments(loop_vars, structure, given)))
    with tracing(graph, "the body of while_loop") as step:
        taken = loop.enter(step)
        answer = body(*_arguments(loop_vars, structure, taken))
        outputs = _returned("while_loop", structure, types, answer, listed)
        outputs += [add(counter, 1) for counter in loop.counters(step)]
    with test.resumed():
        given += loop.counters(test)
    regions = (
        Region(test, given, [holds], keeps_state=False),
        Region(step, taken + loop.counters(step), outputs),
    )
    closed = close(graph, regions, "while_loop")
    with graph.as_default():
        inits += [as_tensor(0)] if loop.counted else []
    attrs = {
        "cond": closed.functions[0],
        "body": closed.functions[1],
        "carries": len(inits) + len(closed.state),
        "maximum_iterations": maximum_iterations,
    }
    operands = (*inits, *closed.state, *closed.captures)
    made = graph.add(WHILE, operands, attrs, name or "while_loop").outputs
    own = made[: len(structure.leaves)]
    results = commit(graph, closed.updated, made[len(inits) :], own)
    return structure.rebuild(results)


def _predicate(what: str, value: Any) -> Tensor:
    tensor = as_tensor(value)
    if tensor.dtype == dtypes.bool_ and tensor.type.shape in ((), None):
        return tensor
    raise (ShapeError if tensor.dtype == dtypes.bool_ else DTypeError)(
        f"{what}: the condition is {tensor.type}, not a scalar bool\n"
        f"  {describe(tensor)}\n"
        "  compare something, and reduce it with sg.all or sg.any\n"
        f"  at {capture()}"
    )


# -- scan -------------------------------------------------------------------------------------


def scan(
    fn: Callable[[Any, Any], Any],
    init: Any,
    xs: Any = None,
    length: Any = None,
    reverse: bool = False,
    *,
    checkpoint_every: int | str | None = None,
    name: str | None = None,
) -> tuple[Any, Any]:
    """Goes along sequences with a carry: the last carry, and the outputs of all steps stacked.

    fn          takes the carry and the entries of `xs` at one step, returns the new carry and an
                output (any structure, or None)
    init        the first carry: any nesting of tensors and numbers, or None
    xs          tensors of equal leading size, in any nesting; or None, then `length` says how often
    length      an int or a scalar int tensor; may be left out where there are `xs`
    reverse     goes from the last entry to the first; outputs keep the place of their entries
    checkpoint_every    a derivative keeps the carry of every so many steps alone and computes the
                steps between once more: n / k + k carries for n steps instead of n, with equal
                results. "sqrt" takes the square root of n, which keeps least

    `fn` may use any tensor and variable from outside, and may assign to variables. Derivatives of
    every order flow through. Raises ShapeError and DTypeError for a carry that changes its type.

    >>> import staticgraph as sg
    >>> xs = sg.constant([1.0, 2.0, 3.0])
    >>> total, sums = sg.scan(lambda carry, x: (carry + x, carry + x), 0.0, xs)
    >>> sg.Session().run([total, sums])
    [np.float32(6.0), array([1., 3., 6.], dtype=float32)]
    """
    check_every(checkpoint_every)
    carry, along = flatten(init), flatten(xs)
    graph = graph_of([*carry.leaves, *along.leaves, length])
    with graph.as_default():
        inits = [as_tensor(leaf) for leaf in carry.leaves]
        sequences = [as_tensor(leaf) for leaf in along.leaves]
        if not sequences:
            sequences = [_steps(length)]
    _check_sequences(sequences, along, length)
    loop = _Loop([tensor.type for tensor in inits], _names(carry.paths, "carry"))
    with tracing(graph, "the body of scan") as step:
        taken = loop.enter(step)
        entries = [
            step.parameter(tensor.type.with_shape(_tail(tensor.type.shape)), entry, "entry")
            for tensor, entry in zip(sequences, _names(along.paths or ("",), "x"), strict=True)
        ]
        answer = fn(carry.rebuild(taken), along.rebuild(entries) if along.leaves else None)
        new, output = _pair(answer)
        outputs = _returned("scan", carry, loop.types, new, False)
        outputs += [add(counter, 1) for counter in loop.counters(step)]
        stacked = flatten(output)
        rows = [as_tensor(leaf) for leaf in stacked.leaves]
        counters = loop.counters(step)
    region = Region(step, taken + counters, outputs, entries=entries, rows=rows)
    closed = close(graph, [region], "scan")
    with graph.as_default():
        inits += [as_tensor(0)] if loop.counted else []
    attrs = {
        "body": closed.functions[0],
        "carries": len(inits) + len(closed.state),
        "sequences": len(sequences),
        "reverse": bool(reverse),
        "recompute": False,
    }
    operands = (*inits, *closed.state, *sequences, *closed.captures)
    if checkpoint_every is None:
        made: Sequence[Tensor] = graph.add(SCAN, operands, attrs, name or "scan").outputs
    else:
        made = segmented(SCAN, graph, operands, attrs, checkpoint_every, name or "scan")
    first = len(inits) + len(closed.state)
    own = [*made[: len(carry.leaves)], *made[first:]]
    results = commit(graph, closed.updated, made[len(inits) : first], own)
    return carry.rebuild(results), stacked.rebuild(results[len(carry.leaves) :])


def _steps(length: Any) -> Tensor:
    if length is None:
        raise GraphError(
            "scan: there is neither xs nor a length\n"
            f"  give sequences to go along, or length=n\n  at {capture()}"
        )
    return arange(length)


def _check_sequences(sequences: Sequence[Tensor], along: Structure, length: Any) -> None:
    try:
        known = scan_length([tensor.type for tensor in sequences])
    except Mismatch as mismatch:
        shown = "\n".join(
            f"  xs{p} {describe(t)}" for p, t in zip(along.paths, sequences, strict=True)
        )
        details = "\n".join(f"  {detail}" for detail in mismatch.details)
        raise ShapeError(
            f"scan: {mismatch.problem}\n{shown}\n{details}\n  at {capture()}"
        ) from None
    if along.leaves and isinstance(length, int) and isinstance(known, int) and known != length:
        raise ShapeError(
            f"scan: length={length}, but the sequences have {known} entries\n"
            f"  leave the length out, or slice the sequences\n  at {capture()}"
        )


def _tail(shape: Shape) -> Shape:
    return None if shape is None else shape[1:]


def _pair(answer: Any) -> tuple[Any, Any]:
    if isinstance(answer, tuple | list) and len(answer) == 2:
        return answer[0], answer[1]
    raise GraphError(
        "scan: the function must return a pair, (carry, output)\n"
        f"  it returned {type(answer).__name__}\n"
        "  return (carry, None) where there is nothing to stack\n"
        f"  at {capture()}"
    )


def fori_loop(
    lower: Any, upper: Any, body: Callable[[Any, Any], Any], init: Any, *, name: str | None = None
) -> Any:
    """Runs ``value = body(i, value)`` for i from `lower` up to, not including, `upper`.

    lower, upper    ints, or scalar int tensors; no iteration where upper is not above lower
    init            the first value: any nesting of tensors and numbers

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fori_loop(0, 5, lambda i, x: x * 2.0, 1.0))
    np.float32(32.0)
    """
    steps = arange(lower, upper)
    carry, _ = scan(lambda value, i: (body(i, value), None), init, steps, name=name or "fori_loop")
    return carry


def map_fn(fn: Callable[[Any], Any], xs: Any, *, name: str | None = None) -> Any:
    """`fn` of each entry along the leading axis of `xs`, stacked.

    xs      tensors of equal leading size, in any nesting; `fn` takes their entries in it

    >>> import staticgraph as sg
    >>> rows = sg.constant([[1.0, 2.0], [3.0, 4.0]])
    >>> sg.Session().run(sg.map_fn(lambda row: sg.sum(row * row), rows))
    array([ 5., 25.], dtype=float32)
    """
    _, ys = scan(lambda carry, x: (None, fn(x)), None, xs, name=name or "map_fn")
    return ys
