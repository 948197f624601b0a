"""Samples of ops/sizes.py and shaping.py: NumPy's functions of the same names."""

from __future__ import annotations

from typing import Any

import numpy as np

import staticgraph as sg
from staticgraph.errors import DTypeError, ShapeError
from staticgraph.ops import shaping
from staticgraph.ops.sizes import MAKE_SHAPE

from .sample_types import Refusal, Sample

Array = np.ndarray[Any, Any]

# It takes anything at all.
REFUSES_NOTHING = ("shape",)

_random = np.random.default_rng(11)


def _array(*shape: int, dtype: Any = np.float64) -> Array:
    return np.asarray(_random.uniform(-2.0, 2.0, shape)).astype(dtype)


def _vector(*sizes: int) -> Array:
    return np.array(sizes, dtype=np.int64)


def _open(x: Any) -> Any:
    """`x` with sizes that the graph does not know: of known ones shape and size are constants."""
    return x if x.ndim is None else sg.placeholder_with_default(x, (None,) * x.ndim)


def _target(op: Any, x: Any, *sizes: Any, shape: Any) -> Any:
    return x.graph.add(op, (x, *sizes), {"shape": shape}).out


_X = _array(2, 3)
_CUBE = _array(2, 3, 4)
_FLAT = _array(6, dtype=np.float32)
_BOOLS = np.array([[True, False, True]])
_NOTHING = np.zeros((0, 3))

_SIZES = [
    Sample("shape", lambda x: sg.shape(_open(x)), (_X,), lambda x: _vector(2, 3)),
    Sample(
        "shape", lambda x: sg.shape(_open(x)), (np.zeros((0, 1, 4), bool),),
        lambda x: _vector(0, 1, 4), label="size 0",
    ),
    Sample("size", lambda x: sg.size(_open(x)), (_X,), lambda x: np.int64(6)),
    Sample("size", lambda x: sg.size(_open(x)), (_NOTHING,), lambda x: np.int64(0), label="0"),
    Sample(
        "size", lambda x: sg.size(_open(x), -1), (_CUBE,), lambda x: np.int64(4),
        label="of an axis",
    ),
    Sample(
        "make_shape", lambda x, n: sg.reshape(x, (n, 3)), (_X, np.array(2, np.int32)),
        lambda x, n: x, wrt=(0,),
    ),
    Sample(
        "make_shape", lambda n, m: n.graph.add(MAKE_SHAPE, (n, m)).out,
        (np.array(4), np.array(0)), lambda n, m: _vector(4, 0), label="alone",
    ),
]  # fmt: skip

_RESHAPES = [
    Sample(
        "reshape", lambda x, shape=shape: sg.reshape(x, shape), (x,),
        lambda x, shape=shape: np.reshape(x, shape), wrt=(0,) if x.dtype.kind == "f" else (),
        label=label,
    )
    for label, x, shape in [
        ("", _CUBE, (4, 6)),
        ("minus one", _CUBE, (-1, 8)),
        ("an int", _CUBE, 24),
        ("to a scalar", _array(1, 1), ()),
        ("of a scalar", _array(), (1, 1)),
        ("nothing", _NOTHING, (3, 0, 2)),
        ("nothing with minus one", _NOTHING, (-1, 3)),
        ("float32", _FLAT, (3, -1)),
        ("bools", _BOOLS, (3,)),
        ("int8", np.arange(6, dtype=np.int8), (2, 3)),
    ]
] + [
    Sample(
        "reshape", lambda x, sizes: sg.reshape(x, sizes), (_CUBE, _vector(3, 8)),
        lambda x, sizes: x.reshape(3, 8), wrt=(0,), label="a shape tensor",
    ),
    Sample(
        "reshape", lambda x, sizes: sg.reshape(x, sizes), (_CUBE, _vector(-1, 2)),
        lambda x, sizes: x.reshape(12, 2), wrt=(0,), label="a shape tensor with minus one",
    ),
    Sample(
        "reshape", lambda x, n: sg.reshape(x, (n, -1, 2)), (_CUBE, np.array(3)),
        lambda x, n: x.reshape(3, 4, 2), wrt=(0,), label="a size and minus one",
    ),
    Sample(
        "reshape", lambda x, y: sg.reshape(x, sg.shape(y)), (_CUBE, _array(6, 4)),
        lambda x, y: x.reshape(6, 4), wrt=(0,), label="the shape of another",
    ),
    Sample(
        "reshape", lambda x: sg.reshape(x, (sg.size(x, 0), 12)), (_CUBE,),
        lambda x: x.reshape(2, 12), wrt=(0,), label="a size of its own",
    ),
]  # fmt: skip

_BROADCASTS = [
    Sample(
        "broadcast_to", lambda x, shape=shape: sg.broadcast_to(x, shape), (x,),
        lambda x, shape=shape: np.broadcast_to(x, shape),
        wrt=(0,) if x.dtype.kind == "f" else (), label=label,
    )
    for label, x, shape in [
        ("", _array(3, 1), (2, 3, 4)),
        ("a scalar", _array(), (2, 2)),
        ("the same", _X, (2, 3)),
        ("to nothing", _array(1, 3), (0, 3)),
        ("of nothing", _NOTHING, (2, 0, 3)),
        ("an int", _array(1), 4),
        ("bools", _BOOLS, (2, 3)),
        ("float32", _array(1, 3, dtype=np.float32), (4, 3)),
    ]
] + [
    Sample(
        "broadcast_to", sg.broadcast_to, (_array(3, 1), _vector(2, 3, 4)),
        lambda x, sizes: np.broadcast_to(x, (2, 3, 4)), wrt=(0,), label="a shape tensor",
    ),
    Sample(
        "broadcast_to", lambda x, n: sg.broadcast_to(x, (n, 3)), (_array(3), np.array(1)),
        lambda x, n: x[None], wrt=(0,), label="a size",
    ),
    Sample(
        "sum_to", lambda x: _target(shaping.SUM_TO, x, shape=(3, 1)), (_CUBE,),
        lambda x: x.sum(axis=(0, 2))[:, None], wrt=(0,),
    ),
    Sample(
        "sum_to", lambda x, n: _target(shaping.SUM_TO, x, n, shape=(None, 1)),
        (_CUBE, _vector(3, 1)), lambda x, n: x.sum(axis=(0, 2))[:, None], wrt=(0,),
        label="a shape tensor",
    ),
    Sample(
        "sum_to", lambda x: _target(shaping.SUM_TO, x, shape=()), (np.zeros((2, 0)),),
        lambda x: np.float64(0), wrt=(0,), label="nothing",
    ),
    Sample(
        "sum_to", lambda x: _target(shaping.SUM_TO, x, shape=(1, 3)),
        (np.array([[100, 1, 0], [100, 2, 0]], np.int8),),
        lambda x: np.array([[-56, 3, 0]], np.int8), label="int8 wraps as its addition does",
    ),
]  # fmt: skip

_AXES = [
    Sample("permute_dims", sg.permute_dims, (_CUBE,), np.transpose, wrt=(0,)),
    Sample("permute_dims", sg.permute_dims, (np.float64(3),), np.transpose, wrt=(0,), label="()"),
    Sample("permute_dims", sg.permute_dims, (_BOOLS,), np.transpose, label="bools"),
    Sample(
        "permute_dims", lambda x: sg.permute_dims(x, (1, 2, 0)), (_CUBE,),
        lambda x: np.transpose(x, (1, 2, 0)), wrt=(0,), label="a cycle",
    ),
    Sample(
        "permute_dims", lambda x: sg.permute_dims(x, [-1, 0, -2]), (_CUBE,),
        lambda x: np.transpose(x, (2, 0, 1)), wrt=(0,), label="negative axes",
    ),
    Sample(
        "permute_dims", sg.matrix_transpose, (np.zeros((2, 0, 3)),),
        lambda x: np.swapaxes(x, 1, 2), wrt=(0,), label="matrix_transpose",
    ),
    *[
        Sample(
            "expand_dims", lambda x, axis=axis: sg.expand_dims(x, axis), (x,),
            lambda x, axis=axis: np.expand_dims(x, axis), wrt=(0,) if x.dtype.kind == "f" else (),
            label=f"{axis} of {x.dtype}{list(x.shape)}",
        )
        for x, axis in [
            (_X, 0), (_X, -1), (_X, (0, 2)), (_X, [-1, 1]), (_array(), 0), (_NOTHING, 1),
            (_BOOLS, 2),
        ]
    ],
    *[
        Sample(
            "squeeze", lambda x, axis=axis: sg.squeeze(x, axis), (x,),
            lambda x, axis=axis: np.squeeze(x, axis), wrt=(0,) if x.dtype.kind == "f" else (),
            label=f"{axis} of {x.dtype}{list(x.shape)}",
        )
        for x, axis in [
            (_array(1, 3), 0), (_array(3, 1), -1), (_array(1, 3, 1), (0, 2)), (_array(1), 0),
            (np.zeros((1, 0)), 0), (_BOOLS, 0), (_X, ()),
        ]
    ],
]  # fmt: skip

SAMPLES: list[Sample] = [*_SIZES, *_RESHAPES, *_BROADCASTS, *_AXES]


def _x(*shape: int | None) -> Any:
    return sg.placeholder("float32", shape, name="x")


def _n(dtype: str, *shape: int | None) -> Any:
    return sg.placeholder(dtype, shape, name="n")


def _message(op: str, problem: str, shape: str, *details: str) -> str:
    lines = [f"{op}: {problem}", f"  x 'x'  float32{shape}  placeholder at {{here}}"]
    return "\n".join([*lines, *[f"  {d}" for d in details], "  created at {here}: {line}"])


def _argument(op: str, problem: str, *details: str) -> str:
    return "\n".join([f"{op}: {problem}", *[f"  {d}" for d in details], "  at {here}: {line}"])


REFUSALS: list[Refusal] = [
    Refusal(
        "size", lambda: sg.size(_x(2, 3), 2), ShapeError,
        _message("size", "'x' has no axis 2", "[2, 3]", "it has axes -2 to 1"),
    ),
    Refusal(
        "make_shape", lambda: sg.reshape(_x(2, 3), (_n("int64", 1), 2)), ShapeError,
        _argument("reshape", "a size has shape [1]", "'n'  int64[1]  placeholder at {here}",
                  "give scalars in a tuple, or one vector with the whole shape"),
        label="a vector among scalars",
    ),
    Refusal(
        "reshape", lambda: sg.reshape(_x(2, 3), (4, 2)), ShapeError,
        _message("reshape", "[2, 3] cannot become [4, 2]", "[2, 3]", "that takes 8 elements"),
    ),
    Refusal(
        "reshape", lambda: sg.reshape(_x(2, 3), (4, -1)), ShapeError,
        _message("reshape", "[2, 3] cannot become [4, ?]", "[2, 3]",
                 "that takes a multiple of 4 elements"),
        label="minus one",
    ),
    Refusal(
        "reshape", lambda: sg.reshape(_x(None, 3), (-1, -1)), ShapeError,
        _message("reshape", "-1 stands 2 times in [-1, -1]", "[?, 3]",
                 "only one size can be worked out"),
        label="minus one twice",
    ),
    Refusal(
        "reshape", lambda: sg.reshape(_x(0, 3), (-1, 0)), ShapeError,
        _message("reshape", "nothing says what -1 means in [-1, 0]", "[0, 3]",
                 "beside a size of 0 every size fits; write the size"),
        label="minus one beside 0",
    ),
    Refusal(
        "reshape", lambda: sg.reshape(_x(2, 3), (-2, 3)), ShapeError,
        _argument("reshape", "-2 is no size of an axis", "sizes are not negative"),
        label="negative",
    ),
    Refusal(
        "reshape", lambda: sg.reshape(_x(2, 3), (2, 1.5)), ShapeError,
        _argument("reshape", "1.5 is no size of an axis",
                  "give an int, or for a size that only the run knows a tensor such as "
                  "sg.size(x, 0)"),
        label="a float",
    ),
    Refusal(
        "reshape", lambda: sg.reshape(_x(2, 3), (2, None)), ShapeError,
        _argument("reshape", "None is no size of an axis",
                  "give an int, or for a size that only the run knows a tensor such as "
                  "sg.size(x, 0)"),
        label="None",
    ),
    Refusal(
        "reshape", lambda: sg.reshape(_x(2, 3), "ab"), ShapeError,
        _argument("reshape", "'ab' is no shape", "give an int or a tuple of ints"),
        label="a string",
    ),
    Refusal(
        "reshape", lambda: sg.reshape(_x(2, 3), _n("float32", 2)), DTypeError,
        _argument("reshape", "a size is float32", "'n'  float32[2]  placeholder at {here}",
                  "sizes are integers: sg.cast(x, 'int64')"),
        label="a float tensor",
    ),
    Refusal(
        "reshape", lambda: sg.reshape(_x(2, 3), _n("int64", 2, 1)), ShapeError,
        _argument("reshape", "a size has shape [2, 1]", "'n'  int64[2, 1]  placeholder at {here}",
                  "give scalars in a tuple, or one vector with the whole shape"),
        label="a matrix of sizes",
    ),
    Refusal(
        "broadcast_to", lambda: sg.broadcast_to(_x(2, 3), (2, 4)), ShapeError,
        _message("broadcast_to", "[2, 3] does not broadcast to [2, 4]", "[2, 3]",
                 "axis -1 of the operand must be 1 or equal"),
    ),
    Refusal(
        "broadcast_to", lambda: sg.broadcast_to(_x(2, 3), (3,)), ShapeError,
        _message("broadcast_to", "[2, 3] has more axes than [3]", "[2, 3]",
                 "broadcasting adds axes in front, it never removes one"),
        label="fewer axes",
    ),
    Refusal(
        "broadcast_to", lambda: sg.broadcast_to(_x(3), (1,)), ShapeError,
        _message("broadcast_to", "[3] does not broadcast to [1]", "[3]",
                 "axis -1 of the operand must be 1 or equal"),
        label="to size 1",
    ),
    Refusal(
        "broadcast_to", lambda: sg.broadcast_to(_x(3), (-1, 3)), ShapeError,
        _argument("broadcast_to", "-1 is no size of an axis", "sizes are not negative"),
        label="minus one",
    ),
    Refusal(
        "sum_to", lambda: _target(shaping.SUM_TO, sg.placeholder("bool", (2,), name="x"), shape=()),
        DTypeError,
        "sum_to: does not take bool\n"
        "  x 'x'  bool[2]  placeholder at {here}\n"
        "  x may be int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, bfloat16, "
        "float32, float64, complex64, complex128; sg.cast(x, dtype) converts\n"
        "  created at {here}: {line}",
    ),
    Refusal(
        "permute_dims", lambda: sg.permute_dims(_x(2, 3), (0, 0)), ShapeError,
        _message("permute_dims", "(0, 0) is no order of 2 axes", "[2, 3]",
                 "each of 0, 1 must stand in it once"),
    ),
    Refusal(
        "permute_dims", lambda: sg.permute_dims(_x(2, 3), (0, 1, 2)), ShapeError,
        _message("permute_dims", "(0, 1, 2) is no order of 2 axes", "[2, 3]",
                 "each of 0, 1 must stand in it once"),
        label="too many",
    ),
    Refusal(
        "permute_dims", lambda: sg.permute_dims(_x(), (0,)), ShapeError,
        _message("permute_dims", "(0,) is no order of 0 axes", "[]",
                 "a scalar has no axes: give ()"),
        label="of a scalar",
    ),
    Refusal(
        "permute_dims", lambda: sg.permute_dims(_x(2, 3), "ab"), ShapeError,
        _message("permute_dims", "'ab' is no order of axes", "[2, 3]",
                 "give a tuple with every axis once, or None"),
        label="a string",
    ),
    Refusal(
        "permute_dims", lambda: sg.matrix_transpose(_x(3)), ShapeError,
        _message("matrix_transpose", "a matrix has two axes, 'x' has 1", "[3]",
                 "sg.expand_dims adds one"),
        label="matrix_transpose of a vector",
    ),
    Refusal(
        "expand_dims", lambda: sg.expand_dims(_x(2, 3), 3), ShapeError,
        _message("expand_dims", "3 is no axis of the result", "[2, 3]",
                 "the result has axes -3 to 2"),
    ),
    Refusal(
        "expand_dims", lambda: sg.expand_dims(_x(2, 3), (0, -4)), ShapeError,
        _message("expand_dims", "an axis stands twice in axis=(0, -4)", "[2, 3]",
                 "name every new axis once"),
        label="twice",
    ),
    Refusal(
        "squeeze", lambda: sg.squeeze(_x(2, 1), 0), ShapeError,
        _message("squeeze", "axis 0 has size 2", "[2, 1]", "only axes of size 1 can be removed"),
    ),
    Refusal(
        "squeeze", lambda: sg.squeeze(_x(None, 1)), ShapeError,
        _message("squeeze", "not every size is known, so axis=None does not say which axes go",
                 "[?, 1]", "name them: squeeze(x, axis)"),
        label="unknown sizes",
    ),
    Refusal(
        "squeeze", lambda: sg.squeeze(_x(2, 1), 2), ShapeError,
        _message("squeeze", "'x' has no axis 2", "[2, 1]", "it has axes -2 to 1"),
        label="no such axis",
    ),
]  # fmt: skip
