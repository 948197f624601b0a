"""Random orders, and entries that are chosen at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Graph, Tensor, get_default_graph
from staticgraph.core.node import Node
from staticgraph.core.opdef import Mismatch
from staticgraph.errors import DTypeError, RunError
from staticgraph.ops.axes import one_axis, refuse
from staticgraph.ops.convert import as_tensor, constant_value, in_one_graph, promote
from staticgraph.ops.elementwise import add, greater, log, negative, where
from staticgraph.ops.indexing import GATHER, gather
from staticgraph.ops.random.arguments import names_told
from staticgraph.ops.random.discrete import drawn_category, integers
from staticgraph.ops.random.parameters import checked, refuse_weightless
from staticgraph.ops.random.words import bits, unit
from staticgraph.ops.reduction import prod
from staticgraph.ops.shaping import reshape
from staticgraph.ops.sizes import Target, is_int, read_sizes, refusal, shape_of, size
from staticgraph.ops.sorting import ARGSORT, ORDER_OF_WORDS


@names_told
def permutation(x: Any, axis: int = 0, *, name: str | None = None) -> Tensor:
    """A random order: of the numbers below `x` if it is an integer, else of entries of `x`.

    x      an int, a scalar int tensor, or a tensor whose entries along `axis` change places

    The order is the one that sorts as many random numbers of 48 bits. Adjoints go back to where the
    entries came from.

    >>> import staticgraph as sg
    >>> order = sg.Session(seed=1).run(sg.random.permutation(5))
    >>> sorted(order.tolist())
    [0, 1, 2, 3, 4]
    """
    if is_int(x):
        return _order(get_default_graph(), read_sizes("permutation", int(x)), name)
    tensor = as_tensor(x)
    if tensor.type.ndim == 0:
        if tensor.dtype not in dtypes.INTEGER:
            refuse("permutation", (tensor,), Mismatch(
                f"a scalar {dtypes.name(tensor.dtype)} has no entries to permute",
                "give a number of elements as an int, or a tensor with at least one axis",
                error=DTypeError,
            ))  # fmt: skip
        return _order(tensor.graph, read_sizes("permutation", tensor), name)
    return _shuffled("permutation", tensor, axis, name)


@names_told
def shuffle(x: Any, axis: int = 0, *, name: str | None = None) -> Tensor:
    """The entries of `x` along `axis` in a random order: TensorFlow's random_shuffle.

    As `permutation` of a tensor with axes; what stands in other axes stays together. Raises
    ShapeError for a scalar.

    >>> import staticgraph as sg
    >>> values = sg.Session(seed=1).run(sg.random.shuffle([10, 20, 30]))
    >>> sorted(values.tolist())
    [10, 20, 30]
    """
    return _shuffled("shuffle", as_tensor(x), axis, name)


def _shuffled(what: str, tensor: Tensor, axis: int, name: str | None) -> Tensor:
    number = one_axis(GATHER, tensor, axis)
    order = _order(tensor.graph, read_sizes(what, size(tensor, number)), None)
    return gather(tensor, order, number, name=name or what)


# Numbers of so many bits are sorted: a place and what its bucket leaves of them are one word. Of a
# million, a pair is equal, and keeps its order, in one of 500 permutations.
_SORTED = 48


def _order(graph: Graph, target: Target, name: str | None) -> Tensor:
    """The int64 indices of a random order of a vector."""
    numbers = bits(graph, target, _SORTED)
    return graph.add(ORDER_OF_WORDS, (numbers,), {"bits": _SORTED}, name or "permutation").out


@names_told
@in_one_graph
def choice(
    a: Any,
    shape: Any = (),
    replace: bool = True,
    p: Any = None,
    axis: int = 0,
    *,
    name: str | None = None,
) -> Tensor:
    """Numbers below `a` if it is an integer, else entries of `a`, chosen at random.

    a         an int, or a tensor whose entries along `axis` are chosen
    shape     how many: an int, a sequence of ints and scalar int tensors, or an int64 vector tensor
    replace   whether one entry may be chosen several times
    p         a vector of weights, one per entry, not negative; the chance to be chosen (next, where
              chosen entries are not put back) is in proportion to it. All are equal when not given.
              There is no derivative by it
    axis      of `a`; it is replaced by `shape` in the shape of the result

    With replacement by inversion; without it, entries are ordered by random words, or for weights
    by ``log(p)`` plus a Gumbel number (P. S. Efraimidis and P. G. Spirakis, "Weighted random
    sampling with a reservoir", Information Processing Letters 97, 2006). Adjoints go to the entries
    that were chosen. Raises ShapeError where more are wanted than there are without replacement,
    RunError in a run; likewise for entries of weight 0.

    >>> import staticgraph as sg
    >>> chosen = sg.Session(seed=1).run(sg.random.choice(5, (5,), replace=False))
    >>> sorted(chosen.tolist())
    [0, 1, 2, 3, 4]
    """
    target = read_sizes("choice", shape)
    count: Any
    if is_int(a):
        entries, number, count = None, 0, int(a)
    else:
        entries = as_tensor(a)
        if entries.type.ndim == 0:
            raise refusal("choice", "a scalar has no entries", "give an int, or a tensor with axes")
        number = one_axis(GATHER, entries, axis)
        count = size(entries, number)
    label = name or "choice"
    inner = label if entries is None else None
    weights = None if p is None else _weights(p, count)
    if replace and weights is None:
        index = integers(_sizes(target), 0, count, name=inner)
    elif replace:
        assert weights is not None
        flat = drawn_category("choice", weights, _flat(target))
        index = reshape(flat, _sizes(target), name=inner)
    else:
        order = _without_replacement(target, count, weights)
        with order.graph.explaining(_explain_too_few):
            index = reshape(order, _sizes(target), name=inner)
    return index if entries is None else gather(entries, index, number, name=label)


def _explain_too_few(node: Node, operands: Sequence[Any], problem: Exception) -> Mismatch | None:
    """The entries that a run has do not fill the shape that it wants."""
    if len(operands) != 2 or np.ndim(operands[1]) != 1:
        return None
    wanted = operands[1].tolist()
    return Mismatch(
        f"{math.prod(wanted)} of {np.size(operands[0])} entries are wanted without replacement",
        "give replace=True, or a smaller shape", error=RunError,
        spoken=(node.location.spoken("choice"), "", ""),
    )  # fmt: skip


def _explain_weights(node: Node, operands: Sequence[Any], problem: Exception) -> Mismatch | None:
    """As many weights as entries: a reshape has found that there are not."""
    if len(operands) != 2 or np.shape(operands[1]) != (1,):
        return None
    return Mismatch(
        f"there are {operands[1].item()} entries and {np.size(operands[0])} weights in this run",
        "give a vector with one weight per entry",
        spoken=(node.location.spoken("choice"), "p", ""),
    )  # fmt: skip


def _sizes(target: Target) -> Any:
    return target.operands[0] if target.operands else target.shape


def _flat(target: Target) -> Target:
    """The number of elements of a shape, as the shape of a vector."""
    if not target.operands:
        assert target.shape is not None
        return Target((math.prod(target.shape),), ())  # type: ignore[arg-type]
    return read_sizes("choice", (prod(target.operands[0]),))


def _weights(p: Any, count: Any) -> Tensor:
    (given,) = promote((p,), floating=True)
    if given.type.ndim not in (1, None):
        raise refusal("choice", f"p is {given.type}", "give a vector with one weight per entry")
    have = given.type.shape[0] if given.type.shape is not None else None
    known = count if is_int(count) else constant_value(count)
    if isinstance(have, int) and known is not None and have != int(known):
        raise refusal(
            "choice", f"there are {int(known)} entries and {have} weights",
            "give a vector with one weight per entry",
        )  # fmt: skip
    if known is None or not isinstance(have, int):
        with given.graph.explaining(_explain_weights):
            given = reshape(given, (count,))
    weights = checked("choice", "p", given, "weight")
    refuse_weightless("choice", given)
    return weights


def _without_replacement(target: Target, count: Any, weights: Tensor | None) -> Tensor:
    """The first entries of a random order, as a vector."""
    flat = _flat(target)
    known = count if is_int(count) else constant_value(count)
    wanted = flat.shape[0] if flat.shape is not None else None
    if known is not None and isinstance(wanted, int) and wanted > int(known):
        raise refusal(
            "choice", f"{wanted} of {int(known)} entries are wanted without replacement",
            "give replace=True, or a smaller shape",
        )  # fmt: skip
    number: Any = wanted if isinstance(wanted, int) else reshape(flat.operands[0], ())
    if weights is None:
        graph = get_default_graph() if is_int(count) else count.graph
        return _order(graph, read_sizes("choice", count), None)[:number]
    fraction = unit(weights.graph, shape_of(weights), dtypes.float64, inner=True)
    ranks = add(log(weights), negative(log(negative(log(fraction)))))
    attrs = {"axis": 0, "descending": True}
    order = weights.graph.add(ARGSORT, (ranks,), attrs).out[:number]
    # Entries of weight 0 come last: none of them may be among the chosen.
    taken = checked("choice", "weight", gather(weights, order), "positive")
    return where(greater(taken, 0.0), order, -1)
