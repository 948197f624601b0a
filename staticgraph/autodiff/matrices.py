"""Whole derivatives of tensors by tensors: one sweep per element, in the mode that needs fewer.

A Jacobian is built row by row (reverse mode, one sweep per element of y) or column by column
(forward mode, one sweep per element of x). Each sweep appends its own nodes; the pipeline then
shares what the sweeps have in common.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from staticgraph.autodiff.common import Paths, zeros_of
from staticgraph.autodiff.forward import directions, push
from staticgraph.autodiff.reverse import check_connected, filled, pull, starts
from staticgraph.core.dtypes import COMPLEX, name
from staticgraph.core.graph import Tensor, describe
from staticgraph.errors import GradientError
from staticgraph.ops.convert import constant, scalar
from staticgraph.ops.creation import zeros
from staticgraph.ops.elementwise import equal, where
from staticgraph.ops.joining import concat, stack
from staticgraph.ops.sizes import shape, size


def jacobian(y: Any, x: Any) -> Tensor:
    """The derivative of every element of `y` by every element of `x`.

    y, x    floating tensors (or variables) of one graph

    Returns one tensor of shape ``y.shape + x.shape``: element ``[i..., j...]`` is the derivative
    of ``y[i...]`` by ``x[j...]``. It takes one reverse sweep per element of y or one forward sweep
    per element of x, whichever is fewer, so at least one of the two sizes must be known; the graph
    grows by as many copies of the nodes between x and y.

    Raises GradientError when neither size is known, when y does not depend on x, and for a y or x
    that has no derivative; GraphError for tensors of different graphs.

    >>> import staticgraph as sg
    >>> x = sg.constant([1.0, 2.0])
    >>> sg.Session().run(sg.jacobian(x * x, x))
    array([[2., 0.],
           [0., 4.]], dtype=float32)
    """
    paths = _single_paths("jacobian", y, x)
    check_connected(paths)
    with paths.graph.name_scope("jacobian"), paths.graph.at(paths.line):
        return _jacobian(paths)


def hessian(y: Any, x: Any) -> Tensor:
    """The second derivatives of a scalar `y` by every pair of elements of `x`.

    y       a floating scalar
    x       a floating tensor or variable of the same graph, of known size

    Returns one tensor of shape ``x.shape + x.shape``, the Jacobian of the gradient; zeros where y
    is linear in x. It takes one sweep per element of x; `hessian_vector_product` takes one in all.

    Raises GradientError when y is no scalar, when x has no known size, when y does not depend on x,
    and for a y or x that has no derivative; GraphError for tensors of different graphs.

    >>> import staticgraph as sg
    >>> x = sg.constant([1.0, 2.0])
    >>> sg.Session().run(sg.hessian(sg.sum(x * x * x), x))
    array([[ 6.,  0.],
           [ 0., 12.]], dtype=float32)
    """
    paths = _single_paths("hessian", y, x)
    seeds = starts(paths, None)
    check_connected(paths)
    if paths.inputs.like[0].size is None:
        raise _no_size(paths, [("x", paths.inputs.like[0])])
    with paths.graph.name_scope("hessian"), paths.graph.at(paths.line):
        slope = filled(paths, pull(paths, seeds))[0]
        return _jacobian(Paths("hessian", slope, x))


def hessian_vector_product(y: Any, xs: Any, vs: Any) -> list[Tensor]:
    """The product of the Hessian of `y` with a vector, without the Hessian: one tensor per x.

    y       a floating scalar
    xs      tensors or variables of the same graph
    vs      per x a tensor of its dtype and shape, an array, or a number for all its elements

    It is the derivative of the gradient along `vs` (forward over reverse: B. A. Pearlmutter, 1994),
    about as much work as two gradients. An x that stands in no second derivative gets zeros.

    Raises GradientError when y is no scalar, when y does not depend on some x, for a y or x that
    has no derivative and for a wrong number of vs; GraphError for tensors of different graphs;
    ShapeError and DTypeError for vs that do not fit.

    >>> import staticgraph as sg
    >>> x = sg.constant([1.0, 2.0])
    >>> sg.Session().run(sg.hessian_vector_product(sg.sum(x * x * x), x, [1.0, 10.0]))
    [array([  6., 120.], dtype=float32)]
    """
    what = "hessian_vector_product"
    paths = Paths(what, y, xs)
    moves = directions(paths, vs, not isinstance(xs, list | tuple), "v")
    seeds = starts(paths, None)
    check_connected(paths)
    with paths.graph.name_scope(what), paths.graph.at(paths.line):
        slopes = filled(paths, pull(paths, seeds))
        if not slopes:
            return []
        products = push(Paths(what, slopes, xs), moves)
        return [
            zeros_of(like) if product is None else product
            for like, product in zip(paths.inputs.like, products, strict=True)
        ]


def _single_paths(what: str, y: Any, x: Any) -> Paths:
    paths = Paths(what, y, x)
    for role, given, count in (("y", y, len(paths.ys)), ("x", x, len(paths.inputs.like))):
        if isinstance(given, list | tuple) and count != 1:
            raise GradientError(
                f"{what}: there are {count} {role}s\n"
                f"  give one tensor, and call {what} once for each\n"
                f"  at {paths.line}"
            )
    for role, tensor in (("y", paths.ys[0]), ("x", paths.inputs.like[0])):
        if tensor.type.dtype in COMPLEX:
            raise GradientError(
                f"{what}: {role} is {name(tensor.type.dtype)}, whose parts move by themselves\n"
                f"  {role} {describe(tensor)}\n"
                f"  take the {what} of its parts, sg.real({role}) and sg.imag({role}); an x is "
                "made of parts with sg.complex\n"
                f"  at {paths.line}"
            )
    return paths


def _no_size(paths: Paths, unknown: Sequence[tuple[str, Tensor]]) -> GradientError:
    one = len(unknown) == 1
    lines = [f"{paths.what}: the size of {' and that of '.join(n for n, _ in unknown)} is unknown"]
    lines += [f"  {role} {describe(tensor)}" for role, tensor in unknown]
    lines += [
        f"  give {'it' if one else 'one of them'} a static shape: the graph holds one sweep per "
        "element",
        f"  at {paths.line}",
    ]
    return GradientError("\n".join(lines))


def _jacobian(paths: Paths) -> Tensor:
    """The Jacobian of the one y by the one x of `paths`; zeros where there is no path."""
    y, x = paths.ys[0], paths.inputs.like[0]
    if y.size is None and x.size is None:
        raise _no_size(paths, [("y", y), ("x", x)])
    by_rows = x.size is None or (y.size is not None and y.size <= x.size)
    if by_rows:
        return _stacked(y, x, lambda seed: filled(paths, pull(paths, [seed], True))[0], first=True)

    def column(seed: Tensor) -> Tensor:
        tangent = push(paths, [seed], True)[0]
        return zeros_of(y) if tangent is None else tangent

    return _stacked(x, y, column, first=False)


def _stacked(over: Tensor, other: Tensor, sweep: Callable[[Tensor], Tensor], first: bool) -> Tensor:
    """What `sweep` makes of every unit seed of the type of `over`, stacked along the axes of
    `over`, which come first in the result, or else last."""
    sizes = tuple([dim for dim in over.type.shape or () if isinstance(dim, int)])
    if not sizes:
        return sweep(scalar(over.graph, 1.0, over.dtype))
    one, zero = scalar(over.graph, 1.0, over.dtype), scalar(over.graph, 0.0, over.dtype)
    count = math.prod(sizes)
    with over.graph.as_default():
        if count == 0:
            return _nothing(sizes, other, first)
        positions = constant(np.arange(count).reshape(sizes), name="positions")
        parts = [sweep(where(equal(positions, i), one, zero)) for i in range(count)]
    # The last axis of `over` is stacked first; each further one then goes before it.
    for depth, length in enumerate(reversed(sizes)):
        axis = 0 if first else -1 - depth
        groups = range(0, len(parts), length)
        parts = [stack(parts[start : start + length], axis) for start in groups]
    return parts[0]


def _nothing(sizes: tuple[int, ...], other: Tensor, first: bool) -> Tensor:
    """A Jacobian without elements, since `sizes` has none."""
    if other.type.shape is None:
        lead = constant(np.array(sizes, dtype=np.int64))
        return zeros(concat([lead, shape(other)] if first else [shape(other), lead]), other.dtype)
    dims = [
        dim if isinstance(dim, int) else size(other, axis)
        for axis, dim in enumerate(other.type.shape)
    ]
    return zeros([*sizes, *dims] if first else [*dims, *sizes], other.dtype)
