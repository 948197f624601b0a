"""No kernel touches memory beyond its operands or its block.

Operands lie between pages without access: a kernel that reads one byte too many is killed by the
system, and the test run with it. Blocks that a run allocates have guards, which are looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import staticgraph as sg
from staticgraph.backends.native.program import Program
from staticgraph.backends.native.sizes import Size, row_major
from staticgraph.backends.native.values import Array as Held
from tests.backends.native.agreement import Agreement
from tests.backends.native.test_matmul_bounds import Fenced

Array = np.ndarray[Any, Any]
READ_WRITE = 3
fenced_pages = pytest.mark.skipif(sys.platform == "win32", reason="pages are protected otherwise")


@pytest.fixture(params=[True, False], ids=["at the end", "at the start"])
def fence(request: pytest.FixtureRequest) -> Iterator[Callable[[Array], Array]]:
    """Puts arrays beside a page that nobody may touch."""
    made: list[Fenced] = []

    def put(values: Array) -> Array:
        made.append(Fenced(np.ascontiguousarray(values), request.param))
        return made[-1].array

    yield put
    for each in made:
        each.protect(READ_WRITE)


PROGRAMS: dict[str, Callable[[sg.Tensor, sg.Tensor], Any]] = {
    "elementwise": lambda x, y: [x + 1, x * y, sg.where(x > y, x, y), x + y[0], x + y[:, :1]],
    "casts": lambda x, y: [sg.cast(x, "float64"), sg.cast(x > 2, "int8"), sg.cast(x, "int32") + 1],
    "flags": lambda x, y: [x > y, (x > 2) & (y > 2), sg.any(x > 5, axis=1), sg.all(x < 5, axis=0)],
    "functions": lambda x, y: [sg.sign(x), sg.clip(x, 1, 3), sg.abs(x), sg.square(y)],
    "reductions": lambda x, y: [
        sg.sum(x), sg.sum(x, axis=0), sg.sum(x, axis=1), sg.max(x), sg.max(x, axis=0),
        sg.min(x, axis=-1), sg.sum(x * y), sg.argmax(x, axis=1), sg.argmin(x, axis=0),
    ],
    "rows": lambda x, y: [x - sg.max(x, axis=1, keepdims=True), y - sg.sum(y, 1, keepdims=True)],
    "views": lambda x, y: [
        x[::-1] + y, x[:, ::-1] + y, x[::2] + 1, x[:, ::3] + 1, x[:, 1:] + 1, x[..., :-1] * 2,
        sg.permute_dims(x) + 1, sg.reshape(sg.permute_dims(x), (-1,)) + 1,
    ],
    "moves": lambda x, y: [
        sg.concat([x, y], 0), sg.concat([x, y, x], 1), sg.pad(x, 1), sg.roll(x, 1, axis=1),
        sg.stack([x, y], axis=2), sg.flip(x, 1), sg.tile(x, (2, 3)), sg.repeat(x, 3, axis=1),
    ],
    "running sums": lambda x, y: [sg.cumsum(x, axis=0), sg.cumsum(x, axis=1)],
    "products": lambda x, y: [
        x @ sg.permute_dims(y), sg.permute_dims(x) @ y, x @ y[0], x[:, 0] @ y,
        sg.maximum(x @ sg.permute_dims(y) + x[:, 0], 0),
    ],
    "picks": lambda x, y: [
        sg.take(x, [0, -1], axis=0), sg.take(x, [-1, 0, -1], axis=1), x[-1], x[:, -1],
        sg.scatter_add(x, [-1, 0], y[:2] if y.shape[0] is None else y[:1]), x[[0, -1], [-1, 0]],
    ],
    "orders": lambda x, y: [sg.sort(x, axis=1), sg.argsort(y, axis=0)],
    "loops": lambda x, y: list(sg.scan(lambda c, r: (c + r, c * 2), x[0], y, reverse=True)),
}  # fmt: skip
SIZES = [(1, 1), (1, 7), (2, 3), (3, 17), (5, 33), (7, 64), (9, 65), (2, 1029), (65, 129)]


@fenced_pages
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint16", "int64"])
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_operands_end_where_memory_ends(
    name: str, dtype: str, fence: Callable[[Array], Array]
) -> None:
    x, y = (sg.placeholder(dtype, (None, None)) for _ in range(2))
    agreement = Agreement(PROGRAMS[name](x, y), [x, y])
    chance = np.random.default_rng(0)
    for shape in SIZES:
        given = [fence(chance.integers(0, 7, shape).astype(dtype)) for _ in range(2)]
        assert not isinstance(agreement.check(*given), str)


@fenced_pages
@pytest.mark.parametrize("shape", [(1, 1), (3, 17), (5, 33), (2, 131)])
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_operands_of_known_sizes(
    name: str, shape: tuple[int, int], fence: Callable[[Array], Array]
) -> None:
    x, y = (sg.placeholder("float32", shape) for _ in range(2))
    chance = np.random.default_rng(0)
    given = [fence(chance.integers(0, 7, shape).astype("float32")) for _ in range(2)]
    assert not isinstance(Agreement(PROGRAMS[name](x, y), [x, y]).check(*given), str)


@fenced_pages
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_sizes_that_do_not_fit_touch_nothing(name: str, fence: Callable[[Array], Array]) -> None:
    x, y = (sg.placeholder("float32", (None, None)) for _ in range(2))
    agreement = Agreement(PROGRAMS[name](x, y), [x, y])
    shapes = [(3, 17), (17, 3), (4, 17), (3, 16), (1, 17), (3, 1), (0, 17), (3, 0), (65, 64)]
    failed = 0
    for first in shapes:
        for second in shapes[:4]:
            given = [fence(np.ones(shape, "float32")) for shape in (first, second)]
            failed += isinstance(agreement.check(*given), str)
    two = name in {"elementwise", "flags", "moves", "products", "views", "loops", "reductions"}
    assert failed or not two


@fenced_pages
@pytest.mark.parametrize("index", [-4, 3, 1 << 20, 1 << 62, -(1 << 62), -(1 << 63)])
def test_places_out_of_range_touch_nothing(index: int, fence: Callable[[Array], Array]) -> None:
    x, i = sg.placeholder("float32", (None, None)), sg.placeholder("int64", (None,))
    fetched: list[list[sg.Tensor]] = [
        [sg.take(x, i, axis=0)], [sg.take(x, i, axis=1)], [x[i[0]]], [x[:, i[0]]], [x[i, i]],
        [sg.scatter_add(x, i, sg.ones((1, 3)))], [x[i[0] :]], [x[: i[0]]], [x[i[0] :: -1]],
        [sg.gradients(sg.sum(sg.take(x, i, axis=0) ** 2), x)[0]],
        [sg.fori_loop(0, 3, lambda n, z: z + x[i[0]], x[0])],
    ]  # fmt: skip
    for fetches in fetched:
        agreement = Agreement(fetches, [x, i])
        agreement.check(fence(np.ones((3, 3), "float32")), fence(np.array([index])))
        agreement.check(fence(np.ones((3, 3), "float32")), fence(np.array([0, index, 1])))


def test_kernels_write_into_blocks_with_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    x = sg.placeholder("float32", (None, None))
    first = Program.allocate

    def short(self: Program, dims: tuple[Size, ...], dtype: Any) -> Any:
        """A block of one row less than it should have."""
        if len(dims) != 2:
            return first(self, dims, dtype)
        rows = self.size(self.arithmetic("sub", self.text(dims[0]), "1"))
        block = first(self, (rows, *dims[1:]), dtype)
        return Held(block.buffer, block.pointer, dtype, dims, row_major(dims))

    for make in (
        lambda: sg.permute_dims(x @ x) @ x,
        lambda: sg.cumsum(sg.cumsum(x, axis=0), axis=1),
        lambda: sg.exp(x) @ x,
    ):
        y = make()
        array = np.ones((9, 9), "float32")
        sg.Session(backend="native").run(y, {x: array})
        with monkeypatch.context() as patch:
            patch.setattr(Program, "allocate", short)
            with pytest.raises(sg.CompilerError, match="was written behind its last byte"):
                sg.Session(backend="native").run(y, {x: array})
