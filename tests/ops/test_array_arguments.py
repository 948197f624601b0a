"""What functions of whole arrays make of arguments that are easily read in another way.

Values are NumPy's, on both backends, also where what an argument says is seen only in the run;
messages of what is refused are whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import staticgraph
from staticgraph.errors import DTypeError, RunError, ShapeError

from .refusing import refused

# Without the types that some of the calls break.
sg: Any = staticgraph

Array = np.ndarray[Any, Any]
BACKENDS = pytest.mark.parametrize("backend", ["native", "reference"])


def run(backend: str, call: Callable[..., Any], *arrays: Any, known: bool = False) -> Any:
    """The values of what `call` makes of placeholders, whose sizes are known or not."""
    given = [np.asarray(array) for array in arrays]
    with sg.Graph().as_default():
        feeds = [
            sg.placeholder(a.dtype, a.shape if known else (None,) * a.ndim, name=f"x{number}")
            for number, a in enumerate(given)
        ]
        feed: dict[Any, Any] = dict(zip(feeds, given, strict=True))
        return sg.Session(backend=backend).run(call(*feeds), feed)


# -- pad --------------------------------------------------------------------------------------


@BACKENDS
@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8", "bool", "float64"])
def test_ramps_to_an_end_value_are_those_of_numpy(backend: str, dtype: str) -> None:
    counts = [1, 2, 3, 7, 22, 49, 59, 98, 119]
    # No step is 0: for all rows beside such a one NumPy rounds in another order.
    x = np.array([[22, 100], [119, 3]]).astype(dtype)
    widths = [((0, 0), (count, count)) for count in counts]
    have = run(backend, lambda t: [sg.pad(t, width, "linear_ramp") for width in widths], x)
    for width, ramp in zip(widths, have, strict=True):
        np.testing.assert_array_equal(ramp, np.pad(x, width, "linear_ramp"), strict=True)


@BACKENDS
def test_ramps_of_half_precision_are_not_rounded_to_ints(backend: str) -> None:
    x = np.array([1.5, 2.5], np.float16)
    have = run(backend, lambda t: sg.pad(t, (2, 2), "linear_ramp"), x)
    np.testing.assert_array_equal(have, np.pad(x, (2, 2), "linear_ramp"), strict=True)


@BACKENDS
def test_numbers_that_pad_puts_in_are_rounded_once(backend: str) -> None:
    x = np.array([1.5, 2.5])

    def padded(m: Any, t: Any) -> list[Any]:
        return [
            m.pad(t, 1, constant_values=0.1),
            m.pad(t, 1, constant_values=(0.1, 0.7)),
            m.pad(t, 1, "linear_ramp", end_values=(0.1, 0.7)),
            m.pad(t, 1, constant_values=np.array(0.1)),
        ]

    for have, want in zip(run(backend, lambda t: padded(sg, t), x), padded(np, x), strict=True):
        np.testing.assert_array_equal(have, want, strict=True)


# -- rows of numbers --------------------------------------------------------------------------


@BACKENDS
@pytest.mark.parametrize("endpoint", [False, True])
def test_linspace_of_ints_is_rounded_down(backend: str, endpoint: bool) -> None:
    ends = [(0, 22), (1, 100), (-7, 3), (-7.5, 3.25), (3, -49)]
    counts = [0, 1, 2, 3, 4, 23, 50, 99]

    def rows(m: Any) -> list[Any]:
        return [
            m.linspace(start, stop, count, endpoint, dtype="int64")
            for start, stop in ends
            for count in counts
        ]

    for have, want in zip(run(backend, lambda: rows(sg)), rows(np), strict=True):
        np.testing.assert_array_equal(have, want, strict=True)
    call = lambda m, x, n: m.linspace(x, 100.0, n, endpoint, axis=1, dtype="int16")  # noqa: E731
    x = np.array([1.0, -3.5])
    for count in (4, 50):
        have = run(backend, lambda t, n: call(sg, t, n), x, count)
        np.testing.assert_array_equal(have, call(np, x, count), strict=True)


@BACKENDS
def test_geomspace_reaches_both_ends(backend: str) -> None:
    calls: list[Callable[[Any], Any]] = [
        lambda m: m.geomspace(1, 1000, 4, dtype="int64"),
        lambda m: m.geomspace(1, 1000, 4, dtype="float64"),
        lambda m: m.geomspace(-1.0, -1000.0, 4, dtype="float64"),
        lambda m: m.geomspace(1, 10**9, 10, dtype="int64"),
        lambda m: m.geomspace(1, 1000, 3, endpoint=False, dtype="int64"),
        lambda m: m.geomspace(np.array([1.0, 3.0]), np.array([[7.0], [11.0]]), 1, axis=1),
        lambda m: m.geomspace(5.0, 7.0, 0, dtype="float64"),
    ]
    rows = run(backend, lambda: [call(sg) for call in calls])
    for call, have in zip(calls, rows, strict=True):
        np.testing.assert_allclose(have, call(np), 1e-15, strict=True)
    starts, stops = np.array([0.1, -7.0]), np.array([[0.3], [-1e9]])
    for count in (2, 3, 70):
        row = run(backend, lambda x, y, n: sg.geomspace(x, y, n), starts, stops, count)
        np.testing.assert_array_equal(row[0], np.broadcast_to(starts, (2, 2)))
        np.testing.assert_array_equal(row[-1], np.broadcast_to(stops, (2, 2)))


@BACKENDS
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_geomspace_of_narrow_floats_is_rounded_once(backend: str, dtype: str) -> None:
    have = run(backend, lambda x: sg.geomspace(x, 10000.0, 5), np.array(1.0, dtype))
    np.testing.assert_array_equal(have, np.array([1, 10, 100, 1000, 10000], dtype), strict=True)


# -- choices ----------------------------------------------------------------------------------


@BACKENDS
def test_choose_of_one_asks_for_its_number(backend: str) -> None:
    one = np.array([[1], [2]])
    have = run(backend, lambda i, x: sg.choose(i, [x]), [0, 0, 0], one)
    np.testing.assert_array_equal(have, np.choose([0, 0, 0], [one]))
    assert refused(lambda: run(backend, lambda i, x: sg.choose(i, [x]), [0, 5], one), RunError) == (
        "choose: a number is not from 0 to 0\n"
        "  a 'x0'  int64[?]  feed at <line>\n"
        "  a is [0 5]\n"
        "  give mode='wrap' or mode='clip', or other numbers\n"
        "  created at <line>"
    )


@BACKENDS
def test_choose_among_equals_asks_for_its_number(backend: str) -> None:
    with pytest.raises(RunError, match=r"choose: a number is not from 0 to 1"):
        run(backend, lambda i, x: sg.choose(i, [x, x]), [0, 5], [1.0, 2.0])


PIECES: list[tuple[str, Any, Any, list[Any]]] = [
    ("a list of bools", [1.0, 2.0], [True, False], [lambda x: 10 * x, lambda x: 100 * x]),
    ("an array of bools", [1.0, 2.0], np.array([False, True]), [lambda x: -x]),
    ("rows of an array", [1.0, 2.0], np.array([[True, False], [False, True]]), [lambda x: x, 7]),
    ("lists of bools", [1.0, 2.0], [[True, False], [True, True]], [3, lambda x: x, 9]),
    ("bools of a scalar", 2.0, [True, False], [lambda x: 10 * x, lambda x: 100 * x]),
    ("later ones win", [1.0, 2.0], [[True, True], [False, True]], [5, 0.1]),
    ("ints of floats", [1, 2], [[True, False]], [3.7, -3.7]),
]


@BACKENDS
@pytest.mark.parametrize(
    ("label", "x", "conditions", "functions"), PIECES, ids=[row[0] for row in PIECES]
)
def test_piecewise(backend: str, label: str, x: Any, conditions: Any, functions: list[Any]) -> None:
    have = run(backend, lambda t: sg.piecewise(t, conditions, functions), x)
    np.testing.assert_array_equal(
        have, np.piecewise(np.asarray(x), conditions, functions), strict=True
    )


@BACKENDS
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("shape", [(3, 0), (2, 1, 0), (1, 3)])
def test_apply_along_an_axis_of_nothing(backend: str, known: bool, shape: tuple[int, ...]) -> None:
    x = np.ones(shape)
    have = run(backend, lambda t: sg.apply_along_axis(sg.sum, -1, t), x, known=known)
    np.testing.assert_array_equal(have, np.apply_along_axis(np.sum, -1, x), strict=True)


# -- entries and places -----------------------------------------------------------------------


@BACKENDS
@pytest.mark.parametrize("place", [0, 3, -3])
def test_insert_where_only_the_run_knows_the_size(backend: str, place: int) -> None:
    x = np.array([0.0, 1.0, 2.0])
    have = run(backend, lambda t: sg.insert(t, place, 7.1), x)
    np.testing.assert_array_equal(have, np.insert(x, place, 7.1), strict=True)


@BACKENDS
@pytest.mark.parametrize("place", [4, -4])
def test_insert_at_no_place_fails_the_run(backend: str, place: int) -> None:
    call = lambda t: sg.insert(t, place, 7.0)  # noqa: E731
    assert refused(lambda: run(backend, call, [0.0, 1.0, 2.0]), RunError) == (
        f"insert: there is no entry {place} along axis 0\n"
        "  entries are counted from 0, or from -1 at the end\n"
        "  created at <line>"
    )


@BACKENDS
@pytest.mark.parametrize("shape", [(1,), (1, 3), (3, 1, 1)])
def test_a_place_that_is_not_there_fails_the_run_along_axes_of_one(
    backend: str, shape: tuple[int, ...]
) -> None:
    for axis in range(len(shape)):
        with pytest.raises(RunError, match="unravel_index: a place is not one of the"):
            run(backend, lambda i, axis=axis: sg.unravel_index(i, shape)[axis], [0, 5])


@BACKENDS
@pytest.mark.parametrize("mode", ["raise", "wrap", "clip"])
def test_an_axis_of_nothing_has_no_index(backend: str, mode: str) -> None:
    call = lambda i, j: sg.ravel_multi_index([i, j], (0, 3), mode)  # noqa: E731
    empty = np.zeros(0, np.int64)
    np.testing.assert_array_equal(run(backend, call, empty, empty), empty, strict=True)
    assert refused(lambda: run(backend, call, [1], [2]), RunError) == (
        "ravel_multi_index: axis 0 has size 0 and no index\n"
        "  multi_index 'x0'  int64[?]  feed at <line>\n"
        "  multi_index is [1]\n"
        "  give sizes from 1\n"
        "  created at <line>"
    )


# -- sets -------------------------------------------------------------------------------------


@BACKENDS
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_unique_takes_nan_of_half_precision_for_one(backend: str, dtype: str) -> None:
    have = run(backend, lambda: sg.unique(sg.constant([np.nan, 1.0, np.nan], dtype)))
    np.testing.assert_array_equal(have.astype(np.float32), [1.0, np.nan])


# -- refused when it is called ----------------------------------------------------------------


class _Operands:
    """Operands that the calls take, new for each call."""

    def __init__(self) -> None:
        self.x = sg.placeholder("float32", (3, 4), name="x")
        self.v = sg.placeholder("float32", (3,), name="v")
        self.b = sg.placeholder("int8", (2,), name="b")
        self.i = sg.placeholder("int32", (3,), name="i")


REFUSED: list[tuple[str, Callable[[_Operands], Any], type[Exception], str]] = [
    (
        "constant_values of edge",
        lambda t: sg.pad(t.v, 1, "edge", constant_values=4),
        ShapeError,
        "pad: mode='edge' takes no constant_values\n"
        "  leave it away, or give mode='constant'\n"
        "  at <line>",
    ),
    (
        "end_values of constant",
        lambda t: sg.pad(t.v, 1, end_values=4),
        ShapeError,
        "pad: mode='constant' takes no end_values\n"
        "  leave it away, or give mode='linear_ramp'\n"
        "  at <line>",
    ),
    (
        "stat_length of constant",
        lambda t: sg.pad(t.v, 1, stat_length=1),
        ShapeError,
        "pad: mode='constant' takes no stat_length\n"
        "  leave it away, or give mode='maximum' or 'minimum' or 'mean' or 'median'\n"
        "  at <line>",
    ),
    (
        "a number that pad cannot put in",
        lambda t: sg.pad(t.b, 1, constant_values=(1, 300)),
        DTypeError,
        "pad: constant_values=300 does not fit int8\n"
        "  give other numbers, or a wider x: sg.cast(x, dtype) converts\n"
        "  at <line>",
    ),
    (
        "a number that piecewise cannot put in",
        lambda t: sg.piecewise(t.b, [t.b > 0], [1, -129]),
        DTypeError,
        "piecewise: funclist[1]=-129 does not fit int8\n"
        "  give other numbers, or a wider x: sg.cast(x, dtype) converts\n"
        "  at <line>",
    ),
    (
        "a function alone",
        lambda t: sg.piecewise(t.v, [t.v > 0], 3),
        ShapeError,
        "piecewise: funclist=3 is no list\n  give one function per condition: [f]\n  at <line>",
    ),
    (
        "a condition with more axes",
        lambda t: sg.piecewise(t.v, [t.x > 0], [3]),
        ShapeError,
        "piecewise: a condition is bool[3, 4]\n"
        "  x 'v'  float32[3]  placeholder at <line>\n"
        "  condition 'greater'  bool[3, 4]  greater at <line>\n"
        "  give bools that broadcast to x: x > 0\n"
        "  created at <line>",
    ),
    (
        "a number as choices",
        lambda t: sg.choose(t.i, 3),
        ShapeError,
        "choose: choices=3 is no list\n  give the choices in a list\n  at <line>",
    ),
    (
        "no function",
        lambda t: sg.apply_along_axis(3, 0, t.x),
        ShapeError,
        "apply_along_axis: func1d=3 is no function\n  give a function\n  at <line>",
    ),
    (
        "a number that insert cannot put in",
        lambda t: sg.insert(t.b, 0, 300),
        DTypeError,
        "insert: values=300 does not fit int8\n"
        "  give other numbers, or a wider x: sg.cast(x, dtype) converts\n"
        "  at <line>",
    ),
    (
        "NaN among ints",
        lambda t: sg.insert(t.b, [0, 1], [1.5, float("nan")]),
        DTypeError,
        "insert: values=[1.5, nan] does not fit int8\n"
        "  give other numbers, or a wider x: sg.cast(x, dtype) converts\n"
        "  at <line>",
    ),
    (
        "places of the run",
        lambda t: sg.insert(t.v, t.i, 7),
        DTypeError,
        "insert: obj is a tensor, whose values only the run knows\n"
        "  x 'v'  float32[3]  placeholder at <line>\n"
        "  obj 'i'  int32[3]  placeholder at <line>\n"
        "  give an int, a slice or a list of ints\n"
        "  created at <line>",
    ),
    (
        "uneven places of insert",
        lambda t: sg.insert(t.v, [[1], [1, 2]], 7),
        ShapeError,
        "insert: [[1], [1, 2]] names no entries: its rows differ in length\n"
        "  x 'v'  float32[3]  placeholder at <line>\n"
        "  give an int, a slice, a list of ints, or one bool per entry\n"
        "  created at <line>",
    ),
    (
        "uneven places of delete",
        lambda t: sg.delete(t.v, [[1], [1, 2]]),
        ShapeError,
        "delete: [[1], [1, 2]] names no entries: its rows differ in length\n"
        "  x 'v'  float32[3]  placeholder at <line>\n"
        "  give an int, a slice, a list of ints, or one bool per entry\n"
        "  created at <line>",
    ),
    (
        "a number as keys",
        lambda t: sg.lexsort(3),
        ShapeError,
        "lexsort: keys=3 is no sequence\n  give the keys in a tuple\n  at <line>",
    ),
    (
        "a negative size",
        lambda t: sg.indices((-1, 2)),
        ShapeError,
        "indices: -1 is no size of an axis\n  sizes are not negative\n  at <line>",
    ),
    (
        "a size that is no int",
        lambda t: sg.tril_indices(2.5),
        ShapeError,
        "tril_indices: 2.5 is no size of an axis\n"
        "  give an int, or for a size that only the run knows a tensor such as sg.size(x, 0)\n"
        "  at <line>",
    ),
    (
        "a negative number of columns",
        lambda t: sg.triu_indices(2, m=-1),
        ShapeError,
        "triu_indices: -1 is no size of an axis\n  sizes are not negative\n  at <line>",
    ),
    (
        "a negative diagonal",
        lambda t: sg.diag_indices(-2),
        ShapeError,
        "diag_indices: -2 is no size of an axis\n  sizes are not negative\n  at <line>",
    ),
    (
        "half a diagonal",
        lambda t: sg.diagflat(t.v, 1.5),
        ShapeError,
        "diagflat: k=1.5 is no diagonal\n  give an int\n  at <line>",
    ),
    (
        "floats as indices",
        lambda t: sg.ix_(t.i, t.v),
        DTypeError,
        "ix_: this is float32\n"
        "  args[1] 'v'  float32[3]  placeholder at <line>\n"
        "  give ints, or bools\n"
        "  created at <line>",
    ),
    (
        "a number as indices",
        lambda t: sg.ravel_multi_index(3, (2, 3)),
        ShapeError,
        "ravel_multi_index: multi_index=3 is no list\n  give one index per axis\n  at <line>",
    ),
    (
        "more places than int64 holds",
        lambda t: sg.ravel_multi_index([t.i, t.i], (2**40, 2**40)),
        ShapeError,
        "ravel_multi_index: shape (1099511627776, 1099511627776) has more places than int64 holds\n"
        "  give smaller sizes\n"
        "  at <line>",
    ),
    (
        "no bool of unique",
        lambda t: sg.unique(t.v, return_index="no"),
        ShapeError,
        "unique: return_index='no' is no bool\n  give True or False\n  at <line>",
    ),
]


@pytest.mark.parametrize(
    ("label", "call", "error", "message"), REFUSED, ids=[row[0] for row in REFUSED]
)
def test_whole_messages(
    label: str, call: Callable[[_Operands], Any], error: type[Exception], message: str
) -> None:
    with sg.Graph().as_default():
        operands = _Operands()
        assert refused(lambda: call(operands), error) == message
