"""Samples of `guard`, which differentiation puts behind nodes that mask."""

from __future__ import annotations

import numpy as np

import staticgraph as sg
from staticgraph.errors import ShapeError
from staticgraph.ops.elementwise import guard

from .sample_types import Refusal, Sample

_X = np.array([np.nan, np.nan, 3.0, 0.0, np.inf, -np.inf], np.float32)
_ADJOINT = np.array([0.0, 2.0, 0.0, -0.0, 0.0, np.nan], np.float32)


def _meaning(x, adjoint):
    return np.array(
        [0 if a == 0 and v != v else v for v, a in np.broadcast(x, adjoint)], x.dtype
    ).reshape(np.broadcast_shapes(np.shape(x), np.shape(adjoint)))


SAMPLES = [
    Sample("guard", guard, (_X, _ADJOINT), _meaning),
    Sample("guard", guard, (np.array([[np.nan], [1.5]]), np.zeros(3)), _meaning, label="broadcast"),
    Sample(
        "guard", guard, (np.array([0.3, -1.2]), np.array([0.0, 4.0])), _meaning, wrt=(0,),
        label="finite",
    ),
]  # fmt: skip

REFUSALS = [
    Refusal(
        "guard",
        lambda: guard(
            sg.placeholder("float32", (2,), name="x"), sg.placeholder("float32", (3,), name="a")
        ),
        ShapeError,
        "guard: shapes do not broadcast\n"
        "  x 'x'  float32[2]  placeholder at {here}\n"
        "  adjoint 'a'  float32[3]  placeholder at {here}\n"
        "  axis -1: 2 and 3 must be equal, or one of them 1\n"
        "  created at {here}: {line}",
    ),
]
