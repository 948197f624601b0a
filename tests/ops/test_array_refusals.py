"""Whole messages of what functions of whole arrays refuse, at once and in the run."""

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


class _Operands:
    """Placeholders that the calls take, new for each call."""

    def __init__(self) -> None:
        self.x = sg.placeholder("float32", (3, 4), name="x")
        self.v = sg.placeholder("float32", (5,), name="v")
        self.n = sg.placeholder("float32", ("n",), name="open")
        self.i = sg.placeholder("int32", (3,), name="i")
        self.c = sg.placeholder("complex64", (2,), name="c")
        self.s = sg.placeholder("float32", (), name="s")
        self.m = sg.placeholder("float32", (None, None), name="m")


Call = Callable[[_Operands], Any]

REFUSED: list[tuple[Call, type[Exception], str]] = [
    (
        lambda t: sg.rot90(t.x, 0.5),
        ShapeError,
        "rot90: k=0.5 is no number of turns\n  give an int\n  at <line>",
    ),
    (
        lambda t: sg.rot90(t.x, 1, (0, 2)),
        ShapeError,
        "rot90: 'x' has no axis 2\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  it has axes -2 to 1\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.rot90(t.x, 1, (1, -1)),
        ShapeError,
        "rot90: axes=(1, -1) is no plane\n  give two different axes\n  at <line>",
    ),
    (
        lambda t: sg.rot90(t.x, 1, 0),
        ShapeError,
        "rot90: axes=0 is no plane\n  give two axes: axes=(0, 1)\n  at <line>",
    ),
    (
        lambda t: sg.fliplr(t.v),
        ShapeError,
        "fliplr: 'v' has 1 axes\n"
        "  x 'v'  float32[5]  placeholder at <line>\n"
        "  it must have 2; sg.flip names the axis\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.flipud(t.s),
        ShapeError,
        "flipud: 's' has 0 axes\n"
        "  x 's'  float32[]  placeholder at <line>\n"
        "  it must have 1; sg.flip names the axis\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.flip(t.x, 2),
        ShapeError,
        "flip: 'x' has no axis 2\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  it has axes -2 to 1\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.roll(t.x, (1, 2, 3), (0, 1)),
        ShapeError,
        "roll: there are 3 shifts for 2 axes\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give one per axis, or one\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.trim_zeros(t.v, "x"),
        ShapeError,
        "trim_zeros: trim='x' names no ends\n  give 'f', 'b' or 'fb'\n  at <line>",
    ),
    (
        lambda t: sg.resize(t.v, 1.5),
        ShapeError,
        "resize: 1.5 is no shape\n  give an int or a tuple of ints\n  at <line>",
    ),
    (
        lambda t: sg.pad(t.x, 1, "mirror"),
        ShapeError,
        "pad: mode='mirror' is not there\n"
        "  give one of ('constant', 'edge', 'wrap', 'reflect', 'symmetric', 'linear_ramp', "
        "'maximum', 'minimum', 'mean', 'median', 'empty')\n"
        "  at <line>",
    ),
    (
        lambda t: sg.pad(t.x, 1, constant_values=(1, 2, 3)),
        ShapeError,
        "pad: constant_values=(1, 2, 3) does not fit 2 axes\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give a number, a pair of them, or one pair per axis\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.pad(t.x, 1, "mean", stat_length=0),
        ShapeError,
        "pad: stat_length=0 is no number\n  give an int from 1\n  at <line>",
    ),
    (
        lambda t: sg.stack([t.x, t.v]),
        ShapeError,
        "stack: xs[0] is [3, 4], xs[1] is [5]\n"
        "  xs[0] 'x'  float32[3, 4]  placeholder at <line>\n"
        "  xs[1] 'v'  float32[5]  placeholder at <line>\n"
        "  they must be equal; sg.concat joins along an axis that they have\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.stack([t.v, t.v], 2),
        ShapeError,
        "stack: 2 is no axis of the result\n"
        "  xs[0] 'v'  float32[5]  placeholder at <line>\n"
        "  the result has axes -2 to 1\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.unstack(t.n),
        ShapeError,
        "unstack: the size of axis 0 is not known, so neither is the number of parts\n"
        "  x 'open'  float32[n]  placeholder at <line>\n"
        "  declare it, or loop over it with sg.scan or sg.map_fn\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.vstack(t.x),
        ShapeError,
        "vstack: Tensor is no list of tensors\n  give a list: [a, b]\n  at <line>",
    ),
    (
        lambda t: sg.hstack([]),
        ShapeError,
        "hstack: there is nothing to join\n  give at least one tensor\n  at <line>",
    ),
    (
        lambda t: sg.vstack([t.x, t.v]),
        ShapeError,
        "vstack (in its concat): sizes differ along axis 1, which is not the one joined (0)\n"
        "  xs[0] 'x'  float32[3, 4]  placeholder at <line>\n"
        "  xs[1] 'expand_dims'  float32[1, 5]  expand_dims at <line>\n"
        "  xs[0] has 4, xs[1] has 5\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.column_stack([t.x, t.v]),
        ShapeError,
        "column_stack (in its concat): sizes differ along axis 0, which is not the one joined "
        "(1)\n"
        "  xs[0] 'x'  float32[3, 4]  placeholder at <line>\n"
        "  xs[1] 'permute_dims'  float32[5, 1]  permute_dims at <line>\n"
        "  xs[0] has 3, xs[1] has 5\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.block([[t.x], t.v]),
        ShapeError,
        "block: blocks stand in lists of different depths\n"
        "  nest all equally: [[a, b], [c]]\n"
        "  at <line>",
    ),
    (
        lambda t: sg.block([[t.x], []]),
        ShapeError,
        "block: a list is empty\n  give each list a block at least\n  at <line>",
    ),
    (
        lambda t: sg.array_split(t.v, 0),
        ShapeError,
        "array_split: 0 is no number of parts\n  give 1 or more\n  at <line>",
    ),
    (
        lambda t: sg.array_split(t.v, "ab"),
        ShapeError,
        "array_split: 'ab' are no places to split at\n"
        "  give a number of parts or a list of ints\n"
        "  at <line>",
    ),
    (
        lambda t: sg.hsplit(t.s, 2),
        ShapeError,
        "hsplit: 's' has 0 axes\n"
        "  x 's'  float32[]  placeholder at <line>\n"
        "  it must have 1; sg.split names the axis\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.vsplit(t.v, 2),
        ShapeError,
        "vsplit: 'v' has 1 axes\n"
        "  x 'v'  float32[5]  placeholder at <line>\n"
        "  it must have 2; sg.split names the axis\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.dsplit(t.x, 2),
        ShapeError,
        "dsplit: 'x' has 2 axes\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  it must have 3; sg.split names the axis\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.append(t.x, t.v, axis=0),
        ShapeError,
        "append (in its concat): xs[0] has 2 axes, xs[1] has 1\n"
        "  xs[0] 'x'  float32[3, 4]  placeholder at <line>\n"
        "  xs[1] 'v'  float32[5]  placeholder at <line>\n"
        "  sg.expand_dims adds an axis, sg.stack joins along a new one\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.append(t.x, t.v, axis=2),
        ShapeError,
        "append: 'x' has no axis 2\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  it has axes -2 to 1\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.delete(t.x, 5, 0),
        ShapeError,
        "delete: 5 names no entries of an axis of size 3: index 5 is out of bounds for axis 0 "
        "with size 3\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give an int, a slice, a list of ints, or one bool per entry\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.delete(t.x, 0, 2),
        ShapeError,
        "delete: 'x' has no axis 2\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  it has axes -2 to 1\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.delete(t.n, [0, 1]),
        ShapeError,
        "delete: the size of axis 0 is not known, so neither is what is left\n"
        "  x 'open'  float32[n]  placeholder at <line>\n"
        "  declare it, or give one int, or a tensor of ints or bools\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.delete(t.v, t.s),
        DTypeError,
        "delete: obj is float32[]\n"
        "  x 'v'  float32[5]  placeholder at <line>\n"
        "  obj 's'  float32[]  placeholder at <line>\n"
        "  give an int scalar, an int vector, or a bool vector\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.insert(t.v, 9, 1.0),
        ShapeError,
        "insert: there is no entry 9 along axis 0\n"
        "  x 'v'  float32[5]  placeholder at <line>\n"
        "  it has size 5\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.insert(t.n, [0, 1], 1.0),
        ShapeError,
        "insert: the size of axis 0 is not known, so neither are the places\n"
        "  x 'open'  float32[n]  placeholder at <line>\n"
        "  declare it, or give one int\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.insert(t.v, 0, t.x),
        ShapeError,
        "insert: values of shape [3, 4] have more axes than x\n"
        "  x 'v'  float32[5]  placeholder at <line>\n"
        "  values 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give what broadcasts to the entries that are put in\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.insert(t.v, [[0]], 1.0),
        ShapeError,
        "insert: [[0]] names no entries\n"
        "  x 'v'  float32[5]  placeholder at <line>\n"
        "  give an int, a slice or a list of ints\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.insert(t.v, [0, 9], 1.0),
        ShapeError,
        "insert: array([0, 9]) names no entries of an axis of size 5: index 10 is out of "
        "bounds for axis 0 with size 7\n"
        "  x 'v'  float32[5]  placeholder at <line>\n"
        "  give an int, a slice, a list of ints, or one bool per entry\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.atleast_1d(),
        ShapeError,
        "atleast_1d: there is no operand\n  give at least one tensor\n  at <line>",
    ),
    (
        lambda t: sg.rollaxis(t.x, 0, 3),
        ShapeError,
        "rollaxis: start=3 is no place of an axis\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give an int from -2 to 2\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.moveaxis(t.x, 0, (0, 1)),
        ShapeError,
        "moveaxis: 1 axes do not move to 2 places\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give as many of each\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.swapaxes(t.x, 0, 2),
        ShapeError,
        "swapaxes: 'x' has no axis 2\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  it has axes -2 to 1\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.meshgrid(t.x),
        ShapeError,
        "meshgrid: 'x' has 2 axes\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give vectors; sg.reshape(x, -1) flattens\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.meshgrid(t.v, sparse=1),
        ShapeError,
        "meshgrid: sparse=1 is no bool\n  give True or False\n  at <line>",
    ),
    (
        lambda t: sg.tril(t.x, 0.5),
        ShapeError,
        "tril: k=0.5 is no diagonal\n  give an int\n  at <line>",
    ),
    (
        lambda t: sg.select([t.x > 0], []),
        ShapeError,
        "select: there are 1 conditions and 0 choices\n"
        "  give one choice per condition, and one at least\n"
        "  at <line>",
    ),
    (
        lambda t: sg.select([t.x], [t.x]),
        DTypeError,
        "select: a condition is float32\n"
        "  condition 'x'  float32[3, 4]  placeholder at <line>\n"
        "  compare it with something: x > 0\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.select(t.x > 0, t.x),
        ShapeError,
        "select: conditions and choices are no lists\n  give lists: [x > 0], [x]\n  at <line>",
    ),
    (
        lambda t: sg.piecewise(t.x, [t.x > 0], []),
        ShapeError,
        "piecewise: there are 1 conditions and 0 functions\n"
        "  give one function per condition, and maybe one for the rest\n"
        "  at <line>",
    ),
    (
        lambda t: sg.choose(t.v, [t.x]),
        DTypeError,
        "choose: a is float32\n"
        "  a 'v'  float32[5]  placeholder at <line>\n"
        "  give ints\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.choose(t.i, []),
        ShapeError,
        "choose: there is no choice\n  give one at least\n  at <line>",
    ),
    (
        lambda t: sg.choose(t.i, t.n),
        ShapeError,
        "choose: the number of choices is not known\n"
        "  choices 'open'  float32[n]  placeholder at <line>\n"
        "  declare the size of axis 0, or give a list\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.choose(t.i, [1, 2], mode="other"),
        ShapeError,
        "choose: mode='other' is not there\n  give 'raise', 'wrap' or 'clip'\n  at <line>",
    ),
    (
        lambda t: sg.compress(t.x > 0, t.x),
        ShapeError,
        "compress: the condition has shape [3, 4]\n"
        "  condition 'greater'  bool[3, 4]  greater at <line>\n"
        "  give a vector of bools\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.compress([True], t.x, 2),
        ShapeError,
        "compress: 'x' has no axis 2\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  it has axes -2 to 1\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.apply_along_axis(sg.sum, 2, t.x),
        ShapeError,
        "apply_along_axis: 'x' has no axis 2\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  it has axes -2 to 1\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.gradient(t.v, edge_order=3),
        ShapeError,
        "gradient: edge_order=3 is not there\n  give 1 or 2\n  at <line>",
    ),
    (
        lambda t: sg.gradient(t.x, 1.0, 2.0, 3.0),
        ShapeError,
        "gradient: there are 3 distances for 2 axes\n"
        "  give none, one number for all axes, or one distance per axis\n"
        "  at <line>",
    ),
    (
        lambda t: sg.gradient(t.x, t.v),
        ShapeError,
        "gradient: the places have shape [5]\n"
        "  distance 'v'  float32[5]  placeholder at <line>\n"
        "  give a number, or for each axis a vector with a place per sample; axis 0 has 3\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.gradient(sg.zeros(1)),
        ShapeError,
        "gradient: axis 0 is too short for edge_order=1\n"
        "  f 'zeros'  float32[1]  broadcast_to at <line>\n"
        "  it must have 2 samples, and has 1\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.gradient(t.v, t.x, axis=0),
        ShapeError,
        "gradient: the places have shape [3, 4]\n"
        "  distance 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give a number, or for each axis a vector with a place per sample; axis 0 has 5\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.diff(t.v, -1),
        ShapeError,
        "diff: n=-1 is no number of times\n  give an int from 0\n  at <line>",
    ),
    (
        lambda t: sg.diff(t.x, axis=2),
        ShapeError,
        "diff: 'x' has no axis 2\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  it has axes -2 to 1\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.cumulative_sum(t.x),
        ShapeError,
        "cumulative_sum: x has 2 axes, and none is named\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give axis=...; sg.reshape(x, -1) flattens\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.interp(t.v, t.x, t.v),
        ShapeError,
        "interp: xp has shape [3, 4]\n"
        "  xp 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give vectors\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.interp(t.v, [1.0, 0.0], [1.0, 2.0]),
        ShapeError,
        "interp: xp does not ascend\n"
        "  sort the points by xp: sg.argsort(xp) orders both\n"
        "  at <line>",
    ),
    (
        lambda t: sg.interp(t.v, [0.0, 1.0], [1.0, 2.0], period=t.v),
        ShapeError,
        "interp: period has shape [5]\n"
        "  period 'v'  float32[5]  placeholder at <line>\n"
        "  give one number\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.convolve(t.x, t.v),
        ShapeError,
        "convolve: a has shape [3, 4]\n"
        "  a 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give vectors with elements; sg.reshape(x, -1) flattens\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.correlate(t.v, t.x),
        ShapeError,
        "correlate: v has shape [3, 4]\n"
        "  v 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give vectors with elements; sg.reshape(x, -1) flattens\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.correlate(t.v, t.v, "half"),
        ShapeError,
        "correlate: mode='half' is not there\n  give 'full', 'same' or 'valid'\n  at <line>",
    ),
    (
        lambda t: sg.inner(t.x, t.v),
        ShapeError,
        "inner: the last axes differ in size\n"
        "  lhs 'x'  float32[3, 4]  placeholder at <line>\n"
        "  rhs 'v'  float32[5]  placeholder at <line>\n"
        "  that of lhs is 4, that of rhs is 5; they must be equal\n"
        "  at <line>",
    ),
    (
        lambda t: sg.vdot(t.x, t.v),
        ShapeError,
        "vdot: the operands differ in size\n"
        "  lhs 'x'  float32[3, 4]  placeholder at <line>\n"
        "  rhs 'v'  float32[5]  placeholder at <line>\n"
        "  lhs has 12 elements, rhs has 5; they must be equal\n"
        "  at <line>",
    ),
    (
        lambda t: sg.indices(3),
        ShapeError,
        "indices: 3 is no shape\n  give the sizes in a tuple\n  at <line>",
    ),
    (
        lambda t: sg.indices(()),
        ShapeError,
        "indices: there are no axes\n  give one size at least\n  at <line>",
    ),
    (
        lambda t: sg.ix_(t.x),
        ShapeError,
        "ix_: this has shape [3, 4]\n"
        "  args[0] 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give vectors of indices\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.diag_indices(3, -1),
        ShapeError,
        "diag_indices: ndim=-1 is no number of axes\n  give an int from 0\n  at <line>",
    ),
    (
        lambda t: sg.tril_indices(3, 0.5),
        ShapeError,
        "tril_indices: k=0.5 is no diagonal\n  give an int\n  at <line>",
    ),
    (
        lambda t: sg.tril_indices_from(t.v),
        ShapeError,
        "tril_indices_from: a matrix has two axes, 'v' has 1\n"
        "  x 'v'  float32[5]  placeholder at <line>\n"
        "  give one matrix\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.unravel_index(t.v, (2, 3)),
        DTypeError,
        "unravel_index: indices is float32\n"
        "  indices 'v'  float32[5]  placeholder at <line>\n"
        "  give ints: sg.cast(x, 'int64') converts\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.unravel_index(t.i, (2, -3)),
        ShapeError,
        "unravel_index: (2, -3) is no shape\n  give one or several ints from 0\n  at <line>",
    ),
    (
        lambda t: sg.ravel_multi_index([t.i], (2, 3)),
        ShapeError,
        "ravel_multi_index: there are 1 indices for 2 axes\n  give one per axis\n  at <line>",
    ),
    (
        lambda t: sg.ravel_multi_index([t.i, t.v], (2, 3)),
        DTypeError,
        "ravel_multi_index: multi_index[1] is float32\n"
        "  multi_index[1] 'v'  float32[5]  placeholder at <line>\n"
        "  give ints: sg.cast(x, 'int64') converts\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.ravel_multi_index([t.i, t.i], (2, 3), mode="other"),
        ShapeError,
        "ravel_multi_index: mode='other' is not there\n"
        "  give 'raise', 'wrap' or 'clip'\n"
        "  at <line>",
    ),
    (
        lambda t: sg.tri(3, k=1.5),
        ShapeError,
        "tri: k=1.5 is no diagonal\n  give an int\n  at <line>",
    ),
    (
        lambda t: sg.tri(-1),
        ShapeError,
        "tri: -1 is no size of an axis\n  sizes are not negative\n  at <line>",
    ),
    (
        lambda t: sg.linspace(0.0, 1.0, -1),
        ShapeError,
        "linspace: -1 is no number of elements\n  give an int from 0\n  at <line>",
    ),
    (
        lambda t: sg.linspace(0.0, 1.0, 2.5),
        ShapeError,
        "linspace: 2.5 is no number of elements\n  give an int from 0\n  at <line>",
    ),
    (
        lambda t: sg.linspace(0.0, 1.0, t.s),
        DTypeError,
        "linspace: a size is float32\n"
        "  's'  float32[]  placeholder at <line>\n"
        "  sizes are integers: sg.cast(x, 'int64')\n"
        "  at <line>",
    ),
    (
        lambda t: sg.linspace(t.v, 1.0, 3, axis=2),
        ShapeError,
        "linspace: axis=2 is no axis of the result\n  it has axes -2 to 1\n  at <line>",
    ),
    (
        lambda t: sg.linspace(0.0, 1.0, 3, endpoint=1),
        ShapeError,
        "linspace: endpoint=1 is no bool\n  give True or False\n  at <line>",
    ),
    (
        lambda t: sg.logspace(0.0, 1.0, "many"),
        ShapeError,
        "logspace: 'many' is no number of elements\n  give an int from 0\n  at <line>",
    ),
    (
        lambda t: sg.geomspace(t.c, 1.0),
        DTypeError,
        "geomspace: the ends are complex\n"
        "  start 'c'  complex64[2]  placeholder at <line>\n"
        "  stop 'constant'  complex64[]  constant at <line>\n"
        "  sg.exp(sg.linspace(...)) of logarithms goes between them\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.quantile(t.x, 1.5),
        ShapeError,
        "quantile: q=1.5 is no share of 1\n  give numbers from 0 to 1\n  at <line>",
    ),
    (
        lambda t: sg.quantile(t.x, "half"),
        ShapeError,
        "quantile: q='half' is no share of 1\n  give numbers from 0 to 1\n  at <line>",
    ),
    (
        lambda t: sg.percentile(t.x, [5, 101]),
        ShapeError,
        "percentile: q=[5, 101] is no share of 100\n  give numbers from 0 to 100\n  at <line>",
    ),
    (
        lambda t: sg.quantile(t.x, 0.5, method="best"),
        ShapeError,
        "quantile: method='best' is not there\n"
        "  give one of ('inverted_cdf', 'averaged_inverted_cdf', 'closest_observation', "
        "'interpolated_inverted_cdf', 'hazen', 'weibull', 'linear', 'median_unbiased', "
        "'normal_unbiased', 'lower', 'higher', 'midpoint', 'nearest')\n"
        "  at <line>",
    ),
    (
        lambda t: sg.quantile(t.x, 0.5, axis=2),
        ShapeError,
        "quantile: 'x' has no axis 2\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  it has axes -2 to 1\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.quantile(t.c, 0.5),
        DTypeError,
        "quantile: x is complex64, which has no order\n"
        "  x 'c'  complex64[2]  placeholder at <line>\n"
        "  sg.real(x), sg.imag(x) or sg.abs(x) gives a real number\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.quantile(t.x, t.c),
        DTypeError,
        "quantile: q is complex64\n"
        "  q 'c'  complex64[2]  placeholder at <line>\n"
        "  give numbers from 0 to 1\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.quantile(t.x, 0.5, weights=t.x),
        ShapeError,
        "quantile: weights have no meaning with method='linear'\n"
        "  give method='inverted_cdf'\n"
        "  at <line>",
    ),
    (
        lambda t: sg.quantile(t.x, 0.5, method="inverted_cdf", weights=t.v),
        ShapeError,
        "quantile: weights of shape [5] do not fit\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  weights 'cast'  float64[5]  cast at <line>\n"
        "  give one per element, or a vector and the one axis it runs along\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.median(sg.zeros((0, 2)), axis=0),
        ShapeError,
        "median: of no elements there is none\n"
        "  x 'zeros'  float32[0, 2]  broadcast_to at <line>\n"
        "  reduce axes that have elements\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.nanmedian(t.x, keepdims=2),
        ShapeError,
        "nanmedian: keepdims=2 is no bool\n  give True or False\n  at <line>",
    ),
    (
        lambda t: sg.nanargmax(t.x, 2),
        ShapeError,
        "nanargmax: 'x' has no axis 2\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  it has axes -2 to 1\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.nanmax(t.x, where=t.x > 0),
        ShapeError,
        "nanmax (in its max): with where= there may be no element left, which has no max\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give initial=..., the result of no elements\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.nanvar(t.x, where=t.i),
        DTypeError,
        "nanvar: where is int32\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  where 'i'  int32[3]  placeholder at <line>\n"
        "  give bools, as a comparison makes them\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.average(t.x, 0, weights=[1.0, 2.0, 3.0, 4.0, 5.0]),
        ShapeError,
        "average: weights of shape [5] do not fit\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  weights 'constant'  float32[5]  constant at <line>\n"
        "  give one per element, or a vector and the one axis it runs along\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.average(t.x, weights=t.v),
        ShapeError,
        "average: weights of shape [5] do not fit\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  weights 'v'  float32[5]  placeholder at <line>\n"
        "  give one per element, or a vector and the one axis it runs along\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.cov(t.c),
        DTypeError,
        "cov: the samples are complex64, and no complex ones are taken\n"
        "  x 'c'  complex64[2]  placeholder at <line>\n"
        "  give the parts as variables: sg.real(z) and sg.imag(z)\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.cov(sg.zeros((2, 2, 2))),
        ShapeError,
        "cov: this has 3 axes\n"
        "  x 'zeros'  float32[2, 2, 2]  broadcast_to at <line>\n"
        "  give a matrix of variables and samples, or a vector\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.cov(t.x, fweights=t.v),
        DTypeError,
        "cov: fweights is float32\n"
        "  m 'x'  float32[3, 4]  placeholder at <line>\n"
        "  fweights 'v'  float32[5]  placeholder at <line>\n"
        "  give ints; aweights takes other numbers\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.cov(t.x, aweights=t.x),
        ShapeError,
        "cov: aweights has shape [3, 4]\n"
        "  m 'x'  float32[3, 4]  placeholder at <line>\n"
        "  aweights 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give a vector, one per sample\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.corrcoef(t.x, rowvar=None),
        ShapeError,
        "corrcoef: rowvar=None is no bool\n  give True or False\n  at <line>",
    ),
    (
        lambda t: sg.histogram(t.v, "auto"),
        ShapeError,
        "histogram: bins='auto' is not there\n  give a number or the edges\n  at <line>",
    ),
    (
        lambda t: sg.histogram(t.v, 0),
        ShapeError,
        "histogram: bins=0 is no number of bins\n  give an int from 1\n  at <line>",
    ),
    (
        lambda t: sg.histogram(t.v, [2.0, 1.0]),
        ShapeError,
        "histogram: the edges do not ascend\n  sg.sort(bins) brings them into order\n  at <line>",
    ),
    (
        lambda t: sg.histogram(t.v, t.x),
        ShapeError,
        "histogram: the edges have shape [3, 4]\n"
        "  bins 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give a vector\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.histogram(t.v, 3, range=(2.0, 1.0)),
        ShapeError,
        "histogram: range=(2.0, 1.0) is no range\n"
        "  give the lower edge, then the upper\n"
        "  at <line>",
    ),
    (
        lambda t: sg.histogram(t.v, 3, range=5),
        ShapeError,
        "histogram: range=5 is no range\n  give the lower edge, then the upper\n  at <line>",
    ),
    (
        lambda t: sg.histogram(sg.zeros(0), 3),
        ShapeError,
        "histogram: of no elements there is no smallest and no largest\n"
        "  x 'zeros'  float32[0]  broadcast_to at <line>\n"
        "  give range=(low, high)\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.histogramdd(t.x, [1, 2]),
        ShapeError,
        "histogramdd: bins=[1, 2] is nothing for 4 axes\n"
        "  give an int, or one per axis\n"
        "  at <line>",
    ),
    (
        lambda t: sg.histogramdd(t.x, 2, range=[(0, 1)]),
        ShapeError,
        "histogramdd: range=[(0, 1)] is nothing for 4 axes\n"
        "  give a pair for each axis\n"
        "  at <line>",
    ),
    (
        lambda t: sg.histogramdd([]),
        ShapeError,
        "histogramdd: the points have no coordinates\n  give one vector at least\n  at <line>",
    ),
    (
        lambda t: sg.histogramdd(t.m),
        ShapeError,
        "histogramdd: the sample has shape [?, ?]\n"
        "  sample 'm'  float32[?, ?]  placeholder at <line>\n"
        "  give a matrix with a point per row and a known number of columns\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.digitize(t.v, [1.0, 3.0, 2.0]),
        ShapeError,
        "digitize: the bins are in no order\n  sg.sort(bins) brings them into order\n  at <line>",
    ),
    (
        lambda t: sg.digitize(t.v, t.x),
        ShapeError,
        "digitize: the edges have shape [3, 4]\n"
        "  bins 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give a vector\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.polyval(t.x, t.v),
        ShapeError,
        "polyval: p has shape [3, 4]\n"
        "  p 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give a vector with a known number of coefficients\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.polyval(t.n, t.x),
        ShapeError,
        "polyval: p has shape [n]\n"
        "  p 'open'  float32[n]  placeholder at <line>\n"
        "  give a vector with a known number of coefficients\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.polyadd(t.v, t.x),
        ShapeError,
        "polyadd: a2 has shape [3, 4]\n"
        "  a2 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give a vector with a known number of coefficients\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.polymul(t.x, t.v),
        ShapeError,
        "polymul: a1 has shape [3, 4]\n"
        "  a1 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give a vector with a known number of coefficients\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.polyder(t.v, -1),
        ShapeError,
        "polyder: m=-1 is no number of times\n  give an int from 0\n  at <line>",
    ),
    (
        lambda t: sg.polyint(t.v, 2, [1.0, 2.0, 3.0]),
        ShapeError,
        "polyint: there are 3 constants for 2 integrals\n"
        "  give one number, or one per integral\n"
        "  at <line>",
    ),
    (
        lambda t: sg.polyfit(t.x, t.v, 1),
        ShapeError,
        "polyfit: x has shape [3, 4]\n"
        "  x 'x'  float32[3, 4]  placeholder at <line>\n"
        "  give vectors; y may be a matrix with a column per fit\n"
        "  created at <line>",
    ),
    (
        lambda t: sg.polyfit(t.v, t.v, 1.5),
        ShapeError,
        "polyfit: deg=1.5 is no degree\n  give an int from 0\n  at <line>",
    ),
    (
        lambda t: sg.polyfit(t.v, t.s, 1),
        ShapeError,
        "polyfit: y has shape []\n"
        "  y 's'  float32[]  placeholder at <line>\n"
        "  give vectors; y may be a matrix with a column per fit\n"
        "  created at <line>",
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "message"), REFUSED, ids=[row[2].split("\n")[0][:60] for row in REFUSED]
)
def test_what_does_not_fit_is_refused_at_once(
    call: Call, error: type[Exception], message: str
) -> None:
    with sg.Graph().as_default():
        operands = _Operands()
        assert refused(lambda: call(operands), error) == message


# -- what only the run knows ------------------------------------------------------------------

RowOfRun = tuple[str, Callable[..., Any], tuple[Any, ...], str]
IN_THE_RUN: list[RowOfRun] = [
    (
        "quantile",
        lambda x, q: sg.quantile(x, q),
        ([1.0, 2.0], 1.5),
        "quantile: q is no share of 1\n"
        "  q 'x1'  float64[]  feed at <line>\n"
        "  q is 1.5\n"
        "  give numbers from 0 to 1\n"
        "  created at <line>",
    ),
    (
        "percentile",
        lambda x, q: sg.percentile(x, q),
        ([1.0, 2.0], [50.0, 101.0]),
        "percentile: q is no share of 100\n"
        "  q 'x1'  float64[?]  feed at <line>\n"
        "  q is [ 50. 101.]\n"
        "  give numbers from 0 to 100\n"
        "  created at <line>",
    ),
    (
        "median of nothing",
        lambda x: sg.median(x),
        ([],),
        "median: of no elements there is none\n"
        "  x 'x0'  float64[?]  feed at <line>\n"
        "  x is []\n"
        "  reduce axes that have elements\n"
        "  created at <line>",
    ),
    (
        "weights",
        lambda x, q: sg.quantile(x, 0.5, method="inverted_cdf", weights=q),
        ([1.0, 2.0], [1.0, -1.0]),
        "quantile: a weight is negative or no finite number\n"
        "  weights 'x1'  float64[?]  feed at <line>\n"
        "  weights is [ 1. -1.]\n"
        "  give numbers from 0\n"
        "  created at <line>",
    ),
    (
        "weights of 0",
        lambda x, q: sg.quantile(x, 0.5, method="inverted_cdf", weights=q),
        ([1.0, 2.0], [0.0, 0.0]),
        "quantile: the weights are all 0\n  one must be positive\n  created at <line>",
    ),
    (
        "nanargmax",
        lambda x: sg.nanargmax(x, 1),
        ([[1.0, float("nan")], [float("nan"), float("nan")]],),
        "nanargmax: there is nothing but NaN in a row\n"
        "  sg.nan_to_num(x) puts numbers in its place\n"
        "  created at <line>",
    ),
    (
        "repeat",
        lambda x, q: sg.repeat(x, q),
        ([1.0, 2.0], [1, -1]),
        "repeat: a number of repetitions is negative\n"
        "  repeats 'x1'  int64[?]  feed at <line>\n"
        "  repeats is [ 1 -1]\n"
        "  give ints that are not negative\n"
        "  created at <line>",
    ),
    (
        "digitize",
        lambda x, q: sg.digitize(x, q),
        ([1.0], [0.0, 2.0, 1.0]),
        "digitize: the bins are in no order\n"
        "  bins 'x1'  float64[?]  feed at <line>\n"
        "  bins is [0. 2. 1.]\n"
        "  sg.sort(bins) brings them into order\n"
        "  created at <line>",
    ),
    (
        "histogram of edges",
        lambda x, q: sg.histogram(x, q)[0],
        ([1.0], [0.0, 2.0, 1.0]),
        "histogram: the edges do not ascend\n"
        "  bins 'x1'  float64[?]  feed at <line>\n"
        "  bins is [0. 2. 1.]\n"
        "  sg.sort(bins) brings them into order\n"
        "  created at <line>",
    ),
    (
        "histogram of a range",
        lambda x, q: sg.histogram(x, 2, (q, 0.0))[0],
        ([1.0], 1.0),
        "histogram: the range ends before it begins\n"
        "  low 'x1'  float64[]  feed at <line>\n"
        "  high 'constant'  float64[]  constant at <line>\n"
        "  low is 1.\n"
        "  high is 0.\n"
        "  give the lower edge, then the upper\n"
        "  created at <line>",
    ),
    (
        "histogram of nothing",
        lambda x: sg.histogram(x, 2)[0],
        ([],),
        "histogram: of no elements there is no smallest and no largest\n"
        "  give range=(low, high)\n"
        "  created at <line>",
    ),
    (
        "interp",
        lambda x, q: sg.interp(x, q, q),
        ([1.0], [0.0, 2.0, 1.0]),
        "interp: xp does not ascend\n"
        "  xp 'x1'  float64[?]  feed at <line>\n"
        "  xp is [0. 2. 1.]\n"
        "  sort the points by xp: sg.argsort(xp) orders both\n"
        "  created at <line>",
    ),
    (
        "interp of no period",
        lambda x, q: sg.interp(x, x, x, period=q),
        ([1.0], 0.0),
        "interp: period is 0\n  give another number\n  created at <line>",
    ),
    (
        "linspace",
        lambda n: sg.linspace(0.0, 1.0, n),
        (-2,),
        "linspace: num is negative\n"
        "  num 'x0'  int64[]  feed at <line>\n"
        "  num is -2\n"
        "  give an int from 0\n"
        "  created at <line>",
    ),
    (
        "gradient",
        lambda x: sg.gradient(x),
        ([1.0],),
        "gradient: axis 0 is too short for edge_order=1\n"
        "  it must have 2 samples\n"
        "  created at <line>",
    ),
    (
        "delete of one",
        lambda x: sg.delete(x, 3, 0),
        ([1.0, 2.0],),
        "delete: there is no entry 3 along axis 0\n"
        "  entries are counted from 0, or from -1 at the end\n"
        "  created at <line>",
    ),
    (
        "delete of several",
        lambda x, q: sg.delete(x, q, 0),
        ([1.0, 2.0], [0, 2]),
        "delete: an entry is not there along axis 0\n"
        "  obj 'x1'  int64[?]  feed at <line>\n"
        "  obj is [0 2]\n"
        "  entries are counted from 0, or from -1 at the end\n"
        "  created at <line>",
    ),
    (
        "delete of bools",
        lambda x, q: sg.delete(x, q, 0),
        ([1.0, 2.0], [True]),
        "delete: there is not one bool per entry\n"
        "  obj 'x1'  bool[?]  feed at <line>\n"
        "  obj is [ True]\n"
        "  give a bool vector of the size of the axis\n"
        "  created at <line>",
    ),
    (
        "choose",
        lambda i: sg.choose(i, [1.0, 2.0]),
        ([0, 2],),
        "choose: a number is not from 0 to 1\n"
        "  a 'x0'  int64[?]  feed at <line>\n"
        "  a is [0 2]\n"
        "  give mode='wrap' or mode='clip', or other numbers\n"
        "  created at <line>",
    ),
    (
        "unravel_index",
        lambda i: sg.unravel_index(i, (2, 3))[0],
        ([0, 6],),
        "unravel_index: a place is not one of the 6 of shape (2, 3)\n"
        "  indices 'x0'  int64[?]  feed at <line>\n"
        "  indices is [0 6]\n"
        "  places are counted from 0 to 5\n"
        "  created at <line>",
    ),
    (
        "ravel_multi_index",
        lambda i: sg.ravel_multi_index([i, 0], (2, 3)),
        ([0, 2],),
        "ravel_multi_index: an index is not from 0 to 1 along axis 0\n"
        "  multi_index 'x0'  int64[?]  feed at <line>\n"
        "  multi_index is [0 2]\n"
        "  give mode='wrap' or mode='clip', or other indices\n"
        "  created at <line>",
    ),
]


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(
    ("label", "call", "values", "message"), IN_THE_RUN, ids=[row[0] for row in IN_THE_RUN]
)
def test_what_does_not_fit_fails_the_run(
    backend: Any, label: str, call: Callable[..., Any], values: tuple[Any, ...], message: str
) -> None:
    arrays = [np.asarray(value) for value in values]
    with sg.Graph().as_default() as graph:
        feeds = [
            sg.placeholder(array.dtype, (None,) * array.ndim, name=f"x{number}")
            for number, array in enumerate(arrays)
        ]
        result = call(*feeds)
    with sg.Session(graph, backend=backend) as session:
        fed: dict[Any, Any] = dict(zip(feeds, arrays, strict=True))
        assert refused(lambda: session.run(result, fed), RunError) == message
