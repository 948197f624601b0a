"""Samples of ops/joining.py and arranging.py: NumPy's functions of the same names."""

from __future__ import annotations

from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError
from staticgraph.ops.arranging import PAD
from staticgraph.ops.joining import CONCAT, SPLIT

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

_random = np.random.default_rng(12)


def _array(*shape: int, dtype: Any = np.float64) -> Array:
    return np.asarray(_random.uniform(-2.0, 2.0, shape)).astype(dtype)


_X = _array(2, 3)
_CUBE = _array(2, 3, 4)
_NOTHING = np.zeros((0, 3))
_BOOLS = np.array([[True, False, True]])
_INTS = np.arange(6, dtype=np.int16).reshape(2, 3)


def _floating(*arrays: Array) -> tuple[int, ...]:
    return tuple(i for i, array in enumerate(arrays) if array.dtype.kind == "f")


_CONCATS = [
    Sample(
        "concat", lambda *xs, axis=axis: sg.concat(xs, axis), arrays,
        lambda *xs, axis=axis: np.concatenate(xs, axis), wrt=_floating(*arrays), label=label,
    )
    for label, axis, arrays in [
        ("", 0, (_X, _array(1, 3))),
        ("last axis", -1, (_X, _array(2, 1), _array(2, 2))),
        ("middle axis", 1, (_CUBE, _array(2, 1, 4))),
        ("flattened", None, (_X, _array(2), _array())),
        ("one alone", 0, (_X,)),
        ("with nothing", 0, (_NOTHING, _X)),
        ("nothing at all", 0, (_NOTHING, _NOTHING)),
        ("bools", 0, (_BOOLS, _BOOLS)),
        ("ints", 1, (_INTS, _INTS)),
        ("float32", 0, (_array(2, dtype=np.float32), _array(1, dtype=np.float32))),
    ]
] + [
    Sample(
        "concat", lambda x: sg.concat([x, x, x]), (_X,), lambda x: np.concatenate([x, x, x]),
        wrt=(0,), label="itself",
    ),
    Sample(
        "concat", lambda x, y: sg.concat([x, y]), (_INTS, _array(1, 3, dtype=np.float32)),
        lambda x, y: np.concatenate([x, y]), label="promotes",
    ),
    Sample(
        "concat", lambda x: sg.concat([x, [1.0, 2.0]]), (_array(2, dtype=np.float32),),
        lambda x: np.concatenate([x, np.array([1, 2], np.float32)]), wrt=(0,), label="with a list",
    ),
    Sample(
        "concat", lambda x, y: sg.stack([x, y]), (_X, _array(2, 3)), lambda x, y: np.stack([x, y]),
        wrt=(0, 1), label="stack",
    ),
    Sample(
        "concat", lambda x, y: sg.stack([x, y], -1), (_X, _array(2, 3)),
        lambda x, y: np.stack([x, y], -1), wrt=(0, 1), label="stack last",
    ),
    Sample(
        "concat", lambda x, y: sg.stack([x, 1.5, y]), (_array(), _array()),
        lambda x, y: np.array([x, 1.5, y]), wrt=(0, 1), label="stack scalars",
    ),
    Sample(
        "concat", lambda x: sg.stack([x, x], 1), (_NOTHING,), lambda x: np.zeros((0, 2, 3)),
        wrt=(0,), label="stack nothing",
    ),
]  # fmt: skip

_SPLITS = [
    Sample(
        "split", lambda x, how=how, axis=axis: sg.split(x, how, axis), (x,),
        lambda x, how=how, axis=axis: np.split(x, how, axis), wrt=_floating(x), label=label,
    )
    for label, x, how, axis in [
        ("", _X, 2, 0),
        ("last axis", _CUBE, 2, -1),
        ("one part", _X, 1, 0),
        ("places", _array(5, 2), [1, 3], 0),
        ("places and empty parts", _X, [0, 2, 2], 1),
        ("an array of places", _X, np.array([1]), 1),
        ("no places", _X, [], 0),
        ("nothing", _NOTHING, 3, 0),
        ("bools", _BOOLS, 3, 1),
        ("ints", _INTS, (2,), 1),
    ]
] + [
    Sample(
        "split", lambda x: sg.split(x, [1, 4], 0)[1], (_array(6),), lambda x: x[1:4], wrt=(0,),
        label="one part used",
    ),
    Sample(
        "split", lambda x: sg.split(x, 3, 0)[::2], (_array(6),), lambda x: [x[:2], x[4:]],
        wrt=(0,), label="two parts used",
    ),
    Sample(
        "split",
        lambda x, n, m: list(
            x.graph.add(SPLIT, (x, n, m), {"sizes": (None, 1, None), "axis": 0}).outputs
        ),
        (_array(6), np.array(2), np.array(3)), lambda x, n, m: [x[:2], x[2:3], x[3:]], wrt=(0,),
        label="lengths of the run",
    ),
    Sample(
        "split", lambda x: sg.square(sg.split(x, [2])[0]), (_array(6),), lambda x: x[:2] ** 2,
        wrt=(0,), label="squared",
    ),
]  # fmt: skip

_PADS = [
    Sample(
        "pad", lambda x, width=width: sg.pad(x, width), (x,),
        lambda x, width=width: np.pad(x, width), wrt=_floating(x),
        label=f"{width} of {x.dtype}{list(x.shape)}",
    )
    for x, width in [
        (_X, 1), (_X, (1, 2)), (_X, ((1, 0), (0, 2))), (_X, ((2,), (1,))), (_X, 0), (_NOTHING, 1),
        (_BOOLS, 1), (_INTS, ((0, 1), (1, 0))), (_array(4), [[0, 3]]),
    ]
] + [
    Sample("pad", lambda x: sg.pad(x, 3), (_array(),), lambda x: x, wrt=(0,), label="a scalar"),
    Sample(
        "pad", lambda x: sg.pad(x, 1, constant_values=-1.5), (_X,),
        lambda x: np.pad(x, 1, constant_values=-1.5), wrt=(0,), label="with a number",
    ),
    Sample(
        "pad", lambda x, v: sg.pad(x, ((1, 2), (0, 1)), constant_values=v), (_X, _array()),
        lambda x, v: np.pad(x, ((1, 2), (0, 1)), constant_values=v), wrt=(0, 1),
        label="with a tensor",
    ),
    Sample(
        "pad", lambda x, v: sg.square(sg.pad(x, (1, 1), constant_values=v)), (_array(3), _array()),
        lambda x, v: np.pad(x, (1, 1), constant_values=v) ** 2, wrt=(0, 1), label="squared",
    ),
]  # fmt: skip

_ARRANGED = [
    Sample("slice", sg.flip, (_CUBE,), np.flip, wrt=(0,), label="flip all"),
    Sample(
        "slice", lambda x: sg.flip(x, -1), (_INTS,), lambda x: np.flip(x, -1), label="flip ints",
    ),
    Sample(
        "slice", lambda x: sg.flip(x, (0, 2)), (_CUBE,), lambda x: np.flip(x, (0, 2)), wrt=(0,),
        label="flip two axes",
    ),
    *[
        Sample(
            "gather", lambda x, shift=shift, axis=axis: sg.roll(x, shift, axis), (x,),
            lambda x, shift=shift, axis=axis: np.roll(x, shift, axis), wrt=_floating(x),
            label=f"roll {shift} along {axis} of {x.dtype}{list(x.shape)}",
        )
        for x, shift, axis in [
            (_X, 1, 0), (_X, -4, 1), (_X, 2, None), (_INTS, 0, -1), (_NOTHING, 1, 0), (_BOOLS, 1, 1)
        ]
    ],
    Sample(
        "gather", lambda x, n: sg.roll(x, n, 0), (_array(4), np.array(3)),
        lambda x, n: np.roll(x, 3), wrt=(0,), label="roll by a tensor",
    ),
    *[
        Sample(
            "broadcast_to", lambda x, times=times: sg.tile(x, times), (x,),
            lambda x, times=times: np.tile(x, times), wrt=_floating(x),
            label=f"tile {times} of {x.dtype}{list(x.shape)}",
        )
        for x, times in [
            (_X, 2), (_X, (3, 1)), (_X, (2, 1, 2)), (_X, (0, 2)), (_array(), 3), (_INTS, (2, 2)),
            (_NOTHING, 2), (_BOOLS, [2]),
        ]
    ],
    Sample("identity", lambda x: sg.tile(x, 1), (_X,), lambda x: x, wrt=(0,), label="tile once"),
    *[
        Sample(
            "broadcast_to", lambda x, n=n, axis=axis: sg.repeat(x, n, axis), (x,),
            lambda x, n=n, axis=axis: np.repeat(x, n, axis), wrt=_floating(x),
            label=f"repeat {n} along {axis} of {x.dtype}{list(x.shape)}",
        )
        for x, n, axis in [(_X, 2, 0), (_X, 3, -1), (_X, 2, None), (_X, 0, 0), (_INTS, 2, 1)]
    ],
]  # fmt: skip

SAMPLES: list[Sample] = [*_CONCATS, *_SPLITS, *_PADS, *_ARRANGED]


def _x(*shape: int | None, dtype: str = "float32") -> Any:
    return sg.placeholder(dtype, shape, name="x")


def _y(*shape: int | None) -> Any:
    return sg.placeholder("float32", shape, name="y")


def _message(op: str, problem: str, shape: str, *details: str) -> str:
    lines = [f"{op}: {problem}", f"  x 'x'  float32{shape}  placeholder at {{here}}"]
    return "\n".join([*lines, *[f"  {d}" for d in details], "  created at {here}: {line}"])


def _joining(problem: str, x: str, y: str, *details: str) -> str:
    lines = [
        f"concat: {problem}",
        f"  xs[0] 'x'  float32{x}  placeholder at {{here}}",
        f"  xs[1] 'y'  float32{y}  placeholder at {{here}}",
    ]
    return "\n".join([*lines, *[f"  {d}" for d in details], "  created at {here}: {line}"])


def _argument(op: str, problem: str, *details: str) -> str:
    return "\n".join([f"{op}: {problem}", *[f"  {d}" for d in details], "  at {here}: {line}"])


REFUSALS: list[Refusal] = [
    Refusal(
        "concat", lambda: sg.concat([_x(2, 3), _y(2, 4)]), ShapeError,
        _joining("sizes differ along axis 1, which is not the one joined (0)", "[2, 3]", "[2, 4]",
                 "xs[0] has 3, xs[1] has 4"),
    ),
    Refusal(
        "concat", lambda: sg.concat([_x(2, 3), _y(3)]), ShapeError,
        _joining("xs[0] has 2 axes, xs[1] has 1", "[2, 3]", "[3]",
                 "sg.expand_dims adds an axis, sg.stack joins along a new one"),
        label="ranks",
    ),
    Refusal(
        "concat", lambda: sg.concat([_x(), _y()]), ShapeError,
        "concat: 'x' has no axis 0\n"
        "  xs[0] 'x'  float32[]  placeholder at {here}\n"
        "  it is a scalar and has no axis\n"
        "  created at {here}: {line}",
        label="scalars",
    ),
    Refusal(
        "concat", lambda: sg.concat([]), ShapeError,
        _argument("concat", "there is nothing to join", "give at least one tensor"),
        label="nothing",
    ),
    Refusal(
        "concat", lambda: sg.concat(_x(2)), ShapeError,
        _argument("concat", "Tensor is no list of tensors", "give a list: [a, b]"),
        label="one tensor",
    ),
    Refusal(
        "concat", lambda: sg.stack(3), ShapeError,
        _argument("stack", "int is no list of tensors", "give a list: [a, b]"), label="a number",
    ),
    Refusal(
        "concat", lambda: _x(2).graph.add(CONCAT, (_x(2), _x(2, dtype="int32")), {"axis": 0}),
        DTypeError,
        "concat: operands differ in dtype\n"
        "  xs[0] 'x_1'  float32[2]  placeholder at {here}\n"
        "  xs[1] 'x_2'  int32[2]  placeholder at {here}\n"
        "  convert with sg.cast\n"
        "  created at {here}: {line}",
        label="dtypes",
    ),
    Refusal(
        "split", lambda: sg.split(_x(5), 2), ShapeError,
        _message("split", "axis 0 of size 5 does not divide into 2 equal parts", "[5]",
                 "give the places at which to split"),
    ),
    Refusal(
        "split", lambda: sg.split(_x(5), [2, 7]), ShapeError,
        _message("split", "parts of [2, 5, ?] do not make up axis 0", "[5]", "it has size 5"),
        label="a place beyond the end",
    ),
    Refusal(
        "split", lambda: sg.split(_x(5), [3, 1]), ShapeError,
        _message("split", "the places [3, 1] do not ascend from 0", "[5]",
                 "places count from the start of the axis"),
        label="places that descend",
    ),
    Refusal(
        "split", lambda: sg.split(_x(None), [-1]), ShapeError,
        _message("split", "the places [-1] do not ascend from 0", "[?]",
                 "places count from the start of the axis, whose size is not known"),
        label="a negative place",
    ),
    Refusal(
        "split", lambda: sg.split(_x(4), 0), ShapeError,
        _message("split", "0 is no number of parts", "[4]", "give 1 or more"),
        label="no parts",
    ),
    Refusal(
        "split", lambda: sg.split(_x(4), 1.5), ShapeError,
        _message("split", "1.5 are no places to split at", "[4]",
                 "give a number of parts or a list of ints"),
        label="a float",
    ),
    Refusal(
        "split", lambda: sg.unstack(_x(None)), ShapeError,
        _message("unstack", "the size of axis 0 is not known, so neither is the number of parts",
                 "[?]", "declare it, or loop over it with sg.scan or sg.map_fn"),
        label="unstack",
    ),
    Refusal(
        "pad", lambda: sg.pad(_x(2, 3), ((1, 1), (1, 1), (1, 1))), ShapeError,
        _message("pad", "pad_width=((1, 1), (1, 1), (1, 1)) does not fit 2 axes", "[2, 3]",
                 "give an int, a pair of ints, or one pair per axis"),
    ),
    Refusal(
        "pad", lambda: sg.pad(_x(2), 0.5), ShapeError,
        _message("pad", "pad_width=0.5 does not fit 1 axes", "[2]",
                 "give an int, a pair of ints, or one pair per axis"),
        label="a float",
    ),
    Refusal(
        "pad", lambda: sg.pad(_x(2), (0, -1)), ShapeError,
        _message("pad", "pad_width=(0, -1) is negative", "[2]",
                 "a slice takes elements away: x[1:-1]"),
        label="negative",
    ),
    Refusal(
        "pad", lambda: sg.pad(_x(2), 1, "mirror"), ShapeError,
        _argument("pad", "mode='mirror' is not there",
                  "give one of ('constant', 'edge', 'wrap', 'reflect', 'symmetric', 'linear_ramp', "
                  "'maximum', 'minimum', 'mean', 'median', 'empty')"),
        label="mode",
    ),
    Refusal(
        "pad", lambda: sg.pad(_x(2), 1, constant_values=_y(2)), ShapeError,
        "pad: constant_values is float32[2]\n"
        "  x 'x'  float32[2]  placeholder at {here}\n"
        "  value 'y'  float32[2]  placeholder at {here}\n"
        "  give one number for all axes\n"
        "  created at {here}: {line}",
        label="several values",
    ),
    Refusal(
        "pad",
        lambda: _x(2).graph.add(PAD, (_x(2), _x(dtype="int32")), {"width": ((1, 1),)}),
        DTypeError,
        "pad: operands differ in dtype\n"
        "  x 'x_1'  float32[2]  placeholder at {here}\n"
        "  value 'x_2'  int32[]  placeholder at {here}\n"
        "  convert with sg.cast\n"
        "  created at {here}: {line}",
        label="dtypes",
    ),
    Refusal(
        "broadcast_to", lambda: sg.tile(_x(2), -1), ShapeError,
        _message("tile", "-1 are no numbers of repetitions", "[2]",
                 "give ints that are not negative"),
        label="tile",
    ),
    Refusal(
        "gather", lambda: sg.repeat(_x(2), [1, 2, 3], 0), ShapeError,
        _message("repeat", "there are 3 repeats for axis 0", "[2]",
                 "give an int, or one per entry of an axis whose size is known; it is 2"),
        label="repeat",
    ),
]  # fmt: skip
