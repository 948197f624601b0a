"""Building loops: `while_loop`, `scan`, `fori_loop`, `map_fn`. The records are in ops/loops.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.body import tracing
from staticgraph.core.graph import Graph, Tensor, describe
from staticgraph.core.location import capture
from staticgraph.core.opdef import Attrs, Mismatch, OpDef
from staticgraph.core.types import Shape
from staticgraph.errors import DTypeError, GraphError, ShapeError
from staticgraph.ops.carries import Carries, names_of, parameters_of
from staticgraph.ops.checkpoint import check_every, segmented
from staticgraph.ops.convert import (
    as_tensor,
    cast,
    constant,
    is_tensor_like,
    promote,
    scalar_value,
)
from staticgraph.ops.elementwise import add, maximum, subtract
from staticgraph.ops.loops import SCAN, WHILE, scan_length
from staticgraph.ops.regions import (
    Build,
    Closed,
    Region,
    check_function,
    close,
    graph_of,
    place,
    single,
)
from staticgraph.ops.shaping import broadcast_to
from staticgraph.ops.structure import Structure, flatten

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
    loop_vars           any nesting of tensors and numbers; a Python number takes the dtype that the
                        body gives it
    maximum_iterations  ends the loop after so many iterations at the latest
    shape_invariants    per loop variable its shape with None for each axis whose size changes; None
                        for a loop variable that keeps its shape

    The loop is one operation: it does not grow with the number of iterations, which may be 0.
    Derivatives of every order flow through it, for any number of iterations. `cond` and `body` are
    called once, or again where a loop variable turns out to be of a wider type. Raises ShapeError
    and DTypeError for loop variables that change type, GraphError for what is returned in another
    structure.

    >>> import staticgraph as sg
    >>> i, total = sg.while_loop(lambda i, s: i < 5, lambda i, s: (i + 1, s + i), [0, 0])
    >>> sg.Session().run([i, total])
    [np.int64(5), np.int64(10)]
    """
    structure = flatten(loop_vars)
    limit = _limit(maximum_iterations)
    graph = graph_of(structure.leaves)
    called = parameters_of(body)
    whole = called if _is_listed(loop_vars) or not called else called[0]
    carries = Carries("while_loop", loop_vars, graph, shape_invariants, whole)
    if not structure.leaves:
        raise GraphError(f"while_loop: there are no loop variables\n  give some\n  at {capture()}")
    arguments = _arguments(loop_vars, structure, structure.leaves)
    check_function("while_loop", "cond", cond, len(arguments), "the loop variables")
    check_function("while_loop", "body", body, len(arguments), "the loop variables")

    def trace() -> tuple[Region, ...]:
        with tracing(graph, "the cond of while_loop") as test:
            given = carries.enter(test)
            holds = _predicate(cond(*_arguments(loop_vars, structure, given)))
        with tracing(graph, "the body of while_loop") as step:
            taken = carries.enter(step)
            answer = body(*_arguments(loop_vars, structure, taken))
            outputs = carries.leave(_answered(loop_vars, structure, answer))
            outputs += [add(counter, 1) for counter in carries.counters(step)]
        with test.resumed():
            given += carries.counters(test)
        return (
            Region(test, given, [holds], keeps_state=False),
            Region(step, taken + carries.counters(step), outputs),
        )

    regions = _settled(graph, carries, trace)
    inits = _counted_inits(carries)
    closed = close(graph, regions, "while_loop", inits)
    attrs = {
        "cond": closed.functions[0],
        "body": closed.functions[1],
        "carries": len(inits) + len(closed.state),
        "maximum_iterations": limit,
    }
    operands = (*inits, *closed.state, *closed.captures)
    return _placed(graph, WHILE, operands, attrs, name or "while_loop", closed, carries)[0]


def _arguments(value: Any, structure: Structure, leaves: Sequence[Any]) -> list[Any]:
    """What the user's functions are called with: the entries of a list or tuple, one by one."""
    built = structure.rebuild(leaves)
    return list(built) if _is_listed(value) else [built]


def _is_listed(value: Any) -> bool:
    return isinstance(value, list | tuple) and not hasattr(value, "_fields")


def _answered(value: Any, structure: Structure, answer: Any) -> Any:
    """What the body returned, as a structure like the loop variables where it is one of them."""
    if flatten(answer, structure.shape).shape == structure.shape:
        return answer
    if _is_listed(value) and len(value) == 1 and not _is_listed(answer):
        return [answer]
    if not _is_listed(value) and _is_listed(answer) and len(answer) == 1:
        return answer[0]
    return answer


def _limit(maximum: Any) -> int | None:
    if maximum is None:
        return None
    if isinstance(maximum, bool) or not isinstance(maximum, int | np.integer) or maximum < 0:
        raise GraphError(
            f"while_loop: maximum_iterations={maximum!r} is no number of iterations\n"
            f"  give an int that is not negative, or None\n  at {capture()}"
        )
    return int(maximum)


def _predicate(value: Any) -> Tensor:
    if value is None:
        raise DTypeError(
            "while_loop: cond returns None, not a scalar bool\n"
            f"  compare something, and return it\n  at {capture()}"
        )
    tensor = as_tensor(value)
    if tensor.dtype == dtypes.bool_ and tensor.type.shape in ((), None):
        return tensor
    raise (ShapeError if tensor.dtype == dtypes.bool_ else DTypeError)(
        f"while_loop: cond returns {tensor.type}, not a scalar bool\n"
        f"  {describe(tensor)}\n"
        "  compare something, and reduce it with sg.all or sg.any\n"
        f"  at {capture()}"
    )


def _settled(
    graph: Graph, carries: Carries, trace: Callable[[], tuple[Region, ...]]
) -> tuple[Region, ...]:
    """The traced bodies, once the types of the carries hold."""
    streams = graph.random_streams
    regions = trace()
    while carries.loosened:
        carries.settle()
        # The numbers that a loop draws do not depend on how often it was traced.
        graph.random_streams = streams
        regions = trace()
    return regions


def _counted_inits(carries: Carries) -> list[Tensor]:
    with carries.graph.as_default():
        return [*carries.inits, *([as_tensor(0)] if carries.counted else [])]


def _placed(
    graph: Graph,
    op: OpDef,
    operands: tuple[Tensor, ...],
    attrs: Attrs,
    name: str,
    closed: Closed,
    carries: Carries,
    stacked: Structure | None = None,
    build: Build = single,
) -> tuple[Any, Any]:
    """Adds the node of a loop: its last carries and its stacks, as the user gets them."""
    count = len(carries.inits)
    rest = attrs["carries"]

    def own(results: Sequence[Tensor]) -> list[Tensor]:
        return [*results[:count], *results[rest:]]

    first = rest - len(closed.state)
    placed = place(graph, op, operands, attrs, name, closed, first, own, build)
    carry = carries.structure.rebuild(placed.results[:count])
    if stacked is None:
        return carry, None
    if not placed.results and stacked.shape is None:
        # Nothing comes back, so the loop is there for its effect.
        return carry, placed.effect()
    rows = [*placed.results[count:], *([placed.effect()] if stacked.effects else [])]
    return carry, stacked.rebuild(rows)


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
    checkpoint_every    for long scans: a derivative keeps the carry of every so many steps alone
                and computes the steps between once more. Of n steps it keeps n / k + k carries
                instead of n, with equal results; "sqrt" takes the k that keeps fewest

    `fn` may use any tensor and variable from outside, and may assign to variables. Derivatives of
    every order flow through. Where there is neither a carry nor an output, an Operation that runs
    the loop takes the place of the outputs. Raises ShapeError and DTypeError for a carry that
    changes its type.

    >>> import staticgraph as sg
    >>> xs = sg.constant([1.0, 2.0, 3.0])
    >>> total, sums = sg.scan(lambda carry, x: (carry + x, carry + x), 0.0, xs)
    >>> sg.Session().run([total, sums])
    [np.float32(6.0), array([1., 3., 6.], dtype=float32)]
    """
    check_function("scan", "fn", fn, 2, "the carry and the entries at one step")
    check_every(checkpoint_every)
    build = single if checkpoint_every is None else partial(segmented, checkpoint_every)
    return _scan("scan", fn, init, xs, length, reverse, name, build=build)


def _scan(
    what: str,
    fn: Callable[[Any, Any], Any],
    init: Any,
    xs: Any,
    length: Any,
    reverse: bool,
    name: str | None,
    called: Sequence[str] | None = None,
    build: Build = single,
    first: Any = None,
) -> tuple[Any, Any]:
    """A scan. With `first` its function is given numbers that count from there, and no entries."""
    along = flatten(xs)
    _check_length(length)
    graph = graph_of([*flatten(init).leaves, *along.leaves, length])
    names = parameters_of(fn) if called is None else called
    carries = Carries(what, init, graph, called=names[0] if names else ())
    with graph.as_default():
        sequences = [as_tensor(leaf) for leaf in along.leaves]
        known = _known_length(what, sequences, along, length)
        if not sequences or (length is not None and known is None):
            # Going along the steps as well, the run compares the lengths.
            sequences.append(_steps(length))
    stacks: list[Structure] = []
    entry_names = names_of(along.paths, "x", names[1] if len(names) > 1 else ())
    called_index = (names[1] if len(names) > 1 else "") or "i"
    if first is not None and scalar_value(first) == 0:
        carries.counter_name = called_index

    def trace() -> tuple[Region, ...]:
        with tracing(graph, f"the body of {what}") as step:
            taken = carries.enter(step)
            named = zip(sequences, [*entry_names, "step"], strict=False)
            entries = [
                step.parameter(tensor.type.with_shape(_tail(tensor.type.shape)), entry, "entry")
                for tensor, entry in named
            ]
            given = along.rebuild(entries) if along.leaves else None
            if first is not None:
                assert step.counter is not None
                given = _numbered(step.counter(), first, called_index)
            new, output = _pair(fn(carries.structure.rebuild(taken), given))
            outputs = carries.leave(new)
            outputs += [add(counter, 1) for counter in carries.counters(step)]
            stacks.append(flatten(output))
            rows = [as_tensor(leaf) for leaf in stacks[-1].leaves]
        return (Region(step, taken + carries.counters(step), outputs, entries, rows),)

    regions = _settled(graph, carries, trace)
    inits = _counted_inits(carries)
    closed = close(graph, regions, what, [*inits, *sequences])
    attrs = {
        "body": closed.functions[0],
        "carries": len(inits) + len(closed.state),
        "sequences": len(sequences),
        "reverse": bool(reverse),
        "recompute": False,
    }
    operands = (*inits, *closed.state, *sequences, *closed.captures)
    named = name or what
    return _placed(graph, SCAN, operands, attrs, named, closed, carries, stacks[-1], build)


def _steps(length: Any) -> Tensor:
    """A sequence of `length` entries that has no elements, so that it takes no memory."""
    if not is_tensor_like(length):
        return constant(np.zeros((int(length), 0), dtypes.bool_), name="steps")
    return broadcast_to(constant(np.zeros(0, dtypes.bool_)), [length, 0], name="steps")


def _numbered(counter: Tensor, first: Tensor, name: str) -> Tensor:
    """The number of an iteration, counted from `first`, in the dtype of that."""
    number = cast(counter, first.dtype)
    return number if scalar_value(first) == 0 else add(number, first, name=name)


def _check_length(length: Any) -> None:
    if length is None:
        return
    if is_tensor_like(length):
        tensor = as_tensor(length)
        if tensor.dtype in dtypes.INTEGER and tensor.type.shape in ((), None):
            return
        have = describe(tensor)
    elif isinstance(length, int | np.integer) and not isinstance(length, bool) and length >= 0:
        return
    else:
        have = repr(length)
    raise GraphError(
        f"scan: the length is no number of steps\n  length {have}\n"
        f"  give an int that is not negative, or a scalar int tensor\n  at {capture()}"
    )


def _known_length(
    what: str, sequences: Sequence[Tensor], along: Structure, length: Any
) -> int | None:
    """The length as far as the sequences say it before any run; checks that they agree."""
    if not sequences and length is None:
        raise GraphError(
            "scan: there is neither xs nor a length\n"
            f"  give sequences to go along, or length=n\n  at {capture()}"
        )
    try:
        known = scan_length([tensor.type for tensor in sequences])
    except Mismatch as mismatch:
        shown = "\n".join(
            f"  xs{path} {describe(tensor)}"
            for path, tensor in zip(along.paths, sequences, strict=True)
        )
        details = "\n".join(f"  {detail}" for detail in mismatch.details)
        raise ShapeError(
            f"{what}: {mismatch.problem}\n{shown}\n{details}\n  at {capture()}"
        ) from None
    if not isinstance(known, int) or is_tensor_like(length):
        return None
    if length is not None and known != length:
        raise ShapeError(
            f"scan: length={length}, but the sequences have {known} entries\n"
            f"  leave the length out, or slice the sequences\n  at {capture()}"
        )
    return known


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
    init            the first value: any nesting of tensors and numbers. With None the body runs for
                    its effect: what it returns is not looked at, and the loop is an Operation

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.fori_loop(0, 5, lambda i, x: x * 2.0, 1.0))
    np.float32(32.0)
    """
    check_function("fori_loop", "body", body, 2, "the index and the value")
    _check_bound("lower", lower)
    _check_bound("upper", upper)
    with graph_of([*flatten(init).leaves, lower, upper]).as_default():
        first, last = promote((lower, upper))
        count: Any = max(0, int(upper) - int(lower)) if _are_known(lower, upper) else None
        if count is None:
            ends = [cast(bound, dtypes.int64) for bound in (last, first)]
            count = maximum(subtract(*ends), 0)

    def step(value: Any, i: Any) -> tuple[Any, Any]:
        new = body(i, value)
        return (None if init is None else new), None

    called = parameters_of(body)[1::-1]
    carry, effect = _scan("fori_loop", step, init, None, count, False, name, called, first=first)
    return effect if init is None else carry


def _are_known(*bounds: Any) -> bool:
    return not any(is_tensor_like(bound) for bound in bounds)


def _check_bound(which: str, bound: Any) -> None:
    if isinstance(bound, int | np.integer) and not isinstance(bound, bool):
        return
    have = repr(bound)
    if is_tensor_like(bound):
        tensor = as_tensor(bound)
        # Refuses what was made in a body that has ended, before anything is made of it.
        graph_of([tensor]).adopt(SCAN, tensor, capture())
        if tensor.dtype in dtypes.INTEGER and tensor.type.shape in ((), None):
            return
        have = describe(tensor)
    raise DTypeError(
        f"fori_loop: {which} is no scalar integer\n  {which} {have}\n"
        f"  give an int, or a scalar int tensor\n  at {capture()}"
    )


def map_fn(fn: Callable[[Any], Any], xs: Any, *, name: str | None = None) -> Any:
    """`fn` of each entry along the leading axis of `xs`, stacked.

    xs      tensors of equal leading size, in any nesting; `fn` takes their entries in it

    A `fn` that returns None runs for its effect, and the result is an Operation.

    >>> import staticgraph as sg
    >>> rows = sg.constant([[1.0, 2.0], [3.0, 4.0]])
    >>> sg.Session().run(sg.map_fn(lambda row: sg.sum(row * row), rows))
    array([ 5., 25.], dtype=float32)
    """
    check_function("map_fn", "fn", fn, 1, "the entries at one step")
    if not flatten(xs).leaves:
        raise GraphError(f"map_fn: there are no xs\n  give tensors to go along\n  at {capture()}")
    called = ["carry", *parameters_of(fn)[:1]]
    return _scan("map_fn", lambda carry, x: (None, fn(x)), None, xs, None, False, name, called)[1]
