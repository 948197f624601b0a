"""Python operators and NumPy's functions on tensors and variables, and what they refuse."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

import staticgraph as sg
from tests.growth import work
from tests.messages import whole

_random = np.random.default_rng(4)
FLOATS = _random.uniform(0.5, 3.0, (2, 3))
OTHERS = _random.uniform(0.5, 3.0, (2, 3))
INTS = np.array([[7, -3, 0], [2, 5, -8]])
BOOLS = np.array([[True, False, True], [False, False, True]])


def run(fetches: Any, feed: Any = None) -> Any:
    return sg.Session().run(fetches, feed)


def same(tensor: Any, expected: Any, exact: bool = True) -> None:
    """A tensor (never an array) with this value and dtype.

    Machine code has elementary functions of its own, good to units in the last place.
    """
    assert isinstance(tensor, sg.Tensor)
    expected = np.asarray(expected)
    for backend, ulps in (("reference", 0), ("native", 2)):
        value = np.asarray(sg.Session(backend=backend).run(tensor))
        assert value.dtype == expected.dtype
        if not exact:
            np.testing.assert_allclose(value, expected, rtol=1e-6)
        elif ulps and expected.dtype.kind == "f":
            np.testing.assert_array_max_ulp(value, expected, ulps)
        else:
            np.testing.assert_array_equal(value, expected)


BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
]  # fmt: skip


@pytest.mark.parametrize("function", BINARY)
def test_arithmetic_and_comparison(function: Callable[..., Any]) -> None:
    x, y, w = sg.constant(FLOATS), sg.constant(OTHERS), sg.Variable(FLOATS)
    same(function(x, y), function(FLOATS, OTHERS))
    same(function(w, y), function(FLOATS, OTHERS))
    same(function(y, w), function(OTHERS, FLOATS))
    same(function(w, w), function(FLOATS, FLOATS))
    same(function(x, OTHERS), function(FLOATS, OTHERS))
    same(function(OTHERS, x), function(OTHERS, FLOATS))
    same(function(OTHERS, w), function(OTHERS, FLOATS))
    same(function(x, 2), function(FLOATS, 2))
    same(function(2.5, x), function(2.5, FLOATS))
    same(function(2.5, w), function(2.5, FLOATS))
    same(function(np.float64(1.5), x), function(np.float64(1.5), FLOATS))
    same(function(x, [1.0, 2.0, 3.0]), function(FLOATS, [1.0, 2.0, 3.0]))


@pytest.mark.parametrize("function", BINARY)
def test_integers(function: Callable[..., Any]) -> None:
    small = INTS.astype(np.int32)
    x = sg.constant(small)
    if function is not operator.pow:
        same(function(x, 3), function(small, 3))
        same(function(x, small + np.int32(20)), function(small, small + np.int32(20)))
    same(function(abs(x), 2), function(abs(small), 2))


@pytest.mark.parametrize("function", [operator.and_, operator.or_, operator.xor])
def test_bits_and_truth(function: Callable[..., Any]) -> None:
    x, b, w = sg.constant(INTS), sg.constant(BOOLS), sg.Variable(BOOLS)
    same(function(x, 6), function(INTS, 6))
    same(function(6, x), function(6, INTS))
    same(function(INTS, x), function(INTS, INTS))
    same(function(b, ~b), function(BOOLS, ~BOOLS))
    same(function(b, True), function(BOOLS, True))
    same(function(BOOLS, w), function(BOOLS, BOOLS))
    same(function(b, x), function(BOOLS, INTS))


def test_one_operand() -> None:
    for array in (FLOATS, -FLOATS, INTS):
        for x in (sg.constant(array), sg.Variable(array)):
            same(-x, -array)
            same(+x, array)
            same(abs(x), abs(array))
    same(~sg.constant(INTS), ~INTS)
    same(~sg.constant(BOOLS), ~BOOLS)


def test_matrix_products() -> None:
    x, w = sg.constant(FLOATS), sg.Variable(OTHERS)
    same(x @ w.T, FLOATS @ OTHERS.T, exact=False)
    same(FLOATS.T @ w, FLOATS.T @ OTHERS, exact=False)
    same(w @ np.ones(3), OTHERS @ np.ones(3), exact=False)


def test_reflected_operands_keep_their_order() -> None:
    x = sg.placeholder("float32", (), name="x")
    for node in [(2.0 + x).node, (2.0 * x).node, (2.0 - x).node]:
        assert node.inputs[1] is x


def test_methods() -> None:
    for x in (sg.constant(FLOATS), sg.Variable(FLOATS)):
        same(x.T, FLOATS.T)
        same(x.mT, FLOATS.T)
        same(x.astype("float32"), FLOATS.astype(np.float32))
        same(x.reshape(3, 2), FLOATS.reshape(3, 2))
        same(x.reshape((3, -1)), FLOATS.reshape(3, 2))
        same(x.reshape(-1), FLOATS.reshape(-1))
        same(x.sum(0), FLOATS.sum(0), exact=False)
        same(x.mean(axis=1, keepdims=True), FLOATS.mean(1, keepdims=True), exact=False)
        same(x.max(), FLOATS.max())
        same(x.min(1), FLOATS.min(1))


# -- identity, equality, iteration ------------------------------------------------------------


def test_tensors_hash_by_identity_and_compare_by_value() -> None:
    x, y = sg.constant([1.0]), sg.constant([1.0])
    assert {x: 1, y: 2}[x] == 1
    assert isinstance(x == y, sg.Tensor)
    w = sg.Variable(1.0)
    assert {w: "w"}[w] == "w"
    assert isinstance(w == 1.0, sg.Tensor)


@pytest.mark.parametrize("other", [None, "text", object(), {}, np.str_("text")])
def test_what_is_no_number_is_unequal_by_identity(other: Any) -> None:
    x = sg.constant([1.0])
    assert (x == other) is False
    assert (x != other) is True
    assert None not in [x]


def test_length_and_iteration_where_the_size_is_known() -> None:
    x = sg.constant(FLOATS)
    assert len(x) == 2
    first, second = x
    same(first, FLOATS[0])
    same(second, FLOATS[1])
    assert [len(row) for row in x] == [3, 3]
    same(next(reversed(x)), FLOATS[1])
    assert len(sg.Variable(FLOATS)) == 2


def test_a_tensor_shows_what_it_is() -> None:
    x = sg.placeholder("float32", (None, 3), name="x")
    assert f"{x}" == str(x) == "<Tensor 'x' float32[?, 3]>"
    assert f"{sg.Variable(1.0, name='w')}" == "<Variable 'w' float32[]>"


# -- what needs a value -----------------------------------------------------------------------


GUARDS: list[tuple[Callable[[Any], Any], str]] = [
    (
        bool,
        "bool: a tensor is neither true nor false before a run\n"
        "  'x'  float32[?]  placeholder at <x>\n"
        "  choose in the graph with sg.where (by element) or sg.cond, repeat with sg.while_loop, "
        "or fetch the tensor and ask its value: session.run(x)\n"
        "  at <here>",
    ),
    (
        float,
        "float: a tensor has no value before a run\n"
        "  'x'  float32[?]  placeholder at <x>\n"
        "  fetch it and convert the value, float(session.run(x)), or stay in the graph: "
        "sg.cast(x, dtype)\n"
        "  at <here>",
    ),
    (
        int,
        "int: a tensor has no value before a run\n"
        "  'x'  float32[?]  placeholder at <x>\n"
        "  fetch it and convert the value, int(session.run(x)), or stay in the graph: "
        "sg.cast(x, dtype)\n"
        "  at <here>",
    ),
    (
        complex,
        "complex: a tensor has no value before a run\n"
        "  'x'  float32[?]  placeholder at <x>\n"
        "  fetch it and convert the value, complex(session.run(x)), or stay in the graph: "
        "sg.cast(x, dtype)\n"
        "  at <here>",
    ),
    (
        range,
        "index: a tensor has no value before a run, so it is no index of a list, array or range\n"
        "  'x'  float32[?]  placeholder at <x>\n"
        "  index in the graph, sg.gather(values, i) or tensor[i], loop in the graph, "
        "sg.fori_loop or sg.while_loop, or fetch the tensor: session.run(x)\n"
        "  at <here>",
    ),
    (
        np.asarray,
        "array: a tensor has no value before a run, so it is no array\n"
        "  'x'  float32[?]  placeholder at <x>\n"
        "  fetch it, session.run(x), or use the function of the same name in staticgraph; of "
        "several tensors sg.stack makes one\n"
        "  at <here>",
    ),
    (
        lambda x: np.ones(3)[x],
        "array: a tensor has no value before a run, so it is no array\n"
        "  'x'  float32[?]  placeholder at <x>\n"
        "  fetch it, session.run(x), or use the function of the same name in staticgraph; of "
        "several tensors sg.stack makes one\n"
        "  at <here>",
    ),
    (
        lambda x: 1.0 in x,
        "in: whether a tensor holds a value is known only in the run\n"
        "  'x'  float32[?]  placeholder at <x>\n"
        "  ask in the graph, sg.any(x == value), or fetch the tensor: session.run(x)\n"
        "  at <here>",
    ),
    (
        len,
        "len: the size of axis 0 is known only in the run\n"
        "  'x'  float32[?]  placeholder at <x>\n"
        "  take it as a tensor: sg.size(x, 0)\n"
        "  at <here>",
    ),
    (
        list,
        "iter: the size of axis 0 is known only in the run\n"
        "  'x'  float32[?]  placeholder at <x>\n"
        "  loop in the graph with sg.map_fn or sg.scan, or declare the size\n"
        "  at <here>",
    ),
    (
        lambda x: operator.setitem(x, 0, 1.0),
        "setitem: a tensor does not change\n"
        "  'x'  float32[?]  placeholder at <x>\n"
        "  make another: sg.where(mask, value, x), sg.scatter_add(x, indices, updates) or "
        "sg.concat\n"
        "  at <here>",
    ),
    (
        lambda x: f"{x:.3f}",
        "format: a tensor has no value before a run that '.3f' could format\n"
        "  'x'  float32[?]  placeholder at <x>\n"
        "  fetch it and format the value: session.run(x)\n"
        "  at <here>",
    ),
]


@pytest.mark.parametrize(("ask", "message"), GUARDS)
def test_what_asks_for_a_value_is_told_the_way_out(ask: Callable[[Any], Any], message: str) -> None:
    x = sg.placeholder("float32", (None,), name="x")
    with pytest.raises(sg.GraphError) as info:
        ask(x)
    inner = message.replace("<here>", _line_of(info))
    assert whole(info, x=x) == inner.replace(_line_of(info, 0), "<here>")


def _line_of(info: pytest.ExceptionInfo[BaseException], frame: int | None = None) -> str:
    """``file:line: source`` of a test frame: the innermost, or the one given."""
    entries = [entry for entry in info.traceback if str(entry.path) == __file__]
    entry = entries[-1 if frame is None else frame]
    line = entry.frame.code.fullsource.lines[entry.lineno].strip()  # type: ignore[union-attr]
    return f"tests/ops/test_operators.py:{entry.lineno + 1}: {line}"


def test_scalars_have_neither_length_nor_entries() -> None:
    x = sg.placeholder("float32", (), name="x")
    with pytest.raises(sg.GraphError) as info:
        len(x)
    assert whole(info, x=x) == (
        "len: a scalar has no length\n"
        "  'x'  float32[]  placeholder at <x>\n"
        "  sg.size(x) counts elements\n"
        "  at <here>"
    )
    with pytest.raises(sg.GraphError) as info:
        iter(x)
    assert whole(info, x=x) == (
        "iter: a scalar has no entries\n"
        "  'x'  float32[]  placeholder at <x>\n"
        "  to repeat something so many times, loop in the graph with sg.fori_loop\n"
        "  at <here>"
    )


def test_a_list_of_tensors_is_no_constant() -> None:
    x = sg.placeholder("float32", ())
    with pytest.raises(sg.GraphError) as info:
        sg.constant([x, 1.0])
    assert whole(info) == (
        "constant: the value holds tensors, which have no value before a run\n"
        "  use sg.stack([...]) to make one tensor of several\n"
        "  at <here>"
    )


def test_a_float_has_no_bits() -> None:
    x = sg.placeholder("float32", (), name="x")
    with pytest.raises(sg.DTypeError) as info:
        x & x
    assert whole(info, x=x) == (
        "bitwise_and: does not take float32\n"
        "  lhs 'x'  float32[]  placeholder at <x>\n"
        "  rhs 'x'  float32[]  placeholder at <x>\n"
        "  lhs may be int8, int16, int32, int64, uint8, uint16, uint32, uint64; sg.cast(x, dtype) "
        "converts\n"
        "  created at <here>"
    )


# -- NumPy's functions ------------------------------------------------------------------------

ONE_ARGUMENT = [
    np.negative, np.positive, np.absolute, np.fabs, np.sign, np.square, np.sqrt, np.reciprocal,
    np.exp, np.expm1, np.log, np.log1p, np.sin, np.cos, np.tan, np.tanh, np.floor, np.ceil,
    np.rint, np.trunc, np.isnan, np.isinf, np.isfinite, special.expit, special.erf,
]  # fmt: skip
TWO_ARGUMENTS = [
    np.add, np.subtract, np.multiply, np.divide, np.true_divide, np.floor_divide, np.remainder,
    np.mod, np.power, np.float_power, np.maximum, np.minimum, np.equal, np.not_equal, np.less,
    np.less_equal, np.greater, np.greater_equal, np.vecdot,
]  # fmt: skip


@pytest.mark.parametrize("ufunc", ONE_ARGUMENT)
def test_ufuncs_of_one_argument(ufunc: Any) -> None:
    same(ufunc(sg.constant(FLOATS)), ufunc(FLOATS), exact=False)
    same(ufunc(sg.Variable(FLOATS)), ufunc(FLOATS), exact=False)


@pytest.mark.parametrize("ufunc", TWO_ARGUMENTS)
def test_ufuncs_of_two_arguments(ufunc: Any) -> None:
    x = sg.constant(FLOATS)
    same(ufunc(x, OTHERS), ufunc(FLOATS, OTHERS), exact=False)
    same(ufunc(OTHERS, x), ufunc(OTHERS, FLOATS), exact=False)
    same(ufunc(x, sg.Variable(OTHERS)), ufunc(FLOATS, OTHERS), exact=False)


@pytest.mark.parametrize("ufunc", [np.bitwise_and, np.bitwise_or, np.bitwise_xor])
def test_bitwise_ufuncs_choose_by_dtype(ufunc: Any) -> None:
    same(ufunc(sg.constant(BOOLS), ~BOOLS), ufunc(BOOLS, ~BOOLS))
    same(ufunc(INTS, sg.constant(INTS) + 1), ufunc(INTS, INTS + 1))
    same(np.invert(sg.constant(BOOLS)), ~BOOLS)
    same(np.invert(sg.constant(INTS)), ~INTS)


@pytest.mark.parametrize("ufunc", [np.logical_and, np.logical_or, np.logical_xor])
def test_logical_ufuncs(ufunc: Any) -> None:
    same(ufunc(sg.constant(BOOLS), ~BOOLS), ufunc(BOOLS, ~BOOLS))
    same(np.logical_not(sg.constant(BOOLS)), ~BOOLS)


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum])
def test_reductions_of_ufuncs(ufunc: Any) -> None:
    x = sg.constant(FLOATS)
    same(ufunc.reduce(x), ufunc.reduce(FLOATS), exact=False)
    same(
        ufunc.reduce(x, axis=1, keepdims=True), ufunc.reduce(FLOATS, axis=1, keepdims=True),
        exact=False,
    )  # fmt: skip
    same(np.logical_and.reduce(sg.constant(BOOLS), axis=None), np.all(BOOLS))
    same(np.logical_or.reduce(sg.constant(BOOLS), 1), np.any(BOOLS, 1))


FUNCTIONS: list[Callable[..., Any]] = [
    np.sum,
    lambda x: np.sum(x, 0),
    lambda x: np.sum(x, axis=1, keepdims=True),
    lambda x: np.prod(x, -1),
    np.mean,
    lambda x: np.max(x, 0),
    lambda x: np.amax(x, 0),
    lambda x: np.min(x, axis=(0, 1)),
    lambda x: np.amin(x),
    lambda x: np.any(x > 1, axis=0),
    lambda x: np.all(x > 1),
    lambda x: np.argmax(x, 1),
    lambda x: np.argmin(x, axis=0),
    lambda x: np.std(x, ddof=1),
    lambda x: np.var(x, 0, correction=1),
    lambda x: np.count_nonzero(x > 1, axis=1),
    lambda x: np.cumsum(x, 1),
    lambda x: np.cumprod(x, axis=0),
    np.linalg.norm,
    lambda x: np.linalg.norm(x, axis=1, keepdims=True),
    lambda x: np.where(x > 1, x, 0.0),
    lambda x: np.clip(x, 1.0, 2.0),
    lambda x: np.clip(x, None, 2.0),
    lambda x: np.clip(x, min=1.0, max=2.0),
    np.round,
    np.around,
    lambda x: np.concatenate([x, OTHERS]),
    lambda x: np.concatenate((x, x), axis=-1),
    lambda x: np.concat([x, x], axis=None),
    lambda x: np.stack([x, OTHERS], 1),
    lambda x: np.vstack([x, x]),
    lambda x: np.hstack([x, x]),
    lambda x: np.vstack([x[0], OTHERS]),
    lambda x: np.hstack([x[0], x[1]]),
    lambda x: np.split(x, 3, axis=1)[1],
    lambda x: np.reshape(x, (3, 2)),
    lambda x: np.reshape(x, -1, order="C"),
    np.ravel,
    np.transpose,
    lambda x: np.permute_dims(x, (1, 0)),
    np.matrix_transpose,
    lambda x: np.swapaxes(x, 0, -1),
    lambda x: np.moveaxis(x, 0, 1),
    lambda x: np.moveaxis(x[None], [0, 1], [-1, 0]),
    lambda x: np.expand_dims(x, (0, 3)),
    lambda x: np.squeeze(x[:1], axis=0),
    lambda x: np.broadcast_to(x, (2, 2, 3)),
    np.flip,
    lambda x: np.flip(x, 1),
    lambda x: np.roll(x, 2),
    lambda x: np.roll(x, 1, axis=1),
    lambda x: np.tile(x, (2, 1)),
    lambda x: np.repeat(x, 2, axis=0),
    lambda x: np.pad(x, 1),
    lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=3.0),
    lambda x: np.pad(x, 1, "constant"),
    lambda x: np.take(x, [0, 5]),
    lambda x: np.take(x, [1, 0], axis=1),
    lambda x: np.take_along_axis(x, np.array([[1], [0]]), axis=1),
    np.sort,
    lambda x: np.sort(x, axis=0),
    lambda x: np.argsort(x, stable=True),
    np.zeros_like,
    lambda x: np.ones_like(x, dtype="int8"),
    lambda x: np.full_like(x, 2.5),
    lambda x: np.dot(x, OTHERS.T),
    lambda x: np.outer(x, x[0]),
    lambda x: np.tensordot(x, OTHERS, axes=2),
    lambda x: np.matmul(x, OTHERS.T),
    np.copy,
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions(function: Callable[..., Any]) -> None:
    same(function(sg.constant(FLOATS)), function(FLOATS), exact=False)


def test_functions_take_variables_and_tensors_inside_lists() -> None:
    w = sg.Variable(FLOATS)
    same(np.sum(w, axis=0), FLOATS.sum(0), exact=False)
    same(np.stack([OTHERS, w]), np.stack([OTHERS, FLOATS]))


def test_shapes_that_are_known_are_numbers() -> None:
    x = sg.placeholder("float32", (2, 3))
    assert np.shape(x) == (2, 3)
    assert np.ndim(x) == 2


REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (
        lambda x: np.sin(x, out=np.ones(3)),
        "numpy.sin: an array cannot take the value of a tensor, which has none before a run\n"
        "  write array = array + x instead of array += x, and leave out=... away\n",
    ),
    (
        lambda x: operator.iadd(np.ones(3), x),
        "numpy.add: an array cannot take the value of a tensor, which has none before a run\n"
        "  write array = array + x instead of array += x, and leave out=... away\n",
    ),
    (
        lambda x: np.add(x, x, where=[True]),
        "numpy.add: takes no where=... with tensors\n"
        "  sg.where chooses elements, sg.cast converts\n",
    ),
    (
        lambda x: np.subtract.accumulate(x),
        "numpy.subtract.accumulate: is not there for tensors\n"
        "  sg.cumulative_sum and sg.cumulative_prod are; sg.scan runs over any function\n",
    ),
    (
        lambda x: np.sort(x, order="field"),
        "numpy.sort: takes no order=... with tensors\n"
        "  leave it away; sg.cast converts, sg.where chooses elements\n",
    ),
    (
        lambda x: np.where(x > 0),
        "numpy.where: one argument asks for places, and they are several tensors\n"
        "  sg.nonzero(condition) gives them; sg.where(condition, x, y) chooses elements\n",
    ),
    (
        lambda x: np.round(x, 0.5),
        "round: decimals=0.5 is no int\n  give the number of decimals as an int\n",
    ),
    (
        np.shape,
        "numpy.shape: not every size is known before the run\n  sg.shape(x) is a tensor\n",
    ),
    (
        np.packbits,
        "numpy.packbits: is not there for tensors\n"
        "  `staticgraph ops WORD` searches what is there, and a value that was fetched can "
        "be given to it\n",
    ),
    (
        np.isnat,
        "numpy.isnat: is not there for tensors\n"
        "  near it are numpy.isnan; `staticgraph ops WORD` searches what is there, and a value "
        "that was fetched can be given to it\n",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_numpy_cannot_do_here_is_refused(call: Callable[[Any], Any], message: str) -> None:
    x = sg.placeholder("float32", (None,), name="x")
    with pytest.raises(sg.GraphError) as info:
        call(x)
    assert str(info.value) == f"{message}  at {_line_of(info)}"


# -- speed ------------------------------------------------------------------------------------


def test_an_operator_costs_little() -> None:
    x = sg.placeholder("float32", (3,))

    def hundred() -> None:
        y = x
        for _ in range(100):
            y = y + x

    hundred()
    # A dozen calls a node where this was written: a layer more between the two would show.
    assert work(hundred) < 100 * 25
