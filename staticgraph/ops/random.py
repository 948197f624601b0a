"""Random numbers, as a pure function of session seed, run number and node.

There is one source, `random_bits`: 64-bit words of the counter-based generator Philox4x64-10 (J. K.
Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
SC'11). Everything else is computed from its words by ordinary ops, so derivatives flow to the
parameters of a distribution and none to the words.

Word i of a node (in row-major order) is output ``i % 4`` of Philox4x64-10 with the key ``(seed,
stream)`` and the counter ``(1 + i // 4, 0, run, 0)``. `seed` is the session's; `run` counts its
runs from 1; `stream` is the node's attribute, which counts the random nodes of the graph. So
results depend neither on threads nor on the backend, an element is found without those before
it, and two nodes never share numbers: no pass merges them, since their attributes differ.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.body import BodyGraph
from staticgraph.core.dtypes import DType
from staticgraph.core.elements import ElementBuilder
from staticgraph.core.graph import Graph, Tensor, get_default_graph
from staticgraph.core.opdef import (
    NOT_DIFFERENTIABLE,
    Attrs,
    Mismatch,
    OpDef,
    Types,
    register,
)
from staticgraph.core.types import Shape, TensorType, compatible
from staticgraph.errors import DTypeError
from staticgraph.ops.axes import one_axis, refuse
from staticgraph.ops.convert import as_tensor, cast_to, constant_value, promote
from staticgraph.ops.elementwise import (
    add,
    cos,
    less,
    log,
    multiply,
    remainder,
    sqrt,
    subtract,
    where,
)
from staticgraph.ops.indexing import ARGSORT, GATHER, gather
from staticgraph.ops.shaping import BROADCAST_TO
from staticgraph.ops.sizes import (
    SIZES,
    Target,
    declared_shape,
    given_shape,
    is_int,
    read_sizes,
    refusal,
    shape_of,
    size,
)

__all__ = ["bernoulli", "integers", "normal", "permutation", "uniform"]

_KEY = TensorType(dtypes.uint64, (2,))

RANDOM_KEY = register(
    OpDef(
        "random_key",
        operands=(),
        infer=lambda types, attrs: _KEY,
        reference=None,
        role="key",
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The key of the run, two uint64: the session's seed and the number of the run.",
    )
)


def _check_key(type: TensorType) -> None:
    if not compatible(type.shape, (2,)):
        raise Mismatch(f"the key is {type}", "it must be two uint64: seed and run")


def _infer_fold(types: Types, attrs: Attrs) -> TensorType:
    _check_key(types[0])
    if types[1].shape not in ((), None):
        raise Mismatch(f"the number is {types[1]}", "it must be a scalar")
    return _KEY


def _reference_fold(key: Any, number: Any) -> Any:
    source = np.random.Philox(
        key=np.array([key[0], 0], dtype=np.uint64),
        counter=np.array([0, int(number), key[1], 1], dtype=np.uint64),
    )
    return np.array([key[0], source.random_raw()], dtype=np.uint64)


FOLD = register(
    OpDef(
        "random_fold",
        operands=("key", "number"),
        infer=_infer_fold,
        reference=_reference_fold,
        dtypes=(frozenset({dtypes.uint64}), frozenset({dtypes.int64})),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The key of iteration `number` of a loop: the seed, and in place of the run word 0 of "
        "Philox4x64-10 with key (seed, 0) and counter (1, number, run, 1).",
    )
)


def _infer_bits(types: Types, attrs: Attrs) -> TensorType:
    _check_key(types[0])
    return TensorType(dtypes.uint64, declared_shape(attrs, types[1:]))


def _reference_bits(key: Any, *sizes: Any, stream: int, shape: Shape) -> Any:
    wanted = given_shape(sizes, shape)
    seed, run = key
    # numpy.random.Philox steps its counter before it draws, so the first block has counter 1.
    source = np.random.Philox(
        key=np.array([seed, stream], dtype=np.uint64),
        counter=np.array([0, 0, run, 0], dtype=np.uint64),
    )
    return source.random_raw(math.prod(wanted)).reshape(wanted)


RANDOM_BITS = register(
    OpDef(
        "random_bits",
        operands=("key", "sizes*"),
        infer=_infer_bits,
        reference=_reference_bits,
        attrs=("stream", "shape"),
        dtypes=(frozenset({dtypes.uint64}), SIZES),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="Random uint64 words: Philox4x64-10 with key (seed, stream) and counter "
        "(1 + i // 4, 0, run, 0) gives words i.",
    )
)

# How many leading bits of a word make a number: as many as the dtype holds without rounding.
_SIGNIFICANT = {dtypes.float32: 24, dtypes.float64: 53}


def _reference_unit(bits: Any, *, dtype: DType) -> Any:
    count = _SIGNIFICANT[dtype]
    leading = bits >> np.uint64(64 - count)
    return leading.astype(dtype) * dtype.type(2.0**-count)


def _emit_unit(s: ElementBuilder[Any], bits: Any, *, dtype: DType) -> Any:
    count = _SIGNIFICANT[dtype]
    # A signed integer of the same size holds the leading bits and is converted in one step.
    whole = dtypes.int32 if dtype == dtypes.float32 else dtypes.int64
    leading = s.cast(s.cast(s.shift_right(bits, 64 - count), whole), dtype)
    return s.multiply(leading, s.constant(2.0**-count, dtype))


UNIT = register(
    OpDef(
        "bits_to_unit",
        operands=("bits",),
        infer=lambda types, attrs: types[0].with_dtype(attrs["dtype"]),
        reference=_reference_unit,
        attrs=("dtype",),
        dtypes=frozenset({dtypes.uint64}),
        elementwise=True,
        emit=_emit_unit,
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The leading 24 (float32) or 53 (float64) bits of a word as a fraction in [0, 1).",
    )
)


def _key(graph: Graph) -> Tensor:
    """The key of the run, or of the iteration of the run in the body of a loop."""
    if graph.random_key is None:
        with graph.no_control_dependencies(), graph.absolute_scope(""):
            if not isinstance(graph, BodyGraph):
                graph.random_key = graph.add(RANDOM_KEY).out
            else:
                with graph.outside() as outer:
                    key = _key(outer)
                graph.random_key = graph.capture(key)
                if graph.counter is not None:
                    graph.random_key = graph.add(FOLD, (graph.random_key, graph.counter())).out
    return graph.random_key


def _bits(graph: Graph, target: Target, name: str | None = None) -> Tensor:
    """Random words of a stream of their own."""
    graph = graph.innermost
    attrs = {"stream": graph.random_streams, "shape": target.shape}
    words = graph.add(RANDOM_BITS, (_key(graph), *target.operands), attrs, name).out
    graph.random_streams += 1
    return words


def _unit(graph: Graph, target: Target, dtype: DType, name: str | None = None) -> Tensor:
    """Random numbers in [0, 1)."""
    return graph.add(UNIT, (_bits(graph, target),), {"dtype": dtype}, name).out


def _parameters(
    what: str, shape: Any, values: tuple[Any, Any], dtype: Any
) -> tuple[Target, list[Tensor]]:
    """The shape of a draw, and the two parameters of its distribution in the draw's dtype."""
    target = read_sizes(what, shape)
    graph = target.operands[0].graph if target.operands else get_default_graph()
    with graph.as_default():
        given = promote(values, floating=True)
    wanted = given[0].dtype if dtype is None else dtypes.as_dtype(dtype)
    if wanted not in dtypes.FLOATING:
        raise refusal(
            what,
            f"draws no {dtypes.name(wanted)}",
            "dtype is float32 or float64; sg.random.integers draws integers",
            error=DTypeError,
        )
    attrs = {"shape": target.shape}
    fitted = []
    for value in given:
        value = cast_to(value, wanted)
        if value.type.shape != ():
            value = value.graph.add(BROADCAST_TO, (value, *target.operands), attrs).out
        fitted.append(value)
    return target, fitted


def uniform(
    shape: Any = (),
    low: Any = 0.0,
    high: Any = 1.0,
    dtype: Any = None,
    *,
    name: str | None = None,
) -> Tensor:
    """Numbers that lie anywhere from `low` up to, not including, `high` with equal probability.

    shape       an int, a sequence of ints and scalar int tensors, or an int64 vector tensor
    low, high   numbers or tensors that broadcast to `shape`; derivatives flow to them
    dtype       float32 or float64; that of `low` and `high`, float32 for Python numbers

    The result is ``low + (high - low) * u``, where u takes the leading 24 (float32) or 53
    (float64) bits of a random word; where that rounds to `high` it is `low` instead. Raises
    ShapeError where `low` or `high` do not broadcast to `shape`, or are known numbers in the
    wrong order.

    >>> import staticgraph as sg
    >>> draw = sg.random.uniform((1000,), -1.0, 1.0)
    >>> bool(abs(sg.Session(seed=1).run(sg.mean(draw))) < 0.1)
    True
    """
    standard = type(low) in (int, float) and type(high) in (int, float) and (low, high) == (0, 1)
    target, (start, stop) = _parameters("uniform", shape, (low, high), dtype)
    least, most = constant_value(start), constant_value(stop)
    if least is not None and most is not None and least > most:
        raise refusal("uniform", f"low {low} is above high {high}", "give low <= high")
    fraction = _unit(start.graph, target, start.dtype, name or "uniform" if standard else None)
    if standard:
        return fraction
    drawn = add(start, multiply(subtract(stop, start), fraction))
    return where(less(drawn, stop), drawn, start, name=name or "uniform")


def normal(
    shape: Any = (),
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = None,
    *,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers of the given mean and standard deviation.

    shape          an int, a sequence of ints and scalar int tensors, or an int64 vector tensor
    mean, stddev   numbers or tensors that broadcast to `shape`; derivatives flow to them
    dtype          float32 or float64; that of `mean` and `stddev`, float32 for Python numbers

    The result is ``mean + stddev * sqrt(-2 log(1 - u)) * cos(2 pi v)`` with two independent uniform
    numbers u and v (G. E. P. Box and M. E. Muller, "A note on the generation of random normal
    deviates", Annals of Mathematical Statistics 29, 1958). No float32 is further than 5.8
    standard deviations from the mean, no float64 further than 8.6.

    >>> import staticgraph as sg
    >>> draw = sg.random.normal((1000,), mean=5.0)
    >>> bool(abs(sg.Session(seed=1).run(sg.mean(draw)) - 5.0) < 0.1)
    True
    """
    target, (center, spread) = _parameters("normal", shape, (mean, stddev), dtype)
    dtype, graph = center.dtype, center.graph
    with graph.as_default():
        radius = sqrt(multiply(-2.0, log(subtract(1.0, _unit(graph, target, dtype)))))
        angle = multiply(2.0 * math.pi, _unit(graph, target, dtype))
        deviate = multiply(radius, cos(angle))
    return add(center, multiply(spread, deviate), name=name or "normal")


def bernoulli(p: Any, shape: Any = None, *, name: str | None = None) -> Tensor:
    """Bools that are True with probability `p`.

    p       numbers between 0 and 1, or a tensor of them; there is no derivative
    shape   the shape of the result, to which `p` broadcasts; that of `p` when not given

    >>> import staticgraph as sg
    >>> sg.Session(seed=1).run(sg.random.bernoulli([0.0, 1.0]))
    array([False,  True])
    """
    if shape is None:
        (chance,) = promote((p,), floating=True)
        target = shape_of(chance)
    else:
        target, (chance, _) = _parameters("bernoulli", shape, (p, 0.0), None)
    fraction = _unit(chance.graph, target, chance.dtype)
    return less(fraction, chance, name=name or "bernoulli")


def integers(
    shape: Any, low: Any, high: Any, dtype: Any = "int64", *, name: str | None = None
) -> Tensor:
    """Integers from `low` up to, not including, `high`, each with equal probability.

    shape       an int, a sequence of ints and scalar int tensors, or an int64 vector tensor
    low, high   ints or scalar int tensors
    dtype       an integer dtype

    The result is ``low + word % (high - low)`` of a random 64-bit word, so that probabilities
    differ from each other by less than ``2**-64``. Raises ShapeError where `low` and `high` are
    known and leave no integer.

    >>> import staticgraph as sg
    >>> draw = sg.Session(seed=1).run(sg.random.integers((100,), 3, 5))
    >>> int(draw.min()), int(draw.max())
    (3, 4)
    """
    wanted = dtypes.as_dtype(dtype)
    target = read_sizes("integers", shape)
    if is_int(low) and is_int(high) and low >= high:
        raise refusal("integers", f"there is none from {low} up to {high}", "give low < high")
    graph = target.operands[0].graph if target.operands else get_default_graph()
    with graph.as_default():
        start, stop = promote((low, high))
    for value in (start, stop):
        if value.dtype not in dtypes.INTEGER or wanted not in dtypes.INTEGER:
            raise refusal(
                "integers",
                f"low and high are {dtypes.name(value.dtype)}, dtype is {dtypes.name(wanted)}",
                "all are integers; sg.random.uniform draws floats",
                error=DTypeError,
            )
    span = cast_to(subtract(stop, start), dtypes.uint64)
    offset = cast_to(remainder(_bits(start.graph, target), span), dtypes.int64)
    drawn = add(offset, cast_to(start, dtypes.int64))
    return cast_to(drawn, wanted, name or "integers")


def permutation(x: Any, axis: int = 0, *, name: str | None = None) -> Tensor:
    """A random order: of the numbers below `x` if it is an integer, else of entries of `x`.

    x      an int, a scalar int tensor, or a tensor whose entries along `axis` change places

    The order is the one that sorts as many random 64-bit words. Adjoints go back to where the
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
            refuse(GATHER, (tensor,), Mismatch(
                f"a scalar {dtypes.name(tensor.dtype)} has no entries to permute",
                "give a number of elements as an int, or a tensor with at least one axis",
                error=DTypeError,
            ))  # fmt: skip
        return _order(tensor.graph, read_sizes("permutation", tensor), name)
    number = one_axis(GATHER, tensor, axis)
    order = _order(tensor.graph, read_sizes("permutation", size(tensor, number)), None)
    return gather(tensor, order, number, name=name or "permutation")


def _order(graph: Graph, target: Target, name: str | None) -> Tensor:
    """The int64 indices of a random order of a vector."""
    attrs = {"axis": 0, "descending": False}
    return graph.add(ARGSORT, (_bits(graph, target),), attrs, name or "permutation").out
