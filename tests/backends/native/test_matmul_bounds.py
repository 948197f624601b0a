"""No matrix product touches memory beyond its operands: they lie between pages without access.

A kernel that does is killed by the system, and the test run with it.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from typing import Any

import numpy as np
import pytest

from staticgraph.backends.native.matmul import Product
from tests.backends.native.matmul_harness import AVX2, AVX512, SSE2, Compiled, Target, runs

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pages are protected otherwise")

SIZES = [(1, 1, 1), (4, 4, 4), (5, 7, 3), (9, 33, 17), (31, 100, 257), (1, 100, 40), (100, 1, 33),
         (3, 19, 70), (2, 40, 600), (130, 1100, 9)]  # fmt: skip


class Fenced:
    """An array whose last byte, or first one, is beside a page that nobody may touch."""

    def __init__(self, values: np.ndarray[Any, Any], at_end: bool) -> None:
        page = mmap.PAGESIZE
        room = -(-values.nbytes // page) * page
        self.pages = mmap.mmap(-1, room + 2 * page)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.pages))
        self.fences = (start, start + page + room)
        self.protect(0)
        offset = page + (room - values.nbytes if at_end else 0)
        self.array = np.frombuffer(
            self.pages, values.dtype, values.size, offset
        ).reshape(values.shape)  # fmt: skip
        self.array[...] = values

    def protect(self, access: int) -> None:
        library = ctypes.CDLL(None)
        for fence in self.fences:
            done = library.mprotect(ctypes.c_void_p(fence), ctypes.c_size_t(mmap.PAGESIZE), access)
            assert done == 0


def layouts(m: int, n: int, k: int, dtype: str) -> list[tuple[str, Product]]:
    """Products of two layouts, known wholly, known but for the sizes."""
    made = []
    for orders in ("NN", "NT", "TN"):
        a = (k, 1) if orders[0] == "N" else (1, m)
        b = (n, 1) if orders[1] == "N" else (1, k)
        unknown = [stride if stride == 1 else None for stride in (*a, *b)]
        made.append((orders, Product(np.dtype(dtype), m, n, k, *a, *b, n)))
        made.append((orders, Product(np.dtype(dtype), None, None, None, *unknown, None)))
    return made


@pytest.mark.parametrize("target", [AVX512, AVX2, SSE2], ids=str)
@pytest.mark.parametrize("at_end", [True, False])
def test_operands_between_forbidden_pages(target: Target, at_end: bool) -> None:
    if not runs(target):
        pytest.skip("this processor lacks the instructions")
    rng = np.random.default_rng(0)
    kernels: dict[Product, Compiled] = {}
    for m, n, k in SIZES:
        for orders, product in layouts(m, n, k, "float32"):
            if product not in kernels:
                kernels[product] = Compiled(product, target, level=1)
            kept = []
            for rows, columns, order in ((m, k, orders[0]), (k, n, orders[1])):
                shape = (rows, columns) if order == "N" else (columns, rows)
                kept.append(Fenced(rng.standard_normal(shape).astype(np.float32), at_end))
            a, b = (
                fenced.array if order == "N" else fenced.array.T
                for fenced, order in zip(kept, orders, strict=True)
            )
            c = Fenced(np.full((m, n), 7, np.float32), at_end)
            kernels[product](a, b, c.array)
            np.testing.assert_allclose(c.array, a @ b, rtol=1e-3, atol=1e-3)


def test_a_fence_is_one() -> None:
    # A forbidden page refuses even the system, which then does not kill anybody.
    fenced = Fenced(np.zeros(8), at_end=True)
    library = ctypes.CDLL(None, use_errno=True)
    reader, writer = os.pipe()
    past = ctypes.c_void_p(fenced.fences[1])
    assert library.write(writer, past, ctypes.c_size_t(8)) == -1
    assert ctypes.get_errno() != 0
    for end in (reader, writer):
        os.close(end)
