"""Functions of the standard at arrays of any dtype and shape: what no list of calls foresees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from .agreement import Call, disagreement
from .elementwise_calls import (
    ANY,
    BINARY,
    INTEGER,
    NUMERIC,
    REAL,
    pairs_of,
    second_values,
    values_of,
)

Draw = Any

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)
MATRICES = hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=4)

many = settings(max_examples=60, deadline=None)


@pytest.fixture(autouse=True)
def _by_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATICGRAPH_CONFORMANCE_BACKEND", "reference")


def _holds(text: str, wanted: str = "", name: str = "any", **operands: Any) -> None:
    call = Call(name, text, wanted or text, operands)
    problem = disagreement(call)
    assert problem is None, f"{call}: {problem}"


def _array(draw: Draw, dtypes: tuple[str, ...], shapes: Any = SHAPES) -> np.ndarray[Any, Any]:
    """An array of small whole numbers, which every dtype holds and sums exactly."""
    dtype, shape = draw(st.sampled_from(dtypes)), draw(shapes)
    low = -4 if np.dtype(dtype).kind in "ifc" else 0
    drawn = hnp.arrays(np.int64, shape, elements=st.integers(low, 4))
    array: np.ndarray[Any, Any] = draw(drawn).astype(dtype)
    return array


def _axis(draw: Draw, ndim: int, several: bool = False) -> Any:
    if several and draw(st.booleans()):
        axes = draw(st.lists(st.integers(0, ndim - 1), unique=True)) if ndim else []
        return tuple(axis - ndim * draw(st.integers(0, 1)) for axis in axes)
    return draw(st.none() | st.integers(-ndim, ndim - 1)) if ndim else None


@many
@given(st.data(), st.sampled_from(["sum", "prod", "any", "all", "count_nonzero", "mean"]))
def test_reductions(data: Any, name: str) -> None:
    dtypes = {"mean": ("float32", "float64", "complex128"), "any": ANY, "all": ANY}
    x = _array(data.draw, dtypes.get(name, NUMERIC))
    axis, keepdims = _axis(data.draw, x.ndim, several=True), data.draw(st.booleans())
    _holds(f"{name}(x, axis={axis}, keepdims={keepdims})", x=x)


@many
@given(st.data(), st.sampled_from(["max", "min", "argmax", "argmin"]))
def test_choices(data: Any, name: str) -> None:
    shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=3)
    x = _array(data.draw, REAL, shapes)
    axis, keepdims = _axis(data.draw, x.ndim, "arg" not in name), data.draw(st.booleans())
    _holds(f"{name}(x, axis={axis}, keepdims={keepdims})", x=x)


@many
@given(st.data(), st.sampled_from(["cumulative_sum", "cumulative_prod", "diff", "sort", "argsort"]))
def test_along_an_axis(data: Any, name: str) -> None:
    shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)
    x = _array(data.draw, REAL if "sort" in name else NUMERIC, shapes)
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    options = {
        "diff": f", n={data.draw(st.integers(0, 2))}",
        "sort": "",
        "argsort": ", stable=True",
    }.get(name, f", include_initial={data.draw(st.booleans())}")
    _holds(f"{name}(x, axis={axis}{options})", x=x)


@many
@given(st.data(), st.sampled_from(sorted(BINARY)))
def test_operands_that_broadcast(data: Any, name: str) -> None:
    pairs = list(pairs_of(name, BINARY[name]))
    first, second = data.draw(st.sampled_from(pairs))
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
    operands = {}
    for label, dtype, shape, values in (
        ("x", first, shapes.input_shapes[0], values_of(first)),
        ("y", second, shapes.input_shapes[1], second_values(name, second)),
    ):
        kept = values[np.isfinite(values)] if "complex" in first + second else values
        chosen = hnp.arrays(np.int64, shape, elements=st.integers(0, len(kept) - 1))
        operands[label] = kept[data.draw(chosen)].astype(dtype)
    _holds(f"{name}(x, y)", name=name, **operands)


@many
@given(st.data())
def test_shapes(data: Any) -> None:
    x = _array(data.draw, ANY)
    ndim = x.ndim
    sizes = data.draw(st.permutations(x.shape))
    order = tuple(data.draw(st.permutations(range(ndim))))
    place = data.draw(st.integers(-ndim - 1, ndim))
    ones = tuple(axis for axis in range(ndim) if x.shape[axis] == 1)
    times = tuple(data.draw(st.lists(st.integers(0, 2), max_size=3)))
    count = data.draw(st.integers(0, 3))
    _holds(f"reshape(x, {tuple(sizes)})", x=x)
    _holds(f"permute_dims(x, {order})", x=x)
    _holds(f"expand_dims(x, axis={place})", x=x)
    _holds(f"squeeze(x, {ones})", x=x)
    _holds(f"tile(x, {times})", x=x)
    _holds(f"flip(x, axis={_axis(data.draw, ndim, several=True)})", x=x)
    _holds(f"repeat(x, {count}, axis={_axis(data.draw, ndim)})", x=x)
    _holds(f"broadcast_to(x, {(2, *x.shape)})", x=x)
    _holds(f"roll(x, {data.draw(st.integers(-5, 5))}, axis={_axis(data.draw, ndim)})", x=x)
    _holds(f"stack([x, x], axis={data.draw(st.integers(-ndim - 1, ndim))})", x=x)
    if ndim:
        axis = data.draw(st.integers(-ndim, ndim - 1))
        _holds(f"concat([x, x, x], axis={axis})", x=x)
        _holds(f"list(unstack(x, axis={axis}))", x=x)
        _holds(f"moveaxis(x, {axis}, {data.draw(st.integers(-ndim, ndim - 1))})", x=x)
    if ndim > 1:
        k = data.draw(st.integers(-3, 3))
        _holds(f"list((tril(x, k={k}), triu(x, k={k}), matrix_transpose(x)))", x=x)


@many
@given(st.data())
def test_indices(data: Any) -> None:
    x = _array(data.draw, ANY)
    key = data.draw(hnp.basic_indices(x.shape, allow_newaxis=True))
    _holds(f"x[{_written(key)}]", x=x)
    mask = data.draw(hnp.arrays(np.bool_, x.shape))
    _holds("x[mask]", x=x, mask=mask)
    if x.ndim and 0 not in x.shape:
        axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
        size = x.shape[axis]
        taken = data.draw(
            hnp.arrays(np.int64, st.integers(0, 4), elements=st.integers(0, size - 1))
        )
        _holds(f"take(x, taken, axis={axis})", x=x, taken=taken)
        along = data.draw(hnp.arrays(np.int64, x.shape, elements=st.integers(0, size - 1)))
        _holds(f"take_along_axis(x, along, axis={axis})", x=x, along=along)


def _written(key: Any) -> str:
    """A key as Python."""
    if not isinstance(key, tuple):
        return "..." if key is Ellipsis else repr(key)
    return "(" + "".join("..., " if item is Ellipsis else f"{item!r}, " for item in key) + ")"


@many
@given(st.data(), hnp.mutually_broadcastable_shapes(signature="(m?,n),(n,p?)->(m?,p?)", max_dims=2))
def test_products(data: Any, shapes: Any) -> None:
    x, y = [_array(data.draw, NUMERIC[:1] + NUMERIC[-3:], st.just(s)) for s in shapes.input_shapes]
    _holds("matmul(x, y)", x=x, y=y)
    n = data.draw(st.integers(0, 3))
    z = _array(data.draw, (x.dtype.name,), st.just((*x.shape[x.ndim - min(n, x.ndim) :], 2)))
    _holds(f"tensordot(x, z, axes={min(n, x.ndim)})", x=x, z=z)
    _holds("vecdot(x, x)", x=x)


@many
@given(st.data())
def test_searches_and_sets(data: Any) -> None:
    x = _array(data.draw, REAL, hnp.array_shapes(max_dims=3, min_side=0, max_side=4))
    _holds("nonzero(x)", x=x)
    _holds("list(unique_counts(x))", x=x)
    _holds("list(unique_all(x))", x=x)
    _holds("unique_values(x)", "numpy.unique(x)", x=x)
    row = np.sort(x.reshape(-1))
    side = data.draw(st.sampled_from(["left", "right"]))
    _holds(f"searchsorted(row, x, side='{side}')", row=row, x=x)
    condition = data.draw(hnp.arrays(np.bool_, x.shape))
    _holds("where(c, x, -x)", c=condition, x=x)


@many
@given(
    st.integers(-9, 9),
    st.integers(-9, 9),
    st.integers(-4, 4).filter(bool),
    st.sampled_from((*INTEGER[:4], "float32", "float64")),
    st.integers(0, 9),
    st.booleans(),
)
def test_sequences(start: int, stop: int, step: int, dtype: str, num: int, endpoint: bool) -> None:
    _holds(f"arange({start}, {stop}, {step}, dtype={dtype})")
    _holds(f"arange({start}.0, {stop}.5, {step / 4}, dtype=float64)")
    text = f"linspace({start}, {stop}.5, {num}, dtype=float64, endpoint={endpoint})"
    _holds(text)
    _holds(f"eye({num}, {abs(stop)}, k={start}, dtype={dtype})")


@settings(max_examples=20, deadline=None)
@given(st.data(), MATRICES)
def test_matrices(data: Any, shape: Any) -> None:
    square = (*shape[:-1], shape[-2])
    elements = st.integers(-4, 4)
    x = data.draw(hnp.arrays(np.int64, square, elements=elements)).astype("float64")
    x = x + 20.0 * np.eye(square[-1])
    b = data.draw(hnp.arrays(np.int64, shape, elements=elements)).astype("float64")
    for text in (
        "linalg.det(x)", "linalg.inv(x)", "linalg.solve(x, b)", "linalg.svdvals(b)",
        "list(linalg.slogdet(x))", "linalg.cholesky(matmul(x, matrix_transpose(x)))",
        "linalg.eigvalsh(x + matrix_transpose(x))", "linalg.trace(b)", "linalg.pinv(b)",
        "linalg.matrix_norm(b)", "linalg.matrix_norm(b, ord='nuc', keepdims=True)",
        "linalg.matrix_power(x, 3)", "linalg.diagonal(b, offset=1)", "linalg.vector_norm(b)",
    ):  # fmt: skip
        _holds(text, x=x, b=b)
    _holds("matmul(*linalg.qr(b))", "b", b=b)
    _holds("matmul(*linalg.qr(b, mode='complete'))", "b", b=b)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]))
def test_transforms(data: Any, name: str) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=2, max_side=6))
    dtypes = ("float32", "float64") if name in ("rfft", "ihfft") else ("complex64", "complex128")
    x = _array(data.draw, dtypes, st.just(shape))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    n = data.draw(st.none() | st.integers(2, 9))
    norm = data.draw(st.sampled_from(["backward", "ortho", "forward"]))
    _holds(f"fft.{name}(x, n={n}, axis={axis}, norm='{norm}')", x=x)


def test_numbers_that_are_no_arrays() -> None:
    for value in (True, 3, 2.5, 1j, math.inf, [[1, 2], [3, 4]], [True, False], [1.5, 2]):
        dtype = {"f": "float32", "c": "complex64"}.get(np.asarray(value).dtype.kind)
        text = f"asarray({value!r})"
        _holds(text, f"{text}.astype('{dtype}')" if dtype else text)
