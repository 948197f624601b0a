"""Ops of linear algebra that are made of factors: determinants, cofactors, the pseudoinverse."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from staticgraph.backends.native.expand import EXPANSIONS, Expander
from staticgraph.core import dtypes, opdef
from staticgraph.core.node import Node, Value
from staticgraph.core.types import Dim, TensorType, broadcast_many
from staticgraph.ops.linalg.cofactors import orders

_INT64 = TensorType(dtypes.int64, ())


def _several(e: Expander, name: str, x: Value, **attrs: object) -> tuple[Value, ...]:
    """The results of an op with several."""
    op = opdef.get(name)
    types = opdef.infer_types(op, (x.type,), attrs)
    made = Node(op, (x,), attrs, types, e.node.name, e.node.location)
    e.nodes.append(made)
    return made.outputs


def _last(x: Value) -> int:
    assert x.type.shape is not None
    return len(x.type.shape) - 1


def _numbers(e: Expander, x: Value) -> Value:
    """The numbers of the elements along the last axis."""
    assert x.type.shape is not None
    count = e.apply("size", [x], _INT64, axis=_last(x))
    dim: Dim = x.type.shape[-1]
    return e.apply("arange", [count], TensorType(dtypes.int64, (dim,)), size=None)


def _turned(e: Expander, x: Value) -> Value:
    return _transposed(e, e.map("conj", x) if x.type.dtype in dtypes.COMPLEX else x)


def _transposed(e: Expander, x: Value) -> Value:
    *batch, rows, columns = _shape(x)
    axes = (*range(len(batch)), len(batch) + 1, len(batch))
    return e.apply("permute_dims", [x], x.type.with_shape((*batch, columns, rows)), axes=axes)


def _product(e: Expander, lhs: Value, rhs: Value) -> Value:
    assert lhs.type.shape is not None and rhs.type.shape is not None
    type = lhs.type.with_shape((*lhs.type.shape[:-1], rhs.type.shape[-1]))
    if type.dtype not in dtypes.COMPLEX:
        return e.apply("matmul", [lhs, rhs], type)
    part = dtypes.part_of(type.dtype)
    (a, b), (c, d) = [
        [e.apply(name, [x], x.type.with_dtype(part)) for name in ("real", "imag")]
        for x in (lhs, rhs)
    ]
    ac, bd, ad, bc = [
        e.apply("matmul", [x, y], type.with_dtype(part))
        for x, y in ((a, c), (b, d), (a, d), (b, c))
    ]
    return e.apply("complex", [e.map("subtract", ac, bd), e.map("add", ad, bc)], type)


def _signed_diagonal(e: Expander, factors: Value, pivots: Value) -> Value:
    """The diagonal of U, with the sign of every exchange of rows."""
    assert factors.type.shape is not None
    vector = factors.type.with_shape(factors.type.shape[:-1])
    diagonal = e.apply("diagonal", [factors], vector, offset=0)
    numbers = _numbers(e, pivots)
    short = e.apply("cast", [numbers], numbers.type.with_dtype(dtypes.int32), dtype=dtypes.int32)
    kept = e.map("equal", pivots, short)
    return e.apply("where", [kept, diagonal, e.map("negative", diagonal)], vector)


def _det(e: Expander) -> list[Value]:
    diagonal = _signed_diagonal(e, *e.node.inputs[1:])
    return [e.reduce("prod", diagonal, (_last(diagonal),), keepdims=False)]


def _slogdet(e: Expander) -> list[Value]:
    diagonal = _signed_diagonal(e, *e.node.inputs[1:])
    axes = (_last(diagonal),)
    sign = e.reduce("prod", e.map("sign", diagonal), axes, keepdims=False)
    part = diagonal.type.with_dtype(dtypes.part_of(diagonal.type.dtype))
    logarithm = e.map("log", e.apply("abs", [diagonal], part))
    return [sign, e.reduce("sum", logarithm, axes, keepdims=False)]


def _cofactors(e: Expander) -> list[Value]:
    """The form of linalg/cofactors.py: a sum over the orders of the numbers of k elements."""
    left, values, right, *changes = e.node.inputs[1:]
    count = len(changes) + 1
    forward, back = _transposed(e, left), _transposed(e, right)
    changed = [_product(e, _product(e, forward, change), right) for change in changes]
    others = _others(e, values, count)
    total: Value | None = None
    for order, sign in orders(count):
        term = _term(e, others, changed, order)
        if sign < 0:
            term = e.map("negative", term)
        total = term if total is None else e.map("add", total, term)
    assert total is not None
    return [_product(e, _product(e, left, total), back)]


def _others(e: Expander, values: Value, count: int) -> Value:
    """The products of all values but `count` of them, one axis for each of these."""
    numbers = _numbers(e, values)
    batch = _last(values)
    # Axis i of the result numbers one of them, the axis after the last all.
    along = [_placed(e, numbers, (axis,), count + 1) for axis in range(count + 1)]
    picked = _placed(e, values, (batch + count,), batch + count + 1, range(batch))
    one, zero = e.constant(1, values), e.constant(0, values)
    for axis in range(count):
        picked = _chosen(e, e.map("equal", along[axis], along[count]), one, picked)
    product = e.reduce("prod", picked, (batch + count,), keepdims=False)
    for first, second in itertools.combinations(range(count), 2):
        same = [_placed(e, numbers, (axis,), count) for axis in (first, second)]
        product = _chosen(e, e.map("equal", *same), zero, product)
    return product


def _term(e: Expander, others: Value, changes: list[Value], order: tuple[int, ...]) -> Value:
    """What one order of the numbers adds: of the last number the row, of its place the column."""
    count = len(order)
    batch = _last(others) + 1 - count
    product = others
    for number, change in enumerate(changes):
        place = order[number]
        if place == number:
            vector = change.type.with_shape(_shape(change)[:-1])
            change = e.apply("diagonal", [change], vector, offset=0)
        elif place < number:
            change = _transposed(e, change)
        axes = tuple(sorted({batch + number, batch + place}))
        spread = _placed(e, change, axes, batch + count, range(batch))
        product = e.map("multiply", product, spread)
    column = order[-1]
    rest = tuple([batch + axis for axis in range(count - 1) if axis != column])
    if rest:
        product = e.reduce("sum", product, rest, keepdims=False)
    if column != count - 1:
        return _transposed(e, product)
    numbers = _numbers(e, product)
    own = e.map("equal", e.expand(numbers, 1), e.expand(numbers, 0))
    wide = e.expand(product, _last(product) + 1)
    return _chosen(e, own, wide, e.constant(0, product))


def _shape(x: Value) -> tuple[Dim, ...]:
    assert x.type.shape is not None
    return x.type.shape


def _placed(
    e: Expander, x: Value, axes: tuple[int, ...], ndim: int, lead: Iterable[int] = ()
) -> Value:
    """`x` with axes of size 1 among its own, which are then `lead` and `axes` of `ndim`."""
    own = (*lead, *axes)
    for axis in range(ndim):
        if axis not in own:
            x = e.expand(x, axis)
    return x


def _chosen(e: Expander, condition: Value, x: Value, y: Value) -> Value:
    shape = broadcast_many(tuple([value.type.shape for value in (condition, x, y)]))
    return e.apply("where", [condition, x, y], x.type.with_shape(shape))


def _pinv(e: Expander) -> list[Value]:
    x, rtol = e.node.inputs
    left, values, right = _several(e, "svd", x, full_matrices=False)
    largest = e.reduce("max", values, (_last(values),))
    if rtol.type.shape != ():
        rtol = e.expand(rtol, _last(rtol) + 1)
    limit = e.map("multiply", rtol, largest)
    kept = e.map("less", limit, values)
    one = e.constant(1, values)
    safe = e.apply("where", [kept, values, one], values.type)
    inverse = e.map("divide", one, safe)
    inverse = e.apply("where", [kept, inverse, e.constant(0, values)], values.type)
    column = e.expand(inverse, _last(inverse) + 1)
    rows = _turned(e, left)
    if x.type.dtype in dtypes.COMPLEX:
        # Two real products are fewer operations than a complex one.
        plain = rows.type.with_dtype(values.type.dtype)
        parts = [e.apply(name, [rows], plain) for name in ("real", "imag")]
        scaled = e.apply("complex", [e.map("multiply", column, part) for part in parts], rows.type)
    else:
        scaled = e.map("multiply", column, rows)
    return [_product(e, _turned(e, right), scaled)]


EXPANSIONS |= {"det": _det, "slogdet": _slogdet, "cofactors": _cofactors, "pinv": _pinv}
