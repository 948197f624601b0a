"""Matrix product kernels against NumPy: sizes, strides, dtypes, batches, epilogues, targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from staticgraph.backends.native.ir import Module
from staticgraph.backends.native.matmul import BatchAxis, Place, Product, write_kernel
from staticgraph.backends.native.scalars import Register, Scalars
from staticgraph.core import dtypes
from tests.backends.native.matmul_harness import (
    AVX2,
    AVX512,
    SSE2,
    Compiled,
    Target,
    host_target,
    runs,
)

TARGETS = [AVX512, AVX2, SSE2]
# Around the edges of tiles, of vectors and of blocks of k; zero, one, primes.
SIZES = [
    (1, 1, 1), (4, 4, 4), (5, 7, 3), (8, 32, 64), (9, 33, 17), (31, 100, 257), (64, 16, 300),
    (2, 300, 5), (70, 70, 600), (17, 65, 255), (129, 31, 256), (1, 100, 40), (100, 1, 33),
    (3, 129, 70), (1, 1, 1000), (0, 3, 3), (3, 0, 3), (3, 3, 0), (1, 5, 0),
]  # fmt: skip
SMALL = [(1, 1, 1), (4, 4, 4), (5, 7, 3), (9, 33, 17), (1, 100, 40), (3, 19, 257), (100, 1, 33),
         (2, 2, 0), (70, 40, 300)]  # fmt: skip


def matrix(
    rng: np.random.Generator, rows: int, columns: int, dtype: Any, order: str
) -> np.ndarray[Any, Any]:
    """A matrix in row ("N") or column order ("T"), or with gaps in both ("S")."""
    shape = (columns, rows) if order == "T" else (rows, columns)
    if order == "S":
        shape = (rows * 2, columns * 3)
    values = rng.standard_normal(shape) * 3
    made = values.astype(dtype) if np.dtype(dtype).kind != "u" else np.abs(values).astype(dtype)
    if order == "T":
        return made.T
    return made[::2, ::3] if order == "S" else made


def expected(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if a.dtype.kind == "f":
        return np.asarray(a.astype(np.float64) @ b.astype(np.float64))
    return np.asarray(a @ b)


def check(result: np.ndarray[Any, Any], a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> None:
    """The product, within what rounding allows an element by element sum of so many terms."""
    wanted = expected(a, b)
    if result.dtype.kind != "f":
        np.testing.assert_array_equal(result, wanted)
        return
    size = abs(a.astype(np.float64)) @ abs(b.astype(np.float64))
    allowed = np.finfo(result.dtype).eps * (4 + a.shape[-1] ** 0.5) * size
    assert (abs(result - wanted) <= allowed).all()


def static(m: int, n: int, k: int, dtype: Any, order_a: str, order_b: str) -> Product:
    """A product of which everything is known."""
    a = {"N": (k, 1), "T": (1, m), "S": (6 * k, 3)}[order_a]
    b = {"N": (n, 1), "T": (1, k), "S": (6 * n, 3)}[order_b]
    return Product(np.dtype(dtype), m, n, k, *a, *b, n)


def dynamic(dtype: Any, order_a: str, order_b: str) -> Product:
    """A product of which only the layouts are known."""
    unit = {"N": (None, 1), "T": (1, None), "S": (None, None)}
    return Product(np.dtype(dtype), None, None, None, *unit[order_a], *unit[order_b], None)


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("orders", ["NN", "NT", "TN", "TT", "SS"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8"])
def test_sizes_of_a_run(target: Target, orders: str, dtype: str) -> None:
    if not runs(target):
        pytest.skip("this processor lacks the instructions")
    rng = np.random.default_rng(0)
    kernel = Compiled(dynamic(dtype, *orders), target, level=1)
    for m, n, k in SIZES:
        a, b = matrix(rng, m, k, dtype, orders[0]), matrix(rng, k, n, dtype, orders[1])
        check(kernel(a, b), a, b)


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("size", SMALL, ids=str)
def test_known_sizes(target: Target, size: tuple[int, int, int]) -> None:
    if not runs(target):
        pytest.skip("this processor lacks the instructions")
    rng = np.random.default_rng(1)
    m, n, k = size
    for dtype, orders in (("float32", "NN"), ("float64", "NT"), ("float32", "TT"), ("int16", "TN")):
        a, b = matrix(rng, m, k, dtype, orders[0]), matrix(rng, k, n, dtype, orders[1])
        kernel = Compiled(static(m, n, k, dtype, *orders), target, level=1)
        check(kernel(a, b), a, b)


@pytest.mark.parametrize("dtype", sorted(dtypes.NUMERIC, key=str), ids=str)
def test_every_dtype(dtype: dtypes.DType) -> None:
    rng = np.random.default_rng(2)
    kernel = Compiled(dynamic(dtype, "N", "N"), level=1)
    for m, n, k in SMALL:
        a, b = matrix(rng, m, k, dtype, "N"), matrix(rng, k, n, dtype, "N")
        check(kernel(a, b), a, b)


def test_integers_wrap_around() -> None:
    a = np.full((9, 40), 2**31 - 1, np.int32)
    np.testing.assert_array_equal(Compiled(dynamic("int32", "N", "N"), level=1)(a, a.T), a @ a.T)


@pytest.mark.parametrize("known", ["m", "n", "k", "mn", "nk", "mk"])
def test_partly_known_sizes(known: str) -> None:
    rng = np.random.default_rng(3)
    for m, n, k in ((1, 40, 30), (40, 1, 30), (13, 70, 300), (3, 5, 129)):
        sizes = {"m": m, "n": n, "k": k}
        product = Product(
            dtypes.float32,
            *(sizes[name] if name in known else None for name in "mnk"),
            None, 1, 1, None, None,
        )  # fmt: skip
        a, b = matrix(rng, m, k, "float32", "N"), matrix(rng, k, n, "float32", "T")
        check(Compiled(product, level=1)(a, b), a, b)


def test_one_column_is_computed_as_a_row() -> None:
    rng = np.random.default_rng(11)
    for strides in ((None, 1, 1, None), (1, None, 1, None), (None, None, None, None)):
        kernel = Compiled(Product(dtypes.float32, None, 1, None, *strides, 1), level=1)
        for m, k in ((1, 1), (40, 30), (300, 700)):
            a = matrix(rng, m, k, "float32", "T" if strides[0] == 1 else "N")
            b = matrix(rng, k, 1, "float32", "N")
            check(kernel(a, b), a, b)


def test_negative_and_zero_strides() -> None:
    rng = np.random.default_rng(4)
    kernel = Compiled(Product(dtypes.float32), level=1)
    a, b = matrix(rng, 37, 61, "float32", "N"), matrix(rng, 61, 50, "float32", "N")
    row, column = a[:1], b[:, :1]
    for lhs, rhs in (
        (a[::-1], b[::-1]),
        (a[:, ::-1], b[::-1, ::-1]),
        (np.broadcast_to(row, a.shape), np.broadcast_to(column, b.shape)),
        (np.broadcast_to(a[:, :1], a.shape), np.broadcast_to(b[:1], b.shape)),
    ):
        check(kernel(lhs, rhs), lhs, rhs)


@pytest.mark.parametrize("orders", ["NN", "NT"])
def test_batches_broadcast(orders: str) -> None:
    rng = np.random.default_rng(5)
    unknown = BatchAxis(None, None, None, None)
    product = dynamic("float32", *orders)
    product = Product(*[getattr(product, f) for f in product.__dataclass_fields__][:9],
                      (unknown, unknown))  # fmt: skip
    kernel = Compiled(product, level=1)
    for first, second in (((3, 4), (3, 4)), ((3, 1), (1, 4)), ((1, 1), (2, 5))):
        a = rng.standard_normal((*first, 9, 21)).astype(np.float32)
        b = rng.standard_normal((*second, 21, 35)).astype(np.float32)
        if orders[1] == "T":
            b = np.ascontiguousarray(b.swapaxes(-1, -2)).swapaxes(-1, -2)
        check(kernel(a, b), a, b)


@pytest.mark.parametrize("orders", ["NN", "NT", "TN"])
def test_bits_do_not_depend_on_chunks(orders: str) -> None:
    rng = np.random.default_rng(6)
    for m, n, k in ((300, 200, 300), (1, 3000, 40), (500, 10, 64), (40, 1, 5000)):
        for product in (dynamic("float32", *orders), static(m, n, k, "float32", *orders)):
            kernel = Compiled(product, level=1)
            a, b = matrix(rng, m, k, "float32", orders[0]), matrix(rng, k, n, "float32", orders[1])
            results = [kernel(a, b, chunks=chunks).tobytes() for chunks in (1, 2, 3, 8)]
            assert len(set(results)) == 1


def test_large_products_have_tasks_for_several_threads() -> None:
    kernel = Compiled(dynamic("float32", "N", "N"), level=1)
    number, grain = kernel.tasks(np.zeros((256, 256), np.float32), 256)
    assert number // grain >= 8
    assert kernel.tasks(np.zeros((8, 8), np.float32), 8) == (1, 128)


@pytest.mark.parametrize("size", [(1, 40, 40), (4, 4, 4), (9, 33, 65), (40, 1, 40), (70, 50, 300)])
@pytest.mark.parametrize("orders", ["NN", "NT"])
def test_nan_and_infinity_propagate(size: tuple[int, int, int], orders: str) -> None:
    m, n, k = size
    a, b = np.ones((m, k), np.float32), np.ones((k, n), np.float32)
    a[m // 2, k // 3], b[k // 2, n // 2] = np.inf, np.nan
    a[0, k - 1], b[k - 1, n - 1] = 0.0, np.inf
    b = b if orders == "NN" else np.ascontiguousarray(b.T).T
    with np.errstate(invalid="ignore"):
        wanted = a @ b
    for product in (dynamic("float32", *orders), static(m, n, k, "float32", *orders)):
        np.testing.assert_array_equal(Compiled(product, level=1)(a, b), wanted)


@pytest.mark.parametrize("orders", ["NN", "NT"])
def test_accumulate_adds_to_the_result(orders: str) -> None:
    rng = np.random.default_rng(7)
    for m, n, k in ((4, 4, 4), (9, 33, 17), (1, 70, 30), (40, 1, 33), (70, 70, 600)):
        a, b = matrix(rng, m, k, "float64", orders[0]), matrix(rng, k, n, "float64", orders[1])
        for product in (dynamic("float64", *orders), static(m, n, k, "float64", *orders)):
            fields = {f: getattr(product, f) for f in product.__dataclass_fields__}
            kernel = Compiled(Product(**(fields | {"accumulate": True})), level=1)
            c = rng.standard_normal((m, n))
            wanted = c + a @ b
            np.testing.assert_allclose(kernel(a, b, c), wanted, rtol=1e-12, atol=1e-11)


def bias_and_mask(s: Scalars, value: Register, place: Place) -> Register:
    """(value + bias[column]) * mask[row, column] + column_vector[row]."""
    w, slots = place.writer, 11
    bias, mask, step, column = (
        w.slot(place.arguments, slots + i, type)
        for i, type in enumerate(("ptr", "ptr", "i64", "ptr"))
    )
    lanes, dtype = s.lanes, value.dtype
    biased = s.add(value, place.load(bias, dtype, lanes, 0, dtype.itemsize))
    kept = s.multiply(biased, place.load(mask, dtype, lanes, step, dtype.itemsize))
    return s.add(kept, place.load(column, dtype, lanes, dtype.itemsize, 0))


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("orders", ["NN", "NT", "TN"])
def test_epilogue_sees_every_element_once(target: Target, orders: str) -> None:
    if not runs(target):
        pytest.skip("this processor lacks the instructions")
    rng = np.random.default_rng(8)
    for m, n, k in ((4, 4, 4), (9, 33, 17), (1, 70, 30), (40, 1, 33), (70, 70, 600)):
        a, b = matrix(rng, m, k, "float64", orders[0]), matrix(rng, k, n, "float64", orders[1])
        bias, mask = rng.standard_normal(n), rng.standard_normal((m, n))
        column = rng.standard_normal(m)
        extra = [bias.ctypes.data, mask.ctypes.data, 8 * n, column.ctypes.data]
        for product in (dynamic("float64", *orders), static(m, n, k, "float64", *orders)):
            kernel = Compiled(product, target, bias_and_mask, level=1)
            result = kernel(a, b, extra=extra, chunks=2)
            wanted = (a @ b + bias) * mask + column[:, None]
            np.testing.assert_allclose(result, wanted, rtol=1e-12, atol=1e-11)


def subtract_from_result(s: Scalars, value: Register, place: Place) -> Register:
    """What the result held before, less the product."""
    before = place.writer.slot(place.arguments, 11, "ptr")
    step = place.writer.slot(place.arguments, 12)
    return s.subtract(place.load(before, value.dtype, s.lanes, step, value.dtype.itemsize), value)


@pytest.mark.parametrize("size", [(4, 4, 4), (1, 70, 30), (40, 30, 300), (700, 50, 3)], ids=str)
def test_epilogue_may_read_what_the_result_replaces(size: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(10)
    m, n, k = size
    a, b = matrix(rng, m, k, "float64", "N"), matrix(rng, k, n, "float64", "N")
    for product in (dynamic("float64", "N", "N"), static(m, n, k, "float64", "N", "N")):
        c = rng.standard_normal((m, n))
        wanted = c - a @ b
        kernel = Compiled(product, None, subtract_from_result, level=1)
        kernel(a, b, c, extra=[c.ctypes.data, 8 * n])
        np.testing.assert_allclose(c, wanted, rtol=1e-12, atol=1e-11)


def test_equal_products_share_a_function() -> None:
    module = Module()
    product = static(40, 50, 60, "float32", "N", "N")
    names = [write_kernel(module, product, host_target()) for _ in range(2)]
    assert names[0] == names[1]
    text = str(module)
    write_kernel(module, static(40, 50, 61, "float32", "N", "N"), host_target())
    assert len(str(module)) < 1.3 * len(text)


def test_what_does_the_work_is_a_part_by_itself() -> None:
    rng = np.random.default_rng(9)
    a, b = matrix(rng, 33, 40, "float32", "N"), matrix(rng, 40, 70, "float32", "N")
    kernel = Compiled(dynamic("float32", "N", "N"), separate=True)
    check(kernel(a, b), a, b)


def _assembly(product: Product) -> Sequence[str]:
    return Compiled(product, AVX512).assembly().splitlines()


def test_inner_loop_keeps_its_sums_in_registers() -> None:
    if not runs(AVX512):
        pytest.skip("this processor lacks the instructions")
    lines = _assembly(dynamic("float32", "N", "N"))
    products = [i for i, line in enumerate(lines) if "vfmadd" in line and "zmm" in line]
    # The main tile: 8 rows of 2 vectors, with nothing stored in between.
    first = products[:16]
    assert first[-1] - first[0] < 40
    assert not any("vmovups\t%zmm" in line or "vmovaps\t%zmm" in line
                   for line in lines[first[0] : first[-1]])  # fmt: skip
