"""Feeds: what a user gives for a tensor, checked and converted to an array of its dtype."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from staticgraph.core import dtypes
from staticgraph.core.dtypes import DType
from staticgraph.core.graph import Graph, Tensor, describe
from staticgraph.core.location import capture
from staticgraph.core.types import format_dim, format_shape
from staticgraph.errors import FeedError
from staticgraph.ops.convert import is_tensor_like
from staticgraph.ops.state import Variable

Array = np.ndarray[Any, Any]


def feed_key(key: Any, graph: Graph) -> Tensor:
    """The tensor that a feed key means."""
    if isinstance(key, Tensor):
        if key.node.graph is not graph and key.node.graph.outer is not None:
            raise FeedError(
                f"run: a feed key was made inside {key.node.graph.what}\n"
                f"  {describe(key)}\n"
                "  it is another value in each run of the body: feed what the body takes from "
                "outside\n"
                f"  at {capture()}"
            )
        if key.node.graph is not graph:
            raise FeedError(
                "run: a feed key belongs to another graph than the session\n"
                f"  {describe(key)}\n"
                "  feed tensors of the session's graph\n"
                f"  at {capture()}"
            )
        return key
    if isinstance(key, str):
        tensor = graph.tensor(key)
        if tensor is not None:
            return tensor
        close = difflib.get_close_matches(key, graph.names(), n=3)
        hint = f"  close names: {', '.join(close)}\n" if close else ""
        raise FeedError(
            f"run: nothing in the graph is called '{key}', so it cannot be fed\n{hint}"
            f"  at {capture()}"
        )
    if isinstance(key, Variable):
        raise FeedError(
            f"run: variable '{key.name}' cannot be fed\n"
            f"  assign to it, session.run({key.name}.assign(value)), or feed one read of it, "
            f"{{{key.name}.value: value}}\n"
            f"  at {capture()}"
        )
    raise FeedError(
        f"run: a feed key is a {type(key).__name__}\n"
        "  the keys of a feed are tensors or their names\n"
        f"  at {capture()}"
    )


def feed_keys(feed: Any, graph: Graph) -> dict[Tensor, Any]:
    """A user's feed dict with tensors as keys."""
    if feed is None:
        return {}
    if not isinstance(feed, Mapping):
        raise FeedError(
            f"run: the feed is a {type(feed).__name__}, not a dict\n"
            "  give {tensor: value, ...}\n"
            f"  at {capture()}"
        )
    resolved: dict[Tensor, Any] = {}
    for key, value in feed.items():
        tensor = key if type(key) is Tensor and key.node.graph is graph else feed_key(key, graph)
        if tensor in resolved:
            raise FeedError(
                f"run: '{tensor.name}' is fed twice, by tensor and by name\n"
                f"  give it once\n  at {capture()}"
            )
        resolved[tensor] = value
    return resolved


def feed_array(tensor: Tensor, value: Any) -> Array:
    """`value` as an array of the tensor's dtype and a shape that fits it."""
    dtype = tensor.type.dtype
    if type(value) is np.ndarray and value.dtype is dtype:
        array = value
    else:
        array = _convert(tensor, value, dtype)
    wanted = tensor.type.shape
    if wanted is not None:
        shape = array.shape
        if len(shape) != len(wanted) or any(
            type(want) is int and have != want for have, want in zip(shape, wanted, strict=True)
        ):
            raise FeedError(
                f"run: the value fed for '{tensor.name}' has the wrong shape\n"
                f"  have {format_shape(shape)}\n"
                f"  want {format_shape(wanted)}\n"
                f"  {describe(tensor)}\n"
                "  reshape the value, or declare the axis as None or by name\n"
                f"  at {capture()}"
            )
    return array


def bind_symbols(tensor: Tensor, array: Array, sizes: dict[str, tuple[int, Tensor]]) -> None:
    """Records the sizes of named dims; raises FeedError when two feeds disagree."""
    shape = tensor.type.shape
    if shape is None:
        return
    for dim, size in zip(shape, array.shape, strict=True):
        if not isinstance(dim, str):
            continue
        known = sizes.setdefault(dim, (size, tensor))
        if known[0] != size:
            named = f"named dim '{dim}'" if not dim.startswith("?") else "unknown dim they share"
            raise FeedError(
                f"run: two feeds disagree about the {named}\n"
                f"  {known[0]} in {describe(known[1])}\n"
                f"  {size} in {describe(tensor)}\n"
                f"  equal names mean equal sizes\n"
                f"  at {capture()}"
            )


def _convert(tensor: Tensor, value: Any, dtype: DType) -> Array:
    if is_tensor_like(value):
        raise FeedError(
            f"run: the value fed for '{tensor.name}' is a {type(value).__name__}, which has no "
            "value outside a run\n"
            f"  {describe(tensor)}\n"
            "  fetch it first and feed the array, or build with it instead of the placeholder\n"
            f"  at {capture()}"
        )
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as problem:
        remedy = "give numbers in a rectangular form"
        raise _bad(tensor, f"is no array: {problem}", remedy) from None
    if array.dtype == dtype:
        return array.astype(dtype, copy=False)
    if array.dtype.kind not in "biufc" and array.dtype not in dtypes.HALF:
        kind = type(value).__name__
        raise _bad(
            tensor, f"is no array of numbers but {kind} of dtype {array.dtype}", "feed numbers"
        )
    if array.size == 0 and array.dtype == np.float64 and isinstance(value, list | tuple):
        return array.astype(dtype)
    if array.dtype.kind == "c" and dtype.kind != "c":
        raise _bad(
            tensor,
            f"is {array.dtype.name}, the tensor {dtypes.name(dtype)}",
            "feed its real part, value.real, or make the placeholder complex",
        )
    if dtype.kind in "iu":
        return _to_integer(tensor, array, dtype)
    if dtype.kind == "b" and array.dtype.kind != "b":
        raise _bad(
            tensor, f"is {array.dtype.name}, the tensor bool", "compare it first: value != 0"
        )
    with np.errstate(all="ignore"):
        return array.astype(dtype)


def _to_integer(tensor: Tensor, array: Array, dtype: DType) -> Array:
    name = dtypes.name(dtype)
    if array.dtype.kind == "f" or array.dtype in dtypes.HALF:
        if np.isnan(array).any():
            raise _bad(
                tensor, f"holds NaN, the tensor is {name}", "integers have no NaN; replace it first"
            )
        raise _bad(
            tensor,
            f"is {array.dtype.name}, the tensor {name}",
            f"round and convert it first: np.rint(value).astype('{name}')",
        )
    if array.dtype.kind == "b":
        return array.astype(dtype)
    limits = np.iinfo(dtype)
    if array.size and (int(array.min()) < limits.min or int(array.max()) > limits.max):
        raise _bad(
            tensor,
            f"holds {int(array.min())} to {int(array.max())}, {name} holds {limits.min} to "
            f"{limits.max}",
            "make the placeholder wider",
        )
    return array.astype(dtype)


def _bad(tensor: Tensor, problem: str, remedy: str) -> FeedError:
    return FeedError(
        f"run: the value fed for '{tensor.name}' {problem}\n"
        f"  {describe(tensor)}\n"
        f"  {remedy}\n"
        f"  at {capture()}"
    )


__all__ = ["bind_symbols", "feed_array", "feed_key", "feed_keys", "format_dim"]
