"""Tensors made from nothing but sizes: zeros, ones, full, arange, linspace, eye, tri.

What counts is a constant where its size is known now; a filled tensor is a scalar that is
broadcast, so that a large one takes no memory before the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Graph, Tensor, get_default_graph
from staticgraph.core.opdef import (
    NOT_DIFFERENTIABLE,
    Attrs,
    Mismatch,
    OpDef,
    Types,
    get,
    register,
)
from staticgraph.core.types import TensorType
from staticgraph.errors import DTypeError, StaticGraphError
from staticgraph.ops.axes import known_rank, refuse
from staticgraph.ops.control import identity
from staticgraph.ops.convert import (
    as_tensor,
    cast,
    constant,
    constant_value,
    in_one_graph,
    is_tensor_like,
    promote,
    scalar,
)
from staticgraph.ops.elementwise import (
    add,
    ceil,
    divide,
    equal,
    floor,
    floor_divide,
    greater_equal,
    maximum,
    multiply,
    negative,
    pow,
    subtract,
    where,
)
from staticgraph.ops.requiring import require
from staticgraph.ops.shaping import BROADCAST_TO, expand_dims
from staticgraph.ops.sizes import as_bool, is_int, read_sizes, refusal, shape_of, size_dim

# -- filled tensors ---------------------------------------------------------------------------


def check_device(what: str, device: Any) -> None:
    """Refuses a device that is not there: there is the processor, called "cpu"."""
    if device not in (None, "cpu"):
        raise refusal(what, f"there is no device {device!r}", "leave it away, or give 'cpu'")


def zeros(shape: Any, dtype: Any = None, *, device: Any = None, name: str | None = None) -> Tensor:
    """Zeros of the given `shape` and `dtype`.

    shape    an int, a sequence of ints and scalar int tensors, or an int64 vector tensor
    dtype    element type, float32 by default
    device   None or ``"cpu"``

    Raises ShapeError for what is no shape and for another device, DTypeError for what is no dtype.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.zeros((2, 2)))
    array([[0., 0.],
           [0., 0.]], dtype=float32)
    """
    check_device("zeros", device)
    return _filled("zeros", shape, 0, _or_float32(dtype), name)


def ones(shape: Any, dtype: Any = None, *, device: Any = None, name: str | None = None) -> Tensor:
    """Ones of the given `shape` and `dtype`; otherwise as `zeros`.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.ones(3, "int32"))
    array([1, 1, 1], dtype=int32)
    """
    check_device("ones", device)
    return _filled("ones", shape, 1, _or_float32(dtype), name)


def _or_float32(dtype: Any) -> Any:
    return dtypes.float32 if dtype is None else dtypes.as_dtype(dtype)


def empty(shape: Any, dtype: Any = None, *, device: Any = None, name: str | None = None) -> Tensor:
    """Elements of no particular value, which are zeros here: a run gives the same every time.

    For the arguments and errors see `zeros`.

    >>> import staticgraph as sg
    >>> sg.empty((2, 2)).shape
    (2, 2)
    """
    check_device("empty", device)
    return zeros(shape, dtype, name=name or "empty")


def full(
    shape: Any,
    fill_value: Any,
    dtype: Any = None,
    *,
    device: Any = None,
    name: str | None = None,
) -> Tensor:
    """`fill_value` broadcast to the given `shape`.

    shape        an int, a sequence of ints and scalar int tensors, or an int64 vector tensor
    fill_value   a number, an array or a tensor; derivatives flow to it
    dtype        element type; by default that of `fill_value`
    device       None or ``"cpu"``

    Raises ShapeError for what is no shape or where `fill_value` does not broadcast to it.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.full((2, 2), 0.5))
    array([[0.5, 0.5],
           [0.5, 0.5]], dtype=float32)
    """
    check_device("full", device)
    return _filled("full", shape, fill_value, dtype, name)


def _filled(what: str, shape: Any, fill_value: Any, dtype: Any, name: str | None) -> Tensor:
    target = read_sizes(what, shape)
    graph = target.operands[0].graph if target.operands else get_default_graph()
    if is_tensor_like(fill_value):
        filler = as_tensor(fill_value)
        filler = filler if dtype is None else cast(filler, dtype)
    else:
        filler = _literal(graph, fill_value, dtype)
    attrs = {"shape": target.shape}
    return filler.graph.add(BROADCAST_TO, (filler, *target.operands), attrs, name or what).out


def _literal(graph: Graph, value: Any, dtype: Any) -> Tensor:
    """A constant in `graph`, one node per scalar however often it is asked for."""
    with graph.as_default():
        if type(value) not in (bool, int, float, complex) or dtype is None:
            return as_tensor(value) if dtype is None else constant(value, dtype)
        wanted = dtypes.as_dtype(dtype)
        fits = wanted in dtypes.COMPLEX or (
            wanted in dtypes.REAL_FLOATING and type(value) is not complex
        )
        if fits or (wanted in dtypes.INTEGER and is_int(value)):
            return scalar(graph, value, wanted)
        return constant(value, wanted)


def zeros_like(x: Any, dtype: Any = None, *, device: Any = None, name: str | None = None) -> Tensor:
    """Zeros of the shape of `x`, and of its dtype unless another is given.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.zeros_like(sg.constant([1.0, 2.0])))
    array([0., 0.], dtype=float32)
    """
    check_device("zeros_like", device)
    return full_like(x, 0, dtype, name=name or "zeros_like")


def empty_like(x: Any, dtype: Any = None, *, device: Any = None, name: str | None = None) -> Tensor:
    """Elements of no particular value, which are zeros here, in the shape and dtype of `x`.

    >>> import staticgraph as sg
    >>> sg.empty_like(sg.constant([1.0, 2.0])).dtype
    dtype('float32')
    """
    check_device("empty_like", device)
    return zeros_like(x, dtype, name=name or "empty_like")


def ones_like(x: Any, dtype: Any = None, *, device: Any = None, name: str | None = None) -> Tensor:
    """Ones of the shape of `x`, and of its dtype unless another is given.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.ones_like(sg.constant([1.0, 2.0]), "int8"))
    array([1, 1], dtype=int8)
    """
    check_device("ones_like", device)
    return full_like(x, 1, dtype, name=name or "ones_like")


@in_one_graph
def full_like(
    x: Any, fill_value: Any, dtype: Any = None, *, device: Any = None, name: str | None = None
) -> Tensor:
    """`fill_value` broadcast to the shape of `x`, in its dtype unless another is given.

    At run time `x` is needed only for its shape; derivatives flow to `fill_value` alone.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.full_like(sg.constant([1.0, 2.0]), 7))
    array([7., 7.], dtype=float32)
    """
    check_device("full_like", device)
    tensor = as_tensor(x)
    wanted = tensor.dtype if dtype is None else dtypes.as_dtype(dtype)
    if is_tensor_like(fill_value):
        filler = cast(as_tensor(fill_value), wanted)
    else:
        filler = _literal(tensor.graph, fill_value, wanted)
    target = shape_of(tensor)
    attrs = {"shape": target.shape}
    return tensor.graph.add(
        BROADCAST_TO, (filler, *target.operands), attrs, name or "full_like"
    ).out


# -- sequences --------------------------------------------------------------------------------


def _infer_arange(types: Types, attrs: Attrs) -> TensorType:
    if types[0].shape not in ((), None):
        raise Mismatch(f"the number of elements is {types[0]}", "it must be a scalar")
    return TensorType(dtypes.int64, (attrs["size"],))


def _reference_arange(count: Any, *, size: Any) -> Any:
    return np.arange(count, dtype=np.int64)


ARANGE = register(
    OpDef(
        "arange",
        operands=("count",),
        infer=_infer_arange,
        reference=_reference_arange,
        attrs=("size",),
        dtypes=frozenset({dtypes.int64}),
        vjp=NOT_DIFFERENTIABLE,
        jvp=NOT_DIFFERENTIABLE,
        doc="The int64 numbers from 0 up to, not including, a count that only the run knows.",
    )
)


def arange(
    start: Any,
    stop: Any = None,
    step: Any = 1,
    dtype: Any = None,
    *,
    device: Any = None,
    name: str | None = None,
) -> Tensor:
    """The numbers ``start``, ``start + step``, ... up to, not including, `stop`.

    With one argument it is `stop`, and `start` is 0. Arguments are numbers or scalar tensors; with
    tensors the size is known only in the run. The dtype is by default int64 for ints and float32
    for floats, as for `constant`. Derivatives flow to a `start` and `step` that are tensors.

    Raises ShapeError for a `step` of 0 and for arguments that are no scalars.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.arange(2, 8, 3))
    array([2, 5])
    """
    check_device("arange", device)
    if stop is None:
        start, stop = 0, start
    if not any(is_tensor_like(item) for item in (start, stop, step)):
        return constant(_static_range(start, stop, step, dtype), dtype, name or "arange")
    first, last, stride = promote((start, stop, step))
    for operand in (first, last, stride):
        if operand.type.shape not in ((), None):
            refuse(ARANGE, (operand,), Mismatch("start, stop and step are numbers", "give scalars"))
    if _is_number(stride, 0):
        raise _no_step()
    known = [constant_value(operand) for operand in (first, last, stride)]
    if all(value is not None for value in known) and first.dtype in dtypes.INTEGER:
        # Of constants the numbers are one, such as the sizes of a tensor of known shape.
        wanted = first.dtype if dtype is None else dtype
        with first.graph.as_default():
            row = _static_range(*[int(value) for value in known], wanted)  # type: ignore
            return constant(row, wanted, name or "arange")
    from_zero = _is_number(first, 0) and _is_number(stride, 1)
    if first.dtype in dtypes.REAL_FLOATING:
        count = cast(ceil((last - first) / stride), dtypes.int64)
    else:
        whole = cast(last, dtypes.int64)
        if not from_zero:
            span = subtract(cast(first, dtypes.int64), whole)
            whole = negative(floor_divide(span, cast(stride, dtypes.int64)))
        count = whole
    dim = size_dim(count)
    measured = isinstance(dim, str) or (isinstance(dim, int) and dim >= 0)
    if not (from_zero and (measured or count.node.op.name == "size")):
        count = maximum(count, 0)
    attrs = {"size": size_dim(count)}
    numbers = cast(count.graph.add(ARANGE, (count,), attrs, name).out, first.dtype)
    if not _is_number(stride, 1):
        numbers = numbers * stride
    if not _is_number(first, 0):
        numbers = add(first, numbers)
    return numbers if dtype is None else cast(numbers, dtype)


def _is_number(x: Tensor, number: int) -> bool:
    value = constant_value(x)
    return value is not None and value.size == 1 and value.item() == number


def _no_step() -> StaticGraphError:
    return refusal("arange", "step is 0", "a step of 0 never reaches the end")


def _static_range(start: Any, stop: Any, step: Any, dtype: Any) -> np.ndarray[Any, Any]:
    """The numbers of an arange whose arguments are known."""
    numbers = (start, stop, step)
    for number in numbers:
        if isinstance(number, bool) or not np.isscalar(number) or isinstance(number, str):
            raise refusal("arange", f"{number!r} is no number", "give ints or floats")
    if step == 0:
        raise _no_step()
    try:
        values = np.arange(start, stop, step)
    except (ValueError, OverflowError, MemoryError):
        raise refusal(
            "arange", f"from {start} to {stop} in steps of {step} are too many", "give finite ends"
        ) from None
    weak = all(type(number) in (int, float) for number in numbers)
    if dtype is None and weak and values.dtype == dtypes.float64:
        return values.astype(np.float32)
    return values if dtype is None else values.astype(dtypes.as_dtype(dtype))


def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
    name: str | None = None,
) -> Tensor:
    """`num` numbers at equal distances from `start` to `stop`, both included.

    start, stop   numbers or floating tensors that broadcast; the numbers lie along a new axis
    num           how many, an int or a scalar int tensor; with ``endpoint=False`` `stop` is left
                  out
    dtype         element type; by default that of `start` and `stop`, float32 of Python numbers
    axis          where the new axis stands in the result
    device        None or ``"cpu"``

    Element i is ``start * (1 - t) + stop * t`` with ``t = i / (num - 1)``, so both ends are exact;
    on the way to an integer dtype ``start + i * ((stop - start) / (num - 1))``, rounded down.
    Derivatives flow to `start` and `stop`. Raises ShapeError for a `num` that is no size; a
    negative one that only the run knows is an error of the run.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.linspace(0.0, 1.0, 5))
    array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """
    check_device("linspace", device)
    return _spaced("linspace", start, stop, num, endpoint, dtype, axis, name, None)


@in_one_graph
def logspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
    *,
    name: str | None = None,
) -> Tensor:
    """`num` numbers from ``base ** start`` to ``base ** stop``, each the same multiple of the last.

    base   a number or a tensor that broadcasts; derivatives flow to it, to `start` and to `stop`

    It is `base` to the power of the numbers of `linspace`; for the rest see there.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.logspace(0.0, 3.0, 4))
    array([   1.,   10.,  100., 1000.], dtype=float32)
    """

    def powers(exponents: Tensor) -> Tensor:
        given = cast(as_tensor(base, exponents.graph), exponents.dtype)
        return pow(given, exponents)

    return _spaced("logspace", start, stop, num, endpoint, dtype, axis, name, powers)


def geomspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
    *,
    name: str | None = None,
) -> Tensor:
    """`num` numbers from `start` to `stop`, each the same multiple of the one before.

    start, stop   numbers or real floating tensors that broadcast, both of one sign and not 0; else
                  what lies between them is NaN

    Element i is ``start * 10 ** (t * log10(stop / start))``, with t of `linspace`; both ends are
    exact. For the rest see there.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.geomspace(1.0, 8.0, 4))
    array([1., 2., 4., 8.], dtype=float32)
    """
    wanted = None if dtype is None else dtypes.as_dtype(dtype)
    first, last = _ends(start, stop, wanted)
    if first.dtype in dtypes.COMPLEX:
        refuse("geomspace", (first, last), Mismatch(
            "the ends are complex", "sg.exp(sg.linspace(...)) of logarithms goes between them",
            error=DTypeError,
        ), ("start", "stop"))  # fmt: skip
    endpoint = as_bool("geomspace", "endpoint", endpoint)
    place = _new_axis("geomspace", first, last, axis)
    ndim = max(known_rank("geomspace", first), known_rank("geomspace", last))
    low, high = _aligned(first, ndim, place), _aligned(last, ndim, place)
    with first.graph.as_default():
        share = divide(*_steps("geomspace", num, endpoint, ndim, place))
        # In float64 powers of ten are exact where ends and steps are powers of ten, and a narrower
        # result is rounded once. The record of log10 is in a module that imports this one.
        ratio = divide(*[cast(end, dtypes.float64) for end in (high, low)])
        exponent = multiply(share, ratio.graph.add(get("log10"), (ratio,)).out)
        inner = multiply(low, pow(10, exponent))
        result = where(equal(share, 0), low, cast(inner, first.dtype))
        if endpoint:
            result = where(equal(share, 1), high, result)
    result = result if wanted is None else cast(result, wanted)
    return identity(result, name=name or "geomspace")


def _new_axis(what: str, first: Tensor, last: Tensor, axis: Any) -> int:
    """The place of the new axis of a row of numbers between two tensors."""
    ndim = max(known_rank(what, first), known_rank(what, last)) + 1
    if not is_int(axis) or not -ndim <= axis < ndim:
        raise refusal(
            what, f"axis={axis!r} is no axis of the result", f"it has axes {-ndim} to {ndim - 1}"
        )
    return int(axis) % ndim


def _spaced(
    what: str, start: Any, stop: Any, num: Any, endpoint: bool, dtype: Any, axis: Any,
    name: str | None, function: Callable[[Tensor], Tensor] | None,
) -> Tensor:  # fmt: skip
    """What a function, if there is one, makes of numbers at equal distances."""
    endpoint, wanted = as_bool(what, "endpoint", endpoint), None
    if dtype is not None:
        wanted = dtypes.as_dtype(dtype)
    first, last = _ends(start, stop, wanted)
    place = _new_axis(what, first, last, axis)
    ndim = max(known_rank(what, first), known_rank(what, last))
    with first.graph.as_default():
        row, steps = _steps(what, num, endpoint, ndim, place)
        low, high = [_aligned(end, ndim, place) if ndim else end for end in (first, last)]
        if function is None and wanted in dtypes.INTEGER:
            # Rounded down, in NumPy's manner: where a step is a whole number nothing is rounded.
            low, high = cast(low, dtypes.float64), cast(high, dtypes.float64)
            result = floor(low + row * ((high - low) / steps))
            result = where(equal(row, steps), floor(high), result) if endpoint else result
        else:
            share = divide(row, steps)
            result = low * cast(1 - share, low.dtype) + high * cast(share, low.dtype)
    result = result if function is None else function(result)
    return identity(result if wanted is None else cast(result, wanted), name=name or what)


def _aligned(end: Tensor, ndim: int, place: int) -> Tensor:
    """An end of a row with the new axis, and axes in front where the other end has more."""
    missing = ndim - (end.type.ndim or 0)
    wide = expand_dims(end, tuple(range(missing))) if missing else end
    return expand_dims(wide, place)


def _steps(what: str, num: Any, endpoint: bool, ndim: int, place: int) -> tuple[Tensor, Tensor]:
    """The steps 0, 1, ... of `num` numbers, along an axis, and how many go to the stop: float64."""
    others = tuple([other for other in range(ndim + 1) if other != place])
    if not is_tensor_like(num) or constant_value(as_tensor(num)) is not None:
        value: Any = constant_value(as_tensor(num)) if is_tensor_like(num) else num
        if not is_int(value) or value < 0:
            raise refusal(what, f"{num!r} is no number of elements", "give an int from 0")
        count = int(value)
        row = np.expand_dims(np.arange(count, dtype=np.float64), others)
        return constant(row), constant(np.float64(max(count - 1 if endpoint else count, 1)))
    counted = read_sizes(what, (num,)).operands
    number = cast(as_tensor(num), dtypes.int64)
    assert counted
    number = require(
        number, greater_equal(number, 0), what, "num is negative", "give an int from 0", num=number
    )
    steps = maximum(number - 1 if endpoint else number, 1)
    numbers = cast(arange(number), dtypes.float64)
    return expand_dims(numbers, others) if others else numbers, cast(steps, dtypes.float64)


def _ends(start: Any, stop: Any, wanted: dtypes.DType | None) -> tuple[Tensor, Tensor]:
    """Both ends of a linspace, in a dtype that holds what is wanted."""
    if all(type(end) in (int, float, complex) for end in (start, stop)):
        # Numbers have no dtype of their own, so nothing is rounded before the wanted one.
        weak = dtypes.complex64 if complex in (type(start), type(stop)) else dtypes.float32
        exact = dtypes.float64 if wanted in dtypes.INTEGER | dtypes.BOOL else weak
        computing = wanted if wanted in dtypes.DIFFERENTIABLE else exact
        start, stop = [np.asarray(end, computing) for end in (start, stop)]
    first, last = promote((start, stop), floating=True)
    if wanted in dtypes.DIFFERENTIABLE:
        computing = dtypes.promote(first.dtype, wanted)
        return cast(first, computing), cast(last, computing)
    return first, last


def eye(
    n_rows: Any,
    n_cols: Any = None,
    k: int = 0,
    dtype: Any = None,
    *,
    device: Any = None,
    name: str | None = None,
) -> Tensor:
    """A matrix with ones on its `k`-th diagonal (above the main one where k > 0), zeros elsewhere.

    n_rows, n_cols   sizes: ints or scalar int tensors; `n_cols` is `n_rows` by default
    dtype            element type, float32 by default
    device           None or ``"cpu"``

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.eye(2))
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    check_device("eye", device)
    wanted = _or_float32(dtype)
    rows, columns = n_rows, n_rows if n_cols is None else n_cols
    if not is_int(k):
        raise refusal("eye", f"k={k!r} is no diagonal", "give an int")
    sizes = read_sizes("eye", (rows, columns))
    if not sizes.operands:
        return constant(np.eye(*sizes.shape, k=k, dtype=wanted), name=name or "eye")  # type: ignore
    with sizes.operands[0].graph.as_default():
        row_numbers, column_numbers = arange(rows), arange(columns)
        hit = equal(expand_dims(row_numbers + int(k), 1), expand_dims(column_numbers, 0))
        return cast(hit, wanted, name or "eye")


def tri(N: Any, M: Any = None, k: int = 0, dtype: Any = None, *, name: str | None = None) -> Tensor:
    """A matrix with ones on and below its `k`-th diagonal, zeros above.

    N, M    the numbers of rows and columns, ints or scalar int tensors; `M` is `N` by default
    k       the diagonal; those above the main one are positive
    dtype   element type, float32 by default

    Raises ShapeError for sizes that are none.

    >>> import staticgraph as sg
    >>> sg.Session().run(sg.tri(2, 3))
    array([[1., 0., 0.],
           [1., 1., 0.]], dtype=float32)
    """
    wanted = _or_float32(dtype)
    if not is_int(k):
        raise refusal("tri", f"k={k!r} is no diagonal", "give an int")
    rows, columns = N, N if M is None else M
    sizes = read_sizes("tri", (rows, columns))
    if not sizes.operands:
        values = np.tri(*sizes.shape, k=int(k), dtype=wanted)  # type: ignore
        return constant(values, name=name or "tri")
    with sizes.operands[0].graph.as_default():
        row_numbers, column_numbers = arange(rows), arange(columns)
        below = expand_dims(row_numbers + int(k), 1) >= expand_dims(column_numbers, 0)
        return cast(below, wanted, name or "tri")
