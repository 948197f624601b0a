"""Ops of linear algebra that are made of factors: determinants, cofactors, the pseudoinverse."""

from __future__ import annotations

import numpy as np

from staticgraph.backends.native.expand import EXPANSIONS, Expander
from staticgraph.core import dtypes, opdef
from staticgraph.core.node import Node, Value
from staticgraph.core.types import Dim, TensorType

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
    assert x.type.shape is not None
    *batch, rows, columns = x.type.shape
    axes = (*range(len(batch)), len(batch) + 1, len(batch))
    if x.type.dtype in dtypes.COMPLEX:
        x = e.map("conj", x)
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


def _determinant(e: Expander, x: Value) -> Value:
    factors, pivots = _several(e, "lu_factor", x)
    diagonal = _signed_diagonal(e, factors, pivots)
    return e.reduce("prod", diagonal, (_last(diagonal),), keepdims=False)


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
    """``det(U) det(V) U diag(products of the other singular values) V``."""
    (x,) = e.node.inputs
    left, values, right = _several(e, "svd", x, full_matrices=False)
    sign = e.map("sign", e.map("multiply", _determinant(e, left), _determinant(e, right)))
    numbers = _numbers(e, values)
    own = e.map("equal", e.expand(numbers, 1), e.expand(numbers, 0))
    row = e.expand(values, _last(values))
    assert values.type.shape is not None
    shape = (*values.type.shape, values.type.shape[-1])
    others = e.apply("where", [own, e.constant(1, values), row], values.type.with_shape(shape))
    others = e.reduce("prod", others, (_last(others),), keepdims=False)
    scaled = e.map("multiply", left, e.expand(others, _last(others)))
    product = _product(e, scaled, right)
    sign = e.expand(e.expand(sign, _last(sign) + 1), _last(sign) + 2)
    return [e.map("multiply", product, sign)]


def _pinv(e: Expander) -> list[Value]:
    (x,) = e.node.inputs
    left, values, right = _several(e, "svd", x, full_matrices=False)
    largest = e.reduce("max", values, (_last(values),))
    limit = e.map("multiply", _tolerance(e, x, values), largest)
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


def _tolerance(e: Expander, x: Value, values: Value) -> Value:
    """The part of the largest singular value up to which one counts as 0."""
    given = e.node.attrs["rtol"]
    if given is not None:
        return e.constant(given, values)
    sizes = [e.apply("size", [x], _INT64, axis=_last(x) - number) for number in (0, 1)]
    longer = e.map("maximum", *sizes)
    dtype = values.type.dtype
    count = e.apply("cast", [longer], TensorType(dtype, ()), dtype=dtype)
    return e.map("multiply", count, e.constant(float(np.finfo(dtype).eps), values))


EXPANSIONS |= {"det": _det, "slogdet": _slogdet, "cofactors": _cofactors, "pinv": _pinv}
