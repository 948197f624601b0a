"""Samples of ops/sorting.py, searching.py, sets.py and segments.py: values from NumPy and loops."""

from __future__ import annotations

from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError
from staticgraph.ops.segments import SCATTER_MAX, SCATTER_MIN
from staticgraph.ops.selecting import TOP_PLACES
from staticgraph.ops.sorting import ORDER_OF_WORDS

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

_random = np.random.default_rng(29)


def _array(*shape: int) -> Array:
    return np.asarray(_random.uniform(-2.0, 2.0, shape))


_X = _array(3, 5)
_CUBE = _array(2, 3, 4)
_INTS = np.array([[3, 1, 3, 2], [-5, 7, 7, -5]], np.int32)
_HOLES = np.array([2.0, np.nan, -1.0, np.inf, -np.inf, np.nan])
_MASK = np.array([[True, False, True], [False, False, True]])
_NOTHING = np.zeros((0, 3))
_ROW = np.array([-1.0, 0.5, 0.5, 2.0, 3.0])
_IDS = np.array([2, 0, 2, 4, 0])

# -- order ------------------------------------------------------------------------------------


def _top_places(x: Any, k: int, largest: bool) -> sg.Tensor:
    return x.graph.add(TOP_PLACES, (x,), {"k": k, "descending": largest}).out


def _order_of_words(words: Any, bits: int) -> sg.Tensor:
    return words.graph.add(ORDER_OF_WORDS, (words,), {"bits": bits}).out


_ORDERS = [
    Sample(
        "sort", lambda x, axis=axis: sg.sort(x, axis), (x,),
        lambda x, axis=axis: np.sort(x, axis), wrt=(0,) if x.dtype == np.float64 else (),
        label=label,
    )
    for label, x, axis in [
        ("", _X, -1), ("first axis", _X, 0), ("middle", _CUBE, 1), ("ints", _INTS, 1),
        ("bools", _MASK, 0), ("nothing", _NOTHING, 0), ("one", _X[:, :1], 1),
        ("int8", _INTS.astype(np.int8), 0), ("uint64", _INTS.astype(np.uint64), 1),
    ]
] + [
    Sample("sort", sg.sort, (_HOLES,), np.sort, label="NaN last"),
    Sample(
        "sort", lambda x: sg.sort(x, descending=True), (_HOLES,),
        lambda x: np.array([np.nan, np.nan, np.inf, 2.0, -1.0, -np.inf]), label="NaN first",
    ),
    Sample(
        "sort", lambda x: sg.sort(x, 0, descending=True), (_array(4, 2),),
        lambda x: -np.sort(-x, 0), wrt=(0,), label="descending",
    ),
    Sample(
        "sort", sg.sort, (np.array([0.0, 1.0, -0.0]),), lambda x: np.array([-0.0, 0.0, 1.0]),
        label="zeros",
    ),
    Sample(
        "sort", lambda x: sg.square(sg.sort(x)) * sg.sort(x)[::-1], (_array(6),),
        lambda x: np.sort(x) ** 2 * np.sort(x)[::-1], wrt=(0,), label="curved",
    ),
    *[
        Sample(
            "order_of_words", lambda x: _order_of_words(x, 48), (words,),
            lambda x: np.argsort(x % 2**48, stable=True), label=label,
        )
        for label, words in [
            ("no words", np.zeros(0, np.uint64)),
            ("a word", np.array([5], np.uint64)),
            ("some words", _random.integers(0, 2**48, 77, np.uint64)),
            ("words backwards", _random.integers(0, 2**48, 40, np.uint64)[::-2]),
            ("words with higher bits", _random.integers(0, 2**64, 2000, np.uint64)),
            ("words with ties", _random.integers(0, 9, 1500, np.uint64)),
        ]
    ],
    *[
        Sample(
            "top_places", lambda x, k=k, largest=largest: _top_places(x, k, largest), (x,),
            lambda x, k=k, largest=largest: np.sort(
                np.argsort(-x if largest else x, stable=True)[..., :k]
            ),
            label=label,
        )
        for label, x, k, largest in [
            ("the smallest of rows", _X, 2, False),
            ("the largest of backward rows", _CUBE[:, ::-1, ::-2], 1, True),
            ("all with ties", _INTS, 4, False),
            ("of no rows", np.zeros((0, 3)), 2, True),
            ("of a row that fills the buffer", np.arange(700.0), 9, True),
        ]
    ],
    Sample(
        "gather", lambda x: sg.top_k(x, 2), (_X,),
        lambda x: (np.sort(x)[:, :-3:-1], np.argsort(-x)[:, :2]), wrt=(0,), label="top_k",
    ),
    Sample(
        "gather", lambda x: sg.top_k(x, 3, 0, largest=False), (_X,),
        lambda x: (np.sort(x, 0), np.argsort(x, 0)), wrt=(0,), label="top_k smallest",
    ),
    *[
        Sample(
            "gather", lambda x, k=k, axis=axis: sg.top_k(x, k, axis), (x,),
            lambda x, k=k, axis=axis: (
                np.flip(np.sort(x, axis), axis).take(range(k), axis),
                np.argsort(-x.astype(np.float64), axis, stable=True).take(range(k), axis),
            ),
            label=f"top_k {label}",
        )
        for label, x, k, axis in [
            ("of a long row", _array(5000), 3, 0),
            ("of long rows with ties", _random.integers(0, 9, (2, 3000)), 2, 1),
            ("of long columns", _random.integers(-9, 9, (4200, 2)).astype(np.int8), 4, 0),
            ("of a row of the least", np.full(2100, -np.inf), 2, 0),
        ]
    ],
    Sample(
        "gather", lambda x: sg.square(sg.top_k(x[0] * np.arange(4096.0), 3)[0]),
        (np.array([[1.5]]),),
        lambda x: (x[0, 0] * np.array([4095.0, 4094.0, 4093.0])) ** 2, wrt=(0,),
        label="top_k of a long row, curved",
    ),
    Sample(
        "gather", lambda x: sg.top_k(x, 0)[0], (_X,), lambda x: np.zeros((3, 0)), wrt=(0,),
        label="top_k of none",
    ),
    Sample(
        "gather", lambda x: sg.top_k(x, 3), (_INTS,),
        lambda x: (
            np.array([[3, 3, 2], [7, 7, -5]], np.int32), np.array([[0, 2, 3], [1, 2, 0]])
        ),
        label="top_k of ties",
    ),
]  # fmt: skip

# -- searches ---------------------------------------------------------------------------------

_SEARCHES = [
    Sample("flatnonzero", sg.flatnonzero, (_MASK,), np.flatnonzero),
    Sample("flatnonzero", sg.flatnonzero, (_INTS - 3,), np.flatnonzero, label="ints"),
    Sample("flatnonzero", sg.flatnonzero, (_NOTHING,), np.flatnonzero, label="nothing"),
    Sample(
        "flatnonzero", sg.flatnonzero, (_random.random(40_000) < 0.3,), np.flatnonzero,
        label="several blocks",
    ),
    Sample(
        "flatnonzero", lambda x: sg.flatnonzero(x, size=5, fill_value=-1), (_MASK,),
        lambda x: np.array([0, 2, 5, -1, -1]), label="of a size",
    ),
    Sample(
        "flatnonzero", lambda x: sg.flatnonzero(x, size=2), (_MASK,),
        lambda x: np.array([0, 2]), label="of a smaller size",
    ),
    Sample("flatnonzero", sg.nonzero, (_MASK,), np.nonzero, label="nonzero"),
    Sample("flatnonzero", sg.nonzero, (_CUBE > 0,), np.nonzero, label="nonzero of three axes"),
    Sample(
        "flatnonzero", lambda x: sg.nonzero(x, size=4, fill_value=9), (_MASK,),
        lambda x: (np.array([0, 0, 1, 9]), np.array([0, 2, 2, 9])), label="nonzero of a size",
    ),
    Sample("flatnonzero", sg.argwhere, (_MASK,), np.argwhere, label="argwhere"),
    Sample(
        "flatnonzero", lambda x: x[x > 0], (_X,), lambda x: x[x > 0], wrt=(0,), label="x[mask]",
    ),
    Sample(
        "flatnonzero", lambda x, m: x[m], (_X, np.array(True)), lambda x, m: x[None], wrt=(0,),
        label="a mask of one element that holds",
    ),
    Sample(
        "flatnonzero", lambda x, m: x[m], (_X, np.array(False)), lambda x, m: x[None][:0],
        wrt=(0,), label="a mask of one element that does not",
    ),
    Sample(
        "flatnonzero", lambda x, m: x[m, 1:], (_CUBE, np.array([[True, False, True]] * 2)),
        lambda x, m: x[m, 1:], wrt=(0,), label="x[mask, range]",
    ),
    Sample(
        "flatnonzero", lambda x, m: x[:, m], (_CUBE, np.array([True, False, True])),
        lambda x, m: x[:, m], wrt=(0,), label="x[:, mask]",
    ),
    Sample(
        "gather", lambda x: sg.square(x[[True, False, True]]), (_X,),
        lambda x: x[[0, 2]] ** 2, wrt=(0,), label="a mask that is known",
    ),
    *[
        Sample(
            "searchsorted", lambda a, v, side=side: sg.searchsorted(a, v, side), (row, values),
            lambda a, v, side=side: np.searchsorted(a, v, side), label=f"{label} {side}",
        )
        for side in ("left", "right")
        for label, row, values in [
            ("floats", _ROW, np.array([[0.5, -3.0, 9.0], [np.nan, 2.0, 0.4]])),
            ("ints", np.array([1, 3, 3, 7], np.int16), np.array([3, 0, 8, 7], np.int16)),
            ("bools", np.array([False, True, True]), np.array([True, False])),
            ("NaN", np.sort(_HOLES), _HOLES),
            ("nothing", np.zeros(0), np.array([1.0])),
            ("no values", _ROW, np.zeros((0, 2))),
            ("a scalar", _ROW, np.array(0.5)),
        ]
    ],
    Sample(
        "searchsorted", lambda a, v: sg.searchsorted(a, v, sorter=sg.argsort(a)),
        (_ROW[::-1], np.array([0.5, 2.5])),
        lambda a, v: np.searchsorted(a[::-1], v), label="a sorter",
    ),
    Sample("searchsorted", sg.isin, (_INTS, np.array([[3], [-5]])), np.isin, label="isin"),
    Sample("searchsorted", sg.isin, (_HOLES, _HOLES[:3]), np.isin, label="isin with NaN"),
    Sample(
        "searchsorted", lambda x, y: sg.isin(x, y, invert=True), (_HOLES, np.zeros(0)),
        lambda x, y: np.isin(x, y, invert=True), label="isin nothing, inverted",
    ),
]  # fmt: skip

# -- sets -------------------------------------------------------------------------------------


def _all(x: Array) -> Any:
    return np.unique(x, return_index=True, return_inverse=True, return_counts=True)


_SETS = [
    Sample("flatnonzero", sg.unique_all, (_INTS,), _all, label="unique_all"),
    Sample("flatnonzero", sg.unique_all, (_X,), _all, label="unique_all of different ones"),
    Sample(
        "flatnonzero", sg.unique_counts, (_HOLES,),
        lambda x: np.unique(x, return_counts=True, equal_nan=False), label="unique_counts",
    ),
    Sample(
        "flatnonzero", sg.unique_inverse, (_INTS,), lambda x: np.unique(x, return_inverse=True),
        label="unique_inverse",
    ),
    Sample(
        "flatnonzero", sg.unique_values, (_array(6),), np.unique, wrt=(0,), label="unique_values",
    ),
    Sample(
        "flatnonzero", sg.unique_values, (_NOTHING,), np.unique, label="unique_values of nothing",
    ),
    Sample(
        "flatnonzero", lambda x: sg.unique(x, return_counts=True), (_HOLES,),
        lambda x: np.unique(x, return_counts=True), label="unique",
    ),
    Sample(
        "flatnonzero",
        lambda x: sg.unique(x, True, True, True, size=6, fill_value=-1), (_INTS,),
        lambda x: (
            np.array([-5, 1, 2, 3, 7, -1], np.int32), np.array([4, 1, 3, 0, 5, 0]),
            np.unique(x, return_inverse=True)[1], np.array([2, 1, 1, 2, 2, 0]),
        ),
        label="unique of a size",
    ),
]  # fmt: skip

# -- segments ---------------------------------------------------------------------------------


def _by_segment(function: Any, empty: Any) -> Any:
    def expected(data: Array, ids: Array) -> Array:
        parts = [data[ids == number] for number in range(6)]
        return np.stack(
            [function(p, 0) if len(p) else np.full(data.shape[1:], empty) for p in parts]
        ).astype(data.dtype)

    return expected


_DATA = _array(5, 2)

_SEGMENTS = [
    Sample(
        "scatter_add", lambda x, i: sg.segment_sum(x, i, 6), (_DATA, _IDS),
        _by_segment(np.sum, 0), wrt=(0,), label="segment_sum",
    ),
    Sample(
        "scatter_add", lambda x, i: sg.segment_mean(x, i, 6), (_DATA, _IDS),
        _by_segment(np.mean, 0), wrt=(0,), label="segment_mean",
    ),
    Sample(
        "scatter_max", lambda x, i: sg.segment_max(x, i, 6), (_DATA, _IDS),
        _by_segment(np.max, -np.inf), label="segment_max",
    ),
    Sample(
        "scatter_max", lambda x, i: sg.segment_max(x, i, 5)[::2], (_DATA, _IDS),
        lambda x, i: np.stack([x[[1, 4]].max(0), x[[0, 2]].max(0), x[3]]), wrt=(0,),
        label="segment_max and its slope",
    ),
    Sample(
        "scatter_min", lambda x, i: sg.square(sg.segment_min(x, i, 5)[::2]), (_DATA, _IDS),
        lambda x, i: np.stack([x[[1, 4]].min(0), x[[0, 2]].min(0), x[3]]) ** 2, wrt=(0,),
        label="segment_min",
    ),
    Sample(
        "scatter_max", lambda x, i: sg.segment_max(x, i, 3), (_INTS[0], np.array([1, 1, 0, 0])),
        lambda x, i: np.array([3, 3, np.iinfo(np.int32).min], np.int32), label="segment_max ints",
    ),
    Sample(
        "scatter_max",
        lambda x, u, i: x.graph.add(SCATTER_MAX, (x, u, i), {"axes": (1,)}).out,
        (_array(2, 3), _array(2, 4), np.array([0, 2, -1, 0])),
        lambda x, u, i: np.stack(
            [np.maximum(x[:, 0], u[:, [0, 3]].max(1)), x[:, 1],
             np.maximum(x[:, 2], u[:, 1:3].max(1))], 1,
        ),
        wrt=(0, 1),
    ),
    Sample(
        "scatter_min",
        lambda x, u, i: x.graph.add(SCATTER_MIN, (x, u, i), {"axes": (0,)}).out,
        (_array(3), _array(), np.array([0, 2])),
        lambda x, u, i: np.array([min(x[0], u), x[1], min(x[2], u)]), wrt=(0, 1),
        label="an update that broadcasts",
    ),
    Sample(
        "scatter_add", sg.bincount, (_IDS,), np.bincount, label="bincount",
    ),
    Sample(
        "scatter_add", lambda x, w: sg.bincount(x, w, minlength=8), (_IDS, _array(5)),
        lambda x, w: np.bincount(x, w, 8), wrt=(1,), label="bincount of weights",
    ),
    Sample(
        "scatter_add", lambda x: sg.bincount(x, length=5), (_IDS.astype(np.uint8),),
        lambda x: np.bincount(x, minlength=5), label="bincount of a length",
    ),
    Sample(
        "scatter_add", sg.bincount, (np.zeros(0, np.int64),), np.bincount,
        label="bincount of nothing",
    ),
]  # fmt: skip

SAMPLES: list[Sample] = [*_ORDERS, *_SEARCHES, *_SETS, *_SEGMENTS]


def _x(*shape: int | None, dtype: str = "float32") -> Any:
    return sg.placeholder(dtype, shape, name="x")


def _message(op: str, problem: str, operand: str, *details: str) -> str:
    lines = [f"{op}: {problem}", f"  {operand}  placeholder at {{here}}"]
    return "\n".join([*lines, *[f"  {d}" for d in details], "  created at {here}: {line}"])


REFUSALS: list[Refusal] = [
    Refusal(
        "sort", lambda: sg.sort(_x(3), 1), ShapeError,
        _message("sort", "'x' has no axis 1", "x 'x'  float32[3]", "it has axes -1 to 0"),
    ),
    Refusal(
        "order_of_words", lambda: _order_of_words(_x(2, 3, dtype="uint64"), 48), ShapeError,
        _message("order_of_words", "words is uint64[2, 3]", "words 'x'  uint64[2, 3]",
                 "give a vector"),
    ),
    Refusal(
        "top_places", lambda: _top_places(_x(2, 3), 4, True), ShapeError,
        _message("top_places", "there are no 4 first elements", "x 'x'  float32[2, 3]",
                 "the last axis has size 3"),
    ),
    Refusal(
        "argsort", lambda: sg.top_k(_x(3), 4), ShapeError,
        _message("top_k", "there are no 4 largest elements", "x 'x'  float32[3]",
                 "axis 0 has size 3"),
        label="top_k",
    ),
    Refusal(
        "flatnonzero", lambda: sg.nonzero(_x(dtype="bool")), ShapeError,
        _message("nonzero", "a scalar has no axes, so no indices", "x 'x'  bool[]",
                 "ask sg.not_equal(x, 0), or reshape to (1,)"),
    ),
    Refusal(
        "flatnonzero", lambda: sg.flatnonzero(_x(3), size=-1), ShapeError,
        "flatnonzero: size=-1 is no number of elements\n  give an int from 0\n"
        "  at {here}: {line}",
        label="a size",
    ),
    Refusal(
        "searchsorted", lambda: sg.searchsorted(_x(3, 4), 1.0), ShapeError,
        "searchsorted: x1 has shape [3, 4]\n"
        "  x1 'x'  float32[3, 4]  placeholder at {here}\n"
        "  x2 'constant'  float32[]  constant at {here}\n"
        "  it must be one sorted row; sg.map_fn searches in several\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "searchsorted", lambda: sg.searchsorted(_x(3), 1.0, "middle"), ShapeError,
        "searchsorted: side='middle' is no side\n  give 'left' or 'right'\n  at {here}: {line}",
        label="a side",
    ),
    Refusal(
        "scatter_max", lambda: sg.segment_max(_x(3, dtype="complex64"), [0, 1, 0], 2), DTypeError,
        _message("segment_max", "complex64 has no order", "data 'x'  complex64[3]",
                 "say which number is meant: sg.real(x), sg.imag(x) or sg.abs(x)"),
    ),
    Refusal(
        "scatter_min",
        lambda: _x(3).graph.add(SCATTER_MIN, (_x(3), _x(4), sg.constant([0, 1])), {"axes": (0,)}),
        ShapeError,
        "scatter_min: updates [4] do not fit [2]\n"
        "  x 'x_1'  float32[3]  placeholder at {here}\n"
        "  updates 'x_2'  float32[4]  placeholder at {here}\n"
        "  indices[0] 'constant'  int64[2]  constant at {here}\n"
        "  that is the shape that gathering the same indices gives\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "scatter_add", lambda: sg.bincount(_x(3)), DTypeError,
        _message("bincount", "it counts integers, not float32", "x 'x'  float32[3]",
                 "sg.cast(x, 'int64') converts, sg.histogram counts floats"),
        label="bincount",
    ),
]  # fmt: skip
