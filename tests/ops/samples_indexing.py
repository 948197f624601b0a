"""Samples of ops/indexing.py and ops/subscript.py: NumPy's indexing of the same arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, IndexingError, ShapeError
from staticgraph.ops import indexing

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

_random = np.random.default_rng(13)


def _array(*shape: int, dtype: Any = np.float64) -> Array:
    return np.asarray(_random.uniform(-2.0, 2.0, shape)).astype(dtype)


_X = _array(3, 4)
_CUBE = _array(2, 3, 4)
_NOTHING = np.zeros((0, 3))
_INTS = np.arange(12, dtype=np.int32).reshape(3, 4)
_BOOLS = np.array([[True, False, True]])
_INDEX = np.array([2, 0, -1, 2])


def _floating(x: Array) -> tuple[int, ...]:
    return (0,) if x.dtype.kind == "f" else ()


def _shown(key: Any) -> str:
    """A key as one would write it."""
    items = key if isinstance(key, tuple) else (key,)
    return ", ".join(_item(item) for item in items) or "()"


def _item(item: Any) -> str:
    if not isinstance(item, slice):
        return "..." if item is Ellipsis else repr(item)
    parts = [item.start, item.stop, *([] if item.step is None else [item.step])]
    return ":".join("" if part is None else str(part) for part in parts)


def _subscript(op: str, x: Array, key: Any) -> Sample:
    return Sample(
        op, lambda x, key=key: x[key], (x,), lambda x, key=key: x[key], wrt=_floating(x),
        label=f"[{_shown(key)}] of {x.dtype}{list(x.shape)}",
    )  # fmt: skip


_s = slice

_SLICES = [
    _subscript("slice", x, key)
    for x, key in [
        (_X, 1), (_X, -1), (_X, (0, -1)), (_X, (_s(None), 2)), (_X, (..., 0)), (_X, _s(1, None)),
        (_X, _s(None, None, -1)), (_X, (_s(None, None, 2), _s(3, 0, -2))), (_X, _s(2, 1)),
        (_X, _s(-100, 100, 2)), (_X, (_s(-2, None), _s(None, -1))), (_X, (_s(5, None, -1),)),
        (_X, (None, 1, None)), (_X, (1, None, ..., None)), (_CUBE, (1, ..., _s(1, 3))),
        (_CUBE, (..., None, 0, 1)), (_CUBE, (0, 0, 0)), (_CUBE, (_s(0, 0), 1)),
        (_NOTHING, (_s(None), 1)), (_NOTHING, (_s(1, 5), _s(None, None, -1))),
        (_INTS, (2, _s(None, None, -2))),
        (_BOOLS, (0, _s(1, None))), (_array(4, dtype=np.float32), _s(1, -1)),
        (_X, (np.int8(1), np.uint64(2))),
    ]
] + [
    Sample(
        "expand_dims", lambda x: x[:, None, ..., None], (_X,), lambda x: x[:, None, ..., None],
        wrt=(0,), label="new axes alone",
    ),
    Sample(
        "slice", lambda x, i: x[i], (_X, np.array(-1, np.int8)), lambda x, i: x[-1], wrt=(0,),
        label="an entry of the run",
    ),
    Sample(
        "slice", lambda x, i: x[1, i, None], (_CUBE, np.array(2)), lambda x, i: x[1, 2, None],
        wrt=(0,), label="an entry of the run among others",
    ),
    Sample(
        "slice", lambda x, i, n: x[i : i + n, ::-1], (_X, np.array(1), np.array(2)),
        lambda x, i, n: x[1:3, ::-1], wrt=(0,), label="bounds of the run",
    ),
    Sample(
        "slice", lambda x, i: x[i::-2, i], (_X, np.array(2)), lambda x, i: x[2::-2, 2],
        wrt=(0,), label="a start of the run",
    ),
    Sample(
        "slice", lambda x, i: x[:i], (_X, np.array(100)), lambda x, i: x, wrt=(0,),
        label="a bound of the run beyond the end",
    ),
    Sample(
        "slice", lambda x: sg.square(x[1:]) - x[:-1], (_X,), lambda x: x[1:] ** 2 - x[:-1],
        wrt=(0,), label="differences",
    ),
    Sample(
        "slice_scatter",
        lambda x: x.graph.add(
            indexing.SLICE_SCATTER, (x,), {"index": ((3, None, -2), 1), "shape": (4, 3)}
        ).out,
        (_array(2),), lambda x: np.stack([np.zeros(4), [0, x[1], 0, x[0]], np.zeros(4)], 1),
        wrt=(0,),
    ),
    Sample(
        "slice_scatter",
        lambda x, i, sizes: x.graph.add(
            indexing.SLICE_SCATTER, (x, i, sizes), {"index": (("?", None, 1),), "shape": (None,)}
        ).out,
        (_array(2), np.array(1), np.array([3])), lambda x, i, sizes: np.array([0, *x]), wrt=(0,),
        label="a bound and a shape of the run",
    ),
]  # fmt: skip

_GATHERS = [
    _subscript("gather", x, key)
    for x, key in [
        (_X, [2, 0, 2]), (_X, ([0, 2], [1, -1])), (_X, (_s(None), [1, 1, 0])), (_X, [[0], [1]]),
        (_CUBE, (0, _s(None), [1, 2])), (_CUBE, ([0, 1], _s(None), [1, 2])),
        (_CUBE, (_s(None), 1, [3, 0])), (_CUBE, (_s(None), [0, 1], None, [1, 1])),
        (_CUBE, (_s(None), [0, 1], ..., [1, 1])), (_CUBE, (None, [1], 0)), (_X, []),
        (_CUBE, ([[0], [1]], _s(None, None, -1), None, [0, 3])), (_X, range(2)), (_X, ([1], None)),
        (_CUBE, (..., [0, 1], _s(1, 3))), (_INTS, ([1, 1], _s(2))), (_NOTHING, (_s(None), [0, 0])),
        (_BOOLS, (0, [2, 0])), (_X, (_s(1, None), [0, 2])), (_CUBE, (1, 2, [0, 1])),
    ]
] + [
    Sample(
        "gather", lambda x, i: x[i], (_X, _INDEX), lambda x, i: x[i], wrt=(0,),
        label="indices of the run",
    ),
    Sample(
        "gather", lambda x, i, j: x[:, i, j], (_CUBE, np.array([[0], [2]], np.int16), np.array(1)),
        lambda x, i, j: x[:, i, j], wrt=(0,), label="indices and an entry of the run",
    ),
    Sample(
        "gather", lambda x, i: x[i : i + 2, [0, 2]], (_X, np.array(1)),
        lambda x, i: x[1:3, [0, 2]], wrt=(0,), label="a bound of the run beside indices",
    ),
    Sample("gather", sg.gather, (_X, _INDEX[:, None]), lambda x, i: x[i], wrt=(0,)),
    Sample(
        "gather", lambda x, i: sg.gather(x, i, -1), (_CUBE, _INDEX), lambda x, i: x[..., i],
        wrt=(0,), label="last axis",
    ),
    Sample(
        "gather", lambda x: sg.gather(x, 2), (_X,), lambda x: x[2], wrt=(0,), label="one entry",
    ),
    Sample(
        "gather", lambda x, i: sg.square(sg.gather(x, i)), (_X, _INDEX), lambda x, i: x[i] ** 2,
        wrt=(0,), label="squared",
    ),
    Sample(
        "gather", lambda x, i: sg.gather(x, i), (_array(3), np.zeros((0, 2), np.int64)),
        lambda x, i: np.zeros((0, 2)), wrt=(0,), label="nothing",
    ),
    Sample("gather", sg.take, (_X, np.array([[5, -1]])), np.take, wrt=(0,), label="take"),
    Sample(
        "gather", lambda x, i: sg.take(x, i, 1), (_X, _INDEX), lambda x, i: np.take(x, i, 1),
        wrt=(0,), label="take along an axis",
    ),
    *[
        Sample(
            "gather", lambda x, i, axis=axis: sg.take_along_axis(x, i, axis), (x, i),
            lambda x, i, axis=axis: np.take_along_axis(x, i, axis), wrt=_floating(x),
            label=f"take_along_axis {axis} of {x.dtype}{list(x.shape)} by {list(i.shape)}",
        )
        for x, i, axis in [
            (_X, np.array([[1, 0], [3, 3], [-1, 2]]), 1), (_X, np.array([[1, 0, 2, 2]]), 0),
            (_CUBE, np.array([[[2]]]), -2), (_INTS, np.zeros((3, 0), np.int64), 1),
        ]
    ],
    Sample(
        "scatter_add", lambda x, u: sg.scatter_add(x, _INDEX, u), (_array(3), _array(4)),
        lambda x, u: x + np.array([u[1], 0, u[0] + u[2] + u[3]]), wrt=(0, 1),
    ),
    Sample(
        "scatter_add", lambda x, u: sg.scatter_add(x, [1, 1], u, 1), (_array(2, 3), _array()),
        lambda x, u: x + np.array([0, 2 * u, 0]), wrt=(0, 1), label="updates that broadcast",
    ),
    Sample(
        "scatter_add", lambda x, i: sg.scatter_add(x, i, 1.0), (np.zeros(3, np.float32), _INDEX),
        lambda x, i: np.array([1, 0, 3], np.float32), wrt=(0,), label="counts",
    ),
    Sample(
        "scatter_add", lambda x, u: sg.scatter_add(x, [0], u), (np.ones(2, np.int8), _INTS[0, :1]),
        lambda x, u: np.array([1, 1], np.int32), label="ints that promote",
    ),
    Sample(
        "scatter_add", lambda x, u: sg.square(sg.scatter_add(x, [2, 0, 2], u)),
        (_array(3), _array(3)), lambda x, u: (x + np.array([u[1], 0, u[0] + u[2]])) ** 2,
        wrt=(0, 1), label="squared",
    ),
]  # fmt: skip

_TIES = np.array([[2.0, 1.0, 2.0, np.nan, -np.inf], [0.0, -0.0, 1.0, 0.0, np.inf]])

_ORDERS = [
    Sample(
        "argsort", lambda x, axis=axis: sg.argsort(x, axis), (x,),
        lambda x, axis=axis: np.argsort(x, axis, stable=True), label=label,
    )
    for label, x, axis in [
        ("", _X, -1), ("first axis", _X, 0), ("ties and NaN", _TIES, 1), ("ints", _INTS, 1),
        ("bools", _BOOLS, 1), ("nothing", _NOTHING, 0),
    ]
] + [
    Sample(
        "argsort", lambda x: sg.argsort(x, descending=True), (_TIES,),
        lambda x: np.array([[3, 0, 2, 1, 4], [4, 2, 0, 1, 3]]), label="descending",
    ),
    Sample(
        "equal", lambda i: sg.one_hot(i, 3), (np.array([0, 2, 5, -1]),),
        lambda i: np.array([[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]], np.float32),
        label="one_hot",
    ),
    Sample(
        "equal", lambda i: sg.one_hot(i, 2, "bool", axis=0), (np.array([[0], [1]], np.uint8),),
        lambda i: np.array([[[True], [False]], [[False], [True]]]), label="one_hot first",
    ),
    Sample(
        "equal", lambda i, n: sg.one_hot(i, n, "int32"), (np.array(1), np.array(3)),
        lambda i, n: np.array([0, 1, 0], np.int32), label="one_hot of the run",
    ),
]  # fmt: skip

SAMPLES: list[Sample] = [*_SLICES, *_GATHERS, *_ORDERS]


def _x(*shape: int | None) -> Any:
    return sg.placeholder("float32", shape, name="x")


def _i(dtype: str = "int64", *shape: int | None) -> Any:
    return sg.placeholder(dtype, shape, name="i")


def _message(op: str, problem: str, shape: str, *details: str) -> str:
    lines = [f"{op}: {problem}", f"  x 'x'  float32{shape}  placeholder at {{here}}"]
    return "\n".join([*lines, *[f"  {d}" for d in details], "  created at {here}: {line}"])


REFUSALS: list[Refusal] = [
    Refusal(
        "slice", lambda: _x(3, 4)[3], IndexingError,
        _message("slice", "index 3 is out of range", "[3, 4]", "axis 0 has size 3"),
    ),
    Refusal(
        "slice", lambda: _x(None, 4)[0, -5], IndexingError,
        _message("slice", "index -5 is out of range", "[?, 4]", "axis 1 has size 4"),
        label="second axis",
    ),
    Refusal(
        "slice", lambda: _x(0)[0], IndexingError,
        _message("slice", "index 0 is out of range", "[0]", "axis 0 has size 0"),
        label="of nothing",
    ),
    Refusal(
        "slice", lambda: _x(3)[0, 1], IndexingError,
        _message("slice", "there are 2 indices for 1 axes", "[3]", "give one per axis at most"),
        label="too many",
    ),
    Refusal(
        "slice", lambda: _x(3, 4)[..., 0, ...], IndexingError,
        _message("slice", "'...' stands twice in the index", "[3, 4]",
                 "one stands for all other axes"),
        label="two ellipses",
    ),
    Refusal(
        "slice", lambda: sg.placeholder("float32", None, name="x")[..., 0], IndexingError,
        _message("slice", "the rank is not known, so nothing can follow '...'", "[...]",
                 "declare it, with None for sizes that are open"),
        label="unknown rank",
    ),
    Refusal(
        "slice", lambda: _x(3)[::0], IndexingError,
        _message("slice", "0 is no step of a slice", "[3]",
                 "give an int that is not 0; x[sg.arange(start, stop, step)] takes a tensor"),
        label="step 0",
    ),
    Refusal(
        "slice", lambda: _x(3)[1.5:], IndexingError,
        _message("slice", "1.5 is no bound of a slice", "[3]",
                 "give an int or a scalar int tensor"),
        label="a float as a bound",
    ),
    Refusal(
        "slice", lambda: _x(3)["a"], DTypeError,
        _message("slice", "'a' is no index", "[3]",
                 "give ints, slices, '...', None or integer arrays"),
        label="a string",
    ),
    Refusal(
        "slice_scatter",
        lambda: _x(3).graph.add(
            indexing.SLICE_SCATTER, (_x(3),), {"index": (0,), "shape": (4,)}
        ),
        ShapeError,
        "slice_scatter: [3] does not fit the part []\n"
        "  updates 'x_1'  float32[3]  placeholder at {here}\n"
        "  give one element per element of the part\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "gather", lambda: _x(3)[[0, 3]], IndexingError,
        "gather: index 3 is out of range\n"
        "  x 'x'  float32[3]  placeholder at {here}\n"
        "  indices[0] 'constant'  int64[2]  constant at {here}\n"
        "  axis 0 has size 3\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "gather", lambda: sg.gather(_x(3), _x(3) > 0), DTypeError,
        "gather: a mask of bools is no index\n"
        "  x 'x'  float32[3]  placeholder at {here}\n"
        "  indices[0] 'greater'  bool[3]  greater at {here}\n"
        "  x[mask] takes what a mask leaves; sg.flatnonzero(mask) gives its indices\n"
        "  created at {here}: {line}",
        label="a mask",
    ),
    Refusal(
        "slice", lambda: _x(3)[[True, False]], IndexingError,
        _message("slice", "axis 0 of a mask has size 2", "[3]",
                 "it covers axis 0, which has size 3"),
        label="a mask of another size",
    ),
    Refusal(
        "gather", lambda: sg.gather(_x(3), _i("float32", 2)), DTypeError,
        "gather: an index is float32\n"
        "  x 'x'  float32[3]  placeholder at {here}\n"
        "  indices[0] 'i'  float32[2]  placeholder at {here}\n"
        "  indices are integers: sg.cast(index, 'int64')\n"
        "  created at {here}: {line}",
        label="float indices",
    ),
    Refusal(
        "gather", lambda: _x(3, 4)[_i("int64", 2), _i("int64", 3)], ShapeError,
        "gather: the indices do not broadcast together\n"
        "  x 'x'  float32[3, 4]  placeholder at {here}\n"
        "  indices[0] 'i'  int64[2]  placeholder at {here}\n"
        "  indices[1] 'i_1'  int64[3]  placeholder at {here}\n"
        "  axis -1: 2 and 3 must be equal, or one of them 1\n"
        "  created at {here}: {line}",
        label="indices of different sizes",
    ),
    Refusal(
        "gather", lambda: _x(3)[[_i(), 1]], sg.GraphError,
        _message("gather", "an index list holds tensors", "[3]",
                 "make one tensor of them with sg.stack([...])"),
        label="a list of tensors",
    ),
    Refusal(
        "gather", lambda: sg.take_along_axis(_x(3, 4), _i("int64", 3), 1), ShapeError,
        "take_along_axis: the indices have 1 axes, x has 2\n"
        "  x 'x'  float32[3, 4]  placeholder at {here}\n"
        "  indices 'i'  int64[3]  placeholder at {here}\n"
        "  give one per axis of x\n"
        "  created at {here}: {line}",
        label="take_along_axis",
    ),
    Refusal(
        "scatter_add", lambda: sg.scatter_add(_x(3), _i("int64", 2), _x(4)), ShapeError,
        "scatter_add: updates [4] do not fit [2]\n"
        "  x 'x'  float32[3]  placeholder at {here}\n"
        "  updates 'x_1'  float32[4]  placeholder at {here}\n"
        "  indices[0] 'i'  int64[2]  placeholder at {here}\n"
        "  that is the shape that gathering the same indices gives\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "argsort", lambda: sg.argsort(_x(3), 1), ShapeError,
        _message("argsort", "'x' has no axis 1", "[3]", "it has axes -1 to 0"),
    ),
]  # fmt: skip
