"""Reductions: ops that combine the elements along some axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.graph import Operation, Tensor
from staticgraph.core.opdef import LINEAR, Attrs, Mismatch, OpDef, Types, register
from staticgraph.core.types import Shape, TensorType
from staticgraph.ops.convert import as_tensor
from staticgraph.ops.shaping import broadcast_like


def normalize_axes(axis: Any, ndim: int | None, what: str = "axis") -> tuple[int, ...] | None:
    """Axes as a sorted tuple of numbers that are not negative; None stands for all axes."""
    raise NotImplementedError
