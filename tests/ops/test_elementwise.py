"""Elementwise ops over any shapes, dtypes and strides, and what their public functions are."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import staticgraph as sg
from staticgraph.core import dtypes, opdef
from staticgraph.core.graph import Graph

from .checks import Program

Array = np.ndarray[Any, Any]

# Per op: NumPy's function, and the dtypes it is tried with; the last list ends in what promotes.
ARITHMETIC = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "floor_divide": np.floor_divide,
    "remainder": np.remainder,
    "maximum": np.maximum,
    "minimum": np.minimum,
}
COMPARISONS = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}
BITS = {
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
}
UNARY = {
    "negative": np.negative,
    "square": np.square,
    "abs": np.absolute,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "trunc": np.trunc,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "reciprocal": np.reciprocal,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
}

LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "as it is": lambda a: a,
    "backwards": lambda a: np.flip(np.flip(a).copy()),
    "columns first": np.asfortranarray,
    "every second": lambda a: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a,
    "repeated": lambda a: np.broadcast_to(a[:1], a.shape) if a.ndim and a.shape[0] else a,
    "unaligned": lambda a: _unaligned(a),
}


def _unaligned(array: Array) -> Array:
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:]
    shifted = raw.view(array.dtype).reshape(array.shape)
    shifted[...] = array
    return shifted


def _values(dtype: Any) -> st.SearchStrategy[Any]:
    if dtype.kind == "f":
        width = dtype.itemsize * 8
        edges = st.sampled_from([0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1.0, -1.0])
        return edges | st.floats(-8, 8, width=width)
    return npst.from_dtype(dtype)


@st.composite
def _operands(
    draw: Callable[..., Any], kinds: tuple[Any, ...], count: int = 2
) -> tuple[list[Array], bool]:
    """Broadcastable operands in some layout, and whether their sizes are known in advance."""
    shapes = draw(npst.mutually_broadcastable_shapes(num_shapes=count, max_dims=3, max_side=3))
    arrays = []
    for shape in shapes.input_shapes:
        dtype = draw(st.sampled_from(kinds))
        array = draw(npst.arrays(dtype, shape, elements=_values(dtype)))
        arrays.append(LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))](array))
    return arrays, draw(st.booleans())


def _run(name: str, arrays: list[Array], known: bool) -> Array:
    with Graph().as_default() as graph:
        feeds = [
            sg.placeholder(array.dtype, array.shape if known else (None,) * array.ndim)
            for array in arrays
        ]
        result = getattr(sg, name)(*feeds)
    (value,) = Program(graph, [result], feeds)(arrays)
    assert value.dtype == result.dtype
    return value


def _assert_same(have: Array, want: Array, units: int = 0) -> None:
    """Equal to some units in the last place, the sign of zeros included."""
    assert have.dtype == want.dtype
    if units and have.dtype.kind == "f":
        relative = units * np.finfo(have.dtype).eps
        np.testing.assert_allclose(have, want, rtol=relative, atol=0, strict=True)
    else:
        np.testing.assert_array_equal(have, want, strict=True)
    if have.dtype.kind == "f":
        zeros = (have == 0) & (want == 0)
        np.testing.assert_array_equal(np.signbit(have)[zeros], np.signbit(want)[zeros])


def _promoted(arrays: list[Array], floating: bool) -> list[Array]:
    dtype = np.result_type(*[array.dtype for array in arrays])
    if floating and dtype.kind != "f":
        dtype = np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)
    return [array.astype(dtype) for array in arrays]


NUMERIC = tuple(dtype for dtype in dtypes.ALL if dtype in dtypes.NUMERIC)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(ARITHMETIC)), _operands(NUMERIC))
def test_arithmetic_is_numpys(name: str, operands: tuple[list[Array], bool]) -> None:
    arrays, known = operands
    with np.errstate(all="ignore"):
        want = ARITHMETIC[name](*_promoted(arrays, name == "divide"))
    have = _run(name, arrays, known)
    if name in ("maximum", "minimum"):
        # Which of 0.0 and -0.0 is the larger depends on the machine, in NumPy too.
        have, want = have + have.dtype.type(0), want + want.dtype.type(0)
    _assert_same(have, want)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(COMPARISONS)), _operands((dtypes.bool_, *NUMERIC)))
def test_comparisons_are_numpys(name: str, operands: tuple[list[Array], bool]) -> None:
    arrays, known = operands
    _assert_same(_run(name, arrays, known), COMPARISONS[name](*_promoted(arrays, False)))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(BITS)),
    _operands(tuple(dtype for dtype in dtypes.ALL if dtype in dtypes.SIGNED)),
)
def test_bitwise_ops_are_numpys(name: str, operands: tuple[list[Array], bool]) -> None:
    arrays, known = operands
    _assert_same(_run(name, arrays, known), BITS[name](*_promoted(arrays, False)))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(UNARY)), _operands(NUMERIC, 1))
def test_functions_are_numpys(name: str, operands: tuple[list[Array], bool]) -> None:
    (array,), known = operands
    floating = opdef.get(name).dtypes in (dtypes.FLOATING, dtypes.INEXACT)
    if name in ("ceil", "floor", "round", "trunc") and array.dtype.kind in "iu":
        np.testing.assert_array_equal(_run(name, [array], known), array, strict=True)
        return
    with np.errstate(all="ignore"):
        want = UNARY[name](*_promoted([array], floating))
    # NumPy's own results differ by a bit between memory layouts, where it has code for each.
    _assert_same(_run(name, [array], known), want, units=4)


@settings(max_examples=60, deadline=None)
@given(_operands((dtypes.float32, dtypes.int32), 3))
def test_where_is_numpys(operands: tuple[list[Array], bool]) -> None:
    (condition, x, y), known = operands
    x, y = _promoted([x, y], False)
    _assert_same(_run("where", [condition > 0, x, y], known), np.where(condition > 0, x, y))


@settings(max_examples=60, deadline=None)
@given(_operands((dtypes.float64,), 3))
def test_clip_is_numpys(operands: tuple[list[Array], bool]) -> None:
    arrays, known = operands
    have = _run("clip", arrays, known)
    want = np.minimum(np.maximum(arrays[0], arrays[1]), arrays[2])
    _assert_same(have + 0.0, want + 0.0)


# -- derivatives of broadcast operands --------------------------------------------------------


def _summed_to(array: Array, shape: tuple[int, ...]) -> Array:
    """Sums what was broadcast, by NumPy's own account of strides."""
    total = np.zeros(shape)
    spread = np.broadcast_to(np.arange(total.size).reshape(shape), array.shape)
    np.add.at(total.reshape(-1), spread.reshape(-1), array.reshape(-1))
    return total


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["add", "subtract", "multiply", "maximum"]),
    npst.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3),
    st.booleans(),
    st.integers(0, 99),
)
def test_adjoints_are_summed_over_what_was_broadcast(
    name: str, shapes: Any, known: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    lhs, rhs = (random.standard_normal(shape) for shape in shapes.input_shapes)
    adjoint = random.standard_normal(shapes.result_shape)
    rules = {
        "add": (1.0, 1.0),
        "subtract": (1.0, -1.0),
        "multiply": (rhs, lhs),
        "maximum": (np.greater(lhs, rhs), np.less(lhs, rhs)),
    }[name]
    with Graph().as_default() as graph:
        feeds = [
            sg.placeholder("float64", array.shape if known else (None,) * array.ndim)
            for array in (lhs, rhs, adjoint)
        ]
        x, y, u = feeds
        slopes = sg.gradients(getattr(sg, name)(x, y), [x, y], grad_ys=[u])
    have = Program(graph, slopes, feeds)([lhs, rhs, adjoint])
    for slope, operand, rule in zip(have, (lhs, rhs), rules, strict=True):
        want = _summed_to(np.broadcast_to(adjoint * rule, adjoint.shape), operand.shape)
        np.testing.assert_allclose(slope, want, rtol=1e-12, atol=1e-12, strict=True)


# -- the public functions ---------------------------------------------------------------------

FUNCTIONS = [
    getattr(sg, op.name) for op in opdef.registered() if hasattr(getattr(sg, op.name, None), "op")
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_functions_made_from_records_say_what_they_are(function: Any) -> None:
    op = function.op
    assert opdef.get(op.name) is op
    assert function.__name__ == function.__qualname__ == op.name
    assert " ".join(function.__doc__.split()).startswith(op.doc)
    assert list(inspect.signature(function).parameters) == [*op.operands, "name"]


def test_there_are_functions_made_from_records() -> None:
    assert len(FUNCTIONS) > 40


def test_nodes_can_be_named() -> None:
    x = sg.placeholder("float32", ())
    assert sg.tanh(x, name="activation").name == "activation"
    assert sg.add(x, 1.0, name="sum").name == "sum"
    assert sg.where(x > 0, x, 0.0, name="chosen").name == "chosen"
    assert sg.clip(x, 0.0, 1.0, name="limited").name == "limited"
    assert sg.clip(x, 0.0, name="low").name == "low"
    assert sg.clip(x, max=0.0, name="high").name == "high"


def test_a_clip_without_limits_is_its_operand() -> None:
    x = sg.placeholder("float32", ())
    assert sg.clip(x) is x


def test_types_are_inferred_from_what_is_known() -> None:
    x = sg.placeholder("float32", (None, 3))
    y = sg.placeholder("float32", ("batch", 1))
    assert (x * x).type.shape == x.type.shape
    assert (x * y).shape == (None, 3)
    assert (y * y).shape == ("batch", 1)
    assert (x * sg.placeholder("float32")).shape is None
    assert (x * sg.placeholder("float32", (5, 3))).shape == (5, 3)


# -- derivatives where care is needed ---------------------------------------------------------


def _slope(function: Callable[[Any], Any], at: float) -> float:
    x = sg.placeholder("float64", ())
    (slope,) = sg.gradients(function(x), x)
    return float(sg.Session().run(slope, {x: at}))


@pytest.mark.parametrize(
    ("function", "at", "slope"),
    [
        (sg.abs, 0.0, 0.0),
        (sg.relu, 0.0, 0.0),
        (lambda x: sg.maximum(x, 0.0), 0.0, 0.5),
        (lambda x: sg.minimum(x, x), 2.0, 1.0),
        (lambda x: x**0, 0.0, 0.0),
        (lambda x: x**1, 0.0, 1.0),
        (lambda x: x**2, 0.0, 0.0),
        (lambda x: x**3, -2.0, 12.0),
        (lambda x: x**x, 1.0, 1.0),
        (lambda x: 0.0**x, 2.0, 0.0),
        (sg.sigmoid, 1000.0, 0.0),
        (sg.sigmoid, -1000.0, 0.0),
        (sg.softplus, 1000.0, 1.0),
        (sg.softplus, -1000.0, 0.0),
        (sg.tanh, 1000.0, 0.0),
        (sg.erf, 1000.0, 0.0),
        (lambda x: sg.clip(x, 0.0, 1.0), 0.0, 1.0),
        (lambda x: sg.clip(x, 0.0, 1.0), 1.0, 1.0),
        (lambda x: sg.clip(x, 0.0, 1.0), 1.5, 0.0),
        (lambda x: sg.where(x > 0, sg.sqrt(x), 0.0), 0.0, 0.0),
        (lambda x: sg.where(x > 0, sg.log(x), 0.0), -1.0, 0.0),
    ],
)
def test_slopes_at_awkward_points(function: Callable[[Any], Any], at: float, slope: float) -> None:
    assert _slope(function, at) == slope
